"""Drafts of mapping and agreement files: filled in as far as evidence goes, the rest as questions."""

from pathlib import Path

import msgspec

from fedbatch.errors import ConflictError, expectation
from fedbatch.mapping.suggest import ColumnProposal, TableProposal, propose
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
shape: row_a_batch   # or wide (rows by time or sample), or long (tag, time, value)
decimal_mark: {mark}
zone: {zone}
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
    head = _MAPPING_HEAD.format(path=path.name, name=name, mark=mark, zone=zone_text)
    lines = [head + _format_lines(proposal) + _layout_lines(table, layout) + "rules:"]
    lines += [_rule_lines(item) for item in proposal.columns]
    return "\n".join(lines) + "\n", _open_count(proposal, zone)


def _open_count(proposal: TableProposal, zone: str | None) -> int:
    asked = sum(1 for item in proposal.columns if item.question)
    return asked + (not proposal.decimal_mark) + (zone is None)


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
    return head + _parameters(load_mappings(home)) + _rights()


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
    return head + _parameters(load_mappings(home)) + _rights()


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


def _rights() -> str:
    types = ("product", "batch", "step", "lot", "transformation", "sample", "result", "finding")
    lines = ["rights:                          # what may cross; the default is nothing"]
    lines += [f"  - {{record_type: {name}}}" for name in types]
    return "\n".join(lines) + "\n"
