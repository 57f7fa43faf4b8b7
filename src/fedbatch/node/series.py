"""Series of batches as a node knows them: sealed stretches and what came since, reckoned together."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import SequenceMatcher

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fedbatch.errors import ConflictError, FedbatchError, InputError, IntegrityError
from fedbatch.node.home import Home
from fedbatch.node.journal_series import own_name, own_series
from fedbatch.node.reading import batch_numbers
from fedbatch.ports import KnownAgreement
from fedbatch.series.align import BY_CLOCK, Alignment, along_step, buckets, from_anchor
from fedbatch.series.blocks import (
    Block,
    ColumnPoints,
    Mark,
    Numbers,
    between,
    column_points,
    select,
)
from fedbatch.series.counting import Conflict, Piece, counted, superseded
from fedbatch.series.decimals import number_text
from fedbatch.series.inline import column_name, decode_points
from fedbatch.series.instants import EARLIEST, LATEST, instant_text, micros
from fedbatch.series.segments import arrow_table, read_segment
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import named_key
from fedbatch.store.ledgers import Ledgers

__all__ = [
    "LOST_ADVICE",
    "BatchSeries",
    "LostStretch",
    "PointRow",
    "SeriesLine",
    "every_series",
    "late_stretches",
    "live_entries",
    "load_series",
    "lost_findings",
    "lost_stretches",
    "overlay",
    "point_rows",
    "read_lines",
    "reckon",
    "reckon_held",
    "sealed_entries",
    "sealed_stretches",
    "sealed_until",
    "series_block",
    "series_table",
]

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40
_SECOND = 1_000_000
_NAMED_MAX = 6
_KNOWN_MAX = 10
LOST_ADVICE = "`fedbatch rebuild`, or the partner's next sync, brings it back."


class SeriesLine(msgspec.Struct, kw_only=True):
    """One parameter of a batch's series, as people read it; `drawn` is a line of bars with gaps."""

    agreement: str
    batch: str
    code: str
    role: str
    unit: str
    points: int
    marked: int
    first: str
    last: str
    least: str
    greatest: str
    newest: str
    model: str
    sealed_until: str
    drawn: str


class PointRow(msgspec.Struct, kw_only=True):
    """One point; `number` is a decimal, "" for none, `raw` the source's text where it says more."""

    time: str
    number: str
    unit: str
    quality: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSeries:
    """A series of one batch as it is declared, under which agreement and in which ledger it lies."""

    agreement: str
    ledger: str
    batch: str
    series: records.Series


class LostStretch(msgspec.Struct, kw_only=True):
    """A sealed stretch whose segment is `missing` here or `damaged`; `points` are all its entry says."""

    agreement: str
    batch: str
    index: int
    from_: str = msgspec.field(name="from")
    to: str
    points: int
    segment: str
    problem: str


def load_series(home: Home, batch: str, agreement: str | None = None) -> list[BatchSeries]:
    """The series of a batch, by either party's number, over all agreements or one.

    Raises:
        InputError: no such batch.
    """
    found: list[BatchSeries] = []
    is_known = False
    for known in home.node.agreements():
        if agreement not in {None, known.agreement, known.name}:
            continue
        numbers = batch_numbers(home, known.agreement)
        wanted = [key for key, names in numbers.items() if batch in {*names, key}]
        is_known = is_known or bool(wanted)
        for ledger, _, index, key in home.views(known.agreement).series(wanted):
            ((_, _, content),) = home.ledgers(known.agreement).entries(ledger, index, 1)
            record = read_entry(content).record
            if isinstance(record, records.Series):
                name = " / ".join(numbers.get(key, [key]))
                found.append(
                    BatchSeries(agreement=known.agreement, ledger=ledger, batch=name, series=record)
                )
    if not is_known:
        raise InputError("a batch that is known here", found=batch, code="batch.unknown")
    return found


def series_block(
    home: Home,
    item: BatchSeries,
    *,
    names: Sequence[str] = (),
) -> Block:
    """The points of a series that show: all of them, or those of some `<code>.<role>`."""
    block, _ = reckon(home, item)
    chosen = [name for name in names if name in block.columns]
    return select(block, chosen) if names else block


def reckon(home: Home, item: BatchSeries) -> tuple[Block, list[Conflict]]:
    """The points of a series that show, and where its tellings differ.

    Raises:
        ConflictError: a segment is missing here or damaged.
    """
    block, conflicts, lost = reckon_held(home, item)
    if lost:
        told = "; ".join(_lost_text(stretch) for stretch in lost)
        raise ConflictError(
            f"the series of batch {item.batch} is not whole here: {told}. {LOST_ADVICE}",
            code="series.lost",
        )
    return block, conflicts


def reckon_held(home: Home, item: BatchSeries) -> tuple[Block, list[Conflict], list[LostStretch]]:
    """What shows of a series as far as its segments are here, and which stretches are not."""
    pieces: list[Piece] = []
    lost: list[LostStretch] = []
    entries = _sealed(home, item)
    sealed = [(entry.index, entry.record) for entry in entries]
    indexes = {entry.id: entry.index for entry in entries}
    for index, record in sealed:
        try:
            pieces.append(_piece(home, item, index, record, indexes))
        except (InputError, IntegrityError) as error:
            lost.append(_lost(item, index, record, error))
    pieces += _live_pieces(home, item, [record for _, record in sealed])
    block, conflicts = counted(pieces, item.series.precedence)
    return block, conflicts, lost


def _lost(
    item: BatchSeries, index: int, record: records.Sealed, error: FedbatchError
) -> LostStretch:
    return LostStretch(
        agreement=item.agreement,
        batch=item.batch,
        index=index,
        from_=record.from_,
        to=record.to,
        points=record.count,
        segment=record.segment.sha256,
        problem="missing" if error.code == "object.missing" else "damaged",
    )


def _lost_text(lost: LostStretch) -> str:
    return f"segment {lost.segment[:16]}… of {lost.from_} to {lost.to} is {lost.problem}"


def lost_stretches(
    home: Home, batch: str, code: str | None = None, *, agreement: str | None = None
) -> list[LostStretch]:
    """The sealed stretches of a batch's series whose points are missing here or damaged.

    With a code, those of the series that have the parameter. None for a batch no agreement has.
    """
    return [
        lost
        for item in _shared(home, batch, agreement)
        if code is None or any(parameter.code == code for parameter in item.series.parameters)
        for lost in _lost_of(home, item)
    ]


def _lost_of(home: Home, item: BatchSeries) -> Iterator[LostStretch]:
    """Looks at the bytes alone: what they hold was checked when they were taken in."""
    objects = home.agreement_objects(item.agreement)
    for index, record in sealed_entries(home, item):
        try:
            objects.read(record.segment.sha256)
        except (InputError, IntegrityError) as error:
            yield _lost(item, index, record, error)


def lost_findings(item: BatchSeries, lost: Sequence[LostStretch]) -> list[Finding]:
    """A finding for each stretch of a series whose points are missing here or damaged."""
    names = ", ".join(column_name(p.code, p.role) for p in item.series.parameters[:_NAMED_MAX])
    more = len(item.series.parameters) - _NAMED_MAX
    names += f" and {more} more" if more > 0 else ""
    return [
        finding(
            "series.segment",
            Place(type="series", key=(item.series.series,)),
            found=f"{_lost_text(one)}, with {one.points:,} points of {names}",
            expected="the points that were sealed",
            advice=LOST_ADVICE,
        )
        for one in lost
    ]


def sealed_until(home: Home, item: BatchSeries) -> int | None:
    """Up to when (µs) a series is complete; None where nothing is sealed."""
    return max((micros(r.complete_until) for _, r in sealed_entries(home, item)), default=None)


def sealed_stretches(home: Home, item: BatchSeries) -> list[tuple[int, int, str]]:
    """From, to (µs) and the segment's SHA-256 of each sealed stretch."""
    return [
        (micros(record.from_), micros(record.to), record.segment.sha256)
        for _, record in sealed_entries(home, item)
    ]


def late_stretches(home: Home, item: BatchSeries) -> tuple[tuple[int, int, int], ...]:
    """Stretches that were sealed late: from, to (µs), how many points."""
    return tuple(
        (micros(record.first), micros(record.last), record.count)
        for _, record in sealed_entries(home, item)
        if record.late
    )


def every_series(home: Home, known: KnownAgreement) -> Iterator[BatchSeries]:
    """Every series of an agreement, in the order of its ledgers."""
    numbers = batch_numbers(home, known.agreement)
    for ledger, _, index, key in home.views(known.agreement).every_series():
        ((_, _, content),) = home.ledgers(known.agreement).entries(ledger, index, 1)
        record = read_entry(content).record
        if isinstance(record, records.Series):
            name = " / ".join(numbers.get(key, [key]))
            yield BatchSeries(agreement=known.agreement, ledger=ledger, batch=name, series=record)


def sealed_entries(home: Home, item: BatchSeries) -> list[tuple[int, records.Sealed]]:
    """The entries that seal stretches of a series, with their indexes, in the ledger's order."""
    return [(entry.index, entry.record) for entry in _sealed(home, item)]


@dataclass(frozen=True, slots=True)
class _Sealed:
    """An entry that seals a stretch."""

    index: int
    id: str
    record: records.Sealed


def _sealed(home: Home, item: BatchSeries) -> list[_Sealed]:
    store = home.ledgers(item.agreement)
    found = []
    for index in home.views(item.agreement).sealed(item.ledger, item.series.series):
        ((_, _, content),) = store.entries(item.ledger, index, 1)
        told = read_entry(content)
        if isinstance(told.record, records.Sealed):
            found.append(_Sealed(index, told.heading.id, told.record))
    return found


def _piece(
    home: Home,
    item: BatchSeries,
    index: int,
    record: records.Sealed,
    indexes: Mapping[str, int],
) -> Piece:
    content = home.agreement_objects(item.agreement).read(record.segment.sha256)
    window = (micros(record.from_), micros(record.to)) if record.correction is not None else None
    return Piece(
        block=read_segment(content, ledger=item.ledger, series=named_key(record.series)),
        index=index,
        is_file=record.entries is None,
        window=window,
        supersedes=superseded(record, indexes),
    )


def live_entries(
    home: Home, item: BatchSeries, sealed: Sequence[records.Sealed]
) -> list[tuple[int, records.Points]]:
    """Entries of inline points that may not be sealed yet, with their indexes."""
    live = [record for record in sealed if record.entries is not None]
    first = max((record.entries.first for record in live if record.entries), default=0)
    until = max((micros(record.complete_until) for record in live), default=0)
    store = home.ledgers(item.agreement)
    found: list[tuple[int, records.Points]] = []
    # Which runs there are depends on how far the views had come when; which entries count must not.
    for start, last, _, newest in home.views(item.agreement).points(
        item.ledger, item.series.series
    ):
        if last >= first or micros(newest) >= until:
            found += [
                (index, record)
                for index, record in _points_in(store, item, start, last)
                if index >= first or micros(record.base) >= until
            ]
    return found


def _live_pieces(home: Home, item: BatchSeries, sealed: Sequence[records.Sealed]) -> list[Piece]:
    """Inline points that may not be sealed yet; those that are come out equal and add nothing."""
    found = live_entries(home, item, sealed)
    if not found:
        return []
    block = decode_points(item.series, [record for _, record in found])
    return [Piece(block=block, index=found[0][0], is_file=False)]


def _points_in(
    store: Ledgers, item: BatchSeries, start: int, last: int
) -> Iterator[tuple[int, records.Points]]:
    for index, _, content in store.entries(item.ledger, start, last - start + 1):
        if b'"type":"fedbatch.points"' not in content:
            continue
        record = read_entry(content).record
        if isinstance(record, records.Points) and record.series == item.series.series:
            yield index, record


# ---- for people


def read_lines(home: Home, batch: str, *, agreement: str | None = None) -> list[SeriesLine]:
    """Every parameter of a batch's series in one line each.

    Where no agreement has the batch, those of the own journal: their `agreement` is "" and their
    `code` the parameter's name there.

    Raises:
        InputError: no such batch.
    """
    found = _shared(home, batch, agreement)
    if not found and agreement is None:
        return _own_lines(home, batch)
    lines = []
    for item in found:
        block, _, _ = reckon_held(home, item)
        until = sealed_until(home, item)
        for parameter in item.series.parameters:
            name = column_name(parameter.code, parameter.role)
            if name in block.columns:
                points = column_points(block, name)
                lines.append(_line(item, parameter, points, until))
    return lines


def _shared(home: Home, batch: str, agreement: str | None) -> list[BatchSeries]:
    """The series of a batch in ledgers; none where the own journal alone has it.

    Raises:
        InputError: no such batch in either.
    """
    try:
        return load_series(home, batch, agreement)
    except InputError as error:
        if error.code != "batch.unknown" or agreement or not own_series(home, batch):
            raise
        return []


def _own_lines(home: Home, batch: str) -> list[SeriesLine]:
    lines = []
    for own in own_series(home, batch):
        item = BatchSeries(agreement="", ledger="", batch=batch, series=own.series)
        until = micros(own.complete_until) if own.complete_until else None
        for parameter, named in zip(own.series.parameters, own.parameters, strict=True):
            name = column_name(parameter.code, parameter.role)
            if name in own.block.columns:
                line = _line(item, parameter, column_points(own.block, name), until)
                lines.append(msgspec.structs.replace(line, code=own_name(named)))
    return lines


def _line(
    item: BatchSeries, parameter: records.SeriesParameter, points: ColumnPoints, until: int | None
) -> SeriesLine:
    numbers = points.numbers if points.present is None else points.numbers[points.present]
    shown = [number_text(value, points.scale) for value in _telling(numbers)]
    least, greatest, newest = shown or ["", "", ""]
    return SeriesLine(
        agreement=item.agreement,
        batch=item.batch,
        code=parameter.code,
        role=parameter.role,
        unit=parameter.unit,
        points=points.times.size,
        marked=len(points.marks),
        first=instant_text(int(points.times[0])) if points.times.size else "",
        last=instant_text(int(points.times[-1])) if points.times.size else "",
        least=least,
        greatest=greatest,
        newest=newest,
        model=parameter.sampling_model.model,
        sealed_until=instant_text(until) if until is not None else "",
        drawn=_drawn(points),
    )


def _telling(numbers: Numbers) -> list[float]:
    """Least, greatest and newest."""
    if not numbers.size:
        return []
    return [numbers.min().item(), numbers.max().item(), numbers[-1].item()]


def _drawn(points: ColumnPoints) -> str:
    """The mean of each fortieth of the time as a bar; a blank where nothing was measured."""
    if points.times.size < 2:  # noqa: PLR2004 - one point has no shape
        return ""
    first, last = int(points.times[0]), int(points.times[-1]) + 1
    found = buckets([(points, BY_CLOCK)], first, last, _WIDTH)
    means, counts = found.mean[0], found.count[0]
    if not counts.any():
        return ""
    low, high = np.nanmin(means), np.nanmax(means)
    span = high - low or 1.0
    return "".join(
        _BARS[min(int((mean - low) / span * len(_BARS)), len(_BARS) - 1)] if count else " "
        for mean, count in zip(means.tolist(), counts.tolist(), strict=True)
    )


def point_rows(
    home: Home,
    batch: str,
    code: str,
    *,
    role: str | None = None,
    agreement: str | None = None,
    from_: str | None = None,
    to: str | None = None,
) -> list[PointRow]:
    """Every point of one parameter of a batch, in order of time.

    Where no agreement has the batch, `code` is the parameter's term or name in the own journal.

    Raises:
        InputError: no such batch, or no such parameter of it.
    """
    rows: list[PointRow] | None = None
    known: set[str] = set()
    first = micros(from_, "--from") if from_ else EARLIEST
    last = micros(to, "--to") if to else LATEST
    found = _shared(home, batch, agreement)
    for item in found:
        for parameter in item.series.parameters:
            known.add(f"{parameter.code} {parameter.role}" if role else parameter.code)
            if parameter.code == code and role in {None, parameter.role}:
                name = column_name(parameter.code, parameter.role)
                block, _, _ = reckon_held(home, item)
                rows = (rows or []) + _rows(between(block, first, last), name, parameter.unit)
    for own in own_series(home, batch) if not found and agreement is None else ():
        for at, named in enumerate(own.parameters):
            known.add(f"{own_name(named)} {named.role}" if role else own_name(named))
            if code in {named.term, own_name(named)} and role in {None, named.role}:
                part = between(own.block, first, last)
                rows = (rows or []) + _rows(part, column_name(str(at), named.role), named.unit)
    if rows is None:
        raise InputError(
            "a parameter of the batch's series",
            found=f"{code} of batch {batch}",
            advice=_known_text(code, known),
            code="series.unknown",
        )
    return rows


def _rows(block: Block, name: str, unit: str) -> list[PointRow]:
    if name not in block.columns:
        return []
    points = column_points(block, name)
    texts = [number_text(value, points.scale) for value in points.numbers.tolist()]
    is_there = points.present.tolist() if points.present is not None else [True] * len(texts)
    nothing = Mark()
    return [
        PointRow(
            time=instant_text(time),
            number=text if there else "",
            unit=unit,
            quality=points.marks.get(at, nothing).quality,
            raw=points.marks.get(at, nothing).raw,
        )
        for at, (time, text, there) in enumerate(
            zip(points.times.tolist(), texts, is_there, strict=True)
        )
    ]


# ---- for programs


def series_table(
    home: Home, batch: str, *, codes: Sequence[str] = (), agreement: str | None = None
) -> pa.Table:
    """A batch's series as one table: `time` (µs, UTC), a column `<code>.<role>` each.

    With `codes`, the rows in which one of them has a point. Numbers are exact decimals, or float64
    where the points are binary64; null where there is none. `q.` and `raw.` columns stand beside a
    parameter where a point is not good or says more than its number. A field's metadata has the unit.

    Raises:
        InputError: `series.parameter`: a code that no series of the batch has; `series.agreement`: two
            agreements have a batch of this number, and none is named.
    """
    tables = []
    loaded = load_series(home, batch, agreement)
    _check_one_agreement(home, batch, loaded)
    known = {p.code for item in loaded for p in item.series.parameters}
    for code in codes:
        if code not in known:
            raise _no_parameter(code, known)
    for item in loaded:
        names = [
            column_name(p.code, p.role)
            for p in item.series.parameters
            if not codes or p.code in codes
        ]
        units = {column_name(p.code, p.role): p.unit for p in item.series.parameters}
        table = arrow_table(series_block(home, item, names=names), units)
        tables.append(_with_points(table) if codes else table)
    if not tables:
        return pa.table({"time": pa.array([], pa.timestamp("us", "UTC"))})
    # Several series of a batch may have other scales: the wider type holds both.
    return pa.concat_tables(tables, promote_options="permissive")


def _check_one_agreement(home: Home, batch: str, loaded: Sequence[BatchSeries]) -> None:
    """Two partners may call two batches alike: their points are never put into one table."""
    agreements = sorted({item.agreement for item in loaded})
    if len(agreements) > 1:
        names = [f"{item} ({home.agreement_named(item).name})" for item in agreements]
        raise InputError(
            "the agreement that is meant",
            where=f"batch {batch}",
            found=f"a batch of that number under each of {', '.join(names)}",
            advice=f"Name one of them: agreement {agreements[0]}.",
            code="series.agreement",
        )


def _with_points(table: pa.Table) -> pa.Table:
    """The rows that say something besides their time."""
    if not table.num_columns > 1:
        return table.slice(0, 0)
    said = [pc.is_valid(table.column(name)) for name in table.column_names if name != "time"]
    return table.filter(functools.reduce(pc.or_, said))


def overlay(
    home: Home,
    code: str,
    *,
    role: str = "PV",
    step: str | None = None,
    batches: Sequence[str] = (),
    count: int = 500,
) -> pa.Table:
    """One parameter of many batches on one axis; see `Reader.overlay`."""
    lines: list[tuple[ColumnPoints, Alignment]] = []
    named: list[tuple[str, str]] = []
    known: set[str] = set()
    name = column_name(code, role)
    for item in _every_series(home, batches):
        known |= {column_name(p.code, p.role) for p in item.series.parameters}
        if not any((p.code, p.role) == (code, role) for p in item.series.parameters):
            continue
        block = series_block(home, item, names=[name])
        points = column_points(block, name)
        alignment = _alignment(home, item, points, step)
        if points.times.size and alignment is not None:
            lines.append((points, alignment))
            named.append((item.agreement, item.batch))
    if name not in known:
        raise _no_parameter(name, known)
    last = 1.0 if step else max((_length(*line) for line in lines), default=1.0)
    found = buckets(lines, 0.0, last, count)
    positions = np.linspace(0.0, last, count, endpoint=False) / (1 if step else _SECOND)
    return pa.table(
        {
            "agreement": [agreement for agreement, _ in named for _ in range(count)],
            "batch": [batch for _, batch in named for _ in range(count)],
            "position": pa.array(np.tile(positions, len(named))),
            "count": pa.array(found.count.reshape(-1)),
            **{
                what: pa.array(getattr(found, what).reshape(-1), from_pandas=True)
                for what in ("least", "mean", "greatest")
            },
        }
    )


def _no_parameter(name: str, known: AbstractSet[str]) -> InputError:
    return InputError(
        "a parameter of a series that is known here",
        where="code",
        found=name,
        advice=_known_text(name, known),
        code="series.parameter",
    )


def _known_text(name: str, known: AbstractSet[str]) -> str:
    """The parameters that there are, those most like a name first, as many as a person reads."""
    if not known:
        return "No series is known here."
    nearest = sorted(
        known,
        key=lambda item: (-SequenceMatcher(None, name.lower(), item.lower()).ratio(), item),
    )
    more = len(nearest) - _KNOWN_MAX
    rest = f" and {more} more" if more > 0 else ""
    return f"Known are {', '.join(nearest[:_KNOWN_MAX])}{rest}."


def _length(points: ColumnPoints, alignment: Alignment) -> float:
    return float(int(points.times[-1]) + 1 - alignment.origin)


def _every_series(home: Home, batches: Sequence[str]) -> Iterator[BatchSeries]:
    if batches:
        for batch in batches:
            yield from load_series(home, batch)
        return
    for known in home.node.agreements():
        yield from every_series(home, known)


def _alignment(
    home: Home, item: BatchSeries, points: ColumnPoints, step: str | None
) -> Alignment | None:
    if step is None:
        return from_anchor(int(points.times[0])) if points.times.size else None
    batch = named_key(item.series.batch) if item.series.batch is not None else ""
    store = home.ledgers(item.agreement)
    head = store.find_head(item.ledger, "step", (batch, step, "1"))
    if head is None or head.is_withdrawn:
        return None
    ((_, _, content),) = store.entries(item.ledger, head.index, 1)
    record = read_entry(content).record
    if not isinstance(record, records.Step) or record.start is None or record.end is None:
        return None
    start, end = micros(record.start.instant), micros(record.end.instant)
    return along_step(start, end) if end > start else None
