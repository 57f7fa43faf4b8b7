"""Points inline in entries: what a live source says, a few seconds at a time (STANDARD S38)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any, cast

import msgspec
import numpy as np

from fedbatch.errors import InputError
from fedbatch.series.blocks import (
    DIGITS_MAX,
    NUMBER_MAX,
    Block,
    Column,
    ColumnPoints,
    Flags,
    Floats,
    Integers,
    Mark,
    column_points,
    fits,
    from_points,
    keep_text,
    rescale,
)
from fedbatch.series.decimals import decimal_text, double_text, exponent_of, numbers_as_written
from fedbatch.series.instants import LATEST, instant_text, micros
from fedbatch.standard.canonical import INTEGER_MAX, encode
from fedbatch.standard.records import PointCode, Points, Series
from fedbatch.standard.values import Quality, is_decimal

__all__ = ["ENTRY_BYTES_MAX", "column_name", "decode_points", "encode_points"]

# An entry is at most 65,535 bytes (STANDARD S1); the rest is room for its envelope.
ENTRY_BYTES_MAX = 64_000
# Index, offset and number of one digit with their commas.
_POINT_BYTES_MIN = 6
_NONE: Integers = np.empty(0, dtype=np.int64)
_DOUBLE = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-][0-9]{1,3})?", re.ASCII)
_DOUBLE_LENGTH_MAX = 32
_QUALITY: Any = Quality


def column_name(code: str, role: str) -> str:
    """A parameter's column in blocks and segments."""
    return f"{code}.{role}"


def _names(series: Series) -> list[str]:
    return [column_name(item.code, item.role) for item in series.parameters]


# ---- encoding


def encode_points(series: Series, block: Block, bytes_max: int = ENTRY_BYTES_MAX) -> list[Points]:
    """The points of a block as records in time order, each at most `bytes_max` as canonical JSON.

    Raises:
        InputError: `points.parameter`: a column that the series has not; `points.size`: a point that
            fits no entry.
    """
    flat = _flatten(series, block)
    if not flat.times.size:
        return []
    return list(_parts(flat, series, 0, flat.times.size, bytes_max))


@dataclass(frozen=True, slots=True, eq=False)
class _Flat:
    """All points of all parameters by time: one after another, marks by position."""

    times: Integers
    index: Integers
    scaled: list[int | str]
    marks: Mapping[int, Mark]
    marked: Integers


def _flatten(series: Series, block: Block) -> _Flat:
    names = _names(series)
    unknown = block.columns.keys() - set(names)
    if unknown:
        raise InputError(
            "parameters of the series",
            where=series.series,
            found=", ".join(sorted(unknown)),
            code="points.parameter",
        )
    times, index, scaled, marks, start = [], [], list[int | str](), dict[int, Mark](), 0
    for at, name in enumerate(names):
        if name not in block.columns:
            continue
        points = _held(column_points(block, name), series.parameters[at].scale)
        times.append(points.times)
        index.append(np.full(points.times.size, at, dtype=np.int64))
        scaled += _written(points, series.parameters[at].scale, name)
        marks.update((start + row, mark) for row, mark in points.marks.items())
        start += points.times.size
    if not times:
        return _Flat(_NONE, _NONE, [], {}, _NONE)
    at_times, at_index = np.concatenate(times), np.concatenate(index)
    order = np.argsort(at_times, kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(order.size)
    return _Flat(
        at_times[order],
        at_index[order],
        [scaled[row] for row in order.tolist()],
        {int(places[row]): mark for row, mark in marks.items()},
        np.sort(places[list(marks)]) if marks else _NONE,
    )


def _held(points: ColumnPoints, scale: int | None) -> ColumnPoints:
    """The points as the series holds them: binary64 if it does, with the texts that this rounds."""
    if scale is not None or points.scale is None:
        return points
    column = rescale(Column(points.scale, points.numbers, points.present, points.marks), None)
    return ColumnPoints(points.times, column.numbers, column.present, column.marks, None)


def _written(points: ColumnPoints, scale: int | None, name: str) -> list[int | str]:
    """Numbers as `scaled` holds them: integers at the series' scale, texts where that is too small."""
    column = Column(points.scale, points.numbers, points.present)
    if points.scale is None or scale is None:
        written = numbers_as_written(points.numbers, points.scale)
    elif not fits(column, scale):
        written = [decimal_text(number, points.scale) for number in points.numbers.tolist()]
    else:
        written = numbers_as_written(rescale(column, scale, name).numbers, scale)
    if points.present is not None:
        for row in np.flatnonzero(~points.present).tolist():
            written[row] = ""
    return written


def _parts(flat: _Flat, series: Series, first: int, last: int, bytes_max: int) -> Iterator[Points]:
    """Halves until each fits; what surely does not fit is cut without being encoded."""
    if (last - first) * _POINT_BYTES_MIN <= bytes_max:
        record = _record(flat, series, first, last)
        if len(encode(record)) <= bytes_max:
            yield record
            return
    if last - first == 1:
        raise InputError(
            f"a point of at most {bytes_max} bytes",
            where=series.series,
            found=instant_text(int(flat.times[first])),
            code="points.size",
        )
    middle = (first + last) // 2
    yield from _parts(flat, series, first, middle, bytes_max)
    yield from _parts(flat, series, middle, last, bytes_max)


def _record(flat: _Flat, series: Series, first: int, last: int) -> Points:
    times = flat.times[first:last]
    marked = flat.marked[slice(*np.searchsorted(flat.marked, (first, last)).tolist())]
    marks = {row - first: flat.marks[row] for row in marked.tolist()}
    codes: dict[tuple[str, str], int] = {}
    quality = []
    for row, mark in marks.items():
        if mark.quality or mark.quality_code:
            code = codes.setdefault((mark.quality, mark.quality_code), len(codes))
            quality.append((row, code))
    return Points(
        version=1,
        series=series.series,
        base=instant_text(int(times[0])),
        index=tuple(flat.index[first:last].tolist()),
        offset=tuple((times - times[0]).tolist()),
        scaled=tuple(flat.scaled[first:last]),
        codes=tuple(_code(*pair) for pair in codes),
        quality=tuple(quality),
        raw=tuple((row, mark.raw) for row, mark in marks.items() if mark.raw),
    )


def _code(quality: str, code: str) -> PointCode:
    try:
        known = msgspec.convert(quality, _QUALITY)
    except msgspec.ValidationError as error:
        raise InputError(
            "a quality of the standard", found=quality[:80], code="points.quality"
        ) from error
    return PointCode(quality=known, quality_code=code or None)


# ---- decoding


def decode_points(series: Series, items: Sequence[Points]) -> Block:
    """The points of records of a series; those at one time stay in the order of the records.

    A column's scale is the series', or more where a text has more decimals; where no scale of 18 digits
    holds all, the column is binary64.

    Raises:
        InputError: `points.shape`: unequal lengths, an index the series has not, offsets that fall;
            `points.number`: no number of this parameter; `points.quality`: a code or row that is not
            there; `time.instant`, `series.scale`.
    """
    lengths = np.fromiter(map(_length, items), dtype=np.int64, count=len(items))
    total = int(lengths.sum())
    starts = np.cumsum(lengths) - lengths
    bases = np.fromiter((micros(item.base) for item in items), dtype=np.int64, count=len(items))
    offset = _integers(chain.from_iterable(item.offset for item in items), total)
    _check_offsets(offset, starts)
    times = np.repeat(bases, lengths) + offset
    if total and int(times.max()) > LATEST:
        raise _misshapen("offsets within years 1 to 9999", "more")
    index = _integers(chain.from_iterable(item.index for item in items), total)
    if total and not 0 <= int(index.min()) <= int(index.max()) < len(series.parameters):
        raise _misshapen(f"an index below {len(series.parameters)}", "another")
    return _as_block(series, times, index, _values(items), _marks(items, starts.tolist()))


def _length(item: Points) -> int:
    if not len(item.index) == len(item.offset) == len(item.scaled):
        found = f"{len(item.index)}, {len(item.offset)}, {len(item.scaled)}"
        raise _misshapen("index, offset and scaled of one length", found)
    return len(item.index)


def _misshapen(expected: str, found: str) -> InputError:
    return InputError(expected, found=found, code="points.shape")


def _integers(values: Iterable[int], total: int) -> Integers:
    try:
        return np.fromiter(values, dtype=np.int64, count=total)
    except OverflowError as error:
        raise _misshapen("integers below 2^53", "more") from error


def _check_offsets(offset: Integers, starts: Integers) -> None:
    if not offset.size:
        return
    if not 0 <= int(offset.min()) <= int(offset.max()) <= INTEGER_MAX:
        raise _misshapen("offsets from 0", "another")
    steps = np.diff(offset, prepend=offset[:1])
    steps[starts[starts < offset.size]] = 0
    if bool((steps < 0).any()):
        raise _misshapen("offsets that do not fall", "one that does")


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Integers by position, 0 where a text stands; the texts by position, and where there is none."""

    integers: Integers
    texts: dict[int, str]
    is_absent: Flags


def _values(items: Sequence[Points]) -> _Values:
    flat = list(chain.from_iterable(item.scaled for item in items))
    texts: dict[int, str] = {}
    is_absent = np.zeros(len(flat), dtype=np.bool_)
    for row in [row for row, value in enumerate(flat) if type(value) is str]:
        text = str(flat[row])
        flat[row] = 0
        if text:
            texts[row] = text
        else:
            is_absent[row] = True
    return _Values(_integers(cast(list[int], flat), len(flat)), texts, is_absent)


def _marks(items: Sequence[Points], starts: list[int]) -> dict[int, Mark]:
    marks: dict[int, Mark] = {}
    for item, start in zip(items, starts, strict=True):
        if item.quality or item.raw:
            for row, mark in _marks_of(item).items():
                marks[start + row] = mark
    return marks


def _marks_of(item: Points) -> dict[int, Mark]:
    quality, raw = dict(item.quality), dict(item.raw)
    rows = quality.keys() | raw.keys()
    if len(quality) < len(item.quality) or len(raw) < len(item.raw):
        raise _unmarked("each row once", "a row twice")
    if not all(0 <= row < len(item.index) for row in rows):
        raise _unmarked(f"rows below {len(item.index)}", "another")
    if not all(0 <= code < len(item.codes) for code in quality.values()):
        raise _unmarked(f"codes below {len(item.codes)}", "another")
    codes = [Mark(code.quality, code.quality_code or "") for code in item.codes]
    found = {}
    for row in rows:
        mark = codes[quality[row]] if row in quality else Mark()
        found[row] = mark._replace(raw=raw[row]) if row in raw else mark
    return found


def _unmarked(expected: str, found: str) -> InputError:
    return InputError(expected, found=found, code="points.quality")


def _as_block(
    series: Series, times: Integers, index: Integers, values: _Values, marks: dict[int, Mark]
) -> Block:
    """Points one after another to columns, each in the order of time."""
    if bool(np.all(times[1:] >= times[:-1])):
        order = np.argsort(
            index.astype(np.uint16 if index.max(initial=0) < 2**16 else np.int64), kind="stable"
        )
    else:
        order = np.lexsort((times, index))
    for row in np.flatnonzero(values.is_absent).tolist():
        marks.setdefault(row, Mark())
    places = np.empty_like(order)
    places[order] = np.arange(order.size)
    by_place = sorted((int(places[row]), mark) for row, mark in marks.items())
    marked = np.array([place for place, _ in by_place], dtype=np.int64)
    edges = np.searchsorted(index[order], np.arange(len(series.parameters) + 1))
    points = {}
    for name, parameter, first, last in zip(
        _names(series), series.parameters, edges.tolist(), edges[1:].tolist(), strict=False
    ):
        if first == last:
            continue
        rows = order[first:last]
        held = slice(*np.searchsorted(marked, (first, last)).tolist())
        column = _column(values, rows, parameter.scale, name)
        told = {
            place - first: mark
            for place, mark in by_place[held]
            if any(mark) or values.is_absent[order[place]]
        }
        for row, mark in column.marks.items():
            keep_text(told, row, mark.raw)
        points[name] = ColumnPoints(times[rows], column.numbers, column.present, told, column.scale)
    return from_points(points)


def _column(values: _Values, rows: Integers, scale: int | None, name: str) -> Column:
    is_absent = values.is_absent[rows]
    present = ~is_absent if bool(is_absent.any()) else None
    numbers = values.integers[rows]
    texts = {}
    if values.texts:
        at = rows.tolist()
        texts = {place: values.texts[row] for place, row in enumerate(at) if row in values.texts}
    if scale is None:
        return Column(None, _doubles(numbers, texts, name), present)
    if int(np.abs(numbers).max(initial=0)) > NUMBER_MAX:
        raise _no_number(name, "more than 18 digits")
    return _widened(Column(scale, numbers, present), texts, name)


def _no_number(name: str, found: str) -> InputError:
    return InputError(
        "a number of the parameter", where=name, found=found[:80], code="points.number"
    )


def _doubles(numbers: Integers, texts: Mapping[int, str], name: str) -> Floats:
    found = numbers.astype(np.float64)
    for text in texts.values():
        if len(text) > _DOUBLE_LENGTH_MAX or _DOUBLE.fullmatch(text) is None:
            raise _no_number(name, text)
    found[list(texts)] = np.fromiter(map(float, texts.values()), np.float64, count=len(texts))
    if not bool(np.isfinite(found).all()):
        raise _no_number(name, "an infinite number")
    return found


def _widened(column: Column, texts: Mapping[int, str], name: str) -> Column:
    """The column with its decimal texts, at the scale that holds them all, or as binary64."""
    if not texts:
        return column
    strange = next((text for text in texts.values() if not _is_own_text(text)), None)
    if strange is not None:
        raise _no_number(name, strange)
    decimals = {row: Decimal(text) for row, text in texts.items()}
    scale = max([column.scale or 0, *(-exponent_of(number) for number in decimals.values())])
    largest = max(abs(number).scaleb(scale) for number in decimals.values())
    most = int(np.abs(column.numbers).max(initial=0)) * 10 ** (scale - (column.scale or 0))
    if scale > DIGITS_MAX or max(largest, most) > NUMBER_MAX:
        binary = rescale(column, None, name)
        numbers, marks = np.array(binary.numbers, dtype=np.float64), dict(binary.marks)
        for row, number in decimals.items():
            numbers[row] = float(number)
            if Decimal(double_text(numbers[row].item())) != number:
                keep_text(marks, row, texts[row])
        return Column(None, numbers, column.present, marks)
    wide = rescale(column, scale, name).numbers.copy()
    for row, number in decimals.items():
        wide[row] = int(number.scaleb(scale))
    return Column(scale, wide, column.present)


def _is_own_text(text: str) -> bool:
    """Whether a text is a decimal of 18 digits, or a binary64 number as RFC 8785 writes it."""
    return (is_decimal(text) and _digits(text) <= DIGITS_MAX) or _is_double(text)


def _is_double(text: str) -> bool:
    if len(text) > _DOUBLE_LENGTH_MAX or _DOUBLE.fullmatch(text) is None:
        return False
    number = float(text)
    return isfinite(number) and double_text(number) == text


def _digits(text: str) -> int:
    return len(text.strip("-").replace(".", "").lstrip("0"))
