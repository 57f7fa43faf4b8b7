"""T13 and T15: each kind of key rotated during traffic, revoked, and stolen by somebody."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fedbatch.errors import ConflictError, FedbatchError, IntegrityError, RefusedError
from fedbatch.ledger.note import SIGNING, VerifierKey, parse_note
from fedbatch.node.exporting import export_ledger
from fedbatch.node.home import Home
from fedbatch.node.key_changes import change_key_of
from fedbatch.node.key_keeping import list_keys
from fedbatch.node.verifying import verify_home
from fedbatch.services.exchange import KeyRecords, NotHereError
from fedbatch.services.key_turns import link_keys, partner_records, records_of
from fedbatch.standard import canonical
from fedbatch.standard.key_records import KeyRecord
from tests.scenarios.making import AGREED, Link, Raw, are_equal, face, link, linked, row
from tests.scenarios.world import Node

VERIFIER = next((Path(__file__).parents[2] / "verifier").glob("*.py"))
KINDS = pytest.mark.parametrize("purpose", ["ledger", "cosign", "link"])
SIDES = pytest.mark.parametrize("side", ["cmo", "sponsor"])
WAYS = pytest.mark.parametrize("made", [False, True], ids=["dials", "listens"], indirect=True)


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=getattr(request, "param", False)) as one:
        one.deliver([row("B1")])
        yield one


def rotate(node: Node, purpose: str) -> None:
    change_key_of(node.home, "rotation", purpose, node.person, "once a year")


def revoke(node: Node, purpose: str) -> None:
    change_key_of(node.home, "revocation", purpose, node.person, "stolen")


def goes_on(made: Link, *batches: str) -> None:
    made.deliver([row(batch) for batch in ("B1", *batches)])
    made.settle()
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []
    store = made.stores[0]
    own = store.ledgers()[0]
    assert max(item.size for item in store.checkpoints(own.ledger) if item.cosignature) == own.size


# ---- rotation


@WAYS
@SIDES
@KINDS
def test_each_key_rotates_without_hands_at_the_partner(made: Link, purpose: str, side: str) -> None:
    node = made.cmo if side == "cmo" else made.sponsor
    rotate(node, purpose)
    goes_on(made, "B2")
    made.world.clock.move(days=8)
    goes_on(made, "B2", "B3")
    rotate(node, purpose)
    rotate(node, purpose)
    goes_on(made, "B2", "B3", "B4")


@KINDS
def test_rotation_in_the_middle_of_a_round_loses_nothing(made: Link, purpose: str) -> None:
    """Before each request of a round in turn, on both nodes."""
    for at in range(1, 14):
        made.take([row(f"B{number}") for number in range(1, at + 2)])
        made.cmo.share(AGREED)
        started = made.network.calls

        def meddle(number: int, request: object, at: int = at, started: int = started) -> None:
            if number == started + at:
                rotate(made.cmo, purpose)
                rotate(made.sponsor, purpose)

        made.network.meddle = meddle
        made.sync()
        made.network.meddle = lambda number, request: None
    made.settle()
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []


def lines_by(made: Link, key: bytes) -> list[int]:
    """The sizes of own checkpoints that a key has signed."""
    store = made.stores[0]
    own = store.ledgers()[0]
    verifier = VerifierKey(own.origin, SIGNING, key)
    return [
        item.size
        for item in store.checkpoints(own.ledger)
        if verifier.find_lines(parse_note(item.note))
    ]


def test_for_seven_days_checkpoints_carry_both_lines(made: Link) -> None:
    old = made.stores[0].ledgers()[0].key
    before = made.stores[0].ledgers()[0].size
    rotate(made.cmo, "ledger")
    new = bytes.fromhex(records_of(made.stores[0])[0].new)
    goes_on(made, "B2")
    overlap = made.stores[0].ledgers()[0].size
    made.world.clock.move(days=7, seconds=1)
    goes_on(made, "B2", "B3")
    after = made.stores[0].ledgers()[0].size
    assert before < overlap < after
    assert {before, overlap} <= set(lines_by(made, old))
    assert after not in lines_by(made, old)
    assert {overlap, after} <= set(lines_by(made, new))
    assert before not in lines_by(made, new)


@KINDS
def test_partner_away_for_a_month_learns_of_it_on_return(made: Link, purpose: str) -> None:
    made.network.is_up = False
    rotate(made.cmo, purpose)
    made.take([row("B1"), row("B2")])
    made.cmo.share(AGREED)
    made.world.try_sync(made.dialer, made.listener)
    made.world.clock.move(days=30)
    rotate(made.cmo, purpose)
    rotate(made.sponsor, purpose)
    made.world.clock.move(days=30)
    made.network.is_up = True
    goes_on(made, "B2", "B3")


def test_both_link_keys_count_during_the_overlap_and_the_new_one_alone_after_it(
    made: Link,
) -> None:
    raw, old = Raw(made.cmo, made.sponsor), f"link/{made.sponsor.party}"
    rotate(made.cmo, "link")
    made.sync()
    assert len(link_keys(made.sponsor.home.partner_named(made.cmo.party), 0)) == 2
    ring = made.cmo.home.keys
    keys = [item.name.removesuffix(".key") for item in ring.files() if item.name.startswith(old)]
    assert len(keys) == 2

    def statuses() -> list[int]:
        return [raw.call("GET", "/x/1/sizes", key=key).status_code for key in keys]

    # `key` names a file: what records say of the base name would give the newest.
    ring._signing = lambda name: ()
    assert statuses() == [200, 200]
    made.world.clock.move(days=7, seconds=1)
    assert sorted(statuses()) == [200, 404]


def test_states_of_keys_are_listed(made: Link) -> None:
    def states() -> list[str]:
        rows = list_keys(made.cmo.home)
        return [item.state.partition(" ")[0] for item in rows if item.purpose == "cosign"]

    assert states() == ["current"]
    rotate(made.cmo, "cosign")
    assert sorted(states()) == ["current", "gives"]
    made.world.clock.move(days=8)
    assert sorted(states()) == ["current", "retired"]
    revoke(made.cmo, "cosign")
    assert sorted(states()) == ["current", "retired", "revoked"]


@KINDS
@pytest.mark.parametrize("kind", [rotate, revoke])
def test_the_list_agrees_with_what_signs_and_what_the_partner_takes(
    made: Link, purpose: str, kind: Callable[[Node, str], None]
) -> None:
    """A key that gave way when the next change came gives way no longer."""

    def states() -> Counter[str]:
        rows = [row for row in list_keys(made.cmo.home) if row.purpose == purpose]
        return Counter(row.state.partition(" ")[0] for row in rows)

    rotate(made.cmo, purpose)
    made.world.clock.move(days=1)
    made.sync()
    assert states() == {"current": 1, "gives": 1}
    kind(made.cmo, purpose)
    made.sync()
    told = {"current": 1, "revoked": 2}
    assert states() == (told if kind is revoke else {"current": 1, "gives": 1, "retired": 1})
    partner = made.sponsor.home.partner_named(made.cmo.party)
    if purpose == "link":
        taken = link_keys(partner, made.world.clock.seconds())
        assert len(taken) == (1 if kind is revoke else 2)
    made.world.clock.move(days=8)
    assert states() == (told if kind is revoke else {"current": 1, "retired": 2})


@pytest.mark.parametrize("purpose", ["ledger", "cosign"])
def test_exported_ledger_names_the_keys_that_signed_it(
    made: Link, tmp_path: Path, purpose: str
) -> None:
    rotate(made.cmo, purpose)
    rotate(made.sponsor, purpose)
    goes_on(made, "B2")
    made.world.clock.move(days=8)
    goes_on(made, "B2", "B3")
    folder = tmp_path / "tiles"
    export_ledger(made.cmo.home, made.cmo.known(AGREED), folder, sent=True)
    command = [sys.executable, str(VERIFIER), "ledger", str(folder), "--policy", "policy"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    first = made.stores[0].ledgers()[0]
    pinned = VerifierKey(first.origin, SIGNING, first.key)
    assert (pinned.key_id.hex() in (folder / "policy").read_text("utf-8")) == (purpose != "ledger")


# ---- revocation


@WAYS
@SIDES
@KINDS
def test_revoked_key_is_replaced_and_what_was_cosigned_stays_valid(
    made: Link, purpose: str, side: str
) -> None:
    node = made.cmo if side == "cmo" else made.sponsor
    revoke(node, purpose)
    goes_on(made, "B2")
    revoke(node, purpose)
    rotate(node, purpose)
    goes_on(made, "B2", "B3")


@KINDS
def test_lost_key_file_is_no_hindrance_to_revoking_it(made: Link, purpose: str) -> None:
    name = {"link": f"link/{made.sponsor.party}"}.get(purpose, f"agreement/{AGREED}/{purpose}")
    (made.cmo.home.path / "keys" / f"{name}.key").unlink()
    made.restart(made.cmo)
    made.take([row("B1"), row("B2")])
    assert verify_home(made.cmo.home).wrong
    with pytest.raises(FedbatchError):
        rotate(made.cmo, purpose)
    revoke(made.cmo, purpose)
    goes_on(made, "B2")


def test_entries_not_cosigned_when_the_key_was_revoked_are_signed_anew(made: Link) -> None:
    old = made.stores[0].ledgers()[0].key
    before = made.stores[0].ledgers()[0].size
    made.take([row("B1"), row("B2")])
    made.cmo.share(AGREED)
    revoke(made.cmo, "ledger")
    assert records_of(made.stores[0])[0].size == before
    assert max(lines_by(made, old)) == before
    goes_on(made, "B2")


def test_a_receipt_lost_on_the_way_does_not_make_a_revoked_history_wrong(made: Link) -> None:
    """The partner cosigned more than the writer knew when it revoked."""
    made.take([row("B1"), row("B2")])
    made.cmo.share(AGREED)
    made.network.meddle = lambda number, request: (
        ("reply", ConnectionError("cut")) if request.url.path.endswith("/entries") else None
    )
    with pytest.raises(ConnectionError):
        made.sync()
    made.network.meddle = lambda number, request: None
    revoke(made.cmo, "ledger")
    goes_on(made, "B2", "B3")


# ---- thieves


def thief(made: Link) -> Node:
    """A copy of the CMO's home as it was before the key changed."""
    made.cmo.home.close()
    shutil.copytree(made.cmo.home.path, made.world.folder / "stolen")
    made.restart(made.cmo)
    stolen = Node(
        home=Home(made.world.folder / "stolen", clock=made.world.clock),
        clock=made.world.clock,
        networks=dict(made.cmo.networks),
    )
    made.world.nodes["stolen"] = stolen
    return stolen


def test_stolen_link_key_opens_nothing_once_revoked(made: Link) -> None:
    stolen = thief(made)
    assert Raw(stolen, made.sponsor).call("GET", "/x/1/sizes").status_code == 200
    revoke(made.cmo, "link")
    made.sync()
    unknown = face(Raw(stolen, made.sponsor).call("GET", "/x/1/sizes", key_id="party-nobody"))
    for method, path in (("GET", "/x/1/sizes"), ("GET", f"/x/1/{AGREED}/proposal")):
        assert face(Raw(stolen, made.sponsor).call(method, path)) == unknown
    body = canonical.encode(KeyRecords())
    reply = Raw(stolen, made.sponsor).call("POST", "/x/1/keys", body=body)
    assert face(reply) == unknown


def test_stolen_ledger_key_signs_nothing_once_revoked(made: Link) -> None:
    """The thief holds link key and ledger key; the link key it has is still accepted."""
    stolen = thief(made)
    revoke(made.cmo, "ledger")
    made.sync()
    held = made.stores[1].ledgers()[1].size
    stolen.home.ledgers(AGREED).confirm_place()
    stolen.take(made.world.folder / "tables" / "small.csv")
    made.take([row("B1"), row("B9")], "other.csv")
    stolen.take(made.world.folder / "tables" / "other.csv")
    assert stolen.share(AGREED).posted > 0
    outcome = made.world.try_sync(stolen, made.sponsor)
    assert "signature" in str(outcome)
    assert made.stores[1].ledgers()[1].size == held
    goes_on(made, "B2")


def test_control_the_same_thief_before_the_revocation_is_believed(made: Link) -> None:
    stolen = thief(made)
    held = made.stores[1].ledgers()[1].size
    stolen.home.ledgers(AGREED).confirm_place()
    made.take([row("B1"), row("B9")], "other.csv")
    stolen.take(made.world.folder / "tables" / "other.csv")
    stolen.share(AGREED)
    made.world.try_sync(stolen, made.sponsor)
    assert made.stores[1].ledgers()[1].size > held


# ---- forged records


def forged(made: Link, record: KeyRecord) -> Exception | None:
    content = canonical.encode(KeyRecords(records=(record,)))
    try:
        made.sponsor.home.exchange.take_key_records(made.cmo.party, content)
    except FedbatchError as error:
        return error
    return None


CHANGES: list[dict[str, object]] = [
    {"kind": "revocation"},
    {"number": 2},
    {"number": 0},
    {"old": "00" * 32},
    {"new": "11" * 32},
    {"size": 0},
    {"size": 10**9},
    {"until": "2036-01-01T00:00:00Z"},
    {"party": "party-other"},
    {"partner": "party-other"},
    {"by_identity": "00" * 64},
    {"by_old": "00" * 64},
    {"by_new": "00" * 64},
    {"by_old": ""},
    {"by_new": "no hex"},
    {"agreement": "ag-other"},
    {"purpose": "cosign"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_record_changed_in_one_field_is_refused(made: Link, change: dict[str, object]) -> None:
    rotate(made.cmo, "ledger")
    record = records_of(made.stores[0])[0]
    assert isinstance(forged(made, msgspec.structs.replace(record, **change)), FedbatchError)
    assert partner_records(made.stores[1]) == ()
    assert forged(made, record) is None
    assert partner_records(made.stores[1]) == (record,)


def test_a_record_again_is_no_change_and_an_older_one_does_not_come_back(made: Link) -> None:
    rotate(made.cmo, "ledger")
    rotate(made.cmo, "ledger")
    first, second = records_of(made.stores[0])
    assert isinstance(forged(made, second), RefusedError)
    for record in (first, second, first, second):
        assert forged(made, record) is None
    assert partner_records(made.stores[1]) == (first, second)


def test_who_holds_ledger_and_link_key_but_not_the_identity_changes_no_key(made: Link) -> None:
    stolen = thief(made)
    (stolen.home.path / "keys" / "identity.key").unlink()
    stolen.reopen()
    stolen.home.keys = type(stolen.home.keys)(stolen.home.path / "keys", stolen.home._signing)
    stolen.home.keys.create("identity")
    change_key_of(stolen.home, "rotation", "ledger", stolen.person, "mine")
    (record,) = records_of(stolen.home.ledgers(AGREED))
    assert isinstance(forged(made, record), RefusedError)


def test_records_of_one_agreement_are_told_to_its_partner_alone(made: Link) -> None:
    other = made.world.node("other", listens=True)
    link(made.world, made.cmo, other, agreement="ag-2", products=("T-2",))
    change_key_of(made.cmo.home, "rotation", "ledger", made.cmo.person, "x", agreement=AGREED)
    change_key_of(
        made.cmo.home, "rotation", "link", made.cmo.person, "x", partner=made.sponsor.party
    )
    content, digest = made.cmo.home.exchange.own_key_records(other.party)
    assert (content, digest) == (canonical.encode(KeyRecords()), "")
    record = records_of(made.stores[0])[0]
    body = canonical.encode(KeyRecords(records=(record,)))
    with pytest.raises((NotHereError, RefusedError)):
        other.home.exchange.take_key_records(made.cmo.party, body)


def test_what_has_no_keys_yet_cannot_change_them(tmp_path: Path) -> None:
    with linked(tmp_path) as made:
        third = made.world.node("third", listens=True)
        made.world.pair(made.cmo, third)
        body = made.cmo.home.standing(AGREED).body
        assert body is not None
        parties = tuple(
            msgspec.structs.replace(item, party=third.party)
            if item.party == made.sponsor.party
            else item
            for item in body.parties
        )
        changed = msgspec.structs.replace(body, id="ag-9", parties=parties)
        made.cmo.home.exchange.propose(third.party, changed, "u-1")
        with pytest.raises(ConflictError):
            change_key_of(
                made.cmo.home, "rotation", "ledger", made.cmo.person, "x", agreement="ag-9"
            )


def test_an_unknown_line_under_a_checkpoint_is_passed_over(made: Link) -> None:
    """The partner that has not heard of the new key verifies by the old line."""
    rotate(made.cmo, "ledger")
    made.take([row("B1"), row("B2")])
    made.cmo.share(AGREED)
    frames = made.cmo.home.exchange.give(
        made.sponsor.party,
        AGREED,
        made.stores[0].ledgers()[0].ledger,
        made.stores[1].ledgers()[1].size,
        10**6,
    )
    replica = made.sponsor.home.exchange.take(
        made.cmo.party, AGREED, made.stores[0].ledgers()[0].ledger, frames
    )
    assert replica.new > 0
    goes_on(made, "B2", "B3")


def test_control_a_checkpoint_without_the_new_line_is_refused_once_it_is_due(made: Link) -> None:
    rotate(made.cmo, "ledger")
    made.sync()
    made.cmo.home.keys._signing = lambda name: ()
    made.take([row("B1"), row("B2")])
    made.cmo.share(AGREED)
    moved = made.world.try_sync(made.cmo, made.sponsor)
    assert isinstance(moved, IntegrityError) or "signature" in str(moved)
