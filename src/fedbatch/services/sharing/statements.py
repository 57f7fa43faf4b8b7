"""What a party states of itself and of the agreement's own words, whatever its journal holds."""

from fedbatch.services.sharing.plan import SharePlan
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedSpecification, AgreementBody

__all__ = ["state_party", "state_products", "state_specifications"]


def state_party(plan: SharePlan, body: AgreementBody, own: str) -> None:
    """Each party says who it is, once."""
    for party in body.parties:
        if party.party == own:
            sites = tuple(records.Site(site=item.site, zone=item.zone) for item in body.sites)
            plan.add(
                records.Party(
                    version=1,
                    party=party.party,
                    name=party.name,
                    role=(party.role,),
                    sites=sites if party.role == "CMO" else (),
                )
            )


def state_specifications(plan: SharePlan, body: AgreementBody) -> None:
    """The specifications that stand in the agreement's body: the sponsor's to state."""
    for item in body.specifications:
        plan.add(_specification(item))


def _specification(item: AgreedSpecification) -> records.Specification:
    return records.Specification(
        version=1,
        specification=item.specification,
        product=item.product,
        market=item.market,
        scope=item.scope,
        stage=item.stage,
        date_basis=item.date_basis,
        tests=tuple(
            records.Test(test=one.test, code=one.code, criteria=one.criteria, method=one.method)
            for one in item.tests
        ),
        from_batch=item.from_batch,
    )


def state_products(plan: SharePlan, body: AgreementBody) -> None:
    """The agreement's products."""
    for product in body.product:
        plan.add(
            records.Product(
                version=1,
                product=product.id,
                name=product.name,
                kind="product",
                identifiers=product.identifiers,
            )
        )
