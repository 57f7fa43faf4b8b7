"""Cuts a grid into header, group, unit and columns: as stated, else as the cells themselves show.

Nothing is guessed silently: whatever was not stated is listed in one finding, `table.layout`, and a
grid in which no row looks like a header is refused.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind, Column, SameKind, Table
from fedbatch.sources.tabular.grid import Grid, Span
from fedbatch.sources.tabular.rules import FINDINGS_PER_RULE_MAX, Log

__all__ = ["DETECT", "Layout", "cut"]

T = TypeVar("T")

LOOK_ROWS = 200
UNIT_LOOK_ROWS = 20
HEADER_FILL_LEAST = 0.5  # a header may name every second column only (x axis unnamed)
HEADER_TEXT_LEAST = 0.7
HEADER_DISTINCT_LEAST = 0.5
NAMES_DISTINCT_LEAST = 2 / 3
UNIT_ROWS_LEAST = 2  # one number below a text is a coincidence
UNIT_CHARACTERS_MAX = 30
NUMBER_CHARACTERS_MAX = 60
FOOTER_COLUMNS_LEAST = 3
NUMBER = re.compile(r"[+-]?[\d.,\s]*\d[\d.,\s]*(?:[eE][+-]?\d+)?\s*%?")
# What stands for a missing or censored value in a first row of data is no unit.
NO_UNIT = re.compile(r"(?:n\.?\s?[adt]\.?|n/a|nan|null|none|-+|[<>#].*)", re.IGNORECASE)


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


def filled(cells: Sequence[str]) -> list[int]:
    """The columns of a row that hold more than spaces."""
    return [column for column, text in enumerate(cells) if text and not text.isspace()]


def find_header(grid: Grid, name: str) -> int:
    """The first row whose cells are mostly filled, mostly texts and mostly distinct."""
    rows = [filled(cells) for cells in grid.rows[:LOOK_ROWS]]
    counts = Counter(len(columns) for columns in rows if columns)
    typical, _ = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    for row, columns in enumerate(rows, start=1):
        is_full = len(columns) >= max(min(2, typical), HEADER_FILL_LEAST * typical)
        if columns and is_full and looks_like_header(grid, row, columns):
            return row + 1 if is_group_above_header(grid, row, columns) else row
    raise InputError(
        "a header row",
        where=name,
        found=f"none in the first {min(LOOK_ROWS, len(grid.rows))} rows",
        advice="Name the header row.",
        code="file.header",
    )


def looks_like_header(grid: Grid, row: int, columns: Sequence[int]) -> bool:
    texts = [column for column in columns if not is_number(grid, row, column)]
    above = group_texts(grid, row - 1) if row > 1 else {}
    names = {(above.get(column, ""), grid.text(row, column)) for column in columns}
    return len(texts) >= HEADER_TEXT_LEAST * len(columns) and len(
        names
    ) >= HEADER_DISTINCT_LEAST * len(columns)


def is_group_above_header(grid: Grid, row: int, columns: Sequence[int]) -> bool:
    """Whether this row only groups the columns that the next one names.

    Merged cells show it; without them the next row must be fuller, and of names, not of units,
    which repeat.
    """
    below = filled(grid.rows[row]) if row < len(grid.rows) else []
    names = {grid.text(row + 1, column) for column in below}
    is_naming = len(below) > len(columns) and len(names) >= NAMES_DISTINCT_LEAST * len(below)
    return (is_naming or is_merged_along(grid, row)) and looks_like_header(grid, row + 1, below)


def is_number(grid: Grid, row: int, column: int) -> bool:
    kind = grid.kind(row, column)
    if kind is CellKind.TEXT:
        return reads_as_number(grid.text(row, column).strip())
    return kind is not CellKind.BLANK


def reads_as_number(text: str) -> bool:
    """Long texts are none, and would keep the pattern busy."""
    return len(text) <= NUMBER_CHARACTERS_MAX and NUMBER.fullmatch(text) is not None


def is_merged_along(grid: Grid, row: int) -> bool:
    return any(
        span.first_row == row and span.last_column > span.first_column for span in grid.merged
    )


def find_group(grid: Grid, header: int) -> int | None:
    """The row above the header, if cells are merged there or its texts are spread along it."""
    row = header - 1
    columns = filled(grid.rows[row - 1]) if row else []
    if not columns:
        return None
    if is_merged_along(grid, row):
        return row
    names = filled(grid.rows[header - 1])
    is_spread = len(columns) > 1 and columns[-1] >= len(grid.rows[header - 1]) / 2
    return row if is_spread and len(columns) <= len(names) else None


def find_unit(grid: Grid, header: int, first_data_row: int | None) -> int | None:
    """The row below the header, if it is all texts and most of them stand over numbers."""
    row = header + 1
    if row >= len(grid.rows) or (first_data_row is not None and first_data_row <= row):
        return None
    columns = filled(grid.rows[row - 1])
    if not columns or not all(is_unit(grid, row, column) for column in columns):
        return None
    over_numbers = [column for column in columns if stands_over_numbers(grid, row, column)]
    is_key_filled = columns[0] == 0 and 0 not in over_numbers
    return None if is_key_filled or 2 * len(over_numbers) < len(columns) else row


def is_unit(grid: Grid, row: int, column: int) -> bool:
    text = grid.text(row, column).strip()
    return (
        grid.kind(row, column) is CellKind.TEXT
        and len(text) <= UNIT_CHARACTERS_MAX
        and not reads_as_number(text)
        and not NO_UNIT.fullmatch(text)
    )


def stands_over_numbers(grid: Grid, row: int, column: int) -> bool:
    below = range(row + 1, min(len(grid.rows), row + UNIT_LOOK_ROWS) + 1)
    values = [other for other in below if grid.text(other, column).strip()]
    return len(values) >= UNIT_ROWS_LEAST and all(
        is_number(grid, other, column) for other in values
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


def group_texts(grid: Grid, row: int) -> dict[int, str]:
    """The group of each column: a merged cell's over its span, else a text's up to the next one."""
    columns = filled(grid.rows[row - 1])
    spans = [span for span in grid.merged if span.first_row <= row <= span.last_row]
    if spans:
        return merged_groups(grid, spans, columns, row)
    width = max(map(len, grid.rows[row - 1 : row + 1]))
    ends = [*columns[1:], width]
    return {
        column: grid.text(row, first)
        for first, end in zip(columns, ends, strict=False)
        for column in range(first, end)
    }


def merged_groups(
    grid: Grid, spans: Sequence[Span], columns: Sequence[int], row: int
) -> dict[int, str]:
    groups = {column: grid.text(row, column) for column in columns}
    width = max(map(len, grid.rows[row - 1 : row + 1]))
    for span in spans:
        text = grid.text(span.first_row, span.first_column)
        groups |= dict.fromkeys(range(span.first_column, min(span.last_column + 1, width)), text)
    return groups


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
