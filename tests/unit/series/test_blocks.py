"""Blocks: what they take, and that joining and cutting them keeps every point."""

import importlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.series.blocks import (
    Block,
    Column,
    Integers,
    Mark,
    between,
    column_points,
    concatenate,
    count,
    equal,
    from_points,
    from_rows,
    merge,
    rescale,
    select,
)
from tests.unit.series.making import blocks, column

FEW = settings(max_examples=60)
Point = tuple[int, object, Mark]


def times(*values: int) -> Integers:
    return np.array(values, dtype=np.int64)


def listed(block: Block, name: str) -> list[Point]:
    """The points one by one: the slow way, to hold the fast one against."""
    held = block.columns[name]
    found: list[Point] = []
    for row, time in enumerate(block.times.tolist()):
        is_there = held.present is None or bool(held.present[row])
        if is_there or row in held.marks:
            number = held.numbers[row].item() if is_there else None
            found.append((time, number, held.marks.get(row, Mark())))
    return found


@FEW
@given(blocks())
def test_points_of_a_column_are_those_of_its_rows_in_order(block: Block) -> None:
    total = 0
    for name in block.columns:
        points = column_points(block, name)
        total += points.times.size
        found = [
            (
                time,
                number if points.present is None or points.present[row] else None,
                points.marks.get(row, Mark()),
            )
            for row, (time, number) in enumerate(
                zip(points.times.tolist(), points.numbers.tolist(), strict=True)
            )
        ]
        assert found == listed(block, name)
    assert count(block) == total


@FEW
@given(blocks())
def test_a_block_laid_out_anew_from_its_points_is_equal(block: Block) -> None:
    again = from_points({name: column_points(block, name) for name in block.columns})
    assert equal(again, block)
    assert count(again) == count(block)


@FEW
@given(blocks(), st.integers(-6, 10**15))
def test_a_block_cut_in_two_and_merged_is_equal(block: Block, at: int) -> None:
    first, last = between(block, -(2**62), at), between(block, at, 2**62)
    assert count(first) + count(last) == count(block)
    assert equal(concatenate([first, last]), block)
    assert equal(merge([first, last]), block)


@FEW
@given(blocks(("A.PV",)), blocks(("A.PV",)))
def test_merged_points_are_those_of_both_by_time(one: Block, other: Block) -> None:
    both = merge([one, other])
    assert count(both) == count(one) + count(other)
    parts = [block for block in (one, other) if "A.PV" in block.columns]
    is_binary = "A.PV" in both.columns and both.columns["A.PV"].scale is None
    expected = sorted(
        (
            (time, as_merged(number, mark, part.columns["A.PV"].scale, is_binary=is_binary))
            for part in parts
            for time, number, mark in listed(part, "A.PV")
        ),
        key=lambda item: item[0],
    )
    if expected:
        assert [(time, mark) for time, _, mark in listed(both, "A.PV")] == expected


def as_merged(number: object, mark: Mark, scale: int | None, *, is_binary: bool) -> Mark:
    """A point's mark where its column becomes binary64: what that rounds keeps its text."""
    if not is_binary or scale is None or number is None or mark.raw:
        return mark
    exact = Decimal(str(number)).scaleb(-scale)
    is_held = Decimal(repr(float(exact))) == exact
    return mark if is_held else mark._replace(raw=f"{exact:f}")


def test_points_that_no_scale_of_eighteen_digits_holds_together_are_binary() -> None:
    one = from_rows(times(1), {"A.PV": column([11499390870455668], scale=13)})
    other = from_rows(times(2), {"A.PV": column([8387179933254993], scale=16)})
    for both in (merge([one, other]), concatenate([one, other]), merge([other, one])):
        found = both.columns["A.PV"]
        assert (found.scale, found.numbers.tolist()) == (
            None,
            [1149.9390870455668, 0.8387179933254993],
        )
    small = from_rows(times(1), {"A.PV": column([42], scale=1)})
    assert merge([small, other]).columns["A.PV"].scale == 16


def test_rows_of_a_source_that_ran_backwards_are_put_in_time_and_keep_their_numbers() -> None:
    block = from_rows(times(30, 10, 20), {"A.PV": column([3, 1, 2], marked={0: Mark("bad")})})
    assert block.times.tolist() == [10, 20, 30]
    assert block.rows is not None
    assert block.rows.tolist() == [1, 2, 0]
    assert block.columns["A.PV"].numbers.tolist() == [1, 2, 3]
    assert block.columns["A.PV"].marks == {2: Mark("bad")}


def test_points_at_one_time_stay_apart_and_share_rows_with_other_parameters() -> None:
    one = from_rows(times(1, 1, 2), {"A.PV": column([1, 2, 3])})
    other = from_rows(times(1, 3), {"B.PV": column([7, 8])})
    both = merge([one, other])
    assert both.times.tolist() == [1, 1, 2, 3]
    assert listed(both, "A.PV") == [(1, 1, Mark()), (1, 2, Mark()), (2, 3, Mark())]
    assert listed(both, "B.PV") == [(1, 7, Mark()), (3, 8, Mark())]


def test_a_changed_point_makes_blocks_unequal() -> None:
    block = from_rows(times(1, 2), {"A.PV": column([1, 2])})
    for changed in (
        from_rows(times(1, 3), {"A.PV": column([1, 2])}),
        from_rows(times(1, 2), {"A.PV": column([1, 3])}),
        from_rows(times(1, 2), {"A.PV": column([1, None])}),
        from_rows(times(1, 2), {"A.PV": column([1, 2], scale=1)}),
        from_rows(times(1, 2), {"A.PV": column([1, 2], marked={1: Mark("bad")})}),
        from_rows(times(1, 2), {"B.PV": column([1, 2])}),
    ):
        assert not equal(block, changed)


def test_a_selection_leaves_other_columns_out() -> None:
    block = from_rows(times(1), {"A.PV": column([1]), "B.PV": column([2])})
    assert list(select(block, ["B.PV", "C.PV"]).columns) == ["B.PV"]


def test_numbers_at_more_decimals_are_the_same_and_never_overflow() -> None:
    assert rescale(column([15, -2], scale=1), 3).numbers.tolist() == [1500, -200]
    assert rescale(column([15], scale=1), None).numbers.tolist() == [1.5]
    with pytest.raises(InputError) as refused:
        rescale(column([10**17], scale=0), 2)
    assert refused.value.code == "series.scale"
    with pytest.raises(InputError):
        rescale(column([1], scale=2), 1)


@pytest.mark.parametrize(
    ("at", "columns", "rows"),
    [
        (times(2, 1), {}, None),
        (times(1, 1), {}, None),
        (times(1, 1), {}, times(5, 5)),
        (times(2, 1), {}, times(0, 1)),
        (times(1), {}, times(0, 1)),
        (times(1), {"A.PV": column([1, 2])}, None),
        (times(1), {"A.PV": column([1], marked={1: Mark("bad")})}, None),
        (times(1), {"A.PV": column([1], marked={0: Mark()})}, None),
        (times(1), {"A.PV": Column(0, np.array([1.5]))}, None),
        (times(1), {"A.PV": Column(19, times(1))}, None),
        (times(1), {"A.PV": Column(0, times(1), np.array([True, False]))}, None),
    ],
    ids=[
        "falling",
        "equal",
        "same-rows",
        "falling-with-rows",
        "rows-too-long",
        "column-too-long",
        "mark-beyond",
        "idle-mark",
        "floats-at-a-scale",
        "scale-too-great",
        "flags-too-long",
    ],
)
def test_a_block_out_of_shape_is_refused(
    at: Integers,
    columns: dict[str, Column],
    rows: Integers | None,
) -> None:
    with pytest.raises(InputError) as refused:
        Block(at, columns, rows)
    assert refused.value.code == "series.block"


def test_nothing_is_a_block_too() -> None:
    for empty in (concatenate([]), merge([]), from_points({})):
        assert count(empty) == 0


def test_every_module_of_the_room_names_what_it_offers() -> None:
    folder = Path(importlib.import_module("fedbatch.series").__file__ or "").parent
    for path in folder.glob("[a-z]*.py"):
        module = importlib.import_module(f"fedbatch.series.{path.stem}")
        assert all(hasattr(module, name) for name in module.__all__)


def test_decimals_that_binary_numbers_round_keep_their_texts() -> None:
    exact = [10**17 + 1, 10**17, 2**53 + 1, 5, None]
    marked = {0: Mark("bad"), 2: Mark(raw="9.007.199.254.740.993"), 4: Mark("missing")}
    found = rescale(column(exact, 0, marked), None)
    assert found.numbers.tolist() == [1e17, 1e17, 2.0**53, 5.0, 0.0]
    assert dict(found.marks) == {
        0: Mark("bad", raw="100000000000000001"),
        2: Mark(raw="9.007.199.254.740.993"),
        4: Mark("missing"),
    }
    fine = rescale(column([123456789012345678, 123456789012345, -(10**17)], 5), None)
    assert fine.numbers.tolist() == [1234567890123.4568, 1234567890.12345, -1e12]
    assert dict(fine.marks) == {0: Mark(raw="1234567890123.45678")}


def test_blocks_that_no_scale_holds_together_keep_the_texts_they_round() -> None:
    one = from_rows(np.array([1]), {"A.PV": column([10**17 + 1], 0)})
    two = from_rows(np.array([2]), {"A.PV": column([1], 1)})
    again = from_rows(np.array([1]), {"A.PV": column([1], 1)})
    for joined in (merge([one, two]), concatenate([one, two]), merge([two, one])):
        held = joined.columns["A.PV"]
        assert held.numbers.tolist() == [1e17, 0.1]
        assert dict(held.marks) == {0: Mark(raw="100000000000000001")}
    held = merge([again, one]).columns["A.PV"]
    assert dict(held.marks) == {1: Mark(raw="100000000000000001")}
