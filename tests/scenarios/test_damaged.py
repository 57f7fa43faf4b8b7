"""A spreadsheet's locale destroyed 1,799 cells; the clean twin supplies them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fedbatch.services.intake import IntakeReport
from fedbatch.standard.findings import Finding
from tests.scenarios.world import Node, World


@pytest.fixture(scope="module")
def cmo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    world = World(tmp_path_factory.mktemp("damaged"))
    node = world.node("cmo")
    node.map("laboratory")
    yield node
    world.close()


@pytest.fixture(scope="module")
def damaged(cmo: Node, real_data: Path) -> IntakeReport:
    return cmo.take(real_data / "zagar2022" / "variants" / "Laboratory.Moliveira85.csv")


@pytest.fixture(scope="module")
def held(cmo: Node, damaged: IntakeReport) -> list[Finding]:
    assert damaged.held_back
    return [msgspec.json.decode(item.finding, type=Finding) for item in cmo.home.journal.held()]


@pytest.fixture(scope="module")
def clean(cmo: Node, held: list[Finding], real_data: Path) -> IntakeReport:
    """The clean twin, taken in after what was held back has been looked at."""
    assert held
    return cmo.take(real_data / "zagar2022" / "Laboratory.csv")


def test_every_damaged_cell_is_held_back_with_place_and_text(
    damaged: IntakeReport, held: list[Finding]
) -> None:
    assert damaged.held_back == 1_799
    assert len(held) == 1_799
    assert {item.rule for item in held} == {"value.damaged"}
    columns = Counter(item.where.locator.partition("C")[2] for item in held)
    assert sorted(columns.values()) == [6, 788, 1_005]
    found = {item.where.locator: item.found for item in held}
    assert found["R2C46"] == "1.412.698.315"


def test_everything_else_is_accepted(damaged: IntakeReport) -> None:
    # 55 columns less batch, code, size, start, five of lots: 46 parameters by 1,005 batches.
    assert damaged.new - damaged.held_back < damaged.new
    results = 46 * 1_005 - 1_799
    others = damaged.new - results
    assert others > 1_005


def test_the_clean_twin_supplies_what_was_held_back(
    cmo: Node, damaged: IntakeReport, clean: IntakeReport
) -> None:
    assert clean.new == 1_799
    assert clean.closed == 1_799
    assert clean.corrected == 0
    assert clean.unchanged == damaged.new
    assert cmo.home.journal.held() == []
    heads = cmo.home.journal.heads(("result",))
    assert {head.version for head in heads.values()} == {1}


def test_the_same_file_again_writes_nothing(
    cmo: Node, clean: IntakeReport, real_data: Path
) -> None:
    size = cmo.home.journal.size()
    again = cmo.take(real_data / "zagar2022" / "Laboratory.csv")
    assert (again.new, again.corrected) == (0, 0)
    assert again.unchanged == clean.unchanged + clean.new
    assert cmo.home.journal.size() == size
