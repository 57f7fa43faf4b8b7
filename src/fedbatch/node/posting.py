"""Sharing from this home: what an agreement's ledger would get, and posting it."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fedbatch.node.deriving import derive_all
from fedbatch.node.files import grants_files, whole_files
from fedbatch.node.home import Home
from fedbatch.ports import AuditNote, KnownAgreement, Person
from fedbatch.services.agreements import place_of, posting_allowed
from fedbatch.services.posting import entry_id, head_signer
from fedbatch.services.rebuilding import REBUILT
from fedbatch.services.sharing import Planning, SharePlan, Sharing
from fedbatch.services.transcribed import read_transcribed
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import ValueStatus

__all__ = ["Shared", "Sharer", "journal_status", "post_plan", "share"]

# Appended in groups, so that a long sharing shows progress and holds the lock briefly.
GROUP = 4096
# The setting that says how far the journal's live points were looked through.
POINTS_FROM = "points_from"
# Approvals, decisions and rights that begin or end at a time wait no longer than this.
WHOLE_EVERY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A plan and what was posted of it."""

    plan: SharePlan
    posted: int


def journal_status(home: Home) -> dict[str, ValueStatus]:
    """The value status that approvals have raised journal entries to."""
    raised: dict[str, ValueStatus] = {}
    for head in home.journal.heads(("approval",)).values():
        entry = home.journal.read(head.index)
        record = msgspec.json.decode(bytes(entry.data), type=records.Approval)
        raised.update(dict.fromkeys((item.entry for item in record.targets), record.to))
    return raised


def _live_range(
    home: Home, known: KnownAgreement, ledger: str, series: str
) -> records.Entries | None:
    """The entries of live points of a series that no sealed entry names yet."""
    views, store = home.views(known.agreement), home.ledgers(known.agreement)
    after = -1
    for index in reversed(views.sealed(ledger, series)):
        ((_, _, content),) = store.entries(ledger, index, 1)
        record = read_entry(content).record
        if isinstance(record, records.Sealed) and record.entries is not None:
            after = record.entries.last
            break
    runs = [run for run in views.points(ledger, series) if run[1] > after]
    if not runs:
        return None
    return records.Entries(first=max(runs[0][0], after + 1), last=runs[-1][1])


def _excluded(home: Home, agreement: str, ledger: str) -> frozenset[str]:
    """The own ids of batches that are never shared under an agreement again.

    They are kept beside the ledger; where that was lost, the partner's word of what it erased says so.
    """
    store = home.ledgers(agreement)
    kept = store.setting("excluded")
    excluded = frozenset(msgspec.json.decode(kept, type=list[str]) if kept else ())
    erased = store.erased(ledger)
    if not erased:
        return excluded
    batches = (head.key[0] for head in home.journal.heads(("batch",)).values())
    return excluded | {name for name in batches if _first_entry(home, agreement, name) in erased}


def _first_entry(home: Home, agreement: str, batch: str) -> str:
    """The id that the first entry about a batch has under an agreement."""
    name = home.ids.shared(agreement, "batch", batch)
    return entry_id(home.ids, agreement, "batch", (name,), 1)


def _points_from(home: Home, agreement: str) -> int:
    """From where on the journal's live points are posted.

    After a rebuild nobody knows which ones were; they come with the sealed stretches.
    """
    store = home.ledgers(agreement)
    if store.setting(REBUILT) is not None:
        store.keep_setting(POINTS_FROM, str(home.journal.size()).encode())
        store.forget_setting(REBUILT)
    return int(store.setting(POINTS_FROM) or b"0")


def make_plan(home: Home, known: KnownAgreement) -> SharePlan:
    """What sharing under an agreement would post now.

    Raises:
        RefusedError: the agreement is not in force.
    """
    return _planning(home, known, _points_from(home, known.agreement)).run()


def _planning(home: Home, known: KnownAgreement, points_from: int) -> Planning:
    store = home.ledgers(known.agreement)
    body = posting_allowed(store, home.clock)
    own = store.ledgers()[0]
    version = str(body.version).encode()
    # Under another version other rights may hold: everything is looked at again.
    is_same = store.setting("shared_version") == version
    sharing = Sharing(
        party=home.settings.party,
        body=body,
        bodies=home.active_bodies(),
        place=place_of(body, own, home.settings.party, known.partner),
        journal=home.journal,
        heads=store.heads(own.ledger),
        posted=store.posted(own.ledger) if is_same else {},
        excluded=_excluded(home, known.agreement, own.ledger),
        status=journal_status(home),
        read_own=lambda index: store.entries(own.ledger, index, 1)[0][2],
        ids=home.ids,
        clock=home.clock,
        units=home.units,
        objects=home.journal_objects,
        transcribed=read_transcribed(store, home.settings.party),
        live_range=lambda series: _live_range(home, known, own.ledger, series),
        derived=derive_all(home, known, body),
        points_from=points_from,
        files=whole_files(home) if grants_files(body) else (),
    )
    return Planning(sharing)


def post_plan(
    home: Home,
    known: KnownAgreement,
    made: SharePlan,
    person: Person,
    report: Callable[[int, int], None] | None = None,
) -> int:
    """Post what a plan holds; how many entries that was. `report` hears how far it is."""
    store = home.ledgers(known.agreement)
    body = posting_allowed(store, home.clock)
    own = store.ledgers()[0]
    sign = head_signer(home.keys, f"agreement/{body.id}/ledger", own.origin)
    entries = made.post.entries
    objects = home.agreement_objects(known.agreement)
    for sha256 in made.objects:
        if not objects.has(sha256):
            # Durable before the entry that names it.
            objects.write(home.journal_objects.read(sha256))
    for content in made.segments.values():
        objects.write(content)
    reached = {POINTS_FROM: str(_reached(made)).encode()}
    for start in range(0, len(entries), GROUP):
        group = entries[start : start + GROUP]
        is_last = start + GROUP >= len(entries)
        detail = f"{known.agreement}: {len(group)} entries"
        note = AuditNote(act="share", by=person.person, time=home.clock.now(), detail=detail)
        is_live = all(entry.type == "points" for entry in group)
        # Points come first in a plan; should the last group fail, some would come twice, never less.
        store.append(
            own.ledger, group, None if is_live else note, sign, settings=reached if is_last else {}
        )
        if report is not None:
            report(start + len(group), len(entries))
    for sha256 in made.destroyed:
        objects.erase(sha256)
    store.relink(own.ledger, made.post.known)
    store.keep_setting("shared_version", str(body.version).encode())
    return len(entries)


def _reached(made: SharePlan) -> int:
    """From where the journal's live points are looked through next."""
    return made.points_to if made.post.points else made.points_waiting


def share(
    home: Home,
    known: KnownAgreement,
    person: Person,
    *,
    dry_run: bool,
    report: Callable[[int, int], None] | None = None,
) -> Shared:
    """Post what the agreement allows, or say what that would be."""
    if dry_run:
        return Shared(plan=make_plan(home, known), posted=0)
    with home.sharing(known.agreement):
        made = make_plan(home, known)
        return Shared(plan=made, posted=post_plan(home, known, made, person, report))


class Sharer:
    """Shares under one agreement again and again, as sources are followed.

    All of the journal is looked through where it has a new record, where an agreement changed, and
    every minute; in between its live points alone.
    """

    def __init__(self, home: Home, known: KnownAgreement, person: Person) -> None:
        self._home, self._known, self._person = home, known, person
        self._planning: Planning | None = None
        self._state: tuple[object, ...] = ()
        self._looked_at = 0.0
        self._points_from = 0

    def share(self) -> Shared:
        """Post what the agreement allows.

        Raises:
            RefusedError: the agreement is not in force.
        """
        home, known = self._home, self._known
        with home.sharing(known.agreement):
            store = home.ledgers(known.agreement)
            posting_allowed(store, home.clock)
            stored = _points_from(home, known.agreement)
            points_from = max(self._points_from, stored)
            made, is_whole = self._plan(points_from)
            posted = 0
            if is_whole or made.post.entries:
                planning, self._planning = self._planning, None
                posted = post_plan(home, known, made, self._person)
                self._planning = planning
            self._points_from = _reached(made)
            if is_whole and not posted and self._points_from > stored:
                store.keep_setting(POINTS_FROM, str(self._points_from).encode())
        return Shared(plan=made, posted=posted)

    def _plan(self, points_from: int) -> tuple[SharePlan, bool]:
        """A plan, and whether it is of all the journal."""
        home, known = self._home, self._known
        now, state = home.clock.seconds(), self._what_counts()
        is_fresh = state == self._state and 0 <= now - self._looked_at < WHOLE_EVERY_S
        if self._planning is not None and is_fresh:
            store = home.ledgers(known.agreement)
            series = store.heads(store.ledgers()[0].ledger, ("series",))
            return self._planning.run_live(series, points_from), False
        # Kept once it has worked: what failed is done again at the next look, as a whole.
        self._planning = None
        planning = _planning(home, known, points_from)
        made = planning.run()
        self._planning, self._state, self._looked_at = planning, state, now
        return made, True

    def _what_counts(self) -> tuple[object, ...]:
        """What another look at all of the journal would be for."""
        home = self._home
        own = home.ledgers(self._known.agreement).ledgers()[0]
        bodies = ((body.id, body.version) for body in home.active_bodies())
        return (home.journal.newest_record(), own.ledger, *bodies)
