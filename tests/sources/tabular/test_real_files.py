"""Other people's files, where they are at hand: see the README of the data folder."""

from collections import Counter
from pathlib import Path

import pytest

from fedbatch.mapping.tables import Table
from fedbatch.sources.tabular import Extraction, Layout, Reading, open_for_extraction, read_file


def assert_found_again(table: Table, extraction: Extraction) -> None:
    for column in table.columns:
        places = [table.locator(row, column.index) for row in table.rows]
        assert [extraction.text(table.scheme, place) for place in places] == list(column.texts)


def count(reading: Reading) -> Counter[str]:
    return Counter(finding.rule for finding in reading.findings)


def test_each_cell_of_the_laboratory_table_is_found_again(test_data: Path) -> None:
    path = test_data / "zagar2022" / "Laboratory.csv"
    table = read_file(path).tables[0]
    assert (len(table.rows), len(table.columns)) == (1_005, 55)
    assert_found_again(table, open_for_extraction(path))


def test_rows_with_keys_and_no_values_stay_rows(test_data: Path) -> None:
    table = read_file(test_data / "zagar2022" / "Process" / "5.csv").tables[0]
    valueless = [
        row for row in zip(*(c.texts for c in table.columns[4:]), strict=True) if not any(row)
    ]
    assert (len(table.rows), len(valueless)) == (45_547, 57)


def test_a_latin_1_export_is_read_when_the_encoding_is_stated(test_data: Path) -> None:
    path = test_data / "dasgip" / "tests" / "testfiles" / "v4_20180726.Control.csv"
    layout = Layout(encoding="latin-1", delimiter=";", header_row=2, first_data_row=3)
    assert len(read_file(path, layout).tables[0].rows) > 6_000


def test_a_group_row_tells_equal_headers_apart(test_data: Path) -> None:
    path = test_data / "cdppy-cho" / "Package_input_Template.xlsx"
    reading = read_file(path, Layout(sheet="Measured Data"))
    headers = Counter(column.header for column in reading.tables[0].columns)
    assert sum(times == 3 for times in headers.values()) == 24
    assert count(reading)["table.duplicate_header"] == 0


def test_run_curve_and_unit_rows_of_a_legacy_workbook(test_data: Path) -> None:
    path = test_data / "akta" / "unicorn5_export_Protein_A.xls"
    reading = read_file(path)
    table = reading.tables[0]
    assert [(c.group, c.header, c.unit) for c in table.columns[:2]] == [
        ("10", "Protein C001:10_UV", "ml"),
        ("10", "", " mAU"),
    ]
    assert count(reading)["table.errors_invisible"] == 1
    assert_found_again(table, open_for_extraction(path))


def test_a_workbook_with_a_broken_style_is_read_and_its_hidden_row_flagged(
    test_data: Path,
) -> None:
    folder = test_data / "allotropy" / "tests" / "parsers" / "beckman_vi_cell_xr" / "testdata"
    path = folder / "v2.06" / "style_fill_incorrect.xlsx"
    layout = Layout(header_row=5, unit_row=6)
    table = read_file(path, layout).tables[0]
    assert table.hidden_rows == {7}
    assert table.columns[3].unit == "(microns)"
    assert_found_again(table, open_for_extraction(path))


def test_cached_values_stand_for_formulas(test_data: Path) -> None:
    path = test_data / "pyphi" / "examples" / "Batch analysis" / "Batch Film Coating.xlsx"
    reading = read_file(path)
    assert all(reading.tables[0].columns[8].texts)
    assert count(reading)["table.formula"] == 1_001
    assert_found_again(reading.tables[0], open_for_extraction(path))


@pytest.mark.parametrize("sheet", ["22-05", "06-06"])
def test_times_of_day_stay_as_they_were_typed(test_data: Path, sheet: str) -> None:
    path = test_data / "biostat-mfcs" / "2024.05-06_Biostat_OD.xlsx"
    times = read_file(path, Layout(sheet=sheet)).tables[0].columns[0].texts
    assert times[0] in {"8h20", "18h00"}
