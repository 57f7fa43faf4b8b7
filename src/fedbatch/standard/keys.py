"""Business keys: same ledger, type and key are versions of one thing (STANDARD §3, column ★)."""

from collections.abc import Callable

from fedbatch.standard import canonical, records
from fedbatch.standard.values import Named, Time

__all__ = ["key_of", "named_text"]


def named_text(reference: Named | None) -> str:
    """A reference as one element of a key; "" for an absent one."""
    if reference is None:
        return ""
    if isinstance(reference, str):
        return reference
    return canonical.encode(reference).decode()


def _instant(time: Time | None) -> str:
    return time.instant if time is not None else ""


def _result_key(record: records.ResultFields, name: str, source: str) -> tuple[str, ...]:
    owner = named_text(record.batch) or named_text(record.lot)
    if record.form == "derived":
        rule = record.derivation.rule if record.derivation is not None else ""
        return (owner, name, record.role, named_text(record.step), record.form, rule)
    when = named_text(record.sample) or _instant(record.observed_at)
    counts = (str(record.attempt), str(record.replicate))
    return (owner, name, record.role, when, record.form, *counts, source)


_KEYS: dict[type, Callable[..., tuple[str, ...]]] = {
    records.Party: lambda r: (r.party,),
    records.Agreement: lambda r: (r.agreement,),
    records.Product: lambda r: (r.product,),
    records.Batch: lambda r: (r.batch,),
    records.Step: lambda r: (named_text(r.batch), r.element, r.instance),
    records.Equipment: lambda r: (r.equipment, named_text(r.batch), r.from_.instant),
    records.Lot: lambda r: (r.lot,),
    records.Transformation: lambda r: (r.transformation,),
    records.Series: lambda r: (r.series,),
    records.Sealed: lambda r: (r.sealed,),
    records.Event: lambda r: (r.event,),
    records.Sample: lambda r: (r.sample,),
    records.Specification: lambda r: (r.specification,),
    records.Approval: lambda r: (r.approval,),
    records.FindingRecord: lambda r: (r.finding,),
    records.Signature: lambda r: (r.signature,),
    records.Attachment: lambda r: (r.object.sha256,),
    records.Receipt: lambda r: (r.ledger, str(r.size)),
}


def key_of(
    record: records.Record, *, source: str = "", entry_id: str = "", name: str = ""
) -> tuple[str, ...]:
    """The business key of a record.

    Args:
        record: any record type of the standard, or a journal's form of one.
        source: the envelope's `source`, part of a result's key.
        entry_id: the envelope's `id`, part of the key of points.
        name: what stands for a result's `code` in a journal; in a ledger its code is used.
    """
    if isinstance(record, records.ResultFields):
        code = record.code if isinstance(record, records.Result) else name
        return _result_key(record, code, source)
    if isinstance(record, records.Points):
        return (record.series, entry_id)
    return _KEYS[type(record)](record)
