"""T6 and T01 to T03: what one sponsor can see of another: nothing; of what exists: the same 404."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from typing_extensions import override

from fedbatch.errors import RefusedError
from fedbatch.node.findings import read_findings
from fedbatch.node.home import Home
from fedbatch.node.overview import read_status
from fedbatch.node.reading import read_results
from fedbatch.services.agreements import Party, change_state, offer
from fedbatch.standard.agreements import Right
from fedbatch.store.keys import HomeIds
from tests.fakes.clock import FakeClock
from tests.scenarios.agreements import ALL_TYPES
from tests.scenarios.making import HEADERS, Link, Raw, are_equal, face, link, row, write_table
from tests.scenarios.world import Node, World

A, B = "ag-alpine", "ag-boreal"
# What only the second sponsor's data say.
CANARIES = (
    "Borealin",
    "BOREAL-PRODUCT",
    "BB-7711",
    "LOT-CANARY",
    "77.123",
    "BROKEN-CANARY",
    "press.speed",
    "BOREAL-PARTY",
)


@dataclass
class Three:
    """A CMO with two sponsors."""

    world: World
    cmo: Node
    first: Link
    second: Link | None

    @property
    def alpine(self) -> Node:
        return self.first.sponsor


def map_with_speed(cmo: Node) -> None:
    cmo.map("small")


def table(world: World, *, with_second: bool) -> Path:
    rows = [row("A-1", "ALPINE"), row("A-2", "ALPINE", assay="99.4")]
    if with_second:
        rows += [
            row("BB-7711", "BOREAL-PRODUCT", assay="77.123", lot="LOT-CANARY"),
            row("BB-7712", "BOREAL-PRODUCT", assay="BROKEN-CANARY"),
        ]
    return write_table(world.folder / "tables" / "all.csv", rows, HEADERS)


def make(folder: Path, *, sponsors_listen: bool, with_second: bool = True) -> Three:
    world = World(folder)
    cmo = world.node("cmo", listens=not sponsors_listen)
    cmo.map("small")
    alpine = world.node("alpine", listens=sponsors_listen)
    first = link(world, cmo, alpine, products=("ALPINE",), agreement=A)
    second = None
    if with_second:
        boreal = world.node("BOREAL-PARTY", listens=sponsors_listen)
        second = link(world, cmo, boreal, products=("BOREAL-PRODUCT",), agreement=B)
    cmo.take(table(world, with_second=with_second))
    for one in (first, second):
        if one is not None:
            cmo.share(one.agreement)
            one.settle()
    return Three(world, cmo, first, second)


@pytest.fixture(scope="module", params=[False, True], ids=["the CMO listens", "the CMO dials"])
def three(request: pytest.FixtureRequest, module_folder: Path) -> Iterator[Three]:
    made = make(module_folder / str(request.param), sponsors_listen=request.param)
    yield made
    made.world.close()


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Three]:
    made = make(tmp_path, sponsors_listen=False)
    yield made
    made.world.close()


def bytes_of(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def canaries_in(content: bytes) -> list[str]:
    return [text for text in CANARIES if text.encode() in content]


# ---- nothing of the other


def test_nothing_of_one_sponsor_stands_in_the_home_of_another(three: Three) -> None:
    home = three.alpine.home.path
    three.alpine.reopen()
    assert canaries_in(bytes_of(home)) == []
    # The control: the CMO's own home and the second sponsor's are full of it.
    assert three.second is not None
    assert len(canaries_in(bytes_of(three.cmo.home.path))) >= 6
    assert "LOT-CANARY" in canaries_in(bytes_of(three.second.sponsor.home.path))


def test_nothing_of_one_sponsor_crossed_to_another(three: Three) -> None:
    network = three.first.network
    crossed = b"\0".join(
        [
            *network.replies,
            *(bytes(item.content) for item in network.seen),
            str(network.seen).encode(),
        ]
    )
    assert canaries_in(crossed) == []
    assert three.second is not None
    assert canaries_in(repr(read_findings(three.second.sponsor.home)).encode())


def test_each_sponsor_has_its_own_batches_alone(three: Three) -> None:
    assert three.second is not None
    assert {item.batch for item in read_results(three.alpine.home)} == {"A-1", "A-2"}
    assert {item.batch for item in read_results(three.second.sponsor.home)} == {
        "BB-7711",
        "BB-7712",
    }


def test_equal_things_have_unequal_ids_under_two_agreements(three: Three) -> None:
    """The same mapping, person and equipment cannot be joined across sponsors."""
    ids = three.cmo.home.ids
    for kind in ("batch", "mapping", "person", "equipment", "lot"):
        assert ids.shared(A, kind, "x") != ids.shared(B, kind, "x")
        assert ids.own(kind, "x") not in {ids.shared(A, kind, "x"), ids.shared(B, kind, "x")}


# ---- the same 404


def routes(agreement: str, ledger: str) -> list[tuple[str, str, bytes | None]]:
    base = f"/x/1/{agreement}"
    return [
        ("GET", f"{base}/proposal", None),
        ("GET", f"{base}/acceptance", None),
        ("PUT", f"{base}/acceptance", b"{}"),
        ("POST", f"{base}/receipts", b""),
        ("POST", f"{base}/stopped", b'{"code":"fork","detail":"x"}'),
        ("GET", f"{base}/{ledger}/entries", None),
        ("POST", f"{base}/{ledger}/entries", b"junk"),
        ("GET", f"{base}/{ledger}/root", None),
        ("GET", f"{base}/{ledger}/checkpoint", None),
    ]


def foreign_ids(three: Three) -> list[tuple[str, str]]:
    """Ids of the other agreement's ledgers, mixed with own and invented ones."""
    store = three.cmo.home.ledgers(B)
    ledgers = [item.ledger for item in store.ledgers()]
    own = [item.ledger for item in three.cmo.home.ledgers(A).ledgers()]
    pairs = [(B, ledger) for ledger in [*ledgers, *own, "no-such"]]
    pairs += [(A, ledger) for ledger in [*ledgers, "no-such"]]
    return [*pairs, ("ag-none", "no-such"), ("ag-none", own[0]), ("..", "x"), ("a b", "x")]


def test_unknown_and_forbidden_answer_with_equal_bytes(listening: Three) -> None:
    caller = Raw(listening.alpine, listening.cmo)
    expected = face(caller.send("GET", "/x/1/ag-none/x/entries", {}))
    assert expected[0] == 404
    for agreement, ledger in foreign_ids(listening):
        for method, path, body in routes(agreement.replace(" ", "%20"), ledger):
            is_own = agreement == A and ledger not in path
            if is_own:
                continue
            reply = caller.call(method, path, body=body)
            assert face(reply) == expected, (method, path)
            assert face(caller.send(method, path, {}, body=body)) == expected


def test_every_kind_of_stranger_gets_the_same_answer(listening: Three) -> None:
    caller = Raw(listening.alpine, listening.cmo)
    path = "/x/1/sizes"
    expected = face(caller.send("GET", path, {}))
    wrong_key = caller.headers("GET", path, key="identity")
    unknown = caller.headers("GET", path, key_id="party-unknown")
    as_other = caller.headers("GET", path, key_id=listening.world.nodes["BOREAL-PARTY"].party)
    good = caller.headers("GET", path)
    assert face(caller.send("GET", path, good))[0] == 200
    cut = {**caller.headers("GET", path), "signature": "sig=:AAAA:"}
    elsewhere = caller.headers("GET", "/x/1/other")
    for headers in (wrong_key, unknown, as_other, good, cut, elsewhere, {"signature-input": "x"}):
        assert face(caller.send("GET", path, headers)) == expected
    assert face(caller.send("GET", "/x/1/no/such/route/at/all", {})) == expected
    assert face(caller.send("DELETE", path, {})) == expected
    assert face(caller.send("GET", "/", {})) == expected
    assert face(caller.send("GET", "/x/1/sizes/", {})) == expected


def test_partner_not_confirmed_sees_no_agreement(tmp_path: Path) -> None:
    made = make(tmp_path, sponsors_listen=False)
    try:
        from_here = made.cmo.home.node.find_partner(made.alpine.party)
        assert from_here is not None
        caller = Raw(made.alpine, made.cmo)
        ledger = made.cmo.home.ledgers(A).ledgers()[0].ledger
        path = f"/x/1/{A}/{ledger}/entries"
        assert caller.call("GET", path).status_code == 200
        note = made.cmo.home.node.audit()[0]
        made.cmo.home.node.save_partner(replace(from_here, confirmed_here=""), note)
        expected = face(caller.send("GET", path, {}))
        assert face(caller.call("GET", path)) == expected
        nothing = {"confirmed": False, "agreements": [], "keys": "", "wants_back": False}
        assert caller.call("GET", "/x/1/sizes").json() == nothing
    finally:
        made.world.close()


def test_proposal_under_an_id_of_another_partner_is_not_told_apart(listening: Three) -> None:
    """Who proposes under a stolen id learns nothing: not by the answer, not by any other route."""
    caller = Raw(listening.alpine, listening.cmo)
    body = listening.cmo.home.standing(A).body
    assert body is not None
    seen = []
    kept = listening.cmo.home.ledgers(B).setting("offer_received")
    for agreement in (B, "ag-none"):
        home = listening.alpine.home
        content = offer(
            home.ledgers(f"{agreement}-try"),
            replace(body, id=agreement),
            home.settings.node,
            home.keys,
            home.ids,
        )
        replies = [face(caller.call("PUT", f"/x/1/{agreement}/proposal", body=content))]
        for method, path, junk in routes(agreement, "no-such"):
            replies.append(face(caller.call(method, path, body=junk)))
        replies.append(face(caller.call("POST", f"/x/1/{agreement}/receipts", body=b"5 x\n")))
        seen.append((replies, face(caller.call("GET", "/x/1/sizes"))))
    assert seen[0] == seen[1]
    assert seen[0][0][0][0] == 200
    assert listening.cmo.home.ledgers(B).setting("offer_received") == kept


# ---- pause, missing right


def pause(node: Node, partner: Node, agreement: str, state: str, reason: str) -> None:
    party = Party(
        party=node.party,
        partner=partner.party,
        officer=node.home.officer(node.person, "agreement officer"),
    )
    store = node.home.ledgers(agreement)
    change_state(store, state, party, node.home.keys, node.home.ids, node.home.clock, reason)  # type: ignore[arg-type] # one of three words


def test_pause_stops_posting_at_once_and_only_there(listening: Three) -> None:
    pause(listening.cmo, listening.alpine, A, "paused", "for a test")
    listening.cmo.take(
        write_table(
            listening.world.folder / "more.csv",
            [row("A-3", "ALPINE"), row("BB-7713", "BOREAL-PRODUCT")],
        )
    )
    with pytest.raises(RefusedError) as refused:
        listening.cmo.share(A)
    assert refused.value.code == "agreement.paused"
    assert listening.cmo.share(B).posted > 0
    listening.first.settle()
    # The partner knows, and posts nothing either; receipts still flow.
    with pytest.raises(RefusedError):
        listening.alpine.share(A)
    assert are_equal(listening.first)
    assert "A-3" not in {item.batch for item in read_results(listening.alpine.home)}
    pause(listening.cmo, listening.alpine, A, "active", "the test is over")
    assert listening.cmo.share(A).posted > 0
    listening.first.settle()
    assert "A-3" in {item.batch for item in read_results(listening.alpine.home)}


@pytest.mark.parametrize("missing", ["result", "lot", "batch", "transformation", "product"])
def test_what_no_right_opens_is_not_posted(tmp_path: Path, missing: str) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = world.node("cmo"), world.node("sponsor", listens=True)
        cmo.map("small")
        types = [name for name in ALL_TYPES if name != missing]
        made = link(world, cmo, sponsor, types=types)
        made.deliver([row("B1")])
        kinds = {head[0] for head in sponsor.home.ledgers("ag-1").heads(cmo_ledger(made))}
        assert missing not in kinds
        assert {"result", "batch"} - {missing} <= kinds
    finally:
        world.close()


def cmo_ledger(made: Link) -> str:
    return made.stores[0].ledgers()[0].ledger


def test_no_rights_at_all_post_nothing_of_the_journal(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = world.node("cmo"), world.node("sponsor", listens=True)
        cmo.map("small")
        made = link(world, cmo, sponsor, types=())
        made.deliver([row("B1")])
        kinds = {head[0] for head in made.stores[0].heads(cmo_ledger(made))}
        assert kinds == {"agreement", "signature", "party"}
    finally:
        world.close()


def test_batch_that_fits_two_agreements_goes_to_neither(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        cmo = world.node("cmo", listens=True)
        cmo.map("small")
        links = [
            link(world, cmo, world.node(name), products=("BOTH",), agreement=agreement)
            for name, agreement in (("one", A), ("two", B))
        ]
        cmo.take(write_table(tmp_path / "both.csv", [row("X-1", "BOTH")]))
        for made in links:
            shared = cmo.share(made.agreement)
            made.settle()
            assert [item.rule for item in shared.plan.findings] == ["batch.two_agreements"]
            assert read_results(made.sponsor.home) == []
    finally:
        world.close()


# ---- F11: the same bytes with and without the other


class StillClock(FakeClock):
    """A clock that reading does not move: what is seen must not depend on how often it is read."""

    @override
    def now(self) -> str:
        text = super().now()
        self.move(milliseconds=-1)
        return text


class EqualChance(HomeIds):
    """Ids whose salts and fresh names come from no chance.

    A journal's ids are random and one sequence for all; only salts made from them reach a ledger.
    """

    @override
    def provenance_salt(self, agreement: str, text: str) -> bytes:
        return agreement.encode()[:16]

    @override
    def salt(self) -> str:
        return "5a" * 16

    @override
    def fresh(self, kind: str) -> str:
        self.count = getattr(self, "count", 0) + 1
        return f"{kind}-{self.count:020x}"


def with_equal_chance(node: Node, clock: FakeClock) -> None:
    node.clock = clock
    node.home.clock = clock
    node.home.ids = EqualChance(node.home.keys)


def seen_by_alpine(folder: Path, base: Path, *, with_second: bool) -> list[bytes]:
    """Run the same days on a copy of the same two homes, and give every byte that crossed."""
    shutil.copytree(base, folder)
    world = World(folder)
    world.clock = StillClock()
    for name in ("cmo", "alpine"):
        world.nodes[name] = Node(home=Home(folder / name, clock=world.clock), clock=world.clock)
        with_equal_chance(world.nodes[name], world.clock)
    cmo, alpine = world.nodes["cmo"], world.nodes["alpine"]
    alpine.networks[cmo.party] = world.network(cmo)
    first = Link(world, cmo, alpine, alpine, cmo, A)
    first.sync()
    second = None
    if with_second:
        second = link(
            world, cmo, world.node("BOREAL-PARTY"), products=("BOREAL-PRODUCT",), agreement=B
        )
    for day in range(3):
        rows = [row(f"A-{day}-{at}", "ALPINE") for at in range(5)]
        cmo.take(write_table(folder / f"a{day}.csv", rows))
        if second is not None:
            rows = [row(f"BB-{day}", "BOREAL-PRODUCT", assay="77.123", lot="LOT-CANARY")]
            cmo.take(write_table(folder / f"b{day}.csv", rows))
            cmo.share(B)
            second.settle()
        cmo.share(A)
        first.settle()
        world.clock.move(days=1)
    assert are_equal(first)
    world.close()
    return first.network.replies


def test_every_byte_that_a_sponsor_sees_is_the_same_with_and_without_another(
    tmp_path: Path,
) -> None:
    made = make(tmp_path / "base", sponsors_listen=False, with_second=False)
    made.world.close()
    without, beside = (
        seen_by_alpine(tmp_path / name, tmp_path / "base", with_second=second)
        for name, second in (("alone", False), ("beside", True))
    )
    assert without == beside
    assert sum(map(len, without)) > 10_000


def test_control_chance_alone_makes_the_bytes_differ(tmp_path: Path) -> None:
    made = make(tmp_path / "base", sponsors_listen=False, with_second=False)
    made.cmo.take(write_table(tmp_path / "t.csv", [row("A-9", "ALPINE")]))
    made.cmo.share(A)
    made.first.settle()
    assert any(b"5a5a5a5a" not in reply for reply in made.first.network.replies)
    made.world.close()


def test_right_of_named_batches_opens_those_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        cmo, sponsor = world.node("cmo"), world.node("sponsor", listens=True)
        cmo.map("small")
        made = link(world, cmo, sponsor, types=("product", "batch"))
        body = cmo.home.standing("ag-1").body
        assert body is not None
        rights = (*body.rights, Right(record_type="result", batches=("B1",)))
        second = replace(body, version=2, rights=rights)
        world.agree(second, cmo, sponsor, made.dialer)
        made.deliver([row("B1"), row("B2")])
        assert {item.batch for item in read_results(sponsor.home)} == {"B1"}
        assert read_status(cmo.home).agreements[0].backlog == 0
    finally:
        world.close()
