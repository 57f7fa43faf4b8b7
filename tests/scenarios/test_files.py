"""Source files shared with the partner: only whole ones that concern its batches alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fedbatch.node.posting import share
from fedbatch.node.reading import read_provenance
from fedbatch.node.reviewing import withdraw_wrong_party
from fedbatch.node.verifying import verify_home
from fedbatch.standard.agreements import Right
from tests.scenarios.making import (
    AGREED,
    HEADERS,
    Link,
    Raw,
    are_equal,
    face,
    linked,
    row,
    write_table,
)

RIGHTS = (Right(record_type="attachment", codes=("source_file",)),)


@pytest.fixture(params=[False, True], ids=["dials", "listens"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=request.param, rights=RIGHTS) as one:
        yield one


def table(made: Link, *rows: list[str], name: str = "small.csv") -> Path:
    return write_table(made.world.folder / "tables" / name, rows)


def objects_at(made: Link) -> list[bytes]:
    """The objects that the sponsor's home holds under the agreement."""
    folder = made.sponsor.home.agreement_folder(AGREED) / "objects"
    return [path.read_bytes() for path in sorted(folder.glob("??/*"))]


def origins(made: Link, batch: str = "B1") -> str:
    return " ".join(
        text for line in read_provenance(made.sponsor.home, batch, "ASSAY") for text in line.origins
    )


def test_a_file_of_this_agreements_batches_alone_is_read_by_the_partner_to_its_cell(
    made: Link,
) -> None:
    path = table(made, row("B1"), row("B2"))
    made.cmo.take(path)
    made.cmo.share(AGREED)
    made.settle()
    assert objects_at(made) == [path.read_bytes()]
    assert "file small.csv" in origins(made)
    assert "cell R2C5" in origins(made)
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []


def test_without_the_right_no_file_crosses(tmp_path: Path) -> None:
    with linked(tmp_path) as made:
        made.deliver([row("B1")])
        assert objects_at(made) == []
        assert "commitment" in origins(made)
        assert "small.csv" not in origins(made)


@pytest.mark.parametrize(
    "content",
    [
        ",".join(HEADERS) + "\nB1,T-1,2026-02-01 06:15,L-1,100.1,91.5\n"
        "B9,T-9,2026-02-01 06:15,L-9,77.123,91.5\n",
        "Sheet of sponsor CANARY\n" + ",".join(HEADERS) + "\n"
        "B1,T-1,2026-02-01 06:15,L-1,100.1,91.5\n",
        ",".join(HEADERS) + "\nB1,T-1,2026-02-01 06:15,L-1,100.1,91.5\n\nnext week: CANARY\n",
    ],
    ids=["another sponsor's row", "a line above", "a line below"],
)
def test_a_file_that_says_more_than_its_batches_never_crosses(made: Link, content: str) -> None:
    path = made.world.folder / "small.csv"
    path.write_text(content)
    made.cmo.take(path)
    made.cmo.share(AGREED)
    made.settle()
    assert objects_at(made) == []
    assert "commitment" in origins(made)


def test_a_file_with_a_row_for_the_wrong_party_is_destroyed_with_it(made: Link) -> None:
    made.cmo.take(table(made, row("B1"), row("B2", assay="77.123")))
    made.cmo.share(AGREED)
    made.settle()
    assert len(objects_at(made)) == 1
    known = made.cmo.known(AGREED)
    withdraw_wrong_party(made.cmo.home, "B2", known, made.cmo.person, "it was another's batch")
    made.settle()
    assert objects_at(made) == []
    everything = b"".join(
        path.read_bytes() for path in made.sponsor.home.path.rglob("*") if path.is_file()
    )
    assert b"77.123" not in everything
    assert verify_home(made.sponsor.home).wrong == []
    # It is not posted anew either.
    share(made.cmo.home, known, made.cmo.person, dry_run=False)
    made.settle()
    assert objects_at(made) == []


def test_a_file_that_is_gone_at_the_writer_is_shown_missing_and_follows_later(made: Link) -> None:
    path = table(made, row("B1"))
    made.cmo.take(path)
    made.cmo.share(AGREED)
    (held,) = (made.cmo.home.agreement_folder(AGREED) / "objects").glob("??/*")
    aside = held.with_name("aside")
    held.rename(aside)
    made.settle()
    assert are_equal(made)
    assert objects_at(made) == []
    partner = made.cmo.party
    assert list(made.sponsor.home.exchange.awaited(partner, AGREED).values()) == [
        len(path.read_bytes())
    ]
    aside.rename(held)
    made.settle()
    assert objects_at(made) == [path.read_bytes()]
    assert made.sponsor.home.exchange.awaited(partner, AGREED) == {}


def test_a_part_that_was_changed_on_the_way_never_becomes_an_object(made: Link) -> None:
    path = table(made, row("B1"))
    made.cmo.take(path)
    made.cmo.share(AGREED)

    def meddle(_number: int, request: httpx.Request) -> Any:
        if "/objects/" not in request.url.path:
            return None
        if request.method == "GET":
            return ("change", lambda content: content.replace(b"100.1", b"999.9"))
        return httpx.ReadError("cut")

    made.network.meddle = meddle
    for _ in range(3):
        made.world.try_sync(made.dialer, made.listener)
    assert objects_at(made) == []
    made.network.meddle = lambda _number, _request: None
    made.settle()
    assert objects_at(made) == [path.read_bytes()]


def test_objects_are_given_and_taken_under_their_own_agreement_only(tmp_path: Path) -> None:
    with linked(tmp_path, cmo_listens=True, rights=RIGHTS) as made:
        made.deliver([row("B1")])
        made.settle()
        (held,) = (made.cmo.home.agreement_folder(AGREED) / "objects").glob("??/*")
        own = made.cmo.home.ledgers(AGREED).ledgers()[0].ledger
        stranger = made.world.node("stranger")
        made.world.pair(stranger, made.listener)
        place = f"/x/1/{AGREED}/{own}/objects/{held.parent.name}/{held.name}"
        theirs = Raw(stranger, made.listener, made.network)
        ours = Raw(made.dialer, made.listener)
        unknown = face(theirs.call("GET", f"/x/1/{AGREED}/{own}/objects/00/{'0' * 62}"))
        assert face(theirs.call("GET", place)) == unknown
        assert ours.call("GET", place).content == held.read_bytes()
        # Nobody waits for it: a partner cannot fill the disk with what no signed entry names.
        put = ours.call("PUT", place.replace(held.name, "0" * 62), query="from=0", body=b"x")
        assert put.status_code == httpx.codes.NOT_FOUND
        assert ours.call("GET", place.replace(held.name, "zz")).status_code in {400, 404}
