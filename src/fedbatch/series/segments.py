"""Segments: blocks as Parquet, and the hash that outlives an encoding (STANDARD S23 to S25).

Written: zstd, no dictionary, times and scaled integers as deltas, doubles as split byte streams. Read:
whatever encoding holds the same fields. A segment comes from a partner: `footer` checks its structure
and sizes before a library sees it, and texts are read as codes so that a short file cannot unfold into
long columns.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from typing_extensions import Buffer

from fedbatch.errors import InputError, IntegrityError
from fedbatch.series.arrow import arrow, parquet
from fedbatch.series.blocks import (
    DIGITS_MAX,
    NUMBER_MAX,
    Block,
    Column,
    ColumnPoints,
    Flags,
    Integers,
    Mark,
    Numbers,
    column_points,
    slice_rows,
)
from fedbatch.series.decimals import numbers_as_written
from fedbatch.series.footer import read_footer
from fedbatch.standard.canonical import encode
from fedbatch.standard.records import SeriesParameter

__all__ = [
    "CELLS_MAX",
    "SEGMENT_BYTES_MAX",
    "arrow_table",
    "points_hash",
    "read_segment",
    "split_block",
    "write_segment",
]

SEGMENT_BYTES_MAX = 64 * 2**20
# Rows × columns: what a node unfolds in memory for one segment stays near 130 MB.
CELLS_MAX = 2**24
_COLUMNS_MAX = 3_000
# As the footer declares it: eight bytes a cell, and as much again for texts.
_UNFOLDED_BYTES_MAX = 2 * 8 * CELLS_MAX
_METADATA_BYTES_MAX = 4 * 2**20
_TEXT_BYTES_MAX = 65_535
_LAYOUT = 1
_SHORT_DIGITS = 9
_TIMES = arrow.timestamp("us", tz="UTC")
_TEXTS = arrow.string()


# ---- writing


def write_segment(
    block: Block,
    *,
    ledger: str,
    series: str,
    parameters: Sequence[SeriesParameter] | Sequence[Mapping[str, object]],
) -> bytes:
    """A block as a segment; the same block gives the same bytes under one version of the library.

    Raises:
        InputError: `segment.size`: more than 64 MiB or 2^24 cells (`split_block` first);
            `segment.content`: a number of more than 18 digits, or one that is not finite.
    """
    fields = dict(_fields(block))
    if block.times.size * len(fields) > CELLS_MAX:
        raise _too_large(f"{block.times.size} rows × {len(fields)} columns")
    note = {"layout": _LAYOUT, "ledger": ledger, "parameters": parameters, "series": series}
    table = arrow.table(fields)
    sink = arrow.BufferOutputStream()
    writer = parquet.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        store_schema=False,  # it would repeat the fields, and a reader need not trust it
        store_decimal_as_integer=True,
        write_statistics=["t"],
        column_encoding={name: _encoding(field.type) for name, field in fields.items()},
    )
    with writer:
        writer.write_table(table, row_group_size=max(1, block.times.size))
        writer.add_key_value_metadata({"fedbatch": encode(note).decode()})
    content: bytes = sink.getvalue().to_pybytes()
    if len(content) > SEGMENT_BYTES_MAX:
        raise _too_large(f"{len(content)} bytes")
    return content


def _too_large(found: str) -> InputError:
    return InputError(
        f"a segment of at most {SEGMENT_BYTES_MAX} bytes and {CELLS_MAX} cells",
        found=found,
        code="segment.size",
    )


def _fields(block: Block) -> Iterator[tuple[str, Any]]:
    yield "t", _array(_TIMES, block.times)
    if block.rows is not None:
        yield "n", _array(arrow.int64(), block.rows)
    for name in sorted(block.columns):
        column = block.columns[name]
        yield name, _number_field(name, column)
        texts = [*_quality_texts(column.marks)], [*_raw_texts(column.marks)]
        for prefix, found in zip(("q.", "raw."), texts, strict=True):
            if found:
                yield prefix + name, _sparse(found, block.times.size)


def _array(type_: Any, numbers: Numbers, present: Flags | None = None) -> Any:
    flags = None
    if present is not None and not bool(present.all()):
        flags = arrow.py_buffer(np.packbits(present, bitorder="little"))
    content = arrow.py_buffer(np.ascontiguousarray(numbers))
    return arrow.Array.from_buffers(type_, numbers.size, [flags, content])


def _number_field(name: str, column: Column) -> Any:
    there = column.numbers if column.present is None else column.numbers[column.present]
    if column.scale is None:
        if not bool(np.isfinite(there).all()):
            raise InputError("finite numbers", where=name, found="others", code="segment.content")
        return _array(arrow.float64(), column.numbers, column.present)
    most = max(int(there.max(initial=0)), -int(there.min(initial=0)))
    if most > NUMBER_MAX:
        raise InputError(
            f"numbers of {DIGITS_MAX} digits", where=name, found=str(most), code="segment.content"
        )
    if most < 10**_SHORT_DIGITS and column.scale <= _SHORT_DIGITS:
        numbers: Any = np.where(_flags_of(column), column.numbers, 0).astype(np.int32)
        return _array(arrow.decimal32(_SHORT_DIGITS, column.scale), numbers, column.present)
    return _array(arrow.decimal64(DIGITS_MAX, column.scale), column.numbers, column.present)


def _flags_of(column: Column) -> Flags:
    return np.ones(column.numbers.size, np.bool_) if column.present is None else column.present


def _quality_texts(marks: Mapping[int, Mark]) -> Iterator[tuple[int, str]]:
    """By row: quality, and its code behind a space. A mark of nothing is a quality of nothing."""
    for row in sorted(marks):
        mark = marks[row]
        if mark.quality or mark.quality_code or not mark.raw:
            code = f" {mark.quality_code}" if mark.quality_code else ""
            yield row, mark.quality + code


def _raw_texts(marks: Mapping[int, Mark]) -> Iterator[tuple[int, str]]:
    return ((row, marks[row].raw) for row in sorted(marks) if marks[row].raw)


def _sparse(texts: list[tuple[int, str]], length: int) -> Any:
    rows = np.full(length, -1, dtype=np.int64)
    rows[[row for row, _ in texts]] = np.arange(len(texts))
    places = _array(arrow.int64(), np.maximum(rows, 0), rows >= 0)
    return arrow.array([text for _, text in texts], _TEXTS).take(places)


def _encoding(type_: Any) -> str:
    if type_ == _TEXTS:
        return "PLAIN"
    return "BYTE_STREAM_SPLIT" if type_ == arrow.float64() else "DELTA_BINARY_PACKED"


def arrow_table(block: Block, units: Mapping[str, str]) -> Any:
    """A block as an Arrow table with `time` first, each number column with its unit as metadata."""
    fields = dict(_fields(block))
    fields["time"] = fields.pop("t")
    names = ["time", *(name for name in fields if name not in {"time", "n"})]
    schema = arrow.schema(
        [
            arrow.field(
                name, fields[name].type, metadata={"unit": units[name]} if name in units else None
            )
            for name in names
        ]
    )
    return arrow.table([fields[name] for name in names], schema=schema)


def split_block(block: Block, bytes_max: int = SEGMENT_BYTES_MAX) -> Iterator[Block]:
    """The block in parts of which each fits a segment, rows of one time together where they can be.

    Raises:
        InputError: `segment.size`: a single row does not fit.
    """
    widths = 8 * (1 + (block.rows is not None) + len(block.columns))
    marks = sum(map(_mark_bytes, block.columns.values()), np.zeros(block.times.size, np.int64))
    # Encoded as wide as it can be: no guess at what compression saves, so that no part is too large.
    room = np.cumsum(np.int64(widths) + marks)
    first, limit = 0, min(bytes_max * 7 // 8, _UNFOLDED_BYTES_MAX)
    rows_max = max(1, CELLS_MAX // (2 + 3 * len(block.columns)))
    while first < block.times.size:
        before = int(room[first - 1]) if first else 0
        last = int(np.searchsorted(room, before + limit, side="right"))
        last = min(last, first + rows_max, block.times.size)
        if last == first:
            raise _too_large(f"a row of {int(room[first]) - before} bytes")
        yield slice_rows(block, first, last)
        first = last


def _mark_bytes(column: Column) -> Integers:
    found = np.zeros(column.numbers.size, dtype=np.int64)
    for row, mark in column.marks.items():
        found[row] = 16 + sum(len(text.encode()) for text in mark)
    return found


# ---- reading


def read_segment(content: bytes, *, ledger: str, series: str) -> Block:
    """The block in a segment.

    Raises:
        InputError: `segment.format`: not a segment (not Parquet, truncated, other fields or types);
            `segment.size`: larger than a segment may be, or unfolding into more;
            `segment.content`: times that fall, numbers that are not finite, texts that are too long.
        IntegrityError: `segment.other`: a segment of another ledger or series.
    """
    if len(content) > SEGMENT_BYTES_MAX:
        raise _too_large(f"{len(content)} bytes")
    footer = read_footer(content)
    if footer.columns > _COLUMNS_MAX or footer.rows * footer.columns > CELLS_MAX:
        raise _too_large(f"{footer.rows} rows × {footer.columns} columns")
    if footer.unfolded_bytes > _UNFOLDED_BYTES_MAX:
        raise _too_large(f"{footer.unfolded_bytes} bytes unfolded")
    _check_note(footer.notes, ledger, series)
    try:
        return _unfolded(content)
    except UnicodeDecodeError as error:
        raise _no_segment("texts that are not UTF-8") from error


def _unfolded(content: bytes) -> Block:
    types = {field.name: field.type for field in _open(content).schema_arrow}
    _check_fields(types)
    texts = [name for name, type_ in types.items() if type_ == _TEXTS]
    table = _read_table(content, texts)
    try:
        return _block_of(table, [name for name in types if "." in name and name not in texts])
    except InputError as error:
        if error.code.startswith("segment."):
            raise
        raise InputError(
            error.expected, where=error.where, found=error.found, code="segment.content"
        ) from error


_ARROW_ERRORS = (arrow.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError)


def _open(content: bytes) -> Any:
    try:
        return parquet.ParquetFile(arrow.BufferReader(content))
    except _ARROW_ERRORS as error:
        raise _no_segment("what is no Parquet file") from error


def _read_table(content: bytes, texts: list[str]) -> Any:
    try:
        file = parquet.ParquetFile(arrow.BufferReader(content), read_dictionary=texts)
        table = file.read(use_threads=False)
        table.validate(full=True)
    except _ARROW_ERRORS as error:
        raise _no_segment("content that does not match its footer") from error
    return table


def _no_segment(found: str, where: str = "") -> InputError:
    return InputError("a segment in Parquet", where=where, found=found, code="segment.format")


def _check_note(metadata: Mapping[bytes, bytes], ledger: str, series: str) -> None:
    note = metadata.get(b"fedbatch", b"")
    try:
        found = msgspec.json.decode(note[:_METADATA_BYTES_MAX], type=_Note)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_segment("no key 'fedbatch' that can be read") from error
    if found.layout != _LAYOUT:
        raise _no_segment(f"layout {found.layout}")
    if (found.ledger, found.series) != (ledger, series):
        raise IntegrityError("a segment of another ledger or series", code="segment.other")


class _Note(msgspec.Struct):
    layout: int
    ledger: str
    series: str


def _check_fields(types: Mapping[str, Any]) -> None:
    if types.get("t") != _TIMES:
        raise _no_segment(f"times of type {types.get('t')}", "t")
    for name, type_ in types.items():
        prefix, _, rest = name.partition(".")
        if name == "n":
            is_known = type_ == arrow.int64()
        elif prefix in {"q", "raw"} and rest in types:
            is_known = type_ == _TEXTS
        else:
            is_known = name == "t" or (bool(rest) and _is_number(type_))
        if not is_known:
            raise _no_segment(f"a field of type {type_}", name[:80])


def _is_number(type_: Any) -> bool:
    if arrow.types.is_decimal(type_):
        return bool(type_.precision <= DIGITS_MAX and 0 <= type_.scale <= type_.precision)
    return bool(type_ == arrow.float64())


def _block_of(table: Any, names: list[str]) -> Block:
    times = _whole(table, "t")
    rows = _whole(table, "n") if "n" in table.column_names else None
    columns = {name: _column_of(table, name) for name in names}
    return Block(times, columns, rows)


def _whole(table: Any, name: str) -> Integers:
    """A field of eight-byte integers without nulls."""
    array = _joined(table, name)
    if array.null_count:
        raise InputError("no null", where=name, found="null", code="segment.content")
    found: Integers = _view(array, np.int64)
    return found


def _joined(table: Any, name: str) -> Any:
    array = table.column(name).combine_chunks()
    if isinstance(array, arrow.ChunkedArray):
        array = arrow.concat_arrays(array.chunks) if array.num_chunks else array.chunk(0)
    return array


def _view(array: Any, kind: Any, width: int = 1) -> Any:
    """The numbers of an array, `width` words of them a row; what lies at nulls is not looked at."""
    content = array.buffers()[1]
    if content is None or not len(array):
        return np.empty(0, dtype=kind)
    found = np.frombuffer(content, dtype=kind)
    return found[array.offset * width : (array.offset + len(array)) * width]


def _column_of(table: Any, name: str) -> Column:
    array = _joined(table, name)
    present: Flags | None = None
    if array.null_count:
        present = np.array(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    numbers = _numbers_of(array)
    if present is not None:
        numbers = np.where(present, numbers, 0)
    if arrow.types.is_decimal(array.type):
        if bool((np.abs(numbers) > NUMBER_MAX).any()):
            raise InputError(
                f"numbers of {DIGITS_MAX} digits", where=name, found="more", code="segment.content"
            )
        return Column(array.type.scale, numbers, present, _marks_of(table, name))
    if not bool(np.isfinite(numbers).all()):
        raise InputError("finite numbers", where=name, found="others", code="segment.content")
    return Column(None, numbers, present, _marks_of(table, name))


def _numbers_of(array: Any) -> Any:
    """Numbers of a field in whichever width the library reads them."""
    width = array.type.bit_width
    if not arrow.types.is_decimal(array.type):
        return _view(array, np.float64)
    if width == 32:  # noqa: PLR2004 - the three widths of a decimal
        return _view(array, np.int32).astype(np.int64)
    # Of 16 bytes the lower 8 hold any number of 18 digits, with its sign.
    return np.ascontiguousarray(_view(array, np.int64, width // 64)[:: width // 64])


def _marks_of(table: Any, name: str) -> dict[int, Mark]:
    quality, raw = (_texts_of(table, prefix + name) for prefix in ("q.", "raw."))
    marks: dict[int, Mark] = {}
    known: dict[tuple[str, str], Mark] = {}
    for row in sorted(quality.keys() | raw.keys()):
        said = quality.get(row, ""), raw.get(row, "")
        if said not in known:
            words, _, code = said[0].partition(" ")
            known[said] = Mark(words, code, said[1])
        marks[row] = known[said]
    return marks


def _texts_of(table: Any, name: str) -> dict[int, str]:
    """By row the texts of a field that is read as codes."""
    if name not in table.column_names:
        return {}
    array = table.column(name).unify_dictionaries().combine_chunks()
    if isinstance(array, arrow.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else arrow.array([], array.type)
    texts: list[str] = array.dictionary.to_pylist()
    if any(len(text) > _TEXT_BYTES_MAX for text in texts):
        raise InputError("short texts", where=name, found="longer", code="segment.content")
    rows = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
    codes = array.indices.take(arrow.array(rows)).to_pylist()
    return dict(zip(rows.tolist(), map(texts.__getitem__, codes), strict=True))


# ---- the hash of the points


def points_hash(block: Block) -> str:
    """SHA-256 of the points, whatever bytes hold them (STANDARD S25), in hex.

    For each column that has points, by name: `[name, scale or "d", count]` and a line feed; all times,
    all numbers, eight bytes each, little-endian; then a line `[row,number,quality,quality_code,raw]`
    for each point without number, not good, or with `raw`. `row` counts the column's points; `number`
    is written as in `points` (STANDARD S38).
    """
    found = hashlib.sha256()
    for name in sorted(block.columns):
        points = column_points(block, name)
        if not points.times.size:
            continue
        scale = "d" if points.scale is None else points.scale
        found.update(encode([name, scale, points.times.size]) + b"\n")
        found.update(_little_endian(points.times, "<i8"))
        found.update(_numbers_hashed(points))
        found.update(_lines(points))
    return found.hexdigest()


def _numbers_hashed(points: ColumnPoints) -> Buffer:
    numbers = points.numbers
    if points.present is not None:
        numbers = np.where(points.present, numbers, 0)
    return _little_endian(numbers, "<f8" if points.scale is None else "<i8")


def _little_endian(numbers: Numbers, kind: str) -> Buffer:
    """The bytes of numbers, copied only where they lie otherwise."""
    return cast(Buffer, np.ascontiguousarray(numbers, dtype=kind))


def _lines(points: ColumnPoints) -> bytes:
    rows = np.fromiter(sorted(points.marks), dtype=np.int64, count=len(points.marks))
    if not rows.size:
        return b""
    written = numbers_as_written(points.numbers[rows], points.scale)
    if points.present is not None:
        there = points.present[rows].tolist()
        written = [text if is_there else "" for text, is_there in zip(written, there, strict=True)]
    return msgspec.json.Encoder().encode_lines(
        [
            (row, number, *points.marks[row])
            for row, number in zip(rows.tolist(), written, strict=True)
        ]
    )
