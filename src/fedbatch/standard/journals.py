"""What a party's own journal holds: the standard's records under the party's own ids.

A result names its parameter by term, equipment class, position and qualifier, not by an agreement's
code; and the place a value came from stands in the open, since the journal is private.
"""

import msgspec

from fedbatch.standard import keys
from fedbatch.standard.records import Equipment, Record, ResultFields
from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.standard.values import Frozen

__all__ = [
    "JournalEntry",
    "JournalResult",
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
    return JournalResult if name == "result" else RECORD_TYPES[name].struct


def journal_key(record: Record, source: str = "") -> tuple[str, ...]:
    """The business key of a record in a journal."""
    if isinstance(record, Equipment):
        # Sources are held against each other, so each one's statement stands for itself.
        return (*keys.key_of(record), source)
    if not isinstance(record, JournalResult):
        return keys.key_of(record, source=source)
    name = parameter_name(record.term, record.equipment_class, record.position, record.qualifier)
    key = keys.key_of(record, source=source, name=name)
    return key if key[0] or not record.equipment else (f"@{record.equipment}", *key[1:])
