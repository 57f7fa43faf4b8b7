"""Check a file where it lies: no home, no mapping; only the annotated copy is written."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fedbatch.errors import InputError
from fedbatch.mapping.assuming import Assumption
from fedbatch.node.annotating import SheetToWrite, can_hold, render_findings, render_workbook
from fedbatch.node.home import read_package_dictionary, read_package_units, zone_named
from fedbatch.services.file_checks import TableChecks, check_table
from fedbatch.sources.tabular import Layout, SheetReading, WholeReading, read_sheets
from fedbatch.standard.findings import Finding
from fedbatch.store.objects import write_durably
from fedbatch.store.room import unwritten

__all__ = ["COPY_SUFFIX", "CheckedFile", "check_file", "copy_path", "write_copy"]

COPY_SUFFIX = ".checked"
Report = Callable[[int, int], None]
# Tried in turn where a text is no UTF-8; the second takes any byte.
_ENCODINGS = ("cp1252", "latin-1")


@dataclass(slots=True, kw_only=True)
class CheckedFile:
    """A file with what was found in each of its tables; `unread` are sheets that hold none, and why."""

    reading: WholeReading
    tables: list[TableChecks]
    unread: dict[str, str]

    @property
    def findings(self) -> list[Finding]:
        """All findings, the most severe first."""
        found = [
            *self.reading.findings,
            *(item for table in self.tables for item in table.findings),
        ]
        return sorted(found, key=lambda item: item.severity)


def check_file(path: Path, layout: Layout, *, zone: str | None = None) -> CheckedFile:
    """Read a file and check each of its tables.

    Args:
        path: csv, tsv, txt, xlsx, xlsm, xls or xlsb; it is only read.
        layout: what a person states; the rest is detected and said.
        zone: of its local times, where a person says it.

    Raises:
        InputError: it cannot be read, or holds no table at all.
    """
    reading, assumed = _read(path, layout)
    units, dictionary = read_package_units(), read_package_dictionary()
    tables: list[TableChecks] = []
    for sheet in reading.sheets:
        if sheet.table is None:
            continue
        checks = check_table(
            sheet.table,
            reading.file.name,
            units,
            dictionary,
            zone=zone_named(zone) if zone is not None else None,
            zone_name=zone or "",
            structure=sheet.table.findings,
        )
        checks.assumed = [*assumed, *checks.assumed]
        tables.append(checks)
    unread = {item.name: _reason(item) for item in reading.sheets if item.problem is not None}
    if not tables:
        problem = next((item.problem for item in reading.sheets if item.problem is not None), None)
        raise problem or InputError("a table", where=path.name, found="none", code="file.header")
    return CheckedFile(reading=reading, tables=tables, unread=unread)


def _reason(sheet: SheetReading) -> str:
    return str(sheet.problem)


def _read(path: Path, layout: Layout) -> tuple[WholeReading, list[Assumption]]:
    """Read as UTF-8, or else as what Windows writes; that is an assumption, and is said."""
    try:
        return read_sheets(path, layout), []
    except InputError as error:
        if error.code != "file.encoding" or layout.encoding is not None:
            raise
        told = error
    for encoding in _ENCODINGS:
        stated = replace(layout, encoding=encoding)
        try:
            reading = read_sheets(path, stated)
        except InputError as error:
            if error.code != "file.encoding":
                raise
            continue
        evidence = f"no UTF-8: bytes {told.found} at {told.where}"
        return reading, [Assumption(about="texts", assumed=encoding, evidence=evidence)]
    raise told


# ---- the copy


def copy_path(path: Path) -> Path:
    """Where the annotated copy of a file lies unless another path is named."""
    return path.with_name(f"{path.name}{COPY_SUFFIX}.xlsx")


def write_copy(checked: CheckedFile, original: Path, out: Path | None, report: Report) -> Path:
    """Write the annotated copy; the findings alone as CSV where no workbook can hold the file.

    Args:
        checked: the file.
        original: where it lies; it is never written to.
        out: where the copy goes; one that ends in .csv holds the findings alone.
        report: takes rows written and all rows.

    Returns:
        where it lies.

    Raises:
        InputError: `out` is the file itself, or ends in neither .xlsx nor .csv.
        StoreError: there is no room for it, or where it is made first.
    """
    path = out or copy_path(original)
    if path.suffix.lower() not in {".xlsx", ".csv"}:
        raise InputError("a path that ends in .xlsx or .csv", where="--out", found=str(path))
    if path.exists() and path.samefile(original):
        raise InputError("a path other than the file's own", where="--out", found=str(path))
    sheets = [
        SheetToWrite(name=item.name or original.stem, grid=item.grid)
        for item in checked.reading.sheets
        if item.grid is not None
    ]
    findings = checked.findings
    if path.suffix.lower() == ".csv" or not all(can_hold(item) for item in sheets):
        path = path.with_suffix(".csv")
        write_durably(path, render_findings(findings))
    else:
        write_durably(path, _rendered(sheets, findings, report))
    return path


def _rendered(sheets: Sequence[SheetToWrite], findings: Sequence[Finding], report: Report) -> bytes:
    try:
        return render_workbook(sheets, findings, report)
    except OSError as error:
        advice = "TMPDIR names another folder for it; --no-copy writes none."
        raise unwritten(
            error, _temporary_folder(), "the copy (made there first)", advice
        ) from error


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError:  # every folder that would do is full
        return Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - only to be named
