"""Which machine this is, and which file: a restored copy is another file."""

import ctypes
import os
import socket
import struct
import sys
from pathlib import Path

__all__ = ["file_mark", "machine_id"]

# statx(2): the folder of relative paths, what is asked for, and where the birth time then lies.
_AT_FDCWD, _STATX_BTIME, _BTIME_AT = -100, 0x800, 80


def machine_id() -> str:
    """The machine's own id, or its name where it has none."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            return path.read_text(encoding="ascii").strip()
        except OSError:
            continue
    return socket.gethostname()


def file_mark(path: Path) -> tuple[int, int, int]:
    """Device, inode and birth time (nanoseconds; 0 where the file system does not tell).

    A file deleted and restored may get the inode it had, as ext4 gives it away at once; it was born
    later. The file is not opened: closing it would drop SQLite's locks in this process.
    """
    stat = path.stat()
    return stat.st_dev, stat.st_ino, _born_at(path)


def _born_at(path: Path) -> int:
    if sys.platform != "linux":
        return getattr(path.stat(), "st_birthtime_ns", 0)
    statx = getattr(ctypes.CDLL(None), "statx", None)
    kept = ctypes.create_string_buffer(256)
    if statx is None or statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, kept) != 0:
        return 0
    (known,) = struct.unpack_from("=I", kept.raw)
    seconds, nanoseconds = struct.unpack_from("=qI", kept.raw, _BTIME_AT)
    return int(seconds) * 10**9 + int(nanoseconds) if known & _STATX_BTIME else 0
