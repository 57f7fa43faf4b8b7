"""Bounds for hostile and half-written files, held before anything is parsed.

Everything is read once, into memory, and judged there: what was checked is what is parsed.
"""

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal
from xml.parsers import expat

from openpyxl.formula.tokenizer import TokenizerError
from openpyxl.formula.translate import TranslatorError
from openpyxl.utils.exceptions import InvalidFileException

from fedbatch.errors import InputError

__all__ = [
    "BOUNDS",
    "Bounds",
    "Kind",
    "Loaded",
    "check_archive",
    "encrypted",
    "foreign_errors",
    "load",
]

Kind = Literal["text", "xlsx", "xlsb", "xls", "parquet"]

BLOCK_BYTES = 1 << 20
ZIP_MAGIC = b"PK\x03\x04"
CENTRAL_ENTRY = b"PK\x01\x02"
PARQUET_MAGIC = b"PAR1"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
OTHER_MAGIC = (
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
)
MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table", b"<workbook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a file may hold. A file beyond a bound is refused whole, never read in part."""

    text_bytes_max: int = 2 << 30
    workbook_bytes_max: int = 256 << 20
    line_bytes_max: int = 16 << 20  # 16,384 columns of a kilobyte
    columns_max: int = 16_384  # as many as a workbook can have
    rows_max: int = 1_048_576  # of a sheet
    text_cells_max: int = 50_000_000  # about 110 bytes each in memory
    sheet_cells_max: int = 20_000_000
    archive_entries_max: int = 10_000
    inflated_bytes_max: int = 512 << 20
    inflation_max: int = 100  # zip bombs start at about 1,000
    inflation_floor_bytes: int = 10 << 20  # below it any ratio is harmless
    markup_max: int = 40_000_000  # opening brackets in all parts; a cell has about four


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A file's bytes with their name, kind and SHA-256 in hex."""

    name: str
    kind: Kind
    content: bytes
    sha256: str


def read_some(stream: BinaryIO, size: int) -> bytes:
    return stream.read(size)


def load(
    path: Path,
    bounds: Bounds = BOUNDS,
    *,
    is_wide: bool = False,
    read_block: Callable[[BinaryIO, int], bytes] = read_some,
) -> Loaded:
    """Read a regular file whole, unless a bound forbids it or it changes meanwhile.

    Args:
        path: the file; a symbolic link counts as what it points to.
        bounds: what is refused.
        is_wide: the caller says it is UTF-16, so that NUL bytes are in order.
        read_block: how a block is read.

    Raises:
        InputError: file.missing, file.unreadable, file.kind, file.empty, file.too_large, file.nul,
            file.line_length, file.encrypted, file.growing.
    """
    with open_regular(path) as stream:
        before = os.fstat(stream.fileno())
        head = read_block(stream, BLOCK_BYTES)
        kind = judge_head(path.name, head)
        check_size(path.name, kind, before.st_size, bounds)
        content = bytearray(head)
        lines = LineGuard(path.name, bounds, is_wide=is_wide or is_utf16(head))
        block = head
        while block:
            if kind == "text":
                lines.check(block)
            block = read_block(stream, BLOCK_BYTES)
            content += block
            check_size(path.name, kind, len(content), bounds)
        check_still(path.name, before, os.fstat(stream.fileno()), len(content))
    kind = "xlsb" if kind == "xlsx" and b"xl/workbook.bin" in content else kind
    if kind == "xls" and ENCRYPTED_STREAM in content:
        raise encrypted(path.name)
    digest = hashlib.sha256(content).hexdigest()
    return Loaded(name=path.name, kind=kind, content=bytes(content), sha256=digest)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open without waiting for a pipe's writer, and refuse whatever is no regular file."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except FileNotFoundError as error:
        raise InputError("a file", where=path.name, found="nothing", code="file.missing") from error
    except (OSError, ValueError) as error:
        raise InputError(
            "a readable file", where=path.name, found=str(error), code="file.unreadable"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(
            "a regular file",
            where=path.name,
            found="a directory, pipe or device",
            code="file.kind",
        )
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        yield stream


def judge_head(name: str, head: bytes) -> Kind:
    """Tell the kind by content; the name's ending is no evidence."""
    if not head:
        raise InputError("at least one byte", where=name, found="an empty file", code="file.empty")
    if head.startswith(ZIP_MAGIC):
        return "xlsx"
    if head.startswith(OLE_MAGIC):
        return "xls"
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    found = next((label for magic, label in OTHER_MAGIC if head.startswith(magic)), "")
    if not found and head[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(MARKUP):
        found = "HTML or XML"
    if found:
        raise InputError(
            "delimited text, a workbook or a Parquet file",
            where=name,
            found=found,
            advice="Export the table as CSV or xlsx.",
            code="file.kind",
        )
    return "text"


def is_utf16(head: bytes) -> bool:
    return head.startswith((b"\xff\xfe", b"\xfe\xff"))


def check_size(name: str, kind: Kind, size_bytes: int, bounds: Bounds) -> None:
    most = bounds.text_bytes_max if kind == "text" else bounds.workbook_bytes_max
    if size_bytes > most:
        raise InputError(
            f"at most {most} bytes",
            where=name,
            found=f"{size_bytes} bytes or more",
            advice="Export a shorter period at a time.",
            code="file.too_large",
        )


def check_still(name: str, before: os.stat_result, after: os.stat_result, read: int) -> None:
    """A file that another program still writes would be taken in half."""
    if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and (
        read == after.st_size
    ):
        return
    raise InputError(
        "a file that nobody writes to",
        where=name,
        found=f"{before.st_size} bytes before and {after.st_size} after reading",
        advice="Wait until it is finished, then read it again.",
        code="file.growing",
    )


class LineGuard:
    """Refuses NUL bytes and endless lines while the blocks of a text come in."""

    def __init__(self, name: str, bounds: Bounds, *, is_wide: bool) -> None:
        self.name = name
        self.length_max = bounds.line_bytes_max
        self.is_wide = is_wide
        self.length = 0

    def check(self, block: bytes) -> None:
        if not self.is_wide and b"\0" in block:
            raise InputError(
                "text",
                where=self.name,
                found="NUL bytes",
                advice="If it is UTF-16 without a byte order mark, name the encoding.",
                code="file.nul",
            )
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self.length = self.length + len(block) if end < 0 else len(block) - end - 1
        if self.length > self.length_max:
            raise InputError(
                f"lines of at most {self.length_max} bytes",
                where=self.name,
                found="a longer one",
                code="file.line_length",
            )


def encrypted(name: str) -> InputError:
    return InputError(
        "a workbook without a password",
        where=name,
        found="an encrypted one",
        advice="Save it without a password.",
        code="file.encrypted",
    )


# ---------------------------------------------------------------- zip archives


def check_archive(loaded: Loaded, bounds: Bounds = BOUNDS) -> None:
    """Inflate every entry once, in blocks, and refuse bombs and document types.

    Raises:
        InputError: file.zip_bomb, file.truncated, file.damaged, file.encrypted, file.entity.
    """
    if loaded.content.count(CENTRAL_ENTRY) > bounds.archive_entries_max:
        raise bomb(loaded.name, f"more than {bounds.archive_entries_max} entries")
    try:
        archive = zipfile.ZipFile(io.BytesIO(loaded.content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, LookupError) as error:
        raise InputError(
            "a whole zip archive",
            where=loaded.name,
            found=str(error),
            advice="The file was probably cut short: copy it again.",
            code="file.truncated",
        ) from error
    with archive, foreign_errors(loaded.name):
        check_declared(loaded.name, archive, bounds)
        check_parts(loaded.name, archive, bounds)


def check_declared(name: str, archive: zipfile.ZipFile, bounds: Bounds) -> None:
    """What the directory claims is checked first: it costs nothing."""
    total = 0
    for entry in archive.infolist():
        if entry.flag_bits & 1:
            raise encrypted(name)
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise InputError(
                "entries stored or deflated",
                where=name,
                found=f"compression {entry.compress_type}",
                code="file.damaged",
            )
        total += entry.file_size
        ratio = entry.file_size / max(1, entry.compress_size)
        if entry.file_size > bounds.inflation_floor_bytes and ratio > bounds.inflation_max:
            raise bomb(name, f"an entry that inflates {ratio:.0f} times")
    if total > bounds.inflated_bytes_max:
        raise bomb(name, f"{total} bytes inflated")


def check_parts(name: str, archive: zipfile.ZipFile, bounds: Bounds) -> None:
    """Inflation stops at the declared size, so what was declared bounds what is real."""
    brackets = 0
    for entry in archive.infolist():
        prolog = PrologGuard(name)
        with archive.open(entry) as part:
            while block := part.read(BLOCK_BYTES):
                prolog.check(block)
                brackets += block.count(b"<")
                if brackets > bounds.markup_max:
                    raise bomb(name, f"more than {bounds.markup_max} pieces of markup")


def bomb(name: str, found: str) -> InputError:
    return InputError(
        "a workbook of ordinary size",
        where=name,
        found=found,
        advice="Export the table as CSV.",
        code="file.zip_bomb",
    )


class RootReachedError(Exception):
    """The prolog is over: no document type can follow."""


class PrologGuard:
    """Parses one part up to its root element, in whatever encoding, and refuses a DOCTYPE.

    Entities can only be declared in a document type, and that only before the root element.
    A part that is no XML is left alone: the parser that meets it would stop at the same byte.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_over = False
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.StartElementHandler = self.stop

    def check(self, block: bytes) -> None:
        if self.is_over:
            return
        try:
            self.parser.Parse(block, False)  # noqa: FBT003 - the library takes it by position
        except (RootReachedError, expat.ExpatError, LookupError, ValueError):
            self.is_over = True

    def refuse(self, *_: object) -> None:
        raise InputError(
            "XML without a document type",
            where=self.name,
            found="DOCTYPE",
            advice="Save it with a spreadsheet program.",
            code="file.entity",
        )

    def stop(self, *_: object) -> None:
        raise RootReachedError


@contextmanager
def foreign_errors(name: str) -> Iterator[None]:
    """Whatever zip, XML and workbook libraries raise on damaged input, as one InputError."""
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        InvalidFileException,
        LookupError,
        NotImplementedError,
        OSError,
        RecursionError,
        RuntimeError,
        SyntaxError,  # of which xml's ParseError is one
        TokenizerError,
        TranslatorError,
        TypeError,
        ValueError,
        Warning,  # where warnings are made errors
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            "a workbook that can be read",
            where=name,
            found=f"{type(error).__name__}: {error}"[:200],
            advice="Open it in a spreadsheet program and save it again.",
            code="file.damaged",
        ) from error
