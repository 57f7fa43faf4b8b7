"""What of docs/standard is made from the code equals the code."""

from pathlib import Path

from fedbatch.standard.schema import all_schemas
from tests.docs.write_standard import read_meanings, render_records, with_kinds

FOLDER = Path(__file__).parents[2] / "docs" / "standard"


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
