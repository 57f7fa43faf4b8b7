"""How long a look at a growing file takes, in a home of few batches and in one of many."""

import statistics
import time
from pathlib import Path

import msgspec

from fedbatch.bench.figures import Figure
from fedbatch.bench.pairs import PARAMETERS, Pair, pair, points_mapping
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping, import_file

__all__ = ["measure_looks"]

_FEW, _MANY = 10, 1_000
_LOOKS = 40
_HEADER = ",".join(["batch", "time", *(f"p{index}" for index in range(PARAMETERS))])
_NUMBERS = ",".join(["5.25"] * PARAMETERS)


def _home_with(made: Pair, folder: Path, batches: int) -> None:
    path = folder / f"past-{batches}.csv"
    lines = (
        f"P{number},2026-01-01 00:0{minute}:00,{_NUMBERS}\n"
        for number in range(batches)
        for minute in (0, 1)
    )
    path.write_text(f"{_HEADER}\n" + "".join(lines))
    import_file(made.cmo, path, made.cmo.acting(None, ""))
    made.share()


def _looks(made: Pair, folder: Path) -> float:
    """The median of looks of which each finds a row of thirty points, seconds."""
    live = msgspec.structs.replace(points_mapping(), source="live", precedence="live")
    person = made.cmo.acting(None, "")
    confirm_mapping(made.cmo, live, person)
    path = folder / f"{made.cmo.path.parent.name}.csv"
    path.write_text(f"{_HEADER}\n")
    follower = Follower(made.cmo, [path], person, shares=True)
    taken = []
    for number in range(_LOOKS):
        with path.open("a") as file:
            file.write(f"L1,2026-02-01 00:{number:02}:00,{_NUMBERS}\n")
        began = time.perf_counter()
        turn = follower.turn()
        taken.append(time.perf_counter() - began)
        if turn.points != PARAMETERS or turn.refused:
            raise AssertionError(turn)
    return statistics.median(taken)


def measure_looks(folder: Path) -> list[Figure]:
    """A look at a growing file: taken in, and posted under an agreement."""
    found = []
    for batches in (_FEW, _MANY):
        with pair(folder / f"looks-{batches}") as made:
            _home_with(made, folder, batches)
            found.append(1000 * _looks(made, folder))
    few, many = found
    return [
        Figure(
            id="look",
            what=f"a look at a growing file that has a row more, posted; home of {_MANY:,} batches",
            value=many,
            unit="ms",
            bar="≤ 50",
            reached=many <= 50,  # noqa: PLR2004 - the bar
            comparison=f"in a home of {_FEW} batches (ms)",
            compared=few,
        )
    ]
