"""Proposals: what the evidence singles out is proposed, everything else is asked."""

from dataclasses import replace

import pytest

from fedbatch.mapping.suggest import ColumnProposal, propose, search_terms
from fedbatch.mapping.tables import CellKind, Column, Table
from fedbatch.mapping.times import check_format
from tests.unit.mapping.making import DICTIONARY, UNITS, column, grid, table


def proposals(source: Table) -> dict[str, ColumnProposal]:
    found = propose(source, DICTIONARY, UNITS)
    return {item.column.header: item for item in found.columns}


def proposal(of: Column) -> ColumnProposal:
    return propose(table(of), DICTIONARY, UNITS).columns[0]


def test_a_proposal_is_a_field_a_term_or_a_question_and_only_one() -> None:
    source = grid(
        "Batch|Start|Viable cell density (10^6 cells/mL)|pH|Comment|water|X",
        "B1|2026-03-02 08:00|12.4|7.01|fine|3|1",
    )
    for item in propose(source, DICTIONARY, UNITS).columns:
        assert [bool(item.field), bool(item.term), bool(item.question)].count(True) == 1
        assert bool(item.evidence) != bool(item.question)


def test_headers_that_say_what_they_are_become_fields() -> None:
    found = proposals(grid("Batch No|Sample ID|Analyst|Result", "B1|S1|ann|7"))
    assert [item.field for item in found.values()] == ["batch", "sample", "analyst", "value"]


def test_a_term_is_proposed_where_name_and_unit_single_it_out() -> None:
    found = proposal(column("Viable cell density (10^6 cells/mL)", "12.4", "13.1"))
    assert (found.term, found.unit) == ("cell.density.viable", "10*6/mL")
    assert found.raw_unit == "10^6 cells/mL"
    assert "likeness" in found.evidence


def test_a_unit_row_is_evidence_too() -> None:
    found = proposal(column("Viable cell density", "12.4", unit="10^6 cells/mL"))
    assert (found.term, found.unit) == ("cell.density.viable", "10*6/mL")


def test_a_number_without_a_unit_is_asked() -> None:
    found = proposal(column("Viable cell density", "12.4"))
    assert not found.term
    assert "no unit is stated" in found.question


def test_a_unit_that_may_mean_several_is_asked_with_its_choices() -> None:
    found = proposal(column("Temperature (C)", "37.0"))
    assert not found.term
    assert "Cel or C (coulomb)" in found.question


def test_an_unknown_unit_is_asked() -> None:
    found = proposal(column("Viable cell density (per bucket)", "12.4"))
    assert not found.term
    assert "no unit of the table" in found.question


def test_a_unit_of_another_kind_rules_a_term_out() -> None:
    found = proposal(column("Viable cell density (kN)", "12.4"))
    assert found.term != "cell.density.viable"


def test_a_name_that_fits_several_terms_is_asked() -> None:
    for header in ("Glu (mmol/L)", "water (% w/w)", "yield (%)"):
        found = proposal(column(header, "3.1"))
        assert not found.term, header
        assert " or " in found.question


def test_texts_that_are_not_all_numbers_are_asked() -> None:
    found = proposal(column("Viable cell density (10^6 cells/mL)", "12.4", "n.d."))
    assert not found.term
    assert "not all numbers" in found.question


def test_an_empty_column_is_asked() -> None:
    found = proposal(column("Viable cell density (10^6 cells/mL)", "", " "))
    assert not found.term
    assert found.question


def test_a_header_that_is_like_nothing_is_asked() -> None:
    found = proposal(column("qqq", "1"))
    assert "a term, a field, a lot, or ignored with a reason" in found.question


# ---- times


def test_dates_that_only_one_format_reads_are_proposed_with_it() -> None:
    found = proposal(column("Start", "02.03.2026 08:15", "24.03.2026 09:00"))
    assert found.field == "batch.start"
    assert found.time_formats == ("%d.%m.%Y %H:%M",)


def test_dates_whose_day_and_month_may_be_exchanged_are_asked() -> None:
    found = proposal(column("Start", "02/03/2026", "05/06/2026"))
    assert not found.field
    assert found.time_formats == ("%d/%m/%Y", "%m/%d/%Y")
    assert "%d/%m/%Y and %m/%d/%Y" in found.question


def test_one_day_beyond_the_twelfth_decides_the_column() -> None:
    found = proposal(column("Start", "02/03/2026", "25/06/2026"))
    assert (found.field, found.time_formats) == ("batch.start", ("%d/%m/%Y",))


def test_a_time_column_with_another_text_in_it_is_no_time_column() -> None:
    found = proposal(column("Start", "02/03/2026", "soon"))
    assert not found.field
    assert not found.time_formats


def test_a_day_zero_is_no_evidence_of_a_time() -> None:
    assert not proposal(column("Start", "1899-12-30")).field


def test_a_column_that_is_named_for_times_is_never_a_quantity() -> None:
    for header in ("Time", "Timestamp", "Date", "Date/Time", "Log time (UTC)", "TIME STAMP"):
        for texts in (
            ("0", "5", "10"),
            ("x", "y", "z"),
            ("06:00", "06:01", "06:02"),
            ("1.5", "2.5", "0.5"),
        ):
            found = proposal(column(header, *texts))
            assert not found.term, (header, texts)
            assert not any(term in found.question for term in DICTIONARY.terms), (header, texts)
            assert any(
                word in found.question for word in ("observed_at", "elapsed", "times of day")
            )
    # Its name alone likens the very same numbers to a term.
    assert "hold.time" in proposal(column("Hold times", "0", "5", "10")).question
    assert (
        "culture.age"
        in proposal(column("Run time (h)", "0", "5", "10")).question
        + proposal(column("Run time (h)", "0", "5", "10")).term
    )


@pytest.mark.parametrize(
    ("header", "texts", "form"),
    [
        ("Timestamp", ("2026-05-04T06:00:00.123Z",), "%Y-%m-%dT%H:%M:%S.%f%z"),
        ("Log time (UTC)", ("04-May-26 06:00:00",), "%d-%b-%y %H:%M:%S"),
        ("Time", ("25/05/26 06:00:00",), "%d/%m/%y %H:%M:%S"),
        ("Date & Time", ("25.05.2026 06:00:00,500",), "%d.%m.%Y %H:%M:%S,%f"),
        ("Time", ("20260504T060000Z",), "%Y%m%dT%H%M%S%z"),
        ("epoch", ("1777874400", "1777874410", "1777874420"), "unix_s"),
        ("Time", ("46146.25", "46146.26", "46146.27"), "serial_1900"),
    ],
)
def test_times_of_every_usual_form_are_proposed_with_their_format(
    header: str, texts: tuple[str, ...], form: str
) -> None:
    found = proposal(column(header, *texts))
    assert (found.field, found.time_formats) == ("observed_at", (form,))
    assert check_format(form) is None


def test_a_day_beyond_the_twelfth_decides_wherever_it_stands() -> None:
    texts = [f"{1 + at % 9:02}/03/2026" for at in range(3000)]
    assert " and " in proposal(column("Date", *texts)).question
    found = proposal(column("Date", *texts, "31/03/2026"))
    assert (found.field, found.time_formats) == ("observed_at", ("%d/%m/%Y",))
    assert "'31/03/2026'" in found.evidence


def test_two_columns_of_times_are_not_both_the_time_of_observation() -> None:
    found = proposals(grid("Date|Timestamp|Expiry date", "25.05.2026|2026-05-25 06:00|25.05.2027"))
    assert found["Timestamp"].field == "observed_at"
    assert "Timestamp may be observed_at already" in found["Date"].question
    assert "another time" in found["Expiry date"].question


def test_a_time_since_a_start_is_asked_for_its_start() -> None:
    found = proposal(column("Time (h)", "0.0", "0.5", "1.0"))
    assert found.question == "elapsed, in h from `elapsed.from`? or ignored with a reason"


def test_a_batch_number_like_a_date_stays_a_batch_number() -> None:
    assert proposal(column("Batch", "2026-05-01", "2026-05-02")).field == "batch"


# ---- decimal mark


def test_the_decimal_mark_is_the_one_that_the_numbers_show() -> None:
    assert propose(grid("a", "1.5"), DICTIONARY, UNITS).decimal_mark == "."
    assert propose(grid("a", "1,5"), DICTIONARY, UNITS).decimal_mark == ","
    assert propose(grid("a", "15"), DICTIONARY, UNITS).decimal_mark == ""


def test_numbers_that_show_both_marks_are_asked() -> None:
    assert propose(grid("a|b", "1.5|1,5"), DICTIONARY, UNITS).decimal_mark == ""


def test_equal_headers_are_counted() -> None:
    found = propose(grid("Mean|Mean", "1|2"), DICTIONARY, UNITS)
    assert [item.occurrence for item in found.columns] == [1, 2]


# ---- search


def test_a_search_finds_the_likest_terms_first() -> None:
    assert search_terms("viable cell density", DICTIONARY)[0].term == "cell.density.viable"
    assert search_terms("tablet hardness", DICTIONARY)[0].term == "tablet.hardness"
    assert len(search_terms("cell", DICTIONARY, limit=3)) <= 3
    assert search_terms("zzzzzz", DICTIONARY) == []


def test_numbers_that_a_workbook_holds_are_numbers_whatever_mark_its_texts_have() -> None:
    assay = column("Assay (%)", "99.1", "98,5")
    mixed = replace(assay, kinds=[CellKind.NUMBER, CellKind.TEXT])
    found = propose(table(mixed, column("Other", "1,25")), DICTIONARY, UNITS)
    assert found.decimal_mark == ","
    assert "not all numbers" not in found.columns[0].question
    # Control: as texts they are of two marks, and a date is no number.
    plain = propose(table(assay, column("Other", "1,25")), DICTIONARY, UNITS).columns[0]
    assert "not all numbers" in plain.question
    dated = replace(assay, kinds=[CellKind.DATE, CellKind.TEXT], texts=["2026-02-01", "98,5"])
    assert "not all numbers" in propose(table(dated), DICTIONARY, UNITS).columns[0].question
