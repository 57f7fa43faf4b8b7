"""Batches join by both parties' numbers: a batch is found by either, whichever came first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedbatch.errors import InputError
from fedbatch.node.findings import agreement_findings, read_findings
from fedbatch.node.overview import read_batches
from fedbatch.node.reading import read_results
from fedbatch.node.reviewing import approve_batch, find_batch, withdraw_wrong_party
from tests.scenarios.making import AGREED, Link, linked, second_person, write_table

BOTH = ("Batch", "Order", "Product", "Start", "Assay (%)")
ORDER = ("Order", "Hardness mean (N)")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("both", "order")) as one:
        yield one


def take_both(made: Link, *rows: tuple[str, str, str], product: str = "T-1") -> None:
    """Rows of (own number, partner's number, assay)."""
    full = [[own, order, product, "2026-02-01 06:15", assay] for own, order, assay in rows]
    name = "-".join(own + order for own, order, _ in rows)
    made.cmo.take(write_table(made.world.folder / f"{name}{product}.csv", full, BOTH))


def take_orders(made: Link, *rows: tuple[str, str]) -> None:
    name = "-".join(order for order, _ in rows)
    made.cmo.take(write_table(made.world.folder / f"o{name}.csv", [list(r) for r in rows], ORDER))


def share(made: Link) -> None:
    made.cmo.share(AGREED)
    made.settle()


def shown(made: Link, number: str) -> list[tuple[str, str]]:
    """Code and value of every result of a number, alike on both nodes."""
    found = [
        sorted((item.code, item.shown) for item in read_results(node.home, batch=number))
        for node in (made.cmo, made.sponsor)
    ]
    assert found[0] == found[1]
    return found[0]


EXPECTED = [("ASSAY", "99.1"), ("TABLET.HARDNESS_MEAN", "88.5")]


def test_batch_is_found_by_either_number(made: Link) -> None:
    take_both(made, ("B1", "PO-1", "99.1"))
    share(made)
    assert shown(made, "B1") == shown(made, "PO-1") == [("ASSAY", "99.1")]
    (row,) = read_batches(made.sponsor.home)
    assert set(row.numbers) == {"B1", "PO-1"}
    assert find_batch(made.cmo.home, "B1") == find_batch(made.cmo.home, "PO-1")


def test_results_under_the_partners_number_alone_wait_until_both_are_known(made: Link) -> None:
    take_orders(made, ("PO-1", "88.5"))
    share(made)
    assert read_results(made.sponsor.home) == []
    take_both(made, ("B1", "PO-1", "99.1"))
    share(made)
    assert shown(made, "B1") == shown(made, "PO-1") == EXPECTED
    assert len(read_batches(made.sponsor.home)) == 1


def test_batch_known_first_by_the_partners_number_is_carried_on_when_its_own_is_known(
    made: Link,
) -> None:
    take_both(made, ("", "PO-1", "98.0"))
    take_orders(made, ("PO-1", "88.5"))
    share(made)
    assert [item[0] for item in shown(made, "PO-1")] == ["ASSAY", "TABLET.HARDNESS_MEAN"]
    take_both(made, ("B1", "PO-1", "99.1"))
    share(made)
    # One batch, code and source: the later value is the next version of the earlier one.
    assert shown(made, "B1") == shown(made, "PO-1") == EXPECTED
    (row,) = read_batches(made.sponsor.home)
    assert set(row.numbers) == {"B1", "PO-1"}
    assert row.results == 2
    size = made.stores[0].ledgers()[0].size
    share(made)
    assert made.stores[0].ledgers()[0].size == size


def test_two_batches_shared_apart_are_one_once_their_numbers_meet(made: Link) -> None:
    """Neither could be known to be the other; both stand in the ledger, and are read as one."""
    take_both(made, ("", "PO-1", "98.0"))
    take_both(made, ("B1", "", "99.1"))
    share(made)
    assert len(read_batches(made.sponsor.home)) == 2
    take_both(made, ("B1", "PO-1", "99.1"))
    share(made)
    assert shown(made, "B1") == shown(made, "PO-1") == [("ASSAY", "98.0"), ("ASSAY", "99.1")]
    (row,) = read_batches(made.sponsor.home)
    assert row.results == 2
    as_of = "2026-06-01T00:00:00Z"
    found = [
        agreement_findings(node.home, node.known(AGREED), as_of)
        for node in (made.cmo, made.sponsor)
    ]
    assert found[0] == found[1]


def test_a_correction_under_the_partners_number_finds_its_result(made: Link) -> None:
    take_orders(made, ("PO-1", "88.5"))
    take_both(made, ("B1", "PO-1", "99.1"))
    share(made)
    take_orders(made, ("PO-1", "88.7"))
    share(made)
    assert shown(made, "B1") == [("ASSAY", "99.1"), ("TABLET.HARDNESS_MEAN", "88.7")]


def test_one_partner_number_on_two_batches_joins_neither(made: Link) -> None:
    """The control: what could be either is neither, and stays here."""
    take_both(made, ("B1", "PO-1", "99.1"), ("B2", "PO-1", "99.2"))
    take_orders(made, ("PO-1", "88.5"))
    share(made)
    assert shown(made, "B1") == [("ASSAY", "99.1")]
    assert shown(made, "B2") == [("ASSAY", "99.2")]
    assert not [item for item in read_results(made.sponsor.home) if "HARDNESS" in item.code]


def test_equal_numbers_of_two_products_are_two_batches(made: Link) -> None:
    """Two sponsors may use one number: nothing of the other's product is joined."""
    take_both(made, ("", "PO-1", "98.0"), product="OTHER")
    take_both(made, ("B1", "PO-1", "99.1"))
    share(made)
    assert shown(made, "B1") == [("ASSAY", "99.1")]


def test_person_acts_on_all_results_of_a_batch_by_either_number(made: Link) -> None:
    take_orders(made, ("PO-1", "88.5"))
    take_both(made, ("B1", "PO-1", "99.1"))
    raised = approve_batch(made.cmo.home, "PO-1", second_person(made.cmo), "approved", None)
    assert raised == 2
    share(made)
    rows = read_results(made.sponsor.home, batch="B1")
    assert {item.value_status for item in rows} == {"approved"}
    taken = withdraw_wrong_party(
        made.cmo.home, "PO-1", made.cmo.known(AGREED), made.cmo.person, "a test"
    )
    assert taken >= 3
    made.settle()
    with pytest.raises(InputError):
        read_results(made.sponsor.home, batch="B1")


def test_findings_call_a_joined_batch_by_all_its_numbers(made: Link) -> None:
    take_both(made, ("B1", "PO-1", "1.2.3"))
    share(made)
    rows = [item for item in read_findings(made.sponsor.home) if item.finding.effect == "held_back"]
    assert {frozenset(item.batch.split(" / ")) for item in rows} == {frozenset({"B1", "PO-1"})}
