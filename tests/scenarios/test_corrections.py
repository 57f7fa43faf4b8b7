"""T12, corrected files and value status: what changes is cosigned, and what was stays readable."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fedbatch.errors import RefusedError
from fedbatch.node.findings import read_findings
from fedbatch.node.overview import read_batches
from fedbatch.node.reading import read_results
from fedbatch.node.reviewing import (
    approve_batch,
    correct_result,
    decide_held,
    withdraw_batch,
    withdraw_wrong_party,
)
from fedbatch.node.verifying import verify_home
from fedbatch.ports import Person
from fedbatch.services.intake import IntakeReport
from fedbatch.standard import records
from fedbatch.standard.agreements import Right
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.findings import Finding
from tests.scenarios.agreements import ALL_TYPES
from tests.scenarios.making import (
    AGREED,
    Link,
    are_equal,
    linked,
    records_in,
    row,
    second_person,
    write_table,
)
from tests.scenarios.world import Node

CANARIES = ("77.123", "LOT-CANARY", "B-CANARY")


BOTH_WAYS = pytest.mark.parametrize("made", [False, True], ids=["dials", "listens"], indirect=True)


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=getattr(request, "param", False)) as one:
        yield one


def take(made: Link, *rows: list[str]) -> IntakeReport:
    return made.cmo.take(write_table(made.world.folder / "tables" / "small.csv", rows))


def share(made: Link) -> None:
    made.cmo.share(AGREED)
    made.settle()


def assay(node: Node, batch: str = "B1") -> list[str]:
    return [item.shown for item in read_results(node.home, batch=batch, codes=("ASSAY",))]


def assays_in_ledger(made: Link, node: Node) -> list[tuple[str, int]]:
    """Every version of every assay that stands in a node's home, in order."""
    store = node.home.ledgers(AGREED)
    ledger = made.stores[0].ledgers()[0].ledger
    return [
        (str(item.value.number), item.version)
        for item in records_in(store, ledger)
        if isinstance(item, records.Result) and item.code == "ASSAY"
    ]


def both(made: Link) -> tuple[Node, Node]:
    return made.cmo, made.sponsor


# ---- corrected files


@BOTH_WAYS
def test_one_cell_changed_in_a_file_is_the_next_version_and_both_are_kept(made: Link) -> None:
    take(made, row("B1"), row("B2"))
    share(made)
    report = take(made, row("B1", assay="98.7"), row("B2"))
    assert (report.new, report.corrected) == (0, 1)
    share(made)
    assert are_equal(made)
    for node in both(made):
        assert assay(node) == ["98.7"]
        assert assays_in_ledger(made, node) == [("100.1", 1), ("100.1", 1), ("98.7", 2)]
        assert verify_home(node.home).wrong == []


def test_same_file_again_is_a_no_op(made: Link) -> None:
    take(made, row("B1"), row("B2"))
    share(made)
    before = made.cmo.home.journal.size(), made.stores[0].ledgers()[0].size
    report = take(made, row("B1"), row("B2"))
    assert (report.new, report.corrected, report.held_back) == (0, 0, 0)
    assert made.cmo.share(AGREED).posted == 0
    assert (made.cmo.home.journal.size(), made.stores[0].ledgers()[0].size) == before


def test_row_that_vanished_is_a_finding_and_takes_nothing_back(made: Link) -> None:
    take(made, row("B1"), row("B2"))
    share(made)
    report = take(made, row("B1"))
    gone = [item for item in report.findings if item.rule == "file.row_vanished"]
    assert [item.where.key for item in gone] == [("B2",)]
    share(made)
    assert assay(made.sponsor, "B2") == ["100.1"]


def test_correction_by_a_person_is_not_undone_by_the_same_file(made: Link) -> None:
    take(made, row("B1"))
    share(made)
    correct_result(made.cmo.home, "B1", "assay", "99.5", made.cmo.person, "transcribed wrongly")
    share(made)
    report = take(made, row("B1"))
    assert (report.new, report.corrected) == (0, 0)
    share(made)
    assert [assay(node) for node in both(made)] == [["99.5"], ["99.5"]]
    # A file that says a third thing waits for a person, however often it comes.
    for _ in range(2):
        report = take(made, row("B1", assay="99.7"))
        assert (report.corrected, report.closed) == (0, 0)
        (item,) = made.cmo.home.journal.held()
        told = msgspec.json.decode(item.finding, type=Finding)
        assert (told.rule, told.found) == ("result.decided", "99.7")
        assert "transcribed wrongly" in told.expected
    share(made)
    assert assay(made.sponsor) == ["99.5"]
    (item,) = made.cmo.home.journal.held()
    decide_held(made.cmo.home, item.id, made.cmo.person, value="99.7", reason="reported anew")
    share(made)
    assert assay(made.sponsor) == ["99.7"]
    assert made.cmo.home.journal.held() == []
    assert take(made, row("B1", assay="99.7")).corrected == 0


def test_what_a_person_took_back_comes_back_by_a_person_alone(made: Link) -> None:
    take(made, row("B1"))
    share(made)
    withdraw_batch(made.cmo.home, "B1", "assay", made.cmo.person, "retracted", "wrong sample")
    share(made)
    assert assay(made.sponsor) == []
    assert take(made, row("B1")).new == 0
    report = take(made, row("B1", assay="99.7"))
    assert [item.rule for item in report.findings if item.effect == "held_back"] == [
        "result.decided"
    ]
    share(made)
    assert assay(made.sponsor) == []


def test_damaged_cell_decided_by_a_person_is_shared_and_closes_the_finding(made: Link) -> None:
    take(made, row("B1", assay="1.004.812"))
    share(made)
    held = [item for item in read_findings(made.sponsor.home) if item.finding.effect == "held_back"]
    assert len(held) == 1
    (item,) = made.cmo.home.journal.held()
    decide_held(made.cmo.home, item.id, made.cmo.person, value="100.4", reason="see the print-out")
    share(made)
    assert [assay(node) for node in both(made)] == [["100.4"], ["100.4"]]
    rows = read_findings(made.sponsor.home)
    assert not [item for item in rows if item.finding.effect == "held_back"]


# ---- dependants


def approve(made: Link, person: Person | None = None) -> int:
    return approve_batch(
        made.cmo.home, "B1", person or second_person(made.cmo), "approved", "reviewed"
    )


def dependants(node: Node) -> list[str]:
    return [
        item.finding.where.type or ""
        for item in read_findings(node.home, AGREED)
        if item.finding.rule == "record.dependent"
    ]


def test_approval_of_an_old_version_is_found_on_both_nodes(made: Link) -> None:
    take(made, row("B1"))
    approve(made)
    share(made)
    assert [dependants(node) for node in both(made)] == [[], []]
    take(made, row("B1", assay="98.7"))
    share(made)
    for node in both(made):
        assert dependants(node) == ["approval"]
        rows = read_results(node.home, batch="B1", codes=("ASSAY",))
        # The new version is approved by nobody.
        assert [item.value_status for item in rows] == ["provisional"]


# ---- value status


def test_approval_by_a_second_person_arrives_with_its_signature(made: Link) -> None:
    take(made, row("B1"))
    share(made)
    assert approve(made) == 2
    share(made)
    for node in both(made):
        rows = read_results(node.home, batch="B1")
        assert {item.value_status for item in rows} == {"approved"}
    store = made.stores[1]
    found = records_in(store, store.ledgers()[1].ledger)
    (approval,) = [item for item in found if isinstance(item, records.Approval)]
    signed = [item for item in found if isinstance(item, records.Signature)][-1]
    assert signed.printed_name == "Second Person"
    assert signed.meaning == "approved"
    about = store.find_index(store.ledgers()[1].ledger, signed.about[0].entry)
    assert about is not None
    ((_, leaf, content),) = store.entries(store.ledgers()[1].ledger, about, 1)
    assert leaf.hex() == signed.about[0].leaf
    assert read_entry(content).record == approval
    assert approval.reason == "reviewed"


def test_who_entered_values_cannot_approve_them(made: Link) -> None:
    take(made, row("B1"))
    with pytest.raises(RefusedError) as refused:
        approve(made, made.cmo.person)
    assert refused.value.code == "approve.own_work"
    share(made)
    rows = read_results(made.sponsor.home, batch="B1")
    assert {item.value_status for item in rows} == {"provisional"}


def test_who_corrected_a_value_cannot_approve_it(made: Link) -> None:
    take(made, row("B1"))
    second = second_person(made.cmo)
    correct_result(made.cmo.home, "B1", "assay", "99.5", second, "transcribed wrongly")
    with pytest.raises(RefusedError):
        approve(made, second)


# ---- withdrawal


@BOTH_WAYS
def test_withdrawal_is_cosigned_and_the_original_stays_readable(made: Link) -> None:
    take(made, row("B1"), row("B2"))
    share(made)
    withdraw_batch(made.cmo.home, "B1", "assay", made.cmo.person, "retracted", "wrong sample")
    share(made)
    assert are_equal(made)
    for node in both(made):
        assert assay(node) == []
        assert assay(node, "B2") == ["100.1"]
        assert len(assays_in_ledger(made, node)) == 2
        assert verify_home(node.home).wrong == []
    # It is taken back for good: the same file brings it to no partner.
    take(made, row("B1"), row("B2"))
    share(made)
    assert assay(made.cmo) == assay(made.sponsor)


def test_what_was_corrected_and_then_withdrawn_keeps_all_its_versions(made: Link) -> None:
    take(made, row("B1"))
    share(made)
    take(made, row("B1", assay="98.7"))
    share(made)
    withdraw_batch(made.cmo.home, "B1", "assay", made.cmo.person, "retracted", "wrong sample")
    share(made)
    for node in both(made):
        assert assays_in_ledger(made, node) == [("100.1", 1), ("98.7", 2)]
        assert assay(node) == []


@pytest.mark.parametrize("asks", ["the right", "the policy"])
def test_what_was_sent_once_checked_is_taken_back_without_another_check(
    tmp_path: Path, asks: str
) -> None:
    types = [item for item in ALL_TYPES if item != "result" or asks == "the policy"]
    rights = (
        [] if asks == "the policy" else [Right(record_type="result", least_value_status="checked")]
    )
    send_from = "checked" if asks == "the policy" else "provisional"
    with linked(tmp_path, types=types, rights=rights, send_from=send_from) as made:
        take(made, row("B1"), row("B2"))
        approve_batch(made.cmo.home, "B1", second_person(made.cmo), "checked", None)
        share(made)
        assert (assay(made.sponsor), assay(made.sponsor, "B2")) == (["100.1"], [])
        for batch in ("B1", "B2"):
            withdraw_batch(made.cmo.home, batch, None, made.cmo.person, "retracted", "wrong sample")
        share(made)
        assert assay(made.sponsor) == []
        # Of what was never sent nothing is said.
        store = made.stores[1]
        withdrawn = [item for item in records_in(store, store.ledgers()[1].ledger) if item is None]
        assert len(withdrawn) == 2


# ---- sent to the wrong party


def bytes_of(folder: Path) -> bytes:
    return b"\0".join(item.read_bytes() for item in sorted(folder.rglob("*")) if item.is_file())


def canaries_at(node: Node) -> list[str]:
    """Which canaries stand in any file of a home, WAL and free pages and all."""
    read_batches(node.home)
    read_results(node.home)
    node.home.close()
    content = bytes_of(node.home.path)
    return [text for text in CANARIES if text.encode() in content]


@BOTH_WAYS
def test_payload_sent_to_the_wrong_party_is_erased_there_and_its_hash_is_kept(
    made: Link,
) -> None:
    canary = row("B-CANARY", assay="77.123", lot="LOT-CANARY")
    take(made, row("B1"), canary)
    share(made)
    take(made, row("B1"), [*canary[:4], "77.1234", canary[5]])
    share(made)
    read_results(made.sponsor.home)
    assert canaries_at(made.sponsor) == list(CANARIES)
    made.restart(made.sponsor)
    store = made.stores[1]
    copy = store.ledgers()[1].ledger
    before = {index: leaf for index, leaf, _ in store.entries(copy, 0, 1000)}
    taken = withdraw_wrong_party(
        made.cmo.home, "B-CANARY", made.cmo.known(AGREED), made.cmo.person, "another's batch"
    )
    made.settle()
    assert taken > 0
    assert canaries_at(made.sponsor) == []
    made.restart(made.sponsor)
    store = made.stores[1]
    after = {index: leaf for index, leaf, _ in store.entries(copy, 0, 1000)}
    assert before.items() <= after.items()
    assert are_equal(made)
    own = records_in(store, store.ledgers()[0].ledger)
    receipts = [item for item in own if isinstance(item, records.Receipt)]
    assert [item.cause for item in receipts] == [("erasure",)]
    leaves = {leaf.hex() for leaf in before.values()}
    assert {item.leaf for item in receipts[0].erased} <= leaves
    for node in both(made):
        assert verify_home(node.home).wrong == []
    # The journal keeps it, and it is not shared there again.
    assert assay(made.sponsor) == ["100.1"]
    take(made, row("B1"), [*canary[:4], "77.12345", canary[5]], row("B3", lot="L-3"))
    share(made)
    assert canaries_at(made.sponsor) == []
    made.restart(made.sponsor)
    assert assay(made.sponsor, "B3") == ["100.1"]
    # The lot is no secret once an own batch uses it.
    take(made, row("B4", lot="LOT-CANARY"))
    share(made)
    assert canaries_at(made.sponsor) == ["LOT-CANARY"]
    made.restart(made.sponsor)


def test_lot_that_other_batches_share_stays_when_one_is_withdrawn(made: Link) -> None:
    take(made, row("B1", lot="L-1"), row("B2", lot="L-1"))
    share(made)
    withdraw_wrong_party(made.cmo.home, "B2", made.cmo.known(AGREED), made.cmo.person, "a test")
    made.settle()
    store = made.stores[1]
    lots = [
        item
        for item in records_in(store, store.ledgers()[1].ledger)
        if isinstance(item, records.Lot)
    ]
    assert [item.identifiers[0].value for item in lots] == ["L-1"]
    (left,) = read_batches(made.sponsor.home)
    assert left.numbers == ["B1"]


def test_frames_of_an_erased_entry_still_lead_to_the_signed_root(made: Link) -> None:
    """The sponsor's copy can rebuild the CMO's ledger, hashes in place of what was erased."""
    take(made, row("B1"), row("B2"))
    share(made)
    withdraw_wrong_party(made.cmo.home, "B2", made.cmo.known(AGREED), made.cmo.person, "a test")
    made.settle()
    copy = made.stores[1].ledgers()[1]
    content = made.sponsor.home.exchange.give(made.cmo.party, AGREED, copy.ledger, 0, 1 << 20)
    assert content
    take(made, row("B1"), row("B3"))
    share(made)
    assert are_equal(made)
