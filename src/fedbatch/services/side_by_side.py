"""Pure work on one thing after another, two at a time, with results in the order of the things.

For what numpy, Arrow and hashes do outside Python's lock. More at a time would want more memory, and
half of the work is Python's own. Disk and databases are left to the thread that calls.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["side_by_side"]

Thing = TypeVar("Thing")
Result = TypeVar("Result")

_AT_ONCE = 2
# Begun before the result in front is asked for: enough that nobody waits, few enough to hold.
_AHEAD = 2 * _AT_ONCE
# Its threads begin with the first work and wait for more.
_POOL = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="side-by-side")


def side_by_side(
    work: Callable[[Thing], Result], things: Iterable[Thing]
) -> Generator[Result, None, None]:
    """What `map` gives; `work` must touch nothing that is shared.

    Things are taken from their iterator in the calling thread, at most a few ahead. What `work`
    raises is raised when its result is due; what was begun behind it is dropped.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for thing in things:
            waiting.append(_POOL.submit(work, thing))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
