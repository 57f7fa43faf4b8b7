"""The journal on disk: a hash chain of entries, their heads, what is held back, what was imported."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import msgspec

from fedbatch.errors import InputError
from fedbatch.ports import AuditNote, Followed, HeldItem, ImportRow, JournalHead, NewJournalEntry
from fedbatch.standard import canonical
from fedbatch.standard.journals import JournalEntry
from fedbatch.store.audit import START, audit_rows, chain_link, verify_audit, write_audit
from fedbatch.store.database import AUDIT_TABLE, Database, Row

__all__ = ["Journal", "key_text", "text_key"]

_MIGRATIONS = (
    f"""
{AUDIT_TABLE}
create table entry (
    idx integer primary key, entry_id text not null unique, content blob not null, link blob not null,
    row_hash blob not null
) strict;
create table head (
    type text not null, key text not null, idx integer not null, version integer not null,
    digest blob not null, entry_id text not null, source text not null, withdrawn integer not null,
    row_hash blob not null, primary key (type, key)
) strict, without rowid;
create table held (
    id text primary key, type text not null, key text not null, path text not null,
    text text not null, finding blob not null, template blob not null, origins blob not null,
    source text not null, import_id text not null, state text not null, decision text not null,
    row_hash blob not null
) strict, without rowid;
create index held_key on held (type, key, path) where state = 'open';
create table imported (
    position integer primary key, id text not null unique, file text not null, sha256 text not null,
    mapping text not null, time text not null, by text not null, row_keys blob not null,
    findings blob not null, row_hash blob not null
) strict;
""",
    """
create table followed (
    path text primary key, offset integer not null, header_sha256 text not null,
    row_hash blob not null
) strict, without rowid;
create table heard (
    source text primary key, time text not null, row_hash blob not null
) strict, without rowid;
""",
    # Files that were followed without what knows them again are read from their start: equal points
    # are no-ops.
    """
drop table followed;
create table followed (
    path text primary key, source text not null, offset integer not null, rows integer not null,
    header_sha256 text not null, seen_sha256 text not null, row_hash blob not null
) strict, without rowid;
create index head_idx on head (idx);
""",
)
_ROWS_AT_ONCE = 4096
_HEAD = "type, key, idx, version, digest, head.entry_id, source, withdrawn"


def key_text(key: tuple[str, ...]) -> str:
    """A business key as one text, without ambiguity."""
    return "\x1f".join(key)


def text_key(text: str) -> tuple[str, ...]:
    """The key that `key_text` wrote."""
    return tuple(text.split("\x1f"))


def _head(row: Row) -> JournalHead:
    type_, key, index, version, digest, entry_id, source, gone = row
    return JournalHead(type_, text_key(key), index, version, digest, entry_id, source, bool(gone))


def _parsed(index: int, content: bytes) -> JournalEntry:
    return canonical.parse(bytes(content), JournalEntry, f"journal entry {index}")


class Journal:
    """A party's own record of what it took in."""

    def __init__(self, folder: Path, *, vfs: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._database = Database(folder / "journal.sqlite", _MIGRATIONS, vfs=vfs)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # ---- writing

    def append(
        self,
        entries: Sequence[NewJournalEntry],
        note: AuditNote | None,
        *,
        held: Sequence[HeldItem] = (),
        closed: Sequence[str] = (),
        imported: ImportRow | None = None,
        followed: Followed | None = None,
    ) -> int:
        """Append entries with their heads, what is held back and the import, in one transaction.

        Points get no head: there is one of them a second, and none has a second version.
        """
        database = self._database
        with database.writing():
            last = database.row("select idx, link from entry order by idx desc limit 1")
            first, link = (int(last[0]) + 1, bytes(last[1])) if last else (0, START)
            rows = []
            for index, entry in enumerate(entries, first):
                link = chain_link(link, index, entry.content)
                rows.append((index, entry.entry_id, entry.content, link))
            database.insert("entry", rows)
            heads = [
                _head_row(index, entry)
                for index, entry in enumerate(entries, first)
                if entry.type != "points"
            ]
            database.insert("head", heads, conflict="replace")
            self._write_held(held, closed)
            if imported is not None:
                self._write_import(imported)
            if followed is not None:
                database.insert("followed", [astuple(followed)], conflict="replace")
            if note is not None:
                write_audit(database, note)
        return first

    def _write_held(self, held: Sequence[HeldItem], closed: Sequence[str]) -> None:
        self._database.insert(
            "held",
            [
                (
                    item.id,
                    item.type,
                    key_text(item.key),
                    item.path,
                    item.text,
                    item.finding,
                    item.template,
                    item.origins,
                    item.source,
                    item.import_id,
                    item.state,
                    item.decision,
                )
                for item in held
            ],
            conflict="ignore",
        )
        for id_ in closed:
            self._database.update(
                "held", {"id": id_}, {"state": "closed", "decision": "supplied later"}
            )

    def _write_import(self, row: ImportRow) -> None:
        last = self._database.row("select coalesce(max(position), 0) from imported")
        position = int(last[0]) + 1 if last else 1
        row_keys = canonical.encode(row.row_keys)
        findings = canonical.encode([item.decode() for item in row.findings])
        about = (row.id, row.file, row.sha256, row.mapping, row.time, row.by)
        self._database.insert("imported", [(position, *about, row_keys, findings)])

    def decide(self, id: str, decision: str, note: AuditNote) -> None:  # noqa: A002 - the item's id
        """Mark a held-back item as decided."""
        with self._database.writing():
            open_ = self._database.row("select 1 from held where id = ? and state = 'open'", (id,))
            if open_ is None:
                raise InputError("an item that is held back", found=id, code="held.unknown")
            self._database.update("held", {"id": id}, {"state": "decided", "decision": decision})
            write_audit(self._database, note)

    # ---- reading

    def heads(self, types: Sequence[str] = ()) -> dict[tuple[str, tuple[str, ...]], JournalHead]:
        """The newest version of every record, of some types or all."""
        chosen = f" where type in ({', '.join('?' * len(types))})" if types else ""
        sql = f"select {_HEAD} from head{chosen}"  # noqa: S608 - constants and question marks
        heads = map(_head, self._database.rows(sql, types))
        return {(head.type, head.key): head for head in heads}

    def find_head(self, type_: str, key: tuple[str, ...]) -> JournalHead | None:
        """The newest version of one record, or None."""
        sql = f"select {_HEAD} from head where type = ? and key = ?"  # noqa: S608 - constants
        row = self._database.row(sql, (type_, key_text(key)))
        return _head(row) if row else None

    def newest_record(self) -> int:
        """The index of the newest entry that is no point; -1 where there is none."""
        row = self._database.row("select coalesce(max(idx), -1) from head")
        return int(row[0]) if row else -1

    def standing(self, types: Sequence[str]) -> list[tuple[JournalHead, JournalEntry]]:
        """Every record of some types that was not taken back, in the order of the journal."""
        chosen = f"type in ({', '.join('?' * len(types))}) and withdrawn = 0"
        sql = (
            f"select {_HEAD}, content from head join entry using (idx) where {chosen} order by idx"  # noqa: S608 - constants and question marks
        )
        return [
            (_head(row[:-1]), _parsed(int(row[2]), row[-1]))
            for row in self._database.rows(sql, types)
        ]

    def read(self, index: int) -> JournalEntry:
        """The entry at an index."""
        row = self._database.row("select content from entry where idx = ?", (index,))
        if row is None:
            raise InputError("an index of the journal", found=str(index), code="journal.index")
        return _parsed(index, row[0])

    def read_entry(self, entry_id: str) -> JournalEntry:
        """The entry of an id."""
        row = self._database.row("select idx from entry where entry_id = ?", (entry_id,))
        if row is None:
            raise InputError("an entry of the journal", found=entry_id, code="journal.entry")
        return self.read(row[0])

    def size(self) -> int:
        """How many entries there are."""
        row = self._database.row("select coalesce(max(idx) + 1, 0) from entry")
        return int(row[0]) if row else 0

    def scan(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Every entry's bytes from an index on, in order."""
        while True:
            rows = self._database.rows(
                "select idx, content from entry where idx >= ? order by idx limit ?",
                (start, _ROWS_AT_ONCE),
            )
            yield from rows
            if len(rows) < _ROWS_AT_ONCE:
                return
            start = int(rows[-1][0]) + 1

    def held(self, *, only_open: bool = True) -> list[HeldItem]:
        """What is held back, in the order of their ids."""
        chosen = " where state = 'open'" if only_open else ""
        rows = self._database.rows(f"select * from held{chosen} order by id")  # noqa: S608 - a constant
        return [
            HeldItem(
                id=str(row[0]),
                type=str(row[1]),
                key=text_key(str(row[2])),
                path=str(row[3]),
                text=str(row[4]),
                finding=bytes(row[5]),
                template=bytes(row[6]),
                origins=bytes(row[7]),
                source=str(row[8]),
                import_id=str(row[9]),
                state=str(row[10]),
                decision=str(row[11]),
            )
            for row in rows
        ]

    def imports(self) -> list[ImportRow]:
        """Every file taken in, in order."""
        rows = self._database.rows(
            "select id, file, sha256, mapping, time, by, row_keys, findings from imported order by position"
        )
        return [
            ImportRow(
                id=str(row[0]),
                file=str(row[1]),
                sha256=str(row[2]),
                mapping=str(row[3]),
                time=str(row[4]),
                by=str(row[5]),
                row_keys=msgspec.json.decode(bytes(row[6]), type=tuple[str, ...]),
                findings=tuple(
                    item.encode()
                    for item in msgspec.json.decode(bytes(row[7]), type=tuple[str, ...])
                ),
            )
            for row in rows
        ]

    def hear(self, source: str, time: str) -> None:
        """A source was looked at and says what it said before."""
        with self._database.writing():
            self._database.insert("heard", [(source, time)], conflict="replace")

    def heard(self) -> dict[str, str]:
        """When each source that tells what units carry was last looked at."""
        rows = self._database.rows("select source, time from heard")
        return {str(source): str(time) for source, time in rows}

    def followed(self, path: str) -> Followed | None:
        """How far a growing file was taken in, or None."""
        row = self._database.row("select * from followed where path = ?", (path,))
        if row is None:
            return None
        path, source, offset, rows, header_sha256, seen_sha256, _ = row
        return Followed(
            path=path,
            source=source,
            offset=offset,
            rows=rows,
            header_sha256=header_sha256,
            seen_sha256=seen_sha256,
        )

    def followed_files(self, source: str) -> list[str]:
        """The paths of the growing files of a source, in their order."""
        rows = self._database.rows(
            "select path from followed where source = ? order by path", [source]
        )
        return [str(path) for (path,) in rows]

    def audit(self) -> list[AuditNote]:
        """The trail of what was done here."""
        return audit_rows(self._database)

    def head_link(self) -> str:
        """The newest link of the chain, for backups kept apart."""
        row = self._database.row("select link from entry order by idx desc limit 1")
        return bytes(row[0]).hex() if row else START.hex()

    def verify(self) -> list[str]:
        """What is wrong with the chain, place by place; empty when all is well."""
        database = self._database
        return database.find_damage(self._verify_chain, lambda: verify_audit(database))

    def _verify_chain(self) -> list[str]:
        wrong = []
        previous = START
        rows = self._database.rows("select idx, content, link from entry order by idx")
        for expected, (index, content, link) in enumerate(rows):
            here = chain_link(previous, expected, bytes(content))
            if index != expected or here != link:
                wrong.append(f"journal entry {expected}: changed, missing or moved")
            previous = bytes(link)
        return wrong


def _head_row(index: int, entry: NewJournalEntry) -> tuple[object, ...]:
    return (
        entry.type,
        key_text(entry.key),
        index,
        entry.version,
        entry.digest,
        entry.entry_id,
        entry.source,
        int(entry.is_withdrawn),
    )
