"""What the rules judge: the newest state of both ledgers, flat, folded alike on both nodes.

A fact is what stands now: superseded versions and withdrawn records are folded away, and come back
only as `Change`, for what still names them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fedbatch.standard.records import Record, Specification, State
from fedbatch.standard.values import Basis, Time, Value, ValueStatus

__all__ = [
    "ALWAYS",
    "BatchFacts",
    "Batches",
    "CarriedFacts",
    "Change",
    "Facts",
    "HeldFacts",
    "ResultFacts",
    "SampleFacts",
    "SpecificationFacts",
    "Standing",
    "Statement",
    "StepFacts",
    "moment",
]

# Older than any instant of a ledger, so that what always held begins first.
ALWAYS = datetime.fromisoformat("0001-01-01T00:00:00Z")


def moment(instant: str) -> datetime:
    """A UTC instant of the standard as an aware datetime: `00.5Z` and `00.50Z` are one moment."""
    return datetime.fromisoformat(instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """A batch. `numbers`: its id and every party's number; `order`: position of its first version."""

    batch: str
    numbers: tuple[str, ...]
    product: str
    order: int
    start: Time | None = None
    end: Time | None = None
    released: Time | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """A step of a batch: one instance of an element."""

    batch: str
    element: str
    instance: str
    start: Time | None = None
    end: Time | None = None
    covered_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """A sample of a batch; `observed_at` is when it was drawn."""

    sample: str
    batch: str
    point: str = ""
    element: str | None = None
    instance: str | None = None
    observed_at: Time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFacts:
    """A result. `key`: its business key in the ledger, whose last part is `source` unless derived.

    `covered_at`: UTC instant of the first cosignature of the partner that covers the entry; None:
    not yet. `least` and `greatest`: decimals between which the number of a derived result lies.
    """

    entry_id: str
    key: tuple[str, ...]
    batch: str
    code: str
    role: str
    form: Literal["replicate", "reportable", "derived"]
    value: Value
    source: str = ""
    attempt: int = 1
    replicate: int = 1
    element: str | None = None
    instance: str | None = None
    sample: str | None = None
    observed_at: Time | None = None
    value_status: ValueStatus | None = None
    covered_at: str | None = None
    invalidated: bool = False
    least: str | None = None
    greatest: str | None = None
    basis: Basis = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFacts:
    """A lot that went into a batch, with the product that its source stated there."""

    batch: str
    lot: str
    product: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationFacts:
    """A specification and the ledger position of its first version."""

    specification: Specification
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFacts:
    """A result that its sender holds back: what a finding record said, and by which rule."""

    batch: str
    code: str
    rule: str
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a party stands to the agreement: the state of its newest `agreement` record."""

    party: str
    state: Literal["one_sided", "proposed", "active", "paused", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An entry that stands no longer. `order`: position of the entry that changed it."""

    entry_id: str
    what: Literal["superseded", "withdrawn"]
    type: str
    key: tuple[str, ...]
    ledger: str
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An entry that names others: an approval, a signature, a result with `of`, a certificate."""

    entry_id: str
    type: str
    key: tuple[str, ...]
    ledger: str
    order: int
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is judged of one agreement; the order within a list means nothing.

    `replaced` are transcribed results that stand no longer, each with the maker's own in its stead.
    """

    batches: tuple[BatchFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    samples: tuple[SampleFacts, ...] = ()
    results: tuple[ResultFacts, ...] = ()
    replaced: tuple[tuple[ResultFacts, ResultFacts], ...] = ()
    specifications: tuple[SpecificationFacts, ...] = ()
    held: tuple[HeldFacts, ...] = ()
    carried: tuple[CarriedFacts, ...] = ()
    standings: tuple[Standing, ...] = ()
    changes: tuple[Change, ...] = ()
    statements: tuple[Statement, ...] = ()

    @property
    def is_one_sided(self) -> bool:
        """Whether a party has no partner yet, so that no cosignature can say when data arrived."""
        return any(item.state == "one_sided" for item in self.standings)


class Batches:
    """Batches by id, and by any party's number the order in which they came."""

    def __init__(self, batches: Iterable[BatchFacts]) -> None:
        self._by_id: dict[str, BatchFacts] = {}
        self._first: dict[str, int] = {}
        for batch in batches:
            self._by_id[batch.batch] = batch
            for number in (batch.batch, *batch.numbers):
                order = self._first.get(number, batch.order)
                self._first[number] = min(order, batch.order)

    def find(self, batch: str) -> BatchFacts | None:
        """The batch of an id, or None."""
        return self._by_id.get(batch)

    def begun(self, from_batch: str | None, batch: str) -> int | None:
        """Where in the order of batches a term began that holds for a batch; None: it does not.

        A term without a first batch began before all (-1). One whose first batch nobody has named
        yet has not begun.
        """
        if from_batch is None:
            return -1
        first = self._first.get(from_batch)
        known = self._by_id.get(batch)
        if first is None or known is None or known.order < first:
            return None
        return first
