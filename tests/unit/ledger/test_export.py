import pytest

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger.export import export_folder, tile_path, verify_folder
from fedbatch.ledger.frames import Erased
from fedbatch.ledger.note import Checkpoint
from fedbatch.ledger.policy import Verdict
from fedbatch.ledger.tree import leaf_hash, node_hash, root_of
from tests.unit.ledger.making import (
    ALONE,
    ORIGIN,
    POLICY,
    STRANGER,
    hash_all,
    make_checkpoint,
    make_entry,
    make_note,
    make_signature,
)

ENTRIES = [make_entry(at) for at in range(300)]
LEAVES = hash_all(ENTRIES)
FILES = export_folder(ENTRIES, LEAVES, make_note(make_checkpoint(ENTRIES)))
VERIFIED = Verdict("verified", ok=True, detail=f"300 entries of '{ORIGIN}'")


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 7, 1, "tile/1/007.p/1"),
        ("entries", 999, 255, "tile/entries/999.p/255"),
        (0, 1000, 256, "tile/0/x001/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),  # the example of c2sp.org/tlog-tiles
    ],
)
def test_tiles_are_named_as_specified(level: int | str, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path


def test_ledger_of_70_000_has_the_tiles_of_the_specification() -> None:
    entries = [at.to_bytes(4, "big") for at in range(70_000)]
    leaves = [leaf_hash(entry) for entry in entries]
    note = make_note(Checkpoint(ORIGIN, 70_000, root_of(leaves)))
    files = export_folder(entries, leaves, note)
    hashes = {path: len(files[path]) // 32 for path in files if "entries" not in path}
    del hashes["checkpoint"]
    full = {path for path, width in hashes.items() if width == 256}
    assert full == {f"tile/0/{index:03}" for index in range(273)} | {"tile/1/000"}
    assert {path: width for path, width in hashes.items() if path not in full} == {
        "tile/0/273.p/112": 112,
        "tile/1/001.p/17": 17,
        "tile/2/000.p/1": 1,
    }
    assert files["tile/2/000.p/1"] == root_of(leaves[:65_536])
    assert files["tile/1/001.p/17"][:32] == root_of(leaves[65_536:65_792])
    assert len([path for path in files if path.startswith("tile/entries/")]) == 274


def test_folder_of_256_has_one_hash_above() -> None:
    files = export_folder(ENTRIES[:256], LEAVES[:256], make_note(make_checkpoint(ENTRIES[:256])))
    assert set(files) == {"checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"}
    assert files["tile/1/000.p/1"] == root_of(LEAVES[:256])


def test_folder_holds_entries_behind_their_lengths() -> None:
    two: list[bytes | Erased] = [b"abc", Erased(bytes(32))]
    files = export_folder(two, hash_all(two), make_note(make_checkpoint(two)))
    assert files["tile/entries/000.p/2"] == b"\0\3abc\0\0"
    assert files["tile/0/000.p/2"] == leaf_hash(b"abc") + bytes(32)
    assert verify_folder(files, POLICY) == Verdict(
        "verified", ok=True, detail=f"2 entries of '{ORIGIN}'", erased=(1,)
    )
    assert make_checkpoint(two).root == node_hash(leaf_hash(b"abc"), bytes(32))


def test_folder_of_no_entries_is_its_checkpoint() -> None:
    files = export_folder([], [], make_note(make_checkpoint([])))
    assert set(files) == {"checkpoint"}
    assert verify_folder(files, POLICY).code == "verified"
    false_root = {"checkpoint": make_note(Checkpoint(ORIGIN, 0, bytes(32)))}
    assert verify_folder(false_root, POLICY).code == "root"


def test_nothing_is_exported_that_would_not_verify() -> None:
    note = make_note(make_checkpoint(ENTRIES))
    for entries, leaves in ((ENTRIES[:-1], LEAVES[:-1]), (ENTRIES, LEAVES[:-1])):
        with pytest.raises(InputError) as refusal:
            export_folder(entries, leaves, note)
        assert refusal.value.code == "export"
    with pytest.raises(IntegrityError) as damage:
        export_folder(ENTRIES, [bytes(32), *LEAVES[1:]], note)
    assert damage.value.code == "root"


def test_exported_ledger_verifies_and_other_files_are_passed_over() -> None:
    assert verify_folder(FILES, POLICY) == VERIFIED
    assert verify_folder(FILES | {"objects/ab/cd": b"?", "tile/0/000.p/3": b""}, POLICY) == VERIFIED


def test_ledger_without_partner_is_alone() -> None:
    detail = f"300 entries of '{ORIGIN}'; no partner is pinned"
    assert verify_folder(FILES, ALONE) == Verdict("alone", ok=False, detail=detail)


@pytest.mark.parametrize("path", sorted(FILES))
def test_missing_file_is_named(path: str) -> None:
    verdict = verify_folder({name: FILES[name] for name in FILES if name != path}, POLICY)
    assert (verdict.code, verdict.ok, verdict.detail) == ("missing", False, f"'{path}' is missing.")


def changed(path: str, content: bytes) -> Verdict:
    return verify_folder(FILES | {path: content}, POLICY)


def test_each_damage_has_its_code_and_place() -> None:
    bundle, tile = FILES["tile/entries/001.p/44"], FILES["tile/0/001.p/44"]
    altered = changed("tile/entries/001.p/44", bundle.replace(b"entry-299", b"entry-298"))
    assert (altered.code, altered.detail) == ("leaf", "Entry 299 has another leaf hash.")
    assert changed("tile/0/001.p/44", bytes(32) + tile[32:]).detail == (
        "Entry 256 has another leaf hash."
    )
    assert changed("tile/0/001.p/44", tile[:-1]).code == "tile"
    assert changed("tile/0/001.p/44", tile + bytes(32)).code == "tile"
    assert changed("tile/1/000.p/1", bytes(32)).code == "tile"
    for content in (b"", bundle[:-1], bundle + b"\0", bundle + b"\0\1x"):
        assert changed("tile/entries/001.p/44", content).code == "malformed"
    assert changed("checkpoint", b"").code == "malformed"
    assert verify_folder(FILES, b"").code == "malformed"


def test_entry_and_leaf_hash_altered_together_miss_the_signed_root() -> None:
    forged = [*ENTRIES[:299], make_entry(299, salt="forged")]
    other = export_folder(forged, hash_all(forged), make_note(make_checkpoint(forged)))
    files = other | {"checkpoint": FILES["checkpoint"]}
    assert verify_folder(files, POLICY).code == "root"
    unsigned = make_note(make_checkpoint(forged), writer=STRANGER)
    assert verify_folder(other | {"checkpoint": unsigned}, POLICY).code == "signature"


def test_erased_entry_of_another_leaf_hash_misses_the_signed_root() -> None:
    kept: list[bytes | Erased] = [Erased(LEAVES[0]), *ENTRIES[1:]]
    files = export_folder(kept, LEAVES, make_note(make_checkpoint(ENTRIES)))
    assert verify_folder(files, POLICY).erased == (0,)
    tile = files["tile/0/000"]
    assert verify_folder(files | {"tile/0/000": bytes(32) + tile[32:]}, POLICY).code == "root"


def test_signature_of_a_person_is_compared_inside_the_ledger() -> None:
    for leaf, code in ((LEAVES[3], "verified"), (LEAVES[4], "personal")):
        entries = [*ENTRIES[:5], make_signature(5, [("entry-3", leaf)])]
        note = make_note(make_checkpoint(entries))
        files = export_folder(entries, hash_all(entries), note)
        assert verify_folder(files, POLICY).code == code
