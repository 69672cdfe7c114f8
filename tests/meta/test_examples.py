"""The examples in docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
SHOWING = sorted(path for path in SOURCES.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: path.name)
def test_examples_give_what_they_show(path: Path) -> None:
    """Each example of a docstring that does not say that it is skipped gives what stands below it."""
    module = importlib.import_module(".".join(path.relative_to(SOURCES).with_suffix("").parts))
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 0 or "+SKIP" in path.read_text(encoding="utf-8")
