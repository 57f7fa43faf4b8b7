"""Who dials does not matter: equal roots both ways, two dialers at once, a sponsor of two CMOs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

import fedbatch
from fedbatch.cli import app
from fedbatch.errors import InputError
from fedbatch.node.findings import agreement_findings
from fedbatch.node.overview import read_batches, read_status
from fedbatch.node.reading import read_results
from fedbatch.node.server import Worker, dialer_for
from fedbatch.node.verifying import verify_home
from fedbatch.peers.dialer import Moved
from fedbatch.standard.agreements import Right
from tests.scenarios.making import AGREED, Link, are_equal, link, linked, row, write_table
from tests.scenarios.test_series import HEADERS as PRESS
from tests.scenarios.test_series import line
from tests.scenarios.world import World


@pytest.mark.parametrize("cmo_listens", [False, True])
@pytest.mark.parametrize("sponsor_proposes", [False, True])
def test_roots_are_equal_whoever_dials_and_whoever_proposes(
    tmp_path: Path,
    cmo_listens: bool,  # noqa: FBT001 - a parameter of the test
    sponsor_proposes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with linked(tmp_path, cmo_listens=cmo_listens) as made:
        body = made.cmo.home.standing(AGREED).body
        assert body is not None
        if sponsor_proposes:
            later = replace(body, version=2)
            made.world.agree(later, made.sponsor, made.cmo, made.dialer)
        made.deliver([row("B1"), row("B2")])
        made.sponsor.share(AGREED)
        made.settle()
        assert are_equal(made)
        as_of = "2026-06-01T00:00:00Z"
        found = [
            agreement_findings(node.home, node.known(AGREED), as_of)
            for node in (made.cmo, made.sponsor)
        ]
        assert found[0] == found[1]
        for node in (made.cmo, made.sponsor):
            assert verify_home(node.home).wrong == []
            assert read_status(node.home).agreements[0].backlog == 0


def together(links: list[Link]) -> list[Moved]:
    """One round of every link at the same time, on one worker for each home as `serve` has it."""
    moved: list[Moved] = []
    workers: dict[str, Worker] = {}

    async def go() -> None:
        async with anyio.create_task_group() as group:
            for made in links:
                group.start_soon(one, made)

    async def one(made: Link) -> None:
        worker = workers.setdefault(made.dialer.party, Worker())
        partner = made.dialer.home.partner_named(made.listener.party)
        dialer = dialer_for(made.dialer.home, partner, worker.run)
        dialer.transport = made.network
        moved.append(await dialer.round())
        await dialer.close()

    anyio.run(go)
    return moved


@pytest.mark.parametrize("cmo_listens", [False, True])
def test_two_sponsors_at_once_each_get_their_own(tmp_path: Path, cmo_listens: bool) -> None:  # noqa: FBT001 - a parameter of the test
    world = World(tmp_path)
    try:
        cmo = world.node("cmo", listens=cmo_listens)
        cmo.map("small")
        links = [
            link(
                world,
                cmo,
                world.node(name, listens=not cmo_listens),
                products=(name,),
                agreement=f"ag-{name}",
            )
            for name in ("alpine", "boreal")
        ]
        for day in range(5):
            rows = [row(f"{m.agreement}-{day}", m.agreement[3:]) for m in links]
            cmo.take(write_table(tmp_path / f"{day}.csv", rows))
            for made in links:
                cmo.share(made.agreement)
            together(links)
        together(links)
        for made in links:
            assert are_equal(made)
            batches = {item.batch for item in read_results(made.sponsor.home)}
            assert batches == {f"{made.agreement}-{day}" for day in range(5)}
            assert verify_home(made.sponsor.home).wrong == []
        assert verify_home(cmo.home).wrong == []
    finally:
        world.close()


def test_sponsor_with_two_cmos_reads_both_and_each_cmo_only_itself(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        sponsor = world.node("sponsor", listens=True)
        links = []
        for name in ("north", "south"):
            cmo = world.node(name)
            cmo.map("small")
            links.append(link(world, cmo, sponsor, agreement=f"ag-{name}"))
            made = links[-1]
            cmo.take(write_table(tmp_path / f"{name}.csv", [row("B1"), row(f"{name}-2")]))
            cmo.share(made.agreement)
        together(links)
        together(links)
        # Both CMOs have a batch B1: two batches, each under its own agreement.
        rows = read_batches(sponsor.home)
        assert sorted((item.agreement, item.numbers[0]) for item in rows) == [
            ("ag-north", "B1"),
            ("ag-north", "north-2"),
            ("ag-south", "B1"),
            ("ag-south", "south-2"),
        ]
        for made in links:
            assert are_equal(made)
            content = b"".join(
                item.read_bytes() for item in made.cmo.home.path.rglob("*") if item.is_file()
            )
            other = "south-2" if made.agreement == "ag-north" else "north-2"
            assert other.encode() not in content
    finally:
        world.close()


def test_points_of_two_cmos_batches_of_one_number_never_come_into_one_table(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    try:
        sponsor = world.node("sponsor", listens=True)
        links = []
        for name, speed in (("north", "1.0"), ("south", "2.25")):
            cmo = world.node(name)
            cmo.map("press")
            rights = (Right(record_type="series"),)
            made = link(world, cmo, sponsor, agreement=f"ag-{name}", rights=rights)
            links.append(made)
            (tmp_path / name / "press.csv").write_text(
                "\n".join([PRESS, line("06:00:00", speed=speed), ""])
            )
            cmo.take(tmp_path / name / "press.csv")
            cmo.share(made.agreement)
        together(links)
        together(links)
        words = ["export", "series", "B1", "--home", str(sponsor.home.path), "--out"]
        out = tmp_path / "series.csv"
        refused = CliRunner().invoke(app, [*words, str(out)])
        assert refused.exit_code == 3, refused.output
        assert "ag-north" in refused.output
        assert not out.exists()
        told = CliRunner().invoke(app, [*words, str(out), "--agreement", "ag-south"])
        assert told.exit_code == 0, told.output
        assert "2.25" in out.read_text()
        assert "1.0," not in out.read_text()
        with fedbatch.open(sponsor.home.path) as reader:
            with pytest.raises(InputError, match="the agreement that is meant"):
                reader.series("B1")
            table = reader.series("B1", codes=("PRESS.SPEED",), agreement="ag-north")
            assert [str(v) for v in table.column("PRESS.SPEED.PV").to_pylist()] == ["1.0"]
    finally:
        world.close()


def test_party_that_is_cmo_here_and_sponsor_there_keeps_both_apart(tmp_path: Path) -> None:
    """A middle party passes nothing on by itself."""
    world = World(tmp_path)
    try:
        first = world.node("first")
        middle = world.node("middle", listens=True)
        last = world.node("last")
        for node in (first, middle):
            node.map("small")
        below = link(world, first, middle, agreement="ag-below")
        above = link(world, middle, last, agreement="ag-above")
        first.take(write_table(tmp_path / "first.csv", [row("F-1")]))
        first.share("ag-below")
        below.settle()
        middle.share("ag-above")
        above.settle()
        assert {item.batch for item in read_results(middle.home)} == {"F-1"}
        assert read_results(last.home) == []
        middle.take(write_table(tmp_path / "middle.csv", [row("M-1")]))
        middle.share("ag-above")
        above.settle()
        below.settle()
        assert {item.batch for item in read_results(last.home)} == {"M-1"}
        assert are_equal(below)
        assert are_equal(above)
    finally:
        world.close()


def test_two_rounds_over_one_link_at_once_do_no_harm(tmp_path: Path) -> None:
    """`fedbatch sync` beside `fedbatch serve`."""
    with linked(tmp_path) as made:
        for day in range(5):
            made.take([row(f"B{day}")], f"{day}.csv")
            made.cmo.share(AGREED)
            run_twice(made, lambda: made.sponsor.share(AGREED))
        made.settle()
        assert are_equal(made)
        assert not any(item.stopped for store in made.stores for item in store.ledgers())


def run_twice(made: Link, between: Callable[[], Any]) -> None:
    between()
    together([made, made])
