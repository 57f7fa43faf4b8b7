"""What names an entry that stands no longer: each is looked at again (STANDARD S19).

A reference with `entry` names one version. One without names the record itself, and is out of date
only where it was written before the change; across ledgers nobody can tell, so it counts.
"""

from collections.abc import Iterable, Iterator

from fedbatch.rules.facts import Change, Statement
from fedbatch.standard.drafts import Certificate
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import Approval, Record, ResultFields, Signature
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Named, Reference

__all__ = ["dependent_findings"]


def dependent_findings(
    changes: Iterable[Change], statements: Iterable[Statement]
) -> Iterator[Finding]:
    """`record.dependent` for each standing entry and each changed entry that it names."""
    # An agreement's next version, a pause or an end takes nothing back of the one that was signed.
    by_entry = {
        change.entry_id: change
        for change in changes
        if change.type != "agreement" or change.what == "withdrawn"
    }
    by_key: dict[tuple[str, tuple[str, ...]], list[Change]] = {}
    for change in by_entry.values():
        by_key.setdefault((change.type, change.key), []).append(change)
    for statement in statements:
        if statement.entry_id in by_entry:
            continue
        named = {entry: by_entry[entry] for entry in _entries(statement.record) & by_entry.keys()}
        for type_, reference in _references(statement.record):
            for change in by_key.get((type_, _key(reference)), ()):
                if _is_older(statement, reference, change):
                    named[change.entry_id] = change
        for change in named.values():
            yield _dependent(statement, change)


def _entries(record: Record) -> set[str]:
    """The entries that a record names, each as one version."""
    if isinstance(record, Approval):
        return {target.entry for target in record.targets}
    if isinstance(record, Signature):
        return {about.entry for about in record.about}
    named = (reference for _, reference in _references(record))
    return {item.entry for item in named if isinstance(item, Reference) and item.entry is not None}


def _references(record: Record) -> list[tuple[str, Named]]:
    """The records on whose values a record rests, each with its type."""
    if isinstance(record, ResultFields):
        return [(_type(item, "result"), item) for item in record.of]
    if isinstance(record, Certificate):
        results = [(_type(item, "result"), item) for item in record.results]
        return [*results, (_type(record.specification, "specification"), record.specification)]
    return []


def _type(reference: Named, usual: str) -> str:
    return (reference.type if isinstance(reference, Reference) else None) or usual


def _key(reference: Named) -> tuple[str, ...]:
    return (reference,) if isinstance(reference, str) else reference.key


def _is_older(statement: Statement, reference: Named, change: Change) -> bool:
    if isinstance(reference, Reference) and reference.entry is not None:
        return False
    stated_in = (reference.ledger if isinstance(reference, Reference) else None) or statement.ledger
    if stated_in != change.ledger:
        return False
    return statement.ledger != change.ledger or statement.order < change.order


def _dependent(statement: Statement, change: Change) -> Finding:
    return finding(
        "record.dependent",
        Place(type=statement.type, key=statement.key),
        found=f"entry {statement.entry_id} names entry {change.entry_id}, {change.what}",
        expected="a record that rests on entries that stand",
    )
