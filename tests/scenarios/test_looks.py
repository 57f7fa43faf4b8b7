"""Sharing at every look: live points alone, and all of the journal where something else changed."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from fedbatch.errors import StoreError
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping, load_mappings
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.posting import WHOLE_EVERY_S
from fedbatch.node.series import point_rows
from fedbatch.services.sharing import Planning, SharePlan
from fedbatch.standard.agreements import Right
from fedbatch.standard.records import Points
from tests.scenarios.making import (
    AGREED,
    Link,
    are_equal,
    linked,
    records_in,
    row,
    write_table,
)
from tests.scenarios.test_alone import OFFICER, alone
from tests.scenarios.test_series import HEADERS, line, speeds
from tests.scenarios.test_series_bad import live
from tests.scenarios.test_windows import MES
from tests.scenarios.world import World

RIGHTS = (Right(record_type="series"), Right(record_type="batch"), Right(record_type="result"))
START = datetime(2026, 2, 1, 5, 0, 30, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press", "small"), rights=RIGHTS) as one:
        one.world.clock.moment = START
        yield one


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The agreements under which all of a journal was looked through, one after another."""
    told: list[str] = []
    run = Planning.run

    def noted(planning: Planning) -> SharePlan:
        told.append(planning.body.id)
        return run(planning)

    monkeypatch.setattr(Planning, "run", noted)
    return told


def grow(path: Path, at: str, batch: str = "B1", speed: str = "100.0") -> None:
    path.write_text(path.read_text() + line(at, batch, speed=speed) + "\n")


def numbers(made: Link) -> list[int]:
    made.settle()
    assert are_equal(made)
    return [number for _, number in speeds(made)]


def test_between_records_live_points_alone_are_looked_at(made: Link, whole: list[str]) -> None:
    follower, path = live(made)
    follower.turn()
    first = len(whole)
    assert first
    for second in range(1, 6):
        grow(path, f"06:00:0{second}", speed=f"{second}.0")
        assert follower.turn().posted == 1
    assert len(whole) == first
    assert numbers(made) == [1000, 10, 20, 30, 40, 50]


def test_a_record_of_another_process_is_shared_at_the_next_look(
    made: Link, whole: list[str]
) -> None:
    follower, path = live(made)
    follower.turn()
    follower.turn()
    before = len(whole)
    assert follower.turn().posted == 0
    assert len(whole) == before
    made.take([row("B2")])
    assert follower.turn().posted > 0
    assert len(whole) == before + 1
    grow(path, "06:00:01")
    assert follower.turn().posted == 1
    assert len(whole) == before + 1


def test_after_a_while_all_of_the_journal_is_looked_through_anyway(
    made: Link, whole: list[str]
) -> None:
    follower, _ = live(made)
    follower.turn()
    follower.turn()
    before = len(whole)
    made.world.clock.moment += timedelta(seconds=WHOLE_EVERY_S - 1)
    follower.turn()
    assert len(whole) == before
    made.world.clock.moment += timedelta(seconds=1)
    follower.turn()
    assert len(whole) == before + 1


HISTORIAN = """
source: hist
version: 1
precedence: live
shape: long
decimal_mark: "."
zone: UTC
time_formats: ["%Y-%m-%d %H:%M:%S"]
rules:
  - {header: Press, field: equipment}
  - {header: Time, field: observed_at}
  - {header: Tag, field: tag}
  - {header: Value, field: value}
  - tag: FORCE
    term: press.force.main
    role: PV
    unit: kN
    series: {model: raw, interval: PT10S}
"""


def forces(made: Link, minutes: int) -> list[str]:
    """The press's force at the sponsor, of a window that is told some minutes after the first point."""
    place = made.world.folder / "hist.yaml"
    place.write_text(HISTORIAN)
    confirm_mapping(made.cmo.home, read_mapping(place), made.cmo.person)
    values, told = made.world.folder / "hist.csv", made.world.folder / "mes.csv"
    values.write_text("Press,Time,Tag,Value\nP-1,2026-02-01 05:00:20,FORCE,4.2\n")
    follower = Follower(made.cmo.home, [values, told], made.cmo.person, shares=True)
    assert follower.turn().points == 1
    made.world.clock.moment += timedelta(minutes=minutes)
    follower.turn()
    write_table(told, [["B1", "T-1", "P-1", "2026-02-01 05:00:00", "2026-02-01 07:00:00"]], MES)
    with values.open("a") as file:
        file.write("P-1,2026-02-01 05:30:00,FORCE,5.5\n")
    follower.turn()
    made.settle()
    return [item.number for item in point_rows(made.sponsor.home, "B1", "PRESS.FORCE.MAIN")]


@pytest.mark.parametrize(("minutes", "expected"), [(1, ["4.2", "5.5"]), (30, ["5.5"])])
def test_a_window_that_is_told_soon_lets_the_points_before_it_cross_live(
    tmp_path: Path, minutes: int, expected: list[str]
) -> None:
    """Later than a quarter of an hour they come with the hour's segment."""
    with linked(tmp_path, mappings=("press", "mes"), rights=RIGHTS) as made:
        made.world.clock.moment = START
        assert forces(made, minutes) == expected
        assert Follower(made.cmo.home, [], made.cmo.person, shares=True).seal(is_end=True)
        made.cmo.share(AGREED)
        made.settle()
        shown = point_rows(made.sponsor.home, "B1", "PRESS.FORCE.MAIN")
        assert [item.number for item in shown] == ["4.2", "5.5"]


def test_a_sponsor_transcribes_what_is_sealed_and_no_live_points_at_any_look(
    tmp_path: Path,
) -> None:
    with closing(World(tmp_path)) as world:
        sponsor = world.node("sponsor", listens=True)
        sponsor.map("press")
        (mapping,) = load_mappings(sponsor.home)
        growing = msgspec.structs.replace(mapping, precedence="live")
        confirm_mapping(sponsor.home, growing, sponsor.person)
        body = alone(sponsor)
        body = msgspec.structs.replace(body, rights=(*body.rights, *RIGHTS))
        sponsor.home.exchange.sign_alone(body, sponsor.home.officer(sponsor.person, OFFICER))
        path = tmp_path / "live.csv"
        path.write_text(f"{HEADERS}\n{line('06:00:00')}\n")
        follower = Follower(sponsor.home, [path], sponsor.person, shares=True)
        assert follower.turn().posted
        for second in range(1, 4):
            grow(path, f"06:00:0{second}")
            turn = follower.turn()
            assert (turn.points, turn.posted) == (12, 0)
        assert follower.seal(is_end=True) == 1
        assert follower.turn().posted == 2
        store = sponsor.home.ledgers(AGREED)
        told = records_in(store, store.ledgers()[0].ledger)
        series = [(type(item).__name__, item.basis) for item in told[-2:]]
        assert series == [("Series", "transcribed"), ("Sealed", "transcribed")]
        assert not [item for item in told if isinstance(item, Points)]


def test_a_run_that_failed_is_done_again_as_a_whole(
    made: Link, whole: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, path = live(made)
    follower.turn()
    made.take([row("B2")])
    with monkeypatch.context() as patched:

        def fail(*_: object, **__: object) -> int:
            raise StoreError("no room", code="store.full")

        patched.setattr("fedbatch.node.posting.post_plan", fail)
        assert "store.full" in str(follower.turn().refused)
    before = len(whole)
    grow(path, "06:00:01")
    assert follower.turn().posted > 1
    assert len(whole) == before + 1
