"""A CMO and a sponsor for measures: two homes, each its own process, one agreement of thirty series."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from fedbatch.bench.figures import free_port, is_listening
from fedbatch.node.home import Home, create_home
from fedbatch.node.importing import confirm_mapping
from fedbatch.node.posting import share
from fedbatch.node.server import sync_once
from fedbatch.peers.dialer import call_pairing
from fedbatch.services import pairing
from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedParty,
    AgreedProduct,
    AgreedSite,
    AgreementBody,
    Effective,
    Right,
)
from fedbatch.standard.mappings import Constant, Mapping, MappingRule, SeriesTarget
from fedbatch.standard.values import Identifier

__all__ = ["AGREEMENT", "PARAMETERS", "Pair", "pair", "points_mapping", "terms"]

PARAMETERS = 30
AGREEMENT = "ag-bench"


@dataclass(slots=True, kw_only=True)
class Pair:
    """Two homes under one agreement; the sponsor's is served by a process of its own."""

    cmo: Home
    sponsor: Home

    def share(self) -> None:
        known = self.cmo.agreement_named(None)
        share(self.cmo, known, self.cmo.acting(None, ""), dry_run=False)

    def sync(self) -> None:
        """A round, as the dialer makes it; a refusal fails the bench."""
        for moved in anyio.run(sync_once, self.cmo).values():
            if isinstance(moved, Exception):
                raise moved


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    place = f"127.0.0.1:{free_port()}"
    cmo = create_home(folder / "cmo", name="CMO", person="A", listen="", address="")
    sponsor = create_home(
        folder / "sponsor", name="Sponsor", person="B", listen=place, address=f"http://{place}"
    )
    confirm_mapping(cmo, points_mapping(), cmo.acting(None, ""))
    command = [sys.executable, "-m", "fedbatch", "serve", "--home", str(sponsor.path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        while not is_listening(place):
            time.sleep(0.02)  # noqa: TID251 - waits for a real process
        made = Pair(cmo=cmo, sponsor=sponsor)
        _agree(made)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=10)
        cmo.close()
        sponsor.close()


def _agree(made: Pair) -> None:
    cmo, sponsor = made.cmo, made.sponsor
    invited = pairing.read_invitation(
        pairing.invite(sponsor.pairing, "u-1", "ab" * 16, ""), cmo.clock.seconds()
    )
    reply = anyio.run(
        call_pairing, invited.address, "", pairing.answer_invitation(cmo.pairing, invited)
    )
    partner = pairing.take_answer(cmo.pairing, invited, reply, "", "u-1")
    pairing.confirm(cmo.pairing, partner, "u-1")
    pairing.confirm(sponsor.pairing, sponsor.partner_named(cmo.settings.party), "u-1")
    cmo.exchange.propose(sponsor.settings.party, terms(cmo, sponsor), "u-1")
    made.sync()
    sponsor.exchange.accept(
        AGREEMENT, sponsor.officer(sponsor.acting(None, ""), "agreement officer")
    )
    for _ in range(3):
        made.sync()


def terms(cmo: Home, sponsor: Home) -> AgreementBody:
    system = f"urn:fedbatch:party:{cmo.settings.party}:product"
    return AgreementBody(
        id=AGREEMENT,
        version=1,
        parties=(
            AgreedParty(party=cmo.settings.party, role="CMO", name="CMO"),
            AgreedParty(party=sponsor.settings.party, role="sponsor", name="Sponsor"),
        ),
        product=(
            AgreedProduct(
                id="p-1", name="P", identifiers=(Identifier(system=system, value="P-1"),)
            ),
        ),
        sites=(AgreedSite(site="s", zone="UTC"),),
        purpose="pilot",
        effective=Effective(from_="2020-01-01T00:00:00Z"),
        parameters=tuple(
            AgreedParameter(
                code=f"C{index}", term="weight.vessel", qualifier=f"c{index}", role="PV", unit="kg"
            )
            for index in range(PARAMETERS)
        ),
        rights=tuple(Right(record_type=item) for item in ("product", "batch", "series")),
    )


def points_mapping() -> Mapping:
    columns = tuple(
        MappingRule(
            header=f"p{index}",
            term="weight.vessel",
            qualifier=f"c{index}",
            role="PV",
            unit="kg",
            series=SeriesTarget(model="raw", interval="PT1M"),
        )
        for index in range(PARAMETERS)
    )
    return Mapping(
        version=1,
        source="bulk",
        shape="wide",
        decimal_mark=".",
        zone="UTC",
        time_formats=("%Y-%m-%d %H:%M:%S",),
        constants=(Constant(field="product", text="P-1"),),
        rules=(
            MappingRule(header="batch", field="batch"),
            MappingRule(header="time", field="observed_at"),
            *columns,
        ),
    )
