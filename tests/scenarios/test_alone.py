"""A sponsor begins alone, with e-mailed reports; later its CMO joins, and nothing starts over."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fedbatch.errors import ConflictError, RefusedError
from fedbatch.node.agreement_files import check_agreement, read_checked, size_alone
from fedbatch.node.backups import back_up, restore
from fedbatch.node.drafting import draft_alone
from fedbatch.node.exporting import export_ledger
from fedbatch.node.findings import read_findings
from fedbatch.node.importing import load_mappings
from fedbatch.node.key_keeping import back_up_keys, restore_keys
from fedbatch.node.overview import read_batches, read_status
from fedbatch.node.reading import read_results
from fedbatch.node.reviewing import withdraw_batch
from fedbatch.node.verifying import verify_home
from fedbatch.services.agreements import Party, change_state
from fedbatch.standard.agreements import AgreedParty, AgreementBody
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import Identifier
from tests.scenarios.agreements import parameters_of, tablet_agreement
from tests.scenarios.making import (
    AGREED,
    Link,
    envelope,
    forge,
    records_in,
    result_data,
    row,
    write_table,
)
from tests.scenarios.world import Node, World

REPORT = [row("B1"), row("B2", assay="99.2"), row("B3", assay="98.7")]
OFFICER = "agreement officer"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def begin(world: World, *, mapping: str = "report") -> Node:
    """A sponsor that has put an agreement in force alone."""
    sponsor = world.node("sponsor", listens=True)
    sponsor.map(mapping)
    sponsor.home.exchange.sign_alone(alone(sponsor), sponsor.home.officer(sponsor.person, OFFICER))
    return sponsor


def alone(sponsor: Node, *, version: int = 1) -> AgreementBody:
    """The sponsor's agreement while its CMO is only named."""
    body = tablet_agreement(
        sponsor, sponsor, ["T-1"], parameters_of(load_mappings(sponsor.home)), version=version
    )
    parties = (
        AgreedParty(party=sponsor.party, role="sponsor", name="Sponsor"),
        AgreedParty(role="CMO", name="Maker AG"),
    )
    return msgspec.structs.replace(body, parties=parties)


def transcribe(sponsor: Node, rows: Sequence[Sequence[str]], name: str = "report.csv") -> None:
    sponsor.take(write_table(sponsor.home.path.parent / "mail" / name, rows))
    sponsor.share(AGREED)


def joined_body(sponsor: Node, cmo: Node) -> AgreementBody:
    """The next version: the CMO has its id, the product both parties' codes."""
    body = alone(sponsor, version=2)
    theirs = Identifier(system=f"urn:fedbatch:party:{cmo.party}:product", value="T-1")
    product = msgspec.structs.replace(
        body.product[0], identifiers=(*body.product[0].identifiers, theirs)
    )
    parties = (body.parties[0], AgreedParty(party=cmo.party, role="CMO", name="Maker AG"))
    return msgspec.structs.replace(body, product=(product,), parties=parties)


def join(world: World, sponsor: Node) -> Link:
    """The CMO comes with a node, and the next version is put in force by both."""
    cmo = world.node("cmo")
    cmo.map("small")
    world.pair(cmo, sponsor)
    world.agree(joined_body(sponsor, cmo), sponsor, cmo, cmo)
    made = Link(world, cmo, sponsor, cmo, sponsor)
    made.settle()
    return made


def shown(node: Node, **more: Any) -> list[tuple[str, str, str, str]]:
    """Batch, code, value and basis of every result that shows."""
    rows = read_results(node.home, agreement=AGREED, **more)
    return sorted((item.batch, item.code, item.shown, item.basis) for item in rows)


# ---- alone


def test_a_sponsor_puts_its_agreement_in_force_alone_and_nothing_claims_a_partner(
    world: World, tmp_path: Path
) -> None:
    sponsor = begin(world)
    assert sponsor.home.standing(AGREED).state == "one_sided"
    transcribe(sponsor, REPORT)
    (row_,) = sponsor.home.ledgers(AGREED).ledgers()
    store = sponsor.home.ledgers(AGREED)
    first, second, *_ = (
        read_entry(content) for _, _, content in store.entries(row_.ledger, 0, row_.size)
    )
    assert (first.heading.record_name, second.heading.record_name) == ("agreement", "signature")
    assert getattr(first.record, "state", "") == "one_sided"
    for _, content in store.scan(row_.ledger):
        assert read_entry(content).heading.receiver is None
    assert not any(item.cosignature for item in store.checkpoints(row_.ledger))
    (line,) = read_status(sponsor.home).agreements
    assert (line.state, line.partner) == ("one_sided", "Maker AG (no partner yet)")
    assert (line.receipted, line.backlog, line.waits) == (0, 0, [])
    report = verify_home(sponsor.home)
    assert report.wrong == []
    assert any("no partner yet" in text for text in report.checked)
    export_ledger(sponsor.home, sponsor.known(AGREED), tmp_path / "tiles", sent=True)
    assert "quorum none" in (tmp_path / "tiles" / "policy").read_text("utf-8")


def test_what_a_sponsor_takes_from_reports_says_so_wherever_it_shows(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    assert shown(sponsor) == [
        (batch, code, value, "transcribed")
        for batch, assay in (("B1", "100.1"), ("B2", "99.2"), ("B3", "98.7"))
        for code, value in (("ASSAY", assay), ("TABLET.HARDNESS_MEAN", "91.5"))
    ]
    assert {item.basis for item in read_batches(sponsor.home)} == {"transcribed"}
    (own,) = sponsor.home.ledgers(AGREED).ledgers()
    told = {
        type(item).__name__: item.basis
        for item in records_in(sponsor.home.ledgers(AGREED), own.ledger)
    }
    assert told["Result"] == told["Batch"] == told["Lot"] == "transcribed"
    assert told["Agreement"] is None


def test_a_report_sent_again_writes_nothing_and_a_corrected_one_the_next_version(
    world: World,
) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    (before,) = sponsor.home.ledgers(AGREED).ledgers()
    transcribe(sponsor, REPORT)
    assert sponsor.home.ledgers(AGREED).ledgers()[0].size == before.size
    transcribe(sponsor, [row("B1", assay="100.4"), *REPORT[1:]])
    assert ("B1", "ASSAY", "100.4", "transcribed") in shown(sponsor)
    assert sponsor.home.ledgers(AGREED).ledgers()[0].size == before.size + 1


def test_numbers_taken_as_the_sponsors_own_are_pointed_out(world: World) -> None:
    sponsor = begin(world, mapping="small")
    sponsor.take(write_table(world.folder / "mail" / "report.csv", REPORT))
    found = sponsor.share(AGREED).plan.findings
    assert [item.rule for item in found] == ["batch.no_maker_number"]
    other = World(world.folder / "other")
    told = begin(other)
    told.take(write_table(other.folder / "mail" / "report.csv", REPORT))
    assert told.share(AGREED).plan.findings == []
    other.close()


def test_an_agreement_alone_pauses_goes_on_and_takes_its_next_version(world: World) -> None:
    sponsor = begin(world)
    home = sponsor.home
    with pytest.raises(ConflictError):
        home.exchange.sign_alone(alone(sponsor), home.officer(sponsor.person, OFFICER))
    home.exchange.sign_alone(alone(sponsor, version=2), home.officer(sponsor.person, OFFICER))
    standing = home.standing(AGREED)
    assert standing.body is not None
    assert (standing.state, standing.body.version) == ("one_sided", 2)


def test_a_partner_may_join_while_the_sponsor_has_paused(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    home = sponsor.home
    party = Party(party=sponsor.party, partner="", officer=home.officer(sponsor.person, OFFICER))
    change_state(home.ledgers(AGREED), "paused", party, home.keys, home.ids, home.clock, "x")
    assert home.standing(AGREED).state == "paused"
    change_state(home.ledgers(AGREED), "active", party, home.keys, home.ids, home.clock, "y")
    assert home.standing(AGREED).state == "one_sided"
    change_state(home.ledgers(AGREED), "paused", party, home.keys, home.ids, home.clock, "z")
    made = join(world, sponsor)
    assert home.standing(AGREED).state == made.cmo.home.standing(AGREED).state == "paused"
    resumed = replace(party, partner=made.cmo.party)
    change_state(home.ledgers(AGREED), "active", resumed, home.keys, home.ids, home.clock, "y")
    made.settle()
    assert home.standing(AGREED).state == made.cmo.home.standing(AGREED).state == "active"


def test_the_draft_names_the_partner_only_and_asks_for_the_rest(
    world: World, tmp_path: Path
) -> None:
    sponsor = world.node("sponsor")
    sponsor.map("report")
    text = draft_alone(sponsor.home, "Maker AG", id_="ag-9")
    path = tmp_path / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Exception, match="still to be filled in"):
        read_checked(sponsor.home, path)
    filled = text.replace('name: "?"', "name: Alpinol").replace('value: "?"', "value: T-1")
    path.write_text(filled, encoding="utf-8")
    body = read_checked(sponsor.home, path)
    assert [item.party for item in body.parties] == [sponsor.party, ""]


def test_a_cmo_needs_no_one_sided_agreement(world: World) -> None:
    cmo = world.node("cmo")
    cmo.map("small")
    body = alone(cmo)
    swapped = (
        AgreedParty(party=cmo.party, role="CMO", name="CMO"),
        AgreedParty(role="sponsor", name="Buyer"),
    )
    problems = check_agreement(cmo.home, msgspec.structs.replace(body, parties=swapped))
    assert any("one-sided" in text for text in problems)
    assert any("its name and role" in text for text in problems)


# ---- before the CMO has joined


def test_a_partner_that_has_not_accepted_sees_nothing_of_the_ledger(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    cmo = world.node("cmo")
    world.pair(cmo, sponsor)
    world.sync(cmo, sponsor)
    assert sponsor.home.exchange.overview(cmo.party).agreements == ()
    sponsor.home.exchange.propose(cmo.party, joined_body(sponsor, cmo), "u-1")
    world.sync(cmo, sponsor)
    world.sync(cmo, sponsor)
    (line,) = sponsor.home.exchange.overview(cmo.party).agreements
    assert (line.own, line.size, bool(line.proposal)) == ("", 0, True)
    own = sponsor.home.ledgers(AGREED).ledgers()[0]
    with pytest.raises(RefusedError):
        sponsor.home.exchange.give(cmo.party, AGREED, own.ledger, 0, 10_000)
    assert cmo.home.ledgers(AGREED).ledgers() == []
    assert sponsor.home.standing(AGREED).state == "one_sided"
    assert size_alone(sponsor.home, AGREED) == own.size
    # Work goes on meanwhile, to no receiver yet.
    transcribe(sponsor, [*REPORT, row("B4")])
    *_, (_, last) = sponsor.home.ledgers(AGREED).scan(own.ledger)
    assert read_entry(last).heading.receiver is None


def test_an_offer_to_one_partner_can_be_made_to_another_until_one_has_joined(world: World) -> None:
    sponsor = begin(world)
    first = world.node("first")
    world.pair(first, sponsor)
    sponsor.home.exchange.propose(first.party, joined_body(sponsor, first), "u-1")
    made = join(world, sponsor)
    assert sponsor.known(AGREED).partner == made.cmo.party
    with pytest.raises(ConflictError):
        sponsor.home.exchange.propose(first.party, joined_body(sponsor, first), "u-1")
    officer = sponsor.home.officer(sponsor.person, OFFICER)
    with pytest.raises(ConflictError):
        sponsor.home.exchange.sign_alone(alone(sponsor, version=3), officer)


# ---- joined


def test_the_partner_joins_in_the_same_ledger_and_countersigns_from_its_first_entry(
    world: World,
) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    before = sponsor.home.ledgers(AGREED).ledgers()[0]
    made = join(world, sponsor)
    assert [node.home.standing(AGREED).state for node in (made.cmo, sponsor)] == ["active"] * 2
    after = sponsor.home.ledgers(AGREED).ledgers()[0]
    assert after.ledger == before.ledger
    assert after.size > before.size
    (line,) = read_status(sponsor.home).agreements
    assert (line.receipted, line.backlog) == (line.sent, 0)
    assert shown(made.cmo) == shown(sponsor)
    assert verify_home(made.cmo.home).wrong == []
    assert not any(item.stopped for item in made.cmo.home.ledgers(AGREED).ledgers())
    assert read_findings(made.cmo.home, AGREED) == []


def test_nothing_is_posted_by_either_before_both_have_countersigned(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    cmo = world.node("cmo")
    cmo.map("small")
    world.pair(cmo, sponsor)
    sponsor.home.exchange.propose(cmo.party, joined_body(sponsor, cmo), "u-1")
    world.sync(cmo, sponsor)
    cmo.home.exchange.accept(AGREED, cmo.home.officer(cmo.person, OFFICER))
    assert cmo.home.standing(AGREED).state == "waiting"
    with pytest.raises(RefusedError):
        cmo.share(AGREED)
    world.sync(cmo, sponsor)
    world.sync(cmo, sponsor)
    world.sync(cmo, sponsor)
    assert cmo.home.standing(AGREED).state == sponsor.home.standing(AGREED).state == "active"


def test_the_makers_own_records_confirm_or_supersede_and_no_value_shows_twice(
    world: World,
) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    made = join(world, sponsor)
    # The CMO's own table says otherwise of B2, and knows a fourth batch.
    made.deliver([row("B1"), row("B2", assay="99.9"), row("B3", assay="98.7"), row("B4")])
    for node in (made.cmo, sponsor):
        own = [item for item in shown(node) if item[1] == "ASSAY"]
        assert own == [
            ("B1", "ASSAY", "100.1", "own"),
            ("B2", "ASSAY", "99.9", "own"),
            ("B3", "ASSAY", "98.7", "own"),
            ("B4", "ASSAY", "100.1", "own"),
        ]
        batches = {item.batch: item for item in read_batches(node.home)}
        assert len(batches) == 4
        assert {(item.basis, item.results) for item in batches.values()} == {("own", 2)}
        found = [item.finding for item in read_findings(node.home, AGREED)]
        assert [item.rule for item in found] == ["reconcile.mismatch"]
        assert found[0].found == "99.9; transcribed 99.2"
    # Both stay readable.
    both = shown(sponsor, replaced=True)
    assert Counter(item[3] for item in both) == {"own": 8, "transcribed": 6}
    assert ("B2", "ASSAY", "99.2", "transcribed") in both


def test_what_was_not_transcribed_names_nothing(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT[:1])
    made = join(world, sponsor)
    made.deliver(REPORT)
    own = made.cmo.home.ledgers(AGREED).ledgers()[0]
    named = [
        (item.batch, len(item.replaces))
        for item in records_in(made.cmo.home.ledgers(AGREED), own.ledger)
        if type(item).__name__ == "Result"
    ]
    assert Counter(count for _, count in named) == {1: 2, 0: 4}
    ledger = sponsor.home.ledgers(AGREED).ledgers()[0].ledger
    references = {
        (reference.ledger, reference.type)
        for item in records_in(made.cmo.home.ledgers(AGREED), own.ledger)
        for reference in item.replaces
    }
    assert references == {(ledger, "batch"), (ledger, "result")}


def test_a_report_taken_in_beside_the_makers_own_is_named_by_its_next_version(
    world: World,
) -> None:
    sponsor = begin(world)
    made = join(world, sponsor)
    made.deliver(REPORT)
    transcribe(sponsor, REPORT)
    made.settle()
    assert Counter(item[3] for item in shown(sponsor)) == {"own": 6, "transcribed": 6}
    made.cmo.share(AGREED)
    made.settle()
    assert Counter(item[3] for item in shown(sponsor)) == {"own": 6}
    made.cmo.share(AGREED)
    assert made.cmo.share(AGREED).posted == 0


def test_a_replacement_that_is_withdrawn_gives_the_transcribed_value_back(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    made = join(world, sponsor)
    made.deliver(REPORT)
    assert {item[3] for item in shown(sponsor)} == {"own"}
    withdraw_batch(made.cmo.home, "B1", None, made.cmo.person, "sample", "wrong sample")
    made.cmo.share(AGREED)
    made.settle()
    for node in (made.cmo, sponsor):
        assert Counter((item[0], item[3]) for item in shown(node)) == {
            ("B1", "transcribed"): 2,
            ("B2", "own"): 2,
            ("B3", "own"): 2,
        }
        before = shown(node)
        node.home.views(AGREED).drop()
        assert shown(node) == before


def test_a_corrected_report_after_joining_stays_replaced(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    made = join(world, sponsor)
    made.deliver(REPORT)
    transcribe(sponsor, [row("B1", assay="77.7"), *REPORT[1:]])
    made.settle()
    assert {item[3] for item in shown(sponsor)} == {"own"}
    (found,) = read_findings(sponsor.home, AGREED)
    assert found.finding.found == "100.1; transcribed 77.7"


# ---- what must not be


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (result_data(), "not transcribed"),
        (result_data(basis="own"), "not transcribed"),
        (result_data(basis="transcribed", value_status="approved"), "approved"),
    ],
)
def test_a_sponsor_that_writes_the_makers_types_as_its_own_is_refused(
    world: World, data: dict[str, Any], why: str
) -> None:
    sponsor = begin(world)
    made = join(world, sponsor)
    forge(sponsor, AGREED, [envelope(sponsor, made.cmo, "result", data)])
    made.settle()
    (found,) = [row_.finding for row_ in read_findings(made.cmo.home, AGREED)]
    assert (found.rule, found.effect) == ("record.not_agreed", "refused")
    assert why in found.found
    assert shown(made.cmo) == []


@pytest.mark.parametrize("status", [None, "checked"])
def test_a_transcribed_result_of_lower_status_is_taken(world: World, status: str | None) -> None:
    sponsor = begin(world)
    made = join(world, sponsor)
    data = result_data(basis="transcribed", **({"value_status": status} if status else {}))
    forge(sponsor, AGREED, [envelope(sponsor, made.cmo, "result", data)])
    made.settle()
    assert [item[3] for item in shown(made.cmo)] == ["transcribed"]


def test_nobody_names_away_what_is_not_transcribed(world: World) -> None:
    sponsor = begin(world)
    made = join(world, sponsor)
    made.deliver(REPORT[:1])
    cmo_ledger = made.cmo.home.ledgers(AGREED).ledgers()[0].ledger
    (target,) = (
        item for item in read_results(sponsor.home, agreement=AGREED) if item.code == "ASSAY"
    )
    views = sponsor.home.views(AGREED)
    key = next(r for r in views.results() if r[2] == target.entry)[-1].split("\x1f")
    reference = {"key": key, "ledger": cmo_ledger, "type": "result"}
    data = result_data(basis="transcribed", replaces=[reference])
    forge(sponsor, AGREED, [envelope(sponsor, made.cmo, "result", data)])
    made.settle()
    assert ("B1", "ASSAY", "100.1", "own") in shown(made.cmo)


def test_home_restored_while_it_is_alone_goes_on_at_once(world: World, tmp_path: Path) -> None:
    """Nobody holds anything of it that could be missing here."""
    sponsor = begin(world)
    transcribe(sponsor, REPORT)
    size = sponsor.home.ledgers(AGREED).ledgers()[0].size
    back_up(sponsor.home, sponsor.person, tmp_path / "backup", lambda done, total: None)
    sealed = tmp_path / "keys"
    both = ("a first long passphrase", "a second long passphrase")
    back_up_keys(sponsor.home, sponsor.person, sealed, both, cost=2**14)
    sponsor.home.close()
    shutil.rmtree(sponsor.home.path)
    restore(tmp_path / "backup", sponsor.home.path, lambda done, total: None, clock=world.clock)
    restore_keys(sponsor.home.path, sealed.read_bytes(), both, clock=world.clock)
    sponsor.reopen()
    transcribe(sponsor, [*REPORT, row("B4")])
    assert sponsor.home.ledgers(AGREED).ledgers()[0].size > size
    assert verify_home(sponsor.home).wrong == []


def test_what_a_report_left_in_doubt_is_seen_to_be_missing(world: World) -> None:
    sponsor = begin(world)
    transcribe(sponsor, [row("B1"), row("B2", assay="1.004.812")])
    shown = {(item.batch, item.code) for item in read_results(sponsor.home)}
    assert ("B2", "ASSAY") not in shown
    (held,) = [one for one in read_findings(sponsor.home) if one.finding.effect == "held_back"]
    assert (held.origin, held.batch, held.parameter) == ("journal", "B2", "assay")
    assert held.finding.found == "1.004.812"
    # Once the report comes right, nothing waits.
    transcribe(sponsor, [row("B1"), row("B2", assay="100.4")])
    assert not [one for one in read_findings(sponsor.home) if one.finding.effect == "held_back"]
