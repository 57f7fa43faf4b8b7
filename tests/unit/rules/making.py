"""Small facts for tests of rules: what a test does not name is of no importance to it."""

from datetime import UTC, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from fedbatch.rules.facts import BatchFacts, ResultFacts, SampleFacts, SpecificationFacts, StepFacts
from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedParty,
    AgreedProduct,
    AgreedSite,
    AgreementBody,
    Cadence,
    Calendar,
    Effective,
    Limit,
    Rounding,
    Sampling,
)
from fedbatch.standard.records import Criterion, Specification, Test
from fedbatch.standard.values import AbsentReason, Comparator, Precision, Time, Value


def zones(name: str) -> tzinfo:
    if name == "+02:00":
        return timezone(timedelta(hours=2))
    return UTC if name == "UTC" else ZoneInfo(name)


def at(instant: str, *, zone: str = "UTC", precision: Precision = "second") -> Time:
    return Time(instant=instant, text=instant, zone=zone, zone_basis="stated", precision=precision)


def number(text: str, comparator: Comparator | None = None) -> Value:
    return Value(kind="number", number=text, comparator=comparator, raw=text)


def absent(reason: AbsentReason = "blank") -> Value:
    return Value(kind="absent", absent=reason, raw="")


def words(text: str) -> Value:
    return Value(kind="text", raw=text)


def batch(
    name: str = "b1", order: int = 1, *, start: str = "", end: str = "", product: str = "p1"
) -> BatchFacts:
    return BatchFacts(
        batch=name,
        numbers=(f"N-{name}", f"S-{name}"),
        product=product,
        order=order,
        start=at(start) if start else None,
        end=at(end) if end else None,
    )


def step(name: str, element: str, instance: str = "1", *, end: str = "") -> StepFacts:
    return StepFacts(batch=name, element=element, instance=instance, end=at(end) if end else None)


def sample(name: str, drawn: str = "", *, element: str | None = None) -> SampleFacts:
    return SampleFacts(
        sample=name, batch="b1", element=element, observed_at=at(drawn) if drawn else None
    )


def result(
    value: Value | str = "7.0",
    *,
    batch: str = "b1",
    code: str = "PH",
    source: str = "lims",
    replicate: int = 1,
    attempt: int = 1,
    sample: str | None = None,
    observed: str = "",
    element: str | None = None,
    instance: str | None = None,
    covered: str | None = None,
    invalidated: bool = False,
    is_replicate: bool = False,
    entry: str = "",
) -> ResultFacts:
    form = "replicate" if is_replicate else "reportable"
    key = (batch, code, "result", sample or observed, form, str(attempt), str(replicate), source)
    return ResultFacts(
        entry_id=entry or "/".join(key),
        key=key,
        batch=batch,
        code=code,
        role="result",
        form="replicate" if is_replicate else "reportable",
        value=number(value) if isinstance(value, str) else value,
        source=source,
        attempt=attempt,
        replicate=replicate,
        sample=sample,
        observed_at=at(observed) if observed else None,
        element=element,
        instance=instance,
        covered_at=covered,
        invalidated=invalidated,
    )


def parameter(
    *limits: Limit,
    code: str = "PH",
    element: str | None = None,
    rounding: Rounding | None = None,
    sampling: Sampling | None = None,
) -> AgreedParameter:
    return AgreedParameter(
        code=code,
        term="ph",
        role="result",
        unit="[pH]",
        element=element,
        limits=limits,
        rounding=rounding or Rounding(),
        sampling=sampling or Sampling(kind="per_batch"),
    )


def body(
    *parameters: AgreedParameter,
    cadence: tuple[Cadence, ...] = (),
    calendars: tuple[Calendar, ...] = (),
    version: int = 1,
    first_batch: str | None = None,
) -> AgreementBody:
    return AgreementBody(
        id="ag1",
        version=version,
        parties=(
            AgreedParty(party="s", role="sponsor", name="Sponsor"),
            AgreedParty(party="c", role="CMO", name="Maker"),
        ),
        product=(AgreedProduct(id="p1", name="Tablets"),),
        sites=(AgreedSite(site="one", zone="UTC"),),
        purpose="pilot",
        effective=Effective(from_="2026-01-01T00:00:00Z"),
        parameters=parameters,
        rights=(),
        cadence=cadence,
        calendars=calendars,
        first_batch=first_batch,
    )


def specification(
    *criteria: Criterion,
    name: str = "SP-1",
    order: int = 1,
    code: str = "PH",
    product: str = "p1",
    from_batch: str | None = None,
    from_: str = "",
    basis: Literal["manufactured", "tested", "released"] = "manufactured",
    stage: Literal["ipc", "release", "shelf_life", "raw_material"] = "release",
    market: tuple[str, ...] = ("all",),
) -> SpecificationFacts:
    return SpecificationFacts(
        order=order,
        specification=Specification(
            version=1,
            specification=name,
            product=product,
            market=market,
            scope="internal",
            stage=stage,
            date_basis=basis,
            tests=(Test(test="pH value", code=code, criteria=criteria),),
            from_batch=from_batch,
            from_=at(from_) if from_ else None,
        ),
    )
