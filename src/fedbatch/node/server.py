"""`fedbatch serve`: the listener and every link of this node, in one process."""

import functools
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import structlog
import uvicorn
from starlette.applications import Starlette

from fedbatch.errors import FedbatchError, InputError
from fedbatch.node.home import Home
from fedbatch.peers.dialer import BACK_OFF_S_MAX, Dialer, Moved, TakenBack, keep_linked
from fedbatch.peers.listener import Listener, listener_app
from fedbatch.peers.stirring import Stirring
from fedbatch.ports import Partner, Person
from fedbatch.store.keys import is_signed

__all__ = ["Worker", "dialer_for", "make_app", "rebuild_from", "serve", "sync_once"]

log = structlog.get_logger()

# A partner's long poll would hold a stop for half a minute; cut it, it comes again.
STOP_S = 1
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


class Worker:
    """Runs synchronous calls one at a time in a thread: a home is not shared by threads."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(1)

    async def run(self, call: Callable[[], Any]) -> Any:
        """Run a call when it is its turn."""
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)


def make_app(home: Home, run: Run, stirring: Stirring | None = None) -> Starlette:
    """The application that partners dial; long polls end once `stirring` is over."""
    return listener_app(
        Listener(
            exchange=home.exchange,
            pairing=home.pairing,
            store=home.node,
            clock=home.wall,
            verify=is_signed,
            run=run,
            stirring=stirring or Stirring(mark=home.mark),
        )
    )


def dialer_for(home: Home, partner: Partner, run: Run, stirring: Stirring | None = None) -> Dialer:
    """The link to a partner whom this node dials."""
    return Dialer(
        exchange=home.exchange,
        partner=partner,
        signer=home.keys,
        clock=home.wall,
        run=run,
        stirring=stirring or Stirring(mark=home.mark),
    )


async def sync_once(home: Home) -> dict[str, Moved | FedbatchError]:
    """One round with every partner that this node dials; what each came to."""
    worker = Worker()
    outcome: dict[str, Moved | FedbatchError] = {}
    for partner in home.node.partners():
        if not partner.dials:
            continue
        dialer = dialer_for(home, partner, worker.run)
        try:
            outcome[partner.name] = await dialer.round()
        except FedbatchError as error:
            outcome[partner.name] = error
        finally:
            await dialer.close()
        await worker.run(functools.partial(_keep_link, home, partner, outcome[partner.name]))
    return outcome


async def rebuild_from(
    home: Home, partner: Partner, by: Person, report: Callable[[int, int], None]
) -> list[TakenBack]:
    """Fetch back from a partner that this node dials what was lost here, then make a round.

    A partner that dials this node gives it back by itself, once it hears the wish.

    Raises:
        IntegrityError: what came is not what this party signed, or an own ledger is forked.
    """
    worker = Worker()
    await worker.run(lambda: home.exchange.want_back(partner.party, by.person))
    if not partner.dials:
        return []
    dialer = dialer_for(home, partner, worker.run)
    try:
        taken = await dialer.rebuild(report)
        await dialer.round()
    finally:
        await dialer.close()
    return taken


def _keep_link(home: Home, partner: Partner, outcome: Moved | FedbatchError) -> None:
    """Store how a link stands, so that it survives a restart and every command can show it."""
    before = home.node.link(partner.party)
    now = home.clock.now()
    if isinstance(outcome, FedbatchError):
        failures = int(before.get("failures", 0)) + 1
        since = before.get("down_since") or now
        state = {**before, "failures": failures, "down_since": since, "problem": outcome.code}
    else:
        problem = "; ".join(outcome.refusals)
        state = {"contact": now, "failures": 0, "down_since": "", "problem": problem}
    home.node.keep_link(partner.party, state)


async def _link(home: Home, partner: Partner, worker: Worker, stirring: Stirring) -> None:
    dialer = dialer_for(home, partner, worker.run, stirring)

    async def report(outcome: Moved | FedbatchError) -> None:
        await worker.run(functools.partial(_keep_link, home, partner, outcome))
        if isinstance(outcome, FedbatchError):
            log.info("link.waiting", partner=partner.name, code=outcome.code)
        elif outcome.fetched or outcome.sent:
            log.info("link.moved", partner=partner.name, fetched=outcome.fetched, sent=outcome.sent)

    try:
        while True:
            try:
                await keep_linked(dialer, report)
            except Exception:  # outer loop of a link: a fault of ours ends neither it nor others
                log.exception("link.failed", partner=partner.name)
                await anyio.sleep(BACK_OFF_S_MAX)
    finally:
        await dialer.close()


async def _links(home: Home, worker: Worker, stirring: Stirring) -> None:
    """Start a link for each partner that this node dials, also those paired later."""
    running: set[str] = set()
    async with anyio.create_task_group() as group:
        while True:
            known = stirring.marks([""])
            partners: list[Partner] = await worker.run(home.node.partners)
            for partner in partners:
                if partner.dials and partner.confirmed_here and partner.party not in running:
                    running.add(partner.party)
                    group.start_soon(_link, home, partner, worker, stirring)
            await stirring.changed(known)
            await anyio.sleep(1.0)


def _listen_at(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or not parts.port:
        raise InputError(
            "HOST:PORT", where="listen in node.toml", found=text, code="settings.listen"
        )
    return parts.hostname, parts.port


def _check_free(home: Home) -> None:
    """Refuse a place that cannot be listened at before anything starts.

    Raises:
        InputError: in use, or not this machine's.
    """
    host, port = _listen_at(home.settings.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise InputError(
                "a place that is free",
                where="listen in node.toml",
                found=f"{home.settings.listen}: {error.strerror}",
                code="settings.listen",
            ) from error


def _config(home: Home, app: Starlette) -> uvicorn.Config:
    host, port = _listen_at(home.settings.listen)
    if home.settings.address.startswith("https://"):
        certificate, key = home.certificate()
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        return config
    if host not in {"127.0.0.1", "::1", "localhost"}:
        raise InputError(
            "https:// in `address`, or a loopback host in `listen`",
            where="node.toml",
            found=home.settings.listen,
            code="settings.tls",
        )
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
    )


async def serve(home: Home, ready: Callable[[], None]) -> None:
    """Listen, where the settings say so, and keep every link, until stopped."""
    if home.settings.listen:
        _check_free(home)
    worker = Worker()
    stopping: list[uvicorn.Server] = []
    stirring = Stirring(mark=home.mark, is_over=lambda: any(item.should_exit for item in stopping))
    async with anyio.create_task_group() as group:
        group.start_soon(stirring.run)
        group.start_soon(_links, home, worker, stirring)
        if not home.settings.listen:
            ready()
            await anyio.sleep_forever()
        server = uvicorn.Server(_config(home, make_app(home, worker.run, stirring)))
        stopping.append(server)

        async def announce() -> None:
            while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
                await anyio.sleep(0.02)
            ready()

        group.start_soon(announce)
        await server.serve()
        group.cancel_scope.cancel()
