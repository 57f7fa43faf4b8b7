"""Keys of this home that give way to others: rotated in time, or revoked when lost or stolen."""

from typing import Literal

import msgspec

from fedbatch.errors import InputError
from fedbatch.node.home import Home
from fedbatch.ports import Person
from fedbatch.services.key_turns import Change, change_key, change_link
from fedbatch.services.pairing import fingerprint
from fedbatch.standard.key_records import PURPOSES, KeyPurpose, KeyRecord

__all__ = ["KeyChanged", "change_key_of"]


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
