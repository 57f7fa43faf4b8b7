"""Entries on the way to the partner: frames (INTEROP §1.1) and the bundles inside them.

A bundle is a run of up to 256 entries, each behind its length (2 bytes, big-endian). An erased
entry has length 0 and its 32-byte leaf hash follows. A frame puts before a compressed bundle where
it starts and how many entries it holds, and after it the checkpoint that ends there; compression is
the caller's, so `packed` is opaque here.

All integers are unsigned and big-endian. Raises InputError (`entry`, `bundle`, `frame`).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fedbatch.errors import InputError
from fedbatch.ledger.note import NOTE_BYTES_MAX
from fedbatch.ledger.tree import HASH_BYTES, SIZE_MAX, leaf_hash

__all__ = [
    "BUNDLE_BYTES_MAX",
    "BUNDLE_ENTRIES_MAX",
    "ENTRY_BYTES_MAX",
    "PACKED_BYTES_MAX",
    "Erased",
    "Frame",
    "decode_bundle",
    "decode_frames",
    "encode_bundle",
    "encode_frame",
    "hash_entry",
]

ENTRY_BYTES_MAX: Final = 65_535
BUNDLE_ENTRIES_MAX: Final = 256
BUNDLE_BYTES_MAX: Final = BUNDLE_ENTRIES_MAX * (2 + ENTRY_BYTES_MAX)  # 16,777,472
PACKED_BYTES_MAX: Final = BUNDLE_BYTES_MAX + (1 << 17)  # what cannot be compressed grows a little
_HEAD: Final = struct.Struct(">QHII")  # first index, count, bytes of the bundle, bytes of the note


@dataclass(frozen=True)
class Erased:
    """An entry whose bytes were erased; its leaf hash stays."""

    leaf_hash: bytes

    def __post_init__(self) -> None:
        if len(self.leaf_hash) != HASH_BYTES:
            raise InputError(
                f"a hash of {HASH_BYTES} bytes",
                where="erased entry",
                found=f"{len(self.leaf_hash)} bytes",
                code="entry",
            )


def hash_entry(entry: bytes | Erased) -> bytes:
    """Return the leaf hash of an entry of 1 to 65,535 bytes, or the one kept of an erased one."""
    if isinstance(entry, Erased):
        return entry.leaf_hash
    if not 0 < len(entry) <= ENTRY_BYTES_MAX:
        raise InputError(
            f"1 to {ENTRY_BYTES_MAX} bytes",
            where="entry",
            found=f"{len(entry)} bytes",
            code="entry",
        )
    return leaf_hash(entry)


def encode_bundle(entries: Sequence[bytes | Erased]) -> bytes:
    """Return up to 256 entries as one run of bytes."""
    if len(entries) > BUNDLE_ENTRIES_MAX:
        raise _not_a_bundle(f"at most {BUNDLE_ENTRIES_MAX} entries", str(len(entries)))
    parts = []
    for entry in entries:
        if isinstance(entry, Erased):
            parts += [b"\0\0", entry.leaf_hash]
        elif 0 < len(entry) <= ENTRY_BYTES_MAX:
            parts += [len(entry).to_bytes(2, "big"), entry]
        else:
            raise _not_a_bundle(f"entries of 1 to {ENTRY_BYTES_MAX} bytes", str(len(entry)))
    return b"".join(parts)


def decode_bundle(content: bytes, count: int) -> list[bytes | Erased]:
    """Undo `encode_bundle`; exactly `count` entries and not a byte more."""
    if not 0 <= count <= BUNDLE_ENTRIES_MAX:
        raise _not_a_bundle(f"at most {BUNDLE_ENTRIES_MAX} entries", str(count))
    entries: list[bytes | Erased] = []
    at = 0
    for _ in range(count):
        start = at + 2
        length = int.from_bytes(content[at:start], "big")
        at = start + (length or HASH_BYTES)
        if at > len(content):
            break
        entries.append(content[start:at] if length else Erased(content[start:at]))
    if len(entries) != count or at != len(content):
        raise _not_a_bundle(f"{count} entries", f"{len(entries)} in {len(content)} bytes")
    return entries


def _not_a_bundle(expected: str, found: str) -> InputError:
    return InputError(expected, where="bundle", found=found, code="bundle")


@dataclass(frozen=True)
class Frame:
    """Where the entries start, how many they are, the compressed bundle, the checkpoint's note."""

    first: int
    count: int
    packed: bytes
    note: bytes


def encode_frame(frame: Frame) -> bytes:
    _check_head(frame.first, frame.count, len(frame.packed), len(frame.note))
    head = _HEAD.pack(frame.first, frame.count, len(frame.packed), len(frame.note))
    return head + frame.packed + frame.note


def decode_frames(content: bytes) -> Iterator[Frame]:
    """Yield the frames of an answer; raises InputError (`frame`) where one is cut or too large."""
    at = 0
    while at < len(content):
        body = at + _HEAD.size
        if body > len(content):
            raise _not_a_frame(f"{_HEAD.size} bytes", f"{len(content) - at}")
        first, count, packed, note = _HEAD.unpack_from(content, at)
        _check_head(first, count, packed, note)
        middle, at = body + packed, body + packed + note
        if at > len(content):
            raise _not_a_frame(f"{packed + note} bytes", f"{len(content) - body}")
        yield Frame(first, count, content[body:middle], content[middle:at])


def _check_head(first: int, count: int, packed: int, note: int) -> None:
    if not (0 <= first <= SIZE_MAX - count and 0 < count <= BUNDLE_ENTRIES_MAX):
        raise _not_a_frame(f"1 to {BUNDLE_ENTRIES_MAX} entries", f"{count} from {first}")
    if packed > PACKED_BYTES_MAX or note > NOTE_BYTES_MAX:
        raise _not_a_frame(
            f"at most {PACKED_BYTES_MAX} and {NOTE_BYTES_MAX} bytes", f"{packed} and {note}"
        )


def _not_a_frame(expected: str, found: str) -> InputError:
    return InputError(expected, where="frame", found=found, code="frame")
