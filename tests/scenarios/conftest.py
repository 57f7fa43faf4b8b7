"""Homes of scenarios lie in memory: what is tested here is not the disk."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


def make_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fedbatch-", dir=MEMORY if MEMORY.is_dir() else None))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def module_folder() -> Iterator[Path]:
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)
