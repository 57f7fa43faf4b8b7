import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of other people's files, which is never committed."""
    folder = Path(os.environ.get("FEDBATCH_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        message = "test data not found: set FEDBATCH_TEST_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
