"""Samples of the culture: when drawn, what the laboratory finds, when it says so.

Numbers of samples are consecutive over all sponsors. Results of the day are known within the hour,
titres days later; the sheet keeps the instant of logging, never that of drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedbatch.plant.culture import Culture
from fedbatch.plant.schedule import DAY_S, HOUR_S, PlannedBatch
from fedbatch.plant.signals import Signals, read_probe_offset

__all__ = ["COLUMNS", "Drawing", "Sample", "analyse", "plan_drawings"]

TITRE_FROM_DAY = 5
FIRST_NUMBER = 10_431
ANALYSTS = ("AKE", "MBR", "TSC", "LHU")

# Header, decimals.
COLUMNS = (
    ("VCD (10^6/mL)", 2),
    ("Viability (%)", 1),
    ("Glucose (g/L)", 2),
    ("Lactate (g/L)", 2),
    ("pH offline", 2),
    ("pCO2 (mmHg)", 0),
    ("Osmolality (mOsm/kg)", 0),
    ("Titre (g/L)", 2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A sample as it is drawn: before the nutrient feed, or after glucose was dosed."""

    batch: int
    day: int
    moment: str
    drawn_at: int
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample with its results as the sheet writes them, and when each thing becomes known.

    `results` holds decimals by column header; `titre_at` is when the titre follows.
    """

    drawing: Drawing
    logged_at: int
    results_at: int
    titre_at: int
    checked_at: int
    approved_at: int
    analyst: str
    results: Mapping[str, str]


def plan_drawings(
    batches: Sequence[PlannedBatch], cultures: Mapping[int, Culture]
) -> list[Drawing]:
    """Number every sample of every batch in the order of drawing."""
    drawings = sorted(
        (drawing for batch in batches for drawing in _drawings(batch, cultures[batch.index])),
        key=lambda drawing: (drawing.drawn_at, drawing.batch),
    )
    return [
        Drawing(
            batch=drawing.batch,
            day=drawing.day,
            moment=drawing.moment,
            drawn_at=drawing.drawn_at,
            number=f"S-{FIRST_NUMBER + position}",
        )
        for position, drawing in enumerate(drawings)
    ]


def _drawings(batch: PlannedBatch, culture: Culture) -> list[Drawing]:
    before = [
        Drawing(batch=batch.index, day=day, moment="before feed", drawn_at=batch.instant(age))
        for day, age in enumerate(batch.sample_ages)
    ]
    after = [
        Drawing(
            batch=batch.index,
            day=day,
            moment="after feed",
            drawn_at=batch.instant(batch.dose_ages[day - 1]) + batch.scaled_s(HOUR_S / 2),
        )
        for day in culture.dosed
    ]
    return [*before, *after]


def analyse(
    batch: PlannedBatch, culture: Culture, signals: Signals, drawings: Sequence[Drawing]
) -> list[Sample]:
    """Return the batch's samples with their results, in the order of drawing."""
    chance = batch.chance(4)
    return [
        _sample(batch, drawing, _results(batch, culture, signals, drawing, chance), chance)
        for drawing in drawings
        if drawing.batch == batch.index
    ]


def _sample(
    batch: PlannedBatch, drawing: Drawing, results: dict[str, str], chance: np.random.Generator
) -> Sample:
    logged, wait, titre, check, approval = chance.uniform(0, 1, 5).tolist()
    quick = 60 * (15 if drawing.moment == "after feed" else 15 + 25 * wait)
    results_at = drawing.drawn_at + round(quick)
    titre_at = drawing.drawn_at + batch.scaled_s(DAY_S * (1 + titre))
    has_titre = "Titre (g/L)" in results
    complete_at = titre_at if has_titre else results_at
    checked_at = complete_at + batch.scaled_s(HOUR_S * (1 + 5 * check))
    return Sample(
        drawing=drawing,
        # Logged between drawing and result.
        logged_at=drawing.drawn_at + round(60 * (2 + 9 * logged)),
        results_at=results_at,
        titre_at=titre_at,
        checked_at=checked_at,
        approved_at=checked_at + batch.scaled_s(DAY_S * (7 + 21 * approval)),
        analyst=ANALYSTS[int(chance.integers(len(ANALYSTS)))],
        results=results,
    )


def _results(
    batch: PlannedBatch,
    culture: Culture,
    signals: Signals,
    drawing: Drawing,
    chance: np.random.Generator,
) -> dict[str, str]:
    age = (drawing.drawn_at - batch.anchor_at) / (DAY_S * batch.scale)
    # A hair earlier: the sample itself is not what it changes.
    age = max(age - 0.004, 0.0)
    found = {
        "Glucose (g/L)": culture.at("glucose", age) * (1 + 0.01 * _spread(chance)),
    }
    if drawing.moment == "before feed":
        found |= _full(batch, culture, signals, drawing, chance)
    if drawing.moment == "before feed" and drawing.day >= TITRE_FROM_DAY:
        found["Titre (g/L)"] = culture.at("titre", age) * (1 + 0.025 * _spread(chance))
    return {name: f"{found[name]:.{decimals}f}" for name, decimals in COLUMNS if name in found}


def _full(
    batch: PlannedBatch,
    culture: Culture,
    signals: Signals,
    drawing: Drawing,
    chance: np.random.Generator,
) -> dict[str, float]:
    age = max((drawing.drawn_at - batch.anchor_at) / (DAY_S * batch.scale) - 0.004, 0.0)
    viability = culture.at("viability", age) + 0.5 * _spread(chance)
    return {
        "VCD (10^6/mL)": culture.at("density", age) * (1 + 0.04 * _spread(chance)),
        "Viability (%)": min(viability, 99.6),
        "Lactate (g/L)": culture.at("lactate", age) * (1 + 0.02 * _spread(chance)),
        "pH offline": _true_ph(batch, signals, drawing.drawn_at) + 0.006 * _spread(chance),
        "pCO2 (mmHg)": culture.at("pco2", age) * (1 + 0.05 * _spread(chance)),
        "Osmolality (mOsm/kg)": culture.at("osmolality", age) + 3 * _spread(chance),
    }


def _spread(chance: np.random.Generator) -> float:
    # An analyst repeats what lies far off.
    return float(np.clip(chance.standard_normal(), -2.5, 2.5))


def _true_ph(batch: PlannedBatch, signals: Signals, instant: int) -> float:
    scan = signals.scan(instant)
    probe = float(signals.quanta["PH.PV"][scan - 5 : scan + 5].mean()) / 100
    return probe + float(read_probe_offset(batch, np.array([instant]))[0])
