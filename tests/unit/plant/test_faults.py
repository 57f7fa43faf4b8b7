"""Every label's fault stands in the raw truth, and is visible or not in what was archived."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fedbatch.plant.labels import Label
from fedbatch.plant.packs import World
from fedbatch.plant.schedule import Fault, PlannedBatch
from tests.unit.plant.judging import (
    PERSISTENCE_S,
    archived,
    historian_rows,
    longest_outside_s,
    raw,
    sheet,
    within,
)

Case = tuple[World, Path, PlannedBatch, Label]


@pytest.fixture(params=["pilot", "demo"])
def case(request: pytest.FixtureRequest) -> tuple[World, Path]:
    world: World = request.getfixturevalue(request.param)
    folder: Path = request.getfixturevalue(f"{request.param}_folder")
    return world, folder


def find_case(case: tuple[World, Path], fault: Fault) -> Case:
    world, folder = case
    label = next(label for label in world.labels if label.fault == fault)
    return world, folder, world.find_batch(label.batch), label


def test_demo_has_all_faults_both_sponsors_and_both_trains(demo: World) -> None:
    assert {label.fault for label in demo.labels} == {0, *Fault}
    assert {batch.product.sponsor for batch in demo.batches} == {"sponsor-1", "sponsor-2"}
    assert {batch.train for batch in demo.batches} == {1, 2}


def test_pilot_has_a_clean_batch_and_faults_1_5_and_3_6_of_one_product(pilot: World) -> None:
    assert [set(batch.faults) for batch in pilot.batches] == [set(), {1, 5}, {3, 6}]
    assert len({batch.product.code for batch in pilot.batches}) == 1


def off_line_gaps(world: World, batch: PlannedBatch) -> dict[int, float]:
    """pH off-line minus what the probe reads around the drawing, by day of culture."""
    readings = raw(world, batch, "PH.PV")
    return {
        sample.drawing.day: float(sample.results["pH offline"])
        - float(within(readings, at - 150, at + 150)[1].mean())
        for sample in world.samples[batch.index]
        if "pH offline" in sample.results
        and (at := sample.drawing.drawn_at) > batch.anchor_at + 4_000
    }


def test_drifting_probe_parts_from_the_laboratory_and_not_from_its_set_point(
    case: tuple[World, Path],
) -> None:
    world, folder, batch, label = find_case(case, Fault.PROBE_DRIFT)
    gaps = off_line_gaps(world, batch)
    assert gaps[9] > 0.10
    assert max(abs(gap) for day, gap in gaps.items() if day not in {6, 7, 8, 9}) < 0.04
    for readings in (raw(world, batch, "PH.PV"), archived(folder, batch, "PH.PV")):
        assert longest_outside_s(readings, 6.90, 7.10) < PERSISTENCE_S
    # Re-standardised, the reading jumps.
    at = label.to.timestamp()
    readings = raw(world, batch, "PH.PV")
    jump = within(readings, at, at + 60)[1].max() - within(readings, at - 600, at)[1].mean()
    assert 0.08 < jump < 0.17


def test_clean_batch_agrees_with_its_laboratory(pilot: World) -> None:
    assert max(map(abs, off_line_gaps(pilot, pilot.batches[0]).values())) < 0.04


@pytest.mark.parametrize("case", ["demo"], indirect=True)
def test_coarse_dead_band_hides_what_the_step_maximum_shows(case: tuple[World, Path]) -> None:
    world, folder, batch, label = find_case(case, Fault.COARSE_BAND)
    high = batch.product.ph + 0.10
    stretch = (label.from_.timestamp(), label.to.timestamp())
    assert longest_outside_s(within(raw(world, batch, "PH.PV"), *stretch), 0, high) > 25 * 60
    at, values = archived(folder, batch, "PH.PV")
    assert values.max() < high
    assert np.diff(at).max() <= 8 * 3_600
    rows = sheet(folder / "mes" / "step_values.csv")
    mes = next(
        row["Maximum"]
        for row in rows
        if (row["Batch"], row["Step"], row["Parameter"]) == (batch.number, "GROWTH", "PH")
    )
    assert float(mes.replace(",", ".")) > high
    tag = next(tag for tag in world.tags if tag.name.endswith("PH.PV") and tag.dead_band_in)
    assert tag.dead_band_in == {batch.number: "0.28"}


def test_lost_link_is_silent_then_late_unordered_and_partly_doubled(
    case: tuple[World, Path], tmp_path: Path
) -> None:
    world, folder, batch, label = find_case(case, Fault.LINK_DOWN)
    start, stop = label.from_.timestamp(), label.to.timestamp()
    world.write_until(tmp_path, label.to)
    before = historian_rows(tmp_path, batch.train)
    texts = [row for row in before if row[2] == "I/O Timeout"]
    assert len(texts) == 19
    assert not [row for row in before if start + 60 < row[1] < stop]
    after = historian_rows(folder, batch.train)
    assert after[: len(before)] == before
    late = [row for row in after[len(before) :] if start < row[1] < stop]
    assert late
    assert late != sorted(late, key=lambda row: row[1])
    doubled = [row for row in after if stop <= row[1] < stop + 80]
    keys = [row[:2] for row in doubled]
    assert len(keys) == 2 * len(set(keys))
    # One quantum apart in two tags, else equal.
    assert len(set(doubled)) == len(set(keys)) + 2


def test_interpolated_export_draws_a_line_across_a_lost_link(pilot: World, tmp_path: Path) -> None:
    batch = pilot.batches[2]
    label = next(label for label in pilot.labels if label.fault == Fault.LINK_DOWN)
    soon = datetime.fromtimestamp(label.to.timestamp() + 600, UTC)
    path = pilot.export_interpolated(tmp_path, batch.number, until=soon)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    column = lines[0].index("AI_BR201_DO.PV")
    lost = [float(line[column]) for line in lines[-180:-20]]
    assert np.abs(np.diff(lost, 2)).max() < 0.02
    healthy = [float(line[column]) for line in lines[-500:-320]]
    assert np.abs(np.diff(healthy, 2)).max() > 1


def test_late_click_disputes_the_window_after_the_unit_tag_changed(demo: World) -> None:
    label = next(label for label in demo.labels if label.fault == Fault.LATE_CLICK)
    batch = demo.find_batch(label.batch)
    click = next(
        click for click in demo.clicks if click.batch is batch and click.step == "BIOREACTOR"
    )
    assert 4.9 * 3_600 < click.clicked_stop - batch.end_at < 5.1 * 3_600
    following = min(
        other.fill_at
        for other in demo.batches
        if other.train == batch.train and other.fill_at > batch.fill_at
    )
    assert batch.end_at < following < click.clicked_stop


def test_other_clicks_stay_within_five_minutes_of_the_unit_tag(demo: World, pilot: World) -> None:
    for world in (demo, pilot):
        for click in world.clicks:
            if click.step == "BIOREACTOR" and Fault.LATE_CLICK not in click.batch.faults:
                assert abs(click.clicked_start - click.batch.inoculation_at) <= 300
                assert abs(click.clicked_stop - click.batch.end_at) <= 300


def test_oxygen_limit_is_ninety_five_minutes_under_twenty(case: tuple[World, Path]) -> None:
    world, folder, batch, label = find_case(case, Fault.OXYGEN_LIMIT)
    stretch = (label.from_.timestamp(), label.to.timestamp())
    at, values = within(raw(world, batch, "DO.PV"), *stretch)
    assert 90 * 60 < 30 * (values < 20).sum() < 100 * 60
    assert values[at >= stretch[0] + 55 * 60].min() > 15
    assert within(raw(world, batch, "DO.OUT"), *stretch)[1].min() == 100
    seen = within(archived(folder, batch, "DO.PV"), *stretch)
    assert longest_outside_s(seen, 20, 70) > 60 * 60
    assert longest_outside_s(archived(folder, batch, "DO.PV"), 20, 70) > PERSISTENCE_S


def daily_balance(
    world: World, readings: tuple[np.ndarray, np.ndarray], batch: PlannedBatch, day: int
) -> float:
    """Kilograms that a portion of feed made the vessel heavier, additions of base taken off."""
    start, stop = (
        batch.instant(batch.dose_ages[day - 1] + 0.02),
        batch.instant(batch.dose_ages[day - 1] + 0.52),
    )
    base = raw(world, batch, "BASE.TOT")
    at, weight = readings
    rise, dosed = (
        float(np.interp(stop, times, values) - np.interp(start, times, values))
        for times, values in ((at, weight), base)
    )
    return rise - dosed


def test_weak_pump_counts_forty_two_litres_and_delivers_thirty_six(
    case: tuple[World, Path],
) -> None:
    world, folder, batch, _ = find_case(case, Fault.WEAK_PUMP)
    for readings in (raw(world, batch, "WEIGHT.PV"), archived(folder, batch, "WEIGHT.PV")):
        weak = [daily_balance(world, readings, batch, day) for day in range(3, 9)]
        sound = [daily_balance(world, readings, batch, day) for day in range(10, 13)]
        assert np.mean(weak) == pytest.approx(36.1 * 23 / 24, abs=1.5)
        assert np.mean(sound) == pytest.approx(42 * 23 / 24, abs=1.5)
    totals = archived(folder, batch, "FEED.TOT")
    start, stop = (batch.instant(age - 0.01) for age in (batch.dose_ages[3], batch.dose_ages[4]))
    counted = np.interp(stop, *totals) - np.interp(start, *totals)
    assert counted == pytest.approx(42, abs=0.3)
