"""The own ledger of an agreement: what is written into it, as entries ready to append."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from fedbatch.ledger.note import Checkpoint, render_note, sign_checkpoint
from fedbatch.ports import Clock, Ids, LedgerHead, NewLedgerEntry, Signer
from fedbatch.services.intake import content_digest
from fedbatch.standard import canonical, keys, registry
from fedbatch.standard.envelope import write_entry, write_withdrawal
from fedbatch.standard.records import Points, Record, object_of
from fedbatch.standard.values import Basis, Correction

__all__ = ["Ledgering", "Post", "entry_id", "head_signer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgering:
    """What every entry of one own ledger has in common."""

    agreement: str
    version: int
    ledger: str
    origin: str
    sender: str
    receiver: str | None


def head_signer(signer: Signer, key: str, origin: str) -> Callable[[int, bytes], bytes]:
    """A function that signs a ledger's head (size, root) with the ledger's key as a C2SP note.

    Which key that is, is asked at each head: while one gives way to another, both sign.
    """
    # A key that is not here stops the work before it begins.
    signer.public(key)

    def sign(size: int, root: bytes) -> bytes:
        checkpoint = Checkpoint(origin, size, root)
        lines = [
            sign_checkpoint(checkpoint, public, functools.partial(signer.sign_with, public))
            for public in signer.signing(key)
        ]
        return render_note(checkpoint.body(), lines)

    return sign


def entry_id(ids: Ids, agreement: str, type_: str, key: tuple[str, ...], version: int) -> str:
    """The id of a version of a record under an agreement: whoever holds the secret finds it again."""
    return ids.entry(agreement, "\x1f".join((type_, *key, str(version))))


@dataclass(slots=True, kw_only=True)
class Post:
    """Entries on their way into one own ledger, each versioned after its head."""

    place: Ledgering
    ids: Ids
    clock: Clock
    heads: dict[tuple[str, tuple[str, ...]], LedgerHead]
    entries: list[NewLedgerEntry] = field(default_factory=list)
    # What is posted from a partner's reports says so, record by record.
    basis: Basis | None = None
    unchanged: int = 0
    points: int = 0
    # What the ledger says already, by the journal entry that says it: a rebuilt one has forgotten.
    known: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        record: Record,
        *,
        source: str = "",
        journal: str = "",
        correction: Correction | None = None,
        subject: str | None = None,
    ) -> str | None:
        """Add a record as new or as next version; None where the ledger already says the same (S6).

        Args:
            record: with any version; the ledger's count replaces it.
            source: the pseudonym of the source, part of a result's key.
            journal: id of the journal entry it is posted from.
            correction: why, for a version above 1.
            subject: the batch or lot it is about.
        """
        type_ = registry.type_of(record).name
        if self.basis is not None:
            record = msgspec.structs.replace(record, basis=self.basis)
        key = keys.key_of(record, source=source)
        digest = content_digest(record)
        head = self.heads.get((type_, key))
        if head is not None and head.digest == digest and not head.is_withdrawn:
            self.unchanged += 1
            if journal:
                self.known[journal] = head.entry_id
            return None
        version = head.version + 1 if head else 1
        if head is not None:
            record = msgspec.structs.replace(
                record,
                version=version,
                supersedes=head.entry_id,
                correction=correction or self._agreed_otherwise(),
            )
        elif record.version != 1:
            record = msgspec.structs.replace(record, version=1, supersedes=None, correction=None)
        return self._append(record, type_, key, digest, version, source, journal, subject)

    def add_points(self, record: Points, *, source: str) -> None:
        """Add points: they have no second version, and no head tells them from others."""
        self.points += 1
        named = self.ids.entry(self.place.agreement, self.ids.salt())
        content = write_entry(
            record,
            id=named,
            source=f"urn:fedbatch:source:{source}",
            time=self.clock.now(),
            agreement=f"{self.place.agreement}@{self.place.version}",
            sender=self.place.sender,
            receiver=self.place.receiver,
            salt=self.ids.salt(),
        )
        self.entries.append(
            NewLedgerEntry(
                content=content,
                type="points",
                key=(record.series, named),
                version=1,
                digest=b"",
                entry_id=named,
            )
        )

    def _agreed_otherwise(self) -> Correction:
        return Correction(
            kind="correct",
            reason_code="agreement_changed",
            reason="the agreement or what is known of the record changed",
            by=self.place.sender,
        )

    def _append(
        self,
        record: Record,
        type_: str,
        key: tuple[str, ...],
        digest: bytes,
        version: int,
        source: str,
        journal: str,
        subject: str | None,
    ) -> str:
        named = self._entry_id(type_, key, version)
        content = write_entry(
            record,
            id=named,
            source=f"urn:fedbatch:source:{source or self.place.sender}",
            time=self.clock.now(),
            agreement=f"{self.place.agreement}@{self.place.version}",
            sender=self.place.sender,
            receiver=self.place.receiver,
            salt=self.ids.salt(),
            subject=subject,
        )
        entry = NewLedgerEntry(
            content=content,
            type=type_,
            key=key,
            version=version,
            digest=digest,
            entry_id=named,
            journal=journal,
            object=object_of(record),
        )
        self._keep(entry)
        return named

    def _entry_id(self, type_: str, key: tuple[str, ...], version: int) -> str:
        return entry_id(self.ids, self.place.agreement, type_, key, version)

    def _keep(self, entry: NewLedgerEntry) -> None:
        self.entries.append(entry)
        self.heads[entry.type, entry.key] = LedgerHead(
            type=entry.type,
            key=entry.key,
            index=-1,
            version=entry.version,
            digest=entry.digest,
            entry_id=entry.entry_id,
            is_withdrawn=entry.is_withdrawn,
        )

    def withdraw(
        self, head: LedgerHead, withdrawn: bytes, correction: Correction, *, journal: str = ""
    ) -> str:
        """Add the withdrawal of a record whose newest entry has the bytes `withdrawn`."""
        version = head.version + 1
        named = self._entry_id(head.type, head.key, version)
        content = write_withdrawal(
            withdrawn,
            version=version,
            correction=correction,
            id=named,
            time=self.clock.now(),
            agreement=f"{self.place.agreement}@{self.place.version}",
            salt=self.ids.salt(),
        )
        self._keep(
            NewLedgerEntry(
                content=content,
                type=head.type,
                key=head.key,
                version=version,
                digest=canonical.encode(["withdrawn", named]),
                entry_id=named,
                is_withdrawn=True,
                journal=journal,
            )
        )
        return named
