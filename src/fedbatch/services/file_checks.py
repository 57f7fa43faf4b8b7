"""What can be checked of a table before anybody has said what its columns mean.

Nothing here is guessed: where a check rests on an assumption, the assumption is said with the cell
that shows it, and where the texts do not show one thing alone, that is the finding. Findings carry a
locator of one cell, or of a stretch in one column (`R5C3:R90C3`, `Sheet!C5:C90`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from itertools import groupby

import msgspec
import numpy as np

from fedbatch.mapping.assuming import (
    Assumption,
    ColumnTexts,
    Sort,
    TableTexts,
    is_either,
    read_texts,
)
from fedbatch.mapping.cells import first_kind_change
from fedbatch.mapping.suggest import fits_unit, named_field, named_term, unit_text, words_of
from fedbatch.mapping.tables import CellKind, Table
from fedbatch.rules.columns import (
    COPIED_ROWS_MIN,
    RISES_MIN,
    STEPS_MIN,
    copied_columns,
    equal_rows,
)
from fedbatch.rules.source import Extremes, order_findings
from fedbatch.series.blocks import Flags, Floats, Integers
from fedbatch.services.cell_findings import CellFindings
from fedbatch.services.time_checks import AXIS_ROWS_MIN, CELLS_LISTED_MAX, TimeChecks
from fedbatch.standard.dictionary import Dictionary, Term
from fedbatch.standard.findings import Finding
from fedbatch.standard.units import Unit, UnitTable

__all__ = ["ADVICE", "TableChecks", "check_table"]

# What a person can do about it, by rule.
ADVICE = {
    "value.damaged": "Export the column again from where it came; the digits cannot be restored from here.",
    "value.mixed_marks": "Export the file in one language setting.",
    "value.ambiguous": "Say which it is: `decimal_mark` in a mapping.",
    "value.blank": "If a blank has a meaning (not measured, not detected), the source should say so.",
    "value.implausible": "Look at the number, and at the unit.",
    "type.changed": "Two exports may have been pasted together, or a column moved.",
    "type.mixed": "Say in a mapping what the text stands for (`absent_texts`).",
    "type.number_as_text": "A spreadsheet leaves such cells out of its sums.",
    "table.error_cell": "Repair the formula, or export the value from where it came.",
    "table.formula": "Paste values before the file is passed on.",
    "table.ragged": "A mark between cells may stand inside a text, or the file may hold several tables.",
    "table.duplicate_header": "Give each column a name of its own.",
    "time.ambiguous": "Write dates as 2026-03-01, and times with their offset.",
    "time.zone": "Name the zone with --zone, or export times with their offset.",
    "time.unknown": "Write all alike, as 2026-03-01 06:00:00; the guide lists the forms that are known.",
    "time.format": "Correct the date where it was written.",
    "order.min_mean_max": "Look whether columns were exchanged.",
    "row.duplicate": "Leave one of the rows out.",
    "row.repeated": "One of the rows may bear another's number.",
    "series.backwards": "Look at the source's clock.",
    "series.duplicate": "One of the points is a repetition, or the clock was set back.",
    "series.gap": "Ask what was not logged.",
    "series.copied": "One of the columns may have been exported under the other's name.",
    "counter.stuck": "Compare with another count of the same.",
    "counter.reset": "Rows of the next batch may stand under this one's number.",
    "unit.implausible": "Look at the unit in the header.",
    "unit.unusual": "Look at the unit in the header; the word may mean something else here.",
    "table.several": "Save each part as a file of its own; nothing but the structure was checked.",
}
_QUALIFIERS = {
    **dict.fromkeys(("min", "minimum", "least", "lowest"), "least"),
    **dict.fromkeys(("av", "avg", "mean", "average"), "mean"),
    **dict.fromkeys(("max", "maximum", "greatest", "highest"), "greatest"),
}
_KEY_FIELDS = frozenset({"batch", "sample"})
_TEXTS_SHOWN = 5
_FILLED_PART = 0.9
_BLANK_PART_MAX = 0.5
_KEY_PART = 0.95
_KEY_ROWS_MIN = 20
_GROUPED_ROWS_MIN = 3
_EXCHANGED_PART = 0.9
_OUT_PART = 0.9
_DUPLICATE_COLUMNS_MIN = 3
_ROW = re.compile(r"(\d+)$|R(\d+)C")
_SECTION = re.compile(r"\[[^\[\]]+\]")
_SECTIONS_MIN = 2
_RUNS = frozenset({"table.ragged", "table.blank_row", "table.hidden_row"})


@dataclass(slots=True, kw_only=True)
class TableChecks:
    """A table's size, what was assumed to read it, and all that was found."""

    sheet: str
    rows: int
    columns: int
    assumed: list[Assumption] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def check_table(
    table: Table,
    file: str,
    units: UnitTable,
    dictionary: Dictionary,
    *,
    zone: tzinfo | None = None,
    zone_name: str = "",
    structure: Sequence[Finding] = (),
) -> TableChecks:
    """Check one table.

    Args:
        table: as it was read.
        file: the file's name.
        units: the units table.
        dictionary: the dictionary; only a header that is a term's very name is taken for it.
        zone: of local times, where a person says it.
        zone_name: its name.
        structure: what reading the table has found already.
    """
    texts = read_texts(table, zone, zone_name)
    work = _Work(texts, file, units, dictionary, has_zone=zone is not None)
    layout = [item for item in structure if item.rule == "table.layout"]
    texts.assumed[:0] = [
        Assumption(about="layout", assumed=item.found, evidence="as the cells show it")
        for item in layout
    ]
    found = [*_merged([item for item in structure if item not in layout]), *work.run()]
    return TableChecks(
        sheet=table.sheet,
        rows=len(table.rows),
        columns=len(table.columns),
        assumed=[*texts.assumed, *work.assumed],
        findings=sorted(map(_advised, found), key=lambda item: item.severity),
    )


def _advised(item: Finding) -> Finding:
    advice = item.advice or ADVICE.get(item.rule, "")
    return msgspec.structs.replace(item, advice=advice)


def _merged(found: Sequence[Finding]) -> Iterator[Finding]:
    """Findings of neighbouring rows that say the same are one."""
    for _, items in groupby(_runs(found), key=lambda item: item[0]):
        group = [item for _, item in items]
        first = group[0]
        if len(group) > 1:
            told = f"{first.found}, and so in {len(group)} rows to {group[-1].where.locator}"
            first = msgspec.structs.replace(first, found=told)
        yield first


def _runs(found: Sequence[Finding]) -> Iterator[tuple[tuple[str, str, int], Finding]]:
    """Each finding with what it shares with its neighbours: rule, text, and row less its place."""
    for place, item in enumerate(found):
        match = _ROW.search(item.where.locator)
        row = int(next(filter(None, match.groups()), "0")) if match else 0
        # Other rules never run together: their places in the list tell them apart.
        yield (item.rule, item.found, row - place if item.rule in _RUNS else -place), item


class _Work(CellFindings):
    """One table under check; lives for one call of `check_table`."""

    def __init__(
        self,
        texts: TableTexts,
        file: str,
        units: UnitTable,
        dictionary: Dictionary,
        *,
        has_zone: bool,
    ) -> None:
        super().__init__(texts.table, file)
        self.texts = texts
        self.units = units
        self.numbers: list[ColumnTexts] = list(texts.of_kind("number"))
        self.terms: dict[str, ColumnTexts] = {}
        self.assumed: list[Assumption] = []
        self.twins: set[int] = set()
        self._name_terms(dictionary)
        self.times = TimeChecks(
            texts,
            file,
            numbers=self.numbers,
            terms=self.terms,
            twins=self.twins,
            has_zone=has_zone,
        )

    def run(self) -> Iterator[Finding]:
        sections = self._sections()
        if sections:
            yield from sections
            return
        yield from self._damaged()
        yield from self._marks()
        yield from self._mixed()
        yield from self._errors()
        yield from self._blanks()
        yield from self._stored_texts()
        yield from self._units()
        yield from self.times.texts_of_times()
        yield from self._order()
        yield from self._double_rows()
        yield from self._keys()
        yield from self._copies()
        yield from self.times.along_time()
        self.assumed += self.times.assumed
        self._say_too_few()

    def _say_too_few(self) -> None:
        """Which checks were left out for want of rows; silence would look like a clean bill."""
        rows = len(self.table.rows)
        is_along = any(True for _ in self.texts.of_kind("time"))
        has_key = any(named_field(one.column.header) in _KEY_FIELDS for one in self.texts.columns)
        left_out = [
            f"{what} ({least})"
            for what, least, applies in (
                ("times that run back, doubled points", AXIS_ROWS_MIN, is_along),
                ("repeated keys", _KEY_ROWS_MIN, has_key),
                ("gaps", STEPS_MIN + 1, is_along),
                ("counters that fall", RISES_MIN + 1, bool(self.numbers)),
                ("copied columns", COPIED_ROWS_MIN, len(self.numbers) > 1),
            )
            if applies and rows < least
        ]
        if left_out:
            self.assumed.append(
                Assumption(
                    about="rows",
                    assumed=f"too few to judge {'; '.join(left_out)}",
                    evidence=f"{rows:,} rows; in brackets how many each check needs",
                )
            )

    # ---- places

    def _name_terms(self, dictionary: Dictionary) -> None:
        """Columns whose header is a term's very name; two of one name are neither."""
        counts: Counter[str] = Counter()
        found: dict[str, tuple[Term, ColumnTexts]] = {}
        for item in self.numbers:
            term = named_term(item.column.header, dictionary)
            if term is not None:
                counts[term.term] += 1
                found[term.term] = term, item
        self.named = [found[name] for name in found if counts[name] == 1]
        self.terms = {term.term: item for term, item in self.named}

    def _sections(self) -> list[Finding]:
        """Whether the file is cut into parts by lines such as `[Data]`: their columns differ."""
        first = self.texts.columns[0] if self.texts.columns else None
        marks = (
            [] if first is None else [p for p, t in enumerate(first.texts) if _SECTION.fullmatch(t)]
        )
        if first is None or not marks:
            return []
        rows = np.flatnonzero(np.isin(first.codes, marks)).tolist()
        alone = [
            row
            for row in rows
            if not any(item.column.texts[row].strip() for item in self.texts.columns[1:])
        ]
        if len(alone) < _SECTIONS_MIN:
            return []
        told = f"{first.column.texts[alone[0]]} and {len(alone) - 1:,} more headings of parts"
        return [self._say("table.several", alone[0], first, told, "one table")]

    # ---- one column

    def _damaged(self) -> Iterator[Finding]:
        for item in self.numbers:
            rows = np.flatnonzero(item.row_sorts == Sort.DAMAGED).tolist()
            if len(rows) > CELLS_LISTED_MAX:
                place = int(item.codes[rows[0]])
                told = f"{item.texts[place]} and {len(rows) - 1:,} others"
                yield self._say(
                    "value.damaged", rows[0], item, told, item.why[place], last=rows[-1]
                )
                continue
            for row in rows:
                place = int(item.codes[row])
                yield self._say("value.damaged", row, item, item.texts[place], item.why[place])

    def _marks(self) -> Iterator[Finding]:
        mark = self.texts.mark
        for item in self.numbers:
            shown = [
                place for place, text in enumerate(item.texts) if item.mark and item.mark in text
            ]
            if mark and item.mark != mark and any(item.votes.values()) and shown:
                row = item.first_row(shown[0])
                told, wanted = item.texts[shown[0]], f"a decimal {_named(mark)} as in other columns"
                yield self._say("value.mixed_marks", row, item, told, wanted)
            if not item.mark:
                yield from self._either(item)

    def _either(self, item: ColumnTexts) -> Iterator[Finding]:
        marked = [
            p for p, text in enumerate(item.texts) if not item.is_stored[p] and is_either(text)
        ]
        if marked:
            count = int(np.isin(item.codes, marked).sum())
            row = item.first_row(marked[0])
            told = f"{item.texts[marked[0]]}, one of {count:,} that read either way"
            expected = "a number that shows whether the mark stands before decimals"
            yield self._say("value.ambiguous", row, item, told, expected)

    def _mixed(self) -> Iterator[Finding]:
        """Texts among numbers; a column that is one from some row on has changed."""
        for item in self.texts.columns:
            if item.kind not in {"number", "text"}:
                continue
            sorts = item.row_sorts
            change = _kind_change(sorts)
            if change is not None and 0 < change < sorts.size:
                before, after = (item.column.texts[row] for row in _around(sorts, change))
                told, wanted = f"{after} below {before}", "one kind from end to end"
                yield self._say("type.changed", change, item, told, wanted, last=sorts.size - 1)
            elif item.kind == "number":
                yield from self._texts_among(item, sorts)

    def _texts_among(self, item: ColumnTexts, sorts: Integers) -> Iterator[Finding]:
        odd = (sorts == Sort.TEXT) | (sorts == Sort.ABSENT)
        counts = Counter(item.codes[odd].tolist()).most_common()
        for place, count in counts[:_TEXTS_SHOWN]:
            told = f"{item.texts[place]}, {count:,} times" if count > 1 else item.texts[place]
            yield self._say("type.mixed", item.first_row(place), item, told, "a number")
        rest = counts[_TEXTS_SHOWN:]
        if rest:
            total = sum(count for _, count in rest)
            told = f"{len(rest)} more texts in {total:,} cells, such as {item.texts[rest[0][0]]}"
            yield self._say("type.mixed", item.first_row(rest[0][0]), item, told, "numbers")

    def _errors(self) -> Iterator[Finding]:
        """Errors that a text file has carried over from a sheet; a workbook's are found already."""
        if self.table.scheme == "cell":
            return
        for item in self.texts.columns:
            for row in np.flatnonzero(item.row_sorts == Sort.ERROR).tolist():
                yield self._say("table.error_cell", row, item, item.column.texts[row], "a value")

    def _blanks(self) -> Iterator[Finding]:
        for item in self.texts.columns:
            blank = item.row_sorts == Sort.BLANK
            count = int(blank.sum())
            if count and count <= _BLANK_PART_MAX * blank.size:
                row = int(np.argmax(blank))
                spaces = sum(1 for text in item.column.texts if text and not text.strip())
                told = f"{count:,} blank of {blank.size:,} cells"
                told += f", {spaces:,} of them of spaces" if spaces else ""
                yield self._say("value.blank", row, item, told, "a value in each row")

    def _stored_texts(self) -> Iterator[Finding]:
        for item in self.numbers:
            kinds = item.column.kinds
            if kinds is None or CellKind.NUMBER not in kinds:
                continue
            kind = np.array(kinds, dtype=np.int64)
            rows = np.flatnonzero((kind == CellKind.TEXT) & (item.row_sorts == Sort.NUMBER))
            if rows.size:
                row = int(rows[0])
                told = f"{item.column.texts[row]} as text, and so in {rows.size:,} cells"
                yield self._say("type.number_as_text", row, item, told, "a number")

    # ---- units

    def _units(self) -> Iterator[Finding]:
        for term, item in self.named:
            said = unit_text(item.column)
            unit = self.units.find(said) if said else None
            if not said and len(term.units) == 1:
                unit = self.units.by_code.get(term.units[0])
            if not isinstance(unit, Unit):
                continue
            usual = self.units.by_code.get(term.units[0]) if term.units else None
            is_none = unit.ucum == "1"  # as `-` in a row of units says
            if usual is not None and not is_none and not fits_unit(unit, term, self.units):
                row = _first_filled(item)
                told, wanted = f"{said} over {item.column.header}", f"a unit of {term.name}"
                yield self._say("unit.unusual", row, item, told, wanted)
            elif usual is not None and unit.kind == usual.kind:
                yield from self._range(term, item, unit, usual)

    def _range(self, term: Term, item: ColumnTexts, unit: Unit, usual: Unit) -> Iterator[Finding]:
        """Numbers outside what is usual of a term; nearly all of them, and it is the unit."""
        numbers = item.numbers
        there = ~np.isnan(numbers)
        out = there & _outside(numbers, term, unit, usual)
        count, total = int(out.sum()), int(there.sum())
        if not count:
            return
        row = int(np.argmax(out))
        low, high = term.typical_low or "…", term.typical_high or "…"
        expected = f"{term.name} between {low} and {high} {usual.ucum}, as is usual"
        told = f"{item.column.texts[row]} {unit.ucum}, and so in {count:,} of {total:,} cells"
        other = self._better(term, numbers[there], unit, usual) if count > _OUT_PART * total else ""
        rule = "unit.implausible" if other else "value.implausible"
        advice = f"Nearly all would be usual in {other}." if other else ""
        yield self._say(rule, row, item, told, expected, advice=advice)

    def _better(self, term: Term, numbers: Floats, unit: Unit, usual: Unit) -> str:
        """Another unit of the kind in which nearly all numbers would be usual; "" for none."""
        for other in self.units.by_code.values():
            if other.kind == usual.kind and other.ucum != unit.ucum:
                out = _outside(numbers, term, other, usual)
                if int(out.sum()) <= (1 - _OUT_PART) * out.size:
                    return other.ucum
        return ""

    # ---- several columns

    def _order(self) -> Iterator[Finding]:
        families = self._families()
        for name, family in families.items():
            found = list(order_findings(self._extremes(name, family)))
            if not found:
                continue
            members = " ≤ ".join(
                family[word].column.header
                for word in ("least", "mean", "greatest")
                if word in family
            )
            self.assumed.append(
                Assumption(about=members, assumed="least, mean, greatest", evidence="their headers")
            )
            hint = self._exchanged(name, family, families)
            yield from (
                msgspec.structs.replace(item, advice=hint, expected=members) for item in found
            )

    def _families(self) -> dict[tuple[str, ...], dict[str, ColumnTexts]]:
        """Columns of one name but for a word for least, mean or greatest."""
        families: dict[tuple[str, ...], dict[str, ColumnTexts]] = {}
        twice: set[tuple[str, ...]] = set()
        for item in self.numbers:
            words = words_of(f"{item.column.group} {item.column.header}")
            told = [_QUALIFIERS[word] for word in words if word in _QUALIFIERS]
            if len(told) != 1:
                continue
            stem = tuple(word for word in words if word not in _QUALIFIERS)
            family = families.setdefault(stem, {})
            if told[0] in family:
                twice.add(stem)
            family[told[0]] = item
        return {
            stem: family
            for stem, family in families.items()
            if len(family) > 1 and stem not in twice
        }

    def _extremes(self, name: tuple[str, ...], family: dict[str, ColumnTexts]) -> Extremes:
        first = next(family[word] for word in ("least", "mean", "greatest") if word in family)
        rows = range(len(self.table.rows))
        absent = [None] * len(rows)
        return Extremes(
            name=" ".join(name),
            places=[self._place(row, first) for row in rows],
            least=_decimals(family["least"]) if "least" in family else absent,
            mean=_decimals(family["mean"]) if "mean" in family else absent,
            greatest=_decimals(family["greatest"]) if "greatest" in family else absent,
        )

    def _exchanged(
        self,
        name: tuple[str, ...],
        family: dict[str, ColumnTexts],
        families: dict[tuple[str, ...], dict[str, ColumnTexts]],
    ) -> str:
        """Which other pair of least and greatest would put most of the failing rows in order."""
        if len(family) < 3:  # noqa: PLR2004 - a mean tells whose extremes these are
            return ""
        failing = ~_in_order(family, family)
        for other, members in families.items():
            apart = sum(one != two for one, two in zip(name, other, strict=False))
            if len(members) < 3 or len(other) != len(name) or apart != 1:  # noqa: PLR2004 - as above
                continue
            mended = failing & _in_order(family, members) & _in_order(members, family)
            if int(mended.sum()) >= _EXCHANGED_PART * int(failing.sum()):
                pair = " and ".join(members[word].column.header for word in ("least", "greatest"))
                return (
                    f"In {int(mended.sum())} of {int(failing.sum())} rows all is in order with {pair} "
                    "in their stead: the columns may have been exchanged."
                )
        return ""

    def _double_rows(self) -> Iterator[Finding]:
        columns = self.texts.columns
        if len(columns) < _DUPLICATE_COLUMNS_MIN:
            return
        pairs = equal_rows([item.codes for item in columns])
        if not pairs or len(pairs) > (1 - _FILLED_PART) * len(self.table.rows):
            return
        for first, again in sorted(pairs, key=lambda pair: pair[1]):
            self.twins.add(again)
            told = f"row {self.table.rows[again]} equal to row {self.table.rows[first]}"
            yield self._say("row.duplicate", again, columns[0], told, "another row")

    def _keys(self) -> Iterator[Finding]:
        for item in self.texts.columns:
            if named_field(item.column.header) not in _KEY_FIELDS:
                continue
            filled = item.row_sorts != Sort.BLANK
            rows = int(filled.sum())
            if rows < _KEY_ROWS_MIN or len(item.texts) < _KEY_PART * rows:
                continue
            seen: dict[int, int] = {}
            for row, place in enumerate(item.codes.tolist()):
                first = seen.setdefault(place, row)
                if first != row and filled[row] and row not in self.twins:
                    told = f"{item.texts[place]} again, first in row {self.table.rows[first]}"
                    yield self._say("row.repeated", row, item, told, "a key of its own")

    def _copies(self) -> Iterator[Finding]:
        for first, again in copied_columns([item.numbers for item in self.numbers]):
            one, other = self.numbers[first], self.numbers[again]
            last = len(self.table.rows) - 1
            told = f"equal to {one.column.header} in all {last + 1:,} rows"
            yield self._say("series.copied", 0, other, told, "numbers of its own", last=last)


def _named(mark: str) -> str:
    return "point" if mark == "." else "comma"


def _kind_change(sorts: Integers) -> int | None:
    """Where a column stops being numbers, or begins to be, for good."""
    is_number = (sorts == Sort.NUMBER) | (sorts == Sort.DAMAGED)
    if not is_number.any() or not np.any(sorts == Sort.TEXT):
        return None
    told: list[bool | None] = [
        True if sort in {Sort.NUMBER, Sort.DAMAGED} else False if sort == Sort.TEXT else None
        for sort in sorts.tolist()
    ]
    change = first_kind_change(told)
    if change is not None and True not in told[change:] and _is_one(told[:change]):
        return change
    change = first_kind_change([None if item is None else not item for item in told])
    return change if change is not None and _is_one(told[:change]) else None


def _is_one(told: Sequence[bool | None]) -> bool:
    """Whether a stretch is of one kind throughout, and long enough to be one."""
    filled = [item for item in told if item is not None]
    return len(filled) >= _GROUPED_ROWS_MIN and len(set(filled)) == 1


def _around(sorts: Integers, change: int) -> tuple[int, int]:
    """The last filled row before a change, and the row of it."""
    filled = np.flatnonzero((sorts[:change] != Sort.BLANK) & (sorts[:change] != Sort.ABSENT))
    return int(filled[-1]), change


def _first_filled(item: ColumnTexts) -> int:
    return int(np.argmax(item.row_sorts != Sort.BLANK))


def _outside(numbers: Floats, term: Term, unit: Unit, usual: Unit) -> Flags:
    """Which numbers of a unit lie outside a term's range in its usual unit."""
    factor = float(unit.factor / usual.factor)
    offset = float((unit.offset - usual.offset) / usual.factor)
    low = float(term.typical_low) if term.typical_low else -np.inf
    high = float(term.typical_high) if term.typical_high else np.inf
    there = numbers * factor + offset
    return np.asarray((there < low) | (there > high), dtype=np.bool_)


def _decimals(item: ColumnTexts) -> list[Decimal | None]:
    told = [
        Decimal(reading.number) if reading is not None and not reading.comparator else None
        for reading in item.readings
    ]
    return [told[place] for place in item.codes.tolist()]


def _in_order(means: dict[str, ColumnTexts], extremes: dict[str, ColumnTexts]) -> Flags:
    """Rows in which the least and greatest of one family lie around the mean of another."""
    least, mean = extremes["least"].numbers, means["mean"].numbers
    greatest = extremes["greatest"].numbers
    return np.asarray((least <= mean) & (mean <= greatest), dtype=np.bool_)
