"""Findings at this home: what agreement rules find in both ledgers, and what is held back or refused."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from fedbatch.errors import InputError, expectation
from fedbatch.mapping.series import is_series
from fedbatch.node.home import Home, zone_named
from fedbatch.node.importing import load_mappings
from fedbatch.node.reading import batch_numbers
from fedbatch.node.series import (
    BatchSeries,
    every_series,
    late_stretches,
    lost_findings,
    reckon_held,
    sealed_until,
)
from fedbatch.ports import ImportRow, JournalHead, KnownAgreement
from fedbatch.rules.facts import Batches, Facts
from fedbatch.rules.judgement import judge_all, judge_series
from fedbatch.rules.series import SeriesFacts
from fedbatch.services.folding import fold_facts
from fedbatch.services.replication import LOST, statements
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreementBody
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalResult
from fedbatch.standard.rulebook import RULES, finding
from fedbatch.standard.values import named_key
from fedbatch.store.journal import text_key
from fedbatch.store.views import RESULT_COLUMNS

__all__ = ["FindingRow", "agreement_findings", "held_rows", "name_findings", "read_findings"]


_PSEUDONYM = re.compile(r"\b[es]-[0-9a-f]{24}\b")
# Where a result's key names the sample.
_SAMPLE_AT = 3


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A finding under an agreement; `origin` says who found it: rules here, or a finding record.

    `basis` is that of the result it is about, "" where it is about none.
    """

    agreement: str
    origin: str
    batch: str
    parameter: str
    finding: Finding
    basis: str = ""

    def render(self) -> str:
        """The finding as a sentence, its place by batch and parameter where it has them."""
        item = self.finding
        if not self.batch:
            return item.render()
        place = " ".join(filter(None, (self.batch, self.parameter)))
        return expectation(item.expected, place, item.found, item.advice)


# A row that a file's reader holds back is no item that somebody could decide.
_OF_FILES = ("file.", "table.")


def check_instant(text: str) -> None:
    """Refuse what is no instant.

    Raises:
        InputError: not a UTC instant.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not text.endswith("Z"):
        raise InputError("an instant such as 2026-03-02T08:00:00Z", where="--as-of", found=text)


def agreement_findings(
    home: Home, known: KnownAgreement, as_of: str | None = None
) -> list[Finding]:
    """What the agreement rules find in both ledgers, as of an instant (default: now)."""
    body = home.standing(known.agreement).body
    if body is None:
        return []
    facts = fold_facts(home.ledgers(known.agreement))
    found = judge_all(body, facts, as_of or home.clock.now(), zone_named)
    batches = Batches(facts.batches)
    for item in every_series(home, known):
        found += _series_findings(home, item, body, facts, batches)
    return found


def _series_findings(
    home: Home, item: BatchSeries, body: AgreementBody, facts: Facts, batches: Batches
) -> list[Finding]:
    """What the rules find in one series; as far as it is sealed, live points come on top."""
    block, conflicts, lost = reckon_held(home, item)
    if lost:
        # Judged without them, gaps and balances would be found that are none.
        return lost_findings(item, lost)
    if not block.times.size:
        return []
    batch = named_key(item.series.batch) if item.series.batch is not None else ""
    series = SeriesFacts(
        series=item.series.series,
        batch=batch,
        parameters=item.series.parameters,
        block=block,
        complete_until=sealed_until(home, item) or int(block.times[-1]),
        steps=tuple(step for step in facts.steps if step.batch == batch),
        late=late_stretches(home, item),
    )
    return judge_series(body, series, conflicts, facts, batches)


def read_findings(
    home: Home, agreement: str | None = None, as_of: str | None = None
) -> list[FindingRow]:
    """All findings over all agreements, or those of one, the most severe first."""
    rows: list[FindingRow] = []
    for known in home.node.agreements():
        if agreement not in {None, known.agreement, known.name}:
            continue
        rows += [_row(known, "exchange", {}, {}, item) for item in _stopped(home, known)]
        if home.standing(known.agreement).body is None:
            continue
        numbers = {**_lots(home, known), **_numbers(home, known), **_series(home, known)}
        names = {**_sources(home, known), **_samples(home, known), **_equipment(home, known)}
        found = [("rules", item) for item in agreement_findings(home, known, as_of)]
        found += [("record", item) for item in _recorded(home, known)]
        transcribed = _transcribed(home, known)
        rows += [
            msgspec.structs.replace(
                _row(known, origin, numbers, names, item), basis=_basis(item, transcribed)
            )
            for origin, item in found
        ]
    if agreement is None:
        rows += _held_back(home, rows)
        rows += _taken_in(home)
    return sorted(rows, key=lambda row: (row.finding.severity, row.finding.rule, row.batch))


def _held_back(home: Home, rows: Sequence[FindingRow]) -> list[FindingRow]:
    """What waits in the journal for somebody to decide, where no agreement's findings say it yet."""
    told = {
        (row.finding.rule, row.finding.found) for row in rows if row.finding.effect == "held_back"
    }
    waiting = home.journal.held()
    heads = home.journal.heads(("batch",)) if waiting else {}
    held = []
    for item in waiting:
        found = msgspec.json.decode(item.finding, type=Finding)
        if (found.rule, found.found) in told:
            continue
        template = (
            msgspec.json.decode(item.template, type=JournalResult)
            if item.type == "result" and item.template
            else None
        )
        held.append(
            FindingRow(
                agreement="",
                origin="journal",
                batch=_number_of(home, heads, template),
                parameter=template.term if template else "",
                finding=found,
            )
        )
    return held


def _number_of(
    home: Home,
    heads: Mapping[tuple[str, tuple[str, ...]], JournalHead],
    template: JournalResult | None,
) -> str:
    """A batch's number as its own table tells it."""
    if template is None or template.batch is None:
        return ""
    key = named_key(template.batch)
    head = heads.get(("batch", (key,)))
    if head is None:
        return key
    record = msgspec.json.decode(bytes(home.journal.read(head.index).data), type=records.Batch)
    return " / ".join(item.value for item in record.identifiers) or key


def _newest_imports(home: Home) -> list[ImportRow]:
    """The newest import of each file; of one that is read on as it grows, each part was read once."""
    return [
        *{
            (row.mapping, row.file) if row.sha256 else row.id: row for row in home.journal.imports()
        }.values()
    ]


def held_rows(home: Home) -> list[Finding]:
    """What holds rows of files back, of which nothing is an item that somebody could decide.

    They come in with a file in which they are right, or under another mapping.
    """
    items = {bytes(item.finding) for item in home.journal.held(only_open=False)}
    of_series = {item.source for item in load_mappings(home) if is_series(item)}
    found = []
    for row in _newest_imports(home):
        for content in row.findings:
            item = msgspec.json.decode(content, type=Finding)
            if item.effect != "held_back" or bytes(content) in items:
                continue
            if item.rule.startswith(_OF_FILES) or row.mapping in of_series:
                found.append(item)
    return found


def _taken_in(home: Home) -> list[FindingRow]:
    """What the newest import of each file found, at the party that took it in; held items apart."""
    found = [
        item
        for row in _newest_imports(home)
        for item in (msgspec.json.decode(content, type=Finding) for content in row.findings)
        if item.effect == "none"
    ]
    return [
        FindingRow(agreement="", origin="import", batch="", parameter="", finding=item)
        for item in (*found, *held_rows(home))
    ]


def _stopped(home: Home, known: KnownAgreement) -> list[Finding]:
    """Why a ledger is stopped: the same finding on both nodes."""
    store = home.ledgers(known.agreement)
    reasons = [(row.ledger, row.stopped) for row in store.ledgers() if row.stopped]
    lost = store.setting(LOST)
    if lost is not None and not reasons:
        reasons = [("", lost.decode())]
    return [
        finding(
            f"exchange.{reason.partition(':')[0]}",
            Place(type="ledger", key=(ledger,)),
            found=reason.partition(": ")[2],
            expected="one history that only grows",
            effect="refused",
        )
        for ledger, reason in reasons
        if f"exchange.{reason.partition(':')[0]}" in RULES
    ]


def _numbers(home: Home, known: KnownAgreement) -> dict[str, str]:
    found = batch_numbers(home, known.agreement)
    return {batch: " / ".join(values) for batch, values in found.items()}


def _series(home: Home, known: KnownAgreement) -> dict[str, str]:
    """Series by the numbers of their batches."""
    return {item.series.series: item.batch for item in every_series(home, known)}


def _lots(home: Home, known: KnownAgreement) -> dict[str, str]:
    """Lots and products by what people call them."""
    views = home.views(known.agreement)
    return {lot: number for _, lot, _, _, number in views.lots() if number}


def _sources(home: Home, known: KnownAgreement) -> dict[str, str]:
    """This party's own sources by their pseudonyms under the agreement; a partner's stay unnamed."""
    names = (mapping.source for mapping in load_mappings(home))
    return {home.ids.shared(known.agreement, "source", name): name for name in names}


def _samples(home: Home, known: KnownAgreement) -> dict[str, str]:
    """Samples by their numbers, where their records are here."""
    numbers = home.views(known.agreement).sample_numbers()
    return {sample: f"sample {number}" for (_, sample), number in numbers.items() if number}


def _equipment(home: Home, known: KnownAgreement) -> dict[str, str]:
    """Pieces of equipment by their names, where their windows are here."""
    store, names = home.ledgers(known.agreement), {}
    for row in store.ledgers():
        for head in store.heads(row.ledger, ("equipment",)).values():
            if not head.is_withdrawn:
                ((_, _, content),) = store.entries(row.ledger, head.index, 1)
                record = read_entry(content).record
                if isinstance(record, records.Equipment) and record.name:
                    names[record.equipment] = record.name
    return names


def name_findings(home: Home, found: Sequence[Finding]) -> list[FindingRow]:
    """What sharing found in this party's own journal, with batches and equipment by their names."""
    names: dict[str, str] = {}
    for head in home.journal.heads(("batch", "equipment")).values() if found else ():
        content = bytes(home.journal.read(head.index).data)
        if head.type == "batch" and not head.is_withdrawn:
            batch = msgspec.json.decode(content, type=records.Batch)
            names[batch.batch] = " / ".join(item.value for item in batch.identifiers)
        elif not head.is_withdrawn:
            piece = msgspec.json.decode(content, type=records.Equipment)
            names[piece.equipment] = piece.name or ""
    return [_own_row(names, item) for item in found]


def _own_row(names: Mapping[str, str], item: Finding) -> FindingRow:
    key = tuple(names.get(part) or part for part in item.where.key)
    parameter = _parameter(item.where, key)
    is_of_equipment = item.where.type == "equipment" and len(key) > 1
    batch = next((names[part] for part in item.where.key if part[:2] == "b-" and part in names), "")
    place = msgspec.structs.replace(item.where, key=key)
    return FindingRow(
        agreement="",
        origin="sharing",
        batch=batch,
        parameter=key[0] if is_of_equipment else parameter,
        finding=msgspec.structs.replace(item, where=place),
    )


def _transcribed(home: Home, known: KnownAgreement) -> frozenset[tuple[str, ...]]:
    """The keys of results that stand and are transcribed."""
    at = RESULT_COLUMNS.index("key")
    rows = home.views(known.agreement).results("where basis = ?", ("transcribed",))
    return frozenset(text_key(str(row[at])) for row in rows)


def _basis(item: Finding, transcribed: frozenset[tuple[str, ...]]) -> str:
    if item.where.type != "result":
        return ""
    return "transcribed" if item.where.key in transcribed else "own"


def _row(
    known: KnownAgreement,
    origin: str,
    numbers: dict[str, str],
    names: dict[str, str],
    item: Finding,
) -> FindingRow:
    """A finding in which batches are called by their numbers, and other things by name or shortly."""

    def named(match: re.Match[str]) -> str:
        kind = "equipment" if match[0].startswith("e") else "source"
        return names.get(match[0], f"{kind} {match[0][:8]}")

    key = tuple(
        f"sample {part[:8]}"
        if (at, item.where.type) == (_SAMPLE_AT, "result")
        and _PSEUDONYM.fullmatch(part)
        and part not in names
        else _PSEUDONYM.sub(named, numbers.get(part, part))
        for at, part in enumerate(item.where.key)
    )
    batch = next((numbers[part] for part in item.where.key if part in numbers), "")
    place = msgspec.structs.replace(item.where, key=key)
    return FindingRow(
        agreement=known.agreement,
        origin=origin,
        batch=batch,
        parameter=_parameter(item.where, key),
        finding=msgspec.structs.replace(item, where=place, found=_PSEUDONYM.sub(named, item.found)),
    )


def _parameter(where: Place, key: Sequence[str]) -> str:
    """The parameter a finding is about, where it is about one."""
    if where.type == "series":
        return where.path.strip("/")
    return key[1] if where.type == "result" and len(key) > 1 else ""


def _recorded(home: Home, known: KnownAgreement) -> list[Finding]:
    """Finding records that stand: held back by the sender, or refused by the receiver."""
    store = home.ledgers(known.agreement)
    standing: dict[tuple[str, str], records.FindingRecord] = {}
    for row in store.ledgers():
        for _, statement in statements(store, row.ledger):
            if isinstance(statement.record, records.FindingRecord):
                standing[row.ledger, statement.record.finding] = statement.record
    return [
        Finding(
            rule=item.rule,
            severity=item.severity,
            where=item.where if item.where.key else Place(key=(item.finding,)),
            found=item.found,
            expected=item.expected,
            effect=item.effect,
        )
        for item in standing.values()
        if item.effect != "none"
    ]
