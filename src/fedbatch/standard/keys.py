"""Business keys: same ledger, type and key are versions of one thing (STANDARD §3, column ★)."""

from fedbatch.standard import canonical, drafts, mappings, records
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


_ONE_FIELD: dict[type[records.Record], str] = {
    records.Party: "party",
    records.Agreement: "agreement",
    records.Product: "product",
    records.Batch: "batch",
    records.Lot: "lot",
    records.Transformation: "transformation",
    records.Series: "series",
    records.Sealed: "sealed",
    records.Event: "event",
    records.Sample: "sample",
    records.Specification: "specification",
    records.Approval: "approval",
    records.FindingRecord: "finding",
    records.Signature: "signature",
    drafts.Recipe: "recipe",
    drafts.Deviation: "deviation",
    drafts.QualityRecord: "quality_record",
    drafts.Question: "question",
    drafts.Advice: "advice",
    drafts.Answer: "answer",
    mappings.Mapping: "source",
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
    if isinstance(record, records.Step):
        return (named_text(record.batch), record.element, record.instance)
    if isinstance(record, records.Equipment):
        return (record.equipment, named_text(record.batch), record.from_.instant)
    if isinstance(record, records.Attachment):
        return (record.object.sha256,)
    if isinstance(record, records.Receipt):
        return (record.ledger, str(record.size))
    if isinstance(record, drafts.Schedule | drafts.Certificate | drafts.Disposition):
        return _draft_key(record)
    text: str = getattr(record, _ONE_FIELD[type(record)])
    return (text,)


def _draft_key(
    record: drafts.Schedule | drafts.Certificate | drafts.Disposition,
) -> tuple[str, ...]:
    if isinstance(record, drafts.Schedule):
        return (named_text(record.batch), record.milestone)
    if isinstance(record, drafts.Certificate):
        return (named_text(record.lot), named_text(record.specification))
    return (named_text(record.batch), record.market, record.kind)
