"""From a column's texts to values: what each cell says under its rule, or why that is in doubt.

A column has one rule, one unit and few distinct texts, so each distinct cell is read once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from fedbatch.errors import InputError
from fedbatch.mapping.numbers import NumberReader, Reading, is_not_finite
from fedbatch.mapping.tables import CellKind
from fedbatch.standard.dictionary import Dictionary, Term
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.units import Unit, UnitQuestion, UnitTable
from fedbatch.standard.values import AbsentReason, UnitBasis, Value

__all__ = ["SPREADSHEET_ERRORS", "CellReader", "Doubt", "column_unit", "make_reader"]

# What spreadsheets write where a formula failed; these never need a mapping's word.
SPREADSHEET_ERRORS = frozenset(
    {"#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
)
_TRUE_FALSE = {
    "true": "true",
    "false": "false",
    "yes": "true",
    "no": "false",
    "1": "true",
    "0": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a cell is held back: the rule, and what would have been right."""

    rule: str
    expected: str
    advice: str = ""


def column_unit(
    rule: MappingRule, unit_text: str, table: UnitTable
) -> tuple[Unit | None, UnitBasis] | Doubt:
    """The unit a column's numbers are in, and who says so; a Doubt if that is not certain.

    Args:
        rule: the column's rule; its `raw_unit` is the mapping's word.
        unit_text: what a unit row or the cell beside says; "" for nothing.
        table: the units table.
    """
    said = unit_text.strip()
    text = said or (rule.raw_unit or rule.unit or "")
    if not text:
        return Doubt(rule="unit.unknown", expected="a unit for the column in the mapping")
    found = table.find(text) if said or rule.raw_unit else table.by_code.get(text)
    if isinstance(found, UnitQuestion) and said and rule.raw_unit:
        # The source's text is in doubt, and a person has said in the mapping what it means.
        said, found = "", table.find(rule.raw_unit)
    if isinstance(found, UnitQuestion):
        return Doubt(rule="unit.unknown", expected=f"one meaning of {text!r}: {found.choices}")
    if found is None:
        return Doubt(rule="unit.unknown", expected="a unit of the units table")
    if said and rule.raw_unit:
        declared = table.find(rule.raw_unit)
        if isinstance(declared, Unit) and declared.ucum != found.ucum:
            expected = f"{rule.raw_unit}, as the mapping says"
            return Doubt(rule="unit.implausible", expected=expected)
    basis: UnitBasis = "unit_row" if said else "mapping"
    if found.ucum == "%" and (rule.unit or "") in table.by_code and (rule.unit or "")[:2] == "%{":
        # A bare % does not say of what; the mapping does, and a person confirmed it.
        return table.get(rule.unit or ""), basis
    if rule.unit is not None and not table.is_convertible(found.ucum, rule.unit):
        return Doubt(rule="unit.implausible", expected=f"a unit that converts to {rule.unit}")
    return found, basis


_STORED = NumberReader(decimal_mark=".")


@dataclass(slots=True, kw_only=True)
class CellReader:
    """Reads the cells of one column under one rule and one unit."""

    rule: MappingRule
    unit: Unit | None
    raw_unit: str | None
    unit_basis: UnitBasis | None
    numbers: NumberReader
    absent: dict[str, AbsentReason]
    units: UnitTable
    term: Term | None
    low: Decimal | None
    high: Decimal | None
    seen: dict[tuple[str, CellKind | None, bool], Value | Doubt]
    implausible: set[str]

    def read(self, text: str, kind: CellKind | None = None, form: str = "") -> Value | Doubt:
        """The value of a cell. `kind` and `form` (display format) are a workbook's."""
        key = (text, kind, "%" in form)
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = self._read(text, kind, is_percent="%" in form)
        return found

    def _read(self, text: str, kind: CellKind | None, *, is_percent: bool) -> Value | Doubt:
        plain = text.strip()
        if not plain:
            return Value(kind="absent", raw=text, absent="blank")
        if kind == CellKind.ERROR or plain in SPREADSHEET_ERRORS:
            return Value(kind="absent", raw=text, absent="spreadsheet_error")
        reason = self.absent.get(plain)
        if reason is not None:
            return Value(kind="absent", raw=text, absent=reason)
        if self.rule.kind == "number":
            return self._number(text, kind, is_percent=is_percent)
        if self.rule.kind == "boolean":
            return self._boolean(text)
        if self.rule.kind == "code":
            return Value(kind="code", raw=text, code=plain)
        return Value(kind="text", raw=text)

    def _boolean(self, text: str) -> Value | Doubt:
        code = _TRUE_FALSE.get(text.strip().lower())
        if code is None:
            return Doubt(rule="type.unknown", expected="true or false")
        return Value(kind="boolean", raw=text, code=code)

    def _number(self, text: str, kind: CellKind | None, *, is_percent: bool) -> Value | Doubt:
        if kind == CellKind.DATE:
            expected = "a number; the spreadsheet made a date of it"
            return Doubt(rule="value.damaged", expected=expected)
        if is_not_finite(text):
            return Doubt(rule="value.not_finite", expected="a finite number")
        reading = _STORED.read(text) if self._is_stored(kind) else None
        reading = reading or self.numbers.read(text)
        if reading is None:
            return self._not_a_number(text)
        if is_percent and self.unit is not None and self.unit.ucum != "1":
            return Doubt(
                rule="unit.percent_format",
                expected='raw_unit "1" in the mapping',
                advice="The sheet stores a fraction and shows it as percent.",
            )
        if reading.unit_text:
            return self._with_unit(text, reading)
        self._judge(reading.number)
        return self._in_unit(text, reading, self.raw_unit, self.unit_basis)

    def _is_stored(self, kind: CellKind | None) -> bool:
        """Whether the source holds a number, not a text: its decimal mark is a point."""
        return kind == CellKind.NUMBER or (
            kind == CellKind.FORMULA and self.numbers.grouping_mark != "."
        )

    def _not_a_number(self, text: str) -> Doubt:
        mark = "point" if self.numbers.decimal_mark == "." else "comma"
        if any(character.isdigit() for character in text):
            return Doubt(rule="value.damaged", expected=f"a number with a decimal {mark}")
        return Doubt(
            rule="type.unknown",
            expected=f"a number with a decimal {mark}, or a text listed in absent_texts",
        )

    def _with_unit(self, text: str, reading: Reading) -> Value | Doubt:
        found = self.units.find(reading.unit_text)
        if not isinstance(found, Unit):
            return Doubt(rule="unit.unknown", expected="a unit of the units table in the cell")
        if self.unit is not None and found.ucum != self.unit.ucum:
            expected = f"{self.unit.ucum}, as the column's other cells"
            return Doubt(rule="unit.implausible", expected=expected)
        self._judge(reading.number)
        return self._in_unit(text, reading, reading.unit_text, "cell")

    def _in_unit(
        self, text: str, reading: Reading, raw_unit: str | None, basis: UnitBasis | None
    ) -> Value | Doubt:
        number, unit = reading.number, self.unit.ucum if self.unit is not None else None
        conversion = None
        if self.rule.unit and unit and self.rule.unit != unit:
            try:
                converted = self.units.convert(number, unit, self.rule.unit)
            except InputError:
                # The units convert, so this number has too many digits for the mapping's unit.
                return Doubt(
                    rule="value.damaged", expected=f"a number that {self.rule.unit} can hold"
                )
            number, unit, conversion = converted.number, self.rule.unit, converted.conversion
        return Value(
            kind="number",
            raw=text,
            number=number,
            comparator=reading.comparator,
            unit=unit,
            raw_unit=raw_unit,
            unit_basis=basis,
            conversion=conversion,
        )

    def _judge(self, number: str) -> None:
        """Note a number outside its term's indicative range; it is no reason to hold it back."""
        if self.term is None or self.unit is None:
            return
        if self.unit.ucum != self.term.units[0]:
            return
        value = Decimal(number)
        below = self.low is not None and value < self.low
        if below or (self.high is not None and value > self.high):
            self.implausible.add(number)


def make_reader(
    rule: MappingRule,
    mapping: Mapping,
    unit: tuple[Unit | None, UnitBasis] | None,
    raw_unit: str | None,
    units: UnitTable,
    dictionary: Dictionary,
) -> CellReader:
    """A reader for one column: the mapping's marks and absent texts, the term's range."""
    term = dictionary.terms.get(rule.term or "")
    return CellReader(
        rule=rule,
        unit=unit[0] if unit else None,
        raw_unit=raw_unit,
        unit_basis=unit[1] if unit else None,
        numbers=NumberReader(
            decimal_mark=mapping.decimal_mark, grouping_mark=mapping.grouping_mark
        ),
        absent={item.text: item.reason for item in mapping.absent_texts},
        units=units,
        term=term,
        low=_bound(term.typical_low) if term else None,
        high=_bound(term.typical_high) if term else None,
        seen={},
        implausible=set(),
    )


def _bound(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def first_kind_change(kinds: Sequence[bool | None]) -> int | None:
    """Where a column stops being numbers for good: the first of three or more non-numbers at its end.

    Args:
        kinds: for each row True for a number, False for another text, None for no value.
    """
    filled = [(index, is_number) for index, is_number in enumerate(kinds) if is_number is not None]
    tail = len(filled)
    while tail and not filled[tail - 1][1]:
        tail -= 1
    if tail == 0 or len(filled) - tail < 3:  # noqa: PLR2004 - a run, not two slips
        return None
    return filled[tail][0]
