"""One lost or damaged segment hides its own stretch and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.errors import ConflictError
from fedbatch.node.findings import read_findings
from fedbatch.node.series import lost_stretches, point_rows, read_lines, series_table
from fedbatch.standard.agreements import Right
from tests.scenarios.making import Link, linked
from tests.scenarios.test_series import deliver, line

HARMS = pytest.mark.parametrize("problem", ["missing", "damaged"])


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    rights = (Right(record_type="series"),)
    with linked(tmp_path, mappings=("press",), rights=rights) as one:
        deliver(one, line("06:00:00"), line("06:00:10"))
        deliver(one, line("06:00:20"), line("06:00:30", batch="B2", speed="100000"))
        yield one


def harm(made: Link, problem: str) -> None:
    """Lose or damage the first stretch of B1 at the sponsor."""
    home = made.sponsor.home
    (first, *_) = [
        (row, record)
        for row in home.ledgers(made.agreement).ledgers()
        for record in home.ledgers(made.agreement).objects(row.ledger)
    ]
    folder = home.agreement_folder(made.agreement) / "objects"
    path = folder / first[1].sha256[:2] / first[1].sha256[2:]
    if problem == "missing":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@HARMS
def test_a_lost_segment_is_a_finding_and_all_else_is_found_as_before(
    made: Link, problem: str
) -> None:
    before = [row for row in read_findings(made.sponsor.home) if row.batch == "B2"]
    assert not any(row.finding.rule == "series.segment" for row in before)
    harm(made, problem)
    rows = read_findings(made.sponsor.home)
    (row,) = (row for row in rows if row.finding.rule == "series.segment")
    assert row.batch == "B1"
    assert "PRESS.SPEED" in row.finding.found
    assert problem in row.finding.found
    assert "fedbatch rebuild" in row.finding.advice
    assert [row for row in rows if row.batch == "B2"] == before


@HARMS
def test_what_is_left_of_a_series_is_shown_with_the_stretch_that_is_not(
    made: Link, problem: str
) -> None:
    harm(made, problem)
    home = made.sponsor.home
    (lost,) = lost_stretches(home, "B1")
    assert (lost.batch, lost.problem) == ("B1", problem)
    assert (lost.from_, lost.points) == ("2026-02-01T05:00:00Z", 24)
    assert {one.points for one in read_lines(home, "B1")} == {1}
    assert len(point_rows(home, "B1", "PRESS.SPEED")) == 1
    assert lost_stretches(home, "B2") == []
    run = CliRunner().invoke
    shown = run(app, ["series", "B1", "PRESS.SPEED", "--home", str(home.path)])
    assert shown.exit_code == 0, shown.output
    assert "from 2026-02-01T05:00:00Z to" in shown.output
    assert "fedbatch rebuild" in shown.output
    told = json.loads(run(app, ["series", "B1", "--home", str(home.path), "--json"]).output)
    assert told["missing"][0]["from"] == "2026-02-01T05:00:00Z"


@HARMS
def test_what_must_be_whole_is_refused_and_names_batch_and_stretch(
    made: Link, problem: str
) -> None:
    harm(made, problem)
    with pytest.raises(ConflictError, match=r"batch B1 .* of 2026-02-01T05:00:00Z to") as refused:
        series_table(made.sponsor.home, "B1")
    assert refused.value.code == "series.lost"
    assert problem in str(refused.value)
    assert series_table(made.sponsor.home, "B2").num_rows == 1


def test_the_writer_is_not_told_that_nothing_is_shared(made: Link) -> None:
    home = made.cmo.home
    for path in (home.agreement_folder(made.agreement) / "objects").glob("??/*"):
        path.unlink()
    shown = CliRunner().invoke(app, ["series", "B2", "--home", str(home.path)])
    assert shown.exit_code == 0, shown.output
    assert "Not shown: 12 points" in shown.output
    assert "Nothing of it is shared" not in shown.output
