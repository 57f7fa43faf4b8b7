"""Plain texts read in columns are what they are cell by cell; what is not plain is left to that."""

from pathlib import Path

import pytest

from fedbatch.errors import InputError
from fedbatch.sources.tabular import Layout, read_columns, read_file

MANY = 40_000


def lines(mark: str = ",", end: str = "\n", *, header: str = "batch{0}T °C{0}x") -> str:
    rows = [header.format(mark), *(f"B{at % 3}{mark}{at}.5{mark}" for at in range(MANY))]
    return end.join([*rows, ""])


@pytest.mark.parametrize(
    ("mark", "end"), [(",", "\n"), (";", "\n"), ("\t", "\r\n")], ids=["comma", "semicolon", "tab"]
)
def test_columns_are_those_read_cell_by_cell(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(lines(mark, end).encode())
    whole, by_cell = read_columns(path), read_file(path)
    assert whole is not None
    assert whole.file == by_cell.file
    (one,), (other,) = whole.tables, by_cell.tables
    assert (one.header_row, list(one.rows)) == (other.header_row, list(other.rows))
    assert [(c.header, list(c.texts)) for c in one.columns] == [
        (c.header, list(c.texts)) for c in other.columns
    ]


def test_blank_rows_are_left_out_and_reported_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(lines() + "\nB1,1,\n , ,\nB2,2,\n\n")
    whole, by_cell = read_columns(path), read_file(path)
    assert whole is not None
    (one,), (other,) = whole.tables, by_cell.tables
    assert list(one.rows) == list(other.rows)
    assert [list(c.texts) for c in one.columns] == [list(c.texts) for c in other.columns]
    blank = [item for item in whole.findings if item.rule == "table.blank_row"]
    assert blank == [item for item in by_cell.findings if item.rule == "table.blank_row"]
    assert len(blank) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("latin-1"),
        lambda text: text.encode() + b"B1,\xff,\n",
        lambda text: text.encode() + b'B1,"1,5",\n',
        lambda text: text.encode() + b"B1,1,2,3\n",
        lambda text: text.encode() + b"B1,1\rB2,2,\n",
        lambda text: text.encode() + b"B1,1,",
    ],
    ids=["latin-1", "no UTF-8", "quoted", "ragged", "lone CR", "no last end"],
)
def test_what_is_not_plain_is_left_to_be_read_by_cell(tmp_path: Path, change: object) -> None:
    path = tmp_path / "a.csv"
    assert callable(change)
    path.write_bytes(change(lines()))
    assert read_columns(path) is None


def test_an_encoding_that_is_stated_is_left_to_be_read_by_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(lines().encode("latin-1"))
    layout = Layout(encoding="latin-1")
    assert read_columns(path, layout) is None
    assert read_file(path, layout).tables[0].columns[1].header == "T °C"
    with pytest.raises(InputError):
        read_file(path)
