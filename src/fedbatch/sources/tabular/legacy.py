"""xls and xlsb, through calamine.

It shows `#N/A` and its like as blank cells and tells neither hidden rows nor display formats nor
formulas: each table says so in a finding.
"""

import datetime as dt
import io
from collections.abc import Iterator
from contextlib import contextmanager

import python_calamine
from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind
from fedbatch.sources.tabular.grid import Grid, Span
from fedbatch.sources.tabular.guards import Bounds, Loaded

__all__ = ["read_sheet", "sheet_names"]

EXTRACTOR = "tabular-legacy/1"
DAY = dt.timedelta(days=1)

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def sheet_names(loaded: Loaded) -> tuple[str, ...]:
    """All worksheets in order, hidden ones too."""
    with foreign_errors(loaded.name):
        metadata = open_workbook(loaded).sheets_metadata
    kind = python_calamine.SheetTypeEnum.WorkSheet
    return tuple(sheet.name for sheet in metadata if sheet.typ == kind)


def read_sheet(loaded: Loaded, sheet: str, bounds: Bounds) -> Grid:
    """Read one sheet.

    Raises:
        InputError: file.encrypted, file.damaged, file.cells, file.columns.
    """
    with foreign_errors(loaded.name):
        source = open_workbook(loaded).get_sheet_by_name(sheet)
        check_extent(loaded.name, source.total_height, source.total_width, bounds)
        values = source.to_python(skip_empty_area=False)
        ranges = source.merged_cell_ranges or []
    cells = [[read_value(value) for value in row] for row in values]
    return Grid(
        rows=[[text for text, _ in row] for row in cells],
        scheme="cell",
        extractor=EXTRACTOR,
        sheet=sheet,
        kinds=[[kind for _, kind in row] for row in cells],
        merged=tuple(Span(first[0] + 1, first[1], last[0] + 1, last[1]) for first, last in ranges),
        are_errors_visible=False,
    )


def open_workbook(loaded: Loaded) -> CalamineWorkbook:
    return CalamineWorkbook.from_filelike(io.BytesIO(loaded.content))


def check_extent(name: str, height: int, width: int, bounds: Bounds) -> None:
    if width > bounds.columns_max:
        raise InputError(
            f"at most {bounds.columns_max} columns",
            where=name,
            found=str(width),
            code="file.columns",
        )
    if height * width > bounds.sheet_cells_max:
        raise InputError(
            f"at most {bounds.sheet_cells_max} cells in a sheet",
            where=name,
            found=f"{height} rows of {width}",
            code="file.cells",
        )


def read_value(value: Value) -> tuple[str, CellKind]:
    """The text and kind of a value; bool and datetime come before int and date, their bases."""
    if isinstance(value, str):
        return value, CellKind.TEXT if value else CellKind.BLANK
    if isinstance(value, bool):
        return str(value).upper(), CellKind.BOOLEAN
    if isinstance(value, int | float):
        return repr(value).removesuffix(".0"), CellKind.NUMBER
    if isinstance(value, dt.timedelta):
        return repr(value / DAY).removesuffix(".0"), CellKind.NUMBER
    if isinstance(value, dt.datetime | dt.time):
        timespec = "milliseconds" if value.microsecond >= MILLISECOND else "seconds"
        return value.isoformat(timespec=timespec), CellKind.DATE
    return value.isoformat(), CellKind.DATE


MILLISECOND = 1_000


@contextmanager
def foreign_errors(name: str) -> Iterator[None]:
    """What calamine raises on damaged input, a panic of its own included, as one InputError."""
    try:
        yield
    except PasswordError as error:
        raise InputError(
            "a workbook without a password",
            where=name,
            found="an encrypted one",
            advice="Save it without a password.",
            code="file.encrypted",
        ) from error
    except (CalamineError, OSError, ValueError, OverflowError) as error:
        raise damaged(name, error) from error
    except BaseException as error:  # a panic derives from BaseException and cannot be imported
        if type(error).__name__ != "PanicException":
            raise
        raise damaged(name, error) from error


def damaged(name: str, error: BaseException) -> InputError:
    return InputError(
        "a workbook that can be read",
        where=name,
        found=f"{type(error).__name__}: {error}"[:200],
        advice="Open it in a spreadsheet program and save it as xlsx.",
        code="file.damaged",
    )
