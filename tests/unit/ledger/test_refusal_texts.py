"""What a refusal of the ledger says: what was expected, where, and what was found."""

from collections.abc import Callable

import pytest

from fedbatch.errors import FedbatchError, InputError, IntegrityError
from fedbatch.ledger.export import export_folder, verify_folder
from fedbatch.ledger.frames import (
    Erased,
    Frame,
    decode_bundle,
    decode_frames,
    encode_bundle,
    encode_frame,
    hash_entry,
)
from fedbatch.ledger.intake import take_in
from fedbatch.ledger.note import Checkpoint
from fedbatch.ledger.personal import check_personal
from fedbatch.ledger.proof import PROOF_BYTES_MAX, Proof, parse_proof
from fedbatch.ledger.tree import Frontier, consistency_proof, inclusion_proof, root_of
from tests.unit.ledger.making import (
    ORIGIN,
    POLICY,
    STRANGER,
    WRITER,
    hash_all,
    make_checkpoint,
    make_entry,
    make_note,
)

ENTRIES = [make_entry(at) for at in range(5)]
LEAVES = hash_all(ENTRIES)
FRAME = encode_frame(Frame(512, 2, b"packed", b"note!"))


def take(
    held: int,
    start: int,
    entries: list[bytes],
    note: bytes,
    writer_root: bytes | None = None,
) -> object:
    return take_in(
        Frontier().extend(LEAVES[:held]),
        start,
        entries,
        note,
        origin=ORIGIN,
        public_key=WRITER.public,
        writer_root=writer_root,
    )


def note_of(count: int, root: bytes | None = None) -> bytes:
    return make_note(Checkpoint(ORIGIN, count, root or root_of(LEAVES[:count])))


CASES: list[tuple[str, Callable[[], object], tuple[str, str, str, str]]] = [
    (
        "erased entry",
        lambda: Erased(bytes(31)),
        ("a hash of 32 bytes", "erased entry", "31 bytes", "entry"),
    ),
    ("entry", lambda: hash_entry(b""), ("1 to 65535 bytes", "entry", "0 bytes", "entry")),
    (
        "bundle of too many",
        lambda: encode_bundle([b"x"] * 257),
        ("at most 256 entries", "bundle", "257", "bundle"),
    ),
    (
        "bundle with an empty entry",
        lambda: encode_bundle([b""]),
        ("entries of 1 to 65535 bytes", "bundle", "0", "bundle"),
    ),
    (
        "bundle said to hold too many",
        lambda: decode_bundle(b"", 257),
        ("at most 256 entries", "bundle", "257", "bundle"),
    ),
    (
        "bundle that is cut",
        lambda: decode_bundle(b"\0\1a\0", 2),
        ("2 entries", "bundle", "1 in 4 bytes", "bundle"),
    ),
    (
        "head that is cut",
        lambda: list(decode_frames(FRAME + FRAME[:7])),
        ("18 bytes", "frame", "7", "frame"),
    ),
    (
        "body that is cut",
        lambda: list(decode_frames(FRAME[:-2])),
        ("11 bytes", "frame", "9", "frame"),
    ),
    (
        "frame of nothing",
        lambda: encode_frame(Frame(3, 0, b"", b"")),
        ("1 to 256 entries", "frame", "0 from 3", "frame"),
    ),
    (
        "frame with a large note",
        lambda: encode_frame(Frame(0, 1, b"p", bytes(262_145))),
        ("at most 16908544 and 262144 bytes", "frame", "1 and 262145", "frame"),
    ),
    (
        "short frontier",
        lambda: Frontier.decode(b"1234567"),
        ("at least 8 bytes", "frontier", "7 bytes", "frontier"),
    ),
    (
        "frontier of a size below none",
        lambda: Frontier(-1),
        ("a size from 0 to 9223372036854775807", "frontier", "-1", "frontier"),
    ),
    (
        "frontier with too few roots",
        lambda: Frontier(3, (bytes(32),)),
        ("2 hashes of 32 bytes", "frontier", "lengths [32]", "frontier"),
    ),
    (
        "leaf beyond the tree",
        lambda: inclusion_proof(LEAVES, 5),
        ("an index below 5", "inclusion proof", "5", "index"),
    ),
    (
        "size beyond the tree",
        lambda: consistency_proof(LEAVES, 6),
        ("a size of at most 5", "consistency proof", "6", "index"),
    ),
    (
        "frame behind its checkpoint",
        lambda: take(3, 4, [], note_of(3)),
        ("a start of at most 3", "frame", "4", "range"),
    ),
    (
        "export of too few",
        lambda: export_folder(ENTRIES[:4], LEAVES, note_of(5)),
        ("5 entries and leaf hashes", "export", "4 and 5", "export"),
    ),
    (
        "proof that is too long",
        lambda: parse_proof(bytes(PROOF_BYTES_MAX + 1)),
        (f"at most {PROOF_BYTES_MAX} bytes", "proof", str(PROOF_BYTES_MAX + 1), "proof"),
    ),
    (
        "proof with a short hash",
        lambda: Proof(0, (bytes(31),), b""),
        ("hashes of 32 bytes", "proof", "another length", "proof"),
    ),
]


@pytest.mark.parametrize(
    ("act", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_input_is_refused_with_what_was_expected_where_and_found(
    act: Callable[[], object], said: tuple[str, str, str, str]
) -> None:
    with pytest.raises(InputError) as refusal:
        act()
    error = refusal.value
    assert (error.expected, error.where, error.found, error.code) == said


@pytest.mark.parametrize(
    ("act", "code", "sentence"),
    [
        (
            lambda: take(4, 3, [], note_of(3)),
            "rollback",
            "The writer's ledger has 3 entries, 4 were held.",
        ),
        (
            lambda: take(4, 4, [], note_of(4, root=bytes(32))),
            "fork",
            "Another root at size 4.",
        ),
        (
            lambda: take(4, 4, ENTRIES[4:], note_of(5, root=bytes(32)), writer_root=bytes(32)),
            "fork",
            "Another root at size 4.",
        ),
        (
            lambda: take(4, 4, ENTRIES[4:], note_of(5, root=bytes(32))),
            "gap",
            "1 entries from 4 do not lead to the root signed at 5.",
        ),
        (
            lambda: check_personal(
                [b'{"data":{"about":[{"entry":"a"}]},"id":"b","type":"fedbatch.signature"}'],
                [bytes(32)],
            ),
            "personal",
            "A signature names no entry, version and leaf hash.",
        ),
    ],
    ids=["rollback", "fork held", "fork said", "gap", "personal"],
)
def test_what_does_not_fit_is_said_in_a_sentence(
    act: Callable[[], object], code: str, sentence: str
) -> None:
    with pytest.raises(FedbatchError) as refusal:
        act()
    assert (refusal.value.code, str(refusal.value)) == (code, sentence)


def test_growth_is_no_repetition_and_repetition_is_said() -> None:
    taken = take(4, 4, ENTRIES[4:], note_of(5))
    assert taken.is_repeated is False  # type: ignore[attr-defined]
    assert take(5, 5, [], note_of(5)).is_repeated is True  # type: ignore[attr-defined]


FILES = export_folder(ENTRIES, LEAVES, make_note(make_checkpoint(ENTRIES)))
TILE = "tile/entries/000.p/5"
PARTS = "Expected 5 entries, each behind its length at entry tile"


@pytest.mark.parametrize(
    ("path", "content", "code", "detail"),
    [
        (
            TILE,
            FILES[TILE][:-1],
            "malformed",
            f"{PARTS}, found '{len(FILES[TILE]) - 1} bytes'.",
        ),
        (
            TILE,
            FILES[TILE] + b"\0\0",
            "malformed",
            f"{PARTS}, found '{len(FILES[TILE]) + 2} bytes'.",
        ),
        ("tile/0/000.p/5", bytes(31), "tile", "Tile 0 of level 0 is no 5 hashes."),
        ("checkpoint", make_note(make_checkpoint(ENTRIES), STRANGER), "signature", None),
    ],
    ids=["cut", "longer", "hashes", "stranger"],
)
def test_damaged_folder_says_where(
    path: str, content: bytes, code: str, detail: str | None
) -> None:
    verdict = verify_folder(FILES | {path: content}, POLICY)
    assert (verdict.code, verdict.ok) == (code, False)
    assert detail is None or verdict.detail == detail


def test_higher_tile_with_other_hashes_is_named() -> None:
    entries = [make_entry(at) for at in range(256)]
    files = export_folder(entries, hash_all(entries), make_note(make_checkpoint(entries)))
    verdict = verify_folder(files | {"tile/1/000.p/1": bytes(32)}, POLICY)
    assert (verdict.code, verdict.detail) == ("tile", "'tile/1/000.p/1' holds other hashes.")


def test_entry_tile_that_runs_out_is_refused_and_not_read_on() -> None:
    with pytest.raises(IntegrityError) as damage:
        export_folder(ENTRIES, [bytes(32), *LEAVES[1:]], note_of(5))
    assert str(damage.value) == "The entries do not lead to the root signed at 5."
