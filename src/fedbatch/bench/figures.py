"""A figure, and what several measures need."""

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from fedbatch.ports import NewLedgerEntry

__all__ = ["Figure", "free_port", "is_listening", "memory_mib", "memory_of", "raw_log"]


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


# Below those that a system gives to outgoing connections, each once: a port that is free now and
# is another's when a node comes to listen there would end a long measure.
_PORTS = itertools.count(20_000 + os.getpid() % 8_000)


def free_port() -> int:
    """A port of this machine that nobody listens at, another at each call."""
    for port in _PORTS:
        with socket.socket() as listening:
            try:
                listening.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError  # the count has no end


def is_listening(place: str) -> bool:
    """Whether somebody listens at HOST:PORT."""
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=0.2).close()
    except OSError:
        return False
    return True


def memory_of(*words: str) -> float:
    """Most memory (MiB) that a command of its own process held; not a number off Linux.

    What the system says of an ended child counts the memory of its parent too, from before the child
    became another program; so the running process is asked.
    """
    command = [sys.executable, "-m", "fedbatch", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    most = float("nan")
    while process.poll() is None:
        most = memory_mib(process.pid, "VmHWM") or most
        time.sleep(0.01)  # noqa: TID251 - looks at a real process
    assert process.returncode == 0  # noqa: S101 - a bench that measures nothing must fail
    return most


def memory_mib(pid: int, kind: Literal["VmHWM", "VmRSS"]) -> float | None:
    """Memory that a process holds at most or now, in MiB (proc(5)); None where nothing says it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith(f"{kind}:")]
    return int(lines[0].split()[1]) / 1024 if lines else None
