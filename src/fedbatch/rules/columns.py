"""Checks on columns of numbers and times whose meaning nobody has confirmed yet.

They take plain arrays by row and return rows; who calls them says it as findings. Rows of one batch,
tag or machine form a group: what is compared is always a row with the one before it in its group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fedbatch.series.blocks import Flags, Floats, Integers

__all__ = [
    "COPIED_ROWS_MIN",
    "RISES_MIN",
    "STEPS_MIN",
    "Steps",
    "copied_columns",
    "counter_falls",
    "equal_rows",
    "gap_steps",
    "steps_within",
]

# Fewer rows, or fewer numbers in them, may be equal by chance.
COPIED_ROWS_MIN = 20
_COPIED_NUMBERS_MIN = 10
# What makes a column a counter: it rises often, by unlike amounts, and hardly ever falls.
RISES_MIN = 20
_RISE_KINDS_MIN = 3
_RISES_A_FALL_MIN = 50
_FALL_TO_MAX = 0.2
# A sampling is regular if most steps are as long as the usual one.
STEPS_MIN = 20
_REGULAR_PART = 0.8
_REGULAR_WITHIN = 0.1
_GAP_TIMES = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Steps within groups: `rows` of the later, `before` of the earlier one, `sizes` between them."""

    rows: Integers
    before: Integers
    sizes: Floats


def steps_within(values: Floats | Integers, there: Flags, groups: Integers) -> Steps:
    """The steps from each row to the next of its group, rows without a value left out."""
    rows = np.flatnonzero(there)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    same = groups[rows[1:]] == groups[rows[:-1]]
    later, earlier = rows[1:][same], rows[:-1][same]
    sizes = (values[later] - values[earlier]).astype(np.float64)
    return Steps(later, earlier, sizes)


def copied_columns(columns: Sequence[Floats]) -> Iterator[tuple[int, int]]:
    """Pairs of columns that are equal in every row, over many rows and numbers.

    A column that only rises is an axis, and several curves may well have the same one.
    """
    seen: dict[bytes, int] = {}
    for place, numbers in enumerate(columns):
        present = ~np.isnan(numbers)
        if int(present.sum()) < COPIED_ROWS_MIN:
            continue
        if np.unique(numbers[present]).size < _COPIED_NUMBERS_MIN:
            continue
        if np.all(np.diff(numbers[present]) >= 0):
            continue
        first = seen.setdefault(numbers.tobytes(), place)
        if first != place:
            yield first, place


def counter_falls(numbers: Floats, groups: Integers, *, is_named: bool = False) -> Steps | None:
    """The falls of a column that else only rises within its groups; None where it is no counter.

    A fall is back towards nought. A number that rises by one amount alone is a running number, and
    those begin anew for good reasons, unless it is named as a counter.
    """
    steps = steps_within(numbers, ~np.isnan(numbers), groups)
    rises, falls = steps.sizes > 0, steps.sizes < 0
    if int(rises.sum()) < max(RISES_MIN, _RISES_A_FALL_MIN * int(falls.sum())):
        return None
    if not is_named and np.unique(steps.sizes[rises]).size < _RISE_KINDS_MIN:
        return None
    if float(np.nanmin(numbers)) < 0:
        return None
    rows, before = steps.rows[falls], steps.before[falls]
    if np.any(numbers[rows] > _FALL_TO_MAX * numbers[before]):
        return None
    return Steps(rows, before, steps.sizes[falls])


def gap_steps(steps: Steps) -> tuple[Steps, float] | None:
    """The steps that are much longer than the usual one, and that one; None if none is usual."""
    forward = steps.sizes[steps.sizes > 0]
    if forward.size < STEPS_MIN:
        return None
    usual = float(np.median(forward))
    near = np.abs(forward - usual) <= _REGULAR_WITHIN * usual
    if int(near.sum()) < _REGULAR_PART * forward.size:
        return None
    is_gap = steps.sizes >= _GAP_TIMES * usual
    return Steps(steps.rows[is_gap], steps.before[is_gap], steps.sizes[is_gap]), usual


def equal_rows(columns: Sequence[Integers]) -> list[tuple[int, int]]:
    """Pairs of rows that are equal in all columns: the first such row, and a later one."""
    if not columns or columns[0].size < 2:  # noqa: PLR2004 - one row has no double
        return []
    # A hash finds candidates in one pass; they are compared whole below.
    digest = np.zeros(columns[0].size, dtype=np.uint64)
    for codes in columns:
        digest = digest * np.uint64(0x9E3779B97F4A7C15) + codes.astype(np.uint64) + np.uint64(1)
    order = np.argsort(digest, kind="stable")
    pairs: list[tuple[int, int]] = []
    first = int(order[0])
    for place in order[1:].tolist():
        if digest[place] != digest[first]:
            first = place
        elif all(codes[place] == codes[first] for codes in columns):
            pairs.append((first, place))
    return pairs
