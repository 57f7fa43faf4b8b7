"""What is known of a parameter between its points, exactly (STATISTICS §9).

A line is the covered part C of a window: segments between neighbours that are near enough, with a
number at both ends. What is not covered is gap and is never filled. Numbers are integers at two
decimals more than the parameter has; where they outgrow eight bytes they are Python's.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, log10
from typing import Any, Literal

import numpy as np

from fedbatch.errors import InputError
from fedbatch.series.blocks import ColumnPoints, Flags, Integers, good_flags
from fedbatch.series.spans import Spans, complement, spans_of
from fedbatch.standard.values import decimal_of

__all__ = [
    "EDGE_DECIMALS",
    "Line",
    "above",
    "below",
    "half_even",
    "less_ramp",
    "line_of",
    "scaled_up",
]

# Edge values, mean and integral have so many decimals more than the parameter.
EDGE_DECIMALS = 2
# Digits of binary64 that are kept when it is read as a decimal: equal within 1e-9 asks for fewer.
_BINARY_DIGITS = 15
_INT64_MAX = 2**62

Between = Literal["step", "linear"]
# int64, or Python's integers in an array of objects where those would overflow.
Exact = Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A parameter in a window [from_, to), times in µs.

    Segments: `starts`, `ends`, numbers at both (`first`, `last`: equal unless linear) at `scale`
    decimals, and whether a point of them is uncertain. `times`, `numbers`: the good points in the
    window. `decimals`: of the parameter. `dead_band`: the truth lies within that of each number.
    """

    from_: int
    to: int
    decimals: int
    scale: int
    dead_band: Decimal
    is_linear: bool
    starts: Integers
    ends: Integers
    first: Exact
    last: Exact
    uncertain: Flags
    times: Integers
    numbers: Exact

    @property
    def covered_us(self) -> int:
        return int((self.ends - self.starts).sum())

    @property
    def coverage(self) -> Fraction:
        return Fraction(self.covered_us, self.to - self.from_)

    @property
    def uncertain_share(self) -> Fraction:
        """The part of what is covered that rests on uncertain points."""
        doubtful = int((self.ends - self.starts)[self.uncertain].sum())
        return Fraction(doubtful, self.covered_us) if self.covered_us else Fraction(0)

    @property
    def gaps(self) -> Spans:
        return complement(spans_of(self.starts, self.ends), self.from_, self.to)


def line_of(
    points: ColumnPoints,
    *,
    from_: int,
    to: int,
    gap: int,
    between: Between,
    complete_until: int,
    dead_band: str = "0",
    window: int | None = None,
) -> Line:
    """The line of a parameter's points.

    Args:
        points: of one series; those outside the window serve its edges.
        from_: start of the window in µs.
        to: end of the window in µs, not in it.
        gap: neighbours further apart (µs) have a gap between them.
        between: how the parameter runs between its points.
        complete_until: no more points are promised before it (µs); it ends the last step.
        dead_band: decimal.
        window: of an averaged parameter: each number holds from its time for so long (µs).

    Raises:
        InputError: `derived.window`: a window that has no length; `derived.number`: binary64 beyond
            10^15, or a dead band below 0.
    """
    if to <= from_:
        raise InputError("a window that lasts", found=f"{to - from_} µs", code="derived.window")
    band = decimal_of(dead_band)
    if band < 0:
        raise InputError("a dead band from 0", found=dead_band, code="derived.number")
    near = _near(points, from_, to)
    numbers, decimals = _exact(near)
    is_good, is_uncertain = good_flags(near)
    is_linear = between == "linear" and window is None
    if is_linear:
        at = np.flatnonzero(is_good[:-1] & is_good[1:] & (np.diff(near.times) <= gap))
        ends, then = near.times[at + 1], at + 1
    else:
        at, ends = _steps(near.times, is_good, gap, complete_until, window)
        then = at
    starts = near.times[at]
    reach = np.clip(starts, from_, to), np.clip(ends, from_, to)
    is_there: Flags = reach[1] > reach[0]
    at, then, starts, ends = at[is_there], then[is_there], starts[is_there], ends[is_there]
    first, last = numbers[at], numbers[then]
    if is_linear:
        _cut(starts, ends, first, last, from_, to)
    inside = is_good & (near.times >= from_) & (near.times < to)
    return Line(
        from_=from_,
        to=to,
        decimals=decimals,
        scale=decimals + EDGE_DECIMALS,
        dead_band=band,
        is_linear=is_linear,
        starts=reach[0][is_there],
        ends=reach[1][is_there],
        first=first,
        last=last,
        uncertain=is_uncertain[at] | is_uncertain[then],
        times=near.times[inside],
        numbers=numbers[inside],
    )


def _near(points: ColumnPoints, from_: int, to: int) -> ColumnPoints:
    """The points in the window, with the last before and the first behind it."""
    first = max(0, int(np.searchsorted(points.times, from_)) - 1)
    last = int(np.searchsorted(points.times, to)) + 1
    marks = {row - first: mark for row, mark in points.marks.items() if first <= row < last}
    present = None if points.present is None else points.present[first:last]
    return ColumnPoints(
        points.times[first:last], points.numbers[first:last], present, marks, points.scale
    )


def _exact(points: ColumnPoints) -> tuple[Exact, int]:
    """Numbers at EDGE_DECIMALS more decimals than the parameter has, and how many it has."""
    if points.scale is not None:
        return scaled_up(points.numbers, EDGE_DECIMALS), points.scale
    most = float(np.abs(points.numbers).max(initial=0.0))
    if most >= 10.0**_BINARY_DIGITS:
        raise InputError("numbers below 10^15", found=str(most), code="derived.number")
    decimals = min(_BINARY_DIGITS, _BINARY_DIGITS - ceil(log10(most)) if most else 0)
    integers = np.rint(points.numbers * 10.0**decimals).astype(np.int64)
    return scaled_up(integers, EDGE_DECIMALS), decimals


def scaled_up(numbers: Exact, decimals: int) -> Exact:
    """The numbers times a power of ten, as Python's integers where int64 is too small."""
    if not decimals:
        return numbers
    most = max(int(numbers.max(initial=0)), -int(numbers.min(initial=0)))
    if most * 10**decimals >= _INT64_MAX:
        numbers = numbers.astype(object)
    return numbers * 10**decimals


def _steps(
    times: Integers, is_good: Flags, gap: int, complete_until: int, window: int | None
) -> tuple[Integers, Integers]:
    """Rows whose number holds, and until when."""
    if not times.size:
        return times, times
    if window is not None:
        ends = times + np.int64(window)
        ends[:-1] = np.minimum(ends[:-1], times[1:])
        at = np.flatnonzero(is_good)
        return at, ends[at]
    until = np.append(times[1:], max(complete_until, int(times[-1])))
    at = np.flatnonzero(is_good & (until - times <= gap))
    return at, until[at]


def _cut(starts: Integers, ends: Integers, first: Exact, last: Exact, from_: int, to: int) -> None:
    """Give the segments that reach across the window's edges their numbers there, in place."""
    before, behind = np.flatnonzero(starts < from_).tolist(), np.flatnonzero(ends > to).tolist()
    whole = {row: (int(first[row]), int(last[row])) for row in (*before, *behind)}
    for rows, numbers, at in ((before, first, from_), (behind, last, to)):
        for row in rows:
            begin, end = int(starts[row]), int(ends[row])
            one, two = whole[row]
            numbers[row] = half_even(one * (end - at) + two * (at - begin), end - begin)


def half_even(numerator: int, denominator: int) -> int:
    """The quotient rounded half-even; the denominator is above 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient


def less_ramp(line: Line, start: tuple[int, Decimal], end: tuple[int, Decimal]) -> Line:
    """The line's distance from a bound that runs straight from one (time, number) to another.

    The bound's numbers at the ends of segments are rounded half-even like edge values.
    """
    (begin, low), (finish, high) = start, end
    scale = max(line.scale, *(-int(bound.as_tuple().exponent) for bound in (low, high)))
    one, two = int(low.scaleb(scale)), int(high.scaleb(scale))

    def bound_at(times: Integers) -> Exact:
        span = finish - begin
        at = [half_even(one * (finish - t) + two * (t - begin), span) for t in times.tolist()]
        return np.array(at, dtype=object)

    more = scale - line.scale
    return replace(
        line,
        scale=scale,
        first=scaled_up(line.first, more).astype(object) - bound_at(line.starts),
        last=scaled_up(line.last, more).astype(object) - bound_at(line.ends),
    )


# ---- where a line lies above or below a bound


def above(line: Line, bound: Decimal, *, or_at: bool) -> Spans:
    """Where the line lies above a bound (`or_at`: or at it), crossings rounded to 1 µs."""
    decimals = max(line.scale, -int(bound.as_tuple().exponent))
    more = decimals - line.scale
    first, last = scaled_up(line.first, more), scaled_up(line.last, more)
    return _over(line, first, last, int(bound.scaleb(decimals)), or_at=or_at)


def below(line: Line, bound: Decimal, *, or_at: bool) -> Spans:
    """Where the line lies below a bound (`or_at`: or at it)."""
    mirrored = replace(line, first=-line.first, last=-line.last)
    return above(mirrored, -bound, or_at=or_at)


def _over(line: Line, first: Exact, last: Exact, bound: int, *, or_at: bool) -> Spans:
    is_first, is_last = _flags(first > bound), _flags(last > bound)
    level = _flags(first == bound) & _flags(last == bound) & or_at
    starts, ends = line.starts.copy(), line.ends.copy()
    for row in np.flatnonzero(is_first != is_last).tolist():
        one, two = int(first[row]), int(last[row])
        begin, span = int(line.starts[row]), int(line.ends[row] - line.starts[row])
        rise = abs(two - one)
        crossing = half_even(begin * rise + abs(bound - one) * span, rise)
        (ends if is_first[row] else starts)[row] = crossing
    is_there = is_first | is_last | level
    return spans_of(starts[is_there], ends[is_there])


def _flags(found: Any) -> Flags:
    return np.asarray(found, dtype=np.bool_)
