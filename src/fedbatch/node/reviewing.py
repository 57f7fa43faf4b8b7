"""Review at this home: find what a person names, and act on it."""

from collections.abc import Sequence

import msgspec

from fedbatch.errors import InputError
from fedbatch.mapping.cells import Doubt, column_unit, make_reader
from fedbatch.node.files import batches_of
from fedbatch.node.home import Home
from fedbatch.node.importing import load_mappings
from fedbatch.node.posting import journal_status
from fedbatch.ports import (
    AuditNote,
    HeldItem,
    JournalHead,
    KnownAgreement,
    LedgerHead,
    NewLedgerEntry,
    Person,
)
from fedbatch.services import review
from fedbatch.services.agreements import load_body, place_of
from fedbatch.services.numbering import find_batches, journal_batches
from fedbatch.services.posting import Post, head_signer
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.journals import JournalResult
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.records import Transformation
from fedbatch.standard.values import Correction, Value, ValueStatus, named_key

__all__ = [
    "approve_batch",
    "correct_result",
    "decide_held",
    "find_batch",
    "find_results",
    "lift_stops",
    "withdraw_batch",
    "withdraw_wrong_party",
]


def _desk(home: Home, person: Person) -> review.Desk:
    return review.Desk(journal=home.journal, ids=home.ids, clock=home.clock, person=person)


def find_batch(home: Home, number: str) -> tuple[str, ...]:
    """The own ids of a batch in this journal, by the party's or the partner's number.

    Raises:
        InputError: no such batch.
    """
    known = journal_batches(home.journal, home.journal.heads(("batch",)), home.ids)
    found = find_batches(known, home.ids, number)
    if not found:
        raise InputError("a batch of this journal", found=number, code="batch.unknown")
    return found


def _results_of(home: Home, number: str) -> list[tuple[JournalHead, JournalResult]]:
    batches = find_batch(home, number)
    return [item for batch in batches for item in review.results_of(home.journal, batch)]


def find_results(
    home: Home, number: str, term: str, qualifier: str | None = None, position: str | None = None
) -> list[tuple[JournalHead, JournalResult]]:
    """The results of a batch by their term, narrowed by qualifier and position where given."""
    return [
        (head, record)
        for head, record in _results_of(home, number)
        if record.term == term
        and qualifier in {None, record.qualifier}
        and position in {None, record.position}
    ]


def _rule_of(home: Home, source: str, record: JournalResult) -> tuple[Mapping, MappingRule]:
    for mapping in load_mappings(home):
        if mapping.source != source:
            continue
        for rule in mapping.rules:
            same = (rule.term, rule.equipment_class, rule.position, rule.qualifier, rule.role)
            if same == (
                record.term,
                record.equipment_class,
                record.position,
                record.qualifier,
                record.role,
            ):
                return mapping, rule
    raise InputError("the mapping that read the value", where=source, found="none")


def _value_by_person(home: Home, source: str, record: JournalResult, text: str) -> Value:
    """What a person typed, read under the same rule as the cell it stands for.

    Raises:
        InputError: it cannot be read either.
    """
    mapping, rule = _rule_of(home, source, record)
    unit = None
    if rule.kind == "number":
        found = column_unit(rule, "", home.units)
        if isinstance(found, Doubt):
            raise InputError(found.expected, where=source, found=rule.raw_unit or "")
        unit = found
    reader = make_reader(rule, mapping, unit, rule.raw_unit, home.units, home.dictionary)
    value = reader.read(text)
    if isinstance(value, Doubt):
        raise InputError(value.expected, where="--value", found=text, code="value")
    return value


def decide_held(
    home: Home, item_id: str, person: Person, *, value: str | None, reason: str
) -> tuple[HeldItem, str]:
    """Decide what is held back: with a value, or dismiss it."""
    items = {item.id: item for item in home.journal.held()}
    found = [item for id_, item in items.items() if id_.startswith(item_id)]
    if len(found) != 1:
        raise InputError(
            "the id of one item that is held back",
            found=item_id,
            advice="`fedbatch journal held` lists them.",
            code="held.unknown",
        )
    item = found[0]
    entered = None
    if value is not None and item.template:
        template = msgspec.json.decode(item.template, type=JournalResult)
        read = _value_by_person(home, item.source, template, value)
        # The source's text stays what it was; that a person supplied the number is said beside it.
        entered = msgspec.structs.replace(
            read, raw=item.text, quality="substituted", quality_code=f"decided by {person.person}"
        )
    decision = review.decide(_desk(home, person), item, entered, reason)
    return item, decision


def approve_batch(
    home: Home, number: str, person: Person, to: ValueStatus, reason: str | None
) -> int:
    """Raise the value status of all results of a batch."""
    role = "quality" if "quality" in person.roles else "reviewer"
    targets = [head for head, _ in _results_of(home, number)]
    status = journal_status(home)
    return review.approve(_desk(home, person), targets, status, to, role, reason)


def correct_result(
    home: Home,
    number: str,
    term: str,
    value: str,
    person: Person,
    reason: str,
    *,
    qualifier: str | None = None,
    position: str | None = None,
) -> str:
    """Correct one result of a batch; the entry id of the version it supersedes.

    Raises:
        InputError: none, or several fit.
    """
    found = find_results(home, number, term, qualifier, position)
    if len(found) != 1:
        names = "; ".join(
            f"{record.term} {record.position or ''} {record.qualifier or ''} of {head.source}"
            for head, record in found
        )
        raise InputError(
            "one result",
            found=names or "none",
            advice="Narrow it with --qualifier and --position.",
            code="result.which",
        )
    head, record = found[0]
    read = _value_by_person(home, head.source, record, value)
    return review.correct(_desk(home, person), head, read, reason)


def withdraw_batch(
    home: Home, number: str, term: str | None, person: Person, reason_code: str, reason: str
) -> int:
    """Take back the results of a batch, or those of one term, in the journal."""
    heads = [head for head, record in _results_of(home, number) if term in {None, record.term}]
    return review.withdraw(_desk(home, person), heads, reason_code, reason)


def withdraw_wrong_party(
    home: Home, number: str, known: KnownAgreement, person: Person, reason: str
) -> int:
    """Take back from one partner everything of a batch that concerns another party.

    The partner erases the payload and keeps the hash; here the journal keeps it, and it is never
    shared under this agreement again.
    """
    store = home.ledgers(known.agreement)
    own = store.ledgers()[0]
    body = load_body(store)
    batches = find_batch(home, number)
    shared = {home.ids.shared(known.agreement, "batch", item) for item in batches}
    heads = store.heads(own.ledger)
    gone = [head for head in heads.values() if _concerns(home, known, head, shared)]
    gone += _used_alone(home, known, heads, gone)
    files = _files_with(home, heads, batches)
    gone += files
    if not gone:
        raise InputError(
            "a batch that was shared under the agreement", found=number, code="withdraw"
        )
    place = place_of(body, own, home.settings.party, known.partner)
    post = Post(place=place, ids=home.ids, clock=home.clock, heads=heads)
    by = home.ids.shared(known.agreement, "person", person.person)
    correction = Correction(kind="withdraw", reason_code="wrong_party", reason=reason, by=by)
    for head in gone:
        ((_, _, content),) = store.entries(own.ledger, head.index, 1)
        post.withdraw(head, content, correction)
    _exclude(home, known, batches)
    note = AuditNote(
        act="withdraw from wrong party",
        by=person.person,
        time=home.clock.now(),
        detail=f"{number}: {len(gone)} records",
        reason=reason,
    )
    _append(home, known, post.entries, note)
    for head in files:
        home.agreement_objects(known.agreement).erase(head.key[0])
    return len(gone)


def lift_stops(home: Home, known: KnownAgreement, person: Person, reason: str) -> int:
    """Let ledgers that were stopped for their history go on; how many those were.

    A history that is really broken stops again at the next contact, so nothing is forgiven by this.
    """
    store = home.ledgers(known.agreement)
    stopped = [row for row in store.ledgers() if row.stopped]
    for row in stopped:
        note = AuditNote(
            act="resume ledger",
            by=person.person,
            time=home.clock.now(),
            detail=f"{row.ledger}: {row.stopped}",
            reason=reason,
        )
        store.stop(row.ledger, "", note)
    return len(stopped)


def _concerns(home: Home, known: KnownAgreement, head: LedgerHead, batches: set[str]) -> bool:
    """Whether a record of the own ledger is of a batch, by its key or what it names."""
    if head.is_withdrawn or head.type in {"agreement", "signature", "receipt", "party"}:
        return False
    if not batches.isdisjoint(head.key):
        return True
    if head.type not in {"transformation", "sample", "event", "finding"}:
        return False
    store = home.ledgers(known.agreement)
    ((_, _, content),) = store.entries(store.ledgers()[0].ledger, head.index, 1)
    return any(f'"{batch}"'.encode() in content for batch in batches)


def _used_alone(
    home: Home,
    known: KnownAgreement,
    heads: dict[tuple[str, tuple[str, ...]], LedgerHead],
    gone: Sequence[LedgerHead],
) -> list[LedgerHead]:
    """Lots and materials that only what is taken back names: they tell of it too."""
    taken_back = {head.entry_id for head in gone}
    named: dict[bool, set[str]] = {True: set(), False: set()}
    for head in heads.values():
        if head.type == "transformation" and not head.is_withdrawn:
            named[head.entry_id in taken_back] |= _carried(home, known, head)
    alone = named[True] - named[False]
    found = [heads.get((type_, (name,))) for type_ in ("lot", "product") for name in alone]
    return [head for head in found if head is not None and not head.is_withdrawn]


def _carried(home: Home, known: KnownAgreement, head: LedgerHead) -> set[str]:
    """The lots and materials that a transformation of the own ledger names."""
    store = home.ledgers(known.agreement)
    ((_, _, content),) = store.entries(store.ledgers()[0].ledger, head.index, 1)
    record = read_entry(content).record
    if not isinstance(record, Transformation):
        return set()
    carried = (*record.inputs, *record.outputs)
    products = {named_key(item.product) for item in carried if item.product is not None}
    return products | {named_key(item.lot) for item in carried}


def _files_with(
    home: Home, heads: dict[tuple[str, tuple[str, ...]], LedgerHead], batches: Sequence[str]
) -> list[LedgerHead]:
    """Shared source files that hold a row of these batches."""
    names = {
        row.sha256
        for row in home.journal.imports()
        if not batches_of(home, row).isdisjoint(batches)
    }
    found = [heads.get(("attachment", (name,))) for name in sorted(names)]
    return [head for head in found if head is not None and not head.is_withdrawn]


def _exclude(home: Home, known: KnownAgreement, batches: Sequence[str]) -> None:
    """Remember the batch by the own ids: no later version of any of its records is shared here."""
    store = home.ledgers(known.agreement)
    kept = store.setting("excluded")
    excluded = {*msgspec.json.decode(kept, type=list[str])} if kept else set()
    store.keep_setting("excluded", msgspec.json.encode(sorted({*excluded, *batches})))


def _append(
    home: Home, known: KnownAgreement, entries: Sequence[NewLedgerEntry], note: AuditNote
) -> None:
    store = home.ledgers(known.agreement)
    own = store.ledgers()[0]
    sign = head_signer(home.keys, f"agreement/{known.agreement}/ledger", own.origin)
    store.append(own.ledger, entries, note, sign)
