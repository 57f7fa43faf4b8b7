"""results, provenance, verify: what is known, where it came from, and whether it holds."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from fedbatch.cli.output import HomeOption, Json, guarded, say, show_json, show_table
from fedbatch.errors import InputError

__all__ = ["add_to"]


@guarded
def results(
    batch: Annotated[str | None, typer.Argument(help="A batch, by either party's number.")] = None,
    code: Annotated[list[str] | None, typer.Option(help="Only this parameter.")] = None,
    agreement: Annotated[str | None, typer.Option(help="Only this agreement.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many rows on the screen.")] = 200,
    replaced: Annotated[
        bool,
        typer.Option("--replaced", help="With transcribed ones that the maker's own replaced."),
    ] = False,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Results of a batch, or of all, with unit, comparator and value status; sample and time where told.

    JSON: {results: [{agreement, batch, code, role, shown, number, comparator, unit, kind, absent,
    raw, value_status, basis, source, form, attempt, replicate, sample, sample_number, step, observed_at,
    observed_text, entry, index, ledger}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.reading import read_results
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        rows = read_results(
            here, batch=batch, codes=tuple(code or ()), agreement=agreement, replaced=replaced
        )
    if as_json:
        show_json({"results": rows})
        return
    if not rows:
        say("No result of that kind is here.")
        return
    _show_results(rows[:limit])
    if len(rows) > limit:
        say(f"… {len(rows) - limit} more; --limit shows them, `fedbatch export` writes them.")


def _show_results(rows: Sequence[Any]) -> None:
    """A table of results; sample and time have a column where one of these has them."""
    cells: dict[str, list[str]] = {
        "batch": [row.batch for row in rows],
        "parameter": [row.code for row in rows],
        "value": [row.shown for row in rows],
        "unit": [row.unit for row in rows],
        "sample": [row.sample_number or row.sample[:8] for row in rows],
        "time": [row.observed_text or row.observed_at for row in rows],
        "status": [
            row.value_status if row.basis == "own" else f"{row.value_status}, {row.basis}"
            for row in rows
        ],
        "source": [row.source[:8] for row in rows],
        "entry": [row.entry[:8] for row in rows],
    }
    shown = {name: column for name, column in cells.items() if any(column)}
    show_table(tuple(shown), zip(*shown.values(), strict=True), right="value")


@guarded
def provenance(
    batch: Annotated[str, typer.Argument(help="A batch, by either party's number.")],
    code: Annotated[str, typer.Argument(help="The parameter's code, or its term in the journal.")],
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Where a value came from: file, cell and original text, or the writer's commitment to them.

    Of a series (by code, `<code>.<role>` or term): which segments and which live entries hold its
    points, who posted them under which agreement, from which files, and whether the points are those
    that were signed.

    JSON: {provenance: [{where, shown, origins: [text]}], series: [{agreement, agreement_name, batch,
    code, role, unit, ledger, posted_by, stretches: [{kind, entry, index, last_entry, last_index, from,
    to, points, count, points_hash, segment, late, corrects: [text], signed_under, verified,
    countersigned, origins: [text]}]}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.reading import read_provenance
    from fedbatch.node.settings import find_home
    from fedbatch.node.tracing import read_series_provenance

    with Home(find_home(home)) as here:
        series = read_series_provenance(here, batch, code)
        try:
            lines = read_provenance(here, batch, code)
        except InputError as error:
            if error.code != "result.unknown" or not series:
                raise
            lines = []
    if as_json:
        show_json({"provenance": lines, "series": series})
        return
    for line in lines:
        say(f"{line.where}: {line.shown}")
        for text in line.origins:
            say(f"  {text}")
    for item in series:
        _say_series(item)


def _say_series(item: Any) -> None:  # a SeriesOrigin; its module is loaded when called
    say(
        f"batch {item.batch}, series {item.code} {item.role} in {item.ledger}: "
        f"posted by {item.posted_by} under {item.agreement_name}"
    )
    for one in item.stretches:
        entries = f"entry {one.index} ({one.entry})"
        if one.last_entry:
            entries = f"entries {one.index} ({one.entry}) to {one.last_index} ({one.last_entry})"
        points = f"{one.points:,} points" if one.points >= 0 else "points unknown"
        late = ", late" if one.late else ""
        say(f"  {one.kind}{late}, {entries}: {one.from_} to {one.to}, {points}")
        if one.kind == "segment":
            say(f"    {one.count:,} points of all parameters, segment {one.segment[:16]}…")
        receipt = "countersigned" if one.countersigned else "not countersigned yet"
        say(f"    points hash {one.points_hash[:16]}…, verified: {one.verified}; {receipt}")
        if one.corrects:
            say(f"    corrects {', '.join(one.corrects)}")
        for text in one.origins:
            say(f"    {text}")


@guarded
def findings(
    agreement: Annotated[str | None, typer.Option(help="Only this agreement.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch, by either's number.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="An instant such as 2026-03-02T08:00:00Z; default now.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many rows on the screen.")] = 50,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """What rules find in what was exchanged, and what is held back or refused.

    JSON: {findings: [{agreement, origin, batch, parameter, finding: {rule, severity, where, found, expected,
    effect, advice}, basis}]}
    """
    from fedbatch.node.findings import check_instant, read_findings
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    if as_of is not None:
        check_instant(as_of)
    with Home(find_home(home)) as here:
        rows = [
            row
            for row in read_findings(here, agreement, as_of)
            if rule in {None, row.finding.rule}
            and (batch is None or batch in row.batch.split(" / "))
        ]
    if as_json:
        show_json({"findings": rows})
        return
    if not rows:
        say("Nothing was found.")
        return
    show_table(
        ("severity", "rule", "batch", "parameter", "found", "expected"),
        [
            (
                str(row.finding.severity),
                row.finding.rule,
                row.batch,
                f"{row.parameter}, transcribed" if row.basis == "transcribed" else row.parameter,
                row.finding.found,
                row.finding.expected,
            )
            for row in rows[:limit]
        ],
    )
    if len(rows) > limit:
        say(
            f"… {len(rows) - limit} more; --limit shows them, `fedbatch export findings` writes them."
        )


@guarded
def verify(home: HomeOption = None, as_json: Json = False) -> None:
    """Verify everything here: hashes, trees, signatures, receipts, chains, objects.

    JSON: {checked: [text], wrong: [text]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home
    from fedbatch.node.verifying import verify_home

    with Home(find_home(home)) as here:
        report = verify_home(here)
    if as_json:
        show_json(report)
    else:
        for line in report.checked:
            say(f"ok     {line}")
        for line in report.wrong:
            say(f"WRONG  {line}")
    if report.wrong:
        raise typer.Exit(8)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(results)
    app.command()(provenance)
    app.command()(findings)
    app.command()(verify)
