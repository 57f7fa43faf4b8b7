"""The main job on real input: 1,005 tablet batches from the CMO's files to the sponsor's node."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedbatch.node.findings import agreement_findings
from fedbatch.node.importing import load_mappings
from fedbatch.node.reading import read_results
from fedbatch.node.verifying import verify_home
from fedbatch.services.intake import IntakeReport
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.store.ledgers import Ledgers
from tests.scenarios.agreements import parameters_of, tablet_agreement
from tests.scenarios.world import Node, World

CODES = tuple(str(code) for code in range(1, 26))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("tablets"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def laboratory(world: World, real_data: Path) -> IntakeReport:
    """CMO and sponsor, both tables imported, shared and exchanged; the laboratory's report."""
    cmo, sponsor = world.node("cmo"), world.node("sponsor", listens=True)
    world.pair(cmo, sponsor)
    cmo.map("laboratory")
    cmo.map("process")
    body = tablet_agreement(cmo, sponsor, CODES, parameters_of(load_mappings(cmo.home)))
    world.agree(body, cmo, sponsor, cmo)
    report = cmo.take(real_data / "zagar2022" / "Laboratory.csv")
    cmo.take(real_data / "zagar2022" / "Process.csv")
    cmo.share("ag-1")
    world.sync(cmo, sponsor)
    return report


def store_of(node: Node) -> Ledgers:
    return node.home.ledgers("ag-1")


def received(node: Node) -> Iterator[records.Record]:
    store = store_of(node)
    for _, content in store.scan(store.ledgers()[1].ledger):
        record = read_entry(content).record
        if record is not None:
            yield record


@pytest.mark.usefixtures("laboratory")
def test_every_batch_arrives(world: World) -> None:
    batches = world.nodes["sponsor"].home.views("ag-1").batches()
    assert len(batches) == 1005


def test_every_cell_is_a_value_or_lot_with_provenance(
    world: World, laboratory: IntakeReport
) -> None:
    assert laboratory.cells == 55_275
    assert laboratory.held_back == 0
    store = store_of(world.nodes["sponsor"])
    commitments: Counter[str] = Counter()
    source = world.nodes["cmo"].home.ids.shared("ag-1", "mapping", "laboratory")
    for _, content in store.scan(store.ledgers()[1].ledger):
        record = read_entry(content).record
        for item in record.provenance if record is not None else ():
            if item.mapping == source and not isinstance(record, records.Product | records.Lot):
                commitments[item.commitment] += 1
    # Products and lots name again a cell that a batch or transformation names too.
    assert len(commitments) == 55_275


@pytest.mark.usefixtures("laboratory")
def test_copies_equal_their_originals(world: World) -> None:
    for one, other in (("cmo", "sponsor"), ("sponsor", "cmo")):
        own = store_of(world.nodes[one]).ledgers()[0]
        copy = store_of(world.nodes[other]).ledgers()[1]
        assert (own.ledger, own.size, own.root) == (copy.ledger, copy.size, copy.root)


@pytest.mark.usefixtures("laboratory")
def test_both_homes_verify(world: World) -> None:
    for node in world.nodes.values():
        assert verify_home(node.home).wrong == []


@pytest.mark.usefixtures("laboratory")
def test_genealogy_both_ways(world: World) -> None:
    carried = world.nodes["sponsor"].home.views("ag-1").carried()
    substance = [(row[4], row[5]) for row in carried if row[7] == "drug_substance"]
    assert len({lot for _, lot in substance}) == 238
    assert len({batch for batch, _ in substance}) == 1005


@pytest.mark.usefixtures("laboratory")
def test_a_value_is_known_by_its_batch_number(world: World) -> None:
    rows = read_results(world.nodes["sponsor"].home, batch="1", codes=("DISSOLUTION_MEAN",))
    assert sorted(row.shown for row in rows) == ["93.83", "93.83"]
    assert {row.unit for row in rows} == {"%"}


@pytest.mark.usefixtures("laboratory")
def test_two_reports_of_six_results_differ_in_eighteen_batches(world: World) -> None:
    for node in world.nodes.values():
        found = agreement_findings(node.home, node.known("ag-1"))
        mismatches = [item for item in found if item.rule == "reconcile.mismatch"]
        assert len(mismatches) == 108
        assert Counter(Counter(item.where.key[0] for item in mismatches).values()) == {6: 18}


@pytest.mark.usefixtures("laboratory")
def test_both_nodes_find_the_same(world: World) -> None:
    as_of = "2026-04-01T00:00:00Z"
    found = [
        agreement_findings(node.home, node.known("ag-1"), as_of) for node in world.nodes.values()
    ]
    assert found[0] == found[1]
    assert len(found[0]) >= 108


def test_least_mean_and_greatest_out_of_order_are_found_and_left(
    laboratory: IntakeReport,
) -> None:
    found = [item for item in laboratory.findings if item.rule == "order.min_mean_max"]
    hardness = [item for item in found if "tablet.hardness" in item.expected]
    assert Counter("core" in item.expected for item in hardness) == {True: 479, False: 337}
    assert len({item.where.locator.partition("C")[0] for item in hardness}) == 488


def test_views_rebuild_to_the_same_content(world: World, laboratory: IntakeReport) -> None:
    assert laboratory.new
    home = world.nodes["sponsor"].home
    views = home.views("ag-1")
    before = views.content()
    views.drop()
    assert views.content() == []
    assert home.views("ag-1").content() == before
