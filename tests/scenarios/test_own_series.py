"""A party alone sees what it measured, before any agreement covers the batch."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.errors import InputError
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping, load_mappings
from fedbatch.node.series import point_rows, read_lines
from fedbatch.standard.agreements import Right
from tests.scenarios.making import linked
from tests.scenarios.test_series import HEADERS, line, press_file
from tests.scenarios.world import Node, World


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Node]:
    world = World(tmp_path)
    node = world.node("cmo")
    node.map("press")
    yield node
    world.close()


def press(folder: Path, *lines: str) -> Path:
    path = folder / "press.csv"
    path.write_text("\n".join([HEADERS, *lines, ""]))
    return path


def test_series_of_the_journal_are_shown_before_any_agreement(alone: Node, tmp_path: Path) -> None:
    alone.take(press(tmp_path, line("06:00:00"), line("06:00:10", speed="101.5")))
    lines = read_lines(alone.home, "B1")
    assert len(lines) == 12
    assert {one.agreement for one in lines} == {""}
    assert {one.points for one in lines} == {2}
    (speed,) = (one for one in lines if one.newest == "101.5")
    rows = point_rows(alone.home, "B1", speed.code)
    assert [row.number for row in rows] == ["100.0", "101.5"]
    later = point_rows(alone.home, "B1", speed.code, from_="2026-02-01T05:00:10Z")
    assert [row.number for row in later] == ["101.5"]


def test_live_points_of_the_journal_are_shown_too(alone: Node, tmp_path: Path) -> None:
    (mapping,) = load_mappings(alone.home)
    changed = msgspec.structs.replace(mapping, precedence="live")
    confirm_mapping(alone.home, changed, alone.person)
    path = press(tmp_path, line("06:00:00"), line("06:00:10"))
    Follower(alone.home, [path], alone.person, shares=False).turn()
    assert {one.points for one in read_lines(alone.home, "B1")} == {2}


def test_the_command_says_that_nothing_is_shared(alone: Node, tmp_path: Path) -> None:
    alone.take(press(tmp_path, line("06:00:00")))
    place = ["--home", str(alone.home.path)]
    shown = CliRunner().invoke(app, ["series", "B1", *place])
    assert shown.exit_code == 0, shown.output
    assert "Nothing of it is shared" in shown.output
    told = json.loads(CliRunner().invoke(app, ["series", "B1", *place, "--json"]).output)
    assert len(told["series"]) == 12


@pytest.mark.parametrize("batch", ["B2", ""])
def test_a_batch_that_the_journal_has_not_is_unknown(
    alone: Node, tmp_path: Path, batch: str
) -> None:
    alone.take(press(tmp_path, line("06:00:00")))
    with pytest.raises(InputError) as refused:
        read_lines(alone.home, batch)
    assert refused.value.code == "batch.unknown"


def test_an_unknown_parameter_is_told_which_there_are_the_nearest_first(
    alone: Node, tmp_path: Path
) -> None:
    alone.take(press(tmp_path, line("06:00:00")))
    with pytest.raises(InputError) as refused:
        point_rows(alone.home, "B1", "press.spede")
    assert refused.value.code == "series.unknown"
    # Twelve there are; so many as a person reads are named.
    assert refused.value.advice.startswith("Known are press.speed, ")
    assert refused.value.advice.endswith(" and 2 more.")
    assert refused.value.advice.count(",") == 9
    with pytest.raises(InputError) as refused:
        point_rows(alone.home, "B1", "press.speed", role="SP")
    assert refused.value.advice.startswith("Known are press.speed PV, ")
    assert point_rows(alone.home, "B1", "press.speed", role="PV")


def test_an_unknown_code_of_a_shared_batch_is_told_its_own_alone(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=(Right(record_type="series"),)) as made:
        made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10", "B2")))
        made.cmo.share(made.agreement)
        made.settle()
        place = ["--home", str(made.sponsor.home.path)]
        shown = CliRunner().invoke(app, ["series", "B1", "PRESS.FORCE.MIAN", *place])
        assert shown.exit_code != 0
        assert "Known are PRESS.FORCE.MAIN, PRESS.FORCE.MAIN_RSD, " in shown.output


def test_what_is_shared_is_shown_under_its_agreement_alone(tmp_path: Path) -> None:
    rights = (Right(record_type="series"),)
    with linked(tmp_path, mappings=("press",), rights=rights) as made:
        made.cmo.take(press_file(made, line("06:00:00")))
        assert {one.agreement for one in read_lines(made.cmo.home, "B1")} == {""}
        made.cmo.share(made.agreement)
        lines = read_lines(made.cmo.home, "B1")
        assert {one.agreement for one in lines} == {made.agreement}
        assert len(lines) == 12
        made.settle()
        assert {one.agreement for one in read_lines(made.sponsor.home, "B1")} == {made.agreement}
