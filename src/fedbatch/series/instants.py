"""Instants of the standard to microseconds since 1970 UTC, and back."""

import re
from datetime import UTC, datetime, timedelta

from fedbatch.errors import InputError
from fedbatch.standard.values import is_instant

__all__ = ["EARLIEST", "LATEST", "duration_us", "instant_text", "micros"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# As in due times, but with fractions of a second: sampling is faster than people.
_DURATION = re.compile(
    r"P(?=.)(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?"
    r"(?:T(?=.)(?:([0-9]{1,7})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,10})(?:\.([0-9]{1,6}))?S)?)?",
    re.ASCII,
)
EARLIEST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LATEST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def micros(instant: str, where: str = "") -> int:
    """Microseconds since 1970 UTC of an instant.

    Raises:
        InputError: `time.instant`: not an instant of the standard.
    """
    if not is_instant(instant):
        raise InputError(
            "a UTC instant such as 2026-03-02T08:00:00Z",
            where=where,
            found=instant[:80],
            code="time.instant",
        )
    return (datetime.fromisoformat(instant) - _EPOCH) // _MICROSECOND


def instant_text(time: int) -> str:
    """The shortest instant of the standard for microseconds since 1970 UTC.

    Raises:
        InputError: `time.instant`: before year 1 or after year 9999.
    """
    if not EARLIEST <= time <= LATEST:
        raise InputError("a time in years 1 to 9999", found=str(time), code="time.instant")
    moment = _EPOCH + timedelta(microseconds=time)
    text = moment.replace(tzinfo=None).isoformat(
        timespec="microseconds" if moment.microsecond else "seconds"
    )
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def duration_us(text: str) -> int:
    """Microseconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds.

    Raises:
        InputError: `duration`: another form, or years or months, which have no one length.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InputError("an ISO 8601 duration such as PT0.25S", found=text[:80], code="duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:5])
    whole = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
    return whole * 1_000_000 + int((match[6] or "").ljust(6, "0"))
