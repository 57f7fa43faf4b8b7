"""Long polls wake by what another process writes, and by nothing else."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from fedbatch.node.home import Home
from fedbatch.peers.stirring import Stirring
from tests.scenarios.making import AGREED, Link, linked, row, second_person


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path) as one:
        one.deliver([row("B1")])
        yield one


@pytest.fixture
def watching(made: Link) -> Iterator[Home]:
    """The same home, as a process beside sees it."""
    home = Home(made.cmo.home.path)
    yield home
    home.close()


def woken(stirring: Stirring, names: tuple[str, ...], act: object, *, runs: bool) -> bool:
    """Whether a waiter wakes within half a second of the act."""

    async def wait() -> bool:
        known = stirring.marks(names)
        async with anyio.create_task_group() as group:
            if runs:
                group.start_soon(stirring.run)
                await anyio.lowlevel.checkpoint()
            act()  # type: ignore[operator]
            with anyio.move_on_after(0.5) as patience:
                await stirring.changed(known)
            group.cancel_scope.cancel()
        return not patience.cancelled_caught

    return anyio.run(wait)


@pytest.mark.parametrize("runs", [True, False], ids=["one for all", "each for itself"])
def test_what_another_process_writes_wakes_and_nothing_else_does(
    made: Link, watching: Home, *, runs: bool
) -> None:
    stirring = Stirring(mark=watching.mark)
    home = made.cmo.home

    def is_woken(act: object, *names: str) -> bool:
        return woken(stirring, names, act, runs=runs)

    made.take([row("B1"), row("B2")])
    assert is_woken(lambda: made.cmo.share(AGREED), "", AGREED)
    assert is_woken(lambda: second_person(made.cmo), "", AGREED)
    assert not is_woken(lambda: None, "", AGREED)
    # Opening, reading and closing, and what comes with every request, are no news.
    assert not is_woken(lambda: home.ledgers(AGREED).verify(), "", AGREED)
    assert not is_woken(lambda: home.close_agreement(AGREED), "")
    assert not is_woken(lambda: home.node.burn_nonce("n-1", 5, 600), "", AGREED)
    assert not is_woken(lambda: home.node.keep_link("p", {"failures": 0}), "", AGREED)
    made.take([row("B1"), row("B2"), row("B3")])
    assert not is_woken(lambda: made.cmo.share(AGREED), "")  # another's name is not watched


def test_opening_and_closing_leaves_the_mark(made: Link, watching: Home) -> None:
    made.cmo.home.close_agreement(AGREED)
    first = watching.mark(AGREED)
    for _ in range(2):
        made.cmo.home.ledgers(AGREED).ledgers()
        assert watching.mark(AGREED) == first
        made.cmo.home.close_agreement(AGREED)
        assert watching.mark(AGREED) == first


def test_nobody_waits_once_it_is_over(watching: Home) -> None:
    over = False
    stirring = Stirring(mark=watching.mark, is_over=lambda: over)

    def end() -> None:
        nonlocal over
        over = True

    for runs in (True, False):
        over = False
        assert woken(stirring, ("",), end, runs=runs)


def test_what_is_kept_is_read_anew_after_a_change(made: Link) -> None:
    exchange = made.cmo.home.exchange
    before = exchange.overview(made.sponsor.party)
    assert exchange.overview(made.sponsor.party) == before
    made.take([row("B1"), row("B2")])
    made.cmo.share(AGREED)
    after = exchange.overview(made.sponsor.party)
    assert after.agreements[0].size > before.agreements[0].size
    # Control: with a mark that never changes the old state is told.
    stale = made.cmo.home.exchange
    stale.mark = lambda _name: "always"
    stale.told.clear()
    told = stale.overview(made.sponsor.party)
    made.take([row("B1"), row("B2"), row("B3")])
    made.cmo.share(AGREED)
    assert stale.overview(made.sponsor.party) == told
