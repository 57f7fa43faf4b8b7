"""Stores made for tests: entries, notes, an own ledger and a partner's, all repeatable."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from fedbatch.ledger.note import Checkpoint, render_note, sign_checkpoint
from fedbatch.ledger.tree import Frontier, leaf_hash
from fedbatch.ports import (
    AuditNote,
    CheckpointRow,
    HeldItem,
    ImportRow,
    NewJournalEntry,
    NewLedgerEntry,
    Person,
    Taken,
)
from fedbatch.store.database import Database, Row
from fedbatch.store.ledgers import Ledgers
from tests.unit.ledger.making import Signing, make_key

OWN, PARTNERS = "5f0c2b7e9a1d4c3f8e6b0a7d2c9f1e34", "0b1c2d3e4f5061728394a5b6c7d8e9f0"
OWN_ORIGIN, PARTNERS_ORIGIN = f"cmo.example/{OWN}", f"sponsor.example/{PARTNERS}"
OWN_KEY, PARTNERS_KEY = make_key("own"), make_key("partners")
NOTE = AuditNote(act="share", by="p-1", time="2026-11-24T08:00:00.000Z", detail="3 results")


def note_of(origin: str, key: Signing, size: int, root: bytes) -> bytes:
    checkpoint = Checkpoint(origin, size, root)
    return render_note(checkpoint.body(), [sign_checkpoint(checkpoint, key.public, key.sign)])


def sign_own(size: int, root: bytes) -> bytes:
    return note_of(OWN_ORIGIN, OWN_KEY, size, root)


def content_of(name: str, length: int = 200) -> bytes:
    """Bytes as dense as those of real records, the same for a name each time."""
    return b"".join(
        sha256(f"{name} {part}".encode()).hexdigest().encode() for part in range(length // 64 + 1)
    )[:length]


def ledger_entry(name: str, length: int = 200) -> NewLedgerEntry:
    content = content_of(name, length)
    return NewLedgerEntry(
        content=content,
        type="result",
        key=("batch", name),
        version=1,
        digest=sha256(content).digest(),
        entry_id=f"entry-{name}",
        journal=f"journal-{name}",
    )


def ledger_entries(name: str, count: int) -> list[NewLedgerEntry]:
    return [ledger_entry(f"{name}-{at}") for at in range(count)]


def journal_entry(name: str, length: int = 200) -> NewJournalEntry:
    content = content_of(name, length)
    return NewJournalEntry(
        content=content,
        type="result",
        key=("batch", name),
        version=1,
        digest=sha256(content).digest(),
        entry_id=f"entry-{name}",
        source="lims",
    )


def held_item(name: str) -> HeldItem:
    return HeldItem(
        id=name,
        type="result",
        key=("batch", name),
        path="/value",
        text="7,2*",
        finding=content_of(f"finding {name}", 80),
        template=b"{}",
        origins=b"[]",
        source="lims",
        import_id="import-1",
    )


def import_row(name: str) -> ImportRow:
    return ImportRow(
        id=name,
        file=f"{name}.csv",
        sha256=sha256(name.encode()).hexdigest(),
        mapping="m-1",
        time=NOTE.time,
        by=NOTE.by,
        row_keys=("1", "2"),
        findings=(b"{}",),
    )


def person(name: str) -> Person:
    return Person(person=name, name=content_of(name, 120).decode(), roles=("writer",))


def open_ledgers(folder: Path, vfs: str | None = None) -> Ledgers:
    """An agreement's store in which both ledgers are pinned."""
    store = Ledgers(folder, vfs=vfs, place=b"here")
    store.add_ledger(OWN, is_own=True, origin=OWN_ORIGIN, key=OWN_KEY.public)
    store.add_ledger(PARTNERS, is_own=False, origin=PARTNERS_ORIGIN, key=PARTNERS_KEY.public)
    return store


def taken(frontier: Frontier, entries: Sequence[NewLedgerEntry]) -> Taken:
    """A partner's entries as they are handed over once checked."""
    leaves = [leaf_hash(entry.content) for entry in entries]
    after = frontier.extend(leaves)
    note = note_of(PARTNERS_ORIGIN, PARTNERS_KEY, after.size, after.root())
    return Taken(
        ledger=PARTNERS,
        first=frontier.size,
        entries=[entry.content for entry in entries],
        leaves=leaves,
        frontier=after,
        checkpoint=CheckpointRow(size=after.size, root=after.root(), note=note),
        heads=[replace(entry, journal="") for entry in entries],
    )


def everything(database: Database) -> dict[str, list[Row]]:
    """The full content of a database, table by table."""
    tables = database.rows("select name from sqlite_schema where type = 'table' order by name")
    return {
        str(name): database.rows(f"select * from {name} order by 1, 2")  # noqa: S608 - a table of ours
        for (name,) in tables
    }
