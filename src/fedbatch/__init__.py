"""Fedbatch: federated exchange of batch data between sponsors and contract manufacturers."""

from pathlib import Path
from typing import Any

__all__ = ["__version__", "open"]

__version__ = "0.1.0"


def open(home: str | Path) -> Any:  # noqa: A001 - `fedbatch.open(home)` is what people type
    """Open a home for reading: a `fedbatch.node.reader.Reader` with batches, results and a matrix.

    Arrow is loaded at the first call, so that the command line stays quick.
    """
    from fedbatch.node.reader import open as open_reader  # noqa: PLC0415 - see above

    return open_reader(home)
