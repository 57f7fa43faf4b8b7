"""Derived results of this home's own series, as an agreement wants them."""

from fedbatch.node.home import Home
from fedbatch.node.series import BatchSeries, every_series, reckon, sealed_stretches, sealed_until
from fedbatch.ports import KnownAgreement
from fedbatch.rules.deriving import derived_results
from fedbatch.rules.facts import Facts
from fedbatch.rules.series import SeriesFacts
from fedbatch.services.folding import fold_facts
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.values import named_key

__all__ = ["derive_all"]


def derive_all(home: Home, known: KnownAgreement, body: AgreementBody) -> list[records.Result]:
    """Every derived result of the own ledger's series whose step is over and sealed."""
    if not any(item.derive is not None and item.derive.element for item in body.parameters):
        return []
    store = home.ledgers(known.agreement)
    own = store.ledgers()[0].ledger
    facts = fold_facts(store)
    found: list[records.Result] = []
    for item in every_series(home, known):
        if item.ledger == own:
            found += _derive(home, item, body, facts)
    return found


def _derive(
    home: Home, item: BatchSeries, body: AgreementBody, facts: Facts
) -> list[records.Result]:
    until = sealed_until(home, item)
    if until is None:
        return []
    batch = named_key(item.series.batch) if item.series.batch is not None else ""
    steps = tuple(step for step in facts.steps if step.batch == batch)
    elements = {p.derive.element for p in body.parameters if p.derive is not None}
    if not any(step.element in elements and step.end is not None for step in steps):
        return []
    stretches = sealed_stretches(home, item)
    # The same stretches and steps give the same results: a source that is followed asks every second.
    state = (tuple(stretches), steps)
    kept = home.derived.get(item.series.series)
    if kept is not None and kept[0] == state:
        return kept[1]
    block, _ = reckon(home, item)
    series = SeriesFacts(
        series=item.series.series,
        batch=batch,
        parameters=item.series.parameters,
        block=block,
        complete_until=until,
        steps=steps,
    )
    found = list(derived_results(body, series, stretches))
    home.derived[item.series.series] = (state, found)
    return found
