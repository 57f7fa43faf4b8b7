"""A key backup: bytes sealed under two passphrases, both of which are needed to open them.

Version 1 is one JSON object in UTF-8: `kind` ("fedbatch-keys/1"), `cost` (scrypt's n; r is 8, p is 1),
`salt`, `nonce` and `sealed` in base64. Each passphrase, in Unicode NFC, goes through scrypt
(https://www.rfc-editor.org/rfc/rfc7914) with the same salt to 32 bytes; the two are put one after
the other in ascending order, so that the officers need no order, and HKDF-SHA256 (RFC 5869, info
"fedbatch-keys/1") makes one AES-256-GCM key of them. What stands before `sealed` is authenticated
with it: the object in canonical JSON with `sealed` empty.
"""

import os
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fedbatch.errors import InputError
from fedbatch.standard import canonical

__all__ = ["COST", "PASSPHRASE_CHARACTERS_MIN", "open_sealed", "seal"]

PASSPHRASE_CHARACTERS_MIN = 12
# 128 MiB and about a third of a second a guess (RFC 7914 gives n 2^20 for files, 2^14 for log-on).
COST = 2**17
# A file that states more would only fill memory; one that states less was not made here.
_COSTS = frozenset(2**power for power in range(14, 21))
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES = 32, 16, 12
_OFFICERS = 2


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["fedbatch-keys/1"]
    cost: int
    salt: str
    nonce: str
    sealed: str


def _plain(passphrase: str) -> bytes:
    return unicodedata.normalize("NFC", passphrase).encode()


def _key(passphrases: Sequence[str], salt: bytes, cost: int) -> bytes:
    halves = sorted(
        Scrypt(salt=salt, length=_KEY_BYTES, n=cost, r=8, p=1).derive(_plain(item))
        for item in passphrases
    )
    one = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"fedbatch-keys/1")
    return one.derive(b"".join(halves))


def _check_passphrases(passphrases: Sequence[str]) -> None:
    """Refuse passphrases that do not need two officers.

    Raises:
        InputError: not two, equal, or too short.
    """
    if len(passphrases) != _OFFICERS:
        found = f"{len(passphrases)}"
        raise InputError("two officers' passphrases", found=found, code="keys.passphrase")
    if len({_plain(item) for item in passphrases}) != _OFFICERS:
        raise InputError("two different passphrases", found="one twice", code="keys.passphrase")
    if min(map(len, passphrases)) < PASSPHRASE_CHARACTERS_MIN:
        raise InputError(
            f"passphrases of at least {PASSPHRASE_CHARACTERS_MIN} characters",
            found="a shorter one",
            code="keys.passphrase",
        )


def seal(content: bytes, passphrases: Sequence[str], *, cost: int = COST) -> bytes:
    """Seal bytes under two officers' passphrases; `cost` is scrypt's n.

    Raises:
        InputError: passphrases that do not need two officers.
    """
    _check_passphrases(passphrases)
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    head = _Sealed(
        kind="fedbatch-keys/1",
        cost=cost,
        salt=b64encode(salt).decode(),
        nonce=b64encode(nonce).decode(),
        sealed="",
    )
    sealed = AESGCM(_key(passphrases, salt, cost)).encrypt(nonce, content, canonical.encode(head))
    whole = msgspec.structs.replace(head, sealed=b64encode(sealed).decode())
    return canonical.encode(whole) + b"\n"


def open_sealed(content: bytes, passphrases: Sequence[str]) -> bytes:
    """Undo `seal`.

    Raises:
        InputError: another file, one cut or changed, or other passphrases; which of them is not told,
            since nobody can know.
    """
    try:
        whole = msgspec.json.decode(content, type=_Sealed)
        if whole.cost not in _COSTS or canonical.encode(whole) + b"\n" != content:
            raise _not_opened()
        salt, nonce, sealed = (
            b64decode(text, validate=True) for text in (whole.salt, whole.nonce, whole.sealed)
        )
        head = canonical.encode(msgspec.structs.replace(whole, sealed=""))
        return AESGCM(_key(passphrases, salt, whole.cost)).decrypt(nonce, sealed, head)
    except (ValueError, InvalidTag) as error:
        raise _not_opened() from error


def _not_opened() -> InputError:
    return InputError(
        "a key backup as it was written, and the two passphrases that sealed it",
        found="a file that they do not open",
        code="keys.backup",
    )
