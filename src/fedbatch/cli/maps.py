"""map: draft, check and confirm mappings; search the dictionary."""

from pathlib import Path
from typing import Annotated

import typer

from fedbatch.cli.output import As, HomeOption, Json, check_out, guarded, say, show_json, show_table

__all__ = ["add_to"]

_group = typer.Typer(no_args_is_help=True, help="Mappings: which column is which term.")


@_group.command("new")
@guarded
def new(
    file: Annotated[Path, typer.Argument(help="A file as the source writes it.")],
    out: Annotated[Path | None, typer.Option(help="The draft; default: NAME.yaml.")] = None,
    name: Annotated[
        str | None, typer.Option(help="The source's name; default: the file's.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Its time zone, such as Europe/Zurich.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet, where there are several.")] = None,
    header_row: Annotated[int | None, typer.Option(help="The row of headers, from 1.")] = None,
    unit_row: Annotated[int | None, typer.Option(help="The row of units below it.")] = None,
    group_row: Annotated[int | None, typer.Option(help="The row of groups above it.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What parts the cells of a text file.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="latin-1, cp1252, utf-16 …, where it is not UTF-8.")
    ] = None,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Draft a mapping from a file's headers; what is still open is marked and asked.

    JSON: {draft, open}
    """
    from fedbatch.node.drafting import draft_mapping, write_draft
    from fedbatch.node.home import Home, zone_named
    from fedbatch.node.settings import find_home
    from fedbatch.standard.mappings import TableLayout

    source = name or file.stem.lower().replace(" ", "-")
    path = out or Path(f"{source}.yaml")
    check_out(path)
    if zone is not None:
        zone_named(zone)
    with Home(find_home(home)) as here:
        layout = TableLayout(
            sheet=sheet,
            header_row=header_row,
            unit_row=unit_row,
            group_row=group_row,
            delimiter=delimiter,
            encoding=encoding,
        )
        text, questions = draft_mapping(here, file, name=source, zone=zone, layout=layout)
    write_draft(path, text)
    if as_json:
        show_json({"draft": path, "open": questions})
        return
    say(f"The draft is {path}; {questions} questions are open in it.")
    say(f"Answer them, then: `fedbatch map check {path}` and `fedbatch map confirm {path}`.")


@_group.command("terms")
@guarded
def terms(
    words: Annotated[list[str], typer.Argument(help="Words to look for.")],
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Search the dictionary for terms.

    JSON: {terms: [{term, name, units}]}
    """
    from fedbatch.mapping.suggest import search_terms
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        found = search_terms(" ".join(words), here.dictionary)
    if as_json:
        show_json({"terms": [{"term": t.term, "name": t.name, "units": t.units} for t in found]})
        return
    if not found:
        say("No term is like that. A term of your own is x.<party>.<name>.")
        return
    show_table(
        ("term", "units", "definition"),
        [(item.term, ", ".join(item.units), item.definition) for item in found],
    )


@_group.command("check")
@guarded
def check(
    file: Annotated[Path, typer.Argument(help="The mapping's YAML.")],
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Check a mapping's file: what is still open or wrong.

    JSON: {mapping, problems: [text]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.mapping_files import check_zone, read_mapping
    from fedbatch.node.settings import find_home
    from fedbatch.services.mappings import check_mapping

    with Home(find_home(home)) as here:
        mapping = read_mapping(file)
        problems = [*check_mapping(mapping, here.units, here.dictionary), *check_zone(mapping)]
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
    apply: Annotated[
        bool, typer.Option("--apply", help="Issue the corrections that a change leads to.")
    ] = False,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Put a mapping in force under your name; files it fits are read by it from now on.

    Where it corrects one in force, its files are read again: the difference is shown, and written as
    corrections with --apply.

    JSON: {mapping, version, files: [as import]}; version null where --apply is wanted
    """
    from fedbatch.node.home import Home
    from fedbatch.node.importing import confirm_mapping
    from fedbatch.node.mapping_files import read_mapping
    from fedbatch.node.remapping import difference_of, reread
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        person = here.acting(as_, "writer")
        mapping = read_mapping(file)
        proposed = confirm_mapping(here, mapping, person, dry_run=True)
        changes = difference_of(here, proposed, person)
        changed = sum(
            item.corrected
            + item.new
            + item.held_back
            + item.taken_back
            + item.points
            + item.points_corrected
            for item in changes
        )
        if changed and not apply:
            confirmed = None
        else:
            confirmed = confirm_mapping(here, mapping, person)
            if changed:
                reread(here, confirmed, person)
    if as_json:
        version = confirmed.version if confirmed is not None else None
        show_json({"mapping": mapping.source, "version": version, "files": changes})
    else:
        for item in changes:
            say(
                f"{item.file} read again: {item.corrected} values change, {item.new} are new, "
                f"{item.taken_back} are taken back, {item.held_back} are held back, "
                f"{item.unchanged} stay."
            )
            if item.points or item.points_corrected or item.points_unchanged:
                say(
                    f"  series: {item.points_corrected} points change, {item.points} are new, "
                    f"{item.points_unchanged} stay."
                )
        if confirmed is not None:
            say(f"{confirmed.source} version {confirmed.version} is confirmed by {person.name}.")
        else:
            say("Nothing is written yet: add --apply to confirm it and issue these corrections.")
    if confirmed is None:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(_group, name="map")
