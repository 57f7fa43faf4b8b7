"""What of docs/standard is made from the code equals the code."""

import re
from pathlib import Path

import pytest

from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.standard.schema import all_schemas
from tests.docs.write_standard import read_meanings, render_records, with_kinds

FOLDER = Path(__file__).parents[2] / "docs" / "standard"
PAGES = [*sorted(FOLDER.glob("*.md")), FOLDER.parent / "explanation" / "trust.md"]


def test_the_page_of_records_is_that_of_the_code() -> None:
    page = (FOLDER / "records.md").read_text("utf-8")
    assert page == render_records(), "run `make schema`"


def test_the_table_of_kinds_is_that_of_the_units_table() -> None:
    page = (FOLDER / "units.md").read_text("utf-8")
    assert page == with_kinds(page), "run `make schema`"


def test_no_meaning_is_given_to_a_field_that_is_gone() -> None:
    fields = set()
    for schema in all_schemas().values():
        definitions = schema.get("$defs", {})
        assert isinstance(definitions, dict)
        for name, definition in [
            *definitions.items(),
            ("entry", schema),
            ("AgreementBody", schema),
        ]:
            for field in definition.get("properties", {}):
                fields |= {field, f"{name}.{field}"}
    assert set(read_meanings()) <= fields


def _anchors(page: Path) -> set[str]:
    """The anchors that a page's headings give."""
    heads = [
        line.lstrip("#").strip().lower()
        for line in page.read_text("utf-8").splitlines()
        if line[:1] == "#"
    ]
    return {re.sub(r"[^a-z0-9_ -]", "", head).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_of_a_page_leads_nowhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_the_list_of_types_is_that_of_the_code() -> None:
    page = (FOLDER / "records.md").read_text("utf-8")
    for item in RECORD_TYPES.values():
        assert f"\n### {item.name}\n" in page
        assert f"(schema/{item.name}-{item.version}.json)" in page
