"""backup, restore, rebuild: a home kept safe, and brought back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from fedbatch.cli.output import As, HomeOption, Json, guarded, note, say, show_json
from fedbatch.cli.progress import progress_bar

__all__ = ["add_to"]


@guarded
def backup(
    target: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .tar.")],
    manifest: Annotated[
        Path | None,
        typer.Option(help="Write the manifest here too, to be kept apart from the backup."),
    ] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Back up this home while it is in use. Keys are not in it: see `fedbatch keys backup`.

    JSON: {backup, files, bytes, journal_size, journal_link, missing: [text]}
    """
    from fedbatch.node.backups import back_up
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        admin = here.acting(as_, "node admin")
        with progress_bar("backing up", quiet=as_json) as report:
            made = back_up(here, admin, target, report, manifest=manifest)
    if as_json:
        show_json(made)
    else:
        say(f"{made.files} files, {made.bytes:,} bytes, are in {target}.")
        say(f"Journal: {made.journal_size} entries, head {made.journal_link}.")
        for name in made.missing:
            say(f"MISSING or damaged here, so not in the backup: {name}")
    if made.missing:
        raise typer.Exit(1)


@guarded
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="The backup's folder or file.")],
    home: Annotated[Path, typer.Argument(help="The new home; not there yet, or empty.")],
    manifest: Annotated[
        Path | None, typer.Option(help="The manifest that was kept apart; it must be equal.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Restore a backup into a new home; every hash is checked before anything is written.

    The home takes in but posts nothing until its partners were heard. What it lacks of its own
    ledgers comes back from them with `fedbatch rebuild`. Stop the old home first, for good.

    JSON: {home, party, made_at, files, bytes, agreements: [text]}
    """
    from fedbatch.node.backups import restore as restore_home

    with progress_bar("restoring", quiet=as_json) as report:
        done = restore_home(source, home, report, manifest=manifest)
    if as_json:
        show_json(done)
        return
    say(f"{done.files} files of {done.party}, as of {done.made_at}, are in {home}.")
    say(f"Next: `fedbatch keys restore FILE --home {home}`, then `fedbatch sync` or `serve`.")
    say("Where a partner holds more than this home does, `fedbatch rebuild` fetches it back.")


@guarded
def rebuild(
    partner: Annotated[
        str | None, typer.Argument(help="Only from this partner, by name or party id.")
    ] = None,
    aside: Annotated[
        bool, typer.Option("--set-aside", help="Set a forked own ledger aside first; it is kept.")
    ] = False,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Fetch back from partners what was exchanged with them and is lost here.

    Each entry is checked under this party's own keys. A partner that dials this node gives its part
    with its next contact, while this node serves. One with whom a folder travels gives nothing back:
    named, it is refused. The journal was never exchanged: it stays as it is.

    JSON: {partners: [{partner, waits, refused, agreements: [{agreement, sent, received, objects}]}]}
    """
    from fedbatch.errors import ConflictError
    from fedbatch.node.carrying import check_is_linked
    from fedbatch.node.home import Home
    from fedbatch.node.server import rebuild_from
    from fedbatch.node.setting_aside import set_aside
    from fedbatch.node.settings import find_home

    outcome = []
    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        chosen = [here.partner_named(partner)] if partner else here.node.partners()
        for item in chosen:
            try:
                check_is_linked(here, item)
            except ConflictError as error:
                if len(chosen) == 1:
                    raise
                outcome.append(_outcome(item, refused=error.code))
                note(f"{item.name}: {error} [{error.code}]")
                continue
            for place in set_aside(here, item, officer) if aside else ():
                note(f"The forked ledger lies in {place}.")
            with progress_bar(f"rebuilding from {item.name}", quiet=as_json) as report:
                taken = anyio.run(rebuild_from, here, item, officer, report)
            outcome.append(_outcome(item, taken))
            if as_json:
                continue
            if not item.dials:
                say(f"{item.name}: comes back with its next contact, while `fedbatch serve` runs.")
            for line in taken:
                say(
                    f"{item.name}, {line.agreement}: {line.sent} sent and {line.received} received "
                    f"entries are back, and {line.objects} objects."
                )
            if item.dials and not taken:
                say(f"{item.name}: nothing is missing here.")
    if as_json:
        show_json({"partners": outcome})
    if any(item["refused"] for item in outcome):
        raise typer.Exit(1)


def _outcome(partner: Any, taken: Sequence[Any] = (), refused: str = "") -> dict[str, Any]:
    waits = not partner.dials and not refused
    return {"partner": partner.name, "waits": waits, "refused": refused, "agreements": taken}


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(rebuild)
