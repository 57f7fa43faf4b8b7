from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.rules.verdicts import contains, judge, shown, shown_bounds
from fedbatch.standard.agreements import Rounding
from fedbatch.standard.values import Comparator, Value
from tests.unit.rules.making import absent, at, number, words

ONE = Rounding(kind="half_up", decimals=1)
WHOLE = Rounding(kind="half_up", decimals=0)

# Every number a value may allow in the oracle: finer by ten than what bounds and values are made of,
# and reaching beyond them on both sides.
FINE = [Decimal(count) / 100 for count in range(-120, 121)]
COARSE = [f"{Decimal(count) / 10:.1f}" for count in range(-6, 7)]


def allows(value: Value, candidate: Decimal) -> bool:
    stated = Decimal(value.number or "0")
    return {
        None: candidate == stated,
        "<": candidate < stated,
        "<=": candidate <= stated,
        ">=": candidate >= stated,
        ">": candidate > stated,
        "~": True,
    }[value.comparator]


def passes(
    candidate: Decimal, low: str | None, high: str | None, *, inclusive: bool, decimals: int | None
) -> bool:
    if decimals is not None:
        candidate = candidate.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    above = low is None or candidate > Decimal(low) or (inclusive and candidate == Decimal(low))
    below = high is None or candidate < Decimal(high) or (inclusive and candidate == Decimal(high))
    return above and below


bounds = st.none() | st.sampled_from(COARSE)


@settings(max_examples=600)
@given(
    st.sampled_from(COARSE),
    st.sampled_from([None, "<", "<=", ">=", ">", "~"]),
    bounds,
    bounds,
    st.booleans(),
    st.sampled_from([None, 0, 1]),
)
def test_verdict_is_that_of_every_number_a_value_allows(
    text: str,
    comparator: Comparator | None,
    low: str | None,
    high: str | None,
    inclusive: bool,  # noqa: FBT001 - hypothesis passes by place
    decimals: int | None,
) -> None:
    value = number(text, comparator)
    seen = {
        passes(candidate, low, high, inclusive=inclusive, decimals=decimals)
        for candidate in FINE
        if allows(value, candidate)
    }
    expected = {
        frozenset({True}): "pass",
        frozenset({False}): "fail",
        frozenset({True, False}): "none",
    }[frozenset(seen)]
    rounding = Rounding() if decimals is None else Rounding(kind="half_up", decimals=decimals)
    assert judge(value, low, high, inclusive=inclusive, rounding=rounding) == expected


@settings(max_examples=200)
@given(
    st.sampled_from(COARSE), st.sampled_from(COARSE), bounds, bounds, st.sampled_from([None, 0, 1])
)
def test_verdict_between_least_and_greatest_is_that_of_every_number_there(
    one: str, other: str, low: str | None, high: str | None, decimals: int | None
) -> None:
    least, greatest = sorted((one, other), key=Decimal)
    seen = {
        passes(candidate, low, high, inclusive=True, decimals=decimals)
        for candidate in FINE
        if Decimal(least) <= candidate <= Decimal(greatest)
    }
    expected = "none" if len(seen) == 2 else "pass" if True in seen else "fail"
    rounding = Rounding() if decimals is None else Rounding(kind="half_up", decimals=decimals)
    verdict = judge(number("0.0"), low, high, rounding=rounding, least=least, greatest=greatest)
    assert verdict == expected


@pytest.mark.parametrize(
    ("text", "comparator", "low", "high", "verdict"),
    [
        ("0.05", "<", None, "0.1", "pass"),
        ("0.05", "<", "0.01", None, "none"),
        ("0.05", "<", "0.05", None, "fail"),
        ("0.05", "<=", "0.05", None, "none"),
        ("0.05", "<", None, "0.05", "pass"),
        ("5", ">", None, "5", "fail"),
        ("5", ">=", None, "5", "none"),
        ("5", "~", "1", "9", "none"),
        ("5", "~", None, None, "pass"),
        ("1.50", None, "1.5", "1.5", "pass"),
        ("7.21", None, "6.8", "7.2", "fail"),
    ],
)
def test_comparators_decide_as_the_standard_says(
    text: str, comparator: Comparator | None, low: str, high: str, verdict: str
) -> None:
    assert judge(number(text, comparator), low, high) == verdict


@pytest.mark.parametrize(
    ("text", "rounding", "verdict"),
    [
        ("7.24", ONE, "pass"),
        ("7.25", ONE, "fail"),
        ("7.25", Rounding(kind="half_up"), "fail"),
        ("7.24", Rounding(), "fail"),
        ("7.24", Rounding(kind="as_recorded", decimals=1), "fail"),
    ],
)
def test_numbers_are_rounded_half_up_only_where_agreed(
    text: str, rounding: Rounding, verdict: str
) -> None:
    assert judge(number(text), "6.8", "7.2", rounding=rounding) == verdict


def test_what_is_below_a_half_rounds_down_though_the_half_itself_rounds_up() -> None:
    assert judge(number("0.05", "<"), None, "0.0", rounding=ONE) == "pass"
    assert judge(number("0.05", "<="), None, "0.0", rounding=ONE) == "none"
    assert judge(number("-0.05", ">"), "0.0", None, rounding=ONE) == "pass"
    assert judge(number("-0.05", ">="), "0.0", None, rounding=ONE) == "none"


def test_an_open_end_rounds_as_the_numbers_beside_it_on_both_sides_of_zero() -> None:
    assert judge(number("0.05", ">"), "0.1", None, rounding=ONE) == "pass"
    assert judge(number("-0.05", "<"), None, "-0.1", rounding=ONE) == "pass"
    assert judge(number("0.25", ">"), "0.3", None, rounding=ONE) == "pass"
    assert judge(number("-0.25", "<"), None, "-0.3", rounding=ONE) == "pass"


def test_bounds_that_do_not_include_themselves_begin_beside_themselves() -> None:
    assert judge(number("1"), "1", None, inclusive=False) == "fail"
    assert judge(number("1"), None, "1", inclusive=False) == "fail"
    assert judge(number("1.1"), "1", "1.2", inclusive=False, rounding=ONE) == "pass"
    assert judge(number("1.2"), "1", "1.2", inclusive=False, rounding=ONE) == "fail"
    assert judge(number("1.0"), "1", "1.2", inclusive=False, rounding=ONE) == "fail"


def test_no_rounded_number_between_bounds_fails_all() -> None:
    assert judge(number("0.15"), "0.12", "0.18", rounding=ONE) == "fail"
    assert judge(number("9", "<"), "0.12", "0.18", rounding=ONE) == "fail"
    assert judge(number("0.15"), "0.12", "0.18") == "pass"


def test_numbers_of_38_digits_are_rounded_exactly() -> None:
    long = "12345678901234567890123456789012345678"
    assert judge(number(long), long, long, rounding=ONE) == "pass"
    assert judge(number(long), None, f"{long[:-1]}7", rounding=ONE) == "fail"
    assert judge(number(long), long, None, inclusive=False, rounding=ONE) == "fail"


def test_least_or_greatest_alone_leaves_the_other_side_open() -> None:
    assert judge(number("57"), "60", None, greatest="59") == "fail"
    assert judge(number("57"), "60", None, least="50") == "none"
    assert judge(number("65"), "60", None, least="61") == "pass"


@pytest.mark.parametrize("value", [absent(), words("clear"), absent("not_detected")])
def test_what_states_no_number_decides_nothing(value: Value) -> None:
    assert judge(value, None, "1") == "none"
    assert judge(value, None, None) == "none"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (number("0.05", "<"), "<0.05"),
        (number("1.50"), "1.50"),
        (absent("not_tested"), "absent (not_tested)"),
        (words("clear"), "clear"),
        (Value(kind="code", code="in_range", raw="x"), "in_range"),
        (Value(kind="time", time=at("2026-01-01T00:00:00Z")), "2026-01-01T00:00:00Z"),
        (Value(kind="text"), ""),
    ],
)
def test_findings_show_what_a_value_states(value: Value, text: str) -> None:
    assert shown(value) == text


def test_findings_show_between_what_a_derived_number_lies() -> None:
    assert shown(number("57"), "55", "59") == "57 (55 to 59)"
    assert shown(number("57"), "55") == "57 (at least 55)"


@pytest.mark.parametrize(
    ("low", "high", "kind", "text"),
    [
        ("1", "2", "closed", "1 to 2"),
        ("1", "2", "open", "above 1 and below 2"),
        ("1", None, "closed", "at least 1"),
        ("1", None, "open", "above 1"),
        (None, "2", "closed", "at most 2"),
        (None, "2", "open", "below 2"),
        (None, None, "closed", "any number"),
    ],
)
def test_bounds_are_shown_in_words(
    low: str | None, high: str | None, kind: Literal["closed", "open"], text: str
) -> None:
    assert shown_bounds(low, high, inclusive=kind == "closed") == text


def test_bounds_contain_what_lies_within_them() -> None:
    assert contains(("1", "2", True), ("1", "2.0", True))
    assert contains(("1", "2", True), ("1", "2", False))
    assert contains(("1", "2", False), ("1", "2", False))
    assert not contains(("1", "2", False), ("1", "2", True))
    assert not contains(("1", "2", True), ("1", None, True))
    assert not contains(("1", "2", True), (None, "2", True))
    assert contains((None, None, True), (None, None, True))


@pytest.mark.parametrize(
    ("text", "comparator", "low", "high", "decimals", "verdict"),
    [
        # Below a half, to a whole: all become 0 or less; the half itself would become 1.
        ("0.5", "<", None, "0", 0, "pass"),
        ("0.5", "<=", None, "0", 0, "none"),
        ("0.5", "<=", None, "1", 0, "pass"),
        ("-0.5", "<", None, "-1", 0, "pass"),  # -0.51 becomes -1, and -0.5 too, away from zero
        ("0", "<", None, "0", 0, "pass"),
        ("1.5", "<", None, "1", 0, "pass"),
        ("0.8", "<", None, "0", 0, "none"),
        ("0.5", "<", "1", None, 0, "fail"),
        ("0.5", "<=", "1", None, 0, "none"),
        # The mirror image.
        ("-0.5", ">", "0", None, 0, "pass"),
        ("-0.5", ">=", "0", None, 0, "none"),
        ("-0.5", ">=", "-1", None, 0, "pass"),
        ("0.5", ">", "1", None, 0, "pass"),
        ("0", ">", "0", None, 0, "pass"),
        ("-1.5", ">", "-1", None, 0, "pass"),
        ("-0.5", ">", None, "-1", 0, "fail"),
        ("-0.5", ">=", None, "-1", 0, "none"),
        # One to one decimal.
        ("0.05", "<", None, "0.0", 1, "pass"),
        ("0.05", "<=", None, "0.0", 1, "none"),
        ("0.25", None, "0.3", "0.3", 1, "pass"),
        ("-0.25", None, "-0.3", "-0.3", 1, "pass"),
    ],
)
def test_rounding_of_what_lies_beside_a_half(
    text: str,
    comparator: Comparator | None,
    low: str | None,
    high: str | None,
    decimals: int,
    verdict: str,
) -> None:
    rounding = Rounding(kind="half_up", decimals=decimals)
    assert judge(number(text, comparator), low, high, rounding=rounding) == verdict


@pytest.mark.parametrize(
    ("comparator", "low", "high", "inclusive", "verdict"),
    [
        ("<", None, "5", False, "pass"),
        ("<=", None, "5", False, "none"),
        ("<=", None, "5", True, "pass"),
        ("<", "5", None, True, "fail"),
        ("<=", "5", None, True, "none"),
        ("<=", "5", None, False, "fail"),
        (">", "5", None, False, "pass"),
        (">=", "5", None, False, "none"),
        (">=", "5", None, True, "pass"),
        (">", None, "5", True, "fail"),
        (">=", None, "5", True, "none"),
        (">=", None, "5", False, "fail"),
        ("~", None, None, True, "pass"),
        ("~", "5", None, True, "none"),
    ],
)
def test_comparators_at_the_bound_itself(
    comparator: Comparator,
    low: str | None,
    high: str | None,
    inclusive: bool,  # noqa: FBT001 - a table of cases
    verdict: str,
) -> None:
    assert judge(number("5", comparator), low, high, inclusive=inclusive) == verdict


def test_one_known_end_leaves_the_other_open() -> None:
    assert judge(number("7"), None, "9", greatest="9") == "pass"
    assert judge(number("7"), "5", None, greatest="9") == "none"
    assert judge(number("7"), "5", None, least="5") == "pass"
    assert judge(number("7"), None, "9", least="5") == "none"


def test_exclusive_bound_between_two_steps_keeps_the_next_step() -> None:
    rounding = Rounding(kind="half_up", decimals=0)
    for text, low, high, verdict in (
        ("1", "0.5", None, "pass"),  # 0.5 is no whole number: 1 is the first above it
        ("1", "1", None, "fail"),
        ("2", "1", None, "pass"),
        ("1", None, "1.5", "pass"),
        ("1", None, "1", "fail"),
        ("0", None, "1", "pass"),
    ):
        value = number(text)
        assert judge(value, low, high, inclusive=False, rounding=rounding) == verdict, text


def test_numbers_of_38_digits_round_exactly() -> None:
    long = "1234567890123456789012345678901234567.5"
    above = "1234567890123456789012345678901234568"
    assert judge(number(long), above, above, rounding=WHOLE) == "pass"
