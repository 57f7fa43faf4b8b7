"""The dialling half: one link to one partner's node, working in both directions.

A round asks how things stand there, fetches what is new, sends what is new here, and exchanges
receipts; it can be cut anywhere and begun again. Back-off doubles from 1 s to 30 s with jitter, never
gives up, and is reset by any contact.
"""

import functools
import hashlib
import secrets
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from fedbatch.errors import (
    BusyError,
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    MissingObjectsError,
    PeerError,
    RefusedError,
    StoreError,
)
from fedbatch.ledger.frames import BUNDLE_ENTRIES_MAX
from fedbatch.peers.signatures import Request, sign_request
from fedbatch.peers.stirring import Stirring
from fedbatch.ports import Clock, Partner, Signer
from fedbatch.services.agreements import hex_bytes
from fedbatch.services.exchange import (
    PART_BYTES_MAX,
    RESTORED,
    AgreementLine,
    Exchange,
    Overview,
)
from fedbatch.services.key_turns import link_key
from fedbatch.services.pairing import Answer
from fedbatch.services.rebuilding import Returned
from fedbatch.services.replication import FRAMES_BYTES, Replica
from fedbatch.standard import canonical

__all__ = [
    "BACK_OFF_S_MAX",
    "Dialer",
    "Moved",
    "TakenBack",
    "call_pairing",
    "check_address",
    "fetch_certificate",
    "keep_linked",
    "pinned_context",
]

BACK_OFF_S_MAX = 30.0
UNREACHABLE = "peer.unreachable"
# One bundle may be 16 MiB unpacked and a group of frames 8 MiB; nothing larger is ever right.
ANSWER_BYTES_MAX = 32 * 1024 * 1024
_TIMEOUT_S = 60.0
# Long polls of half a minute that may pass before a round looks at everything again.
POLLS_MAX = 10
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FRAMES = "application/vnd.fedbatch.frames"


def check_address(address: str) -> str:
    """An address that may be dialled: HTTPS, or plain HTTP on loopback only.

    Raises:
        InputError: any other.
    """
    parts = urlsplit(address)
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (plain or parts.scheme == "https") or not parts.hostname or parts.path not in {"", "/"}:
        raise InputError(
            "https://HOST:PORT, or http:// on loopback", found=address, code="peer.address"
        )
    return address.rstrip("/")


def pinned_context(certificate: str) -> ssl.SSLContext:
    """TLS 1.3 that trusts one certificate (PEM) and nothing else; the name in it does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=certificate)
    return context


def _client(address: str, certificate: str) -> httpx.AsyncClient:
    verify: ssl.SSLContext | bool = pinned_context(certificate) if certificate else True
    return httpx.AsyncClient(
        base_url=address,
        verify=verify,
        timeout=_TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
    )


def _translated(error: httpx.HTTPError) -> PeerError:
    """A foreign failure as ours; none of its text is shown to a partner."""
    return PeerError(
        f"the partner's node did not answer: {type(error).__name__}",
        retryable=True,
        code=UNREACHABLE,
    )


async def call_pairing(address: str, certificate: str, answer: Answer) -> Answer:
    """Send an answer to an invitation; the inviter's answer.

    Raises:
        PeerError: unreachable, or refused.
    """
    async with _client(check_address(address), certificate) as client:
        try:
            reply = await client.post("/x/1/pairing", content=canonical.encode(answer))
        except httpx.HTTPError as error:
            raise _translated(error) from error
    if reply.status_code != httpx.codes.OK:
        raise PeerError(
            "the partner's node refused the invitation: unknown, used or expired",
            retryable=False,
            code="pairing.refused",
        )
    return canonical.parse(reply.content, Answer, "pairing")


def fetch_certificate(address: str, tls_sha256: str) -> str:
    """The certificate (PEM) of a listener, if its key is the pinned one; "" for plain HTTP.

    Raises:
        PeerError: unreachable, or another key than the invitation names.
    """
    parts = urlsplit(check_address(address))
    if parts.scheme == "http":
        return ""
    try:
        place = (parts.hostname or "", parts.port or 443)
        certificate = ssl.get_server_certificate(place, timeout=_TIMEOUT_S)
    except OSError as error:
        raise PeerError(
            f"{address} did not answer: {type(error).__name__}",
            retryable=True,
            code=UNREACHABLE,
        ) from error
    if _spki_sha256(certificate) != tls_sha256:
        raise PeerError(
            f"{address} shows another key than the invitation names",
            retryable=False,
            code="peer.certificate",
        )
    return certificate


def _spki_sha256(certificate: str) -> str:
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    content = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(content).hexdigest()


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the partner has confirmed the pairing."""

    confirmed: bool


@dataclass(slots=True, kw_only=True)
class Moved:
    """What a round moved: entries fetched and sent, and what was refused.

    `cursor` and `here` are the states of partner and node that the round set out from.
    """

    fetched: int = 0
    sent: int = 0
    receipts: int = 0
    refusals: list[str] = field(default_factory=list)
    cursor: str = ""
    here: Overview | None = None
    given_back: int = 0


@dataclass(slots=True, kw_only=True)
class TakenBack:
    """What came back of one agreement: entries of the own ledger, of the partner's, and objects."""

    agreement: str
    sent: int = 0
    received: int = 0
    objects: int = 0


@dataclass(slots=True, kw_only=True)
class Dialer:
    """The link to one partner. `run` calls a synchronous function on the node's one worker."""

    exchange: Exchange
    partner: Partner
    signer: Signer
    clock: Clock
    run: Callable[[Callable[[], Any]], Awaitable[Any]]
    stirring: Stirring
    transport: httpx.AsyncBaseTransport | None = None
    _client: httpx.AsyncClient | None = None

    @property
    def party(self) -> str:
        return self.partner.party

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            if self.transport is not None:
                self._client = httpx.AsyncClient(
                    base_url=self.partner.address, transport=self.transport, timeout=_TIMEOUT_S
                )
            else:
                address = check_address(self.partner.address)
                self._client = _client(address, self.partner.tls_certificate)
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # ---- requests

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes | None = None,
        kind: str = "",
        part: str = "",
        key: bytes | None = None,
    ) -> httpx.Response:
        client = self._open()
        name = f"link/{self.party}"
        authority = urlsplit(self.partner.address).netloc
        request = Request(
            method=method, authority=authority, path=path, query=query, body=body, content_type=kind
        )
        headers = sign_request(
            request,
            key_id=self.exchange.party,
            created=self.clock.seconds(),
            nonce=secrets.token_hex(16),
            sign=lambda message: (
                self.signer.sign(name, message)
                if key is None
                else self.signer.sign_with(key, message)
            ),
        )
        if part:
            # Outside the signature: whatever bytes come, the object's SHA-256 proves them.
            headers["range"] = part
        url = f"{path}?{query}" if query else path
        try:
            async with client.stream(method, url, content=body, headers=headers) as reply:
                await _read_bounded(reply)
        except httpx.HTTPError as error:
            raise _translated(error) from error
        return reply

    async def _get(self, path: str, query: str = "") -> bytes:
        return _checked(await self._call("GET", path, query=query)).content

    async def _send(self, method: str, path: str, body: bytes, kind: str) -> httpx.Response:
        return _checked(await self._call(method, path, body=body, kind=kind))

    # ---- one round

    async def overview(self, after: str = "", wait_s: int = 0) -> tuple[Overview, str]:
        """How things stand at the partner's node, and the cursor of that state."""
        query = f"after={after}&wait={wait_s}" if after else ""
        content = await self._get("/x/1/sizes", query)
        cursor = hashlib.sha256(content).hexdigest()[:32]
        return canonical.parse(content, Overview, "sizes"), cursor

    async def round(self) -> Moved:
        """Compare once and move everything that can be moved.

        Raises:
            PeerError: the partner's node is unreachable or refused.
        """
        moved = Moved()
        await self._tell_keys()
        if not await self._confirmed():
            return moved
        overview, moved.cursor = await self.overview()
        if overview.keys != await self.run(lambda: self.exchange.known_key_records(self.party)):
            await self._cross_keys()
        await self._hear(overview, moved)
        there = {line.agreement: line for line in overview.agreements}
        here: Overview = await self.run(lambda: self.exchange.overview(self.party))
        moved.here = here
        own = {line.agreement: line for line in here.agreements}
        for agreement in sorted(there.keys() | own.keys()):
            try:
                if overview.wants_back and _is_lost(there.get(agreement)):
                    await self._give_back(agreement, moved)
                await self._agreement(agreement, there.get(agreement), own.get(agreement), moved)
            except (StoreError, BusyError):
                raise
            except FedbatchError as error:
                # What is wrong with one agreement holds no other up; a cut link holds all up.
                if isinstance(error, PeerError) and error.code == UNREACHABLE:
                    raise
                moved.refusals.append(f"{agreement} {error.code}: {error}")
        return moved

    async def _tell_keys(self) -> None:
        """Changes of own keys cross before anything that is signed by the new ones."""
        partner: Partner = await self.run(lambda: self.exchange.partner(self.party))
        _, digest = await self.run(lambda: self.exchange.own_key_records(self.party))
        if digest and digest != partner.told:
            await self._cross_keys()

    async def _cross_keys(self) -> None:
        """Own key records go, the partner's come; the newest link key signs what brings it."""
        exchange, party = self.exchange, self.party
        partner: Partner = await self.run(lambda: exchange.partner(party))
        content, digest = await self.run(lambda: exchange.own_key_records(party))
        own = await self.run(lambda: self.signer.signing(f"link/{party}"))
        key = link_key(partner, own, is_newest=True)
        reply = await self._call(
            "POST", "/x/1/keys", body=content, kind="application/json", key=key
        )
        theirs = _checked(reply).content
        await self.run(lambda: exchange.note_told(party, digest, len(partner.own_links)))
        await self.run(lambda: exchange.take_key_records(party, theirs))

    async def _hear(self, overview: Overview, moved: Moved) -> None:
        """A restored ledger finds out here, before it appends anything."""
        try:
            await self.run(lambda: self.exchange.hear(self.party, overview))
        except (IntegrityError, InputError) as error:
            moved.refusals.append(f"{error.code}: {error}")

    async def _confirmed(self) -> bool:
        """Tell the partner that this side has confirmed, and learn whether it has."""
        partner: Partner = await self.run(lambda: self.exchange.partner(self.party))
        if not partner.confirmed_here:
            return False
        overview: Overview = await self.run(lambda: self.exchange.overview(self.party))
        said_here = canonical.encode(overview)
        reply = await self._send("POST", "/x/1/confirmation", said_here, "application/json")
        said = canonical.parse(reply.content, Confirmation, "confirmation")
        if said.confirmed:
            await self.run(lambda: self.exchange.note_confirmation(self.party))
        return said.confirmed

    async def _agreement(
        self,
        agreement: str,
        there: AgreementLine | None,
        here: AgreementLine | None,
        moved: Moved,
    ) -> None:
        if RESTORED in {line.stopped for line in (there, here) if line is not None}:
            return
        if (
            there is not None
            and there.copy
            and (here is None or not here.own)
            and not _is_told(here)
        ):
            message = f"{agreement}: the partner holds {there.copy} entries that are not here"
            raise IntegrityError(message, code="rebuild.behind")
        await self._negotiate(agreement, there, here)
        there = await self._line_there(agreement)
        here = await self._line_here(agreement)
        if there is None or here is None or not here.own:
            return
        try:
            if there.own:
                await self._fetch(agreement, there, moved)
        except (IntegrityError, InputError) as error:
            # It stops that ledger only: the own one goes on.
            moved.refusals.append(f"{agreement} {error.code}: {error}")
        await self._push(agreement, there, here, moved)

    # ---- what was lost comes back

    async def _give_back(self, agreement: str, moved: Moved) -> None:
        """Give a partner that lost it what this node holds of an agreement."""
        exchange, party, path = self.exchange, self.party, f"/x/1/{agreement}/returned"
        try:
            content = await self.run(lambda: exchange.returned(party, agreement))
        except ConflictError:
            return  # nothing was exchanged yet
        found = canonical.parse(content, Returned, "returned agreement")
        reply = await self._send("PUT", path, content, "application/json")
        held = canonical.parse(reply.content, dict[str, int], "sizes")
        for ledger, end in found.ends().items():
            size = held.get(ledger, 0)
            while size < end:
                give = functools.partial(exchange.give_back, party, agreement, ledger, size)
                part = await self.run(give)
                kind = "application/octet-stream"
                answer = await self._send("POST", f"/x/1/{agreement}/{ledger}/returned", part, kind)
                now = int(answer.content) if answer.content.isdigit() else size
                if now <= size:
                    raise PeerError("nothing was taken back", retryable=True, code="peer.back")
                moved.given_back += now - size
                size = now
        # Once more: both ends are reached, so the partner finishes.
        await self._send("PUT", path, content, "application/json")

    async def rebuild(self, report: Callable[[int, int], None]) -> list[TakenBack]:
        """Fetch back from the partner what this node lost.

        Raises:
            IntegrityError: what came is not what this party signed.
        """
        await self._tell_keys()
        if not await self._confirmed():
            return []
        overview, _ = await self.overview()
        lines = [line for line in overview.agreements if line.copy]
        total = sum(line.copy + line.receipted for line in lines)
        taken: list[TakenBack] = []
        for line in lines:
            here = await self._line_here(line.agreement)
            if here is None or _is_lost(here):
                taken.append(await self._take_back(line.agreement, taken, total, report))
        return taken

    async def _take_back(
        self,
        agreement: str,
        before: Sequence[TakenBack],
        total: int,
        report: Callable[[int, int], None],
    ) -> TakenBack:
        exchange, party, base = self.exchange, self.party, f"/x/1/{agreement}"
        content = await self._get(f"{base}/returned")
        found = await self.run(lambda: exchange.take_returned(party, agreement, content))
        held = await self.run(lambda: exchange.sizes_back(party, agreement))
        done = sum(item.sent + item.received for item in before)
        taken = TakenBack(agreement=agreement)
        askers = {found.asker.ledger, *(i.keys.ledger for i in found.formers if i.is_asker)}
        for ledger, end in found.ends().items():
            size = start = held.get(ledger, 0)
            while size < end:
                part = await self._get(f"{base}/{ledger}/returned", f"from={size}")
                take = functools.partial(exchange.take_back, party, agreement, ledger, part)
                now = await self.run(take)
                if now <= size:
                    raise PeerError("nothing came back", retryable=True, code="peer.back")
                size = now
                report(done + size, total)
            done += size
            if ledger in askers:
                taken.sent += size - start
            else:
                taken.received += size - start
        missing = await self.run(lambda: exchange.finish_rebuild(party, agreement))
        for sha256, size in missing.items():
            taken.objects += await self._fetch_object(agreement, found.giver.ledger, sha256, size)
        return taken

    async def _line_there(self, agreement: str) -> AgreementLine | None:
        overview, _ = await self.overview()
        return next((item for item in overview.agreements if item.agreement == agreement), None)

    async def _line_here(self, agreement: str) -> AgreementLine | None:
        overview: Overview = await self.run(lambda: self.exchange.overview(self.party))
        return next((item for item in overview.agreements if item.agreement == agreement), None)

    async def _negotiate(
        self, agreement: str, there: AgreementLine | None, here: AgreementLine | None
    ) -> None:
        """Proposals and acceptances cross before any entry."""
        exchange, base = self.exchange, f"/x/1/{agreement}"
        if here is not None and here.proposal:
            proposal = await self.run(lambda: exchange.proposal(self.party, agreement))
            await self._send("PUT", f"{base}/proposal", proposal, "application/json")
        if there is not None and there.proposal:
            content = await self._get(f"{base}/proposal")
            await self._unless_older(lambda: exchange.take_proposal(self.party, agreement, content))
        if here is not None and here.acceptance:
            acceptance = await self.run(lambda: exchange.acceptance(self.party, agreement))
            await self._send("PUT", f"{base}/acceptance", acceptance, "application/json")
        if there is not None and there.acceptance:
            answer = await self._get(f"{base}/acceptance")
            await self.run(lambda: exchange.take_acceptance(self.party, agreement, answer))
        if there is not None and here is not None:
            await self._succeed(agreement, there, here)

    async def _succeed(self, agreement: str, there: AgreementLine, here: AgreementLine) -> None:
        """Ledgers that are to carry others on are offered and confirmed before any entry of theirs."""
        exchange, path, kind = self.exchange, f"/x/1/{agreement}/succession", "application/json"
        if here.succession:
            offer = await self.run(lambda: exchange.succession(self.party, agreement))
            await self._send("PUT", path, offer, kind)
            if there.succession_answer:
                answer = await self._get(f"{path}/answer")
                take = functools.partial(exchange.take_succession_answer, self.party, agreement)
                await self._unless_old(lambda: take(answer))
        if there.succession:
            content = await self._get(path)
            await self.run(lambda: exchange.take_succession(self.party, agreement, content))
            if here.succession_answer:
                given = await self.run(lambda: exchange.succession_answer(self.party, agreement))
                await self._call("PUT", f"{path}/answer", body=given, kind=kind)

    async def _unless_old(self, call: Callable[[], None]) -> None:
        """An answer to an earlier offer is no answer to this one, and nothing is wrong."""
        try:
            await self.run(call)
        except RefusedError as error:
            if error.code != "succession.signature":
                raise

    async def _unless_older(self, call: Callable[[], None]) -> None:
        """A proposal that is in force already stays where it is and is no conflict."""
        try:
            await self.run(call)
        except ConflictError as error:
            if error.code != "agreement.version":
                raise

    # ---- the partner's ledger comes here

    async def _fetch(self, agreement: str, there: AgreementLine, moved: Moved) -> None:
        exchange = self.exchange
        replication = await self.run(lambda: exchange.replication(self.party, agreement))
        held = await self.run(lambda: replication.copy_size(there.own))
        try:
            if there.size <= held:
                await self._compare(agreement, there, held)
                await self._fetch_awaited(agreement, there.own)
            while held < there.size:
                replica = await self._fetch_once(agreement, there.own, held)
                if replica is None:
                    break
                moved.fetched += replica.new
                held = replica.size
                await self._give_receipts(agreement, replica.encode())
        except IntegrityError as error:
            await self._tell_stop(agreement, error)
            raise

    async def _fetch_once(self, agreement: str, ledger: str, held: int) -> Replica | None:
        """A group of entries; once more where they do not lead to the signed root (§1.3)."""
        path, query = f"/x/1/{agreement}/{ledger}", f"from={held}&max={FRAMES_BYTES}"
        content = await self._get(f"{path}/entries", query)
        if not content:
            return None
        take = functools.partial(self._take, agreement, ledger)
        try:
            replica: Replica = await take(content, stops=False)
        except IntegrityError as error:
            if error.code != "gap":
                raise
            root = hex_bytes((await self._get(f"{path}/root", f"size={held}")).decode("latin-1"))
            again = await self._get(f"{path}/entries", query)
            replica = await take(again, writer_root=root)
        return replica

    async def _take(
        self,
        agreement: str,
        ledger: str,
        content: bytes,
        *,
        stops: bool = True,
        writer_root: bytes | None = None,
    ) -> Replica:
        """Take in frames, fetching the objects that must come first (INTEROP §1.3)."""
        take = functools.partial(self.exchange.take, self.party, agreement, ledger, content)
        without: set[str] = set()
        while True:
            try:
                replica: Replica = await self.run(
                    lambda: take(stops=stops, writer_root=writer_root, without=without)
                )
            except MissingObjectsError as error:
                if not error.missing.keys().isdisjoint(without):
                    # A segment that the writer announces and cannot give: its entry waits.
                    raise
                for sha256, size in error.missing.items():
                    if not await self._fetch_object(agreement, ledger, sha256, size):
                        without.add(sha256)
            else:
                return replica

    # ---- objects

    async def _fetch_object(self, agreement: str, ledger: str, sha256: str, size: int) -> bool:
        """Fetch an object part by part, going on where an earlier try ended; False: not given."""
        exchange, path = self.exchange, _object_path(agreement, ledger, sha256)
        kept: int = await self.run(lambda: exchange.arrived(self.party, agreement, sha256))
        while kept < size:
            part = f"bytes={kept}-{min(kept + PART_BYTES_MAX, size) - 1}"
            reply = await self._call("GET", path, part=part)
            if reply.status_code != httpx.codes.PARTIAL_CONTENT or not reply.content:
                return False
            take = functools.partial(exchange.take_object, self.party, agreement, sha256, kept)
            content = reply.content
            try:
                kept = await self.run(functools.partial(take, content))
            except IntegrityError:
                return False
        return True

    async def _fetch_awaited(self, agreement: str, ledger: str) -> None:
        """Attachments that did not come with their entries."""
        exchange = self.exchange
        awaited = await self.run(lambda: exchange.awaited(self.party, agreement))
        for sha256, size in awaited.items():
            await self._fetch_object(agreement, ledger, sha256, size)

    async def _send_objects(self, agreement: str, ledger: str, names: Iterable[str]) -> None:
        """Send objects that the partner waits for, as far as they are held here."""
        for sha256 in names:
            start, path = 0, _object_path(agreement, ledger, sha256)
            give = functools.partial(self.exchange.give_object, self.party, agreement, sha256)
            while True:
                try:
                    content = await self.run(functools.partial(give, start, PART_BYTES_MAX))
                except RefusedError:
                    break
                if not content:
                    break
                kind = "application/octet-stream"
                query = f"from={start}"
                reply = await self._call("PUT", path, query=query, body=content, kind=kind)
                known = reply.status_code in {httpx.codes.OK, httpx.codes.CONFLICT}
                kept = int(reply.content) if known and reply.content.isdigit() else start
                if kept == start:
                    break
                start = kept

    async def _compare(self, agreement: str, there: AgreementLine, held: int) -> None:
        """An idle link compares: a shorter ledger is a rollback, another root a fork (§1.6)."""
        note = await self._get(f"/x/1/{agreement}/{there.own}/checkpoint")
        await self.run(lambda: self.exchange.compare(self.party, agreement, there.own, held, note))

    async def _give_receipts(self, agreement: str, receipts: bytes) -> None:
        await self._send("POST", f"/x/1/{agreement}/receipts", receipts, "text/plain")

    async def _tell_stop(self, agreement: str, error: IntegrityError) -> None:
        body = canonical.encode({"code": error.code, "detail": str(error)})
        await self._send("POST", f"/x/1/{agreement}/stopped", body, "application/json")

    # ---- the own ledger goes there

    async def _push(
        self, agreement: str, there: AgreementLine, here: AgreementLine, moved: Moved
    ) -> None:
        exchange = self.exchange
        own = await self.run(lambda: exchange.own_ledger(self.party, agreement))
        if own.stopped:
            return
        start = there.copy
        if start > own.size:
            error = IntegrityError(
                f"the partner holds {start} entries of a ledger of {own.size}", code="rollback"
            )
            await self.run(lambda: exchange.own_is_stopped_by(self.party, agreement, error))
            raise error
        await self._send_objects(agreement, own.ledger, there.wanted)
        if 0 < start == own.size and here.receipted < start:
            # The answer to the last frame was lost: the frame again brings the kept receipt.
            await self._push_once(agreement, own.ledger, _bundle_before(start))
        while start < own.size:
            size = await self._push_once(agreement, own.ledger, start)
            moved.sent += size - start
            moved.receipts += 1
            start = size

    async def _push_once(self, agreement: str, ledger: str, start: int) -> int:
        """Send a group of frames; the size that the partner's receipt then covers."""
        give = functools.partial(
            self.exchange.give, self.party, agreement, ledger, start, FRAMES_BYTES
        )
        reply = await self._post_frames(agreement, ledger, await self.run(give))
        keep = functools.partial(self.exchange.keep_receipts, self.party, agreement, reply.content)
        size: int = await self.run(keep)
        if size <= start:
            raise PeerError("the partner gave no receipt", retryable=True, code="peer.receipt")
        return size

    async def _post_frames(self, agreement: str, ledger: str, content: bytes) -> httpx.Response:
        path = f"/x/1/{agreement}/{ledger}/entries"
        reply = await self._call("POST", path, body=content, kind=_FRAMES)
        given: set[str] = set()
        while missing := _missing(reply).keys() - given:
            await self._send_objects(agreement, ledger, sorted(missing))
            given |= missing
            reply = await self._call("POST", path, query="without=1", body=content, kind=_FRAMES)
        if reply.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            error = IntegrityError("the partner refused this ledger", code=_code(reply))
            await self.run(lambda: self.exchange.own_is_stopped_by(self.party, agreement, error))
            raise error
        return _checked(reply)


async def _read_bounded(reply: httpx.Response) -> None:
    """Read a reply's body, at most ANSWER_BYTES_MAX of it."""
    parts: list[bytes] = []
    total = 0
    async for part in reply.aiter_bytes():
        total += len(part)
        if total > ANSWER_BYTES_MAX:
            raise PeerError("the partner's answer is too long", retryable=True, code="peer.answer")
        parts.append(part)
    reply._content = b"".join(parts)  # noqa: SLF001 - httpx keeps what `read` would have kept here


def _bundle_before(size: int) -> int:
    """Where the bundle begins that holds the last of so many entries."""
    return (size - 1) // BUNDLE_ENTRIES_MAX * BUNDLE_ENTRIES_MAX


def _is_lost(line: AgreementLine | None) -> bool:
    """Whether an agreement is being brought back at the node that tells this of it."""
    return line is None or line.stopped == RESTORED


def _is_told(here: AgreementLine | None) -> bool:
    """Whether a loss shows here already: it is a finding of its own (INTEROP §1.6)."""
    return here is not None and bool(here.stopped)


def _object_path(agreement: str, ledger: str, sha256: str) -> str:
    return f"/x/1/{agreement}/{ledger}/objects/{sha256[:2]}/{sha256[2:]}"


class _Coded(msgspec.Struct, frozen=True, kw_only=True):
    code: str = ""


class _Missing(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    missing: dict[str, int] = {}


def _missing(reply: httpx.Response) -> dict[str, int]:
    """The objects that a partner wants before it takes entries."""
    if reply.status_code != httpx.codes.CONFLICT:
        return {}
    try:
        return msgspec.json.decode(reply.content, type=_Missing).missing
    except msgspec.DecodeError:
        return {}


def _code(reply: httpx.Response) -> str:
    try:
        return msgspec.json.decode(reply.content, type=_Coded).code
    except msgspec.DecodeError:
        return ""


def _checked(reply: httpx.Response) -> httpx.Response:
    """A reply that is no refusal.

    Raises:
        PeerError: a typed refusal (INTEROP §1.5), with its code.
    """
    if reply.status_code == httpx.codes.OK:
        return reply
    code = _code(reply) or str(reply.status_code)
    retryable = reply.status_code in {401, 403, 409, 429, 500, 502, 503, 507}
    raise PeerError(f"the partner's node refused: {code}", retryable=retryable, code=code)


def back_off_s(failures: int, jitter: float) -> float:
    """How long to wait after so many failures: 1 s doubling to 30 s, ±50 %; `jitter` from 0 to 1."""
    return float(min(2 ** min(failures, 10), BACK_OFF_S_MAX)) * (0.5 + jitter)


async def keep_linked(
    dialer: Dialer, report: Callable[[Moved | FedbatchError], Awaitable[None]]
) -> None:
    """Keep a link for ever: a round, then long polls until something changes, then again."""
    failures = 0
    while True:
        try:
            moved = await dialer.round()
            failures = 0
            await report(moved)
            # What was refused is tried again after one poll, though nothing has changed.
            polls = 1 if moved.refusals else POLLS_MAX
            if not moved.cursor:
                await anyio.sleep(1.0)
            while moved.cursor and polls and not await _is_changed(dialer, moved):
                polls -= 1
        except FedbatchError as error:
            failures += 1
            await report(error)
            await anyio.sleep(back_off_s(failures - 1, secrets.randbelow(1000) / 1000))


async def _is_changed(dialer: Dialer, moved: Moved) -> bool:
    """Wait until a state is no longer that of the last round, at most 30 s; whether one is.

    Raises:
        PeerError: the long poll failed.
    """
    problems: list[FedbatchError] = []
    is_changed = False

    async with anyio.create_task_group() as group:

        async def there() -> None:
            nonlocal is_changed
            try:
                _, now = await dialer.overview(moved.cursor, 30)
                is_changed = now != moved.cursor
            except FedbatchError as error:
                # Raised below: a task group would wrap it so that nobody recognises it.
                problems.append(error)
            group.cancel_scope.cancel()

        async def here() -> None:
            nonlocal is_changed
            while not dialer.stirring.is_over():
                names = await dialer.run(lambda: dialer.exchange.watched(dialer.party))
                known = dialer.stirring.marks(names)
                if await dialer.run(lambda: dialer.exchange.overview(dialer.party)) != moved.here:
                    is_changed = True
                    group.cancel_scope.cancel()
                    return
                await dialer.stirring.changed(known)

        group.start_soon(there)
        group.start_soon(here)
    if problems:
        raise problems[0]
    return is_changed
