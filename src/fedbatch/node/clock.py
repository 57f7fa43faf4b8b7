"""The one reader of the wall clock."""

import time
from datetime import UTC, datetime, timedelta

from fedbatch.errors import InputError

__all__ = ["DemoClock", "WallClock", "clock_of"]


class WallClock:
    """The machine's clock, in UTC."""

    def now(self) -> str:
        """The present instant, milliseconds, `Z`."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def seconds(self) -> int:
        """Whole seconds since 1970."""
        return int(time.time())


class DemoClock:
    """A clock that runs from an instant of a demonstration, so many times as fast as the wall's."""

    def __init__(self, start: datetime, real_start: float, speed: float) -> None:
        self._start, self._real_start, self._speed = start, real_start, speed

    def moment(self) -> datetime:
        """The present instant of the demonstration."""
        return self._start + timedelta(seconds=(time.time() - self._real_start) * self._speed)

    def now(self) -> str:
        """The present instant, milliseconds, `Z`."""
        moment = self.moment().astimezone(UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def seconds(self) -> int:
        """Whole seconds since 1970."""
        return int(self.moment().timestamp())


def clock_of(text: str) -> "WallClock | DemoClock":
    """The clock that a setting names: "" for the wall's, or `INSTANT REAL_SECONDS SPEED`.

    Raises:
        InputError: neither.
    """
    if not text:
        return WallClock()
    try:
        start, real_start, speed = text.split()
        return DemoClock(datetime.fromisoformat(start), float(real_start), float(speed))
    except ValueError as error:
        raise InputError(
            "INSTANT REAL_SECONDS SPEED",
            where="clock in node.toml",
            found=text,
            code="settings.clock",
        ) from error
