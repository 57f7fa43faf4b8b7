"""Columns of texts to instants: the plain formats at once, all others by the reader, text by text.

Equal to `TimeReader` in what it reads and in what it holds back; only faster. An IANA zone is asked
at the ends of each day that occurs, and at its quarters of an hour where the ends differ: clocks
change at quarters, and no zone has ever changed them twice within three days (tz database 2026f).
"""

import re
from datetime import datetime, timedelta, tzinfo

import numpy as np
import numpy.typing as npt

from fedbatch.mapping.times import TimeProblem, TimeReader
from fedbatch.series.arrow import Texts, arrow, compute, flags_of, integers_of
from fedbatch.series.instants import micros
from fedbatch.standard.values import Time

__all__ = ["NO_TIME", "Micros", "read_instants"]

# Where there is no instant; nothing real is as early.
NO_TIME = int(np.iinfo(np.int64).min)
_QUARTER_US = 15 * 60 * 1_000_000
_DAY_QUARTERS = 96
_PLAIN = re.compile(r"(%[YmdHMST]|[-/. T:])+", re.ASCII)
# Parts of seconds; with `%z` those of UTC alone, which end with `Z`.
_PARTED = re.compile(r"%Y-%m-%d([ T])%H:%M:%S\.%f(%z)?")
_BETWEEN_AT, _POINT_AT, _PARTED_LEAST, _PARTED_MOST = 10, 19, 21, 26
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times without a zone, until they are placed
_CHECKED = 16
# Beyond these years the reader itself says what is a date.
_SURE_FROM, _SURE_TO = (micros(f"{year}-01-01T00:00:00Z") for year in (1902, 9998))
Micros = npt.NDArray[np.int64]


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
    if len(forms) == 1 and (parted := _PARTED.fullmatch(forms[0])):
        found = _read_parted(texts, parted[1], None if parted[2] else reader.zone)
    elif len(forms) == 1 and _PLAIN.fullmatch(forms[0]):
        found = _read_plain(texts, forms[0], reader.zone)
    found = np.where((found >= _SURE_FROM) & (found < _SURE_TO), found, NO_TIME)
    if not _agrees(texts, found, reader, form):
        found = np.full(len(texts), NO_TIME, dtype=np.int64)
    return found, _read_rest(texts, found, reader, form)


def _read_plain(texts: Texts, form: str, zone: tzinfo) -> Micros:
    trimmed = compute.utf8_trim_whitespace(texts)
    form = form.replace("%T", "%H:%M:%S")
    parsed = compute.strptime(trimmed, format=form, unit="us", error_is_null=True)
    return _placed(integers_of(compute.fill_null(parsed.cast(arrow.int64()), NO_TIME)), zone)


def _read_parted(texts: Texts, between: str, zone: tzinfo | None) -> Micros:
    """Times with one to six digits behind the point of their seconds, in UTC where no zone is given.

    All others stay without.
    """
    end = "" if zone is not None else "Z"
    trimmed = compute.utf8_trim_whitespace(texts)
    length = integers_of(compute.binary_length(trimmed)) - len(end)
    fits = (length >= _PARTED_LEAST) & (length <= _PARTED_MOST)
    fits &= integers_of(compute.find_substring(trimmed, ".")) == _POINT_AT
    fits &= integers_of(compute.find_substring(trimmed, between)) == _BETWEEN_AT
    if end:
        fits &= flags_of(compute.ends_with(trimmed, end))
    kept = compute.if_else(arrow.array(fits), trimmed, arrow.scalar(None, arrow.string()))
    try:
        parsed = compute.cast(kept, arrow.timestamp("us", "UTC" if end else None))
    except arrow.ArrowInvalid:
        return np.full(len(texts), NO_TIME, dtype=np.int64)
    local = integers_of(compute.fill_null(parsed.cast(arrow.int64()), NO_TIME))
    return local if zone is None else _placed(local, zone)


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
