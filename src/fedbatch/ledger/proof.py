"""One record that convinces a third party offline: entry bytes, proof, policy (TRUST §1.3).

The proof is C2SP's: https://c2sp.org/tlog-proof. Its first line is `c2sp.org/tlog-proof@v1`; then
`extra <base64>` where there is some (not authenticated), `index <decimal>`, the inclusion proof's
hashes in base64, an empty line and the checkpoint's note.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger.frames import hash_entry
from fedbatch.ledger.note import decode_base64, parse_checkpoint, parse_decimal, parse_note
from fedbatch.ledger.personal import signed_leaves
from fedbatch.ledger.policy import Verdict, check_checkpoint, judge, parse_policy
from fedbatch.ledger.tree import HASH_BYTES, PROOF_HASHES_MAX, SIZE_MAX, verify_inclusion

__all__ = ["PROOF_BYTES_MAX", "Proof", "parse_proof", "render_proof", "verify_record"]

_PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
PROOF_BYTES_MAX: Final = 1 << 20  # of which the note is at most a quarter


@dataclass(frozen=True)
class Proof:
    """Index of the entry, its path (hashes of 32 bytes, upwards), the checkpoint's note."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= SIZE_MAX or len(self.hashes) > PROOF_HASHES_MAX:
            raise _not_a_proof(
                f"an index below 2^63 and at most {PROOF_HASHES_MAX} hashes",
                f"{self.index}, {len(self.hashes)} hashes",
            )
        if any(len(one) != HASH_BYTES for one in self.hashes):
            raise _not_a_proof(f"hashes of {HASH_BYTES} bytes", "another length")


def render_proof(proof: Proof) -> bytes:
    """Return the text of a `.tlog-proof` file."""
    lines = [_PROOF_HEADER]
    if proof.extra:
        lines.append(f"extra {b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.index}")
    lines += [b64encode(one).decode() for one in proof.hashes]
    return "\n".join(lines).encode() + b"\n\n" + proof.note


def parse_proof(content: bytes) -> Proof:
    """Undo `render_proof`. Raises InputError (`proof`, `note`, `checkpoint`, `origin`)."""
    if len(content) > PROOF_BYTES_MAX:
        raise _not_a_proof(f"at most {PROOF_BYTES_MAX} bytes", str(len(content)))
    head, gap, note = content.partition(b"\n\n")
    if not gap or not head.isascii():
        raise _not_a_proof("lines of ASCII, an empty line and a note", f"{len(content)} bytes")
    parse_checkpoint(parse_note(note).text)
    lines = head.decode().split("\n")
    if lines.pop(0) != _PROOF_HEADER or not lines:
        raise _not_a_proof(_PROOF_HEADER, "another first line, or no other")
    extra = b""
    if lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "), "proof, extra", "proof")
    if not lines or not lines[0].startswith("index "):
        raise _not_a_proof("a line 'index <decimal>'", "none")
    index = parse_decimal(lines.pop(0).removeprefix("index "), "proof, index", "proof")
    hashes = tuple(decode_base64(line, "proof, hash", "proof") for line in lines)
    return Proof(index, hashes, note, extra)


def _not_a_proof(expected: str, found: str) -> InputError:
    return InputError(expected, where="proof", found=found, code="proof")


def verify_record(entry: bytes, proof: bytes, policy: bytes) -> Verdict:
    """Verify one exported record against the user's pinned keys; never raises for what it reads."""
    try:
        return _verify(entry, proof, policy)
    except InputError as error:
        code = "leaf" if error.code == "entry" else "malformed"
        return Verdict(code, ok=False, detail=str(error))
    except IntegrityError as error:
        return Verdict(error.code, ok=False, detail=str(error))


def _verify(entry: bytes, content: bytes, policy_content: bytes) -> Verdict:
    policy, proof = parse_policy(policy_content), parse_proof(content)
    leaf = hash_entry(entry)
    checkpoint = check_checkpoint(proof.note, policy)
    if not verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root):
        raise IntegrityError(
            f"The proof does not lead from entry {proof.index} to the root signed at "
            f"{checkpoint.size}.",
            code="inclusion",
        )
    signed_leaves(entry)
    return judge(policy, f"entry {proof.index} of {checkpoint.size} in '{checkpoint.origin}'")
