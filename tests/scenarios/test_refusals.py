"""T15 and F8: what a hostile or mistaken partner writes is kept, cosigned, refused and told."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fedbatch.node.findings import FindingRow, agreement_findings, read_findings
from fedbatch.node.overview import read_batches, read_status
from fedbatch.node.reading import read_results
from fedbatch.node.verifying import verify_home
from fedbatch.standard import records
from tests.scenarios.making import (
    AGREED,
    Link,
    are_equal,
    envelope,
    forge,
    linked,
    records_in,
    result_data,
    row,
)
from tests.scenarios.world import Node

Write = Callable[..., bytes]
Entries = Callable[[Write], list[bytes]]
GARBAGE = {
    "instant": "2026-02-30T08:00:00Z",
    "text": "x",
    "zone": "UTC",
    "zone_basis": "stated",
    "precision": "day",
}
GOOD = {**GARBAGE, "instant": "2026-02-20T08:00:00Z"}


@pytest.fixture(scope="module", params=[False, True], ids=["it dials", "it listens"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Link]:
    with linked(tmp_path_factory.mktemp("hostile"), cmo_listens=request.param) as one:
        one.deliver([row("B1")])
        yield one


def send(made: Link, entries: Entries) -> None:
    def write(type_: str, data: Any, **changes: Any) -> bytes:
        return envelope(made.cmo, made.sponsor, type_, data, **changes)

    forge(made.cmo, AGREED, entries(write))
    made.settle()


def withdrawal(supersedes: object, **more: object) -> dict[str, object]:
    correction = {"kind": "withdraw", "reason_code": "wrong_party", "reason": "x", "by": "y"}
    return {"version": 2, "supersedes": supersedes, "correction": correction, **more}


SPECIFICATION = {
    "version": 1,
    "specification": "x",
    "product": "p",
    "market": ["all"],
    "scope": "internal",
    "stage": "release",
    "date_basis": "tested",
    "tests": [],
}
REFUSED: dict[str, tuple[str, Entries]] = {
    "unknown code": ("record.not_agreed", lambda e: [e("result", result_data("NOPE"))]),
    "wrong writer": ("record.not_agreed", lambda e: [e("specification", SPECIFICATION)]),
    "journals alone": (
        "record.not_agreed",
        lambda e: [
            e(
                "mapping",
                {
                    "version": 1,
                    "source": "s",
                    "rules": [],
                    "shape": "long",
                    "decimal_mark": ".",
                    "zone": "UTC",
                },
            )
        ],
    ),
    "other sender": (
        "record.not_agreed",
        lambda e: [e("result", result_data(batch="s1"), sender="party-x")],
    ),
    "other agreement": (
        "record.not_agreed",
        lambda e: [e("result", result_data(batch="s2"), agreement="ag-9@1")],
    ),
    "wrong version": ("record.malformed", lambda e: [e("result", result_data(version=3))]),
    "huge version": ("record.malformed", lambda e: [e("result", result_data(version=10**30))]),
    "huge attempt": ("record.malformed", lambda e: [e("result", result_data(attempt=2**63))]),
    "no JSON": ("record.malformed", lambda e: [b"{nonsense"]),
    "no UTF-8": ("record.malformed", lambda e: [b'{"a":"\xff"}']),
    "too deep": ("record.malformed", lambda e: [b"[" * 5000]),
    "longest entry": ("record.malformed", lambda e: [b"x" * 65_535]),
    "lone surrogate": (
        "record.malformed",
        lambda e: [e("result", result_data(batch="@@")).replace(b"@@", b"\\ud800")],
    ),
    "id twice": (
        "record.malformed",
        lambda e: [e("result", result_data(batch=b), id="same") for b in ("d1", "d2")],
    ),
    "id of an unknown type twice": (
        "record.malformed",
        lambda e: [e("later", {}, id="later") for _ in range(2)],
    ),
    "endless id": (
        "record.malformed",
        lambda e: [e("result", result_data(batch="d4"), id="i" * 60_000)],
    ),
    "endless code": ("record.not_agreed", lambda e: [e("result", result_data("N" * 60_000))]),
    "day that is none": (
        "record.malformed",
        lambda e: [e("result", result_data(batch="t1", observed_at=GARBAGE))],
    ),
    "start that is none": (
        "record.malformed",
        lambda e: [e("batch", {"version": 1, "batch": "t2", "product": "p", "start": GARBAGE})],
    ),
    "exponent": (
        "record.malformed",
        lambda e: [
            e(
                "result",
                result_data(batch="t3", value={"kind": "number", "number": "1e99999", "raw": "1"}),
            )
        ],
    ),
    "withdrawal of nothing": (
        "record.malformed",
        lambda e: [e("result", withdrawal("no-such-entry"))],
    ),
    "withdrawal of a list": ("record.malformed", lambda e: [e("result", withdrawal(["a", "b"]))]),
    "three hundred at once": (
        "record.not_agreed",
        lambda e: [e("result", result_data(f"NO-{at}")) for at in range(300)],
    ),
}
KEPT: dict[str, Entries] = {
    "unknown type": lambda e: [e("invention", {"a": 1})],
    "later major": lambda e: [
        e("result", {"other": 1}, dataschema="urn:fedbatch:schema:result:9.0")
    ],
    "question": lambda e: [
        e("question", {"version": 1, "question": "q", "about": "b", "text": "t", "to": "p"})
    ],
    "deviation": lambda e: [
        e(
            "deviation",
            {
                "version": 1,
                "deviation": "d",
                "class": "minor",
                "title": "t",
                "text": "x",
                "state": "open",
                "discovered": GOOD,
            },
        )
    ],
    "schedule": lambda e: [e("schedule", {"version": 1, "batch": "b", "milestone": "m"})],
    "certificate": lambda e: [
        e(
            "certificate",
            {"version": 1, "lot": "l", "specification": "s", "results": [], "verdicts": []},
        )
    ],
    "answer": lambda e: [e("answer", {"version": 1, "answer": "a", "about": "q"})],
    "disposition": lambda e: [
        e(
            "disposition",
            {
                "version": 1,
                "batch": "b",
                "market": "EU",
                "kind": "disposition",
                "decision": "hold",
                "known_at": [],
            },
        )
    ],
}


def refusals(node: Node, rule: str) -> list[FindingRow]:
    rows = read_findings(node.home, AGREED)
    return [item for item in rows if item.origin == "record" and item.finding.rule == rule]


def assert_readable(made: Link) -> None:
    """Nothing that a partner writes makes a home unreadable."""
    for node in (made.cmo, made.sponsor):
        read_findings(node.home)
        read_results(node.home)
        read_batches(node.home)
        read_status(node.home)
        assert verify_home(node.home).wrong == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused_entry_is_kept_and_cosigned_and_its_sender_is_told(made: Link, name: str) -> None:
    rule, entries = REFUSED[name]
    before = [len(refusals(node, rule)) for node in (made.cmo, made.sponsor)]
    shown = len(read_results(made.sponsor.home))
    send(made, entries)
    assert are_equal(made)
    cmo, sponsor = made.stores
    copy = sponsor.ledgers()[1]
    kept = sponsor.checkpoint_at(copy.ledger, copy.size)
    assert kept is not None
    assert kept.cosignature
    after = [len(refusals(node, rule)) for node in (made.cmo, made.sponsor)]
    assert after[0] > before[0]
    assert after[0] - before[0] == after[1] - before[1]
    receipts = [
        item
        for item in records_in(cmo, cmo.ledgers()[1].ledger)
        if isinstance(item, records.Receipt)
    ]
    assert any("refusal" in item.cause for item in receipts)
    # The twin of an entry whose id came twice is the one that counts.
    assert len(read_results(made.sponsor.home)) - shown == (1 if name == "id twice" else 0)
    assert_readable(made)


@pytest.mark.parametrize("name", KEPT)
def test_entry_of_a_type_not_used_yet_is_kept_and_stops_nothing(made: Link, name: str) -> None:
    before = len(read_findings(made.cmo.home, AGREED))
    send(made, KEPT[name])
    assert are_equal(made)
    assert len(read_findings(made.cmo.home, AGREED)) == before
    assert_readable(made)


def test_refused_entries_stand_in_no_view_of_either_node(made: Link) -> None:
    send(made, lambda e: [e("result", result_data("HIDDEN", batch="b-hidden"))])
    for node in (made.cmo, made.sponsor):
        assert not [item for item in read_results(node.home) if item.code == "HIDDEN"]
        found = agreement_findings(node.home, node.known(AGREED), "2026-06-01T00:00:00Z")
        assert not [item for item in found if "HIDDEN" in item.where.key]
        views = node.home.views(AGREED)
        content = views.content()
        views.drop()
        assert node.home.views(AGREED).content() == content


def test_agreed_entry_by_the_same_hand_is_shown(made: Link) -> None:
    """The control: the same forgery with an agreed code is a result like any other."""
    send(made, lambda e: [e("result", result_data("ASSAY", batch="b-shown"))])
    shown = [item for item in read_results(made.sponsor.home) if item.batch == "b-shown"]
    assert len(shown) == 1


def test_both_nodes_find_the_same_after_refusals(made: Link) -> None:
    send(
        made,
        lambda e: [
            e("result", result_data("ASSAY", batch="b-same")),
            e("result", result_data("ASSAY", batch="b-same", version=5)),
        ],
    )
    as_of = "2026-06-01T00:00:00Z"
    found = [
        agreement_findings(node.home, node.known(AGREED), as_of)
        for node in (made.cmo, made.sponsor)
    ]
    assert found[0] == found[1]


def test_wrong_party_withdrawal_of_more_than_one_receipt_record_holds_is_taken(
    tmp_path: Path,
) -> None:
    """A frame may take back 250 records of two versions each: 500 erasures in its receipt records."""
    with linked(tmp_path) as one:
        one.deliver([row("B1")])

        def write(type_: str, data: Any, **changes: Any) -> bytes:
            return envelope(one.cmo, one.sponsor, type_, data, **changes)

        first = [
            write("result", result_data(batch=f"b{at}"), id=f"{'f' * 60}-{at}") for at in range(250)
        ]
        correction = {"kind": "correct", "reason_code": "c", "reason": "r", "by": "p"}
        second = [
            write(
                "result",
                result_data(
                    batch=f"b{at}",
                    version=2,
                    supersedes=f"{'f' * 60}-{at}",
                    correction=correction,
                ),
                id=f"{'s' * 60}-{at}",
            )
            for at in range(250)
        ]
        taken_back = [
            write("result", {**withdrawal(f"{'s' * 60}-{at}"), "version": 3}) for at in range(250)
        ]
        for entries in (first, second, taken_back):
            forge(one.cmo, AGREED, entries)
        one.settle()
        assert are_equal(one)
        assert not read_results(one.sponsor.home, codes=("ASSAY",))[1:]
        found = [
            item
            for item in records_in(one.stores[0], one.stores[0].ledgers()[1].ledger)
            if isinstance(item, records.Receipt)
        ]
        erased = {item.entry for receipt in found for item in receipt.erased}
        assert len(erased) == 500
