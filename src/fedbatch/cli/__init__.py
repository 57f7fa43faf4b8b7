"""The command `fedbatch`: parse, call, print. Each command loads only what it needs."""

import typer

from fedbatch.cli import agreements, data, export, ledgers, maps, overview, people, review, running

__all__ = ["app", "main"]

app = typer.Typer(
    name="fedbatch",
    help="Exchange batch data between sponsors and contract manufacturers: each value with its "
    "source, signed by both, complete or visibly incomplete.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
people.add_to(app)
agreements.add_to(app)
maps.add_to(app)
data.add_to(app)
review.add_to(app)
overview.add_to(app)
export.add_to(app)
ledgers.add_to(app)
running.add_to(app)


def main() -> None:
    """Run the command line."""
    app()
