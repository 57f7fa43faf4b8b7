"""Intake: what a source yields enters the journal, is held back, or is told apart as already there.

A file sent again is the same source: equal cells write nothing, a changed cell makes the next version
with its correction, a row that is gone is a finding. All of a file enters in one transaction.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from fedbatch.mapping.extract import Draft, Extraction, HeldBack
from fedbatch.mapping.tables import SourceFile
from fedbatch.ports import (
    AuditNote,
    Clock,
    HeldItem,
    Ids,
    ImportRow,
    JournalHead,
    JournalStore,
    NewJournalEntry,
)
from fedbatch.series.instants import micros
from fedbatch.standard import canonical
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalEntry, Origin, journal_struct
from fedbatch.standard.mappings import Mapping
from fedbatch.standard.records import Equipment, Record
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Correction

__all__ = [
    "HELD_ROWS",
    "SOURCE_CHANGED",
    "Intake",
    "IntakeReport",
    "content_digest",
    "entries_of",
    "preview",
    "take_in",
    "write_journal_entry",
    "write_withdrawal",
]

Report = Callable[[int, int], None]
# Why a source's own new edition, or a corrected mapping, changes what it said.
SOURCE_CHANGED = "source_changed"
# A held-back item for rows of a batch's points: by batch, source and file, until an edition has none.
HELD_ROWS = "rows"


@dataclass(slots=True, kw_only=True)
class IntakeReport:
    """What became of one file.

    `held_back` counts items that wait for a person's decision, `rows_held_back` rows of which nothing
    was taken in: they come in with a file in which they are right, or under another mapping.
    """

    file: str
    mapping: str
    cells: int = 0
    new: int = 0
    corrected: int = 0
    unchanged: int = 0
    taken_back: int = 0
    points: int = 0
    points_corrected: int = 0
    points_unchanged: int = 0
    held_back: int = 0
    rows_held_back: int = 0
    closed: int = 0
    ignored: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    corrected_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What intake works with. `by` is the person who takes in."""

    journal: JournalStore
    ids: Ids
    clock: Clock
    by: str


def write_withdrawal(
    intake: Intake, head: JournalHead, correction: Correction, now: str
) -> NewJournalEntry:
    """A journal's withdrawal of a record; sharing takes it back wherever it was posted."""
    version = head.version + 1
    common = Record(version=version, supersedes=head.entry_id, correction=correction)
    entry = intake.journal.read(head.index)
    record = msgspec.json.decode(bytes(entry.data), type=journal_struct(head.type))
    return write_journal_entry(
        record,
        type_=head.type,
        key=head.key,
        entry_id=intake.ids.fresh("j"),
        time=now,
        by=intake.by,
        source=head.source,
        version=version,
        is_withdrawn=True,
        data=canonical.encode(common),
    )


def content_digest(record: Record) -> bytes:
    """SHA-256 over what a record says, provenance, value status and version aside (STANDARD S6)."""
    bare = msgspec.structs.replace(
        record, version=0, supersedes=None, correction=None, provenance=(), value_status=None
    )
    return hashlib.sha256(canonical.encode(bare)).digest()


def take_in(
    extraction: Extraction,
    file: SourceFile,
    mapping: Mapping,
    intake: Intake,
    *,
    findings: Sequence[Finding] = (),
    reason: str = "the file was sent again with another value",
    points: Sequence[NewJournalEntry] = (),
    rows_held_back: int = 0,
    is_remapped: bool = False,
) -> IntakeReport:
    """Enter one extraction into the journal.

    Args:
        extraction: drafts, held-back items and findings of one table.
        file: the file they came from.
        mapping: the mapping that read it.
        intake: journal, ids, clock and person.
        findings: what reading the file found.
        reason: why values that changed were corrected.
        points: entries of series and sealed stretches, written with the rest.
        rows_held_back: rows of which nothing is taken in.
        is_remapped: the file is read again under a corrected mapping: results that it told before and
            does not tell now are taken back.
    """
    work = _Work(file=file, mapping=mapping, intake=intake, reason=reason)
    work.entries += points
    work.report.rows_held_back = rows_held_back
    work.take_back(extraction, is_remapped=is_remapped)
    return work.run(extraction, findings)


def entries_of(
    extraction: Extraction, file: SourceFile, mapping: Mapping, intake: Intake
) -> list[NewJournalEntry]:
    """Entries for what an extraction says anew, for a source that is read on and on."""
    work = _Work(
        file=file,
        mapping=mapping,
        intake=intake,
        reason="the source says otherwise",
        heads=_heads_of(extraction.drafts, intake.journal),
    )
    work.enter(extraction.drafts)
    return work.entries


def _heads_of(
    drafts: Sequence[Draft], journal: JournalStore
) -> dict[tuple[str, tuple[str, ...]], JournalHead]:
    """What a journal has of a few drafts: a source that grows asks every second."""
    found = {(draft.type, draft.key): journal.find_head(draft.type, draft.key) for draft in drafts}
    return {name: head for name, head in found.items() if head is not None}


def preview(
    extraction: Extraction,
    file: SourceFile,
    mapping: Mapping,
    intake: Intake,
    *,
    is_remapped: bool,
) -> IntakeReport:
    """What `take_in` would come to; nothing is written."""
    work = _Work(file=file, mapping=mapping, intake=intake, reason="")
    work.take_back(extraction, is_remapped=is_remapped)
    work.sort(extraction, ())
    return work.report


class _Work:
    """One file on its way into the journal."""

    def __init__(
        self,
        *,
        file: SourceFile,
        mapping: Mapping,
        intake: Intake,
        reason: str,
        heads: dict[tuple[str, tuple[str, ...]], JournalHead] | None = None,
    ) -> None:
        self.file = file
        self.mapping = mapping
        self.intake = intake
        self.reason = reason
        self.now = intake.clock.now()
        self.import_id = intake.ids.fresh("import")
        self.report = IntakeReport(file=file.name, mapping=mapping.source)
        self.entries: list[NewJournalEntry] = []
        self.heads = intake.journal.heads() if heads is None else heads

    def run(self, extraction: Extraction, findings: Sequence[Finding]) -> IntakeReport:
        items, closed = self.sort(extraction, findings)
        self._write(extraction.row_keys, items, closed)
        return self.report

    def sort(
        self, extraction: Extraction, findings: Sequence[Finding]
    ) -> tuple[list[HeldItem], list[str]]:
        """Tell new from changed from equal, and list what is held back and what is supplied."""
        report = self.report
        report.cells = extraction.cells
        report.ignored = extraction.ignored
        report.findings = [*findings, *extraction.findings, *self._vanished(extraction.row_keys)]
        held = [*extraction.held, *self.enter(extraction.drafts)]
        report.findings += [item.finding for item in held]
        items = self._items(held)
        waiting = {(item.type, item.key) for item in held}
        closed = self._closed(d for d in extraction.drafts if (d.type, d.key) not in waiting)
        closed += self._supplied({self._held_id(item) for item in held})
        report.held_back, report.closed = len(items), len(closed)
        return items, closed

    def _write(
        self, row_keys: Sequence[str], items: Sequence[HeldItem], closed: Sequence[str]
    ) -> None:
        report = self.report
        counts = f"{report.new} new, {report.corrected} corrected, {report.held_back} held back"
        if report.rows_held_back:
            counts += f", {report.rows_held_back} rows held back"
        self.intake.journal.append(
            self.entries,
            AuditNote(
                act="import",
                by=self.intake.by,
                time=self.now,
                detail=f"{self.file.name} by {self.mapping.source}: {counts}",
            ),
            held=items,
            closed=closed,
            imported=ImportRow(
                id=self.import_id,
                file=self.file.name,
                sha256=self.file.sha256,
                mapping=self.mapping.source,
                time=self.now,
                by=self.intake.by,
                row_keys=tuple(row_keys),
                findings=tuple(canonical.encode(item) for item in report.findings),
            ),
        )

    # ---- what is told no more

    def take_back(self, extraction: Extraction, *, is_remapped: bool) -> None:
        """Take back what this file told before in a way that it does not tell it now.

        Of windows of equipment one that overlaps another of the same piece and batch: whose start was
        corrected is another window. Under a corrected mapping, results under a term that it gives no more.
        """
        told = {(d.type, d.key) for d in extraction.drafts}
        told |= {(item.type, item.key) for item in extraction.held}
        windows = [d.record for d in extraction.drafts if isinstance(d.record, Equipment)]
        types = ({"equipment"} if windows else set()) | ({"result"} if is_remapped else set())
        gone = [
            head
            for name, head in self.heads.items()
            if name[0] in types
            and name not in told
            and head.source == self.mapping.source
            and not head.is_withdrawn
        ]
        editions = self._editions() if gone else frozenset[str]()
        for head in gone:
            entry = self.intake.journal.read(head.index)
            if not any(origin.artefact in editions for origin in entry.origins):
                continue
            record = msgspec.json.decode(bytes(entry.data), type=journal_struct(head.type))
            if not isinstance(record, Equipment) or any(_overlap(record, w) for w in windows):
                self._withdraw(head)

    def _editions(self) -> frozenset[str]:
        """The SHA-256 of this file and of its earlier editions."""
        rows = self.intake.journal.imports()
        return frozenset(
            row.sha256
            for row in rows
            if row.file == self.file.name and row.mapping == self.mapping.source
        ) | {self.file.sha256}

    def _withdraw(self, head: JournalHead) -> None:
        correction = Correction(
            kind="withdraw", reason_code=SOURCE_CHANGED, reason=self.reason, by=self.intake.by
        )
        self.entries.append(write_withdrawal(self.intake, head, correction, self.now))
        self.report.taken_back += 1

    # ---- one draft

    def enter(self, drafts: Iterable[Draft]) -> list[HeldBack]:
        """Enter drafts; what of them is held back."""
        return [item for draft in drafts for item in self._enter(draft)]

    def _enter(self, draft: Draft) -> list[HeldBack]:
        """Enter a draft as new, as next version, or not at all; what contradicts is held back."""
        head = self.heads.get((draft.type, draft.key))
        if head is None:
            self._add(draft.record, draft, version=1)
            self.report.new += 1
            return []
        if draft.type == "result":
            decision = self._decision(head)
            digest = content_digest(draft.record)
            if decision is not None and not self._says_the_same(head, digest):
                return [self._against(draft, decision)]
            self._enter_again(draft, draft.record, head)
            return []
        return self._overlay(draft, head)

    def _decision(self, head: JournalHead) -> Correction | None:
        """How a person corrected, or took back, what now stands; None where a source said it."""
        if head.index < 0:
            return None
        entry = self.intake.journal.read(head.index)
        correction = msgspec.json.decode(bytes(entry.data), type=Record).correction
        if correction is None or correction.reason_code == SOURCE_CHANGED:
            return None
        return correction

    def _against(self, draft: Draft, decision: Correction) -> HeldBack:
        """A source says what is neither a person's value nor the one that the person replaced."""
        did = "took back" if decision.kind == "withdraw" else "corrected"
        return self._waiting(
            draft,
            "value",
            "result.decided",
            f"what a person {did} ({decision.reason}), or what stood before",
        )

    def _enter_again(self, draft: Draft, record: Record, head: JournalHead) -> None:
        if self._says_the_same(head, content_digest(record)):
            self.report.unchanged += 1
            return
        correction = Correction(
            kind="correct", reason_code=SOURCE_CHANGED, reason=self.reason, by=self.intake.by
        )
        version = head.version + 1
        changed = msgspec.structs.replace(
            record, version=version, supersedes=head.entry_id, correction=correction
        )
        self._add(changed, draft, version=version)
        self.report.corrected += 1
        self.report.corrected_ids.append(head.entry_id)

    def _says_the_same(self, head: JournalHead, digest: bytes) -> bool:
        """Whether a source says what stands, or what a person has already replaced."""
        is_standing = digest == head.digest and not head.is_withdrawn
        return is_standing or self._was_decided(head, digest)

    def _was_decided(self, head: JournalHead, digest: bytes) -> bool:
        """Whether a person has already replaced, or taken back, just what the source says again."""
        if head.index < 0:
            return False
        entry = self.intake.journal.read(head.index)
        common = msgspec.json.decode(bytes(entry.data), type=Record)
        while common.correction is not None and common.correction.reason_code != SOURCE_CHANGED:
            before = self.intake.journal.read_entry(str(common.supersedes))
            said = msgspec.json.decode(bytes(before.data), type=journal_struct(head.type))
            if content_digest(said) == digest:
                return True
            common = said
        return False

    def _add(self, record: Record, draft: Draft, *, version: int) -> None:
        entry_id = self.intake.ids.fresh("j")
        entry = write_journal_entry(
            record,
            type_=draft.type,
            key=draft.key,
            entry_id=entry_id,
            time=self.now,
            by=self.intake.by,
            source=self.mapping.source,
            origins=draft.origins,
            version=version,
        )
        self.entries.append(entry)
        self.heads[draft.type, draft.key] = JournalHead(
            draft.type,
            draft.key,
            -1,
            version,
            entry.digest,
            entry_id,
            entry.source,
            is_withdrawn=False,
        )

    # ---- records that several sources tell of

    def _overlay(self, draft: Draft, head: JournalHead) -> list[HeldBack]:
        """Lay a draft over the newest version: what it does not say stays as it was.

        A field that another source stated otherwise is in doubt and waits; the rest goes in.
        """
        if head.index < 0 or head.is_withdrawn:
            self._enter_again(draft, draft.record, head)
            return []
        before = self.intake.journal.read(head.index)
        old = msgspec.json.decode(bytes(before.data), type=journal_struct(draft.type))
        merged, doubts = _merge(old, draft, before, self.mapping.source)
        origins = _merged_origins(before.origins, draft.origins, doubts)
        laid = Draft(type=draft.type, key=draft.key, record=merged, origins=origins)
        self._enter_again(laid, merged, head)
        return [self._doubt(draft, name, old) for name in doubts]

    def _doubt(self, draft: Draft, name: str, old: Record) -> HeldBack:
        expected = f"{_shown(getattr(old, name))}, as another source says"
        return self._waiting(draft, name, "batch.conflict", expected)

    def _waiting(self, draft: Draft, name: str, rule: str, expected: str) -> HeldBack:
        """A field of a draft that waits for a person, and why."""
        path, found = f"/{name.rstrip('_')}", _shown(getattr(draft.record, name))
        origins = tuple(o for o in draft.origins if (o.path or "").startswith(path))
        place = Place(
            file=self.file.name,
            scheme=origins[0].scheme if origins else "",
            locator=origins[0].locator if origins else "",
            type=draft.type,
            key=draft.key,
            path=path,
        )
        return HeldBack(
            type=draft.type,
            key=draft.key,
            path=path,
            text=found,
            finding=finding(rule, place, found=found, expected=expected, effect="held_back"),
            template=draft.record,
            origins=origins or draft.origins,
        )

    # ---- held back, and supplied later

    def _items(self, held: Iterable[HeldBack]) -> list[HeldItem]:
        """Held-back items by an id that the same cell in the same state has again."""
        known = {item.id for item in self.intake.journal.held(only_open=False)}
        items = []
        for item in held:
            id_ = self._held_id(item)
            if id_ in known:
                continue
            known.add(id_)
            items.append(self._item(id_, item))
        return items

    def _held_id(self, item: HeldBack) -> str:
        origin = item.origins[0] if item.origins else None
        place = "" if item.key else f"{self.file.name}|{origin.locator if origin else ''}"
        name = "|".join((item.type, *item.key, item.path, place, item.text, item.finding.rule))
        return self.intake.ids.own("held", name)

    def _supplied(self, waiting: set[str]) -> list[str]:
        """Open items for rows of an earlier edition of this file, which this one supplies, or holds anew."""
        return [
            item.id
            for item in self.intake.journal.held()
            if item.type == HELD_ROWS
            and item.key[1:] == (self.mapping.source, self.file.name)
            and item.id not in waiting
        ]

    def _item(self, id_: str, item: HeldBack) -> HeldItem:
        return HeldItem(
            id=id_,
            type=item.type,
            key=item.key,
            path=item.path,
            text=item.text,
            finding=canonical.encode(item.finding),
            template=canonical.encode(item.template) if item.template is not None else b"",
            origins=canonical.encode(item.origins),
            source=self.mapping.source,
            import_id=self.import_id,
        )

    def _closed(self, drafts: Iterable[Draft]) -> list[str]:
        """Open items whose value this file supplies."""
        open_items: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
        for item in self.intake.journal.held():
            open_items.setdefault((item.type, item.key, item.path), []).append(item.id)
        if not open_items:
            return []
        closed: list[str] = []
        for draft in drafts:
            paths = {o.path or "" for o in draft.origins} | {""}
            for path in paths:
                closed += open_items.pop((draft.type, draft.key, path), [])
        return closed

    def _vanished(self, row_keys: Sequence[str]) -> list[Finding]:
        """Rows that the file held when it came before, and holds no more."""
        before = self._earlier(Counter(row_keys))
        if before is None:
            return []
        here = set(row_keys)
        gone = [key for key in dict.fromkeys(before.row_keys) if key not in here and key != "|"]
        return [
            finding(
                "file.row_vanished",
                Place(file=self.file.name, type="batch", key=(key.strip("|"),)),
                found="no row",
                expected=f"the row that stood in {before.file} of {before.time}",
            )
            for key in gone
        ]

    def _earlier(self, rows: Counter[str]) -> ImportRow | None:
        """The newest import that this file is a new edition of: its name, or most of its rows."""
        for row in reversed(self.intake.journal.imports()):
            if row.mapping != self.mapping.source:
                continue
            shared = sum(1 for key in set(row.row_keys) if key in rows)
            if row.file == self.file.name or shared * 2 > len(set(row.row_keys)):
                return row
        return None


def _overlap(one: Equipment, other: Equipment) -> bool:
    """Whether two windows are of one piece and batch, and have a time in common."""
    if (one.equipment, one.batch) != (other.equipment, other.batch):
        return False
    ends = [item.to.instant if item.to is not None else None for item in (one, other)]
    starts = [item.from_.instant for item in (other, one)]
    return all(
        end is None or micros(start) < micros(end) for start, end in zip(starts, ends, strict=True)
    )


def _merge(
    old: Record, draft: Draft, before: JournalEntry, source: str
) -> tuple[Record, list[str]]:
    """The old record under the draft, and the fields about which two sources differ."""
    changes: dict[str, object] = {}
    doubts = []
    for name in draft.record.__struct_fields__:
        said, was = getattr(draft.record, name), getattr(old, name)
        if name in {"version", "supersedes", "correction"} or said in (None, ()) or said == was:
            continue
        if name == "identifiers":
            changes[name] = (*was, *(item for item in said if item not in was))
            continue
        if was in (None, ()) or _told_by(before, f"/{name.rstrip('_')}") in {source, None}:
            changes[name] = said
        else:
            doubts.append(name)
    return msgspec.structs.replace(old, **changes), doubts


def _told_by(entry: JournalEntry, path: str) -> str | None:
    """Which source a field of the newest version came from."""
    for origin in entry.origins:
        if origin.path is not None and origin.path.startswith(path):
            return origin.mapping
    return entry.source or None


def _merged_origins(
    old: tuple[Origin, ...], new: tuple[Origin, ...], doubts: Sequence[str]
) -> tuple[Origin, ...]:
    doubted = tuple(f"/{name.rstrip('_')}" for name in doubts)
    kept = {origin.path: origin for origin in old}
    for origin in new:
        if not (doubted and (origin.path or "").startswith(doubted)):
            kept.setdefault(origin.path, origin)
    return tuple(kept.values())


def _shown(value: object) -> str:
    raw = getattr(value, "raw", None) or getattr(value, "text", None)
    return str(raw) if raw else canonical.encode(value).decode()


def write_journal_entry(
    record: Record,
    *,
    type_: str,
    key: tuple[str, ...],
    entry_id: str,
    time: str,
    by: str,
    source: str = "",
    origins: tuple[Origin, ...] = (),
    version: int,
    is_withdrawn: bool = False,
    data: bytes | None = None,
) -> NewJournalEntry:
    """One entry of a journal, ready to append. `data` stands for the record's bytes if given."""
    content = canonical.encode(
        JournalEntry(
            id=entry_id,
            type=type_,
            time=time,
            by=by,
            source=source,
            origins=origins,
            data=msgspec.Raw(data if data is not None else canonical.encode(record)),
        )
    )
    return NewJournalEntry(
        content=content,
        type=type_,
        key=key,
        version=version,
        digest=content_digest(record),
        entry_id=entry_id,
        source=source,
        is_withdrawn=is_withdrawn,
    )
