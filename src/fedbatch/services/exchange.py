"""Exchange with a partner: one desk that listener and dialer both stand behind.

Every call names the partner who asks. What is not that partner's looks exactly like what does not
exist: `NotHereError`, always the same.
"""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import msgspec

from fedbatch.errors import (
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    MissingObjectsError,
    RefusedError,
    expectation,
)
from fedbatch.ledger.frames import decode_frames
from fedbatch.ports import (
    AuditNote,
    Clock,
    Ids,
    KnownAgreement,
    LedgerRow,
    NodeStore,
    Objects,
    Partner,
    Person,
    Signer,
)
from fedbatch.services import agreements, key_turns, rebuilding, replication, succession
from fedbatch.services.agreements import Officer, Party, Verify
from fedbatch.services.rebuilding import Rebuilding, RebuildStore, Returned
from fedbatch.services.replication import CopyStore, Replica, Replication
from fedbatch.standard import canonical
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.key_records import KeyRecord

__all__ = ["PART_BYTES_MAX", "AgreementLine", "Exchange", "NotHereError", "Overview", "Told"]


# The setting that lists objects which the partner's entries name and which are not here.
AWAITED = "awaited"
AWAITED_MAX = 10_000
# How many of them a partner is told of at once; the rest follow once these are here.
WANTED_MAX = 64
PART_BYTES_MAX = 8 * 1024 * 1024


# Told in place of a reason for which a ledger is stopped: it is being brought back.
RESTORED = "restored"


class NotHereError(RefusedError):
    """Unknown and forbidden alike."""

    default_code = "not_here"


class AgreementLine(msgspec.Struct, frozen=True, kw_only=True):
    """How one agreement stands at the node that answers. Sizes of entries; hashes in hex, "" for none.

    `own` is the answering party's ledger, `copy` how much it holds of the other's and `copy_root` its
    root there, `receipted` how much of its own it holds receipts for. `stopped` is the code for which
    its own ledger is stopped, or for which this node cannot read it ("restored": while it waits for
    what it lost). `wanted` are objects of the other
    party's ledger that it does not hold yet, by SHA-256.
    """

    agreement: str
    own: str = ""
    size: int = 0
    root: str = ""
    receipted: int = 0
    copy: int = 0
    copy_root: str = ""
    proposal: str = ""
    acceptance: str = ""
    stopped: str = ""
    wanted: tuple[str, ...] = ()
    succession: str = ""
    succession_answer: str = ""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner may know of this node: whether it has confirmed, and their agreements.

    `keys` is the SHA-256 of this node's key records towards the partner, "" where there are none.
    `wants_back`: this node has lost what it exchanged, and waits for it.
    """

    confirmed: bool
    agreements: tuple[AgreementLine, ...] = ()
    keys: str = ""
    wants_back: bool = False


class KeyRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of keys as they cross: of the link, then of each agreement in the order of its id."""

    records: tuple[KeyRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the store of one agreement tells its partner: how it stands, and changes of keys.

    `known` are the partner's own changes, as far as they are known here.
    """

    line: AgreementLine
    keys: tuple[KeyRecord, ...]
    known: tuple[KeyRecord, ...]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """This node's side of every link. `open_store` opens an agreement's store, lazily.

    `mark` changes whenever an agreement's store may have (its id), or the node's (""); while it does
    not, what was read is kept in `told` and no store is opened.
    """

    party: str
    node: str
    store: NodeStore
    open_store: Callable[[str], RebuildStore]
    open_objects: Callable[[str], Objects]
    signer: Signer
    ids: Ids
    clock: Clock
    verify: Verify
    mark: Callable[[str], object]
    told: dict[str, tuple[object, Told]]

    # ---- who asks

    def partner(self, party: str) -> Partner:
        """A paired partner."""
        found = self.store.find_partner(party)
        if found is None:
            raise NotHereError("not here")
        return found

    def _agreement(self, party: str, agreement: str) -> RebuildStore:
        """The store of an agreement with this partner, once both have confirmed the pairing."""
        partner = self.partner(party)
        if not (partner.confirmed_here and partner.confirmed_there):
            raise NotHereError("not here")
        for known in self.store.agreements():
            if known.agreement == agreement and known.partner == party:
                return self.open_store(agreement)
        raise NotHereError("not here")

    def replication(self, party: str, agreement: str) -> Replication:
        """Replication under an agreement with this partner."""
        return Replication(
            store=self._agreement(party, agreement),
            party=self.party,
            partner=party,
            signer=self.signer,
            ids=self.ids,
            clock=self.clock,
            objects=self.open_objects(agreement),
        )

    def note_confirmation(self, party: str) -> None:
        """The partner says, signed, that it has confirmed the pairing: each round begins with it."""
        partner = self.partner(party)
        if not partner.dials:
            # A listener knows of a link only what its dialer does.
            self.store.keep_link(party, {"contact": self.clock.now(), "failures": 0})
        if not partner.confirmed_there:
            now = self.clock.now()
            confirmed = msgspec.structs.replace(partner, confirmed_there=now)
            note = AuditNote(act="partner confirmed", by="node", time=now, detail=partner.name)
            self.store.save_partner(confirmed, note)

    def overview(self, party: str) -> Overview:
        """All that a partner may know of how things stand."""
        partner = self.partner(party)
        if not partner.confirmed_here:
            return Overview(confirmed=False)
        if not partner.confirmed_there:
            return Overview(confirmed=True)
        known = [item.agreement for item in self.store.agreements() if item.partner == party]
        lines = (self._line(item) for item in known)
        # Where only the partner has spoken yet there is nothing to tell it.
        told = (item for item in lines if item != AgreementLine(agreement=item.agreement))
        return Overview(
            confirmed=True,
            agreements=tuple(told),
            keys=self.own_key_records(party)[1],
            wants_back=partner.wants_back,
        )

    def watched(self, party: str) -> tuple[str, ...]:
        """The names whose marks tell that what a partner may know has changed."""
        return ("", *self._agreements_with(party))

    def _told(self, agreement: str) -> Told:
        mark = self.mark(agreement)
        before = self.told.get(agreement)
        if before is not None and before[0] == mark:
            return before[1]
        store = self.open_store(agreement)
        fresh = Told(
            line=self._read_line(agreement),
            keys=tuple(key_turns.records_of(store)),
            known=tuple(key_turns.partner_records(store)),
        )
        self.told[agreement] = (mark, fresh)
        return fresh

    def _line(self, agreement: str) -> AgreementLine:
        """How one agreement stands; a damaged one holds the others of this partner not up."""
        try:
            return self._told(agreement).line
        except IntegrityError as error:
            return AgreementLine(agreement=agreement, stopped=error.code)

    def _read_line(self, agreement: str) -> AgreementLine:
        store = self.open_store(agreement)
        line = AgreementLine(
            agreement=agreement,
            proposal=_sha256(store.setting("offer_sent")),
            acceptance=_sha256(store.setting("acceptance_sent")),
            succession=_sha256(store.setting(succession.SENT)),
            succession_answer=_sha256(store.setting(succession.ANSWER_SENT)),
        )
        rows = store.ledgers()
        if self._is_alone(store):
            # Nothing of the ledger shows before the partner has joined.
            return line
        if not rows:
            is_lost = store.setting(replication.LOST) is not None
            stopped = RESTORED if store.is_awaited else "rollback" if is_lost else ""
            return msgspec.structs.replace(line, stopped=stopped)
        own, *others = rows
        receipts = [row.size for row in store.checkpoints(own.ledger) if row.cosignature]
        return msgspec.structs.replace(
            line,
            own=own.ledger,
            size=own.size,
            root=own.root.hex(),
            receipted=max(receipts, default=0),
            copy=others[0].size if others else 0,
            copy_root=others[0].root.hex() if others else "",
            stopped=RESTORED if store.is_awaited else own.stopped.partition(":")[0],
            wanted=tuple(sorted(_awaited(store)))[:WANTED_MAX],
        )

    def hear(self, party: str, overview: Overview) -> None:
        """How things stand at the partner: is what it holds of this party's ledgers all here?

        Raises:
            IntegrityError: a ledger here is shorter than the partner's copy, or another; it stops.
        """
        problem: IntegrityError | None = None
        for line in overview.agreements:
            try:
                work = self.replication(party, line.agreement)
                replication.hear_writer(work, line.own, line.stopped)
                if line.copy_root:
                    replication.hear(work, line.copy, agreements.hex_bytes(line.copy_root))
            except NotHereError:
                continue
            except IntegrityError as error:
                problem = problem or error
        self._release_untouched(party, overview)
        if problem is not None:
            raise problem
        self._note_rebuilt(party, overview)

    def _release_untouched(self, party: str, overview: Overview) -> None:
        """A restored agreement of which the partner holds no entry has lost none."""
        held = {line.agreement for line in overview.agreements if line.copy}
        for agreement in self._agreements_with(party):
            with contextlib.suppress(IntegrityError):
                store = self.open_store(agreement)
                if store.is_awaited and agreement not in held:
                    store.confirm_place()

    # ---- keys

    def _agreements_with(self, party: str) -> list[str]:
        return [item.agreement for item in self.store.agreements() if item.partner == party]

    def own_key_records(self, party: str) -> tuple[bytes, str]:
        """This party's changes of keys, for the partner, and their SHA-256 ("" for none)."""
        partner = self.partner(party)
        found = list(partner.own_links)
        for agreement in self._agreements_with(party):
            with contextlib.suppress(IntegrityError):  # damaged: its line says so
                found += self._told(agreement).keys
        return _encode_records(found)

    def known_key_records(self, party: str) -> str:
        """The SHA-256 of the partner's changes of keys, as far as they are known here."""
        partner = self.partner(party)
        found = list(partner.links)
        for agreement in self._agreements_with(party):
            with contextlib.suppress(IntegrityError):
                found += self._told(agreement).known
        return _encode_records(found)[1]

    def note_told(self, party: str, told: str, links: int) -> None:
        """The partner has heard of this party's changes of keys; its newest link key signs now."""
        partner = self.partner(party)
        if (partner.told, partner.told_links) != (told, links):
            heard = msgspec.structs.replace(partner, told=told, told_links=links)
            now = self.clock.now()
            note = AuditNote(act="keys told", by="node", time=now, detail=partner.name)
            self.store.save_partner(heard, note)

    def offered_link_key(self, party: str, content: bytes) -> bytes | None:
        """The newest link key that a partner's own records name, if its identity key vouches for it.

        So a request that brings such records can be signed by a key that they bring.
        """
        try:
            records = _decode_records(content)
            partner = self._with_links(self.partner(party), records)
        except (InputError, RefusedError):
            return None
        return key_turns.link_keys(partner, self.clock.seconds())[0]

    def _with_links(self, partner: Partner, records: Sequence[KeyRecord]) -> Partner:
        """A partner with what records say of its link key.

        Raises:
            RefusedError: a record that does not follow, or is not endorsed.
        """
        identity = bytes.fromhex(partner.identity_key)
        for record in records:
            if record.purpose != "link":
                continue
            self._check_parties(record, partner.party)
            if key_turns.check_record(
                record, partner.links, partner.link_key, identity, self.verify
            ):
                partner = msgspec.structs.replace(partner, links=(*partner.links, record))
        return partner

    def _check_parties(self, record: KeyRecord, party: str) -> None:
        if (record.party, record.partner) != (party, self.party):
            raise RefusedError("a key record between these two parties", code="keys.record")

    def take_key_records(self, party: str, content: bytes) -> None:
        """Take a partner's changes of keys: effective at once.

        Raises:
            RefusedError: one that does not follow those before it, or is not endorsed.
        """
        partner = self.partner(party)
        records = _decode_records(content)
        changed = self._with_links(partner, records)
        if changed != partner:
            now = self.clock.now()
            note = AuditNote(act="partner's link key", by="node", time=now, detail=partner.name)
            self.store.save_partner(changed, note)
        identity = bytes.fromhex(partner.identity_key)
        for record in records:
            if record.purpose == "link":
                continue
            self._check_parties(record, party)
            store = self._agreement(party, record.agreement)
            if store.setting("partner_keys") is not None:
                key_turns.take_record(store, record, identity, self.verify, self.clock)

    # ---- folders that travel

    def receipts(self, party: str, agreement: str, count: int) -> bytes:
        """This party's newest cosignatures of the partner's ledger, as they cross."""
        store = self._agreement(party, agreement)
        copies = [row for row in store.ledgers() if not row.is_own]
        if not copies:
            return b""
        kept = [row for row in store.checkpoints(copies[0].ledger) if row.cosignature]
        given = [(row.size, row.cosignature) for row in kept[-count:]]
        return Replica(size=copies[0].size, receipts=given).encode()

    def objects_since(self, party: str, agreement: str, start: int) -> list[str]:
        """Objects that entries of the own ledger from an index on name, as far as they are here."""
        store, own = self._agreement(party, agreement), self.own_ledger(party, agreement)
        objects = self.open_objects(agreement)
        named = [item.sha256 for item in store.objects(own.ledger) if item.index >= start]
        return [sha256 for sha256 in named if objects.has(sha256)]

    def whole_object(self, party: str, agreement: str, sha256: str) -> bytes:
        """An object's bytes, checked."""
        self._agreement(party, agreement)
        return self.open_objects(agreement).read(sha256)

    def end_of(self, content: bytes) -> int:
        """The size that a group of frames leads to."""
        return max(frame.first + frame.count for frame in decode_frames(content))

    # ---- agreements

    def proposal(self, party: str, agreement: str) -> bytes:
        """This party's proposal, for the partner."""
        return self._setting(party, agreement, "offer_sent")

    def acceptance(self, party: str, agreement: str) -> bytes:
        """This party's acceptance, for the partner."""
        return self._setting(party, agreement, "acceptance_sent")

    def _setting(self, party: str, agreement: str, name: str) -> bytes:
        content = self._agreement(party, agreement).setting(name)
        if content is None:
            raise NotHereError("not here")
        return content

    def take_proposal(self, party: str, agreement: str, content: bytes) -> None:
        """Keep a partner's proposal; a person looks at it and accepts, or proposes otherwise."""
        partner = self.partner(party)
        if not (partner.confirmed_here and partner.confirmed_there):
            raise NotHereError("not here")
        offer = agreements.check_offer(
            content,
            agreement,
            {self.party, party},
            bytes.fromhex(partner.identity_key),
            self.verify,
        )
        body = canonical.parse(bytes(offer.body), AgreementBody, "proposal")
        if partner.wants_back:
            raise ConflictError("what was agreed before comes back first", code="rebuild.waits")
        if self._is_foreign(party, agreement):
            # Answered as any proposal that nobody accepts: that the id is taken must not show.
            return
        self._remember(party, body)
        store = self.open_store(agreement)
        if store.setting("offer_received") == content:
            return
        agreements.check_pinned(store, offer.keys)
        self._check_next(store, body)
        store.keep_setting("offer_received", content)
        now = self.clock.now()
        self.store.note(
            AuditNote(
                act="proposal received", by="node", time=now, detail=f"{body.id} {body.version}"
            )
        )

    def _check_next(self, store: CopyStore, body: AgreementBody) -> None:
        """A proposal is of the version after the one in force, or of the first."""
        current = store.setting("body")
        due = 1
        if current is not None:
            due = canonical.parse(current, AgreementBody, "agreement").version + 1
            standing = agreements.standing(store, self.clock)
            if standing.state in {"ended", "expired"}:
                raise RefusedError("the agreement is over", code=f"agreement.{standing.state}")
        if body.version < due:
            raise ConflictError(
                expectation(
                    f"version {due}, which is due",
                    f"agreement {body.id}",
                    f"version {body.version}",
                    f"Write `version: {due}` in the proposal.",
                ),
                code="agreement.version",
            )

    def _is_foreign(self, party: str, agreement: str) -> bool:
        """Whether the id is of an agreement with another partner."""
        known = (item.partner for item in self.store.agreements() if item.agreement == agreement)
        return any(partner != party for partner in known)

    def _is_alone(self, store: CopyStore) -> bool:
        """Whether an agreement has begun and no partner has joined it."""
        return len(store.ledgers()) == 1

    def _remember(self, party: str, body: AgreementBody) -> None:
        is_known = any(item.agreement == body.id for item in self.store.agreements())
        if self._is_foreign(party, body.id):
            # Until a partner has joined, the agreement may still be offered to one, or to another.
            if not self._is_alone(self.open_store(body.id)):
                raise ConflictError(
                    expectation(
                        "an id that no other partner's agreement has",
                        "agreement",
                        body.id,
                        "Write another `id` in the proposal.",
                    ),
                    code="agreement.id_taken",
                )
        elif is_known:
            return
        name = body.product[0].name if body.product else body.id
        known = KnownAgreement(agreement=body.id, partner=party, name=name)
        note = AuditNote(act="agreement known", by="node", time=self.clock.now(), detail=body.id)
        self.store.save_agreement(known, note)

    def sign_alone(self, body: AgreementBody, officer: Officer) -> None:
        """Put an agreement in force while its partner is only named (STANDARD S26).

        Raises:
            ConflictError: a partner has joined, or another version is due.
        """
        agreements.check_id(body.id)
        self._check_next(self.open_store(body.id), body)
        self._remember("", body)
        party = Party(party=self.party, partner="", officer=officer)
        agreements.sign_alone(
            self.open_store(body.id), body, self.node, party, self.signer, self.ids, self.clock
        )

    def propose(self, party: str, body: AgreementBody, by: str) -> None:
        """Propose a body to a partner; it crosses with the next contact."""
        agreements.check_id(body.id)
        self._remember(party, body)
        store = self.open_store(body.id)
        self._check_next(store, body)
        agreements.offer(store, body, self.node, self.signer, self.ids)
        detail = f"{body.id} version {body.version}"
        self.store.note(AuditNote(act="propose", by=by, time=self.clock.now(), detail=detail))
        # Who proposes has made up its mind: its officer signs when the acceptance arrives.
        store.keep_setting("proposed_by", by.encode())

    def received_body(self, agreement: str) -> tuple[agreements.Offer, AgreementBody]:
        """The partner's newest proposal of an agreement."""
        content = self.open_store(agreement).setting("offer_received")
        if content is None:
            raise InputError(
                "a proposal by the partner", where=agreement, found="none", code="agreement.none"
            )
        offer = canonical.parse(content, agreements.Offer, "proposal")
        return offer, canonical.parse(bytes(offer.body), AgreementBody, "proposal")

    def accept(self, agreement: str, officer: Officer) -> AgreementBody:
        """Accept the partner's newest proposal: this party's statement of it enters its ledger."""
        known = next(item for item in self.store.agreements() if item.agreement == agreement)
        offer, body = self.received_body(agreement)
        store = self.open_store(agreement)
        if store.setting("body") == bytes(offer.body):
            raise ConflictError(
                expectation(
                    "a proposal that waits for an answer",
                    f"agreement {agreement}",
                    f"version {body.version}, accepted already",
                    "`fedbatch agreement show` says how it stands.",
                ),
                code="agreement.accepted",
            )
        self._check_next(store, body)
        agreements.accept(store, offer, self.node, self.signer, self.ids)
        self._activate(store, body, offer.keys, known.partner, officer)
        return body

    def take_acceptance(self, party: str, agreement: str, content: bytes) -> None:
        """The partner accepts what this node proposed: state it in the own ledger too."""
        store = self._agreement(party, agreement)
        sent = store.setting("offer_sent")
        if sent is None:
            raise NotHereError("not here")
        if store.setting("acceptance_received") == content:
            return
        offer = canonical.parse(sent, agreements.Offer, "proposal")
        identity = bytes.fromhex(self.partner(party).identity_key)
        answer = agreements.check_acceptance(content, offer, agreement, identity, self.verify)
        agreements.check_pinned(store, answer.keys)
        if agreements.standing(store, self.clock).state == "ended":
            raise RefusedError("the agreement is over", code="agreement.ended")
        body = canonical.parse(bytes(offer.body), AgreementBody, "proposal")
        by = (store.setting("proposed_by") or b"").decode()
        self._activate(store, body, answer.keys, party, self._officer(by))
        store.keep_setting("acceptance_received", content)

    def _officer(self, person: str) -> Officer:
        found = next(
            (item for item in self.store.persons() if item.person == person),
            Person(person=person, name=person, roles=()),
        )
        return Officer(person=found.person, name=found.name, role="agreement officer")

    def _activate(
        self,
        store: CopyStore,
        body: AgreementBody,
        keys: agreements.Keys,
        partner: str,
        officer: Officer,
    ) -> None:
        party = Party(party=self.party, partner=partner, officer=officer)
        agreements.activate(store, body, keys, party, self.signer, self.ids, self.clock)

    # ---- ledgers that carry others on

    def succession(self, party: str, agreement: str) -> bytes:
        """This party's offer of a new ledger, for the partner."""
        return self._setting(party, agreement, succession.SENT)

    def succession_answer(self, party: str, agreement: str) -> bytes:
        """This party's confirmation of the partner's new ledger."""
        return self._setting(party, agreement, succession.ANSWER_SENT)

    def take_succession(self, party: str, agreement: str, content: bytes) -> None:
        """Keep the partner's offer of a new ledger; a person looks at it and confirms."""
        store = self._agreement(party, agreement)
        identity = bytes.fromhex(self.partner(party).identity_key)
        answered = store.setting(succession.ANSWER_SENT)
        if answered is not None and _sha256(content).encode() in answered:
            return
        if store.setting(succession.RECEIVED) == content:
            return
        succession.read_succession(store, content, agreement, identity, self.verify)
        store.keep_setting(succession.RECEIVED, content)
        now = self.clock.now()
        self.store.note(AuditNote(act="succession received", by="node", time=now, detail=agreement))

    def take_succession_answer(self, party: str, agreement: str, content: bytes) -> None:
        """The partner confirms this party's new ledger: it begins."""
        store = self._agreement(party, agreement)
        officer = self._officer((store.setting(succession.BY) or b"").decode())
        succession.activate_successor(
            store,
            content,
            agreement,
            bytes.fromhex(self.partner(party).identity_key),
            self.verify,
            Party(party=self.party, partner=party, officer=officer),
            self.signer,
            self.ids,
            self.clock,
        )

    # ---- ledgers

    def own_ledger(self, party: str, agreement: str) -> LedgerRow:
        """This party's ledger under an agreement with the partner."""
        store = self._agreement(party, agreement)
        rows = store.ledgers()
        if not rows or self._is_alone(store):
            raise NotHereError("not here")
        return rows[0]

    def _named(self, party: str, agreement: str, ledger: str) -> tuple[CopyStore, LedgerRow]:
        store = self._agreement(party, agreement)
        for row in store.ledgers() if not self._is_alone(store) else ():
            if row.ledger == ledger:
                return store, row
        raise NotHereError("not here")

    def give(self, party: str, agreement: str, ledger: str, start: int, bytes_max: int) -> bytes:
        """Frames of this party's ledger, or of the copy of the partner's own, from `start` on."""
        store, row = self._named(party, agreement, ledger)
        return replication.frames(store, row.ledger, start, bytes_max)

    def take(
        self,
        party: str,
        agreement: str,
        ledger: str,
        content: bytes,
        *,
        stops: bool = True,
        writer_root: bytes | None = None,
        without: AbstractSet[str] = frozenset(),
    ) -> Replica:
        """Take in frames of the partner's ledger; `without` are objects it could not give.

        Raises:
            MissingObjectsError: objects must come first; they are awaited from here on.
        """
        store, _ = self._named(party, agreement, ledger)
        work = self.replication(party, agreement)
        try:
            replica = replication.take(
                work, ledger, content, stops=stops, writer_root=writer_root, without=without
            )
        except MissingObjectsError as error:
            _await(store, error.missing)
            raise
        return replica

    # ---- what was lost comes back

    def returned(self, party: str, agreement: str) -> bytes:
        """What this node holds of an agreement, for the partner that lost it."""
        store = self._agreement(party, agreement)
        name = next(i.name for i in self.store.agreements() if i.agreement == agreement)
        return rebuilding.return_agreement(store, agreement, name)

    def give_back(self, party: str, agreement: str, ledger: str, start: int) -> bytes:
        """Entries of either ledger with their checkpoints, for the partner that lost them."""
        _, row = self._named(party, agreement, ledger)
        return rebuilding.give_back(self.open_store(agreement), row.ledger, start)

    def want_back(self, party: str, by: str) -> list[str]:
        """Take back from a partner what is lost here; agreements known that wait for it.

        Ledgers that were stopped because they are shorter than the partner's copy wait too.

        Raises:
            IntegrityError: an own ledger is forked, which giving back does not heal.
        """
        waiting = []
        for agreement in self._agreements_with(party):
            store = self.open_store(agreement)
            own = next((row for row in store.ledgers() if row.is_own), None)
            if own is not None and own.stopped and not own.stopped.startswith("rollback"):
                raise IntegrityError(f"{agreement}: {own.stopped}", code="rebuild.forked")
            is_lost = store.setting(replication.LOST) is not None
            if is_lost or (own is not None and own.stopped):
                self._let_wait(store, own, by)
            if store.is_awaited:
                waiting.append(agreement)
        self._set_wish(party, by, wants=True)
        return waiting

    def _let_wait(self, store: RebuildStore, own: LedgerRow | None, by: str) -> None:
        store.mark_restored()
        store.forget_setting(replication.LOST)
        if own is not None:
            note = AuditNote(act="rebuild ledger", by=by, time=self.clock.now(), detail=own.stopped)
            store.stop(own.ledger, "", note)

    def _set_wish(self, party: str, by: str, *, wants: bool) -> None:
        partner = self.partner(party)
        if partner.wants_back != wants:
            changed = msgspec.structs.replace(partner, wants_back=wants)
            act = "rebuild" if wants else "rebuilt"
            note = AuditNote(act=act, by=by, time=self.clock.now(), detail=partner.name)
            self.store.save_partner(changed, note)

    def _note_rebuilt(self, party: str, overview: Overview) -> None:
        """All that the partner holds of this party's ledgers is here: the wish is fulfilled."""
        if not self.partner(party).wants_back:
            return
        here = set(self._agreements_with(party))
        held = {line.agreement for line in overview.agreements if line.copy}
        if held <= here and not any(self.open_store(item).is_awaited for item in held):
            self._set_wish(party, "node", wants=False)

    def _rebuilding(self, party: str, agreement: str) -> Rebuilding:
        partner = self.partner(party)
        if not (partner.confirmed_here and partner.confirmed_there and partner.wants_back):
            raise NotHereError("not here")
        if self._is_foreign(party, agreement):
            raise NotHereError("not here")
        agreements.check_id(agreement)
        return Rebuilding(
            store=self.open_store(agreement),
            agreement=agreement,
            party=self.party,
            partner=party,
            own_identity=self.signer.public("identity"),
            partner_identity=bytes.fromhex(partner.identity_key),
            verify=self.verify,
            clock=self.clock,
            objects=self.open_objects(agreement),
        )

    def take_returned(self, party: str, agreement: str, content: bytes) -> Returned:
        """Take back what the partner holds of an agreement, known here or not.

        Raises:
            NotHereError: nothing is wanted back from this partner.
            RefusedError: keys that the two identity keys did not certify.
        """
        self._check_certified(party, agreement, content)
        work = self._rebuilding(party, agreement)
        if not any(row.size for row in work.store.ledgers()):
            work.store.mark_restored()
        found = rebuilding.take_agreement(work, content)
        known = KnownAgreement(agreement=agreement, partner=party, name=found.name[:200])
        if agreement not in self._agreements_with(party):
            now = self.clock.now()
            note = AuditNote(act="agreement known", by="node", time=now, detail=agreement)
            self.store.save_agreement(known, note)
        return found

    def _check_certified(self, party: str, agreement: str, content: bytes) -> None:
        """Refuse an agreement that this party never certified keys for, before a folder is made."""
        partner = self.partner(party)
        if not (partner.confirmed_here and partner.confirmed_there and partner.wants_back):
            raise NotHereError("not here")
        agreements.check_id(agreement)
        found = canonical.parse(content, Returned, "returned agreement")
        identity = self.signer.public("identity")
        agreements.check_keys(found.asker, agreement, identity, self.verify)

    def sizes_back(self, party: str, agreement: str) -> dict[str, int]:
        """How much of each ledger is here, own and partner's, while they come back."""
        store = self._rebuilding(party, agreement).store
        return {row.ledger: row.size for row in store.ledgers()}

    def take_back(self, party: str, agreement: str, ledger: str, content: bytes) -> int:
        """Take back entries of either ledger; the size then held here."""
        work = self._rebuilding(party, agreement)
        return rebuilding.adopt(work, ledger, content)

    def finish_rebuild(self, party: str, agreement: str) -> dict[str, int]:
        """Both ledgers are back: bodies, erasures; the objects that are still to come.

        Raises:
            IntegrityError: not all of it is back, or it is another ledger than the partner holds.
        """
        work = self._rebuilding(party, agreement)
        kept = work.store.setting(rebuilding.RETURNED)
        if kept is None:
            raise NotHereError("not here")
        missing = rebuilding.finish(work, canonical.parse(kept, Returned, "returned agreement"))
        _await(work.store, missing)
        work.store.forget_setting(rebuilding.RETURNED)
        return missing

    # ---- objects

    def awaited(self, party: str, agreement: str) -> dict[str, int]:
        """The partner's objects that are not here yet: SHA-256 and length in bytes."""
        return _awaited(self._agreement(party, agreement))

    def give_object(self, party: str, agreement: str, sha256: str, start: int, count: int) -> bytes:
        """Some bytes of an object of this agreement; it may be asked for again from anywhere."""
        store = self._agreement(party, agreement)
        objects = self.open_objects(agreement)
        if self._is_alone(store) or not objects.has(sha256):
            raise NotHereError("not here")
        return objects.read_part(sha256, start, min(count, PART_BYTES_MAX))

    def arrived(self, party: str, agreement: str, sha256: str) -> int:
        """How much of an awaited object is here."""
        self._agreement(party, agreement)
        return self.open_objects(agreement).arrived(sha256)

    def take_object(
        self, party: str, agreement: str, sha256: str, start: int, content: bytes
    ) -> int:
        """Keep a part of an object that signed entries of the partner name; nothing else is taken.

        Raises:
            NotHereError: nobody waits for it.
            ConflictError: another part is due.
        """
        store = self._agreement(party, agreement)
        awaited = _awaited(store)
        size = awaited.get(sha256)
        if size is None:
            raise NotHereError("not here")
        kept = self.open_objects(agreement).take_part(sha256, start, content, size)
        if kept == size:
            del awaited[sha256]
            store.keep_setting(AWAITED, canonical.encode(awaited))
        return kept

    def root(self, party: str, agreement: str, ledger: str, size: int) -> bytes:
        """The root of the first `size` entries of this party's ledger."""
        store, row = self._named(party, agreement, ledger)
        if not 0 <= size <= row.size:
            raise InputError(f"a size of at most {row.size}", found=str(size), code="range")
        return replication.root_at(store, row.ledger, size)

    def keep_receipts(self, party: str, agreement: str, content: bytes) -> int:
        """Keep the partner's cosignatures of this party's ledger; the greatest size they cover."""
        self.own_ledger(party, agreement)
        work = self.replication(party, agreement)
        sizes = []
        for size, line in replication.decode_receipts(content):
            replication.keep_receipt(work, size, line)
            sizes.append(size)
        return max(sizes, default=0)

    def checkpoint(self, party: str, agreement: str, ledger: str) -> bytes:
        """The newest checkpoint of a ledger as a note."""
        store, row = self._named(party, agreement, ledger)
        found = store.checkpoint_at(row.ledger, row.size)
        if found is None:
            raise NotHereError("not here")
        return found.note

    def compare(self, party: str, agreement: str, ledger: str, held: int, note: bytes) -> None:
        """Hold the partner's newest checkpoint against the copy, when nothing is new.

        Raises:
            IntegrityError: it is shorter (`rollback`) or has another root (`fork`); the copy stops.
        """
        self._named(party, agreement, ledger)
        replication.compare(self.replication(party, agreement), ledger, held, note)

    def own_is_stopped_by(self, party: str, agreement: str, error: FedbatchError) -> None:
        """The partner refused this party's ledger for its history: the same finding here (T4)."""
        store, own = self._agreement(party, agreement), self.own_ledger(party, agreement)
        is_stop = error.code in replication.STOPPING and isinstance(error, IntegrityError)
        if own.stopped or not is_stop:
            return
        now = self.clock.now()
        note = AuditNote(act=f"exchange.{error.code}", by="node", time=now, detail=str(error))
        store.stop(own.ledger, f"{error.code}: {error}", note)


def _encode_records(records: Sequence[KeyRecord]) -> tuple[bytes, str]:
    content = canonical.encode(KeyRecords(records=tuple(records)))
    return content, hashlib.sha256(content).hexdigest() if records else ""


def _decode_records(content: bytes) -> tuple[KeyRecord, ...]:
    return canonical.parse(content, KeyRecords, "key records").records


def _awaited(store: CopyStore) -> dict[str, int]:
    kept = store.setting(AWAITED)
    return msgspec.json.decode(kept, type=dict[str, int]) if kept else {}


def _await(store: CopyStore, missing: Mapping[str, int]) -> None:
    awaited = {**_awaited(store), **missing}
    # Entries that keep naming what never comes must not make the list grow for ever.
    newest = list(awaited.items())[-AWAITED_MAX:]
    store.keep_setting(AWAITED, canonical.encode(dict(newest)))


def _sha256(content: bytes | None) -> str:
    return hashlib.sha256(content).hexdigest() if content is not None else ""
