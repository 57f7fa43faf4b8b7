"""F7: requests and answers lost, doubled, late, out of order and cut; once healed, nothing lost or twice."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from fedbatch.node.reading import read_results
from tests.faults.outcome import Outcome
from tests.scenarios.making import AGREED, Link, are_equal, linked, row, write_table

SEED = 20261124
HARM = 0.3


class Weather:
    """Harms three in ten requests, each in its own way; counts all."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.requests = 0
        self.kept: list[bytes] = []

    def __call__(self, _number: int, request: httpx.Request) -> Any:
        self.requests += 1
        if self.chance.random() >= HARM:
            return None
        match int(self.chance.integers(4)):
            case 0:
                return httpx.ConnectError("lost on the way there")
            case 1:
                return ("reply", httpx.ReadError("lost on the way back"))
            case 2:
                return ("change", lambda content: content[: len(content) // 2])
            case _:
                return ("change", lambda content: self._another(request, content))

    def _another(self, request: httpx.Request, content: bytes) -> bytes:
        """An earlier answer instead of this one: late, doubled, out of order."""
        if request.url.path.endswith("/entries"):
            self.kept.append(content)
        return self.kept[int(self.chance.integers(len(self.kept)))] if self.kept else content


def storm(made: Link, weather: Weather, rounds: int, start: int) -> None:
    """Files, sharing and exchange go on while the weather is bad."""
    for number in range(start, start + rounds):
        rows = [
            row(f"B{index}", assay=f"{90 + index % 10}.{number % 10}")
            for index in range(number % 7 + 1)
        ]
        made.cmo.take(write_table(made.world.folder / "tables" / "storm.csv", rows))
        made.cmo.share(AGREED)
        made.network.meddle = weather
        for _ in range(4):
            made.world.try_sync(made.dialer, made.listener)


def fault_after(made: Link) -> str:
    """What is lost or doubled once the link has healed."""
    made.network.meddle = lambda _number, _request: None
    stopped = [row for store in made.stores for row in store.ledgers() if row.stopped]
    if stopped:
        return f"a ledger stopped: {stopped[0].stopped}"
    made.settle()
    if not are_equal(made):
        return "the copies differ from the originals"
    here, there = (
        sorted((item.batch, item.code, item.shown) for item in read_results(node.home))
        for node in (made.cmo, made.sponsor)
    )
    if here != there:
        return "the results differ"
    return "a result stands twice" if len(set(here)) < len(here) else ""


def run(folder: Path, requests: int, seeds: int) -> Outcome:
    outcome = Outcome("F7", SEED)
    weathers = 0
    for seed in range(seeds):
        with linked(folder / str(seed), cmo_listens=bool(seed % 2)) as made:
            weather, start = Weather(SEED + seed), 0
            while weather.requests < requests // seeds:
                storm(made, weather, 3, start)
                start += 3
            weathers += weather.requests
            outcome.count(fault_after(made))
    outcome.cases = weathers
    outcome.report()
    return outcome


def test_nothing_is_lost_or_doubled_by_a_bad_network(folder: Path) -> None:
    outcome = run(folder, requests=2000, seeds=4)
    assert outcome.failures == []
    assert outcome.cases >= 2000


def test_control_without_another_try_the_copies_differ(folder: Path) -> None:
    with linked(folder) as made:
        made.deliver([row("B1")])
        made.cmo.take(write_table(made.world.folder / "tables" / "storm.csv", [row("B2")]))
        made.cmo.share(AGREED)
        made.network.meddle = lambda _number, _request: httpx.ConnectError("lost")
        made.world.try_sync(made.dialer, made.listener)
        assert not are_equal(made)


@pytest.mark.long
def test_nothing_is_lost_or_doubled_in_a_thousand_storms(folder: Path) -> None:
    outcome = run(folder, requests=100_000, seeds=200)
    assert outcome.failures == []
