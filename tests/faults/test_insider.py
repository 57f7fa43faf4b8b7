"""F12: whoever has root on a node rewrites and signs its whole ledger anew: found at first contact."""

from pathlib import Path

import numpy as np
import pytest

from fedbatch.ledger.tree import Frontier, leaf_hash
from fedbatch.services.posting import head_signer
from tests.faults.outcome import Outcome
from tests.scenarios.making import AGREED, Link, linked, row

SEED = 20261124


def rewrite(made: Link, chance: np.random.Generator) -> None:
    """Change one entry of the CMO's ledger, and every hash, root and signature after it."""
    store = made.cmo.home.ledgers(AGREED)
    own = store.ledgers()[0]
    entries = [content for _, content in store.scan(own.ledger)]
    index = int(chance.integers(2, len(entries)))
    changed = entries[index].replace(b'"time":"2', b'"time":"1', 1)
    entries[index] = changed if changed != entries[index] else entries[index] + b" "
    sign = head_signer(made.cmo.home.keys, f"agreement/{AGREED}/ledger", own.origin)
    database = store._database
    with database.writing():
        frontier = Frontier()
        for at, content in enumerate(entries):
            frontier = frontier.extend([leaf_hash(content)])
            database.execute(
                "update entry set leaf = ?, content = ? where ledger = ? and idx = ?",
                (leaf_hash(content), content, own.ledger, at),
            )
            kept = database.row(
                "select root from checkpoint where ledger = ? and size = ?", (own.ledger, at + 1)
            )
            if kept is not None:
                size, root = frontier.size, frontier.root()
                note = sign(size, root)
                database.insert(
                    "checkpoint", [(own.ledger, size, root, note, b"", 0)], conflict="replace"
                )
        head = (frontier.size, frontier.root(), frontier.encode(), "")
        whole = (own.ledger, 1, own.origin, own.key, *head)
        database.insert("ledger", [whole], conflict="replace")


def fault_after(folder: Path, seed: int, *, is_found_by_partner: bool = True) -> str:
    chance = np.random.default_rng(seed)
    with linked(folder, cmo_listens=bool(seed % 2)) as made:
        made.deliver([row(f"B{number}") for number in range(5)])
        made.settle()
        rewrite(made, chance)
        if made.cmo.home.ledgers(AGREED).verify():
            return "the rewriting was clumsy: the home's own check finds it"
        if not is_found_by_partner:
            return ""
        for _ in range(2):
            made.world.try_sync(made.dialer, made.listener)
        copies = [item for item in made.sponsor.home.ledgers(AGREED).ledgers() if not item.is_own]
        if not copies[0].stopped:
            return "the partner took it"
        evidence = made.sponsor.home.ledgers(AGREED).setting("evidence/fork")
        return "" if evidence else "no evidence was kept"


def test_a_ledger_rewritten_and_signed_anew_is_found_at_first_contact(folder: Path) -> None:
    outcome = Outcome("F12", SEED)
    for case in range(20):
        outcome.count(fault_after(folder / str(case), SEED + case))
    outcome.report()
    assert outcome.failures == []


def test_control_the_writers_own_checks_alone_find_nothing(folder: Path) -> None:
    assert fault_after(folder, SEED, is_found_by_partner=False) == ""


@pytest.mark.long
def test_five_hundred_ledgers_rewritten(folder: Path) -> None:
    outcome = Outcome("F12 long", SEED)
    for case in range(500):
        outcome.count(fault_after(folder / str(case), SEED + case))
    outcome.report()
    assert outcome.failures == []
