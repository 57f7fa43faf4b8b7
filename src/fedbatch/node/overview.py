"""How this node stands: links, agreements, backlog, what waits for whom; batches over all agreements."""

import msgspec

from fedbatch.errors import IntegrityError
from fedbatch.node.home import Home
from fedbatch.node.reading import batch_numbers
from fedbatch.peers.folder import folder_notes, is_by_folder
from fedbatch.ports import KnownAgreement
from fedbatch.services.replication import LOST
from fedbatch.services.succession import RECEIVED, SENT

__all__ = [
    "AgreementStatus",
    "BatchRow",
    "CarriedRow",
    "LinkStatus",
    "Status",
    "read_batches",
    "read_genealogy",
    "read_status",
]


class LinkStatus(msgspec.Struct, kw_only=True):
    """A link to a partner's node.

    `by_folder`: what is exchanged travels in a folder; `folder_read` and `folder_written` say when one
    of the partner was read here last, and one for it written.
    """

    partner: str
    party: str
    dials: bool
    confirmed_here: bool
    confirmed_there: bool
    last_contact: str
    down_since: str
    problem: str
    by_folder: bool = False
    folder_read: str = ""
    folder_written: str = ""


class AgreementStatus(msgspec.Struct, kw_only=True):
    """An agreement with its two ledgers. `backlog` counts own entries without the partner's receipt."""

    agreement: str
    name: str
    partner: str
    state: str
    sent: int = 0
    receipted: int = 0
    backlog: int = 0
    received: int = 0
    stopped: str = ""
    waits: list[str] = msgspec.field(default_factory=list)


class Status(msgspec.Struct, kw_only=True):
    """All of it."""

    party: str
    name: str
    journal: int
    held_back: int
    links: list[LinkStatus]
    agreements: list[AgreementStatus]
    waits: list[str]


class BatchRow(msgspec.Struct, kw_only=True):
    """A batch under an agreement, with every party's number."""

    agreement: str
    batch: str
    numbers: list[str]
    product: str
    start: str
    end: str
    start_text: str
    end_text: str
    state: str
    size: str
    results: int
    basis: str


def read_status(home: Home) -> Status:
    """How this node stands now."""
    held = len(home.journal.held())
    links = [_link(home, item.party) for item in home.node.partners()]
    waits = [f"{held} held-back items wait for a person here"] if held else []
    waits += [
        f"{link.partner}: confirm the pairing here" for link in links if not link.confirmed_here
    ]
    return Status(
        party=home.settings.party,
        name=home.settings.name,
        journal=home.journal.size(),
        held_back=held,
        links=links,
        agreements=[_agreement(home, item) for item in home.node.agreements()],
        waits=waits,
    )


def _partner_name(home: Home, party: str) -> str:
    if not party:
        return "no partner yet"
    partner = home.node.find_partner(party)
    return partner.name if partner is not None else party


def _link(home: Home, party: str) -> LinkStatus:
    partner = home.partner_named(party)
    link = home.node.link(party)
    carried = folder_notes(home.node, party)
    return LinkStatus(
        partner=partner.name,
        party=party,
        dials=partner.dials,
        confirmed_here=bool(partner.confirmed_here),
        confirmed_there=bool(partner.confirmed_there),
        last_contact=str(link.get("contact", "")),
        down_since=str(link.get("down_since", "")),
        problem=str(link.get("problem", "")),
        by_folder=is_by_folder(home.node, partner),
        folder_read=str(carried.get("read_at", "")),
        folder_written=str(carried.get("written_at", "")),
    )


def _agreement(home: Home, known: KnownAgreement) -> AgreementStatus:
    """How one agreement stands; a damaged one is shown as such beside the others."""
    try:
        return _read_agreement(home, known)
    except IntegrityError as error:
        return AgreementStatus(
            agreement=known.agreement,
            name=known.name,
            partner=_partner_name(home, known.partner),
            state="damaged",
            stopped=f"{error.code}: {error}",
            waits=[f"stopped: {error}"],
        )


def _read_agreement(home: Home, known: KnownAgreement) -> AgreementStatus:
    store = home.ledgers(known.agreement)
    standing = home.standing(known.agreement)
    line = AgreementStatus(
        agreement=known.agreement,
        name=known.name,
        partner=_partner_name(home, known.partner),
        state=standing.state,
    )
    if standing.own_state == "one_sided" and standing.body is not None:
        named = (item.name for item in standing.body.parties if not item.party)
        line.partner = f"{next(named, line.partner)} (no partner yet)"
        if known.partner:
            line.waits.append(f"{_partner_name(home, known.partner)} must accept the proposal")
    lost = store.setting(LOST)
    if lost is not None and not store.ledgers():
        line.stopped = lost.decode()
        line.waits.append(f"stopped: {line.stopped}")
    if line.state == "proposed":
        is_received = store.setting("offer_received") is not None
        who = "you" if is_received else line.partner
        line.waits.append(f"{who} must accept the proposal")
    if store.setting(RECEIVED) is not None:
        line.waits.append(f"{line.partner} offers a new ledger: `fedbatch keys confirm`")
    if store.setting(SENT) is not None:
        line.waits.append(f"{line.partner} must confirm the new ledger; nothing is posted before")
    if store.is_awaited:
        line.waits.append(f"restored: hear {line.partner}, or `fedbatch rebuild`")
    # What others carry on lies behind these two.
    for row in store.ledgers()[:2]:
        if row.is_own:
            receipts = (item.size for item in store.checkpoints(row.ledger) if item.cosignature)
            line.sent, line.receipted = row.size, max(receipts, default=0)
            line.backlog = line.sent - line.receipted if line.state != "one_sided" else 0
        else:
            line.received = row.size
        if row.stopped:
            line.stopped = row.stopped
            line.waits.append(f"stopped: {row.stopped}")
    if line.backlog:
        line.waits.append(f"{line.backlog} entries sent, not yet countersigned by {line.partner}")
    return line


class CarriedRow(msgspec.Struct, kw_only=True):
    """One lot that went into a batch, or came out of it."""

    agreement: str
    batch: str
    numbers: list[str]
    direction: str
    use: str
    lot: str
    lot_number: str
    product: str


def read_genealogy(home: Home, agreement: str | None = None) -> list[CarriedRow]:
    """What was made from what, over all agreements or one: a row for each lot and batch."""
    rows: list[CarriedRow] = []
    for known in home.node.agreements():
        if agreement not in {None, known.agreement, known.name}:
            continue
        views = home.views(known.agreement)
        numbers: dict[str, list[str]] = {}
        for _, batch, _, value in views.identifiers():
            numbers.setdefault(batch, []).append(value)
        lots = {lot: number for _, lot, _, _, number in views.lots()}
        rows += [
            CarriedRow(
                agreement=known.agreement,
                batch=batch,
                numbers=numbers.get(batch, []),
                direction=direction,
                use=use,
                lot=lot,
                lot_number=lots.get(lot, ""),
                product=product,
            )
            for _, _, _, direction, batch, lot, product, use in views.carried()
        ]
    return rows


def read_batches(home: Home, agreement: str | None = None) -> list[BatchRow]:
    """Batches over all agreements, or those of one, in the order in which they came."""
    rows: list[BatchRow] = []
    for known in home.node.agreements():
        if agreement in {None, known.agreement, known.name}:
            rows += _batches(home, known)
    return rows


def _batches(home: Home, known: KnownAgreement) -> list[BatchRow]:
    views = home.views(known.agreement)
    numbers = batch_numbers(home, known.agreement)
    counts = views.result_counts()
    body = home.standing(known.agreement).body
    products = {item.id: item.name for item in body.product} if body is not None else {}
    rows: dict[str, BatchRow] = {}
    for found in [
        BatchRow(
            agreement=known.agreement,
            batch=batch,
            numbers=numbers.get(batch, []),
            product=str(products.get(product, product)),
            start=start,
            end=end,
            start_text=start_text,
            end_text=end_text,
            state=state,
            size=size,
            results=counts.get(batch, 0),
            basis=basis,
        )
        for (
            _,
            batch,
            _,
            _,
            _,
            product,
            start,
            end,
            start_text,
            end_text,
            state,
            size,
            _,
            basis,
        ) in (views.batches())
    ]:
        name = " / ".join(found.numbers) or found.batch
        first = rows.setdefault(name, found)
        if first is not found:
            _add(first, found)
    return list(rows.values())


def _add(first: BatchRow, second: BatchRow) -> None:
    """Two ids of one batch are one row: what the first does not say, the second does."""
    first.results += second.results
    first.basis = "own" if "own" in {first.basis, second.basis} else first.basis
    for name in ("start", "end", "start_text", "end_text", "state", "size"):
        if not getattr(first, name):
            setattr(first, name, getattr(second, name))
