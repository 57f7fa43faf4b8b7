"""Runs calamine, in a process of its own: a forged size in an xls makes it abort, not raise.

    python legacy_child.py CELLS_MAX COLUMNS_MAX [SHEET] < workbook > answer.json

The answer names the sheets, or holds the texts, kinds and merged cells of one, or an `error`.
Imports nothing of Fedbatch, so that it starts fast and cannot do more than read.
"""

import datetime as dt
import io
import json
import sys

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

if sys.platform != "win32":  # elsewhere the parent's time limit still holds
    import resource

__all__ = ["answer", "main"]

ADDRESS_SPACE_BYTES_MAX = 2 << 30
DAY = dt.timedelta(days=1)
MILLISECOND_US = 1_000
# CellKind by number: this file stands alone.
BLANK, TEXT, NUMBER, DATE, BOOLEAN = range(5)

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def answer(
    content: bytes, cells_max: int, columns_max: int, sheet: str | None
) -> dict[str, object]:
    """The sheets of a workbook, or the cells of one of them; `error` where it cannot be read."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        if sheet is None:
            kind = SheetTypeEnum.WorkSheet
            return {"sheets": [one.name for one in workbook.sheets_metadata if one.typ == kind]}
        source = workbook.get_sheet_by_name(sheet)
        last_row, last_column = source.end or (-1, -1)  # its `total_height` is one short
        height, width = last_row + 1, last_column + 1
        if width > columns_max or height * width > cells_max:
            return {"error": "extent", "height": height, "width": width}
        cells = [[read_value(value) for value in row] for row in source.to_python(False)]  # noqa: FBT003 - by position, as the library has it
        ranges = source.merged_cell_ranges or []
    except PasswordError:
        return {"error": "password"}
    except (CalamineError, OSError, ValueError, OverflowError) as error:
        return {"error": "damaged", "found": f"{type(error).__name__}: {error}"}
    return {
        "rows": [[text for text, _ in row] for row in cells],
        "kinds": [[kind for _, kind in row] for row in cells],
        "merged": [[*first, *last] for first, last in ranges],
    }


def read_value(value: Value) -> tuple[str, int]:
    """The text and kind of a value; bool and datetime come before int and date, their bases."""
    if isinstance(value, str):
        return value, TEXT if value else BLANK
    if isinstance(value, bool):
        return str(value).upper(), BOOLEAN
    if isinstance(value, int | float):
        return repr(value).removesuffix(".0"), NUMBER
    if isinstance(value, dt.timedelta):
        return repr(value / DAY).removesuffix(".0"), NUMBER
    if isinstance(value, dt.datetime | dt.time):
        timespec = "milliseconds" if value.microsecond >= MILLISECOND_US else "seconds"
        return value.isoformat(timespec=timespec), DATE
    return value.isoformat(), DATE


def main() -> None:
    if sys.platform != "win32":
        limit = (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX)
        resource.setrlimit(resource.RLIMIT_AS, limit)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cells_max, columns_max, *sheet = sys.argv[1:]
    content = sys.stdin.buffer.read()
    told = answer(content, int(cells_max), int(columns_max), sheet[0] if sheet else None)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
