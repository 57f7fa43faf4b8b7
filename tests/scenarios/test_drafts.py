"""`fedbatch map new` on files as they come: what it drafts is what a person then confirms."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.node.home import create_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_home(tmp_path / "home", name="N", person="P", listen="", address="").close()
    return tmp_path / "home"


def run(home: Path, *words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*map(str, words), "--home", str(home)])
    assert done.exit_code == code, done.output
    return done.stdout


def draft_of(home: Path, rows: Sequence[str], *words: str) -> str:
    path = home.parent / "log.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    out = home.parent / "log.yaml"
    out.unlink(missing_ok=True)
    run(home, "map", "new", path, "--out", out, "--zone", "UTC", *words)
    return out.read_text("utf-8")


def answered(home: Path, draft: str, **rules: str) -> Path:
    """The draft with its questions answered."""
    lines = draft.splitlines()
    for header, answer in rules.items():
        lines = [
            f"  - {{header: {header}, {answer}}}" if f'header: "{header}"' in line else line
            for line in lines
        ]
    path = home.parent / "answered.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


SPEED = (
    "term: press.speed, role: PV, raw_unit: '10^3/h', unit: '10*3/h', "
    "series: {model: raw, interval: PT10S}"
)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (
            ("2026-05-04T06:00:00.5Z", "2026-05-04T06:00:10Z", "2026-05-04T06:00:20.25Z"),
            'time_formats: ["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"]',
        ),
        (("1777874400500", "1777874410000", "1777874420250"), 'time_format: "unix_ms"'),
        (("04-May-26 06:00:00", "04-May-26 06:00:10"), 'time_format: "%d-%b-%y %H:%M:%S"'),
    ],
)
def test_a_drafts_format_of_times_reads_its_file(
    home: Path, times: tuple[str, ...], told: str
) -> None:
    rows = ["Time;Batch;Speed", *(f"{time};B1;10.{at}" for at, time in enumerate(times))]
    draft = draft_of(home, rows)
    assert told in draft
    path = answered(home, draft.replace("shape: row_a_batch", "shape: wide"), Speed=SPEED)
    run(home, "map", "confirm", path)
    said = run(home, "import", home.parent / "log.csv")
    assert f"{len(times)} new points" in said, said
    assert "0 held back" in said
