import json

import pytest

from fedbatch.errors import IntegrityError
from fedbatch.ledger.frames import Erased
from fedbatch.ledger.personal import check_personal, signed_leaves
from fedbatch.ledger.tree import leaf_hash
from tests.unit.ledger.making import hash_all, make_entry, make_signature

ENTRIES = [make_entry(at) for at in range(4)]
LEAVES = hash_all(ENTRIES)
ABOUT = {"entry": "entry-1", "leaf": LEAVES[1].hex(), "version": 1}


def signature(data: object) -> bytes:
    return json.dumps({"data": data, "id": "s-1", "type": "fedbatch.signature"}).encode()


def check(entries: list[bytes | Erased]) -> int:
    return check_personal(entries, hash_all(entries))


def test_signature_names_what_it_is_about() -> None:
    signed = make_signature(4, [("entry-1", LEAVES[1]), ("entry-2", LEAVES[2])])
    assert signed_leaves(signed) == [("entry-1", LEAVES[1].hex()), ("entry-2", LEAVES[2].hex())]
    assert check([*ENTRIES, signed, signed]) == 2


@pytest.mark.parametrize("entry", [*ENTRIES[:1], b"", b"no json", b'"fedbatch.signature"', b"[]"])
def test_other_entries_are_no_signatures(entry: bytes) -> None:
    assert signed_leaves(entry) == []


def test_type_in_another_place_makes_no_signature() -> None:
    assert signed_leaves(make_entry(1, note="fedbatch.signature")) == []
    assert signed_leaves(b'{"type":"fedbatch.signature"') == []
    assert signed_leaves(b'{"a":' + b"[" * 60_000 + b'"fedbatch.signature"') == []


def test_type_hidden_behind_an_escape_is_found() -> None:
    hidden = signature({"about": [ABOUT]}).replace(b"fedbatch.s", b"fedbatch.\\u0073")
    assert signed_leaves(hidden) == [("entry-1", LEAVES[1].hex())]


def test_withdrawal_of_a_signature_is_about_nothing() -> None:
    assert signed_leaves(signature({"correction": {"kind": "withdraw"}, "version": 2})) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"about": []},
        {"about": {}},
        {"about": "entry-1"},
        {"about": None, "correction": {"kind": "withdraw"}},
        {"correction": {"kind": "correct"}},
        {"correction": "withdraw"},
        {"about": ["entry-1"]},
        {"about": [ABOUT, {}]},
        {"about": [ABOUT | {"entry": 1}]},
        {"about": [ABOUT | {"version": "1"}]},
        {"about": [ABOUT | {"leaf": None}]},
        {"about": [ABOUT | {"leaf": LEAVES[1].hex().upper()}]},
        {"about": [ABOUT | {"leaf": LEAVES[1].hex()[:-1]}]},
        {"about": [ABOUT | {"leaf": LEAVES[1].hex() + "\n"}]},
    ],
)
def test_signature_in_another_form_is_refused(data: object) -> None:
    with pytest.raises(IntegrityError) as refusal:
        signed_leaves(signature(data))
    assert refusal.value.code == "personal"


def test_signature_carried_over_to_another_content_is_found() -> None:
    transplanted = make_signature(4, [("entry-1", LEAVES[1]), ("entry-2", LEAVES[1])])
    with pytest.raises(IntegrityError) as refusal:
        check([*ENTRIES, transplanted])
    assert refusal.value.code == "personal"
    assert "entry 4 is about another content of 'entry-2'" in str(refusal.value)


def test_what_lies_elsewhere_or_is_erased_is_not_compared() -> None:
    elsewhere = make_signature(4, [("entry-77", leaf_hash(b"?")), ("entry-1", leaf_hash(b"?"))])
    erased: list[bytes | Erased] = [ENTRIES[0], Erased(LEAVES[1]), *ENTRIES[2:], elsewhere]
    assert check(erased) == 1


def test_id_that_stands_twice_means_its_first_entry() -> None:
    again = make_entry(1, salt="again")
    assert check([*ENTRIES, again, make_signature(5, [("entry-1", LEAVES[1])])]) == 1
    with pytest.raises(IntegrityError):
        check([*ENTRIES, again, make_signature(5, [("entry-1", leaf_hash(again))])])


def test_ids_that_are_no_text_are_passed_over() -> None:
    odd: list[bytes | Erased] = [b'{"id":["entry-1"]}', b'{"id":1}', b'{"id":null}', b"x"]
    assert check([*odd, make_signature(5, [("entry-1", LEAVES[1])])]) == 1
