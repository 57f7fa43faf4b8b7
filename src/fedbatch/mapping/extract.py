"""From a table and its mapping to drafts of journal records, each with the place it came from.

Nothing raises half-way and nothing is dropped: every cell ends in a draft, in something held back with
its finding, or in a column that the mapping ignores for a stated reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Literal

from fedbatch.mapping import cells
from fedbatch.mapping.cells import CellReader, Doubt
from fedbatch.mapping.matching import assign_rules, rows_meant
from fedbatch.mapping.rows import RowTexts, owner_wanted, read_rows
from fedbatch.mapping.tables import CellKind, Column, SourceFile, Table
from fedbatch.mapping.times import TimeReader
from fedbatch.standard import records
from fedbatch.standard.dictionary import Dictionary
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalResult, Origin, journal_key, parameter_name
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.rulebook import finding
from fedbatch.standard.units import Unit, UnitTable
from fedbatch.standard.values import Identifier, Time, UnitBasis, Value

__all__ = ["Draft", "Extraction", "Ground", "HeldBack", "extract"]

_QUALITIES = {"good": "good", "uncertain": "uncertain", "bad": "bad", "missing": "missing"}
_BASES: dict[str, Literal["mes", "unit_tag", "logbook", "person"]] = {
    "mes": "mes",
    "unit_tag": "unit_tag",
    "logbook": "logbook",
    "person": "person",
}
_WINDOW = ("equipment", "equipment.class", "equipment.from", "equipment.to", "equipment.basis")
_COUNT_DIGITS = 9
_DAY_TIMES = ("recorded_at", "analysed")
# A field that says something of a thing, and the field that names the thing.
_OWNERS = {
    "product.name": "product",
    "batch.campaign": "product",
    "batch.size": "product",
    "batch.start": "product",
    "batch.end": "product",
    "batch.state": "product",
    "site": "product",
    "step.start": "step",
    "step.end": "step",
    "equipment.class": "equipment",
    "equipment.from": "equipment",
    "equipment.to": "equipment",
    "equipment.basis": "equipment",
    "sample.point": "sample",
    "sample.drawn": "sample",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What extraction stands on besides table and mapping.

    `own_id(kind, text)` names a thing by the party's own id; the same text gives the same id.
    """

    party: str
    units: UnitTable
    dictionary: Dictionary
    zone: tzinfo
    own_id: Callable[[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record that may enter the journal, its business key, and where it came from."""

    type: str
    key: tuple[str, ...]
    record: records.Record
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What waits for a person: the finding, and the record it would have gone into.

    `path` is the field in doubt; `template` holds the record without it, None where there is none.
    """

    type: str
    key: tuple[str, ...]
    path: str
    text: str
    finding: Finding
    template: records.Record | None
    origins: tuple[Origin, ...]


@dataclass(slots=True, kw_only=True)
class Extraction:
    """Everything that came out of one table."""

    drafts: list[Draft] = field(default_factory=list)
    held: list[HeldBack] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    cells: int = 0
    ignored: dict[str, str] = field(default_factory=dict)
    row_keys: list[str] = field(default_factory=list)


def extract(table: Table, file: SourceFile, mapping: Mapping, ground: Ground) -> Extraction:
    """Turn one table into drafts, held-back items and findings.

    Raises:
        InputError: the table's columns are not the mapping's.
    """
    table, passed_over = rows_meant(table, mapping)
    assigned = assign_rules(table, mapping)
    work = _Work(table=table, file=file, mapping=mapping, ground=ground, assigned=assigned)
    work.run()
    work.out.ignored.update(passed_over)
    return work.out


class _Work:
    """One extraction under way; lives for one call of `extract`."""

    def __init__(
        self,
        *,
        table: Table,
        file: SourceFile,
        mapping: Mapping,
        ground: Ground,
        assigned: list[tuple[Column, MappingRule]],
    ) -> None:
        self.table = table
        self.file = file
        self.mapping = mapping
        self.ground = ground
        self.assigned = assigned
        self.out = Extraction(cells=len(table.rows) * len(table.columns))
        self.times = TimeReader(
            formats=mapping.time_formats,
            zone=ground.zone,
            zone_name=mapping.zone,
            zone_basis=mapping.zone_basis,
            month_names=mapping.month_names,
            clock_offset=mapping.clock_offset,
        )
        self.rows: RowTexts = read_rows(table, assigned, mapping)
        self.seen: dict[tuple[str, tuple[str, ...]], int] = {}
        self.twice: list[tuple[int, Draft]] = []

    def run(self) -> None:
        self.out.ignored = {
            column.header: rule.ignored for column, rule in self.assigned if rule.ignored
        }
        self._place_rows()
        self._draft_products()
        self._draft_batches()
        self._draft_lots()
        self._draft_steps()
        self._draft_equipment()
        self._draft_samples()
        self._hold_ownerless()
        self._hold_day_times()
        if self.mapping.shape == "long":
            self._draft_long()
        self._draft_columns()
        self._settle_conflicts()

    # ---- places

    def origin(self, row: int, column: Column, path: str | None = None) -> Origin:
        return Origin(
            artefact=self.file.sha256,
            scheme=self.table.scheme,
            locator=self.table.locator(self.table.rows[row], column.index),
            extractor=self.table.extractor,
            mapping=self.mapping.source,
            path=path,
        )

    def place(self, row: int, column: Column, path: str = "") -> Place:
        return Place(
            file=self.file.name,
            scheme=self.table.scheme,
            locator=self.table.locator(self.table.rows[row], column.index),
            path=path,
        )

    def hold(
        self,
        type_: str,
        key: tuple[str, ...],
        path: str,
        row: int,
        column: Column,
        doubt: Doubt,
        template: records.Record | None = None,
    ) -> None:
        """Keep a cell back with its finding."""
        text = column.texts[row]
        self.out.held.append(
            HeldBack(
                type=type_,
                key=key,
                path=path,
                text=text,
                finding=finding(
                    doubt.rule,
                    self.place(row, column),
                    found=text,
                    expected=doubt.expected,
                    effect="held_back",
                    advice=doubt.advice,
                ),
                template=template,
                origins=(self.origin(row, column, path or None),),
            )
        )

    def add(self, row: int, draft: Draft) -> None:
        """Take a draft unless the same stands already; a different one is settled at the end."""
        name = (draft.type, draft.key)
        position = self.seen.get(name)
        if position is None:
            self.seen[name] = len(self.out.drafts)
            self.out.drafts.append(draft)
        elif self.out.drafts[position].record != draft.record:
            self.twice.append((position, draft))
        elif draft.type == "result":
            self._note(row, draft, "result.duplicate", "one row for the result")

    def _note(self, row: int, draft: Draft, rule: str, expected: str) -> None:
        origin = draft.origins[0] if draft.origins else None
        place = Place(
            file=self.file.name,
            scheme=origin.scheme if origin else "",
            locator=origin.locator if origin else f"row {self.table.rows[row]}",
        )
        found = draft.record.value.raw or "" if isinstance(draft.record, JournalResult) else ""
        self.out.findings.append(finding(rule, place, found=found, expected=expected))

    # ---- the row's batch

    def _place_rows(self) -> None:
        """Find out which batch each row is of; rows that cannot tell are held back whole.

        A row without a batch that names equipment and a time is placed later, by the equipment's
        window (STANDARD S27): `live` rows have a batch or such a place, `of_batch` rows a batch.
        """
        own_id, rows = self.ground.own_id, self.rows
        numbers, partners = rows.texts("batch"), rows.texts("batch.partner")
        self.batches: list[str] = []
        self.live: list[int] = []
        for row in range(len(self.table.rows)):
            number, partner = numbers[row].strip(), partners[row].strip()
            if number:
                self.batches.append(own_id("batch", number))
            elif partner:
                self.batches.append(own_id("batch.partner", partner))
            else:
                self.batches.append("")
            if self.batches[-1] or (rows.text("equipment", row) and rows.text("observed_at", row)):
                self.live.append(row)
            else:
                self._hold_row(row)
        self.of_batch = [row for row in self.live if self.batches[row]]
        self.out.row_keys = [
            f"{number}|{partner}" for number, partner in zip(numbers, partners, strict=True)
        ]

    def _hold_row(self, row: int) -> None:
        fields = self.rows.columns.keys() | self.rows.constants.keys()
        doubt = Doubt(rule="row.no_batch", expected=owner_wanted(fields))
        for column, rule in self.assigned:
            if rule.ignored is None and column.texts[row].strip():
                self.hold("row", (), "", row, column, doubt)

    def _hold_ownerless(self) -> None:
        """Cells that say something of a thing which their row does not name."""
        for name, owner in _OWNERS.items():
            column = self.rows.column(name)
            for row in self.of_batch if column is not None else ():
                if column and column.texts[row].strip() and self.rows.text(owner, row) is None:
                    doubt = Doubt(rule="row.incomplete", expected=f"the row's {owner}")
                    self.hold("row", (), "", row, column, doubt)
        placed = set(self.of_batch)
        for row in self.live:
            if row not in placed:
                self._hold_batchless(row)

    def _hold_batchless(self, row: int) -> None:
        """Of a row that equipment and time place, only results are drafted; the rest waits."""
        doubt = Doubt(rule="row.no_batch", expected="a batch number beside the equipment")
        for column, rule in self.assigned:
            is_of_batch = rule.lot is not None or rule.field in {"product", "lot.product", *_OWNERS}
            if is_of_batch and column.texts[row].strip():
                self.hold("row", (), "", row, column, doubt)

    def _hold_day_times(self) -> None:
        """Times beside a result that are in doubt; the result goes without them."""
        for name in _DAY_TIMES:
            for row in self.live if self.rows.column(name) is not None else ():
                self._time_field(name, row, "row", (), f"/{name}")

    def _draft_products(self) -> None:
        codes, names = self.rows.texts("product"), self.rows.texts("product.name")
        column = self.rows.column("product")
        for row in self.of_batch:
            code = codes[row].strip()
            if not code:
                continue
            record = records.Product(
                version=1,
                product=self.ground.own_id("product", code),
                name=names[row].strip() or code,
                kind="product",
                identifiers=(self._own("product", code),),
            )
            origins = (self.origin(row, column),) if column else ()
            self.add(row, self._draft("product", record, origins))

    def _own(self, kind: str, text: str) -> Identifier:
        return Identifier(system=f"urn:fedbatch:party:{self.ground.party}:{kind}", value=text)

    def _draft(self, type_: str, record: records.Record, origins: Iterable[Origin]) -> Draft:
        key = journal_key(record, self.mapping.source)
        return Draft(type=type_, key=key, record=record, origins=tuple(origins))

    def _draft_batches(self) -> None:
        products = self.rows.texts("product")
        if not any(text.strip() for text in products):
            return
        size = self._size_reader()
        for row in self.of_batch:
            code = products[row].strip()
            if code:
                self._draft_batch(row, code, size)

    def _draft_batch(self, row: int, code: str, size: CellReader | Doubt | None) -> None:
        batch = self.batches[row]
        origins = self._batch_origins(row)
        record = records.Batch(
            version=1,
            batch=batch,
            product=self.ground.own_id("product", code),
            identifiers=self._batch_identifiers(row),
            campaign=self.rows.text("batch.campaign", row),
            size=self._size(row, batch, size),
            state=self._state(row, batch),
            start=self._time_field("batch.start", row, "batch", (batch,), "/start"),
            end=self._time_field("batch.end", row, "batch", (batch,), "/end"),
            site=self.rows.text("site", row),
        )
        self.add(row, self._draft("batch", record, origins))

    def _batch_identifiers(self, row: int) -> tuple[Identifier, ...]:
        number, partner = self.rows.text("batch", row), self.rows.text("batch.partner", row)
        found = []
        if number:
            found.append(self._own("batch", number))
        if partner:
            found.append(Identifier(system="urn:fedbatch:partner:batch", value=partner))
        return tuple(found)

    def _batch_origins(self, row: int) -> list[Origin]:
        paths = {
            "batch": "/identifiers/0",
            "batch.partner": "/identifiers/1",
            "product": "/product",
            "batch.size": "/size",
            "batch.start": "/start",
            "batch.end": "/end",
            "batch.campaign": "/campaign",
            "batch.state": "/state",
            "site": "/site",
        }
        return [
            self.origin(row, column, path)
            for name, path in paths.items()
            if (column := self.rows.column(name)) is not None and column.texts[row].strip()
        ]

    def _state(self, row: int, batch: str) -> records.State | None:
        text = self.rows.text("batch.state", row)
        states: dict[str, records.State] = {
            "planned": "planned",
            "running": "running",
            "held": "held",
            "complete": "complete",
            "aborted": "aborted",
        }
        if text is None or text.lower() in states:
            return states[text.lower()] if text else None
        column = self.rows.column("batch.state")
        if column is not None:
            doubt = Doubt(rule="type.unknown", expected=" or ".join(states))
            self.hold("batch", (batch,), "/state", row, column, doubt)
        return None

    def _size_reader(self) -> CellReader | Doubt | None:
        column = self.rows.column("batch.size")
        return self._reader(column, self.rows.rule("batch.size")) if column is not None else None

    def _size(self, row: int, batch: str, reader: CellReader | Doubt | None) -> Value | None:
        column = self.rows.column("batch.size")
        if column is None or reader is None:
            return None
        value = reader if isinstance(reader, Doubt) else _read(reader, column, row)
        if isinstance(value, Doubt):
            self.hold("batch", (batch,), "/size", row, column, value)
            return None
        return value

    def _time_field(
        self, name: str, row: int, type_: str, key: tuple[str, ...], path: str
    ) -> Time | None:
        """A time of a row; what is in doubt is held back and the field left out."""
        text = self.rows.text(name, row)
        if text is None:
            return None
        found = self.rows.time(name, text, self.times)
        if isinstance(found, Time):
            return found
        column = self.rows.column(name)
        if column is not None:
            doubt = Doubt(rule=found.rule, expected=found.expected)
            self.hold(type_, key, path, row, column, doubt)
        return None

    # ---- lots, steps, equipment, samples

    def _draft_lots(self) -> None:
        columns = [(column, rule.lot) for column, rule in self.assigned if rule.lot is not None]
        if not columns:
            return
        by_header = {column.header: column for column, _ in self.assigned}
        for row in self.of_batch:
            inputs: list[records.CarriedLot] = []
            origins: list[Origin] = []
            for column, target in columns:
                number = column.texts[row].strip()
                if not number:
                    continue
                products = by_header.get(target.product_header or "")
                code = products.texts[row].strip() if products else target.product or target.use
                carried = self._draft_lot(row, column, target.use, number, code)
                path = f"/inputs/{len(inputs)}"
                inputs.append(carried)
                origins.append(self.origin(row, column, f"{path}/lot"))
                if products is not None:
                    origins.append(self.origin(row, products, f"{path}/product"))
            if inputs:
                self._draft_transformation(row, inputs, origins)

    def _draft_lot(
        self, row: int, column: Column, use: str, number: str, code: str
    ) -> records.CarriedLot:
        lot = self.ground.own_id("lot", f"{use}|{number}")
        product = self.ground.own_id("product", f"{use}|{code}")
        material = records.Product(
            version=1,
            product=product,
            name=f"{use} {code}" if code != use else use,
            kind="material",
            identifiers=(self._own("product", f"{use}|{code}" if code != use else use),),
        )
        self.add(row, self._draft("product", material, (self.origin(row, column),)))
        record = records.Lot(
            version=1,
            lot=lot,
            product=product,
            identifiers=(self._own(f"lot:{use}", number),),
        )
        self.add(row, self._draft("lot", record, (self.origin(row, column, "/identifiers/0"),)))
        return records.CarriedLot(lot=lot, product=product, use=use)

    def _draft_transformation(
        self, row: int, inputs: list[records.CarriedLot], origins: list[Origin]
    ) -> None:
        name = f"{self.batches[row]}|{self.mapping.source}"
        record = records.Transformation(
            version=1,
            transformation=self.ground.own_id("transformation", name),
            batch=self.batches[row],
            inputs=tuple(inputs),
        )
        self.add(row, self._draft("transformation", record, origins))

    def _draft_steps(self) -> None:
        for row in self.of_batch:
            element = self.rows.text("step", row)
            if element is None:
                continue
            batch = self.batches[row]
            key = (batch, element, "1")
            record = records.Step(
                version=1,
                batch=batch,
                element=element,
                instance="1",
                level="operation",
                name=element,
                start=self._time_field("step.start", row, "step", key, "/start"),
                end=self._time_field("step.end", row, "step", key, "/end"),
            )
            self.add(row, self._draft("step", record, self._row_origins(row, "step")))

    def _row_origins(self, row: int, name: str) -> tuple[Origin, ...]:
        column = self.rows.column(name)
        return (self.origin(row, column),) if column is not None else ()

    def _draft_equipment(self) -> None:
        for row in self.of_batch:
            piece = self.rows.text("equipment", row)
            if piece is not None:
                self._draft_window(row, piece)

    def _draft_window(self, row: int, piece: str) -> None:
        key = (self.ground.own_id("equipment", piece), self.batches[row])
        start = self._time_field("equipment.from", row, "equipment", key, "/from")
        end = self._time_field("equipment.to", row, "equipment", key, "/to")
        basis = _BASES.get((self.rows.text("equipment.basis", row) or "").lower())
        if start is None or basis is None:
            in_doubt = {"equipment.from": start is None, "equipment.to": end is None}
            self._hold_window(row, key, [name for name in _WINDOW if not in_doubt.get(name)])
            return
        record = records.Equipment(
            version=1,
            equipment=key[0],
            batch=self.batches[row],
            from_=start,
            to=end,
            class_=self.rows.text("equipment.class", row) or "",
            name=piece,
            window_basis=(basis,),
        )
        self.add(row, self._draft("equipment", record, self._row_origins(row, "equipment")))

    def _hold_window(self, row: int, key: tuple[str, ...], names: Iterable[str]) -> None:
        """A piece without a window: a window that nobody vouches for would share too much.

        Times in doubt are held back already, each with its own reason.
        """
        doubt = Doubt(
            rule="row.incomplete",
            expected=f"from when the batch occupied it, and who says so: {', '.join(_BASES)}",
        )
        for name in names:
            column = self.rows.column(name)
            if column is not None and column.texts[row].strip():
                self.hold("equipment", key, "", row, column, doubt)

    def _draft_samples(self) -> None:
        for row in self.of_batch:
            number = self.rows.text("sample", row)
            if number is None:
                continue
            sample = self.ground.own_id("sample", number)
            record = records.Sample(
                version=1,
                sample=sample,
                batch=self.batches[row],
                point=self.rows.text("sample.point", row) or "",
                observed_at=self._time_field(
                    "sample.drawn", row, "sample", (sample,), "/observed_at"
                ),
                identifiers=(self._own("sample", number),),
            )
            self.add(row, self._draft("sample", record, self._row_origins(row, "sample")))

    # ---- results

    def _reader(
        self, column: Column, rule: MappingRule, unit_text: str | None = None
    ) -> CellReader | Doubt:
        said = column.unit if unit_text is None else unit_text
        unit: tuple[Unit | None, UnitBasis] | None = None
        if rule.kind == "number":
            found = cells.column_unit(rule, said, self.ground.units)
            if isinstance(found, Doubt):
                return found
            unit = found
        raw_unit = said.strip() or rule.raw_unit
        ground = self.ground
        return cells.make_reader(
            rule, self.mapping, unit, raw_unit, ground.units, ground.dictionary
        )

    def _draft_columns(self) -> None:
        for column, rule in self.assigned:
            if rule.term is not None:
                self._draft_results(column, rule, self.live, self._reader(column, rule))

    def _draft_long(self) -> None:
        """Rows by tag and unit, each group read as a column of its own."""
        value_column = self.rows.column("value")
        if value_column is None:
            return
        rules = {rule.tag: rule for rule in self.mapping.rules if rule.tag is not None}
        groups: dict[tuple[str, str], list[int]] = {}
        for row in self.live:
            name = (self.rows.texts("tag")[row].strip(), self.rows.texts("unit")[row].strip())
            groups.setdefault(name, []).append(row)
        for (tag, unit), rows in groups.items():
            rule = rules.get(tag)
            if rule is None:
                self._hold_tag(value_column, tag, rows)
            elif rule.term is not None:
                reader = self._reader(value_column, rule, unit)
                self._draft_results(value_column, rule, rows, reader)
            elif rule.ignored is not None:
                self.out.ignored[tag] = rule.ignored

    def _hold_tag(self, column: Column, tag: str, rows: list[int]) -> None:
        doubt = Doubt(rule="tag.unmapped", expected=f"a rule for tag {tag!r} in the mapping")
        for row in rows:
            self.hold("row", (), "", row, column, doubt)

    def _draft_results(
        self, column: Column, rule: MappingRule, rows: Sequence[int], reader: CellReader | Doubt
    ) -> None:
        source = self.mapping.source
        name = parameter_name(rule.term or "", rule.equipment_class, rule.position, rule.qualifier)
        kinds: list[bool | None] = []
        for row in rows:
            value = reader if isinstance(reader, Doubt) else _read(reader, column, row)
            if isinstance(value, Doubt):
                self._hold_result(row, column, rule, value)
                kinds.append(False)
                continue
            kinds.append(value.kind == "number" if value.kind != "absent" else None)
            record = self._result(row, rule, value)
            if isinstance(record, Doubt):
                self._hold_result(row, column, rule, record)
                continue
            key = _result_key(record, name, source)
            self.add(
                row,
                Draft(type="result", key=key, record=record, origins=(self.origin(row, column),)),
            )
        if isinstance(reader, CellReader):
            self._judge_column(column, rule, rows, reader, kinds)

    def _result(self, row: int, rule: MappingRule, value: Value) -> JournalResult | Doubt:
        """The result of a cell, or why its row does not say which result it is."""
        rows = self.rows
        if rows.is_bare:
            return JournalResult(
                version=1,
                batch=self.batches[row],
                term=rule.term or "",
                equipment_class=rule.equipment_class,
                position=rule.position,
                qualifier=rule.qualifier,
                role=rule.role,
                form="reportable",
                attempt=1,
                replicate=1,
                value=value,
            )
        return self._dated_result(row, rule, value)

    def _dated_result(self, row: int, rule: MappingRule, value: Value) -> JournalResult | Doubt:
        rows = self.rows
        observed = self._observed(row)
        attempt = _count("attempt", rows.text("attempt", row))
        replicate = _count("replicate", rows.text("replicate", row))
        if isinstance(observed, Doubt):
            return observed
        if isinstance(attempt, Doubt):
            return attempt
        if isinstance(replicate, Doubt):
            return replicate
        sample = rows.text("sample", row)
        quality = rows.text("quality", row)
        if quality is not None:
            known = _QUALITIES.get(quality.lower())
            value = _with_quality(value, known, quality)
        return JournalResult(
            version=1,
            batch=self.batches[row] or None,
            equipment=None if self.batches[row] else self._piece(row),
            term=rule.term or "",
            equipment_class=rule.equipment_class,
            position=rule.position,
            qualifier=rule.qualifier,
            role=rule.role,
            form="replicate" if rows.text("replicate", row) else "reportable",
            attempt=attempt,
            replicate=replicate,
            value=value,
            sample=self.ground.own_id("sample", sample) if sample else None,
            step=rows.text("step", row),
            observed_at=observed,
            recorded_at=rows.time_or_none("recorded_at", row, self.times),
            analysed=rows.time_or_none("analysed", row, self.times),
            analyst=rows.text("analyst", row),
            method=rows.text("method", row),
            instrument=rows.text("instrument", row),
        )

    def _observed(self, row: int) -> Time | Doubt | None:
        text = self.rows.text("observed_at", row)
        found = self.rows.time("observed_at", text, self.times) if text is not None else None
        if found is None or isinstance(found, Time):
            return found
        return Doubt(rule=found.rule, expected=f"in its row, {text!r} to be {found.expected}")

    def _piece(self, row: int) -> str | None:
        piece = self.rows.text("equipment", row)
        return self.ground.own_id("equipment", piece) if piece else None

    def _hold_result(self, row: int, column: Column, rule: MappingRule, doubt: Doubt) -> None:
        text = column.texts[row]
        found = self._result(row, rule, Value(kind="absent", raw=text, absent="unreadable"))
        template = None if isinstance(found, Doubt) else found
        key: tuple[str, ...] = ()
        if template is not None:
            key = journal_key(template, self.mapping.source)
        self.hold("result", key, "", row, column, doubt, template)

    def _judge_column(
        self,
        column: Column,
        rule: MappingRule,
        rows: Sequence[int],
        reader: CellReader,
        kinds: list[bool | None],
    ) -> None:
        if rule.kind == "number":
            start = cells.first_kind_change(kinds)
            if start is not None:
                row = rows[start]
                self.out.findings.append(
                    finding(
                        "type.changed",
                        self.place(row, column),
                        found=column.texts[row],
                        expected="numbers to the end of the column",
                    )
                )
        term = reader.term
        if reader.implausible and term is not None:
            span = f"{term.typical_low or '…'} to {term.typical_high or '…'} {term.units[0]}"
            examples = sorted(reader.implausible)[:3]
            self.out.findings.append(
                finding(
                    "value.implausible",
                    Place(file=self.file.name, locator=column.header),
                    found=", ".join(examples),
                    expected=f"{term.name} of {span}, as far as is usual",
                )
            )

    # ---- the same thing twice in one table

    def _settle_conflicts(self) -> None:
        """Rows of one table that contradict each other: results wait, other records stay the first."""
        withdrawn: set[int] = set()
        said: list[records.Record] = []
        for position, draft in self.twice:
            first = self.out.drafts[position]
            if draft.type == "result":
                withdrawn.add(position)
                self._hold_twice(first, draft)
            elif draft.record not in said:
                said.append(draft.record)
                self._contradict(first, draft)
        if withdrawn:
            self._hold_first(withdrawn)

    def _hold_first(self, positions: set[int]) -> None:
        drafts = self.out.drafts
        for position in sorted(positions):
            self._hold_draft(drafts[position], "one value for the result in the file")
        self.out.drafts = [d for index, d in enumerate(drafts) if index not in positions]

    def _hold_twice(self, first: Draft, draft: Draft) -> None:
        where = first.origins[0].locator if first.origins else "an earlier row"
        self._hold_draft(draft, f"the same value as at {where}")

    def _hold_draft(self, draft: Draft, expected: str) -> None:
        origin = draft.origins[0]
        place = Place(file=self.file.name, scheme=origin.scheme, locator=origin.locator)
        text = draft.record.value.raw or "" if isinstance(draft.record, JournalResult) else ""
        self.out.held.append(
            HeldBack(
                type=draft.type,
                key=draft.key,
                path="",
                text=text,
                finding=finding(
                    "result.conflict", place, found=text, expected=expected, effect="held_back"
                ),
                template=draft.record,
                origins=draft.origins,
            )
        )

    def _contradict(self, first: Draft, draft: Draft) -> None:
        """Two rows differ about a batch, lot or product: a finding; the first row's word stands."""
        is_lot = draft.type == "lot"
        origin = draft.origins[-1] if draft.origins else None
        place = Place(
            file=self.file.name,
            scheme=origin.scheme if origin else "",
            locator=origin.locator if origin else "",
        )
        earlier = first.origins[-1].locator if first.origins else "an earlier row"
        self.out.findings.append(
            finding(
                "lot.two_products" if is_lot else "row.conflict",
                place,
                found=_difference(first.record, draft.record),
                expected=f"the same as at {earlier}",
            )
        )


def _read(reader: CellReader, column: Column, row: int) -> Value | Doubt:
    kind = column.kinds[row] if column.kinds is not None else None
    form = column.formats[row] if column.formats is not None else ""
    return reader.read(column.texts[row], CellKind(kind) if kind is not None else None, form)


def _result_key(record: JournalResult, name: str, source: str) -> tuple[str, ...]:
    if (
        record.sample is None
        and record.observed_at is None
        and record.attempt == record.replicate == 1
    ):
        # The common case, spelt out: tens of thousands of cells pass here.
        batch = record.batch if isinstance(record.batch, str) else ""
        return (batch, name, record.role, "", record.form, "1", "1", source)
    return journal_key(record, source)


def _count(name: str, text: str | None) -> int | Doubt:
    """Which replicate or attempt a row holds; 1 where it says nothing, a Doubt where it says no count."""
    if text is None:
        return 1
    if text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS and int(text):
        return int(text)
    return Doubt(rule="type.unknown", expected=f"a {name} counted from 1, not {text!r}, in the row")


def _with_quality(value: Value, known: str | None, code: str) -> Value:
    return Value(
        kind=value.kind,
        raw=value.raw,
        number=value.number,
        comparator=value.comparator,
        unit=value.unit,
        raw_unit=value.raw_unit,
        unit_basis=value.unit_basis,
        code=value.code,
        absent=value.absent,
        conversion=value.conversion,
        quality=known,  # type: ignore[arg-type] # one of the standard's words, or None
        quality_code=code,
    )


def _difference(first: records.Record, second: records.Record) -> str:
    """Which fields differ, for a person."""
    names = [
        name.rstrip("_")
        for name in first.__struct_fields__
        if getattr(first, name) != getattr(second, name)
    ]
    return f"another {', '.join(names)}"
