"""What a run of sharing is given, and the plan that it makes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fedbatch.ports import Clock, Ids, JournalStore, LedgerHead, Objects
from fedbatch.services.posting import Ledgering, Post
from fedbatch.services.transcribed import Transcribed
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.findings import Finding
from fedbatch.standard.units import UnitTable
from fedbatch.standard.values import Correction, ValueStatus

__all__ = ["SharePlan", "Sharing", "WholeFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFile:
    """A source file that was read whole: each of its rows is of one of these batches (own ids)."""

    sha256: str
    size_bytes: int
    name: str
    media_type: str
    batches: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What sharing under one agreement works with.

    `bodies` are all active agreements of this node: a batch that fits two goes to neither.
    `excluded` are the own ids of batches that were withdrawn here as another party's.
    `status` gives the value status that approvals have raised a journal entry to.
    `transcribed` is what the partner took from this party's reports before, or beside, its own.
    """

    party: str
    body: AgreementBody
    bodies: Sequence[AgreementBody]
    place: Ledgering
    journal: JournalStore
    heads: dict[tuple[str, tuple[str, ...]], LedgerHead]
    posted: dict[str, str]
    excluded: frozenset[str]
    status: dict[str, ValueStatus]
    read_own: Callable[[int], bytes]
    ids: Ids
    clock: Clock
    units: UnitTable
    objects: Objects
    files: Sequence[WholeFile] = ()
    transcribed: Transcribed | None = None
    live_range: Callable[[str], records.Entries | None] = lambda _series: None
    points_from: int = 0
    derived: Sequence[records.Result] = ()

    @property
    def role(self) -> str:
        """The party's role in the agreement; "" where the agreement does not name it."""
        return next((p.role for p in self.body.parties if p.party == self.party), "")

    @property
    def partner(self) -> str:
        """The other party, "" while the agreement does not name it by its id."""
        return next((p.party for p in self.body.parties if p.party != self.party), "")


@dataclass(slots=True, kw_only=True)
class SharePlan:
    """What sharing would post, and why not the rest.

    `post` holds the entries; `skipped` counts records by the reason they stay. `objects` are the
    journal's objects that the entries name, by SHA-256; `destroyed` those that this agreement's folder
    keeps no longer; `segments` new ones with their bytes; `points_to` how far the journal's live points
    were looked through, and `points_waiting` from where to look again if none is posted: a window may
    still come.
    """

    post: Post
    by_type: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    considered: int = 0
    objects: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    segments: dict[str, bytes] = field(default_factory=dict)
    points_to: int = 0
    points_waiting: int = 0

    @property
    def is_transcribing(self) -> bool:
        """Whether what is posted was taken from the partner's reports."""
        return self.post.basis == "transcribed"

    def add(
        self,
        record: records.Record,
        *,
        journal: str = "",
        source: str = "",
        correction: Correction | None = None,
    ) -> bool:
        """Add a record and count it; False where the ledger says the same already.

        Args:
            record: under the agreement's names.
            journal: id of the journal entry it is posted from, "" for none.
            source: the pseudonym of the source.
            correction: why, for a next version.
        """
        posted = self.post.add(record, source=source, journal=journal, correction=correction)
        if posted is not None:
            self.by_type[self.post.entries[-1].type] += 1
        return posted is not None

    def withdraw(
        self, head: LedgerHead, content: bytes, correction: Correction, *, journal: str = ""
    ) -> None:
        """Add the withdrawal of a record whose newest entry has these bytes, and count it."""
        self.post.withdraw(head, content, correction, journal=journal)
        self.by_type[f"withdrawal of {head.type}"] += 1
