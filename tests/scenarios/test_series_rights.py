"""Rights to series: drafted where a mapping reads series, and what stays without them is said."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.node.agreement_files import read_checked
from fedbatch.node.drafting import draft_agreement, draft_alone
from fedbatch.node.following import Follower
from fedbatch.node.importing import confirm_mapping, load_mappings
from fedbatch.standard.agreements import Right
from fedbatch.standard.mappings import SeriesTarget
from tests.scenarios.making import AGREED, Link, linked, write_table
from tests.scenarios.test_series import line, press_file
from tests.scenarios.test_windows import DAY, LOGGED, VALUES, windows

REASON = "the agreement's rights name no `series`"
RIGHTS = tuple(Right(record_type=name) for name in ("product", "batch", "step", "result"))


def stays(made: Link, agreement: str = AGREED) -> dict[str, int]:
    skipped = made.cmo.share(agreement, dry_run=True).plan.skipped
    return {reason: count for reason, count in skipped.items() if reason.startswith("series")}


@pytest.mark.parametrize(("name", "is_series"), [("press", True), ("small", False)])
def test_a_draft_has_the_right_where_a_mapping_reads_series(
    tmp_path: Path, name: str, *, is_series: bool
) -> None:
    with linked(tmp_path, mappings=(name,)) as made:
        partner = made.cmo.home.node.partners()[0]
        drafts = (
            draft_agreement(made.cmo.home, partner, own_role="CMO", id_="ag-9"),
            draft_alone(made.cmo.home, "Maker AG", id_="ag-9"),
        )
        for text in drafts:
            assert ("record_type: series" in text) == is_series
        filled = drafts[0].replace('name: "?"', "name: Alpinol").replace('value: "?"', "value: T-7")
        path = tmp_path / "draft.yaml"
        path.write_text(filled, encoding="utf-8")
        rights = {right.record_type for right in read_checked(made.cmo.home, path).rights}
        assert ("series" in rights) == is_series


def test_what_stays_for_want_of_the_right_is_said(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10", "B2")))
        assert stays(made) == {f"series with all their points: {REASON}": 2}
        place = ["--home", str(made.cmo.home.path)]
        for dry in (["--dry-run"], []):
            shown = CliRunner().invoke(app, ["share", AGREED, *dry, *place])
            assert f"stays here: 2 (series with all their points: {REASON})" in shown.output
        told = json.loads(CliRunner().invoke(app, ["share", AGREED, *place, "--json"]).output)
        assert told["stays"][f"series with all their points: {REASON}"] == 2


def test_with_the_right_nothing_is_said_to_stay(tmp_path: Path) -> None:
    with linked(
        tmp_path, mappings=("press",), rights=(*RIGHTS, Right(record_type="series"))
    ) as made:
        made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10", "B2")))
        assert stays(made) == {}
        assert made.cmo.share(AGREED).plan.by_type["sealed"] == 2


def test_of_batches_of_no_agreement_nothing_is_said(tmp_path: Path) -> None:
    """What one agreement's sharing says must not depend on another party's batches."""
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        other = line("06:00:10", "B9").replace(";T-1;", ";T-9;")
        made.cmo.take(press_file(made, other))
        assert stays(made) == {}
        made.cmo.take(press_file(made, line("06:00:00"), other))
        assert stays(made) == {f"series with all their points: {REASON}": 1}


def test_a_policy_that_sends_what_is_checked_alone_is_named(tmp_path: Path) -> None:
    rights = (*RIGHTS, Right(record_type="series"))
    with linked(tmp_path, mappings=("press",), rights=rights, send_from="checked") as made:
        made.cmo.take(press_file(made, line("06:00:00")))
        (reason,) = stays(made)
        assert "`send_from` is checked" in reason


def test_live_points_that_stay_are_counted_before_they_are_sealed(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        (mapping,) = load_mappings(made.cmo.home)
        live = msgspec.structs.replace(mapping, precedence="live")
        confirm_mapping(made.cmo.home, live, made.cmo.person)
        path = press_file(made, line("06:00:00"))
        Follower(made.cmo.home, [path], made.cmo.person, shares=False).turn()
        assert stays(made) == {f"series with all their points: {REASON}": 1}


def test_of_a_vessels_series_only_what_a_window_covers_is_counted(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("logbook", "historian"), rights=RIGHTS) as made:
        mapping = next(m for m in load_mappings(made.cmo.home) if m.source == "historian")
        series = tuple(
            msgspec.structs.replace(rule, series=SeriesTarget(model="raw")) if rule.tag else rule
            for rule in mapping.rules
        )
        confirm_mapping(
            made.cmo.home, msgspec.structs.replace(mapping, rules=series), made.cmo.person
        )
        row = ["P-1", f"{DAY} 06:15:00", "FORCE", "4.2", "kN"]
        made.cmo.take(write_table(tmp_path / "historian.csv", [row], VALUES))
        assert stays(made) == {}
        windows(made, "before", LOGGED, ("B1", "T-1", "05:10", "05:20"))
        assert stays(made) == {}
        windows(made, "then", LOGGED, ("B2", "T-1", "06:10", "06:20"))
        assert stays(made) == {f"series with all their points: {REASON}": 1}
