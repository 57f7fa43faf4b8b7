"""In which formats the texts of a column are times: told by their form, and by the column as a whole.

The form of a text leaves open at most the order of its day, month and short year. What order it is shows
in the column alone: a number above twelve somewhere is no month. Where nothing shows it, both orders
are told, and nobody picks one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import numpy as np

from fedbatch.mapping.fixed_times import NO_TIME
from fedbatch.mapping.instants import read_at_once
from fedbatch.series.arrow import Texts, arrow, one_array
from fedbatch.series.blocks import Flags, Floats

__all__ = [
    "MOSTLY",
    "TimeForms",
    "find_count",
    "find_forms",
    "forms_among",
    "is_elapsed_name",
    "is_of_day",
    "is_plain_name",
    "is_time_name",
    "orders_of",
]

# A column is of times if so many of its texts are; what is not is what a person looks for.
MOSTLY = 0.8
_SAMPLE = 400
# Texts of another order of day and month, among those that show one, that may be slips of a hand.
_SLIPS_PART = 0.05
_TEXT_MAX = 40

# Dates by their form; each with the orders in which its parts may stand. `{}`: what parts them.
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.ASCII), orders)
    for pattern, orders in (
        (r"\d{4}([-/.])\d{1,2}\1\d{1,2}", ("%Y{0}%m{0}%d",)),
        (r"\d{1,2}([-/])\d{1,2}\1\d{4}", ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y")),
        (r"\d{1,2}(\.)\d{1,2}\1\d{4}", ("%d{0}%m{0}%Y",)),
        (rf"{_DAY}([-/. ]?)[A-Za-z]{{3}}\1\d{{4}}", ("%d{0}%b{0}%Y",)),
        (rf"{_DAY}([-/. ]?)[A-Za-z]{{3}}\1\d\d", ("%d{0}%b{0}%y",)),
        (rf"{_DAY}([-/. ])[A-Za-z]{{4,9}}\1\d{{4}}", ("%d{0}%B{0}%Y",)),
        (rf"\d{{4}}([-/. ]?)[A-Za-z]{{3}}\1{_DAY}", ("%Y{0}%b{0}%d",)),
        (rf"[A-Za-z]{{3}}( ){_DAY}, \d{{4}}", ("%b{0}%d, %Y",)),
        (rf"[A-Za-z]{{4,9}}( ){_DAY}, \d{{4}}", ("%B{0}%d, %Y",)),
        (r"[A-Za-z]{3}(\.)\d\d", ("%b{0}%y",)),
        (r"[A-Za-z]{3}( )\d{4}", ("%b{0}%Y",)),
        # Without a time of day beside them these may as well be numbers of lots or of samples.
        (r"\d{8}()(?!\d)", ("%Y%m%d",)),
        (r"\d{12}()(?!\d)", ("%Y%m%d%H%M",)),
        (r"\d{14}()(?!\d)", ("%Y%m%d%H%M%S",)),
        (r"\d\d(-)\d\d\1\d\d(?!\d)", ("%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d")),
        (r"\d{1,2}(/)\d{1,2}\1\d\d(?!\d)", ("%d{0}%m{0}%y", "%m{0}%d{0}%y")),
        (r"\d\d(\.)\d\d\1\d\d(?!\d)", ("%d{0}%m{0}%y",)),
    )
)
_NEED_MORE = _DATES[-6:]
_ZONE = r"(?P<zone> ?(?:Z|[+-]\d\d(?::?\d\d)?))?"
_CLOCK = re.compile(
    r"(?P<gap>T|_|:| +|, ?)\d{1,2}:\d\d(?P<seconds>:\d\d(?:(?P<mark>[.,:])\d{1,9})?)?"
    rf"(?P<half> ?[AaPp][Mm])?{_ZONE}",
    re.ASCII,
)
_SHORT_CLOCK = re.compile(
    rf"(?P<gap>T|_|-| )\d{{4}}(?P<seconds>\d\d(?:(?P<mark>[.,])\d{{1,9}})?)?{_ZONE}", re.ASCII
)
_OF_DAY = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?", re.ASCII)
_PARTS_OF_SECONDS = re.compile(r"[.,:]%f")

# Headers: words that name an instant wherever they stand; those that may name a duration as well and
# name an instant among words that say whose or which; and these words.
_INSTANTS = frozenset(
    {"date", "dates", "datetime", "timestamp", "timestamps", "tstamp", "epoch", "unix", "unixtime"}
    | {"datum", "zeitstempel", "horodatage", "fecha"}
)
_CLOCKS = frozenset({"time", "times", "zeit", "uhrzeit"})
_PLAIN = frozenset(
    {"utc", "gmt", "local", "cet", "cest", "server", "source", "plc", "opc", "log", "logged"}
    | {"event", "of", "the", "and", "day", "stamp", "t", "iso", "index", "s", "ms", "us", "ns"}
    | {"yyyy", "yy", "mm", "dd", "hh", "ss"}
)
_WHOSE = _PLAIN | frozenset(
    {"record", "recorded", "sample", "sampling", "sampled", "start", "end", "begin", "stop"}
    | {"finish", "measurement", "measured", "reading", "acquisition", "created", "entry"}
)

_ELAPSED = frozenset({"elapsed", "run", "relative", "process", "culture", "cultivation", "batch"})

# Counts are plausible between 2000 and 2100.
_UNIX = ("unix_s", "unix_ms", "unix_us", "unix_ns")
_DAYS = "serial_1900"
_FIRST_S, _LAST_S = 946_684_800, 4_102_444_800
_COUNTS: dict[str, tuple[float, float]] = {
    **{
        name: (_FIRST_S * parts, _LAST_S * parts)
        for name, parts in zip(_UNIX, (1, 10**3, 10**6, 10**9), strict=True)
    },
    _DAYS: (36_526, 73_051),
}
_COUNTS_MIN = 3
_PLAUSIBLE_PART = 0.95
_RISING_PART = 0.9
# What a header states of a duration: `Time (min)`.
_DURATIONS = frozenset(
    {"ms", "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes"}
    | {"h", "hr", "hrs", "hour", "hours"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeForms:
    """The formats of a column of times, for each order of day and month that nothing rules out.

    Those of one order differ at most in parts of seconds, and in how a month's name is written.
    `telling` is the place of the first text that rules the other orders out, -1 where there were none.
    """

    orders: tuple[tuple[str, ...], ...]
    telling: int = -1

    @property
    def formats(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(form for order in self.orders for form in order)

    @property
    def is_open(self) -> bool:
        """Whether nothing shows the order of day and month."""
        return len(self.orders) > 1


def is_time_name(words: Sequence[str]) -> bool:
    """Whether the words of a header name an instant, not a duration."""
    if _INSTANTS.intersection(words):
        return True
    return bool(_CLOCKS.intersection(words)) and _CLOCKS.union(_WHOSE).issuperset(words)


def is_plain_name(words: Sequence[str]) -> bool:
    """Whether a header names a time and nothing that tells it from others: `Timestamp`, `Log time (UTC)`."""
    return is_time_name(words) and (_INSTANTS | _CLOCKS | _PLAIN).issuperset(words)


def is_of_day(text: str) -> bool:
    """Whether a text is a time of day without a date."""
    return _OF_DAY.fullmatch(text) is not None


def is_elapsed_name(words: Sequence[str], unit: str) -> bool:
    """Whether a header names the time since a start: `Time (min)`, `Run time [h]`."""
    if unit.lower() not in _DURATIONS:
        return False
    rest = set(words) - {unit.lower()}
    return bool(rest & _CLOCKS) and rest <= _CLOCKS | _ELAPSED


# ---- texts


def orders_of(text: str, *, is_named: bool) -> tuple[str, ...]:
    """The formats that a text has by its form: one for each order of its parts.

    Args:
        text: trimmed.
        is_named: whether the column's header names an instant.
    """
    if not 5 <= len(text) <= _TEXT_MAX:  # noqa: PLR2004 - 3.4.5 is no date
        return ()
    for date, orders in _DATES:
        match = date.match(text)
        clock = _clock_of(text[match.end() :], match) if match is not None else None
        if match is None or clock is None:
            continue
        if not clock and not is_named and (date, orders) in _NEED_MORE:
            continue
        return tuple(order.format(match[1]) + clock for order in orders)
    return ()


def forms_among(texts: Sequence[str]) -> list[str]:
    """The forms that occur among texts under the name of a time, the most frequent first."""
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    told = (orders_of(text, is_named=True) for text in sample)
    return [orders[0] for orders, _ in Counter(item for item in told if item).most_common()]


def _clock_of(rest: str, date: re.Match[str]) -> str | None:
    """The format of what follows a date: "" for nothing, None for what is no time of day."""
    if not rest:
        return ""
    has_name = any(letter.isalpha() for letter in date[0])
    is_short = date[0].isdigit()
    match = (_SHORT_CLOCK.fullmatch(rest) if is_short else None) or _CLOCK.fullmatch(rest)
    if match is None or (match["gap"] == ":" and not has_name):
        return None
    told = match.groupdict()
    mark = ":" if match.re is _CLOCK else ""
    half, zone = told.get("half") or "", told["zone"] or ""
    return "".join(
        (
            " " if told["gap"].isspace() else told["gap"],
            f"%I{mark}%M" if half else f"%H{mark}%M",
            f"{mark}%S" if told["seconds"] else "",
            f"{told['mark']}%f" if told["mark"] else "",
            " %p" if half.startswith(" ") else "%p" if half else "",
            " %z" if zone.startswith(" ") else "%z" if zone else "",
        )
    )


def _kin(orders: tuple[str, ...]) -> tuple[str, ...]:
    """What formats have in common that differ in parts of seconds, or in short names of months, alone."""
    return tuple(_PARTS_OF_SECONDS.sub("", form).replace("%b", "%B") for form in orders)


def find_forms(texts: Sequence[str], *, is_named: bool) -> TimeForms | None:
    """The formats under which nearly all of some texts are times, None where they are none.

    Args:
        texts: distinct, trimmed, without those that say that there is none.
        is_named: whether the column's header names an instant.
    """
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    seen = Counter(orders_of(text, is_named=is_named) for text in sample)
    del seen[()]
    kinds: Counter[tuple[str, ...]] = Counter()
    for orders, count in seen.items():
        kinds[_kin(orders)] += count
    if not kinds or max(kinds.values()) < MOSTLY * len(sample):
        return None
    kind = max(kinds, key=lambda item: kinds[item])
    chosen = [orders for orders, _ in seen.most_common() if _kin(orders) == kind]
    array = one_array(arrow.array(texts, arrow.string()))
    found, are_read = _decide(array, list(zip(*chosen, strict=True)))
    left = [texts[at] for at in np.flatnonzero(~are_read).tolist()]
    # Names of months in full have no fixed width: they are read later.
    if len(left) > (1 - MOSTLY) * len(texts) and "%B" not in str(chosen):
        return None
    # A second without parts among a thousand with them may have missed the sample.
    rare = {
        orders
        for text in left[:_SAMPLE]
        if _kin(orders := orders_of(text, is_named=is_named)) == kind and orders not in seen
    }
    return _decide(array, list(zip(*chosen, *sorted(rare), strict=True)))[0] if rare else found


def _decide(texts: Texts, orders: Sequence[tuple[str, ...]]) -> tuple[TimeForms, Flags]:
    """The order that the texts show, or all that they leave open; and which texts are read."""
    times = [read_at_once(texts, formats, UTC) for formats in orders]
    fits = np.array([item != NO_TIME for item in times], dtype=np.bool_)
    are_read: Flags = np.asarray(fits.any(axis=0), dtype=np.bool_)
    if len(orders) == 1:
        return TimeForms(orders=(orders[0],)), are_read
    misses = (are_read & ~fits).sum(axis=1)
    # A text that only some orders fit shows something; of those, few may be slips.
    showing = int((are_read & ~fits.all(axis=0)).sum())
    is_open = misses == misses.min()
    if misses.min() > _SLIPS_PART * showing:
        is_open = fits.any(axis=1)
    left = np.flatnonzero(is_open).tolist()
    telling = -1
    if len(left) == 1:
        telling = int(np.argmax(fits[left[0]] & (fits.sum(axis=0) == 1)))
    return TimeForms(orders=tuple(orders[at] for at in left), telling=telling), are_read


# ---- counts


def find_count(numbers: Floats, words: Sequence[str], unit: str) -> str:
    """The count in which a column tells times that is named for them, "" for none.

    Args:
        numbers: by row, NaN where there is none.
        words: of its header.
        unit: as the table states it; a duration has one.
    """
    known = numbers[~np.isnan(numbers)]
    if not is_time_name(words) or known.size < _COUNTS_MIN or not _is_rising(known):
        return ""
    for name, (low, high) in _COUNTS.items():
        within = int(((known >= low) & (known < high)).sum())
        if within >= _PLAUSIBLE_PART * known.size:
            return name if name != _DAYS or _may_be_days(known, words, unit) else ""
    return ""


def _is_rising(numbers: Floats) -> bool:
    steps = np.diff(numbers)
    return bool(np.any(steps > 0)) and int((steps >= 0).sum()) >= _RISING_PART * steps.size


def _may_be_days(numbers: Floats, words: Sequence[str], unit: str) -> bool:
    """Whether numbers are days of a spreadsheet; whole ones under `Time` may be seconds as well."""
    if unit.lower() in _DURATIONS:
        return False
    return bool(_INSTANTS.intersection(words)) or bool(np.any(numbers % 1))
