"""A forked ledger set aside, so that the agreed history can be fetched back in its place."""

from pathlib import Path

from fedbatch.node.home import Home
from fedbatch.ports import AuditNote, Partner, Person

__all__ = ["set_aside"]


def set_aside(home: Home, partner: Partner, by: Person) -> list[Path]:
    """Move the databases of agreements whose own ledger is forked out of use; where they lie then.

    They are evidence and stay; what was posted there and never cosigned is posted anew from the journal.
    """
    places = []
    for known in home.node.agreements():
        if known.partner != partner.party:
            continue
        own = next((row for row in home.ledgers(known.agreement).ledgers() if row.is_own), None)
        if own is None or not own.stopped.startswith("fork"):
            continue
        places.append(_move(home, known.agreement, by, own.stopped))
    return places


def _move(home: Home, agreement: str, by: Person, reason: str) -> Path:
    home.close_agreement(agreement)
    folder, number = home.path / "set-aside", 1
    folder.mkdir(exist_ok=True)
    while (place := folder / f"{agreement}-{number}").exists():
        number += 1
    home.agreement_folder(agreement).rename(place)
    home.ledgers(agreement).mark_restored()
    now = home.clock.now()
    detail = f"{agreement} to {place.relative_to(home.path)}"
    home.node.note(AuditNote(act="set aside", by=by.person, time=now, detail=detail, reason=reason))
    return place
