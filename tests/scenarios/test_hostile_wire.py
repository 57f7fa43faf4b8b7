"""F8 reduced: frames, checkpoints and requests that no honest node sends."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import zstandard

from fedbatch.errors import FedbatchError
from fedbatch.ledger.frames import (
    BUNDLE_BYTES_MAX,
    Frame,
    decode_bundle,
    decode_frames,
    encode_bundle,
    encode_frame,
)
from fedbatch.ledger.note import Checkpoint, render_note, sign_checkpoint
from fedbatch.services.replication import frames
from fedbatch.store.ledgers import Ledgers
from tests.fakes.clock import FakeClock
from tests.scenarios.making import AGREED, Link, Raw, are_equal, face, linked, row

FRAMES = "application/vnd.fedbatch.frames"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    """The CMO dials; it holds entries that have not crossed yet."""
    with linked(tmp_path) as one:
        one.deliver([row("B1")])
        one.take([row("B1"), row("B2"), row("B3")])
        one.cmo.share(AGREED)
        yield one


def raw(made: Link) -> Raw:
    return Raw(made.dialer, made.listener)


def post(made: Link, content: bytes) -> httpx.Response:
    ledger = made.stores[0].ledgers()[0].ledger
    path = f"/x/1/{AGREED}/{ledger}/entries"
    return raw(made).call("POST", path, body=content, kind=FRAMES)


def held(made: Link) -> int:
    return made.stores[1].ledgers()[1].size


def due(made: Link) -> Frame:
    """The frame that is due, as an honest writer sends it."""
    store = made.stores[0]
    (frame,) = decode_frames(frames(store, store.ledgers()[0].ledger, held(made)))
    return frame


def packed(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def unpacked(frame: Frame) -> bytes:
    return zstandard.ZstdDecompressor().decompress(frame.packed, max_output_size=BUNDLE_BYTES_MAX)


def entries_of(frame: Frame) -> list[bytes]:
    return [item for item in decode_bundle(unpacked(frame), frame.count) if isinstance(item, bytes)]


def with_entries(frame: Frame, entries: list[bytes]) -> bytes:
    bundle = packed(encode_bundle(entries))
    return encode_frame(Frame(frame.first, len(entries), bundle, frame.note))


def noted(made: Link, origin: str, key: str, size: int, root: bytes) -> bytes:
    keys = made.cmo.home.keys
    head = Checkpoint(origin, size, root)
    line = sign_checkpoint(head, keys.public(key), lambda message: keys.sign(key, message))
    return render_note(head.body(), [line])


def own(made: Link) -> tuple[Ledgers, str, int, bytes]:
    store = made.stores[0]
    ledger = store.ledgers()[0]
    return store, ledger.origin, ledger.size, ledger.root


def rubbish(made: Link) -> bytes:
    return b"\x00\x01rubbish"


def cut_frame(made: Link) -> bytes:
    return encode_frame(due(made))[:-3]


def huge_count(made: Link) -> bytes:
    frame = due(made)
    whole = bytearray(encode_frame(frame))
    whole[8:10] = b"\xff\xff"
    return bytes(whole)


def wrong_count(made: Link) -> bytes:
    frame = due(made)
    return encode_frame(Frame(frame.first, frame.count + 1, frame.packed, frame.note))


def no_zstd(made: Link) -> bytes:
    frame = due(made)
    return encode_frame(Frame(frame.first, frame.count, b"no zstd at all", frame.note))


def wrong_origin(made: Link) -> bytes:
    frame = due(made)
    _, _, size, root = own(made)
    note = noted(made, "elsewhere/ledger", f"agreement/{AGREED}/ledger", size, root)
    return encode_frame(Frame(frame.first, frame.count, frame.packed, note))


def wrong_key(made: Link) -> bytes:
    frame = due(made)
    _, origin, size, root = own(made)
    note = noted(made, origin, f"agreement/{AGREED}/cosign", size, root)
    return encode_frame(Frame(frame.first, frame.count, frame.packed, note))


def unsigned_note(made: Link) -> bytes:
    frame = due(made)
    note = frame.note.partition(b"\n\n")[0] + b"\n\n"
    return encode_frame(Frame(frame.first, frame.count, frame.packed, note))


def later_start(made: Link) -> bytes:
    frame = due(made)
    rest = packed(encode_bundle(entries_of(frame)[1:]))
    return encode_frame(Frame(frame.first + 1, frame.count - 1, rest, frame.note))


MALFORMED: dict[str, tuple[int, Callable[[Link], bytes]]] = {
    "rubbish": (400, rubbish),
    "a frame cut short": (400, cut_frame),
    "65,535 entries announced": (400, huge_count),
    "one entry too many announced": (400, wrong_count),
    "no zstd": (400, no_zstd),
    "another origin": (403, wrong_origin),
    "another key": (403, wrong_key),
    "no signature": (400, unsigned_note),
    "a later start": (409, later_start),
}


def dropped(made: Link) -> bytes:
    frame = due(made)
    return with_entries(frame, entries_of(frame)[:-1])


def reordered(made: Link) -> bytes:
    frame = due(made)
    return with_entries(frame, entries_of(frame)[::-1])


def altered(made: Link) -> bytes:
    frame = due(made)
    entries = entries_of(frame)
    return with_entries(frame, [entries[0].replace(b"fedbatch", b"fedbetch"), *entries[1:]])


def inserted(made: Link) -> bytes:
    frame = due(made)
    entries = entries_of(frame)
    return with_entries(frame, [*entries, entries[-1]])


DISHONEST = {"dropped": dropped, "reordered": reordered, "altered": altered, "inserted": inserted}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_frame_is_refused_and_the_honest_one_follows(made: Link, name: str) -> None:
    status, make = MALFORMED[name]
    before = held(made)
    reply = post(made, make(made))
    assert reply.status_code == status, reply.content
    assert held(made) == before
    if status == 409:
        assert reply.content == str(before).encode()
    made.settle()
    assert are_equal(made)


@pytest.mark.parametrize("name", DISHONEST)
def test_entries_that_do_not_lead_to_the_signed_root_stop_the_ledger(made: Link, name: str) -> None:
    before = held(made)
    reply = post(made, DISHONEST[name](made))
    assert (reply.status_code, reply.json()["code"]) == (422, "gap")
    assert held(made) == before
    # Even the honest frame waits for a person now.
    assert post(made, encode_frame(due(made))).status_code == 422
    assert held(made) == before


def test_honest_frame_is_taken(made: Link) -> None:
    """The control for all of them."""
    assert post(made, encode_frame(due(made))).status_code == 200
    made.settle()
    assert are_equal(made)


def test_old_checkpoint_under_new_entries_gives_the_kept_receipt_and_no_entry(
    made: Link,
) -> None:
    store, _, _, _ = own(made)
    kept = store.checkpoint_at(store.ledgers()[0].ledger, held(made))
    assert kept is not None
    frame = due(made)
    before = held(made)
    reply = post(made, encode_frame(Frame(frame.first, frame.count, frame.packed, kept.note)))
    assert reply.status_code in {200, 400}
    assert held(made) == before
    if reply.status_code == 200 and reply.content:
        assert reply.content.partition(b" ")[2] == kept.cosignature


def test_bundle_that_would_unfold_to_a_gibibyte_is_refused_before_it_does(made: Link) -> None:
    frame = due(made)
    size = 1 << 30
    packer = zstandard.ZstdCompressor().compressobj(size=size)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    bomb = b"".join([*parts, packer.flush()])
    assert len(bomb) < 1 << 17
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reply = post(made, encode_frame(Frame(frame.first, 256, bomb, frame.note)))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert reply.status_code == 400
    assert grown_kib < 100_000


def test_body_beyond_the_limit_is_cut_off(made: Link) -> None:
    reply = raw(made).send("POST", f"/x/1/{AGREED}/x/entries", {}, body=bytes(33 << 20))
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


def test_body_under_another_digest_is_nobody(made: Link) -> None:
    path = f"/x/1/{AGREED}/proposal"
    caller = raw(made)
    headers = caller.headers("PUT", path, body=b"{}")
    reply = caller.send("PUT", path, headers, body=b"[]")
    assert reply.status_code == 404
    headers["content-digest"] = caller.headers("PUT", path, body=b"[]")["content-digest"]
    assert caller.send("PUT", path, headers, body=b"[]").status_code == 404


@pytest.mark.parametrize("off_s", [360, -360, 86_400, -86_400])
def test_request_whose_clock_is_off_is_told_so(made: Link, off_s: int) -> None:
    caller = raw(made)
    reply = caller.call("GET", "/x/1/sizes", created=made.world.clock.seconds() + off_s)
    assert (reply.status_code, reply.json()) == (401, {"code": "clock"})
    near = caller.call("GET", "/x/1/sizes", created=made.world.clock.seconds() + 290)
    assert near.status_code == 200


def test_stranger_is_not_told_about_clocks(made: Link) -> None:
    reply = raw(made).call("GET", "/x/1/sizes", created=0, key="identity")
    assert reply.status_code == 404


def test_node_whose_clock_is_off_sees_why_nothing_moves_and_moves_once_it_is_right(
    made: Link,
) -> None:
    right = made.world.clock
    made.dialer.home.wall = FakeClock("2026-03-03T09:00:00Z")
    found = made.world.try_sync(made.dialer, made.listener)
    assert isinstance(found, FedbatchError)
    assert found.code == "clock"
    made.dialer.home.wall = right
    made.settle()
    assert are_equal(made)


def test_request_replayed_has_no_effect(made: Link) -> None:
    path = f"/x/1/{AGREED}/{made.stores[0].ledgers()[0].ledger}/entries"
    caller, content = raw(made), encode_frame(due(made))
    headers = caller.headers("POST", path, body=content, kind=FRAMES)
    first = caller.send("POST", path, headers, body=content)
    assert first.status_code == 200
    made.world.clock.move(seconds=60)
    again = caller.send("POST", path, headers, body=content)
    stranger = caller.send("POST", path, {}, body=content)
    assert face(again) == face(stranger)
    # Forgotten nonces are older than any clock that is let through.
    made.world.clock.move(seconds=660)
    assert caller.send("POST", path, headers, body=content).status_code == 401


JUNK = [b"", b"{}", b"[]", b"null", b"\xff", b'{"keys":{},"body":{}}', b"5 junk\n", b"x" * 300]
ROUTES = [
    ("POST", "confirmation"),
    ("PUT", f"{AGREED}/proposal"),
    ("PUT", f"{AGREED}/acceptance"),
    ("PUT", "a.b/proposal"),
    ("POST", f"{AGREED}/stopped"),
    ("POST", f"{AGREED}/receipts"),
    ("POST", f"{AGREED}/LEDGER/entries"),
    ("POST", "pairing"),
]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_junk_on_a_route_is_refused_without_a_fault_of_ours(
    made: Link, method: str, route: str
) -> None:
    path = f"/x/1/{route.replace('LEDGER', made.stores[0].ledgers()[0].ledger)}"
    for body in JUNK:
        reply = raw(made).call(method, path, body=body)
        assert reply.status_code < 500, (body, reply.content)
    made.settle()
    assert are_equal(made)


@pytest.mark.parametrize(
    "query", ["from=-1", "from=9999", "from=x", "from=1&max=0", "max=99999999"]
)
def test_odd_numbers_in_a_query_are_refused_or_answered(made: Link, query: str) -> None:
    ledger = made.stores[1].ledgers()[0].ledger
    for name in ("entries", "root"):
        path = f"/x/1/{AGREED}/{ledger}/{name}"
        assert raw(made).call("GET", path, query=query).status_code in {200, 400}
