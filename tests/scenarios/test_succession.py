"""A ledger carried on by another: after a fork, and when its key is gone for good."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fedbatch.errors import ConflictError, FedbatchError, IntegrityError, RefusedError
from fedbatch.node.key_changes import change_key_of, confirm_succession, succeed
from fedbatch.node.overview import read_status
from fedbatch.node.reviewing import withdraw_wrong_party
from fedbatch.node.setting_aside import set_aside
from fedbatch.node.verifying import verify_home
from fedbatch.services.succession import SENT, SuccessionOffer
from fedbatch.standard import canonical
from fedbatch.standard.records import Agreement
from fedbatch.store.ledgers import Ledgers
from tests.scenarios.making import AGREED, Link, envelope, forge, link, linked, records_in, row
from tests.scenarios.test_rebuild import (
    bring_keys_back,
    entries_of,
    lose,
    rebuild,
    seal_keys,
    shown,
    state_of,
)
from tests.scenarios.world import Node

WAYS = pytest.mark.parametrize("made", [False, True], ids=["dials", "listens"], indirect=True)


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=getattr(request, "param", False)) as one:
        one.deliver([row("B1"), row("B2")])
        one.settle()
        yield one


def carry_on(made: Link, side: str = "cmo") -> None:
    node, other = (made.cmo, made.sponsor) if side == "cmo" else (made.sponsor, made.cmo)
    succeed(node.home, node.person, "the ledger was forked", agreement=made.agreement)
    made.sync()
    confirm_succession(other.home, other.person, agreement=made.agreement)
    made.settle()


def sizes(node: Node, agreement: str = AGREED) -> list[int]:
    return [item.size for item in node.home.ledgers(agreement).ledgers()]


def holds(made: Link) -> None:
    assert are_equal_all(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []
        assert node.home.standing(made.agreement).state == "active"


def are_equal_all(made: Link) -> bool:
    here, there = ({(r.ledger, r.size, r.root) for r in store.ledgers()} for store in made.stores)
    return here == there


@WAYS
@pytest.mark.parametrize("side", ["cmo", "sponsor"])
def test_new_ledger_carries_the_old_one_on(made: Link, side: str) -> None:
    before, results = [*made.stores[0].ledgers()], shown(made.sponsor)
    old = before[0 if side == "cmo" else 1]
    carry_on(made, side)
    holds(made)
    store = made.stores[0 if side == "cmo" else 1]
    own = store.ledgers()[0]
    assert own.ledger != old.ledger
    first = records_in(store, own.ledger)[0]
    assert isinstance(first, Agreement)
    assert first.succeeds is not None
    assert (first.succeeds.ledger, first.succeeds.size) == (old.ledger, old.size)
    assert first.succeeds.root == old.root.hex()
    assert shown(made.sponsor) == results
    made.deliver([row("B1"), row("B2"), row("B3")])
    made.settle()
    holds(made)
    assert len(shown(made.sponsor)) == len(shown(made.cmo)) == len(results) // 2 * 3


def test_nothing_is_stated_twice_and_corrections_supersede_what_the_old_ledger_says(
    made: Link,
) -> None:
    results = shown(made.sponsor)
    carry_on(made)
    made.take([row("B1"), row("B2")])
    assert made.cmo.share(AGREED).posted == 0
    made.take([row("B1", assay="98.7"), row("B2")])
    made.cmo.share(AGREED)
    made.settle()
    holds(made)
    for node in (made.cmo, made.sponsor):
        now = shown(node)
        assert len(now) == len(results)
        assay = [item for item in now if item.code == "ASSAY"]
        assert sorted(item.raw for item in assay) == ["100.1", "98.7"]
    assert made.stores[1].refused(made.stores[1].ledgers()[1].ledger) == frozenset()


def test_what_the_old_ledger_says_can_be_erased_by_the_new_one(made: Link) -> None:
    made.deliver([row("B1"), row("B2"), row("B-secret", assay="77.31")])
    carry_on(made)
    withdraw_wrong_party(
        made.cmo.home, "B-secret", made.cmo.known(AGREED), made.cmo.person, "another's"
    )
    made.settle()
    held = b"".join(
        content
        for item in made.stores[1].ledgers()
        if not item.is_own
        for _, content in made.stores[1].scan(item.ledger)
    )
    assert b"B-secret" not in held
    holds(made)
    assert not any(
        "B-secret" in item.batch for node in (made.cmo, made.sponsor) for item in shown(node)
    )


def test_until_the_partner_confirms_the_old_ledger_stands_still(made: Link) -> None:
    succeed(made.cmo.home, made.cmo.person, "x", agreement=AGREED)
    made.sync()
    for node, said in ((made.sponsor, "fedbatch keys confirm"), (made.cmo, "must confirm")):
        waits = [text for item in read_status(node.home).agreements for text in item.waits]
        assert any(said in text for text in waits)
    made.take([row("B1"), row("B2"), row("B3")])
    with pytest.raises(RefusedError) as caught:
        made.cmo.share(AGREED)
    assert caught.value.code == "ledger.waits"
    confirm_succession(made.sponsor.home, made.sponsor.person, agreement=AGREED)
    made.settle()
    assert made.cmo.share(AGREED).posted > 0
    made.settle()
    holds(made)


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_succession_cut_anywhere_comes_to_its_end(made: Link, cut: int) -> None:
    succeed(made.cmo.home, made.cmo.person, "x", agreement=AGREED)
    made.sync()
    confirm_succession(made.sponsor.home, made.sponsor.person, agreement=AGREED)
    started = made.network.calls
    made.network.meddle = lambda number, request: (
        ("reply", ConnectionError("cut")) if number == started + cut else None
    )
    with contextlib.suppress(ConnectionError):
        made.sync()
    made.network.meddle = lambda number, request: None
    made.restart(made.cmo)
    made.settle()
    holds(made)
    assert len(sizes(made.cmo)) == 3


def test_entries_that_are_not_cosigned_come_first(made: Link) -> None:
    made.take([row("B1"), row("B2"), row("B3")])
    made.cmo.share(AGREED)
    with pytest.raises(ConflictError) as caught:
        succeed(made.cmo.home, made.cmo.person, "x", agreement=AGREED)
    assert caught.value.code == "succession.behind"


def test_a_second_and_third_succession(made: Link) -> None:
    results = shown(made.sponsor)
    for number in range(3):
        carry_on(made, "cmo")
        carry_on(made, "sponsor")
        made.deliver([row("B1"), row("B2"), row(f"B-{number}")])
        made.settle()
        holds(made)
    assert len(sizes(made.cmo)) == 8
    assert len(shown(made.sponsor)) == len(results) // 2 * 5


def test_keys_change_before_and_after_it(made: Link) -> None:
    for purpose in ("ledger", "cosign"):
        for node in (made.cmo, made.sponsor):
            change_key_of(node.home, "rotation", purpose, node.person, "x")
    made.deliver([row("B1"), row("B2"), row("B3")])
    made.settle()
    carry_on(made)
    for purpose in ("ledger", "cosign"):
        for node in (made.cmo, made.sponsor):
            change_key_of(node.home, "rotation", purpose, node.person, "x")
    made.deliver([row("B1"), row("B2"), row("B3"), row("B4")])
    made.settle()
    holds(made)


def test_the_old_ledger_takes_nothing_more(made: Link) -> None:
    old = made.stores[0].ledgers()[0]
    frames = made.cmo.home.exchange.give(made.sponsor.party, AGREED, old.ledger, 0, 10**6)
    carry_on(made)
    with pytest.raises(FedbatchError) as caught:
        made.sponsor.home.exchange.take(made.cmo.party, AGREED, old.ledger, frames)
    assert caught.value.code == "ledger.succeeded"


def test_an_offer_that_somebody_changed_is_refused(made: Link) -> None:
    succeed(made.cmo.home, made.cmo.person, "x", agreement=AGREED)
    offer = canonical.parse(made.stores[0].setting(SENT) or b"", SuccessionOffer, "")
    other = "ab" * 32
    exchange = made.sponsor.home.exchange
    for changed in (
        msgspec.structs.replace(offer, reason="another"),
        msgspec.structs.replace(offer, agreement="ag-2"),
        msgspec.structs.replace(offer, by_identity="00" * 64),
        msgspec.structs.replace(offer, succeeds=msgspec.structs.replace(offer.succeeds, size=1)),
        msgspec.structs.replace(offer, keys=msgspec.structs.replace(offer.keys, ledger_key=other)),
    ):
        with pytest.raises(RefusedError):
            exchange.take_succession(made.cmo.party, AGREED, canonical.encode(changed))
    with pytest.raises(FedbatchError):
        confirm_succession(made.sponsor.home, made.sponsor.person, agreement=AGREED)


@pytest.mark.parametrize("says", ["nothing", "another size"])
def test_a_ledger_that_begins_otherwise_than_confirmed_is_refused(made: Link, says: str) -> None:
    succeed(made.cmo.home, made.cmo.person, "x", agreement=AGREED)
    made.sync()
    confirm_succession(made.sponsor.home, made.sponsor.person, agreement=AGREED)
    store = made.stores[0]
    offer = canonical.parse(store.setting(SENT) or b"", SuccessionOffer, "")
    store.succeed(
        offer.succeeds,
        offer.keys.ledger,
        origin=offer.keys.origin,
        key=bytes.fromhex(offer.keys.ledger_key),
        settings={"own_keys": canonical.encode(offer.keys)},
        note=made.cmo.home.node.audit()[0],
    )
    store.forget_setting(SENT)
    claim = msgspec.structs.replace(offer.succeeds, size=1)
    data = {"version": 2, "agreement": AGREED, "body": "00" * 32, "state": "active"}
    data |= {"succeeds": msgspec.to_builtins(claim)} if says == "another size" else {}
    forge(made.cmo, AGREED, [envelope(made.cmo, made.sponsor, "agreement", data)])
    made.settle()
    assert len(made.stores[1].refused(offer.keys.ledger)) == 1


# ---- after a fork


def fork(made: Link) -> None:
    """Put an old copy back that appends unseen."""
    kept = made.world.folder / "old"
    made.cmo.home.close()
    shutil.copytree(made.cmo.home.agreement_folder(AGREED), kept)
    made.restart(made.cmo)
    made.deliver([row("B1"), row("B2"), row("B3")])
    made.cmo.home.close()
    folder = made.cmo.home.agreement_folder(AGREED)
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    made.restart(made.cmo)
    made.stores[0].confirm_place()
    made.take([row("B1"), row("B2"), row("B4"), row("B5")], "forked.csv")
    assert made.cmo.share(AGREED).posted > 0
    made.world.try_sync(made.dialer, made.listener)
    made.world.try_sync(made.dialer, made.listener)
    assert made.stores[0].ledgers()[0].stopped.startswith("fork")


@WAYS
def test_forked_ledger_is_set_aside_rebuilt_and_succeeded(made: Link) -> None:
    fork(made)
    with pytest.raises(IntegrityError) as caught:
        rebuild(made, made.cmo, made.sponsor)
    assert caught.value.code == "rebuild.forked"
    forked = {content for _, content in made.stores[0].scan(made.stores[0].ledgers()[0].ledger)}
    places = set_aside(
        made.cmo.home, made.cmo.home.partner_named(made.sponsor.party), made.cmo.person
    )
    assert len(places) == 1
    made.restart(made.cmo)
    rebuild(made, made.cmo, made.sponsor)
    made.sync()
    carry_on(made)
    holds(made)
    evidence = Ledgers(places[0])
    assert {content for _, content in evidence.scan(evidence.ledgers()[0].ledger)} == forked
    evidence.close()
    assert made.cmo.share(AGREED).posted > 0
    made.settle()
    holds(made)
    assert len({item.batch for item in shown(made.sponsor)}) == 5
    assert len(shown(made.sponsor)) == len(shown(made.cmo))


# ---- with a rebuild


@WAYS
@pytest.mark.parametrize("side", ["cmo", "sponsor"])
def test_home_lost_after_a_succession_gets_all_its_ledgers_back(made: Link, side: str) -> None:
    carry_on(made, "cmo")
    made.deliver([row("B1", assay="98.7"), row("B2"), row("B3")])
    carry_on(made, "sponsor")
    made.settle()
    lost, other = (made.cmo, made.sponsor) if side == "cmo" else (made.sponsor, made.cmo)
    keys, before, results = seal_keys(lost), state_of(lost), shown(lost)
    lose(lost)
    bring_keys_back(made, lost, keys)
    rebuild(made, lost, other)
    assert state_of(lost) == before
    made.settle()
    holds(made)
    assert shown(lost) == results
    assert state_of(lost) == before


def test_agreement_younger_than_the_key_backup_goes_on_by_succession(made: Link) -> None:
    """Its ledger key, cosigning key and secret are lost; the identity key is not."""
    keys = seal_keys(made.cmo)
    second = link(
        made.world, made.cmo, made.sponsor, agreement="ag-2", products=("T-2",), dialer=made.dialer
    )
    made.take([row("B1-2", "T-2")], "second.csv")
    made.cmo.share("ag-2")
    second.settle()
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    rebuild(made, made.cmo, made.sponsor)
    made.cmo.map("small")
    made.take([row("B2-2", "T-2")], "second.csv")
    with pytest.raises(FedbatchError) as caught:
        made.cmo.share("ag-2")
    assert caught.value.code == "key.lost"
    change_key_of(made.cmo.home, "revocation", "cosign", made.cmo.person, "lost", agreement="ag-2")
    carry_on(second)
    assert made.cmo.share("ag-2").posted > 0
    second.settle()
    holds(second)
    assert entries_of(made.cmo, is_own=True)
