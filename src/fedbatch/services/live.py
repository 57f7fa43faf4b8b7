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
from fedbatch.ports import JournalStore, NewJournalEntry, Objects
from fedbatch.series.blocks import Block, between, count, merge
from fedbatch.series.inline import decode_points, encode_points
from fedbatch.series.instants import instant_text, micros
from fedbatch.series.segments import points_hash, split_block, write_segment
from fedbatch.services.intake import Intake, write_journal_entry
from fedbatch.services.series_intake import JOURNAL, Declaring, sealed_of
from fedbatch.standard import records
from fedbatch.standard.journals import JournalEntry, JournalSeries
from fedbatch.standard.values import ObjectReference

__all__ = [
    "HOUR_US",
    "LivePoints",
    "declared_series",
    "plain_series",
    "points_since",
    "seal",
    "take_live",
]

HOUR_US = 3_600_000_000
# Points are late by a minute at most where the link to the historian stands.
SETTLED_US = 60_000_000


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


def take_live(
    drafts: Sequence[SeriesDraft], intake: Intake, source: str
) -> tuple[list[NewJournalEntry], int]:
    """Entries for what was added to a source since it was last looked at, and how many points."""
    declaring = Declaring(intake, source)
    entries: list[NewJournalEntry] = []
    points = 0
    for draft in drafts:
        series, block = declaring.declare(draft)
        told = encode_points(plain_series(series), block)
        entries += [_entry(record, intake, source) for record in told]
        points += count(block)
    return [*declaring.entries, *entries], points


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
    """Seal up to the newest full hour that has settled, by the clock of the points."""
    plain = plain_series(series)
    whole = decode_points(plain, [item.record for item in items])
    if not whole.times.size:
        return []
    newest = int(whole.times[-1])
    limit = newest + 1 if is_end else (newest - SETTLED_US) // HOUR_US * HOUR_US
    # An entry is sealed as a whole or not yet: what reaches beyond the hour waits for the next.
    taken = []
    for item in items:
        block = decode_points(plain, [item.record])
        if block.times.size and int(block.times[-1]) >= limit:
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
    for part, is_late in _told_apart(block, complete_until):
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


def _told_apart(block: Block, complete_until: int) -> Iterable[tuple[Block, bool]]:
    """Late points apart from those in time."""
    far = np.iinfo(np.int64)
    for part, is_late in (
        (between(block, int(far.min), complete_until), True),
        (between(block, complete_until, int(far.max)), False),
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
