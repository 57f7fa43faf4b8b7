"""F10, a home lost entirely; F14, a backup under load restored, its writer behind its partner."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fedbatch.errors import FedbatchError, IntegrityError
from fedbatch.ledger.frames import BUNDLE_ENTRIES_MAX
from fedbatch.ledger.tree import Frontier, leaf_hash
from fedbatch.node.backups import back_up, restore
from fedbatch.node.key_keeping import restore_keys
from fedbatch.node.reviewing import withdraw_wrong_party
from fedbatch.node.verifying import verify_home
from fedbatch.ports import Adopted, AuditNote, CheckpointRow, NewLedgerEntry
from fedbatch.services.posting import head_signer
from fedbatch.store.ledgers import Ledgers
from tests.faults.outcome import Outcome
from tests.scenarios.making import AGREED, Link, are_equal, envelope, linked, row
from tests.scenarios.test_rebuild import (
    BOTH,
    bring_keys_back,
    entries_of,
    lose,
    rebuild,
    seal_keys,
    state_of,
)
from tests.scenarios.world import Node

SEED = 20261124
ROOT = Path(__file__).parents[2]
NOTE = AuditNote(act="take back", by="node", time="2026-03-02T08:00:00.000Z")


def quiet(done: int, total: int) -> None:
    del done, total


def fill(made: Link, entries: int) -> None:
    """Batches up to so many entries; beyond a few thousand the rest are of a type yet to come."""
    made.deliver([row(f"B{number}") for number in range(min(entries // 6, 400))])
    store = made.stores[0]
    own = store.ledgers()[0]
    sign = head_signer(made.cmo.home.keys, f"agreement/{AGREED}/ledger", own.origin)
    for start in range(own.size, entries, 20_000):
        end = min(start + 20_000, entries)
        store.append(own.ledger, [_entry(made, at) for at in range(start, end)], NOTE, sign)
        made.settle()
    made.settle()


def _entry(made: Link, at: int) -> NewLedgerEntry:
    id_ = f"id-{at}"
    content = envelope(made.cmo, made.sponsor, "later", {"n": at}, id=id_)
    return NewLedgerEntry(
        content=content, type="later", key=(id_,), version=1, digest=b"", entry_id=id_
    )


# ---- F10


def lose_and_rebuild(folder: Path, entries: int, side: str) -> float:
    """Entries a second that came back."""
    with linked(folder) as made:
        lost, other = (made.cmo, made.sponsor) if side == "cmo" else (made.sponsor, made.cmo)
        fill(made, entries)
        keys, before = seal_keys(lost), state_of(lost)
        lose(lost)
        bring_keys_back(made, lost, keys)
        started = time.perf_counter()
        rebuild(made, lost, other)
        took = time.perf_counter() - started
        assert state_of(lost) == before
        made.settle()
        assert are_equal(made)
        assert verify_home(lost.home).wrong == []
        if side == "cmo":
            lost.map("small")
        size = made.stores[0].ledgers()[0].size
        made.take([row("B0"), row("B1")], "again.csv")
        assert made.cmo.share(AGREED).posted == 0
        made.take([row("B0"), row("B1"), row("B-new")], "more.csv")
        assert made.cmo.share(AGREED).posted > 0
        made.settle()
        assert are_equal(made)
        return size / took


@pytest.mark.parametrize("side", ["cmo", "sponsor"])
def test_home_lost_entirely_is_rebuilt_from_its_partner_with_equal_roots(
    folder: Path, side: str
) -> None:
    rate = lose_and_rebuild(folder, 1500, side)
    print(f"F10 {side}: {rate:,.0f} entries/s")  # noqa: T201 - the figures are what a fault test is for


def alter(store: Ledgers, ledger: str, index: int) -> list[bytes]:
    """Change an entry of a copy as somebody would who can write the partner's disk; what stood there."""
    first = index // BUNDLE_ENTRIES_MAX * BUNDLE_ENTRIES_MAX
    before = [content for _, _, content in store.entries(ledger, first, BUNDLE_ENTRIES_MAX)]
    contents = [*before]
    contents[index - first] += b" "
    put(store, ledger, first, contents)
    return before


def put(store: Ledgers, ledger: str, first: int, contents: list[bytes]) -> None:
    leaves = [leaf_hash(item) for item in contents]
    with store._database.writing():
        store._bundles._insert(ledger, first // BUNDLE_ENTRIES_MAX, contents, leaves)


def test_an_altered_copy_rebuilds_nothing_of_it(folder: Path) -> None:
    chance = np.random.default_rng(SEED)
    outcome = Outcome("F10 altered", SEED)
    with linked(folder) as made:
        fill(made, 600)
        keys, own = seal_keys(made.cmo), made.stores[0].ledgers()[0]
        lose(made.cmo)
        bring_keys_back(made, made.cmo, keys)
        for _ in range(20):
            index = int(chance.integers(0, 2 * BUNDLE_ENTRIES_MAX))
            before = alter(made.stores[1], own.ledger, index)
            try:
                rebuild(made, made.cmo, made.sponsor)
                outcome.count("taken")
            except IntegrityError as error:
                outcome.count("" if error.code == "gap" else error.code)
            put(made.stores[1], own.ledger, index - index % BUNDLE_ENTRIES_MAX, before)
            assert made.stores[0].ledgers()[0].size == 0
        rebuild(made, made.cmo, made.sponsor)
        assert made.stores[0].ledgers()[0].root == own.root
    outcome.report()
    assert outcome.cases == 20
    assert not outcome.failures


def test_control_an_altered_copy_taken_unchecked_is_another_ledger(folder: Path) -> None:
    with linked(folder) as made:
        fill(made, 600)
        own = made.stores[0].ledgers()[0]
        alter(made.stores[1], own.ledger, 7)
        contents = [content for _, content in made.stores[1].scan(own.ledger)]
        leaves = [leaf_hash(content) for content in contents]
        frontier = Frontier().extend(leaves)
        fresh = Ledgers(folder / "unchecked")
        fresh.add_ledger(own.ledger, is_own=True, origin=own.origin, key=own.key)
        fresh.adopt(
            Adopted(
                ledger=own.ledger,
                first=0,
                entries=contents,
                leaves=leaves,
                frontier=frontier,
                checkpoints=[CheckpointRow(size=frontier.size, root=frontier.root(), note=b"")],
                heads=[None] * len(contents),
            ),
            NOTE,
        )
        assert fresh.ledger(own.ledger).size == own.size
        assert fresh.ledger(own.ledger).root != own.root
        fresh.close()


@pytest.mark.long
def test_a_million_entries_are_rebuilt(folder: Path) -> None:
    rate = lose_and_rebuild(folder, 1_000_000, "cmo")
    print(f"F10 long: {rate:,.0f} entries/s")  # noqa: T201 - as above


# ---- F14


@contextmanager
def load(made: Link, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that imports and shares; this one goes on exchanging."""
    tables = made.world.folder / "load"
    tables.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.faults.sharing_on", str(made.cmo.home.path)]
    process = subprocess.Popen([*command, str(tables), name], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "the writer ended of itself"
        yield process
    finally:
        process.kill()
        process.communicate()


def restore_into(made: Link, node: Node, backup: Path, keys: bytes) -> None:
    lose(node)
    restore(backup, node.home.path, quiet, clock=node.clock)
    restore_keys(node.home.path, keys, BOTH, clock=node.clock)
    made.restart(node)


def fault_after(made: Link, exchanged: int) -> str:
    """What is wrong once the restored writer has been rebuilt and went on."""
    rebuild(made, made.cmo, made.sponsor)
    made.settle()
    own = made.stores[0].ledgers()[0]
    if own.size < exchanged:
        return f"{exchanged - own.size} exchanged entries lost"
    made.take([row("B-after")], "after.csv")
    try:
        made.cmo.share(AGREED)
        made.settle()
    except FedbatchError as error:
        return f"{error.code}: {error}"
    wrong = [text for node in (made.cmo, made.sponsor) for text in verify_home(node.home).wrong]
    if wrong:
        return "; ".join(wrong)
    return "" if are_equal(made) else "roots differ"


def test_backup_under_load_is_restored_and_its_writer_catches_up(folder: Path) -> None:
    with linked(folder) as made:
        made.deliver([row("B1"), row("B-secret", assay="77.31")])
        keys = seal_keys(made.cmo)
        with load(made, "L"):
            made.sync()
            before = made.stores[0].ledgers()[0].size
            back_up(made.cmo.home, made.cmo.person, folder / "backup", quiet)
            after = made.stores[0].ledgers()[0].size
            made.sync()
        assert after >= before
        made.settle()
        withdraw_wrong_party(
            made.cmo.home, "B-secret", made.cmo.known(AGREED), made.cmo.person, "another's"
        )
        made.settle()
        exchanged = made.stores[1].ledgers()[1].size
        restore_into(made, made.cmo, folder / "backup", keys)
        restored = made.stores[0].ledgers()[0].size
        assert before <= restored < exchanged
        assert fault_after(made, exchanged) == ""
        assert b"B-secret" not in entries_of(made.sponsor, is_own=False)


def behind(folder: Path, cases: int) -> Outcome:
    """Writers restored at different points behind their partner."""
    chance = np.random.default_rng(SEED)
    outcome = Outcome("F14 behind", SEED)
    with linked(folder) as made:
        made.deliver([row("B0")])
        keys = seal_keys(made.cmo)
        for number in range(cases):
            backup = folder / f"backup-{number}"
            back_up(made.cmo.home, made.cmo.person, backup, quiet)
            for later in range(int(chance.integers(0, 3))):
                made.deliver([row(f"B{number}-{later}", assay=f"9{later}.1")])
            if chance.random() < 0.5:
                # Posted and never sent: only what is local may be lost.
                made.take([row(f"B{number}-local")])
                made.cmo.share(AGREED)
            exchanged = made.stores[1].ledgers()[1].size
            restore_into(made, made.cmo, backup, keys)
            outcome.count(fault_after(made, exchanged))
            shutil.rmtree(backup)
    outcome.report()
    return outcome


def test_writers_restored_behind_their_partner_never_fork(folder: Path) -> None:
    outcome = behind(folder, 10)
    assert outcome.cases == 10
    assert not outcome.failures


def test_control_a_copy_of_the_live_file_without_its_log_loses_what_was_promised(
    folder: Path,
) -> None:
    with linked(folder) as made:
        made.deliver([row(f"B{number}") for number in range(20)])
        promised = made.stores[0].ledgers()[0].size
        source = made.cmo.home.agreement_folder(AGREED) / "ledgers.sqlite"
        target = folder / "copied"
        target.mkdir()
        shutil.copy(source, target / "ledgers.sqlite")
        try:
            copy = Ledgers(target)
            rows = copy.ledgers()
            copied = rows[0].size if rows else 0
            copy.close()
        except FedbatchError:
            copied = 0
        assert copied < promised
        back_up(made.cmo.home, made.cmo.person, folder / "backup", quiet)
        whole = Ledgers(folder / "backup" / "agreements" / AGREED)
        assert whole.ledgers()[0].size == promised
        whole.close()


def test_control_a_restored_writer_that_appends_unasked_forks(folder: Path) -> None:
    with linked(folder) as made:
        made.deliver([row("B0")])
        keys = seal_keys(made.cmo)
        back_up(made.cmo.home, made.cmo.person, folder / "backup", quiet)
        made.deliver([row("B0"), row("B1")])
        restore_into(made, made.cmo, folder / "backup", keys)
        made.stores[0].confirm_place()
        made.take([row("B0"), row("B2"), row("B3"), row("B4")])
        assert made.cmo.share(AGREED).posted > 0
        made.world.try_sync(made.dialer, made.listener)
        assert made.stores[0].ledgers()[0].stopped.startswith("fork")


@pytest.mark.long
def test_fifty_writers_restored_behind_their_partner_never_fork(folder: Path) -> None:
    assert not behind(folder, 50).failures


@pytest.mark.long
def test_a_million_entries_are_backed_up_and_restored(folder: Path) -> None:
    with linked(folder) as made:
        fill(made, 1_000_000)
        keys = seal_keys(made.cmo)
        started = time.perf_counter()
        back_up(made.cmo.home, made.cmo.person, folder / "backup", quiet)
        took = time.perf_counter() - started
        started = time.perf_counter()
        restore_into(made, made.cmo, folder / "backup", keys)
        print(  # noqa: T201 - as above
            f"F14 long: backup {took:.1f} s, restore {time.perf_counter() - started:.1f} s"
        )
        made.sync()
        assert are_equal(made)
        assert verify_home(made.cmo.home).wrong == []
