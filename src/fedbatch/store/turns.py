"""One at a time: what reads, compares and then writes must not be done twice at once.

A database keeps single writes apart. Who first looks at what is there and then writes what is new,
as an import does, holds the turn for as long; the system gives it back when a process ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedbatch.errors import BusyError
from fedbatch.store.room import unwritten

__all__ = ["turn"]

WAIT_S_MAX = 600.0
_LOOK_S = 0.05


@contextmanager
def turn(path: Path, what: str, *, wait_s: float = WAIT_S_MAX) -> Iterator[None]:
    """Hold the turn of a lock file while the block runs; wait for whoever holds it.

    Args:
        path: the file, made where it is missing; its folder is there.
        what: what is done under it, for the error.
        wait_s: how long to wait.

    Raises:
        BusyError: somebody held it all the while.
        StoreError: the file could not be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritten(error, path.parent, path.name) from error
    try:
        end = time.monotonic() + wait_s
        while not _is_taken(descriptor):
            if time.monotonic() >= end:
                raise BusyError(
                    f"Another {what} of this home has been under way for {wait_s:.0f} s: let it end, "
                    "then try again.",
                    retry_after_s=wait_s,
                )
            time.sleep(_LOOK_S)  # noqa: TID251 - waits for another process
        yield
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
