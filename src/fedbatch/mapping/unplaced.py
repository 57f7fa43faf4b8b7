"""Rows of a table of series that gave no point and were meant to: how many, for the report.

Findings about rows tell of stretches, and one row may stand in several; here each counts once.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fedbatch.mapping.instants import NO_TIME, read_instants
from fedbatch.mapping.matching import assign_rules, rows_meant
from fedbatch.mapping.series import SeriesDraft
from fedbatch.mapping.tables import Column, Table
from fedbatch.mapping.times import TimeReader
from fedbatch.series.arrow import arrow, one_array
from fedbatch.standard.mappings import Mapping

__all__ = ["count_unplaced"]

_OWNERS = frozenset({"batch", "batch.partner", "equipment"})
Mask = npt.NDArray[np.bool_]


def count_unplaced(
    table: Table, mapping: Mapping, drafts: Sequence[SeriesDraft], reader: TimeReader
) -> int:
    """How many rows of a table were held back as a whole.

    Args:
        table: as it was read.
        mapping: the one that `drafts` were made under.
        drafts: the series of the table.
        reader: of the mapping's times.

    Raises:
        InputError: the table's columns are not the mapping's.
    """
    meant, _ = rows_meant(table, mapping)
    if mapping.shape == "long":
        return int(np.count_nonzero(~_placed(meant, mapping, drafts, reader)))
    # Each row of a wide table that has a time and a place is a row of one block.
    return len(meant.rows) - sum(int(draft.block.times.size) for draft in drafts)


def _placed(
    table: Table, mapping: Mapping, drafts: Sequence[SeriesDraft], reader: TimeReader
) -> Mask:
    """For each row of a long table whether it is a point, blank or not, or was not to be one."""
    fields = {rule.field: (column, rule) for column, rule in assign_rules(table, mapping)}
    named = {name: column for name, (column, _) in fields.items() if name in _OWNERS}
    is_owned = np.full(len(table.rows), any(item.field in _OWNERS for item in mapping.constants))
    for column in named.values():
        is_owned |= _among(column, None)
    is_timed = np.ones(len(table.rows), dtype=np.bool_)
    if "observed_at" in fields:
        column, rule = fields["observed_at"]
        texts = one_array(arrow.array(column.texts, arrow.string()))
        is_timed = read_instants(texts, reader, rule.time_format)[0] != NO_TIME
    if "tag" not in fields:
        return np.zeros(len(table.rows), dtype=np.bool_)
    tags = fields["tag"][0]
    read = {item.tag for draft in drafts for item in draft.series.parameters}
    ignored = {rule.tag for rule in mapping.rules if rule.ignored is not None}
    return _among(tags, ignored) | (is_owned & is_timed & _among(tags, read))


def _among(column: Column, texts: set[str | None] | None) -> Mask:
    """For each row whether its trimmed text is among some; with None, whether it says anything."""
    trimmed = (str(text).strip() for text in column.texts)
    return np.array([bool(item) if texts is None else item in texts for item in trimmed], np.bool_)
