"""Objects on disk: immutable files named by the SHA-256 of their bytes."""

import hashlib
import os
from pathlib import Path

from fedbatch.errors import InputError, IntegrityError

__all__ = ["ObjectFolder", "write_durably"]


def write_durably(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write, sync, rename, sync the folder: after this the file is whole, or was never there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    aside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class ObjectFolder:
    """The objects of one agreement, or of the journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004 - hex digits of a SHA-256
            raise InputError("a SHA-256 in hex", found=sha256, code="object.name")
        return self._folder / sha256[:2] / sha256[2:]

    def write(self, content: bytes) -> str:
        """Keep the bytes, durably; repeating it is a no-op."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        if not path.exists():
            write_durably(path, content)
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
        if hashlib.sha256(content).hexdigest() != sha256:
            raise IntegrityError(f"object {sha256} is damaged", code="object.damaged")
        return content

    def verify(self) -> list[str]:
        """Names of objects whose bytes are not what they were."""
        wrong = []
        for path in sorted(self._folder.glob("??/*")):
            name = path.parent.name + path.name
            if hashlib.sha256(path.read_bytes()).hexdigest() != name:
                wrong.append(f"object {name}: changed")
        return wrong
