"""The command ``offgridflow``: finds the commands, runs one, and turns whatever goes wrong into one sentence."""

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from offgridflow.cli import commands
from offgridflow.cli.failures import exit_code_of, show, show_unexpected, show_usage
from offgridflow.domain.errors import OffGridFlowError

_INTERRUPTED = 130
_NOTHING_ASKED = 2


def _version(wanted: bool) -> None:  # noqa: FBT001  Typer calls it with the flag
    if wanted:
        from offgridflow import __version__  # noqa: PLC0415  reads the installed metadata, only when asked

        typer.echo(f"offgridflow {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Cloud bills in, an explained carbon footprint out: emissions = activity x rate, every figure traceable."""


def build_app() -> typer.Typer:
    """Return the app with every module of ``offgridflow.cli.commands`` registered in its order."""
    app = typer.Typer(
        name="offgridflow",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    found = [
        importlib.import_module(f"{commands.__name__}.{module.name}")
        for module in pkgutil.iter_modules(commands.__path__)
        if not module.name.startswith("_")
    ]
    for module in sorted(found, key=lambda module: (module.ORDER, module.__name__)):
        module.register(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code: 0 done, 1 something failed, 2 wrong usage or settings."""
    command = typer.main.get_group(build_app())
    command.rich_markup_mode = None  # the list of commands in plain text: loading Rich would take as long as all else
    try:
        code = command.main(args=list(arguments) or ["--help"], prog_name="offgridflow", standalone_mode=False)
    except OffGridFlowError as error:
        show(error)
        return exit_code_of(error)
    except TyperException as error:
        show_usage(error)
        return 2
    except typer.Abort:
        return _INTERRUPTED
    if not arguments:
        return _NOTHING_ASKED
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    sys.excepthook = show_unexpected
    sys.exit(run(sys.argv[1:]))
