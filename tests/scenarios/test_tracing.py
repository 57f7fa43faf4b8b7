"""Provenance of a series: segments and live entries, files or commitments, writer, proof."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.errors import InputError
from fedbatch.node.series import load_series, series_block
from fedbatch.node.tracing import SeriesOrigin, StretchOrigin, read_series_provenance
from fedbatch.series.segments import points_hash
from fedbatch.standard.agreements import Right
from tests.scenarios.making import AGREED, Link, linked
from tests.scenarios.test_series import line, press_file
from tests.scenarios.test_series_bad import live
from tests.scenarios.world import Node

SERIES = Right(record_type="series")
FILES = Right(record_type="attachment", codes=("source_file",))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, mappings=("press",), rights=(SERIES,)) as one:
        yield one


def deliver(made: Link, *lines: str) -> Path:
    path = press_file(made, *lines)
    made.cmo.take(path)
    made.cmo.share(AGREED)
    made.settle()
    return path


def origin(node: Node, code: str = "PRESS.SPEED") -> SeriesOrigin:
    (found,) = read_series_provenance(node.home, "B1", code)
    return found


def segment(node: Node) -> StretchOrigin:
    (found,) = origin(node).stretches
    return found


def test_a_series_is_led_back_to_its_segment_at_both_nodes(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"))
    here, there = origin(made.cmo), origin(made.sponsor)
    assert here.posted_by == made.cmo.home.settings.name
    assert there.posted_by == made.sponsor.home.partner_named(made.cmo.party).name
    one, two = segment(made.cmo), segment(made.sponsor)
    (item,) = load_series(made.sponsor.home, "B1")
    whole = series_block(made.sponsor.home, item)
    assert two.points_hash == points_hash(whole)
    for stretch in (one, two):
        assert (stretch.kind, stretch.points, stretch.count) == ("segment", 2, 24)
        assert stretch.verified == "yes"
        assert stretch.countersigned
        assert stretch.signed_under.startswith(f"{AGREED}@")
    assert (one.entry, one.index, one.from_, one.to) == (two.entry, two.index, two.from_, two.to)


def test_the_writer_sees_its_file_and_the_partner_a_commitment(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"))
    (own,), (told,) = segment(made.cmo).origins, segment(made.sponsor).origins
    assert own.startswith("file press.csv (SHA-256 ")
    assert told.startswith("commitment ")
    assert "press" not in told.lower()


def test_the_partner_sees_the_file_where_it_is_shared(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=(SERIES, FILES)) as made:
        deliver(made, line("06:00:00"), line("06:00:10"))
        (told,) = segment(made.sponsor).origins
        assert told.startswith("file press.csv (SHA-256 ")


def test_a_correction_names_what_it_corrects(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"))
    deliver(made, line("06:00:00"), line("06:00:10", speed="55.5"))
    first, second = origin(made.sponsor).stretches
    assert second.corrects == [first.entry]
    assert first.corrects == []


@pytest.mark.parametrize(
    "code", ["PRESS.SPEED", "PRESS.SPEED.PV", ""], ids=["code", "role", "term"]
)
def test_a_series_is_found_by_code_role_and_term(made: Link, code: str) -> None:
    deliver(made, line("06:00:00"))
    body = made.cmo.home.standing(AGREED).body
    assert body is not None
    (term,) = {one.term for one in body.parameters if one.code == "PRESS.SPEED"}
    wanted = code or term
    assert origin(made.sponsor, wanted).code == "PRESS.SPEED"


def test_live_points_are_led_to_their_entries_and_then_to_their_segment(made: Link) -> None:
    follower, path = live(made)
    path.write_text(path.read_text() + line("06:00:10") + "\n")
    follower.turn()
    made.settle()
    for node in (made.cmo, made.sponsor):
        found = segment(node)
        assert (found.kind, found.points, found.from_) == ("live", 2, "2026-02-01T05:00:00Z")
        assert found.countersigned
    assert segment(made.cmo).points_hash == segment(made.sponsor).points_hash
    assert "press" in segment(made.cmo).origins[0]
    before = segment(made.sponsor)
    path.write_text(path.read_text() + line("07:30:00") + "\n")
    follower.turn()
    made.settle()
    sealed, rest = origin(made.sponsor).stretches
    assert (sealed.kind, sealed.points, rest.kind, rest.points) == ("segment", 2, "live", 1)
    assert rest.index > before.index
    assert sealed.origins[0].startswith("sealed from live entries ")


def test_a_segment_that_is_not_here_is_not_verified(made: Link) -> None:
    deliver(made, line("06:00:00"))
    for path in (made.sponsor.home.agreement_folder(AGREED) / "objects").glob("??/*"):
        path.unlink()
    stretch = segment(made.sponsor)
    assert (stretch.points, stretch.verified) == (-1, "no: object.missing")


def test_the_command_shows_results_and_series_alike(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"))
    place = str(made.sponsor.home.path)
    run = CliRunner().invoke
    shown = run(app, ["provenance", "B1", "PRESS.SPEED", "--home", place])
    assert shown.exit_code == 0, shown.output
    assert "segment, entry " in shown.output
    told = json.loads(
        run(app, ["provenance", "B1", "PRESS.SPEED", "--home", place, "--json"]).output
    )
    (one,) = told["series"]
    assert one["stretches"][0]["from"] == "2026-02-01T05:00:00Z"
    unknown = run(app, ["provenance", "B1", "NO-SUCH", "--home", place])
    assert unknown.exit_code != 0


def test_a_batch_nobody_knows_has_no_series(made: Link) -> None:
    with pytest.raises(InputError) as refused:
        read_series_provenance(made.cmo.home, "B99", "PRESS.SPEED")
    assert refused.value.code == "batch.unknown"
