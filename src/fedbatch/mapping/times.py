"""Texts to times, under declared formats and a zone; an ambiguous one is held back, never guessed (S13).

A format is one of `strptime`, or names a count (`unix_ms`, `serial_1900`). Seconds may have nine decimals;
an instant has six, and the text keeps the rest. An offset may be of hours alone (`+02`).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from fedbatch.mapping.counted_times import COUNTED, count_precision, read_count
from fedbatch.standard.values import Precision, Time

__all__ = [
    "YEARS",
    "TimeProblem",
    "TimeReader",
    "check_format",
    "is_fine",
    "render_instant",
    "tells_hours",
    "tells_offset",
]

# From coarse to fine: the finest directive that a format holds is its precision.
_PRECISIONS: tuple[tuple[str, Precision], ...] = (
    ("%f", "microsecond"),
    ("%S", "second"),
    ("%T", "second"),
    ("%M", "minute"),
    ("%H", "hour"),
    ("%I", "hour"),
    ("%d", "day"),
    ("%j", "day"),
    ("%m", "month"),
    ("%b", "month"),
    ("%B", "month"),
    ("%Y", "year"),
    ("%y", "year"),
)
_DIRECTIVES = frozenset("YymdjBbHIMSfpzT%")
# The first and the last year in which a date is meant.
YEARS = (1901, 9998)
_MINUTE = timedelta(minutes=1)
_BEYOND_MICROSECONDS = re.compile(r"([.,:]\d{6})\d{1,3}(?!\d)", re.ASCII)
_HOURS_ALONE = re.compile(r"[+-]\d\d", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeProblem:
    """Why a text is no time: the rule it breaks and what would be one."""

    rule: Literal["time.format", "time.ambiguous"]
    expected: str


def check_format(form: str) -> str | None:
    """What is wrong with a time format, or None."""
    if form in COUNTED:
        return None
    unknown = [item for item in re.findall(r"%(.)", form) if item not in _DIRECTIVES]
    if unknown:
        return f"%{unknown[0]} is no directive; known are {' '.join('%' + d for d in sorted(_DIRECTIVES))}"
    return _what_lacks(set(re.findall(r"%(.)", form)))


def tells_offset(form: str) -> bool:
    """Whether times of a format say themselves what they are ahead of UTC."""
    return "%z" in form or (form in COUNTED and not COUNTED[form].is_of_days)


def tells_hours(form: str) -> bool:
    """Whether times of a format say more than their day."""
    return form in COUNTED or any(item in form for item in ("%H", "%I", "%T"))


def is_fine(form: str) -> bool:
    """Whether times of a format are finer than a second."""
    return "%f" in form or (form in COUNTED and COUNTED[form].precision != "second")


def _what_lacks(given: set[str]) -> str | None:
    """What a format leaves open, so that a reader would have to guess it."""
    has_month = bool(given & set("mbB"))
    has_day = "j" in given or ("d" in given and has_month)
    if not given & set("Yy"):
        return "the format has no year"
    if "d" in given and not has_day:
        return "the format has a day but no month"
    if given & set("HIMSTf") and not has_day:
        return "the format has a time of day but no day"
    if "I" in given and "p" not in given:
        return "the format has hours to twelve but no %p"
    return None


def render_instant(moment: datetime) -> str:
    """An aware datetime as the standard's instant: UTC, `Z`, no trailing zeros in the fraction."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeReader:
    """Reads times of declared formats in a declared zone.

    `month_names` are the source's own, January first, when they are not English.
    """

    formats: tuple[str, ...]
    zone: tzinfo
    zone_name: str
    zone_basis: Literal["stated", "configured", "assumed"]
    month_names: tuple[str, ...] = ()
    clock_offset: str | None = None

    def read(self, text: str, form: str | None = None) -> Time | TimeProblem:
        """The time in a text, or why there is none. `form` is the column's own format, if any."""
        plain = text.strip()
        found = [
            (item, moment)
            for item in ((form,) if form else self.formats)
            if (moment := self._moment(plain, item)) is not None
        ]
        if not found:
            return TimeProblem(rule="time.format", expected=self._wanted(form))
        found = [(item, moment) for item, moment in found if _is_a_date(moment)]
        if not found:
            return TimeProblem(rule="time.format", expected="a date; this one stands for none")
        if len({moment for _, moment in found}) > 1:
            return TimeProblem(
                rule="time.ambiguous",
                expected=f"one reading, not two: it fits {' and '.join(item for item, _ in found)}",
            )
        return self._placed(text, *found[0])

    def _wanted(self, form: str | None) -> str:
        wanted = form or " or ".join(self.formats)
        return f"a time like {wanted}" if wanted else "a time format in the mapping"

    def _moment(self, text: str, form: str) -> datetime | None:
        if form in COUNTED:
            return read_count(text, form)
        if self.month_names and ("%b" in form or "%B" in form):
            text = self._with_month_number(text)
            form = form.replace("%b", "%m").replace("%B", "%m")
        if "%f" in form:
            text = _BEYOND_MICROSECONDS.sub(r"\1", text)
        if form.endswith("%z") and _HOURS_ALONE.fullmatch(text[-3:]):
            text += "00"
        try:
            return datetime.strptime(text, form.replace("%T", "%H:%M:%S"))  # noqa: DTZ007 - the zone is attached below
        except ValueError:
            return None

    def _with_month_number(self, text: str) -> str:
        longest_first = sorted(self.month_names, key=len, reverse=True)
        for name in longest_first:
            position = text.lower().find(name.lower())
            if position >= 0:
                number = f"{self.month_names.index(name) + 1:02d}"
                return text[:position] + number + text[position + len(name) :]
        return text

    def _placed(self, text: str, form: str, moment: datetime) -> Time | TimeProblem:
        if moment.tzinfo is not None:
            return self._time(text, form, moment, stated=True)
        local = moment.replace(tzinfo=self.zone)
        precision = _precision_of(text, form)
        if precision not in {"year", "month", "day"}:
            problem = _clock_change(local, self.zone_name)
            if problem is not None:
                return problem
        return self._time(text, form, local, stated=False)

    def _time(self, text: str, form: str, moment: datetime, *, stated: bool) -> Time:
        zone = moment.strftime("%z") if stated else self.zone_name
        if stated:
            zone = f"{zone[:3]}:{zone[3:5]}"
        return Time(
            instant=render_instant(moment),
            text=text,
            zone=zone,
            zone_basis="stated" if stated else self.zone_basis,
            precision=_precision_of(text, form),
            clock_offset=self.clock_offset,
        )


def _is_a_date(moment: datetime) -> bool:
    """Whether a moment is meant: spreadsheets and databases write their day zero for 'no date'.

    Known are 0001-01-01, 1899-12-30 and -31, 1900-01-00 and -01, and 9999-12-31.
    """
    return YEARS[0] <= moment.year <= YEARS[1]


def _precision_of(text: str, form: str) -> Precision:
    if form in COUNTED:
        return count_precision(text, form)
    return next((name for item, name in _PRECISIONS if item in form), "year")


def _clock_change(local: datetime, zone_name: str) -> TimeProblem | None:
    """Whether a local time happens twice or never, where the clocks change."""
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        back = local.astimezone(UTC).astimezone(local.tzinfo)
        twice = abs(back.replace(tzinfo=None) - local.replace(tzinfo=None)) < _MINUTE
        expected = (
            f"a time with its offset: in {zone_name} it happens twice when the clocks go back"
            if twice
            else f"a time that exists: in {zone_name} the clocks skip it"
        )
        return TimeProblem(rule="time.ambiguous", expected=expected)
    return None
