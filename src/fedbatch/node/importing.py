"""Files into the journal: find the mapping, read, extract, take in."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fedbatch.errors import InputError, StoreError
from fedbatch.mapping.extract import extract
from fedbatch.mapping.matching import difference, fits, layout_findings, mapping_fingerprint
from fedbatch.mapping.series import extract_series, is_series
from fedbatch.mapping.tables import Table
from fedbatch.node.home import Home
from fedbatch.node.mapping_files import check_zone
from fedbatch.ports import AuditNote, Person
from fedbatch.services.checking import series_findings, source_findings
from fedbatch.services.intake import IntakeReport, take_in, write_journal_entry
from fedbatch.services.mappings import check_mapping
from fedbatch.services.series_intake import held_points, take_in_points
from fedbatch.services.side_by_side import side_by_side
from fedbatch.sources.tabular import Layout, Reading, read_columns, read_file
from fedbatch.standard.findings import Finding
from fedbatch.standard.mappings import Mapping, RowFilter, TableLayout
from fedbatch.standard.values import Correction

__all__ = [
    "Fit",
    "confirm_mapping",
    "find_files",
    "held_back",
    "import_file",
    "layout_of",
    "load_mappings",
    "mappings_named",
    "read_as",
    "take_points",
    "tells_units",
    "told_untaken",
]

_IN_COLUMNS = frozenset({".csv", ".tsv", ".txt", ".parquet"})
_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".xlsm", ".xls", ".xlsb"})


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those of a kind that can be read in the folders named.

    Raises:
        InputError: nothing there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            # A link in a folder may lead anywhere; whoever means its target names it.
            found += sorted(
                item
                for item in path.iterdir()
                if item.suffix.lower() in _SUFFIXES and not item.is_symlink()
            )
        else:
            found.append(path)
    if not found:
        raise InputError(
            "a file, or a folder with csv, tsv, txt, parquet, xlsx, xls or xlsb files",
            found=", ".join(map(str, paths)) or "nothing",
            code="import.nothing",
        )
    return found


def load_mappings(home: Home) -> list[Mapping]:
    """The newest confirmed version of every mapping."""
    heads = home.journal.heads(("mapping",)).values()
    entries = [home.journal.read(head.index) for head in heads if not head.is_withdrawn]
    return [msgspec.json.decode(bytes(entry.data), type=Mapping) for entry in entries]


def mappings_named(home: Home, name: str | None) -> list[Mapping]:
    """The confirmed mappings, or the one of a source.

    Raises:
        InputError: none of that source.
    """
    mappings = [item for item in load_mappings(home) if name in {None, item.source}]
    if name is not None and not mappings:
        raise InputError("a confirmed mapping", where="--mapping", found=name)
    return mappings


def confirm_mapping(
    home: Home, mapping: Mapping, person: Person, *, dry_run: bool = False
) -> Mapping:
    """Put a mapping in force under a person's name; the version after the one in force.

    One that says what the one in force says leaves that in force.

    Raises:
        InputError: it is not complete; every fault is named.
    """
    problems = [*check_mapping(mapping, home.units, home.dictionary), *check_zone(mapping)]
    if problems:
        raise InputError(
            "a mapping without open questions",
            where=mapping.source,
            found="; ".join(problems),
            code="mapping.incomplete",
        )
    head = home.journal.heads(("mapping",)).get(("mapping", (mapping.source,)))
    confirmed = msgspec.structs.replace(
        mapping, version=1, supersedes=None, correction=None, confirmed_by=person.person
    )
    if head is not None:
        correction = Correction(
            kind="correct", reason_code="mapping", reason="confirmed anew", by=person.person
        )
        confirmed = msgspec.structs.replace(
            confirmed, version=head.version + 1, supersedes=head.entry_id, correction=correction
        )
    now = home.clock.now()
    entry = write_journal_entry(
        confirmed,
        type_="mapping",
        key=(mapping.source,),
        entry_id=home.ids.fresh("j"),
        time=now,
        by=person.person,
        version=confirmed.version,
    )
    if head is not None and head.digest == entry.digest:
        before = home.journal.read(head.index)
        return msgspec.json.decode(bytes(before.data), type=Mapping)
    if not dry_run:
        detail = f"{mapping.source} version {confirmed.version}"
        home.journal.append(
            [entry], AuditNote(act="confirm mapping", by=person.person, time=now, detail=detail)
        )
    return confirmed


def layout_of(layout: TableLayout) -> Layout:
    """A mapping's layout as the tabular source takes it."""
    return Layout(**msgspec.structs.asdict(layout))


@dataclass(frozen=True, slots=True)
class Fit:
    """A table of a file, as it was read, and a mapping that its headers are those of."""

    reading: Reading
    table: Table
    mapping: Mapping


def _read_fitting(path: Path, mappings: Sequence[Mapping]) -> list[Fit]:
    """Read a file under each layout that a mapping names, until one's headers fit.

    Other mappings of the same headers are tried then, under their own layouts.
    """
    seen: list[Reading] = []
    problem: InputError | None = None
    # What a mapping states comes first: then nothing of it has to be found out and reported.
    points_first = sorted(mappings, key=lambda item: not is_series(item))
    for layout in dict.fromkeys([*(item.layout for item in points_first), TableLayout()]):
        is_open = layout == TableLayout()
        meant = [item for item in mappings if is_open or item.layout == layout]
        try:
            reading, found = _fits_at(path, layout, meant)
        except InputError as error:
            problem = problem or error
            continue
        seen.append(reading)
        if found:
            return [*found, *_further(path, found, [m for m in mappings if m not in meant])]
    if not seen:
        raise problem or InputError("a table", where=path.name, found="none")
    raise _no_mapping(path, seen[0], mappings)


def _fits_at(
    path: Path, layout: TableLayout, mappings: Sequence[Mapping]
) -> tuple[Reading, list[Fit]]:
    """The file under one layout, in columns where it is one of points and plain enough."""
    if path.suffix.lower() in _IN_COLUMNS and any(map(is_series, mappings)):
        reading = read_columns(path, layout_of(layout))
        found = _fits_in(reading, mappings) if reading is not None else []
        if reading is not None and any(is_series(fit.mapping) for fit in found):
            return reading, found
    reading = read_file(path, layout_of(layout))
    return reading, _fits_in(reading, mappings)


def _fits_in(reading: Reading, mappings: Sequence[Mapping]) -> list[Fit]:
    return [
        Fit(reading, table, mapping)
        for table in reading.tables
        for mapping in mappings
        if fits(table, mapping)
    ]


def _further(path: Path, found: Sequence[Fit], mappings: Sequence[Mapping]) -> list[Fit]:
    """What fits under other layouts, of the mappings that have the headers of one that fits."""
    known = {mapping_fingerprint(fit.mapping) for fit in found}
    more: list[Fit] = []
    for mapping in mappings:
        if mapping_fingerprint(mapping) in known:
            with suppress(InputError):
                more += _fits_at(path, mapping.layout, [mapping])[1]
    return more


def _without_live(found: Sequence[Fit]) -> list[Fit]:
    """What fits, without live mappings beside which one reads the same as a file."""
    series = {
        _rows_read(f) for f in found if is_series(f.mapping) and f.mapping.precedence == "file"
    }
    return [f for f in found if f.mapping.precedence == "file" or _rows_read(f) not in series]


def _rows_read(fit: Fit) -> tuple[str, tuple[RowFilter, ...]]:
    """Which rows of a file a mapping would read."""
    return fit.table.sheet, fit.mapping.only


def _check_one_each(path: Path, found: Sequence[Fit]) -> None:
    """Refuse what two mappings would read alike: which of them is meant, a person says."""
    for rows in dict.fromkeys(map(_rows_read, found)):
        names = [fit.mapping.source for fit in found if _rows_read(fit) == rows]
        if len(names) > 1:
            raise InputError(
                "one mapping for the file's headers",
                where=path.name,
                found=", ".join(names),
                advice=f"Name one of them: `fedbatch import {path.name} --mapping {names[0]}`.",
                code="import.which_mapping",
            )


def read_as(path: Path, mapping: Mapping) -> list[Fit]:
    """The tables of a file that a mapping fits.

    Raises:
        InputError: unreadable, or no table of it has the mapping's columns.
    """
    return _read_fitting(path, [mapping])


def _no_mapping(path: Path, reading: Reading, mappings: Sequence[Mapping]) -> InputError:
    """Say which mapping comes nearest and what is different."""
    differences = [
        (len(more) + len(fewer), mapping.source, more, fewer)
        for table in reading.tables
        for mapping in mappings
        for more, fewer in [difference(table, mapping)]
    ]
    if not differences:
        return InputError(
            "a confirmed mapping for the file",
            where=path.name,
            found="none yet",
            advice=f"`fedbatch map new {path.name}` drafts one.",
            code="import.no_mapping",
        )
    _, source, more, fewer = min(differences, key=lambda item: (item[0], item[1]))
    parts = [
        f"new: {', '.join(more)}" if more else "",
        f"gone: {', '.join(fewer)}" if fewer else "",
    ]
    return InputError(
        f"the columns of a confirmed mapping (the nearest is {source})",
        where=path.name,
        found="; ".join(filter(None, parts)),
        advice=f"`fedbatch map new {path.name}` drafts one for the file as it is.",
        code="import.no_mapping",
    )


def import_file(
    home: Home,
    path: Path,
    person: Person,
    *,
    mapping_name: str | None = None,
    reason: str = "the file was sent again with another value",
) -> list[IntakeReport]:
    """Take in one file, each of its tables under the mapping that fits its headers.

    Raises:
        InputError: unreadable, no mapping fits, or several do and none is named.
        StoreError: `store.full`: there was no room, and nothing was taken in.
    """
    reports: list[IntakeReport] = []
    with told_untaken(path.name, reports):
        reports.extend(_import_file(home, path, person, mapping_name, reason))
    return reports


def _import_file(
    home: Home, path: Path, person: Person, mapping_name: str | None, reason: str
) -> Iterator[IntakeReport]:
    # Before it is read: what it says may be another a moment later.
    looked_at = home.clock.now()
    mappings = mappings_named(home, mapping_name)
    fitting = _without_live(_read_fitting(path, mappings))
    _check_one_each(path, fitting)
    with home.taking():
        read = {fit.reading.file.sha256 for fit in fitting}
        if read != {home.journal_objects.write(path.read_bytes())}:
            raise InputError(
                "a file that stays as it is while it is read",
                where=path.name,
                found="other bytes a moment later",
                advice="Import it again when whoever writes it has finished.",
                code="file.changed",
            )
        for fit in fitting:
            yield _take_table(home, fit, person, reason)
    for fit in fitting:
        if tells_units(fit.mapping):
            home.journal.hear(fit.mapping.source, looked_at)


@contextmanager
def told_untaken(what: str, reports: Sequence[IntakeReport] = ()) -> Iterator[None]:
    """Where the disk is full, say besides that nothing was taken in: a table is, or is not, as a whole."""
    try:
        yield
    except StoreError as error:
        if error.code != "store.full":
            raise
        taken = ", ".join(item.mapping for item in reports)
        told = (
            f"Of {what} was taken in what {taken} reads"
            if taken
            else f"Nothing of {what} was taken in"
        )
        raise StoreError(f"{error} {told}.", code=error.code) from error


def _take_table(home: Home, fit: Fit, person: Person, reason: str) -> IntakeReport:
    reading, table, mapping = fit.reading, fit.table, fit.mapping
    if is_series(mapping):
        return take_points(home, fit, person, reason)
    extraction = extract(table, reading.file, mapping, home.ground(mapping))
    findings = [*layout_findings(reading.findings, table, mapping)]
    findings += source_findings(table, reading.file, mapping, extraction, home.clock.now())
    return take_in(
        extraction,
        reading.file,
        mapping,
        home.intake(person),
        findings=findings,
        reason=reason,
        rows_held_back=len(held_back(reading.findings)),
    )


def held_back(findings: Iterable[Finding]) -> list[Finding]:
    """Those of a file's reading that hold a row back; each tells of one."""
    return [item for item in findings if item.effect == "held_back"]


def take_points(home: Home, fit: Fit, person: Person, reason: str) -> IntakeReport:
    """Series of one table: segments first, durable, then the entries that name them."""
    reading, table, mapping = fit.reading, fit.table, fit.mapping
    found = extract_series(table, reading.file, mapping, home.ground(mapping), side_by_side)
    found.rest.findings += series_findings(found.drafts, reading.file, home.clock.now())
    found.rest.held += held_points(found.held_of, reading.file, mapping)
    intake = home.intake(person)
    told = take_in_points(found.drafts, reading.file, mapping, intake, home.journal_objects, reason)
    report = take_in(
        found.rest,
        reading.file,
        mapping,
        intake,
        findings=[*layout_findings(reading.findings, table, mapping), *told.findings],
        reason=reason,
        points=told.entries,
        rows_held_back=len(held_back(reading.findings)) + found.rows_held_back,
    )
    report.points, report.points_corrected = told.new, told.corrected
    report.points_unchanged = told.unchanged
    return report


def tells_units(mapping: Mapping) -> bool:
    """Whether a source says which batch a unit carries now: that it still says so is news too."""
    stated = {item.text for item in mapping.constants if item.field == "equipment.basis"}
    return "unit_tag" in stated or any(rule.field == "equipment.basis" for rule in mapping.rules)
