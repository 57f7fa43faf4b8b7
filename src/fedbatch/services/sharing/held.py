"""What is held back that rights would have shared: a finding says that it is missing (STANDARD S45)."""

import msgspec

from fedbatch.ports import HeldItem
from fedbatch.services.intake import HELD_ROWS
from fedbatch.services.sharing.plan import SharePlan
from fedbatch.services.sharing.scope import Scope
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalResult
from fedbatch.standard.rulebook import RULES_VERSION
from fedbatch.standard.values import Correction

__all__ = ["share_held"]


def share_held(scope: Scope, plan: SharePlan) -> None:
    """Post a finding for each held-back result, its text only with the right to it, and for rows."""
    if scope.rights.find("finding") is None:
        return
    for item in scope.sharing.journal.held(only_open=False):
        if item.type == "result" and item.template:
            _share_result(scope, plan, item)
        elif item.type == HELD_ROWS:
            _share_rows(scope, plan, item)


def _share_rows(scope: Scope, plan: SharePlan, item: HeldItem) -> None:
    """That rows of a batch's points are missing; how many, and of which batch."""
    batch = scope.batches.find(item.key[0])
    if batch is None or scope.rights.find("series", batch) is None:
        return
    where = Place(type="batch", key=(scope.names.pseudonym("batch", batch),))
    _share(scope, plan, item, where, shows_text=True)


def _share_result(scope: Scope, plan: SharePlan, item: HeldItem) -> None:
    template = msgspec.json.decode(item.template, type=JournalResult)
    batch, parameter = scope.batch_of(template), scope.rights.parameter(template)
    if batch is None or parameter is None:
        return
    where = Place(type="result", key=(scope.names.pseudonym("batch", batch), parameter.code))
    shows_text = scope.rights.find("result", batch, parameter) is not None
    _share(scope, plan, item, where, shows_text=shows_text)


def _share(
    scope: Scope, plan: SharePlan, item: HeldItem, where: Place, *, shows_text: bool
) -> None:
    finding_id = scope.names.pseudonym("finding", item.id)
    is_open = item.state == "open"
    if not is_open and ("finding", (finding_id,)) not in plan.post.heads:
        return
    found = msgspec.json.decode(item.finding, type=Finding)
    record = records.FindingRecord(
        version=1,
        finding=finding_id,
        rule=found.rule,
        rules_version=RULES_VERSION,
        as_of=_as_of(scope, plan, finding_id),
        severity=found.severity,
        where=where,
        found=found.found if shows_text else "",
        expected=found.expected,
        effect="held_back" if is_open else "none",
    )
    plan.add(record, correction=None if is_open else _supplied(scope.sharing.party))


def _as_of(scope: Scope, plan: SharePlan, finding_id: str) -> str:
    """When the finding was first shared: it must not change from one sharing to the next."""
    head = plan.post.heads.get(("finding", (finding_id,)))
    if head is None or head.index < 0:
        return scope.rights.now
    record = read_entry(scope.sharing.read_own(head.index)).record
    return record.as_of if isinstance(record, records.FindingRecord) else scope.rights.now


def _supplied(party: str) -> Correction:
    return Correction(
        kind="correct",
        reason_code="decided",
        reason="what was held back has been supplied or decided",
        by=party,
    )
