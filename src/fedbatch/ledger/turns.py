"""Keys of one purpose that took one another's place, each from a size of the ledger on.

Which key may sign a checkpoint is said by the checkpoint's size, never by a clock: so it stays checkable
for as long as the ledger is kept, and an old key signs nothing new.
"""

from dataclasses import dataclass

__all__ = ["KeyTurn", "KeyTurns"]


@dataclass(frozen=True)
class KeyTurn:
    """A key that signs sizes greater than `above`.

    The key before it may still have cosigned such a size, dated not after `old_until` (seconds since
    1970; 0: never): a cosignature may be on its way while the key changes.
    """

    key: bytes
    above: int
    old_until: int = 0


@dataclass(frozen=True)
class KeyTurns:
    """The first key, and those that followed it, in order."""

    first: bytes
    later: tuple[KeyTurn, ...] = ()

    def at(self, size: int) -> bytes:
        """The key that vouches for this size."""
        key = self.first
        for turn in self.later:
            if size > turn.above:
                key = turn.key
        return key

    def before(self, size: int) -> tuple[bytes, int]:
        """The key before the one of this size, and until when it was accepted; itself and 0: none."""
        key, found = self.first, (self.first, 0)
        for turn in self.later:
            if size > turn.above:
                found = (key, turn.old_until)
                key = turn.key
        return found

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All of them, the current one last."""
        return (self.first, *(turn.key for turn in self.later))
