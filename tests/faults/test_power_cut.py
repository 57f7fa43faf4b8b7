"""F1: the power is cut; what was promised is there, and nothing is half there."""

import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from fedbatch.errors import FedbatchError
from fedbatch.ledger.tree import Frontier
from fedbatch.store.database import Database, Row
from fedbatch.store.journal import Journal
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.objects import Files, ObjectFolder
from tests.faults.outcome import Outcome
from tests.faults.recording import Log, RecordingFiles, RecordingVFS, cuts, lay_out
from tests.unit.store.making import (
    NOTE,
    OWN,
    OWN_KEY,
    OWN_ORIGIN,
    PARTNERS,
    PARTNERS_KEY,
    PARTNERS_ORIGIN,
    content_of,
    everything,
    held_item,
    import_row,
    journal_entry,
    ledger_entries,
    sign_own,
    taken,
)

SEED = 20261124
RECOVERY_S_MAX = 2.0
State = dict[str, list[Row]]
Operation = Callable[[], object]


def hasten(database: Database, synchronous: str) -> None:
    """Fold the WAL in often, so that cuts meet it; and, for controls, sync less than the store."""
    database.rows("pragma wal_autocheckpoint=12")
    database.rows(f"pragma synchronous={synchronous}")


def run(log: Log, database: Database, operations: Sequence[Operation]) -> list[State]:
    """Do one operation after the other; the state after each is what its return promises."""
    states = [everything(database)]
    log.promise(0)
    for number, operation in enumerate(operations, 1):
        operation()
        log.promise(number)
        states.append(everything(database))
    return states


def ledger_operations(store: Ledgers) -> list[Operation]:
    pin = store.add_ledger
    operations: list[Operation] = [
        partial(pin, OWN, is_own=True, origin=OWN_ORIGIN, key=OWN_KEY.public),
        partial(pin, PARTNERS, is_own=False, origin=PARTNERS_ORIGIN, key=PARTNERS_KEY.public),
        partial(store.keep_setting, "proposal", content_of("proposal", 3000)),
        partial(store.append, OWN, ledger_entries("many", 250), NOTE, sign_own),
    ]
    frontier = Frontier()
    for number in range(12):  # the third passes entry 256
        entries = ledger_entries(f"group {number}", 1 + number % 4)
        theirs = taken(frontier, ledger_entries(f"theirs {number}", 1 + number % 3))
        frontier = theirs.frontier
        answer = ledger_entries(f"receipt {number}", number % 2)
        operations += [
            partial(store.append, OWN, entries, NOTE, sign_own),
            partial(store.take, theirs, NOTE, answer=answer, sign=sign_own),
            partial(keep_receipt, store, content_of(f"cosignature {number}", 150)),
        ]
    return [*operations, partial(store.stop, PARTNERS, "fork", NOTE)]


def keep_receipt(store: Ledgers, cosignature: bytes) -> None:
    store.keep_cosignature(OWN, store.ledger(OWN).size, cosignature, 1)


def record_ledgers(log: Log, synchronous: str) -> list[State]:
    vfs = RecordingVFS("recording", log)
    store = Ledgers(log.folder, vfs=vfs.name, place=b"here")
    hasten(store._database, synchronous)
    states = run(log, store._database, ledger_operations(store))
    store.close()
    vfs.unregister()
    return states


def attachment(number: int) -> bytes:
    return content_of(f"file {number}", 1500 + 900 * (number % 5))


def take_in(journal: Journal, objects: ObjectFolder, number: int) -> None:
    objects.write(attachment(number))
    enter(journal, number)


def take_in_row_first(journal: Journal, objects: ObjectFolder, number: int) -> None:
    enter(journal, number)
    objects.write(attachment(number))


def enter(journal: Journal, number: int) -> None:
    name = f"file {number}"
    held = [held_item(name)] if number % 2 else []
    closed = [f"file {number - 1}"]
    entry, row = journal_entry(name), import_row(name)
    journal.append([entry], NOTE, held=held, closed=closed, imported=row)


def record_journal(
    log: Log,
    files: Files,
    take: Callable[[Journal, ObjectFolder, int], None] = take_in,
    synchronous: str = "FULL",
) -> list[State]:
    vfs = RecordingVFS("recording", log)
    journal = Journal(log.folder, vfs=vfs.name)
    hasten(journal._database, synchronous)
    objects = ObjectFolder(log.folder / "objects", files=files)
    operations = [partial(take, journal, objects, number) for number in range(24)]
    states = run(log, journal._database, operations)
    journal.close()
    vfs.unregister()
    return states


def fault_in_state(database: Database, states: list[State], promised: int) -> str:
    """The state is that of the last promise, or the whole of what was under way."""
    found = everything(database)
    allowed = states[max(promised, 0) : promised + 2]
    if found in allowed:
        return ""
    return "lost" if found in states else "half-applied"


def fault_in_ledgers(folder: Path, states: list[State], promised: int) -> str:
    store = Ledgers(folder, place=b"here")
    try:
        fault = "; ".join(store.verify()) or fault_in_state(store._database, states, promised)
        if not fault and store.ledgers():  # and it goes on from there
            store.append(OWN, ledger_entries("after the cut", 1), NOTE, sign_own)
        return fault
    finally:
        store.close()


def fault_in_journal(folder: Path, states: list[State], promised: int) -> str:
    journal, objects = Journal(folder), ObjectFolder(folder / "objects")
    try:
        wrong = [*journal.verify(), *objects.verify()]
        if fault := "; ".join(wrong) or fault_in_state(journal._database, states, promised):
            return fault
        for number in range(journal.size()):  # no row without the object it stands for
            objects.read(sha256(attachment(number)).hexdigest())
        return ""
    finally:
        journal.close()


Check = Callable[[Path, list[State], int], str]


def cut_often(name: str, log: Log, states: list[State], count: int, check: Check) -> Outcome:
    outcome = Outcome(name, SEED)
    slowest = 0.0
    for cut in cuts(log.events, count, np.random.default_rng(SEED)):
        image = log.folder.with_name("image")
        image.mkdir()
        lay_out(cut, image)
        begun = time.monotonic()
        try:
            fault = check(image, states, cut.promised)
        except FedbatchError as error:
            fault = f"unreadable: {error}"
        slowest = max(slowest, time.monotonic() - begun)
        shutil.rmtree(image)
        outcome.count(fault and f"cut at {cut.at} of {len(log.events)}: {fault}")
    outcome.report()
    assert slowest <= RECOVERY_S_MAX
    return outcome


def new_log(folder: Path) -> Log:
    work = folder / "work"
    work.mkdir()
    return Log(work)


class UnsyncedFiles(RecordingFiles):
    """Writes a file and never syncs it, nor its name."""

    @override
    def write(self, path: Path, content: bytes, mode: int) -> None:
        self._log.add("open", path)
        self._log.add("write", path, 0, content)
        Files.write(self, path, content, mode)

    @override
    def sync_folder(self, folder: Path) -> None:
        Files.sync_folder(self, folder)


def cut_ledgers(folder: Path, count: int, synchronous: str = "FULL") -> Outcome:
    log = new_log(folder)
    states = record_ledgers(log, synchronous)
    return cut_often(f"F1 ledgers, {synchronous}", log, states, count, fault_in_ledgers)


def cut_journal(folder: Path, count: int) -> Outcome:
    log = new_log(folder)
    states = record_journal(log, RecordingFiles(log))
    return cut_often("F1 journal and objects", log, states, count, fault_in_journal)


def test_power_cut_loses_no_promised_entry_and_halves_none(folder: Path) -> None:
    assert not cut_ledgers(folder, 500).failures


def test_power_cut_leaves_no_journal_row_without_its_object(folder: Path) -> None:
    assert not cut_journal(folder, 300).failures


@pytest.mark.long
def test_twenty_thousand_power_cuts_lose_nothing(folder: Path) -> None:
    (folder / "ledgers").mkdir()
    (folder / "journal").mkdir()
    assert not cut_ledgers(folder / "ledgers", 13_000).failures
    assert not cut_journal(folder / "journal", 7_000).failures


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_control_less_than_full_loses_promised_entries(folder: Path, synchronous: str) -> None:
    assert cut_ledgers(folder, 40, synchronous).failures


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_control_less_than_full_loses_promised_journal_entries(
    folder: Path, synchronous: str
) -> None:
    log = new_log(folder)
    states = record_journal(log, RecordingFiles(log), synchronous=synchronous)
    assert cut_often(f"F1 journal, {synchronous}", log, states, 40, fault_in_journal).failures


def test_control_a_row_before_its_object_is_found(folder: Path) -> None:
    log = new_log(folder)
    states = record_journal(log, RecordingFiles(log), take_in_row_first)
    found = cut_often("F1 row before object", log, states, 60, fault_in_journal).failures
    assert any("Expected an object held here" in fault for fault in found)


def test_control_an_object_not_synced_is_found(folder: Path) -> None:
    log = new_log(folder)
    states = record_journal(log, UnsyncedFiles(log))
    assert cut_often("F1 object not synced", log, states, 40, fault_in_journal).failures


def test_control_a_disk_that_swallows_syncs_is_found(folder: Path) -> None:
    log = new_log(folder)
    log.is_lying = True
    states = record_ledgers(log, "FULL")
    assert cut_often("F1 lying disk", log, states, 40, fault_in_ledgers).failures
