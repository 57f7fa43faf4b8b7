"""Fewer points for a chart: the extremes stay, nothing is invented, gaps stay open."""

from dataclasses import dataclass

import numpy as np

from fedbatch.errors import InputError
from fedbatch.series.blocks import ColumnPoints, Flags, Integers, Numbers, take_points

__all__ = ["Thinned", "thin"]


@dataclass(frozen=True, slots=True, eq=False)
class Thinned:
    """Points that stay, and whether the line is broken before each."""

    points: ColumnPoints
    is_broken: Flags


def thin(points: ColumnPoints, from_: int, to: int, count: int, gap: int | None = None) -> Thinned:
    """The points with `from_` ≤ t < `to` (µs), thinned to at most six in each of `count` stretches.

    Of each stretch stay the first, the last, the least and the greatest point, and the points on both
    sides of a gap longer than a stretch, so that no excursion is lost. A line is broken where
    neighbours lie more than `gap` µs apart and where a point has no number, in a stretch too.

    Raises:
        InputError: `align.buckets`: no stretch at all.
    """
    if count < 1 or not from_ < to:
        raise InputError(
            "stretches of time", found=f"{count} of {to - from_} µs", code="align.buckets"
        )
    first, last = np.searchsorted(points.times, (from_, to)).tolist()
    rows = np.arange(first, last, dtype=np.int64)
    if points.present is not None:
        rows = rows[points.present[first:last]]
    breaks = _breaks(points, rows, gap)
    if rows.size <= 4 * count:
        return _kept(points, rows, breaks, np.arange(rows.size))
    times, numbers = points.times[rows], points.numbers[rows]
    edges = from_ + (to - from_) * np.arange(count, dtype=np.int64) // count
    starts = np.unique(np.searchsorted(times, edges))
    starts = starts[starts < rows.size]
    wide = np.flatnonzero(np.diff(times) > (to - from_) // count)
    kept = np.concatenate(
        [
            starts,
            np.append(starts[1:], rows.size) - 1,
            _first_equal(numbers, starts, np.minimum.reduceat(numbers, starts)),
            _first_equal(numbers, starts, np.maximum.reduceat(numbers, starts)),
            wide,
            wide + 1,
        ]
    )
    return _kept(points, rows, breaks, np.unique(kept))


def _breaks(points: ColumnPoints, rows: Integers, gap: int | None) -> Integers:
    """How many breaks of the line lie before each row."""
    if not rows.size:
        return rows
    is_break = np.diff(rows, prepend=rows[:1] - 1) > 1
    if gap is not None:
        times = points.times[rows]
        is_break |= np.diff(times, prepend=times[:1]) > gap
    return np.cumsum(is_break)


def _first_equal(numbers: Numbers, starts: Integers, extremes: Numbers) -> Integers:
    """The first position of each stretch that has its extreme."""
    lengths = np.diff(starts, append=numbers.size)
    places = np.flatnonzero(numbers == np.repeat(extremes, lengths))
    stretch = np.searchsorted(starts, places, side="right")
    return places[np.diff(stretch, prepend=0) > 0]


def _kept(points: ColumnPoints, rows: Integers, breaks: Integers, kept: Integers) -> Thinned:
    is_broken = np.diff(breaks[kept], prepend=breaks[kept][:1]) > 0
    return Thinned(take_points(points, rows[kept]), is_broken)
