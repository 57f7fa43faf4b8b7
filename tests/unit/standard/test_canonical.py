"""Canonical JSON: equal to RFC 8785 within the bounds of S2, and nothing beyond them."""

import json
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.standard import canonical
from fedbatch.standard.values import Identifier
from tests import strategies

CONTROLS = "".join(map(chr, range(0x20))) + '\x7f\u0080\u2028\u2029\ufeff\U0001f9ea\U0010ffff"\\/'


def refusal(content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        canonical.parse_plain(content)
    return caught.value.code


@settings(max_examples=200)
@given(strategies.plain())
def test_our_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@settings(max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_texts_of_all_planes_are_written_as_rfc_8785_says(text: str) -> None:
    assert canonical.encode(text) == rfc8785.dumps(text)
    assert canonical.parse_plain(canonical.encode(text)) == text


def test_every_control_character_is_escaped_as_rfc_8785_says() -> None:
    assert canonical.encode(CONTROLS) == rfc8785.dumps(CONTROLS)
    assert b"\\b\\t\\n\\u000b\\f\\r" in canonical.encode(CONTROLS)


def test_texts_are_not_normalised() -> None:
    composed, decomposed = "é", "e\u0301"
    assert canonical.encode(composed) != canonical.encode(decomposed)


@pytest.mark.parametrize("number", [0, -1, 2**53 - 1, -(2**53) + 1])
def test_integers_up_to_the_bound_are_written_plainly(number: int) -> None:
    assert canonical.encode(number) == rfc8785.dumps(number) == str(number).encode()
    assert canonical.parse_plain(str(number).encode()) == number


@settings(max_examples=100)
@given(strategies.plain())
def test_what_is_encoded_reads_back_equal(value: Any) -> None:
    assert canonical.parse_plain(canonical.encode(value)) == value


@settings(max_examples=100)
@given(strategies.plain(st.text('[]{}\\" ', max_size=6)))
def test_brackets_in_texts_are_no_depth(value: Any) -> None:
    canonical.parse_plain(canonical.encode([value, "[" * 100]))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"1.0", "json.number"),
        (b"1e3", "json.number"),
        (b"null", "json.number"),
        (b'{"a":null}', "json.number"),
        (b'[[{"a":[0.5]}]]', "json.number"),
        (b"9007199254740992", "json.number"),
        (b"-9007199254740992", "json.number"),
        (b"99999999999999999999999", "json.number"),
        ('{"größe":1}'.encode(), "json.key"),
        ('{"a":{"µ":"x"}}'.encode(), "json.key"),
        (b'{"a":1,"a":1}', "json.canonical"),
        (b'{"a":1,"\\u0061":2}', "json.canonical"),
        (b'{"b":1,"a":2}', "json.canonical"),
        (b'{"a": 1}', "json.canonical"),
        (b" 1", "json.canonical"),
        (b"1\n", "json.canonical"),
        (b"-0", "json.canonical"),
        (b'"\\u00e9"', "json.canonical"),
        (b'"\\/"', "json.canonical"),
        (b"1e400", "json"),
        (b"NaN", "json"),
        (b'"\\ud800"', "json"),
        (b'"\xed\xa0\x80"', "json"),
        (b'"\xff"', "json"),
        (b"01", "json"),
        (b'{"a":1', "json"),
        (b"", "json"),
        (b"[" * 65 + b"]" * 65, "json.depth"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "json.depth"),
        (b"[1," + b"[" * 100_000, "json.depth"),
    ],
    ids=lambda item: item[:24] if isinstance(item, bytes) else item,
)
def test_what_the_standard_forbids_is_refused(content: bytes, code: str) -> None:
    assert refusal(content) == code


def test_64_levels_are_read_and_65_are_not() -> None:
    canonical.parse_plain(b"[" * 64 + b"]" * 64)
    assert refusal(b"[" * 65 + b"]" * 65) == "json.depth"


@settings(max_examples=100)
@given(
    st.lists(st.booleans(), min_size=1, max_size=80),
    st.sampled_from(["1", '"]"', '"[[[["', '"\\\\"', '"\\""']),
)
def test_the_deepest_level_counts_whatever_stands_beside_it(kinds: list[bool], text: str) -> None:
    content = text
    for is_list in kinds:
        beside = "[],[{}]," * 9
        content = f"[{beside}{content}]" if is_list else f'{{"a":[{{}}],"b":{content}}}'
    if len(kinds) > canonical.DEPTH_MAX:
        assert refusal(content.encode()) == "json.depth"
    elif len(kinds) + 2 <= canonical.DEPTH_MAX:  # what stands beside may be two levels deeper
        canonical.parse_plain(content.encode())


@pytest.mark.parametrize("value", ["\ud800", {"a": "\udfff"}, ["x\ud800y"]], ids=ascii)
def test_a_lone_surrogate_is_no_text(value: object) -> None:
    with pytest.raises(InputError) as caught:
        canonical.encode(value)
    assert caught.value.code == "canonical.text"


@pytest.mark.parametrize("value", [0.5, None, 2**53, {"µ": 1}, {1: 2}, [{"a": (1.0,)}]], ids=ascii)
def test_plain_values_are_held_to_the_same_bounds(value: object) -> None:
    with pytest.raises(InputError):
        canonical.check_plain(value)


def test_a_refusal_says_where() -> None:
    with pytest.raises(InputError) as caught:
        canonical.parse_plain(b'{"a":[{"b":0.5}]}', "entry")
    assert caught.value.where == "entry/a/0/b"


def test_a_type_is_read_strictly_and_unknown_fields_are_ignored() -> None:
    content = b'{"later":{"x":1},"system":"DUNS","value":"1"}'
    assert canonical.parse(content, Identifier) == Identifier(system="DUNS", value="1")
    for wrong in (b'{"system":"DUNS"}', b'{"system":1,"value":"1"}', b"[]", b"\xff", b"{"):
        with pytest.raises(InputError):
            canonical.parse(wrong, Identifier)


def test_too_deep_an_unknown_field_is_refused_before_it_is_read() -> None:
    deep = b'{"system":"DUNS","value":"1","x":' + b"[" * 100_000
    with pytest.raises(InputError) as caught:
        canonical.parse(deep, Identifier)
    assert caught.value.code == "json.depth"


def test_the_oracle_can_fail() -> None:
    # Another encoder, the standard library's, differs where RFC 8785 has its own word.
    assert json.dumps("é").encode() != rfc8785.dumps("é")
    assert msgspec.json.encode({"b": 1, "a": 2}) != rfc8785.dumps({"b": 1, "a": 2})
