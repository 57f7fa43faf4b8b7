"""Due times: ISO 8601 durations after a time, on the clock or in the working days of a calendar.

Under a calendar, days count working days: `P2D` after a Friday evening is the same time on the second
working day after it. Hours, minutes and seconds run on working days alone, around the clock. Weeks
are seven days of the calendar, and one that ends on a day off ends on the next working day. Local
time is what a wall clock shows, so that a change to summer time makes no due time an hour later.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from fedbatch.errors import InputError
from fedbatch.rules.facts import moment
from fedbatch.standard.agreements import Calendar
from fedbatch.standard.values import Time

__all__ = [
    "Duration",
    "Zones",
    "add_duration",
    "day_end",
    "find_calendar",
    "last_moment",
    "parse_duration",
]

# From a zone's IANA name or offset, as times and calendars state it, to the zone itself.
Zones = Callable[[str], tzinfo]

# Years and months have no one length, so the standard's durations have none.
_DURATION = re.compile(
    r"P(?=.)(?:([0-9]{1,10})W)?(?:([0-9]{1,10})D)?(?:T(?=.)(?:([0-9]{1,10})H)?(?:([0-9]{1,10})M)?(?:([0-9]{1,10})S)?)?",
    re.ASCII,
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# A longer one than a century is no due time, and would leave the calendar's range.
_DAYS_MAX = 36_525
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Duration:
    """Weeks and days, which a calendar may count in working days, and seconds."""

    weeks: int
    days: int
    seconds: int


def parse_duration(text: str) -> Duration:
    """Read an ISO 8601 duration of weeks, days, hours, minutes and whole seconds.

    Raises:
        InputError: another form, years or months, or more than a hundred years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise _not_a_duration(text)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = Duration(weeks, days, hours * 3600 + minutes * 60 + seconds)
    if (weeks * 7 + days) * _DAY_S + duration.seconds > _DAYS_MAX * _DAY_S:
        raise _not_a_duration(text)
    return duration


def _not_a_duration(text: str) -> InputError:
    return InputError(
        "an ISO 8601 duration such as P2D or PT36H, at most a hundred years",
        found=text,
        code="duration",
    )


def find_calendar(calendars: Iterable[Calendar], name: str) -> Calendar | None:
    """The calendar of a name; None for `elapsed`, the clock.

    Raises:
        InputError: no such calendar, or one without a working day.
    """
    if name == "elapsed":
        return None
    found = next((item for item in calendars if item.calendar == name), None)
    if found is None:
        raise InputError("a calendar of the agreement", found=name, code="calendar.unknown")
    if not set(found.working_days) & set(_DAYS):
        raise InputError(
            "a working day from Mon to Sun",
            where=name,
            found=" ".join(found.working_days),
            code="calendar.no_day",
        )
    return found


def add_duration(
    start: datetime, duration: Duration, calendar: Calendar | None, zones: Zones
) -> datetime:
    """The UTC time a duration after an aware time."""
    if calendar is None:
        days = timedelta(weeks=duration.weeks, days=duration.days, seconds=duration.seconds)
        return start.astimezone(UTC) + days
    zone = zones(calendar.zone)
    local = start.astimezone(zone).replace(tzinfo=None)
    local += timedelta(weeks=duration.weeks)
    if duration.weeks:
        local = _next_working(local, calendar)
    for _ in range(duration.days):
        local = _next_working(local + timedelta(days=1), calendar)
    local = _run(local, timedelta(seconds=duration.seconds), calendar)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _is_working(local: datetime, calendar: Calendar) -> bool:
    is_holiday = local.date().isoformat() in calendar.holidays
    return _DAYS[local.weekday()] in calendar.working_days and not is_holiday


def _next_working(local: datetime, calendar: Calendar) -> datetime:
    """The same time of day on this day or the next working one."""
    while not _is_working(local, calendar):
        local += timedelta(days=1)
    return local


def _run(local: datetime, left: timedelta, calendar: Calendar) -> datetime:
    """Let a stretch of time pass on working days alone."""
    while left:
        midnight = _next_midnight(local)
        if _is_working(local, calendar):
            if left <= midnight - local:
                return local + left
            left -= midnight - local
        local = midnight
    return local


def _next_midnight(local: datetime) -> datetime:
    return datetime.combine(local.date() + timedelta(days=1), time.min)


def day_end(instant: datetime, zone: tzinfo) -> datetime:
    """The end of the local day in which a time lies, in UTC."""
    local = instant.astimezone(zone).replace(tzinfo=None)
    return _next_midnight(local).replace(tzinfo=zone).astimezone(UTC)


def last_moment(stated: Time, zones: Zones) -> datetime:
    """The end of what a time names: of its day, month or year where it says no more."""
    instant = moment(stated.instant)
    if stated.precision not in {"year", "month", "day"}:
        return instant
    zone = zones(stated.zone)
    local = instant.astimezone(zone).replace(tzinfo=None)
    if stated.precision == "day":
        return day_end(instant, zone)
    months = 12 if stated.precision == "year" else 1
    years, month = divmod(local.month - 1 + months, 12)
    local = local.replace(year=local.year + years, month=month + 1)
    return local.replace(tzinfo=zone).astimezone(UTC)
