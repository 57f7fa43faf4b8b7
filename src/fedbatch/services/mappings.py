"""What must hold before a person may confirm a mapping."""

from collections import Counter

from fedbatch.mapping.times import check_format
from fedbatch.standard.dictionary import Dictionary
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.units import Unit, UnitQuestion, UnitTable

__all__ = ["check_mapping"]

_TIMES = (
    "batch.start",
    "batch.end",
    "step.start",
    "step.end",
    "equipment.from",
    "equipment.to",
    "sample.drawn",
    "observed_at",
    "elapsed.from",
    "recorded_at",
    "analysed",
)

# What tells the rows of a wide table apart.
_TELLING = frozenset({"observed_at", "elapsed", "sample", "replicate"})


def check_mapping(mapping: Mapping, units: UnitTable, dictionary: Dictionary) -> list[str]:
    """Every reason why a mapping cannot be confirmed, for a person; empty when it can."""
    problems: list[str] = []
    for rule in mapping.rules:
        where = rule.header or rule.tag or ""
        problems += [f"{where}: {text}" for text in _check_rule(rule, mapping, units, dictionary)]
    problems += _check_whole(mapping)
    return problems


def _check_rule(
    rule: MappingRule, mapping: Mapping, units: UnitTable, dictionary: Dictionary
) -> list[str]:
    if rule.open is not None:
        return [f"still open: {rule.open}"]
    problems: list[str] = []
    if rule.ignored is not None and not rule.ignored.strip():
        problems.append("ignored without a reason")
    if rule.field in _TIMES and not (rule.time_format or mapping.time_formats):
        problems.append("a time without a time format")
    if rule.time_format is not None and (wrong := check_format(rule.time_format)):
        problems.append(wrong)
    if rule.term is not None:
        problems += _check_term(rule, units, dictionary)
    if rule.field == "batch.size":
        problems += _check_unit(rule, units)
    return problems


def _check_term(rule: MappingRule, units: UnitTable, dictionary: Dictionary) -> list[str]:
    term = dictionary.terms.get(rule.term or "")
    if term is None and not (rule.term or "").startswith("x."):
        return [f"{rule.term} is no term of the dictionary; a term of your own is x.<party>.<name>"]
    if rule.kind != "number":
        return []
    problems = _check_unit(rule, units)
    if problems or term is None or not term.units:
        return problems
    unit = rule.unit or ""
    if not any(units.is_convertible(unit, known) for known in term.units):
        return [f"{unit} is no unit of {term.name}: {', '.join(term.units)}"]
    return []


def _check_unit(rule: MappingRule, units: UnitTable) -> list[str]:
    if rule.unit is None:
        return ["a number without a unit; `1` for none"]
    if rule.unit not in units.by_code:
        return [f"{rule.unit} is no UCUM code of the units table"]
    if rule.raw_unit is None:
        return []
    found = units.find(rule.raw_unit)
    if isinstance(found, UnitQuestion):
        return [f"{rule.raw_unit} may mean {found.choices}"]
    if found is None:
        return [f"{rule.raw_unit} is no unit of the units table"]
    return _check_claim(rule, found, units)


def _check_claim(rule: MappingRule, found: Unit, units: UnitTable) -> list[str]:
    """The source's unit converts to the mapping's, or is a bare % that the mapping says what of."""
    if units.is_convertible(found.ucum, rule.unit or ""):
        return []
    if found.ucum == "%" and (rule.unit or "").startswith("%{"):
        return []
    return [f"{rule.raw_unit} does not convert to {rule.unit}"]


def _check_whole(mapping: Mapping) -> list[str]:
    problems = []
    named = Counter(rule.field for rule in mapping.rules if rule.field is not None)
    named.update(item.field for item in mapping.constants)
    problems += [f"{name} is fed twice" for name, count in named.items() if count > 1]
    if not {"batch", "batch.partner", "equipment"} & named.keys():
        problems.append("nothing says which batch or equipment a row is of")
    if mapping.shape == "wide" and not _TELLING & named.keys():
        problems.append(
            "a wide table needs observed_at, sample or replicate to tell its rows apart"
        )
    if mapping.shape == "long" and not {"tag", "value"} <= named.keys():
        problems.append("a long table needs a column for tag and one for value")
    if mapping.shape != "long":
        problems += [
            f"{name} is a field of long tables"
            for name in ("tag", "value", "unit")
            if name in named
        ]
    if mapping.month_names and len(mapping.month_names) != 12:  # noqa: PLR2004 - months
        problems.append(f"twelve month names, not {len(mapping.month_names)}")
    problems += [
        f"{item.field}: a time without a time format"
        for item in mapping.constants
        if item.field in _TIMES and not mapping.time_formats
    ]
    problems += [wrong for form in mapping.time_formats if (wrong := check_format(form))]
    return problems
