"""What is made at the simulated plant, and the figures it is made by.

The figures are indicative general knowledge, chosen to agree with one another. They are fixtures
of a demonstration and never limits for anybody's product.
"""

from dataclasses import dataclass

__all__ = ["ANTIBODY", "SECOND", "Limit", "Parameter", "Product", "agreed_parameters"]

# The persistence that pH and oxygen limits ask for: an alkaline addition, a drawn sample and
# antifoam disturb the probe for less than that.
PERSISTENCE = "PT10M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product: the plant's code, whose it is, and its process.

    Temperatures in °C, `shift_day` and `feed_day` in days of culture age, feed in litres a day,
    `growth` and `productivity` as factors on the kinetics of `culture`.
    """

    code: str
    name: str
    sponsor: str
    sponsor_prefix: str
    ph: float
    growth_c: float
    production_c: float
    shift_day: float = 6.0
    feed_day: int = 3
    feed_l: float = 42.0
    growth: float = 1.0
    productivity: float = 1.0


ANTIBODY = Product(
    code="P-1207",
    name="antibody 1",
    sponsor="sponsor-1",
    sponsor_prefix="AB1-",
    ph=7.0,
    growth_c=36.5,
    production_c=34.0,
)

# Set-points that the first product never has: whatever bears them is the second sponsor's.
SECOND = Product(
    code="P-2210",
    name="antibody 2",
    sponsor="sponsor-2",
    sponsor_prefix="KX-",
    ph=6.93,
    growth_c=37.2,
    production_c=33.1,
    growth=0.98,
    productivity=0.8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A bound as an agreement states it; `element` is the phase's name in the step table."""

    kind: str
    low: str | None = None
    high: str | None = None
    element: str | None = None
    persistence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter as an agreement would name it; `unit` is UCUM, `term` one of the dictionary."""

    product: str
    code: str
    term: str
    role: str
    unit: str
    position: str = ""
    qualifier: str = ""
    equipment_class: str = "bioreactor"
    class_: str = "info"
    sampling: str = "continuous"
    target: str = ""
    limits: tuple[Limit, ...] = ()


def _around(kind: str, middle: float, half: float, decimals: int, **more: str) -> Limit:
    low, high = (f"{middle + sign * half:.{decimals}f}" for sign in (-1, 1))
    return Limit(kind=kind, low=low, high=high, **more)


CONTROLLED = ("GROWTH", "TEMP-SHIFT", "PRODUCTION")


def _ph_limits(product: Product) -> tuple[Limit, ...]:
    return tuple(
        limit
        for element in CONTROLLED
        for limit in (
            _around("NOR", product.ph, 0.10, 2, element=element, persistence=PERSISTENCE),
            Limit(
                kind="PAR",
                low=f"{product.ph - 0.20:.2f}",
                high=f"{product.ph + 0.25:.2f}",
                element=element,
                persistence=PERSISTENCE,
            ),
        )
    )


def _oxygen_limits() -> tuple[Limit, ...]:
    return tuple(
        Limit(kind=kind, low=low, high=high, element=element, persistence=PERSISTENCE)
        for element in CONTROLLED
        for kind, low, high in (("NOR", "30", "50"), ("PAR", "20", "70"))
    )


def _temperature_limits(product: Product) -> tuple[Limit, ...]:
    held = (("GROWTH", product.growth_c), ("PRODUCTION", product.production_c))
    ramp = Limit(
        kind="PAR",
        low=f"{product.production_c - 1.0:.1f}",
        high=f"{product.growth_c + 1.0:.1f}",
        element="TEMP-SHIFT",
    )
    return (
        *(
            _around(kind, middle, half, 1, element=element)
            for element, middle in held
            for kind, half in (("NOR", 0.3), ("PAR", 1.0))
        ),
        ramp,
    )


def _measured(product: Product) -> list[Parameter]:
    rows: list[tuple[str, str, str, str, str, str, tuple[Limit, ...]]] = [
        ("PH", "ph", "PV", "[pH]", "", "CPP", _ph_limits(product)),
        ("PH-SP", "ph", "SP", "[pH]", "", "info", ()),
        ("DO", "dissolved_oxygen.saturation", "PV", "%", "", "CPP", _oxygen_limits()),
        ("DO-SP", "dissolved_oxygen.saturation", "SP", "%", "", "info", ()),
        ("DO-OUT", "control.output", "OUT", "%", "DO", "info", ()),
        ("TEMP", "temperature.vessel", "PV", "Cel", "", "CPP", _temperature_limits(product)),
        ("TEMP-SP", "temperature.vessel", "SP", "Cel", "", "info", ()),
        ("AGIT", "agitation.speed", "PV", "/min", "", "KPP", _agitation_limits()),
        ("O2", "gas.flow.oxygen", "PV", "L/min", "", "KPP", ()),
        ("AIR", "gas.flow.air", "PV", "L/min", "", "info", ()),
        ("CO2", "gas.flow.carbon_dioxide", "PV", "L/min", "", "info", ()),
        ("BASE", "base.volume", "PV", "L", "", "info", ()),
        ("FEED", "feed.volume", "PV", "L", "", "CPP", ()),
        ("GLC-FEED", "glucose.feed.volume", "PV", "L", "", "info", ()),
        ("WEIGHT", "weight.vessel", "PV", "kg", "", "KPP", ()),
    ]
    return [
        Parameter(
            product=product.code,
            code=code,
            term=term,
            role=role,
            unit=unit,
            position=position,
            class_=class_,
            limits=limits,
        )
        for code, term, role, unit, position, class_, limits in rows
    ]


def _agitation_limits() -> tuple[Limit, ...]:
    # The speed is raised in stages from 85 to 110; each is held within ±2.
    return tuple(Limit(kind="NOR", low="83", high="112", element=element) for element in CONTROLLED)


def _sampled(product: Product) -> list[Parameter]:
    glucose = (Limit(kind="NOR", low="3", high="6"),)
    osmolality = (Limit(kind="NOR", high="420"), Limit(kind="PAR", high="450"))
    rows: list[tuple[str, str, str, str, tuple[Limit, ...]]] = [
        ("VCD", "cell.density.viable", "10*6/mL", "KPP", ()),
        ("VIAB", "cell.viability", "%", "KPP", ()),
        ("GLC", "glucose", "g/L", "CPP", glucose),
        ("LAC", "lactate", "g/L", "KPP", ()),
        ("PH-OFF", "ph.offline", "[pH]", "info", ()),
        ("PCO2", "pco2", "mm[Hg]", "KPP", (Limit(kind="NOR", high="150"),)),
        ("OSM", "osmolality", "mosm/kg", "KPP", osmolality),
        ("TITRE", "titre", "g/L", "KPP", ()),
    ]
    return [
        Parameter(
            product=product.code,
            code=code,
            term=term,
            role="result",
            unit=unit,
            class_=class_,
            sampling="per_sample",
            limits=limits,
        )
        for code, term, unit, class_, limits in rows
    ]


def _step_extremes(product: Product) -> list[Parameter]:
    return [
        Parameter(
            product=product.code,
            code=f"PH-{name}",
            term="ph",
            role="result",
            unit="[pH]",
            qualifier=qualifier,
            sampling="per_step",
        )
        for name, qualifier in (("MIN", "least"), ("MAX", "greatest"))
    ]


def agreed_parameters(product: Product) -> list[Parameter]:
    """Return what an agreement about `product` names: series, results of samples, step extremes."""
    return [*_measured(product), *_sampled(product), *_step_extremes(product)]
