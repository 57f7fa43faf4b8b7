"""The plant's answers held against what was found: found, missed, not yet, unlabelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fedbatch.node.findings import FindingRow
from fedbatch.plant.labels import Label

__all__ = ["Reckoning", "reckon_labels"]

# Findings that ask somebody to look; information is not held against the plant.
_SEVERITY_MAX = 2


@dataclass(slots=True)
class Reckoning:
    """What became of each labelled fault and look-alike."""

    found: dict[str, list[str]] = field(default_factory=dict)
    missed: dict[str, list[str]] = field(default_factory=dict)
    not_yet: dict[str, list[str]] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    false: dict[str, list[str]] = field(default_factory=dict)
    unlabelled: list[FindingRow] = field(default_factory=list)


def reckon_labels(labels: Sequence[Label], rows: Sequence[FindingRow]) -> Reckoning:
    """Hold findings of all nodes against the labels."""
    reckoning = Reckoning()
    claimed: set[int] = set()
    for label in labels:
        if not label.fault:
            continue
        for rule in label.expected:
            matching = [at for at, row in enumerate(rows) if _matches(label, rule, row)]
            claimed.update(matching)
            kept = reckoning.found if matching else reckoning.missed
            kept.setdefault(label.id, []).append(rule)
        if label.not_yet:
            reckoning.not_yet[label.id] = list(label.not_yet)
    faults = [label for label in labels if label.fault]
    for label in labels:
        if not label.fault:
            _look_alike(label, faults, rows, reckoning)
    for at, row in enumerate(rows):
        is_of_fault = any(_is_about(label, row) for label in faults)
        if at not in claimed and row.finding.severity <= _SEVERITY_MAX and not is_of_fault:
            reckoning.unlabelled.append(row)
    return reckoning


def _matches(label: Label, rule: str, row: FindingRow) -> bool:
    return row.finding.rule == rule and _is_about(label, row)


def _is_about(label: Label, row: FindingRow) -> bool:
    """Whether a finding is of a label's batch and of one of its parameters, where it names any."""
    where = " ".join((row.batch, *row.finding.where.key))
    if label.batch not in where and row.batch:
        return False
    code = row.parameter.rpartition(".")[0] or row.parameter
    return not label.parameters or not code or code in label.parameters


def _look_alike(
    label: Label, faults: Sequence[Label], rows: Sequence[FindingRow], reckoning: Reckoning
) -> None:
    """What must stay silent: findings that no fault of the batch explains are false."""
    false = [
        row
        for row in rows
        if row.finding.rule in label.must_not
        and row.batch
        and label.batch in row.batch
        and _is_about(label, row)
        and not any(_matches(fault, row.finding.rule, row) for fault in faults)
    ]
    if false:
        reckoning.false[label.id] = [row.render() for row in false]
    else:
        reckoning.silent.append(label.id)
