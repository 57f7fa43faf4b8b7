"""Source files that cross: those that concern the agreement's batches alone (STANDARD S18)."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from fedbatch.services.sharing.plan import SharePlan, WholeFile
from fedbatch.services.sharing.scope import Scope
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import Correction, ObjectReference, Reference

__all__ = ["SOURCE_FILE", "share_files"]

SOURCE_FILE = "source_file"
# An attachment names the batches it is about, as long as an entry has room for them.
_ABOUT_MAX = 200


def share_files(scope: Scope, plan: SharePlan) -> frozenset[str]:
    """Post the files that concern this agreement's batches alone; their SHA-256.

    A file that no longer does is taken back and destroyed at the partner.
    """
    allowed: set[str] = set()
    for file in scope.sharing.files:
        batches = {scope.batches.one(name) for name in file.batches}
        if not _is_allowed(scope, batches):
            plan.skipped["a file that concerns others too, or no right to it"] += 1
            continue
        allowed.add(file.sha256)
        plan.add(_attachment(file, [scope.names.pseudonym("batch", name) for name in batches]))
        plan.objects.append(file.sha256)
    _take_back(scope, plan, allowed)
    return frozenset(allowed)


def _is_allowed(scope: Scope, batches: AbstractSet[str]) -> bool:
    """Whether a file of these batches (own ids) may cross."""
    if not batches or not batches <= scope.batches.products.keys():
        return False
    numbers = tuple(number for name in batches for number in scope.batches.numbers[name])
    return scope.rights.find_coded("attachment", SOURCE_FILE, numbers=numbers) is not None


def _attachment(file: WholeFile, batches: Sequence[str]) -> records.Attachment:
    about = tuple(Reference(type="batch", key=(name,)) for name in sorted(batches))
    return records.Attachment(
        version=1,
        object=ObjectReference(sha256=file.sha256, bytes=file.size_bytes),
        media_type=file.media_type,
        name=file.name,
        kind=SOURCE_FILE,
        about=about if len(about) <= _ABOUT_MAX else (),
    )


def _take_back(scope: Scope, plan: SharePlan, allowed: AbstractSet[str]) -> None:
    for head in list(plan.post.heads.values()):
        if head.type != "attachment" or head.is_withdrawn or head.key[0] in allowed:
            continue
        content = scope.sharing.read_own(head.index)
        record = read_entry(content).record
        if isinstance(record, records.Attachment) and record.kind == SOURCE_FILE:
            correction = Correction(
                kind="withdraw",
                reason_code="wrong_party",
                reason="the file no longer concerns this agreement's batches alone",
                by=scope.sharing.party,
            )
            plan.withdraw(head, content, correction)
            plan.destroyed.append(head.key[0])
