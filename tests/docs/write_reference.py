"""Write docs/reference from the code: commands, rules, error codes, settings. `make reference`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from fedbatch.cli import app
from fedbatch.cli.output import EXIT_CODES
from fedbatch.node.settings import SETTINGS
from fedbatch.sources.tabular import RULES as TABLE_RULES
from fedbatch.standard.mappings import FIELDS
from fedbatch.standard.rulebook import RULES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
_MADE = "<!-- Made from the code by `make reference`; do not edit. -->\n"


# ---- commands


def commands(group: typer.core.TyperGroup, path: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Every command with its whole name."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def command_page() -> str:
    """docs/reference/commands.md."""
    root = typer.main.get_command(app)
    parts = [
        _MADE,
        "# Commands",
        "",
        "Every command takes `--home FOLDER` (else `FEDBATCH_HOME`, else `~/.fedbatch`) where it needs a home.",
        "With `--json` a command prints one JSON object on standard output; its shape stands in each section.",
        "Remarks, progress and errors go to standard error.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "| --- | --- |",
        "| 0 | done |",
        "| 1 | done, and something was found or held back that a person must look at |",
        "| 2 | wrong usage |",
        *(
            f"| {code} | {(kind.__doc__ or '').strip().splitlines()[0]} |"
            for kind, code in EXIT_CODES.items()
        ),
        "| 10 | another error of Fedbatch |",
        "| 11 | a fault of Fedbatch itself; a trace is left in a file |",
        "| 130 | stopped by the user |",
        "",
    ]
    assert isinstance(root, typer.core.TyperGroup)
    for name, command in commands(root, ("fedbatch",)):
        parts += [f"## {name}", "", *_command_lines(command), ""]
    return "\n".join(parts)


def _command_lines(command: object) -> Iterator[str]:
    assert isinstance(command, typer.core.TyperCommand)
    text, _, shape = (command.help or "").partition("JSON:")
    yield " ".join(text.split())
    yield ""
    rows = [_option_row(item) for item in command.params if item.name != "help"]
    if rows:
        yield "| argument or option | meaning |"
        yield "| --- | --- |"
        yield from rows
    if shape:
        yield ""
        yield f"JSON: `{' '.join(shape.split())}`"


def _option_row(item: object) -> str:
    name = getattr(item, "human_readable_name", "") or ""
    options = getattr(item, "opts", [])
    is_option = bool(options) and options[0].startswith("-")
    shown = ", ".join(f"`{option}`" for option in options) if is_option else f"`{name}`"
    meaning = " ".join((getattr(item, "help", "") or "").split())
    return f"| {shown} | {meaning} |"


# ---- rules


def rule_page() -> str:
    """docs/reference/rules.md."""
    parts = [
        _MADE,
        "# Rules",
        "",
        "A finding has a rule, a severity (1 must be decided, 4 is information), a place, what was found and what was expected.",
        "Source checks run before the journal, sharing checks at the CMO alone, agreement rules on both nodes with the same outcome, exchange rules on ledgers.",
    ]
    titles = {
        "source": "Source checks",
        "sharing": "Sharing checks",
        "agreement": "Agreement rules",
        "exchange": "Exchange",
    }
    for scope, title in titles.items():
        parts += ["", f"## {title}", "", "| rule | severity | holds when |", "| --- | --- | --- |"]
        rows = {
            rule.id: (rule.severity, rule.checks) for rule in RULES.values() if rule.scope == scope
        }
        if scope == "source":
            rows |= {rule.id: (rule.severity, rule.meaning) for rule in TABLE_RULES}
        parts += [f"| `{name}` | {rows[name][0]} | {rows[name][1]} |" for name in sorted(rows)]
    return "\n".join([*parts, ""])


# ---- errors


def error_rows() -> dict[str, tuple[str, set[str]]]:
    """Every error code with its class and the sentences of the places that raise it."""
    rows: dict[str, tuple[str, set[str]]] = {}
    for path in sorted((ROOT / "src" / "fedbatch").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                _note_call(node, rows)
    return rows


def _note_call(node: ast.Call, rows: dict[str, tuple[str, set[str]]]) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if not name.endswith("Error"):
        return
    for keyword in node.keywords:
        if keyword.arg == "code":
            code = _rendered(keyword.value)
            if code and "…" not in code.split(".")[0]:
                _, sentences = rows.setdefault(code, (name, set()))
                if node.args:
                    sentences.add(_rendered(_expected(node.args[0])))


def _expected(node: ast.expr) -> ast.expr:
    """What was expected, where an error of another class than `InputError` has that grammar."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.args[0] if node.func.id == "expectation" else node
    return node


def _rendered(node: ast.expr) -> str:
    """A text in the code as a person reads it; what is filled in at run time is `…`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_rendered(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _rendered(node.left) + _rendered(node.right)
    return "…"


def error_page() -> str:
    """docs/reference/errors.md."""
    parts = [
        _MADE,
        "# Error codes",
        "",
        "An error is one sentence with its code in brackets: what was expected, where, what was found.",
        "For `InputError` the table says what was expected; for the others that, or what is wrong.",
        "Codes are stable; sentences may change. `…` is filled in.",
        "",
        "| code | class | says |",
        "| --- | --- | --- |",
    ]
    for code, (name, sentences) in sorted(error_rows().items()):
        said = "; ".join(sorted(filter(None, sentences))).replace("|", "\\|").replace("\n", " ")
        parts.append(f"| `{code}` | {name} | {said} |")
    return "\n".join([*parts, ""])


# ---- settings and mapping fields


def settings_page() -> str:
    """docs/reference/settings.md."""
    parts = [
        _MADE,
        "# Settings",
        "",
        "## `node.toml`",
        "",
        "| setting | meaning |",
        "| --- | --- |",
        *(f"| `{name}` | {meaning} |" for name, meaning in SETTINGS.items()),
        "",
        "Secrets never stand in it: keys lie in `keys/`, files of mode 0600.",
        "",
        "## Environment",
        "",
        "| variable | meaning |",
        "| --- | --- |",
        "| `FEDBATCH_HOME` | the home, where `--home` is not given |",
        "| `FEDBATCH_TEST_DATA` | for tests: the folder of third-party data |",
        "",
        "## Fields that a mapping may feed",
        "",
        "| field | what the column holds |",
        "| --- | --- |",
        *(f"| `{name}` | {meaning} |" for name, meaning in FIELDS.items()),
        "",
    ]
    return "\n".join(parts)


PAGES = {
    "commands.md": command_page,
    "rules.md": rule_page,
    "errors.md": error_page,
    "settings.md": settings_page,
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
    sys.stdout.write(f"{len(PAGES)} pages in {FOLDER.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
