"""How a record of the journal becomes one of the ledger: the agreement's ids in place of the own."""

from typing import TypeVar

import msgspec

from fedbatch.services.sharing.batches import Batches
from fedbatch.services.sharing.names import Names
from fedbatch.services.sharing.scope import Scope
from fedbatch.standard import records
from fedbatch.standard.values import Named, in_time, named_key

__all__ = ["narrowed", "renamed", "replacing"]

Posted = TypeVar("Posted", bound=records.Record)


def renamed(names: Names, batches: Batches, record: records.Record, batch: str) -> records.Record:
    """A record under the agreement's ids.

    Args:
        names: the agreement's.
        batches: the agreement's.
        record: of the journal, any but a result.
        batch: the own id of its batch; "" for lots and materials.
    """
    change = msgspec.structs.replace
    if isinstance(record, records.Lot):
        lot, product = names.pseudonym("lot", record.lot), names.named("product", record.product)
        return change(record, lot=lot, product=product)
    if isinstance(record, records.Product):
        return change(record, product=names.pseudonym("product", record.product))
    shared = names.pseudonym("batch", batch)
    match record:
        case records.Batch():
            numbers = names.identifiers(record.identifiers)
            product = batches.products[batch].id
            return change(record, batch=shared, product=product, identifiers=numbers)
        case records.Step():
            pieces = tuple(names.named("equipment", item) for item in record.equipment)
            persons = tuple(names.pseudonym("person", item) for item in record.performers)
            return change(record, batch=shared, equipment=pieces, performers=persons)
        case records.Equipment():
            piece = names.pseudonym("equipment", record.equipment)
            return change(record, batch=shared, equipment=piece)
        case records.Sample():
            return change(record, batch=shared, sample=names.pseudonym("sample", record.sample))
        case records.Transformation():
            return _transformation(names, record, shared)
        case _:
            return change(record, batch=shared)


def _transformation(
    names: Names, record: records.Transformation, batch: str
) -> records.Transformation:
    return msgspec.structs.replace(
        record,
        transformation=names.pseudonym("transformation", record.transformation),
        batch=batch,
        inputs=tuple(_carried(names, item) for item in record.inputs),
        outputs=tuple(_carried(names, item) for item in record.outputs),
    )


def _carried(names: Names, item: records.CarriedLot) -> records.CarriedLot:
    lot, product = names.named("lot", item.lot), names.name("product", item.product)
    return msgspec.structs.replace(item, lot=lot, product=product)


def narrowed(record: records.Equipment, other: records.Record) -> records.Equipment:
    """A window as two sources with one beginning state it: the bases of both, the earlier end."""
    if not isinstance(other, records.Equipment):
        return record
    ends = [item.to for item in (record, other) if item.to is not None]
    bases = (*record.window_basis, *(b for b in other.window_basis if b not in record.window_basis))
    return msgspec.structs.replace(
        record,
        window_basis=bases,
        to=min(ends, key=lambda item: in_time(item.instant)) if len(ends) > 1 else None,
    )


def replacing(scope: Scope, shared: Posted, batch: str, sample: Named | None) -> Posted:
    """A record that names what the partner had transcribed of the same thing.

    Args:
        scope: of the run.
        shared: under the agreement's names.
        batch: the own id of its batch.
        sample: its sample, as the journal names it.
    """
    transcribed = scope.sharing.transcribed
    if transcribed is None:
        return shared
    replaced = transcribed.replaced(shared, batch, _sample_number(scope, sample))
    return msgspec.structs.replace(shared, replaces=replaced) if replaced else shared


def _sample_number(scope: Scope, sample: Named | None) -> str:
    """The number of an own sample as it stands in the source; "" for none."""
    if sample is None:
        return ""
    head = scope.journal.heads.get(("sample", (named_key(sample),)))
    if head is None or head.is_withdrawn:
        return ""
    _, record = scope.journal.read(head)
    return record.identifiers[0].value if record.identifiers else ""
