"""F6: clocks ten years off, set back, jumping: order and expiry hold, since order is the ledger's."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from fedbatch.node.reading import read_results
from fedbatch.standard.envelope import read_entry
from tests.faults.outcome import Outcome
from tests.scenarios.making import AGREED, Link, are_equal, linked, row, write_table

SEED = 20261124
YEAR_S = 365 * 86_400


def jump(made: Link, seconds: float) -> None:
    made.world.clock.moment += timedelta(seconds=seconds)


def fault_after(made: Link, told: int) -> str:
    """Whether what was said last shows, whatever the clock said, and both copies are equal."""
    made.settle()
    if not are_equal(made):
        return "the copies differ"
    shown = [item.shown for item in read_results(made.sponsor.home, batch="B1", codes=("ASSAY",))]
    return "" if shown == [f"{told}.5"] else f"{shown} shows, {told}.5 was said last"


def run(folder: Path, jumps: int) -> Outcome:
    chance = np.random.default_rng(SEED)
    outcome = Outcome("F6", SEED)
    with linked(folder, to="2060-01-01T00:00:00Z") as made:
        for number in range(jumps):
            span = float(chance.choice([10 * YEAR_S, 3600, 7200, 300, 1]) * chance.uniform(-1, 1))
            # Before the agreement began and after its end nothing may be posted: tested apart.
            year = (made.world.clock.moment + timedelta(seconds=span)).year
            jump(made, span if 2022 <= year <= 2058 else -span)
            made.cmo.take(
                write_table(
                    made.world.folder / "tables" / "t.csv", [row("B1", assay=f"{number}.5")]
                )
            )
            made.cmo.share(AGREED)
            outcome.count(fault_after(made, number))
    outcome.report()
    return outcome


def test_what_was_said_last_shows_whatever_the_clock_said(folder: Path) -> None:
    assert run(folder, 200).failures == []


def test_control_an_order_by_the_clock_would_show_an_older_value(folder: Path) -> None:
    with linked(folder) as made:
        for number, seconds in enumerate((0, -3600)):
            jump(made, seconds)
            made.cmo.take(
                write_table(
                    made.world.folder / "tables" / "t.csv", [row("B1", assay=f"{number}.5")]
                )
            )
            made.cmo.share(AGREED)
        made.settle()
        store = made.sponsor.home.ledgers(AGREED)
        entries = [
            read_entry(content)
            for _, content in store.scan(store.ledgers()[1].ledger)
            if b'"ASSAY"' in content
        ]
        latest = max(entries, key=lambda item: item.heading.time)
        assert latest is not entries[-1]


@pytest.mark.long
def test_a_thousand_jumps_of_the_clock(folder: Path) -> None:
    assert run(folder, 1000).failures == []
