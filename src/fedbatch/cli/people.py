"""init, person, invite, accept, confirm: a home, its people, its partners."""

import secrets
from pathlib import Path
from typing import Annotated

import anyio
import typer

from fedbatch.cli.output import As, HomeOption, Json, check_out, guarded, say, show_json, show_table
from fedbatch.errors import InputError

__all__ = ["add_to"]


@guarded
def init(
    name: Annotated[str, typer.Option(help="The party's printed name, such as 'Example CMO'.")],
    person: Annotated[
        str, typer.Option(help="Your name, as signatures print it; you get the officer roles.")
    ] = "First Officer",
    listen: Annotated[
        str, typer.Option(help="HOST:PORT on which partners reach this node; empty: dial only.")
    ] = "",
    address: Annotated[
        str, typer.Option(help="What partners dial: https://HOST:PORT; empty: derived from listen.")
    ] = "",
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Make a new home: party, keys, first person.

    JSON: {home, party, person}
    """
    from fedbatch.node.home import create_home
    from fedbatch.node.settings import find_home
    from fedbatch.peers.dialer import check_address

    if listen and not address:
        loopback = listen.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]"}
        address = f"{'http' if loopback else 'https'}://{listen}"
    if address:
        address = check_address(address)
    path = find_home(home)
    with create_home(path, name=name, person=person, listen=listen, address=address) as made:
        if as_json:
            show_json({"home": path, "party": made.settings.party, "person": "u-1"})
            return
        say(f"{name} has a home at {path}, as {made.settings.party}.")
        say(f"{person} (u-1) has the roles of all officers; signatures have the method 'local'.")
        say("Next: `fedbatch invite` or `fedbatch accept FILE` to find a partner.")


@guarded
def person(
    add: Annotated[str | None, typer.Option(help="Add a person of this name.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role; give it several times.")] = None,
    leaves: Annotated[str | None, typer.Option(help="This person, by id, no longer acts.")] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Show the people of this home, add one, or let one leave. Ids are never used again.

    JSON: {persons: [{person, name, roles, is_active}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.people import add_person, let_leave
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        if add:
            add_person(here, here.acting(as_, "node admin"), add, tuple(role or ()))
        if leaves:
            let_leave(here, here.acting(as_, "node admin"), leaves)
        persons = here.node.persons()
    if as_json:
        show_json({"persons": persons})
        return
    show_table(
        ("id", "name", "roles", "acts"),
        [(p.person, p.name, ", ".join(p.roles), "yes" if p.is_active else "no") for p in persons],
    )


@guarded
def invite(
    out: Annotated[Path, typer.Option(help="The file to write the invitation to.")] = Path(
        "invitation.json"
    ),
    by_folder: Annotated[
        bool, typer.Option("--by-folder", help="The answer travels in a folder; nobody dials.")
    ] = False,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Invite a partner's node: a file with a one-time code, valid for seven days.

    JSON: {invitation}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home
    from fedbatch.services import pairing
    from fedbatch.store.objects import write_durably

    check_out(out)
    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        code = secrets.token_hex(16)
        tls = here.tls_sha256()
        content = pairing.invite(here.pairing, officer.person, code, tls, is_by_folder=by_folder)
    write_durably(out, content, mode=0o600)
    if as_json:
        show_json({"invitation": out})
        return
    say(f"The invitation is in {out}. Hand it over by a way that both trust; it works once.")
    if by_folder:
        say("The partner runs `fedbatch accept --folder` with it.")
        return
    say("The partner runs `fedbatch accept` with it while this node serves (`fedbatch serve`).")


@guarded
def accept(
    invitation: Annotated[Path, typer.Argument(help="The invitation's file.")],
    folder: Annotated[
        Path | None, typer.Option(help="Answer by a file in this folder; nobody is dialled.")
    ] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Accept a partner's invitation: its node is dialled, and both keys are pinned.

    With --folder the answer is a file that travels; `fedbatch sync --folder` on both sides does the
    rest. An invitation of this node's own, or of a partner that is confirmed, is refused.

    JSON: {partner, party, ours, theirs}
    """
    from fedbatch.node.carrying import answer_into_folder
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home
    from fedbatch.peers.dialer import call_pairing, fetch_certificate
    from fedbatch.services import pairing

    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        content = _read(invitation)
        if folder is not None:
            path = answer_into_folder(here, content, folder)
            if as_json:
                show_json({"partner": "", "party": "", "ours": "", "theirs": str(path)})
            else:
                say(f"The answer is {path}. Carry the folder to the partner, who runs")
                say("`fedbatch sync --folder`, and back; then run it here too.")
            return
        invited = pairing.read_invitation(content, here.clock.seconds())
        answer = pairing.answer_invitation(here.pairing, invited)
        certificate = fetch_certificate(invited.address, invited.tls_sha256)
        reply = anyio.run(call_pairing, invited.address, certificate, answer)
        partner = pairing.take_answer(here.pairing, invited, reply, certificate, officer.person)
        _show_fingerprints(here.keys.public("identity"), partner, as_json=as_json)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("a file that can be read", where=str(path), found=str(error)) from error


def _show_fingerprints(own: bytes, partner: object, *, as_json: bool) -> None:
    from fedbatch.ports import Partner
    from fedbatch.services.pairing import fingerprint

    if not isinstance(partner, Partner):
        return
    ours, theirs = fingerprint(own), fingerprint(bytes.fromhex(partner.identity_key))
    if as_json:
        show_json({"partner": partner.name, "party": partner.party, "ours": ours, "theirs": theirs})
        return
    say(f"Paired with {partner.name} ({partner.party}). Compare by telephone:")
    say(f"  this node     {ours}")
    say(f"  {partner.name:<13} {theirs}")
    say(f"If both are the same at both ends: `fedbatch confirm {partner.party}`, on both nodes.")


@guarded
def confirm(
    partner: Annotated[str, typer.Argument(help="The partner, by name or party id.")],
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Confirm that the fingerprints were compared by telephone; until both do, nothing crosses.

    JSON: {partner, confirmed_here}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home
    from fedbatch.services import pairing

    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        confirmed = pairing.confirm(here.pairing, here.partner_named(partner), officer.person)
    if as_json:
        show_json({"partner": confirmed.name, "confirmed_here": confirmed.confirmed_here})
        return
    say(f"{confirmed.name} is confirmed here; it must confirm too.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (init, person, invite, accept, confirm):
        app.command()(command)
