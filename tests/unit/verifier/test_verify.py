"""The second verifier: on its own, and against the first."""

import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.ledger.export import export_folder, tile_path, verify_folder
from fedbatch.ledger.frames import Erased
from fedbatch.ledger.note import Checkpoint, SignatureLine, parse_note, render_note
from fedbatch.ledger.proof import verify_record
from fedbatch.ledger.tree import inclusion_proof, root_of
from tests.unit.ledger.making import (
    ALONE,
    ORIGIN,
    POLICY,
    STRANGER,
    flip,
    hash_all,
    make_checkpoint,
    make_entry,
    make_note,
    make_proof,
    make_signature,
)
from tests.unit.ledger.test_note import PETER, PETER_NOTE, PETER_TEXT
from verifier import fedbatch_verify as second

ENTRIES = [make_entry(at) for at in range(11)]
PROOF = make_proof(ENTRIES, 6)
SCRIPT = Path(second.__file__)


def judge_record(entry: bytes, proof: bytes, policy: bytes) -> str:
    return second.judge(second.record_steps(entry, proof, policy)).code


def judge_folder(files: Mapping[str, bytes], policy: bytes) -> tuple[str, tuple[int, ...]]:
    folder = second.Folder(files.__getitem__)
    outcome = second.judge(folder.steps(policy))
    return outcome.code, tuple(folder.erased)


# What stands in the file


def test_verifier_is_one_short_file_that_imports_no_fedbatch_and_no_network() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 400
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported - {"cryptography"} <= sys.stdlib_module_names
    assert not imported & {"fedbatch", "socket", "http", "urllib", "ssl", "asyncio"}


def test_published_note_holds_for_the_second_verifier_too() -> None:
    key = second.read_key(PETER, 1)
    blob = parse_note(PETER_NOTE).signatures[0].signature
    assert key.id().hex() == "c74f20a3"
    assert key.holds(blob, PETER_TEXT)
    assert not key.holds(blob, PETER_TEXT + b"\n")


@pytest.mark.parametrize("index", [0, 1, 999, 1000, 1234067, 10**9])
def test_both_name_tiles_alike(index: int) -> None:
    for level, width in ((0, 256), ("entries", 3)):
        assert second.tile_name(level, index, width) == tile_path(level, index, width)


# One record


@given(size=st.integers(1, 130), data=st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_is_checked_for_any_size(size: int, data: st.DataObject) -> None:
    leaves = hash_all([at.to_bytes(2, "big") for at in range(size)])
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    path = inclusion_proof(leaves, index)
    signed = second.Signed(b"", ORIGIN, size, root_of(leaves), [])
    assert second.check_inclusion(leaves[index], index, path, signed)
    for leaf, at, way in (
        (leaves[index], other, path),
        (leaves[index], size, path),
        (leaves[other], index, path),
        (leaves[index], index, [*path, bytes(32)]),
        (leaves[index], index, path[:-1]),
    ):
        if (leaf, at, way) != (leaves[index], index, path):
            with pytest.raises(second.Failed) as failure:
                second.check_inclusion(leaf, at, way, signed)
            assert failure.value.code == "inclusion"


@given(bit=st.integers(0, 8 * len(PROOF) - 1))
@settings(max_examples=300, deadline=None)
def test_proof_with_any_bit_flipped_fails_in_both_alike(bit: int) -> None:
    changed = flip(PROOF, bit)
    code = judge_record(ENTRIES[6], changed, POLICY)
    assert code not in {"verified", "alone"}
    assert code == verify_record(ENTRIES[6], changed, POLICY).code


@given(bit=st.integers(0, 8 * len(POLICY) - 1))
@settings(max_examples=200, deadline=None)
def test_policy_with_any_bit_flipped_is_read_alike_by_both(bit: int) -> None:
    changed = flip(POLICY, bit)
    assert (
        judge_record(ENTRIES[6], PROOF, changed) == verify_record(ENTRIES[6], PROOF, changed).code
    )


@given(bit=st.integers(0, 8 * len(ENTRIES[6]) - 1))
@settings(max_examples=60, deadline=None)
def test_entry_with_any_bit_flipped_fails(bit: int) -> None:
    assert judge_record(flip(ENTRIES[6], bit), PROOF, POLICY) == "inclusion"


TOKENS = ["", " ", "\t", "+", "=", "\r", "\n", "\n\n", "0", "#", "\x7f", "— ", "A", "/"]
TOKENS += ["\u00a0", "\u2028", "\u0085", "\u0661", "\ufeff"]  # spaces, digits, marks of Unicode
TOKENS += ["none", "log ", "index 6\n", "extra AAAA\n"]


@st.composite
def mangled(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace a stretch by a token, or move a line: what a bit flip does not reach."""
    text = content.decode()
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from([0, 0, 0, 1, 1, 2, 44, 45]))
        text = text[:start] + draw(st.sampled_from(TOKENS)) + text[end:]
        lines = text.splitlines(keepends=True)
        line = draw(st.sampled_from(lines or [""]))
        if draw(st.integers(0, 3)) == 0:
            lines.insert(draw(st.integers(0, len(lines))), line)
        text = "".join(lines)
    return text.encode()


@given(proof=mangled(PROOF), policy=st.one_of(st.just(POLICY), mangled(POLICY)))
@settings(max_examples=500, deadline=None)
def test_mangled_texts_are_read_alike_by_both(proof: bytes, policy: bytes) -> None:
    for given_proof, given_policy in ((proof, POLICY), (PROOF, policy)):
        verdict = verify_record(ENTRIES[6], given_proof, given_policy)
        assert judge_record(ENTRIES[6], given_proof, given_policy) == verdict.code


# 500 exports, both verifiers (TRUST F16)


@dataclass(frozen=True)
class Export:
    """What a user was handed: a folder, and one record of it with its proof."""

    kind: str
    files: Mapping[str, bytes]
    entry: bytes
    proof: bytes
    policy: bytes


def make_ledger(rng: np.random.Generator) -> list[bytes]:
    size = int(rng.integers(2, 30)) if rng.random() < 0.97 else int(rng.integers(250, 270))
    entries = [make_entry(at, salt=rng.bytes(4).hex()) for at in range(size)]
    about = int(rng.integers(size))
    signed = make_signature(size, [(f"entry-{about}", hash_all(entries)[about])])
    return [*entries, signed]


def export(
    kind: str,
    entries: list[bytes],
    index: int,
    policy: bytes = POLICY,
    note: bytes | None = None,
    erased: int | None = None,
) -> Export:
    """Return an export; `note` replaces the honest checkpoint, `erased` is an index."""
    honest = make_note(make_checkpoint(entries))
    kept: list[bytes | Erased] = list(entries)
    if erased is not None:
        kept[erased] = Erased(hash_all(entries)[erased])
    files = export_folder(kept, hash_all(entries), honest) | {"checkpoint": note or honest}
    return Export(kind, files, entries[index], make_proof(entries, index, note), policy)


def spoil(note: bytes, at: int) -> bytes:
    """Return the note with one wrong bit in its signature number `at`."""
    lines = list(parse_note(note).signatures)
    wrong = flip(lines[at].signature, 77)
    lines[at] = SignatureLine(lines[at].name, lines[at].key_id, wrong)
    return render_note(parse_note(note).text, lines)


def with_file(made: Export, kind: str, path: str, content: bytes) -> Export:
    return Export(kind, {**made.files, path: content}, made.entry, made.proof, made.policy)


def forgeries(rng: np.random.Generator, entries: list[bytes], index: int) -> Iterator[Export]:
    """Yield one export of each kind of forgery."""
    checkpoint = make_checkpoint(entries)
    note, honest = make_note(checkpoint), export("honest", entries, index)
    tail = (len(entries) - 1) // 256
    width = len(entries) - 256 * tail
    for signer in ("writer", "partner"):
        wrong = make_note(checkpoint, **{signer: STRANGER})
        yield export(f"strange {signer}", entries, index, note=wrong)
    yield export("spoilt signature", entries, index, note=spoil(note, 0))
    yield export("spoilt cosignature", entries, index, note=spoil(note, 1))
    yield export("not cosigned", entries, index, note=make_note(checkpoint, partner=None))
    elsewhere = make_note(make_checkpoint(entries, "cmo.example/other"))
    yield export("other origin", entries, index, note=elsewhere)
    larger = Checkpoint(ORIGIN, len(entries) * 2 + 1, checkpoint.root)
    yield export("other size", entries, index, note=make_note(larger))
    other = Checkpoint(ORIGIN, len(entries), rng.bytes(32))
    yield export("other root", entries, index, note=make_note(other))
    wrong_leaf = [*entries[:-1], make_signature(99, [("entry-0", rng.bytes(32))])]
    yield export("signature of something else", wrong_leaf, len(wrong_leaf) - 1)
    empty = [*entries[:-1], make_signature(99, [])]
    yield export("signature of nothing", empty, len(empty) - 1)
    path = tile_path("entries", tail, width)
    yield with_file(honest, "bundle cut", path, honest.files[path][:-1])
    yield with_file(honest, "bundle altered", path, flip(honest.files[path], 8 * 2 + 3))
    hashes = tile_path(0, tail, width)
    yield with_file(honest, "leaf hash altered", hashes, flip(honest.files[hashes], 5))
    yield with_file(honest, "tile cut", hashes, honest.files[hashes][:-32])
    fewer = {name: content for name, content in honest.files.items() if name != path}
    yield Export("file missing", fewer, honest.entry, honest.proof, POLICY)
    yield Export("policy", honest.files, honest.entry, honest.proof, POLICY[:-1])
    proof = flip(honest.proof, int(rng.integers(8 * len(honest.proof))))
    yield Export("proof", honest.files, honest.entry, proof, POLICY)
    swapped = [entries[1], entries[0], *entries[2:]]
    yield Export(
        "reordered",
        {**export("", swapped, 0).files, "checkpoint": note},
        entries[1],
        honest.proof,
        POLICY,
    )
    alone = make_note(checkpoint, partner=None)
    bad = Checkpoint(ORIGIN, len(entries), bytes(32))
    yield export("alone, forged", entries, index, ALONE, make_note(bad, partner=None))
    yield export("alone, spoilt", entries, index, ALONE, spoil(alone, 0))


def make_exports(count: int) -> list[Export]:
    rng = np.random.default_rng(20260701)
    made: list[Export] = []
    while len(made) < count:
        entries = make_ledger(rng)
        index = int(rng.integers(len(entries)))
        alone = make_note(make_checkpoint(entries), partner=None)
        made.append(export("honest", entries, index))
        made.append(export("erased", entries, index, erased=int(rng.integers(len(entries)))))
        made.append(export("alone", entries, index, ALONE, alone))
        made.append(export("nobody pinned", entries, index, ALONE))
        made.extend(forgeries(rng, entries, index))
    return made[:count]


@pytest.fixture(scope="module")
def exports() -> list[Export]:
    return make_exports(500)


def disagreements(exports: list[Export]) -> list[str]:
    found = []
    for made in exports:
        folder = verify_folder(made.files, made.policy)
        if judge_folder(made.files, made.policy) != (folder.code, folder.erased):
            found.append(f"{made.kind}, folder")
        record = verify_record(made.entry, made.proof, made.policy)
        if judge_record(made.entry, made.proof, made.policy) != record.code:
            found.append(f"{made.kind}, record")
    return found


def test_both_verifiers_agree_on_500_exports(exports: list[Export]) -> None:
    assert disagreements(exports) == []
    assert len(exports) == 500


@pytest.mark.long
def test_both_verifiers_agree_on_20_000_exports() -> None:
    assert disagreements(make_exports(20_000)) == []


def test_exports_reach_every_verdict(exports: list[Export]) -> None:
    folders = {verify_folder(made.files, made.policy).code for made in exports}
    records = {verify_record(made.entry, made.proof, made.policy).code for made in exports}
    shared = {"verified", "alone", "malformed", "origin", "signature", "cosignature", "personal"}
    assert folders == shared | {"missing", "leaf", "root", "tile"}
    assert records == shared | {"inclusion"}


def test_only_honest_exports_verify(exports: list[Export]) -> None:
    good = {"honest", "erased"}
    for made in exports:
        verdict = verify_folder(made.files, made.policy)
        assert verdict.ok == (made.kind in good or made.kind == "proof"), made.kind
        assert (verdict.code == "alone") == (made.kind in {"alone", "nobody pinned"}), made.kind


def hold_always(*_: object) -> str:
    return "whatever it is"


@pytest.mark.parametrize(
    ("target", "name", "replacement", "kind"),
    [
        (second, "check_cosignature", hold_always, "strange partner, record"),
        (second, "check_inclusion", hold_always, "other root, record"),
        (second, "signed_by_person", lambda entry: [], "signature of nothing, folder"),
        (second.Key, "holds", lambda *_: True, "spoilt signature, record"),
        (second.Folder, "check_tiles", hold_always, ""),
        (second.Folder, "check_personal", hold_always, "signature of something else, folder"),
    ],
)
def test_verifier_with_a_step_removed_is_found_out(
    target: object,
    name: str,
    replacement: Callable[..., object],
    kind: str,
    exports: list[Export],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, name, replacement)
    large = [make_entry(at) for at in range(256)]
    made = export("higher tile altered", large, 0)
    higher = with_file(made, made.kind, "tile/1/000.p/1", bytes(32))
    assert (kind or "higher tile altered, folder") in disagreements([*exports[:72], higher])


# The command


def run(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with `policy`, `alone`, `entry.json`, `one.tlog-proof`, `ledger/`."""
    kept: list[bytes | Erased] = [*ENTRIES[:4], Erased(hash_all(ENTRIES)[4]), *ENTRIES[5:]]
    files = export_folder(kept, hash_all(ENTRIES), make_note(make_checkpoint(ENTRIES)))
    files = {f"ledger/{path}": content for path, content in files.items()}
    files |= {"policy": POLICY, "alone": ALONE, "entry.json": ENTRIES[6], "one.tlog-proof": PROOF}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def test_command_prints_a_line_a_step_and_exits_0_only_if_all_holds(home: Path) -> None:
    record = ("record", home / "entry.json", home / "one.tlog-proof", "--policy", home / "policy")
    code, printed, _ = run(*record)
    assert code == 0
    assert [line.partition(":")[0] for line in printed.splitlines()] == [
        "read", "leaf", "origin", "signature", "cosignature", "inclusion", "personal", "verified",
    ]  # fmt: skip
    code, printed, _ = run("ledger", home / "ledger", "--policy", home / "policy")
    assert code == 0
    assert [line.partition(":")[0] for line in printed.splitlines()] == [
        "read", "origin", "signature", "cosignature", "leaf", "root", "tile", "personal", "verified"
    ]  # fmt: skip
    assert "leaf: 11 entries, of which erased: [4]" in printed
    (home / "entry.json").write_bytes(ENTRIES[5])
    code, printed, _ = run(*record)
    assert code == 1
    assert printed.splitlines()[-1].startswith("inclusion: the proof does not lead")


def test_command_exits_3_for_a_ledger_without_partner(home: Path) -> None:
    for what in (
        ("ledger", home / "ledger"),
        ("record", home / "entry.json", home / "one.tlog-proof"),
    ):
        code, printed, _ = run(*what, "--policy", home / "alone")
        assert code == 3
        assert printed.splitlines()[-1].startswith("alone: ")


def test_command_prints_json(home: Path) -> None:
    code, printed, _ = run("ledger", home / "ledger", "--policy", home / "policy", "--json")
    told = json.loads(printed)
    assert (code, told["code"], told["erased"], len(told["steps"])) == (0, "verified", [4], 8)
    assert told["detail"] == "all steps hold"
    (home / "ledger/tile/entries/000.p/11").unlink()
    code, printed, _ = run("ledger", home / "ledger", "--policy", home / "policy", "--json")
    assert (code, json.loads(printed)["code"]) == (1, "missing")


def test_command_exits_2_for_a_wrong_call(home: Path) -> None:
    for what in (
        ("record", home / "entry.json", "--policy", home / "policy"),
        ("ledger", home / "ledger", home / "ledger", "--policy", home / "policy"),
        ("ledger", home / "ledger", "--policy", home / "none"),
        ("record", home / "none", home / "one.tlog-proof", "--policy", home / "policy"),
        ("ledger", home / "ledger"),
    ):
        code, printed, complaint = run(*what)
        assert (code, printed) == (2, "")
        assert complaint


def test_main_is_what_the_command_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = str(home / "policy")
    assert second.main(["ledger", str(home / "ledger"), "--policy", policy]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "verified: all steps hold"


# Speed


def test_ledger_is_verified_at_100_000_entries_a_second_of_one_core() -> None:
    entries = [make_entry(at, salt="0" * 400) for at in range(20_000)]
    note = make_note(Checkpoint(ORIGIN, len(entries), root_of(hash_all(entries))))
    files = export_folder(entries, hash_all(entries), note)
    fastest = min(measure(files) for _ in range(3))
    assert len(entries) / fastest > 100_000


def measure(files: Mapping[str, bytes]) -> float:
    start = time.process_time()
    assert judge_folder(files, POLICY) == ("verified", ())
    return time.process_time() - start
