"""What a sponsor has transcribed of a maker's reports, met by the maker's own records (STANDARD S36).

A transcribed record and the maker's own are of one thing where their batches bear one number, and code,
role, sample, attempt and replicate are the same. Samples are told by their numbers: those that a
sponsor transcribed are the maker's, and a batch's are compared among themselves alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fedbatch.services.numbering import PARTNER_SYSTEM
from fedbatch.services.replication import CopyStore, statements
from fedbatch.standard import keys, records
from fedbatch.standard.joining import join_batches
from fedbatch.standard.values import Identifier, Named, Reference, Time, named_key

__all__ = ["Transcribed", "read_transcribed"]

Name = tuple[str, tuple[str, ...]]


@dataclass(slots=True, kw_only=True)
class Transcribed:
    """The transcribed records of a partner's ledger that stand, by what they are about.

    `met` holds, by an own batch's id, the partner's ids of the same batch.
    """

    ledger: str
    party: str
    stated: dict[Name, records.Record] = field(default_factory=dict)
    met: dict[str, tuple[str, ...]] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)
    results: dict[tuple[str, ...], list[Name]] = field(default_factory=dict)

    def meet(self, own: Mapping[str, Iterable[Identifier]]) -> None:
        """Find which batches are the same: they share a number, and no party's numbers differ.

        Args:
            own: identifiers of this party's batches as they are posted, by id.
        """
        numbers = {
            f"own {name}": [(i.system, i.value) for i in items] for name, items in own.items()
        }
        for (type_, key), record in self.stated.items():
            if type_ == "batch":
                numbers[f"its {key[0]}"] = [self._identifier(item) for item in record.identifiers]
        groups: dict[str, list[str]] = {}
        for name, first in join_batches(numbers).items():
            groups.setdefault(first, [first]).append(name)
        for group in groups.values():
            theirs = tuple(name[4:] for name in group if name.startswith("its "))
            self.met.update({name[4:]: theirs for name in group if name.startswith("own ")})

    def _identifier(self, item: Identifier) -> tuple[str, str]:
        """A number that the sponsor knows as its maker's is this party's own."""
        if item.system == PARTNER_SYSTEM:
            return f"urn:fedbatch:party:{self.party}:batch", item.value
        return item.system, item.value

    def replaced(
        self, record: records.Record, batch: str, sample: str = ""
    ) -> tuple[Reference, ...]:
        """The transcribed records that an own one replaces.

        Args:
            record: as it is posted.
            batch: the own id of its batch.
            sample: the number of its sample, "" for none.
        """
        names = [
            name
            for theirs in self.met.get(batch, ())
            for name in self._named(record, theirs, sample)
        ]
        return tuple(
            Reference(ledger=self.ledger, type=type_, key=key) for type_, key in sorted(names)
        )

    def _named(self, record: records.Record, theirs: str, sample: str) -> list[Name]:
        match record:
            case records.Batch():
                return [("batch", (theirs,))]
            case records.Step():
                name = ("step", (theirs, record.element, record.instance))
                return [name] if name in self.stated else []
            case records.Sample():
                return [
                    ("sample", key)
                    for (type_, key), other in self.stated.items()
                    if type_ == "sample"
                    and _batch_of(other) == theirs
                    and self.samples.get(key[0]) == sample
                ]
            case records.Result():
                found = self.results.get(_about(record, theirs), [])
                return [name for name in found if self._is_same(record, name, sample)]
            case _:
                return []

    def _is_same(self, record: records.Result, name: Name, sample: str) -> bool:
        """Whether a transcribed result is of the same sample, time and step, as far as both say."""
        other = self.stated[name]
        if not isinstance(other, records.Result):
            return False
        theirs = self.samples.get(named_key(other.sample), "") if other.sample is not None else ""
        return (
            sample == theirs
            and _agree(_instant(record.observed_at), _instant(other.observed_at))
            and _agree(_element(record.step), _element(other.step))
        )


def read_transcribed(store: CopyStore, party: str) -> Transcribed | None:
    """What the partner has transcribed under an agreement; None where that is nothing.

    Args:
        store: of the agreement.
        party: this party.
    """
    copies = [row for row in store.ledgers() if not row.is_own]
    # Whoever transcribes anything states its batch: without one there is nothing to read.
    if not copies or not store.heads(copies[0].ledger, ("batch",)):
        return None
    found = Transcribed(ledger=copies[0].ledger, party=party)
    by_entry: dict[str, Name] = {}
    for _, statement in statements(store, copies[0].ledger):
        if statement.withdrawal is not None:
            name = by_entry.get(str(statement.withdrawal.supersedes))
            if name is not None:
                found.stated.pop(name, None)
        record = statement.record
        if record is None or record.basis != "transcribed":
            continue
        source = statement.heading.source.removeprefix("urn:fedbatch:source:")
        in_key = source if isinstance(record, records.Result) else ""
        name = statement.heading.record_name, keys.key_of(record, source=in_key)
        found.stated[name] = record
        by_entry[statement.heading.id] = name
    _sort(found)
    return found if found.stated else None


def _sort(found: Transcribed) -> None:
    for name, record in found.stated.items():
        if isinstance(record, records.Sample) and record.identifiers:
            found.samples[record.sample] = record.identifiers[0].value
        elif isinstance(record, records.Result):
            batch = _batch_of(record)
            found.results.setdefault(_about(record, batch), []).append(name)


def _batch_of(record: records.Record) -> str:
    batch: Named | None = getattr(record, "batch", None)
    return named_key(batch) if batch is not None else ""


def _about(record: records.Result, batch: str) -> tuple[str, ...]:
    counts = (str(record.attempt), str(record.replicate))
    return (batch, record.code, record.role, record.form, *counts)


def _instant(time: Time | None) -> str:
    return time.instant if time is not None else ""


def _element(step: Named | None) -> str:
    """The element of a step, which bears the same name for both; its batch has two ids."""
    return step.key[1] if isinstance(step, Reference) and len(step.key) > 1 else ""


def _agree(one: str, other: str) -> bool:
    return not one or not other or one == other
