"""Fixtures that every folder of tests may use."""

import functools
import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# A machine that is busy with other work is no bug of what is tested.
settings.register_profile("fedbatch", deadline=None)
settings.load_profile("fedbatch")

_CACHE = type(functools.cache(lambda: None))


def pytest_sessionstart() -> None:
    """Begin with empty caches.

    What counts the tests' misses runs them again in a process that ran them before, on changed code:
    an answer kept from then would hide the change.
    """
    for kept in gc.get_objects():
        if isinstance(kept, _CACHE) and kept.__module__.startswith("fedbatch."):
            kept.cache_clear()


ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of third-party data; absent it skips, but never where CI=true."""
    folder = Path(os.environ.get("FEDBATCH_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        message = "test data not found: set FEDBATCH_TEST_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
