"""A corrected mapping: its files are read again, the difference shown, corrections issued."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fedbatch.errors import InputError
from fedbatch.mapping.extract import extract
from fedbatch.mapping.series import extract_series, is_series
from fedbatch.node.home import Home
from fedbatch.node.importing import Fit, read_as, take_points
from fedbatch.ports import ImportRow, Person
from fedbatch.services.intake import IntakeReport, preview, take_in
from fedbatch.services.series_intake import preview_points
from fedbatch.services.side_by_side import side_by_side
from fedbatch.standard.mappings import Mapping

__all__ = ["difference_of", "reread"]


def _files(home: Home, mapping: Mapping) -> list[ImportRow]:
    """The newest edition of each file that a mapping has read."""
    newest: dict[str, ImportRow] = {}
    for row in home.journal.imports():
        if row.mapping == mapping.source:
            newest.pop(row.file, None)
            newest[row.file] = row
    return list(newest.values())


@dataclass(frozen=True, slots=True)
class _Again:
    """A table that is read again, and whether it is the file's only one under its mapping."""

    fit: Fit
    is_alone: bool


def _tables(home: Home, mapping: Mapping) -> Iterator[_Again]:
    """The tables of every file of a mapping, from the bytes kept at import."""
    for row in _files(home, mapping):
        if not row.sha256:
            # A file that was followed is not kept.
            continue
        content = home.journal_objects.read(row.sha256)
        with TemporaryDirectory() as folder:
            path = Path(folder) / row.file
            path.write_bytes(content)
            try:
                found = read_as(path, mapping)
            except InputError as error:
                if error.code != "import.no_mapping":
                    raise
                raise InputError(
                    "a mapping of the same columns",
                    where=row.file,
                    found="other columns",
                    advice="Confirm it under another source name.",
                    code="mapping.columns",
                ) from error
            # Columns of a Parquet file are read while it is there.
            for fit in found:
                yield _Again(fit, len(found) == 1)


def difference_of(home: Home, mapping: Mapping, person: Person) -> list[IntakeReport]:
    """What reading every file again under a mapping would change; nothing is written."""
    return [_difference(home, mapping, person, again) for again in _tables(home, mapping)]


def _difference(home: Home, mapping: Mapping, person: Person, again: _Again) -> IntakeReport:
    fit = again.fit
    file, intake = fit.reading.file, home.intake(person)
    if not is_series(mapping):
        extraction = extract(fit.table, file, mapping, home.ground(mapping))
        return preview(extraction, file, mapping, intake, is_remapped=again.is_alone)
    found = extract_series(fit.table, file, mapping, home.ground(mapping), side_by_side)
    told = preview_points(found.drafts, file, mapping, intake, home.journal_objects)
    report = preview(found.rest, file, mapping, intake, is_remapped=again.is_alone)
    report.rows_held_back = found.rows_held_back
    report.points, report.points_corrected = told.new, told.corrected
    report.points_unchanged = told.unchanged
    return report


def reread(home: Home, mapping: Mapping, person: Person) -> list[IntakeReport]:
    """Read every file again under a mapping and issue the corrections."""
    reason = f"mapping {mapping.source} was corrected, version {mapping.version}"
    return [_reread(home, mapping, person, again, reason) for again in _tables(home, mapping)]


def _reread(
    home: Home, mapping: Mapping, person: Person, again: _Again, reason: str
) -> IntakeReport:
    if is_series(mapping):
        return take_points(home, again.fit, person, reason)
    file = again.fit.reading.file
    extraction = extract(again.fit.table, file, mapping, home.ground(mapping))
    intake = home.intake(person)
    return take_in(extraction, file, mapping, intake, reason=reason, is_remapped=again.is_alone)
