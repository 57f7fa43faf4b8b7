"""Checks on plain columns: copies, counters, gaps, double rows."""

import numpy as np

from fedbatch.rules.columns import (
    copied_columns,
    counter_falls,
    equal_rows,
    gap_steps,
    steps_within,
)

ONE = np.zeros(60, dtype=np.int64)


def floats(numbers: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(numbers, dtype=np.float64)


def test_steps_are_taken_within_groups_and_over_blanks() -> None:
    values = floats([1, 10, 2, np.nan, 5])
    groups = np.array([0, 1, 0, 0, 0])
    steps = steps_within(values, ~np.isnan(values), groups)
    assert steps.rows.tolist() == [2, 4]
    assert steps.before.tolist() == [0, 2]
    assert steps.sizes.tolist() == [1, 3]


def test_equal_columns_are_copies_unless_they_are_an_axis_or_say_little() -> None:
    wave = floats([(row * 7) % 13 for row in range(60)])
    other = wave.copy()
    other[59] += 1
    assert list(copied_columns([wave, wave.copy()])) == [(0, 1)]
    assert not list(copied_columns([wave, other]))
    axis = floats([*range(60)])
    assert not list(copied_columns([axis, axis.copy()]))
    still = floats([5] * 60)
    assert not list(copied_columns([still, still.copy()]))


def test_a_counter_that_falls_to_nought_is_reset_and_a_speed_is_no_counter() -> None:
    counter = floats([*np.cumsum([1 + row % 3 for row in range(59)]), 0])
    falls = counter_falls(counter, ONE)
    assert falls is not None
    assert falls.rows.tolist() == [59]
    assert counter_falls(floats([row % 2 * 30 for row in range(60)]), ONE) is None


def test_a_counter_may_begin_anew_in_the_next_batch() -> None:
    counter = floats([*np.cumsum([1 + row % 3 for row in range(59)]), 0])
    groups = ONE.copy()
    groups[59] = 1
    falls = counter_falls(counter, groups)
    assert falls is not None
    assert falls.rows.size == 0


def test_running_numbers_are_no_counters_unless_they_are_named() -> None:
    running = floats([*range(1, 56), 0, 1, 2, 3, 4])
    assert counter_falls(running, ONE) is None
    assert counter_falls(running, ONE, is_named=True) is not None


def test_gaps_are_told_by_the_usual_step_and_only_where_one_is_usual() -> None:
    times = np.array([*range(0, 300, 10), 340, *range(350, 600, 10)], dtype=np.int64)
    groups = np.zeros(times.size, dtype=np.int64)
    found = gap_steps(steps_within(times, groups == 0, groups))
    assert found is not None
    gaps, usual = found
    assert (usual, gaps.sizes.tolist()) == (10, [50])
    uneven = np.cumsum(np.arange(60, dtype=np.int64) ** 2)
    assert gap_steps(steps_within(uneven, ONE == 0, ONE)) is None


def test_double_rows_are_equal_in_every_column() -> None:
    one, other = np.array([1, 2, 1, 3]), np.array([5, 5, 5, 5])
    assert equal_rows([one, other]) == [(0, 2)]
    assert equal_rows([one, np.array([5, 5, 6, 5])]) == []
    assert equal_rows([]) == []
