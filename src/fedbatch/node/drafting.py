"""Drafts of mapping and agreement files: filled in as far as evidence goes, the rest as questions."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from fedbatch.errors import ConflictError, expectation
from fedbatch.mapping.series import is_series
from fedbatch.mapping.suggest import ColumnProposal, TableProposal, propose
from fedbatch.mapping.suggest_long import LongProposal, TagProposal, propose_long
from fedbatch.mapping.tables import Table
from fedbatch.node.home import Home
from fedbatch.node.importing import layout_of, load_mappings
from fedbatch.ports import Partner
from fedbatch.sources.tabular import read_file
from fedbatch.standard.mappings import Mapping, MappingRule, TableLayout
from fedbatch.store.objects import write_durably

__all__ = ["draft_agreement", "draft_alone", "draft_mapping", "write_draft"]

_MAPPING_HEAD = """\
# A draft of {path}. What begins with `open:` is a question: put `term:`, `field:`, `lot:` or
# `ignored: why` in its place. Check the rest too: it is a proposal, with its evidence behind #.
# Then `fedbatch map check` and `fedbatch map confirm` with this file.
source: {name}
version: 1
shape: {shape}
decimal_mark: {mark}
zone: {zone}
"""
_ROWS = "row_a_batch   # or wide (rows by time or sample), or long (tag, time, value)"
_LONG = "long   # or row_a_batch, or wide (rows by time or sample)"
_TAGS = """\
  # A rule for each tag. `model` says how the source samples: raw, as_archived, interpolated or
  # averaged. That it is as_archived is assumed here: whoever set the source up knows. Then state
  # dead_band and longest_interval (PT1H: a value at least every hour) too: gaps are judged by it.
"""
_OWNER = """\
# open: no column says which batch or piece of equipment a row is of. One of all rows is stated so:
# constants: [{field: equipment, text: BR201}]
"""
_AGREEMENT_HEAD = """\
# A draft of a data agreement. Everything here is data that both sign; check every line.
# Then: fedbatch agreement check FILE && fedbatch agreement {verb} FILE
id: {id}
version: 1
parties:
  - {{party: {own}, role: {own_role}, name: {own_name}}}
  - {{{partner}role: {partner_role}, name: {partner_name}}}
product:
  - id: product-1
    name: "?"                    # the product's name
    identifiers:                 # the product code, as it stands in {files} files
      - {{system: "urn:fedbatch:party:{cmo}:product", value: "?"}}
sites:
  - {{site: main, zone: Europe/Zurich}}
purpose: pilot                   # pilot bars disposition; other purposes need accounts
effective: {{from: "{today}T00:00:00Z"}}
"""


def write_draft(path: Path, text: str) -> None:
    """Write a draft, never over another file.

    Raises:
        ConflictError: there is one.
        StoreError: there is no room for it.
    """
    if path.exists():
        raise ConflictError(
            expectation(
                "a name where no file is yet",
                str(path),
                "one",
                "A draft replaces none: name another with --out.",
            ),
            code="draft.exists",
        )
    write_durably(path, text.encode())


def _quoted(text: str) -> str:
    """A text as YAML reads it back, whatever stands in it."""
    return msgspec.json.encode(text).decode()


def draft_mapping(
    home: Home, path: Path, *, name: str, zone: str | None, layout: TableLayout
) -> tuple[str, int]:
    """The draft of a mapping for a file, and how many questions it leaves open."""
    (table,) = read_file(path, layout_of(layout)).tables
    proposal = propose(table, home.dictionary, home.units)
    mark = _quoted(proposal.decimal_mark) if proposal.decimal_mark else '"?"   # "." or ","'
    zone_text = zone or '"?"   # the zone of its times, such as Europe/Zurich'
    long = propose_long(table, proposal, home.dictionary, home.units)
    shape = _ROWS if long is None else _LONG
    head = _MAPPING_HEAD.format(path=path.name, name=name, mark=mark, zone=zone_text, shape=shape)
    if long is not None and not long.is_owned:
        head += _OWNER
    columns = proposal.columns if long is None else long.columns
    lines = [
        head + _format_lines(proposal) + _layout_lines(table, layout) + "rules:",
        *map(_rule_lines, columns),
    ]
    if long is not None:
        lines += _tag_lines(long)
    return "\n".join(lines) + "\n", _open_count(proposal, long, zone)


def _open_count(proposal: TableProposal, long: LongProposal | None, zone: str | None) -> int:
    columns = proposal.columns if long is None else long.columns
    asked = sum(1 for item in columns if item.question)
    if long is not None:
        asked += sum(1 for item in long.tags if item.question) + (not long.is_owned)
    return asked + (not proposal.decimal_mark) + (zone is None)


def _tag_lines(long: LongProposal) -> list[str]:
    """A rule for each tag that is listed, and how many are not."""
    lines = [_TAGS.rstrip("\n"), *map(_tag_line, long.tags)]
    if long.more_tags:
        lines.append(
            f"  # … and {long.more_tags} more tags in {long.more_rows} rows: what has no rule is "
            "held back (tag.unmapped)."
        )
    return lines


def _tag_line(item: TagProposal) -> str:
    series = "series: {model: as_archived}"
    named = [("raw_unit", item.raw_unit), ("unit", item.unit)]
    parts = [
        f"tag: {_quoted(item.tag)}",
        f"open: {_quoted(item.question)}" if item.question else f"term: {item.term}",
        f"role: {item.role}",
        *(f"{name}: {_quoted(text)}" for name, text in named if text),
        *([] if item.question else [series]),
    ]
    rows = f"{item.rows:,} row{'s' if item.rows != 1 else ''}"
    remarks = [rows, item.evidence, f"with a term: {series}" if item.question else ""]
    return f"  - {{{', '.join(parts)}}}   # {'; '.join(filter(None, remarks))}"


def _format_lines(proposal: TableProposal) -> str:
    """Formats of a column that has several, which all columns may have then."""
    several = [item.time_formats for item in proposal.columns if item.field]
    forms = dict.fromkeys(form for formats in several if len(formats) > 1 for form in formats)
    return f"time_formats: [{', '.join(map(_quoted, forms))}]\n" if forms else ""


def _layout_lines(table: Table, layout: TableLayout) -> str:
    """The layout as stated, with the rows of headers, groups and units that were found."""
    stated = {name: value for name, value in msgspec.structs.asdict(layout).items() if value}
    stated["header_row"] = table.header_row
    for name in ("group_row", "unit_row"):
        row = getattr(table.layout, name)
        if row is not None:
            stated[name] = row
    if table.scheme == "cell":
        stated["sheet"] = table.sheet
    parts = (f"{name}: {_quoted(str(value))}" for name, value in stated.items())
    return f"layout: {{{', '.join(parts)}}}\n"


def _rule_lines(item: ColumnProposal) -> str:
    parts = [f"header: {_quoted(item.column.header)}"]
    if item.column.group:
        parts.append(f"group: {_quoted(item.column.group)}")
    if item.occurrence > 1:
        parts.append(f"occurrence: {item.occurrence}")
    if item.question:
        parts.append(f"open: {_quoted(item.question)}")
    elif item.field:
        parts.append(f"field: {item.field}")
        if len(item.time_formats) == 1:
            parts.append(f"time_format: {_quoted(item.time_formats[0])}")
    else:
        parts += [
            f"term: {item.term}",
            f"raw_unit: {_quoted(item.raw_unit)}",
            f"unit: {_quoted(item.unit)}",
        ]
    remark = f"   # {item.evidence}" if item.evidence else ""
    return f"  - {{{', '.join(parts)}}}{remark}"


# ---- agreements


def draft_agreement(home: Home, partner: Partner, *, own_role: str, id_: str) -> str:
    """The draft of an agreement with a partner: this party's confirmed terms as its parameters."""
    partner_role = "sponsor" if own_role == "CMO" else "CMO"
    head = _AGREEMENT_HEAD.format(
        verb="propose",
        id=id_,
        own=home.settings.party,
        own_role=own_role,
        own_name=_quoted(home.settings.name),
        partner=f"party: {partner.party}, ",
        partner_role=partner_role,
        partner_name=_quoted(partner.name),
        files="the CMO's",
        cmo=home.settings.party if own_role == "CMO" else partner.party,
        today=home.clock.now()[:10],
    )
    return head + _agreed(load_mappings(home))


def draft_alone(home: Home, maker: str, *, id_: str) -> str:
    """The draft of a sponsor's one-sided agreement: its maker is named, and has no id yet."""
    head = _AGREEMENT_HEAD.format(
        verb="sign",
        id=id_,
        own=home.settings.party,
        own_role="sponsor",
        own_name=_quoted(home.settings.name),
        partner="",
        partner_role="CMO",
        partner_name=_quoted(maker),
        files="the e-mailed",
        # What the sponsor has taken in bears its own name until the maker says what it calls things.
        cmo=home.settings.party,
        today=home.clock.now()[:10],
    )
    return head + _agreed(load_mappings(home))


def _agreed(mappings: list[Mapping]) -> str:
    return _parameters(mappings) + _rights(mappings)


def _parameters(mappings: list[Mapping]) -> str:
    rules = {
        (rule.term, rule.position, rule.qualifier, rule.role): rule
        for mapping in mappings
        for rule in mapping.rules
        if rule.term is not None
    }
    if not rules:
        example = "{code: ASSAY, term: assay, role: result, unit: '%{LC}'}"
        return f"parameters:                      # the codes both use from now on\n  - {example}\n"
    lines = [
        "parameters:                      # the codes both use from now on; leave out what is not agreed"
    ]
    lines += [_parameter(rule) for rule in rules.values()]
    return "\n".join(lines) + "\n"


def _parameter(rule: MappingRule) -> str:
    names = filter(None, (rule.term, rule.position, rule.qualifier))
    code = "_".join(name.replace(" ", "-").replace(".", "_") for name in names).upper()
    parts = [f"code: {_quoted(code)}", f"term: {rule.term}", f"role: {rule.role}"]
    if rule.position:
        parts.append(f"position: {_quoted(rule.position)}")
    if rule.qualifier:
        parts.append(f"qualifier: {_quoted(rule.qualifier)}")
    parts.append(f"unit: {_quoted(rule.unit or '')}")
    return f"  - {{{', '.join(parts)}}}"


def _rights(mappings: Iterable[Mapping]) -> str:
    types = ["product", "batch", "step", "lot", "transformation", "sample", "result", "finding"]
    if any(is_series(mapping) for mapping in mappings):
        types.insert(-1, "series")
    lines = ["rights:                          # what may cross; the default is nothing"]
    lines += [f"  - {{record_type: {name}}}" for name in types]
    return "\n".join(lines) + "\n"
