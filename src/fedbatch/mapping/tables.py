"""What a tabular source yields: columns of verbatim texts, each cell with its place.

Columns, not cells, are the unit of work: a file of a thousand rows is fifty lists, and whatever is
equal along a column (unit, quantity, place) is worked out once.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, overload

from typing_extensions import override

from fedbatch.series.blocks import Column as NumberColumn
from fedbatch.standard.findings import Finding
from fedbatch.standard.mappings import TableLayout

__all__ = [
    "CellKind",
    "Column",
    "LeftOut",
    "SameKind",
    "Scheme",
    "SourceFile",
    "Table",
    "choose_rows",
    "column_letters",
]

Scheme = Literal["cell", "row_column"]


class CellKind(enum.IntEnum):
    """What the source itself says a cell is. Text files say TEXT of everything but blanks."""

    BLANK = 0
    TEXT = 1
    NUMBER = 2
    DATE = 3
    BOOLEAN = 4
    ERROR = 5
    FORMULA = 6


class SameKind(Sequence[CellKind]):
    """That all cells of a column are of one kind, without a word for each."""

    def __init__(self, kind: CellKind, count: int) -> None:
        self.kind, self._count = kind, count

    @override
    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> CellKind: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CellKind]: ...
    @override
    def __getitem__(self, index: int | slice) -> CellKind | Sequence[CellKind]:
        if isinstance(index, slice):
            return SameKind(self.kind, len(range(*index.indices(self._count))))
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as it came: its name, its length, its SHA-256 in hex."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table, one text a data row.

    `texts[i]` is verbatim (a workbook's number: the shortest decimal that reads back to the same
    binary64, STANDARD S7), "" for a blank cell. `kinds` is None where every cell is TEXT or, being
    "", BLANK; else one CellKind a row (of a column of numbers, NUMBER for its blank cells too). A NUMBER
    has a decimal point, whatever mark a mapping names for texts. `formats` holds a workbook's display
    format a row; it is kept and is no evidence of digits. `group` and `unit` are the texts of a group
    row and a unit row.
    `numbers` is what `read_decimals` reads in the texts, where a source that holds numbers can tell
    without them. `time_format` is the format of the texts where the source itself says that they are
    times; a mapping's format is for texts of which no source says so.
    """

    index: int
    header: str
    texts: Sequence[str]
    group: str = ""
    unit: str = ""
    kinds: Sequence[CellKind] | None = None
    formats: Sequence[str] | None = None
    numbers: NumberColumn | None = None
    time_format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A column of a file that has no texts, and its type as the file says it."""

    header: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A sheet or a text file, cut into header and columns.

    `rows[i]` is the 1-based row number in the source of data row i, so that a locator survives blank
    rows above it. `layout` says where everything stands, as stated or as found. `left_out` are the
    columns of the file that are none of the table, as they have no texts.
    """

    sheet: str
    scheme: Scheme
    extractor: str
    header_row: int
    rows: Sequence[int]
    columns: tuple[Column, ...]
    layout: TableLayout = field(default_factory=TableLayout)
    hidden_rows: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = ()

    def locator(self, row: int, column: int) -> str:
        """The place of a cell: `Sheet!B7`, or `R7C2` where there are no sheets.

        Args:
            row: 1-based row number in the source.
            column: 0-based column index in the source.
        """
        if self.scheme == "cell":
            return f"{self.sheet}!{column_letters(column)}{row}"
        return f"R{row}C{column + 1}"


def choose_rows(table: Table, places: Sequence[int]) -> Table:
    """The table with some of its data rows, each still under its number in the source."""
    columns = tuple(
        Column(
            index=column.index,
            header=column.header,
            texts=[column.texts[at] for at in places],
            group=column.group,
            unit=column.unit,
            kinds=[column.kinds[at] for at in places] if column.kinds is not None else None,
            formats=[column.formats[at] for at in places] if column.formats is not None else None,
            time_format=column.time_format,
        )
        for column in table.columns
    )
    return replace(table, rows=[table.rows[at] for at in places], columns=columns)


def column_letters(index: int) -> str:
    """Spreadsheet letters of a 0-based column index: 0 → A, 26 → AA."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
