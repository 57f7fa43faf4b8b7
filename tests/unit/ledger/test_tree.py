from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.ledger.tree import (
    EMPTY_ROOT,
    SIZE_MAX,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger.making import flip

# Inputs, roots and paths published with Certificate Transparency's implementations of RFC 6962.
INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]
L0 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
L1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
L4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
N45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"


def reference_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1 as written, recursive."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = reference_root(leaves[:split]), reference_root(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(at.to_bytes(4, "big")) for at in range(count)]


MANY = some_leaves(300)
sizes = st.integers(1, len(MANY))


@pytest.mark.parametrize("size", range(9))
def test_published_roots_of_rfc_6962_are_reached(size: int) -> None:
    assert root_of(LEAVES[:size]).hex() == ROOTS[size]


def test_empty_root_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == ROOTS[0]
    assert Frontier().root() == EMPTY_ROOT


def test_leaves_and_nodes_cannot_be_taken_for_each_other() -> None:
    left, right = MANY[:2]
    assert leaf_hash(b"abc") == sha256(b"\x00abc").digest()
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()
    assert node_hash(left, right) != leaf_hash(left + right)


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [L1, N23, N4567]),
        (5, 8, [L4, N67, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [L0, N23, L4]),
    ],
)
def test_published_inclusion_proofs_are_built_and_verify(
    index: int, size: int, path: list[str]
) -> None:
    proof = inclusion_proof(LEAVES[:size], index)
    assert [part.hex() for part in proof] == path
    assert verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(
    ("old", "size", "path"),
    [
        (1, 1, []),
        (1, 8, [L1, N23, N4567]),
        (6, 8, [N45, N67, ROOTS[4]]),
        (2, 5, [N23, L4]),
    ],
)
def test_published_consistency_proofs_are_built_and_verify(
    old: int, size: int, path: list[str]
) -> None:
    proof = consistency_proof(LEAVES[:size], old)
    assert [part.hex() for part in proof] == path
    roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size])
    assert verify_consistency(old, roots[0], size, roots[1], proof)


@pytest.mark.parametrize("size", [*range(70), 127, 128, 129, 255, 256, 257, 300])
def test_root_equals_that_of_the_rfc_as_written(size: int) -> None:
    assert root_of(MANY[:size]) == reference_root(MANY[:size])


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=60)
def test_frontier_extended_in_any_portions_is_the_same(cuts: list[int]) -> None:
    frontier, at = Frontier(), 0
    for cut in [*sorted(cuts), 300]:
        frontier, at = frontier.extend(MANY[at:cut]), cut
        assert frontier.root() == root_of(MANY[:cut])
    assert frontier == Frontier().extend(MANY)
    assert frontier.size == 300
    assert [root.hex() for root in frontier.roots] == [
        reference_root(MANY[start:end]).hex()
        for start, end in ((0, 256), (256, 288), (288, 296), (296, 300))
    ]


@given(size=st.integers(0, 300))
@settings(max_examples=40)
def test_frontier_survives_its_encoding(size: int) -> None:
    frontier = Frontier().extend(MANY[:size])
    content = frontier.encode()
    assert content == size.to_bytes(8, "big") + b"".join(frontier.roots)
    assert Frontier.decode(content) == frontier


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(7),
        bytes(7) + b"\1",
        bytes(7) + b"\1" + bytes(31),
        bytes(7) + b"\1" + bytes(33),
        bytes(7) + b"\1" + bytes(64),
        bytes(8) + bytes(32),
        b"\x80" + bytes(7) + bytes(32),
    ],
)
def test_frontier_of_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(InputError) as refusal:
        Frontier.decode(content)
    assert refusal.value.code == "frontier"


def test_frontier_reaches_the_largest_size() -> None:
    largest = Frontier(SIZE_MAX, (bytes(32),) * 63)
    assert Frontier.decode(largest.encode()) == largest
    with pytest.raises(InputError):
        largest.extend([bytes(32)])
    with pytest.raises(InputError):
        Frontier(-1, (bytes(32),))


@given(size=sizes, data=st.data())
@settings(max_examples=80)
def test_inclusion_proofs_of_any_size_verify_at_their_place_only(
    size: int, data: st.DataObject
) -> None:
    leaves, root = MANY[:size], root_of(MANY[:size])
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(-1, size + 1))
    proof = inclusion_proof(leaves, index)
    assert len(proof) <= (size - 1).bit_length()
    assert verify_inclusion(leaves[index], index, size, proof, root)
    assert verify_inclusion(leaves[index], other, size, proof, root) == (other == index)


@given(size=st.integers(2, 300), data=st.data())
@settings(max_examples=80)
def test_inclusion_proof_with_one_bit_flipped_fails(size: int, data: st.DataObject) -> None:
    leaves, root = MANY[:size], root_of(MANY[:size])
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    flipped = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
    assert not verify_inclusion(leaves[index], index, size, flipped, root)
    assert not verify_inclusion(flip(leaves[index], bit), index, size, proof, root)
    assert not verify_inclusion(leaves[index], index, size, proof, flip(root, bit))
    assert not verify_inclusion(leaves[index], index, size, proof[:-1], root)
    assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)


@given(old=st.integers(0, 300), new=st.integers(0, 300))
@settings(max_examples=120)
def test_consistency_proofs_of_any_sizes_verify(old: int, new: int) -> None:
    old, new = sorted((old, new))
    proof = consistency_proof(MANY[:new], old)
    assert verify_consistency(old, root_of(MANY[:old]), new, root_of(MANY[:new]), proof)
    assert not verify_consistency(old, root_of(MANY[:old]), new, bytes(32), proof) or old == 0
    assert not verify_consistency(old, bytes(32), new, root_of(MANY[:new]), proof)
    assert not verify_consistency(
        old, root_of(MANY[:old]), new, root_of(MANY[:new]), [*proof, bytes(32)]
    )


@given(old=st.integers(1, 299), data=st.data())
@settings(max_examples=80)
def test_consistency_proof_with_one_bit_flipped_or_cut_fails(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(old + 1, 300))
    roots = root_of(MANY[:old]), root_of(MANY[:new])
    proof = consistency_proof(MANY[:new], old)
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    flipped = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
    assert not verify_consistency(old, roots[0], new, roots[1], flipped)
    assert not verify_consistency(old, roots[0], new, roots[1], proof[:-1])
    assert not verify_consistency(old, roots[0], new, roots[1], [])


def test_rewritten_past_has_no_consistency_proof() -> None:
    forged = [leaf_hash(b"forged"), *MANY[1:20]]
    proof = consistency_proof(forged, 9)
    assert not verify_consistency(9, root_of(MANY[:9]), 20, root_of(forged), proof)
    assert verify_consistency(9, root_of(forged[:9]), 20, root_of(forged), proof)


def test_sizes_out_of_order_never_verify() -> None:
    assert not verify_consistency(2, root_of(MANY[:2]), 1, root_of(MANY[:1]), [])
    assert not verify_consistency(-1, EMPTY_ROOT, 1, root_of(MANY[:1]), [])
    assert not verify_consistency(-1, MANY[0], 1, MANY[0], [MANY[0]])
    assert not verify_inclusion(MANY[0], 0, 0, [], EMPTY_ROOT)


@pytest.mark.parametrize("index", [-1, 3])
def test_proof_of_a_leaf_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(InputError) as refusal:
        inclusion_proof(MANY[:3], index)
    assert refusal.value.code == "index"
    assert refusal.value.found == str(index)


@pytest.mark.parametrize("old", [-1, 4])
def test_proof_from_a_size_never_reached_is_refused(old: int) -> None:
    with pytest.raises(InputError) as refusal:
        consistency_proof(MANY[:3], old)
    assert refusal.value.code == "index"
