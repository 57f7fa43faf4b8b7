"""A corrected mapping: its files are read again, the difference shown, corrections issued."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from fedbatch.errors import InputError
from fedbatch.mapping.extract import extract
from fedbatch.mapping.matching import fits
from fedbatch.node.home import Home
from fedbatch.node.importing import layout_of
from fedbatch.ports import ImportRow, Person
from fedbatch.services.intake import IntakeReport, preview, take_in
from fedbatch.sources.tabular import read_file
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


def _each(
    home: Home,
    mapping: Mapping,
    act: Callable[..., IntakeReport],
) -> list[IntakeReport]:
    """Read every file of a mapping again, from the bytes kept at import, and act on each table."""
    reports = []
    for row in _files(home, mapping):
        content = home.journal_objects.read(row.sha256)
        with TemporaryDirectory() as folder:
            path = Path(folder) / row.file
            path.write_bytes(content)
            reading = read_file(path, layout_of(mapping.layout))
        tables = [table for table in reading.tables if fits(table, mapping)]
        if not tables:
            raise InputError(
                "a mapping of the same columns",
                where=row.file,
                found="other columns",
                advice="Confirm it under another source name.",
                code="mapping.columns",
            )
        for table in tables:
            extraction = extract(table, reading.file, mapping, home.ground(mapping))
            reports.append(act(extraction, reading.file))
    return reports


def difference_of(home: Home, mapping: Mapping, person: Person) -> list[IntakeReport]:
    """What reading every file again under a mapping would change; nothing is written."""
    return _each(
        home,
        mapping,
        lambda extraction, file: preview(extraction, file, mapping, home.intake(person)),
    )


def reread(home: Home, mapping: Mapping, person: Person) -> list[IntakeReport]:
    """Read every file again under a mapping and issue the corrections."""
    return _each(
        home,
        mapping,
        lambda extraction, file: take_in(
            extraction,
            file,
            mapping,
            home.intake(person),
            reason=f"mapping {mapping.source} was corrected, version {mapping.version}",
        ),
    )
