"""What a party's own journal holds: the standard's records under the party's own ids.

A result names its parameter by term, equipment class, position and qualifier, not by an agreement's
code; and the place a value came from stands in the open, since the journal is private.
"""

from typing import Literal

import msgspec

from fedbatch.standard import keys
from fedbatch.standard.records import (
    Clock,
    Equipment,
    PointRole,
    Record,
    ResultFields,
    SamplingModel,
)
from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.standard.values import Frozen

__all__ = [
    "JournalEntry",
    "JournalParameter",
    "JournalResult",
    "JournalSeries",
    "Origin",
    "journal_key",
    "journal_struct",
    "parameter_name",
]


class Origin(Frozen, frozen=True, kw_only=True):
    """Where a record, or the field at `path`, came from: a file by SHA-256, and a place in it."""

    artefact: str
    scheme: str
    locator: str
    extractor: str
    mapping: str
    path: str | None = None


class JournalResult(ResultFields, frozen=True, kw_only=True):
    """A result whose parameter is named by the dictionary.

    Without a batch, `equipment` and `observed_at` say where and when; sharing finds the batch by the
    equipment's window.
    """

    term: str
    equipment_class: str | None = None
    position: str | None = None
    qualifier: str | None = None
    equipment: str | None = None


class JournalParameter(Frozen, frozen=True, kw_only=True):
    """A parameter of a series, named by the dictionary; its index in the list is for ever."""

    term: str
    role: PointRole
    unit: str
    raw_unit: str
    sampling_model: SamplingModel
    between: Literal["step", "linear"]
    equipment_class: str | None = None
    position: str | None = None
    qualifier: str | None = None
    tag: str | None = None
    scale: int | None = None


class JournalSeries(Record, frozen=True, kw_only=True):
    """Parameters measured together for a batch, or on a piece of equipment whose window tells it.

    A segment's columns are named `<index>.<role>`.
    """

    series: str
    parameters: tuple[JournalParameter, ...]
    clock: Clock
    precedence: Literal["live", "file"]
    batch: str | None = None
    equipment: str | None = None


class JournalEntry(Frozen, frozen=True, kw_only=True):
    """One position of a journal. `by`: the person who took it in; `source`: the mapping's source."""

    id: str
    type: str
    time: str
    by: str
    data: msgspec.Raw
    source: str = ""
    origins: tuple[Origin, ...] = ()


def parameter_name(
    term: str, equipment_class: str | None, position: str | None, qualifier: str | None
) -> str:
    """A parameter's name in a journal: term, class, position, qualifier, parted by `|`."""
    return f"{term}|{equipment_class or ''}|{position or ''}|{qualifier or ''}"


def journal_struct(name: str) -> type[Record]:
    """The Python type in which a journal holds records of this type."""
    if name == "series":
        return JournalSeries
    return JournalResult if name == "result" else RECORD_TYPES[name].struct


def journal_key(record: Record, source: str = "") -> tuple[str, ...]:
    """The business key of a record in a journal."""
    if isinstance(record, JournalSeries):
        return (record.series,)
    if isinstance(record, Equipment):
        # Sources are held against each other, so each one's statement stands for itself.
        return (*keys.key_of(record), source)
    if not isinstance(record, JournalResult):
        return keys.key_of(record, source=source)
    name = parameter_name(record.term, record.equipment_class, record.position, record.qualifier)
    key = keys.key_of(record, source=source, name=name)
    return key if key[0] or not record.equipment else (f"@{record.equipment}", *key[1:])
