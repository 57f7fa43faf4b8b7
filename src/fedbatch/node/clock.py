"""The one reader of the wall clock."""

import time
from datetime import UTC, datetime

__all__ = ["WallClock"]


class WallClock:
    """The machine's clock, in UTC."""

    def now(self) -> str:
        """The present instant, milliseconds, `Z`."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def seconds(self) -> int:
        """Whole seconds since 1970."""
        return int(time.time())
