"""``offgridflow rerate``: the stored activities under the present factors and settings."""

from typing import Annotated

import typer

from offgridflow.cli.commands.ingest import answer_of
from offgridflow.cli.options import (
    FirstPeriodOption,
    Format,
    FormatOption,
    LastPeriodOption,
    LedgerOption,
    periods_of,
)
from offgridflow.cli.output import emit
from offgridflow.cli.session import ledger_uri, progress, settings

ORDER = 45


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rerate")(rerate)


def rerate(
    *,
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    date_from: FirstPeriodOption = None,
    date_to: LastPeriodOption = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Rate the ledger again by present factors and settings. Nothing is fetched.

    Each billing period is replaced whole; what it was before stays readable by version.
    """
    from offgridflow.pipeline.service import rerate_ledger  # noqa: PLC0415  the engine is late

    first, last = periods_of(date_from, date_to)
    with progress() as listen:
        result = rerate_ledger(ledger_uri(ledger), settings(), (source, first, last), listen)
    emit(answer_of(result), form)
    if result.status != "ok":
        raise typer.Exit(1)
