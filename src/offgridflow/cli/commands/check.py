"""``offgridflow check``: are settings, credentials and permissions right?"""

from typing import Annotated

import typer

from offgridflow.cli.options import Format, FormatOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import settings

ORDER = 120


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    source: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE...]", help="Sources to try; else all.")] = None,
    *,
    form: FormatOption = Format.TABLE,
) -> None:
    """Try settings, credentials and permissions of sources. Nothing is ingested.

    Says which IAM action, role or grant is missing. Exit code 1 says that something is, 2 that settings are wrong.
    """
    from offgridflow.pipeline.doorway import configure_logs  # noqa: PLC0415  the connectors are late
    from offgridflow.pipeline.service import check_configured  # noqa: PLC0415  see above

    chosen = settings()
    configure_logs(chosen)
    reports = check_configured(source or [], chosen)
    rows = [
        {"source": report.source, "step": step.name, "ok": step.ok, "detail": step.detail, "missing": step.missing}
        for report in reports
        for step in report.steps
    ]
    columns = (
        Column("source", "source"),
        Column("step", "step"),
        Column("", lambda row: "ok" if row["ok"] else "FAILED"),
        Column("what was found", "detail"),
        Column("grant", "missing"),
    )
    failing = {step.name for report in reports for step in report.steps if not step.ok}
    ok = not failing
    emit(Answer({"ok": ok, "steps": rows}, rows, [Table("Sources", columns, rows)], notes=[]), form)
    if not ok:
        raise typer.Exit(2 if failing == {"settings"} else 1)
