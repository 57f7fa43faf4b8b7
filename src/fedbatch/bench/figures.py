"""A figure, and what several measures need."""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fedbatch.ports import NewLedgerEntry

__all__ = ["Figure", "free_port", "is_listening", "raw_log"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure, the bar it is held against, and what it was compared with in the same run."""

    id: str
    what: str
    value: float
    unit: str
    bar: str
    reached: bool
    comparison: str
    compared: float


def raw_log(path: Path, groups: Sequence[Sequence[NewLedgerEntry]]) -> float:
    """The comparison: the same bytes appended to a file, fsync after each group."""

    def write() -> None:
        with path.open("ab", buffering=0) as log:
            for group in groups:
                log.write(b"".join(entry.content for entry in group))
                os.fsync(log.fileno())

    began = time.perf_counter()
    write()
    taken = time.perf_counter() - began
    path.unlink()
    return taken


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def is_listening(place: str) -> bool:
    """Whether somebody listens at HOST:PORT."""
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=0.2).close()
    except OSError:
        return False
    return True
