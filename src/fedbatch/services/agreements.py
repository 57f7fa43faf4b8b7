"""Agreements: proposed, accepted, in force, paused, ended (INTEROP §1.0, STANDARD S26).

The proposer sends body, ledger id, origin and keys; the partner answers with the body's hash and its
own; each then writes entries 0 and 1 of its ledger. In force is what both have cosigned.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from fedbatch.errors import ConflictError, InputError, RefusedError, expectation
from fedbatch.ledger.tree import leaf_hash
from fedbatch.ports import AuditNote, Clock, Ids, LedgerRow, LedgerStore, Signer
from fedbatch.services.posting import Ledgering, Post, head_signer
from fedbatch.standard import canonical, records
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import Correction, Time, in_time

__all__ = [
    "Acceptance",
    "AgreementStore",
    "Offer",
    "Officer",
    "Standing",
    "State",
    "accept",
    "activate",
    "body_bytes",
    "change_state",
    "check_offer",
    "offer",
    "posting_allowed",
    "sign_alone",
    "standing",
    "state_succession",
]

State = Literal["draft", "one_sided", "proposed", "waiting", "active", "paused", "ended", "expired"]
# The setting that says how far the own ledger went when a partner joined: its receipt counts from there.
JOINED = "joined"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}", re.ASCII)
_PURPOSES = ("ledger", "cosign")


class AgreementStore(LedgerStore, Protocol):
    """A ledger store with the settings of its agreement."""

    def setting(self, name: str) -> bytes | None:
        """A setting's bytes, or None."""
        ...

    def keep_setting(self, name: str, content: bytes) -> None:
        """Keep a setting, durably."""
        ...

    def change(
        self,
        make: Callable[[], tuple[Mapping[str, bytes], int | None]],
        note: AuditNote,
        sign: Callable[[int, bytes], bytes],
    ) -> None:
        """Keep settings made from what stands here, in one transaction with that reading.

        `make` gives them, and a size above which the own ledger's checkpoints are signed anew, or None.
        """
        ...

    def predecessor(self, ledger: str) -> records.Succession | None:
        """The ledger that this one carries on, with its size and root; None: it was the first."""
        ...

    def add_ledger(self, ledger: str, *, is_own: bool, origin: str, key: bytes) -> None:
        """Pin a ledger with its origin and key."""
        ...


class Officer(msgspec.Struct, frozen=True, kw_only=True):
    """The person who signs for a party, as printed."""

    person: str
    name: str
    role: str


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """A party's ledger under an agreement with its keys, each certified by the identity key."""

    ledger: str
    origin: str
    cosigner: str
    ledger_key: str
    cosign_key: str
    ledger_certificate: str
    cosign_certificate: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal as it crosses: the body as canonical JSON, and the proposer's keys."""

    body: msgspec.Raw
    keys: Keys


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptance as it crosses: which body, and the accepter's keys."""

    body_sha256: str
    keys: Keys


def body_bytes(body: AgreementBody) -> bytes:
    """The canonical JSON of a body; its SHA-256 names it."""
    return canonical.encode(body)


def certificate_message(purpose: str, agreement: str, key: str) -> bytes:
    """What an identity key signs to certify a key for one purpose under one agreement."""
    return canonical.encode(["fedbatch-key/1", purpose, agreement, key])


def _own_keys(store: AgreementStore, agreement: str, node: str, signer: Signer, ids: Ids) -> Keys:
    """This party's ledger and keys under an agreement; made at first use, the same ever after."""
    kept = store.setting("own_keys")
    if kept is not None:
        return msgspec.json.decode(kept, type=Keys)
    ledger = ids.fresh("ledger")
    public = {name: signer.create(f"agreement/{agreement}/{name}").hex() for name in _PURPOSES}
    certificates = {
        name: signer.sign("identity", certificate_message(name, agreement, public[name])).hex()
        for name in _PURPOSES
    }
    keys = Keys(
        ledger=ledger,
        origin=f"{node}/{ledger}",
        cosigner=f"{node}/{agreement}",
        ledger_key=public["ledger"],
        cosign_key=public["cosign"],
        ledger_certificate=certificates["ledger"],
        cosign_certificate=certificates["cosign"],
    )
    store.keep_setting("own_keys", canonical.encode(keys))
    return keys


def hex_bytes(text: str) -> bytes:
    """Bytes that a partner wrote in hex.

    Raises:
        InputError: no hex digits.
    """
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise InputError("hex digits", found=text[:80], code="hex") from error


def check_id(agreement: str) -> None:
    """Refuse an id that could not name a folder or a key.

    Raises:
        InputError: it could not.
    """
    if _ID.fullmatch(agreement) is None:
        raise InputError(
            "an agreement's id of letters, digits and hyphens",
            found=agreement[:80],
            code="agreement.id",
        )


class Verify(Protocol):
    """Checks an Ed25519 signature."""

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is the key's over the message."""
        ...


def check_keys(keys: Keys, agreement: str, identity_key: bytes, verify: Verify) -> None:
    """Refuse keys that the partner's identity key has not certified for this agreement."""
    for purpose, key, certificate in (
        ("ledger", keys.ledger_key, keys.ledger_certificate),
        ("cosign", keys.cosign_key, keys.cosign_certificate),
    ):
        message = certificate_message(purpose, agreement, key)
        if not verify(identity_key, message, hex_bytes(certificate)):
            raise RefusedError(f"the {purpose} key is not certified", code="agreement.key")
        hex_bytes(key)


def check_pinned(store: AgreementStore, keys: Keys) -> None:
    """A partner's ledger and keys are pinned at the first version; later ones carry the same on.

    Raises:
        RefusedError: others, as from a home that has lost its ledger.
    """
    pinned = store.setting("partner_keys")
    if pinned is not None and msgspec.json.decode(pinned, type=Keys) != keys:
        raise RefusedError(
            "the partner's ledger and keys are pinned; another ledger does not carry it on",
            code="agreement.pinned",
        )


# ---- proposing and accepting


def offer(store: AgreementStore, body: AgreementBody, node: str, signer: Signer, ids: Ids) -> bytes:
    """Make this party's proposal of a body, and keep it; a newer one replaces it."""
    keys = _own_keys(store, body.id, node, signer, ids)
    content = canonical.encode(Offer(body=msgspec.Raw(body_bytes(body)), keys=keys))
    store.keep_setting("offer_sent", content)
    return content


def check_offer(
    content: bytes,
    agreement: str,
    parties: set[str],
    identity_key: bytes,
    verify: Verify,
) -> Offer:
    """Read a partner's proposal.

    Raises:
        InputError: not a proposal of this agreement between these parties.
        RefusedError: keys not certified by the partner.
    """
    proposed = canonical.parse(content, Offer, "proposal")
    body = canonical.parse(bytes(proposed.body), AgreementBody, "proposal")
    if body_bytes(body) != bytes(proposed.body):
        raise InputError(
            "an agreement of this version of the standard",
            where="proposal",
            found="fields that are not understood here",
            code="agreement.body",
        )
    if body.id != agreement or {item.party for item in body.parties} != parties:
        raise InputError("this agreement and these two parties", found=body.id, code="agreement.id")
    check_id(agreement)
    check_keys(proposed.keys, agreement, identity_key, verify)
    return proposed


def accept(store: AgreementStore, proposed: Offer, node: str, signer: Signer, ids: Ids) -> bytes:
    """Answer a proposal: keep it with this party's own keys; the acceptance as it crosses."""
    body = canonical.parse(bytes(proposed.body), AgreementBody, "proposal")
    keys = _own_keys(store, body.id, node, signer, ids)
    content = canonical.encode(
        Acceptance(body_sha256=hashlib.sha256(bytes(proposed.body)).hexdigest(), keys=keys)
    )
    store.keep_setting("acceptance_sent", content)
    return content


def check_acceptance(
    content: bytes, sent: Offer, agreement: str, identity_key: bytes, verify: Verify
) -> Acceptance:
    """Read a partner's acceptance of what was proposed.

    Raises:
        ConflictError: it accepts another body.
    """
    answer = canonical.parse(content, Acceptance, "acceptance")
    ours = hashlib.sha256(bytes(sent.body)).hexdigest()
    if answer.body_sha256 != ours:
        raise ConflictError(
            f"proposed {ours}, accepted {answer.body_sha256}", code="agreement.other_body"
        )
    check_keys(answer.keys, agreement, identity_key, verify)
    return answer


# ---- in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """This party in an agreement, with the officer who signs for it."""

    party: str
    partner: str
    officer: Officer


def sign_alone(
    store: AgreementStore,
    body: AgreementBody,
    node: str,
    party: Party,
    signer: Signer,
    ids: Ids,
    clock: Clock,
) -> None:
    """Put an agreement in force alone: stated and signed in the own ledger, state `one_sided`.

    Raises:
        ConflictError: a partner has joined; the next version is proposed to it.
    """
    if len(store.ledgers()) > 1:
        raise ConflictError(
            expectation(
                "an agreement that no partner has joined yet",
                f"agreement {body.id}",
                "one with a partner",
                "Propose the next version to it: `fedbatch agreement propose`.",
            ),
            code="agreement.joined",
        )
    own = _own_keys(store, body.id, node, signer, ids)
    store.add_ledger(own.ledger, is_own=True, origin=own.origin, key=bytes.fromhex(own.ledger_key))
    _state_record(store, body, "one_sided", party, signer, ids, clock, reason=None)
    # Last: until it is kept, signing once more does what is left.
    _keep_body(store, body)


def _keep_body(store: AgreementStore, body: AgreementBody) -> None:
    content = body_bytes(body)
    store.keep_setting(f"body/{body.version}", content)
    store.keep_setting("body", content)


def activate(
    store: AgreementStore,
    body: AgreementBody,
    partner_keys: Keys,
    party: Party,
    signer: Signer,
    ids: Ids,
    clock: Clock,
) -> None:
    """Pin the partner's ledger and write this party's statement of the body, signed by its officer."""
    is_paused = standing(store, clock).own_state == "paused"
    begun = [row.size for row in store.ledgers()]
    own = msgspec.json.decode(store.setting("own_keys") or b"", type=Keys)
    own_public = bytes.fromhex(own.ledger_key)
    store.add_ledger(own.ledger, is_own=True, origin=own.origin, key=own_public)
    store.add_ledger(
        partner_keys.ledger,
        is_own=False,
        origin=partner_keys.origin,
        key=bytes.fromhex(partner_keys.ledger_key),
    )
    store.keep_setting("partner_keys", canonical.encode(partner_keys))
    _keep_body(store, body)
    # A new version lifts no pause: who paused resumes.
    state: Literal["active", "paused"] = "paused" if is_paused else "active"
    if len(begun) == 1:
        # The statement and its signature.
        store.keep_setting(JOINED, str(begun[0] + 2).encode())
    _state_record(store, body, state, party, signer, ids, clock, reason=None)


def change_state(
    store: AgreementStore,
    state: Literal["active", "paused", "ended"],
    party: Party,
    signer: Signer,
    ids: Ids,
    clock: Clock,
    reason: str,
) -> None:
    """Pause, resume or end: one record, effective here at once."""
    body = load_body(store)
    now = standing(store, clock)
    if now.state == "ended":
        raise ConflictError(
            expectation(
                "an agreement in force or paused",
                f"agreement {body.id}",
                "ended",
                "What has ended stays so; a new agreement has another id.",
            ),
            code="agreement.ended",
        )
    if state == "active" and now.own_state != "paused":
        raise ConflictError(
            expectation(
                "an agreement that this party has paused",
                f"agreement {body.id}",
                now.state,
                "Only the party that paused can resume.",
            ),
            code="agreement.not_paused",
        )
    said: _Stated = "one_sided" if state == "active" and len(store.ledgers()) == 1 else state
    _state_record(store, body, said, party, signer, ids, clock, reason=reason)


_Stated = Literal["one_sided", "active", "paused", "ended"]


def _state_record(
    store: AgreementStore,
    body: AgreementBody,
    state: _Stated,
    party: Party,
    signer: Signer,
    ids: Ids,
    clock: Clock,
    *,
    reason: str | None,
    succeeds: records.Succession | None = None,
) -> None:
    row = store.ledgers()[0]
    place = place_of(body, row, party.party, party.partner)
    post = Post(place=place, ids=ids, clock=clock, heads=store.heads(row.ledger))
    correction = None
    if reason is not None:
        officer = ids.shared(body.id, "person", party.officer.person)
        code = state if succeeds is None else "succession"
        correction = Correction(kind="correct", reason_code=code, reason=reason, by=officer)
    record = records.Agreement(
        version=1,
        agreement=body.id,
        body=hashlib.sha256(body_bytes(body)).hexdigest(),
        state=state,
        succeeds=succeeds,
    )
    if post.add(record, correction=correction) is None:
        return
    post.add(_signature(post, body, party.officer, ids, clock))
    note = AuditNote(
        act=f"agreement {state}",
        by=party.officer.person,
        time=clock.now(),
        detail=f"{body.id} version {body.version}",
        reason=reason or "",
    )
    sign = head_signer(signer, f"agreement/{body.id}/ledger", row.origin)
    store.append(row.ledger, post.entries, note, sign)


def state_succession(
    store: AgreementStore,
    body: AgreementBody,
    succeeds: records.Succession,
    party: Party,
    signer: Signer,
    ids: Ids,
    clock: Clock,
    reason: str,
) -> None:
    """Begin a ledger that carries another on: its first entry says which, how far, and as it stood."""
    own_state = standing(store, clock).own_state
    state: Literal["active", "paused"] = "paused" if own_state == "paused" else "active"
    _state_record(store, body, state, party, signer, ids, clock, reason=reason, succeeds=succeeds)


def _signature(
    post: Post, body: AgreementBody, officer: Officer, ids: Ids, clock: Clock
) -> records.Signature:
    entry = post.entries[-1]
    now = clock.now()
    return records.Signature(
        version=1,
        signature=ids.shared(body.id, "signature", entry.entry_id),
        about=(
            records.About(
                entry=entry.entry_id, version=entry.version, leaf=leaf_hash(entry.content).hex()
            ),
        ),
        signer=ids.shared(body.id, "person", officer.person),
        printed_name=officer.name,
        role=officer.role,
        meaning="approved",
        method="local",
        signed_at=Time(
            instant=now, text=now, zone="UTC", zone_basis="stated", precision="millisecond"
        ),
    )


def place_of(body: AgreementBody, row: LedgerRow, party: str, partner: str) -> Ledgering:
    """What every entry of the own ledger has in common; no receiver while the body only names it."""
    named = {item.party for item in body.parties}
    return Ledgering(
        agreement=body.id,
        version=body.version,
        ledger=row.ledger,
        origin=row.origin,
        sender=party,
        receiver=partner if partner and partner in named else None,
    )


def load_body(store: AgreementStore) -> AgreementBody:
    """The body in force, or the one last proposed."""
    content = store.setting("body")
    if content is None:
        raise ConflictError(
            expectation(
                "an agreement in force",
                "",
                "none yet",
                "One proposes it, the other accepts, and both exchange; `fedbatch status` says who waits.",
            ),
            code="agreement.not_in_force",
        )
    return canonical.parse(content, AgreementBody, "agreement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an agreement stands, and what each side last said of it."""

    state: State
    own_state: str = ""
    partner_state: str = ""
    body: AgreementBody | None = None


def standing(store: AgreementStore, clock: Clock) -> Standing:
    """How an agreement stands now, from the two ledgers alone."""
    content = store.setting("body")
    if content is None:
        is_open = store.setting("offer_sent") or store.setting("offer_received")
        return Standing(state="proposed" if is_open else "draft")
    body = canonical.parse(content, AgreementBody, "agreement")
    said = [_last_state(store, row, body.id) for row in store.ledgers()]
    own, partner = said[0], said[1] if len(said) > 1 else ""
    states = {own, partner}
    if "ended" in states:
        state: State = "ended"
    elif "paused" in states:
        state = "paused"
    elif own != "one_sided" and (partner in {"", "one_sided"} or not _is_receipted(store)):
        state = "waiting"
    elif body.effective.to and in_time(body.effective.to) <= in_time(clock.now()):
        state = "expired"
    else:
        state = "one_sided" if own == "one_sided" else "active"
    return Standing(state=state, own_state=own, partner_state=partner, body=body)


def _last_state(store: AgreementStore, row: LedgerRow, agreement: str) -> str:
    head = store.heads(row.ledger, ("agreement",)).get(("agreement", (agreement,)))
    if head is not None:
        ((_, _, content),) = store.entries(row.ledger, head.index, 1)
        record = read_entry(content).record
        if isinstance(record, records.Agreement):
            return record.state
    return ""


def _is_receipted(store: AgreementStore) -> bool:
    """Whether the partner has cosigned this party's statement, and the partner's own is here.

    The statement is the first two entries; of a ledger that began one-sided, those that the partner
    joined by.
    """
    own, *others = store.ledgers()
    least = int(store.setting(JOINED) or b"2")
    receipts: Sequence[int] = [row.size for row in store.checkpoints(own.ledger) if row.cosignature]
    return any(size >= least for size in receipts) and all(row.size >= 2 for row in others)  # noqa: PLR2004 - record and signature


def posting_allowed(store: AgreementStore, clock: Clock) -> AgreementBody:
    """The body under which may be posted now.

    Raises:
        RefusedError: not in force, paused, ended or expired; the code says which.
    """
    now = standing(store, clock)
    if now.state not in {"active", "one_sided"} or now.body is None:
        raise RefusedError(
            expectation(
                "an agreement in force",
                "posting",
                now.state,
                "Nothing is posted under another; `fedbatch status` says what it waits for.",
            ),
            code=f"agreement.{now.state}",
        )
    if in_time(clock.now()) < in_time(now.body.effective.from_):
        raise RefusedError(
            expectation(
                f"an instant from {now.body.effective.from_} on, when the agreement takes effect",
                "posting",
                clock.now(),
            ),
            code="agreement.early",
        )
    return now.body
