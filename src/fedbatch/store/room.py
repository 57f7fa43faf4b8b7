"""A disk without room, said with the folder that has none: that is what a person can do something about."""

import errno
import os
from pathlib import Path

from fedbatch.errors import StoreError

__all__ = ["NO_ROOM", "has_no_room", "unwritten"]

# The disk is full, or what one user, or one file, may take of it is.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# SQLite says no more than `disk I/O error` where it finds no room for its index of the log, 32 KiB.
_LEAST_BYTES = 1 << 16


def unwritten(error: OSError, folder: Path, what: str, advice: str = "") -> StoreError:
    """The error for what could not be written in a folder, with what the disk says."""
    said = error.strerror or str(error)
    # A folder for temporary files counts as missing where nothing can be written to it.
    if error.errno in NO_ROOM or (error.errno == errno.ENOENT and has_no_room(folder)):
        more = f"{said}. {advice}".rstrip()
        return StoreError(
            f"No room is left in {folder}: {what} could not be written. {more}", code="store.full"
        )
    return StoreError(f"{what} could not be written in {folder}: {said}")


def has_no_room(folder: Path) -> bool:
    """Whether a folder's disk has less room left than anything that is kept needs."""
    try:
        left = os.statvfs(folder)
    except OSError:
        return False
    return left.f_bavail * left.f_frsize < _LEAST_BYTES
