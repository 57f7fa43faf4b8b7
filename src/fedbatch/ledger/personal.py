"""Persons' signatures inside a ledger: each is bound to leaf hashes, and those are compared.

A `signature` record names what it is about as entry id, version and leaf hash (STANDARD §3). Where
the entry lies in the same ledger, the leaf hash must be its own: else the signature was carried
over from something else. An entry outside this ledger, or erased, cannot be compared here.
"""

import json
import re
from collections.abc import Iterable, Sequence

from fedbatch.errors import IntegrityError
from fedbatch.ledger.frames import Erased

__all__ = ["check_personal", "signed_leaves"]

_MARK = b'"fedbatch.signature"'
_ESCAPE = b"\\u"  # an entry that hides the mark behind escapes is read too
_LEAF = re.compile("[0-9a-f]{64}")


def signed_leaves(entry: bytes) -> list[tuple[str, str]]:
    """Return (entry id, leaf hash in hex) of all that a signature record is about.

    Empty for any other entry, and for the withdrawal of a signature. Raises IntegrityError
    (`personal`) where the record does not say it in the standard's form.
    """
    if _MARK not in entry and _ESCAPE not in entry:
        return []
    envelope = _read_object(entry)
    if envelope.get("type") != "fedbatch.signature":
        return []
    record = envelope.get("data")
    if isinstance(record, dict) and "about" not in record and _is_withdrawal(record):
        return []
    about = record.get("about") if isinstance(record, dict) else None
    if not isinstance(about, list) or not about:
        raise IntegrityError("A signature is about nothing.", code="personal")
    return [_read_about(item) for item in about]


def _read_object(entry: bytes) -> dict[str, object]:
    try:
        value = json.loads(entry)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_withdrawal(record: dict[str, object]) -> bool:
    correction = record.get("correction")
    return isinstance(correction, dict) and correction.get("kind") == "withdraw"


def _read_about(item: object) -> tuple[str, str]:
    if isinstance(item, dict):
        entry, version, leaf = item.get("entry"), item.get("version"), item.get("leaf")
        if (
            isinstance(entry, str)
            and isinstance(version, int)
            and isinstance(leaf, str)
            and _LEAF.fullmatch(leaf)
        ):
            return entry, leaf
    raise IntegrityError("A signature names no entry, version and leaf hash.", code="personal")


def check_personal(entries: Iterable[bytes | Erased], leaf_hashes: Sequence[bytes]) -> int:
    """Return how many signature records of this ledger hold; compare each with what it is about.

    An id that stands twice means its first entry. Raises IntegrityError (`personal`).
    """
    held = [(at, entry) for at, entry in enumerate(entries) if isinstance(entry, bytes)]
    signed = [(at, leaves) for at, entry in held if (leaves := signed_leaves(entry))]
    own: dict[str, str] = {}
    for at, entry in held if signed else []:
        entry_id = _read_object(entry).get("id")
        if isinstance(entry_id, str):
            own.setdefault(entry_id, leaf_hashes[at].hex())
    for at, leaves in signed:
        for entry_id, leaf in leaves:
            if own.get(entry_id, leaf) != leaf:
                raise IntegrityError(
                    f"The signature in entry {at} is about another content of {entry_id!a}.",
                    code="personal",
                )
    return len(signed)
