"""`fedbatch.open(home)`: what a node knows, as Arrow and pandas tables.

Numbers stay exact: a column of values is decimal text beside its comparator, unit and value status,
and a float column for arithmetic, which is null wherever a comparator or an absent value would make a
plain number a lie. So `<0.05` never breaks a column and never passes for 0.05.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from fedbatch.errors import InputError
from fedbatch.node.home import Home
from fedbatch.node.overview import BatchRow, CarriedRow, read_batches, read_genealogy
from fedbatch.node.reading import ResultRow, read_results
from fedbatch.node.series import overlay, series_table

__all__ = ["Reader", "open"]

_RESULT_FIELDS = (
    "agreement",
    "batch",
    "code",
    "role",
    "number",
    "comparator",
    "unit",
    "kind",
    "absent",
    "raw",
    "value_status",
    "source",
    "form",
    "attempt",
    "replicate",
    "sample",
    "sample_number",
    "step",
    "observed_at",
    "observed_text",
    "entry",
)


class Reader:
    """A home opened for reading. Close it, or use it in a `with`."""

    def __init__(self, home: Path) -> None:
        self._home = Home(home)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the home's databases."""
        self._home.close()

    def batches(self) -> pa.Table:
        """Every batch over all agreements, one row each; `numbers` holds both parties' numbers."""
        rows = read_batches(self._home)
        names = BatchRow.__struct_fields__
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    def genealogy(self) -> pa.Table:
        """What was made from what: a row for each lot that went into (or came out of) a batch."""
        rows = read_genealogy(self._home)
        names = CarriedRow.__struct_fields__
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    def results(
        self, batch: str | None = None, *, codes: tuple[str, ...] = (), agreement: str | None = None
    ) -> pa.Table:
        """Results, one row each, with unit, comparator, value status and `value` as float64.

        `value` is null where the number is bounded only (a comparator) or absent.
        """
        rows = read_results(self._home, batch=batch, codes=codes, agreement=agreement)
        columns: dict[str, list[Any]] = {
            name: [getattr(row, name) for row in rows] for name in _RESULT_FIELDS
        }
        columns["value"] = [_plain(row) for row in rows]
        return pa.table(columns)

    def series(
        self, batch: str, *, codes: tuple[str, ...] = (), agreement: str | None = None
    ) -> pa.Table:
        """A batch's series: `time` (µs, UTC) and a column `<code>.<role>` each.

        Numbers are exact decimals at the parameter's scale, or float64 where its points are binary64.
        Null where there is no number; `q.<code>.<role>` and `raw.<code>.<role>` stand beside it where a
        point is not good or says more than its number. Each field's metadata has its unit.

        Raises:
            InputError: no such batch or code, or two agreements have a batch of this number and none of
                them is named.
        """
        return series_table(self._home, batch, codes=codes, agreement=agreement)

    def overlay(
        self,
        code: str,
        *,
        role: str = "PV",
        step: str | None = None,
        batches: tuple[str, ...] = (),
        count: int = 500,
    ) -> pa.Table:
        """One parameter of many batches on one axis, `count` stretches each.

        The axis: seconds from the batch's first point; with `step`, 0 at that step's start to 1 at its
        end, and a batch without the step is left out, never stretched. Columns: `agreement`, `batch`,
        `position` (the stretch's beginning), `count`, `least`, `mean`, `greatest` (null where nothing
        was measured).

        Raises:
            InputError: a count that is none, or a code or batch that is not known here.
        """
        if count < 1:
            raise InputError(
                "a whole number from 1",
                where="count",
                found=str(count),
                advice="Each batch is drawn in so many stretches; 500 where nothing is said.",
                code="reader.count",
            )
        return overlay(self._home, code, role=role, step=step, batches=batches, count=count)

    def matrix(
        self, codes: tuple[str, ...] = (), *, role: str = "result", agreement: str | None = None
    ) -> pa.Table:
        """Batches × parameters: for each code its float `value` and texts with what it leaves out.

        Columns: `agreement`, `batch`; for each code `<code>` (float64, null where bounded or absent),
        `<code>.number` (exact, with comparator), `<code>.unit`, `<code>.value_status`. Where sources
        differ, the first in the ledger counts; `findings` says so.
        """
        found = read_results(self._home, codes=codes, agreement=agreement)
        rows = [row for row in found if row.role == role and row.form == "reportable"]
        names = codes or tuple(dict.fromkeys(row.code for row in rows))
        cells: dict[tuple[str, str], dict[str, ResultRow]] = {}
        for row in rows:
            cells.setdefault((row.agreement, row.batch), {}).setdefault(row.code, row)
        table: dict[str, list[Any]] = {
            "agreement": [key[0] for key in cells],
            "batch": [key[1] for key in cells],
        }
        for name in names:
            column = [row.get(name) for row in cells.values()]
            table[name] = [_plain(row) if row is not None else None for row in column]
            table[f"{name}.number"] = [row.shown if row is not None else None for row in column]
            table[f"{name}.unit"] = [row.unit if row is not None else None for row in column]
            table[f"{name}.value_status"] = [
                row.value_status if row is not None else None for row in column
            ]
        return pa.table(table)


def _plain(row: ResultRow) -> float | None:
    return float(row.number) if row.kind == "number" and not row.comparator else None


def open(home: str | Path) -> Reader:  # noqa: A001 - `fedbatch.open(home)` is what people type
    """Open a home for reading."""
    return Reader(Path(home))
