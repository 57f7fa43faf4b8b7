"""Long tables of points: a proposal for each tag, and none for tables that are no such thing."""

import pytest

from fedbatch.mapping.suggest import propose
from fedbatch.mapping.suggest_long import TAGS_MAX, LongProposal, TagProposal, propose_long
from fedbatch.mapping.tables import Column, Table
from tests.unit.mapping.making import DICTIONARY, UNITS, column, grid, table

AT = "2026-02-01T06:00:00Z"
HEADERS = "Tag|Time|Value|Unit|Quality"


def proposed(source: Table) -> LongProposal | None:
    return propose_long(source, propose(source, DICTIONARY, UNITS), DICTIONARY, UNITS)


def tags_of(*rows: str, headers: str = HEADERS) -> dict[str, TagProposal]:
    found = proposed(grid(headers, *rows))
    assert found is not None
    return {item.tag: item for item in found.tags}


def test_each_tag_is_listed_once_in_its_order_with_its_rows() -> None:
    found = tags_of(*(f"{tag}|{AT}|1.5||Good" for tag in ("b", "a", "b", " b ")))
    assert [(item.tag, item.rows) for item in found.values()] == [("b", 3), ("a", 1)]


def test_what_all_tags_have_in_common_says_nothing() -> None:
    found = tags_of(
        f"S1_BR201_Viable cell density.PV|{AT}|12.4|10^6 cells/mL|Good",
        f"S1_BR201_Titre.PV|{AT}|1.2|g/L|Good",
    )
    first = found["S1_BR201_Viable cell density.PV"]
    assert (first.term, first.unit) == ("cell.density.viable", "10*6/mL")
    assert first.raw_unit == "10^6 cells/mL"
    assert "likeness 1.00" in first.evidence
    alone = tags_of(f"S1_BR201_Viable cell density.PV|{AT}|12.4|10^6 cells/mL|Good")
    assert "likeness 1.00" not in next(iter(alone.values())).evidence


@pytest.mark.parametrize(
    ("tag", "role"),
    [("TIC.SP", "SP"), ("TIC.PV", "PV"), ("TIC_OUT", "OUT"), ("TIC", "PV"), ("SP", "PV")],
)
def test_the_last_word_of_a_tag_says_its_role(tag: str, role: str) -> None:
    assert tags_of(f"{tag}|{AT}|1.5||Good")[tag].role == role


def test_units_are_those_of_the_tags_own_rows() -> None:
    found = tags_of(f"T1|{AT}|37.0|degC|Good", f"T2|{AT}|1.1|bar|Good", f"T3|{AT}|1||Good")
    told = {tag: (item.raw_unit, item.unit) for tag, item in found.items()}
    assert told == {"T1": ("degC", "Cel"), "T2": ("bar", "bar"), "T3": ("", "")}


def test_a_tag_of_several_units_is_asked() -> None:
    found = tags_of(f"T1|{AT}|37.0|degC|Good", f"T1|{AT}|98.6|degF|Good")["T1"]
    assert "several units: degC, degF" in found.question
    assert (found.term, found.raw_unit, found.unit) == ("", "", "")


def test_a_table_without_units_has_tags_without() -> None:
    found = tags_of(f"T1|{AT}|37.0", headers="TagName|Timestamp (UTC)|Value")
    assert found["T1"].unit == ""
    assert found["T1"].question


def test_a_tag_of_texts_is_asked_and_one_with_a_few_is_not() -> None:
    rows = [f"Viable cell density|{AT}|12.4|10^6 cells/mL|Good"] * 3
    rows += [f"Viable cell density|{AT}|I/O Timeout|10^6 cells/mL|Bad", f"State|{AT}|running||Good"]
    found = tags_of(*rows)
    assert found["Viable cell density"].term == "cell.density.viable"
    assert "no numbers" in found["State"].question


def test_tags_beyond_what_a_person_reads_are_counted() -> None:
    rows = [f"T{number}|{AT}|1.5||Good" for number in range(TAGS_MAX + 7)]
    found = proposed(grid(HEADERS, *rows, rows[-1]))
    assert found is not None
    assert (len(found.tags), found.more_tags, found.more_rows) == (TAGS_MAX, 7, 8)
    few = proposed(grid(HEADERS, *rows[:3]))
    assert few is not None
    assert (few.more_tags, few.more_rows) == (0, 0)


def test_other_columns_are_fields_or_asked_never_terms() -> None:
    headers = "Batch|Viable cell density (10^6 cells/mL)|" + HEADERS
    found = proposed(grid(headers, f"B1|12.4|T1|{AT}|1.5||Good"))
    assert found is not None
    assert found.is_owned
    first, second, *_ = found.columns
    assert first.field == "batch"
    assert not second.term
    assert "ignored with a reason" in second.question


def test_a_column_that_the_file_itself_types_as_times_needs_no_proposal() -> None:
    times = Column(index=1, header="Time", texts=["x"], time_format="%Y-%m-%d %H:%M:%S.%f%z")
    plain = table(column("Tag", "T1"), column("Time", "x"), column("Value", "1"))
    typed = Table(
        sheet="",
        scheme="row_column",
        extractor="",
        header_row=1,
        rows=[2],
        columns=(plain.columns[0], times, plain.columns[2]),
    )
    found, asked = proposed(typed), proposed(plain)
    assert found is not None
    assert asked is not None
    assert (found.columns[1].field, found.columns[1].time_formats) == (
        "observed_at",
        ("%Y-%m-%d %H:%M:%S.%f%z",),
    )
    assert asked.columns[1].question
    assert not found.is_owned


@pytest.mark.parametrize(
    "headers",
    [
        "Batch|Time|Viable cell density (10^6 cells/mL)",
        "Tag|Value",
        "Tag|Time",
        "Time|Value",
        "Tag|Time|Value|Value",
        "Sample|Tag|Time|Value",
        "Test|Time|Result",
        "Tag|Time|Value|Analyst",
    ],
)
def test_a_table_of_another_shape_is_none(headers: str) -> None:
    texts = {"Time": AT, "Value": "1.5", "Result": "1.5"}
    row = "|".join(texts.get(header, "x1") for header in headers.split("|"))
    assert proposed(grid(headers, row)) is None
