"""Key files and signing: one file a key, mode 0600, one purpose a key; and ids by HMAC."""

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


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is the key's over the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


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
            write_durably(path, key.private_bytes_raw(), mode=_PRIVATE, only_first=True)
        return self.public(name)

    def _private(self, name: str) -> Ed25519PrivateKey:
        key = self._loaded.get(name)
        if key is None:
            try:
                content = self._path(name).read_bytes()
                key = Ed25519PrivateKey.from_private_bytes(content)
            except (OSError, ValueError) as error:
                raise InputError("a key file", where=name, found=str(error), code="key") from error
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
            write_durably(path, secrets.token_bytes(32), mode=_PRIVATE, only_first=True)
        return path.read_bytes()


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
