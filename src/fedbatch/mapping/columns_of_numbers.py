"""Columns of texts to numbers under a mapping's marks, nothing cell by cell.

A grouping mark is read as `NumberReader` reads it: between whole groups of three digits before the
decimal mark. Anywhere else it stays, so that its text is no number.
"""

import re

from fedbatch.series.arrow import Texts, arrow, compute, flags_of
from fedbatch.series.blocks import Column, Flags
from fedbatch.series.decimals import Decimals, read_decimals

__all__ = ["read_column"]


def read_column(
    texts: Texts,
    decimal_mark: str,
    grouping_mark: str = "",
    *,
    stored: Flags | None = None,
    scale_min: int = 0,
    is_binary: bool | None = None,
) -> Decimals:
    """Read a column of texts, blanks around them left out; the rest as `read_decimals` does.

    Where a text is kept beside its number, or instead of one, it is as the source wrote it. `stored`:
    by row whether the source holds a number, so that its text has a point.
    """
    trimmed = compute.utf8_trim_whitespace(texts)
    plain, is_changed = trimmed, None
    is_grouped = _grouped(trimmed, decimal_mark, grouping_mark)
    if is_grouped is not None:
        bare = compute.replace_substring(trimmed, grouping_mark, "")
        plain, is_changed = compute.if_else(is_grouped, bare, trimmed), flags_of(is_grouped)
    if stored is not None and decimal_mark != "." and bool(stored.any()):
        pointed = compute.replace_substring(trimmed, ".", decimal_mark)
        plain = compute.if_else(arrow.array(stored), pointed, plain)
        is_changed = stored if is_changed is None else is_changed | stored
    found = read_decimals(plain, decimal_mark, scale_min=scale_min, is_binary=is_binary)
    return found if is_changed is None else _as_written(found, trimmed, is_changed)


def _grouped(texts: Texts, decimal_mark: str, grouping_mark: str) -> Texts | None:
    """Which texts are numbers in groups; None where the mark occurs in no text."""
    if not grouping_mark or not compute.any(compute.match_substring(texts, grouping_mark)).as_py():
        return None
    mark, point = re.escape(grouping_mark), re.escape(decimal_mark)
    pattern = rf"^[+-]?[0-9]{{1,3}}({mark}[0-9]{{3}})+({point}[0-9]+)?([eE][+-]?[0-9]{{1,3}})?$"
    return compute.match_substring_regex(texts, pattern)


def _as_written(found: Decimals, texts: Texts, is_changed: Flags) -> Decimals:
    column = found.column
    marks = {
        row: mark._replace(raw=texts[row].as_py()) if is_changed[row] and mark.raw else mark
        for row, mark in column.marks.items()
    }
    unread = {row: texts[row].as_py() for row in found.unread}
    return Decimals(Column(column.scale, column.numbers, column.present, marks), unread)
