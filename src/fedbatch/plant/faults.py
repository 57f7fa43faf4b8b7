"""When each fault of a batch happens.

Onsets lie at culture ages, so that a shortened culture still has its faults; what lasts minutes or
hours lasts as long as ever, since the limits' persistence does not shrink either.
"""

from dataclasses import dataclass

from fedbatch.plant.schedule import HOUR_S, Fault, PlannedBatch

__all__ = [
    "DRIFT_PER_DAY",
    "FEED_SHARE",
    "LATE_CLICK_S",
    "OXYGEN_FALL_S",
    "OXYGEN_LOW_S",
    "Stretch",
    "fault_stretch",
]

DRIFT_PER_DAY = 0.03
FEED_SHARE = 0.86
LATE_CLICK_S = 5 * HOUR_S
PH_HIGH_S = 40 * 60
LINK_DOWN_S = 3 * HOUR_S + 10 * 60
OXYGEN_FALL_S = 50 * 60
# Under 20 %: the last 4.5 minutes of the fall and the time at the bottom.
OXYGEN_LOW_S = 95 * 60
OXYGEN_RISE_S = 10 * 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """From an instant up to another, in seconds since 1970, UTC."""

    start: int
    stop: int


def fault_stretch(batch: PlannedBatch, fault: Fault) -> Stretch | None:
    """Return when `fault` happens in `batch`; None where the batch does not have it."""
    if fault not in batch.faults:
        return None
    return _STRETCHES[fault](batch)


def _probe_drift(batch: PlannedBatch) -> Stretch:
    return Stretch(batch.instant(5.0), batch.instant(batch.sample_ages[9]) + batch.scaled_s(HOUR_S))


def _ph_high(batch: PlannedBatch) -> Stretch:
    start = batch.instant(4.5)
    return Stretch(start, start + PH_HIGH_S)


def _link_down(batch: PlannedBatch) -> Stretch:
    start = batch.instant(10.6)
    return Stretch(start, start + LINK_DOWN_S)


def _late_click(batch: PlannedBatch) -> Stretch:
    return Stretch(batch.end_at, batch.end_at + LATE_CLICK_S)


def _oxygen_limit(batch: PlannedBatch) -> Stretch:
    start = batch.instant(7.2)
    return Stretch(start, start + OXYGEN_FALL_S + OXYGEN_LOW_S + OXYGEN_RISE_S)


def _weak_pump(batch: PlannedBatch) -> Stretch:
    first = batch.product.feed_day - 1
    return Stretch(batch.instant(batch.dose_ages[first]), batch.instant(batch.dose_ages[first + 6]))


_STRETCHES = {
    Fault.PROBE_DRIFT: _probe_drift,
    Fault.COARSE_BAND: _ph_high,
    Fault.LINK_DOWN: _link_down,
    Fault.LATE_CLICK: _late_click,
    Fault.OXYGEN_LIMIT: _oxygen_limit,
    Fault.WEAK_PUMP: _weak_pump,
}
