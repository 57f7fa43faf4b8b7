"""Both ledgers of one agreement on disk, and nothing of any other agreement.

An entry, its head, the tree, the checkpoint and the audit entry are one transaction. Before a
checkpoint is signed, the entries are read back from the database and hashed again: one flipped bit
on the way has ended a public log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import msgspec

from fedbatch.errors import ConflictError, InputError, IntegrityError, RefusedError
from fedbatch.ledger.frames import BUNDLE_ENTRIES_MAX
from fedbatch.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash
from fedbatch.ports import (
    Adopted,
    Appended,
    AuditNote,
    CheckpointRow,
    LedgerHead,
    LedgerRow,
    NamedObject,
    NewLedgerEntry,
    Taken,
)
from fedbatch.standard import canonical, records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.keys import key_of
from fedbatch.store.audit import audit_rows, verify_audit, write_audit
from fedbatch.store.bundles import BUNDLE_TABLE, Bundles
from fedbatch.store.database import AUDIT_TABLE, Database, Row
from fedbatch.store.journal import key_text, text_key
from fedbatch.store.machine import file_mark, machine_id

__all__ = ["Ledgers"]

_MIGRATIONS = (
    f"""
{AUDIT_TABLE}
create table ledger (
    ledger text primary key, is_own integer not null, origin text not null, key blob not null,
    size integer not null, root blob not null, frontier blob not null, stopped text not null,
    row_hash blob not null
) strict;
create table entry (
    ledger text not null, idx integer not null, leaf blob not null, content blob not null,
    erased integer not null, primary key (ledger, idx)
) strict, without rowid;
create table head (
    ledger text not null, type text not null, key text not null, idx integer not null,
    version integer not null, digest blob not null, entry_id text not null,
    withdrawn integer not null, row_hash blob not null, primary key (ledger, type, key)
) strict, without rowid;
create table named (
    ledger text not null, entry_id text not null, idx integer not null, journal text not null,
    row_hash blob not null, primary key (ledger, entry_id)
) strict, without rowid;
create table checkpoint (
    ledger text not null, size integer not null, root blob not null, note blob not null,
    cosignature blob not null, cosigned_at integer not null, row_hash blob not null,
    primary key (ledger, size)
) strict, without rowid;
create table setting (
    name text primary key, content blob not null, row_hash blob not null
) strict, without rowid;
""",
    """
create table object (
    ledger text not null, idx integer not null, sha256 text not null, bytes integer not null,
    type text not null, row_hash blob not null, primary key (ledger, idx)
) strict, without rowid;
""",
    BUNDLE_TABLE,
)
_SELECT_HEAD = (
    "select type, key, idx, version, digest, entry_id, withdrawn from head where ledger = ?"
)
# The setting that says which ledger carries on which.
_LINEAGE = "lineage"
# The setting that names an own ledger which another is about to carry on.
_FROZEN = "frozen"
# Stands for the run mark of a store that was restored; no machine and file has it.
_RESTORED = b"restored"
SignHead = Callable[[int, bytes], bytes]


class Ledgers:
    """The store of one agreement."""

    def __init__(self, folder: Path, *, vfs: str | None = None, place: bytes | None = None) -> None:
        """Open the store of a folder; `place` stands for this machine and file, in tests."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "ledgers.sqlite"
        self._database = Database(path, _MIGRATIONS, vfs=vfs)
        self._bundles = Bundles(self._database)
        if self._bundles.has_unfolded():
            with self._database.writing():
                self._bundles.fold_all()
        self._mark = place or _run_mark(path)
        kept = self.setting("run_mark")
        if kept is None:
            self.keep_setting("run_mark", self._mark)
        # A copy, a restored backup or another machine: it may be behind what the partner holds.
        self.is_restored = kept is not None and kept != self._mark
        # Restored on purpose: being behind is expected, and what is missing will be fetched.
        self.is_awaited = kept == _RESTORED

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def confirm_place(self) -> None:
        """The partner was heard and holds nothing that is missing here: appending is safe again."""
        if self.is_restored:
            self.keep_setting("run_mark", self._mark)
            self.is_restored = self.is_awaited = False

    def mark_restored(self) -> None:
        """This store was restored on purpose: it appends nothing until the partner was heard."""
        self.keep_setting("run_mark", _RESTORED)
        self.is_restored = self.is_awaited = True

    def _is_still_restored(self) -> bool:
        """Whether it is; another process may have heard the partner meanwhile."""
        if self.is_restored:
            kept = self.setting("run_mark")
            self.is_restored, self.is_awaited = kept != self._mark, kept == _RESTORED
        return self.is_restored

    def data_version(self) -> int:
        """Changes when another process has written."""
        return self._database.data_version()

    # ---- what ledgers there are

    def add_ledger(self, ledger: str, *, is_own: bool, origin: str, key: bytes) -> None:
        """Pin a ledger with its origin and key; pinning the same again is a no-op."""
        with self._database.writing():
            known = self._database.row("select origin, key from ledger where ledger = ?", (ledger,))
            if known is None:
                row = (ledger, int(is_own), origin, key, 0, EMPTY_ROOT, Frontier().encode(), "")
                self._database.insert("ledger", [row])
            elif known != (origin, key):
                raise IntegrityError(f"ledger {ledger} is pinned otherwise", code="ledger.pinned")

    def ledgers(self) -> list[LedgerRow]:
        """The own ledger first, then the partner's, as far as they are known.

        Behind them come those that others carry on, the newer first.
        """
        rows = self._database.rows(
            "select ledger, is_own, origin, key, size, root, frontier, stopped from ledger"
            " order by is_own desc"
        )
        found = [
            LedgerRow(
                ledger=ledger,
                is_own=bool(is_own),
                origin=origin,
                key=key,
                size=size,
                root=root,
                frontier=Frontier.decode(frontier),
                stopped=stopped,
            )
            for ledger, is_own, origin, key, size, root, frontier, stopped in rows
        ]
        ages = self._ages()
        return sorted(found, key=lambda row: (ages.get(row.ledger, 0), not row.is_own))

    # ---- ledgers that carry others on

    def _lineage(self) -> dict[str, records.Succession]:
        """What each ledger carries on."""
        content = self.setting(_LINEAGE)
        return msgspec.json.decode(content, type=dict[str, records.Succession]) if content else {}

    def _ages(self) -> dict[str, int]:
        """How many ledgers came after each that is carried on."""
        lineage = self._lineage()
        ages: dict[str, int] = {}
        for ledger in lineage.keys() - {item.ledger for item in lineage.values()}:
            age, before = 1, lineage.get(ledger)
            while before is not None:
                ages[before.ledger] = age
                age, before = age + 1, lineage.get(before.ledger)
        return ages

    def predecessor(self, ledger: str) -> records.Succession | None:
        """The ledger that this one carries on, with its size and root; None: it was the first."""
        return self._lineage().get(ledger)

    def succeed(
        self,
        succession: records.Succession,
        ledger: str,
        *,
        origin: str,
        key: bytes,
        settings: Mapping[str, bytes],
        note: AuditNote,
    ) -> None:
        """Add a ledger that carries on one that stands here, in one transaction.

        An entry of the old one is found from the new one by an index below 0: -1 is the last.

        Raises:
            ConflictError: the old one stands here otherwise.
        """
        with self._database.writing():
            old = self.ledger(succession.ledger)
            if (old.size, old.root.hex()) != (succession.size, succession.root):
                raise ConflictError(f"ledger {old.ledger} is at {old.size}", code="ledger.moved")
            lineage = {**self._lineage(), ledger: succession}
            row = (ledger, int(old.is_own), origin, key, 0, EMPTY_ROOT, Frontier().encode(), "")
            self._database.insert("ledger", [row])
            self._database.update("ledger", {"ledger": old.ledger}, {"stopped": ""})
            kept = {**settings, _LINEAGE: canonical.encode(lineage)}
            self._database.insert("setting", list(kept.items()), conflict="replace")
            write_audit(self._database, note)

    def restore_lineage(self, lineage: Mapping[str, records.Succession]) -> None:
        """Say again which ledger carries on which, as its first entry does."""
        if lineage:
            self.keep_setting(_LINEAGE, canonical.encode({**self._lineage(), **lineage}))

    def _check_current(self, ledger: str) -> None:
        if ledger in self._ages():
            raise ConflictError(
                f"ledger {ledger} is carried on by another", code="ledger.succeeded"
            )

    def _chain(self, ledger: str) -> list[str]:
        """A ledger and those before it, the newest first."""
        chain, lineage = [ledger], self._lineage()
        while chain[-1] in lineage:
            chain.append(lineage[chain[-1]].ledger)
        return chain

    def place(self, ledger: str, index: int) -> tuple[str, int]:
        """Where an entry lies: an index below 0 is one of the ledger that this one carries on."""
        while index < 0:
            before = self.predecessor(ledger)
            if before is None:
                raise InputError("an index of 0 or more", found=str(index), code="range")
            ledger, index = before.ledger, before.size + index
        return ledger, index

    def ledger(self, ledger: str) -> LedgerRow:
        """A ledger by its id."""
        for row in self.ledgers():
            if row.ledger == ledger:
                return row
        raise InputError("a ledger of this agreement", found=ledger, code="ledger.unknown")

    def stop(self, ledger: str, reason: str, note: AuditNote) -> None:
        """Stop a ledger (or resume it with ""); only a person resumes."""
        with self._database.writing():
            self._database.update("ledger", {"ledger": ledger}, {"stopped": reason})
            write_audit(self._database, note)

    # ---- settings of the agreement: bodies, negotiation, cursors

    def setting(self, name: str) -> bytes | None:
        """A setting's bytes, or None."""
        row = self._database.row("select content from setting where name = ?", (name,))
        return bytes(row[0]) if row else None

    def keep_setting(self, name: str, content: bytes) -> None:
        """Keep a setting, durably."""
        with self._database.writing():
            self._database.insert("setting", [(name, content)], conflict="replace")

    def change(
        self,
        make: Callable[[], tuple[Mapping[str, bytes], int | None]],
        note: AuditNote,
        sign: SignHead,
    ) -> None:
        """Keep settings made from what stands here, in one transaction with that reading.

        `make` gives them, and a size: checkpoints of the own ledger above it are signed anew, under
        what the settings then say; None: none are.
        """
        with self._database.writing():
            settings, above = make()
            self._database.insert("setting", list(settings.items()), conflict="replace")
            if above is not None:
                ledger = self.ledgers()[0].ledger
                for row in self.checkpoints(ledger):
                    if row.size > above:
                        note_again = sign(row.size, row.root)
                        change = {"ledger": ledger, "size": row.size}
                        self._database.update("checkpoint", change, {"note": note_again})
            write_audit(self._database, note)

    def forget_setting(self, name: str) -> None:
        """Drop a setting; none of that name is a no-op."""
        with self._database.writing():
            self._database.execute("delete from setting where name = ?", (name,))

    # ---- the own ledger

    def append(
        self,
        ledger: str,
        entries: Sequence[NewLedgerEntry],
        note: AuditNote | None,
        sign: SignHead,
        *,
        settings: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Appended:
        """Append to an own ledger and sign its new head, in one transaction."""
        with self._database.writing():
            self._database.insert("setting", list(settings.items()), conflict="replace")
            appended = self._append(self.ledger(ledger), entries, sign)
            if note is not None:
                write_audit(self._database, note)
        return appended

    def _append(
        self, row: LedgerRow, entries: Sequence[NewLedgerEntry], sign: SignHead
    ) -> Appended:
        if not row.is_own:
            raise InputError("an own ledger", found=row.ledger, code="ledger.not_own")
        _check_frontier(row)
        self._check_current(row.ledger)
        if self.setting(_FROZEN) == row.ledger.encode():
            raise RefusedError(
                "another ledger is to carry this one on; the partner has yet to confirm it"
                " (`fedbatch keys confirm` there)",
                code="ledger.waits",
            )
        if self._is_still_restored():
            raise RefusedError(
                "this home was restored or moved; it appends once the partner has been heard"
                " (`fedbatch sync`, or `fedbatch serve`)",
                code="ledger.restored",
            )
        if row.stopped:
            message = f"ledger {row.ledger} stopped: {row.stopped}"
            raise IntegrityError(message, code="ledger.stopped")
        leaves = [leaf_hash(entry.content) for entry in entries]
        contents = [entry.content for entry in entries]
        self._write_entries(row.ledger, row.size, contents, leaves)
        self._write_heads(row.ledger, row.size, entries)
        frontier = self._sign_heads(row, self._read_back(row.ledger, row.size, leaves), sign)
        self._write_tree(row, frontier)
        return Appended(first=row.size, size=frontier.size, root=frontier.root())

    def _sign_heads(self, row: LedgerRow, leaves: Sequence[bytes], sign: SignHead) -> Frontier:
        """Sign the head at the end, and at each multiple of 256 on the way: a frame ends there."""
        frontier, position = row.frontier, 0
        while position < len(leaves):
            taken = BUNDLE_ENTRIES_MAX - frontier.size % BUNDLE_ENTRIES_MAX
            frontier = frontier.extend(leaves[position : position + taken])
            position += taken
            root = frontier.root()
            note = sign(frontier.size, root)
            checkpoint = CheckpointRow(size=frontier.size, root=root, note=note)
            self._write_checkpoint(row.ledger, checkpoint)
            self._thin_checkpoints(row.ledger, frontier.size)
        return frontier

    def _read_back(self, ledger: str, start: int, leaves: Sequence[bytes]) -> list[bytes]:
        """Hash what the database now holds; it must be what was handed in."""
        rows = self._bundles.read(ledger, start, len(leaves) + 1)
        again = [leaf_hash(content) for _, _, content in rows]
        if again != list(leaves):
            raise IntegrityError(
                "entries read back differ from those written", code="store.read_back"
            )
        return again

    def _write_entries(
        self, ledger: str, start: int, contents: Sequence[bytes], leaves: Sequence[bytes]
    ) -> None:
        self._bundles.write(ledger, start, contents, leaves)

    def _write_heads(
        self, ledger: str, start: int, entries: Sequence[NewLedgerEntry | None]
    ) -> None:
        placed = [
            (index, entry)
            for index, entry in enumerate(entries, start)
            # Points have no second version, and nothing names one: they get neither head nor name.
            if entry is not None and entry.type != "points"
        ]
        self._write_objects(ledger, placed)
        self._database.insert(
            "head",
            [
                (
                    ledger,
                    entry.type,
                    key_text(entry.key),
                    index,
                    entry.version,
                    entry.digest,
                    entry.entry_id,
                    int(entry.is_withdrawn),
                )
                for index, entry in placed
            ],
            conflict="replace",
        )
        self._database.insert(
            "named",
            [(ledger, entry.entry_id, index, entry.journal) for index, entry in placed],
        )

    def _write_objects(self, ledger: str, placed: Sequence[tuple[int, NewLedgerEntry]]) -> None:
        """What entries name stands until its record is taken back."""
        for index, entry in placed:
            if entry.object is not None:
                named = (ledger, index, entry.object.sha256, entry.object.bytes, entry.type)
                self._database.insert("object", [named])
            elif entry.is_withdrawn:
                before = self.find_head(ledger, entry.type, entry.key)
                self._forget_objects(ledger, [before.index] if before is not None else [])

    def _forget_objects(self, ledger: str, indexes: Sequence[int]) -> None:
        self._database.execute_many(
            "delete from object where ledger = ? and idx = ?",
            [self.place(ledger, index) for index in indexes],
        )

    def _write_tree(self, row: LedgerRow, frontier: Frontier) -> None:
        """The ledger's row under its new head; whole, since it has just been read."""
        size, root = frontier.size, frontier.root()
        head = (size, root, frontier.encode(), row.stopped)
        kept = (row.ledger, int(row.is_own), row.origin, row.key, *head)
        self._database.insert("ledger", [kept], conflict="replace")

    def _write_checkpoint(self, ledger: str, row: CheckpointRow) -> None:
        kept = (ledger, row.size, row.root, row.note, row.cosignature, row.cosigned_at)
        self._database.insert("checkpoint", [kept], conflict="replace")

    def _thin_checkpoints(self, ledger: str, size: int) -> None:
        """Of an older bundle's checkpoints keep its end and the last cosigned of each minute.

        A live ledger signs one a flush; each would cost more than the points it covers.
        """
        if size % BUNDLE_ENTRIES_MAX or size < 2 * BUNDLE_ENTRIES_MAX:
            return
        last = size - BUNDLE_ENTRIES_MAX
        rows = self._database.rows(
            "select size, cosigned_at from checkpoint where ledger = ? and size > ? and size < ?"
            " order by size",
            (ledger, last - BUNDLE_ENTRIES_MAX, last),
        )
        kept = {time // 60: at for at, time in rows if time}
        gone = [(ledger, at) for at, _ in rows if at not in kept.values()]
        self._database.execute_many("delete from checkpoint where ledger = ? and size = ?", gone)

    def keep_cosignature(self, ledger: str, size: int, cosignature: bytes, time: int) -> None:
        """Keep the partner's receipt of an own checkpoint; a kept one stays as it is."""
        with self._database.writing():
            self._database.update(
                "checkpoint",
                {"ledger": ledger, "size": size, "cosignature": b""},
                {"cosignature": cosignature, "cosigned_at": time},
            )

    def relink(self, ledger: str, journal: Mapping[str, str]) -> None:
        """Note again from which journal entry what was posted; what is known so changes nothing."""
        named = self.posted(ledger) if journal else {}
        lost = {name: entry_id for name, entry_id in journal.items() if name not in named}
        if not lost:
            return
        with self._database.writing():
            for name, entry_id in lost.items():
                for holder in self._chain(ledger):
                    key = {"ledger": holder, "entry_id": entry_id}
                    self._database.update("named", key, {"journal": name})

    # ---- the copy of the partner's ledger

    def take(
        self,
        taken: Taken,
        note: AuditNote | None,
        *,
        answer: Sequence[NewLedgerEntry] = (),
        sign: SignHead | None = None,
    ) -> None:
        """Keep a partner's entries with all their effects, in one transaction.

        `answer` is what goes into the own ledger because of them (a receipt record and its findings),
        signed by `sign`.
        """
        with self._database.writing():
            held = self.ledger(taken.ledger)
            _check_frontier(held)
            self._check_current(held.ledger)
            if held.size != taken.first:
                raise IntegrityError(
                    f"ledger {taken.ledger} is at {held.size}, not {taken.first}",
                    code="ledger.moved",
                )
            self._write_entries(taken.ledger, taken.first, taken.entries, taken.leaves)
            self._write_heads(taken.ledger, taken.first, taken.heads)
            self._write_tree(held, taken.frontier)
            self._write_checkpoint(taken.ledger, taken.checkpoint)
            self._thin_checkpoints(taken.ledger, taken.checkpoint.size)
            self._erase(taken.ledger, taken.erased)
            if answer and sign is not None:
                self._append(self.ledgers()[0], answer, sign)
            if note is not None:
                write_audit(self._database, note)
        if taken.erased:
            # Else the log beside the database would hold the erased bytes until it is folded in.
            self._database.fold_log()

    def adopt(self, adopted: Adopted, note: AuditNote) -> None:
        """Keep entries of either ledger that the partner gave back, checked, in one transaction.

        Heads of the own ledger come back too; nothing is signed.
        """
        with self._database.writing():
            held = self.ledger(adopted.ledger)
            _check_frontier(held)
            if held.size != adopted.first:
                raise IntegrityError(
                    f"ledger {adopted.ledger} is at {held.size}, not {adopted.first}",
                    code="ledger.moved",
                )
            self._write_entries(adopted.ledger, adopted.first, adopted.entries, adopted.leaves)
            self._write_heads(adopted.ledger, adopted.first, adopted.heads)
            self._write_tree(held, adopted.frontier)
            for row in adopted.checkpoints:
                self._write_checkpoint(adopted.ledger, row)
            at = adopted.first
            gone = [at + place for place, content in enumerate(adopted.entries) if not content]
            self._erase(adopted.ledger, gone)
            self._database.insert("setting", list(adopted.settings.items()), conflict="replace")
            write_audit(self._database, note)

    def erase(self, ledger: str, indexes: Sequence[int], note: AuditNote) -> None:
        """Destroy the bytes of entries, as was done before; their leaf hashes stay."""
        with self._database.writing():
            self._erase(ledger, indexes)
            write_audit(self._database, note)
        self._database.fold_log()

    def _erase(self, ledger: str, indexes: Sequence[int]) -> None:
        """Destroy the bytes of entries; their leaf hashes stay."""
        by_ledger: dict[str, list[int]] = {}
        for index in indexes:
            holder, place = self.place(ledger, index)
            by_ledger.setdefault(holder, []).append(place)
        for holder, places in by_ledger.items():
            self._bundles.erase(holder, places)
        self._forget_objects(ledger, indexes)

    # ---- reading

    def objects(self, ledger: str) -> list[NamedObject]:
        """The objects that standing records of a ledger name, in its order."""
        rows = self._database.rows(
            "select sha256, bytes, type, idx from object where ledger = ? order by idx", (ledger,)
        )
        return [NamedObject(sha256=s, size_bytes=b, type=t, index=i) for s, b, t, i in rows]

    def entries(self, ledger: str, start: int, count: int) -> list[tuple[int, bytes, bytes]]:
        """Index, leaf hash and bytes (b"" once erased) of entries from `start` on.

        From an index below 0 on, those of the ledger before, up to its end.
        """
        holder, place = self.place(ledger, start)
        shift = start - place
        return [(at + shift, leaf, b) for at, leaf, b in self._bundles.read(holder, place, count)]

    def contents(self, ledger: str, start: int, count: int) -> list[bytes]:
        """As `entries`, the bytes alone: nothing is hashed."""
        return self._bundles.contents(*self.place(ledger, start), count)

    def leaves(self, ledger: str, size: int) -> list[bytes]:
        """The leaf hashes of the first `size` entries, for proofs."""
        return [leaf for _, leaf, _ in self._bundles.read(ledger, 0, size)]

    def heads(
        self, ledger: str, types: Sequence[str] = ()
    ) -> dict[tuple[str, tuple[str, ...]], LedgerHead]:
        """The newest version of every record of a ledger."""
        chosen = f" and type in ({', '.join('?' * len(types))})" if types else ""
        rows = self._database.rows(f"{_SELECT_HEAD}{chosen}", (ledger, *types))
        here = {(head.type, head.key): head for head in map(_head, rows)}
        before = self.predecessor(ledger)
        if before is None:
            return here
        old = self.heads(before.ledger, types)
        return {**{name: _shifted(head, before.size) for name, head in old.items()}, **here}

    def find_head(self, ledger: str, type_: str, key: tuple[str, ...]) -> LedgerHead | None:
        """The newest version of one record, or None."""
        found = self._one_head("type = ? and key = ?", (ledger, type_, key_text(key)))
        before = self.predecessor(ledger) if found is None else None
        if before is None:
            return found
        head = self.find_head(before.ledger, type_, key)
        return _shifted(head, before.size) if head is not None else None

    def find_head_of(self, ledger: str, entry_id: str) -> LedgerHead | None:
        """The record whose newest version an entry is, or None."""
        index = self.find_index(ledger, entry_id)
        if index is None:
            return None
        # Heads are found by key: an index by entry would cost every append for rare withdrawals.
        ((_, _, content),) = self.entries(ledger, index, 1)
        statement = read_entry(content) if content else None
        if statement is None or statement.record is None:
            return None
        heading = statement.heading
        source = heading.source.removeprefix("urn:fedbatch:source:")
        in_key = source if heading.record_name == "result" else ""
        key = key_of(statement.record, source=in_key, entry_id=heading.id)
        head = self.find_head(ledger, heading.record_name, key)
        return head if head is not None and head.entry_id == entry_id else None

    def _one_head(self, where: str, values: Sequence[str]) -> LedgerHead | None:
        row = self._database.row(f"{_SELECT_HEAD} and {where}", values)
        return _head(row) if row is not None else None

    def find_index(self, ledger: str, entry_id: str) -> int | None:
        """Where an entry lies, by its id."""
        row = self._database.row(
            "select idx from named where ledger = ? and entry_id = ?", (ledger, entry_id)
        )
        before = self.predecessor(ledger) if row is None else None
        if before is None:
            return int(row[0]) if row else None
        index = self.find_index(before.ledger, entry_id)
        return index - before.size if index is not None else None

    def find_entry_ids(self, ledger: str, beginning: str) -> list[str]:
        """The ids of entries that begin so, at most two: enough to tell one from several."""
        rows = self._database.rows(
            "select entry_id from named where ledger = ? and entry_id >= ? and entry_id < ? limit 2",
            (ledger, beginning, f"{beginning}\U0010ffff"),
        )
        return [entry_id for (entry_id,) in rows]

    def refused(self, ledger: str) -> frozenset[str]:
        """Entries of a ledger that its reader has refused, by id or by `<ledger>/<index>`.

        The reader says so in receipt records of its own ledger, so both nodes know the same.
        """
        return frozenset(item.entry for one in self._receipts(ledger) for item in one.refused)

    def erased(self, ledger: str) -> frozenset[str]:
        """Ids of entries of a ledger whose bytes its reader has destroyed, as it says itself."""
        return frozenset(item.entry for one in self._receipts(ledger) for item in one.erased)

    def _receipts(self, ledger: str) -> Iterator[records.Receipt]:
        """Every version of the receipt records about a ledger."""
        # What is said of a ledger that carries this one on concerns its entries too.
        rows = self.ledgers()
        writer = next((row.is_own for row in rows if row.ledger == ledger), False)
        about = {row.ledger for row in rows if row.is_own == writer}
        for reader in (row.ledger for row in rows[:2] if row.is_own != writer):
            for head in self.heads(reader, ("receipt",)).values():
                entry_id: str | None = head.entry_id if head.key[0] in about else None
                while entry_id is not None:
                    receipt = self._receipt(reader, entry_id)
                    yield receipt
                    before = receipt.supersedes
                    entry_id = before if isinstance(before, str) else None

    def _receipt(self, ledger: str, entry_id: str) -> records.Receipt:
        index = self.find_index(ledger, entry_id)
        rows = self.entries(ledger, index, 1) if index is not None else []
        record = read_entry(rows[0][2]).record if rows and rows[0][2] else None
        if isinstance(record, records.Receipt):
            return record
        return records.Receipt(version=1, ledger=ledger, size=0, cause=())

    def find_ids(self, ledger: str, entry_ids: Sequence[str]) -> frozenset[str]:
        """Which of these entry ids came before; refused entries are not among them."""
        marks = ", ".join("?" * len(entry_ids))
        rows = self._database.rows(
            f"select entry_id from named where ledger = ? and entry_id in ({marks})",  # noqa: S608 - question marks
            (ledger, *entry_ids),
        )
        found = frozenset(entry_id for (entry_id,) in rows)
        before = self.predecessor(ledger)
        return found | self.find_ids(before.ledger, entry_ids) if before is not None else found

    def posted(self, ledger: str) -> dict[str, str]:
        """What was posted from which journal entry: journal entry id → entry id."""
        rows = self._database.rows(
            "select journal, entry_id from named where ledger = ? and journal <> ''", (ledger,)
        )
        before = self.predecessor(ledger)
        return {**self.posted(before.ledger), **dict(rows)} if before is not None else dict(rows)

    def checkpoints(self, ledger: str) -> list[CheckpointRow]:
        """Kept checkpoints, oldest first."""
        rows = self._database.rows(
            "select size, root, note, cosignature, cosigned_at from checkpoint"
            " where ledger = ? order by size",
            (ledger,),
        )
        return [
            CheckpointRow(size=s, root=r, note=n, cosignature=c, cosigned_at=t)
            for s, r, n, c, t in rows
        ]

    def checkpoint_at(self, ledger: str, size: int) -> CheckpointRow | None:
        """The kept checkpoint that first covers a size."""
        row = self._database.row(
            "select size, root, note, cosignature, cosigned_at from checkpoint"
            " where ledger = ? and size >= ? order by size limit 1",
            (ledger, size),
        )
        if row is None:
            return None
        kept, root, note, cosignature, time = row
        return CheckpointRow(
            size=kept, root=root, note=note, cosignature=cosignature, cosigned_at=time
        )

    def audit(self) -> list[AuditNote]:
        """The trail of what was done under this agreement."""
        return audit_rows(self._database)

    def scan(self, ledger: str, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Every entry's bytes from an index on, in order."""
        while rows := self.entries(ledger, start, 4096):
            for index, _, content in rows:
                yield index, content
            start = rows[-1][0] + 1

    def verify(self) -> list[str]:
        """What is wrong, place by place: hashes, trees, checkpoints' roots, the audit trail."""
        database = self._database
        return database.find_damage(self._verify_ledgers, lambda: verify_audit(database))

    def _verify_ledgers(self) -> list[str]:
        return [text for row in self.ledgers() for text in self._verify_ledger(row)]

    def _verify_ledger(self, row: LedgerRow) -> list[str]:
        wrong = []
        frontier = Frontier()
        checkpoints = {item.size: item.root for item in self.checkpoints(row.ledger)}
        for expected, (index, leaf, content, erased) in enumerate(self._bundles.scan(row.ledger)):
            whole = leaf_hash(content) == leaf if not erased else content == b""
            if index != expected or not whole:
                wrong.append(f"ledger {row.ledger} entry {expected}: changed, missing or moved")
            frontier = frontier.extend([leaf])
            if checkpoints.pop(frontier.size, frontier.root()) != frontier.root():
                wrong.append(f"ledger {row.ledger} checkpoint {frontier.size}: another root")
        if frontier != row.frontier or (frontier.size, frontier.root()) != (row.size, row.root):
            wrong.append(f"ledger {row.ledger}: size or root differ from the entries")
        if checkpoints:
            wrong.append(f"ledger {row.ledger} checkpoint {min(checkpoints)}: entries are missing")
        return wrong


def _check_frontier(row: LedgerRow) -> None:
    """Refuse to go on from a damaged head: what it led to would be signed."""
    if (row.frontier.size, row.frontier.root()) != (row.size, row.root):
        raise IntegrityError(f"the head of ledger {row.ledger} is damaged", code="store.damaged")


def _head(row: Row) -> LedgerHead:
    type_, key, index, version, digest, entry_id, withdrawn = row
    return LedgerHead(
        type=type_,
        key=text_key(key),
        index=index,
        version=version,
        digest=digest,
        entry_id=entry_id,
        is_withdrawn=bool(withdrawn),
    )


def _shifted(head: LedgerHead, size: int) -> LedgerHead:
    """A head of a ledger of so many entries, as it is found from the one that carries it on."""
    return replace(head, index=head.index - size)


def _run_mark(path: Path) -> bytes:
    """Which machine and which file this database is; a restored copy has another (INTEROP §1.6)."""
    return canonical.encode([machine_id(), *file_mark(path)])
