"""Business keys: same ledger, type and key are versions of one thing."""

from typing import Any

import msgspec
import pytest

from fedbatch.standard.journals import (
    JournalResult,
    journal_key,
    journal_struct,
    parameter_name,
)
from fedbatch.standard.keys import key_of, named_text
from fedbatch.standard.records import Derivation, Result
from fedbatch.standard.registry import RECORD_TYPES, type_of
from fedbatch.standard.values import Reference, Time, Value
from tests.unit.standard.making import example

SOURCE = "urn:fedbatch:source:s-1"
NOON = Time(
    instant="2026-03-02T12:00:00Z",
    text="noon",
    zone="UTC",
    zone_basis="stated",
    precision="hour",
)
ONE = Value(kind="number", number="1", raw="1")
EXPECTED = {
    "party": ("party-c",),
    "agreement": ("ag-1",),
    "product": ("p-1",),
    "batch": ("b-21",),
    "step": ("b-21", "compression", "1"),
    "equipment": ("eq-3", "b-21", "2026-03-02T07:15:00Z"),
    "lot": ("lt-1",),
    "transformation": ("tf-1",),
    "series": ("se-4",),
    "points": ("se-4", "e-9"),
    "sealed": ("sd-1",),
    "event": ("ev-1",),
    "sample": ("s-88",),
    "result": ("b-21", "VCD", "result", "s-88", "reportable", "2", "1", SOURCE),
    "specification": ("SP-1",),
    "approval": ("ap-1",),
    "finding": ("f-1",),
    "signature": ("sg-1",),
    "attachment": ("a5" * 32,),
    "receipt": ("l-c", "42"),
    "recipe": ("rc-1",),
    "schedule": ("b-21", "release"),
    "certificate": ("lt-9", "SP-1"),
    "deviation": ("dv-1",),
    "quality_record": ("q-1",),
    "question": ("qn-1",),
    "advice": ("ad-1",),
    "answer": ("an-1",),
    "disposition": ("b-21", "EU", "disposition"),
    "mapping": ("laboratory",),
}


def result(**fields: Any) -> Result:
    said: dict[str, Any] = {
        "version": 1,
        "code": "VCD",
        "role": "result",
        "form": "reportable",
        "attempt": 1,
        "replicate": 1,
        "value": ONE,
    }
    return Result(**(said | fields))


def test_every_type_has_a_key_here() -> None:
    assert EXPECTED.keys() == RECORD_TYPES.keys()


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_the_key_is_made_of_the_starred_fields(name: str) -> None:
    assert key_of(example(name), source=SOURCE, entry_id="e-9") == EXPECTED[name]


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_every_key_field_is_a_field_of_its_type(name: str) -> None:
    item = RECORD_TYPES[name]
    fields = {field.encode_name for field in msgspec.structs.fields(item.struct)}
    assert item.key_fields <= fields


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_a_later_version_has_the_same_key(name: str) -> None:
    record = example(name)
    later = msgspec.structs.replace(record, version=2, value_status="approved")
    assert key_of(later, source=SOURCE) == key_of(record, source=SOURCE)
    assert type_of(later).name == name


@pytest.mark.parametrize(
    "other",
    [
        {"batch": "b-2"},
        {"batch": None, "lot": "b-2"},
        {"code": "VIA"},
        {"role": "PV"},
        {"sample": "s-2"},
        {"observed_at": NOON},
        {"form": "replicate"},
        {"attempt": 2},
        {"replicate": 2},
    ],
    ids=str,
)
def test_each_part_of_a_results_key_tells_results_apart(other: dict[str, Any]) -> None:
    one = result(batch="b-1")
    assert key_of(result(**{"batch": "b-1"} | other), source=SOURCE) != key_of(one, source=SOURCE)


def test_two_sources_report_two_results() -> None:
    one = result(batch="b-1")
    assert key_of(one, source="a") != key_of(one, source="b")


def test_a_derived_result_is_told_by_step_and_rule_not_by_source_or_time() -> None:
    derivation = Derivation(
        rule="maximum",
        rules_version="1",
        series="se-4",
        index=0,
        from_="2026-03-02T07:00:00Z",
        to="2026-03-02T08:00:00Z",
        segments=(),
        coverage="1",
    )
    step = Reference(key=("b-1", "compression", "1"))
    one = result(batch="b-1", form="derived", step=step, derivation=derivation, observed_at=NOON)
    assert key_of(one, source="a") == key_of(one, source="b")
    assert key_of(one)[-1] == "maximum"
    other = msgspec.structs.replace(derivation, rule="minimum")
    assert key_of(msgspec.structs.replace(one, derivation=other)) != key_of(one)


def test_a_reference_in_a_key_is_one_text() -> None:
    assert named_text(None) == ""
    assert named_text("b-1") == "b-1"
    far = Reference(ledger="l-s", type="batch", key=("b-1",))
    assert named_text(far) == '{"key":["b-1"],"ledger":"l-s","type":"batch"}'


# ---- journals


def journal_result(**fields: Any) -> JournalResult:
    said: dict[str, Any] = {
        "version": 1,
        "term": "assay",
        "role": "result",
        "form": "reportable",
        "attempt": 1,
        "replicate": 1,
        "value": ONE,
    }
    return JournalResult(**(said | fields))


def test_a_journal_names_a_result_by_its_parameter() -> None:
    record = journal_result(batch="b-1", position="product", qualifier="mean")
    name = parameter_name("assay", None, "product", "mean")
    assert name == "assay||product|mean"
    assert journal_key(record, SOURCE) == (
        "b-1", name, "result", "", "reportable", "1", "1", SOURCE,
    )  # fmt: skip
    assert journal_struct("result") is JournalResult


def test_without_a_batch_the_equipment_stands_in_the_key() -> None:
    record = journal_result(equipment="eq-3", observed_at=NOON)
    assert journal_key(record, SOURCE)[0] == "@eq-3"
    assert journal_key(journal_result(observed_at=NOON), SOURCE)[0] == ""


def test_other_records_have_the_same_key_in_both() -> None:
    batch = example("batch")
    assert journal_key(batch, SOURCE) == key_of(batch, source=SOURCE)
    assert journal_struct("batch") is RECORD_TYPES["batch"].struct
