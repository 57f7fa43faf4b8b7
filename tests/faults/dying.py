"""A process that kills itself, or is killed, while it writes a store; started by the tests.

python -m tests.faults.dying upgrade FOLDER N      dies at the N-th call to the disk
python -m tests.faults.dying append FOLDER NAME    appends until it is killed
python -m tests.faults.dying early FOLDER NAME     the control: answers before it has committed
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import apsw
from typing_extensions import override

from fedbatch.errors import BusyError
from fedbatch.store.database import Database
from fedbatch.store.ledgers import Ledgers
from tests.unit.store.making import NOTE, OWN, ledger_entries, sign_own

_PAUSE_S = 0.004  # gives the other a turn: the lock of SQLite keeps no queue

OLD = ("create table part (name text primary key, content blob not null) strict, without rowid;",)
NEW = (
    *OLD,
    """
    create table piece (
        name text primary key, content blob not null, size integer not null
    ) strict, without rowid;
    insert into piece select name, content, length(content) from part;
    drop table part;
    create index piece_size on piece (size);
    """,
)


class _DyingFile(apsw.VFSFile):
    def __init__(
        self, count_down: Callable[[], None], name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._count_down = count_down
        super().__init__("", name, flags)

    @override
    def xWrite(self, data: Any, offset: int) -> None:
        self._count_down()
        super().xWrite(data, offset)

    @override
    def xSync(self, flags: int) -> None:
        self._count_down()
        super().xSync(flags)


class DyingVFS(apsw.VFS):
    """Kills its own process at the n-th write or sync."""

    def __init__(self, name: str, calls: int) -> None:
        self._left = calls
        super().__init__(name, "")

    def count_down(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    @override
    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _DyingFile(self.count_down, name, flags)


def upgrade(folder: Path, calls: int) -> None:
    vfs = DyingVFS("dying", calls)
    Database(folder / "upgraded.sqlite", NEW, vfs="dying").close()
    vfs.unregister()


def append(folder: Path, name: str, *, is_early: bool) -> None:
    """Print the size reached by each append: after it has returned or, early, before the commit."""

    def sign_early(size: int, root: bytes) -> bytes:
        answer(size)
        time.sleep(10)  # there is time to kill it
        return sign_own(size, root)

    store = Ledgers(folder, place=b"here")
    for number in count():
        entries = ledger_entries(f"{name} {number}", 2)
        try:
            size = store.append(OWN, entries, NOTE, sign_early if is_early else sign_own).size
        except BusyError:
            continue
        answer(size)
        time.sleep(_PAUSE_S)


def answer(size: int) -> None:
    os.write(1, f"{size}\n".encode())


if __name__ == "__main__":
    mode, place, argument = sys.argv[1:]
    if mode == "upgrade":
        upgrade(Path(place), int(argument))
    else:
        append(Path(place), argument, is_early=mode == "early")
