"""Instants of the standard to microseconds since 1970 UTC, and back."""

from datetime import UTC, datetime, timedelta

from fedbatch.errors import InputError
from fedbatch.standard.values import is_instant

__all__ = ["LATEST", "instant_text", "micros"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
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
