"""Live points: small entries as they come, sealed into segments by the hour.

A growing file is taken in as often as it is looked at; each time the new points of a series become one
`points` entry of the journal, with how far the file was read in the same transaction. What has been
complete for a while is sealed: the hour's points in one segment, late ones in a segment of their own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from fedbatch.mapping.series import SeriesDraft
from fedbatch.mapping.tables import SourceFile
from fedbatch.ports import JournalStore, NewJournalEntry, Objects
from fedbatch.rules.series_source import conflict_findings
from fedbatch.series.blocks import Block, between, column_points, count, merge, select
from fedbatch.series.comparing import compare
from fedbatch.series.counting import Piece, counted
from fedbatch.series.inline import column_name, decode_points, encode_points
from fedbatch.series.instants import instant_text, micros
from fedbatch.series.segments import points_hash, split_block, write_segment
from fedbatch.services.checking import named_as_told
from fedbatch.services.intake import Intake, write_journal_entry
from fedbatch.services.series_intake import (
    JOURNAL,
    Declaring,
    SealedHead,
    read_pieces,
    sealed_of,
)
from fedbatch.standard import records
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalEntry, JournalSeries
from fedbatch.standard.values import ObjectReference

__all__ = [
    "HOUR_US",
    "LiveIntake",
    "LivePoints",
    "LiveTold",
    "declared_series",
    "find_series",
    "plain_series",
    "points_since",
    "seal",
]

HOUR_US = 3_600_000_000
# Points are late by a minute at most where the link to the historian stands.
SETTLED_US = 60_000_000
# A time so far ahead says that a clock is wrong, and nothing of what is complete.
WRONG_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePoints:
    """A `points` entry of a journal."""

    index: int
    record: records.Points


def plain_series(series: JournalSeries) -> records.Series:
    """A journal's series as the standard writes points of it: each parameter's index is its code."""
    return records.Series(
        version=series.version,
        series=series.series,
        clock=series.clock,
        precedence=series.precedence,
        parameters=tuple(
            records.SeriesParameter(
                code=str(index),
                role=item.role,
                unit=item.unit,
                raw_unit=item.raw_unit,
                sampling_model=item.sampling_model,
                between=item.between,
                scale=item.scale,
            )
            for index, item in enumerate(series.parameters)
        ),
    )


@dataclass(slots=True, kw_only=True)
class LiveTold:
    """What was added to a source: its entries, how many points are new, and how many were known."""

    entries: list[NewJournalEntry] = field(default_factory=list)
    points: int = 0
    unchanged: int = 0
    findings: list[Finding] = field(default_factory=list)


class LiveIntake:
    """Takes in live points, each once, as long as a node follows its sources.

    Most points are newer than any of their parameter before: then nothing is read. Others are held
    against what the journal has: equal ones are no-ops, those told otherwise are kept with a finding.
    """

    def __init__(self, journal: JournalStore, objects: Objects) -> None:
        self._journal, self._objects = journal, objects
        self._newest: dict[tuple[str, str], int] = {}
        self._known: set[str] = set()
        # By series: up to when it may be sealed, and up to when that was tried.
        self._limits: dict[str, int] = {}
        self._tried: dict[str, int] = {}

    def take(
        self, drafts: Sequence[SeriesDraft], file: SourceFile, intake: Intake, source: str
    ) -> LiveTold:
        """Entries for what was added to a source since it was last looked at."""
        declaring = Declaring(intake, source)
        told = LiveTold()
        for draft in drafts:
            series, block = declaring.declare(draft)
            block = self._told_anew(series, block, file, told)
            records = encode_points(plain_series(series), block)
            told.entries += [_entry(record, intake, source) for record in records]
            told.points += count(block)
            self._note_limit(series.series, block, micros(intake.clock.now()) + WRONG_US)
        told.entries = [*declaring.entries, *told.entries]
        return told

    def is_due(self) -> bool:
        """Whether points were taken that complete an hour, or that come late to one.

        Always before the first call of `note_sealed`: nobody knows what an earlier run left.
        """
        return not self._tried or any(
            limit > self._tried.get(name, 0) for name, limit in self._limits.items()
        )

    def note_sealed(self) -> None:
        """What could be sealed was."""
        self._tried = dict(self._limits)

    def _note_limit(self, name: str, block: Block, ahead: int) -> None:
        newest = _newest_before(block, ahead)
        if newest is None:
            return
        limit = max(self._limits.get(name, 0), _seal_limit(newest, is_end=False))
        if int(block.times[0]) < self._tried.get(name, 0):
            # Late to what is sealed: that is done at once.
            self._tried[name] = 0
        self._limits[name] = limit

    def _told_anew(
        self, series: JournalSeries, block: Block, file: SourceFile, told: LiveTold
    ) -> Block:
        """A block without the points that the journal has as they are."""
        if series.series not in self._known:
            self._learn(series)
        names = [name for name in block.columns if self._is_older(series, block, name)]
        if not names:
            return block
        before = self._before(series, int(block.times[0]), int(block.times[-1]))
        found = compare(before, select(block, names))
        told.unchanged += found.equal
        where = Place(file=file.name, type="series", key=(series.series,))
        conflicts = conflict_findings(before, found.other, where)
        told.findings += named_as_told(conflicts, series.parameters)
        newer = select(block, [name for name in block.columns if name not in names])
        return merge([newer, found.new, found.other])

    def _is_older(self, series: JournalSeries, block: Block, name: str) -> bool:
        """Whether a column has a point that is not newer than all before; they are the newest now."""
        times = column_points(block, name).times
        if not times.size:
            return False
        key = (series.series, name)
        before = self._newest.get(key)
        self._newest[key] = int(times[-1]) if before is None else max(before, int(times[-1]))
        return before is not None and int(times[0]) <= before

    def _learn(self, series: JournalSeries) -> None:
        """Up to when each column of a series was told."""
        self._known.add(series.series)
        sealed = sealed_of(self._journal).get(series.series, [])
        until = max((micros(item.record.last) for item in sealed), default=None)
        unsealed = self._unsealed(series, sealed)
        for index, parameter in enumerate(series.parameters):
            name = column_name(str(index), parameter.role)
            newest = until
            if name in unsealed.columns:
                times = column_points(unsealed, name).times
                newest = max(int(times[-1]), until if until is not None else int(times[-1]))
            if newest is not None:
                self._newest[series.series, name] = newest

    def _unsealed(self, series: JournalSeries, sealed: Sequence[SealedHead]) -> Block:
        done = max((i.record.entries.last for i in sealed if i.record.entries), default=-1)
        records = [
            item.record
            for item in points_since(self._journal, done + 1)
            if item.record.series == series.series
        ]
        return decode_points(plain_series(series), records)

    def _before(self, series: JournalSeries, first: int, last: int) -> Block:
        """What the journal has of a stretch (µs, both included)."""
        sealed = sealed_of(self._journal).get(series.series, [])
        pieces = read_pieces(
            [
                item
                for item in sealed
                if micros(item.record.first) <= last and micros(item.record.last) >= first
            ],
            self._objects,
        )
        live = between(self._unsealed(series, sealed), first, last + 1)
        pieces.append(Piece(block=live, index=self._journal.size()))
        block, _ = counted(pieces, "live")
        return between(block, first, last + 1)


def _entry(record: records.Points, intake: Intake, source: str) -> NewJournalEntry:
    entry_id = intake.ids.fresh("j")
    return write_journal_entry(
        record,
        type_="points",
        key=(record.series, entry_id),
        entry_id=entry_id,
        time=intake.clock.now(),
        by=intake.by,
        source=source,
        version=1,
    )


def points_since(journal: JournalStore, start: int) -> Iterator[LivePoints]:
    """The `points` entries of a journal from an index on."""
    for index, content in journal.scan(start):
        # Most entries of a busy journal are points; others are told apart without reading them.
        if b'"type":"points"' in content:
            entry = msgspec.json.decode(content, type=JournalEntry)
            if entry.type == "points":
                record = msgspec.json.decode(bytes(entry.data), type=records.Points)
                yield LivePoints(index=index, record=record)


def declared_series(journal: JournalStore) -> dict[str, JournalSeries]:
    """Every series of a journal as it stands."""
    return {
        head.key[0]: msgspec.json.decode(bytes(entry.data), type=JournalSeries)
        for head, entry in journal.standing(("series",))
    }


def find_series(journal: JournalStore, name: str) -> JournalSeries | None:
    """A series of a journal as it stands, or None."""
    head = journal.find_head("series", (name,))
    if head is None or head.is_withdrawn:
        return None
    return msgspec.json.decode(bytes(journal.read(head.index).data), type=JournalSeries)


# ---- sealing


@dataclass(slots=True)
class _Stretch:
    """The unsealed points of one series."""

    items: list[LivePoints] = field(default_factory=list)


def seal(intake: Intake, objects: Objects, *, is_end: bool = False) -> list[NewJournalEntry]:
    """Entries that seal every hour of live points that is complete; with `is_end` all that is there."""
    journal = intake.journal
    sealed = sealed_of(journal)
    done = {
        series: max((i.record.entries.last for i in items if i.record.entries), default=-1)
        for series, items in sealed.items()
    }
    until = {
        series: max((micros(i.record.complete_until) for i in items), default=0)
        for series, items in sealed.items()
    }
    stretches: dict[str, _Stretch] = {}
    declared = declared_series(journal)
    live = [name for name, item in declared.items() if item.precedence == "live"]
    start = min((done.get(name, -1) + 1 for name in live), default=0)
    for item in points_since(journal, start):
        if item.index > done.get(item.record.series, -1):
            stretches.setdefault(item.record.series, _Stretch()).items.append(item)
    entries: list[NewJournalEntry] = []
    for name, stretch in stretches.items():
        entries += _seal_series(
            declared[name], stretch.items, until.get(name, 0), intake, objects, is_end=is_end
        )
    return entries


def _seal_series(
    series: JournalSeries,
    items: Sequence[LivePoints],
    complete_until: int,
    intake: Intake,
    objects: Objects,
    *,
    is_end: bool,
) -> list[NewJournalEntry]:
    """Seal up to the newest full hour that has settled, by the clock of the points.

    A point of a clock that is days ahead neither makes an hour complete nor keeps one open.
    """
    plain = plain_series(series)
    whole = decode_points(plain, [item.record for item in items])
    if not whole.times.size:
        return []
    ahead = micros(intake.clock.now()) + WRONG_US
    newest = _newest_before(whole, ahead)
    if newest is None and not is_end:
        return []
    limit = _seal_limit(newest if newest is not None else int(whole.times[-1]), is_end=is_end)
    # An entry is sealed as a whole or not yet: what reaches beyond the hour waits for the next.
    taken = []
    for item in items:
        block = decode_points(plain, [item.record])
        last_time = _newest_before(block, ahead)
        if last_time is not None and last_time >= limit:
            break
        taken.append((item, block))
    if not taken:
        return []
    block = merge([part for _, part in taken])
    last = taken[-1][0].index
    entries = records.Entries(first=taken[0][0].index, last=last)
    waiting = [
        int(part.times[0])
        for item in items[len(taken) :]
        if (part := decode_points(plain, [item.record])).times.size
    ]
    reached = max(complete_until, min([limit, *waiting]))
    made = []
    for part, is_late in _told_apart(block, complete_until, max(ahead, limit)):
        for piece in split_block(part):
            record = _sealed(
                series,
                piece,
                entries,
                complete_until=reached,
                is_late=is_late,
                intake=intake,
                objects=objects,
            )
            made.append(_sealed_entry(record, intake))
    return made


def _newest_before(block: Block, ahead: int) -> int | None:
    """The newest time of a block that no wrong clock told; None where there is none."""
    at = int(np.searchsorted(block.times, ahead))
    return int(block.times[at - 1]) if at else None


def _seal_limit(newest: int, *, is_end: bool) -> int:
    return newest + 1 if is_end else (newest - SETTLED_US) // HOUR_US * HOUR_US


def _told_apart(block: Block, complete_until: int, ahead: int) -> Iterable[tuple[Block, bool]]:
    """Late points apart from those in time, and those of a clock that is days ahead from both."""
    far = np.iinfo(np.int64)
    for part, is_late in (
        (between(block, int(far.min), complete_until), True),
        (between(block, complete_until, ahead), False),
        (between(block, max(complete_until, ahead), int(far.max)), False),
    ):
        if count(part):
            yield part, is_late


def _sealed(
    series: JournalSeries,
    block: Block,
    entries: records.Entries,
    *,
    complete_until: int,
    is_late: bool,
    intake: Intake,
    objects: Objects,
) -> records.Sealed:
    parameters = [msgspec.to_builtins(item) for item in series.parameters]
    content = write_segment(block, ledger=JOURNAL, series=series.series, parameters=parameters)
    name = objects.write(content)
    return records.Sealed(
        version=1,
        sealed=intake.ids.fresh("sealed"),
        series=series.series,
        from_=instant_text(int(block.times[0])),
        to=instant_text(int(block.times[-1]) + 1),
        segment=ObjectReference(sha256=name, bytes=len(content)),
        points_hash=points_hash(block),
        count=count(block),
        first=instant_text(int(block.times[0])),
        last=instant_text(int(block.times[-1])),
        complete_until=instant_text(complete_until),
        late=is_late,
        entries=entries,
    )


def _sealed_entry(record: records.Sealed, intake: Intake) -> NewJournalEntry:
    return write_journal_entry(
        record,
        type_="sealed",
        key=(record.sealed,),
        entry_id=intake.ids.fresh("j"),
        time=intake.clock.now(),
        by=intake.by,
        version=1,
    )
