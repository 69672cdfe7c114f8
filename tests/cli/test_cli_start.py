"""The command line starts fast because heavy imports are late, and every way in works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import offgridflow
from offgridflow.cli import commands
from offgridflow.cli.main import build_app, run
from offgridflow.settings import read_settings

HEAVY = {
    "duckdb",
    "deltalake",
    "arro3",
    "pydantic",
    "pydantic_settings",
    "tenacity",
    "pytz",
    "boto3",
    "fastapi",
    "dbos",
}
_MODULES = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)"


def _loaded_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", f"{code}\n{_MODULES}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    """Engine, ledger, settings and even Rich stay out until a command needs them."""
    assert not _loaded_after("import offgridflow.cli.main; offgridflow.cli.main.build_app()") & {*HEAVY, "rich"}


@pytest.mark.parametrize(
    ("arguments", "by_typer"),
    [(["--help"], set()), (["--version"], set()), (["report", "--help"], {"pydantic", "rich"})],
)
def test_help_loads_nothing_heavy(arguments: list[str], by_typer: set[str]) -> None:
    """Help and version need no engine, ledger or settings; for one command Typer reads pydantic and shows with Rich."""
    loaded = _loaded_after(f"from offgridflow.cli.main import run; run({arguments!r})")
    assert "typer" in loaded
    assert not loaded & ({*HEAVY, "rich"} - by_typer)


def test_importing_the_package_loads_nothing_heavy() -> None:
    """``import offgridflow`` costs nothing; ``offgridflow.open`` brings the engine when it is asked for."""
    assert not _loaded_after("import offgridflow") & {*HEAVY, "rich", "typer"}
    assert "duckdb" in _loaded_after("import offgridflow; offgridflow.open")


def test_python_dash_m_is_the_command() -> None:
    """``python -m offgridflow`` and the installed command answer alike."""
    by_module = subprocess.run([sys.executable, "-m", "offgridflow", "--version"], capture_output=True, check=True)
    assert by_module.stdout.decode() == f"offgridflow {offgridflow.__version__}\n"


def test_an_unknown_attribute_of_the_package_is_an_attribute_error() -> None:
    """Late names do not hide typing errors."""
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        offgridflow.opne  # noqa: B018 - the access is the test


def test_every_command_has_help_and_a_format(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command answers --help with code 0 and knows --format table, json and csv."""
    names = [info.name for info in build_app().registered_commands]
    assert len(names) == len(set(names))
    for name in names:
        assert name is not None
        assert run([name, "--help"]) == 0
        shown = capsys.readouterr().out
        if name not in WITHOUT_FORMAT:
            assert "--format" in shown, name


WITHOUT_FORMAT = {"serve", "init"}
"""Commands that answer with something else than data."""


def test_no_command_at_all_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Bare ``offgridflow`` explains itself and ends with code 2."""
    assert run([]) == 2
    captured = capsys.readouterr()
    assert "Usage: offgridflow" in captured.out + captured.err


def test_the_list_of_commands_is_whole_on_a_narrow_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """With 80 columns the first sentence of every command stands in the list, not a part of it."""
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out.split("Commands:\n")[1].splitlines()
    app = build_app()
    assert len(listed) == len(app.registered_commands) + len(app.registered_groups)
    assert [line for line in listed if line.endswith("...")] == []


def test_the_package_of_commands_says_how_to_add_one() -> None:
    """A newcomer finds ORDER and register in the docstring."""
    assert "register(app)" in str(commands.__doc__)


def test_init_writes_settings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``init`` writes settings that are accepted and mean the defaults; a file that is there stays as it is."""
    monkeypatch.chdir(tmp_path)
    usual = read_settings(tmp_path).model_dump()
    assert run(["init"]) == 0
    assert read_settings(tmp_path).model_dump() == usual
    written = Path("offgridflow.toml").read_text(encoding="utf-8")
    Path("offgridflow.toml").write_text(written + "# mine\n", encoding="utf-8")
    capsys.readouterr()
    assert run(["init"]) == 2
    assert "offgridflow.toml is there already" in capsys.readouterr().err
    assert Path("offgridflow.toml").read_text(encoding="utf-8") == written + "# mine\n"
