"""Agreement files in YAML, and what must hold before one is proposed or accepted."""

from datetime import datetime
from pathlib import Path

from fedbatch.errors import InputError
from fedbatch.node.home import Home, zone_named
from fedbatch.node.importing import load_mappings
from fedbatch.node.yaml_files import read_yaml
from fedbatch.rules.judgement import check_body
from fedbatch.rules.rights import bindings
from fedbatch.standard.agreements import AgreedParameter, AgreementBody
from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.standard.values import in_time

__all__ = ["check_agreement", "is_one_sided", "read_agreement", "read_checked", "size_alone"]


def read_agreement(path: Path) -> AgreementBody:
    """An agreement's file.

    Raises:
        InputError: unreadable, not YAML, or a field that is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("an agreement's file", where=str(path), found=str(error)) from error
    return read_yaml(content, AgreementBody, str(path))


def read_checked(home: Home, path: Path) -> AgreementBody:
    """An agreement's file that holds together.

    Raises:
        InputError: it does not; every fault is named.
    """
    body = read_agreement(path)
    problems = check_agreement(home, body)
    if problems:
        raise InputError(
            "an agreement that holds together",
            where=str(path),
            found="; ".join(problems),
            code="agreement.check",
        )
    return body


def size_alone(home: Home, agreement: str) -> int:
    """How many entries a ledger has that no partner has seen yet."""
    rows = home.ledgers(agreement).ledgers()
    return rows[0].size if len(rows) == 1 else 0


def check_agreement(home: Home, body: AgreementBody) -> list[str]:
    """Every reason why an agreement cannot be proposed or accepted here; empty when it can."""
    return [
        *_check_frame(home, body),
        *_check_parameters(home, body),
        *_check_rights(body),
        *_check_bindings(home, body),
        *(item.render() for item in check_body(body, zone_named)),
    ]


def is_one_sided(body: AgreementBody) -> bool:
    """Whether the partner is only named yet."""
    return any(not item.party for item in body.parties)


def _check_frame(home: Home, body: AgreementBody) -> list[str]:
    problems = []
    parties = {item.party for item in body.parties}
    if "" in parties:
        problems += _check_alone(home, body)
    if home.settings.party not in parties or len(body.parties) != 2:  # noqa: PLR2004 - two parties
        problems.append(f"parties: this party ({home.settings.party}) and its partner, no other")
    if body.purpose != "pilot":
        problems.append(
            f"purpose {body.purpose} needs signatures that prove who signed; until accounts exist,"
            " 'local' signatures count for a pilot only"
        )
    if body.version < 1:
        problems.append("version counts from 1")
    partner = next(iter(parties - {home.settings.party, ""}), "")
    if partner and home.node.find_partner(partner) is None:
        problems.append(f"parties: {partner} is no partner of this node; pair with it first")
    problems += _check_effective(home, body)
    problems += _check_products(home, body)
    for site in body.sites:
        try:
            zone_named(site.zone)
        except InputError as error:
            problems.append(f"site {site.site}: {error}")
    return problems


def _check_alone(home: Home, body: AgreementBody) -> list[str]:
    """While the partner is only named, a sponsor states what it takes from that maker's reports."""
    own = next((item.role for item in body.parties if item.party == home.settings.party), "")
    named = [item for item in body.parties if not item.party]
    problems = []
    if own != "sponsor":
        problems.append("parties: a one-sided agreement is a sponsor's; a CMO needs none to begin")
    if len(named) != 1 or named[0].name in {"", "?"} or named[0].role == "sponsor":
        problems.append("parties: the partner by its name and role, CMO or laboratory")
    return problems


def _check_effective(home: Home, body: AgreementBody) -> list[str]:
    problems = []
    for name, instant in (("from", body.effective.from_), ("to", body.effective.to)):
        if instant is not None and not _is_instant(instant):
            problems.append(
                f"effective {name}: a UTC instant such as 2026-03-02T00:00:00Z, not {instant}"
            )
    to = body.effective.to
    if not problems and to is not None and in_time(to) <= in_time(home.clock.now()):
        problems.append(f"effective to: {to} is over")
    return problems


def _is_instant(text: str) -> bool:
    try:
        return text.endswith("Z") and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _check_products(home: Home, body: AgreementBody) -> list[str]:
    """Every product is named, and no other agreement of this node has it at the same site."""
    problems = []
    for product in body.product:
        texts = (product.id, product.name, *(item.value for item in product.identifiers))
        if "?" in texts:
            problems.append(f"product {product.id}: '?' is still to be filled in")
        if not product.identifiers:
            problems.append(f"product {product.id}: without an identifier no batch is of it")
    own = {(item.system, item.value) for product in body.product for item in product.identifiers}
    for other in home.active_bodies():
        theirs = {(i.system, i.value) for product in other.product for i in product.identifiers}
        sites = {site.site for site in body.sites} & {site.site for site in other.sites}
        if other.id != body.id and own & theirs and sites:
            problems.append(
                f"agreement {other.id} has the same product and site: no batch could be shared"
            )
    return problems


def _check_parameters(home: Home, body: AgreementBody) -> list[str]:
    problems = []
    seen: set[tuple[str, str]] = set()
    for item in body.parameters:
        if (item.code, item.role) in seen:
            problems.append(f"{item.code}: stands twice with role {item.role}")
        seen.add((item.code, item.role))
        term = home.dictionary.terms.get(item.term)
        if term is None and not item.term.startswith("x."):
            problems.append(f"{item.code}: {item.term} is no term of the dictionary")
        elif term is not None and not term.is_bindable:
            problems.append(f"{item.code}: {item.term} is a field of records, no parameter")
        problems += _check_unit(home, item)
    return problems


def _check_unit(home: Home, item: AgreedParameter) -> list[str]:
    """A number has a unit of its term; a text or code has none."""
    if item.unit and item.unit not in home.units.by_code:
        return [f"{item.code}: {item.unit} is no UCUM code of the units table"]
    term = home.dictionary.terms.get(item.term)
    if term is None or not term.units:
        return []
    if not item.unit:
        return [f"{item.code}: a unit, such as {term.units[0]}"]
    if not any(home.units.is_convertible(item.unit, known) for known in term.units):
        return [f"{item.code}: {item.unit} is no unit of {term.name}: {', '.join(term.units)}"]
    return []


def _check_rights(body: AgreementBody) -> list[str]:
    codes = {item.code for item in body.parameters} | {"*"}
    problems = []
    for right in body.rights:
        if right.record_type not in RECORD_TYPES:
            problems.append(f"rights: {right.record_type} is no record type")
        elif RECORD_TYPES[right.record_type].is_draft:
            problems.append(f"rights: {right.record_type} is a draft type that nothing writes yet")
        problems += [f"rights: {code} is no code" for code in right.codes if code not in codes]
    return problems


def _check_bindings(home: Home, body: AgreementBody) -> list[str]:
    """One code, one meaning: rules that differ in class or position must not feed the same code."""
    problems = []
    for code, fed in bindings(body, load_mappings(home)).items():
        meanings = {(rule.equipment_class, rule.position) for _, rule in fed}
        if len(meanings) > 1:
            places = ", ".join(
                f"{mapping.source}: {rule.header or rule.tag}" for mapping, rule in fed
            )
            problems.append(f"{code}: more than one thing fits it: {places}")
    return problems
