"""A lost home given back what it exchanged, from its partner's copies (TRUST §1.2, F10).

The partner gives both ledgers of an agreement as it holds them: frames, and every kept checkpoint with
its cosignature. Who takes them back believes nothing: its own ledger's checkpoints must bear its own
keys, the partner's those of the partner, and entries must lead to the signed roots. Keys come with
certificates of the own identity key, and of the one that was pinned at pairing; an agreement's body
counts where an own entry names its hash. What was refused or erased stays so, as the own receipt
records say. The journal was never exchanged, so it does not come back.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from fedbatch.errors import ConflictError, InputError, IntegrityError, RefusedError
from fedbatch.ledger.frames import Erased, decode_frames, hash_entry
from fedbatch.ledger.note import (
    Checkpoint,
    parse_checkpoint,
    parse_note,
    verify_checkpoint,
    verify_cosignature,
)
from fedbatch.ledger.tree import Frontier
from fedbatch.ledger.turns import KeyTurns
from fedbatch.ports import (
    Adopted,
    AuditNote,
    CheckpointRow,
    Clock,
    LedgerHead,
    LedgerRow,
    NewLedgerEntry,
    Objects,
)
from fedbatch.services import key_turns
from fedbatch.services.agreements import Acceptance, Keys, Offer, Verify, check_keys
from fedbatch.services.intake import content_digest
from fedbatch.services.replication import CopyStore, begins, frames, root_at, unpack
from fedbatch.services.succession import former_keys
from fedbatch.standard import canonical, keys, records
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.envelope import Statement, read_entry
from fedbatch.standard.key_records import KeyRecord

__all__ = [
    "REBUILT",
    "RETURNED",
    "RebuildStore",
    "Rebuilding",
    "Returned",
    "adopt",
    "finish",
    "give_back",
    "return_agreement",
    "take_agreement",
]

GIVE_BYTES = 8 * 1024 * 1024
# Kept while a rebuild is under way: what the partner said, and which bodies own entries name.
RETURNED, AGREED = "returned", "agreed_bodies"
# Left behind by a rebuild: what is kept beside the own ledger has to be found anew.
REBUILT = "rebuilt"
_MIRRORED = {
    "offer_sent": "offer_received",
    "offer_received": "offer_sent",
    "acceptance_sent": "acceptance_received",
    "acceptance_received": "acceptance_sent",
}
_LENGTH_BYTES = 4
# So many entries a transaction: one sync for them all.
_AT_ONCE = 4096


class RebuildStore(CopyStore, Protocol):
    """A store that takes back what was lost."""

    def adopt(self, adopted: Adopted, note: AuditNote) -> None:
        """Keep entries of either ledger that the partner gave back, in one transaction."""
        ...

    def erase(self, ledger: str, indexes: Sequence[int], note: AuditNote) -> None:
        """Destroy the bytes of entries; their leaf hashes stay."""
        ...

    def mark_restored(self) -> None:
        """Append nothing until the partner was heard."""
        ...

    def forget_setting(self, name: str) -> None:
        """Drop a setting."""
        ...

    def restore_lineage(self, lineage: Mapping[str, records.Succession]) -> None:
        """Say again which ledger carries on which."""
        ...

    def succeed(
        self,
        succession: records.Succession,
        ledger: str,
        *,
        origin: str,
        key: bytes,
        settings: Mapping[str, bytes],
        note: AuditNote,
    ) -> None:
        """Add a ledger that carries on one that stands here, in one transaction."""
        ...


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger that another carries on: whose, its keys, how it stood, and which one that is."""

    is_asker: bool
    keys: Keys
    succession: records.Succession
    successor: str


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner holds of an agreement besides entries.

    `asker` is who lost it, `giver` who gives it back; `size` and `root` are of the giver's copy of the
    asker's ledger, `receipted` is how far the asker had cosigned the giver's. `settings` are proposals
    and acceptances by the giver's names for them. `formers` are ledgers that these carry on, of each
    party the oldest first.
    """

    agreement: str
    name: str
    asker: Keys
    giver: Keys
    size: int
    root: str
    receipted: int
    asker_records: tuple[KeyRecord, ...] = ()
    giver_records: tuple[KeyRecord, ...] = ()
    bodies: tuple[msgspec.Raw, ...] = ()
    settings: dict[str, str] = {}
    formers: tuple[Former, ...] = ()

    def ends(self) -> dict[str, int]:
        """How far each ledger comes back: the asker's first, of each side the oldest first."""
        found: dict[str, int] = {}
        for is_asker, keys_, size in (
            (True, self.asker, self.size),
            (False, self.giver, self.receipted),
        ):
            formers = [item for item in self.formers if item.is_asker == is_asker]
            found |= {item.keys.ledger: item.succession.size for item in formers}
            found[keys_.ledger] = size
        return found

    def lineage(self) -> dict[str, records.Succession]:
        """What each ledger carries on."""
        return {item.successor: item.succession for item in self.formers}


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A kept checkpoint as it crosses: its note, and the lines of its cosignature."""

    note: str
    cosignature: str


# ---- giving


def return_agreement(store: CopyStore, agreement: str, name: str) -> bytes:
    """What this party holds of an agreement with the partner that asks.

    Raises:
        ConflictError: nothing was exchanged yet.
    """
    own, partner = store.setting("own_keys"), store.setting("partner_keys")
    rows = store.ledgers()
    if own is None or partner is None or len(rows) < 2:  # noqa: PLR2004 - both ledgers
        raise ConflictError("nothing was exchanged yet", code="agreement.not_in_force")
    mine, copy = rows[0], rows[1]
    settings = {item: store.setting(item) for item in _MIRRORED}
    return canonical.encode(
        Returned(
            agreement=agreement,
            name=name,
            asker=msgspec.json.decode(partner, type=Keys),
            giver=msgspec.json.decode(own, type=Keys),
            size=copy.size,
            root=copy.root.hex(),
            receipted=_receipted(store, mine.ledger),
            asker_records=key_turns.partner_records(store),
            giver_records=key_turns.records_of(store),
            bodies=tuple(map(msgspec.Raw, _bodies(store))),
            settings={item: kept.decode() for item, kept in settings.items() if kept is not None},
            formers=tuple(_formers(store, rows)),
        )
    )


def _formers(store: CopyStore, rows: Sequence[LedgerRow]) -> Iterator[Former]:
    successors = {
        before.ledger: (row, before)
        for row in rows
        if (before := store.predecessor(row.ledger)) is not None
    }
    for old in reversed(rows[2:]):
        row, succession = successors[old.ledger]
        kept = store.setting(former_keys(old.ledger)) or b""
        yield Former(
            is_asker=not old.is_own,
            keys=msgspec.json.decode(kept, type=Keys),
            succession=succession,
            successor=row.ledger,
        )


def _receipted(store: CopyStore, ledger: str) -> int:
    receipts = (item.size for item in store.checkpoints(ledger) if item.cosignature)
    return max(receipts, default=0)


def _bodies(store: CopyStore) -> Iterator[bytes]:
    current = store.setting("body")
    newest = canonical.parse(current, AgreementBody, "agreement").version if current else 0
    for version in range(1, newest + 1):
        body = store.setting(f"body/{version}")
        if body is not None:
            yield body


def give_back(store: RebuildStore, ledger: str, start: int, bytes_max: int = GIVE_BYTES) -> bytes:
    """Entries of either ledger from `start` on with every kept checkpoint, for who lost them.

    What its reader has destroyed is given to nobody again, though the writer holds it.
    """
    gone = (store.find_index(ledger, entry_id) for entry_id in store.erased(ledger))
    hidden = frozenset(index for index in gone if index is not None)
    row = store.ledger(ledger)
    end = _receipted(store, ledger) if row.is_own else row.size
    content = frames(store, ledger, start, min(bytes_max, GIVE_BYTES), hidden=hidden, end=end)
    end = start
    for frame in decode_frames(content):
        end = frame.first + frame.count
    kept = [
        _Kept(note=row.note.decode(), cosignature=row.cosignature.decode())
        for row in store.checkpoints(ledger)
        if start < row.size <= end
    ]
    head = canonical.encode(kept)
    return len(head).to_bytes(_LENGTH_BYTES, "big") + head + content


# ---- taking back: the agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """What taking back one agreement works with; identities are public keys."""

    store: RebuildStore
    agreement: str
    party: str
    partner: str
    own_identity: bytes
    partner_identity: bytes
    verify: Verify
    clock: Clock
    objects: Objects


def _refuse(what: str) -> RefusedError:
    return RefusedError(f"what was given back is not what was agreed: {what}", code="rebuild.keys")


def take_agreement(work: Rebuilding, content: bytes) -> Returned:
    """Take back keys and records of an agreement, and pin both ledgers again.

    Raises:
        RefusedError: keys that this party's or the partner's identity key did not certify, or others
            than stand here.
    """
    found = canonical.parse(content, Returned, "returned agreement")
    if found.agreement != work.agreement:
        raise _refuse("another agreement")
    check_keys(found.asker, work.agreement, work.own_identity, work.verify)
    check_keys(found.giver, work.agreement, work.partner_identity, work.verify)
    _pin(work, "own_keys", found.asker)
    _pin(work, "partner_keys", found.giver)
    for item in found.formers:
        identity = work.own_identity if item.is_asker else work.partner_identity
        check_keys(item.keys, work.agreement, identity, work.verify)
        work.store.keep_setting(former_keys(item.keys.ledger), canonical.encode(item.keys))
    formers = [(item.keys, item.is_asker) for item in found.formers]
    for given, is_own in (*formers, (found.asker, True), (found.giver, False)):
        key = bytes.fromhex(given.ledger_key)
        work.store.add_ledger(given.ledger, is_own=is_own, origin=given.origin, key=key)
    work.store.restore_lineage(found.lineage())
    _take_records(work, found)
    work.store.keep_setting(RETURNED, content)
    return found


def _pin(work: Rebuilding, name: str, given: Keys) -> None:
    kept = work.store.setting(name)
    if kept is None:
        work.store.keep_setting(name, canonical.encode(given))
    elif msgspec.json.decode(kept, type=Keys) != given:
        raise _refuse("other keys than stand here")


def _take_records(work: Rebuilding, found: Returned) -> None:
    """Changes of keys, each endorsed as when it was made."""
    for name, given, is_asker, identity in (
        (key_turns.OWN, found.asker_records, True, work.own_identity),
        (key_turns.PARTNERS, found.giver_records, False, work.partner_identity),
    ):
        current = found.asker if is_asker else found.giver
        formers = [item.keys for item in found.formers if item.is_asker == is_asker]
        first = {item.ledger: item.ledger_key for item in (*formers, current)}
        known = list(key_turns.records_of(work.store, name))
        for record in given:
            same = [item for item in known if _counted_together(item, record)]
            key = first.get(record.ledger, "")
            pinned = key if record.purpose == "ledger" else current.cosign_key
            if key_turns.check_record(record, same, pinned, identity, work.verify):
                known.append(record)
        work.store.keep_setting(name, canonical.encode(known))


def _counted_together(one: KeyRecord, other: KeyRecord) -> bool:
    same = one.purpose != "ledger" or one.ledger == other.ledger
    return one.purpose == other.purpose and same


# ---- taking back: entries


@dataclass(slots=True)
class _Group:
    """Entries on their way back, with the heads that they make."""

    store: RebuildStore
    ledger: str
    refused: AbstractSet[str]
    first: int
    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    heads: list[NewLedgerEntry | None] = field(default_factory=list)
    new: dict[tuple[str, tuple[str, ...]], int] = field(default_factory=dict)
    by_entry: dict[str, int] = field(default_factory=dict)
    agreed: list[str] = field(default_factory=list)

    def add(self, entry: bytes | Erased) -> None:
        """Add an entry; one that nobody can read, or that was refused, makes no head."""
        self.leaves.append(hash_entry(entry))
        self.entries.append(b"" if isinstance(entry, Erased) else entry)
        head = None if isinstance(entry, Erased) else self._head(entry)
        self.heads.append(head)
        if head is not None:
            place = len(self.heads) - 1
            before = self.new.get((head.type, head.key))
            if head.is_withdrawn and before is not None:
                self._forget_object(before)
            self.new[head.type, head.key] = place
            self.by_entry[head.entry_id] = place

    def _forget_object(self, place: int) -> None:
        head = self.heads[place]
        if head is not None:
            self.heads[place] = _without_object(head)

    def _head(self, entry: bytes) -> NewLedgerEntry | None:
        try:
            statement = read_entry(entry)
        except InputError:
            return None
        name = f"{self.ledger}/{self.first + len(self.heads)}"
        entry_id = statement.heading.id
        if not self.refused.isdisjoint((entry_id, name)) or self._came_before(entry_id):
            return None
        if self.first + len(self.heads) == 0 and not begins(self.store, self.ledger, statement):
            raise IntegrityError("a ledger that carries on another than it says", code="gap")
        if statement.withdrawal is not None:
            return self._withdrawal(statement)
        return self._plain(statement)

    def _came_before(self, entry_id: str) -> bool:
        return entry_id in self.by_entry or bool(self.store.find_ids(self.ledger, [entry_id]))

    def _plain(self, statement: Statement) -> NewLedgerEntry:
        heading, record = statement.heading, statement.record
        if record is None:
            return _bare(heading.record_name, heading.id)
        if isinstance(record, records.Agreement):
            self.agreed.append(record.body)
        source = heading.source.removeprefix("urn:fedbatch:source:")
        in_key = source if isinstance(record, records.Result) else ""
        return NewLedgerEntry(
            content=b"",
            type=heading.record_name,
            key=keys.key_of(record, source=in_key, entry_id=heading.id),
            version=record.version,
            digest=content_digest(record),
            entry_id=heading.id,
            object=records.object_of(record),
        )

    def _withdrawal(self, statement: Statement) -> NewLedgerEntry:
        heading, common = statement.heading, statement.withdrawal
        taken_back = str(common.supersedes) if common is not None else ""
        before = self._standing(taken_back)
        if before is None or common is None:
            # What it takes back was destroyed: nobody knows its key any more.
            return _bare(heading.record_name, heading.id, is_withdrawn=True)
        return NewLedgerEntry(
            content=b"",
            type=before.type,
            key=before.key,
            version=common.version,
            digest=canonical.encode(["withdrawn", heading.id]),
            entry_id=heading.id,
            is_withdrawn=True,
        )

    def _standing(self, entry_id: str) -> NewLedgerEntry | LedgerHead | None:
        place = self.by_entry.get(entry_id)
        if place is not None:
            return self.heads[place]
        return self.store.find_head_of(self.ledger, entry_id)


def _without_object(head: NewLedgerEntry) -> NewLedgerEntry:
    return NewLedgerEntry(
        content=head.content,
        type=head.type,
        key=head.key,
        version=head.version,
        digest=head.digest,
        entry_id=head.entry_id,
        is_withdrawn=head.is_withdrawn,
    )


def _bare(type_: str, entry_id: str, *, is_withdrawn: bool = False) -> NewLedgerEntry:
    return NewLedgerEntry(
        content=b"",
        type=type_,
        key=(entry_id,),
        version=1,
        digest=b"",
        entry_id=entry_id,
        is_withdrawn=is_withdrawn,
    )


def adopt(work: Rebuilding, ledger: str, content: bytes) -> int:
    """Take back entries of one ledger; the size then held.

    Args:
        work: the agreement.
        ledger: the own one, or the partner's.
        content: as `give_back` made it, from the size held on.

    Raises:
        ConflictError: it begins elsewhere.
        IntegrityError: a signature that does not hold, or entries that do not lead to the signed root;
            nothing of that group was kept.
        InputError: not what `give_back` makes.
    """
    kept, packed = _split(content)
    row = work.store.ledger(ledger)
    entries: list[bytes | Erased] = []
    notes: list[_Kept] = []
    for frame in decode_frames(packed):
        if frame.first != row.size + len(entries):
            raise ConflictError(f"{row.size} entries are here", code="resume")
        entries += unpack(frame)
        notes.append(_Kept(note=frame.note.decode("utf-8", "replace"), cosignature=""))
        if len(entries) >= _AT_ONCE:
            row = _adopt_group(work, row, entries, [*notes, *kept])
            entries, notes = [], []
    if entries:
        row = _adopt_group(work, row, entries, [*notes, *kept])
    return row.size


def _split(content: bytes) -> tuple[list[_Kept], bytes]:
    length = int.from_bytes(content[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    if len(content) < end:
        raise InputError("checkpoints and frames", found=f"{len(content)} bytes", code="frame")
    kept = canonical.parse_flat(content[_LENGTH_BYTES:end], list[_Kept], "checkpoints")
    return kept, content[end:]


def _adopt_group(
    work: Rebuilding, row: LedgerRow, entries: Sequence[bytes | Erased], kept: Sequence[_Kept]
) -> LedgerRow:
    store = work.store
    refused = store.refused(row.ledger) if not row.is_own else frozenset[str]()
    group = _Group(store, row.ledger, refused, row.size)
    for entry in entries:
        group.add(entry)
    end = row.size + len(entries)
    frontier, checked = _check(work, row, group.leaves, end, kept)
    agreed = msgspec.json.decode(store.setting(AGREED) or b"[]", type=list[str])
    if row.is_own:
        agreed += group.agreed
    note = AuditNote(
        act="take back",
        by="node",
        time=work.clock.now(),
        detail=f"{row.ledger} {row.size} to {end}",
    )
    store.adopt(
        Adopted(
            ledger=row.ledger,
            first=row.size,
            entries=group.entries,
            leaves=group.leaves,
            frontier=frontier,
            checkpoints=checked,
            heads=group.heads,
            settings={AGREED: canonical.encode(agreed)},
        ),
        note,
    )
    return store.ledger(row.ledger)


def _check(
    work: Rebuilding,
    row: LedgerRow,
    leaves: Sequence[bytes],
    end: int,
    kept: Sequence[_Kept],
) -> tuple[Frontier, list[CheckpointRow]]:
    """Extend the frontier held here from checkpoint to checkpoint: each root must be the signed one.

    Raises:
        IntegrityError: `signature`, `origin`, or `gap` where entries lead elsewhere.
    """
    turns = key_turns.ledger_turns(work.store, row)
    rows: dict[int, CheckpointRow] = {}
    for item in kept:
        if not row.size < _stated_size(item) <= end:
            continue
        try:
            checked = _verified(work, row, item, turns)
        except IntegrityError:
            # Of a key that was revoked later there may be checkpoints on the way; the last must hold.
            if not turns.later:
                raise
            continue
        before = rows.get(checked.size)
        if before is not None and before.root != checked.root:
            raise IntegrityError(f"two roots at {checked.size}", code="fork")
        if before is None or checked.cosignature:
            rows[checked.size] = checked
    frontier, at = row.frontier, 0
    for size in sorted(rows):
        frontier = frontier.extend(leaves[at : size - row.size])
        at = size - row.size
        if frontier.root() != rows[size].root:
            raise IntegrityError(
                f"entries from {row.size} do not lead to the root signed at {size}", code="gap"
            )
    if frontier.size != end:
        raise IntegrityError(f"no checkpoint at {end}", code="gap")
    return frontier, [rows[size] for size in sorted(rows)]


def _stated_size(item: _Kept) -> int:
    return parse_checkpoint(parse_note(item.note.encode()).text).size


def _verified(work: Rebuilding, row: LedgerRow, item: _Kept, turns: KeyTurns) -> CheckpointRow:
    note, line, time = item.note.encode(), item.cosignature.encode(), 0
    found = verify_checkpoint(note, row.origin, turns)
    if line:
        head = Checkpoint(row.origin, found.size, found.root)
        cosigner = _cosigner(work.store, row)
        time = verify_cosignature(
            head.body() + b"\n" + line, cosigner, key_turns.cosign_turns(work.store, row)
        )
    return CheckpointRow(
        size=found.size, root=found.root, note=note, cosignature=line, cosigned_at=time
    )


def _cosigner(store: RebuildStore, row: LedgerRow) -> str:
    kept = store.setting("partner_keys" if row.is_own else "own_keys") or b""
    return msgspec.json.decode(kept, type=Keys).cosigner


# ---- the end


def finish(work: Rebuilding, found: Returned) -> dict[str, int]:
    """What stands once both ledgers are back: bodies, erasures; objects that are still missing.

    Raises:
        IntegrityError: the own ledger is not the one that the partner holds.
    """
    store = work.store
    for ledger, end in found.ends().items():
        size = store.ledger(ledger).size
        if size < end:
            raise IntegrityError(f"{size} of {end} entries are back", code="rebuild.short")
    roots = [(found.asker.ledger, found.size, found.root)]
    roots += [(i.keys.ledger, i.succession.size, i.succession.root) for i in found.formers]
    for ledger, size, root in roots:
        if root_at(store, ledger, size).hex() != root:
            raise IntegrityError(f"the partner holds another root at {size}", code="fork")
    _take_bodies(work, found)
    store.keep_setting(REBUILT, b"1")
    rows = store.ledgers()
    for row in rows:
        _repeat_erasures(work, row)
    return {
        item.sha256: item.size_bytes
        for row in rows
        for item in store.objects(row.ledger)
        if not work.objects.has(item.sha256)
    }


def _take_bodies(work: Rebuilding, found: Returned) -> None:
    """Bodies whose hash an own entry names, and the proposals and acceptances of these."""
    store = work.store
    agreed = set(msgspec.json.decode(store.setting(AGREED) or b"[]", type=list[str]))
    newest = 0
    for raw in found.bodies:
        content = bytes(raw)
        body = canonical.parse(content, AgreementBody, "agreement")
        if _sha256(content) not in agreed or body.id != work.agreement:
            continue
        store.keep_setting(f"body/{body.version}", content)
        if body.version > newest:
            newest = body.version
            store.keep_setting("body", content)
    for name, text in found.settings.items():
        mirrored = _MIRRORED.get(name)
        if mirrored is not None and _body_of(name, text.encode()) in agreed:
            store.keep_setting(mirrored, text.encode())


def _body_of(name: str, content: bytes) -> str:
    """The hash of the body that a proposal or an acceptance is about."""
    if name.startswith("offer"):
        return _sha256(bytes(canonical.parse(content, Offer, "proposal").body))
    return canonical.parse(content, Acceptance, "acceptance").body_sha256


def _repeat_erasures(work: Rebuilding, row: LedgerRow) -> None:
    """Destroy again what was destroyed: a backup may have brought it back."""
    store = work.store
    indexes = []
    if not row.is_own:
        for entry_id in sorted(store.erased(row.ledger)):
            index = store.find_index(row.ledger, entry_id)
            if index is not None and _erase_object(work, row.ledger, index):
                indexes.append(index)
    else:
        _erase_own_objects(work, row)
    if indexes:
        note = AuditNote(
            act="erase again",
            by="node",
            time=work.clock.now(),
            detail=f"{row.ledger}: {len(indexes)} entries",
        )
        store.erase(row.ledger, indexes, note)


def _erase_object(work: Rebuilding, ledger: str, index: int) -> bool:
    """Destroy the object that an entry names; whether the entry's bytes are here."""
    ((_, _, content),) = work.store.entries(ledger, index, 1)
    record = read_entry(content).record if content else None
    named = records.object_of(record) if record is not None else None
    if named is not None:
        work.objects.erase(named.sha256)
    return bool(content)


def _erase_own_objects(work: Rebuilding, row: LedgerRow) -> None:
    """Of what this party sent to the wrong one, its own copies of files go too; entries stay."""
    for head in work.store.heads(row.ledger, ("attachment",)).values():
        if not head.is_withdrawn:
            continue
        ((_, _, content),) = work.store.entries(row.ledger, head.index, 1)
        common = read_entry(content).withdrawal if content else None
        correction = common.correction if common is not None else None
        if correction is not None and correction.reason_code == "wrong_party":
            work.objects.erase(head.key[0])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
