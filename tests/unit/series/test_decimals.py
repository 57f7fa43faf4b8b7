"""Texts to scaled integers and back: exact, verbatim kept, nothing repaired."""

import struct
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedbatch.series.decimals import decimal_text, double_text, numbers_as_written, read_decimals

FEW = settings(max_examples=150)

odd = st.sampled_from(
    ["", "+3", "007", "1e3", "1E2", "7.", ".5", "-0", "-0.00", "- 1", "--1", "1-", "1.2.3", ".", "-",
     " 7 ", "1,5", "nan", "inf", "<0.05", "1_0", "٣", "1e-3", "5e99", "1e999", "0.0000000000000000001",
     "99999999999999999999"]
)  # fmt: skip
plain = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-999, max_value=999)
shaped = st.text("0123456789.-+e", max_size=5)
texts = st.lists(odd | plain.map(str) | st.integers(-50, 50).map(str) | shaped, max_size=8)


def exact(text: str) -> Decimal | None:
    """The slow way: what a person would read."""
    allowed = set("0123456789.+-eE")
    stripped = text.strip()
    if not stripped or not set(stripped) <= allowed:
        return None
    try:
        return Decimal(stripped)
    except ArithmeticError:
        return None


@FEW
@given(texts)
@example(["1", "-0.0"])
@example(["1e2"])
def test_each_text_is_its_exact_number_or_reported_and_verbatim_where_it_differs(
    written: list[str],
) -> None:
    found = read_decimals(pa.array(written, pa.string()))
    column = found.column
    assert column.scale is not None
    for row, text in enumerate(written):
        is_there = column.present is None or bool(column.present[row])
        if not text:
            assert not is_there
            assert row not in found.unread
        elif not is_there:
            assert found.unread[row] == text
            assert row not in column.marks
        else:
            number = int(column.numbers[row])
            assert Decimal(number).scaleb(-column.scale) == exact(text)
            rendered = decimal_text(number, column.scale)
            assert column.marks[row].raw == text if rendered != text else row not in column.marks


def test_a_column_of_equal_decimals_keeps_no_text() -> None:
    found = read_decimals(pa.array(["12.40", "-0.07", "0.00", "100.00"]))
    assert (found.column.scale, found.column.numbers.tolist()) == (2, [1240, -7, 0, 10000])
    assert found.column.present is None
    assert not found.column.marks
    assert not found.unread


def test_blank_and_null_are_no_points() -> None:
    found = read_decimals(pa.array(["1", "", None], pa.string()))
    assert found.column.present is not None
    assert found.column.present.tolist() == [True, False, False]


def test_chunks_and_slices_are_read_as_one() -> None:
    chunked = pa.chunked_array([pa.array(["1.5", "2"]), pa.array(["3"])])
    assert read_decimals(chunked).column.numbers.tolist() == [15, 20, 30]
    assert read_decimals(pa.array(["x", "2.5", "3"]).slice(1)).column.numbers.tolist() == [25, 30]
    assert read_decimals(pa.array([], pa.string())).column.numbers.tolist() == []


def test_under_a_comma_a_point_is_no_decimal_mark() -> None:
    found = read_decimals(pa.array(["1,5", "1.5", "2"]), ",")
    assert found.column.numbers.tolist() == [15, 0, 20]
    assert found.unread == {1: "1.5"}
    assert {row: mark.raw for row, mark in found.column.marks.items()} == {2: "2"}


def test_one_long_number_does_not_cost_the_others_theirs() -> None:
    found = read_decimals(pa.array(["123.45", "0.1234567890123456789", "99.10"]))
    assert (found.column.scale, found.unread) == (2, {1: "0.1234567890123456789"})


def test_a_scale_may_be_asked_for() -> None:
    found = read_decimals(pa.array(["1.5"]), scale_min=3)
    assert (found.column.scale, found.column.numbers.tolist()) == (3, [1500])


def test_binary_columns_keep_the_text_where_it_is_not_the_shortest() -> None:
    found = read_decimals(pa.array(["0.1", "1e-7", "1e3", "x", "", "5.0"]), is_binary=True)
    assert found.column.scale is None
    assert found.column.numbers.tolist() == [0.1, 1e-7, 1000.0, 0, 0, 5.0]
    assert {row: mark.raw for row, mark in found.column.marks.items()} == {2: "1e3", 5: "5.0"}
    assert found.unread == {3: "x"}


# Vectors of RFC 8785, appendix B.
@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
    ],
)
def test_doubles_are_written_as_rfc_8785_does(bits: str, text: str) -> None:
    assert double_text(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


def test_numbers_are_written_as_points_hold_them() -> None:
    column = read_decimals(pa.array(["90071992547409.92", "-1.50"])).column
    assert numbers_as_written(column.numbers, column.scale) == ["90071992547409.92", -150]
