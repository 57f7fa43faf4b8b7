"""agreement: draft, check, sign alone, propose, accept, show, pause, resume, end."""

from pathlib import Path
from typing import Annotated

import typer

from fedbatch.cli.output import (
    As,
    HomeOption,
    Json,
    check_out,
    check_reason,
    guarded,
    say,
    show_json,
    show_table,
)
from fedbatch.errors import InputError

__all__ = ["add_to"]

_group = typer.Typer(no_args_is_help=True, help="Data agreements: what may cross, and how.")


@_group.command("new")
@guarded
def new(
    partner: Annotated[
        str,
        typer.Argument(help="The partner, by name or party id; with --one-sided a name alone."),
    ],
    one_sided: Annotated[
        bool, typer.Option("--one-sided", help="A sponsor's, whose partner has not joined yet.")
    ] = False,
    role: Annotated[str, typer.Option(help="Your own role: CMO or sponsor.")] = "CMO",
    out: Annotated[Path, typer.Option(help="The draft.")] = Path("agreement.yaml"),
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Draft an agreement with a partner; your confirmed mappings give its parameters.

    JSON: {draft, agreement}
    """
    from fedbatch.node.drafting import draft_agreement, draft_alone, write_draft
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    check_out(out)
    if role not in {"CMO", "sponsor"}:
        raise InputError("CMO or sponsor", where="--role", found=role)
    with Home(find_home(home)) as here:
        id_ = here.ids.fresh("ag")
        if one_sided:
            text = draft_alone(here, partner, id_=id_)
        else:
            text = draft_agreement(here, here.partner_named(partner), own_role=role, id_=id_)
    write_draft(out, text)
    if as_json:
        show_json({"draft": out, "agreement": id_})
        return
    say(f"The draft is {out}. Fill in what says '?', take out what is not agreed.")
    verb = "sign" if one_sided else "propose"
    say(f"Then: `fedbatch agreement check {out}` and `fedbatch agreement {verb} {out}`.")


@_group.command("check")
@guarded
def check(
    file: Annotated[Path, typer.Argument(help="The agreement's YAML.")],
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Check an agreement's file before it is proposed, or signed alone.

    JSON: {agreement, version, problems: [text]}
    """
    from fedbatch.node.agreement_files import check_agreement, is_one_sided, read_agreement
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        body = read_agreement(file)
        problems = check_agreement(here, body)
    if as_json:
        show_json({"agreement": body.id, "version": body.version, "problems": problems})
    elif problems:
        for text in problems:
            say(f"- {text}")
    else:
        what = "signed alone" if is_one_sided(body) else "proposed"
        say(f"{file} can be {what}: {len(body.parameters)} parameters, version {body.version}.")
        say("Pilot: signatures are 'local', and attachments stay unencrypted.")
    if problems:
        raise typer.Exit(1)


@_group.command("sign")
@guarded
def sign(
    file: Annotated[Path, typer.Argument(help="The one-sided agreement's YAML.")],
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Put a one-sided agreement in force: signed by you alone, there is no partner yet.

    JSON: {agreement, version, state}
    """
    from fedbatch.node.agreement_files import is_one_sided, read_checked
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        person = here.acting(as_, "agreement officer")
        body = read_checked(here, file)
        if not is_one_sided(body):
            raise InputError(
                "an agreement whose partner is only named",
                where=str(file),
                found="a partner with an id",
                advice="Propose it to the partner.",
                code="agreement.partner",
            )
        here.exchange.sign_alone(body, here.officer(person, "agreement officer"))
        state = here.standing(body.id).state
    if as_json:
        show_json({"agreement": body.id, "version": body.version, "state": state})
        return
    say(f"Version {body.version} of {body.id} is in force, signed by {person.name} alone.")
    say("No partner yet: nothing is countersigned, and nothing proves itself to others.")


@_group.command("propose")
@guarded
def propose(
    file: Annotated[Path, typer.Argument(help="The agreement's YAML.")],
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Propose an agreement to its partner; it crosses with the next contact.

    JSON: {agreement, version, state}
    """
    from fedbatch.node.agreement_files import is_one_sided, read_checked, size_alone
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        officer = here.acting(as_, "agreement officer")
        body = read_checked(here, file)
        if is_one_sided(body):
            raise InputError(
                "a partner with its id",
                where=str(file),
                found="one that is only named",
                advice="Pair with it and fill in its id, or sign the agreement alone.",
                code="agreement.alone",
            )
        crosses = size_alone(here, body.id)
        partner = next(p.party for p in body.parties if p.party != here.settings.party)
        here.exchange.propose(partner, body, officer.person)
    if as_json:
        show_json({"agreement": body.id, "version": body.version, "state": "proposed"})
        return
    say(f"Version {body.version} of {body.id} is proposed; it crosses with the next contact.")
    if crosses:
        say(
            f"Once it is accepted your ledger crosses from its first entry on, {crosses} entries so "
            "far: all that was transcribed. To keep that to yourself, draft an agreement of its own "
            "with another id instead."
        )


@_group.command("accept")
@guarded
def accept(
    agreement: Annotated[str | None, typer.Argument(help="The agreement, by id or name.")] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Accept the partner's proposal: signed by you, in force once both have cosigned.

    JSON: {agreement, version, state}
    """
    from fedbatch.node.agreement_files import check_agreement
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        person = here.acting(as_, "agreement officer")
        known = here.agreement_named(agreement)
        _, body = here.exchange.received_body(known.agreement)
        problems = check_agreement(here, body)
        if problems:
            raise InputError(
                "an agreement that can be accepted",
                where=known.agreement,
                found="; ".join(problems),
                code="agreement.check",
            )
        here.exchange.accept(known.agreement, here.officer(person, "agreement officer"))
        state = here.standing(known.agreement).state
    if as_json:
        show_json({"agreement": body.id, "version": body.version, "state": state})
        return
    say(f"Version {body.version} of {body.id} is accepted and signed by {person.name}.")


@_group.command("show")
@guarded
def show(
    agreement: Annotated[str | None, typer.Argument(help="The agreement, by id or name.")] = None,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Show one agreement as YAML with its state, or all of them.

    JSON: {agreements: [{agreement, name, partner, state}]}; of one: {agreement, name, partner,
    state, body}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home
    from fedbatch.node.yaml_files import render_yaml

    with Home(find_home(home)) as here:
        lines = [
            {
                "agreement": item.agreement,
                "name": item.name,
                "partner": item.partner,
                "state": here.standing(item.agreement).state,
            }
            for item in here.node.agreements()
            if agreement in {None, item.agreement, item.name}
        ]
        body = None
        if agreement is not None:
            known = here.agreement_named(agreement)
            body = here.standing(known.agreement).body
            if body is None:
                _, body = here.exchange.received_body(known.agreement)
    if as_json:
        show_json({"agreements": lines} if body is None else {**lines[0], "body": body})
        return
    if body is not None:
        say(f"# state: {lines[0]['state']}")
        say(render_yaml(body))
        return
    if not lines:
        say(
            "No agreement yet. `fedbatch agreement new` drafts one; a partner's proposal shows here."
        )
        return
    columns = ("agreement", "name", "partner", "state")
    show_table(columns, [tuple(line[name] for name in columns) for line in lines])


def _change(
    agreement: str | None, state: str, reason: str, home: str | None, as_: str | None
) -> str:
    from fedbatch.node.home import Home
    from fedbatch.node.reviewing import lift_stops
    from fedbatch.node.settings import find_home
    from fedbatch.services.agreements import Party, change_state

    check_reason(reason)
    with Home(find_home(home)) as here:
        person = here.acting(as_, "agreement officer")
        known = here.agreement_named(agreement)
        party = Party(
            party=here.settings.party,
            partner=known.partner,
            officer=here.officer(person, "agreement officer"),
        )
        if state == "active" and lift_stops(here, known, person, reason):
            return known.agreement
        store = here.ledgers(known.agreement)
        change_state(store, state, party, here.keys, here.ids, here.clock, reason)  # type: ignore[arg-type] # one of three words below
        return known.agreement


Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger for ever.")]
Named = Annotated[str | None, typer.Argument(help="The agreement, by id or name.")]


@_group.command("pause")
@guarded
def pause(
    reason: Reason,
    agreement: Named = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Pause at once: nothing more is posted or given until you resume.

    JSON: {agreement, state}
    """
    changed = _change(agreement, "paused", reason, home, as_)
    show_json({"agreement": changed, "state": "paused"}) if as_json else say(
        f"{changed} is paused."
    )


@_group.command("resume")
@guarded
def resume(
    reason: Reason,
    agreement: Named = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Resume what you paused, or a ledger that was stopped for its history.

    JSON: {agreement, state}
    """
    changed = _change(agreement, "active", reason, home, as_)
    show_json({"agreement": changed, "state": "active"}) if as_json else say(f"{changed} goes on.")


@_group.command("end")
@guarded
def end(
    reason: Reason,
    agreement: Named = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """End for good: nothing more is posted; both keep what they have.

    JSON: {agreement, state}
    """
    changed = _change(agreement, "ended", reason, home, as_)
    show_json({"agreement": changed, "state": "ended"}) if as_json else say(f"{changed} has ended.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(_group, name="agreement")
