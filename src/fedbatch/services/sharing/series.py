"""Which series an agreement opens: sealed stretches and live points of its own batches."""

from collections.abc import Iterable
from functools import partial

import msgspec

from fedbatch.ports import NewLedgerEntry
from fedbatch.rules.rights import status_reaches
from fedbatch.series.instants import micros
from fedbatch.services.series_intake import sealed_of
from fedbatch.services.series_sharing import SeriesSharing, Stretch, overlaps
from fedbatch.services.sharing.plan import SharePlan
from fedbatch.services.sharing.scope import Scope
from fedbatch.standard.agreements import AgreedParameter, AgreementBody
from fedbatch.standard.journals import JournalParameter, JournalSeries

__all__ = ["share_live", "share_series", "why_no_series"]

# So long a window may be told after its first points; those before come with the hour's segment.
_WAITS_US = 15 * 60 * 1_000_000


def share_series(scope: Scope, plan: SharePlan) -> None:
    """Post sealed stretches and live points; a series has one value status, and it stays provisional."""
    if reason := why_no_series(scope.sharing.body):
        _count_series(scope, plan, reason)
        return
    work, before = _work(scope, plan), len(plan.post.entries)
    plan.points_to = plan.points_waiting = scope.sharing.points_from
    _share_points(scope, plan, work, scope.sharing.points_from)
    work.run()
    _count_entries(plan, plan.post.entries[before:])
    plan.segments = work.segments
    plan.destroyed += work.destroyed
    plan.findings += work.findings
    plan.skipped.update({k: v for k, v in work.counts.items() if k != "sealed"})


def share_live(scope: Scope, plan: SharePlan, points_from: int) -> None:
    """Post the journal's live points from an index on, alone."""
    _share_points(scope, plan, _work(scope, plan), points_from)
    _count_entries(plan, plan.post.entries)


def _share_points(scope: Scope, plan: SharePlan, work: SeriesSharing, points_from: int) -> None:
    if plan.is_transcribing:
        # Nobody transcribes live points: what a report shows is sealed.
        return
    settled = micros(scope.rights.now) - _WAITS_US
    plan.points_to, plan.points_waiting = work.run_points(points_from, settled)


def _work(scope: Scope, plan: SharePlan) -> SeriesSharing:
    sharing = scope.sharing
    return SeriesSharing(
        journal=sharing.journal,
        objects=sharing.objects,
        post=plan.post,
        units=sharing.units,
        ledger=sharing.place.ledger,
        posted=sharing.posted,
        read_own=sharing.read_own,
        stretches=partial(_stretches, scope),
        agreed=partial(_agreed, scope),
        pseudonym=scope.names.pseudonym,
        correction=scope.names.correction,
        live_range=sharing.live_range,
        provenance=scope.provenance,
    )


def _count_entries(plan: SharePlan, entries: Iterable[NewLedgerEntry]) -> None:
    for entry in entries:
        plan.by_type[entry.type if not entry.is_withdrawn else "withdrawal of sealed"] += 1


def why_no_series(body: AgreementBody) -> str:
    """Why no series at all is shared, "" where series may be."""
    if all(right.record_type != "series" for right in body.rights):
        return "series with all their points: the agreement's rights name no `series`"
    least = body.status_policy.send_from
    if not status_reaches(None, least):
        return f"series with all their points: they stay provisional, and `send_from` is {least}"
    return ""


def _count_series(scope: Scope, plan: SharePlan, reason: str) -> None:
    """Count the series of this agreement's own batches; of no other's is anything said."""
    sealed = sealed_of(scope.sharing.journal)
    for head, entry in scope.sharing.journal.standing(("series",)):
        series = msgspec.json.decode(bytes(entry.data), type=JournalSeries)
        stretches = _stretches(scope, series)
        told = sealed.get(head.key[0])
        is_here = told is None or any(
            overlaps(item.record, stretch) for item in told for stretch in stretches
        )
        if stretches and is_here:
            plan.skipped[reason] += 1


def _stretches(scope: Scope, series: JournalSeries) -> list[Stretch]:
    """The batches of this agreement that a series tells of, and from when to when."""
    if series.batch is not None:
        batch = scope.batches.find(series.batch)
        return [Stretch(batch=batch)] if batch is not None else []
    return [
        Stretch(
            batch=item.batch, from_=micros(item.start), to=micros(item.end), is_open=item.is_open
        )
        for item in scope.windows.of(series.equipment or "")
        if item.batch in scope.batches.products
    ]


def _agreed(scope: Scope, parameter: JournalParameter, batch: str) -> AgreedParameter | None:
    """The agreed parameter of a series' one, if there is a right to it."""
    agreed = scope.rights.parameter(parameter)
    if agreed is None or scope.rights.find("series", batch, agreed) is None:
        return None
    return agreed
