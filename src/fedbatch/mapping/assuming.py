"""What the texts of a table show by themselves, before any person has confirmed a mapping.

Of each column: is it numbers, times or texts; with which decimal mark; in which time format. Whatever
had to be assumed is said with the cell that shows it; what nothing shows is left open.
"""

import enum
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Literal

import numpy as np

from fedbatch.mapping.cells import SPREADSHEET_ERRORS
from fedbatch.mapping.counted_times import COUNTED
from fedbatch.mapping.instants import NO_TIME, Micros, read_at_once, read_instants
from fedbatch.mapping.numbers import NumberReader, Reading, is_not_finite
from fedbatch.mapping.suggest import unit_text, words_of
from fedbatch.mapping.tables import CellKind, Column, Table
from fedbatch.mapping.time_forms import MOSTLY, TimeForms, find_count, find_forms, is_time_name
from fedbatch.mapping.times import TimeProblem, TimeReader
from fedbatch.series.arrow import Texts, arrow, one_array
from fedbatch.series.blocks import Flags, Floats, Integers
from fedbatch.standard.values import DIGITS_MAX

__all__ = ["Assumption", "ColumnTexts", "Sort", "TableTexts", "is_either", "read_texts"]

# A column is of a kind if so much of what is filled is; what is not is what a person looks for.
_MOSTLY = 0.5
_NUMBERS_MIN = 3

# A number that only one mark explains: decimals other than three, a leading zero, or thousands.
_ONLY = {
    mark: re.compile(
        rf"[<>≤≥~=\s]*[+\-−]?(?:0{m}\d+|\d+{m}(?:\d{{1,2}}|\d{{4,}})|\d{{4,}}{m}\d+"
        rf"|\d{{1,3}}(?:{other}\d{{3}})+{m}\d+)(?:[eE][+-]?\d+)?\s*%?"
    )
    for mark, m, other in ((".", r"\.", ","), (",", ",", r"\."))
}
_EITHER = re.compile(r"[+\-−]?[1-9]\d{0,2}[.,]\d{3}")
_GROUPED = {
    ".": re.compile(r"[+\-−]?\d{1,3}(?:,\d{3})+\.\d+|[+\-−]?\d{1,3}(?:,\d{3}){2,}"),
    ",": re.compile(r"[+\-−]?\d{1,3}(?:\.\d{3})+,\d+|[+\-−]?\d{1,3}(?:\.\d{3}){2,}"),
}
_DIGITS_AND_MARKS = re.compile(r"[<>≤≥~=\s]*[+\-−]?[\d.,'’\s]*\d[\d.,'’\s]*(?:[eE][+-]?\d*)?\s*%?")
# Written as a number, yet beyond what a measurement can be: a number of its column all the same.
_BEYOND = re.compile(r"[+\-−]?\d*(?:[.,]\d+(?:[eE][+-]?\d+)?|\d[eE][+-]?\d+)")
_THREES = re.compile(r"[+\-−]?\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3}){2,}")
_MONTHS = "jan|feb|mar|mär|apr|may|mai|maj|jun|jul|aug|avg|sep|oct|okt|nov|dec|dez"
_DATED = re.compile(
    rf"\d{{1,2}}[-. /]{{0,2}}(?:{_MONTHS})[a-zä]*\.?(?:[-. /]?\d{{2,4}})?|(?:{_MONTHS})[a-zä]*[-. /]\d{{1,4}}"
    r"|\d{1,2}([./-])\d{1,2}\1\d{2,4}|\d{4}-\d\d-\d\d.*",
    re.IGNORECASE,
)
_YEAR_LAST = re.compile(r"%m[./]%y")
_LETTERED = re.compile(r"[+\-−]?[\dOolI]*[.,]?[\dOolI]*")
# Texts that usually stand for no value; a mapping says for which (`absent_texts`).
ABSENT = frozenset(
    {"", "-", "--", "---", "n/a", "na", "n.a.", "nan", "null", "none", "n/d", "nd", "n.d.", "n.t."}
    | {"nt", "not tested", "not detected", "n.b.", "nil", "missing", "bad", "?", "*"}
)


class Sort(enum.IntEnum):
    """What one text is, in the light of its column."""

    BLANK = 0
    NUMBER = 1
    ERROR = 2
    ABSENT = 3
    DAMAGED = 4
    TEXT = 5


_NOTHING = frozenset({Sort.BLANK, Sort.ABSENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """What was taken for granted, of what, and the evidence; `place` is the cell that shows it."""

    about: str
    assumed: str
    evidence: str


@dataclass(slots=True, kw_only=True, eq=False)
class ColumnTexts:
    """A column with its distinct texts read once.

    `codes[i]` is the place in `texts` of row i's text (trimmed). `sorts` and `readings` are by
    distinct text; `why` says what would have been right of those that are damaged. `times` are
    instants (µs) by row, NO_TIME where there is none, with the reasons by row in `untimed`. Where
    nothing shows the order of day and month, `forms` are those of all `orders`, `in_doubt` are the rows
    that read both ways, and these have `times` only where the steps between them are the same either way.
    """

    column: Column
    codes: Integers
    texts: list[str]
    is_stored: list[bool]
    kind: Literal["number", "time", "text", "blank"] = "text"
    sorts: list[Sort] = field(default_factory=list)
    readings: list[Reading | None] = field(default_factory=list)
    why: dict[int, str] = field(default_factory=dict)
    mark: str = ""
    votes: dict[str, int] = field(default_factory=dict)
    forms: tuple[str, ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()
    telling: int = -1
    times: Integers | None = None
    in_doubt: Flags | None = None
    untimed: dict[int, TimeProblem] = field(default_factory=dict)

    @property
    def row_sorts(self) -> Integers:
        """The sort of each row's text."""
        return np.array(self.sorts, dtype=np.int64)[self.codes]

    @property
    def numbers(self) -> Floats:
        """Each row's number; NaN where there is none."""
        numbers = [float(item.number) if item is not None else np.nan for item in self.readings]
        return np.array(numbers, dtype=np.float64)[self.codes]

    @property
    def is_named_for_times(self) -> bool:
        """Whether the header says that these are times."""
        return is_time_name(words_of(self.column.header))

    def first_row(self, place: int) -> int:
        """The first row that holds a distinct text."""
        return int(np.argmax(self.codes == place))


@dataclass(slots=True, kw_only=True, eq=False)
class TableTexts:
    """All columns of a table, the file's decimal mark ("" if nothing shows it), what was assumed."""

    table: Table
    columns: list[ColumnTexts]
    mark: str
    assumed: list[Assumption]

    def of_kind(self, kind: str) -> Iterator[ColumnTexts]:
        """The columns of a kind."""
        return (item for item in self.columns if item.kind == kind)


def read_texts(table: Table, zone: tzinfo | None = None, zone_name: str = "") -> TableTexts:
    """Read every column for what its texts show.

    Args:
        table: as it was read.
        zone: of its times, if it is known; without it local times stay unplaced, as if in UTC.
        zone_name: what findings call it.
    """
    columns = [_distinct(column) for column in table.columns]
    for item in columns:
        item.votes = {mark: _votes(item, mark) for mark in _ONLY}
    mark = _file_mark(columns)
    found = TableTexts(table=table, columns=columns, mark=mark, assumed=[])
    for item in columns:
        _read_numbers(item, mark)
        if item.kind == "text" or (item.kind == "number" and _may_be_times(item)):
            reader = TimeReader(
                formats=(),
                zone=zone or UTC,
                zone_name=zone_name or "UTC",
                zone_basis="stated" if zone is not None else "assumed",
            )
            _read_times(item, reader)
    found.assumed += _assumptions(found)
    return found


def _distinct(column: Column) -> ColumnTexts:
    kinds = column.kinds
    stored = [kind == CellKind.NUMBER for kind in kinds] if kinds is not None else None
    places: dict[tuple[str, bool], int] = {}
    if stored is None:
        encoded = one_array(arrow.array(column.texts, arrow.string())).dictionary_encode()
        raw = encoded.dictionary.to_pylist()
        trimmed = [places.setdefault((text.strip(), False), len(places)) for text in raw]
        lookup = np.array(trimmed or [0], dtype=np.int64)
        codes = lookup[np.asarray(encoded.indices, dtype=np.int64)]
    else:
        codes = np.array(
            [
                places.setdefault((text.strip(), flag), len(places))
                for text, flag in zip(column.texts, stored, strict=True)
            ],
            dtype=np.int64,
        )
    return ColumnTexts(
        column=column,
        codes=codes,
        texts=[text for text, _ in places],
        is_stored=[flag for _, flag in places],
    )


# ---- decimal marks


def _votes(item: ColumnTexts, mark: str) -> int:
    """How many distinct texts are numbers that this mark alone explains."""
    pattern = _ONLY[mark]
    texts = zip(item.texts, item.is_stored, strict=True)
    return sum(1 for text, stored in texts if not stored and pattern.fullmatch(text))


def _file_mark(columns: Sequence[ColumnTexts]) -> str:
    """The mark that more columns show; "" where none does or as many show the other."""
    shown = Counter(
        max(item.votes, key=lambda mark: item.votes[mark])
        for item in columns
        if any(item.votes.values()) and _is_numeric(item)
    )
    ranked = shown.most_common()
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return ""
    return ranked[0][0]


def _is_numeric(item: ColumnTexts) -> bool:
    filled = [text for text in item.texts if text and text.lower() not in ABSENT]
    like = sum(1 for text in filled if _DIGITS_AND_MARKS.fullmatch(text))
    return like >= _MOSTLY * len(filled)


def _own_mark(item: ColumnTexts, mark: str) -> str:
    """The column's own mark where it shows one, else the file's."""
    most = max(item.votes, key=lambda name: item.votes[name])
    return most if item.votes[most] else mark


# ---- numbers


def _read_numbers(item: ColumnTexts, file_mark: str) -> None:
    item.mark = _own_mark(item, file_mark)
    mark = item.mark or "."
    other = "," if mark == "." else "."
    is_grouped = any(_GROUPED[mark].fullmatch(text) for text in item.texts)
    reader = NumberReader(decimal_mark=mark, grouping_mark=other if is_grouped else "")
    plain = NumberReader(decimal_mark=".")
    item.readings = [
        None if not text else (plain if stored else reader).read(text)
        for text, stored in zip(item.texts, item.is_stored, strict=True)
    ]
    item.sorts = [
        _sort(text, reading) for text, reading in zip(item.texts, item.readings, strict=True)
    ]
    _mend_stored(item)
    if _is_of_numbers(item):
        item.kind = "number"
        _find_damage(item, mark)
    elif all(sort == Sort.BLANK for sort in item.sorts):
        item.kind = "blank"


def _sort(text: str, reading: Reading | None) -> Sort:
    if not text:
        return Sort.BLANK
    if reading is not None:
        return Sort.NUMBER
    if text in SPREADSHEET_ERRORS:
        return Sort.ERROR
    if text.lower() in ABSENT or is_not_finite(text):
        return Sort.ABSENT
    return Sort.TEXT


def _mend_stored(item: ColumnTexts) -> None:
    """A workbook says of a cell that it is an error whatever it shows."""
    if item.column.kinds is None:
        return
    for row, kind in enumerate(item.column.kinds):
        if kind == CellKind.ERROR:
            item.sorts[int(item.codes[row])] = Sort.ERROR


def _is_of_numbers(item: ColumnTexts) -> bool:
    rows = np.bincount(item.codes, minlength=len(item.texts))
    sorts = np.array(item.sorts, dtype=np.int64)
    has_number = bool(np.any(sorts == Sort.NUMBER))
    like = [
        _is_like_number(text, sort, has_number=has_number)
        for sort, text in zip(item.sorts, item.texts, strict=True)
    ]
    numeric = np.array(like, dtype=np.bool_)
    filled = int(rows[numeric | (sorts == Sort.TEXT)].sum()) if like else 0
    numbers = int(rows[numeric].sum()) if like else 0
    is_dated = _dates(item) >= MOSTLY * max(1, filled)
    return (
        numbers >= min(_NUMBERS_MIN, max(1, filled)) and numbers > _MOSTLY * filled and not is_dated
    )


def _is_like_number(text: str, sort: Sort, *, has_number: bool) -> bool:
    """Whether a text speaks for a column of numbers; infinities and far too large ones beside others."""
    if sort == Sort.NUMBER:
        return True
    if sort == Sort.ABSENT:
        return has_number and is_not_finite(text) and "nan" not in text.lower()
    is_number = (has_number and _is_beyond(text)) or _THREES.fullmatch(text) is not None
    return sort == Sort.TEXT and is_number


def _is_beyond(text: str) -> bool:
    """Whether a text is a number with more digits, or a larger exponent, than is ever read."""
    if _BEYOND.fullmatch(text) is None:
        return False
    return "e" in text.lower() or sum(map(str.isdigit, text)) > DIGITS_MAX


def _dates(item: ColumnTexts) -> int:
    return sum(1 for kind in item.column.kinds or () if kind == CellKind.DATE)


def _find_damage(item: ColumnTexts, mark: str) -> None:
    """Texts among numbers that were numbers once: what would have been right of each."""
    name = "point" if mark == "." else "comma"
    dated = {
        int(item.codes[row])
        for row, kind in enumerate(item.column.kinds or ())
        if kind == CellKind.DATE
    }
    for place, text in enumerate(item.texts):
        if place in dated or (item.sorts[place] == Sort.TEXT and _DATED.fullmatch(text)):
            why = "a number; a spreadsheet may have made a date of it"
        elif item.sorts[place] != Sort.TEXT:
            continue
        elif _is_beyond(text):
            why = f"a number that can be measured, of at most {DIGITS_MAX} digits"
        elif _DIGITS_AND_MARKS.fullmatch(text):
            why = f"a number with a decimal {name}"
        elif any(letter.isdigit() for letter in text) and _LETTERED.fullmatch(text):
            why = "a number; a letter stands for a digit"
        else:
            continue
        item.sorts[place], item.readings[place] = Sort.DAMAGED, None
        item.why[place] = why


# ---- times


def _may_be_times(item: ColumnTexts) -> bool:
    """Whether numbers may be times: under such a name, or as `31 Aug 2026` seems to be 31 of a unit."""
    united = sum(1 for one in item.readings if one is not None and one.unit_text)
    return item.is_named_for_times or united >= MOSTLY * len(item.readings)


def _read_times(item: ColumnTexts, reader: TimeReader) -> None:
    """Take a column for times if most of its texts are, under one format or two that agree."""
    forms = _time_forms(item)
    if forms is None:
        return
    texts = one_array(arrow.array(item.texts, arrow.string()))
    own = TimeReader(
        formats=forms.formats,
        zone=reader.zone,
        zone_name=reader.zone_name,
        zone_basis=reader.zone_basis,
    )
    doubt: Flags = np.zeros(len(item.texts), dtype=np.bool_)
    if forms.is_open:
        times, doubt = _both_ways(texts, forms, own.zone)
        problems = {
            at: told
            for at in np.flatnonzero((times == NO_TIME) & ~doubt).tolist()
            if isinstance(told := own.read(item.texts[at]), TimeProblem)
        }
    else:
        times, problems = read_instants(texts, own)
    filled = [at for at, sort in enumerate(item.sorts) if sort not in _NOTHING]
    if int(((times != NO_TIME) | doubt)[filled].sum()) < MOSTLY * len(filled):
        return
    item.kind, item.forms, item.orders = "time", forms.formats, forms.orders
    item.telling, item.times = forms.telling, times[item.codes]
    item.in_doubt = doubt[item.codes] if forms.is_open else None
    if problems:
        item.untimed = {
            row: problems[place]
            for row, place in enumerate(item.codes.tolist())
            if place in problems and item.texts[place]
        }


def _time_forms(item: ColumnTexts) -> TimeForms | None:
    dates = _dates(item)
    if dates and dates > MOSTLY * max(1, _filled(item)):
        return _stored_forms(item)
    places = [at for at, sort in enumerate(item.sorts) if sort not in _NOTHING]
    texts = [item.texts[at] for at in places]
    found = find_forms(texts, is_named=item.is_named_for_times)
    if found is not None and found.telling >= 0:
        return replace(found, telling=places[found.telling])
    if found is None and item.kind == "number":
        words = words_of(item.column.header)
        count = find_count(item.numbers, words, unit_text(item.column))
        return TimeForms(orders=((count,),)) if count else None
    return found


def _both_ways(texts: Texts, forms: TimeForms, zone: tzinfo) -> tuple[Micros, Flags]:
    """Times of which nothing shows the order of day and month, and which of them read both ways.

    Where the readings of all lie equally far apart, the steps between them are the same whichever is
    meant: then the first reading serves for steps.
    """
    sure = read_at_once(texts, forms.formats, zone)
    first, *others = (read_at_once(texts, order, zone) for order in forms.orders)
    doubt: Flags = np.asarray((sure == NO_TIME) & (first != NO_TIME), dtype=np.bool_)
    are_even = all(
        bool(np.all(doubt <= (other != NO_TIME)))
        and np.unique(other[first != NO_TIME] - first[first != NO_TIME]).size == 1
        for other in others
    )
    return (np.where(doubt, first, sure) if are_even else sure), doubt


def _filled(item: ColumnTexts) -> int:
    return sum(1 for text in item.column.texts if text.strip())


def _stored_forms(item: ColumnTexts) -> TimeForms | None:
    """A workbook's dates come in ISO 8601: with or without time, with or without fraction."""
    forms = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S.%f")
    texts = one_array(arrow.array(item.texts, arrow.string()))
    shown = tuple(form for form in forms if np.any(read_at_once(texts, (form,), UTC) != NO_TIME))
    return TimeForms(orders=(shown,)) if shown else None


# ---- what was assumed


def _assumptions(found: TableTexts) -> Iterator[Assumption]:
    yield from _about_mark(found)
    for item in found.of_kind("time"):
        yield from _about_times(found.table, item)


def _about_mark(found: TableTexts) -> Iterator[Assumption]:
    if found.mark:
        shows = [item for item in found.of_kind("number") if item.votes[found.mark]]
        item = max(shows, key=lambda one: one.votes[found.mark], default=None)
        if item is None:
            return
        place, text = _example(found.table, item, _ONLY[found.mark])
        name = "decimal point" if found.mark == "." else "decimal comma"
        yield Assumption(
            about="numbers",
            assumed=name,
            evidence=f"numbers in {len(shows)} of the columns no other mark explains, as {text!r} at {place}",
        )
    for item in found.of_kind("number"):
        other = "," if item.mark == "." else "."
        if item.mark and any(_GROUPED[item.mark].fullmatch(text) for text in item.texts):
            place, text = _example(found.table, item, _GROUPED[item.mark])
            yield Assumption(
                about=item.column.header,
                assumed=f"{other!r} between thousands",
                evidence=f"{text!r} at {place}",
            )


def _about_times(table: Table, item: ColumnTexts) -> Iterator[Assumption]:
    """The format of a column, and the cell that shows it; of what nothing shows there is a finding."""
    if len(item.orders) > 1:
        return
    row = int(np.argmax(item.times != NO_TIME)) if item.times is not None else 0
    if item.telling >= 0:
        row = item.first_row(item.telling)
    text = item.texts[int(item.codes[row])]
    shown = f"{text!r} at {table.locator(table.rows[row], item.column.index)}"
    evidence = f"{shown} and all like it fit no other format tried"
    if item.telling >= 0:
        evidence = f"{shown} fits no other order of day and month"
    elif item.forms[0] in COUNTED:
        meaning = COUNTED[item.forms[0]].meaning
        evidence = f"{shown}: {meaning}; the header names a time, and the numbers rise"
    elif _YEAR_LAST.search(item.forms[0]):
        evidence += ", the year taken to stand last"
    yield Assumption(about=item.column.header, assumed=" or ".join(item.forms), evidence=evidence)


def _example(table: Table, item: ColumnTexts, pattern: re.Pattern[str]) -> tuple[str, str]:
    """A cell whose text shows it, and the text."""
    places: Iterable[int] = (
        place
        for place, text in enumerate(item.texts)
        if not item.is_stored[place] and pattern.fullmatch(text)
    )
    place = next(iter(places))
    return table.locator(table.rows[item.first_row(place)], item.column.index), item.texts[place]


def is_either(text: str) -> bool:
    """Whether a number reads as decimals or as thousands, as 1.234 does."""
    return _EITHER.fullmatch(text) is not None
