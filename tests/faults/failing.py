"""A disk on which one call fails, or which is full: under SQLite and under object files."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apsw
from typing_extensions import override

from fedbatch.store.objects import Files

__all__ = ["FailingFiles", "FailingVFS", "Fault"]

Kind = Literal["EIO", "full", "short"]
_CALLS: dict[Kind, frozenset[str]] = {
    "EIO": frozenset({"open", "read", "write", "truncate", "sync", "delete", "rename", "folder"}),
    "full": frozenset({"open", "write", "truncate", "sync", "rename", "folder"}),
    "short": frozenset({"write"}),  # half of it is written
}


@dataclass
class Fault:
    """Fail the `at`-th call that can fail so; 0 for none. `quota`: bytes that may be written."""

    kind: Kind = "EIO"
    at: int = 0
    quota: int | None = None
    count: int = 0
    failed: list[str] = field(default_factory=list)

    def meets(self, call: str, size: int = 0) -> bool:
        """Count a call; whether it fails."""
        if call not in _CALLS[self.kind]:
            return False
        self.count += 1
        if self.quota is not None and call == "write":
            self.quota -= size
        fails = self.count == self.at or (self.quota is not None and self.quota < 0)
        if fails and (self.at or call == "write"):
            self.failed.append(call)
            return True
        return False

    def sqlite_error(self) -> apsw.Error:
        return apsw.IOError("injected") if self.kind == "EIO" else apsw.FullError("injected")

    def os_error(self) -> OSError:
        number = errno.EIO if self.kind == "EIO" else errno.ENOSPC
        return OSError(number, os.strerror(number))


class _FailingFile(apsw.VFSFile):
    def __init__(self, fault: Fault, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._fault = fault
        super().__init__("", name, flags)

    def _meet(self, call: str, size: int = 0) -> None:
        if self._fault.meets(call, size):
            raise self._fault.sqlite_error()

    @override
    def xRead(self, amount: int, offset: int) -> bytes:
        self._meet("read")
        return super().xRead(amount, offset)

    @override
    def xWrite(self, data: Any, offset: int) -> None:
        content = bytes(data)
        if self._fault.meets("write", len(content)):
            if self._fault.kind == "short":
                super().xWrite(content[: len(content) // 2], offset)
            raise self._fault.sqlite_error()
        super().xWrite(data, offset)

    @override
    def xTruncate(self, newsize: int) -> None:
        self._meet("truncate")
        super().xTruncate(newsize)

    @override
    def xSync(self, flags: int) -> None:
        self._meet("sync")
        super().xSync(flags)


class FailingVFS(apsw.VFS):
    def __init__(self, name: str, fault: Fault) -> None:
        self._fault = fault
        self.name = name
        super().__init__(name, "")

    @override
    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if self._fault.meets("open"):
            raise self._fault.sqlite_error()
        return _FailingFile(self._fault, name, flags)

    @override
    def xDelete(self, filename: str, syncdir: bool) -> None:
        if self._fault.meets("delete"):
            raise self._fault.sqlite_error()
        super().xDelete(filename, syncdir)


class FailingFiles(Files):
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def _meet(self, call: str) -> None:
        if self._fault.meets(call):
            raise self._fault.os_error()

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        self._meet("open")
        if self._fault.meets("write", len(content)):
            super().write(path, content[: len(content) // 2], mode)
            raise self._fault.os_error()
        super().write(path, content, mode)
        self._meet("sync")

    @override
    def rename(self, path: Path, target: Path) -> None:
        self._meet("rename")
        super().rename(path, target)

    @override
    def make_folder(self, folder: Path) -> None:
        self._meet("folder")
        super().make_folder(folder)

    @override
    def sync_folder(self, folder: Path) -> None:
        self._meet("sync")
        super().sync_folder(folder)
