"""F5: a disk that fills up: refused before anything is promised, readable meanwhile, whole afterwards."""

import errno
import gc
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from typing_extensions import override

from fedbatch.cli import app
from fedbatch.errors import FedbatchError, StoreError
from fedbatch.node import file_checks
from fedbatch.node.backups import back_up
from fedbatch.node.carrying import carry
from fedbatch.node.exporting import export_table
from fedbatch.node.reading import read_results
from fedbatch.node.verifying import verify_home
from fedbatch.store.journal import Journal
from fedbatch.store.objects import Files, ObjectFolder
from tests.faults.failing import FailingVFS, Fault, Kind
from tests.faults.outcome import Outcome
from tests.scenarios.making import AGREED, are_equal, linked, row, write_table

SEED = 20261124


class Room(Files):
    """A disk with room for so many bytes."""

    def __init__(self, left: int) -> None:
        self.left = left

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        if len(content) > self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= len(content)
        super().write(path, content, mode)


def fill(folder: Path, left: int) -> str:
    """Import until the disk is full; what is wrong afterwards."""
    with linked(folder) as made:
        made.deliver([row("B0")])
        home = made.cmo.home
        real = home.journal_objects
        home.__dict__["journal_objects"] = ObjectFolder(
            home.path / "journal" / "objects", files=Room(left)
        )
        promised = {"B0"}
        refused = 0
        for number in range(1, 12):
            rows = [row(f"B{index}") for index in range(number + 1)]
            try:
                made.cmo.take(write_table(folder / "tables" / f"t{number}.csv", rows))
                promised.add(f"B{number}")
            except FedbatchError:
                refused += 1
        if not refused:
            return "the disk was never full"
        if len(read_results(made.sponsor.home)) == 0:
            return "reading failed while the disk was full"
        home.__dict__["journal_objects"] = real
        made.cmo.take(write_table(folder / "tables" / "last.csv", [row("B99")]))
        made.cmo.share(AGREED)
        made.settle()
        seen = {item.batch.split(" / ")[0] for item in read_results(made.sponsor.home)}
        if not promised <= seen:
            return f"lost {sorted(promised - seen)}"
        if not are_equal(made):
            return "the copies differ"
        return "; ".join(verify_home(home).wrong)


def test_a_full_disk_refuses_before_it_promises_and_recovers(folder: Path) -> None:
    chance = np.random.default_rng(SEED)
    outcome = Outcome("F5", SEED)
    for case in range(10):
        outcome.count(fill(folder / str(case), int(chance.integers(0, 2500))))
    outcome.report()
    assert outcome.failures == []


def test_control_a_disk_that_says_it_wrote_loses_what_was_promised(folder: Path) -> None:
    class Lying(Files):
        @override
        def write(self, path: Path, content: bytes, mode: int) -> None:
            super().write(path, b"", mode)

    with linked(folder) as made:
        home = made.cmo.home
        home.__dict__["journal_objects"] = ObjectFolder(
            home.path / "journal" / "objects", files=Lying()
        )
        made.cmo.take(write_table(folder / "tables" / "t.csv", [row("B1")]))
        assert verify_home(home).wrong


# ---- what is written for people: backups, exports, folders that travel


@contextmanager
def no_file_longer_than(limit: int) -> Iterator[None]:
    """What the system says of a longer file is EFBIG: as final as a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 100 kB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() or mount is None or unmount is None:
        pytest.skip("a file system of its own needs root")
    words = [mount, "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(place)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run([unmount, str(place)], check=True)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


# The archive alone is longer than each file of the home.
@pytest.mark.parametrize(
    ("name", "limit"),
    [("backup", 8_000), ("backup", 30_000), ("backup.tar", 8_000), ("backup.tar", 110_000)],
)
def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing_behind(
    folder: Path, name: str, limit: int
) -> None:
    place = folder / "stick"
    place.mkdir()
    with linked(folder) as made:
        made.deliver([row("B1")])
        home, person = made.cmo.home, made.cmo.person
        with no_file_longer_than(limit), pytest.raises(StoreError) as caught:
            back_up(home, person, place / name, lambda *_: None)
        assert os.strerror(errno.EFBIG) in str(caught.value)
        assert left_in(place) == []
        # Once there is room it is made as if nothing had been.
        back_up(home, person, place / name, lambda *_: None)
        assert [path.name for path in place.iterdir()] == [name]


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_a_backup_onto_a_full_disk_names_what_the_disk_says(
    folder: Path, tiny: Path, name: str
) -> None:
    with linked(folder) as made:
        made.deliver([row("B1")])
        with pytest.raises(StoreError) as caught:
            back_up(made.cmo.home, made.cmo.person, tiny / name, lambda *_: None)
    said = str(caught.value)
    assert "No space left on device" in said
    assert "not an error" not in said
    assert str(tiny / name) in said
    assert left_in(tiny) == []


def test_an_export_or_a_folder_that_finds_no_room_leaves_nothing_behind(
    folder: Path, tiny: Path
) -> None:
    rows = [{"raw": "x" * 1000}] * 500
    with pytest.raises(StoreError, match="No space left on device"):
        export_table(rows, tiny / "results.csv", "results")
    assert left_in(tiny) == []
    with linked(folder) as made:
        made.cmo.take(write_table(folder / "t.csv", [row(f"B{at}") for at in range(400)]))
        made.cmo.share(AGREED)
        with pytest.raises(StoreError, match="No space left on device"):
            carry(made.cmo.home, tiny, "u-1")
    assert left_in(tiny) == []


# ---- what a person is told


class Broken(Files):
    """A disk that fails, and is not full."""

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize(("files", "is_full"), [(Room(0), True), (Broken(), False)])
def test_an_import_that_finds_no_room_names_the_folder_and_takes_nothing_in(
    folder: Path, files: Files, *, is_full: bool
) -> None:
    with linked(folder) as made:
        made.deliver([row("B0")])
        home = made.cmo.home
        objects = home.path / "journal" / "objects"
        home.__dict__["journal_objects"] = ObjectFolder(objects, files=files)
        before = home.journal.size()
        with pytest.raises(StoreError) as caught:
            made.cmo.take(write_table(folder / "tables" / "t.csv", [row("B1")]))
        assert home.journal.size() == before
    said = str(caught.value)
    assert re.search("[0-9a-f]{64}", said) is None
    assert str(objects) in said
    assert ("No room is left in" in said) == is_full
    assert said.endswith("Nothing of t.csv was taken in.") == is_full
    assert caught.value.code == ("store.full" if is_full else "store.failed")


@pytest.mark.parametrize(("kind", "is_full"), [("full", True), ("EIO", False)])
def test_a_journal_that_finds_no_room_says_so_and_one_that_fails_does_not(
    folder: Path, kind: Kind, *, is_full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # SQLite's, where it calls the disk
    with linked(folder) as made:
        made.deliver([row("B0")])
        home = made.cmo.home
        home.journal.close()
        fault = Fault(kind)
        vfs = FailingVFS(f"full-{kind}", fault)
        home.__dict__["journal"] = Journal(home.path / "journal", vfs=vfs.name)
        before = home.journal.size()
        fault.quota = 0
        with pytest.raises(StoreError) as caught:
            made.cmo.take(write_table(folder / "tables" / "t.csv", [row("B1")]))
        home.journal.close()
        home.__dict__["journal"] = Journal(home.path / "journal")
        assert home.journal.size() == before
    said = str(caught.value)
    assert (f"No room is left in {home.path / 'journal'}" in said) == is_full
    assert said.endswith("Nothing of t.csv was taken in.") == is_full


def long_table(folder: Path) -> Path:
    path = folder / "long.csv"
    path.write_text("a;b\n" + "".join(f"{at};{at}.5\n" for at in range(9000)), encoding="utf-8")
    return path


@pytest.fixture
def unraised(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What nobody could catch: it would stand on a person's screen as a trace."""
    found: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    return found


def check(path: Path, out: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["check", str(path), "--out", str(out)])
    gc.collect()
    return done.exit_code, done.output


@pytest.mark.parametrize("name", ["copy.xlsx", "copy.csv"])
def test_a_copy_of_a_checked_file_onto_a_full_disk_names_the_folder(
    folder: Path, tiny: Path, unraised: list[object], name: str
) -> None:
    (tiny / "fill").write_bytes(b"x" * 96 * 1024)
    with (tiny / "fill").open("ab", buffering=0) as more, suppress(OSError):
        while True:
            more.write(b"x")
    code, said = check(long_table(folder), tiny / name)
    assert code == 9
    assert f"No room is left in {tiny}: {name} could not be written" in said
    assert "fault of Fedbatch" not in said
    assert (left_in(tiny), unraised) == (["fill"], [])


@pytest.mark.parametrize("limit", [0, 4_000, 60_000, 200_000])
def test_a_copy_that_finds_no_room_where_it_is_made_names_that_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, unraised: list[object], limit: int
) -> None:
    aside = folder / "aside"
    aside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    path = long_table(folder)
    with no_file_longer_than(limit):
        code, said = check(path, folder / "copy.xlsx")
    assert code == 9
    assert f"No room is left in {aside}" in said
    assert os.strerror(errno.EFBIG) in said
    assert "--no-copy" in said
    assert "fault of Fedbatch" not in said
    assert unraised == []
    assert not (folder / "copy.xlsx").exists()
    # Once there is room, the copy is made.
    assert check(path, folder / "copy.xlsx")[0] in {0, 1}
    assert (folder / "copy.xlsx").exists()


def test_control_a_fault_of_ours_is_still_said_to_be_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(file_checks, "render_workbook", fails)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    code, said = check(long_table(folder), folder / "copy.xlsx")
    assert code == 11
    assert "fault of Fedbatch" in said
    # Where not even its trace finds room, that is said, and nothing else fails.
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    code, said = check(long_table(folder), folder / "copy.xlsx")
    assert code == 11
    assert "The trace could not be left in a file" in said


@pytest.mark.long
def test_a_full_disk_two_hundred_times(folder: Path) -> None:
    chance = np.random.default_rng(SEED + 1)
    outcome = Outcome("F5 long", SEED + 1)
    for case in range(200):
        outcome.count(fill(folder / str(case), int(chance.integers(0, 2500))))
    outcome.report()
    assert outcome.failures == []
