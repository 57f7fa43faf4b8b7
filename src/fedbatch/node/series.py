"""Series of batches as a node knows them: sealed stretches and what came since, reckoned together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fedbatch.errors import InputError
from fedbatch.node.home import Home
from fedbatch.node.reading import batch_numbers
from fedbatch.series.blocks import Block, select
from fedbatch.series.counting import Piece, counted
from fedbatch.series.inline import decode_points
from fedbatch.series.instants import micros
from fedbatch.series.segments import read_segment
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import named_key
from fedbatch.store.ledgers import Ledgers

__all__ = ["BatchSeries", "load_series", "series_block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSeries:
    """A series of one batch as it is declared, under which agreement and in which ledger it lies."""

    agreement: str
    ledger: str
    batch: str
    series: records.Series


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
    sealed = _sealed(home, item)
    pieces = [_piece(home, item, index, record) for index, record in sealed]
    pieces += _live_pieces(home, item, [record for _, record in sealed])
    block, _ = counted(pieces, item.series.precedence)
    chosen = [name for name in names if name in block.columns]
    return select(block, chosen) if names else block


def _sealed(home: Home, item: BatchSeries) -> list[tuple[int, records.Sealed]]:
    store = home.ledgers(item.agreement)
    found = []
    for index in home.views(item.agreement).sealed(item.ledger, item.series.series):
        ((_, _, content),) = store.entries(item.ledger, index, 1)
        record = read_entry(content).record
        if isinstance(record, records.Sealed):
            found.append((index, record))
    return found


def _piece(home: Home, item: BatchSeries, index: int, record: records.Sealed) -> Piece:
    content = home.agreement_objects(item.agreement).read(record.segment.sha256)
    window = (micros(record.from_), micros(record.to)) if record.correction is not None else None
    return Piece(
        block=read_segment(content, ledger=item.ledger, series=named_key(record.series)),
        index=index,
        is_file=record.entries is None,
        window=window,
    )


def _live_pieces(home: Home, item: BatchSeries, sealed: Sequence[records.Sealed]) -> list[Piece]:
    """Inline points that may not be sealed yet; those that are come out equal and add nothing."""
    live = [record for record in sealed if record.entries is not None]
    first = max((record.entries.first for record in live if record.entries), default=0)
    until = max((micros(record.complete_until) for record in live), default=0)
    store = home.ledgers(item.agreement)
    found: list[tuple[int, records.Points]] = []
    for start, last, _, newest in home.views(item.agreement).points(
        item.ledger, item.series.series
    ):
        if last >= first or micros(newest) >= until:
            found += _points_in(store, item, start, last)
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
