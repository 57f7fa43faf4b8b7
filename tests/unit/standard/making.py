"""Entries and records for tests of the standard; the examples are the golden corpus itself."""

from pathlib import Path

import fedbatch.standard
from fedbatch.standard.envelope import read_entry, write_entry
from fedbatch.standard.records import Record
from fedbatch.standard.registry import RECORD_TYPES

CORPUS = Path(__file__).parent / "corpus"
PACKAGE = Path(fedbatch.standard.__file__).parent
TIME = "2026-03-02T08:00:00.000Z"
SALT = "5be0cd191f83d9ab5be0cd191f83d9ab"


def entry(
    record: Record, *, entry_id: str = "e-1", receiver: str | None = "party-s", time: str = TIME
) -> bytes:
    """An entry around a record, as a CMO of the tests writes it."""
    return write_entry(
        record,
        id=entry_id,
        source="urn:fedbatch:source:s-1",
        time=time,
        agreement="ag-1@1",
        sender="party-c",
        salt=SALT,
        receiver=receiver,
    )


def corpus_bytes(name: str) -> bytes:
    """The golden entry of a type at the version that is written today."""
    return (CORPUS / f"{name}-{RECORD_TYPES[name].version}.json").read_bytes()


def example(name: str) -> Record:
    """The record of the golden entry of a type."""
    record = read_entry(corpus_bytes(name)).record
    assert record is not None
    return record
