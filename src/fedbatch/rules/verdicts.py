"""Verdicts: a value against bounds (STANDARD §5, Verdicts).

A value states which numbers it allows: `12.4` one, `<0.05` all below. It passes if every number it
allows passes, fails if none does, and else decides nothing. Numbers are rounded before they are
compared; as rounding never changes their order, the ends of what is allowed may be rounded instead.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_UP,
    Context,
    Decimal,
)
from functools import lru_cache
from typing import NamedTuple

from fedbatch.standard.agreements import Rounding
from fedbatch.standard.records import Verdict
from fedbatch.standard.values import Comparator, Value

__all__ = ["AS_RECORDED", "Bounds", "contains", "judge", "shown", "shown_bounds"]

# Low, high, and whether a number equal to one of them passes.
Bounds = tuple[str | None, str | None, bool]

AS_RECORDED = Rounding()

# Holds 38 digits on either side of the point, whatever the caller's decimal context is.
_EXACT = Context(prec=100)


class _Stretch(NamedTuple):
    """Numbers between two ends; an end that is None is open to infinity."""

    low: Decimal | None
    high: Decimal | None
    has_low: bool = True
    has_high: bool = True

    def holds(self, other: "_Stretch") -> bool:
        """Whether every number of the other is one of this."""
        return _is_above(self, other) and _is_below(self, other)

    def misses(self, other: "_Stretch") -> bool:
        """Whether no number is in both."""
        return _ends_before(self, other) or _ends_before(other, self)

    @property
    def is_empty(self) -> bool:
        return _ends_before(self, self)


def _is_above(outer: _Stretch, inner: _Stretch) -> bool:
    if outer.low is None:
        return True
    if inner.low is None:
        return False
    return inner.low > outer.low or (
        inner.low == outer.low and (outer.has_low or not inner.has_low)
    )


def _is_below(outer: _Stretch, inner: _Stretch) -> bool:
    if outer.high is None:
        return True
    if inner.high is None:
        return False
    return inner.high < outer.high or (
        inner.high == outer.high and (outer.has_high or not inner.has_high)
    )


def _ends_before(one: _Stretch, other: _Stretch) -> bool:
    """Whether all of one lies below all of the other."""
    if one.high is None or other.low is None:
        return False
    return one.high < other.low or (one.high == other.low and not (one.has_high and other.has_low))


def _rounded(number: Decimal, decimals: int, rounding: str) -> Decimal:
    return number.quantize(Decimal((0, (1,), -decimals)), rounding=rounding, context=_EXACT)


@lru_cache(maxsize=4096)
def _accepted(
    low: str | None,
    high: str | None,
    inclusive: bool,  # noqa: FBT001 - the parts of Bounds in their order
    decimals: int | None,
) -> _Stretch:
    """What passes. With rounding: the least and the greatest rounded number that pass."""
    stretch = _Stretch(
        None if low is None else Decimal(low),
        None if high is None else Decimal(high),
        has_low=inclusive,
        has_high=inclusive,
    )
    return stretch if decimals is None else _on_grid(stretch, decimals)


def _on_grid(stretch: _Stretch, decimals: int) -> _Stretch:
    step = Decimal((0, (1,), -decimals))
    low, high = stretch.low, stretch.high
    if low is not None:
        first = _rounded(low, decimals, ROUND_CEILING)
        low = first if stretch.has_low or first != low else _EXACT.add(first, step)
    if high is not None:
        last = _rounded(high, decimals, ROUND_FLOOR)
        high = last if stretch.has_high or last != high else _EXACT.subtract(last, step)
    return _Stretch(low, high)


# Bounded small: what helps is that a result's limits and criteria are judged one after the other.
@lru_cache(maxsize=4096)
def _allowed(
    number: str,
    comparator: Comparator | None,
    least: str | None,
    greatest: str | None,
    decimals: int | None,
) -> _Stretch:
    """The numbers that a value allows, rounded if decimals are given."""
    stretch = _stated(number, comparator, least, greatest)
    return stretch if decimals is None else _round_stretch(stretch, decimals)


def _stated(
    number: str, comparator: Comparator | None, least: str | None, greatest: str | None
) -> _Stretch:
    if least is not None or greatest is not None:
        return _Stretch(
            None if least is None else Decimal(least),
            None if greatest is None else Decimal(greatest),
        )
    exact = Decimal(number)
    match comparator:
        case None:
            return _Stretch(exact, exact)
        case "<" | "<=":
            return _Stretch(None, exact, has_high=comparator == "<=")
        case ">" | ">=":
            return _Stretch(exact, None, has_low=comparator == ">=")
        case "~":
            return _Stretch(None, None)


def _round_stretch(stretch: _Stretch, decimals: int) -> _Stretch:
    """What the numbers of a stretch become by rounding half up, away from zero.

    An end that is not itself in the stretch rounds as the numbers beside it do: below 0.05, to one
    decimal, lies at most 0.0, though 0.05 itself becomes 0.1.
    """
    low, high = stretch.low, stretch.high
    if low is not None:
        is_pulled = not stretch.has_low and low < 0
        low = _rounded(low, decimals, ROUND_HALF_DOWN if is_pulled else ROUND_HALF_UP)
    if high is not None:
        is_pulled = not stretch.has_high and high > 0
        high = _rounded(high, decimals, ROUND_HALF_DOWN if is_pulled else ROUND_HALF_UP)
    return _Stretch(low, high)


def judge(
    value: Value,
    low: str | None,
    high: str | None,
    *,
    inclusive: bool = True,
    rounding: Rounding = AS_RECORDED,
    least: str | None = None,
    greatest: str | None = None,
) -> Verdict:
    """Decide a value against bounds.

    Args:
        value: in the unit of the bounds.
        low: decimal of the lower bound, or None.
        high: decimal of the upper bound, or None.
        inclusive: whether a number equal to a bound passes.
        rounding: before comparison; `half_up` without `decimals` says not where, and is none.
        least: decimal that the value's number is known not to be below (derived results).
        greatest: decimal that it is known not to be above.

    Returns:
        `none` for what states no number, and for what allows numbers that pass and others that fail.
    """
    if value.number is None:
        return "none"
    decimals = rounding.decimals if rounding.kind == "half_up" else None
    allowed = _allowed(value.number, value.comparator, least, greatest, decimals)
    accepted = _accepted(low, high, inclusive, decimals)
    if accepted.holds(allowed):
        return "pass"
    if accepted.is_empty or accepted.misses(allowed):
        return "fail"
    return "none"


def contains(outer: Bounds, inner: Bounds) -> bool:
    """Whether every number within the inner bounds is within the outer ones."""
    return _accepted(*outer, None).holds(_accepted(*inner, None))


def shown(value: Value, least: str | None = None, greatest: str | None = None) -> str:
    """What a value states, for a finding: `<0.05`, `absent (blank)`, a text."""
    if value.number is not None:
        if least is not None or greatest is not None:
            return f"{value.number} ({shown_bounds(least, greatest, inclusive=True)})"
        return f"{value.comparator or ''}{value.number}"
    if value.absent is not None:
        return f"absent ({value.absent})"
    if value.time is not None:
        return value.time.instant
    return value.code if value.code is not None else value.raw or ""


def shown_bounds(low: str | None, high: str | None, *, inclusive: bool) -> str:
    """Bounds in words: `6.8 to 7.2`, `at most 0.1`, `above 0 and below 5`."""
    if low is not None and high is not None:
        return f"{low} to {high}" if inclusive else f"above {low} and below {high}"
    if low is not None:
        return f"{'at least' if inclusive else 'above'} {low}"
    if high is not None:
        return f"{'at most' if inclusive else 'below'} {high}"
    return "any number"
