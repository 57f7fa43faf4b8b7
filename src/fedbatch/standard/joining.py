"""Batches known by several numbers: which ids name one batch.

Two statements are of one batch if they share an identifier and contradict each other in none: who
numbers a batch gives it one number. What could be either of two batches is neither.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations

__all__ = ["join_batches"]

Identifiers = frozenset[tuple[str, str]]


def join_batches(stated: Mapping[str, Iterable[tuple[str, str]]]) -> dict[str, str]:
    """For each id that names the same batch as an earlier one, the earliest.

    Args:
        stated: for each id, in the order in which they came, its identifiers (system, value).
    """
    known = {name: frozenset(items) for name, items in stated.items()}
    order = {name: position for position, name in enumerate(known)}
    first = {name: name for name in known}
    groups = {name: [name] for name in known}
    for members in _sharing(known):
        starts = {first[name] for name in members}
        group = sorted((name for start in starts for name in groups[start]), key=order.__getitem__)
        if any(_contradict(known[one], known[two]) for one, two in combinations(group, 2)):
            continue
        for name in group:
            first[name] = group[0]
        groups[group[0]] = group
    return {name: start for name, start in first.items() if name != start}


def _sharing(known: Mapping[str, Identifiers]) -> list[list[str]]:
    """The ids that state each identifier, where there are several."""
    by_identifier: dict[tuple[str, str], list[str]] = {}
    for name, items in known.items():
        for item in sorted(items):
            by_identifier.setdefault(item, []).append(name)
    return [members for members in by_identifier.values() if len(members) > 1]


def _contradict(one: Identifiers, two: Identifiers) -> bool:
    """Whether a party that numbers both gives them no number in common."""
    systems = {system for system, _ in one} & {system for system, _ in two}
    common = {system for system, _ in one & two}
    return bool(systems - common)
