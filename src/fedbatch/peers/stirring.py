"""When what a node holds may have changed: one look at its files serves every long poll.

A command beside the node writes to the same home, so that no signal inside this process tells of it.
Files do: their sizes and times change with each commit. Looked at are names, "" for the node itself
and an agreement's id for each of its agreements.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import anyio

__all__ = ["Stirring"]

TICK_S = 0.1
# While nothing has changed for a while it is enough to look four times a second.
QUIET_TICK_S = 0.25
QUIET_AFTER = 100

Marks = Mapping[str, object]


@dataclass(eq=False, slots=True)
class _Waiter:
    known: Marks
    event: anyio.Event


@dataclass(slots=True, kw_only=True)
class Stirring:
    """Tells waiters that a mark is no longer as they know it.

    `mark` gives the present mark of a name; it must not block. Once `is_over`, nobody waits longer.
    """

    mark: Callable[[str], object]
    is_over: Callable[[], bool] = lambda: False
    _waiters: set[_Waiter] = field(default_factory=set)
    _is_running: bool = False

    def marks(self, names: Iterable[str]) -> Marks:
        """The present marks, to be taken before what they stand for is read."""
        return {name: self.mark(name) for name in names}

    async def changed(self, known: Marks) -> None:
        """Wait until one of these marks is another."""
        if not self._is_running:
            while self.marks(known) == known and not self.is_over():  # noqa: ASYNC110 - files tell nobody
                await anyio.sleep(TICK_S)
            return
        waiter = _Waiter(known, anyio.Event())
        self._waiters.add(waiter)
        try:
            await waiter.event.wait()
        finally:
            self._waiters.discard(waiter)

    async def run(self) -> None:
        """Look again and again, for all who wait, until cancelled."""
        self._is_running, quiet = True, 0
        try:
            while True:
                await anyio.sleep(TICK_S if quiet < QUIET_AFTER else QUIET_TICK_S)
                quiet = 0 if self._look() else quiet + 1
        finally:
            self._is_running = False
            for waiter in self._waiters:
                waiter.event.set()

    def _look(self) -> bool:
        """Wake whoever has something new; whether there was anybody."""
        present = self.marks({name for waiter in self._waiters for name in waiter.known})
        stirred = [
            waiter
            for waiter in self._waiters
            if self.is_over() or any(present[name] != mark for name, mark in waiter.known.items())
        ]
        for waiter in stirred:
            waiter.event.set()
        return bool(stirred)
