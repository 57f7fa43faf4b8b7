"""F3 and the disk-full part of F5: each call fails once; all of it surfaces, nothing is halved."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fedbatch.errors import BusyError, IntegrityError, StoreError
from fedbatch.ports import Person
from fedbatch.store.database import Row
from fedbatch.store.journal import Journal
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.nodes import NodeDatabase
from fedbatch.store.objects import ObjectFolder
from tests.faults.failing import FailingFiles, FailingVFS, Fault, Kind
from tests.faults.outcome import Outcome
from tests.faults.recording import Disk, Log, RecordingVFS, lay_out
from tests.unit.store.making import (
    NOTE,
    OWN,
    PARTNERS,
    content_of,
    everything,
    held_item,
    import_row,
    journal_entry,
    ledger_entries,
    open_ledgers,
    sign_own,
    taken,
)

SEED = 20261124
Store = Ledgers | Journal | NodeDatabase
State = dict[str, list[Row]]


@pytest.fixture(autouse=True)
def _silence_second_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """An injected failure is reported once more where SQLite calls the VFS; the test has seen it."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


@dataclass(frozen=True)
class Operation:
    """What is opened, and what is done with it."""

    open: Callable[[Path, str | None], Store]
    act: Callable[[Store], object]


def ledgers(folder: Path, vfs: str | None) -> Ledgers:
    return Ledgers(folder, vfs=vfs, place=b"here")


def journal(folder: Path, vfs: str | None) -> Journal:
    return Journal(folder, vfs=vfs)


def node(folder: Path, vfs: str | None) -> NodeDatabase:
    return NodeDatabase(folder / "node.sqlite", vfs=vfs)


def on_ledgers(act: Callable[[Ledgers], object]) -> Operation:
    def acted(store: Store) -> object:
        assert isinstance(store, Ledgers)
        return act(store)

    return Operation(ledgers, acted)


def on_journal(act: Callable[[Journal], object]) -> Operation:
    def acted(store: Store) -> object:
        assert isinstance(store, Journal)
        return act(store)

    return Operation(journal, acted)


def on_node(act: Callable[[NodeDatabase], object]) -> Operation:
    def acted(store: Store) -> object:
        assert isinstance(store, NodeDatabase)
        return act(store)

    return Operation(node, acted)


def take(store: Ledgers) -> None:
    theirs = taken(store.ledger(PARTNERS).frontier, ledger_entries("theirs", 3))
    answer = ledger_entries("receipt", 1)
    store.take(theirs, NOTE, answer=answer, sign=sign_own)


def append_to_journal(store: Journal) -> None:
    entries = [journal_entry("new"), journal_entry("newer")]
    store.append(entries, NOTE, held=[held_item("h-2")], closed=["h-1"], imported=import_row("i-2"))


ORDINARY = {
    "append": on_ledgers(lambda s: s.append(OWN, ledger_entries("new", 4), NOTE, sign_own)),
    "journal append": on_journal(append_to_journal),
    "take": on_ledgers(take),
}
ALL = ORDINARY | {
    "pin": on_ledgers(lambda s: s.add_ledger("new", is_own=False, origin="a/b", key=bytes(32))),
    "setting": on_ledgers(lambda s: s.keep_setting("cursor", content_of("cursor", 9000))),
    "receipt": on_ledgers(lambda s: s.keep_cosignature(OWN, 20, content_of("cosignature"), 1)),
    "stop": on_ledgers(lambda s: s.stop(PARTNERS, "fork", NOTE)),
    "decide": on_journal(lambda s: s.decide("h-1", "7.2", NOTE)),
    "person": on_node(lambda s: s.add_person(Person(person="p-1", name="A", roles=()), NOTE)),
    "nonce": on_node(lambda s: s.burn_nonce("nonce", 1, 600)),
}


def prepare(folder: Path) -> None:
    """A store of each kind with something in it."""
    store = open_ledgers(folder)
    store.append(OWN, ledger_entries("old", 20), NOTE, sign_own)
    take_old = taken(store.ledger(PARTNERS).frontier, ledger_entries("theirs old", 5))
    store.take(take_old, NOTE)
    store.close()
    kept = Journal(folder)
    kept.append([journal_entry("old")], NOTE, held=[held_item("h-1")], imported=import_row("i-1"))
    kept.close()
    node(folder, None).close()


def state_of(operation: Operation, folder: Path) -> State:
    store = operation.open(folder, None)
    try:
        assert store.verify() == []
        return everything(store._database)
    finally:
        store.close()


def fail_once(operation: Operation, folder: Path, fault: Fault) -> tuple[str, bool]:
    """Open and act while a call fails: (what is wrong with how it surfaced, whether it promised)."""
    vfs = FailingVFS("failing", fault)
    store = None
    try:
        store = operation.open(folder, vfs.name)
        store._database.rows("pragma wal_autocheckpoint=1")  # the commit folds the WAL in, too
        operation.act(store)
    except (StoreError, IntegrityError, BusyError) as error:
        failed = f"{fault.kind} of {fault.failed}"
        if store is not None and "sync" in fault.failed and not refuses(operation, store):
            return f"{failed}: went on after a failed sync", False
        return ("" if isinstance(error, StoreError) else f"{failed}: {error!r}"), False
    else:
        is_silent = bool(fault.failed)
        return (f"{fault.kind} of {fault.failed}: did not surface" if is_silent else ""), True
    finally:
        fault.at = 0
        if store is not None:
            store.close()
        vfs.unregister()


def refuses(operation: Operation, store: Store) -> bool:
    try:
        operation.act(store)
    except StoreError:
        return True
    return False


def fail_each_call(name: str, operation: Operation, folder: Path) -> Outcome:
    outcome = Outcome(f"F3 {name}", SEED)
    prepared, work = folder / "prepared", folder / "work"
    prepare(prepared)
    shutil.copytree(prepared, work)
    old = state_of(operation, work)
    fail_once(operation, work, Fault())
    new = state_of(operation, work)
    assert old != new
    for kind in get_args(Kind):
        for at in count(1):
            shutil.rmtree(work)
            shutil.copytree(prepared, work)
            fault = Fault(kind, at)
            wrong, is_promised = fail_once(operation, work, fault)
            if not fault.failed:
                break
            found = state_of(operation, work)
            if found != new and (is_promised or found != old):
                wrong = f"{kind} of {fault.failed}: {'lost' if is_promised else 'half-applied'}"
            outcome.count(wrong)
    outcome.report()
    return outcome


@pytest.mark.parametrize("name", ORDINARY)
def test_each_failing_call_surfaces_and_leaves_old_or_new(folder: Path, name: str) -> None:
    outcome = fail_each_call(name, ORDINARY[name], folder)
    assert outcome.cases > 50
    assert not outcome.failures


@pytest.mark.long
@pytest.mark.parametrize("name", ALL)
def test_each_failing_call_of_every_operation_surfaces(folder: Path, name: str) -> None:
    assert not fail_each_call(name, ALL[name], folder).failures


def test_each_failing_call_of_an_object_surfaces_and_a_second_write_is_whole(folder: Path) -> None:
    outcome = Outcome("F3 object", SEED)
    content = content_of("attachment", 5000)
    for kind in get_args(Kind):
        for at in count(1):
            work = folder / f"{kind}{at}"
            fault = Fault(kind, at)
            with_fault = ObjectFolder(work / "objects", files=FailingFiles(fault))
            wrong = fault_of_write(with_fault, content)
            if not fault.failed:
                break
            wrong = wrong or "; ".join(with_fault.verify())
            name = ObjectFolder(work / "objects").write(content)
            outcome.count(wrong or ("" if with_fault.read(name) == content else "not whole"))
    outcome.report()
    assert outcome.cases > 10
    assert not outcome.failures


def fault_of_write(objects: ObjectFolder, content: bytes) -> str:
    try:
        objects.write(content)
    except StoreError:
        return ""
    return "did not surface"


def test_object_whose_name_was_not_synced_is_synced_by_the_next_write(folder: Path) -> None:
    content = content_of("attachment")
    fault = Fault(at=9)  # two folders, open, write, sync, rename are done: the last sync fails
    objects = ObjectFolder(folder / "objects", files=FailingFiles(fault))
    assert fault_of_write(objects, content) == ""
    assert fault.failed == ["sync"]
    again = Fault(at=1)
    repeated = ObjectFolder(folder / "objects", files=FailingFiles(again))
    assert repeated.verify() == []
    assert fault_of_write(repeated, content) == ""
    assert again.failed == ["sync"]


def lose_last_append(folder: Path, *, swallow: bool) -> Outcome:
    """Cut the power just after an append has returned, its syncs failing in silence or not."""
    work, image = folder / "work", folder / "image"
    work.mkdir()
    log = Log(work)
    vfs = RecordingVFS("recording", log)
    store = open_ledgers(work, vfs.name)
    log.is_lying = swallow
    store.append(OWN, ledger_entries("new", 3), NOTE, sign_own)
    disk, chance = Disk(), np.random.default_rng(SEED)
    for event in log.events:
        disk.play(event)
    outcome = Outcome(f"F3 {'swallowed' if swallow else 'honest'} sync", SEED)
    for _ in range(30):
        image.mkdir()
        lay_out(disk.cut(len(log.events), chance), image)
        after = Ledgers(image, place=b"here")
        outcome.count("" if after.ledger(OWN).size == 3 else "lost")
        after.close()
        shutil.rmtree(image)
    store.close()
    vfs.unregister()
    outcome.report()
    return outcome


def test_append_that_returned_is_there_after_a_cut(folder: Path) -> None:
    assert not lose_last_append(folder, swallow=False).failures


def test_control_a_swallowed_sync_failure_loses_the_append(folder: Path) -> None:
    assert lose_last_append(folder, swallow=True).failures


@pytest.mark.parametrize("quota", [0, 4_000, 10_000, 40_000, 100_000])
def test_full_disk_refuses_before_promising_and_takes_again_once_there_is_space(
    folder: Path, quota: int
) -> None:
    prepare(folder)
    fault = Fault("full", quota=None)
    vfs = FailingVFS("failing", fault)
    store = Ledgers(folder, vfs=vfs.name, place=b"here")
    fault.quota = quota
    promised = fill(store)
    assert "write" in fault.failed
    assert store.ledger(OWN).size == promised
    assert len(store.entries(OWN, 0, 1 << 20)) == promised
    fault.quota = None
    with pytest.raises(StoreError, match="until the node is started again"):
        store.append(OWN, ledger_entries("space again", 1), NOTE, sign_own)
    store.close()
    vfs.unregister()
    again = Ledgers(folder, place=b"here")
    assert again.verify() == []
    assert again.ledger(OWN).size == promised
    assert again.append(OWN, ledger_entries("again", 1), NOTE, sign_own).first == promised
    again.close()


def fill(store: Ledgers) -> int:
    """Append until the disk is full: the size last promised."""
    size = store.ledger(OWN).size
    for number in count():
        try:
            size = store.append(OWN, ledger_entries(f"fill {number}", 2), NOTE, sign_own).size
        except StoreError:
            break
    return size


def test_control_without_a_quota_nothing_is_refused(folder: Path) -> None:
    prepare(folder)
    fault = Fault("full", quota=1 << 30)
    vfs = FailingVFS("failing", fault)
    store = Ledgers(folder, vfs=vfs.name, place=b"here")
    for number in range(20):
        store.append(OWN, ledger_entries(f"fill {number}", 2), NOTE, sign_own)
    store.close()
    vfs.unregister()
    assert fault.failed == []
