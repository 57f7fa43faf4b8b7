"""Batches on one axis: each bucket against a slow count; thinning keeps what matters."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.series.align import BY_CLOCK, along_step, buckets, from_anchor
from fedbatch.series.blocks import ColumnPoints, Mark
from fedbatch.series.downsample import thin

FEW = settings(max_examples=80)


def line(
    numbers: list[int], times: list[int] | None = None, bad: tuple[int, ...] = (), scale: int = 1
) -> ColumnPoints:
    at = np.array(times or range(len(numbers)), dtype=np.int64)
    marks = {row: Mark("bad") for row in bad}
    return ColumnPoints(at, np.array(numbers, dtype=np.int64), None, marks, scale)


numbers_lists = st.lists(st.integers(-100, 100), max_size=30)


@FEW
@given(numbers_lists, st.integers(1, 7), st.integers(-3, 12), st.integers(1, 20))
def test_each_bucket_is_what_a_slow_count_finds(
    numbers: list[int], count: int, first: int, length: int
) -> None:
    found = buckets([(line(numbers), BY_CLOCK)], first, first + length, count)
    for bucket in range(count):
        inside = [
            number / 10
            for time, number in enumerate(numbers)
            if first * count + bucket * length
            <= time * count
            < first * count + (bucket + 1) * length
        ]
        assert found.count[0, bucket] == len(inside)
        if inside:
            assert found.least[0, bucket] == min(inside)
            assert found.greatest[0, bucket] == max(inside)
            assert math.isclose(found.mean[0, bucket], sum(inside) / len(inside), abs_tol=1e-9)
        else:
            assert math.isnan(found.mean[0, bucket])


def test_batches_meet_at_their_anchors_and_along_their_steps() -> None:
    early, late = line([10, 20, 30], [100, 101, 102]), line([10, 20, 30], [500, 501, 502])
    found = buckets([(early, from_anchor(100)), (late, from_anchor(500))], 0, 3, 3)
    assert found.mean.tolist() == [[1.0, 2.0, 3.0]] * 2
    slow = line([10, 20], [0, 500])
    fast = line([10, 20], [0, 5])
    found = buckets([(slow, along_step(0, 1000)), (fast, along_step(0, 10))], 0, 1, 2)
    assert found.mean.tolist() == [[1.0, 2.0]] * 2


def test_bad_points_are_in_no_bucket() -> None:
    found = buckets([(line([10, 990, 30], bad=(1,)), BY_CLOCK)], 0, 3, 1)
    assert found.greatest.tolist() == [[3.0]]


def test_no_stretch_is_refused() -> None:
    for first, last, count in ((0, 0, 5), (0, 1, 0)):
        with pytest.raises(InputError):
            buckets([], first, last, count)
        with pytest.raises(InputError):
            thin(line([]), first, last, count)
    with pytest.raises(InputError):
        along_step(5, 5)


@FEW
@given(st.lists(st.integers(-100, 100), max_size=200), st.integers(1, 6))
def test_thinning_keeps_extremes_and_invents_nothing(numbers: list[int], count: int) -> None:
    points = line(numbers)
    to = max(1, len(numbers))
    kept = thin(points, 0, to, count).points
    assert kept.times.size <= 6 * count
    assert [numbers[time] for time in kept.times.tolist()] == kept.numbers.tolist()
    for bucket in range(count):
        first, last = to * bucket // count, to * (bucket + 1) // count
        inside = numbers[first:last]
        shown = kept.numbers[(kept.times >= first) & (kept.times < last)]
        if inside:
            assert (shown.min(), shown.max()) == (min(inside), max(inside))


def test_gaps_and_missing_numbers_break_the_line() -> None:
    times = [*range(100), *range(500, 600)]
    points = line([1] * 200, times)
    found = thin(points, 0, 600, 10, gap=50)
    broken = found.points.times[found.is_broken].tolist()
    assert broken == [500]
    assert 99 in found.points.times.tolist()
    unbroken = thin(points, 0, 600, 10)
    assert not unbroken.is_broken.any()
    present = np.ones(200, dtype=np.bool_)
    present[150] = False
    found = thin(points._replace(present=present), 0, 600, 2)
    assert found.is_broken.sum() == 1
