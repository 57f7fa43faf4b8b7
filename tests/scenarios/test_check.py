"""`fedbatch check FILE` on a machine where nothing is set up."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.node.home import create_home

CLEAN = [["Batch", "Assay (%)", "Hardness min", "Hardness max"]] + [
    [f"B{row:03}", f"{99 + row / 100:.2f}", f"{60 + row % 7}", f"{80 + row % 5}"]
    for row in range(1, 41)
]


def write(path: Path, rows: Sequence[Sequence[str]], delimiter: str = ",") -> Path:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def changed(cells: dict[tuple[int, int], str]) -> list[list[str]]:
    rows = [[*row] for row in CLEAN]
    for (row, column), text in cells.items():
        rows[row][column] = text
    return rows


def run(*words: object, code: int) -> str:
    done = CliRunner().invoke(app, ["check", *map(str, words)])
    assert done.exit_code == code, done.output
    return done.stdout


def found(path: Path, *words: str, code: int = 1) -> list[dict[str, Any]]:
    (told,) = json.loads(run(path, "--json", "--no-copy", *words, code=code))["files"]
    return [item for table in told["tables"] for item in table["findings"]]


def rules(path: Path, *words: str, code: int = 1) -> Counter[str]:
    return Counter(item["rule"] for item in found(path, *words, code=code))


def test_a_clean_file_has_no_finding_and_writes_nothing_but_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("FEDBATCH_HOME", raising=False)
    path = write(tmp_path / "clean.csv", CLEAN)
    before = path.read_bytes()
    said = run(path, code=0)
    assert "nothing found" in said
    assert path.read_bytes() == before
    assert {item.name for item in tmp_path.iterdir()} == {"clean.csv", "clean.csv.checked.xlsx"}


@pytest.mark.parametrize(
    ("cells", "rule", "locator"),
    [
        ({(3, 1): "9.912.345.678"}, "value.damaged", "R4C2"),
        ({(3, 1): "99,3"}, "value.damaged", "R4C2"),
        ({(3, 1): "12-Mar"}, "value.damaged", "R4C2"),
        ({(5, 2): "90"}, "order.min_mean_max", "R6C3"),
        ({(7, 0): "B002"}, "row.repeated", "R8C1"),
        ({(9, 1): "#N/A"}, "table.error_cell", "R10C2"),
        ({(at, 1): "pending" for at in range(38, 41)}, "type.changed", "R39C2:R41C2"),
    ],
)
def test_a_planted_fault_is_found_at_its_cell(
    tmp_path: Path, cells: dict[tuple[int, int], str], rule: str, locator: str
) -> None:
    items = found(write(tmp_path / "faulty.csv", changed(cells)))
    assert [item["where"]["locator"] for item in items if item["rule"] == rule] == [locator]
    assert {item["rule"] for item in items if item["severity"] <= 2} == {rule}


def test_what_is_advice_alone_leaves_the_exit_code_at_nought(tmp_path: Path) -> None:
    path = write(tmp_path / "texts.csv", changed({(4, 1): "see note", (6, 2): ""}))
    assert rules(path, code=0) == {"type.mixed": 1, "value.blank": 1}


def test_the_copy_shows_the_sheet_as_it_came_with_colours_comments_and_a_list(
    tmp_path: Path,
) -> None:
    cells = {(3, 1): "9.912.345.678", (4, 1): "99.50", (5, 0): "=1+1", (6, 0): "007"}
    path = write(tmp_path / "faulty.csv", changed(cells))
    said = run(path, code=1)
    assert "■ 1 × value.damaged in Assay (%) 1" in said
    assert "assumed: numbers: decimal point" in said
    book = openpyxl.load_workbook(tmp_path / "faulty.csv.checked.xlsx")
    listing, sheet = book["Findings"], book["faulty"]
    assert [cell.value for cell in listing[2]][:5] == [
        "value.damaged",
        1,
        "R4C2",
        "Assay (%)",
        "9.912.345.678",
    ]
    assert listing["C2"].hyperlink.location == "'faulty'!B4"
    cell = sheet["B4"]
    assert cell.value == "9.912.345.678"
    assert cell.fill.fgColor.rgb.endswith("F9E3E1")
    assert "value.damaged" in cell.comment.text
    # 99.50 shows as 99.50, and nothing that begins like a formula becomes one.
    assert (sheet["B5"].value, sheet["B5"].number_format) == (99.5, "0.00")
    assert (sheet["A6"].value, sheet["A6"].data_type) == ("=1+1", "s")
    assert sheet["A7"].value == "007"
    assert sheet["B6"].fill.fgColor.rgb == "00000000"


def test_findings_as_csv_hold_no_formula(tmp_path: Path) -> None:
    path = write(tmp_path / "evil.csv", changed({(4, 1): "=cmd|' /C calc'!A0"}))
    run(path, "--out", tmp_path / "told.csv", code=0)
    text = (tmp_path / "told.csv").read_text("utf-8-sig")
    assert "'=cmd" in text
    assert ",=cmd" not in text


def test_the_file_itself_is_never_the_copy(tmp_path: Path) -> None:
    path = write(tmp_path / "clean.csv", CLEAN)
    before = path.read_bytes()
    run(path, "--out", path, code=3)
    assert path.read_bytes() == before


def test_a_copy_into_a_folder_that_is_not_there_is_refused_and_makes_none(tmp_path: Path) -> None:
    path = write(tmp_path / "clean.csv", CLEAN)
    for out, missing in (
        (tmp_path / "typo" / "told.csv", f"found 'no {tmp_path / 'typo'}'"),
        (tmp_path, f"found 'a folder, {tmp_path}'"),
    ):
        done = CliRunner().invoke(app, ["check", str(path), "--out", str(out)])
        assert done.exit_code == 3
        assert missing in done.output
        assert "[out.folder]" in done.output
        # Before any work, so that nothing has to be done twice.
        assert "rows" not in done.stdout
    assert [item.name for item in tmp_path.iterdir()] == ["clean.csv"]


@pytest.mark.parametrize(
    "words",
    [
        ["export", "results"],
        ["export", "batches"],
        ["export", "findings"],
        ["export", "series", "B1"],
        ["map", "new", "clean.csv"],
        ["agreement", "new", "Maker AG", "--one-sided"],
        ["invite", "--by-folder"],
    ],
)
def test_whatever_writes_a_file_refuses_a_folder_that_is_not_there(
    tmp_path: Path, words: list[str]
) -> None:
    create_home(tmp_path / "home", name="N", person="P", listen="", address="").close()
    out = tmp_path / "typo" / "x.csv"
    place = ["--out", str(out), "--home", str(tmp_path / "home")]
    done = CliRunner().invoke(app, [*words, *place])
    assert (done.exit_code, "[out.folder]" in done.output) == (3, True), done.output
    assert not out.parent.exists()


def test_a_file_that_cannot_be_read_is_named_beside_the_others(tmp_path: Path) -> None:
    good = write(tmp_path / "good.csv", CLEAN)
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"PK\x03\x04 no archive")
    told = json.loads(run(good, bad, "--json", "--no-copy", code=1))
    assert [item["file"] for item in told["files"]] == ["good.csv"]
    assert [item["file"] for item in told["refused"]] == ["bad.xlsx"]
    run(bad, code=3)


def test_bytes_that_are_no_utf8_are_read_as_windows_writes_and_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(
        "Batch;Temperatur [°C]\r\nB1;20,5\r\nB2;21,25\r\nB3;22,75\r\n".encode("cp1252")
    )
    (told,) = json.loads(run(path, "--json", "--no-copy", code=0))["files"]
    assumed = {item["about"]: item["assumed"] for item in told["tables"][0]["assumed"]}
    assert assumed["texts"] == "cp1252"
    assert assumed["numbers"] == "decimal comma"


def test_more_rows_than_a_workbook_holds_give_the_findings_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("x,y\n" + "1.5,2\n" * 1_048_575 + "1.412.698.315,2\n", encoding="utf-8")
    said = run(path, code=1)
    assert "too large for a workbook" in said
    told = (tmp_path / "long.csv.checked.csv").read_text("utf-8-sig").splitlines()
    assert told[1].startswith("value.damaged,1,R1048577C1,x,1.412.698.315")


# ---- along time


def log(rows: int = 60, step: int = 10) -> list[list[str]]:
    """A press log: a row every ten seconds, by the dictionary's own words."""
    lines = [["timestamp", "batch", "tbl_speed", "produced", "force", "depth"]]
    for row in range(rows):
        seconds = row * step
        clock = f"2026-03-02 {6 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        force, depth = f"{8 + row * 7 % 13 / 10:.1f}", f"{4 + row * 5 % 11 / 100:.2f}"
        lines.append([clock, "B1", "120", str(row), force, depth])
    return lines


def test_a_log_that_runs_well_is_silent(tmp_path: Path) -> None:
    assert rules(write(tmp_path / "log.csv", log(), ";"), code=0) == {}


def test_gaps_doubled_points_and_times_that_fall_are_found(tmp_path: Path) -> None:
    lines = log()
    del lines[20:24]
    lines[30][0] = lines[29][0]
    lines[41][0], lines[42][0] = lines[42][0], lines[41][0]
    assert rules(write(tmp_path / "log.csv", lines)) >= Counter(
        {"series.gap": 1, "series.duplicate": 1, "series.backwards": 1}
    )


def test_a_counter_that_stands_while_the_press_runs_is_found_and_one_that_rests_is_not(
    tmp_path: Path,
) -> None:
    lines = log(600)
    for line in lines[200:500]:
        line[3] = "199"
    for line in lines[500:]:
        line[3] = str(int(line[3]) - 300)
    (stuck,) = found(write(tmp_path / "stuck.csv", lines))
    assert (stuck["rule"], stuck["where"]["locator"]) == ("counter.stuck", "R201C4:R501C4")
    for line in lines[201:500]:
        line[2] = "0"
    assert rules(write(tmp_path / "rests.csv", lines), code=0) == {}


def test_a_counter_that_falls_within_a_batch_and_a_copied_column_are_found(tmp_path: Path) -> None:
    lines = log(200)
    lines[200][3] = "0"
    for line in lines[1:]:
        line[5] = line[4]
    assert rules(write(tmp_path / "log.csv", lines)) == {"counter.reset": 1, "series.copied": 1}


def test_times_that_happen_twice_need_a_zone_and_one_that_is_stated_finds_them(
    tmp_path: Path,
) -> None:
    lines = [["time", "ph"]] + [
        [f"2026-10-25 {hour:02}:{minute:02}:00", f"7.{hour}{minute // 10}"]
        for hour in range(6)
        for minute in range(0, 60, 10)
    ]
    path = write(tmp_path / "night.csv", lines)
    assert rules(path, code=0) == {"time.zone": 1}
    assert rules(path, "--zone", "Europe/Zurich") == {"time.ambiguous": 1}
    assert rules(path, "--zone", "Asia/Tokyo", code=0) == {}


def test_days_and_months_that_may_be_exchanged_are_one_finding(tmp_path: Path) -> None:
    lines = [["date", "titre"]] + [[f"{day:02}/03/2026", f"{day}.5"] for day in range(1, 12)]
    (item,) = found(write(tmp_path / "dates.csv", lines))
    assert item["rule"] == "time.ambiguous"
    assert "Times were not checked" in item["advice"]
    lines.append(["25/03/2026", "1.5"])
    assert rules(write(tmp_path / "dates.csv", lines), code=0) == {}


START = datetime(2026, 5, 25, 6, tzinfo=UTC)


def steps(*, is_faulty: bool) -> list[datetime]:
    """A row every ten seconds; faulty with a gap, a doubled time and one that falls."""
    times = [START + timedelta(seconds=10 * row) for row in range(60)]
    if is_faulty:
        del times[20:24]
        times[30] = times[29]
        times[41], times[42] = times[42], times[41]
    return times


TIME_FAULTS = Counter({"series.gap": 1, "series.duplicate": 1, "series.backwards": 1})


def written(form: str, time: datetime) -> str:
    seconds = (time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    counts = {
        "unix_s": f"{seconds:.0f}",
        "unix_ms": f"{seconds * 1000:.0f}",
        "serial_1900": f"{seconds / 86400 + 25569:.8f}",
    }
    return counts.get(form) or time.strftime(form)


@pytest.mark.parametrize(
    ("written_as", "form"),
    [
        ("%Y-%m-%dT%H:%M:%S.123Z", "%Y-%m-%dT%H:%M:%S.%f%z"),
        ("%Y-%m-%d %H:%M:%S.123+02:00", "%Y-%m-%d %H:%M:%S.%f%z"),
        ("%d-%b-%y %H:%M:%S", "%d-%b-%y %H:%M:%S"),
        ("%d-%b-%y %H:%M:%S.000", "%d-%b-%y %H:%M:%S.%f"),
        ("%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S"),
        ("%d/%m/%y %H:%M:%S", "%d/%m/%y %H:%M:%S"),
        ("%d/%m/%Y %H:%M:%S.500", "%d/%m/%Y %H:%M:%S.%f"),
        ("%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S"),
        ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S%z"),
        ("%Y-%m-%d %H:%M:%S,123", "%Y-%m-%d %H:%M:%S,%f"),
        ("%Y-%m-%dT%H:%M:%S.123456789Z", "%Y-%m-%dT%H:%M:%S.%f%z"),
        ("unix_s", "unix_s"),
        ("unix_ms", "unix_ms"),
        ("serial_1900", "serial_1900"),
    ],
)
def test_times_of_every_usual_form_are_checked_along_their_rows(
    tmp_path: Path, written_as: str, form: str
) -> None:
    for is_faulty in (True, False):
        rows = [
            [written(written_as, time), f"{7 + at % 5 / 10:.1f}"]
            for at, time in enumerate(steps(is_faulty=is_faulty))
        ]
        path = write(tmp_path / "log.csv", [["Timestamp", "Value"], *rows], ";")
        (told,) = json.loads(run(path, "--json", "--no-copy", code=int(is_faulty)))["files"]
        (table,) = told["tables"]
        assert ("Timestamp", form) in {(one["about"], one["assumed"]) for one in table["assumed"]}
        told_rules = Counter(one["rule"] for one in table["findings"])
        assert told_rules == (TIME_FAULTS if is_faulty else Counter())


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich"])
def test_times_of_a_parquet_file_with_a_zone_are_checked(
    tmp_path: Path, unit: Literal["s", "ms", "us", "ns"], zone: str
) -> None:
    for is_faulty in (True, False):
        times = [time.replace(tzinfo=None) for time in steps(is_faulty=is_faulty)]
        column = pa.array(times, pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
        values = [7 + at % 5 / 10 for at in range(len(times))]
        parquet.write_table(pa.table({"t": column, "v": values}), tmp_path / "log.parquet")
        told = rules(tmp_path / "log.parquet", code=int(is_faulty))
        assert told == (TIME_FAULTS if is_faulty else Counter())


def test_days_of_a_spreadsheet_that_it_shows_as_numbers_are_times(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["Time", "Value"])
    for at, time in enumerate(steps(is_faulty=True)):
        book.active.append([float(written("serial_1900", time)), 7 + at % 5 / 10])
    book.save(tmp_path / "log.xlsx")
    assert rules(tmp_path / "log.xlsx") == TIME_FAULTS


def test_the_order_of_day_and_month_is_taken_from_the_whole_column_or_is_a_finding(
    tmp_path: Path,
) -> None:
    day = [[f"04/05/2026 {time:%H:%M:%S}", "7.5"] for time in steps(is_faulty=True)]
    items = found(write(tmp_path / "day.csv", [["Time", "pH"], *day], ";"))
    (item,) = [one for one in items if one["rule"] == "time.ambiguous"]
    assert item["found"] == "04/05/2026 06:00:00, and so in 56 rows"
    assert "%d/%m/%Y %H:%M:%S and %m/%d/%Y %H:%M:%S" in item["expected"]
    # The steps between the rows of one day are the same either way.
    assert Counter(one["rule"] for one in items) - Counter(["time.ambiguous"]) == TIME_FAULTS
    more = [*day, ["13/05/2026 06:00:00", "7.5"]]
    path = write(tmp_path / "days.csv", [["Time", "pH"], *more], ";")
    assert rules(path) == TIME_FAULTS + Counter(["series.gap"])
    (told,) = json.loads(run(path, "--json", "--no-copy", code=1))["files"]
    evidence = {one["about"]: one["evidence"] for one in told["tables"][0]["assumed"]}
    assert "'13/05/2026 06:00:00' at R58C1 fits no other order" in evidence["Time"]


# ---- what is left out is said


def a_log(times: Sequence[str], header: str = "Time") -> list[list[str]]:
    return [[header, "pH"], *([time, f"{7 + at % 5 / 10:.1f}"] for at, time in enumerate(times))]


CLOCK = [f"{time:%H:%M:%S}" for time in steps(is_faulty=False)]


@pytest.mark.parametrize(
    ("header", "times", "why"),
    [
        ("Time", CLOCK, "Time holds times of day alone, without a date"),
        ("Time (min)", [str(at) for at in range(60)], "Time (min) counts from a start"),
        ("Time", [str(at) for at in range(60)], "the numbers of Time are neither Unix times nor days"),
        ("Time", [f"04. Mai 2026 {clock}" for clock in CLOCK], "no one form of time that is known fits Time"),
        ("Time", [f"25.05.2026 {clock}" for clock in reversed(CLOCK)], "rows do not run along Time, 59 of"),
        ("Date", ["25.05.2026"] * 60, "Date is one and the same in all rows"),
        ("x", [str(at % 7) for at in range(120)], "no column of times was recognised"),
    ],
)  # fmt: skip
def test_times_that_were_not_checked_are_said_in_the_terminal_in_json_and_in_the_copy(
    tmp_path: Path, header: str, times: list[str], why: str
) -> None:
    path = write(tmp_path / "log.csv", a_log(times, header), ";")
    said = run(path, code=0)
    assert f"  Times were not checked: {why}" in said
    (told,) = json.loads(run(path, "--json", code=0))["files"]
    (item,) = [one for one in told["tables"][0]["findings"] if one["rule"] == "time.unchecked"]
    assert item["found"].startswith(f"Times were not checked: {why}")
    listing = openpyxl.load_workbook(told["copy"])["Findings"]
    assert item["found"] in {row[4].value for row in listing}


def test_times_of_no_form_that_is_known_are_a_finding_at_their_cells(tmp_path: Path) -> None:
    german = [f"04. Mai 2026 {clock}" for clock in CLOCK]
    items = found(write(tmp_path / "log.csv", a_log(german), ";"), code=0)
    (item,) = [one for one in items if one["rule"] == "time.unknown"]
    assert item["where"]["locator"] == "R2C1:R61C1"
    assert item["found"] == "04. Mai 2026 06:00:00, and so in 60 rows"
    two = [f"25.05.2026 {clock}" for clock in CLOCK[:30]] + [f"2026-05-25T{c}" for c in CLOCK[30:]]
    items = found(write(tmp_path / "log.csv", a_log(two, "Logged"), ";"), code=0)
    assert not any(one["rule"] == "time.unchecked" for one in items)
    items = found(write(tmp_path / "log.csv", a_log(two), ";"), code=0)
    (item,) = [one for one in items if one["rule"] == "time.unknown"]
    assert item["expected"] == "times in one form, not in %d.%m.%Y %H:%M:%S and %Y-%m-%dT%H:%M:%S"


def test_gaps_alone_are_said_to_be_left_out_where_no_interval_is_usual(tmp_path: Path) -> None:
    times = [f"2026-05-25 06:{at * at // 60 % 60:02}:{at * at % 60:02}" for at in range(40)]
    (item,) = found(write(tmp_path / "log.csv", a_log(times), ";"), code=0)
    assert item["found"] == "Gaps were not checked: the rows of Time come at no usual interval"
    assert item["severity"] == 4


def test_a_table_that_wants_no_times_is_not_said_to_lack_them(tmp_path: Path) -> None:
    assert "not checked" not in run(write(tmp_path / "clean.csv", CLEAN), code=0)
    hold = [["Batch", "Hold time (h)"]] + [[f"B{at}", f"{at}.5"] for at in range(60)]
    assert "Times were" not in run(write(tmp_path / "hold.csv", hold, ";"), code=0)
    good = a_log([f"2026-05-25 {clock}" for clock in CLOCK])
    assert "nothing found" in run(write(tmp_path / "good.csv", good, ";"), code=0)


def test_a_unit_in_which_hardly_a_number_is_usual_is_doubted(tmp_path: Path) -> None:
    lines = [["batch", "inlet air temperature (°F)"]] + [
        [f"B{row}", f"{40.5 + row % 7 / 10:.1f}"] for row in range(20)
    ]
    (item,) = found(write(tmp_path / "unit.csv", lines))
    assert item["rule"] == "unit.implausible"
    assert "Cel" in item["advice"]


def test_remarks_above_a_table_and_units_below_its_header_are_no_rows_of_it(tmp_path: Path) -> None:
    rows = [f"{time:%Y-%m-%d %H:%M:%S},7.{at % 5},37.{at % 7}" for at, time in enumerate(
        steps(is_faulty=False))]  # fmt: skip
    lines = ["# Historian, v2", "# Basel, line 3", "Time,pH,Temp", "UTC,-,°C", *rows]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = run(tmp_path / "log.csv", code=0)
    assert "header row 3, unit row 4" in said
    assert "nothing found" in said


def test_a_file_of_several_parts_is_said_to_be_one(tmp_path: Path) -> None:
    text = "[Info]\na;b;c\n1;2;3\n\n[Data]\nx;y;z\n4;5;6\n\n[End]\nu;v;w\n7;8;9\n"
    (tmp_path / "parts.csv").write_text(text, encoding="utf-8")
    assert rules(tmp_path / "parts.csv")["table.several"] == 1


# ---- workbooks


def test_every_sheet_of_a_workbook_is_checked_and_one_without_a_table_says_so(
    tmp_path: Path,
) -> None:
    book = openpyxl.Workbook()
    first, second, third = book.active, book.create_sheet("Second"), book.create_sheet("Chart")
    assert first is not None
    for row in CLEAN:
        first.append([row[0], float(row[1]) if row[1][0].isdigit() else row[1]])
        second.append(row[:2])
    second["B4"] = "9.912.345.678"
    third["A1"] = 3
    book.save(tmp_path / "book.xlsx")
    (told,) = json.loads(run(tmp_path / "book.xlsx", "--json", code=1))["files"]
    assert [table["sheet"] for table in told["tables"]] == ["Sheet", "Second"]
    assert list(told["unread"]) == ["Chart"]
    (item,) = [one for one in told["tables"][1]["findings"] if one["severity"] == 1]
    assert item["where"]["locator"] == "Second!B4"
    copy = openpyxl.load_workbook(told["copy"])
    assert copy.sheetnames == ["Findings", "Sheet", "Second", "Chart"]
    assert copy["Second"]["B4"].comment is not None
    assert copy["Sheet"]["B4"].value == first["B4"].value


# ---- real files


def test_the_damaged_table_of_a_laboratory_has_each_of_its_1799_cells_found(
    real_data: Path,
) -> None:
    folder = real_data / "zagar2022"
    damaged = rules(folder / "variants" / "Laboratory.Moliveira85.csv")
    clean = rules(folder / "Laboratory.csv")
    assert damaged["value.damaged"] == 1_799
    assert damaged - clean == {"value.damaged": 1_799}
    # Least ≤ mean ≤ greatest fails 479 times for cores, 337 for film-coated, twice for thickness.
    assert clean["order.min_mean_max"] == 818


def test_the_press_log_has_its_copied_column_its_stuck_counter_and_its_resets_found(
    real_data: Path,
) -> None:
    items = found(real_data / "zagar2022" / "Process" / "3.csv")
    told = {item["rule"]: item for item in items}
    assert told["series.copied"]["found"] == "equal to fom in all 53,057 rows"
    assert told["counter.stuck"]["found"].startswith("167 in 2,340 rows")
    assert Counter(item["rule"] for item in items if item["severity"] <= 2) == {
        "series.copied": 1,
        "counter.stuck": 1,
        "counter.reset": 8,
    }


@pytest.mark.parametrize(
    "name",
    [
        "zagar2022/Process.csv",
        "biostat-mfcs/2024.05-06_Biostat_OD.xlsx",
        "dasgip/tests/testfiles/v4_20180726.Control.csv",
        "akta/unicorn5_export_Protein_A.xls",
        "cdppy-cho/Package_input_Template.xlsx",
        "pyphi/examples/Batch analysis/Batch Film Coating.xlsx",
    ],
)
def test_other_peoples_files_are_checked_without_a_finding_of_severity_1(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    done = CliRunner().invoke(
        app, ["check", str(real_data / name), "--json", "--out", str(tmp_path / "copy.xlsx")]
    )
    assert done.exit_code in {0, 1}, done.output
    (told,) = json.loads(done.stdout)["files"]
    severities = {item["severity"] for table in told["tables"] for item in table["findings"]}
    assert 1 not in severities
    assert openpyxl.load_workbook(told["copy"], read_only=True).sheetnames[0] == "Findings"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_cannot_be_written_is_the_disks_fault_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["a", "b"], ["1", "2"], ["3", "4"]])
    command = [sys.executable, "-m", "fedbatch", "check", str(path), "--no-copy"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 9
    assert b"No space left on device" in done.stderr
    assert b"fault of Fedbatch" not in done.stderr


def few(folder: Path, *cells: str, header: str = "pH") -> Path:
    rows = [[f"2026-02-01 06:00:{at:02}", cell, "B1"] for at, cell in enumerate(cells)]
    return write(folder / "few.csv", [["time", header, "batch"], *rows], ";")


def test_numbers_that_are_none_are_found_in_six_rows(tmp_path: Path) -> None:
    long = "7.123456789012345678901234567890123456789012345678901234567890"
    path = few(tmp_path, "7.01", "NaN", "Inf", "-inf", "1e400", long)
    items = found(path, code=1)
    told = {item["found"]: item["rule"] for item in items}
    assert told["NaN"] == told["Inf"] == told["-inf"] == "type.mixed"
    assert told["1e400"] == told[long] == "value.damaged"
    assert all("38 digits" in one["expected"] for one in items if one["rule"] == "value.damaged")


@pytest.mark.parametrize("odd", ["NaN", "Inf", "I/O Timeout", "1e400"])
def test_one_odd_text_among_three_numbers_is_found(tmp_path: Path, odd: str) -> None:
    code = 1 if odd == "1e400" else 0
    (item,) = found(few(tmp_path, "7.01", "7.02", odd, "7.03"), code=code)
    assert (item["rule"], item["found"]) in {("type.mixed", odd), ("value.damaged", odd)}


@pytest.mark.parametrize(
    "texts", [("A1", "nan", "nan", "5"), ("Inf", "Super", "Ultra"), ("x", "y")]
)
def test_a_column_of_texts_stays_one(tmp_path: Path, texts: tuple[str, ...]) -> None:
    assert found(few(tmp_path, *texts, header="name"), code=0) == []


def test_checks_left_out_for_want_of_rows_are_named(tmp_path: Path) -> None:
    said = run(few(tmp_path, "7.01", "7.02", "7.03"), "--no-copy", code=0)
    (line,) = (one for one in said.splitlines() if "too few to judge" in one)
    for what in ("times that run back", "doubled points", "gaps", "repeated keys"):
        assert what in line
    assert "copied columns" not in line
    assert "3 rows" in line
    said = run(write(tmp_path / "clean.csv", CLEAN), "--no-copy", code=0)
    assert "too few" not in said


def test_nothing_found_is_not_said_above_a_finding(tmp_path: Path) -> None:
    rows = [[f"B{at}", "" if at % 9 == 0 else "x"] for at in range(1, 31)]
    path = write(tmp_path / "blanks.csv", [["Batch", "Remark"], *rows])
    said = run(path, "--no-copy", code=0)
    assert "nothing that needs attention, 1 of low severity" in said
    assert "nothing found" not in said
