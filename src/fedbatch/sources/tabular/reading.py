"""From a path to tables, and from a locator back to the text that stands there."""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec
from openpyxl.utils.cell import column_index_from_string

from fedbatch.errors import InputError
from fedbatch.mapping.tables import SourceFile, Table
from fedbatch.sources.tabular import legacy, parquet, workbook
from fedbatch.sources.tabular.grid import Grid
from fedbatch.sources.tabular.guards import (
    BOUNDS,
    Bounds,
    Kind,
    Loaded,
    check_archive,
    load,
    open_regular,
)
from fedbatch.sources.tabular.layout import DETECT, Layout, cut
from fedbatch.sources.tabular.rules import Log
from fedbatch.sources.tabular.text import read_text
from fedbatch.standard.findings import Finding

__all__ = [
    "Extraction",
    "Part",
    "Reading",
    "SheetReading",
    "WholeReading",
    "extract",
    "is_whole",
    "list_sheets",
    "open_for_extraction",
    "read_file",
    "read_part",
    "read_sheets",
]

ENDINGS: dict[str, tuple[Kind, ...]] = {
    ".parquet": ("parquet",),
    ".csv": ("text",),
    ".tsv": ("text",),
    ".txt": ("text",),
    ".xlsx": ("xlsx",),
    ".xlsm": ("xlsx",),
    ".xlsb": ("xlsb",),
    ".xls": ("xls",),
}
# Kinds of files that hold one table, without sheets.
SINGLE: frozenset[Kind] = frozenset({"text", "parquet"})
# Of a Parquet file nothing has to be found out.
NAMED_COLUMNS = Layout(header_row=1, first_data_row=2)
# What is read of a growing file at once; the rest comes with the next turn.
PART_BYTES_MAX = 16 << 20
# So much of what was read before says whether a growing file is still the one that was read.
SEEN_BYTES = 64 << 10
ROW_COLUMN = re.compile(r"R([1-9]\d{0,8})C([1-9]\d{0,8})")
CELL = re.compile(r"(.+)!([A-Z]{1,3})([1-9]\d{0,8})", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A file, its tables, and all findings: the file's own, then those of each table."""

    file: SourceFile
    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class SheetReading:
    """One sheet (a text file has one, of no name): all its cells, and its table or why it has none."""

    name: str
    grid: Grid | None = None
    table: Table | None = None
    problem: InputError | None = None


@dataclass(frozen=True, kw_only=True)
class WholeReading:
    """A file with each of its sheets; `findings` are the file's own."""

    file: SourceFile
    sheets: tuple[SheetReading, ...]
    findings: tuple[Finding, ...]


def read_file(path: Path, layout: Layout = DETECT, bounds: Bounds = BOUNDS) -> Reading:
    """Read a delimited text or one sheet of a workbook.

    Args:
        path: a regular file; its kind is told by its content.
        layout: what a mapping states; the rest is detected and reported as `table.layout`.
        bounds: what is refused for its size.

    Raises:
        InputError: the file cannot be read, or only by guessing; `code` says which.
    """
    loaded = load_checked(path, layout, bounds)
    log = log_kind(path, loaded)
    grid = read_grid(loaded, layout, choose_sheet(loaded, layout.sheet), bounds)
    table = cut(grid, layout_for(loaded, layout), loaded.name)
    return Reading(
        file=SourceFile(name=loaded.name, size_bytes=len(loaded.content), sha256=loaded.sha256),
        tables=(table,),
        findings=(*log.findings(), *table.findings),
    )


def read_sheets(path: Path, layout: Layout = DETECT, bounds: Bounds = BOUNDS) -> WholeReading:
    """Read a delimited text, or every sheet of a workbook; what is no table says why.

    Args:
        path: as for `read_file`.
        layout: what is stated; of a workbook with `sheet`, that sheet alone is read.
        bounds: what is refused for its size.

    Raises:
        InputError: the file cannot be read; of a text, its table too.
    """
    loaded = load_checked(path, layout, bounds)
    names = sheets_of(loaded) if layout.sheet is None else (choose_sheet(loaded, layout.sheet),)
    sheets = tuple(_read_sheet(loaded, layout, name, bounds) for name in names or ("",))
    if not names and sheets[0].problem is not None:
        raise sheets[0].problem
    return WholeReading(
        file=SourceFile(name=loaded.name, size_bytes=len(loaded.content), sha256=loaded.sha256),
        sheets=sheets,
        findings=log_kind(path, loaded).findings(),
    )


def _read_sheet(loaded: Loaded, layout: Layout, name: str, bounds: Bounds) -> SheetReading:
    grid: Grid | None = None
    try:
        grid = read_grid(loaded, layout, name, bounds)
        return SheetReading(
            name=name, grid=grid, table=cut(grid, layout_for(loaded, layout), loaded.name)
        )
    except InputError as error:
        return SheetReading(name=name, grid=grid, problem=error)


def log_kind(path: Path, loaded: Loaded) -> Log:
    """A log in which stands whether the content is of the kind that the name says."""
    log = Log(loaded.name)
    expected = ENDINGS.get(path.suffix.lower(), (loaded.kind,))
    if loaded.kind not in expected:
        log.add("file.kind_mismatch", "", found=loaded.kind, expected=expected[0])
    return log


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a growing text has more than before.

    `offset`: how far it is read now (bytes of the file), `rows`: how many rows below the header that
    are. `header_sha256`: of its header. `seen_sha256`:
    of the last bytes before `offset`, by which the file is known again. `is_other`: it is not the text
    that was read before, and was read from its start.
    """

    reading: Reading
    offset: int
    rows: int
    header_sha256: str
    seen_sha256: str
    is_other: bool


def read_part(
    path: Path,
    layout: Layout = DETECT,
    *,
    offset: int = 0,
    rows: int = 0,
    seen: str = "",
    bounds: Bounds = BOUNDS,
) -> Part:
    """What was added to a growing text after `offset` and `rows`, as far as its lines are whole.

    The header is read with it each time, so that columns which change half-way are noticed. Rows have
    the numbers that they have in the file. A text that is shorter than `offset`, or whose bytes before
    it are others than `seen` says, is read from its start.

    Raises:
        InputError: as `read_file`.
    """
    with open_regular(path) as stream:
        header = _header_of(stream, layout)
        size = os.fstat(stream.fileno()).st_size
        is_other = offset > 0 and (size < offset or _seen(stream, offset) != seen)
        start = max(0 if is_other else offset, len(header))
        stream.seek(start)
        added = stream.read(max(0, min(size - start, PART_BYTES_MAX)))
        added = added[: added.rfind(b"\n") + 1]
        known_by = _seen(stream, start + len(added))
    content = header + added
    loaded = Loaded(
        name=path.name, kind="text", content=content, sha256=hashlib.sha256(content).hexdigest()
    )
    grid = read_grid(loaded, layout, "", bounds)
    before = rows if start > len(header) else 0
    table = _moved(cut(grid, layout, path.name), before)
    file = SourceFile(name=path.name, size_bytes=len(content), sha256=loaded.sha256)
    return Part(
        reading=Reading(file=file, tables=(table,), findings=table.findings),
        offset=start + len(added),
        rows=before + len(grid.rows) - header.count(b"\n"),
        header_sha256=hashlib.sha256(header).hexdigest(),
        seen_sha256=known_by,
        is_other=is_other,
    )


def _moved(table: Table, rows: int) -> Table:
    """A table of which so many rows stand between the header and the rest."""
    if not rows:
        return table

    def moved(match: re.Match[str]) -> str:
        row = int(match[1])
        return f"R{row + rows if row > table.header_row else row}C{match[2]}"

    findings = [
        msgspec.structs.replace(
            item,
            where=msgspec.structs.replace(
                item.where, locator=ROW_COLUMN.sub(moved, item.where.locator)
            ),
        )
        for item in table.findings
    ]
    numbers = [row + rows for row in table.rows]
    return replace(table, rows=numbers, findings=tuple(findings))


def _seen(stream: BinaryIO, offset: int) -> str:
    """The SHA-256 of the last bytes before an offset."""
    start = max(0, offset - SEEN_BYTES)
    stream.seek(start)
    return hashlib.sha256(stream.read(offset - start)).hexdigest()


def _header_of(stream: BinaryIO, layout: Layout) -> bytes:
    """The lines up to the header's, which a growing file's mapping states; else the first."""
    lines = layout.first_data_row - 1 if layout.first_data_row else layout.header_row or 1
    return b"".join(stream.readline(BOUNDS.line_bytes_max) for _ in range(lines))


def is_whole(path: Path, layout: Layout = DETECT, bounds: Bounds = BOUNDS) -> bool:
    """Whether a text holds its table and nothing else: header, a unit row, data, blank rows.

    False for a workbook, which can hide sheets, rows and columns.

    Raises:
        InputError: as `read_file`.
    """
    loaded = load_checked(path, layout, bounds)
    if loaded.kind != "text":
        return False
    grid = read_grid(loaded, layout, "", bounds)
    table = cut(grid, layout, loaded.name)
    told = {table.header_row, *table.rows}
    if any(column.unit for column in table.columns):
        told.add(table.header_row + 1)
    width = 1 + max((column.index for column in table.columns), default=0)
    return all(
        number in told and len(cells) <= width
        for number, cells in enumerate(grid.rows, 1)
        if any(cell.strip() for cell in cells)
    )


def list_sheets(path: Path, bounds: Bounds = BOUNDS) -> tuple[str, ...]:
    """The names of a workbook's sheets, hidden ones too; none for a text.

    Raises:
        InputError: as `read_file`.
    """
    return sheets_of(load_checked(path, DETECT, bounds))


def extract(path: Path, scheme: str, locator: str, layout: Layout = DETECT) -> str:
    """The text at one locator; for many, open the file once with `open_for_extraction`.

    Raises:
        InputError: as `read_file`, and locator.scheme, locator.form, locator.outside.
    """
    return open_for_extraction(path, layout).text(scheme, locator)


def open_for_extraction(
    path: Path, layout: Layout = DETECT, bounds: Bounds = BOUNDS
) -> "Extraction":
    """Load a file to ask for single cells; rows that `read_file` held back can be asked for too.

    Raises:
        InputError: as `read_file`.
    """
    return Extraction(load_checked(path, layout, bounds), layout, bounds)


class Extraction:
    """A loaded file that answers locators; a sheet is read when first asked for."""

    def __init__(self, loaded: Loaded, layout: Layout, bounds: Bounds) -> None:
        self.loaded = loaded
        self.layout = layout
        self.bounds = bounds
        self.grids: dict[str, Grid] = {}

    def text(self, scheme: str, locator: str) -> str:
        """The verbatim text, "" for a blank cell inside the file's rows.

        Raises:
            InputError: locator.scheme, locator.form, locator.outside, workbook.sheet.
        """
        sheet, row, column = self.parse(scheme, locator)
        grid = self.grid(sheet)
        if row > len(grid.rows) or column >= self.bounds.columns_max:
            raise self.refuse("outside", f"a cell of {len(grid.rows)} rows", locator)
        return grid.text(row, column)

    def parse(self, scheme: str, locator: str) -> tuple[str, int, int]:
        expected = "row_column" if self.loaded.kind in SINGLE else "cell"
        if scheme != expected:
            raise self.refuse("scheme", expected, scheme)
        if scheme == "row_column":
            if match := ROW_COLUMN.fullmatch(locator):
                return "", int(match[1]), int(match[2]) - 1
            raise self.refuse("form", "a place such as R7C2", locator)
        if match := CELL.fullmatch(locator):
            return match[1], int(match[3]), column_index_from_string(match[2]) - 1
        raise self.refuse("form", "a place such as Sheet!B7", locator)

    def refuse(self, what: str, expected: str, found: str) -> InputError:
        return InputError(expected, where=self.loaded.name, found=found, code=f"locator.{what}")

    def grid(self, sheet: str) -> Grid:
        if sheet not in self.grids:
            chosen = choose_sheet(self.loaded, sheet or None)
            self.grids[sheet] = read_grid(self.loaded, self.layout, chosen, self.bounds)
        return self.grids[sheet]


def layout_for(loaded: Loaded, layout: Layout) -> Layout:
    """A file's own layout where its format fixes one, else the one stated."""
    return NAMED_COLUMNS if loaded.kind == "parquet" else layout


def load_checked(path: Path, layout: Layout, bounds: Bounds) -> Loaded:
    is_wide = (layout.encoding or "").lower().startswith("utf-16")
    loaded = load(path, bounds, is_wide=is_wide)
    if loaded.kind in {"xlsx", "xlsb"}:
        check_archive(loaded, bounds)
    return loaded


def sheets_of(loaded: Loaded) -> tuple[str, ...]:
    if loaded.kind in SINGLE:
        return ()
    return workbook.sheet_names(loaded) if loaded.kind == "xlsx" else legacy.sheet_names(loaded)


def choose_sheet(loaded: Loaded, sheet: str | None) -> str:
    """The sheet asked for, or the only one."""
    if loaded.kind in SINGLE:
        return ""
    names = sheets_of(loaded)
    if sheet is None and len(names) == 1:
        return names[0]
    if sheet is None or sheet not in names:
        raise InputError(
            f"the name of a sheet among {', '.join(names)}",
            where=loaded.name,
            found=sheet or "none named",
            code="workbook.sheet",
        )
    return sheet


def read_grid(loaded: Loaded, layout: Layout, sheet: str, bounds: Bounds) -> Grid:
    if loaded.kind == "text":
        return read_text(loaded, bounds, encoding=layout.encoding, delimiter=layout.delimiter)
    if loaded.kind == "parquet":
        return parquet.grid_of(loaded, bounds)
    if loaded.kind == "xlsx":
        return workbook.read_sheet(loaded, sheet, bounds)
    return legacy.read_sheet(loaded, sheet, bounds)
