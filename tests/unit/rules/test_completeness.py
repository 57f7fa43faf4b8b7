from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.rules.completeness import (
    ExpectedItem,
    ExpectedList,
    ItemState,
    NotListed,
    completeness_findings,
    expected_list,
)
from fedbatch.rules.facts import Facts, HeldFacts, ResultFacts, Standing, moment
from fedbatch.standard.agreements import AgreementBody, Cadence, Calendar, Sampling
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.values import AbsentReason
from tests.unit.rules.making import (
    absent,
    at,
    batch,
    body,
    parameter,
    result,
    sample,
    step,
    zones,
)

END = "2026-03-02T12:00:00Z"
DUE = "2026-03-04T12:00:00Z"
LATE = "2026-03-05T12:00:00Z"
AFTER = "2026-03-05T12:00:01Z"
BATCH = batch(end=END)

Trigger = Literal["step_end", "sampled", "approved", "batch_end", "daily", "interval"]


def cadence(
    trigger: Trigger = "batch_end", *codes: str, calendar: str = "elapsed", of: str = "result"
) -> Cadence:
    return Cadence(
        record_type=of,
        trigger=trigger,
        due="P2D",
        late_after="P3D",
        codes=codes,
        calendar=calendar,
    )


def agreed(
    kind: Literal["continuous", "interval", "per_step", "per_sample", "per_batch"] = "per_batch",
    *,
    trigger: Trigger = "batch_end",
    count: int = 1,
    element: str | None = None,
) -> AgreementBody:
    sampling = Sampling(kind=kind, least_count=count)
    return body(parameter(sampling=sampling, element=element), cadence=(cadence(trigger),))


def listed(terms: AgreementBody, facts: Facts, as_of: str = LATE) -> Sequence[ExpectedItem]:
    return expected_list(terms, facts, as_of, zones).items


def one(facts: Facts, as_of: str = LATE, terms: AgreementBody | None = None) -> ExpectedItem:
    (item,) = listed(terms or agreed(), facts, as_of)
    return item


def with_results(*results: ResultFacts) -> Facts:
    return Facts(batches=(BATCH,), results=results)


# ---- states


def test_an_item_has_its_times_from_its_trigger() -> None:
    item = one(with_results(result(covered="2026-03-03T00:00:00Z", entry="e1")))
    assert item == ExpectedItem(
        batch="b1",
        code="PH",
        role="result",
        place="",
        number=1,
        count=1,
        state="received",
        due_at=moment(DUE),
        late_at=moment(LATE),
        arrived_at=moment("2026-03-03T00:00:00Z"),
        entry_id="e1",
    )


@pytest.mark.parametrize(
    ("covered", "as_of", "state"),
    [
        (LATE, "2026-03-09T00:00:00Z", "received"),
        (AFTER, "2026-03-09T00:00:00Z", "late"),
        (None, LATE, "received"),
        (None, AFTER, "late"),
        # What is countersigned only after as_of is not countersigned yet.
        (AFTER, LATE, "received"),
    ],
)
def test_late_is_judged_by_the_cosignature_and_before_it_by_as_of(
    covered: str | None, as_of: str, state: ItemState
) -> None:
    assert one(with_results(result(covered=covered)), as_of).state == state


@pytest.mark.parametrize(
    ("as_of", "state"), [(END, "expected"), (LATE, "expected"), (AFTER, "missing")]
)
def test_what_is_not_there_is_expected_until_it_is_missing(as_of: str, state: ItemState) -> None:
    item = one(with_results(), as_of)
    assert (item.state, item.entry_id, item.arrived_at) == (state, "", None)


def test_nothing_is_late_or_missing_before_its_trigger_has_happened() -> None:
    running = Facts(batches=(batch(),), results=(result(covered=AFTER),))
    item = one(running, "2027-01-01T00:00:00Z")
    assert (item.state, item.due_at, item.late_at) == ("received", None, None)
    assert one(Facts(batches=(batch(),)), "2027-01-01T00:00:00Z").state == "expected"


def test_without_a_partner_nothing_that_is_there_is_late() -> None:
    alone = replace(with_results(result()), standings=(Standing(party="s", state="one_sided"),))
    both = replace(alone, standings=(Standing(party="s", state="active"),))
    assert one(alone, AFTER).state == "received"
    assert one(both, AFTER).state == "late"
    assert one(replace(alone, results=()), AFTER).state == "missing"


@pytest.mark.parametrize("other", ["batch", "code", "role", "invalidated"])
def test_other_results_fill_no_item(other: str) -> None:
    stated = {
        "batch": result(batch="b2"),
        "code": result(code="TEMP"),
        "role": replace(result(), role="SP"),
        "invalidated": result(invalidated=True),
    }
    assert one(with_results(stated[other]), AFTER).state == "missing"


@pytest.mark.parametrize("reason", get_args(AbsentReason))
def test_absent_values_fill_an_item_only_if_they_say_why(reason: AbsentReason) -> None:
    is_stated = reason in {"not_detected", "not_applicable", "withheld"}
    item = one(with_results(result(absent(reason), covered=END)), AFTER)
    assert item.state == ("received" if is_stated else "missing")


# ---- what is listed


def test_series_and_parameters_without_cadence_are_named_as_not_listed() -> None:
    terms = body(
        parameter(code="D", sampling=Sampling(kind="continuous")),
        parameter(code="C", sampling=Sampling(kind="interval")),
        parameter(code="B"),
        parameter(code="A"),
        parameter(code="E"),
        parameter(code="F"),
        cadence=(
            cadence("batch_end", "A", of="batch"),
            cadence("batch_end", "B", "C", "D"),
            cadence("approved", "E"),
            cadence("interval", "F"),
            cadence("sampled", "B"),
        ),
    )
    expected = expected_list(terms, with_results(), AFTER, zones)
    assert expected.not_listed == (
        NotListed(code="A", role="result", reason="no_cadence"),
        NotListed(code="C", role="result", reason="series"),
        NotListed(code="D", role="result", reason="series"),
        NotListed(code="E", role="result", reason="approved"),
        NotListed(code="F", role="result", reason="interval"),
    )
    assert [(item.code, item.state) for item in expected.items] == [("B", "missing")]


def test_a_cadence_without_codes_is_for_all() -> None:
    terms = body(parameter(code="B"), parameter(code="A"), cadence=(cadence(),))
    facts = Facts(batches=(batch("b2", 2), batch("b1", 1)))
    assert [(item.batch, item.code) for item in listed(terms, facts)] == [
        ("b1", "A"),
        ("b1", "B"),
        ("b2", "A"),
        ("b2", "B"),
    ]


def test_each_step_of_the_element_is_a_place() -> None:
    facts = Facts(
        batches=(BATCH,),
        steps=(
            step("b1", "mix", "2"),
            step("b1", "mix", "1"),
            step("b1", "dry"),
            step("b2", "mix"),
        ),
        results=(
            result(element="mix", instance="2", entry="e2"),
            result(element="mix", entry="e3", replicate=2),
        ),
    )
    items = listed(agreed("per_step", element="mix"), facts, AFTER)
    assert [(item.place, item.entry_id) for item in items] == [("mix/1", ""), ("mix/2", "e2")]
    everywhere = listed(agreed("per_step"), facts, AFTER)
    assert [item.place for item in everywhere] == ["dry/1", "mix/1", "mix/2"]


def test_a_result_without_instance_is_of_the_only_one() -> None:
    facts = Facts(
        batches=(BATCH,),
        steps=(step("b1", "mix", "1"), step("b1", "dry", "1")),
        results=(result(element="mix", entry="e1"),),
    )
    assert [item.entry_id for item in listed(agreed("per_step"), facts)] == ["", "e1"]


def test_a_step_that_nobody_posted_is_expected_with_its_batch() -> None:
    terms = agreed("per_step", element="mix", trigger="step_end")
    assert one(with_results(), AFTER, terms).state == "missing"
    item = one(with_results(result(entry="e1", covered=END)), AFTER, terms)
    assert (item.place, item.entry_id, item.late_at) == ("mix", "e1", moment(LATE))
    assert listed(agreed("per_step"), with_results()) == ()


def test_each_sample_is_a_place() -> None:
    facts = Facts(
        batches=(BATCH,),
        samples=(
            sample("s2", element="mix"),
            sample("s1", element="mix"),
            sample("s3", element="dry"),
        ),
        results=(result(sample="s2", entry="e2"),),
    )
    items = listed(agreed("per_sample", element="mix"), facts, AFTER)
    assert [(item.place, item.state) for item in items] == [("s1", "missing"), ("s2", "late")]
    assert [item.place for item in listed(agreed("per_sample"), facts)] == ["s1", "s2", "s3"]


def test_so_many_results_as_agreed_are_items() -> None:
    replicates = [
        result(is_replicate=True, replicate=number, entry=f"e{number}") for number in (2, 1)
    ]
    items = listed(agreed(count=3), with_results(*replicates), AFTER)
    assert [(item.number, item.count, item.entry_id, item.state) for item in items] == [
        (1, 3, "e1", "late"),
        (2, 3, "e2", "late"),
        (3, 3, "", "missing"),
    ]


def test_attempts_and_sources_of_one_replicate_fill_one_item_by_the_first() -> None:
    stated = [
        result(attempt=2, entry="e2", covered="2026-03-04T00:00:00Z"),
        result(source="mes", entry="e1", covered="2026-03-03T00:00:00Z"),
        result(entry="e0"),
    ]
    items = listed(agreed(count=2), with_results(*stated), LATE)
    assert [item.entry_id for item in items] == ["e1", ""]


def test_the_same_replicate_of_other_samples_and_times_fills_further_items() -> None:
    stated = [
        result(sample="s1", entry="e1"),
        result(sample="s2", entry="e2"),
        result(observed="2026-03-01T00:00:00Z", entry="e3"),
        result(observed="2026-03-01T00:00:01Z", entry="e4"),
    ]
    items = listed(agreed(count=5), with_results(*stated))
    assert [item.entry_id for item in items] == ["e1", "e2", "e3", "e4", ""]


def test_a_reportable_result_fills_an_item_before_its_replicates() -> None:
    stated = (
        result(is_replicate=True, entry="e1", covered=END),
        result(is_replicate=True, replicate=2, entry="e2", covered=END),
        result(entry="e3", covered=AFTER),
    )
    late = one(with_results(*stated), "2026-03-09T00:00:00Z")
    assert (late.entry_id, late.state) == ("e3", "late")
    pair = listed(agreed(count=2), with_results(*stated))
    assert [item.entry_id for item in pair] == ["e1", "e2"]


def test_no_more_items_than_agreed_are_listed() -> None:
    stated = [result(replicate=number) for number in (1, 2, 3)]
    assert len(listed(agreed(count=2), with_results(*stated))) == 2
    assert listed(agreed(count=0), with_results(*stated)) == ()


# ---- triggers

STEPS = (
    step("b1", "mix", "1", end="2026-03-01T08:00:00Z"),
    step("b1", "mix", "2", end="2026-03-01T10:00:00Z"),
    step("b1", "dry", "1", end="2026-03-01T20:00:00Z"),
)
SAMPLES = (
    replace(sample("s1", "2026-03-01T07:00:00Z", element="mix"), instance="1"),
    sample("s2", "2026-03-01T09:00:00Z", element="mix"),
)
FULL = Facts(batches=(BATCH,), steps=STEPS, samples=SAMPLES)


@pytest.mark.parametrize(
    ("kind", "trigger", "expected"),
    [
        ("per_batch", "batch_end", ["03-04T12:00"]),
        ("per_batch", "step_end", ["03-03T10:00"]),
        ("per_batch", "sampled", ["03-03T09:00"]),
        ("per_batch", "daily", ["03-05T00:00"]),
        ("per_step", "batch_end", ["03-04T12:00"] * 2),
        ("per_step", "step_end", ["03-03T08:00", "03-03T10:00"]),
        ("per_step", "sampled", ["03-03T09:00"] * 2),
        ("per_step", "daily", ["03-04T00:00"] * 2),
        ("per_sample", "batch_end", ["03-04T12:00"] * 2),
        ("per_sample", "step_end", ["03-03T08:00", "03-03T10:00"]),
        ("per_sample", "sampled", ["03-03T07:00", "03-03T09:00"]),
        ("per_sample", "daily", ["03-04T00:00"] * 2),
    ],
)
def test_due_times_follow_the_trigger(
    kind: Literal["per_step", "per_sample", "per_batch"], trigger: Trigger, expected: list[str]
) -> None:
    items = listed(agreed(kind, trigger=trigger, element="mix"), FULL)
    assert [item.due_at and item.due_at.strftime("%m-%dT%H:%M") for item in items] == expected


def test_the_end_of_a_step_without_steps_is_the_end_of_the_batch() -> None:
    for kind in ("per_batch", "per_sample"):
        facts = replace(FULL, steps=())
        items = listed(agreed(kind, trigger="step_end"), facts)
        assert {item.due_at for item in items} == {moment(DUE)}


def test_one_step_that_still_runs_keeps_the_trigger_waiting() -> None:
    facts = replace(FULL, steps=(*STEPS, step("b1", "mix", "3")))
    items = listed(agreed(trigger="step_end", element="mix"), facts)
    assert [item.due_at for item in items] == [None]


def test_no_sample_is_no_trigger() -> None:
    assert one(with_results(), AFTER, agreed(trigger="sampled")).late_at is None
    assert one(Facts(batches=(batch(),)), AFTER, agreed(trigger="daily")).late_at is None


def test_a_day_ends_in_the_zone_of_the_calendar_and_counts_its_working_days() -> None:
    office = Calendar(
        calendar="office", zone="+02:00", working_days=("Mon", "Tue", "Wed", "Thu", "Fri")
    )
    friday = Facts(batches=(batch(end="2026-03-06T21:00:00Z"),))
    terms = body(parameter(), cadence=(cadence("daily", calendar="office"),), calendars=(office,))
    # The day ends at local midnight, a Saturday: two working days later is Tuesday.
    assert listed(terms, friday)[0].due_at == moment("2026-03-09T22:00:00Z")
    without = listed(agreed(trigger="daily"), friday)
    assert without[0].due_at == moment("2026-03-09T00:00:00Z")


def test_a_batch_that_ended_some_time_that_day_ended_with_the_day() -> None:
    ended = replace(batch(), end=at("2026-03-02T00:00:00Z", precision="day"))
    assert one(Facts(batches=(ended,))).due_at == moment("2026-03-05T00:00:00Z")


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(InputError, match="calendar of the agreement"):
        listed(body(parameter(), cadence=(cadence(calendar="plant"),)), with_results())


# ---- completeness of the list


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 3),
    st.lists(
        st.tuples(
            st.sampled_from(["b1", "b2", "b3"]),
            st.sampled_from(["A", "B"]),
            st.integers(1, 4),
            st.sampled_from([None, END, AFTER]),
            st.booleans(),
        ),
        max_size=12,
        unique_by=lambda item: item[:3],
    ),
    st.sampled_from([END, LATE, AFTER, "2026-04-01T00:00:00Z"]),
)
def test_every_expected_item_is_in_one_state_and_the_sum_is_complete(
    count: int, stated: list[tuple[str, str, int, str | None, bool]], as_of: str
) -> None:
    sampling = Sampling(kind="per_batch", least_count=count)
    terms = body(
        parameter(code="A", sampling=sampling),
        parameter(code="B", sampling=sampling),
        cadence=(cadence(),),
    )
    results = tuple(
        result(batch=name, code=code, replicate=number, covered=covered, invalidated=invalidated)
        for name, code, number, covered, invalidated in stated
    )
    facts = Facts(batches=(batch("b1", 1, end=END), batch("b2", 2)), results=results)
    expected = expected_list(terms, facts, as_of, zones)
    assert len(expected.items) == 2 * 2 * count
    assert set(expected.counts) == set(get_args(ItemState))
    assert sum(expected.counts.values()) == len(expected.items)
    for state, counted in expected.counts.items():
        assert counted == sum(item.state == state for item in expected.items)
    there = {(item.batch, item.code) for item in results if not item.invalidated}
    for item in expected.items:
        is_there = (item.batch, item.code) in there
        assert is_there or item.state in {"expected", "missing"}
    shuffled = replace(facts, results=results[::-1], batches=facts.batches[::-1])
    assert expected_list(terms, shuffled, as_of, zones) == expected


# ---- findings


def findings(terms: AgreementBody, facts: Facts, as_of: str = AFTER) -> list[Finding]:
    return list(completeness_findings(expected_list(terms, facts, as_of, zones)))


def test_missing_data_are_found_with_all_fields_and_what_is_held_back() -> None:
    held = (
        HeldFacts(batch="b1", code="PH", rule="type.unknown", finding="f2"),
        HeldFacts(batch="b1", code="PH", rule="time.format", finding="f1"),
        HeldFacts(batch="b1", code="TEMP", rule="time.format", finding="f3"),
    )
    facts = replace(with_results(result(covered=END)), held=held)
    assert findings(agreed(count=3), facts) == [
        Finding(
            rule="data.missing",
            severity=2,
            where=Place(type="result", key=("b1", "PH", "result")),
            found="1 of 3",
            expected="3 by 2026-03-05T12:00:00Z",
            advice="The sender holds back: time.format (f1), type.unknown (f2).",
        )
    ]
    assert findings(agreed(count=3), replace(facts, held=held[2:]))[0].advice == ""


def test_what_is_held_back_stays_expected_until_it_is_missing() -> None:
    held = (HeldFacts(batch="b1", code="PH", rule="type.unknown", finding="f2"),)
    item = one(replace(with_results(), held=held), LATE)
    assert (item.state, item.held) == ("expected", (("type.unknown", "f2"),))
    there = one(replace(with_results(result()), held=held), LATE)
    assert there.held == ()


def test_late_data_are_found_with_all_fields() -> None:
    facts = Facts(
        batches=(BATCH,),
        samples=(sample("s1"),),
        results=(
            result(sample="s1", covered="2026-03-06T00:00:00Z"),
            result(sample="s1", covered="2026-03-07T00:00:00Z", replicate=2),
            result(sample="s1", replicate=3),
        ),
    )
    assert findings(agreed("per_sample", count=4), facts, "2026-03-08T00:00:00Z") == [
        Finding(
            rule="data.late",
            severity=3,
            where=Place(type="result", key=("b1", "PH", "result", "s1")),
            found="2 of 4, the last at 2026-03-07T00:00:00Z; 1 of 4 not countersigned yet",
            expected="4 by 2026-03-05T12:00:00Z",
        ),
        Finding(
            rule="data.missing",
            severity=2,
            where=Place(type="result", key=("b1", "PH", "result", "s1")),
            found="3 of 4",
            expected="4 by 2026-03-05T12:00:00Z",
        ),
    ]


def test_late_data_that_are_all_covered_or_none_are_told_apart() -> None:
    covered = with_results(result(covered=AFTER))
    assert [item.found for item in findings(agreed(), covered)] == [f"1 of 1, the last at {AFTER}"]
    waiting = findings(agreed(), with_results(result()))
    assert [item.found for item in waiting] == ["1 of 1 not countersigned yet"]


def test_what_is_expected_or_received_is_no_finding() -> None:
    assert findings(agreed(), with_results(), LATE) == []
    assert findings(agreed(), with_results(result(covered=LATE))) == []


def test_an_empty_list_counts_nothing() -> None:
    assert set(ExpectedList(items=(), not_listed=()).counts.values()) == {0}
