"""keys: what keys there are, backed up under two passphrases, brought back, changed."""

from pathlib import Path
from typing import Annotated, Any, Literal

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
from fedbatch.errors import InputError

__all__ = ["add_to"]

_group = typer.Typer(
    no_args_is_help=True, help="Keys: list, back up under two passphrases, restore, change."
)

PassphraseFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--passphrase-file",
        help="A file with an officer's passphrase; give it twice. Without it both are asked for.",
    ),
]


def _passphrases(files: list[Path] | None, *, is_new: bool) -> list[str]:
    """Both officers' passphrases, from files or typed unseen."""
    if files:
        return [_read_line(path) for path in files]
    return [
        str(
            typer.prompt(
                f"Passphrase of the {place} officer",
                hide_input=True,
                confirmation_prompt=is_new,
                err=True,
            )
        )
        for place in ("first", "second")
    ]


def _read_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "a passphrase's file", where=str(path), found=type(error).__name__
        ) from error


@_group.command("list")
@guarded
def list_(home: HomeOption = None, as_json: Json = False) -> None:
    """Show each key: its purpose, agreement or partner, age, fingerprint and state.

    JSON: {keys: [{name, purpose, about, made_at, age_days, fingerprint, state}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.key_keeping import list_keys
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        rows = list_keys(here)
    if as_json:
        show_json({"keys": rows})
        return
    show_table(
        ("purpose", "about", "days", "fingerprint", "state", "file"),
        [(r.purpose, r.about, str(r.age_days), r.fingerprint, r.state, r.name) for r in rows],
        right="days",
    )


@_group.command("backup")
@guarded
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; keep it apart from the home.")],
    passphrase_file: PassphraseFiles = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Seal all keys and agreement secrets under two officers' passphrases; both are needed to open.

    Make a new one after each new partner, agreement and change of a key.

    JSON: {backup, files}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.key_keeping import back_up_keys
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        passphrases = _passphrases(passphrase_file, is_new=True)
        count = back_up_keys(here, officer, file, passphrases)
    if as_json:
        show_json({"backup": file, "files": count})
        return
    say(f"{count} key files are sealed in {file}. Without both passphrases nobody opens it.")


@_group.command("restore")
@guarded
def restore(
    file: Annotated[Path, typer.Argument(help="The key backup.")],
    passphrase_file: PassphraseFiles = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="A key that differs is set aside, not refused.")
    ] = False,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """Bring keys back from a backup, into this home or into a new one where there is none.

    A new home then gets its ledgers back with `fedbatch rebuild`; nothing is posted before.

    JSON: {party, made_at, restored: [text], replaced: [text], unchanged, is_new_home}
    """
    from fedbatch.node.key_keeping import restore_keys
    from fedbatch.node.settings import find_home

    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError("a key backup", where=str(file), found=str(error)) from error
    passphrases = _passphrases(passphrase_file, is_new=False)
    path = find_home(home)
    report = restore_keys(path, content, passphrases, replaces=replace)
    if as_json:
        show_json(report)
        return
    say(
        f"Keys of {report.party} as of {report.made_at}: {len(report.restored)} restored, "
        f"{len(report.replaced)} replaced, {report.unchanged} were here."
    )
    if report.is_new_home:
        say(f"A new home is at {path}; its journal begins anew. Next: `fedbatch rebuild`.")


Purpose = Annotated[str, typer.Argument(help="Which key: ledger, cosign or link.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit trail.")]
OfAgreement = Annotated[
    str | None, typer.Option("--agreement", help="Of a ledger or cosigning key; by id or name.")
]
OfPartner = Annotated[
    str | None, typer.Option("--partner", help="Of a link key; by name or party id.")
]


def _change(
    kind: Literal["rotation", "revocation"],
    purpose: str,
    reason: str,
    home: str | None,
    as_: str | None,
    **named: str | None,
) -> Any:  # a KeyChanged; its module is loaded when called
    from fedbatch.node.home import Home
    from fedbatch.node.key_changes import change_key_of
    from fedbatch.node.settings import find_home

    check_reason(reason)
    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        return change_key_of(here, kind, purpose, officer, reason, **named)


@_group.command("rotate")
@guarded
def rotate(
    purpose: Purpose,
    reason: Reason,
    agreement: OfAgreement = None,
    partner: OfPartner = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Let a new key take over; for seven days both sign, and the partner hears of it by itself.

    JSON: {purpose, about, partner, old, new, size, until}
    """
    changed = _change("rotation", purpose, reason, home, as_, agreement=agreement, partner=partner)
    if as_json:
        show_json(changed)
        return
    say(f"The {changed.purpose} key towards {changed.partner} gives way until {changed.until}.")
    say(f"  old  {changed.old}")
    say(f"  new  {changed.new}")
    say("Make a new `fedbatch keys backup`.")


@_group.command("revoke")
@guarded
def revoke(
    purpose: Purpose,
    reason: Reason,
    agreement: OfAgreement = None,
    partner: OfPartner = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Let a lost or stolen key count no more, here at once and there with the next contact.

    What the partner cosigned stays valid. A new key, certified by the identity key, takes over.

    JSON: {purpose, about, partner, old, new, size, until}
    """
    changed = _change(
        "revocation", purpose, reason, home, as_, agreement=agreement, partner=partner
    )
    if as_json:
        show_json(changed)
        return
    say(f"The {changed.purpose} key towards {changed.partner} is revoked.")
    if changed.purpose != "link":
        say(f"  What it signed up to entry {changed.size} stays valid.")
    say(f"  new  {changed.new}")
    say("Make a new `fedbatch keys backup`.")


@_group.command("succeed")
@guarded
def succeed(
    reason: Reason,
    agreement: OfAgreement = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Let a new ledger carry the old one on, after a fork or when its names are lost.

    The partner's key officer confirms; until then nothing is posted under the agreement.

    JSON: {agreement, old, size, root, new, state}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.key_changes import succeed as succeed_ledger
    from fedbatch.node.settings import find_home

    check_reason(reason)
    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        done = succeed_ledger(here, officer, reason, agreement=agreement)
    if as_json:
        show_json(done)
        return
    say(f"{done.new} is to carry on {done.old}, which ends at {done.size} entries.")
    say("The partner confirms it with `fedbatch keys confirm`; nothing is posted before.")
    say("Make a new `fedbatch keys backup`.")


@_group.command("confirm")
@guarded
def confirm(
    agreement: OfAgreement = None, home: HomeOption = None, as_: As = None, as_json: Json = False
) -> None:
    """Confirm the new ledger that the partner offers in place of its old one.

    Ask by telephone why before you do: what the old one holds stays, and ends as you hold it.

    JSON: {agreement, old, size, root, new, state}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.key_changes import confirm_succession
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        officer = here.acting(as_, "key officer")
        done = confirm_succession(here, officer, agreement=agreement)
    if as_json:
        show_json(done)
        return
    say(f"{done.new} carries on {done.old} from entry {done.size} on.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(_group, name="keys")
