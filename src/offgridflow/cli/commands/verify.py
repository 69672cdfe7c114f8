"""``offgridflow verify``: prove every figure of the ledger."""

from typing import Annotated

import typer

from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import open_existing

ORDER = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    *,
    version: Annotated[int | None, typer.Option("--version", min=0, help="An older version of the ledger.")] = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check every file, line, cent and impact; print the digest.

    Ledgers with equal digests hold equal rows, wherever and in whatever order they were made. Exit code 1 says that a
    check failed.
    """
    from offgridflow.ledger import verify as prove  # noqa: PLC0415  DuckDB and delta-rs are late

    found = prove(open_existing(ledger).snapshot(version))
    data = found.to_json()
    rows = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in found.checks]
    columns = (
        Column("check", "name"),
        Column("", lambda row: "ok" if row["ok"] else "FAILED"),
        Column("what was found", "detail"),
    )
    title = f"Ledger version {found.ledger_version}"
    notes = [f"Digest {found.digest or 'unknown, the rows cannot be read'}"]
    emit(Answer(data, rows, [Table(title, columns, rows)], notes=notes), form)
    if not found.ok:
        raise typer.Exit(1)
