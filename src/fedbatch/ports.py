"""The few interfaces that services need; adapters implement them, `node` hands them in.

Every store method that writes is one transaction: when it returns, all of it is durable (fsynced) and
visible to every process; when it raises, none of it happened. Nobody waits for anybody but the writer
before; a writer that cannot have the lock within ten seconds gets `BusyError`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import msgspec

from fedbatch.ledger.tree import Frontier
from fedbatch.standard.journals import JournalEntry
from fedbatch.standard.key_records import KeyRecord
from fedbatch.standard.values import ObjectReference

__all__ = [
    "Adopted",
    "Appended",
    "AuditNote",
    "CheckpointRow",
    "Clock",
    "Followed",
    "HeldItem",
    "Ids",
    "ImportRow",
    "Invitation",
    "JournalHead",
    "JournalStore",
    "KnownAgreement",
    "LedgerHead",
    "LedgerRow",
    "LedgerStore",
    "NamedObject",
    "NewJournalEntry",
    "NewLedgerEntry",
    "NodeStore",
    "Objects",
    "Partner",
    "Person",
    "Signer",
    "Taken",
]


class Clock(Protocol):
    """The wall clock. MUST give UTC; MUST NOT be used to order entries."""

    def now(self) -> str:
        """The present instant as the standard writes it, milliseconds, `Z`."""
        ...

    def seconds(self) -> int:
        """The present instant in whole seconds since 1970."""
        ...


class Ids(Protocol):
    """Ids, pseudonyms and chance. The same arguments give the same id, save `salt` and `fresh`."""

    def own(self, kind: str, text: str) -> str:
        """The party's own id of a thing; kept secret by a key that no partner has."""
        ...

    def shared(self, agreement: str, kind: str, text: str) -> str:
        """The id of the thing under one agreement; unlinkable with its id under another."""
        ...

    def entry(self, agreement: str, text: str) -> str:
        """The UUID of an entry under one agreement."""
        ...

    def provenance_salt(self, agreement: str, text: str) -> bytes:
        """The 16 bytes that hide a locator from the partner until it is revealed."""
        ...

    def salt(self) -> str:
        """128 random bits in hex, used nowhere else."""
        ...

    def fresh(self, kind: str) -> str:
        """A new random id."""
        ...


class Signer(Protocol):
    """Keys by name. MUST NOT give a private key away; one purpose a key."""

    def create(self, name: str) -> bytes:
        """Make the key if there is none, and return its public key (32 bytes)."""
        ...

    def public(self, name: str) -> bytes:
        """The public key of a name.

        Raises:
            InputError: no such key.
        """
        ...

    def sign(self, name: str, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) of a message."""
        ...

    def signing(self, name: str) -> Sequence[bytes]:
        """The public keys that sign under a name now, the current one first.

        While a key gives way to another, both sign.
        """
        ...

    def sign_with(self, public: bytes, message: bytes) -> bytes:
        """The signature by the key of this public half.

        Raises:
            InputError: it is not here.
        """
        ...

    def create_next(self, name: str) -> bytes:
        """Make a further key of a name, and return its public key; it signs once a record says so."""
        ...


class Objects(Protocol):
    """Immutable bytes named by their SHA-256. A write is durable before it returns."""

    def write(self, content: bytes) -> str:
        """Keep the bytes; their SHA-256 in hex. Repeating it is a no-op."""
        ...

    def read(self, sha256: str) -> bytes:
        """The bytes of a name.

        Raises:
            InputError: not held here.
            IntegrityError: the bytes held are not those named.
        """
        ...

    def has(self, sha256: str) -> bool:
        """Whether the bytes are held."""
        ...

    def read_part(self, sha256: str, start: int, count: int) -> bytes:
        """Some of the bytes, unchecked: whoever has them all checks them.

        Raises:
            InputError: not held here.
        """
        ...

    def arrived(self, sha256: str) -> int:
        """How many bytes of an object that is still arriving are kept."""
        ...

    def take_part(self, sha256: str, start: int, content: bytes, size: int) -> int:
        """Keep a part of an object of `size` bytes; how many are kept then.

        The last part makes it an object, durably, if its bytes are those named.

        Raises:
            ConflictError: `start` is not where the parts kept end.
            IntegrityError: all are there and are not those named; they are dropped.
        """
        ...

    def erase(self, sha256: str) -> None:
        """Destroy the bytes; not held is a no-op."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """One act for the audit trail, written in the transaction of what it describes."""

    act: str
    by: str
    time: str
    detail: str = ""
    reason: str = ""


# ---- journal


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The newest version of a record in a journal. `digest` covers its content (S6)."""

    type: str
    key: tuple[str, ...]
    index: int
    version: int
    digest: bytes
    entry_id: str
    source: str
    is_withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJournalEntry:
    """An entry to be appended, with what its head will say."""

    content: bytes
    type: str
    key: tuple[str, ...]
    version: int
    digest: bytes
    entry_id: str
    source: str
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldItem:
    """What waits for a person. `state`: open, closed (supplied later) or decided."""

    id: str
    type: str
    key: tuple[str, ...]
    path: str
    text: str
    finding: bytes
    template: bytes
    origins: bytes
    source: str
    import_id: str
    state: str = "open"
    decision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One file taken in: what it was, and which rows it held."""

    id: str
    file: str
    sha256: str
    mapping: str
    time: str
    by: str
    row_keys: tuple[str, ...]
    findings: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A file that grows: its source, how much of it was taken in, and how it is known again.

    `offset` counts bytes, `rows` those below the header. `header_sha256` is of its header,
    `seen_sha256` of the last bytes before `offset`.
    """

    path: str
    source: str
    offset: int
    rows: int
    header_sha256: str
    seen_sha256: str


class JournalStore(Protocol):
    """A party's own record of what it took in. Append-only, hash-chained, one writer at a time."""

    def heads(self, types: Sequence[str] = ()) -> dict[tuple[str, tuple[str, ...]], JournalHead]:
        """The newest version of every record, of some types or all."""
        ...

    def find_head(self, type_: str, key: tuple[str, ...]) -> JournalHead | None:
        """The newest version of one record, or None."""
        ...

    def newest_record(self) -> int:
        """The index of the newest entry that is no point; -1 where there is none."""
        ...

    def standing(self, types: Sequence[str]) -> list[tuple[JournalHead, JournalEntry]]:
        """Every record of some types that was not taken back, in the order of the journal."""
        ...

    def append(
        self,
        entries: Sequence[NewJournalEntry],
        note: AuditNote | None,
        *,
        held: Sequence[HeldItem] = (),
        closed: Sequence[str] = (),
        imported: ImportRow | None = None,
        followed: Followed | None = None,
    ) -> int:
        """Append all of it or nothing; the index of the first entry."""
        ...

    def read(self, index: int) -> JournalEntry:
        """The entry at an index."""
        ...

    def read_entry(self, entry_id: str) -> JournalEntry:
        """The entry of an id."""
        ...

    def scan(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Every entry's bytes from an index on, in order."""
        ...

    def held(self, *, only_open: bool = True) -> list[HeldItem]:
        """What is held back."""
        ...

    def decide(self, id: str, decision: str, note: AuditNote) -> None:  # noqa: A002 - the item's id
        """Mark a held-back item as decided."""
        ...

    def imports(self) -> list[ImportRow]:
        """Every file taken in, in order."""
        ...

    def size(self) -> int:
        """How many entries there are."""
        ...

    def hear(self, source: str, time: str) -> None:
        """A source was looked at and says what it said before."""
        ...

    def heard(self) -> dict[str, str]:
        """When each source that tells what units carry was last looked at."""
        ...

    def followed(self, path: str) -> Followed | None:
        """How far a growing file was taken in, or None."""
        ...

    def followed_files(self, source: str) -> list[str]:
        """The paths of the growing files of a source, in their order."""
        ...

    def verify(self) -> list[str]:
        """What is wrong with the chain, place by place; empty when all is well."""
        ...


# ---- ledgers


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A ledger as it stands: `own` or the copy of the partner's."""

    ledger: str
    is_own: bool
    origin: str
    key: bytes
    size: int
    root: bytes
    frontier: Frontier
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """The newest version of a record in a ledger."""

    type: str
    key: tuple[str, ...]
    index: int
    version: int
    digest: bytes
    entry_id: str
    is_withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLedgerEntry:
    """An entry to be appended to an own ledger; `journal` says what it was posted from."""

    content: bytes
    type: str
    key: tuple[str, ...]
    version: int
    digest: bytes
    entry_id: str
    is_withdrawn: bool = False
    journal: str = ""
    object: ObjectReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedObject:
    """An object that an entry names and that stands: which, how long, and by a record of what type."""

    sha256: str
    size_bytes: int
    type: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow:
    """A signed head of a ledger, and the partner's cosignature once there is one."""

    size: int
    root: bytes
    note: bytes
    cosignature: bytes = b""
    cosigned_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where a group of entries came to lie, and the checkpoint that covers it."""

    first: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A partner's entries, checked, ready to be kept: all in one transaction with their effects."""

    ledger: str
    first: int
    entries: Sequence[bytes]
    leaves: Sequence[bytes]
    frontier: Frontier
    checkpoint: CheckpointRow
    heads: Sequence[NewLedgerEntry | None]
    erased: Sequence[int] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """Entries that the partner gave back, checked; b"" for one whose bytes were destroyed.

    `settings` are kept with them.
    """

    ledger: str
    first: int
    entries: Sequence[bytes]
    leaves: Sequence[bytes]
    frontier: Frontier
    checkpoints: Sequence[CheckpointRow]
    heads: Sequence[NewLedgerEntry | None]
    settings: Mapping[str, bytes] = field(default_factory=dict)


class LedgerStore(Protocol):
    """Both ledgers of one agreement, and nothing of any other."""

    def ledger(self, ledger: str) -> LedgerRow:
        """A ledger by its id.

        Raises:
            InputError: no such ledger here.
        """
        ...

    def ledgers(self) -> list[LedgerRow]:
        """The own ledger first, then the partner's, as far as they are known."""
        ...

    def append(
        self,
        ledger: str,
        entries: Sequence[NewLedgerEntry],
        note: AuditNote | None,
        sign: Callable[[int, bytes], bytes],
        *,
        settings: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Appended:
        """Append to an own ledger: entries, heads, tree, checkpoint, audit entry, in one transaction.

        `settings` are kept with them: how far the journal was looked through. Live points need no
        `note`: the act is that somebody began to follow their source.
        Every entry is read back and hashed again before `sign(size, root)` gives the checkpoint note.
        """
        ...

    def take(
        self,
        taken: Taken,
        note: AuditNote | None,
        *,
        answer: Sequence[NewLedgerEntry] = (),
        sign: Callable[[int, bytes], bytes] | None = None,
    ) -> None:
        """Keep a partner's entries with all their effects, in one transaction.

        `answer` goes into the own ledger because of them, signed by `sign`.
        """
        ...

    def keep_cosignature(self, ledger: str, size: int, cosignature: bytes, time: int) -> None:
        """Keep the partner's receipt of an own checkpoint."""
        ...

    def entries(self, ledger: str, start: int, count: int) -> list[tuple[int, bytes, bytes]]:
        """Index, leaf hash and bytes (b"" once erased) of entries from `start` on."""
        ...

    def heads(
        self, ledger: str, types: Sequence[str] = ()
    ) -> dict[tuple[str, tuple[str, ...]], LedgerHead]:
        """The newest version of every record of a ledger."""
        ...

    def checkpoints(self, ledger: str) -> Iterable[CheckpointRow]:
        """Kept checkpoints, oldest first."""
        ...

    def objects(self, ledger: str) -> list[NamedObject]:
        """The objects that standing records of a ledger name, in its order."""
        ...


# ---- the node


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person of this party: a name that is printed in signatures, and roles."""

    person: str
    name: str
    roles: tuple[str, ...]
    is_active: bool = True


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's node as paired: pinned keys in hex, who dials, and which sides have confirmed.

    `address` is where it listens, "" where it can only dial; `dials`: this node dials it.
    `tls_certificate` is the one certificate (PEM) that its TLS may show. `own_links` and `links` are
    the changes of this node's link key and of the partner's; of its own the partner has heard
    `told_links`, and `told` names all own key records it has heard, by their hash.
    `wants_back`: this node waits for the partner to give back what it lost.
    """

    party: str
    name: str
    node: str
    identity_key: str
    link_key: str
    address: str
    dials: bool
    tls_certificate: str = ""
    confirmed_here: str = ""
    confirmed_there: str = ""
    own_links: tuple[KeyRecord, ...] = ()
    links: tuple[KeyRecord, ...] = ()
    told_links: int = 0
    told: str = ""
    wants_back: bool = False


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that this node made; the code itself is not kept."""

    code_sha256: str
    code: str
    expires: int
    by: str
    used: bool = False


class KnownAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement this node knows: with whom, and its name for people."""

    agreement: str
    partner: str
    name: str


class NodeStore(Protocol):
    """What a node knows besides journal and ledgers."""

    def add_person(self, person: Person, note: AuditNote) -> None:
        """Add a person or change one; ids are never used again for another."""
        ...

    def persons(self) -> list[Person]:
        """Everybody."""
        ...

    def save_partner(self, partner: Partner, note: AuditNote) -> None:
        """Keep a partner; its identity key never changes here."""
        ...

    def partners(self) -> list[Partner]:
        """Every partner, paired or half-way."""
        ...

    def find_partner(self, party: str) -> Partner | None:
        """A partner by its party id, or None."""
        ...

    def save_invitation(self, invitation: Invitation, note: AuditNote) -> None:
        """Keep an invitation, or mark it used."""
        ...

    def find_invitation(self, code_sha256: str) -> Invitation | None:
        """An invitation by the SHA-256 of its code."""
        ...

    def save_agreement(self, agreement: KnownAgreement, note: AuditNote) -> None:
        """Remember an agreement."""
        ...

    def agreements(self) -> list[KnownAgreement]:
        """Every agreement, whatever its state."""
        ...

    def burn_nonce(self, nonce: str, now: int, keep_s: int) -> bool:
        """Remember a nonce; False where it came before."""
        ...

    def keep_link(self, party: str, content: dict[str, str | int]) -> None:
        """Keep how the link to a partner stands."""
        ...

    def link(self, party: str) -> dict[str, str | int]:
        """How the link to a partner stands."""
        ...

    def note(self, note: AuditNote) -> None:
        """Add an act that changes nothing else here."""
        ...
