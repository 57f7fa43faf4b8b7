"""Series of the own journal: what was measured, before any agreement covers the batch."""

from dataclasses import dataclass

from fedbatch.node.home import Home
from fedbatch.series.blocks import Block
from fedbatch.series.counting import Piece, counted
from fedbatch.series.inline import decode_points
from fedbatch.services.live import declared_series, plain_series, points_since
from fedbatch.services.numbering import find_batches, journal_batches
from fedbatch.services.series_intake import read_pieces, sealed_of
from fedbatch.standard import records
from fedbatch.standard.journals import JournalParameter

__all__ = ["OwnSeries", "own_name", "own_series"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSeries:
    """A series of the journal with its points; a column is named `<index>.<role>`.

    `series` is as the standard writes it, each parameter's code its index; `parameters` are the
    journal's own, in the same order; `complete_until` is "" where nothing is sealed.
    """

    series: records.Series
    parameters: tuple[JournalParameter, ...]
    block: Block
    complete_until: str


def own_series(home: Home, batch: str) -> list[OwnSeries]:
    """The series of a batch in the own journal, by either party's number; none where it has none."""
    known = journal_batches(home.journal, home.journal.heads(("batch",)), home.ids)
    # A file of points can name a batch of which no table has told yet.
    told = (home.ids.own("batch", batch), home.ids.own("batch.partner", batch))
    names = {*find_batches(known, home.ids, batch), *told}
    declared = [
        item
        for item in declared_series(home.journal).values()
        if item.batch and item.batch in names
    ]
    if not declared:
        return []
    sealed = sealed_of(home.journal)
    live: dict[str, list[tuple[int, records.Points]]] = {}
    if any(item.precedence == "live" for item in declared):
        for point in points_since(home.journal, 0):
            live.setdefault(point.record.series, []).append((point.index, point.record))
    found = []
    for item in declared:
        stretches = sealed.get(item.series, [])
        plain = plain_series(item)
        pieces = [*read_pieces(stretches, home.journal_objects)]
        entries = live.get(item.series, [])
        if entries:
            block = decode_points(plain, [record for _, record in entries])
            pieces.append(Piece(block=block, index=entries[0][0], is_file=False))
        shown, _ = counted(pieces, item.precedence)
        until = max((one.record.complete_until for one in stretches), default="")
        found.append(
            OwnSeries(series=plain, parameters=item.parameters, block=shown, complete_until=until)
        )
    return found


def own_name(parameter: JournalParameter) -> str:
    """A parameter of the journal as people read it: its term, with class, position and qualifier."""
    parts = (parameter.equipment_class, parameter.position, parameter.qualifier)
    return " ".join([parameter.term, *filter(None, parts)])
