"""Grouping marks in columns: read as in other tables, and kept in every text that is kept."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedbatch.mapping.columns_of_numbers import read_column
from fedbatch.mapping.numbers import NumberReader
from fedbatch.series.blocks import Mark
from fedbatch.series.decimals import decimal_text

MARKS = [(".", ","), (".", "'"), (".", " "), (",", "."), (",", " "), (",", "'")]


def numbers(texts: list[str], decimal_mark: str, grouping_mark: str) -> list[Decimal | None]:
    found = read_column(pa.array(texts), decimal_mark, grouping_mark).column
    assert found.scale is not None
    present = found.present if found.present is not None else [True] * len(texts)
    return [
        Decimal(decimal_text(int(number), found.scale)) if there else None
        for number, there in zip(found.numbers, present, strict=True)
    ]


@pytest.mark.parametrize(("decimal_mark", "grouping_mark"), MARKS)
def test_groups_of_three_are_read(decimal_mark: str, grouping_mark: str) -> None:
    texts = ["1,234.5", "12,345,678.25", "999.0", "-1,000", "1234.5"]
    swapped = [text.translate(str.maketrans(",.", grouping_mark + decimal_mark)) for text in texts]
    wanted = [Decimal(text.replace(",", "")) for text in texts]
    assert numbers(swapped, decimal_mark, grouping_mark) == wanted
    # The control: without the mark in the mapping they are no numbers.
    assert numbers(swapped, decimal_mark, "")[:2] == [None, None]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(MARKS),
    st.lists(st.text("12345.,' -", min_size=1, max_size=9), min_size=1, max_size=5),
)
@example((".", ","), ["1,23", "1,2345", ",123", "1,,234", "12,34,567", "1.234,5", "1234,567"])
@example((",", "."), ["1.234,5", "1.234.5"])
@example((".", "'"), ["1'234.5", "1,234.5", "1’234.5"])
def test_what_is_read_is_what_other_tables_read(marks: tuple[str, str], texts: list[str]) -> None:
    """Up to units in cells, which points have not, and numbers that end with their mark."""
    reader = NumberReader(decimal_mark=marks[0], grouping_mark=marks[1])
    for text, number in zip(texts, numbers(texts, *marks), strict=True):
        alone = reader.read(text)
        if alone is not None and not alone.unit_text:
            assert number == Decimal(alone.number), text
        elif number is not None:
            assert marks[1] not in text.strip()
            assert text.strip().endswith(marks[0])


def test_texts_are_kept_as_the_source_wrote_them() -> None:
    texts = ["1,234.5", "+2,000.5", " 3,000.0 ", "1,2", "12,345,678,901,234,567,890.5"]
    found = read_column(pa.array(texts), ".", ",")
    assert found.column.marks == {1: Mark(raw="+2,000.5")}
    assert found.unread == {3: "1,2", 4: "12,345,678,901,234,567,890.5"}


def test_a_column_without_the_mark_is_read_as_without_it() -> None:
    texts = pa.array(["1.50", "I/O Timeout", "", "-0.0"])
    one, other = read_column(texts, ".", ","), read_column(texts, ".")
    assert one.unread == other.unread == {1: "I/O Timeout"}
    assert one.column.marks == other.column.marks
    assert one.column.numbers.tolist() == other.column.numbers.tolist()


def test_numbers_that_a_source_holds_have_a_point_whatever_the_mark_is() -> None:
    texts = ["1.5", "1,5", "2.25", "1e-05", "1.234"]
    stored = np.array([True, False, True, True, False])
    found = read_column(pa.array(texts), ",", ".", stored=stored).column
    assert found.scale is not None
    told = [Decimal(decimal_text(int(number), found.scale)) for number in found.numbers]
    assert told == [Decimal(text) for text in ("1.5", "1.5", "2.25", "0.00001", "1234")]
    assert {row: mark.raw for row, mark in found.marks.items()} == {3: "1e-05"}
    # Control: read as texts they are no numbers, or others.
    assert read_column(pa.array(texts), ",").unread.keys() == {0, 2, 4}
