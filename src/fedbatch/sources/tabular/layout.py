"""Cuts a grid into header, group, unit and columns: as stated, else as the cells themselves show.

Nothing is guessed silently: whatever was not stated is listed in one finding, `table.layout`, and a
grid in which no row looks like a header is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind, Column, SameKind, Table
from fedbatch.sources.tabular.grid import Grid
from fedbatch.sources.tabular.heading import (
    filled,
    find_group,
    find_header,
    find_unit,
    group_texts,
    is_number,
)
from fedbatch.sources.tabular.rules import FINDINGS_PER_RULE_MAX, Log
from fedbatch.standard.mappings import TableLayout

__all__ = ["DETECT", "Layout", "cut"]

T = TypeVar("T")

FOOTER_COLUMNS_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things stand in a file; rows are 1-based. What is None is detected.

    With `first_data_row` right below `header_row` there is no unit row.
    `delimiter` and `encoding` are for text files, `sheet` for workbooks.
    """

    sheet: str | None = None
    header_row: int | None = None
    group_row: int | None = None
    unit_row: int | None = None
    first_data_row: int | None = None
    delimiter: str | None = None
    encoding: str | None = None


DETECT = Layout()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The rows of a layout after detection; None where there is no such row."""

    header_row: int
    group_row: int | None
    unit_row: int | None
    first_data_row: int


def cut(grid: Grid, layout: Layout, name: str) -> Table:
    """Cut a grid into a table.

    Raises:
        InputError: file.header (no row looks like a header), file.layout (a stated row is outside).
    """
    log = Log(name, grid.scheme)
    cuts = place_rows(grid, layout, name)
    log_layout(grid, layout, cuts, log)
    numbers = data_rows(grid, cuts, log)
    columns = build_columns(grid, cuts, numbers)
    if not numbers:
        log.add("table.no_rows", grid.locator(cuts.header_row, 0), found="none", expected="rows")
    log_headers(grid, cuts, columns, log)
    log_widths(grid, cuts, numbers, log)
    log_cells(grid, numbers, columns, log)
    return Table(
        sheet=grid.sheet,
        scheme=grid.scheme,
        extractor=grid.extractor,
        header_row=cuts.header_row,
        rows=numbers,
        columns=columns,
        layout=TableLayout(
            sheet=grid.sheet or None,
            header_row=cuts.header_row,
            group_row=cuts.group_row,
            unit_row=cuts.unit_row,
            first_data_row=cuts.first_data_row,
            delimiter=grid.delimiter,
            encoding=grid.encoding,
        ),
        hidden_rows=grid.hidden_rows.intersection(numbers),
        findings=(*grid.findings, *log.findings()),
        left_out=grid.left_out,
    )


# ---------------------------------------------------------------- which row is what


def place_rows(grid: Grid, layout: Layout, name: str) -> Cuts:
    for stated in (layout.header_row, layout.group_row, layout.unit_row):
        check_inside(grid, stated, name)
    header = layout.header_row or find_header(grid, name)
    group = layout.group_row or find_group(grid, header)
    unit = layout.unit_row or find_unit(grid, header, layout.first_data_row)
    first = layout.first_data_row or max(header, unit or 0) + 1
    if first <= header:
        raise InputError(
            "data below the header",
            where=name,
            found=f"header in row {header}, data from row {first}",
            code="file.layout",
        )
    return Cuts(header_row=header, group_row=group, unit_row=unit, first_data_row=first)


def check_inside(grid: Grid, row: int | None, name: str) -> None:
    if row is not None and not 0 < row <= len(grid.rows):
        raise InputError(
            f"a row between 1 and {len(grid.rows)}", where=name, found=str(row), code="file.layout"
        )


# ---------------------------------------------------------------- rows and columns


def data_rows(grid: Grid, cuts: Cuts, log: Log) -> list[int]:
    """The numbers of the rows of data: without blank rows, a footer and a row cut off."""
    first = cuts.first_data_row
    numbers = [
        row for row, cells in enumerate(grid.rows[first - 1 :], start=first) if has_value(cells)
    ]
    last = numbers[-1] if numbers else first - 1
    end = last if grid.scheme == "cell" else len(grid.rows)  # a sheet has no end to report
    log_blank_rows(grid.locator, range(first, end + 1), numbers, log)
    drop_longer_rows(grid, cuts, numbers, log)
    drop_footer(grid, cuts, numbers, log)
    drop_cut_row(grid, cuts, numbers, log)
    return numbers


def log_blank_rows(
    locator: Callable[[int, int], str], rows: range, numbers: Sequence[int], log: Log
) -> None:
    """As many as a person reads, and their number: a sheet can have a million of them."""
    if len(numbers) == len(rows):
        return
    present = set(numbers)
    blank = (row for row in rows if row not in present)
    for row in islice(blank, FINDINGS_PER_RULE_MAX):
        log.add("table.blank_row", locator(row, 0), found="a blank row", expected="values")
    log.counts["table.blank_row"] = len(rows) - len(numbers)


def has_value(cells: Sequence[str]) -> bool:
    return any(text and not text.isspace() for text in cells)


def drop_longer_rows(grid: Grid, cuts: Cuts, numbers: list[int], log: Log) -> None:
    """Hold back rows of a text with more values than there are headers.

    A decimal comma or a delimiter inside a text moves all that follows it by a column. Where most
    rows are longer the header is short, and what it leaves unnamed is a column without a header.
    """
    width = len(grid.rows[cuts.header_row - 1])
    if grid.scheme == "cell":
        return
    longer = [row for row in numbers if has_value(grid.rows[row - 1][width:])]
    if not longer or (len(numbers) > 1 and 2 * len(longer) > len(numbers)):
        return
    for row in longer:
        log.add(
            "table.ragged",
            grid.locator(row, width),
            found=f"{len(grid.rows[row - 1])} cells",
            expected=f"{width} cells",
            effect="held_back",
            advice="A comma inside a number or a text does this: quote it, or use another delimiter.",
        )
    dropped = set(longer)
    numbers[:] = [row for row in numbers if row not in dropped]


def drop_footer(grid: Grid, cuts: Cuts, numbers: list[int], log: Log) -> None:
    """A lone text below a blank row is a remark, not a row; it is held back, not lost."""
    while len(numbers) > 1 and numbers[-1] - numbers[-2] > 1:
        columns = filled(grid.rows[numbers[-1] - 1])
        width = len(filled(grid.rows[cuts.header_row - 1]))
        row = numbers[-1]
        is_lone = len(columns) == 1 and not is_number(grid, row, columns[0])
        if width < FOOTER_COLUMNS_LEAST or not is_lone:
            return
        numbers.pop()
        log.add(
            "table.trailing_text",
            grid.locator(row, columns[0]),
            found=grid.text(row, columns[0]),
            expected="a row of data",
            effect="held_back",
        )


def drop_cut_row(grid: Grid, cuts: Cuts, numbers: list[int], log: Log) -> None:
    """Hold back a last row that is not whole, and say so if it may not be."""
    if not numbers or numbers[-1] != len(grid.rows) or (grid.is_ended and not grid.is_cut):
        return
    row = numbers[-1]
    width, expected = len(grid.rows[row - 1]), len(grid.rows[cuts.header_row - 1])
    is_short = width < expected and (len(numbers) == 1 or width < len(grid.rows[row - 2]))
    if not grid.is_cut and not is_short:
        log.add(
            "file.unended_line",
            grid.locator(row, max(0, width - 1)),
            found="no line end",
            expected="a line end after the last row",
        )
        return
    numbers.pop()
    log.add(
        "file.truncated",
        grid.locator(row, max(0, width - 1)),
        found=f"{width} cells, then the end of the file",
        expected=f"{expected} cells and a line end",
        effect="held_back",
        advice="The file was probably cut short: export or copy it again.",
    )


def build_columns(grid: Grid, cuts: Cuts, numbers: Sequence[int]) -> tuple[Column, ...]:
    """Transpose rows to columns; a column with neither header nor value is left out."""
    headers = grid.rows[cuts.header_row - 1]
    width = max([len(headers), *(len(grid.rows[row - 1]) for row in numbers)])
    texts = transpose(grid.rows, numbers, width, "")
    kinds = transpose(grid.kinds, numbers, width, CellKind.BLANK) if grid.kinds else None
    formats = transpose(grid.formats, numbers, width, "") if grid.formats else None
    groups = group_texts(grid, cuts.group_row) if cuts.group_row else {}
    return tuple(
        Column(
            index=index,
            header=header_text(grid, cuts, index, groups),
            texts=texts[index],
            group=own_group(grid, cuts, index, groups),
            unit=grid.text(cuts.unit_row, index) if cuts.unit_row else "",
            kinds=(
                SameKind(CellKind.NUMBER, len(numbers))
                if index in grid.number_columns
                else telling(kinds[index])
                if kinds
                else None
            ),
            formats=formats[index] if formats else None,
            time_format=grid.time_formats.get(index, ""),
        )
        for index in range(width)
        if grid.text(cuts.header_row, index) or groups.get(index) or any(texts[index])
    )


def transpose(
    rows: Sequence[Sequence[T]], numbers: Sequence[int], width: int, blank: T
) -> list[Sequence[T]]:
    """One sequence a column. Short rows are filled up, in a copy of those rows only."""
    if not numbers:
        return [()] * width
    chosen = [rows[row - 1] for row in numbers]
    even = [
        cells if len(cells) == width else (*cells, *[blank] * (width - len(cells)))
        for cells in chosen
    ]
    return list(zip(*even, strict=True))


def telling(kinds: Sequence[CellKind]) -> Sequence[CellKind] | None:
    """The kinds of a column, or None where they only repeat what the texts show."""
    return None if set(kinds) <= {CellKind.TEXT, CellKind.BLANK} else kinds


def header_text(grid: Grid, cuts: Cuts, column: int, groups: dict[int, str]) -> str:
    """The header; where the group's cell reaches down into the header row, that is the header."""
    text = grid.text(cuts.header_row, column)
    return groups[column] if not text and reaches_down(grid, cuts, column) else text


def own_group(grid: Grid, cuts: Cuts, column: int, groups: dict[int, str]) -> str:
    return "" if reaches_down(grid, cuts, column) else groups.get(column, "")


def reaches_down(grid: Grid, cuts: Cuts, column: int) -> bool:
    return cuts.group_row is not None and any(
        span.first_row == cuts.group_row
        and span.last_row >= cuts.header_row
        and span.first_column <= column <= span.last_column
        for span in grid.merged
    )


# ---------------------------------------------------------------- findings


def log_layout(grid: Grid, layout: Layout, cuts: Cuts, log: Log) -> None:
    evidence = [grid.layout_evidence] if grid.layout_evidence else []
    pairs = (
        ("header", layout.header_row, cuts.header_row),
        ("group", layout.group_row, cuts.group_row),
        ("unit", layout.unit_row, cuts.unit_row),
    )
    evidence += [f"{what} row {row}" for what, stated, row in pairs if row and stated is None]
    if evidence:
        log.add(
            "table.layout",
            grid.locator(cuts.header_row, 0),
            found=", ".join(evidence),
            expected="a stated layout",
        )
    if not grid.are_errors_visible:
        log.add(
            "table.errors_invisible",
            grid.locator(cuts.header_row, 0),
            found="a legacy workbook",
            expected="error cells that can be told from blanks",
            advice="Save it as xlsx to be sure.",
        )


def log_headers(grid: Grid, cuts: Cuts, columns: Sequence[Column], log: Log) -> None:
    seen: set[tuple[str, str]] = set()
    for column in columns:
        where = grid.locator(cuts.header_row, column.index)
        pair = (column.group, column.header)
        if not column.header:
            log.add("table.blank_header", where, found="", expected="a header over the values")
        elif pair in seen:
            log.add("table.duplicate_header", where, found=column.header, expected="it once only")
        if column.header != " ".join(column.header.split()):
            log.add(
                "table.whitespace_header", where, found=column.header, expected="no outer spaces"
            )
        if column.index in grid.hidden_columns:
            log.add("table.hidden_column", where, found="a hidden column", expected="a shown one")
        seen.add(pair)


def log_cells(grid: Grid, numbers: Sequence[int], columns: Sequence[Column], log: Log) -> None:
    present = set(numbers)
    for row in sorted(grid.hidden_rows & present):
        log.add("table.hidden_row", grid.locator(row, 0), found="a hidden row", expected="shown")
    for span in grid.merged:
        if not present.isdisjoint(range(span.first_row, span.last_row + 1)):
            log.add(
                "table.merged_cell",
                grid.locator(span.first_row, span.first_column),
                found=f"merged to {grid.locator(span.last_row, span.last_column)}",
                expected="one cell",
            )
    for rule, expected, cells in (
        ("table.formula", "a value", grid.formulas),
        ("table.date_range", "a date of the calendar", grid.undated),
    ):
        for (row, column), found in cells.items():
            if row in present:
                log.add(rule, grid.locator(row, column), found=found, expected=expected)
    log_errors(grid, numbers, columns, log)


def log_widths(grid: Grid, cuts: Cuts, numbers: Sequence[int], log: Log) -> None:
    """Only text has ragged rows: a sheet's row simply ends at its last value."""
    if grid.scheme == "cell":
        return
    width = len(grid.rows[cuts.header_row - 1])
    for row in numbers:
        cells = len(grid.rows[row - 1])
        if cells != width:
            log.add(
                "table.ragged",
                grid.locator(row, cells - 1),
                found=f"{cells} cells",
                expected=f"{width} cells",
            )


def log_errors(grid: Grid, numbers: Sequence[int], columns: Sequence[Column], log: Log) -> None:
    for column in columns:
        for row, kind in zip(numbers, column.kinds or (), strict=False):
            if kind is CellKind.ERROR:
                where = grid.locator(row, column.index)
                log.add(
                    "table.error_cell",
                    where,
                    found=grid.text(row, column.index),
                    expected="a value",
                )
