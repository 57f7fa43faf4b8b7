"""Many batches of one parameter on one axis: from an anchor, along a step, or by the clock."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedbatch.errors import InputError
from fedbatch.series.blocks import ColumnPoints, Floats, Integers, Numbers, good_points

__all__ = [
    "BY_CLOCK",
    "Alignment",
    "Buckets",
    "along_step",
    "bucket_edges",
    "buckets",
    "from_anchor",
]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Position of a time t (µs) on the axis: (t − `origin`) ÷ `unit`."""

    origin: int
    unit: int


# Positions are µs since 1970 UTC.
BY_CLOCK = Alignment(0, 1)


def from_anchor(anchor: int) -> Alignment:
    """Positions are µs from an event."""
    return Alignment(anchor, 1)


def along_step(start: int, end: int) -> Alignment:
    """Positions are 0 at the start of a step and 1 at its end.

    Raises:
        InputError: `align.step`: it ends before it starts, or has no length.
    """
    if end <= start:
        raise InputError("a step that lasts", found=f"{end - start} µs", code="align.step")
    return Alignment(start, end - start)


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Of each batch (row) and bucket (column): count, least, greatest, mean; NaN where count is 0."""

    count: Integers
    least: Floats
    greatest: Floats
    mean: Floats


def buckets(
    lines: Sequence[tuple[ColumnPoints, Alignment]], first: float, last: float, count: int
) -> Buckets:
    """Good points of each line in `count` equal stretches of the axis from `first` to `last`.

    A stretch holds its beginning, not its end; the mean weighs every point alike.

    Raises:
        InputError: `align.buckets`: no stretch at all.
    """
    if count < 1 or not first < last:
        raise InputError(
            "buckets between two positions",
            found=f"{count} of {first}–{last}",
            code="align.buckets",
        )
    shape = len(lines), count
    counts = np.zeros(shape, dtype=np.int64)
    least, greatest, mean = (np.full(shape, np.nan) for _ in range(3))
    for row, (points, alignment) in enumerate(lines):
        good = good_points(points)
        edges = bucket_edges(alignment, first, last, count)
        starts = np.searchsorted(good.times, edges)
        counts[row] = np.diff(starts)
        filled = counts[row] > 0
        if not bool(filled.any()):
            continue
        numbers = good.numbers[: starts[-1]]
        divisor = 1.0 if good.scale is None else float(10**good.scale)
        at = starts[:-1][filled]
        least[row, filled] = np.minimum.reduceat(numbers, at) / divisor
        greatest[row, filled] = np.maximum.reduceat(numbers, at) / divisor
        sums = _sums(numbers, at) / divisor
        mean[row, filled] = sums / counts[row, filled]
    return Buckets(counts, least, greatest, mean)


def _sums(numbers: Numbers, at: Integers) -> Floats:
    sums: Floats = np.add.reduceat(numbers, at, dtype=np.float64)
    return sums


def bucket_edges(alignment: Alignment, first: float, last: float, count: int) -> Integers:
    """The first microsecond of each bucket, and the one behind the last."""
    positions = np.linspace(first, last, count + 1)
    return np.ceil(positions * alignment.unit).astype(np.int64) + np.int64(alignment.origin)
