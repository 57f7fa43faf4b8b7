"""Values, times, identifiers, provenance: what records are made of (STANDARD §2).

Numbers that matter are decimals in texts, with their trailing zeros. `raw` is the source's text and
is never changed; everything else is what was understood of it.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from fedbatch.errors import InputError

__all__ = [
    "AbsentReason",
    "Basis",
    "Comparator",
    "Conversion",
    "Correction",
    "Frozen",
    "Identifier",
    "Locator",
    "Named",
    "ObjectReference",
    "Precision",
    "Provenance",
    "Quality",
    "Reference",
    "Time",
    "UnitBasis",
    "Value",
    "ValueKind",
    "ValueStatus",
    "check_decimal",
    "decimal_of",
    "in_time",
    "is_decimal",
    "is_instant",
    "named_key",
]

# Also refuses what Decimal would accept: exponents, underscores, other scripts' digits.
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
DIGITS_MAX = 38
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)

ValueKind = Literal["number", "text", "code", "boolean", "time", "absent"]
Comparator = Literal["<", "<=", ">=", ">", "~"]
AbsentReason = Literal[
    "blank",
    "not_detected",
    "not_tested",
    "not_applicable",
    "unreadable",
    "spreadsheet_error",
    "sensor_fault",
    "not_logged",
    "withheld",
]
UnitBasis = Literal["header", "unit_row", "cell", "mapping", "instrument", "elsewhere"]
Quality = Literal["good", "uncertain", "bad", "missing", "substituted"]
ValueStatus = Literal["provisional", "checked", "approved"]
Basis = Literal["own", "transcribed"]
Precision = Literal[
    "year", "month", "day", "hour", "minute", "second", "millisecond", "microsecond"
]
ZoneBasis = Literal["stated", "configured", "assumed"]


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal of the standard (STANDARD S2), of at most 38 digits."""
    if _DECIMAL.fullmatch(text) is None:
        return False
    return len(text) <= DIGITS_MAX or sum(map(str.isdigit, text)) <= DIGITS_MAX


def check_decimal(text: str, where: str = "") -> str:
    """Return the text, or refuse it.

    Raises:
        InputError: not a decimal of the standard.
    """
    if not is_decimal(text):
        raise InputError(
            "a decimal such as -12.40, at most 38 digits", where=where, found=text, code="decimal"
        )
    return text


def decimal_of(text: str) -> Decimal:
    """The exact number of a decimal text."""
    return Decimal(check_decimal(text))


def is_instant(text: str) -> bool:
    """Whether a text is an instant of the standard: a day that exists, UTC with `Z`, ≤ 6 decimals."""
    if _INSTANT.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _plain_name(name: str) -> str:
    """`from_` and `class_` are Python's spelling of the standard's `from` and `class`."""
    return name.rstrip("_")


class Frozen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_plain_name):
    """Immutable, named fields only; what is absent is left out of the bytes."""


class Time(Frozen, frozen=True, kw_only=True):
    """A time with its text, zone and precision (S12). `instant`: UTC with `Z`, ≤ 6 decimals.

    With `precision` day or coarser, `instant` is the start of the interval that the text names.
    `clock_offset` is decimal seconds the source's clock is declared fast; it is never applied.
    """

    instant: str
    text: str
    zone: str
    zone_basis: ZoneBasis
    precision: Precision
    fold: int | None = None
    clock_offset: str | None = None

    def __post_init__(self) -> None:
        """Check the instant: everything that compares times rests on its form."""
        if not is_instant(self.instant):
            raise InputError(
                "a UTC instant such as 2026-03-02T08:00:00Z",
                where="instant",
                found=self.instant[:80],
                code="time.instant",
            )


class Conversion(Frozen, frozen=True, kw_only=True):
    """How `number` came from the source's number: number × factor + offset (S10).

    `factor` is an exact rational `numerator/denominator` or a decimal.
    """

    number: str
    unit: str
    factor: str
    rule: str
    offset: str | None = None
    rounded: bool = False


class Value(Frozen, frozen=True, kw_only=True):
    """What was measured or stated: the source's text and what it says (S7 to S11)."""

    kind: ValueKind
    raw: str | None = None
    number: str | None = None
    comparator: Comparator | None = None
    unit: str | None = None
    raw_unit: str | None = None
    unit_basis: UnitBasis | None = None
    code: str | None = None
    time: Time | None = None
    absent: AbsentReason | None = None
    conversion: Conversion | None = None
    quality: Quality | None = None
    quality_code: str | None = None

    def __post_init__(self) -> None:
        """Check the shape; what a value means is the rules' matter."""
        if self.number is not None and not is_decimal(self.number):
            check_decimal(self.number, "number")
        if (self.number is not None) != (self.kind == "number"):
            raise InputError("number with kind number alone", found=self.kind, code="value.kind")
        if (self.absent is not None) != (self.kind == "absent"):
            raise InputError("absent with kind absent alone", found=self.kind, code="value.kind")


class Identifier(Frozen, frozen=True, kw_only=True):
    """A thing's name: system GLN, DUNS, FEI, GTIN, UNII or `urn:fedbatch:party:<id>:<kind>`."""

    system: str
    value: str
    assigner: str | None = None


class Locator(Frozen, frozen=True, kw_only=True):
    """Where in an artefact: scheme (S17) and its text."""

    scheme: str
    value: str


class Provenance(Frozen, frozen=True, kw_only=True):
    """Where a record, or the field at `path`, came from (S17, S18).

    `commitment` is SHA-256(salt ‖ UTF-8 of `<file's SHA-256> <scheme> <value>`) in hex; salt and
    text stay with the writer. `artefact` and `locator` stand in the open only where the file is
    shared.
    """

    commitment: str
    extractor: str
    mapping: str
    path: str | None = None
    artefact: str | None = None
    locator: Locator | None = None
    media_type: str | None = None


class ObjectReference(Frozen, frozen=True, kw_only=True):
    """Stored bytes of a segment or attachment, by the SHA-256 of what is stored."""

    sha256: str
    bytes: int
    key_sha256: str | None = None


class Correction(Frozen, frozen=True, kw_only=True):
    """Why a record was replaced or taken back, and by whom."""

    kind: Literal["correct", "withdraw"]
    reason_code: str
    reason: str
    by: str


class Reference(Frozen, frozen=True, kw_only=True):
    """A record named by its business key; `entry` names one version of it (STANDARD §2)."""

    key: tuple[str, ...]
    ledger: str | None = None
    type: str | None = None
    entry: str | None = None


# How a record names another: the key as text where it is one field of the writer's own ledger.
Named = str | Reference


def named_key(reference: Named) -> str:
    """The key of a named record as one text; parts of a longer key are joined by `/`."""
    return reference if isinstance(reference, str) else "/".join(reference.key)


def in_time(instant: str) -> str:
    """An instant as a text that sorts in time: with `Z`, 00.5Z would come before 00Z."""
    return instant.removesuffix("Z")
