"""Which batch stands on which train from when to when, planned before anything happens.

The plan holds for all sponsors, whether their batches are then shown or not: numbers of batches and
samples, and every instant, stay the same when one sponsor's batches are left out.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from fedbatch.errors import InputError
from fedbatch.plant.products import ANTIBODY, SECOND, Product

__all__ = ["FULL_DAYS", "HOUR_S", "PACKS", "ZONE", "Fault", "PlannedBatch", "Slot", "plan_batches"]

ZONE = ZoneInfo("Europe/Zurich")
DAY_S = 86_400
HOUR_S = 3_600
FULL_DAYS = 14.0
# Below this a fault of hours would fill the culture.
LEAST_DAYS = 2.0

SAMPLE_DAYS = 14
TRANSFER_S = 40 * 60
# A single-use reactor is emptied and its next bag hung while sponsor 1's step is still open in the
# records: the shortest turnover there is.
SHORT_TURNOVER_S = 2 * HOUR_S


class Fault(enum.IntEnum):
    """What can go wrong in the production reactor and its records, by the number of its label."""

    PROBE_DRIFT = 1
    COARSE_BAND = 2
    LINK_DOWN = 3
    LATE_CLICK = 4
    OXYGEN_LIMIT = 5
    WEAK_PUMP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in a pack: a product on a train with faults; `offset_days` delays a train's first."""

    train: int
    product: Product
    faults: frozenset[Fault] = frozenset()
    offset_days: float = 0.0


def _slot(train: int, product: Product, *faults: Fault, offset_days: float = 0.0) -> Slot:
    return Slot(train=train, product=product, faults=frozenset(faults), offset_days=offset_days)


PACKS: dict[str, tuple[Slot, ...]] = {
    "pilot": (
        _slot(1, ANTIBODY),
        _slot(2, ANTIBODY, Fault.PROBE_DRIFT, Fault.OXYGEN_LIMIT, offset_days=2),
        _slot(1, ANTIBODY, Fault.LINK_DOWN, Fault.WEAK_PUMP),
    ),
    "demo": (
        _slot(1, ANTIBODY, Fault.PROBE_DRIFT, Fault.LATE_CLICK),
        _slot(2, SECOND, Fault.WEAK_PUMP, offset_days=1),
        _slot(1, SECOND, Fault.COARSE_BAND),
        _slot(2, ANTIBODY, Fault.LINK_DOWN, Fault.OXYGEN_LIMIT),
    ),
    "isolation": (
        _slot(1, ANTIBODY),
        _slot(2, SECOND, offset_days=2),
        _slot(1, SECOND),
        _slot(2, ANTIBODY),
        _slot(1, ANTIBODY),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """A batch in the production reactor of a train; instants are seconds since 1970, UTC.

    `anchor_at` is the end of inoculum transfer, from which culture age counts. Ages are days of a
    culture of full length; `scale` is the actual length over the full one.
    """

    index: int
    seed: int
    number: str
    sponsor_number: str
    train: int
    product: Product
    faults: frozenset[Fault]
    scale: float
    fill_at: int
    inoculation_at: int
    anchor_at: int
    end_at: int
    sample_ages: tuple[float, ...]

    def chance(self, purpose: int) -> np.random.Generator:
        """Return the batch's own generator for one purpose: no batch draws from another's."""
        return np.random.default_rng([self.seed, self.index, purpose])

    def instant(self, age: float) -> int:
        """Return the instant of a culture age."""
        return self.anchor_at + round(age * DAY_S * self.scale)

    def scaled_s(self, seconds: float) -> int:
        """Return how long something takes that shrinks with the culture."""
        return round(seconds * self.scale)

    @property
    def harvest_at(self) -> int:
        """Where the culture ends and the transfer to harvest begins."""
        return self.instant(FULL_DAYS)

    @property
    def shift_at(self) -> tuple[int, int]:
        """From when to when the temperature is lowered, with an hour to settle."""
        start = self.instant(self.product.shift_day)
        return start, start + self.scaled_s(7 * HOUR_S)

    @property
    def dose_ages(self) -> tuple[float, ...]:
        """Culture ages of the daily additions, an hour and a quarter after the sample."""
        return tuple(age + 1.25 / 24 for age in self.sample_ages[1:SAMPLE_DAYS])


def plan_batches(
    pack: str, *, seed: int, start: datetime, days: float | None
) -> list[PlannedBatch]:
    """Plan a pack's batches in order of their medium fill.

    Raises:
        InputError: no such pack, `start` without a zone, or a culture shorter than two days.
    """
    if pack not in PACKS:
        raise InputError(f"one of {', '.join(sorted(PACKS))}", where="pack", found=pack)
    if start.tzinfo is None:
        raise InputError("an instant with a zone", where="start", found=str(start))
    length = FULL_DAYS if days is None else days
    if length < LEAST_DAYS:
        raise InputError("at least 2 days", where="days", found=str(days))
    planned = _place(PACKS[pack], int(start.timestamp()), length / FULL_DAYS)
    planned.sort(key=lambda place: (place[1], place[0].train))
    year = start.astimezone(ZONE).year % 100
    return [
        _planned_batch(slot, index, seed, fill_at, length / FULL_DAYS, year)
        for index, (slot, fill_at) in enumerate(planned)
    ]


def _place(slots: Sequence[Slot], start: int, scale: float) -> list[tuple[Slot, int]]:
    free_at: dict[int, int] = {}
    placed = []
    for slot in slots:
        first = start + round((0.25 + slot.offset_days) * DAY_S * scale)
        fill_at = free_at.get(slot.train, first)
        end_at = _times(fill_at, scale)[2]
        short = SHORT_TURNOVER_S if Fault.LATE_CLICK in slot.faults else round(1.5 * DAY_S * scale)
        free_at[slot.train] = end_at + short
        placed.append((slot, fill_at))
    return placed


def _times(fill_at: int, scale: float) -> tuple[int, int, int]:
    """Return inoculation, end of inoculum transfer and end of the step."""
    inoculation_at = fill_at + round(DAY_S * scale)
    if scale == 1.0:
        # People inoculate in the morning.
        earliest = datetime.fromtimestamp(fill_at + 20 * HOUR_S, ZONE)
        morning = earliest.replace(hour=10, minute=0, second=0, microsecond=0, fold=0)
        if morning < earliest:
            morning += timedelta(days=1)
        inoculation_at = int(morning.timestamp()) + (fill_at // 7) % 1_500
    anchor_at = inoculation_at + max(600, round(TRANSFER_S * scale))
    return inoculation_at, anchor_at, anchor_at + round((FULL_DAYS * DAY_S + 2 * HOUR_S) * scale)


def _planned_batch(
    slot: Slot, index: int, seed: int, fill_at: int, scale: float, year: int
) -> PlannedBatch:
    inoculation_at, anchor_at, end_at = _times(fill_at, scale)
    return PlannedBatch(
        index=index,
        seed=seed,
        number=f"B{year:02d}-{141 + index:04d}",
        sponsor_number=f"{slot.product.sponsor_prefix}{2001 + index}",
        train=slot.train,
        product=slot.product,
        faults=slot.faults,
        scale=scale,
        fill_at=fill_at,
        inoculation_at=inoculation_at,
        anchor_at=anchor_at,
        end_at=end_at,
        sample_ages=_sample_ages(np.random.default_rng([seed, index, 0]), anchor_at, scale),
    )


def _sample_ages(chance: np.random.Generator, anchor_at: int, scale: float) -> tuple[float, ...]:
    """Day 0 an hour after inoculation, then daily at 08:30 ± 45 min by the clock on the wall."""
    late_s = chance.uniform(-45 * 60, 45 * 60, SAMPLE_DAYS) * scale
    ages = [1 / 24]
    inoculated = datetime.fromtimestamp(anchor_at, ZONE)
    for day in range(1, SAMPLE_DAYS + 1):
        if scale == 1.0:
            morning = inoculated.replace(hour=8, minute=30, second=0, fold=0) + timedelta(days=day)
            nominal = morning.astimezone(UTC).timestamp()
        else:
            nominal = anchor_at + (day - 2 / 24) * DAY_S * scale
        ages.append((nominal + float(late_s[day - 1]) - anchor_at) / DAY_S / scale)
    return tuple(ages)
