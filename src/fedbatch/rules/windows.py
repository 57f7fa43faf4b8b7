"""Equipment windows: the stretch of time on which all sources agree that a batch had the equipment.

Fails closed: no window, an open end, or a dispute beyond the tolerance means that nothing is shared
(DESIGN decision 3, STANDARD S27).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Equipment
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import in_time, named_key

__all__ = ["Told", "Window", "agreed_windows", "batch_at"]


# Where no end was stated: after every instant.
_OPEN = "9999-12-31T23:59:59Z"


@dataclass(frozen=True, slots=True)
class Window:
    """From when (included) to when (excluded) a batch had a piece of equipment; UTC instants."""

    equipment: str
    batch: str
    start: str
    end: str
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One source's statement of a window, and until when it still said so; "" where that is unknown."""

    record: Equipment
    until: str = ""


def agreed_windows(
    told: Iterable[Told], tolerance_s: int = 0
) -> tuple[list[Window], list[Finding]]:
    """The windows that all sources agree on, and a finding for each that they dispute.

    Of a dispute the stretch on which all agree counts; what lies beyond it waits for a person, and so
    does any other batch that claims it. A window without end is open: it holds as far as the unit's
    own tag was last heard to say so.

    Args:
        told: every source's statement; several of one piece and batch are held against each other.
        tolerance_s: by how many seconds ends may differ and the common stretch still count.
    """
    groups: dict[tuple[str, str], list[Told]] = {}
    for item in told:
        name = (item.record.equipment, named_key(item.record.batch))
        groups.setdefault(name, []).append(item)
    windows: list[Window] = []
    unsettled: list[Window] = []
    findings: list[Finding] = []
    for (equipment, batch), group in groups.items():
        starts = sorted((item.record.from_.instant for item in group), key=in_time)
        ends, reached = _ends(group, tolerance_s)
        if reached is None:
            # Nobody can say how far it reaches.
            unsettled.append(Window(equipment, batch, starts[0], _OPEN))
            continue
        if in_time(starts[-1]) < in_time(reached):
            windows.append(Window(equipment, batch, starts[-1], reached, is_open=not ends))
        disputes = [item for item in (starts, ends) if _is_apart(item, tolerance_s)]
        unsettled += [Window(equipment, batch, item[0], item[-1]) for item in disputes]
        if disputes:
            findings.append(_dispute(equipment, batch, starts, ends))
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


def _ends(group: Sequence[Told], tolerance_s: int) -> tuple[list[str], str | None]:
    """The ends that sources state, in order, and how far the window reaches; None: nobody can say.

    An open window reaches as far as a unit's own tag was heard to carry the batch; a person who has
    not written an end yet says nothing. Whoever still tells of it long after another's end disputes.
    """
    ends = sorted((i.record.to.instant for i in group if i.record.to is not None), key=in_time)
    still = [item for item in group if item.record.to is None]
    if not ends:
        heard = [item.until for item in still if "unit_tag" in item.record.window_basis]
        return [], min(heard, key=in_time) if heard and all(heard) else None
    reached = ends[0]
    heard = sorted((item.until for item in still if item.until), key=in_time)
    if heard and _is_apart([reached, heard[-1]], tolerance_s):
        ends.append(_OPEN)
    return ends, reached


def _is_apart(instants: Sequence[str], tolerance_s: int) -> bool:
    """Whether the last of some instants in order is later than the first by more than is borne."""
    if len(instants) < 2:  # noqa: PLR2004 - one source alone disputes nothing
        return False
    first, last = (datetime.fromisoformat(instants[index]) for index in (0, -1))
    return last - first > timedelta(seconds=tolerance_s)


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
