"""Verify an exported record or ledger without Fedbatch and without a network.

    python fedbatch_verify.py record ENTRY.json PROOF.tlog-proof --policy POLICY [--json]
    python fedbatch_verify.py ledger FOLDER --policy POLICY [--json]

POLICY names the keys that you trust: `log <vkey>`, `witness <name> <vkey>`, `quorum <name>`. Take
them from where you have verified them, never from whoever sent the record. One line is printed a
step. Exit code: 0 all holds; 1 something does not; 2 wrong call or unreadable file; 3 all holds but
no partner is pinned (`alone`). Needs Python 3.11 and the package `cryptography`. Formats: RFC 6962,
https://c2sp.org: signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof, -policy, -tiles.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256  # entries or hashes in a full tile
HASH = 32
LINES = 63  # of a note, and hashes of a proof
HEX = re.compile("[0-9a-f]{64}")  # a hash in JSON
ORIGIN = "./[^/]+$"  # <node name>/<ledger id>
LIMIT = 1 << 63  # sizes, indices and times lie below
EXIT = {"verified": 0, "alone": 3}  # any other code: 1


class Failed(Exception):  # noqa: N818 - it is a verdict, not an error of this program
    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Key(NamedTuple):
    name: str
    kind: int
    public: bytes

    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:4]

    def holds(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


Policy = tuple[list[Key], Key | None]  # keys of writers, key of the partner if there is one


class Signed(NamedTuple):
    """A checkpoint with its signatures as (key name, key id, signature)."""

    body: bytes
    origin: str
    size: int
    root: bytes
    lines: list[tuple[str, bytes, bytes]]

    def by(self, key: Key) -> list[bytes]:
        return [line[2] for line in self.lines if line[:2] == (key.name, key.id())]


class Outcome(NamedTuple):
    """`code`: `verified`, `alone`, or what the first step that fails says; `steps` held before."""

    code: str
    detail: str
    steps: list[str]


def need(condition: object, why: str, code: str = "malformed") -> None:
    if not condition:
        raise Failed(code, why)


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def text_of(content: bytes, limit: int, controls: str, what: str) -> str:
    need(len(content) <= limit, f"{what}: more than {limit} bytes")
    text = content.decode("utf-8", "surrogateescape")
    need(not re.search(f"[{controls}\ud800-\udfff]", text), f"{what}: no UTF-8, or controls")
    return text


def number(text: str) -> int:
    plain = re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < LIMIT
    need(plain, f"'{text[:40]}' is no plain decimal below 2^63")
    return int(text)


def unbase64(text: str, length: int | None = None) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Failed("malformed", f"'{text[:40]}' is no base64") from error
    need(content and base64.b64encode(content) == text.encode(), f"'{text[:40]}': other base64")
    need(length in {None, len(content)}, f"'{text[:40]}' is not {length} bytes")
    return content


def name_of(name: str, form: str = "") -> str:
    fits = 0 < len(name.encode()) < WIDTH and not re.search(r"[\s+\x00-\x1f]", name)
    need(fits and re.search(form, name), f"'{name[:40]}' is no name of a key or ledger")
    return name


def read_key(vkey: str, kind: int) -> Key:
    name, key_id, material = (*vkey.split("+", 2), "", "")[:3]
    content = unbase64(material, 1 + HASH)
    key = Key(name_of(name), content[0], content[1:])
    fits = key.kind == kind and key.id().hex() == key_id
    need(fits, f"policy: '{name}' has another type than {kind:02x}, or another id")
    return key


def read_policy(content: bytes) -> Policy:
    text = text_of(content, 1 << 16, r"\x00-\x08\x0b-\x1f\x7f", "policy")
    need(text.endswith("\n"), "policy: no newline at the end")
    logs: list[Key] = []
    witnesses: dict[str, Key] = {}
    quorum: list[str] = []
    for line in text.split("\n"):
        match re.findall(r"[^ \t]+", line):
            case ["log", vkey] | ["log", vkey, _]:
                logs.append(read_key(vkey, 1))
                name_of(logs[-1].name, ORIGIN)
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                need(name not in {"none", *witnesses}, f"policy: the name '{name}' is taken")
                witnesses[name] = read_key(vkey, 4)
            case ["quorum", name]:
                need(name in {"none", *witnesses}, f"policy: no witness '{name}' above")
                quorum.append(name)
            case words:
                need(not words or words[0][0] == "#", f"policy: cannot read '{line[:60]}'")
    need(len(quorum) == 1, "policy: not exactly one quorum")
    for keys in (logs, list(witnesses.values())):
        need(len({key.public for key in keys}) == len(keys), "policy: a key stands twice")
    return logs, witnesses.get(quorum[0])


def read_checkpoint(content: bytes) -> Signed:
    text = text_of(content, 1 << 18, r"\x00-\x09\x0b-\x1f", "note")
    body, _, signatures = text.rpartition("\n\n")
    fits = signatures.endswith("\n") and text.count("\n") <= LINES
    need(fits, f"note: no signatures, or more than {LINES} lines")
    lines = []
    for line in signatures[:-1].split("\n"):
        dash, name, packed = (*line.split(" ", 2), "", "")[:3]
        need(dash == "\u2014", "note: a line below is no signature")
        blob = unbase64(packed)
        need(blob[4:], "note: an empty signature")
        lines.append((name_of(name), blob[:4], blob[4:]))
    origin, size, root, *more = (*body.split("\n"), "", "")
    need(more == ["", ""], "checkpoint: not three lines")
    fields = (name_of(origin, ORIGIN), number(size), unbase64(root, HASH))
    return Signed((body + "\n").encode(), *fields, lines)


def read_proof(content: bytes) -> tuple[int, list[bytes], Signed]:
    need(len(content) <= 1 << 20, "proof: more than 1048576 bytes")
    head, gap, note = content.partition(b"\n\n")
    need(gap and head.isascii(), "proof: no note below an empty line")
    first, *lines = head.decode().split("\n")
    need(first == "c2sp.org/tlog-proof@v1", "proof: another first line")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:])
    need(lines and lines[0].startswith("index "), "proof: no index")
    need(len(lines) <= 1 + LINES, f"proof: more than {LINES} hashes")
    path = [unbase64(line, HASH) for line in lines[1:]]
    return number(lines[0][6:]), path, read_checkpoint(note)


def checkpoint_steps(signed: Signed, policy: Policy) -> Iterator[str]:
    keys = [key for key in policy[0] if key.name == signed.origin]
    need(keys, f"no key is pinned for '{signed.origin}'", "origin")
    yield f"origin: '{signed.origin}' is pinned"
    claims = [(key, signature) for key in keys for signature in signed.by(key)]
    need(claims, "not signed by the writer's pinned key", "signature")
    for key, signature in claims:
        need(key.holds(signature, signed.body), "the writer's signature is wrong", "signature")
    yield f"signature: the writer signed {signed.size} entries"
    yield check_cosignature(signed, policy[1])


def check_cosignature(signed: Signed, partner: Key | None) -> str:
    if partner is None:
        return "cosignature: no partner is pinned"
    times = []
    for claim in signed.by(partner):
        times.append(int.from_bytes(claim[:8], "big"))
        message = b"cosignature/v1\ntime %d\n%b" % (times[-1], signed.body)
        valid = times[-1] < LIMIT and partner.holds(claim[8:], message)
        need(valid, f"the cosignature of '{partner.name}' is wrong", "cosignature")
    need(times, f"not cosigned by '{partner.name}'", "cosignature")
    return f"cosignature: '{partner.name}' cosigned at {min(times)} (seconds since 1970)"


def check_inclusion(leaf: bytes, index: int, path: list[bytes], signed: Signed) -> str:
    """Go down from the root to see on which side siblings lie, then up along the path."""
    is_left, start, end = [], 0, signed.size
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        is_left.append(index < split)
        start, end = (start, split) if index < split else (split, end)
    node = leaf
    for left, sibling in zip(reversed(is_left), path, strict=False):
        node = sha256(b"\1" + (node + sibling if left else sibling + node))
    fits = index < signed.size and len(path) == len(is_left) and node == signed.root
    need(fits, f"the proof does not lead from entry {index} to the root", "inclusion")
    return f"inclusion: entry {index} of {signed.size}"


def read_object(entry: bytes) -> dict[str, object]:
    try:
        value = json.loads(entry)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def signed_by_person(entry: bytes) -> list[tuple[str, str]]:
    """Return (entry id, leaf hash) of all that a person's signature is about; [] if it is none."""
    if b'"fedbatch.signature"' not in entry and b"\\u" not in entry:
        return []
    envelope = read_object(entry)
    if envelope.get("type") != "fedbatch.signature":
        return []
    match envelope.get("data"):
        case {"about": [_, *_] as about}:
            return [about_of(item) for item in about]
        case {"correction": {"kind": "withdraw"}, **fields} if "about" not in fields:
            return []
        case _:
            raise Failed("personal", "a signature is about nothing")


def about_of(item: object) -> tuple[str, str]:
    match item:
        case {"entry": str(entry_id), "version": int(), "leaf": str(leaf)} if HEX.fullmatch(leaf):
            return entry_id, leaf
        case _:
            raise Failed("personal", "a signature names no entry id, version and leaf hash")


def judge(steps: Iterator[str]) -> Outcome:
    held = []
    try:
        for shows in steps:
            held.append(shows)  # noqa: PERF402 - extend would lose what held before a failure
    except Failed as failed:
        return Outcome(failed.code, str(failed), held)
    return Outcome("verified", "all steps hold", held)


def record_steps(entry: bytes, proof: bytes, policy_file: bytes) -> Iterator[str]:
    policy = read_policy(policy_file)
    index, path, signed = read_proof(proof)
    yield "read: policy and proof"
    need(0 < len(entry) < 1 << 16, f"an entry of {len(entry)} bytes", "leaf")
    leaf = sha256(b"\0" + entry)
    yield f"leaf: {leaf.hex()}"
    yield from checkpoint_steps(signed, policy)
    yield check_inclusion(leaf, index, path, signed)
    yield f"personal: a signature of {len(signed_by_person(entry))} entries"
    need(policy[1], "all steps hold, but only the writer vouches for it", "alone")


def tile_name(level: int | str, index: int, width: int) -> str:
    digits = str(index).zfill(-(-len(str(index)) // 3) * 3)
    groups = [f"x{digits[at : at + 3]}/" for at in range(0, len(digits) - 3, 3)]
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{''.join(groups)}{digits[-3:]}{partial}"


def root_of(nodes: Sequence[bytes]) -> bytes:
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        above = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
        nodes = [*above, nodes[-1]] if len(nodes) % 2 else above
    return nodes[0] if nodes else sha256(b"")


class Folder:
    """A tiled ledger; `read` returns a file's bytes, or raises where there is none."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self.read = read
        self.leaves: list[bytes] = []
        self.erased: list[int] = []
        self.signatures: list[tuple[int, bytes]] = []

    def get(self, path: str) -> bytes:
        try:
            return self.read(path)
        except (FileNotFoundError, NotADirectoryError, KeyError) as error:
            raise Failed("missing", f"'{path}' is missing") from error

    def tile(self, start: int, size: int) -> tuple[list[bytes], list[bytes]]:
        """Return the entries from `start` and the leaf hashes that stand beside them."""
        index, width = start // WIDTH, min(WIDTH, size - start)
        content, kept = (self.get(tile_name(kind, index, width)) for kind in ("entries", 0))
        need(len(kept) == width * HASH, f"tile {index} of level 0 has another length", "tile")
        entries: list[bytes] = []
        at = 0
        while at < len(content) and len(entries) < width:
            end = at + 2 + int.from_bytes(content[at : at + 2], "big")
            entries.append(content[at + 2 : end])
            at = end
        need(at == len(content) and len(entries) == width, f"entry tile {index} is cut or longer")
        return entries, [kept[at : at + HASH] for at in range(0, len(kept), HASH)]

    def check_leaves(self, size: int) -> str:
        """Hash every entry, a tile at a time, and compare with what stands in tile 0."""
        for start in range(0, size, WIDTH):
            entries, leaves = self.tile(start, size)
            for index, (entry, leaf) in enumerate(zip(entries, leaves, strict=True), start):
                if not entry:
                    self.erased.append(index)
                    continue
                need(sha256(b"\0" + entry) == leaf, f"entry {index} has another leaf hash", "leaf")
                if b'"fedbatch.signature"' in entry or b"\\u" in entry:
                    self.signatures.append((index, entry))
            self.leaves += leaves
        return f"leaf: {size} entries, of which erased: {self.erased[:20] or 'none'}"

    def check_tiles(self) -> str:
        nodes, level = self.leaves, 0
        while nodes:
            groups = [nodes[at : at + WIDTH] for at in range(0, len(nodes), WIDTH)]
            for index, group in enumerate(groups if level else []):  # level 0 is checked already
                path = tile_name(level, index, len(group))
                need(self.get(path) == b"".join(group), f"'{path}' holds other hashes", "tile")
            nodes, level = [root_of(group) for group in groups if len(group) == WIDTH], level + 1
        return f"tile: {level} levels of hashes"

    def check_personal(self, size: int) -> str:
        """Compare each leaf hash that a person signed with that of the entry, if it lies here."""
        about = [(at, pair) for at, entry in self.signatures for pair in signed_by_person(entry)]
        own: dict[str, bytes] = {}
        for start in range(0, size if about else 0, WIDTH):
            for entry, leaf in zip(*self.tile(start, size), strict=True):
                entry_id = read_object(entry).get("id")
                if isinstance(entry_id, str):
                    own.setdefault(entry_id, leaf)  # the first, where an id stands twice
        for index, (entry_id, told) in about:
            why = f"the signature in entry {index} is about another content of {entry_id!a}"
            need(entry_id not in own or own[entry_id].hex() == told, why, "personal")
        return f"personal: persons signed {len(about)} times"

    def steps(self, policy_file: bytes) -> Iterator[str]:
        policy = read_policy(policy_file)
        signed = read_checkpoint(self.get("checkpoint"))
        yield "read: policy and checkpoint"
        yield from checkpoint_steps(signed, policy)
        yield self.check_leaves(signed.size)
        need(root_of(self.leaves) == signed.root, "not the root that was signed", "root")
        yield f"root: {signed.root.hex()}"
        yield self.check_tiles()
        yield self.check_personal(signed.size)
        need(policy[1], "all steps hold, but only the writer vouches for it", "alone")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an exported record or ledger.")
    parser.add_argument("what", choices=("record", "ledger"))
    parser.add_argument("paths", nargs="+", type=Path, help="ENTRY and PROOF, or FOLDER")
    parser.add_argument("--policy", type=Path, required=True, help="the keys that you trust")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    folder = Folder(lambda path: (given.paths[0] / path).read_bytes())
    try:
        match given.what, given.paths:
            case "record", [entry, proof]:
                files = (path.read_bytes() for path in (entry, proof, given.policy))
                outcome = judge(record_steps(*files))
            case "ledger", [_]:
                outcome = judge(folder.steps(given.policy.read_bytes()))
            case _:
                parser.error("a record is ENTRY and PROOF, a ledger one FOLDER")
    except OSError as error:
        parser.error(f"cannot read: {error}")
    text = "\n".join([*outcome.steps, f"{outcome.code}: {outcome.detail}"])
    print(json.dumps({**outcome._asdict(), "erased": folder.erased}) if given.json else text)
    return EXIT.get(outcome.code, 1)


if __name__ == "__main__":
    sys.exit(main())
