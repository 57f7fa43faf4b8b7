"""What was posted and is taken back: withdrawn in the journal, or of a batch that it is not of."""

import msgspec

from fedbatch.ports import JournalHead
from fedbatch.services.sharing.plan import SharePlan, Sharing
from fedbatch.services.sharing.scope import Scope
from fedbatch.standard.journals import JournalEntry
from fedbatch.standard.records import Record
from fedbatch.standard.values import Correction, is_instant

__all__ = ["take_back_moved", "withdraw"]

# Where the key of a result says of which batch, or else equipment, and when it is.
_WHERE, _WHEN = 0, 3


def withdraw(scope: Scope, plan: SharePlan, head: JournalHead, withdrawal: JournalEntry) -> None:
    """Take back what the journal withdrew; what never was posted needs no withdrawal."""
    common = msgspec.json.decode(bytes(withdrawal.data), type=Record)
    posted = _last_posted(scope.sharing, str(common.supersedes))
    current = next((item for item in plan.post.heads.values() if item.entry_id == posted), None)
    correction = scope.names.correction(common.correction)
    if current is None or current.is_withdrawn or correction is None:
        return
    content = scope.sharing.read_own(current.index)
    plan.withdraw(current, content, correction, journal=head.entry_id)


def _last_posted(sharing: Sharing, entry_id: str) -> str | None:
    """What was last posted of a journal entry and the versions before it: some may never have been."""
    while entry_id not in sharing.posted:
        entry = sharing.journal.read_entry(entry_id)
        before = msgspec.json.decode(bytes(entry.data), type=Record).supersedes
        if not isinstance(before, str):
            return None
        entry_id = before
    return sharing.posted[entry_id]


def take_back_moved(scope: Scope, plan: SharePlan, head: JournalHead, posted: str) -> bool:
    """Whether a posted value is to be looked at again, as its equipment's window has changed.

    Where it stands wrongly it is taken back: erased at the partner if another party's batch had the
    equipment then.
    """
    if head.is_withdrawn or not _is_of_equipment(head):
        return False
    current = scope.own.get(posted)
    if current is None:
        return True
    own = scope.batches.products
    batch = scope.windows.batch_at(head.key[_WHERE][1:], head.key[_WHEN])
    if batch in own and scope.names.pseudonym("batch", str(batch)) == current.key[0]:
        return False
    is_others = batch is not None and batch not in own
    correction = Correction(
        kind="withdraw",
        reason_code="wrong_party" if is_others else "window_changed",
        reason="the window of the equipment changed",
        by=scope.sharing.party,
    )
    plan.withdraw(current, scope.sharing.read_own(current.index), correction)
    return True


def _is_of_equipment(head: JournalHead) -> bool:
    """Whether a head is of a result that its equipment's window gives to a batch."""
    return (
        head.type == "result"
        and head.key[_WHERE].startswith("@")
        and len(head.key) > _WHEN
        and is_instant(head.key[_WHEN])
    )
