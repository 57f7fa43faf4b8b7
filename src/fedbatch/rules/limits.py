"""Limits: each result by those valid for its batch, step and time; and whether limits are nested.

Of the limits of one kind that hold, one counts: that of the result's own element before the general
one, then the one with the later first batch, then the later instant, then the later in the body.
Limits with `persistence` or `averaging` say something of series only; so does `ramp`, which a single
result ignores.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from fedbatch.rules.facts import ALWAYS, Batches, ResultFacts, moment
from fedbatch.rules.verdicts import Bounds, contains, judge, shown, shown_bounds
from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Limit
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Criterion
from fedbatch.standard.rulebook import finding

__all__ = ["limit_findings", "limits_at", "nesting_findings", "ranked_limits"]

# Inner kind first; `criterion` stands in the specification.
_NESTED = (("NOR", "PAR"), ("alert", "action"), ("action", "criterion"))


def limits_at(
    parameter: AgreedParameter,
    batches: Batches,
    batch: str,
    element: str | None,
    instant: str | None,
) -> tuple[Limit, ...]:
    """The limits for results, at most one of each kind, of a batch, an element and a UTC instant.

    Without an instant, limits that begin at one do not hold.
    """
    single = [item for item in parameter.limits if not (item.persistence or item.averaging)]
    elements = () if element is None else (element,)
    when = None if instant is None else moment(instant)
    return ranked_limits(single, batches, batch, elements, when, lambda limit: limit.kind)


def ranked_limits(
    limits: Iterable[Limit],
    batches: Batches,
    batch: str,
    elements: Collection[str],
    when: datetime | None,
    group: Callable[[Limit], Hashable],
) -> tuple[Limit, ...]:
    """Of each group of limits the one that counts at a moment in which some elements run."""
    ranked: dict[Hashable, tuple[tuple[bool, int, datetime, int], Limit]] = {}
    for position, limit in enumerate(limits):
        if limit.element is not None and limit.element not in elements:
            continue
        order = batches.begun(limit.from_batch, batch)
        since = ALWAYS if limit.from_ is None else moment(limit.from_)
        if order is None or (limit.from_ is not None and (when is None or since > when)):
            continue
        rank = (limit.element is not None, order, since, position)
        key = group(limit)
        if key not in ranked or rank > ranked[key][0]:
            ranked[key] = (rank, limit)
    return tuple(limit for _, limit in ranked.values())


class _Valid:
    """The limits of one parameter, found once for all results that they hold for alike."""

    def __init__(self, parameter: AgreedParameter, batches: Batches) -> None:
        self.parameter = parameter
        self._batches = batches
        self._elements = {limit.element for limit in parameter.limits}
        self._is_timed = any(limit.from_ for limit in parameter.limits)
        self._is_by_batch = any(limit.from_batch for limit in parameter.limits)
        self._found: dict[tuple[str, str | None, str | None], tuple[Limit, ...]] = {}

    def limits(self, result: ResultFacts) -> tuple[Limit, ...]:
        element = result.element or self.parameter.element
        if element not in self._elements:
            element = None
        instant = self._instant(result) if self._is_timed else None
        at = (result.batch if self._is_by_batch else "", element, instant)
        if at not in self._found:
            self._found[at] = limits_at(self.parameter, self._batches, *at)
        return self._found[at]

    def _instant(self, result: ResultFacts) -> str | None:
        """When it was observed; else when its batch began."""
        time = result.observed_at
        if time is None:
            batch = self._batches.find(result.batch)
            time = (batch.start or batch.end) if batch is not None else None
        return None if time is None else time.instant


def limit_findings(
    body: AgreementBody, results: Iterable[ResultFacts], batches: Batches
) -> Iterator[Finding]:
    """`limit.excursion` for each limit a result lies outside; `limit.undecided` once for a result.

    An invalidated result is not judged. An absent value lies nowhere: that is completeness' matter.
    """
    valid: dict[tuple[str, str], _Valid] = {
        (item.code, item.role): _Valid(item, batches) for item in body.parameters if item.limits
    }
    for result in results:
        terms = valid.get((result.code, result.role))
        if terms is not None and not result.invalidated and result.value.absent is None:
            yield from _judge_result(result, terms.parameter, terms.limits(result))


def _judge_result(
    result: ResultFacts, parameter: AgreedParameter, limits: tuple[Limit, ...]
) -> Iterator[Finding]:
    undecided = []
    for limit in limits:
        verdict = judge(
            result.value,
            limit.low,
            limit.high,
            inclusive=limit.inclusive,
            rounding=parameter.rounding,
            least=result.least,
            greatest=result.greatest,
        )
        if verdict == "fail":
            yield _limit_finding("limit.excursion", result, _words(limit, parameter.unit))
        elif verdict == "none":
            undecided.append(_words(limit, parameter.unit))
    if undecided:
        yield _limit_finding("limit.undecided", result, "; ".join(sorted(undecided)))


def _words(limit: Limit, unit: str) -> str:
    bounds = shown_bounds(limit.low, limit.high, inclusive=limit.inclusive)
    return f"{limit.kind} {bounds} {unit}"


def _limit_finding(rule: str, result: ResultFacts, expected: str) -> Finding:
    return finding(
        rule,
        Place(type="result", key=result.key, path="/value"),
        found=shown(result.value, result.least, result.greatest),
        expected=expected,
    )


# ---- nesting, at signing


@dataclass(frozen=True, slots=True)
class _Term:
    """A limit or criterion with what it follows on: terms of one group replace each other."""

    kind: str
    group: tuple[str, ...]
    element: str | None
    begin: tuple[str, str]
    bounds: Bounds


def nesting_findings(body: AgreementBody) -> list[Finding]:
    """`limit.nesting` wherever NOR leaves PAR, alert leaves action, or action leaves a criterion.

    Nobody knows the order of batches at signing, so beginnings follow each other as the body lists
    them. Limits are compared at each beginning, in each element that a limit names and outside all.
    """
    found: dict[Finding, None] = {}
    for parameter in body.parameters:
        terms = [*_limit_terms(parameter), *_criterion_terms(body, parameter)]
        begins = list(dict.fromkeys([("", ""), *(term.begin for term in terms)]))
        elements = list(dict.fromkeys([None, *(term.element for term in terms)]))
        for count in range(1, len(begins) + 1):
            for element in elements:
                held = _held(terms, begins[:count], element)
                found.update(dict.fromkeys(_unnested(parameter, held)))
    return list(found)


def _limit_terms(parameter: AgreedParameter) -> Iterator[_Term]:
    for limit in parameter.limits:
        yield _Term(
            limit.kind,
            (limit.kind,),
            limit.element,
            (limit.from_batch or "", limit.from_ or ""),
            (limit.low, limit.high, limit.inclusive),
        )


def _criterion_terms(body: AgreementBody, parameter: AgreedParameter) -> Iterator[_Term]:
    for specification in body.specifications:
        group = (specification.product, specification.scope, specification.stage)
        for test in specification.tests:
            if test.code != parameter.code or parameter.role not in {"PV", "result"}:
                continue
            for position, criterion in enumerate(test.criteria):
                yield _Term(
                    "criterion",
                    (*group, *specification.market, test.test, str(position)),
                    None,
                    (specification.from_batch or "", ""),
                    _bounds(criterion),
                )


def _bounds(criterion: Criterion) -> Bounds:
    return criterion.low, criterion.high, criterion.inclusive


def _held(
    terms: list[_Term], begins: list[tuple[str, str]], element: str | None
) -> Iterable[_Term]:
    """The newest term of each group, the element's own before the general one."""
    ranked: dict[tuple[str, ...], tuple[tuple[bool, int], _Term]] = {}
    for term in terms:
        if term.begin not in begins or term.element not in {None, element}:
            continue
        rank = (term.element is not None, begins.index(term.begin))
        if term.group not in ranked or rank >= ranked[term.group][0]:
            ranked[term.group] = (rank, term)
    return [term for _, term in ranked.values()]


def _unnested(parameter: AgreedParameter, terms: Iterable[_Term]) -> Iterator[Finding]:
    for inner_kind, outer_kind in _NESTED:
        for inner in terms:
            for outer in terms:
                if (inner.kind, outer.kind) != (inner_kind, outer_kind):
                    continue
                if not contains(outer.bounds, inner.bounds):
                    yield _nesting_finding(parameter, inner, outer)


def _nesting_finding(parameter: AgreedParameter, inner: _Term, outer: _Term) -> Finding:
    element = inner.element or outer.element
    return finding(
        "limit.nesting",
        Place(
            type="agreement",
            key=(parameter.code, parameter.role, *([element] if element else [])),
            path="/parameters/limits",
        ),
        found=f"{inner.kind} {_shown(inner)}",
        expected=f"{inner.kind} within {outer.kind} {_shown(outer)}",
    )


def _shown(term: _Term) -> str:
    low, high, inclusive = term.bounds
    return shown_bounds(low, high, inclusive=inclusive)
