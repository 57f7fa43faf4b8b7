"""Entries on disk: the last few as rows, full bundles of 256 compressed.

A bundle is written in the transaction that fills it, so that no cut finds an entry in neither place
or in both. What is compressed together costs a tenth of what it costs row by row.
"""

from collections.abc import Iterator, Sequence
from itertools import count

import zstandard

from fedbatch.errors import IntegrityError
from fedbatch.ledger.frames import (
    BUNDLE_BYTES_MAX,
    BUNDLE_ENTRIES_MAX,
    Erased,
    decode_bundle,
    encode_bundle,
)
from fedbatch.ledger.tree import leaf_hash
from fedbatch.store.database import Database

__all__ = ["BUNDLE_TABLE", "Bundles", "Held"]

BUNDLE_TABLE = """
create table bundle (
    ledger text not null, number integer not null, content blob not null, row_hash blob not null,
    primary key (ledger, number)
) strict, without rowid;
"""
# Index, leaf hash, bytes (b"" once erased).
Held = tuple[int, bytes, bytes]


def _held(entry: bytes | Erased, index: int) -> Held:
    if isinstance(entry, Erased):
        return index, entry.leaf_hash, b""
    return index, leaf_hash(entry), entry


class Bundles:
    """The entries of the ledgers of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._packer = zstandard.ZstdCompressor()
        self._unpacker = zstandard.ZstdDecompressor()
        # The bundle read last, under the state of the database it was read in.
        self._kept: tuple[tuple[str, int, int], list[bytes | Erased]] | None = None

    # ---- writing, inside a transaction

    def write(
        self, ledger: str, start: int, contents: Sequence[bytes], leaves: Sequence[bytes]
    ) -> None:
        """Add entries at the end; bundles that this fills are compressed."""
        at = 0
        while at < len(contents):
            number, place = divmod(start + at, BUNDLE_ENTRIES_MAX)
            taken = min(BUNDLE_ENTRIES_MAX - place, len(contents) - at)
            part = slice(at, at + taken)
            if taken == BUNDLE_ENTRIES_MAX:
                self._insert(ledger, number, contents[part], leaves[part])
            else:
                self._write_rows(ledger, start + at, contents[part], leaves[part])
                if place + taken == BUNDLE_ENTRIES_MAX:
                    self._fold(ledger, number)
            at += taken

    def _write_rows(
        self, ledger: str, start: int, contents: Sequence[bytes], leaves: Sequence[bytes]
    ) -> None:
        self._database.execute_many(
            "insert into entry values (?, ?, ?, ?, 0)",
            [
                (ledger, index, leaf, content)
                for index, (leaf, content) in enumerate(zip(leaves, contents, strict=True), start)
            ],
        )

    def _insert(
        self, ledger: str, number: int, contents: Sequence[bytes], leaves: Sequence[bytes]
    ) -> None:
        entries: list[bytes | Erased] = [
            content or Erased(leaf) for content, leaf in zip(contents, leaves, strict=True)
        ]
        packed = self._packer.compress(encode_bundle(entries))
        self._database.insert("bundle", [(ledger, number, packed)], conflict="replace")
        self._kept = None

    def _fold(self, ledger: str, number: int) -> None:
        """Turn the rows of a full bundle into one."""
        first = number * BUNDLE_ENTRIES_MAX
        span = (ledger, first, first + BUNDLE_ENTRIES_MAX)
        rows = self._database.rows(
            "select leaf, content from entry where ledger = ? and idx >= ? and idx < ? order by idx",
            span,
        )
        self._insert(ledger, number, [row[1] for row in rows], [row[0] for row in rows])
        self._database.execute("delete from entry where ledger = ? and idx >= ? and idx < ?", span)

    def has_unfolded(self) -> bool:
        """Whether an older version left full bundles as rows."""
        sql = f"select 1 from entry group by ledger having count(*) >= {BUNDLE_ENTRIES_MAX}"  # noqa: S608 - a constant
        return self._database.row(sql) is not None

    def fold_all(self) -> None:
        """Compress what an older version left as rows."""
        for ledger, number in self._database.rows(
            f"select ledger, idx / {BUNDLE_ENTRIES_MAX} from entry group by 1, 2"  # noqa: S608 - a constant
            f" having count(*) = {BUNDLE_ENTRIES_MAX}"
        ):
            self._fold(ledger, number)

    def erase(self, ledger: str, indexes: Sequence[int]) -> None:
        """Destroy the bytes of entries; their leaf hashes stay."""
        rows = []
        bundled: dict[int, set[int]] = {}
        for index in indexes:
            number = index // BUNDLE_ENTRIES_MAX
            if number in bundled or self._has(ledger, number):
                bundled.setdefault(number, set()).add(index)
            else:
                rows.append((ledger, index))
        self._database.execute_many(
            "update entry set content = x'', erased = 1 where ledger = ? and idx = ?", rows
        )
        for number, gone in bundled.items():
            first = number * BUNDLE_ENTRIES_MAX
            held = list(map(_held, self._read(ledger, number), count(first)))
            contents = [b"" if index in gone else content for index, _, content in held]
            self._insert(ledger, number, contents, [leaf for _, leaf, _ in held])

    def _has(self, ledger: str, number: int) -> bool:
        sql = "select 1 from bundle where ledger = ? and number = ?"
        return self._database.row(sql, (ledger, number)) is not None

    # ---- reading

    def read(self, ledger: str, start: int, number: int) -> list[Held]:
        """Entries from an index on, at most so many, in order."""
        bundled = list(map(_held, self._bundled(ledger, start, number), count(start)))
        rest = number - len(bundled)
        return bundled + (self._rows(ledger, start + len(bundled), rest) if rest else [])

    def contents(self, ledger: str, start: int, number: int) -> list[bytes]:
        """As `read`, the bytes alone, and none behind one that is missing."""
        bundled = [
            b"" if isinstance(entry, Erased) else entry
            for entry in self._bundled(ledger, start, number)
        ]
        after, rest = start + len(bundled), number - len(bundled)
        rows = enumerate(self._rows(ledger, after, rest) if rest else [], after)
        return bundled + [content for index, (held, _, content) in rows if held == index]

    def _bundled(self, ledger: str, start: int, number: int) -> list[bytes | Erased]:
        """Of the entries from an index on those that lie in bundles."""
        found: list[bytes | Erased] = []
        while len(found) < number:
            index = start + len(found)
            held = self._read(ledger, index // BUNDLE_ENTRIES_MAX)
            if not held:
                break
            found += held[index % BUNDLE_ENTRIES_MAX :][: number - len(found)]
        return found

    def _rows(self, ledger: str, start: int, number: int) -> list[Held]:
        return [
            (index, leaf, content)
            for index, leaf, content in self._database.rows(
                "select idx, leaf, content from entry where ledger = ? and idx >= ?"
                " order by idx limit ?",
                (ledger, start, number),
            )
        ]

    def _read(self, ledger: str, number: int) -> list[bytes | Erased]:
        """A bundle's entries; none where there is no such bundle."""
        state = (ledger, number, self._database.data_version())
        if self._kept is not None and self._kept[0] == state:
            return self._kept[1]
        row = self._database.row(
            "select content from bundle where ledger = ? and number = ?", (ledger, number)
        )
        if row is None:
            return []
        held = self._unpack(number, bytes(row[0]))
        self._kept = (state, held)
        return held

    def _unpack(self, number: int, packed: bytes) -> list[bytes | Erased]:
        try:
            content = self._unpacker.decompress(packed, max_output_size=BUNDLE_BYTES_MAX)
        except zstandard.ZstdError as error:
            message = f"bundle {number} is damaged: {error}"
            raise IntegrityError(message, code="store.damaged") from error
        return decode_bundle(content, BUNDLE_ENTRIES_MAX)

    def scan(self, ledger: str) -> Iterator[tuple[int, bytes, bytes, bool]]:
        """Index, leaf, bytes and whether erased, of everything that lies here, for verification.

        A bundle that cannot be read yields nothing, so that the next index is found to be missing.
        """
        numbers = self._database.rows(
            "select number from bundle where ledger = ? order by number", (ledger,)
        )
        for (number,) in numbers:
            try:
                held = self._read(ledger, number)
            except IntegrityError:
                continue
            for index, leaf, content in map(_held, held, count(number * BUNDLE_ENTRIES_MAX)):
                yield index, leaf, content, not content
        start = -1
        while rows := self._database.rows(
            "select idx, leaf, content, erased from entry where ledger = ? and idx > ?"
            " order by idx limit 4096",
            (ledger, start),
        ):
            for index, leaf, content, erased in rows:
                yield index, leaf, content, bool(erased)
            start = rows[-1][0]
