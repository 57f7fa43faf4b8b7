"""The story that `make demo` plays: a plant that runs fast, three nodes as processes, a cut link."""

import functools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import anyio

from fedbatch.demo.labels import reckon_labels
from fedbatch.demo.plant_terms import SOURCES, agreement_terms, plant_mappings
from fedbatch.errors import FedbatchError, InputError, PeerError
from fedbatch.node.clock import WallClock
from fedbatch.node.findings import FindingRow, name_findings, read_findings
from fedbatch.node.following import Follower
from fedbatch.node.home import Home, create_home
from fedbatch.node.importing import confirm_mapping
from fedbatch.node.overview import read_batches, read_status
from fedbatch.node.reading import read_results
from fedbatch.node.series import read_lines
from fedbatch.node.settings import write_clock
from fedbatch.node.verifying import verify_home
from fedbatch.peers.dialer import call_pairing
from fedbatch.plant.packs import World, make_world
from fedbatch.services import pairing
from fedbatch.standard.agreements import AgreedParty, AgreementBody
from fedbatch.standard.findings import Finding

__all__ = ["play"]


class Say(Protocol):
    """Tells a line of the story; a command stays on one line, so that it can be copied."""

    def __call__(self, text: str, *, is_command: bool = False) -> None: ...


PRODUCTS = ("P-1207", "P-2210")
SEED = 1
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
# The plant's eight days in about a quarter of a minute.
SPEED = 30_000.0
_DAYS = 2.0
_PATIENCE_S = 30.0
_TURN_S = 0.02


@dataclass(slots=True, kw_only=True)
class Cast:
    """The three homes of the story, and the processes that serve them."""

    folder: Path
    cmo: Home
    sponsors: list[Home]
    processes: dict[str, subprocess.Popen[bytes]]

    def serve(self, home: Home) -> None:
        """Start a node's process and wait until it is there."""
        name = home.path.name
        command = [sys.executable, "-m", "fedbatch", "serve", "--home", str(home.path)]
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own command
        if home.settings.listen:
            host, _, port = home.settings.listen.rpartition(":")
            _wait(lambda: _answers(host, int(port)), f"{name} to listen")

    def stop(self, home: Home) -> None:
        """Stop a node's process: its link is cut."""
        process = self.processes.pop(home.path.name)
        process.terminate()
        process.wait(timeout=10)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _wait(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; the story cannot go on without it."""
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise PeerError(f"waited {_PATIENCE_S:.0f} s for {what}", retryable=False, code="demo")
        time.sleep(0.05)  # noqa: TID251 - waits for real processes


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def _stage(folder: Path) -> Iterator[Cast]:
    clock = f"{START.isoformat()} {WallClock().seconds()} {SPEED}"
    homes = [
        create_home(
            folder / "cmo", name="CMO A", person="Ana", listen="", address="", demo_clock=clock
        )
    ]
    for name, title in (("sponsor-1", "Sponsor 1"), ("sponsor-2", "Sponsor 2")):
        place = f"127.0.0.1:{_free_port()}"
        homes.append(
            create_home(
                folder / name,
                name=title,
                person="Sam",
                listen=place,
                address=f"http://{place}",
                demo_clock=clock,
            )
        )
    cast = Cast(folder=folder, cmo=homes[0], sponsors=homes[1:], processes={})
    try:
        yield cast
    finally:
        for process in cast.processes.values():
            process.terminate()
        for process in cast.processes.values():
            process.wait(timeout=10)
        for home in homes:
            home.close()
            # Whoever looks at the homes afterwards finds them on the story's last day, not months on.
            write_clock(home.path, f"{home.clock.now()} {WallClock().seconds()} 1")


def play(folder: Path | None, say: Say) -> int:
    """Play the story; 0 when everything in it held.

    Args:
        folder: where the homes are left for a look; None: a temporary folder that is kept too.
        say: prints one line.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="fedbatch-demo-"))
    if folder is not None and folder.exists():
        shutil.rmtree(folder)
    began = time.monotonic()
    world = make_world("demo", seed=SEED, start=START, days=_DAYS)
    with _stage(place) as cast:
        say("Three nodes, each a process of its own: a CMO, and two sponsors that must not meet.")
        _pair_and_agree(cast, world, say)
        rows = _run_plant(cast, world, say)
        good = _tell(cast, world, rows, say)
    say(f"Played in {time.monotonic() - began:.1f} s.")
    _look_further(place, world, say)
    return 0 if good else 1


# ---- act one: strangers become partners


def _pair_and_agree(cast: Cast, world: World, say: Say) -> None:
    person = cast.cmo.acting("u-1", "writer")
    for mapping in plant_mappings(world):
        confirm_mapping(cast.cmo, mapping, person)
    for sponsor in cast.sponsors:
        cast.serve(sponsor)
        _pair(cast.cmo, sponsor)
    cast.serve(cast.cmo)
    for sponsor, product in zip(cast.sponsors, PRODUCTS, strict=True):
        body = _agreement(cast.cmo, sponsor, world, product)
        cast.cmo.exchange.propose(sponsor.settings.party, body, "u-1")
        _wait(functools.partial(_is_proposed, sponsor, body.id), "the proposal")
        officer = sponsor.officer(sponsor.acting("u-1", "agreement officer"), "agreement officer")
        sponsor.exchange.accept(body.id, officer)
        _wait(functools.partial(_is_active, cast.cmo, body.id), "the agreement")
    say("Keys pinned on all sides; two data agreements proposed, signed and countersigned.")


def _agreement(cmo: Home, sponsor: Home, world: World, product: str) -> AgreementBody:
    return agreement_terms(
        world,
        f"ag-{sponsor.path.name}",
        AgreedParty(party=cmo.settings.party, role="CMO", name=cmo.settings.name),
        AgreedParty(party=sponsor.settings.party, role="sponsor", name=sponsor.settings.name),
        product,
    )


def _is_proposed(home: Home, agreement: str) -> bool:
    known = any(item.agreement == agreement for item in home.node.agreements())
    return known and home.ledgers(agreement).setting("offer_received") is not None


def _is_active(home: Home, agreement: str) -> bool:
    return home.standing(agreement).state == "active"


def _has_no_backlog(home: Home) -> bool:
    return all(not item.backlog for item in read_status(home).agreements)


def _pair(cmo: Home, sponsor: Home) -> None:
    code = f"{_free_port():032x}"
    content = pairing.invite(sponsor.pairing, "u-1", code, "")
    invited = pairing.read_invitation(content, cmo.clock.seconds())
    answer = pairing.answer_invitation(cmo.pairing, invited)
    reply = anyio.run(call_pairing, invited.address, "", answer)
    partner = pairing.take_answer(cmo.pairing, invited, reply, "", "u-1")
    pairing.confirm(cmo.pairing, partner, "u-1")
    pairing.confirm(sponsor.pairing, sponsor.partner_named(cmo.settings.party), "u-1")


# ---- act two: the plant runs, and its files are followed


@dataclass(slots=True, kw_only=True)
class Run:
    """The plant's run as the CMO follows it."""

    cast: Cast
    world: World
    follower: Follower
    sources: Path
    say: Say
    disputes: list[Finding] = field(default_factory=list)
    set_up: set[str] = field(default_factory=set)
    points: int = 0
    sealed: int = 0
    posted: int = 0

    def look(self, moment: datetime) -> None:
        """Write what the plant has written by now, and take it in."""
        self._confirm_anew(moment)
        self.world.write_until(self.sources, moment)
        turn = self.follower.turn()
        self.points += turn.points
        self.sealed += turn.sealed
        self.posted += turn.posted
        for item in turn.disputes:
            if item not in self.disputes:
                self.disputes.append(item)
                (named,) = name_findings(self.cast.cmo, [item])
                self.say(f"  {moment:%d %B %H:%M} held back: {named.render()}")

    def _confirm_anew(self, moment: datetime) -> None:
        """The engineer confirms a mapping anew when the historian is set up otherwise."""
        for batch in self.world.batches:
            if batch.fill_at <= moment.timestamp() and batch.number not in self.set_up:
                self.set_up.add(batch.number)
                person = self.cast.cmo.acting("u-1", "writer")
                for mapping in plant_mappings(self.world, batch.number):
                    if f"train{batch.train}" in mapping.source:
                        confirm_mapping(self.cast.cmo, mapping, person)
                self.follower.learn()


def _run_plant(cast: Cast, world: World, say: Say) -> Run:
    """Follow the plant to its end; on the way one sponsor's node is switched off for a day."""
    sources = cast.folder / "sources"
    sources.mkdir()
    person = cast.cmo.acting("u-1", "writer")
    follower = Follower(cast.cmo, [sources / name for name in SOURCES], person, shares=True)
    run = Run(cast=cast, world=world, follower=follower, sources=sources, say=say)
    clock = cast.cmo.clock
    days = (world.end - world.start).total_seconds() / 86_400
    say(
        f"The plant runs: two reactors, {len(world.batches)} batches, {days:.1f} days at "
        f"{SPEED:,.0f} times the speed of life. Its files grow, and are followed as they grow."
    )
    cut = Cut(cast=cast, sponsor=cast.sponsors[0], world=world, say=say)
    told = world.start
    while (moment := datetime.fromisoformat(clock.now())) < world.end:
        cut.consider(moment)
        run.look(moment)
        if moment - told > timedelta(days=1):
            told = moment
            _tell_day(cast, world, moment, run)
        time.sleep(_TURN_S)  # noqa: TID251 - a follower looks every so often
    cut.heal()
    run.look(world.end)
    run.follower.seal(is_end=True)
    run.look(world.end)
    for home in (cast.cmo, *cast.sponsors):
        _wait(functools.partial(_has_no_backlog, home), f"receipts for {home.path.name}")
    say(
        f"The plant has stopped: {run.points:,} points taken in, {run.sealed} stretches sealed, "
        f"{run.posted:,} entries posted, received and countersigned."
    )
    return run


def _tell_day(cast: Cast, world: World, moment: datetime, run: Run) -> None:
    """What a sponsor sees at this moment of a batch that runs."""
    for sponsor, product in zip(cast.sponsors, PRODUCTS, strict=True):
        if sponsor.path.name not in cast.processes:
            continue
        for batch in world.batches:
            runs = batch.anchor_at <= moment.timestamp() < batch.end_at
            if batch.product.code == product and runs and (line := _newest(sponsor, batch.number)):
                run.say(f"  {moment:%d %B %H:%M} {sponsor.settings.name} sees {line}")


def _newest(sponsor: Home, batch: str) -> str:
    try:
        lines = {f"{item.code} {item.role}": item for item in read_lines(sponsor, batch)}
    except InputError:
        return ""
    shown = [
        f"{name} {lines[key].newest} {lines[key].unit.strip('[]')}"
        for name, key in (("pH", "PH PV"), ("DO", "DO PV"), ("temperature", "TEMP PV"))
        if key in lines
    ]
    points = sum(item.points for item in lines.values())
    return f"{batch}: {', '.join(shown)}; {points:,} points" if shown else ""


@dataclass(slots=True, kw_only=True)
class Cut:
    """One sponsor's node is switched off for a day of the plant's time."""

    cast: Cast
    sponsor: Home
    world: World
    say: Say
    is_down: bool = False
    is_over: bool = False

    def consider(self, moment: datetime) -> None:
        """Cut the link, or heal it, when it is time."""
        from_ = self.world.start + timedelta(hours=30)
        if not self.is_down and not self.is_over and moment >= from_:
            self.cast.stop(self.sponsor)
            self.is_down = True
            self.say(f"  {moment:%d %B %H:%M} {self.sponsor.settings.name}'s node is switched off.")
        elif self.is_down and moment >= from_ + timedelta(hours=24):
            self.heal()

    def heal(self) -> None:
        """Switch the node on again."""
        if not self.is_down:
            return
        self.is_down, self.is_over = False, True
        waiting = {item.partner: item.backlog for item in read_status(self.cast.cmo).agreements}
        count = waiting.get(self.sponsor.settings.name, 0)
        self.cast.serve(self.sponsor)
        moment = datetime.fromisoformat(self.cast.cmo.clock.now())
        self.say(
            f"  {moment:%d %B %H:%M} {self.sponsor.settings.name} is back; "
            f"{count:,} entries had waited."
        )


# ---- what each now knows


def _tell(cast: Cast, world: World, run: Run, say: Say) -> bool:
    rows: list[FindingRow] = [row for row in read_findings(cast.cmo) if not row.agreement]
    rows += name_findings(cast.cmo, run.disputes)
    good = True
    for sponsor, product in zip(cast.sponsors, PRODUCTS, strict=True):
        found = read_findings(sponsor)
        rows += found
        good &= _tell_sponsor(sponsor, world, product, found, say)
    good &= _tell_labels(world, rows, say)
    say("")
    for home in (cast.cmo, *cast.sponsors):
        wrong = verify_home(home).wrong
        good &= not wrong
        say(f"verify {home.path.name}: {'everything holds' if not wrong else '; '.join(wrong)}")
    return good


def _tell_sponsor(
    sponsor: Home, world: World, product: str, found: Sequence[FindingRow], say: Say
) -> bool:
    own = [batch for batch in world.batches if batch.product.code == product]
    others = [batch for batch in world.batches if batch.product.code != product]
    say("")
    say(
        f"{sponsor.settings.name} knows {len(read_batches(sponsor))} batches of "
        f"{own[0].product.name}, {len(read_results(sponsor))} results, and of each batch a series:"
    )
    for batch in own:
        for line in read_lines(sponsor, batch.number):
            if (line.code, line.role) in {("PH", "PV"), ("DO", "PV"), ("TEMP", "PV")}:
                say(
                    f"  {batch.sponsor_number} {line.code:5} {line.drawn:40} "
                    f"{line.least} to {line.greatest} {line.unit.strip('[]')}"
                )
    for rule, count in sorted(Counter(item.finding.rule for item in found).items()):
        first = next(item for item in found if item.finding.rule == rule)
        say(f"  {count} × {first.render()}  [{rule}]")
    canaries = [others[0].product.code, *(batch.number for batch in others)]
    seen = [text for text in canaries if _holds(sponsor.path, text)]
    say(
        f"  Of the other sponsor ({', '.join(canaries)}): {', '.join(seen) or 'nothing, anywhere'}."
    )
    return not seen


def _tell_labels(world: World, rows: Sequence[FindingRow], say: Say) -> bool:
    """The plant's own list of what went wrong, held against what was found."""
    reckoning = reckon_labels(world.labels, rows)
    faults = {label.id: label for label in world.labels if label.fault}
    say("")
    say("The plant's answers, which no node has read:")
    for name, label in faults.items():
        say(f"  fault {label.fault} in {label.batch}: {label.shows}")
        for what, rules in (
            ("found", reckoning.found),
            ("missed", reckoning.missed),
            ("not yet", reckoning.not_yet),
        ):
            if name in rules:
                say(f"    {what}: {', '.join(rules[name])}")
    alike = len(reckoning.silent) + len(reckoning.false)
    say(f"  {len(reckoning.silent)} of {alike} look-alikes stayed silent.")
    for name, texts in reckoning.false.items():
        say(f"    {name}: {texts[0]}")
    for row in reckoning.unlabelled:
        say(f"  found without a label: {row.render()} [{row.finding.rule}]")
    return len(reckoning.found) == len(faults)


def _holds(folder: Path, text: str) -> bool:
    """Whether a text stands anywhere in a home, databases and all."""
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _look_further(place: Path, world: World, say: Say) -> None:
    say("")
    say("Look further (the homes are left as they are):")
    command = f"{Path(sys.executable).parent}/fedbatch"
    batch = world.batches[-1]
    for line in (
        f"batches --home {place}/sponsor-1",
        f"series {batch.sponsor_number} --home {place}/sponsor-1",
        f"series {batch.number} DO --home {place}/sponsor-1",
        f"results {batch.sponsor_number} --home {place}/sponsor-1",
        f"provenance {batch.number} GLC --home {place}/cmo",
        f"findings --home {place}/sponsor-2",
        f"status --home {place}/cmo",
        f"verify --home {place}/sponsor-2",
    ):
        say(f"  {command} {line}", is_command=True)


def run(folder: Path | None, say: Say) -> int:
    """Play the story, and say in one sentence what went wrong if it does."""
    try:
        return play(folder, say)
    except FedbatchError as error:
        say(f"The demo stopped: {error}")
        return 1
