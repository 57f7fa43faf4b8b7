"""Genealogy: what lots went into batches must agree with itself."""

from collections.abc import Iterable, Iterator

from fedbatch.rules.facts import CarriedFacts
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding

__all__ = ["lot_findings"]


def lot_findings(carried: Iterable[CarriedFacts]) -> Iterator[Finding]:
    """`lot.two_products` for each lot that batches state to be of more than one product."""
    products: dict[str, dict[str, str]] = {}
    for item in carried:
        if item.product:
            products.setdefault(item.lot, {}).setdefault(item.product, item.batch)
    for lot, stated in sorted(products.items()):
        if len(stated) > 1:
            said = (f"{product} in batch {stated[product]}" for product in sorted(stated))
            yield finding(
                "lot.two_products",
                Place(type="lot", key=(lot,)),
                found=" and ".join(said),
                expected="one product of the lot",
            )
