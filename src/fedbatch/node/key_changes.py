"""Keys of this home that give way to others: rotated in time, or revoked when lost or stolen."""

from typing import Literal

import msgspec

from fedbatch.errors import InputError
from fedbatch.node.home import Home
from fedbatch.ports import AuditNote, Person
from fedbatch.services.key_turns import Change, change_key, change_link
from fedbatch.services.pairing import fingerprint
from fedbatch.services.succession import SuccessionOffer, answer_succession, offer_succession
from fedbatch.standard.key_records import PURPOSES, KeyPurpose, KeyRecord

__all__ = ["KeyChanged", "Succeeded", "change_key_of", "confirm_succession", "succeed"]


class KeyChanged(msgspec.Struct, kw_only=True):
    """A key that gave way to another: fingerprints, and the size up to which the old one holds."""

    purpose: str
    about: str
    partner: str
    old: str
    new: str
    size: int
    until: str


def _purpose(text: str) -> KeyPurpose:
    for purpose in PURPOSES:
        if purpose == text:
            return purpose
    raise InputError("ledger, cosign or link", where="PURPOSE", found=text, code="keys.purpose")


def change_key_of(
    home: Home,
    kind: Literal["rotation", "revocation"],
    purpose: str,
    by: Person,
    reason: str,
    *,
    agreement: str | None = None,
    partner: str | None = None,
) -> KeyChanged:
    """Let a new key take the place of one; the partner hears of it with the next contact.

    Args:
        home: this home.
        kind: whether the old key still helps, or counts no more.
        purpose: ledger, cosign or link.
        by: a key officer.
        reason: why.
        agreement: of a ledger or cosigning key; the only one where none is named.
        partner: of a link key; the only one where none is named.

    Raises:
        InputError: no such purpose, agreement or partner; a rotated key that is not here.
    """
    chosen = _purpose(purpose)
    if chosen == "link":
        return _change_link(home, kind, by, reason, partner)
    known = home.agreement_named(agreement)
    change = Change(
        kind=kind,
        purpose=chosen,
        party=home.settings.party,
        partner=known.partner,
        signer=home.keys,
        clock=home.clock,
        by=by.person,
        reason=reason,
    )
    record = change_key(home.ledgers(known.agreement), known.agreement, change)
    return _changed(record, known.name, home)


def _change_link(
    home: Home,
    kind: Literal["rotation", "revocation"],
    by: Person,
    reason: str,
    named: str | None,
) -> KeyChanged:
    partners = home.node.partners()
    if named is None and len(partners) == 1:
        named = partners[0].party
    partner = home.partner_named(named or f"{len(partners)}, and none named")
    change = Change(
        kind=kind,
        purpose="link",
        party=home.settings.party,
        partner=partner.party,
        signer=home.keys,
        clock=home.clock,
        by=by.person,
        reason=reason,
    )
    changed, note = change_link(partner, change)
    home.node.save_partner(changed, note)
    return _changed(changed.own_links[-1], "", home)


def _changed(record: KeyRecord, about: str, home: Home) -> KeyChanged:
    partner = home.node.find_partner(record.partner)
    return KeyChanged(
        purpose=record.purpose,
        about=about,
        partner=partner.name if partner is not None else record.partner,
        old=fingerprint(bytes.fromhex(record.old)) if record.old else "",
        new=fingerprint(bytes.fromhex(record.new)),
        size=record.size,
        until=record.until,
    )


class Succeeded(msgspec.Struct, kw_only=True):
    """A ledger that another is to carry on, or does."""

    agreement: str
    old: str
    size: int
    root: str
    new: str
    state: str


def succeed(home: Home, by: Person, reason: str, *, agreement: str | None = None) -> Succeeded:
    """Offer the partner a new own ledger that carries the old one on; nothing is posted meanwhile.

    The secret that names things under the agreement is made anew where it is lost.

    Raises:
        ConflictError: the partner has not all of the old one.
    """
    known = home.agreement_named(agreement)
    home.keys.secret(f"agreement/{known.agreement}")
    offer = offer_succession(
        home.ledgers(known.agreement),
        known.agreement,
        home.settings.node,
        home.keys,
        home.ids,
        home.clock,
        by.person,
        reason,
    )
    now = home.clock.now()
    detail = f"{offer.succeeds.ledger} by {offer.keys.ledger}"
    home.node.note(
        AuditNote(act="offer succession", by=by.person, time=now, detail=detail, reason=reason)
    )
    return _succeeded(offer, "offered")


def confirm_succession(home: Home, by: Person, *, agreement: str | None = None) -> Succeeded:
    """Confirm the new ledger that the partner offers; its entries are taken in from here on.

    Raises:
        InputError: none is offered.
        ConflictError: the old one is held here otherwise than the offer says.
    """
    known = home.agreement_named(agreement)
    store = home.ledgers(known.agreement)
    offer = answer_succession(store, known.agreement, home.keys, home.clock, by.person, by.name)
    return _succeeded(offer, "confirmed")


def _succeeded(offer: SuccessionOffer, state: str) -> Succeeded:
    return Succeeded(
        agreement=offer.agreement,
        old=offer.succeeds.ledger,
        size=offer.succeeds.size,
        root=offer.succeeds.root,
        new=offer.keys.ledger,
        state=state,
    )
