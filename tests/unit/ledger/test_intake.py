from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import ConflictError, FedbatchError, InputError, IntegrityError
from fedbatch.ledger.frames import Erased
from fedbatch.ledger.intake import Taken, take_in
from fedbatch.ledger.note import verify_checkpoint
from fedbatch.ledger.tree import Frontier, root_of
from tests.unit.ledger.making import (
    ORIGIN,
    STRANGER,
    WRITER,
    hash_all,
    make_checkpoint,
    make_entry,
    make_note,
)

Entries = Sequence[bytes | Erased]


def held_of(entries: Entries) -> Frontier:
    return Frontier().extend(hash_all(entries))


def note_of(entries: Entries) -> bytes:
    return make_note(make_checkpoint(entries))


def take(held: Frontier, start: int, entries: Entries, note: bytes) -> Taken:
    return take_in(held, start, entries, note, origin=ORIGIN, public_key=WRITER.public)


def take_without_comparing(held: Frontier, start: int, entries: Entries, note: bytes) -> Taken:
    """The negative control: everything but the comparison of roots."""
    checkpoint = verify_checkpoint(note, ORIGIN, WRITER.public)
    if start != held.size or start + len(entries) != checkpoint.size:
        raise IntegrityError("gap", code="gap")
    leaf_hashes = tuple(hash_all(entries))
    return Taken(checkpoint, held.extend(leaf_hashes), leaf_hashes, is_repeated=False)


@dataclass(frozen=True)
class Attack:
    name: str
    codes: tuple[str, ...]
    start: int
    entries: Entries
    note: bytes
    writer_root: bytes | None = field(default=None)


def changed_ways(
    entries: list[bytes], low: int, high: int, at: int
) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what can be done to entries low to high, around `at`."""
    alien = make_entry(at, salt="alien")
    yield "altered", [*entries[:at], alien, *entries[at + 1 :]]
    yield "dropped", entries[:at] + entries[at + 1 :]
    yield "inserted", [*entries[:at], alien, *entries[at:]]
    yield "inserted, last cut", [*entries[:at], alien, *entries[at : high - 1], *entries[high:]]
    other = low if at != low else high - 1
    if other != at:
        swapped = list(entries)
        swapped[at], swapped[other] = entries[other], entries[at]
        yield "reordered", swapped
        yield "doubled", [*entries[:at], entries[other], *entries[at + 1 :]]
    cut = [*entries[:at], entries[at][:-1], *entries[at + 1 :]]
    yield "cut short", cut


def attacks(entries: list[bytes], held: int, at: int) -> Iterator[Attack]:
    """Yield hostile deliveries to a reader that holds the first `held` of these entries."""
    size, note = len(entries), note_of(entries)
    for name, forged in changed_ways(entries, held, size, held + at % (size - held)):
        yield Attack(f"new {name}", ("gap",), held, forged[held:], note)
    for name, forged in changed_ways(entries, 0, held, at % held):
        past = root_of(hash_all(forged[:held]))
        if len(forged) > held:
            codes = ("fork",)
            yield Attack(f"past {name}", codes, held, forged[held:], note_of(forged), past)
        if len(forged[:held]) == held:
            yield Attack(f"past {name}, as long", ("fork",), held, [], note_of(forged[:held]))
    short = entries[: at % held]
    yield Attack("rollback", ("rollback",), len(short), [], note_of(short))
    yield Attack("skipped", ("resume",), held + 1, entries[held + 1 :], note)
    yield Attack("again from the start", ("resume",), 0, entries, note)
    yield Attack("behind the end", ("range",), size + 1, [], note)
    stranger = make_note(make_checkpoint(entries), writer=STRANGER)
    yield Attack("other key", ("signature",), held, entries[held:], stranger)
    elsewhere = make_note(make_checkpoint(entries, "cmo.example/other"))
    yield Attack("other ledger", ("origin",), held, entries[held:], elsewhere)


cases = st.tuples(st.integers(2, 30), st.integers(1, 29), st.integers(0, 1000)).filter(
    lambda case: case[1] < case[0]
)


@given(case=cases)
@settings(max_examples=60, deadline=None)
def test_no_attack_is_accepted_and_each_gets_its_code(case: tuple[int, int, int]) -> None:
    size, held, at = case
    entries = [make_entry(number) for number in range(size)]
    frontier = held_of(entries[:held])
    for attack in attacks(entries, held, at):
        with pytest.raises(FedbatchError) as refusal:
            take_in(
                frontier,
                attack.start,
                attack.entries,
                attack.note,
                origin=ORIGIN,
                public_key=WRITER.public,
                writer_root=attack.writer_root,
            )
        assert refusal.value.code in attack.codes, attack.name
    assert frontier == held_of(entries[:held])


def test_without_comparing_roots_forgeries_are_accepted() -> None:
    entries = [make_entry(number) for number in range(12)]
    accepted = set()
    for attack in attacks(entries, 7, 2):
        try:
            take_without_comparing(held_of(entries[:7]), attack.start, attack.entries, attack.note)
        except IntegrityError:
            continue
        accepted.add(attack.name)
    assert {"new altered", "new reordered", "past altered", "past reordered"} <= accepted


@given(size=st.integers(1, 40), cuts=st.sets(st.integers(1, 39), max_size=4))
@settings(max_examples=40, deadline=None)
def test_honest_entries_are_taken_in_any_portions(size: int, cuts: set[int]) -> None:
    entries = [make_entry(number) for number in range(size)]
    held, at = Frontier(), 0
    for cut in [*sorted(cut for cut in cuts if cut < size), size]:
        taken = take(held, at, entries[at:cut], note_of(entries[:cut]))
        assert taken.checkpoint == make_checkpoint(entries[:cut])
        assert taken.leaf_hashes == tuple(hash_all(entries[at:cut]))
        assert taken.frontier == held_of(entries[:cut])
        assert not taken.is_repeated
        held, at = taken.frontier, cut


def test_erased_entry_is_taken_by_its_leaf_hash() -> None:
    entries = [make_entry(number) for number in range(4)]
    kept: list[bytes | Erased] = [entries[0], Erased(hash_all(entries)[1]), *entries[2:]]
    assert take(Frontier(), 0, kept, note_of(entries)).frontier == held_of(entries)
    other: list[bytes | Erased] = [entries[0], Erased(bytes(32)), *entries[2:]]
    with pytest.raises(IntegrityError) as refusal:
        take(Frontier(), 0, other, note_of(entries))
    assert refusal.value.code == "gap"


def test_repetition_changes_nothing() -> None:
    entries = [make_entry(number) for number in range(9)]
    held = held_of(entries)
    same = take(held, 4, entries[4:], note_of(entries))
    assert same == Taken(make_checkpoint(entries), held, (), is_repeated=True)
    earlier = take_in(
        held,
        2,
        entries[2:6],
        note_of(entries[:6]),
        origin=ORIGIN,
        public_key=WRITER.public,
        root_at=lambda size: root_of(hash_all(entries[:size])),
    )
    assert earlier == Taken(make_checkpoint(entries[:6]), held, (), is_repeated=True)


def test_old_frame_with_another_root_is_a_fork() -> None:
    entries = [make_entry(number) for number in range(9)]
    forged = [make_entry(0, salt="other"), *entries[1:6]]
    with pytest.raises(IntegrityError) as refusal:
        take_in(
            held_of(entries),
            2,
            forged[2:],
            note_of(forged),
            origin=ORIGIN,
            public_key=WRITER.public,
            root_at=lambda size: root_of(hash_all(entries[:size])),
        )
    assert refusal.value.code == "fork"


def test_writer_whose_root_at_the_held_size_agrees_leaves_a_gap() -> None:
    entries = [make_entry(number) for number in range(9)]
    held = held_of(entries[:5])
    with pytest.raises(IntegrityError) as refusal:
        take_in(
            held,
            5,
            entries[5:8],
            note_of(entries),
            origin=ORIGIN,
            public_key=WRITER.public,
            writer_root=held.root(),
        )
    assert refusal.value.code == "gap"
    assert "do not lead to the root signed at 9" in str(refusal.value)


def test_where_to_resume_is_a_conflict_not_an_attack() -> None:
    entries = [make_entry(number) for number in range(9)]
    with pytest.raises(ConflictError) as refusal:
        take(held_of(entries[:5]), 7, entries[7:], note_of(entries))
    assert refusal.value.code == "resume"
    assert str(refusal.value) == "Entries from 5 on are due, not 7."


@pytest.mark.parametrize("start", [-1, 6])
def test_start_outside_the_ledger_is_the_senders_mistake(start: int) -> None:
    entries = [make_entry(number) for number in range(5)]
    with pytest.raises(InputError) as refusal:
        take(held_of(entries[:2]), start, [], note_of(entries))
    assert refusal.value.code == "range"


def test_entry_too_long_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(InputError) as refusal:
        take(Frontier(), 0, [bytes(65_536)], note_of([b"x"]))
    assert refusal.value.code == "entry"
