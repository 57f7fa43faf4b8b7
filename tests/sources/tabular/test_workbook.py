import datetime as dt
import io
import math
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind, Column
from fedbatch.sources.tabular import Layout, Reading, extract, list_sheets, read_file
from fedbatch.sources.tabular.workbook import number_text

K = CellKind


def build(folder: Path, fill: Callable[[Worksheet], object]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Data"
    sheet.append(["batch", "value"])
    fill(sheet)
    path = folder / "a.xlsx"
    book.save(path)
    return path


def edit(path: Path, part: str, old: str, new: str) -> Path:
    """Rewrite one part: what spreadsheet programs store and openpyxl does not write."""
    page = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(page, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == part:
                changed = re.sub(old.encode(), new.encode(), content)
                assert changed != content
                content = changed
            target.writestr(name, content)
    path.write_bytes(page.getvalue())
    return path


def value(reading: Reading) -> tuple[str, CellKind]:
    column = reading.tables[0].columns[1]
    return column.texts[0], column.kinds[0] if column.kinds else K.TEXT


def found(reading: Reading, rule: str) -> list[tuple[str, str]]:
    return [(f.where.locator, f.found) for f in reading.findings if f.rule == rule]


def read_value(folder: Path, given_value: str | float, number_format: str = "General") -> Reading:
    def fill(sheet: Worksheet) -> None:
        sheet.append(["B1", given_value])
        sheet["B2"].number_format = number_format

    return read_file(build(folder, fill))


@pytest.mark.parametrize(
    ("stored", "shown", "text", "kind"),
    [
        (5.0, "General", "5", K.NUMBER),
        (1 / 3, "0.00", "0.3333333333333333", K.NUMBER),
        (0.05, "0%", "0.05", K.NUMBER),
        (True, "General", "TRUE", K.BOOLEAN),
        ("007", "@", "007", K.TEXT),
        (" 1,5 ", "General", " 1,5 ", K.TEXT),
        ("#N/A", "General", "#N/A", K.ERROR),
        (45467, "yyyy-mm-dd", "2024-06-24", K.DATE),
        (45467, "yyyy-mm-dd hh:mm", "2024-06-24T00:00:00", K.DATE),
        (45467.5, "yyyy-mm-dd", "2024-06-24T12:00:00", K.DATE),
        (45467 + 1 / 3, "yyyy-mm-dd hh:mm", "2024-06-24T08:00:00", K.DATE),
        (0.5, "hh:mm", "12:00:00", K.DATE),
        (1.5, "[h]:mm", "1.5", K.NUMBER),
    ],
)
def test_a_cell_is_what_is_stored(
    tmp_path: Path, stored: str | float, shown: str, text: str, kind: CellKind
) -> None:
    reading = read_value(tmp_path, stored, shown)
    assert value(reading) == (text, kind)
    assert reading.tables[0].columns[1].formats == (shown,)


@pytest.mark.parametrize("serial", [60, 0, -3, 1e9])
def test_a_serial_that_is_no_day_stays_a_number(tmp_path: Path, serial: float) -> None:
    reading = read_value(tmp_path, serial, "yyyy-mm-dd")
    assert value(reading)[1] is K.NUMBER
    assert len(found(reading, "table.date_range")) == 1


def test_the_epoch_of_1904_is_honoured(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(["batch", "value"])
    sheet.append(["B1", dt.datetime(2024, 6, 24)])  # noqa: DTZ001 - a workbook knows no zone
    book.save(tmp_path / "a.xlsx")
    assert value(read_file(tmp_path / "a.xlsx"))[0].startswith("2024-06-24")


def test_milliseconds_are_kept_and_nothing_finer_is_made_up(tmp_path: Path) -> None:
    reading = read_value(tmp_path, 45467.395831134264, "yyyy-mm-dd hh:mm:ss")
    assert value(reading)[0] == "2024-06-24T09:29:59.810"


@settings(max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_text_reads_back_to_the_same_binary64(number: float) -> None:
    text = number_text(repr(number))
    assert math.copysign(1, float(text)) == math.copysign(1, number)
    assert float(text) == number
    assert not text.endswith(".0")


@pytest.mark.parametrize("text", ["nan", "1_0", "inf", "1e999", " ", "0x1"])
def test_what_is_no_finite_decimal_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        number_text(text)


def test_a_formula_gives_its_cached_value_and_is_reported(tmp_path: Path) -> None:
    path = build(tmp_path, lambda sheet: sheet.append(["B1", "=1+1"]))
    assert value(read_file(path)) == ("", K.FORMULA)
    edit(path, "xl/worksheets/sheet1.xml", r"<v ?/>|<v></v>", "<v>2.0</v>")
    reading = read_file(path)
    assert value(reading) == ("2", K.FORMULA)
    assert found(reading, "table.formula") == [("Data!B2", "=1+1")]
    assert extract(path, "cell", "Data!B2") == "2"


def test_a_shared_formula_is_shown_as_it_stands_in_each_cell(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        for number in (2, 3):
            sheet.append([number, f"=A{number}"])

    path = build(tmp_path, fill)
    sheet = "xl/worksheets/sheet1.xml"
    edit(path, sheet, "<f>A2</f>", '<f t="shared" ref="B2:B3" si="0">A2</f>')
    edit(path, sheet, "<f>A3</f>", '<f t="shared" si="0"/>')
    assert found(read_file(path), "table.formula") == [("Data!B2", "=A2"), ("Data!B3", "=A3")]


def test_an_error_cell_is_no_value_even_from_a_formula(tmp_path: Path) -> None:
    path = build(tmp_path, lambda sheet: sheet.append(["B1", "=1/0"]))
    edit(path, "xl/worksheets/sheet1.xml", '(r="B2")', r'\1 t="e"')
    edit(path, "xl/worksheets/sheet1.xml", r"<v ?/>|<v></v>", "<v>#DIV/0!</v>")
    reading = read_file(path)
    assert value(reading) == ("#DIV/0!", K.ERROR)
    assert found(reading, "table.error_cell") == [("Data!B2", "#DIV/0!")]


def test_hidden_rows_and_columns_are_read_and_flagged(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append(["B1", 1])
        sheet.append(["B2", 2])
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["B"].hidden = True

    reading = read_file(build(tmp_path, fill))
    assert reading.tables[0].hidden_rows == {3}
    assert list(reading.tables[0].columns[1].texts) == ["1", "2"]
    assert len(found(reading, "table.hidden_row")) == 1
    assert len(found(reading, "table.hidden_column")) == 1


def test_a_merged_value_stands_once(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append(["B1", 1])
        sheet.append([None, 2])
        sheet.merge_cells("A2:A3")

    reading = read_file(build(tmp_path, fill))
    assert list(reading.tables[0].columns[0].texts) == ["B1", ""]
    assert found(reading, "table.merged_cell") == [("Data!A2", "merged to Data!A3")]


def test_a_merged_group_row_names_each_column_of_its_span(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in (["batch", "Run 1", None, "Run 2"], [None, "ph", "do", "ph"], ["B1", 7, 40, 7]):
        sheet.append(row)
    sheet.merge_cells("A1:A2")
    sheet.merge_cells("B1:C1")
    book.save(tmp_path / "a.xlsx")

    def names(column: Column) -> tuple[str, str]:
        return column.group, column.header

    reading = read_file(tmp_path / "a.xlsx")
    assert list(map(names, reading.tables[0].columns)) == [
        ("", "batch"),
        ("Run 1", "ph"),
        ("Run 1", "do"),
        ("Run 2", "ph"),
    ]
    assert found(reading, "table.duplicate_header") == []


def test_rows_left_out_of_the_sheet_are_blank_rows(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet["A2"], sheet["A4"] = "B1", "B2"

    reading = read_file(build(tmp_path, fill))
    assert reading.tables[0].rows == [2, 4]
    assert [where for where, _ in found(reading, "table.blank_row")] == ["Data!A3"]


def test_of_several_sheets_one_must_be_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name in ("one", "it's!two"):
        sheet = book.create_sheet(name)
        sheet.append(["a", "b"])
        sheet.append([name, 1])
        sheet.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    assert list_sheets(tmp_path / "a.xlsx") == ("Sheet", "one", "it's!two")
    with pytest.raises(InputError, match="Sheet, one, it's!two") as caught:
        read_file(tmp_path / "a.xlsx")
    assert caught.value.code == "workbook.sheet"
    table = read_file(tmp_path / "a.xlsx", Layout(sheet="it's!two")).tables[0]
    assert extract(tmp_path / "a.xlsx", "cell", table.locator(2, 0)) == "it's!two"


def test_a_workbook_named_csv_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = build(tmp_path, lambda sheet: sheet.append(["B1", 1]))
    reading = read_file(path.rename(tmp_path / "a.csv"))
    assert value(reading) == ("1", K.NUMBER)
    assert found(reading, "file.kind_mismatch") == [("", "xlsx")]
