"""status, batches: how things stand."""

from typing import Annotated

import typer

from fedbatch.cli.output import HomeOption, Json, guarded, say, show_json, show_table

__all__ = ["add_to"]


@guarded
def status(home: HomeOption = None, as_json: Json = False) -> None:
    """Links, agreements, backlog, and what waits for whom.

    JSON: {party, name, journal, held_back, links, agreements, waits}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.overview import read_status
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        found = read_status(here)
    if as_json:
        show_json(found)
        return
    say(f"{found.name} ({found.party}): {found.journal} journal entries.")
    if not found.links:
        say("No partner yet. `fedbatch invite`, or `fedbatch accept FILE`.")
    for link in found.links:
        way = "dialled from here" if link.dials else "dials this node"
        state = f"down since {link.down_since} ({link.problem})" if link.down_since else "up"
        if not (link.confirmed_here and link.confirmed_there):
            state = "not confirmed by both yet"
        if link.by_folder:
            state = "" if link.confirmed_here and link.confirmed_there else f" {state};"
            read, written = link.folder_read or "never", link.folder_written or "never"
            say(
                f"{link.partner}: files are exchanged by folder;{state} last read {read}, last written "
                f"{written}."
            )
            continue
        say(f"{link.partner}: {way}, {state}; last contact {link.last_contact or 'none noted'}.")
    if found.agreements:
        show_table(
            ("agreement", "partner", "state", "sent", "countersigned", "received"),
            [
                (
                    item.name,
                    item.partner,
                    item.state,
                    str(item.sent),
                    str(item.receipted),
                    str(item.received),
                )
                for item in found.agreements
            ],
            right="sent,countersigned,received",
        )
    for text in [*found.waits, *(t for item in found.agreements for t in item.waits)]:
        say(f"- {text}")


@guarded
def batches(
    agreement: Annotated[str | None, typer.Option(help="Only this agreement.")] = None,
    lot: Annotated[
        str | None, typer.Option(help="Only batches that a lot of this number went into.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many rows on the screen.")] = 50,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Batches over all agreements, under both parties' numbers.

    JSON: {batches: [{agreement, batch, numbers, product, start, end, start_text, end_text, state,
    size, results, basis}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.overview import read_batches, read_genealogy
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        rows = read_batches(here, agreement)
        if lot is not None:
            used = {row.batch for row in read_genealogy(here, agreement) if row.lot_number == lot}
            rows = [row for row in rows if row.batch in used]
    if as_json:
        show_json({"batches": rows})
        return
    if not rows:
        say("No batch yet.")
        return
    show_table(
        ("batch", "product", "start", "state", "size", "results", "basis"),
        [
            (
                " / ".join(r.numbers),
                r.product,
                r.start_text,
                r.state,
                r.size,
                str(r.results),
                r.basis if r.basis != "own" else "",
            )
            for r in rows[:limit]
        ],
        right="size,results",
    )
    if len(rows) > limit:
        say(f"… {len(rows) - limit} more; --limit shows them.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(status)
    app.command()(batches)
