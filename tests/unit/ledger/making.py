"""Ledgers made for tests: keys from names, entries, notes, policies."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fedbatch.ledger.frames import Erased, hash_entry
from fedbatch.ledger.note import (
    COSIGNING,
    SIGNING,
    Checkpoint,
    VerifierKey,
    cosign_checkpoint,
    render_note,
    render_vkey,
    sign_checkpoint,
)
from fedbatch.ledger.proof import Proof, render_proof
from fedbatch.ledger.tree import inclusion_proof, root_of

ORIGIN = "cmo.example/5f0c2b7e9a1d4c3f8e6b0a7d2c9f1e34"
PARTNER = "sponsor.example/ag-7f3"
TIME = 1_795_000_000


@dataclass(frozen=True)
class Signing:
    public: bytes
    sign: Callable[[bytes], bytes]


def make_key(name: str) -> Signing:
    key = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())
    return Signing(key.public_key().public_bytes_raw(), key.sign)


WRITER, COSIGNER, STRANGER = make_key("writer"), make_key("cosigner"), make_key("stranger")


def make_entry(at: int, salt: str = "", **data: object) -> bytes:
    envelope = {"data": data, "id": f"entry-{at}", "salt": salt, "type": "fedbatch.batch"}
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()


def make_signature(at: int, about: Sequence[tuple[str, bytes]]) -> bytes:
    listed = [{"entry": name, "leaf": leaf.hex(), "version": 1} for name, leaf in about]
    envelope = {"data": {"about": listed}, "id": f"entry-{at}", "type": "fedbatch.signature"}
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()


def hash_all(entries: Sequence[bytes | Erased]) -> list[bytes]:
    return [hash_entry(entry) for entry in entries]


def make_checkpoint(entries: Sequence[bytes | Erased], origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, len(entries), root_of(hash_all(entries)))


def make_note(
    checkpoint: Checkpoint, writer: Signing = WRITER, partner: Signing | None = COSIGNER
) -> bytes:
    lines = [sign_checkpoint(checkpoint, writer.public, writer.sign)]
    if partner is not None:
        lines.append(cosign_checkpoint(checkpoint, PARTNER, partner.public, TIME, partner.sign))
    return render_note(checkpoint.body(), lines)


def make_proof(entries: Sequence[bytes | Erased], index: int, note: bytes | None = None) -> bytes:
    path = tuple(inclusion_proof(hash_all(entries), index))
    return render_proof(Proof(index, path, note or make_note(make_checkpoint(entries))))


LOG_VKEY = render_vkey(VerifierKey(ORIGIN, SIGNING, WRITER.public))
PARTNER_VKEY = render_vkey(VerifierKey(PARTNER, COSIGNING, COSIGNER.public))
POLICY = f"log {LOG_VKEY}\nwitness partner {PARTNER_VKEY}\nquorum partner\n".encode()
ALONE = f"log {LOG_VKEY}\nquorum none\n".encode()


def flip(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
