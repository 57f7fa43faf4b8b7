"""The house stays in order: where SQL, wide excepts and odd words may stand; our figures, printed."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src" / "fedbatch").rglob("*.py"))
_SQL = re.compile(r"\b(select .+ from|insert (or \w+ )?into|update \w+ set|delete from)\b")
# The outer loops in which anything may be caught (STYLE §6).
_WIDE = {"node/server.py": 1, "cli/output.py": 1}
_OURS = ("src", "tests", "docs", "verifier")


def _rel(path: Path) -> str:
    return str(path.relative_to(ROOT / "src" / "fedbatch"))


def _texts(tree: ast.AST) -> list[str]:
    documentation = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value not in documentation
    ]


@pytest.mark.parametrize("path", SOURCES, ids=_rel)
def test_sql_stands_in_the_store_alone(path: Path) -> None:
    if _rel(path).startswith(("store/", "bench/")):
        return
    found = [text for text in _texts(ast.parse(path.read_text("utf-8"))) if _SQL.search(text)]
    assert found == []


def test_sql_would_be_seen() -> None:
    assert _SQL.search("select a from b")


@pytest.mark.parametrize("path", SOURCES, ids=_rel)
def test_wide_excepts_stand_where_they_are_listed(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    wide = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert len(wide) == _WIDE.get(_rel(path), 0)


def test_exceptions_to_checks_give_their_reason() -> None:
    pattern = re.compile(r"#\s*(noqa|type: ignore|pragma: no cover)([^\n]*)")
    for path in SOURCES:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            match = pattern.search(line)
            if match:
                # After the codes comes a reason, behind a dash or a second #.
                assert re.search(r"( - |\s#\s|: )\w", match[2]), f"{_rel(path)}:{number}"


def test_todo_names_an_issue() -> None:
    for path in SOURCES:
        for line in path.read_text("utf-8").splitlines():
            assert "TODO" not in line or re.search(r"TODO \(?#\d+", line), f"{_rel(path)}: {line}"


def test_no_address_of_a_package_registry_or_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - git is found on the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in listed:
        if name.startswith("tests/test_tidy") or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_text("utf-8", errors="replace")
        for word in ("pypi.org", "files.pythonhosted", "registry.npmjs", "/work/", "/root/"):
            assert word not in text, f"{name}: {word}"


def test_figures_of_the_house(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, and no limit: they show how the house grows."""
    lengths, files = [], []
    for path in SOURCES:
        text = path.read_text("utf-8")
        files.append(text.count("\n"))
        lengths += [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
    ninth = statistics.quantiles(lengths, n=10)[-1]
    with capsys.disabled():
        print(  # noqa: T201 - this test exists to print
            f"\n{len(files)} files, {sum(files)} lines; functions: {len(lengths)}, median "
            f"{statistics.median(lengths):.0f}, nine in ten at most {ninth:.0f}, longest {max(lengths)}"
        )
    assert lengths
