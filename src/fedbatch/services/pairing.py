"""From a stranger to a partner: invite, accept, confirm (TRUST §1.4).

The invitation carries a one-time code and the hash of the inviter's identity key; the answer proves
knowledge of the code over both keys. Then two people compare fingerprints by telephone, one a key.
"""

import hashlib
import hmac

import msgspec

from fedbatch.errors import ConflictError, InputError, RefusedError
from fedbatch.ports import AuditNote, Clock, Ids, Invitation, NodeStore, Partner, Signer
from fedbatch.services.agreements import Verify, hex_bytes
from fedbatch.standard import canonical

__all__ = [
    "Answer",
    "Introduction",
    "InvitationText",
    "Pairing",
    "answer_invitation",
    "confirm",
    "fingerprint",
    "invite",
    "is_printable",
    "make_introduction",
    "read_invitation",
    "take_answer",
    "take_introduction",
]

VALID_S = 7 * 24 * 3600
NAME_CHARACTERS_MAX = 200


class InvitationText(msgspec.Struct, frozen=True, kw_only=True):
    """What the inviter hands over, by a way that both trust. `address` is where it listens."""

    kind: str
    party: str
    name: str
    address: str
    identity_sha256: str
    tls_sha256: str
    code: str
    expires: int


class Introduction(msgspec.Struct, frozen=True, kw_only=True):
    """Who a node is: keys in hex; the link key certified by the identity key."""

    party: str
    name: str
    node: str
    identity_key: str
    link_key: str
    link_certificate: str
    address: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An introduction with the proof that its sender holds the code."""

    code_sha256: str
    introduction: Introduction
    proof: str


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """What pairing works with: this node's names and ports."""

    party: str
    name: str
    node: str
    address: str
    store: NodeStore
    signer: Signer
    ids: Ids
    clock: Clock
    verify: Verify


def fingerprint(identity_key: bytes) -> str:
    """SHA-256 mod 10^30 of a key as six groups of five digits, to be read out by telephone."""
    digits = f"{int.from_bytes(hashlib.sha256(identity_key).digest(), 'big') % 10**30:030d}"
    return " ".join(digits[start : start + 5] for start in range(0, 30, 5))


def _link_message(party: str, link_key: str) -> bytes:
    return canonical.encode(["fedbatch-link/1", party, link_key])


def make_introduction(pairing: Pairing, partner: str) -> Introduction:
    """This node's introduction to a partner, with a link key of its own for it."""
    link_key = pairing.signer.create(f"link/{partner}").hex()
    certificate = pairing.signer.sign("identity", _link_message(pairing.party, link_key))
    return Introduction(
        party=pairing.party,
        name=pairing.name,
        node=pairing.node,
        identity_key=pairing.signer.public("identity").hex(),
        link_key=link_key,
        link_certificate=certificate.hex(),
        address=pairing.address,
    )


def invite(
    pairing: Pairing, by: str, code: str, tls_sha256: str, *, is_by_folder: bool = False
) -> bytes:
    """Make an invitation that is valid for seven days and once.

    Args:
        pairing: this node.
        by: the key officer.
        code: 128 random bits in hex.
        tls_sha256: SHA-256 of the TLS key's SPKI in hex; "" for plain HTTP on loopback.
        is_by_folder: the answer comes in a folder that travels, and nobody dials.
    """
    if not pairing.address and not is_by_folder:
        raise InputError(
            "an address at which this node can be dialled",
            where="node.toml",
            found="none",
            advice="Set `address` there, let the partner invite, or use --by-folder.",
            code="pairing.address",
        )
    expires = pairing.clock.seconds() + VALID_S
    invitation = Invitation(code_sha256=_sha256(code), code=code, expires=expires, by=by)
    note = AuditNote(act="invite", by=by, time=pairing.clock.now())
    pairing.store.save_invitation(invitation, note)
    return canonical.encode(
        InvitationText(
            kind="fedbatch-invitation/1",
            party=pairing.party,
            name=pairing.name,
            address="" if is_by_folder else pairing.address,
            identity_sha256=hashlib.sha256(pairing.signer.public("identity")).hexdigest(),
            tls_sha256=tls_sha256,
            code=code,
            expires=expires,
        )
    )


def read_invitation(content: bytes, now: int) -> InvitationText:
    """An invitation as handed over.

    Raises:
        InputError: none, or expired.
    """
    try:
        invitation = canonical.parse(content, InvitationText, "invitation")
    except InputError as error:
        raise InputError(
            "an invitation's file as `fedbatch invite` writes it",
            found="another file",
            code="pairing.invitation",
        ) from error
    if invitation.kind != "fedbatch-invitation/1":
        raise InputError("an invitation", found=invitation.kind, code="pairing.invitation")
    if invitation.expires <= now:
        raise InputError(
            "an invitation that is still valid", found="expired", code="pairing.expired"
        )
    return invitation


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _proof(code: str, inviter_sha256: str, introduction: Introduction) -> str:
    message = canonical.encode(["fedbatch-pairing/1", inviter_sha256, introduction])
    return hmac.digest(bytes.fromhex(code), message, "sha256").hex()


def answer_invitation(pairing: Pairing, invitation: InvitationText) -> Answer:
    """The invited node's answer: its introduction and the proof over both identity keys.

    Raises:
        ConflictError: this node's own invitation, or one of a partner that is confirmed already.
    """
    _check_inviter(pairing, invitation)
    introduction = make_introduction(pairing, invitation.party)
    return Answer(
        code_sha256=_sha256(invitation.code),
        introduction=introduction,
        proof=_proof(invitation.code, invitation.identity_sha256, introduction),
    )


def _check_inviter(pairing: Pairing, invitation: InvitationText) -> None:
    own_sha256 = hashlib.sha256(pairing.signer.public("identity")).hexdigest()
    if own_sha256 == invitation.identity_sha256 or invitation.party == pairing.party:
        raise ConflictError(
            "this is your own invitation; the partner accepts it", code="pairing.self"
        )
    known = pairing.store.find_partner(invitation.party)
    if known is not None and known.confirmed_here:
        raise _already_paired(known)


def _already_paired(partner: Partner) -> ConflictError:
    return ConflictError(
        f"already paired with {partner.name}, and confirmed; the link stays as it is",
        code="pairing.paired",
    )


def take_introduction(pairing: Pairing, answer: Answer) -> Answer:
    """The inviter takes an answer, burns the code and answers in the same way.

    Raises:
        RefusedError: unknown, used or expired code, or a wrong proof: all look alike.
        ConflictError: paired and confirmed already, by the same link key.
    """
    invitation = pairing.store.find_invitation(answer.code_sha256)
    own_sha256 = hashlib.sha256(pairing.signer.public("identity")).hexdigest()
    code = invitation.code if invitation is not None else "00" * 16
    right = hmac.compare_digest(answer.proof, _proof(code, own_sha256, answer.introduction))
    now = pairing.clock.seconds()
    if invitation is None or invitation.used or invitation.expires <= now or not right:
        raise RefusedError("no such invitation", code="pairing.refused")
    _check_link(answer.introduction, pairing.verify)
    _keep(pairing, answer.introduction, dials=False, tls_certificate="", by=invitation.by)
    used = msgspec.structs.replace(invitation, used=True, code="")
    note = AuditNote(act="invitation used", by=invitation.by, time=pairing.clock.now())
    pairing.store.save_invitation(used, note)
    introduction = make_introduction(pairing, answer.introduction.party)
    theirs = hashlib.sha256(bytes.fromhex(answer.introduction.identity_key)).hexdigest()
    return Answer(
        code_sha256=answer.code_sha256,
        introduction=introduction,
        proof=_proof(code, theirs, introduction),
    )


def take_answer(
    pairing: Pairing, invitation: InvitationText, answer: Answer, tls_certificate: str, by: str
) -> Partner:
    """The invited node takes the inviter's answer and pins its key.

    Raises:
        RefusedError: the key is not the invited one, or the proof is wrong.
        ConflictError: paired and confirmed already, by the same link key.
    """
    introduction = answer.introduction
    identity = hex_bytes(introduction.identity_key)
    own_sha256 = hashlib.sha256(pairing.signer.public("identity")).hexdigest()
    right = hmac.compare_digest(answer.proof, _proof(invitation.code, own_sha256, introduction))
    if hashlib.sha256(identity).hexdigest() != invitation.identity_sha256 or not right:
        raise RefusedError("the node that answered is not the one invited by", code="pairing.key")
    _check_link(introduction, pairing.verify)
    reachable = msgspec.structs.replace(introduction, address=invitation.address)
    return _keep(
        pairing, reachable, dials=bool(invitation.address), tls_certificate=tls_certificate, by=by
    )


def _check_link(introduction: Introduction, verify: Verify) -> None:
    message = _link_message(introduction.party, introduction.link_key)
    identity = hex_bytes(introduction.identity_key)
    hex_bytes(introduction.link_key)
    if not verify(identity, message, hex_bytes(introduction.link_certificate)):
        raise RefusedError("the link key is not certified", code="pairing.link_key")


def is_printable(name: str) -> bool:
    """Whether a name is a line that a terminal prints as it stands, of 1 to 200 characters."""
    return 0 < len(name.strip()) <= NAME_CHARACTERS_MAX and name.isprintable()


def _keep(
    pairing: Pairing, introduction: Introduction, *, dials: bool, tls_certificate: str, by: str
) -> Partner:
    if introduction.party == pairing.party:
        raise ConflictError("a node cannot be its own partner", code="pairing.self")
    if not is_printable(introduction.name):
        # It stands beside fingerprints: a line break in it could forge a line of this node's.
        raise RefusedError("the partner's name cannot be printed", code="pairing.name")
    known = pairing.store.find_partner(introduction.party)
    # Who has lost its link key pairs anew, and both confirm anew.
    if known is not None and known.confirmed_here and known.link_key == introduction.link_key:
        raise _already_paired(known)
    partner = Partner(
        party=introduction.party,
        name=introduction.name,
        node=introduction.node,
        identity_key=introduction.identity_key,
        link_key=introduction.link_key,
        address=introduction.address,
        dials=dials,
        tls_certificate=tls_certificate,
    )
    now = pairing.clock.now()
    pairing.store.save_partner(partner, AuditNote(act="pair", by=by, time=now, detail=partner.name))
    return partner


def confirm(pairing: Pairing, partner: Partner, by: str) -> Partner:
    """Note that this side has compared fingerprints by telephone."""
    now = pairing.clock.now()
    confirmed = msgspec.structs.replace(partner, confirmed_here=now)
    note = AuditNote(act="confirm partner", by=by, time=now, detail=partner.name)
    pairing.store.save_partner(confirmed, note)
    return confirmed
