"""Results from the journal, under the agreement's codes and units, and those it derives from series."""

import msgspec

from fedbatch.ports import JournalHead
from fedbatch.services.sharing.plan import SharePlan
from fedbatch.services.sharing.renaming import replacing
from fedbatch.services.sharing.rights import limited
from fedbatch.services.sharing.scope import Scope
from fedbatch.services.sharing.withdrawals import withdraw
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedParameter
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalEntry, JournalResult
from fedbatch.standard.rulebook import finding
from fedbatch.standard.units import UnitTable
from fedbatch.standard.values import Value

__all__ = ["share_derived", "share_result"]


def share_result(
    scope: Scope,
    plan: SharePlan,
    head: JournalHead,
    entry: JournalEntry,
    record: JournalResult,
    batch: str,
) -> None:
    """Post a result or take it back, or count why it stays.

    Args:
        scope: of the run.
        plan: takes what is posted.
        head: of the result in the journal.
        entry: its entry, or that of its withdrawal.
        record: as it was last stated.
        batch: the own id of the batch it is of.
    """
    parameter = scope.rights.parameter(record)
    if parameter is None:
        plan.skipped["not an agreed parameter"] += 1
        return
    right = scope.rights.find("result", batch, parameter)
    status = scope.sharing.status.get(head.entry_id)
    # A withdrawal has no status of its own, and what was sent is taken back at once (STANDARD S15).
    if right is None or not (head.is_withdrawn or scope.rights.allows(status, right)):
        plan.skipped["no right to it"] += 1
        return
    if head.is_withdrawn:
        withdraw(scope, plan, head, entry)
        return
    value = _agreed_value(record.value, parameter.unit, scope.sharing.units)
    if value is None:
        plan.findings.append(_not_convertible(scope, record.value, parameter, batch))
        return
    shared = replacing(
        scope, _renamed(scope, entry, record, parameter, batch, value), batch, record.sample
    )
    plan.add(
        limited(shared, right),
        journal=head.entry_id,
        source=scope.names.pseudonym("source", entry.source),
        correction=scope.names.correction(record.correction),
    )


def _agreed_value(value: Value, unit: str, units: UnitTable) -> Value | None:
    """A value in the agreed unit; None where it cannot be converted."""
    if value.kind != "number" or not unit or value.unit in {None, unit}:
        return value
    # From what the source wrote, not from what it was converted to before.
    source = value.conversion.unit if value.conversion else str(value.unit)
    number = value.conversion.number if value.conversion else str(value.number)
    if not units.is_convertible(source, unit):
        return None
    converted = units.convert(number, source, unit)
    return msgspec.structs.replace(
        value, number=converted.number, unit=unit, conversion=converted.conversion
    )


def _not_convertible(scope: Scope, value: Value, parameter: AgreedParameter, batch: str) -> Finding:
    return finding(
        "unit.not_agreed",
        Place(type="result", key=(*scope.batches.numbers.get(batch, ()), parameter.code)),
        found=f"{value.number} {value.unit}",
        expected=f"a unit that converts to {parameter.unit}",
        effect="held_back",
    )


def _renamed(
    scope: Scope,
    entry: JournalEntry,
    record: JournalResult,
    parameter: AgreedParameter,
    batch: str,
    value: Value,
) -> records.Result:
    """A result under the agreement's code and ids."""
    names = scope.names
    return records.Result(
        version=1,
        code=parameter.code,
        role=record.role,
        value=value,
        form=record.form,
        attempt=record.attempt,
        replicate=record.replicate,
        batch=names.pseudonym("batch", batch),
        sample=names.name("sample", record.sample),
        step=names.step(record.step, batch),
        attempt_kind=record.attempt_kind,
        combined=record.combined,
        analysed=record.analysed,
        method=record.method,
        analyst=names.name("person", record.analyst),
        instrument=record.instrument,
        observed_at=record.observed_at,
        recorded_at=record.recorded_at,
        provenance=scope.provenance(entry),
    )


def share_derived(scope: Scope, plan: SharePlan) -> None:
    """Post what the agreement derives from series that were posted before."""
    for record in scope.sharing.derived:
        if scope.rights.find_coded("result", record.code, record.role):
            plan.add(record, source=scope.names.pseudonym("source", "derived"))
