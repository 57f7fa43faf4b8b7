"""xlsx: openpyxl opens the package, strings and names; cells are read here, in one pass.

One pass gives a cell's formula and its cached value together, rows that are hidden, cells that are
merged and the stored number itself; openpyxl's own reader gives either formula or value, rounds
dates before anyone sees the serial, and fails on a style that no value needs.
"""

import datetime as dt
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Literal
from xml.etree.ElementTree import Element, iterparse

from openpyxl.formula.translate import Translator
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_datetime, is_timedelta_format
from openpyxl.utils.cell import column_index_from_string, coordinate_to_tuple
from openpyxl.utils.datetime import WINDOWS_EPOCH, from_excel

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind, column_letters
from fedbatch.sources.tabular.grid import Grid, Span
from fedbatch.sources.tabular.guards import Bounds, Loaded, foreign_errors
from fedbatch.sources.tabular.rules import FINDINGS_PER_RULE_MAX

__all__ = ["number_text", "read_sheet", "sheet_names"]

EXTRACTOR = "tabular-xlsx/1"
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
STYLES_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
# Elements a cell is made of; they must live until their row ends.
CELL_PARTS = frozenset(MAIN + part for part in ("c", "v", "f", "is", "t", "r"))
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
EXACT_DIGITS = 15
PHANTOM_DAY = 60  # 1900-02-29, which spreadsheets count and the calendar does not
GENERAL = "General"

Shown = Literal["date", "time", "datetime", "number"]


@dataclass(frozen=True, slots=True)
class Style:
    """A cell's display format, and whether it shows a date, a time, both or a number."""

    format: str
    shown: Shown


@dataclass(slots=True)
class Sheet:
    """A sheet while its rows come in."""

    name: str
    strings: Sequence[str]
    styles: Sequence[Style]
    epoch: dt.datetime
    rows: list[list[str]] = field(default_factory=list)
    kinds: list[list[CellKind]] = field(default_factory=list)
    formats: list[list[str]] = field(default_factory=list)
    formulas: dict[tuple[int, int], str] = field(default_factory=dict)
    undated: dict[tuple[int, int], str] = field(default_factory=dict)
    shared: dict[str, Translator] = field(default_factory=dict)
    merged: list[Span] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    cells: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell element says."""

    text: str
    kind: CellKind


BLANK = Cell("", CellKind.BLANK)


def sheet_names(loaded: Loaded) -> tuple[str, ...]:
    """All worksheets in order, hidden ones too; sheets that are a chart have no cells."""
    with foreign_errors(loaded.name):
        return tuple(name for name, _ in worksheets(open_reader(loaded)))


def read_sheet(loaded: Loaded, sheet: str, bounds: Bounds) -> Grid:
    """Read one sheet of a workbook that `check_archive` has passed.

    Raises:
        InputError: workbook.sheet, file.damaged, file.columns, file.rows, file.cells.
    """
    with foreign_errors(loaded.name):
        reader = open_reader(loaded)
        target = dict(worksheets(reader))[sheet]
        reader.read_strings()
        scan = Sheet(sheet, reader.shared_strings, read_styles(reader), reader.wb.epoch)
        with reader.archive.open(target) as part:
            scan_part(scan, part, loaded.name, bounds)
    return Grid(
        rows=scan.rows,
        scheme="cell",
        extractor=EXTRACTOR,
        sheet=sheet,
        kinds=scan.kinds,
        formats=scan.formats,
        formulas=scan.formulas,
        undated=scan.undated,
        merged=tuple(scan.merged),
        hidden_rows=frozenset(scan.hidden_rows),
        hidden_columns=frozenset(scan.hidden_columns),
    )


def open_reader(loaded: Loaded) -> ExcelReader:
    """The package's manifest and workbook part; links to other files are not followed."""
    reader = ExcelReader(io.BytesIO(loaded.content), read_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_workbook()
    return reader


def worksheets(reader: ExcelReader) -> Iterator[tuple[str, str]]:
    """Name and part of each worksheet; one that has no part is an error, not a sheet less."""
    for sheet in reader.parser.sheets:
        relation = reader.parser.rels[sheet.id]
        if "worksheet" in relation.Type:
            yield sheet.name, relation.target


# ---------------------------------------------------------------- styles


def read_styles(reader: ExcelReader) -> list[Style]:
    """Display formats by style index; fonts, fills and borders are nobody's evidence."""
    part = next((one for one in reader.package.Override if one.ContentType == STYLES_TYPE), None)
    if part is None:
        return [Style(GENERAL, "number")]
    own: dict[int, str] = {}
    used: list[int] = []
    with reader.archive.open(part.PartName.lstrip("/")) as stream:
        for _, element in iterparse(stream):  # noqa: S314 - guards refuse any DOCTYPE
            if element.tag == MAIN + "numFmt":
                own[int(element.get("numFmtId", 0))] = element.get("formatCode", GENERAL)
            elif element.tag == MAIN + "cellXfs":
                used = [int(style.get("numFmtId", 0)) for style in element.iter(MAIN + "xf")]
    formats = [own.get(number) or BUILTIN_FORMATS.get(number, GENERAL) for number in used]
    return [Style(code, shown_as(code)) for code in formats] or [Style(GENERAL, "number")]


def shown_as(code: str) -> Shown:
    """A duration (`[h]:mm`) is a number of days, not a point in time."""
    shown = None if is_timedelta_format(code) else is_datetime(code)
    return "number" if shown is None else shown


# ---------------------------------------------------------------- sheet


def scan_part(scan: Sheet, part: IO[bytes], name: str, bounds: Bounds) -> None:
    for _, element in iterparse(part):  # noqa: S314 - guards refuse any DOCTYPE
        tag = element.tag
        if tag in CELL_PARTS:
            continue
        if tag == MAIN + "row":
            take_row(scan, element, name, bounds)
        elif tag == MAIN + "mergeCell":
            take_merged(scan, element)
        elif tag == MAIN + "col" and is_hidden(element):
            last = min(int(element.get("max", 0)), bounds.columns_max)
            scan.hidden_columns.update(range(int(element.get("min", 1)) - 1, last))
        element.clear()


def is_hidden(element: Element) -> bool:
    return element.get("hidden") in {"1", "true"}


def take_merged(scan: Sheet, element: Element) -> None:
    first, last = element.get("ref", "").partition(":")[::2]
    first_row, first_column = coordinate_to_tuple(first)
    last_row, last_column = coordinate_to_tuple(last or first)
    if (first_column, first_row) != (last_column, last_row):
        scan.merged.append(Span(first_row, first_column - 1, last_row, last_column - 1))


def take_row(scan: Sheet, element: Element, name: str, bounds: Bounds) -> None:
    row = int(element.get("r", len(scan.rows) + 1))
    if not len(scan.rows) < row <= bounds.rows_max:
        raise InputError(
            f"rows in order, at most {bounds.rows_max}",
            where=f"{name} {scan.name}",
            found=f"row {row} after row {len(scan.rows)}",
            code="file.rows",
        )
    texts: list[str] = []
    kinds: list[CellKind] = []
    formats: list[str] = []
    for child in element:
        column = column_of(child, len(texts))
        if not len(texts) <= column < bounds.columns_max:
            raise InputError(
                f"columns in order, at most {bounds.columns_max}",
                where=f"{name} {scan.name} row {row}",
                found=child.get("r", ""),
                code="file.columns",
            )
        style = scan.styles[int(child.get("s", 0))]
        cell = read_cell(scan, child, style, (row, column))
        if cell.kind is CellKind.BLANK:
            continue
        gap = column - len(texts)
        texts += [""] * gap
        kinds += [CellKind.BLANK] * gap
        formats += [""] * gap
        texts.append(cell.text)
        kinds.append(cell.kind)
        formats.append(style.format)
    count_cells(scan, len(texts), name, bounds)
    fill_to(scan, row)
    scan.rows.append(texts)
    scan.kinds.append(kinds)
    scan.formats.append(formats)
    if is_hidden(element):
        scan.hidden_rows.add(row)


def count_cells(scan: Sheet, cells: int, name: str, bounds: Bounds) -> None:
    scan.cells += cells
    if scan.cells > bounds.sheet_cells_max:
        raise InputError(
            f"at most {bounds.sheet_cells_max} cells in a sheet",
            where=f"{name} {scan.name}",
            found="more",
            advice="Export the table as CSV.",
            code="file.cells",
        )


def fill_to(scan: Sheet, row: int) -> None:
    """Rows that the file leaves out are blank rows."""
    gap = row - 1 - len(scan.rows)
    scan.rows += [[]] * gap
    scan.kinds += [[]] * gap
    scan.formats += [[]] * gap


def column_of(element: Element, following: int) -> int:
    reference = element.get("r")
    if reference is None:
        return following
    letters = reference.rstrip("0123456789")
    return column_index_from_string(letters) - 1


def read_cell(scan: Sheet, element: Element, style: Style, place: tuple[int, int]) -> Cell:
    stored = read_stored(scan, element, style, place)
    formula = element.find(MAIN + "f")
    if formula is None:
        return stored
    scan.formulas[place] = formula_text(scan, formula, place)
    return stored if stored.kind is CellKind.ERROR else Cell(stored.text, CellKind.FORMULA)


def read_stored(scan: Sheet, element: Element, style: Style, place: tuple[int, int]) -> Cell:
    """The stored value; of a formula, the one the workbook was last saved with."""
    kind = element.get("t", "n")
    if kind == "inlineStr":
        return text_cell(inline_text(element.find(MAIN + "is")))
    value = element.findtext(MAIN + "v")
    if not value:
        return BLANK
    if kind == "s":
        return text_cell(scan.strings[int(value)])
    if kind == "b":
        return Cell("TRUE" if int(value) else "FALSE", CellKind.BOOLEAN)
    if kind == "n":
        return number_cell(scan, value, style, place)
    fixed = {"e": CellKind.ERROR, "d": CellKind.DATE, "str": CellKind.TEXT}
    return Cell(value, fixed[kind])


def text_cell(text: str) -> Cell:
    return Cell(text, CellKind.TEXT) if text else BLANK


def inline_text(element: Element | None) -> str:
    """Plain text, or the runs of a rich text; phonetic hints are no part of it."""
    if element is None:
        return ""
    runs = (run.findtext(MAIN + "t") or "" for run in element.findall(MAIN + "r"))
    return (element.findtext(MAIN + "t") or "") + "".join(runs)


def formula_text(scan: Sheet, formula: Element, place: tuple[int, int]) -> str:
    """The formula as it stands in this cell; a shared one is moved here from where it stands."""
    text = f"={formula.text}" if formula.text else ""
    key = formula.get("si")
    if formula.get("t") != "shared" or key is None:
        return text or "="
    row, column = place
    here = f"{column_letters(column)}{row}"
    if text:
        scan.shared[key] = Translator(text, here)
        return text
    if key not in scan.shared or len(scan.formulas) > FINDINGS_PER_RULE_MAX:
        return "="  # nobody reads the thousandth, and moving them costs more than reading the sheet
    return str(scan.shared[key].translate_formula(here))


def number_cell(scan: Sheet, value: str, style: Style, place: tuple[int, int]) -> Cell:
    text = number_text(value)
    if style.shown == "number":
        return Cell(text, CellKind.NUMBER)
    when = date_text(float(text), style.shown, scan.epoch)
    if when is None:
        scan.undated[place] = text
        return Cell(text, CellKind.NUMBER)
    return Cell(when, CellKind.DATE)


def number_text(value: str) -> str:
    """The shortest decimal that reads back to the same binary64: 5 for `5.0`, 0.1 for `0.1000…01`.

    Raises:
        ValueError: not a finite decimal number.
    """
    if value.isascii() and value.isdigit() and len(value) <= EXACT_DIGITS and value[0] != "0":
        return value
    if not NUMBER.fullmatch(value):
        raise ValueError(value)
    text = repr(float(value))
    if "n" in text:  # inf
        raise ValueError(value)
    return text.removesuffix(".0")


def date_text(serial: float, shown: Shown, epoch: dt.datetime) -> str | None:
    """What a serial means, in ISO 8601, to the millisecond; None if no day of the calendar.

    A binary64 of this size resolves about a microsecond, so that the rest is noise of conversion.
    """
    if shown != "time" and (serial < 1 or (int(serial) == PHANTOM_DAY and epoch == WINDOWS_EPOCH)):
        return None
    if serial < 0:
        return None
    try:
        when = from_excel(serial, epoch)
    except (OverflowError, ValueError):
        return None
    if isinstance(when, dt.datetime) and shown == "date" and serial.is_integer():
        return when.date().isoformat()
    if not isinstance(when, dt.datetime | dt.time):
        return None
    return when.isoformat(timespec="milliseconds" if when.microsecond else "seconds")
