"""Results derived from one parameter of a series (STATISTICS §9).

Each has a number and, between `least` and `greatest`, what gaps and the dead band leave possible;
it is judged like a value with a comparator. Durations are seconds.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from fedbatch.errors import InputError
from fedbatch.series.blocks import Integers
from fedbatch.series.lines import Exact, Line, above, below, half_even
from fedbatch.series.spans import Spans, complement, length, longest, union
from fedbatch.standard.values import decimal_of

__all__ = [
    "Condition",
    "Derived",
    "alone",
    "duration_text",
    "hold",
    "integral",
    "longest_excursion",
    "maximum",
    "mean",
    "minimum",
    "outside",
    "span_between",
    "time_outside",
]

SECOND_US = 1_000_000
_COVERAGE_DECIMALS = 6
_INT64_MAX = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A derived result; decimals as text.

    `number` is None where nothing is known. `least` and `greatest` are None where open; where both are,
    `is_open` says that the number decides nothing. `at`: the first time (µs) of an extreme. `coverage`
    is rounded down, so that 1 means all. `uncertain`: the share of it that rests on uncertain points.
    """

    number: str | None
    least: str | None
    greatest: str | None
    coverage: str
    uncertain: str = "0"
    at: int | None = None

    @property
    def is_open(self) -> bool:
        return self.least is None and self.greatest is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Bounds, as a limit or a condition states them: decimals, at least one."""

    low: str | None = None
    high: str | None = None
    inclusive: bool = True

    def __post_init__(self) -> None:
        """Refuse what bounds nothing.

        Raises:
            InputError: `derived.condition`: no bound; `decimal`: one that is no decimal.
        """
        if self.low is None and self.high is None:
            raise InputError("a lower or an upper bound", found="neither", code="derived.condition")
        for bound in (self.low, self.high):
            if bound is not None:
                decimal_of(bound)


def _share(fraction: Fraction) -> str:
    scaled = fraction.numerator * 10**_COVERAGE_DECIMALS // fraction.denominator
    return _plain(scaled, _COVERAGE_DECIMALS, 0)


def _plain(number: int, scale: int, least: int) -> str:
    """An integer at a scale as a decimal with at least so many decimals, no noughts beyond them."""
    while scale > least and number % 10 == 0:
        number //= 10
        scale -= 1
    return format(Decimal(number).scaleb(-scale), "f")


def duration_text(duration: int) -> str:
    """Microseconds as decimal seconds."""
    return _plain(duration, 6, 0)


# ---- extremes


def minimum(line: Line, coverage: str = "1") -> Derived:
    """The least of the good points in the window and the edges of what is covered.

    Args:
        line: of the window.
        coverage: below this share of the window, it may be less.
    """
    return _extreme(line, coverage, is_least=True)


def maximum(line: Line, coverage: str = "1") -> Derived:
    """The greatest, likewise; below the agreed coverage it may be more."""
    return _extreme(line, coverage, is_least=False)


def _extreme(line: Line, coverage: str, *, is_least: bool) -> Derived:
    times = np.concatenate([line.times, line.starts, line.ends])
    numbers: Exact = np.concatenate([line.numbers, line.first, line.last])
    if not times.size:
        return _derived(line, None, None, None)
    extreme = int(numbers.min() if is_least else numbers.max())
    at = int(times[np.asarray(numbers == extreme, dtype=np.bool_)].min())
    number = _number(line, extreme)
    least, greatest = _around(line, number)
    is_whole = line.coverage >= Fraction(coverage)
    return _derived(
        line,
        number,
        least if is_whole or not is_least else None,
        greatest if is_whole or is_least else None,
        at=at,
    )


def _number(line: Line, number: int) -> str:
    return _plain(number, line.scale, line.decimals)


def _around(line: Line, number: str) -> tuple[str, str]:
    band = line.dead_band
    return format(Decimal(number) - band, "f"), format(Decimal(number) + band, "f")


def _derived(
    line: Line,
    number: str | None,
    least: str | None,
    greatest: str | None,
    at: int | None = None,
) -> Derived:
    return Derived(
        number=number,
        least=least,
        greatest=greatest,
        coverage=_share(line.coverage),
        uncertain=_share(line.uncertain_share),
        at=at,
    )


# ---- mean, integral


def mean(line: Line, coverage: str = "1") -> Derived:
    """The integral over what is covered, divided by its length; open below the agreed coverage."""
    if not line.covered_us:
        return _derived(line, None, None, None)
    number = _rounded(line, half_even(_doubled_area(line), 2 * line.covered_us))
    if line.coverage < Fraction(coverage):
        return _derived(line, number, None, None)
    return _derived(line, number, *_around(line, number))


def integral(line: Line, coverage: str = "1", unit_us: int = SECOND_US) -> Derived:
    """The integral over what is covered, in the parameter's unit × `unit_us` microseconds."""
    number = _rounded(line, half_even(_doubled_area(line), 2 * unit_us))
    if line.coverage < Fraction(coverage):
        return _derived(line, number, None, None)
    band = line.dead_band
    decimals = max(0, -int(band.as_tuple().exponent))
    room = half_even(
        int(band.scaleb(decimals)) * line.covered_us * 10**line.scale, unit_us * 10**decimals
    )
    exact = Decimal(number)
    step = Decimal(room).scaleb(-line.scale)
    return _derived(line, number, format(exact - step, "f"), format(exact + step, "f"))


def _rounded(line: Line, number: int) -> str:
    return format(Decimal(number).scaleb(-line.scale), "f")


def _doubled_area(line: Line) -> int:
    """Twice the integral, at the line's scale × µs: a whole number, whatever its size."""
    sums: Any = line.first + line.last
    spans = line.ends - line.starts
    if not spans.size:
        return 0
    most = max(abs(int(sums.max())), abs(int(sums.min())), 1) * int(spans.max())
    together = _INT64_MAX // most
    if sums.dtype == object or not together:
        return sum(one * two for one, two in zip(sums.tolist(), spans.tolist(), strict=True))
    parts = np.add.reduceat(sums * spans, np.arange(0, spans.size, together))
    return sum(parts.tolist())


# ---- time outside, excursions, holds


def time_outside(line: Line, condition: Condition) -> Derived:
    """Seconds for which the condition forbids the number."""
    least, number, greatest = outside(line, condition)
    return _durations(line, length(number), length(least), length(union(greatest, line.gaps)))


def longest_excursion(line: Line, condition: Condition, persistence_us: int = 0) -> Derived:
    """Seconds of the longest stretch outside; gaps end it; 0 where it is below the persistence."""
    least, number, greatest = outside(line, condition)
    found = longest(number), longest(least), longest(union(greatest, line.gaps))
    return _durations(line, *(span if span >= persistence_us else 0 for span in found))


def hold(line: Line, condition: Condition) -> Derived:
    """Seconds of the longest stretch of what is covered on which the condition is met."""
    least, number, greatest = outside(line, condition)
    met, surely, possibly = (
        complement(spans, line.from_, line.to)
        for spans in (union(number, line.gaps), union(greatest, line.gaps), least)
    )
    return _durations(line, longest(met), longest(surely), longest(possibly))


def span_between(from_: int, to: int) -> Derived:
    """A hold between two events (µs): the time from one to the other.

    Raises:
        InputError: `derived.window`: the second comes before the first.
    """
    if to < from_:
        raise InputError(
            "an event after the first", found=f"{to - from_} µs", code="derived.window"
        )
    text = duration_text(to - from_)
    return Derived(number=text, least=text, greatest=text, coverage="1")


def outside(line: Line, condition: Condition) -> tuple[Spans, Spans, Spans]:
    """Where all of number ± dead band is forbidden, where the number is, where any of it is.

    Gaps are in none of the three; a point that stands alone between them has no length (`alone`).
    """
    band = line.dead_band
    number = _forbidden(line, condition, Decimal(0))
    if not band:
        return number, number, number
    return _forbidden(line, condition, band), number, _forbidden(line, condition, -band)


def alone(line: Line, condition: Condition) -> tuple[Integers, Integers]:
    """Times of good points that no covered stretch holds: all forbidden, and any forbidden."""
    held = [line.starts, line.ends] if line.is_linear else [line.starts]
    is_alone = ~np.isin(line.times, np.concatenate(held))
    times, numbers = line.times[is_alone], line.numbers[is_alone]
    at = replace(line, starts=times, ends=times + 1, first=numbers, last=numbers)
    surely, _, possibly = outside(at, condition)
    return times[np.isin(times, surely.starts)], times[np.isin(times, possibly.starts)]


def _forbidden(line: Line, condition: Condition, room: Decimal) -> Spans:
    """Where the number lies more than `room` outside the bounds."""
    or_at = not condition.inclusive
    none = np.empty(0, dtype=np.int64)
    over = under = Spans(none, none)
    if condition.high is not None:
        over = above(line, decimal_of(condition.high) + room, or_at=or_at)
    if condition.low is not None:
        under = below(line, decimal_of(condition.low) - room, or_at=or_at)
    return union(over, under)


def _durations(line: Line, number: int, least: int, greatest: int) -> Derived:
    return _derived(line, duration_text(number), duration_text(least), duration_text(greatest))
