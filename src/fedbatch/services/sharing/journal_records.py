"""The journal's records one by one: which are looked at, and how all but results are posted."""

import msgspec

from fedbatch.ports import JournalHead
from fedbatch.services.sharing.plan import SharePlan
from fedbatch.services.sharing.renaming import narrowed, renamed, replacing
from fedbatch.services.sharing.results import share_result
from fedbatch.services.sharing.rights import limited
from fedbatch.services.sharing.scope import Scope
from fedbatch.services.sharing.withdrawals import take_back_moved, withdraw
from fedbatch.standard import records
from fedbatch.standard.journals import JournalEntry, JournalResult
from fedbatch.standard.values import Provenance

__all__ = ["share_records"]

# What comes first must be there before what names it.
_ORDER = (
    "product",
    "batch",
    "step",
    "equipment",
    "lot",
    "transformation",
    "sample",
    "event",
    "result",
)
# What names the partner's transcribed records of the same thing.
_REPLACING = frozenset({"batch", "step", "sample", "result"})


def share_records(scope: Scope, plan: SharePlan) -> None:
    """Post the journal's records, or count why each stays."""
    for type_ in _ORDER:
        for head in scope.journal.of(type_):
            _consider(scope, plan, head)


def _consider(scope: Scope, plan: SharePlan, head: JournalHead) -> None:
    plan.considered += 1
    if head.type == "batch" and scope.batches.one(head.key[0]) != head.key[0]:
        plan.skipped["part of the batch's other record"] += 1
        return
    if head.type == "equipment" and _is_second(scope, head):
        plan.skipped["part of the window's other record"] += 1
        return
    posted = scope.sharing.posted.get(head.entry_id)
    if posted is None or _is_looked_at_again(scope, plan, head, posted):
        _share(scope, plan, head)


def _is_second(scope: Scope, head: JournalHead) -> bool:
    """Whether another statement of the same window comes first, and is posted for both."""
    same = scope.same_window(head)
    return head in same and head != same[0]


def _is_looked_at_again(scope: Scope, plan: SharePlan, head: JournalHead, posted: str) -> bool:
    """Whether a record that was posted may have to be posted otherwise."""
    # What was transcribed since is named by the next version.
    is_met = scope.sharing.transcribed is not None and head.type in _REPLACING
    return (
        is_met
        or _is_joined(scope, head)
        or _was_taken_back(scope, head)
        or take_back_moved(scope, plan, head, posted)
    )


def _is_joined(scope: Scope, head: JournalHead) -> bool:
    """Whether what is posted of a record rests on other records too."""
    if head.type == "batch":
        return bool(scope.batches.others(head.key[0]))
    return head.type == "equipment" and len(scope.same_window(head)) > 1


def _was_taken_back(scope: Scope, head: JournalHead) -> bool:
    """Whether a lot or material was taken back with the batch of another party that used it."""
    if head.type not in {"lot", "product"}:
        return False
    stands = scope.sharing.heads.get((head.type, (scope.names.pseudonym(head.type, head.key[0]),)))
    return stands is not None and stands.is_withdrawn


def _share(scope: Scope, plan: SharePlan, head: JournalHead) -> None:
    """Post a record or take it back, or count why it stays."""
    read = scope.journal.read_last if head.is_withdrawn else scope.journal.read
    entry, record = read(head)
    batch = scope.batch_of(record)
    if batch is not None and isinstance(record, JournalResult):
        share_result(scope, plan, head, entry, record, batch)
    elif batch is not None:
        _share_other(scope, plan, head, entry, record, batch)
    elif not isinstance(record, records.Product):
        plan.skipped[_why_not(record)] += 1


def _why_not(record: records.Record) -> str:
    if isinstance(record, JournalResult) and record.batch is None:
        return "no agreed equipment window"
    return "not a batch of this agreement"


def _share_other(
    scope: Scope,
    plan: SharePlan,
    head: JournalHead,
    entry: JournalEntry,
    record: records.Record,
    batch: str,
) -> None:
    right = scope.rights.find(head.type, batch)
    if right is None:
        plan.skipped["no right to it"] += 1
        return
    if head.is_withdrawn:
        withdraw(scope, plan, head, entry)
        return
    told, provenance = _joined(scope, head, entry, record)
    shared = msgspec.structs.replace(
        renamed(scope.names, scope.batches, told, batch),
        provenance=provenance,
        version=1,
        supersedes=None,
        correction=None,
    )
    sample = record.sample if isinstance(record, records.Sample) else None
    shared = replacing(scope, shared, batch, sample)
    plan.add(
        limited(shared, right),
        journal=head.entry_id,
        correction=scope.names.correction(record.correction),
    )


def _joined(
    scope: Scope, head: JournalHead, entry: JournalEntry, record: records.Record
) -> tuple[records.Record, tuple[Provenance, ...]]:
    """A record with what other records of the same thing say, and whence all of it came."""
    provenance = scope.provenance(entry)
    if isinstance(record, records.Batch):
        for name in scope.batches.others(record.batch):
            more, _ = scope.journal.read(scope.batches.known.heads[name])
            provenance += scope.provenance(more)
        return scope.batches.merged(record), provenance
    if isinstance(record, records.Equipment):
        for other in scope.same_window(head)[1:]:
            more, said = scope.journal.read(other)
            record = narrowed(record, said)
            provenance += scope.provenance(more)
    return record, provenance
