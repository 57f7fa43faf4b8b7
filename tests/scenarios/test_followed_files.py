"""Files that are followed and do not only grow: nothing of them is left out, and it is said."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.errors import InputError
from fedbatch.node.following import Follower, Turn
from fedbatch.node.importing import confirm_mapping, load_mappings
from fedbatch.node.tracing import read_series_provenance
from fedbatch.ports import JournalStore
from fedbatch.services.live import points_since
from fedbatch.standard.findings import Finding
from tests.scenarios.making import AGREED, Link, linked
from tests.scenarios.test_series import HEADERS, RIGHTS, line, press_file, speeds
from tests.scenarios.test_series_bad import live


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as one:
        yield one


def write(path: Path, *lines: str, header: str = HEADERS) -> None:
    path.write_text("\n".join([header, *lines, ""]))


def rules(turn: Turn) -> list[str]:
    return [item.rule for report in turn.reports for item in report.findings]


def numbers(made: Link) -> list[int]:
    made.settle()
    return [number for _, number in speeds(made)]


def test_a_file_in_the_place_of_the_one_that_was_followed_is_read_from_its_start(
    made: Link,
) -> None:
    follower, path = live(made)
    assert follower.turn().points == 12
    path.unlink()
    write(path, *(line(f"07:00:{at}0", speed=f"{at}.0") for at in (1, 2, 3)))
    turn = follower.turn()
    assert (turn.points, turn.refused, rules(turn)) == (36, {}, ["file.replaced"])
    assert numbers(made) == [1000, 10, 20, 30]
    # Control: what only grows is read on, and no word is said.
    path.write_text(path.read_text() + line("07:00:40", speed="4.0") + "\n")
    turn = follower.turn()
    assert (turn.points, rules(turn)) == (12, [])
    assert numbers(made) == [1000, 10, 20, 30, 40]


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_shorter_file_is_read_from_its_start_once_its_line_is_whole(
    made: Link, restarts: int
) -> None:
    follower, path = live(made)
    path.write_text(path.read_text() + line("06:00:10") + "\n")
    assert follower.turn().points == 24
    write(path)
    assert follower.turn().refused == {}
    if restarts:
        made.restart(made.cmo)
        follower = Follower(made.cmo.home, [path], made.cmo.person, shares=True)
    path.write_text(HEADERS + "\n" + line("06:00:20", speed="7.0")[:30])
    assert follower.turn().points == 0
    write(path, line("06:00:20", speed="7.0"))
    turn = follower.turn()
    assert (turn.points, rules(turn)) == (12, ["file.replaced"])
    assert numbers(made) == [1000, 1000, 70]


def told_entries(journal: JournalStore) -> int:
    return sum(1 for _ in points_since(journal, 0))


def test_points_that_come_again_are_not_told_again(made: Link) -> None:
    """A file written anew with all its rows, and some more at both ends."""
    follower, path = live(made)
    path.write_text(path.read_text() + line("06:00:10", speed="101.5") + "\n")
    assert follower.turn().points == 24
    rows = [line("05:59:50", speed="5.0"), line("06:00:00"), line("06:00:10", speed="101.5")]
    write(path, *rows, line("06:00:20", speed="7.0"))
    turn = follower.turn()
    assert (turn.points, rules(turn)) == (24, ["file.replaced"])
    assert turn.reports[0].points_unchanged == 24
    assert numbers(made) == [50, 1000, 1015, 70]
    before = told_entries(made.cmo.home.journal)
    path.unlink()
    write(path, *rows[::-1])
    assert follower.turn().points == 0
    assert told_entries(made.cmo.home.journal) == before


def test_points_that_are_sealed_are_not_told_again_either(made: Link) -> None:
    follower, path = live(made)
    follower.turn()
    assert follower.seal(is_end=True) == 1
    rows = path.read_text().splitlines()[1:]
    again = made.world.folder / "tables" / "again.csv"
    write(again, *rows, line("06:00:10", speed="7.0"))
    follower.paths = [again]
    turn = follower.turn()
    assert (turn.points, rules(turn)) == (12, [])
    assert numbers(made) == [1000, 70]


def findings_of(turn: Turn, rule: str) -> list[Finding]:
    return [item for report in turn.reports for item in report.findings if item.rule == rule]


def test_another_live_value_of_a_time_is_a_conflict_and_both_are_kept(made: Link) -> None:
    follower, path = live(made)
    follower.turn()
    other = made.world.folder / "tables" / "other.csv"
    write(other, line("06:00:00", speed="99.5"))
    follower.paths = [path, other]
    turn = follower.turn()
    assert turn.points == 1
    (conflict,) = findings_of(turn, "series.conflict")
    assert "99.5 instead of 100.0 at 2026-02-01T05:00:00Z" in conflict.found
    assert "tbl_speed" in conflict.where.path
    assert sorted(numbers(made)) == [995, 1000]


def test_a_live_value_after_a_file_that_says_otherwise_is_a_conflict(made: Link) -> None:
    (mapping,) = load_mappings(made.cmo.home)
    made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10")))
    changed = msgspec.structs.replace(mapping, precedence="live")
    confirm_mapping(made.cmo.home, changed, made.cmo.person)
    path = press_file(made, line("06:00:00"), line("06:00:10", speed="1.5"), name="live.csv")
    turn = Follower(made.cmo.home, [path], made.cmo.person, shares=True).turn()
    assert (turn.points, rules(turn)) == (1, ["series.conflict"])


def test_a_file_after_live_points_that_say_otherwise_corrects_nothing(made: Link) -> None:
    """STANDARD S40: equal points are no-ops, others are told beside the live ones."""
    (mapping,) = load_mappings(made.cmo.home)
    changed = msgspec.structs.replace(mapping, precedence="live")
    confirm_mapping(made.cmo.home, changed, made.cmo.person)
    path = press_file(made, line("06:00:00"), line("06:00:10", speed="101.5"), name="live.csv")
    follower = Follower(made.cmo.home, [path], made.cmo.person, shares=True)
    follower.turn()
    follower.seal(is_end=True)
    confirm_mapping(made.cmo.home, mapping, made.cmo.person)
    report = made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10", speed="101.0")))
    assert (report.points, report.points_corrected, report.points_unchanged) == (1, 0, 23)
    assert "series.conflict" in {item.rule for item in report.findings}
    made.cmo.share(AGREED)
    assert numbers(made) == [1000, 1015]


def test_another_header_is_read_under_its_mapping_or_refused(made: Link) -> None:
    follower, path = live(made)
    assert follower.turn().points == 12
    path.write_text(path.read_text().replace("tbl_speed", "speed2") + line("06:00:10") + "\n")
    turn = follower.turn()
    assert turn.points == 0
    assert "file.header" in turn.refused["live.csv"]
    (first, *_) = (item for item in load_mappings(made.cmo.home) if item.precedence == "live")
    text = msgspec.json.encode(first).replace(b"tbl_speed", b"speed2")
    other = msgspec.structs.replace(msgspec.json.decode(text, type=type(first)), source="speed-2")
    confirm_mapping(made.cmo.home, other, made.cmo.person)
    follower.learn()
    turn = follower.turn()
    assert (turn.points, turn.refused, rules(turn)) == (24, {}, ["file.replaced"])


def test_a_file_whose_old_header_comes_back_is_read_on(made: Link) -> None:
    follower, path = live(made)
    assert follower.turn().points == 12
    text = path.read_text()
    path.write_text(text.replace("tbl_speed", "speed2"))
    assert "file.header" in follower.turn().refused["live.csv"]
    path.write_text(text + line("06:00:10") + "\n")
    turn = follower.turn()
    assert (turn.points, turn.refused, rules(turn)) == (12, {}, [])


def test_a_file_that_goes_away_is_missed_and_read_on_when_it_is_back(made: Link) -> None:
    follower, path = live(made)
    folder = Follower(made.cmo.home, [path.parent], made.cmo.person, shares=True)
    for one in (follower, folder):
        one.turn()
        text = path.read_text()
        path.unlink()
        assert "file.missing" in one.turn().refused["live.csv"]
        path.write_text(text)
        turn = one.turn()
        assert (turn.points, turn.refused, rules(turn)) == (0, {}, [])


def test_a_clock_a_year_ahead_is_said_once_and_seals_nothing_before_its_time(made: Link) -> None:
    made.world.clock.moment = datetime(2026, 2, 1, 5, 0, 30, tzinfo=UTC)
    follower, path = live(made)
    ahead = line("06:00:10").replace("2026-", "2027-")
    path.write_text(path.read_text() + ahead + "\n")
    turn = follower.turn()
    assert (turn.points, turn.sealed, rules(turn)) == (24, 0, ["clock.skew"])
    path.write_text(path.read_text() + ahead.replace(":10;", ":20;") + "\n")
    assert rules(follower.turn()) == []
    # Once it was right it is said anew.
    path.write_text(path.read_text() + line("06:00:20") + "\n")
    assert rules(follower.turn()) == []
    path.write_text(path.read_text() + ahead.replace(":10;", ":30;") + "\n")
    assert rules(follower.turn()) == ["clock.skew"]
    # Control: what is complete by both clocks is sealed, and what is ahead apart from it.
    made.world.clock.moment = datetime(2026, 2, 1, 6, 2, tzinfo=UTC)
    path.write_text(path.read_text() + line("07:01:30") + "\n")
    assert follower.turn().sealed == 2


def test_live_points_are_led_back_to_their_file_beside_what_a_file_told(made: Link) -> None:
    follower, _ = live(made)
    follower.turn()
    made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10")))
    made.cmo.share(AGREED)
    made.settle()
    (own,) = read_series_provenance(made.cmo.home, "B1", "PRESS.SPEED")
    assert [(one.kind, one.points) for one in own.stretches] == [("segment", 2), ("live", 1)]
    assert own.stretches[1].origins == ["live from source press-live (file live.csv)"]
    (told,) = read_series_provenance(made.sponsor.home, "B1", "PRESS.SPEED")
    assert [(one.kind, one.points) for one in told.stretches] == [("segment", 2), ("live", 1)]
    assert "live.csv" not in str(told)


def test_an_export_that_is_rounded_says_so(made: Link) -> None:
    exact = [line(f"06:00:{at}0", speed=text) for at, text in enumerate(("1.25", "7.5", "3.875"))]
    made.cmo.take(press_file(made, *exact))
    rounded = [line(f"06:00:{at}0", speed=text) for at, text in enumerate(("1.3", "7.5", "3.9"))]
    place = ["--home", str(made.cmo.home.path), "--as", made.cmo.person.person, "--json"]
    path = press_file(made, *rounded)
    told = json.loads(CliRunner().invoke(app, ["import", str(path), *place]).output)
    (report,) = told["imports"]
    assert (report["points"], report["points_corrected"]) == (0, 2)
    assert report["points_unchanged"] == 34
    (found,) = [item for item in report["findings"] if item["rule"] == "series.rounded"]
    assert "2 points rounded to 1 decimal, first 1.3 instead of 1.250" in found["found"]
    # Control: another number is no rounding.
    again = made.cmo.take(press_file(made, line("06:00:00", speed="2.5"), *exact[1:]))
    assert again.points_corrected == 2
    again = made.cmo.take(press_file(made, line("06:00:00", speed="2.9"), *exact[1:]))
    assert "series.rounded" not in {item.rule for item in again.findings}


def test_places_in_a_followed_file_are_those_of_the_file(made: Link) -> None:
    follower, path = live(made)
    follower.turn()
    path.write_text(path.read_text() + line("06:00:10") + "\n\n" + line("06:00:20") + "\n")
    follower.turn()
    wrong = [line("06:00:30"), line("6 o'clock"), line("06:00:40") + ";99"]
    path.write_text(path.read_text() + "\n".join(wrong) + "\n")
    places = [item.where.locator for report in follower.turn().reports for item in report.findings]
    assert sorted(places) == ["R7C1", "R8C17"]
    rows = path.read_text().splitlines()
    assert (rows[6], rows[7]) == (wrong[1], wrong[2])


def test_of_two_mappings_of_growing_files_one_is_to_be_named(made: Link) -> None:
    _, path = live(made)
    (mapping,) = (item for item in load_mappings(made.cmo.home) if item.precedence == "live")
    confirm_mapping(
        made.cmo.home, msgspec.structs.replace(mapping, source="press-2"), made.cmo.person
    )
    follower = Follower(made.cmo.home, [path], made.cmo.person, shares=False)
    refused = follower.turn().refused["live.csv"]
    assert "press-live, press-2" in refused or "press-2, press-live" in refused
    assert "import.which_mapping" in refused
    one = Follower(made.cmo.home, [path], made.cmo.person, shares=False, mapping_name="press-2")
    assert (one.turn().points, one.turn().refused) == (12, {})
    assert made.cmo.home.journal.followed_files("press-2") == [str(path.resolve())]
    with pytest.raises(InputError, match="a confirmed mapping"):
        Follower(made.cmo.home, [path], made.cmo.person, shares=False, mapping_name="none")
