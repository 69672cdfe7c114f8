"""``offgridflow forget``: take a source, or one period of it, out of the ledger."""

from typing import Annotated

import typer

from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import open_existing
from offgridflow.domain.errors import UsageError
from offgridflow.domain.periods import Month

ORDER = 42


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget")(forget)


def forget(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of the source, for example aws/123456789012.")],
    period: Annotated[str | None, typer.Argument(metavar="[YYYY-MM]", help="One billing period; else all.")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing happens.")] = False,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Take a source, or a billing period of it, out of the ledger.

    Older versions of the ledger still show it, until maintain removes their files after the retention.
    """
    from offgridflow.ledger import forget as take_out  # noqa: PLC0415  delta-rs is late

    if period is not None:
        _check(period)
    if not yes:
        sentence = f"This takes {source} {period or 'with all its periods'} out of the ledger."
        raise UsageError(sentence, action="Add --yes to do it.")
    done = take_out(open_existing(ledger), source, period)
    rows = [{"source": name, "billing_period": month} for name, month in done.periods]
    columns = (Column("source", "source"), Column("period", "billing_period"))
    data = {"ledger_version": done.version, "forgotten": rows}
    emit(Answer(data, rows, [Table(f"Forgotten in version {done.version}", columns, rows)]), form)


def _check(period: str) -> None:
    try:
        Month.parse(period)
    except ValueError as error:
        sentence = f"{error}."
        raise UsageError(sentence, action="Give a billing period, or none for all.") from error
