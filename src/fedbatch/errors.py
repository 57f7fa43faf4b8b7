"""The one tree of exceptions.

    FedbatchError      code, reference
    ├ InputError       where, found, expected: the caller's bytes or arguments
    ├ RefusedError     right or policy
    ├ ConflictError    the state has moved on
    │ └ MissingObjectsError   bytes that entries name are not held yet
    ├ BusyError        retry_after_s: back-pressure
    ├ PeerError        retryable, retry_after_s
    ├ StoreError       the disk failed or is full: read-only until the node is started again
    └ IntegrityError   bytes differ from what was signed: that ledger stops

A class exists only because somebody catches it; what went wrong exactly is the `code`, a stable
dotted word that documentation lists. Our own bugs are `AssertionError`, and input never meets
`assert`. Findings are data and are never raised.
"""

from collections.abc import Mapping
from typing import ClassVar

__all__ = [
    "BusyError",
    "ConflictError",
    "FedbatchError",
    "InputError",
    "IntegrityError",
    "MissingObjectsError",
    "PeerError",
    "RefusedError",
    "StoreError",
    "expectation",
]


def expectation(expected: str, where: str, found: str, advice: str = "") -> str:
    """Render the one grammar that errors and findings share."""
    place = f" at {where}" if where else ""
    sentence = f"Expected {expected}{place}, found '{found}'."
    return f"{sentence} {advice}" if advice else sentence


class FedbatchError(Exception):
    """Whatever Fedbatch raises on purpose; `code` is stable, the sentence is not."""

    default_code: ClassVar[str] = "fedbatch"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code


class InputError(FedbatchError):
    """The caller's bytes or arguments are not what they must be."""

    default_code = "input"

    def __init__(
        self,
        expected: str,
        *,
        where: str = "",
        found: str = "",
        advice: str = "",
        code: str | None = None,
    ) -> None:
        super().__init__(expectation(expected, where, found, advice), code=code)
        self.expected = expected
        self.where = where
        self.found = found
        self.advice = advice


class RefusedError(FedbatchError):
    """A right or a policy forbids it."""

    default_code = "refused"


class ConflictError(FedbatchError):
    """The state has moved on, or another version stands there."""

    default_code = "conflict"


class MissingObjectsError(ConflictError):
    """Entries name objects that are not held here; they must come first."""

    default_code = "objects"

    def __init__(self, missing: Mapping[str, int]) -> None:
        super().__init__(f"{len(missing)} objects must come first")
        self.missing = dict(missing)


class BusyError(FedbatchError):
    """Too much at once; come back after `retry_after_s` seconds."""

    default_code = "busy"

    def __init__(self, message: str, *, retry_after_s: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class PeerError(FedbatchError):
    """The partner's node could not be reached, or refused."""

    default_code = "peer"

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class StoreError(FedbatchError):
    """The disk failed or is full; nothing was promised, and nothing more is taken until a restart."""

    default_code = "store.failed"


class IntegrityError(FedbatchError):
    """Bytes differ from what was signed, or a history differs from the one seen before."""

    default_code = "integrity"
