"""Texts to numbers: what is exactly a number is read, and nothing is repaired."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.mapping.numbers import NumberReader, is_not_finite
from fedbatch.standard.values import is_decimal
from tests import strategies

POINT = NumberReader(decimal_mark=".")
COMMA = NumberReader(decimal_mark=",")
SWISS = NumberReader(decimal_mark=".", grouping_mark="'")
GERMAN = NumberReader(decimal_mark=",", grouping_mark=".")
SPACED = NumberReader(decimal_mark=",", grouping_mark=" ")


def number(reader: NumberReader, text: str) -> str | None:
    found = reader.read(text)
    return found.number if found is not None and not found.unit_text else None


@settings(max_examples=200)
@given(strategies.decimals(), st.sampled_from([".", ","]))
def test_a_decimal_under_its_mark_is_read_digit_for_digit(text: str, mark: str) -> None:
    reader = NumberReader(decimal_mark=mark)
    assert number(reader, text.replace(".", mark)) == text


@settings(max_examples=200)
@given(strategies.decimals(digits_max=20))
def test_the_other_mark_makes_a_text_damaged(text: str) -> None:
    if "." in text:
        assert COMMA.read(text) is None
        assert POINT.read(text.replace(".", ",")) is None


@settings(max_examples=300)
@given(st.text("0123456789.,' -+eE<>", max_size=14))
def test_what_is_read_is_always_a_decimal_of_the_standard(text: str) -> None:
    for reader in (POINT, COMMA, SWISS, GERMAN, SPACED):
        found = reader.read(text)
        assert found is None or is_decimal(found.number)


@settings(max_examples=200)
@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["'", ".", " "]))
def test_groups_of_three_are_read_under_a_declared_mark(whole: int, mark: str) -> None:
    reader = {"'": SWISS, ".": GERMAN, " ": SPACED}[mark]
    text = f"{whole:,}".replace(",", mark)
    assert number(reader, text) == str(whole)


@pytest.mark.parametrize(
    "text",
    ["1.412.698.315", "1,412", "1,412.5", "1'000", "1 000", "12.", ".", "-", "+", "--1", "1-", "1..2",
     "1.2.3", "0x10", "1e", "e5", "1e5e5", "½", "１２", "٣", "1_000", "1.412.698,315", "5-7", "3/4",
     "12:30", "1O0", "l2", "1.2e", "( 5)", "2026-03-02", "1.4mg", "<", "<>5", "< <5", "5<"],
    ids=ascii,
)  # fmt: skip
def test_damage_is_never_read(text: str) -> None:
    assert POINT.read(text) is None


@pytest.mark.parametrize(
    "text", ["1.41", "1.4126.983", "1.412.69", "14.126.98", "1.412,5.6", "1..412", ".412", "1.412."]
)
def test_a_grouping_mark_stands_between_groups_of_three_alone(text: str) -> None:
    assert GERMAN.read(text) is None


def test_a_grouping_mark_is_none_unless_it_is_declared() -> None:
    assert number(COMMA, "1.412") is None
    assert number(GERMAN, "1.412") == "1412"
    assert number(GERMAN, "1.412.698,315") == "1412698.315"


@pytest.mark.parametrize(
    ("text", "comparator"),
    [("<0.05", "<"), ("< 0.05", "<"), ("≤0.05", "<="), ("=<0.05", "<="), ("<=0.05", "<="),
     (">0.05", ">"), ("≥ 0.05", ">="), (">=0.05", ">="), ("~0.05", "~"), ("0.05", None)],
)  # fmt: skip
def test_a_comparator_is_kept_and_is_no_part_of_the_number(
    text: str, comparator: str | None
) -> None:
    found = POINT.read(text)
    assert found is not None
    assert (found.number, found.comparator) == ("0.05", comparator)


@pytest.mark.parametrize(
    ("text", "expected", "unit"),
    [
        ("12.4 mg/L", "12.4", "mg/L"),
        ("12.4%", "12.4", "%"),
        ("12.4 %", "12.4", "%"),
        ("37°C", "37", "°C"),
        ("5µg/mL", "5", "µg/mL"),
        ("<5 CFU/mL", "5", "CFU/mL"),
        ("5 x10^6 cells/mL", "5", "x10^6 cells/mL"),
    ],
)
def test_a_unit_in_the_cell_is_kept_apart(text: str, expected: str, unit: str) -> None:
    found = POINT.read(text)
    assert found is not None
    assert (found.number, found.unit_text) == (expected, unit)


@pytest.mark.parametrize(
    "text", ["12 345", "12 .5", "12 ,5", "12 '5", "5 7 mg", "12.4mg/L", "5e mg"]
)
def test_damage_does_not_hide_behind_a_unit(text: str) -> None:
    assert POINT.read(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1e3", "1000"), ("1E3", "1000"), ("1.5e-3", "0.0015"), ("1.50E+1", "15.0"), ("-2e0", "-2"),
     ("1e-7", "0.0000001"), ("0e5", "0")],
)  # fmt: skip
def test_an_exponent_is_written_out(text: str, expected: str) -> None:
    found = number(POINT, text)
    assert found is not None
    assert Decimal(found) == Decimal(expected)
    assert is_decimal(found)


@settings(max_examples=100)
@given(strategies.decimals(digits_max=36), st.integers(min_value=-40, max_value=40))
def test_an_exponent_loses_no_digit(text: str, exponent: int) -> None:
    found = number(POINT, f"{text}e{exponent}")
    if found is not None:
        sign, digits, power = Decimal(text).as_tuple()
        assert isinstance(power, int)
        assert Decimal(found) == Decimal((sign, digits, power + exponent))


@pytest.mark.parametrize("text", ["1e41", "1e-41", "1e999", "1e-999", "1e9999"])
def test_an_exponent_beyond_any_measurement_is_refused(text: str) -> None:
    assert POINT.read(text) is None


@pytest.mark.parametrize(("text", "expected"), [("−5", "-5"), ("-5", "-5"), ("+5", "5"), (".5", "0.5"),
                                                ("007", "7"), ("-0.0", "-0.0"), (" 5 ", "5")])  # fmt: skip
def test_signs_and_zeros(text: str, expected: str) -> None:
    assert number(POINT, text) == expected


@pytest.mark.parametrize("dash", ["–", "—", "‐", "‑"], ids=ascii)
def test_other_dashes_are_no_minus(dash: str) -> None:
    assert POINT.read(f"{dash}5") is None


def test_38_digits_are_read_and_39_are_not() -> None:
    assert number(POINT, "1" * 38) == "1" * 38
    assert POINT.read("1" * 39) is None
    assert number(POINT, "0" * 10 + "1" * 38) == "1" * 38
    assert POINT.read("1" * 5000) is None
    assert POINT.read("1" * 5000 + "e1") is None


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "-NaN", "Inf", "-inf", "+Infinity", "∞", "NaN(0x8)", " nan "]
)
def test_what_is_not_finite_is_known_as_such(text: str) -> None:
    assert is_not_finite(text)
    assert POINT.read(text) is None


@pytest.mark.parametrize("text", ["n/a", "info", "0", "nano", "infinite"])
def test_other_words_are_not(text: str) -> None:
    assert not is_not_finite(text)
