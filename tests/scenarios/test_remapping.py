"""A corrected mapping: what was read under it before is read again, shown, and corrected."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.node.following import Follower
from fedbatch.node.reading import read_results
from fedbatch.node.reviewing import correct_result
from fedbatch.node.series import load_series, series_block
from fedbatch.node.verifying import verify_home
from fedbatch.series.blocks import column_points
from fedbatch.standard.agreements import Right
from tests.scenarios.making import AGREED, Link, are_equal, linked, row
from tests.scenarios.test_series import line, press_file
from tests.scenarios.world import FILES

RIGHTS = (Right(record_type="series"), Right(record_type="batch"), Right(record_type="result"))
FORCE = "PRESS.FORCE.MAIN.PV"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press", "small"), rights=RIGHTS) as one:
        yield one


def corrected(made: Link, name: str, *changes: tuple[str, str]) -> Path:
    text = (FILES / f"{name}.yaml").read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = made.world.folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def confirm(made: Link, path: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    place = ["--home", str(made.cmo.home.path), "--as", made.cmo.person.person]
    words = ["map", "confirm", str(path), *place, *more]
    told = CliRunner().invoke(app, words)
    shown = CliRunner().invoke(app, [*words, "--json"])
    return told.exit_code, json.loads(shown.output), told.output


def numbers(made: Link, name: str = FORCE) -> list[float]:
    """The numbers of a parameter of B1 at the sponsor, and that both nodes have them alike."""
    made.cmo.share(AGREED)
    made.settle()
    assert are_equal(made)
    assert verify_home(made.sponsor.home).wrong == []
    found: list[list[float]] = []
    for node in (made.cmo, made.sponsor):
        (item,) = load_series(node.home, "B1")
        block = series_block(node.home, item)
        if name not in block.columns:
            found.append([])
            continue
        points = column_points(block, name)
        found.append([number / 10 ** (points.scale or 0) for number in points.numbers.tolist()])
    assert found[0] == found[1]
    return found[0]


def hardness(made: Link) -> set[tuple[str, str]]:
    return {
        (item.shown, item.unit)
        for item in read_results(made.cmo.home)
        if item.code.startswith("TABLET.HARDNESS")
    }


def test_values_of_a_table_are_corrected_once_it_is_asked_for(made: Link) -> None:
    made.deliver([row("B1"), row("B2")])
    assert hardness(made) == {("91.5", "N")}
    changed = corrected(made, "small", ("raw_unit: N, unit: N", "raw_unit: kN, unit: kN"))
    code, told, said = confirm(made, changed)
    assert (code, told["version"]) == (1, None)
    assert "2 values change, 0 are new" in said
    code, told, _ = confirm(made, changed, "--apply")
    assert (code, told["version"]) == (0, 2)
    made.cmo.share(AGREED)
    made.settle()
    assert hardness(made) == {("91500", "N")}


def test_a_corrected_unit_corrects_every_point_at_the_partner_too(made: Link) -> None:
    made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10", force="4.25")))
    assert numbers(made) == [4.2, 4.25]
    changed = corrected(
        made,
        "press",
        ("term: press.force.main, role: PV, unit: kN", "term: press.force.main, role: PV, unit: N"),
    )
    code, told, said = confirm(made, changed)
    assert (code, told["version"]) == (1, None)
    assert "series: 2 points change, 0 are new, 22 stay" in said
    # Control: nothing was written yet.
    assert numbers(made) == [4.2, 4.25]
    code, _, _ = confirm(made, changed, "--apply")
    assert code == 0
    assert numbers(made) == [0.0042, 0.00425]
    code, told, said = confirm(made, changed)
    assert (code, told["version"]) == (0, 2)
    assert "series: 0 points change, 0 are new, 24 stay" in said


def test_a_corrected_term_takes_the_points_from_the_wrong_one(made: Link) -> None:
    made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10", force="4.25")))
    assert numbers(made, "PRESS.FORCE.PRE.PV") == [0.1, 0.1]
    changed = corrected(
        made,
        "press",
        ("header: main_comp, term: press.force.main,", "header: main_comp, term: press.force.pre,"),
        ("header: pre_comp, term: press.force.pre,", "header: pre_comp, term: press.force.main,"),
    )
    code, _, said = confirm(made, changed, "--apply")
    assert code == 0, said
    assert "series: 4 points change, 0 are new, 20 stay" in said
    assert numbers(made, "PRESS.FORCE.PRE.PV") == [4.2, 4.25]
    assert numbers(made) == [0.1, 0.1]


def test_rows_that_were_held_back_come_in_under_the_mapping_that_reads_them(made: Link) -> None:
    other = line("06:00:10", force="4.25").replace("2026-02-01 ", "01.02.2026 ")
    report = made.cmo.take(press_file(made, line("06:00:00"), other))
    assert report.rows_held_back == 1
    changed = corrected(
        made, "press", ('["%Y-%m-%d %H:%M:%S"]', '["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"]')
    )
    code, _, said = confirm(made, changed, "--apply")
    assert code == 0
    assert "series: 0 points change, 12 are new, 12 stay" in said
    assert numbers(made) == [4.2, 4.25]


def test_a_file_that_is_followed_is_not_read_again(made: Link) -> None:
    """It is not kept: what came live stays as it was told."""
    text = (
        (FILES / "press.yaml")
        .read_text("utf-8")
        .replace("version: 1", "version: 1\nprecedence: live")
    )
    path = made.world.folder / "live.yaml"
    path.write_text(text, encoding="utf-8")
    assert confirm(made, path, "--apply")[0] == 0
    source = press_file(made, line("06:00:00"), line("06:00:10") + ";99", name="live.csv")
    Follower(made.cmo.home, [source], made.cmo.person, shares=False).turn()
    path.write_text(text.replace("unit: kN", "unit: N"), encoding="utf-8")
    code, told, _ = confirm(made, path, "--apply")
    assert (code, told["files"]) == (0, [])


def test_other_columns_want_another_source(made: Link) -> None:
    made.cmo.take(press_file(made, line("06:00:00")))
    changed = corrected(made, "press", ("header: ejection", "header: ejection force"))
    place = ["--home", str(made.cmo.home.path), "--as", made.cmo.person.person]
    told = CliRunner().invoke(app, ["map", "confirm", str(changed), *place])
    assert told.exit_code == 3
    assert "another source name" in told.output


def test_results_of_a_term_that_a_corrected_mapping_drops_are_taken_back(made: Link) -> None:
    made.deliver([row("B1"), row("B2")])
    assert hardness(made) == {("91.5", "N")}
    rule = "{header: Hardness (N), term: tablet.hardness, qualifier: mean, raw_unit: N, unit: N}"
    changed = corrected(made, "small", (rule, "{header: Hardness (N), ignored: another machine's}"))
    code, told, said = confirm(made, changed)
    assert (code, told["version"]) == (1, None)
    assert "2 are taken back" in said
    assert hardness(made) == {("91.5", "N")}
    assert confirm(made, changed, "--apply")[0] == 0
    made.cmo.share(AGREED)
    made.settle()
    assert hardness(made) == set()
    assert {item.shown for item in read_results(made.sponsor.home)} == {"100.1"}
    # Under the mapping as it was they come back.
    assert confirm(made, FILES / "small.yaml", "--apply")[0] == 0
    made.cmo.share(AGREED)
    made.settle()
    assert hardness(made) == {("91.5", "N")}


def test_a_persons_correction_waits_for_a_person_where_the_mapping_changes_it(made: Link) -> None:
    made.deliver([row("B1"), row("B2")])
    correct_result(made.cmo.home, "B1", "tablet.hardness", "88.9", made.cmo.person, "a typo")
    changed = corrected(made, "small", ("raw_unit: N, unit: N", "raw_unit: kN, unit: kN"))
    code, _, said = confirm(made, changed)
    assert code == 1
    assert "1 values change, 0 are new, 0 are taken back, 1 are held back" in said
    assert confirm(made, changed, "--apply")[0] == 0
    made.cmo.share(AGREED)
    assert hardness(made) == {("88.9", "N"), ("91500", "N")}
    (item,) = made.cmo.home.journal.held()
    assert item.text == "91.5"
