"""Source checks that need several columns of one source, and no agreement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding

__all__ = ["Extremes", "order_findings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """Least, mean and greatest of one parameter by row; columns are equally long, `mean` may be ().

    `name` is the parameter as findings call it; `places` says where each row lies.
    """

    name: str
    places: Sequence[Place]
    least: Sequence[Decimal | None]
    greatest: Sequence[Decimal | None]
    mean: Sequence[Decimal | None] = ()


def order_findings(extremes: Extremes) -> Iterator[Finding]:
    """`order.min_mean_max` for each row whose least, mean and greatest do not stand in this order.

    Equal numbers are in order. A missing one is skipped: what is there is compared.
    """
    means = extremes.mean or (None,) * len(extremes.places)
    rows = zip(extremes.places, extremes.least, means, extremes.greatest, strict=True)
    for place, *numbers in rows:
        there = [
            (name, number)
            for name, number in zip(("least", "mean", "greatest"), numbers, strict=True)
            if number is not None
        ]
        if [number for _, number in there] != sorted(number for _, number in there):
            yield finding(
                "order.min_mean_max",
                place,
                found=", ".join(f"{name} {number}" for name, number in there),
                expected=f"least ≤ mean ≤ greatest of {extremes.name}",
            )
