"""The listening half: routes that a partner's dialer calls (INTEROP §1.1).

Every request but pairing is signed. What is unknown, forbidden, unsigned or wrongly signed gets the
same 404 with the same body; only a valid key is told that its clock is off.
"""

import contextlib
import functools
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from fedbatch.errors import (
    BusyError,
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    MissingObjectsError,
    RefusedError,
    StoreError,
)
from fedbatch.peers.signatures import (
    CREATED_OFF_S_MAX,
    Request,
    SignedAs,
    claimed_key,
    read_signature,
)
from fedbatch.peers.stirring import Stirring
from fedbatch.ports import Clock, NodeStore
from fedbatch.services.agreements import Verify
from fedbatch.services.exchange import PART_BYTES_MAX, Exchange, NotHereError, Overview
from fedbatch.services.key_turns import link_keys
from fedbatch.services.pairing import Answer, Pairing, take_introduction
from fedbatch.services.replication import FRAMES_BYTES
from fedbatch.standard import canonical

__all__ = ["Listener", "listener_app"]

# A group of frames has 8 MiB and may end with one bundle more; nothing a partner sends is larger.
BODY_BYTES_MAX = 32 * 1024 * 1024
PAIRING_BYTES_MAX = 16 * 1024
STRANGER_BYTES_MAX = 16 * 1024
BODY_S_MAX = 60
NONCE_KEPT_S = 600
WAIT_S_MAX = 60
_FRAMES = "application/vnd.fedbatch.frames"
_JSON = "application/json"
NOT_FOUND = b'{"code":"not_here"}'

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose signature held: which partner called, with what."""

    listener: "Listener"
    request: HttpRequest
    party: str
    body: bytes

    @property
    def agreement(self) -> str:
        return str(self.request.path_params["agreement"])

    @property
    def ledger(self) -> str:
        return str(self.request.path_params["ledger"])


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What the routes stand on. `run` calls a synchronous function on the node's one worker."""

    exchange: Exchange
    pairing: Pairing
    store: NodeStore
    clock: Clock
    verify: Verify
    run: Callable[[Callable[[], Any]], Awaitable[Any]]
    stirring: Stirring


def _reply(content: bytes, media_type: str = _JSON, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(content, status_code=status, media_type=media_type, headers=headers)


def _not_found() -> Response:
    return _reply(NOT_FOUND, status=404)


def _problem(error: FedbatchError) -> Response:
    """A typed refusal (INTEROP §1.5): code and limit, never a text of ours."""
    body: dict[str, object] = {"code": error.code}
    match error:
        case NotHereError():
            return _not_found()
        case MissingObjectsError():
            body["missing"] = error.missing
            status = 409
        case BusyError():
            body["retry_after_s"] = int(error.retry_after_s)
            status = 429
        case StoreError():
            status = 507
        case IntegrityError():
            status = 403 if error.code in {"signature", "origin"} else 422
        case ConflictError():
            status = 409
        case RefusedError():
            status = 403
        case InputError():
            status = 413 if error.code == "too_large" else 400
        case _:
            status = 500
    return _reply(canonical.encode(body), status=status)


async def _body(request: HttpRequest, limit: int) -> bytes:
    """The body, cut off at a limit before it fills memory, and at a minute before it holds a place."""
    parts: list[bytes] = []
    total = 0
    with anyio.fail_after(BODY_S_MAX):
        async for part in request.stream():
            total += len(part)
            if total > limit:
                raise InputError(f"at most {limit} bytes", found="more", code="too_large")
            parts.append(part)
    return b"".join(parts)


async def _limit(listener: Listener, request: HttpRequest) -> int:
    """How large a body may be: a stranger's is not worth holding in memory."""
    key_id = claimed_key(request.headers)
    if key_id is None:
        return STRANGER_BYTES_MAX
    known = await listener.run(lambda: listener.store.find_partner(key_id))
    return BODY_BYTES_MAX if known is not None else STRANGER_BYTES_MAX


def _signed_request(request: HttpRequest, body: bytes) -> Request:
    return Request(
        method=request.method,
        authority=request.headers.get("host", ""),
        path=request.url.path,
        query=request.url.query,
        body=body if request.method in {"POST", "PUT"} else None,
        content_type=request.headers.get("content-type", ""),
    )


def _caller(listener: Listener, signed: SignedAs, offered: bytes | None = None) -> str:
    """The partner whose link key signed a request; while a key changes, both of them count.

    `offered` is a body of key records: a link key that it brings signs the request that brings it.

    Raises:
        NotHereError: nobody we know, a wrong signature, or a nonce that came before.
        RefusedError: a valid key whose clock is off (`clock`).
    """
    partner = listener.store.find_partner(signed.key_id)
    if partner is None:
        # The same work for a stranger as for a partner with a wrong key.
        listener.verify(bytes(32), signed.base, signed.signature)
        raise NotHereError("not here")
    now = listener.clock.seconds()
    keys = [*link_keys(partner, now)]
    if offered is not None:
        newest = listener.exchange.offered_link_key(partner.party, offered)
        keys += [newest] if newest is not None else []
    if not any(listener.verify(key, signed.base, signed.signature) for key in keys):
        raise NotHereError("not here")
    if abs(now - signed.created) > CREATED_OFF_S_MAX:
        raise RefusedError("the request's time is off by more than five minutes", code="clock")
    if not listener.store.burn_nonce(signed.nonce, now, NONCE_KEPT_S):
        raise NotHereError("not here")
    return partner.party


def _route(
    handler: Handler, *, brings_keys: bool = False
) -> Callable[[HttpRequest], Coroutine[Any, Any, Response]]:
    """A handler behind signature, limits and the mapping of errors to answers."""

    async def answer(request: HttpRequest) -> Response:
        listener: Listener = request.app.state.listener
        try:
            body = await _body(request, await _limit(listener, request))
            signed = read_signature(_signed_request(request, body), request.headers)
            offered = body if brings_keys else None
            party: str = await listener.run(lambda: _caller(listener, signed, offered))
        except (ClientDisconnect, TimeoutError):
            return _not_found()
        except InputError as error:
            return _problem(error)
        except RefusedError as error:
            if error.code == "clock":
                return _reply(b'{"code":"clock"}', status=401)
            return _not_found()
        try:
            return await handler(Call(listener=listener, request=request, party=party, body=body))
        except FedbatchError as error:
            return _problem(error)

    return answer


# ---- handlers


async def _pair(request: HttpRequest) -> Response:
    listener: Listener = request.app.state.listener
    try:
        content = await _body(request, PAIRING_BYTES_MAX)
        answer = canonical.parse(content, Answer, "pairing")
        reply: Answer = await listener.run(lambda: take_introduction(listener.pairing, answer))
    except (InputError, RefusedError, ConflictError, ValueError, ClientDisconnect, TimeoutError):
        return _not_found()
    return _reply(canonical.encode(reply))


async def _confirmation(call: Call) -> Response:
    run, exchange = call.listener.run, call.listener.exchange
    there = canonical.parse(call.body, Overview, "overview")
    await run(lambda: exchange.note_confirmation(call.party))
    with contextlib.suppress(IntegrityError):
        # Noted and stopped at this side; the dialer finds the same with its own eyes.
        await run(lambda: exchange.hear(call.party, there))
    overview = await run(lambda: exchange.overview(call.party))
    return _reply(canonical.encode({"confirmed": overview.confirmed}))


async def _keys(call: Call) -> Response:
    """Changes of keys cross both ways: the caller's come, this node's are the answer."""
    run, exchange = call.listener.run, call.listener.exchange
    await run(lambda: exchange.take_key_records(call.party, call.body))
    content, _ = await run(lambda: exchange.own_key_records(call.party))
    return _reply(content)


async def _sizes(call: Call) -> Response:
    """How things stand; with `after` and `wait`, once it is no longer as the caller knows it."""
    after = call.request.query_params.get("after", "")
    listener = call.listener
    with anyio.move_on_after(min(_number(call.request, "wait", 0), WAIT_S_MAX)):
        while after and not listener.stirring.is_over():
            names = await listener.run(lambda: listener.exchange.watched(call.party))
            known = listener.stirring.marks(names)
            content = await _overview(call)
            if _cursor(content) != after:
                return _reply(content)
            await listener.stirring.changed(known)
    return _reply(await _overview(call))


async def _overview(call: Call) -> bytes:
    exchange = call.listener.exchange
    overview = await call.listener.run(lambda: exchange.overview(call.party))
    return canonical.encode(overview)


def _cursor(content: bytes) -> str:
    """The cursor of a state: a hash of what was told."""
    return hashlib.sha256(content).hexdigest()[:32]


async def _proposal(call: Call) -> Response:
    run, exchange = call.listener.run, call.listener.exchange
    if call.request.method == "PUT":
        await run(lambda: exchange.take_proposal(call.party, call.agreement, call.body))
        return _reply(b"{}")
    return _reply(await run(lambda: exchange.proposal(call.party, call.agreement)))


async def _acceptance(call: Call) -> Response:
    run, exchange = call.listener.run, call.listener.exchange
    if call.request.method == "PUT":
        await run(lambda: exchange.take_acceptance(call.party, call.agreement, call.body))
        return _reply(b"{}")
    return _reply(await run(lambda: exchange.acceptance(call.party, call.agreement)))


async def _succession(call: Call) -> Response:
    run, exchange = call.listener.run, call.listener.exchange
    if call.request.method == "PUT":
        await run(lambda: exchange.take_succession(call.party, call.agreement, call.body))
        return _reply(b"{}")
    return _reply(await run(lambda: exchange.succession(call.party, call.agreement)))


async def _succession_answer(call: Call) -> Response:
    run, exchange = call.listener.run, call.listener.exchange
    if call.request.method == "PUT":
        await run(lambda: exchange.take_succession_answer(call.party, call.agreement, call.body))
        return _reply(b"{}")
    return _reply(await run(lambda: exchange.succession_answer(call.party, call.agreement)))


def _number(request: HttpRequest, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - below 2^63
        raise InputError("a number", where=name, found=text[:40], code="range")
    return int(text)


async def _entries(call: Call) -> Response:
    if call.request.method == "POST":
        return await _take(call)
    start = _number(call.request, "from", 0)
    size_max = min(_number(call.request, "max", FRAMES_BYTES), FRAMES_BYTES)
    exchange = call.listener.exchange
    content = await call.listener.run(
        lambda: exchange.give(call.party, call.agreement, call.ledger, start, size_max)
    )
    return _reply(content, _FRAMES)


async def _take(call: Call) -> Response:
    run, exchange = call.listener.run, call.listener.exchange
    without = frozenset[str]()
    if "without" in call.request.query_params:
        # The writer has given what it could: attachments that did not come may follow later.
        without = frozenset(await run(lambda: exchange.awaited(call.party, call.agreement)))
    take = functools.partial(
        exchange.take, call.party, call.agreement, call.ledger, call.body, without=without
    )
    try:
        replica = await run(take)
    except ConflictError as error:
        if error.code != "resume":
            raise
        replication = exchange.replication
        size = await run(lambda: replication(call.party, call.agreement).copy_size(call.ledger))
        return _reply(str(size).encode(), "text/x.tlog.size", 409)
    headers = {"fedbatch-size": str(replica.size)}
    return Response(replica.encode(), media_type="text/plain", headers=headers)


def _object_name(call: Call) -> str:
    params = call.request.path_params
    return str(params["ab"]) + str(params["rest"])


_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})", re.ASCII)


async def _object(call: Call) -> Response:
    """Some bytes of an object (GET with `Range`), or a part of an awaited one (PUT, `from`)."""
    run, exchange, name = call.listener.run, call.listener.exchange, _object_name(call)
    if call.request.method == "PUT":
        start = _number(call.request, "from", 0)
        take = functools.partial(exchange.take_object, call.party, call.agreement, name, start)
        try:
            kept = await run(lambda: take(call.body))
        except ConflictError:
            kept = await run(lambda: exchange.arrived(call.party, call.agreement, name))
            return _reply(str(kept).encode(), "text/x.tlog.size", 409)
        return _reply(str(kept).encode(), "text/plain")
    asked = _RANGE.fullmatch(call.request.headers.get("range", f"bytes=0-{PART_BYTES_MAX - 1}"))
    if asked is None or int(asked[2]) < int(asked[1]):
        raise InputError("Range: bytes=FIRST-LAST", found="another", code="range")
    start, count = int(asked[1]), int(asked[2]) - int(asked[1]) + 1
    give = functools.partial(exchange.give_object, call.party, call.agreement, name, start, count)
    return _reply(await run(give), "application/octet-stream", 206)


async def _receipts(call: Call) -> Response:
    exchange = call.listener.exchange
    await call.listener.run(lambda: exchange.keep_receipts(call.party, call.agreement, call.body))
    return _reply(b"{}")


async def _returned(call: Call) -> Response:
    """What this node holds of an agreement, for who lost it; or what comes back to this node (PUT)."""
    run, exchange = call.listener.run, call.listener.exchange
    if call.request.method == "PUT":
        found = await run(lambda: exchange.take_returned(call.party, call.agreement, call.body))
        sizes = await run(lambda: exchange.sizes_back(call.party, call.agreement))
        if all(sizes.get(ledger, 0) >= end for ledger, end in found.ends().items()):
            await run(lambda: exchange.finish_rebuild(call.party, call.agreement))
        return _reply(canonical.encode(sizes))
    return _reply(await run(lambda: exchange.returned(call.party, call.agreement)))


async def _ledger_back(call: Call) -> Response:
    """Entries of either ledger with their checkpoints: given, or taken back (POST)."""
    run, exchange = call.listener.run, call.listener.exchange
    if call.request.method == "POST":
        take = functools.partial(exchange.take_back, call.party, call.agreement, call.ledger)
        size = await run(lambda: take(call.body))
        return _reply(str(size).encode(), "text/x.tlog.size")
    start = _number(call.request, "from", 0)
    give = functools.partial(exchange.give_back, call.party, call.agreement, call.ledger)
    return _reply(await run(lambda: give(start)), "application/octet-stream")


async def _root(call: Call) -> Response:
    size, exchange = _number(call.request, "size", 0), call.listener.exchange
    root: bytes = await call.listener.run(
        lambda: exchange.root(call.party, call.agreement, call.ledger, size)
    )
    return _reply(root.hex().encode(), "text/plain")


async def _checkpoint(call: Call) -> Response:
    exchange = call.listener.exchange
    note: bytes = await call.listener.run(
        lambda: exchange.checkpoint(call.party, call.agreement, call.ledger)
    )
    return _reply(note, "text/plain")


async def _stopped(call: Call) -> Response:
    """The dialer found this node's ledger forked, rolled back or gapped: the same finding here."""
    said = canonical.parse(call.body, Stopped, "stop")
    error = IntegrityError(said.detail[:500], code=said.code)
    exchange = call.listener.exchange
    await call.listener.run(lambda: exchange.own_is_stopped_by(call.party, call.agreement, error))
    return _reply(b"{}")


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner tells of a ledger that it no longer takes."""

    code: str
    detail: str


def listener_app(listener: Listener) -> Starlette:
    """The application that a partner's node talks to."""
    below = "/x/1/{agreement}/{ledger}"
    app = Starlette(
        routes=[
            Route("/x/1/pairing", _pair, methods=["POST"]),
            Route("/x/1/confirmation", _route(_confirmation), methods=["POST"]),
            Route("/x/1/keys", _route(_keys, brings_keys=True), methods=["POST"]),
            Route("/x/1/sizes", _route(_sizes), methods=["GET"]),
            Route("/x/1/{agreement}/proposal", _route(_proposal), methods=["GET", "PUT"]),
            Route("/x/1/{agreement}/acceptance", _route(_acceptance), methods=["GET", "PUT"]),
            Route("/x/1/{agreement}/succession", _route(_succession), methods=["GET", "PUT"]),
            Route(
                "/x/1/{agreement}/succession/answer",
                _route(_succession_answer),
                methods=["GET", "PUT"],
            ),
            Route("/x/1/{agreement}/stopped", _route(_stopped), methods=["POST"]),
            Route("/x/1/{agreement}/returned", _route(_returned), methods=["GET", "PUT"]),
            Route(f"{below}/returned", _route(_ledger_back), methods=["GET", "POST"]),
            Route("/x/1/{agreement}/receipts", _route(_receipts), methods=["POST"]),
            Route(f"{below}/entries", _route(_entries), methods=["GET", "POST"]),
            Route(f"{below}/root", _route(_root), methods=["GET"]),
            Route(f"{below}/objects/{{ab}}/{{rest}}", _route(_object), methods=["GET", "PUT"]),
            Route(f"{below}/checkpoint", _route(_checkpoint), methods=["GET"]),
        ],
        exception_handlers={404: _nothing, 405: _nothing, 500: _failed},
    )
    # A redirect would tell a route from what is none.
    app.router.redirect_slashes = False
    app.state.listener = listener
    return app


async def _nothing(_request: HttpRequest, _error: Exception) -> Response:
    return _not_found()


async def _failed(_request: HttpRequest, _error: Exception) -> Response:
    """A fault of ours: code and reference, nothing of its text."""
    reference = secrets.token_hex(8)
    return _reply(canonical.encode({"code": "failed", "reference": reference}), status=500)
