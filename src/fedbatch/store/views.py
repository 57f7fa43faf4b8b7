"""Views: tables for pages, commands and exports, folded from both ledgers of one agreement.

A view may be dropped at any time; folding the ledgers again gives the same content. The fold is
incremental: each ledger has a cursor, moved in the transaction of the rows it led to. Nothing here is
evidence, so the database is not synced at every commit.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fedbatch.errors import InputError, IntegrityError
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
    "basis",
    "key",
    "observed_text",
)
_FOLD_AT_ONCE = 8192
# A run of points is read whole: as many entries as one bundle has.
_RUN_ENTRIES = 256
# What else a withdrawn record of a type leaves: tables in which its key is a column.
_BY_KEY: dict[str, tuple[tuple[str, str], ...]] = {
    "batch": (("batch", "batch"), ("identifier", "batch")),
    "lot": (("lot", "lot"),),
    "sample": (("sample", "sample"),),
    "transformation": (("carried", "transformation"),),
    "series": (("series", "series"),),
    "sealed": (("sealed", "sealed"),),
}
_BY_TYPE_KEY = (
    ("batch", "batch"),
    ("identifier", "batch"),
    ("lot", "lot"),
    ("sample", "sample"),
    ("carried", "transformation"),
    ("series", "series"),
)
_MIGRATIONS = (
    """
create table cursor (ledger text primary key, size integer not null) strict, without rowid;
create table record (
    ledger text not null, idx integer not null, type text not null, key text not null,
    version integer not null, entry_id text not null, withdrawn integer not null,
    primary key (ledger, idx)
) strict, without rowid;
create index record_type on record (type);
create table result (
    ledger text not null, idx integer not null, entry_id text not null,
    version integer not null, batch text not null, code text not null, role text not null,
    source text not null, form text not null, attempt integer not null, replicate integer not null,
    sample text not null, step text not null, observed_at text not null, kind text not null,
    number text, comparator text, unit text, text text, absent text, raw text,
    value_status text not null, primary key (ledger, idx)
) strict, without rowid;
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
    """
create table series (
    ledger text not null, series text not null, idx integer not null, batch text not null,
    primary key (ledger, series)
) strict, without rowid;
create table sealed (
    ledger text not null, series text not null, idx integer not null, sealed text not null,
    primary key (ledger, series, idx)
) strict, without rowid;
create table points (
    ledger text not null, series text not null, idx integer not null, last_idx integer not null,
    first text not null, last text not null, primary key (ledger, series, idx)
) strict, without rowid;
delete from cursor;
delete from record;
delete from result;
delete from batch;
delete from identifier;
delete from carried;
delete from lot;
""",
    """
alter table result add column basis text not null default '';
alter table result add column key text not null default '';
alter table batch add column basis text not null default '';
create table replaced (
    ledger text not null, idx integer not null, of_ledger text not null, type text not null,
    key text not null, primary key (ledger, idx, of_ledger, type, key)
) strict, without rowid;
create index replaced_key on replaced (of_ledger, type, key);
delete from cursor;
delete from record;
delete from result;
delete from batch;
delete from identifier;
delete from carried;
delete from lot;
delete from series;
delete from sealed;
delete from points;
""",
    """
alter table result add column observed_text text not null default '';
create table sample (
    ledger text not null, sample text not null, idx integer not null, number text not null,
    primary key (ledger, sample)
) strict, without rowid;
delete from cursor;
delete from record;
delete from result;
delete from batch;
delete from identifier;
delete from carried;
delete from lot;
delete from series;
delete from sealed;
delete from points;
delete from replaced;
""",
)
# A transcribed result that the maker's own record names shows no more; others name nothing away.
_STANDS = (
    "not (basis = 'transcribed' and exists (select 1 from replaced where of_ledger = result.ledger"
    " and replaced.ledger <> result.ledger and type = 'result' and replaced.key = result.key))"
)
_TABLES = (
    "cursor",
    "record",
    "result",
    "batch",
    "identifier",
    "carried",
    "lot",
    "sample",
    "series",
    "sealed",
    "points",
    "replaced",
)


class _Rows:
    """Rows on their way into the tables, and entries that stand no longer.

    Rows lie by ledger and index, in the order in which entries come: nothing is searched for at
    folding. What an entry supersedes is named by its id, which the ledger's store finds.
    """

    def __init__(self, find_index: Callable[[str], int | None]) -> None:
        self.find_index = find_index
        self.here: dict[str, int] = {}
        self.record: dict[int, Row] = {}
        self.result: dict[int, Row] = {}
        self.batch: list[Row] = []
        self.identifier: list[Row] = []
        self.carried: list[Row] = []
        self.lot: list[Row] = []
        self.sample: list[Row] = []
        self.series: list[Row] = []
        self.sealed: list[Row] = []
        self.replaced: list[Row] = []
        self.points: dict[str, list[Any]] = {}
        self.runs: list[Row] = []
        self.status: list[tuple[str, int]] = []
        self.gone: list[int] = []
        self.withdrawn: list[tuple[int, str]] = []

    def index_of(self, entry_id: str) -> int | None:
        """Where an entry lies, in this group or before it."""
        found = self.here.get(entry_id)
        return found if found is not None else self.find_index(entry_id)

    def replace(self, supersedes: str | tuple[str, ...] | None) -> None:
        """What this entry supersedes stands no longer."""
        names = (supersedes,) if isinstance(supersedes, str) else supersedes or ()
        for entry_id in names:
            index = self.index_of(entry_id)
            if index is not None:
                self.record.pop(index, None)
                self.result.pop(index, None)
                self.gone.append(index)


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
            for table in _TABLES:
                self._database.execute(f"delete from {table}")  # noqa: S608 - our own names

    # ---- folding

    def catch_up(self, ledgers: Ledgers, report: Callable[[int], None] | None = None) -> int:
        """Fold what has come since the last time; how many entries that was."""
        folded = self._fold_new(ledgers, report)
        if self._shows_refused(ledgers):
            # The partner refused what was shown here: rare, so everything is folded anew.
            self.drop()
            folded = self._fold_new(ledgers, report)
        return folded

    def _shows_refused(self, ledgers: Ledgers) -> bool:
        for row in ledgers.ledgers():
            for name in ledgers.refused(row.ledger):
                index = ledgers.find_index(row.ledger, name)
                if index is not None and self._shows(*ledgers.place(row.ledger, index)):
                    return True
        return False

    def _shows(self, ledger: str, index: int) -> bool:
        sql = (
            "select 1 from result where ledger = ?1 and idx = ?2"
            " union all select 1 from record where ledger = ?1 and idx = ?2"
        )
        return self._database.row(sql, (ledger, index)) is not None

    def _fold_new(self, ledgers: Ledgers, report: Callable[[int], None] | None) -> int:
        folded = 0
        # The oldest first: what carries a ledger on supersedes its entries.
        for row in reversed(ledgers.ledgers()):
            start = self._cursor(row.ledger)
            if start > row.size:
                raise InputError("views of these ledgers", found="longer ones", code="view.ahead")
            while start < row.size:
                contents = ledgers.contents(row.ledger, start, _FOLD_AT_ONCE)
                if not contents:
                    message = f"ledger {row.ledger} has no entry {start}"
                    raise IntegrityError(message, code="store.damaged")
                self._fold(ledgers, row.ledger, start, contents)
                start += len(contents)
                folded += len(contents)
                if report is not None:
                    report(folded)
        return folded

    def _cursor(self, ledger: str) -> int:
        row = self._database.row("select size from cursor where ledger = ?", (ledger,))
        return int(row[0]) if row else 0

    def _fold(self, ledgers: Ledgers, ledger: str, start: int, contents: Sequence[bytes]) -> None:
        rows = _Rows(lambda entry_id: ledgers.find_index(ledger, entry_id))
        refused = ledgers.refused(ledger)
        for index, content in enumerate(contents, start):
            if not content:
                continue
            try:
                statement = read_entry(content)
            except InputError:
                continue
            if refused and not refused.isdisjoint((statement.heading.id, f"{ledger}/{index}")):
                continue
            rows.here[statement.heading.id] = index
            _fold_statement(ledger, index, statement, rows)
        with self._database.writing():
            self._write(ledger, rows, ledgers.place)
            self._replace_older(ledger, ledgers)
            self._database.execute(
                "insert or replace into cursor values (?, ?)", (ledger, start + len(contents))
            )

    def _replace_older(self, ledger: str, ledgers: Ledgers) -> None:
        """What is known by its key alone stands once: in the newest ledger that states it."""
        before = ledgers.predecessor(ledger)
        while before is not None:
            for table, column in _BY_TYPE_KEY:
                self._database.execute(
                    f"delete from {table} where ledger = ? and {column} in"  # noqa: S608 - our own names
                    f" (select {column} from {table} where ledger = ?)",
                    (before.ledger, ledger),
                )
            before = ledgers.predecessor(before.ledger)

    def _write(
        self, ledger: str, rows: _Rows, place: Callable[[str, int], tuple[str, int]]
    ) -> None:
        many = self._database.execute_many
        gone = [place(ledger, index) for index in rows.gone]
        many("delete from record where ledger = ? and idx = ?", gone)
        many("delete from result where ledger = ? and idx = ?", gone)
        many("delete from replaced where ledger = ? and idx = ?", gone)
        many(
            "insert or replace into replaced values (?, ?, ?, ?, ?)",
            [row for row in rows.replaced if row[1] not in set(rows.gone)],
        )
        many("insert into record values (?, ?, ?, ?, ?, ?, ?)", list(rows.record.values()))
        marks = ", ".join("?" * len(RESULT_COLUMNS))
        many(f"insert into result values ({marks})", list(rows.result.values()))  # noqa: S608 - question marks
        many(
            "insert into batch values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict do update set"
            " idx = excluded.idx, entry_id = excluded.entry_id, version = excluded.version,"
            " product = excluded.product, start = excluded.start, end = excluded.end,"
            " start_text = excluded.start_text, end_text = excluded.end_text,"
            " state = excluded.state, size = excluded.size, basis = excluded.basis",
            rows.batch,
        )
        many("insert or replace into identifier values (?, ?, ?, ?)", rows.identifier)
        many("insert or replace into carried values (?, ?, ?, ?, ?, ?, ?, ?)", rows.carried)
        many("insert or replace into lot values (?, ?, ?, ?, ?)", rows.lot)
        many("insert or replace into sample values (?, ?, ?, ?)", rows.sample)
        many("insert or replace into series values (?, ?, ?, ?)", rows.series)
        many("insert or replace into sealed values (?, ?, ?, ?)", rows.sealed)
        runs = [*rows.runs, *map(tuple, rows.points.values())]
        many("insert or replace into points values (?, ?, ?, ?, ?, ?)", runs)
        many(
            "update result set value_status = ? where ledger = ? and idx = ?",
            [(status, *place(ledger, index)) for status, index in rows.status],
        )
        for index, withdrawal in rows.withdrawn:
            self._take_back(*place(ledger, index), withdrawal)

    def _take_back(self, ledger: str, index: int, withdrawal: str) -> None:
        """A withdrawn record leaves the views; of all but results, `record` says that it was there."""
        place = (ledger, index)
        self._database.execute("delete from result where ledger = ? and idx = ?", place)
        self._database.execute("delete from replaced where ledger = ? and idx = ?", place)
        row = self._database.row("select type, key from record where ledger = ? and idx = ?", place)
        if row is None:
            return
        type_, key = row
        self._database.execute(
            "update record set withdrawn = 1, entry_id = ?, version = version + 1"
            " where ledger = ? and idx = ?",
            (withdrawal, *place),
        )
        for table, column in _BY_KEY.get(type_, ()):
            sql = f"delete from {table} where ledger = ? and {column} = ?"  # noqa: S608 - our own names
            self._database.execute(sql, (ledger, key))

    # ---- reading

    def results(
        self, where: str = "", values: Sequence[Any] = (), *, replaced: bool = False
    ) -> list[Row]:
        """Result rows in the order of RESULT_COLUMNS, oldest entry first.

        Transcribed ones that the maker's own have replaced come only where they are asked for.
        """
        columns = ", ".join(RESULT_COLUMNS)
        if not replaced:
            where = f"{where} and {_STANDS}" if where else f"where {_STANDS}"
        sql = f"select {columns} from result {where} order by ledger, idx"  # noqa: S608 - our own words
        return self._database.rows(sql, values)

    def batches(self) -> list[Row]:
        """Batch rows, oldest first.

        Columns: ledger, batch, idx, entry_id, version, product, start, end, start_text, end_text,
        state, size, first, basis.
        """
        return self._database.rows("select * from batch order by ledger, first")

    def result_counts(self) -> dict[str, int]:
        """How many results each batch has."""
        sql = f"select batch, count(*) from result where {_STANDS} group by batch"  # noqa: S608 - our own words
        return dict(self._database.rows(sql))

    def identifiers(self) -> list[Row]:
        """ledger, batch, system, value of every batch."""
        return self._database.rows("select * from identifier")

    def carried(self) -> list[Row]:
        """ledger, transformation, position, direction, batch, lot, product, use."""
        return self._database.rows("select * from carried")

    def series(self, batches: Sequence[str]) -> list[Row]:
        """ledger, series, idx, batch of the series of some batches."""
        marks = ", ".join("?" * len(batches))
        sql = f"select * from series where batch in ({marks}) order by ledger, idx"  # noqa: S608 - question marks
        return self._database.rows(sql, batches)

    def every_series(self) -> list[Row]:
        """ledger, series, idx, batch of every series."""
        return self._database.rows("select * from series order by ledger, idx")

    def sealed(self, ledger: str, series: str) -> list[int]:
        """The indexes of the entries that seal a series, in the ledger's order."""
        rows = self._database.rows(
            "select idx from sealed where ledger = ? and series = ? order by idx", (ledger, series)
        )
        return [int(index) for (index,) in rows]

    def points(self, ledger: str, series: str) -> list[tuple[int, int, str, str]]:
        """Runs of points of a series: first and last index, first and last instant."""
        return [
            (int(first), int(last), str(start), str(end))
            for first, last, start, end in self._database.rows(
                "select idx, last_idx, first, last from points where ledger = ? and series = ?"
                " order by idx",
                (ledger, series),
            )
        ]

    def lots(self) -> list[Row]:
        """ledger, lot, idx, product, number."""
        return self._database.rows("select * from lot order by ledger, idx")

    def sample_numbers(self) -> dict[tuple[str, str], str]:
        """The number of each sample, by ledger and the sample's id there."""
        rows = self._database.rows("select ledger, sample, number from sample")
        return {(str(ledger), str(sample)): str(number) for ledger, sample, number in rows}

    def content(self) -> list[Row]:
        """Everything the views hold, for comparing two of them."""
        return [
            (table, *row)
            for table in _TABLES
            for row in self._database.rows(f"select * from {table}")  # noqa: S608 - our own names
        ]


def _instant(time: Time | None) -> str:
    return time.instant if time is not None else ""


def _fold_statement(ledger: str, index: int, statement: Statement, rows: _Rows) -> None:
    heading, record = statement.heading, statement.record
    if statement.withdrawal is not None:
        taken_back = rows.index_of(str(statement.withdrawal.supersedes))
        if taken_back is not None:
            rows.withdrawn.append((taken_back, heading.id))
        return
    if record is None:
        row = (ledger, index, heading.record_name, heading.id, 1, heading.id, 0)
        rows.record[index] = row
        return
    if isinstance(record, records.Points):
        _fold_points(ledger, index, record, rows)
        return
    if record.supersedes is not None and not isinstance(record, records.Sealed):
        # A corrected stretch counts on outside the correction's window (STANDARD S40).
        rows.replace(record.supersedes)
    rows.replaced += [
        (ledger, index, item.ledger or "", item.type or "", key_text(item.key))
        for item in record.replaces
    ]
    if isinstance(record, records.Result):
        source = heading.source.removeprefix("urn:fedbatch:source:")
        rows.result[index] = _result_row(ledger, index, heading.id, source, record)
        return
    key = keys.key_of(record, entry_id=heading.id)
    _fold_other(ledger, index, heading.id, record, rows)
    rows.record[index] = (
        ledger,
        index,
        heading.record_name,
        key_text(key),
        record.version,
        heading.id,
        0,
    )


def _result_row(ledger: str, index: int, entry_id: str, source: str, record: records.Result) -> Row:
    value = record.value
    return (
        ledger,
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
        record.basis or "own",
        key_text(keys.key_of(record, source=source)),
        record.observed_at.text if record.observed_at is not None else "",
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
        case records.Sample():
            number = record.identifiers[0].value if record.identifiers else ""
            rows.sample.append((ledger, record.sample, index, number))
        case records.Series():
            batch = named_key(record.batch) if record.batch is not None else ""
            rows.series.append((ledger, record.series, index, batch))
        case records.Sealed():
            rows.sealed.append((ledger, named_key(record.series), index, record.sealed))
        case records.Approval():
            for target in record.targets:
                raised = rows.index_of(target.entry)
                if raised is not None:
                    rows.status.append((record.to, raised))
        case _:
            pass


def _fold_points(ledger: str, index: int, record: records.Points, rows: _Rows) -> None:
    """Runs of points instead of a row for each entry: a fortnight at one a second is a million."""
    run = rows.points.get(record.series)
    if run is not None and index - run[2] < _RUN_ENTRIES:
        run[3] = index
        run[5] = max(run[5], record.base)
        run[4] = min(run[4], record.base)
        return
    if run is not None:
        rows.runs.append(tuple(run))
    rows.points[record.series] = [ledger, record.series, index, index, record.base, record.base]


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
            record.basis or "own",
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
