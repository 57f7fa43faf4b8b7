from dataclasses import replace
from datetime import tzinfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.rules.facts import Batches, Change, Facts, HeldFacts, Statement
from fedbatch.rules.judgement import check_body, facts_under, judge_all
from fedbatch.standard.agreements import (
    AgreedSite,
    AgreedSpecification,
    AgreedTest,
    AgreementBody,
    Cadence,
    Calendar,
    Limit,
    Sampling,
)
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Approval, Criterion, Target
from tests.unit.rules.making import (
    batch,
    body,
    number,
    parameter,
    result,
    sample,
    specification,
    step,
    zones,
)

AS_OF = "2026-03-20T00:00:00Z"
CADENCE = Cadence(record_type="result", trigger="batch_end", due="P1D", late_after="P2D")
NOR = Limit(kind="NOR", low="6.8", high="7.2")
TERMS = body(parameter(NOR, sampling=Sampling(kind="per_batch", least_count=2)), cadence=(CADENCE,))
FACTS = Facts(
    batches=(
        batch("b1", 1, end="2026-03-02T00:00:00Z"),
        batch("b2", 2, end="2026-03-03T00:00:00Z"),
        batch("b3", 3, end="2026-03-19T00:00:00Z"),
    ),
    results=(
        result("7.5", covered="2026-03-10T00:00:00Z"),
        result("7.4", source="mes", covered="2026-03-02T00:00:00Z"),
        result(number("7", "<"), batch="b2", covered="2026-03-03T00:00:00Z"),
        result("7.5", batch="b3"),
    ),
    specifications=(specification(Criterion(low="6.8", high="7.3")),),
    held=(HeldFacts(batch="b2", code="PH", rule="type.unknown", finding="f1"),),
    changes=(
        Change(entry_id="e0", what="withdrawn", type="result", key=("k",), ledger="cmo", order=9),
    ),
    statements=(
        Statement(
            entry_id="e9",
            type="approval",
            key=("a1",),
            ledger="cmo",
            order=3,
            record=Approval(
                version=1,
                approval="a1",
                from_="provisional",
                to="checked",
                targets=(Target(entry="e0"),),
            ),
        ),
    ),
)


def test_all_rules_judge_in_one_order() -> None:
    found = judge_all(TERMS, FACTS, AS_OF, zones)
    assert [(item.rule, item.where.key[0], item.found) for item in found] == [
        ("data.missing", "b1", "1 of 2"),
        ("data.missing", "b2", "1 of 2"),
        ("limit.excursion", "b1", "7.5"),
        ("limit.excursion", "b1", "7.4"),
        ("limit.excursion", "b3", "7.5"),
        ("limit.undecided", "b2", "<7"),
        ("reconcile.mismatch", "b1", "7.5 by lims; 7.4 by mes"),
        ("record.dependent", "a1", "entry e9 names entry e0, withdrawn"),
        ("specification.fail", "b1", "7.5"),
        ("specification.fail", "b1", "7.4"),
        ("specification.fail", "b3", "7.5"),
        ("specification.undecided", "b2", "<7"),
    ]


@settings(max_examples=25)
@given(st.permutations(FACTS.batches), st.permutations(FACTS.results))
def test_the_order_of_facts_means_nothing(batches: list[object], results: list[object]) -> None:
    shuffled = replace(FACTS, batches=tuple(batches), results=tuple(results))  # type: ignore[arg-type]
    assert judge_all(TERMS, shuffled, AS_OF, zones) == judge_all(TERMS, FACTS, AS_OF, zones)


def test_later_more_is_missing_from_the_same_facts() -> None:
    before = judge_all(TERMS, FACTS, "2026-03-04T00:00:00Z", zones)
    assert [item.where.key[0] for item in before if item.rule == "data.missing"] == []
    after = judge_all(TERMS, FACTS, "2026-04-20T00:00:00Z", zones)
    assert [(item.rule, item.where.key[0]) for item in after if item.rule.startswith("data")] == [
        ("data.late", "b3"),
        ("data.missing", "b1"),
        ("data.missing", "b2"),
        ("data.missing", "b3"),
    ]


def test_nothing_stated_is_nothing_found() -> None:
    assert judge_all(TERMS, Facts(), AS_OF, zones) == []


# ---- the batches of a body


def test_a_later_body_judges_from_its_first_batch_on() -> None:
    facts = replace(
        FACTS,
        steps=(step("b1", "mix"), step("b2", "mix")),
        samples=(sample("s1"), replace(sample("s2"), batch="b2")),
        held=(*FACTS.held, HeldFacts(batch="b1", code="PH", rule="r", finding="f")),
        results=(*FACTS.results, result(batch="lot")),
    )
    later = msgspec.structs.replace(TERMS, version=2, first_batch="S-b2")
    under = facts_under(later, facts)
    assert [item.batch for item in under.batches] == ["b2", "b3"]
    assert [item.batch for item in under.steps] == ["b2"]
    assert [item.batch for item in under.samples] == ["b2"]
    assert [item.batch for item in under.held] == ["b2"]
    assert [item.batch for item in under.results] == ["b2", "b3", "lot"]
    assert (under.changes, under.statements) == (facts.changes, facts.statements)
    rules = [item.rule for item in judge_all(later, facts, AS_OF, zones)]
    assert (rules.count("limit.excursion"), rules.count("limit.undecided")) == (1, 1)


def test_a_limit_of_a_later_body_may_begin_before_its_first_batch() -> None:
    since = msgspec.structs.replace(NOR, from_batch="b1")
    terms = body(parameter(since), version=2, first_batch="b3")
    assert [item.rule for item in judge_all(terms, FACTS, AS_OF, zones)].count(
        "limit.excursion"
    ) == 1


def test_the_first_body_judges_all_batches() -> None:
    first = msgspec.structs.replace(TERMS, first_batch="b3")
    assert facts_under(first, FACTS) is FACTS
    unnamed = msgspec.structs.replace(TERMS, version=2)
    assert facts_under(unnamed, FACTS) is FACTS


def test_a_body_whose_first_batch_has_not_come_judges_none() -> None:
    later = msgspec.structs.replace(TERMS, version=2, first_batch="b9")
    assert facts_under(later, FACTS).batches == ()


def test_batches_with_one_number_are_ordered_by_the_first() -> None:
    batches = Batches(
        [replace(batch("b2", 2), numbers=("n",)), replace(batch("b1", 1), numbers=("n",))]
    )
    assert batches.begun("n", "b2") == 1
    assert batches.begun(None, "b9") == -1
    assert batches.begun("n", "b9") is None
    assert batches.find("b9") is None


# ---- before signing


def problems(terms: AgreementBody) -> list[tuple[str, str]]:
    return [(item.where.path, item.found) for item in check_body(terms, known_zones)]


def known_zones(name: str) -> tzinfo:
    if name not in {"UTC", "Europe/Paris"}:
        raise InputError("a time zone", found=name)
    return zones(name)


def test_a_sound_body_has_no_problem() -> None:
    assert check_body(TERMS, known_zones) == []


def test_a_term_that_cannot_be_read_is_found_with_all_fields() -> None:
    terms = body(parameter(), cadence=(msgspec.structs.replace(CADENCE, due="2 days"),))
    assert check_body(terms, known_zones) == [
        Finding(
            rule="record.malformed",
            severity=1,
            where=Place(type="agreement", key=("ag1",), path="/cadence/0/due"),
            found="2 days",
            expected="an ISO 8601 duration such as P2D or PT36H, at most a hundred years",
        )
    ]
    with pytest.raises(InputError):
        judge_all(terms, FACTS, AS_OF, zones)


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        (Limit(kind="NOR", low="7,0"), "7,0"),
        (Limit(kind="NOR", high="1e3"), "1e3"),
        (Limit(kind="NOR", low="7.1", high="7.0"), "7.1 to 7.0"),
        (Limit(kind="NOR", from_="2026-03-01"), "2026-03-01"),
        (Limit(kind="NOR", from_="soonZ"), "soonZ"),
    ],
)
def test_limits_that_cannot_be_read_are_found(limit: Limit, found: str) -> None:
    assert problems(body(parameter(NOR, limit))) == [("/parameters/0/limits/1", found)]


def test_limits_of_one_number_and_from_an_instant_are_sound() -> None:
    one = Limit(kind="NOR", low="7.0", high="7", from_="2026-03-01T00:00:00Z")
    assert problems(body(parameter(one))) == []


@pytest.mark.parametrize(
    ("count", "is_sound"), [(-1, False), (0, True), (1000, True), (1001, False)]
)
def test_counts_are_bounded(count: int, is_sound: bool) -> None:  # noqa: FBT001 - parametrised
    terms = body(parameter(sampling=Sampling(kind="per_batch", least_count=count)))
    expected = [] if is_sound else [("/parameters/0/sampling", str(count))]
    assert problems(terms) == expected


def test_other_terms_that_cannot_be_read_are_found() -> None:
    terms = msgspec.structs.replace(
        body(
            parameter(),
            cadence=(
                CADENCE,
                msgspec.structs.replace(CADENCE, late_after="P1M", calendar="plant"),
            ),
            calendars=(Calendar(calendar="c", zone="Mars", working_days=("Mon",)),),
        ),
        sites=(AgreedSite(site="one", zone="UTC"), AgreedSite(site="two", zone="Venus")),
        specifications=(
            AgreedSpecification(
                specification="SP",
                product="p1",
                tests=(
                    AgreedTest(test="t", code="PH", criteria=()),
                    AgreedTest(test="t", code="PH", criteria=(Criterion(high="low"),)),
                ),
            ),
        ),
    )
    assert problems(terms) == [
        ("/specifications/0/tests/1", "low"),
        ("/cadence/1/late_after", "P1M"),
        ("/cadence/1/calendar", "plant"),
        ("/calendars/0/zone", "Mars"),
        ("/sites/1/zone", "Venus"),
    ]


def test_nesting_is_judged_once_all_bounds_can_be_read() -> None:
    par = Limit(kind="PAR", high="7")
    assert [item.rule for item in check_body(body(parameter(NOR, par)), zones)] == ["limit.nesting"]
    broken = body(parameter(NOR, par, Limit(kind="alert", high="x")))
    assert [item.rule for item in check_body(broken, zones)] == ["record.malformed"]
