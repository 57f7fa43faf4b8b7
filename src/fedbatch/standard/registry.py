"""Every record type with its schema version. Minor = new optional fields or codes; all else is major."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from fedbatch.standard import drafts, mappings, records

__all__ = [
    "RECORD_TYPES",
    "RecordType",
    "record_type",
    "schema_urn",
    "type_of",
    "why_not_written",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """A type's name in ledgers, its Python type, its schema version and who may write it.

    `key_fields` are the fields that a business key is made of; a withdrawal carries them.
    """

    name: str
    struct: type[records.Record]
    version: str
    writers: frozenset[str]
    key_fields: frozenset[str]

    @property
    def is_draft(self) -> bool:
        return self.version.startswith("0.")


_SPONSOR, _CMO, _LABORATORY = "sponsor", "CMO", "laboratory"
_BOTH = frozenset({_SPONSOR, _CMO, _LABORATORY})
_MAKERS = frozenset({_CMO, _LABORATORY})
# What nobody takes from a report: live points, which a sponsor was never there to see.
_NEVER_TRANSCRIBED = frozenset({"points"})

# Types whose key is more than the field that bears the type's name.
_KEY_FIELDS: dict[str, tuple[str, ...]] = {
    "step": ("batch", "element", "instance"),
    "equipment": ("equipment", "batch", "from"),
    "points": ("series",),
    "result": (
        "batch",
        "lot",
        "code",
        "role",
        "sample",
        "observed_at",
        "form",
        "attempt",
        "replicate",
        "step",
        "derivation",
    ),
    "attachment": ("object",),
    "receipt": ("ledger", "size"),
    "schedule": ("batch", "milestone"),
    "certificate": ("lot", "specification"),
    "disposition": ("batch", "market", "kind"),
    "mapping": ("source",),
}


def _row(
    name: str, struct: type[records.Record], writers: frozenset[str], version: str = "1.0"
) -> tuple[str, RecordType]:
    fields = _KEY_FIELDS.get(name, (name,))
    return name, RecordType(
        name=name,
        struct=struct,
        version=version,
        writers=writers,
        key_fields=frozenset(fields),
    )


RECORD_TYPES: dict[str, RecordType] = dict(
    (
        _row("party", records.Party, _BOTH),
        _row("agreement", records.Agreement, _BOTH),
        _row("product", records.Product, _BOTH),
        _row("batch", records.Batch, frozenset({_CMO})),
        _row("step", records.Step, frozenset({_CMO})),
        _row("equipment", records.Equipment, frozenset({_CMO})),
        _row("lot", records.Lot, _BOTH),
        _row("transformation", records.Transformation, frozenset({_CMO})),
        _row("series", records.Series, frozenset({_CMO})),
        _row("points", records.Points, frozenset({_CMO})),
        _row("sealed", records.Sealed, frozenset({_CMO})),
        _row("event", records.Event, frozenset({_CMO})),
        _row("sample", records.Sample, _MAKERS),
        _row("result", records.Result, _MAKERS),
        _row("specification", records.Specification, frozenset({_SPONSOR})),
        _row("approval", records.Approval, _MAKERS),
        _row("finding", records.FindingRecord, _BOTH),
        _row("signature", records.Signature, _BOTH),
        _row("attachment", records.Attachment, _BOTH),
        _row("receipt", records.Receipt, _BOTH),
        _row("recipe", drafts.Recipe, frozenset({_SPONSOR, _CMO}), "0.1"),
        _row("schedule", drafts.Schedule, frozenset({_CMO}), "0.1"),
        _row("certificate", drafts.Certificate, _MAKERS, "0.1"),
        _row("deviation", drafts.Deviation, frozenset({_CMO}), "0.1"),
        _row("quality_record", drafts.QualityRecord, _BOTH, "0.1"),
        _row("question", drafts.Question, _BOTH, "0.1"),
        _row("advice", drafts.Advice, frozenset({_SPONSOR}), "0.1"),
        _row("answer", drafts.Answer, _BOTH, "0.1"),
        _row("disposition", drafts.Disposition, frozenset({_SPONSOR, _CMO}), "0.1"),
        _row("mapping", mappings.Mapping, frozenset(), "0.1"),
    )
)
_BY_STRUCT = {item.struct: item for item in RECORD_TYPES.values()}


def record_type(name: str) -> RecordType | None:
    """The type of this name, or None: unknown types are kept, shown as not understood (S32)."""
    return RECORD_TYPES.get(name)


def type_of(record: records.Record) -> RecordType:
    """The type of a record of the standard."""
    return _BY_STRUCT[type(record)]


def why_not_written(
    item: RecordType, roles: AbstractSet[str], record: records.Record | None = None
) -> str | None:
    """Why a party of these roles may not write a record of a type; None where it may.

    A sponsor may write the makers' types from their reports: `basis` transcribed, at most checked
    (STANDARD S36). A withdrawal has no record; it takes back what the writer itself wrote.
    """
    if item.writers & roles:
        return None
    who = " and ".join(sorted(roles))
    is_makers = bool(item.writers & _MAKERS) and item.name not in _NEVER_TRANSCRIBED
    if _SPONSOR not in roles or not is_makers:
        return f"a {item.name} written by a {who}"
    if record is None:
        return None
    if record.basis != "transcribed":
        return f"a {item.name} written by a {who} and not transcribed"
    raised = record.to if isinstance(record, records.Approval) else record.value_status
    return f"a transcribed {item.name} that is approved" if raised == "approved" else None


def schema_urn(item: RecordType) -> str:
    """The envelope's `dataschema` of a type."""
    return f"urn:fedbatch:schema:{item.name}:{item.version}"
