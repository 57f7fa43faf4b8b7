import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.store.keys import HomeIds, KeyRing, is_signed


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def ids(keys: KeyRing) -> HomeIds:
    return HomeIds(keys)


def test_key_and_secret_files_are_their_owners_alone(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.create("ledger/ag-1")
    ring.secret("party")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["ag-1.key", "party.secret"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_key_once_made_stays_the_same_for_every_process(tmp_path: Path) -> None:
    public = KeyRing(tmp_path).create("identity")
    assert KeyRing(tmp_path).create("identity") == public
    assert KeyRing(tmp_path).public("identity") == public
    assert KeyRing(tmp_path).secret("party") == KeyRing(tmp_path).secret("party")


@given(st.binary(max_size=100), st.integers(0, 511))
def test_signature_holds_for_its_message_and_key_alone(
    keys: KeyRing, message: bytes, bit: int
) -> None:
    public, other = keys.create("link/sponsor"), keys.create("link/cmo")
    signature = bytearray(keys.sign("link/sponsor", message))
    assert is_signed(public, message, bytes(signature))
    assert not is_signed(other, message, bytes(signature))
    assert not is_signed(public, message + b"x", bytes(signature))
    assert not is_signed(b"short", message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not is_signed(public, message, bytes(signature))


@pytest.mark.parametrize("name", ["", "../identity", "link//a", "link/a.b", "/etc/passwd", "a b"])
def test_name_of_a_key_cannot_leave_the_folder(keys: KeyRing, name: str) -> None:
    with pytest.raises(InputError) as caught:
        keys.create(name)
    assert caught.value.code == "key.name"
    with pytest.raises(InputError):
        keys.secret(name)


def test_missing_or_damaged_key_is_refused(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with pytest.raises(InputError) as caught:
        ring.sign("identity", b"")
    assert caught.value.code == "key"
    (tmp_path / "identity.key").write_bytes(b"short")
    with pytest.raises(InputError):
        ring.public("identity")


@given(st.text(max_size=30), st.sampled_from(["batch", "equipment", "person"]))
def test_pseudonyms_differ_between_agreements_and_repeat_within(
    ids: HomeIds, text: str, kind: str
) -> None:
    one, other = ids.shared("ag-1", kind, text), ids.shared("ag-2", kind, text)
    assert one != other
    assert ids.own(kind, text)[2:] not in {one[2:], other[2:]}
    assert ids.shared("ag-1", kind, text) == one
    assert ids.entry("ag-1", text) != ids.entry("ag-2", text)
    assert ids.provenance_salt("ag-1", text) != ids.provenance_salt("ag-2", text)


@given(st.text(max_size=30), st.text(max_size=30))
def test_different_things_have_different_ids(ids: HomeIds, one: str, other: str) -> None:
    assert (ids.shared("ag-1", "batch", one) == ids.shared("ag-1", "batch", other)) == (
        one == other
    )
    assert (ids.entry("ag-1", one) == ids.entry("ag-1", other)) == (one == other)


def test_ids_of_another_home_are_others(tmp_path: Path, ids: HomeIds) -> None:
    foreign = HomeIds(KeyRing(tmp_path))
    assert foreign.own("batch", "B7") != ids.own("batch", "B7")
    assert foreign.shared("ag-1", "batch", "B7") != ids.shared("ag-1", "batch", "B7")


def test_entry_id_is_a_uuid_of_version_8(ids: HomeIds) -> None:
    parts = ids.entry("ag-1", "x").split("-")
    assert [len(part) for part in parts] == [8, 4, 4, 4, 12]
    assert (parts[2][0], parts[3][0]) == ("8", "a")


def test_salts_and_fresh_ids_never_repeat(ids: HomeIds) -> None:
    assert len({ids.salt() for _ in range(100)}) == 100
    assert len(bytes.fromhex(ids.salt())) == 16
    assert len({ids.fresh("import") for _ in range(100)}) == 100
