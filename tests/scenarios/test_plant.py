"""The plant's files followed while they grow: live at each sponsor, sealed by the hour, never mixed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

import fedbatch
from fedbatch.demo.plant_terms import SOURCES, agreement_terms, plant_mappings
from fedbatch.node.exporting import export_series
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping
from fedbatch.node.series import load_series, read_lines, series_block
from fedbatch.node.verifying import verify_home
from fedbatch.plant.packs import World as Plant
from fedbatch.plant.packs import make_world
from fedbatch.standard.agreements import AgreedParty
from tests.scenarios.world import Node, World

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

    def run(self, *, until: datetime, step: timedelta, sync: bool = True) -> None:
        """Let plant time pass, looking at the sources after each step."""
        while self.world.clock.moment < until:
            self.world.clock.moment = min(self.world.clock.moment + step, until)
            self.look(sync=sync)

    def look(self, *, sync: bool = True) -> None:
        self.plant.write_until(self.folder, self.world.clock.moment)
        turn = self.follower.turn()
        assert turn.refused == {}
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
    site.run(until=START + timedelta(hours=12), step=timedelta(minutes=20))
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
    site.run(until=START + timedelta(hours=40), step=timedelta(hours=1))
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
