"""From tables to drafts: every cell ends in a draft, in something held back, or in an ignored column."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.mapping.extract import Draft, Extraction
from fedbatch.mapping.tables import CellKind, Table
from fedbatch.standard import canonical, records
from fedbatch.standard.journals import JournalResult
from fedbatch.standard.mappings import LotTarget, Mapping, MappingRule
from fedbatch.standard.values import Reference
from tests.unit.mapping.making import assay, column, grid, mapping, rule, rules_of, run, table

BATCH = rule("batch", field="batch")
PRODUCT = rule("code", field="product")
PH = rule("pH", term="ph", raw_unit="pH", unit="[pH]")


def drafts(found: Extraction, type_: str) -> list[Draft]:
    return [item for item in found.drafts if item.type == type_]


def results(found: Extraction) -> list[JournalResult]:
    return [
        item.record for item in drafts(found, "result") if isinstance(item.record, JournalResult)
    ]


def numbers(found: Extraction) -> list[str | None]:
    return [item.value.number for item in results(found)]


def locators(found: Extraction) -> Counter[str]:
    """How often each cell stands in a result's draft or is held back."""
    of_drafts = [item.origins[0].locator for item in drafts(found, "result")]
    return Counter([*of_drafts, *(item.origins[0].locator for item in found.held)])


# ---- a row a batch


def test_a_row_gives_a_batch_its_product_and_its_results() -> None:
    source = grid("batch|code|Assay|pH", "2001|T-1|99.1|7.0", "2002|T-1|98.7|")
    found = run(source, mapping(BATCH, PRODUCT, assay(), PH))
    assert [item.key for item in drafts(found, "batch")] == [("batch:2001",), ("batch:2002",)]
    assert len(drafts(found, "product")) == 1
    assert numbers(found) == ["99.1", "98.7", "7.0", None]
    assert results(found)[-1].value.absent == "blank"
    assert (found.held, found.findings, found.cells) == ([], [], 8)
    assert found.row_keys == ["2001|", "2002|"]


def test_every_result_names_the_cell_it_came_from() -> None:
    found = run(grid("batch|Assay", "2001|99.1"), mapping(BATCH, assay()))
    (item,) = drafts(found, "result")
    (origin,) = item.origins
    assert (origin.scheme, origin.locator, origin.mapping) == ("row_column", "R2C2", "lab")
    assert origin.artefact == "0" * 64


def test_a_batch_keeps_both_parties_numbers() -> None:
    under = mapping(BATCH, rule("yours", field="batch.partner"), PRODUCT)
    found = run(grid("batch|yours|code", "2001|SP-9|T-1"), under)
    record = drafts(found, "batch")[0].record
    assert [item.value for item in record.identifiers] == ["2001", "SP-9"]


def test_ignored_columns_are_listed_with_their_reason() -> None:
    found = run(grid("batch|note", "2001|x"), mapping(BATCH, rule("note", ignored="free text")))
    assert found.ignored == {"note": "free text"}
    assert found.drafts == []


def test_a_row_without_a_batch_is_held_back_whole() -> None:
    source = grid("batch|code|Assay|note", "|T-1|99.1|x", "2002|T-1|98.7|y")
    found = run(source, mapping(BATCH, PRODUCT, assay(), rule("note", ignored="x")))
    assert rules_of(found) == ["row.no_batch", "row.no_batch"]
    assert [item.text for item in found.held] == ["T-1", "99.1"]
    assert numbers(found) == ["98.7"]


def test_a_mapping_of_other_columns_takes_in_nothing() -> None:
    with pytest.raises(InputError) as caught:
        run(grid("batch|Colour", "1|red"), mapping(BATCH, assay()))
    assert caught.value.code == "mapping.columns"


def test_size_and_times_of_a_batch_in_doubt_are_held_back_and_the_batch_goes_on() -> None:
    under = mapping(
        BATCH,
        PRODUCT,
        rule("size", field="batch.size", raw_unit="tablets", unit="1"),
        rule("start", field="batch.start"),
        rule("end", field="batch.end"),
        rule("state", field="batch.state"),
    )
    source = grid(
        "batch|code|size|start|end|state", "2001|T-1|1.2.3|2026-03-29 02:30|1899-12-30 00:00|gone"
    )
    found = run(source, under)
    assert sorted(rules_of(found)) == [
        "time.ambiguous",
        "time.format",
        "type.unknown",
        "value.damaged",
    ]
    assert {item.path for item in found.held} == {"/size", "/start", "/end", "/state"}
    record = drafts(found, "batch")[0].record
    assert isinstance(record, records.Batch)
    assert (record.size, record.start, record.end, record.state) == (None, None, None, None)


def test_what_is_said_of_a_batch_without_a_product_is_held_back() -> None:
    under = mapping(BATCH, PRODUCT, rule("start", field="batch.start"), assay())
    found = run(grid("batch|code|start|Assay", "2001||2026-03-02 08:00|99"), under)
    assert rules_of(found) == ["row.incomplete"]
    assert numbers(found) == ["99"]


def test_nothing_raises_where_a_unit_row_is_of_another_kind() -> None:
    under = mapping(BATCH, rule("Titre", term="titre", unit="g/L"))
    source = table(column("batch", "2001"), column("Titre", "5", unit="mmol/L"))
    assert rules_of(run(source, under)) == ["unit.implausible"]


# ---- the same thing twice


def test_the_same_result_twice_is_noted_once_and_taken_in_once() -> None:
    found = run(grid("batch|Assay", "2001|99.1", "2001|99.1"), mapping(BATCH, assay()))
    assert numbers(found) == ["99.1"]
    assert [item.rule for item in found.findings] == ["result.duplicate"]
    assert found.held == []


def test_two_values_of_one_result_are_both_held_back() -> None:
    source = grid("batch|Assay", "2001|99.1", "2002|97", "2001|99.2", "2001|99.3")
    found = run(source, mapping(BATCH, assay()))
    assert numbers(found) == ["97"]
    assert rules_of(found) == ["result.conflict"] * 3
    assert sorted(item.text for item in found.held) == ["99.1", "99.2", "99.3"]


def test_rows_that_disagree_about_a_batch_are_a_finding_and_the_first_stands() -> None:
    source = grid("batch|code|start", "2001|T-1|2026-03-02 08:00", "2001|T-1|2026-03-03 08:00")
    found = run(source, mapping(BATCH, PRODUCT, rule("start", field="batch.start")))
    (item,) = found.findings
    assert (item.rule, item.found) == ("row.conflict", "another start")
    record = drafts(found, "batch")[0].record
    assert isinstance(record, records.Batch)
    assert record.start is not None
    assert record.start.text == "2026-03-02 08:00"


def test_one_lot_of_two_products_is_a_finding() -> None:
    lot = rule("api", lot=LotTarget(use="api", product_header="api code"))
    under = mapping(BATCH, lot, rule("api code", field="lot.product"))
    found = run(grid("batch|api|api code", "2001|L1|A", "2002|L1|B"), under)
    assert "lot.two_products" in [item.rule for item in found.findings]


def test_lots_go_into_the_rows_batch() -> None:
    api = rule("api", lot=LotTarget(use="api", product="P-API"))
    sugar = rule("lactose", lot=LotTarget(use="lactose"))
    found = run(grid("batch|api|lactose", "2001|L1|L7", "2002|L1|"), mapping(BATCH, api, sugar))
    carried = [item.record for item in drafts(found, "transformation")]
    assert [
        [entry.lot for entry in item.inputs]
        for item in carried
        if isinstance(item, records.Transformation)
    ] == [["lot:api|L1", "lot:lactose|L7"], ["lot:api|L1"]]
    assert len(drafts(found, "lot")) == 2


# ---- a column that changes its kind


def test_a_column_that_turns_to_words_is_held_back_there_and_named_once() -> None:
    cells = ["99.1", "98.7", "pass", "pass", "pass"]
    source = table(column("batch", *"12345"), column("Assay", *cells))
    found = run(source, mapping(BATCH, assay()))
    assert numbers(found) == ["99.1", "98.7"]
    assert rules_of(found) == ["type.unknown"] * 3
    (item,) = found.findings
    assert (item.rule, item.where.locator) == ("type.changed", "R4C2")


def test_numbers_beyond_the_terms_range_are_taken_in_with_a_finding() -> None:
    found = run(grid("batch|pH", "2001|71"), mapping(BATCH, PH))
    assert numbers(found) == ["71"]
    assert [item.rule for item in found.findings] == ["value.implausible"]


def test_a_workbooks_dates_and_errors_are_told_by_their_kind() -> None:
    source = table(
        column("batch", "1", "2", "3"),
        column(
            "Assay",
            "46083",
            "#N/A",
            "0.99",
            kinds=[CellKind.DATE, CellKind.ERROR, CellKind.NUMBER],
            formats=["d-mmm", "", "0.0%"],
        ),
    )
    found = run(source, mapping(BATCH, assay()))
    assert rules_of(found) == ["value.damaged", "unit.percent_format"]
    assert results(found)[0].value.absent == "spreadsheet_error"


# ---- wide and long


WIDE = (
    BATCH,
    rule("time", field="observed_at"),
    rule("sample", field="sample"),
    rule("rep", field="replicate"),
    rule("analysed", field="analysed"),
    PH,
)


def test_a_wide_table_dates_its_results() -> None:
    source = grid(
        "batch|time|sample|rep|analysed|pH",
        "2001|2026-03-02 08:00|S1|1|2026-03-02 12:00|7.0",
        "2001|2026-03-02 08:00|S1|2|2026-03-02 12:00|7.1",
        "2001|2026-03-03 08:00||||7.2",
    )
    found = run(source, mapping(*WIDE, shape="wide"))
    assert numbers(found) == ["7.0", "7.1", "7.2"]
    assert [item.replicate for item in results(found)] == [1, 2, 1]
    assert [item.form for item in results(found)] == ["replicate", "replicate", "reportable"]
    assert results(found)[0].analysed is not None
    assert len(drafts(found, "sample")) == 1
    assert found.held == []


def test_results_of_a_row_whose_time_is_in_doubt_are_held_back() -> None:
    source = grid("batch|time|sample|rep|analysed|pH", "2001|2026-03-29 02:30||||7.0")
    found = run(source, mapping(*WIDE, shape="wide"))
    assert rules_of(found) == ["time.ambiguous"]
    assert results(found) == []


@pytest.mark.parametrize("text", ["0", "first", "2.0", "-1", "²", "9" * 5000], ids=lambda t: t[:5])
def test_which_replicate_it_is_is_never_guessed(text: str) -> None:
    source = grid("batch|time|sample|rep|analysed|pH", f"2001|2026-03-02 08:00|S1|{text}||7.0")
    found = run(source, mapping(*WIDE, shape="wide"))
    assert rules_of(found) == ["type.unknown"]
    assert results(found) == []


def test_a_time_beside_the_result_in_doubt_is_held_back_once_and_the_result_goes_on() -> None:
    source = grid("batch|time|sample|rep|analysed|pH", "2001|2026-03-02 08:00|||yesterday|7.0")
    found = run(source, mapping(*WIDE, shape="wide"))
    assert [(item.path, item.text) for item in found.held] == [("/analysed", "yesterday")]
    assert numbers(found) == ["7.0"]
    assert results(found)[0].analysed is None


LONG = (BATCH, rule("tag", field="tag"), rule("value", field="value"), rule("unit", field="unit"))
TAGS = (
    MappingRule(tag="PH1", term="ph", raw_unit="pH", unit="[pH]"),
    MappingRule(tag="T1", term="x.p.t", unit="K"),
    MappingRule(tag="NOTE", ignored="free text"),
)


def test_a_long_table_reads_each_tag_and_unit_as_a_column_of_its_own() -> None:
    source = grid(
        "batch|tag|value|unit",
        "2001|PH1|7.0|pH",
        "2001|T1|37.0|°C",
        "2002|T1|310|kelvin",
        "2002|NOTE|fine|",
        "2002|T9|1|bar",
        "2003|T1|37|C",
    )
    found = run(source, mapping(*LONG, *TAGS, shape="long"))
    assert numbers(found) == ["7.0", "310.15", "310"]
    assert rules_of(found) == ["tag.unmapped", "unit.unknown"]
    assert found.ignored == {"NOTE": "free text"}


def test_a_long_table_may_have_columns_of_results_besides() -> None:
    source = grid("batch|tag|value|unit|Assay", "2001|PH1|7.0|pH|99.1")
    found = run(source, mapping(*LONG, *TAGS, assay(), shape="long"))
    assert numbers(found) == ["7.0", "99.1"]


def test_quality_is_kept_in_the_sources_words() -> None:
    under = mapping(*LONG, *TAGS, rule("quality", field="quality"), shape="long")
    source = grid(
        "batch|tag|value|unit|quality", "2001|PH1|7.0|pH|Good", "2002|PH1|7.1|pH|0x80AB0000"
    )
    qualities = [
        (item.value.quality, item.value.quality_code) for item in results(run(source, under))
    ]
    assert qualities == [("good", "Good"), (None, "0x80AB0000")]


# ---- equipment


WINDOW = (
    BATCH,
    rule("piece", field="equipment"),
    rule("class", field="equipment.class"),
    rule("from", field="equipment.from"),
    rule("to", field="equipment.to"),
    rule("by", field="equipment.basis"),
)
HEADER = "batch|piece|class|from|to|by"


def test_a_window_of_equipment_is_drafted_with_who_vouches_for_it() -> None:
    source = grid(HEADER, "2001|R1|bioreactor|2026-03-02 08:00|2026-03-09 08:00|MES")
    found = run(source, mapping(*WINDOW))
    (item,) = drafts(found, "equipment")
    assert isinstance(item.record, records.Equipment)
    assert item.record.window_basis == ("mes",)
    assert item.key == ("equipment:R1", "batch:2001", "2026-03-02T07:00:00Z", "lab")
    assert found.held == []


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ("2001|R1|bioreactor|2026-03-02 08:00|2026-03-09 08:00|somebody", 5),
        ("2001|R1|bioreactor|2026-03-02 08:00||", 3),
        ("2001|R1|bioreactor|||mes", 3),
        ("2001|R1|bioreactor|2026-03-29 02:30||mes", 4),
        ("2001|R1||2026-03-02 08:00|2026-03-29 02:30|mes", 1),
        ("2001||bioreactor|2026-03-02 08:00||mes", 3),
    ],
)
def test_a_window_that_nobody_vouches_for_is_held_back(row: str, held: int) -> None:
    found = run(grid(HEADER, row), mapping(*WINDOW))
    assert len(found.held) == held
    assert len(drafts(found, "equipment")) == (held == 1)


def test_a_row_of_equipment_and_time_waits_for_its_batch() -> None:
    under = mapping(
        rule("piece", field="equipment"),
        rule("time", field="observed_at"),
        PRODUCT,
        PH,
        shape="wide",
    )
    source = grid("piece|time|code|pH", "R1|2026-03-02 08:00|T-1|7.0", "|2026-03-02 09:00||7.1")
    found = run(source, under)
    (item,) = results(found)
    assert (item.batch, item.equipment) == (None, "equipment:R1")
    assert drafts(found, "result")[0].key[0] == "@equipment:R1"
    # The product has no batch to stand in, and the second row no place at all.
    assert [item.text for item in found.held] == ["2026-03-02 09:00", "7.1", "T-1"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "|R1|bioreactor|2026-03-02 08:00|2026-03-09 08:00|mes",
            "the batch that the equipment was",
        ),
        ("||bioreactor|2026-03-02 08:00||mes", "the batch that the equipment was"),
    ],
)
def test_a_window_without_a_batch_is_said_to_lack_the_batch_of_its_equipment(
    row: str, expected: str
) -> None:
    found = run(grid(HEADER, row), mapping(*WINDOW))
    assert {item.finding.rule for item in found.held} == {"row.no_batch"}
    assert all(item.finding.expected.startswith(expected) for item in found.held)


def test_what_a_row_must_name_is_among_what_its_mapping_reads() -> None:
    plain = run(grid("batch|Assay", "|99.1"), mapping(BATCH, assay()))
    assert {item.finding.expected for item in plain.held} == {"a batch number"}
    placing = (rule("piece", field="equipment"), rule("time", field="observed_at"))
    for rules, header, expected in (
        ((BATCH, *placing, PH), "batch|piece|time|pH", "a batch number, or equipment and a time"),
        ((*placing, PH), "piece|time|pH", "equipment and a time"),
    ):
        row = "|" * header.count("|") + "7.1"
        found = run(grid(header, row), mapping(*rules, shape="wide"))
        assert {item.finding.expected for item in found.held} == {expected}


# ---- nothing is dropped: the property


CELLS = st.sampled_from(
    [
        "",
        " ",
        "99.1",
        "<0.05",
        "1.2.3",
        "1,5",
        "abc",
        "#N/A",
        "NaN",
        "5 mg/L",
        "7 furlong",
        "n.d.",
        "²",
    ]
)
BATCHES = st.sampled_from(["", "2001", "2002"])
TIMES = st.sampled_from(["", "2026-03-02 08:00", "2026-03-29 02:30", "soon", "1899-12-30 00:00"])
COUNTS = st.sampled_from(["", "1", "2", "x", "0"])


@st.composite
def wide_tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(min_value=1, max_value=5))

    def texts(of: st.SearchStrategy[str]) -> list[str]:
        return draw(st.lists(of, min_size=count, max_size=count))

    units = st.sampled_from(["", "%", "pH", "U", "kN", "furlong"])
    return table(
        column("batch", *texts(BATCHES)),
        column("time", *texts(TIMES)),
        column("rep", *texts(COUNTS)),
        column("note", *texts(CELLS)),
        column("Assay", *texts(CELLS), unit=draw(units)),
        column("pH", *texts(CELLS), unit=draw(units)),
    )


@settings(max_examples=200)
@given(source=wide_tables(), is_dated=st.booleans())
def test_every_cell_of_a_result_ends_in_one_draft_or_one_held_back(
    source: Table, *, is_dated: bool
) -> None:
    times = rule("time", field="observed_at") if is_dated else rule("time", ignored="x")
    counts = rule("rep", field="replicate") if is_dated else rule("rep", ignored="x")
    under = mapping(BATCH, times, counts, rule("note", ignored="x"), assay(), PH, shape="wide")
    found = run(source, under)
    seen = locators(found)
    repeated = {item.where.locator for item in found.findings if item.rule == "result.duplicate"}
    for row in range(len(source.rows)):
        has_batch = bool(source.columns[0].texts[row])
        for index in (4, 5):
            place = source.locator(source.rows[row], index)
            text = source.columns[index].texts[row]
            # A repetition of an equal result is noted, so that it is not lost without a word.
            expected = 1 if has_batch or text.strip() else 0
            assert seen[place] + (place in repeated) == expected, place


@settings(max_examples=100)
@given(wide_tables())
def test_what_is_held_back_says_what_was_found_and_what_would_be_right(source: Table) -> None:
    under = mapping(
        BATCH, *WIDE[1:2], WIDE[3], rule("note", ignored="x"), assay(), PH, shape="wide"
    )
    for item in run(source, under).held:
        assert item.finding.effect == "held_back"
        assert item.finding.expected
        assert item.finding.where.locator == item.origins[0].locator
        column_ = int(item.origins[0].locator.rpartition("C")[2]) - 1
        row = int(item.origins[0].locator[1:].partition("C")[0]) - 2
        assert item.text == source.columns[column_].texts[row]


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(BATCHES, st.sampled_from(["PH1", "T1", "NOTE", "T9", ""]), CELLS,
                  st.sampled_from(["", "pH", "°C", "C", "kN"])),
        min_size=1,
        max_size=6,
    )
)  # fmt: skip
def test_every_value_of_a_long_table_is_drafted_held_back_or_ignored(rows: list[Any]) -> None:
    source = grid("batch|tag|value|unit", *("|".join(row) for row in rows))
    found = run(source, mapping(*LONG, *TAGS, shape="long"))
    seen = locators(found)
    repeated = Counter(
        item.where.locator for item in found.findings if item.rule == "result.duplicate"
    )
    for row, (batch, tag, value, _) in enumerate(rows):
        place = source.locator(source.rows[row], 2)
        ignored = bool(batch) and tag == "NOTE"
        blank = not batch and not value.strip()
        assert seen[place] + repeated[place] == (0 if ignored or blank else 1), place


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(["", "x", "2026-03-02 08:00", "MES"])] * 6),
        min_size=1,
        max_size=4,
    )
)
def test_every_text_of_a_window_is_in_a_draft_or_held_back(rows: list[tuple[str, ...]]) -> None:
    found = run(grid(HEADER, *("|".join(row) for row in rows)), mapping(*WINDOW))
    written = canonical.encode([item.record for item in found.drafts]).decode()
    held = {item.text for item in found.held}
    conflicts = [item for item in found.findings if item.rule == "row.conflict"]
    for row in rows:
        # The batch number alone makes no record: it says which row it is.
        for text in filter(None, row[1:]):
            known = text in held or text in written or text.lower() in written
            assert known or conflicts, (row, text)


def test_a_file_without_rows_gives_nothing_and_raises_nothing() -> None:
    found = run(table(column("batch"), column("Assay")), mapping(BATCH, assay()))
    assert (found.drafts, found.held, found.findings, found.cells) == ([], [], [], 0)


def test_the_same_table_gives_the_same_drafts() -> None:
    source = grid("batch|code|Assay", "2001|T-1|99.1", "2002|T-2|1.2.3")
    under = mapping(BATCH, PRODUCT, assay())
    one, other = run(source, under), run(source, under)
    assert one.drafts == other.drafts
    assert one.held == other.held


# ---- mappings that would read one text two ways


def test_one_mark_cannot_both_group_and_part_decimals() -> None:
    with pytest.raises(InputError) as caught:
        mapping(BATCH, decimal_mark=",", grouping_mark=",")
    assert caught.value.code == "mapping.marks"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"header": "a"},
        {"header": "a", "tag": "b", "term": "ph"},
        {"header": "a", "term": "ph", "field": "batch"},
        {"header": "a", "field": "colour"},
        {"term": "ph"},
    ],
    ids=str,
)
def test_a_rule_has_one_place_and_one_target(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        MappingRule(**fields)


def test_a_result_in_a_journal_names_its_batch_as_text() -> None:
    found = run(grid("batch|Assay", "2001|99.1"), mapping(BATCH, assay()))
    assert not isinstance(results(found)[0].batch, Reference)
    assert isinstance(mapping(BATCH), Mapping)
