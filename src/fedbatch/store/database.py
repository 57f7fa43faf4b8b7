"""SQLite as evidence needs it: WAL, `synchronous=FULL`, one writer, migrations in transactions.

For evidence there is no setting for less: with `synchronous=NORMAL` a power cut lost promised rows
in 530 of 600 simulated cuts, with FULL in none. A sync that failed is never tried again: the
connection is poisoned and takes nothing more until it is opened anew and verified. Views alone,
which can be rebuilt, are not synced.

SQLite's own check misses nearly every flipped bit of content. What no chain or tree covers lies in
tables whose last column is `row_hash`, and `find_damage` hashes every such row again.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import apsw

from fedbatch.errors import (
    BusyError,
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    StoreError,
)
from fedbatch.store.objects import DISK, path_aside
from fedbatch.store.room import NO_ROOM, has_no_room, unwritten

__all__ = ["AUDIT_TABLE", "Database", "Row", "check_sqlite_version", "row_hash"]

# What a column holds is said by its strict table, which mypy cannot read.
Row = tuple[Any, ...]

# SQLite's WAL-reset corruption: fixed in 3.51.3; https://www.sqlite.org/wal.html#walresetbug
_SAFE_VERSION = (3, 51, 3)
_PAGE_BYTES_MIN = 512
_NO_WRITING = " The folder may not be written to by this user: reading needs it too, for the log."
_BUSY_MS = 10_000
_BACK_OFF_S = 1.0
# What reading damaged bytes can raise: text that is no UTF-8, a number where bytes were, no such row.
_DAMAGE = (ValueError, TypeError, LookupError, OverflowError)
_SCHEMA = "select type, name, tbl_name, sql from sqlite_schema order by type, name"

AUDIT_TABLE = """
create table audit (
    position integer primary key, act text not null, by text not null, time text not null,
    detail text not null, reason text not null, link blob not null
) strict;
"""


def check_sqlite_version(version: str) -> None:
    """Refuse a SQLite that can corrupt a WAL database with several writers.

    Raises:
        InputError: the version is affected.
    """
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < _SAFE_VERSION:
        raise InputError(
            "SQLite 3.51.3 or newer", where="apsw", found=version, code="store.sqlite_version"
        )


def row_hash(table: str, values: Sequence[Any]) -> bytes:
    """SHA-256 over a table's name and a row's values, each with its type and length, in order."""
    # `ascii` writes bytes, texts and integers apart and without ambiguity, at C speed.
    return hashlib.sha256(ascii((table, *values)).encode("ascii")).digest()


class Database:
    """One database file with its migrations. Open lazily, close when done; not shared by threads."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        vfs: str | None = None,
        is_evidence: bool = True,
    ) -> None:
        check_sqlite_version(apsw.sqlite_lib_version())
        self._path = path
        self._migrations = migrations
        self._poisoned = ""
        try:
            if is_evidence:
                self._check_beginning(vfs)
            self._open(path, vfs, "FULL" if is_evidence else "OFF")
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._translated(error) from error
        except OSError as error:
            if error.errno in NO_ROOM:
                raise unwritten(error, path.parent, path.name) from error
            raise StoreError(f"{path.name} could not be opened: {error.strerror}") from error

    def _open(self, path: Path, vfs: str | None, synchronous: str) -> None:
        self._connection = apsw.Connection(str(path), vfs=vfs)
        self._prepare(synchronous)
        self._migrate(self._migrations)

    def _check_beginning(self, vfs: str | None) -> None:
        """Make the file where there is none; SQLite would take an emptied one for a new one."""
        if not self._path.exists():
            self._create(vfs)
        elif self._path.stat().st_size < _PAGE_BYTES_MIN:
            raise IntegrityError(f"{self._path.name} is damaged: cut off", code="store.damaged")

    def _create(self, vfs: str | None) -> None:
        """Make the file whole, aside, then name it: no cut or kill leaves an empty one behind."""
        aside = path_aside(self._path)
        for left in aside.parent.glob(f"{aside.name}*"):
            left.unlink()
        self._open(aside, vfs, "FULL")
        self._connection.close()
        DISK.name_once(aside, self._path)
        DISK.sync_folder(self._path.parent)

    def _prepare(self, synchronous: str) -> None:
        self._connection.set_busy_timeout(_BUSY_MS)
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "mmap_size=0",
            "secure_delete=ON",
            "cell_size_check=ON",
            "wal_autocheckpoint=8192",
            "cache_size=-65536",
        ):
            self._connection.execute(f"pragma {pragma}").fetchall()

    def _migrate(self, migrations: Sequence[str]) -> None:
        """Bring an older file up to date, a step a transaction: old or new, never between."""
        version = self._connection.pragma("user_version")
        if version > len(migrations):
            raise InputError(
                f"a store of version {len(migrations)} or older",
                where=self._path.name,
                found=f"version {version}",
                advice="A newer Fedbatch wrote it; use that one.",
                code="store.version",
            )
        for number in range(version, len(migrations)):
            with self.writing():
                if self._connection.pragma("user_version") == number:
                    self._connection.execute(migrations[number])
                    self._connection.pragma("user_version", number + 1)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction that may write: all of it is durable at its end, or none of it happened."""
        self._check_poison()
        try:
            self._connection.execute("begin immediate")
        except apsw.Error as error:
            raise self._translated(error) from error
        try:
            yield
            self._connection.execute("commit")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, apsw.Error):
                raise self._translated(error) from error
            raise

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except apsw.Error as error:
            self._poisoned = str(error)

    def _check_poison(self) -> None:
        if self._poisoned:
            raise StoreError(
                f"{self._path.name} takes nothing more until the node is started again: {self._poisoned}"
            )

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Every row of a query."""
        try:
            return list(self._connection.execute(sql, tuple(values)))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._translated(error) from error

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement inside `writing`."""
        self._connection.execute(sql, tuple(values))

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row inside `writing`."""
        self._connection.executemany(sql, rows)

    def insert(
        self,
        table: str,
        rows: Sequence[Sequence[Any]],
        *,
        conflict: Literal["abort", "ignore", "replace"] = "abort",
    ) -> None:
        """Insert whole rows, each with its hash as the last column, inside `writing`."""
        if not rows:
            return
        marks = ", ".join("?" * (len(rows[0]) + 1))
        self.execute_many(
            f"insert or {conflict} into {table} values ({marks})",  # noqa: S608 - a table of ours
            [(*row, row_hash(table, row)) for row in rows],
        )

    def update(self, table: str, key: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Change the one row of a key, and its hash, inside `writing`; no such row is a no-op."""
        chosen = " and ".join(f"{name} = ?" for name in key)
        found = self.row(f"select * from {table} where {chosen}", tuple(key.values()))  # noqa: S608 - names of ours
        if found is None:
            return
        names = [str(row[0]) for row in self.rows("select name from pragma_table_info(?)", [table])]
        row = [changes.get(name, value) for name, value in zip(names, found, strict=True)][:-1]
        setting = ", ".join(f"{name} = ?" for name in changes)
        self.execute(
            f"update {table} set {setting}, row_hash = ? where {chosen}",  # noqa: S608 - names of ours
            (*changes.values(), row_hash(table, row), *key.values()),
        )

    def fold_log(self) -> None:
        """Fold the write-ahead log into the database and empty it, as far as no reader needs it."""
        self.rows("pragma wal_checkpoint(TRUNCATE)")

    def data_version(self) -> int:
        """Changes when another process has written."""
        return int(self.rows("pragma data_version")[0][0])

    def find_damage(self, *checks: Callable[[], list[str]]) -> list[str]:
        """What is wrong in this file, place by place: by SQLite's check, by hashes, by `checks`.

        Each check stands alone, so that damage in one place hides none in another; whatever reading
        raises is damage.
        """
        wrong: list[str] = []
        try:
            with self._reading():
                for check in (self._check_structure, self._check_schema, self._check_rows, *checks):
                    wrong += self._try_check(check)
        except FedbatchError as error:
            wrong.append(str(error))
        return wrong

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Show one instant to several queries, whatever other processes write meanwhile."""
        self.rows("begin")
        try:
            yield
        finally:
            self._roll_back()

    def _try_check(self, check: Callable[[], list[str]]) -> list[str]:
        try:
            return check()
        except FedbatchError as error:  # names the file itself
            return [str(error)]
        except _DAMAGE as error:
            return [f"{self._path.name}: could not be read: {error}"]

    def _check_structure(self) -> list[str]:
        found = [str(row[0]) for row in self.rows("pragma integrity_check")]
        return [] if found == ["ok"] else [f"{self._path.name}: {text}" for text in found]

    def _new(self) -> apsw.Connection:
        """An empty database as the migrations make it, to compare with."""
        fresh = apsw.Connection(":memory:")
        for migration in self._migrations:
            fresh.execute(migration)
        return fresh

    def _check_schema(self) -> list[str]:
        expected = list(self._new().execute(_SCHEMA))
        if self.rows(_SCHEMA) == expected:
            return []
        return [f"{self._path.name}: tables differ from those of version {len(self._migrations)}"]

    def _check_rows(self) -> list[str]:
        columns = self._new().execute(
            "select s.name, c.name, c.pk from sqlite_schema s, pragma_table_info(s.name) c"
            " where s.type = 'table' order by s.name, c.cid"
        )
        tables: dict[str, list[tuple[str, int]]] = {}
        for table, column, place in columns:
            tables.setdefault(str(table), []).append((str(column), int(place)))
        wrong = []
        for table, described in tables.items():
            if described[-1][0] == "row_hash":
                keys = [at for at, (_, place) in enumerate(described) if place]
                wrong += self._find_changed_rows(table, keys)
        return wrong

    def _find_changed_rows(self, table: str, keys: Sequence[int]) -> list[str]:
        """Rows of a table whose values are not those hashed; `keys`: columns that name a row."""
        wrong = []
        try:
            for *row, kept in self.rows(f"select * from {table}"):  # noqa: S608 - a table of ours
                if row_hash(table, row) != kept:
                    place = " ".join(str(row[at]) for at in keys)
                    wrong.append(f"{table} {place}: changed")
        except (FedbatchError, *_DAMAGE) as error:
            wrong.append(f"{table}: could not be read: {error}")
        return wrong

    def close(self) -> None:
        """Close the file; its WAL is folded in."""
        try:
            self._connection.close()
        except apsw.Error as error:
            raise self._translated(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _translated(self, error: apsw.Error | UnicodeDecodeError) -> FedbatchError:
        name = self._path.name
        if isinstance(error, apsw.BusyError | apsw.LockedError):
            message = f"{name} is being written by another process"
            return BusyError(message, retry_after_s=_BACK_OFF_S, code="store.busy")
        if isinstance(error, apsw.ConstraintError):
            return ConflictError(f"{name}: {error}", code="store.constraint")
        if isinstance(error, apsw.CorruptError | apsw.NotADBError | UnicodeDecodeError):
            return IntegrityError(f"{name} is damaged: {error}", code="store.damaged")
        if isinstance(error, apsw.IOError | apsw.FullError | apsw.NoMemError | apsw.CantOpenError):
            self._poisoned = str(error)
            folder = self._path.parent
            if isinstance(error, apsw.FullError) or has_no_room(folder):
                return StoreError(
                    f"No room is left in {folder}: {name} could not be written. {error}.",
                    code="store.full",
                )
            advice = "" if os.access(folder, os.W_OK) else _NO_WRITING
            return StoreError(f"{name} could not be read or written: {error}.{advice}")
        return StoreError(f"{name}: {error}")
