"""What the control system of a reactor reads, scan by scan: truth, probe and noise.

A batch has a stretch of scans from its medium fill to its end. Before inoculation probes warm up,
and between batches they hang in air: nothing of that is the batch's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedbatch.plant.culture import Culture
from fedbatch.plant.faults import (
    DRIFT_PER_DAY,
    OXYGEN_FALL_S,
    OXYGEN_LOW_S,
    fault_stretch,
)
from fedbatch.plant.noise import coloured
from fedbatch.plant.schedule import DAY_S, FULL_DAYS, HOUR_S, Fault, PlannedBatch
from fedbatch.plant.tags import TAGS

__all__ = [
    "ANTIFOAM_AGE",
    "SCAN_S",
    "SPIKE_DAY",
    "Signals",
    "idle_signals",
    "read_batch",
    "read_probe_offset",
]

SCAN_S = 30
# Noise remembers about a minute; slow wander of control loops about forty.
FAST = 2.0
SLOW = 80.0

SPIKE_DAY = 8
ANTIFOAM_AGE = 9.45
OXYGEN_SPAN = 25.0
STARVED_SHARE = 0.62
OXYGEN_FLOOR = 17.6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Readings of every tag over a stretch of scans.

    `start` and a scan every `SCAN_S` seconds give the instants. `quanta` holds, by the tag's suffix,
    readings as counts of the last decimal; `texts` what stands instead of numbers, by scan range.
    """

    start: int
    count: int
    quanta: Mapping[str, NDArray[np.int64]]
    texts: Mapping[str, tuple[tuple[int, int, str], ...]]

    @property
    def stop(self) -> int:
        """The instant of the scan after the last."""
        return self.start + SCAN_S * self.count

    @property
    def instants(self) -> NDArray[np.int64]:
        return self.start + SCAN_S * np.arange(self.count, dtype=np.int64)

    def scan(self, instant: int) -> int:
        """Return the first scan at or after an instant, within the stretch."""
        return min(max(-((self.start - instant) // SCAN_S), 0), self.count)


def _quantised(values: Mapping[str, Floats]) -> dict[str, NDArray[np.int64]]:
    return {
        tag.suffix: np.rint(values[tag.suffix] * 10**tag.decimals).astype(np.int64) for tag in TAGS
    }


EMPTY = {tag.suffix: 0.0 for tag in TAGS} | {"TEMP.PV": 21.0, "TJKT.PV": 21.0}


def idle_signals(start: int, stop: int) -> Signals:
    """Return the readings of an empty, unplugged reactor."""
    count = max(1, -((start - stop) // SCAN_S))
    values = {name: np.full(count, value) for name, value in EMPTY.items()}
    return Signals(start=start, count=count, quanta=_quantised(values), texts=_unplugged(count))


def _unplugged(count: int) -> dict[str, tuple[tuple[int, int, str], ...]]:
    texts = {"PH.PV": "Bad Input", "DO.PV": "Bad Input", "PRESS.PV": "No Data"}
    return {name: ((0, count, text),) for name, text in texts.items()}


@dataclass(frozen=True, slots=True)
class _Clock:
    """Instants of the scans, and what they mean to the batch."""

    batch: PlannedBatch
    instants: NDArray[np.int64]

    @property
    def age(self) -> Floats:
        """Culture age, held at its ends."""
        age = (self.instants - self.batch.anchor_at) / (DAY_S * self.batch.scale)
        return np.clip(age, 0, FULL_DAYS)

    def since(self, instant: float) -> Floats:
        """Seconds since an instant; negative before it."""
        return (self.instants - instant).astype(np.float64)

    def within(self, start: float, stop: float) -> NDArray[np.bool_]:
        return (self.instants >= start) & (self.instants < stop)


def read_batch(batch: PlannedBatch, culture: Culture) -> Signals:
    """Return what the reactor reads from the batch's medium fill until its end."""
    count = -((batch.fill_at - batch.end_at) // SCAN_S)
    clock = _Clock(batch, batch.fill_at + SCAN_S * np.arange(count, dtype=np.int64))
    chance = batch.chance(2)
    values: dict[str, Floats] = {}
    values |= _acidity(clock, culture, chance)
    values |= _oxygen(clock, culture, chance)
    values |= _temperature(clock, chance)
    values |= _stirring(clock, chance)
    values |= _additions(clock, culture, chance)
    # Two readings of the jacket are lost in every batch; no limit hangs on them.
    lost = int(count * chance.uniform(0.3, 0.6))
    texts = {"TJKT.PV": ((lost, lost + 2, "Bad Input"),)}
    return Signals(start=batch.fill_at, count=count, quanta=_quantised(values), texts=texts)


# ---- pH


def read_probe_offset(batch: PlannedBatch, instants: NDArray[np.int64]) -> Floats:
    """Return true pH minus what the probe reads (fault 1)."""
    drift = fault_stretch(batch, Fault.PROBE_DRIFT)
    if drift is None:
        return np.zeros(len(instants))
    age = (instants - drift.start) / (DAY_S * batch.scale)
    return np.where((instants >= drift.start) & (instants < drift.stop), DRIFT_PER_DAY * age, 0.0)


def _acidity(clock: _Clock, culture: Culture, chance: np.random.Generator) -> dict[str, Floats]:
    batch, count = clock.batch, len(clock.instants)
    ph = batch.product.ph + _side(clock, culture)
    ph += coloured(chance, count, sigma=0.007, tau_scans=SLOW)
    for day, age in enumerate(batch.dose_ages, start=1):
        since = clock.since(batch.instant(age)) / 60
        height = 0.17 if day == SPIKE_DAY else float(chance.uniform(0.03, 0.06))
        ph += _pulse(since, height, rise=1.0, fall=2.2)
    high = fault_stretch(batch, Fault.COARSE_BAND)
    if high is not None:
        since = clock.since(high.start) / 60
        ph += np.interp(since, [0, 5, 36, 40], [0, 0.15, 0.15, 0])
    drift = fault_stretch(batch, Fault.PROBE_DRIFT)
    if drift is not None:
        # Re-standardised: the reading jumps to the truth, and carbon dioxide brings it back.
        jump = DRIFT_PER_DAY * (drift.stop - drift.start) / (DAY_S * batch.scale)
        ph += _pulse(clock.since(drift.stop) / 60, jump, rise=0.0, fall=6.0)
    ph = _warming(clock, ph, 7.45, -0.35)
    reading = ph + coloured(chance, count, sigma=0.01, tau_scans=FAST)
    set_point = np.full(count, batch.product.ph)
    carbon = _carbon_dioxide(clock, culture, chance)
    return {"PH.PV": reading, "PH.SP": set_point, "CO2.PV": carbon}


def _side(clock: _Clock, culture: Culture) -> Floats:
    """On the side of carbon dioxide the pH lies above its set-point, on the side of base below."""
    slope = np.gradient(culture.lactate, culture.age)
    return -0.02 * np.tanh(1.2 * np.interp(clock.age, culture.age, slope))


def _carbon_dioxide(clock: _Clock, culture: Culture, chance: np.random.Generator) -> Floats:
    age = clock.age
    slope = np.interp(age, culture.age, np.gradient(culture.lactate, culture.age))
    flow = 3.5 * np.exp(-age / 1.6) + 0.9 * np.clip(-slope, 0, 1) + 0.3
    flow -= 2.0 * read_probe_offset(clock.batch, clock.instants)
    flow += coloured(chance, len(age), sigma=0.05, tau_scans=FAST)
    return np.clip(flow, 0, None)


def _pulse(minutes: Floats, height: float, *, rise: float, fall: float) -> Floats:
    """Up in `rise` minutes, down by e in `fall`."""
    up = np.clip(minutes / rise, 0, 1) if rise else (minutes >= 0).astype(np.float64)
    return height * up * np.exp(-np.clip(minutes - rise, 0, 400) / fall)


def _warming(clock: _Clock, values: Floats, first: float, overshoot: float) -> Floats:
    """Before inoculation a probe reads what it likes, and then comes to the set-point."""
    batch = clock.batch
    lead = batch.inoculation_at - batch.fill_at
    passed = np.clip(clock.since(batch.fill_at) / lead, 0, 1)
    swing = overshoot * np.sin(9 * passed) * np.exp(-4 * passed)
    cold = (first - values[-1] + swing) * np.exp(-7 * passed)
    return values + np.where(passed < 1, cold, 0)


# ---- oxygen


def _oxygen(clock: _Clock, culture: Culture, chance: np.random.Generator) -> dict[str, Floats]:
    batch, count = clock.batch, len(clock.instants)
    density = np.interp(clock.age, culture.age, culture.density)
    growing = clock.within(batch.inoculation_at, batch.harvest_at)
    wanted = np.where(growing, 20 * (density / 21.5) ** 0.9, 0)
    wanted = np.clip(wanted + coloured(chance, count, sigma=0.25, tau_scans=6), 0, OXYGEN_SPAN)
    noise = coloured(chance, count, sigma=2.5, tau_scans=FAST)
    saturation = np.full(count, 40.0)
    _dips(clock, saturation, chance)
    output = wanted / OXYGEN_SPAN * 100
    limited = fault_stretch(batch, Fault.OXYGEN_LIMIT)
    flow = wanted.copy()
    if limited is not None:
        minutes = clock.since(limited.start) / 60
        at_stop = clock.within(limited.start, limited.stop)
        level = np.interp(minutes, *_fall(limited.stop - limited.start))
        saturation = np.where(at_stop, level, saturation)
        # The valve stands still, so the loop no longer swings.
        noise = np.where(at_stop, 0.25 * noise, noise)
        output = np.where(at_stop, 100.0, output)
        flow = np.where(at_stop, STARVED_SHARE * wanted, flow)
    saturation = _warming(clock, saturation, 98.0, 12.0)
    return {
        "DO.PV": np.clip(saturation + noise, 0, 150),
        "DO.SP": np.full(count, 40.0),
        "DO.OUT": np.clip(output, 0, 100),
        "O2.PV": flow,
    }


def _fall(length_s: int) -> tuple[list[float], list[float]]:
    """Oxygen falls in 50 minutes, lies below 20 % for 95, and comes back."""
    crossing = OXYGEN_FALL_S * (40 - 20) / (40 - OXYGEN_FLOOR)
    up = (crossing + OXYGEN_LOW_S) / 60
    return [0, OXYGEN_FALL_S / 60, up - 1, up, length_s / 60], [
        40.0,
        OXYGEN_FLOOR,
        OXYGEN_FLOOR,
        20.0,
        40.0,
    ]


def _dips(clock: _Clock, saturation: Floats, chance: np.random.Generator) -> None:
    batch = clock.batch
    for age in batch.sample_ages:
        since = clock.since(batch.instant(age)) / 60
        saturation -= _pulse(since, float(chance.uniform(3, 6)), rise=1.0, fall=2.0)
    since = clock.since(batch.instant(ANTIFOAM_AGE)) / 60
    saturation -= _pulse(since, 17.0, rise=1.0, fall=2.5)


# ---- temperature, stirring


def _temperature(clock: _Clock, chance: np.random.Generator) -> dict[str, Floats]:
    batch, count = clock.batch, len(clock.instants)
    start, stop = batch.shift_at
    ramp_s = batch.scaled_s(6 * HOUR_S)
    levels = [batch.product.growth_c, batch.product.production_c]
    set_point = np.interp(clock.since(start), [0, ramp_s], levels)
    lag_s = (stop - start - ramp_s) / 8
    vessel = np.interp(clock.since(start + lag_s), [0, ramp_s], levels)
    warm_s = batch.scaled_s(6 * HOUR_S)
    vessel += np.interp(clock.since(batch.fill_at), [0, warm_s], [-14, 0])
    vessel += coloured(chance, count, sigma=0.03, tau_scans=FAST)
    jacket = set_point + 0.8 + coloured(chance, count, sigma=0.4, tau_scans=SLOW)
    return {"TEMP.PV": vessel, "TEMP.SP": set_point, "TJKT.PV": jacket}


MORE_AIR_DAY = 3.0
STAGES_RPM = ((0.0, 85.0), (2.0, 95.0), (4.0, 105.0), (6.0, 110.0))


def _stirring(clock: _Clock, chance: np.random.Generator) -> dict[str, Floats]:
    count = len(clock.instants)
    starts, speeds = np.array(STAGES_RPM).T
    set_point = speeds[np.searchsorted(starts, clock.age, side="right") - 1]
    air = np.where(clock.age < MORE_AIR_DAY, 10.0, 15.0)
    return {
        "AGIT.PV": set_point + coloured(chance, count, sigma=0.25, tau_scans=FAST),
        "AGIT.SP": set_point,
        "AIR.PV": air + coloured(chance, count, sigma=0.08, tau_scans=FAST),
        "PRESS.PV": 0.05 + coloured(chance, count, sigma=0.0015, tau_scans=FAST),
    }


# ---- what goes in


def _additions(clock: _Clock, culture: Culture, chance: np.random.Generator) -> dict[str, Floats]:
    batch, count = clock.batch, len(clock.instants)
    added = {
        name: np.interp(clock.age, culture.age, column)
        for name, column in (
            ("BASE.TOT", culture.base),
            ("FEED.TOT", culture.metered),
            ("GLC.TOT", culture.sugar),
        )
    }
    rate = np.gradient(culture.metered, culture.age) / 24 / batch.scale
    flow = np.interp(clock.age, culture.age, rate)
    flow[~clock.within(batch.anchor_at, batch.harvest_at)] = 0
    flow = np.where(flow > 0, flow * (1 + coloured(chance, count, sigma=0.004, tau_scans=FAST)), 0)
    return {**added, "FEED.PV": flow, "WEIGHT.PV": _weight(clock, culture, chance)}


def _weight(clock: _Clock, culture: Culture, chance: np.random.Generator) -> Floats:
    """Litres weigh a kilogram each: medium runs in, inoculum follows, harvest runs out."""
    batch = clock.batch
    weight = np.interp(clock.age, culture.age, culture.volume)
    filled = batch.fill_at + batch.scaled_s(4 * HOUR_S)
    legs = [batch.fill_at, filled, batch.inoculation_at, batch.anchor_at]
    before = np.interp(clock.instants, legs, [0.0, 1_350.0, 1_350.0, culture.volume[0]])
    weight = np.where(clock.instants < batch.anchor_at, before, weight)
    left = np.interp(clock.instants, [batch.harvest_at, batch.end_at], [1.0, 0.01])
    return weight * left + coloured(chance, len(weight), sigma=0.35, tau_scans=FAST)
