"""Checks of a table's times, and of what runs along them: gaps, doubled rows, counters."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

import numpy as np

from fedbatch.mapping.assuming import Assumption, ColumnTexts, Sort, TableTexts
from fedbatch.mapping.instants import NO_TIME
from fedbatch.mapping.suggest import named_field, unit_text, words_of
from fedbatch.mapping.time_forms import MOSTLY, forms_among, is_elapsed_name, is_of_day
from fedbatch.mapping.times import tells_hours, tells_offset
from fedbatch.rules.columns import STEPS_MIN, Steps, counter_falls, gap_steps, steps_within
from fedbatch.rules.series_source import stuck_stretches
from fedbatch.series.blocks import Flags, Integers
from fedbatch.services.cell_findings import CellFindings
from fedbatch.services.checking import COUNTERS
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding

__all__ = ["AXIS_ROWS_MIN", "CELLS_LISTED_MAX", "TimeChecks"]

AXIS_ROWS_MIN = 10
# A column of a million damaged cells is one fault, not a million.
CELLS_LISTED_MAX = 20_000
_AXIS_PART = 0.9
_AXIS_DISTINCT = 0.5
_GROUPED_ROWS_MIN = 3
_SYSTEMATIC = 0.05
_GROUP_FIELDS = frozenset({"batch", "tag"})
# So many rows of numbers are seldom without a time.
_LONG_ROWS = 100
# What a person takes for a date with its time of day, and, under the name of a time, for a date alone.
_LIKE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[T ,]+\d{1,2}[:.h]\d\d", re.ASCII)
_LIKE_NAMED = re.compile(
    r"\w*,?\s*(?:\d{1,4}[-/.] ?\d{1,2}[-/.] ?\d{2,4}|\d{1,2}[-./ ]*[^\W\d_]{3,9}[-./ ]+\d{2,4})"
)
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000


class TimeChecks(CellFindings):
    """One table's times under check; lives for one call of `check_table`."""

    def __init__(
        self,
        texts: TableTexts,
        file: str,
        *,
        numbers: list[ColumnTexts],
        terms: Mapping[str, ColumnTexts],
        twins: AbstractSet[int],
        has_zone: bool,
    ) -> None:
        super().__init__(texts.table, file)
        self.texts = texts
        self.numbers = numbers
        self.terms = terms
        self.twins = twins
        self.has_zone = has_zone
        self.assumed: list[Assumption] = []
        self.groups = self._named_groups()
        self.axis = self._axis(self.groups)

    def texts_of_times(self) -> Iterator[Finding]:
        """What is wrong with single times, and with the order of their day and month."""
        yield from self._unknown()
        for item in self.texts.of_kind("time"):
            yield from self._open_order(item)
            for first, last, count in _stretches_of(item):
                problem = item.untimed[first]
                told = item.column.texts[first]
                if count > 1:
                    told = f"{told}, and so in {count:,} rows"
                yield self._say(problem.rule, first, item, told, problem.expected, last=last)
            is_local = not any(map(tells_offset, item.forms)) and len(item.orders) == 1
            if is_local and not self.has_zone:
                yield from self._change_hours(item)

    def _open_order(self, item: ColumnTexts) -> Iterator[Finding]:
        """Dates of which nothing in their column shows which number is the month."""
        if item.in_doubt is None or not item.in_doubt.any():
            return
        rows = np.flatnonzero(item.in_doubt)
        told = item.column.texts[int(rows[0])]
        if rows.size > 1:
            told = f"{told}, and so in {rows.size:,} rows"
        orders = " and ".join(order[0] for order in item.orders)
        expected = (
            f"one order of day and month: these fit {orders}, and nothing in the column shows which"
        )
        advice = "Write dates as 2026-03-01, and times with their offset."
        if self.axis is None and len(self.table.rows) >= AXIS_ROWS_MIN:
            advice = f"Times were not checked, since their order is open. {advice}"
        first, last = int(rows[0]), int(rows[-1])
        yield self._say("time.ambiguous", first, item, told, expected, last=last, advice=advice)

    def _change_hours(self, item: ColumnTexts) -> Iterator[Finding]:
        """Local times in the hours in which clocks change, where nothing tells the zone."""
        if item.times is None or not any(map(tells_hours, item.forms)):
            return
        times = item.times
        days, places = np.unique(
            np.where(times == NO_TIME, 0, times) // _DAY_US, return_inverse=True
        )
        change = np.array([_change_of(int(day)) for day in days], dtype=np.int64)[places]
        within = (change >= 0) & ((times - change) // _HOUR_US == 0) & (times != NO_TIME)
        for day in np.unique(change[within]).tolist():
            rows = np.flatnonzero(within & (change == day))
            told = f"{item.column.texts[int(rows[0])]}, and {rows.size:,} rows in that hour"
            expected = "an offset: in this hour the clocks of Europe or America change"
            yield self._say("time.zone", int(rows[0]), item, told, expected, last=int(rows[-1]))

    # ---- what is left out

    def _unknown(self) -> Iterator[Finding]:
        """Columns that hold times, for all that a person sees, in no form that is known."""
        for item in self.texts.of_kind("text"):
            places = _filled_places(item)
            looks = _LIKE_NAMED if item.is_named_for_times else _LIKE
            like = [at for at in places if looks.match(item.texts[at])]
            if not like or len(like) < MOSTLY * len(places):
                continue
            forms = forms_among([item.texts[at] for at in like])
            expected = "times in one form that is known"
            if len(forms) > 1:
                expected = f"times in one form, not in {' and '.join(forms)}"
            rows = np.flatnonzero(np.isin(item.codes, like))
            told = item.texts[like[0]]
            if rows.size > 1:
                told = f"{told}, and so in {rows.size:,} rows"
            yield self._say("time.unknown", int(rows[0]), item, told, expected, last=int(rows[-1]))

    def _unchecked(
        self, why: str, item: ColumnTexts | None = None, *, what: str = "Times"
    ) -> Iterator[Finding]:
        """That checks were left out, and why: silence would look like a clean bill."""
        if not why:
            return
        index = item.column.index if item is not None else 0
        place = Place(
            file=self.file,
            scheme=self.table.scheme,
            locator=self.table.locator(self.table.header_row, index),
            path=item.column.header if item is not None else "",
        )
        expected = "rows along a column of times"
        yield finding(
            "time.unchecked", place, found=f"{what} were not checked: {why}", expected=expected
        )

    def _why_no_axis(self) -> str:
        """Why rows follow no column of times; "" where nothing makes one expect it, or it is said."""
        rows = len(self.table.rows)
        reasons = [self._why_not_along(item) for item in self.texts.of_kind("time")]
        if reasons:
            return "; ".join(filter(None, reasons)) if rows >= AXIS_ROWS_MIN else ""
        named = (
            item
            for item in self.texts.columns
            if item.is_named_for_times or (_is_elapsed(item) and self._is_rising(item))
        )
        reasons = [_why_unread(item) for item in named if item.kind in {"text", "number"}]
        if not reasons and self._is_long():
            return "no column of times was recognised"
        return "; ".join(reasons)

    def _why_not_along(self, item: ColumnTexts) -> str:
        if item.times is None or len(item.orders) > 1:
            return ""
        steps = steps_within(item.times, item.times != NO_TIME, self.groups)
        back, name = int((steps.sizes < 0).sum()), _name(item)
        if not steps.sizes.size:
            return f"no two times of {name} follow one another"
        return f"rows do not run along {name}, {back:,} of {steps.sizes.size:,} steps go back"

    def _is_rising(self, item: ColumnTexts) -> bool:
        numbers = item.numbers
        steps = steps_within(numbers, ~np.isnan(numbers), self.groups)
        rising = int((steps.sizes >= 0).sum())
        return bool(np.any(steps.sizes > 0)) and rising >= _AXIS_PART * steps.sizes.size

    def _of_day(self) -> str:
        """A column of times of day, which belong to the dates of another."""
        named = (item for item in self.texts.of_kind("text") if item.is_named_for_times)
        found = next((item for item in named if _is_of_day(item)), None)
        return "" if found is None else f", and {_name(found)} holds times of day alone"

    def _is_long(self) -> bool:
        """Whether rows may well follow one another in time: many of them, of numbers or of tags."""
        fields = {named_field(item.column.header) for item in self.texts.columns}
        filled = sum(1 for item in self.texts.columns if item.kind != "blank")
        is_of_numbers = 2 * len(self.numbers) >= filled
        return len(self.table.rows) >= _LONG_ROWS and (is_of_numbers or fields >= {"tag", "value"})

    # ---- rows along time

    def along_time(self) -> Iterator[Finding]:
        """What is wrong with rows that follow one another."""
        groups = self.groups
        if self.axis is None:
            yield from self._unchecked(self._why_no_axis())
            yield from self._resets(groups)
            return
        item, times = self.axis
        groups = self._told_apart(times, groups, item)
        there = times != NO_TIME
        pairs = _joined(groups, np.unique(times, return_inverse=True)[1].astype(np.int64))
        distinct, count = np.unique(pairs[there]).size, int(there.sum())
        if distinct < _AXIS_DISTINCT * count:
            # One date over many rows says when they were written, not how they follow one another.
            name = _name(item)
            why = f"{count:,} rows share {distinct:,} of {name}'s times{self._of_day()}"
            if distinct == 1:
                why = f"{name} is one and the same in all rows{self._of_day()}"
            yield from self._unchecked(why, item)
            yield from self._resets(groups)
            return
        steps = steps_within(times, there, groups)
        yield from self._backwards(item, steps)
        yield from self._doubled(item, steps)
        yield from self._gaps(item, times, steps)
        yield from self._resets(groups)
        yield from self._stuck(times, groups)

    def _named_groups(self) -> Integers:
        """Rows of one batch and tag, by the headers' very words."""
        groups = np.zeros(len(self.table.rows), dtype=np.int64)
        for item in self.texts.columns:
            if named_field(item.column.header) in _GROUP_FIELDS and item.kind != "blank":
                groups = _joined(groups, item.codes)
        return groups

    def _axis(self, groups: Integers) -> tuple[ColumnTexts, Integers] | None:
        """The first column of times along which the rows run."""
        for item in self.texts.of_kind("time"):
            times = item.times
            if times is None or times.size < AXIS_ROWS_MIN:
                continue
            there = times != NO_TIME
            steps = steps_within(times, there, groups)
            rising = int((steps.sizes >= 0).sum())
            is_along = steps.sizes.size > 0 and rising >= _AXIS_PART * steps.sizes.size
            if is_along:
                return item, times
        return None

    def _told_apart(self, times: Integers, groups: Integers, axis: ColumnTexts) -> Integers:
        """Rows of several machines or tags in one table: by the column that tells most of them apart."""
        there = times != NO_TIME
        before = _bad_steps(times, there, groups)
        best, chosen = before, None
        for item in self.texts.columns if before else ():
            if item is axis or not self._may_part(item, times.size):
                continue
            bad = _bad_steps(times, there, _joined(groups, item.codes))
            is_sorted = _falls_between(times, there, groups, item.codes)
            if bad < best and (is_sorted or before >= _SYSTEMATIC * times.size):
                best, chosen = bad, item
        if chosen is None or best > before / 10:
            return groups
        self.assumed.append(
            Assumption(
                about=axis.column.header,
                assumed=f"times run on within each {chosen.column.header}",
                evidence=f"within each, {best:,} steps do not go forward; over all, {before:,}",
            )
        )
        return _joined(groups, chosen.codes)

    def _may_part(self, item: ColumnTexts, rows: int) -> bool:
        """Whether a column may tell machines or tags apart: few names or whole numbers."""
        is_name = item.kind == "text" or (item.kind == "number" and not any(item.votes.values()))
        return is_name and 1 < len(item.texts) <= rows / _GROUPED_ROWS_MIN

    def _backwards(self, item: ColumnTexts, steps: Steps) -> Iterator[Finding]:
        for place in np.flatnonzero(steps.sizes < 0).tolist():
            row, before = int(steps.rows[place]), int(steps.before[place])
            told = f"{item.column.texts[row]} after {item.column.texts[before]}"
            is_hour = abs(steps.sizes[place] + _HOUR_US) < _HOUR_US / 60
            advice = "An hour back: clocks may have changed." if is_hour else ""
            yield self._say(
                "series.backwards", row, item, told, "a time that does not fall", advice=advice
            )

    def _doubled(self, item: ColumnTexts, steps: Steps) -> Iterator[Finding]:
        rows = [row for row in steps.rows[steps.sizes == 0].tolist() if row not in self.twins]
        for row in sorted(rows)[:CELLS_LISTED_MAX]:
            told, wanted = f"{item.column.texts[row]} again", "one row at a time"
            yield self._say("series.duplicate", row, item, told, wanted)

    def _gaps(self, item: ColumnTexts, times: Integers, steps: Steps) -> Iterator[Finding]:
        found = gap_steps(steps)
        if found is None:
            if len(self.table.rows) > STEPS_MIN:
                why = f"the rows of {_name(item)} come at no usual interval"
                yield from self._unchecked(why, item, what="Gaps")
            return
        gaps, usual = found
        for row, before, size in zip(
            gaps.rows.tolist(), gaps.before.tolist(), gaps.sizes.tolist(), strict=True
        ):
            if np.any(times[before:row] == NO_TIME):
                # Rows whose time is in doubt stand between: they are found already.
                continue
            told = f"{_span(size)} without a row after {item.column.texts[before]}"
            yield self._say("series.gap", row, item, told, f"a row every {_span(usual)}")

    def _resets(self, groups: Integers) -> Iterator[Finding]:
        for item in self.numbers:
            is_named = any(self.terms.get(name) is item for name in COUNTERS)
            falls = counter_falls(item.numbers, groups, is_named=is_named)
            for row, before in (
                zip(falls.rows.tolist(), falls.before.tolist(), strict=True) if falls else ()
            ):
                told = f"{item.column.texts[row]} after {item.column.texts[before]}"
                yield self._say("counter.reset", row, item, told, "a counter that does not fall")

    def _stuck(self, times: Integers, groups: Integers) -> Iterator[Finding]:
        for name, running in COUNTERS.items():
            counter, machine = self.terms.get(name), self.terms.get(running)
            if counter is None or machine is None:
                continue
            self.assumed.append(
                Assumption(
                    about=f"{counter.column.header}, {machine.column.header}",
                    assumed=f"{name} counted while {running} is above 0",
                    evidence="the headers are the dictionary's own words",
                )
            )
            yield from self._standing(counter, machine, times, groups)

    def _standing(
        self, counter: ColumnTexts, machine: ColumnTexts, times: Integers, groups: Integers
    ) -> Iterator[Finding]:
        numbers, speeds = counter.numbers, machine.numbers
        there = ~np.isnan(numbers) & ~np.isnan(speeds) & (times != NO_TIME)
        for group in np.unique(groups[there]).tolist():
            rows = np.flatnonzero(there & (groups == group))
            runs = speeds[rows] > 0
            for first, last in stuck_stretches(numbers[rows], runs, times[rows]):
                count = int(runs[first : last + 1].sum())
                one, two = int(rows[first]), int(rows[last])
                told = (
                    f"{counter.column.texts[one]} in {count:,} rows in which {machine.column.header} "
                    "is above 0"
                )
                expected = "a counter that grows while the machine runs"
                yield self._say("counter.stuck", one, counter, told, expected, last=two)


def _name(item: ColumnTexts) -> str:
    """A column's header on one line."""
    return " ".join(item.column.header.split()) or "a column without a header"


def _filled_places(item: ColumnTexts) -> list[int]:
    """The places of a column's texts that say something."""
    nothing = {Sort.BLANK, Sort.ABSENT}
    return [at for at, sort in enumerate(item.sorts) if sort not in nothing]


def _is_of_day(item: ColumnTexts) -> bool:
    places = _filled_places(item)
    like = sum(1 for at in places if is_of_day(item.texts[at]))
    return like > 0 and like >= MOSTLY * len(places)


def _is_elapsed(item: ColumnTexts) -> bool:
    return item.kind == "number" and is_elapsed_name(
        words_of(item.column.header), unit_text(item.column)
    )


def _why_unread(item: ColumnTexts) -> str:
    """Why a column that is named for times is none of times."""
    name = _name(item)
    if item.kind == "number":
        if _is_elapsed(item):
            return f"{name} counts from a start that the file does not say"
        return f"the numbers of {name} are neither Unix times nor days of a spreadsheet that rise"
    if _is_of_day(item):
        return f"{name} holds times of day alone, without a date"
    places = _filled_places(item)
    shown = f" ({item.texts[places[0]]!r})" if places else ""
    return f"no one form of time that is known fits {name}{shown}"


def _stretches_of(item: ColumnTexts) -> Iterator[tuple[int, int, int]]:
    """Rows with one problem that follow one another: first, last, how many."""
    rows = sorted(item.untimed)
    start = 0
    for at in range(1, len(rows) + 1):
        ends = at == len(rows) or rows[at] != rows[at - 1] + 1
        if ends or item.untimed[rows[at]] != item.untimed[rows[start]]:
            yield rows[start], rows[at - 1], at - start
            start = at


def _change_of(day: int) -> int:
    """When the clocks of Europe or America change on a day (days since 1970), local µs; -1: never."""
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    hour = -1
    if date.isoweekday() == 7:  # noqa: PLR2004 - Sunday
        is_last = (date + timedelta(days=7)).month != date.month
        if date.month in {3, 10} and is_last:
            hour = 2
        elif (date.month == 3 and 8 <= date.day <= 14) or (date.month == 11 and date.day <= 7):  # noqa: PLR2004 - second and first Sunday
            hour = 2 if date.month == 3 else 1  # noqa: PLR2004 - March
    return -1 if hour < 0 else day * _DAY_US + hour * _HOUR_US


def _joined(groups: Integers, codes: Integers) -> Integers:
    """Groups told apart by another column."""
    _, joined = np.unique(groups * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)
    return np.asarray(joined, dtype=np.int64)


def _bad_steps(times: Integers, there: Flags, groups: Integers) -> int:
    """Steps that do not go forward within groups."""
    return int((steps_within(times, there, groups).sizes <= 0).sum())


def _falls_between(times: Integers, there: Flags, groups: Integers, codes: Integers) -> bool:
    """Whether times fall where a column's text changes and nowhere else: the table is sorted by it."""
    steps = steps_within(times, there, groups)
    is_change = codes[steps.rows] != codes[steps.before]
    falls = steps.sizes < 0
    return bool(np.all(is_change[falls])) and int(falls.sum()) >= int(is_change.sum()) / 2


def _span(micros: float) -> str:
    """A span of time as people say it."""
    seconds = micros / 1_000_000
    for name, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {name}".replace(".0 ", " ")
    return f"{seconds:g} s"
