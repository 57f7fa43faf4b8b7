"""Which points of a series count, of several segments and inline points (STANDARD S40).

Within its window a correction counts instead of the pieces that it supersedes, and of no others: what
another source told there, or the same one in another file, was not corrected. Elsewhere equal points of
two pieces are one; where two pieces differ, both stay in the ledger, one of them shows, and a conflict
says so. Points are equal if their numbers are, and their qualities where both state one: `raw` is how a
number was written, and an export writes as it likes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedbatch.series.blocks import (
    Block,
    Column,
    ColumnPoints,
    Flags,
    Integers,
    column_points,
    from_points,
    merge_points,
    take_points,
)
from fedbatch.series.comparing import same_numbers
from fedbatch.series.decimals import number_text
from fedbatch.standard.records import Sealed

__all__ = ["Conflict", "Piece", "counted", "superseded"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Points as one entry of the ledger brings them.

    `index`: of the entry in the ledger. `is_file`: the sealed entry names no `entries`. `window`: of a
    correction, from ≤ t < to in µs; None for any other. `supersedes`: the indexes of the pieces that a
    correction replaces there; None: all that were told before. `names`: the columns a correction
    speaks of; None: all.
    """

    block: Block
    index: int
    is_file: bool = False
    window: tuple[int, int] | None = None
    supersedes: frozenset[int] | None = None
    names: frozenset[str] | None = None

    def corrects(self, name: str) -> bool:
        """Whether this counts for a column within its window instead of what it supersedes."""
        return self.window is not None and (self.names is None or name in self.names)

    def replaces(self, other: "Piece") -> bool:
        """Whether this supersedes another piece."""
        if self.supersedes is None:
            return other.index < self.index
        return other.index in self.supersedes


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two pieces say other things of one parameter at one time (µs).

    `numbers`: the one that shows, then the other, as decimals; "" where a piece has none there.
    `index`: of the other's entry in the ledger.
    """

    name: str
    time: int
    numbers: tuple[str, str]
    index: int


def superseded(record: Sealed, indexes: Mapping[str, int]) -> frozenset[int] | None:
    """The indexes of the pieces that a sealed entry replaces, by their entries' ids; None: it says none."""
    if record.supersedes is None:
        return None
    names = [record.supersedes] if isinstance(record.supersedes, str) else record.supersedes
    return frozenset(indexes[name] for name in names if name in indexes)


def counted(
    pieces: Sequence[Piece], precedence: Literal["live", "file"]
) -> tuple[Block, list[Conflict]]:
    """The points that show, and each conflict in the order of names and times."""
    names = sorted({name for piece in pieces for name in piece.block.columns})
    shown, conflicts = {}, list[Conflict]()
    for name in names:
        points, found = _counted_column(name, pieces, precedence)
        shown[name] = points
        conflicts += sorted(found, key=lambda item: (item.time, item.index))
    return from_points(shown), conflicts


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Points of one column of a piece, and where it stands among others: the least counts first."""

    points: ColumnPoints
    index: int
    order: tuple[int, int, int]

    @property
    def span(self) -> tuple[int, int]:
        return int(self.points.times[0]), int(self.points.times[-1])


def _counted_column(
    name: str, pieces: Sequence[Piece], precedence: str
) -> tuple[ColumnPoints, list[Conflict]]:
    corrections = [piece for piece in pieces if piece.corrects(name)]
    parts = []
    for piece in pieces:
        if name not in piece.block.columns:
            continue
        points = column_points(piece.block, name)
        shown = ~_replaced(points.times, piece, corrections)
        if piece.corrects(name):
            order = (0, 0, -piece.index)
        else:
            order = (1, int(piece.is_file != (precedence == "file")), piece.index)
        parts.append(_Part(take_points(points, shown), piece.index, order))
    return _resolved(name, [part for part in parts if part.points.times.size])


def _replaced(times: Integers, piece: Piece, corrections: Iterable[Piece]) -> Flags:
    """Which times lie in the window of a correction that supersedes a piece."""
    found = np.zeros(times.size, dtype=np.bool_)
    for item in corrections:
        if item.window is not None and item is not piece and item.replaces(piece):
            first, last = np.searchsorted(times, item.window).tolist()
            found[first:last] = True
    return found


def _resolved(name: str, parts: list[_Part]) -> tuple[ColumnPoints, list[Conflict]]:
    """The points that show, stretch by stretch on which pieces overlap."""
    shown, conflicts = [], list[Conflict]()
    for group in _overlapping(parts):
        first, *others = _layers(sorted(group, key=lambda part: part.order))
        points = merge_points([part.points for part in first])
        for layer in others:
            added = [points]
            for part in layer:
                conflicts += _differing(name, points, part)
                beside = _within(points, part)
                added.append(take_points(part.points, ~np.isin(part.points.times, beside.times)))
            points = merge_points(added)
        shown.append(points)
    return merge_points(shown), conflicts


def _layers(parts: list[_Part]) -> list[list[_Part]]:
    """The parts in their order, those together that follow each other in time without overlap."""
    layers: list[list[_Part]] = []
    for part in parts:
        if layers and layers[-1][-1].span[1] < part.span[0]:
            layers[-1].append(part)
        else:
            layers.append([part])
    return layers


def _within(points: ColumnPoints, part: _Part) -> ColumnPoints:
    """The points in the span of a part."""
    first, last = part.span
    begin = int(np.searchsorted(points.times, first))
    end = int(np.searchsorted(points.times, last, side="right"))
    return take_points(points, np.arange(begin, end))


def _overlapping(parts: list[_Part]) -> Iterator[list[_Part]]:
    group: list[_Part] = []
    end = 0
    for part in sorted(parts, key=lambda part: part.span):
        first, last = part.span
        if group and first > end:
            yield group
            group = []
        end = max(end, last) if group else last
        group.append(part)
    if group:
        yield group


def _differing(name: str, shown: ColumnPoints, part: _Part) -> Iterator[Conflict]:
    """Conflicts of a part with what shows at the same times."""
    shown = _within(shown, part)
    other = take_points(part.points, np.isin(part.points.times, shown.times))
    if not other.times.size:
        return
    shown = take_points(shown, np.isin(shown.times, other.times))
    beside = from_points({"shown": shown, "other": other})
    one, two = beside.columns["shown"], beside.columns["other"]
    for row in np.flatnonzero(~_same(one, two)).tolist():
        yield Conflict(
            name=name,
            time=int(beside.times[row]),
            numbers=(_text(one, row), _text(two, row)),
            index=part.index,
        )


def _same(one: Column, two: Column) -> Flags:
    there, other_there = _there(one), _there(two)
    same: Flags = (there == other_there) & (~there | same_numbers(one, two))
    for row in one.marks.keys() | two.marks.keys():
        pair = [column.marks[row].quality for column in (one, two) if row in column.marks]
        said = {quality for quality in pair if quality}
        is_both = _exists(one, row, there) and _exists(two, row, other_there)
        same[row] = same[row] and is_both and len(said) <= 1
    return same


def _there(column: Column) -> Flags:
    if column.present is None:
        return np.ones(column.numbers.size, dtype=np.bool_)
    return column.present


def _exists(column: Column, row: int, there: Flags) -> bool:
    return bool(there[row]) or row in column.marks


def _text(column: Column, row: int) -> str:
    if column.present is not None and not column.present[row]:
        return ""
    return number_text(column.numbers[row].item(), column.scale)
