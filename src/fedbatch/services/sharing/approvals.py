"""Approvals of what was posted, with their signatures."""

from collections.abc import Mapping

import msgspec

from fedbatch.ledger.tree import leaf_hash
from fedbatch.ports import JournalHead
from fedbatch.services.sharing.journal import Journal
from fedbatch.services.sharing.names import Names
from fedbatch.services.sharing.plan import SharePlan
from fedbatch.services.sharing.scope import Scope
from fedbatch.standard import records

__all__ = ["share_approvals"]

# An approval of a thousand targets is about 50 kB: below the 65,535 bytes of an entry.
_TARGETS_MAX = 1000


def share_approvals(scope: Scope, plan: SharePlan) -> None:
    """Post each approval that names something posted here, and the signature it bears."""
    sent = {**scope.sharing.posted, **plan.post.known}
    sent.update({item.journal: item.entry_id for item in plan.post.entries})
    signatures = _signatures(scope.journal)
    for head in scope.journal.of("approval"):
        if head.entry_id in scope.sharing.posted:
            continue
        _, record = scope.journal.read(head)
        if not isinstance(record, records.Approval):
            continue
        if record.to == "approved" and plan.is_transcribing:
            plan.skipped["transcribed, so at most checked"] += 1
        else:
            _share(scope.names, plan, head, record, sent, signatures.get(head.entry_id))


def _signatures(journal: Journal) -> dict[str, records.Signature]:
    """The journal's signatures by the id of the entry they are about."""
    found: dict[str, records.Signature] = {}
    for head in journal.of("signature"):
        _, record = journal.read(head)
        if isinstance(record, records.Signature):
            found[record.about[0].entry] = record
    return found


def _share(
    names: Names,
    plan: SharePlan,
    head: JournalHead,
    approval: records.Approval,
    sent: Mapping[str, str],
    signature: records.Signature | None,
) -> None:
    """Post an approval, in groups where it names more than an entry has room for.

    Args:
        names: the agreement's.
        plan: takes what is posted.
        head: of the approval in the journal.
        approval: as the journal has it.
        sent: by journal entry, the ledger entry that says it.
        signature: the approval's, as the journal has it.
    """
    targets = [sent[item.entry] for item in approval.targets if item.entry in sent]
    for number, start in enumerate(range(0, len(targets), _TARGETS_MAX)):
        group = targets[start : start + _TARGETS_MAX]
        shared = records.Approval(
            version=1,
            approval=names.pseudonym("approval", f"{approval.approval}/{number}"),
            from_=approval.from_,
            to=approval.to,
            targets=tuple(records.Target(entry=item) for item in group),
            reason=approval.reason,
        )
        journal = head.entry_id if number == 0 else ""
        if plan.add(shared, journal=journal) and signature is not None:
            _share_signature(names, plan, signature, number)


def _share_signature(
    names: Names, plan: SharePlan, signature: records.Signature, number: int
) -> None:
    """Post the signature of the approval that was posted last."""
    approval = plan.post.entries[-1]
    about = records.About(
        entry=approval.entry_id,
        version=approval.version,
        leaf=leaf_hash(approval.content).hex(),
    )
    shared = msgspec.structs.replace(
        signature,
        signature=names.pseudonym("signature", f"{signature.signature}/{number}"),
        about=(about,),
        signer=names.pseudonym("person", signature.signer),
    )
    plan.add(shared)
