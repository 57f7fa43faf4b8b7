"""What is known, read from views over all agreements: results, and where they came from."""

from collections.abc import Mapping, Sequence

import msgspec

from fedbatch.errors import InputError
from fedbatch.node.home import Home
from fedbatch.services.numbering import PARTNER_SYSTEM
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.joining import join_batches
from fedbatch.standard.values import Provenance
from fedbatch.store.views import RESULT_COLUMNS

__all__ = ["OriginLine", "ResultRow", "batch_numbers", "read_provenance", "read_results"]


class ResultRow(msgspec.Struct, kw_only=True):
    """One result as people and programs read it; `shown` has comparator and number together.

    `sample` is the sample's id, `sample_number` its number in the source, where it is known here;
    `observed_at` the instant in UTC, `observed_text` what the source says of it.
    """

    agreement: str
    batch: str
    code: str
    role: str
    shown: str
    number: str
    comparator: str
    unit: str
    kind: str
    absent: str
    raw: str
    value_status: str
    basis: str
    source: str
    form: str
    attempt: int
    replicate: int
    sample: str
    sample_number: str
    step: str
    observed_at: str
    observed_text: str
    entry: str
    index: int
    ledger: str


class OriginLine(msgspec.Struct, kw_only=True):
    """Where one value came from, as sentences."""

    where: str
    shown: str
    origins: list[str]


def batch_numbers(home: Home, agreement: str) -> dict[str, list[str]]:
    """Every number of each batch of an agreement, joined across both parties' statements.

    Several ids that are one batch have all its numbers each.
    """
    stated: dict[str, list[tuple[str, str]]] = {}
    own = home.ledgers(agreement).ledgers()
    agreed = next((item for item in home.node.agreements() if item.agreement == agreement), None)
    for ledger, batch, system, value in home.views(agreement).identifiers():
        is_own = bool(own) and own[0].ledger == ledger
        maker = (agreed.partner if agreed is not None else "") if is_own else home.settings.party
        is_named = system == PARTNER_SYSTEM and len(own) > 1 and bool(maker)
        told = f"urn:fedbatch:party:{maker}:batch" if is_named else str(system)
        stated.setdefault(str(batch), []).append((told, str(value)))
    joined = join_batches(stated)
    numbers: dict[str, list[str]] = {}
    for batch, items in stated.items():
        known = numbers.setdefault(joined.get(batch, batch), [])
        known += [value for _, value in items if value not in known]
    return {batch: numbers[joined.get(batch, batch)] for batch in stated}


def read_results(
    home: Home,
    *,
    batch: str | None = None,
    codes: Sequence[str] = (),
    agreement: str | None = None,
    replaced: bool = False,
) -> list[ResultRow]:
    """Results over all agreements, or those of one, a batch, some parameters.

    `replaced`: with transcribed ones that the maker's own have replaced.
    """
    rows: list[ResultRow] = []
    found_batch = batch is None
    for known in home.node.agreements():
        if agreement not in {None, known.agreement, known.name}:
            continue
        numbers = batch_numbers(home, known.agreement)
        wanted = {key for key, names in numbers.items() if batch in {*names, key}}
        found_batch = found_batch or bool(wanted)
        if batch is not None and not wanted:
            continue
        rows += _rows(home, known.agreement, numbers, wanted, codes, replaced=replaced)
    if not found_batch:
        raise InputError("a batch that is known here", found=str(batch), code="batch.unknown")
    return rows


def _rows(
    home: Home,
    agreement: str,
    numbers: dict[str, list[str]],
    wanted: set[str],
    codes: Sequence[str],
    *,
    replaced: bool,
) -> list[ResultRow]:
    clauses, values = [], []
    if wanted:
        clauses.append(f"batch in ({', '.join('?' * len(wanted))})")
        values += sorted(wanted)
    if codes:
        clauses.append(f"code in ({', '.join('?' * len(codes))})")
        values += codes
    where = f"where {' and '.join(clauses)}" if clauses else ""
    views = home.views(agreement)
    samples = views.sample_numbers()
    return [
        _result_row(agreement, numbers, samples, dict(zip(RESULT_COLUMNS, row, strict=True)))
        for row in views.results(where, values, replaced=replaced)
    ]


def _result_row(
    agreement: str,
    numbers: dict[str, list[str]],
    samples: dict[tuple[str, str], str],
    row: dict[str, object],
) -> ResultRow:
    text = {name: str(value) if value is not None else "" for name, value in row.items()}
    kind = text["kind"]
    if kind == "number":
        shown = f"{text['comparator']}{text['number']}"
    elif kind == "absent":
        shown = text["absent"]
    else:
        shown = text["text"] or text["raw"]
    return ResultRow(
        agreement=agreement,
        batch=" / ".join(numbers.get(text["batch"], [text["batch"]])),
        code=text["code"],
        role=text["role"],
        shown=shown,
        number=text["number"],
        comparator=text["comparator"],
        unit=text["unit"],
        kind=kind,
        absent=text["absent"],
        raw=text["raw"],
        value_status=text["value_status"],
        basis=text["basis"],
        source=text["source"],
        form=text["form"],
        attempt=int(text["attempt"]),
        replicate=int(text["replicate"]),
        sample=text["sample"],
        sample_number=samples.get((text["ledger"], text["sample"]), ""),
        step=text["step"],
        observed_at=text["observed_at"],
        observed_text=text["observed_text"],
        entry=text["entry_id"],
        index=int(text["idx"]),
        ledger=text["ledger"],
    )


def read_provenance(home: Home, batch: str, code: str) -> list[OriginLine]:
    """Where the values of a parameter of a batch came from.

    On the writer's node, file, cell and original text; on the partner's, the text and the writer's
    commitment to file and cell.
    """
    lines: list[OriginLine] = []
    for row in read_results(home, batch=batch, codes=(code,)):
        store = home.ledgers(row.agreement)
        ((_, _, content),) = store.entries(row.ledger, row.index, 1)
        record = read_entry(content).record
        if not isinstance(record, records.Result):
            continue
        own = store.ledger(row.ledger).is_own
        files = {} if own else shared_files(home, row.agreement, row.ledger)
        origins = _own_origins(home, row) if own else []
        origins += [_shown_origin(item, files, row.raw) for item in record.provenance]
        where = f"batch {row.batch}, {row.code}, entry {row.index} of {row.ledger}"
        lines.append(
            OriginLine(where=where, shown=f"{row.shown} {row.unit}".strip(), origins=origins)
        )
    if not lines:
        raise InputError(
            "a result that is known here", found=f"{code} of batch {batch}", code="result.unknown"
        )
    return lines


def shared_files(home: Home, agreement: str, ledger: str) -> dict[str, str]:
    """Source files that a partner's ledger shares and that stand: SHA-256 → name."""
    store = home.ledgers(agreement)
    found = {}
    for head in store.heads(ledger, ("attachment",)).values():
        if not head.is_withdrawn:
            ((_, _, content),) = store.entries(ledger, head.index, 1)
            record = read_entry(content).record
            if isinstance(record, records.Attachment):
                found[record.object.sha256] = record.name
    return found


def _shown_origin(item: Provenance, files: Mapping[str, str], raw: str) -> str:
    """Where a value stood: file and cell where the file is shared, else the writer's commitment."""
    name = files.get(item.artefact or "")
    if name is None or item.locator is None:
        return f"text {raw!r}, commitment {item.commitment} by {item.extractor}"
    place = f"file {name} (SHA-256 {str(item.artefact)[:16]}…), cell {item.locator.value}"
    return f"{place}, text {raw!r}"


def _own_origins(home: Home, row: ResultRow) -> list[str]:
    """File and cell of a value that this party posted, from its own journal."""
    posted = {
        entry: journal for journal, entry in home.ledgers(row.agreement).posted(row.ledger).items()
    }
    journal_id = posted.get(row.entry)
    if journal_id is None:
        return []
    entry = home.journal.read_entry(journal_id)
    names = {item.sha256: item.file for item in home.journal.imports()}
    return [
        f"file {names.get(item.artefact, '?')} (SHA-256 {item.artefact[:16]}…), "
        f"cell {item.locator}, text {row.raw!r}"
        for item in entry.origins
    ]
