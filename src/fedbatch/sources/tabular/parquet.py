"""Parquet files as tables: flat columns of numbers, texts and times, each value as a text.

A number's text is the shortest that reads back to the same number, and in a column of binary numbers
of up to nine decimals zeros behind it make the decimals equal; a time is written as
`2026-02-01 06:15:00`, with `.%f` where a column has parts of seconds, and with `Z` where the file
says that it is UTC. The column names count as row 1, so that a value's place is `R<row>C<column>`.

The file's footer and page headers are read first, by our own decoder: what they unfold into is
known before a library is asked to do it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from fedbatch.errors import InputError
from fedbatch.series.blocks import Column
from fedbatch.series.decimals import column_of_doubles, column_of_integers
from fedbatch.series.footer import read_footer
from fedbatch.sources.tabular.grid import Grid
from fedbatch.sources.tabular.guards import Bounds, Loaded

__all__ = ["EXTRACTOR", "ParquetColumn", "columns_of", "grid_of"]

EXTRACTOR = "parquet/1"
_DECIMALS_MAX = 9

_ERRORS = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ParquetColumn:
    """A column: what makes its texts (an Arrow array, "" for null), and its numbers if it holds such."""

    name: str
    rows: int
    texts: Callable[[], Any]
    numbers: Column | None = None


def columns_of(loaded: Loaded, bounds: Bounds) -> list[ParquetColumn]:
    """The columns of a file.

    Raises:
        InputError: file.damaged, file.columns, file.cells, file.too_large, file.parquet.
    """
    _check(loaded, bounds)
    try:
        table = parquet.read_table(pa.BufferReader(loaded.content))
    except _ERRORS as error:
        raise _damaged(loaded.name, str(error)) from error
    return [
        _column(loaded.name, name, table.column(name).combine_chunks())
        for name in table.column_names
    ]


def _column(file: str, name: str, array: Any) -> ParquetColumn:
    make = partial(_text_array, file, name, array)
    numbers = _numbers(array)
    if numbers is None:  # what cannot be written is said now, not when somebody asks
        texts = make()
        make = partial(_itself, texts)
    return ParquetColumn(name=name, rows=len(array), texts=make, numbers=numbers)


def _itself(texts: Any) -> Any:
    return texts


def _numbers(array: Any) -> Column | None:
    """The numbers of a column of 64 bits; of others the texts tell."""
    is_double = array.type == pa.float64()
    if not is_double and array.type != pa.int64():
        return None
    present = None
    if array.null_count:
        present = np.array(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
        array = array.fill_null(0)
    held = array.to_numpy(zero_copy_only=False)
    return column_of_doubles(held, present) if is_double else column_of_integers(held, present)


def grid_of(loaded: Loaded, bounds: Bounds) -> Grid:
    """The file as rows, for whoever reads it cell by cell.

    Raises:
        InputError: as `columns_of`.
    """
    columns = columns_of(loaded, bounds)
    names = tuple(column.name for column in columns)
    rows = list(zip(*(column.texts().to_pylist() for column in columns), strict=True))
    return Grid(rows=[names, *rows], scheme="row_column", extractor=EXTRACTOR)


def _check(loaded: Loaded, bounds: Bounds) -> None:
    try:
        footer = read_footer(loaded.content)
    except InputError as error:
        raise _damaged(loaded.name, error.found) from error
    if footer.columns > bounds.columns_max:
        raise InputError(
            f"at most {bounds.columns_max} columns",
            where=loaded.name,
            found=str(footer.columns),
            code="file.columns",
        )
    if footer.rows * footer.columns > bounds.text_cells_max:
        raise InputError(
            f"at most {bounds.text_cells_max} cells",
            where=loaded.name,
            found=f"{footer.rows} rows × {footer.columns} columns",
            advice="Export a shorter period at a time.",
            code="file.cells",
        )
    if footer.unfolded_bytes > bounds.text_bytes_max:
        raise InputError(
            f"at most {bounds.text_bytes_max} bytes unfolded",
            where=loaded.name,
            found=str(footer.unfolded_bytes),
            advice="Export a shorter period at a time.",
            code="file.too_large",
        )


def _text_array(file: str, name: str, array: Any) -> Any:
    type_ = array.type
    if pa.types.is_dictionary(type_):
        array = array.dictionary_decode()
        type_ = array.type
    if pa.types.is_timestamp(type_):
        array = _whole_seconds(array)
    elif not (
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_date(type_)
        or pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
    ):
        raise InputError(
            "columns of numbers, texts and times",
            where=f"{file}, column '{name[:80]}'",
            found=str(type_),
            advice="Export the table as CSV.",
            code="file.parquet",
        )
    try:
        texts = pc.fill_null(array.cast(pa.string()), "")
        return _evenly(texts) if pa.types.is_floating(type_) else texts
    except _ERRORS as error:
        raise _damaged(file, str(error)) from error


def _evenly(texts: Any) -> Any:
    """The texts of a column of binary numbers, all with as many decimals: `50.1` beside `50.25` is `50.10`.

    A binary number has no digits of its own, so that more zeros say nothing more; and a column that
    is written alike throughout is read at once. One with an exponent, or with numbers that are written
    out in full, is left as it is.
    """
    if pc.any(pc.match_substring_regex(texts, "[eEnNiI]")).as_py():
        return texts
    length, point = (
        np.asarray(found, dtype=np.int64)
        for found in (pc.binary_length(texts), pc.find_substring(texts, "."))
    )
    decimals = np.where(point < 0, 0, length - point - 1)
    most = int(decimals.max(initial=0))
    if not 0 < most <= _DECIMALS_MAX:
        return texts
    # What is missing: first for texts with a point, then for those without; a blank stays one.
    ends = ["0" * count for count in range(most + 1)] + [f".{'0' * most}", ""]
    missing = np.where(point < 0, most + 1, most - decimals)
    missing[length == 0] = most + 2
    added = pa.array(ends).take(pa.array(missing, pa.int64()))
    return pc.binary_join_element_wise(texts, added, "")


def _whole_seconds(array: Any) -> Any:
    """Times in seconds where none has a part of one: no zeros behind the point."""
    seconds = array.cast(pa.timestamp("s", array.type.tz), safe=False)
    is_same = pc.all(pc.equal(seconds.cast(array.type), array)).as_py()
    return (
        seconds
        if is_same is not False
        else array.cast(pa.timestamp("us", array.type.tz), safe=False)
    )


def _damaged(name: str, found: str) -> InputError:
    return InputError(
        "a Parquet file of flat columns that can be read",
        where=name,
        found=found[:200],
        advice="Copy it again, or export the table as CSV.",
        code="file.damaged",
    )
