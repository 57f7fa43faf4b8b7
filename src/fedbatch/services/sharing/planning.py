"""One run of sharing: what is posted after what."""

from dataclasses import replace

from fedbatch.ports import LedgerHead
from fedbatch.services.posting import Post
from fedbatch.services.sharing.approvals import share_approvals
from fedbatch.services.sharing.batches import note_missing_numbers
from fedbatch.services.sharing.files import share_files
from fedbatch.services.sharing.held import share_held
from fedbatch.services.sharing.journal_records import share_records
from fedbatch.services.sharing.plan import SharePlan, Sharing
from fedbatch.services.sharing.results import share_derived
from fedbatch.services.sharing.scope import make_scope
from fedbatch.services.sharing.series import share_live, share_series, why_no_series
from fedbatch.services.sharing.statements import (
    state_party,
    state_products,
    state_specifications,
)

__all__ = ["Planning"]


class Planning:
    """One run of sharing over the journal, and what comes live after it as long as nothing else does."""

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing
        self.body = sharing.body
        self._scope, self._findings = make_scope(sharing)

    def run(self) -> SharePlan:
        """All that is to be posted; nothing is written."""
        plan = SharePlan(post=self._post(dict(self.sharing.heads)), findings=[*self._findings])
        state_party(plan, self.body, self.sharing.party)
        if self.sharing.role == "sponsor":
            self._run_sponsors(plan)
        else:
            self._run_makers(plan)
        self._findings = plan.findings
        return plan

    def _run_sponsors(self, plan: SharePlan) -> None:
        """What a sponsor has of the makers' it took from their reports (STANDARD S36)."""
        state_specifications(plan, self.body)
        plan.post.basis = "transcribed"
        plan.findings += note_missing_numbers(self._scope.batches)
        if self._scope.batches.products:
            self._state_products(plan)
        self._share_journal(plan)

    def _run_makers(self, plan: SharePlan) -> None:
        self._state_products(plan)
        # Source files cross to the sponsor alone: a maker has its own reports.
        self._scope = replace(self._scope, files=share_files(self._scope, plan))
        self._share_journal(plan)
        share_held(self._scope, plan)

    def _state_products(self, plan: SharePlan) -> None:
        if self._scope.rights.find("product") is not None:
            state_products(plan, self.body)

    def _share_journal(self, plan: SharePlan) -> None:
        share_records(self._scope, plan)
        share_series(self._scope, plan)
        share_derived(self._scope, plan)
        share_approvals(self._scope, plan)

    def run_live(
        self, series: dict[tuple[str, tuple[str, ...]], LedgerHead], points_from: int
    ) -> SharePlan:
        """The journal's live points from an index on, alone; nothing is written.

        What batches there are, and which windows, is as the run before found it; how far a window
        without end is known to hold is not.

        Args:
            series: the heads of the ledger's series, as they are now.
            points_from: how far live points were looked through.
        """
        now = self.sharing.clock.now()
        plan = SharePlan(
            post=self._post(series),
            findings=self._findings,
            points_to=points_from,
            points_waiting=points_from,
        )
        if self.sharing.role == "sponsor":
            plan.post.basis = "transcribed"
        if not why_no_series(self.body):
            share_live(self._scope.at(now), plan, points_from)
        return plan

    def _post(self, heads: dict[tuple[str, tuple[str, ...]], LedgerHead]) -> Post:
        sharing = self.sharing
        return Post(place=sharing.place, ids=sharing.ids, clock=sharing.clock, heads=heads)
