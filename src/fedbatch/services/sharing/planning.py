"""The order of a run of sharing, and what it does with each kind of record."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeVar

import msgspec

from fedbatch.ledger.tree import leaf_hash
from fedbatch.ports import (
    HeldItem,
    JournalHead,
    LedgerHead,
    NewLedgerEntry,
)
from fedbatch.rules.rights import status_reaches
from fedbatch.series.instants import micros
from fedbatch.services.posting import Post
from fedbatch.services.series_intake import sealed_of
from fedbatch.services.series_sharing import SeriesSharing, Stretch, overlaps
from fedbatch.services.sharing.batches import batches_without_number
from fedbatch.services.sharing.plan import SharePlan, Sharing, WholeFile
from fedbatch.services.sharing.rights import limited
from fedbatch.services.sharing.scope import find_scope
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedParameter
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
        self.scope, findings = find_scope(sharing)
        post = Post(
            place=sharing.place, ids=sharing.ids, clock=sharing.clock, heads=dict(sharing.heads)
        )
        self.plan = SharePlan(post=post, findings=findings)

    def run(self) -> SharePlan:
        self._post_party()
        self._post_specifications()
        is_sponsor = self.sharing.role == "sponsor"
        if is_sponsor:
            # What a sponsor has of the makers' it took from their reports (STANDARD S36).
            self.plan.post.basis = "transcribed"
            self.plan.findings += batches_without_number(self.scope.batches)
        if self.scope.batches.products or not is_sponsor:
            self._post_product()
        if not is_sponsor:
            # Source files cross to the sponsor alone: a maker has its own reports.
            self.scope = replace(self.scope, files=self._share_files())
        for name in _ORDER:
            for head in self.scope.journal.of(name):
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
        now = self.sharing.clock.now()
        post = Post(
            place=self.sharing.place, ids=self.sharing.ids, clock=self.sharing.clock, heads=series
        )
        self.plan = SharePlan(
            post=post,
            findings=self.plan.findings,
            points_to=points_from,
            points_waiting=points_from,
        )
        if not self._why_no_series() and not self.plan.is_transcribing:
            self.scope = self.scope.at(now)
            self._share_points(self._series_work(), points_from)
            self._count_entries(post.entries)
        return self.plan

    # ---- source files

    def _share_files(self) -> frozenset[str]:
        """Post the files that concern this agreement's batches alone; their SHA-256 (STANDARD S18).

        A file that no longer does is taken back and destroyed at the partner.
        """
        allowed: set[str] = set()
        for file in self.sharing.files:
            batches = {self.scope.batches.one(name) for name in file.batches}
            numbers = tuple(n for name in batches for n in self.scope.batches.numbers.get(name, ()))
            right = self.scope.rights.find_coded("attachment", SOURCE_FILE, numbers=numbers)
            if right is None or not batches or not batches <= self.scope.batches.products.keys():
                self.plan.skipped["a file that concerns others too, or no right to it"] += 1
                continue
            allowed.add(file.sha256)
            self._share_file(
                file, sorted(self.scope.names.pseudonym("batch", name) for name in batches)
            )
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
        if self.scope.rights.find("product") is None:
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
        if type_ == "batch" and self.scope.batches.one(head.key[0]) != head.key[0]:
            self.plan.skipped["part of the batch's other record"] += 1
            return
        if type_ == "equipment" and self._is_second(head):
            self.plan.skipped["part of the window's other record"] += 1
            return
        posted = self.sharing.posted.get(head.entry_id)
        if posted is not None and not self._is_looked_at_again(head, posted):
            return
        entry, record = (
            self.scope.journal.read(head)
            if not head.is_withdrawn
            else self.scope.journal.read_last(head)
        )
        batch = self.scope.batch_of(record)
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
        name = (head.type, (self.scope.names.pseudonym(head.type, head.key[0]),))
        stands = self.sharing.heads.get(name)
        return stands is not None and stands.is_withdrawn

    def _is_joined(self, head: JournalHead) -> bool:
        """Whether what is posted of a record rests on other records too."""
        if head.type == "batch":
            return bool(self.scope.batches.others(head.key[0]))
        return head.type == "equipment" and len(self.scope.same_window(head)) > 1

    def _is_second(self, head: JournalHead) -> bool:
        same = self.scope.same_window(head)
        return head in same and head != same[0]

    def _why_not(self, record: records.Record) -> str:
        if isinstance(record, JournalResult) and record.batch is None:
            return "no agreed equipment window"
        return "not a batch of this agreement"

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
        current = self.scope.own.get(posted)
        if current is None:
            return True
        names, own = self.scope.names, self.scope.batches.products
        batch = self.scope.windows.batch_at(piece[1:], instant)
        if batch in own and names.pseudonym("batch", str(batch)) == current.key[0]:
            return False
        is_others = batch is not None and batch not in own
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
        parameter = self.scope.rights.parameter(record)
        if parameter is None:
            self.plan.skipped["not an agreed parameter"] += 1
            return
        right = self.scope.rights.find("result", batch, parameter)
        if right is None or not self.scope.rights.allows(
            self.sharing.status.get(head.entry_id), right
        ):
            self.plan.skipped["no right to it"] += 1
            return
        source = self.scope.names.pseudonym("source", entry.source)
        if head.is_withdrawn:
            self._withdraw(head, entry)
            return
        value = self._agreed_value(record.value, parameter, batch)
        if value is None:
            return
        shared = self._result(record, parameter, batch, value, entry)
        shared = self._replacing(shared, batch, record.sample)
        self.plan.add(
            limited(shared, right),
            journal=head.entry_id,
            source=source,
            correction=self.scope.names.correction(record.correction),
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
            self.scope.journal.heads.get(("sample", (named_key(sample),)))
            if sample is not None
            else None
        )
        if head is None or head.is_withdrawn:
            return ""
        _, record = self.scope.journal.read(head)
        return record.identifiers[0].value if record.identifiers else ""

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
                    Place(
                        type="result",
                        key=(*self.scope.batches.numbers.get(batch, ()), parameter.code),
                    ),
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
            batch=self.scope.names.pseudonym("batch", batch),
            sample=self.scope.names.name("sample", record.sample),
            step=self.scope.names.step(record.step, batch),
            attempt_kind=record.attempt_kind,
            combined=record.combined,
            analysed=record.analysed,
            method=record.method,
            analyst=self.scope.names.name("person", record.analyst),
            instrument=record.instrument,
            observed_at=record.observed_at,
            recorded_at=record.recorded_at,
            provenance=self.scope.provenance(entry),
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
        settled = micros(self.scope.rights.now) - _WAITS_US
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
            pseudonym=self.scope.names.pseudonym,
            correction=self.scope.names.correction,
            live_range=sharing.live_range,
            provenance=self.scope.provenance,
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
            if self.scope.rights.find_coded("result", record.code, record.role):
                self.plan.add(record, source=self.scope.names.pseudonym("source", "derived"))

    def _stretches(self, series: JournalSeries) -> list[Stretch]:
        """The batches of this agreement that a series tells of, and from when to when."""
        if series.batch is not None:
            batch = self.scope.batches.one(series.batch)
            return [Stretch(batch=batch)] if batch in self.scope.batches.products else []
        windows = self.scope.windows.of(series.equipment or "")
        return [
            Stretch(
                batch=item.batch,
                from_=micros(item.start),
                to=micros(item.end),
                is_open=item.is_open,
            )
            for item in windows
            if item.batch in self.scope.batches.products
        ]

    def _agreed(self, parameter: JournalParameter, batch: str) -> AgreedParameter | None:
        """The agreed parameter of a series' one, if there is a right to it."""
        agreed = self.scope.rights.parameter(parameter)
        if agreed is None or self.scope.rights.find("series", batch, agreed) is None:
            return None
        return agreed

    # ---- the other types

    def _share_other(
        self, type_: str, head: JournalHead, entry: JournalEntry, record: records.Record, batch: str
    ) -> None:
        right = self.scope.rights.find(type_, batch)
        if right is None:
            self.plan.skipped["no right to it"] += 1
            return
        if head.is_withdrawn:
            self._withdraw(head, entry)
            return
        provenance = self.scope.provenance(entry)
        if isinstance(record, records.Batch):
            record = self.scope.batches.merged(record)
            for name in self.scope.batches.others(record.batch):
                told, _ = self.scope.journal.read(self.scope.batches.known.heads[name])
                provenance += self.scope.provenance(told)
        if isinstance(record, records.Equipment):
            for other in self.scope.same_window(head)[1:]:
                more, said = self.scope.journal.read(other)
                record = _narrowed(record, said)
                provenance += self.scope.provenance(more)
        shared = self._renamed(record, batch)
        shared = msgspec.structs.replace(
            shared, provenance=provenance, version=1, supersedes=None, correction=None
        )
        sample = record.sample if isinstance(record, records.Sample) else None
        shared = self._replacing(shared, batch, sample)
        self.plan.add(
            limited(shared, right),
            journal=head.entry_id,
            correction=self.scope.names.correction(record.correction),
        )

    def _renamed(self, record: records.Record, batch: str) -> records.Record:
        """A record under the agreement's ids."""
        change = msgspec.structs.replace
        match record:
            case records.Batch():
                return change(
                    record,
                    batch=self.scope.names.pseudonym("batch", batch),
                    product=self.scope.batches.products[batch].id,
                    identifiers=self.scope.names.identifiers(record.identifiers),
                )
            case records.Step():
                return change(
                    record,
                    batch=self.scope.names.pseudonym("batch", batch),
                    equipment=tuple(
                        self.scope.names.named("equipment", item) for item in record.equipment
                    ),
                    performers=tuple(
                        self.scope.names.pseudonym("person", p) for p in record.performers
                    ),
                )
            case records.Equipment():
                return change(
                    record,
                    equipment=self.scope.names.pseudonym("equipment", record.equipment),
                    batch=self.scope.names.pseudonym("batch", batch),
                )
            case records.Sample():
                return change(
                    record,
                    sample=self.scope.names.pseudonym("sample", record.sample),
                    batch=self.scope.names.pseudonym("batch", batch),
                )
            case records.Lot():
                return change(
                    record,
                    lot=self.scope.names.pseudonym("lot", record.lot),
                    product=self.scope.names.named("product", record.product),
                )
            case records.Product():
                return change(record, product=self.scope.names.pseudonym("product", record.product))
            case records.Transformation():
                return self._renamed_transformation(record, batch)
            case _:
                return change(record, batch=self.scope.names.pseudonym("batch", batch))

    def _renamed_transformation(
        self, record: records.Transformation, batch: str
    ) -> records.Transformation:
        return msgspec.structs.replace(
            record,
            transformation=self.scope.names.pseudonym("transformation", record.transformation),
            batch=self.scope.names.pseudonym("batch", batch),
            inputs=tuple(self._carried(item) for item in record.inputs),
            outputs=tuple(self._carried(item) for item in record.outputs),
        )

    def _carried(self, item: records.CarriedLot) -> records.CarriedLot:
        return msgspec.structs.replace(
            item,
            lot=self.scope.names.named("lot", item.lot),
            product=self.scope.names.named("product", item.product)
            if item.product is not None
            else None,
        )

    # ---- corrections and withdrawals

    def _withdraw(self, head: JournalHead, entry: JournalEntry) -> None:
        """Take back what was posted; what never was posted needs no withdrawal."""
        common = msgspec.json.decode(bytes(entry.data), type=records.Record)
        posted = self._last_posted(str(common.supersedes))
        current = next(
            (item for item in self.plan.post.heads.values() if item.entry_id == posted), None
        )
        correction = self.scope.names.correction(common.correction)
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
        for head in self.scope.journal.of("approval"):
            if head.entry_id in self.sharing.posted:
                continue
            _, record = self.scope.journal.read(head)
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
        for head in self.scope.journal.of("signature"):
            _, record = self.scope.journal.read(head)
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
                approval=self.scope.names.pseudonym("approval", f"{record.approval}/{number}"),
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
            signature=self.scope.names.pseudonym("signature", f"{signature.signature}/{number}"),
            about=(about,),
            signer=self.scope.names.pseudonym("person", signature.signer),
        )
        self.plan.add(shared)

    # ---- what is held back that rights would have shared

    def _share_held(self) -> None:
        """Say what is missing: a finding for each held-back result, its text only with the right (S45)."""
        if self.scope.rights.find("finding") is None:
            return
        for item in self.sharing.journal.held(only_open=False):
            if item.type == "result" and item.template:
                self._share_held_result(item)

    def _share_held_result(self, item: HeldItem) -> None:
        template = msgspec.json.decode(item.template, type=JournalResult)
        batch = self.scope.batch_of(template)
        parameter = self.scope.rights.parameter(template)
        if batch is None or parameter is None:
            return
        finding_id = self.scope.names.pseudonym("finding", item.id)
        is_open = item.state == "open"
        if not is_open and ("finding", (finding_id,)) not in self.plan.post.heads:
            return
        shows_text = self.scope.rights.find("result", batch, parameter) is not None
        found = msgspec.json.decode(item.finding, type=Finding)
        record = records.FindingRecord(
            version=1,
            finding=finding_id,
            rule=found.rule,
            rules_version=RULES_VERSION,
            as_of=self._as_of(finding_id),
            severity=found.severity,
            where=Place(
                type="result", key=(self.scope.names.pseudonym("batch", batch), parameter.code)
            ),
            found=found.found if shows_text else "",
            expected=found.expected,
            effect="held_back" if is_open else "none",
        )
        self.plan.add(record, correction=None if is_open else self._supplied())

    def _as_of(self, finding_id: str) -> str:
        """When the finding was first shared: it must not change from one sharing to the next."""
        head, now = self.plan.post.heads.get(("finding", (finding_id,))), self.scope.rights.now
        if head is None or head.index < 0:
            return now
        entry = read_entry(self.sharing.read_own(head.index))
        return entry.record.as_of if isinstance(entry.record, records.FindingRecord) else now

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
