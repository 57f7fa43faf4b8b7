"""Several confirmed mappings of one file's headers: each reads what only it reads, or a person chooses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.errors import InputError
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping, import_file, load_mappings
from fedbatch.node.mapping_files import read_mapping
from fedbatch.standard.mappings import Mapping, RowFilter, TableLayout
from tests.scenarios.making import row, write_table
from tests.scenarios.test_own_series import press
from tests.scenarios.test_series import line
from tests.scenarios.world import FILES, Node, World


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    world = World(tmp_path)
    yield world.node("cmo")
    world.close()


def confirm(node: Node, source: str, base: str = "press", **changed: Any) -> Mapping:
    mapping = read_mapping(FILES / f"{base}.yaml")
    changed = {"source": source} | changed
    return confirm_mapping(node.home, msgspec.structs.replace(mapping, **changed), node.person)


def taken(node: Node, path: Path, mapping: str | None = None) -> list[tuple[str, int]]:
    """By which mapping how many points come in."""
    reports = import_file(node.home, path, node.person, mapping_name=mapping)
    return [(report.mapping, report.points) for report in reports]


def refused(node: Node, path: Path) -> InputError:
    with pytest.raises(InputError) as error:
        taken(node, path)
    assert error.value.code == "import.which_mapping"
    assert node.home.journal.imports() == []
    return error.value


def test_two_mappings_of_the_same_headers_are_both_named(node: Node, tmp_path: Path) -> None:
    path = press(tmp_path, line("06:00:00"))
    confirm(node, "first")
    confirm(node, "second")
    error = refused(node, path)
    assert error.found == "first, second"
    assert "--mapping first" in str(error)
    assert taken(node, path, "second") == [("second", 12)]


def test_the_command_says_how_to_choose_and_takes_the_choice(node: Node, tmp_path: Path) -> None:
    path = press(tmp_path, line("06:00:00"))
    confirm(node, "first")
    confirm(node, "second")
    command = ["import", str(path), "--home", str(node.home.path)]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code != 0
    assert "first, second" in shown.output
    assert "--mapping first" in shown.output
    shown = CliRunner().invoke(app, [*command, "--mapping", "first"])
    assert shown.exit_code == 0, shown.output
    assert "by first" in shown.output


def test_one_mapping_beside_others_of_other_headers_is_taken(node: Node, tmp_path: Path) -> None:
    confirm(node, "first")
    for name in ("small", "historian"):
        node.map(name)
    assert taken(node, press(tmp_path, line("06:00:00"))) == [("first", 12)]


@pytest.mark.parametrize("live", ["a", "z"])
def test_a_live_mapping_and_one_of_files_are_told_apart(
    node: Node, tmp_path: Path, live: str
) -> None:
    """Whichever was confirmed first, and whatever they are called."""
    path = press(tmp_path, line("06:00:00"))
    confirm(node, live, precedence="live")
    confirm(node, "file")
    assert taken(node, path) == [("file", 12)]
    assert Follower(node.home, [path], node.person, shares=False).turn().points == 12


def test_a_live_mapping_alone_reads_a_file_too(node: Node, tmp_path: Path) -> None:
    confirm(node, "live", precedence="live")
    assert taken(node, press(tmp_path, line("06:00:00"))) == [("live", 12)]


def test_two_live_mappings_are_refused(node: Node, tmp_path: Path) -> None:
    confirm(node, "one", precedence="live")
    confirm(node, "two", precedence="live")
    assert refused(node, press(tmp_path, line("06:00:00"))).found == "one, two"


def test_series_and_rows_of_the_same_headers_are_refused(node: Node, tmp_path: Path) -> None:
    confirm(node, "series")
    (mapping,) = load_mappings(node.home)
    plain = tuple(msgspec.structs.replace(rule, series=None) for rule in mapping.rules)
    confirm(node, "rows", rules=plain)
    assert set(refused(node, press(tmp_path, line("06:00:00"))).found.split(", ")) == {
        "series",
        "rows",
    }


def test_layouts_of_one_table_do_not_tell_mappings_apart(node: Node, tmp_path: Path) -> None:
    confirm(node, "found")
    confirm(node, "stated", layout=TableLayout(header_row=1, delimiter=";"))
    assert set(refused(node, press(tmp_path, line("06:00:00"))).found.split(", ")) == {
        "found",
        "stated",
    }


def only(*batches: str) -> tuple[RowFilter, ...]:
    return (RowFilter(header="batch", texts=batches, reason="read by another mapping"),)


def test_mappings_of_other_rows_each_read_theirs(node: Node, tmp_path: Path) -> None:
    path = press(tmp_path, line("06:00:00"), line("06:00:10"), line("06:00:20", "B2"))
    confirm(node, "one", only=only("B1"))
    confirm(node, "two", only=only("B2"))
    assert taken(node, path) == [("one", 24), ("two", 12)]


def test_mappings_of_the_same_rows_are_refused(node: Node, tmp_path: Path) -> None:
    confirm(node, "one", only=only("B1"))
    confirm(node, "two", only=only("B1"))
    confirm(node, "three", only=only("B2"))
    assert refused(node, press(tmp_path, line("06:00:00"))).found == "one, two"


def test_sheets_of_the_same_headers_are_each_read_by_their_mapping(
    node: Node, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "small.csv", [row("B1")])
    book = openpyxl.Workbook()
    for name in ("first", "second"):
        sheet = book.create_sheet(name)
        for text in table.read_text().splitlines():
            sheet.append(text.split(","))
    path = tmp_path / "small.xlsx"
    book.save(path)
    for name in ("first", "second"):
        confirm(node, name, "small", layout=TableLayout(sheet=name))
    assert [name for name, _ in taken(node, path)] == ["first", "second"]
