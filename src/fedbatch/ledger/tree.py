"""Merkle trees as in RFC 6962 §2.1, over SHA-256.

A leaf is H(00 ‖ entry), a node H(01 ‖ left ‖ right), the empty tree H(""). The bytes hashed are the
bytes stored: nothing is encoded anew. What a reader keeps of a ledger is its `Frontier`, the roots
of the full subtrees: enough to extend the tree and to compute its root, at most 63 hashes long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from fedbatch.errors import InputError

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "PROOF_HASHES_MAX",
    "SIZE_MAX",
    "Frontier",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES: Final = 32
_SIZE_BYTES: Final = 8
EMPTY_ROOT: Final = sha256().digest()
SIZE_MAX: Final = 2**63 - 1  # what a signed 64-bit column of a store holds
PROOF_HASHES_MAX: Final = 63  # the path in a tree of SIZE_MAX leaves


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of a leaf; of any length, also none."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def _pair_up(hashes: Sequence[bytes]) -> list[bytes]:
    """Hash neighbours into their parents; an odd last one is left out."""
    turns = iter(hashes)
    return [
        sha256(b"\1" + left + right).digest() for left, right in zip(turns, turns, strict=False)
    ]


@dataclass(frozen=True)
class Frontier:
    """Size of a tree and the roots of its full subtrees, the largest (leftmost) first.

    One root for each bit set in `size`. Raises InputError (`frontier`) where that does not hold.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX:
            raise InputError(
                f"a size from 0 to {SIZE_MAX}",
                where="frontier",
                found=str(self.size),
                code="frontier",
            )
        lengths = [len(root) for root in self.roots]
        if lengths != [HASH_BYTES] * self.size.bit_count():
            raise InputError(
                f"{self.size.bit_count()} hashes of {HASH_BYTES} bytes",
                where="frontier",
                found=f"lengths {lengths}",
                code="frontier",
            )

    def extend(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the frontier after these leaves; a level at a time, because that is fast."""
        level = list(leaf_hashes)
        size = self.size + len(level)
        held, rest = list(self.roots), self.size
        roots = []
        while level or rest:
            if rest & 1:
                level.insert(0, held.pop())
            if len(level) & 1:
                roots.append(level.pop())
            level = _pair_up(level)
            rest >>= 1
        return Frontier(size, tuple(reversed(roots)))

    def root(self) -> bytes:
        return self._root

    @cached_property
    def _root(self) -> bytes:
        if not self.roots:
            return EMPTY_ROOT
        *left, root = self.roots
        for subtree in reversed(left):
            root = node_hash(subtree, root)
        return root

    def encode(self) -> bytes:
        """Return the size as 8 bytes, big-endian, then the roots."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.roots)

    @classmethod
    def decode(cls, content: bytes) -> "Frontier":
        """Undo `encode`. Raises InputError (`frontier`)."""
        roots = range(_SIZE_BYTES, len(content), HASH_BYTES)
        if len(content) < _SIZE_BYTES:
            raise InputError(
                f"at least {_SIZE_BYTES} bytes",
                where="frontier",
                found=f"{len(content)} bytes",
                code="frontier",
            )
        return cls(
            int.from_bytes(content[:_SIZE_BYTES], "big"),
            tuple(content[at : at + HASH_BYTES] for at in roots),
        )


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    return Frontier().extend(leaf_hashes).root()


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of RFC 6962 §2.1.1, from the leaf's sibling upwards.

    Raises InputError (`index`) where there is no such leaf.
    """
    if not 0 <= index < len(leaf_hashes):
        raise InputError(
            f"an index below {len(leaf_hashes)}",
            where="inclusion proof",
            found=str(index),
            code="index",
        )
    level, path = list(leaf_hashes), []
    while len(level) > 1:
        if (index ^ 1) < len(level):
            path.append(level[index ^ 1])
        level = _pair_up(level) + level[len(level) & ~1 :]
        index >>= 1
    return path


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof of RFC 6962 §2.1.2 from `old_size` to all leaves; empty from none or all.

    Raises InputError (`index`) where the tree was never of that size.
    """
    size = len(leaf_hashes)
    if not 0 <= old_size <= size:
        raise InputError(
            f"a size of at most {size}",
            where="consistency proof",
            found=str(old_size),
            code="index",
        )
    if old_size in {0, size}:
        return []
    return _prove_part(leaf_hashes, old_size, is_known=True)


def _prove_part(leaves: Sequence[bytes], old_size: int, *, is_known: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962: `is_known` while the verifier holds the root of these leaves."""
    if old_size == len(leaves):
        return [] if is_known else [root_of(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = leaves[:split], leaves[split:]
    if old_size <= split:
        return [*_prove_part(left, old_size, is_known=is_known), root_of(right)]
    return [*_prove_part(right, old_size - split, is_known=False), root_of(left)]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the path leads from the leaf hash at `index` to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    last = size - 1
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            leaf = node_hash(sibling, leaf)
            while not index & 1 and index:  # levels at which the rightmost node has no sibling
                index, last = index >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and leaf == root


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `size` continues that of `old_size` (RFC 9162 §2.1.4.2)."""
    if not 0 <= old_size <= size:
        return False
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    if old_size == size:
        return not proof and old_root == root
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    return bool(path) and _replay(old_size, size, path) == (old_root, root)


def _replay(old_size: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the old and new roots to which a consistency path leads; None if it does not fit."""
    index, last = old_size - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if index & 1 or index == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        index, last = index >> 1, last >> 1
    return (old, new) if last == 0 else None
