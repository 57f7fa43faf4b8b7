"""What happens between two requests of one round must not look like a broken history."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.scenarios.agreements import tablet_agreement
from tests.scenarios.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    cmo, sponsor = made.node("cmo"), made.node("sponsor", listens=True)
    made.pair(cmo, sponsor)
    made.agree(tablet_agreement(cmo, sponsor, ["T-100"], ()), cmo, sponsor, cmo)
    yield made
    made.close()


def test_an_append_between_overview_and_checkpoint_stops_nothing(world: World) -> None:
    cmo, sponsor = world.nodes["cmo"], world.nodes["sponsor"]
    network = cmo.networks[sponsor.party]
    before = sponsor.home.ledgers("ag-1").ledgers()[0].size

    def append_first(number: int, request: httpx.Request) -> None:
        if request.url.path.endswith("/checkpoint"):
            sponsor.share("ag-1")

    network.meddle = append_first
    moved = world.sync(cmo, sponsor)
    assert moved.refusals == []
    assert sponsor.home.ledgers("ag-1").ledgers()[0].size > before
    network.meddle = lambda number, request: None
    world.sync(cmo, sponsor)
    copy = cmo.home.ledgers("ag-1").ledgers()[1]
    own = sponsor.home.ledgers("ag-1").ledgers()[0]
    assert (copy.size, copy.root, copy.stopped) == (own.size, own.root, "")
