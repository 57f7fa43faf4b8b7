"""Settings of a home, in `node.toml`. Secrets never stand there."""

import os
import re
import tomllib
from pathlib import Path

import msgspec

from fedbatch.errors import ConflictError, InputError, expectation
from fedbatch.store.objects import write_durably

__all__ = [
    "SETTINGS",
    "Settings",
    "find_home",
    "load_settings",
    "not_empty",
    "write_clock",
    "write_settings",
]

_TEMPLATE = """\
# Settings of this Fedbatch node. Secrets do not belong here.

# The party that keeps this node: a random id made by `fedbatch init`, and its printed name.
party = {party}
name = {name}

# The node's name in its ledgers; it never changes, and needs no DNS.
node = {node}

# Where this node listens for its partners: HOST:PORT, or "" to dial only.
listen = {listen}

# What partners dial: https://HOST:PORT, or http:// on loopback; "" if nobody can.
address = {address}

# For demonstrations: a clock that runs faster, as INSTANT REAL_SECONDS SPEED; "" for the machine's.
clock = {clock}
"""


# What each setting means; the reference is made from it.
SETTINGS = {
    "party": "The party that keeps this node: a random id made by `fedbatch init`; never changed.",
    "name": "The party's printed name.",
    "node": "The node's name in its ledgers; it never changes, and needs no DNS.",
    "listen": 'HOST:PORT at which this node listens for its partners, or "" to dial only.',
    "clock": "For demonstrations: a clock that runs faster, as INSTANT REAL_SECONDS SPEED.",
    "address": 'What partners dial: https://HOST:PORT, or http:// on loopback; "" if nobody can.',
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `node.toml` says."""

    party: str
    name: str
    node: str
    listen: str = ""
    address: str = ""
    clock: str = ""


def find_home(given: str | None) -> Path:
    """The home: `--home`, else FEDBATCH_HOME, else `~/.fedbatch`."""
    return Path(given or os.environ.get("FEDBATCH_HOME") or Path.home() / ".fedbatch")


def load_settings(home: Path) -> Settings:
    """The settings of a home.

    Raises:
        InputError: no home there, or settings that are none.
    """
    path = home / "node.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(found, Settings)
    except FileNotFoundError as error:
        raise InputError(
            "a Fedbatch home",
            where=str(home),
            found="none",
            advice="`fedbatch init --name NAME` makes one; --home or FEDBATCH_HOME names another.",
            code="home.none",
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            "settings", where=str(path), found=str(error), code="home.settings"
        ) from error


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def not_empty(folder: Path) -> str:
    """What is wrong with a folder for a new home that holds something, as a sentence."""
    names = sorted(item.name for item in folder.iterdir() if item.name != "keys")
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return expectation(
        "a folder that is empty, or not there yet",
        str(folder),
        f"{names[0] if names else 'keys'}{more}",
        "Name another with --home, so that nothing is mixed up.",
    )


def write_settings(home: Path, settings: Settings) -> None:
    """Write the settings of a new home.

    Raises:
        ConflictError: there is one.
    """
    path = home / "node.toml"
    if path.exists():
        raise ConflictError(
            expectation(
                "a folder that is no Fedbatch home yet",
                str(home),
                "node.toml",
                "Name another with --home, or go on with this one.",
            ),
            code="home.exists",
        )
    values = {name: _quoted(getattr(settings, name)) for name in Settings.__struct_fields__}
    write_durably(path, _TEMPLATE.format(**values).encode())


def write_clock(home: Path, clock: str) -> None:
    """Change the clock that a home's settings name; see `clock_of`."""
    path = home / "node.toml"
    text = path.read_text(encoding="utf-8")
    line = f"clock = {_quoted(clock)}"
    write_durably(path, re.sub(r"(?m)^clock = .*$", lambda _: line, text).encode())
