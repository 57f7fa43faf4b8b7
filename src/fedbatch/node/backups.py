"""Backups of a home: made while it is in use, checked whole before anything of one is restored.

Databases are copied first, each at one instant, ledgers before the journal; objects after them, so
that every object which a copy names is there. A ledger that is older than the journal posts again what
it lacks, under the same ids. Keys are not in it: they have a backup of their own under two passphrases.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol

import msgspec

from fedbatch.errors import ConflictError, InputError, IntegrityError, StoreError, expectation
from fedbatch.node.home import Home
from fedbatch.node.settings import not_empty
from fedbatch.ports import AuditNote, Clock, Person
from fedbatch.services.exchange import AWAITED
from fedbatch.standard import canonical
from fedbatch.store.journal import Journal
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.nodes import NodeDatabase
from fedbatch.store.objects import DISK, write_durably
from fedbatch.store.snapshots import copy_database

__all__ = ["BackedUp", "Restored", "back_up", "restore"]

MANIFEST = "manifest.json"
_MANIFEST_BYTES_MAX = 256 * 1024 * 1024
_PART_BYTES = 1024 * 1024
_PAGE_BYTES = 4096
# What is made anew, or is part of an open database, or has a backup of its own.
_LEFT_OUT = ("views.sqlite", ".part", "-wal", "-shm", "-journal")
_NEVER = frozenset({"keys", "guests"})
Report = Callable[[int, int], None]


class FileLine(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the backup: its path in the home, its length and its hash in hex."""

    path: str
    bytes: int
    sha256: str


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """How a ledger stood."""

    agreement: str
    ledger: str
    is_own: bool
    size: int
    root: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, to be kept apart from it: a rewritten journal then shows at the next drill.

    `journal_link` is the newest link of the journal's hash chain. `missing` are objects that copies
    name and that were damaged, or not there.
    """

    kind: Literal["fedbatch-backup/1"]
    made_at: str
    party: str
    name: str
    journal_size: int
    journal_link: str
    ledgers: tuple[LedgerLine, ...]
    files: tuple[FileLine, ...]
    missing: tuple[str, ...] = ()


class BackedUp(msgspec.Struct, kw_only=True):
    """What was backed up."""

    backup: str
    files: int
    bytes: int
    journal_size: int
    journal_link: str
    missing: list[str]


class Restored(msgspec.Struct, kw_only=True):
    """What was restored."""

    home: str
    party: str
    made_at: str
    files: int
    bytes: int
    agreements: list[str]


# ---- making


def back_up(
    home: Home,
    by: Person,
    target: Path,
    report: Report,
    *,
    manifest: Path | None = None,
) -> BackedUp:
    """Back a home up into a new folder, or into a file that ends in `.tar`, while others write.

    Args:
        home: what is backed up.
        by: a node admin.
        target: not there yet.
        report: hears bytes done and in all.
        manifest: where a second copy of the manifest goes, to be kept apart.

    Raises:
        ConflictError: the target is there already.
        InputError: the target lies in the home: the next backup would hold this one.
    """
    if target.resolve().is_relative_to(home.path.resolve()):
        raise InputError("a place outside the home", where="backup", found=str(target))
    if target.exists():
        raise ConflictError(
            expectation(
                "a place where nothing is yet",
                str(target),
                "a folder" if target.is_dir() else "a file",
                "A backup replaces none: name another place.",
            ),
            code="backup.there",
        )
    aside = target.with_name(f".{target.name}.part")
    try:
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir(parents=True)
        aside.chmod(0o700)
        made = _fill(home, aside, report)
        content = canonical.encode(made)
        write_durably(aside / MANIFEST, content, mode=0o600)
        _finish(aside, target)
    except StoreError as error:
        raise StoreError(f"The backup {target} was not made: {error}") from error
    except OSError as error:
        raise StoreError(f"{target} could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if manifest is not None:
        write_durably(manifest, content, mode=0o600)
    detail = f"{len(made.files)} files, journal {made.journal_size} {made.journal_link}"
    home.node.note(AuditNote(act="back up", by=by.person, time=home.clock.now(), detail=detail))
    return BackedUp(
        backup=str(target),
        files=len(made.files),
        bytes=sum(line.bytes for line in made.files),
        journal_size=made.journal_size,
        journal_link=made.journal_link,
        missing=list(made.missing),
    )


def _finish(aside: Path, target: Path) -> None:
    """Give the folder its name, or pack it into the file of that name."""
    if target.suffix != ".tar":
        aside.replace(target)
        DISK.sync_folder(target.parent)
        return
    packed = target.with_name(f".{target.name}.packed.part")
    try:
        _pack(aside, packed)
        packed.replace(target)
    finally:
        packed.unlink(missing_ok=True)
    DISK.sync_folder(target.parent)


def _pack(aside: Path, packed: Path) -> None:
    """Pack a folder into one file, durably."""
    with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as out:
        out.add(aside / MANIFEST, MANIFEST)
        for path in sorted(aside.rglob("*")):
            if path.is_file() and path.name != MANIFEST:
                out.add(path, str(path.relative_to(aside)))
    packed.chmod(0o600)
    DISK.sync_file(packed)


def _is_left_out(path: Path) -> bool:
    return (
        path.parts[0] in _NEVER
        or path.name.startswith((".", "views.sqlite"))
        or path.name.endswith(_LEFT_OUT)
    )


def _found(home: Path) -> list[Path]:
    """Every file that belongs into a backup, by its path in the home."""
    paths = (path.relative_to(home) for path in sorted(home.rglob("*")) if path.is_file())
    return [path for path in paths if not _is_left_out(path)]


def _is_object(path: Path) -> bool:
    return "objects" in path.parts[:-1]


def _order(path: Path) -> tuple[int, str]:
    """Agreements known first, then ledgers, then the journal."""
    ranks = {"node.sqlite": 0, "journal.sqlite": 2}
    return ranks.get(path.name, 1), str(path)


@dataclass(slots=True)
class _Progress:
    """Bytes done of those there were when it began."""

    report: Report
    total: int
    done: int = 0

    def pages(self, done: int, _total: int) -> None:
        """So many pages of a database that is being copied."""
        self.report(min(self.done + done * _PAGE_BYTES, self.total), self.total)

    def add(self, count: int) -> None:
        """A file is done."""
        self.done += count
        self.report(min(self.done, self.total), self.total)


def _fill(home: Home, aside: Path, report: Report) -> Manifest:
    made_at = home.clock.now()
    found = _found(home.path)
    progress = _Progress(report, sum((home.path / path).stat().st_size for path in found))
    databases = sorted((path for path in found if path.suffix == ".sqlite"), key=_order)
    for path in databases:
        (aside / path).parent.mkdir(parents=True, exist_ok=True)
        copy_database(home.path / path, aside / path, progress.pages)
        progress.add((aside / path).stat().st_size)
    journal_size, journal_link = _read_journal(aside)
    ledgers, named = _read_ledgers(aside, databases)
    named |= _named_by_journal(aside)
    lines = [_line(aside, path) for path in databases]
    # Looked for again: objects that came meanwhile may be named by the copies.
    for path in _found(home.path):
        line = _copy_file(home.path, aside, path) if path.suffix != ".sqlite" else None
        if line is not None:
            lines.append(line)
            progress.add(line.bytes)
    return Manifest(
        kind="fedbatch-backup/1",
        made_at=made_at,
        party=home.settings.party,
        name=home.settings.name,
        journal_size=journal_size,
        journal_link=journal_link,
        ledgers=tuple(ledgers),
        files=tuple(sorted(lines, key=lambda line: line.path)),
        missing=tuple(sorted(named - {line.path for line in lines})),
    )


def _read_journal(aside: Path) -> tuple[int, str]:
    journal = Journal(aside / "journal")
    try:
        return journal.size(), journal.head_link()
    finally:
        journal.close()


def _named_by_journal(aside: Path) -> set[str]:
    journal = Journal(aside / "journal")
    try:
        # What was read on from a growing file has findings and no file of its own.
        return {_object_path("journal", row.sha256) for row in journal.imports() if row.sha256}
    finally:
        journal.close()


def _object_path(folder: str, sha256: str) -> str:
    return f"{folder}/objects/{sha256[:2]}/{sha256[2:]}"


def _read_ledgers(aside: Path, databases: list[Path]) -> tuple[list[LedgerLine], set[str]]:
    """How ledgers stand in the copies, and the objects that they name and that were here."""
    lines: list[LedgerLine] = []
    named: set[str] = set()
    for path in databases:
        if path.name != "ledgers.sqlite":
            continue
        store = Ledgers(aside / path.parent)
        try:
            awaited = msgspec.json.decode(store.setting(AWAITED) or b"{}", type=dict[str, int])
            for row in store.ledgers():
                agreement = path.parent.name
                root = row.root.hex()
                line = LedgerLine(
                    agreement=agreement,
                    ledger=row.ledger,
                    is_own=row.is_own,
                    size=row.size,
                    root=root,
                )
                lines.append(line)
                folder = path.parent.as_posix()
                names = (item.sha256 for item in store.objects(row.ledger))
                named |= {_object_path(folder, name) for name in names if name not in awaited}
        finally:
            store.close()
    return lines, named


def _line(folder: Path, path: Path) -> FileLine:
    digest, size = hashlib.sha256(), 0
    with (folder / path).open("rb") as file:
        while part := file.read(_PART_BYTES):
            digest.update(part)
            size += len(part)
    return FileLine(path=path.as_posix(), bytes=size, sha256=digest.hexdigest())


def _copy_file(home: Path, aside: Path, path: Path) -> FileLine | None:
    """Copy a file; None of an object that was erased meanwhile, or is damaged."""
    try:
        content = (home / path).read_bytes()
    except FileNotFoundError:
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    if _is_object(path) and path.parent.name + path.name != sha256:
        return None
    write_durably(aside / path, content, mode=0o600)
    return FileLine(path=path.as_posix(), bytes=len(content), sha256=sha256)


# ---- restoring


class _Backup(Protocol):
    """A backup as it is read: names of its files, and their bytes."""

    def names(self) -> list[str]: ...

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        found = sorted(self._path.rglob("*"))
        strange = [path for path in found if path.is_symlink()]
        if strange:
            raise _no_backup(f"a link: {strange[0].name}")
        return [path.relative_to(self._path).as_posix() for path in found if path.is_file()]

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with (self._path / name).open("rb") as file:
            yield file


class _Archive:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def names(self) -> list[str]:
        members = self._archive.getmembers()
        if not all(member.isreg() for member in members):
            raise _no_backup("something that is no file")
        return [member.name for member in members]

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        file = self._archive.extractfile(name)
        if file is None:
            raise _no_backup(f"no {name}")
        with file:
            yield file  # type: ignore[misc] # tarfile promises IO[bytes]


@contextmanager
def _opened(path: Path) -> Iterator[_Backup]:
    try:
        if path.is_dir():
            yield _Folder(path)
            return
        with tarfile.open(path, "r:") as archive:
            yield _Archive(archive)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _no_backup(f"{path.name}: {type(error).__name__}") from error


def _no_backup(found: str) -> InputError:
    return InputError("a backup as `fedbatch backup` wrote it", found=found, code="backup.damaged")


def restore(
    path: Path,
    target: Path,
    report: Report,
    *,
    manifest: Path | None = None,
    clock: Clock | None = None,
) -> Restored:
    """Restore a backup into a new home, once every file of it has its hash.

    The home is marked: it takes in, and posts nothing until its partners were heard.

    Args:
        path: the backup's folder or file.
        target: the home; not there yet, or empty.
        report: hears bytes done and in all.
        manifest: the one kept apart; the backup's own must be equal.
        clock: in tests.

    Raises:
        ConflictError: the home is not empty.
        InputError: a file is missing, changed or strange; nothing was written.
    """
    if target.exists() and any(target.iterdir()):
        raise ConflictError(not_empty(target), code="home.not_empty")
    with _opened(path) as backup:
        found = _read_manifest(backup, manifest)
        total = 2 * sum(line.bytes for line in found.files)
        done = 0
        for line in found.files:
            done += _copy_checked(backup, line, None)
            report(done, total)
        target.mkdir(parents=True, exist_ok=True)
        target.chmod(0o700)
        # The settings make a folder a home, so they come last: a restore cut short leaves none.
        for line in sorted(found.files, key=lambda item: item.path == "node.toml"):
            done += _copy_checked(backup, line, target / line.path)
            report(done, total)
    _mark(target, found, clock)
    agreements = sorted({line.agreement for line in found.ledgers})
    return Restored(
        home=str(target),
        party=found.party,
        made_at=found.made_at,
        files=len(found.files),
        bytes=sum(line.bytes for line in found.files),
        agreements=agreements,
    )


def _read_manifest(backup: _Backup, apart: Path | None) -> Manifest:
    names = backup.names()
    if MANIFEST not in names:
        raise _no_backup("no manifest")
    with backup.open(MANIFEST) as file:
        content = file.read(_MANIFEST_BYTES_MAX)
    if apart is not None and apart.read_bytes() != content:
        raise InputError(
            "the manifest that was kept apart", found="another", code="backup.manifest"
        )
    try:
        found = canonical.parse(content, Manifest, MANIFEST)
    except InputError as error:
        raise _no_backup("another manifest") from error
    _check_names(found, names)
    return found


def _check_names(found: Manifest, names: list[str]) -> None:
    """Exactly the files of the manifest, and no name that leads out of the home."""
    for line in found.files:
        parts = PurePosixPath(line.path).parts
        is_plain = str(PurePosixPath(*parts)) == line.path and "\\" not in line.path
        if not parts or ".." in parts or parts[0] in {"/", *_NEVER} or not is_plain:
            raise _no_backup(f"a file named {line.path[:80]}")
    listed = sorted([MANIFEST, *(line.path for line in found.files)])
    if listed != sorted(names):
        strange = sorted({*listed} ^ {*names}) or ["a name twice"]
        raise _no_backup(f"{strange[0][:80]} missing, or not in the manifest")
    if "node.toml" not in names:
        raise _no_backup("no node.toml")


def _copy_checked(backup: _Backup, line: FileLine, target: Path | None) -> int:
    """Hash a file of the backup and compare, writing it where a target is given; its length."""
    digest, size = hashlib.sha256(), 0
    out: BinaryIO | None = None
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        out = target.open("xb")
    try:
        with backup.open(line.path) as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
                size += len(part)
                if out is not None:
                    out.write(part)
    finally:
        if out is not None:
            out.close()
    if (size, digest.hexdigest()) != (line.bytes, line.sha256):
        raise _no_backup(f"{line.path} changed")
    if target is not None:
        DISK.sync_file(target)
        DISK.sync_folder(target.parent)
    return size


def _mark(target: Path, found: Manifest, clock: Clock | None) -> None:
    """Mark each agreement's store as restored, and hold heads against the manifest's.

    Raises:
        IntegrityError: a head differs from what the manifest says.
    """
    wrong = _mark_ledgers(target, found)
    if _read_journal(target) != (found.journal_size, found.journal_link):
        wrong.append("journal")
    if wrong:
        raise IntegrityError(
            f"restored heads differ from the manifest: {', '.join(wrong)}", code="backup.heads"
        )
    node = NodeDatabase(target / "node.sqlite")
    node.close()
    with Home(target, clock=clock) as home:
        detail = f"backup of {found.made_at}"
        home.node.note(AuditNote(act="restore", by="node", time=home.clock.now(), detail=detail))


def _mark_ledgers(target: Path, found: Manifest) -> list[str]:
    wrong = []
    expected: dict[str, list[LedgerLine]] = {}
    for line in found.ledgers:
        expected.setdefault(line.agreement, []).append(line)
    for folder in sorted((target / "agreements").glob("*")):
        store = Ledgers(folder)
        try:
            if any(not row.is_own for row in store.ledgers()):
                store.mark_restored()
            else:
                # Nobody else holds anything of it, so there is nobody to be heard first.
                store.confirm_place()
            heads = {(row.ledger, row.size, row.root.hex()) for row in store.ledgers()}
            lines = expected.pop(folder.name, [])
            if heads != {(line.ledger, line.size, line.root) for line in lines}:
                wrong.append(folder.name)
        finally:
            store.close()
    return wrong + sorted(expected)
