"""Proposals for a new mapping: terms, fields, units, formats, each with its evidence (STATISTICS §6).

Nothing is decided here. A proposal stands in the draft for a person to check; where the evidence does
not single one thing out, the draft asks and names the choices.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from fedbatch.mapping.numbers import NumberReader
from fedbatch.mapping.tables import CellKind, Column, Table
from fedbatch.mapping.time_roles import TIME_FIELDS, find_role
from fedbatch.mapping.times import tells_hours
from fedbatch.standard.dictionary import Dictionary, Term
from fedbatch.standard.units import Unit, UnitQuestion, UnitTable

__all__ = [
    "ColumnProposal",
    "TableProposal",
    "fits_unit",
    "named_field",
    "named_term",
    "propose",
    "propose_term",
    "search_terms",
    "unit_text",
    "words_of",
]

_WORDS = re.compile(r"[a-z]+|[0-9]+")
_BRACKET = re.compile(r"[\[(]([^\])]*)[\])]\s*$")
# Below this likeness a term is no proposal; above the margin it stands alone.
_LEAST_LIKENESS = 0.6
_MARGIN = 0.12
_CHOICES = 3
# A word this short may abbreviate any name that begins with it: `Glu` is glucose as well.
_ABBREVIATION_MAX = 3
_ABBREVIATED = 0.9
_SAMPLE = 500

_FIELD_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("batch", frozenset({"batch", "batchno", "batchnumber", "batchid", "charge", "chargennummer"})),
    ("product", frozenset({"product", "productcode", "material", "code", "article"})),
    ("sample", frozenset({"sample", "sampleid", "sampleno", "probe"})),
    ("analyst", frozenset({"analyst", "operator", "user"})),
    ("method", frozenset({"method", "procedure", "testmethod"})),
    ("instrument", frozenset({"instrument", "device", "equipmentid"})),
    ("batch.size", frozenset({"size", "batchsize"})),
    ("tag", frozenset({"tag", "tagname", "parameter", "test", "testname"})),
    ("value", frozenset({"value", "result", "reading"})),
    ("unit", frozenset({"unit", "units", "uom"})),
    ("quality", frozenset({"quality", "status", "flag"})),
    ("replicate", frozenset({"replicate", "rep"})),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProposal:
    """What a column may be. Exactly one of `field`, `term` and `question` is not empty.

    `evidence` says why; `time_formats` are those under which every text of the column is a time.
    """

    column: Column
    occurrence: int
    field: str = ""
    term: str = ""
    unit: str = ""
    raw_unit: str = ""
    kind: str = "number"
    question: str = ""
    evidence: str = ""
    time_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProposal:
    """A proposal for each column, and the decimal mark as far as the texts show it ("" if not)."""

    columns: tuple[ColumnProposal, ...]
    decimal_mark: str


def words_of(text: str) -> list[str]:
    """The words and numbers of a header, in lower case."""
    return _WORDS.findall(text.lower())


def unit_text(column: Column) -> str:
    """The unit as a table states it: in a unit row, else in the header's last bracket; "" for none."""
    return column.unit.strip() or _bracket(column.header)


def _bracket(header: str) -> str:
    match = _BRACKET.search(header)
    return match[1].strip() if match else ""


def propose(table: Table, dictionary: Dictionary, units: UnitTable) -> TableProposal:
    """Propose what each column of a table is."""
    mark = _decimal_mark(table.columns)
    counts: dict[tuple[str, str], int] = {}
    proposals = []
    for column in table.columns:
        name = (column.group, column.header)
        counts[name] = counts.get(name, 0) + 1
        proposals.append(_propose(column, counts[name], mark or ".", dictionary, units))
    return TableProposal(columns=tuple(_each_time_once(proposals)), decimal_mark=mark)


def _each_time_once(proposals: Sequence[ColumnProposal]) -> Iterator[ColumnProposal]:
    """Of several columns for one field of time the first with a time of day has it; the rest are asked."""
    best: dict[str, ColumnProposal] = {}
    for item in proposals:
        is_better = any(map(tells_hours, item.time_formats))
        known = best.get(item.field)
        if known is None or (is_better and not any(map(tells_hours, known.time_formats))):
            best[item.field] = item
    for item in proposals:
        first = best[item.field]
        if not item.field or not item.time_formats or first is item:
            yield item
            continue
        question = (
            f"{first.column.header} may be {item.field} already: another time, such as recorded_at, "
            f"as {' and '.join(item.time_formats)}? or ignored with a reason"
        )
        yield replace(item, field="", evidence="", question=question)


def _filled(column: Column) -> list[str]:
    return [text for text in column.texts if text.strip()][:_SAMPLE]


def _decimal_mark(columns: Iterable[Column]) -> str:
    """The mark that the numbers show: at least one number has it, and none has the other.

    Of cells that hold numbers nothing is to be said, unless there are no others.
    """
    columns = tuple(columns)
    return _shown_mark(map(_written, columns)) or _shown_mark(map(_filled, columns))


def _written(column: Column) -> list[str]:
    """The texts of cells that the source does not call numbers."""
    kinds = column.kinds
    if kinds is None:
        return _filled(column)
    told = zip(column.texts, kinds, strict=True)
    return [text for text, kind in told if kind == CellKind.TEXT and text.strip()][:_SAMPLE]


def _shown_mark(columns: Iterable[Sequence[str]]) -> str:
    seen = {".": 0, ",": 0}
    for texts in columns:
        for mark in seen:
            reader = NumberReader(decimal_mark=mark)
            fits = [text for text in texts if reader.read(text) is not None and mark in text]
            seen[mark] += len(fits)
    shown = [mark for mark, count in seen.items() if count]
    return shown[0] if len(shown) == 1 else ""


def _propose(
    column: Column, occurrence: int, mark: str, dictionary: Dictionary, units: UnitTable
) -> ColumnProposal:
    words = words_of(_BRACKET.sub("", column.header))
    for field, known in _FIELD_WORDS:
        if "".join(words) in known:
            evidence = f"the header says {column.header!r}"
            return ColumnProposal(
                column=column, occurrence=occurrence, field=field, evidence=evidence
            )
    is_term = named_term(column.header, dictionary) is not None
    role = None if is_term else find_role(column.texts, words, unit_text(column))
    if role is not None:
        return ColumnProposal(
            column=column,
            occurrence=occurrence,
            field=role.field,
            question=role.question,
            evidence=role.evidence,
            time_formats=role.formats,
        )
    is_number = _holds_numbers(column, mark)
    return propose_term(column, occurrence, dictionary, units, is_number=is_number)


def _holds_numbers(column: Column, mark: str) -> bool:
    """Whether all that stands in a column are numbers: as the source holds them, or under a mark."""
    texts, reader = _filled(column), NumberReader(decimal_mark=mark)
    if column.kinds is None:
        return bool(texts) and all(reader.read(text) is not None for text in texts)
    stored = NumberReader(decimal_mark=".")
    told = [
        (text, kind) for text, kind in zip(column.texts, column.kinds, strict=True) if text.strip()
    ][:_SAMPLE]
    return bool(told) and all(
        (reader if kind == CellKind.TEXT else stored).read(text) is not None for text, kind in told
    )


def propose_term(
    column: Column,
    occurrence: int,
    dictionary: Dictionary,
    units: UnitTable,
    *,
    is_number: bool,
) -> ColumnProposal:
    """Propose a term for a column that is no field, or ask."""
    said = unit_text(column)
    found = units.find(said) if said else None
    ranked = _ranked(column, dictionary, units, found if isinstance(found, Unit) else None)
    if not ranked or not is_number:
        return ColumnProposal(
            column=column, occurrence=occurrence, question=_nothing(ranked, is_number=is_number)
        )
    (best, term), *others = ranked
    stands_alone = not others or best - others[0][0] >= _MARGIN
    problem = _unit_problem(said, found, term)
    if not stands_alone or problem:
        choices = " or ".join(item.term for _, item in ranked[:_CHOICES])
        question = "; ".join(
            filter(None, (f"{choices}?" if not stands_alone else f"{term.term}?", problem))
        )
        return ColumnProposal(column=column, occurrence=occurrence, question=question)
    return ColumnProposal(
        column=column,
        occurrence=occurrence,
        term=term.term,
        unit=found.ucum if isinstance(found, Unit) else "",
        raw_unit=said,
        evidence=f"{term.name}: likeness {best:.2f}, unit {said}",
    )


def _nothing(ranked: Sequence[tuple[float, Term]], *, is_number: bool) -> str:
    choices = " or ".join(item.term for _, item in ranked[:_CHOICES])
    asked = f"{choices}? " if choices else ""
    kind = "" if is_number else "its texts are not all numbers: kind text or code, absent_texts? "
    return f"{asked}{kind}a term, a field, a lot, or ignored with a reason".strip()


def _unit_problem(text: str, found: Unit | UnitQuestion | None, term: Term) -> str:
    if isinstance(found, UnitQuestion):
        return f"{text} may mean {found.choices}"
    if found is None:
        usual = ", ".join(term.units) or "1"
        said = f"{text} is no unit of the table" if text else "no unit is stated"
        return f"{said}: {usual}?"
    return ""


def _ranked(
    column: Column, dictionary: Dictionary, units: UnitTable, unit: Unit | None
) -> list[tuple[float, Term]]:
    """Terms by likeness of name and synonyms; a unit of another kind rules a term out."""
    label = " ".join(words_of(_BRACKET.sub("", f"{column.group} {column.header}")))
    scored = []
    for term in dictionary.terms.values():
        if unit is not None and not fits_unit(unit, term, units):
            continue
        score = _likeness(label, term)
        if score >= _LEAST_LIKENESS:
            scored.append((score, term))
    return sorted(scored, key=lambda item: (-item[0], item[1].term))


def fits_unit(unit: Unit, term: Term, units: UnitTable) -> bool:
    """Whether numbers in a unit may be of a term; a bare % says not of what."""
    bare_percent = unit.ucum == "%" and any(known.startswith("%") for known in term.units)
    return bare_percent or any(units.is_convertible(unit.ucum, known) for known in term.units)


def _likeness(label: str, term: Term) -> float:
    names = [term.name, term.term.replace(".", " ").replace("_", " "), *term.synonyms]
    return max(_alike(label, " ".join(words_of(name))) for name in names)


def _alike(label: str, name: str) -> float:
    if not label or not name:
        return 0.0
    if label == name:
        return 1.0
    if len(label) <= _ABBREVIATION_MAX and name.startswith(label):
        return _ABBREVIATED
    ours, theirs = set(label.split()), set(name.split())
    overlap = len(ours & theirs) / len(ours | theirs)
    return max(SequenceMatcher(None, label, name).ratio() * 0.9, overlap)


def named_field(header: str) -> str:
    """The field that a header names by its very words, "" for none; `observed_at` of times too."""
    name = "".join(words_of(_BRACKET.sub("", header)))
    return next((field for field, words in (*_FIELD_WORDS, *TIME_FIELDS) if name in words), "")


def named_term(header: str, dictionary: Dictionary) -> Term | None:
    """The one term whose name or synonym is the header's very words, its bracket aside."""
    label = " ".join(words_of(_BRACKET.sub("", header)))
    found = [
        term
        for term in dictionary.terms.values()
        if label and any(label == " ".join(words_of(name)) for name in (term.name, *term.synonyms))
    ]
    return found[0] if len(found) == 1 else None


def search_terms(words: str, dictionary: Dictionary, limit: int = 20) -> list[Term]:
    """Terms of the dictionary by likeness with some words, the likest first."""
    label = " ".join(words_of(words))
    scored = [(_likeness(label, term), term) for term in dictionary.terms.values()]
    scored = [(score + (label in term.definition.lower()) * 0.3, term) for score, term in scored]
    ranked = sorted(scored, key=lambda item: (-item[0], item[1].term))
    return [term for score, term in ranked[:limit] if score >= _LEAST_LIKENESS / 2]
