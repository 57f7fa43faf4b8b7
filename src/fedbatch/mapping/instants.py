"""Columns of texts to instants: what stands at fixed places at once, all else by the reader, text by text.

Equal to `TimeReader` in what it reads and in what it holds back; only faster. An IANA zone is asked
at the ends of each day that occurs, and at its quarters of an hour where the ends differ: clocks
change at quarters, and no zone has ever changed them twice within three days (tz database 2026f).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

import numpy as np

from fedbatch.mapping.counted_times import COUNTED, read_counts
from fedbatch.mapping.fixed_times import NO_TIME, Micros, read_fixed
from fedbatch.mapping.times import YEARS, TimeProblem, TimeReader, tells_offset
from fedbatch.series.arrow import Texts
from fedbatch.series.instants import micros
from fedbatch.standard.values import Time

__all__ = ["NO_TIME", "Micros", "read_at_once", "read_instants"]

_QUARTER_US = 15 * 60 * 1_000_000
_DAY_QUARTERS = 96
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times without a zone, until they are placed
_CHECKED = 16


def read_instants(
    texts: Texts, reader: TimeReader, form: str | None = None
) -> tuple[Micros, dict[int, TimeProblem]]:
    """Instants of a column, and by row why there is none.

    Args:
        texts: verbatim.
        reader: formats and zone.
        form: the column's own format, if it has one.
    """
    forms = (form,) if form else reader.formats
    found = np.full(len(texts), NO_TIME, dtype=np.int64)
    if not (reader.month_names and any("%b" in item or "%B" in item for item in forms)):
        found = read_at_once(texts, forms, reader.zone)
        if not _agrees(texts, found, reader, form):
            found = np.full(len(texts), NO_TIME, dtype=np.int64)
    return found, _read_rest(texts, found, reader, form)


def read_at_once(texts: Texts, forms: Sequence[str], zone: tzinfo) -> Micros:
    """What one format alone reads, or several read alike; nothing where a format is read by text only."""
    found = np.full(len(texts), NO_TIME, dtype=np.int64)
    doubtful = np.zeros(len(texts), dtype=np.bool_)
    for form in forms:
        times = _read_one(texts, form)
        if times is None:
            return np.full(len(texts), NO_TIME, dtype=np.int64)
        if not tells_offset(form):
            times = _placed(times, zone)
        doubtful |= (found != NO_TIME) & (times != NO_TIME) & (found != times)
        found = np.where(found == NO_TIME, times, found)
    found[doubtful] = NO_TIME
    return found


def _read_one(texts: Texts, form: str) -> Micros | None:
    if form in COUNTED:
        return read_counts(texts, form, YEARS)
    return read_fixed(texts, form.replace("%T", "%H:%M:%S"), YEARS)


def _placed(local: Micros, zone: tzinfo) -> Micros:
    """Local times of a zone as instants; those that happen twice or never stay without one."""
    known = local != NO_TIME
    quarters, places = np.unique(local[known] // _QUARTER_US, return_inverse=True)
    placed = np.full(local.shape, NO_TIME, dtype=np.int64)
    if quarters.size:
        shift = _offsets(quarters, zone)[places]
        instants = local[known] - shift
        instants[shift == NO_TIME] = NO_TIME
        placed[known] = instants
    return placed


def _offsets(quarters: Micros, zone: tzinfo) -> Micros:
    """For each quarter of an hour since 1970 what `_offset_us` says."""
    days, places = np.unique(quarters // _DAY_QUARTERS, return_inverse=True)
    ends = [
        (_offset_us(day * _DAY_QUARTERS, zone), _offset_us((day + 1) * _DAY_QUARTERS, zone))
        for day in days.tolist()
    ]
    found = np.array([first for first, _ in ends], dtype=np.int64)[places]
    is_even = np.array([first == last != NO_TIME for first, last in ends], dtype=np.bool_)[places]
    for place in np.flatnonzero(~is_even).tolist():
        found[place] = _offset_us(int(quarters[place]), zone)
    return found


def _offset_us(quarter: int, zone: tzinfo) -> int:
    """What a zone is ahead of UTC in a quarter of an hour; NO_TIME where the clocks change."""
    try:
        moment = _EPOCH + timedelta(microseconds=quarter * _QUARTER_US)
        early, late = (zone.utcoffset(moment.replace(fold=fold)) for fold in (0, 1))
    except OverflowError:
        return NO_TIME
    if early is None or early != late:
        return NO_TIME
    return early // timedelta(microseconds=1)


def _agrees(texts: Texts, found: Micros, reader: TimeReader, form: str | None) -> bool:
    """Whether the quick reading is the reader's, on rows from all over the column."""
    rows = np.flatnonzero(found != NO_TIME)
    chosen = rows[:: max(1, rows.size // _CHECKED)]
    for row in chosen:
        time = reader.read(texts[int(row)].as_py() or "", form)
        if not isinstance(time, Time) or micros(time.instant) != found[row]:
            return False
    return True


def _read_rest(
    texts: Texts, found: Micros, reader: TimeReader, form: str | None
) -> dict[int, TimeProblem]:
    """Read what has no instant yet into `found`, equal texts once; why the rest has none."""
    problems: dict[int, TimeProblem] = {}
    known: dict[str, Time | TimeProblem] = {}
    for row in np.flatnonzero(found == NO_TIME).tolist():
        text = texts[row].as_py() or ""
        if text not in known:
            known[text] = reader.read(text, form)
        time = known[text]
        if isinstance(time, Time):
            found[row] = micros(time.instant)
        else:
            problems[row] = time
    return problems
