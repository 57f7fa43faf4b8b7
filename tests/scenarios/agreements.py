"""Agreements between nodes of a test world."""

from collections.abc import Iterable, Sequence

from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedParty,
    AgreedProduct,
    AgreedSite,
    AgreementBody,
    Effective,
    Right,
    StatusPolicy,
)
from fedbatch.standard.mappings import Mapping
from fedbatch.standard.values import Identifier, ValueStatus
from tests.scenarios.world import Node

ALL_TYPES = (
    "product",
    "batch",
    "step",
    "equipment",
    "lot",
    "transformation",
    "sample",
    "event",
    "result",
    "finding",
)


def parameters_of(mappings: Iterable[Mapping]) -> tuple[AgreedParameter, ...]:
    """One parameter for each thing that mappings measure, its code made from what it is."""
    found: dict[tuple[str, str], AgreedParameter] = {}
    for mapping in mappings:
        for rule in mapping.rules:
            if rule.term is None:
                continue
            parts = (rule.term, rule.position or "", rule.qualifier or "")
            code = "_".join(part.replace(" ", "-") for part in parts if part).upper()
            found[code, rule.role] = AgreedParameter(
                code=code,
                term=rule.term,
                equipment_class=rule.equipment_class,
                position=rule.position,
                qualifier=rule.qualifier,
                role=rule.role,
                unit=rule.unit or "",
            )
    return tuple(found.values())


def tablet_agreement(
    cmo: Node,
    sponsor: Node,
    products: Sequence[str],
    parameters: tuple[AgreedParameter, ...],
    *,
    id: str = "ag-1",  # noqa: A002 - the body's field
    version: int = 1,
    types: Sequence[str] = ALL_TYPES,
    rights: Sequence[Right] = (),
    to: str | None = None,
    window_tolerance: str | None = None,
    send_from: ValueStatus = "provisional",
) -> AgreementBody:
    """A pilot agreement about products, by the CMO's codes."""
    system = f"urn:fedbatch:party:{cmo.party}:product"
    return AgreementBody(
        id=id,
        version=version,
        parties=(
            AgreedParty(party=cmo.party, role="CMO", name="CMO"),
            AgreedParty(party=sponsor.party, role="sponsor", name="Sponsor"),
        ),
        product=tuple(
            AgreedProduct(
                id=f"p-{id}-{code}",
                name=f"Product {code}",
                identifiers=(Identifier(system=system, value=code),),
            )
            for code in products
        ),
        sites=(AgreedSite(site="main", zone="Europe/Ljubljana"),),
        purpose="pilot",
        effective=Effective(from_="2020-01-01T00:00:00Z", to=to),
        parameters=parameters,
        rights=(*(Right(record_type=item) for item in types), *rights),
        window_tolerance=window_tolerance,
        status_policy=StatusPolicy(send_from=send_from),
    )
