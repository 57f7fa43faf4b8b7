"""F2 of the store: two processes append to one ledger and are killed; what they answered is there."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from fedbatch.store.ledgers import Ledgers
from tests.faults.outcome import Outcome
from tests.unit.store.making import NOTE, OWN, ledger_entries, open_ledgers, sign_own

SEED = 20261124
ROOT = Path(__file__).parents[2]


class Writer:
    """A process that appends, and says which size it has reached."""

    def __init__(self, mode: Literal["append", "early"], folder: Path, name: str) -> None:
        command = [sys.executable, "-m", "tests.faults.dying", mode, str(folder), name]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        self._first = b""

    def wait_for_answer(self) -> None:
        assert self._process.stdout is not None
        self._first = self._process.stdout.readline()
        assert self._first, "the writer ended of itself"

    def kill(self) -> int:
        """End it without warning; the last size it answered with."""
        self._process.kill()
        rest, _ = self._process.communicate()
        whole = (self._first + rest).split(b"\n")[:-1]  # without its newline it is no answer
        return int(whole[-1])


def fault_after(folder: Path, answered: int) -> str:
    store = Ledgers(folder, place=b"here")
    lost = "lost" if store.ledger(OWN).size < answered else ""
    fault = lost or "; ".join(store.verify())
    store.close()
    return fault


def kill_writers(folder: Path, kills: int) -> Outcome:
    open_ledgers(folder).close()
    chance = np.random.default_rng(SEED)
    outcome = Outcome("F2", SEED)
    for number in range(kills // 2):
        writers = [Writer("append", folder, f"{side} {number}") for side in ("left", "right")]
        for writer in writers:
            writer.wait_for_answer()
        time.sleep(float(chance.uniform(0, 0.1)))
        for writer in writers:  # the second still writes while the store is verified
            outcome.count(fault_after(folder, writer.kill()))
    outcome.report()
    return outcome


def test_two_killed_writers_lose_no_answered_entry(folder: Path) -> None:
    outcome = kill_writers(folder, 8)
    assert outcome.cases == 8
    assert not outcome.failures
    store = Ledgers(folder, place=b"here")
    size = store.ledger(OWN).size
    assert size > 16
    assert [index for index, _, _ in store.entries(OWN, 0, size)] == list(range(size))
    names = {head.entry_id.split(" ")[0] for head in store.heads(OWN).values()}
    assert names == {"entry-left", "entry-right"}
    store.append(OWN, ledger_entries("after", 1), NOTE, sign_own)
    assert store.verify() == []
    store.close()


def test_control_an_answer_before_the_commit_is_lost(folder: Path) -> None:
    open_ledgers(folder).close()
    writer = Writer("early", folder, "left")
    writer.wait_for_answer()
    assert fault_after(folder, writer.kill()) == "lost"


@pytest.mark.long
def test_three_hundred_kills_lose_nothing(folder: Path) -> None:
    assert not kill_writers(folder, 300).failures
