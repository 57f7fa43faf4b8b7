"""A home: the folder in which a node keeps everything, opened piece by piece as needed."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fedbatch.errors import ConflictError, InputError, IntegrityError, RefusedError
from fedbatch.mapping.extract import Ground
from fedbatch.node.clock import WallClock, clock_of
from fedbatch.node.settings import Settings, load_settings, not_empty, write_settings
from fedbatch.ports import AuditNote, Clock, KnownAgreement, Partner, Person
from fedbatch.services.agreements import Officer, Standing, standing
from fedbatch.services.exchange import Exchange, Told
from fedbatch.services.intake import Intake
from fedbatch.services.key_turns import link_key, own_signing
from fedbatch.services.pairing import Pairing, is_printable
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.dictionary import Dictionary, read_dictionary
from fedbatch.standard.mappings import Mapping
from fedbatch.standard.records import Result
from fedbatch.standard.units import UnitTable, read_units
from fedbatch.store.journal import Journal
from fedbatch.store.keys import HomeIds, KeyRing, is_signed
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.nodes import NodeDatabase
from fedbatch.store.objects import ObjectFolder
from fedbatch.store.tls import certificate_sha256, make_certificate
from fedbatch.store.turns import turn
from fedbatch.store.views import Views

__all__ = ["OFFICER_ROLES", "Home", "create_home", "zone_named"]

# Two connections each; more agreements are opened and closed in turn (INTEROP §6).
OPEN_AT_ONCE = 32
OFFICER_ROLES = (
    "writer",
    "reviewer",
    "quality",
    "agreement officer",
    "key officer",
    "node admin",
)


def _stated(path: str | Path) -> tuple[int, int, int] | None:
    """When a file was written, how long and which it is; None where there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116 - four times a second for each of many files
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def zone_named(name: str) -> ZoneInfo:
    """An IANA zone.

    Raises:
        InputError: no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            "an IANA time zone such as Europe/Ljubljana", found=name, code="zone"
        ) from error


def read_package_units() -> UnitTable:
    """The packaged units table."""
    content = resources.files("fedbatch.standard").joinpath("units.csv").read_text("utf-8")
    return read_units(content.splitlines())


def read_package_dictionary() -> Dictionary:
    """The packaged dictionary."""
    content = resources.files("fedbatch.standard").joinpath("dictionary.csv").read_text("utf-8")
    return read_dictionary(content.splitlines())


def create_home(
    path: Path,
    *,
    name: str,
    person: str,
    listen: str,
    address: str,
    clock: Clock | None = None,
    demo_clock: str = "",
) -> "Home":
    """Make a new home with a party, an identity key and a first person who has the officer roles.

    Raises:
        ConflictError: there is one already, or the folder holds something else.
    """
    if path.exists() and any(path.iterdir()) and not (path / "node.toml").exists():
        raise ConflictError(not_empty(path), code="home.not_empty")
    for text, option in ((name, "--name"), (person, "--person")):
        if not is_printable(text):
            raise InputError("a name of printable characters", where=option, found=ascii(text))
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    party = f"party-{os.urandom(8).hex()}"
    node = f"{_plain(name)}-{os.urandom(3).hex()}"
    write_settings(
        path,
        Settings(
            party=party,
            name=name,
            node=node,
            listen=listen,
            address=address,
            clock=demo_clock,
        ),
    )
    home = Home(path, clock=clock, is_new=True)
    home.keys.create("identity")
    home.journal.size()
    home.keys.secret("party")
    first = Person(person="u-1", name=person, roles=OFFICER_ROLES)
    note = AuditNote(act="init", by="u-1", time=home.clock.now(), detail=f"{name} {party}")
    home.node.add_person(first, note)
    return home


def _plain(name: str) -> str:
    """A name for origins: lower-case letters, digits and hyphens."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(filter(None, plain.split("-")))[:40] or "node"


class Home:
    """Everything a command or the server works with. Not shared by threads without a lock."""

    def __init__(self, path: Path, *, clock: Clock | None = None, is_new: bool = False) -> None:
        self.path = path
        self._is_new = is_new
        self.settings = load_settings(path)
        self.clock: Clock = clock or clock_of(self.settings.clock)
        # Polls, back-off and the age of signed requests stay on real time.
        self.wall: Clock = clock or WallClock()
        is_lost = not is_new and not (path / "keys" / "identity.key").exists()
        self.keys = KeyRing(path / "keys", self._signing, is_lost=is_lost)
        self.ids = HomeIds(self.keys, self._may_begin)
        self._agreements: OrderedDict[str, Ledgers] = OrderedDict()
        self._told: dict[str, tuple[object, Told]] = {}
        self._looked: tuple[object, int] = (None, 0)
        self._views: dict[str, Views] = {}
        # What was derived of a series, with the state it was derived from.
        self.derived: dict[str, tuple[object, list[Result]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every database that was opened."""
        for name in ("node", "_node_looked_at", "journal"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()
        for store in self._agreements.values():
            store.close()
        for views in self._views.values():
            views.close()
        self._agreements.clear()
        self._views.clear()

    # ---- the pieces

    def _there(self, path: Path) -> Path:
        """A file that `init` made: it is never made anew in silence.

        Raises:
            IntegrityError: it is gone.
        """
        if not self._is_new and not path.exists():
            raise IntegrityError(
                f"{path.relative_to(self.path)} is missing from the home", code="store.missing"
            )
        return path

    @cached_property
    def node(self) -> NodeDatabase:
        return NodeDatabase(self._there(self.path / "node.sqlite"))

    @cached_property
    def _node_looked_at(self) -> NodeDatabase:
        return NodeDatabase(self._there(self.path / "node.sqlite"))

    @cached_property
    def journal(self) -> Journal:
        return Journal(self._there(self.path / "journal" / "journal.sqlite").parent)

    @cached_property
    def journal_objects(self) -> ObjectFolder:
        return ObjectFolder(self.path / "journal" / "objects")

    def taking(self) -> AbstractContextManager[None]:
        """The turn of whoever compares with the journal and then writes to it."""
        return turn(
            self._there(self.path / "journal" / "journal.sqlite").parent / ".turn", "import"
        )

    def sharing(self, agreement: str) -> AbstractContextManager[None]:
        """The turn of whoever plans what to post under an agreement and then posts it."""
        folder = self.agreement_folder(agreement)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return turn(folder / ".turn", "share")

    def agreement_objects(self, agreement: str) -> ObjectFolder:
        """Segments and attachments of one agreement; nothing is shared with another's."""
        return ObjectFolder(self.agreement_folder(agreement) / "objects")

    @cached_property
    def units(self) -> UnitTable:
        return read_package_units()

    @cached_property
    def dictionary(self) -> Dictionary:
        return read_package_dictionary()

    def agreement_folder(self, agreement: str) -> Path:
        """The folder of one agreement: its own databases, objects and sequence."""
        if not agreement.replace("-", "").isalnum():
            raise InputError("an agreement's id", found=agreement, code="agreement.id")
        return self.path / "agreements" / agreement

    def mark(self, name: str) -> object:
        """Changes with each commit to an agreement's ledgers, or with "" with each act of the node.

        For the thread that waits, not for the one that works: the node is looked at apart. Opening and
        closing a database leaves it as it is: an empty log counts as none.
        """
        path = (
            f"{self.path}/agreements/{name}/ledgers.sqlite" if name else f"{self.path}/node.sqlite"
        )
        log = _stated(f"{path}-wal")
        stated = _stated(path), log if log is not None and log[1] else None
        if name:
            return stated
        if self._looked[0] != stated:
            self._looked = (stated, self._node_looked_at.generation())
        return self._looked[1]

    def ledgers(self, agreement: str) -> Ledgers:
        """The store of an agreement; the one not used for longest is closed beyond 32."""
        store = self._agreements.pop(agreement, None)
        if store is None:
            store = Ledgers(self.agreement_folder(agreement))
        self._agreements[agreement] = store
        if len(self._agreements) > OPEN_AT_ONCE:
            _, oldest = self._agreements.popitem(last=False)
            oldest.close()
        return store

    def close_agreement(self, agreement: str) -> None:
        """Close the databases of one agreement; they open again when they are needed."""
        for opened in (self._agreements.pop(agreement, None), self._views.pop(agreement, None)):
            if opened is not None:
                opened.close()

    def _may_begin(self, name: str) -> bool:
        """Whether a secret may be made: not where things already bear names by one that is lost."""
        kind, _, agreement = name.partition("/")
        folder = self.path / "agreements" / agreement
        if kind != "agreement" or not (folder / "ledgers.sqlite").exists():
            return True
        return not any(row.is_own and row.size for row in self.ledgers(agreement).ledgers())

    def _signing(self, name: str) -> Sequence[bytes]:
        """The public keys that sign under a name, where key records say so."""
        kind, _, rest = name.partition("/")
        if kind == "agreement":
            agreement, _, purpose = rest.partition("/")
            is_open = agreement in self._agreements
            is_here = is_open or (self.agreement_folder(agreement) / "ledgers.sqlite").exists()
            if not is_here or purpose not in {"ledger", "cosign"}:
                return ()
            store, now = self.ledgers(agreement), self.clock.seconds()
            return own_signing(store, "ledger" if purpose == "ledger" else "cosign", now)
        partner = self.node.find_partner(rest) if kind == "link" else None
        if partner is None or not partner.own_links:
            return ()
        return (link_key(partner, ()),)

    def views(self, agreement: str) -> Views:
        """The views of an agreement, folded up to now."""
        views = self._views.get(agreement)
        if views is None:
            views = self._views[agreement] = Views(self.agreement_folder(agreement))
        views.catch_up(self.ledgers(agreement))
        return views

    # ---- what services take

    @property
    def exchange(self) -> Exchange:
        return Exchange(
            party=self.settings.party,
            node=self.settings.node,
            store=self.node,
            open_store=self.ledgers,
            open_objects=self.agreement_objects,
            signer=self.keys,
            ids=self.ids,
            clock=self.clock,
            verify=is_signed,
            mark=self.mark,
            told=self._told,
        )

    @property
    def pairing(self) -> Pairing:
        return Pairing(
            party=self.settings.party,
            name=self.settings.name,
            node=self.settings.node,
            address=self.settings.address,
            store=self.node,
            signer=self.keys,
            ids=self.ids,
            clock=self.clock,
            verify=is_signed,
        )

    def intake(self, person: Person) -> Intake:
        """Intake into this home's journal by a person."""
        return Intake(journal=self.journal, ids=self.ids, clock=self.clock, by=person.person)

    def ground(self, mapping: Mapping) -> Ground:
        """What extraction under a mapping stands on."""
        return Ground(
            party=self.settings.party,
            units=self.units,
            dictionary=self.dictionary,
            zone=zone_named(mapping.zone),
            own_id=self.ids.own,
        )

    # ---- people

    def acting(self, given: str | None, role: str) -> Person:
        """The person a command acts as: the one given, else the only one, who must have the role.

        Raises:
            InputError: nobody of that id or name, or several and none given.
            RefusedError: the person lacks the role.
        """
        persons = [item for item in self.node.persons() if item.is_active]
        if given is not None:
            persons = [item for item in persons if given in {item.person, item.name}]
        if len(persons) != 1:
            known = ", ".join(f"{item.person} ({item.name})" for item in self.node.persons())
            raise InputError(
                "one person to act as",
                where="--as",
                found=given or f"{len(persons)} persons",
                advice=f"Known are {known}.",
                code="person.which",
            )
        if role and role not in persons[0].roles:
            raise RefusedError(
                f"{persons[0].name} is no {role}; `fedbatch person` shows and changes roles",
                code="person.role",
            )
        return persons[0]

    def officer(self, person: Person, role: str) -> Officer:
        """A person as a signature prints it."""
        return Officer(person=person.person, name=person.name, role=role)

    # ---- partners and agreements

    def partner_named(self, name: str) -> Partner:
        """A partner by its name or party id.

        Raises:
            InputError: none, or several of that name.
        """
        found = [item for item in self.node.partners() if name in {item.party, item.name}]
        if len(found) != 1:
            known = ", ".join(item.name for item in self.node.partners()) or "none yet"
            raise InputError(
                "a partner", found=name, advice=f"Known are {known}.", code="partner.unknown"
            )
        return found[0]

    def agreement_named(self, name: str | None) -> KnownAgreement:
        """An agreement by its id or name; the only one where none is given.

        Raises:
            InputError: none, or several.
        """
        known = self.node.agreements()
        found = [item for item in known if name is None or name in {item.agreement, item.name}]
        if len(found) != 1:
            names = ", ".join(f"{item.agreement} ({item.name})" for item in known) or "none yet"
            raise InputError(
                "one agreement, by id or name",
                found=name or ("none yet" if not known else f"{len(known)}, and none named"),
                advice=f"Known are {names}.",
                code="agreement.unknown",
            )
        return found[0]

    def standing(self, agreement: str) -> Standing:
        """How an agreement stands."""
        return standing(self.ledgers(agreement), self.clock)

    def active_bodies(self) -> Sequence[AgreementBody]:
        """The bodies of all agreements in force."""
        bodies = []
        for known in self.node.agreements():
            now = self.standing(known.agreement)
            if now.state in {"active", "one_sided"} and now.body is not None:
                bodies.append(now.body)
        return bodies

    # ---- TLS

    def certificate(self) -> tuple[Path, Path]:
        """The TLS certificate and key of this node, made at first use."""
        now = datetime.fromtimestamp(self.clock.seconds(), UTC)
        return make_certificate(self.path / "keys", self.settings.node, now)

    def tls_sha256(self) -> str:
        """SHA-256 of the TLS key; "" where partners dial plain HTTP on loopback."""
        if not self.settings.address.startswith("https://"):
            return ""
        return certificate_sha256(self.certificate()[0].read_bytes())
