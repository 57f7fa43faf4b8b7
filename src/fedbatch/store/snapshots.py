"""A database copied while others write to it: one instant of it, whole, in a file of its own."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import apsw

from fedbatch.errors import StoreError
from fedbatch.store.objects import DISK

__all__ = ["copy_database"]

_PAGES_AT_ONCE = 2048
_BUSY_MS = 10_000


def copy_database(source: Path, target: Path, report: Callable[[int, int], None]) -> None:
    """Copy one instant of a live database; durable when this returns.

    The source is read in one transaction, so that writers neither wait nor make the copy begin again.
    A plain copy of the file would miss what still lies in its write-ahead log.

    Args:
        source: the database.
        target: a file that is not there yet.
        report: hears pages done and in all.

    Raises:
        StoreError: one of both could not be read or written.
    """
    said = 0
    try:
        live, copy = apsw.Connection(str(source)), apsw.Connection(str(target))
        try:
            live.set_busy_timeout(_BUSY_MS)
            live.execute("begin")
            live.execute("select count(*) from sqlite_schema").fetchall()
            with copy.backup("main", live, "main") as work:
                while not work.done:
                    work.step(_PAGES_AT_ONCE)
                    report(work.page_count - work.remaining, work.page_count)
        except apsw.Error:
            said = copy.system_errno or live.system_errno
            raise
        finally:
            copy.close()
            live.close()
        DISK.sync_file(target)
        DISK.sync_folder(target.parent)
    except (apsw.Error, OSError) as error:
        raise StoreError(f"{source.name} could not be copied: {_reason(error, said)}") from error


def _reason(error: apsw.Error | OSError, said: int) -> str:
    """What the disk says; SQLite's own text of a failed copy is that of another connection."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, apsw.FullError):
        # SQLite takes this number of the system's for its own, and forgets it.
        return os.strerror(errno.ENOSPC)
    is_disk = isinstance(error, apsw.IOError | apsw.CantOpenError)
    return os.strerror(said) if is_disk and said else str(error)
