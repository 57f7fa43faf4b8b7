"""T2, T3 and T14: sent again, cut anywhere, failed anywhere: every effect happens once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from fedbatch.errors import FedbatchError
from fedbatch.node.findings import read_findings
from fedbatch.node.reading import read_results
from fedbatch.node.verifying import verify_home
from fedbatch.services.replication import frames
from fedbatch.standard import records
from tests.scenarios.making import (
    AGREED,
    Link,
    Raw,
    are_equal,
    envelope,
    forge,
    linked,
    records_in,
    result_data,
    row,
)

ROUNDS = 60
LOST = httpx.ReadError("cut")


@pytest.fixture(params=[False, True], ids=["the writer dials", "the writer listens"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=request.param) as one:
        yield one


def refuse_one(made: Link, number: int) -> None:
    """An entry that the sponsor refuses, so that it has something to answer."""
    content = envelope(made.cmo, made.sponsor, "result", result_data(f"NO-{number}"))
    forge(made.cmo, AGREED, [content])


def effects(made: Link) -> tuple[int, int, Counter[str], int]:
    """What arrived: copy and own size at the sponsor, its records by type, results in its views."""
    store = made.stores[1]
    own, copy = store.ledgers()
    types = Counter(type(item).__name__ for item in records_in(store, own.ledger))
    return own.size, copy.size, types, len(read_results(made.sponsor.home))


# ---- T2


def test_same_frames_three_weeks_later_change_nothing_and_get_the_kept_receipt(
    made: Link,
) -> None:
    made.deliver([row(f"B{at}") for at in range(60)])
    refuse_one(made, 1)
    made.settle()
    cmo, sponsor = made.stores
    ledger = cmo.ledgers()[0].ledger
    content = frames(cmo, ledger, 0)
    before = effects(made)
    kept = [item.cosignature for item in sponsor.checkpoints(ledger)]
    made.world.clock.move(days=21)
    exchange = made.sponsor.home.exchange
    again = exchange.take(made.cmo.party, AGREED, ledger, content)
    assert again.new == 0
    assert again.receipts
    assert {line for _, line in again.receipts} <= set(kept)
    made.settle()
    assert effects(made) == before
    assert [item.cosignature for item in sponsor.checkpoints(ledger)] == kept


def test_frames_posted_again_over_the_wire_get_the_same_bytes_back(tmp_path: Path) -> None:
    with linked(tmp_path) as made:
        made.take([row("B1"), row("B2")])
        made.cmo.share(AGREED)
        refuse_one(made, 2)
        cmo = made.stores[0]
        ledger = cmo.ledgers()[0].ledger
        content = frames(cmo, ledger, made.stores[1].ledgers()[1].size)
        path = f"/x/1/{AGREED}/{ledger}/entries"
        caller = Raw(made.cmo, made.sponsor)
        first = caller.call("POST", path, body=content, kind="application/vnd.fedbatch.frames")
        before = effects(made)
        made.world.clock.move(days=21)
        again = caller.call("POST", path, body=content, kind="application/vnd.fedbatch.frames")
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.content == first.content
        assert first.content
        assert effects(made) == before


def test_receipts_given_again_are_kept_as_they_were(made: Link) -> None:
    made.deliver([row("B1")])
    cmo, sponsor = made.stores
    ledger = cmo.ledgers()[0].ledger
    kept = [(item.size, item.cosignature) for item in cmo.checkpoints(ledger)]
    content = b"".join(b"%d %s" % item for item in kept if item[1])
    made.world.clock.move(days=21)
    made.cmo.home.exchange.keep_receipts(made.sponsor.party, AGREED, content)
    assert [(item.size, item.cosignature) for item in cmo.checkpoints(ledger)] == kept
    assert sponsor.ledgers()[1].root == cmo.ledgers()[0].root


# ---- T3


def calls_of_a_round(made: Link) -> int:
    made.network.calls = 0
    made.sync()
    return made.network.calls


def new_work(made: Link, number: int) -> None:
    made.take([row(f"N{number}")], f"n{number}.csv")
    made.cmo.share(AGREED)
    refuse_one(made, number)


def lose(made: Link, faults: dict[int, Any]) -> None:
    """One round in which the calls of these numbers are lost, before or after the node acted."""
    made.network.calls = 0
    made.network.meddle = lambda number, _: faults.get(number)
    made.world.try_sync(made.dialer, made.listener)
    made.network.meddle = lambda number, _: None


def assert_once(made: Link, worked: int) -> None:
    """Each piece of work has come once, and was answered once."""
    assert are_equal(made)
    _, _, types, results = effects(made)
    assert results == 2 * worked
    assert types["FindingRecord"] == worked
    # One receipt record a frame, however many of its entries were refused.
    assert 1 <= types["Receipt"] <= worked
    rows = [item for item in read_findings(made.cmo.home, AGREED) if item.origin == "record"]
    assert len(rows) == worked


def test_cut_before_or_after_any_call_leaves_every_effect_once(made: Link) -> None:
    new_work(made, 0)
    last = calls_of_a_round(made) + 1
    made.settle()
    worked = 1
    for number in range(1, last + 1):
        for fault in (LOST, ("reply", LOST)):
            new_work(made, worked)
            lose(made, {number: fault})
            worked += 1
            made.settle()
            assert_once(made, worked)
    assert worked >= 2 * last


def test_cuts_at_random_leave_every_effect_once(made: Link) -> None:
    """A sixth of all calls is lost, before or after the node acted, round after round."""
    chance = np.random.default_rng(20261124)
    for number in range(ROUNDS):
        new_work(made, number)
        odds = chance.random((20, 2))
        faults = {
            at: LOST if before < 0.5 else ("reply", LOST)
            for at, (before, lost) in enumerate(odds, 1)
            if lost < 0.16
        }
        lose(made, faults)
    made.settle()
    assert_once(made, ROUNDS)
    assert verify_home(made.cmo.home).wrong == []
    assert verify_home(made.sponsor.home).wrong == []


def test_answer_changed_on_the_way_is_fetched_again(tmp_path: Path) -> None:
    """Without TLS a byte may flip: nothing of it is kept, and no ledger is stopped for it."""
    with linked(tmp_path, cmo_listens=True) as made:
        new_work(made, 0)
        last = calls_of_a_round(made) + 1
        for number in range(1, last + 1):
            new_work(made, number)
            flip = ("change", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
            lose(made, {number: flip})
            made.settle()
            assert are_equal(made), number
            assert not any(item.stopped for item in made.stores[1].ledgers())


def test_without_a_kept_cursor_a_repetition_would_count_twice(made: Link) -> None:
    """The control: two entries that say the same are two effects."""
    refuse_one(made, 1)
    refuse_one(made, 2)
    made.settle()
    assert effects(made)[2]["FindingRecord"] == 2


# ---- T14


class CallFailedError(FedbatchError):
    """A call inside a round that failed on purpose."""


def test_any_call_of_a_round_may_fail_and_the_next_round_goes_on(made: Link) -> None:
    """The Nth call of a store's method fails, for N = 1, 2, ... until none does; then a restart."""
    worked = 0
    number = 0
    while True:
        number += 1
        new_work(made, worked)
        worked += 1
        failed = fail_nth(made, number)
        for node in (made.cmo, made.sponsor):
            made.restart(node)
        made.settle()
        assert_once(made, worked)
        if not failed:
            break
    assert number > 5


def fail_nth(made: Link, number: int) -> bool:
    """Fail the Nth write of either node's stores in a round; whether there were so many."""
    count = 0

    def failing(write: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise CallFailedError("on purpose")
            return write(*given, **named)

        return call

    for node in (made.cmo, made.sponsor):
        stores: tuple[Any, ...] = (node.home.ledgers(AGREED), node.home.node)
        for store in stores:
            for name in (
                "take",
                "keep_cosignature",
                "append",
                "burn_nonce",
                "save_partner",
                "stop",
            ):
                if hasattr(store, name):
                    setattr(store, name, failing(getattr(store, name)))
    made.world.try_sync(made.dialer, made.listener)
    return count >= number


def test_no_setting_and_no_command_deletes_entries(made: Link) -> None:
    """Entries are only ever erased by a partner's wrong-party withdrawal, and are counted then."""
    made.deliver([row("B1")])
    store = made.stores[0]
    own = store.ledgers()[0]
    made.world.clock.move(days=3650)
    made.restart(made.cmo)
    made.settle()
    again = made.stores[0].ledgers()[0]
    assert (again.size, again.root) == (own.size, own.root)
    assert all(content for _, content in made.stores[0].scan(own.ledger))
    kinds = {type(item) for item in records_in(made.stores[0], own.ledger)}
    assert records.Result in kinds
