"""Agreement rules of series: gaps by the sampling model, coarse sampling, conflicts, balances."""

from decimal import Decimal
from typing import Literal

import numpy as np
import pytest

from fedbatch.rules.facts import Batches, StepFacts
from fedbatch.rules.series import (
    SeriesFacts,
    balance_findings,
    coarse_findings,
    conflict_findings,
    counter_growth,
    derived_value,
    gap_bound,
    gap_findings,
    judge_derived,
)
from fedbatch.rules.series_limits import series_limit_findings
from fedbatch.series.blocks import Block, ColumnPoints, Mark, column_points, from_rows
from fedbatch.series.counting import Conflict
from fedbatch.series.derived import Derived
from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Limit, Rounding
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import SamplingModel, SeriesParameter
from fedbatch.standard.values import Value
from tests.unit.rules.making import at, batch, body
from tests.unit.series.making import column

MINUTE = 60_000_000


def agreed(*limits: Limit, code: str = "T", rounding: Rounding | None = None) -> AgreedParameter:
    return AgreedParameter(
        code=code, term="temperature", role="PV", unit="Cel", limits=limits,
        rounding=rounding or Rounding(),
    )  # fmt: skip


Model = Literal["raw", "as_archived", "interpolated", "averaged"]


def sampled(
    model: Model = "raw",
    *,
    interval: str | None = "PT1M",
    longest: str | None = None,
    window: str | None = None,
    band: str | None = None,
    between: Literal["step", "linear"] = "linear",
) -> SeriesParameter:
    dead_band = Value(kind="number", number=band) if band is not None else None
    return SeriesParameter(
        code="T", role="PV", unit="Cel", raw_unit="°C", between=between, scale=1,
        sampling_model=SamplingModel(
            model=model, interval=interval, longest_interval=longest, window=window,
            dead_band=dead_band,
        ),
    )  # fmt: skip


def block(numbers: dict[int, int], marked: dict[int, Mark] | None = None) -> Block:
    times = np.array(sorted(numbers), dtype=np.int64) * MINUTE
    return from_rows(times, {"T.PV": column([numbers[at] for at in sorted(numbers)], 1, marked)})


def facts(
    numbers: dict[int, int],
    of: SeriesParameter | None = None,
    *,
    until: int = 0,
    marked: dict[int, Mark] | None = None,
    steps: tuple[StepFacts, ...] = (),
) -> SeriesFacts:
    return SeriesFacts(
        series="se-1", batch="b1", parameters=(of or sampled(),), block=block(numbers, marked),
        complete_until=until * MINUTE, steps=steps,
    )  # fmt: skip


# ---- gaps


@pytest.mark.parametrize(
    ("of", "minutes"),
    [
        (sampled(), 1.5),
        (sampled("interpolated", interval="PT10M"), 15),
        (sampled("averaged", interval=None, window="PT4M"), 6),
        (sampled("as_archived", longest="PT8M"), 8),
        (sampled("as_archived"), 1.5),
        (sampled("as_archived", interval=None), 20),
        (sampled(interval=None), 3),
        (sampled(interval="PT0.5S"), 0.0125),
    ],
    ids=str,
)
def test_the_bound_of_a_gap_follows_from_the_sampling_model(
    of: SeriesParameter, minutes: float
) -> None:
    points = column_points(block(dict.fromkeys(range(0, 20, 2), 1)), "T.PV")
    assert gap_bound(of, points) == minutes * MINUTE


def gaps(points: dict[int, int], of: SeriesParameter) -> list[Finding]:
    facts = SeriesFacts(
        series="se-1", batch="b1", parameters=(of,),
        block=block(points), complete_until=max(points) * MINUTE,
    )  # fmt: skip
    return list(gap_findings(facts))


def test_a_source_that_reports_by_exception_has_a_gap_where_one_stands_out() -> None:
    """No longest interval is stated: steps of 1 to 5 minutes are none, two hours are one."""
    times = [0]
    for step in [1, 5, 2, 4, 3] * 20 + [120] + [1, 5, 2] * 5:
        times.append(times[-1] + step)
    [found] = gaps(dict.fromkeys(times, 1), sampled("as_archived", interval=None))
    assert found.found == "none for 7200 s from 1970-01-01T05:00:00Z"
    assert found.expected == (
        "a good point at least every 3000 s, ten times its usual longest step: "
        "no longest interval is stated"
    )
    # Control: judged as one that is read at intervals it would have many.
    assert len(gaps(dict.fromkeys(times, 1), sampled(interval="PT2M"))) > 40


def test_of_very_many_gaps_the_longest_are_listed_and_the_others_counted() -> None:
    times = [0]
    for step in range(2, 152):
        times.append(times[-1] + step)
    found = gaps(dict.fromkeys(times, 1), sampled(interval="PT1M"))
    assert len(found) == 101
    assert found[0].found.startswith("none for 3120 s")  # 52 minutes: the hundredth of 150
    assert found[-2].found.startswith("none for 9060 s")
    assert found[-1].found == "50 shorter ones, of 3060 s at most"


def test_each_gap_is_found_and_a_late_point_is_none() -> None:
    late = SeriesFacts(
        series="se-1", batch="b1", parameters=(sampled(interval="PT10M"),),
        block=block({0: 1, 10: 1, 25: 1, 41: 1}), complete_until=41 * MINUTE,
    )  # fmt: skip
    [found] = gap_findings(late)
    assert found.where == Place(type="series", key=("se-1",), path="/T.PV")
    assert found.found == "none for 960 s from 1970-01-01T00:25:00Z"
    assert found.expected == "a good point at least every 900 s"


def test_bad_points_fill_no_gap_and_the_promise_of_completeness_shows_the_last() -> None:
    found = list(gap_findings(facts({0: 1, 1: 1, 2: 1, 3: 1}, marked={1: Mark("bad")}, until=3)))
    assert [item.found for item in found] == [
        "none for 120 s from 1970-01-01T00:00:00Z, 1 row without one, longest step 60 s"
    ]
    found = list(gap_findings(facts({0: 1, 1: 1}, until=5)))
    assert [item.found for item in found] == ["none for 240 s from 1970-01-01T00:01:00Z"]


def test_a_series_without_points_is_one_gap_where_points_were_expected() -> None:
    empty = SeriesFacts(
        series="se-1", batch="b1", parameters=(sampled(),), block=block({}), complete_until=0,
        from_=0, to=9 * MINUTE,
    )  # fmt: skip
    assert len(list(gap_findings(empty))) == 1
    assert not list(gap_findings(facts({})))


# ---- coarse sampling


def test_sampling_coarser_than_a_limit_is_found() -> None:
    terms = body(
        agreed(
            Limit(kind="NOR", low="36.0", high="36.5"),
            Limit(kind="action", high="38.0", persistence="PT5M"),
        )
    )
    found = list(coarse_findings([sampled(band="0.6", interval="PT6M")], terms, "se-1"))
    assert [(item.found, item.expected) for item in found] == [
        ("dead band 0.6", "a dead band within the width 0.5 of NOR"),
        ("interval PT6M", "an interval within the persistence PT5M of action"),
    ]
    assert not list(coarse_findings([sampled(band="0.5", interval="PT5M")], terms, "se-1"))
    other = body(agreed(Limit(kind="NOR", low="1"), code="X"))
    assert not list(coarse_findings([sampled(band="9")], other, "se-1"))


# ---- conflicts, balances, derived


def test_conflicts_of_one_entry_are_one_finding_a_parameter() -> None:
    conflicts = [
        Conflict(name="T.PV", time=time, numbers=("1.0", ""), index=7) for time in (0, MINUTE)
    ]
    [found] = conflict_findings(conflicts, "se-1")
    assert found.found == "2 other points in entry 7, first none at 1970-01-01T00:00:00Z"
    assert found.expected == "1.0"


def test_a_counter_grows_by_its_steps_and_restarts_from_zero() -> None:
    assert counter_growth(column_points(block({0: 5, 1: 9, 2: 2, 3: 4}), "T.PV")) == Decimal("0.8")
    assert counter_growth(column_points(block({}), "T.PV")) == 0
    doubles = ColumnPoints(np.arange(4), np.array([0.1, 0.3, 0.2, 0.25]), None, {}, None)
    assert counter_growth(doubles) == Decimal("0.45")


def test_a_balance_beyond_its_tolerance_is_found() -> None:
    where = Place(type="step", key=("b1",))
    expected: dict[str, list[str]] = {"99": [], "98.9": ["100 ± 1 kg"], "101.1": ["100 ± 1 kg"]}
    for text, said in expected.items():
        found = balance_findings(where, Decimal(text), Decimal(100), Decimal(1), "kg")
        assert [item.expected for item in found] == said


@pytest.mark.parametrize(
    ("bound", "verdict"), [("2400", "pass"), ("1800", "none"), ("840", "fail")]
)
def test_a_derived_result_is_judged_by_what_its_gaps_leave_possible(
    bound: str, verdict: str
) -> None:
    """The verdicts of the example of the statistics page: 18 (15 … 35) minutes outside."""
    derived = Derived(number="1080", least="900", greatest="2100", coverage="0.766666")
    assert judge_derived(derived, None, bound) == verdict


def test_a_derived_result_that_is_open_on_both_sides_decides_nothing() -> None:
    derived = Derived(number="36.885", least=None, greatest=None, coverage="0.7")
    assert judge_derived(derived, "0", "100") == "none"
    assert derived_value(derived, "Cel").comparator == "~"
    nothing = Derived(number=None, least=None, greatest=None, coverage="0")
    assert derived_value(nothing, "Cel").absent == "not_logged"


# ---- limits


def judged(
    body_: AgreementBody, series: SeriesFacts, batches: Batches | None = None
) -> list[Finding]:
    return list(series_limit_findings(body_, series, batches or Batches([batch()])))


def limited(*limits: Limit, rounding: Rounding | None = None) -> AgreementBody:
    return body(agreed(*limits, rounding=rounding))


RISING = {0: 360, 1: 370, 2: 380, 3: 370, 4: 360}
HIGH = Limit(kind="action", high="37.0")


def test_a_stretch_outside_is_one_finding_with_its_worst_point() -> None:
    [found] = judged(limited(HIGH), facts(RISING))
    assert found.rule == "limit.excursion"
    assert found.where == Place(type="series", key=("se-1",), path="/T.PV")
    assert found.found == (
        "38.0 at 1970-01-01T00:02:00Z, outside for 120 s from 1970-01-01T00:01:00Z"
    )
    assert found.expected == "action at most 37.0 Cel"
    assert not judged(limited(Limit(kind="action", high="38.0")), facts(RISING))
    assert not judged(body(agreed(HIGH, code="X")), facts(RISING))


def test_a_stretch_shorter_than_the_persistence_is_no_excursion() -> None:
    for persistence, number in (("PT2M", 1), ("PT2M0.000001S", 0)):
        limit = Limit(kind="action", high="37.0", persistence=persistence)
        assert len(judged(limited(limit), facts(RISING))) == number


def test_limits_of_one_kind_with_and_without_persistence_hold_beside_each_other() -> None:
    slow = Limit(kind="action", high="36.5", persistence="PT3M")
    found = judged(limited(HIGH, slow), facts(RISING))
    assert [item.expected for item in found] == [
        "action at most 37.0 Cel",
        "action at most 36.5 Cel, for PT3M",
    ]


def test_where_only_the_dead_band_allows_it_the_limit_is_undecided() -> None:
    limit = Limit(kind="action", high="38.0")
    [found] = judged(limited(limit), facts(RISING, sampled(band="0.5")))
    assert found.rule == "limit.undecided"
    assert "perhaps outside for 60 s from 1970-01-01T00:01:30Z" in found.found
    [sure] = judged(limited(HIGH), facts(RISING, sampled(band="0.5")))
    assert (sure.rule, "outside for 60 s" in sure.found) == ("limit.excursion", True)


def test_points_are_rounded_as_agreed_before_they_are_judged() -> None:
    numbers = {0: 370, 1: 374, 2: 370}
    rounded = Rounding(kind="half_up", decimals=0)
    assert len(judged(limited(HIGH), facts(numbers))) == 1
    assert not judged(limited(HIGH, rounding=rounded), facts(numbers))
    below = {0: -370, 1: -375, 2: -370}
    low = Limit(kind="action", low="-37")
    assert len(judged(limited(low, rounding=rounded), facts(below))) == 1  # −37.5 becomes −38


def test_a_lone_point_outside_between_two_gaps_is_an_excursion() -> None:
    lone = facts({0: 360, 10: 380, 20: 360})
    [found] = judged(limited(HIGH), lone)
    assert found.found == "38.0 at 1970-01-01T00:10:00Z, outside between two gaps"
    patient = Limit(kind="action", high="37.0", persistence="PT1S")
    assert not judged(limited(patient), lone)


def step(element: str, start: int, end: int | None) -> StepFacts:
    return StepFacts(
        batch="b1", element=element, instance="1", start=at(f"1970-01-01T00:{start:02d}:00Z"),
        end=at(f"1970-01-01T00:{end:02d}:00Z") if end is not None else None,
    )  # fmt: skip


LEVEL = dict.fromkeys(range(11), 375)


def test_a_limit_of_an_element_holds_while_it_runs_and_before_the_general_one() -> None:
    own = Limit(kind="action", high="38.0", element="heat")
    series = facts(LEVEL, steps=(step("heat", 3, 7), step("other", 0, None)))
    found = judged(limited(HIGH, own), series)
    assert [item.found.partition(", ")[2] for item in found] == [
        "outside for 180 s from 1970-01-01T00:00:00Z",
        "outside for 180 s from 1970-01-01T00:07:00Z",
    ]


def test_a_change_of_limits_does_not_cut_a_stretch_outside() -> None:
    later = Limit(kind="action", high="36.0", from_="1970-01-01T00:05:00Z", persistence="PT8M")
    first = Limit(kind="action", high="37.0", persistence="PT8M")
    [found] = judged(limited(first, later), facts(LEVEL))
    assert "outside for 600 s from 1970-01-01T00:00:00Z" in found.found
    assert found.expected == "action at most 37.0 Cel, for PT8M"


def test_a_limit_that_begins_with_a_later_batch_does_not_hold() -> None:
    limit = Limit(kind="action", high="37.0", from_batch="b2")
    batches = Batches([batch("b1", 1), batch("b2", 2)])
    assert not judged(limited(limit), facts(LEVEL), batches)
    assert judged(limited(HIGH), facts(LEVEL), batches)


def test_ramped_bounds_run_from_the_old_to_the_new() -> None:
    # 37.0 until minute 5, then straight down to 36.0 at minute 9; the line stands at 36.5.
    ramped = Limit(kind="action", high="36.0", from_="1970-01-01T00:05:00Z", ramp="PT4M")
    series = facts(dict.fromkeys(range(11), 365))
    [found] = judged(limited(HIGH, ramped), series)
    assert "outside for 180 s from 1970-01-01T00:07:00Z" in found.found
    sudden = Limit(kind="action", high="36.0", from_="1970-01-01T00:05:00Z")
    [found] = judged(limited(HIGH, sudden), series)
    assert "outside for 300 s from 1970-01-01T00:05:00Z" in found.found


def test_averaged_limits_judge_means_of_stretches() -> None:
    numbers = {minute: 360 if minute % 2 else 378 for minute in range(11)}
    averaged = Limit(kind="action", high="37.0", averaging="PT2M")
    assert judged(limited(HIGH), facts(numbers))
    assert not judged(limited(averaged), facts(numbers))
    tighter = Limit(kind="action", high="36.5", averaging="PT2M")
    [found] = judged(limited(tighter), facts(numbers))
    assert "outside for 600 s" in found.found
    assert found.expected == "action at most 36.5 Cel, averaged over PT2M"
