"""The engines that figures are compared with, where they are installed; else a comparison is not run."""

import importlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["copy_into_postgres", "duckdb_overlay"]

_PORT = 54_329


def _binaries() -> Path | None:
    """Where PostgreSQL's programs lie, the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _as_postgres(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; its own user runs it then."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@contextmanager
def _cluster(binaries: Path) -> Iterator[Callable[[str], None]]:
    """A cluster of its own in a temporary folder; gives a function that runs SQL."""
    folder = Path(tempfile.mkdtemp(prefix="fedbatch-pg-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(data, user.pw_uid, user.pw_gid)
        os.chown(folder, user.pw_uid, user.pw_gid)

    def call(*command: str) -> None:
        subprocess.run(_as_postgres(list(command)), check=True, capture_output=True)  # noqa: S603 - our own command

    options = f"-k {folder} -c listen_addresses= -p {_PORT}"
    call(str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres")
    call(
        str(binaries / "pg_ctl"),
        "-D",
        str(data),
        "-w",
        "-o",
        options,
        "start",
        "-l",
        f"{folder}/log",
    )
    try:
        yield lambda sql: call(
            str(binaries / "psql"), "-q", "-h", str(folder), "-p", str(_PORT), "-U", "postgres",
            "-v", "ON_ERROR_STOP=1", "-c", sql,
        )  # fmt: skip
    finally:
        call(str(binaries / "pg_ctl"), "-D", str(data), "-m", "fast", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def copy_into_postgres(rows: Path) -> float | None:
    """Seconds to COPY a file of `batch,parameter,time,value` into a heap table; None: not installed.

    The table has no index, and nothing is mapped, checked or hashed.
    """
    binaries = _binaries()
    if binaries is None:
        return None
    rows.chmod(0o644)
    for folder in (rows.parent, *rows.parent.parents):
        if folder.stat().st_mode & 0o005 == 0 and os.geteuid() == 0:
            folder.chmod(0o755)
    try:
        with _cluster(binaries) as run:
            run(
                "create table point (batch text, parameter text, t timestamptz, v double precision)"
            )
            began = time.perf_counter()
            run(f"\\copy point from '{rows}' with (format csv)")
            return time.perf_counter() - began
    except (subprocess.CalledProcessError, KeyError, OSError):
        return None


def duckdb_overlay(table: pa.Table, last: int, count: int) -> float | None:
    """Seconds (warm, median of five) in which DuckDB lays batches over one another; None: not there."""
    try:
        duckdb: Any = importlib.import_module("duckdb")
    except ImportError:
        return None
    connection = duckdb.connect()
    connection.register("told", table)
    connection.execute("create table point as select * from told")
    sql = (
        f"select batch, position * {count} // {last} as bucket, min(v), max(v), avg(v)"  # noqa: S608 - numbers
        " from point group by 1, 2"
    )
    taken = []
    for _ in range(6):
        began = time.perf_counter()
        connection.execute(sql).fetchnumpy()
        taken.append(time.perf_counter() - began)
    return sorted(taken[1:])[2]
