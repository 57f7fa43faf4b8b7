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
from fedbatch.services.sharing import SharePlan, Sharing, plan
from fedbatch.services.transcribed import read_transcribed
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import ValueStatus

__all__ = ["Shared", "journal_status", "post_plan", "share"]

# Appended in groups, so that a long sharing shows progress and holds the lock briefly.
GROUP = 4096
# The setting that says how far the journal's live points were looked through.
POINTS_FROM = "points_from"


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
        points_from=_points_from(home, known.agreement),
        files=whole_files(home) if grants_files(body) else (),
    )
    return plan(sharing)


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
    reached = {POINTS_FROM: str(made.points_to).encode()}
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


def share(
    home: Home,
    known: KnownAgreement,
    person: Person,
    *,
    dry_run: bool,
    report: Callable[[int, int], None] | None = None,
) -> Shared:
    """Post what the agreement allows, or say what that would be."""
    made = make_plan(home, known)
    posted = 0 if dry_run else post_plan(home, known, made, person, report)
    return Shared(plan=made, posted=posted)
