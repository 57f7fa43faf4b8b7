"""Delimited text: RFC 4180 quoting, any line end, texts verbatim.

A row is a record: a quoted line break does not begin a new one, a blank line is one. Rows are
counted from the first line of the file, `sep=` line included.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import dropwhile, islice

from fedbatch.errors import InputError
from fedbatch.sources.tabular.grid import Grid
from fedbatch.sources.tabular.guards import Bounds, Loaded

__all__ = ["DELIMITERS", "ENCODINGS", "read_text"]

EXTRACTOR = "tabular-text/1"
DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Others exist; these are what instruments and spreadsheets write, and none of them runs code.
ENCODINGS = (
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "cp1252",
    "cp1250",
    "iso-8859-2",
    "iso-8859-15",
    "ascii",
)
BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
SAMPLE_LINES = 200
SAMPLE_CHARACTERS = 1_000_000
AGREEMENT_LEAST = 0.5
AGREEMENT_LEAD = 0.2
SEPARATOR_LINE = re.compile(r"sep=(.)(?:\r\n|\r|\n|$)", re.IGNORECASE)
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
DECIMAL_COMMA = re.compile(r"\d,\d")


def read_text(
    loaded: Loaded, bounds: Bounds, *, encoding: str | None = None, delimiter: str | None = None
) -> Grid:
    """Read a delimited text.

    Raises:
        InputError: file.encoding, file.nul, file.delimiter, file.columns, file.cells, file.field.
    """
    text, used, is_cut = decode(loaded, encoding)
    declared = SEPARATOR_LINE.match(text)
    stated = delimiter or (declared[1] if declared else None)
    body = text[declared.end() :] if declared else text
    mark = check_delimiter(loaded.name, stated) if stated else sniff(loaded.name, body)
    rows = parse(loaded.name, body, mark, bounds)
    is_open = bool(rows) and is_quote_open(body, mark, len(rows))
    if declared:
        rows.insert(0, ())  # it holds no cell, and keeps the rows below it at their numbers
    evidence = [f"encoding {used}"] if encoding is None else []
    evidence += [f"delimiter {DELIMITER_NAMES[mark]}"] if stated is None else []
    return Grid(
        rows=rows,
        scheme="row_column",
        extractor=EXTRACTOR,
        layout_evidence=", ".join(evidence),
        delimiter=mark,
        encoding=used.removesuffix("-sig"),
        is_cut=is_cut or is_open,
        is_ended=text.endswith(("\n", "\r")),
    )


def decode(loaded: Loaded, encoding: str | None) -> tuple[str, str, bool]:
    """The text, the encoding used, and whether the last character was cut off."""
    if encoding is not None and encoding.lower() not in ENCODINGS:
        raise InputError(
            f"one of {', '.join(ENCODINGS)}",
            where=loaded.name,
            found=encoding,
            code="file.encoding",
        )
    marked = next((name for bom, name in BOMS if loaded.content.startswith(bom)), None)
    used = marked if encoding is None or marked == "utf-8-sig" else encoding.lower()
    try:
        text, is_cut = decode_strictly(loaded.content, used or "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            used or "UTF-8",
            where=f"{loaded.name} byte {error.start}",
            found=loaded.content[error.start : error.start + 4].hex(" "),
            advice="Name the encoding: latin-1, cp1252 and utf-16 are usual.",
            code="file.encoding",
        ) from error
    if "\0" in text:
        raise InputError("text", where=loaded.name, found="NUL characters", code="file.nul")
    return text.removeprefix("\ufeff"), used or "utf-8", is_cut


def decode_strictly(content: bytes, encoding: str) -> tuple[str, bool]:
    try:
        return content.decode(encoding), False
    except UnicodeDecodeError as error:
        is_tail = error.end == len(content) and error.reason in {
            "unexpected end of data",
            "truncated data",
        }
        if not is_tail or error.start == 0:
            raise
        return content[: error.start].decode(encoding), True


def lines(text: str) -> Iterator[str]:
    """Lines with their ends; a StringIO would copy the text at four bytes a character."""
    return map(re.Match.group, LINE.finditer(text))


def parse(name: str, body: str, delimiter: str, bounds: Bounds) -> list[tuple[str, ...]]:
    """All records.

    Tuples of texts drop out of the garbage collector's rounds; lists made those two thirds of it.
    """
    reader = csv.reader(lines(body), delimiter=delimiter)
    rows: list[tuple[str, ...]] = []
    cells = 0
    try:
        for row in reader:
            cells += len(row)
            if len(row) > bounds.columns_max or cells > bounds.text_cells_max:
                raise too_large(name, len(row), bounds)
            rows.append(tuple(row))
    except csv.Error as error:
        raise InputError(
            "cells of at most 131072 characters",
            where=f"{name} line {reader.line_num}",
            found=str(error),
            advice="A quote that is never closed has this effect.",
            code="file.field",
        ) from error
    return rows


def too_large(name: str, width: int, bounds: Bounds) -> InputError:
    if width > bounds.columns_max:
        return InputError(
            f"at most {bounds.columns_max} columns",
            where=name,
            found=str(width),
            code="file.columns",
        )
    return InputError(
        f"at most {bounds.text_cells_max} cells",
        where=name,
        found="more",
        advice="Export a shorter period at a time.",
        code="file.cells",
    )


def is_quote_open(body: str, delimiter: str, records: int) -> bool:
    """Whether the last record ends inside a quoted cell: only then is the number of quotes odd."""
    if body.count('"') % 2 == 0:
        return False
    lines = last_lines(body, delimiter, records)
    try:
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def last_lines(body: str, delimiter: str, records: int) -> Iterator[str]:
    """The lines of the last record."""
    reader = csv.reader(lines(body), delimiter=delimiter)
    for _ in islice(reader, records - 1):
        pass
    skipped = reader.line_num
    return islice(lines(body), skipped, None)


# ---------------------------------------------------------------- delimiter


def check_delimiter(name: str, delimiter: str) -> str:
    if delimiter not in DELIMITERS:
        raise InputError(
            f"a delimiter among {choices(DELIMITERS)}",
            where=name,
            found=delimiter,
            code="file.delimiter",
        )
    return delimiter


def choices(marks: tuple[str, ...]) -> str:
    return ", ".join(DELIMITER_NAMES[mark] for mark in marks)


def sniff(name: str, body: str) -> str:
    """The delimiter under which the first lines have the same number of cells.

    Where every line agrees the matter is clear; else the best must lead. A comma that only ever
    stands between digits is a decimal sign. A text without any delimiter is one column.
    """
    sample = without_remarks(list(islice(lines(body[:SAMPLE_CHARACTERS]), SAMPLE_LINES)))
    scores = {mark: agreement(sample, mark) for mark in DELIMITERS if mark in sample}
    if "," in scores and sample.count(",") == len(DECIMAL_COMMA.findall(sample)):
        del scores[","]
    perfect = tuple(mark for mark, score in scores.items() if score == 1)
    if len(perfect) == 1:
        return perfect[0]
    ranked = sorted(scores, key=lambda mark: scores[mark], reverse=True)
    if not ranked or scores[ranked[0]] == 0:
        return next((mark for mark in DELIMITERS if mark not in body), ",")
    best = scores[ranked[0]]
    second = scores[ranked[1]] if ranked[1:] else 0
    if perfect or best < AGREEMENT_LEAST or best - second < AGREEMENT_LEAD:
        raise InputError(
            "one delimiter that cuts all lines alike",
            where=name,
            found=choices(perfect or tuple(ranked)),
            advice="Name the delimiter.",
            code="file.delimiter",
        )
    return ranked[0]


def without_remarks(first: list[str]) -> str:
    """Lines without those above them that begin with `#`, but for one that has as many cells as they."""
    table = list(dropwhile(lambda line: line.startswith("#") or not line.strip(), first))
    if len(table) < 2 or len(table) == len(first):  # noqa: PLR2004 - one line agrees with itself
        return "".join(first)
    remarks = [line for line in first[: -len(table)] if line.strip()]
    with_last = "".join([remarks[-1], *table]) if remarks else ""
    is_header = any(mark in with_last and agreement(with_last, mark) == 1 for mark in DELIMITERS)
    return with_last if is_header else "".join(table)


def agreement(sample: str, delimiter: str) -> float:
    """The share of lines that have the most frequent number of cells, 0 if that is one cell."""
    try:
        rows = [row for row in csv.reader(lines(sample), delimiter=delimiter) if row]
    except csv.Error:
        return 0
    widths = Counter(map(len, rows))
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    return count / len(rows) if width > 1 else 0
