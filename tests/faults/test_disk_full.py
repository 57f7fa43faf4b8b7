"""F5: a disk that fills up: refused before anything is promised, readable meanwhile, whole afterwards."""

import errno
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from fedbatch.errors import FedbatchError
from fedbatch.node.reading import read_results
from fedbatch.node.verifying import verify_home
from fedbatch.store.objects import Files, ObjectFolder
from tests.faults.outcome import Outcome
from tests.scenarios.making import AGREED, are_equal, linked, row, write_table

SEED = 20261124


class Room(Files):
    """A disk with room for so many bytes."""

    def __init__(self, left: int) -> None:
        self.left = left

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        if len(content) > self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= len(content)
        super().write(path, content, mode)


def fill(folder: Path, left: int) -> str:
    """Import until the disk is full; what is wrong afterwards."""
    with linked(folder) as made:
        made.deliver([row("B0")])
        home = made.cmo.home
        real = home.journal_objects
        home.__dict__["journal_objects"] = ObjectFolder(
            home.path / "journal" / "objects", files=Room(left)
        )
        promised = {"B0"}
        refused = 0
        for number in range(1, 12):
            rows = [row(f"B{index}") for index in range(number + 1)]
            try:
                made.cmo.take(write_table(folder / "tables" / f"t{number}.csv", rows))
                promised.add(f"B{number}")
            except FedbatchError:
                refused += 1
        if not refused:
            return "the disk was never full"
        if len(read_results(made.sponsor.home)) == 0:
            return "reading failed while the disk was full"
        home.__dict__["journal_objects"] = real
        made.cmo.take(write_table(folder / "tables" / "last.csv", [row("B99")]))
        made.cmo.share(AGREED)
        made.settle()
        seen = {item.batch.split(" / ")[0] for item in read_results(made.sponsor.home)}
        if not promised <= seen:
            return f"lost {sorted(promised - seen)}"
        if not are_equal(made):
            return "the copies differ"
        return "; ".join(verify_home(home).wrong)


def test_a_full_disk_refuses_before_it_promises_and_recovers(folder: Path) -> None:
    chance = np.random.default_rng(SEED)
    outcome = Outcome("F5", SEED)
    for case in range(10):
        outcome.count(fill(folder / str(case), int(chance.integers(0, 2500))))
    outcome.report()
    assert outcome.failures == []


def test_control_a_disk_that_says_it_wrote_loses_what_was_promised(folder: Path) -> None:
    class Lying(Files):
        @override
        def write(self, path: Path, content: bytes, mode: int) -> None:
            super().write(path, b"", mode)

    with linked(folder) as made:
        home = made.cmo.home
        home.__dict__["journal_objects"] = ObjectFolder(
            home.path / "journal" / "objects", files=Lying()
        )
        made.cmo.take(write_table(folder / "tables" / "t.csv", [row("B1")]))
        assert verify_home(home).wrong


@pytest.mark.long
def test_a_full_disk_two_hundred_times(folder: Path) -> None:
    chance = np.random.default_rng(SEED + 1)
    outcome = Outcome("F5 long", SEED + 1)
    for case in range(200):
        outcome.count(fill(folder / str(case), int(chance.integers(0, 2500))))
    outcome.report()
    assert outcome.failures == []
