"""Small tables and mappings for tests; what a test does not name is of no importance to it."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from fedbatch.mapping.extract import Extraction, Ground, extract
from fedbatch.mapping.tables import CellKind, Column, SourceFile, Table
from fedbatch.node.home import read_package_dictionary, read_package_units
from fedbatch.standard.mappings import Constant, Mapping, MappingRule

UNITS = read_package_units()
DICTIONARY = read_package_dictionary()
FILE = SourceFile(name="lab.csv", size_bytes=1, sha256="0" * 64)
GROUND = Ground(
    party="party-c",
    units=UNITS,
    dictionary=DICTIONARY,
    zone=ZoneInfo("Europe/Ljubljana"),
    own_id=lambda kind, text: f"{kind}:{text}",
)


def column(
    header: str,
    *texts: str,
    index: int = 0,
    unit: str = "",
    group: str = "",
    kinds: Sequence[CellKind] | None = None,
    formats: Sequence[str] | None = None,
) -> Column:
    return Column(
        index=index,
        header=header,
        texts=texts,
        unit=unit,
        group=group,
        kinds=kinds,
        formats=formats,
    )


def table(*columns: Column) -> Table:
    """A text file whose header is row 1."""
    placed = tuple(
        Column(
            index=index,
            header=item.header,
            texts=item.texts,
            unit=item.unit,
            group=item.group,
            kinds=item.kinds,
            formats=item.formats,
        )
        for index, item in enumerate(columns)
    )
    count = len(placed[0].texts) if placed else 0
    return Table(
        sheet="",
        scheme="row_column",
        extractor="tabular/1",
        header_row=1,
        rows=range(2, 2 + count),
        columns=placed,
    )


def grid(header: str, *rows: str) -> Table:
    """A table from `|`-parted texts."""
    names = header.split("|")
    cells = [row.split("|") for row in rows]
    return table(*(column(name, *(row[i] for row in cells)) for i, name in enumerate(names)))


def rule(header: str | None = None, **fields: Any) -> MappingRule:
    return MappingRule(header=header, **fields)


def assay(header: str = "Assay", **fields: Any) -> MappingRule:
    said: dict[str, Any] = {"term": "assay", "raw_unit": "%", "unit": "%{LC}"}
    return MappingRule(header=header, **(said | fields))


def mapping(*rules: MappingRule, constants: dict[str, str] | None = None, **fields: Any) -> Mapping:
    said: dict[str, Any] = {
        "version": 1,
        "source": "lab",
        "shape": "row_a_batch",
        "decimal_mark": ".",
        "zone": "Europe/Ljubljana",
        "time_formats": ("%Y-%m-%d %H:%M",),
        "constants": tuple(
            Constant(field=name, text=text) for name, text in (constants or {}).items()
        ),
    }
    return Mapping(rules=rules, **(said | fields))


def run(source: Table, under: Mapping) -> Extraction:
    return extract(source, FILE, under, GROUND)


def rules_of(found: Extraction) -> list[str]:
    """The rules of what was held back, in order."""
    return [item.finding.rule for item in found.held]
