"""All agreement rules at once, and the check of an agreement's body before it is signed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from fedbatch.errors import InputError
from fedbatch.rules.completeness import completeness_findings, expected_list
from fedbatch.rules.dependents import dependent_findings
from fedbatch.rules.due import Zones, find_calendar, parse_duration
from fedbatch.rules.facts import Batches, Facts, moment
from fedbatch.rules.genealogy import lot_findings
from fedbatch.rules.limits import limit_findings, nesting_findings
from fedbatch.rules.reconcile import reconcile_findings, replaced_findings
from fedbatch.rules.series import (
    SeriesFacts,
    coarse_findings,
    conflict_findings,
    gap_findings,
    late_findings,
)
from fedbatch.rules.series_limits import series_limit_findings
from fedbatch.rules.series_terms import term_findings
from fedbatch.rules.specification import specification_findings
from fedbatch.series.counting import Conflict
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import check_decimal, decimal_of

__all__ = ["check_body", "facts_under", "judge_all", "judge_series"]

# More of one parameter for each unit belong in a series; the bound keeps the list small.
_COUNT_MAX = 1_000


def judge_all(body: AgreementBody, facts: Facts, as_of: str, zones: Zones) -> list[Finding]:
    """Every finding of the agreement rules, in one order whatever the order of the facts.

    Args:
        body: passed by `check_body`; it judges its own batches alone (`facts_under`).
        facts: of both ledgers.
        as_of: UTC instant from which lateness is seen.
        zones: from a zone's name to the zone.

    Raises:
        InputError: a body that `check_body` would have refused.
    """
    batches = Batches(facts.batches)
    under = facts_under(body, facts)
    found = [
        *limit_findings(body, under.results, batches),
        *specification_findings(body, under, batches, as_of),
        *reconcile_findings(under.results),
        *replaced_findings(under.replaced),
        *lot_findings(under.carried),
        *completeness_findings(expected_list(body, under, as_of, zones)),
        *dependent_findings(under.changes, under.statements),
    ]
    return sorted(found, key=_order)


def judge_series(
    body: AgreementBody,
    series: SeriesFacts,
    conflicts: Sequence[Conflict],
    facts: Facts,
    batches: Batches,
) -> list[Finding]:
    """Every finding of the agreement rules about one series, in one order.

    Args:
        body: the agreement.
        series: what shows of it.
        conflicts: where tellings of it differ.
        facts: of both ledgers: results are held against the series.
        batches: of both ledgers, by which limits are chosen.
    """
    agreed = {(item.code, item.role) for item in body.parameters}
    known = replace(
        series,
        parameters=tuple(p for p in series.parameters if (p.code, p.role) in agreed),
    )
    found = [
        *gap_findings(known),
        *coarse_findings(known.parameters, body, known.series),
        *conflict_findings(conflicts, known.series),
        *late_findings(known),
        *series_limit_findings(body, known, batches),
        *term_findings(body, known, facts.results),
    ]
    return sorted(found, key=_order)


def _order(item: Finding) -> tuple[str, str, tuple[str, ...], str, str, str, str]:
    where = item.where
    return item.rule, where.type, where.key, where.path, item.expected, item.found, item.advice


def facts_under(body: AgreementBody, facts: Facts) -> Facts:
    """The facts of the batches from the body's first batch on; the first version has them all.

    Facts of batches that are not known, such as lots, stay.
    """
    if body.version == 1 or body.first_batch is None:
        return facts
    batches = Batches(facts.batches)
    before = {
        item.batch for item in facts.batches if batches.begun(body.first_batch, item.batch) is None
    }
    return replace(
        facts,
        batches=tuple(item for item in facts.batches if item.batch not in before),
        steps=tuple(item for item in facts.steps if item.batch not in before),
        samples=tuple(item for item in facts.samples if item.batch not in before),
        results=tuple(item for item in facts.results if item.batch not in before),
        replaced=tuple(pair for pair in facts.replaced if pair[1].batch not in before),
        held=tuple(item for item in facts.held if item.batch not in before),
    )


def check_body(body: AgreementBody, zones: Zones) -> list[Finding]:
    """What must be mended before a body is signed: terms that cannot be read, limits not nested.

    Nesting is judged once every bound can be read. `zones` raises InputError for an unknown zone.
    """
    malformed = [
        finding(
            "record.malformed",
            Place(type="agreement", key=(body.id,), path=path),
            found=problem.found,
            expected=problem.expected,
        )
        for path, problem in _problems(body, zones)
    ]
    return malformed or nesting_findings(body)


def _problems(body: AgreementBody, zones: Zones) -> Iterator[tuple[str, InputError]]:
    for path, check in _checks(body, zones):
        try:
            check()
        except InputError as problem:
            yield path, problem


def _checks(body: AgreementBody, zones: Zones) -> Iterator[tuple[str, Callable[[], object]]]:
    for at, parameter in enumerate(body.parameters):
        yield f"/parameters/{at}/sampling", partial(_check_count, parameter.sampling.least_count)
        for number, limit in enumerate(parameter.limits):
            path = f"/parameters/{at}/limits/{number}"
            yield path, partial(_check_bounds, limit.low, limit.high)
            yield path, partial(_check_instant, limit.from_)
    for at, specification in enumerate(body.specifications):
        for number, test in enumerate(specification.tests):
            path = f"/specifications/{at}/tests/{number}"
            for criterion in test.criteria:
                yield path, partial(_check_bounds, criterion.low, criterion.high)
    for at, cadence in enumerate(body.cadence):
        yield f"/cadence/{at}/due", partial(parse_duration, cadence.due)
        yield f"/cadence/{at}/late_after", partial(parse_duration, cadence.late_after)
        yield f"/cadence/{at}/calendar", partial(find_calendar, body.calendars, cadence.calendar)
    for at, calendar in enumerate(body.calendars):
        yield f"/calendars/{at}/zone", partial(zones, calendar.zone)
    for at, site in enumerate(body.sites):
        yield f"/sites/{at}/zone", partial(zones, site.zone)


def _check_count(count: int) -> None:
    if not 0 <= count <= _COUNT_MAX:
        raise InputError(f"a count from 0 to {_COUNT_MAX}", found=str(count))


def _check_bounds(low: str | None, high: str | None) -> None:
    for bound in (low, high):
        if bound is not None:
            check_decimal(bound)
    if low is not None and high is not None and decimal_of(low) > decimal_of(high):
        raise InputError("a lower bound below the upper one", found=f"{low} to {high}")


def _check_instant(instant: str | None) -> None:
    try:
        is_utc = instant is None or (instant.endswith("Z") and bool(moment(instant)))
    except ValueError:
        is_utc = False
    if not is_utc:
        raise InputError("a UTC instant such as 2026-03-02T07:15:00Z", found=instant or "")
