"""What a second telling of a series says anew, otherwise, or no longer.

Two points say the same if their numbers and qualities are equal: `raw` is how a number was written,
and only where there is no number it is what the point says.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fedbatch.series.blocks import (
    Block,
    Column,
    ColumnPoints,
    Flags,
    Integers,
    Mark,
    column_points,
    common_scale,
    from_points,
    rescale,
    take_points,
)

__all__ = ["Comparison", "compare", "same_numbers"]

# Points of one parameter at one instant, told apart by their order; more than these are one.
_AT_ONCE = 4096


# Points of one parameter at one instant, told apart by their order; more than these are one.
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What of a second telling is new, other, gone and equal.

    `new`: points that were not told before. `other`: points told otherwise before. `gone`: how many
    points of the stretch told now were told before and are no more. `equal`: how many are the same.
    """

    new: Block
    other: Block
    gone: int
    equal: int


def compare(before: Block, now: Block) -> Comparison:
    """Hold points told now against those told before, each by parameter, instant and order there."""
    first, last = _span(now)
    fresh: dict[str, ColumnPoints] = {}
    other: dict[str, ColumnPoints] = {}
    gone = equal = 0
    for name in now.columns:
        here = column_points(now, name)
        there = column_points(before, name) if name in before.columns else None
        if there is None:
            fresh[name] = here
            continue
        is_known, places = _find(_keys(there.times), _keys(here.times))
        differs = _differs(there, here, np.flatnonzero(is_known), places[is_known])
        other[name] = take_points(here, differs)
        fresh[name] = take_points(here, np.flatnonzero(~is_known))
        equal += int(is_known.sum()) - differs.size
        within = int(((there.times >= first) & (there.times <= last)).sum())
        gone += within - int(is_known.sum())
    return Comparison(new=_block(fresh), other=_block(other), gone=gone, equal=equal)


def _block(columns: dict[str, ColumnPoints]) -> Block:
    return from_points({name: points for name, points in columns.items() if points.times.size})


def _span(block: Block) -> tuple[int, int]:
    return (int(block.times[0]), int(block.times[-1])) if block.times.size else (0, -1)


def _keys(times: Integers) -> Integers:
    """One number for instant and order there; µs since 1970 leave room for the order."""
    order = np.arange(times.size) - np.searchsorted(times, times, side="left")
    return np.asarray(times * _AT_ONCE + np.minimum(order, _AT_ONCE - 1), dtype=np.int64)


def _find(held: Integers, wanted: Integers) -> tuple[Flags, Integers]:
    """Which of the wanted keys are held, and where."""
    places = np.searchsorted(held, wanted)
    inside = places < held.size
    is_held = np.zeros(wanted.size, dtype=np.bool_)
    is_held[inside] = held[places[inside]] == wanted[inside]
    return is_held, places


def _differs(there: ColumnPoints, here: ColumnPoints, rows: Integers, places: Integers) -> Integers:
    """The rows of `here` whose point at the same place of `there` is another."""
    one, two = _taken(there, places), _taken(here, rows)
    had, has = _present(one), _present(two)
    is_other = (had != has) | (had & has & ~same_numbers(one, two))
    for at in one.marks.keys() | two.marks.keys():
        if _said(one, at, is_number=bool(had[at])) != _said(two, at, is_number=bool(has[at])):
            is_other[at] = True
    return np.asarray(rows[is_other], dtype=np.int64)


def _taken(points: ColumnPoints, rows: Integers) -> Column:
    taken = take_points(points, rows)
    return Column(taken.scale, taken.numbers, taken.present, taken.marks)


def _present(column: Column) -> Flags:
    return np.ones(column.numbers.size, np.bool_) if column.present is None else column.present


def _said(column: Column, row: int, *, is_number: bool) -> Mark:
    """What a mark says besides the number."""
    mark = column.marks.get(row, Mark())
    return mark._replace(raw="") if is_number else mark


def same_numbers(one: Column, two: Column) -> Flags:
    """Row by row whether two equally long columns have equal numbers, present or not.

    Decimals are equal as decimals whatever their scales are; where one side is binary64, the other is
    rounded to it.
    """
    scale = common_scale((one, two))
    if scale is None and one.scale is not None and two.scale is not None:
        # No scale of 18 digits holds both, and binary64 would make unequal ones equal.
        scale = max(one.scale, two.scale)
        exact: Flags = _exactly(one, scale) == _exactly(two, scale)
        return exact
    same: Flags = rescale(one, scale).numbers == rescale(two, scale).numbers
    return same


def _exactly(column: Column, scale: int) -> Any:
    """Numbers at a scale as integers of any size."""
    return column.numbers.astype(object) * 10 ** (scale - (column.scale or 0))
