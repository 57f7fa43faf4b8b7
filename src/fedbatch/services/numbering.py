"""Batches of a journal by both parties' numbers.

A row that states only the partner's number makes an id from it; once a table states both numbers,
the two ids are of one batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from fedbatch.ports import Ids, JournalHead, JournalStore
from fedbatch.standard.joining import join_batches
from fedbatch.standard.records import Batch
from fedbatch.standard.values import named_key

__all__ = ["PARTNER_SYSTEM", "JournalBatches", "find_batches", "journal_batches"]

PARTNER_SYSTEM = "urn:fedbatch:partner:batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBatches:
    """The batches that stand in a journal by their ids, and the groups of ids that are one batch."""

    heads: Mapping[str, JournalHead]
    records: Mapping[str, Batch]
    groups: Mapping[str, tuple[str, ...]]

    def group(self, batch: str) -> tuple[str, ...]:
        """Every id of the batch that an id names; records of its own number first."""
        return self.groups.get(batch, (batch,))


def journal_batches(
    journal: JournalStore, heads: Mapping[tuple[str, tuple[str, ...]], JournalHead], ids: Ids
) -> JournalBatches:
    """The batches of a journal, joined by their numbers.

    Args:
        journal: the journal.
        heads: its heads, in the order in which the batches are to be told.
        ids: for the id that a partner's number alone leads to.
    """
    standing: dict[str, JournalHead] = {}
    found: dict[str, Batch] = {}
    for head in heads.values():
        if head.type == "batch" and not head.is_withdrawn:
            entry = journal.read(head.index)
            standing[head.key[0]] = head
            found[head.key[0]] = msgspec.json.decode(bytes(entry.data), type=Batch)
    stated = {
        name: [(item.system, item.value) for item in record.identifiers]
        for name, record in sorted(found.items(), key=lambda item: _is_partners(item[1]))
    }
    for record in found.values():
        for item in record.identifiers:
            if item.system == PARTNER_SYSTEM:
                name = ids.own("batch.partner", item.value)
                stated.setdefault(name, [(item.system, item.value)])
    return JournalBatches(heads=standing, records=found, groups=_groups(stated, found))


def _is_partners(record: Batch) -> bool:
    """Whether a batch is known by the partner's number alone."""
    return all(item.system == PARTNER_SYSTEM for item in record.identifiers)


def _groups(
    stated: Mapping[str, list[tuple[str, str]]], found: Mapping[str, Batch]
) -> dict[str, tuple[str, ...]]:
    members: dict[str, list[str]] = {}
    for name, first in join_batches(stated).items():
        members.setdefault(first, [first]).append(name)
    groups: dict[str, tuple[str, ...]] = {}
    for group in members.values():
        products = {named_key(found[name].product) for name in group if name in found}
        # Equal numbers of two products are two batches.
        if len(products) == 1:
            groups.update(dict.fromkeys(group, tuple(group)))
    return groups


def find_batches(batches: JournalBatches, ids: Ids, number: str) -> tuple[str, ...]:
    """The ids of the batch of a number, by the party's or else by the partner's; () for none."""
    for name in (ids.own("batch", number), ids.own("batch.partner", number)):
        if name in batches.records:
            return batches.group(name)
    for name, record in batches.records.items():
        if any(item.value == number for item in record.identifiers):
            return batches.group(name)
    return ()
