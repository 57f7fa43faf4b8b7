"""Taking in a partner's entries: the comparison that nothing gets round.

A reader extends the frontier it stored itself by the entries it received, and compares the root
with the signed one. Equal roots mean the same past: nothing altered, dropped, reordered, inserted.
A frontier or a proof from the writer would show less, so none is asked for.

Cases and answers are those of INTEROP §1.2, §1.3 and §1.6; the caller decides what is sent for
each. Pure: all that moves is in the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedbatch.errors import ConflictError, InputError, IntegrityError
from fedbatch.ledger.frames import Erased, hash_entry
from fedbatch.ledger.note import Checkpoint, verify_checkpoint
from fedbatch.ledger.tree import Frontier
from fedbatch.ledger.turns import KeyTurns

__all__ = ["Taken", "take_in"]


@dataclass(frozen=True)
class Taken:
    """What to store: the checkpoint, the frontier at its size, and the new leaf hashes.

    `is_repeated`: all of it was held before, so nothing is new and the frontier is the held one.
    """

    checkpoint: Checkpoint
    frontier: Frontier
    leaf_hashes: tuple[bytes, ...]
    is_repeated: bool


def take_in(
    held: Frontier,
    start: int,
    entries: Sequence[bytes | Erased],
    note: bytes,
    *,
    origin: str,
    public_key: bytes | KeyTurns,
    root_at: Callable[[int], bytes] | None = None,
    writer_root: bytes | None = None,
) -> Taken:
    """Check entries `start` onwards, and the checkpoint at their end, against what is held.

    `root_at` gives the reader's own root at a smaller size, so that an old frame sent again can be
    recognised; without it the checkpoint is the writer's current one, and a smaller size is a
    rollback. `writer_root` is the root that the writer, asked, states at the held size.

    Raises InputError for what is malformed, `range` among it (entries start behind the
    checkpoint); ConflictError `resume` where they do not start at the held size; IntegrityError:
    `origin`, `signature`; `rollback`; `fork`: another root at a size held; `gap`: the entries do
    not lead to the signed root.
    """
    checkpoint = verify_checkpoint(note, origin, public_key)
    if start < 0 or start > checkpoint.size:
        raise InputError(
            f"a start of at most {checkpoint.size}", where="frame", found=str(start), code="range"
        )
    if checkpoint.size <= held.size:
        return _compare_held(held, checkpoint, root_at)
    if start != held.size:
        raise ConflictError(f"Entries from {held.size} on are due, not {start}.", code="resume")
    return _extend(held, entries, checkpoint, writer_root)


def _compare_held(
    held: Frontier, checkpoint: Checkpoint, root_at: Callable[[int], bytes] | None
) -> Taken:
    if checkpoint.size == held.size:
        own_root = held.root()
    elif root_at is not None:
        own_root = root_at(checkpoint.size)
    else:
        raise IntegrityError(
            f"The writer's ledger has {checkpoint.size} entries, {held.size} were held.",
            code="rollback",
        )
    if own_root != checkpoint.root:
        raise IntegrityError(f"Another root at size {checkpoint.size}.", code="fork")
    return Taken(checkpoint, held, (), is_repeated=True)


def _extend(
    held: Frontier,
    entries: Sequence[bytes | Erased],
    checkpoint: Checkpoint,
    writer_root: bytes | None,
) -> Taken:
    leaf_hashes = tuple(hash_entry(entry) for entry in entries)
    frontier = held.extend(leaf_hashes)
    if frontier.size == checkpoint.size and frontier.root() == checkpoint.root:
        return Taken(checkpoint, frontier, leaf_hashes, is_repeated=False)
    if writer_root is not None and writer_root != held.root():
        raise IntegrityError(f"Another root at size {held.size}.", code="fork")
    raise IntegrityError(
        f"{len(entries)} entries from {held.size} do not lead to the root signed at "
        f"{checkpoint.size}.",
        code="gap",
    )
