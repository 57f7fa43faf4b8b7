"""A folder carries the same exchange where no network may: pairing, agreement, entries, receipts."""

import json
import shutil
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

from fedbatch.cli import app
from fedbatch.errors import ConflictError
from fedbatch.node.carrying import answer_into_folder, carry
from fedbatch.node.importing import load_mappings
from fedbatch.node.key_changes import change_key_of
from fedbatch.node.overview import read_status
from fedbatch.node.series import load_series
from fedbatch.node.verifying import verify_home
from fedbatch.peers.folder import Carried
from fedbatch.services import pairing
from fedbatch.standard.agreements import Right
from tests.scenarios.agreements import parameters_of, tablet_agreement
from tests.scenarios.making import AGREED, Link, are_equal, write_table
from tests.scenarios.making import row as table_row
from tests.scenarios.test_series import line, press_file
from tests.scenarios.world import Node, World

RIGHTS = (Right(record_type="series"), Right(record_type="attachment", codes=("source_file",)))


def paired(world: World, stick: Path) -> tuple[Node, Node]:
    """Two nodes that nobody can dial, paired by files alone."""
    cmo, sponsor = world.node("cmo"), world.node("sponsor")
    invitation = pairing.invite(sponsor.home.pairing, "u-1", "ab" * 16, "", is_by_folder=True)
    answer_into_folder(cmo.home, invitation, stick)
    carry(sponsor.home, stick, "u-1")
    carry(cmo.home, stick, "u-1")
    for node, other in ((cmo, sponsor), (sponsor, cmo)):
        partner = node.home.partner_named(other.party)
        assert not partner.dials
        pairing.confirm(node.home.pairing, partner, "u-1")
    return cmo, sponsor


def carry_both(cmo: Node, sponsor: Node, stick: Path, times: int = 1) -> list[Carried]:
    carried: list[Carried] = []
    for _ in range(times):
        for node in (cmo, sponsor):
            carried += carry(node.home, stick, "u-1").values()
    return carried


def agreed(cmo: Node, sponsor: Node, stick: Path) -> Link:
    cmo.map("small")
    cmo.map("press")
    parameters = parameters_of(load_mappings(cmo.home))
    body = tablet_agreement(cmo, sponsor, ("T-1",), parameters, rights=RIGHTS)
    cmo.home.exchange.propose(sponsor.party, body, "u-1")
    # Each side learns that the other has confirmed before anything else is written for it.
    carry_both(cmo, sponsor, stick, 2)
    sponsor.home.exchange.accept(AGREED, sponsor.home.officer(sponsor.person, "agreement officer"))
    carry_both(cmo, sponsor, stick, 3)
    assert cmo.home.standing(AGREED).state == "active"
    return Link(World.__new__(World), cmo, sponsor, cmo, sponsor)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def test_two_nodes_without_network_exchange_everything_by_a_folder(
    tmp_path: Path, stick: Path
) -> None:
    world = World(tmp_path)
    cmo, sponsor = paired(world, stick)
    made = agreed(cmo, sponsor, stick)
    made.world = world
    cmo.take(write_table(tmp_path / "tables" / "small.csv", [table_row("B1")]))
    cmo.take(press_file(made, line("06:00:00"), line("06:00:10")))
    cmo.share(AGREED)
    carry_both(cmo, sponsor, stick, 2)
    assert are_equal(made)
    (item,) = load_series(sponsor.home, "B1")
    assert len(item.series.parameters) == 12
    own = cmo.home.ledgers(AGREED).ledgers()[0]
    receipts = [r.size for r in cmo.home.ledgers(AGREED).checkpoints(own.ledger) if r.cosignature]
    assert max(receipts) == own.size
    for node in (cmo, sponsor):
        assert verify_home(node.home).wrong == []
    # The same folder again is a no-op.
    assert [item.read for item in carry_both(cmo, sponsor, stick)] == [0, 0]
    world.close()


@pytest.mark.parametrize(
    "harm", ["byte", "missing", "name", "signature", "link", "receiver", "manifest"]
)
def test_a_folder_that_was_harmed_on_the_way_is_refused(
    tmp_path: Path, stick: Path, harm: str
) -> None:
    world = World(tmp_path)
    cmo, sponsor = paired(world, stick)
    agreed(cmo, sponsor, stick)
    cmo.take(write_table(tmp_path / "tables" / "small.csv", [table_row("B1")]))
    cmo.share(AGREED)
    carry(cmo.home, stick, "u-1")
    place = stick / f"{cmo.party}-to-{sponsor.party}"
    before = sponsor.home.ledgers(AGREED).ledgers()[1].size
    frames = place / AGREED / "frames-000000"
    manifest = place / "manifest.json"
    match harm:
        case "byte":
            content = bytearray(frames.read_bytes())
            content[40] ^= 1
            frames.write_bytes(content)
        case "missing":
            frames.unlink()
        case "manifest":
            manifest.unlink()
        case "link":
            shutil.move(frames, stick / "elsewhere")
            frames.symlink_to(stick / "elsewhere")
        case "signature":
            said = json.loads(manifest.read_text())
            said["signature"] = "00" * 64
            manifest.write_text(json.dumps(said))
        case _:
            text = manifest.read_text()
            old = AGREED + "/frames" if harm == "name" else sponsor.party
            manifest.write_text(
                text.replace(old, "../../frames" if harm == "name" else cmo.party, 1)
            )
    (carried,) = carry(sponsor.home, stick, "u-1").values()
    assert carried.refusals
    assert carried.found == "refused"
    assert sponsor.home.ledgers(AGREED).ledgers()[1].size == before
    # What was harmed is written anew and then taken.
    carry_both(cmo, sponsor, stick, 2)
    assert sponsor.home.ledgers(AGREED).ledgers()[1].size > before
    world.close()


def test_an_older_folder_is_refused_and_stops_no_ledger(tmp_path: Path, stick: Path) -> None:
    world = World(tmp_path)
    cmo, sponsor = paired(world, stick)
    place = stick / f"{cmo.party}-to-{sponsor.party}"
    carry(cmo.home, stick, "u-1")
    shutil.copytree(place, tmp_path / "old")
    agreed(cmo, sponsor, stick)
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "old", place)
    (carried,) = carry(sponsor.home, stick, "u-1").values()
    assert "folder.older" in carried.refusals[0]
    assert all(not row.stopped for row in sponsor.home.ledgers(AGREED).ledgers())
    world.close()


def test_accepting_again_leaves_a_confirmed_link_as_it_is(tmp_path: Path, stick: Path) -> None:
    world = World(tmp_path)
    cmo, sponsor = paired(world, stick)
    carry_both(cmo, sponsor, stick, 2)
    before = [node.home.node.partners() for node in (cmo, sponsor)]
    again = pairing.invite(sponsor.home.pairing, "u-1", "ab" * 16, "", is_by_folder=True)
    with pytest.raises(ConflictError, match="already paired with") as refused:
        answer_into_folder(cmo.home, again, stick)
    assert refused.value.code == "pairing.paired"
    assert not list(cmo.home.path.glob("invitation-*.json"))
    carried = carry_both(cmo, sponsor, stick)
    assert [text for item in carried for text in item.refusals] == []
    assert [node.home.node.partners() for node in (cmo, sponsor)] == before
    world.close()


def test_two_answers_before_the_confirmation_undo_nothing_after_it(
    tmp_path: Path, stick: Path
) -> None:
    world = World(tmp_path)
    cmo, sponsor = world.node("cmo"), world.node("sponsor")
    for code in ("ab" * 16, "cd" * 16):
        invitation = pairing.invite(sponsor.home.pairing, "u-1", code, "", is_by_folder=True)
        answer_into_folder(cmo.home, invitation, stick)
    first, late = sorted((stick / "pairing").glob("*.answer"))
    kept = late.rename(tmp_path / late.name)
    for node in (sponsor, cmo):
        carry(node.home, stick, "u-1")
    for node, other in ((cmo, sponsor), (sponsor, cmo)):
        pairing.confirm(node.home.pairing, node.home.partner_named(other.party), "u-1")
    kept.rename(stick / "pairing" / late.name)
    carry_both(cmo, sponsor, stick, 2)
    assert first.exists()
    for node in (cmo, sponsor):
        assert all(partner.confirmed_here for partner in node.home.node.partners())
    world.close()


def test_a_node_does_not_accept_its_own_invitation(tmp_path: Path, stick: Path) -> None:
    world = World(tmp_path)
    sponsor = world.node("sponsor")
    own = pairing.invite(sponsor.home.pairing, "u-1", "ab" * 16, "", is_by_folder=True)
    with pytest.raises(ConflictError, match="this is your own invitation") as refused:
        answer_into_folder(sponsor.home, own, stick)
    assert refused.value.code == "pairing.self"
    assert list(stick.iterdir()) == []
    world.close()


def test_a_strangers_answer_to_nobodys_invitation_pairs_nobody(tmp_path: Path, stick: Path) -> None:
    world = World(tmp_path)
    sponsor, stranger = world.node("sponsor"), world.node("stranger")
    other = world.node("other")
    invitation = pairing.invite(other.home.pairing, "u-1", "cd" * 16, "", is_by_folder=True)
    answer_into_folder(stranger.home, invitation, stick)
    carry(sponsor.home, stick, "u-1")
    assert sponsor.home.node.partners() == []
    world.close()


@pytest.mark.parametrize("kind", ["rotation", "revocation"])
def test_changes_of_keys_travel_in_the_folder(
    tmp_path: Path, stick: Path, kind: Literal["rotation", "revocation"]
) -> None:
    world = World(tmp_path)
    cmo, sponsor = paired(world, stick)
    made = agreed(cmo, sponsor, stick)
    made.world = world
    for node in (cmo, sponsor):
        for purpose in ("ledger", "cosign", "link"):
            change_key_of(node.home, kind, purpose, node.person, "x")
    world.clock.move(days=30)
    cmo.take(write_table(tmp_path / "tables" / "small.csv", [table_row("B1")]))
    cmo.share(AGREED)
    carried = carry_both(cmo, sponsor, stick, 3)
    assert [text for item in carried for text in item.refusals] == []
    assert are_equal(made)
    for node in (cmo, sponsor):
        assert verify_home(node.home).wrong == []
    world.close()


def test_a_link_in_place_of_the_own_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    world, stick, elsewhere = World(tmp_path), tmp_path / "stick", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("mine")
    try:
        cmo, sponsor = paired(world, stick)
        carry_both(cmo, sponsor, stick)
        for node in (cmo, sponsor):
            (own,) = [path for path in stick.glob(f"**/{node.party}*") if path.is_dir()][:1]
            shutil.rmtree(own)
            own.symlink_to(elsewhere, target_is_directory=True)
            carry(node.home, stick, "u-1")
            assert not own.is_symlink()
        assert [path.name for path in elsewhere.iterdir()] == ["kept"]
    finally:
        world.close()


def sync(node: Node, folder: Path, *more: str) -> tuple[int, str]:
    """The command on a home that is open already; its exit code and what it printed."""
    words = ["sync", "--folder", str(folder), "--home", str(node.home.path), "--as", "u-1", *more]
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_a_wrong_folder_is_said_to_be_one_and_is_no_success(tmp_path: Path, stick: Path) -> None:
    world, wrong = World(tmp_path), tmp_path / "wrong"
    (wrong / "holiday").mkdir(parents=True)
    try:
        cmo, sponsor = paired(world, stick)
        part = f"{sponsor.party}-to-{cmo.party}"
        # Nothing was exchanged yet: that nothing of the partner is there is no fault.
        code, said = sync(cmo, stick)
        assert (code, f"nothing of it is in {stick} yet" in said) == (0, True)
        assert "written for it" in said
        assert sync(sponsor, stick)[0] == 0
        code, said = sync(cmo, stick)
        assert (code, "0 entries read" in said) == (0, True)
        code, said = sync(cmo, stick)
        assert (code, "read before, nothing new" in said) == (0, True)
        code, said = sync(cmo, wrong)
        assert code == 1
        assert f"Expected its part {part} at {wrong}, found 'holiday'" in said
        code, said = sync(cmo, wrong, "--json")
        told = json.loads(said)["sponsor"]
        assert (code, told["looked_for"], told["found"]) == (1, part, "nothing")
        assert told["expected"]
        # The right one is as right as it was.
        assert sync(cmo, stick)[0] == 0
    finally:
        world.close()


def test_a_folder_without_anything_for_a_node_without_partner_is_no_success(
    tmp_path: Path, stick: Path
) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = world.node("cmo"), world.node("sponsor")
        code, said = sync(cmo, stick)
        assert code == 1
        assert f"Expected an answer to an invitation at {stick}/pairing, found 'nothing'" in said
        invitation = pairing.invite(sponsor.home.pairing, "u-1", "ab" * 16, "", is_by_folder=True)
        answer_into_folder(cmo.home, invitation, stick)
        code, said = sync(cmo, stick)
        assert (code, "its reply is not here yet" in said) == (0, True)
    finally:
        world.close()


def test_a_folder_of_one_partner_takes_along_nothing_for_another(
    tmp_path: Path, stick: Path
) -> None:
    world, second = World(tmp_path), tmp_path / "second"
    second.mkdir()
    try:
        cmo, sponsor = paired(world, stick)
        carry_both(cmo, sponsor, stick, 2)
        other = world.node("other")
        invitation = pairing.invite(other.home.pairing, "u-1", "cd" * 16, "", is_by_folder=True)
        answer_into_folder(cmo.home, invitation, second)
        for node in (other, cmo):
            carry(node.home, second, "u-1")
        for node, partner in ((cmo, other), (other, cmo)):
            pairing.confirm(node.home.pairing, node.home.partner_named(partner.party), "u-1")
        assert f"{cmo.party}-to-{sponsor.party}" not in [path.name for path in second.iterdir()]
        code, said = sync(cmo, stick)
        assert (code, "`--partner 'other'` writes it" in said) == (0, True)
        assert [path.name for path in stick.iterdir() if other.party in path.name] == []
        # Named, it is written for; from then on the folder is known to be for it.
        assert sync(cmo, second, "--partner", "other")[0] == 0
        assert sync(other, second)[0] == 0
        assert sorted(path.name for path in second.iterdir() if "-to-" in path.name) == sorted(
            [f"{cmo.party}-to-{other.party}", f"{other.party}-to-{cmo.party}"]
        )
    finally:
        world.close()


def test_status_says_that_a_folder_travels_and_when_it_last_did(
    tmp_path: Path, stick: Path
) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = paired(world, stick)
        before = status(cmo)
        assert "sponsor: files are exchanged by folder; not confirmed by both yet" in before
        assert "last read never" in before
        carry_both(cmo, sponsor, stick, 2)
        (link,) = read_status(cmo.home).links
        assert link.by_folder
        assert link.folder_read < link.folder_written
        said = status(cmo)
        assert (
            "sponsor: files are exchanged by folder; "
            f"last read {link.folder_read}, last written {link.folder_written}." in said
        )
        assert "dials this node" not in said
    finally:
        world.close()


def test_control_a_partner_that_dials_is_not_said_to_come_by_folder(
    tmp_path: Path, stick: Path
) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = world.node("cmo"), world.node("sponsor", listens=True)
        world.pair(cmo, sponsor)
        world.sync(cmo, sponsor)
        assert "cmo: dials this node, up" in status(sponsor)
        # Once by folder, for want of a network; then the link is back.
        carry_both(cmo, sponsor, stick, 2)
        assert "cmo: files are exchanged by folder" in status(sponsor)
        world.sync(cmo, sponsor)
        assert "cmo: dials this node, up" in status(sponsor)
        assert "sponsor: dialled from here" in status(cmo)
    finally:
        world.close()


def status(node: Node) -> str:
    done = CliRunner().invoke(app, ["status", "--home", str(node.home.path)])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_rebuild_by_folder_is_refused_with_what_to_do_and_changes_nothing(
    tmp_path: Path, stick: Path
) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = paired(world, stick)
        carry_both(cmo, sponsor, stick, 2)
        words = ["rebuild", "sponsor", "--home", str(cmo.home.path), "--as", "u-1"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 5
        assert "found 'sponsor, with whom a folder travels'" in done.output
        assert "Restore the newest backup" in done.output
        assert not cmo.home.partner_named("sponsor").wants_back
        # Beside one that a link reaches it holds that one not up.
        other = world.node("other", listens=True)
        world.pair(cmo, other)
        done = CliRunner().invoke(app, ["rebuild", "--home", str(cmo.home.path), "--as", "u-1"])
        assert "[rebuild.folder]" in done.output
        assert cmo.home.partner_named("other").wants_back
        assert not cmo.home.partner_named("sponsor").wants_back
    finally:
        world.close()
