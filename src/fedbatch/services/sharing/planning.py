"""The order of a run of sharing, and what it does with each kind of record."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec

from fedbatch.ledger.tree import leaf_hash
from fedbatch.ports import (
    HeldItem,
    JournalHead,
    LedgerHead,
    NewLedgerEntry,
)
from fedbatch.rules.due import parse_duration
from fedbatch.rules.rights import Measured, bind, find_right, status_reaches, visible_fields
from fedbatch.rules.windows import Told, Window, agreed_windows, batch_at
from fedbatch.series.instants import micros
from fedbatch.services.numbering import PARTNER_SYSTEM, journal_batches
from fedbatch.services.posting import Post
from fedbatch.services.series_intake import sealed_of
from fedbatch.services.series_sharing import SeriesSharing, Stretch, overlaps
from fedbatch.services.sharing.journal import read_heads
from fedbatch.services.sharing.names import Names
from fedbatch.services.sharing.plan import SharePlan, Sharing, WholeFile
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedParameter, AgreedProduct, AgreementBody, Right
from fedbatch.standard.envelope import read_entry
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.journals import (
    JournalEntry,
    JournalParameter,
    JournalResult,
    JournalSeries,
)
from fedbatch.standard.rulebook import RULES_VERSION, finding
from fedbatch.standard.values import (
    Correction,
    Named,
    ObjectReference,
    Provenance,
    Reference,
    Value,
    in_time,
    is_instant,
    named_key,
)

__all__ = ["SOURCE_FILE", "Planning"]

Posted = TypeVar("Posted", bound=records.Record)
# What comes first must be there before what names it.
_ORDER = (
    "product",
    "batch",
    "step",
    "equipment",
    "lot",
    "transformation",
    "sample",
    "event",
    "result",
)
# Never left out of a record: its key, and what says which version it is.
_ALWAYS = frozenset(
    {"version", "supersedes", "correction", "value_status", "basis", "replaces", "redacted"}
)
# What names the partner's transcribed records of the same thing.
_REPLACING = frozenset({"batch", "step", "sample", "result"})
# An approval of a thousand targets is about 50 kB: below the 65,535 bytes of an entry.
_TARGETS_MAX = 1000


# An attachment names the batches it is about, as long as an entry has room for them.
_ABOUT_MAX = 200
SOURCE_FILE = "source_file"
# So long a window may be told after its first points; those before come with the hour's segment.
_WAITS_US = 15 * 60 * 1_000_000


class Planning:
    """One run of sharing over the journal, and what comes live after it as long as nothing else does."""

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing
        self.body = sharing.body
        self.plan = SharePlan(
            post=Post(
                place=sharing.place,
                ids=sharing.ids,
                clock=sharing.clock,
                heads=dict(sharing.heads),
            )
        )
        self.journal = read_heads(sharing.journal)
        self.by_entry = {item.entry_id: item for item in sharing.heads.values()}
        self.materials: set[str] = set()
        self.names = Names(ids=sharing.ids, agreement=sharing.body.id, partner=sharing.partner)
        # Thousands of results share a parameter: each is worked out once.
        self.bound: dict[Measured, AgreedParameter | None] = {}
        self.now = sharing.clock.now()

    def run(self) -> SharePlan:
        self._place_batches()
        self._place_windows()
        self._post_party()
        self._post_specifications()
        is_sponsor = self.sharing.role == "sponsor"
        if is_sponsor:
            # What a sponsor has of the makers' it took from their reports (STANDARD S36).
            self.plan.post.basis = "transcribed"
            self._note_numbers()
        if self.batches or not is_sponsor:
            self._post_product()
        # Source files cross to the sponsor alone: a maker has its own reports.
        self.shared_files = self._share_files() if not is_sponsor else frozenset()
        self.lots: set[str] = self._lots_of_batches(self.journal.of("transformation"))
        for name in _ORDER:
            for head in self.journal.of(name):
                self._consider(name, head)
        self._share_series()
        self._share_derived()
        self._share_approvals()
        if not is_sponsor:
            self._share_held()
        return self.plan

    def run_live(
        self, series: dict[tuple[str, tuple[str, ...]], LedgerHead], points_from: int
    ) -> SharePlan:
        """The journal's live points from an index on, alone; nothing is written.

        What batches there are, and which windows, is as the run before found it; how far a window
        without end is known to hold is not.

        Args:
            series: the heads of the ledger's series, as they are now.
            points_from: how far live points were looked through.
        """
        before, self.now = self.plan, self.sharing.clock.now()
        post = Post(
            place=self.sharing.place, ids=self.sharing.ids, clock=self.sharing.clock, heads=series
        )
        self.plan = SharePlan(
            post=post,
            findings=before.findings,
            points_to=points_from,
            points_waiting=points_from,
        )
        if not self._why_no_series() and not self.plan.is_transcribing:
            self._follow_windows()
            self._share_points(self._series_work(), points_from)
            self._count_entries(post.entries)
        return self.plan

    def _note_numbers(self) -> None:
        """Transcribed batches that bear no number of the maker's: it could not tell them its own."""
        bare = [
            name
            for name in self.batches
            if all(
                item.system != PARTNER_SYSTEM
                for item in self._merged(self.known.records[name]).identifiers
            )
        ]
        if bare:
            first = self.numbers[bare[0]]
            self.plan.findings.append(
                finding(
                    "batch.no_maker_number",
                    Place(type="batch", key=first),
                    found=f"{' / '.join(first)}, one of {len(bare)}, as a number of your own",
                    expected="the maker's batch number",
                    advice="Map the maker's number as `batch.partner`, so that its own records meet it.",
                )
            )

    # ---- which batches belong here

    def _place_batches(self) -> None:
        """Find the batches of this agreement: those whose product and site it has, and no other has."""
        self.product_codes = self._product_codes()
        self.batches: dict[str, AgreedProduct] = {}
        self.numbers: dict[str, tuple[str, ...]] = {}
        self.known = journal_batches(self.sharing.journal, self.journal.heads, self.sharing.ids)
        self.aliases = self._aliases()
        for name, record in self.known.records.items():
            is_excluded = not self.sharing.excluded.isdisjoint(self.known.group(name))
            if self._one(name) == name and not is_excluded:
                self._place_batch(self._merged(record))
        if self.sharing.transcribed is not None:
            merged = {name: self._merged(self.known.records[name]) for name in self.batches}
            self.sharing.transcribed.meet(
                {
                    name: self.names.identifiers(record.identifiers)
                    for name, record in merged.items()
                }
            )

    def _aliases(self) -> dict[str, str]:
        """Under which of its ids a batch of several is posted: one posted before, else the first.

        What was posted under two ids before they were known to be one batch stays so; readers join.
        """
        aliases: dict[str, str] = {}
        heads = self.sharing.heads
        for group in set(self.known.groups.values()):
            told = [name for name in group if name in self.known.records]
            posted = [n for n in told if ("batch", (self.names.pseudonym("batch", n),)) in heads]
            first = (posted or told)[0]
            aliases.update({name: name if name in posted else first for name in group})
        return aliases

    def _one(self, batch: str) -> str:
        """The id under which a batch is posted."""
        return self.aliases.get(batch, batch)

    def _others(self, batch: str) -> list[str]:
        """The other ids with a record of their own that are posted under this one."""
        group = self.known.group(batch)
        return [
            n for n in group if n != batch and n in self.known.records and self._one(n) == batch
        ]

    def _merged(self, record: records.Batch) -> records.Batch:
        """A batch with what its other records say besides."""
        for name in self._others(record.batch):
            other = self.known.records[name]
            more = tuple(item for item in other.identifiers if item not in record.identifiers)
            blank = {
                field: getattr(other, field)
                for field in ("campaign", "size", "state", "start", "end", "site")
                if getattr(record, field) is None
            }
            identifiers = (*record.identifiers, *more)
            record = msgspec.structs.replace(record, identifiers=identifiers, **blank)
        return record

    def _product_codes(self) -> dict[str, set[tuple[str, str]]]:
        """The identifiers of every product of the journal, by its own id."""
        found: dict[str, set[tuple[str, str]]] = {}
        for head in self.journal.of("product"):
            _, record = self.journal.read(head)
            if isinstance(record, records.Product):
                found[record.product] = {(item.system, item.value) for item in record.identifiers}
        return found

    def _place_batch(self, batch: records.Batch) -> None:
        codes = self.product_codes.get(named_key(batch.product), set())
        fitting = [
            (body, product)
            for body in self.sharing.bodies
            if (product := _agreed_product(body, codes)) is not None and _has_site(body, batch.site)
        ]
        here = [product for body, product in fitting if body.id == self.body.id]
        if here and len(fitting) == 1:
            self.batches[batch.batch] = here[0]
            self.numbers[batch.batch] = tuple(item.value for item in batch.identifiers)
        elif here:
            self.plan.findings.append(
                finding(
                    "batch.two_agreements",
                    Place(type="batch", key=tuple(item.value for item in batch.identifiers)),
                    found=f"{len(fitting)} agreements with its product and site",
                    expected="one agreement",
                    effect="held_back",
                )
            )

    def _place_windows(self) -> None:
        """Find out which batch each piece of equipment had from when to when, and what is disputed."""
        self.told: list[tuple[records.Equipment, str]] = []
        self.stated: dict[tuple[str, str, str], list[JournalHead]] = {}
        for head in self.journal.of("equipment"):
            if not head.is_withdrawn:
                _, record = self.journal.read(head)
                if isinstance(record, records.Equipment):
                    batch = self._one(named_key(record.batch))
                    statement = msgspec.structs.replace(record, batch=batch)
                    self.told.append((statement, head.source))
                    name = (record.equipment, batch, record.from_.instant)
                    self.stated.setdefault(name, []).append(head)
        own = set(self.batches)
        disputes = self._find_windows()
        self.plan.findings += [item for item in disputes if item.where.key[-1] in own]

    def _find_windows(self) -> list[Finding]:
        windows, disputes = self._agreed_windows(self.told)
        self.windows = windows
        return disputes

    def _follow_windows(self) -> None:
        """Find out anew how far windows without end hold: the others stay as they are."""
        pieces = {record.equipment for record, _ in self.told if record.to is None}
        told = [(record, source) for record, source in self.told if record.equipment in pieces]
        others = {name: found for name, found in self.windows.items() if name not in pieces}
        self.windows = {**others, **self._agreed_windows(told)[0]}

    def _agreed_windows(
        self, told: Iterable[tuple[records.Equipment, str]]
    ) -> tuple[dict[str, list[Window]], list[Finding]]:
        """By piece of equipment the windows that their sources agree on, and what is disputed."""
        # A source is as far along as when it was last looked at.
        until = self.sharing.journal.heard()
        statements = [Told(record=one, until=until.get(source, "")) for one, source in told]
        windows, disputes = agreed_windows(statements, _tolerance_s(self.body))
        found: dict[str, list[Window]] = {}
        for window in sorted(windows, key=lambda item: in_time(item.start)):
            found.setdefault(window.equipment, []).append(window)
        return found, disputes

    def _lots_of_batches(self, heads: Iterable[JournalHead]) -> set[str]:
        """Lots that went into batches of this agreement; all others stay."""
        lots: set[str] = set()
        for head in heads:
            if head.is_withdrawn:
                continue
            _, record = self.journal.read(head)
            if not isinstance(record, records.Transformation) or record.batch is None:
                continue
            if self._one(named_key(record.batch)) in self.batches:
                carried = (*record.inputs, *record.outputs)
                lots |= {named_key(item.lot) for item in carried}
                self.materials |= {
                    named_key(item.product) for item in carried if item.product is not None
                }
        return lots

    # ---- source files

    def _share_files(self) -> frozenset[str]:
        """Post the files that concern this agreement's batches alone; their SHA-256 (STANDARD S18).

        A file that no longer does is taken back and destroyed at the partner.
        """
        allowed: set[str] = set()
        for file in self.sharing.files:
            batches = {self._one(name) for name in file.batches}
            numbers = tuple(n for name in batches for n in self.numbers.get(name, ()))
            right = find_right(
                self.body, "attachment", code=SOURCE_FILE, batches=numbers, now=self.now
            )
            if right is None or not batches or not batches <= self.batches.keys():
                self.plan.skipped["a file that concerns others too, or no right to it"] += 1
                continue
            allowed.add(file.sha256)
            self._share_file(file, sorted(self.names.pseudonym("batch", name) for name in batches))
        self._take_back_files(allowed)
        return frozenset(allowed)

    def _share_file(self, file: WholeFile, batches: Sequence[str]) -> None:
        about = tuple(Reference(type="batch", key=(name,)) for name in batches)
        record = records.Attachment(
            version=1,
            object=ObjectReference(sha256=file.sha256, bytes=file.size_bytes),
            media_type=file.media_type,
            name=file.name,
            kind=SOURCE_FILE,
            about=about if len(about) <= _ABOUT_MAX else (),
        )
        self.plan.add(record)
        self.plan.objects.append(file.sha256)

    def _take_back_files(self, allowed: AbstractSet[str]) -> None:
        for head in list(self.plan.post.heads.values()):
            if head.type != "attachment" or head.is_withdrawn or head.key[0] in allowed:
                continue
            content = self.sharing.read_own(head.index)
            record = read_entry(content).record
            if isinstance(record, records.Attachment) and record.kind == SOURCE_FILE:
                correction = Correction(
                    kind="withdraw",
                    reason_code="wrong_party",
                    reason="the file no longer concerns this agreement's batches alone",
                    by=self.sharing.party,
                )
                self.plan.withdraw(head, content, correction)
                self.plan.destroyed.append(head.key[0])

    # ---- posting

    def _post_party(self) -> None:
        """Each party says who it is, once."""
        for party in self.body.parties:
            if party.party == self.sharing.party:
                sites = (records.Site(site=s.site, zone=s.zone) for s in self.body.sites)
                record = records.Party(
                    version=1,
                    party=party.party,
                    name=party.name,
                    role=(party.role,),
                    sites=tuple(sites) if party.role == "CMO" else (),
                )
                self.plan.add(record)

    def _post_specifications(self) -> None:
        """The sponsor states the specifications that stand in the agreement's body."""
        if self.sharing.role != "sponsor":
            return
        for item in self.body.specifications:
            record = records.Specification(
                version=1,
                specification=item.specification,
                product=item.product,
                market=item.market,
                scope=item.scope,
                stage=item.stage,
                date_basis=item.date_basis,
                tests=tuple(
                    records.Test(test=t.test, code=t.code, criteria=t.criteria, method=t.method)
                    for t in item.tests
                ),
                from_batch=item.from_batch,
            )
            self.plan.add(record)

    def _post_product(self) -> None:
        if find_right(self.body, "product", now=self.now) is None:
            return
        for product in self.body.product:
            record = records.Product(
                version=1,
                product=product.id,
                name=product.name,
                kind="product",
                identifiers=product.identifiers,
            )
            self.plan.add(record)

    def _consider(self, type_: str, head: JournalHead) -> None:
        """Post a record of the journal, or count why it stays."""
        self.plan.considered += 1
        if type_ == "batch" and self._one(head.key[0]) != head.key[0]:
            self.plan.skipped["part of the batch's other record"] += 1
            return
        if type_ == "equipment" and self._is_second(head):
            self.plan.skipped["part of the window's other record"] += 1
            return
        posted = self.sharing.posted.get(head.entry_id)
        if posted is not None and not self._is_looked_at_again(head, posted):
            return
        entry, record = (
            self.journal.read(head) if not head.is_withdrawn else self.journal.read_last(head)
        )
        batch = self._batch_of(record)
        if batch is None:
            if not isinstance(record, records.Product):
                self.plan.skipped[self._why_not(record)] += 1
            return
        if isinstance(record, JournalResult):
            self._share_result(head, entry, record, batch)
        else:
            self._share_other(type_, head, entry, record, batch)

    def _is_looked_at_again(self, head: JournalHead, posted: str) -> bool:
        """Whether a record that was posted may have to be posted otherwise."""
        # What was transcribed since is named by the next version.
        is_met = self.sharing.transcribed is not None and head.type in _REPLACING
        return (
            is_met
            or self._is_joined(head)
            or self._was_taken_back(head)
            or self._has_moved(head, posted)
        )

    def _was_taken_back(self, head: JournalHead) -> bool:
        """Whether a lot or material was taken back with the batch of another party that used it."""
        if head.type not in {"lot", "product"}:
            return False
        name = (head.type, (self.names.pseudonym(head.type, head.key[0]),))
        stands = self.sharing.heads.get(name)
        return stands is not None and stands.is_withdrawn

    def _is_joined(self, head: JournalHead) -> bool:
        """Whether what is posted of a record rests on other records too."""
        if head.type == "batch":
            return bool(self._others(head.key[0]))
        return head.type == "equipment" and len(self._same_window(head)) > 1

    def _same_window(self, head: JournalHead) -> list[JournalHead]:
        """The statements of every source about one window with one beginning."""
        equipment, batch, start = head.key[:3]
        return self.stated.get((equipment, self._one(batch), start), [])

    def _is_second(self, head: JournalHead) -> bool:
        same = self._same_window(head)
        return head in same and head != same[0]

    def _why_not(self, record: records.Record) -> str:
        if isinstance(record, JournalResult) and record.batch is None:
            return "no agreed equipment window"
        return "not a batch of this agreement"

    def _batch_of(self, record: records.Record) -> str | None:
        """The own id of the batch of this agreement that a record concerns, or None."""
        if isinstance(record, records.Lot):
            return "" if record.lot in self.lots else None
        if isinstance(record, records.Product):
            return "" if record.product in self.materials else None
        batch: Named | None = getattr(record, "batch", None)
        if batch is None and isinstance(record, JournalResult) and record.equipment:
            if record.observed_at is None:
                return None
            found = self._batch_at(record.equipment, record.observed_at.instant)
            return found if found in self.batches else None
        found = self._one(named_key(batch)) if batch is not None else None
        return found if found in self.batches else None

    def _batch_at(self, equipment: str, instant: str) -> str | None:
        """The batch that had a piece of equipment at an instant; agreed windows do not overlap."""
        windows = self.windows.get(equipment, [])
        position = bisect_right(windows, in_time(instant), key=lambda item: in_time(item.start))
        return batch_at(windows[max(position - 1, 0) : position], equipment, instant)

    # ---- results

    def _has_moved(self, head: JournalHead, posted: str) -> bool:
        """Whether a posted value is to be looked at again, as its equipment's window has changed.

        Where it stands wrongly it is taken back: erased at the partner if another party's batch had
        the equipment then.
        """
        piece, instant = head.key[0], head.key[3] if len(head.key) > 3 else ""  # noqa: PLR2004 - of a result
        if head.type != "result" or not piece.startswith("@") or not is_instant(instant):
            return False
        if head.is_withdrawn:
            return False
        current = self.by_entry.get(posted)
        if current is None:
            return True
        batch = self._batch_at(piece[1:], instant)
        if batch in self.batches and self.names.pseudonym("batch", str(batch)) == current.key[0]:
            return False
        is_others = batch is not None and batch not in self.batches
        correction = Correction(
            kind="withdraw",
            reason_code="wrong_party" if is_others else "window_changed",
            reason="the window of the equipment changed",
            by=self.sharing.party,
        )
        content = self.sharing.read_own(current.index)
        self.plan.withdraw(current, content, correction)
        return True

    def _share_result(
        self, head: JournalHead, entry: JournalEntry, record: JournalResult, batch: str
    ) -> None:
        parameter = self._bind(record)
        if parameter is None:
            self.plan.skipped["not an agreed parameter"] += 1
            return
        right = self._right("result", batch, parameter)
        if right is None or not self._status_allows(head, right):
            self.plan.skipped["no right to it"] += 1
            return
        source = self.names.pseudonym("source", entry.source)
        if head.is_withdrawn:
            self._withdraw(head, entry)
            return
        value = self._agreed_value(record.value, parameter, batch)
        if value is None:
            return
        shared = self._result(record, parameter, batch, value, entry)
        shared = self._replacing(shared, batch, record.sample)
        self.plan.add(
            _limited(shared, right),
            journal=head.entry_id,
            source=source,
            correction=self.names.correction(record.correction),
        )

    def _replacing(self, shared: Posted, batch: str, sample: Named | None) -> Posted:
        """A record that names what the partner had transcribed of the same thing."""
        transcribed = self.sharing.transcribed
        if transcribed is None:
            return shared
        replaced = transcribed.replaced(shared, batch, self._sample_number(sample))
        return msgspec.structs.replace(shared, replaces=replaced) if replaced else shared

    def _sample_number(self, sample: Named | None) -> str:
        """The number of an own sample as it stands in the source; "" for none."""
        head = (
            self.journal.heads.get(("sample", (named_key(sample),))) if sample is not None else None
        )
        if head is None or head.is_withdrawn:
            return ""
        _, record = self.journal.read(head)
        return record.identifiers[0].value if record.identifiers else ""

    def _right(
        self, type_: str, batch: str, parameter: AgreedParameter | None = None
    ) -> Right | None:
        return find_right(
            self.body,
            type_,
            code=parameter.code if parameter else "",
            role=parameter.role if parameter else "",
            batches=self.numbers.get(batch, ()),
            now=self.now,
        )

    def _status_allows(self, head: JournalHead, right: Right) -> bool:
        status = self.sharing.status.get(head.entry_id)
        least = right.least_value_status
        return status_reaches(status, least) and status_reaches(
            status, self.body.status_policy.send_from
        )

    def _agreed_value(self, value: Value, parameter: AgreedParameter, batch: str) -> Value | None:
        """A value in the agreed unit; what cannot be converted is held back with a finding."""
        if value.kind != "number" or not parameter.unit or value.unit in {None, parameter.unit}:
            return value
        source = value.conversion.unit if value.conversion else str(value.unit)
        number = value.conversion.number if value.conversion else str(value.number)
        if not self.sharing.units.is_convertible(source, parameter.unit):
            self.plan.findings.append(
                finding(
                    "unit.not_agreed",
                    Place(type="result", key=(*self.numbers.get(batch, ()), parameter.code)),
                    found=f"{value.number} {value.unit}",
                    expected=f"a unit that converts to {parameter.unit}",
                    effect="held_back",
                )
            )
            return None
        converted = self.sharing.units.convert(number, source, parameter.unit)
        return msgspec.structs.replace(
            value, number=converted.number, unit=parameter.unit, conversion=converted.conversion
        )

    def _result(
        self,
        record: JournalResult,
        parameter: AgreedParameter,
        batch: str,
        value: Value,
        entry: JournalEntry,
    ) -> records.Result:
        return records.Result(
            version=1,
            code=parameter.code,
            role=record.role,
            value=value,
            form=record.form,
            attempt=record.attempt,
            replicate=record.replicate,
            batch=self.names.pseudonym("batch", batch),
            sample=self.names.name("sample", record.sample),
            step=self.names.step(record.step, batch),
            attempt_kind=record.attempt_kind,
            combined=record.combined,
            analysed=record.analysed,
            method=record.method,
            analyst=self.names.name("person", record.analyst),
            instrument=record.instrument,
            observed_at=record.observed_at,
            recorded_at=record.recorded_at,
            provenance=self._provenance(entry),
        )

    # ---- series

    def _share_series(self) -> None:
        """Sealed stretches of series; a series has one value status, and it stays provisional."""
        if reason := self._why_no_series():
            self._count_series(reason)
            return
        work, before = self._series_work(), len(self.plan.post.entries)
        self.plan.points_to = self.plan.points_waiting = self.sharing.points_from
        if not self.plan.is_transcribing:
            # Nobody transcribes live points: what a report shows is sealed.
            self._share_points(work, self.sharing.points_from)
        work.run()
        self._count_entries(self.plan.post.entries[before:])
        self.plan.segments = work.segments
        self.plan.destroyed += work.destroyed
        self.plan.findings += work.findings
        self.plan.skipped.update({k: v for k, v in work.counts.items() if k != "sealed"})

    def _share_points(self, work: SeriesSharing, points_from: int) -> None:
        settled = micros(self.now) - _WAITS_US
        self.plan.points_to, self.plan.points_waiting = work.run_points(points_from, settled)

    def _series_work(self) -> SeriesSharing:
        sharing = self.sharing
        return SeriesSharing(
            journal=sharing.journal,
            objects=sharing.objects,
            post=self.plan.post,
            units=sharing.units,
            ledger=sharing.place.ledger,
            posted=sharing.posted,
            read_own=sharing.read_own,
            stretches=self._stretches,
            agreed=self._agreed,
            pseudonym=self.names.pseudonym,
            correction=self.names.correction,
            live_range=sharing.live_range,
            provenance=self._provenance,
        )

    def _count_entries(self, entries: Sequence[NewLedgerEntry]) -> None:
        for entry in entries:
            self.plan.by_type[entry.type if not entry.is_withdrawn else "withdrawal of sealed"] += 1

    def _why_no_series(self) -> str:
        """Why no series at all is shared, "" where series may be."""
        if all(right.record_type != "series" for right in self.body.rights):
            return "series with all their points: the agreement's rights name no `series`"
        least = self.body.status_policy.send_from
        if not status_reaches(None, least):
            return (
                f"series with all their points: they stay provisional, and `send_from` is {least}"
            )
        return ""

    def _count_series(self, reason: str) -> None:
        """Count the series of this agreement's own batches; of no other's is anything said."""
        sealed = sealed_of(self.sharing.journal)
        for head, entry in self.sharing.journal.standing(("series",)):
            stretches = self._stretches(msgspec.json.decode(bytes(entry.data), type=JournalSeries))
            told = sealed.get(head.key[0])
            is_here = told is None or any(
                overlaps(item.record, stretch) for item in told for stretch in stretches
            )
            if stretches and is_here:
                self.plan.skipped[reason] += 1

    def _share_derived(self) -> None:
        """Post what the agreement derives from series that were posted before."""
        for record in self.sharing.derived:
            if find_right(self.body, "result", code=record.code, role=record.role, now=self.now):
                self.plan.add(record, source=self.names.pseudonym("source", "derived"))

    def _stretches(self, series: JournalSeries) -> list[Stretch]:
        """The batches of this agreement that a series tells of, and from when to when."""
        if series.batch is not None:
            batch = self._one(series.batch)
            return [Stretch(batch=batch)] if batch in self.batches else []
        windows = self.windows.get(series.equipment or "", [])
        return [
            Stretch(
                batch=item.batch,
                from_=micros(item.start),
                to=micros(item.end),
                is_open=item.is_open,
            )
            for item in windows
            if item.batch in self.batches
        ]

    def _agreed(self, parameter: JournalParameter, batch: str) -> AgreedParameter | None:
        """The agreed parameter of a series' one, if there is a right to it."""
        agreed = bind(
            self.body,
            Measured(
                parameter.term,
                parameter.equipment_class,
                parameter.position,
                parameter.qualifier,
                parameter.role,
            ),
        )
        if agreed is None or self._right("series", batch, agreed) is None:
            return None
        return agreed

    # ---- the other types

    def _share_other(
        self, type_: str, head: JournalHead, entry: JournalEntry, record: records.Record, batch: str
    ) -> None:
        right = self._right(type_, batch)
        if right is None:
            self.plan.skipped["no right to it"] += 1
            return
        if head.is_withdrawn:
            self._withdraw(head, entry)
            return
        provenance = self._provenance(entry)
        if isinstance(record, records.Batch):
            record = self._merged(record)
            for name in self._others(record.batch):
                told, _ = self.journal.read(self.known.heads[name])
                provenance += self._provenance(told)
        if isinstance(record, records.Equipment):
            for other in self._same_window(head)[1:]:
                more, said = self.journal.read(other)
                record = _narrowed(record, said)
                provenance += self._provenance(more)
        shared = self._renamed(record, batch)
        shared = msgspec.structs.replace(
            shared, provenance=provenance, version=1, supersedes=None, correction=None
        )
        sample = record.sample if isinstance(record, records.Sample) else None
        shared = self._replacing(shared, batch, sample)
        self.plan.add(
            _limited(shared, right),
            journal=head.entry_id,
            correction=self.names.correction(record.correction),
        )

    def _renamed(self, record: records.Record, batch: str) -> records.Record:
        """A record under the agreement's ids."""
        change = msgspec.structs.replace
        match record:
            case records.Batch():
                return change(
                    record,
                    batch=self.names.pseudonym("batch", batch),
                    product=self.batches[batch].id,
                    identifiers=self.names.identifiers(record.identifiers),
                )
            case records.Step():
                return change(
                    record,
                    batch=self.names.pseudonym("batch", batch),
                    equipment=tuple(
                        self.names.named("equipment", item) for item in record.equipment
                    ),
                    performers=tuple(self.names.pseudonym("person", p) for p in record.performers),
                )
            case records.Equipment():
                return change(
                    record,
                    equipment=self.names.pseudonym("equipment", record.equipment),
                    batch=self.names.pseudonym("batch", batch),
                )
            case records.Sample():
                return change(
                    record,
                    sample=self.names.pseudonym("sample", record.sample),
                    batch=self.names.pseudonym("batch", batch),
                )
            case records.Lot():
                return change(
                    record,
                    lot=self.names.pseudonym("lot", record.lot),
                    product=self.names.named("product", record.product),
                )
            case records.Product():
                return change(record, product=self.names.pseudonym("product", record.product))
            case records.Transformation():
                return self._renamed_transformation(record, batch)
            case _:
                return change(record, batch=self.names.pseudonym("batch", batch))

    def _renamed_transformation(
        self, record: records.Transformation, batch: str
    ) -> records.Transformation:
        return msgspec.structs.replace(
            record,
            transformation=self.names.pseudonym("transformation", record.transformation),
            batch=self.names.pseudonym("batch", batch),
            inputs=tuple(self._carried(item) for item in record.inputs),
            outputs=tuple(self._carried(item) for item in record.outputs),
        )

    def _carried(self, item: records.CarriedLot) -> records.CarriedLot:
        return msgspec.structs.replace(
            item,
            lot=self.names.named("lot", item.lot),
            product=self.names.named("product", item.product) if item.product is not None else None,
        )

    # ---- names

    def _bind(self, record: JournalResult) -> AgreedParameter | None:
        """The agreed parameter of a result, or None."""
        measured = Measured(
            record.term, record.equipment_class, record.position, record.qualifier, record.role
        )
        if measured not in self.bound:
            self.bound[measured] = bind(self.body, measured)
        return self.bound[measured]

    def _provenance(self, entry: JournalEntry) -> tuple[Provenance, ...]:
        return self.names.provenance(entry, self.shared_files)

    # ---- corrections and withdrawals

    def _withdraw(self, head: JournalHead, entry: JournalEntry) -> None:
        """Take back what was posted; what never was posted needs no withdrawal."""
        common = msgspec.json.decode(bytes(entry.data), type=records.Record)
        posted = self._last_posted(str(common.supersedes))
        current = next(
            (item for item in self.plan.post.heads.values() if item.entry_id == posted), None
        )
        correction = self.names.correction(common.correction)
        if current is None or current.is_withdrawn or correction is None:
            return
        content = self.sharing.read_own(current.index)
        self.plan.withdraw(current, content, correction, journal=head.entry_id)

    def _last_posted(self, entry_id: str) -> str | None:
        """What was last posted of a journal entry and the versions before it: some may never have been."""
        while entry_id not in self.sharing.posted:
            entry = self.sharing.journal.read_entry(entry_id)
            before = msgspec.json.decode(bytes(entry.data), type=records.Record).supersedes
            if not isinstance(before, str):
                return None
            entry_id = before
        return self.sharing.posted[entry_id]

    # ---- approvals with their signatures

    def _share_approvals(self) -> None:
        """Post each approval that names something posted here, and the signature it bears."""
        sent = {**self.sharing.posted, **self.plan.post.known}
        sent.update({item.journal: item.entry_id for item in self.plan.post.entries})
        signatures = self._signatures()
        for head in self.journal.of("approval"):
            if head.entry_id in self.sharing.posted:
                continue
            _, record = self.journal.read(head)
            if (
                isinstance(record, records.Approval)
                and record.to == "approved"
                and self.plan.is_transcribing
            ):
                self.plan.skipped["transcribed, so at most checked"] += 1
            elif isinstance(record, records.Approval):
                self._share_approval(head, record, sent, signatures.get(head.entry_id))

    def _signatures(self) -> dict[str, tuple[JournalHead, records.Signature]]:
        """The journal's signatures by the id of the entry they are about."""
        found = {}
        for head in self.journal.of("signature"):
            _, record = self.journal.read(head)
            if isinstance(record, records.Signature):
                found[record.about[0].entry] = (head, record)
        return found

    def _share_approval(
        self,
        head: JournalHead,
        record: records.Approval,
        sent: dict[str, str],
        signed: tuple[JournalHead, records.Signature] | None,
    ) -> None:
        targets = [sent[item.entry] for item in record.targets if item.entry in sent]
        for number, start in enumerate(range(0, len(targets), _TARGETS_MAX)):
            group = tuple(
                records.Target(entry=item) for item in targets[start : start + _TARGETS_MAX]
            )
            shared = records.Approval(
                version=1,
                approval=self.names.pseudonym("approval", f"{record.approval}/{number}"),
                from_=record.from_,
                to=record.to,
                targets=group,
                reason=record.reason,
            )
            journal = head.entry_id if number == 0 else ""
            if self.plan.add(shared, journal=journal) and signed is not None:
                self._share_signature(signed[1], number)

    def _share_signature(self, signature: records.Signature, number: int) -> None:
        approval = self.plan.post.entries[-1]
        about = records.About(
            entry=approval.entry_id,
            version=approval.version,
            leaf=leaf_hash(approval.content).hex(),
        )
        shared = msgspec.structs.replace(
            signature,
            signature=self.names.pseudonym("signature", f"{signature.signature}/{number}"),
            about=(about,),
            signer=self.names.pseudonym("person", signature.signer),
        )
        self.plan.add(shared)

    # ---- what is held back that rights would have shared

    def _share_held(self) -> None:
        """Say what is missing: a finding for each held-back result, its text only with the right (S45)."""
        if find_right(self.body, "finding", now=self.now) is None:
            return
        for item in self.sharing.journal.held(only_open=False):
            if item.type == "result" and item.template:
                self._share_held_result(item)

    def _share_held_result(self, item: HeldItem) -> None:
        template = msgspec.json.decode(item.template, type=JournalResult)
        batch = self._batch_of(template)
        parameter = self._bind(template)
        if batch is None or parameter is None:
            return
        finding_id = self.names.pseudonym("finding", item.id)
        is_open = item.state == "open"
        if not is_open and ("finding", (finding_id,)) not in self.plan.post.heads:
            return
        shows_text = self._right("result", batch, parameter) is not None
        found = msgspec.json.decode(item.finding, type=Finding)
        record = records.FindingRecord(
            version=1,
            finding=finding_id,
            rule=found.rule,
            rules_version=RULES_VERSION,
            as_of=self._as_of(finding_id),
            severity=found.severity,
            where=Place(type="result", key=(self.names.pseudonym("batch", batch), parameter.code)),
            found=found.found if shows_text else "",
            expected=found.expected,
            effect="held_back" if is_open else "none",
        )
        self.plan.add(record, correction=None if is_open else self._supplied())

    def _as_of(self, finding_id: str) -> str:
        """When the finding was first shared: it must not change from one sharing to the next."""
        head = self.plan.post.heads.get(("finding", (finding_id,)))
        if head is None or head.index < 0:
            return self.now
        entry = read_entry(self.sharing.read_own(head.index))
        return entry.record.as_of if isinstance(entry.record, records.FindingRecord) else self.now

    def _supplied(self) -> Correction:
        return Correction(
            kind="correct",
            reason_code="decided",
            reason="what was held back has been supplied or decided",
            by=self.sharing.party,
        )


def _narrowed(record: records.Equipment, other: records.Record) -> records.Equipment:
    """A window as two sources with one beginning state it: the bases of both, the earlier end."""
    if not isinstance(other, records.Equipment):
        return record
    ends = [item.to for item in (record, other) if item.to is not None]
    bases = (*record.window_basis, *(b for b in other.window_basis if b not in record.window_basis))
    return msgspec.structs.replace(
        record,
        window_basis=bases,
        to=min(ends, key=lambda item: in_time(item.instant)) if len(ends) > 1 else None,
    )


def _agreed_product(body: AgreementBody, codes: set[tuple[str, str]]) -> AgreedProduct | None:
    """The product of an agreement that bears one of these identifiers."""
    for product in body.product:
        if any((item.system, item.value) in codes for item in product.identifiers):
            return product
    return None


def _has_site(body: AgreementBody, site: str | None) -> bool:
    """Whether a batch of this site is the agreement's; a batch without site is of its only one."""
    return any(item.site == site for item in body.sites) or (site is None and len(body.sites) == 1)


def _tolerance_s(body: AgreementBody) -> int:
    """How far ends of a window may lie apart, in whole seconds; none is 0."""
    if body.window_tolerance is None:
        return 0
    span = parse_duration(body.window_tolerance)
    return (span.weeks * 7 + span.days) * 86_400 + span.seconds


def _limited(record: records.Record, right: Right) -> records.Record:
    """A record with the fields that a right opens; what is left out is named in `redacted`."""
    if "*" in right.fields:
        return record
    keep = visible_fields(right, record.__struct_fields__) | _ALWAYS | {"provenance"}
    required = {item.name for item in msgspec.structs.fields(record) if item.required}
    gone = [
        name
        for name in record.__struct_fields__
        if name not in keep | required and getattr(record, name) not in (None, ())
    ]
    if not gone:
        return record
    empty = {
        item.name: item.default for item in msgspec.structs.fields(record) if item.name in gone
    }
    paths = tuple(f"/{name.rstrip('_')}" for name in gone)
    provenance = tuple(
        item for item in record.provenance if item.path is None or not item.path.startswith(paths)
    )
    return msgspec.structs.replace(record, **empty, redacted=paths, provenance=provenance)
