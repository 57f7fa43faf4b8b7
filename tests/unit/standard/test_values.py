"""Values: decimals exactly as the standard writes them, and shapes that fit their kind."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from fedbatch.errors import InputError
from fedbatch.standard import values
from fedbatch.standard.values import Reference, Value, decimal_of, in_time, is_decimal, named_key
from tests import strategies


@settings(max_examples=200)
@given(strategies.decimals())
def test_a_decimal_keeps_its_number_and_its_zeros(text: str) -> None:
    assert is_decimal(text)
    assert decimal_of(text) == Decimal(text)
    assert format(decimal_of(text), "f") == text


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "-0.00", "12.40", "-12.40", "1" * 38])
def test_these_are_decimals(text: str) -> None:
    assert is_decimal(text)


@pytest.mark.parametrize("text", ["-" + "1" * 19 + "." + "2" * 19, "0." + "1" * 37])
def test_38_digits_are_as_many_as_there_may_be(text: str) -> None:
    assert is_decimal(text)
    assert not is_decimal(text + "3")


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", "1.", ".5", "+1", "01", "00", "-01", "1e3", "1E3", "1,5", "1 000", "1_000", " 1",
     "1 ", "1\n", "NaN", "Infinity", "-inf", "−1", "١", "1٫5", "0x1", "½", "1" * 39],
    ids=ascii,
)  # fmt: skip
def test_these_are_none(text: str) -> None:
    assert not is_decimal(text)
    with pytest.raises(InputError) as caught:
        values.check_decimal(text, "number")
    assert caught.value.code == "decimal"


@settings(max_examples=50)
@given(strategies.a_value())
def test_a_well_shaped_value_is_one(value: Value) -> None:
    assert (value.number is not None) == (value.kind == "number")
    assert (value.absent is not None) == (value.kind == "absent")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "number"},
        {"kind": "text", "number": "1"},
        {"kind": "absent"},
        {"kind": "absent", "absent": "blank", "number": "0"},
        {"kind": "number", "number": "1", "absent": "blank"},
        {"kind": "number", "number": "1,5"},
        {"kind": "number", "number": "1e3"},
    ],
    ids=str,
)
def test_a_value_whose_fields_contradict_its_kind_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Value(raw="x", **fields)


def test_a_named_record_is_one_text_for_people() -> None:
    assert named_key("b-21") == "b-21"
    assert named_key(Reference(key=("b-21", "compression", "1"))) == "b-21/compression/1"


def test_instants_sort_in_time_once_their_z_is_gone() -> None:
    earlier, later = "2026-03-02T08:00:00Z", "2026-03-02T08:00:00.5Z"
    assert in_time(earlier) < in_time(later)
    assert earlier > later  # as texts they would not
