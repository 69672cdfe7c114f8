"""Laws of the house that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
BOUNDARIES = {"offgridflow/pipeline/worker.py": 1}
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_test_states_its_law(path: Path) -> None:
    """Each test function has a docstring that says in a sentence what it proves."""
    silent = [node.name for node in _functions(path) if node.name.startswith("test_") and not ast.get_docstring(node)]
    assert silent == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_test_can_fail(path: Path) -> None:
    """Each test function asserts, expects an exception, or calls a helper whose name says that it checks."""
    text = {node.name: ast.unparse(node) for node in _functions(path) if node.name.startswith("test_")}
    toothless = [
        name for name, body in text.items() if not re.search(r"assert|pytest\.(raises|fail|warns)|check_", body)
    ]
    assert toothless == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_no_exception_is_caught_broadly(path: Path) -> None:
    """Nothing catches Exception, BaseException, or everything, but the worker's loop, which logs it and goes on."""
    caught = [
        handler.lineno
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})
    ]
    assert len(caught) == BOUNDARIES.get(str(path.relative_to(ROOT / "src")), 0), caught


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_functions_stay_readable(path: Path) -> None:
    """No function is longer than 70 lines, no module longer than 800."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 800
    long = [node.name for node in _functions(path) if (node.end_lineno or node.lineno) - node.lineno >= 70]
    assert long == []


def test_every_error_code_is_explained() -> None:
    """Each error code that the sources raise is a heading of docs/errors.md, and each heading is raised somewhere."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    raised = set(re.findall(r'\bcode=\s*"([A-Z][A-Z_]+)"', text))
    raised |= set(re.findall(r'^    code = "([A-Z][A-Z_]+)"', text, re.MULTILINE))
    explained = set(
        re.findall(r"^## ([A-Z0-9_]+)$", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert raised - explained == set()
    assert {code for code in explained if f'"{code}"' not in text and not code.startswith("PROVIDER_")} == set()


def test_promises_name_tests_that_exist() -> None:
    """Each promise of docs/promises.md names a test, and each named test exists."""
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "|---"))]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), (file, name)


def test_changelog_knows_the_version() -> None:
    """The version of pyproject.toml has a heading in CHANGELOG.md, or the changelog has unreleased entries."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {version}" in changelog or "## Unreleased\n\n- " in changelog


def test_nothing_of_this_machine_is_committed() -> None:
    """No tracked text names a work folder, a home folder, or a registry's host."""
    foreign = re.compile(r"/work/(main|shared|scratch)|/home/\w+/|/root/|files\.pythonhosted\.org|registry\.npmjs")
    found = [
        str(path.relative_to(ROOT))
        for pattern in ("src/**/*", "tests/**/*", "tools/*", "bench/**/*", "docs/**/*", "*.md", "*.toml", "Makefile")
        for path in ROOT.glob(pattern)
        if path.is_file()
        and path.suffix in {".py", ".md", ".sql", ".toml", ".csv", ".json", ""}
        and path != Path(__file__)
        if foreign.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []
