import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.store.key_backup import open_sealed, seal

BOTH = ("a first long passphrase", "a second long passphrase")
CHEAP = 2**14
SEALED = seal(b"the keys", BOTH, cost=CHEAP)


def refusal(content: bytes, passphrases: tuple[str, ...] = BOTH) -> str:
    with pytest.raises(InputError) as caught:
        open_sealed(content, passphrases)
    assert caught.value.code == "keys.backup"
    return str(caught.value)


@settings(max_examples=5, deadline=None)
@given(st.binary(max_size=2000))
def test_what_was_sealed_comes_back_whichever_officer_speaks_first(content: bytes) -> None:
    sealed = seal(content, BOTH, cost=CHEAP)
    assert open_sealed(sealed, BOTH) == content
    assert open_sealed(sealed, BOTH[::-1]) == content


def test_the_same_passphrase_typed_on_another_keyboard_opens() -> None:
    composed, apart = "p\u00e4ssphrase of one", "pa\u0308ssphrase of one"
    assert open_sealed(seal(b"x", (composed, BOTH[1]), cost=CHEAP), (apart, BOTH[1])) == b"x"


@pytest.mark.parametrize(
    "passphrases",
    [(BOTH[0], BOTH[0]), (BOTH[0], "another passphrase"), (BOTH[0],), (BOTH[0] + " ", BOTH[1])],
    ids=["one twice", "one wrong", "one alone", "a blank more"],
)
def test_one_officer_alone_opens_nothing(passphrases: tuple[str, ...]) -> None:
    assert refusal(SEALED, passphrases) == refusal(SEALED, ("nobody's passphrase", "and another"))


@pytest.mark.parametrize("kept", [0, 1, 60, len(SEALED) // 2, len(SEALED) - 2, len(SEALED) - 1])
def test_backup_cut_off_is_refused(kept: int) -> None:
    refusal(SEALED[:kept])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1))
def test_backup_with_one_bit_changed_is_refused_in_the_same_words(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    assert refusal(bytes(changed)) == refusal(b"another file")


def test_a_file_that_asks_for_much_memory_is_refused() -> None:
    asking = {**json.loads(SEALED), "cost": 2**40}
    refusal(json.dumps(asking, sort_keys=True, separators=(",", ":")).encode() + b"\n")


@pytest.mark.parametrize(
    "passphrases",
    [(BOTH[0],), (BOTH[0], BOTH[0]), (BOTH[0], "short"), (*BOTH, "a third passphrase")],
)
def test_passphrases_that_need_no_two_officers_are_refused(passphrases: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        seal(b"", passphrases, cost=CHEAP)
    assert caught.value.code == "keys.passphrase"


def test_nothing_of_the_content_or_passphrases_shows() -> None:
    sealed = seal(b"marker-7731" * 20, BOTH, cost=CHEAP)
    assert b"7731" not in sealed
    assert b"passphrase" not in sealed
