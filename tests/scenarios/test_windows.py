"""Shared equipment: a value belongs to a batch only inside the window on which all sources agree."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fedbatch.node.findings import name_findings
from fedbatch.node.posting import Shared
from fedbatch.node.reading import read_results
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from tests.scenarios.making import AGREED, Link, are_equal, linked, write_table

LOGGED = ("Batch", "Product", "Press", "Logged from", "Logged to")
MES = ("Batch", "Product", "Unit", "MES start", "MES end")
VALUES = ("Press", "Time", "Tag", "Value", "Unit")
DAY = "2026-02-01"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Link]:
    mappings = ("logbook", "mes", "historian")
    with linked(tmp_path, mappings=mappings, window_tolerance="PT2M") as one:
        # A value a minute, 06:00 to 06:59; each is the minute in which it was measured.
        rows = [
            ["P-1", f"{DAY} 06:{minute:02d}:00", "FORCE", f"{minute}.0", "kN"]
            for minute in range(60)
        ]
        one.cmo.take(write_table(tmp_path / "historian.csv", rows, VALUES))
        yield one


def windows(
    made: Link, name: str, headers: Sequence[str], *rows: tuple[str, str, str, str]
) -> None:
    full = [
        [batch, product, "P-1", f"{DAY} {start}:00", f"{DAY} {end}:00" if end else ""]
        for batch, product, start, end in rows
    ]
    made.cmo.take(write_table(made.world.folder / f"{name}.csv", full, headers))


def share(made: Link) -> Shared:
    shared = made.cmo.share(AGREED)
    made.settle()
    return shared


def minutes(made: Link, batch: str | None = None) -> list[int]:
    """Which minutes' values the sponsor has."""
    rows = read_results(made.sponsor.home, codes=("PRESS.FORCE.MAIN",))
    return sorted(int(float(item.number)) for item in rows if batch in {None, item.batch})


# Longer than chance could spell it among ids, salts and hashes.
STRANGER = "STRANGERS-BATCH-X9"


def crossed(made: Link, shared: Shared) -> list[str]:
    """Every text that was posted, and all that the sponsor holds of the CMO's ledger."""
    entries = shared.plan.post.entries
    store = made.sponsor.home.ledgers(AGREED)
    held = [content for row in store.ledgers() for _, content in store.scan(row.ledger)]
    contents = [*(entry.content for entry in entries), *held]
    return [
        *(text.decode() for text in contents),
        *(name for entry in entries for name in entry.key),
    ]


def test_without_a_window_nothing_is_shared(made: Link) -> None:
    shared = share(made)
    assert minutes(made) == []
    assert shared.plan.skipped["no agreed equipment window"] == 60


def test_only_what_all_sources_agree_on_is_shared(made: Link) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    windows(made, "mes", MES, ("B1", "T-1", "06:11", "06:19"))
    shared = share(made)
    assert shared.plan.findings == []
    # From the later start, included, to the earlier end, excluded.
    assert minutes(made) == list(range(11, 19))


def test_one_source_alone_is_agreed_with_itself(made: Link) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    assert minutes(made) == list(range(10, 20))


@pytest.mark.parametrize(("start", "end"), [("06:13", "06:20"), ("06:10", "06:17")])
def test_of_a_dispute_beyond_the_tolerance_only_what_all_agree_on_is_shared(
    made: Link, start: str, end: str
) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    windows(made, "mes", MES, ("B1", "T-1", start, end))
    shared = share(made)
    assert [item.rule for item in shared.plan.findings] == ["window.conflict"]
    # People are told by the names they gave; ids are the node's own.
    (told,) = name_findings(made.cmo.home, shared.plan.findings)
    assert (told.batch, told.parameter) == ("B1", "P-1")
    assert told.finding.where.key == ("P-1", "B1")
    assert "at B1 P-1, found" in told.render()
    assert minutes(made) == list(range(int(start[3:]), int(end[3:])))


def test_open_end_shares_nothing_until_it_is_known(made: Link) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", ""))
    share(made)
    assert minutes(made) == []
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    assert minutes(made) == list(range(10, 20))


def test_another_sponsors_batch_in_the_same_piece_is_not_shared(made: Link) -> None:
    windows(
        made,
        "logbook",
        LOGGED,
        ("B1", "T-1", "06:10", "06:20"),
        ("X9", "OTHER", "06:20", "06:40"),
        ("B2", "T-1", "06:40", "06:50"),
    )
    share(made)
    assert minutes(made, "B1") == list(range(10, 20))
    assert minutes(made, "B2") == list(range(40, 50))
    assert minutes(made) == [*range(10, 20), *range(40, 50)]


def test_overlap_with_another_sponsors_batch_withholds_both(made: Link) -> None:
    windows(
        made,
        "logbook",
        LOGGED,
        ("B1", "T-1", "06:10", "06:20"),
        (STRANGER, "OTHER", "06:19", "06:40"),
        ("B2", "T-1", "06:40", "06:50"),
    )
    shared = share(made)
    assert minutes(made) == list(range(40, 50))
    posted = crossed(made, shared)
    assert any('"B2"' in text for text in posted)
    assert not any(STRANGER in text for text in posted)


def test_the_two_sources_of_a_window_are_both_told(made: Link) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    windows(made, "mes", MES, ("B1", "T-1", "06:11", "06:19"))
    share(made)
    assert len(equipment_of(made)) == 2


def equipment_of(made: Link) -> list[records.Equipment]:
    """The statements about equipment that stand at the sponsor."""
    store = made.stores[1]
    copy = store.ledgers()[1].ledger
    heads = store.heads(copy, ("equipment",)).values()
    found = [read_entry(store.entries(copy, head.index, 1)[0][2]).record for head in heads]
    return [item for item in found if isinstance(item, records.Equipment)]


def test_two_sources_with_one_beginning_are_one_record_with_both_bases(made: Link) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    windows(made, "mes", MES, ("B1", "T-1", "06:10", "06:19"))
    share(made)
    (told,) = equipment_of(made)
    assert set(told.window_basis) == {"logbook", "mes"}
    assert told.to is not None
    assert told.to.instant.startswith(f"{DAY}T06:19")
    assert minutes(made) == list(range(10, 19))
    size = made.stores[0].ledgers()[0].size
    share(made)
    assert made.stores[0].ledgers()[0].size == size


def test_value_shared_in_a_window_that_then_shrinks_is_not_left_standing(made: Link) -> None:
    """What was shared before a second source narrowed the window is taken back."""
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    assert minutes(made) == list(range(10, 20))
    windows(made, "mes", MES, ("B1", "T-1", "06:11", "06:19"))
    share(made)
    assert minutes(made) == list(range(11, 19))


def test_value_that_turns_out_to_be_of_another_partys_batch_is_erased_at_the_partner(
    made: Link,
) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    windows(made, "mes", MES, ("B1", "T-1", "06:10", "06:18"), ("X9", "OTHER", "06:18", "06:30"))
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:18"))
    share(made)
    assert minutes(made) == list(range(10, 18))
    store = made.stores[1]
    gone = [c for _, c in store.scan(store.ledgers()[1].ledger) if not c]
    assert len(gone) == 2
    assert are_equal(made)


def test_value_withheld_and_then_settled_is_shared_again(made: Link) -> None:
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    windows(made, "mes", MES, ("B1", "T-1", "06:10", "06:11"))
    share(made)
    assert minutes(made) == [10]
    windows(made, "mes", MES, ("B1", "T-1", "06:10", "06:20"))
    share(made)
    assert minutes(made) == list(range(10, 20))
    assert are_equal(made)


def test_a_start_that_its_source_corrects_takes_the_old_window_back(made: Link) -> None:
    windows(
        made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"), ("B2", "T-1", "06:20", "06:30")
    )
    share(made)
    assert minutes(made, "B2") == list(range(20, 30))
    windows(
        made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:15"), ("B2", "T-1", "06:15", "06:30")
    )
    shared = share(made)
    assert not shared.plan.findings
    assert minutes(made, "B1") == list(range(10, 15))
    assert minutes(made, "B2") == list(range(15, 30))
    assert are_equal(made)


def test_a_second_window_of_a_batch_takes_no_other_back(made: Link) -> None:
    """The control: a table of a day more has another window, and says nothing of the one before."""
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:10", "06:20"))
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:40", "06:50"))
    heads = made.cmo.home.journal.heads(("equipment",)).values()
    assert [head.is_withdrawn for head in heads] == [False, False]
    windows(made, "logbook", LOGGED, ("B1", "T-1", "06:45", "06:50"))
    heads = made.cmo.home.journal.heads(("equipment",)).values()
    assert sorted(head.is_withdrawn for head in heads) == [False, False, True]
