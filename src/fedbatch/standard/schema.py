"""JSON Schemas (2020-12) of the standard: one a record type, the entry envelope, the agreement's body.

They are made from the types that software writes and reads, so that the two cannot drift apart. A
schema is stricter than a reader: it says what a writer may write. Fields it does not name are
allowed, because readers ignore what a later minor version adds (STANDARD S32).

What JSON Schema cannot say is checked on the bytes by `canonical`: no key twice, no float written as
`1.0`, and the bounds of S2 in fields that no schema names.
"""

import json

import msgspec

from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.canonical import INTEGER_MAX
from fedbatch.standard.envelope import Heading
from fedbatch.standard.registry import RECORD_TYPES, RecordType, schema_urn
from fedbatch.standard.values import DIGITS_MAX

__all__ = ["all_schemas", "body_schema", "envelope_schema", "record_schema", "render_schema"]

Schema = dict[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_VERSION = "1.0"
BODY_VERSION = "1.0"
_REFERENCE = "#/$defs/{name}"

_DECIMAL: Schema = {
    "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$",
    "maxLength": DIGITS_MAX + len("-."),
    "$comment": f"a decimal of at most {DIGITS_MAX} digits (S2)",
}
_RATIONAL: Schema = {
    "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+|/[1-9][0-9]*)?$",
    "$comment": "an exact rational or a decimal (S10)",
}
_SCALED: Schema = {
    "pattern": r"^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)?$",
    "$comment": "a decimal, a double as RFC 8785 writes it, or empty for no number (S38)",
}
_INSTANT: Schema = {
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
    "$comment": "a UTC instant with at most 6 decimals (S12)",
}
_SHA256: Schema = {"pattern": "^[0-9a-f]{64}$", "$comment": "a SHA-256 in hex"}
_DURATION: Schema = {
    "pattern": r"^P(?=.)([0-9]+W)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?$",
    "$comment": "an ISO 8601 duration without years and months, which have no one length",
}
_ONE_UP: Schema = {"minimum": 1}
_NOT_NEGATIVE: Schema = {"minimum": 0}
_CLOSED_TEXT: Schema = {"minLength": 1}

# What a field's text or count must look like, by the definition's title and the field's name.
_FORMS: dict[str, dict[str, Schema]] = {
    "*": {"version": _ONE_UP, "clock_offset": _DECIMAL},
    "About": {"leaf": _SHA256},
    "Agreement": {"body": _SHA256},
    "AgreementBody": {"window_tolerance": _DURATION},
    "Cadence": {"due": _DURATION, "late_after": _DURATION},
    "ClockTerm": {
        "acknowledge": _DURATION,
        "notify": _DURATION,
        "summary": _DURATION,
        "close": _DURATION,
    },
    "Conversion": {"number": _DECIMAL, "factor": _RATIONAL, "offset": _RATIONAL},
    "Criterion": {"low": _DECIMAL, "high": _DECIMAL},
    "Derivation": {
        "index": _NOT_NEGATIVE,
        "from": _INSTANT,
        "to": _INSTANT,
        "at": _INSTANT,
        "coverage": _DECIMAL,
        "least": _DECIMAL,
        "greatest": _DECIMAL,
    },
    "Effective": {"from": _INSTANT, "to": _INSTANT},
    "Entries": {"first": _NOT_NEGATIVE, "last": _NOT_NEGATIVE},
    "Erased": {"leaf": _SHA256},
    "FindingRecord": {"as_of": _INSTANT, "severity": {"minimum": 1, "maximum": 4}},
    "KnownAt": {"size": _NOT_NEGATIVE},
    "Limit": {
        "low": _DECIMAL,
        "high": _DECIMAL,
        "from": _INSTANT,
        "persistence": _DURATION,
        "averaging": _DURATION,
        "ramp": _DURATION,
    },
    "ObjectReference": {"sha256": _SHA256, "key_sha256": _SHA256, "bytes": _NOT_NEGATIVE},
    "Points": {"base": _INSTANT, "scaled": _SCALED},
    "Provenance": {"commitment": _SHA256},
    "Receipt": {"size": _NOT_NEGATIVE},
    "RecipeLimit": {"low": _DECIMAL, "high": _DECIMAL},
    "Result": {"attempt": _ONE_UP, "replicate": _ONE_UP},
    "Right": {"until": _INSTANT},
    "Rounding": {"decimals": _NOT_NEGATIVE},
    "Sampling": {"interval": _DURATION, "least_count": _NOT_NEGATIVE},
    "SamplingModel": {
        "longest_interval": _DURATION,
        "interval": _DURATION,
        "window": _DURATION,
    },
    "Sealed": {
        "from": _INSTANT,
        "to": _INSTANT,
        "first": _INSTANT,
        "last": _INSTANT,
        "complete_until": _INSTANT,
        "points_hash": _SHA256,
        "count": _NOT_NEGATIVE,
    },
    "SeriesConversion": {"factor": _RATIONAL, "offset": _RATIONAL},
    "Succession": {"size": _NOT_NEGATIVE, "root": _SHA256},
    "Time": {"instant": _INSTANT},
    "Value": {"number": _DECIMAL},
    "Heading": {
        "id": _CLOSED_TEXT,
        "type": {"pattern": "^fedbatch\\.[a-z][a-z_]*$"},
        "source": {"pattern": "^urn:fedbatch:source:"},
        "time": {
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
            "$comment": "a UTC instant in milliseconds",
        },
        "dataschema": {"pattern": "^urn:fedbatch:schema:[a-z][a-z_]*:[0-9]+\\.[0-9]+$"},
        "agreement": {"pattern": "^.+@[1-9][0-9]*$"},
        "salt": {"pattern": "^[0-9a-f]{32}$", "$comment": "128 random bits"},
    },
}

# Required, and yet nothing may stand in them: an agreement that shares nothing, a pause of points.
_MAY_BE_EMPTY = frozenset({"AgreementBody", "Points"})

# A field that must stand where `kind` is the word beside it, and nowhere else.
_BY_KIND = (("number", "number"), ("absent", "absent"))


def _as_schema(value: object) -> Schema:
    return value if isinstance(value, dict) else {}


def _definitions(struct: type[msgspec.Struct]) -> dict[str, Schema]:
    """The definitions of a type and of all it is made of, put in the standard's bounds."""
    _, found = msgspec.json.schema_components([struct], ref_template=_REFERENCE)
    return {name: _bounded(name, definition) for name, definition in found.items()}


def _bounded(name: str, definition: Schema) -> Schema:
    forms = {**_FORMS["*"], **_FORMS.get(name, {})}
    bounded = dict(definition)
    bounded["properties"] = {
        field: _field(_as_schema(schema), forms.get(field, {}))
        for field, schema in _as_schema(definition.get("properties")).items()
    }
    bounded["additionalProperties"] = True
    bounded["propertyNames"] = {"pattern": "^[\\x00-\\x7f]+$"}
    _fill_lists(bounded, may_be_empty=name in _MAY_BE_EMPTY)
    if name == "Value":
        bounded["allOf"] = [_only_with_kind(field, kind) for field, kind in _BY_KIND]
    return bounded


def _fill_lists(definition: Schema, *, may_be_empty: bool) -> None:
    """A required list holds something (`+` in STANDARD §3)."""
    required = definition.get("required")
    for field, found in _as_schema(definition["properties"]).items():
        schema = _as_schema(found)
        is_required = isinstance(required, list) and field in required
        if schema.get("type") == "array" and is_required and not may_be_empty:
            schema["minItems"] = 1


def _only_with_kind(field: str, kind: str) -> Schema:
    return {
        "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
        "then": {"required": [field]},
        "else": {"properties": {field: False}},
    }


def _field(schema: Schema, form: Schema) -> Schema:
    """A field's schema without null, floats and big integers, with its form where it has one."""
    bounded = {name: value for name, value in schema.items() if name != "anyOf"}
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        kept = [_field(_as_schema(item), form) for item in choices if item != {"type": "null"}]
        if len(kept) == 1:
            bounded.update(kept[0])
        else:
            bounded["anyOf"] = kept
    if bounded.get("default", True) is None:
        del bounded["default"]
    _bound_kind(bounded, form)
    return bounded


def _bound_kind(schema: Schema, form: Schema) -> None:
    kind = schema.get("type")
    if kind == "integer":
        schema.update({"minimum": -INTEGER_MAX, "maximum": INTEGER_MAX})
        schema.update({name: form[name] for name in ("minimum", "maximum") if name in form})
    elif kind == "string":
        schema.update(form)
    elif kind == "array":
        _bound_items(schema, form)


def _bound_items(schema: Schema, form: Schema) -> None:
    items = schema.get("items")
    if isinstance(items, dict):
        schema["items"] = _field(items, form)
    pairs = schema.get("prefixItems")
    if isinstance(pairs, list):
        schema["prefixItems"] = [_field(_as_schema(item), {}) for item in pairs]


def _head(urn: str, title: str, description: str) -> Schema:
    return {"$schema": DIALECT, "$id": urn, "title": title, "description": description}


def record_schema(item: RecordType) -> Schema:
    """The schema of a record type: the whole record, or what takes one back (S19)."""
    definitions = _definitions(item.struct)
    struct = item.struct.__name__
    whole = definitions[struct]
    if item.name != "sealed":
        # Above version 1 a record says what it replaces and why; sealed ones are told apart by key.
        whole["if"] = {"properties": {"version": {"minimum": 2}}, "required": ["version"]}
        whole["then"] = {"required": ["supersedes", "correction"]}
    description = str(whole.get("description", ""))
    head = _head(schema_urn(item), item.name, description)
    if item.is_draft:
        head["x-status"] = "draft"
    withdrawal = _withdrawal(item, whole)
    return {
        **head,
        "anyOf": [{"$ref": f"#/$defs/{struct}"}, {"$ref": "#/$defs/withdrawal"}],
        "$defs": {**definitions, "withdrawal": withdrawal},
    }


def _withdrawal(item: RecordType, whole: Schema) -> Schema:
    fields = _as_schema(whole["properties"])
    required = whole.get("required")
    keys = [name for name in fields if name in item.key_fields]
    always = [name for name in keys if isinstance(required, list) and name in required]
    return {
        "title": "withdrawal",
        "description": "Takes a record back: its business key, and why (S19).",
        "type": "object",
        "properties": {
            "version": {"type": "integer", "minimum": 2, "maximum": INTEGER_MAX},
            "supersedes": {"type": "string"},
            "correction": {
                "allOf": [{"$ref": "#/$defs/Correction"}],
                "properties": {"kind": {"const": "withdraw"}},
            },
            **{name: fields[name] for name in keys},
        },
        "required": ["version", "supersedes", "correction", *always],
        "additionalProperties": True,
        "propertyNames": {"pattern": "^[\\x00-\\x7f]+$"},
    }


def envelope_schema() -> Schema:
    """The schema of an entry: CloudEvents names around one record (STANDARD §1)."""
    definition = _definitions(Heading)["Heading"]
    fields = _as_schema(definition["properties"])
    fields["data"] = {"type": "object", "description": "the record, by `dataschema`"}
    required = definition.get("required")
    named = [str(name) for name in required] if isinstance(required, list) else []
    definition["required"] = [*named, "specversion", "datacontenttype", "data"]
    for name in ("specversion", "datacontenttype"):
        # These never stand for themselves: every entry says them.
        _as_schema(fields[name]).pop("default", None)
    head = _head(
        f"urn:fedbatch:schema:entry:{ENVELOPE_VERSION}",
        "entry",
        "One position of a ledger: an envelope with CloudEvents 1.0 names around one record.",
    )
    return {**definition, **head}


def body_schema() -> Schema:
    """The schema of an agreement's body, the attachment whose hash both parties sign."""
    definitions = _definitions(AgreementBody)
    body = definitions.pop("AgreementBody")
    head = _head(
        f"urn:fedbatch:schema:agreement_body:{BODY_VERSION}",
        "agreement_body",
        str(body.get("description", "")),
    )
    return {**body, **head, "$defs": definitions}


def all_schemas() -> dict[str, Schema]:
    """Every schema by the name of its file."""
    found = {
        f"entry-{ENVELOPE_VERSION}.json": envelope_schema(),
        f"agreement_body-{BODY_VERSION}.json": body_schema(),
    }
    for item in RECORD_TYPES.values():
        found[f"{item.name}-{item.version}.json"] = record_schema(item)
    return found


def render_schema(schema: Schema) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
