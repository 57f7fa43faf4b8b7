"""Views: tables for pages, commands and exports, folded from both ledgers of one agreement.

A view may be dropped at any time; folding the ledgers again gives the same content. The fold is
incremental: each ledger has a cursor, moved in the transaction of the rows it led to. Nothing here is
evidence, so the database is not synced at every commit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedbatch.errors import InputError
from fedbatch.standard import keys, records
from fedbatch.standard.envelope import Statement, read_entry
from fedbatch.standard.values import Time, named_key
from fedbatch.store.database import Database, Row
from fedbatch.store.journal import key_text
from fedbatch.store.ledgers import Ledgers

__all__ = ["RESULT_COLUMNS", "Views"]

RESULT_COLUMNS = (
    "ledger",
    "idx",
    "entry_id",
    "version",
    "batch",
    "code",
    "role",
    "source",
    "form",
    "attempt",
    "replicate",
    "sample",
    "step",
    "observed_at",
    "kind",
    "number",
    "comparator",
    "unit",
    "text",
    "absent",
    "raw",
    "value_status",
)
_FOLD_AT_ONCE = 8192
_MIGRATIONS = (
    """
create table cursor (ledger text primary key, size integer not null) strict, without rowid;
create table record (
    ledger text not null, type text not null, key text not null, idx integer not null,
    version integer not null, entry_id text not null, withdrawn integer not null,
    primary key (ledger, type, key)
) strict, without rowid;
create table result (
    ledger text not null, key text not null, idx integer not null, entry_id text not null,
    version integer not null, batch text not null, code text not null, role text not null,
    source text not null, form text not null, attempt integer not null, replicate integer not null,
    sample text not null, step text not null, observed_at text not null, kind text not null,
    number text, comparator text, unit text, text text, absent text, raw text,
    value_status text not null, primary key (ledger, key)
) strict, without rowid;
create index result_entry on result (entry_id);
create table batch (
    ledger text not null, batch text not null, idx integer not null, entry_id text not null,
    version integer not null, product text not null, start text not null, end text not null,
    start_text text not null, end_text text not null,
    state text not null, size text not null, first integer not null, primary key (ledger, batch)
) strict, without rowid;
create table identifier (
    ledger text not null, batch text not null, system text not null, value text not null,
    primary key (ledger, batch, system, value)
) strict, without rowid;
create table carried (
    ledger text not null, transformation text not null, position integer not null,
    direction text not null, batch text not null, lot text not null, product text not null,
    use text not null, primary key (ledger, transformation, direction, position)
) strict, without rowid;
create table lot (
    ledger text not null, lot text not null, idx integer not null, product text not null,
    number text not null, primary key (ledger, lot)
) strict, without rowid;
""",
)


@dataclass(slots=True)
class _Rows:
    """Rows on their way into the tables."""

    record: list[Row]
    result: dict[str, Row]
    batch: list[Row]
    identifier: list[Row]
    carried: list[Row]
    lot: list[Row]
    status: list[Row]
    gone: list[Row]


class Views:
    """The views of one agreement."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "views.sqlite"
        self._database = Database(self._path, _MIGRATIONS, is_evidence=False)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def drop(self) -> None:
        """Forget everything; the next `catch_up` folds it anew."""
        with self._database.writing():
            for table in ("cursor", "record", "result", "batch", "identifier", "carried", "lot"):
                self._database.execute(f"delete from {table}")  # noqa: S608 - our own names

    # ---- folding

    def catch_up(self, ledgers: Ledgers, report: Callable[[int], None] | None = None) -> int:
        """Fold what has come since the last time; how many entries that was."""
        folded = 0
        for row in ledgers.ledgers():
            start = self._cursor(row.ledger)
            if start > row.size:
                raise InputError("views of these ledgers", found="longer ones", code="view.ahead")
            while start < row.size:
                entries = ledgers.entries(row.ledger, start, _FOLD_AT_ONCE)
                self._fold(row.ledger, entries)
                start += len(entries)
                folded += len(entries)
                if report is not None:
                    report(folded)
        return folded

    def _cursor(self, ledger: str) -> int:
        row = self._database.row("select size from cursor where ledger = ?", (ledger,))
        return int(row[0]) if row else 0

    def _fold(self, ledger: str, entries: Sequence[tuple[int, bytes, bytes]]) -> None:
        rows = _Rows([], {}, [], [], [], [], [], [])
        for index, _, content in entries:
            if not content:
                continue
            try:
                statement = read_entry(content)
            except InputError:
                continue
            _fold_statement(ledger, index, statement, rows)
        with self._database.writing():
            self._write(ledger, rows)
            self._database.execute(
                "insert or replace into cursor values (?, ?)", (ledger, entries[-1][0] + 1)
            )

    def _write(self, ledger: str, rows: _Rows) -> None:
        many = self._database.execute_many
        many("insert or replace into record values (?, ?, ?, ?, ?, ?, ?)", rows.record)
        marks = ", ".join("?" * 23)
        many(f"insert or replace into result values ({marks})", list(rows.result.values()))  # noqa: S608 - question marks
        many(
            "insert into batch values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set"
            " idx = excluded.idx, entry_id = excluded.entry_id, version = excluded.version,"
            " product = excluded.product, start = excluded.start, end = excluded.end,"
            " start_text = excluded.start_text, end_text = excluded.end_text,"
            " state = excluded.state, size = excluded.size",
            rows.batch,
        )
        many("insert or replace into identifier values (?, ?, ?, ?)", rows.identifier)
        many("insert or replace into carried values (?, ?, ?, ?, ?, ?, ?, ?)", rows.carried)
        many("insert or replace into lot values (?, ?, ?, ?, ?)", rows.lot)
        many("update result set value_status = ? where entry_id = ?", rows.status)
        for entry_id, withdrawal in rows.gone:
            self._take_back(ledger, entry_id, withdrawal)

    def _take_back(self, ledger: str, entry_id: str, withdrawal: str) -> None:
        """A withdrawn record leaves the views; that it was there stays in `record`."""
        row = self._database.row(
            "select type, key from record where ledger = ? and entry_id = ?", (ledger, entry_id)
        )
        if row is None:
            return
        type_, key = row
        change = "update record set withdrawn = 1, entry_id = ?, version = version + 1"
        place = " where ledger = ? and type = ? and key = ?"
        self._database.execute(change + place, (withdrawal, ledger, type_, key))
        tables = {
            "result": "key",
            "batch": "batch",
            "lot": "lot",
            "transformation": "transformation",
        }
        if type_ in tables:
            table = "carried" if type_ == "transformation" else type_
            sql = f"delete from {table} where ledger = ? and {tables[type_]} = ?"  # noqa: S608 - our own names
            self._database.execute(sql, (ledger, key))
        if type_ == "batch":
            sql = "delete from identifier where ledger = ? and batch = ?"
            self._database.execute(sql, (ledger, key))

    # ---- reading

    def results(self, where: str = "", values: Sequence[Any] = ()) -> list[Row]:
        """Result rows in the order of RESULT_COLUMNS, oldest entry first."""
        columns = ", ".join(RESULT_COLUMNS)
        sql = f"select {columns} from result {where} order by ledger, idx"  # noqa: S608 - our own words
        return self._database.rows(sql, values)

    def batches(self) -> list[Row]:
        """Batch rows, oldest first.

        Columns: ledger, batch, idx, entry_id, version, product, start, end, start_text, end_text,
        state, size, first.
        """
        return self._database.rows("select * from batch order by ledger, first")

    def result_counts(self) -> dict[str, int]:
        """How many results each batch has."""
        return dict(self._database.rows("select batch, count(*) from result group by batch"))

    def identifiers(self) -> list[Row]:
        """ledger, batch, system, value of every batch."""
        return self._database.rows("select * from identifier")

    def carried(self) -> list[Row]:
        """ledger, transformation, position, direction, batch, lot, product, use."""
        return self._database.rows("select * from carried")

    def lots(self) -> list[Row]:
        """ledger, lot, idx, product, number."""
        return self._database.rows("select * from lot order by ledger, idx")

    def records(self, type_: str) -> list[Row]:
        """ledger, key, idx, version, entry_id, withdrawn of the newest version of a type's records."""
        return self._database.rows(
            "select ledger, key, idx, version, entry_id, withdrawn from record where type = ?"
            " order by ledger, idx",
            (type_,),
        )

    def counts(self) -> dict[str, int]:
        """How many records of each type stand."""
        sql = "select type, count(*) from record where withdrawn = 0 group by type order by type"
        return dict(self._database.rows(sql))

    def content(self) -> list[Row]:
        """Everything the views hold, for comparing two of them."""
        tables = ("cursor", "record", "result", "batch", "identifier", "carried", "lot")
        return [
            (table, *row)
            for table in tables
            for row in self._database.rows(f"select * from {table}")  # noqa: S608 - our own names
        ]


def _instant(time: Time | None) -> str:
    return time.instant if time is not None else ""


def _fold_statement(ledger: str, index: int, statement: Statement, rows: _Rows) -> None:
    heading, record = statement.heading, statement.record
    if statement.withdrawal is not None:
        rows.gone.append((str(statement.withdrawal.supersedes), heading.id))
        return
    if record is None:
        key: str = heading.id
        rows.record.append((ledger, heading.record_name, key, index, 1, heading.id, 0))
        return
    if isinstance(record, records.Result):
        source = heading.source.removeprefix("urn:fedbatch:source:")
        _fold_result(ledger, index, heading.id, source, record, rows)
        return
    key = key_text(keys.key_of(record, entry_id=heading.id))
    rows.record.append((ledger, heading.record_name, key, index, record.version, heading.id, 0))
    _fold_other(ledger, index, heading.id, record, rows)


def _fold_result(
    ledger: str, index: int, entry_id: str, source: str, record: records.Result, rows: _Rows
) -> None:
    key = key_text(keys.key_of(record, source=source))
    value = record.value
    rows.record.append((ledger, "result", key, index, record.version, entry_id, 0))
    rows.result[key] = (
        ledger,
        key,
        index,
        entry_id,
        record.version,
        named_key(record.batch) if record.batch is not None else "",
        record.code,
        record.role,
        source,
        record.form,
        record.attempt,
        record.replicate,
        named_key(record.sample) if record.sample is not None else "",
        named_key(record.step) if record.step is not None else "",
        _instant(record.observed_at),
        value.kind,
        value.number,
        value.comparator,
        value.unit,
        value.code if value.kind in {"code", "boolean"} else None,
        value.absent,
        value.raw,
        record.value_status or "provisional",
    )


def _fold_other(
    ledger: str, index: int, entry_id: str, record: records.Record, rows: _Rows
) -> None:
    match record:
        case records.Batch():
            _fold_batch(ledger, index, entry_id, record, rows)
        case records.Transformation():
            rows.carried += _carried(ledger, record, "in", record.inputs)
            rows.carried += _carried(ledger, record, "out", record.outputs)
        case records.Lot():
            number = record.identifiers[0].value if record.identifiers else ""
            rows.lot.append((ledger, record.lot, index, named_key(record.product), number))
        case records.Approval():
            rows.status += [(record.to, target.entry) for target in record.targets]
        case _:
            pass


def _fold_batch(ledger: str, index: int, entry_id: str, record: records.Batch, rows: _Rows) -> None:
    size = record.size.raw if record.size is not None and record.size.raw is not None else ""
    rows.batch.append(
        (
            ledger,
            record.batch,
            index,
            entry_id,
            record.version,
            named_key(record.product),
            _instant(record.start),
            _instant(record.end),
            record.start.text if record.start is not None else "",
            record.end.text if record.end is not None else "",
            record.state or "",
            size,
            index,
        )
    )
    rows.identifier += [
        (ledger, record.batch, item.system, item.value) for item in record.identifiers
    ]


def _carried(
    ledger: str,
    record: records.Transformation,
    direction: str,
    lots: Iterable[records.CarriedLot],
) -> list[Row]:
    batch = named_key(record.batch) if record.batch is not None else ""
    return [
        (
            ledger,
            record.transformation,
            position,
            direction,
            batch,
            named_key(item.lot),
            named_key(item.product) if item.product is not None else "",
            item.use or "",
        )
        for position, item in enumerate(lots)
    ]
