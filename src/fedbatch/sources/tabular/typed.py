"""What a typed column says as texts: one rule for each type, whatever its other values are.

A whole number is its digits, a decimal all digits of its scale, a binary number the shortest text
that reads back to it (of half precision: as a double). A time is `2026-02-01 06:15:00.000000`, always
with six digits behind the point, and with `Z` where the type places it in UTC; a date is
`2026-02-01`, a time of day `06:15:00` with as many digits behind a point as its type has, a duration
`PT5.250S` likewise. True and false are `true` and `false`; null is blank.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from fedbatch.series.arrow import arrow, compute
from fedbatch.series.blocks import Column, Flags, Floats, Mark
from fedbatch.series.decimals import column_of_doubles, column_of_integers

__all__ = [
    "cut_count",
    "has_reading",
    "is_number",
    "numbers_of",
    "plain_of",
    "text_array",
    "time_format_of",
]

_DECIMALS_MAX = 9
_NANOSECONDS = 1000
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_READ: tuple[Callable[[Any], bool], ...] = (
    arrow.types.is_null,
    arrow.types.is_boolean,
    arrow.types.is_integer,
    arrow.types.is_floating,
    arrow.types.is_decimal,
    arrow.types.is_date,
    arrow.types.is_time,
    arrow.types.is_timestamp,
    arrow.types.is_duration,
    arrow.types.is_string,
    arrow.types.is_large_string,
    arrow.types.is_string_view,
)


def has_reading(type_: Any) -> bool:
    """Whether values of a type have a text: neither bytes nor lists and structs have one."""
    plain = _plain_type(type_)
    return any(is_of(plain) for is_of in _READ)


def _plain_type(type_: Any) -> Any:
    while True:
        if isinstance(type_, arrow.BaseExtensionType):
            type_ = type_.storage_type
        elif arrow.types.is_dictionary(type_):
            type_ = type_.value_type
        else:
            return type_


def coded_bytes(array: Any) -> int:
    """How many bytes the texts of a column of codes have when each is written out; 0 of others."""
    if not arrow.types.is_dictionary(array.type):
        return 0
    lengths = compute.binary_length(array.dictionary.cast(arrow.string())).fill_null(0)
    rows = array.indices.drop_null()
    counts = np.bincount(rows.to_numpy(zero_copy_only=False), minlength=len(array.dictionary))
    return int(counts @ lengths.to_numpy(zero_copy_only=False).astype(np.int64))


def plain_of(array: Any) -> Any:
    """An array without what only says how its values are kept: dictionaries, names of types, halves."""
    while True:
        if isinstance(array, arrow.ExtensionArray):
            array = array.storage
        elif arrow.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif arrow.types.is_float16(array.type):
            return array.cast(arrow.float64())
        else:
            return array


def time_format_of(type_: Any) -> str:
    """The format of a type's texts where they are times; "" of others."""
    plain = _plain_type(type_)
    if arrow.types.is_timestamp(plain):
        return "%Y-%m-%d %H:%M:%S.%f" + ("%z" if plain.tz else "")
    return "%Y-%m-%d" if arrow.types.is_date(plain) else ""


def cut_count(array: Any) -> int:
    """How many times of a plain array have parts of a microsecond, which no text here holds."""
    if not arrow.types.is_timestamp(array.type) or array.type.unit != "ns":
        return 0
    return int(np.count_nonzero(_integers(array) % _NANOSECONDS))


def _integers(array: Any) -> Any:
    """What stands behind times and durations; 0 for null."""
    return array.cast(arrow.int64()).fill_null(0).to_numpy(zero_copy_only=False)


# ---- texts


def text_array(array: Any) -> Any:
    """The texts of a plain array, "" for null.

    Raises:
        ArrowException: values that its type cannot have.
    """
    type_ = array.type
    if arrow.types.is_timestamp(type_):
        array = _in_microseconds(array)
    elif arrow.types.is_duration(type_):
        array = _durations(array)
    elif arrow.types.is_string(type_) or arrow.types.is_large_string(type_):
        array.validate(full=True)
    texts = compute.fill_null(array.cast(arrow.string()), "")
    if arrow.types.is_decimal(type_):
        return _written_out(texts)
    return _evenly(texts) if arrow.types.is_floating(type_) else texts


def _in_microseconds(array: Any) -> Any:
    """Times in microseconds, in UTC where they are placed; what is finer is cut, not rounded."""
    unit, zone = array.type.unit, "UTC" if array.type.tz else None
    if unit == "ns":
        whole = arrow.array(
            _integers(array) // _NANOSECONDS,
            arrow.int64(),
            mask=_is_null(array) if array.null_count else None,
        )
        return whole.cast(arrow.timestamp("us", zone))
    return array.cast(arrow.timestamp(unit, zone)).cast(arrow.timestamp("us", zone))


def _is_null(array: Any) -> Any:
    return array.is_null().to_numpy(zero_copy_only=False)


def _durations(array: Any) -> Any:
    """Durations as ISO 8601 writes them, in seconds."""
    digits = _DIGITS[array.type.unit]
    held = _integers(array)
    # Of the least number there is no positive one, save without a sign.
    whole, part = np.divmod(np.abs(held).astype(np.uint64), np.uint64(10**digits))
    texts = arrow.array(whole).cast(arrow.string())
    if digits:
        rest = compute.utf8_lpad(arrow.array(part).cast(arrow.string()), digits, "0")
        texts = compute.binary_join_element_wise(texts, rest, ".")
    signs = arrow.array(np.where(held < 0, "-PT", "PT"))
    texts = compute.binary_join_element_wise(signs, texts, "S", "")
    return compute.if_else(array.is_valid(), texts, arrow.scalar(None, arrow.string()))


def _written_out(texts: Any) -> Any:
    """Decimals without exponents: `1E-7` is `0.0000001`."""
    short = compute.match_substring(texts, "E")
    if not compute.any(short).as_py():
        return texts
    coded = texts.filter(short).dictionary_encode()
    full = arrow.array([format(Decimal(text), "f") for text in coded.dictionary.to_pylist()])
    return compute.replace_with_mask(texts, short, full.take(coded.indices))


def _evenly(texts: Any) -> Any:
    """The texts of a column of binary numbers, all with as many decimals: `50.1` beside `50.25` is `50.10`.

    A binary number has no digits of its own, so that more zeros say nothing more; and a column that
    is written alike throughout is read at once. One with an exponent, or with numbers that are written
    out in full, is left as it is.
    """
    if compute.any(compute.match_substring_regex(texts, "[eEnNiI]")).as_py():
        return texts
    length, point = (
        np.asarray(found, dtype=np.int64)
        for found in (compute.binary_length(texts), compute.find_substring(texts, "."))
    )
    decimals = np.where(point < 0, 0, length - point - 1)
    most = int(decimals.max(initial=0))
    if not 0 < most <= _DECIMALS_MAX:
        return texts
    # What is missing: first for texts with a point, then for those without; a blank stays one.
    ends = ["0" * count for count in range(most + 1)] + [f".{'0' * most}", ""]
    missing = np.where(point < 0, most + 1, most - decimals)
    missing[length == 0] = most + 2
    added = arrow.array(ends).take(arrow.array(missing, arrow.int64()))
    return compute.binary_join_element_wise(texts, added, "")


# ---- numbers


def is_number(type_: Any) -> bool:
    """Whether a type is one of numbers."""
    types = arrow.types
    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))


def numbers_of(array: Any) -> Column | None:
    """The numbers of a plain array of 64 bits, as its texts are read; None where they must be."""
    is_double = array.type == arrow.float64()
    if not is_double and array.type != arrow.int64():
        return None
    present = None
    if array.null_count:
        present = np.array(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
        array = array.fill_null(0)
    held = array.to_numpy(zero_copy_only=False)
    if not is_double:
        return column_of_integers(held, present)
    return column_of_doubles(held, present) or _with_signed_zeros(held, present)


def _with_signed_zeros(held: Floats, present: Flags | None) -> Column | None:
    """Numbers written out in full among which zeros have a sign: it is kept as the zero's text."""
    is_signed = (held == 0) & np.signbit(held)
    if present is not None:
        is_signed &= present
    column = column_of_doubles(np.where(is_signed, 0.0, held), present)
    if column is None or column.scale is not None:
        return None
    marks = dict.fromkeys(np.flatnonzero(is_signed).tolist(), Mark(raw="-0"))
    return Column(None, column.numbers, present, marks)
