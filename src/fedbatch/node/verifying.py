"""Verify a whole home: every hash, tree, signature, receipt, chain and object."""

from collections.abc import Callable, Iterator

import msgspec

from fedbatch.errors import FedbatchError
from fedbatch.ledger.note import (
    SIGNING,
    Checkpoint,
    VerifierKey,
    parse_note,
    verify_checkpoint,
    verify_cosignature,
)
from fedbatch.ledger.turns import KeyTurns
from fedbatch.node.home import Home
from fedbatch.ports import CheckpointRow, KnownAgreement, LedgerRow
from fedbatch.services.agreements import Keys
from fedbatch.services.key_turns import cosign_turns, ledger_turns
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.tls import verify_certificate

__all__ = ["Verification", "verify_home"]


class Verification(msgspec.Struct, kw_only=True):
    """What was checked, and what is wrong, place by place."""

    checked: list[str] = msgspec.field(default_factory=list)
    wrong: list[str] = msgspec.field(default_factory=list)


def verify_home(home: Home) -> Verification:
    """Check everything that lies in a home; what cannot even be opened is wrong too."""
    report = Verification()
    _check(report, "files of the home", lambda: _missing(home))
    _check(report, "node.sqlite: audit trail", lambda: _node(home))
    _check(report, "journal: chain and audit trail", lambda: _journal(home))
    _check(report, "keys", lambda: [*home.keys.verify(), *verify_certificate(home.path / "keys")])
    _check(report, "keys: links", lambda: _lost_links(home))
    _check(report, "journal: objects", home.journal_objects.verify)
    agreements: list[KnownAgreement] = []
    _check(report, "node.sqlite: agreements", lambda: agreements.extend(home.node.agreements()))
    for known in agreements:
        _verify_agreement(report, home, known)
    return report


def _objects(home: Home, known: KnownAgreement) -> list[str]:
    """Segments and attachments: what lies here is whole, and what must lie here does."""
    store, objects = home.ledgers(known.agreement), home.agreement_objects(known.agreement)
    partner = known.partner if len(store.ledgers()) > 1 else ""
    awaited = home.exchange.awaited(partner, known.agreement) if partner else {}
    return objects.verify() + [
        f"object {item.sha256} of entry {item.index} is missing"
        for row in store.ledgers()
        for item in store.objects(row.ledger)
        if item.sha256 not in awaited and not objects.has(item.sha256)
    ]


def _node(home: Home) -> list[str]:
    """Opened here, so that a store that refuses to open is a finding and no crash."""
    return home.node.verify()


def _journal(home: Home) -> list[str]:
    return home.journal.verify()


def _missing(home: Home) -> list[str]:
    """Files that a home must have and has not: a store made anew in silence would look whole."""
    names = ["node.sqlite", "journal/journal.sqlite", "keys/identity.key", "keys/party.secret"]
    if (home.path / "node.sqlite").exists():
        known = (item.agreement for item in home.node.agreements())
        names += [f"agreements/{item}/ledgers.sqlite" for item in known]
    missing = [f"{name} is missing" for name in names if not (home.path / name).exists()]
    if (home.path / "journal" / "journal.sqlite").exists():
        missing += [
            f"object {row.sha256} ({row.file}) is missing"
            for row in home.journal.imports()
            # A file that grows is not kept.
            if row.sha256 and not home.journal_objects.has(row.sha256)
        ]
    return missing


def _check(report: Verification, what: str, check: Callable[[], list[str] | None]) -> None:
    try:
        _add(report, what, check() or [])
    except FedbatchError as error:
        _add(report, what, [str(error)])


def _verify_agreement(report: Verification, home: Home, known: KnownAgreement) -> None:
    name = known.name
    _check(report, f"{name}: hashes and trees", lambda: home.ledgers(known.agreement).verify())
    _check(report, f"{name}: objects", lambda: _objects(home, known))
    _check(report, f"{name}: keys", lambda: _lost_keys(home, known))
    try:
        store = home.ledgers(known.agreement)
        for row in store.ledgers():
            _verify_signatures(report, name, store, row)
    except FedbatchError as error:
        _add(report, f"{name}: ledgers", [str(error)])


def _lost_links(home: Home) -> list[str]:
    """The keys that sign requests to partners must lie here."""
    wrong = []
    for partner in home.node.partners():
        try:
            home.keys.sign(f"link/{partner.party}", b"")
        except FedbatchError as error:
            wrong.append(f"{partner.name}: {error}")
    return wrong


def _lost_keys(home: Home, known: KnownAgreement) -> list[str]:
    """Keys that sign under an agreement, and the secret that names things there, must lie here."""
    store = home.ledgers(known.agreement)
    if store.setting("own_keys") is None:
        return []
    base = f"agreement/{known.agreement}"
    wrong = []
    for name in (f"{base}/ledger", f"{base}/cosign"):
        try:
            home.keys.public(name)
            home.keys.sign(name, b"")
        except FedbatchError as error:
            wrong.append(f"{name}: {error}")
    if any(row.is_own and row.size for row in store.ledgers()) and not home.keys.has_secret(base):
        wrong.append(f"{base}.secret is missing")
    return wrong


def _add(report: Verification, what: str, wrong: list[str]) -> None:
    if wrong:
        report.wrong += [f"{what}: {text}" for text in wrong]
    else:
        report.checked.append(what)


def _verify_signatures(report: Verification, name: str, store: Ledgers, row: LedgerRow) -> None:
    direction = "sent" if row.is_own else "received"
    kept = store.setting("partner_keys" if row.is_own else "own_keys")
    cosigner = msgspec.json.decode(kept, type=Keys) if kept is not None else None
    checkpoints = store.checkpoints(row.ledger)
    keys = ledger_turns(store, row)
    cosigning = cosign_turns(store, row) if cosigner is not None else KeyTurns(row.key)
    name_there = cosigner.cosigner if cosigner is not None else ""
    wrong = [
        text
        for item in checkpoints
        for text in _faults(item, row, _accepted(keys, item, row), name_there, cosigning)
    ]
    receipts = [item.size for item in checkpoints if item.cosignature]
    told = f"received and countersigned up to {max(receipts, default=0)}"
    if len(store.ledgers()) == 1:
        told = "no partner yet"
    what = f"{name} {direction}: {row.size} entries, {len(checkpoints)} checkpoints, {told}"
    _add(report, what, wrong)
    if row.stopped:
        report.wrong.append(f"{name} {direction}: stopped: {row.stopped}")


def _accepted(keys: KeyTurns, item: CheckpointRow, row: LedgerRow) -> KeyTurns:
    """The keys that may have signed a checkpoint kept here.

    What was taken in before a revocation was heard of bears the old key alone. Where a later
    checkpoint covers it, that one vouches for it, since the tree holds both roots.
    """
    is_covered = item.size < row.size and len(keys.later) > 0
    lines = parse_note(item.note) if is_covered else None
    for key in keys.keys if lines is not None else ():
        if lines is not None and VerifierKey(row.origin, SIGNING, key).find_lines(lines):
            return KeyTurns(key)
    return keys


def _faults(
    item: CheckpointRow, row: LedgerRow, keys: KeyTurns, cosigner: str, cosigning: KeyTurns
) -> Iterator[str]:
    try:
        checkpoint = verify_checkpoint(item.note, row.origin, keys)
        if checkpoint != Checkpoint(row.origin, item.size, item.root):
            yield f"checkpoint {item.size}: says {checkpoint.size}"
        if item.cosignature and cosigner:
            note = checkpoint.body() + b"\n" + item.cosignature
            verify_cosignature(note, cosigner, cosigning)
    except FedbatchError as error:
        yield f"checkpoint {item.size}: {error}"
