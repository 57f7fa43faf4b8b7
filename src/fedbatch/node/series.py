"""Series of batches as a node knows them: sealed stretches and what came since, reckoned together."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedbatch.errors import InputError
from fedbatch.node.home import Home
from fedbatch.node.reading import batch_numbers
from fedbatch.series.blocks import Block, select
from fedbatch.series.counting import Piece, reckon
from fedbatch.series.instants import micros
from fedbatch.series.segments import read_segment
from fedbatch.standard import records
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.values import named_key

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
    pieces = _sealed_pieces(home, item)
    block = reckon(pieces, precedence=item.series.precedence).block
    chosen = [name for name in names if name in block.columns]
    return select(block, chosen) if names else block


def _sealed_pieces(home: Home, item: BatchSeries) -> list[Piece]:
    store, objects = home.ledgers(item.agreement), home.agreement_objects(item.agreement)
    pieces = []
    for index in home.views(item.agreement).sealed(item.ledger, item.series.series):
        ((_, _, content),) = store.entries(item.ledger, index, 1)
        record = read_entry(content).record
        if not isinstance(record, records.Sealed):
            continue
        window = None
        if record.correction is not None:
            window = (micros(record.from_), micros(record.to))
        segment = objects.read(record.segment.sha256)
        pieces.append(
            Piece(
                block=read_segment(segment, ledger=item.ledger, series=named_key(record.series)),
                index=index,
                is_file=record.entries is None,
                window=window,
                is_late=record.late,
            )
        )
    return pieces
