"""The annotated copy of a checked file: its sheets as they came, coloured where something was found.

What stood as text stands as text, also where it begins like a formula; numbers are numbers only where
the workbook shows the very same text again. Colours are those of the pages (tints of severities).
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fedbatch.mapping.tables import CellKind, column_letters
from fedbatch.node.exporting import safe_cell, shown_text
from fedbatch.sources.tabular import Grid
from fedbatch.standard.findings import Finding

__all__ = ["SheetToWrite", "can_hold", "render_findings", "render_workbook"]

ROWS_MAX = 1_048_576
COLUMNS_MAX = 16_384
TEXT_MAX = 32_767
# A comment costs more than a hundred cells; beyond these, cells are coloured and the list says why.
COMMENTS_MAX = 5_000
# Nobody scrolls further, and the rest is counted in its last row.
FINDINGS_MAX = 200_000
FINDINGS = "Findings"
COLUMNS = ("rule", "severity", "place", "column", "found", "expected", "advice", "effect")
_TINTS = {1: "F9E3E1", 2: "F6E9D6", 3: "EFE5F4"}
_EDGES = {1: "B3261E", 2: "985000", 3: "7A3E97"}
_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_PLACE = re.compile(
    r"(?:(?P<sheet>.+)!)?(?:R(?P<r>\d+)C(?P<c>\d+)|(?P<letters>[A-Z]{1,3})(?P<row>\d+))"
)
# Fifteen digits are what binary64 gives back; a leading nought or sign would be lost.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.(\d{1,10}))?")
_DIGITS_MAX = 15
Report = Callable[[int, int], None]
Cells = dict[tuple[int, int], list[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetToWrite:
    """A sheet's name and its cells as they came."""

    name: str
    grid: Grid


def can_hold(sheet: SheetToWrite) -> bool:
    """Whether a workbook has room for it."""
    widest = max(map(len, sheet.grid.rows), default=0)
    return len(sheet.grid.rows) <= ROWS_MAX and widest <= COLUMNS_MAX


def render_findings(findings: Sequence[Finding]) -> bytes:
    """The findings alone, as CSV that no spreadsheet takes for formulas."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([[safe_cell(value) for value in _row(item)] for item in findings])
    return out.getvalue().encode("utf-8-sig")


def _row(item: Finding) -> tuple[str | int, ...]:
    where = item.where
    return (
        item.rule,
        item.severity,
        where.locator,
        where.path,
        item.found,
        item.expected,
        item.advice,
        "" if item.effect == "none" else item.effect,
    )


def render_workbook(
    sheets: Sequence[SheetToWrite], findings: Sequence[Finding], report: Report
) -> bytes:
    """The copy: a list of findings, then each sheet with its cells coloured and commented.

    Raises:
        OSError: each sheet is made in a file of the folder for temporary ones, and that is full.
    """
    from openpyxl import Workbook  # noqa: PLC0415 - slow to load, and only for this format

    book = Workbook(write_only=True)
    try:
        _fill(book, sheets, findings, report)
        out = io.BytesIO()
        book.save(out)
    except OSError:
        _let_go(book)
        raise
    return out.getvalue()


def _let_go(book: Any) -> None:
    """End what writes the sheets: it fails once more, and would say so when nobody can catch it."""
    for sheet in book.worksheets:
        for writing in (getattr(sheet, "_rows", None), getattr(sheet, "_writer", None)):
            if writing is not None:
                with suppress(OSError, ValueError):
                    writing.close()


def _fill(
    book: Any, sheets: Sequence[SheetToWrite], findings: Sequence[Finding], report: Report
) -> None:
    names = _names(sheets)
    _Listing(book, names).write(findings)
    total = sum(len(item.grid.rows) for item in sheets)
    done = 0
    for item in sheets:
        marked = _marked(findings, item.grid)
        writer = _Annotated(book, names[item.grid.sheet], item.grid, marked)
        for _ in writer.write():
            done += 1
            if done % 1000 == 0:
                report(done, total)


def _names(sheets: Sequence[SheetToWrite]) -> dict[str, str]:
    """The copy's name of each sheet: as it was, as far as a workbook takes it, none twice."""
    names: dict[str, str] = {}
    for item in sheets:
        plain = _SHEET_NAME.sub("_", shown_text(item.name)).strip("'")[:31] or "Sheet"
        taken = {FINDINGS.lower(), *(name.lower() for name in names.values())}
        number, name = 2, plain
        while name.lower() in taken:
            name = f"{plain[:27]} {number}"
            number += 1
        names[item.grid.sheet] = name
    return names


# ---- where findings lie


def _marked(findings: Sequence[Finding], grid: Grid) -> Cells:
    """The findings of a sheet by cell (1-based row, 0-based column), the most severe first."""
    found: Cells = {}
    for item in findings:
        place = _stretch(item.where.locator)
        if place is None or place[0] != grid.sheet:
            continue
        _, (first_row, first_column), (last_row, last_column) = place
        for row in range(first_row, min(last_row, len(grid.rows)) + 1):
            for column in range(first_column, last_column + 1):
                found.setdefault((row, column), []).append(item)
    return found


def _stretch(locator: str) -> tuple[str, tuple[int, int], tuple[int, int]] | None:
    """Sheet, first and last cell of a locator; None where it is no cell."""
    first, _, last = (
        locator.rpartition(":") if _PLACE.fullmatch(locator) is None else (locator, "", "")
    )
    one = _PLACE.fullmatch(first)
    two = _PLACE.fullmatch(last) if last else one
    if one is None or two is None:
        return None
    return one["sheet"] or "", _cell_of(one), _cell_of(two)


def _cell_of(match: re.Match[str]) -> tuple[int, int]:
    if match["r"]:
        return int(match["r"]), int(match["c"]) - 1
    column = 0
    for letter in match["letters"]:
        column = column * 26 + ord(letter) - 64
    return int(match["row"]), column - 1


# ---- cells


class _Annotated:
    """One sheet on its way into the copy."""

    def __init__(self, book: Any, name: str, grid: Grid, marked: Cells) -> None:
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as in `render_workbook`
        from openpyxl.comments import Comment  # noqa: PLC0415 - as above
        from openpyxl.styles import Font, PatternFill  # noqa: PLC0415 - as above

        self.sheet = book.create_sheet(name)
        self.grid = grid
        self.marked = marked
        self.make, self.comment = WriteOnlyCell, Comment
        self.fills = {key: PatternFill("solid", fgColor=tint) for key, tint in _TINTS.items()}
        self.fonts = {key: Font(color=edge) for key, edge in _EDGES.items()}
        self.comments = 0
        self.columns: dict[int, list[int]] = {}
        for row, column in marked:
            self.columns.setdefault(row, []).append(column)

    def write(self) -> Iterator[int]:
        """Write row by row; yields each row's number."""
        kinds, formats = self.grid.kinds, self.grid.formats
        for number, texts in enumerate(self.grid.rows, 1):
            told = kinds[number - 1] if kinds is not None else None
            forms = formats[number - 1] if formats is not None else None
            cells = [
                self._cell(text, told[at] if told is not None else None, forms[at] if forms else "")
                for at, text in enumerate(texts)
            ]
            if number in self.columns:
                self._mark(number, cells)
            self.sheet.append(cells)
            yield number

    def _cell(self, text: str, kind: CellKind | None, form: str) -> Any:
        if not text:
            return None
        if kind == CellKind.DATE:
            return self._date(text, form)
        number = _NUMBER.fullmatch(text) if kind != CellKind.TEXT else None
        if kind == CellKind.NUMBER and number is None:
            return self._stored(text, form)
        if number is None or len(text.replace(".", "").lstrip("-0")) > _DIGITS_MAX or text == "-0":
            return self._text(text)
        decimals = number[1] or ""
        value = float(text) if decimals else int(text)
        if kind == CellKind.NUMBER and form not in {"", "General"}:
            return self._formed(value, form)
        # Without a format a spreadsheet would show 1.50 as 1.5.
        return self._formed(value, f"0.{'0' * len(decimals)}") if decimals.endswith("0") else value

    def _stored(self, text: str, form: str) -> Any:
        value = float(text)
        return self._formed(value, form) if form not in {"", "General"} else value

    def _formed(self, value: Any, form: str) -> Any:
        cell = self.make(self.sheet, value)
        cell.number_format = form
        return cell

    def _date(self, text: str, form: str) -> Any:
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            return self._text(text)
        return self._formed(value, form or "yyyy-mm-dd hh:mm:ss")

    def _text(self, text: str) -> Any:
        """A text as text, whatever it begins with."""
        shown = shown_text(text)[:TEXT_MAX]
        if shown[:1] not in {"=", "+", "-", "@", "\t", "\r"}:
            return shown
        cell = self.make(self.sheet, shown)
        cell.data_type = "s"
        cell.quotePrefix = True
        return cell

    def _mark(self, row: int, cells: list[Any]) -> None:
        for column in self.columns[row]:
            # A finding may lie beyond the row's last cell: it says that one is missing.
            cells += [None] * (column + 1 - len(cells))
            cells[column] = self._coloured(row, column, cells[column], self.marked[row, column])

    def _coloured(self, row: int, column: int, value: Any, found: list[Finding]) -> Any:
        cell = value if hasattr(value, "number_format") else self.make(self.sheet, value)
        worst = found[0].severity
        if worst in self.fills:
            cell.fill, cell.font = self.fills[worst], self.fonts[worst]
        begin = [item for item in found if _begins(item, row, column)]
        if begin and self.comments < COMMENTS_MAX:
            self.comments += 1
            text = "\n".join(map(_told, begin))
            cell.comment = self.comment(shown_text(text)[:TEXT_MAX], "fedbatch check", 160, 360)
        return cell


def _begins(item: Finding, row: int, column: int) -> bool:
    place = _stretch(item.where.locator)
    return place is not None and place[1] == (row, column)


def _told(item: Finding) -> str:
    return (
        f"{item.rule} (severity {item.severity}): expected {item.expected}. {item.advice}".strip()
    )


class _Listing:
    """The sheet of findings, each with a link to its cell."""

    def __init__(self, book: Any, names: dict[str, str]) -> None:
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as in `render_workbook`
        from openpyxl.styles import Font, PatternFill  # noqa: PLC0415 - as above
        from openpyxl.worksheet.hyperlink import Hyperlink  # noqa: PLC0415 - as above

        self.sheet = book.create_sheet(FINDINGS)
        self.link = Hyperlink
        self.sheet.freeze_panes = "A2"
        for letter, width in zip("ABCDEFGH", (20, 9, 22, 24, 40, 40, 60, 10), strict=True):
            self.sheet.column_dimensions[letter].width = width
        self.names = names
        self.make = WriteOnlyCell
        self.head = Font(bold=True)
        self.fills = {key: PatternFill("solid", fgColor=tint) for key, tint in _TINTS.items()}

    def write(self, findings: Sequence[Finding]) -> None:
        head = [self.make(self.sheet, name) for name in COLUMNS]
        for cell in head:
            cell.font = self.head
        self.sheet.append(head)
        for item in findings[:FINDINGS_MAX]:
            self.sheet.append(self._line(item))
        if len(findings) > FINDINGS_MAX:
            self.sheet.append([f"… and {len(findings) - FINDINGS_MAX:,} more"])

    def _line(self, item: Finding) -> list[Any]:
        cells: list[Any] = []
        for value in _row(item):
            cell = self.make(self.sheet, shown_text(value) if isinstance(value, str) else value)
            if isinstance(value, str):
                cell.data_type = "s"
                cell.quotePrefix = value.startswith(("=", "+", "-", "@"))
            if item.severity in self.fills:
                cell.fill = self.fills[item.severity]
            cells.append(cell)
        place = _stretch(item.where.locator)
        if place is not None and place[0] in self.names:
            row, column = place[1]
            target = f"'{self.names[place[0]]}'!{column_letters(column)}{row}"
            cells[2].hyperlink = self.link(ref="", location=target)
        return cells
