"""What an agreement's rights open at one instant: parameters, records, fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from fedbatch.rules.rights import Measured, bind, find_right, status_reaches, visible_fields
from fedbatch.standard.agreements import AgreedParameter, AgreementBody, Right
from fedbatch.standard.journals import JournalParameter, JournalResult
from fedbatch.standard.records import Record
from fedbatch.standard.values import ValueStatus

__all__ = ["Rights", "limited"]

# Never left out of a record: its key, and what says which version it is.
_ALWAYS = frozenset(
    {"version", "supersedes", "correction", "value_status", "basis", "replaces", "redacted"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """The rights of an agreement at an instant; `numbers` are those of its batches, by own id."""

    body: AgreementBody
    now: str
    numbers: Mapping[str, tuple[str, ...]]
    # Thousands of results share a parameter: each is worked out once.
    _bound: dict[Measured, AgreedParameter | None] = field(default_factory=dict)

    def parameter(self, record: JournalResult | JournalParameter) -> AgreedParameter | None:
        """The agreed parameter that the journal's one is, or None."""
        measured = Measured(
            record.term, record.equipment_class, record.position, record.qualifier, record.role
        )
        if measured not in self._bound:
            self._bound[measured] = bind(self.body, measured)
        return self._bound[measured]

    def find(
        self, type_: str, batch: str = "", parameter: AgreedParameter | None = None
    ) -> Right | None:
        """The right that opens a record of a batch (own id, "" for none), or None."""
        return find_right(
            self.body,
            type_,
            code=parameter.code if parameter else "",
            role=parameter.role if parameter else "",
            batches=self.numbers.get(batch, ()),
            now=self.now,
        )

    def find_coded(
        self, type_: str, code: str, role: str = "", numbers: Sequence[str] = ()
    ) -> Right | None:
        """The right that opens a record of a code, of batches with these numbers, or None."""
        return find_right(self.body, type_, code=code, role=role, batches=numbers, now=self.now)

    def allows(self, status: ValueStatus | None, right: Right) -> bool:
        """Whether a value status is as high as a right, and the agreement, ask for."""
        return status_reaches(status, right.least_value_status) and status_reaches(
            status, self.body.status_policy.send_from
        )


def limited(record: Record, right: Right) -> Record:
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
