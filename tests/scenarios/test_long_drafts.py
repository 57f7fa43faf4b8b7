"""A historian's export is drafted as what it is: a long table of points, with its tags."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.mapping.suggest_long import TAGS_MAX
from fedbatch.node.drafting import draft_mapping
from fedbatch.node.importing import confirm_mapping
from fedbatch.node.mapping_files import read_mapping
from fedbatch.services.mappings import check_mapping
from fedbatch.standard.mappings import Mapping, TableLayout
from tests.scenarios.making import write_table
from tests.scenarios.world import Node, World

HEADERS = ("Tag", "Timestamp (UTC)", "Value", "Unit", "Status")
AT = "2026-02-01T06:{:02d}:00Z"
TEXT = "BR201_STATE.PV"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    world = World(tmp_path)
    yield world.node("cmo")
    world.close()


def export(folder: Path, count: int = 1) -> Path:
    rows = [
        [
            f"BR201_Viable cell density {number}.PV",
            AT.format(minute),
            f"{minute}.5",
            "10^6 cells/mL",
            "Good",
        ]
        for number in range(count)
        for minute in range(3)
    ]
    rows.append([TEXT, AT.format(0), "running", "", "Good"])
    return write_table(folder / "historian.csv", rows, HEADERS)


def drafted(node: Node, path: Path) -> tuple[str, int]:
    return draft_mapping(node.home, path, name="historian", zone="UTC", layout=TableLayout())


def read(folder: Path, text: str) -> Mapping:
    path = folder / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path)


def test_a_draft_lists_the_tags_with_unit_and_series(node: Node, tmp_path: Path) -> None:
    text, _ = drafted(node, export(tmp_path))
    mapping = read(tmp_path, text)
    assert mapping.shape == "long"
    fields = {rule.header: rule.field for rule in mapping.rules if rule.header}
    assert list(fields.values()) == ["tag", "observed_at", "value", "unit", "quality"]
    density, state = (rule for rule in mapping.rules if rule.tag)
    assert (density.term, density.role, density.unit) == ("cell.density.viable", "PV", "10*6/mL")
    assert density.series is not None
    assert state.open is not None
    assert "# 3 rows" in text


def test_what_no_column_says_is_asked_and_cannot_be_confirmed(node: Node, tmp_path: Path) -> None:
    text, questions = drafted(node, export(tmp_path))
    problems = check_mapping(read(tmp_path, text), node.home.units, node.home.dictionary)
    assert len(problems) == questions == 2
    assert any("which batch or equipment" in item for item in problems)


def test_an_answered_draft_takes_the_points_in(node: Node, tmp_path: Path) -> None:
    path = export(tmp_path)
    text, _ = drafted(node, path)
    lines = [line for line in text.splitlines() if "open:" not in line or "constants" in line]
    answered = "\n".join(lines).replace("# constants:", "constants:")
    answered += f'\n  - {{tag: "{TEXT}", ignored: no number}}\n'
    confirm_mapping(node.home, read(tmp_path, answered), node.person)
    report = node.take(path)
    assert (report.points, report.rows_held_back) == (3, 0)
    assert {item.rule for item in report.findings} == set()


def test_tags_beyond_the_bound_are_counted_and_held_back(node: Node, tmp_path: Path) -> None:
    text, _ = drafted(node, export(tmp_path, TAGS_MAX + 4))
    assert "and 5 more tags in 13 rows" in text
    assert sum(1 for rule in read(tmp_path, text).rules if rule.tag) == TAGS_MAX
    assert "more tags" not in drafted(node, export(tmp_path))[0]


def test_a_wide_table_is_drafted_as_before(node: Node, tmp_path: Path) -> None:
    path = write_table(tmp_path / "wide.csv", [["B1", "99.1"]], ("Batch", "Assay (%)"))
    text, _ = drafted(node, path)
    assert read(tmp_path, text).shape == "row_a_batch"


def test_the_command_counts_the_questions_of_the_draft(node: Node, tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    command = ["map", "new", str(export(tmp_path)), "--out", str(out), "--json"]
    shown = CliRunner().invoke(app, [*command, "--home", str(node.home.path)])
    assert shown.exit_code == 0, shown.output
    # The text tag, the owner of the rows, the zone.
    assert json.loads(shown.output)["open"] == 3
