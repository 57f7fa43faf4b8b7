"""Fault tests work on a memory file system where there is one: sync speed varies 15-fold on disks."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh folder of its own is made there


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if not _MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="fedbatch-") as name:
        yield Path(name)
