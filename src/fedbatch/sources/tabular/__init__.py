"""Delimited text and workbooks, read into columns of verbatim texts.

    guards      bounds, held before anything is parsed
    text        CSV, TSV, semicolons
    workbook    xlsx
    legacy      xls, xlsb, in a process of their own (legacy_child)
    heading     header, group and unit rows
    layout      a grid cut into them and into columns
    rules       what may be found
    reading     from a path to tables, from a locator back to its text

Numbers, dates and missing values are not interpreted here: that is the mapping's matter.
"""

from fedbatch.sources.tabular.columnar import read_columns
from fedbatch.sources.tabular.grid import Grid
from fedbatch.sources.tabular.guards import Bounds
from fedbatch.sources.tabular.layout import Layout
from fedbatch.sources.tabular.reading import (
    Extraction,
    Part,
    Reading,
    SheetReading,
    WholeReading,
    extract,
    is_whole,
    list_sheets,
    open_for_extraction,
    read_file,
    read_part,
    read_sheets,
)
from fedbatch.sources.tabular.rules import RULES, Rule

__all__ = [
    "RULES",
    "Bounds",
    "Extraction",
    "Grid",
    "Layout",
    "Part",
    "Reading",
    "Rule",
    "SheetReading",
    "WholeReading",
    "extract",
    "is_whole",
    "list_sheets",
    "open_for_extraction",
    "read_columns",
    "read_file",
    "read_part",
    "read_sheets",
]
