"""A disk that remembers the order of writes and syncs, and what of it a power cut leaves.

`RecordingVFS` lies under SQLite, `RecordingFiles` under object files; both write one log. `Disk`
plays the log up to a cut: what was synced is there; of each write that was not, chance decides
whether it is dropped, torn at 512 bytes or kept. A renamed file has its new name for certain only
once its folder is synced. A database file counts as durable as it is when it is opened for the first
time. Not modelled: lost names of database files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apsw
from numpy.random import Generator
from typing_extensions import override

from fedbatch.store.objects import Files

__all__ = ["Cut", "Event", "Log", "RecordingFiles", "RecordingVFS", "cuts", "lay_out"]

SECTOR_BYTES = 512
_DROPPED, _TORN = 0.4, 0.6  # of unsynced writes: 40 % dropped, 20 % torn, the rest kept

Kind = Literal["open", "write", "truncate", "sync", "delete", "rename", "sync folder", "promise"]


@dataclass(frozen=True, slots=True)
class Event:
    kind: Kind
    path: str
    offset: int = 0
    content: bytes = b""


@dataclass
class Log:
    """Every event of one or more files, in order; `is_lying`: syncs reach nothing."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    is_lying: bool = False

    def add(self, kind: Kind, path: str | Path, offset: int = 0, content: bytes = b"") -> None:
        name = str(Path(path).relative_to(self.folder))
        if not (self.is_lying and kind in {"sync", "sync folder"}):
            self.events.append(Event(kind, name, offset, content))

    def promise(self, number: int) -> None:
        """Say that an operation has returned: from here on its effect may not be lost."""
        self.events.append(Event("promise", "", number))


def name_of(name: str | apsw.URIFilename | None) -> str:
    if isinstance(name, apsw.URIFilename):
        return name.filename()
    assert name is not None, "no store opens a file without a name"
    return name


class _RecordedFile(apsw.VFSFile):
    def __init__(self, log: Log, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._log = log
        self._path = name_of(name)
        super().__init__("", name, flags)

    @override
    def xWrite(self, data: Any, offset: int) -> None:
        self._log.add("write", self._path, offset, bytes(data))
        super().xWrite(data, offset)

    @override
    def xTruncate(self, newsize: int) -> None:
        self._log.add("truncate", self._path, newsize)
        super().xTruncate(newsize)

    @override
    def xSync(self, flags: int) -> None:
        self._log.add("sync", self._path)
        super().xSync(flags)


class RecordingVFS(apsw.VFS):
    def __init__(self, name: str, log: Log) -> None:
        self._log = log
        self.name = name
        super().__init__(name, "")

    @override
    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = Path(name_of(name))
        self._log.add("open", path, 0, path.read_bytes() if path.exists() else b"")
        return _RecordedFile(self._log, name, flags)

    @override
    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._log.add("delete", filename)
        super().xDelete(filename, syncdir)


class RecordingFiles(Files):
    def __init__(self, log: Log) -> None:
        self._log = log

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        self._log.add("open", path)
        self._log.add("write", path, 0, content)
        super().write(path, content, mode)
        self._log.add("sync", path)

    @override
    def rename(self, path: Path, target: Path) -> None:
        super().rename(path, target)
        self._log.add("rename", path, 0, str(target.relative_to(self._log.folder)).encode())

    @override
    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self._log.add("sync folder", folder)


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Event] = field(default_factory=list)

    def after(self, chance: Generator) -> bytes:
        content = bytearray(self.durable)
        for event in self.pending:
            fate = chance.random()
            if fate < _DROPPED:
                continue
            is_torn = fate < _TORN and event.kind == "write"
            _apply(content, _tear(event, chance) if is_torn else event)
        return bytes(content)


def _tear(event: Event, chance: Generator) -> Event:
    sectors = int(chance.integers(len(event.content) // SECTOR_BYTES + 1))
    return Event(event.kind, event.path, event.offset, event.content[: sectors * SECTOR_BYTES])


def _apply(content: bytearray, event: Event) -> None:
    missing = event.offset - len(content)
    content.extend(bytes(max(missing, 0)))
    if event.kind == "truncate":
        del content[event.offset :]
    else:
        content[event.offset : event.offset + len(event.content)] = event.content


@dataclass(frozen=True)
class Cut:
    """What lies on the disk after a cut, and the last operation that was promised before it."""

    at: int
    files: dict[str, bytes]
    promised: int


@dataclass
class Disk:
    files: dict[str, _File] = field(default_factory=dict)
    renames: list[tuple[str, str]] = field(default_factory=list)
    promised: int = -1

    def play(self, event: Event) -> None:
        match event.kind:
            case "open":
                self.files.setdefault(event.path, _File(bytearray(event.content)))
            case "write" | "truncate":
                self.files[event.path].pending.append(event)
            case "sync":
                self._sync(event.path)
            case "delete":
                self.files.pop(event.path, None)
            case "rename":
                self.renames.append((event.path, event.content.decode()))
            case "sync folder":
                for path, target in self.renames:
                    if str(Path(target).parent) == event.path:
                        self.files[target] = self.files.pop(path)
                self.renames = [
                    (path, target) for path, target in self.renames if path in self.files
                ]
            case "promise":
                self.promised = event.offset

    def _sync(self, path: str) -> None:
        file = self.files[path]
        for event in file.pending:
            _apply(file.durable, event)
        file.pending.clear()

    def cut(self, at: int, chance: Generator) -> Cut:
        files = {path: file.after(chance) for path, file in self.files.items()}
        for path, target in self.renames:
            if chance.random() >= _DROPPED:
                files[target] = files.pop(path)
        return Cut(at, files, self.promised)


def cuts(events: Sequence[Event], count: int, chance: Generator) -> Iterator[Cut]:
    """Cut the power at `count` random places of a log."""
    places = sorted(int(place) for place in chance.integers(1, len(events) + 1, count))
    disk, at = Disk(), 0
    for place in places:
        for event in events[at:place]:
            disk.play(event)
        at = place
        yield disk.cut(place, chance)


def lay_out(cut: Cut, folder: Path) -> None:
    """Write what a cut left into an empty folder."""
    for path, content in cut.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
