"""Equipment windows: the stretch of time on which all sources agree that a batch had the equipment.

Fails closed: no window, an open end, or a dispute beyond the tolerance means that nothing is shared
(DESIGN decision 3, STANDARD S27).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Equipment
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import in_time, named_key

__all__ = ["Window", "agreed_windows", "batch_at"]


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
    findings: list[Finding] = []
    for (equipment, batch), group in stated.items():
        if any(item.to is None for item in group):
            continue
        starts = sorted((item.from_.instant for item in group), key=in_time)
        ends = sorted((item.to.instant for item in group if item.to is not None), key=in_time)
        if max(_apart(starts), _apart(ends)) > timedelta(seconds=tolerance_s):
            findings.append(_dispute(equipment, batch, starts, ends))
        elif in_time(starts[-1]) < in_time(ends[0]):
            windows.append(Window(equipment, batch, starts[-1], ends[0]))
    return _apart_from_each_other(windows, findings)


def _apart_from_each_other(
    windows: list[Window], findings: list[Finding]
) -> tuple[list[Window], list[Finding]]:
    """Two batches in one piece of equipment at one time: neither window counts."""
    disputed: set[Window] = set()
    ordered = sorted(windows, key=lambda item: (item.equipment, in_time(item.start)))
    for one, other in pairwise(ordered):
        if one.equipment == other.equipment and in_time(other.start) < in_time(one.end):
            disputed |= {one, other}
            findings.append(
                _dispute(one.equipment, other.batch, [one.start, other.start], [one.end, other.end])
            )
    return [item for item in windows if item not in disputed], findings


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
