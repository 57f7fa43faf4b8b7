"""Specifications: every reportable result against the criteria valid for its batch.

Of the specifications of one product, market, scope and stage, the one with the later first batch
counts, then the later instant, then the later in the ledger. Results of a batch are judged by the
stages `ipc` and `release`; `shelf_life` belongs to stability studies, `raw_material` to lots.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from fedbatch.rules.facts import (
    ALWAYS,
    Batches,
    BatchFacts,
    Facts,
    ResultFacts,
    SpecificationFacts,
    moment,
)
from fedbatch.rules.verdicts import AS_RECORDED, judge, shown, shown_bounds
from fedbatch.standard.agreements import AgreementBody, Rounding
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Criterion, Specification, Test, Verdict
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Time, named_key

__all__ = ["judge_test", "specification_findings", "specifications_for"]

_STAGES = frozenset({"ipc", "release"})
_ROLES = frozenset({"PV", "result"})


def specification_findings(
    body: AgreementBody, facts: Facts, batches: Batches, as_of: str
) -> Iterator[Finding]:
    """`specification.fail` and `specification.undecided` of reportable results.

    An invalidated result is not judged. A date that a batch has not reached yet is `as_of`.
    """
    rounding: dict[tuple[str, str], Rounding] = {
        (item.code, item.role): item.rounding for item in body.parameters
    }
    valid = _Valid(facts.specifications, batches, as_of)
    for result in facts.results:
        if result.form != "reportable" or result.invalidated or result.role not in _ROLES:
            continue
        for specification, test in valid.tests(result):
            verdict = judge_test(
                result, test, rounding.get((result.code, result.role), AS_RECORDED)
            )
            if verdict != "pass":
                yield _test_finding(result, specification, test, verdict)


class _Valid:
    """The tests that judge a code, found once for all results of a batch that share a date."""

    def __init__(
        self, specifications: Iterable[SpecificationFacts], batches: Batches, as_of: str
    ) -> None:
        self._specifications = list(specifications)
        self._batches = batches
        self._as_of = as_of
        self._by_tested = any(
            item.specification.date_basis == "tested" and item.specification.from_
            for item in self._specifications
        )
        self._found: dict[tuple[str, str], dict[str, list[tuple[Specification, Test]]]] = {}

    def tests(self, result: ResultFacts) -> list[tuple[Specification, Test]]:
        batch = self._batches.find(result.batch)
        if batch is None:
            return []
        observed = result.observed_at.instant if result.observed_at is not None else self._as_of
        tested = observed if self._by_tested else self._as_of
        at = (batch.batch, tested)
        if at not in self._found:
            self._found[at] = self._by_code(batch, tested)
        return self._found[at].get(result.code, [])

    def _by_code(
        self, batch: BatchFacts, tested: str
    ) -> dict[str, list[tuple[Specification, Test]]]:
        tests = defaultdict(list)
        for item in specifications_for(
            self._specifications, self._batches, batch, tested=tested, as_of=self._as_of
        ):
            for test in item.tests:
                tests[test.code].append((item, test))
        return dict(tests)


def specifications_for(
    specifications: Iterable[SpecificationFacts],
    batches: Batches,
    batch: BatchFacts,
    *,
    tested: str,
    as_of: str,
) -> list[Specification]:
    """The specifications that judge a batch's results tested at an instant, by their names."""
    ranked: dict[tuple[str, ...], tuple[tuple[int, datetime, int], Specification]] = {}
    for item in specifications:
        one = item.specification
        if named_key(one.product) != batch.product or one.stage not in _STAGES:
            continue
        order = batches.begun(one.from_batch, batch.batch)
        since = ALWAYS if one.from_ is None else moment(one.from_.instant)
        if order is None or since > moment(_date(one, batch, tested, as_of)):
            continue
        group = (one.scope, one.stage, *sorted(one.market))
        rank = (order, since, item.order)
        if group not in ranked or rank > ranked[group][0]:
            ranked[group] = (rank, one)
    return sorted((one for _, one in ranked.values()), key=lambda one: one.specification)


def _date(specification: Specification, batch: BatchFacts, tested: str, as_of: str) -> str:
    """The date that decides whether a specification is valid, by its `date_basis`."""
    if specification.date_basis == "tested":
        return tested
    is_released = specification.date_basis == "released"
    time: Time | None = batch.released if is_released else batch.start or batch.end
    return as_of if time is None else time.instant


def judge_test(result: ResultFacts, test: Test, rounding: Rounding) -> Verdict:
    """Pass, fail or none of a result against a test.

    A stage passes if all its criteria do, and fails if one fails. The first stage decides alone when
    it passes; a later stage rests on more samples than one result shows, so that passing it alone is
    none. The test fails if every stage fails.
    """
    stages: dict[str, list[Verdict]] = {}
    for criterion in test.criteria:
        verdict = _judge_criterion(result, criterion, rounding)
        stages.setdefault(criterion.stage or "", []).append(verdict)
    verdicts = [_all_of(stage) for stage in stages.values()]
    if verdicts and verdicts[0] == "pass":
        return "pass"
    return "fail" if verdicts and set(verdicts) == {"fail"} else "none"


def _all_of(verdicts: list[Verdict]) -> Verdict:
    if "fail" in verdicts:
        return "fail"
    return "none" if "none" in verdicts else "pass"


def _judge_criterion(result: ResultFacts, criterion: Criterion, rounding: Rounding) -> Verdict:
    """A criterion in words passes what says the same words; nothing else is decided by machine."""
    verdicts: list[Verdict] = []
    if criterion.text is not None and result.value.absent is None:
        same = shown(result.value).strip().casefold() == criterion.text.strip().casefold()
        verdicts.append("pass" if same else "none")
    if criterion.low is not None or criterion.high is not None:
        verdicts.append(
            judge(
                result.value,
                criterion.low,
                criterion.high,
                inclusive=criterion.inclusive,
                rounding=rounding,
                least=result.least,
                greatest=result.greatest,
            )
        )
    return _all_of(verdicts) if verdicts else "none"


def _test_finding(
    result: ResultFacts, specification: Specification, test: Test, verdict: Verdict
) -> Finding:
    rule = "specification.fail" if verdict == "fail" else "specification.undecided"
    criteria = "; ".join(map(_words, test.criteria))
    return finding(
        rule,
        Place(type="result", key=result.key, path="/value"),
        found=shown(result.value, result.least, result.greatest),
        expected=f"{test.test} of {specification.specification}: {criteria}",
    )


def _words(criterion: Criterion) -> str:
    parts = []
    if criterion.low is not None or criterion.high is not None:
        parts.append(shown_bounds(criterion.low, criterion.high, inclusive=criterion.inclusive))
    if criterion.text is not None:
        parts.append(f"'{criterion.text}'")
    words = " and ".join(parts)
    return f"{criterion.stage} {words}" if criterion.stage else words
