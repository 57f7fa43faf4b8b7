from dataclasses import replace

import pytest

from fedbatch.rules.facts import Batches, BatchFacts, Facts, ResultFacts, SpecificationFacts
from fedbatch.rules.specification import judge_test, specification_findings
from fedbatch.standard import records
from fedbatch.standard.agreements import Rounding
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Criterion
from fedbatch.standard.values import Value
from tests.unit.rules.making import (
    absent,
    at,
    batch,
    body,
    number,
    parameter,
    result,
    specification,
    words,
)

AS_OF = "2026-06-01T00:00:00Z"
UP_TO_7 = Criterion(high="7")


def found(
    result_: ResultFacts,
    *specifications: SpecificationFacts,
    batches: tuple[BatchFacts, ...] = (batch("b1", 1), batch("b2", 2)),
    rounding: Rounding | None = None,
    as_of: str = AS_OF,
) -> list[Finding]:
    facts = Facts(batches=batches, results=(result_,), specifications=specifications)
    terms = body(parameter(rounding=rounding))
    return list(specification_findings(terms, facts, Batches(batches), as_of))


def expected(*args: SpecificationFacts, result_: ResultFacts | None = None) -> list[str]:
    return [item.expected for item in found(result_ or result("8"), *args)]


def test_a_result_that_fails_its_criterion_is_found_with_all_its_fields() -> None:
    assert found(result("7.1"), specification(UP_TO_7)) == [
        Finding(
            rule="specification.fail",
            severity=1,
            where=Place(
                type="result",
                key=("b1", "PH", "result", "", "reportable", "1", "1", "lims"),
                path="/value",
            ),
            found="7.1",
            expected="pH value of SP-1: at most 7",
        )
    ]


@pytest.mark.parametrize(
    "value", [absent("not_tested"), number("8", "<"), number("7", "~"), words("seven")]
)
def test_a_value_that_decides_nothing_is_undecided(value: Value) -> None:
    (one,) = found(result(value), specification(UP_TO_7))
    assert (one.rule, one.severity) == ("specification.undecided", 2)


@pytest.mark.parametrize(
    "item",
    [
        result("7.0"),
        result(number("7", "<")),
        result("8", invalidated=True),
        result("8", is_replicate=True),
        result("8", code="TEMP"),
        result("8", batch="b9"),
        replace(result("8"), role="SP"),
    ],
)
def test_what_passes_or_is_not_judged_has_no_finding(item: ResultFacts) -> None:
    assert found(item, specification(UP_TO_7)) == []


def test_a_result_of_the_role_pv_is_judged() -> None:
    assert len(found(replace(result("8"), role="PV"), specification(UP_TO_7))) == 1


def test_numbers_are_rounded_as_the_parameter_says() -> None:
    whole = Rounding(kind="half_up", decimals=0)
    assert found(result("7.4"), specification(UP_TO_7), rounding=whole) == []
    assert len(found(result("7.5"), specification(UP_TO_7), rounding=whole)) == 1


def test_the_specification_of_another_product_does_not_judge() -> None:
    assert expected(specification(UP_TO_7, product="p2")) == []


@pytest.mark.parametrize(
    ("stage", "count"), [("ipc", 1), ("release", 1), ("shelf_life", 0), ("raw_material", 0)]
)
def test_batches_are_judged_by_in_process_and_release_stages(stage: str, count: int) -> None:
    stages = {
        "ipc": specification(UP_TO_7, stage="ipc"),
        "release": specification(UP_TO_7, stage="release"),
        "shelf_life": specification(UP_TO_7, stage="shelf_life"),
        "raw_material": specification(UP_TO_7, stage="raw_material"),
    }
    assert len(expected(stages[stage])) == count


def test_a_specification_holds_from_its_first_batch_on_and_replaces_the_one_before() -> None:
    first = specification(UP_TO_7, name="SP-1")
    second = specification(Criterion(high="6"), name="SP-2", from_batch="N-b2")
    assert expected(second, first) == ["pH value of SP-1: at most 7"]
    assert expected(first, second, result_=result("8", batch="b2")) == [
        "pH value of SP-2: at most 6"
    ]


def test_of_equal_specifications_the_later_in_the_ledger_counts() -> None:
    first = specification(UP_TO_7, name="SP-1", order=1)
    second = specification(Criterion(high="6"), name="SP-2", order=2)
    for pair in ((first, second), (second, first)):
        assert expected(*pair) == ["pH value of SP-2: at most 6"]


def test_specifications_of_two_markets_both_judge() -> None:
    one = specification(UP_TO_7, name="SP-2", market=("EU",))
    other = specification(UP_TO_7, name="SP-1", market=("US",))
    assert expected(one, other) == ["pH value of SP-1: at most 7", "pH value of SP-2: at most 7"]
    same = specification(UP_TO_7, name="SP-3", market=("US", "EU"), order=1)
    again = specification(UP_TO_7, name="SP-4", market=("EU", "US"), order=2)
    assert expected(same, again) == ["pH value of SP-4: at most 7"]


@pytest.mark.parametrize(
    ("basis", "one", "observed", "count"),
    [
        ("manufactured", batch(start="2026-03-01T00:00:00Z"), "", 1),
        ("manufactured", batch(start="2026-02-28T00:00:00Z", end="2026-03-02T00:00:00Z"), "", 0),
        ("manufactured", batch(end="2026-03-02T00:00:00Z"), "", 1),
        ("manufactured", batch(), "", 1),
        ("tested", batch(start="2026-02-01T00:00:00Z"), "2026-03-01T00:00:00Z", 1),
        ("tested", batch(start="2026-04-01T00:00:00Z"), "2026-02-01T00:00:00Z", 0),
        ("tested", batch(start="2026-02-01T00:00:00Z"), "", 1),
        ("released", batch(start="2026-02-01T00:00:00Z"), "", 1),
        ("released", replace(batch(), released=at("2026-02-28T23:59:59Z")), "", 0),
    ],
)
def test_the_date_basis_says_whether_a_specification_holds_yet(
    basis: str, one: BatchFacts, observed: str, count: int
) -> None:
    since = "2026-03-01T00:00:00Z"
    by_basis = {
        "manufactured": specification(UP_TO_7, from_=since),
        "tested": specification(UP_TO_7, from_=since, basis="tested"),
        "released": specification(UP_TO_7, from_=since, basis="released"),
    }
    item = result("8", observed=observed)
    assert len(found(item, by_basis[basis], batches=(one,))) == count


def test_a_date_that_has_not_come_is_as_of() -> None:
    later = specification(UP_TO_7, from_="2026-05-01T00:00:00Z", basis="released")
    assert len(found(result("8"), later)) == 1
    assert found(result("8"), later, as_of="2026-04-30T00:00:00Z") == []


# ---- tests of more than one criterion


def verdict(value: Value | str, *criteria: Criterion) -> str:
    return judge_test(
        result(value), records.Test(test="t", code="PH", criteria=criteria), Rounding()
    )


def test_all_criteria_of_a_stage_must_pass() -> None:
    both = (Criterion(low="6"), Criterion(high="7"))
    assert verdict("6.5", *both) == "pass"
    assert verdict("7.5", *both) == "fail"
    assert verdict("5.5", *both) == "fail"
    assert verdict(number("6.5", ">"), *both) == "none"
    assert verdict(number("7.5", ">"), *both) == "fail"


def test_the_first_stage_decides_alone_when_it_passes_and_a_later_one_never_does() -> None:
    stages = (Criterion(low="85", stage="S1"), Criterion(low="80", stage="S2"))
    assert verdict("86", *stages) == "pass"
    assert verdict("82", *stages) == "none"
    assert verdict("79", *stages) == "fail"


def test_words_pass_what_says_the_same_and_are_decided_by_people_else() -> None:
    white = Criterion(text="White powder")
    assert verdict(words(" white powder"), white) == "pass"
    assert verdict(words("off-white powder"), white) == "none"
    assert verdict(absent(), white) == "none"
    assert verdict(words("white powder"), Criterion(text="White powder", high="7")) == "none"


def test_a_test_that_says_nothing_decides_nothing() -> None:
    assert verdict("7", Criterion()) == "none"
    assert verdict("7") == "none"


def test_findings_show_all_criteria_in_words() -> None:
    staged = specification(
        Criterion(low="85", stage="S1"), Criterion(low="80", text="clear", stage="S2")
    )
    assert expected(staged, result_=result("70")) == [
        "pH value of SP-1: S1 at least 85; S2 at least 80 and 'clear'"
    ]
