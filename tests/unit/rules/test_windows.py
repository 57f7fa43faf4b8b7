from itertools import permutations

import pytest

from fedbatch.rules.windows import Told, Window, agreed_windows, batch_at
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Equipment
from tests.unit.rules.making import at


def stated(
    batch: str, start: str, end: str | None, equipment: str = "R1", basis: str = "mes"
) -> Equipment:
    return Equipment(
        version=1,
        equipment=equipment,
        batch=batch,
        from_=at(day(start)),
        to=None if end is None else at(day(end)),
        class_="reactor",
        name=equipment,
        window_basis=(basis,),  # type: ignore[arg-type] # a word of the standard
    )


def day(time: str) -> str:
    return f"2026-03-02T{time}Z"


def told(*records: Equipment, until: str = "") -> list[Told]:
    return [Told(record=item, until=day(until) if until else "") for item in records]


def windows(*records: Equipment, tolerance_s: int = 0) -> tuple[list[str], int]:
    agreed, findings = agreed_windows(told(*records), tolerance_s)
    return [item.batch for item in agreed], len(findings)


def test_one_source_is_a_window() -> None:
    assert agreed_windows(told(stated("b1", "08:00:00", "09:00:00"))) == (
        [Window("R1", "b1", day("08:00:00"), day("09:00:00"))],
        [],
    )


def test_of_a_dispute_beyond_the_tolerance_only_what_all_agree_on_is_shared() -> None:
    two = [stated("b1", "08:00:00", "09:00:00"), stated("b1", "08:00:11", "09:00:00")]
    assert agreed_windows(told(*two), 10) == (
        [Window("R1", "b1", day("08:00:11"), day("09:00:00"))],
        [
            Finding(
                rule="window.conflict",
                severity=1,
                where=Place(type="equipment", key=("R1", "b1")),
                found=f"from {day('08:00:00')} or {day('08:00:11')} "
                f"to {day('09:00:00')} or {day('09:00:00')}",
                expected="one window on which every source agrees",
                effect="held_back",
            )
        ],
    )


def test_sources_that_differ_within_the_tolerance_share_the_common_stretch() -> None:
    two = [stated("b1", "08:00:00", "09:00:00"), stated("b1", "08:00:10", "08:59:55")]
    assert agreed_windows(told(*two), 10) == (
        [Window("R1", "b1", day("08:00:10"), day("08:59:55"))],
        [],
    )


def test_an_open_end_or_an_empty_stretch_is_no_window() -> None:
    assert windows(stated("b1", "08:00:00", None)) == ([], 0)
    both = windows(stated("b1", "08:00:00", None), stated("b1", "08:00:00", "09:00:00"))
    assert both == (["b1"], 0)
    assert windows(stated("b1", "08:00:00", "08:00:00")) == ([], 0)


def test_windows_that_touch_or_are_of_two_pieces_do_not_overlap() -> None:
    touching = [stated("b1", "08:00:00", "09:00:00"), stated("b2", "09:00:00", "10:00:00")]
    assert windows(*touching) == (["b1", "b2"], 0)
    apart = [stated("b1", "08:00:00", "09:00:00"), stated("b2", "08:30:00", "10:00:00", "R2")]
    assert windows(*apart) == (["b1", "b2"], 0)


def test_two_batches_at_one_time_lose_both_windows() -> None:
    two = [stated("b1", "08:00:00", "09:00:01"), stated("b2", "09:00:00", "10:00:00")]
    assert windows(*two, stated("b3", "10:00:00", "11:00:00")) == (["b3"], 1)


def test_a_short_window_within_a_long_one_does_not_hide_a_third() -> None:
    three = [
        stated("b1", "08:00:00", "12:00:00"),
        stated("b2", "09:00:00", "10:00:00"),
        stated("b3", "11:00:00", "11:30:00"),
        stated("b4", "12:00:00", "13:00:00"),
    ]
    for order in permutations(three):
        assert windows(*order) == (["b4"], 2)


@pytest.mark.parametrize("end", ["12:00:00", None])
def test_a_window_that_an_unsettled_one_claims_too_is_not_shared(end: str | None) -> None:
    claims = [
        stated("b1", "08:00:00", end),
        stated("b1", "08:30:00", "12:00:00"),
        stated("b2", "09:00:00", "10:00:00"),
        stated("b3", "07:00:00", "08:00:00"),
    ]
    assert windows(*claims)[0] == ["b3"]


def test_an_unsettled_window_claims_all_that_any_of_its_sources_does() -> None:
    disputed = [stated("b1", "08:00:00", "10:00:00"), stated("b1", "09:00:00", "11:00:00")]
    assert windows(*disputed, stated("b2", "07:30:00", "08:30:00")) == (["b1"], 2)
    assert windows(*disputed, stated("b2", "10:30:00", "11:30:00")) == (["b1"], 2)
    assert windows(*disputed, stated("b2", "11:00:00", "11:30:00")) == (["b1", "b2"], 1)


def test_without_a_tolerance_a_second_is_a_dispute() -> None:
    two = [stated("b1", "08:00:00", "09:00:00"), stated("b1", "08:00:01", "09:00:00")]
    assert windows(*two) == (["b1"], 1)
    assert windows(*two, tolerance_s=1) == (["b1"], 0)


def test_an_open_window_reaches_as_far_as_the_units_tag_still_said_so() -> None:
    tag = stated("b1", "08:00:00", None, basis="unit_tag")
    agreed, findings = agreed_windows(told(tag, until="08:30:00"))
    assert agreed == [Window("R1", "b1", day("08:00:00"), day("08:30:00"), is_open=True)]
    assert findings == []
    # A person who has written no end yet says nothing of how far it reaches, and disputes nothing.
    click = told(stated("b1", "08:00:00", None), until="09:00:00")
    assert agreed_windows(click) == ([], [])
    assert agreed_windows([*click, *told(tag, until="08:30:00")])[0] == agreed


def test_a_source_that_goes_on_after_another_ended_is_a_dispute_that_holds_up_the_next() -> None:
    ended = told(stated("b1", "08:00:00", "09:00:00"))
    going_on = told(stated("b1", "08:00:00", None), until="09:00:11")
    later = told(stated("b2", "09:30:00", "10:00:00"))
    agreed, findings = agreed_windows([*ended, *going_on, *later], 10)
    assert agreed == [Window("R1", "b1", day("08:00:00"), day("09:00:00"))]
    assert len(findings) == 2
    heard_before = told(stated("b1", "08:00:00", None), until="09:00:10")
    assert len(agreed_windows([*ended, *heard_before, *later], 10)[0]) == 2


def test_the_batch_at_an_instant_is_that_of_the_window_with_start_but_without_end() -> None:
    agreed = [
        Window("R1", "b1", day("08:00:00"), day("09:00:00")),
        Window("R1", "b2", day("09:00:00"), day("10:00:00")),
        Window("R2", "b3", day("08:00:00"), day("10:00:00")),
    ]
    assert batch_at(agreed, "R1", day("08:00:00")) == "b1"
    assert batch_at(agreed, "R1", day("08:59:59.999")) == "b1"
    assert batch_at(agreed, "R1", day("09:00:00")) == "b2"
    assert batch_at(agreed, "R1", day("10:00:00")) is None
    assert batch_at(agreed, "R2", day("09:00:00")) == "b3"
    assert batch_at(agreed, "R3", day("09:00:00")) is None
