"""The command `fedbatch`: parse, call, print. Each command loads only what it needs."""

from typing import Annotated

import typer

from fedbatch import __version__
from fedbatch.cli import (
    agreements,
    check,
    data,
    export,
    keeping,
    keys,
    ledgers,
    maps,
    overview,
    people,
    review,
    running,
    series,
)
from fedbatch.cli.output import say

__all__ = ["app", "main"]

app = typer.Typer(
    name="fedbatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
people.add_to(app)
agreements.add_to(app)
maps.add_to(app)
data.add_to(app)
check.add_to(app)
review.add_to(app)
overview.add_to(app)
export.add_to(app)
ledgers.add_to(app)
keys.add_to(app)
keeping.add_to(app)
series.add_to(app)
running.add_to(app)


def _show_version(value: bool) -> None:
    if value:
        say(f"fedbatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say which version this is.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Exchange batch data between sponsors and contract manufacturers.

    Each value with its source, signed by both, complete or visibly incomplete.
    """
    del version


def main() -> None:
    """Run the command line."""
    app()
