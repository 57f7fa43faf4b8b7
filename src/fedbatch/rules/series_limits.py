"""Limits of series: every stretch outside the limits that were valid then, in that step.

A limit is an excursion where all numbers that the dead band allows are forbidden, for as long as its
persistence; where only some are, it is undecided. A change of limits cuts the window, not a stretch
outside. With `ramp` the bounds run straight from the old limit's to the new one's; with `averaging` the
means of stretches so long, counted from where the limit begins, are judged. Rounding is applied to
points before anything is computed from them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fedbatch.rules.facts import Batches, StepFacts, moment
from fedbatch.rules.limits import ranked_limits
from fedbatch.rules.series import SeriesFacts, judge_derived, parameter_line
from fedbatch.rules.verdicts import shown_bounds
from fedbatch.series.blocks import ColumnPoints, Integers
from fedbatch.series.derived import Condition, alone, duration_text, maximum, mean, minimum, outside
from fedbatch.series.inline import column_name
from fedbatch.series.instants import duration_us, instant_text, micros
from fedbatch.series.lines import Line, above, below, less_ramp
from fedbatch.series.spans import Spans, spans_of, union
from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Limit, Rounding
from fedbatch.standard.findings import Finding
from fedbatch.standard.records import SeriesParameter
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Time, decimal_of

__all__ = ["series_limit_findings"]

# How long a point between two gaps is taken to last: too short for any persistence.
_INSTANT_US = 1
_NONE: Integers = np.empty(0, dtype=np.int64)
_NOWHERE = Spans(_NONE, _NONE)


def series_limit_findings(
    body: AgreementBody, facts: SeriesFacts, batches: Batches
) -> Iterator[Finding]:
    """`limit.excursion` for each stretch outside, `limit.undecided` for each that may be."""
    agreed = {(item.code, item.role): item for item in body.parameters if item.limits}
    for parameter in facts.parameters:
        terms = agreed.get((parameter.code, parameter.role))
        points = facts.points(parameter)
        window = facts.window(points) if points is not None else None
        if terms is None or points is None or window is None:
            continue
        judged = _Judged(parameter, terms, facts, _rounded(points, terms.rounding))
        for stretches in _valid(terms, facts, batches, window).values():
            yield from _findings(judged, stretches)


def _rounded(points: ColumnPoints, rounding: Rounding) -> ColumnPoints:
    """Points rounded half-up, away from 0, where the agreement says so and they are exact."""
    decimals = rounding.decimals if rounding.kind == "half_up" else None
    if decimals is None or points.scale is None or decimals >= points.scale:
        return points
    unit = 10 ** (points.scale - decimals)
    numbers = np.sign(points.numbers) * ((np.abs(points.numbers) + unit // 2) // unit)
    return points._replace(numbers=numbers.astype(np.int64), scale=decimals)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A parameter of a series with what was agreed about it."""

    parameter: SeriesParameter
    terms: AgreedParameter
    facts: SeriesFacts
    points: ColumnPoints

    def line(self, from_: int, to: int) -> Line:
        return parameter_line(self.points, self.parameter, from_, to, self.facts)


# ---- which limit holds when


class _Stretch(NamedTuple):
    """A limit from one time to another (µs), and the one that held just before."""

    from_: int
    to: int
    limit: Limit
    before: Limit | None


_Group = tuple[str, str | None, str | None]


def _group(limit: Limit) -> _Group:
    """Limits of one group replace each other; others hold beside them."""
    return limit.kind, limit.persistence, limit.averaging


def _valid(
    terms: AgreedParameter, facts: SeriesFacts, batches: Batches, window: tuple[int, int]
) -> dict[_Group, list[_Stretch]]:
    """The limits of each group that hold in a window, in order of time."""
    found: dict[_Group, list[_Stretch]] = {}
    cuts = _cuts(terms, facts.steps, window)
    for from_, to in pairwise(cuts):
        elements = [step.element for step in facts.steps if _runs(step, from_)]
        if not elements and terms.element is not None:
            elements = [terms.element]
        when = moment(instant_text(from_))
        for limit in ranked_limits(terms.limits, batches, facts.batch, elements, when, _group):
            stretches = found.setdefault(_group(limit), [])
            _extend(stretches, from_, to, limit)
    return found


def _extend(stretches: list[_Stretch], from_: int, to: int, limit: Limit) -> None:
    last = stretches[-1] if stretches and stretches[-1].to == from_ else None
    if last is not None and last.limit == limit:
        stretches[-1] = last._replace(to=to)
    else:
        stretches.append(_Stretch(from_, to, limit, last.limit if last is not None else None))


def _cuts(
    terms: AgreedParameter, steps: tuple[StepFacts, ...], window: tuple[int, int]
) -> list[int]:
    """The times in a window at which another limit may begin to hold, and its ends."""
    edges = [edge for step in steps for edge in (step.start, step.end) if edge is not None]
    times = [micros(edge.instant) for edge in edges]
    times += [micros(limit.from_) for limit in terms.limits if limit.from_ is not None]
    return sorted({*window, *(time for time in times if window[0] < time < window[1])})


def _runs(step: StepFacts, time: int) -> bool:
    return (
        step.start is not None
        and micros(step.start.instant) <= time
        and (step.end is None or time < _micros(step.end))
    )


def _micros(time: Time) -> int:
    return micros(time.instant)


# ---- where the line lies outside


@dataclass(slots=True)
class _Outside:
    """Where all, and where any, of what the dead band allows is forbidden; by stretch the limit."""

    surely: Spans = _NOWHERE
    possibly: Spans = _NOWHERE
    begins: list[tuple[int, Limit]] = field(default_factory=list)

    def add(self, surely: Spans, possibly: Spans) -> None:
        self.surely = union(self.surely, surely)
        self.possibly = union(self.possibly, possibly)

    def limit_at(self, time: int) -> Limit:
        return [limit for begin, limit in self.begins if begin <= time][-1]


def _findings(judged: _Judged, stretches: list[_Stretch]) -> Iterator[Finding]:
    found = _Outside()
    for stretch in stretches:
        found.begins.append((stretch.from_, stretch.limit))
        if stretch.limit.low is not None or stretch.limit.high is not None:
            for surely, possibly in _judge_stretch(judged, stretch):
                found.add(surely, possibly)
    persistence = stretches[0].limit.persistence
    lasting_us = duration_us(persistence) if persistence is not None else 0
    excursions = _lasting(found.surely, lasting_us)
    for from_, to in excursions:
        yield _finding("limit.excursion", judged, found.limit_at(from_), from_, to)
    for from_, to in _lasting(found.possibly, lasting_us):
        if not any(from_ <= begin and end <= to for begin, end in excursions):
            yield _finding("limit.undecided", judged, found.limit_at(from_), from_, to)


def _lasting(spans: Spans, lasting_us: int) -> list[tuple[int, int]]:
    pairs = zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)
    return [(from_, to) for from_, to in pairs if to - from_ >= lasting_us]


def _judge_stretch(judged: _Judged, stretch: _Stretch) -> Iterator[tuple[Spans, Spans]]:
    from_, to, limit, before = stretch
    if limit.averaging is not None:
        yield _averaged(judged, stretch, duration_us(limit.averaging))
        return
    if limit.ramp is not None and before is not None and duration_us(limit.ramp):
        ends = from_ + duration_us(limit.ramp)
        yield _ramped(judged.line(from_, min(ends, to)), limit, before, from_, ends)
        from_ = ends
    if from_ < to:
        line, condition = judged.line(from_, to), _condition(limit)
        surely, _, possibly = outside(line, condition)
        yield surely, possibly
        lone, doubtful = alone(line, condition)
        yield _blocks(lone, _INSTANT_US), _blocks(doubtful, _INSTANT_US)


def _condition(limit: Limit) -> Condition:
    return Condition(low=limit.low, high=limit.high, inclusive=limit.inclusive)


def _averaged(judged: _Judged, stretch: _Stretch, width: int) -> tuple[Spans, Spans]:
    """The stretches of `width` whose mean fails, and those whose mean does not pass."""
    starts = range(stretch.from_, stretch.to - width + 1, width) if width else ()
    failed, doubtful = [], []
    limit = stretch.limit
    for start in starts:
        derived = mean(judged.line(start, start + width))
        verdict = judge_derived(derived, limit.low, limit.high, inclusive=limit.inclusive)
        # A stretch in which nothing was measured is a gap's matter.
        if verdict == "pass" or derived.number is None:
            continue
        doubtful.append(start)
        if verdict == "fail":
            failed.append(start)
    return _blocks(failed, width), _blocks(doubtful, width)


def _blocks(starts: list[int] | Integers, width: int) -> Spans:
    at = np.asarray(starts, dtype=np.int64)
    return spans_of(at, at + np.int64(width))


def _ramped(line: Line, limit: Limit, before: Limit, from_: int, to: int) -> tuple[Spans, Spans]:
    """Outside bounds that run from the limit before to this one; a bound without one before stands."""
    surely, possibly = _NOWHERE, _NOWHERE
    or_at = not limit.inclusive
    for side, one, two in ((above, before.high, limit.high), (below, before.low, limit.low)):
        if two is None:
            continue
        start = decimal_of(one if one is not None else two)
        apart = less_ramp(line, (from_, start), (to, decimal_of(two)))
        sign = 1 if side is above else -1
        surely = union(surely, side(apart, sign * line.dead_band, or_at=or_at))
        possibly = union(possibly, side(apart, -sign * line.dead_band, or_at=or_at))
    return surely, possibly


def _finding(rule: str, judged: _Judged, limit: Limit, from_: int, to: int) -> Finding:
    line = judged.line(from_, to)
    extremes = minimum(line, "0"), maximum(line, "0")
    found = [item for item in extremes if item.number is not None and item.at is not None]
    worst = max(found, key=lambda item: _distance(Decimal(item.number or 0), limit), default=None)
    said = f"{worst.number} at {instant_text(worst.at or 0)}, " if worst is not None else ""
    bounds = shown_bounds(limit.low, limit.high, inclusive=limit.inclusive)
    more = "".join(
        f", {word} {text}"
        for word, text in (
            ("for", limit.persistence),
            ("averaged over", limit.averaging),
            ("ramped over", limit.ramp),
        )
        if text is not None
    )
    return finding(
        rule,
        judged.facts.place(column_name(judged.parameter.code, judged.parameter.role)),
        found=said + _said(rule, from_, to),
        expected=f"{limit.kind} {bounds} {judged.terms.unit}{more}",
    )


def _said(rule: str, from_: int, to: int) -> str:
    doubt = "" if rule == "limit.excursion" else "perhaps "
    if to - from_ == _INSTANT_US:
        return f"{doubt}outside between two gaps"
    return f"{doubt}outside for {duration_text(to - from_)} s from {instant_text(from_)}"


def _distance(number: Decimal, limit: Limit) -> Decimal:
    """How far a number lies outside; below 0: within."""
    over = [number - decimal_of(limit.high)] if limit.high is not None else []
    under = [decimal_of(limit.low) - number] if limit.low is not None else []
    return max([*over, *under])
