"""Key records: a party's statement that one of its keys gives way to another (TRUST §1.5).

A rotation is endorsed by the old key and by the identity key; a revocation by the identity key alone,
since the old key is lost or stolen. The new key signs too: nobody names a key that it does not hold.
"""

from typing import Literal

import msgspec

from fedbatch.standard import canonical

__all__ = ["PURPOSES", "KeyPurpose", "KeyRecord", "key_record_message"]

KeyPurpose = Literal["ledger", "cosign", "link"]
PURPOSES: tuple[KeyPurpose, ...] = ("ledger", "cosign", "link")


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one key; keys and signatures in hex.

    `number` counts the changes of a purpose under one agreement (of a link, between two parties) from
    1. `size` is the size of `ledger` up to which the old key's signatures hold: its own ledger for a
    ledger key, the partner's for a cosigning key. Until `until` both keys are accepted; a
    revocation's is its own time.
    """

    kind: Literal["rotation", "revocation"]
    purpose: KeyPurpose
    party: str
    partner: str
    number: int
    old: str
    new: str
    at: str
    until: str
    agreement: str = ""
    ledger: str = ""
    size: int = 0
    by_identity: str = ""
    by_old: str = ""
    by_new: str = ""


def key_record_message(record: KeyRecord) -> bytes:
    """What identity key, old key and new key sign."""
    bare = msgspec.structs.replace(record, by_identity="", by_old="", by_new="")
    return canonical.encode(["fedbatch-key-record/1", bare])
