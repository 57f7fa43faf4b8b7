"""Objects on disk: immutable files named by the SHA-256 of their bytes."""

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

from fedbatch.errors import ConflictError, InputError, IntegrityError, StoreError
from fedbatch.store.room import unwritten

__all__ = ["DISK", "Files", "ObjectFolder", "path_aside", "write_durably"]


class Files:
    """The calls that make a file durable, in one place, so that each can be recorded or failed."""

    def write(self, path: Path, content: bytes, mode: int) -> None:
        """Create the file with these bytes, and sync them."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, path: Path, target: Path) -> None:
        """Give the file its name, over whatever had it."""
        path.replace(target)

    def name_once(self, path: Path, target: Path) -> None:
        """Give the file its name unless one has it already: of several writers the first stands."""
        with suppress(FileExistsError):
            target.hardlink_to(path)
        path.unlink()

    def make_folder(self, folder: Path) -> None:
        """Create one folder; there already is a no-op."""
        folder.mkdir(exist_ok=True)

    def sync_file(self, path: Path) -> None:
        """Make the bytes of a file durable that somebody else has written."""
        handle = os.open(path, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


DISK = Files()


def path_aside(path: Path) -> Path:
    """Where a file is made before it has its name; no two threads or processes share it."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")


def write_durably(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o644,
    only_first: bool = False,
    files: Files = DISK,
) -> None:
    """Write, sync, rename, sync the folder: after this the file is whole, or was never there.

    With `only_first` a file that stands there already stays.

    Raises:
        StoreError: the disk failed or is full; the file is not there, or not durably.
    """
    try:
        _write_whole(path, content, mode, only_first=only_first, files=files)
    except OSError as error:
        raise unwritten(error, path.parent, path.name) from error


def _write_whole(path: Path, content: bytes, mode: int, *, only_first: bool, files: Files) -> None:
    aside = path_aside(path)
    try:
        _make_folders(path.parent, files)
        files.write(aside, content, mode)
        if only_first:
            files.name_once(aside, path)
        else:
            files.rename(aside, path)
        files.sync_folder(path.parent)
    except OSError:
        with suppress(OSError):  # half a file is in nobody's interest, least on a full disk
            aside.unlink(missing_ok=True)
        raise


def _sync_name(path: Path, files: Files) -> None:
    try:
        files.sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path.name} could not be synced: {error.strerror}") from error


def _make_folders(folder: Path, files: Files) -> None:
    """Make what is missing of a path; a new folder's own name is synced too."""
    if not folder.is_dir():
        _make_folders(folder.parent, files)
        files.make_folder(folder)
        files.sync_folder(folder.parent)


class ObjectFolder:
    """The objects of one agreement, or of the journal."""

    def __init__(self, folder: Path, *, files: Files = DISK) -> None:
        self._folder = folder
        self._files = files

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004 - hex digits of a SHA-256
            raise InputError("a SHA-256 in hex", found=sha256, code="object.name")
        return self._folder / sha256[:2] / sha256[2:]

    def write(self, content: bytes) -> str:
        """Keep the bytes, durably; repeating it is a no-op.

        Raises:
            StoreError: the disk failed or is full.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        if path.exists():  # whoever wrote it may have failed to sync the name, or not be done
            _sync_name(path, self._files)
            return sha256
        try:
            _write_whole(path, content, 0o644, only_first=False, files=self._files)
        except OSError as error:  # the folder says more than a hash, and its parts say nothing
            raise unwritten(error, self._folder, f"{len(content):,} bytes") from error
        return sha256

    def has(self, sha256: str) -> bool:
        """Whether the bytes are held."""
        return self._path(sha256).exists()

    def read(self, sha256: str) -> bytes:
        """The bytes of a name, checked."""
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise InputError("an object held here", found=sha256, code="object.missing") from error
        except OSError as error:
            raise StoreError(f"object {sha256} could not be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise IntegrityError(f"object {sha256} is damaged", code="object.damaged")
        return content

    def place_of(self, sha256: str) -> Path:
        """Where the bytes lie, for readers of files.

        Raises:
            InputError: not held here.
        """
        path = self._path(sha256)
        if not path.exists():
            raise InputError("an object held here", found=sha256, code="object.missing")
        return path

    def read_part(self, sha256: str, start: int, count: int) -> bytes:
        """Some of the bytes, unchecked: whoever has them all checks them."""
        try:
            with self._path(sha256).open("rb") as file:
                file.seek(start)
                return file.read(count)
        except FileNotFoundError as error:
            raise InputError("an object held here", found=sha256, code="object.missing") from error
        except OSError as error:
            raise StoreError(f"object {sha256} could not be read: {error.strerror}") from error

    def _arriving(self, sha256: str) -> Path:
        path = self._path(sha256)
        return path.with_name(f".{path.name}.arriving")

    def arrived(self, sha256: str) -> int:
        """How many bytes of an object that is still arriving are kept."""
        path = self._arriving(sha256)
        return path.stat().st_size if path.exists() else 0

    def take_part(self, sha256: str, start: int, content: bytes, size: int) -> int:
        """Keep a part of an object of `size` bytes; how many are kept then."""
        if self.has(sha256):
            return size
        kept = self.arrived(sha256)
        if start != kept or kept + len(content) > size:
            raise ConflictError(f"{kept} bytes of {size} are here", code="object.part")
        path = self._arriving(sha256)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(content)
            if kept + len(content) == size:
                whole = path.read_bytes()
                path.unlink()
                self._keep_whole(sha256, whole)
        except OSError as error:
            raise unwritten(error, self._folder, f"a part of {size:,} bytes") from error
        return kept + len(content)

    def _keep_whole(self, sha256: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != sha256:
            raise IntegrityError(f"what came is not object {sha256}", code="object.damaged")
        self.write(content)

    def erase(self, sha256: str) -> None:
        """Destroy the bytes; not held is a no-op."""
        path = self._path(sha256)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                self._files.sync_folder(path.parent)
        except OSError as error:
            raise StoreError(f"object {sha256} could not be erased: {error.strerror}") from error

    def verify(self) -> list[str]:
        """Names of objects whose bytes are not what they were."""
        return [
            f"object {path.parent.name}{path.name}: {fault}"
            for path in sorted(self._folder.glob("??/*"))
            if not path.name.startswith(".")  # left aside by a write that a cut ended
            if (fault := _find_fault(path))
        ]


def _find_fault(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"could not be read: {error.strerror}"
    name = path.parent.name + path.name
    return "" if hashlib.sha256(content).hexdigest() == name else "changed"
