"""The entry envelope: CloudEvents 1.0 names around one record (STANDARD §1)."""

from functools import lru_cache
from typing import Literal

import msgspec

from fedbatch.errors import InputError
from fedbatch.standard import canonical, registry
from fedbatch.standard.records import Record
from fedbatch.standard.values import Correction, Frozen

__all__ = [
    "ENTRY_BYTES_MAX",
    "Entry",
    "Heading",
    "Statement",
    "read_entry",
    "write_entry",
    "write_withdrawal",
]

# C2SP tlog-tiles: an entry's length is a uint16.
ENTRY_BYTES_MAX = 65_535


class Heading(Frozen, frozen=True, kw_only=True):
    """All of an envelope but its record."""

    id: str
    type: str
    source: str
    time: str
    dataschema: str
    agreement: str
    sender: str
    salt: str
    specversion: Literal["1.0"] = msgspec.field(default="1.0")
    datacontenttype: Literal["application/json"] = msgspec.field(default="application/json")
    receiver: str | None = None
    subject: str | None = None

    @property
    def record_name(self) -> str:
        return self.type.removeprefix("fedbatch.")


class Entry(Heading, frozen=True, kw_only=True):
    """An envelope with its record still as bytes."""

    data: msgspec.Raw


class Statement(Frozen, frozen=True, kw_only=True):
    """An entry as read: its envelope and its record.

    `record` is None where the type is not understood, and for a withdrawal; `withdrawal` then holds
    what every record may say, `supersedes` and `correction` among it.
    """

    heading: Heading
    record: Record | None
    withdrawal: Record | None = None


class _Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    # `specversion` and `datacontenttype` are always written, so they have no defaults here.
    agreement: str
    data: Record | msgspec.Raw
    datacontenttype: str
    dataschema: str
    id: str
    salt: str
    sender: str
    source: str
    specversion: str
    time: str
    type: str
    receiver: str | None = None
    subject: str | None = None


def write_entry(
    record: Record,
    *,
    id: str,  # noqa: A002 - the envelope's attribute has this name
    source: str,
    time: str,
    agreement: str,
    sender: str,
    salt: str,
    receiver: str | None = None,
    subject: str | None = None,
) -> bytes:
    """The canonical bytes of one entry.

    Raises:
        InputError: longer than 65,535 bytes: bulk belongs in segments and attachments (S1).
    """
    item = registry.type_of(record)
    return _write(
        record,
        item,
        id=id,
        source=source,
        time=time,
        agreement=agreement,
        sender=sender,
        salt=salt,
        receiver=receiver,
        subject=subject,
    )


def write_withdrawal(
    withdrawn: bytes,
    *,
    version: int,
    correction: Correction,
    id: str,  # noqa: A002 - the envelope's attribute has this name
    time: str,
    agreement: str,
    salt: str,
) -> bytes:
    """The canonical bytes of the entry that takes a record back (S19).

    It carries the record's business key, `version`, `supersedes` and `correction` alone.

    Args:
        withdrawn: the bytes of the entry that is taken back.
        version: the withdrawal's own.
        correction: of kind withdraw.
        id: the new entry's id.
        time: when it is appended.
        agreement: `<id>@<version>` in force.
        salt: 32 hex digits.
    """
    old = canonical.parse(withdrawn, Entry, "entry")
    item = registry.RECORD_TYPES[old.record_name]
    data = canonical.parse_plain(bytes(old.data), "entry")
    kept = {name: value for name, value in _mapping(data).items() if name in item.key_fields}
    said = {
        **kept,
        "version": version,
        "supersedes": old.id,
        "correction": msgspec.to_builtins(correction),
    }
    return _write(
        msgspec.Raw(canonical.encode(said)),
        item,
        id=id,
        source=old.source,
        time=time,
        agreement=agreement,
        sender=old.sender,
        salt=salt,
        receiver=old.receiver,
        subject=old.subject,
    )


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _write(
    data: Record | msgspec.Raw,
    item: registry.RecordType,
    *,
    id: str,  # noqa: A002 - the envelope's attribute has this name
    source: str,
    time: str,
    agreement: str,
    sender: str,
    salt: str,
    receiver: str | None,
    subject: str | None,
) -> bytes:
    content = canonical.encode(
        _Written(
            agreement=agreement,
            data=data,
            datacontenttype="application/json",
            dataschema=registry.schema_urn(item),
            id=id,
            salt=salt,
            sender=sender,
            source=source,
            specversion="1.0",
            time=time,
            type=f"fedbatch.{item.name}",
            receiver=receiver,
            subject=subject,
        )
    )
    if len(content) > ENTRY_BYTES_MAX:
        raise InputError(
            f"an entry of at most {ENTRY_BYTES_MAX} bytes",
            where=f"{item.name} {id}",
            found=f"{len(content)} bytes",
            advice="Long lists and texts belong in an attachment.",
            code="entry.too_large",
        )
    return content


def read_entry(content: bytes) -> Statement:
    """Read an entry's bytes; unknown fields are ignored, unknown types and majors kept as None (S32).

    Raises:
        InputError: not an entry, or a record that is not of its type's shape.
    """
    canonical.check_depth(content, "entry")
    entry = canonical.parse_flat(content, Entry, "entry")
    item = _understood(entry.type, entry.dataschema)
    if item is None:
        return Statement(heading=entry, record=None)
    where = f"entry {entry.id}"
    data = bytes(entry.data)
    if b'"kind":"withdraw"' in data:
        common = canonical.parse_flat(data, Record, where)
        if common.correction is not None and common.correction.kind == "withdraw":
            return Statement(heading=entry, record=None, withdrawal=common)
    return Statement(heading=entry, record=canonical.parse_flat(data, item.struct, where))


@lru_cache(maxsize=256)
def _understood(type_: str, dataschema: str) -> registry.RecordType | None:
    """The type of an entry, or None where its name or version is not known here."""
    item = registry.record_type(type_.removeprefix("fedbatch."))
    if item is None:
        return None
    if item.is_draft:
        # A draft may change in any way from one version to the next; another one is not guessed at.
        return item if dataschema == registry.schema_urn(item) else None
    major = item.version.partition(".")[0]
    known = dataschema.startswith(f"urn:fedbatch:schema:{item.name}:{major}.")
    return item if known else None
