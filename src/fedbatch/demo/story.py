"""The story that `make demo` plays: three nodes as three processes, a cut link, a correction."""

import functools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from fedbatch.demo.tables import (
    MAPPING,
    PROCESS_MAPPING,
    Product,
    laboratory_table,
    process_table,
)
from fedbatch.errors import FedbatchError, PeerError
from fedbatch.node.findings import read_findings
from fedbatch.node.home import Home, create_home
from fedbatch.node.importing import confirm_mapping, import_file
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.overview import read_batches, read_status
from fedbatch.node.posting import share
from fedbatch.node.reading import read_results
from fedbatch.node.verifying import verify_home
from fedbatch.peers.dialer import call_pairing
from fedbatch.services import pairing
from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedParty,
    AgreedProduct,
    AgreedSite,
    AgreedSpecification,
    AgreedTest,
    AgreementBody,
    Effective,
    Limit,
    Right,
)
from fedbatch.standard.records import Criterion
from fedbatch.standard.values import Identifier

__all__ = ["play"]

Say = Callable[[str], None]
ALPINE = Product(code="T-100", name="Alpinol 20 mg", batches=24, first=2001)
BOREAL = Product(code="T-200", name="Borealin 5 mg", batches=16, first=3001)
_TYPES = ("product", "batch", "lot", "transformation", "result", "finding")
_PATIENCE_S = 20.0


@dataclass(slots=True, kw_only=True)
class Cast:
    """The three homes of the story, and the processes that serve them."""

    folder: Path
    cmo: Home
    alpine: Home
    boreal: Home
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
    homes = [create_home(folder / "cmo", name="Example CMO", person="Ana", listen="", address="")]
    for name, title in (("alpine", "Alpine Pharma"), ("boreal", "Boreal Bio")):
        place = f"127.0.0.1:{_free_port()}"
        homes.append(
            create_home(
                folder / name, name=title, person="Sam", listen=place, address=f"http://{place}"
            )
        )
    cast = Cast(folder=folder, cmo=homes[0], alpine=homes[1], boreal=homes[2], processes={})
    try:
        yield cast
    finally:
        for process in cast.processes.values():
            process.terminate()
        for process in cast.processes.values():
            process.wait(timeout=10)
        for home in homes:
            home.close()


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
    with _stage(place) as cast:
        say("Three nodes, each a process of its own: a CMO, and two sponsors that must not meet.")
        _pair_and_agree(cast, say)
        _first_import(cast, say)
        _cut_and_heal(cast, say)
        good = _tell(cast, say)
    say(f"Played in {time.monotonic() - began:.1f} s.")
    _look_further(place, say)
    return 0 if good else 1


# ---- act one: strangers become partners


def _pair_and_agree(cast: Cast, say: Say) -> None:
    for sponsor in (cast.alpine, cast.boreal):
        cast.serve(sponsor)
        _pair(cast.cmo, sponsor)
    cast.serve(cast.cmo)
    for sponsor, product in ((cast.alpine, ALPINE), (cast.boreal, BOREAL)):
        body = _agreement(cast.cmo, sponsor, product)
        cast.cmo.exchange.propose(sponsor.settings.party, body, "u-1")
        _wait(functools.partial(_is_proposed, sponsor, body.id), "the proposal")
        officer = sponsor.officer(sponsor.acting("u-1", "agreement officer"), "agreement officer")
        sponsor.exchange.accept(body.id, officer)
        _wait(functools.partial(_is_active, cast.cmo, body.id), "the agreement")
    say("Keys pinned on all sides; two data agreements proposed, signed and countersigned.")


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


def _agreement(cmo: Home, sponsor: Home, product: Product) -> AgreementBody:
    """What the two agree on: codes of the sponsor's own, limits, one specification, rights."""
    prefix = product.name[:3].upper()
    system = f"urn:fedbatch:party:{cmo.settings.party}:product"
    low_high = (Limit(kind="action", low="70", high="115"),)
    parameters = (
        _parameter(f"{prefix}-HARD-MIN", "tablet.hardness", "N", "least"),
        _parameter(f"{prefix}-HARD", "tablet.hardness", "N", "mean", limits=low_high),
        _parameter(f"{prefix}-HARD-MAX", "tablet.hardness", "N", "greatest"),
        _parameter(f"{prefix}-ASSAY", "assay", "%{LC}", None),
        _parameter(f"{prefix}-DISS", "dissolution", "%", "mean"),
        _parameter(f"{prefix}-IMP-A", "impurity.named", "%", "A"),
    )
    tests = (
        AgreedTest(
            test="Assay",
            code=f"{prefix}-ASSAY",
            criteria=(Criterion(low="95.0", high="105.0"),),
        ),
        AgreedTest(test="Impurity A", code=f"{prefix}-IMP-A", criteria=(Criterion(high="0.10"),)),
    )
    return AgreementBody(
        id=f"ag-{sponsor.path.name}",
        version=1,
        parties=(
            AgreedParty(party=cmo.settings.party, role="CMO", name=cmo.settings.name),
            AgreedParty(party=sponsor.settings.party, role="sponsor", name=sponsor.settings.name),
        ),
        product=(
            AgreedProduct(
                id=prefix,
                name=product.name,
                identifiers=(Identifier(system=system, value=product.code),),
            ),
        ),
        sites=(AgreedSite(site="plant 1", zone="Europe/Zurich"),),
        purpose="pilot",
        effective=Effective(from_="2026-01-01T00:00:00Z"),
        parameters=parameters,
        specifications=(
            AgreedSpecification(specification=f"{prefix}-release", product=prefix, tests=tests),
        ),
        rights=tuple(Right(record_type=item) for item in _TYPES),
    )


def _parameter(
    code: str, term: str, unit: str, qualifier: str | None, limits: tuple[Limit, ...] = ()
) -> AgreedParameter:
    return AgreedParameter(
        code=code,
        term=term,
        unit=unit,
        qualifier=qualifier,
        role="result",
        class_="CQA",
        limits=limits,
    )


# ---- act two: files in, once for everybody


def _first_import(cast: Cast, say: Say) -> None:
    cmo = cast.cmo
    person = cmo.acting("u-1", "writer")
    for name, text in (("laboratory", MAPPING), ("press", PROCESS_MAPPING)):
        path = cast.folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        confirm_mapping(cmo, read_mapping(path), person)
    products = [ALPINE, BOREAL]
    for name, content in (
        ("laboratory.csv", laboratory_table(products)),
        ("press.csv", process_table(products)),
    ):
        path = cast.folder / name
        path.write_bytes(content)
        for report in import_file(cmo, path, person):
            say(
                f"{report.file}: {report.cells} cells, {report.new} records, "
                f"{report.held_back} held back."
            )
            for finding in report.findings:
                if finding.severity <= 2:  # noqa: PLR2004 - what a person must look at
                    say(f"  {finding.render()}")
    _share_all(cast)
    for sponsor in (cast.alpine, cast.boreal):
        share(sponsor, sponsor.agreement_named(None), sponsor.acting("u-1", ""), dry_run=False)
    _wait_equal(cast)
    say("Shared with each sponsor exactly what its agreement allows, received and countersigned.")


def _share_all(cast: Cast) -> None:
    person = cast.cmo.acting("u-1", "writer")
    for known in cast.cmo.node.agreements():
        share(cast.cmo, known, person, dry_run=False)


def _wait_equal(cast: Cast) -> None:
    for home in (cast.cmo, cast.alpine, cast.boreal):
        _wait(functools.partial(_has_no_backlog, home), f"receipts for {home.path.name}")


# ---- act three: the link is cut, a value is corrected, the link heals


def _cut_and_heal(cast: Cast, say: Say) -> None:
    cast.stop(cast.alpine)
    say("Alpine's node is switched off. Meanwhile the laboratory sends its file again, corrected.")
    path = cast.folder / "laboratory.csv"
    path.write_bytes(laboratory_table([ALPINE, BOREAL], corrected=True))
    person = cast.cmo.acting("u-1", "writer")
    for report in import_file(cast.cmo, path, person):
        say(
            f"{report.file}: {report.corrected} corrected, {report.unchanged} unchanged, "
            f"{report.new} new."
        )
    _share_all(cast)
    waiting = [item for item in read_status(cast.cmo).agreements if item.backlog]
    for item in waiting:
        say(f"Waiting for {item.partner}: {item.backlog} entries sent, not yet countersigned.")
    cast.serve(cast.alpine)
    _wait_equal(cast)
    say("Alpine is back; nothing was lost, nothing came twice.")


# ---- what each now knows


def _tell(cast: Cast, say: Say) -> bool:
    good = True
    for sponsor, product, other in (
        (cast.alpine, ALPINE, BOREAL),
        (cast.boreal, BOREAL, ALPINE),
    ):
        good &= _tell_sponsor(sponsor, product, other, say)
    for home in (cast.cmo, cast.alpine, cast.boreal):
        wrong = verify_home(home).wrong
        good &= not wrong
        say(f"verify {home.path.name}: {'everything holds' if not wrong else '; '.join(wrong)}")
    return good


def _tell_sponsor(sponsor: Home, product: Product, other: Product, say: Say) -> bool:
    say("")
    batches, results = read_batches(sponsor), read_results(sponsor)
    say(
        f"{sponsor.settings.name} knows {len(batches)} batches of {product.name} and "
        f"{len(results)} results, each with its commitment to file and cell."
    )
    findings = read_findings(sponsor)
    for rule, count in sorted(Counter(item.finding.rule for item in findings).items()):
        first = next(item.finding for item in findings if item.finding.rule == rule)
        say(f"  {count} × {first.render()}  [{rule}]")
    canaries = (other.name, other.code, f"B{other.first}")
    seen = [text for text in canaries if _holds(sponsor.path, text)]
    say(
        f"  Of the other sponsor ({', '.join(canaries)}): {', '.join(seen) or 'nothing, anywhere'}."
    )
    return len(batches) == product.batches and not seen


def _holds(folder: Path, text: str) -> bool:
    """Whether a text stands anywhere in a home, databases and all."""
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _look_further(place: Path, say: Say) -> None:
    say("")
    say("Look further (the homes are left as they are):")
    command = f"{Path(sys.executable).parent}/fedbatch"
    for line in (
        f"batches --home {place}/alpine",
        f"results B2008 --home {place}/alpine",
        f"provenance B2008 ALP-ASSAY --home {place}/cmo",
        f"findings --home {place}/alpine",
        f"journal held --home {place}/cmo",
        f"status --home {place}/cmo",
        f"verify --home {place}/boreal",
    ):
        say(f"  {command} {line}")


def run(folder: Path | None, say: Say) -> int:
    """Play the story, and say in one sentence what went wrong if it does."""
    try:
        return play(folder, say)
    except FedbatchError as error:
        say(f"The demo stopped: {error}")
        return 1
