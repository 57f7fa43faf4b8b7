"""From a table of points to series: columns of numbers by batch or equipment, nothing cell by cell.

A row that has no time or no place is held back as a whole; a text where a number is due stays in the
series as a point without number, with its text and as bad quality, since that is what the source
said at that instant.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from fedbatch.mapping.cells import Doubt, column_unit
from fedbatch.mapping.columns_of_numbers import read_column
from fedbatch.mapping.extract import Draft, Extraction, Ground, extract
from fedbatch.mapping.instants import NO_TIME, Micros, read_instants
from fedbatch.mapping.matching import assign_rules, rows_meant
from fedbatch.mapping.rows import owner_wanted
from fedbatch.mapping.tables import CellKind, SameKind, SourceFile, Table
from fedbatch.mapping.tables import Column as TableColumn
from fedbatch.mapping.times import TimeProblem, TimeReader, is_fine
from fedbatch.series.arrow import Texts, arrow, compute, integers_of, one_array, rows_of
from fedbatch.series.blocks import (
    Block,
    Column,
    ColumnPoints,
    Flags,
    Integers,
    Mark,
    from_points,
    from_rows,
)
from fedbatch.series.decimals import Decimals
from fedbatch.series.instants import instant_text
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalParameter, JournalSeries, Origin, journal_key
from fedbatch.standard.mappings import Mapping, MappingRule, SeriesTarget
from fedbatch.standard.records import Clock, SamplingModel, Step
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import AbsentReason, Quality, Time, Value

__all__ = ["PLACING", "Each", "SeriesDraft", "SeriesExtraction", "extract_series", "is_series"]

# Fields that say where and when a row's points belong; every other field is of the batch.
PLACING = frozenset(
    {"observed_at", "elapsed", "elapsed.from", "step", "tag", "value", "unit", "quality"}
)
_OWNER = ("batch", "batch.partner", "equipment")
_QUALITIES: dict[str, Quality] = {
    "good": "good",
    "uncertain": "uncertain",
    "bad": "bad",
    "missing": "missing",
    "substituted": "substituted",
}
_SHOWN = 3
_SECOND = 1_000_000
Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Each(Protocol):
    """Pure work on things, results in their order: `map`, or one that does several at once."""

    def __call__(
        self, work: Callable[[Thing], Result], things: Iterable[Thing], /
    ) -> Iterable[Result]:
        """The results, one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDraft:
    """One series of a table as it would be declared, and its points in the table's rows.

    `number`: the batch's number, or the piece of equipment, as the table says it.
    """

    series: JournalSeries
    block: Block
    number: str


@dataclass(slots=True, kw_only=True)
class SeriesExtraction:
    """Series of a table, and what the rest of it says (batches, products, what is held back).

    `rows_held_back`: rows that were meant to give points and gave none, each counted once; `held_of`:
    how many of each batch, by its number and own id.
    """

    rows_held_back: int = 0
    held_of: dict[tuple[str, str], int] = field(default_factory=dict)
    drafts: list[SeriesDraft] = field(default_factory=list)
    rest: Extraction = field(default_factory=Extraction)


def is_series(mapping: Mapping) -> bool:
    """Whether a mapping reads points of series."""
    return any(rule.series is not None for rule in mapping.rules)


_STORED = (CellKind.NUMBER, CellKind.FORMULA)


def extract_series(
    table: Table, file: SourceFile, mapping: Mapping, ground: Ground, each: Each = map
) -> SeriesExtraction:
    """Turn a table of points into series.

    Raises:
        InputError: the table's columns are not the mapping's.
    """
    return _Work(table, file, mapping, ground, each).run()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Told:
    """What a column, or a tag's rows in one, tell of a parameter.

    `texts`: verbatim; asked for only where the source told no `numbers`. `stored`: by row whether the
    source holds a number, whose text has a point.
    """

    rule: MappingRule
    target: SeriesTarget
    texts: Callable[[], Texts]
    numbers: Column | None
    rows: Integers
    unit_text: str
    quality: Texts | None
    decimal_mark: str
    grouping_mark: str
    stored: Flags | None


def _with_numbers(told: _Told) -> tuple[_Told, Decimals]:
    numbers, least = told.numbers, told.target.scale
    if numbers is not None and (
        least is None or numbers.scale is None or int(least) <= numbers.scale
    ):
        return told, Decimals(numbers)
    found = read_column(
        told.texts(),
        told.decimal_mark,
        told.grouping_mark,
        stored=told.stored,
        scale_min=int(least or 0),
    )
    return told, found


def _stored(column: TableColumn, rows: Integers | None = None) -> Flags | None:
    """Which cells hold numbers; None where all are texts."""
    kinds = column.kinds
    if kinds is None:
        return None
    if isinstance(kinds, SameKind):
        count = len(kinds) if rows is None else rows.size
        return np.full(count, kinds.kind in _STORED, dtype=np.bool_)
    found = np.isin(np.fromiter(kinds, dtype=np.int64, count=len(kinds)), [*_STORED])
    return found if rows is None else found[rows]


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A parameter's numbers in some rows of the table."""

    parameter: JournalParameter
    rows: Integers
    column: Column


class _Work:
    """One table on its way; lives for one call."""

    def __init__(
        self, table: Table, file: SourceFile, mapping: Mapping, ground: Ground, each: Each
    ) -> None:
        self.table, self.passed_over = rows_meant(table, mapping)
        self.file, self.mapping, self.ground = file, mapping, ground
        table = self.table
        self.assigned = assign_rules(table, mapping)
        self.fields = {rule.field: column for column, rule in self.assigned if rule.field}
        self.constants = {item.field: item.text for item in mapping.constants}
        self.count = len(table.rows)
        self.each = each
        # By row: whether it may give a point, and whether none is wanted of it.
        self.is_read = np.zeros(self.count, dtype=np.bool_)
        self.is_ignored = np.zeros(self.count, dtype=np.bool_)
        self.findings: list[Finding] = []
        self.out = SeriesExtraction()

    def run(self) -> SeriesExtraction:
        times = self._times()
        owners, names = self._owners()
        is_placed = (times != NO_TIME) & np.isin(
            owners, [i for i, name in enumerate(names) if any(name)]
        )
        reads = list(self._reads())
        for number, name in enumerate(names):
            rows = np.flatnonzero(is_placed & (owners == number))
            if rows.size and any(name):
                self._draft(name, rows, times, reads)
        is_settled = (is_placed & self.is_read) | self.is_ignored
        self.out.rows_held_back = self.count - int(np.count_nonzero(is_settled))
        if self.out.rows_held_back:
            self.out.held_of = self._held_of(owners[~is_settled], names)
        self.out.rest = self._rest(owners, len(names))
        self.out.rest.drafts += self._steps(owners, names, times)
        self.out.rest.findings += self.findings
        self.out.rest.cells = self.count * len(self.table.columns)
        self.out.rest.row_keys = [f"{name[0]}|{name[1]}" for name in names]
        self.out.rest.ignored = {
            column.header: rule.ignored for column, rule in self.assigned if rule.ignored
        }
        self.out.rest.ignored.update(self.passed_over)
        return self.out

    def _held_of(
        self, owners: Integers, names: Sequence[tuple[str, str, str]]
    ) -> dict[tuple[str, str], int]:
        """How many rows of each batch gave no point."""
        counts = np.bincount(owners, minlength=len(names)).tolist()
        return {
            (number or partner, own): count
            for (number, partner, _), count in zip(names, counts, strict=True)
            if count and (own := self._own_batch(number, partner))
        }

    def _own_batch(self, number: str, partner: str) -> str | None:
        own_id = self.ground.own_id
        if number:
            return own_id("batch", number)
        return own_id("batch.partner", partner) if partner else None

    # ---- rows

    def _texts(self, name: str) -> Texts | None:
        """A field's texts, trimmed; None where nothing says it."""
        column = self.fields.get(name)
        if column is not None:
            return compute.utf8_trim_whitespace(_array(column))
        if name in self.constants:
            return one_array(arrow.array([self.constants[name]] * self.count))
        return None

    def _times(self) -> Micros:
        column = self.fields.get("observed_at")
        if column is None and "elapsed" in self.fields:
            return self._elapsed()
        if column is None:
            self._held("row.incomplete", "", "no column", "a column of times (`observed_at`)")
            return np.full(self.count, NO_TIME, dtype=np.int64)
        form = self._form("observed_at")
        times, problems = read_instants(_array(column), self._reader(), form)
        for first, last, problem in _stretches(problems):
            where = self._locator(first, column)
            found = (
                column.texts[first]
                if first == last
                else f"{column.texts[first]} … {column.texts[last]}"
            )
            self._held(
                problem.rule, where, found, f"{problem.expected}, in {last - first + 1} rows"
            )
        return times

    def _elapsed(self) -> Micros:
        """Times that a source counts from an instant: exact decimals of a unit of time."""
        column = self.fields["elapsed"]
        rule = next(rule for item, rule in self.assigned if item is column)
        unit = column_unit(rule, column.unit, self.ground.units)
        origin = self._texts("elapsed.from")
        if isinstance(unit, Doubt) or unit[0] is None or unit[0].kind != "time" or origin is None:
            expected = "a unit of time, and `elapsed.from`"
            self._held("row.incomplete", column.header, rule.unit or "no unit", expected)
            return np.full(self.count, NO_TIME, dtype=np.int64)
        starts, problems = read_instants(origin, self._reader(), self._form("elapsed.from"))
        marks = self.mapping.decimal_mark, self.mapping.grouping_mark
        # A spreadsheet's 0.30000000000000004 is a binary number, and minutes need no more.
        numbers = read_column(_array(column), *marks, stored=_stored(column), is_binary=True)
        spans = np.rint(numbers.column.numbers * float(unit[0].factor * _SECOND)).astype(np.int64)
        is_known = starts != NO_TIME
        if numbers.column.present is not None:
            is_known &= numbers.column.present
        for row, text in numbers.unread.items():
            self._held("type.unknown", self._locator(row, column), text, "a number")
        for first, _, problem in _stretches(problems):
            self._held(
                problem.rule, f"row {self.table.rows[first]}", "another text", problem.expected
            )
        return np.where(is_known, starts + spans, NO_TIME)

    def _time_formats(self) -> tuple[str, ...]:
        """The formats in which rows say their times: the column's own, else the mapping's."""
        own = [rule.time_format for _, rule in self.assigned if rule.field == "observed_at"]
        return tuple(filter(None, own)) or self.mapping.time_formats

    def _form(self, name: str) -> str | None:
        """The format of a field's column: the source's own, else its rule's; None for the mapping's."""
        return next(
            (
                column.time_format or rule.time_format
                for column, rule in self.assigned
                if rule.field == name
            ),
            None,
        )

    def _reader(self) -> TimeReader:
        mapping = self.mapping
        return TimeReader(
            formats=mapping.time_formats,
            zone=self.ground.zone,
            zone_name=mapping.zone,
            zone_basis=mapping.zone_basis,
            month_names=mapping.month_names,
            clock_offset=mapping.clock_offset,
        )

    def _held(self, rule: str, where: str, found: str, expected: str) -> None:
        place = Place(file=self.file.name, scheme=self.table.scheme, locator=where)
        self.findings.append(
            finding(rule, place, found=found, expected=expected, effect="held_back")
        )

    def _locator(self, row: int, column: TableColumn) -> str:
        return self.table.locator(self.table.rows[row], column.index)

    def _owners(self) -> tuple[Integers, list[tuple[str, str, str]]]:
        """For each row the number of its owner, and the owners: batch, partner's batch, equipment."""
        parts = [self._texts(name) for name in _OWNER]
        blank = one_array(arrow.array([""] * self.count))
        joined = compute.binary_join_element_wise(
            *(p if p is not None else blank for p in parts), "\x1f"
        )
        encoded = compute.dictionary_encode(joined)
        names = [tuple(text.split("\x1f")) for text in encoded.dictionary.to_pylist()]
        owners = integers_of(encoded.indices.cast(arrow.int64()))
        for number, name in enumerate(names):
            if not any(name):
                rows = np.flatnonzero(owners == number)
                self._held(
                    "row.no_batch",
                    f"row {self.table.rows[int(rows[0])]}",
                    f"{rows.size} rows",
                    owner_wanted(self.fields.keys() | self.constants.keys()).removesuffix(
                        " and a time"
                    ),
                )
        return owners, [(a, b, c) for a, b, c in names]

    # ---- parameters

    def _reads(self) -> Iterator[_Read]:
        told = self._long() if self.mapping.shape == "long" else self._wide()
        for item, found in self.each(_with_numbers, told):
            read = self._read(item, found)
            if read is not None:
                yield read

    def _wide(self) -> Iterator[_Told]:
        every = np.arange(self.count, dtype=np.int64)
        quality = self._texts("quality")
        for column, rule in self.assigned:
            if rule.series is not None:
                yield _Told(
                    rule=rule,
                    target=rule.series,
                    texts=partial(_array, column),
                    numbers=column.numbers,
                    rows=every,
                    unit_text=column.unit,
                    quality=quality,
                    decimal_mark=self.mapping.decimal_mark,
                    grouping_mark=self.mapping.grouping_mark,
                    stored=_stored(column),
                )

    def _long(self) -> Iterator[_Told]:
        tags, values = self._texts("tag"), self.fields.get("value")
        if tags is None or values is None:
            self._held("row.incomplete", "", "no column", "columns of tags and values")
            return
        encoded = compute.dictionary_encode(tags)
        places = integers_of(encoded.indices.cast(arrow.int64()))
        units, quality, texts = self._texts("unit"), self._texts("quality"), _array(values)
        rules = {rule.tag: rule for rule in self.mapping.rules if rule.tag is not None}
        for number, tag in enumerate(encoded.dictionary.to_pylist()):
            rule, rows = rules.get(tag), np.flatnonzero(places == number)
            if rule is None:
                self._held("tag.unmapped", f"tag {tag}", f"{rows.size} rows", "a rule for the tag")
            elif rule.series is not None:
                yield _Told(
                    rule=rule,
                    target=rule.series,
                    texts=partial(rows_of, texts, rows),
                    numbers=None,
                    rows=rows,
                    unit_text=units[int(rows[0])].as_py() if units is not None else "",
                    quality=rows_of(quality, rows) if quality is not None else None,
                    decimal_mark=self.mapping.decimal_mark,
                    grouping_mark=self.mapping.grouping_mark,
                    stored=_stored(values, rows),
                )
            elif rule.ignored is not None:
                self.is_ignored[rows] = True
                self.out.rest.ignored[tag] = rule.ignored

    def _read(self, told: _Told, found: Decimals) -> _Read | None:
        rule = told.rule
        name = rule.tag or rule.header or ""
        unit = column_unit(rule, told.unit_text, self.ground.units)
        if isinstance(unit, Doubt):
            where = f"{len(told.rows)} rows in {told.unit_text or 'no unit'}"
            self._held(unit.rule, name, where, unit.expected)
            return None
        if unit[0] is None:
            return None
        marks = {**found.column.marks, **self._unread(name, found.unread)}
        if told.quality is not None:
            _lay_quality(marks, told.quality)
        column = Column(found.column.scale, found.column.numbers, found.column.present, marks)
        parameter = _parameter(rule, told.target, unit[0].ucum, told.unit_text, found.column.scale)
        self.is_read[told.rows] = True
        return _Read(parameter, told.rows, column)

    def _unread(self, name: str, unread: MappingOf[int, str]) -> dict[int, Mark]:
        """Texts among numbers: points without number, as bad as the source says they are."""
        texts = dict(unread)
        reasons = {item.text: item.reason for item in self.mapping.absent_texts}
        if texts:
            told = sorted(set(texts.values()))
            shown = ", ".join(repr(text) for text in told[:_SHOWN])
            more = f" and {len(told) - _SHOWN} others" if len(told) > _SHOWN else ""
            place = Place(file=self.file.name, locator=name)
            self.findings.append(
                finding(
                    "series.text",
                    place,
                    found=f"{shown}{more}, in {len(texts)} rows",
                    expected="numbers",
                )
            )
        return {
            row: Mark(_absent_quality(reasons.get(text)), "", text) for row, text in texts.items()
        }

    # ---- one series

    def _draft(
        self, name: tuple[str, str, str], rows: Integers, times: Micros, reads: Sequence[_Read]
    ) -> None:
        parts = [(read, _rows_within(read.rows, rows)) for read in reads]
        taken = [(read, places) for read, places in parts if places.size]
        if not taken:
            return
        columns = {
            f"{index}.{read.parameter.role}": _taken(read.column, places)
            for index, (read, places) in enumerate(taken)
        }
        if self.mapping.shape == "long":
            block = from_points(
                {
                    column: _points(times[read.rows[places]], columns[column])
                    for column, (read, places) in zip(columns, taken, strict=True)
                }
            )
        else:
            block = from_rows(times[rows], columns)
        self.out.drafts.append(
            SeriesDraft(
                number=next(filter(None, name)),
                series=self._declared(name, [read.parameter for read, _ in taken]),
                block=block,
            )
        )

    def _declared(
        self, name: tuple[str, str, str], parameters: Sequence[JournalParameter]
    ) -> JournalSeries:
        own_id, (number, partner, piece) = self.ground.own_id, name
        batch = self._own_batch(number, partner)
        equipment = own_id("equipment", piece) if batch is None else None
        mapping = self.mapping
        return JournalSeries(
            version=1,
            series=own_id("series", f"{batch or equipment}|{mapping.source}"),
            batch=batch,
            equipment=equipment,
            parameters=tuple(parameters),
            precedence=mapping.precedence,
            clock=Clock(
                zone=mapping.zone,
                zone_basis=mapping.zone_basis,
                precision="microsecond" if any(map(is_fine, self._time_formats())) else "second",
                clock_offset=mapping.clock_offset,
            ),
        )

    # ---- what the rows say besides

    def _steps(
        self, owners: Integers, names: Sequence[tuple[str, str, str]], times: Micros
    ) -> list[Draft]:
        """The steps that rows name, from the first to the last time of each."""
        texts = self._texts("step")
        if texts is None:
            return []
        encoded = compute.dictionary_encode(texts)
        places = integers_of(encoded.indices.cast(arrow.int64()))
        drafts = []
        for number, element in enumerate(encoded.dictionary.to_pylist()):
            for owner, (batch, partner, _) in enumerate(names):
                rows = np.flatnonzero((places == number) & (owners == owner) & (times != NO_TIME))
                if rows.size and element and (batch or partner):
                    kind = "batch" if batch else "batch.partner"
                    own = self.ground.own_id(kind, batch or partner)
                    drafts.append(self._step(own, element, times[rows], int(rows[0])))
        return drafts

    def _step(self, batch: str, element: str, times: Micros, row: int) -> Draft:
        record = Step(
            version=1,
            batch=batch,
            element=element,
            instance="1",
            level="phase",
            name=element,
            start=self._time(int(times.min())),
            end=self._time(int(times.max())),
        )
        column = self.fields.get("step")
        origin = Origin(
            artefact=self.file.sha256,
            scheme=self.table.scheme,
            locator=self._locator(row, column) if column is not None else "",
            extractor=self.table.extractor,
            mapping=self.mapping.source,
        )
        key = journal_key(record, self.mapping.source)
        return Draft(type="step", key=key, record=record, origins=(origin,))

    def _time(self, instant: int) -> Time:
        text = instant_text(instant)
        basis = self.mapping.zone_basis
        return Time(
            instant=text, text=text, zone=self.mapping.zone, zone_basis=basis, precision="second"
        )

    def _rest(self, owners: Integers, count: int) -> Extraction:
        """Batches and products, from the first row of each owner."""
        told = [(c, r) for c, r in self.assigned if r.field and r.field not in PLACING]
        said = {rule.field for _, rule in told} | (self.constants.keys() - PLACING)
        if said <= set(_OWNER):
            return Extraction()
        firsts = [int(np.flatnonzero(owners == number)[0]) for number in range(count)]
        columns = tuple(_shortened(column, firsts) for column, _ in told)
        small = Table(
            sheet=self.table.sheet,
            scheme=self.table.scheme,
            extractor=self.table.extractor,
            header_row=self.table.header_row,
            rows=[self.table.rows[row] for row in firsts],
            columns=columns,
        )
        mapping = msgspec.structs.replace(
            self.mapping, rules=tuple(rule for _, rule in told), shape="row_a_batch", only=()
        )
        return extract(small, self.file, mapping, self.ground)


def _array(column: TableColumn) -> Texts:
    return one_array(arrow.array(column.texts, arrow.string()))


def _shortened(column: TableColumn, rows: Sequence[int]) -> TableColumn:
    return TableColumn(
        index=column.index,
        header=column.header,
        texts=[str(column.texts[row]) for row in rows],
        group=column.group,
        unit=column.unit,
        time_format=column.time_format,
    )


def _stretches(problems: dict[int, TimeProblem]) -> Iterator[tuple[int, int, TimeProblem]]:
    """Runs of rows with one problem: first row, last row."""
    rows = sorted(problems)
    start = 0
    for at in range(1, len(rows) + 1):
        ends = at == len(rows) or rows[at] != rows[at - 1] + 1
        if ends or problems[rows[at]] != problems[rows[start]]:
            yield rows[start], rows[at - 1], problems[rows[start]]
            start = at


def _rows_within(held: Integers, wanted: Integers) -> Integers:
    """The places in `held` of those of its rows that are wanted; both rise."""
    if held.size and int(held[-1]) == held.size - 1:  # every row from 0 on: a row is its own place
        return wanted[: int(np.searchsorted(wanted, held.size))]
    return np.flatnonzero(np.isin(held, wanted, assume_unique=True))


def _taken(column: Column, places: Integers) -> Column:
    if places.size == column.numbers.size:
        return column
    kept = {}
    if column.marks:
        marked = np.fromiter(column.marks, dtype=np.int64, count=len(column.marks))
        to = np.searchsorted(places, marked)
        for row, place in zip(marked.tolist(), to.tolist(), strict=True):
            if place < places.size and places[place] == row:
                kept[place] = column.marks[row]
    # Rows one after another are looked at where they lie.
    first, last = int(places[0]), int(places[-1])
    rows = slice(first, last + 1) if last - first + 1 == places.size else places
    present = column.present[rows] if column.present is not None else None
    return Column(column.scale, column.numbers[rows], present, kept)


def _points(times: Micros, column: Column) -> ColumnPoints:
    """A tag's points in order of time; rows without number and mark are none."""
    exists = (
        column.present.copy() if column.present is not None else np.ones(times.size, dtype=np.bool_)
    )
    exists[list(column.marks)] = True
    rows = np.flatnonzero(exists)
    rows = rows[np.argsort(times[rows], kind="stable")]
    moved = {row: place for place, row in enumerate(rows.tolist())} if column.marks else {}
    marks = {moved[row]: mark for row, mark in column.marks.items()}
    present = column.present[rows] if column.present is not None else None
    return ColumnPoints(times[rows], column.numbers[rows], present, marks, column.scale)


def _lay_quality(marks: dict[int, Mark], quality: Texts) -> None:
    """What the source says of each point; "good" needs no mark."""
    encoded = compute.dictionary_encode(quality)
    places = integers_of(encoded.indices.cast(arrow.int64()))
    for number, text in enumerate(encoded.dictionary.to_pylist()):
        known = _QUALITIES.get(text.lower(), "" if not text else "uncertain")
        if known in {"", "good"}:
            continue
        for row in np.flatnonzero(places == number).tolist():
            before = marks.get(row, Mark())
            marks[row] = Mark(before.quality or known, text, before.raw)


def _absent_quality(reason: AbsentReason | None) -> str:
    """A text stands for no value: missing where the mapping says why, else bad."""
    return "bad" if reason in {None, "sensor_fault", "unreadable"} else "missing"


def _parameter(
    rule: MappingRule, target: SeriesTarget, unit: str, said: str, scale: int | None
) -> JournalParameter:
    band = target.dead_band
    return JournalParameter(
        term=rule.term or "",
        equipment_class=rule.equipment_class,
        position=rule.position,
        qualifier=rule.qualifier,
        role=rule.role if rule.role != "result" else "PV",
        unit=unit,
        raw_unit=said.strip() or rule.raw_unit or unit,
        sampling_model=SamplingModel(
            model=target.model,
            dead_band=Value(kind="number", number=band, raw=band, unit=unit) if band else None,
            longest_interval=target.longest_interval,
            interval=target.interval,
            window=target.window,
        ),
        between=target.between,
        tag=rule.tag or rule.header,
        scale=scale,
    )
