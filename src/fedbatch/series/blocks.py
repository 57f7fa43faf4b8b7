"""Blocks: points of one series in columns.

A block has one column of times for all parameters. A point of a parameter exists at a row where its
column is present or marked. Nothing here loops over points; only marks, which are sparse, are held
one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from fedbatch.errors import InputError

__all__ = [
    "DIGITS_MAX",
    "NUMBER_MAX",
    "Block",
    "Column",
    "ColumnPoints",
    "Flags",
    "Floats",
    "Integers",
    "Mark",
    "Numbers",
    "between",
    "column_points",
    "common_scale",
    "concatenate",
    "count",
    "equal",
    "fits",
    "from_points",
    "from_rows",
    "good_flags",
    "good_points",
    "keep_text",
    "merge",
    "merge_points",
    "rescale",
    "select",
    "slice_rows",
    "take_points",
]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = Integers | Floats

# What DECIMAL holds in eight bytes whatever the digits are (STANDARD S24).
DIGITS_MAX = 18
NUMBER_MAX = 10**DIGITS_MAX - 1
# Decimals of fewer digits are told apart by their binary64; whole numbers up to 2^53 are equal to it.
_TOLD_APART, _WHOLE_MAX = 10**15, 2**53
_NOT_GOOD = frozenset({"bad", "missing", "substituted"})
_NO_TIMES: Integers = np.empty(0, dtype=np.int64)


class Mark(NamedTuple):
    """What a point says besides its number; "" is none.

    `quality` and `quality_code` where it is not good; `raw` where the source's text says other than
    the number.
    """

    quality: str = ""
    quality_code: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One parameter of a block.

    `numbers`: int64 at `scale` decimals, or float64 where `scale` is None; 0 where there is none.
    `present`: whether a row has a number; None: every row has. `marks`: by row; one that says nothing
    stands only where there is no number.
    """

    scale: int | None
    numbers: Numbers
    present: Flags | None = None
    marks: Mapping[int, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Times (µs since 1970 UTC, not falling) and columns by `<code>.<role>`, all equally long.

    `rows` holds the source's row numbers, increasing among equal times; it may be None only where
    times strictly increase.
    """

    times: Integers
    columns: Mapping[str, Column]
    rows: Integers | None = None

    def __post_init__(self) -> None:
        """Check the shape.

        Raises:
            InputError: times that fall, rows that do not order equal times, unequal lengths.
        """
        _check_times(self.times, self.rows)
        for name, column in self.columns.items():
            _check_column(name, column, self.times.size)


def _check_times(times: Integers, rows: Integers | None) -> None:
    if times.ndim != 1 or times.dtype != np.int64:
        raise InputError("times in whole microseconds", found=str(times.dtype), code="series.block")
    later, earlier = times[1:], times[:-1]
    if rows is None:
        if not bool(np.all(later > earlier)):
            raise InputError(
                "times that increase, or row numbers", found="neither", code="series.block"
            )
        return
    if rows.shape != times.shape or rows.dtype != np.int64:
        raise InputError("a row number for each time", found=str(rows.shape), code="series.block")
    is_ordered = (later > earlier) | ((later == earlier) & (rows[1:] > rows[:-1]))
    if not bool(np.all(is_ordered)):
        raise InputError(
            "times that do not fall, and rows that increase among equal times",
            found="another order",
            code="series.block",
        )


def _check_column(name: str, column: Column, length: int) -> None:
    kind = np.float64 if column.scale is None else np.int64
    if column.numbers.dtype != kind or column.numbers.shape != (length,):
        found = f"{column.numbers.dtype} × {column.numbers.shape}"
        raise InputError(f"{length} numbers", where=name, found=found, code="series.block")
    if column.scale is not None and not 0 <= column.scale <= DIGITS_MAX:
        raise InputError(
            f"0 to {DIGITS_MAX} decimals", where=name, found=str(column.scale), code="series.block"
        )
    if column.present is not None and column.present.shape != (length,):
        found = str(column.present.shape)
        raise InputError(f"{length} flags", where=name, found=found, code="series.block")
    if column.marks and not (min(column.marks) >= 0 and max(column.marks) < length):
        raise InputError("marks of rows", where=name, found="another row", code="series.block")
    if Mark() in column.marks.values() and _is_idle(column):
        raise InputError("marks that say something", where=name, found="none", code="series.block")


def _is_idle(column: Column) -> bool:
    """Whether a mark that says nothing stands beside a number."""
    rows = np.array([row for row, mark in column.marks.items() if mark == Mark()])
    return column.present is None or bool(column.present[rows].any())


class ColumnPoints(NamedTuple):
    """The points of one parameter in order: equally long arrays, marks by position."""

    times: Integers
    numbers: Numbers
    present: Flags | None
    marks: Mapping[int, Mark]
    scale: int | None


# ---- reading a block


def _exists(column: Column) -> Flags | None:
    """Whether each row has a point; None: every row has."""
    if column.present is None or not column.marks:
        return column.present
    exists = column.present.copy()
    exists[_marked_rows(column.marks)] = True
    return exists


def _marked_rows(marks: Mapping[int, Mark]) -> Integers:
    return np.fromiter(marks, dtype=np.int64, count=len(marks))


def count(block: Block) -> int:
    """How many points a block has."""
    total = 0
    for column in block.columns.values():
        exists = _exists(column)
        total += block.times.size if exists is None else int(np.count_nonzero(exists))
    return total


def column_points(block: Block, name: str) -> ColumnPoints:
    """The points of one parameter, rows without a point left out.

    Raises:
        KeyError: the block has no such column.
    """
    column = block.columns[name]
    exists = _exists(column)
    if exists is None or bool(exists.all()):
        present = _all_or(column.present)
        return ColumnPoints(block.times, column.numbers, present, column.marks, column.scale)
    rows = np.flatnonzero(exists)
    taken = _take(column, rows, block.times.size)
    return ColumnPoints(block.times[rows], taken.numbers, taken.present, taken.marks, taken.scale)


def _all_or(present: Flags | None) -> Flags | None:
    return None if present is None or bool(present.all()) else present


def _take(column: Column, rows: Integers, length: int) -> Column:
    """The given rows of a column, in their order; each at most once."""
    marks = column.marks
    if marks:
        places = np.full(length, -1, dtype=np.int64)
        places[rows] = np.arange(rows.size)
        marks = _moved(marks, places)
    present = None if column.present is None else _all_or(column.present[rows])
    return Column(column.scale, column.numbers[rows], present, marks)


def _moved(marks: Mapping[int, Mark], places: Integers) -> dict[int, Mark]:
    """Marks by their new rows; -1: gone."""
    moved = zip(places[_marked_rows(marks)].tolist(), marks.values(), strict=True)
    return {row: mark for row, mark in moved if row >= 0}


def select(block: Block, names: Iterable[str]) -> Block:
    """The block with these columns alone; those it lacks are left out, rows stay."""
    wanted = {name: block.columns[name] for name in names if name in block.columns}
    return Block(block.times, wanted, block.rows)


def between(block: Block, from_: int, to: int) -> Block:
    """The rows with `from_` ≤ t < `to` (µs since 1970 UTC)."""
    first, last = np.searchsorted(block.times, (from_, to)).tolist()
    return slice_rows(block, first, max(first, last))


def slice_rows(block: Block, first: int, last: int) -> Block:
    """The rows from `first` up to, not with, `last`."""
    columns = {name: _slice(column, first, last) for name, column in block.columns.items()}
    rows = None if block.rows is None else block.rows[first:last]
    return Block(block.times[first:last], columns, rows)


def _slice(column: Column, first: int, last: int) -> Column:
    marks = {row - first: mark for row, mark in column.marks.items() if first <= row < last}
    present = None if column.present is None else column.present[first:last]
    return Column(column.scale, column.numbers[first:last], present, marks)


def equal(one: Block, other: Block) -> bool:
    """Whether two blocks hold the same points under the same names and scales.

    Rows without a point and columns without points make no difference.
    """
    ours, theirs = _filled(one), _filled(other)
    return ours.keys() == theirs.keys() and all(
        _equal_points(ours[name], theirs[name]) for name in ours
    )


def _filled(block: Block) -> dict[str, ColumnPoints]:
    points = {name: column_points(block, name) for name in block.columns}
    return {name: item for name, item in points.items() if item.times.size}


def _equal_points(one: ColumnPoints, other: ColumnPoints) -> bool:
    return (
        one.scale == other.scale
        and np.array_equal(one.times, other.times)
        and np.array_equal(_flags(one), _flags(other))
        and np.array_equal(one.numbers[_flags(one)], other.numbers[_flags(other)])
        and dict(one.marks) == dict(other.marks)
    )


def _flags(points: ColumnPoints) -> Flags:
    return np.ones(points.times.size, dtype=np.bool_) if points.present is None else points.present


# ---- scales


def rescale(column: Column, scale: int | None, where: str = "") -> Column:
    """The same numbers at more decimals, or as binary64 where `scale` is None.

    A decimal that its binary64 rounds keeps its text as `raw`.

    Raises:
        InputError: a number needs more than 18 digits then, or decimals would be lost.
    """
    if column.scale == scale:
        return column
    if column.scale is None or (scale is not None and scale < column.scale):
        raise InputError(
            f"a scale of at least {column.scale}",
            where=where,
            found=str(scale),
            code="series.scale",
        )
    if scale is None:
        return _as_binary(column, column.scale)
    if not fits(column, scale):
        raise InputError(
            f"at most {DIGITS_MAX} digits at {scale} decimals",
            where=where,
            found="more",
            code="series.scale",
        )
    factor = np.int64(10 ** (scale - column.scale))
    return Column(scale, column.numbers * factor, column.present, column.marks)


def _as_binary(column: Column, scale: int) -> Column:
    numbers = column.numbers / np.float64(10**scale)
    sizes = np.abs(column.numbers)
    is_long = sizes >= _TOLD_APART if scale else sizes > _WHOLE_MAX
    marks = dict(column.marks)
    for row in np.flatnonzero(is_long).tolist():
        exact = Decimal(int(column.numbers[row])).scaleb(-scale)
        numbers[row] = float(exact)
        if Decimal(repr(numbers[row].item())) != exact:
            keep_text(marks, row, format(exact, "f"))
    return Column(None, numbers, column.present, marks)


def keep_text(marks: dict[int, Mark], row: int, text: str) -> None:
    """Add to a row's mark what its number is as text, unless it says what it was already."""
    mark = marks.get(row, Mark())
    marks[row] = mark if mark.raw else mark._replace(raw=text)


def fits(column: Column, scale: int) -> bool:
    """Whether every number has 18 digits at most at so many decimals."""
    if column.scale is None or scale < column.scale:
        return False
    most = NUMBER_MAX // 10 ** (scale - column.scale)
    return (
        not column.numbers.size
        or -most <= int(column.numbers.min()) <= int(column.numbers.max()) <= most
    )


def common_scale(columns: Iterable[Column]) -> int | None:
    """The least scale that holds the numbers of all; None, binary64, where 18 digits are too few."""
    held = list(columns)
    scale = max((column.scale for column in held if column.scale is not None), default=0)
    return scale if all(fits(column, scale) for column in held) else None


# ---- making blocks


def from_rows(times: Integers, columns: Mapping[str, Column], first_row: int = 0) -> Block:
    """A block of a source's rows in whatever order they came; row numbers are kept where needed.

    Raises:
        InputError: columns of other lengths, or of other types than their scales say.
    """
    if bool(np.all(times[1:] > times[:-1])):
        return Block(times, columns)
    rows = np.argsort(times, kind="stable")
    for name, column in columns.items():
        _check_column(name, column, times.size)
    ordered = {name: _take(column, rows, times.size) for name, column in columns.items()}
    return Block(times[rows], ordered, rows + np.int64(first_row))


def from_points(points: Mapping[str, ColumnPoints]) -> Block:
    """A block in which the k-th point of a parameter at a time stands in the k-th row of that time.

    Args:
        points: by `<code>.<role>`, each with times that do not fall.
    """
    if not points:
        return Block(np.empty(0, dtype=np.int64), {})
    first, *others = (item.times for item in points.values())
    is_shared = all(np.array_equal(first, times) for times in others)
    if is_shared and bool(np.all(first[1:] > first[:-1])):
        columns = {name: _as_column(item) for name, item in points.items()}
        return Block(first, columns)
    return _laid_out(points)


def _as_column(points: ColumnPoints) -> Column:
    return Column(points.scale, points.numbers, points.present, points.marks)


def _laid_out(points: Mapping[str, ColumnPoints]) -> Block:
    instants = _union([item.times for item in points.values()])
    repeats = {name: _repeats(item.times) for name, item in points.items()}
    depth = np.ones(instants.size, dtype=np.int64)
    at = {name: np.searchsorted(instants, item.times) for name, item in points.items()}
    for name, repeat in repeats.items():
        if repeat is not None:
            np.maximum.at(depth, at[name], repeat + 1)
    ends = np.cumsum(depth)
    starts = ends - depth
    length = int(ends[-1]) if ends.size else 0
    columns = {}
    for name, item in points.items():
        repeat = repeats[name]
        places = starts[at[name]] if repeat is None else starts[at[name]] + repeat
        columns[name] = _spread(item, places, length)
    rows = np.arange(length, dtype=np.int64) if length > instants.size else None
    return Block(np.repeat(instants, depth), columns, rows)


def _union(arrays: list[Integers]) -> Integers:
    """All times once, in order; sorting is left out where one array holds what the others hold."""
    longest = max(arrays, key=len)
    distinct = [times for times in arrays if times is not longest]
    if all(np.array_equal(longest, times) for times in distinct):
        distinct = []
    return np.unique(np.concatenate([longest, *distinct]))


def _repeats(times: Integers) -> Integers | None:
    """How many points at the same time stand before each; None: times strictly increase."""
    is_new = times[1:] != times[:-1]
    if bool(is_new.all()):
        return None
    places = np.arange(times.size, dtype=np.int64)
    starts = places.copy()
    starts[1:][~is_new] = 0
    return places - np.maximum.accumulate(starts)


def _spread(points: ColumnPoints, places: Integers, length: int) -> Column:
    if places.size == length:
        return _as_column(points)
    numbers, present = _blank(length, points.scale)
    numbers[places] = points.numbers
    present[places] = True if points.present is None else points.present
    return Column(points.scale, numbers, present, _moved(points.marks, places))


def _blank(length: int, scale: int | None) -> tuple[Numbers, Flags]:
    """Numbers and flags of rows of which none has a point."""
    present = np.zeros(length, dtype=np.bool_)
    if scale is None:
        return np.zeros(length, dtype=np.float64), present
    return np.zeros(length, dtype=np.int64), present


# ---- joining blocks


def concatenate(blocks: Sequence[Block]) -> Block:
    """Blocks of which each ends before the next begins, rows one after another.

    A column's scale becomes the greatest of its blocks; where one is binary64, or no scale of 18 digits
    holds all, all are binary64.

    Raises:
        InputError: a block begins before the one before it has ended.
    """
    if not blocks:
        return Block(np.empty(0, dtype=np.int64), {})
    if len(blocks) == 1:
        return blocks[0]
    times = np.concatenate([block.times for block in blocks])
    names = list(dict.fromkeys(name for block in blocks for name in block.columns))
    columns = {name: _joined(name, blocks) for name in names}
    is_increasing = bool(np.all(times[1:] > times[:-1]))
    return Block(times, columns, None if is_increasing else np.arange(times.size, dtype=np.int64))


def _joined(name: str, blocks: Sequence[Block]) -> Column:
    there = [block.columns[name] for block in blocks if name in block.columns]
    scale = common_scale(there)
    numbers, present, marks = [], [], dict[int, Mark]()
    start = 0
    is_whole = len(there) == len(blocks) and all(column.present is None for column in there)
    for block in blocks:
        length = block.times.size
        part = block.columns.get(name)
        column = _absent(length, scale) if part is None else rescale(part, scale)
        numbers.append(column.numbers)
        if not is_whole:
            present.append(
                np.ones(length, dtype=np.bool_) if column.present is None else column.present
            )
        marks.update((row + start, mark) for row, mark in column.marks.items())
        start += length
    return Column(scale, _chained(numbers), None if is_whole else np.concatenate(present), marks)


def _chained(parts: Sequence[Numbers]) -> Numbers:
    return cast(Numbers, np.concatenate(parts))  # all of one kind: they share a scale


def _absent(length: int, scale: int | None) -> Column:
    return Column(scale, *_blank(length, scale))


def merge(blocks: Sequence[Block]) -> Block:
    """All points of all blocks by time; among equal times those of an earlier block come first."""
    blocks = [block for block in blocks if block.times.size]
    if all(one.times[-1] < other.times[0] for one, other in pairwise(blocks)):
        return concatenate(blocks)
    names = list(dict.fromkeys(name for block in blocks for name in block.columns))
    return from_points({name: _merged(name, blocks) for name in names})


def _merged(name: str, blocks: Sequence[Block]) -> ColumnPoints:
    parts = [column_points(block, name) for block in blocks if name in block.columns]
    return merge_points(parts)


def merge_points(parts: Sequence[ColumnPoints]) -> ColumnPoints:
    """The points of several lists of one parameter by time; an earlier list's come first."""
    held = [_as_column(part) for part in parts]
    scale = common_scale(held)
    columns = [rescale(column, scale) for column in held]
    times = np.concatenate([_NO_TIMES, *(part.times for part in parts)])
    starts = np.cumsum([0, *(part.times.size for part in parts)])
    marks: dict[int, Mark] = {}
    for start, column in zip(starts[:-1].tolist(), columns, strict=True):
        marks.update((row + start, mark) for row, mark in column.marks.items())
    present = None
    if any(column.present is not None for column in columns):
        present = np.concatenate([_flags(part) for part in parts])
    numbers = _chained([_blank(0, scale)[0], *(column.numbers for column in columns)])
    merged = ColumnPoints(times, numbers, present, marks, scale)
    if bool(np.all(times[1:] >= times[:-1])):
        return merged
    return take_points(merged, np.argsort(times, kind="stable"))


def take_points(points: ColumnPoints, rows: Integers | Flags) -> ColumnPoints:
    """Some points, by position in the order wanted or by a flag each."""
    at = np.flatnonzero(rows) if rows.dtype == np.bool_ else cast(Integers, rows)
    if at.size == points.times.size and rows.dtype == np.bool_:
        return points
    taken = _take(_as_column(points), at, points.times.size)
    return ColumnPoints(points.times[at], taken.numbers, taken.present, taken.marks, points.scale)


def good_points(points: ColumnPoints) -> ColumnPoints:
    """The points with a number that is not bad, missing or substituted; uncertain ones stay."""
    return take_points(points, good_flags(points)[0])


def good_flags(points: ColumnPoints) -> tuple[Flags, Flags]:
    """Whether each point has a number that is good or uncertain, and whether it is uncertain."""
    is_good, is_uncertain = _flags(points).copy(), np.zeros(points.times.size, dtype=np.bool_)
    for row, mark in points.marks.items():
        if mark.quality in _NOT_GOOD:
            is_good[row] = False
        elif mark.quality == "uncertain":
            is_uncertain[row] = True
    return is_good, is_uncertain
