from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from fedbatch.store.audit import START, audit_rows, chain_link, verify_audit, write_audit
from fedbatch.store.database import AUDIT_TABLE, Database
from tests.unit.store.making import NOTE

NOTES = [replace(NOTE, detail=f"{at} results", reason=f"reason {at}") for at in range(5)]


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "trail.sqlite", (AUDIT_TABLE,)) as database:
        with database.writing():
            for note in NOTES:
                write_audit(database, note)
        yield database


def change(database: Database, sql: str) -> list[str]:
    with database.writing():
        database.execute(sql)
    return verify_audit(database)


def test_link_is_as_specified() -> None:
    previous, content = b"p" * 32, b"entry"
    assert bytes(32) == START
    assert (
        chain_link(previous, 258, content)
        == sha256(b"\0" + previous + b"\0\0\0\0\0\0\1\2" + content).digest()
    )


def test_trail_is_read_in_order_and_verifies(trail: Database) -> None:
    assert audit_rows(trail) == NOTES
    assert verify_audit(trail) == []


@pytest.mark.parametrize("column", ["act", "by", "time", "detail", "reason"])
def test_any_word_changed_is_located(trail: Database, column: str) -> None:
    found = change(trail, f"update audit set {column} = 'other' where position = 2")  # noqa: S608 - a constant
    assert found == ["audit entry 2: changed, missing or moved"]


def test_words_moved_from_one_column_to_the_next_are_located(trail: Database) -> None:
    found = change(
        trail, "update audit set detail = '', reason = '3 resultsreason 3' where position = 3"
    )
    assert found == ["audit entry 3: changed, missing or moved"]


def test_entry_taken_out_is_located(trail: Database) -> None:
    assert "audit entry 2: changed, missing or moved" in change(
        trail, "delete from audit where position = 2"
    )


def test_entry_put_in_is_located(trail: Database) -> None:
    found = change(trail, "insert into audit values (5, 'a', 'b', 't', '', '', zeroblob(32))")
    assert found == ["audit entry 5: changed, missing or moved"]


def test_link_changed_is_located(trail: Database) -> None:
    found = change(trail, "update audit set link = zeroblob(32) where position = 1")
    assert found[0] == "audit entry 1: changed, missing or moved"
