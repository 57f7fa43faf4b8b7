"""The reference is complete and equal to the code; links lead somewhere; words are the field's."""

import re
from pathlib import Path

import pytest
import typer

from fedbatch.cli import app
from fedbatch.errors import FedbatchError
from fedbatch.node.settings import SETTINGS, Settings
from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.standard.rulebook import RULES
from tests.docs.write_reference import FOLDER, PAGES, ROOT, commands, error_rows

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("name", PAGES)
def test_page_equals_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == PAGES[name](), "run `make reference`"


def test_every_command_is_explained_and_its_json_documented() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    for name, command in commands(root, ("fedbatch",)):
        assert isinstance(command, typer.core.TyperCommand)
        options = {option for item in command.params for option in item.opts}
        assert command.help, name
        assert ("--json" in options) == ("JSON:" in command.help), name
        for item in command.params:
            assert getattr(item, "help", None), f"{name}: {item.name}"


def test_every_rule_code_setting_and_record_type_is_documented() -> None:
    reference = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.md"))
    for name in (*RULES, *error_rows(), *SETTINGS):
        assert f"`{name}`" in reference, name
    assert set(SETTINGS) == set(Settings.__struct_fields__)
    standard = "".join(p.read_text("utf-8") for p in (ROOT / "docs/standard").rglob("*.md"))
    for name in RECORD_TYPES:
        assert name in standard, name


def test_a_rule_that_is_not_documented_would_be_missed() -> None:
    reference = (FOLDER / "rules.md").read_text("utf-8")
    assert "`rule.that_is_not_there`" not in reference


def test_every_class_of_the_tree_has_its_exit_code_in_the_reference() -> None:
    page = (FOLDER / "commands.md").read_text("utf-8")
    for kind in FedbatchError.__subclasses__():
        if kind.__module__ == "fedbatch.errors":
            assert (kind.__doc__ or "").splitlines()[0] in page, kind


def _pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_two_commands_of_the_readme_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_commands_named_in_the_docs_exist() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    known = {name for name, _ in commands(root, ("fedbatch",))}
    groups = {" ".join(name.split()[:2]) for name in known}
    for page in _pages():
        for said in re.findall(r"`(fedbatch [a-z]+(?: [a-z]+)?)", page.read_text("utf-8")):
            whole, first = said, " ".join(said.split()[:2])
            assert whole in known or first in known | groups, f"{page.name}: {said}"
