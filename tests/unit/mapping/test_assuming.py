"""What a table's texts show by themselves: marks, kinds, damage, times."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.mapping.assuming import ColumnTexts, Sort, TableTexts, is_either, read_texts
from fedbatch.mapping.instants import NO_TIME
from fedbatch.mapping.tables import CellKind, Column, Table


def texts_of(
    *columns: Sequence[str], kinds: Sequence[Sequence[CellKind] | None] = ()
) -> TableTexts:
    made = tuple(
        Column(
            index=at,
            header=f"h{at}",
            texts=texts,
            kinds=kinds[at] if kinds else None,
        )
        for at, texts in enumerate(columns)
    )
    rows = range(2, 2 + len(columns[0]))
    table = Table(
        sheet="", scheme="row_column", extractor="x", header_row=1, rows=rows, columns=made
    )
    return read_texts(table)


def sorts(found: TableTexts, column: int = 0) -> list[Sort]:
    return [Sort(item) for item in found.columns[column].row_sorts.tolist()]


def test_a_decimal_point_is_assumed_only_where_a_number_shows_it() -> None:
    assert texts_of(["1.25", "7", "0.125"]).mark == "."
    assert texts_of(["1,25", "7", "0,125"]).mark == ","
    assert texts_of(["1", "7", "12"]).mark == ""
    assert texts_of(["1.250", "7.125", "12.500"]).mark == ""
    assert texts_of(["1.25", "1.5"], ["1,25", "1,5"]).mark == ""


def test_what_was_assumed_is_said_with_the_cell_that_shows_it() -> None:
    (said,) = texts_of(["1", "7", "1.25"]).assumed
    assert said.assumed == "decimal point"
    assert "'1.25' at R4C1" in said.evidence


def test_numbers_of_three_decimals_alone_read_either_way() -> None:
    assert is_either("1.250")
    assert not is_either("0.250")
    assert not is_either("1.25")


@pytest.mark.parametrize(
    "damaged", ["1.412.698.315", "1,5", "1 412.5", "12.5.", "1O.5", "5. Mai", "12-Mar", "3/4/2020"]
)
def test_what_was_a_number_once_is_told_from_other_texts(damaged: str) -> None:
    found = texts_of(["1.5", "2.25", "3.75", "4.5", damaged, "n.d.", "lost"])
    assert found.columns[0].kind == "number"
    assert sorts(found)[4:] == [Sort.DAMAGED, Sort.ABSENT, Sort.TEXT]


@pytest.mark.parametrize("text", ["1.5", "-2", "<0.05", "3e-4", "12 mg", "+7", "1.5 %"])
def test_a_number_is_not_called_damaged(text: str) -> None:
    assert Sort.DAMAGED not in sorts(texts_of(["1.5", "2.25", "3.75", text]))


@given(st.lists(st.decimals(-999, 999, places=2), min_size=3, max_size=20))
@settings(max_examples=60)
def test_plain_numbers_are_read_as_they_are(numbers: list[object]) -> None:
    found = texts_of([str(number) for number in numbers])
    item = found.columns[0]
    assert item.kind == "number"
    assert item.numbers.tolist() == [float(str(number)) for number in numbers]


def test_a_column_all_damaged_is_one_of_numbers_when_the_file_shows_its_mark() -> None:
    found = texts_of(["1.926.183.442", "1.986.376.675", "2.016.473.291"], ["1.5", "2.25", "9.75"])
    assert sorts(found) == [Sort.DAMAGED] * 3


def test_section_numbers_and_words_are_no_damage() -> None:
    assert texts_of(["1.1.2", "1.10.3", "2.1.1", "2.2.4"]).columns[0].kind == "text"
    assert texts_of(["a", "b", "c", "1.5"]).columns[0].kind == "text"


def test_marks_between_thousands_are_taken_where_a_number_proves_them() -> None:
    found = texts_of(["1.234,5", "12.345,25", "7,5"])
    assert found.columns[0].numbers.tolist() == [1234.5, 12345.25, 7.5]
    assert any("thousands" in item.assumed for item in found.assumed)


def test_dates_that_read_both_ways_keep_both_formats() -> None:
    both = texts_of(["03/04/2024", "05/06/2024", "01/09/2024"]).columns[0]
    assert set(both.forms) == {"%d/%m/%Y", "%m/%d/%Y"}
    assert both.in_doubt is not None
    assert both.in_doubt.all()
    assert both.times is not None
    assert {*both.times.tolist()} == {NO_TIME}
    one = texts_of(["03/04/2024", "05/06/2024", "25/02/2024"]).columns[0]
    assert one.forms == ("%d/%m/%Y",)
    assert not one.untimed
    assert one.in_doubt is None


def test_steps_of_dates_that_read_both_ways_are_known_where_both_are_as_long() -> None:
    day = texts_of([f"04/05/2026 06:{minute:02}:00" for minute in range(9)]).columns[0]
    assert len(day.orders) == 2
    assert day.in_doubt is not None
    assert day.in_doubt.all()
    assert day.times is not None
    assert {*np.diff(day.times).tolist()} == {60_000_000}
    two = texts_of(["04/05/2026 06:00:00", "05/05/2026 06:00:00", "06/05/2026 06:00:00"])
    assert two.columns[0].times is not None
    assert two.columns[0].times.tolist().count(NO_TIME) == 2


def named(header: str, *texts: str) -> ColumnTexts:
    made = Column(index=0, header=header, texts=texts)
    rows = range(2, 2 + len(texts))
    table = Table(
        sheet="", scheme="row_column", extractor="x", header_row=1, rows=rows, columns=(made,)
    )
    return read_texts(table).columns[0]


@pytest.mark.parametrize(
    ("header", "texts", "form"),
    [
        ("timestamp", ("1772439330", "1772439340", "1772439350"), "unix_s"),
        ("Time (UTC)", ("1772439330250", "1772439330350", "1772439330450"), "unix_ms"),
        ("epoch_ns", ("1772439330250000000", "1772439330350000000", "1772439330450000000"), "unix_ns"),
        ("Time", ("46146.25", "46146.2502", "46146.2503"), "serial_1900"),
        ("Date", ("46146", "46147", "46148"), "serial_1900"),
        ("Date", ("20260504", "20260505", "20260506"), "%Y%m%d"),
        ("Timestamp", ("20260504060000", "20260504060010", "20260504060020"), "%Y%m%d%H%M%S"),
    ],
)  # fmt: skip
def test_numbers_under_the_name_of_a_time_are_times_where_they_may_be(
    header: str, texts: tuple[str, ...], form: str
) -> None:
    found = named(header, *texts)
    assert (found.kind, found.forms) == ("time", (form,))
    assert found.times is not None
    assert NO_TIME not in found.times
    # Under another name, or falling, they are numbers.
    assert named("Counter", *texts).kind == "number"
    if not form.startswith("%"):
        assert named(header, *reversed(texts)).kind == "number"


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ("Time", ("40000", "40001", "40002")),
        ("Time (s)", ("40000.5", "40001.5", "40002.5")),
        ("Time (min)", ("0", "1", "2")),
        ("Hold time", ("46146.25", "46146.26", "46146.27")),
        ("Date", ("20261304", "20261305", "20261306")),
    ],
)
def test_durations_and_numbers_of_no_year_stay_numbers(header: str, texts: tuple[str, ...]) -> None:
    assert named(header, *texts).kind == "number"


def test_a_sheets_date_among_its_numbers_is_damage() -> None:
    kinds = [CellKind.NUMBER, CellKind.NUMBER, CellKind.NUMBER, CellKind.DATE]
    found = texts_of(["1.5", "2", "3", "2024-05-01"], kinds=[kinds])
    assert sorts(found)[-1] == Sort.DAMAGED


def test_a_sheets_numbers_have_a_point_whatever_its_texts_show() -> None:
    kinds = [CellKind.NUMBER, CellKind.NUMBER, CellKind.TEXT, CellKind.TEXT]
    found = texts_of(["1.234", "2.5", "3,5", "4,25"], kinds=[kinds])
    assert found.columns[0].numbers.tolist() == [1.234, 2.5, 3.5, 4.25]
