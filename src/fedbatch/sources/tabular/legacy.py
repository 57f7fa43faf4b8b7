"""xls and xlsb, through calamine in a process of its own.

It shows `#N/A` and its like as blank cells and tells neither hidden rows nor display formats nor
formulas: each table says so in a finding. A forged file can abort it, hence the process.
"""

import subprocess
import sys

import msgspec

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind
from fedbatch.sources.tabular import legacy_child
from fedbatch.sources.tabular.grid import Grid, Span
from fedbatch.sources.tabular.guards import BOUNDS, Bounds, Loaded, encrypted

__all__ = ["read_sheet", "sheet_names"]

EXTRACTOR = "tabular-legacy/1"
# The largest sheet that passes the bounds takes about half of it.
CHILD_SECONDS_MAX = 120


class Answer(msgspec.Struct, frozen=True):
    """What the child says; see `legacy_child`."""

    sheets: list[str] = []
    rows: list[list[str]] = []
    kinds: list[list[CellKind]] = []
    merged: list[tuple[int, int, int, int]] = []
    error: str = ""
    found: str = ""
    height: int = 0
    width: int = 0


def sheet_names(loaded: Loaded, bounds: Bounds = BOUNDS) -> tuple[str, ...]:
    """All worksheets in order, hidden ones too.

    Raises:
        InputError: file.encrypted, file.damaged.
    """
    return tuple(ask(loaded, bounds).sheets)


def read_sheet(loaded: Loaded, sheet: str, bounds: Bounds) -> Grid:
    """Read one sheet.

    Raises:
        InputError: file.encrypted, file.damaged, file.cells, file.columns.
    """
    told = ask(loaded, bounds, sheet)
    return Grid(
        rows=told.rows,
        scheme="cell",
        extractor=EXTRACTOR,
        sheet=sheet,
        kinds=told.kinds,
        merged=tuple(
            Span(first_row + 1, first_column, last_row + 1, last_column)
            for first_row, first_column, last_row, last_column in told.merged
        ),
        are_errors_visible=False,
    )


def ask(loaded: Loaded, bounds: Bounds, *sheet: str) -> Answer:
    """Run the child on the bytes and judge what came of it."""
    command = [sys.executable, "-I", legacy_child.__file__]
    numbers = [str(bounds.sheet_cells_max), str(bounds.columns_max)]
    try:
        child = subprocess.run(  # noqa: S603 - our own file; a sheet's name is data to it
            [*command, *numbers, *sheet],
            input=loaded.content,
            capture_output=True,
            timeout=CHILD_SECONDS_MAX,
            check=True,
        )
    except (subprocess.SubprocessError, OSError, ValueError) as error:  # a name may hold anything
        raise damaged(loaded.name, "a file that stops its reader") from error
    told = msgspec.json.decode(child.stdout, type=Answer)
    if told.error == "password":
        raise encrypted(loaded.name)
    if told.error == "extent":
        raise InputError(
            f"at most {bounds.columns_max} columns and {bounds.sheet_cells_max} cells",
            where=loaded.name,
            found=f"{told.height} rows of {told.width}",
            code="file.columns" if told.width > bounds.columns_max else "file.cells",
        )
    if told.error:
        raise damaged(loaded.name, told.found)
    return told


def damaged(name: str, found: str) -> InputError:
    return InputError(
        "a workbook that can be read",
        where=name,
        found=found[:200],
        advice="Open it in a spreadsheet program and save it as xlsx.",
        code="file.damaged",
    )
