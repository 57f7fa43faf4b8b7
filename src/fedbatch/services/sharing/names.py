"""What the journal names, under one agreement's names: pseudonyms, numbers, and whence a value came."""

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import msgspec

from fedbatch.ports import Ids
from fedbatch.services.numbering import PARTNER_SYSTEM
from fedbatch.standard.journals import JournalEntry, Origin
from fedbatch.standard.values import (
    Correction,
    Identifier,
    Locator,
    Named,
    Provenance,
    Reference,
    named_key,
)

__all__ = ["Names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names under one agreement; `partner` is "" while the agreement only names it by a word."""

    ids: Ids
    agreement: str
    partner: str
    # Thousands of results share a batch and a mapping: each pseudonym is worked out once.
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def pseudonym(self, kind: str, own: str) -> str:
        """The agreement's id of an own id."""
        found = self._known.get((kind, own))
        if found is None:
            found = self.ids.shared(self.agreement, kind, own)
            self._known[kind, own] = found
        return found

    def named(self, kind: str, reference: Named) -> str:
        """The agreement's id of what a reference names."""
        return self.pseudonym(kind, named_key(reference))

    def name(self, kind: str, reference: Named | None) -> str | None:
        """The agreement's id of what a reference names, if there is one."""
        return self.named(kind, reference) if reference is not None else None

    def step(self, step: Named | None, batch: str) -> Reference | None:
        """A step of a batch (own id); elements bear the same name for both parties."""
        if step is None:
            return None
        return Reference(type="step", key=(self.pseudonym("batch", batch), named_key(step), "1"))

    def identifiers(self, items: Sequence[Identifier]) -> tuple[Identifier, ...]:
        """Numbers as both parties tell them: what is the partner's here is that party's."""
        # While the partner is only named, its numbers are the partner's and nobody's by id.
        partner = f"urn:fedbatch:party:{self.partner}:batch" if self.partner else PARTNER_SYSTEM
        return tuple(
            Identifier(system=partner, value=item.value) if item.system == PARTNER_SYSTEM else item
            for item in items
        )

    def correction(self, own: Correction | None) -> Correction | None:
        """A correction by the pseudonym of its person."""
        if own is None:
            return None
        return msgspec.structs.replace(own, by=self.pseudonym("person", own.by))

    def provenance(self, entry: JournalEntry, files: AbstractSet[str]) -> tuple[Provenance, ...]:
        """Whence an entry's values came.

        Args:
            entry: of the journal.
            files: SHA-256 of the source files that cross: their places are told, of others a
                commitment alone.
        """
        mapping = self.pseudonym("mapping", entry.source) if entry.source else ""
        return tuple(self._committed(entry.id, origin, mapping, files) for origin in entry.origins)

    def _committed(
        self, entry_id: str, origin: Origin, mapping: str, files: AbstractSet[str]
    ) -> Provenance:
        text = f"{entry_id}|{origin.path or ''}"
        salt = self.ids.provenance_salt(self.agreement, text)
        place = f"{origin.artefact} {origin.scheme} {origin.locator}".encode()
        is_shared = origin.artefact in files
        return Provenance(
            artefact=origin.artefact if is_shared else None,
            locator=Locator(scheme=origin.scheme, value=origin.locator) if is_shared else None,
            commitment=hashlib.sha256(salt + place).hexdigest(),
            extractor=origin.extractor,
            mapping=mapping,
            path=origin.path,
        )
