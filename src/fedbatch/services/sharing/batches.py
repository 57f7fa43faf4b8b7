"""Which batches belong to an agreement, under which id and numbers, and which lots went into them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import msgspec

from fedbatch.services.numbering import PARTNER_SYSTEM, JournalBatches, journal_batches
from fedbatch.services.sharing.journal import Journal
from fedbatch.services.sharing.names import Names
from fedbatch.services.sharing.plan import Sharing
from fedbatch.standard import records
from fedbatch.standard.agreements import AgreedProduct, AgreementBody
from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.rulebook import finding
from fedbatch.standard.values import named_key

__all__ = ["Batches", "Carried", "note_missing_numbers", "place_batches", "read_carried"]

# What an own batch may say in one of its records alone.
_TOLD_ONCE = ("campaign", "size", "state", "start", "end", "site")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The batches of one agreement, each by the own id under which it is posted.

    `aliases` gives that id for every id of a batch that has several; `products` is what each batch of
    this agreement makes, `numbers` every number it has.
    """

    known: JournalBatches
    aliases: Mapping[str, str]
    products: Mapping[str, AgreedProduct] = field(default_factory=dict)
    numbers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def one(self, batch: str) -> str:
        """The id under which a batch is posted."""
        return self.aliases.get(batch, batch)

    def find(self, batch: str) -> str | None:
        """The id under which a batch of this agreement is posted; None for any other."""
        found = self.one(batch)
        return found if found in self.products else None

    def others(self, batch: str) -> list[str]:
        """The other ids with a record of their own that are posted under this one."""
        return [
            name
            for name in self.known.group(batch)
            if name != batch and name in self.known.records and self.one(name) == batch
        ]

    def merged(self, record: records.Batch) -> records.Batch:
        """A batch with what its other records say besides."""
        for name in self.others(record.batch):
            other = self.known.records[name]
            more = tuple(item for item in other.identifiers if item not in record.identifiers)
            blank = {
                field: getattr(other, field)
                for field in _TOLD_ONCE
                if getattr(record, field) is None
            }
            identifiers = (*record.identifiers, *more)
            record = msgspec.structs.replace(record, identifiers=identifiers, **blank)
        return record


def place_batches(
    sharing: Sharing, journal: Journal, names: Names
) -> tuple[Batches, list[Finding]]:
    """The batches whose product and site this agreement has, and no other has."""
    known = journal_batches(sharing.journal, journal.heads, sharing.ids)
    batches = Batches(known=known, aliases=_aliases(known, sharing, names))
    codes = _product_codes(journal)
    products: dict[str, AgreedProduct] = {}
    numbers: dict[str, tuple[str, ...]] = {}
    findings: list[Finding] = []
    for name, record in known.records.items():
        is_excluded = not sharing.excluded.isdisjoint(known.group(name))
        if is_excluded or batches.one(name) != name:
            continue
        merged = batches.merged(record)
        told = tuple(item.value for item in merged.identifiers)
        fitting = _fitting(sharing, merged, codes.get(named_key(merged.product), set()))
        here = [product for body, product in fitting if body.id == sharing.body.id]
        if here and len(fitting) == 1:
            products[name], numbers[name] = here[0], told
        elif here:
            findings.append(_two_agreements(told, len(fitting)))
    return replace(batches, products=products, numbers=numbers), findings


def _aliases(known: JournalBatches, sharing: Sharing, names: Names) -> dict[str, str]:
    """Under which of its ids a batch of several is posted: one posted before, else the first.

    What was posted under two ids before they were known to be one batch stays so; readers join.
    """
    aliases: dict[str, str] = {}
    for group in set(known.groups.values()):
        told = [name for name in group if name in known.records]
        posted = [
            name for name in told if ("batch", (names.pseudonym("batch", name),)) in sharing.heads
        ]
        first = (posted or told)[0]
        aliases.update({name: name if name in posted else first for name in group})
    return aliases


def _product_codes(journal: Journal) -> dict[str, set[tuple[str, str]]]:
    """The identifiers of every product of the journal, by its own id."""
    found: dict[str, set[tuple[str, str]]] = {}
    for head in journal.of("product"):
        _, record = journal.read(head)
        if isinstance(record, records.Product):
            found[record.product] = {(item.system, item.value) for item in record.identifiers}
    return found


def _fitting(
    sharing: Sharing, batch: records.Batch, codes: AbstractSet[tuple[str, str]]
) -> list[tuple[AgreementBody, AgreedProduct]]:
    """The agreements that have a batch's product, by its identifiers, and its site."""
    return [
        (body, product)
        for body in sharing.bodies
        if (product := _agreed_product(body, codes)) is not None and _has_site(body, batch.site)
    ]


def _agreed_product(
    body: AgreementBody, codes: AbstractSet[tuple[str, str]]
) -> AgreedProduct | None:
    """The product of an agreement that bears one of these identifiers."""
    for product in body.product:
        if any((item.system, item.value) in codes for item in product.identifiers):
            return product
    return None


def _has_site(body: AgreementBody, site: str | None) -> bool:
    """Whether a batch of this site is the agreement's; a batch without site is of its only one."""
    return any(item.site == site for item in body.sites) or (site is None and len(body.sites) == 1)


def _two_agreements(numbers: tuple[str, ...], count: int) -> Finding:
    return finding(
        "batch.two_agreements",
        Place(type="batch", key=numbers),
        found=f"{count} agreements with its product and site",
        expected="one agreement",
        effect="held_back",
    )


def note_missing_numbers(batches: Batches) -> list[Finding]:
    """Transcribed batches that bear no number of the maker's: it could not tell them its own."""
    bare = [
        name
        for name in batches.products
        if all(
            item.system != PARTNER_SYSTEM
            for item in batches.merged(batches.known.records[name]).identifiers
        )
    ]
    if not bare:
        return []
    first = batches.numbers[bare[0]]
    return [
        finding(
            "batch.no_maker_number",
            Place(type="batch", key=first),
            found=f"{' / '.join(first)}, one of {len(bare)}, as a number of your own",
            expected="the maker's batch number",
            advice="Map the maker's number as `batch.partner`, so that its own records meet it.",
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The lots and materials (own ids) that went into batches of this agreement, or came of them."""

    lots: AbstractSet[str]
    materials: AbstractSet[str]


def read_carried(journal: Journal, batches: Batches) -> Carried:
    """What the transformations of this agreement's batches name; all other lots stay."""
    lots: set[str] = set()
    materials: set[str] = set()
    for head in journal.of("transformation"):
        if head.is_withdrawn:
            continue
        _, record = journal.read(head)
        if not isinstance(record, records.Transformation) or record.batch is None:
            continue
        if batches.find(named_key(record.batch)) is not None:
            carried = (*record.inputs, *record.outputs)
            lots |= {named_key(item.lot) for item in carried}
            materials |= {named_key(item.product) for item in carried if item.product is not None}
    return Carried(lots=lots, materials=materials)
