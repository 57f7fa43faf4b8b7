"""Which batch each piece of equipment had from when to when, as its sources agree."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from fedbatch.ports import JournalHead
from fedbatch.rules.due import parse_duration
from fedbatch.rules.windows import Told, Window, agreed_windows, batch_at
from fedbatch.services.sharing.batches import Batches
from fedbatch.services.sharing.journal import Journal
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.findings import Finding
from fedbatch.standard.values import in_time, named_key

__all__ = ["Windows", "place_windows"]

# A source's statement of a window, under the id by which its batch is posted, and the source.
_Statement = tuple[records.Equipment, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of every piece of equipment in their order, and what their sources state.

    `stated` holds the statements of a piece, a batch and a beginning: several are posted as one.
    """

    told: Sequence[_Statement]
    stated: Mapping[tuple[str, str, str], Sequence[JournalHead]]
    agreed: Mapping[str, Sequence[Window]]
    tolerance_s: int

    def of(self, equipment: str) -> Sequence[Window]:
        """The windows of a piece of equipment on which its sources agree."""
        return self.agreed.get(equipment, ())

    def batch_at(self, equipment: str, instant: str) -> str | None:
        """The batch that had a piece of equipment at an instant; agreed windows do not overlap."""
        windows = self.of(equipment)
        position = bisect_right(windows, in_time(instant), key=lambda item: in_time(item.start))
        return batch_at(windows[max(position - 1, 0) : position], equipment, instant)

    def followed(self, heard: Mapping[str, str]) -> "Windows":
        """With how far windows without end hold now: the others stay as they are.

        Args:
            heard: when each source was last looked at.
        """
        pieces = {record.equipment for record, _ in self.told if record.to is None}
        told = [(record, source) for record, source in self.told if record.equipment in pieces]
        others = {name: found for name, found in self.agreed.items() if name not in pieces}
        agreed, _ = _agree(told, heard, self.tolerance_s)
        return replace(self, agreed={**others, **agreed})


def place_windows(
    body: AgreementBody, journal: Journal, batches: Batches
) -> tuple[Windows, list[Finding]]:
    """The windows of all equipment, and what is disputed of those of this agreement's batches."""
    told: list[_Statement] = []
    stated: dict[tuple[str, str, str], list[JournalHead]] = {}
    for head in journal.of("equipment"):
        if head.is_withdrawn:
            continue
        _, record = journal.read(head)
        if isinstance(record, records.Equipment):
            batch = batches.one(named_key(record.batch))
            told.append((msgspec.structs.replace(record, batch=batch), head.source))
            name = (record.equipment, batch, record.from_.instant)
            stated.setdefault(name, []).append(head)
    tolerance_s = _tolerance_s(body)
    agreed, disputes = _agree(told, journal.store.heard(), tolerance_s)
    windows = Windows(told=told, stated=stated, agreed=agreed, tolerance_s=tolerance_s)
    return windows, [item for item in disputes if item.where.key[-1] in batches.products]


def _agree(
    told: Iterable[_Statement], heard: Mapping[str, str], tolerance_s: int
) -> tuple[dict[str, list[Window]], list[Finding]]:
    """By piece of equipment the windows that their sources agree on, and what is disputed."""
    # A source is as far along as when it was last looked at.
    statements = [Told(record=record, until=heard.get(source, "")) for record, source in told]
    windows, disputes = agreed_windows(statements, tolerance_s)
    found: dict[str, list[Window]] = {}
    for window in sorted(windows, key=lambda item: in_time(item.start)):
        found.setdefault(window.equipment, []).append(window)
    return found, disputes


def _tolerance_s(body: AgreementBody) -> int:
    """How far ends of a window may lie apart, in whole seconds; none is 0."""
    if body.window_tolerance is None:
        return 0
    span = parse_duration(body.window_tolerance)
    return (span.weeks * 7 + span.days) * 86_400 + span.seconds
