"""Units: a curated table from texts to UCUM codes; nothing is ever parsed or guessed.

A text is trimmed and looked up, with case; µ and μ, º and ° are equal (STANDARD S30). What the table
does not know, or knows to be ambiguous, is asked about. Conversion happens only within one kind, by
exact rational factors, and rounds half-even to the source's significant digits + 2 (S10). The kind
is kept beside the code because UCUM's annotations do not survive arithmetic: `%{DO}` is no `%`.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from fedbatch.errors import InputError
from fedbatch.standard.values import Conversion, check_decimal

__all__ = ["Converted", "Unit", "UnitQuestion", "UnitTable", "read_units"]

# S10: decimal arithmetic with 34 digits.
_CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN)
_SAME_WHEN_MATCHING = str.maketrans({"\u03bc": "\u00b5", "\u00ba": "\u00b0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A UCUM code, its kind, and how its numbers become the kind's base: x × factor + offset."""

    ucum: str
    kind: str
    factor: Fraction
    offset: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitQuestion:
    """A text that may mean several things; `choices` names them."""

    text: str
    choices: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A number in another unit, and how it came about."""

    number: str
    conversion: Conversion


@dataclass(frozen=True, slots=True)
class UnitTable:
    """All units by UCUM code, all texts that mean one, and the texts that must be asked about."""

    by_code: dict[str, Unit]
    by_text: dict[str, Unit]
    questions: dict[str, UnitQuestion]

    def find(self, text: str) -> Unit | UnitQuestion | None:
        """What a text means: a unit, a question with its choices, or None (unknown: ask)."""
        key = text.strip().translate(_SAME_WHEN_MATCHING)
        # A code may be in doubt as a text: `K` is kelvin in UCUM, and thousands in a header.
        return self.questions.get(key) or self.by_text.get(key)

    def get(self, ucum: str) -> Unit:
        """The unit of a UCUM code.

        Raises:
            InputError: not in the table.
        """
        unit = self.by_code.get(ucum)
        if unit is None:
            raise InputError("a UCUM code of the units table", found=ucum, code="unit.unknown")
        return unit

    def is_convertible(self, source: str, target: str) -> bool:
        """Whether numbers of one code can become the other's without further data."""
        if source == target:
            return True
        one, other = self.by_code.get(source), self.by_code.get(target)
        return one is not None and other is not None and one.kind == other.kind

    def convert(self, number: str, source: str, target: str) -> Converted:
        """A decimal text of `source` in `target`, exactly, then rounded as S10 says.

        Raises:
            InputError: unknown code, different kinds (gauge and absolute, mol and g, …), or a number
                that would need more than 38 digits there.
        """
        one, other = self.get(source), self.get(target)
        if one.kind != other.kind:
            raise InputError(
                f"a unit of {other.kind} ({target})",
                found=f"{source}, a unit of {one.kind}",
                advice="They convert only with further data, which is never assumed.",
                code="unit.kind",
            )
        factor = one.factor / other.factor
        offset = (one.offset - other.offset) / other.factor
        exact = Fraction(number) * factor + offset
        text, rounded = _rounded(exact, number)
        check_decimal(text, f"{number} {source} in {target}")
        conversion = Conversion(
            number=number,
            unit=source,
            factor=str(factor),
            offset=str(offset) if offset else None,
            rule="units/1",
            rounded=rounded,
        )
        return Converted(number=text, conversion=conversion)


def _rounded(exact: Fraction, source: str) -> tuple[str, bool]:
    """Decimal text of an exact number, and whether it had to be rounded."""
    digits = min(len(Decimal(source).as_tuple().digits) + 2, _CONTEXT.prec)
    wide = _CONTEXT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    if Fraction(wide) == exact and len(wide.as_tuple().digits) <= digits:
        return _plain(wide), False
    narrow = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(wide)
    return _plain(narrow), Fraction(narrow) != exact


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return "0" if text in {"-0", ""} else text


def read_units(lines: Iterable[str]) -> UnitTable:
    """Build the table from the packaged CSV: ucum, kind, factor, offset, spellings by `|`."""
    by_code: dict[str, Unit] = {}
    by_text: dict[str, Unit] = {}
    questions: dict[str, UnitQuestion] = {}
    for row in csv.DictReader(lines):
        spellings = [text.translate(_SAME_WHEN_MATCHING) for text in row["spellings"].split("|")]
        if row["kind"] == "ask":
            asked = ((text, UnitQuestion(text=text, choices=row["factor"])) for text in spellings)
            questions.update(asked)
            continue
        unit = Unit(
            ucum=row["ucum"],
            kind=row["kind"],
            factor=Fraction(row["factor"]),
            offset=Fraction(row["offset"] or 0),
        )
        by_code[unit.ucum] = unit
        by_text.update(dict.fromkeys([unit.ucum, *spellings], unit))
    return UnitTable(by_code=by_code, by_text=by_text, questions=questions)
