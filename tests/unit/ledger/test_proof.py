import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.ledger.note import (
    SIGNING,
    Checkpoint,
    SignatureLine,
    VerifierKey,
    parse_note,
    render_note,
    render_vkey,
    sign_checkpoint,
)
from fedbatch.ledger.policy import Verdict
from fedbatch.ledger.proof import PROOF_BYTES_MAX, Proof, parse_proof, render_proof, verify_record
from tests.unit.ledger.making import (
    ALONE,
    ORIGIN,
    POLICY,
    STRANGER,
    WRITER,
    flip,
    hash_all,
    make_checkpoint,
    make_entry,
    make_note,
    make_proof,
    make_signature,
)

ENTRIES = [make_entry(at) for at in range(11)]
NOTE = make_note(make_checkpoint(ENTRIES))
PROOF = make_proof(ENTRIES, 6)
HASH_LINE = base64.b64encode(bytes(32)).decode()


def test_proof_is_written_as_specified() -> None:
    proof = Proof(6, (b"\1" * 32, b"\2" * 32), NOTE, b"extra!")
    one, two = (base64.b64encode(part).decode() for part in proof.hashes)
    text = f"c2sp.org/tlog-proof@v1\nextra ZXh0cmEh\nindex 6\n{one}\n{two}\n\n"
    assert render_proof(proof) == text.encode() + NOTE
    assert parse_proof(text.encode() + NOTE) == proof


@given(
    index=st.integers(0, 2**63 - 1),
    hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    extra=st.binary(max_size=30),
)
@settings(max_examples=40)
def test_proof_survives_its_text(index: int, hashes: list[bytes], extra: bytes) -> None:
    proof = Proof(index, tuple(hashes), NOTE, extra)
    assert parse_proof(render_proof(proof)) == proof


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v2\nindex 6",
        "index 6",
        "c2sp.org/tlog-proof@v1\nindex 06",
        "c2sp.org/tlog-proof@v1\nindex -1",
        "c2sp.org/tlog-proof@v1\nindex",
        "c2sp.org/tlog-proof@v1\nindex ",
        "c2sp.org/tlog-proof@v1\nindex 6 ",
        f"c2sp.org/tlog-proof@v1\nindex {2**63}",
        "c2sp.org/tlog-proof@v1\nextra AAAA",
        "c2sp.org/tlog-proof@v1\nextra \nindex 6",
        "c2sp.org/tlog-proof@v1\nextra AAA\nindex 6",
        "c2sp.org/tlog-proof@v1\nindex 6\nextra AAAA",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 6",
        f"c2sp.org/tlog-proof@v1\n{HASH_LINE}\nindex 6",
        f"c2sp.org/tlog-proof@v1\nindex 6\n{HASH_LINE} ",
        f"c2sp.org/tlog-proof@v1\nindex 6\n{HASH_LINE}\r",
        f"c2sp.org/tlog-proof@v1\nindex 6\n{base64.b64encode(bytes(31)).decode()}",
        f"c2sp.org/tlog-proof@v1\nindex 6\n{base64.b64encode(bytes(33)).decode()}",
        "c2sp.org/tlog-proof@v1\nindex 6" + f"\n{HASH_LINE}" * 64,
        "c2sp.org/tlog-proof@v1\nindex \u0666",
    ],
)
def test_proof_has_one_spelling(head: str) -> None:
    content = f"{head}\n\n".encode() + NOTE
    with pytest.raises(InputError) as refusal:
        parse_proof(content)
    assert refusal.value.code == "proof"
    assert verify_record(ENTRIES[6], content, POLICY).code == "malformed"


def test_proof_without_a_checkpoint_below_is_refused() -> None:
    for note in (b"", b"\n", NOTE[:-1], NOTE + b"\n", b"text\n\n" + NOTE.partition(b"\n\n")[2]):
        content = b"c2sp.org/tlog-proof@v1\nindex 6\n\n" + note
        assert verify_record(ENTRIES[6], content, POLICY).code == "malformed"


def fill_up(size_bytes: int) -> bytes:
    """Return a proof of that length: much `extra`, and the rest in the name of an unknown key."""
    note = parse_note(NOTE)
    for name in ("n", "nn", "nnn", "nnnn"):
        unknown = SignatureLine(name, bytes(4), b"x")
        longer = render_note(note.text, [*note.signatures, unknown])
        room = size_bytes - len(render_proof(Proof(6, (), longer))) - len("extra \n")
        if room % 4 == 0:
            return render_proof(Proof(6, (), longer, bytes(room // 4 * 3)))
    raise AssertionError


def test_proof_is_bounded_in_bytes() -> None:
    with pytest.raises(InputError) as refusal:
        parse_proof(PROOF + bytes(PROOF_BYTES_MAX))
    assert refusal.value.code == "proof"
    assert PROOF_BYTES_MAX == 1_048_576
    largest = fill_up(PROOF_BYTES_MAX)
    assert parse_proof(largest).index == 6
    with pytest.raises(InputError):
        parse_proof(fill_up(PROOF_BYTES_MAX + 1))
    for index, hashes in ((-1, ()), (2**63, ()), (0, (bytes(32),) * 64), (0, (bytes(31),))):
        with pytest.raises(InputError):
            Proof(index, hashes, NOTE)


@pytest.mark.parametrize("index", range(11))
def test_every_record_of_a_ledger_verifies_offline(index: int) -> None:
    assert verify_record(ENTRIES[index], make_proof(ENTRIES, index), POLICY) == Verdict(
        "verified", ok=True, detail=f"entry {index} of 11 in '{ORIGIN}'"
    )


def test_record_that_no_partner_cosigned_is_alone_and_no_success() -> None:
    note = make_note(make_checkpoint(ENTRIES), partner=None)
    proof = make_proof(ENTRIES, 6, note)
    alone = Verdict("alone", ok=False, detail=f"entry 6 of 11 in '{ORIGIN}'; no partner is pinned")
    assert verify_record(ENTRIES[6], proof, ALONE) == alone
    assert verify_record(ENTRIES[6], PROOF, ALONE) == alone  # nobody pinned the key that cosigned
    assert verify_record(ENTRIES[6], proof, POLICY).code == "cosignature"
    assert verify_record(ENTRIES[5], proof, ALONE).code == "inclusion"


def test_each_step_has_its_code() -> None:
    checkpoint = make_checkpoint(ENTRIES)
    other = make_checkpoint(ENTRIES, "cmo.example/other")
    larger = Checkpoint(ORIGIN, 17, checkpoint.root)
    outcomes = {
        "malformed": verify_record(ENTRIES[6], PROOF, b""),
        "leaf": verify_record(b"", PROOF, POLICY),
        "origin": verify_record(ENTRIES[6], make_proof(ENTRIES, 6, make_note(other)), POLICY),
        "signature": verify_record(
            ENTRIES[6], make_proof(ENTRIES, 6, make_note(checkpoint, writer=STRANGER)), POLICY
        ),
        "cosignature": verify_record(
            ENTRIES[6], make_proof(ENTRIES, 6, make_note(checkpoint, partner=STRANGER)), POLICY
        ),
        "inclusion": verify_record(ENTRIES[6], make_proof(ENTRIES, 6, make_note(larger)), POLICY),
    }
    assert {code: verdict.code for code, verdict in outcomes.items()} == {
        code: code for code in outcomes
    }
    assert not any(verdict.ok for verdict in outcomes.values())
    assert verify_record(bytes(65_536), PROOF, POLICY).code == "leaf"
    assert verify_record(bytes(65_535), PROOF, POLICY).code == "inclusion"


def test_wrong_signatures_of_known_keys_are_refused() -> None:
    text, lines = parse_note(NOTE).text, parse_note(NOTE).signatures
    for at, code in enumerate(("signature", "cosignature")):
        bad = SignatureLine(lines[at].name, lines[at].key_id, flip(lines[at].signature, 100))
        for order in ([bad, *lines], [*lines, bad]):
            proof = make_proof(ENTRIES, 6, render_note(text, order))
            assert verify_record(ENTRIES[6], proof, POLICY).code == code


def test_either_of_two_pinned_keys_of_the_writer_suffices_and_neither_may_lie() -> None:
    second = render_vkey(VerifierKey(ORIGIN, SIGNING, STRANGER.public))
    policy = f"log {second}\n".encode() + POLICY
    checkpoint = make_checkpoint(ENTRIES)
    old, new = (sign_checkpoint(checkpoint, key.public, key.sign) for key in (WRITER, STRANGER))
    cosignature = parse_note(NOTE).signatures[1]
    bad = SignatureLine(new.name, new.key_id, old.signature)
    for lines, code in (
        ([old, cosignature], "verified"),
        ([new, cosignature], "verified"),
        ([old, new, cosignature], "verified"),
        ([cosignature], "signature"),
        ([old, bad, cosignature], "signature"),
    ):
        note = render_note(checkpoint.body(), lines)
        assert verify_record(ENTRIES[6], make_proof(ENTRIES, 6, note), policy).code == code


@given(bit=st.integers(0, 8 * len(PROOF) - 1))
@settings(max_examples=300)
def test_proof_with_any_bit_flipped_fails(bit: int) -> None:
    assert not verify_record(ENTRIES[6], flip(PROOF, bit), POLICY).ok


@given(bit=st.integers(0, 8 * len(ENTRIES[6]) - 1))
@settings(max_examples=60)
def test_entry_with_any_bit_flipped_fails(bit: int) -> None:
    assert verify_record(flip(ENTRIES[6], bit), PROOF, POLICY).code == "inclusion"


def test_extra_is_not_authenticated_and_changes_nothing() -> None:
    proof = parse_proof(PROOF)
    more = render_proof(Proof(proof.index, proof.hashes, proof.note, b"whatever"))
    assert verify_record(ENTRIES[6], more, POLICY).ok


def test_signature_record_in_another_form_is_refused_last() -> None:
    good = [ENTRIES[0], make_signature(1, [("entry-0", hash_all(ENTRIES)[0])])]
    assert verify_record(good[1], make_proof(good, 1), POLICY).ok
    bad = [ENTRIES[0], make_signature(1, [])]
    assert verify_record(bad[1], make_proof(bad, 1), POLICY).code == "personal"
    assert verify_record(bad[1], make_proof(good, 1), POLICY).code == "inclusion"
