"""What a second telling says anew, otherwise, or no longer."""

import numpy as np
import pytest
from hypothesis import given, settings

from fedbatch.series.blocks import Block, Mark, column_points, count, from_rows
from fedbatch.series.comparing import compare, same_numbers
from tests.unit.series.making import blocks, column

FEW = settings(max_examples=60)


def block(
    numbers: list[float | None], scale: int | None = 1, marked: dict[int, Mark] | None = None
) -> Block:
    times = np.arange(1, len(numbers) + 1, dtype=np.int64)
    return from_rows(times, {"A.PV": column(numbers, scale, marked)})


def told(found: Block) -> list[int]:
    return column_points(found, "A.PV").times.tolist() if "A.PV" in found.columns else []


def test_points_are_new_other_gone_or_equal() -> None:
    found = compare(block([10, 20, None, 40]), block([10, 21, 30]))
    assert (told(found.new), told(found.other)) == ([3], [2])
    assert (found.equal, found.gone) == (1, 0)
    fewer = compare(block([10, 20, 30]), block([10, None, 30]))
    assert (fewer.gone, fewer.equal, told(fewer.other)) == (1, 2, [])


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (Mark(raw="1.00"), Mark(), 1),
        (Mark(raw="1.00"), Mark(raw="01.0"), 1),
        (Mark("bad"), Mark("bad", raw="1"), 1),
        (Mark("bad"), Mark(), 0),
        (Mark("bad", "0x80"), Mark("bad"), 0),
    ],
)
def test_how_a_number_was_written_is_no_difference_and_its_quality_is(
    before: Mark, now: Mark, same: int
) -> None:
    marks = [{0: mark} if any(mark) else {} for mark in (before, now)]
    one, other = block([10], 1, marks[0]), block([10], 1, marks[1])
    for first, second in ((one, other), (other, one)):
        assert compare(first, second).equal == same


def test_without_a_number_the_text_is_what_a_point_says() -> None:
    before = block([None], 1, {0: Mark("bad", raw="I/O Timeout")})
    assert compare(before, before).equal == 1
    assert told(compare(before, block([None], 1, {0: Mark("bad", raw="Off")})).other) == [1]
    assert told(compare(before, block([10])).other) == [1]


def test_decimals_that_no_common_scale_holds_are_compared_as_they_are() -> None:
    """As binary64 both numbers would be 10^17."""
    one, two = column([10**17 + 1], 0), column([10**17 + 2], 0)
    fine = column([1], 10)
    assert not same_numbers(one, two).any()
    assert not same_numbers(one, fine).any()
    assert same_numbers(one, one).all()
    assert same_numbers(column([10**17], 0), column([10**17], 0)).all()
    assert same_numbers(column([5], 0), column([50], 1)).all()
    assert same_numbers(column([0.1], None), column([1], 1)).all()
    assert same_numbers(column([10**16, 3], 0), column([10**17, 30], 1)).all()
    assert same_numbers(column([10**17, 0], 0), column([0, 0], 5)).tolist() == [False, True]


@FEW
@given(blocks())
def test_a_block_told_again_is_equal(sent: Block) -> None:
    found = compare(sent, sent)
    assert (found.equal, found.gone, count(found.new), count(found.other)) == (count(sent), 0, 0, 0)


@FEW
@given(blocks(), blocks())
def test_every_point_told_is_new_other_or_equal(before: Block, now: Block) -> None:
    found = compare(before, now)
    assert count(found.new) + count(found.other) + found.equal == count(now)
