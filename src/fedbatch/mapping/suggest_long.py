"""Proposals for a long table of points, as historians export them: time, tag, value, quality.

Each tag is proposed as a wide table's column would be: its name for a header, its rows for texts,
the unit that its rows state. What all tags have in common (site, vessel) says nothing of any.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fedbatch.mapping.numbers import NumberReader
from fedbatch.mapping.suggest import (
    ColumnProposal,
    TableProposal,
    named_field,
    propose_term,
    words_of,
)
from fedbatch.mapping.tables import Column, Table
from fedbatch.series.arrow import Texts, arrow, compute, integers_of, one_array, rows_of
from fedbatch.series.blocks import Integers
from fedbatch.standard.dictionary import Dictionary
from fedbatch.standard.units import Unit, UnitTable

__all__ = ["TAGS_MAX", "LongProposal", "TagProposal", "propose_long"]

# As many as a person goes through in a file; the others are counted.
TAGS_MAX = 200
_SAMPLE = 500
_UNITS_SHOWN = 3
_MOSTLY = 0.5
Role = Literal["PV", "SP", "OUT"]
_ROLES: dict[str, Role] = {"pv": "PV", "sp": "SP", "out": "OUT", "op": "OUT"}
# Fields of a long table of points; one with samples, methods or analysts holds results.
_POINTS = frozenset({"tag", "value", "unit", "quality", "observed_at", "batch", "product"})
_NEEDED = ("tag", "value", "observed_at")
_OF_RESULTS = frozenset({"sample", "analyst", "method", "instrument", "replicate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TagProposal:
    """What a tag of so many rows may be: a term, or a question; and its role and unit as far as known.

    `raw_unit`: what its rows state, `unit`: the code of it; "" for neither.
    """

    tag: str
    rows: int
    role: Role
    term: str
    question: str
    raw_unit: str
    unit: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LongProposal:
    """A long table: its columns, its first tags, and how many more there are in how many rows.

    `is_owned`: whether a column says which batch a row is of.
    """

    columns: tuple[ColumnProposal, ...]
    tags: tuple[TagProposal, ...]
    more_tags: int
    more_rows: int
    is_owned: bool


def propose_long(
    table: Table, proposal: TableProposal, dictionary: Dictionary, units: UnitTable
) -> LongProposal | None:
    """Propose what the tags of a long table of points are; None for any other table.

    Args:
        table: the table.
        proposal: what its columns may be.
        dictionary: whose terms are proposed.
        units: the units table.
    """
    names = Counter(named_field(item.header) for item in table.columns)
    columns = {named_field(item.header): item for item in table.columns}
    if any(names[name] != 1 for name in _NEEDED) or names.keys() & _OF_RESULTS:
        return None
    if "test" in words_of(columns["tag"].header):
        return None
    tags = _Tags(columns, proposal.decimal_mark or ".", dictionary, units)
    told = tuple(tags.proposals())
    more = tags.counts[len(told) :]
    return LongProposal(
        columns=tuple(map(_column, proposal.columns)),
        tags=told,
        more_tags=len(more),
        more_rows=sum(more),
        is_owned=any(item.field == "batch" for item in proposal.columns),
    )


def _column(item: ColumnProposal) -> ColumnProposal:
    """A column of a long table: a field, or a question, since values stand in one column alone."""
    if named_field(item.column.header) == "observed_at" and item.column.time_format:
        form = item.column.time_format
        evidence = f"the file says that it holds times, {form}"
        return replace(
            item, question="", field="observed_at", time_formats=(form,), evidence=evidence
        )
    if named_field(item.column.header) in _POINTS or item.field:
        return item
    question = "a field, or ignored with a reason: values stand in the column of values alone"
    return replace(item, term="", unit="", raw_unit="", evidence="", question=question)


class _Tags:
    """The tags of one table in the order in which they occur; lives for one call."""

    def __init__(
        self, columns: dict[str, Column], mark: str, dictionary: Dictionary, units: UnitTable
    ) -> None:
        self._reader = NumberReader(decimal_mark=mark)
        self._dictionary, self._units = dictionary, units
        self._values = _array(columns["value"])
        self._unit = _array(columns["unit"]) if "unit" in columns else None
        encoded = compute.dictionary_encode(compute.utf8_trim_whitespace(_array(columns["tag"])))
        self._names: list[str] = encoded.dictionary.to_pylist()
        self._places = integers_of(encoded.indices.cast(arrow.int64()))
        self.counts: list[int] = np.bincount(self._places, minlength=len(self._names)).tolist()
        self._common = _common_words(self._names)

    def proposals(self) -> Iterator[TagProposal]:
        """The first tags, each with what it may be."""
        for number, tag in enumerate(self._names[:TAGS_MAX]):
            rows = np.flatnonzero(self._places == number)
            yield self._proposal(tag, rows, self._stated(rows))

    def _proposal(self, tag: str, rows: Integers, stated: Sequence[str]) -> TagProposal:
        role, label = self._label(tag)
        unit = stated[0] if len(stated) == 1 else ""
        texts = [text for text in rows_of(self._values, rows).to_pylist() if text.strip()]
        column = Column(index=0, header=label, texts=texts[:_SAMPLE], unit=unit)
        found = propose_term(column, 1, self._dictionary, self._units, is_number=True)
        question = found.question
        if not self._is_number(column.texts):
            question = "most of its values are no numbers: ignored with a reason?"
        elif len(stated) > 1:
            shown = ", ".join(stated[:_UNITS_SHOWN])
            question = f"{found.term or 'a term'}? its rows state several units: {shown}"
        known = self._units.find(unit) if unit else None
        return TagProposal(
            tag=tag,
            rows=int(rows.size),
            role=role,
            term="" if question else found.term,
            question=question,
            raw_unit=unit,
            unit=known.ucum if isinstance(known, Unit) else "",
            evidence=found.evidence if not question else "",
        )

    def _stated(self, rows: Integers) -> list[str]:
        """The units that a tag's rows state."""
        if self._unit is None:
            return []
        texts = compute.unique(compute.utf8_trim_whitespace(rows_of(self._unit, rows)))
        return [text for text in texts.to_pylist() if text]

    def _label(self, tag: str) -> tuple[Role, str]:
        """The role that a tag's last word says (PV where it says none), and what is its own."""
        words = words_of(tag)
        role = _ROLES.get(words[-1]) if len(words) > 1 else None
        own = [word for word in (words[:-1] if role else words) if word not in self._common]
        return role or "PV", " ".join(own or words)

    def _is_number(self, texts: Sequence[str]) -> bool:
        """Whether most values are numbers: others stay points with their texts."""
        read = sum(1 for text in texts if self._reader.read(text) is not None)
        return bool(texts) and read >= _MOSTLY * len(texts)


def _array(column: Column) -> Texts:
    return one_array(arrow.array(column.texts, arrow.string()))


def _common_words(names: Sequence[str]) -> frozenset[str]:
    """The words that every one of several tags has."""
    sets = [frozenset(words_of(name)) for name in names]
    return frozenset.intersection(*sets) if len(sets) > 1 else frozenset()
