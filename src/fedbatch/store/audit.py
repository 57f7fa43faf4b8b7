"""The audit trail: entries in the database of what they describe, chained by hash."""

import hashlib

from fedbatch.ports import AuditNote
from fedbatch.standard import canonical
from fedbatch.store.database import Database

__all__ = ["START", "audit_rows", "chain_link", "verify_audit", "write_audit"]

START = bytes(32)


def chain_link(previous: bytes, index: int, content: bytes) -> bytes:
    """H(00 ‖ previous ‖ index ‖ entry), TRUST §1.1; index as 8 bytes, big-endian."""
    return hashlib.sha256(b"\x00" + previous + index.to_bytes(8, "big") + content).digest()


def _content(note: AuditNote) -> bytes:
    return canonical.encode([note.act, note.by, note.time, note.detail, note.reason])


def write_audit(database: Database, note: AuditNote) -> None:
    """Add an act to the trail, inside the transaction of what it describes."""
    last = database.row("select position, link from audit order by position desc limit 1")
    position, previous = (int(last[0]) + 1, bytes(last[1])) if last else (0, START)
    link = chain_link(previous, position, _content(note))
    database.execute(
        "insert into audit values (?, ?, ?, ?, ?, ?, ?)",
        (position, note.act, note.by, note.time, note.detail, note.reason, link),
    )


def audit_rows(database: Database) -> list[AuditNote]:
    """The whole trail, oldest first."""
    rows = database.rows("select act, by, time, detail, reason from audit order by position")
    return [
        AuditNote(act=str(a), by=str(b), time=str(t), detail=str(d), reason=str(r))
        for a, b, t, d, r in rows
    ]


def verify_audit(database: Database) -> list[str]:
    """Where the chain of the trail breaks."""
    previous = START
    wrong = []
    rows = database.rows(
        "select position, act, by, time, detail, reason, link from audit order by position"
    )
    for expected, (position, act, by, time, detail, reason, link) in enumerate(rows):
        note = AuditNote(
            act=str(act), by=str(by), time=str(time), detail=str(detail), reason=str(reason)
        )
        previous = chain_link(previous, expected, _content(note))
        if position != expected or link != previous:
            wrong.append(f"audit entry {expected}: changed, missing or moved")
            previous = bytes(link)
    return wrong
