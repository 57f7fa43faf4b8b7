"""Following sources: growing files are read on, others taken in again once they have changed."""

import dataclasses
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fedbatch.errors import FedbatchError, InputError
from fedbatch.mapping.matching import fits
from fedbatch.mapping.series import extract_series, is_series
from fedbatch.node.home import Home
from fedbatch.node.importing import (
    find_files,
    held_back,
    import_file,
    layout_of,
    mappings_named,
    tells_units,
)
from fedbatch.node.posting import Sharer
from fedbatch.ports import AuditNote, Followed, ImportRow, Person
from fedbatch.services.checking import live_findings
from fedbatch.services.intake import IntakeReport, entries_of
from fedbatch.services.live import LiveIntake, seal
from fedbatch.sources.tabular import Part, Reading, read_part
from fedbatch.standard import canonical
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.mappings import Mapping
from fedbatch.standard.rulebook import finding

__all__ = ["Follower", "Turn"]

# A source whose clock is wrong is so at every look.
_OF_CLOCKS = frozenset({"clock.skew", "time.future"})


@dataclass(slots=True, kw_only=True)
class Turn:
    """What one look at the sources came to; `disputes` are what sharing holds back, and why."""

    reports: list[IntakeReport] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    points: int = 0
    sealed: int = 0
    posted: int = 0
    disputes: list[Finding] = field(default_factory=list)


def _state_of(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise InputError("a file", where=path.name, found="nothing", code="file.missing") from error


def _replaced(path: Path, known: Followed) -> list[Finding]:
    """That a file is not the one that was followed."""
    return [
        finding(
            "file.replaced",
            Place(file=path.name),
            found="another file of its name",
            expected=f"the one that was read up to byte {known.offset:,}",
            advice="It is read from its start. What the one before had more than was read is not seen.",
        )
    ]


class Follower:
    """Sources that are looked at again and again; what was taken in is kept in the journal."""

    def __init__(
        self,
        home: Home,
        paths: Sequence[Path],
        person: Person,
        *,
        shares: bool,
        mapping_name: str | None = None,
    ) -> None:
        self.home, self.paths, self.person, self.shares = home, paths, person, shares
        self._mapping_name = mapping_name
        self._seen: dict[Path, tuple[int, int]] = {}
        self._mappings = mappings_named(home, mapping_name)
        self._live: dict[Path, Mapping | None] = {}
        self._noted: set[str] = set()
        self._tags_of_units: dict[Path, list[str]] = {}
        self._live_intake = LiveIntake(home.journal, home.journal_objects)
        self._ahead: set[tuple[str, ...]] = set()
        self._sharers: dict[str, Sharer] = {}

    def learn(self) -> None:
        """Read the confirmed mappings again."""
        self._mappings = mappings_named(self.home, self._mapping_name)
        self._live.clear()

    def turn(self) -> Turn:
        """Look once: take in what is new, seal what is complete, share where that was asked for."""
        turn = Turn()
        files = self._files()
        for path in self._gone(files):
            turn.refused[path.name] = "It was followed, and is not there any more. [file.missing]"
        for path in files:
            try:
                self._take(path, turn)
            except InputError as error:
                # A file being written, or one nobody has mapped yet, holds no other up.
                turn.refused[path.name] = f"{error} [{error.code}]"
        if turn.points and self._live_intake.is_due():
            turn.sealed = self.seal()
            self._live_intake.note_sealed()
        if self.shares:
            turn.posted = self._share(turn)
        return turn

    def _files(self) -> list[Path]:
        found: list[Path] = []
        for path in self.paths:
            folders = (
                [path, *sorted(p for p in path.rglob("*") if p.is_dir())] if path.is_dir() else []
            )
            for folder in folders:
                try:
                    found += find_files([folder])
                except InputError:
                    continue
            if not path.is_dir() and path.exists():
                found.append(path)
        return found

    def _gone(self, files: Sequence[Path]) -> list[Path]:
        """What was named, or followed line by line, and cannot be found."""
        followed = [path for path, mapping in self._live.items() if mapping is not None]
        named = [path for path in self.paths if not path.exists()]
        return sorted({*followed, *named} - {*files})

    def _take(self, path: Path, turn: Turn) -> None:
        now, state = self.home.clock.now(), _state_of(path)
        looked = (state.st_size, state.st_mtime_ns)
        if self._seen.get(path) == looked:
            for source in self._tags_of_units.get(path, ()):
                self.home.journal.hear(source, now)
            return
        mapping = self._live_mapping(path)
        if mapping is None:
            self._seen[path] = looked
            reports = import_file(self.home, path, self.person, mapping_name=self._mapping_name)
            taken = {report.mapping for report in reports}
            self._tags_of_units[path] = [
                item.source for item in self._mappings if item.source in taken and tells_units(item)
            ]
            turn.reports += [
                report
                for report in reports
                if report.new or report.corrected or report.held_back or report.points
            ]
            return
        while (report := self._read_in_turn(path, mapping)) is not None:
            turn.points += report.points
            if report.findings:
                turn.reports.append(report)
        self._seen[path] = looked

    def _live_mapping(self, path: Path) -> Mapping | None:
        """The mapping under which a file is followed line by line, or None; found once a path."""
        if path not in self._live:
            found = self._find_live_mapping(path)
            if found is None and self._seen.get(path) is None:
                # Its first rows may not be there yet.
                return None
            self._live[path] = found
        return self._live[path]

    def _find_live_mapping(self, path: Path) -> Mapping | None:
        """The mapping of a growing file that has a file's headers, or None.

        Raises:
            InputError: several have, and which of them is meant a person says.
        """
        found: list[Mapping] = []
        for mapping in self._mappings:
            if is_series(mapping) and mapping.precedence == "live":
                with suppress(InputError):
                    part = read_part(path, layout_of(mapping.layout))
                    if fits(part.reading.tables[0], mapping):
                        found.append(mapping)
        if len(found) > 1:
            names = [mapping.source for mapping in found]
            raise InputError(
                "one mapping for the file's headers",
                where=path.name,
                found=", ".join(names),
                advice=f"Name one of them: `fedbatch import --follow --mapping {names[0]}`.",
                code="import.which_mapping",
            )
        return found[0] if found else None

    def _read_in_turn(self, path: Path, mapping: Mapping) -> IntakeReport | None:
        with self.home.taking():
            return self._read_on(path, mapping)

    def _read_on(self, path: Path, mapping: Mapping) -> IntakeReport | None:
        """Take in what a file has grown by; None where that is nothing."""
        home, name = self.home, str(path.resolve())
        known = home.journal.followed(name)
        part, mapping = self._part(path, mapping, known)
        start = 0 if known is None or part.is_other else known.offset
        table = part.reading.tables[0]
        if part.offset == start or not (table.rows or held_back(part.reading.findings)):
            return None
        followed = Followed(
            path=name,
            source=mapping.source,
            offset=part.offset,
            rows=part.rows,
            header_sha256=part.header_sha256,
            seen_sha256=part.seen_sha256,
        )
        replaced = _replaced(path, known) if known is not None and part.is_other else []
        return self._take_part(part.reading, mapping, followed, replaced)

    def _part(self, path: Path, mapping: Mapping, known: Followed | None) -> tuple[Part, Mapping]:
        """What a file has more, and the mapping for it: a file of another header may want another."""
        layout = layout_of(mapping.layout)
        if known is None:
            return read_part(path, layout), mapping
        part = read_part(path, layout, offset=known.offset, rows=known.rows, seen=known.seen_sha256)
        if part.header_sha256 == known.header_sha256:
            return part, mapping
        other = self._find_live_mapping(path)
        if other is None:
            raise InputError(
                "the header it had before",
                where=path.name,
                found="another, for which no mapping of a growing file is confirmed",
                code="file.header",
            )
        self._live[path] = other
        part = read_part(path, layout_of(other.layout))
        return dataclasses.replace(part, is_other=True), other

    def _take_part(
        self,
        reading: Reading,
        mapping: Mapping,
        followed: Followed,
        replaced: Sequence[Finding],
    ) -> IntakeReport:
        home = self.home
        intake = home.intake(self.person)
        found = extract_series(reading.tables[0], reading.file, mapping, home.ground(mapping))
        told = self._live_intake.take(found.drafts, reading.file, intake, mapping.source)
        entries = told.entries
        if found.rest.drafts:
            # Batches and products that the source names beside its points.
            entries = [*entries_of(found.rest, reading.file, mapping, intake), *entries]
        report = IntakeReport(file=reading.file.name, mapping=mapping.source, points=told.points)
        report.points_unchanged = told.unchanged
        report.rows_held_back = len(held_back(reading.findings)) + found.rows_held_back
        checked = live_findings(found.drafts, reading.file, home.clock.now())
        report.findings = [
            *replaced,
            *held_back(reading.findings),
            *found.rest.findings,
            *self._not_said_before(checked),
            *told.findings,
        ]
        imported = self._import_row(reading, mapping, report.findings) if report.findings else None
        home.journal.append(
            entries,
            self._note(reading) if followed.path not in self._noted else None,
            imported=imported,
            followed=followed,
        )
        self._noted.add(followed.path)
        return report

    def _not_said_before(self, findings: Sequence[Finding]) -> list[Finding]:
        """Without what a source's clock was found to be at the look before too."""
        ahead = {
            (item.rule, item.where.file, *item.where.key): item
            for item in findings
            if item.rule in _OF_CLOCKS
        }
        said, self._ahead = self._ahead, set(ahead)
        fresh = [item for name, item in ahead.items() if name not in said]
        return [*fresh, *(item for item in findings if item.rule not in _OF_CLOCKS)]

    def _note(self, reading: Reading) -> AuditNote:
        """That a file is followed from here on: one act, however often it is looked at."""
        return AuditNote(
            act="follow",
            by=self.person.person,
            time=self.home.clock.now(),
            detail=reading.file.name,
        )

    def _import_row(
        self, reading: Reading, mapping: Mapping, findings: Sequence[Finding]
    ) -> ImportRow:
        return ImportRow(
            id=self.home.ids.fresh("import"),
            file=reading.file.name,
            sha256="",
            mapping=mapping.source,
            time=self.home.clock.now(),
            by=self.person.person,
            row_keys=(),
            findings=tuple(canonical.encode(item) for item in findings),
        )

    def seal(self, *, is_end: bool = False) -> int:
        """Seal the hours that are complete; with `is_end` whatever there is."""
        home = self.home
        with home.taking():
            entries = seal(home.intake(self.person), home.journal_objects, is_end=is_end)
            if entries:
                note = AuditNote(
                    act="seal",
                    by=self.person.person,
                    time=home.clock.now(),
                    detail=f"{len(entries)} stretches",
                )
                home.journal.append(entries, note)
        return len(entries)

    def _share(self, turn: Turn) -> int:
        posted = 0
        for known in self.home.node.agreements():
            try:
                if known.agreement not in self._sharers:
                    self._sharers[known.agreement] = Sharer(self.home, known, self.person)
                shared = self._sharers[known.agreement].share()
                posted += shared.posted
                turn.disputes += shared.plan.findings
            except FedbatchError as error:
                turn.refused[known.name] = f"{error} [{error.code}]"
        return posted
