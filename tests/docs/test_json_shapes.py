"""What `--json` prints has the keys that the command's help documents, for every command."""

import json
import re
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from fedbatch.cli import app
from tests.docs.write_reference import commands
from tests.scenarios.tables import MAPPING, Product, laboratory_table
from tests.scenarios.world import World

PRODUCT = Product(code="T-100", name="Alpinol 20 mg", batches=15, first=2001)


def documented() -> dict[str, set[str]]:
    """Top-level keys of each command's JSON, as its help says them."""
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    found = {}
    for name, command in commands(root, ()):
        assert isinstance(command, typer.core.TyperCommand)
        _, _, shape = (command.help or "").partition("JSON:")
        found[name] = _keys(" ".join(shape.split()))
    return found


def _keys(shape: str) -> set[str]:
    """Names at the first level of the first braces of a shape."""
    depth, word, keys, named = 0, "", set(), False
    for character in shape:
        if character in "{[":
            depth += 1
            continue
        if character in "]}":
            depth -= 1
            if depth == 0:
                break
            continue
        if depth == 1 and character == ":":
            named = True
        elif depth == 1 and character == ",":
            keys.add(word.strip())
            word, named = "", False
        elif depth == 1 and not named:
            word += character
    return {key for key in {*keys, word.strip()} if re.fullmatch(r"\w+", key)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two nodes that exchange, built through the library; the commands then run on their homes."""
    folder = tmp_path_factory.mktemp("shapes")
    made = World(folder)
    cmo, sponsor = made.node("cmo"), made.node("sponsor", listens=True)
    made.pair(cmo, sponsor)
    (folder / "laboratory.yaml").write_text(MAPPING, encoding="utf-8")
    (folder / "laboratory.csv").write_bytes(laboratory_table([PRODUCT]))
    yield made
    made.close()


def run(world: World, *words: str, codes: tuple[int, ...] = (0,)) -> dict[str, object]:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code in codes, done.output
    said: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_every_json_has_the_documented_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.folder
    monkeypatch.chdir(folder)
    keys = documented()
    seen: set[str] = set()

    def check(
        name: str, *words: str, home: str = "cmo", codes: tuple[int, ...] = (0,)
    ) -> dict[str, object]:
        options = ("--home", home) if "--home" in options_of(name) else ()
        said = run(world, *name.split(), *words, *options, codes=codes)
        assert set(said) == keys[name], name
        seen.add(name)
        return said

    check("check", "laboratory.csv", codes=(1,))
    check("init", "--name", "Third", home="third")
    check("person", "--add", "Bo", "--role", "quality", "--role", "reviewer")
    check("invite", home="sponsor")
    check("map new", "laboratory.csv", "--out", "draft.yaml")
    check("map terms", "hardness")
    check("map check", "laboratory.yaml")
    check("map confirm", "laboratory.yaml", "--as", "u-1")
    check("import", "laboratory.csv", "--as", "u-1", codes=(1,))
    check("journal list")
    held = check("journal held")["held"]
    assert isinstance(held, list)
    check("journal decide", held[0]["id"], "--dismiss", "--reason", "x", "--as", "u-1")
    check("agreement new", "Maker AG", "--one-sided", "--out", "alone.yaml", home="third")
    text = (folder / "alone.yaml").read_text("utf-8")
    (folder / "alone.yaml").write_text(text.replace('"?"', '"Alpinol"'), encoding="utf-8")
    check("agreement sign", "alone.yaml", home="third")
    check("agreement new", "sponsor", "--out", "agreement.yaml")
    text = (folder / "agreement.yaml").read_text("utf-8")
    text = text.replace('name: "?"', 'name: "Alpinol"').replace('value: "?"', 'value: "T-100"')
    (folder / "agreement.yaml").write_text(text, encoding="utf-8")
    check("agreement check", "agreement.yaml")
    proposed = check("agreement propose", "agreement.yaml", "--as", "u-1")
    cmo, sponsor = world.nodes["cmo"], world.nodes["sponsor"]
    world.sync(cmo, sponsor)
    check("agreement accept", home="sponsor")
    for _ in range(3):
        world.sync(cmo, sponsor)
    assert run(world, "agreement", "show", "--home", "cmo")["agreements"]
    seen.add("agreement show")
    check("share", "--as", "u-1")
    world.sync(cmo, sponsor)
    check("status")
    check("batches", home="sponsor")
    results = check("results", home="sponsor")["results"]
    assert isinstance(results, list)
    check("provenance", "B2001", "ASSAY", home="sponsor")
    check("findings", home="sponsor")
    check("verify", home="sponsor")
    check("keys list")
    check("keys rotate", "cosign", "--reason", "x", "--as", "u-1")
    check("keys revoke", "link", "--reason", "x", "--as", "u-1")
    for name in ("one", "two"):
        (folder / name).write_text(f"passphrase of officer {name}", encoding="utf-8")
    both = ("--passphrase-file", "one", "--passphrase-file", "two")
    check("keys backup", "cmo.keys", *both, "--as", "u-1")
    check("backup", "cmo.backup", "--manifest", "manifest.json", "--as", "u-1")
    check("restore", "cmo.backup", "fourth", "--manifest", "manifest.json")
    check("keys restore", "cmo.keys", *both, home="fourth")
    check("approve", "B2001", "--as", "u-2")
    check("correct", "B2002", "assay", "--value", "99.99", "--reason", "x", "--as", "u-1")
    check("withdraw", "B2003", "--reason", "x", "--as", "u-1")
    for table in ("results", "batches", "findings"):
        check(f"export {table}", "--out", f"{table}.csv", home="sponsor")
    check("export ledger", "tiles", home="sponsor")
    check("series", "B2001", home="sponsor")
    check("export series", "B2001", "--out", "series.parquet", home="sponsor")
    check("export proof", results[0]["entry"], "proof", home="sponsor")
    agreement = str(proposed["agreement"])
    check("agreement pause", agreement, "--reason", "x", "--as", "u-1")
    check("agreement resume", agreement, "--reason", "x", "--as", "u-1")
    world.sync(cmo, sponsor)
    check("keys succeed", "--reason", "x", home="sponsor")
    world.sync(cmo, sponsor)
    check("keys confirm", "--as", "u-1")
    check("rebuild", home="sponsor")
    check("agreement end", agreement, "--reason", "x", "--as", "u-1")
    # These need a second process or minutes; scenarios, the demo and the bench run them.
    assert keys.keys() - seen == {"accept", "confirm", "sync", "serve", "demo", "bench"}


def options_of(name: str) -> set[str]:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    command = dict(commands(root, ()))[name]
    assert isinstance(command, typer.core.TyperCommand)
    return {option for item in command.params for option in item.opts}
