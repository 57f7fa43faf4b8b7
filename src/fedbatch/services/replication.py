"""Replication: a partner's ledger over the wire, checked, kept and cosigned.

Three ways lead here (dialer, listener, folder) and all call `take`: check the writer's signature,
extend the own frontier by the entries, compare roots; then keep entries, frontier, heads, checkpoint
and receipt record in one transaction, and only then is the cosignature given. A repetition is a no-op
that gives the kept cosignature again.
"""

import functools
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import zstandard

from fedbatch.errors import (
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    MissingObjectsError,
    RefusedError,
)
from fedbatch.ledger.frames import (
    BUNDLE_BYTES_MAX,
    BUNDLE_ENTRIES_MAX,
    Erased,
    Frame,
    decode_bundle,
    decode_frames,
    encode_bundle,
    encode_frame,
)
from fedbatch.ledger.intake import Taken as Checked
from fedbatch.ledger.intake import take_in
from fedbatch.ledger.note import (
    Checkpoint,
    cosign_checkpoint,
    render_note,
    verify_checkpoint,
    verify_cosignature,
)
from fedbatch.ledger.tree import root_of
from fedbatch.ports import (
    AuditNote,
    CheckpointRow,
    Clock,
    Ids,
    LedgerHead,
    LedgerRow,
    NewLedgerEntry,
    Objects,
    Signer,
    Taken,
)
from fedbatch.series.blocks import count
from fedbatch.series.instants import micros
from fedbatch.series.segments import points_hash, read_segment
from fedbatch.services.agreements import AgreementStore, Keys, load_body, place_of
from fedbatch.services.intake import content_digest
from fedbatch.services.key_turns import cosign_turns, ledger_turns
from fedbatch.services.posting import Post, head_signer
from fedbatch.standard import canonical, keys, records, registry
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.envelope import Statement, read_entry
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import RULES_VERSION, finding
from fedbatch.standard.values import Correction, named_key

__all__ = ["CopyStore", "Replica", "Replication", "frames", "keep_receipt", "root_at", "take"]

# Refusals that stop a ledger until a person resumes it (INTEROP §1.6).
STOPPING = frozenset({"fork", "gap", "rollback"})
# The setting that says an own ledger was found to be gone.
LOST = "lost"
FRAMES_BYTES = 8 * 1024 * 1024
# A receipt record and a finding name the entry; both must fit into an entry themselves.
ENTRY_ID_MAX = 200
# What a segment may have (STANDARD S25), and an attachment: a file taken in is no larger.
OBJECT_BYTES_MAX = {"sealed": 64 * 1024 * 1024, "attachment": 256 * 1024 * 1024}
# 400 erasures of about 120 bytes stay below the 65,535 bytes of an entry.
NAMED_MAX = 400


class CopyStore(AgreementStore, Protocol):
    """A store that also keeps the copy of the partner's ledger."""

    def leaves(self, ledger: str, size: int) -> list[bytes]:
        """The leaf hashes of the first `size` entries."""
        ...

    def find_index(self, ledger: str, entry_id: str) -> int | None:
        """Where an entry lies, by its id."""
        ...

    def refused(self, ledger: str) -> frozenset[str]:
        """Entries of a ledger that its reader has refused, by id or by `<ledger>/<index>`."""
        ...

    def erased(self, ledger: str) -> frozenset[str]:
        """Ids of entries of a ledger whose bytes its reader has destroyed."""
        ...

    def find_ids(self, ledger: str, entry_ids: Sequence[str]) -> frozenset[str]:
        """Which of these entry ids came before."""
        ...

    def find_head(self, ledger: str, type_: str, key: tuple[str, ...]) -> LedgerHead | None:
        """The newest version of one record, or None."""
        ...

    def find_head_of(self, ledger: str, entry_id: str) -> LedgerHead | None:
        """The record whose newest version an entry is, or None."""
        ...

    def checkpoint_at(self, ledger: str, size: int) -> CheckpointRow | None:
        """The kept checkpoint that first covers a size."""
        ...

    def stop(self, ledger: str, reason: str, note: AuditNote) -> None:
        """Stop a ledger, or resume it with ""."""
        ...

    def confirm_place(self) -> None:
        """The partner was heard and holds nothing that is missing here."""
        ...

    @property
    def is_awaited(self) -> bool:
        """Whether this store was restored on purpose, and the partner not heard since."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """What replication under one agreement works with."""

    store: CopyStore
    party: str
    partner: str
    signer: Signer
    ids: Ids
    clock: Clock
    objects: Objects

    @property
    def body(self) -> AgreementBody:
        return load_body(self.store)

    @property
    def agreement(self) -> str:
        return self.body.id

    def copy_size(self, ledger: str) -> int:
        """How many entries of a ledger are held here."""
        return self.store.ledger(ledger).size


@dataclass(slots=True, kw_only=True)
class Replica:
    """What a group of frames came to: the size now held, and a receipt for each frame.

    A receipt is the size it covers and the cosignature's line; the writer keeps each, so that both
    nodes know the same time at which an entry was first covered.
    """

    size: int
    receipts: list[tuple[int, bytes]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: int = 0

    def encode(self) -> bytes:
        """The receipts as they cross: the size before each line of a cosignature."""
        return b"".join(
            b"%d %s" % (size, line)
            for size, lines in self.receipts
            for line in lines.splitlines(keepends=True)
        )


def decode_receipts(content: bytes) -> list[tuple[int, bytes]]:
    """Undo `Replica.encode`.

    Raises:
        InputError: not receipts.
    """
    receipts: dict[int, bytes] = {}
    for row in content.splitlines(keepends=True):
        size, _, line = row.partition(b" ")
        if not size.isdigit() or len(size) > 18:  # noqa: PLR2004 - below 2^63
            raise InputError("a size and a cosignature", found=row[:40].decode("ascii", "replace"))
        # While a key gives way to another, both sign: two lines of one size are one receipt.
        receipts[int(size)] = receipts.get(int(size), b"") + line
    return list(receipts.items())


# ---- giving


def frames(
    store: CopyStore,
    ledger: str,
    start: int,
    bytes_max: int = FRAMES_BYTES,
    *,
    hidden: AbstractSet[int] = frozenset(),
    end: int | None = None,
) -> bytes:
    """Frames of a ledger from `start` on, each ending at a kept checkpoint; b"" if there are none.

    Args:
        store: where it lies.
        ledger: its id.
        start: the first entry.
        bytes_max: no further frame begins once so many bytes are passed.
        hidden: entries given as erased, by their leaf hash alone.
        end: the size at which to end, of a kept checkpoint; the whole ledger where it is None.

    Raises:
        InputError: `start` beyond the ledger.
    """
    size = store.ledger(ledger).size if end is None else end
    if not 0 <= start <= size:
        raise InputError(f"a start of at most {size}", found=str(start), code="range")
    parts: list[bytes] = []
    total = 0
    while start < size and total < bytes_max:
        frame = _frame(store, ledger, start, size, hidden)
        encoded = encode_frame(frame)
        parts.append(encoded)
        total += len(encoded)
        start += frame.count
    return b"".join(parts)


def _frame(store: CopyStore, ledger: str, start: int, size: int, hidden: AbstractSet[int]) -> Frame:
    end = min(start + BUNDLE_ENTRIES_MAX - start % BUNDLE_ENTRIES_MAX, size)
    checkpoint = store.checkpoint_at(ledger, end)
    if checkpoint is None or checkpoint.size != end:
        raise IntegrityError(f"no checkpoint at {end}", code="store.checkpoint")
    rows = store.entries(ledger, start, end - start)
    entries: list[bytes | Erased] = [
        Erased(leaf) if index in hidden or not content else content for index, leaf, content in rows
    ]
    packed = zstandard.ZstdCompressor().compress(encode_bundle(entries))
    return Frame(first=start, count=end - start, packed=packed, note=checkpoint.note)


def root_at(store: CopyStore, ledger: str, size: int) -> bytes:
    """The root of the first `size` entries of a ledger."""
    return root_of(store.leaves(ledger, size))


def keep_receipt(replication: Replication, size: int, line: bytes) -> None:
    """Check the partner's cosignature of an own checkpoint and keep it.

    Raises:
        IntegrityError: it is not the partner's, or of another checkpoint.
    """
    store = replication.store
    own = store.ledgers()[0]
    if not 0 < size <= own.size:
        raise IntegrityError(f"no checkpoint of size {size}", code="receipt.size")
    checkpoint = store.checkpoint_at(own.ledger, size)
    is_kept = checkpoint is not None and checkpoint.size == size
    # One that is kept no longer had later ones within its minute; its receipt is still checked.
    root = checkpoint.root if checkpoint and is_kept else root_at(store, own.ledger, size)
    partner = _partner_keys(store)
    head = Checkpoint(own.origin, size, root)
    note = head.body() + b"\n" + line
    time = verify_cosignature(note, partner.cosigner, cosign_turns(store, own))
    store.keep_cosignature(own.ledger, size, line, time)


def _partner_keys(store: AgreementStore) -> Keys:
    return msgspec.json.decode(store.setting("partner_keys") or b"", type=Keys)


# ---- taking


def take(
    replication: Replication,
    ledger: str,
    content: bytes,
    *,
    stops: bool = True,
    writer_root: bytes | None = None,
    without: AbstractSet[str] = frozenset(),
) -> Replica:
    """Take in frames of the partner's ledger, each its own transaction.

    Args:
        replication: the agreement.
        ledger: the partner's.
        content: frames.
        stops: whether entries that do not lead to the signed root stop the ledger; False where they
            will be fetched once more.
        writer_root: the root that the writer, asked, states at the size held here.
        without: objects that the writer could not give; attachments among them may follow later.

    Raises:
        MissingObjectsError: entries name objects that are not held yet; frames before are kept.
        IntegrityError: fork, gap or rollback (the ledger is stopped then), or a wrong signature.
        ConflictError: the entries do not start where the copy ends; nothing happened.
        InputError: not frames.
    """
    store = replication.store
    row = store.ledger(ledger)
    if row.is_own:
        raise RefusedError("a party writes its own ledger alone", code="ledger.own")
    if row.ledger not in {item.ledger for item in store.ledgers()[:2]}:
        raise ConflictError(f"ledger {ledger} is carried on by another", code="ledger.succeeded")
    if row.stopped:
        raise _stopped(row)
    replica = Replica(size=row.size)
    for frame in decode_frames(content):
        _take_frame(
            replication,
            ledger,
            frame,
            replica,
            stops=stops,
            writer_root=writer_root,
            without=without,
        )
        writer_root = None
    return replica


def _stopped(row: LedgerRow) -> IntegrityError:
    code, _, reason = row.stopped.partition(": ")
    return IntegrityError(reason, code=code)


def _take_frame(
    replication: Replication,
    ledger: str,
    frame: Frame,
    replica: Replica,
    *,
    stops: bool,
    writer_root: bytes | None,
    without: AbstractSet[str],
) -> None:
    store = replication.store
    row = store.ledger(ledger)
    entries = unpack(frame)
    try:
        checked = take_in(
            row.frontier,
            frame.first,
            entries,
            frame.note,
            origin=row.origin,
            public_key=ledger_turns(store, row),
            root_at=lambda size: root_at(store, ledger, size),
            writer_root=writer_root,
        )
    except IntegrityError as error:
        if error.code in STOPPING and (stops or error.code != "gap"):
            _stop(replication, ledger, error, frame.note)
        raise
    if checked.is_repeated:
        kept = store.checkpoint_at(ledger, checked.checkpoint.size)
        if kept is not None and kept.cosignature:
            replica.receipts.append((kept.size, kept.cosignature))
        return
    _keep(replication, row, entries, checked, frame.note, replica, without)


def compare(replication: Replication, ledger: str, held: int, note: bytes) -> None:
    """Hold the writer's newest checkpoint against the copy, without any entry.

    A longer ledger is no case for this: its writer has appended since it was asked how things stand,
    and the next round fetches what is new.

    Raises:
        IntegrityError: `rollback` or `fork`; the copy is stopped then.
    """
    row = replication.store.ledger(ledger)
    if row.stopped:
        raise _stopped(row)
    keys = ledger_turns(replication.store, row)
    if row.size != held or verify_checkpoint(note, row.origin, keys).size > held:
        return
    try:
        take_in(row.frontier, row.size, [], note, origin=row.origin, public_key=keys)
    except IntegrityError as error:
        if error.code in STOPPING:
            _stop(replication, ledger, error, note)
        raise


def hear(replication: Replication, held: int, root: bytes) -> None:
    """What the partner holds of the own ledger: it must be a beginning of it (INTEROP §1.6).

    Raises:
        IntegrityError: `rollback` (the own ledger is shorter) or `fork`; the own ledger is stopped.
    """
    store = replication.store
    rows = store.ledgers()
    if store.is_awaited and held > (rows[0].size if rows else 0):
        raise _behind(held, rows[0].size if rows else 0)
    if not rows:
        _check_not_lost(replication, held)
        return
    own = rows[0]
    if own.stopped:
        return
    problem = None
    if held > own.size:
        message = f"the partner holds {held} entries of a ledger of {own.size}"
        problem = IntegrityError(message, code="rollback")
    elif held and root != _known_root(store, own.ledger, held):
        problem = IntegrityError(f"the partner holds another root at {held}", code="fork")
    if problem is not None:
        _stop(replication, own.ledger, problem, root)
        raise problem
    store.confirm_place()


def _behind(held: int, size: int) -> IntegrityError:
    """Restored on purpose, and the partner holds more: nothing is wrong, and nothing is appended."""
    return IntegrityError(
        f"restored with {size} entries of {held} that the partner holds; `fedbatch rebuild` fetches them",
        code="rebuild.behind",
    )


def _check_not_lost(replication: Replication, held: int) -> None:
    """An own ledger that the partner holds and that is not here at all was deleted."""
    if not held:
        return
    message = f"the partner holds {held} entries of a ledger that is not here"
    if replication.store.setting(LOST) is None:
        replication.store.keep_setting(LOST, f"rollback: {message}".encode())
    raise IntegrityError(message, code="rollback")


def hear_writer(replication: Replication, ledger: str, stopped: str) -> None:
    """What the partner says of its own ledger: that it found it another, or has none any more.

    That it became shorter is not concluded from sizes told: another process may have moved on
    between. Entries and checkpoints show it (`take`, `compare`), or the writer itself hears it.

    Args:
        replication: the agreement.
        ledger: the partner's own ledger, "" for none.
        stopped: the code for which the partner has stopped it, "" for none.

    Raises:
        IntegrityError: `rollback`, `fork` or `gap`; the copy is stopped.
    """
    copies = [row for row in replication.store.ledgers() if not row.is_own]
    if not copies or copies[0].stopped:
        return
    copy, problem = copies[0], None
    if ledger and ledger != copy.ledger:
        # Confirmed here as what carries that one on; the writer has not begun it yet.
        return
    if stopped in STOPPING:
        problem = IntegrityError("the writer found that its ledger differs", code=stopped)
    elif copy.size and not ledger and not stopped:
        message = f"the writer has no ledger any more, {copy.size} entries were held"
        problem = IntegrityError(message, code="rollback")
    if problem is not None:
        _stop(replication, copy.ledger, problem, copy.root)
        raise problem


def _known_root(store: CopyStore, ledger: str, size: int) -> bytes:
    """The own root at a size: a copy ends at a checkpoint, so it is kept."""
    kept = store.checkpoint_at(ledger, size)
    return kept.root if kept is not None and kept.size == size else root_at(store, ledger, size)


def unpack(frame: Frame) -> list[bytes | Erased]:
    """The entries of a frame; a bomb is refused before it unfolds."""
    try:
        # The size that a frame's head states goes before `max_output_size`.
        stated = zstandard.frame_content_size(frame.packed)
        if stated > BUNDLE_BYTES_MAX:
            expected = f"at most {BUNDLE_BYTES_MAX} bytes"
            raise InputError(expected, found=f"{stated} bytes", code="frame")
        content = zstandard.ZstdDecompressor().decompress(
            frame.packed, max_output_size=BUNDLE_BYTES_MAX
        )
    except zstandard.ZstdError as error:
        raise InputError("a zstd bundle", found=str(error), code="frame") from error
    if len(content) > BUNDLE_BYTES_MAX:
        raise InputError(f"at most {BUNDLE_BYTES_MAX} bytes", found=f"{len(content)}", code="frame")
    return decode_bundle(content, frame.count)


def _stop(replication: Replication, ledger: str, error: FedbatchError, note: bytes) -> None:
    """Stop that ledger only, and keep the checkpoint that shows why."""
    clock = replication.clock
    replication.store.stop(
        ledger,
        f"{error.code}: {error}",
        AuditNote(act=f"exchange.{error.code}", by="node", time=clock.now(), detail=str(error)),
    )
    replication.store.keep_setting(f"evidence/{error.code}", note)


def _keep(
    replication: Replication,
    row: LedgerRow,
    entries: Sequence[bytes | Erased],
    checked: Checked,
    note: bytes,
    replica: Replica,
    without: AbstractSet[str],
) -> None:
    judged = _judge_all(replication, row, entries, checked, frozenset())
    twice = replication.store.find_ids(row.ledger, list(judged.here))
    if twice:
        judged = _judge_all(replication, row, entries, checked, twice)
    judged.look_for_objects(without)
    # Before the commit: until it, an object that is gone is only missing, and would come again.
    for sha256 in judged.destroyed:
        replication.objects.erase(sha256)
    cosigned_at = replication.clock.seconds()
    line = _cosign(replication, checked.checkpoint, cosigned_at)
    taken = Taken(
        ledger=row.ledger,
        first=row.size,
        entries=[b"" if isinstance(entry, Erased) else entry for entry in entries],
        leaves=checked.leaf_hashes,
        frontier=checked.frontier,
        checkpoint=CheckpointRow(
            size=checked.checkpoint.size,
            root=checked.checkpoint.root,
            note=note,
            cosignature=line,
            cosigned_at=cosigned_at,
        ),
        heads=judged.heads,
        erased=judged.erased,
    )
    detail = f"{row.ledger} {row.size} to {checked.checkpoint.size}"
    is_live = all(head is not None and head.type == "points" for head in judged.heads)
    audit = AuditNote(act="take", by="node", time=replication.clock.now(), detail=detail)
    own = replication.store.ledgers()[0]
    sign = head_signer(replication.signer, f"agreement/{judged.body.id}/ledger", own.origin)
    replication.store.take(
        taken, None if is_live else audit, answer=judged.answer(checked.checkpoint.size), sign=sign
    )
    replica.missing += judged.missing
    replica.size = checked.checkpoint.size
    replica.new += len(entries)
    replica.receipts.append((checked.checkpoint.size, line))
    replica.findings += judged.findings


def _judge_all(
    replication: Replication,
    row: LedgerRow,
    entries: Sequence[bytes | Erased],
    checked: Checked,
    known: AbstractSet[str],
) -> "_Judged":
    """Judge a group of entries; `known` are ids that came before it."""
    judged = _Judged(replication, row, known)
    for offset, entry in enumerate(entries):
        judged.judge(row.size + offset, entry, checked.leaf_hashes[offset])
    return judged


def _cosign(replication: Replication, checkpoint: Checkpoint, time: int) -> bytes:
    """This party's dated line under a checkpoint of the partner's; two while its key changes."""
    own = msgspec.json.decode(replication.store.setting("own_keys") or b"", type=Keys)
    name = f"agreement/{replication.agreement}/cosign"
    signer = replication.signer
    lines = [
        cosign_checkpoint(
            checkpoint, own.cosigner, public, time, functools.partial(signer.sign_with, public)
        )
        for public in signer.signing(name)
    ]
    body = checkpoint.body()
    return render_note(body, lines)[len(body) + 1 :]


class _Judged:
    """What form and rights say of a group of the partner's entries."""

    def __init__(self, replication: Replication, row: LedgerRow, known: AbstractSet[str]) -> None:
        self.replication = replication
        self.row = row
        self.known = known
        self.body = replication.body
        self.roles = {item.role for item in self.body.parties if item.party == replication.partner}
        self.codes = {(item.code, item.role) for item in self.body.parameters}
        self.new: dict[tuple[str, tuple[str, ...]], LedgerHead] = {}
        self.here: dict[str, int] = {}
        self.heads: list[NewLedgerEntry | None] = []
        self.findings: list[Finding] = []
        self.refused: list[tuple[str, Finding]] = []
        self.erased: list[int] = []
        self.erasures: list[records.Erased] = []
        self.leaves: dict[int, bytes] = {}
        self.contents: dict[int, bytes] = {}
        self.by_entry: dict[str, LedgerHead] = {}
        self.declared: dict[str, int] = {}
        self.destroyed: list[str] = []
        self.missing: list[str] = []

    def judge(self, index: int, entry: bytes | Erased, leaf: bytes) -> None:
        """Accept or refuse one entry; either way it is kept as evidence."""
        self.leaves[index] = leaf
        if isinstance(entry, Erased):
            self.heads.append(None)
            return
        place = f"{self.row.ledger}/{index}"
        try:
            # Two readers must never read one signed text differently: no key twice, no null (S1, S2).
            canonical.parse_plain(entry, "entry")
            statement = read_entry(entry)
        except InputError as error:
            self._refuse(place, "record.malformed", str(error), "a record")
            return
        entry_id = statement.heading.id
        if not 0 < len(entry_id) <= ENTRY_ID_MAX:
            self._refuse(place, "record.malformed", entry_id, "an id of 1 to 200 characters")
            return
        if entry_id in self.here or entry_id in self.known:
            self._refuse(place, "record.malformed", entry_id, "an id that came only once")
            return
        # Ids of refused entries count too: a receipt record names them.
        self.here[entry_id] = index
        if index == 0 and not begins(self.replication.store, self.row.ledger, statement):
            expected = "the ledger that it carries on, as it was confirmed"
            self._refuse(entry_id, "record.not_agreed", "another beginning", expected)
            return
        try:
            head = self._head(statement)
        except InputError as error:
            self._refuse(entry_id, "record.malformed", str(error), "a record")
            return
        if head is None:
            return
        self.heads.append(head)
        if head.type == "points":
            return
        self.contents[index] = entry
        self.by_entry[head.entry_id] = self.new[head.type, head.key] = LedgerHead(
            type=head.type,
            key=head.key,
            index=index,
            version=head.version,
            digest=head.digest,
            entry_id=head.entry_id,
            is_withdrawn=head.is_withdrawn,
        )
        if statement.withdrawal is not None:
            self._erase(statement)

    def _refuse(self, entry_id: str, rule: str, found: str, expected: str) -> None:
        item = finding(
            rule, Place(key=(entry_id,)), found=found[:500], expected=expected, effect="refused"
        )
        self.findings.append(item)
        self.refused.append((entry_id, item))
        self.heads.append(None)

    def _head(self, statement: Statement) -> NewLedgerEntry | None:
        """The head an entry makes, or None where it is refused."""
        heading = statement.heading
        wrong = self._wrong(statement)
        if wrong is not None:
            self._refuse(heading.id, "record.not_agreed", wrong, "what the agreement allows")
            return None
        record = statement.record
        if record is None and statement.withdrawal is None:
            # Not understood here: kept, cosigned and shown as such, never refused (S32).
            return _plain_head(heading.record_name, (heading.id,), heading.id)
        if statement.withdrawal is not None:
            return self._withdrawal_head(statement)
        if record is None:
            return None
        source = heading.source.removeprefix("urn:fedbatch:source:")
        key = keys.key_of(record, source=_source_in_key(record, source), entry_id=heading.id)
        if isinstance(record, records.Series):
            self.declared[record.series] = len(record.parameters)
        if isinstance(record, records.Points):
            return self._points_head(heading.id, record)
        if isinstance(record, records.Sealed) and self.replication.objects.has(
            record.segment.sha256
        ):
            problem = self._faulty(record)
            if problem is not None:
                self._refuse(heading.id, "series.segment", problem, "the points that were sealed")
                return None
        before = self._before(heading.record_name, key)
        due = before.version + 1 if before is not None else 1
        if record.version != due:
            self._refuse(heading.id, "record.malformed", str(record.version), f"version {due}")
            return None
        return NewLedgerEntry(
            content=b"",
            type=heading.record_name,
            key=key,
            version=record.version,
            digest=content_digest(record),
            entry_id=heading.id,
            object=records.object_of(record),
        )

    def _points_head(self, entry_id: str, record: records.Points) -> NewLedgerEntry | None:
        """Points have no second version; each names parameters that its series declares."""
        count_ = self._parameters(record.series)
        lengths = {len(record.index), len(record.offset), len(record.scaled)}
        is_whole = record.version == 1 and len(lengths) == 1 and bool(record.index)
        if not is_whole or max(record.index, default=0) >= count_ or min(record.index) < 0:
            found = f"{len(record.index)} points of a series with {count_} parameters"
            self._refuse(entry_id, "record.malformed", found, "points of the parameters declared")
            return None
        return NewLedgerEntry(
            content=b"",
            type="points",
            key=(record.series, entry_id),
            version=1,
            digest=b"",
            entry_id=entry_id,
        )

    def _parameters(self, series: str) -> int:
        """How many parameters a series of this ledger declares; 0 for one that is not declared."""
        here = self.declared.get(series)
        if here is None:
            store, ledger = self.replication.store, self.row.ledger
            head = store.find_head(ledger, "series", (series,))
            rows = store.entries(ledger, head.index, 1) if head is not None else []
            record = read_entry(rows[0][2]).record if rows and rows[0][2] else None
            here = len(record.parameters) if isinstance(record, records.Series) else 0
            self.declared[series] = here
        return here

    def _faulty(self, record: records.Sealed) -> str | None:
        """What a segment that is held here has other than its entry says (STANDARD S39), or None."""
        objects = self.replication.objects
        try:
            block = read_segment(
                objects.read(record.segment.sha256),
                ledger=self.row.ledger,
                series=named_key(record.series),
            )
        except (InputError, IntegrityError) as error:
            return str(error)
        if points_hash(block) != record.points_hash:
            return "other points"
        if count(block) != record.count:
            return f"{count(block)} points"
        codes = {f"{code}.{role}" for code, role in self.codes}
        strange = sorted(block.columns.keys() - codes)
        if strange:
            return f"parameter {strange[0]}"
        first, last = int(block.times[0]), int(block.times[-1])
        is_within = micros(record.from_) <= first and last < micros(record.to)
        is_told = micros(record.first) == first and micros(record.last) == last
        return None if is_within and is_told else "points of other times"

    def look_for_objects(self, without: AbstractSet[str]) -> None:
        """Every object that the entries name is held here, or is an attachment that may follow.

        Raises:
            MissingObjectsError: it must come first.
        """
        destroyed = set(self.destroyed)
        named = {
            head.object.sha256: (head.object.bytes, head.type)
            for head in self.heads
            if head is not None and head.object is not None
            if head.object.sha256 not in destroyed
            and not self.replication.objects.has(head.object.sha256)
        }
        self.missing = [
            sha256
            for sha256, (_, type_) in named.items()
            if type_ == "attachment" and sha256 in without
        ]
        wanted = {name: size for name, (size, _) in named.items() if name not in self.missing}
        if wanted:
            raise MissingObjectsError(wanted)

    def _before(self, type_: str, key: tuple[str, ...]) -> LedgerHead | None:
        """The version of a record that an entry follows, in this group or in the store."""
        here = self.new.get((type_, key))
        if here is not None:
            return here
        return self.replication.store.find_head(self.row.ledger, type_, key)

    def _wrong(self, statement: Statement) -> str | None:
        """What of an entry the agreement does not allow."""
        heading = statement.heading
        if heading.agreement.partition("@")[0] != self.body.id:
            return f"an entry of agreement {heading.agreement}"
        if heading.sender != self.replication.partner:
            return f"an entry sent by {heading.sender}"
        item = registry.record_type(heading.record_name)
        record = statement.record
        wrong = registry.why_not_written(item, self.roles, record) if item is not None else None
        if wrong is not None:
            return wrong
        if isinstance(record, records.Series):
            strange = [p.code for p in record.parameters if (p.code, p.role) not in self.codes]
            return f"parameter {strange[0]}" if strange else None
        if isinstance(record, records.Result) and (record.code, record.role) not in self.codes:
            return f"parameter {record.code}"
        named = records.object_of(record) if record is not None else None
        if named is not None and not 0 <= named.bytes <= OBJECT_BYTES_MAX[heading.record_name]:
            return f"an object of {named.bytes} bytes"
        return None

    def _withdrawal_head(self, statement: Statement) -> NewLedgerEntry | None:
        heading, common = statement.heading, statement.withdrawal
        taken_back = str(common.supersedes) if common is not None else ""
        store, ledger = self.replication.store, self.row.ledger
        before = self.by_entry.get(taken_back) or store.find_head_of(ledger, taken_back)
        if before is None or common is None or common.version != before.version + 1:
            self._refuse(
                heading.id, "record.malformed", taken_back, "the newest version's entry id"
            )
            return None
        return NewLedgerEntry(
            content=b"",
            type=before.type,
            key=before.key,
            version=common.version,
            digest=canonical.encode(["withdrawn", heading.id]),
            entry_id=heading.id,
            is_withdrawn=True,
        )

    # ---- erasure of what was sent to the wrong party

    def _erase(self, statement: Statement) -> None:
        common = statement.withdrawal
        if common is None or common.correction is None:
            return
        if common.correction.reason_code != "wrong_party":
            return
        entry_id: str | None = str(common.supersedes)
        while entry_id is not None:
            entry_id = self._erase_one(entry_id)

    def _erase_one(self, entry_id: str) -> str | None:
        """Erase one version; the id of the version before it, or None."""
        store = self.replication.store
        index = self.here.get(entry_id)
        if index is None:
            index = store.find_index(self.row.ledger, entry_id)
        if index is None:
            return None
        leaf, content = self.leaves.get(index), self.contents.get(index, b"")
        if leaf is None:
            ((_, leaf, content),) = store.entries(self.row.ledger, index, 1)
        record = read_entry(content).record if content else None
        named = records.object_of(record) if record is not None else None
        if named is not None:
            self.destroyed.append(named.sha256)
        self.erased.append(index)
        self.erasures.append(records.Erased(entry=entry_id, leaf=leaf.hex()))
        before = record.supersedes if record is not None else None
        return before if isinstance(before, str) else None

    # ---- the answer

    def answer(self, size: int) -> list[NewLedgerEntry]:
        """The receipt record and its findings, where there is a cause for one."""
        causes: list[str] = []
        self._leave_out_said()
        if self.refused:
            causes.append("refusal")
        if self.erasures:
            causes.append("erasure")
        if self.missing:
            causes.append("missing")
        if not causes:
            return []
        replication = self.replication
        own = replication.store.ledgers()[0]
        post = Post(
            place=place_of(self.body, own, replication.party, replication.partner),
            ids=replication.ids,
            clock=replication.clock,
            heads=replication.store.heads(own.ledger),
        )
        refused = tuple(self._finding_record(post, *item) for item in self.refused)
        # What does not fit into one receipt record goes on in its next version.
        most = max(len(refused), len(self.erasures), len(self.missing))
        for start in range(0, most, NAMED_MAX):
            post.add(
                records.Receipt(
                    version=1,
                    ledger=self.row.ledger,
                    size=size,
                    cause=tuple(causes),  # type: ignore[arg-type] # the words of the standard
                    refused=refused[start : start + NAMED_MAX],
                    erased=tuple(self.erasures[start : start + NAMED_MAX]),
                    missing=tuple(self.missing[start : start + NAMED_MAX]),
                ),
                correction=self._goes_on() if start else None,
            )
        return post.entries

    def _leave_out_said(self) -> None:
        """What own receipt records say already: this node was restored, and judges again."""
        if not self.refused and not self.erasures:
            return
        store, ledger = self.replication.store, self.row.ledger
        refused, erased = store.refused(ledger), store.erased(ledger)
        self.refused = [item for item in self.refused if item[0] not in refused]
        self.erasures = [item for item in self.erasures if item.entry not in erased]

    def _goes_on(self) -> Correction:
        return Correction(
            kind="correct",
            reason_code="continued",
            reason="more was refused or erased than one record holds",
            by=self.replication.party,
        )

    def _finding_record(self, post: Post, entry_id: str, item: Finding) -> records.Refused:
        finding_id = self.replication.ids.shared(self.body.id, "finding", entry_id)
        post.add(
            records.FindingRecord(
                version=1,
                finding=finding_id,
                rule=item.rule,
                rules_version=RULES_VERSION,
                as_of=self.replication.clock.now(),
                severity=item.severity,
                where=item.where,
                found=item.found,
                expected=item.expected,
                effect="refused",
            )
        )
        return records.Refused(entry=entry_id, finding=finding_id)


def begins(store: CopyStore, ledger: str, statement: Statement) -> bool:
    """Whether the first entry of a ledger names the one that it carries on, where there is one."""
    before = store.predecessor(ledger)
    record = statement.record
    named = record.succeeds if isinstance(record, records.Agreement) else None
    return before is None or named == before


def _source_in_key(record: records.Record, source: str) -> str:
    return source if isinstance(record, records.Result) else ""


def _plain_head(type_: str, key: tuple[str, ...], entry_id: str) -> NewLedgerEntry:
    return NewLedgerEntry(
        content=b"", type=type_, key=key, version=1, digest=b"", entry_id=entry_id
    )


def statements(store: CopyStore, ledger: str, start: int = 0) -> Iterator[tuple[int, Statement]]:
    """Every entry that counts, in order; erased, malformed and refused ones are passed over."""
    refused = store.refused(ledger)
    while rows := store.entries(ledger, start, 4096):
        for index, _, content in rows:
            if not content:
                continue
            try:
                statement = read_entry(content)
            except InputError:
                continue
            if refused.isdisjoint((statement.heading.id, f"{ledger}/{index}")):
                yield index, statement
        start = rows[-1][0] + 1
