"""What counts of several pieces of a series: corrections, precedence, conflicts."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.series.blocks import Block, Mark, column_points, count, equal, from_rows, merge
from fedbatch.series.counting import Conflict, Piece, counted
from tests.unit.series.making import blocks, column

FEW = settings(max_examples=60)


def block(points: dict[int, int], scale: int = 1, marked: dict[int, Mark] | None = None) -> Block:
    times = np.array(sorted(points), dtype=np.int64)
    numbers = [points[time] for time in sorted(points)]
    return from_rows(times, {"A.PV": column(numbers, scale, marked)})


def shown(found: Block) -> dict[int, int]:
    points = column_points(found, "A.PV")
    return dict(zip(points.times.tolist(), points.numbers.tolist(), strict=True))


def test_stretches_that_follow_each_other_all_count() -> None:
    pieces = [
        Piece(block=block({10 * hour: hour, 10 * hour + 9: 7}), index=hour) for hour in range(5)
    ]
    found, conflicts = counted(pieces, "live")
    assert equal(found, merge([piece.block for piece in pieces]))
    assert not conflicts


def test_equal_points_sent_again_change_nothing() -> None:
    live = Piece(block=block({1: 10, 2: 20}), index=1)
    again = Piece(block=block({2: 200, 3: 300}, 2, {0: Mark(raw="2")}), index=2, is_file=True)
    found, conflicts = counted([live, again], "live")
    assert shown(found) == {1: 100, 2: 200, 3: 300}
    assert not conflicts


@pytest.mark.parametrize(("precedence", "first"), [("live", 20), ("file", 21)])
def test_of_different_points_the_one_of_the_precedence_shows(
    precedence: Literal["live", "file"], first: int
) -> None:
    live = Piece(block=block({1: 10, 2: 20}), index=1)
    file = Piece(block=block({2: 21}), index=2, is_file=True)
    found, [conflict] = counted([live, file], precedence)
    assert shown(found) == {1: 10, 2: first}
    second = 41 - first
    assert conflict == Conflict(
        name="A.PV",
        time=2,
        numbers=(f"{first / 10}", f"{second / 10}"),
        index=2 if precedence == "live" else 1,
    )


def test_of_two_files_the_first_in_the_ledger_shows() -> None:
    pieces = [Piece(block=block({1: number}), index=number, is_file=True) for number in (9, 5)]
    found, conflicts = counted(pieces, "live")
    assert shown(found) == {1: 5}
    assert [item.index for item in conflicts] == [9]


def test_within_its_window_the_newest_correction_alone_counts() -> None:
    pieces = [
        Piece(block=block({1: 10, 5: 50, 9: 90}), index=1),
        Piece(block=block({5: 51, 6: 61}), index=2, window=(4, 9)),
        Piece(block=block({6: 62}), index=3, window=(6, 8)),
    ]
    for order in (pieces, pieces[::-1]):
        found, conflicts = counted(order, "live")
        assert shown(found) == {1: 10, 5: 51, 6: 62, 9: 90}
        assert not conflicts


def test_what_a_correction_does_not_supersede_stays_and_differs_from_it_as_a_conflict() -> None:
    """Another source's points between those corrected, and what comes later."""
    pieces = [
        Piece(block=block({1: 10, 5: 50, 9: 90}), index=1, is_file=True),
        Piece(block=block({5: 55, 6: 60}), index=2, is_file=True),
        Piece(
            block=block({1: 11, 5: 51, 9: 91}),
            index=3,
            is_file=True,
            window=(1, 10),
            supersedes=frozenset({1}),
        ),
        Piece(block=block({5: 51, 7: 70}), index=4),
    ]
    for order in (pieces, pieces[::-1]):
        found, conflicts = counted(order, "live")
        assert shown(found) == {1: 11, 5: 51, 6: 60, 7: 70, 9: 91}
        assert conflicts == [Conflict(name="A.PV", time=5, numbers=("5.1", "5.5"), index=2)]
    # Control: superseding all of them takes the points between them away.
    pieces[2] = Piece(block=pieces[2].block, index=3, window=(1, 10))
    assert shown(counted(pieces[:3], "live")[0]) == {1: 11, 5: 51, 9: 91}


def test_a_corrected_correction_leaves_what_the_first_one_replaced_replaced() -> None:
    pieces = [
        Piece(block=block({1: 10, 2: 20, 3: 30}), index=1),
        Piece(block=block({1: 11, 3: 31}), index=2, window=(1, 4), supersedes=frozenset({1})),
        Piece(block=block({3: 32}), index=3, window=(3, 4), supersedes=frozenset({2})),
    ]
    found, conflicts = counted(pieces, "file")
    assert shown(found) == {1: 11, 3: 32}
    assert not conflicts


@pytest.mark.parametrize("kind", ["live", "file"])
def test_a_correction_corrects_its_own_kind_of_source_alone(kind: str) -> None:
    """What came live was not corrected by a file, nor a file by what came live."""
    is_file = kind == "file"
    first = Piece(block=block({5: 50, 6: 60}), index=1, is_file=is_file)
    other = Piece(block=block({4: 40, 5: 55, 6: 61}), index=2, is_file=not is_file)
    correction = Piece(
        block=block({5: 51, 6: 61}),
        index=3,
        window=(5, 7),
        is_file=is_file,
        supersedes=frozenset({1}),
    )
    found, conflicts = counted([first, other, correction], "live")
    assert shown(found) == {4: 40, 5: 51, 6: 61}
    assert conflicts == [Conflict(name="A.PV", time=5, numbers=("5.1", "5.5"), index=2)]


def test_a_correction_speaks_of_its_own_parameters_alone() -> None:
    first = Piece(block=block({5: 50}), index=1)
    other = Piece(block=block({}), index=2, window=(0, 9), names=frozenset({"B.PV"}))
    assert shown(counted([first, other], "live")[0]) == {5: 50}
    emptied = Piece(block=block({}), index=2, window=(0, 9))
    assert shown(counted([first, emptied], "live")[0]) == {}


def test_a_quality_that_both_state_differently_is_a_conflict() -> None:
    live = Piece(block=block({1: 10, 2: 20}, 1, {0: Mark("bad"), 1: Mark("bad")}), index=1)
    file = Piece(block=block({1: 10, 2: 20}, 1, {0: Mark("uncertain")}), index=2, is_file=True)
    _, conflicts = counted([live, file], "live")
    assert [(item.time, item.numbers) for item in conflicts] == [(1, ("1.0", "1.0"))]


def test_a_number_against_none_is_a_conflict() -> None:
    live = Piece(
        block=from_rows(np.array([1]), {"A.PV": column([None], 1, {0: Mark("bad")})}), index=1
    )
    file = Piece(block=block({1: 10}), index=2)
    _, conflicts = counted([live, file], "live")
    assert [item.numbers for item in conflicts] == [("", "1.0")]


@FEW
@given(blocks(), st.integers(1, 5))
def test_a_block_sent_any_number_of_times_counts_once(sent: Block, often: int) -> None:
    pieces = [
        Piece(block=sent, index=index, is_file=index % 2 == 0) for index in range(1, often + 1)
    ]
    found, conflicts = counted(pieces, "file")
    assert equal(found, sent)
    assert not conflicts


@FEW
@given(st.lists(st.dictionaries(st.integers(0, 6), st.integers(0, 2), max_size=4), max_size=4))
def test_every_time_shows_the_first_and_every_other_number_is_a_conflict(
    said: list[dict[int, int]],
) -> None:
    pieces = [Piece(block=block(points), index=index) for index, points in enumerate(said)]
    found, conflicts = counted(pieces, "live")
    expected: dict[int, int] = {}
    apart = set()
    for index, points in enumerate(said):
        for time, number in points.items():
            if expected.setdefault(time, number) != number:
                apart.add((time, index))
    assert count(found) == len(expected)
    assert not expected or shown(found) == expected
    assert {(item.time, item.index) for item in conflicts} == apart
