"""The mapping record: which column or tag of a source is which term (STANDARD §3, `mapping`).

A draft type that lies in journals only. The YAML file that a person edits has the same fields.
"""

from typing import Literal

from fedbatch.errors import InputError
from fedbatch.standard.records import Record
from fedbatch.standard.values import AbsentReason, Frozen

__all__ = [
    "FIELDS",
    "AbsentText",
    "Constant",
    "EquipmentPiece",
    "LotTarget",
    "Mapping",
    "MappingRule",
    "RowFilter",
    "SeriesTarget",
    "TableLayout",
]

# Every field a column may feed, with what a person is told about it.
FIELDS: dict[str, str] = {
    "batch": "the CMO's batch number; the row belongs to this batch",
    "batch.partner": "the partner's number of the batch",
    "batch.campaign": "campaign of the batch",
    "batch.size": "planned output of the batch, with a unit",
    "batch.start": "start of the batch, with a time format",
    "batch.end": "end of the batch, with a time format",
    "batch.state": "planned, running, held, complete or aborted",
    "product": "the CMO's product code",
    "product.name": "the product's name",
    "site": "the site at which the batch is made",
    "lot.product": "the code of a lot's material; a lot column names this one by its header",
    "step": "the recipe element that the row's values belong to",
    "step.start": "start of the step, with a time format",
    "step.end": "end of the step, with a time format",
    "equipment": "the piece of equipment that the batch occupied",
    "equipment.class": "class of that piece",
    "equipment.from": "from when, with a time format",
    "equipment.to": "until when, with a time format",
    "equipment.basis": "who says so: mes, unit_tag, logbook or person",
    "sample": "the sample's number",
    "sample.point": "where the sample was drawn",
    "sample.drawn": "when it was drawn, with a time format",
    "observed_at": "when the row's values were observed, with a time format",
    "elapsed": "series: how long after `elapsed.from` the row's values were observed, with a unit",
    "elapsed.from": "series: the instant that `elapsed` counts from, with a time format",
    "recorded_at": "when they were written in the source system, with a time format",
    "analysed": "when the row's values were analysed, with a time format",
    "analyst": "who analysed",
    "method": "by which method",
    "instrument": "on which instrument",
    "replicate": "which replicate the row holds, from 1",
    "attempt": "which attempt the row holds, from 1",
    "tag": "long tables: the tag or test that the row's value is of",
    "value": "long tables: the value",
    "unit": "long tables: the value's unit",
    "quality": "long tables: the value's quality in the source's words",
}

Shape = Literal["row_a_batch", "wide", "long"]


class LotTarget(Frozen, frozen=True, kw_only=True):
    """A lot column: the lot, and its transformation into the row's batch.

    `product` is the material's code; `product_header` names a column that holds it instead.
    """

    use: str
    product: str | None = None
    product_header: str | None = None


class SeriesTarget(Frozen, frozen=True, kw_only=True):
    """That a column or tag is a series of points, and how its source samples (STANDARD S37).

    `dead_band` in the rule's unit; intervals as ISO 8601 durations; `between` two points a line or a
    step; `scale` decimals at least.
    """

    model: Literal["raw", "as_archived", "interpolated", "averaged"]
    between: Literal["step", "linear"] = "linear"
    dead_band: str | None = None
    longest_interval: str | None = None
    interval: str | None = None
    window: str | None = None
    scale: str | None = None


class MappingRule(Frozen, frozen=True, kw_only=True):
    """Where (sheet, group, header, occurrence; tag in long tables) and exactly one target.

    A target is a `term` with class, position, qualifier, role and unit, a `field`, a `lot`, `ignored`
    with its reason, or `open`: a question that a person has still to answer.
    """

    header: str | None = None
    tag: str | None = None
    sheet: str | None = None
    group: str | None = None
    occurrence: int = 1
    term: str | None = None
    equipment_class: str | None = None
    position: str | None = None
    qualifier: str | None = None
    role: Literal["PV", "SP", "OUT", "result"] = "result"
    raw_unit: str | None = None
    unit: str | None = None
    kind: Literal["number", "text", "code", "boolean"] = "number"
    series: SeriesTarget | None = None
    field: str | None = None
    lot: LotTarget | None = None
    ignored: str | None = None
    open: str | None = None
    time_format: str | None = None

    def __post_init__(self) -> None:
        """Check that a rule has one place and one target."""
        where = self.header or self.tag or "a rule"
        if (self.header is None) == (self.tag is None):
            raise InputError("header or tag, one of them", where=where, found="both or neither")
        targets = ("term", "field", "lot", "ignored", "open")
        given = [name for name in targets if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                "exactly one of term, field, lot, ignored, open",
                where=where,
                found=", ".join(given) or "none",
            )
        if self.series is not None and (self.term is None or self.role == "result"):
            raise InputError(
                "a term and the role PV, SP or OUT for a series",
                where=where,
                found=self.term or given[0],
                code="mapping.series",
            )
        if self.field is not None and self.field not in FIELDS:
            raise InputError(
                f"a field: {', '.join(FIELDS)}", where=where, found=self.field, code="mapping.field"
            )


class AbsentText(Frozen, frozen=True, kw_only=True):
    """A text that stands for 'no value', and why."""

    text: str
    reason: AbsentReason


class Constant(Frozen, frozen=True, kw_only=True):
    """A field that is the same in every row and stands in no column."""

    field: str
    text: str


class EquipmentPiece(Frozen, frozen=True, kw_only=True):
    """A piece of equipment of a template, with the prefix of its tags."""

    equipment: str
    tag_prefix: str = ""


class TableLayout(Frozen, frozen=True, kw_only=True):
    """How the table lies in its file; what is left out is found, with evidence, at reading."""

    sheet: str | None = None
    header_row: int | None = None
    group_row: int | None = None
    unit_row: int | None = None
    first_data_row: int | None = None
    delimiter: str | None = None
    encoding: str | None = None


class RowFilter(Frozen, frozen=True, kw_only=True):
    """Rows that a mapping reads: those whose column says one of these texts; `reason` for the others."""

    header: str
    texts: tuple[str, ...]
    reason: str


class Mapping(Record, frozen=True, kw_only=True):
    """What a source's columns mean. Made once, confirmed by a named person, used for every sponsor."""

    source: str
    rules: tuple[MappingRule, ...]
    shape: Shape
    decimal_mark: Literal[".", ","]
    zone: str
    extractor: str = "tabular/1"
    zone_basis: Literal["stated", "configured", "assumed"] = "configured"
    equipment: tuple[EquipmentPiece, ...] = ()
    layout: TableLayout = TableLayout()
    constants: tuple[Constant, ...] = ()
    time_formats: tuple[str, ...] = ()
    month_names: tuple[str, ...] = ()
    clock_offset: str | None = None
    absent_texts: tuple[AbsentText, ...] = ()
    only: tuple[RowFilter, ...] = ()
    grouping_mark: Literal["", ".", ",", " ", "'"] = ""
    day_origin: Literal[0, 1] | None = None
    precedence: Literal["live", "file"] = "file"
    confirmed_by: str | None = None
    checked_by: str | None = None

    def __post_init__(self) -> None:
        """Check that one mark has one meaning: with both a comma, 1,234 would be two numbers."""
        if self.grouping_mark == self.decimal_mark:
            raise InputError(
                "a grouping mark other than the decimal mark",
                where=self.source,
                found=self.grouping_mark,
                code="mapping.marks",
            )
