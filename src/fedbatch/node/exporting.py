"""Exports: results, batches and findings as CSV, xlsx or Parquet; a ledger as a folder of tiles."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import parquet

from fedbatch.errors import InputError
from fedbatch.ledger.export import export_folder
from fedbatch.ledger.frames import Erased
from fedbatch.ledger.note import COSIGNING, SIGNING, VerifierKey, render_vkey
from fedbatch.ledger.proof import Proof, render_proof
from fedbatch.ledger.tree import inclusion_proof
from fedbatch.node.home import Home
from fedbatch.node.series import series_table
from fedbatch.ports import CheckpointRow, KnownAgreement, LedgerRow
from fedbatch.services.agreements import Keys
from fedbatch.services.key_turns import cosign_turns, ledger_turns
from fedbatch.store.ledgers import Ledgers
from fedbatch.store.objects import write_durably

__all__ = [
    "export_ledger",
    "export_proof",
    "export_series",
    "export_table",
    "safe_cell",
    "shown_text",
]

# What a spreadsheet would run as a formula, if it stood first in a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Rows = Sequence[dict[str, Any]]


def export_table(rows: Rows, path: Path, title: str) -> None:
    """Write rows by the suffix of a file: csv, xlsx or parquet.

    Raises:
        InputError: another suffix.
    """
    writers: dict[str, Callable[[Rows, str], bytes]] = {
        ".csv": _csv,
        ".xlsx": _xlsx,
        ".parquet": _parquet,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(
            "a file that ends in .csv, .xlsx or .parquet", where="--out", found=str(path)
        )
    write_durably(path, writer(rows, title))


def export_series(
    home: Home,
    batch: str,
    path: Path,
    *,
    codes: Sequence[str] = (),
    agreement: str | None = None,
) -> int:
    """Write a batch's series; how many rows that was. Parquet keeps decimals and units.

    Raises:
        InputError: as `series_table`.
    """
    table = series_table(home, batch, codes=codes, agreement=agreement)
    if path.suffix.lower() == ".parquet":
        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd", store_decimal_as_integer=True)
        write_durably(path, sink.getvalue().to_pybytes())
    else:
        rows = [
            {name: _plain_cell(value) for name, value in row.items()} for row in table.to_pylist()
        ]
        export_table(rows, path, "series")
    return int(table.num_rows)


def _plain_cell(value: object) -> object:
    """A value of a series as a cell: instants as the standard writes them, decimals as they are."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, Decimal) else value


def safe_cell(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, list | tuple):
        value = " / ".join(map(str, value))
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    return value if _is_number(value) else f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names(rows: Rows) -> list[str]:
    return list(rows[0]) if rows else []


def _csv(rows: Rows, title: str) -> bytes:
    del title
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    names = _names(rows)
    writer.writerow(names)
    writer.writerows([[safe_cell(row[name]) for name in names] for row in rows])
    return out.getvalue().encode("utf-8-sig")


def _xlsx(rows: Rows, title: str) -> bytes:
    from openpyxl import Workbook  # noqa: PLC0415 - slow to load, and only for this format

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    names = _names(rows)
    sheet.append(names)
    for row in rows:
        sheet.append([_cell(name, row[name]) for name in names])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(name: str, value: Any) -> Any:
    """A number as a number where the column is one, beside its verbatim text in `raw`."""
    if name == "number" and isinstance(value, str) and value:
        return float(value)
    safe = safe_cell(value)
    return shown_text(safe) if isinstance(safe, str) else safe


def shown_text(text: str) -> str:
    """A text as XML can hold it: control characters show as escapes."""
    if text.isprintable():
        return text
    return "".join(
        item if item.isprintable() or item in "\t\n" else item.encode("unicode_escape").decode()
        for item in text
    )


def _parquet(rows: Rows, title: str) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - slow to load, and only for this format
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    del title
    table = pa.table({name: [row[name] for row in rows] for name in _names(rows)})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


# ---- ledgers and proofs for third parties


def _cosigned(store: Ledgers, row: LedgerRow) -> CheckpointRow:
    """The newest checkpoint that both signed; without a partner's, the newest of all."""
    checkpoints = store.checkpoints(row.ledger)
    both = [item for item in checkpoints if item.cosignature]
    if not checkpoints:
        raise InputError("a ledger with entries", found="an empty one", code="export.empty")
    return (both or checkpoints)[-1]


def _policy(home: Home, known: KnownAgreement, row: LedgerRow, size: int) -> bytes:
    """The pins a verifier needs at a size: the ledger's key, and the key of who cosigns it."""
    store = home.ledgers(known.agreement)
    kept = store.setting("partner_keys" if row.is_own else "own_keys")
    writer = ledger_turns(store, row).at(size)
    lines = [f"log {render_vkey(VerifierKey(row.origin, SIGNING, writer))}"]
    if kept is not None:
        keys = msgspec.json.decode(kept, type=Keys)
        key = VerifierKey(keys.cosigner, COSIGNING, cosign_turns(store, row).at(size))
        lines += [f"witness partner {render_vkey(key)}", "quorum partner"]
    else:
        lines.append("quorum none")
    return ("\n".join(lines) + "\n").encode()


def _row(store: Ledgers, *, sent: bool) -> LedgerRow:
    for row in store.ledgers():
        if row.is_own == sent:
            return row
    raise InputError("a ledger of that direction", found="none yet", code="export.ledger")


def export_ledger(home: Home, known: KnownAgreement, folder: Path, *, sent: bool) -> int:
    """Write a ledger as a C2SP tile folder with its policy; how many entries it holds.

    The policy's keys are those pinned here: hand them to a third party by a way that it trusts.
    """
    store = home.ledgers(known.agreement)
    row = _row(store, sent=sent)
    head = _cosigned(store, row)
    rows = store.entries(row.ledger, 0, head.size)
    entries: list[bytes | Erased] = [content or Erased(leaf) for _, leaf, content in rows]
    note = head.note + head.cosignature
    files = export_folder(entries, [leaf for _, leaf, _ in rows], note)
    for name, content in files.items():
        write_durably(folder / name, content)
    write_durably(folder / "policy", _policy(home, known, row, head.size))
    return head.size


def export_proof(home: Home, entry_id: str, folder: Path) -> list[Path]:
    """Write one record with its proof and policy: entry, `.tlog-proof`, policy.

    Raises:
        InputError: no such entry here, or not covered by a checkpoint yet.
    """
    found = [
        (known, row, full)
        for known in home.node.agreements()
        for row in home.ledgers(known.agreement).ledgers()
        for full in home.ledgers(known.agreement).find_entry_ids(row.ledger, entry_id)
    ]
    if len(found) != 1:
        raise InputError(
            "the id of one entry that is here, or how it begins",
            found=f"{entry_id}: {'several' if found else 'none'}",
            code="entry.unknown",
        )
    known, row, full = found[0]
    index = home.ledgers(known.agreement).find_index(row.ledger, full)
    return _write_proof(home, known, row, index or 0, folder)


def _write_proof(
    home: Home, known: KnownAgreement, row: LedgerRow, index: int, folder: Path
) -> list[Path]:
    store = home.ledgers(known.agreement)
    head = _cosigned(store, row)
    if index >= head.size:
        raise InputError(
            "an entry that the partner has countersigned", found=f"entry {index} of {head.size}"
        )
    ((_, _, content),) = store.entries(row.ledger, index, 1)
    proof = Proof(
        index=index,
        hashes=tuple(inclusion_proof(store.leaves(row.ledger, head.size), index)),
        note=head.note + head.cosignature,
    )
    written = {
        "entry.json": content,
        "entry.tlog-proof": render_proof(proof),
        "policy": _policy(home, known, row, head.size),
    }
    for name, piece in written.items():
        write_durably(folder / name, piece)
    return [folder / name for name in written]
