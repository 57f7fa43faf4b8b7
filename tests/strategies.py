"""Hypothesis strategies: values, times and records of the standard, made from the types themselves."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from fedbatch.standard import values
from fedbatch.standard.findings import Place
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.records import Record
from fedbatch.standard.registry import RECORD_TYPES

INTEGER_MAX = 2**53 - 1

# All planes and the control characters, but no lone surrogates: those are no Unicode text.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=8)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
counts = st.integers(min_value=0, max_value=INTEGER_MAX)
ascii_keys = st.text(st.characters(max_codepoint=0x7F), max_size=8)


def plain(leaves: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Any]:
    """Plain JSON values within the bounds of S2."""
    integers = st.integers(min_value=-INTEGER_MAX, max_value=INTEGER_MAX)
    return st.recursive(
        leaves if leaves is not None else texts | integers | st.booleans(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_keys, inner, max_size=4),
        max_leaves=20,
    )


@st.composite
def decimals(draw: st.DrawFn, digits_max: int = values.DIGITS_MAX) -> str:
    """Decimal texts of the standard, trailing zeros kept."""
    digits = draw(st.text("0123456789", min_size=1, max_size=digits_max))
    scale = draw(st.integers(min_value=0, max_value=len(digits) - 1))
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
    text = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return draw(st.sampled_from(("", "-"))) + text


def _instant(moment: datetime) -> str:
    text = moment.isoformat(timespec="microseconds")
    return text.rstrip("0").rstrip(".") + "Z"


instants = st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)).map(_instant)  # noqa: DTZ001 - read as UTC
salts = st.binary(min_size=16, max_size=16).map(bytes.hex)
durations = st.sampled_from(("PT1H", "P2D", "P1W", "PT0.25S", "P1DT12H"))


def times() -> st.SearchStrategy[values.Time]:
    return st.builds(
        values.Time,
        instant=instants,
        text=texts,
        zone=st.sampled_from(("UTC", "+02:00", "Europe/Ljubljana")),
        zone_basis=st.sampled_from(get_args(values.ZoneBasis)),
        precision=st.sampled_from(get_args(values.Precision)),
        clock_offset=st.none() | decimals(digits_max=4),
    )


@st.composite
def a_value(draw: st.DrawFn) -> values.Value:
    """A value of any kind, each with what its kind needs."""
    kind = draw(st.sampled_from(get_args(values.ValueKind)))
    fields: dict[str, Any] = {"kind": kind, "raw": draw(texts)}
    if kind == "number":
        fields["number"] = draw(decimals())
        fields["comparator"] = draw(st.none() | st.sampled_from(get_args(values.Comparator)))
        fields["unit"] = draw(st.none() | st.sampled_from(("g/L", "1", "%{DO}")))
    elif kind == "absent":
        fields["absent"] = draw(st.sampled_from(get_args(values.AbsentReason)))
    elif kind == "time":
        fields["time"] = draw(times())
    elif kind in {"code", "boolean"}:
        fields["code"] = draw(names)
    fields["quality"] = draw(st.none() | st.sampled_from(get_args(values.Quality)))
    return values.Value(**fields)


# Texts that the schemas hold to a form, by the struct's name and the field's; `*` for any struct.
_FORMS: dict[str, st.SearchStrategy[Any]] = {
    "*.version": st.integers(min_value=1, max_value=1),
    "*.clock_offset": decimals(digits_max=4),
    "Agreement.body": hashes,
    "About.leaf": hashes,
    "Erased.leaf": hashes,
    "Provenance.commitment": hashes,
    "Succession.root": hashes,
    "ObjectReference.sha256": hashes,
    "ObjectReference.key_sha256": hashes,
    "Sealed.points_hash": hashes,
    **{f"Sealed.{name}": instants for name in ("from_", "to", "first", "last", "complete_until")},
    **{f"Derivation.{name}": instants for name in ("from_", "to", "at")},
    **{f"Derivation.{name}": decimals() for name in ("coverage", "least", "greatest")},
    **{f"{name}.{bound}": decimals() for name in ("Criterion", "Limit", "RecipeLimit")
       for bound in ("low", "high")},
    "FindingRecord.as_of": instants,
    "FindingRecord.severity": st.integers(min_value=1, max_value=4),
    "Points.base": instants,
    "Points.scaled": st.lists(counts | decimals() | st.just(""), max_size=3).map(tuple),
    "Result.attempt": st.integers(min_value=1, max_value=9),
    "Result.replicate": st.integers(min_value=1, max_value=9),
    "SeriesConversion.factor": decimals(),
    "SeriesConversion.offset": decimals(),
    **{f"SamplingModel.{name}": durations for name in ("longest_interval", "interval", "window")},
}  # fmt: skip
_TYPES: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
    str: lambda: texts,
    int: lambda: counts,
    bool: st.booleans,
    values.Value: a_value,
    values.Time: times,
    Place: lambda: st.builds(Place, file=texts, type=names, key=st.tuples(names)),
}


def _of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if hint in _TYPES:
        return _TYPES[hint]()
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(_of_type(parts[0]), min_size=1, max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(_of_type, parts))
    if parts:
        return st.one_of(*[_of_type(part) for part in parts if part is not type(None)])
    return structs(hint)


@st.composite
def _filled(draw: st.DrawFn, struct: type[msgspec.Struct]) -> Any:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in {"supersedes", "correction"} and issubclass(struct, Record):
            continue  # these stand above version 1 alone
        if not field.required and draw(st.integers(min_value=0, max_value=2)):
            continue
        form = _FORMS.get(f"{struct.__name__}.{field.name}", _FORMS.get(f"*.{field.name}"))
        found[field.name] = draw(form if form is not None else _of_type(field.type))
    return struct(**found)


def structs(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Instances of a struct of the standard: each optional field left out two times in three."""
    return _filled(struct)


def records(name: str) -> st.SearchStrategy[Any]:
    """Records of a type by its name."""
    return mapping_records() if name == "mapping" else structs(RECORD_TYPES[name].struct)


def mapping_records() -> st.SearchStrategy[Mapping]:
    """Mapping records, whose rules have one place and one target each."""
    rules = st.builds(MappingRule, header=texts, term=names) | st.builds(
        MappingRule, tag=texts, ignored=texts
    )
    return st.builds(
        Mapping,
        version=st.just(1),
        source=names,
        rules=st.lists(rules, min_size=1, max_size=3).map(tuple),
        shape=st.sampled_from(("row_a_batch", "wide", "long")),
        decimal_mark=st.sampled_from((".", ",")),
        zone=st.just("UTC"),
    )
