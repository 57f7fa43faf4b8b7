"""T11: expiry, end and pause bind proposal and posting alike, and both homes know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from fedbatch.errors import ConflictError, RefusedError
from fedbatch.node.overview import read_status
from fedbatch.services.agreements import Party, change_state
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreementBody
from tests.scenarios.making import AGREED, Link, are_equal, link, linked, records_in, row
from tests.scenarios.world import Node, World

END = "2026-04-01T00:00:00Z"


@pytest.fixture(params=[False, True], ids=["the CMO dials", "the CMO listens"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=request.param, to=END) as one:
        one.deliver([row("B1")])
        yield one


def say(made: Link, node: Node, state: Literal["active", "paused", "ended"]) -> None:
    partner = made.sponsor if node is made.cmo else made.cmo
    party = Party(
        party=node.party,
        partner=partner.party,
        officer=node.home.officer(node.person, "agreement officer"),
    )
    home = node.home
    store = home.ledgers(AGREED)
    change_state(store, state, party, home.keys, home.ids, home.clock, f"{state}, for a test")


def states(made: Link) -> list[str]:
    return [read_status(node.home).agreements[0].state for node in (made.cmo, made.sponsor)]


def body_of(made: Link) -> AgreementBody:
    body = made.cmo.home.standing(AGREED).body
    assert body is not None
    return body


def assert_nothing_more(made: Link, state: str) -> None:
    """Neither posts, neither proposes, and a proposal forced through is refused by the other."""
    made.take([row("B2")], "later.csv")
    for node in (made.cmo, made.sponsor):
        with pytest.raises(RefusedError) as refused:
            node.share(AGREED)
        assert refused.value.code == f"agreement.{state}"
    later = replace(body_of(made), version=2)
    for node, partner in ((made.cmo, made.sponsor), (made.sponsor, made.cmo)):
        with pytest.raises(RefusedError) as refused:
            node.home.exchange.propose(partner.party, later, "u-1")
        assert refused.value.code == f"agreement.{state}"


def test_expiry_stops_posting_and_proposing_in_both_homes(made: Link) -> None:
    assert states(made) == ["active", "active"]
    made.world.clock.move(days=30)
    assert states(made) == ["expired", "expired"]
    assert_nothing_more(made, "expired")


def test_receipts_still_flow_after_expiry(made: Link) -> None:
    made.take([row("B1"), row("B2")])
    assert made.cmo.share(AGREED).posted > 0
    made.world.clock.move(days=30)
    assert states(made)[0] == "expired"
    made.settle()
    assert are_equal(made)
    assert read_status(made.cmo.home).agreements[0].backlog == 0


def test_a_second_before_expiry_is_posted_and_at_expiry_is_not(made: Link) -> None:
    """The control: the instant decides, not the day."""
    clock = made.world.clock
    clock.move(seconds=_seconds_to(made, END) - 1)
    made.take([row("B2")], "just.csv")
    assert made.cmo.share(AGREED).posted > 0
    clock.move(seconds=2)
    made.take([row("B3")], "after.csv")
    with pytest.raises(RefusedError):
        made.cmo.share(AGREED)


def _seconds_to(made: Link, instant: str) -> float:
    end = type(made.world.clock)(instant).moment
    return (end - made.world.clock.moment).total_seconds()


def test_proposal_of_an_expired_agreement_is_refused_by_the_partner_too(made: Link) -> None:
    later = replace(body_of(made), version=2)
    made.cmo.home.exchange.propose(made.sponsor.party, later, "u-1")
    made.world.clock.move(days=30)
    made.settle()
    _, received = made.sponsor.home.exchange.received_body(AGREED)
    assert received.version == 1
    assert states(made) == ["expired", "expired"]


def test_acceptance_after_expiry_puts_nothing_in_force(made: Link) -> None:
    """The proposal came in time; the acceptance does not."""
    later = replace(body_of(made), version=2, effective=replace(body_of(made).effective, to=None))
    made.cmo.home.exchange.propose(made.sponsor.party, later, "u-1")
    made.settle()
    made.world.clock.move(days=30)
    officer = made.sponsor.home.officer(made.sponsor.person, "agreement officer")
    with pytest.raises(RefusedError) as refused:
        made.sponsor.home.exchange.accept(AGREED, officer)
    assert refused.value.code == "agreement.expired"
    made.settle()
    assert states(made) == ["expired", "expired"]


def test_next_version_in_time_prolongs(made: Link) -> None:
    later = replace(body_of(made), version=2, effective=replace(body_of(made).effective, to=None))
    made.world.agree(later, made.cmo, made.sponsor, made.dialer)
    made.world.clock.move(days=30)
    assert states(made) == ["active", "active"]
    made.deliver([row("B1"), row("B2")])
    assert are_equal(made)


@pytest.mark.parametrize("by_cmo", [True, False])
def test_partner_is_told_of_an_end_and_it_is_final(made: Link, by_cmo: bool) -> None:  # noqa: FBT001 - a parameter of the test
    who = made.cmo if by_cmo else made.sponsor
    say(made, who, "ended")
    made.settle()
    assert states(made) == ["ended", "ended"]
    assert are_equal(made)
    assert_nothing_more(made, "ended")
    for node in (made.cmo, made.sponsor):
        with pytest.raises(ConflictError):
            say(made, node, "active")
    other = made.stores[0 if who is made.sponsor else 1]
    said = [
        item
        for item in records_in(other, other.ledgers()[1].ledger)
        if isinstance(item, records.Agreement)
    ]
    assert said[-1].state == "ended"
    assert said[-1].correction is not None
    assert said[-1].correction.reason == "ended, for a test"


def test_only_who_paused_resumes(made: Link) -> None:
    say(made, made.sponsor, "paused")
    made.settle()
    assert states(made) == ["paused", "paused"]
    assert_cannot_resume(made, made.cmo)
    say(made, made.sponsor, "active")
    made.settle()
    assert states(made) == ["active", "active"]


def assert_cannot_resume(made: Link, node: Node) -> None:
    with pytest.raises(ConflictError) as refused:
        say(made, node, "active")
    assert refused.value.code == "agreement.not_paused"


def test_both_may_pause_and_each_resumes_its_own(made: Link) -> None:
    say(made, made.cmo, "paused")
    made.settle()
    say(made, made.sponsor, "paused")
    made.settle()
    say(made, made.cmo, "active")
    made.settle()
    assert states(made) == ["paused", "paused"]
    assert_cannot_resume(made, made.cmo)
    say(made, made.sponsor, "active")
    made.settle()
    assert states(made) == ["active", "active"]


def test_new_version_does_not_lift_the_partners_pause(made: Link) -> None:
    """Nor the own: a version says what is agreed, not that it goes on."""
    say(made, made.sponsor, "paused")
    made.settle()
    later = replace(body_of(made), version=2)
    made.world.agree(later, made.cmo, made.sponsor, made.dialer)
    assert states(made) == ["paused", "paused"]
    say(made, made.sponsor, "active")
    made.settle()
    assert states(made) == ["active", "active"]
    assert body_of(made).version == 2


def test_agreement_not_yet_in_effect_posts_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = world.node("cmo"), world.node("sponsor", listens=True)
        cmo.map("small")
        made = link(world, cmo, sponsor)
        body = body_of(made)
        later = replace(
            body, version=2, effective=replace(body.effective, from_="2026-05-01T00:00:00Z")
        )
        world.agree(later, cmo, sponsor, made.dialer)
        made.take([row("B1")])
        with pytest.raises(RefusedError) as refused:
            cmo.share(AGREED)
        assert refused.value.code == "agreement.early"
        world.clock.move(days=90)
        assert cmo.share(AGREED).posted > 0
    finally:
        world.close()
