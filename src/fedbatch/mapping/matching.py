"""Which mapping fits a table: by its headers, every one accounted for, none twice."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec.structs import asdict, replace

from fedbatch.errors import InputError
from fedbatch.mapping.tables import Column, Table, choose_rows
from fedbatch.standard import canonical
from fedbatch.standard.findings import Finding
from fedbatch.standard.mappings import Mapping, MappingRule

__all__ = [
    "assign_rules",
    "difference",
    "fingerprint",
    "fits",
    "layout_findings",
    "mapping_fingerprint",
    "rows_meant",
]

Place = tuple[str, str, int]


def _places(columns: Iterable[Column]) -> list[tuple[Place, Column]]:
    """Each column with its group, header and which occurrence of them it is, from 1."""
    counts: Counter[tuple[str, str]] = Counter()
    placed = []
    for column in columns:
        name = (column.group, column.header)
        counts[name] += 1
        placed.append(((*name, counts[name]), column))
    return placed


def _rule_places(mapping: Mapping) -> dict[Place, MappingRule]:
    return {
        (rule.group or "", rule.header, rule.occurrence): rule
        for rule in mapping.rules
        if rule.header is not None
    }


def _digest(places: Iterable[Place]) -> str:
    plain = sorted([group, header, str(occurrence)] for group, header, occurrence in places)
    return hashlib.sha256(canonical.encode(plain)).hexdigest()


def fingerprint(table: Table) -> str:
    """SHA-256 over a table's headers with group and occurrence, whatever their order."""
    return _digest(place for place, _ in _places(table.columns))


def mapping_fingerprint(mapping: Mapping) -> str:
    """The fingerprint of the tables that a mapping fits."""
    return _digest(_rule_places(mapping))


def difference(table: Table, mapping: Mapping) -> tuple[list[str], list[str]]:
    """Headers the table has and the mapping lacks, and the other way round.

    A column that has no texts may be missing where the mapping ignores it; of one that it needs the
    type is said.
    """
    here = {place for place, _ in _places(table.columns)}
    rules = _rule_places(mapping)
    textless = {("", item.header, 1): item.type for item in table.left_out}
    fewer = {
        place
        for place in rules.keys() - here
        if place not in textless or rules[place].ignored is None
    }
    told = (
        f"{name} (of {textless[place]}, which has no texts)" if place in textless else name
        for place, name in _named(fewer)
    )
    return [name for _, name in _named(here - rules.keys())], list(told)


def fits(table: Table, mapping: Mapping) -> bool:
    """Whether a table has the columns that a mapping names, and no others."""
    return not any(difference(table, mapping))


def _named(places: Iterable[Place]) -> list[tuple[Place, str]]:
    return [
        (place, f"{place[0]} / {place[1]}" if place[0] else place[1]) for place in sorted(places)
    ]


def layout_findings(found: Iterable[Finding], table: Table, mapping: Mapping) -> Iterator[Finding]:
    """The findings of a table's reading; of its layout only what the mapping does not expect.

    Headers that are the mapping's own show where they stand, what parts the cells, and the encoding.
    """
    for item in found:
        if item.rule != "table.layout":
            yield item
            continue
        other = _differences(table, mapping)
        if other:
            told, stated = (", ".join(texts) for texts in zip(*other, strict=True))
            yield replace(item, found=told, expected=f"{stated}, as the mapping states")
        elif _is_unit_row_news(table, mapping):
            yield replace(item, found=f"unit row {table.layout.unit_row}")


def _differences(table: Table, mapping: Mapping) -> list[tuple[str, str]]:
    """What stands elsewhere than the mapping states: as found, as stated."""
    found, stated = asdict(table.layout), asdict(mapping.layout)
    return [
        (_said(name, found[name]), _said(name, wanted))
        for name, wanted in stated.items()
        if wanted is not None and str(found[name]).lower() != str(wanted).lower()
    ]


def _said(name: str, value: object) -> str:
    words = name.replace("_", " ")
    return f"no {words}" if value is None else f"{words} {value!r}".replace("'", "")


def _is_unit_row_news(table: Table, mapping: Mapping) -> bool:
    """Whether a row was taken for units that the mapping knows nothing of: it may be one of data."""
    if table.layout.unit_row is None or mapping.layout.first_data_row is not None:
        return False
    rules = _rule_places(mapping)
    known = [
        rules[place].raw_unit == column.unit.strip()
        for place, column in _places(table.columns)
        if place in rules and column.unit.strip()
    ]
    return mapping.layout.unit_row is None and not any(known)


def rows_meant(table: Table, mapping: Mapping) -> tuple[Table, dict[str, str]]:
    """The rows that a mapping reads, and why it reads no others."""
    if not mapping.only:
        return table, {}
    by_header = {column.header: column.texts for column in table.columns}
    missing = [item.header for item in mapping.only if item.header not in by_header]
    if missing:
        raise InputError(
            f"the columns of mapping {mapping.source}",
            where=table.sheet,
            found=f"no {', '.join(missing)}",
            code="mapping.columns",
        )
    places = [
        at
        for at in range(len(table.rows))
        if all(by_header[item.header][at].strip() in item.texts for item in mapping.only)
    ]
    left = len(table.rows) - len(places)
    reasons = {
        f"{item.header} other than {', '.join(item.texts)}": item.reason for item in mapping.only
    }
    return choose_rows(table, places), reasons if left else {}


def assign_rules(table: Table, mapping: Mapping) -> list[tuple[Column, MappingRule]]:
    """Each column of a table with its rule.

    Raises:
        InputError: a column without a rule, or a rule without its column: nothing is dropped.
    """
    more, fewer = difference(table, mapping)
    if more or fewer:
        parts = [
            f"new: {', '.join(more)}" if more else "",
            f"gone: {', '.join(fewer)}" if fewer else "",
        ]
        raise InputError(
            f"the columns of mapping {mapping.source}",
            where=table.sheet,
            found="; ".join(filter(None, parts)),
            advice="`fedbatch map new FILE` drafts a mapping for the file as it is now.",
            code="mapping.columns",
        )
    rules = _rule_places(mapping)
    return [(column, rules[place]) for place, column in _places(table.columns)]
