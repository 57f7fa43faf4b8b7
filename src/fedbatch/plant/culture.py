"""What the cells do: growth, uptake, product, and the volume they live in.

Ordinary fed-batch kinetics, solved in steps of five minutes of a culture of fourteen days. A
shortened culture is the same solution, lived faster.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fedbatch.plant.faults import FEED_SHARE, Stretch, fault_stretch
from fedbatch.plant.schedule import FULL_DAYS, Fault, PlannedBatch

__all__ = ["SAMPLE_L", "Culture", "grow"]

STEPS_A_DAY = 288
STEP_D = 1 / STEPS_A_DAY
START_L = 1_500.0
SEED_DENSITY = 0.5
FEED_GLUCOSE = 60.0
# Osmolality of the feed, and what base and lactate add.
FEED_OSMOLALITY = 660.0
# Twelve hours of pump a day: what is fed in an hour is used up by the next morning.
FEED_HOURS = 12.0
BOLUS_GLUCOSE = 500.0
# People dose for 6 g/L and land a little below, since the cells eat meanwhile.
BOLUS_TO = 5.85
BOLUS_BELOW = 5.0
# While cells still grow fast, the late shift tops up what the night would use up.
EVENING_DAYS = (5, 6)
EVENING_BELOW = 5.6
EVENING_TO = 6.2
SAMPLE_L = 2.5
# A day on which the sample port is flushed twice: the largest step that sampling makes.
FLUSH_DAY = 7
FLUSH_L = 6.0
ANAEROBIC_LACTATE = 1.5
STARVED_PRODUCTIVITY = 0.88
UNDERFED_GROWTH = 0.93


@dataclass(frozen=True, slots=True, kw_only=True)
class Culture:
    """The truth of a culture over its age in days.

    Densities in 10⁶/mL, their integral in 10⁶·d/mL, viability in %, concentrations in g/L, volumes
    in L, osmolality in mosm/kg, pCO2 in mmHg. `fed`, `sugar` and `base` are litres that really went
    in since the start; `metered` is what the feed totaliser counted. `dosed` holds the days on
    which glucose was dosed in the morning.
    """

    age: NDArray[np.float64]
    density: NDArray[np.float64]
    viability: NDArray[np.float64]
    glucose: NDArray[np.float64]
    lactate: NDArray[np.float64]
    titre: NDArray[np.float64]
    volume: NDArray[np.float64]
    integral: NDArray[np.float64]
    osmolality: NDArray[np.float64]
    pco2: NDArray[np.float64]
    fed: NDArray[np.float64]
    metered: NDArray[np.float64]
    sugar: NDArray[np.float64]
    base: NDArray[np.float64]
    dosed: tuple[int, ...]

    def at(self, name: str, age: float) -> float:
        """Return one quantity at one culture age."""
        column: NDArray[np.float64] = getattr(self, name)
        return float(np.interp(age, self.age, column))


@dataclass(slots=True)
class _Vessel:
    """The state that is carried from step to step; amounts in units of concentration × litre."""

    cells: float
    dead: float
    glucose: float
    lactate: float
    product: float
    osmoles: float
    volume: float = START_L
    integral: float = 0.0
    fed: float = 0.0
    metered: float = 0.0
    sugar: float = 0.0
    base: float = 0.0

    def draw(self, litres: float) -> None:
        share = 1 - litres / self.volume
        for name in ("cells", "dead", "glucose", "lactate", "product", "osmoles", "volume"):
            setattr(self, name, getattr(self, name) * share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Luck:
    """How this batch differs from the next: growth 3 %, titre 6 %, feed lot 3 %."""

    growth: float
    productivity: float
    feed: float


def _luck(batch: PlannedBatch) -> _Luck:
    growth, productivity, feed = batch.chance(1).standard_normal(3).clip(-1.5, 1.5)
    return _Luck(
        growth=batch.product.growth * (1 + 0.03 * float(growth)),
        productivity=batch.product.productivity * (1 + 0.055 * float(productivity)),
        feed=1 + 0.03 * float(feed),
    )


def grow(batch: PlannedBatch) -> Culture:
    """Solve the culture of `batch`, with what its faults do to the cells."""
    luck = _luck(batch)
    vessel = _Vessel(
        cells=SEED_DENSITY * START_L,
        dead=0.01 * SEED_DENSITY * START_L,
        glucose=5.7 * START_L,
        lactate=0.2 * START_L,
        product=0.0,
        osmoles=288 * START_L,
    )
    drawn = {round(age * STEPS_A_DAY): day for day, age in enumerate(batch.sample_ages)}
    dosed_at = {round(age * STEPS_A_DAY): day for day, age in enumerate(batch.dose_ages, start=1)}
    evenings = {round((batch.dose_ages[day - 1] + 0.5) * STEPS_A_DAY) for day in EVENING_DAYS}
    fed = _feeding(batch)
    ills = _Ills(batch)
    rows, dosed = [], []
    for step in range(round(FULL_DAYS * STEPS_A_DAY) + 1):
        rows.append(_row(step * STEP_D, vessel))
        if step in drawn:
            vessel.draw(FLUSH_L if drawn[step] == FLUSH_DAY else SAMPLE_L)
        if step in dosed_at and _dose(vessel, BOLUS_BELOW, BOLUS_TO):
            dosed.append(dosed_at[step])
        if step in evenings:
            _dose(vessel, EVENING_BELOW, EVENING_TO)
        if step in fed:
            _feed(vessel, batch.product.feed_l * STEP_D * 24 / FEED_HOURS, ills, step, luck)
        _live(vessel, step * STEP_D, ills, step, luck)
    return _culture(rows, tuple(dosed))


class _Ills:
    """What faults do to the cells, by step of the solution."""

    def __init__(self, batch: PlannedBatch) -> None:
        self.starved = _steps(batch, fault_stretch(batch, Fault.OXYGEN_LIMIT))
        self.weak_pump = _steps(batch, fault_stretch(batch, Fault.WEAK_PUMP))
        self.drift = _steps(batch, fault_stretch(batch, Fault.PROBE_DRIFT))

    def productivity(self, step: int) -> float:
        return STARVED_PRODUCTIVITY if self.starved and step >= self.starved.start else 1.0

    def growth(self, step: int) -> float:
        return UNDERFED_GROWTH if step in self.weak_pump else 1.0

    def lactate_g_l(self, step: int) -> float:
        return ANAEROBIC_LACTATE / len(self.starved) if step in self.starved else 0.0

    def base_l(self, step: int) -> float:
        """The controller that trusts a drifting probe doses base that nobody needs."""
        share = (step - self.drift.start) / len(self.drift) if step in self.drift else 0.0
        return 2.0 * share * STEP_D


def _steps(batch: PlannedBatch, stretch: Stretch | None) -> range:
    if stretch is None:
        return range(0)
    length_s = 86_400 * batch.scale / STEPS_A_DAY
    first, last = ((at - batch.anchor_at) / length_s for at in (stretch.start, stretch.stop))
    return range(round(first), max(round(first) + 1, round(last)))


def _feeding(batch: PlannedBatch) -> set[int]:
    steps = round(FEED_HOURS / 24 * STEPS_A_DAY)
    return {
        step
        for age in batch.dose_ages[batch.product.feed_day - 1 :]
        for step in range(round(age * STEPS_A_DAY) + 1, round(age * STEPS_A_DAY) + 1 + steps)
    }


def _dose(vessel: _Vessel, below: float, to: float) -> bool:
    if vessel.glucose / vessel.volume >= below:
        return False
    litres = (to * vessel.volume - vessel.glucose) / (BOLUS_GLUCOSE - to)
    vessel.glucose += BOLUS_GLUCOSE * litres
    vessel.osmoles += 290 * litres
    vessel.volume += litres
    vessel.sugar += litres
    return True


def _feed(vessel: _Vessel, litres: float, ills: _Ills, step: int, luck: _Luck) -> None:
    really = litres * (FEED_SHARE if step in ills.weak_pump else 1.0)
    vessel.metered += litres
    vessel.fed += really
    vessel.volume += really
    vessel.glucose += FEED_GLUCOSE * luck.feed * really
    vessel.osmoles += FEED_OSMOLALITY * luck.feed * really


def _live(vessel: _Vessel, age: float, ills: _Ills, step: int, luck: _Luck) -> None:
    volume = vessel.volume
    density, glucose = vessel.cells / volume, vessel.glucose / volume
    growth = 0.70 * glucose / (glucose + 0.2) / (1 + (vessel.integral / 30) ** 2.5)
    growth *= luck.growth * ills.growth(step)
    death = 0.006 + 0.10 / (1 + math.exp(-1.1 * (age - 12.5)))
    uptake = (0.14 + 0.26 * growth / 0.70) * density
    lactate = _lactate_rate(density, vessel.lactate / volume, growth)
    anaerobic = ills.lactate_g_l(step)
    secretion = (15 + 10 * min(age / 5, 1)) * luck.productivity * ills.productivity(step)
    base = 2.2e-3 * max(lactate - 0.1, 0) * volume * STEP_D + ills.base_l(step)
    vessel.dead += death * vessel.cells * STEP_D
    vessel.product += secretion * 1e-3 * vessel.cells * STEP_D
    vessel.cells += (growth - death) * vessel.cells * STEP_D
    vessel.integral += density * STEP_D
    vessel.glucose = max(0.0, vessel.glucose - (uptake * STEP_D + anaerobic) * volume)
    vessel.lactate = max(0.0, vessel.lactate + (lactate * STEP_D + anaerobic) * volume)
    vessel.osmoles += 2_000 * base
    vessel.volume += base
    vessel.base += base


def _lactate_rate(density: float, lactate: float, growth: float) -> float:
    """Made while cells grow fast, eaten once they no longer do, in g/L a day."""
    made = 0.64 * 0.26 * growth / 0.70 * density
    eaten = 0.05 * density * lactate / (lactate + 0.6) / (1 + (growth / 0.15) ** 2)
    return made - eaten


def _row(age: float, vessel: _Vessel) -> tuple[float, ...]:
    volume = vessel.volume
    density = vessel.cells / volume
    return (
        age,
        density,
        100 * vessel.cells / (vessel.cells + vessel.dead),
        vessel.glucose / volume,
        vessel.lactate / volume,
        vessel.product / volume,
        volume,
        vessel.integral,
        vessel.osmoles / volume,
        42 + 2.4 * density,
        vessel.fed,
        vessel.metered,
        vessel.sugar,
        vessel.base,
    )


def _culture(rows: list[tuple[float, ...]], dosed: tuple[int, ...]) -> Culture:
    names = [field.name for field in fields(Culture) if field.name != "dosed"]
    columns = dict(zip(names, np.array(rows).T, strict=True))
    return Culture(**columns, dosed=dosed)
