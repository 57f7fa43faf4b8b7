from dataclasses import replace

import msgspec
import pytest

from fedbatch.rules.rights import (
    Measured,
    bind,
    bindings,
    find_right,
    status_reaches,
    visible_fields,
)
from fedbatch.standard.agreements import AgreedParameter, Right
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.values import ValueStatus
from tests.unit.rules.making import body, parameter

PH = AgreedParameter(code="PH", term="ph", role="PV", unit="[pH]", qualifier="mean")
MEASURED = Measured("ph", "reactor", "top", "mean", "PV")


@pytest.mark.parametrize(
    "agreed",
    [
        PH,
        msgspec.structs.replace(PH, equipment_class="reactor"),
        msgspec.structs.replace(PH, position="top"),
    ],
)
def test_an_agreed_parameter_binds_what_it_names(agreed: AgreedParameter) -> None:
    assert bind(body(parameter(code="X"), agreed), MEASURED) is agreed


@pytest.mark.parametrize(
    "measured",
    [
        replace(MEASURED, term="temperature"),
        replace(MEASURED, qualifier=None),
        replace(MEASURED, role="SP"),
        replace(MEASURED, equipment_class=None),
        replace(MEASURED, position="bottom"),
    ],
)
def test_anything_else_is_not_agreed(measured: Measured) -> None:
    agreed = msgspec.structs.replace(PH, equipment_class="reactor", position="top")
    assert bind(body(agreed), measured) is None


def test_the_mapping_rules_that_feed_a_code_are_listed() -> None:
    mapping = Mapping(
        version=1,
        source="s",
        shape="wide",
        decimal_mark=".",
        zone="UTC",
        rules=(
            MappingRule(header="a", term="ph", qualifier="mean", role="PV", unit="[pH]"),
            MappingRule(header="b", term="ph", role="PV", unit="[pH]"),
            MappingRule(header="c", field="batch"),
        ),
    )
    fed = bindings(body(PH, parameter(code="X")), [mapping])
    assert fed == {"PH": [(mapping, mapping.rules[0])], "X": []}


def opened(right: Right, **wanted: str) -> bool:
    terms = msgspec.structs.replace(body(), rights=(right,))
    return find_right(terms, "result", **{"code": "PH", "role": "PV", **wanted}) is right


def test_the_default_is_nothing() -> None:
    assert find_right(body(), "result") is None


def test_a_right_opens_what_it_names_and_no_more() -> None:
    assert opened(Right(record_type="result", codes=("PH",), roles=("PV",)))
    assert opened(Right(record_type="result"))
    assert not opened(Right(record_type="batch"))
    assert not opened(Right(record_type="result", codes=("TEMP",)))
    assert not opened(Right(record_type="result", roles=("SP",)))
    assert opened(Right(record_type="result", codes=("TEMP",)), code="")


def test_a_right_to_batches_needs_one_of_their_numbers() -> None:
    right = Right(record_type="batch", batches=("N-1", "N-2"))
    terms = msgspec.structs.replace(body(), rights=(right,))
    assert find_right(terms, "batch", batches=["b1", "N-2"]) is right
    assert find_right(terms, "batch", batches=["b1", "N-3"]) is None
    assert find_right(terms, "batch") is None


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-02-28T23:59:59.9Z", True),
        ("2026-03-01T00:00:00Z", False),
        ("2026-03-01T00:00:00.5Z", False),
        ("", True),
    ],
)
def test_a_right_ends_with_its_instant(now: str, is_open: bool) -> None:  # noqa: FBT001 - parametrised
    assert opened(Right(record_type="result", until="2026-03-01T00:00:00Z"), now=now) is is_open


def test_a_later_right_opens_what_an_earlier_one_does_not() -> None:
    rights = (Right(record_type="result", codes=("TEMP",)), Right(record_type="result"))
    terms = msgspec.structs.replace(body(), rights=rights)
    assert find_right(terms, "result", code="PH", role="PV") is rights[1]


@pytest.mark.parametrize(
    ("status", "least", "reaches"),
    [
        (None, "provisional", True),
        (None, "checked", False),
        ("checked", "provisional", True),
        ("checked", "checked", True),
        ("checked", "approved", False),
        ("approved", "approved", True),
    ],
)
def test_value_status_is_ordered(
    status: ValueStatus | None,
    least: ValueStatus,
    reaches: bool,  # noqa: FBT001 - parametrised
) -> None:
    assert status_reaches(status, least) is reaches


def test_fields_are_those_a_right_names() -> None:
    assert visible_fields(Right(record_type="batch", fields=("size",)), ["size", "site"]) == {
        "size"
    }
    assert visible_fields(Right(record_type="batch"), ["size", "site"]) == {"size", "site"}
