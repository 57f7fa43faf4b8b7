"""Where the points of a series came from: segments and live entries, files, writer, proof."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fedbatch.errors import FedbatchError
from fedbatch.node.home import Home
from fedbatch.node.reading import shared_files
from fedbatch.node.series import (
    BatchSeries,
    live_entries,
    load_series,
    sealed_entries,
)
from fedbatch.series.blocks import Block, between, column_points, count, select
from fedbatch.series.inline import column_name, decode_points
from fedbatch.series.instants import EARLIEST, LATEST, instant_text, micros
from fedbatch.series.segments import points_hash, read_segment
from fedbatch.services.live import declared_series
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedParameter
from fedbatch.standard.envelope import Heading, read_entry
from fedbatch.standard.journals import JournalEntry, Origin
from fedbatch.standard.values import Provenance, named_key

__all__ = ["SeriesOrigin", "StretchOrigin", "read_series_provenance"]

_FILES_MAX = 6


class StretchOrigin(msgspec.Struct, kw_only=True):
    """A sealed segment of a series, or the live entries that came since.

    `entry` and `index` name the entry that seals it, or the first of the live ones; `last_entry` and
    `last_index` are empty and -1 where it rests on one entry alone. `points` are those of the
    parameter, -1 where the segment cannot be read; `count` and `points_hash` are of the whole segment
    as its entry says, for live points of the parameter's own. `verified`: "yes" where the
    segment was read and is what its entry says, "no: …" where not; live points stand "with their
    entries", which `fedbatch verify` checks.
    """

    kind: str
    entry: str
    index: int
    last_entry: str = ""
    last_index: int = -1
    from_: str = msgspec.field(name="from")
    to: str
    points: int
    count: int
    points_hash: str
    segment: str = ""
    late: bool = False
    corrects: list[str] = []
    signed_under: str
    verified: str
    countersigned: bool
    origins: list[str]


class SeriesOrigin(msgspec.Struct, kw_only=True):
    """A parameter of a batch's series: who posted it, in which ledger, stretch by stretch."""

    agreement: str
    agreement_name: str
    batch: str
    code: str
    role: str
    unit: str
    ledger: str
    posted_by: str
    stretches: list[StretchOrigin]


def read_series_provenance(home: Home, batch: str, code: str) -> list[SeriesOrigin]:
    """Where the points of a parameter of a batch came from; none where it is no series.

    Args:
        home: this home.
        batch: by either party's number.
        code: the parameter's code, `<code>.<role>`, or its term.

    Raises:
        InputError: no such batch.
    """
    return [
        _origin(home, item, parameter)
        for item in load_series(home, batch)
        for parameter in item.series.parameters
        if code in _names(home, item, parameter)
    ]


def _names(home: Home, item: BatchSeries, parameter: records.SeriesParameter) -> set[str]:
    body = home.standing(item.agreement).body
    agreed: Sequence[AgreedParameter] = body.parameters if body is not None else ()
    names = {parameter.code, column_name(parameter.code, parameter.role)}
    return names | {one.term for one in agreed if one.code == parameter.code}


def _origin(home: Home, item: BatchSeries, parameter: records.SeriesParameter) -> SeriesOrigin:
    known = home.agreement_named(item.agreement)
    trace = _Trace(home, item, parameter)
    partner = home.node.find_partner(known.partner)
    theirs = partner.name if partner is not None else known.partner
    return SeriesOrigin(
        agreement=known.agreement,
        agreement_name=known.name,
        batch=item.batch,
        code=parameter.code,
        role=parameter.role,
        unit=parameter.unit,
        ledger=item.ledger,
        posted_by=home.settings.name if trace.is_own else theirs,
        stretches=trace.stretches(),
    )


class _Trace:
    """One parameter of a series on its way back to where it came from."""

    def __init__(self, home: Home, item: BatchSeries, parameter: records.SeriesParameter) -> None:
        self.home, self.item = home, item
        self.name = column_name(parameter.code, parameter.role)
        self.store = home.ledgers(item.agreement)
        self.is_own = self.store.ledger(item.ledger).is_own
        receipts = self.store.checkpoints(item.ledger)
        self.countersigned = max((row.size for row in receipts if row.cosignature), default=0)
        self.files = {} if self.is_own else shared_files(home, item.agreement, item.ledger)
        posted = self.store.posted(item.ledger) if self.is_own else {}
        self.journal = {entry: name.partition("|")[0] for name, entry in posted.items()}

    def stretches(self) -> list[StretchOrigin]:
        """Sealed ones in the ledger's order, then what came live since."""
        sealed = sealed_entries(self.home, self.item)
        found = [self._sealed(index, record) for index, record in sealed]
        found += self._live([record for _, record in sealed])
        return [one for one in found if one.points]

    def _heading(self, index: int) -> Heading:
        ((_, _, content),) = self.store.entries(self.item.ledger, index, 1)
        return read_entry(content).heading

    def _sealed(self, index: int, record: records.Sealed) -> StretchOrigin:
        points, verified = self._checked(record)
        heading = self._heading(index)
        corrects = record.supersedes if isinstance(record.supersedes, tuple) else ()
        return StretchOrigin(
            kind="segment",
            entry=heading.id,
            index=index,
            from_=record.from_,
            to=record.to,
            points=points,
            count=record.count,
            points_hash=record.points_hash,
            segment=record.segment.sha256,
            late=record.late,
            corrects=list(corrects),
            signed_under=heading.agreement,
            verified=verified,
            countersigned=index < self.countersigned,
            origins=self._sources(heading, record),
        )

    def _checked(self, record: records.Sealed) -> tuple[int, str]:
        """How many points of the parameter a segment holds, and whether it is what its entry says."""
        try:
            content = self.home.agreement_objects(self.item.agreement).read(record.segment.sha256)
            series = named_key(record.series)
            block = read_segment(content, ledger=self.item.ledger, series=series)
        except FedbatchError as error:
            return -1, f"no: {error.code}"
        is_whole = points_hash(block) == record.points_hash and count(block) == record.count
        verified = "yes" if is_whole else "no: other points than its entry says"
        return _points_of(block, self.name), verified

    def _live(self, sealed: Sequence[records.Sealed]) -> list[StretchOrigin]:
        found = live_entries(self.home, self.item, sealed)
        # What a file told of the same times stands beside it, and seals nothing of it.
        of_live = [record for record in sealed if record.entries is not None]
        until = max((micros(record.complete_until) for record in of_live), default=EARLIEST)
        newer = [(index, record) for index, record in found if micros(record.base) >= until]
        # An entry can reach over the end of what is sealed.
        found = newer or found
        if not found:
            return []
        block = decode_points(self.item.series, [record for _, record in found])
        block = between(block, until, LATEST)
        points = _points_of(block, self.name)
        if not points:
            return []
        block = select(block, [self.name])
        times = column_points(block, self.name).times
        first, last = found[0][0], found[-1][0]
        heading = self._heading(first)
        return [
            StretchOrigin(
                kind="live",
                entry=heading.id,
                index=first,
                last_entry=self._heading(last).id if last != first else "",
                last_index=last if last != first else -1,
                from_=instant_text(int(times[0])),
                to=instant_text(int(times[-1]) + 1),
                points=points,
                count=points,
                points_hash=points_hash(block),
                signed_under=heading.agreement,
                verified="with their entries",
                countersigned=last < self.countersigned,
                origins=[self._live_source(heading)],
            )
        ]

    # ---- sources

    def _sources(self, heading: Heading, record: records.Sealed) -> list[str]:
        journal = self.journal.get(heading.id)
        if self.is_own and journal is not None:
            entry = self.home.journal.read_entry(journal)
            names = {row.sha256: row.file for row in self.home.journal.imports()}
            told = [_own_file(origin, names) for origin in entry.origins]
            return told or [self._own_series(_series_in(entry))]
        told = [self._shared(one) for one in record.provenance]
        if told or record.entries is None:
            return told
        first, last = record.entries.first, record.entries.last
        return [f"sealed from live entries {first} to {last}"]

    def _shared(self, one: Provenance) -> str:
        """The file where it is shared, else the writer's commitment to it."""
        name = self.files.get(one.artefact or "")
        if name is None or one.locator is None:
            return f"commitment {one.commitment} by {one.extractor}"
        return f"file {name} (SHA-256 {str(one.artefact)[:16]}…), {one.locator.scheme} {one.locator.value}"

    def _live_source(self, heading: Heading) -> str:
        told = heading.source.removeprefix("urn:fedbatch:source:")
        for name in declared_series(self.home.journal) if self.is_own else ():
            if self.home.ids.shared(self.item.agreement, "source", name) == told:
                return self._own_series(name)
        return f"source {told} of the writer, live"

    def _own_series(self, name: str) -> str:
        """A growing file is not kept: its name says which it is."""
        head = self.home.journal.heads(("series",)).get(("series", (name,)))
        source = self.home.journal.read(head.index).source if head is not None else ""
        files = self.home.journal.followed_files(source)
        named = ", ".join(Path(path).name for path in files[-_FILES_MAX:])
        more = f" and {len(files) - _FILES_MAX} more" if len(files) > _FILES_MAX else ""
        return f"live from source {source or name}" + (f" (file {named}{more})" if files else "")


def _points_of(block: Block, name: str) -> int:
    return int(column_points(block, name).times.size) if name in block.columns else 0


def _own_file(origin: Origin, names: Mapping[str, str]) -> str:
    name = names.get(origin.artefact, "?")
    return f"file {name} (SHA-256 {origin.artefact[:16]}…), {origin.scheme} {origin.locator}"


def _series_in(entry: JournalEntry) -> str:
    record = msgspec.json.decode(bytes(entry.data), type=records.Sealed)
    return named_key(record.series)
