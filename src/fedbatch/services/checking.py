"""Source checks that look across columns and against the clock, before the journal."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import numpy as np

from fedbatch.mapping.extract import Extraction
from fedbatch.mapping.series import SeriesDraft
from fedbatch.mapping.tables import SourceFile, Table
from fedbatch.rules.series_source import (
    Counter,
    backwards_findings,
    blank_findings,
    copied_findings,
    counter_findings,
    duplicate_findings,
)
from fedbatch.rules.source import Extremes, order_findings
from fedbatch.series.blocks import Block, Integers
from fedbatch.series.instants import instant_text, micros
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalParameter, JournalResult
from fedbatch.standard.mappings import Mapping as SourceMapping
from fedbatch.standard.records import Record
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Time

__all__ = ["COUNTERS", "live_findings", "named_as_told", "series_findings", "source_findings"]

_COLUMN = re.compile(r"\b\d+\.(?:PV|SP|OUT)\b")

# Two nodes' clocks may differ by minutes; a source that is a day ahead is wrong.
_AHEAD = timedelta(minutes=5)
_WRONG = timedelta(days=1)


def source_findings(
    table: Table, file: SourceFile, mapping: SourceMapping, extraction: Extraction, now: str
) -> list[Finding]:
    """Findings over a whole table; nothing is held back by them."""
    del table, mapping
    return [*_future(file, extraction, now), *_order(file, extraction)]


# What stands while a machine makes nothing is no fault: a counter, and what shows that it runs.
COUNTERS = {"tablets.good": "press.speed"}


def series_findings(drafts: Sequence[SeriesDraft], file: SourceFile, now: str) -> list[Finding]:
    """Source checks of series: times, blank rows, doubled points, copied columns, counters."""
    found: list[Finding] = []
    for draft in drafts:
        where = Place(file=file.name, type="series", key=(draft.number,))
        checks = (
            *backwards_findings(_in_source_order(draft.block), where),
            *_ahead(draft.block, where, now),
            *blank_findings(draft.block, where),
            *duplicate_findings(draft.block, where),
            *copied_findings(draft.block, where),
            *counter_findings(draft.block, _counters(draft), where),
        )
        found += named_as_told(checks, draft.series.parameters)
    return found


def _in_source_order(block: Block) -> Integers:
    """A block's times as its source's rows had them."""
    return block.times if block.rows is None else block.times[np.argsort(block.rows)]


def _ahead(block: Block, where: Place, now: str) -> Iterator[Finding]:
    """Times of observation that are still to come."""
    if not block.times.size:
        return
    newest = int(block.times[-1])
    ahead = timedelta(microseconds=newest - micros(now))
    if ahead > _AHEAD:
        yield finding(
            "clock.skew" if ahead > _WRONG else "time.future",
            where,
            found=instant_text(newest),
            expected=f"no time after {now}",
        )


def live_findings(drafts: Sequence[SeriesDraft], file: SourceFile, now: str) -> list[Finding]:
    """The source checks of live points: what a source sends twice, or from a time to come."""
    found: list[Finding] = []
    for draft in drafts:
        where = Place(file=file.name, type="series", key=(draft.number,))
        checks = (*duplicate_findings(draft.block, where), *_ahead(draft.block, where, now))
        found += named_as_told(checks, draft.series.parameters)
    return found


def _counters(draft: SeriesDraft) -> list[Counter]:
    columns = {
        item.term: f"{index}.{item.role}" for index, item in enumerate(draft.series.parameters)
    }
    return [
        Counter(name=columns[term], running=columns[running])
        for term, running in COUNTERS.items()
        if term in columns and running in columns
    ]


def named_as_told(
    findings: Iterable[Finding], parameters: Sequence[JournalParameter]
) -> list[Finding]:
    """Findings that call a journal's columns as their source does."""
    names = {f"{index}.{item.role}": item.tag or item.term for index, item in enumerate(parameters)}

    def named(text: str) -> str:
        return _COLUMN.sub(lambda match: names.get(match[0], match[0]), text)

    return [
        msgspec.structs.replace(
            item,
            where=msgspec.structs.replace(item.where, path=named(item.where.path)),
            found=named(item.found),
            expected=named(item.expected),
        )
        for item in findings
    ]


def _order(file: SourceFile, extraction: Extraction) -> Iterator[Finding]:
    """Least ≤ mean ≤ greatest of one parameter, for each batch, sample and time that has them."""
    rows: dict[str, dict[tuple[str, ...], dict[str, tuple[Decimal, str]]]] = {}
    for draft in extraction.drafts:
        record = draft.record
        if not isinstance(record, JournalResult) or record.value.number is None:
            continue
        if record.qualifier not in {"least", "mean", "greatest"} or record.value.comparator:
            continue
        parts = (record.term, record.equipment_class, record.position, record.role)
        name = " ".join(filter(None, parts))
        # The business key without its parameter: one row of the table.
        row = (draft.key[0], *draft.key[2:])
        place = draft.origins[0].locator if draft.origins else ""
        group = rows.setdefault(name, {}).setdefault(row, {})
        group[record.qualifier] = (Decimal(record.value.number), place)
    for name, group_rows in rows.items():
        yield from order_findings(_extremes(file, name, list(group_rows.values())))


def _extremes(file: SourceFile, name: str, rows: list[dict[str, tuple[Decimal, str]]]) -> Extremes:
    def column(qualifier: str) -> list[Decimal | None]:
        return [row[qualifier][0] if qualifier in row else None for row in rows]

    return Extremes(
        name=name,
        places=[Place(file=file.name, locator=next(iter(row.values()))[1]) for row in rows],
        least=column("least"),
        mean=column("mean"),
        greatest=column("greatest"),
    )


def _future(file: SourceFile, extraction: Extraction, now: str) -> Iterator[Finding]:
    """Times of observation that have not come yet: a few are slips, a day is a wrong clock."""
    present = datetime.fromisoformat(now)
    for draft in extraction.drafts:
        for time in _observed(draft.record):
            ahead = datetime.fromisoformat(time.instant) - present
            if ahead <= _AHEAD:
                continue
            origin = draft.origins[0] if draft.origins else None
            place = Place(
                file=file.name,
                scheme=origin.scheme if origin else "",
                locator=origin.locator if origin else "",
            )
            rule = "clock.skew" if ahead >= _WRONG else "time.future"
            yield finding(rule, place, found=time.text, expected=f"a time before {now}")


def _observed(record: Record) -> list[Time]:
    if isinstance(record, JournalResult) and record.observed_at is not None:
        return [record.observed_at]
    times = (getattr(record, name, None) for name in ("start", "end"))
    return [item for item in times if isinstance(item, Time)]
