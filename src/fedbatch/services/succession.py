"""A ledger that carries another on: its history was forked, or its names or keys are lost (TRUST §1.5).

The writer makes a new ledger, certified by its identity key, that names the old one with the size and
root that the partner cosigned last. The partner's officer confirms; then the writer begins the new
ledger with an `agreement` record that says the same, and both read the two as one: versions count on,
ids stay known, and nothing is stated twice.
"""

import hashlib
from collections.abc import Mapping
from typing import Protocol

import msgspec

from fedbatch.errors import ConflictError, InputError, RefusedError
from fedbatch.ports import AuditNote, Clock, Ids, Signer
from fedbatch.services.agreements import (
    AgreementStore,
    Keys,
    Party,
    Verify,
    certificate_message,
    check_keys,
    hex_bytes,
    load_body,
    standing,
    state_succession,
)
from fedbatch.standard import canonical
from fedbatch.standard.records import Succession

__all__ = [
    "SuccessionAnswer",
    "SuccessionOffer",
    "SuccessionStore",
    "activate_successor",
    "answer_succession",
    "former_keys",
    "offer_succession",
    "read_succession",
]

SENT, RECEIVED = "succession_sent", "succession_received"
ANSWER_SENT, ANSWER_RECEIVED = "succession_answer_sent", "succession_answer_received"
BY, FROZEN = "succession_by", "frozen"
REASON_CHARACTERS_MAX = 2000


class SuccessionStore(AgreementStore, Protocol):
    """A store in which a ledger can carry another on."""

    def succeed(
        self,
        succession: Succession,
        ledger: str,
        *,
        origin: str,
        key: bytes,
        settings: Mapping[str, bytes],
        note: AuditNote,
    ) -> None:
        """Add a ledger that carries on one that stands here, in one transaction."""
        ...

    def forget_setting(self, name: str) -> None:
        """Drop a setting."""
        ...


class SuccessionOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A new ledger in place of an old one, as it crosses; signed by the identity key."""

    agreement: str
    succeeds: Succession
    keys: Keys
    reason: str
    by_identity: str = ""


class SuccessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The partner's officer's confirmation of an offer, by its hash; signed by the identity key."""

    agreement: str
    offer_sha256: str
    confirmed_by: str
    at: str
    by_identity: str = ""


def former_keys(ledger: str) -> str:
    """The setting that keeps the keys of a ledger that another carries on."""
    return f"former_keys/{ledger}"


def _message(kind: str, item: SuccessionOffer | SuccessionAnswer) -> bytes:
    bare = msgspec.structs.replace(item, by_identity="")
    return canonical.encode([f"fedbatch-{kind}/1", bare])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- the writer offers


def offer_succession(
    store: SuccessionStore,
    agreement: str,
    node: str,
    signer: Signer,
    ids: Ids,
    clock: Clock,
    by: str,
    reason: str,
) -> SuccessionOffer:
    """Offer the partner a new own ledger; it crosses with the next contact.

    Raises:
        ConflictError: the partner has not cosigned all of the old one, so both do not hold the same.
    """
    load_body(store)
    own = store.ledgers()[0]
    if standing(store, clock).state == "ended":
        raise ConflictError("the agreement has ended", code="agreement.ended")
    receipts = [item.size for item in store.checkpoints(own.ledger) if item.cosignature]
    if own.size == 0 or max(receipts, default=0) != own.size:
        raise ConflictError(
            f"the partner has cosigned {max(receipts, default=0)} of {own.size} entries; exchange,"
            " or `fedbatch rebuild`, until it has all of them",
            code="succession.behind",
        )
    before = msgspec.json.decode(store.setting("own_keys") or b"", type=Keys)
    ledger = ids.fresh("ledger")
    key = signer.create_next(f"agreement/{agreement}/ledger").hex()
    certificate = signer.sign("identity", certificate_message("ledger", agreement, key)).hex()
    bare = SuccessionOffer(
        agreement=agreement,
        succeeds=Succession(ledger=own.ledger, size=own.size, root=own.root.hex()),
        keys=msgspec.structs.replace(
            before,
            ledger=ledger,
            origin=f"{node}/{ledger}",
            ledger_key=key,
            ledger_certificate=certificate,
        ),
        reason=reason[:REASON_CHARACTERS_MAX],
    )
    signature = signer.sign("identity", _message("succession", bare)).hex()
    offer = msgspec.structs.replace(bare, by_identity=signature)
    store.keep_setting(BY, by.encode())
    # The old one stands still until the partner has confirmed: both must hold the same of it.
    store.keep_setting(FROZEN, own.ledger.encode())
    store.keep_setting(SENT, canonical.encode(offer))
    return offer


# ---- the partner confirms


def read_succession(
    store: SuccessionStore, content: bytes, agreement: str, identity_key: bytes, verify: Verify
) -> SuccessionOffer:
    """Read the partner's offer of a new ledger.

    Raises:
        RefusedError: not signed by the partner's identity key, or its ledger key is not certified.
    """
    offer = canonical.parse(content, SuccessionOffer, "succession")
    check_keys(offer.keys, agreement, identity_key, verify)
    signature = hex_bytes(offer.by_identity)
    if not verify(identity_key, _message("succession", offer), signature):
        raise RefusedError("the succession is not signed", code="succession.signature")
    pinned = msgspec.json.decode(store.setting("partner_keys") or b"null", type=Keys | None)
    cosigning = ("cosigner", "cosign_key", "cosign_certificate")
    same = pinned is not None and all(
        getattr(pinned, name) == getattr(offer.keys, name) for name in cosigning
    )
    if offer.agreement != agreement or not same:
        raise RefusedError("another agreement, or other cosigning keys", code="succession.other")
    return offer


def answer_succession(
    store: SuccessionStore,
    agreement: str,
    signer: Signer,
    clock: Clock,
    by: str,
    printed_name: str,
) -> SuccessionOffer:
    """Confirm the partner's new ledger: from here on its entries are taken in, the old one's no more.

    Raises:
        InputError: nothing is offered.
        ConflictError: the old ledger is held here otherwise than the offer says.
    """
    content = store.setting(RECEIVED)
    if content is None:
        raise InputError("a succession offered by the partner", where=agreement, found="none")
    offer = canonical.parse(content, SuccessionOffer, "succession")
    rows = store.ledgers()
    if len(rows) < 2:  # noqa: PLR2004 - the own and the partner's
        raise ConflictError("the agreement is not in force yet", code="agreement.not_in_force")
    copy = rows[1]
    held = Succession(ledger=copy.ledger, size=copy.size, root=copy.root.hex())
    if offer.succeeds != held:
        raise ConflictError(
            f"{copy.size} entries of {copy.ledger} are held here, and not what the offer names",
            code="succession.other",
        )
    now = clock.now()
    bare = SuccessionAnswer(
        agreement=agreement, offer_sha256=_sha256(content), confirmed_by=printed_name, at=now
    )
    signature = signer.sign("identity", _message("succession-answer", bare)).hex()
    answer = canonical.encode(msgspec.structs.replace(bare, by_identity=signature))
    settings = {
        "partner_keys": canonical.encode(offer.keys),
        former_keys(copy.ledger): store.setting("partner_keys") or b"",
        ANSWER_SENT: answer,
    }
    note = AuditNote(
        act="confirm succession", by=by, time=now, detail=offer.keys.ledger, reason=offer.reason
    )
    _add(store, offer, settings, note)
    store.forget_setting(RECEIVED)
    return offer


def _add(
    store: SuccessionStore, offer: SuccessionOffer, settings: Mapping[str, bytes], note: AuditNote
) -> None:
    store.succeed(
        offer.succeeds,
        offer.keys.ledger,
        origin=offer.keys.origin,
        key=bytes.fromhex(offer.keys.ledger_key),
        settings=settings,
        note=note,
    )


# ---- the writer begins


def activate_successor(
    store: SuccessionStore,
    content: bytes,
    agreement: str,
    identity_key: bytes,
    verify: Verify,
    party: Party,
    signer: Signer,
    ids: Ids,
    clock: Clock,
) -> bool:
    """The partner has confirmed: the new ledger stands, and begins with what it carries on.

    Again it does what is left to do: a cut may have come between the two. Whether anything was.

    Raises:
        RefusedError: not the partner's answer to this offer.
    """
    sent = store.setting(SENT)
    if sent is None:
        return False
    offer = canonical.parse(sent, SuccessionOffer, "succession")
    answer = canonical.parse(content, SuccessionAnswer, "succession answer")
    is_signed = verify(
        identity_key, _message("succession-answer", answer), hex_bytes(answer.by_identity)
    )
    if not is_signed or (answer.agreement, answer.offer_sha256) != (agreement, _sha256(sent)):
        raise RefusedError("not the answer to this succession", code="succession.signature")
    own = store.ledgers()[0]
    if own.ledger == offer.succeeds.ledger:
        note = AuditNote(
            act="succeed ledger",
            by=party.officer.person,
            time=clock.now(),
            detail=f"{own.ledger} by {offer.keys.ledger}, confirmed by {answer.confirmed_by}",
            reason=offer.reason,
        )
        settings = {
            "own_keys": canonical.encode(offer.keys),
            former_keys(own.ledger): store.setting("own_keys") or b"",
            ANSWER_RECEIVED: content,
        }
        _add(store, offer, settings, note)
    if store.ledgers()[0].size == 0:
        body = load_body(store)
        state_succession(store, body, offer.succeeds, party, signer, ids, clock, offer.reason)
    store.forget_setting(SENT)
    return True
