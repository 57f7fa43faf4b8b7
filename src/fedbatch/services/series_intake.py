"""Points of a file into the journal: sealed at once, each stretch told once, corrections by window.

A file sent again adds what it says anew. Where it says otherwise, the stretch from the first to the
last differing point is sealed anew as a correction, with what else showed there; what it no longer says
is a finding, and stays. Where another source of the same series said otherwise, both stay, with a finding.
"""

from collections.abc import Mapping as IndexesBy
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from fedbatch.mapping.extract import HeldBack
from fedbatch.mapping.series import SeriesDraft
from fedbatch.mapping.tables import SourceFile
from fedbatch.ports import JournalHead, JournalStore, NewJournalEntry, Objects
from fedbatch.rules.series_source import conflict_findings, rounded_findings
from fedbatch.series.blocks import (
    Block,
    Integers,
    between,
    column_points,
    count,
    from_points,
    merge,
    select,
    take_points,
)
from fedbatch.series.comparing import compare
from fedbatch.series.counting import Piece, counted, superseded
from fedbatch.series.instants import instant_text, micros
from fedbatch.series.segments import points_hash, read_segment, split_block, write_segment
from fedbatch.services.checking import named_as_told
from fedbatch.services.intake import HELD_ROWS, Intake, write_journal_entry
from fedbatch.services.side_by_side import side_by_side
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalParameter, JournalSeries, Origin
from fedbatch.standard.mappings import Mapping
from fedbatch.standard.records import Sealed
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Correction, ObjectReference

__all__ = [
    "JOURNAL",
    "Declaring",
    "SealedHead",
    "Told",
    "held_points",
    "preview_points",
    "read_pieces",
    "sealed_of",
    "take_in_points",
]

# What stands for a ledger in the segments of a journal.
JOURNAL = "journal"
EXTRACTOR = "tabular-series/1"
_NO_TIMES: Integers = np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Told:
    """What became of a file's points: each is new, corrected or unchanged."""

    entries: list[NewJournalEntry]
    findings: list[Finding]
    new: int = 0
    corrected: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedHead:
    """A sealed stretch of a journal's series, its head, and the SHA-256 of the file that told it, or ""."""

    head: JournalHead
    record: Sealed
    artefact: str = ""


def sealed_of(journal: JournalStore) -> dict[str, list[SealedHead]]:
    """The sealed stretches of every series of a journal, in its order."""
    found: dict[str, list[SealedHead]] = {}
    for head, entry in journal.standing(("sealed",)):
        record = msgspec.json.decode(bytes(entry.data), type=Sealed)
        artefact = entry.origins[0].artefact if entry.origins else ""
        item = SealedHead(head=head, record=record, artefact=artefact)
        found.setdefault(str(record.series), []).append(item)
    return found


def read_pieces(stretches: Sequence[SealedHead], objects: Objects) -> list[Piece]:
    """Sealed stretches of one series of a journal with their points, as they are to be reckoned."""
    indexes = {item.head.entry_id: item.head.index for item in stretches}
    return [_piece(item, objects, indexes) for item in stretches]


def _piece(item: SealedHead, objects: Objects, indexes: IndexesBy[str, int]) -> Piece:
    record = item.record
    content = objects.read(record.segment.sha256)
    window = None
    if record.correction is not None:
        window = (micros(record.from_), micros(record.to))
    return Piece(
        block=read_segment(content, ledger=JOURNAL, series=str(record.series)),
        index=item.head.index,
        is_file=record.entries is None,
        window=window,
        supersedes=superseded(record, indexes),
    )


def held_points(
    held_of: IndexesBy[tuple[str, str], int], file: SourceFile, mapping: Mapping
) -> list[HeldBack]:
    """What waits because rows of a batch's points were not read: an item a batch and edition of a file.

    Args:
        held_of: how many rows, by the batch's number and own id.
        file: the file.
        mapping: the mapping that read it.
    """
    return [
        HeldBack(
            type=HELD_ROWS,
            key=(own, mapping.source, file.name),
            path="",
            text=file.sha256,
            finding=finding(
                "series.held",
                Place(file=file.name, type="batch", key=(number,)),
                found=f"{count:,} row{'s' if count != 1 else ''} of points held back",
                expected="rows that can be read",
                effect="held_back",
                advice="`fedbatch journal held` says why; a file in which they are right supplies them.",
            ),
            template=None,
            origins=(),
        )
        for (number, own), count in held_of.items()
    ]


def preview_points(
    drafts: Sequence[SeriesDraft],
    file: SourceFile,
    mapping: Mapping,
    intake: Intake,
    objects: Objects,
) -> Told:
    """What `take_in_points` would come to, without entries; nothing is written."""
    work = _Work(file, mapping, intake, objects, "")
    for draft in drafts:
        work.take(draft)
    return work.told


def take_in_points(
    drafts: Sequence[SeriesDraft],
    file: SourceFile,
    mapping: Mapping,
    intake: Intake,
    objects: Objects,
    reason: str,
) -> Told:
    """Seal what a file says of its series; its segments are durable when this returns."""
    work = _Work(file, mapping, intake, objects, reason)
    for draft in drafts:
        work.take(draft)
    work.seal()
    work.told.entries = [*work.declaring.entries, *work.told.entries]
    return work.told


class Declaring:
    """Series of drafts as a journal has them, with what is new of them."""

    def __init__(self, intake: Intake, source: str, file: SourceFile | None = None) -> None:
        self.intake, self.source, self.file = intake, source, file
        self.entries: list[NewJournalEntry] = []

    def declare(self, draft: SeriesDraft) -> tuple[JournalSeries, Block]:
        """The series as the journal has it with what is new, and the block under its indexes."""
        head = self.intake.journal.find_head("series", (draft.series.series,))
        if head is None:
            self._enter(draft.series, None)
            return draft.series, draft.block
        entry = self.intake.journal.read(head.index)
        known = msgspec.json.decode(bytes(entry.data), type=JournalSeries)
        parameters, columns = list(known.parameters), {}
        for at, parameter in enumerate(draft.series.parameters):
            index = _index_of(parameters, parameter)
            if index == len(parameters):
                parameters.append(parameter)
            elif parameters[index].sampling_model != parameter.sampling_model:
                # How a source samples may change; what was measured before stays as it was.
                parameters[index] = msgspec.structs.replace(
                    parameters[index], sampling_model=parameter.sampling_model
                )
            columns[f"{index}.{parameter.role}"] = draft.block.columns[f"{at}.{parameter.role}"]
        block = Block(draft.block.times, columns, draft.block.rows)
        declared = msgspec.structs.replace(known, parameters=tuple(parameters))
        if declared != known:
            self._enter(declared, head)
        return declared, block

    def _enter(self, series: JournalSeries, head: JournalHead | None) -> None:
        version = head.version + 1 if head is not None else 1
        if head is not None:
            correction = Correction(
                kind="correct",
                reason_code="source_changed",
                reason="further parameters",
                by=self.intake.by,
            )
            series = msgspec.structs.replace(
                series, version=version, supersedes=head.entry_id, correction=correction
            )
        self.entries.append(
            write_journal_entry(
                series,
                type_="series",
                key=(series.series,),
                entry_id=self.intake.ids.fresh("j"),
                time=self.intake.clock.now(),
                by=self.intake.by,
                source=self.source,
                origins=_whole_file(self.file, self.source),
                version=version,
            )
        )


def _whole_file(file: SourceFile | None, source: str) -> tuple[Origin, ...]:
    """Points come from a file as a whole; a file that grows is not kept."""
    if file is None:
        return ()
    return (
        Origin(
            artefact=file.sha256,
            scheme="bytes",
            locator=f"0-{file.size_bytes - 1}",
            extractor=EXTRACTOR,
            mapping=source,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Points that are to be sealed: from when to when (µs), and what entries they supersede."""

    series: JournalSeries
    block: Block
    window: tuple[int, int]
    supersedes: tuple[str, ...] = ()


def _encoded(stretch: _Stretch) -> tuple[bytes, str]:
    """The segment of a stretch and its points' hash."""
    parameters = [msgspec.to_builtins(item) for item in stretch.series.parameters]
    content = write_segment(
        stretch.block, ledger=JOURNAL, series=stretch.series.series, parameters=parameters
    )
    return content, points_hash(stretch.block)


class _Work:
    """The points of one file on their way."""

    def __init__(
        self, file: SourceFile, mapping: Mapping, intake: Intake, objects: Objects, reason: str
    ) -> None:
        self.file, self.mapping, self.intake = file, mapping, intake
        self.objects, self.reason = objects, reason
        self.now = intake.clock.now()
        self.told = Told([], [])
        self.declaring = Declaring(intake, mapping.source, file)
        self.sealed = sealed_of(intake.journal)
        self.due: list[_Stretch] = []

    def take(self, draft: SeriesDraft) -> None:
        """Find out what of a draft is to be sealed.

        What this source told before it corrects; what another source of the series told is left as
        it is: equal points are no-ops, others are told beside it (STANDARD S40).
        """
        declared, block = self.declaring.declare(draft)
        first, last = int(block.times[0]), int(block.times[-1])
        stretches = [
            item
            for item in self.sealed.get(declared.series, [])
            if micros(item.record.first) <= last and micros(item.record.last) >= first
        ]
        own, others = list[SealedHead](), list[SealedHead]()
        for item in stretches:
            (own if item.head.source == self.mapping.source else others).append(item)
        before = self._shown(own)
        found = compare(before, block)
        self.told.unchanged += found.equal
        rounded = rounded_findings(before, found.other, self._place(declared))
        self.told.findings += named_as_told(rounded, declared.parameters)
        if found.gone:
            self._note_gone(declared, own, block)
        new = self._beside(declared, found.new, others)
        others_of = _told_under_others(declared, before, new)
        again = select(new, others_of)
        window = _spanning(found.other, again)
        if window is None:
            self._add(declared, new)
            return
        from_, to = window
        told = between(block, from_, to + 1)
        left = _left(between(before, from_, to + 1), told, others_of)
        self._correct(declared, merge([told, left]), window, own)
        self.told.corrected += count(found.other) + count(again)
        self.told.new += count(between(new, from_, to + 1)) - count(again)
        self._add(declared, between(new, first, from_))
        self._add(declared, between(new, to + 1, last + 1))

    def _shown(self, stretches: Sequence[SealedHead]) -> Block:
        shown, _ = counted(read_pieces(stretches, self.objects), "file")
        return shown

    def _beside(self, series: JournalSeries, new: Block, stretches: Sequence[SealedHead]) -> Block:
        """What of new points no other source has told alike, and a finding where one told otherwise."""
        if not stretches or not count(new):
            return new
        before = self._shown(stretches)
        found = compare(before, new)
        self.told.unchanged += found.equal
        conflicts = conflict_findings(before, found.other, self._place(series))
        self.told.findings += named_as_told(conflicts, series.parameters)
        return merge([found.new, found.other])

    def _correct(
        self,
        series: JournalSeries,
        block: Block,
        window: tuple[int, int],
        own: Sequence[SealedHead],
    ) -> None:
        """The points of a stretch that this source tells otherwise than before."""
        from_, to = window
        touched = tuple(item.head.entry_id for item in own if _overlaps(item.record, from_, to))
        self.due.append(
            _Stretch(series=series, block=block, window=(from_, to + 1), supersedes=touched)
        )

    def _add(self, series: JournalSeries, block: Block) -> None:
        """Points that are told for the first time."""
        for piece in split_block(block) if count(block) else ():
            window = (int(piece.times[0]), int(piece.times[-1]) + 1)
            self.due.append(_Stretch(series=series, block=piece, window=window))
            self.told.new += count(piece)

    def _place(self, series: JournalSeries) -> Place:
        return Place(file=self.file.name, type="series", key=(series.series,))

    def _note_gone(self, series: JournalSeries, own: Sequence[SealedHead], block: Block) -> None:
        """Points that an earlier edition of this file told, and this one does not; they stay."""
        names = {row.sha256: row.file for row in self.intake.journal.imports()}
        earlier = [item for item in own if names.get(item.artefact) == self.file.name]
        gone = compare(self._shown(earlier), block).gone
        if gone:
            self.told.findings.append(
                finding(
                    "file.row_vanished",
                    self._place(series),
                    found=f"{gone} points fewer",
                    expected="the points that the file told before, which stay",
                )
            )

    def _correction(self, reason: str) -> Correction:
        return Correction(
            kind="correct", reason_code="source_changed", reason=reason, by=self.intake.by
        )

    # ---- sealing

    def seal(self) -> None:
        """Keep the segments of all that is due, then enter the stretches."""
        encoded = side_by_side(_encoded, self.due)
        for stretch, (content, digest) in zip(self.due, encoded, strict=True):
            self._seal(stretch, content, digest)

    def _seal(self, stretch: _Stretch, content: bytes, digest: str) -> None:
        name = self.objects.write(content)
        block, window = stretch.block, stretch.window
        record = Sealed(
            version=1,
            sealed=self.intake.ids.fresh("sealed"),
            series=stretch.series.series,
            from_=instant_text(window[0]),
            to=instant_text(window[1]),
            segment=ObjectReference(sha256=name, bytes=len(content)),
            points_hash=digest,
            count=count(block),
            first=instant_text(int(block.times[0])),
            last=instant_text(int(block.times[-1])),
            complete_until=instant_text(window[1]),
            supersedes=stretch.supersedes or None,
            correction=self._correction(self.reason) if stretch.supersedes else None,
        )
        self._enter(record)

    def _enter(self, record: Sealed) -> None:
        self.told.entries.append(
            write_journal_entry(
                record,
                type_="sealed",
                key=(record.sealed,),
                entry_id=self.intake.ids.fresh("j"),
                time=self.now,
                by=self.intake.by,
                source=self.mapping.source,
                origins=_whole_file(self.file, self.mapping.source),
                version=1,
            )
        )


def _told_under_others(series: JournalSeries, before: Block, new: Block) -> dict[str, list[str]]:
    """Columns of a source whose points it told before under another term or unit, with those columns.

    All points are equal: so does a file speak that is read again under a corrected mapping.
    """
    tags = {
        f"{index}.{item.role}": item.tag for index, item in enumerate(series.parameters) if item.tag
    }
    found: dict[str, list[str]] = {}
    for name in new.columns:
        now = select(new, [name])
        for other in before.columns.keys() - new.columns.keys():
            if name in tags and tags.get(other) == tags[name]:
                told = Block(before.times, {name: before.columns[other]}, before.rows)
                if compare(told, now).equal == count(now):
                    found.setdefault(name, []).append(other)
    return found


def _left(before: Block, told: Block, others_of: dict[str, list[str]]) -> Block:
    """What showed in a stretch and is not told otherwise now: a correction takes nothing else away.

    Args:
        before: what showed in the stretch.
        told: what is told of it now.
        others_of: by column told now, the columns whose place it takes.
    """
    spoken = {name: column_points(told, name).times for name in told.columns}
    for name, others in others_of.items():
        for other in others if name in spoken else ():
            spoken[other] = np.union1d(spoken.get(other, spoken[name]), spoken[name])
    points = {}
    for name in before.columns:
        shown = column_points(before, name)
        kept = ~np.isin(shown.times, spoken.get(name, _NO_TIMES))
        points[name] = take_points(shown, kept)
    return from_points({name: item for name, item in points.items() if item.times.size})


def _spanning(*blocks: Block) -> tuple[int, int] | None:
    """The first and the last time (µs) at which one of some blocks has a row; None for none."""
    times = [item.times for item in blocks if item.columns and item.times.size]
    if not times:
        return None
    return min(int(t[0]) for t in times), max(int(t[-1]) for t in times)


def _overlaps(record: Sealed, first: int, last: int) -> bool:
    return micros(record.from_) <= last and micros(record.to) > first


def _index_of(known: Sequence[JournalParameter], wanted: JournalParameter) -> int:
    """Where a parameter stands among those known; behind them if it is new."""
    names = [_name(item) for item in known]
    return names.index(_name(wanted)) if _name(wanted) in names else len(names)


def _name(parameter: JournalParameter) -> tuple[str | None, ...]:
    return (
        parameter.term,
        parameter.equipment_class,
        parameter.position,
        parameter.qualifier,
        parameter.role,
        parameter.unit,
    )
