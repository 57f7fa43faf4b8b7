"""Findings at cells of a table: where they lie, as its source names the place."""

from fedbatch.mapping.assuming import ColumnTexts
from fedbatch.mapping.tables import Table
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding

__all__ = ["CellFindings"]


class CellFindings:
    """Says what was found of a table's cells, by the data row and the column."""

    def __init__(self, table: Table, file: str) -> None:
        self.table = table
        self.file = file

    def _locator(self, row: int, item: ColumnTexts, last: int | None = None) -> str:
        index = item.column.index
        place = self.table.locator(self.table.rows[row], index)
        if last is None or last == row:
            return place
        end = self.table.locator(self.table.rows[last], index)
        return f"{place}:{end.rpartition('!')[2]}"

    def _place(self, row: int, item: ColumnTexts, last: int | None = None) -> Place:
        return Place(
            file=self.file,
            scheme=self.table.scheme,
            locator=self._locator(row, item, last),
            path=item.column.header,
        )

    def _say(
        self,
        rule: str,
        row: int,
        item: ColumnTexts,
        found: str,
        expected: str,
        *,
        last: int | None = None,
        advice: str = "",
    ) -> Finding:
        place = self._place(row, item, last)
        return finding(rule, place, found=found, expected=expected, advice=advice)
