from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import ConflictError, InputError, IntegrityError
from fedbatch.ledger.note import verify_checkpoint
from fedbatch.ledger.tree import Frontier, leaf_hash, root_of
from fedbatch.ports import Appended
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.views import Views
from tests.unit.store.making import (
    NOTE,
    OWN,
    OWN_KEY,
    OWN_ORIGIN,
    PARTNERS,
    ledger_entries,
    ledger_entry,
    open_ledgers,
    sign_own,
    taken,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Ledgers]:
    store = open_ledgers(tmp_path)
    yield store
    store.close()


def append(store: Ledgers, name: str, count: int) -> Appended:
    return store.append(OWN, ledger_entries(name, count), NOTE, sign_own)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_checkpoints_stand_at_each_newer_group_and_each_multiple_of_256(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int]
) -> None:
    store = open_ledgers(tmp_path_factory.mktemp("ledgers"))
    contents: list[bytes] = []
    ends = set()
    for number, size in enumerate(groups):
        entries = ledger_entries(str(number), size)
        contents += [entry.content for entry in entries]
        appended = store.append(OWN, entries, NOTE, sign_own)
        ends.add(appended.size)
        root = root_of(leaf_hash(content) for content in contents)
        assert appended == Appended(first=len(contents) - size, size=len(contents), root=root)
    ends |= set(range(256, len(contents) + 1, 256))
    leaves = [leaf_hash(content) for content in contents]
    assert store.leaves(OWN, len(leaves)) == leaves
    # Of an older bundle only its end stays, since nobody has cosigned within.
    older = max(len(contents) // 256 - 1, 0) * 256
    kept = [size for size in sorted(ends) if size >= older or size % 256 == 0]
    assert [row.size for row in store.checkpoints(OWN)] == kept
    for row in store.checkpoints(OWN):
        checkpoint = verify_checkpoint(row.note, OWN_ORIGIN, OWN_KEY.public)
        assert (checkpoint.size, checkpoint.root) == (row.size, root_of(leaves[: row.size]))
    assert store.verify() == []
    store.close()


def test_contents_are_those_of_the_entries_wherever_they_lie(store: Ledgers) -> None:
    append(store, "a", 700)
    entries = store.entries(OWN, 0, 700)
    for start, count in ((0, 700), (0, 1), (250, 10), (500, 100), (511, 2), (690, 50), (700, 5)):
        held = entries[start : start + count]
        assert store.contents(OWN, start, count) == [content for _, _, content in held]
        assert store.entries(OWN, start, count) == held


def test_views_of_a_ledger_with_a_hole_say_so(store: Ledgers, tmp_path: Path) -> None:
    append(store, "a", 700)
    store.close()
    with apsw.Connection(str(tmp_path / "ledgers.sqlite")) as damaged:
        damaged.execute("delete from bundle where number = 1")
    views, again = Views(tmp_path), open_ledgers(tmp_path)
    assert len(again.contents(OWN, 0, 700)) == 256
    with pytest.raises(IntegrityError, match="has no entry 256"):
        views.catch_up(again)
    views.close()
    again.close()


def test_append_is_seen_as_entry_head_name_tree_and_audit(store: Ledgers) -> None:
    entry = ledger_entry("a")
    appended = store.append(OWN, [ledger_entry("b"), entry], NOTE, sign_own)
    row = store.ledger(OWN)
    assert (row.size, row.root, row.frontier.root()) == (2, appended.root, appended.root)
    assert store.entries(OWN, 1, 9) == [(1, leaf_hash(entry.content), entry.content)]
    assert list(store.scan(OWN, 1)) == [(1, entry.content)]
    head = store.heads(OWN, ["result"])["result", ("batch", "a")]
    assert (head.index, head.version, head.entry_id) == (1, 1, "entry-a")
    assert store.heads(OWN, ["batch"]) == {}
    assert (store.find_index(OWN, "entry-a"), store.find_index(OWN, "other")) == (1, None)
    assert store.posted(OWN) == {"journal-a": "entry-a", "journal-b": "entry-b"}
    assert store.audit() == [NOTE]
    assert store.checkpoint_at(OWN, 1) == store.checkpoints(OWN)[0]
    assert store.checkpoint_at(OWN, 3) is None


def test_append_whose_signing_fails_leaves_nothing(store: Ledgers) -> None:
    def refuse(size: int, root: bytes) -> bytes:
        raise InputError("a key")

    with pytest.raises(InputError):
        store.append(OWN, ledger_entries("a", 3), NOTE, refuse)
    assert store.ledger(OWN).size == 0
    assert store.entries(OWN, 0, 9) == []
    assert store.audit() == []
    assert append(store, "a", 3).first == 0


def test_entry_that_reads_back_otherwise_is_never_signed(store: Ledgers) -> None:
    """As by a flipped bit on the way: here a trigger changes the bytes as they are written."""
    store._database._connection.execute(
        "create temp trigger flip after insert on main.entry begin"
        " update entry set content = x'00' where idx = new.idx; end"
    )
    signed: list[int] = []

    def sign(size: int, root: bytes) -> bytes:
        signed.append(size)
        return sign_own(size, root)

    with pytest.raises(IntegrityError) as caught:
        store.append(OWN, ledger_entries("a", 2), NOTE, sign)
    assert caught.value.code == "store.read_back"
    assert signed == []
    assert store.ledger(OWN).size == 0


def test_ledger_with_a_damaged_head_goes_on_with_nothing(store: Ledgers, tmp_path: Path) -> None:
    append(store, "a", 3)
    other = Frontier().extend([leaf_hash(b"other")] * 3).encode()
    outside = apsw.Connection(str(tmp_path / "ledgers.sqlite"))
    outside.execute("update ledger set frontier = ?", (other,))
    with pytest.raises(IntegrityError, match="damaged"):
        append(store, "b", 1)
    with pytest.raises(IntegrityError, match="damaged"):
        store.take(taken(Frontier(), ledger_entries("theirs", 1)), NOTE)


def test_partners_ledger_and_a_stopped_one_take_no_append(store: Ledgers) -> None:
    with pytest.raises(InputError) as caught:
        store.append(PARTNERS, ledger_entries("a", 1), NOTE, sign_own)
    assert caught.value.code == "ledger.not_own"
    store.stop(OWN, "fork at 7", NOTE)
    with pytest.raises(IntegrityError, match="fork at 7"):
        append(store, "a", 1)
    store.stop(OWN, "", NOTE)
    assert append(store, "a", 1).size == 1


def test_ledger_is_pinned_once(store: Ledgers) -> None:
    store.add_ledger(OWN, is_own=True, origin=OWN_ORIGIN, key=OWN_KEY.public)
    with pytest.raises(IntegrityError) as caught:
        store.add_ledger(OWN, is_own=True, origin=OWN_ORIGIN, key=bytes(32))
    assert caught.value.code == "ledger.pinned"
    assert [row.ledger for row in store.ledgers()] == [OWN, PARTNERS]
    with pytest.raises(InputError):
        store.ledger("other")


def test_entry_id_used_twice_is_refused_whole(store: Ledgers) -> None:
    append(store, "a", 2)
    with pytest.raises(ConflictError):
        store.append(OWN, [ledger_entry("b"), *ledger_entries("a", 1)], NOTE, sign_own)
    assert store.ledger(OWN).size == 2
    assert store.verify() == []


def test_partners_entries_are_taken_with_the_answer_in_one(store: Ledgers) -> None:
    theirs = taken(Frontier(), ledger_entries("theirs", 3))
    store.take(theirs, NOTE, answer=ledger_entries("receipt", 1), sign=sign_own)
    row = store.ledger(PARTNERS)
    assert (row.size, row.frontier) == (3, theirs.frontier)
    assert [content for _, content in store.scan(PARTNERS)] == list(theirs.entries)
    assert store.checkpoints(PARTNERS) == [theirs.checkpoint]
    assert store.ledger(OWN).size == 1
    assert store.audit() == [NOTE]
    assert store.verify() == []


def test_partners_entries_that_do_not_follow_are_refused(store: Ledgers) -> None:
    theirs = taken(Frontier(), ledger_entries("theirs", 3))
    store.take(theirs, NOTE)
    later = taken(theirs.frontier.extend([leaf_hash(b"lost")]), ledger_entries("later", 1))
    for wrong in (theirs, later):
        with pytest.raises(IntegrityError) as caught:
            store.take(wrong, NOTE, answer=ledger_entries("receipt", 1), sign=sign_own)
        assert caught.value.code == "ledger.moved"
    assert (store.ledger(PARTNERS).size, store.ledger(OWN).size) == (3, 0)


def test_erased_entry_keeps_its_leaf_and_the_root(store: Ledgers, tmp_path: Path) -> None:
    first = taken(Frontier(), ledger_entries("theirs", 3))
    store.take(first, NOTE)
    withdrawal = replace(taken(first.frontier, ledger_entries("withdrawal", 1)), erased=[1])
    store.take(withdrawal, NOTE)
    erased = store.entries(PARTNERS, 1, 1)
    assert erased == [(1, first.leaves[1], b"")]
    assert store.ledger(PARTNERS).root == withdrawal.frontier.root()
    assert store.verify() == []
    store.close()
    assert first.entries[1] not in (tmp_path / "ledgers.sqlite").read_bytes()
    assert first.entries[2] in (tmp_path / "ledgers.sqlite").read_bytes()


def test_first_cosignature_of_a_checkpoint_stays(store: Ledgers) -> None:
    append(store, "a", 2)
    store.keep_cosignature(OWN, 2, b"first", 1)
    store.keep_cosignature(OWN, 2, b"second", 2)
    store.keep_cosignature(OWN, 9, b"of nothing", 2)
    (row,) = store.checkpoints(OWN)
    assert (row.cosignature, row.cosigned_at) == (b"first", 1)
    assert store.verify() == []


def test_setting_is_kept_and_replaced(store: Ledgers) -> None:
    assert store.setting("cursor") is None
    for content in (b"one", b"two"):
        store.keep_setting("cursor", content)
        assert store.setting("cursor") == content
    assert store.verify() == []


@pytest.mark.parametrize(
    ("sql", "located"),
    [
        ("update entry set content = x'00' where idx = 2 and ledger like '5f%'", f"{OWN} entry 2"),
        ("update entry set content = x'' where idx = 2 and ledger like '5f%'", f"{OWN} entry 2"),
        ("update entry set erased = 1 where idx = 2 and ledger like '0b%'", f"{PARTNERS} entry 2"),
        ("update entry set leaf = zeroblob(32) where idx = 1 and ledger like '5f%'", "entry 1"),
        ("update entry set idx = 1 << 60 where idx = 2 and ledger like '5f%'", f"{OWN} entry 2"),
        ("delete from entry where idx = 2 and ledger like '0b%'", f"{PARTNERS}: size or root"),
        ("update ledger set size = 2 where is_own", f"{OWN}: size or root"),
        ("update ledger set stopped = 'fork'", f"ledger {OWN}: changed"),
        ("update ledger set origin = 'other/origin'", f"ledger {OWN}: changed"),
        ("update ledger set frontier = x'00' where is_own", "frontier"),
        ("update checkpoint set root = zeroblob(32)", "checkpoint 3: another root"),
        ("update checkpoint set size = 9 where ledger like '5f%'", "entries are missing"),
        ("update checkpoint set note = x'00'", f"checkpoint {OWN} 3: changed"),
        ("update checkpoint set cosigned_at = 2", f"checkpoint {OWN} 3: changed"),
        ("update head set version = 9", f"head {OWN} result"),
        ("update named set journal = 'other'", f"named {OWN}"),
        ("update setting set content = x'00'", "setting cursor"),
        ("update audit set by = 'other' where position = 0", "audit entry 0"),
        ("create index extra on named (journal)", "tables differ"),
    ],
)
def test_change_behind_the_store_is_located(tmp_path: Path, sql: str, located: str) -> None:
    store = open_ledgers(tmp_path)
    append(store, "a", 3)
    store.keep_cosignature(OWN, 3, b"cosigned", 1)
    store.take(taken(Frontier(), ledger_entries("theirs", 3)), NOTE)
    store.keep_setting("cursor", b"7")
    store.close()
    apsw.Connection(str(tmp_path / "ledgers.sqlite")).execute(sql)
    store = Ledgers(tmp_path, place=b"here")
    assert any(located in text for text in store.verify()), store.verify()
    store.close()
