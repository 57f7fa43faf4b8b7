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


# ---- the layout: said where it is otherwise than the mapping has it, and only there

PLAIN = ["Time;Batch;Speed", "2026-05-04 06:00:00;B1;10.5", "2026-05-04 06:00:10;B1;11.5"]
UNITS = [PLAIN[0], ";;10^3/h", *PLAIN[1:]]


def imported(home: Path, rows: Sequence[str]) -> str:
    path = home.parent / "log.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["import", str(path), "--home", str(home)])
    assert done.exit_code in {0, 1}, done.output
    return done.stdout


def confirm(home: Path, rows: Sequence[str], change: tuple[str, str] = ("", "")) -> None:
    draft = draft_of(home, rows).replace("shape: row_a_batch", "shape: wide")
    run(home, "map", "confirm", answered(home, draft.replace(*change), Speed=SPEED))


@pytest.mark.parametrize("rows", [PLAIN, UNITS, ["# a remark; of two", *PLAIN]])
def test_a_file_laid_out_as_its_mapping_expects_says_nothing_of_its_layout(
    home: Path, rows: list[str]
) -> None:
    confirm(home, rows)
    for more in range(3):
        said = imported(home, [*rows, *(f"2026-05-04 06:01:0{at};B1;12.5" for at in range(more))])
        assert "table.layout" not in said


def test_a_file_laid_out_otherwise_than_its_mapping_states_says_what_was_found(home: Path) -> None:
    confirm(home, PLAIN, ('layout: {header_row: "1"}', 'layout: {header_row: "1", delimiter: ";"}'))
    assert "table.layout" not in imported(home, PLAIN)
    said = imported(home, ["Report of line 3", "", *(row.replace(";", ",") for row in PLAIN)])
    assert (
        "Expected header row 1, delimiter ;, as the mapping states at log.csv R3C1, found 'header "
        "row 3, delimiter ,'" in said
    )


def test_a_row_taken_for_units_that_the_mapping_does_not_know_is_said_each_time(home: Path) -> None:
    confirm(home, PLAIN)
    other = [PLAIN[0], ";;rpm", *PLAIN[1:]]
    for _ in range(2):
        assert "1 × table.layout: Expected a stated layout at log.csv R1C1, found 'unit row 2'" in (
            imported(home, other)
        )
    # The unit that the mapping states is no news, whether the mapping states its row or not.
    assert "table.layout" not in imported(home, UNITS)
