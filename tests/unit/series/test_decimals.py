"""Texts to scaled integers and back: exact, verbatim kept, nothing repaired."""

import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedbatch.series.blocks import Column
from fedbatch.series.decimals import (
    column_of_doubles,
    column_of_integers,
    decimal_text,
    double_text,
    numbers_as_written,
    read_decimals,
)

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
@example(["1.", ".5", "00.5", "7", "7.0", "0", "-0.5", "0.250"])
def test_each_text_is_its_exact_number_or_reported_and_verbatim_where_it_differs(
    written: list[str],
) -> None:
    found = read_decimals(pa.array(written, pa.string()), is_binary=False)
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
            # Noughts behind the number are no news; whatever else is written otherwise is kept.
            head, point, decimals = decimal_text(number, column.scale).partition(".")
            is_number = text in {head + point + decimals} | {
                f"{head}{point if kept else ''}{decimals[:kept]}"
                for kept in range(len(decimals.rstrip("0")), len(decimals) + 1)
            }
            assert (row not in column.marks) == is_number
            assert is_number or column.marks[row].raw == text


small = st.sampled_from(["2.5e-14", "1.2345e-17", "250000.5", "9007199254740993", "0.1", "1e-10"])


@FEW
@given(st.lists(odd | small | plain.map(str), max_size=6))
@example(["2.5e-14", "250000.5"])
@example(["0", "0", "1.2e-17", "0.25"])
@example(["1e-10", "9007199254740993"])
@example(["100000000000000001", "0.1"])
def test_no_number_that_a_binary64_holds_is_left_unread(written: list[str]) -> None:
    found = read_decimals(pa.array(written, pa.string()))
    column = found.column
    for text in found.unread.values():
        number = exact(text)
        is_told = number is not None and number.adjusted() < 100 and number != 0
        assert not is_told or Decimal(double_text(float(text))) != number
    if column.scale is not None:
        return
    for row, text in enumerate(written):
        if column.present is None or column.present[row]:
            said = column.marks[row].raw if row in column.marks else text
            assert (said, column.numbers[row]) == (text, float(text))
            if Decimal(double_text(float(column.numbers[row]))) != exact(text):
                assert row in column.marks


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
    found = read_decimals(pa.array(["1,5", "1.5", "+2"]), ",")
    assert found.column.numbers.tolist() == [15, 0, 20]
    assert found.unread == {1: "1.5"}
    assert {row: mark.raw for row, mark in found.column.marks.items()} == {2: "+2"}


def test_one_long_number_does_not_cost_the_others_theirs() -> None:
    found = read_decimals(pa.array(["123.45", "0.1234567890123456789", "99.10"]))
    assert (found.column.scale, found.unread) == (2, {1: "0.1234567890123456789"})


def test_a_scale_may_be_asked_for() -> None:
    found = read_decimals(pa.array(["1.5"]), scale_min=3)
    assert (found.column.scale, found.column.numbers.tolist()) == (3, [1500])


def test_binary_columns_keep_the_text_where_it_is_not_the_shortest() -> None:
    found = read_decimals(
        pa.array(["0.1", "1e-7", "1e3", "x", "", "5.0", "5.", "050"]), is_binary=True
    )
    assert found.column.scale is None
    assert found.column.numbers.tolist() == [0.1, 1e-7, 1000.0, 0, 0, 5.0, 5.0, 50.0]
    assert {row: mark.raw for row, mark in found.column.marks.items()} == {
        2: "1e3", 6: "5.", 7: "050",
    }  # fmt: skip
    assert found.unread == {3: "x"}


def test_numbers_written_out_in_full_are_binary_and_none_of_them_is_lost() -> None:
    numbers = [1149.9390870455668, 0.8387179933254993, 0.1 + 0.2, 7.5, -3.0]
    found = read_decimals(pa.array([repr(number) for number in numbers]))
    assert found.column.scale is None
    assert found.column.numbers.tolist() == numbers
    assert not found.unread
    assert not found.column.marks
    # At one scale they have no room, which is why it matters.
    assert read_decimals(pa.array([repr(number) for number in numbers]), is_binary=False).unread


@pytest.mark.parametrize(
    "texts",
    [
        ["90071992547409.92", "-1.50"],  # a large amount in cents
        ["0.10000000000000001"],  # 17 digits, and a shorter text reads back to the same number
        ["12345678901234567"],
        ["0.37345584192064784"[:-2] + "000"],
        ["37.345584192064784", "0.1234567890123456789"],  # more digits than a binary number has
        ["123.45", "1234567890123456789.5"],
        ["1234567.25", "0.5"],
    ],
)
def test_long_decimals_that_are_no_binary_number_in_full_stay_exact(texts: list[str]) -> None:
    assert read_decimals(pa.array(texts)).column.scale is not None


def test_a_long_text_does_not_cost_binary_numbers_theirs() -> None:
    numbers = ["1149.9390870455668", "0.8387179933254993", "1234567890123456789.5"]
    found = read_decimals(pa.array(numbers))
    assert found.column.scale is None
    assert found.column.numbers.tolist()[:2] == [1149.9390870455668, 0.8387179933254993]
    assert {row: mark.raw for row, mark in found.column.marks.items()} == {2: numbers[2]}


usual = st.floats(1e-4, 9e9) | st.decimals(-9999, 9999, places=4).map(float) | st.just(0.0)


@FEW
@given(st.lists(st.none() | usual, max_size=6), st.none() | st.integers(0, 9))
@example([5e-05], None)
def test_binary_numbers_are_the_column_that_their_texts_are(
    numbers: list[float | None], decimals: int | None
) -> None:
    if decimals is not None:
        numbers = [None if number is None else round(number, decimals) for number in numbers]
    present = np.array([number is not None for number in numbers], dtype=np.bool_)
    filled = np.array([number or 0.0 for number in numbers], dtype=np.float64)
    found = column_of_doubles(filled, None if present.all() else present)
    if found is None:
        assert decimals is None or decimals > 4
        return
    texts = pa.array(["" if number is None else double_text(number) for number in numbers])
    read = read_decimals(texts)
    assert not read.unread
    assert found.scale == read.column.scale
    assert found.numbers.tolist() == read.column.numbers.tolist()
    assert (found.present is None) == (read.column.present is None)
    assert not found.marks


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.0, 1e-5, 1e10, 0.12345678901])
def test_binary_numbers_that_only_texts_can_tell_are_left_to_them(number: float) -> None:
    assert column_of_doubles(np.array([1.5, number])) is None


def test_a_binary_number_in_full_makes_its_column_binary() -> None:
    numbers = [1149.9390870455668, 0.1 + 0.2, 7.5]
    assert column_of_doubles(np.array(numbers)) is not None
    found = column_of_doubles(np.array(numbers)) or Column(0, np.array([0]))
    assert (found.scale, found.numbers.tolist()) == (None, numbers)


def test_whole_numbers_of_eighteen_digits_are_taken_and_no_more() -> None:
    found = column_of_integers(np.array([1 - 10**18, 7]), np.array([True, False]))
    assert found is not None
    assert (found.scale, found.numbers.tolist()) == (0, [1 - 10**18, 0])
    assert column_of_integers(np.array([10**18])) is None


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
