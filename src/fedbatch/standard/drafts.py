"""Draft record types (STANDARD §3): published as 0.x, and may change until software writes them."""

from typing import Literal

from fedbatch.standard.records import Level, Record
from fedbatch.standard.values import Frozen, Named, Time, Value

__all__ = [
    "Advice",
    "Answer",
    "Certificate",
    "Deviation",
    "Disposition",
    "DispositionCheck",
    "ExpectedTime",
    "KnownAt",
    "QualityRecord",
    "Question",
    "Recipe",
    "RecipeElement",
    "RecipeLimit",
    "RecipeMaterial",
    "RecipeParameter",
    "Schedule",
    "StatedVerdict",
]


class RecipeLimit(Frozen, frozen=True, kw_only=True):
    """A limit that a recipe proposes; the agreement's limits judge."""

    kind: Literal["NOR", "PAR", "alert", "action", "plausible"]
    low: str | None = None
    high: str | None = None


class RecipeParameter(Frozen, frozen=True, kw_only=True):
    """A parameter of a recipe element."""

    code: str
    target: Value | None = None
    limits: tuple[RecipeLimit, ...] = ()


class RecipeMaterial(Frozen, frozen=True, kw_only=True):
    """A material of a recipe element."""

    product: Named
    quantity: Value | None = None


class RecipeElement(Frozen, frozen=True, kw_only=True):
    """One part of a recipe."""

    element: str
    level: Level
    name: str
    parent: str | None = None
    parameters: tuple[RecipeParameter, ...] = ()
    materials: tuple[RecipeMaterial, ...] = ()
    sampling: tuple[str, ...] = ()


class Recipe(Record, frozen=True, kw_only=True):
    """How the sponsor wants a product made."""

    recipe: str
    recipe_level: Literal["general", "site", "master"]
    product: Named
    elements: tuple[RecipeElement, ...]
    based_on: Named | None = None
    accepts: Named | None = None


class ExpectedTime(Frozen, frozen=True, kw_only=True):
    """A span in which a milestone is expected."""

    low: Time
    high: Time


class Schedule(Record, frozen=True, kw_only=True):
    """Planned, expected and actual time of a milestone of a batch."""

    batch: Named
    milestone: str
    planned: Time | None = None
    expected: ExpectedTime | None = None
    actual: Time | None = None
    reason: str | None = None


class StatedVerdict(Frozen, frozen=True, kw_only=True):
    """A verdict as the certificate states it and as it is computed."""

    test: str
    stated: Literal["pass", "fail", "none"]
    computed: Literal["pass", "fail", "none"]


class Certificate(Record, frozen=True, kw_only=True):
    """Results and verdicts for one lot against one specification version."""

    lot: Named
    specification: Named
    results: tuple[Named, ...]
    verdicts: tuple[StatedVerdict, ...]
    attachment: Named | None = None


class Deviation(Record, frozen=True, kw_only=True):
    """A departure from what was agreed or approved."""

    deviation: str
    class_: Literal["unclassified", "minor", "major", "critical"]
    title: str
    text: str
    discovered: Time
    state: str
    own_class: str | None = None
    batch: tuple[Named, ...] = ()
    step: tuple[Named, ...] = ()
    codes: tuple[str, ...] = ()
    notified: Time | None = None
    classified: Time | None = None
    summarised: Time | None = None
    closed: Time | None = None
    evidence: tuple[Named, ...] = ()


class QualityRecord(Record, frozen=True, kw_only=True):
    """OOS, change, CAPA, complaint or audit, kept in a party's own system and referred to."""

    quality_record: str
    class_: Literal["oos", "change", "capa", "complaint", "audit"]
    system: str
    title: str
    state: str
    affects: tuple[Named, ...] = ()
    from_batch: str | None = None
    due: Time | None = None


class Question(Record, frozen=True, kw_only=True):
    """A question or comment bound to a record, field or cell."""

    question: str
    about: Named
    text: str
    to: str
    path: str | None = None
    due: Time | None = None
    closed: bool = False


class Advice(Record, frozen=True, kw_only=True):
    """The sponsor's request to the plant; a person at the CMO answers and acts."""

    advice: str
    kind: str
    about: Named
    text: str
    values: tuple[Value, ...] = ()
    due: Time | None = None


class Answer(Record, frozen=True, kw_only=True):
    """An answer to a question, an advice or an excursion."""

    answer: str
    about: Named
    text: str | None = None
    decision: (
        Literal["accepted", "declined", "done", "acknowledged", "not_a_deviation", "deviation"]
        | None
    ) = None
    reason: str | None = None


class DispositionCheck(Frozen, frozen=True, kw_only=True):
    """One line of the list on which a disposition rests."""

    check: str
    state: str
    finding: Named | None = None


class KnownAt(Frozen, frozen=True, kw_only=True):
    """How much of a ledger was known."""

    ledger: str
    size: int


class Disposition(Record, frozen=True, kw_only=True):
    """The decision on a batch or lot."""

    batch: Named
    market: str
    kind: Literal[
        "release_to_sponsor",
        "annex16_confirmation",
        "certification",
        "disposition",
        "quarantine_shipment",
    ]
    decision: Literal["accept", "conditional", "hold", "reject", "rework", "reprocess"]
    known_at: tuple[KnownAt, ...]
    checks: tuple[DispositionCheck, ...] = ()
    conditions: tuple[str, ...] = ()
    certified_by: str | None = None
