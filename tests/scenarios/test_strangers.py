"""What a stranger at the keyboard found: mistyped names, missing files, hostile names, bad orders."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import openpyxl
import pytest
from typer.testing import CliRunner

import fedbatch
from fedbatch.cli import app
from fedbatch.cli.output import visible
from fedbatch.errors import ConflictError, InputError, IntegrityError, RefusedError
from fedbatch.node.agreement_files import check_agreement
from fedbatch.node.backups import back_up
from fedbatch.node.drafting import write_draft
from fedbatch.node.exporting import export_table
from fedbatch.node.findings import read_findings
from fedbatch.node.home import Home, create_home
from fedbatch.node.importing import find_files
from fedbatch.node.people import let_leave
from fedbatch.node.reading import read_results
from fedbatch.node.reviewing import correct_result, lift_stops, withdraw_batch
from fedbatch.node.verifying import verify_home
from fedbatch.node.yaml_files import read_yaml
from fedbatch.services.agreements import Officer, Party, change_state
from fedbatch.standard.agreements import AgreementBody, Effective
from fedbatch.standard.mappings import Mapping
from tests.scenarios.making import AGREED, Link, are_equal, linked, row
from tests.scenarios.world import Node

MAPPING = b"""
source: x
version: 1
shape: row_a_batch
decimal_mark: "."
zone: UTC
rules:
  - {header: a, field: batch}
  - {header: b, term: tablet.hardness, %s: mean, unit: N}
"""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path) as link:
        yield link


def body_of(made: Link) -> AgreementBody:
    body = made.cmo.home.standing(made.agreement).body
    assert body is not None
    return body


def test_a_value_corrected_and_withdrawn_before_sharing_leaves_the_partner(made: Link) -> None:
    made.deliver([row("B1"), row("B2")])
    home, person = made.cmo.home, made.cmo.person
    correct_result(home, "B1", "assay", "99.0", person, "typing error")
    withdraw_batch(home, "B1", "assay", person, "entered_in_error", "not ours")
    made.cmo.share(made.agreement)
    made.settle()
    terms = {item.code for item in read_results(made.sponsor.home, batch="B1")}
    assert terms == {item.code for item in read_results(made.sponsor.home, batch="B2")} - {"ASSAY"}


@pytest.mark.parametrize(
    "name",
    [
        "node.sqlite",
        "journal/journal.sqlite",
        "journal/objects",
        "agreements/ag-1/ledgers.sqlite",
        "keys/identity.key",
    ],
)
def test_what_is_gone_from_a_home_is_named_and_not_made_anew(made: Link, name: str) -> None:
    made.deliver([row("B1")])
    assert verify_home(made.cmo.home).wrong == []
    folder = made.cmo.home.path
    made.cmo.home.close()
    gone = folder / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with Home(folder, clock=made.world.clock) as home:
        wrong = verify_home(home).wrong
    assert any("missing" in text for text in wrong), wrong


def test_a_missing_journal_is_refused_where_a_new_one_would_hide_the_loss(tmp_path: Path) -> None:
    create_home(tmp_path / "h", name="X", person="Y", listen="", address="").close()
    (tmp_path / "h" / "journal" / "journal.sqlite").unlink()
    with Home(tmp_path / "h") as home, pytest.raises(IntegrityError, match="missing"):
        home.journal.size()


def test_a_mistyped_field_is_refused_by_its_path() -> None:
    read = read_yaml(MAPPING % b"qualifier", Mapping, "m.yaml")
    assert read.rules[1].qualifier == "mean"
    with pytest.raises(InputError, match="/rules/1/qualifer"):
        read_yaml(MAPPING % b"qualifer", Mapping, "m.yaml")


def test_deep_yaml_is_refused() -> None:
    with pytest.raises(InputError):
        read_yaml(b"[" * 100_000, Mapping, "deep.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"effective": Effective(from_="yesterday")}, "UTC instant"),
        ({"effective": Effective(from_="2020-01-01T00:00:00Z", to="2021-01-01T00:00:00Z")}, "over"),
        ({"purpose": "commercial"}, "pilot"),
        ({"id": "ag-2"}, "same product and site"),
    ],
)
def test_an_agreement_that_cannot_work_is_not_proposed(
    made: Link, change: dict[str, object], said: str
) -> None:
    body = body_of(made)
    assert check_agreement(made.cmo.home, body) == []
    problems = check_agreement(made.cmo.home, msgspec.structs.replace(body, **change))
    assert any(said in text for text in problems), problems


def test_a_stranger_a_wrong_unit_and_an_open_question_are_refused(made: Link) -> None:
    body = body_of(made)
    stranger = msgspec.structs.replace(body.parties[1], party="party-ffff")
    unit = msgspec.structs.replace(body.parameters[0], unit="kg")
    field = msgspec.structs.replace(body.parameters[0], term="batch.size", unit="1")
    open_name = msgspec.structs.replace(body.product[0], name="?")
    for changed, said in (
        (msgspec.structs.replace(body, parties=(body.parties[0], stranger)), "no partner"),
        (msgspec.structs.replace(body, parameters=(unit,)), "no unit of"),
        (msgspec.structs.replace(body, parameters=(field,)), "no parameter"),
        (msgspec.structs.replace(body, product=(open_name,)), "'?'"),
    ):
        problems = check_agreement(made.cmo.home, changed)
        assert any(said in text for text in problems), problems


def test_the_last_admin_stays(tmp_path: Path) -> None:
    home = create_home(tmp_path / "h", name="X", person="Y", listen="", address="")
    with home, pytest.raises(RefusedError, match="last node admin"):
        let_leave(home, home.acting(None, ""), "u-1")


def test_data_never_steer_the_terminal() -> None:
    assert visible("B\x1b[31mRED\x07") == "B\\x1b[31mRED\\x07"
    assert visible("plain, µ and – stay") == "plain, µ and – stay"
    assert visible("a\nb", "") == "a\\nb"


def test_a_name_that_forges_a_line_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["init", "--home", str(tmp_path / "h"), "--name", "Alp\nfedbatch: everything holds"]
    )
    assert done.exit_code == 3
    assert not (tmp_path / "h").exists()


def test_control_characters_do_not_break_a_workbook(tmp_path: Path) -> None:
    export_table([{"batch": "B\x07 1", "found": "=1+1"}], tmp_path / "t.xlsx", "t")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]] == ["B\\x07 1", "'=1+1"]


def test_a_lot_of_two_products_is_found_on_both_nodes(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("lots",)) as link:
        link.cmo.take(_lots(tmp_path))
        link.cmo.share(link.agreement)
        link.settle()
        found = [
            [item.finding for item in read_findings(node.home, link.agreement)]
            for node in (link.cmo, link.sponsor)
        ]
    rules = [[item.rule for item in side] for side in found]
    assert rules == [["lot.two_products"], ["lot.two_products"]]


def _lots(folder: Path) -> Path:
    path = folder / "lots.csv"
    path.write_text("Batch,Product,Lot,Material\nB1,T-1,L1,M1\nB2,T-1,L1,M2\nB3,T-1,L2,M1\n")
    return path


def test_what_an_import_found_stays_in_reach(made: Link) -> None:
    made.take([row("B1"), row("B2")])
    made.take([row("B1")])
    found = [item.finding.rule for item in read_findings(made.cmo.home)]
    assert "file.row_vanished" in found
    assert [item.finding.rule for item in read_findings(made.sponsor.home)] == []


def test_a_stopped_ledger_goes_on_when_an_officer_resumes_it(made: Link) -> None:
    made.deliver([row("B1")])
    exchange, home = made.cmo.home.exchange, made.cmo.home
    error = IntegrityError("said without evidence", code="gap")
    exchange.own_is_stopped_by(made.sponsor.party, made.agreement, error)
    made.take([row("B2")], name="second.csv")
    with pytest.raises(IntegrityError, match="stopped"):
        made.cmo.share(made.agreement)
    known = home.agreement_named(made.agreement)
    assert lift_stops(home, known, made.cmo.person, "compared by telephone") == 1
    made.cmo.share(made.agreement)
    made.settle()
    assert are_equal(made)


def test_accepting_twice_says_that_it_is_done(made: Link) -> None:
    sponsor = made.sponsor.home
    officer = sponsor.officer(made.sponsor.person, "agreement officer")
    with pytest.raises(ConflictError, match="accepted already"):
        sponsor.exchange.accept(made.agreement, officer)


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("a,b\n1,2\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert find_files([tmp_path]) == [tmp_path / "real.csv"]
    assert find_files([tmp_path / "link.csv"]) == [tmp_path / "link.csv"]


def test_who_asks_for_what_cannot_be_is_told_what_was_expected_and_found(
    made: Link, tmp_path: Path
) -> None:
    made.deliver([row("B1")])
    home, person = made.cmo.home, made.cmo.person
    here = tmp_path / "here"
    here.mkdir()
    (here / "holiday").write_text("x")
    party = Party(party=made.cmo.party, partner=made.sponsor.party, officer=_officer(made.cmo))
    store = home.ledgers(AGREED)

    def resume() -> None:
        change_state(store, "active", party, home.keys, home.ids, home.clock, "x")

    attempts: dict[str, tuple[Callable[[], object], str, str]] = {
        "agreement.version": (
            lambda: home.exchange.propose(made.sponsor.party, body_of(made), "u-1"),
            "version 2, which is due",
            "found 'version 1'",
        ),
        "backup.there": (
            lambda: back_up(home, person, here, lambda done, total: None),
            f"nothing is yet at {here}",
            "found 'a folder'",
        ),
        "draft.exists": (
            lambda: write_draft(here / "holiday", ""),
            f"no file is yet at {here / 'holiday'}",
            "name another with --out",
        ),
        "home.not_empty": (
            lambda: create_home(here, name="N", person="P", listen="", address=""),
            f"empty, or not there yet at {here}",
            "found 'holiday'",
        ),
        "home.exists": (
            lambda: create_home(home.path, name="N", person="P", listen="", address=""),
            f"no Fedbatch home yet at {home.path}",
            "found 'node.toml'",
        ),
        "correct.same": (
            lambda: correct_result(home, "B1", "assay", "100.1", person, "x"),
            "another value than the result has",
            "found '100.1'",
        ),
        "agreement.not_paused": (resume, "that this party has paused", "found 'active'"),
    }
    for code, (attempt, expected, found) in attempts.items():
        with pytest.raises(ConflictError) as caught:
            attempt()
        said = str(caught.value)
        assert caught.value.code == code, said
        assert said.startswith("Expected "), said
        assert expected in said, said
        assert found in said, said


def test_a_reader_refuses_to_draw_in_no_stretches(made: Link) -> None:
    with fedbatch.open(made.cmo.home.path) as reader, pytest.raises(InputError) as caught:
        reader.overlay("PRESS.SPEED", count=0)
    assert caught.value.code == "reader.count"
    assert "Expected a whole number from 1 at count, found '0'" in str(caught.value)


def _officer(node: Node) -> Officer:
    return node.home.officer(node.person, "agreement officer")
