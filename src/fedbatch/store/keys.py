"""Key files and signing: one file a key, mode 0600, one purpose a key; and ids by HMAC."""

import hashlib
import hmac
import os
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fedbatch.errors import InputError
from fedbatch.store.objects import write_durably

__all__ = ["HomeIds", "KeyFile", "KeyRing", "is_signed"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A file of the key folder: its name there, its bytes, when it was made (nanoseconds)."""

    name: str
    content: bytes
    made_ns: int

    @property
    def is_whole(self) -> bool:
        """Whether a key or secret is as it was written; other files have no check here."""
        if not self.name.endswith((".key", ".secret")) or self.name == "tls.key":
            return True
        return _with_check(self.content[:_KEY_BYTES]) == self.content

    @property
    def public(self) -> bytes | None:
        """The public key of a key; None of a secret or another file."""
        if not self.name.endswith(".key") or self.name == "tls.key" or not self.is_whole:
            return None
        private = Ed25519PrivateKey.from_private_bytes(self.content[:_KEY_BYTES])
        return private.public_key().public_bytes_raw()


def _nothing_said(name: str) -> Sequence[bytes]:
    del name
    return ()


class KeyRing:
    """The private keys of a node by name: `identity`, `link/<partner>`, `agreement/<id>/ledger`.

    A key that took another's place lies beside it, as `link/<partner>-2`. Which one of them signs is
    said by key records, not by file names: `signing` gives the public keys that sign under a name
    now, the current one first, or nothing where the name has one key alone.
    """

    def __init__(
        self,
        folder: Path,
        signing: Callable[[str], Sequence[bytes]] = _nothing_said,
        *,
        is_lost: bool = False,
    ) -> None:
        """Open a key folder; with `is_lost` nothing is made anew in it, as a backup must come back."""
        self._folder = folder
        self._signing = signing
        self._is_lost = is_lost
        self._loaded: dict[str, Ed25519PrivateKey] = {}
        self._publics: dict[str, bytes] = {}
        self._by_public: dict[bytes, Ed25519PrivateKey] = {}

    def _path(self, name: str) -> Path:
        return self._folder / f"{_checked(name)}.key"

    def create(self, name: str) -> bytes:
        """Make the key if there is none, and return its public key."""
        path = self._path(name)
        if not path.exists():
            self._check_not_lost(name)
            key = Ed25519PrivateKey.generate()
            content = _with_check(key.private_bytes_raw())
            write_durably(path, content, mode=_PRIVATE, only_first=True)
        return self._private(name).public_key().public_bytes_raw()

    def _check_not_lost(self, name: str) -> None:
        if self._is_lost:
            raise InputError(
                "the keys of this home",
                where=name,
                found="none",
                advice="`fedbatch keys restore FILE` brings them back.",
                code="key.lost",
            )

    def create_next(self, name: str) -> bytes:
        """Make a further key of a name, and return its public key."""
        number = 1
        while self._path(f"{name}-{number}" if number > 1 else name).exists():
            number += 1
        return self.create(f"{name}-{number}" if number > 1 else name)

    def _private(self, name: str) -> Ed25519PrivateKey:
        key = self._loaded.get(name)
        if key is None:
            key = Ed25519PrivateKey.from_private_bytes(_read_checked(self._path(name), name))
            self._loaded[name] = key
        return key

    def signing(self, name: str) -> Sequence[bytes]:
        """The public keys that sign under a name now, the current one first.

        Raises:
            InputError: there is no such key.
        """
        return self._signing(name) or (self._only(name),)

    def _only(self, name: str) -> bytes:
        """The public key of the one key of a name."""
        public = self._publics.get(name)
        if public is None:
            public = self._private(name).public_key().public_bytes_raw()
            self._publics[name] = public
        return public

    def public(self, name: str) -> bytes:
        """The public key of a name, 32 bytes."""
        return self.signing(name)[0]

    def sign(self, name: str, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        return self.sign_with(self.public(name), message)

    def has(self, public: bytes) -> bool:
        """Whether the private half of a public key is here."""
        return self._find(public) is not None

    def sign_with(self, public: bytes, message: bytes) -> bytes:
        """The signature of a message by the key of this public half.

        Raises:
            InputError: its private half is not here.
        """
        key = self._find(public)
        if key is None:
            name = public.hex()[:16]
            raise InputError("the key of a public key", where=name, found="none", code="key.lost")
        return key.sign(message)

    def _find(self, public: bytes) -> Ed25519PrivateKey | None:
        if public not in self._by_public:
            for item in self.files():
                known = item.public
                if known is not None:
                    private = Ed25519PrivateKey.from_private_bytes(item.content[:_KEY_BYTES])
                    self._by_public[known] = private
        return self._by_public.get(public)

    def secret(self, name: str) -> bytes:
        """32 secret bytes of a name, made at first use."""
        path = self._folder / f"{_checked(name)}.secret"
        if not path.exists():
            self._check_not_lost(name)
            content = _with_check(secrets.token_bytes(_KEY_BYTES))
            write_durably(path, content, mode=_PRIVATE, only_first=True)
        return _read_checked(path, name)

    def has_secret(self, name: str) -> bool:
        """Whether a secret of this name is here."""
        return (self._folder / f"{_checked(name)}.secret").exists()

    def files(self) -> list[KeyFile]:
        """Every file of the folder that a backup must hold, by name."""
        found = []
        for path in sorted(self._folder.rglob("*")):
            if path.suffix in {".key", ".secret", ".crt"} and not path.name.startswith("."):
                name = str(path.relative_to(self._folder))
                made_ns = path.stat().st_mtime_ns
                found.append(KeyFile(name=name, content=path.read_bytes(), made_ns=made_ns))
        return found

    def put_back(self, item: KeyFile) -> None:
        """Write a file of a backup, with the time of its making; one that stands there is replaced.

        Raises:
            InputError: a name that leaves the folder, or no whole key.
        """
        stem, dot, suffix = item.name.rpartition(".")
        if not dot or suffix not in {"key", "secret", "crt"} or not item.is_whole:
            raise InputError("a key file as it was written", where=item.name, found="another")
        path = self._folder / f"{_checked(stem)}.{suffix}"
        mode = 0o644 if suffix == "crt" else _PRIVATE
        write_durably(path, item.content, mode=mode)
        os.utime(path, ns=(item.made_ns, item.made_ns))
        self._loaded.clear()
        self._publics.clear()
        self._by_public.clear()

    def set_aside(self, name: str, label: str) -> None:
        """Rename a file, so that it is used no longer and still is not lost."""
        path = self._folder / name
        path.rename(path.with_name(f"{path.name}.{label}"))

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

    def __init__(self, keys: KeyRing, may_begin: Callable[[str], bool] = bool) -> None:
        """Ids by the secrets of a key ring; `may_begin` says whether one may be made that is not there."""
        self._keys = keys
        self._may_begin = may_begin
        self._secrets: dict[str, bytes] = {}

    def _digest(self, secret: str, text: str) -> bytes:
        key = self._secrets.get(secret)
        if key is None:
            if not self._keys.has_secret(secret) and not self._may_begin(secret):
                raise InputError(
                    "the secret of what was shared",
                    where=secret,
                    found="none",
                    advice="`fedbatch keys restore` brings it back; else `fedbatch keys succeed`.",
                    code="key.lost",
                )
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
