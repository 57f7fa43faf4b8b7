"""T1 and T5: a partner that is not there, for a month or for a while, and comes back silently."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from fedbatch.errors import FedbatchError
from fedbatch.node.overview import read_status
from fedbatch.node.server import dialer_for
from fedbatch.peers.dialer import BACK_OFF_S_MAX, Moved, back_off_s, keep_linked
from tests.fakes.virtual import VirtualLoop
from tests.scenarios.making import AGREED, Link, are_equal, linked, row

DAY_S = 86_400.0


@pytest.fixture(params=[False, True], ids=["the absent one listens", "the absent one dials"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=request.param) as one:
        yield one


def keep(
    made: Link,
    for_s: float,
    heard: Callable[[Moved | FedbatchError], None],
    at: tuple[tuple[float, Callable[[], None]], ...] = (),
) -> None:
    """Keep the real link for so long in virtual time; at some seconds something happens."""

    async def run(call: Callable[[], Any]) -> Any:
        return call()

    async def report(outcome: Moved | FedbatchError) -> None:
        heard(outcome)

    async def go() -> None:
        partner = made.dialer.home.partner_named(made.listener.party)
        dialer = dialer_for(made.dialer.home, partner, run)
        dialer.transport = made.network
        async with anyio.create_task_group() as group:
            group.start_soon(keep_linked, dialer, report)
            passed = 0.0
            for second, act in at:
                await anyio.sleep(second - passed)
                passed = second
                act()
            await anyio.sleep(for_s - passed)
            group.cancel_scope.cancel()
        await dialer.close()

    clock = made.world.clock
    anyio.run(
        go, backend_options={"loop_factory": lambda: VirtualLoop(lambda s: clock.move(seconds=s))}
    )


def backlog(made: Link) -> int:
    return read_status(made.cmo.home).agreements[0].backlog


def absent(made: Link, days: int) -> None:
    """The partner is away for so many days; what the CMO shares waits and is shown."""
    made.network.is_up = False
    made.take([row("B1"), row("B2")])
    shared = made.cmo.share(AGREED).posted
    before = backlog(made)
    assert before == shared
    attempts: list[FedbatchError | Moved] = []
    keep(made, days * DAY_S, attempts.append)
    assert all(isinstance(item, FedbatchError) for item in attempts)
    if made.dialer is made.cmo:
        assert DAY_S / BACK_OFF_S_MAX / 2 * days < len(attempts) <= 3_000 * days
    assert backlog(made) == before
    assert any(
        "not yet countersigned" in text for text in read_status(made.cmo.home).agreements[0].waits
    )


def returns(made: Link) -> None:
    """Within 60 virtual seconds of its return everything is there and countersigned."""

    def back() -> None:
        made.network.is_up = True

    keep(made, 61.0, lambda _: None, at=((1.0, back),))
    assert are_equal(made)
    assert backlog(made) == 0


def test_partner_absent_is_tried_at_most_3000_times_a_day_and_loses_nothing(made: Link) -> None:
    absent(made, 1)
    made.world.clock.move(days=29)
    returns(made)


@pytest.mark.long
def test_partner_absent_for_thirty_days_from_first_start_loses_nothing(made: Link) -> None:
    absent(made, 30)
    returns(made)


def test_silence_after_an_outage_still_ends_in_equal_roots(made: Link) -> None:
    """T5: nobody sends anything after the cut has healed."""
    made.deliver([row("B1")])

    def cut() -> None:
        made.network.is_up = False

    def share() -> None:
        made.take([row("B1"), row("B2")])
        made.cmo.share(AGREED)

    def heal() -> None:
        made.network.is_up = True

    outcomes: list[Moved | FedbatchError] = []
    keep(made, 600.0, outcomes.append, at=((5.0, cut), (10.0, share), (539.0, heal)))
    assert any(isinstance(item, FedbatchError) for item in outcomes)
    assert are_equal(made)
    assert backlog(made) == 0


def test_link_that_is_never_healed_does_not_end_in_equal_roots(made: Link) -> None:
    """The control for the two above."""
    made.network.is_up = False
    made.take([row("B1")])
    made.cmo.share(AGREED)
    keep(made, 600.0, lambda _: None)
    assert not are_equal(made)


def test_entry_shared_on_an_idle_link_crosses_within_a_second_or_two(made: Link) -> None:
    def share() -> None:
        made.take([row("B1")])
        made.cmo.share(AGREED)

    equal: list[bool] = []
    keep(
        made,
        62.0,
        lambda _: None,
        at=((57.0, share), (60.0, lambda: equal.append(are_equal(made)))),
    )
    assert equal == [True]


def test_back_off_doubles_to_half_a_minute_and_stays() -> None:
    assert [back_off_s(failures, 0.5) for failures in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert back_off_s(10_000, 0.0) == BACK_OFF_S_MAX * 0.5
    assert back_off_s(10_000, 1.0) == BACK_OFF_S_MAX * 1.5
