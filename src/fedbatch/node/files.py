"""Source files of this home that may be shared: read whole, every row of a known batch."""

from fedbatch.node.home import Home
from fedbatch.node.importing import layout_of, load_mappings
from fedbatch.ports import ImportRow
from fedbatch.services.sharing import SOURCE_FILE, WholeFile
from fedbatch.sources.tabular import is_whole
from fedbatch.standard.agreements import AgreementBody, Right

__all__ = ["batches_of", "grants_files", "whole_files"]


def grants_files(body: AgreementBody) -> bool:
    """Whether an agreement lets source files cross; reading them again costs, so it is asked first."""
    return any(_grants(right) for right in body.rights)


def _grants(right: Right) -> bool:
    return right.record_type == "attachment" and not {"*", SOURCE_FILE}.isdisjoint(right.codes)


def whole_files(home: Home) -> list[WholeFile]:
    """Files taken in of which nothing but rows of named batches can be seen.

    A workbook can hide sheets, rows and columns; a text with lines beside its table says what nobody
    mapped. Neither is ever shared.
    """
    imports: dict[str, list[ImportRow]] = {}
    for row in home.journal.imports():
        if not row.sha256:
            # A file that grows is not kept.
            continue
        imports.setdefault(row.sha256, []).append(row)
    layouts = {item.source: layout_of(item.layout) for item in load_mappings(home)}
    found = []
    for sha256, rows in imports.items():
        batches = {name for row in rows for name in batches_of(home, row)}
        layout = layouts.get(rows[-1].mapping)
        if "" in batches or layout is None:
            continue
        path = home.journal_objects.place_of(sha256)
        if is_whole(path, layout):
            found.append(
                WholeFile(
                    sha256=sha256,
                    size_bytes=path.stat().st_size,
                    name=rows[-1].file,
                    media_type="text/csv",
                    batches=frozenset(batches),
                )
            )
    return found


def batches_of(home: Home, row: ImportRow) -> set[str]:
    """The own ids of the batches that a file's rows name; "" for a row that names none."""
    found = set()
    for key in row.row_keys:
        number, _, partner = key.partition("|")
        if number.strip():
            found.add(home.ids.own("batch", number.strip()))
        else:
            found.add(home.ids.own("batch.partner", partner.strip()) if partner.strip() else "")
    return found
