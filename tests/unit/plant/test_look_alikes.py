"""What only looks wrong stays inside its limit's persistence, in the truth and in the archive."""

from pathlib import Path

import numpy as np
import pytest

from fedbatch.plant.labels import Label
from fedbatch.plant.packs import World, make_world
from fedbatch.plant.schedule import Fault, PlannedBatch
from tests.unit.plant.judging import (
    PERSISTENCE_S,
    START,
    archived,
    historian_rows,
    longest_outside_s,
    raw,
    within,
)

KINDS = {
    "alkaline-feed",
    "antifoam",
    "sampling-step",
    "temperature-shift",
    "flat-tag",
    "probe-warm-up",
    "click",
}


def labelled(world: World, batch: PlannedBatch, kind: str) -> Label:
    return next(label for label in world.labels if label.id == f"{batch.number}/{kind}")


def stretch(label: Label) -> tuple[float, float]:
    return label.from_.timestamp(), label.to.timestamp()


def test_every_batch_has_all_look_alikes_and_none_expects_a_finding(pilot: World) -> None:
    for batch in pilot.batches:
        mine = [label for label in pilot.labels if label.batch == batch.number and not label.fault]
        assert {label.id.partition("/")[2] for label in mine} == KINDS
        assert all(label.must_not and not label.expected for label in mine)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("days", [None, 3.0])
def test_clean_batches_never_leave_their_limits_for_long(seed: int, days: float | None) -> None:
    world = make_world("isolation", seed=seed, start=START, days=days)
    for batch in world.batches:
        ph = raw(world, batch, "PH.PV")
        assert longest_outside_s(ph, batch.product.ph - 0.1, batch.product.ph + 0.1) < PERSISTENCE_S
        assert longest_outside_s(raw(world, batch, "DO.PV"), 30, 50) < PERSISTENCE_S
        temperature = raw(world, batch, "TEMP.PV")
        for click, level in (
            ("GROWTH", batch.product.growth_c),
            ("PRODUCTION", batch.product.production_c),
        ):
            step = next(c for c in world.clicks if c.batch is batch and c.step == click)
            _, held = within(temperature, step.clicked_start, step.clicked_stop)
            assert np.abs(held - level).max() < 0.31
        glucose = [float(sample.results["Glucose (g/L)"]) for sample in world.samples[batch.index]]
        assert min(glucose) >= 2.95
        assert max(glucose) <= 6.0


def test_limits_judged_here_do_find_a_real_excursion(pilot: World) -> None:
    batch = next(batch for batch in pilot.batches if Fault.OXYGEN_LIMIT in batch.faults)
    assert longest_outside_s(raw(pilot, batch, "DO.PV"), 30, 50) > PERSISTENCE_S


def test_alkaline_feed_crosses_the_limit_for_less_than_its_persistence(
    pilot: World, pilot_folder: Path
) -> None:
    batch = pilot.batches[0]
    when = stretch(labelled(pilot, batch, "alkaline-feed"))
    for readings in (raw(pilot, batch, "PH.PV"), archived(pilot_folder, batch, "PH.PV")):
        seen = within(readings, *when)
        assert 7.10 < seen[1].max() < 7.25
        assert 0 < longest_outside_s(readings, 6.90, 7.10) < PERSISTENCE_S


def test_antifoam_dips_oxygen_for_less_than_its_persistence(
    pilot: World, pilot_folder: Path
) -> None:
    batch = pilot.batches[0]
    when = stretch(labelled(pilot, batch, "antifoam"))
    for readings in (raw(pilot, batch, "DO.PV"), archived(pilot_folder, batch, "DO.PV")):
        seen = within(readings, *when)
        assert 17 < seen[1].min() < 30
        assert longest_outside_s(readings, 30, 50) < PERSISTENCE_S


def test_sampling_makes_the_vessel_lighter_at_once(pilot: World) -> None:
    batch = pilot.batches[0]
    start, stop = stretch(labelled(pilot, batch, "sampling-step"))
    weight = raw(pilot, batch, "WEIGHT.PV")
    before, after = (
        within(weight, *when)[1].mean() for when in ((start - 600, start), (stop, stop + 600))
    )
    assert 4 < before - after < 8


def test_temperature_shift_leaves_growth_limits_inside_its_own_phase(pilot: World) -> None:
    batch = pilot.batches[0]
    _, ramp = within(
        raw(pilot, batch, "TEMP.PV"), *stretch(labelled(pilot, batch, "temperature-shift"))
    )
    assert ramp[0] > 36.3
    assert ramp[-1] < 34.3
    assert ramp.min() > 33.0


def test_flat_tag_archives_one_point_in_eight_hours(pilot: World, pilot_folder: Path) -> None:
    batch = pilot.batches[0]
    at, values = archived(pilot_folder, batch, "PH.SP")
    assert set(values) == {7.0}
    assert set(np.diff(at)) == {8 * 3_600}


def test_probes_warm_up_before_the_window_and_are_settled_at_inoculation(
    pilot: World, pilot_folder: Path
) -> None:
    batch = pilot.batches[0]
    rows = [
        (at, float(value))
        for name, at, value, status in historian_rows(pilot_folder, 1)
        if name == "AI_BR201_PH.PV" and status == "Good" and batch.fill_at <= at < batch.anchor_at
    ]
    early = [value for at, value in rows if at < batch.inoculation_at]
    settled = [value for at, value in rows if at >= batch.inoculation_at]
    assert max(early) > 7.3
    assert max(abs(value - 7.0) for value in settled) < 0.1
