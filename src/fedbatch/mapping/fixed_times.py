"""Times at fixed places of their texts, a column at once.

Once it is known how wide each part of a format is, it is known where each part stands; of most columns
one such layout reads every text. What is read here is what `TimeReader` reads; what no layout fits is
left to whoever reads text by text.
"""

import re
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from fedbatch.series.arrow import Texts, bytes_of, compute
from fedbatch.series.blocks import Flags, Integers

__all__ = ["NO_TIME", "Micros", "read_fixed"]

# Where there is no instant; nothing real is as early.
NO_TIME = int(np.iinfo(np.int64).min)
Micros = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
# A part of a layout: the directive, or the literal itself; where it begins, how wide it is.
Part = tuple[str, int, int]

_PARTS = re.compile(r"%(.)|([^%])", re.DOTALL)
# The likeliest width first.
_WIDTHS: dict[str, tuple[int, ...]] = {
    "Y": (4,),
    "y": (2,),
    "b": (3,),
    "p": (2,),
    "f": (3, 6, 9, 1, 2, 4, 5, 7, 8),
    "z": (1, 6, 5, 3),
    **dict.fromkeys("mdHIMS", (2, 1)),
}
_DIGITS = frozenset("YymdHIMSf")
_BOUNDS = {"m": (1, 12), "d": (1, 31), "H": (0, 23), "I": (1, 12), "M": (0, 59), "S": (0, 59)}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LETTER_CASE = 0x20
_CENTURY_TURN = 69
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_HOURS_MAX = 23
_MINUTES_MAX = 59


def read_fixed(texts: Texts, form: str, years: tuple[int, int]) -> Micros | None:
    """Local microseconds since 1970 by row, those of UTC where the format has an offset.

    Args:
        texts: without nulls; blanks around them are left out.
        form: of the directives of `TimeReader`.
        years: the first and the last that are read.

    Returns:
        NO_TIME where no layout reads a text; None where the format has none at all.
    """
    if not _layouts(form):
        return None
    texts = compute.utf8_trim_whitespace(texts)
    if " " in form and compute.any(compute.match_substring(texts, "  ")).as_py():
        texts = compute.replace_substring_regex(texts, " +", " ")  # as `strptime` takes them
    content = bytes_of(texts)
    ends = np.cumsum(np.asarray(compute.binary_length(texts), dtype=np.int64))
    lengths = np.diff(ends, prepend=0)
    found = np.full(len(texts), NO_TIME, dtype=np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if length in _layouts(form):
            _read_even(found, rows, _matrix(content, ends, rows, length), form, years)
    return found


def _matrix(content: Bytes, ends: Integers, rows: Integers, length: int) -> Bytes:
    """The bytes of texts of one length, a row each."""
    if rows.size == ends.size:
        return content.reshape(rows.size, length)
    places = (ends[rows] - length)[:, np.newaxis] + np.arange(length)
    return np.asarray(content[places], dtype=np.uint8)


def _read_even(
    found: Micros, rows: Integers, matrix: Bytes, form: str, years: tuple[int, int]
) -> None:
    """Read texts of one length into `found`, under one layout after the other."""
    for layout in _layouts(form)[matrix.shape[1]]:
        if not rows.size:
            return
        times = _Layout(matrix, layout).read(years)
        found[rows] = times
        left = times == NO_TIME
        rows, matrix = rows[left], matrix[left]


# ---- layouts


@lru_cache(maxsize=64)
def _layouts(form: str) -> dict[int, list[tuple[Part, ...]]]:
    """The layouts of a format by the length of their texts; none where a part has no fixed place."""
    matches = list(_PARTS.finditer(form))
    parts, names = [match[0] for match in matches], [match[1] for match in matches]
    known = [name for name in names if name]
    is_fixed = all(name in _WIDTHS for name in known) and len(set(known)) == len(known)
    is_whole = bool({"Y", "y"} & set(known)) and ("I" in known) == ("p" in known)
    if not (is_fixed and is_whole and form.isascii()):
        return {}
    found: dict[int, list[tuple[Part, ...]]] = {}
    widths = [_widths(names, at) for at in range(len(parts))]
    for chosen in product(*widths):
        starts = np.cumsum((0, *chosen)).tolist()
        layout = tuple(
            (part, start, width)
            for part, start, width in zip(parts, starts[:-1], chosen, strict=True)
        )
        found.setdefault(starts[-1], []).append(layout)
    return found


def _widths(names: list[str | None], at: int) -> tuple[int, ...]:
    """How wide a part may be; digits next to digits are as many as they can be."""
    name = names[at]
    if name is None:
        return (1,)
    around = {names[other] for other in (at - 1, at + 1) if 0 <= other < len(names)}
    is_glued = name in _DIGITS - {"f"} and bool(around & _DIGITS)
    return _WIDTHS[name][:1] if is_glued else _WIDTHS[name]


class _Layout:
    """Texts of one length under one layout; lives for one call."""

    def __init__(self, matrix: Bytes, layout: tuple[Part, ...]) -> None:
        self.matrix = matrix
        self.reads: Flags = np.ones(len(matrix), dtype=np.bool_)
        self.places: dict[str, tuple[int, int]] = {}
        for part, start, width in layout:
            if part.startswith("%"):
                self.places[part[1:]] = start, width
            else:
                self.reads &= matrix[:, start] == ord(part)

    def read(self, years: tuple[int, int]) -> Micros:
        """Microseconds since 1970, NO_TIME where the layout does not fit."""
        if not self.reads.any():
            return np.full(len(self.matrix), NO_TIME, dtype=np.int64)
        year = self._year()
        self.reads &= (year >= years[0]) & (year <= years[1])
        times = self._days(np.where(self.reads, year, years[0])) * _DAY_US + self._of_day()
        times -= self._offset()
        times[~self.reads] = NO_TIME
        return times

    def _number(self, name: str, default: int = 0) -> Integers:
        """The number that a part's digits tell; others than digits, or beyond its bounds, do not read."""
        if name not in self.places:
            return np.full(len(self.matrix), default, dtype=np.int64)
        start, width = self.places[name]
        number = self._digits(start, width)
        if name in _BOUNDS:
            least, most = _BOUNDS[name]
            self.reads &= (number >= least) & (number <= most)
        return number

    def _digits(self, start: int, width: int) -> Integers:
        number = np.zeros(len(self.matrix), dtype=np.int32)
        for at in range(start, start + width):
            digit = self.matrix[:, at] - np.uint8(ord("0"))  # what lies below turns over
            self.reads &= digit <= 9  # noqa: PLR2004 - digits
            number *= 10
            number += digit
        return number.astype(np.int64)

    def _year(self) -> Integers:
        if "Y" in self.places:
            return self._number("Y")
        short = self._number("y")
        return short + np.where(short >= _CENTURY_TURN, 1900, 2000)

    def _month(self) -> Integers:
        if "b" not in self.places:
            return self._number("m", 1)
        start, width = self.places["b"]
        letters = self.matrix[:, start : start + width] | np.uint8(_LETTER_CASE)
        month = np.zeros(len(self.matrix), dtype=np.int64)
        for number, name in enumerate(_MONTHS, 1):
            month[np.all(letters == np.frombuffer(name.encode(), dtype=np.uint8), axis=1)] = number
        self.reads &= month > 0
        return month

    def _days(self, year: Integers) -> Integers:
        """Days since 1970; a day that its month does not have does not read."""
        month, day = self._month(), self._number("d", 1)
        months = (year - 1970) * 12 + np.where(self.reads, month, 1) - 1
        least = int(months.min())
        listed = np.arange(least, int(months.max()) + 2).astype("datetime64[M]")
        firsts = listed.astype("datetime64[D]").astype(np.int64)
        months -= least
        self.reads &= day <= np.diff(firsts)[months]
        return np.asarray(firsts[months] + day - 1, dtype=np.int64)

    def _of_day(self) -> Integers:
        hours = self._half_day() if "I" in self.places else self._number("H")
        seconds = (hours * 60 + self._number("M")) * 60 + self._number("S")
        return seconds * 1_000_000 + self._fraction()

    def _half_day(self) -> Integers:
        hours = self._number("I") % 12
        start, _ = self.places["p"]
        letters = self.matrix[:, start : start + 2] | np.uint8(_LETTER_CASE)
        is_after = letters[:, 0] == ord("p")
        self.reads &= (is_after | (letters[:, 0] == ord("a"))) & (letters[:, 1] == ord("m"))
        return np.asarray(hours + 12 * is_after, dtype=np.int64)

    def _fraction(self) -> Integers:
        _, width = self.places.get("f", (0, 0))
        part = self._number("f")
        return np.asarray(
            part * 10 ** (6 - width) if width < 6 else part // 10 ** (width - 6),  # noqa: PLR2004 - µs
            dtype=np.int64,
        )

    def _offset(self) -> Integers:
        """What a stated offset is ahead of UTC: `Z`, `+02:00`, `+0200`, `+02`."""
        if "z" not in self.places:
            return np.zeros(len(self.matrix), dtype=np.int64)
        start, width = self.places["z"]
        sign = self.matrix[:, start]
        if width == 1:
            self.reads &= sign == ord("Z")
            return np.zeros(len(self.matrix), dtype=np.int64)
        hours = self._digits(start + 1, 2)
        minutes = self._digits(start + width - 2, 2) if width > 3 else np.zeros_like(hours)  # noqa: PLR2004 - +02
        if width == 6:  # noqa: PLR2004 - +02:00
            self.reads &= self.matrix[:, start + 3] == ord(":")
        self.reads &= (sign == ord("+")) | (sign == ord("-"))
        self.reads &= (hours <= _HOURS_MAX) & (minutes <= _MINUTES_MAX)
        ahead = (hours * 60 + minutes) * 60_000_000
        return np.where(sign == ord("-"), -ahead, ahead)
