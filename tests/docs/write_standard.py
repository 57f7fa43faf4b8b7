"""Write what of docs/standard is made from the code: schemas, records.md, the table in units.md.

python tests/docs/write_standard.py docs/standard
"""

import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from fedbatch.node.home import read_package_units
from fedbatch.standard.registry import RECORD_TYPES, RecordType
from fedbatch.standard.schema import all_schemas, render_schema

HERE = Path(__file__).parent
BEGIN = "<!-- made from the code by tests/docs/write_standard.py -->"
END = "<!-- end of what is made from the code -->"
_SHARED = (
    "version",
    "supersedes",
    "correction",
    "value_status",
    "basis",
    "replaces",
    "observed_at",
    "recorded_at",
    "identifiers",
    "provenance",
    "redacted",
)
_FORM_WORDS = {
    "a decimal": "decimal",
    "an exact": "rational",
    "a UTC": "instant",
    "a SHA": "SHA-256",
    "an ISO": "duration",
}
_PLAIN_WORDS = {"string": "text", "boolean": "yes or no", "object": "record"}

Schema = Mapping[str, Any]


def read_meanings() -> dict[str, str]:
    """What each field means, by `field` or `Type.field`."""
    lines = (HERE / "meanings.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: meaning for name, _, meaning in pairs}


def _pick(meanings: Mapping[str, str], owner: str, field: str) -> str:
    return meanings.get(f"{owner}.{field}") or meanings[field]


def _kind(schema: Schema) -> str:
    """A field's type in a word or two."""
    if "anyOf" in schema:
        return _choice([_kind(item) for item in schema["anyOf"]])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{item}`" for item in schema["enum"])
    if schema.get("type") == "array":
        return _list(schema)
    return _plain(schema)


def _choice(kinds: list[str]) -> str:
    if set(kinds) == {"text", "[Reference](#reference)"}:
        return "→"
    return " or ".join(kinds)


def _list(schema: Schema) -> str:
    if "prefixItems" in schema:
        return "[" + ", ".join(_kind(item) for item in schema["prefixItems"]) + "]"
    items = schema.get("items")
    return f"list of {_kind(items)}" if isinstance(items, dict) else "list"


def _plain(schema: Schema) -> str:
    comment = schema.get("$comment", "")
    for words, name in _FORM_WORDS.items():
        if comment.startswith(words):
            return name
    kind = str(schema.get("type", "any"))
    return _PLAIN_WORDS.get(kind, kind)


def _cardinality(name: str, schema: Schema, required: Iterable[str]) -> str:
    is_list = schema.get("type") == "array"
    if name in required:
        return ("1..n" if "minItems" in schema else "0..n") if is_list else "1"
    return "0..n" if is_list else "0..1"


def _rows(owner: str, definition: Schema, names: Iterable[str], keys: Iterable[str]) -> list[str]:
    meanings = read_meanings()
    fields, required = definition["properties"], definition.get("required", ())
    rows = ["| field | card. | type | meaning |", "|---|---|---|---|"]
    for name in names:
        star = "★ " if name in keys else ""
        count = _cardinality(name, fields[name], required)
        meaning = _pick(meanings, owner, name)
        rows.append(f"| {star}`{name}` | {count} | {_kind(fields[name])} | {meaning} |")
    return rows


def _record(item: RecordType, schema: Schema) -> list[str]:
    struct = item.struct.__name__
    definition = schema["$defs"][struct]
    names = [
        name
        for name in definition["properties"]
        if name not in _SHARED or (name in item.key_fields and name != "version")
    ]
    writers = ", ".join(sorted(item.writers)) or "none: it lies in journals"
    status = "draft" if item.is_draft else "core"
    link = f"[{item.version}](schema/{item.name}-{item.version}.json)"
    return [
        f"### {item.name}",
        "",
        definition["description"],
        "",
        f"Schema {link}, {status}. Written by: {writers}.",
        "",
        *_rows(struct, definition, names, item.key_fields),
        "",
    ]


def _parts(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Every definition that records and the body are made of, once."""
    records = {item.struct.__name__ for item in RECORD_TYPES.values()} | {"withdrawal"}
    found: dict[str, Schema] = {}
    for schema in schemas.values():
        found.update({k: v for k, v in schema.get("$defs", {}).items() if k not in records})
    return dict(sorted(found.items()))


def render_records() -> str:
    """docs/standard/records.md."""
    schemas: dict[str, Any] = all_schemas()
    body, entry = schemas["agreement_body-1.0.json"], schemas["entry-1.0.json"]
    party = schemas["party-1.0.json"]["$defs"]["Party"]
    lines = [
        "# Records",
        "",
        BEGIN,
        "",
        "This page is made from the code by `make schema`; edit the code and its docstrings instead.",
        "A field with ★ belongs to the business key: equal in one ledger, it names one thing.",
        "Card. 1 is required, 0..1 may be left out, 0..n and 1..n are lists.",
        "→ names another record: by its key as text in the writer's own ledger, else by a Reference.",
        "What the texts look like says [values.md](values.md).",
        "",
        "## The entry",
        "",
        entry["description"],
        "",
        *_rows("entry", entry, entry["properties"], ()),
        "",
        "## Fields of every record",
        "",
        *_rows("Record", party, _SHARED, ()),
        "",
        "A withdrawal carries the fields with ★, `version`, `supersedes` and `correction` alone.",
        "",
        "## Record types",
        "",
    ]
    for item in RECORD_TYPES.values():
        lines += _record(item, schemas[f"{item.name}-{item.version}.json"])
    lines += ["## The agreement's body", "", body["description"], ""]
    lines += [*_rows("AgreementBody", body, body["properties"], ()), "", "## Parts", ""]
    for name, definition in _parts(schemas).items():
        lines += [f"### {name}", "", definition["description"], ""]
        lines += [*_rows(name, definition, definition["properties"], ()), ""]
    return "\n".join([*lines, END, ""])


def render_kinds() -> str:
    """The kinds of the units table: what converts into what."""
    units = sorted(read_package_units().by_code.values(), key=lambda item: item.kind)
    rows = ["| kind | UCUM codes that convert into one another |", "|---|---|"]
    for kind, members in groupby(units, key=lambda item: item.kind):
        codes = ", ".join(f"`{item.ucum}`" for item in members)
        rows.append(f"| {kind} | {codes} |")
    return "\n".join(rows)


def with_kinds(page: str) -> str:
    """units.md with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{render_kinds()}\n\n{END}{after}"


def main(folder: Path) -> None:
    """Write all of it."""
    schemas = folder / "schema"
    schemas.mkdir(parents=True, exist_ok=True)
    for name, schema in all_schemas().items():
        (schemas / name).write_text(render_schema(schema), encoding="utf-8")
    (folder / "records.md").write_text(render_records(), encoding="utf-8")
    units = folder / "units.md"
    units.write_text(with_kinds(units.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
