"""How the CMO of the demo reads its plant, and what it has agreed with each sponsor."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fedbatch.plant.packs import AgreedTag, World
from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedParty,
    AgreedProduct,
    AgreedSite,
    AgreementBody,
    Balance,
    Derive,
    Effective,
    Limit,
    LimitKind,
    Right,
    Role,
    Sampling,
)
from fedbatch.standard.mappings import (
    AbsentText,
    Constant,
    Mapping,
    MappingRule,
    RowFilter,
    SeriesTarget,
)
from fedbatch.standard.values import Identifier

__all__ = ["SOURCES", "TYPES", "agreement_terms", "plant_mappings"]

# The folders the CMO follows; workbooks hold the sheets of `lims` again.
SOURCES = ("mes", "unit_tag", "lims", "historian")
TYPES = ("product", "batch", "step", "equipment", "sample", "series", "result", "finding")
_LOCAL = "Europe/Zurich"
_GERMAN = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
_ISO = ("%Y-%m-%dT%H:%M:%SZ",)
_CLASS = "bioreactor"
_NOT_USED = "not used here"


def plant_mappings(world: World, batch: str = "") -> list[Mapping]:
    """Every source of the plant, as its process engineer would have mapped it.

    Dead bands are those set up while `batch` is made.
    """
    trains = sorted({tag.train for tag in world.tags})
    return [
        _batches(),
        _steps(),
        _step_windows(),
        _unit_tags(),
        *(_step_values(parameter, term, unit) for parameter, term, unit in _EXTREMES),
        _samples(),
        *(
            _historian(train, [_set_up(t, batch) for t in world.tags if t.train == train])
            for train in trains
        ),
    ]


def _set_up(tag: AgreedTag, batch: str) -> AgreedTag:
    return replace(tag, dead_band=tag.dead_band_in.get(batch, tag.dead_band))


def _field(header: str, field: str, **more: str) -> MappingRule:
    return MappingRule(header=header, field=field, **more)  # type: ignore[arg-type] # texts of a rule


def _ignored(*headers: str) -> tuple[MappingRule, ...]:
    return tuple(MappingRule(header=item, ignored=_NOT_USED) for item in headers)


def _sheet(source: str, *rules: MappingRule, **more: object) -> Mapping:
    """A sheet in the plant's own manner: local times, a comma before decimals."""
    fields: dict[str, object] = {
        "source": source,
        "version": 1,
        "shape": "row_a_batch",
        "decimal_mark": ",",
        "zone": _LOCAL,
        "time_formats": _GERMAN,
        "rules": rules,
    }
    return Mapping(**{**fields, **more})  # type: ignore[arg-type] # fields of a mapping


def _batches() -> Mapping:
    return _sheet(
        "mes-batches",
        _field("Batch", "batch"),
        _field("Product", "product"),
        _field("Sponsor batch no.", "batch.partner"),
        *_ignored("Train", "Unit", "Planned size (L)"),
        _field("Start", "batch.start"),
        _field("End", "batch.end"),
        _field("State", "batch.state"),
    )


def _steps() -> Mapping:
    return _sheet(
        "mes-steps",
        _field("Batch", "batch"),
        *_ignored("Product", "Unit", "Level", "Operator"),
        _field("Step", "step"),
        _field("Start", "step.start"),
        _field("End", "step.end"),
        only=(
            RowFilter(
                header="Level", texts=("phase",), reason="the operation is mapped by mes-windows"
            ),
        ),
    )


def _step_windows() -> Mapping:
    return _sheet(
        "mes-windows",
        _field("Batch", "batch"),
        *_ignored("Product", "Level", "Step", "Operator"),
        _field("Unit", "equipment"),
        _field("Start", "equipment.from"),
        _field("End", "equipment.to"),
        constants=(
            Constant(field="equipment.basis", text="mes"),
            Constant(field="equipment.class", text=_CLASS),
        ),
        only=(
            RowFilter(
                header="Step", texts=("BIOREACTOR",), reason="phases are mapped by mes-steps"
            ),
        ),
    )


def _unit_tags() -> Mapping:
    return _sheet(
        "unit-tag",
        _field("Unit", "equipment"),
        _field("Batch", "batch"),
        *_ignored("State"),
        _field("From (UTC)", "equipment.from"),
        _field("To (UTC)", "equipment.to"),
        zone="UTC",
        decimal_mark=".",
        time_formats=_ISO,
        constants=(
            Constant(field="equipment.basis", text="unit_tag"),
            Constant(field="equipment.class", text=_CLASS),
        ),
        only=(
            RowFilter(
                header="State",
                texts=("PRODUCTION",),
                reason="preparation lies outside the agreed window",
            ),
        ),
    )


_EXTREMES = (
    ("PH", "ph", "[pH]"),
    ("DO", "dissolved_oxygen.saturation", "%"),
    ("TEMP", "temperature.vessel", "Cel"),
)


def _step_values(parameter: str, term: str, unit: str) -> Mapping:
    def value(header: str, qualifier: str) -> MappingRule:
        return MappingRule(
            header=header, term=term, equipment_class=_CLASS, qualifier=qualifier, unit=unit
        )

    return _sheet(
        f"mes-values-{parameter.lower()}",
        _field("Batch", "batch"),
        *_ignored("Unit", "Parameter", "Unit of measure"),
        _field("Step", "step"),
        value("Minimum", "least"),
        value("Mean", "mean"),
        value("Maximum", "greatest"),
        _field("Recorded", "observed_at"),
        shape="wide",
        only=(
            RowFilter(
                header="Parameter", texts=(parameter,), reason="each parameter has its mapping"
            ),
        ),
    )


def _samples() -> Mapping:
    def result(header: str, term: str, unit: str) -> MappingRule:
        return MappingRule(header=header, term=term, equipment_class=_CLASS, unit=unit)

    return _sheet(
        "lims",
        _field("Sample No.", "sample"),
        _field("Batch", "batch"),
        *_ignored("Day", "Before/after feed", "Status"),
        _field("Logged", "observed_at"),
        result("VCD (10^6/mL)", "cell.density.viable", "10*6/mL"),
        result("Viability (%)", "cell.viability", "%"),
        result("Glucose (g/L)", "glucose", "g/L"),
        result("Lactate (g/L)", "lactate", "g/L"),
        result("pH offline", "ph.offline", "[pH]"),
        result("pCO2 (mmHg)", "pco2", "mm[Hg]"),
        result("Osmolality (mOsm/kg)", "osmolality", "mosm/kg"),
        result("Titre (g/L)", "titre", "g/L"),
        _field("Analyst", "analyst"),
        shape="wide",
        constants=(Constant(field="sample.point", text="bioreactor"),),
        absent_texts=(AbsentText(text="", reason="not_tested"),),
    )


def _historian(train: int, tags: Sequence[AgreedTag]) -> Mapping:
    is_local = train == 2  # noqa: PLR2004 - the train whose file is in local time
    when = f"Timestamp (local time {_LOCAL})" if is_local else "Timestamp (UTC)"
    return _sheet(
        f"historian-train{train}",
        _field("Tag", "tag"),
        _field(when, "observed_at"),
        _field("Value", "value"),
        _field("Status", "quality"),
        *(_tag(item) for item in tags),
        shape="long",
        decimal_mark=".",
        zone=_LOCAL if is_local else "UTC",
        time_formats=("%d.%m.%Y %H:%M:%S",) if is_local else _ISO,
        precedence="live",
        constants=(Constant(field="equipment", text=f"BR20{train}"),),
        absent_texts=(AbsentText(text="No Data", reason="not_logged"),),
    )


def _tag(tag: AgreedTag) -> MappingRule:
    if not tag.code:
        return MappingRule(tag=tag.name, ignored="no sponsor has agreed on it")
    return MappingRule(
        tag=tag.name,
        term=tag.term,
        role=tag.role,
        unit=tag.unit,
        equipment_class=_CLASS,
        position=tag.position or None,
        series=SeriesTarget(
            model=tag.model,
            between=tag.between,
            dead_band=tag.dead_band,
            longest_interval=tag.longest_interval,
            scale=str(tag.decimals),
        ),
    )


_ROLES: dict[str, Role] = {"PV": "PV", "SP": "SP", "OUT": "OUT", "result": "result"}
_LIMITS: dict[str, LimitKind] = {"NOR": "NOR", "PAR": "PAR"}
_CLASSES: dict[str, Literal["CPP", "KPP", "info"]] = {"CPP": "CPP", "KPP": "KPP", "info": "info"}
_SAMPLINGS: dict[str, Literal["continuous", "per_step", "per_sample"]] = {
    "continuous": "continuous",
    "per_step": "per_step",
    "per_sample": "per_sample",
}


def agreement_terms(
    world: World, agreement: str, cmo: AgreedParty, sponsor: AgreedParty, product: str
) -> AgreementBody:
    """What the CMO agrees with the sponsor of a product of the plant."""
    made = {item.product.code: item.product for item in world.batches}[product]
    system = f"urn:fedbatch:party:{cmo.party}:product"
    return AgreementBody(
        id=agreement,
        version=1,
        parties=(cmo, sponsor),
        product=(
            AgreedProduct(
                id=f"p-{agreement}",
                name=made.name,
                identifiers=(Identifier(system=system, value=product),),
            ),
        ),
        sites=(AgreedSite(site="plant A", zone=_LOCAL),),
        purpose="pilot",
        effective=Effective(from_="2026-01-01T00:00:00Z"),
        parameters=_parameters(world, product),
        rights=tuple(Right(record_type=item) for item in TYPES),
        window_tolerance="PT5M",
        balances=(
            Balance(
                counted=("FEED", "GLC-FEED", "BASE"),
                weighed="WEIGHT",
                element="FEED",
                tolerance_share="0.12",
            ),
        ),
        not_a_deviation=True,
    )


# Figures that are told twice: by the laboratory or the MES, and by the historian.
_DERIVED = {
    "PH-OFF": Derive(rule="at", of="PH", tolerance="0.10"),
    "PH-MIN": Derive(rule="minimum", of="PH", tolerance="0.05"),
    "PH-MAX": Derive(rule="maximum", of="PH", tolerance="0.05"),
}


# Figures that nobody states: the node computes them from the series once the phase is over.
_COMPUTED = (
    AgreedParameter(
        code="DO-LOW",
        term="dissolved_oxygen.saturation",
        qualifier="least, computed",
        equipment_class=_CLASS,
        role="result",
        unit="%",
        class_="CPP",
        derive=Derive(rule="minimum", of="DO", element="PRODUCTION"),
    ),
    AgreedParameter(
        code="DO-UNDER",
        term="dissolved_oxygen.saturation",
        qualifier="time under 20 %",
        equipment_class=_CLASS,
        role="result",
        unit="s",
        class_="CPP",
        derive=Derive(rule="time_outside", of="DO", element="PRODUCTION", low="20"),
    ),
    AgreedParameter(
        code="TEMP-MEAN",
        term="temperature.vessel",
        qualifier="mean, computed",
        equipment_class=_CLASS,
        role="result",
        unit="Cel",
        class_="CPP",
        derive=Derive(rule="mean", of="TEMP", element="PRODUCTION"),
    ),
)


def _parameters(world: World, product: str) -> tuple[AgreedParameter, ...]:
    found = {}
    for item in world.parameters:
        if item.product != product:
            continue
        found[item.code, item.role] = AgreedParameter(
            code=item.code,
            term=item.term,
            role=_ROLES[item.role],
            unit=item.unit,
            equipment_class=item.equipment_class or None,
            position=item.position or None,
            qualifier=item.qualifier or None,
            class_=_CLASSES[item.class_],
            derive=_DERIVED.get(item.code),
            sampling=Sampling(kind=_SAMPLINGS[item.sampling]),
            limits=tuple(
                Limit(
                    kind=_LIMITS[limit.kind],
                    low=limit.low,
                    high=limit.high,
                    element=limit.element,
                    persistence=limit.persistence,
                )
                for limit in item.limits
            ),
        )
    for computed in _COMPUTED:
        found[computed.code, computed.role] = computed
    return tuple(found.values())
