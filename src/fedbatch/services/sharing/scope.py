"""What one run of sharing knows before it posts anything: the same for all that it posts."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from fedbatch.ports import JournalHead, LedgerHead
from fedbatch.services.sharing.batches import Batches, Carried, place_batches, read_carried
from fedbatch.services.sharing.journal import Journal, read_heads
from fedbatch.services.sharing.names import Names
from fedbatch.services.sharing.plan import Sharing
from fedbatch.services.sharing.rights import Rights
from fedbatch.services.sharing.windows import Windows, place_windows
from fedbatch.standard import records
from fedbatch.standard.findings import Finding
from fedbatch.standard.journals import JournalEntry, JournalResult
from fedbatch.standard.values import Named, Provenance, named_key

__all__ = ["Scope", "make_scope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What belongs to an agreement, under which names, and what its rights open now.

    `own` are the ledger's heads by their entries, as they were before the run; `files` the source
    files (SHA-256) that cross, empty until that is known.
    """

    sharing: Sharing
    journal: Journal
    own: Mapping[str, LedgerHead]
    names: Names
    batches: Batches
    windows: Windows
    carried: Carried
    rights: Rights
    files: AbstractSet[str] = frozenset()

    def batch_of(self, record: records.Record) -> str | None:
        """The own id of the batch of this agreement that a record concerns, "" for several, or None."""
        if isinstance(record, records.Lot):
            return "" if record.lot in self.carried.lots else None
        if isinstance(record, records.Product):
            return "" if record.product in self.carried.materials else None
        batch: Named | None = getattr(record, "batch", None)
        if batch is not None:
            return self.batches.find(named_key(batch))
        if isinstance(record, JournalResult) and record.equipment:
            return self._batch_at(record)
        return None

    def _batch_at(self, record: JournalResult) -> str | None:
        if record.observed_at is None or record.equipment is None:
            return None
        found = self.windows.batch_at(record.equipment, record.observed_at.instant)
        return found if found in self.batches.products else None

    def same_window(self, head: JournalHead) -> Sequence[JournalHead]:
        """The statements of every source about the window with one beginning that a head states."""
        equipment, batch, start = head.key[:3]
        return self.windows.stated.get((equipment, self.batches.one(batch), start), ())

    def provenance(self, entry: JournalEntry) -> tuple[Provenance, ...]:
        """Whence an entry's values came, as far as the partner may know."""
        return self.names.provenance(entry, self.files)

    def at(self, now: str) -> "Scope":
        """At a later instant: other rights may hold, and windows without end hold further."""
        return replace(
            self,
            rights=replace(self.rights, now=now),
            windows=self.windows.followed(self.sharing.journal.heard()),
        )


def make_scope(sharing: Sharing) -> tuple[Scope, list[Finding]]:
    """Look through the journal for what belongs to an agreement, and what is in doubt of that."""
    journal, now = read_heads(sharing.journal), sharing.clock.now()
    names = Names(ids=sharing.ids, agreement=sharing.body.id, partner=sharing.partner)
    batches, doubts = place_batches(sharing, journal, names)
    _meet(sharing, batches, names)
    windows, disputes = place_windows(sharing.body, journal, batches)
    scope = Scope(
        sharing=sharing,
        journal=journal,
        own={item.entry_id: item for item in sharing.heads.values()},
        names=names,
        batches=batches,
        windows=windows,
        carried=read_carried(journal, batches),
        rights=Rights(body=sharing.body, now=now, numbers=batches.numbers),
    )
    return scope, [*doubts, *disputes]


def _meet(sharing: Sharing, batches: Batches, names: Names) -> None:
    """Tell what the partner transcribed which of its batches are these."""
    if sharing.transcribed is None:
        return
    merged = {name: batches.merged(batches.known.records[name]) for name in batches.products}
    sharing.transcribed.meet(
        {name: names.identifiers(record.identifiers) for name, record in merged.items()}
    )
