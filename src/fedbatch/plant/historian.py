"""The historian: exception reporting, lost links, and the files that it is exported to.

A reading is archived when it has left the dead band around the last archived one, or after the
longest interval. A row is written a moment after its reading; rows that were kept back while the
link was down come later, in no order, and some of them twice.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedbatch.plant.faults import Stretch
from fedbatch.plant.schedule import ZONE, PlannedBatch
from fedbatch.plant.signals import SCAN_S, Signals
from fedbatch.plant.tags import COARSE_PH, LONGEST_S, TAGS, UNITS, Tag, tag_name

__all__ = ["Archive", "Row", "Stretched", "archive_rows", "interpolated_table", "render_archive"]

# The historian's own way from reading to file.
LATENCY_S = 2
# Buffered rows follow when the link has been up again for a while, and take their time.
BUFFER_WAIT_S = 25 * 60
BUFFER_DRAIN_S = 15 * 60
DOUBLED_S = 2 * 60
# Tags whose doubled row differs by one quantum: the buffer rounded otherwise.
DIFFERING = ("DO.PV", "O2.PV")
TIMEOUT = "I/O Timeout"


class Row(NamedTuple):
    """A row of the archive in the order of writing: when written, tag, instant of reading, value.

    `text` is what stands in the file, `status` Good or Bad; instants are seconds, UTC.
    """

    written_at: int
    tag: int
    at: int
    text: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretched:
    """Signals with what the historian must heed: where it takes a snapshot, where the link is down."""

    signals: Signals
    snapshots: tuple[int, ...]
    link_down: Stretch | None
    is_coarse: bool


def archive_rows(stretch: Stretched) -> list[Row]:
    """Return everything the historian will ever write of a stretch, in order of writing."""
    rows: list[Row] = []
    for position, tag in enumerate(TAGS):
        band = COARSE_PH if stretch.is_coarse and tag.suffix == "PH.PV" else tag.dead_band
        rows += _tag_rows(stretch, position, tag, band)
    if stretch.link_down is not None:
        rows = _interrupted(rows, stretch.link_down, stretch.signals.start)
    rows.sort()
    return rows


def _tag_rows(stretch: Stretched, position: int, tag: Tag, band: int) -> Iterable[Row]:
    signals = stretch.signals
    texts = signals.texts.get(tag.suffix, ())
    quanta = signals.quanta[tag.suffix].tolist()
    forced = {0, *stretch.snapshots}
    forced |= {edge for start, stop, _ in texts for edge in (start, stop) if edge < signals.count}
    edges = [*sorted(forced), signals.count]
    # Tags are not read at the same second.
    shift = signals.start + position
    for first, stop in pairwise(edges):
        spoken = next((text for start, end, text in texts if start <= first < end), "")
        if spoken:
            kept = [(scan, scan) for scan in range(first, stop, LONGEST_S // SCAN_S)]
        else:
            kept = _exceptions(quanta, first, stop, tag, band)
        for scan, seen in kept:
            text = spoken or f"{quanta[scan] / 10**tag.decimals:.{tag.decimals}f}"
            status = "Bad" if spoken else "Good"
            written_at = shift + SCAN_S * seen + LATENCY_S
            yield Row(written_at, position, shift + SCAN_S * scan, text, status)


def _exceptions(
    quanta: Sequence[int], first: int, stop: int, tag: Tag, band: int
) -> list[tuple[int, int]]:
    """Return (scan archived, scan at which that was decided) from `first` up to `stop`."""
    allowed = band if tag.between == "step" else band // 2
    with_previous = tag.between == "linear"
    longest = LONGEST_S // SCAN_S
    kept = [(first, first)]
    last_scan, last = first, quanta[first]
    for scan in range(first + 1, stop):
        value = quanta[scan]
        has_left = not -allowed <= value - last <= allowed
        if not has_left and scan - last_scan < longest:
            continue
        if has_left and with_previous and scan - last_scan > 1:
            kept.append((scan - 1, scan))
        kept.append((scan, scan))
        last_scan, last = scan, value
    return kept


def _interrupted(rows: list[Row], down: Stretch, origin: int) -> list[Row]:
    """The link breaks: a text at once, silence, and later what the buffer held."""
    chance = np.random.default_rng([origin, 3])
    live = [row for row in rows if not down.start <= row.written_at < down.stop]
    held = [row for row in rows if down.start <= row.written_at < down.stop]
    doubled = [row for row in live if down.stop <= row.written_at < down.stop + DOUBLED_S]
    spoken = [
        Row(down.start + 5, position, down.start + position % 3, TIMEOUT, "Bad")
        for position in range(len(TAGS))
    ]
    buffered = held + _doubled(doubled)
    order = chance.permutation(len(buffered))
    pause = BUFFER_DRAIN_S / len(buffered)
    begin = down.stop + BUFFER_WAIT_S
    late = [
        buffered[place]._replace(written_at=begin + int(rank * pause))
        for rank, place in enumerate(order)
    ]
    return live + spoken + late


def _doubled(rows: list[Row]) -> list[Row]:
    differing = {
        next(row for row in rows if TAGS[row.tag].suffix == suffix) for suffix in DIFFERING
    }
    return [_rounded_otherwise(row) if row in differing else row for row in rows]


def _rounded_otherwise(row: Row) -> Row:
    decimals = TAGS[row.tag].decimals
    return row._replace(text=f"{float(row.text) + 10**-decimals:.{decimals}f}")


# ---- the long file, which grows


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A long file as it will stand at the end, and how far it stands at any instant."""

    content: bytes
    header_bytes: int
    written_at: Sequence[int]
    ends: Sequence[int]

    def until(self, instant: int) -> bytes:
        """Return the file's bytes at an instant: whole lines only."""
        rows = bisect_right(self.written_at, instant)
        return self.content[: self.ends[rows - 1] if rows else self.header_bytes]


def render_archive(rows: Sequence[Row], train: int, *, is_local: bool) -> Archive:
    """Write rows as a long file, one reading a line.

    UTC stands as ISO 8601 with Z; local time as `dd.mm.yyyy HH:MM:SS`, so that one hour stands
    twice when summer ends. The header says which.
    """
    clock = "Timestamp (local time Europe/Zurich)" if is_local else "Timestamp (UTC)"
    header = f"Tag,{clock},Value,Status\r\n".encode()
    names = [tag_name(train, tag) for tag in TAGS]
    times = _local_texts if is_local else _utc_texts
    at = np.array([row.at for row in rows], dtype=np.int64)
    lines = [
        f"{names[row.tag]},{text},{row.text},{row.status}\r\n".encode()
        for row, text in zip(rows, times(at), strict=True)
    ]
    ends = (len(header) + np.cumsum([len(line) for line in lines], dtype=np.int64)).tolist()
    return Archive(
        content=header + b"".join(lines),
        header_bytes=len(header),
        written_at=[row.written_at for row in rows],
        ends=ends,
    )


def _utc_texts(at: NDArray[np.int64]) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(at.astype("datetime64[s]")).tolist()]


def _local_texts(at: NDArray[np.int64]) -> list[str]:
    hours, place = np.unique(at // 3_600, return_inverse=True)
    offsets = np.array([_offset_s(int(hour) * 3_600) for hour in hours.tolist()], dtype=np.int64)
    local = np.datetime_as_string((at + offsets[place]).astype("datetime64[s]")).tolist()
    return [f"{text[8:10]}.{text[5:7]}.{text[:4]} {text[11:]}" for text in local]


def _offset_s(instant: int) -> int:
    offset = datetime.fromtimestamp(instant, UTC).astimezone(ZONE).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


# ---- the wide export


def interpolated_table(batch: PlannedBatch, rows: Sequence[Row], until: int) -> bytes:
    """Write one row a minute of a batch, a straight line between whatever good readings there are.

    Only rows written by `until` are known; a lost stretch looks like any other.
    """
    stop = min(batch.end_at, until)
    grid = np.arange(-(-batch.inoculation_at // 60) * 60, stop, 60, dtype=np.int64)
    columns = [_drawn(grid, rows, position, until) for position in range(len(TAGS))]
    names = [tag_name(batch.train, tag) for tag in TAGS]
    lines = [
        ",".join(["Timestamp (local time)", *names]),
        ",".join(["", *(UNITS[tag.unit] for tag in TAGS)]),
        *(",".join(cells) for cells in zip(_local_texts(grid), *columns, strict=True)),
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def _drawn(grid: NDArray[np.int64], rows: Sequence[Row], position: int, until: int) -> list[str]:
    tag = TAGS[position]
    known = sorted(
        (row.at, float(row.text))
        for row in rows
        if row.tag == position and row.status == "Good" and row.written_at <= until
    )
    if not known:
        return [""] * len(grid)
    at, values = np.array(known).T
    drawn = np.interp(grid, at, values).tolist()
    return [f"{value:.{tag.decimals + 1}f}" for value in drawn]
