"""check: look at a file before anybody has set up anything."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fedbatch.cli.output import Json, check_out, guarded, note, say, show_json
from fedbatch.cli.progress import progress_bar
from fedbatch.errors import InputError
from fedbatch.standard.findings import Finding

__all__ = ["add_to"]

# What must be looked at before the file is used; the rest is advice.
_GRAVE = 2
_SHAPES = {1: "■", 2: "▲", 3: "◆", 4: " "}
_COLUMNS_SHOWN = 4
# Checks that were left out are said beside what was assumed, not among what was found.
_LEFT_OUT = "time.unchecked"


@guarded
def check(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The annotated copy; default: FILE.checked.xlsx. A .csv: findings alone."
        ),
    ] = None,
    no_copy: Annotated[bool, typer.Option("--no-copy", help="Write no annotated copy.")] = False,
    zone: Annotated[
        str | None, typer.Option(help="The zone of its local times, such as Europe/Zurich.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Only this sheet.")] = None,
    header_row: Annotated[int | None, typer.Option(help="The row of headers, from 1.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What parts the cells of a text file.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="latin-1, cp1252, utf-16 …, where it is not UTF-8.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check files as they are: no home and no mapping needed; the files are only read.

    Says what was assumed to read them, and what was found, the most severe first. An annotated copy
    beside each file has the cells coloured and a list of findings; it replaces an earlier copy.
    The exit code is 1 where a finding has severity 1 or 2.

    JSON: {files: [{file, sha256, copy, unread: {sheet: reason}, tables: [{sheet, rows, columns, assumed:
    [{about, assumed, evidence}], findings: [{rule, severity, where, found, expected, advice}]}],
    findings}], refused: [{file, code, message}]}
    """
    from fedbatch.node.home import zone_named
    from fedbatch.node.importing import find_files
    from fedbatch.sources.tabular import Layout

    check_out(out)
    if zone is not None:
        zone_named(zone)
    layout = Layout(sheet=sheet, header_row=header_row, delimiter=delimiter, encoding=encoding)
    paths = [item for item in find_files(files) if not item.name.endswith(".checked.xlsx")]
    if out is not None and len(paths) != 1:
        raise InputError("one file with --out", found=f"{len(paths)}")
    shown: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    grave = 0
    for path in paths:
        try:
            told = _check_one(path, layout, zone, None if no_copy else (out,), as_json=as_json)
        except InputError as error:
            if len(paths) == 1:
                raise
            refused.append({"file": path.name, "code": error.code, "message": str(error)})
            if not as_json:
                note(f"{path.name}: not checked. {error} [{error.code}]")
            continue
        shown.append(told)
        grave += sum(
            1 for item in told["tables"] for one in item.findings if one.severity <= _GRAVE
        )
        grave += sum(1 for one in told["findings"] if one.severity <= _GRAVE)
    if as_json:
        show_json({"files": shown, "refused": refused})
    if grave or refused:
        raise typer.Exit(1)


def _check_one(
    path: Path, layout: Any, zone: str | None, copy: tuple[Path | None] | None, *, as_json: bool
) -> dict[str, Any]:
    """Check one file, write its copy, and say what was found."""
    from fedbatch.node.file_checks import check_file, write_copy

    began = time.monotonic()
    checked = check_file(path, layout, zone=zone)
    if not as_json:
        _say_file(path, checked, time.monotonic() - began)
    written = None
    if copy is not None:
        with progress_bar("writing the copy", quiet=as_json) as report:
            written = write_copy(checked, path, copy[0], report)
        if not as_json:
            alone = (
                "; too large for a workbook, so the findings alone"
                if _is_alone(written, copy)
                else ""
            )
            say(f"Annotated copy: {written}{alone}")
    return {
        "file": checked.reading.file.name,
        "sha256": checked.reading.file.sha256,
        "copy": written,
        "unread": checked.unread,
        "tables": checked.tables,
        "findings": checked.reading.findings,
    }


def _is_alone(written: Path, copy: tuple[Path | None]) -> bool:
    return written.suffix == ".csv" and (copy[0] is None or copy[0].suffix != ".csv")


def _say_file(path: Path, checked: Any, seconds: float) -> None:
    findings: list[Finding] = checked.findings
    rows = sum(item.rows for item in checked.tables)
    cells = sum(item.rows * item.columns for item in checked.tables)
    columns = sum(item.columns for item in checked.tables)
    parts = [
        f"{count:,} of severity {severity}"
        for severity in (1, 2, 3)
        if (count := sum(1 for item in findings if item.severity == severity))
    ]
    nothing = f"nothing that needs attention, {len(findings):,} of low severity"
    said = ", ".join(parts) or (nothing if findings else "nothing found")
    say(
        f"{path.name}: {rows:,} rows, {columns:,} columns, {cells:,} cells; {said} ({seconds:.1f} s)."
    )
    for name, reason in checked.unread.items():
        say(f"  sheet {name}: not checked. {reason}")
    for table in checked.tables:
        where = f" in {table.sheet}" if len(checked.tables) > 1 else ""
        for item in table.assumed:
            say(f"  assumed{where}: {item.about}: {item.assumed} ({item.evidence})")
        for item in table.findings:
            if item.rule == _LEFT_OUT:
                say(f"  {item.found}{where}.")
    _say_groups([item for item in findings if item.rule != _LEFT_OUT])


def _say_groups(findings: Sequence[Finding]) -> None:
    """A paragraph for each rule: how often, in which columns, the first with what to do."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for item in findings:
        groups.setdefault((item.rule, item.advice), []).append(item)
    ranked = sorted(groups.items(), key=lambda pair: (pair[1][0].severity, -len(pair[1])))
    for (rule, advice), items in ranked:
        first = items[0]
        # A rule lists a thousand places; one more finding without a place counts the rest.
        rest = sum(1 for item in items if not item.where.locator and len(items) > 1)
        count = f"more than {len(items) - rest:,}" if rest else f"{len(items):,}"
        say(f"{_SHAPES[first.severity]} {count} × {rule}{_columns(items)}")
        say(f"    first at {first.where.locator or first.where.file}: found {first.found!r}")
        say(f"    expected {first.expected}. {advice}".rstrip())


def _columns(items: Sequence[Finding]) -> str:
    """The columns that findings lie in, those with most of them first."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.where.path] = counts.get(item.where.path, 0) + 1
    named = sorted(((n, name) for name, n in counts.items() if name), key=lambda pair: -pair[0])
    if not named:
        return ""
    shown = ", ".join(f"{name} {n:,}" for n, name in named[:_COLUMNS_SHOWN])
    more = f" and {len(named) - _COLUMNS_SHOWN} columns more" if len(named) > _COLUMNS_SHOWN else ""
    return f" in {shown}{more}"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(check)
