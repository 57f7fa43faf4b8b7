"""The expected list: parameters × sampling × cadence, and what has become of each item (S28).

A cadence for results gives each of its codes, in each batch, one unit per batch, step or sample, and
each unit `least_count` items. Of several cadences that name a code, the first counts. An item is
late by the first cosignature that covers its entry, before that by `as_of`: both nodes hold both.

A result that only says that nothing is there (blank, unreadable, not tested …) fills no item; one
that says why there can be nothing (not detected, not applicable, withheld) does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal, get_args

from fedbatch.rules.due import (
    Zones,
    add_duration,
    day_end,
    find_calendar,
    last_moment,
    parse_duration,
)
from fedbatch.rules.facts import BatchFacts, Facts, ResultFacts, SampleFacts, StepFacts, moment
from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Cadence
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import Time

__all__ = [
    "ExpectedItem",
    "ExpectedList",
    "ItemState",
    "NotListed",
    "Reason",
    "completeness_findings",
    "expected_list",
]

ItemState = Literal["expected", "received", "late", "missing", "excused"]
Reason = Literal["series", "no_cadence", "approved", "interval"]

_STATED_ABSENT = frozenset({"not_detected", "not_applicable", "withheld"})
# A reportable result fills an item before the replicates it was made of.
_FORMS = ("reportable", "derived", "replicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedItem:
    """One expected result. `place`: "", element/instance or sample; `number` of `count` from 1.

    `due_at`, `late_at`: UTC, None while the trigger has not happened. `arrived_at`: None where
    nothing is there, or where no cosignature covers it yet. `held`: rule and finding of what its
    sender holds back.
    """

    batch: str
    code: str
    role: str
    place: str
    number: int
    count: int
    state: ItemState
    due_at: datetime | None
    late_at: datetime | None
    arrived_at: datetime | None = None
    entry_id: str = ""
    held: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotListed:
    """A parameter of which the list holds nothing, and why."""

    code: str
    role: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedList:
    """All expected items, and the parameters that have none."""

    items: tuple[ExpectedItem, ...]
    not_listed: tuple[NotListed, ...]

    @property
    def counts(self) -> dict[ItemState, int]:
        """How many items are in each state; the sum is the number of items."""
        counted = Counter(item.state for item in self.items)
        return {state: counted[state] for state in get_args(ItemState)}


@dataclass(frozen=True, slots=True)
class _Unit:
    """Where `least_count` results of a parameter are expected, and what is there."""

    place: str
    trigger: datetime | None
    results: Sequence[ResultFacts]


class _Index:
    """Facts by what the list asks for."""

    def __init__(self, facts: Facts) -> None:
        self.results: dict[tuple[str, str, str], list[ResultFacts]] = defaultdict(list)
        self.steps: dict[str, list[StepFacts]] = defaultdict(list)
        self.samples: dict[str, list[SampleFacts]] = defaultdict(list)
        self.held: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for result in facts.results:
            if not result.invalidated and _fills(result):
                self.results[result.batch, result.code, result.role].append(result)
        for step in facts.steps:
            self.steps[step.batch].append(step)
        for sample in facts.samples:
            self.samples[sample.batch].append(sample)
        for held in facts.held:
            self.held[held.batch, held.code].append((held.rule, held.finding))


def _fills(result: ResultFacts) -> bool:
    return result.value.absent is None or result.value.absent in _STATED_ABSENT


def expected_list(body: AgreementBody, facts: Facts, as_of: str, zones: Zones) -> ExpectedList:
    """The list as it stands at a UTC instant, in the order of batches, codes, roles and places.

    Raises:
        InputError: a duration or calendar that the agreement should not have been signed with.
    """
    index = _Index(facts)
    terms: list[_Terms] = []
    not_listed: list[NotListed] = []
    for parameter in sorted(body.parameters, key=lambda item: (item.code, item.role)):
        cadence = _cadence_of(body, parameter)
        reason = _reason_not_listed(parameter, cadence)
        if cadence is None or reason is not None:
            not_listed.append(
                NotListed(code=parameter.code, role=parameter.role, reason=reason or "no_cadence")
            )
        else:
            terms.append(_Terms(body, parameter, cadence, zones))
    standing = _Standing(moment(as_of), is_one_sided=facts.is_one_sided)
    items = (
        item
        for batch in sorted(facts.batches, key=lambda item: (item.order, item.batch))
        for term in terms
        for item in term.items(batch, index, standing)
    )
    return ExpectedList(items=tuple(items), not_listed=tuple(not_listed))


def _cadence_of(body: AgreementBody, parameter: AgreedParameter) -> Cadence | None:
    for cadence in body.cadence:
        if cadence.record_type == "result" and (
            not cadence.codes or parameter.code in cadence.codes
        ):
            return cadence
    return None


def _reason_not_listed(parameter: AgreedParameter, cadence: Cadence | None) -> Reason | None:
    if parameter.sampling.kind in {"continuous", "interval"}:
        return "series"
    if cadence is None:
        return "no_cadence"
    if cadence.trigger == "approved" or cadence.trigger == "interval":  # noqa: PLR1714 - mypy narrows
        return cadence.trigger
    return None


@dataclass(frozen=True, slots=True)
class _Standing:
    """From when all is seen, and whether a partner is there whose cosignature says when it came."""

    as_of: datetime
    is_one_sided: bool

    def state(self, result: ResultFacts | None, late_at: datetime | None) -> ItemState:
        if result is None:
            is_past = late_at is not None and self.as_of > late_at
            return "missing" if is_past else "expected"
        if late_at is None or self.is_one_sided:
            return "received"
        return "late" if (self.arrival(result) or self.as_of) > late_at else "received"

    def arrival(self, result: ResultFacts) -> datetime | None:
        """When a cosignature first covered a result, if that had happened by then."""
        if result.covered_at is None:
            return None
        covered = moment(result.covered_at)
        return covered if covered <= self.as_of else None


class _Terms:
    """A parameter with its cadence: makes the items of a batch."""

    def __init__(
        self, body: AgreementBody, parameter: AgreedParameter, cadence: Cadence, zones: Zones
    ) -> None:
        self._parameter = parameter
        self._trigger = cadence.trigger
        self._zones = zones
        self._calendar = find_calendar(body.calendars, cadence.calendar)
        self._due = parse_duration(cadence.due)
        self._late_after = parse_duration(cadence.late_after)
        zones_named = [item.zone for item in (self._calendar, *body.sites) if item is not None]
        self._zone = next(iter(zones_named), "UTC")
        self._times: dict[datetime, tuple[datetime, datetime]] = {}

    def items(
        self, batch: BatchFacts, index: _Index, standing: _Standing
    ) -> Iterator[ExpectedItem]:
        code, role = self._parameter.code, self._parameter.role
        count = self._parameter.sampling.least_count
        results = index.results.get((batch.batch, code, role), [])
        held = tuple(sorted(index.held.get((batch.batch, code), ())))
        for unit in self._units(batch, index, results):
            due_at, late_at = self._due_times(unit.trigger)
            there: list[ResultFacts | None] = [*_slots(unit.results, count)]
            there += [None] * (count - len(there))
            for number, result in enumerate(there, start=1):
                yield ExpectedItem(
                    batch=batch.batch,
                    code=code,
                    role=role,
                    place=unit.place,
                    number=number,
                    count=count,
                    state=standing.state(result, late_at),
                    due_at=due_at,
                    late_at=late_at,
                    arrived_at=None if result is None else standing.arrival(result),
                    entry_id="" if result is None else result.entry_id,
                    held=held if result is None else (),
                )

    def _due_times(self, trigger: datetime | None) -> tuple[datetime | None, datetime | None]:
        if trigger is None:
            return None, None
        if trigger not in self._times:
            self._times[trigger] = (
                add_duration(trigger, self._due, self._calendar, self._zones),
                add_duration(trigger, self._late_after, self._calendar, self._zones),
            )
        return self._times[trigger]

    def _units(
        self, batch: BatchFacts, index: _Index, results: Sequence[ResultFacts]
    ) -> Iterator[_Unit]:
        steps = [step for step in index.steps.get(batch.batch, ()) if self._is_ours(step)]
        samples = [item for item in index.samples.get(batch.batch, ()) if self._is_ours(item)]
        match self._parameter.sampling.kind:
            case "per_step":
                yield from self._step_units(batch, steps, samples, results)
            case "per_sample":
                for sample in sorted(samples, key=lambda item: item.sample):
                    own = [item for item in results if item.sample == sample.sample]
                    near = [step for step in steps if _is_in(sample, step)]
                    drawn = [sample.observed_at]
                    yield _Unit(sample.sample, self._at(batch, near, drawn, drawn), own)
            case _:
                drawn = [sample.observed_at for sample in samples]
                ended = [batch.end]
                yield _Unit("", self._at(batch, steps, drawn, ended), results)

    def _is_ours(self, thing: StepFacts | SampleFacts) -> bool:
        return self._parameter.element is None or thing.element == self._parameter.element

    def _step_units(
        self,
        batch: BatchFacts,
        steps: Sequence[StepFacts],
        samples: Sequence[SampleFacts],
        results: Sequence[ResultFacts],
    ) -> Iterator[_Unit]:
        element = self._parameter.element
        if not steps and element is not None:
            # No step was posted, but the agreement says that there is one: it goes with its batch.
            drawn = [sample.observed_at for sample in samples]
            yield _Unit(element, self._at(batch, [], drawn, [batch.end]), results)
        instances = Counter(step.element for step in steps)
        for step in sorted(steps, key=lambda item: (item.element, item.instance)):
            own = [
                item
                for item in results
                if item.element == step.element
                and (
                    item.instance == step.instance
                    or (item.instance is None and instances[step.element] == 1)
                )
            ]
            drawn = [sample.observed_at for sample in samples if _is_in(sample, step)]
            place = f"{step.element}/{step.instance}"
            yield _Unit(place, self._at(batch, [step], drawn, [step.end]), own)

    def _at(
        self,
        batch: BatchFacts,
        steps: Sequence[StepFacts],
        drawn: Sequence[Time | None],
        happened: Sequence[Time | None],
    ) -> datetime | None:
        """When a unit's trigger happened; None: not yet, or nobody has said.

        Without a step, the end of a step is the end of its batch.
        """
        if self._trigger == "sampled":
            return self._latest(drawn)
        if self._trigger == "step_end" and steps:
            return self._latest([step.end for step in steps])
        if self._trigger == "daily":
            last = self._latest(happened)
            return None if last is None else day_end(last, self._zones(self._zone))
        return self._latest([batch.end])

    def _latest(self, times: Sequence[Time | None]) -> datetime | None:
        known = [last_moment(time, self._zones) for time in times if time is not None]
        return max(known) if known and len(known) == len(times) else None


def _is_in(sample: SampleFacts, step: StepFacts) -> bool:
    """Whether a sample was drawn in a step; without an instance, in any of its element."""
    return sample.element == step.element and sample.instance in {None, step.instance}


def _slots(results: Sequence[ResultFacts], count: int) -> list[ResultFacts]:
    """The results that fill a unit's items: of each replicate the one that arrived first.

    Attempts and sources state the same replicate again, and fill no second item.
    """
    if len(results) < 2:  # noqa: PLR2004 - by far the most usual unit needs no sorting
        return [*results][:count]
    forms: dict[str, dict[tuple[str, int], ResultFacts]] = {form: {} for form in _FORMS}
    for result in sorted(results, key=_by_arrival):
        when = result.sample or (result.observed_at.instant if result.observed_at else "")
        forms[result.form].setdefault((when, result.replicate), result)
    full = (list(forms[form].values()) for form in _FORMS if len(forms[form]) >= count)
    most = max(forms.values(), key=len)
    return next(full, list(most.values()))[:count]


def _by_arrival(result: ResultFacts) -> tuple[bool, str, str]:
    covered = result.covered_at
    return (
        covered is None,
        "" if covered is None else moment(covered).isoformat(),
        result.entry_id,
    )


# ---- findings


def completeness_findings(expected: ExpectedList) -> Iterator[Finding]:
    """`data.late` and `data.missing`, at most one of each for a parameter at a place of a batch."""
    for _, unit in groupby(
        expected.items, key=lambda item: (item.batch, item.code, item.role, item.place)
    ):
        items = list(unit)
        late = [item for item in items if item.state == "late"]
        missing = [item for item in items if item.state == "missing"]
        if late:
            yield _late(items[0], late)
        if missing:
            yield _missing(missing)


def _late(first: ExpectedItem, late: list[ExpectedItem]) -> Finding:
    arrived = [item.arrived_at for item in late if item.arrived_at is not None]
    waiting = len(late) - len(arrived)
    parts = (
        [f"{len(arrived)} of {first.count}, the last at {_text(max(arrived))}"] if arrived else []
    )
    parts += [f"{waiting} of {first.count} not countersigned yet"] if waiting else []
    return finding(
        "data.late",
        _place(first),
        found="; ".join(parts),
        expected=f"{first.count} by {_text(first.late_at)}",
    )


def _missing(missing: list[ExpectedItem]) -> Finding:
    first = missing[0]
    held = ", ".join(f"{rule} ({name})" for rule, name in first.held)
    return finding(
        "data.missing",
        _place(first),
        found=f"{first.count - len(missing)} of {first.count}",
        expected=f"{first.count} by {_text(first.late_at)}",
        advice=f"The sender holds back: {held}." if held else "",
    )


def _place(item: ExpectedItem) -> Place:
    key = (item.batch, item.code, item.role)
    return Place(type="result", key=(*key, item.place) if item.place else key)


def _text(time: datetime | None) -> str:
    return "" if time is None else time.isoformat().replace("+00:00", "Z")
