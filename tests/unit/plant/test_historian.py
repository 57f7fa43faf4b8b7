from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.plant.historian import Row, Stretched, archive_rows
from fedbatch.plant.packs import World
from fedbatch.plant.signals import SCAN_S, Signals, idle_signals
from fedbatch.plant.tags import LONGEST_S, TAGS, Tag


def signals_of(quanta: list[int]) -> Signals:
    """The same readings in every tag."""
    column = np.array(quanta, dtype=np.int64)
    return Signals(
        start=1_000_000, count=len(quanta), quanta={tag.suffix: column for tag in TAGS}, texts={}
    )


def archive(signals: Signals) -> list[Row]:
    return archive_rows(Stretched(signals=signals, snapshots=(), link_down=None, is_coarse=False))


def drawn(rows: list[Row], position: int, tag: Tag, instants: np.ndarray) -> np.ndarray:
    """What a reader draws: a step, or a line, between archived points (a step after the last)."""
    mine = sorted(
        (row.at, round(float(row.text) * 10**tag.decimals)) for row in rows if row.tag == position
    )
    at, values = np.array(mine).T
    if tag.between == "linear":
        return np.asarray(np.interp(instants + position, at, values))
    return np.asarray(values[np.searchsorted(at, instants + position, side="right") - 1])


walks = st.lists(st.integers(-25, 25), min_size=2, max_size=120).map(
    lambda steps: np.cumsum(steps).tolist()
)


@settings(max_examples=40, deadline=None)
@given(quanta=walks)
def test_truth_lies_within_the_dead_band_of_what_a_reader_draws(quanta: list[int]) -> None:
    signals = signals_of(quanta)
    rows = archive(signals)
    for position, tag in enumerate(TAGS):
        off = np.abs(drawn(rows, position, tag, signals.instants) - np.array(quanta))
        assert off.max() <= tag.dead_band + 1e-9


def test_line_without_the_reading_before_would_leave_the_dead_band() -> None:
    # The control of the property above: a tag flat for an hour that then jumps.
    quanta = [0] * 120 + [500]
    signals = signals_of(quanta)
    position = next(place for place, tag in enumerate(TAGS) if tag.between == "linear")
    rows = archive(signals)
    without = [row for row in rows if row.at != signals.start + position + SCAN_S * 119]
    off = np.abs(drawn(without, position, TAGS[position], signals.instants) - np.array(quanta))
    assert off.max() > TAGS[position].dead_band


def test_no_reading_is_older_than_the_longest_interval() -> None:
    day = 86_400
    rows = archive(idle_signals(0, 3 * day))
    for position in range(len(TAGS)):
        at = [row.at for row in rows if row.tag == position]
        assert max(np.diff(at)) == LONGEST_S
        assert len(at) == 9


def test_texts_stand_among_the_numbers(pilot: World, pilot_folder: Path) -> None:
    text = (pilot_folder / "historian" / "train1.csv").read_text()
    for word in ("I/O Timeout,Bad", "Bad Input,Bad", "No Data,Bad"):
        assert word in text


@pytest.mark.parametrize("place", [0, 1, 2])
def test_batch_takes_some_tens_of_thousands_of_points(pilot: World, place: int) -> None:
    batch = pilot.batches[place]
    rows = archive(pilot.signals[batch.index])
    assert 30_000 < len(rows) < 80_000
