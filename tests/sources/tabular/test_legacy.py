import datetime as dt
import io
from pathlib import Path

import openpyxl
import pytest

from fedbatch.errors import InputError
from fedbatch.mapping.tables import CellKind
from fedbatch.sources.tabular import Bounds, Layout, list_sheets, read_file
from fedbatch.sources.tabular.legacy_child import Value, answer, read_value


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        ("", "", CellKind.BLANK),
        (" x", " x", CellKind.TEXT),
        (5.0, "5", CellKind.NUMBER),
        (0.1, "0.1", CellKind.NUMBER),
        (True, "TRUE", CellKind.BOOLEAN),
        (dt.date(2024, 6, 24), "2024-06-24", CellKind.DATE),
        (dt.time(8, 20), "08:20:00", CellKind.DATE),
        (dt.timedelta(hours=36), "1.5", CellKind.NUMBER),
    ],
)
def test_a_value_keeps_its_text_and_kind(value: Value, text: str, kind: CellKind) -> None:
    assert read_value(value) == (text, kind)


def test_noise_below_a_millisecond_is_no_digit() -> None:
    when = dt.datetime(2024, 6, 24, 8, 20, 0, 3)  # noqa: DTZ001 - a workbook knows no zone
    assert read_value(when) == ("2024-06-24T08:20:00", CellKind.DATE)


def test_the_child_answers_sheets_cells_and_refusals() -> None:
    book = openpyxl.Workbook()
    book.create_sheet("two").append(["a", 1])
    page = io.BytesIO()
    book.save(page)
    assert answer(page.getvalue(), 10, 10, None) == {"sheets": ["Sheet", "two"]}
    told = answer(page.getvalue(), 10, 10, "two")
    assert (told["rows"], told["kinds"]) == ([["a", "1"]], [[CellKind.TEXT, CellKind.NUMBER]])
    assert answer(page.getvalue(), 1, 10, "two")["error"] == "extent"
    assert answer(b"no workbook", 10, 10, None)["error"] == "damaged"


@pytest.mark.parametrize(
    ("bounds", "code"),
    [(Bounds(sheet_cells_max=100), "file.cells"), (Bounds(columns_max=3), "file.columns")],
)
def test_a_legacy_sheet_beyond_a_bound_is_refused(
    test_data: Path, bounds: Bounds, code: str
) -> None:
    path = test_data / "akta" / "unicorn5_export_Protein_A.xls"
    assert list_sheets(path) == ("Curves",)
    with pytest.raises(InputError) as caught:
        read_file(path, Layout(), bounds)
    assert caught.value.code == code
