"""A clock that moves only when told."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Wall clock of a test; every reading moves it a millisecond on, so that order is visible."""

    def __init__(self, start: str = "2026-03-02T08:00:00Z") -> None:
        self.moment = datetime.fromisoformat(start)

    def now(self) -> str:
        self.moment += timedelta(milliseconds=1)
        text = self.moment.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    def seconds(self) -> int:
        return int(self.moment.timestamp())

    def move(self, **span: float) -> None:
        self.moment += timedelta(**span)
