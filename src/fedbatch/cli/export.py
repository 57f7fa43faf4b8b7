"""export: tables for people and programs, findings to send back, ledgers and proofs for third parties."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fedbatch.cli.output import HomeOption, Json, check_out, guarded, say, show_json

__all__ = ["add_to"]

_group = typer.Typer(
    no_args_is_help=True, help="Write what is known: CSV, xlsx, Parquet, tiles, proofs."
)
Out = Annotated[Path, typer.Option(help="A file that ends in .csv, .xlsx or .parquet.")]
Agreement = Annotated[str | None, typer.Option(help="Only this agreement.")]


@_group.command("results")
@guarded
def results(
    out: Out,
    batch: Annotated[str | None, typer.Option(help="Only this batch, by either's number.")] = None,
    code: Annotated[list[str] | None, typer.Option(help="Only this parameter.")] = None,
    agreement: Agreement = None,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Results with number, comparator, unit, original text, value status and entry.

    JSON: {out, results}
    """
    from fedbatch.node.exporting import export_table
    from fedbatch.node.home import Home
    from fedbatch.node.reading import read_results
    from fedbatch.node.settings import find_home

    check_out(out)
    with Home(find_home(home)) as here:
        rows = read_results(here, batch=batch, codes=tuple(code or ()), agreement=agreement)
    export_table([msgspec.structs.asdict(row) for row in rows], out, "results")
    _done(out, len(rows), "results", as_json=as_json)


@_group.command("batches")
@guarded
def batches(
    out: Out, agreement: Agreement = None, home: HomeOption = None, as_json: Json = False
) -> None:
    """Batches with both parties' numbers.

    JSON: {out, batches}
    """
    from fedbatch.node.exporting import export_table
    from fedbatch.node.home import Home
    from fedbatch.node.overview import read_batches
    from fedbatch.node.settings import find_home

    check_out(out)
    with Home(find_home(home)) as here:
        rows = read_batches(here, agreement)
    export_table([msgspec.structs.asdict(row) for row in rows], out, "batches")
    _done(out, len(rows), "batches", as_json=as_json)


@_group.command("findings")
@guarded
def findings(
    out: Out, agreement: Agreement = None, home: HomeOption = None, as_json: Json = False
) -> None:
    """Findings as a file to send back: rule, batch, place, found, expected.

    JSON: {out, findings}
    """
    from fedbatch.node.exporting import export_table
    from fedbatch.node.findings import read_findings
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    check_out(out)
    with Home(find_home(home)) as here:
        rows = [
            {
                "agreement": row.agreement,
                "rule": row.finding.rule,
                "severity": row.finding.severity,
                "batch": row.batch,
                "parameter": row.parameter,
                "where": row.finding.where.render(),
                "found": row.finding.found,
                "expected": row.finding.expected,
                "effect": row.finding.effect,
                "basis": row.basis,
            }
            for row in read_findings(here, agreement)
        ]
    export_table(rows, out, "findings")
    _done(out, len(rows), "findings", as_json=as_json)


@_group.command("series")
@guarded
def series(
    batch: Annotated[str, typer.Argument(help="A batch, by either party's number.")],
    out: Out,
    code: Annotated[list[str] | None, typer.Option(help="Only this parameter.")] = None,
    agreement: Annotated[
        str | None, typer.Option(help="The agreement, where two have a batch of this number.")
    ] = None,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """A batch's series: a row an instant, a column a parameter, numbers exact.

    JSON: {out, rows}
    """
    from fedbatch.node.exporting import export_series
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    check_out(out)
    with Home(find_home(home)) as here:
        count = export_series(here, batch, out, codes=tuple(code or ()), agreement=agreement)
    _done(out, count, "rows", as_json=as_json)


@_group.command("ledger")
@guarded
def ledger(
    folder: Annotated[Path, typer.Argument(help="The folder to write the tiles to.")],
    agreement: Annotated[str | None, typer.Option(help="The agreement.")] = None,
    received: Annotated[
        bool, typer.Option("--received", help="The partner's ledger instead of your own.")
    ] = False,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """A ledger as a C2SP tile folder, for verifier/fedbatch_verify.py and other people's tools.

    JSON: {out, entries}
    """
    from fedbatch.node.exporting import export_ledger
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        known = here.agreement_named(agreement)
        count = export_ledger(here, known, folder, sent=not received)
    _done(folder, count, "entries", as_json=as_json)


@_group.command("proof")
@guarded
def proof(
    entry: Annotated[
        str, typer.Argument(help="The entry's id, or how it begins, as `results` shows it.")
    ],
    folder: Annotated[Path, typer.Argument(help="The folder to write the three files to.")],
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """One record with its proof and policy, to be verified offline by anybody.

    JSON: {out, files}
    """
    from fedbatch.node.exporting import export_proof
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        files = export_proof(here, entry, folder)
    _done(folder, len(files), "files", as_json=as_json)


def _done(out: Path, count: int, what: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"out": out, what: count})
        return
    say(f"{count} {what} are in {out}.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(_group, name="export")
