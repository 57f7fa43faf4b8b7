"""Small worlds for scenarios: invented tables, a CMO and its sponsors, raw signed requests."""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec

from fedbatch.node.importing import load_mappings
from fedbatch.peers.signatures import Request, sign_request
from fedbatch.ports import AuditNote, KnownAgreement, LedgerRow, NewLedgerEntry, Person
from fedbatch.services.posting import head_signer
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.store.ledgers import Ledgers
from tests.scenarios.agreements import parameters_of, tablet_agreement
from tests.scenarios.world import Network, Node, World

HEADERS = ("Batch", "Product", "Start", "Substance lot", "Assay (%)", "Hardness (N)")
AGREED = "ag-1"
NONCES = itertools.count(1)


def row(batch: str, product: str = "T-1", *, assay: str = "100.1", lot: str = "L-1") -> list[str]:
    return [batch, product, "2026-02-01 06:15", lot, assay, "91.5"]


def write_table(
    path: Path, rows: Sequence[Sequence[str]], headers: Sequence[str] = HEADERS
) -> Path:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([headers, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


@dataclass
class Link:
    """A CMO and a sponsor under one agreement, with who dials whom."""

    world: World
    cmo: Node
    sponsor: Node
    dialer: Node
    listener: Node
    agreement: str = AGREED

    @property
    def network(self) -> Network:
        return self.dialer.networks[self.listener.party]

    @property
    def stores(self) -> tuple[Ledgers, Ledgers]:
        return (
            self.cmo.home.ledgers(self.agreement),
            self.sponsor.home.ledgers(self.agreement),
        )

    def sync(self, times: int = 1) -> None:
        for _ in range(times):
            self.world.sync(self.dialer, self.listener)

    def take(self, rows: Sequence[Sequence[str]], name: str = "small.csv") -> None:
        self.cmo.take(write_table(self.world.folder / "tables" / name, rows))

    def deliver(self, rows: Sequence[Sequence[str]]) -> None:
        """Import, share, and exchange until both are quiet."""
        self.take(rows)
        self.cmo.share(self.agreement)
        self.sync(2)

    def restart(self, node: Node) -> None:
        """Close a node and start it again; who dials it reaches the new one."""
        node.reopen()
        for other in self.world.nodes.values():
            if node.party in other.networks:
                other.networks[node.party] = self.world.network(node)

    def settle(self) -> None:
        """Exchange what is left: an answer to an answer."""
        self.sync(3)


def link(
    world: World,
    cmo: Node,
    sponsor: Node,
    *,
    products: Sequence[str] = ("T-1",),
    agreement: str = AGREED,
    dialer: Node | None = None,
    **more: Any,
) -> Link:
    """Pair two nodes and put an agreement in force."""
    dials = dialer or (sponsor if cmo.home.settings.address else cmo)
    listener = cmo if dials is sponsor else sponsor
    if listener.party not in dials.networks:
        world.pair(dials, listener)
    parameters = more.pop("parameters", None) or parameters_of(load_mappings(cmo.home))
    body: AgreementBody = tablet_agreement(cmo, sponsor, products, parameters, id=agreement, **more)
    world.agree(body, cmo, sponsor, dials)
    made = Link(world, cmo, sponsor, dials, listener, agreement)
    assert cmo.home.standing(agreement).state == "active"
    return made


@contextmanager
def linked(
    folder: Path, *, cmo_listens: bool = False, mappings: Sequence[str] = ("small",), **more: Any
) -> Iterator[Link]:
    """A CMO and a sponsor that share a small table's batches."""
    world = World(folder)
    try:
        cmo = world.node("cmo", listens=cmo_listens)
        sponsor = world.node("sponsor", listens=not cmo_listens)
        for name in mappings:
            cmo.map(name)
        yield link(world, cmo, sponsor, **more)
    finally:
        world.close()


def rows_of(store: Ledgers) -> tuple[LedgerRow, LedgerRow]:
    own, copy = store.ledgers()
    return own, copy


def are_equal(made: Link) -> bool:
    """Whether each copy equals its original."""
    here, there = made.stores
    (own, copy), (other_own, other_copy) = rows_of(here), rows_of(there)
    return all(
        (one.ledger, one.size, one.root) == (two.ledger, two.size, two.root)
        for one, two in ((own, other_copy), (other_own, copy))
    )


def records_in(store: Ledgers, ledger: str) -> list[Any]:
    """Every record of a ledger that can be read, withdrawals as None."""
    return [read_entry(content).record for _, content in store.scan(ledger) if content]


def second_person(node: Node) -> Person:
    """A person besides the first officer."""
    other = Person(person="u-2", name="Second Person", roles=("reviewer", "quality", "writer"))
    from_note = node.home.node.audit()[0]
    node.home.node.add_person(other, from_note)
    return other


def known(made: Link, node: Node) -> KnownAgreement:
    return node.known(made.agreement)


# ---- raw requests


@dataclass
class Raw:
    """Signs requests as a node would, or wrongly on purpose."""

    node: Node
    listener: Node
    network: Network | None = field(default=None)

    def headers(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes | None = None,
        kind: str = "application/json",
        created: int | None = None,
        nonce: str | None = None,
        key: str | None = None,
        key_id: str | None = None,
    ) -> dict[str, str]:
        request = Request(
            method=method,
            authority="127.0.0.1:8470",
            path=path,
            query=query,
            body=body,
            content_type=kind if body is not None else "",
        )
        name = key or f"link/{self.listener.party}"
        return sign_request(
            request,
            key_id=key_id or self.node.party,
            created=self.node.clock.seconds() if created is None else created,
            nonce=nonce or f"{next(NONCES):032x}",
            sign=lambda message: self.node.home.keys.sign(name, message),
        )

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: str = "",
        body: bytes | None = None,
    ) -> httpx.Response:
        world_network = self.network or self.node.networks[self.listener.party]

        async def go() -> httpx.Response:
            async with httpx.AsyncClient(
                base_url="http://127.0.0.1:8470", transport=world_network.inner
            ) as client:
                url = f"{path}?{query}" if query else path
                return await client.request(method, url, content=body, headers=dict(headers))

        return anyio.run(go)

    def call(
        self, method: str, path: str, *, query: str = "", body: bytes | None = None, **more: Any
    ) -> httpx.Response:
        headers = self.headers(method, path, query=query, body=body, **more)
        return self.send(method, path, headers, query=query, body=body)


def face(reply: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """All that a caller sees of a reply."""
    return reply.status_code, sorted(reply.headers.raw), reply.content


# ---- a partner that writes what it likes


def forge(node: Node, agreement: str, contents: Sequence[bytes]) -> None:
    """Append any bytes to a node's own ledger, properly signed."""
    store = node.home.ledgers(agreement)
    own = store.ledgers()[0]
    entries = [
        NewLedgerEntry(
            content=content,
            type="forged",
            key=(f"{own.size + at}",),
            version=1,
            digest=b"",
            entry_id=f"forged-{own.size + at}",
        )
        for at, content in enumerate(contents)
    ]
    sign = head_signer(node.home.keys, f"agreement/{agreement}/ledger", own.origin)
    note = AuditNote(act="forge", by="u-1", time=node.clock.now())
    store.append(own.ledger, entries, note, sign)


def envelope(node: Node, partner: Node, type_: str, data: Any, **changes: Any) -> bytes:
    """An entry's bytes with any data; `changes` replace fields of the envelope."""
    version = RECORD_TYPES[type_].version if type_ in RECORD_TYPES else "1.0"
    fields = {
        "agreement": f"{AGREED}@1",
        "data": data,
        "datacontenttype": "application/json",
        "dataschema": f"urn:fedbatch:schema:{type_}:{version}",
        "id": f"id-{node.home.ids.salt()}",
        "receiver": partner.party,
        "salt": "00" * 16,
        "sender": node.party,
        "source": "urn:fedbatch:source:s-1",
        "specversion": "1.0",
        "time": "2026-03-02T08:00:00Z",
        "type": f"fedbatch.{type_}",
    }
    return msgspec.json.encode({**fields, **changes}, order="sorted")


def result_data(code: str = "ASSAY", **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "code": code,
        "role": "result",
        "form": "reportable",
        "attempt": 1,
        "replicate": 1,
        "batch": "b-1",
        "value": {"kind": "number", "number": "1.0", "raw": "1.0", "unit": "%{LC}"},
        **changes,
    }
