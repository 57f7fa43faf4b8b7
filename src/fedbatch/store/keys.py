"""Key files and signing: one file a key, mode 0600, one purpose a key; and ids by HMAC."""

import hashlib
import hmac
import os
import secrets
import uuid
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fedbatch.errors import InputError
from fedbatch.store.objects import write_durably

__all__ = ["HomeIds", "KeyRing", "is_signed"]

_PRIVATE = 0o600
_KEY_BYTES, _CHECK_BYTES = 32, 8


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is the key's over the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _with_check(content: bytes) -> bytes:
    """A key or secret with its check: a flipped bit would sign, or name things, wrongly."""
    return content + hashlib.sha256(content).digest()[:_CHECK_BYTES]


def _read_checked(path: Path, name: str) -> bytes:
    """The 32 bytes of a key file.

    Raises:
        InputError: unreadable, or not as written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("a key file", where=name, found=str(error), code="key") from error
    kept = content[:_KEY_BYTES]
    if _with_check(kept) != content:
        raise InputError("a key file as it was written", where=name, found="another", code="key")
    return kept


def _checked(name: str) -> str:
    parts = name.split("/")
    if not all(part and part.replace("-", "").replace("_", "").isalnum() for part in parts):
        raise InputError("a key's name", found=name, code="key.name")
    return name


class KeyRing:
    """The private keys of a node by name: `identity`, `link/<partner>`, `ledger/<agreement>`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, Ed25519PrivateKey] = {}

    def _path(self, name: str) -> Path:
        return self._folder / f"{_checked(name)}.key"

    def create(self, name: str) -> bytes:
        """Make the key if there is none, and return its public key."""
        path = self._path(name)
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            content = _with_check(key.private_bytes_raw())
            write_durably(path, content, mode=_PRIVATE, only_first=True)
        return self.public(name)

    def _private(self, name: str) -> Ed25519PrivateKey:
        key = self._loaded.get(name)
        if key is None:
            key = Ed25519PrivateKey.from_private_bytes(_read_checked(self._path(name), name))
            self._loaded[name] = key
        return key

    def public(self, name: str) -> bytes:
        """The public key of a name, 32 bytes."""
        return self._private(name).public_key().public_bytes_raw()

    def sign(self, name: str, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        return self._private(name).sign(message)

    def secret(self, name: str) -> bytes:
        """32 secret bytes of a name, made at first use."""
        path = self._folder / f"{_checked(name)}.secret"
        if not path.exists():
            content = _with_check(secrets.token_bytes(_KEY_BYTES))
            write_durably(path, content, mode=_PRIVATE, only_first=True)
        return _read_checked(path, name)

    def verify(self) -> list[str]:
        """What is wrong with the key files, one by one."""
        wrong = []
        for path in sorted(self._folder.rglob("*")):
            if path.suffix in {".key", ".secret"} and path.name != "tls.key":
                try:
                    _read_checked(path, str(path.relative_to(self._folder)))
                except InputError as error:
                    wrong.append(str(error))
        return wrong


class HomeIds:
    """Ids of a home: pseudonyms by HMAC under the party's and each agreement's secret, and chance."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._secrets: dict[str, bytes] = {}

    def _digest(self, secret: str, text: str) -> bytes:
        key = self._secrets.get(secret)
        if key is None:
            key = self._secrets[secret] = self._keys.secret(secret)
        return hmac.digest(key, text.encode(), "sha256")

    def own(self, kind: str, text: str) -> str:
        """The party's own id of a thing."""
        return f"{kind[0]}-{self._digest('party', f'{kind}:{text}').hex()[:24]}"

    def shared(self, agreement: str, kind: str, text: str) -> str:
        """The id of the thing under one agreement."""
        digest = self._digest(f"agreement/{agreement}", f"id:{kind}:{text}")
        return f"{kind[0]}-{digest.hex()[:24]}"

    def entry(self, agreement: str, text: str) -> str:
        """The UUID of an entry under one agreement."""
        digest = self._digest(f"agreement/{agreement}", f"entry:{text}").hex()
        return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"

    def provenance_salt(self, agreement: str, text: str) -> bytes:
        """The 16 bytes that hide a locator."""
        return self._digest(f"agreement/{agreement}", f"provenance:{text}")[:16]

    def salt(self) -> str:
        """128 random bits in hex."""
        return os.urandom(16).hex()

    def fresh(self, kind: str) -> str:
        """A new random id."""
        return f"{kind}-{uuid.UUID(bytes=os.urandom(16)).hex[:20]}"
