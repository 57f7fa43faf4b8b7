"""What an agreement says of series and results together: the same figure twice, and balances."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np

from fedbatch.rules.facts import ResultFacts, StepFacts
from fedbatch.rules.series import (
    SeriesFacts,
    balance_findings,
    counter_growth,
    parameter_line,
)
from fedbatch.series.blocks import ColumnPoints, column_points, good_points
from fedbatch.series.decimals import number_text
from fedbatch.series.derived import maximum, mean, minimum
from fedbatch.series.inline import column_name
from fedbatch.series.instants import instant_text, micros
from fedbatch.standard.agreements import AgreementBody, Balance, Derive
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import decimal_of

__all__ = ["term_findings"]

_RULES = {"minimum": minimum, "maximum": maximum, "mean": mean}
_SAID = {
    "minimum": "the least of",
    "maximum": "the greatest of",
    "mean": "the mean of",
    "at": "what was measured then by",
}
# What goes in is balanced once the first counter has counted this much: noise is no imbalance.
_GROWTH_MIN = Decimal(20)


def term_findings(
    body: AgreementBody, facts: SeriesFacts, results: Iterable[ResultFacts]
) -> Iterator[Finding]:
    """`reconcile.mismatch` of results against the series, and `balance.mismatch`."""
    terms: dict[tuple[str, str], Derive] = {
        (item.code, item.role): item.derive
        for item in body.parameters
        if item.derive is not None and item.derive.element is None
    }
    for result in results:
        derive = terms.get((result.code, result.role))
        is_told = result.batch == facts.batch and result.value.number is not None
        if derive is not None and is_told and not result.invalidated:
            yield from _reconcile(facts, result, derive)
    for balance in body.balances:
        yield from _balance(facts, balance)


# ---- the same figure twice


def _reconcile(facts: SeriesFacts, result: ResultFacts, derive: Derive) -> Iterator[Finding]:
    said = _at(facts, result, derive) if derive.rule == "at" else _over(facts, result, derive)
    if said is None or result.value.number is None:
        return
    number, when = said
    if abs(decimal_of(result.value.number) - decimal_of(number)) > decimal_of(derive.tolerance):
        yield finding(
            "reconcile.mismatch",
            Place(type="result", key=result.key, path="/value"),
            found=f"{result.value.number}, where the series has {number} {when}",
            expected=f"{_SAID[derive.rule]} {derive.of}, within {derive.tolerance}",
        )


def _points(facts: SeriesFacts, code: str, role: str) -> ColumnPoints | None:
    name = column_name(code, role)
    return column_points(facts.block, name) if name in facts.block.columns else None


def _at(facts: SeriesFacts, result: ResultFacts, derive: Derive) -> tuple[str, str] | None:
    """What the series had when the result was observed: the newest good point before."""
    points = _points(facts, derive.of, derive.of_role)
    if points is None or result.observed_at is None:
        return None
    good = good_points(points)
    time = micros(result.observed_at.instant)
    row = int(np.searchsorted(good.times, time, side="right")) - 1
    if row < 0 or time > facts.complete_until:
        return None
    return number_text(good.numbers[row].item(), good.scale), f"at {result.observed_at.instant}"


def _over(facts: SeriesFacts, result: ResultFacts, derive: Derive) -> tuple[str, str] | None:
    """What the series says of the result's step, once that is over and complete."""
    points = _points(facts, derive.of, derive.of_role)
    parameter = next(
        (p for p in facts.parameters if (p.code, p.role) == (derive.of, derive.of_role)), None
    )
    window = _window(facts, result.element)
    if points is None or parameter is None or window is None:
        return None
    line = parameter_line(points, parameter, *window, facts)
    if derive.rule not in _RULES:
        return None
    derived = _RULES[derive.rule](line, "0")
    if derived.number is None:
        return None
    return derived.number, f"from {instant_text(window[0])} to {instant_text(window[1])}"


def _window(facts: SeriesFacts, element: str | None) -> tuple[int, int] | None:
    step = _step(facts, element)
    if step is None or step.start is None or step.end is None:
        return None
    start, end = micros(step.start.instant), micros(step.end.instant)
    return (start, end) if start < end <= facts.complete_until else None


def _step(facts: SeriesFacts, element: str | None) -> StepFacts | None:
    return next((item for item in facts.steps if item.element == element), None)


# ---- balances


def _balance(facts: SeriesFacts, balance: Balance) -> Iterator[Finding]:
    step = _step(facts, balance.element)
    if step is None or step.start is None:
        return
    start = micros(step.start.instant)
    end = min(micros(step.end.instant), facts.complete_until) if step.end else facts.complete_until
    counted = [_points(facts, code, "PV") for code in balance.counted]
    weight = _points(facts, balance.weighed, "PV")
    if weight is None or start >= end or any(item is None for item in counted):
        return
    grown = [counter_growth(_within(item, start, end)) for item in counted if item is not None]
    if grown[0] < _GROWTH_MIN:
        return
    gained = _gain(_within(weight, start, end))
    where = Place(type="series", key=(facts.series,), path=f"/{balance.counted[0]}.PV")
    tolerance = grown[0] * decimal_of(balance.tolerance_share)
    unit = next(
        (p.unit for p in facts.parameters if (p.code, p.role) == (balance.weighed, "PV")), ""
    )
    total = sum(grown, Decimal(0)) * decimal_of(balance.factor)
    yield from balance_findings(where, gained, total, tolerance, unit)


def _within(points: ColumnPoints, start: int, end: int) -> ColumnPoints:
    good = good_points(points)
    inside = (good.times >= start) & (good.times < end)
    return ColumnPoints(good.times[inside], good.numbers[inside], None, {}, good.scale)


def _gain(points: ColumnPoints) -> Decimal:
    """How much more the last point says than the first."""
    if points.times.size < 2:  # noqa: PLR2004 - a gain needs two
        return Decimal(0)
    first, last = (number_text(points.numbers[row].item(), points.scale) for row in (0, -1))
    return Decimal(last) - Decimal(first)
