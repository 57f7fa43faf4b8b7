"""Derived results: what an agreement wants computed from a series over a step (STANDARD S41)."""

from collections.abc import Callable, Iterator, Sequence

from fedbatch.rules.series import SeriesFacts, derived_value, parameter_line
from fedbatch.series.blocks import column_points
from fedbatch.series.derived import (
    Condition,
    Derived,
    hold,
    integral,
    longest_excursion,
    maximum,
    mean,
    minimum,
    time_outside,
)
from fedbatch.series.inline import column_name
from fedbatch.series.instants import instant_text, micros
from fedbatch.series.lines import Line
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Derive
from fedbatch.standard.rulebook import RULES_VERSION
from fedbatch.standard.values import Reference

__all__ = ["derived_results"]

_FIGURES: dict[str, Callable[[Line, str], Derived]] = {
    "minimum": minimum,
    "maximum": maximum,
    "mean": mean,
    "integral": integral,
}
_SPANS: dict[str, Callable[[Line, Condition], Derived]] = {
    "time_outside": time_outside,
    "longest_excursion": longest_excursion,
    "hold": hold,
}


def derived_results(
    body: AgreementBody, facts: SeriesFacts, segments: Sequence[tuple[int, int, str]]
) -> Iterator[records.Result]:
    """Results that the agreement derives from a series, once their step is over and complete.

    Args:
        body: the agreement.
        facts: the series as it shows, sealed.
        segments: of each sealed stretch from, to (µs) and the segment's SHA-256.
    """
    for parameter in body.parameters:
        derive = parameter.derive
        if derive is None or derive.element is None:
            continue
        found = _derived(facts, parameter, derive, segments)
        if found is not None:
            yield found


def _derived(
    facts: SeriesFacts,
    parameter: AgreedParameter,
    derive: Derive,
    segments: Sequence[tuple[int, int, str]],
) -> records.Result | None:
    index = next(
        (
            at
            for at, item in enumerate(facts.parameters)
            if (item.code, item.role) == (derive.of, derive.of_role)
        ),
        None,
    )
    step = next((item for item in facts.steps if item.element == derive.element), None)
    name = column_name(derive.of, derive.of_role)
    if index is None or step is None or name not in facts.block.columns:
        return None
    if step.start is None or step.end is None:
        return None
    start, end = micros(step.start.instant), micros(step.end.instant)
    if not start < end <= facts.complete_until:
        return None
    told = facts.parameters[index]
    line = parameter_line(column_points(facts.block, name), told, start, end, facts)
    derived = _computed(line, derive)
    return records.Result(
        version=1,
        code=parameter.code,
        role=parameter.role,
        batch=facts.batch,
        step=Reference(type="step", key=(facts.batch, step.element, step.instance)),
        form="derived",
        attempt=1,
        replicate=1,
        value=derived_value(derived, parameter.unit or told.unit),
        derivation=records.Derivation(
            rule=derive.rule,
            rules_version=RULES_VERSION,
            series=facts.series,
            index=index,
            from_=instant_text(start),
            to=instant_text(end),
            at=instant_text(derived.at) if derived.at is not None else None,
            segments=tuple(name for first, last, name in segments if first < end and last > start),
            coverage=derived.coverage,
            least=derived.least,
            greatest=derived.greatest,
        ),
    )


def _computed(line: Line, derive: Derive) -> Derived:
    if derive.rule in _SPANS:
        return _SPANS[derive.rule](line, Condition(low=derive.low, high=derive.high))
    return _FIGURES[derive.rule](line, derive.coverage)
