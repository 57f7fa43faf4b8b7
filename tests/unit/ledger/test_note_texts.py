"""What a refusal of a note, a policy or a proof says; and which key's turn it is."""

import base64
from collections.abc import Callable

import pytest

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger.note import (
    COSIGNING,
    LINES_MAX,
    NOTE_BYTES_MAX,
    SIGNING,
    Checkpoint,
    SignatureLine,
    VerifierKey,
    check_origin,
    cosignature_message,
    decode_base64,
    parse_checkpoint,
    parse_decimal,
    parse_note,
    parse_vkey,
    render_vkey,
    verify_checkpoint,
    verify_cosignature,
)
from fedbatch.ledger.policy import POLICY_BYTES_MAX, check_checkpoint, parse_policy
from fedbatch.ledger.proof import Proof, parse_proof, verify_record
from fedbatch.ledger.tree import PROOF_HASHES_MAX, SIZE_MAX
from fedbatch.ledger.turns import KeyTurn, KeyTurns
from tests.unit.ledger.making import (
    ALONE,
    COSIGNER,
    LOG_VKEY,
    ORIGIN,
    PARTNER,
    PARTNER_VKEY,
    POLICY,
    STRANGER,
    WRITER,
    make_checkpoint,
    make_entry,
    make_note,
    make_proof,
)

ENTRIES = [make_entry(at) for at in range(5)]
NOTE = make_note(make_checkpoint(ENTRIES))
PROOF = make_proof(ENTRIES, 2)
LONG = "x" * 300
A_NAME = "a name of 1 to 255 bytes without space, plus or control character"
LINE = "'— <key name> <base64>'"
PARTS = "a text, an empty line and signature lines, each ended by a newline"
BASE64 = "canonical base64"
WITNESS = f"witness p {PARTNER_VKEY}\n".encode()


def key_id_changed() -> str:
    name, _, rest = LOG_VKEY.partition("+")
    return f"{name}+{'0' * 90}+{rest.partition('+')[2]}"


Case = tuple[str, Callable[[], object], tuple[str, str, str, str]]
CASES: list[Case] = [
    (
        "base64 with a stray sign",
        lambda: decode_base64("A" * 90 + "*", "place", "code"),
        (BASE64, "place", "A" * 80, "code"),
    ),
    (
        "base64 that is spelt otherwise",
        lambda: decode_base64("AB==", "place", "code"),
        (BASE64, "place", "AB==", "code"),
    ),
    (
        "decimal",
        lambda: parse_decimal("0" + "1" * 90, "place", "code"),
        ("a decimal without leading zero, below 2^63", "place", "0" + "1" * 79, "code"),
    ),
    ("origin too long", lambda: check_origin(LONG), (A_NAME, "origin", "x" * 80, "origin")),
    (
        "origin without a ledger",
        lambda: check_origin("y" * 90 + "/"),
        ("<node name>/<ledger id>", "origin", "y" * 80, "origin"),
    ),
    (
        "checkpoint with a short root",
        lambda: Checkpoint(ORIGIN, 1, bytes(31)),
        ("a size below 2^63 and a root of 32 bytes", "checkpoint", "1, 31 bytes", "checkpoint"),
    ),
    (
        "checkpoint of four lines",
        lambda: parse_checkpoint(f"{ORIGIN}\n1\nx\ny\n".encode()),
        ("three lines: origin, size, root", "checkpoint", "4 lines", "checkpoint"),
    ),
    (
        "checkpoint whose size is none",
        lambda: parse_checkpoint(f"{ORIGIN}\none\nx\n".encode()),
        ("a decimal without leading zero, below 2^63", "checkpoint, line 2", "one", "checkpoint"),
    ),
    (
        "checkpoint whose root is none",
        lambda: parse_checkpoint(f"{ORIGIN}\n1\n?\n".encode()),
        (BASE64, "checkpoint, line 3", "?", "checkpoint"),
    ),
    (
        "text that is no UTF-8",
        lambda: parse_checkpoint(b"ab\xff"),
        ("UTF-8", "checkpoint", "byte 2", "checkpoint"),
    ),
    (
        "text with a tab",
        lambda: parse_checkpoint(b"a\tb\n"),
        ("no control character but newline", "checkpoint", "one", "checkpoint"),
    ),
    (
        "signature line without a name",
        lambda: SignatureLine("", bytes(4), b"s"),
        (A_NAME, "signature line", "", "note"),
    ),
    (
        "signature line with a short id",
        lambda: SignatureLine("n", bytes(3), b"s"),
        ("a key id of 4 bytes and a signature", "signature line", "3 and 1 bytes", "note"),
    ),
    (
        "signature line without a dash",
        lambda: parse_note(b"t\n\n" + b"z" * 90 + b"\n"),
        (LINE, "signature line", "z" * 80, "note"),
    ),
    (
        "signature line that is no base64",
        lambda: parse_note("t\n\n— n ?\n".encode()),
        (BASE64, "signature line", "?", "note"),
    ),
    (
        "note that is too long",
        lambda: parse_note(bytes(NOTE_BYTES_MAX + 1)),
        (f"at most {NOTE_BYTES_MAX} bytes", "note", str(NOTE_BYTES_MAX + 1), "note"),
    ),
    ("note without signatures", lambda: parse_note(b"text\n"), (PARTS, "note", "5 bytes", "note")),
    (
        "note of too many lines",
        lambda: parse_note(b"t\n" * (LINES_MAX - 1) + b"\nx\n"),
        (f"at most {LINES_MAX} lines", "note", str(LINES_MAX + 1), "note"),
    ),
    (
        "key without a name",
        lambda: VerifierKey("", SIGNING, bytes(32)),
        (A_NAME, "verifier key", "", "key"),
    ),
    (
        "key of another type",
        lambda: VerifierKey("n", 2, bytes(31)),
        ("type 01 or 04 and 32 bytes", "verifier key", "type 02, 31 bytes", "key"),
    ),
    (
        "key that is no base64",
        lambda: parse_vkey("n+00000000+?"),
        (BASE64, "verifier key", "?", "key"),
    ),
    (
        "key under another id",
        lambda: parse_vkey(key_id_changed()),
        (f"key id {LOG_VKEY.split('+')[1]}", "verifier key", "0" * 80, "key"),
    ),
    (
        "time before 1970",
        lambda: cosignature_message(make_checkpoint(ENTRIES), -1),
        ("seconds since 1970, below 2^63", "cosignature", "-1", "note"),
    ),
    (
        "policy without a quorum",
        lambda: parse_policy(b"# nothing\n"),
        ("exactly one quorum", "policy", "0", "policy"),
    ),
    (
        "policy that is too long",
        lambda: parse_policy(b"#" * POLICY_BYTES_MAX + b"\n"),
        (
            f"at most {POLICY_BYTES_MAX} bytes that end with a newline",
            "policy",
            f"{POLICY_BYTES_MAX + 1} bytes",
            "policy",
        ),
    ),
    (
        "policy with a control character",
        lambda: parse_policy(b"\v\n"),
        ("no control characters but tab and newline", "policy", "one", "policy"),
    ),
    (
        "policy that is no UTF-8",
        lambda: parse_policy(b"#\xff\n"),
        ("UTF-8", "policy", "byte 1", "policy"),
    ),
    (
        "policy with a partner's key for a writer's",
        lambda: parse_policy(f"log {PARTNER_VKEY}\n".encode()),
        ("a key of type 01", "policy, line 1", "04", "policy"),
    ),
    (
        "policy with a writer's key for a partner's",
        lambda: parse_policy(f"\nwitness p {LOG_VKEY}\n".encode()),
        ("a key of type 04", "policy, line 2", "01", "policy"),
    ),
    (
        "policy with a key twice",
        lambda: parse_policy(WITNESS + f"witness q {PARTNER_VKEY}\n".encode()),
        ("each key once", "policy, line 2", PARTNER, "policy"),
    ),
    (
        "policy with a name twice",
        lambda: parse_policy(
            WITNESS
            + b"witness p "
            + render_vkey(VerifierKey("other", COSIGNING, STRANGER.public)).encode()
            + b"\n"
        ),
        ("a new name", "policy, line 2", "p", "policy"),
    ),
    (
        "policy with another word",
        lambda: parse_policy(b"w" * 90 + b"\n"),
        (
            "a log, a witness or a quorum of a witness named above",
            "policy, line 1",
            "w" * 80,
            "policy",
        ),
    ),
    (
        "proof beyond the largest index",
        lambda: Proof(SIZE_MAX + 1, (), b""),
        (
            f"an index below 2^63 and at most {PROOF_HASHES_MAX} hashes",
            "proof",
            f"{SIZE_MAX + 1}, 0 hashes",
            "proof",
        ),
    ),
    (
        "proof without a gap",
        lambda: parse_proof(b"abc"),
        ("lines of ASCII, an empty line and a note", "proof", "3 bytes", "proof"),
    ),
    (
        "proof with another first line",
        lambda: parse_proof(b"x" + PROOF),
        (PROOF.split(b"\n")[0].decode(), "proof", "another first line, or no other", "proof"),
    ),
    (
        "proof without an index",
        lambda: parse_proof(PROOF.replace(b"index ", b"place ", 1)),
        ("a line 'index <decimal>'", "proof", "none", "proof"),
    ),
    (
        "proof whose index is none",
        lambda: parse_proof(PROOF.replace(b"index ", b"index x", 1)),
        ("a decimal without leading zero, below 2^63", "proof, index", "x2", "proof"),
    ),
    (
        "proof whose hash is none",
        lambda: parse_proof(PROOF.replace(b"\n\n", b"\n?\n\n", 1)),
        (BASE64, "proof, hash", "?", "proof"),
    ),
    (
        "proof whose extra is none",
        lambda: parse_proof(PROOF.replace(b"index", b"extra ?\nindex", 1)),
        (BASE64, "proof, extra", "?", "proof"),
    ),
]


@pytest.mark.parametrize(
    ("act", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_text_is_refused_with_what_was_expected_where_and_found(
    act: Callable[[], object], said: tuple[str, str, str, str]
) -> None:
    with pytest.raises(InputError) as refusal:
        act()
    error = refusal.value
    assert (error.expected, error.where, error.found, error.code) == said


OTHER = VerifierKey(ORIGIN, SIGNING, STRANGER.public)
FALSE_LINE = SignatureLine(ORIGIN, VerifierKey(ORIGIN, SIGNING, WRITER.public).key_id, bytes(64))


@pytest.mark.parametrize(
    ("act", "code", "sentence"),
    [
        (
            lambda: verify_checkpoint(NOTE, "cmo.example/x", WRITER.public),
            "origin",
            f"Expected a checkpoint of 'cmo.example/x', found '{ORIGIN}'.",
        ),
        (
            lambda: verify_checkpoint(NOTE, ORIGIN, STRANGER.public),
            "signature",
            f"No signature by the pinned key of '{ORIGIN}'.",
        ),
        (
            lambda: verify_checkpoint(
                make_checkpoint(ENTRIES).body() + b"\n" + FALSE_LINE.render().encode(),
                ORIGIN,
                WRITER.public,
            ),
            "signature",
            f"The signature of '{ORIGIN}' does not hold.",
        ),
        (
            lambda: verify_cosignature(NOTE, PARTNER, STRANGER.public),
            "cosignature",
            f"No cosignature by the pinned key of '{PARTNER}'.",
        ),
        (
            lambda: verify_cosignature(
                make_checkpoint(ENTRIES).body()
                + b"\n"
                + SignatureLine(
                    PARTNER,
                    VerifierKey(PARTNER, COSIGNING, COSIGNER.public).key_id,
                    bytes(72),
                )
                .render()
                .encode(),
                PARTNER,
                COSIGNER.public,
            ),
            "cosignature",
            f"The cosignature of '{PARTNER}' does not hold.",
        ),
        (
            lambda: check_checkpoint(NOTE, parse_policy(b"quorum none\n")),
            "origin",
            f"No key is pinned for '{ORIGIN}'.",
        ),
        (
            lambda: check_checkpoint(
                NOTE, parse_policy(f"log {render_vkey(OTHER)}\nquorum none\n".encode())
            ),
            "signature",
            f"No signature by a key of '{ORIGIN}'.",
        ),
    ],
    ids=["origin", "no line", "false line", "no cosignature", "false one", "unpinned", "other key"],
)
def test_what_does_not_hold_is_said_in_a_sentence(
    act: Callable[[], object], code: str, sentence: str
) -> None:
    with pytest.raises(IntegrityError) as refusal:
        act()
    assert (refusal.value.code, str(refusal.value)) == (code, sentence)


def test_verdict_of_a_record_says_why_and_is_no_success() -> None:
    honest = verify_record(ENTRIES[2], PROOF, POLICY)
    assert (honest.code, honest.ok) == ("verified", True)
    for entry, proof, policy, code, detail in (
        (b"", PROOF, POLICY, "leaf", "Expected 1 to 65535 bytes at entry, found '0 bytes'."),
        (
            ENTRIES[2],
            b"abc",
            POLICY,
            "malformed",
            "Expected lines of ASCII, an empty line and a note at proof, found '3 bytes'.",
        ),
        (
            ENTRIES[3],
            PROOF,
            POLICY,
            "inclusion",
            "The proof does not lead from entry 2 to the root signed at 5.",
        ),
        (
            ENTRIES[2],
            PROOF,
            ALONE,
            "alone",
            f"entry 2 of 5 in '{ORIGIN}'; no partner is pinned",
        ),
    ):
        verdict = verify_record(entry, proof, policy)
        assert (verdict.code, verdict.ok, verdict.detail) == (code, False, detail)
        assert verdict.ok is False


def test_largest_index_and_longest_path_are_a_proof() -> None:
    longest = tuple(bytes(32) for _ in range(PROOF_HASHES_MAX))
    assert Proof(SIZE_MAX, longest, b"").hashes == longest
    with pytest.raises(InputError):
        Proof(SIZE_MAX, (*longest, bytes(32)), b"")


def test_no_name_holds_a_sign_that_a_line_could_not() -> None:
    for sign in ("\ud800", "\udfff", " ", "\xa0", "+", "\x1f"):
        with pytest.raises(InputError):
            check_origin(f"cmo{sign}/ledger")


@pytest.mark.parametrize("sign", ["!", "~", "ü", "\x7f"])
def test_other_signs_stand_in_a_name(sign: str) -> None:
    check_origin(f"cmo{sign}/ledger")


def test_ledger_lies_behind_the_last_slash() -> None:
    check_origin("a/b/c")
    with pytest.raises(InputError):
        check_origin("a/b/")


def test_base64_never_holds_what_its_alphabet_does_not() -> None:
    spelt = base64.b64encode(b"abcdef").decode()
    assert decode_base64(spelt, "", "") == b"abcdef"
    for other in (f"{spelt[:4]}\n{spelt[4:]}", spelt[:4] + "*" + spelt[4:], "", "a"):
        with pytest.raises(InputError):
            decode_base64(other, "", "")


TURNS = KeyTurns(b"one", (KeyTurn(b"two", 10, 500), KeyTurn(b"three", 20, 900)))


def test_each_key_has_its_turn_from_the_size_after_its_change() -> None:
    assert [TURNS.at(size) for size in (0, 10, 11, 20, 21, 99)] == [
        b"one",
        b"one",
        b"two",
        b"two",
        b"three",
        b"three",
    ]
    assert [TURNS.before(size) for size in (10, 11, 20, 21)] == [
        (b"one", 0),
        (b"one", 500),
        (b"one", 500),
        (b"two", 900),
    ]
    assert TURNS.keys == (b"one", b"two", b"three")
    assert KeyTurns(b"one").before(5) == (b"one", 0)
