"""Cells of a column: a value with its text and unit, or why it is in doubt."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.mapping.cells import CellReader, Doubt, column_unit, first_kind_change, make_reader
from fedbatch.mapping.tables import CellKind
from fedbatch.standard.mappings import AbsentText, MappingRule
from fedbatch.standard.units import Unit
from fedbatch.standard.values import Value
from tests.unit.mapping.making import DICTIONARY, UNITS, assay, mapping, rule


def reader(of: MappingRule, unit_text: str = "", **fields: Any) -> CellReader:
    unit = column_unit(of, unit_text, UNITS) if of.kind == "number" else None
    assert not isinstance(unit, Doubt), unit
    under = mapping(of, **fields)
    return make_reader(of, under, unit, unit_text or of.raw_unit, UNITS, DICTIONARY)


def value(of: MappingRule, text: str, *, form: str = "", **fields: Any) -> Value:
    found = reader(of, **fields).read(text, None, form)
    assert isinstance(found, Value), found
    return found


def doubt(of: MappingRule, text: str, kind: CellKind | None = None, form: str = "") -> str:
    found = reader(of).read(text, kind, form)
    assert isinstance(found, Doubt), found
    return found.rule


TITRE = rule("Titre", term="titre", raw_unit="g/L", unit="g/L")
MILLIGRAMS = rule("Titre", term="titre", raw_unit="mg/L", unit="g/L")


# ---- numbers


def test_a_number_keeps_its_text_its_zeros_and_its_unit_as_written() -> None:
    found = value(TITRE, " 12.40 ")
    assert (found.raw, found.number, found.unit) == (" 12.40 ", "12.40", "g/L")
    assert (found.raw_unit, found.unit_basis, found.conversion) == ("g/L", "mapping", None)


def test_a_number_is_converted_with_its_conversion_on_record() -> None:
    found = value(MILLIGRAMS, "<50")
    assert (found.number, found.comparator, found.unit, found.raw) == ("0.05", "<", "g/L", "<50")
    assert found.conversion is not None
    assert (found.conversion.number, found.conversion.unit) == ("50", "mg/L")


def test_a_unit_in_the_cell_keeps_comparator_and_is_converted_too() -> None:
    found = value(MILLIGRAMS, "< 50 mg/L")
    assert (found.number, found.comparator, found.unit) == ("0.05", "<", "g/L")
    assert (found.raw_unit, found.unit_basis) == ("mg/L", "cell")
    assert found.conversion is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.412.698.315", "value.damaged"),
        ("12,4", "value.damaged"),
        ("abc", "type.unknown"),
        ("pass", "type.unknown"),
        ("NaN", "value.not_finite"),
        ("-Infinity", "value.not_finite"),
        ("50 furlongs", "unit.unknown"),
        ("50 U", "unit.unknown"),
        ("50 mg/L", "unit.implausible"),
        ("1" * 39, "value.damaged"),
    ],
    ids=lambda item: item[:12],
)
def test_a_cell_in_doubt_says_under_which_rule(text: str, expected: str) -> None:
    assert doubt(TITRE, text) == expected


def test_a_date_that_a_spreadsheet_made_of_a_number_is_damage() -> None:
    assert doubt(TITRE, "2026-01-02", CellKind.DATE) == "value.damaged"


def test_a_number_too_long_for_the_mappings_unit_is_in_doubt_and_raises_nothing() -> None:
    of = rule("Mass", term="x.p.mass", raw_unit="t", unit="ng")
    assert doubt(of, "1" * 34) == "value.damaged"


@settings(max_examples=200)
@given(st.text(max_size=12), st.sampled_from([None, *CellKind]), st.sampled_from(["", "0.0%"]))
def test_no_text_makes_a_reader_raise(text: str, kind: CellKind | None, form: str) -> None:
    for of in (TITRE, MILLIGRAMS, assay(), rule("T", term="x.p.t", kind="boolean")):
        found = reader(of, grouping_mark=",").read(text, kind, form)
        assert isinstance(found, Value | Doubt)
        if isinstance(found, Value):
            assert found.raw == text


# ---- percent


def test_a_cell_shown_as_percent_is_held_back_unless_the_mapping_says_fraction() -> None:
    assert doubt(assay(), "0.985", CellKind.NUMBER, "0.0%") == "unit.percent_format"
    fraction = rule("Yield", term="x.p.yield", raw_unit="1", unit="%")
    found = value(fraction, "0.985", form="0.0%")
    assert (found.number, found.unit) == ("98.5", "%")


def test_a_bare_percent_becomes_what_the_mapping_says_it_is_of() -> None:
    found = value(assay(), "99.1")
    assert (found.unit, found.raw_unit, found.conversion) == ("%{LC}", "%", None)


def test_other_formats_change_nothing() -> None:
    assert value(TITRE, "12.4", form="0.000").number == "12.4"


# ---- absent


@pytest.mark.parametrize("text", ["", " ", "\t"], ids=repr)
def test_a_blank_cell_is_absent_with_its_text(text: str) -> None:
    found = value(TITRE, text)
    assert (found.kind, found.absent, found.raw) == ("absent", "blank", text)


@pytest.mark.parametrize("text", ["#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", " #N/A "])
def test_an_error_of_a_spreadsheet_is_absent_without_a_mappings_word(text: str) -> None:
    assert value(TITRE, text).absent == "spreadsheet_error"


def test_an_error_cell_is_absent_whatever_it_shows() -> None:
    found = reader(TITRE).read("12", CellKind.ERROR)
    assert isinstance(found, Value)
    assert found.absent == "spreadsheet_error"


def test_an_absent_text_is_one_by_the_mappings_word_alone() -> None:
    listed = (AbsentText(text="n.d.", reason="not_detected"), AbsentText(text="0", reason="blank"))
    assert value(TITRE, " n.d. ", absent_texts=listed).absent == "not_detected"
    assert value(TITRE, "0", absent_texts=listed).absent == "blank"
    assert doubt(TITRE, "n.d.") == "type.unknown"
    assert doubt(TITRE, "N/A") == "type.unknown"
    assert isinstance(reader(TITRE, absent_texts=listed).read("N.D."), Doubt)


# ---- texts, codes, booleans


def test_texts_and_codes_are_kept() -> None:
    assert value(rule("T", term="x.p.t", kind="text"), " White tablet ").raw == " White tablet "
    found = value(rule("T", term="x.p.t", kind="code"), " A-17 ")
    assert (found.kind, found.code, found.raw) == ("code", "A-17", " A-17 ")


@pytest.mark.parametrize(
    ("text", "code"), [("yes", "true"), ("TRUE", "true"), ("0", "false"), ("No", "false")]
)
def test_booleans_are_true_or_false(text: str, code: str) -> None:
    assert value(rule("T", term="x.p.t", kind="boolean"), text).code == code


@pytest.mark.parametrize("text", ["pass", "ja", "2", "?"])
def test_other_words_are_no_booleans(text: str) -> None:
    assert doubt(rule("T", term="x.p.t", kind="boolean"), text) == "type.unknown"


# ---- the column's unit


def unit_of(of: MappingRule, text: str = "") -> tuple[str | None, str]:
    found = column_unit(of, text, UNITS)
    assert not isinstance(found, Doubt), found
    unit, basis = found
    return (unit.ucum if unit is not None else None), basis


def unit_doubt(of: MappingRule, text: str = "") -> Doubt:
    found = column_unit(of, text, UNITS)
    assert isinstance(found, Doubt), found
    return found


def test_the_mapping_or_the_source_says_the_unit() -> None:
    assert unit_of(TITRE) == ("g/L", "mapping")
    assert unit_of(TITRE, "g/L") == ("g/L", "unit_row")
    assert unit_of(rule("T", term="titre", unit="g/L"), "mg/L") == ("mg/L", "unit_row")
    assert unit_of(rule("T", term="titre", unit="g/L")) == ("g/L", "mapping")


def test_a_code_in_the_mapping_is_a_code_even_where_its_text_is_in_doubt() -> None:
    assert unit_of(rule("T", term="x.p.t", unit="K")) == ("K", "mapping")
    assert unit_doubt(rule("T", term="x.p.t", unit="K"), "K").rule == "unit.unknown"


@pytest.mark.parametrize("text", ["C", "U", "units", "a.u.", "M"])
def test_a_unit_that_may_mean_several_is_asked_with_its_choices(text: str) -> None:
    found = unit_doubt(rule("T", term="x.p.t", unit="1"), text)
    assert found.rule == "unit.unknown"
    assert " or " in found.expected


def test_a_person_may_answer_what_the_sources_unit_means() -> None:
    of = rule("T", term="x.p.t", raw_unit="°C", unit="Cel")
    assert unit_of(of, "C") == ("Cel", "mapping")


def test_an_unknown_unit_is_asked() -> None:
    assert unit_doubt(TITRE, "g per bucket").rule == "unit.unknown"
    assert unit_doubt(rule("T", term="x.p.t")).rule == "unit.unknown"
    assert unit_doubt(rule("T", term="x.p.t", unit="furlong")).rule == "unit.unknown"


def test_source_and_mapping_that_disagree_are_held_back() -> None:
    assert unit_doubt(TITRE, "mg/L").rule == "unit.implausible"


def test_a_unit_of_another_kind_is_held_back_and_raises_nothing() -> None:
    assert unit_doubt(rule("T", term="titre", unit="g/L"), "mmol/L").rule == "unit.implausible"
    assert unit_doubt(rule("P", term="x.p.p", unit="bar{gauge}"), "bar").rule == "unit.implausible"


def test_a_unit_is_a_unit_of_the_table() -> None:
    found = column_unit(TITRE, "", UNITS)
    assert isinstance(found, tuple)
    assert isinstance(found[0], Unit)


# ---- range


def test_numbers_outside_the_terms_range_are_noted_and_taken_in() -> None:
    of = rule("pH", term="ph", raw_unit="pH", unit="[pH]")
    under = reader(of)
    for text in ("7.1", "71", "6.9"):
        assert isinstance(under.read(text), Value)
    assert under.implausible == {"71"}


# ---- a column that changes its kind


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], None),
        ([True, True, True], None),
        ([True, False, True], None),
        ([True, False, False], None),
        ([True, False, False, False], 1),
        ([True, False, None, False, None, False], 1),
        ([False, False, False], None),
        ([True, False, False, False, True], None),
        ([None, True, False, False, False], 2),
    ],
    ids=str,
)
def test_a_column_changes_its_kind_where_three_texts_end_it(
    kinds: list[bool | None], expected: int | None
) -> None:
    assert first_kind_change(kinds) == expected
