from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedbatch.errors import BusyError, ConflictError, InputError, IntegrityError, StoreError
from fedbatch.store import database as module
from fedbatch.store.database import Database, check_sqlite_version, row_hash

PARTS = """
create table part (
    name text primary key, size integer not null, row_hash blob not null
) strict, without rowid;
"""
MIGRATIONS = (PARTS,)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parts.sqlite"


def names(database: Database) -> list[str]:
    return [str(name) for (name,) in database.rows("select name from part")]


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.0", "2.8.17"])
def test_sqlite_that_can_corrupt_a_wal_is_refused(version: str) -> None:
    with pytest.raises(InputError, match=r"3\.51\.3") as caught:
        check_sqlite_version(version)
    assert caught.value.code == "store.sqlite_version"


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0.0"])
def test_sqlite_from_the_mended_version_on_is_taken(version: str) -> None:
    check_sqlite_version(version)


def test_evidence_is_synced_in_full_and_views_are_not(path: Path) -> None:
    with Database(path, MIGRATIONS) as database:
        assert database.rows("pragma synchronous") == [(2,)]
        assert database.rows("pragma journal_mode") == [("wal",)]
        assert database.rows("pragma secure_delete") == [(1,)]
    with Database(path.with_name("views.sqlite"), MIGRATIONS, is_evidence=False) as database:
        assert database.rows("pragma synchronous") == [(0,)]


def insert_and_fail(database: Database) -> None:
    with database.writing():
        database.insert("part", [("gone", 1)])
        raise KeyError


def test_transaction_that_raises_leaves_nothing(path: Path) -> None:
    with Database(path, MIGRATIONS) as database:
        with database.writing():
            database.insert("part", [("kept", 1)])
        with pytest.raises(KeyError):
            insert_and_fail(database)
        assert names(database) == ["kept"]
        with database.writing():
            database.insert("part", [("after", 1)])
        assert names(database) == ["after", "kept"]


def test_constraint_is_a_conflict_and_undoes_the_whole_transaction(path: Path) -> None:
    with Database(path, MIGRATIONS) as database:
        with pytest.raises(ConflictError, match=r"parts\.sqlite"), database.writing():
            database.insert("part", [("one", 1), ("one", 2)])
        assert names(database) == []


def test_second_writer_is_told_to_come_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_MS", 10)
    with (
        Database(path, MIGRATIONS) as first,
        Database(path, MIGRATIONS) as second,
        first.writing(),
    ):
        with pytest.raises(BusyError) as caught, second.writing():
            pass
        assert caught.value.retry_after_s > 0
        assert caught.value.code == "store.busy"


def test_other_process_shows_in_the_data_version(path: Path) -> None:
    with Database(path, MIGRATIONS) as first, Database(path, MIGRATIONS) as second:
        before = first.data_version()
        with second.writing():
            second.insert("part", [("one", 1)])
        assert first.data_version() != before


def test_store_of_a_newer_version_is_refused(path: Path) -> None:
    newer = (*MIGRATIONS, "create table piece (name text primary key) strict;")
    Database(path, newer).close()
    with pytest.raises(InputError, match="newer Fedbatch") as caught:
        Database(path, MIGRATIONS)
    assert caught.value.code == "store.version"


def test_older_store_is_brought_up_to_date_once(path: Path) -> None:
    with Database(path, MIGRATIONS) as database, database.writing():
        database.insert("part", [("one", 1)])
    newer = (*MIGRATIONS, "create table piece (name text primary key) strict;")
    for _ in range(2):
        with Database(path, newer) as database:
            assert database.rows("select * from piece") == []
            assert names(database) == ["one"]
            assert database.find_damage() == []


def test_migration_that_fails_leaves_the_old_version(path: Path) -> None:
    Database(path, MIGRATIONS).close()
    broken = (*MIGRATIONS, "create table piece (name text) strict; create table piece (x);")
    with pytest.raises(StoreError):
        Database(path, broken)
    with Database(path, MIGRATIONS) as database:
        assert database.find_damage() == []


@pytest.mark.parametrize("left", [0, 1, 511])
def test_store_cut_off_is_damaged_and_never_new(path: Path, left: int) -> None:
    Database(path, MIGRATIONS).close()
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(IntegrityError, match="cut off"):
        Database(path, MIGRATIONS)


def test_file_that_is_no_database_is_damaged(path: Path) -> None:
    path.write_bytes(b"x" * 4096)
    with pytest.raises(IntegrityError, match=r"parts\.sqlite is damaged"):
        Database(path, MIGRATIONS)


def test_making_a_store_leaves_nothing_aside(path: Path) -> None:
    Database(path, MIGRATIONS).close()
    assert [item.name for item in path.parent.iterdir()] == ["parts.sqlite"]


def test_folder_that_is_missing_is_a_failing_store(path: Path) -> None:
    with pytest.raises(StoreError):
        Database(path / "missing" / "parts.sqlite", MIGRATIONS)


def test_wrong_statement_is_a_store_error(path: Path) -> None:
    with Database(path, MIGRATIONS) as database:
        with pytest.raises(StoreError):
            database.rows("select * from nowhere")
        with pytest.raises(StoreError), database.writing():
            database.execute("insert into nowhere values (1)")


def test_update_changes_one_row_and_its_hash(path: Path) -> None:
    with Database(path, MIGRATIONS) as database:
        with database.writing():
            database.insert("part", [("one", 1), ("two", 2)])
            database.update("part", {"name": "one"}, {"size": 7})
            database.update("part", {"name": "three"}, {"size": 9})
        assert database.rows("select name, size from part") == [("one", 7), ("two", 2)]
        assert database.find_damage() == []


def test_row_changed_behind_the_store_is_located(path: Path) -> None:
    with Database(path, MIGRATIONS) as database, database.writing():
        database.insert("part", [("one", 1), ("two", 2)])
    apsw.Connection(str(path)).execute("update part set size = 3 where name = 'two'")
    with Database(path, MIGRATIONS) as database:
        assert database.find_damage() == ["part two: changed"]


def test_table_added_behind_the_store_is_found(path: Path) -> None:
    Database(path, MIGRATIONS).close()
    apsw.Connection(str(path)).execute("create table other (x)")
    with Database(path, MIGRATIONS) as database:
        assert database.find_damage() == [
            "parts.sqlite: tables differ from those of version 1",
        ]


def test_whatever_a_check_raises_is_a_finding_and_hides_no_other(path: Path) -> None:
    def stumble() -> list[str]:
        return [str(int("no number"))]

    with Database(path, MIGRATIONS) as database:
        stumbled, named = database.find_damage(stumble, lambda: ["entry 7: changed"])
    assert "could not be read" in stumbled
    assert named == "entry 7: changed"


VALUES = st.lists(st.one_of(st.text(), st.binary(), st.integers()), max_size=4)


@given(VALUES, VALUES)
def test_rows_share_a_hash_only_if_they_are_equal(one: list[object], other: list[object]) -> None:
    is_same = [(type(value), value) for value in one] == [(type(value), value) for value in other]
    assert (row_hash("part", one) == row_hash("part", other)) == is_same
    assert row_hash("piece", one) != row_hash("part", one)
