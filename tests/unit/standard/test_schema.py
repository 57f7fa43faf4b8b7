"""The schemas say what software writes, and refuse what the standard forbids."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no stubs

from fedbatch.standard import canonical
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.envelope import write_withdrawal
from fedbatch.standard.registry import RECORD_TYPES, schema_urn
from fedbatch.standard.schema import (
    all_schemas,
    body_schema,
    envelope_schema,
    record_schema,
    render_schema,
)
from fedbatch.standard.values import Correction
from tests import strategies
from tests.unit.standard.making import entry, example

VALIDATORS = {
    name: Draft202012Validator(record_schema(item)) for name, item in RECORD_TYPES.items()
}
ENVELOPE = Draft202012Validator(envelope_schema())
BODY = Draft202012Validator(body_schema())
CORRECTION = Correction(kind="correct", reason_code="typing", reason="a digit", by="u-1")


def plain(value: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(canonical.encode(value))
    return found


def fails(name: str, change: dict[str, Any], *without: str) -> bool:
    """Whether the example of a type is refused once changed."""
    data = plain(example(name)) | change
    for field in without:
        data.pop(field, None)
    return not VALIDATORS[name].is_valid(data)


@pytest.mark.parametrize("schema", all_schemas().values(), ids=all_schemas())
def test_every_schema_is_a_schema_of_2020_12(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["description"]


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_the_schema_has_the_name_that_entries_give(name: str) -> None:
    item = RECORD_TYPES[name]
    schema = record_schema(item)
    assert schema["$id"] == schema_urn(item)
    assert (schema.get("x-status") == "draft") == item.is_draft


@pytest.mark.parametrize("name", RECORD_TYPES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(found=st.data())
def test_every_record_that_software_writes_is_valid(name: str, found: st.DataObject) -> None:
    record = found.draw(strategies.records(name))
    VALIDATORS[name].validate(plain(record))


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_every_entry_and_its_withdrawal_are_valid(name: str) -> None:
    content = entry(example(name))
    data = json.loads(content)
    ENVELOPE.validate(data)
    VALIDATORS[name].validate(data["data"])
    taken = write_withdrawal(
        content,
        version=2,
        correction=msgspec.structs.replace(CORRECTION, kind="withdraw"),
        id="e-2",
        time="2026-03-02T08:00:00.001Z",
        agreement="ag-1@1",
        salt="0" * 32,
    )
    ENVELOPE.validate(json.loads(taken))
    VALIDATORS[name].validate(json.loads(taken)["data"])


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_a_record_without_a_required_field_is_no_record(name: str) -> None:
    required = [
        field.encode_name
        for field in msgspec.structs.fields(RECORD_TYPES[name].struct)
        if field.required
    ]
    assert required
    for field in required:
        assert fails(name, {}, field), field


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_null_and_floats_are_refused_in_every_known_field(name: str) -> None:
    for field in msgspec.structs.fields(RECORD_TYPES[name].struct):
        assert fails(name, {field.encode_name: None}), field.name
        assert fails(name, {field.encode_name: 0.5}), field.name


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_integers_of_2_to_the_53_are_refused(name: str) -> None:
    assert fails(name, {"version": 2**53})
    assert fails(name, {"version": 0})


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_fields_of_a_later_minor_version_are_allowed_but_keys_are_ascii(name: str) -> None:
    assert not fails(name, {"of_a_later_version": {"x": 1}})
    assert fails(name, {"größe": "1"})


@pytest.mark.parametrize("name", [name for name in RECORD_TYPES if name != "sealed"])
def test_a_later_version_says_what_it_replaces_and_why(name: str) -> None:
    said = {"supersedes": "e-1", "correction": plain(CORRECTION)}
    assert fails(name, {"version": 2})
    assert not fails(name, {"version": 2, **said})


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "number"},
        {"kind": "number", "number": "1,5"},
        {"kind": "number", "number": "01"},
        {"kind": "number", "number": "1e3"},
        {"kind": "number", "number": "+1"},
        {"kind": "number", "number": "1" * 41},
        {"kind": "text", "number": "1"},
        {"kind": "absent"},
        {"kind": "text", "absent": "blank"},
        {"kind": "absent", "absent": "lost"},
        {"kind": "guess"},
        {"kind": "number", "number": "1", "comparator": "≈"},
        {"kind": "number", "number": 1},
    ],
    ids=str,
)
def test_a_misshapen_value_is_refused(value: dict[str, Any]) -> None:
    assert fails("result", {"value": value})


@pytest.mark.parametrize(
    "instant", ["2026-03-02", "2026-03-02T08:00:00", "2026-03-02T08:00:00.1234567Z", "soon"]
)
def test_a_time_that_is_no_utc_instant_is_refused(instant: str) -> None:
    time = plain(example("batch"))["start"] | {"instant": instant}
    assert fails("batch", {"start": time})


@pytest.mark.parametrize(
    "change",
    [
        {"salt": "0" * 31},
        {"salt": "G" * 32},
        {"type": "batch"},
        {"source": "lims"},
        {"time": "2026-03-02T08:00:00Z"},
        {"agreement": "ag-1"},
        {"dataschema": "urn:fedbatch:schema:batch"},
        {"specversion": "0.3"},
        {"data": "text"},
    ],
    ids=str,
)
def test_a_broken_envelope_is_refused(change: dict[str, Any]) -> None:
    data = json.loads(entry(example("batch")))
    assert ENVELOPE.is_valid(data)
    assert not ENVELOPE.is_valid(data | change)


def test_an_envelope_without_any_of_its_attributes_is_refused() -> None:
    data = json.loads(entry(example("batch")))
    for name in set(data) - {"receiver", "subject"}:
        rest = {key: value for key, value in data.items() if key != name}
        assert not ENVELOPE.is_valid(rest), name


def test_an_agreements_body_is_valid_and_a_broken_one_is_not(body: AgreementBody) -> None:
    data = plain(body)
    BODY.validate(data)
    assert not BODY.is_valid(data | {"purpose": "marketing"})
    assert not BODY.is_valid(data | {"version": 0})
    late = [{"record_type": "result", "trigger": "daily", "due": "1 day", "late_after": "P1D"}]
    assert not BODY.is_valid(data | {"cadence": late})
    limit = {"kind": "action", "low": "7,0"}
    wrong = [data["parameters"][0] | {"limits": [limit]}]
    assert not BODY.is_valid(data | {"parameters": wrong})


def test_the_published_schemas_are_those_of_the_code() -> None:
    folder = Path(__file__).parents[3] / "docs" / "standard" / "schema"
    # A version that is no longer written stays published, so the folder may hold more.
    for name, schema in all_schemas().items():
        published = (folder / name).read_text("utf-8")
        assert published == render_schema(schema), f"{name}: run `make schema`"
