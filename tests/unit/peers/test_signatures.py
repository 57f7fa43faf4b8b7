"""Signed requests, held against another implementation of RFC 9421 and against tampering."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import http_message_signatures as oracle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import RefusedError
from fedbatch.peers.signatures import Request, read_signature, sign_request
from fedbatch.store.keys import is_signed

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
REQUEST = Request(
    method="POST",
    authority="cmo.example:8471",
    path="/x/1/ag-1/ledger-1/entries",
    query="from=3",
    body=b"frames",
    content_type="application/vnd.fedbatch.frames",
)


def signed(request: Request, created: int | None = None) -> dict[str, str]:
    return sign_request(
        request,
        key_id="party-1",
        created=int(time.time()) if created is None else created,  # noqa: TID251 - the oracle reads the wall clock
        nonce="0f" * 16,
        sign=KEY.sign,
    )


def holds(request: Request, headers: dict[str, str]) -> bool:
    """Whether a receiver would take the request for the key's."""
    try:
        read = read_signature(request, headers)
    except RefusedError:
        return False
    return is_signed(PUBLIC, read.base, read.signature)


@pytest.mark.parametrize("request_", [REQUEST, replace(REQUEST, method="GET", body=None)])
def test_another_implementation_accepts_what_we_sign(request_: Request) -> None:
    headers = signed(request_) | {"host": request_.authority}
    message = SimpleNamespace(
        method=request_.method,
        url=f"https://{request_.authority}{request_.path}?{request_.query}",
        headers=headers,
        body=request_.body,
    )
    verifier = oracle.HTTPMessageVerifier(
        signature_algorithm=oracle.algorithms.ED25519,
        key_resolver=oracle.MappingKeyResolver(
            public_keys={"party-1": KEY.public_key()}, private_keys={}
        ),
    )
    (found,) = verifier.verify(message, expect_tag="fedbatch")
    assert '"@query"' in found.covered_components


def test_what_is_signed_holds_and_tells_who_and_when() -> None:
    headers = signed(REQUEST, created=1_700_000_000)
    read = read_signature(REQUEST, headers)
    assert (read.key_id, read.created, read.nonce) == ("party-1", 1_700_000_000, "0f" * 16)
    assert holds(REQUEST, headers)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"authority": "other.example:8471"},
        {"path": "/x/1/ag-2/ledger-1/entries"},
        {"query": "from=4"},
        {"body": b"framez"},
        {"content_type": "text/plain"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_request_no_longer_holds(change: dict[str, Any]) -> None:
    assert not holds(replace(REQUEST, **change), signed(REQUEST))


@pytest.mark.parametrize("name", ["signature", "signature-input", "content-digest"])
def test_a_missing_header_no_longer_holds(name: str) -> None:
    headers = signed(REQUEST)
    del headers[name]
    assert not holds(REQUEST, headers)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tag="fedbatch"', 'tag="other"'),
        (";created=", ';alg="hmac-sha256";created='),
        ('"@query" ', ""),
        ('keyid="party-1"', 'keyid="party-2"'),
        ("sig=", "sig2="),
    ],
)
def test_another_profile_is_refused(old: str, new: str) -> None:
    headers = signed(REQUEST)
    headers["signature-input"] = headers["signature-input"].replace(old, new, 1)
    assert not holds(REQUEST, headers)


@given(st.integers(0, 63), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_each_flipped_bit_of_a_signature_is_refused(position: int, bit: int) -> None:
    headers = signed(REQUEST, created=1)
    read = read_signature(REQUEST, headers)
    flipped = bytearray(read.signature)
    flipped[position] ^= 1 << bit
    assert is_signed(PUBLIC, read.base, read.signature)
    assert not is_signed(PUBLIC, read.base, bytes(flipped))
