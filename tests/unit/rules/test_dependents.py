from dataclasses import replace

import pytest

from fedbatch.rules.dependents import dependent_findings
from fedbatch.rules.facts import Change, Statement
from fedbatch.standard.drafts import Certificate
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import About, Approval, Record, Result, Signature, Target
from fedbatch.standard.values import Reference
from tests.unit.rules.making import at, number

KEY = ("b1", "PH", "result", "", "replicate", "1", "1", "lims")
CHANGE = Change(entry_id="e1", what="superseded", type="result", key=KEY, ledger="cmo", order=10)


def stated(record: Record, type_: str = "approval", order: int = 5) -> Statement:
    return Statement(
        entry_id="e5", type=type_, key=("k1",), ledger="cmo", order=order, record=record
    )


def approval(*entries: str) -> Approval:
    return Approval(
        version=1,
        approval="k1",
        from_="provisional",
        to="checked",
        targets=tuple(Target(entry=entry) for entry in entries),
    )


def signature(*entries: str) -> Signature:
    return Signature(
        version=1,
        signature="k1",
        about=tuple(About(entry=entry, version=1, leaf="00") for entry in entries),
        signer="u1",
        printed_name="A. Person",
        role="quality",
        meaning="approved",
        method="local",
        signed_at=at("2026-01-01T00:00:00Z"),
    )


def derived(*of: Reference | str) -> Result:
    return Result(
        version=1,
        code="PH",
        role="result",
        form="reportable",
        attempt=1,
        replicate=1,
        value=number("7"),
        of=of,
    )


def certificate(result: Reference | str, specification: Reference | str = "SP-1") -> Certificate:
    return Certificate(
        version=1, lot="l1", specification=specification, results=(result,), verdicts=()
    )


def found(change: Change, statement: Statement) -> list[str]:
    return [item.found for item in dependent_findings([change], [statement])]


def test_an_approval_of_a_superseded_entry_is_found_with_all_fields() -> None:
    assert list(dependent_findings([CHANGE], [stated(approval("e0", "e1"))])) == [
        Finding(
            rule="record.dependent",
            severity=2,
            where=Place(type="approval", key=("k1",)),
            found="entry e5 names entry e1, superseded",
            expected="a record that rests on entries that stand",
        )
    ]


@pytest.mark.parametrize(
    "record",
    [
        approval("e1"),
        signature("e0", "e1"),
        derived(Reference(key=KEY, entry="e1")),
        derived(Reference(key=KEY)),
        derived(Reference(key=KEY, type="result", ledger="cmo")),
        certificate(Reference(key=KEY, entry="e1")),
        certificate(Reference(key=KEY)),
    ],
)
def test_what_names_a_changed_entry_is_found_once(record: Record) -> None:
    withdrawn = replace(CHANGE, what="withdrawn")
    assert found(withdrawn, stated(record)) == ["entry e5 names entry e1, withdrawn"]


@pytest.mark.parametrize(
    "record",
    [
        approval("e2"),
        signature("e2"),
        derived(),
        derived(Reference(key=KEY, entry="e2")),
        derived(Reference(key=(*KEY[:-1], "mes"))),
        derived(Reference(key=KEY, ledger="sponsor")),
        derived(Reference(key=KEY, type="sample")),
        derived("b1"),
        certificate("b1"),
    ],
)
def test_what_names_other_entries_is_not_found(record: Record) -> None:
    assert found(CHANGE, stated(record)) == []


def test_a_certificate_rests_on_its_specification() -> None:
    change = replace(CHANGE, type="specification", key=("SP-1",))
    assert len(found(change, stated(certificate("r1"), "certificate"))) == 1
    assert found(change, stated(certificate("SP-1", "SP-2"), "certificate")) == []


@pytest.mark.parametrize(("order", "count"), [(9, 1), (10, 0), (11, 0)])
def test_a_key_written_after_the_change_names_the_new_version(order: int, count: int) -> None:
    assert len(found(CHANGE, stated(derived(Reference(key=KEY)), order=order))) == count


def test_a_key_from_another_ledger_counts_whenever_it_was_written() -> None:
    other = replace(stated(derived(Reference(key=KEY, ledger="cmo")), order=99), ledger="sponsor")
    assert len(found(CHANGE, other)) == 1
    own = replace(stated(derived(Reference(key=KEY)), order=1), ledger="sponsor")
    assert found(CHANGE, own) == []


def test_what_stands_no_longer_itself_is_not_found() -> None:
    assert found(replace(CHANGE, entry_id="e5"), stated(approval("e5"))) == []


def test_each_changed_entry_that_is_named_is_a_finding() -> None:
    other = replace(CHANGE, entry_id="e2")
    pair = [CHANGE, other]
    named = [item.found for item in dependent_findings(pair, [stated(approval("e1", "e2"))])]
    assert sorted(named) == [
        "entry e5 names entry e1, superseded",
        "entry e5 names entry e2, superseded",
    ]


def test_the_signature_of_an_agreements_earlier_version_stands() -> None:
    next_ = replace(CHANGE, type="agreement", key=("ag-1",))
    signed = [stated(signature("e1"), "signature")]
    assert not list(dependent_findings([next_], signed))
    assert list(dependent_findings([replace(next_, what="withdrawn")], signed))
