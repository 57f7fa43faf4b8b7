"""journal, approve, correct, withdraw: a person's work on what was taken in."""

from typing import Annotated

import msgspec
import typer

from fedbatch.cli.output import (
    As,
    HomeOption,
    Json,
    check_reason,
    guarded,
    say,
    show_json,
    show_table,
)

__all__ = ["add_to"]

_journal = typer.Typer(
    no_args_is_help=True, help="Your own record of what was taken in, and what waits for you."
)
Reason = Annotated[str, typer.Option(help="Why; it stands in the record for ever.")]
Batch = Annotated[str, typer.Argument(help="The batch, by either party's number.")]


@_journal.command("held")
@guarded
def held(
    rule: Annotated[str | None, typer.Option(help="Only items of this rule.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many on the screen.")] = 50,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """What is held back and waits for a person: where, what was found, what was expected.

    Rows of files that were held back whole are listed below the items: nobody decides them, they come
    in with a file in which they are right, or under another mapping.

    JSON: {held: [{id, finding}], rows: [finding]}
    """
    from fedbatch.node.findings import held_rows
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home
    from fedbatch.standard.findings import Finding

    with Home(find_home(home)) as here:
        items = [
            (item, msgspec.json.decode(item.finding, type=Finding)) for item in here.journal.held()
        ]
        rows = [item for item in held_rows(here) if rule in {None, item.rule}]
    items = [(item, found) for item, found in items if rule in {None, found.rule}]
    if as_json:
        told = [{"id": item.id, "finding": found} for item, found in items]
        show_json({"held": told, "rows": rows})
        return
    if not items and not rows:
        say("Nothing is held back.")
        return
    if items:
        _show_held(
            ("id", "rule", "where", "found", "expected"),
            [
                (item.id[:12], found.rule, found.where.render(), found.found, found.expected)
                for item, found in items
            ],
            limit,
        )
        say("Decide one: `fedbatch journal decide ID --value TEXT --reason WHY`, or --dismiss.")
    if rows:
        say("Rows of files that were held back:")
        _show_held(
            ("rule", "where", "found", "expected"),
            [(item.rule, item.where.render(), item.found, item.expected) for item in rows],
            limit,
        )
        say("They come in with a file in which they are right, or under a corrected mapping.")


def _show_held(headers: tuple[str, ...], lines: list[tuple[str, ...]], limit: int) -> None:
    show_table(headers, lines[:limit])
    if len(lines) > limit:
        say(f"… {len(lines) - limit} more; --limit shows them.")


@_journal.command("decide")
@guarded
def decide(
    item: Annotated[str, typer.Argument(help="The item's id, or how it begins.")],
    reason: Reason,
    value: Annotated[
        str | None, typer.Option(help="What the cell means, as the file would write it.")
    ] = None,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="Enter nothing.")] = False,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Decide an item that is held back: enter it with your value, or dismiss it.

    JSON: {item, decision}
    """
    from fedbatch.errors import InputError
    from fedbatch.node.home import Home
    from fedbatch.node.reviewing import decide_held
    from fedbatch.node.settings import find_home

    if (value is None) != dismiss:
        raise InputError("--value TEXT or --dismiss, one of them", found="both or neither")
    check_reason(reason)
    with Home(find_home(home)) as here:
        person = here.acting(as_, "writer")
        decided, decision = decide_held(here, item, person, value=value, reason=reason)
    if as_json:
        show_json({"item": decided.id, "decision": decision})
        return
    say(f"{decided.id}: {decision}")


@_journal.command("list")
@guarded
def list_(
    limit: Annotated[int, typer.Option(help="At most so many on the screen.")] = 20,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Files taken in and acts done, the newest first.

    JSON: {entries, acts: [{act, by, time, detail, reason}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        notes = list(reversed(here.journal.audit()))
        size = here.journal.size()
    if as_json:
        show_json({"entries": size, "acts": notes[:limit]})
        return
    say(f"{size} entries in the journal.")
    show_table(
        ("time", "act", "by", "detail", "reason"),
        [(item.time, item.act, item.by, item.detail, item.reason) for item in notes[:limit]],
    )


@guarded
def approve(
    batch: Batch,
    to: Annotated[str, typer.Option(help="checked or approved.")] = "approved",
    reason: Annotated[str | None, typer.Option(help="A remark that goes with it.")] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Raise the value status of all results of a batch, signed by you; a second person must.

    JSON: {batch, raised, to}
    """
    from fedbatch.errors import InputError
    from fedbatch.node.home import Home
    from fedbatch.node.reviewing import approve_batch
    from fedbatch.node.settings import find_home

    if to not in {"checked", "approved"}:
        raise InputError("checked or approved", where="--to", found=to)
    with Home(find_home(home)) as here:
        person = here.acting(as_, "reviewer" if to == "checked" else "quality")
        raised = approve_batch(
            here, batch, person, "checked" if to == "checked" else "approved", reason
        )
    if as_json:
        show_json({"batch": batch, "raised": raised, "to": to})
        return
    say(f"{raised} values of batch {batch} are {to}, signed by {person.name}.")
    say("`fedbatch share` posts the approval.")


@guarded
def correct(
    batch: Batch,
    term: Annotated[str, typer.Argument(help="The dictionary's term of the result.")],
    value: Annotated[str, typer.Option(help="The right value, as the file would write it.")],
    reason: Reason,
    qualifier: Annotated[str | None, typer.Option(help="Such as least, mean, greatest.")] = None,
    position: Annotated[str | None, typer.Option(help="Such as core.")] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Correct one result: a new version with your reason; both stay visible.

    JSON: {batch, term, supersedes}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.reviewing import correct_result
    from fedbatch.node.settings import find_home

    check_reason(reason)
    with Home(find_home(home)) as here:
        person = here.acting(as_, "writer")
        before = correct_result(
            here, batch, term, value, person, reason, qualifier=qualifier, position=position
        )
    if as_json:
        show_json({"batch": batch, "term": term, "supersedes": before})
        return
    say(f"{term} of batch {batch} is corrected to {value}; it supersedes {before}.")
    say("`fedbatch share` posts the correction.")


@guarded
def withdraw(
    batch: Batch,
    reason: Reason,
    reason_code: Annotated[
        str, typer.Option(help="wrong_party erases at the partner; else such as entered_in_error.")
    ] = "entered_in_error",
    term: Annotated[str | None, typer.Option(help="Only the results of this term.")] = None,
    agreement: Annotated[
        str | None, typer.Option(help="With wrong_party: the agreement it was wrongly sent under.")
    ] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Take back the results of a batch, or from a partner what was never meant for it.

    JSON: {batch, withdrawn, reason_code}
    """
    from fedbatch.errors import InputError
    from fedbatch.node.home import Home
    from fedbatch.node.reviewing import withdraw_batch, withdraw_wrong_party
    from fedbatch.node.settings import find_home

    check_reason(reason)
    with Home(find_home(home)) as here:
        person = here.acting(as_, "quality")
        if reason_code == "wrong_party":
            if agreement is None:
                raise InputError("--agreement with wrong_party", found="none")
            known = here.agreement_named(agreement)
            count = withdraw_wrong_party(here, batch, known, person, reason)
        else:
            count = withdraw_batch(here, batch, term, person, reason_code, reason)
    if as_json:
        show_json({"batch": batch, "withdrawn": count, "reason_code": reason_code})
        return
    say(f"{count} records of batch {batch} are withdrawn.")
    if reason_code == "wrong_party":
        say("It is posted already, so that no time is lost; `fedbatch sync` takes it over.")
    if reason_code != "wrong_party":
        say("`fedbatch share` posts the withdrawal.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(_journal, name="journal")
    for command in (approve, correct, withdraw):
        app.command()(command)
