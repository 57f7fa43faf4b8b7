"""T4: a sender's ledger deleted, truncated, made anew, rolled back, forked."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedbatch.errors import FedbatchError
from fedbatch.node.findings import read_findings
from fedbatch.node.overview import read_status
from fedbatch.node.verifying import verify_home
from tests.scenarios.making import AGREED, Link, are_equal, link, linked, row, rows_of
from tests.scenarios.world import Node

OTHER = "ag-2"


@pytest.fixture(params=[False, True], ids=["the writer dials", "the writer listens"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    """A CMO and a sponsor under two agreements; one batch of each has crossed."""
    with linked(tmp_path, cmo_listens=request.param) as one:
        link(one.world, one.cmo, one.sponsor, products=("T-2",), agreement=OTHER, dialer=one.dialer)
        deliver(one, "B1")
        yield one


def deliver(made: Link, *batches: str) -> None:
    made.take([row(batch) for batch in batches] + [row(f"{b}-2", "T-2") for b in batches])
    for agreement in (AGREED, OTHER):
        made.cmo.share(agreement)
    made.sync(2)


def keep_copy(made: Link) -> Path:
    """Copy the agreement's folder as a backup does."""
    made.cmo.home.close()
    kept = made.world.folder / "old"
    shutil.copytree(made.cmo.home.agreement_folder(AGREED), kept)
    made.restart(made.cmo)
    return kept


def put_back(made: Link, kept: Path) -> None:
    made.cmo.home.close()
    folder = made.cmo.home.agreement_folder(AGREED)
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    made.restart(made.cmo)


def lose(made: Link) -> None:
    made.cmo.home.close()
    shutil.rmtree(made.cmo.home.agreement_folder(AGREED))
    made.restart(made.cmo)


def exchange_rules(node: Node) -> set[str]:
    return {
        item.finding.rule
        for item in read_findings(node.home, AGREED)
        if item.finding.rule.startswith("exchange.")
    }


def stopped(node: Node, agreement: str = AGREED) -> str:
    return next(a.stopped for a in read_status(node.home).agreements if a.agreement == agreement)


def tries_to_share(made: Link) -> int:
    made.take([row("B9", assay="99.9")], "later.csv")
    try:
        return made.cmo.share(AGREED).posted
    except FedbatchError:
        return 0


def assert_found_alike(made: Link, code: str, held: int) -> None:
    """Both nodes have the same finding, the cursor has not moved, the other agreement goes on."""
    for node in (made.cmo, made.sponsor):
        assert exchange_rules(node) == {f"exchange.{code}"}
        assert stopped(node).startswith(code)
        assert not stopped(node, OTHER)
    assert made.sponsor.home.ledgers(AGREED).ledgers()[1].size == held
    made.take([row("B7-2", "T-2")], "other.csv")
    assert made.cmo.share(OTHER).posted > 0
    made.sync(2)
    other = Link(made.world, made.cmo, made.sponsor, made.dialer, made.listener, OTHER)
    assert are_equal(other)


def held_by_sponsor(made: Link) -> int:
    return made.sponsor.home.ledgers(AGREED).ledgers()[1].size


def test_ledger_rolled_back_appends_nothing_and_is_found_by_both(made: Link) -> None:
    kept = keep_copy(made)
    deliver(made, "B1", "B2")
    held = held_by_sponsor(made)
    put_back(made, kept)
    assert tries_to_share(made) == 0
    made.sync(2)
    assert tries_to_share(made) == 0
    assert_found_alike(made, "rollback", held)


def test_ledger_rolled_back_that_appended_unseen_is_a_fork_at_the_next_contact(
    made: Link,
) -> None:
    kept = keep_copy(made)
    deliver(made, "B1", "B2")
    held = held_by_sponsor(made)
    put_back(made, kept)
    # A disk image rolled back keeps its run mark: nothing tells the writer.
    made.cmo.home.ledgers(AGREED).confirm_place()
    assert tries_to_share(made) > 0
    made.sync(2)
    assert_found_alike(made, "fork", held)


def test_copy_restored_while_nothing_was_missed_goes_on_once_the_partner_was_heard(
    made: Link,
) -> None:
    put_back(made, keep_copy(made))
    assert tries_to_share(made) == 0
    made.sync()
    assert tries_to_share(made) > 0
    made.sync(2)
    assert are_equal(made)
    assert not exchange_rules(made.cmo)


def test_ledger_deleted_is_found_by_both_and_not_begun_anew(made: Link) -> None:
    held = held_by_sponsor(made)
    lose(made)
    assert tries_to_share(made) == 0
    made.sync(2)
    assert tries_to_share(made) == 0
    assert_found_alike(made, "rollback", held)


def test_ledger_made_anew_under_the_same_agreement_is_refused(made: Link) -> None:
    body = made.sponsor.home.standing(AGREED).body
    assert body is not None
    held = held_by_sponsor(made)
    lose(made)
    made.cmo.home.exchange.propose(made.sponsor.party, body, "u-1")
    made.sync(2)
    assert made.sponsor.home.standing(AGREED).body == body
    assert len(made.sponsor.home.ledgers(AGREED).ledgers()) == 2
    assert held_by_sponsor(made) == held


def test_ledger_file_cut_in_half_is_refused_and_shown_and_holds_nothing_else_up(
    made: Link,
) -> None:
    held = held_by_sponsor(made)
    made.cmo.home.close()
    path = made.cmo.home.agreement_folder(AGREED) / "ledgers.sqlite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    made.restart(made.cmo)
    assert tries_to_share(made) == 0
    made.sync(2)
    assert "damaged" in stopped(made.cmo)
    assert held_by_sponsor(made) == held
    assert not stopped(made.cmo, OTHER)
    assert not stopped(made.sponsor, OTHER)


def test_two_copies_of_a_home_that_append_differently_are_a_fork(made: Link) -> None:
    """One copy is heard first and goes on; the other is stopped, on both nodes, for good."""
    twin = made.world.folder / "twin"
    made.cmo.home.close()
    shutil.copytree(made.cmo.home.path, twin)
    made.restart(made.cmo)
    deliver(made, "B1", "B2")
    held = held_by_sponsor(made)
    first = made.cmo.home.path
    made.cmo.home.close()
    first.rename(made.world.folder / "first")
    twin.rename(first)
    made.restart(made.cmo)
    made.cmo.home.ledgers(AGREED).confirm_place()
    made.cmo.home.ledgers(OTHER).confirm_place()
    made.take([row("B3"), row("B4"), row("B5")])
    assert made.cmo.share(AGREED).posted > 0
    made.sync(2)
    assert exchange_rules(made.cmo) == exchange_rules(made.sponsor) == {"exchange.fork"}
    assert held_by_sponsor(made) == held


def test_a_stopped_ledger_stops_only_that_ledger(made: Link) -> None:
    """The partner's own ledger of the same agreement still crosses."""
    kept = keep_copy(made)
    deliver(made, "B1", "B2")
    put_back(made, kept)
    made.sync(2)
    assert made.sponsor.share(AGREED).posted > 0
    made.sync(2)
    own, copy = rows_of(made.stores[1])[0], rows_of(made.stores[0])[1]
    assert (own.size, own.root) == (copy.size, copy.root)
    assert any("stopped" in text for text in verify_home(made.sponsor.home).wrong)


def test_without_the_run_mark_a_restored_ledger_would_append_and_fork(made: Link) -> None:
    """The control: with the check taken away, the append goes through and the history forks."""
    kept = keep_copy(made)
    deliver(made, "B1", "B2")
    put_back(made, kept)
    made.cmo.home.ledgers(AGREED).is_restored = False
    assert tries_to_share(made) > 0
    made.sync(2)
    assert exchange_rules(made.sponsor) == {"exchange.fork"}
