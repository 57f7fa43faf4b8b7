"""Which rows of a grid are its headers, their groups and their units, as far as the cells show it."""

import re
from collections import Counter
from collections.abc import Sequence

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind
from fedbatch.sources.tabular.grid import Grid, Span

__all__ = ["filled", "find_group", "find_header", "find_unit", "group_texts", "is_number"]

LOOK_ROWS = 200
UNIT_LOOK_ROWS = 20
HEADER_FILL_LEAST = 0.5  # a header may name every second column only (x axis unnamed)
HEADER_TEXT_LEAST = 0.7
HEADER_DISTINCT_LEAST = 0.5
NAMES_DISTINCT_LEAST = 2 / 3
UNIT_ROWS_LEAST = 2  # one number below a text is a coincidence
UNIT_CHARACTERS_MAX = 30
NUMBER_CHARACTERS_MAX = 60
NUMBER = re.compile(r"[+-]?[\d.,\s]*\d[\d.,\s]*(?:[eE][+-]?\d+)?\s*%?")
# What stands for a missing or censored value in a first row of data is no unit.
NO_UNIT = re.compile(r"(?:n\.?\s?[adt]\.?|n/a|nan|null|none|-+|[<>#].*)", re.IGNORECASE)


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
