"""Columns of texts to exact numbers, and numbers back to texts.

A column gets the smallest scale that holds every decimal in it. A text that is written otherwise than
its number (`+3`, `007`, `1e3`) is kept as `raw`: it is evidence (STANDARD S7, S38). A declared decimal
mark says nothing beyond the number, and nor do noughts behind it that many writers leave out (`7.0`
where the column has two decimals). What is no decimal is reported and never repaired.

A column in which a binary64 number was written out in full (16 or 17 digits, nine or more of them
decimals, and no shorter text reads back to it) is one of binary64: no instrument gives so many digits,
and no scale holds them all. So is one in which a number that a binary64 holds has no room beside the
others (`2.5e-14` beside `250000.5`); what that rounds keeps its text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from itertools import islice

import numpy as np

from fedbatch.series.arrow import (
    Texts,
    arrow,
    bytes_of,
    compute,
    flags_of,
    integers_of,
    one_array,
    rows_of,
    scaled_of,
)
from fedbatch.series.blocks import DIGITS_MAX, Column, Flags, Floats, Integers, Mark, Numbers

__all__ = [
    "Decimals",
    "column_of_doubles",
    "column_of_integers",
    "decimal_text",
    "double_text",
    "exponent_of",
    "numbers_as_written",
    "read_decimals",
]

_PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"
_FULL = r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"
# Exponents of two digits: 10^±100 and beyond is no measurement, and writing it out would be an attack.
_ODD = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_ODD_LENGTH_MAX = 200
_CONTEXT = Context(prec=_ODD_LENGTH_MAX + 200)
_POWERS: Integers = 10 ** np.arange(DIGITS_MAX + 1, dtype=np.int64)
_ZERO, _POINT, _MINUS = b"0.-"
_TEN = 10
# Any decimal of so many digits is told apart from every other by its binary64; more than 17 have none.
_EXACT_DIGITS, _DOUBLE_DIGITS = 15, 17
# A text of 16 digits has a point or a sign beside them, or is a count.
_FULL_LENGTH = 17
# Binary numbers in this range have no exponent in any writer's texts, and no more decimals are tried.
_LEAST_DOUBLE, _MOST_DOUBLE, _SCALE_TRIED = 1e-4, 1e10, 9
_FULL_DECIMALS = 9
_TRIED_FIRST = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Decimals:
    """A column, and by row the texts that are no decimal or do not fit beside the others.

    Rows of `unread` and blank ones have no number and no mark.
    """

    column: Column
    unread: Mapping[int, str] = field(default_factory=dict)


def read_decimals(
    texts: Texts,
    decimal_mark: str = ".",
    *,
    scale_min: int = 0,
    is_binary: bool | None = None,
) -> Decimals:
    """Read a column of texts.

    Args:
        texts: verbatim; "" or null is a row without a point.
        decimal_mark: the one mark between units and tenths; no other mark is known.
        scale_min: the scale is at least this.
        is_binary: whether to read binary64 instead of scaled integers; None: as the texts show.

    Of numbers that do not all fit 18 digits at one scale, the scale is taken at which most do, and the
    others are `unread`; where binary64 holds one of these, all are read as binary64 instead, with the
    text of what it rounds.
    """
    plain = one_array(texts)
    marked = plain if decimal_mark == "." else _with_points(plain, decimal_mark)
    sizes = _Sizes.of(marked)
    if is_binary or (is_binary is None and _is_binary(marked, sizes)):
        return _binary(plain, marked, sizes)
    if not sizes.blank.any() and _is_clean(marked):
        scale = max(scale_min, int(sizes.decimals.max(initial=0)))
        numbers = scaled_of(marked, scale)
        if numbers is not None:
            marks = _raw_marks(plain, ~_is_rendered(numbers, scale, sizes))
            return Decimals(Column(scale, numbers, None, marks))
    found = _careful(plain, marked, sizes, scale_min)
    if is_binary is None and _are_held(found.unread.values(), decimal_mark):
        return _binary(plain, marked, sizes)
    return found


def _are_held(unread: Iterable[str], decimal_mark: str) -> bool:
    """Whether one of the texts that no scale holds is the number of a binary64 of 17 digits."""
    if decimal_mark != ".":
        unread = (text.replace(".", "?").replace(decimal_mark, ".") for text in unread)
    return any(_is_shortest_of_one(_odd_number(text)) for text in set(unread))


def _is_shortest_of_one(number: Decimal | None) -> bool:
    return number is not None and Decimal(double_text(float(number))) == number


@dataclass(frozen=True, slots=True, eq=False)
class _Sizes:
    """Of each text: its length, the decimals after its point, whether it is blank."""

    length: Integers
    decimals: Integers
    blank: Flags

    @classmethod
    def of(cls, texts: Texts) -> "_Sizes":
        length = integers_of(compute.binary_length(texts))
        point = integers_of(compute.find_substring(texts, "."))
        return cls(length, np.where(point < 0, 0, length - point - 1), length == 0)


def _with_points(texts: Texts, decimal_mark: str) -> Texts:
    """The texts with points as marks; a point that stands there already is made no number."""
    foreign = compute.replace_substring(texts, ".", "?")
    return compute.replace_substring(foreign, decimal_mark, ".")


def _is_clean(texts: Texts) -> bool:
    """Whether digits, points and minus signs are all there is."""
    content = bytes_of(texts)
    return bool(
        (((content - np.uint8(_ZERO)) < _TEN) | (content == _POINT) | (content == _MINUS)).all()
    )


def _is_rendered(numbers: Integers, scale: int, sizes: _Sizes) -> Flags:
    """Whether each text is its number as a decimal, with or without noughts behind it.

    Of texts of digits, point and minus alone, that is so when the digits before the point are as many
    as the number needs.
    """
    signs = (numbers < 0) + (sizes.decimals > 0).astype(np.int64)
    whole = sizes.length - signs - sizes.decimals
    lead = np.clip(whole - 1 + scale, 0, DIGITS_MAX)
    is_shortest: Flags = (whole == 1) | ((whole > 1) & (np.abs(numbers) >= _POWERS[lead]))
    return is_shortest


def _raw_marks(texts: Texts, differs: Flags) -> dict[int, Mark]:
    """Marks with the verbatim texts of the rows named; equal texts share one mark."""
    rows = np.flatnonzero(differs)
    if not rows.size:
        return {}
    coded = compute.dictionary_encode(rows_of(texts, rows))
    marks = [Mark(raw=text) for text in coded.dictionary.to_pylist()]
    return dict(zip(rows.tolist(), map(marks.__getitem__, coded.indices.to_pylist()), strict=True))


# ---- columns that hold more than plain decimals


def _careful(texts: Texts, marked: Texts, sizes: _Sizes, scale_min: int) -> Decimals:
    is_plain = flags_of(compute.match_substring_regex(marked, _PLAIN))
    odd, unread = _odd_numbers(texts, marked, np.flatnonzero(~is_plain & ~sizes.blank))
    decimals, whole = _digits(marked, sizes, is_plain, odd)
    scale = _best_scale(decimals, whole, scale_min)
    fits = (decimals >= 0) & (decimals <= scale) & (whole <= DIGITS_MAX - scale)
    numbers = np.zeros(len(texts), dtype=np.int64)
    rows = np.flatnonzero(fits & is_plain)
    found = scaled_of(rows_of(marked, rows), scale)
    if found is None:
        raise AssertionError(scale)  # every text taken is a decimal that fits
    numbers[rows] = found
    for row, number in odd.items():
        if fits[row]:
            numbers[row] = int(number.scaleb(scale, _CONTEXT))
    for row in np.flatnonzero(~fits & (decimals >= 0)).tolist():
        unread[row] = texts[row].as_py() or ""
    is_same = fits & is_plain & _is_rendered(numbers, scale, sizes)
    present = None if bool(fits.all()) else fits
    return Decimals(Column(scale, numbers, present, _raw_marks(texts, fits & ~is_same)), unread)


def _odd_numbers(
    texts: Texts, marked: Texts, rows: Integers
) -> tuple[dict[int, Decimal], dict[int, str]]:
    """By row: numbers in texts that are not plain, and texts that are no numbers."""
    known: dict[str, Decimal | None] = {}
    odd, unread = {}, {}
    pairs = zip(rows_of(texts, rows).to_pylist(), rows_of(marked, rows).to_pylist(), strict=True)
    for row, (text, written) in zip(rows.tolist(), pairs, strict=True):
        if written not in known:
            known[written] = _odd_number(written)
        number = known[written]
        if number is None:
            unread[row] = text
        else:
            odd[row] = number
    return odd, unread


def _odd_number(text: str) -> Decimal | None:
    stripped = text.strip()
    if len(stripped) > _ODD_LENGTH_MAX or _ODD.fullmatch(stripped) is None:
        return None
    number = Decimal(stripped)
    # Written out, so that 1e3 has no decimals and three noughts.
    return number if exponent_of(number) <= 0 else Decimal(format(number, "f"))


def exponent_of(number: Decimal) -> int:
    """The power of ten of a finite number's last digit."""
    return int(number.as_tuple().exponent)


def _digits(
    marked: Texts, sizes: _Sizes, is_plain: Flags, odd: Mapping[int, Decimal]
) -> tuple[Integers, Integers]:
    """Decimals (-1: no number) and digits before the point, leading noughts left out."""
    decimals = np.where(is_plain, sizes.decimals, -1)
    trimmed = compute.utf8_ltrim(marked, "-0")
    length = integers_of(compute.binary_length(trimmed))
    whole = length - sizes.decimals - (sizes.decimals > 0)
    for row, number in odd.items():
        decimals[row] = -exponent_of(number)
        whole[row] = max(0, number.adjusted() + 1) if number else 0
    return decimals, np.maximum(whole, 0)


def _best_scale(decimals: Integers, whole: Integers, scale_min: int) -> int:
    """The smallest scale at which most numbers fit 18 digits."""
    is_number = decimals >= 0
    most, best = -1, scale_min
    for scale in range(scale_min, DIGITS_MAX + 1):
        fitting = int(
            np.count_nonzero(is_number & (decimals <= scale) & (whole <= DIGITS_MAX - scale))
        )
        if fitting > most:
            most, best = fitting, scale
    return best


# ---- binary64


def _is_binary(marked: Texts, sizes: _Sizes) -> bool:
    """Whether texts are binary64 numbers written out in full, and not as many have more digits."""
    if int(sizes.length.max(initial=0)) < _FULL_LENGTH:
        return False
    long = rows_of(marked, np.flatnonzero(sizes.length >= _FULL_LENGTH))
    numbers = long.filter(compute.match_substring_regex(long, _FULL))
    mantissa = compute.replace_substring_regex(numbers, "[eE].*", "")
    digits = compute.utf8_ltrim(compute.replace_substring(mantissa, ".", ""), "-0")
    is_whole = compute.equal(compute.find_substring(mantissa, "."), -1)
    telling = compute.if_else(is_whole, digits, compute.utf8_rtrim(digits, "0"))
    count = integers_of(compute.binary_length(telling))
    longer = int(np.count_nonzero(count > _DOUBLE_DIGITS))
    is_full = (count > _EXACT_DIGITS) & (count <= _DOUBLE_DIGITS)
    full = numbers.take(arrow.array(np.flatnonzero(is_full)))
    found = (text for text in full.to_pylist() if _is_full(text))
    return sum(1 for _ in islice(found, longer + 1)) > longer


def _is_full(text: str) -> bool:
    """Whether a text of 16 or 17 digits is the shortest of its binary64, and has many decimals."""
    number = Decimal(text)
    return -exponent_of(number) >= _FULL_DECIMALS and _is_shortest_of_one(number)


def _binary(texts: Texts, marked: Texts, sizes: _Sizes) -> Decimals:
    is_plain = flags_of(compute.match_substring_regex(marked, _PLAIN))
    odd, unread = _odd_numbers(texts, marked, np.flatnonzero(~is_plain & ~sizes.blank))
    numbers = np.zeros(len(texts), dtype=np.float64)
    rows = np.flatnonzero(is_plain)
    numbers[rows] = compute.cast(rows_of(marked, rows), arrow.float64()).to_numpy()
    for row, number in odd.items():
        numbers[row] = float(number)
    present = is_plain.copy()
    present[list(odd)] = True
    differs = present & ~_is_shortest(numbers, texts)
    return Decimals(
        Column(None, numbers, None if present.all() else present, _raw_marks(texts, differs)),
        unread,
    )


def _is_shortest(numbers: Floats, texts: Texts) -> Flags:
    """Whether each text is the shortest that reads back to its number (as RFC 8785 writes it).

    Noughts behind a point are not looked at.
    """
    written = compute.cast(arrow.array(numbers), arrow.string())
    is_bare = compute.invert(compute.match_substring_regex(texts, r"\.[0-9]*0$"))
    bare = compute.utf8_rtrim(compute.utf8_rtrim(texts, "0"), ".")
    same = flags_of(compute.equal(written, compute.if_else(is_bare, texts, bare)))
    for row in np.flatnonzero(~same).tolist():
        same[row] = double_text(float(numbers[row])) == texts[row].as_py()
    return same


# ---- numbers of sources that hold numbers


def column_of_doubles(numbers: Floats, present: Flags | None = None) -> Column | None:
    """The column that the shortest texts of binary numbers would be read into.

    None where only the texts can say: numbers that are not finite, -0, very small or large ones, and
    decimals of more than nine places that are none in full.
    """
    there = numbers if present is None else numbers[present]
    sizes = np.abs(there)
    sizes = sizes[sizes != 0]
    is_usual = bool(np.isfinite(there).all()) and not bool(np.signbit(there[there == 0]).any())
    if not is_usual or (
        sizes.size and not (sizes.min() >= _LEAST_DOUBLE and sizes.max() < _MOST_DOUBLE)
    ):
        return None
    filled = numbers if present is None else np.where(present, numbers, 0.0)
    scale = _least_scale(there, float(sizes.max(initial=0.0)))
    if scale is not None:
        scaled = np.rint(filled * 10.0**scale).astype(np.int64)
        return Column(scale, scaled, present)
    return Column(None, filled, present) if _holds_full(sizes) else None


def column_of_integers(numbers: Integers, present: Flags | None = None) -> Column | None:
    """The column that the texts of whole numbers would be read into; None beyond 18 digits."""
    filled = numbers if present is None else np.where(present, numbers, 0)
    most = max(int(filled.max(initial=0)), -int(filled.min(initial=0)))
    return Column(0, filled, present) if most < 10**DIGITS_MAX else None


def _least_scale(numbers: Floats, most: float) -> int | None:
    """The fewest decimals of which every number is the nearest binary64, all within 15 digits.

    k / 10^scale is rounded correctly, both being exact, so that equality shows that the decimal reads
    back to the number; within 15 digits no other decimal does.
    """
    scale = 0
    for part in (numbers[:_TRIED_FIRST], numbers):
        left = part
        while left.size:
            power = 10.0**scale
            if scale > _SCALE_TRIED or most * power >= 10**_EXACT_DIGITS:
                return None
            left = left[np.rint(left * power) / power != left]
            scale += bool(left.size)
    return scale


def _holds_full(sizes: Floats) -> bool:
    """Whether a number (sizes without 0) below 10^6 needs more than 15 digits."""
    small = sizes[sizes < 10.0 ** (_EXACT_DIGITS - _FULL_DECIMALS)]
    power = 10.0 ** (_EXACT_DIGITS - 1 - np.floor(np.log10(small)))
    return bool((np.rint(small * power) / power != small).any())


# ---- numbers to texts


def decimal_text(number: int, scale: int) -> str:
    """A scaled integer as a decimal with all decimals of its scale."""
    digits = str(abs(number)).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if number < 0 else text


def double_text(number: float) -> str:
    """A finite double as RFC 8785 writes it: the shortest digits that read back, as ECMAScript does."""
    if number == 0:
        return "0"
    shortest = Decimal(repr(number)).normalize(_CONTEXT)
    sign, digits, _ = shortest.as_tuple()
    exponent = exponent_of(shortest)
    text = "".join(map(str, digits))
    point = len(text) + exponent
    if 0 < point <= 21:  # noqa: PLR2004 - bounds of ECMAScript's Number::toString
        text = text.ljust(point, "0") if exponent >= 0 else f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:  # noqa: PLR2004 - as above
        text = f"0.{'0' * -point}{text}"
    else:
        lead = text if len(text) == 1 else f"{text[0]}.{text[1:]}"
        text = f"{lead}e{point - 1:+d}"
    return f"-{text}" if sign else text


def number_text(number: float, scale: int | None) -> str:
    """A number of a column as text: a decimal of its scale, or the shortest for binary64."""
    return double_text(number) if scale is None else decimal_text(int(number), scale)


def numbers_as_written(numbers: Numbers, scale: int | None) -> list[int | str]:
    """Numbers as STANDARD S38 writes them: integers at the scale, decimals from 2^53, doubles as text."""
    if scale is None:
        return [double_text(number) for number in numbers.tolist()]
    return [
        number if -(2**53) < number < 2**53 else decimal_text(number, scale)
        for number in numbers.tolist()
    ]
