"""Plain delimited texts and Parquet files read in columns, for files of points: no object a cell.

What this cannot read exactly as `read_file` does (quotes, other encodings, ragged rows) it does not
read at all; the caller then reads the file cell by cell.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from typing_extensions import override

from fedbatch.mapping.tables import CellKind, Column, SameKind, SourceFile, Table
from fedbatch.sources.tabular import parquet
from fedbatch.sources.tabular.guards import BOUNDS, Bounds, Loaded, load
from fedbatch.sources.tabular.layout import DETECT, Layout, cut, log_blank_rows
from fedbatch.sources.tabular.reading import Reading
from fedbatch.sources.tabular.rules import Log
from fedbatch.sources.tabular.text import read_text, sniff

__all__ = ["ArrowTexts", "read_columns"]

# Enough lines to find delimiter, header and unit row by.
_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20


class ChunkedTexts(Sequence[str]):
    """A column's texts in the pieces in which they were read, and as one array for who asks.

    The array is not kept: what is read once needs no second copy beside the pieces.
    """

    def __init__(self, pieces: Any) -> None:
        self._pieces = pieces

    @property
    def array(self) -> Any:
        """The texts, in pieces or in one."""
        return self._pieces

    @override
    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    @override
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return list(self.array[index].to_pylist())
        return str(self.array[index].as_py())

    def __arrow_array__(self, type: Any = None) -> Any:  # noqa: A002 - Arrow's own name
        """The texts in one piece: what `pyarrow.array` makes of this sequence."""
        del type
        held = self.array
        return held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held


class ArrowTexts(ChunkedTexts):
    """A column's texts as an Arrow array that is made when first asked for."""

    def __init__(self, count: int, make: Callable[[], Any]) -> None:
        super().__init__(None)
        self._count, self._make = count, make

    @cached_property
    @override
    def array(self) -> Any:
        """The texts."""
        return self._make()

    @override
    def __len__(self) -> int:
        return self._count


def read_columns(path: Path, layout: Layout = DETECT, bounds: Bounds = BOUNDS) -> Reading | None:
    """A file's table in columns, or None where it must be read cell by cell.

    Raises:
        InputError: as `read_file`.
    """
    loaded = load(path, bounds)
    if loaded.kind == "parquet":
        return _of_parquet(loaded, bounds)
    content = loaded.content
    is_plain = loaded.kind == "text" and b'"' not in content and content.endswith(b"\n")
    if not is_plain or layout.encoding not in {None, "utf-8"} or not _has_plain_lines(content):
        return None
    head = _head(loaded)
    if not _is_utf8(head.content):  # of the rest the library says so
        return None
    table = cut(
        read_text(head, bounds, encoding="utf-8", delimiter=layout.delimiter), layout, path.name
    )
    if table.hidden_rows or not table.rows:
        return None
    mark = layout.delimiter or sniff(path.name, head.content.decode("utf-8-sig"))
    first = int(table.rows[0])
    columns = _read(content, mark, first - 1, len(table.columns))
    if columns is None or any(not column.header.strip() for column in table.columns):
        return None
    whole = _whole(table, columns, first, loaded.name)
    return Reading(
        file=SourceFile(name=loaded.name, size_bytes=len(content), sha256=loaded.sha256),
        tables=(whole,),
        findings=whole.findings,
    )


def _of_parquet(loaded: Loaded, bounds: Bounds) -> Reading:
    found = parquet.read_parquet(loaded, bounds)
    rows = found.rows
    table = Table(
        sheet="",
        scheme="row_column",
        extractor=parquet.EXTRACTOR,
        header_row=1,
        rows=range(2, rows + 2),
        columns=tuple(
            Column(
                index=column.index,
                header=column.name,
                texts=ArrowTexts(rows, column.texts),
                numbers=column.numbers,
                time_format=column.time_format,
                kinds=SameKind(CellKind.NUMBER, rows) if column.is_number else None,
            )
            for column in found.columns
        ),
        findings=found.findings,
        left_out=found.left_out,
    )
    file = SourceFile(name=loaded.name, size_bytes=len(loaded.content), sha256=loaded.sha256)
    return Reading(file=file, tables=(table,), findings=found.findings)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _has_plain_lines(content: bytes) -> bool:
    if b"\0" in content:
        return False
    return b"\r" not in content or content.count(b"\r") == content.count(b"\r\n")


def _head(loaded: Loaded) -> Loaded:
    part = loaded.content[:_HEAD_BYTES]
    part = part[: part.rfind(b"\n") + 1]
    return replace(loaded, content=part, sha256=hashlib.sha256(part).hexdigest())


def _read(content: bytes, mark: str, skipped: int, count: int) -> list[Any] | None:
    names = [str(index) for index in range(count)]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            read_options=arrow_csv.ReadOptions(
                skip_rows=skipped, column_names=names, block_size=_BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=mark, quote_char=False, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [table.column(name) for name in names]


def _whole(head: Table, columns: list[Any], first: int, name: str) -> Table:
    rows: Sequence[int] = range(first, first + len(columns[0]))
    findings = head.findings
    blank = _blank_rows(columns)
    if blank.any():
        held = np.flatnonzero(~blank)
        log = Log(name, head.scheme)
        log_blank_rows(head.locator, range(rows[0], rows[-1] + 1), (held + first).tolist(), log)
        rows = (held + first).tolist()
        columns = [column.take(pa.array(held)) for column in columns]
        others = (item for item in head.findings if item.rule != "table.blank_row")
        findings = (*others, *log.findings())
    return replace(
        head,
        rows=rows,
        findings=findings,
        columns=tuple(
            Column(
                index=column.index,
                header=column.header,
                texts=ChunkedTexts(columns[place]),
                group=column.group,
                unit=column.unit,
            )
            for place, column in enumerate(head.columns)
        ),
    )


def _blank_rows(columns: Sequence[Any]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """For each row whether no column says anything."""
    blank = np.ones(len(columns[0]), dtype=np.bool_)
    for column in columns:
        if not blank.any():
            break
        trimmed = pc.binary_length(pc.utf8_trim_whitespace(column))
        blank &= trimmed.to_numpy(zero_copy_only=False) == 0
    return blank
