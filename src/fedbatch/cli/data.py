"""import, journal, share, sync, status: data in, and over to partners."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from fedbatch.cli.output import As, HomeOption, Json, exit_code, guarded, say, show_json, show_table
from fedbatch.cli.progress import progress_bar
from fedbatch.errors import FedbatchError, InputError, StoreError, expectation
from fedbatch.standard.findings import Finding

__all__ = ["add_to"]

_PLACES_MAX = 3


@guarded
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    mapping: Annotated[
        str | None, typer.Option(help="The mapping, where several fit the file's headers.")
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Go on: read files as they grow, others when they change."),
    ] = False,
    share_: Annotated[
        bool, typer.Option("--share", help="With --follow: share under every agreement in force.")
    ] = False,
    every: Annotated[float, typer.Option(help="With --follow: look every so many seconds.")] = 1.0,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Take files into the journal, each under the confirmed mapping that fits its headers.

    With --follow the command goes on until it is stopped (Ctrl-C): a file whose mapping says `live`
    is read on as it grows, and what is complete is sealed by the hour.

    JSON: {imports: [{file, mapping, cells, new, corrected, unchanged, taken_back, points,
    points_corrected, points_unchanged, held_back, rows_held_back, closed, ignored, findings, corrected_ids}],
    refused: [{file, code, message}]}
    """
    from fedbatch.node.home import Home
    from fedbatch.node.importing import find_files, import_file, told_untaken
    from fedbatch.node.settings import find_home
    from fedbatch.services.intake import IntakeReport

    if follow:
        _follow(paths, home, as_, mapping, every=every, shares=share_)
        return
    reports: list[IntakeReport] = []
    refused: list[dict[str, str]] = []
    with Home(find_home(home)) as here:
        files = find_files(paths)
        with told_untaken(f"{len(files)} files" if len(files) > 1 else files[0].name):
            person = here.acting(as_, "writer")
        with progress_bar("importing", quiet=as_json) as report:
            for number, path in enumerate(files):
                report(number, len(files))
                try:
                    reports += import_file(here, path, person, mapping_name=mapping)
                except InputError as error:
                    if len(files) == 1:
                        raise
                    refused.append({"file": path.name, "code": error.code, "message": str(error)})
                except StoreError:  # what was taken in before stays so, and is said
                    if not as_json:
                        _show_imports(reports)
                    raise
    held = sum(item.held_back + item.rows_held_back for item in reports)
    if as_json:
        show_json({"imports": reports, "refused": refused})
    else:
        _show_imports(reports)
        for problem in refused:
            say(f"{problem['file']}: refused. {problem['message']} [{problem['code']}]")
    if held or refused or any(_must_decide(item.findings) for item in reports):
        raise typer.Exit(1)


def _follow(
    paths: list[Path],
    home: str | None,
    as_: str | None,
    mapping: str | None,
    *,
    every: float,
    shares: bool,
) -> None:
    """Look again and again, a line for each look that found something."""
    import time

    from fedbatch.node.following import Follower
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        person = here.acting(as_, "writer")
        follower = Follower(here, paths, person, shares=shares, mapping_name=mapping)
        say("Following; Ctrl-C stops. Nothing that was taken in is lost by that.")
        told: dict[str, str] = {}
        while True:
            turn = follower.turn()
            for report in turn.reports:
                _show_import(report)
            for name, reason in turn.refused.items():
                if told.get(name) != reason:
                    say(f"{name}: not taken in. {reason}")
            told = turn.refused
            if turn.points or turn.posted or turn.sealed:
                say(
                    f"{here.clock.now()}: {turn.points} points, {turn.sealed} stretches sealed, "
                    f"{turn.posted} entries posted."
                )
            time.sleep(every)  # noqa: TID251 - a person asked to look every so often


def _must_decide(findings: Iterable[Finding]) -> bool:
    return any(item.severity == 1 for item in findings)


def _show_imports(reports: Iterable[object]) -> None:
    for item in reports:
        _show_import(item)


def _show_import(report: object) -> None:
    from fedbatch.services.intake import IntakeReport

    if not isinstance(report, IntakeReport):
        return
    say(
        f"{report.file} by {report.mapping}: {report.cells} cells; {report.new} new records, "
        f"{report.corrected} corrected, {report.unchanged} unchanged, "
        f"{report.held_back} held back, {report.closed} held-back items supplied."
    )
    if report.taken_back:
        say(f"  {report.taken_back} records were taken back: the file tells them otherwise now.")
    if report.points or report.points_corrected or report.points_unchanged:
        say(
            f"  series: {report.points} new points, {report.points_corrected} corrected, "
            f"{report.points_unchanged} unchanged."
        )
    if report.rows_held_back:
        say(f"  {report.rows_held_back} rows were held back: nothing of them was taken in.")
    by_rule: dict[str, list[str]] = {}
    for finding in report.findings:
        by_rule.setdefault(finding.rule, []).append(finding.render())
    for rule, places in sorted(by_rule.items()):
        first, *others = places
        say(f"  {len(places)} × {rule}: {first}")
        for place in others[: _PLACES_MAX - 1]:
            say(f"    {place}")
        if len(places) > _PLACES_MAX:
            say(f"    … {len(places) - _PLACES_MAX} more; --json lists them.")
    if report.held_back:
        say("  `fedbatch journal held` lists what waits for a person.")


@guarded
def share(
    agreement: Annotated[str | None, typer.Argument(help="The agreement, by id or name.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the partner would see; post nothing.")
    ] = False,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Post from the journal what an agreement allows; nothing is posted but by this.

    JSON: {agreement, dry_run, posted, by_type, stays, findings}
    """
    from fedbatch.node.findings import name_findings
    from fedbatch.node.home import Home
    from fedbatch.node.posting import share as share_now
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        person = here.acting(as_, "writer")
        known = here.agreement_named(agreement)
        with progress_bar("posting", quiet=as_json) as report:
            shared = share_now(here, known, person, dry_run=dry_run, report=report)
        found = name_findings(here, shared.plan.findings)
    made = shared.plan
    if as_json:
        show_json(
            {
                "agreement": known.agreement,
                "dry_run": dry_run,
                "posted": shared.posted,
                "by_type": dict(made.by_type),
                "stays": dict(made.skipped),
                "findings": [row.finding for row in found],
            }
        )
        return
    verb = "would be posted" if dry_run else "posted"
    say(f"{known.name}: {len(made.post.entries)} entries {verb}.")
    show_table(
        ("type", "entries"), [(name, str(n)) for name, n in made.by_type.items()], right="entries"
    )
    for reason, count in made.skipped.items():
        say(f"stays here: {count} ({reason})")
    for row in found:
        say(f"- {row.render()}")
    if found:
        raise typer.Exit(1)


def _carry(
    folder: Path, home: str | None, as_: str | None, partner: str | None, *, as_json: bool
) -> None:
    from fedbatch.node.carrying import awaits_reply, carry, entries_in, is_strange
    from fedbatch.node.home import Home
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        held = entries_in(folder)
        outcome = carry(here, folder, here.acting(as_, "").person, partner)
        waits = awaits_reply(here, folder)
        confirmed = {item.name for item in here.node.partners() if item.confirmed_here}
    if as_json:
        show_json(
            {
                name: {
                    "fetched": item.read,
                    "sent": item.written,
                    "refusals": item.refusals,
                    "looked_for": item.looked_for,
                    "found": item.found,
                    "expected": item.is_expected,
                    "written": item.is_written,
                }
                for name, item in outcome.items()
            }
        )
    else:
        for name, item in outcome.items():
            _say_carried(name, item, folder, held, is_confirmed=name in confirmed)
        if not outcome and waits:
            say("The answer to the partner's invitation lies here; its reply is not here yet.")
        elif not outcome:
            where = str(folder / "pairing")
            say(f"No partner yet. {expectation('an answer to an invitation', where, held)}")
            say("`fedbatch invite --by-folder` and `fedbatch accept --folder` begin.")
    is_idle = not outcome and not waits
    if is_idle or is_strange(outcome) or any(item.refusals for item in outcome.values()):
        raise typer.Exit(1)


def _say_carried(name: str, item: Any, folder: Path, held: str, *, is_confirmed: bool) -> None:
    """What a folder held of a partner, and what was written for it."""
    found = {
        "nothing": f"nothing of it is in {folder} yet (looked for {item.looked_for}).",
        "refused": f"what {folder} holds of it is refused.",
        "same": "its folder is the one that was read before, nothing new.",
        "new": f"{item.read} entries read.",
    }[item.found]
    if item.is_expected:
        advice = "Is this the right folder? Each side's sync leaves the other's part in it."
        found = expectation(f"its part {item.looked_for}", str(folder), held, advice)
    say(f"{name}: {found}")
    for text in item.refusals:
        say(f"  refused: {text}")
    if item.is_written:
        say(f"  {item.written} entries and {item.objects} data files written for it.")
    elif not is_confirmed:
        say(f"  Nothing is written for it before `fedbatch confirm {name!r}`.")
    else:
        say(f"  Nothing is written for it, as there are others; `--partner {name!r}` writes it.")


@guarded
def sync(
    folder: Annotated[
        Path | None, typer.Option(help="Exchange by files in this folder instead of a network.")
    ] = None,
    partner: Annotated[
        str | None,
        typer.Option(help="With --folder: only this partner, and the folder is for it."),
    ] = None,
    home: HomeOption = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """One round with every partner that this node dials, or by a folder that travels.

    A folder that holds nothing of a partner that was read before is said to be strange, and the exit
    code is 1. With several partners, one that the folder holds nothing of is written for only where
    it is named.

    JSON: {partner: {fetched, sent, refusals, looked_for, found, expected, written} or {fetched, sent,
    refusals} or {error}}
    """
    if folder is not None:
        _carry(folder, home, as_, partner, as_json=as_json)
        return
    if partner is not None:
        raise InputError("--folder with --partner", found="--partner alone")
    from fedbatch.node.home import Home
    from fedbatch.node.server import sync_once
    from fedbatch.node.settings import find_home

    with Home(find_home(home)) as here:
        outcome = anyio.run(sync_once, here)
    failed = [item for item in outcome.values() if isinstance(item, FedbatchError)]
    if as_json:
        show_json(
            {
                name: {"error": item.code}
                if isinstance(item, FedbatchError)
                else {"fetched": item.fetched, "sent": item.sent, "refusals": item.refusals}
                for name, item in outcome.items()
            }
        )
    else:
        if not outcome:
            say("This node dials no partner; partners dial it (`fedbatch serve`).")
        for name, item in outcome.items():
            if isinstance(item, FedbatchError):
                say(f"{name}: {item}")
            else:
                say(f"{name}: {item.fetched} entries received, {item.sent} sent and receipted.")
                for text in item.refusals:
                    say(f"  refused: {text}")
    if failed and as_json:
        # The object says it already; there is one.
        raise typer.Exit(exit_code(failed[0]))
    if failed:
        raise failed[0]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    app.command()(share)
    app.command()(sync)
