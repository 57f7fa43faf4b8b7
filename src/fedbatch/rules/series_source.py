"""Source checks of series: one source, no agreement; a finding says where, nothing is repaired."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import msgspec
import numpy as np

from fedbatch.series.blocks import (
    Block,
    Column,
    ColumnPoints,
    Flags,
    Integers,
    Numbers,
    column_points,
    take_points,
)
from fedbatch.series.decimals import number_text
from fedbatch.series.instants import instant_text
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding

__all__ = [
    "Counter",
    "backwards_findings",
    "blank_findings",
    "conflict_findings",
    "copied_findings",
    "counter_findings",
    "duplicate_findings",
    "rounded_findings",
    "stuck_stretches",
]

# Fewer equal rows, or fewer numbers in them, may be chance: two valves that are both shut.
_COPIED_ROWS_MIN = 100
_COPIED_NUMBERS_MIN = 10
_HALF = 0.5 + 1e-6
# A counter of good pieces may stand while a machine is set up.
STANDS_US = 30 * 60 * 1_000_000


def backwards_findings(times: Integers, where: Place, row_first: int = 1) -> Iterator[Finding]:
    """`series.backwards`, once, if times of a source's rows fall.

    Args:
        times: µs since 1970 UTC in the order of the source.
        where: the source.
        row_first: number of the first row, as people count them.
    """
    falls = np.flatnonzero(times[1:] < times[:-1])
    if falls.size:
        row = int(falls[0])
        yield finding(
            "series.backwards",
            where,
            found=f"{_counted(falls.size, 'time')} earlier than the one before, first "
            f"{instant_text(int(times[row + 1]))} after {instant_text(int(times[row]))} in row "
            f"{row + 1 + row_first}",
            expected="times that do not fall",
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duplicate_findings(block: Block, where: Place) -> Iterator[Finding]:
    """`series.duplicate` for each parameter that has several points at one time."""
    for name in sorted(block.columns):
        points = column_points(block, name)
        again = np.flatnonzero(points.times[1:] == points.times[:-1]) + 1
        if not again.size:
            continue
        there = np.zeros(again.size, dtype=np.bool_)
        if points.present is not None:
            there = points.present[again] != points.present[again - 1]
        other = int(np.count_nonzero(there | (points.numbers[again] != points.numbers[again - 1])))
        yield finding(
            "series.duplicate",
            _column(where, name),
            found=f"{_counted(again.size, 'point')} at a time that has one, {other} with another "
            f"number, first at {instant_text(int(points.times[again[0]]))}",
            expected="one point at a time",
        )


def conflict_findings(before: Block, told: Block, where: Place) -> Iterator[Finding]:
    """`series.conflict` for each parameter of which points were told otherwise before.

    Args:
        before: what was told before.
        told: points told now of which each is another there.
        where: the source that tells them now.
    """
    for name in sorted(told.columns):
        points = column_points(told, name)
        if not points.times.size:
            continue
        first = int(points.times[0])
        yield finding(
            "series.conflict",
            _column(where, name),
            found=f"{_counted(points.times.size, 'point')} told otherwise than before, first "
            f"{_said(points, first)} instead of {_said(column_points(before, name), first)} at "
            f"{instant_text(first)}",
            expected="what was told of the same times before; both are kept",
        )


def rounded_findings(before: Block, told: Block, where: Place) -> Iterator[Finding]:
    """`series.rounded` for each parameter that is told again with fewer decimals, otherwise equal.

    Args:
        before: what was told before.
        told: points told now of which each is another there, at the decimals of their source.
        where: the source that tells them now.
    """
    for name in sorted(told.columns):
        points = column_points(told, name)
        was = column_points(before, name)
        if points.scale is None or (was.scale is not None and was.scale <= points.scale):
            continue
        was = take_points(was, np.isin(was.times, points.times))
        if was.times.size != points.times.size or not _is_rounding(was, points, points.scale):
            continue
        first = int(points.times[0])
        yield finding(
            "series.rounded",
            _column(where, name),
            found=f"{_counted(points.times.size, 'point')} rounded to "
            f"{_counted(points.scale, 'decimal')}, first {_said(points, first)} instead of "
            f"{_said(was, first)} at {instant_text(first)}",
            expected="numbers as precise as those told before",
            advice="A file with all decimals, taken in again, brings them back.",
        )


def _is_rounding(was: ColumnPoints, now: ColumnPoints, scale: int) -> bool:
    """Whether numbers differ by half a unit of a scale at most, and none is absent."""
    if was.present is not None or now.present is not None:
        return False
    numbers = was.numbers / np.float64(1 if was.scale is None else 10**was.scale)
    # The half itself is written with an error of the last binary digit.
    return bool((np.abs(numbers * 10.0**scale - now.numbers) <= _HALF).all())


def _said(points: ColumnPoints, time: int) -> str:
    """What the first point at a time says."""
    at = int(np.searchsorted(points.times, time))
    if points.present is None or points.present[at]:
        return number_text(points.numbers[at].item(), points.scale)
    return repr(points.marks[at].raw) if at in points.marks else "nothing"


def _column(where: Place, name: str) -> Place:
    return msgspec.structs.replace(where, path=f"/{name}")


def blank_findings(block: Block, where: Place) -> Iterator[Finding]:
    """`series.blank` for each stretch of rows that hold no value at all."""
    is_blank = np.ones(block.times.size, dtype=np.bool_)
    for column in block.columns.values():
        is_blank &= False if column.present is None else ~column.present
        if column.marks:
            is_blank[list(column.marks)] = False
    for first, last in _stretches(is_blank):
        yield finding(
            "series.blank",
            where,
            found=f"{_counted(last - first, 'row')} without a value from "
            f"{instant_text(int(block.times[first]))} to {instant_text(int(block.times[last - 1]))}",
            expected="a value in each row",
        )


def _stretches(flags: Flags) -> Iterator[tuple[int, int]]:
    """First row and the row behind the last of each stretch of rows that are flagged."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def copied_findings(block: Block, where: Place) -> Iterator[Finding]:
    """`series.copied` for two columns that are equal in every row, over many rows and numbers."""
    alike: dict[bytes, list[str]] = {}
    for name in sorted(block.columns):
        alike.setdefault(_beginning(block.columns[name]), []).append(name)
    pairs = (pair for names in alike.values() for pair in combinations(names, 2))
    for one, other in sorted(pairs):
        rows, numbers = _equal_rows(block, one, other)
        if rows >= _COPIED_ROWS_MIN and numbers >= _COPIED_NUMBERS_MIN:
            yield finding(
                "series.copied",
                _column(where, one),
                found=f"equal to {other} in all {rows} rows",
                expected="numbers of its own",
            )


def _beginning(column: Column) -> bytes:
    """A column's first numbers, whatever their scale: columns that are equal begin alike."""
    numbers = column.numbers[:_COPIED_ROWS_MIN] / np.float64(10 ** (column.scale or 0))
    return np.asarray(numbers, dtype=np.float64).tobytes()


def _equal_rows(block: Block, one: str, other: str) -> tuple[int, int]:
    """Rows in which two columns are equal, and how many numbers; none if they differ anywhere."""
    first, second = column_points(block, one), column_points(block, other)
    if first.times.size < _COPIED_ROWS_MIN or not np.array_equal(first.times, second.times):
        return 0, 0
    for points in (first, second):
        if points.present is not None and not bool(points.present.all()):
            return 0, 0
    scales = [points.scale or 0 for points in (first, second)]
    if (first.scale is None) != (second.scale is None):
        return 0, 0
    shared = min(scales)
    left, right = (
        points.numbers / 10 ** (scale - shared) if scale > shared else points.numbers
        for points, scale in zip((first, second), scales, strict=True)
    )
    if not np.array_equal(left, right):
        return 0, 0
    return first.times.size, np.unique(first.numbers).size


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A column that only grows while a machine runs; `running` is above 0 when it does.

    `stands_us`: for how long it may stand meanwhile.
    """

    name: str
    running: str
    stands_us: int = STANDS_US


def counter_findings(block: Block, counters: Sequence[Counter], where: Place) -> Iterator[Finding]:
    """`counter.stuck` and `counter.reset` of the counters that the block has."""
    for counter in counters:
        if counter.name in block.columns:
            yield from _reset_findings(block, counter, where)
            if counter.running in block.columns:
                yield from _stuck_findings(block, counter, where)


def _reset_findings(block: Block, counter: Counter, where: Place) -> Iterator[Finding]:
    points = column_points(block, counter.name)
    there = np.arange(points.times.size)
    if points.present is not None:
        there = np.flatnonzero(points.present)
    numbers = points.numbers[there]
    for fall in np.flatnonzero(numbers[1:] < numbers[:-1]).tolist():
        before, after = (number_text(numbers[row].item(), points.scale) for row in (fall, fall + 1))
        yield finding(
            "counter.reset",
            _column(where, counter.name),
            found=f"{after} after {before} at {instant_text(int(points.times[there[fall + 1]]))}",
            expected="a counter that does not fall",
        )


def _stuck_findings(block: Block, counter: Counter, where: Place) -> Iterator[Finding]:
    """A stretch on which the counter keeps one number; stops of the machine do not end it."""
    column, running = block.columns[counter.name], block.columns[counter.running]
    is_there = _present(column.present, block) & _present(running.present, block)
    rows = np.flatnonzero(is_there)
    numbers, runs = column.numbers[rows], running.numbers[rows] > 0
    for first, last in stuck_stretches(numbers, runs, block.times[rows], counter.stands_us):
        count = int(np.count_nonzero(runs[first : last + 1]))
        yield finding(
            "counter.stuck",
            _column(where, counter.name),
            found=f"{number_text(numbers[first].item(), column.scale)} in "
            f"{_counted(count, 'row')} in which {counter.running} is above 0, from "
            f"{instant_text(int(block.times[rows[first]]))} to "
            f"{instant_text(int(block.times[rows[last]]))}",
            expected="a counter that grows while the machine runs",
        )


def stuck_stretches(
    numbers: Numbers, runs: Flags, times: Integers, stands_us: int = STANDS_US
) -> Iterator[tuple[int, int]]:
    """First and last row of each stretch on which a counter stands while its machine runs for long.

    Args:
        numbers: the counter's, by row.
        runs: whether the machine runs.
        times: µs, not falling.
        stands_us: for how long it may stand meanwhile.
    """
    steps = np.diff(times)
    # What ran before and after a step ran through it, unless it is longer than any sampling.
    lasting = np.where(runs[1:] & runs[:-1] & (steps < stands_us), steps, 0)
    for first, last in _stretches(numbers[1:] == numbers[:-1]):
        if int(lasting[first:last].sum()) >= stands_us:
            yield first, last


def _present(present: Flags | None, block: Block) -> Flags:
    return np.ones(block.times.size, dtype=np.bool_) if present is None else present
