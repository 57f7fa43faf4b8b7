"""Several real nodes in one process: real homes and databases, a switchable network, a fake clock."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
from typing_extensions import override

from fedbatch.errors import FedbatchError
from fedbatch.node.home import Home, create_home
from fedbatch.node.importing import confirm_mapping, import_file
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.posting import Shared, share
from fedbatch.node.server import Worker, dialer_for, make_app
from fedbatch.peers.dialer import Moved
from fedbatch.ports import KnownAgreement, Person
from fedbatch.services import pairing
from fedbatch.services.intake import IntakeReport
from fedbatch.standard.agreements import AgreementBody
from tests.fakes.clock import FakeClock

FILES = Path(__file__).parent / "files"


class Network(httpx.AsyncBaseTransport):
    """Carries requests to a listening node in this process; can be cut, and can lose replies."""

    def __init__(self, app: Any) -> None:
        self.inner = httpx.ASGITransport(app=app)
        self.is_up = True
        self.calls = 0
        self.seen: list[httpx.Request] = []
        self.replies: list[bytes] = []
        # Called with (request number, request); returning an exception loses the call before,
        # ("reply", exception) after the node has answered, ("change", function) changes the bytes
        # of the answer.
        self.meddle: Callable[[int, httpx.Request], Any] = lambda number, request: None

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        self.seen.append(request)
        if not self.is_up:
            raise httpx.ConnectError("cut")
        fault = self.meddle(self.calls, request)
        if isinstance(fault, Exception):
            raise fault
        reply = await self.inner.handle_async_request(request)
        content = await reply.aread()
        self.replies.append(b"%d %r " % (reply.status_code, reply.headers.raw) + content)
        if isinstance(fault, tuple):
            if fault[0] == "reply":
                raise fault[1]
            return httpx.Response(
                reply.status_code, headers=reply.headers, content=fault[1](content)
            )
        return httpx.Response(reply.status_code, headers=reply.headers, content=content)


@dataclass
class Node:
    """A node of the world."""

    home: Home
    clock: FakeClock
    networks: dict[str, Network] = field(default_factory=dict)

    @property
    def party(self) -> str:
        return self.home.settings.party

    @property
    def person(self) -> Person:
        return self.home.acting("u-1", "")

    def reopen(self) -> None:
        """Close the home and open it again, as a restart does."""
        path = self.home.path
        self.home.close()
        self.home = Home(path, clock=self.clock)

    # ---- work

    def map(self, name: str) -> None:
        confirm_mapping(self.home, read_mapping(FILES / f"{name}.yaml"), self.person)

    def take(self, path: Path) -> IntakeReport:
        (report,) = import_file(self.home, path, self.person)
        return report

    def known(self, agreement: str) -> KnownAgreement:
        return self.home.agreement_named(agreement)

    def share(self, agreement: str, *, dry_run: bool = False) -> Shared:
        return share(self.home, self.known(agreement), self.person, dry_run=dry_run)


class World:
    """Nodes that know each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.nodes: dict[str, Node] = {}

    def node(self, name: str, *, listens: bool = False) -> Node:
        address = "http://127.0.0.1:8470" if listens else ""
        home = create_home(
            self.folder / name,
            name=name,
            person=f"Officer of {name}",
            listen="127.0.0.1:8470" if listens else "",
            address=address,
            clock=self.clock,
        )
        made = self.nodes[name] = Node(home=home, clock=self.clock)
        return made

    def close(self) -> None:
        for node in self.nodes.values():
            node.home.close()

    def pair(self, dialer: Node, listener: Node) -> None:
        """Invite, accept and confirm, with the real messages but no telephone."""
        code = f"{len(self.nodes):032x}"
        content = pairing.invite(listener.home.pairing, "u-1", code, "")
        invited = pairing.read_invitation(content, self.clock.seconds())
        answer = pairing.answer_invitation(dialer.home.pairing, invited)
        reply = pairing.take_introduction(listener.home.pairing, answer)
        partner = pairing.take_answer(dialer.home.pairing, invited, reply, "", "u-1")
        pairing.confirm(dialer.home.pairing, partner, "u-1")
        back = listener.home.partner_named(dialer.party)
        pairing.confirm(listener.home.pairing, back, "u-1")
        dialer.networks[listener.party] = self.network(listener)

    def network(self, listener: Node) -> Network:
        async def run(call: Callable[[], Any]) -> Any:
            return call()

        return Network(make_app(listener.home, run))

    def sync(self, dialer: Node, listener: Node) -> Moved:
        """One round over the link."""
        network = dialer.networks[listener.party]

        async def go() -> Moved:
            partner = dialer.home.partner_named(listener.party)
            link = dialer_for(dialer.home, partner, Worker().run)
            link.transport = network
            try:
                return await link.round()
            finally:
                await link.close()

        return anyio.run(go)

    def try_sync(self, dialer: Node, listener: Node) -> Moved | FedbatchError:
        try:
            return self.sync(dialer, listener)
        except FedbatchError as error:
            return error

    def agree(self, body: AgreementBody, proposer: Node, accepter: Node, dialer: Node) -> None:
        """Propose, accept and put in force."""
        listener = accepter if dialer is proposer else proposer
        proposer.home.exchange.propose(accepter.party, body, "u-1")
        self.sync(dialer, listener)
        officer = accepter.home.officer(accepter.person, "agreement officer")
        accepter.home.exchange.accept(body.id, officer)
        for _ in range(3):
            self.sync(dialer, listener)


def requests_seen(network: Network) -> str:
    """Everything a network carried, as text, for canaries."""
    return json.dumps([[str(item.url), dict(item.headers)] for item in network.seen])
