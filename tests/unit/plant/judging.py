"""How the tests look at a world: by the raw readings, by what was archived, by the files."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedbatch.plant.packs import World
from fedbatch.plant.schedule import PlannedBatch
from fedbatch.plant.tags import TAGS, tag_name

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
PERSISTENCE_S = 600

Readings = tuple[NDArray[np.int64], NDArray[np.float64]]


def raw(world: World, batch: PlannedBatch, suffix: str) -> Readings:
    """What the control system read from inoculation to the end of the culture."""
    signals = world.signals[batch.index]
    first, stop = signals.scan(batch.anchor_at), signals.scan(batch.harvest_at)
    decimals = next(tag.decimals for tag in TAGS if tag.suffix == suffix)
    return signals.instants[first:stop], signals.quanta[suffix][first:stop] / 10**decimals


def archived(folder: Path, batch: PlannedBatch, suffix: str) -> Readings:
    """Good numbers of a tag in the batch's culture, as the historian file has them, by time."""
    tag = next(tag for tag in TAGS if tag.suffix == suffix)
    rows = [
        (at, float(value))
        for name, at, value, status in historian_rows(folder, batch.train)
        if name == tag_name(batch.train, tag)
        and status == "Good"
        and batch.anchor_at <= at < batch.harvest_at
    ]
    rows.sort()
    return np.array([at for at, _ in rows]), np.array([value for _, value in rows])


def historian_rows(folder: Path, train: int) -> list[tuple[str, int, str, str]]:
    """Rows of a historian file whose instants stand in UTC."""
    text = (folder / "historian" / f"train{train}.csv").read_text()
    return [
        (name, int(datetime.fromisoformat(at).timestamp()), value, status)
        for name, at, value, status in list(csv.reader(io.StringIO(text)))[1:]
    ]


def sheet(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def longest_outside_s(readings: Readings, low: float, high: float) -> float:
    """The longest stretch outside [low, high], a reading holding until the next."""
    at, values = readings
    longest = since = 0.0
    outside: Sequence[bool] = ((values < low) | (values > high)).tolist()
    for place in range(len(at) - 1):
        since = since + float(at[place + 1] - at[place]) if outside[place] else 0.0
        longest = max(longest, since)
    return longest


def within(readings: Readings, start: float, stop: float) -> Readings:
    at, values = readings
    chosen = (at >= start) & (at < stop)
    return at[chosen], values[chosen]
