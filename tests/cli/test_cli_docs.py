"""The page on the command line is what the program says of itself."""

import subprocess
import sys
from pathlib import Path

import offgridflow.cli.commands

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_program_says() -> None:
    """docs/cli.md equals what its tool generates; else the tool says which command brings it up to date."""
    tool = ROOT / "tools" / "build_cli_docs.py"
    done = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_module_has_an_entry() -> None:
    """Each module of cli/commands registers a command of its own name, and the page has a section for it."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    folder = Path(next(iter(offgridflow.cli.commands.__path__)))
    names = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
    assert len(names) >= 8
    for name in names:
        assert f"\n## {name.replace('_', '-')}\n" in page
