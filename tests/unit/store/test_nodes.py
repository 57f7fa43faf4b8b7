from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import msgspec
import pytest

from fedbatch.errors import ConflictError
from fedbatch.ports import Invitation, KnownAgreement, Partner
from fedbatch.store.nodes import NodeDatabase
from tests.unit.store.making import NOTE, person

PARTNER = Partner(
    party="p-2",
    name="Sponsor",
    node="sponsor.example",
    identity_key="aa" * 32,
    link_key="bb" * 32,
    address="",
    dials=False,
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeDatabase]:
    node = NodeDatabase(tmp_path / "node.sqlite")
    yield node
    node.close()


def test_what_is_kept_is_read_again_and_audited(node: NodeDatabase) -> None:
    invitation = Invitation(code_sha256="cc", code="", expires=9, by="a")
    agreement = KnownAgreement(agreement="ag-1", partner="p-2", name="Product")
    node.add_person(person("a"), NOTE)
    node.save_partner(PARTNER, NOTE)
    node.save_invitation(invitation, NOTE)
    node.save_agreement(agreement, NOTE)
    node.note(replace(NOTE, act="start"))
    assert node.persons() == [person("a")]
    assert (node.find_partner("p-2"), node.find_partner("p-3")) == (PARTNER, None)
    assert (node.find_invitation("cc"), node.find_invitation("dd")) == (invitation, None)
    assert node.agreements() == [agreement]
    assert [note.act for note in node.audit()] == [NOTE.act] * 4 + ["start"]
    assert node.verify() == []


def test_pinned_identity_key_never_changes(node: NodeDatabase) -> None:
    node.save_partner(PARTNER, NOTE)
    node.save_partner(msgspec.structs.replace(PARTNER, address="sponsor.example:4433"), NOTE)
    with pytest.raises(ConflictError) as caught:
        node.save_partner(msgspec.structs.replace(PARTNER, identity_key="dd" * 32), NOTE)
    assert caught.value.code == "partner.pinned"
    assert [item.address for item in node.partners()] == ["sponsor.example:4433"]


def test_nonce_is_burnt_once_until_it_is_old(node: NodeDatabase) -> None:
    assert node.burn_nonce("n", 1000, 600)
    assert not node.burn_nonce("n", 1600, 600)
    assert node.burn_nonce("n", 1601, 600)
    assert node.verify() == []


def test_link_is_kept_per_party(node: NodeDatabase) -> None:
    assert node.link("p-2") == {}
    node.keep_link("p-2", {"failures": 1})
    node.keep_link("p-2", {"failures": 2, "refused": "no"})
    assert node.link("p-2") == {"failures": 2, "refused": "no"}
    assert node.verify() == []


@pytest.mark.parametrize(
    "table", ["person", "partner", "invitation", "agreement", "link", "nonce", "audit"]
)
def test_change_behind_the_node_is_located(tmp_path: Path, table: str) -> None:
    node = NodeDatabase(tmp_path / "node.sqlite")
    node.add_person(person("a"), NOTE)
    node.save_partner(PARTNER, NOTE)
    node.save_invitation(Invitation(code_sha256="cc", code="", expires=9, by="a"), NOTE)
    node.save_agreement(KnownAgreement(agreement="ag-1", partner="p-2", name="Product"), NOTE)
    node.keep_link("p-2", {"failures": 1})
    node.burn_nonce("n", 1000, 600)
    node.close()
    change = {"nonce": "created = 9", "audit": "act = ''"}.get(table, "content = x'7b7d'")
    outside = apsw.Connection(str(tmp_path / "node.sqlite"))
    outside.execute(f"update {table} set {change}")  # noqa: S608 - constants
    outside.close()
    node = NodeDatabase(tmp_path / "node.sqlite")
    assert any(text.startswith(table) for text in node.verify()), node.verify()
    node.close()
