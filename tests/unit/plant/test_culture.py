from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.plant.culture import Culture, grow
from fedbatch.plant.products import ANTIBODY
from fedbatch.plant.schedule import Fault, PlannedBatch, plan_batches
from tests.unit.plant.judging import START


def antibody_batches(seed: int, days: float | None = None) -> list[PlannedBatch]:
    planned = plan_batches("isolation", seed=seed, start=START, days=days)
    return [batch for batch in planned if batch.product is ANTIBODY]


def final(culture: Culture) -> tuple[float, float, float]:
    return float(culture.titre[-1]), float(culture.viability[-1]), float(culture.volume[-1])


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), days=st.sampled_from([None, 3.0, 7.0]))
def test_clean_culture_has_the_figures_of_its_description(seed: int, days: float | None) -> None:
    for batch in antibody_batches(seed, days):
        culture = grow(batch)
        peak = int(culture.density.argmax())
        titre, viability, volume = final(culture)
        assert 19 < culture.density[peak] < 24
        assert 8 <= culture.age[peak] <= 10
        assert 170 < culture.integral[-1] < 220
        assert 79 < viability < 83
        assert 3.5 < titre < 5.1
        assert 1_985 < volume < 2_030
        assert 3.7 < culture.lactate.max() < 5.2
        assert 5.5 < culture.age[culture.lactate.argmax()] < 7.8
        assert culture.lactate[-1] < 1
        assert 370 < culture.osmolality[-1] < 400
        assert culture.pco2.min() > 40
        assert culture.pco2.max() < 105
        before = [culture.at("glucose", age - 0.004) for age in batch.sample_ages]
        assert min(before) > 3
        assert max(before) < 6


def test_batches_differ_by_about_six_percent_of_titre() -> None:
    titres = [final(grow(batch))[0] for seed in range(10) for batch in antibody_batches(seed)]
    assert 4.1 < np.mean(titres) < 4.5
    assert 0.03 < np.std(titres) / np.mean(titres) < 0.09


def test_same_batch_grows_the_same_way() -> None:
    batch = antibody_batches(4)[0]
    assert np.array_equal(grow(batch).density, grow(batch).density)


@pytest.mark.parametrize("days", [None, 3.0])
def test_want_of_oxygen_costs_titre_and_makes_lactate(days: float | None) -> None:
    batch = antibody_batches(5, days)[0]
    clean = grow(batch)
    starved = grow(replace(batch, faults=frozenset({Fault.OXYGEN_LIMIT})))
    assert 0.90 < final(starved)[0] / final(clean)[0] < 0.94
    assert 1.2 < starved.at("lactate", 7.9) - clean.at("lactate", 7.9) < 1.6
    assert abs(starved.at("lactate", 7.0) - clean.at("lactate", 7.0)) < 1e-9


def test_weak_pump_shows_in_volume_and_osmolality_and_not_in_the_totaliser() -> None:
    batch = antibody_batches(6)[0]
    clean = grow(batch)
    weak = grow(replace(batch, faults=frozenset({Fault.WEAK_PUMP})))
    assert np.array_equal(clean.metered, weak.metered)
    assert weak.fed[-1] == pytest.approx(462 - 6 * 42 * 0.14, abs=0.2)
    assert weak.fed[-1] < clean.fed[-1] == pytest.approx(462, abs=0.2)
    assert weak.at("osmolality", 9.0) < clean.at("osmolality", 9.0) - 3
    assert weak.density.max() < clean.density.max()
