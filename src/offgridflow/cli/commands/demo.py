"""``offgridflow demo``: made-up bills of three clouds in, a report out, then the dashboard."""

import importlib
import importlib.util
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from offgridflow.cli.commands import ingest as ingest_command
from offgridflow.cli.commands import report as report_command
from offgridflow.cli.options import DEFAULT_LIMIT, Format, FormatOption
from offgridflow.cli.output import emit
from offgridflow.cli.session import open_ledger
from offgridflow.domain.periods import Month

ORDER = 10
SEED = 20
MONTHS = 3
TAG_KEYS = ("team", "environment")
"""Tags of the sample bills that the ledger keeps apart, so that it can be asked and shown by them."""
_SERVE = "offgridflow.cli.commands.serve"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    *,
    folder: Annotated[Path, typer.Option("--folder", help="Where sample exports and ledger go.")] = Path("demo"),
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop after the report.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Generate sample bills of three clouds, ingest and report them.

    Without --no-serve the dashboard starts on the same ledger. Nothing leaves this machine, and nothing outside of
    --folder is touched.
    """
    from offgridflow.pipeline.samples import write_samples  # noqa: PLC0415  the engine is late

    exports, ledger = folder / "exports", str(folder / "ledger")
    write_samples(exports, SEED, complete_months(datetime.now(UTC).date(), MONTHS))
    result = ingest_command.run([exports], ledger, {"replace": True}, TAG_KEYS)
    with open_ledger(ledger) as opened:
        found = opened.report(("provider", "service_name"))
    emit(report_command.answer_of(found), form, DEFAULT_LIMIT)
    if form is Format.TABLE:
        typer.echo(f"\n{further(sys.argv[0], ledger)}")
    if result.status != "ok":
        raise typer.Exit(1)
    if not no_serve and importlib.util.find_spec(_SERVE) is not None:
        importlib.import_module(_SERVE).serve(ledger=ledger)


def further(program: str, ledger: str) -> str:
    """Return the commands to go on with, to be copied as they stand: by the path of the program, if that was typed."""
    name = program if Path(program).name == "offgridflow" else "offgridflow"
    commands = {
        "the dashboard": "serve",
        "by a tag of the bills": f"report --by tag:{TAG_KEYS[0]}",
        "what was estimated, and how": "coverage",
        "down to factors": "explain",
    }
    return "\n".join(
        ["Look further:", *(f"  {name} {command} --ledger {ledger}  # {what}" for what, command in commands.items())]
    )


def complete_months(today: date, count: int) -> list[Month]:
    """Return the last ``count`` months that ended before ``today``'s, oldest first."""
    last = today.year * 12 + today.month - 2
    return [Month(index // 12, index % 12 + 1) for index in range(last - count + 1, last + 1)]
