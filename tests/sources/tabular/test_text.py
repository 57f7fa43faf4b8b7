import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.mapping.tables import Table
from fedbatch.sources.tabular import Layout, Reading, extract, open_for_extraction, read_file

FIRST = Layout(header_row=1, first_data_row=2, delimiter=",", encoding="utf-8")


def write(folder: Path, content: bytes | str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rules(reading: Reading) -> list[str]:
    return [finding.rule for finding in reading.findings]


def texts(table: Table) -> list[list[str]]:
    return [list(column.texts) for column in table.columns]


def refusal(path: Path, layout: Layout = Layout()) -> InputError:  # noqa: B008 - frozen
    with pytest.raises(InputError) as caught:
        read_file(path, layout)
    return caught.value


def test_texts_stay_verbatim(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "batch;value\nB1; 1,50 \nB2;<0.05\nB3;007\n"))
    assert texts(reading.tables[0]) == [["B1", "B2", "B3"], [" 1,50 ", "<0.05", "007"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_quotes_and_line_breaks_in_cells_are_read_with_any_line_end(
    tmp_path: Path, end: str
) -> None:
    content = end.join(["a,b", f'"x{end}y","say ""no"""', "1,2", ""])
    table = read_file(write(tmp_path, content)).tables[0]
    assert texts(table) == [[f"x{end}y", "1"], ['say "no"', "2"]]
    assert table.rows == [2, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marked_and_plain_unicode_is_read_without_being_told(tmp_path: Path, encoding: str) -> None:
    table = read_file(write(tmp_path, "temp °C,µg\n1,2\n".encode(encoding))).tables[0]
    assert [column.header for column in table.columns] == ["temp °C", "µg"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_a_stated_encoding_is_used(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "temp °C,µg\n1,2\n".encode(encoding))
    table = read_file(path, Layout(encoding=encoding)).tables[0]
    assert [column.header for column in table.columns] == ["temp °C", "µg"]


def test_latin_1_is_never_assumed(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "temp °C;a\n1;2\n".encode("latin-1")))
    assert error.code == "file.encoding"
    assert all(name in str(error) for name in ("latin-1", "cp1252", "utf-16"))


def test_an_encoding_that_is_no_text_encoding_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    assert refusal(path, Layout(encoding="unicode_escape")).code == "file.encoding"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semi", "tab", "bar"])
def test_the_delimiter_is_found_by_equal_cell_counts(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path, "\n".join(delimiter.join(row) for row in ("abc", "123", "456")) + "\n")
    assert len(read_file(path).tables[0].columns) == 3


def test_decimal_commas_are_no_delimiter(tmp_path: Path) -> None:
    table = read_file(write(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n")).tables[0]
    assert texts(table) == [["1,5", "3,5"], ["2,5", "4,5"]]
    column = read_file(write(tmp_path, "a\n1,5\n2,5\n")).tables[0].columns[0]
    assert list(column.texts) == ["1,5", "2,5"]


def test_two_possible_delimiters_are_asked_about(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "a,b;c,d\ne,f;g,h\n"))
    assert error.code == "file.delimiter"
    assert "comma, semicolon" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        "# Basel, Switzerland, line 3\n# a, b\nt;temp\nx;37,0\ny;37,1\n",
        "# a, b, c\n" * 40 + "t;temp\nx;37,0\ny;37,1\n",
        "# a, b\n# t;temp\nx;37,0\ny;37,1\n",
    ],
)
def test_remarks_above_a_table_say_nothing_of_its_delimiter(tmp_path: Path, content: str) -> None:
    table = read_file(write(tmp_path, content)).tables[0]
    assert texts(table) == [["x", "y"], ["37,0", "37,1"]]


def test_a_delimiter_nobody_uses_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a:b\n1:2\n")
    assert refusal(path, Layout(delimiter=":")).code == "file.delimiter"


def test_a_sep_line_is_obeyed_and_keeps_row_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "sep=;\r\na;b,x\r\n1;2,5\r\n")
    table = read_file(path).tables[0]
    assert (table.header_row, table.rows, texts(table)) == (2, [3], [["1"], ["2,5"]])
    assert extract(path, "row_column", "R3C2") == "2,5"


def test_blank_rows_are_left_out_and_reported_where_they_stand(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,b\n1,2\n,\n\n3,4\n"))
    blank = [f.where.locator for f in reading.findings if f.rule == "table.blank_row"]
    assert (reading.tables[0].rows, blank) == ([2, 5], ["R3C1", "R4C1"])


def test_findings_of_one_rule_are_bounded_and_the_rest_is_counted(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,b\n1,2\n" + ",\n" * 1_500 + "3,4\n"))
    blank = [f for f in reading.findings if f.rule == "table.blank_row"]
    assert (len(blank), blank[-1].found) == (1_001, "500 more of the same")


def test_short_rows_keep_their_cells_where_they_are_and_longer_ones_are_held_back(
    tmp_path: Path,
) -> None:
    """A decimal comma moves what follows it: nothing of such a row can be believed."""
    path = write(tmp_path, "a,b\n1,2\n3\n4,5,6\n7,8,\n")
    reading = read_file(path, Layout(delimiter=","))
    assert texts(reading.tables[0])[:2] == [["1", "3", "7"], ["2", "", "8"]]
    ragged = [
        (f.where.locator, f.effect, f.found) for f in reading.findings if f.rule == "table.ragged"
    ]
    assert ragged == [
        ("R4C3", "held_back", "3 cells"),
        ("R3C1", "none", "1 cells"),
        ("R5C3", "none", "3 cells"),
    ]
    assert extract(path, "row_column", "R4C3", Layout(delimiter=",")) == "6"


def test_rows_that_are_longer_throughout_have_a_column_without_a_header(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,b\n1,2,3\n4,5,6\n"), Layout(delimiter=","))
    assert texts(reading.tables[0]) == [["1", "4"], ["2", "5"], ["3", "6"]]


def test_duplicate_headers_are_both_read(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,x,x\n1,2,3\n"))
    assert [(c.index, c.header) for c in reading.tables[0].columns] == [
        (0, "a"),
        (1, "x"),
        (2, "x"),
    ]
    assert [f.where.locator for f in reading.findings if f.rule == "table.duplicate_header"] == [
        "R1C3"
    ]


def test_a_header_is_kept_with_its_spaces(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a ,b\n1,2\n"))
    assert reading.tables[0].columns[0].header == "a "
    assert "table.whitespace_header" in rules(reading)


def test_a_header_without_rows_is_a_table_without_rows(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,b\n"))
    assert texts(reading.tables[0]) == [[], []]
    assert "table.no_rows" in rules(reading)


@pytest.mark.parametrize(
    "tail", ["3", '3,"4', '"3,4\n5'], ids=["short", "open quote", "open quote over lines"]
)
def test_a_row_cut_off_is_held_back_and_the_rest_is_read(tmp_path: Path, tail: str) -> None:
    reading = read_file(write(tmp_path, f"a,b\n1,2\n{tail}"), Layout(delimiter=","))
    cut = [f for f in reading.findings if f.rule == "file.truncated"]
    assert texts(reading.tables[0]) == [["1"], ["2"]]
    assert [(f.severity, f.effect) for f in cut] == [(1, "held_back")]


def test_a_character_cut_off_is_a_row_cut_off(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,b\n1,2\n3,4 µ".encode()[:-1]))
    assert texts(reading.tables[0]) == [["1"], ["2"]]
    assert "file.truncated" in rules(reading)


def test_a_whole_last_row_without_line_end_is_read_and_mentioned(tmp_path: Path) -> None:
    reading = read_file(write(tmp_path, "a,b\n1,2\n3,4"))
    assert texts(reading.tables[0]) == [["1", "3"], ["2", "4"]]
    assert "file.unended_line" in rules(reading)
    assert "file.truncated" not in rules(reading)


def test_a_whole_file_gives_no_finding_but_the_layout(tmp_path: Path) -> None:
    assert rules(read_file(write(tmp_path, "a,b\n1,2\n3,4\n"))) == ["table.layout"]
    assert rules(read_file(write(tmp_path, "a,b\n1,2\n3,4\n"), FIRST)) == []


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_what_is_written_is_read_and_found_again(
    tmp_path: Path, rows: list[tuple[str, str, str]]
) -> None:
    page = io.StringIO(newline="")
    csv.writer(page, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    path = write(tmp_path, page.getvalue())
    reading = read_file(path, FIRST)
    (table,) = reading.tables
    held_back = {f.where.locator for f in reading.findings if f.effect == "held_back"}
    extraction = open_for_extraction(path, FIRST)
    by_row = {row: cells for row, cells in enumerate(rows, start=2) if any(map(str.strip, cells))}
    assert set(by_row) - set(table.rows) == {int(re.split("[RC]", place)[1]) for place in held_back}
    for column in table.columns:
        assert list(column.texts) == [by_row[row][column.index] for row in table.rows]
        for row, text in zip(table.rows, column.texts, strict=True):
            assert extraction.text("row_column", table.locator(row, column.index)) == text


@pytest.mark.parametrize(
    ("scheme", "locator", "code"),
    [
        ("cell", "a!B2", "locator.scheme"),
        ("row_column", "B2", "locator.form"),
        ("row_column", "R0C1", "locator.form"),
        ("row_column", "R9C1", "locator.outside"),
    ],
)
def test_a_locator_that_names_no_cell_is_refused(
    tmp_path: Path, scheme: str, locator: str, code: str
) -> None:
    with pytest.raises(InputError) as caught:
        extract(write(tmp_path, "a,b\n1,2\n"), scheme, locator)
    assert caught.value.code == code
