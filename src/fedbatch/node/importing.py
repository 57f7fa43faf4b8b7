"""Files into the journal: find the mapping, read, extract, take in."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fedbatch.errors import InputError, StoreError
from fedbatch.mapping.extract import extract
from fedbatch.mapping.matching import (
    difference,
    fingerprint,
    layout_findings,
    mapping_fingerprint,
)
from fedbatch.mapping.series import extract_series, is_series
from fedbatch.mapping.tables import Table
from fedbatch.node.home import Home
from fedbatch.node.mapping_files import check_zone
from fedbatch.ports import AuditNote, Person
from fedbatch.services.checking import series_findings, source_findings
from fedbatch.services.intake import IntakeReport, take_in, write_journal_entry
from fedbatch.services.mappings import check_mapping
from fedbatch.services.series_intake import take_in_points
from fedbatch.services.side_by_side import side_by_side
from fedbatch.sources.tabular import Layout, Reading, read_columns, read_file
from fedbatch.standard.findings import Finding
from fedbatch.standard.mappings import Mapping, TableLayout
from fedbatch.standard.values import Correction

__all__ = [
    "confirm_mapping",
    "find_files",
    "held_back",
    "import_file",
    "layout_of",
    "load_mappings",
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


def confirm_mapping(
    home: Home, mapping: Mapping, person: Person, *, dry_run: bool = False
) -> Mapping:
    """Put a mapping in force under a person's name; the version after the one in force.

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
    if not dry_run and (head is None or head.digest != entry.digest):
        detail = f"{mapping.source} version {confirmed.version}"
        home.journal.append(
            [entry], AuditNote(act="confirm mapping", by=person.person, time=now, detail=detail)
        )
    return confirmed


def layout_of(layout: TableLayout) -> Layout:
    """A mapping's layout as the tabular source takes it."""
    return Layout(**msgspec.structs.asdict(layout))


def _read_points(
    path: Path, mappings: Sequence[Mapping]
) -> tuple[Reading, list[tuple[Table, Mapping]]] | None:
    """A file of points in columns, if a mapping of series fits its headers and it is plain enough."""
    for mapping in mappings:
        if not is_series(mapping) or path.suffix.lower() not in _IN_COLUMNS:
            continue
        try:
            reading = read_columns(path, layout_of(mapping.layout))
        except InputError:
            continue
        if reading is None:
            continue
        table = reading.tables[0]
        if mapping_fingerprint(mapping) == fingerprint(table):
            return reading, [(table, mapping)]
    return None


def _read_fitting(
    path: Path, mappings: Sequence[Mapping]
) -> tuple[Reading, list[tuple[Table, Mapping]]]:
    """Read a file under each layout that a mapping names, until one's headers fit."""
    points = _read_points(path, mappings)
    if points is not None:
        return points
    # What a mapping states comes first: then nothing of it has to be found out and reported.
    layouts = list(dict.fromkeys([*(item.layout for item in mappings), TableLayout()]))
    seen: list[tuple[Reading, TableLayout]] = []
    problem: InputError | None = None
    for layout in layouts:
        try:
            reading = read_file(path, layout_of(layout))
        except InputError as error:
            problem = problem or error
            continue
        seen.append((reading, layout))
        fitting = [
            (table, mapping)
            for table in reading.tables
            for mapping in mappings
            if mapping_fingerprint(mapping) == fingerprint(table)
            and (mapping.layout == layout or layout == TableLayout())
        ]
        if fitting:
            return reading, fitting
    if not seen:
        raise problem or InputError("a table", where=path.name, found="none")
    raise _no_mapping(path, seen[0][0], mappings)


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
    mappings = [item for item in load_mappings(home) if mapping_name in {None, item.source}]
    if mapping_name is not None and not mappings:
        raise InputError("a confirmed mapping", where="--mapping", found=mapping_name)
    reading, fitting = _read_fitting(path, mappings)
    unfiltered = [mapping for _, mapping in fitting if not mapping.only]
    if len(unfiltered) > 1:
        names = ", ".join(mapping.source for _, mapping in fitting)
        raise InputError(
            "one mapping for the file",
            where=path.name,
            found=names,
            advice="Name one with --mapping.",
            code="import.which_mapping",
        )
    with home.taking():
        if home.journal_objects.write(path.read_bytes()) != reading.file.sha256:
            raise InputError(
                "a file that stays as it is while it is read",
                where=path.name,
                found="other bytes a moment later",
                advice="Import it again when whoever writes it has finished.",
                code="file.changed",
            )
        for table, mapping in fitting:
            yield _take_table(home, reading, table, mapping, person, reason)
    for _, mapping in fitting:
        if tells_units(mapping):
            home.journal.hear(mapping.source, looked_at)


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


def _take_table(
    home: Home, reading: Reading, table: Table, mapping: Mapping, person: Person, reason: str
) -> IntakeReport:
    if is_series(mapping):
        return _take_points(home, reading, table, mapping, person, reason)
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


def _take_points(
    home: Home, reading: Reading, table: Table, mapping: Mapping, person: Person, reason: str
) -> IntakeReport:
    """Series of one table: segments first, durable, then the entries that name them."""
    found = extract_series(table, reading.file, mapping, home.ground(mapping), side_by_side)
    found.rest.findings += series_findings(found.drafts, reading.file, home.clock.now())
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
