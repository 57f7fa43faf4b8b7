"""Two commands at once: what compares and then writes takes its turn."""

import subprocess
import sys
from pathlib import Path, PosixPath

import pytest
from typing_extensions import override

from fedbatch.errors import BusyError, InputError
from fedbatch.store.turns import turn
from tests.scenarios.making import AGREED, are_equal, linked, row, write_table


def run(*words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "fedbatch", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def both(*words: str) -> None:
    for process in [run(*words), run(*words)]:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out.decode()


def test_a_file_taken_in_and_shared_twice_at_once_stands_once(tmp_path: Path) -> None:
    with linked(tmp_path) as made:
        home = made.cmo.home
        path = write_table(tmp_path / "t.csv", [row(f"B{number}") for number in range(300)])
        both("import", str(path), "--home", str(home.path))
        results = [key for type_, key in home.journal.heads() if type_ == "result"]
        assert len(results) == 600
        versions = {head.version for head in home.journal.heads(("result",)).values()}
        assert versions == {1}
        entries = home.journal.size()
        made.cmo.take(path)
        assert home.journal.size() == entries
        both("share", "--home", str(home.path))
        assert made.cmo.share(AGREED).posted == 0
        made.settle()
        assert are_equal(made)


def test_who_waits_too_long_is_told_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".turn"
    with turn(path, "import"):
        with pytest.raises(BusyError) as refusal, turn(path, "import", wait_s=0):
            pass
        assert refusal.value.code == "busy"
    with turn(path, "import", wait_s=0):
        pass


class Growing(PosixPath):
    """A file to which somebody adds a row while it is read."""

    @override
    def read_bytes(self) -> bytes:
        """What stands there a moment later."""
        with self.open("a") as file:
            file.write(",".join(row("B9")) + "\n")
        content: bytes = super().read_bytes()
        return content


def test_a_file_that_changes_while_it_is_read_is_refused_and_taken_later(tmp_path: Path) -> None:
    with linked(tmp_path) as made:
        path = write_table(tmp_path / "t.csv", [row("B1")])
        entries = made.cmo.home.journal.size()
        with pytest.raises(InputError) as refusal:
            made.cmo.take(Growing(path))
        assert refusal.value.code == "file.changed"
        assert made.cmo.home.journal.size() == entries
        made.cmo.take(path)
        assert made.cmo.home.journal.size() > entries
