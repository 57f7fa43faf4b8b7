"""The plant's own names of its data points, and how its historian keeps them."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["COARSE_PH", "LONGEST_S", "TAGS", "UNITS", "Tag", "tag_name", "vessel_name"]

# A healthy tag that never leaves its dead band still archives a point in eight hours.
LONGEST_S = 8 * 3_600
# Fault 2: 2 % of the pH span of 14, in hundredths of pH.
COARSE_PH = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag of a reactor: what it means and when the historian archives it.

    `dead_band` counts quanta of the last decimal. `step` tags are archived once they left the band;
    `linear` ones once they left half of it, together with the reading before, so that in both cases
    the truth lies within one dead band of what a reader draws.
    """

    suffix: str
    term: str
    role: Literal["PV", "SP", "OUT"]
    unit: str
    decimals: int
    dead_band: int
    between: Literal["step", "linear"]
    code: str = ""
    position: str = ""

    @property
    def band(self) -> str:
        """The dead band as a decimal in the tag's unit."""
        return f"{self.dead_band / 10**self.decimals:.{self.decimals}f}"


def _tag(
    suffix: str,
    code: str,
    term: str,
    unit: str,
    keeping: tuple[int, int, Literal["step", "linear"]],
    position: str = "",
) -> Tag:
    kind = suffix.rpartition(".")[2]
    role: Literal["PV", "SP", "OUT"] = "SP" if kind == "SP" else "OUT" if kind == "OUT" else "PV"
    decimals, dead_band, between = keeping
    return Tag(
        suffix=suffix,
        term=term,
        role=role,
        unit=unit,
        decimals=decimals,
        dead_band=dead_band,
        between=between,
        code=code,
        position=position,
    )


TAGS: tuple[Tag, ...] = (
    _tag("PH.PV", "PH", "ph", "[pH]", (2, 2, "step")),
    _tag("PH.SP", "PH-SP", "ph", "[pH]", (2, 0, "step")),
    _tag("DO.PV", "DO", "dissolved_oxygen.saturation", "%", (1, 30, "step")),
    _tag("DO.SP", "DO-SP", "dissolved_oxygen.saturation", "%", (1, 0, "step")),
    _tag("DO.OUT", "DO-OUT", "control.output", "%", (1, 20, "step"), "DO"),
    _tag("TEMP.PV", "TEMP", "temperature.vessel", "Cel", (2, 10, "linear")),
    _tag("TEMP.SP", "TEMP-SP", "temperature.vessel", "Cel", (2, 4, "step")),
    _tag("TJKT.PV", "", "temperature.jacket", "Cel", (1, 10, "linear")),
    _tag("AGIT.PV", "AGIT", "agitation.speed", "/min", (1, 10, "linear")),
    _tag("AGIT.SP", "", "agitation.speed", "/min", (0, 0, "step")),
    _tag("O2.PV", "O2", "gas.flow.oxygen", "L/min", (2, 50, "linear")),
    _tag("AIR.PV", "AIR", "gas.flow.air", "L/min", (1, 5, "linear")),
    _tag("CO2.PV", "CO2", "gas.flow.carbon_dioxide", "L/min", (2, 20, "linear")),
    _tag("BASE.TOT", "BASE", "base.volume", "L", (2, 10, "step")),
    _tag("FEED.PV", "", "feed.flow", "L/h", (2, 10, "step")),
    _tag("FEED.TOT", "FEED", "feed.volume", "L", (1, 2, "step")),
    _tag("GLC.TOT", "GLC-FEED", "glucose.feed.volume", "L", (2, 5, "step")),
    _tag("WEIGHT.PV", "WEIGHT", "weight.vessel", "kg", (1, 20, "linear")),
    _tag("PRESS.PV", "", "pressure.head", "bar{gauge}", (3, 20, "linear")),
)

# As the plant writes them.
UNITS = {
    "[pH]": "pH",
    "%": "%",
    "Cel": "°C",
    "/min": "1/min",
    "L/min": "L/min",
    "L/h": "L/h",
    "L": "L",
    "kg": "kg",
    "bar{gauge}": "barg",
}


def vessel_name(train: int) -> str:
    """Return the production reactor of a train."""
    return f"BR20{train}"


def tag_name(train: int, tag: Tag) -> str:
    """Return the tag's full name at a train, such as `AI_BR201_PH.PV`."""
    return f"AI_{vessel_name(train)}_{tag.suffix}"
