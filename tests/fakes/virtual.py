"""An event loop whose time moves only by waiting: a month passes as fast as it computes."""

import asyncio
import selectors
from collections.abc import Callable

from typing_extensions import override


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, jumps ahead by the time that would have been waited."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self._jump(timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on virtual seconds; nothing in it may wait for a thread."""

    def __init__(self, moved: Callable[[float], None]) -> None:
        self.now_s = 0.0
        self._moved = moved
        super().__init__(_JumpingSelector(self._jump))

    def _jump(self, seconds: float) -> None:
        self.now_s += seconds
        self._moved(seconds)

    @override
    def time(self) -> float:
        return self.now_s
