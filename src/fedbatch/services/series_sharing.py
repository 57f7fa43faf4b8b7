"""Series from the own journal into one agreement's ledger: what its rights and windows allow.

A journal tells series by source and batch or equipment; a ledger has one series a batch. Each sealed
stretch of the journal becomes a segment of its own under the agreement's codes and units, cut to the
batch's windows, so that nothing of another batch is in any file.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from fedbatch.ports import JournalStore, LedgerHead, Objects
from fedbatch.series.blocks import Block, Column, between, count, merge
from fedbatch.series.converting import Converter, make_converter
from fedbatch.series.inline import decode_points, encode_points
from fedbatch.series.instants import instant_text, micros
from fedbatch.series.segments import points_hash, read_segment, write_segment
from fedbatch.services.live import find_series, plain_series, points_since
from fedbatch.services.posting import Post
from fedbatch.services.series_intake import JOURNAL, SealedHead, sealed_of
from fedbatch.services.side_by_side import side_by_side
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedParameter
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import JournalEntry, JournalParameter, JournalSeries
from fedbatch.standard.rulebook import finding
from fedbatch.standard.units import UnitTable
from fedbatch.standard.values import Correction, ObjectReference, Provenance

__all__ = ["SeriesSharing", "Stretch", "overlaps"]

FOREVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A batch of the agreement (own id) and from when to when (µs) a series told of it."""

    batch: str
    from_: int = -FOREVER
    to: int = FOREVER
    is_open: bool = False


@dataclass(slots=True, kw_only=True)
class SeriesSharing:
    """What sharing series works with; the rest of sharing hands in how it names and allows things."""

    journal: JournalStore
    objects: Objects
    post: Post
    units: UnitTable
    ledger: str
    posted: dict[str, str]
    read_own: Callable[[int], bytes]
    stretches: Callable[[JournalSeries], list[Stretch]]
    agreed: Callable[[JournalParameter, str], AgreedParameter | None]
    pseudonym: Callable[[str, str], str]
    correction: Callable[[Correction | None], Correction | None]
    live_range: Callable[[str], records.Entries | None]
    provenance: Callable[[JournalEntry], tuple[Provenance, ...]]
    _due: list["_Due"] = field(default_factory=list)
    segments: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def run_points(self, start: int, settled: int) -> tuple[int, int]:
        """Plan the live points of the journal from an index on.

        Returns:
            the index to go on from, and the one to look again from if none is posted: of the first
            points after `settled` (µs).
        """
        groups: dict[str, list[records.Points]] = {}
        waiting: int | None = None
        for item in points_since(self.journal, start):
            groups.setdefault(item.record.series, []).append(item.record)
            start = item.index + 1
            if waiting is None and micros(item.record.base) >= settled:
                waiting = item.index
        for name, items in groups.items():
            series = find_series(self.journal, name)
            if series is None:
                continue
            stretches = self.stretches(series)
            if stretches:
                block = decode_points(plain_series(series), items)
                for stretch in stretches:
                    self._share_points(series, stretch, block)
        return start, start if waiting is None else waiting

    def _share_points(self, series: JournalSeries, stretch: Stretch, block: Block) -> None:
        part = between(block, stretch.from_, stretch.to)
        if not count(part):
            return
        declared, columns = self._declared(series, stretch.batch)
        shared = _renamed(part, columns)
        source = self.pseudonym("source", series.series)
        for record in encode_points(declared, shared) if count(shared) else ():
            self.post.add_points(record, source=source)

    def run(self) -> None:
        """Plan everything that is not posted yet; nothing is written."""
        stretches = sealed_of(self.journal)
        for head, entry in self.journal.standing(("series",)):
            if head.key[0] not in stretches:
                continue
            series = msgspec.json.decode(bytes(entry.data), type=JournalSeries)
            for stretch in self.stretches(series):
                self._due += self._share(series, stretch, stretches[series.series])
        for due, shared in zip(self._due, side_by_side(_encoded, self._read()), strict=True):
            if shared is not None:
                self._add(due, shared)

    def _read(self) -> Iterator[tuple["_Due", bytes]]:
        """What is due, each with its segment of the journal."""
        for due in self._due:
            yield due, self.objects.read(due.item.record.segment.sha256)

    def _share(
        self, series: JournalSeries, stretch: Stretch, sealed: Sequence[SealedHead]
    ) -> Iterator["_Due"]:
        """Declare the series of a batch; the stretches of the journal that are due of it."""
        told = [
            item
            for item in sealed
            if overlaps(item.record, stretch)
            # Of an open window nobody knows yet whether it holds to the end of the stretch.
            and not (stretch.is_open and micros(item.record.to) > stretch.to)
        ]
        due = [item for item in told if self._is_due(item, stretch)]
        if not due:
            return
        declared, columns = self._declared(series, stretch.batch)
        if not columns:
            self._count("series without an agreed parameter or a right to it", len(due))
            return
        for item in due:
            yield _Due(
                series=declared, ledger=self.ledger, columns=columns, stretch=stretch, item=item
            )

    def _count(self, what: str, number: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def _is_due(self, item: SealedHead, stretch: Stretch) -> bool:
        """Whether a stretch is to be posted; what was posted under another window is taken back."""
        name = _posted_as(item, stretch)
        if name in self.posted:
            return False
        beginning = f"{item.head.entry_id}|{stretch.batch}|"
        for known, entry_id in self.posted.items():
            if known.startswith(beginning):
                self._take_back(entry_id)
        return True

    def _take_back(self, entry_id: str) -> None:
        found = next((h for h in self.post.heads.values() if h.entry_id == entry_id), None)
        if found is None or found.is_withdrawn:
            return
        content = self.read_own(found.index)
        record = read_entry(content).record
        if isinstance(record, records.Sealed):
            self.destroyed.append(record.segment.sha256)
        correction = Correction(
            kind="withdraw",
            reason_code="wrong_party",
            reason="the window of the equipment changed",
            by=self.post.place.sender,
        )
        self.post.withdraw(found, content, correction)

    # ---- the series of a batch

    def _declared(
        self, series: JournalSeries, batch: str
    ) -> tuple[records.Series, dict[str, tuple[str, Converter]]]:
        """The ledger's series of a batch with this journal's parameters, and each column's new name."""
        key = (self.pseudonym("series", batch),)
        head = self.post.heads.get(("series", key))
        known = self._known(head)
        parameters = list(known.parameters) if known is not None else []
        columns: dict[str, tuple[str, Converter]] = {}
        for index, parameter in enumerate(series.parameters):
            agreed = self.agreed(parameter, batch)
            converter = self._converter(parameter, agreed)
            if agreed is None or converter is None:
                continue
            columns[f"{index}.{parameter.role}"] = (f"{agreed.code}.{agreed.role}", converter)
            if not any((p.code, p.role) == (agreed.code, agreed.role) for p in parameters):
                parameters.append(_agreed_parameter(parameter, agreed, converter))
        record = records.Series(
            version=1,
            series=key[0],
            batch=self.pseudonym("batch", batch),
            parameters=tuple(parameters),
            clock=known.clock if known is not None else series.clock,
            precedence=known.precedence if known is not None else series.precedence,
        )
        if columns and self.post.add(record, correction=self._further()) is not None:
            self._declared_now[key[0]] = record
        return record, columns

    def _known(self, head: LedgerHead | None) -> records.Series | None:
        if head is None or head.is_withdrawn:
            return None
        if head.key[0] in self._declared_now:
            return self._declared_now[head.key[0]]
        record = read_entry(self.read_own(head.index)).record
        return record if isinstance(record, records.Series) else None

    _declared_now: dict[str, records.Series] = field(default_factory=dict)

    def _further(self) -> Correction:
        return Correction(
            kind="correct",
            reason_code="parameters",
            reason="further parameters",
            by=self.post.place.sender,
        )

    def _converter(
        self, parameter: JournalParameter, agreed: AgreedParameter | None
    ) -> Converter | None:
        if agreed is None:
            return None
        unit = agreed.unit or parameter.unit
        if not self.units.is_convertible(parameter.unit, unit):
            where = Place(type="series", key=(agreed.code,))
            expected = f"a unit that converts to {unit}"
            item = finding(
                "unit.not_agreed",
                where,
                found=parameter.unit,
                expected=expected,
                effect="held_back",
            )
            if item not in self.findings:
                self.findings.append(item)
            return None
        return make_converter(self.units.get(parameter.unit), self.units.get(unit))

    # ---- one stretch

    def _add(self, due: "_Due", shared: "_Shared") -> None:
        record = self._sealed(due, shared)
        source = self.pseudonym("source", due.item.head.source)
        name = _posted_as(due.item, due.stretch)
        added = self.post.add(record, source=source, journal=name)
        if added is not None:
            self._count("sealed", 1)
        # A correction further on in this run supersedes it.
        entry_id = added or self.post.known.get(name)
        if entry_id is not None:
            self.posted[name] = entry_id

    def _sealed(self, due: "_Due", shared: "_Shared") -> records.Sealed:
        series, stretch, item = due.series, due.stretch, due.item
        reference = _reference(shared.content)
        self.segments[reference.sha256] = shared.content
        told = item.record
        start, end = max(micros(told.from_), stretch.from_), min(micros(told.to), stretch.to)
        superseded = tuple(
            entry_id
            for known, entry_id in self.posted.items()
            if known.split("|")[0] in set(told.supersedes or ()) and f"|{stretch.batch}|" in known
        )
        own = self.correction(told.correction)
        return records.Sealed(
            version=1,
            sealed=self.pseudonym("sealed", f"{told.sealed}|{stretch.batch}|{start}|{end}"),
            series=series.series,
            from_=instant_text(start),
            to=instant_text(end),
            segment=reference,
            points_hash=shared.points_hash,
            count=shared.count,
            first=instant_text(shared.first),
            last=instant_text(shared.last),
            complete_until=instant_text(min(micros(told.complete_until), end)),
            late=told.late,
            entries=self.live_range(series.series) if told.entries is not None else None,
            supersedes=superseded or None,
            correction=own if superseded else None,
            provenance=self.provenance(self.journal.read(item.head.index)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A sealed stretch of the journal that is to come into a batch's series."""

    series: records.Series
    ledger: str
    columns: dict[str, tuple[str, Converter]]
    stretch: Stretch
    item: SealedHead


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """The ledger's segment of a stretch, and what is told of its points; times in µs."""

    content: bytes
    points_hash: str
    count: int
    first: int
    last: int


def _encoded(given: tuple[_Due, bytes]) -> _Shared | None:
    """A stretch cut to its window, under the agreement's codes and units; None without points."""
    due, content = given
    whole = read_segment(content, ledger=JOURNAL, series=str(due.item.record.series))
    block = _renamed(between(whole, due.stretch.from_, due.stretch.to), due.columns)
    if not count(block):
        return None
    return _Shared(
        content=write_segment(
            block,
            ledger=due.ledger,
            series=due.series.series,
            parameters=tuple(due.series.parameters),
        ),
        points_hash=points_hash(block),
        count=count(block),
        first=int(block.times[0]),
        last=int(block.times[-1]),
    )


def _renamed(block: Block, columns: dict[str, tuple[str, Converter]]) -> Block:
    """A block under the agreement's codes and units, without what is not agreed.

    Of a source that changed the unit of a parameter, two columns become one.
    """
    named: dict[str, Column] = {}
    besides: list[Block] = []
    for name, column in block.columns.items():
        if name not in columns:
            continue
        code, converter = columns[name]
        converted = converter.convert(column)
        if code in named:
            besides.append(Block(block.times, {code: converted}, block.rows))
        else:
            named[code] = converted
    whole = Block(block.times, named, block.rows)
    return merge([whole, *besides]) if besides else whole


def overlaps(record: records.Sealed, stretch: Stretch) -> bool:
    """Whether a sealed stretch may hold points of a batch's stretch."""
    return micros(record.first) < stretch.to and micros(record.last) >= stretch.from_


def _posted_as(item: SealedHead, stretch: Stretch) -> str:
    """How a posted stretch is remembered: which of the journal's, for which batch, cut where."""
    start = max(micros(item.record.from_), stretch.from_)
    end = min(micros(item.record.to), stretch.to)
    return f"{item.head.entry_id}|{stretch.batch}|{start}|{end}"


def _agreed_parameter(
    parameter: JournalParameter, agreed: AgreedParameter, converter: Converter
) -> records.SeriesParameter:
    return records.SeriesParameter(
        code=agreed.code,
        role=parameter.role,
        unit=agreed.unit or parameter.unit,
        raw_unit=parameter.raw_unit,
        conversion=converter.conversion(parameter.scale),
        sampling_model=converter.model(parameter.sampling_model, agreed.unit or parameter.unit),
        between=parameter.between,
        scale=converter.scale(parameter.scale),
    )


def _reference(content: bytes) -> ObjectReference:
    return ObjectReference(sha256=sha256(content).hexdigest(), bytes=len(content))
