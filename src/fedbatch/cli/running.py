"""serve, demo: the node itself, and the story that shows it."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from fedbatch.cli.output import HomeOption, Json, guarded, note, say, show_json

__all__ = ["add_to"]


@guarded
def serve(home: HomeOption = None, as_json: Json = False) -> None:
    """Run the node: listen for partners, where it is set so, and keep every link; until stopped."""
    from fedbatch.node.home import Home
    from fedbatch.node.server import serve as serve_node
    from fedbatch.node.settings import find_home

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
) -> None:
    """Play the story: a CMO, two sponsors, a cut link, a correction; under half a minute."""
    from fedbatch.demo.story import run

    raise typer.Exit(run(folder, say))


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    app.command()(demo)
