"""Two sources of one result: they agree, or both are named.

Results are the same when their business keys differ in the source alone. Where both say in which
step they were taken, the steps must be the same too: else they are two results, not one.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import combinations

from fedbatch.rules.facts import ResultFacts, moment
from fedbatch.rules.verdicts import shown
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Value

__all__ = ["agree", "reconcile_findings", "replaced_findings"]


def reconcile_findings(results: Iterable[ResultFacts]) -> Iterator[Finding]:
    """`reconcile.mismatch`, one for each result that two sources state differently.

    Derived results have one source, the software, and are left out; so are invalidated ones.
    """
    stated: dict[tuple[str, ...], list[ResultFacts]] = {}
    for result in results:
        if result.form != "derived" and not result.invalidated:
            stated.setdefault(result.key[:-1], []).append(result)
    for key, group in stated.items():
        if len(group) > 1 and any(_contradict(*pair) for pair in combinations(group, 2)):
            yield _mismatch(key, group)


def replaced_findings(
    pairs: Iterable[tuple[ResultFacts, ResultFacts]],
) -> Iterator[Finding]:
    """`reconcile.mismatch` where a maker's own result says other than what was transcribed of it.

    Args:
        pairs: each transcribed result with the one that replaces it.
    """
    for transcribed, own in pairs:
        if not agree(transcribed.value, own.value):
            yield finding(
                "reconcile.mismatch",
                Place(type="result", key=own.key, path="/value"),
                found=f"{shown(own.value)}; transcribed {shown(transcribed.value)}",
                expected="what was transcribed of it",
            )


def _contradict(one: ResultFacts, other: ResultFacts) -> bool:
    apart = [
        None not in pair and pair[0] != pair[1]
        for pair in ((one.element, other.element), (one.instance, other.instance))
    ]
    return not any(apart) and not agree(one.value, other.value)


def agree(one: Value, other: Value) -> bool:
    """Whether two values say the same: numbers by what they count, 1.50 as 1.5, not by digits.

    Two absent values agree, whatever their reasons: neither says anything against the other.
    """
    if one.kind != other.kind or one.comparator != other.comparator:
        return False
    if None not in (one.unit, other.unit) and one.unit != other.unit:
        return False
    if one.number is not None and other.number is not None:
        return Decimal(one.number) == Decimal(other.number)
    if one.time is not None and other.time is not None:
        return moment(one.time.instant) == moment(other.time.instant)
    return one.absent is not None or shown(one) == shown(other)


def _mismatch(key: tuple[str, ...], group: list[ResultFacts]) -> Finding:
    ordered = sorted(group, key=lambda result: result.source)
    return finding(
        "reconcile.mismatch",
        Place(type="result", key=key, path="/value"),
        found="; ".join(f"{shown(item.value)} by {item.source}" for item in ordered),
        expected="the same value by every source",
    )
