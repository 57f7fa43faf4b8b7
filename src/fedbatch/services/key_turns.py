"""Keys that give way to others: made, told to the partner, taken from it (TRUST §1.5).

Pins never change: the first keys of a party stay as agreed, and each change is a key record behind
them. Every place where two keys can be valid reads it through here: own signatures (`own_signing`),
checkpoints (`ledger_turns`), cosignatures (`cosign_turns`), requests (`link_keys`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from fedbatch.errors import ConflictError, InputError, RefusedError
from fedbatch.ledger.turns import KeyTurn, KeyTurns
from fedbatch.ports import AuditNote, Clock, LedgerRow, Partner, Signer
from fedbatch.services.agreements import AgreementStore, Keys, Verify, hex_bytes
from fedbatch.services.posting import head_signer
from fedbatch.standard import canonical
from fedbatch.standard.key_records import KeyPurpose, KeyRecord, key_record_message

__all__ = [
    "OVERLAP_DAYS",
    "Change",
    "change_key",
    "change_link",
    "check_record",
    "cosign_turns",
    "ledger_turns",
    "link_key",
    "link_keys",
    "own_signing",
    "partner_records",
    "records_of",
    "take_record",
]

OVERLAP_DAYS = 7
OWN, PARTNERS = "own_key_records", "partner_key_records"
# A key that changed more often than daily for years is no key; the list crosses whole.
RECORDS_MAX = 1000
Kind = Literal["rotation", "revocation"]


def records_of(store: AgreementStore, name: str = OWN) -> tuple[KeyRecord, ...]:
    """The changes of keys under an agreement, oldest first: this party's, or its partner's."""
    kept = store.setting(name)
    return msgspec.json.decode(kept, type=tuple[KeyRecord, ...]) if kept else ()


def partner_records(store: AgreementStore) -> tuple[KeyRecord, ...]:
    """The partner's changes of keys under an agreement."""
    return records_of(store, PARTNERS)


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


# ---- which keys hold


def _keys(store: AgreementStore, *, is_own: bool) -> Keys:
    content = store.setting("own_keys" if is_own else "partner_keys")
    if content is None:
        raise ConflictError("the agreement has no keys yet", code="agreement.not_in_force")
    return msgspec.json.decode(content, type=Keys)


def _turn(record: KeyRecord) -> KeyTurn:
    old_until = _seconds(record.until) if record.kind == "rotation" else 0
    return KeyTurn(bytes.fromhex(record.new), record.size, old_until)


def ledger_turns(store: AgreementStore, row: LedgerRow) -> KeyTurns:
    """The keys that sign checkpoints of a ledger."""
    made = records_of(store, OWN if row.is_own else PARTNERS)
    later = (item for item in made if item.purpose == "ledger" and item.ledger == row.ledger)
    return KeyTurns(row.key, tuple(map(_turn, later)))


def cosign_turns(store: AgreementStore, row: LedgerRow) -> KeyTurns:
    """The keys that cosign checkpoints of a ledger: those of the party that does not write it."""
    is_own = not row.is_own
    made = records_of(store, OWN if is_own else PARTNERS)
    first = bytes.fromhex(_keys(store, is_own=is_own).cosign_key)
    before = _predecessors(store, row.ledger)
    later = []
    for item in made:
        if item.purpose != "cosign":
            continue
        if item.ledger == row.ledger:
            later.append(_turn(item))
        elif item.ledger in before:
            # Changed while the ledger before this one was written: here it counts from the beginning.
            turn = _turn(item)
            later.append(KeyTurn(turn.key, -1, turn.old_until))
    return KeyTurns(first, tuple(later))


def _predecessors(store: AgreementStore, ledger: str) -> set[str]:
    found: set[str] = set()
    before = store.predecessor(ledger)
    while before is not None:
        found.add(before.ledger)
        before = store.predecessor(before.ledger)
    return found


def own_signing(store: AgreementStore, purpose: KeyPurpose, now: int) -> tuple[bytes, ...]:
    """The public keys by which this party signs now: the current one, and one that gives way."""
    if store.setting("own_keys") is None:
        return ()
    keys = _keys(store, is_own=True)
    first = keys.ledger_key if purpose == "ledger" else keys.cosign_key
    made = [item for item in records_of(store) if item.purpose == purpose]
    if purpose == "ledger":
        made = [item for item in made if item.ledger == keys.ledger]
    return _signing(bytes.fromhex(first), made, now)


def _signing(first: bytes, made: Sequence[KeyRecord], now: int) -> tuple[bytes, ...]:
    if not made:
        return (first,)
    last = made[-1]
    current = bytes.fromhex(last.new)
    is_overlap = last.kind == "rotation" and now < _seconds(last.until)
    return (current, bytes.fromhex(last.old)) if is_overlap else (current,)


def link_key(partner: Partner, own: Sequence[bytes], *, is_newest: bool = False) -> bytes:
    """The link key by which this node signs to a partner: the newest of which it has heard."""
    heard = partner.own_links if is_newest else partner.own_links[: partner.told_links]
    if heard:
        return bytes.fromhex(heard[-1].new)
    return bytes.fromhex(partner.own_links[0].old) if partner.own_links else own[0]


def link_keys(partner: Partner, now: int) -> tuple[bytes, ...]:
    """The link keys of a partner that count now."""
    return _signing(bytes.fromhex(partner.link_key), partner.links, now)


# ---- a change of one's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a key that is to be made, by whom and why."""

    kind: Kind
    purpose: KeyPurpose
    party: str
    partner: str
    signer: Signer
    clock: Clock
    by: str
    reason: str


def _endorsed(
    change: Change,
    old: bytes,
    new: bytes,
    number: int,
    *,
    agreement: str = "",
    ledger: str = "",
    size: int = 0,
) -> KeyRecord:
    at = change.clock.now()
    until = at
    if change.kind == "rotation":
        end = datetime.fromisoformat(at) + timedelta(days=OVERLAP_DAYS)
        until = end.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    bare = KeyRecord(
        kind=change.kind,
        purpose=change.purpose,
        party=change.party,
        partner=change.partner,
        number=number,
        old=old.hex(),
        new=new.hex(),
        at=at,
        until=until,
        agreement=agreement,
        ledger=ledger,
        size=size,
    )
    message, signer = key_record_message(bare), change.signer
    by_old = signer.sign_with(old, message).hex() if change.kind == "rotation" else ""
    return msgspec.structs.replace(
        bare,
        by_identity=signer.sign("identity", message).hex(),
        by_old=by_old,
        by_new=signer.sign_with(new, message).hex(),
    )


def _is_of(record: KeyRecord, purpose: KeyPurpose, row: LedgerRow) -> bool:
    """Whether a record is one of those counted together: of a purpose, and of one own ledger."""
    same_ledger = purpose != "ledger" or record.ledger == row.ledger
    return record.purpose == purpose and same_ledger


def _note(change: Change, detail: str) -> AuditNote:
    act = "rotate key" if change.kind == "rotation" else "revoke key"
    return AuditNote(
        act=act, by=change.by, time=change.clock.now(), detail=detail, reason=change.reason
    )


def change_key(store: AgreementStore, agreement: str, change: Change) -> KeyRecord:
    """Let a new ledger or cosigning key take over, from the size at which things stand now.

    A rotated key's signatures hold up to that size. A revoked ledger key's hold up to the size that
    the partner cosigned last: what lies above it is signed anew, by the new key alone.
    """
    base = f"agreement/{agreement}/{change.purpose}"
    now = change.clock.seconds()
    new = change.signer.create_next(base)
    made: list[KeyRecord] = []

    def make() -> tuple[Mapping[str, bytes], int | None]:
        rows = store.ledgers()
        row = rows[0 if change.purpose == "ledger" else 1]
        known = records_of(store)
        same = [item for item in known if _is_of(item, change.purpose, row)]
        old = own_signing(store, change.purpose, now)[0]
        is_resigned = change.kind == "revocation" and change.purpose == "ledger"
        size = _cosigned(store, row) if is_resigned else row.size
        record = _endorsed(
            change, old, new, len(same) + 1, agreement=agreement, ledger=row.ledger, size=size
        )
        made.append(record)
        return {OWN: canonical.encode([*known, record])}, size if is_resigned else None

    if len(store.ledgers()) < 2:  # noqa: PLR2004 - the own and the partner's
        raise ConflictError("the agreement is not in force yet", code="agreement.not_in_force")
    origin = store.ledgers()[0].origin
    sign = _deferred(change.signer, f"agreement/{agreement}/ledger", origin)
    store.change(make, _note(change, f"{change.purpose} key of {agreement}"), sign)
    return made[0]


def _deferred(signer: Signer, name: str, origin: str) -> Callable[[int, bytes], bytes]:
    """Signs under what the records say by then: the key before may be lost."""

    def sign(size: int, root: bytes) -> bytes:
        return head_signer(signer, name, origin)(size, root)

    return sign


def _cosigned(store: AgreementStore, row: LedgerRow) -> int:
    receipts = (item.size for item in store.checkpoints(row.ledger) if item.cosignature)
    return max(receipts, default=0)


def change_link(partner: Partner, change: Change) -> tuple[Partner, AuditNote]:
    """Let a new link key take over towards a partner; it signs once the partner has heard of it."""
    name = f"link/{partner.party}"
    try:
        old = link_key(partner, change.signer.signing(name), is_newest=True)
    except InputError:
        if change.kind == "rotation":
            raise
        old = b""
    new = change.signer.create_next(name)
    record = _endorsed(change, old, new, len(partner.own_links) + 1)
    changed = msgspec.structs.replace(partner, own_links=(*partner.own_links, record))
    return changed, _note(change, f"link key to {partner.name}")


# ---- a change of the partner's


def check_record(
    record: KeyRecord,
    known: Sequence[KeyRecord],
    first: str,
    identity_key: bytes,
    verify: Verify,
) -> bool:
    """Whether a partner's key record is new; one that came before is not.

    Args:
        record: as it came.
        known: the records of the same purpose that came before.
        first: the key that was pinned, in hex.
        identity_key: the partner's.
        verify: checks signatures.

    Raises:
        RefusedError: not endorsed as it must be, or it does not follow what is known.
    """
    if record in known:
        return False
    old = known[-1].new if known else first
    floor = known[-1].size if known and known[-1].ledger == record.ledger else 0
    # Who has lost a link key knows not even its public half any more.
    is_lost = record.kind == "revocation" and record.purpose == "link" and not record.old
    follows = record.number == len(known) + 1 and record.size >= floor
    if not follows or not (record.old == old or is_lost) or len(known) >= RECORDS_MAX:
        raise RefusedError("a key record that follows those before it", code="keys.record")
    message = key_record_message(record)
    signed = [(identity_key, record.by_identity), (hex_bytes(record.new), record.by_new)]
    if record.kind == "rotation":
        signed.append((hex_bytes(old), record.by_old))
    if not all(verify(key, message, hex_bytes(signature)) for key, signature in signed):
        raise RefusedError("a key record is not endorsed", code="keys.record")
    try:
        _seconds(record.until)
    except ValueError as error:
        raise InputError("an instant", where="key record", found=record.until[:40]) from error
    return True


def take_record(
    store: AgreementStore, record: KeyRecord, identity_key: bytes, verify: Verify, clock: Clock
) -> bool:
    """Take a partner's change of a ledger or cosigning key; whether it was new."""
    pinned = _keys(store, is_own=False)
    known = [item for item in partner_records(store) if item.purpose == record.purpose]
    first = pinned.cosign_key
    if record.purpose == "ledger":
        known = [item for item in known if item.ledger == record.ledger]
        if record.ledger != pinned.ledger:
            # Of a ledger that another has succeeded: what is known of it stays.
            return False
        first = pinned.ledger_key
    if not check_record(record, known, first, identity_key, verify):
        return False

    def make() -> tuple[Mapping[str, bytes], int | None]:
        return {PARTNERS: canonical.encode([*partner_records(store), record])}, None

    note = AuditNote(
        act=f"partner's key {record.kind}",
        by="node",
        time=clock.now(),
        detail=f"{record.purpose} {record.number}, holds above {record.size}",
    )
    store.change(make, note, _never_signs)
    return True


def _never_signs(size: int, root: bytes) -> bytes:
    raise AssertionError(f"nothing is signed anew here: {size} {root.hex()}")
