"""Canonical JSON: the bytes that are hashed and signed.

RFC 8785 for the records of the standard, which hold no floats, no null, no integers of 2^53 and more
and only ASCII keys (STANDARD S2). Within those bounds a fast sorted encoder and RFC 8785 agree byte
for byte; a property test proves it against the `rfc8785` package.
"""

import re
from typing import TypeVar

import msgspec

from fedbatch.errors import InputError

__all__ = [
    "DEPTH_MAX",
    "INTEGER_MAX",
    "check_plain",
    "encode",
    "parse",
    "parse_flat",
    "parse_plain",
]

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 64

_encoder = msgspec.json.Encoder(order="sorted")
_plain_decoder = msgspec.json.Decoder()
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_OPENING = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')

T = TypeVar("T")


def encode(value: object) -> bytes:
    """Canonical bytes of a record, an envelope or plain JSON values.

    The caller holds the bounds of S2: record types cannot express a float or null, and plain values
    from outside pass `check_plain` first.

    Raises:
        InputError: a text that is not Unicode (a lone surrogate).
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise InputError(
            "Unicode text", found=ascii(error.object), code="canonical.text"
        ) from error


def parse(content: bytes, type_: type[T], where: str = "") -> T:
    """Decode JSON strictly into a type of the standard; unknown fields are ignored (S32).

    Of a key that stands twice the last value counts here; `parse_plain` refuses it.

    Raises:
        InputError: not JSON, too deep, or not of this shape.
    """
    check_depth(content, where)
    return parse_flat(content, type_, where)


def parse_flat(content: bytes, type_: type[T], where: str = "") -> T:
    """As `parse`, of bytes whose depth has been checked."""
    try:
        return msgspec.json.decode(content, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"a {type_.__name__.lower()}", where=where, found=str(error), code="json"
        ) from error


def parse_plain(content: bytes, where: str = "") -> object:
    """Decode JSON into dicts, lists, texts, integers and booleans, and check the bounds of S2.

    Raises:
        InputError: not canonical JSON (other spacing, order or escapes, a key twice), too deep, or a
            float, null, big integer or key outside ASCII.
    """
    check_depth(content, where)
    try:
        value: object = _plain_decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError("JSON", where=where, found=str(error), code="json") from error
    check_plain(value, where)
    if encode(value) != content:
        raise InputError(
            "canonical JSON (RFC 8785)",
            where=where,
            found="other spacing, order, escapes or a repeated key",
            code="json.canonical",
        )
    return value


def check_depth(content: bytes, where: str = "") -> None:
    """Refuse nesting beyond DEPTH_MAX before a parser meets it."""
    if content.count(b"[") + content.count(b"{") <= DEPTH_MAX or _is_shallow(content):
        return
    depth = 0
    for match in _OPENING.finditer(content):
        first = match.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise InputError(
                    f"at most {DEPTH_MAX} levels", where=where, found="more", code="json.depth"
                )
        elif first in b"]}":
            depth -= 1


def _is_shallow(content: bytes) -> bool:
    """Whether it is soon seen that nothing is nested too deep; of escapes and odd texts it is not.

    A round takes away every innermost pair, and at most two levels.
    """
    parts = content.translate(None, _NO_STRUCTURE).split(b'"')
    if b"\\" in content or not len(parts) % 2:
        return False
    left = b"".join(parts[::2])  # what stands in no text
    for _ in range(DEPTH_MAX // 2):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
        if not left:
            return True
    return False


def check_plain(value: object, where: str = "") -> None:
    """Refuse what S2 forbids: floats, null, integers from 2^53, keys outside ASCII."""
    kind = type(value)
    if kind is str or kind is bool:
        return
    if isinstance(value, dict):
        _check_members(value, where)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) is not str:
                check_plain(item, f"{where}/{index}")
    elif value is None or isinstance(value, float):
        raise InputError("no null and no float", where=where, found=str(value), code="json.number")
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise InputError("integers below 2^53", where=where, found=str(value), code="json.number")


def _check_members(value: dict[object, object], where: str) -> None:
    # Entries are checked as they arrive, hundreds of thousands of them: texts pass without a call.
    for key, item in value.items():
        if not isinstance(key, str) or not key.isascii():
            raise InputError("ASCII keys", where=where, found=repr(key), code="json.key")
        if type(item) is not str:
            check_plain(item, f"{where}/{key}")
