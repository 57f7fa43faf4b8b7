"""People of a home: added, given roles, and let go; their ids are never used again."""

import msgspec

from fedbatch.errors import InputError, RefusedError
from fedbatch.node.home import OFFICER_ROLES, Home
from fedbatch.ports import AuditNote, Person
from fedbatch.services.pairing import is_printable

__all__ = ["add_person", "let_leave"]


def add_person(home: Home, admin: Person, name: str, roles: tuple[str, ...]) -> Person:
    """Add a person with roles.

    Raises:
        InputError: a role that is none.
    """
    if not is_printable(name):
        raise InputError("a name of printable characters", where="--add", found=ascii(name))
    unknown = set(roles) - set(OFFICER_ROLES)
    if unknown:
        raise InputError(f"a role: {', '.join(OFFICER_ROLES)}", where="--role", found=min(unknown))
    person = Person(person=f"u-{len(home.node.persons()) + 1}", name=name, roles=roles)
    detail = f"{person.person} {person.name}: {', '.join(person.roles)}"
    note = AuditNote(act="add person", by=admin.person, time=home.clock.now(), detail=detail)
    home.node.add_person(person, note)
    return person


def let_leave(home: Home, admin: Person, person_id: str) -> None:
    """A person no longer acts.

    Raises:
        InputError: nobody of that id.
    """
    known = {item.person: item for item in home.node.persons()}
    if person_id not in known:
        raise InputError("a person's id", where="--leaves", found=person_id)
    staying = [
        item
        for item in known.values()
        if item.is_active and item.person != person_id and "node admin" in item.roles
    ]
    if not staying:
        raise RefusedError(
            "the last node admin cannot leave: nobody could add a person any more",
            code="person.last_admin",
        )
    gone = msgspec.structs.replace(known[person_id], is_active=False)
    now = home.clock.now()
    note = AuditNote(act="person leaves", by=admin.person, time=now, detail=person_id)
    home.node.add_person(gone, note)
