"""series: what was measured over time, drawn in a line each, or point by point."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from fedbatch.cli.output import HomeOption, Json, guarded, say, show_json, show_table

__all__ = ["add_to"]


@guarded
def series(
    batch: Annotated[str, typer.Argument(help="A batch, by either party's number.")],
    code: Annotated[
        str | None, typer.Argument(help="A parameter's code: its points instead of a line.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="PV, SP or OUT, where a code has several.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Points from this instant on (UTC, with Z).")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Points before this instant.")] = None,
    agreement: Annotated[str | None, typer.Option(help="Only this agreement.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many points on the screen.")] = 40,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Series of a batch: a line each with extremes and shape, or the points of one parameter.

    What is sealed and what came live since are shown as one; a blank in the shape is a stretch in
    which nothing was measured. Of a batch that no agreement has yet, the journal's own series are
    shown, by their terms; `agreement` is then empty.

    JSON: {series: [{agreement, batch, code, role, unit, points, marked, first, last, least,
    greatest, newest, model, sealed_until, drawn}], missing}; with a code {points: [{time, number, unit,
    quality, raw}], missing: [{agreement, batch, index, from, to, points, segment, problem}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.series import lost_stretches, point_rows, read_lines
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        lost = lost_stretches(here, batch, code, agreement=agreement)
        if code is not None:
            rows = point_rows(here, batch, code, role=role, agreement=agreement, from_=from_, to=to)
            if as_json:
                show_json({"points": rows, "missing": lost})
                return
            _say_lost(lost)
            if not rows:
                say("No point of that time is here.")
                return
            show_table(
                ("time", "number", "unit", "quality", "text"),
                [(r.time, r.number, r.unit, r.quality, r.raw) for r in rows[-limit:]],
                right="number",
            )
            if len(rows) > limit:
                say(
                    f"The newest {limit} of {len(rows)}; --from, --to and --limit show others, "
                    "`fedbatch export series` writes them."
                )
            return
        lines = read_lines(here, batch, agreement=agreement)
    if as_json:
        show_json({"series": lines, "missing": lost})
        return
    _say_lost(lost)
    if not lines:
        say("No series of that batch is here.")
        return
    show_table(
        ("parameter", "least", "greatest", "newest", "unit", "points", "shape"),
        [
            (
                f"{line.code} {line.role}",
                line.least,
                line.greatest,
                line.newest,
                line.unit,
                str(line.points),
                line.drawn,
            )
            for line in lines
        ],
        right="least,greatest,newest,points",
    )
    first, last = min(line.first for line in lines), max(line.last for line in lines)
    sealed = max(line.sealed_until for line in lines)
    say(f"From {first} to {last}; sealed until {sealed or 'nothing yet'}. Provisional.")
    if not any(line.agreement for line in lines):
        say("From this node's journal. Nothing of it is shared: no agreement covers it yet.")


def _say_lost(lost: Sequence[Any]) -> None:  # LostStretch; its module is loaded when called
    from fedbatch.node.series import LOST_ADVICE

    for one in lost:
        say(
            f"Not shown: {one.points:,} points of batch {one.batch} from {one.from_} to {one.to}; "
            f"segment {one.segment[:16]}… is {one.problem}."
        )
    if lost:
        say(LOST_ADVICE)


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(series)
