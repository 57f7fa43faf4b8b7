from itertools import chain

import pytest
from rich.console import Console

from fedbatch.cli import output

ROWS = [
    ("limit.excursion", "B26-0144", "above the limit for eleven minutes", "2026-03-06T00:23:37Z"),
    ("reconcile.mismatch", "B1", "", "2026-03-06T00:23:37Z"),
]
COLUMNS = ("rule", "batch", "found", "time")


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int) -> str:
    monkeypatch.setattr(output, "_console", Console(width=width, highlight=False))
    output.show_table(COLUMNS, ROWS, title="Findings")
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [200, 80, 70, 40])
def test_no_word_is_broken_and_no_line_is_too_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    out = shown(monkeypatch, capsys, width)
    words = {word for cell in chain(COLUMNS, *ROWS) for word in cell.split()}
    assert words <= set(out.split())
    assert all(len(line) <= width for line in out.splitlines())
    assert "–" in out  # an empty cell


def test_where_words_do_not_fit_side_by_side_each_row_is_a_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line.split() for line in shown(monkeypatch, capsys, 40).splitlines()]
    assert ["rule", "limit.excursion"] in lines
    assert ["time", "2026-03-06T00:23:37Z"] in lines
    side_by_side = shown(monkeypatch, capsys, 80).splitlines()
    assert side_by_side[1].split() == list(COLUMNS)
