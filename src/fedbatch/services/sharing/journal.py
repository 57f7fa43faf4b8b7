"""A party's journal as it stands when a run of sharing begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from fedbatch.ports import JournalHead, JournalStore
from fedbatch.standard.journals import JournalEntry, journal_struct
from fedbatch.standard.records import Record

__all__ = ["Journal", "read_heads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The newest version of every record, in the order in which they came."""

    store: JournalStore
    heads: Mapping[tuple[str, tuple[str, ...]], JournalHead]
    by_type: Mapping[str, Sequence[JournalHead]]

    def of(self, type_: str) -> Sequence[JournalHead]:
        """The records of a type, withdrawn ones too."""
        return self.by_type.get(type_, ())

    def read(self, head: JournalHead) -> tuple[JournalEntry, Record]:
        """An entry and the record in it."""
        entry = self.store.read(head.index)
        return entry, msgspec.json.decode(bytes(entry.data), type=journal_struct(head.type))

    def read_last(self, head: JournalHead) -> tuple[JournalEntry, Record]:
        """A withdrawal's entry and the record before it: what is to be taken back if it was posted."""
        withdrawal = self.store.read(head.index)
        common = msgspec.json.decode(bytes(withdrawal.data), type=Record)
        before = self.store.read_entry(str(common.supersedes))
        return withdrawal, msgspec.json.decode(bytes(before.data), type=journal_struct(head.type))


def read_heads(store: JournalStore) -> Journal:
    """The journal in its own order, so that ledgers tell the story in the order in which it came."""
    heads = dict(sorted(store.heads().items(), key=lambda item: item[1].index))
    by_type: dict[str, list[JournalHead]] = {}
    for head in heads.values():
        by_type.setdefault(head.type, []).append(head)
    return Journal(store=store, heads=heads, by_type=by_type)
