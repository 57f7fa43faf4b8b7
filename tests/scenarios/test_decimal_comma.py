"""A workbook of a country with a decimal comma: numbers beside numbers written as texts."""

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from fedbatch.node.importing import confirm_mapping
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.reading import read_results
from fedbatch.node.series import load_series, series_block
from fedbatch.standard.agreements import Right
from tests.scenarios.making import AGREED, HEADERS, Link, linked
from tests.scenarios.test_series import HEADERS as PRESS
from tests.scenarios.test_series import line
from tests.scenarios.world import FILES

RIGHTS = (Right(record_type="series"), Right(record_type="batch"), Right(record_type="result"))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press", "small"), rights=RIGHTS) as one:
        for name in ("press", "small"):
            text = (FILES / f"{name}.yaml").read_text("utf-8")
            path = tmp_path / f"{name}-comma.yaml"
            path.write_text(text.replace('decimal_mark: "."', 'decimal_mark: ","'), "utf-8")
            confirm_mapping(one.cmo.home, read_mapping(path), one.cmo.person)
        yield one


def book(path: Path, *rows: list[object]) -> Path:
    sheet = openpyxl.Workbook()
    assert sheet.active is not None
    for row in rows:
        sheet.active.append(row)
    sheet.save(path)
    return path


def test_results_are_read_from_numbers_and_from_texts(made: Link, tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["B1", "T-1", "2026-02-01 06:15", "L-1", 100.1, "91,5"],
        ["B2", "T-1", "2026-02-01 06:15", "L-1", "99,25", 92.125],
        ["B3", "T-1", "2026-02-01 06:15", "L-1", "=98+0.5", "90.5"],
    ]
    report = made.cmo.take(book(tmp_path / "small.xlsx", [*HEADERS], *rows))
    made.cmo.share(AGREED)
    told = {(row.batch, row.code, row.shown) for row in read_results(made.cmo.home)}
    shown = {(batch, shown) for batch, _, shown in told}
    assert {("B1", "100.1"), ("B1", "91.5"), ("B2", "99.25"), ("B2", "92.125")} <= shown
    # Control: a text with a point is still none under a decimal comma.
    assert [item.found for item in report.findings if item.rule == "value.damaged"] == ["90.5"]


def test_points_are_read_from_numbers_and_from_texts(made: Link, tmp_path: Path) -> None:
    rows: list[list[object]] = []
    for at, speed in (("06:00:00", 101.5), ("06:00:10", "102,25"), ("06:00:20", 1e-05)):
        cells: list[object] = [*line(at).split(";")]
        cells[4:] = [speed, *(float(str(cell)) for cell in cells[5:])]
        rows.append(cells)
    report = made.cmo.take(book(tmp_path / "press.xlsx", [*PRESS.split(";")], *rows))
    assert "series.text" not in {item.rule for item in report.findings}
    made.cmo.share(AGREED)
    made.settle()
    (item,) = load_series(made.sponsor.home, "B1")
    column = series_block(made.sponsor.home, item).columns["PRESS.SPEED.PV"]
    numbers = [number / 10 ** (column.scale or 0) for number in column.numbers.tolist()]
    assert numbers == [101.5, 102.25, 1e-05]
