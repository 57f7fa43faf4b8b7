"""Signed notes, checkpoints and dated cosignatures, as C2SP writes them.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint,
https://c2sp.org/tlog-cosignature. A checkpoint is a note of three lines: origin, size, root; here
it never has extension lines. Its writer signs it with type 01, its partner with type 04, which adds
the time. Reading is strict, so that one checkpoint has one spelling; lines of unknown keys are
passed over, so that further types of signature can join. No key is held here: who signs hands in a
function.

Raises InputError (`note`, `checkpoint`, `origin`, `key`) for a malformed text, and IntegrityError
(`origin`, `signature`, `cosignature`) for one that is well formed and does not hold.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger.tree import HASH_BYTES, SIZE_MAX
from fedbatch.ledger.turns import KeyTurns

__all__ = [
    "COSIGNING",
    "LINES_MAX",
    "NOTE_BYTES_MAX",
    "SIGNING",
    "Checkpoint",
    "Note",
    "Sign",
    "SignatureLine",
    "VerifierKey",
    "check_origin",
    "checkpoint_message",
    "cosign_checkpoint",
    "cosignature_message",
    "decode_base64",
    "parse_checkpoint",
    "parse_decimal",
    "parse_note",
    "parse_vkey",
    "render_note",
    "render_vkey",
    "sign_checkpoint",
    "verify_checkpoint",
    "verify_cosignature",
]

SIGNING: Final = 0x01  # Ed25519 over the note's text
COSIGNING: Final = 0x04  # Ed25519 over time and checkpoint

_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_TIME_BYTES: Final = 8
_NAME_BYTES_MAX: Final = 255  # what the signed message of type 06 can hold of a name
LINES_MAX: Final = (
    63  # of a whole note: a checkpoint's four and far more than the 16 to be accepted
)
NOTE_BYTES_MAX: Final = 1 << 18  # 63 lines with post-quantum signatures
_DASH: Final = "— "
_NAME: Final = re.compile("[^+\\s\\x00-\\x1f\ud800-\udfff]+")
_CONTROL: Final = re.compile("[\\x00-\\x09\\x0b-\\x1f]")

Sign = Callable[[bytes], bytes]


def decode_base64(text: str, where: str, code: str) -> bytes:
    """Decode standard base64 in its one canonical spelling. Raises InputError with that code."""
    try:
        content = b64decode(text, validate=True)
    except ValueError:  # binascii.Error, and non-ASCII
        content = b""
    if not text or b64encode(content).decode() != text:
        raise InputError("canonical base64", where=where, found=text[:80], code=code)
    return content


def parse_decimal(text: str, where: str, code: str) -> int:
    """Read an ASCII decimal without sign or leading zero, at most SIZE_MAX."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text) or int(text) > SIZE_MAX:
        raise InputError(
            "a decimal without leading zero, below 2^63", where=where, found=text[:80], code=code
        )
    return int(text)


def _check_name(name: str, where: str, code: str) -> None:
    """Names of keys: not empty, no space or plus (signed-note), no control character."""
    is_short = len(name.encode("utf-8", "replace")) <= _NAME_BYTES_MAX
    if not is_short or not _NAME.fullmatch(name):
        raise InputError(
            f"a name of 1 to {_NAME_BYTES_MAX} bytes without space, plus or control character",
            where=where,
            found=name[:80],
            code=code,
        )


def check_origin(origin: str) -> None:
    """An origin is `<node name>/<ledger id>`. Raises InputError (`origin`)."""
    _check_name(origin, "origin", "origin")
    node, slash, ledger = origin.rpartition("/")
    if not (node and slash and ledger):
        raise InputError(
            "<node name>/<ledger id>", where="origin", found=origin[:80], code="origin"
        )


@dataclass(frozen=True)
class Checkpoint:
    """The signed head of a ledger: origin, number of entries, root of 32 bytes."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not 0 <= self.size <= SIZE_MAX or len(self.root) != HASH_BYTES:
            raise InputError(
                f"a size below 2^63 and a root of {HASH_BYTES} bytes",
                where="checkpoint",
                found=f"{self.size}, {len(self.root)} bytes",
                code="checkpoint",
            )

    def body(self) -> bytes:
        """Return the note's text, with its last newline."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read a note's text. Raises InputError (`checkpoint`, `origin`)."""
    match _decode_text(text, "checkpoint").split("\n"):
        case [origin, size, root, ""]:  # the last newline ends the text
            pass
        case lines:
            raise InputError(
                "three lines: origin, size, root",
                where="checkpoint",
                found=f"{len(lines) - 1} lines",
                code="checkpoint",
            )
    return Checkpoint(
        origin,
        parse_decimal(size, "checkpoint, line 2", "checkpoint"),
        decode_base64(root, "checkpoint, line 3", "checkpoint"),
    )


def _decode_text(content: bytes, code: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError("UTF-8", where=code, found=f"byte {error.start}", code=code) from error
    if _CONTROL.search(text):
        raise InputError("no control character but newline", where=code, found="one", code=code)
    return text


@dataclass(frozen=True)
class SignatureLine:
    """One signature of a note: whose, by which key (4 bytes), and the bytes of its type."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_name(self.name, "signature line", "note")
        if len(self.key_id) != _KEY_ID_BYTES or not self.signature:
            raise InputError(
                f"a key id of {_KEY_ID_BYTES} bytes and a signature",
                where="signature line",
                found=f"{len(self.key_id)} and {len(self.signature)} bytes",
                code="note",
            )

    def render(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.signature).decode()}\n"


def _parse_line(line: str) -> SignatureLine:
    name, space, signature = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise InputError(
            "'— <key name> <base64>'", where="signature line", found=line[:80], code="note"
        )
    content = decode_base64(signature, "signature line", "note")
    return SignatureLine(name, content[:_KEY_ID_BYTES], content[_KEY_ID_BYTES:])


@dataclass(frozen=True)
class Note:
    """A text, its last newline included, and the signatures below it."""

    text: bytes
    signatures: tuple[SignatureLine, ...]


def parse_note(content: bytes) -> Note:
    """Split a signed note at its last empty line. Raises InputError (`note`)."""
    if len(content) > NOTE_BYTES_MAX:
        raise InputError(
            f"at most {NOTE_BYTES_MAX} bytes", where="note", found=str(len(content)), code="note"
        )
    text, gap, block = _decode_text(content, "note").rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise InputError(
            "a text, an empty line and signature lines, each ended by a newline",
            where="note",
            found=f"{len(content)} bytes",
            code="note",
        )
    if content.count(b"\n") > LINES_MAX:
        raise InputError(
            f"at most {LINES_MAX} lines",
            where="note",
            found=str(content.count(b"\n")),
            code="note",
        )
    lines = block.removesuffix("\n").split("\n")
    return Note(f"{text}\n".encode(), tuple(_parse_line(line) for line in lines))


def render_note(text: bytes, signatures: Iterable[SignatureLine]) -> bytes:
    """Undo `parse_note`. Raises InputError (`note`) for what it would not read back."""
    content = text + b"\n" + "".join(line.render() for line in signatures).encode()
    parse_note(content)
    return content


@dataclass(frozen=True)
class VerifierKey:
    """A public key by name and type: 01 signs checkpoints, 04 cosigns them."""

    name: str
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        _check_name(self.name, "verifier key", "key")
        if self.kind not in {SIGNING, COSIGNING} or len(self.public_key) != _KEY_BYTES:
            raise InputError(
                f"type 01 or 04 and {_KEY_BYTES} bytes",
                where="verifier key",
                found=f"type {self.kind:02x}, {len(self.public_key)} bytes",
                code="key",
            )

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0A ‖ type ‖ key), its first four bytes."""
        named = self.name.encode() + b"\n" + bytes([self.kind])
        return sha256(named + self.public_key).digest()[:_KEY_ID_BYTES]

    def find_lines(self, note: Note) -> list[SignatureLine]:
        """Return the lines that claim to be by this key: its name and its id."""
        own = (self.name, self.key_id)
        return [line for line in note.signatures if (line.name, line.key_id) == own]


def parse_vkey(text: str) -> VerifierKey:
    """Read `<name>+<key id in hex>+<base64 of type and key>`. Raises InputError (`key`)."""
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    content = decode_base64(material, "verifier key", "key")
    key = VerifierKey(name, content[0], content[1:])
    if key.key_id.hex() != key_id:
        raise InputError(
            f"key id {key.key_id.hex()}", where="verifier key", found=key_id[:80], code="key"
        )
    return key


def render_vkey(key: VerifierKey) -> str:
    material = b64encode(bytes([key.kind]) + key.public_key).decode()
    return f"{key.name}+{key.key_id.hex()}+{material}"


def checkpoint_message(checkpoint: Checkpoint) -> bytes:
    """Return the bytes that the writer signs."""
    return checkpoint.body()


def cosignature_message(checkpoint: Checkpoint, time: int) -> bytes:
    """Return the bytes that the partner signs; `time` in seconds since 1970, UTC."""
    if not 0 <= time <= SIZE_MAX:
        raise InputError(
            "seconds since 1970, below 2^63", where="cosignature", found=str(time), code="note"
        )
    return f"cosignature/v1\ntime {time}\n".encode() + checkpoint.body()


def sign_checkpoint(checkpoint: Checkpoint, public_key: bytes, sign: Sign) -> SignatureLine:
    """Return the writer's line; the key is named by the origin."""
    key = VerifierKey(checkpoint.origin, SIGNING, public_key)
    return SignatureLine(key.name, key.key_id, sign(checkpoint_message(checkpoint)))


def cosign_checkpoint(
    checkpoint: Checkpoint, name: str, public_key: bytes, time: int, sign: Sign
) -> SignatureLine:
    """Return the partner's dated line; its key is named `<node name>/<agreement id>`."""
    key = VerifierKey(name, COSIGNING, public_key)
    signature = sign(cosignature_message(checkpoint, time))
    return SignatureLine(key.name, key.key_id, time.to_bytes(_TIME_BYTES, "big") + signature)


def _holds(public_key: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _turns(public_key: bytes | KeyTurns) -> KeyTurns:
    return KeyTurns(public_key) if isinstance(public_key, bytes) else public_key


def verify_checkpoint(content: bytes, origin: str, public_key: bytes | KeyTurns) -> Checkpoint:
    """Return the checkpoint that a note carries, once signed by the writer's key of its size.

    Raises InputError for a malformed note; IntegrityError `origin` for another ledger's, and
    `signature` where the key's line is missing or does not hold.
    """
    note = parse_note(content)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise IntegrityError(
            f"Expected a checkpoint of '{origin}', found '{checkpoint.origin}'.", code="origin"
        )
    key = _turns(public_key).at(checkpoint.size)
    lines = VerifierKey(origin, SIGNING, key).find_lines(note)
    if not lines:
        raise IntegrityError(f"No signature by the pinned key of '{origin}'.", code="signature")
    if not all(_holds(key, line.signature, note.text) for line in lines):
        raise IntegrityError(f"The signature of '{origin}' does not hold.", code="signature")
    return checkpoint


def verify_cosignature(content: bytes, name: str, public_key: bytes | KeyTurns) -> int:
    """Return when the partner cosigned, in seconds since 1970; the earliest of several lines.

    Where keys took turns, the one of the checkpoint's size counts; the one before it only where it
    was still accepted at the time it states.

    Raises InputError for a malformed note, IntegrityError (`cosignature`) where the key's line is
    missing or does not hold.
    """
    note = parse_note(content)
    checkpoint = parse_checkpoint(note.text)
    turns = _turns(public_key)
    old, old_until = turns.before(checkpoint.size)
    for key, until in ((turns.at(checkpoint.size), SIZE_MAX), (old, old_until)):
        lines = VerifierKey(name, COSIGNING, key).find_lines(note) if until else []
        times = [_verify_dated(line, checkpoint, key) for line in lines]
        if times and min(times) <= until:
            return min(times)
    raise IntegrityError(f"No cosignature by the pinned key of '{name}'.", code="cosignature")


def _verify_dated(line: SignatureLine, checkpoint: Checkpoint, public_key: bytes) -> int:
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time > SIZE_MAX or not _holds(
        public_key, line.signature[_TIME_BYTES:], cosignature_message(checkpoint, time)
    ):
        raise IntegrityError(f"The cosignature of '{line.name}' does not hold.", code="cosignature")
    return time
