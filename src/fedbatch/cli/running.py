"""serve, demo, bench: the node itself, and the story that shows it."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from fedbatch.cli.output import (
    HomeOption,
    Json,
    guarded,
    note,
    say,
    say_folded,
    show_json,
    show_table,
)

__all__ = ["add_to"]


@guarded
def serve(home: HomeOption = None, as_json: Json = False) -> None:
    """Run the node: listen for partners, where it is set so, and keep every link; until stopped.

    JSON: {serving, listen}, once it is ready
    """
    from fedbatch.node.home import Home
    from fedbatch.node.logs import log_to_stderr
    from fedbatch.node.server import serve as serve_node
    from fedbatch.node.settings import find_home

    log_to_stderr()
    with Home(find_home(home)) as here:
        place = here.settings.listen or "nowhere (it dials only)"

        def ready() -> None:
            if as_json:
                show_json({"serving": here.settings.name, "listen": here.settings.listen})
            note(f"{here.settings.name} serves; it listens at {place}. Ctrl+C stops it.")

        anyio.run(serve_node, here, ready)


@guarded
def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where to leave the homes; default: a temporary folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play the story: a CMO, two sponsors, a cut link, a correction; under half a minute.

    JSON: {held, story: [text]}
    """
    from fedbatch.demo.story import run

    lines: list[str] = []

    def tell(text: str, *, is_command: bool = False) -> None:
        lines.append(text)
        if not as_json:
            (say if is_command else say_folded)(text)

    code = run(folder, tell)
    if as_json:
        show_json({"held": code == 0, "story": lines})
    raise typer.Exit(code)


@guarded
def bench(as_json: Json = False) -> None:
    """Measure this machine: every figure beside its bar and its comparison in the same run.

    JSON: {figures: [{id, what, value, unit, bar, reached, comparison, compared}]}
    """
    from fedbatch.bench.measures import measure_all

    figures = measure_all(note)
    if as_json:
        show_json({"figures": figures})
        return
    show_table(
        ("figure", "value", "bar", "", "what", "compared with"),
        [
            (
                item.id,
                f"{item.value:,.2f} {item.unit}",
                item.bar,
                "reached" if item.reached else "MISSED",
                item.what,
                f"{item.compared:,.2f}: {item.comparison}",
            )
            for item in figures
        ],
        right="value",
    )


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    app.command()(demo)
    app.command()(bench)
