from pathlib import Path

import pytest

from fedbatch.errors import InputError
from fedbatch.sources.tabular import RULES, Layout, read_file


def write(folder: Path, content: str) -> Path:
    path = folder / "a.csv"
    path.write_text(content)
    return path


def test_a_unit_row_is_found_where_texts_stand_over_numbers(tmp_path: Path) -> None:
    table = read_file(write(tmp_path, "name;temp;ph\n;degC;[pH]\nB1;20;7\nB2;21;7\n")).tables[0]
    assert [(c.header, c.unit) for c in table.columns] == [
        ("name", ""),
        ("temp", "degC"),
        ("ph", "[pH]"),
    ]
    assert table.rows == [3, 4]


@pytest.mark.parametrize("cells", ["B0;n.d.;n.d.", ";n.d.;-", ";<1;#N/A", "1;20;"])
def test_a_first_row_of_data_is_not_taken_for_units(tmp_path: Path, cells: str) -> None:
    table = read_file(write(tmp_path, f"name;temp;ph\n{cells}\nB1;20;7\nB2;21;7\n")).tables[0]
    assert table.rows == [2, 3, 4]


REMARKS = {
    "none": [],
    "plain": ["# Historian export", "# Plant Basel"],
    "with the mark between cells": ["# v2, a", "# Basel, Switzerland, line 3", "# 06:00, to 07:00"],
    "in cells": ["#,Historian,export", "#,Plant,Basel"],
    "with blank lines": ["# Historian export", "", "# x", ""],
    "more than rows": [f"# key{at}: value {at}, note" for at in range(40)],
    "with another mark": ["# a; b; c", "# d; e"],
}
UNITS = {
    "none": "",
    "none for the time": ",°C,1,%",
    "a zone": "UTC,°C,pH,%",
    "dashes": "-,°C,-,%",
    "a form of times": "[yyyy-mm-dd hh:mm:ss],[°C],[-],[%]",
    "not applicable": "n/a,mS/cm,n/a,1/min",
    "composed": ",g/(L h),10^6 cells/mL,µmol/s",
}


@pytest.mark.parametrize("header", ["Time,Temp,pH,DO", "# Time,Temp,pH,DO"])
@pytest.mark.parametrize("units", UNITS.values(), ids=[*UNITS])
@pytest.mark.parametrize("remarks", REMARKS.values(), ids=[*REMARKS])
def test_header_and_units_are_found_below_remarks(
    tmp_path: Path, header: str, units: str, remarks: list[str]
) -> None:
    for count in (3, 30):
        data = [
            f"2026-05-04 06:00:{at:02},37.{at % 10},7.{at % 3},4{at % 9}" for at in range(count)
        ]
        lines = [*remarks, header, *filter(None, [units]), *data]
        table = read_file(write(tmp_path, "\n".join(lines) + "\n")).tables[0]
        assert [c.header for c in table.columns] == header.split(",")
        assert table.header_row == len(remarks) + 1
        assert [c.unit for c in table.columns] == (units or ",,,").split(",")
        assert len(table.rows) == count


@pytest.mark.parametrize(
    "cells",
    ["B0;°C;pH", "anna;L;M", "2026-05-04;%;-", ";n/a;-", ";20;7", "x;-;-", ";high;low"],
)  # fmt: skip
def test_a_row_that_may_be_data_is_none_of_units(tmp_path: Path, cells: str) -> None:
    keys = ["bob", "carl"] if cells.startswith("anna") else ["B1", "B2"]
    lines = ["name;temp;ph;x;y", f"{cells};1;2", *(f"{key};20;7;1;2" for key in keys)]
    table = read_file(write(tmp_path, "\n".join(lines) + "\n")).tables[0]
    assert table.rows == [2, 3, 4]


def test_a_table_whose_every_row_begins_with_the_mark_of_remarks_is_one(tmp_path: Path) -> None:
    table = read_file(write(tmp_path, "#no;value\n#1;5\n#2;6\n")).tables[0]
    assert (table.header_row, table.rows) == (1, [2, 3])


def test_a_remark_is_no_group_of_columns(tmp_path: Path) -> None:
    table = read_file(write(tmp_path, "# a;b;c;d\nt;temp;ph;do\nB1;1;2;3\nB2;4;5;6\n")).tables[0]
    assert [c.group for c in table.columns] == [""] * 4


def test_data_stated_below_the_header_means_no_unit_row(tmp_path: Path) -> None:
    path = write(tmp_path, "name;temp\n;degC\nB1;20\n")
    assert read_file(path, Layout(first_data_row=2)).tables[0].rows == [2, 3]


def test_a_group_is_spread_up_to_the_next_one(tmp_path: Path) -> None:
    content = "Cells;;Media;\nvcd;via;glc;lac\n1;2;3;4\n5;6;7;8\n"
    table = read_file(write(tmp_path, content)).tables[0]
    assert [c.group for c in table.columns] == ["Cells", "Cells", "Media", "Media"]


def test_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    content = "Report;;\nLine 3;;\n;;\nbatch;temp;ph\nB1;20;7\nB2;21;7\n"
    table = read_file(write(tmp_path, content)).tables[0]
    assert (table.header_row, table.rows) == (4, [5, 6])


def test_what_was_detected_is_reported_and_what_was_stated_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b\n1;2\n")
    (layout,) = read_file(path).findings
    assert layout.found == "encoding utf-8, delimiter semicolon, header row 1"
    stated = Layout(header_row=1, delimiter=";", encoding="utf-8")
    assert read_file(path, stated).findings == ()


def test_a_file_of_numbers_alone_has_no_header_to_find(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_file(write(tmp_path, "1;2\n3;4\n"))
    assert caught.value.code == "file.header"


@pytest.mark.parametrize("layout", [Layout(header_row=9), Layout(header_row=1, first_data_row=1)])
def test_a_layout_that_does_not_fit_is_refused(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(InputError) as caught:
        read_file(write(tmp_path, "a;b\n1;2\n"), layout)
    assert caught.value.code == "file.layout"


def test_a_lone_text_below_a_blank_row_is_held_back(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a;b;c\n1;2;3\n;;\nprinted by line 3;;\n"))
    (footer,) = [f for f in reading.findings if f.rule == "table.trailing_text"]
    assert (footer.found, footer.effect) == ("printed by line 3", "held_back")
    assert reading.tables[0].rows == [2]


def test_a_lone_key_right_below_the_rows_stays_a_row(tmp_path: Path) -> None:
    assert read_file(write(tmp_path, "a;b;c\n1;2;3\n4;;\n")).tables[0].rows == [2, 3]


def test_a_column_without_header_and_value_is_not_there(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a;b;;\n1;2;;x\n"))
    assert [c.index for c in reading.tables[0].columns] == [0, 1, 3]
    assert [f.where.locator for f in reading.findings if f.rule == "table.blank_header"] == ["R1C4"]


def test_rule_ids_are_unique_and_their_severities_known() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert {rule.severity for rule in RULES} <= {1, 2, 3, 4}
