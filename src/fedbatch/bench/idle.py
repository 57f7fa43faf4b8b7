"""P12: what a node of a network costs while nothing happens."""

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
from msgspec.structs import replace

from fedbatch.bench.figures import Figure, free_port, is_listening, memory_mib
from fedbatch.bench.pairs import terms
from fedbatch.node.home import Home, create_home
from fedbatch.peers.dialer import call_pairing
from fedbatch.services import pairing

__all__ = ["measure_idle"]

PARTNERS, AGREEMENTS_EACH = 50, 4
_SETTLE_S, _WATCH_S = 10.0, 40.0
_WAIT_S_MAX = 600.0
# Every partner's node in one process, which is not measured.
_SERVE_ALL = """
import sys
import anyio
from pathlib import Path
from fedbatch.node.home import Home
from fedbatch.node.server import serve

async def main():
    async with anyio.create_task_group() as group:
        for path in sys.argv[1:]:
            group.start_soon(serve, Home(Path(path)), lambda: None)

anyio.run(main)
"""


def measure_idle(folder: Path) -> list[Figure]:
    """P12: a node of 50 partners and 200 agreements while nothing happens."""
    base = folder / "idle"
    base.mkdir()
    hub = _home(base / "hub", "Hub", listens=True)
    partners = [
        _home(base / f"p{number}", f"P{number}", listens=bool(number % 2))
        for number in range(PARTNERS)
    ]
    every = [sys.executable, "-c", _SERVE_ALL, *(str(item.path) for item in partners)]
    serve = [sys.executable, "-m", "fedbatch", "serve", "--home", str(hub.path)]
    try:
        with _running(every, partners), _running(serve, [hub]) as process:
            _pair_all(hub, partners)
            _agree_all(hub, partners)
            time.sleep(_SETTLE_S)  # noqa: TID251 - what was under way ends
            began, busy = time.monotonic(), _cpu_s(process.pid)
            time.sleep(_WATCH_S)  # noqa: TID251 - watches a real process
            share = (_cpu_s(process.pid) - busy) / (time.monotonic() - began)
            memory = memory_mib(process.pid, "VmRSS") or float("nan")
    finally:
        for home in (hub, *partners):
            home.close()
    what = f"a node of {PARTNERS} partners and {PARTNERS * AGREEMENTS_EACH} agreements, idle"
    return [
        Figure(
            id="P12-memory",
            what=f"memory of {what}",
            value=memory,
            unit="MB",
            bar="≤ 300",
            reached=memory <= 300,  # noqa: PLR2004 - the bar
            comparison="partners whom it dials; the others dial it",
            compared=float(sum(bool(item.settings.listen) for item in partners)),
        ),
        Figure(
            id="P12-cpu",
            what=f"share of a core that {what}, needs over {_WATCH_S:.0f} s",
            value=100 * share,
            unit="%",
            bar="≤ 2",
            reached=share <= 0.02,  # noqa: PLR2004 - the bar
            comparison="long polls under way",
            compared=float(PARTNERS),
        ),
    ]


def _home(path: Path, name: str, *, listens: bool) -> Home:
    place = f"127.0.0.1:{free_port()}" if listens else ""
    address = f"http://{place}" if listens else ""
    return create_home(path, name=name, person="A", listen=place, address=address)


@contextmanager
def _running(command: list[str], homes: Sequence[Home]) -> "Iterator[subprocess.Popen[bytes]]":
    """A process until the block ends, once each of the homes that listen can be dialled."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        for place in (home.settings.listen for home in homes if home.settings.listen):
            _wait(functools.partial(is_listening, place), place)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _WAIT_S_MAX
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)  # noqa: TID251 - waits for real processes


def _pair_all(hub: Home, partners: Sequence[Home]) -> None:
    for number, partner in enumerate(partners):
        inviter, invited = (partner, hub) if partner.settings.listen else (hub, partner)
        content = pairing.invite(inviter.pairing, "u-1", f"{number:032x}", "")
        invitation = pairing.read_invitation(content, invited.clock.seconds())
        answer = pairing.answer_invitation(invited.pairing, invitation)
        reply = anyio.run(call_pairing, invitation.address, "", answer)
        found = pairing.take_answer(invited.pairing, invitation, reply, "", "u-1")
        pairing.confirm(invited.pairing, found, "u-1")
        pairing.confirm(inviter.pairing, inviter.partner_named(invited.settings.party), "u-1")


def _agree_all(hub: Home, partners: Sequence[Home]) -> None:
    for number, partner in enumerate(partners):
        for count in range(AGREEMENTS_EACH):
            body = replace(terms(hub, partner), id=f"ag-{number}-{count}")
            hub.exchange.propose(partner.settings.party, body, "u-1")
    for number, partner in enumerate(partners):
        for count in range(AGREEMENTS_EACH):
            agreement = f"ag-{number}-{count}"
            _wait(functools.partial(_is_offered, partner, agreement), f"the proposal {agreement}")
            officer = partner.officer(partner.acting(None, ""), "agreement officer")
            partner.exchange.accept(agreement, officer)
    for number in range(PARTNERS):
        for count in range(AGREEMENTS_EACH):
            agreement = f"ag-{number}-{count}"
            _wait(functools.partial(_is_active, hub, agreement), agreement)


def _is_offered(home: Home, agreement: str) -> bool:
    known = any(item.agreement == agreement for item in home.node.agreements())
    return known and home.ledgers(agreement).setting("offer_received") is not None


def _is_active(home: Home, agreement: str) -> bool:
    return home.standing(agreement).state == "active"


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
