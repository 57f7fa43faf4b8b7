"""What a reader hands to the layout: rows of verbatim texts, and what the file says about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedbatch.mapping.tables import CellKind, LeftOut, Scheme, column_letters
from fedbatch.standard.findings import Finding

__all__ = ["Grid", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """Merged cells: 1-based rows and 0-based columns, ends included."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A text file or a sheet before it is cut into header and columns.

    `rows[i]` holds the texts of source row i + 1, each row as long as it came; `kinds` and
    `formats` have the same shape. Keys of `formulas`, `undated`: (1-based row, 0-based column).
    `layout_evidence` says what the reader had to detect; `delimiter` and `encoding` are a text's.
    `is_cut` is true of a file that breaks off inside a quoted cell or a character, `is_ended` if its
    last line has a line end. `time_formats`: by 0-based column the format of its texts where the file
    says that they are times. `number_columns`: those that the file says hold numbers alone.
    `left_out`, `findings`: columns that have no texts, and what else the reader found.
    """

    rows: Sequence[Sequence[str]]
    scheme: Scheme
    extractor: str
    sheet: str = ""
    kinds: Sequence[Sequence[CellKind]] | None = None
    formats: Sequence[Sequence[str]] | None = None
    formulas: Mapping[tuple[int, int], str] = field(default_factory=dict)
    undated: Mapping[tuple[int, int], str] = field(default_factory=dict)
    merged: tuple[Span, ...] = ()
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    layout_evidence: str = ""
    delimiter: str | None = None
    encoding: str | None = None
    is_cut: bool = False
    is_ended: bool = True
    are_errors_visible: bool = True
    time_formats: Mapping[int, str] = field(default_factory=dict)
    number_columns: frozenset[int] = frozenset()
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()

    def locator(self, row: int, column: int) -> str:
        """The place of a cell, spelt as `Table.locator` spells it."""
        if self.scheme == "cell":
            return f"{self.sheet}!{column_letters(column)}{row}"
        return f"R{row}C{column + 1}"

    def text(self, row: int, column: int) -> str:
        """The text at 1-based row and 0-based column, "" where the row is shorter or absent."""
        if not 0 < row <= len(self.rows):
            return ""
        cells = self.rows[row - 1]
        return cells[column] if column < len(cells) else ""

    def kind(self, row: int, column: int) -> CellKind:
        """What the source says the cell is."""
        text = self.text(row, column)
        if self.kinds is None or not text:
            return CellKind.TEXT if text else CellKind.BLANK
        return self.kinds[row - 1][column]
