"""Which mapping fits a table: every header accounted for, none twice."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.mapping.matching import (
    assign_rules,
    difference,
    fingerprint,
    fits,
    mapping_fingerprint,
)
from fedbatch.mapping.tables import LeftOut, column_letters
from fedbatch.standard.mappings import MappingRule
from tests.unit.mapping.making import column, grid, mapping, rule, table

HEADERS = st.lists(st.sampled_from(["a", "b", "c", "A", "a ", ""]), min_size=1, max_size=6)


def rules_for(headers: list[str]) -> list[MappingRule]:
    seen: list[str] = []
    found = []
    for header in headers:
        seen.append(header)
        found.append(rule(header, ignored="test", occurrence=seen.count(header)))
    return found


@settings(max_examples=100)
@given(HEADERS.flatmap(lambda headers: st.tuples(st.just(headers), st.permutations(headers))))
def test_the_order_of_columns_is_of_no_importance(pair: tuple[list[str], list[str]]) -> None:
    headers, mixed = pair
    one = table(*(column(item, "1") for item in headers))
    other = table(*(column(item, "1") for item in mixed))
    assert fingerprint(one) == fingerprint(other)


@settings(max_examples=100)
@given(HEADERS)
def test_a_mapping_of_all_headers_fits_and_gives_each_column_its_own_rule(
    headers: list[str],
) -> None:
    source = table(*(column(item, "1") for item in headers))
    under = mapping(*rules_for(headers))
    assert mapping_fingerprint(under) == fingerprint(source)
    assert difference(source, under) == ([], [])
    found = assign_rules(source, under)
    assert [item.header for item, _ in found] == headers
    assert len({(item.header, item.occurrence) for _, item in found}) == len(headers)


def test_case_and_blanks_tell_headers_apart() -> None:
    prints = {
        fingerprint(grid(header, "1")) for header in ("Assay", "assay", "Assay ", "Assay (%)")
    }
    assert len(prints) == 4


def test_equal_headers_are_told_by_their_occurrence() -> None:
    source = grid("batch|Mean|Mean", "1|2|3")
    under = mapping(
        rule("batch", field="batch"),
        rule("Mean", ignored="second", occurrence=2),
        rule("Mean", ignored="first", occurrence=1),
    )
    found = [(item.index, of.ignored or of.field) for item, of in assign_rules(source, under)]
    assert found == [(0, "batch"), (1, "first"), (2, "second")]


def test_equal_headers_under_other_groups_are_others() -> None:
    source = table(column("Mean", "1", group="Hardness"), column("Mean", "2", group="Mass"))
    under = mapping(
        rule("Mean", group="Mass", ignored="mass"), rule("Mean", group="Hardness", ignored="hard")
    )
    assert [of.ignored for _, of in assign_rules(source, under)] == ["hard", "mass"]
    bare = mapping(rule("Mean", ignored="x"), rule("Mean", ignored="y", occurrence=2))
    assert mapping_fingerprint(bare) != fingerprint(source)


def test_a_new_and_a_gone_column_are_named_and_nothing_is_dropped() -> None:
    source = grid("batch|Assay|Colour", "1|2|3")
    under = mapping(
        rule("batch", field="batch"), rule("Assay", ignored="x"), rule("pH", ignored="y")
    )
    assert difference(source, under) == (["Colour"], ["pH"])
    with pytest.raises(InputError) as caught:
        assign_rules(source, under)
    assert caught.value.code == "mapping.columns"
    assert caught.value.found == "new: Colour; gone: pH"


def test_a_second_column_of_a_mapped_header_is_new() -> None:
    source = grid("batch|Assay|Assay", "1|2|3")
    under = mapping(rule("batch", field="batch"), rule("Assay", ignored="x"))
    assert difference(source, under) == (["Assay"], [])


def test_rules_of_tags_have_no_column() -> None:
    source = grid("tag|value", "T1|1")
    under = mapping(
        rule("tag", field="tag"), rule("value", field="value"), rule(tag="T1", ignored="x")
    )
    assert len(assign_rules(source, under)) == 2


@pytest.mark.parametrize(("index", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"),
                                                (701, "ZZ"), (702, "AAA"), (16383, "XFD")])  # fmt: skip
def test_columns_are_lettered_as_spreadsheets_do(index: int, letters: str) -> None:
    assert column_letters(index) == letters


def test_a_column_without_texts_may_be_missing_where_it_is_ignored_alone() -> None:
    whole = grid("batch|assay", "B1|1")
    left = replace(whole, left_out=(LeftOut(header="blob", type="binary"),))
    rules = (rule("batch", field="batch"), rule("assay", ignored="test"))
    ignoring = mapping(*rules, rule("blob", ignored="nothing of ours"))
    needing = mapping(*rules, rule("blob", field="sample"))
    assert fits(left, ignoring)
    assert fits(left, mapping(*rules))
    assert len(assign_rules(left, ignoring)) == 2
    assert not fits(left, needing)
    assert not fits(whole, ignoring)
    with pytest.raises(InputError) as refusal:
        assign_rules(left, needing)
    assert refusal.value.found == "gone: blob (of binary, which has no texts)"
