"""Texts to numbers, under a declared decimal mark; what is not exactly a number is never repaired."""

import re
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import cast

from fedbatch.standard.values import Comparator, is_decimal

__all__ = ["NumberReader", "Reading", "is_not_finite"]

_COMPARATORS = {
    "≤": "<=",
    "≥": ">=",
    "=<": "<=",
    "=>": ">=",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "~": "~",
}
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity|∞)(?:\(.*\))?", re.IGNORECASE)
# 10^±400 and beyond is no measurement, and writing it out would be an attack.
_EXPONENT_MAX = 40
# Wide enough for every text that the standard takes: the default 28 digits would round in silence.
_CONTEXT = Context(prec=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A number as a decimal text of the standard, its comparator, and what text followed it."""

    number: str
    comparator: Comparator | None
    unit_text: str


def is_not_finite(text: str) -> bool:
    """Whether a text says NaN or an infinity."""
    return _NOT_FINITE.fullmatch(text.strip()) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReader:
    """Reads numbers written with one decimal mark and at most one grouping mark.

    A grouping mark is accepted only between groups of three digits before the decimal mark; every
    other use of it, and every other mark, makes the text damaged.
    """

    decimal_mark: str
    grouping_mark: str = ""

    def read(self, text: str) -> Reading | None:
        """The number in a text, or None. Surrounding blanks are ignored; nothing else is."""
        match = _pattern(self.decimal_mark, self.grouping_mark).fullmatch(text.strip())
        if match is None:
            return None
        digits = match["whole"]
        if digits and self.grouping_mark:
            digits = digits.replace(self.grouping_mark, "")
        number = _written_out(match["sign"] or "", digits, match["fraction"], match["exponent"])
        if number is None:
            return None
        comparator = _COMPARATORS[match["comparator"]] if match["comparator"] else None
        return Reading(
            number=number,
            comparator=cast(Comparator | None, comparator),
            unit_text=(match["unit"] or "").strip(),
        )


@lru_cache(maxsize=32)
def _pattern(decimal_mark: str, grouping_mark: str) -> re.Pattern[str]:
    mark = re.escape(decimal_mark)
    whole = r"[0-9]+"
    if grouping_mark:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(grouping_mark)}[0-9]{{3}})+|[0-9]+)"
    # The unit never begins with a digit, mark or letter e glued on, so damage cannot hide in it.
    return re.compile(
        r"(?P<comparator><=|>=|=<|=>|[<>≤≥~])?\s*"
        rf"(?P<sign>[+\-−])?(?P<whole>{whole})?(?:{mark}(?P<fraction>[0-9]+))?"
        r"(?:[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
        r"(?P<unit>\s+[^\s0-9.,'].*|[%°µμ].*)?"
    )


def _written_out(
    sign: str, whole: str | None, fraction: str | None, exponent: str | None
) -> str | None:
    if whole is None and fraction is None:
        return None
    minus = "-" if sign in {"-", "−"} else ""
    plain = (whole or "0").lstrip("0") or "0"
    text = minus + plain + (f".{fraction}" if fraction else "")
    if exponent:
        if abs(int(exponent)) > _EXPONENT_MAX:
            return None
        if len(text) > _CONTEXT.prec - _EXPONENT_MAX:
            return None
        text = format(Decimal(text).scaleb(int(exponent), _CONTEXT), "f")
    return text if is_decimal(text) else None
