"""A fortnight of live entries, one a second, through two processes."""

from pathlib import Path

import pytest

from fedbatch.bench.points import catch_up


def run(folder: Path, entries: int) -> None:
    done = catch_up(folder, entries, 30)
    assert done.received == done.sent
    assert done.received[0] > entries
    assert done.points_there == entries * 30
    rate = entries / done.seconds
    bytes_a_point = done.bytes_there / (entries * 30)
    said = f"{rate:,.0f}/s, {bytes_a_point:.2f} B a point"
    print(f"{entries:,} entries in {done.seconds:.1f} s, {said}")  # noqa: T201 - figures are what this is for


def test_an_hour_of_live_entries_arrives_whole(tmp_path: Path) -> None:
    run(tmp_path, 3_600)


@pytest.mark.long
def test_a_fortnight_of_live_entries_arrives_whole(tmp_path: Path) -> None:
    run(tmp_path, 1_200_000)
