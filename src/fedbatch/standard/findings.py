"""What a rule found, as data: never raised, never dropped."""

from typing import Literal

import msgspec

from fedbatch.errors import expectation

__all__ = ["Effect", "Finding", "Place"]

Effect = Literal["none", "held_back", "refused"]


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a finding lies: in a source's bytes, in a record, or both.

    `scheme` and `locator` are those of provenance (STANDARD S17), `file` the file's name as it came.
    `type` and `key` name a record by its business key, `path` a field in it (JSON pointer).
    """

    file: str = ""
    scheme: str = ""
    locator: str = ""
    type: str = ""
    key: tuple[str, ...] = ()
    path: str = ""

    def render(self) -> str:
        parts = [part for part in (self.file, self.locator) if part]
        if self.type:
            parts.append(" ".join((self.type, *filter(None, self.key))))
        if self.path:
            parts.append(self.path)
        return " ".join(parts)


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rule id, severity (1 to 3, 4 = information), where, found, expected.

    `effect` says what became of the value: nothing, held back (waits for a person), or refused.
    """

    rule: str
    severity: int
    where: Place
    found: str
    expected: str
    effect: Effect = "none"
    advice: str = ""

    def render(self) -> str:
        return expectation(self.expected, self.where.render(), self.found, self.advice)
