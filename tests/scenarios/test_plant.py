"""The plant's files followed while they grow: live at each sponsor, sealed by the hour, never mixed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

import fedbatch
from fedbatch.demo.labels import reckon_labels
from fedbatch.demo.plant_terms import SOURCES, agreement_terms, plant_mappings
from fedbatch.node.exporting import export_series
from fedbatch.node.findings import FindingRow, agreement_findings, read_findings
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping
from fedbatch.node.reading import read_results
from fedbatch.node.series import load_series, read_lines, series_block
from fedbatch.node.verifying import verify_home
from fedbatch.plant.packs import World as Plant
from fedbatch.plant.packs import make_world
from fedbatch.standard.agreements import AgreedParty
from fedbatch.standard.findings import Finding
from tests.scenarios.world import Node, World

LINK_DOWN = 3
START = datetime(2026, 3, 2, 6, tzinfo=UTC)


@dataclass
class Site:
    """A CMO whose plant runs, and the sponsors of its two products."""

    world: World
    plant: Plant
    cmo: Node
    sponsors: list[Node]
    follower: Follower
    folder: Path
    known: set[str] = field(default_factory=set)
    disputes: list[Finding] = field(default_factory=list)
    judged: dict[int, list[list[Finding]]] = field(default_factory=dict)

    def set_up(self) -> None:
        """The engineer confirms the mappings anew when the historian is set up otherwise."""
        now = self.world.clock.moment.timestamp()
        for batch in self.plant.batches:
            if batch.fill_at <= now and batch.number not in self.known:
                self.known.add(batch.number)
                for mapping in plant_mappings(self.plant, batch.number):
                    if f"train{batch.train}" in mapping.source:
                        confirm_mapping(self.cmo.home, mapping, self.cmo.person)
                self.follower.learn()

    def run(self, *, until: datetime, step: timedelta, sync: bool = True) -> None:
        """Let plant time pass, looking at the sources after each step."""
        while self.world.clock.moment < until:
            self.world.clock.moment = min(self.world.clock.moment + step, until)
            self.look(sync=sync)

    def look(self, *, sync: bool = True) -> None:
        self.set_up()
        self.plant.write_until(self.folder, self.world.clock.moment)
        turn = self.follower.turn()
        assert turn.refused == {}
        self.disputes += [item for item in turn.disputes if item not in self.disputes]
        if sync:
            for sponsor in self.sponsors:
                self.world.sync(self.cmo, sponsor)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    world = World(tmp_path)
    world.clock.moment = START
    plant = make_world("demo", seed=1, start=START, days=2)
    cmo = world.node("cmo")
    sponsors = [world.node(name, listens=True) for name in ("sponsor-1", "sponsor-2")]
    for mapping in plant_mappings(plant):
        confirm_mapping(cmo.home, mapping, cmo.person)
    for number, (sponsor, product) in enumerate(zip(sponsors, ("P-1207", "P-2210"), strict=True)):
        world.pair(cmo, sponsor)
        body = agreement_terms(
            plant,
            f"ag-{number + 1}",
            AgreedParty(party=cmo.party, role="CMO", name="CMO A"),
            AgreedParty(party=sponsor.party, role="sponsor", name=f"Sponsor {number + 1}"),
            product,
        )
        world.agree(body, cmo, sponsor, cmo)
    folder = tmp_path / "sources"
    folder.mkdir()
    follower = Follower(cmo.home, [folder / name for name in SOURCES], cmo.person, shares=True)
    try:
        yield Site(world, plant, cmo, sponsors, follower, folder)
    finally:
        world.close()


def points_at(node: Node, batch: str, name: str) -> dict[int, int]:
    (item,) = load_series(node.home, batch)
    block = series_block(node.home, item, names=[name])
    column = block.columns[name]
    return dict(zip(block.times.tolist(), column.numbers.tolist(), strict=True))


def test_a_batch_is_followed_live_at_its_sponsor_and_only_there(site: Site) -> None:
    first = site.plant.batches[0]
    site.run(until=START + timedelta(hours=12), step=timedelta(minutes=40))
    sponsor, other = site.sponsors
    seen = points_at(sponsor, first.sponsor_number, "TEMP.PV")
    assert len(seen) > 20
    newest = datetime.fromtimestamp(max(seen) / 1e6, UTC)
    assert newest > site.world.clock.moment - timedelta(hours=1)
    (item,) = load_series(sponsor.home, first.number)
    sealed = sponsor.home.views(item.agreement).sealed(item.ledger, item.series.series)
    assert len(sealed) > 2
    assert b"P-1207" not in b"".join(
        p.read_bytes() for p in other.home.path.rglob("*") if p.is_file()
    )
    for node in (site.cmo, *site.sponsors):
        assert verify_home(node.home).wrong == []


def test_a_batch_is_drawn_exported_and_laid_over_others(site: Site, tmp_path: Path) -> None:
    site.run(until=START + timedelta(hours=40), step=timedelta(hours=2))
    sponsor, first = site.sponsors[0], site.plant.batches[0]
    lines = {f"{line.code} {line.role}": line for line in read_lines(sponsor.home, first.number)}
    assert float(lines["TEMP PV"].least) > 30
    assert lines["PH PV"].marked == 0
    assert len(lines["DO-OUT OUT"].drawn) == 40
    out = tmp_path / "series.parquet"
    count = export_series(sponsor.home, first.number, out, codes=("TEMP", "PH"))
    table = parquet.read_table(out)
    assert table.num_rows == count
    assert (table.schema.field("TEMP.PV").metadata or {})[b"unit"] == b"Cel"
    sponsor.home.close()
    with fedbatch.open(sponsor.home.path) as reader:
        laid = reader.overlay("TEMP", step="GROWTH", count=50).to_pandas()
    assert set(laid["position"].round(6)) == {at / 50 for at in range(50)}
    assert laid["least"].min() > 30


def finish(site: Site) -> None:
    """Let the plant run to its end: in large steps, but small ones while the link is down."""
    down = next(label for label in site.plant.labels if label.fault == LINK_DOWN)
    site.run(until=down.from_ - timedelta(hours=1), step=timedelta(hours=2))
    site.run(until=down.to + timedelta(hours=4), step=timedelta(minutes=20))
    site.run(until=site.plant.end, step=timedelta(hours=2))
    site.follower.seal(is_end=True)
    site.look()
    site.look()


def rows_of(site: Site) -> list[FindingRow]:
    """What the sponsors' rules found, and what the CMO was told when it took in and shared."""
    rows = [row for sponsor in site.sponsors for row in read_findings(sponsor.home)]
    rows += [row for row in read_findings(site.cmo.home) if not row.agreement]
    return rows + [
        FindingRow(agreement="", origin="sharing", batch="", parameter="", finding=item)
        for item in site.disputes
    ]


def test_labelled_faults_are_found_and_look_alikes_stay_silent(site: Site) -> None:
    finish(site)
    reckoning = reckon_labels(site.plant.labels, rows_of(site))
    assert reckoning.found == {
        "B26-0141/fault-1": ["reconcile.mismatch"],
        "B26-0141/fault-4": ["window.conflict"],
        "B26-0142/fault-6": ["balance.mismatch"],
        "B26-0143/fault-2": ["sampling.too_coarse", "reconcile.mismatch"],
        "B26-0144/fault-3": ["series.gap", "data.late", "series.conflict"],
        "B26-0144/fault-5": ["limit.excursion"],
    }
    # Points that come twice in two looks are equal, and equal points are no-ops.
    assert reckoning.missed == {"B26-0144/fault-3": ["series.duplicate"]}
    assert reckoning.false == {}
    assert len(reckoning.silent) == sum(1 for label in site.plant.labels if not label.fault)
    # What the coarse dead band hides is missed by the laboratory's pH and the MES's least too.
    assert {row.parameter for row in reckoning.unlabelled} <= {"PH-MIN", "PH-OFF"}
    assert all("B26-0143" in row.batch for row in reckoning.unlabelled)
    # What nobody states is computed once its phase is over, with what it rests on.
    under = {
        row.batch: row.shown for row in read_results(site.sponsors[0].home, codes=("DO-UNDER",))
    }
    ok, low = sorted((float(text.lstrip("~")), batch) for batch, text in under.items())
    assert ok[0] == 0
    assert "B26-0144" in low[1]
    assert 4000 < low[0] < 8000
    # Both nodes find the same in what they both hold.
    for number, sponsor in enumerate(site.sponsors, 1):
        as_of = site.world.clock.now()
        for node in (sponsor, site.cmo):
            known = node.home.agreement_named(f"ag-{number}")
            site.judged.setdefault(number, []).append(agreement_findings(node.home, known, as_of))
        assert site.judged[number][0] == site.judged[number][1]
    # Of the other sponsor's batches nothing is anywhere, not even in a segment.
    for sponsor, other in zip(site.sponsors, reversed(site.sponsors), strict=True):
        own = {b.number for b in site.plant.batches if b.product.code in product_of(sponsor)}
        assert own
        del other
        strangers = [b for b in site.plant.batches if b.number not in own]
        held = b"".join(p.read_bytes() for p in sponsor.home.path.rglob("*") if p.is_file())
        assert not any(b.number.encode() in held for b in strangers)
        assert not any(b.sponsor_number.encode() in held for b in strangers)


def product_of(sponsor: Node) -> list[str]:
    body = sponsor.home.standing(sponsor.home.agreement_named(None).agreement).body
    assert body is not None
    return [item.value for product in body.product for item in product.identifiers]
