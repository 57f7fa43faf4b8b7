"""A correction of points takes nothing away that it does not speak of: other sources and files, live ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedbatch.node.importing import confirm_mapping
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.remapping import reread
from tests.scenarios.making import AGREED, Link, are_equal, linked
from tests.scenarios.test_series import HEADERS, RIGHTS, line, press_file, speeds
from tests.scenarios.test_series_bad import live
from tests.scenarios.world import FILES


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as one:
        yield one


def row(minute: int, speed: str) -> str:
    return line(f"06:0{minute}:00", speed=speed)


def shown(made: Link) -> dict[int, int]:
    """By minute the speeds at the sponsor, and that both nodes hold the same."""
    made.cmo.share(AGREED)
    made.settle()
    assert are_equal(made)
    told = speeds(made)
    assert len(told) == len({time for time, _ in told})
    return {time // 60_000_000 % 60: number for time, number in told}


def rules(made: Link, *lines: str, name: str = "press.csv") -> set[str]:
    return {item.rule for item in made.cmo.take(press_file(made, *lines, name=name)).findings}


def mapped_as(made: Link, source: str, *changes: tuple[str, str]) -> None:
    text = (FILES / "press.yaml").read_text("utf-8").replace("source: press", f"source: {source}")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = made.world.folder / f"{source}.yaml"
    path.write_text(text, "utf-8")
    confirm_mapping(made.cmo.home, read_mapping(path), made.cmo.person)


def test_points_of_another_source_between_those_corrected_stay(made: Link) -> None:
    mapped_as(made, "other", ("header: timestamp", "header: Zeit"))
    made.cmo.take(press_file(made, row(0, "1.0"), row(1, "2.0"), row(4, "3.0"), row(5, "4.0")))
    path = press_file(made, row(2, "5.0"), row(3, "6.0"), name="other.csv")
    path.write_text(path.read_text().replace("timestamp", "Zeit"))
    made.cmo.take(path)
    assert shown(made) == {0: 10, 1: 20, 2: 50, 3: 60, 4: 30, 5: 40}
    told = rules(made, row(0, "1.5"), row(1, "2.0"), row(4, "3.0"), row(5, "4.5"))
    assert not {"series.conflict", "file.row_vanished"} & told
    assert shown(made) == {0: 15, 1: 20, 2: 50, 3: 60, 4: 30, 5: 45}


def test_points_of_another_file_of_the_same_source_stay_and_none_is_missed(made: Link) -> None:
    made.cmo.take(press_file(made, row(0, "1.0"), row(5, "4.0"), name="a.csv"))
    made.cmo.take(press_file(made, row(2, "5.0"), name="b.csv"))
    told = rules(made, row(0, "1.5"), row(5, "4.5"), name="a.csv")
    assert "file.row_vanished" not in told
    assert shown(made) == {0: 15, 2: 50, 5: 45}
    # Control: a row that the file itself told is missed, and stays.
    made.cmo.take(press_file(made, row(0, "1.5"), row(3, "2.5"), row(5, "4.5"), name="a.csv"))
    told = rules(made, row(0, "1.2"), row(5, "4.0"), name="a.csv")
    assert "file.row_vanished" in told
    assert shown(made) == {0: 12, 2: 50, 3: 25, 5: 40}


def test_live_points_between_those_of_a_corrected_export_stay(made: Link) -> None:
    follower, path = live(made)
    path.write_text("\n".join([HEADERS, row(1, "7.0"), row(2, "8.0"), ""]))
    follower.turn()
    made.cmo.take(press_file(made, row(0, "1.0"), row(5, "4.0")))
    assert shown(made) == {0: 10, 1: 70, 2: 80, 5: 40}
    rules(made, row(0, "1.5"), row(5, "4.5"))
    assert shown(made) == {0: 15, 1: 70, 2: 80, 5: 45}
    follower.seal(is_end=True)
    assert shown(made) == {0: 15, 1: 70, 2: 80, 5: 45}


def test_a_corrected_unit_takes_no_point_of_another_source_away(made: Link) -> None:
    mapped_as(made, "other", ("header: timestamp", "header: Zeit"))
    made.cmo.take(press_file(made, row(0, "1.0"), row(5, "4.0")))
    path = press_file(made, row(2, "5.0"), name="other.csv")
    path.write_text(path.read_text().replace("timestamp", "Zeit"))
    made.cmo.take(path)
    before = shown(made)
    assert before == {0: 10, 2: 50, 5: 40}
    mapped_as(
        made,
        "press",
        ("term: press.speed, role: PV, unit: 10*3/h", "term: press.speed, role: PV, unit: /h"),
    )
    (mapping,) = (read_mapping(made.world.folder / "press.yaml"),)
    confirmed = confirm_mapping(made.cmo.home, mapping, made.cmo.person)
    reread(made.cmo.home, confirmed, made.cmo.person)
    made.cmo.share(AGREED)
    made.settle()
    told = {time // 60_000_000 % 60: number for time, number in speeds(made)}
    assert set(told) == {0, 2, 5}
    # In thousands an hour; the other source's is as it was.
    assert told[2] / told[0] == pytest.approx(5.0 / 0.001)
