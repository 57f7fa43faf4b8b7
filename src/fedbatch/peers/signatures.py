"""Signed requests: HTTP Message Signatures (RFC 9421) with Ed25519, bodies by Content-Digest (RFC 9530).

One profile and no negotiation: the pinned key decides the algorithm, the components are fixed, the
tag is `fedbatch`. Replies are not signed: entries are proven by their checkpoint, and TLS is pinned.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fedbatch.errors import RefusedError

__all__ = [
    "Request",
    "SignedAs",
    "claimed_key",
    "content_digest",
    "read_signature",
    "sign_request",
    "signature_base",
]

TAG = "fedbatch"
CREATED_OFF_S_MAX = 300
_PARAMETERS = re.compile(
    r"^sig=(?P<params>\((?P<components>[^)]*)\);created=(?P<created>\d{1,12});"
    r'nonce="(?P<nonce>[0-9a-f]{32})";keyid="(?P<keyid>[A-Za-z0-9._/-]{1,200})";tag="fedbatch")$'
)
_SIGNATURE = re.compile(r"^sig=:([A-Za-z0-9+/]{86}==):$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What of a request is signed. `query` without `?`; `body` None where there is none."""

    method: str
    authority: str
    path: str
    query: str
    body: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAs:
    """Who signed a request, when, and the nonce that must not come again."""

    key_id: str
    created: int
    nonce: str
    base: bytes
    signature: bytes


def content_digest(body: bytes) -> str:
    """The Content-Digest header of a body, SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _components(request: Request) -> list[tuple[str, str]]:
    covered = [
        ("@method", request.method),
        ("@authority", request.authority.lower()),
        ("@path", request.path or "/"),
        ("@query", f"?{request.query}"),
    ]
    if request.body is not None:
        covered += [
            ("content-type", request.content_type),
            ("content-digest", content_digest(request.body)),
        ]
    return covered


def signature_base(request: Request, parameters: str) -> bytes:
    """The bytes that are signed (RFC 9421 §2.5)."""
    lines = [f'"{name}": {value}' for name, value in _components(request)]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def sign_request(
    request: Request,
    *,
    key_id: str,
    created: int,
    nonce: str,
    sign: Callable[[bytes], bytes],
) -> dict[str, str]:
    """The headers that sign a request."""
    names = " ".join(f'"{name}"' for name, _ in _components(request))
    parameters = f'({names});created={created};nonce="{nonce}";keyid="{key_id}";tag="{TAG}"'
    signature = base64.b64encode(sign(signature_base(request, parameters))).decode()
    headers = {"signature-input": f"sig={parameters}", "signature": f"sig=:{signature}:"}
    if request.body is not None:
        headers["content-digest"] = content_digest(request.body)
        headers["content-type"] = request.content_type
    return headers


def claimed_key(headers: Mapping[str, str]) -> str | None:
    """The key id that a request claims, before anything of it is checked; None where there is none."""
    match = _PARAMETERS.fullmatch(headers.get("signature-input", ""))
    return match["keyid"] if match is not None else None


def read_signature(request: Request, headers: Mapping[str, str]) -> SignedAs:
    """Who a request says signed it, and over what; the caller checks the signature with the key.

    Raises:
        RefusedError: no signature of our profile, or the body is not the one it covers.
    """
    match = _PARAMETERS.fullmatch(headers.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if match is None or signature is None:
        raise RefusedError("no signature of the profile", code="signature")
    names = " ".join(f'"{name}"' for name, _ in _components(request))
    if match["components"] != names:
        raise RefusedError("the signature covers other components", code="signature")
    if request.body is not None and headers.get("content-digest") != content_digest(request.body):
        raise RefusedError("the body is not the one that was signed", code="signature")
    return SignedAs(
        key_id=match["keyid"],
        created=int(match["created"]),
        nonce=match["nonce"],
        base=signature_base(request, match["params"]),
        signature=base64.b64decode(signature[1]),
    )
