import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError, IntegrityError, StoreError
from fedbatch.store.objects import ObjectFolder, write_durably


@pytest.fixture
def objects(tmp_path: Path) -> ObjectFolder:
    return ObjectFolder(tmp_path / "objects")


def file_of(folder: Path, name: str) -> Path:
    return folder / "objects" / name[:2] / name[2:]


@settings(max_examples=20)
@given(st.binary(max_size=5000))
def test_what_is_written_is_read_under_its_hash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    objects = ObjectFolder(tmp_path_factory.mktemp("objects"))
    name = objects.write(content)
    assert name == hashlib.sha256(content).hexdigest()
    assert objects.write(content) == name
    assert objects.has(name)
    assert objects.read(name) == content
    assert objects.verify() == []


def test_damaged_object_is_named_and_never_given_out(objects: ObjectFolder, tmp_path: Path) -> None:
    name, whole = objects.write(b"certificate"), objects.write(b"other")
    file_of(tmp_path, name).write_bytes(b"certificatE")
    with pytest.raises(IntegrityError) as caught:
        objects.read(name)
    assert caught.value.code == "object.damaged"
    assert objects.verify() == [f"object {name}: changed"]
    assert objects.read(whole) == b"other"


def test_missing_object_and_a_name_that_is_none_are_the_callers(objects: ObjectFolder) -> None:
    missing = "0" * 64
    assert not objects.has(missing)
    with pytest.raises(InputError) as caught:
        objects.read(missing)
    assert caught.value.code == "object.missing"
    for name in ("", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 63 + "/"):
        with pytest.raises(InputError) as caught:
            objects.read(name)
        assert caught.value.code == "object.name"


def test_object_that_cannot_be_read_is_a_failing_disk(
    objects: ObjectFolder, tmp_path: Path
) -> None:
    name = objects.write(b"certificate")
    file_of(tmp_path, name).unlink()
    file_of(tmp_path, name).mkdir()
    with pytest.raises(StoreError):
        objects.read(name)
    assert objects.verify() == [f"object {name}: could not be read: Is a directory"]


def test_what_a_cut_left_aside_is_no_damage(objects: ObjectFolder, tmp_path: Path) -> None:
    name = objects.write(b"certificate")
    file_of(tmp_path, name).with_name(f".{name[2:]}.1.1.part").write_bytes(b"cert")
    assert objects.verify() == []


def test_durable_write_replaces_or_keeps_the_first_and_leaves_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write_durably(path, b"one", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    write_durably(path, b"three", only_first=True)
    assert path.read_bytes() == b"two"
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def test_write_below_a_file_is_a_failing_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        write_durably(tmp_path / "file" / "below", b"one")
