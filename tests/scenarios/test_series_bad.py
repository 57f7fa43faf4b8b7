"""Bad series: a clear finding or a clear refusal, and nothing that was promised is lost."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner
from typing_extensions import override

from fedbatch.cli import app
from fedbatch.errors import FedbatchError, InputError, StoreError
from fedbatch.node.backups import back_up
from fedbatch.node.findings import read_findings
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping, load_mappings
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.overview import read_status
from fedbatch.node.series import load_series, series_block
from fedbatch.node.verifying import verify_home
from fedbatch.series.blocks import Block, Column, column_points, count
from fedbatch.series.instants import micros
from fedbatch.series.segments import points_hash, write_segment
from fedbatch.standard import records
from fedbatch.standard.agreements import Right
from fedbatch.standard.envelope import read_entry
from fedbatch.store.objects import Files, ObjectFolder
from tests.scenarios.making import AGREED, Link, are_equal, envelope, forge, linked
from tests.scenarios.test_series import HEADERS, RIGHTS, deliver, line, press_file, speeds
from tests.scenarios.world import FILES


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as one:
        yield one


def rules_of(made: Link, *lines: str) -> dict[str, str]:
    report = made.cmo.take(press_file(made, *lines))
    return {item.rule: item.found for item in report.findings}


# ---- what a source may do


def test_times_that_run_backwards_are_found_and_every_point_is_kept(made: Link) -> None:
    found = rules_of(made, line("06:00:20"), line("06:00:10", speed="7.0"), line("06:00:30"))
    assert "series.backwards" in found
    made.cmo.share(AGREED)
    made.settle()
    assert [number for _, number in speeds(made)] == [70, 1000, 1000]


def test_a_clock_that_is_a_day_ahead_is_found(made: Link) -> None:
    ahead = line("06:00:00").replace("2026-02-01", "2026-03-04")
    assert "clock.skew" in rules_of(made, ahead)
    assert "clock.skew" not in rules_of(made, line("06:00:00"))


def test_doubled_points_are_found_and_both_are_kept(made: Link) -> None:
    found = rules_of(made, line("06:00:00"), line("06:00:00", speed="7.0"), line("06:00:10"))
    assert "series.duplicate" in found
    made.cmo.share(AGREED)
    made.settle()
    assert sorted(number for _, number in speeds(made)) == [70, 1000, 1000]


def test_numbers_beyond_eighteen_digits_are_kept_as_texts(made: Link) -> None:
    huge = "1234567890123456789.5"
    assert "series.text" in rules_of(made, line("06:00:00", speed=huge), line("06:00:10"))
    made.cmo.share(AGREED)
    made.settle()
    (item,) = load_series(made.sponsor.home, "B1")
    column = series_block(made.sponsor.home, item).columns["PRESS.SPEED.PV"]
    assert [mark.raw for mark in column.marks.values()] == [huge]


FULL = ("1149.9390870455668", "0.8387179933254993", "7.5")


def told_speeds(made: Link) -> list[float]:
    """The numbers of a batch's press speed at the sponsor, whatever their scale."""
    (item,) = load_series(made.sponsor.home, "B1")
    column = series_block(made.sponsor.home, item).columns["PRESS.SPEED.PV"]
    assert not column.marks
    return [number / 10 ** (column.scale or 0) for number in column.numbers.tolist()]


def test_binary_numbers_written_out_in_full_come_back_as_they_were(made: Link) -> None:
    """No scale of 18 digits holds them all: the column is one of binary numbers, and none is a text."""
    lines = [line(f"06:00:{at}0", speed=text) for at, text in enumerate(FULL)]
    assert "series.text" not in rules_of(made, *lines)
    made.cmo.share(AGREED)
    made.settle()
    assert told_speeds(made) == [float(text) for text in FULL]
    again = made.cmo.take(press_file(made, *lines))
    assert (again.points, again.points_corrected) == (0, 0)
    changed = [*lines[:2], line("06:00:20", speed="7.25")]
    assert made.cmo.take(press_file(made, *changed)).points_corrected == 1
    made.cmo.share(AGREED)
    made.settle()
    assert told_speeds(made) == [float(FULL[0]), float(FULL[1]), 7.25]
    assert are_equal(made)
    assert verify_home(made.sponsor.home).wrong == []


def test_numbers_that_no_scale_holds_together_keep_the_text_of_what_is_rounded(made: Link) -> None:
    """One file, two files, and a mapping's decimals: the sponsor reads each number as it stood."""
    rules = rules_of(
        made,
        line("06:00:00", speed="100000000000000001", force="2.5e-14"),
        line("06:00:10", speed="0.1", force="250000.5"),
    )
    assert "series.text" not in rules
    made.cmo.take(press_file(made, line("06:00:20", speed="2.5"), name="later.csv"))
    made.cmo.share(AGREED)
    made.settle()
    (item,) = load_series(made.sponsor.home, "B1")
    block = series_block(made.sponsor.home, item)
    speed, force = block.columns["PRESS.SPEED.PV"], block.columns["PRESS.FORCE.MAIN.PV"]
    assert speed.numbers.tolist() == [1e17, 0.1, 2.5]
    assert {row: mark.raw for row, mark in speed.marks.items()} == {0: "100000000000000001"}
    assert force.numbers.tolist()[:2] == [2.5e-14, 250000.5]
    assert not force.marks
    assert are_equal(made)
    assert verify_home(made.sponsor.home).wrong == []


def test_binary_numbers_after_a_still_start_are_followed_live_and_sealed(made: Link) -> None:
    follower, path = live(made)
    path.write_text("\n".join([HEADERS, line("06:00:00", speed="0.0"), ""]))
    assert follower.turn().points == 12
    for at, text in enumerate(FULL, 1):
        path.write_text(path.read_text() + line(f"06:00:{at}0", speed=text) + "\n")
        turn = follower.turn()
        assert (turn.points, turn.refused) == (12, {})
    made.settle()
    expected = [0.0, *(float(text) for text in FULL)]
    assert told_speeds(made) == expected
    assert follower.seal(is_end=True) == 1
    made.cmo.share(AGREED)
    made.settle()
    assert told_speeds(made) == expected
    assert verify_home(made.sponsor.home).wrong == []
    assert are_equal(made)


def test_an_export_that_grows_a_column_half_way_keeps_what_came_before(made: Link) -> None:
    """Rows longer than the header are held back: what follows the new cell may have moved."""
    found = rules_of(made, line("06:00:00"), line("06:00:10") + ";99")
    assert found["table.ragged"] == "17 cells"
    made.cmo.share(AGREED)
    made.settle()
    assert [number for _, number in speeds(made)] == [1000]


def test_an_export_whose_rows_are_longer_from_the_first_is_refused_whole(made: Link) -> None:
    with pytest.raises(InputError, match="the columns of a confirmed mapping"):
        rules_of(made, line("06:00:00") + ";99", line("06:00:10") + ";99")
    assert made.cmo.home.journal.heads(("sealed",)) == {}


def live(made: Link, name: str = "live.csv") -> tuple[Follower, Path]:
    """The press's mapping as that of a growing file."""
    (mapping,) = (item for item in load_mappings(made.cmo.home) if item.source == "press")
    changed = msgspec.structs.replace(mapping, precedence="live", source="press-live")
    confirm_mapping(made.cmo.home, changed, made.cmo.person)
    path = press_file(made, line("06:00:00"), name=name)
    return Follower(made.cmo.home, [path], made.cmo.person, shares=True), path


def test_half_a_line_waits_for_its_end(made: Link) -> None:
    follower, path = live(made)
    follower.turn()
    text = path.read_text()
    path.write_text(text + line("06:00:10")[:25])
    assert follower.turn().points == 0
    path.write_text(text + line("06:00:10") + "\n")
    assert follower.turn().points == 12


def test_a_row_with_a_cell_too_many_is_found_and_those_after_it_are_taken(made: Link) -> None:
    follower, path = live(made)
    assert follower.turn().points == 12
    for more, points in ((line("06:00:10") + ";99", 0), (line("06:00:20"), 12)):
        path.write_text(path.read_text() + more + "\n")
        turn = follower.turn()
        assert turn.refused == {}
        assert turn.points == points
        found = [item for report in turn.reports for item in report.findings]
        assert [item.rule for item in found] == (["table.ragged"] if not points else [])
    (kept,) = [
        row.finding for row in read_findings(made.cmo.home) if row.finding.rule == "table.ragged"
    ]
    assert kept.effect == "held_back"


def test_a_backup_of_a_home_that_follows_misses_nothing(made: Link, tmp_path: Path) -> None:
    follower, path = live(made)
    follower.turn()
    path.write_text(path.read_text() + line("06:00:10") + ";99\n")
    follower.turn()
    done = back_up(made.cmo.home, made.cmo.person, tmp_path / "kept", lambda *_: None)
    assert made.cmo.home.journal.imports()[-1].sha256 == ""  # findings without a file of their own
    assert done.missing == []


def test_followed_points_are_taken_once_whatever_restarts(made: Link) -> None:
    follower, path = live(made)
    assert follower.turn().points == 12
    made.restart(made.cmo)
    again = Follower(made.cmo.home, [path], made.cmo.person, shares=True)
    assert again.turn().points == 0
    path.write_text(path.read_text() + line("06:00:10", speed="7.0") + "\n")
    assert again.turn().points == 12
    made.settle()
    (item,) = load_series(made.sponsor.home, "B1")
    points = column_points(series_block(made.sponsor.home, item), "PRESS.SPEED.PV")
    assert points.numbers.tolist() == [1000, 70]


# ---- what a partner may do


def sealed_data(made: Link, content: bytes, block: Block, **changes: object) -> dict[str, object]:
    store = made.cmo.home.ledgers(AGREED)
    own = store.ledgers()[0].ledger
    (head,) = store.heads(own, ("series",)).values()
    name = made.cmo.home.agreement_objects(AGREED).write(content)
    return {
        "complete_until": "2026-02-01T06:00:00Z",
        "count": count(block),
        "first": "2026-02-01T05:30:00Z",
        "from": "2026-02-01T05:30:00Z",
        "last": "2026-02-01T05:30:00Z",
        "late": False,
        "points_hash": points_hash(block),
        "sealed": "sealed-x",
        "segment": {"bytes": len(content), "sha256": name},
        "series": head.key[0],
        "to": "2026-02-01T05:30:01Z",
        "version": 1,
        **changes,
    }


def one_point(name: str = "PRESS.SPEED.PV") -> Block:
    times = np.array([micros("2026-02-01T05:30:00Z")], dtype=np.int64)
    return Block(times, {name: Column(1, np.array([77], dtype=np.int64))})


def segment(made: Link, block: Block, *, ledger: str = "", series: str = "") -> bytes:
    store = made.cmo.home.ledgers(AGREED)
    own = store.ledgers()[0].ledger
    (head,) = store.heads(own, ("series",)).values()
    return write_segment(block, ledger=ledger or own, series=series or head.key[0], parameters=[])


def refusals(made: Link) -> list[str]:
    return [
        row.finding.rule
        for row in read_findings(made.sponsor.home)
        if row.finding.effect == "refused"
    ]


@pytest.mark.parametrize(
    "kind",
    ["truncated", "other ledger", "other series", "other points", "not agreed", "other time"],
)
def test_a_segment_that_is_not_what_its_entry_says_is_refused(made: Link, kind: str) -> None:
    deliver(made, line("06:00:00"))
    block = one_point("SECRET.PV" if kind == "not agreed" else "PRESS.SPEED.PV")
    content = segment(
        made,
        block,
        ledger="ledger-of-another" if kind == "other ledger" else "",
        series="s-of-another" if kind == "other series" else "",
    )
    if kind == "truncated":
        content = content[:-20]
    data = sealed_data(made, content, block)
    if kind == "other points":
        data["points_hash"] = "0" * 64
    if kind == "other time":
        data["from"] = "2026-02-01T05:31:00Z"
    forge(made.cmo, AGREED, [envelope(made.cmo, made.sponsor, "sealed", data)])
    store = made.cmo.home.ledgers(AGREED)
    own = store.ledgers()[0]
    made.settle()
    assert refusals(made) == ["series.segment"]
    assert made.sponsor.home.ledgers(AGREED).ledgers()[1].size == own.size
    assert [number for _, number in speeds(made)] == [1000]


def test_the_same_segment_rightly_told_is_taken(made: Link) -> None:
    """The negative control of the refusals above."""
    deliver(made, line("06:00:00"))
    block = one_point()
    data = sealed_data(made, segment(made, block), block)
    forge(made.cmo, AGREED, [envelope(made.cmo, made.sponsor, "sealed", data)])
    made.settle()
    assert refusals(made) == []
    assert [number for _, number in speeds(made)] == [1000, 77]


def test_a_segment_that_is_announced_and_never_comes_holds_its_ledger_and_is_seen(
    made: Link,
) -> None:
    deliver(made, line("06:00:00"))
    made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10")))
    made.cmo.share(AGREED)
    before = made.sponsor.home.ledgers(AGREED).ledgers()[1].size
    folder = made.cmo.home.agreement_folder(AGREED) / "objects"
    newest = max(folder.glob("??/*"), key=lambda path: path.stat().st_mtime_ns)
    aside = newest.with_name(".aside")
    newest.rename(aside)
    for _ in range(2):
        moved = made.world.try_sync(made.dialer, made.listener)
        problem = str(moved) if isinstance(moved, FedbatchError) else str(moved.refusals)
        assert "objects" in problem
    assert made.sponsor.home.ledgers(AGREED).ledgers()[1].size == before
    assert read_status(made.cmo.home).agreements[0].backlog > 0
    aside.rename(newest)
    made.settle()
    assert are_equal(made)
    assert len(speeds(made)) == 2


# ---- what a disk may do


class FullDisk(Files):
    """No room for any object."""

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_while_sealing_loses_nothing(made: Link) -> None:
    home = made.cmo.home
    journal = home.journal.size()
    real = home.journal_objects
    home.__dict__["journal_objects"] = ObjectFolder(
        home.path / "journal" / "objects", files=FullDisk()
    )
    with pytest.raises(StoreError):
        made.cmo.take(press_file(made, line("06:00:00")))
    assert home.journal.size() == journal
    home.__dict__["journal_objects"] = real
    deliver(made, line("06:00:00"))
    assert [number for _, number in speeds(made)] == [1000]
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []


def test_a_batch_that_nobody_knows_has_no_series(made: Link) -> None:
    deliver(made, line("06:00:00"))
    with pytest.raises(InputError, match="a batch that is known here"):
        load_series(made.sponsor.home, "B404")


def test_without_a_right_to_series_no_point_crosses(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",)) as made:
        deliver(made, line("06:00:00"))
        assert load_series(made.sponsor.home, "B1") == []
    with linked(
        tmp_path / "one",
        mappings=("press",),
        rights=(Right(record_type="series", codes=("PRESS.SPEED",)),),
    ) as made:
        deliver(made, line("06:00:00"))
        (item,) = load_series(made.sponsor.home, "B1")
        assert [p.code for p in item.series.parameters] == ["PRESS.SPEED"]
        store = made.sponsor.home.ledgers(AGREED)
        contents = [content for _, content in store.scan(store.ledgers()[1].ledger)]
        said = [read_entry(content).record for content in contents if content]
        assert sum(isinstance(record, records.Sealed) for record in said) == 1


# ---- what an import says of it


def test_an_import_says_how_many_rows_of_a_series_it_held_back(made: Link, tmp_path: Path) -> None:
    home, as_ = str(made.cmo.home.path), "u-1"
    # Two stretches without a time, one row without a batch, one that is too long.
    path = press_file(
        made,
        line("06:00:00"),
        line("6 o'clock"),
        line("6 o'clock"),
        line("06:00:10", batch=""),
        line("25:61:00"),
        line("06:00:20") + ";99",
        line("06:00:30"),
        line("06:00:40"),
        line("06:00:50"),
    )
    words = ["import", str(path), "--home", home, "--as", as_]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "  5 rows were held back" in done.output) == (1, True), done.output
    assert made.cmo.home.journal.audit()[-1].detail.endswith("5 rows held back")
    done = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(done.output)["imports"][0]["rows_held_back"] == 5
    # Control: a whole file says nothing of the kind, and is a success.
    path = press_file(made, line("06:00:00"), line("06:00:10"), name="whole.csv")
    done = CliRunner().invoke(app, ["import", str(path), "--home", home, "--as", as_])
    assert (done.exit_code, "rows were held back" in done.output) == (0, False), done.output


def test_a_followed_file_says_how_many_rows_it_held_back(made: Link) -> None:
    text = (FILES / "press.yaml").read_text("utf-8")
    text = text.replace("version: 1\n", "version: 1\nprecedence: live\n")
    mapping = made.world.folder / "live.yaml"
    mapping.write_text(text, encoding="utf-8")
    confirm_mapping(made.cmo.home, read_mapping(mapping), made.cmo.person)
    path = press_file(made, line("06:00:00"), line("6 o'clock"), line("06:00:20") + ";99")
    follower = Follower(made.cmo.home, [path], made.cmo.person, shares=False)
    turn = follower.turn()
    assert turn.points
    assert sum(report.rows_held_back for report in turn.reports) == 2


def held_rows_said(made: Link) -> tuple[list[str], list[str]]:
    """What `journal held` and `findings` say of rows that were held back."""
    place = ["--home", str(made.cmo.home.path), "--json"]
    held = json.loads(CliRunner().invoke(app, ["journal", "held", *place]).output)
    items = sorted(item["finding"]["found"] for item in held["held"])
    assert all(text.endswith("of points held back") for text in items)
    told = [row.finding for row in read_findings(made.cmo.home)]
    return (
        sorted([*items, *(item["found"] for item in held["rows"])]),
        sorted(item.found for item in told if item.effect == "held_back"),
    )


def held_at_sponsor(made: Link) -> list[tuple[str, str]]:
    """By batch the findings of the sponsor that say that rows of points are missing."""
    made.cmo.share(AGREED)
    made.settle()
    rows = read_findings(made.sponsor.home)
    told = [row for row in rows if row.finding.rule == "series.held"]
    return [(row.batch, row.finding.found) for row in told if row.finding.effect == "held_back"]


def test_the_sponsor_knows_that_rows_of_its_batch_are_held_back(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        wrong = line("06:00:10").replace("2026-02-01 06", "01.02.2026 6")
        strange = wrong.replace(";B1;T-1;", ";B9;T-9;")
        other = line("06:00:20", "B9").replace(";T-1;", ";T-9;")
        made.cmo.take(press_file(made, line("06:00:00"), wrong, wrong, strange, other))
        assert held_at_sponsor(made) == [("B1", "2 rows of points held back")]
        assert len(made.cmo.home.journal.held()) == 2  # the other batch's are nobody's here
        # Another edition that holds one back, and one that is right.
        made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10"), wrong))
        assert held_at_sponsor(made) == [("B1", "1 row of points held back")]
        made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10")))
        assert held_at_sponsor(made) == []
        assert verify_home(made.sponsor.home).wrong == []


@pytest.mark.parametrize("missing", ["finding", "series"])
def test_without_the_right_nothing_is_said_of_rows_that_are_held_back(
    tmp_path: Path, missing: str
) -> None:
    types = {"product", "batch", "finding", "series"} - {missing}
    with linked(tmp_path, mappings=("press",), types=sorted(types)) as made:
        wrong = line("06:00:10").replace("2026-02-01 06", "01.02.2026 6")
        made.cmo.take(press_file(made, line("06:00:00"), wrong))
        assert held_at_sponsor(made) == []


def test_rows_that_are_held_back_are_listed_until_a_right_file_comes(made: Link) -> None:
    wrong = line("06:00:10").replace("2026-02-01 06", "01.02.2026 6")
    made.cmo.take(press_file(made, line("06:00:00"), wrong, line("06:00:20") + ";99"))
    listed, found = held_rows_said(made)
    assert listed == found
    assert [text for text in listed if "01.02.2026 6" in text]
    assert "17 cells" in listed
    shown = CliRunner().invoke(app, ["journal", "held", "--home", str(made.cmo.home.path)])
    assert "Rows of files that were held back" in shown.output
    made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10"), line("06:00:20")))
    assert held_rows_said(made) == ([], [])
    shown = CliRunner().invoke(app, ["journal", "held", "--home", str(made.cmo.home.path)])
    assert "Nothing is held back." in shown.output


def test_rows_of_a_followed_file_that_are_held_back_are_listed_too(made: Link) -> None:
    follower, path = live(made)
    follower.turn()
    assert held_rows_said(made) == ([], [])
    path.write_text(path.read_text() + line("6 o'clock") + "\n" + line("06:00:10") + "\n")
    follower.turn()
    listed, found = held_rows_said(made)
    assert listed == found
    assert len(listed) == 1
