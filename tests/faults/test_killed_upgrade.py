"""F15 of the store: an upgrade that ends midway leaves the old version or the new, never between."""

import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Literal

import apsw
import numpy as np
import pytest

from fedbatch.store.database import Database
from tests.faults.dying import NEW, OLD
from tests.faults.outcome import Outcome
from tests.faults.recording import Log, RecordingVFS, cuts, lay_out
from tests.unit.store.making import content_of, everything

SEED = 20261124
ROOT = Path(__file__).parents[2]
ROWS = 60
Version = Literal["old", "new", "between"]


def make_old(folder: Path) -> None:
    with Database(folder / "upgraded.sqlite", OLD) as database, database.writing():
        rows = [(f"part {number}", content_of(str(number), 500)) for number in range(ROWS)]
        database.execute_many("insert into part values (?, ?)", rows)


def version_of(folder: Path) -> Version:
    """Which version lies there, whole, to a reader that upgrades nothing."""
    connection = apsw.Connection(str(folder / "upgraded.sqlite"))
    names = {str(name) for (name,) in connection.execute("select name from sqlite_schema")}
    number = connection.pragma("user_version")
    table = "part" if "part" in names else "piece"
    rows = list(connection.execute(f"select name, content from {table}"))  # noqa: S608 - a constant
    sound = list(connection.execute("pragma integrity_check")) == [("ok",)]
    connection.close()
    if not sound or len(rows) != ROWS:
        return "between"
    if names == {"part"} and number == 1:
        return "old"
    return "new" if names == {"piece", "piece_size"} and number == 2 else "between"


def fault_after(folder: Path) -> tuple[str, Version]:
    """What is wrong with a version, or with going on from it."""
    version = version_of(folder)
    with Database(folder / "upgraded.sqlite", NEW) as database:
        upgraded = everything(database)
    is_whole = set(upgraded) == {"piece"} and len(upgraded["piece"]) == ROWS
    return ("between" if version == "between" or not is_whole else ""), version


def kill_upgrades(folder: Path, places: list[int]) -> tuple[Outcome, set[Version]]:
    outcome, versions = Outcome("F15 kills", SEED), set[Version]()
    for place in places:
        work = folder / str(place)
        work.mkdir()
        make_old(work)
        subprocess.run(
            [sys.executable, "-m", "tests.faults.dying", "upgrade", str(work), str(place)],
            check=False,
            cwd=ROOT,
        )
        fault, version = fault_after(work)
        versions.add(version)
        outcome.count(fault)
    outcome.report()
    return outcome, versions


def test_killed_upgrade_leaves_old_or_new(folder: Path) -> None:
    outcome, versions = kill_upgrades(folder, [1, 5, 15, 20, 200])
    assert not outcome.failures
    assert versions == {"old", "new"}


@pytest.mark.long
def test_upgrade_killed_at_every_call_leaves_old_or_new(folder: Path) -> None:
    assert not kill_upgrades(folder, list(range(1, 201)))[0].failures


def cut_upgrades(folder: Path, migrations: tuple[str, ...], cases: int) -> Outcome:
    """Cut the power during an upgrade; one statement at a time where they are so given."""
    work, image = folder / "work", folder / "image"
    work.mkdir()
    make_old(work)
    log = Log(work)
    vfs = RecordingVFS("recording", log)
    Database(work / "upgraded.sqlite", migrations, vfs=vfs.name).close()
    vfs.unregister()
    outcome = Outcome("F15 cuts", SEED)
    for cut in cuts(log.events, cases, np.random.default_rng(SEED)):
        image.mkdir()
        lay_out(cut, image)
        outcome.count("between" if version_of(image) == "between" else "")
        shutil.rmtree(image)
    outcome.report()
    return outcome


def test_power_cut_during_an_upgrade_leaves_old_or_new(folder: Path) -> None:
    assert not cut_upgrades(folder, NEW, 100).failures


def test_control_an_upgrade_outside_one_transaction_is_found_between(folder: Path) -> None:
    statements = [part for part in NEW[1].split(";") if part.strip()]
    assert cut_upgrades(folder, (*OLD, *statements), 100).failures


def test_store_whose_making_was_killed_is_made_anew(folder: Path) -> None:
    for place in count(1):
        work = folder / str(place)
        work.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.dying", "upgrade", str(work), str(5 * place)],
            check=False,
            cwd=ROOT,
        )
        with Database(work / "upgraded.sqlite", NEW) as database:
            assert everything(database) == {"piece": []}
        if done.returncode == 0:
            break
    assert place > 1
