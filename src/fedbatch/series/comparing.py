"""What a second telling of a series says anew, otherwise, or no longer."""

from dataclasses import dataclass

import numpy as np

from fedbatch.series.blocks import (
    Block,
    ColumnPoints,
    Flags,
    Integers,
    Numbers,
    column_points,
    from_points,
)

__all__ = ["Comparison", "compare"]

# Points of one parameter at one instant, told apart by their order; more than these are one.
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What of a second telling is new, other, gone and equal.

    `new`: points that were not told before. `from_` to `to` (µs, both included): the stretch in which
    points are told otherwise, None for none. `gone`: how many points of the stretch told now were told
    before and are no more. `equal`: how many are the same.
    """

    new: Block
    from_: int | None
    to: int | None
    gone: int
    equal: int


def compare(before: Block, now: Block) -> Comparison:
    """Hold points told now against those told before, each by parameter, instant and order there."""
    first, last = _span(now)
    fresh: dict[str, ColumnPoints] = {}
    differing: list[Integers] = []
    gone = equal = 0
    for name in now.columns:
        here = column_points(now, name)
        there = column_points(before, name) if name in before.columns else None
        if there is None:
            fresh[name] = here
            continue
        is_known, places = _find(_keys(there.times), _keys(here.times))
        differs = _differs(there, here, np.flatnonzero(is_known), places[is_known])
        differing.append(here.times[differs])
        fresh[name] = _chosen(here, np.flatnonzero(~is_known))
        equal += int(is_known.sum()) - differs.size
        within = int(((there.times >= first) & (there.times <= last)).sum())
        gone += within - int(is_known.sum())
    times = np.concatenate(differing) if differing else np.empty(0, dtype=np.int64)
    return Comparison(
        new=from_points({name: points for name, points in fresh.items() if points.times.size}),
        from_=int(times.min()) if times.size else None,
        to=int(times.max()) if times.size else None,
        gone=gone,
        equal=equal,
    )


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
    one, other = _on_one_scale(there, here)
    is_other = one[places] != other[rows]
    is_other |= _present(there)[places] != _present(here)[rows]
    if there.marks or here.marks:
        for at, (row, place) in enumerate(zip(rows.tolist(), places.tolist(), strict=True)):
            if there.marks.get(place) != here.marks.get(row):
                is_other[at] = True
    return np.asarray(rows[is_other], dtype=np.int64)


def _present(points: ColumnPoints) -> Flags:
    return np.ones(points.times.size, np.bool_) if points.present is None else points.present


def _on_one_scale(one: ColumnPoints, other: ColumnPoints) -> tuple[Numbers, Numbers]:
    if one.scale is None or other.scale is None:
        return _as_doubles(one), _as_doubles(other)
    scale = max(one.scale, other.scale)
    return one.numbers * 10 ** (scale - one.scale), other.numbers * 10 ** (scale - other.scale)


def _as_doubles(points: ColumnPoints) -> Numbers:
    if points.scale is None:
        return points.numbers
    return np.asarray(points.numbers / 10**points.scale, dtype=np.float64)


def _chosen(points: ColumnPoints, rows: Integers) -> ColumnPoints:
    marks = {}
    if points.marks:
        marks = {
            place: points.marks[row]
            for place, row in enumerate(rows.tolist())
            if row in points.marks
        }
    present = points.present[rows] if points.present is not None else None
    return ColumnPoints(points.times[rows], points.numbers[rows], present, marks, points.scale)
