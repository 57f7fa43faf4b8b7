from dataclasses import replace
from itertools import permutations

import pytest

from fedbatch.rules.facts import ResultFacts
from fedbatch.rules.reconcile import agree, reconcile_findings
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.values import Value
from tests.unit.rules.making import absent, at, number, result, words


def by_mes(value: Value | str) -> ResultFacts:
    return result(value, source="mes")


def test_two_sources_that_differ_are_named_with_all_fields() -> None:
    pair = [by_mes("7.1"), result("7.10001")]
    expected = Finding(
        rule="reconcile.mismatch",
        severity=2,
        where=Place(
            type="result",
            key=("b1", "PH", "result", "", "reportable", "1", "1"),
            path="/value",
        ),
        found="7.10001 by lims; 7.1 by mes",
        expected="the same value by every source",
    )
    assert list(reconcile_findings(pair)) == [expected]
    assert list(reconcile_findings(reversed(pair))) == [expected]


def test_three_sources_of_which_one_differs_make_one_finding() -> None:
    stated = [result("7"), by_mes("7.0"), result("8", source="tool")]
    for order in permutations(stated):
        (one,) = reconcile_findings(order)
        assert one.found == "7 by lims; 7.0 by mes; 8 by tool"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (number("1.50"), number("1.5")),
        (number("0.05", "<"), number("0.050", "<")),
        (words("clear"), words("clear")),
        (absent("blank"), absent("not_tested")),
        (Value(kind="boolean", code="true"), Value(kind="boolean", code="true", raw="yes")),
        (
            Value(kind="time", time=at("2026-01-01T00:00:00Z")),
            Value(kind="time", time=at("2026-01-01T00:00:00.0Z")),
        ),
        (
            Value(kind="number", number="1", unit="g"),
            Value(kind="number", number="1.0", unit="g"),
        ),
        (Value(kind="number", number="1", unit="g"), Value(kind="number", number="1.0")),
    ],
)
def test_values_that_say_the_same_agree(one: Value, other: Value) -> None:
    assert agree(one, other)
    assert agree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (number("1.50"), number("1.51")),
        (number("0.05", "<"), number("0.05")),
        (number("0.05", "<"), number("0.05", "<=")),
        (words("clear"), words("Clear")),
        (words("1"), number("1")),
        (absent("blank"), number("0")),
        (Value(kind="boolean", code="true"), Value(kind="boolean", code="false")),
        (
            Value(kind="time", time=at("2026-01-01T00:00:00Z")),
            Value(kind="time", time=at("2026-01-01T00:00:01Z")),
        ),
        (
            Value(kind="number", number="1", unit="g"),
            Value(kind="number", number="1", unit="kg"),
        ),
    ],
)
def test_values_that_say_otherwise_do_not_agree(one: Value, other: Value) -> None:
    assert not agree(one, other)
    assert not agree(other, one)


@pytest.mark.parametrize(
    "other",
    [
        result("8", source="mes", replicate=2),
        result("8", source="mes", attempt=2),
        result("8", source="mes", sample="s2"),
        result("8", source="mes", observed="2026-01-01T00:00:00Z"),
        result("8", source="mes", batch="b2"),
        result("8", source="mes", code="TEMP"),
        result("8", source="mes", is_replicate=True),
        replace(by_mes("8"), element="hold"),
        replace(by_mes("8"), element="growth", instance="2"),
        replace(by_mes("8"), invalidated=True),
        by_mes("7.00"),
    ],
)
def test_other_results_are_not_held_against_each_other(other: ResultFacts) -> None:
    one = replace(result("7"), element="growth", instance="1")
    assert list(reconcile_findings([one, other])) == []


@pytest.mark.parametrize(("element", "instance"), [(None, None), ("growth", "1"), ("growth", None)])
def test_results_of_the_same_or_of_no_step_are_held_against_each_other(
    element: str | None, instance: str | None
) -> None:
    one = replace(result("7"), element="growth", instance="1")
    other = replace(by_mes("8"), element=element, instance=instance)
    assert len(list(reconcile_findings([one, other]))) == 1


def test_derived_results_have_one_source() -> None:
    one = replace(result("7"), form="derived", key=("b1", "PH", "result", "", "derived", "mean"))
    other = replace(one, key=("b1", "PH", "result", "", "derived", "maximum"), value=number("8"))
    assert list(reconcile_findings([one, other])) == []
