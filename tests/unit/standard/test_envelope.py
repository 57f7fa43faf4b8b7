"""Entries: bytes that stay readable, and what a reader makes of what it does not know."""

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.standard import canonical
from fedbatch.standard.envelope import ENTRY_BYTES_MAX, read_entry, write_entry, write_withdrawal
from fedbatch.standard.records import Event
from fedbatch.standard.registry import RECORD_TYPES, record_type, schema_urn
from fedbatch.standard.values import Correction
from tests import strategies
from tests.unit.standard.making import CORPUS, corpus_bytes, entry, example

CORE_DIGEST = "de73e67903bc80d0ca58b31c99ce567bc8804a4cbbf3197c2c3450150223e50f"
TAKEN_BACK = Correction(kind="withdraw", reason_code="wrong_party", reason="not theirs", by="u-1")


def withdrawal(content: bytes) -> bytes:
    return write_withdrawal(
        content,
        version=2,
        correction=TAKEN_BACK,
        id="e-2",
        time="2026-03-02T09:00:00.000Z",
        agreement="ag-1@2",
        salt="0" * 32,
    )


def changed(content: bytes, **fields: Any) -> bytes:
    return canonical.encode(json.loads(content) | fields)


def event_of(size: int) -> Event:
    """An event whose entry has so many bytes."""
    event = Event(version=1, event="ev", class_="operator", text="")
    return msgspec.structs.replace(event, text="x" * (size - len(entry(event))))


# ---- golden corpus: every published version stays readable (S33)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_every_published_version_is_read_and_written_to_the_same_bytes(path: Any) -> None:
    content = path.read_bytes()
    statement = read_entry(content)
    heading, record = statement.heading, statement.record
    assert record is not None
    again = write_entry(
        record,
        id=heading.id,
        source=heading.source,
        time=heading.time,
        agreement=heading.agreement,
        sender=heading.sender,
        salt=heading.salt,
        receiver=heading.receiver,
        subject=heading.subject,
    )
    assert again == content


def test_every_type_has_its_golden_entry() -> None:
    found = {path.stem for path in CORPUS.glob("*.json")}
    assert {f"{item.name}-{item.version}" for item in RECORD_TYPES.values()} <= found


def test_the_golden_corpus_is_what_was_published() -> None:
    # A new version adds a file; a file that was published never changes.
    names = sorted(path.name for path in CORPUS.glob("*-1.0.json"))
    digest = hashlib.sha256(b"".join((CORPUS / name).read_bytes() for name in names))
    assert digest.hexdigest() == CORE_DIGEST


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_golden_entries_are_canonical(path: Any) -> None:
    canonical.parse_plain(path.read_bytes())


# ---- round trips


@pytest.mark.parametrize("name", RECORD_TYPES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(found=st.data())
def test_every_record_reads_back_equal(name: str, found: st.DataObject) -> None:
    record = found.draw(strategies.records(name))
    content = entry(record)
    assert canonical.parse_plain(content)
    statement = read_entry(content)
    assert statement.record == record
    assert statement.heading.record_name == name
    assert statement.heading.dataschema == schema_urn(RECORD_TYPES[name])


def test_what_is_absent_leaves_no_trace_in_the_bytes() -> None:
    content = entry(Event(version=1, event="ev", class_="operator", text="x"), receiver=None)
    assert b"null" not in content
    assert set(json.loads(content)["data"]) == {"version", "event", "class", "text"}
    assert "receiver" not in json.loads(content)


# ---- bounds


def test_an_entry_of_65535_bytes_is_written_and_one_more_is_not() -> None:
    fits = event_of(ENTRY_BYTES_MAX)
    assert len(entry(fits)) == 65_535
    with pytest.raises(InputError) as caught:
        entry(event_of(ENTRY_BYTES_MAX + 1))
    assert caught.value.code == "entry.too_large"


# ---- evolution, S32


@pytest.mark.parametrize("name", [n for n, item in RECORD_TYPES.items() if not item.is_draft])
def test_fields_of_a_later_minor_version_are_ignored(name: str) -> None:
    content = corpus_bytes(name)
    data = json.loads(content)["data"]
    schema = schema_urn(RECORD_TYPES[name]).rpartition(".")[0] + ".9"
    later = changed(
        content, data=data | {"of_later": {"x": ["1"]}}, dataschema=schema, envelope_field="x"
    )
    assert read_entry(later).record == example(name)


def test_another_version_of_a_draft_is_kept_as_not_understood() -> None:
    content = corpus_bytes("deviation")
    assert read_entry(content).record is not None
    later = changed(content, dataschema="urn:fedbatch:schema:deviation:0.2", data={"x": "y"})
    assert read_entry(later).record is None


def test_an_unknown_type_is_kept_as_not_understood() -> None:
    content = changed(corpus_bytes("batch"), type="fedbatch.mood")
    statement = read_entry(content)
    assert statement.record is None
    assert statement.withdrawal is None
    assert statement.heading.record_name == "mood"
    assert record_type("mood") is None


@pytest.mark.parametrize("version", ["2.0", "0.9", "10.0", "11.0"])
def test_another_major_is_kept_as_not_understood(version: str) -> None:
    schema = f"urn:fedbatch:schema:batch:{version}"
    content = changed(corpus_bytes("batch"), dataschema=schema, data={"batch": ["other", "shape"]})
    assert read_entry(content).record is None


def test_a_type_under_the_schema_of_another_is_not_understood() -> None:
    content = changed(corpus_bytes("batch"), dataschema="urn:fedbatch:schema:lot:1.0")
    assert read_entry(content).record is None


@pytest.mark.parametrize(
    "change",
    [{"data": {"version": 1}}, {"data": "text"}, {"specversion": "2.0"}, {"salt": 1}],
    ids=str,
)
def test_a_record_of_another_shape_is_no_entry(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_entry(changed(corpus_bytes("batch"), **change))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"{" * 1000])
def test_other_bytes_are_no_entry(content: bytes) -> None:
    with pytest.raises(InputError):
        read_entry(content)


# ---- withdrawals, S19


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_a_withdrawal_carries_the_key_and_why_and_nothing_else(name: str) -> None:
    content = corpus_bytes(name)
    old, new = json.loads(content), json.loads(withdrawal(content))
    said = {"version", "supersedes", "correction"}
    assert said <= set(new["data"]) <= said | RECORD_TYPES[name].key_fields
    kept = set(new["data"]) - said
    assert kept
    assert all(new["data"][field] == old["data"][field] for field in kept)
    assert new["data"]["supersedes"] == old["id"]
    assert new["salt"] != old["salt"]


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_a_withdrawal_is_read_as_one(name: str) -> None:
    statement = read_entry(withdrawal(corpus_bytes(name)))
    assert statement.record is None
    assert statement.withdrawal is not None
    assert statement.withdrawal.correction == TAKEN_BACK
    assert statement.withdrawal.version == 2


def test_a_text_that_speaks_of_withdrawal_is_no_withdrawal() -> None:
    event = Event(version=1, event="ev", class_="operator", text='"kind":"withdraw"')
    statement = read_entry(entry(event))
    assert statement.record == event
    assert statement.withdrawal is None


def test_a_correction_is_no_withdrawal() -> None:
    why = Correction(kind="correct", reason_code="typing", reason="a digit", by="u-1")
    record = msgspec.structs.replace(example("batch"), version=2, supersedes="e-1", correction=why)
    assert read_entry(entry(record)).record == record
