"""Both ledgers of an agreement folded into the facts that rules judge: the same on both nodes.

Nothing here depends on which node folds: ledgers are told apart by their ids, lateness by the time
of the first cosignature that covers an entry, which both nodes keep.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fedbatch.ports import LedgerRow
from fedbatch.rules.facts import (
    BatchFacts,
    CarriedFacts,
    Change,
    Facts,
    HeldFacts,
    ResultFacts,
    SampleFacts,
    SpecificationFacts,
    Standing,
    Statement,
    StepFacts,
)
from fedbatch.services.numbering import PARTNER_SYSTEM
from fedbatch.services.replication import CopyStore, statements
from fedbatch.standard import drafts, keys, records
from fedbatch.standard.envelope import Statement as EntryStatement
from fedbatch.standard.joining import join_batches
from fedbatch.standard.values import Named, Reference, ValueStatus, named_key

__all__ = ["fold_facts"]

_NAMING = (records.Approval, records.Signature, drafts.Certificate)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A record that stands, with where it lies."""

    index: int
    first: int
    entry_id: str
    source: str
    record: records.Record


@dataclass(slots=True)
class _Ledger:
    """One ledger folded: what stands, what does not any more, and the cosignatures by size."""

    row: LedgerRow
    sizes: list[int]
    instants: list[str]
    standing: dict[tuple[str, tuple[str, ...]], _Standing] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    by_entry: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    sender: str = ""

    def covered_at(self, index: int) -> str | None:
        """The instant of the first cosignature that covers an entry, or None."""
        position = bisect_left(self.sizes, index + 1)
        return self.instants[position] if position < len(self.sizes) else None


def fold_facts(store: CopyStore) -> Facts:
    """The newest state of both ledgers as facts."""
    rows = store.ledgers()
    carried_on = {row.ledger for row in rows} & _carried_on(store, rows)
    ledgers = [_fold_ledger(store, row) for row in rows if row.ledger not in carried_on]
    status = _status(ledgers)
    facts = Facts(
        batches=tuple(item for one in ledgers for item in _batches(one)),
        steps=tuple(item for one in ledgers for item in _steps(one)),
        samples=tuple(item for one in ledgers for item in _samples(one)),
        results=tuple(item for one in ledgers for item in _results(one, status)),
        specifications=tuple(item for one in ledgers for item in _specifications(one)),
        carried=tuple(item for one in ledgers for item in _carried(one)),
        held=tuple(item for one in ledgers for item in _held(one)),
        standings=tuple(item for one in ledgers for item in _standings(one)),
        changes=tuple(item for one in ledgers for item in one.changes),
        statements=tuple(item for one in ledgers for item in _naming(one)),
    )
    facts = _without_replaced(facts, ledgers)
    joined = _joined(ledgers)
    return _under_one_id(facts, joined) if joined else facts


def _without_replaced(facts: Facts, ledgers: Sequence[_Ledger]) -> Facts:
    """Transcribed results that a maker's own record names are judged no more, but held against it."""
    if all(item.basis != "transcribed" for item in facts.results):
        return facts
    by_entry = {item.entry_id: item for item in facts.results}
    pairs = []
    for folded in ledgers:
        for _, item in _standing(folded, "result"):
            for target in _replaced(item, folded, ledgers):
                theirs, own = by_entry.get(target), by_entry.get(item.entry_id)
                if theirs is not None and own is not None and theirs.basis == "transcribed":
                    pairs.append((theirs, own))
    gone = {theirs.entry_id for theirs, _ in pairs}
    left = tuple(item for item in facts.results if item.entry_id not in gone)
    return replace(facts, results=left, replaced=tuple(pairs))


def _replaced(item: _Standing, folded: _Ledger, ledgers: Sequence[_Ledger]) -> list[str]:
    """The entries of the other ledger that a result replaces."""
    return [
        there.entry_id
        for reference in item.record.replaces
        for other in ledgers
        if other is not folded and other.row.ledger == reference.ledger
        if (there := other.standing.get((reference.type or "", reference.key))) is not None
    ]


def _joined(ledgers: Sequence[_Ledger]) -> dict[str, str]:
    """Ids of batches that another id names too, by the numbers that both bear."""
    senders = {folded.row.ledger: folded.sender for folded in ledgers}
    stated = {
        record.batch: [
            (_system(identifier.system, folded, senders), identifier.value)
            for identifier in record.identifiers
        ]
        for folded in ledgers
        for _, item in _standing(folded, "batch")
        if isinstance(record := item.record, records.Batch)
    }
    return join_batches(stated)


def _system(system: str, folded: _Ledger, senders: Mapping[str, str]) -> str:
    """The system of a number that a sponsor knew as its partner's, before that had an id."""
    if system != PARTNER_SYSTEM:
        return system
    others = (party for ledger, party in senders.items() if ledger != folded.row.ledger and party)
    other = next(others, "")
    return f"urn:fedbatch:party:{other}:batch" if other else system


def _under_one_id(facts: Facts, joined: dict[str, str]) -> Facts:
    """Facts in which each batch has one id, so that rules see it once."""
    batches: dict[str, BatchFacts] = {}
    for batch in facts.batches:
        name = joined.get(batch.batch, batch.batch)
        first = batches.get(name)
        batches[name] = batch if first is None else _both(first, batch)
    return replace(
        facts,
        batches=tuple(batches.values()),
        steps=tuple(replace(i, batch=joined.get(i.batch, i.batch)) for i in facts.steps),
        samples=tuple(replace(i, batch=joined.get(i.batch, i.batch)) for i in facts.samples),
        results=tuple(replace(i, batch=joined.get(i.batch, i.batch)) for i in facts.results),
        replaced=tuple(
            (one, replace(two, batch=joined.get(two.batch, two.batch)))
            for one, two in facts.replaced
        ),
        held=tuple(replace(i, batch=joined.get(i.batch, i.batch)) for i in facts.held),
    )


def _both(first: BatchFacts, second: BatchFacts) -> BatchFacts:
    return replace(
        first,
        numbers=tuple(sorted({*first.numbers, *second.numbers})),
        order=min(first.order, second.order),
        start=first.start or second.start,
        end=first.end or second.end,
        state=first.state or second.state,
    )


def _carried_on(store: CopyStore, rows: Sequence[LedgerRow]) -> set[str]:
    before = (store.predecessor(row.ledger) for row in rows)
    return {item.ledger for item in before if item is not None}


def _fold_ledger(store: CopyStore, row: LedgerRow) -> _Ledger:
    """Fold a ledger, and before it those that it carries on: their entries count on through it."""
    folded, start = _Ledger(row=row, sizes=[], instants=[]), 0
    for ledger in _oldest_first(store, row.ledger):
        cosigned = [item for item in store.checkpoints(ledger) if item.cosignature]
        folded.sizes += [start + item.size for item in cosigned]
        folded.instants += [
            datetime.fromtimestamp(item.cosigned_at, UTC).isoformat().replace("+00:00", "Z")
            for item in cosigned
        ]
        for index, statement in statements(store, ledger):
            _fold(folded, start + index, statement)
        start += store.ledger(ledger).size
    return folded


def _oldest_first(store: CopyStore, ledger: str) -> list[str]:
    chain = [ledger]
    while (before := store.predecessor(chain[0])) is not None:
        chain.insert(0, before.ledger)
    return chain


def _fold(folded: _Ledger, index: int, statement: EntryStatement) -> None:
    heading = statement.heading
    folded.sender = heading.sender
    if statement.withdrawal is not None:
        taken_back = str(statement.withdrawal.supersedes)
        name = folded.by_entry.get(taken_back)
        if name is not None:
            folded.standing.pop(name, None)
            _change(folded, taken_back, "withdrawn", name, index)
        return
    record = statement.record
    if record is None:
        return
    source = heading.source.removeprefix("urn:fedbatch:source:")
    in_key = source if isinstance(record, records.Result) else ""
    name = (heading.record_name, keys.key_of(record, source=in_key, entry_id=heading.id))
    before = folded.standing.get(name)
    if before is not None:
        _change(folded, before.entry_id, "superseded", name, index)
    first = before.first if before is not None else index
    folded.standing[name] = _Standing(index, first, heading.id, source, record)
    folded.by_entry[heading.id] = name


def _change(
    folded: _Ledger, entry_id: str, what: str, name: tuple[str, tuple[str, ...]], index: int
) -> None:
    folded.changes.append(
        Change(
            entry_id=entry_id,
            what="withdrawn" if what == "withdrawn" else "superseded",
            type=name[0],
            key=name[1],
            ledger=folded.row.ledger,
            order=index,
        )
    )


def _standing(folded: _Ledger, type_: str) -> Sequence[tuple[tuple[str, ...], _Standing]]:
    return [(key, item) for (name, key), item in folded.standing.items() if name == type_]


def _status(ledgers: Sequence[_Ledger]) -> dict[str, ValueStatus]:
    """The value status that approvals have raised entries to."""
    raised: dict[str, ValueStatus] = {}
    for folded in ledgers:
        for _, item in _standing(folded, "approval"):
            if isinstance(item.record, records.Approval):
                targets = (target.entry for target in item.record.targets)
                raised.update(dict.fromkeys(targets, item.record.to))
    return raised


def _text(reference: Named | None) -> str:
    return named_key(reference) if reference is not None else ""


def _batches(folded: _Ledger) -> list[BatchFacts]:
    found = []
    for _, item in _standing(folded, "batch"):
        record = item.record
        if isinstance(record, records.Batch):
            found.append(
                BatchFacts(
                    batch=record.batch,
                    numbers=tuple(sorted({i.value for i in record.identifiers})),
                    product=_text(record.product),
                    order=item.first,
                    start=record.start,
                    end=record.end,
                    state=record.state,
                )
            )
    return found


def _steps(folded: _Ledger) -> list[StepFacts]:
    return [
        StepFacts(
            batch=_text(item.record.batch),
            element=item.record.element,
            instance=item.record.instance,
            start=item.record.start,
            end=item.record.end,
            covered_at=folded.covered_at(item.index),
        )
        for _, item in _standing(folded, "step")
        if isinstance(item.record, records.Step)
    ]


def _samples(folded: _Ledger) -> list[SampleFacts]:
    return [
        SampleFacts(
            sample=item.record.sample,
            batch=_text(item.record.batch),
            point=item.record.point,
            observed_at=item.record.observed_at,
        )
        for _, item in _standing(folded, "sample")
        if isinstance(item.record, records.Sample)
    ]


def _step_of(reference: Named | None) -> tuple[str | None, str | None]:
    """Element and instance that a result's step names."""
    if isinstance(reference, Reference) and len(reference.key) == 3:  # noqa: PLR2004 - batch, element, instance
        return reference.key[1], reference.key[2]
    return (reference, None) if isinstance(reference, str) else (None, None)


def _results(folded: _Ledger, status: dict[str, ValueStatus]) -> list[ResultFacts]:
    return [
        _result(folded, key, item, item.record, status)
        for key, item in _standing(folded, "result")
        if isinstance(item.record, records.Result)
    ]


def _result(
    folded: _Ledger,
    key: tuple[str, ...],
    item: _Standing,
    record: records.Result,
    status: dict[str, ValueStatus],
) -> ResultFacts:
    element, instance = _step_of(record.step)
    return ResultFacts(
        entry_id=item.entry_id,
        key=key,
        batch=_text(record.batch) or _text(record.lot),
        code=record.code,
        role=record.role,
        form=record.form,
        value=record.value,
        source=item.source,
        attempt=record.attempt,
        replicate=record.replicate,
        element=element,
        instance=instance,
        sample=_text(record.sample) or None,
        observed_at=record.observed_at,
        value_status=status.get(item.entry_id, record.value_status),
        covered_at=folded.covered_at(item.index),
        invalidated=record.invalidated is not None,
        basis=record.basis or "own",
        least=record.derivation.least if record.derivation is not None else None,
        greatest=record.derivation.greatest if record.derivation is not None else None,
    )


def _specifications(folded: _Ledger) -> list[SpecificationFacts]:
    return [
        SpecificationFacts(specification=item.record, order=item.first)
        for _, item in _standing(folded, "specification")
        if isinstance(item.record, records.Specification)
    ]


def _carried(folded: _Ledger) -> list[CarriedFacts]:
    return [
        CarriedFacts(batch=_text(item.record.batch), lot=_text(lot.lot), product=_text(lot.product))
        for _, item in _standing(folded, "transformation")
        if isinstance(item.record, records.Transformation)
        for lot in (*item.record.inputs, *item.record.outputs)
    ]


def _held(folded: _Ledger) -> list[HeldFacts]:
    found = []
    for _, item in _standing(folded, "finding"):
        record = item.record
        if isinstance(record, records.FindingRecord) and record.effect == "held_back":
            batch, code = (*record.where.key, "", "")[:2]
            found.append(
                HeldFacts(batch=batch, code=code, rule=record.rule, finding=record.finding)
            )
    return found


def _standings(folded: _Ledger) -> list[Standing]:
    found = []
    for _, item in _standing(folded, "agreement"):
        if isinstance(item.record, records.Agreement):
            found.append(Standing(party=folded.row.origin, state=item.record.state))
    return found


def _naming(folded: _Ledger) -> list[Statement]:
    """What names other entries, for the rule that looks for dependants."""
    found = []
    for (type_, key), item in folded.standing.items():
        record = item.record
        if isinstance(record, _NAMING) or (isinstance(record, records.Result) and record.of):
            found.append(
                Statement(
                    entry_id=item.entry_id,
                    type=type_,
                    key=key,
                    ledger=folded.row.ledger,
                    order=item.index,
                    record=record,
                )
            )
    return found
