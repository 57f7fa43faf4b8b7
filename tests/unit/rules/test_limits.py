from dataclasses import replace

import pytest

from fedbatch.rules.facts import Batches, ResultFacts
from fedbatch.rules.limits import limit_findings, nesting_findings
from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedSpecification,
    AgreedTest,
    AgreementBody,
    Limit,
    Rounding,
)
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Criterion
from fedbatch.standard.values import Value
from tests.unit.rules.making import absent, batch, body, number, parameter, result

NOR = Limit(kind="NOR", low="6.8", high="7.2")
THREE = (batch("b1", 1), batch("b2", 2), batch("b3", 3))


def judged(terms: AgreementBody, *results: ResultFacts) -> list[Finding]:
    return list(limit_findings(terms, results, Batches(THREE)))


def excursions(agreed: AgreedParameter, *results: ResultFacts) -> list[tuple[str, str, str]]:
    return [(item.rule, item.found, item.expected) for item in judged(body(agreed), *results)]


def test_value_outside_a_limit_is_an_excursion_with_all_its_fields() -> None:
    key = ("b1", "PH", "result", "", "reportable", "1", "1", "lims")
    assert judged(body(parameter(NOR)), result("7.3")) == [
        Finding(
            rule="limit.excursion",
            severity=2,
            where=Place(type="result", key=key, path="/value"),
            found="7.3",
            expected="NOR 6.8 to 7.2 [pH]",
        )
    ]


@pytest.mark.parametrize(
    "item",
    [
        result("7.2"),
        result("6.8"),
        replace(result("7.3"), invalidated=True),
        replace(result("7.3"), role="SP"),
        replace(result("7.3"), code="TEMP"),
        result(absent()),
        result(number("7.2", "<="), replicate=2),
    ],
)
def test_no_excursion_is_found_at_a_bound_or_in_what_is_not_judged(item: ResultFacts) -> None:
    found = excursions(parameter(NOR), item)
    assert [rule for rule, _, _ in found if rule == "limit.excursion"] == []


def test_each_kind_of_limit_is_judged_for_itself() -> None:
    par = Limit(kind="PAR", low="6.5", high="7.5")
    assert excursions(parameter(NOR, par), result("7.3"), result("7.6")) == [
        ("limit.excursion", "7.3", "NOR 6.8 to 7.2 [pH]"),
        ("limit.excursion", "7.6", "NOR 6.8 to 7.2 [pH]"),
        ("limit.excursion", "7.6", "PAR 6.5 to 7.5 [pH]"),
    ]


def test_a_bound_that_is_not_inclusive_fails_what_equals_it() -> None:
    limit = Limit(kind="alert", high="7.2", inclusive=False)
    assert excursions(parameter(limit), result("7.2"), result("7.19")) == [
        ("limit.excursion", "7.2", "alert below 7.2 [pH]")
    ]


def test_values_are_rounded_as_the_parameter_says() -> None:
    rounded = parameter(NOR, rounding=Rounding(kind="half_up", decimals=1))
    assert excursions(rounded, result("7.24")) == []
    assert excursions(parameter(NOR), result("7.24")) != []


def test_a_value_that_decides_no_limit_is_named_once() -> None:
    par = Limit(kind="PAR", low="6.5")
    assert excursions(parameter(par, NOR), result(number("7", ">"))) == [
        ("limit.undecided", ">7", "NOR 6.8 to 7.2 [pH]")
    ]
    assert excursions(parameter(par, NOR), result(number("7", "~"))) == [
        ("limit.undecided", "~7", "NOR 6.8 to 7.2 [pH]; PAR at least 6.5 [pH]")
    ]


def test_an_absent_value_lies_outside_nothing() -> None:
    assert excursions(parameter(NOR), result(absent())) == []


def test_a_limit_holds_from_its_first_batch_on_and_replaces_the_one_before() -> None:
    later = Limit(kind="NOR", low="6.0", high="8.0", from_batch="S-b2")
    results = [result("7.5", batch=name) for name in ("b1", "b2", "b3")]
    found = judged(body(parameter(later, NOR)), *results)
    assert [item.where.key[0] for item in found] == ["b1"]


def test_a_limit_whose_first_batch_nobody_named_does_not_hold_yet() -> None:
    unknown = Limit(kind="NOR", high="1", from_batch="N-b9")
    assert excursions(parameter(unknown), result("7.5", batch="b3")) == []
    assert excursions(parameter(NOR, unknown), result("7.5", batch="b3")) == [
        ("limit.excursion", "7.5", "NOR 6.8 to 7.2 [pH]")
    ]


def test_a_limit_from_a_batch_does_not_hold_for_a_batch_that_is_not_known() -> None:
    limit = Limit(kind="NOR", high="1", from_batch="b1")
    assert excursions(parameter(limit), result("7.5", batch="b9")) == []
    assert len(excursions(parameter(limit), result("7.5", batch="b1"))) == 1


@pytest.mark.parametrize(
    ("observed", "count"),
    [("2026-03-01T00:00:00Z", 1), ("2026-02-28T23:59:59.9Z", 0), ("", 0)],
)
def test_a_limit_holds_from_its_instant_on(observed: str, count: int) -> None:
    limit = Limit(kind="NOR", high="7", from_="2026-03-01T00:00:00Z")
    assert len(excursions(parameter(limit), result("7.5", observed=observed))) == count


def test_instants_are_compared_as_times_not_as_texts() -> None:
    limit = Limit(kind="NOR", high="7", from_="2026-03-01T00:00:00.50Z")
    late = result("7.5", observed="2026-03-01T00:00:00.5Z")
    assert len(excursions(parameter(limit), late)) == 1


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2026-03-02T00:00:00Z", "", 1),
        ("2026-02-02T00:00:00Z", "2026-03-02T00:00:00Z", 0),
        ("", "2026-03-02T00:00:00Z", 1),
    ],
)
def test_a_result_without_a_time_has_that_of_its_batch(start: str, end: str, count: int) -> None:
    limit = Limit(kind="NOR", high="7", from_="2026-03-01T00:00:00Z")
    batches = Batches([batch(start=start, end=end)])
    assert len(list(limit_findings(body(parameter(limit)), [result("7.5")], batches))) == count


def test_of_two_instants_the_later_that_has_come_counts() -> None:
    first = Limit(kind="NOR", high="7", from_="2026-03-01T00:00:00Z")
    second = Limit(kind="NOR", high="8", from_="2026-04-01T00:00:00Z")
    march = result("7.5", observed="2026-03-15T00:00:00Z")
    april = result("7.5", observed="2026-04-15T00:00:00Z")
    for order in ((first, second), (second, first)):
        found = judged(body(parameter(*order)), march, april)
        assert [item.where.key[3] for item in found] == ["2026-03-15T00:00:00Z"]


def test_the_limit_of_an_element_holds_in_it_alone_and_before_the_general_one() -> None:
    own = Limit(kind="NOR", low="3.0", high="4.0", element="hold")
    for order in ((NOR, own), (own, NOR)):
        assert excursions(
            parameter(*order),
            result("7.0", element="hold"),
            result("3.5", element="hold"),
            result("7.0", element="growth"),
            result("3.5"),
        ) == [
            ("limit.excursion", "7.0", "NOR 3.0 to 4.0 [pH]"),
            ("limit.excursion", "3.5", "NOR 6.8 to 7.2 [pH]"),
        ]


def test_a_result_that_names_no_step_was_taken_in_the_element_of_its_parameter() -> None:
    own = Limit(kind="NOR", high="4.0", element="hold")
    assert len(excursions(parameter(own, element="hold"), result("7.0"))) == 1
    assert excursions(parameter(own), result("7.0")) == []


def test_of_equal_limits_the_later_in_the_body_counts() -> None:
    assert excursions(parameter(NOR, Limit(kind="NOR", high="9")), result("8")) == []
    assert len(excursions(parameter(Limit(kind="NOR", high="9"), NOR), result("8"))) == 1


@pytest.mark.parametrize("name", ["persistence", "averaging"])
def test_limits_that_need_a_series_judge_no_single_result(name: str) -> None:
    limit = Limit(
        kind="NOR",
        high="7",
        persistence="PT5M" if name == "persistence" else None,
        averaging="PT5M" if name == "averaging" else None,
    )
    assert excursions(parameter(limit), result("9")) == []


def test_what_lies_between_least_and_greatest_decides_for_a_derived_result() -> None:
    limit = Limit(kind="action", low="60")
    outside = replace(result("57"), least="55", greatest="59")
    undecided = replace(result("57"), least="55", greatest="61")
    assert excursions(parameter(limit), outside, undecided) == [
        ("limit.excursion", "57 (55 to 59)", "action at least 60 [pH]"),
        ("limit.undecided", "57 (55 to 61)", "action at least 60 [pH]"),
    ]


def test_a_text_decides_no_limit() -> None:
    text = Value(kind="text", raw="neutral")
    assert excursions(parameter(NOR), result(text)) == [
        ("limit.undecided", "neutral", "NOR 6.8 to 7.2 [pH]")
    ]


# ---- nesting


def nesting(*limits: Limit, criteria: tuple[Criterion, ...] = ()) -> list[tuple[str, str]]:
    terms = with_criteria(body(parameter(*limits)), *criteria)
    return [(item.found, item.expected) for item in nesting_findings(terms)]


def with_criteria(
    terms: AgreementBody, *criteria: Criterion, code: str = "PH", from_batch: str | None = None
) -> AgreementBody:
    added = AgreedSpecification(
        specification="SP-1",
        product="p1",
        tests=(AgreedTest(test="pH", code=code, criteria=criteria),),
        from_batch=from_batch,
    )
    return AgreementBody(
        id=terms.id,
        version=terms.version,
        parties=terms.parties,
        product=terms.product,
        sites=terms.sites,
        purpose=terms.purpose,
        effective=terms.effective,
        parameters=terms.parameters,
        rights=(),
        specifications=(*terms.specifications, added),
    )


def test_a_range_outside_the_one_around_it_is_found_with_all_its_fields() -> None:
    terms = body(parameter(Limit(kind="NOR", low="6", high="8"), Limit(kind="PAR", low="6.5")))
    assert nesting_findings(terms) == [
        Finding(
            rule="limit.nesting",
            severity=1,
            where=Place(type="agreement", key=("PH", "result"), path="/parameters/limits"),
            found="NOR 6 to 8",
            expected="NOR within PAR at least 6.5",
        )
    ]


@pytest.mark.parametrize(("inner", "outer"), [("NOR", "PAR"), ("alert", "action")])
def test_a_range_may_equal_the_one_around_it_but_not_leave_it(inner: str, outer: str) -> None:
    kinds = {"NOR": NOR, "alert": Limit(kind="alert", low="6.8", high="7.2")}
    wide = {
        "PAR": Limit(kind="PAR", low="6.8", high="7.2"),
        "action": Limit(kind="action", low="6.8", high="7.2"),
    }
    tight = {
        "PAR": Limit(kind="PAR", low="6.8", high="7.2", inclusive=False),
        "action": Limit(kind="action", low="6.8", high="7.2", inclusive=False),
    }
    assert nesting(kinds[inner], wide[outer]) == []
    assert nesting(kinds[inner], tight[outer]) == [
        (f"{inner} 6.8 to 7.2", f"{inner} within {outer} above 6.8 and below 7.2")
    ]


def test_an_action_limit_lies_within_the_criterion() -> None:
    action = Limit(kind="action", low="6", high="8")
    assert nesting(action, criteria=(Criterion(low="5", high="9"),)) == []
    assert nesting(action, criteria=(Criterion(low="5", high="9"), Criterion(high="7"))) == [
        ("action 6 to 8", "action within criterion at most 7")
    ]


def test_kinds_that_nest_in_nothing_are_not_compared() -> None:
    assert nesting(Limit(kind="plausible", high="14"), Limit(kind="PAR", high="9")) == []
    assert nesting(Limit(kind="alert", high="14"), Limit(kind="PAR", high="9")) == []


def test_the_criterion_of_another_code_is_not_compared() -> None:
    terms = body(parameter(Limit(kind="action", high="8")))
    assert nesting_findings(with_criteria(terms, Criterion(high="7"), code="TEMP")) == []


def test_limits_are_compared_at_each_beginning_with_what_holds_then() -> None:
    wide = Limit(kind="NOR", low="6.0", high="8.0", from_batch="N-2")
    par = Limit(kind="PAR", low="6.5", high="7.5")
    wider = Limit(kind="PAR", low="5", high="9", from_batch="N-2")
    assert nesting(NOR, par, wide, wider) == []
    assert nesting(NOR, par, wide) == [("NOR 6.0 to 8.0", "NOR within PAR 6.5 to 7.5")]


def test_limits_that_begin_at_instants_are_compared_with_what_holds_then() -> None:
    since = "2026-03-01T00:00:00Z"
    wide = Limit(kind="NOR", low="6.0", high="8.0", from_=since)
    par = Limit(kind="PAR", low="6.5", high="7.5")
    wider = Limit(kind="PAR", low="5", high="9", from_=since)
    narrow = Limit(kind="PAR", low="7", high="7", from_="2026-04-01T00:00:00Z")
    assert nesting(NOR, par, wide, wider) == []
    assert nesting(wide, NOR, wider, par) == []
    assert nesting(NOR, par, wide, wider, narrow) == [("NOR 6.0 to 8.0", "NOR within PAR 7 to 7")]


def test_limits_that_both_begin_later_are_compared() -> None:
    inner = Limit(kind="NOR", high="8", from_batch="N-2")
    outer = Limit(kind="PAR", high="7", from_batch="N-2")
    assert nesting(inner, outer) == [("NOR at most 8", "NOR within PAR at most 7")]


def test_what_leaves_another_only_before_a_later_beginning_is_found() -> None:
    par = Limit(kind="PAR", low="7", high="7")
    mended = Limit(kind="PAR", low="5", high="9", from_batch="N-2")
    assert nesting(NOR, par, mended) == [("NOR 6.8 to 7.2", "NOR within PAR 7 to 7")]


def test_a_later_specification_replaces_the_criterion() -> None:
    terms = body(
        parameter(Limit(kind="action", high="8"), Limit(kind="action", high="6", from_batch="N-2"))
    )
    both = with_criteria(
        with_criteria(terms, Criterion(high="8")), Criterion(high="6"), from_batch="N-2"
    )
    assert nesting_findings(both) == []
    early = with_criteria(with_criteria(terms, Criterion(high="8")), Criterion(high="6"))
    assert [item.found for item in nesting_findings(early)] == ["action at most 8"]


def test_the_limits_of_an_element_are_compared_in_it() -> None:
    par = Limit(kind="PAR", low="6.5", high="7.5")
    own = Limit(kind="NOR", low="3", high="4", element="hold")
    found = nesting_findings(body(parameter(NOR, par, own)))
    assert [(item.found, item.where.key) for item in found] == [
        ("NOR 3 to 4", ("PH", "result", "hold"))
    ]
    own_par = Limit(kind="PAR", low="2", high="5", element="hold")
    assert nesting_findings(body(parameter(NOR, par, own, own_par))) == []
