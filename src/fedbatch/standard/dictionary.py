"""The parameter dictionary: what a quantity is called, in which units, under which other names.

Synonyms propose and never decide (STANDARD S30); ranges raise findings of plausibility and are never
limits (S31). Terms are never redefined or deleted; a party's own are `x.<party>.…`.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Dictionary", "Term", "read_dictionary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of the dictionary; `units` begins with the usual one, all UCUM codes."""

    term: str
    name: str
    definition: str
    quantity_kind: str
    units: tuple[str, ...]
    synonyms: tuple[str, ...]
    unit_operations: tuple[str, ...]
    typical_low: str
    typical_high: str
    usual_role: str

    @property
    def is_bindable(self) -> bool:
        """Whether an agreement may bind it: metadata and times are fields of records instead."""
        return self.usual_role not in {"metadata", "time"}


@dataclass(frozen=True, slots=True)
class Dictionary:
    """All terms by their id."""

    terms: dict[str, Term]


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(";") if part)


def read_dictionary(lines: Iterable[str]) -> Dictionary:
    """Build the dictionary from the packaged CSV."""
    terms = (
        Term(
            term=row["term"],
            name=row["name"],
            definition=row["definition"],
            quantity_kind=row["quantity_kind"],
            units=_parts(f"{row['unit']};{row['other_units']}"),
            synonyms=_parts(row["synonyms"]),
            unit_operations=_parts(row["unit_operation"]),
            typical_low=row["typical_low"],
            typical_high=row["typical_high"],
            usual_role=row["usual_role"],
        )
        for row in csv.DictReader(lines)
    )
    return Dictionary({term.term: term for term in terms})
