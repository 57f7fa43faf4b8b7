"""F8: what a hostile partner may send; every attack has a name, and none is accepted.

The attacks go at the functions that every way in calls: deliveries of entries, proofs of one record,
exported ledgers, and cosignatures. `tests/scenarios/test_hostile_wire.py` sends more of them through
HTTP, and `test_refusals.py` sends entries that are signed well and say what they may not.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest.mock import ANY

import pytest

from fedbatch.errors import FedbatchError
from fedbatch.ledger import export, intake, policy, proof
from fedbatch.ledger.frames import Erased
from fedbatch.ledger.note import (
    Checkpoint,
    cosign_checkpoint,
    render_note,
    verify_cosignature,
)
from fedbatch.ledger.proof import Proof, render_proof, verify_record
from fedbatch.ledger.tree import Frontier, inclusion_proof, root_of
from tests.faults.outcome import Outcome
from tests.unit.ledger.making import (
    COSIGNER,
    ORIGIN,
    PARTNER,
    POLICY,
    STRANGER,
    TIME,
    WRITER,
    Signing,
    hash_all,
    make_checkpoint,
    make_entry,
    make_note,
    make_signature,
)
from tests.unit.ledger.test_intake import Attack, attacks

NAMED_AT_LEAST = 60


@dataclass(frozen=True)
class Attempt:
    """`strike` returns whether what was sent was accepted."""

    name: str
    strike: Callable[[], bool]


@dataclass(frozen=True)
class Ground:
    """A ledger of which its reader holds a part."""

    entries: list[bytes]
    held: int
    at: int

    @property
    def note(self) -> bytes:
        return make_note(make_checkpoint(self.entries))


def ground(chance: random.Random) -> Ground:
    size = chance.randrange(9, 40)
    held = chance.randrange(3, size - 2)
    at = chance.randrange(1000)
    return Ground([make_entry(number) for number in range(size)], held, at)


# ---- deliveries


def accepts(act: Callable[[], object]) -> bool:
    try:
        act()
    except FedbatchError:
        return False
    return True


def deliveries(on: Ground) -> Iterator[Attempt]:
    frontier = Frontier().extend(hash_all(on.entries[: on.held]))
    for one in attacks(on.entries, on.held, on.at):

        def strike(one: Attack = one) -> bool:
            return accepts(
                lambda: intake.take_in(
                    frontier,
                    one.start,
                    one.entries,
                    one.note,
                    origin=ORIGIN,
                    public_key=WRITER.public,
                    writer_root=one.writer_root,
                )
            )

        yield Attempt(f"delivery, {one.name}", strike)
    yield from erasures(on, frontier)


def erasures(on: Ground, frontier: Frontier) -> Iterator[Attempt]:
    """Erased entries whose kept hash is not the one that was signed."""
    rest: list[bytes | Erased] = list(on.entries[on.held :])
    sent: dict[str, list[bytes | Erased]] = {
        "first erased under zeros": [Erased(bytes(32)), *rest[1:]],
        "last erased under another's hash": [*rest[:-1], Erased(hash_all(on.entries)[0])],
        "all erased under one hash": [Erased(bytes([7]) * 32) for _ in rest],
    }
    for name, forged in sent.items():

        def strike(forged: list[bytes | Erased] = forged) -> bool:
            return accepts(
                lambda: intake.take_in(
                    frontier, on.held, forged, on.note, origin=ORIGIN, public_key=WRITER.public
                )
            )

        yield Attempt(f"delivery, {name}", strike)


# ---- proofs


def proofs(on: Ground) -> Iterator[Attempt]:
    leaves, size = hash_all(on.entries), len(on.entries)
    index = on.at % size
    path = tuple(inclusion_proof(leaves, index))
    entry, signed = on.entries[index], on.note
    alien = make_entry(index, salt="alien")
    other = (index + 1) % size
    early = make_note(make_checkpoint(on.entries[: on.held]))

    def record(what: bytes, at: int, hashes: tuple[bytes, ...], text: bytes) -> bytes:
        return render_proof(Proof(at, hashes, text)) if len(hashes) < 64 else what

    honest = record(entry, index, path, signed)
    long = honest.replace(b"\n\n", b"\n" + (b"A" * 43 + b"=\n") * 64 + b"\n", 1)
    swapped = (*path[1:], path[0])
    sent: dict[str, tuple[bytes, bytes]] = {
        "another entry": (alien, honest),
        "an entry with a byte more": (entry + b" ", honest),
        "an entry with a byte less": (entry[:-1], honest),
        "an empty entry": (b"", honest),
        "an entry longer than may be": (bytes(65_536), honest),
        "the neighbour's entry": (on.entries[other], honest),
        "the neighbour's index": (entry, record(entry, other, path, signed)),
        "an index beyond the ledger": (entry, record(entry, size, path, signed)),
        "an index near 2^63": (entry, record(entry, 2**63 - 1, path, signed)),
        "an index below none": (entry, honest.replace(b"index ", b"index -", 1)),
        "an index in words": (entry, honest.replace(b"index ", b"index one", 1)),
        "a path without its first hash": (entry, record(entry, index, path[1:], signed)),
        "a path without its last hash": (entry, record(entry, index, path[:-1], signed)),
        "a path with a hash more": (entry, record(entry, index, (*path, bytes(32)), signed)),
        "a path of zeros": (entry, record(entry, index, (bytes(32),) * len(path), signed)),
        "a path in another order": (entry, record(entry, index, swapped, signed)),
        "no path": (entry, record(entry, index, (), signed)),
        "a path of more than 63 hashes": (entry, long),
        "a path with a short hash": (entry, honest.replace(b"\n\n", b"\nAAAA\n\n", 1)),
        "a path that is no base64": (entry, honest.replace(b"\n\n", b"\n!!!!\n\n", 1)),
        "an earlier checkpoint": (entry, record(entry, index, path, early)),
        "a stranger's checkpoint": (
            entry,
            record(entry, index, path, make_note(make_checkpoint(on.entries), writer=STRANGER)),
        ),
        "another ledger's checkpoint": (
            entry,
            record(entry, index, path, make_note(make_checkpoint(on.entries, "cmo.example/x"))),
        ),
        "a stranger's cosignature": (
            entry,
            record(entry, index, path, make_note(make_checkpoint(on.entries), partner=STRANGER)),
        ),
        "no cosignature": (
            entry,
            record(entry, index, path, make_note(make_checkpoint(on.entries), partner=None)),
        ),
        "a checkpoint of one entry more": (
            entry,
            honest.replace(b"\n%d\n" % size, b"\n%d\n" % (size + 1), 1),
        ),
        "another first line": (entry, b"x" + honest),
        "no note": (entry, honest.partition(b"\n\n")[0]),
        "a proof of a mebibyte": (entry, honest + bytes(1 << 20)),
        "rubbish": (entry, bytes(range(256))),
        "nothing": (entry, b""),
    }
    if len(path) < 2 or path[0] == path[-1]:
        del sent["a path in another order"]
    assert verify_record(entry, honest, POLICY).ok  # the attacks start from what would be accepted
    for name, (what, text) in sent.items():

        def strike(what: bytes = what, text: bytes = text) -> bool:
            return verify_record(what, text, POLICY).ok

        yield Attempt(f"proof, {name}", strike)


# ---- exported ledgers


def folders(on: Ground) -> Iterator[Attempt]:
    leaves, size = hash_all(on.entries), len(on.entries)
    files = export.export_folder(on.entries, leaves, on.note)
    entries, hashes = f"tile/entries/000.p/{size}", f"tile/0/000.p/{size}"
    at = on.at % size
    forged = [*on.entries[:at], make_entry(at, salt="alien"), *on.entries[at + 1 :]]
    other = export.export_folder(forged, hash_all(forged), make_note(make_checkpoint(forged)))
    moved = make_signature(size, [("entry-0", bytes(32))])
    carried = [*on.entries, moved]
    signed = export.export_folder(carried, hash_all(carried), make_note(make_checkpoint(carried)))
    early = make_note(make_checkpoint(on.entries[: on.held]))
    sent: dict[str, dict[str, bytes]] = {
        "false tile of entries": files | {entries: other[entries]},
        "false tile of hashes": files | {hashes: other[hashes]},
        "both tiles false": files | {entries: other[entries], hashes: other[hashes]},
        "tile of entries cut": files | {entries: files[entries][:-1]},
        "tile of entries longer": files | {entries: files[entries] + b"\0\0"},
        "tile of hashes cut": files | {hashes: files[hashes][:-32]},
        "tile of hashes longer": files | {hashes: files[hashes] + bytes(32)},
        "entry erased without its hash": files
        | {entries: erase_in(files[entries], at)}
        | {hashes: bytes(32) + files[hashes][32:]},
        "tile missing": {name: files[name] for name in files if name != entries},
        "hashes missing": {name: files[name] for name in files if name != hashes},
        "checkpoint missing": {name: files[name] for name in files if name != "checkpoint"},
        "earlier checkpoint over all": files | {"checkpoint": early},
        "checkpoint of another content": files | {"checkpoint": other["checkpoint"]},
        "stranger's checkpoint": files
        | {"checkpoint": make_note(make_checkpoint(on.entries), writer=STRANGER)},
        "checkpoint without a partner": files
        | {"checkpoint": make_note(make_checkpoint(on.entries), partner=None)},
        "checkpoint of rubbish": files | {"checkpoint": bytes(range(256))},
        "signature carried over": signed,
        "nothing": {},
    }
    assert export.verify_folder(files, POLICY).ok
    for name, content in sent.items():

        def strike(content: dict[str, bytes] = content) -> bool:
            return export.verify_folder(content, POLICY).ok

        yield Attempt(f"ledger, {name}", strike)


def erase_in(tile: bytes, at: int) -> bytes:
    """The tile with entry `at` made an erased one."""
    start = 0
    for _ in range(at):
        start += 2 + int.from_bytes(tile[start : start + 2], "big")
    end = start + 2 + int.from_bytes(tile[start : start + 2], "big")
    return tile[:start] + b"\0\0" + tile[end:]


# ---- cosignatures


def cosignatures(on: Ground) -> Iterator[Attempt]:
    head = make_checkpoint(on.entries)
    before = make_checkpoint(on.entries[: on.held])
    other = Checkpoint("cmo.example/other", head.size, head.root)

    def cosigned(of: Checkpoint, key: Signing = COSIGNER, name: str = PARTNER) -> bytes:
        """The checkpoint with a cosignature that was made for `of`."""
        line = cosign_checkpoint(of, name, key.public, TIME, key.sign)
        return render_note(head.body(), [line])

    honest = cosigned(head)
    cut = honest.rindex(b" ") + 1
    turned = honest[: cut + 40] + (b"A" if honest[cut + 40] != ord("A") else b"B")
    sent = {
        "of an earlier size": cosigned(before),
        "of another ledger": cosigned(other),
        "of another root": cosigned(
            Checkpoint(ORIGIN, head.size, root_of(hash_all(on.entries[1:])))
        ),
        "by a stranger": cosigned(head, STRANGER),
        "under another name": cosigned(head, COSIGNER, "sponsor.example/ag-x"),
        "by the writer itself": cosigned(head, WRITER),
        "with a letter changed": turned + honest[cut + 41 :],
        "cut short": honest[:-9] + b"\n",
        "missing": head.body() + b"\n",
        "of rubbish": head.body() + b"\n\xe2\x80\x94 x y\n",
    }
    assert accepts(lambda: verify_cosignature(honest, PARTNER, COSIGNER.public))
    for name, content in sent.items():

        def strike(content: bytes = content) -> bool:
            return accepts(lambda: verify_cosignature(content, PARTNER, COSIGNER.public))

        yield Attempt(f"cosignature, {name}", strike)


GROUPS = (deliveries, proofs, folders, cosignatures)


def strike_all(seed: int, rounds: int) -> tuple[Outcome, set[str]]:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    outcome, names = Outcome("F8, a hostile partner", seed), set()
    for _ in range(rounds):
        on = ground(chance)
        for group in GROUPS:
            for attempt in group(on):
                names.add(attempt.name)
                outcome.count(attempt.name if attempt.strike() else "")
    return outcome, names


def test_no_named_attack_is_accepted() -> None:
    outcome, names = strike_all(seed=801, rounds=3)
    outcome.report()
    assert len(names) >= NAMED_AT_LEAST, len(names)
    assert outcome.failures == []


@pytest.mark.long
def test_no_named_attack_is_accepted_on_any_ground() -> None:
    outcome, _ = strike_all(seed=802, rounds=2_000)
    outcome.report()
    assert outcome.failures == []


# ---- controls: a check removed, and its attack succeeds


def without_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Frontier, "root", lambda _self: ANY)


def without_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "verify_inclusion", lambda *_: True)


def without_personal_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "check_personal", lambda *_: 0)


def without_cosignatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "verify_cosignature", lambda *_: 0)


def without_pinned_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_check_signed", lambda *_: None)


@pytest.mark.parametrize(
    ("remove", "attack"),
    [
        (without_roots, "delivery, new altered"),
        (without_paths, "proof, another entry"),
        (without_personal_signatures, "ledger, signature carried over"),
        (without_pinned_keys, "ledger, stranger's checkpoint"),
        (without_cosignatures, "proof, a stranger's cosignature"),
    ],
    ids=["roots", "paths", "personal signatures", "pinned keys", "cosignatures"],
)
def test_without_its_check_an_attack_succeeds(
    remove: Callable[[pytest.MonkeyPatch], None], attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = ground(random.Random(803))  # noqa: S311 - repeatable
    attempts = {one.name: one for group in GROUPS for one in group(on)}
    assert not attempts[attack].strike()
    remove(monkeypatch)
    assert attempts[attack].strike()
