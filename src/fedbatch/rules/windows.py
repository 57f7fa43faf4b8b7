"""Equipment windows: the stretch of time on which all sources agree that a batch had the equipment.

Fails closed: no window, an open end, or a dispute beyond the tolerance means that nothing is shared
(DESIGN decision 3, STANDARD S27).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Equipment
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import in_time, named_key

__all__ = ["Window", "agreed_windows", "batch_at"]


# Where no end was stated: after every instant.
_OPEN = "9999-12-31T23:59:59Z"


@dataclass(frozen=True, slots=True)
class Window:
    """From when (included) to when (excluded) a batch had a piece of equipment; UTC instants."""

    equipment: str
    batch: str
    start: str
    end: str


def agreed_windows(
    records: Iterable[Equipment], tolerance_s: int = 0
) -> tuple[list[Window], list[Finding]]:
    """The windows that all sources agree on, and a finding for each that they dispute.

    Args:
        records: every source's statement; several of one piece and batch are held against each other.
        tolerance_s: by how many seconds ends may differ and the common stretch still count.
    """
    stated: dict[tuple[str, str], list[Equipment]] = {}
    for record in records:
        stated.setdefault((record.equipment, named_key(record.batch)), []).append(record)
    windows: list[Window] = []
    unsettled: list[Window] = []
    findings: list[Finding] = []
    for (equipment, batch), group in stated.items():
        starts = sorted((item.from_.instant for item in group), key=in_time)
        ends = sorted((item.to.instant for item in group if item.to is not None), key=in_time)
        if len(ends) < len(group):
            unsettled.append(Window(equipment, batch, starts[0], _OPEN))
        elif max(_apart(starts), _apart(ends)) > timedelta(seconds=tolerance_s):
            findings.append(_dispute(equipment, batch, starts, ends))
            unsettled.append(Window(equipment, batch, starts[0], ends[-1]))
        elif in_time(starts[-1]) < in_time(ends[0]):
            windows.append(Window(equipment, batch, starts[-1], ends[0]))
    disputed, overlaps = _overlaps([*windows, *unsettled])
    return [item for item in windows if item not in disputed], [*findings, *overlaps]


def _overlaps(claims: list[Window]) -> tuple[set[Window], list[Finding]]:
    """Two batches in one piece of equipment at one time: neither window counts.

    A claim is held against the one of those before it that lasts longest, not just the last: a short
    window within a long one hides neither.
    """
    disputed: set[Window] = set()
    findings: list[Finding] = []
    longest: Window | None = None
    for claim in sorted(claims, key=lambda item: (item.equipment, in_time(item.start), item.batch)):
        if longest is None or longest.equipment != claim.equipment:
            longest = claim
            continue
        if in_time(claim.start) < in_time(longest.end):
            disputed |= {longest, claim}
            starts, ends = [longest.start, claim.start], [longest.end, claim.end]
            findings.append(_dispute(claim.equipment, claim.batch, starts, ends))
        longest = max(longest, claim, key=lambda item: in_time(item.end))
    return disputed, findings


def _apart(instants: list[str]) -> timedelta:
    first, last = (datetime.fromisoformat(instants[index]) for index in (0, -1))
    return last - first


def _dispute(equipment: str, batch: str, starts: list[str], ends: list[str]) -> Finding:
    return finding(
        "window.conflict",
        Place(type="equipment", key=(equipment, batch)),
        found=f"from {' or '.join(starts)} to {' or '.join(ends)}",
        expected="one window on which every source agrees",
        effect="held_back",
    )


def batch_at(windows: Iterable[Window], equipment: str, instant: str) -> str | None:
    """The batch that had a piece of equipment at an instant, or None."""
    for window in windows:
        if window.equipment != equipment:
            continue
        if in_time(window.start) <= in_time(instant) < in_time(window.end):
            return window.batch
    return None
