import base64
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger import note as note_module
from fedbatch.ledger.note import (
    COSIGNING,
    LINES_MAX,
    NOTE_BYTES_MAX,
    SIGNING,
    Checkpoint,
    SignatureLine,
    VerifierKey,
    checkpoint_message,
    cosign_checkpoint,
    cosignature_message,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    render_note,
    render_vkey,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
)
from tests.unit.ledger.making import (
    COSIGNER,
    ORIGIN,
    PARTNER,
    STRANGER,
    TIME,
    WRITER,
    Signing,
    flip,
    make_checkpoint,
    make_entry,
    make_note,
)

# The example of the Go package golang.org/x/mod/sumdb/note, on which C2SP's signed-note rests.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
PETER_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
PETER_NOTE = PETER_TEXT + f"\n— PeterNeumann {PETER_SIGNATURE}\n".encode()
# The example of https://c2sp.org/tlog-cosignature.
SOFA_TEXT = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
SOFA_LINES = (
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurm"
    "RDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWX"
    "EhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
SOFA_NOTE = SOFA_TEXT + f"\n{SOFA_LINES}".encode()

ENTRIES = [make_entry(at) for at in range(5)]
CHECKPOINT = make_checkpoint(ENTRIES)
NOTE = make_note(CHECKPOINT)
ROOT = base64.b64encode(CHECKPOINT.root).decode()


def test_published_key_and_note_are_read_and_verify() -> None:
    key, note = parse_vkey(PETER), parse_note(PETER_NOTE)
    assert (key.name, key.kind, key.key_id.hex()) == ("PeterNeumann", SIGNING, "c74f20a3")
    assert render_vkey(key) == PETER
    assert note.text == PETER_TEXT
    assert key.find_lines(note) == list(note.signatures)
    assert len(note.signatures) == 1
    assert render_note(note.text, note.signatures) == PETER_NOTE


def test_published_signature_is_over_the_text_with_its_last_newline() -> None:
    (line,) = parse_note(PETER_NOTE).signatures
    public_key = parse_vkey(PETER).public_key
    assert note_module._holds(public_key, line.signature, PETER_TEXT)
    assert not note_module._holds(public_key, line.signature, PETER_TEXT[:-1])
    with pytest.raises(InputError):  # it holds as a note, but its text is no checkpoint
        verify_checkpoint(PETER_NOTE, "PeterNeumann", public_key)


def test_published_checkpoint_and_cosignature_lines_are_read() -> None:
    note = parse_note(SOFA_NOTE)
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex()[:16] == "0ac5186a91863e8e"
    assert checkpoint.body() == SOFA_TEXT
    writer, witness = note.signatures
    assert (writer.name, writer.key_id.hex(), len(writer.signature)) == (
        "example.com/behind-the-sofa",
        "033de0ae",
        64,
    )
    assert (witness.key_id.hex(), len(witness.signature)) == ("8d66cf3f", 72)
    assert int.from_bytes(witness.signature[:8], "big") == 1679315147
    assert render_note(note.text, note.signatures) == SOFA_NOTE


def test_signed_bytes_are_those_of_the_specification() -> None:
    checkpoint = parse_checkpoint(SOFA_TEXT)
    assert checkpoint_message(checkpoint) == SOFA_TEXT
    assert (
        cosignature_message(checkpoint, 1679315147)
        == b"cosignature/v1\ntime 1679315147\n" + SOFA_TEXT
    )
    assert cosignature_message(checkpoint, 0).startswith(b"cosignature/v1\ntime 0\n")
    for time in (-1, 2**63):
        with pytest.raises(InputError) as refusal:
            cosignature_message(checkpoint, time)
        assert (refusal.value.code, refusal.value.found) == ("note", str(time))


def test_checkpoint_and_cosignature_verify_with_the_pinned_keys() -> None:
    assert verify_checkpoint(NOTE, ORIGIN, WRITER.public) == CHECKPOINT
    assert verify_cosignature(NOTE, PARTNER, COSIGNER.public) == TIME


def test_type_of_key_is_part_of_its_id() -> None:
    assert (SIGNING, COSIGNING) == (1, 4)
    assert (
        VerifierKey("a", COSIGNING, bytes(32)).key_id == sha256(b"a\n\4" + bytes(32)).digest()[:4]
    )
    ids = {
        VerifierKey(name, kind, WRITER.public).key_id
        for name in ("a", "b")
        for kind in (SIGNING, COSIGNING)
    }
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("origin", "key", "code"),
    [
        ("cmo.example/other", WRITER, "origin"),
        (ORIGIN, STRANGER, "signature"),
        (ORIGIN, COSIGNER, "signature"),
    ],
)
def test_checkpoint_of_another_ledger_or_key_is_refused(
    origin: str, key: Signing, code: str
) -> None:
    with pytest.raises(IntegrityError) as refusal:
        verify_checkpoint(NOTE, origin, key.public)
    assert refusal.value.code == code


def test_cosignature_of_another_name_or_key_is_refused() -> None:
    for name, key in ((PARTNER, STRANGER), ("sponsor.example/ag-8", COSIGNER)):
        with pytest.raises(IntegrityError) as refusal:
            verify_cosignature(NOTE, name, key.public)
        assert refusal.value.code == "cosignature"


def replace_signature(line: SignatureLine, signature: bytes) -> bytes:
    return render_note(CHECKPOINT.body(), [SignatureLine(line.name, line.key_id, signature)])


@pytest.mark.parametrize("length", [1, 63, 65])
def test_signature_of_another_length_does_not_hold(length: int) -> None:
    own = sign_checkpoint(CHECKPOINT, WRITER.public, WRITER.sign)
    with pytest.raises(IntegrityError) as refusal:
        verify_checkpoint(
            replace_signature(own, (own.signature * 2)[:length]), ORIGIN, WRITER.public
        )
    assert refusal.value.code == "signature"
    dated = cosign_checkpoint(CHECKPOINT, PARTNER, COSIGNER.public, TIME, COSIGNER.sign)
    with pytest.raises(IntegrityError) as refusal:
        verify_cosignature(
            replace_signature(dated, (dated.signature * 2)[: 8 + length]), PARTNER, COSIGNER.public
        )
    assert refusal.value.code == "cosignature"


def test_time_beyond_63_bits_is_never_valid() -> None:
    late = (2**63).to_bytes(8, "big")
    message = f"cosignature/v1\ntime {2**63}\n".encode() + CHECKPOINT.body()
    dated = cosign_checkpoint(CHECKPOINT, PARTNER, COSIGNER.public, TIME, COSIGNER.sign)
    forged = replace_signature(dated, late + COSIGNER.sign(message))
    with pytest.raises(IntegrityError):
        verify_cosignature(forged, PARTNER, COSIGNER.public)
    latest = cosign_checkpoint(CHECKPOINT, PARTNER, COSIGNER.public, 2**63 - 1, COSIGNER.sign)
    note = render_note(CHECKPOINT.body(), [latest])
    assert verify_cosignature(note, PARTNER, COSIGNER.public) == 2**63 - 1


def test_one_wrong_line_of_a_known_key_spoils_the_note() -> None:
    good = sign_checkpoint(CHECKPOINT, WRITER.public, WRITER.sign)
    bad = SignatureLine(good.name, good.key_id, flip(good.signature, 3))
    note = render_note(CHECKPOINT.body(), [good, bad])
    with pytest.raises(IntegrityError):
        verify_checkpoint(note, ORIGIN, WRITER.public)


def test_earliest_of_several_cosignatures_counts_and_all_must_hold() -> None:
    lines = [
        cosign_checkpoint(CHECKPOINT, PARTNER, COSIGNER.public, time, COSIGNER.sign)
        for time in (TIME + 5, TIME, TIME + 9)
    ]
    note = render_note(CHECKPOINT.body(), lines)
    assert verify_cosignature(note, PARTNER, COSIGNER.public) == TIME
    bad = SignatureLine(lines[0].name, lines[0].key_id, flip(lines[0].signature, 70))
    with pytest.raises(IntegrityError):
        verify_cosignature(render_note(CHECKPOINT.body(), [*lines, bad]), PARTNER, COSIGNER.public)


def test_lines_of_unknown_keys_are_passed_over() -> None:
    post_quantum = SignatureLine("notary.example", b"\1\2\3\4", bytes(2428))
    note = parse_note(NOTE)
    more = render_note(note.text, [post_quantum, *note.signatures, post_quantum])
    assert verify_checkpoint(more, ORIGIN, WRITER.public) == CHECKPOINT
    assert verify_cosignature(more, PARTNER, COSIGNER.public) == TIME


def verify_both(content: bytes) -> None:
    verify_checkpoint(content, ORIGIN, WRITER.public)
    verify_cosignature(content, PARTNER, COSIGNER.public)


@given(bit=st.integers(0, 8 * len(NOTE) - 1))
@settings(max_examples=300)
def test_note_with_any_bit_flipped_loses_a_signature(bit: int) -> None:
    changed = flip(NOTE, bit)
    with pytest.raises((InputError, IntegrityError)):
        verify_both(changed)


SIGNATURES = NOTE.partition(b"\n\n")[2].decode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{ORIGIN}\n05\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n+5\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n-5\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n5 \n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n\u0665\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n{2**63}\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n{10**19}\n{ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{ROOT[:-1]}\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{ROOT}=\n", "checkpoint"),
        (f"{ORIGIN}\n5\n {ROOT}\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{base64.b64encode(bytes(31)).decode()}\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{base64.b64encode(bytes(33)).decode()}\n", "checkpoint"),
        (f"{ORIGIN}\n5\n\n", "checkpoint"),
        (f"{ORIGIN}\n5\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{ROOT}\nextension\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{ROOT}\n\n", "checkpoint"),
        (f"{ORIGIN}\n5\n{ROOT}", "checkpoint"),
        (f"\n5\n{ROOT}\n", "origin"),
        (f"a b/c\n5\n{ROOT}\n", "origin"),
        (f"a\u00a0b/c\n5\n{ROOT}\n", "origin"),
        (f"a+b/c\n5\n{ROOT}\n", "origin"),
        (f"ledger\n5\n{ROOT}\n", "origin"),
        (f"/ledger\n5\n{ROOT}\n", "origin"),
        (f"node/\n5\n{ROOT}\n", "origin"),
        (f"node/{'x' * 251}\n5\n{ROOT}\n", "origin"),
        (f"a\tb/c\n5\n{ROOT}\n", "checkpoint"),
        (f"a/b\r\n5\n{ROOT}\n", "checkpoint"),
    ],
)
def test_checkpoint_has_one_spelling(text: str, code: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_checkpoint(text.encode())
    assert refusal.value.code == code


def test_checkpoint_texts_at_the_bounds_are_read() -> None:
    longest = f"node/{'x' * 250}"
    for origin, size in ((longest, 0), (ORIGIN, 2**63 - 1), ("é/ß", 10)):
        checkpoint = Checkpoint(origin, size, bytes(32))
        assert parse_checkpoint(checkpoint.body()) == checkpoint
    for size, root in ((-1, bytes(32)), (2**63, bytes(32)), (0, bytes(31))):
        with pytest.raises(InputError):
            Checkpoint(ORIGIN, size, root)


TEXT = CHECKPOINT.body().decode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}{SIGNATURES}".encode(),
        f"{TEXT}\n{SIGNATURES[:-1]}".encode(),
        f"{TEXT}\n{SIGNATURES}\n".encode(),
        f"{TEXT}\n{SIGNATURES}more\n".encode(),
        f"{TEXT}\n{SIGNATURES.replace('— ', '- ', 1)}".encode(),
        f"{TEXT}\n{SIGNATURES.replace('— ', '—', 1)}".encode(),
        f"{TEXT}\n{SIGNATURES.replace('— ', '—  ', 1)}".encode(),
        f"{TEXT}\n{SIGNATURES.replace(' sponsor', '  sponsor')}".encode(),
        f"{TEXT}\n— \n".encode(),
        f"{TEXT}\n— name\n".encode(),
        f"{TEXT}\n— name \n".encode(),
        f"{TEXT}\n— name AAAAAA==\n".encode(),
        f"{TEXT}\n— name AAAAAAA\n".encode(),
        f"{TEXT}\n— name AAAAAAB=\n".encode(),
        f"{TEXT}\n— name AAAA*AAA\n".encode(),
        f"{TEXT}\n— na+me AAAAAAA=\n".encode(),
        f"{TEXT}\n—  AAAAAAA=\n".encode(),
        f"{TEXT}\n{SIGNATURES}".encode().replace(b"\n", b"\r\n"),
        f"{TEXT}\n{SIGNATURES}".encode().replace(b"\n\n", b"\n\x00\n\n"),
        b"\xff" + f"{TEXT}\n{SIGNATURES}".encode(),
        f"{TEXT}\n{SIGNATURES}".encode("utf-16"),
    ],
)
def test_note_has_one_spelling(content: bytes) -> None:
    with pytest.raises(InputError) as refusal:
        parse_note(content)
    assert refusal.value.code == "note"


def test_note_of_64_lines_is_refused_and_of_63_read() -> None:
    line = SignatureLine("name", b"abcd", b"x")
    room = LINES_MAX - 4
    note = render_note(CHECKPOINT.body(), [line] * room)
    assert note.count(b"\n") == 63
    assert len(parse_note(note).signatures) == 59
    with pytest.raises(InputError) as refusal:
        parse_note(note + line.render().encode())
    assert (refusal.value.code, refusal.value.found) == ("note", "64")


def test_note_is_bounded_in_bytes() -> None:
    text = b"x" * (NOTE_BYTES_MAX - len(CHECKPOINT.body()))
    fits = text[: NOTE_BYTES_MAX - len(f"\n\n{SIGNATURES}".encode())] + f"\n\n{SIGNATURES}".encode()
    assert len(fits) == 262_144
    assert len(parse_note(fits).signatures) == 2
    with pytest.raises(InputError):
        parse_note(b"x" + fits)


def test_text_may_hold_empty_lines_and_ends_at_the_last() -> None:
    note = parse_note("a\n\nb\n\n— n AAAAAAA=\n".encode())
    assert note.text == b"a\n\nb\n"
    assert note.signatures == (SignatureLine("n", bytes(4), bytes(1)),)


def test_nothing_is_rendered_that_would_not_be_read_back() -> None:
    with pytest.raises(InputError):
        render_note(CHECKPOINT.body(), [])
    with pytest.raises(InputError):
        render_note(b"no newline", [SignatureLine("n", bytes(4), b"x")])
    for name, key_id, signature in (
        ("", bytes(4), b"x"),
        ("n", bytes(3), b"x"),
        ("n", bytes(4), b""),
        ("a b", bytes(4), b"x"),
        ("\ud800", bytes(4), b"x"),
    ):
        with pytest.raises(InputError) as refusal:
            SignatureLine(name, key_id, signature)
        assert refusal.value.code == "note"


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a3+!!!!",
        "PeterNeumann+c74f20a3+AQ==",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("Peter", "Peter "),
        PETER.replace("PeterNeumann", ""),
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        PETER + "AA",
        PETER + "\n",
    ],
)
def test_verifier_key_has_one_spelling(vkey: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_vkey(vkey)
    assert refusal.value.code == "key"


@given(seed=st.binary(min_size=32, max_size=32), kind=st.sampled_from([SIGNING, COSIGNING]))
@settings(max_examples=30)
def test_verifier_key_survives_its_text(seed: bytes, kind: int) -> None:
    key = VerifierKey(PARTNER, kind, seed)
    assert parse_vkey(render_vkey(key)) == key
