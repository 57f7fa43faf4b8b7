"""Derived results: the example of the statistics page to the digit, and a slow exact oracle."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.series.blocks import ColumnPoints, Mark
from fedbatch.series.derived import (
    Condition,
    Derived,
    hold,
    integral,
    longest_excursion,
    maximum,
    mean,
    minimum,
    outside,
    span_between,
    time_outside,
)
from fedbatch.series.lines import Line, half_even, line_of
from tests.unit.series.making import column

MINUTE = 60_000_000
FEW = settings(max_examples=120)
Between = Literal["step", "linear"]


def points(
    numbers: list[tuple[int, int]], scale: int | None = 1, marks: dict[int, Mark] | None = None
) -> ColumnPoints:
    times = np.array([time * MINUTE for time, _ in numbers], dtype=np.int64)
    held = column([number for _, number in numbers], scale)
    return ColumnPoints(times, held.numbers, None, marks or {}, scale)


EXAMPLE = [(-4, 360), (4, 364), (10, 376), (18, 372), (24, 368), (30, 366), (44, 374), (50, 368),
           (58, 364), (64, 361)]  # fmt: skip


def line(
    between: Between,
    numbers: list[tuple[int, int]] | None = None,
    *,
    to: int = 60,
    gap: int = 10,
    band: str = "0.1",
    until: int = 64,
) -> Line:
    return line_of(
        points(EXAMPLE if numbers is None else numbers), from_=0, to=to * MINUTE, gap=gap * MINUTE,
        between=between, complete_until=until * MINUTE, dead_band=band,
    )  # fmt: skip


def minutes(found: Derived) -> tuple[Decimal, Decimal, Decimal]:
    assert found.number is not None
    assert found.least is not None
    assert found.greatest is not None
    return tuple(Decimal(text) / 60 for text in (found.number, found.least, found.greatest))  # type: ignore[return-value] # three


AT_MOST_37 = Condition(high="37.0")


@pytest.mark.parametrize(
    ("between", "least", "at", "average", "area", "beyond", "longest", "held"),
    [
        (
            "linear",
            "36.2",
            0,
            "36.885",
            "1696.700",
            ("18", "15", "35"),
            ("14", "12", "19"),
            ("12", "11", "24.5"),
        ),
        (
            "step",
            "36.0",
            0,
            "36.930",
            "1698.800",
            ("20", "20", "34"),
            ("14", "14", "20"),
            ("10", "10", "20"),
        ),
    ],
)
def test_the_example_is_reproduced_to_the_digit(
    between: Between,
    least: str,
    at: int,
    average: str,
    area: str,
    beyond: tuple[str, str, str],
    longest: tuple[str, str, str],
    held: tuple[str, str, str],
) -> None:
    example = line(between)
    assert example.coverage == Fraction(46, 60)
    assert (minimum(example).number, minimum(example).at) == (least, at)
    assert (maximum(example).number, maximum(example).at) == ("37.6", 10 * MINUTE)
    assert mean(example).number == average
    assert integral(example, unit_us=MINUTE).number == area
    assert minutes(time_outside(example, AT_MOST_37)) == tuple(map(Decimal, beyond))
    assert minutes(longest_excursion(example, AT_MOST_37)) == tuple(map(Decimal, longest))
    assert minutes(hold(example, AT_MOST_37)) == tuple(map(Decimal, held))


def test_the_stretches_outside_are_those_of_the_example() -> None:
    surely, number, possibly = outside(line("linear"), AT_MOST_37)
    assert (surely.starts / MINUTE).tolist() == [7.5, 44]
    assert (number.starts // MINUTE).tolist() == [7, 44]
    assert (number.ends // MINUTE).tolist() == [21, 48]
    assert (possibly.starts / MINUTE).tolist() == [6.5, 44]


def test_an_extreme_is_open_on_its_side_below_the_agreed_coverage() -> None:
    example = line("linear")
    assert (minimum(example).least, minimum(example).greatest) == (None, "36.3")
    assert (maximum(example).least, maximum(example).greatest) == ("37.5", None)
    assert (minimum(example, "0.7").least, minimum(example, "0.7").greatest) == ("36.1", "36.3")


def test_a_mean_is_open_below_the_agreed_coverage() -> None:
    example = line("linear")
    assert mean(example).is_open
    assert integral(example).is_open
    assert (mean(example, "0.7").least, mean(example, "0.7").greatest) == ("36.785", "36.985")
    # ± 0.1 × 46
    found = integral(example, "0.7", MINUTE)
    assert (found.least, found.greatest) == ("1692.100", "1701.300")


def test_below_the_persistence_the_longest_excursion_is_none() -> None:
    found = longest_excursion(line("linear"), AT_MOST_37, 15 * MINUTE)
    assert (found.number, found.least, found.greatest) == ("0", "0", "1140")


def test_coverage_is_never_rounded_up_to_all() -> None:
    found = mean(line("linear"))
    assert found.coverage == "0.766666"
    nearly = line_of(
        points([(0, 1), (10**7, 1)]), from_=-1, to=10**7 * MINUTE, gap=2**62, between="linear",
        complete_until=0,
    )  # fmt: skip
    assert mean(nearly).coverage == "0.999999"


def test_bad_points_make_gaps_and_uncertain_ones_count_and_are_stated() -> None:
    marked = {1: Mark("bad"), 3: Mark("uncertain")}
    numbers = [(minute, 10) for minute in range(0, 60, 10)]
    found = {
        between: line_of(
            points(numbers, 1, marked), from_=0, to=50 * MINUTE, gap=10 * MINUTE, between=between,
            complete_until=0,
        )
        for between in ("linear", "step")
    }  # fmt: skip
    assert (found["linear"].gaps.starts // MINUTE).tolist() == [0]
    assert (found["linear"].gaps.ends // MINUTE).tolist() == [20]
    assert found["linear"].uncertain_share == Fraction(20, 30)
    assert (found["step"].gaps.starts // MINUTE).tolist() == [10]
    assert (found["step"].gaps.ends // MINUTE).tolist() == [20]
    assert found["step"].uncertain_share == Fraction(10, 40)


def test_the_promise_of_completeness_ends_the_last_step() -> None:
    numbers = [(0, 10), (10, 20)]
    assert line("step", numbers, to=20, until=15).covered_us == 15 * MINUTE
    assert line("step", numbers, to=20, until=0).covered_us == 10 * MINUTE
    assert line("step", numbers, to=20, until=21).covered_us == 10 * MINUTE  # beyond the gap
    assert line("linear", numbers, to=20, until=15).covered_us == 10 * MINUTE


def test_an_average_holds_over_its_own_window() -> None:
    found = line_of(
        points([(0, 10), (10, 20), (12, 40), (30, 50)]), from_=2 * MINUTE, to=40 * MINUTE, gap=0,
        between="linear", complete_until=0, window=5 * MINUTE,
    )  # fmt: skip
    assert (found.starts // MINUTE).tolist() == [2, 10, 12, 30]
    assert (found.ends // MINUTE).tolist() == [5, 12, 17, 35]
    assert mean(found).number == "3.467"  # (3·1 + 2·2 + 5·4 + 5·5) ÷ 15


def test_nothing_known_is_no_number() -> None:
    empty = line("linear", [])
    for found in (minimum(empty), mean(empty)):
        assert found.number is None
        assert found.is_open
    assert time_outside(empty, AT_MOST_37).greatest == "3600"
    assert hold(empty, AT_MOST_37).number == "0"
    assert integral(empty).number == "0.000"


def test_numbers_beyond_eight_bytes_stay_exact() -> None:
    large = 10**18 - 1
    huge = line_of(
        ColumnPoints(np.array([0, 10**12]), np.array([large, -large]), None, {}, 0),
        from_=0, to=10**12, gap=10**12, between="linear", complete_until=0,
    )  # fmt: skip
    assert mean(huge).number == "0.00"
    assert maximum(huge).number == str(large)
    assert time_outside(huge, Condition(high="0")).number == "500000"


def test_a_limit_with_more_decimals_than_the_parameter_counts_exactly() -> None:
    found = time_outside(line("linear", [(0, 0), (10, 10)], to=10), Condition(high="0.123456"))
    assert found.number == "525.9264"


def test_a_limit_that_excludes_its_bound_forbids_a_level_line_on_it() -> None:
    level = line("linear", [(0, 370), (10, 370)], to=10, band="0")
    assert time_outside(level, AT_MOST_37).number == "0"
    assert time_outside(level, Condition(high="37", inclusive=False)).number == "600"


def test_two_events_hold_for_the_time_between_them() -> None:
    assert span_between(0, 90_500_000).number == "90.5"
    with pytest.raises(InputError):
        span_between(1, 0)


def test_arguments_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError):
        Condition()
    with pytest.raises(InputError):
        Condition(high="1e3")
    with pytest.raises(InputError):
        line("linear", to=0)
    with pytest.raises(InputError):
        line("linear", band="-1")
    with pytest.raises(InputError):
        line_of(points([(0, 10**16)], None), from_=0, to=1, gap=1, between="step", complete_until=9)


def test_halves_round_to_even() -> None:
    halves = [half_even(number, 2) for number in (1, 3, 5, -1, -3)]
    assert halves == [0, 2, 2, 0, -2]
    assert [half_even(2, 3), half_even(-2, 3), half_even(1, 3)] == [1, -1, 0]


# ---- the slow oracle: exact fractions, segment by segment


class Segment(NamedTuple):
    start: Fraction
    end: Fraction
    first: Fraction
    last: Fraction

    def at(self, time: Fraction) -> Fraction:
        share = (time - self.start) / (self.end - self.start)
        return self.first + (self.last - self.first) * share


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[int, int]], int, Between, int]:
    steps = draw(st.lists(st.integers(1, 8), min_size=1, max_size=12))
    times = (np.cumsum(steps) + draw(st.integers(-12, 3))).tolist()
    numbers = [draw(st.integers(-20, 20)) for _ in times]
    between: Between = draw(st.sampled_from(["step", "linear"]))
    to, gap = draw(st.integers(1, 40)), draw(st.integers(1, 8))
    return list(zip(times, numbers, strict=True)), to, between, gap


def covered(numbers: list[tuple[int, int]], to: int, between: Between, gap: int) -> list[Segment]:
    found = []
    for (time, number), (after, then) in pairwise(numbers):
        if after - time > gap or after <= 0 or time >= to:
            continue
        last = Fraction(then if between == "linear" else number, 10)
        whole = Segment(Fraction(time), Fraction(after), Fraction(number, 10), last)
        start, end = max(whole.start, Fraction(0)), min(whole.end, Fraction(to))
        found.append(Segment(start, end, whole.at(start), whole.at(end)))
    return found


def cut_at(segments: list[Segment], bounds: list[Fraction]) -> list[Segment]:
    found = []
    for segment in segments:
        edges = {segment.start, segment.end}
        for bound in bounds:
            if min(segment.first, segment.last) < bound < max(segment.first, segment.last):
                share = (bound - segment.first) / (segment.last - segment.first)
                edges.add(segment.start + (segment.end - segment.start) * share)
        ordered = sorted(edges)
        for start, end in pairwise(ordered):
            found.append(Segment(start, end, segment.at(start), segment.at(end)))
    return found


def stretches(parts: list[tuple[Fraction, Fraction]]) -> list[Fraction]:
    joined: list[list[Fraction]] = []
    for start, end in sorted(parts):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return [end - start for start, end in joined]


def near(found: str | None, expected: Fraction, tolerance: float) -> bool:
    assert found is not None
    return abs(float(Fraction(found) - expected)) <= tolerance


@FEW
@given(cases(), st.integers(-10, 10), st.integers(0, 12), st.integers(0, 9))
def test_every_result_equals_the_oracle(
    case: tuple[list[tuple[int, int]], int, Between, int], low: int, width: int, band: int
) -> None:
    numbers, to, between, gap = case
    found = line_of(
        points(numbers), from_=0, to=to * MINUTE, gap=gap * MINUTE, between=between,
        complete_until=-(10**12), dead_band=f"0.0{band}",
    )  # fmt: skip
    segments = covered(numbers, to, between, gap)
    size = sum((item.end - item.start for item in segments), Fraction(0))
    assert found.covered_us == size * MINUTE
    area = total([middle(item) * (item.end - item.start) for item in segments])
    if size:
        assert near(mean(found).number, area / size, 0.002)
        # An edge value is rounded to a thousandth before its segment is summed.
    assert near(integral(found, unit_us=MINUTE).number, area, 0.001 * (to + 1))
    inside = [Fraction(number, 10) for time, number in numbers if 0 <= time < to]
    ends = [value for item in segments for value in (item.first, item.last)]
    if inside or ends:
        assert near(minimum(found).number, min(inside + ends), 0.0005)
        assert near(maximum(found).number, max(inside + ends), 0.0005)
    lower, upper = Fraction(low, 10), Fraction(low + width, 10)
    d = Fraction(band, 100)
    bounds = [lower, upper, lower - d, lower + d, upper - d, upper + d]
    pieces = cut_at(segments, bounds)
    condition = Condition(low=f"{float(lower):.1f}", high=f"{float(upper):.1f}")
    gaps = [(start, end) for start, end in gaps_of(segments, to)]
    beyond = {
        "all": [p for p in pieces if middle(p) > upper + d or middle(p) < lower - d],
        "number": [p for p in pieces if middle(p) > upper or middle(p) < lower],
        "any": [p for p in pieces if middle(p) > upper - d or middle(p) < lower + d],
    }
    spans = {name: [(p.start, p.end) for p in part] for name, part in beyond.items()}
    met = {name: [(p.start, p.end) for p in pieces if p not in beyond[name]] for name in beyond}
    # A segment cut at a value that was rounded crosses a little later; each crossing counts so much.
    slack = 0.15 * (len(pieces) + 1)
    out = spans["number"], spans["all"], spans["any"] + gaps
    for result, combine, three in (
        (time_outside(found, condition), total, out),
        (longest_excursion(found, condition), most, out),
        (hold(found, condition), most, (met["number"], met["any"], met["all"] + gaps)),
    ):
        for text, part in zip((result.number, result.least, result.greatest), three, strict=True):
            assert near(text, combine(stretches(part)) * 60, slack)
        assert result.least is not None
        assert result.number is not None
        assert result.greatest is not None
        assert Decimal(result.least) <= Decimal(result.number) <= Decimal(result.greatest)


def total(spans: list[Fraction]) -> Fraction:
    return sum(spans, Fraction(0))


def most(spans: list[Fraction]) -> Fraction:
    return max(spans, default=Fraction(0))


def middle(segment: Segment) -> Fraction:
    return (segment.first + segment.last) / 2


def gaps_of(segments: list[Segment], to: int) -> list[tuple[Fraction, Fraction]]:
    found, at = [], Fraction(0)
    for segment in [*segments, Segment(Fraction(to), Fraction(to), Fraction(0), Fraction(0))]:
        if segment.start > at:
            found.append((at, segment.start))
        at = max(at, segment.end)
    return found
