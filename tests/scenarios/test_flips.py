"""T7 reduced: one byte flipped in any file of a home is named by `verify`, or the home refuses."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest

from fedbatch.errors import FedbatchError
from fedbatch.node.home import Home
from fedbatch.node.verifying import verify_home
from tests.fakes.clock import FakeClock
from tests.scenarios.making import linked, row

FLIPS = 40
# Views are rebuilt from the ledgers; settings and invitations are a person's text, not evidence.
REBUILT = {"views.sqlite", "views.sqlite-wal", "views.sqlite-shm"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A CMO's home, closed, with both ledgers, a journal and an imported file."""
    with linked(tmp_path_factory.mktemp("flips")) as made:
        made.deliver([row(f"B{at}") for at in range(4)])
        path = made.cmo.home.path
        made.cmo.home.certificate()
        made.cmo.home.close()
        yield path


def wrong(folder: Path) -> str:
    """What is said of a home: what verify names, or why it refuses; "" when all is well."""
    try:
        with Home(folder, clock=FakeClock()) as opened:
            return "; ".join(verify_home(opened).wrong)
    except FedbatchError as error:
        return str(error)


def files(folder: Path) -> list[Path]:
    return sorted(
        item
        for item in folder.rglob("*")
        if item.is_file() and item.stat().st_size and item.name not in REBUILT
    )


def flip(path: Path, at: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def copy_of(home: Path, number: int) -> Path:
    folder = home.parent / f"copy-{number}"
    shutil.copytree(home, folder)
    return folder


def test_home_as_it_is_verifies(home: Path) -> None:
    """The control: nothing is named where nothing was flipped."""
    folder = copy_of(home, 10_000)
    assert wrong(folder) == ""
    shutil.rmtree(folder)


def test_flip_in_any_kind_of_file_is_named_or_refused(home: Path) -> None:
    chance = np.random.default_rng(7)
    unseen = []
    names = [item.relative_to(home) for item in files(home)]
    for number in range(max(FLIPS, len(names))):
        folder = copy_of(home, number)
        path = folder / names[number % len(names)]
        before = path.read_bytes()
        at = int(chance.integers(len(before)))
        flip(path, at, int(chance.integers(8)))
        if not wrong(folder) and means_something(path, before, at):
            unseen.append(f"{names[number % len(names)]} at {at} of {len(before)}")
        shutil.rmtree(folder)
    assert not unseen, unseen


def means_something(path: Path, before: bytes, at: int) -> bool:
    """Whether a byte carries content: SQLite's pages have slack that no row uses."""
    if path.suffix == ".toml":
        return False
    if not before.startswith(b"SQLite format 3\0"):
        return True
    return not is_slack(path, before, at)


def is_slack(path: Path, before: bytes, at: int) -> bool:
    """A flip in slack leaves every row as it was."""
    whole = path.with_suffix(".whole")
    whole.write_bytes(before)
    same = dump(whole) == dump(path)
    whole.unlink()
    return same


def dump(path: Path) -> list[str]:
    """Every row of every table, and the schema."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        schema = list(connection.execute("select type, name, sql from sqlite_schema order by 2"))
        tables = [str(name) for kind, name, _ in schema if kind == "table"]
        rows = [row for name in tables for row in connection.execute(f'select * from "{name}"')]  # noqa: S608 - names from the file
        return [repr(item) for item in [*schema, *rows]]
    finally:
        connection.close()
