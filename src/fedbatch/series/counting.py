"""Which points of a series count, of several segments and inline points (STANDARD S40).

Within the window of a correction the newest one counts alone; what the other kind of source (live for
a file, a file for live) says otherwise there was not corrected by it, and stays a conflict. Elsewhere
equal points of two pieces are one; where two pieces differ, both stay in the ledger, one of them shows,
and a conflict says so. Points
are equal if their numbers are, and their qualities where both state one: `raw` is how a number was
written, and an export writes as it likes.
"""

from collections.abc import Iterable, Iterator, Sequence
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

__all__ = ["Conflict", "Piece", "counted"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Points as one entry of the ledger brings them.

    `index`: of the entry in the ledger. `is_file`: the sealed entry names no `entries`. `window`: of a
    correction, from ≤ t < to in µs; None for any other. `names`: the columns a correction speaks of;
    None: all.
    """

    block: Block
    index: int
    is_file: bool = False
    window: tuple[int, int] | None = None
    names: frozenset[str] | None = None

    def corrects(self, name: str) -> bool:
        """Whether this alone counts for a column within its window."""
        return self.window is not None and (self.names is None or name in self.names)


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
    """Points of one column of a piece."""

    points: ColumnPoints
    index: int
    is_second: bool

    @property
    def span(self) -> tuple[int, int]:
        return int(self.points.times[0]), int(self.points.times[-1])


def _counted_column(
    name: str, pieces: Sequence[Piece], precedence: str
) -> tuple[ColumnPoints, list[Conflict]]:
    corrections = sorted(
        (piece for piece in pieces if piece.corrects(name)), key=lambda piece: piece.index
    )
    kept, rivals, besides = [], [], []
    for piece in pieces:
        if name not in piece.block.columns:
            continue
        points = column_points(piece.block, name)
        cover = _cover(points.times, corrections)
        is_second = piece.is_file != (precedence == "file")
        if piece.corrects(name):
            own = cover == piece.index
            kept.append(_Part(take_points(points, own), piece.index, is_second=False))
            continue
        kept.append(_Part(take_points(points, cover < 0), piece.index, is_second))
        after = (cover >= 0) & (cover < piece.index)
        rivals.append(_Part(take_points(points, after), piece.index, is_second))
        beside = ~after & np.isin(
            cover, [c.index for c in corrections if c.is_file != piece.is_file]
        )
        besides.append(_Part(take_points(points, beside), piece.index, is_second))
    shown, conflicts = _resolved(name, [part for part in kept if part.points.times.size])
    for part in rivals:
        conflicts += _differing(name, shown, part)
    for part in besides:
        conflicts += _differing(name, shown, part, of_shown=False)
    return shown, conflicts


def _cover(times: Integers, corrections: Iterable[Piece]) -> Integers:
    """The index of the newest correction in whose window each time lies; -1: none."""
    cover = np.full(times.size, -1, dtype=np.int64)
    for piece in corrections:
        if piece.window is not None:
            first, last = np.searchsorted(times, piece.window).tolist()
            cover[first:last] = piece.index
    return cover


def _resolved(name: str, parts: list[_Part]) -> tuple[ColumnPoints, list[Conflict]]:
    """The points that show, stretch by stretch on which pieces overlap."""
    shown, conflicts = [], list[Conflict]()
    for group in _overlapping(parts):
        first, *others = _layers(sorted(group, key=lambda part: (part.is_second, part.index)))
        points = merge_points([part.points for part in first])
        for layer in others:
            added = [points]
            for part in layer:
                conflicts += _differing(name, points, part, of_shown=False)
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


def _differing(
    name: str, shown: ColumnPoints, part: _Part, *, of_shown: bool = True
) -> Iterator[Conflict]:
    """Conflicts of a part with what shows; `of_shown`: also where what shows has no point."""
    other = part.points
    if not other.times.size:
        return
    shown = _within(shown, part)
    if not of_shown:
        other = take_points(other, np.isin(other.times, shown.times))
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
