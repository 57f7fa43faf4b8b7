"""What a command prints: tables and sentences for people, one JSON object with `--json`."""

import errno
import functools
import os
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import msgspec
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fedbatch.errors import (
    BusyError,
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    PeerError,
    RefusedError,
    StoreError,
)

__all__ = [
    "EXIT_CODES",
    "As",
    "HomeOption",
    "Json",
    "check_out",
    "check_reason",
    "exit_code",
    "fail",
    "guarded",
    "note",
    "say",
    "say_folded",
    "show_json",
    "show_table",
    "visible",
]

# 0 done; 1 done, and something was found or held back that a person must look at; 2 wrong usage.
# What a disk says that has no room left, or takes nothing.
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})

EXIT_CODES: dict[type[FedbatchError], int] = {
    InputError: 3,
    RefusedError: 4,
    ConflictError: 5,
    BusyError: 6,
    PeerError: 7,
    IntegrityError: 8,
    StoreError: 9,
}

OUR_FAULT = 11
P = ParamSpec("P")
R = TypeVar("R")

HomeOption = Annotated[
    str | None,
    typer.Option("--home", help="The home folder; else FEDBATCH_HOME, else ~/.fedbatch."),
]
As = Annotated[
    str | None,
    typer.Option("--as", help="The person who acts, by id or name; needless where there is one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

_console = Console(highlight=False, soft_wrap=True)
_notes = Console(stderr=True, highlight=False, soft_wrap=True)


def visible(text: str, keep: str = "\n") -> str:
    """A text in which control characters show as escapes: data never steer the terminal."""
    return "".join(
        item if item.isprintable() or item in keep else item.encode("unicode_escape").decode()
        for item in text
    )


def say(text: str = "") -> None:
    """A sentence on standard output."""
    _console.print(visible(text), markup=False)


def note(text: str) -> None:
    """A remark on standard error, so that output can be piped."""
    _notes.print(visible(text), markup=False)


def show_json(value: object) -> None:
    """One JSON object on one line."""
    sys.stdout.write(msgspec.json.encode(value, enc_hook=_plain).decode() + "\n")


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def say_folded(text: str) -> None:
    """Print a line, folded between words to the terminal's width, the rest set in beneath it."""
    inset = " " * (len(text) - len(text.lstrip(" ")) + 4)
    folded = textwrap.wrap(
        visible(text),
        max(40, _console.width),
        subsequent_indent=inset,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    for line in folded or [""]:
        _console.print(line, markup=False)


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", right: str = ""
) -> None:
    """A table; `right` names the columns set flush right.

    No word is broken: where the longest words of all columns do not fit side by side, each row is
    written as a block, a line for each column.
    """
    cells = [[visible(item, "") or "–" for item in row] for row in rows]
    widths = _widths([columns, *cells], _console.width)
    if widths is None:
        _show_blocks(columns, cells, title)
        return
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        justify = "right" if column in right.split(",") else "left"
        table.add_column(column, justify=justify, overflow="fold", width=width)  # type: ignore[arg-type] # rich's literals
    for row in cells:
        table.add_row(*map(Text, row))
    _console.print(table)


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """A width for each column in which no word is broken, or None where there is no room for that."""
    columns = list(zip(*rows, strict=True))
    widths = [max(cell_len(word) for cell in column for word in cell.split()) for column in columns]
    wanted = [max(map(cell_len, column)) for column in columns]
    spare = room - sum(widths) - 2 * (len(columns) - 1)
    if spare < 0:
        return None
    # Whoever wants least is served first, so that one long sentence takes what is left.
    order = sorted(range(len(columns)), key=lambda at: wanted[at] - widths[at])
    for served, at in enumerate(order):
        more = min(wanted[at] - widths[at], spare // (len(order) - served))
        widths[at] += more
        spare -= more
    return widths


def _show_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    if title:
        _console.print(Text(title, style="italic"))
    label = max(map(cell_len, columns))
    for number, row in enumerate(rows):
        if number:
            _console.print()
        grid = Table(box=None, pad_edge=False, show_header=False)
        grid.add_column(width=label)
        grid.add_column(overflow="fold")
        for column, cell in zip(columns, row, strict=True):
            grid.add_row(column, Text(cell))
        _console.print(grid)


def check_reason(reason: str) -> None:
    """Refuse an empty reason: it stands in the record for ever."""
    if not reason.strip():
        raise InputError("a reason", where="--reason", found="nothing")


def check_out(path: Path | None) -> None:
    """Refuse a file in a folder that is not there, before any work: a mistyped path makes none.

    Raises:
        InputError: no such folder, or the path is a folder itself.
    """
    if path is not None and not path.parent.is_dir():
        raise InputError(
            "a folder that is there",
            where="--out",
            found=f"no {path.parent}",
            advice="Make it first, or name another.",
            code="out.folder",
        )
    if path is not None and path.is_dir():
        raise InputError(
            "the name of a file", where="--out", found=f"a folder, {path}", code="out.folder"
        )


def fail(error: FedbatchError, *, as_json: bool) -> None:
    """Say what went wrong on standard error, and in the JSON object where one was asked for."""
    if as_json:
        show_json({"error": {"code": error.code, "message": str(error)}})
    note(f"fedbatch: {error} [{error.code}]")


def exit_code(error: FedbatchError) -> int:
    """The exit code of an error, by the nearest class of the tree."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 10)


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose errors become a sentence and an exit code, never a trace."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except FedbatchError as error:
            fail(error, as_json=bool(_argument(kwargs, "as_json")))
            raise typer.Exit(exit_code(error)) from error
        except KeyboardInterrupt as error:
            note("fedbatch: stopped")
            raise typer.Exit(130) from error
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError as error:  # who read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error
        except OSError as error:
            if error.errno not in _DISK:
                _admit(error, as_json=bool(_argument(kwargs, "as_json")))
                raise typer.Exit(OUR_FAULT) from error
            said = StoreError(f"The output could not be written: {os.strerror(error.errno)}.")
            note(f"fedbatch: {said} [{said.code}]")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(exit_code(said)) from error
        except Exception as error:  # the outer loop of every command: a fault of ours, said as such
            _admit(error, as_json=bool(_argument(kwargs, "as_json")))
            raise typer.Exit(OUR_FAULT) from error

    return run


def _admit(error: Exception, *, as_json: bool) -> None:
    """Say that the fault is ours, and leave the trace in a file that a report can carry."""
    if as_json:
        show_json({"error": {"code": "failed", "message": "a fault of Fedbatch"}})
    note("fedbatch: this is a fault of Fedbatch, not yours [failed]. What was promised is kept.")
    try:
        name = _leave_trace(error)
    except OSError as full:
        note(f"The trace could not be left in a file: {full.strerror or full}.")
        return
    note(f"The trace is in {name}; it may hold values of your files, so look before you send it.")


def _leave_trace(error: Exception) -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="fedbatch-fault-", suffix=".txt", delete=False, encoding="utf-8"
    ) as report:
        report.writelines(traceback.format_exception(error))
    return report.name


def _argument(kwargs: dict[str, Any], name: str) -> object:
    return kwargs.get(name)
