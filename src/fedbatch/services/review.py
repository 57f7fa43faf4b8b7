"""What a person does to the journal: decide what is held back, approve, correct, withdraw.

Every act is an entry of its own under the person's name, with its reason; nothing is changed in place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from fedbatch.errors import ConflictError, InputError, RefusedError, expectation
from fedbatch.ledger.tree import leaf_hash
from fedbatch.ports import (
    AuditNote,
    Clock,
    HeldItem,
    Ids,
    JournalHead,
    JournalStore,
    NewJournalEntry,
    Person,
)
from fedbatch.services.intake import Intake, write_journal_entry, write_withdrawal
from fedbatch.standard import records
from fedbatch.standard.journals import JournalResult, Origin
from fedbatch.standard.values import Correction, Time, Value, ValueStatus

__all__ = ["Desk", "approve", "correct", "decide", "results_of", "withdraw"]

_RANK = {"provisional": 0, "checked": 1, "approved": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The journal and the person who works on it."""

    journal: JournalStore
    ids: Ids
    clock: Clock
    person: Person


def results_of(journal: JournalStore, batch: str) -> list[tuple[JournalHead, JournalResult]]:
    """The newest version of every result of a batch, by its own id."""
    found = []
    for head in journal.heads(("result",)).values():
        if head.key[0] == batch and not head.is_withdrawn:
            entry = journal.read(head.index)
            found.append((head, msgspec.json.decode(bytes(entry.data), type=JournalResult)))
    return found


# ---- held back


def decide(desk: Desk, item: HeldItem, value: Value | None, reason: str) -> str:
    """Decide a held-back item: enter it with a person's value, or dismiss it.

    Args:
        desk: journal and person.
        item: what is held back.
        value: what the cell means, by the person; None dismisses it.
        reason: why.
    """
    now = desk.clock.now()
    decision = f"{'entered' if value else 'dismissed'} by {desk.person.person}: {reason}"
    note = AuditNote(
        act="decide held back",
        by=desk.person.person,
        time=now,
        detail=f"{item.id} {item.text!r} {'entered' if value else 'dismissed'}",
        reason=reason,
    )
    if value is not None:
        _enter(desk, item, value, note)
    desk.journal.decide(item.id, decision, note)
    return decision


def _enter(desk: Desk, item: HeldItem, value: Value, note: AuditNote) -> None:
    if item.type != "result" or not item.template:
        raise InputError(
            "a result that is held back",
            where=item.id,
            found=item.type,
            advice="Correct the file or the mapping and import it again, or dismiss the item.",
            code="held.type",
        )
    template = msgspec.json.decode(item.template, type=JournalResult)
    record = msgspec.structs.replace(template, value=value)
    head = desk.journal.heads(("result",)).get(("result", item.key))
    origins = msgspec.json.decode(item.origins, type=tuple[Origin, ...])
    entry = _next(desk, record, "result", item.key, head, note, origins, item.source)
    desk.journal.append([entry], note)


def _next(
    desk: Desk,
    record: records.Record,
    type_: str,
    key: tuple[str, ...],
    head: JournalHead | None,
    note: AuditNote,
    origins: tuple[Origin, ...],
    source: str,
) -> NewJournalEntry:
    """A record as new or as next version after its head."""
    version = head.version + 1 if head is not None else 1
    if head is not None:
        correction = Correction(
            kind="correct", reason_code="person", reason=note.reason, by=note.by
        )
        record = msgspec.structs.replace(
            record, version=version, supersedes=head.entry_id, correction=correction
        )
    return write_journal_entry(
        record,
        type_=type_,
        key=key,
        entry_id=desk.ids.fresh("j"),
        time=note.time,
        by=note.by,
        source=source,
        origins=origins,
        version=version,
    )


# ---- approval


def approve(
    desk: Desk,
    targets: Sequence[JournalHead],
    status: dict[str, ValueStatus],
    to: ValueStatus,
    role: str,
    reason: str | None = None,
) -> int:
    """Raise the value status of results, with the person's signature; how many were raised.

    Raises:
        RefusedError: the person entered one of them: a second person approves.
        InputError: `to` is not above provisional.
    """
    if to == "provisional":
        raise InputError("checked or approved", where="--to", found=to)
    due = [head for head in targets if _RANK[status.get(head.entry_id, "provisional")] < _RANK[to]]
    for head in due:
        if desk.journal.read(head.index).by == desk.person.person:
            raise RefusedError(
                f"{desk.person.name} entered these values; a second person approves them",
                code="approve.own_work",
            )
    if not due:
        return 0
    _write_approval(desk, due, status, to, role, reason)
    return len(due)


def _write_approval(
    desk: Desk,
    due: Iterable[JournalHead],
    status: dict[str, ValueStatus],
    to: ValueStatus,
    role: str,
    reason: str | None,
) -> None:
    now = desk.clock.now()
    entry_ids = [head.entry_id for head in due]
    lowest = min((status.get(item, "provisional") for item in entry_ids), key=_RANK.__getitem__)
    approval_id = desk.ids.fresh("approval")
    record = records.Approval(
        version=1,
        approval=approval_id,
        from_=lowest,
        to="approved" if to == "approved" else "checked",
        targets=tuple(records.Target(entry=item) for item in entry_ids),
        reason=reason,
    )
    approval = write_journal_entry(
        record,
        type_="approval",
        key=(approval_id,),
        entry_id=desk.ids.fresh("j"),
        time=now,
        by=desk.person.person,
        version=1,
    )
    detail = f"{len(entry_ids)} values to {to}"
    note = AuditNote(
        act="approve", by=desk.person.person, time=now, detail=detail, reason=reason or ""
    )
    desk.journal.append([approval, _signature(desk, approval, role, to, now)], note)


def _signature(
    desk: Desk, approval: NewJournalEntry, role: str, to: ValueStatus, now: str
) -> NewJournalEntry:
    signature_id = desk.ids.fresh("signature")
    about = records.About(
        entry=approval.entry_id, version=1, leaf=leaf_hash(approval.content).hex()
    )
    record = records.Signature(
        version=1,
        signature=signature_id,
        about=(about,),
        signer=desk.person.person,
        printed_name=desk.person.name,
        role=role,
        meaning="approved" if to == "approved" else "checked",
        method="local",
        signed_at=Time(
            instant=now, text=now, zone="UTC", zone_basis="stated", precision="millisecond"
        ),
    )
    return write_journal_entry(
        record,
        type_="signature",
        key=(signature_id,),
        entry_id=desk.ids.fresh("j"),
        time=now,
        by=desk.person.person,
        version=1,
    )


# ---- correction and withdrawal


def correct(desk: Desk, head: JournalHead, value: Value, reason: str) -> str:
    """Write the next version of a result with another value; the id of the version it supersedes.

    Raises:
        ConflictError: it says that already.
    """
    entry = desk.journal.read(head.index)
    record = msgspec.json.decode(bytes(entry.data), type=JournalResult)
    if record.value == value:
        raise ConflictError(
            expectation(
                "another value than the result has",
                f"{record.term} in entry {head.entry_id}",
                value.raw or value.number or value.kind,
                "Nothing is corrected by the same value.",
            ),
            code="correct.same",
        )
    now = desk.clock.now()
    note = AuditNote(
        act="correct",
        by=desk.person.person,
        time=now,
        detail=f"{record.term}: {record.value.raw} to {value.raw}",
        reason=reason,
    )
    origin = Origin(
        artefact="", scheme="form", locator="correct", extractor="person/1", mapping=head.source
    )
    changed = msgspec.structs.replace(record, value=value)
    new = _next(desk, changed, "result", head.key, head, note, (origin,), head.source)
    desk.journal.append([new], note)
    return head.entry_id


def withdraw(desk: Desk, heads: Sequence[JournalHead], reason_code: str, reason: str) -> int:
    """Take records back: the earlier statements stay, and each gets a withdrawal after it."""
    now = desk.clock.now()
    correction = Correction(
        kind="withdraw", reason_code=reason_code, reason=reason, by=desk.person.person
    )
    intake = Intake(journal=desk.journal, ids=desk.ids, clock=desk.clock, by=desk.person.person)
    entries = [
        write_withdrawal(intake, head, correction, now) for head in heads if not head.is_withdrawn
    ]
    if not entries:
        raise InputError("something that is not withdrawn yet", found="nothing", code="withdraw")
    note = AuditNote(
        act="withdraw",
        by=desk.person.person,
        time=now,
        detail=f"{len(entries)} records",
        reason=reason,
    )
    desk.journal.append(entries, note)
    return len(entries)
