"""map: draft, check and confirm mappings; search the dictionary."""

from pathlib import Path
from typing import Annotated

import typer

from fedbatch.cli.output import As, HomeOption, Json, guarded, say, show_json

__all__ = ["add_to"]

_group = typer.Typer(no_args_is_help=True, help="Mappings: which column is which term.")


@_group.command("check")
@guarded
def check(
    file: Annotated[Path, typer.Argument(help="The mapping's YAML.")],
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Check a mapping's file: what is still open or wrong."""
    from fedbatch.node.home import Home
    from fedbatch.node.mapping_files import read_mapping
    from fedbatch.node.settings import find_home
    from fedbatch.services.mappings import check_mapping

    with Home(find_home(home)) as here:
        mapping = read_mapping(file)
        problems = check_mapping(mapping, here.units, here.dictionary)
    if as_json:
        show_json({"mapping": mapping.source, "problems": problems})
    elif problems:
        for text in problems:
            say(f"- {text}")
    else:
        say(f"{file} can be confirmed: {len(mapping.rules)} columns or tags.")
    if problems:
        raise typer.Exit(1)


@_group.command("confirm")
@guarded
def confirm(
    file: Annotated[Path, typer.Argument(help="The mapping's YAML.")],
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Put a mapping in force under your name; files it fits are read by it from now on."""
    from fedbatch.node.home import Home
    from fedbatch.node.importing import confirm_mapping
    from fedbatch.node.mapping_files import read_mapping
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        person = here.acting(as_, "writer")
        confirmed = confirm_mapping(here, read_mapping(file), person)
    if as_json:
        show_json({"mapping": confirmed.source, "version": confirmed.version})
        return
    say(f"{confirmed.source} version {confirmed.version} is confirmed by {person.name}.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(_group, name="map")
