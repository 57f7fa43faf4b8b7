import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from fedbatch.errors import InputError
from fedbatch.series.decimals import read_decimals
from fedbatch.sources.tabular import Bounds, extract, is_whole, read_columns, read_file

AT = dt.datetime(2026, 2, 1, 6, 15, tzinfo=dt.UTC)


def write(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(
        tmp_path / "log.parquet",
        time=pa.array([AT.replace(tzinfo=None), None], pa.timestamp("us")),
        zoned=pa.array([AT, AT + dt.timedelta(milliseconds=5)], pa.timestamp("ms", "UTC")),
        day=pa.array([AT.date(), None], pa.date32()),
        double=pa.array([0.1, 100.0]),
        single=pa.array([0.1, 1e30], pa.float32()),
        whole=pa.array([2**53 + 1, None], pa.int64()),
        text=pa.array(["I/O Timeout", ""]),
        coded=pa.array(["x", "y"]).dictionary_encode(),
    )


TOLD = {
    "time": ["2026-02-01 06:15:00", ""],
    "zoned": ["2026-02-01 06:15:00.000000Z", "2026-02-01 06:15:00.005000Z"],
    "day": ["2026-02-01", ""],
    "double": ["0.1", "100.0"],
    "single": ["0.1", "1e+30"],
    "whole": ["9007199254740993", ""],
    "text": ["I/O Timeout", ""],
    "coded": ["x", "y"],
}


def test_values_are_the_shortest_texts_that_say_the_same(path: Path) -> None:
    (table,) = read_file(path).tables
    assert {column.header: list(column.texts) for column in table.columns} == TOLD
    assert (table.header_row, list(table.rows), table.scheme) == (1, [2, 3], "row_column")


def test_binary_numbers_are_written_with_equal_decimals_unless_one_has_an_exponent(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path / "a.parquet",
        even=[50.1, -3.0, None, 50.25],
        whole=[1.0, 2.0, None, 3.0],
        large=[0.5, 1e30, None, 2.25],
        odd=[0.5, float("nan"), float("inf"), 2.25],
    )
    (table,) = read_file(path).tables
    assert {column.header: list(column.texts) for column in table.columns} == {
        "even": ["50.10", "-3.00", "", "50.25"],
        "whole": ["1", "2", "", "3"],
        "large": ["0.5", "1e+30", "", "2.25"],
        "odd": ["0.5", "nan", "inf", "2.25"],
    }


def test_columns_read_whole_are_those_read_by_cell(path: Path) -> None:
    whole, by_cell = read_columns(path), read_file(path)
    assert whole is not None
    assert whole.file == by_cell.file
    (one,), (other,) = whole.tables, by_cell.tables
    assert [list(column.texts) for column in one.columns] == [
        list(column.texts) for column in other.columns
    ]
    assert list(one.rows) == list(other.rows)


def test_a_place_leads_back_to_its_text(path: Path) -> None:
    assert extract(path, "row_column", "R3C4") == "100.0"
    assert extract(path, "row_column", "R1C6") == "whole"
    with pytest.raises(InputError) as refusal:
        extract(path, "row_column", "R4C1")
    assert refusal.value.code == "locator.outside"


def test_a_parquet_file_is_never_shared_as_whole(path: Path) -> None:
    """It can hold notes beside its data, so that nobody can say it holds rows alone."""
    assert not is_whole(path)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"nested": pa.array([[1, 2], [3]])}, "file.damaged"),
        ({"struct": pa.array([{"a": 1}])}, "file.damaged"),
        ({"bytes": pa.array([b"\xff\xfe"])}, "file.parquet"),
        ({"truth": pa.array([True, False])}, "file.damaged"),
    ],
    ids=["lists", "structs", "bytes", "truth"],
)
def test_what_is_no_table_of_values_is_refused(
    tmp_path: Path, columns: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as refusal:
        read_file(write(tmp_path / "a.parquet", **columns))
    assert refusal.value.code == code
    assert "a.parquet" in str(refusal.value)


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (Bounds(columns_max=7), "file.columns"),
        (Bounds(text_cells_max=15), "file.cells"),
        (Bounds(text_bytes_max=100), "file.too_large"),
        (Bounds(workbook_bytes_max=100), "file.too_large"),
    ],
    ids=["columns", "cells", "unfolded", "bytes"],
)
def test_bounds_hold_before_anything_is_unfolded(path: Path, bounds: Bounds, code: str) -> None:
    for read in (read_file, read_columns):
        with pytest.raises(InputError) as refusal:
            read(path, bounds=bounds)
        assert refusal.value.code == code


def test_a_cut_file_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for length in (4, 12, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_file(path)


def test_damaged_bytes_are_refused_or_read_but_break_nothing(path: Path) -> None:
    content, chance = path.read_bytes(), np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[int(chance.integers(4, len(content) - 4))] ^= 1 << int(chance.integers(8))
        path.write_bytes(damaged)
        try:
            read_file(path)
        except InputError:
            refused += 1
    assert refused > 100


def test_numbers_of_a_column_are_what_its_texts_are_read_as(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        even=[50.1, -3.0, None, 50.25],
        whole=pa.array([7, None, -(10**17), 0], pa.int64()),
        full=[1149.9390870455668, 0.5, None, -3.0],
        empty=pa.array([None, None, None, None], pa.float64()),
    )
    reading = read_columns(path)
    assert reading is not None
    for column in reading.tables[0].columns:
        assert column.numbers is not None, column.header
        read = read_decimals(pa.array(list(column.texts)))
        assert not read.unread
        assert column.numbers.scale == read.column.scale, column.header
        assert column.numbers.numbers.tolist() == read.column.numbers.tolist()
        present, told = column.numbers.present, read.column.present
        assert (present is None) == (told is None)
        assert present is None or told is None or present.tolist() == told.tolist()


def test_what_only_texts_can_tell_has_no_numbers(path: Path, tmp_path: Path) -> None:
    odd = write(tmp_path / "odd.parquet", odd=[0.5, float("nan")], zero=[-0.0, 1.0])
    for file in (path, odd):
        reading = read_columns(file)
        assert reading is not None
        told = {column.header for column in reading.tables[0].columns if column.numbers is None}
        assert told == set(TOLD) - {"double", "whole"} if file == path else {"odd", "zero"}
