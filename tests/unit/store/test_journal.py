from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import ConflictError, InputError
from fedbatch.standard import canonical
from fedbatch.store.audit import START, chain_link
from fedbatch.store.journal import Journal, key_text, text_key
from tests.unit.store.making import NOTE, held_item, import_row, journal_entry


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def change(folder: Path, sql: str) -> None:
    apsw.Connection(str(folder / "journal.sqlite")).execute(sql)


def test_new_journal_is_empty_and_whole(journal: Journal) -> None:
    assert (journal.size(), journal.heads(), list(journal.scan())) == (0, {}, [])
    assert journal.head_link() == START.hex()
    assert journal.verify() == []


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_entries_come_in_order_chained_and_audited(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int]
) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal"))
    contents: list[bytes] = []
    for number, size in enumerate(groups):
        entries = [journal_entry(f"{number}-{at}") for at in range(size)]
        assert journal.append(entries, NOTE) == len(contents)
        contents += [entry.content for entry in entries]
    link = START
    for index, content in enumerate(contents):
        link = chain_link(link, index, content)
    assert list(journal.scan()) == list(enumerate(contents))
    assert list(journal.scan(1)) == list(enumerate(contents))[1:]
    assert journal.head_link() == link.hex()
    assert journal.audit() == [NOTE] * len(groups)
    assert journal.verify() == []
    journal.close()


def test_head_is_the_newest_version_of_a_record(journal: Journal) -> None:
    first = journal_entry("a")
    journal.append([first, journal_entry("b")], NOTE)
    newer = replace(first, version=2, entry_id="entry-a-2", is_withdrawn=True)
    journal.append([newer, replace(journal_entry("c"), type="batch")], NOTE)
    head = journal.heads()["result", ("batch", "a")]
    assert (head.index, head.version, head.entry_id, head.is_withdrawn) == (2, 2, "entry-a-2", True)
    assert set(journal.heads(["batch"])) == {("batch", ("batch", "c"))}
    assert len(journal.heads(["batch", "result"])) == 3


def test_entry_id_used_twice_is_refused_whole(journal: Journal) -> None:
    journal.append([journal_entry("a")], NOTE)
    with pytest.raises(ConflictError):
        journal.append([journal_entry("b"), journal_entry("a")], NOTE, held=[held_item("h")])
    assert journal.size() == 1
    assert journal.held() == []
    assert len(journal.audit()) == 1


def test_entry_is_read_by_index_and_by_id(journal: Journal) -> None:
    content = {"id": "e-1", "type": "batch", "time": NOTE.time, "by": "p-1", "data": {"batch": "7"}}
    journal.append([replace(journal_entry("a"), content=canonical.encode(content))], NOTE)
    assert journal.read(0).id == "e-1"
    assert journal.read_entry("entry-a") == journal.read(0)
    with pytest.raises(InputError):
        journal.read(1)
    with pytest.raises(InputError):
        journal.read_entry("other")


def test_what_is_held_back_is_decided_once_or_supplied_later(journal: Journal) -> None:
    journal.append([], NOTE, held=[held_item("a"), held_item("b"), held_item("c")])
    journal.append([], NOTE, held=[replace(held_item("a"), text="other")], closed=["b", "unknown"])
    journal.decide("c", "7.2", NOTE)
    assert journal.held() == [held_item("a")]
    assert {item.id: (item.state, item.decision) for item in journal.held(only_open=False)} == {
        "a": ("open", ""),
        "b": ("closed", "supplied later"),
        "c": ("decided", "7.2"),
    }
    for item in ("b", "c", "unknown"):
        with pytest.raises(InputError) as caught:
            journal.decide(item, "1", NOTE)
        assert caught.value.code == "held.unknown"
    assert len(journal.audit()) == 3
    assert journal.verify() == []


def test_imports_come_in_order_and_once(journal: Journal) -> None:
    for name in ("b", "a"):
        journal.append([], NOTE, imported=import_row(name))
    assert journal.imports() == [import_row("b"), import_row("a")]
    with pytest.raises(ConflictError):
        journal.append([journal_entry("x")], NOTE, imported=import_row("a"))
    assert journal.size() == 0


@pytest.mark.parametrize(
    ("sql", "located"),
    [
        ("update entry set content = x'00' where idx = 1", "journal entry 1"),
        ("update entry set entry_id = 'other' where idx = 1", "entry 1: changed"),
        ("update entry set link = zeroblob(32) where idx = 1", "journal entry 1"),
        ("delete from entry where idx = 1", "journal entry 1"),
        ("update head set version = 9 where key = 'batch\x1f1'", "head result batch\x1f1"),
        ("update held set finding = x'7b' where id = 'h'", "held h"),
        ("update imported set file = 'other.csv'", "imported 1"),
        ("update audit set reason = 'other' where position = 2", "audit entry 2"),
        ("drop index held_key", "tables differ"),
    ],
)
def test_change_behind_the_journal_is_located(tmp_path: Path, sql: str, located: str) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append([journal_entry(str(number))], NOTE)
    journal.append([], NOTE, held=[held_item("h")], imported=import_row("i"))
    journal.close()
    change(tmp_path, sql)
    journal = Journal(tmp_path)
    assert any(located in text for text in journal.verify()), journal.verify()
    journal.close()


@given(st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=9), min_size=1))
def test_key_is_one_text_and_back(parts: list[str]) -> None:
    assert text_key(key_text(tuple(parts))) == tuple(parts)
