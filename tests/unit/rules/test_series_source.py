"""Source checks of series: each finds what it is for, and stays silent beside it."""

import numpy as np

from fedbatch.rules.series_source import (
    Counter,
    backwards_findings,
    blank_findings,
    conflict_findings,
    copied_findings,
    counter_findings,
    duplicate_findings,
    rounded_findings,
)
from fedbatch.series.blocks import Block, Column, Mark, column_points, from_points, from_rows
from fedbatch.standard.findings import Place

WHERE = Place(file="press.csv")
SECOND = 1_000_000
AT = "1970-01-01T00:00:10Z"
COUNTER = [Counter(name="GOOD.PV", running="SPEED.PV", stands_us=60 * SECOND)]


def column(numbers: list[int | None], scale: int = 0) -> Column:
    present = np.array([number is not None for number in numbers])
    values = np.array([number or 0 for number in numbers], dtype=np.int64)
    return Column(scale, values, None if present.all() else present)


def block(step_s: int = 10, **columns: list[int | None]) -> Block:
    length = len(next(iter(columns.values())))
    times = np.arange(length, dtype=np.int64) * step_s * SECOND
    return Block(times, {f"{name}.PV": column(numbers) for name, numbers in columns.items()})


def test_times_that_run_backwards_are_found_once_with_the_first_row() -> None:
    times = np.array([0, 20, 10, 30, 25], dtype=np.int64) * SECOND
    [found] = backwards_findings(times, WHERE, row_first=2)
    assert found.rule == "series.backwards"
    assert found.found == (
        "2 times earlier than the one before, first 1970-01-01T00:00:10Z after "
        "1970-01-01T00:00:20Z in row 4"
    )
    assert not list(backwards_findings(np.sort(times), WHERE))
    assert not list(backwards_findings(times[:1], WHERE))


def test_points_at_one_time_are_counted_and_told_apart() -> None:
    times = np.array([0, 0, 10, 10, 20], dtype=np.int64) * SECOND
    columns = {"A.PV": column([1, 1, 2, 3, 4]), "B.PV": column([1, None, 2, None, 3])}
    doubled = from_rows(times, columns)
    [found] = duplicate_findings(doubled, WHERE)
    assert (found.rule, found.where.path) == ("series.duplicate", "/A.PV")
    assert found.found == (
        "2 points at a time that has one, 1 with another number, first at 1970-01-01T00:00:00Z"
    )


def test_points_told_otherwise_are_one_finding_a_parameter_with_both_numbers() -> None:
    before = Block(
        np.array([0, 10, 20]) * SECOND,
        {"A.PV": column([10, 20, 30], 1), "B.PV": column([None, 2, 3]), "C.PV": column([1, 2, 3])},
    )
    marked = Column(0, np.array([0]), np.array([False]), {0: Mark("bad", "", "I/O Timeout")})
    told = from_points(
        {
            "B.PV": column_points(Block(np.array([10]) * SECOND, {"B.PV": marked}), "B.PV"),
            "A.PV": column_points(
                Block(np.array([10, 20]) * SECOND, {"A.PV": column([25, 35], 1)}), "A.PV"
            ),
            "C.PV": column_points(Block(np.array([0]), {"C.PV": column([None])}), "C.PV"),
        }
    )
    found = list(conflict_findings(before, told, WHERE))
    assert [(item.rule, item.where.path, item.found) for item in found] == [
        (
            "series.conflict",
            "/A.PV",
            f"2 points told otherwise than before, first 2.5 instead of 2.0 at {AT}",
        ),
        (
            "series.conflict",
            "/B.PV",
            f"1 point told otherwise than before, first 'I/O Timeout' instead of 2 at {AT}",
        ),
    ]
    assert {item.expected for item in found} == {
        "what was told of the same times before; both are kept"
    }
    nothing = Block(np.array([10]) * SECOND, {"A.PV": marked})
    silent = Block(np.array([10]) * SECOND, {"A.PV": Column(0, np.array([0]), np.array([False]))})
    # What has neither number nor text is told as a mark of nothing.
    blank = Block(silent.times, {"A.PV": Column(0, np.array([0]), np.array([False]), {0: Mark()})})
    (told_blank,) = conflict_findings(nothing, blank, WHERE)
    assert "first '' instead of 'I/O Timeout'" in told_blank.found
    assert not list(conflict_findings(nothing, silent, WHERE))


def rounded(before: Column, told: Column, *, least: int = 0) -> list[str]:
    times = np.arange(before.numbers.size, dtype=np.int64) * SECOND
    one = Block(times, {"A.PV": before})
    two = Block(times[least:], {"A.PV": told})
    return [item.found for item in rounded_findings(one, two, WHERE)]


def test_points_with_fewer_decimals_that_are_otherwise_equal_are_found() -> None:
    exact = column([1250, 7749, -1250], 3)
    assert rounded(exact, column([13, 77, -12], 1)) == [
        "3 points rounded to 1 decimal, first 1.3 instead of 1.250 at 1970-01-01T00:00:00Z"
    ]
    assert rounded(exact, column([8, -1]), least=1) == [
        "2 points rounded to 0 decimals, first 8 instead of 7.749 at 1970-01-01T00:00:01Z"
    ]
    doubles = Column(None, np.array([0.25, 3.14159]), None)
    assert rounded(doubles, column([3, 31], 1)) == [
        "2 points rounded to 1 decimal, first 0.3 instead of 0.25 at 1970-01-01T00:00:00Z"
    ]


def test_what_is_no_rounding_is_not_called_one() -> None:
    exact = column([1250, 7749], 3)
    assert not rounded(exact, column([13, 78], 1))  # the second is another number
    assert not rounded(exact, column([13, 76], 1))
    assert not rounded(exact, column([1250, 7750], 3))  # as many decimals
    assert not rounded(exact, column([12500, 77491], 4))
    assert not rounded(exact, Column(None, np.array([1.3, 7.7]), None))
    absent = np.array([True, False]), {1: Mark("bad")}
    assert not rounded(exact, Column(1, np.array([13, 0]), *absent))
    assert not rounded(Column(3, np.array([1250, 0]), *absent), column([13, 0], 1))
    # Of a time that was not told before nothing is known.
    two = Block(np.array([0, 5 * SECOND]), {"A.PV": column([13, 77], 1)})
    assert not list(rounded_findings(Block(np.array([0]), {"A.PV": column([1250], 3)}), two, WHERE))


def test_each_stretch_of_blank_rows_is_one_finding_and_zero_is_a_value() -> None:
    numbers: list[int | None] = [1, None, None, 0, None]
    found = list(blank_findings(block(A=numbers, B=numbers), WHERE))
    assert [item.found for item in found] == [
        "2 rows without a value from 1970-01-01T00:00:10Z to 1970-01-01T00:00:20Z",
        "1 row without a value from 1970-01-01T00:00:40Z to 1970-01-01T00:00:40Z",
    ]


def test_a_row_that_says_why_it_has_no_number_is_not_blank() -> None:
    said = Column(0, np.array([0], dtype=np.int64), np.array([False]), {0: Mark("bad")})
    assert not list(blank_findings(from_rows(np.array([0]), {"A.PV": said}), WHERE))


def test_a_copied_column_is_found_whatever_its_scale() -> None:
    numbers = [row % 30 for row in range(200)]
    times = np.arange(200, dtype=np.int64)
    columns = {
        "A.PV": column([*numbers]),
        "B.PV": column([10 * number for number in numbers], 1),
        "C.PV": column([number + 1 for number in numbers]),
    }
    same = from_rows(times, columns)
    [found] = copied_findings(same, WHERE)
    assert (found.rule, found.where.path) == ("series.copied", "/A.PV")
    assert found.found == "equal to B.PV in all 200 rows"


def test_columns_that_stand_still_or_differ_once_are_no_copies() -> None:
    numbers = [row % 30 for row in range(200)]
    other = [*numbers[:-1], 99]
    still: list[int | None] = [5] * 200
    assert not list(copied_findings(block(A=[*numbers], B=[*other], C=still, D=still), WHERE))
    assert not list(copied_findings(block(A=[*numbers[:50]], B=[*numbers[:50]]), WHERE))
    assert not list(copied_findings(block(A=[*numbers], B=[None, *numbers[1:]]), WHERE))


def test_a_counter_that_stands_while_the_machine_runs_is_stuck_whatever_stops_between() -> None:
    good: list[int | None] = [1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4]
    speed: list[int | None] = [9, 9, 9, 9, 9, 9, 0, 9, 9, 9, 9]
    stuck = block(GOOD=good, SPEED=speed)
    assert not list(counter_findings(stuck, COUNTER, WHERE))  # 50 s run, 60 s allowed
    strict = Counter(name="GOOD.PV", running="SPEED.PV", stands_us=50 * SECOND)
    [found] = counter_findings(stuck, [strict], WHERE)
    assert found.rule == "counter.stuck"
    assert found.found == (
        "3 in 7 rows in which SPEED.PV is above 0, from 1970-01-01T00:00:20Z to 1970-01-01T00:01:30Z"
    )


def test_a_counter_of_a_machine_that_stands_may_stand() -> None:
    still: list[int | None] = [3] * 50
    assert not list(counter_findings(block(GOOD=still, SPEED=[0] * 50), COUNTER, WHERE))
    assert list(counter_findings(block(GOOD=still, SPEED=[1] * 50), COUNTER, WHERE))
    # A night without rows is no running.
    assert not list(counter_findings(block(7200, GOOD=[3, 3], SPEED=[1, 1]), COUNTER, WHERE))


def test_each_fall_of_a_counter_is_a_reset_and_a_missing_row_is_none() -> None:
    falling = block(GOOD=[5, 6, None, 6, 0, 1], SPEED=[1] * 6)
    [found] = counter_findings(falling, COUNTER, WHERE)
    assert (found.rule, found.found) == ("counter.reset", "0 after 6 at 1970-01-01T00:00:40Z")
    assert not list(counter_findings(block(OTHER=[2, 1]), COUNTER, WHERE))
