"""Whom a reader trusts: pinned keys, as a C2SP policy file, and what they say of a checkpoint.

Source: https://github.com/C2SP/C2SP/blob/main/tlog-policy.md. Lines `log <vkey> [<url>]`,
`witness <name> <vkey> [<url>]` and exactly one `quorum <name>` or `quorum none`; groups are not
read, as an agreement has one partner. The only keys that count are those in this file.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger.note import (
    COSIGNING,
    SIGNING,
    Checkpoint,
    VerifierKey,
    check_origin,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_checkpoint,
    verify_cosignature,
)

__all__ = ["POLICY_BYTES_MAX", "Policy", "Verdict", "check_checkpoint", "judge", "parse_policy"]

POLICY_BYTES_MAX: Final = 1 << 16
_WITHOUT_QUORUM: Final = "none"


@dataclass(frozen=True)
class Policy:
    """Pinned keys: those of the writers, and the partner's, or None where there is no partner."""

    logs: tuple[VerifierKey, ...]
    partner: VerifierKey | None


@dataclass(frozen=True)
class Verdict:
    """Outcome of a verification: a stable code, whether everything holds, a sentence.

    Codes in the order of the steps: `malformed`, `leaf`, `origin`, `signature`, `cosignature`,
    `inclusion`; of a folder `missing`, `root`, `tile`; `personal`; then `alone` (all holds, but no
    partner is pinned: no success) or `verified`. `erased`: indices of entries of a folder of which
    only the leaf hash is there.
    """

    code: str
    ok: bool
    detail: str
    erased: tuple[int, ...] = ()


@dataclass
class _Draft:
    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: dict[str, VerifierKey] = field(default_factory=dict)
    quorum: list[str] = field(default_factory=list)


def parse_policy(content: bytes) -> Policy:
    """Read a policy file. Raises InputError (`policy`, `key`, `origin`)."""
    draft = _Draft()
    for number, line in enumerate(_split_lines(content), 1):
        words = [word for word in re.split("[ \t]+", line) if word]
        if words and not words[0].startswith("#"):
            _read_line(words, draft, f"policy, line {number}")
    if len(draft.quorum) != 1:
        raise _not_a_policy("exactly one quorum", "policy", str(len(draft.quorum)))
    return Policy(tuple(draft.logs), draft.witnesses.get(draft.quorum[0]))


def _split_lines(content: bytes) -> list[str]:
    if len(content) > POLICY_BYTES_MAX or not content.endswith(b"\n"):
        raise _not_a_policy(
            f"at most {POLICY_BYTES_MAX} bytes that end with a newline",
            "policy",
            f"{len(content)} bytes",
        )
    if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", content):
        raise _not_a_policy("no control characters but tab and newline", "policy", "one")
    try:
        return content.decode().split("\n")
    except UnicodeDecodeError as error:
        raise _not_a_policy("UTF-8", "policy", f"byte {error.start}") from error


def _read_line(words: list[str], draft: _Draft, where: str) -> None:
    match words:
        case ["log", vkey] | ["log", vkey, _]:
            key = _pin(vkey, SIGNING, draft.logs, where)
            check_origin(key.name)
            draft.logs.append(key)
        case ["witness", name, vkey] | ["witness", name, vkey, _]:
            key = _pin(vkey, COSIGNING, list(draft.witnesses.values()), where)
            if name == _WITHOUT_QUORUM or name in draft.witnesses:
                raise _not_a_policy("a new name", where, name)
            draft.witnesses[name] = key
        case ["quorum", name] if name == _WITHOUT_QUORUM or name in draft.witnesses:
            draft.quorum.append(name)
        case _:
            raise _not_a_policy(
                "a log, a witness or a quorum of a witness named above", where, words[0]
            )


def _pin(vkey: str, kind: int, pinned: list[VerifierKey], where: str) -> VerifierKey:
    key = parse_vkey(vkey)
    if key.kind != kind:
        raise _not_a_policy(f"a key of type {kind:02x}", where, f"{key.kind:02x}")
    if key.public_key in {other.public_key for other in pinned}:
        raise _not_a_policy("each key once", where, key.name)
    return key


def _not_a_policy(expected: str, where: str, found: str) -> InputError:
    return InputError(expected, where=where, found=found[:80], code="policy")


def check_checkpoint(note: bytes, policy: Policy) -> Checkpoint:
    """Return the checkpoint if its origin is known, its writer signed it and the partner did.

    Where no partner is pinned, the last is left to `judge`. Raises InputError for a malformed note,
    IntegrityError: `origin`, `signature`, `cosignature`.
    """
    checkpoint = parse_checkpoint(parse_note(note).text)
    keys = [key for key in policy.logs if key.name == checkpoint.origin]
    if not keys:
        raise IntegrityError(f"No key is pinned for '{checkpoint.origin}'.", code="origin")
    _check_signed(note, keys)
    if policy.partner is not None:
        verify_cosignature(note, policy.partner.name, policy.partner.public_key)
    return checkpoint


def _check_signed(note: bytes, keys: list[VerifierKey]) -> None:
    """One of the writer's pinned keys must have signed, and none of them wrongly."""
    lines = parse_note(note)
    signing = [key for key in keys if key.find_lines(lines)]
    if not signing:
        raise IntegrityError(f"No signature by a key of '{keys[0].name}'.", code="signature")
    for key in signing:
        verify_checkpoint(note, key.name, key.public_key)


def judge(policy: Policy, detail: str, erased: tuple[int, ...] = ()) -> Verdict:
    """Return the verdict once every step has held: without a partner it is no success."""
    if policy.partner is None:
        detail = f"{detail}; no partner is pinned"
        return Verdict("alone", ok=False, detail=detail, erased=erased)
    return Verdict("verified", ok=True, detail=detail, erased=erased)
