"""A home lost and rebuilt from its partners' copies; a restored one that is behind them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from fedbatch.errors import FedbatchError, IntegrityError, RefusedError
from fedbatch.ledger.tree import leaf_hash
from fedbatch.node.backups import back_up, restore
from fedbatch.node.key_changes import change_key_of
from fedbatch.node.key_keeping import back_up_keys, restore_keys
from fedbatch.node.reading import read_results
from fedbatch.node.reviewing import (
    correct_result,
    lift_stops,
    withdraw_batch,
    withdraw_wrong_party,
)
from fedbatch.node.server import Worker, dialer_for
from fedbatch.node.verifying import verify_home
from fedbatch.peers.dialer import TakenBack
from fedbatch.services.exchange import NotHereError
from fedbatch.services.rebuilding import Returned
from fedbatch.standard import canonical
from fedbatch.standard.agreements import AgreementBody
from tests.scenarios.making import AGREED, Link, Raw, are_equal, face, forge, link, linked, row
from tests.scenarios.world import Node

BOTH = ("a first long passphrase", "a second long passphrase")
WAYS = pytest.mark.parametrize("made", [False, True], ids=["dials", "listens"], indirect=True)


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=getattr(request, "param", False)) as one:
        one.deliver([row("B1"), row("B2")])
        yield one


def quiet(done: int, total: int) -> None:
    del done, total


def seal_keys(node: Node) -> bytes:
    path = node.home.path.parent / f"{node.home.path.name}.keys"
    back_up_keys(node.home, node.person, path, BOTH, cost=2**14)
    return path.read_bytes()


def lose(node: Node) -> None:
    node.home.close()
    shutil.rmtree(node.home.path)


def bring_keys_back(made: Link, node: Node, keys: bytes) -> None:
    restore_keys(node.home.path, keys, BOTH, clock=node.clock)
    made.restart(node)


def rebuild(made: Link, node: Node, partner: Node) -> list[TakenBack]:
    """What `fedbatch rebuild` does, over the network of the world."""
    node.home.exchange.want_back(partner.party, node.person.person)
    if partner.party not in node.networks:
        made.world.sync(partner, node)
        return []
    return fetch_back(node, partner)


def fetch_back(node: Node, partner: Node) -> list[TakenBack]:
    async def go() -> list[TakenBack]:
        dialer = dialer_for(node.home, node.home.partner_named(partner.party), Worker().run)
        dialer.transport = node.networks[partner.party]
        try:
            return await dialer.rebuild(quiet)
        finally:
            await dialer.close()

    return anyio.run(go)


def state_of(node: Node, agreement: str = AGREED) -> list[Any]:
    """Both ledgers as they stand: size, root, every checkpoint with its cosignature, every head."""
    store = node.home.ledgers(agreement)
    return [
        (r.ledger, r.is_own, r.size, r.root, r.stopped, store.checkpoints(r.ledger),
         store.heads(r.ledger), store.objects(r.ledger), store.refused(r.ledger))
        for r in store.ledgers()
    ]  # fmt: skip


def shown(node: Node) -> list[Any]:
    return read_results(node.home)


def assays(node: Node) -> set[tuple[str, str]]:
    return {(item.batch, item.shown) for item in shown(node) if item.code == "ASSAY"}


def test_what_a_person_decided_before_the_loss_is_not_undone_by_the_file(made: Link) -> None:
    correct_result(made.cmo.home, "B1", "assay", "98.5", made.cmo.person, "a typo")
    withdraw_batch(made.cmo.home, "B2", "assay", made.cmo.person, "retracted", "wrong sample")
    made.cmo.share(AGREED)
    made.settle()
    assert assays(made.sponsor) == {("B1", "98.5")}
    keys = seal_keys(made.cmo)
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    rebuild(made, made.cmo, made.sponsor)
    made.sync()
    made.cmo.map("small")
    made.take([row("B1"), row("B2")])
    shared = made.cmo.share(AGREED)
    assert shared.posted == 0
    told = [item for item in shared.plan.findings if item.rule == "result.decided"]
    assert sorted(item.where.key[0] for item in told) == ["B1", "B2"]
    assert any("a person corrected it (a typo)" in item.expected for item in told)
    made.settle()
    assert assays(made.sponsor) == {("B1", "98.5")}
    # Decided anew in the journal it crosses.
    correct_result(made.cmo.home, "B1", "assay", "98.6", made.cmo.person, "measured anew")
    made.cmo.share(AGREED)
    made.settle()
    assert assays(made.sponsor) == {("B1", "98.6")}


@WAYS
@pytest.mark.parametrize("side", ["cmo", "sponsor"])
def test_lost_home_comes_back_equal_with_its_keys_and_goes_on(made: Link, side: str) -> None:
    lost, other = (made.cmo, made.sponsor) if side == "cmo" else (made.sponsor, made.cmo)
    made.settle()
    keys, before, results = seal_keys(lost), state_of(lost), shown(lost)
    lose(lost)
    bring_keys_back(made, lost, keys)
    rebuild(made, lost, other)
    assert state_of(lost) == before
    made.settle()
    assert are_equal(made)
    assert state_of(lost) == before
    assert shown(lost) == results
    assert not lost.home.partner_named(other.party).wants_back
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []
        assert node.home.standing(AGREED).state == "active"
    if side == "cmo":
        lost.map("small")
    made.take([row("B1"), row("B2"), row("B3")])
    posted = made.cmo.share(AGREED)
    assert posted.plan.post.unchanged > 0
    made.settle()
    assert are_equal(made)
    assert len({item.batch for item in shown(made.sponsor)}) == 3
    assert len(shown(made.sponsor)) == len(shown(made.cmo)) == len(results) // 2 * 3


def test_the_same_file_imported_again_posts_nothing_twice(made: Link) -> None:
    keys, size = seal_keys(made.cmo), made.stores[0].ledgers()[0].size
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    rebuild(made, made.cmo, made.sponsor)
    made.sync()
    assert made.cmo.home.journal.size() == 0
    made.cmo.map("small")
    made.take([row("B1"), row("B2")])
    assert made.cmo.share(AGREED).posted == 0
    assert made.stores[0].ledgers()[0].size == size


@WAYS
def test_before_it_is_rebuilt_it_posts_nothing_and_its_partner_finds_nothing_wrong(
    made: Link,
) -> None:
    keys = seal_keys(made.cmo)
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    for _ in range(3):
        made.sync()
    made.cmo.map("small")
    made.take([row("B9")])
    with pytest.raises(FedbatchError):
        made.cmo.share(AGREED)
    assert [item.stopped for item in made.stores[1].ledgers()] == ["", ""]
    rebuild(made, made.cmo, made.sponsor)
    made.settle()
    assert made.cmo.share(AGREED).posted > 0
    made.settle()
    assert are_equal(made)


def test_each_partner_gives_back_its_own_agreement_alone(made: Link) -> None:
    other = made.world.node("other", listens=True)
    second = link(made.world, made.cmo, other, agreement="ag-2", products=("T-2",))
    made.take([row("B1"), row("B2"), row("B1-2", "T-2")], "more.csv")
    made.cmo.share("ag-2")
    second.settle()
    keys = seal_keys(made.cmo)
    before = state_of(made.cmo), state_of(made.cmo, "ag-2")
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    (taken,) = rebuild(made, made.cmo, made.sponsor)
    assert taken.agreement == AGREED
    assert state_of(made.cmo) == before[0]
    assert state_of(made.cmo, "ag-2") == []
    assert "ag-2" not in "".join(map(str, made.network.replies))
    (taken,) = rebuild(made, made.cmo, other)
    assert taken.agreement == "ag-2"
    assert state_of(made.cmo, "ag-2") == before[1]


def test_an_agreement_younger_than_the_key_backup_comes_back_too(made: Link) -> None:
    """Its keys and its secret do not: its ledger key is revoked, and sharing waits for a person."""
    keys = seal_keys(made.cmo)
    link(
        made.world, made.cmo, made.sponsor, agreement="ag-2", products=("T-2",), dialer=made.dialer
    )
    before = state_of(made.cmo, "ag-2")
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    with_sizes = made.world.try_sync(made.cmo, made.sponsor)
    assert "rebuild.behind" in str(with_sizes)
    assert {item.agreement for item in rebuild(made, made.cmo, made.sponsor)} == {AGREED, "ag-2"}
    assert state_of(made.cmo, "ag-2") == before
    wrong = " ".join(verify_home(made.cmo.home).wrong)
    assert "agreement/ag-2.secret is missing" in wrong
    assert "agreement/ag-2/ledger" in wrong


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_rebuild_cut_anywhere_goes_on_where_it_was(made: Link, cut: int) -> None:
    keys, before = seal_keys(made.cmo), state_of(made.cmo)
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    started = made.network.calls
    made.network.meddle = lambda number, request: (
        ("reply", ConnectionError("cut")) if number == started + cut else None
    )
    try:
        rebuild(made, made.cmo, made.sponsor)
    except ConnectionError:
        made.restart(made.cmo)
        made.cmo.map("small")
        made.take([row("B9")])
        with pytest.raises(FedbatchError):
            made.cmo.share(AGREED)
    made.network.meddle = lambda number, request: None
    rebuild(made, made.cmo, made.sponsor)
    assert state_of(made.cmo) == before
    made.settle()
    assert are_equal(made)


def test_changes_of_keys_come_back_with_the_ledgers(made: Link) -> None:
    for purpose in ("ledger", "cosign"):
        change_key_of(made.cmo.home, "rotation", purpose, made.cmo.person, "x")
        change_key_of(made.sponsor.home, "rotation", purpose, made.sponsor.person, "x")
        made.deliver([row("B1"), row("B2"), row(f"B-{purpose}")])
    change_key_of(made.cmo.home, "revocation", "ledger", made.cmo.person, "x")
    made.deliver([row("B1"), row("B2"), row("B4")])
    made.settle()
    keys, before = seal_keys(made.cmo), state_of(made.cmo)
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    rebuild(made, made.cmo, made.sponsor)
    made.settle()
    assert state_of(made.cmo) == before
    assert verify_home(made.cmo.home).wrong == []


# ---- erased, refused


def withdraw_wrong(made: Link, batch: str) -> None:
    withdraw_wrong_party(
        made.cmo.home, batch, made.cmo.known(AGREED), made.cmo.person, "another party's"
    )


def entries_of(node: Node, *, is_own: bool) -> bytes:
    store = node.home.ledgers(AGREED)
    row_ = store.ledgers()[0 if is_own else 1]
    return b"".join(content for _, content in store.scan(row_.ledger))


@pytest.mark.parametrize("side", ["cmo", "sponsor"])
def test_what_was_erased_does_not_come_back(made: Link, side: str) -> None:
    made.deliver([row("B1"), row("B2"), row("B-secret", assay="77.31")])
    assert b"B-secret" in entries_of(made.sponsor, is_own=False)
    withdraw_wrong(made, "B-secret")
    made.settle()
    assert b"B-secret" not in entries_of(made.sponsor, is_own=False)
    lost, other = (made.cmo, made.sponsor) if side == "cmo" else (made.sponsor, made.cmo)
    keys = seal_keys(lost)
    lose(lost)
    bring_keys_back(made, lost, keys)
    seen = len(made.network.replies)
    rebuild(made, lost, other)
    made.settle()
    assert b"B-secret" not in b"".join(made.network.replies[seen:])
    assert b"B-secret" not in entries_of(made.sponsor, is_own=False)
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []
    if side == "cmo":
        made.cmo.map("small")
        made.take([row("B1"), row("B2"), row("B-secret", assay="77.31"), row("B4")])
        made.cmo.share(AGREED)
        made.settle()
        assert b"B-secret" not in entries_of(made.cmo, is_own=True)
        assert b"B4" in entries_of(made.cmo, is_own=True)


def test_what_was_refused_stays_refused(made: Link) -> None:
    forge(made.cmo, AGREED, [b"{}", b"no record"])
    made.settle()
    refused = made.stores[1].refused(made.stores[1].ledgers()[1].ledger)
    assert len(refused) == 2
    keys, before = seal_keys(made.sponsor), state_of(made.sponsor)
    lose(made.sponsor)
    bring_keys_back(made, made.sponsor, keys)
    rebuild(made, made.sponsor, made.cmo)
    made.settle()
    assert state_of(made.sponsor) == before
    assert are_equal(made)


# ---- a restored home behind its partner


def back_and_forth(made: Link, node: Node, tmp_path: Path) -> None:
    """Back up, go on, lose the home, restore it."""
    keys = seal_keys(node)
    back_up(node.home, node.person, tmp_path / "backup", quiet)
    made.deliver([row("B1"), row("B2"), row("B3")])
    made.settle()
    lose(node)
    restore(tmp_path / "backup", node.home.path, quiet, clock=node.clock)
    restore_keys(node.home.path, keys, BOTH, clock=node.clock)
    made.restart(node)


@WAYS
@pytest.mark.parametrize("side", ["cmo", "sponsor"])
def test_restored_home_behind_its_partner_is_rebuilt_and_goes_on(
    made: Link, tmp_path: Path, side: str
) -> None:
    lost, other = (made.cmo, made.sponsor) if side == "cmo" else (made.sponsor, made.cmo)
    results = 3 * len(shown(made.sponsor)) // 2
    back_and_forth(made, lost, tmp_path)
    made.sync(2)
    if side == "cmo":
        made.take([row("B1"), row("B2"), row("B4")])
        with pytest.raises(RefusedError) as caught:
            made.cmo.share(AGREED)
        assert caught.value.code == "ledger.restored"
    rebuild(made, lost, other)
    made.settle()
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert [item.stopped for item in node.home.ledgers(AGREED).ledgers()] == ["", ""]
        assert verify_home(node.home).wrong == []
        assert len(shown(node)) == results
    made.deliver([row("B1"), row("B2"), row("B3"), row("B5")])
    made.settle()
    assert are_equal(made)


def test_an_erasure_after_the_backup_is_repeated_at_the_reader(made: Link, tmp_path: Path) -> None:
    made.deliver([row("B1"), row("B2"), row("B-secret", assay="77.31")])
    keys = seal_keys(made.sponsor)
    back_up(made.sponsor.home, made.sponsor.person, tmp_path / "backup", quiet)
    withdraw_wrong(made, "B-secret")
    made.settle()
    lose(made.sponsor)
    restore(tmp_path / "backup", made.sponsor.home.path, quiet, clock=made.sponsor.clock)
    restore_keys(made.sponsor.home.path, keys, BOTH, clock=made.sponsor.clock)
    made.restart(made.sponsor)
    assert b"B-secret" in entries_of(made.sponsor, is_own=False)
    rebuild(made, made.sponsor, made.cmo)
    made.settle()
    assert b"B-secret" not in entries_of(made.sponsor, is_own=False)
    assert are_equal(made)
    assert verify_home(made.sponsor.home).wrong == []


def test_an_erasure_after_the_backup_is_remembered_by_the_writer(
    made: Link, tmp_path: Path
) -> None:
    made.deliver([row("B1"), row("B2"), row("B-secret", assay="77.31")])
    keys = seal_keys(made.cmo)
    back_up(made.cmo.home, made.cmo.person, tmp_path / "backup", quiet)
    withdraw_wrong(made, "B-secret")
    made.settle()
    lose(made.cmo)
    restore(tmp_path / "backup", made.cmo.home.path, quiet, clock=made.cmo.clock)
    restore_keys(made.cmo.home.path, keys, BOTH, clock=made.cmo.clock)
    made.restart(made.cmo)
    rebuild(made, made.cmo, made.sponsor)
    made.settle()
    made.take([row("B1"), row("B2"), row("B-secret", assay="88.44"), row("B4")])
    made.cmo.share(AGREED)
    made.settle()
    assert b"88.44" not in entries_of(made.sponsor, is_own=False)
    assert are_equal(made)


@WAYS
def test_an_agreement_that_was_deleted_by_hand_comes_back_once_both_let_it_go_on(
    made: Link,
) -> None:
    before = state_of(made.cmo)
    made.cmo.home.close()
    shutil.rmtree(made.cmo.home.agreement_folder(AGREED))
    made.restart(made.cmo)
    made.sync(2)
    assert made.stores[1].ledgers()[1].stopped.startswith("rollback")
    rebuild(made, made.cmo, made.sponsor)
    assert [item[:4] for item in state_of(made.cmo)] == [item[:4] for item in before]
    for node in (made.sponsor, made.cmo):
        lift_stops(node.home, node.known(AGREED), node.person, "rebuilt")
    made.settle()
    made.deliver([row("B1"), row("B2"), row("B3")])
    made.settle()
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []


# ---- what a partner can and cannot do


def test_altered_copy_is_detected_and_nothing_of_it_is_kept(made: Link) -> None:
    keys, ledger = seal_keys(made.cmo), made.stores[0].ledgers()[0].ledger
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    store = made.sponsor.home.ledgers(AGREED)
    index, _, content = store.entries(ledger, 3, 1)[0]
    altered = content.replace(b"B1", b"X1").replace(b"100.1", b"100.2")
    with store._database.writing():
        store._database.execute(
            "update entry set content = ?, leaf = ? where ledger = ? and idx = ?",
            (altered + b" ", leaf_hash(altered + b" "), ledger, index),
        )
    with pytest.raises(IntegrityError) as caught:
        rebuild(made, made.cmo, made.sponsor)
    assert caught.value.code == "gap"
    assert made.stores[0].ledgers()[0].size == 0


def test_nobody_pushes_what_was_not_asked_for(made: Link) -> None:
    content = made.cmo.home.exchange.returned(made.sponsor.party, AGREED)
    exchange = made.sponsor.home.exchange
    for call in (
        lambda: exchange.take_returned(made.cmo.party, AGREED, content),
        lambda: exchange.take_returned(made.cmo.party, "ag-new", content),
        lambda: exchange.take_back(made.cmo.party, AGREED, "ledger-x", b""),
        lambda: exchange.finish_rebuild(made.cmo.party, AGREED),
    ):
        with pytest.raises(NotHereError):
            call()
    raw = Raw(made.cmo, made.sponsor)
    ledger = made.stores[0].ledgers()[0].ledger
    nothing = face(raw.call("GET", "/x/1/ag-nothing/returned"))
    assert face(raw.call("PUT", f"/x/1/{AGREED}/returned", body=content)) == nothing
    assert face(raw.call("POST", f"/x/1/{AGREED}/{ledger}/returned", body=b"")) == nothing


def test_only_the_partner_is_given_anything_back(made: Link) -> None:
    other = made.world.node("other")
    made.world.pair(other, made.sponsor)
    raw, ledger = Raw(other, made.sponsor), made.stores[0].ledgers()[0].ledger
    nothing = face(raw.call("GET", "/x/1/ag-nothing/returned"))
    assert nothing[0] == 404
    assert face(raw.call("GET", f"/x/1/{AGREED}/returned")) == nothing
    assert face(raw.call("GET", f"/x/1/{AGREED}/{ledger}/returned", query="from=0")) == nothing
    assert face(raw.send("GET", f"/x/1/{AGREED}/returned", {})) == nothing


def test_a_body_that_was_never_agreed_does_not_come_back(made: Link) -> None:
    """The partner adds a version, and an acceptance of a proposal that was never made."""
    keys = seal_keys(made.cmo)
    found = canonical.parse(
        made.sponsor.home.exchange.returned(made.cmo.party, AGREED), Returned, ""
    )
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    body = canonical.parse(bytes(found.bodies[0]), AgreementBody, "")
    forged = canonical.encode(msgspec.structs.replace(body, version=2, rights=()))
    offer = found.settings["offer_received"].replace('"version":1', '"version":2')
    changed = msgspec.structs.replace(
        found,
        bodies=(*found.bodies, msgspec.Raw(forged)),
        settings={**found.settings, "offer_received": offer},
    )
    assert offer != found.settings["offer_received"]
    exchange = made.cmo.home.exchange
    exchange.want_back(made.sponsor.party, "u-1")
    exchange.take_returned(made.sponsor.party, AGREED, canonical.encode(changed))
    for ledger in (found.asker.ledger, found.giver.ledger):
        part = made.sponsor.home.exchange.give_back(made.cmo.party, AGREED, ledger, 0)
        exchange.take_back(made.sponsor.party, AGREED, ledger, part)
    exchange.finish_rebuild(made.sponsor.party, AGREED)
    store = made.cmo.home.ledgers(AGREED)
    assert store.setting("body") == bytes(found.bodies[0])
    assert store.setting("body/2") is None
    assert store.setting("offer_sent") is None


def test_keys_that_were_never_certified_are_refused(made: Link) -> None:
    keys = seal_keys(made.cmo)
    found = canonical.parse(
        made.sponsor.home.exchange.returned(made.cmo.party, AGREED), Returned, ""
    )
    lose(made.cmo)
    bring_keys_back(made, made.cmo, keys)
    exchange = made.cmo.home.exchange
    exchange.want_back(made.sponsor.party, "u-1")
    other = "ab" * 32
    for changed in (
        msgspec.structs.replace(
            found, asker=msgspec.structs.replace(found.asker, ledger_key=other)
        ),
        msgspec.structs.replace(
            found, asker=msgspec.structs.replace(found.asker, cosign_key=other)
        ),
        msgspec.structs.replace(
            found, giver=msgspec.structs.replace(found.giver, cosign_key=other)
        ),
        msgspec.structs.replace(found, asker=found.giver),
        msgspec.structs.replace(found, giver=found.asker),
    ):
        with pytest.raises(RefusedError):
            exchange.take_returned(made.sponsor.party, AGREED, canonical.encode(changed))
    with pytest.raises(RefusedError):
        exchange.take_returned(made.sponsor.party, "ag-other", canonical.encode(found))
    assert not (made.cmo.home.path / "agreements" / "ag-other").exists()
