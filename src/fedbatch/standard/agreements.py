"""The body of an agreement (STANDARD §5): what two parties have agreed to exchange about a product.

The body is a plain attachment whose canonical JSON both sides hash; the `agreement` record names the
hash. Every party reads the body with the same types, so limits and rights mean one thing.
"""

from typing import Literal

from fedbatch.standard.records import Criterion
from fedbatch.standard.values import Frozen, Identifier, ValueStatus

__all__ = [
    "AgreedParameter",
    "AgreedParty",
    "AgreedProduct",
    "AgreedSite",
    "AgreedSpecification",
    "AgreedTest",
    "AgreementBody",
    "Balance",
    "Cadence",
    "Calendar",
    "ClockTerm",
    "Derive",
    "Effective",
    "Limit",
    "LimitKind",
    "ObjectPolicy",
    "Redaction",
    "Retention",
    "Right",
    "Role",
    "Rounding",
    "Sampling",
    "StatusPolicy",
]

LimitKind = Literal["NOR", "PAR", "alert", "action", "plausible"]
Role = Literal["PV", "SP", "OUT", "result"]


class AgreedParty(Frozen, frozen=True, kw_only=True):
    """A party of the agreement by its random id, and the role it plays here.

    While the agreement is one-sided the partner is only named: it has no id yet.
    """

    role: Literal["sponsor", "CMO", "laboratory"]
    name: str
    party: str = ""


class AgreedProduct(Frozen, frozen=True, kw_only=True):
    """A product of the agreement: its id here, its name, both parties' identifiers."""

    id: str
    name: str
    identifiers: tuple[Identifier, ...] = ()


class AgreedSite(Frozen, frozen=True, kw_only=True):
    """A site of the agreement with its IANA zone."""

    site: str
    zone: str


class Effective(Frozen, frozen=True, kw_only=True):
    """From when to when, as UTC instants; without `to`, until ended."""

    from_: str
    to: str | None = None


class Limit(Frozen, frozen=True, kw_only=True):
    """A bound of a parameter, the step it holds in, and from when.

    `from_batch` names the first batch (by any party's number); `from_` a UTC instant.
    """

    kind: LimitKind
    low: str | None = None
    high: str | None = None
    inclusive: bool = True
    element: str | None = None
    persistence: str | None = None
    averaging: str | None = None
    ramp: str | None = None
    from_batch: str | None = None
    from_: str | None = None


class Sampling(Frozen, frozen=True, kw_only=True):
    """How often a parameter is expected, and at least how many."""

    kind: Literal["continuous", "interval", "per_step", "per_sample", "per_batch"]
    least_count: int = 1
    interval: str | None = None


class Rounding(Frozen, frozen=True, kw_only=True):
    """Rounding before comparison: as recorded, or half-up to so many decimals."""

    kind: Literal["as_recorded", "half_up"] = "as_recorded"
    decimals: int | None = None


class Derive(Frozen, frozen=True, kw_only=True):
    """What a series says of a result.

    With `element` the CMO's node computes the result from the series over that step, by `rule`; spans
    of time are outside, or meet, `low` to `high`, in seconds. Without it a source states the result,
    which must equal the series over the result's step (or `at` its time) within `tolerance`.
    """

    rule: Literal[
        "minimum", "maximum", "mean", "integral", "time_outside", "longest_excursion", "hold", "at"
    ]
    of: str
    of_role: Literal["PV", "SP", "OUT"] = "PV"
    element: str | None = None
    low: str | None = None
    high: str | None = None
    coverage: str = "1"
    tolerance: str = "0"


class Balance(Frozen, frozen=True, kw_only=True):
    """That what counters say went in is what a weight gained, over an element.

    `counted` are codes of totalisers, of which the first is judged; the difference may be so great a
    share of what the first counted. `factor` turns the sum into the weight's unit.
    """

    counted: tuple[str, ...]
    weighed: str
    element: str
    tolerance_share: str
    factor: str = "1"


class AgreedParameter(Frozen, frozen=True, kw_only=True):
    """A parameter: the agreement's code for a term at a class, position, qualifier and role.

    `unit` is left out for texts, codes and verdicts.
    """

    code: str
    term: str
    role: Role
    unit: str = ""
    equipment_class: str | None = None
    position: str | None = None
    qualifier: str | None = None
    class_: Literal["CPP", "CQA", "KPP", "IPC", "CMA", "EM", "info"] = "info"
    basis: Literal["gmp_record", "information"] = "information"
    element: str | None = None
    lot_scope: str | None = None
    target: str | None = None
    limits: tuple[Limit, ...] = ()
    rounding: Rounding = Rounding()
    sampling: Sampling = Sampling(kind="per_batch")
    derive: Derive | None = None
    established_condition: bool = False


class AgreedTest(Frozen, frozen=True, kw_only=True):
    """A test of a specification in the agreement's file."""

    test: str
    code: str
    criteria: tuple[Criterion, ...]
    method: str | None = None


class AgreedSpecification(Frozen, frozen=True, kw_only=True):
    """A specification that the sponsor posts once the agreement is in force."""

    specification: str
    product: str
    tests: tuple[AgreedTest, ...]
    market: tuple[str, ...] = ("all",)
    scope: Literal["registered", "internal"] = "internal"
    stage: Literal["ipc", "release", "shelf_life", "raw_material"] = "release"
    date_basis: Literal["manufactured", "tested", "released"] = "manufactured"
    from_batch: str | None = None


class Cadence(Frozen, frozen=True, kw_only=True):
    """When agreed data are due after a trigger, and when they are late (ISO 8601 durations)."""

    record_type: str
    trigger: Literal["step_end", "sampled", "approved", "batch_end", "daily", "interval"]
    due: str
    late_after: str
    codes: tuple[str, ...] = ()
    calendar: str = "elapsed"


class ClockTerm(Frozen, frozen=True, kw_only=True):
    """By when a party must be told of a thing of a class (ISO 8601 durations)."""

    about: Literal["deviation", "oos", "quality_record", "excursion"]
    start: Literal["discovered", "observed", "classified"]
    class_: str | None = None
    acknowledge: str | None = None
    notify: str | None = None
    summary: str | None = None
    close: str | None = None
    calendar: str = "elapsed"


class Calendar(Frozen, frozen=True, kw_only=True):
    """Working days (Mon … Sun) and holidays in a zone."""

    calendar: str
    zone: str
    working_days: tuple[str, ...]
    holidays: tuple[str, ...] = ()


class Right(Frozen, frozen=True, kw_only=True):
    """What of a record type may be shared: `*` in a list means all of it. Default: nothing."""

    record_type: str
    codes: tuple[str, ...] = ("*",)
    roles: tuple[str, ...] = ("*",)
    fields: tuple[str, ...] = ("*",)
    batches: tuple[str, ...] = ("*",)
    least_value_status: ValueStatus = "provisional"
    purpose: str | None = None
    until: str | None = None


class Redaction(Frozen, frozen=True, kw_only=True):
    """A path of a record type left out or changed before it is posted."""

    record_type: str
    path: str
    method: Literal["omit", "pseudonym", "round", "coarsen_time", "in_range"]
    decimals: int | None = None


class StatusPolicy(Frozen, frozen=True, kw_only=True):
    """From which value status data are sent, who raises it, and what the sponsor may rest on it."""

    send_from: ValueStatus = "provisional"
    raised_by: tuple[str, ...] = ("reviewer", "quality")
    second_person: bool = True
    signature: bool = True
    least_for_live: ValueStatus = "provisional"
    least_for_verification: ValueStatus = "approved"
    least_for_disposition: ValueStatus = "approved"


class ObjectPolicy(Frozen, frozen=True, kw_only=True):
    """Which objects are encrypted at rest and on the wire."""

    encrypt_attachments: bool = True
    encrypt_segments: bool = False


class Retention(Frozen, frozen=True, kw_only=True):
    """How long, counted from what, and what then."""

    years: int
    start: Literal["batch_end", "expiry", "agreement_end"] = "batch_end"
    afterwards: Literal["keep", "return", "destroy"] = "keep"
    legal_hold: bool = False


class AgreementBody(Frozen, frozen=True, kw_only=True):
    """All of it. `version` counts the body; pause, resumption and end do not change it."""

    id: str
    version: int
    parties: tuple[AgreedParty, ...]
    product: tuple[AgreedProduct, ...]
    sites: tuple[AgreedSite, ...]
    purpose: Literal["pilot", "clinical", "commercial"]
    effective: Effective
    parameters: tuple[AgreedParameter, ...]
    rights: tuple[Right, ...]
    specifications: tuple[AgreedSpecification, ...] = ()
    balances: tuple[Balance, ...] = ()
    day_origin: Literal[0, 1] | None = None
    window_tolerance: str | None = None
    cadence: tuple[Cadence, ...] = ()
    clocks: tuple[ClockTerm, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    not_a_deviation: bool = False
    no_duty_to_watch: bool = False
    quality_agreement: str | None = None
    redaction: tuple[Redaction, ...] = ()
    status_policy: StatusPolicy = StatusPolicy()
    objects: ObjectPolicy = ObjectPolicy()
    retention: Retention | None = None
    first_batch: str | None = None
