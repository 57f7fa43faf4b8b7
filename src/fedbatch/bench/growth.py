"""Figures of growth: sixty million points in a hundred files, one a batch, into one home."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fedbatch.bench.figures import Figure, memory_of
from fedbatch.bench.pairs import PARAMETERS, Pair, pair
from fedbatch.bench.points import MINUTES, START, signal
from fedbatch.node.importing import import_file

__all__ = ["measure_growth"]

_BATCHES = 100
# Contents that differ; more would take longer to write than to take in.
_CONTENTS = 10
_COMPARED = 10


def _write_batches(folder: Path) -> list[Path]:
    chance = np.random.default_rng(11)
    contents = []
    for _ in range(_CONTENTS):
        columns = [
            [f"{value:.{1 + index % 3}f}" for value in signal(chance, index)]
            for index in range(PARAMETERS)
        ]
        contents.append([",".join(cells) for cells in zip(*columns, strict=True)])
    header = ",".join(["batch", "time", *(f"p{index}" for index in range(PARAMETERS))])
    paths = []
    for batch in range(_BATCHES):
        start = START + np.timedelta64(batch * 15, "D")
        times = (start + np.arange(MINUTES) * np.timedelta64(60, "s")).astype(str)
        rows = zip(np.char.replace(times, "T", " "), contents[batch % _CONTENTS], strict=True)
        path = folder / f"batch-{batch:03}.csv"
        path.write_text(header + "\n" + "".join(f"B{batch},{at},{cells}\n" for at, cells in rows))
        paths.append(path)
    return paths


def _take_one(made: Pair, path: Path) -> float:
    began = time.perf_counter()
    import_file(made.cmo, path, made.cmo.acting(None, ""))
    made.share()
    return time.perf_counter() - began


def _per_second(seconds: Sequence[float]) -> float:
    return MINUTES * PARAMETERS / statistics.median(seconds)


def _rates(folder: Path, paths: Sequence[Path]) -> tuple[float, float]:
    """Points a second into a home that holds little and into one that holds much, by turns."""
    before, compared = paths[:-_COMPARED], paths[-_COMPARED:]
    with pair(folder / "small") as small, pair(folder / "large") as large:
        _take_one(small, before[0])
        for path in before:
            _take_one(large, path)
        taken = [(_take_one(small, path), _take_one(large, path)) for path in compared]
    first, last = zip(*taken, strict=True)
    return _per_second(first), _per_second(last)


def measure_growth(folder: Path) -> list[Figure]:
    """P11: what a home takes in a second when it holds a hundred times as much, and its memory."""
    files = folder / "batches"
    files.mkdir()
    paths = _write_batches(files)
    total = _BATCHES * MINUTES * PARAMETERS
    first, last = _rates(folder, paths)
    with pair(folder / "held") as made:
        home = str(made.cmo.path)
        memory = memory_of("import", str(files), "--home", home)
        sharing = memory_of("share", "--home", home)
    return [
        Figure(
            id="P11-growth",
            what=f"points a second into a home that holds {total:,}: share of a small home's rate",
            value=last / first,
            unit="×",
            bar="≥ 0.9",
            reached=last >= 0.9 * first,
            comparison="a home that holds a batch to ten, by turns, points a second",
            compared=first,
        ),
        Figure(
            id="P11-memory",
            what=f"memory of a process that takes in {total:,} points, a file a batch",
            value=memory,
            unit="MB",
            bar="≤ 300",
            reached=memory <= 300,  # noqa: PLR2004 - the bar
            comparison="sharing all of them afterwards, in a process of its own (MB)",
            compared=sharing,
        ),
    ]
