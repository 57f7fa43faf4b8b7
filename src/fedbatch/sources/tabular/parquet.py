"""Parquet files as tables: flat columns of numbers, texts and times, each value as a text.

What a column's type says as text stands in `typed`. A column that has no texts (lists, structs,
bytes) is left out, with a finding that names it. The column names count as row 1, so that a value's
place is `R<row>C<column>`, where columns that are left out are counted too.

The file's footer and page headers are read first, by our own decoder: what they unfold into is
known before a library is asked to do it. Of what is left out no page is unfolded.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fedbatch.errors import InputError
from fedbatch.mapping.tables import LeftOut
from fedbatch.series.arrow import arrow, parquet
from fedbatch.series.blocks import Column
from fedbatch.series.footer import Footer, FooterField, read_any_footer
from fedbatch.sources.tabular import typed
from fedbatch.sources.tabular.grid import Grid
from fedbatch.sources.tabular.guards import Bounds, Loaded
from fedbatch.sources.tabular.rules import Log
from fedbatch.standard.findings import Finding

__all__ = ["EXTRACTOR", "ParquetColumn", "ParquetFile", "grid_of", "read_parquet"]

EXTRACTOR = "parquet/2"
# By the number that stands in a footer: how the format calls it, and the library.
_CODECS: dict[int, tuple[str, str]] = {
    1: ("snappy", "snappy"),
    2: ("gzip", "gzip"),
    3: ("LZO", ""),
    4: ("brotli", "brotli"),
    5: ("LZ4", "lz4"),
    6: ("zstd", "zstd"),
    7: ("LZ4_RAW", "lz4"),
}
_UNCOMPRESSED = 0
# Texts that a file holds once and names in many rows may be so long, or so many times the file.
_REPEATED_BYTES, _REPEATED_RATIO = 256 << 20, 100
_TYPE_CHARACTERS_MAX = 80
_ERRORS = (arrow.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ParquetColumn:
    """A column: what makes its texts (an Arrow array, "" for null), and its numbers if it holds such.

    `index` is its place in the file; `time_format` is that of its texts where its type is a time.
    `is_number`: its type is one of numbers.
    """

    name: str
    index: int
    texts: Callable[[], Any]
    numbers: Column | None = None
    time_format: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ParquetFile:
    """What can be read of a file, and what is to be said of the rest."""

    rows: int
    columns: list[ParquetColumn]
    left_out: tuple[LeftOut, ...]
    findings: tuple[Finding, ...]
    width: int = field(default=0)


def read_parquet(loaded: Loaded, bounds: Bounds) -> ParquetFile:
    """The columns of a file.

    Raises:
        InputError: file.damaged, file.columns, file.cells, file.too_large, file.codec, file.parquet.
    """
    footer = _footer(loaded, bounds)
    log = Log(loaded.name, "row_column")
    try:
        # A page whose checksum is not that of its bytes is refused, where the writer left one.
        file = _opened(loaded)
        types = _types_of(file, footer)
        left_out = _left_out(footer, types, log)
        chosen = [at for at in range(footer.columns) if at not in left_out]
        _check_chosen(loaded.name, [footer.fields[at] for at in chosen], bounds)
        most = min(
            bounds.text_bytes_max, max(_REPEATED_BYTES, _REPEATED_RATIO * len(loaded.content))
        )
        coded = _repeating(footer, file.metadata, chosen, most)
        if coded:
            file = _opened(loaded, coded)
        places = [footer.fields[at].leaves.start for at in chosen]
        table = file.reader.read_all(column_indices=places, use_threads=True)
        columns = []
        room = most
        for place, at in enumerate(chosen):
            array = _combined(table.column(place))
            room -= typed.coded_bytes(array)
            _check_room(loaded.name, footer.fields[at].name, room, most)
            columns.append(_column(footer.fields[at].name, at, array, log))
    except _ERRORS as error:
        raise _damaged(loaded.name, str(error)) from error
    return ParquetFile(
        rows=footer.rows,
        columns=columns,
        left_out=tuple(left_out.values()),
        findings=log.findings(),
        width=footer.columns,
    )


def _opened(loaded: Loaded, coded: Sequence[str] = ()) -> Any:
    """A file of which the columns of some paths are left as codes, each text once."""
    return parquet.ParquetFile(
        arrow.BufferReader(loaded.content),
        read_dictionary=list(coded),
        page_checksum_verification=True,
    )


def _repeating(footer: Footer, metadata: Any, chosen: Sequence[int], most: int) -> list[str]:
    """The paths of columns of which a text might stand in so many rows that all of them are too long.

    A page holds each text once, however often rows name it.
    """
    found = []
    for at in chosen:
        item = footer.fields[at]
        leaf = metadata.schema.column(item.leaves.start)
        is_text = leaf.physical_type == "BYTE_ARRAY"
        if is_text and footer.rows * item.unfolded_bytes > most:
            found.append(leaf.path)
    return found


def _combined(column: Any) -> Any:
    if arrow.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    whole = column.combine_chunks()
    if isinstance(whole, arrow.ChunkedArray):
        whole = arrow.concat_arrays(whole.chunks) if whole.num_chunks else whole.chunk(0)
    return whole


def _check_room(file: str, column: str, room: int, most: int) -> None:
    if room < 0:
        raise InputError(
            f"repeated texts of at most {most:,} bytes in all",
            where=f"{file}, column '{column[:80]}'",
            found="more, the same ones again and again",
            advice="Export a shorter period at a time.",
            code="file.too_large",
        )


def _types_of(file: Any, footer: Footer) -> list[Any]:
    """The types that the library gives the fields, which must be those of the footer."""
    schema = file.schema_arrow
    if schema.names != [item.name for item in footer.fields]:
        raise ValueError(schema.names)
    return [item.type for item in schema]


def _left_out(footer: Footer, types: list[Any], log: Log) -> dict[int, LeftOut]:
    """By place the columns that have no texts, each with a finding."""
    found: dict[int, LeftOut] = {}
    for at, (item, type_) in enumerate(zip(footer.fields, types, strict=True)):
        is_read = typed.has_reading(type_)
        if is_read and not item.problem:
            continue
        told = str(type_)[:_TYPE_CHARACTERS_MAX] + (f", {item.problem}" if is_read else "")
        found[at] = LeftOut(header=item.name, type=told)
        log.add(
            "table.column_left_out",
            f"R1C{at + 1}",
            found=f"column '{item.name[:_TYPE_CHARACTERS_MAX]}' of {told}",
            expected="numbers, texts, times or true and false",
            advice="Where it is needed, export it as one of these.",
        )
    return found


def _check_chosen(file: str, fields: list[FooterField], bounds: Bounds) -> None:
    if not fields:
        raise InputError(
            "a column of numbers, texts, times or true and false",
            where=file,
            found="none",
            advice="Export the table as CSV.",
            code="file.parquet",
        )
    unfolded = sum(item.unfolded_bytes for item in fields)
    if unfolded > bounds.text_bytes_max:
        raise InputError(
            f"at most {bounds.text_bytes_max} bytes unfolded",
            where=file,
            found=str(unfolded),
            advice="Export a shorter period at a time.",
            code="file.too_large",
        )
    for item in fields:
        for codec in sorted(item.codecs):
            _check_codec(f"{file}, column '{item.name[:80]}'", codec)


def _check_codec(where: str, codec: int) -> None:
    shown, name = _CODECS.get(codec, (f"codec {codec}", ""))
    if codec == _UNCOMPRESSED or (name and arrow.Codec.is_available(name)):
        return
    known = dict.fromkeys(name for _, name in _CODECS.values() if name)
    raise InputError(
        f"pages compressed by {', '.join(filter(arrow.Codec.is_available, known))}, or not at all",
        where=where,
        found=shown,
        advice="Write the file anew with one of these.",
        code="file.codec",
    )


def _column(name: str, index: int, array: Any, log: Log) -> ParquetColumn:
    array = typed.plain_of(array)
    cut = typed.cut_count(array)
    if cut:
        log.add(
            "table.time_cut",
            f"R1C{index + 1}",
            found=f"{cut} of {len(array) - array.null_count} times with parts of a microsecond",
            expected="times in whole microseconds",
            advice="What is finer was cut.",
        )
    make = partial(typed.text_array, array)
    numbers = typed.numbers_of(array)
    if numbers is None:  # what cannot be written is said now, not when somebody asks
        make = partial(_itself, make())
    return ParquetColumn(
        name=name,
        index=index,
        texts=make,
        numbers=numbers,
        time_format=typed.time_format_of(array.type),
        is_number=typed.is_number(array.type),
    )


def _itself(texts: Any) -> Any:
    return texts


def grid_of(loaded: Loaded, bounds: Bounds) -> Grid:
    """The file as rows, for whoever reads it cell by cell; a column that is left out is blank.

    Raises:
        InputError: as `read_parquet`.
    """
    found = read_parquet(loaded, bounds)
    blank: Iterable[str] = [""] * found.rows
    texts = [blank] * found.width
    header = [""] * found.width
    for column in found.columns:
        texts[column.index] = column.texts().to_pylist()
        header[column.index] = column.name
    return Grid(
        rows=[header, *zip(*texts, strict=True)],
        scheme="row_column",
        extractor=EXTRACTOR,
        time_formats={item.index: item.time_format for item in found.columns if item.time_format},
        number_columns=frozenset(item.index for item in found.columns if item.is_number),
        left_out=found.left_out,
        findings=found.findings,
    )


def _footer(loaded: Loaded, bounds: Bounds) -> Footer:
    try:
        footer = read_any_footer(loaded.content)
    except InputError as error:
        raise _damaged(loaded.name, error.found) from error
    if footer.columns > bounds.columns_max:
        raise InputError(
            f"at most {bounds.columns_max} columns",
            where=loaded.name,
            found=str(footer.columns),
            code="file.columns",
        )
    if footer.rows * footer.columns > bounds.text_cells_max:
        raise InputError(
            f"at most {bounds.text_cells_max} cells",
            where=loaded.name,
            found=f"{footer.rows} rows × {footer.columns} columns",
            advice="Export a shorter period at a time.",
            code="file.cells",
        )
    return footer


def _damaged(name: str, found: str) -> InputError:
    return InputError(
        "a Parquet file that can be read",
        where=name,
        found=found[:200],
        advice="Copy it again, or export the table as CSV.",
        code="file.damaged",
    )
