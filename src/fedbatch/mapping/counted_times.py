"""Times that a source counts: seconds since 1970 and their parts, days of a spreadsheet.

A mapping names them in place of a format: `unix_s`, `unix_ms`, `unix_us` and `unix_ns` are of UTC,
`serial_1900` and `serial_1904` of the source's zone, to the millisecond: the rest is noise of
binary fractions of a day.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from fedbatch.mapping.fixed_times import NO_TIME, Micros
from fedbatch.series.arrow import Texts, compute, scaled_of
from fedbatch.series.blocks import Integers
from fedbatch.standard.values import Precision

__all__ = ["COUNTED", "Counting", "count_precision", "read_count", "read_counts"]

# Sixteen digits of decimals a binary64 no longer holds; nineteen before the mark fit in 64 bits.
_DECIMALS_MAX = 15
_COUNT = re.compile(rf"([0-9]{{1,19}})(?:[.,]([0-9]{{1,{_DECIMALS_MAX}}}))?", re.ASCII)
_COUNT_WHOLE = rf"^[0-9]{{1,19}}(?:\.[0-9]{{1,{_DECIMALS_MAX}}})?$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_DAY_MS = 86_400_000
# Beyond every year that a date can have, and its microseconds still fit in 64 bits.
_DAYS_MAX = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """From when a source counts, in what, and what one count is: `ns` nanoseconds."""

    meaning: str
    origin: datetime
    ns: int
    precision: Precision

    @property
    def is_of_days(self) -> bool:
        """Whether it counts days of a spreadsheet, in the source's zone."""
        return self.origin.tzinfo is None


def _unix(meaning: str, ns: int, precision: Precision) -> Counting:
    return Counting(
        meaning=f"{meaning} since 1970 in UTC", origin=_EPOCH, ns=ns, precision=precision
    )


def _days(year: int, origin: datetime) -> Counting:
    meaning = f"days of a spreadsheet that counts from {year}"
    return Counting(meaning=meaning, origin=origin, ns=_DAY_US * 1000, precision="millisecond")


COUNTED: dict[str, Counting] = {
    "unix_s": _unix("seconds", 1_000_000_000, "second"),
    "unix_ms": _unix("milliseconds", 1_000_000, "millisecond"),
    "unix_us": _unix("microseconds", 1_000, "microsecond"),
    "unix_ns": _unix("nanoseconds", 1, "microsecond"),
    # Day 60 of 1900 is a 29 February that never was: from 1 March on the count is one ahead.
    "serial_1900": _days(1900, datetime(1899, 12, 30)),  # noqa: DTZ001 - of the source's zone
    "serial_1904": _days(1904, datetime(1904, 1, 1)),  # noqa: DTZ001 - as above
}


def count_precision(text: str, form: str) -> Precision:
    """How fine a count is: parts of a Unix second are finer than its name says."""
    counting = COUNTED[form]
    has_part = not counting.is_of_days and ("." in text or "," in text)
    return "microsecond" if has_part else counting.precision


def read_count(text: str, form: str) -> datetime | None:
    """The time that a count tells: aware in UTC, or local of a spreadsheet; None where it is no count."""
    match = _COUNT.fullmatch(text)
    if match is None:
        return None
    counting = COUNTED[form]
    whole, part = int(match[1]), int(match[2] or "0")
    one = 10 ** len(match[2] or "")
    if counting.is_of_days:
        micros = whole * _DAY_US + int(np.floor(part / one * _DAY_MS + 0.5)) * 1000
    else:
        micros = (whole * one + part) * counting.ns // (one * 1000)
    try:
        return counting.origin + micros * _MICROSECOND
    except OverflowError:
        return None


def read_counts(texts: Texts, form: str, years: tuple[int, int]) -> Micros:
    """Microseconds since 1970 of a column of counts, of UTC or local as the form says.

    Returns:
        NO_TIME where a text is no count, of another year, or of more digits than are read at once.
    """
    found = np.full(len(texts), NO_TIME, dtype=np.int64)
    plain = compute.replace_substring(compute.utf8_trim_whitespace(texts), ",", ".")
    is_count = compute.match_substring_regex(plain, _COUNT_WHOLE)
    plain = compute.if_else(is_count, plain, "0")
    scale = _decimals(plain)
    numbers = scaled_of(plain, scale)
    if numbers is None:
        return found
    counting = COUNTED[form]
    local = _of_days(numbers, scale) if counting.is_of_days else _of_unix(numbers, scale, form)
    origin = (counting.origin.replace(tzinfo=None) - _EPOCH.replace(tzinfo=None)) // _MICROSECOND
    first, after = (
        (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
        for year in (years[0], years[1] + 1)
    )
    is_known = np.asarray(is_count, dtype=np.bool_) & (local != NO_TIME)
    local = np.where(is_known, local, 0) + origin
    return np.where(is_known & (local >= first) & (local < after), local, NO_TIME)


def _decimals(texts: Texts) -> int:
    """The most decimals that a text has."""
    length, point = (
        np.asarray(item, dtype=np.int64)
        for item in (compute.binary_length(texts), compute.find_substring(texts, "."))
    )
    return int(np.where(point < 0, 0, length - point - 1).max(initial=0))


def _of_days(numbers: Integers, scale: int) -> Micros:
    one = 10**scale
    days, part = np.divmod(numbers, one)
    is_known = days < _DAYS_MAX
    milliseconds = np.floor(part / one * _DAY_MS + 0.5).astype(np.int64)
    micros = np.where(is_known, days, 0) * _DAY_US + milliseconds * 1000
    return np.where(is_known, micros, NO_TIME)


def _of_unix(numbers: Integers, scale: int, form: str) -> Micros:
    """Whole microseconds: what is finer is cut off."""
    num, den = COUNTED[form].ns, 1000 * 10**scale
    common = math.gcd(num, den)
    num, den = num // common, den // common
    is_known = numbers <= np.iinfo(np.int64).max // num
    return np.where(is_known, np.where(is_known, numbers, 0) * num // den, NO_TIME)
