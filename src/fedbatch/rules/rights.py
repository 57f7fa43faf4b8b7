"""What an agreement lets cross: parameters bound to terms, rights per type, code, role and field.

The default is nothing. A right opens exactly what it names; `*` opens all of one dimension.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Right
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.values import ValueStatus, in_time

__all__ = ["Measured", "bind", "bindings", "find_right", "status_reaches", "visible_fields"]

_RANK: dict[str, int] = {"provisional": 0, "checked": 1, "approved": 2}


@dataclass(frozen=True, slots=True)
class Measured:
    """A parameter as a journal names it."""

    term: str
    equipment_class: str | None
    position: str | None
    qualifier: str | None
    role: str


def binds(parameter: AgreedParameter, measured: Measured) -> bool:
    """Whether an agreed parameter means this one (STANDARD S29).

    Term, qualifier and role are equal, and class and position where the agreement names them.
    """
    return (
        parameter.term == measured.term
        and parameter.qualifier == measured.qualifier
        and parameter.role == measured.role
        and parameter.equipment_class in {None, measured.equipment_class}
        and parameter.position in {None, measured.position}
    )


def bind(body: AgreementBody, measured: Measured) -> AgreedParameter | None:
    """The agreed parameter that means this one, or None: then it is not agreed."""
    return next((item for item in body.parameters if binds(item, measured)), None)


def bindings(
    body: AgreementBody, mappings: Iterable[Mapping]
) -> dict[str, list[tuple[Mapping, MappingRule]]]:
    """For each agreed code the mapping rules that feed it, each with its mapping."""
    fed: dict[str, list[tuple[Mapping, MappingRule]]] = {item.code: [] for item in body.parameters}
    for mapping in mappings:
        for rule in mapping.rules:
            if rule.term is None:
                continue
            measured = Measured(
                rule.term, rule.equipment_class, rule.position, rule.qualifier, rule.role
            )
            parameter = bind(body, measured)
            if parameter is not None:
                fed[parameter.code].append((mapping, rule))
    return fed


def status_reaches(status: ValueStatus | None, least: ValueStatus) -> bool:
    """Whether a value status is at least another; absent means provisional."""
    return _RANK[status or "provisional"] >= _RANK[least]


def _allows(choices: Sequence[str], value: str) -> bool:
    return "*" in choices or value in choices


def _is_over(right: Right, now: str) -> bool:
    return bool(right.until and now) and in_time(right.until or "") <= in_time(now)


def find_right(
    body: AgreementBody,
    record_type: str,
    *,
    code: str = "",
    role: str = "",
    batches: Sequence[str] = (),
    now: str = "",
) -> Right | None:
    """The right that opens a record, or None.

    Args:
        body: the agreement.
        record_type: the record's type.
        code: for results and series, the agreed code.
        role: likewise, the role.
        batches: every number the record's batch has.
        now: the present instant, against which `until` is held.
    """
    for right in body.rights:
        if right.record_type != record_type or _is_over(right, now):
            continue
        if code and not (_allows(right.codes, code) and _allows(right.roles, role)):
            continue
        if "*" in right.batches or any(number in right.batches for number in batches):
            return right
    return None


def visible_fields(right: Right, names: Iterable[str]) -> set[str]:
    """Which of a record's fields a right opens."""
    return {name for name in names if _allows(right.fields, name)}
