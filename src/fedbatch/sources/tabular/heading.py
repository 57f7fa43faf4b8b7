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
REMARK = "#"
# Units by their symbols, alone or composed; what is none says more than a letter of a code would.
UNIT_PART = (
    r"(?:°C|°F|degC|°|K|%|‰|ppm|ppb|rpm|pH|NTU|FNU|FTU|m?AU|OD|CV|"
    r"(?:10\^\d+ |[kMGTdcmuµμnp])?(?:g|m|L|l|bar|Pa|N|A|V|W|J|Hz|mol|M|S|s|Da|U|IU|eq|Osm|osmol)|"
    r"h|min|d|wk|psi|kp|tablets|tabs|cells|rev|slpm|sccm|lpm|vvm|count|counts|1)"
    r"(?:\^?-?[1-4]|[²³⁻¹]+)?"
)
UNIT_TEXT = rf"{UNIT_PART}(?:\s?[/·.* ]\s?\(?{UNIT_PART}\)?)*"
SYMBOL = re.compile(rf"(?!1$)(?:{UNIT_TEXT}|\[(?!1?\]){UNIT_TEXT}\]|\((?!1?\)){UNIT_TEXT}\))")
# What stands among units in a column that has none.
NO_SYMBOL = re.compile(
    r"[-–—/]*|1|\[[^\[\]]*\]|\([^()]*\)|n\.?/?a\.?|none|no unit|text", re.IGNORECASE
)
# What stands for a missing or censored value in a first row of data is no unit.
NO_UNIT = re.compile(r"(?:n\.?\s?[adt]\.?|n/a|nan|null|none|-+|[<>#].*)", re.IGNORECASE)


def filled(cells: Sequence[str]) -> list[int]:
    """The columns of a row that hold more than spaces."""
    return [column for column, text in enumerate(cells) if text and not text.isspace()]


def find_header(grid: Grid, name: str) -> int:
    """The first row whose cells are mostly filled, mostly texts and mostly distinct."""
    rows = [filled(cells) for cells in grid.rows[:LOOK_ROWS]]
    remarks = remark_rows(grid)
    table = [columns for row, columns in enumerate(rows, start=1) if columns and row not in remarks]
    counts = Counter(map(len, table))
    typical, _ = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    marked = find_marked_header(grid, remarks, typical)
    if marked is not None:
        return marked
    for row, columns in enumerate(rows, start=1):
        is_full = len(columns) >= max(min(2, typical), HEADER_FILL_LEAST * typical)
        if row in remarks or not columns or not is_full:
            continue
        if looks_like_header(grid, row, columns):
            return row + 1 if is_group_above_header(grid, row, columns) else row
    raise InputError(
        "a header row",
        where=name,
        found=f"none in the first {min(LOOK_ROWS, len(grid.rows))} rows",
        advice="Name the header row.",
        code="file.header",
    )


def remark_rows(grid: Grid) -> frozenset[int]:
    """The rows above a table that begin with `#`: remarks, as far as a row without one follows them."""
    remarks: list[int] = []
    for row, cells in enumerate(grid.rows[:LOOK_ROWS], start=1):
        columns = filled(cells)
        if columns and not cells[columns[0]].lstrip().startswith(REMARK):
            return frozenset(remarks)
        if columns:
            remarks.append(row)
    return frozenset()


def find_marked_header(grid: Grid, remarks: frozenset[int], typical: int) -> int | None:
    """The last remark, where it names the columns: what follows it is a row of units, or of data."""
    last = max(remarks, default=0)
    columns = filled(grid.rows[last - 1]) if last else []
    if len(columns) < max(2, typical) or not looks_like_header(grid, last, columns):
        return None
    below = filled(grid.rows[last]) if last < len(grid.rows) else []
    is_named_below = bool(below) and looks_like_header(grid, last + 1, below)
    return last if not is_named_below or find_unit(grid, last, None) is not None else None


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
    if not columns or grid.text(row, columns[0]).lstrip().startswith(REMARK):
        return None
    if is_merged_along(grid, row):
        return row
    names = filled(grid.rows[header - 1])
    is_spread = len(columns) > 1 and columns[-1] >= len(grid.rows[header - 1]) / 2
    return row if is_spread and len(columns) <= len(names) else None


def find_unit(grid: Grid, header: int, first_data_row: int | None) -> int | None:
    """The row below the header, if it is all texts and most of them stand over numbers.

    A row that holds units by their very symbols, and nothing that could be data, is one whatever stands
    in its first column, or in columns without a unit.
    """
    row = header + 1
    if row >= len(grid.rows) or (first_data_row is not None and first_data_row <= row):
        return None
    columns = filled(grid.rows[row - 1])
    if not columns:
        return None
    over_numbers = [column for column in columns if stands_over_numbers(grid, row, column)]
    if all(is_unit(grid, row, column) for column in columns):
        is_key_filled = columns[0] == 0 and 0 not in over_numbers
        if not is_key_filled and 2 * len(over_numbers) >= len(columns):
            return row
    symbols = [column for column in over_numbers if is_symbol(grid, row, column)]
    rest = [column for column in columns if column not in symbols]
    return row if symbols and all(is_no_value(grid, row, column) for column in rest) else None


def is_symbol(grid: Grid, row: int, column: int) -> bool:
    """Whether a cell is a unit by its very symbol: `°C`, `[mS/cm]`, `1/min`."""
    text = grid.text(row, column).strip()
    is_text = grid.kind(row, column) is CellKind.TEXT and len(text) <= UNIT_CHARACTERS_MAX
    return is_text and SYMBOL.fullmatch(text) is not None


def is_no_value(grid: Grid, row: int, column: int) -> bool:
    """Whether a cell beside units says that there is none, or how a column is written."""
    text = grid.text(row, column).strip()
    if grid.kind(row, column) is not CellKind.TEXT:
        return text == "1"  # the unit of what has none
    if len(text) > UNIT_CHARACTERS_MAX:
        return False
    if NO_SYMBOL.fullmatch(text) or SYMBOL.fullmatch(text):
        return True
    below = range(row + 1, min(len(grid.rows), row + UNIT_LOOK_ROWS) + 1)
    values = [grid.text(other, column).strip() for other in below]
    filled_below = [value for value in values if value]
    is_other = all(any(map(str.isdigit, value)) for value in filled_below)
    return bool(filled_below) and is_other and not any(map(str.isdigit, text))


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
