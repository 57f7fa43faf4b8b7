"""F4: flipped bits, truncations and swaps are located; a clean store gives no alarm."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np
import pytest
from numpy.random import Generator

from fedbatch.errors import FedbatchError
from fedbatch.ledger.export import export_folder, verify_folder
from fedbatch.store.database import Row
from fedbatch.store.journal import Journal
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.nodes import NodeDatabase
from fedbatch.store.objects import ObjectFolder
from tests.faults.outcome import Outcome
from tests.unit.ledger.making import POLICY, hash_all, make_checkpoint, make_entry, make_note
from tests.unit.store.making import (
    NOTE,
    OWN,
    PARTNERS,
    content_of,
    held_item,
    import_row,
    journal_entry,
    ledger_entries,
    open_ledgers,
    person,
    sign_own,
    taken,
)

SEED = 20261124
PAGE_BYTES = 4096

Damage = Callable[[bytes, Generator], bytes]
State = dict[str, list[Row]] | dict[str, bytes] | None


def flip(content: bytes, chance: Generator) -> bytes:
    changed = bytearray(content)
    bit = int(chance.integers(len(content) * 8))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def truncate(content: bytes, chance: Generator) -> bytes:
    pages = len(content) // PAGE_BYTES
    if pages and chance.random() < 0.5:
        return content[: int(chance.integers(pages)) * PAGE_BYTES]
    return content[: int(chance.integers(len(content)))]


def swap(content: bytes, chance: Generator) -> bytes:
    """Swap two pages, or in a small file two sectors or two hashes."""
    block = next(size for size in (PAGE_BYTES, 512, 32, 1) if len(content) >= 2 * size)
    one, other = sorted(int(at) for at in chance.choice(len(content) // block, 2, replace=False))
    blocks = [content[at * block : (at + 1) * block] for at in (one, other)]
    changed = bytearray(content)
    changed[one * block : (one + 1) * block] = blocks[1]
    changed[other * block : (other + 1) * block] = blocks[0]
    return bytes(changed)


@dataclass(frozen=True)
class Kept:
    """Something that is kept in files: how its content is read, and how it is verified."""

    name: str
    read: Callable[[Path], State]
    verify: Callable[[Path], list[str]]


def open_store(folder: Path) -> Ledgers | Journal | NodeDatabase:
    if folder.name == "journal":
        return Journal(folder)
    return (
        Ledgers(folder, place=b"here")
        if folder.name == "ledgers"
        else NodeDatabase(folder / "node.sqlite")
    )


def read_store(folder: Path) -> State:
    """All that can be seen of a database, without the store's own code; None if it is unreadable."""
    try:
        connection = apsw.Connection(str(next(folder.glob("*.sqlite"))))
    except apsw.Error:
        return None
    try:
        tables = [
            str(name)
            for (name,) in connection.execute(
                "select name from sqlite_schema where type = 'table' order by name"
            )
        ]
        content = {
            name: list(connection.execute(f"select * from {name}"))  # noqa: S608 - a table of ours
            for name in tables
        }
        schema = list(connection.execute("select type, name, tbl_name, sql from sqlite_schema"))
        version = list(connection.execute("pragma user_version"))
    except (apsw.Error, UnicodeDecodeError):
        return None
    else:
        return {**content, " schema": schema, " version": version}
    finally:
        connection.close()


def verify_store(folder: Path) -> list[str]:
    """What the store finds; one that refuses to open says why, and names the file."""
    try:
        store = open_store(folder)
    except FedbatchError as error:
        return [str(error)]
    try:
        return store.verify()
    finally:
        store.close()


def check_structure(folder: Path) -> list[str]:
    """The control: SQLite's own check, and nothing else."""
    try:
        connection = apsw.Connection(str(next(folder.glob("*.sqlite"))))
        found = list(connection.execute("pragma integrity_check"))
    except apsw.Error as error:
        return [str(error)]
    return [] if found == [("ok",)] else [str(found)]


def read_files(folder: Path) -> State:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def verify_objects(folder: Path) -> list[str]:
    return ObjectFolder(folder).verify()


def verify_export(folder: Path) -> list[str]:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    verdict = verify_folder(files, POLICY)
    return [] if verdict.ok else [f"{verdict.code}: {verdict.detail}"]


KEPT = (
    Kept("ledgers", read_store, verify_store),
    Kept("journal", read_store, verify_store),
    Kept("node", read_store, verify_store),
    Kept("objects", read_files, verify_objects),
    Kept("export", read_files, verify_export),
)


def make_kept(folder: Path, seed: int = 0) -> None:
    """One of each, with something in every table."""
    store = open_ledgers(folder / "ledgers")
    store.append(OWN, ledger_entries(f"own {seed}", 60), NOTE, sign_own)
    for number in range(5):
        store.append(OWN, ledger_entries(f"own {seed} {number}", 2), NOTE, sign_own)
        store.keep_cosignature(OWN, store.ledger(OWN).size, content_of(f"cosigned {number}"), 1)
    theirs = taken(store.ledger(PARTNERS).frontier, ledger_entries(f"theirs {seed}", 40))
    store.take(theirs, NOTE)
    store.keep_setting("proposal", content_of("proposal", 9000))
    store.close()
    journal = Journal(folder / "journal")
    for number in range(30):
        name = f"{seed} {number}"
        held, row = [held_item(name)], import_row(name)
        journal.append([journal_entry(name, 700)], NOTE, held=held, imported=row)
    journal.close()
    (folder / "node").mkdir()
    node = NodeDatabase(folder / "node" / "node.sqlite")
    for number in range(20):
        node.add_person(person(f"p-{seed}-{number}"), NOTE)
        node.burn_nonce(f"nonce {number}", number, 600)
        node.keep_link(f"party {number}", {"failures": number})
    node.close()
    for number in range(6):
        ObjectFolder(folder / "objects").write(content_of(f"{seed} {number}", 600 * number + 100))
    entries = [make_entry(at, f"{seed}") for at in range(300)]
    note = make_note(make_checkpoint(entries))
    for path, content in export_folder(entries, hash_all(entries), note).items():
        target = folder / "export" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@dataclass
class Found:
    """What came of damage: located or missed, and by the control as well."""

    outcome: Outcome
    by_structure: int = 0
    in_databases: int = 0


def damage_often(folder: Path, name: str, damage: Damage, cases: int) -> Found:
    """Damage one file at a time, read and verify, put it back. Counts what changed the content."""
    make_kept(folder)
    chance = np.random.default_rng(SEED)
    found = Found(Outcome(f"F4 {name}", SEED))
    clean = {kept.name: kept.read(folder / kept.name) for kept in KEPT}
    unseen = 0
    for kept, path in choose_files(folder, chance):
        if found.outcome.cases == cases:
            break
        content = path.read_bytes()
        damaged = damage(content, chance)
        path.write_bytes(damaged)
        is_changed = damaged != content and kept.read(folder / kept.name) != clean[kept.name]
        if not is_changed:
            unseen += 1
        else:
            if path.suffix == ".sqlite":
                found.in_databases += 1
                found.by_structure += bool(check_structure(path.parent))
            path.write_bytes(damaged)
            located = kept.verify(folder / kept.name)
            found.outcome.count("" if located else f"{path.name}: not located")
        for left in path.parent.glob(f"{path.name}-*"):
            left.unlink()
        path.write_bytes(content)
    found.outcome.report()
    print(  # noqa: T201 - the figures of the control
        f"  changed nothing {unseen}; of {found.in_databases} in databases integrity_check alone "
        f"missed {found.in_databases - found.by_structure}"
    )
    return found


def choose_files(folder: Path, chance: Generator) -> Iterator[tuple[Kept, Path]]:
    """Each kind in turn, its files by chance."""
    while True:
        for kept in KEPT:
            paths = sorted(path for path in (folder / kept.name).rglob("*") if path.is_file())
            yield kept, paths[int(chance.integers(len(paths)))]


def test_every_flipped_bit_of_content_is_located(folder: Path) -> None:
    assert not damage_often(folder, "flips", flip, 500).outcome.failures


def test_every_truncation_is_located(folder: Path) -> None:
    assert not damage_often(folder, "truncations", truncate, 30).outcome.failures


def test_every_swap_is_located(folder: Path) -> None:
    assert not damage_often(folder, "swaps", swap, 20).outcome.failures


def test_control_sqlites_own_check_misses_most_flips(folder: Path) -> None:
    found = damage_often(folder, "control", flip, 120)
    assert found.by_structure < found.in_databases / 2


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "damage", "cases"),
    [("flips", flip, 10_000), ("truncations", truncate, 500), ("swaps", swap, 200)],
)
def test_damage_in_full_size_is_located(
    folder: Path, name: str, damage: Damage, cases: int
) -> None:
    assert not damage_often(folder, name, damage, cases).outcome.failures


def count_false_alarms(folder: Path, cases: int) -> Outcome:
    outcome = Outcome("F4 clean", SEED)
    for seed in range(cases):
        make_kept(folder / str(seed), seed)
        alarms = [text for kept in KEPT for text in kept.verify(folder / str(seed) / kept.name)]
        outcome.count("; ".join(alarms))
    outcome.report()
    return outcome


def test_clean_stores_give_no_alarm(folder: Path) -> None:
    assert not count_false_alarms(folder, 10).failures


@pytest.mark.long
def test_two_hundred_clean_stores_give_no_alarm(folder: Path) -> None:
    assert not count_false_alarms(folder, 200).failures
