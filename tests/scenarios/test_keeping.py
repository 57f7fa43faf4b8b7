"""Keys and homes backed up and brought back; a home in use is copied whole."""

import json
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedbatch.errors import ConflictError, FedbatchError, InputError
from fedbatch.node.backups import MANIFEST, back_up, restore
from fedbatch.node.home import Home
from fedbatch.node.key_keeping import back_up_keys, list_keys, restore_keys
from fedbatch.node.verifying import verify_home
from tests.scenarios.making import AGREED, Link, are_equal, linked, row
from tests.scenarios.world import Node

BOTH = ("a first long passphrase", "a second long passphrase")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path) as one:
        one.deliver([row("B1")])
        yield one


def quiet(done: int, total: int) -> None:
    del done, total


def take_backup(node: Node, target: Path) -> Path:
    report = back_up(node.home, node.person, target, quiet)
    assert report.missing == []
    return target


def seal_keys(node: Node) -> bytes:
    path = node.home.path.parent / f"{node.home.path.name}.keys"
    back_up_keys(node.home, node.person, path, BOTH, cost=2**14)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path.read_bytes()


def put_in_place(made: Link, node: Node, backup: Path, keys: bytes) -> None:
    """The old home is gone; the backup and the keys stand in its place."""
    path = node.home.path
    node.home.close()
    shutil.rmtree(path)
    restore(backup, path, quiet, clock=node.clock)
    restore_keys(path, keys, BOTH, clock=node.clock)
    made.restart(node)


# ---- keys


def test_each_key_is_listed_with_purpose_age_and_fingerprint(made: Link) -> None:
    rows = {row.name: row for row in list_keys(made.cmo.home)}
    ledger = rows[f"agreement/{AGREED}/ledger.key"]
    assert (ledger.purpose, ledger.about, ledger.state) == ("ledger", "Product T-1", "current")
    assert len(ledger.fingerprint.split()) == 6
    link = rows[f"link/{made.sponsor.party}.key"]
    assert (link.purpose, link.about) == ("link", "sponsor")
    assert rows["identity.key"].purpose == "identity"
    assert {rows["party.secret"].purpose, rows[f"agreement/{AGREED}.secret"].purpose} == {
        "pseudonyms"
    }
    assert rows["party.secret"].fingerprint == ""


def test_keys_come_back_with_their_mode_and_age(made: Link) -> None:
    keys = seal_keys(made.cmo)
    before = list_keys(made.cmo.home)
    shutil.rmtree(made.cmo.home.path / "keys")
    report = restore_keys(made.cmo.home.path, keys, BOTH, clock=made.cmo.clock)
    assert len(report.restored) == len(before)
    made.restart(made.cmo)
    after = list_keys(made.cmo.home)
    assert [(r.name, r.fingerprint, r.made_at) for r in after] == [
        (r.name, r.fingerprint, r.made_at) for r in before
    ]
    files = [path for path in (made.cmo.home.path / "keys").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    made.deliver([row("B1"), row("B2")])
    assert are_equal(made)


def test_restoring_twice_changes_nothing(made: Link) -> None:
    report = restore_keys(made.cmo.home.path, seal_keys(made.cmo), BOTH, clock=made.cmo.clock)
    assert (report.restored, report.replaced) == ([], [])


def test_a_damaged_key_is_replaced_and_kept_aside(made: Link) -> None:
    keys = seal_keys(made.cmo)
    path = made.cmo.home.path / "keys" / "identity.key"
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])  # another byte, whatever it was
    assert verify_home(made.cmo.home).wrong
    report = restore_keys(made.cmo.home.path, keys, BOTH, clock=made.cmo.clock)
    assert report.replaced == ["identity.key"]
    made.restart(made.cmo)
    assert not verify_home(made.cmo.home).wrong
    assert list(path.parent.glob("identity.key.replaced-*"))


def test_a_whole_key_that_differs_is_never_overwritten_in_silence(made: Link) -> None:
    keys = seal_keys(made.cmo)
    path = made.cmo.home.path / "keys" / f"link/{made.sponsor.party}.key"
    path.unlink()
    made.restart(made.cmo)
    made.cmo.home.keys.create(f"link/{made.sponsor.party}")
    other = path.read_bytes()
    (path.parent.parent / "party.secret").unlink()
    with pytest.raises(ConflictError) as caught:
        restore_keys(made.cmo.home.path, keys, BOTH, clock=made.cmo.clock)
    assert caught.value.code == "keys.differ"
    assert path.read_bytes() == other
    assert not (path.parent.parent / "party.secret").exists()
    restore_keys(made.cmo.home.path, keys, BOTH, replaces=True, clock=made.cmo.clock)
    assert path.read_bytes() != other
    assert next(path.parent.glob(f"{path.name}.replaced-*")).read_bytes() == other


def test_keys_of_another_party_are_refused(made: Link) -> None:
    with pytest.raises(ConflictError) as caught:
        restore_keys(made.sponsor.home.path, seal_keys(made.cmo), BOTH)
    assert caught.value.code == "keys.party"


def test_wrong_passphrases_leave_nothing_behind(made: Link, tmp_path: Path) -> None:
    keys = seal_keys(made.cmo)
    with pytest.raises(InputError):
        restore_keys(tmp_path / "new", keys, (BOTH[0], "nobody's passphrase"))
    assert not (tmp_path / "new").exists()


def test_home_without_its_keys_makes_no_others_in_silence(made: Link) -> None:
    """Else pseudonyms would begin anew, and the keys that come back would not fit."""
    shutil.rmtree(made.cmo.home.path / "keys")
    made.restart(made.cmo)
    with pytest.raises(FedbatchError) as caught:
        made.cmo.home.ids.own("batch", "B1")
    assert caught.value.code == "key.lost"
    assert not (made.cmo.home.path / "keys").exists()


def test_a_missing_key_of_an_agreement_is_found(made: Link) -> None:
    (made.cmo.home.path / "keys" / f"agreement/{AGREED}/cosign.key").unlink()
    (made.cmo.home.path / "keys" / f"agreement/{AGREED}.secret").unlink()
    made.restart(made.cmo)
    wrong = " ".join(verify_home(made.cmo.home).wrong)
    assert "cosign" in wrong
    assert f"{AGREED}.secret" in wrong


# ---- homes


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_home_comes_back_whole_and_goes_on_once_its_partner_was_heard(
    made: Link, tmp_path: Path, name: str
) -> None:
    backup, keys = take_backup(made.cmo, tmp_path / name), seal_keys(made.cmo)
    size = made.cmo.home.journal.size()
    put_in_place(made, made.cmo, backup, keys)
    assert not verify_home(made.cmo.home).wrong
    assert made.cmo.home.journal.size() == size
    made.take([row("B1"), row("B2")])
    with pytest.raises(FedbatchError) as caught:
        made.cmo.share(AGREED)
    assert caught.value.code == "ledger.restored"
    made.sync()
    assert made.cmo.share(AGREED).posted > 0
    made.sync(2)
    assert are_equal(made)


def test_restored_without_keys_it_posts_nothing_and_says_why(made: Link, tmp_path: Path) -> None:
    backup = take_backup(made.cmo, tmp_path / "backup")
    restore(backup, tmp_path / "new", quiet, clock=made.cmo.clock)
    with Home(tmp_path / "new", clock=made.cmo.clock) as home:
        assert any("identity.key" in text for text in verify_home(home).wrong)


def test_no_key_is_in_the_backup(made: Link, tmp_path: Path) -> None:
    backup = take_backup(made.cmo, tmp_path / "backup")
    held = b"".join(path.read_bytes() for path in backup.rglob("*") if path.is_file())
    for item in made.cmo.home.keys.files():
        assert item.content[:32] not in held
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert {
        stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files if path.name == MANIFEST
    } == {0}


def test_manifest_holds_heads_and_hashes(made: Link, tmp_path: Path) -> None:
    apart = tmp_path / "apart.json"
    back_up(made.cmo.home, made.cmo.person, tmp_path / "backup", quiet, manifest=apart)
    said = json.loads(apart.read_bytes())
    assert said["journal_link"] == made.cmo.home.journal.head_link()
    heads = {(row.ledger, row.size, row.root.hex()) for row in made.stores[0].ledgers()}
    assert {(item["ledger"], item["size"], item["root"]) for item in said["ledgers"]} == heads
    assert (tmp_path / "backup" / MANIFEST).read_bytes() == apart.read_bytes()


def test_a_rewritten_journal_shows_against_the_manifest_kept_apart(
    made: Link, tmp_path: Path
) -> None:
    apart = tmp_path / "apart.json"
    back_up(made.cmo.home, made.cmo.person, tmp_path / "one", quiet, manifest=apart)
    made.take([row("B7")])
    take_backup(made.cmo, tmp_path / "two")
    with pytest.raises(InputError) as caught:
        restore(tmp_path / "two", tmp_path / "new", quiet, manifest=apart)
    assert caught.value.code == "backup.manifest"


def test_a_home_that_is_not_empty_is_refused(made: Link, tmp_path: Path) -> None:
    backup = take_backup(made.cmo, tmp_path / "backup")
    with pytest.raises(ConflictError):
        restore(backup, made.cmo.home.path, quiet)
    with pytest.raises(ConflictError):
        take_backup(made.cmo, backup)


def refused(backup: Path, target: Path) -> None:
    with pytest.raises(InputError) as caught:
        restore(backup, target, quiet)
    assert caught.value.code == "backup.damaged"
    assert not target.exists()


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_each_damage_of_a_backup_is_found_before_anything_is_written(
    made: Link, tmp_path: Path, kind: str
) -> None:
    name = "backup" if kind == "folder" else "backup.tar"
    backup = take_backup(made.cmo, tmp_path / name)
    target = tmp_path / "new"
    files = [path for path in backup.rglob("*") if path.is_file()] or [backup]
    for path in files:
        whole = path.read_bytes()
        for place in (0, len(whole) // 3, len(whole) // 2):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            refused(backup, target)
        path.write_bytes(whole[: len(whole) // 2])
        refused(backup, target)
        path.write_bytes(whole)
    restore(backup, target, quiet)


def test_a_file_too_many_or_too_few_is_refused(made: Link, tmp_path: Path) -> None:
    backup = take_backup(made.cmo, tmp_path / "backup")
    (backup / "more.txt").write_bytes(b"x")
    refused(backup, tmp_path / "new")
    (backup / "more.txt").unlink()
    (backup / "node.sqlite").unlink()
    refused(backup, tmp_path / "new")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "keys/identity.key", "./evil", ""]
)
def test_a_backup_writes_nothing_outside_the_home(made: Link, tmp_path: Path, name: str) -> None:
    backup = take_backup(made.cmo, tmp_path / "backup")
    said = json.loads((backup / MANIFEST).read_bytes())
    said["files"].append({"path": name, "bytes": 0, "sha256": "00" * 32})
    (backup / MANIFEST).write_bytes(json.dumps(said).encode())
    refused(backup, tmp_path / "new")


def test_a_link_in_an_archive_is_refused(made: Link, tmp_path: Path) -> None:
    backup = take_backup(made.cmo, tmp_path / "backup.tar")
    with tarfile.open(backup, "a") as archive:
        link = tarfile.TarInfo("node.link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refused(backup, tmp_path / "new")


def test_a_damaged_object_is_named_and_left_out(made: Link, tmp_path: Path) -> None:
    path = next(
        path for path in (made.cmo.home.path / "journal" / "objects").rglob("*") if path.is_file()
    )
    path.write_bytes(b"changed")
    report = back_up(made.cmo.home, made.cmo.person, tmp_path / "backup", quiet)
    assert report.missing == [path.relative_to(made.cmo.home.path).as_posix()]
    restore(tmp_path / "backup", tmp_path / "new", quiet)
