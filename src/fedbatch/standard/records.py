"""The record types of the standard (STANDARD §3): core and plumbing.

A record is what one entry of a ledger states. Fields that every type shares are those of `Record`;
the business key of each type stands in `keys.py`, its schema version in `registry.py`.
"""

from typing import Literal

from fedbatch.standard.findings import Effect, Place
from fedbatch.standard.values import (
    Basis,
    Correction,
    Frozen,
    Identifier,
    Named,
    ObjectReference,
    Provenance,
    Quality,
    Reference,
    Time,
    Value,
    ValueStatus,
)

__all__ = [
    "About",
    "Acknowledgement",
    "Agreement",
    "Anchor",
    "Approval",
    "Attachment",
    "Batch",
    "CarriedLot",
    "Clock",
    "Criterion",
    "Custody",
    "Day",
    "Derivation",
    "Entries",
    "Equipment",
    "EquipmentLot",
    "Erased",
    "Event",
    "FindingRecord",
    "Lot",
    "Party",
    "PointCode",
    "Points",
    "Product",
    "Receipt",
    "Record",
    "Refused",
    "Result",
    "ResultFields",
    "Sample",
    "SamplingModel",
    "Sealed",
    "Series",
    "SeriesConversion",
    "SeriesParameter",
    "Signature",
    "Site",
    "Specification",
    "Step",
    "Substance",
    "Succession",
    "Target",
    "Test",
    "Transformation",
]

State = Literal["planned", "running", "held", "complete", "aborted"]
Level = Literal["procedure", "unit_procedure", "operation", "phase"]
PointRole = Literal["PV", "SP", "OUT"]
Verdict = Literal["pass", "fail", "none"]


class Record(Frozen, frozen=True, kw_only=True):
    """What every record may say (STANDARD §2).

    `version` counts from 1 without gap in this ledger; above 1 `supersedes` (the entry id of the
    version before; for `sealed` a list) and `correction` are required.
    """

    version: int
    supersedes: str | tuple[str, ...] | None = None
    correction: Correction | None = None
    value_status: ValueStatus | None = None
    basis: Basis | None = None
    replaces: tuple[Reference, ...] = ()
    observed_at: Time | None = None
    recorded_at: Time | None = None
    identifiers: tuple[Identifier, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    redacted: tuple[str, ...] = ()


# ---- parties, agreements, products


class Site(Frozen, frozen=True, kw_only=True):
    """A place of a party, with its IANA zone."""

    site: str
    zone: str
    gln: str | None = None
    fei: str | None = None


class Party(Record, frozen=True, kw_only=True):
    """An organisation and the roles it plays in one agreement."""

    party: str
    name: str
    role: tuple[Literal["sponsor", "CMO", "laboratory"], ...]
    sites: tuple[Site, ...] = ()


class Succession(Frozen, frozen=True, kw_only=True):
    """The ledger that this one carries on."""

    ledger: str
    size: int
    root: str


class Agreement(Record, frozen=True, kw_only=True):
    """That an agreement's body (by SHA-256 of its canonical JSON) is in force, paused or ended."""

    agreement: str
    body: str
    state: Literal["one_sided", "proposed", "active", "paused", "ended"]
    succeeds: Succession | None = None


class Substance(Frozen, frozen=True, kw_only=True):
    """A substance in a product by its UNII, with its amount."""

    unii: str
    amount: Value | None = None


class Product(Record, frozen=True, kw_only=True):
    """What is made or used."""

    product: str
    name: str
    kind: Literal["substance", "intermediate", "product", "material"]
    form: str | None = None
    substances: tuple[Substance, ...] = ()


# ---- batches, steps, equipment, lots


class Batch(Record, frozen=True, kw_only=True):
    """One batch, with both parties' identifiers."""

    batch: str
    product: Named
    recipe: Named | None = None
    campaign: str | None = None
    size: Value | None = None
    state: State | None = None
    start: Time | None = None
    end: Time | None = None
    site: str | None = None


class Anchor(Frozen, frozen=True, kw_only=True):
    """The event from which ages in a step are counted."""

    event: Named
    meaning: str


class Step(Record, frozen=True, kw_only=True):
    """An element in execution: procedure, unit procedure, operation or phase."""

    batch: Named
    element: str
    instance: str
    level: Level
    name: str
    parent: Named | None = None
    equipment: tuple[Named, ...] = ()
    state: State | None = None
    start: Time | None = None
    end: Time | None = None
    anchor: Anchor | None = None
    performers: tuple[str, ...] = ()


class EquipmentLot(Frozen, frozen=True, kw_only=True):
    """A resin, filter or single-use lot that a piece of equipment carried."""

    lot: Named
    kind: str


class Equipment(Record, frozen=True, kw_only=True):
    """That a batch occupied a piece of equipment from one time to another."""

    equipment: str
    batch: Named
    from_: Time
    class_: str
    name: str
    window_basis: tuple[Literal["mes", "unit_tag", "logbook", "person"], ...]
    step: Named | None = None
    to: Time | None = None
    calibration_due: Time | None = None
    cleaned: Time | None = None
    cycles: int | None = None
    lots: tuple[EquipmentLot, ...] = ()


class Lot(Record, frozen=True, kw_only=True):
    """A lot of a substance, material or product."""

    lot: str
    product: Named
    quantity: Value | None = None
    status: Literal["quarantine", "approved", "rejected", "consumed"] | None = None
    expiry: Time | None = None
    location: str | None = None
    certificate: Named | None = None


class CarriedLot(Frozen, frozen=True, kw_only=True):
    """A lot that went into or came out of a transformation; `product` as its source stated it."""

    lot: Named
    product: Named | None = None
    quantity: Value | None = None
    use: str | None = None


class Transformation(Record, frozen=True, kw_only=True):
    """What was made from what; without outputs, the batch is the output."""

    transformation: str
    inputs: tuple[CarriedLot, ...]
    batch: Named | None = None
    step: Named | None = None
    kind: str | None = None
    outputs: tuple[CarriedLot, ...] = ()


# ---- series


class SamplingModel(Frozen, frozen=True, kw_only=True):
    """How a series was sampled; gaps are judged by it (S37)."""

    model: Literal["raw", "as_archived", "interpolated", "averaged"]
    dead_band: Value | None = None
    longest_interval: str | None = None
    interval: str | None = None
    window: str | None = None


class SeriesConversion(Frozen, frozen=True, kw_only=True):
    """Applied once to a parameter of a series; undone at `raw_scale` it gives the source's number."""

    factor: str
    rule: str
    offset: str | None = None
    raw_scale: int | None = None


class SeriesParameter(Frozen, frozen=True, kw_only=True):
    """A parameter of a series; its index in the list is for ever."""

    code: str
    role: PointRole
    unit: str
    raw_unit: str
    sampling_model: SamplingModel
    between: Literal["step", "linear"]
    conversion: SeriesConversion | None = None
    tag: str | None = None
    scale: int | None = None


class Clock(Frozen, frozen=True, kw_only=True):
    """The clock of a source."""

    zone: str
    zone_basis: Literal["stated", "configured", "assumed"]
    precision: str
    clock_offset: str | None = None


class Series(Record, frozen=True, kw_only=True):
    """Declares parameters measured together for a batch or step, or for a lot (a shipment)."""

    series: str
    parameters: tuple[SeriesParameter, ...]
    clock: Clock
    precedence: Literal["live", "file"]
    batch: Named | None = None
    lot: Named | None = None
    step: Named | None = None


class PointCode(Frozen, frozen=True, kw_only=True):
    """A quality and the source's own code for it, as points name it by index."""

    quality: Quality
    quality_code: str | None = None


class Points(Record, frozen=True, kw_only=True):
    """New points of a series: equally long arrays (S38)."""

    series: str
    base: str
    index: tuple[int, ...]
    offset: tuple[int, ...]
    scaled: tuple[int | str, ...]
    codes: tuple[PointCode, ...] = ()
    quality: tuple[tuple[int, int], ...] = ()
    raw: tuple[tuple[int, str], ...] = ()


class Entries(Frozen, frozen=True, kw_only=True):
    """A stretch of a ledger, both ends included."""

    first: int
    last: int


class Sealed(Record, frozen=True, kw_only=True):
    """Names the segment in which a stretch of a series is complete (S39)."""

    sealed: str
    series: Named
    from_: str
    to: str
    segment: ObjectReference
    points_hash: str
    count: int
    first: str
    last: str
    complete_until: str
    late: bool = False
    entries: Entries | None = None
    indexes: tuple[int, ...] = ()


# ---- events, samples, results


class Acknowledgement(Frozen, frozen=True, kw_only=True):
    """Who took note of an event, and when."""

    at: Time
    by: str


class Event(Record, frozen=True, kw_only=True):
    """Something that happened in the plant."""

    event: str
    class_: Literal["state", "alarm", "operator", "milestone", "shipment", "environment", "utility"]
    text: str
    code: str | None = None
    to: Time | None = None
    in_control: bool | None = None
    priority: str | None = None
    batch: Named | None = None
    step: Named | None = None
    person: str | None = None
    acknowledged: Acknowledgement | None = None
    values: tuple[Value, ...] = ()


class Day(Frozen, frozen=True, kw_only=True):
    """An ordinal label of a culture day with its agreed origin, never an age (S14)."""

    label: int
    origin: Literal[0, 1]


class Custody(Frozen, frozen=True, kw_only=True):
    """A hand-over of a sample."""

    at: Time
    from_: str
    to: str


class Sample(Record, frozen=True, kw_only=True):
    """What was drawn; drawn and logged times are `observed_at` and `recorded_at`."""

    sample: str
    point: str
    batch: Named | None = None
    lot: Named | None = None
    step: Named | None = None
    planned: Time | None = None
    received: Time | None = None
    tested: Time | None = None
    approved: Time | None = None
    nutrient_feed: Literal["before", "after"] | None = None
    day: Day | None = None
    container: str | None = None
    parent: Named | None = None
    quantity: Value | None = None
    custody: tuple[Custody, ...] = ()


class Derivation(Frozen, frozen=True, kw_only=True):
    """How a derived result was computed from a series (S41)."""

    rule: str
    rules_version: str
    series: Named
    index: int
    from_: str
    to: str
    segments: tuple[str, ...]
    coverage: str
    anchor: Named | None = None
    at: str | None = None
    least: str | None = None
    greatest: str | None = None


class ResultFields(Record, frozen=True, kw_only=True):
    """A result without the name of its parameter, which journal and ledger give differently."""

    role: Literal["PV", "SP", "OUT", "result"]
    value: Value
    form: Literal["replicate", "reportable", "derived"]
    attempt: int
    replicate: int
    batch: Named | None = None
    lot: Named | None = None
    sample: Named | None = None
    step: Named | None = None
    attempt_kind: Literal["original", "repeat", "retest", "resample"] | None = None
    of: tuple[Named, ...] = ()
    combined: str | None = None
    reference_lot: Named | None = None
    assays: int | None = None
    analysed: Time | None = None
    method: str | None = None
    analyst: str | None = None
    instrument: str | None = None
    specification: Named | None = None
    verdict: Verdict | None = None
    invalidated: str | None = None
    derivation: Derivation | None = None


class Result(ResultFields, frozen=True, kw_only=True):
    """A value of a parameter that the agreement names by its code."""

    code: str


class Criterion(Frozen, frozen=True, kw_only=True):
    """Bounds of a test in a specification."""

    low: str | None = None
    high: str | None = None
    inclusive: bool = True
    text: str | None = None
    stage: str | None = None


class Test(Frozen, frozen=True, kw_only=True):
    """A test of a specification."""

    test: str
    code: str
    criteria: tuple[Criterion, ...]
    method: str | None = None


class Specification(Record, frozen=True, kw_only=True):
    """What a product must meet, from a batch or a time on."""

    specification: str
    product: Named
    market: tuple[str, ...]
    scope: Literal["registered", "internal"]
    stage: Literal["ipc", "release", "shelf_life", "raw_material"]
    date_basis: Literal["manufactured", "tested", "released"]
    tests: tuple[Test, ...]
    from_batch: str | None = None
    from_: Time | None = None


class Target(Frozen, frozen=True, kw_only=True):
    """An entry that an approval raises."""

    entry: str


class Approval(Record, frozen=True, kw_only=True):
    """The act that raises value status (S15)."""

    approval: str
    from_: ValueStatus
    to: Literal["checked", "approved"]
    targets: tuple[Target, ...] = ()
    list: Named | None = None
    reason: str | None = None


class FindingRecord(Record, frozen=True, kw_only=True):
    """A finding that crosses: only where something was held back or refused (S45)."""

    finding: str
    rule: str
    rules_version: str
    as_of: str
    severity: int
    where: Place
    found: str
    expected: str
    effect: Effect
    path: str | None = None


# ---- plumbing


class About(Frozen, frozen=True, kw_only=True):
    """The version of a record that a signature is bound to."""

    entry: str
    version: int
    leaf: str


class Signature(Record, frozen=True, kw_only=True):
    """A person's signature with its meaning."""

    signature: str
    about: tuple[About, ...]
    signer: str
    printed_name: str
    role: str
    meaning: Literal[
        "authored",
        "performed",
        "checked",
        "reviewed",
        "approved",
        "released",
        "confirmed",
        "certified",
        "rejected",
    ]
    method: Literal["passkey", "password_totp", "local"]
    signed_at: Time
    reason: str | None = None
    assertion: str | None = None


class Attachment(Record, frozen=True, kw_only=True):
    """Any other bytes, named by the SHA-256 of what is stored."""

    object: ObjectReference
    media_type: str
    name: str
    kind: str
    about: tuple[Reference, ...] = ()


def object_of(record: Record) -> ObjectReference | None:
    """The object that a record names: the segment of a sealed stretch, or an attachment's bytes."""
    if isinstance(record, Sealed):
        return record.segment
    return record.object if isinstance(record, Attachment) else None


class Refused(Frozen, frozen=True, kw_only=True):
    """A refused entry and the finding that says why."""

    entry: str
    finding: Named


class Erased(Frozen, frozen=True, kw_only=True):
    """An entry whose bytes were erased here; its leaf hash stays."""

    entry: str
    leaf: str


class Receipt(Record, frozen=True, kw_only=True):
    """Written besides the cosignature when something was refused, missing, found or erased."""

    ledger: str
    size: int
    cause: tuple[Literal["refusal", "finding", "missing", "erasure"], ...]
    refused: tuple[Refused, ...] = ()
    missing: tuple[str, ...] = ()
    erased: tuple[Erased, ...] = ()
    findings: tuple[Named, ...] = ()
