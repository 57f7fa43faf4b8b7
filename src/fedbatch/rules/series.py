"""Agreement rules of series: sampling, gaps, sources that differ, balances.

Both nodes compute the same from the same points: gaps are judged by the bound of the sampling model,
which is also what parts a covered stretch from a gap in derived results.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import fsum

import numpy as np

from fedbatch.rules.facts import StepFacts
from fedbatch.rules.verdicts import judge
from fedbatch.series.blocks import (
    Block,
    ColumnPoints,
    Integers,
    column_points,
    good_flags,
    good_points,
)
from fedbatch.series.counting import Conflict
from fedbatch.series.derived import Derived, duration_text
from fedbatch.series.inline import column_name
from fedbatch.series.instants import duration_us, instant_text
from fedbatch.series.lines import Line, line_of
from fedbatch.standard.agreements import AgreementBody, Limit, Rounding
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.records import SeriesParameter, Verdict
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Value, decimal_of

__all__ = [
    "SeriesFacts",
    "balance_findings",
    "coarse_findings",
    "conflict_findings",
    "counter_growth",
    "derived_value",
    "gap_bound",
    "gap_findings",
    "judge_derived",
    "late_findings",
    "parameter_line",
]

# A point that comes half an interval late is late; one that does not come is a gap.
_INTERVALS = Decimal("1.5")
# Of a source that reports by exception without a longest interval nothing says how long it may be still.
_USUAL, _EXCEPTIONS = 95, 10
# More gaps of one parameter than these are told as a number: what is longest is listed.
_GAPS_MAX = 100
# How long a source may say that it has no value before that is a gap.
BROKEN_US = 300_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFacts:
    """A series of a batch and the points of it that show.

    `steps`: of the batch, for limits that hold in elements. `from_` and `to` (µs): the stretch in which
    points are expected, such as the step's; without them, from the first point to `complete_until`.
    `late`: stretches that came after they had been complete: from, to (µs), how many points.
    """

    series: str
    batch: str
    parameters: tuple[SeriesParameter, ...]
    block: Block
    complete_until: int
    steps: tuple[StepFacts, ...] = ()
    late: tuple[tuple[int, int, int], ...] = ()
    from_: int | None = None
    to: int | None = None

    def place(self, name: str) -> Place:
        """Where findings of a parameter lie."""
        return Place(type="series", key=(self.series,), path=f"/{name}")

    def points(self, parameter: SeriesParameter) -> ColumnPoints | None:
        """The parameter's points, or None if the block has no such column."""
        name = column_name(parameter.code, parameter.role)
        return column_points(self.block, name) if name in self.block.columns else None

    def window(self, points: ColumnPoints) -> tuple[int, int] | None:
        """The stretch in which points are expected; None if it has no length."""
        ends = points.times[[0, -1]].tolist() if points.times.size else []
        from_ = self.from_ if self.from_ is not None else min(ends, default=self.complete_until)
        to = self.to if self.to is not None else max([self.complete_until, *ends])
        return (from_, to) if from_ < to else None


# ---- late points


def late_findings(facts: SeriesFacts) -> Iterator[Finding]:
    """`data.late` for each stretch that was added once it had been called complete."""
    for from_, to, points in facts.late:
        yield finding(
            "data.late",
            Place(type="series", key=(facts.series,)),
            found=f"{points} points from {instant_text(from_)} to {instant_text(to)} came later",
            expected="no more points once a stretch is sealed",
        )


# ---- gaps


def gap_bound(parameter: SeriesParameter, points: ColumnPoints) -> int:
    """Neighbours further apart than this (µs) have a gap between them, by the sampling model.

    `as_archived`: its longest interval. Else one and a half intervals; of averages, without an
    interval, windows. A model that names neither is judged by the points: one and a half of their
    median step, or, of a source that reports by exception, ten times the step below which nineteen of
    twenty stay.
    """
    model = parameter.sampling_model
    if model.model == "as_archived" and model.longest_interval is not None:
        return duration_us(model.longest_interval)
    stated = model.interval or (model.window if model.model == "averaged" else None)
    if stated is not None:
        return int(duration_us(stated) * _INTERVALS)
    if points.times.size < 2:  # noqa: PLR2004 - a step needs two
        return 0
    steps = np.diff(points.times)
    if model.model == "as_archived":
        usual = int(np.percentile(steps, _USUAL, method="lower"))
        return int(usual * _EXCEPTIONS)
    return int(int(np.median(steps)) * _INTERVALS)


def gap_findings(facts: SeriesFacts) -> Iterator[Finding]:
    """`series.gap` for each stretch without a good point that is longer than the bound."""
    for parameter in facts.parameters:
        points = facts.points(parameter)
        if points is None:
            continue
        window = facts.window(points)
        if window is None:
            continue
        good = good_points(points)
        bound = gap_bound(parameter, good)
        yield from _broken(facts, parameter, points, bound)
        inside = good.times[(good.times >= window[0]) & (good.times <= window[1])]
        edges = np.concatenate([window[:1], inside, window[1:]])
        yield from _gaps(facts, parameter, edges, bound)


def _gaps(
    facts: SeriesFacts, parameter: SeriesParameter, edges: Integers, bound: int
) -> Iterator[Finding]:
    """A finding for each step between edges beyond the bound; of very many the longest, in order."""
    steps = np.diff(edges)
    gaps = np.flatnonzero(steps > bound)
    longest = np.sort(gaps[np.argsort(-steps[gaps], kind="stable")[:_GAPS_MAX]])
    place = facts.place(column_name(parameter.code, parameter.role))
    expected = f"a good point at least every {duration_text(bound)} s"
    model = parameter.sampling_model
    if model.model == "as_archived" and model.longest_interval is None and model.interval is None:
        expected += ", ten times its usual longest step: no longest interval is stated"
    for row in longest.tolist():
        first, last = int(edges[row]), int(edges[row + 1])
        yield finding(
            "series.gap",
            place,
            found=f"none for {duration_text(last - first)} s from {instant_text(first)}"
            + _rows_within(facts.block, first, last),
            expected=expected,
        )
    if gaps.size > longest.size:
        most = int(np.delete(steps[gaps], np.searchsorted(gaps, longest)).max())
        yield finding(
            "series.gap",
            place,
            found=f"{gaps.size - longest.size:,} shorter ones, of {duration_text(most)} s at most",
            expected=expected,
        )


def _rows_within(block: Block, first: int, last: int) -> str:
    """Of the rows within a gap, how many there are and the longest step between them."""
    times = block.times[(block.times >= first) & (block.times <= last)]
    blank = int(np.count_nonzero((times > first) & (times < last)))
    if not blank:
        return ""
    step = int(np.diff(times, prepend=first, append=last).max())
    rows = "row" if blank == 1 else "rows"
    return f", {blank} {rows} without one, longest step {duration_text(step)} s"


# ---- sampling against limits


def _broken(
    facts: SeriesFacts, parameter: SeriesParameter, points: ColumnPoints, bound: int
) -> Iterator[Finding]:
    """`series.gap` where the source itself says that it had nothing, until its next good point.

    Longer than the bound it is found as any gap is; a single bad reading is none.
    """
    is_good, _ = good_flags(points)
    starts = np.flatnonzero(~is_good & np.concatenate([[True], is_good[:-1]]))
    following = np.flatnonzero(is_good)
    for row in starts.tolist():
        place = int(np.searchsorted(following, row))
        first = int(points.times[row])
        last = int(points.times[following[place]]) if place < following.size else None
        if last is not None and BROKEN_US < last - first <= bound:
            text = points.marks[row].raw or points.marks[row].quality
            yield finding(
                "series.gap",
                facts.place(column_name(parameter.code, parameter.role)),
                found=f"{text!r} at {instant_text(first)}, the next good point at {instant_text(last)}",
                expected="a good point at least every 300 s once the source says it has none",
            )


def coarse_findings(
    parameters: Iterable[SeriesParameter], body: AgreementBody, series: str
) -> Iterator[Finding]:
    """`sampling.too_coarse` where a dead band is wider than a limit, or an interval than a persistence.

    A change that stays within the dead band, or an excursion between two points, would not be seen.
    """
    agreed = {(item.code, item.role): item for item in body.parameters}
    for parameter in parameters:
        terms = agreed.get((parameter.code, parameter.role))
        for limit in terms.limits if terms is not None else ():
            for found, expected in _coarse(parameter, limit):
                yield finding(
                    "sampling.too_coarse",
                    Place(
                        type="series",
                        key=(series,),
                        path=f"/{column_name(parameter.code, parameter.role)}",
                    ),
                    found=found,
                    expected=f"{expected} of {limit.kind}",
                )


def _coarse(parameter: SeriesParameter, limit: Limit) -> Iterator[tuple[str, str]]:
    model = parameter.sampling_model
    band = model.dead_band.number if model.dead_band is not None else None
    if band is not None and limit.low is not None and limit.high is not None:
        width = decimal_of(limit.high) - decimal_of(limit.low)
        if decimal_of(band) > width:
            yield f"dead band {band}", f"a dead band within the width {width}"
    # A dead band archives every change beyond it at once: its longest interval hides none.
    longest = model.longest_interval if band is None else None
    interval = model.interval or model.window or longest
    if interval is None or limit.persistence is None:
        return
    if duration_us(interval) > duration_us(limit.persistence):
        yield f"interval {interval}", f"an interval within the persistence {limit.persistence}"


# ---- sources that differ, balances


def conflict_findings(conflicts: Iterable[Conflict], series: str) -> Iterator[Finding]:
    """`series.conflict` for each parameter and entry that says other numbers than those that show."""
    groups: dict[tuple[str, int], list[Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault((conflict.name, conflict.index), []).append(conflict)
    for (name, index), group in groups.items():
        shown, other = (number or "none" for number in group[0].numbers)
        yield finding(
            "series.conflict",
            Place(type="series", key=(series,), path=f"/{name}"),
            found=f"{len(group)} other points in entry {index}, first {other} at "
            f"{instant_text(group[0].time)}",
            expected=shown,
        )


def counter_growth(points: ColumnPoints) -> Decimal:
    """What a counter grew by, from its first good point on; a restart counts from 0."""
    good = good_points(points)
    if not good.times.size:
        return Decimal(0)
    steps = np.diff(good.numbers)
    grown = np.where(steps >= 0, steps, good.numbers[1:])
    if good.scale is None:
        # To the digits that every decimal keeps in binary64.
        return Decimal(format(fsum(grown.tolist()), ".15g"))
    return Decimal(int(grown.sum())).scaleb(-good.scale)


def balance_findings(
    where: Place, found: Decimal, expected: Decimal, tolerance: Decimal, unit: str
) -> Iterator[Finding]:
    """`balance.mismatch` if two statements of one quantity differ by more than the tolerance.

    Args:
        where: what was balanced.
        found: such as a totaliser's growth.
        expected: such as a weight, or the sum of what went in; in the same unit.
        tolerance: in that unit.
        unit: UCUM code, for the sentence.
    """
    if abs(found - expected) > tolerance:
        yield finding(
            "balance.mismatch",
            where,
            found=f"{found} {unit}",
            expected=f"{expected} ± {tolerance} {unit}",
        )


# ---- derived results


def parameter_line(
    points: ColumnPoints, parameter: SeriesParameter, from_: int, to: int, facts: SeriesFacts
) -> Line:
    """The line of a parameter's points in a window (µs), by its sampling model."""
    model = parameter.sampling_model
    band = model.dead_band.number if model.dead_band is not None else None
    width = model.window or model.interval
    return line_of(
        points,
        from_=from_,
        to=to,
        gap=gap_bound(parameter, good_points(points)),
        between=parameter.between,
        complete_until=facts.complete_until,
        dead_band=band or "0",
        window=duration_us(width) if model.model == "averaged" and width else None,
    )


def derived_value(derived: Derived, unit: str) -> Value:
    """A derived result as a value; `~` says that what gaps leave possible decides nothing."""
    if derived.number is None:
        return Value(kind="absent", absent="not_logged", unit=unit)
    return Value(
        kind="number",
        number=derived.number,
        comparator="~" if derived.is_open else None,
        unit=unit,
    )


def judge_derived(
    derived: Derived,
    low: str | None,
    high: str | None,
    *,
    inclusive: bool = True,
    rounding: Rounding | None = None,
) -> Verdict:
    """Pass, fail or none of a derived result by bounds, its least and greatest considered."""
    return judge(
        derived_value(derived, "1"),
        low,
        high,
        inclusive=inclusive,
        rounding=rounding or Rounding(),
        least=derived.least,
        greatest=derived.greatest,
    )
