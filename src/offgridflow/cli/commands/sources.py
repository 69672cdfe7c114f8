"""``offgridflow sources``: what is configured, and what came last of it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from offgridflow.cli import people
from offgridflow.cli.options import Format, FormatOption, LedgerOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import ledger_uri, settings
from offgridflow.domain.errors import LedgerError
from offgridflow.reports.sources import SourceState, sources_of

if TYPE_CHECKING:
    from offgridflow.ledger import LiveCommit
    from offgridflow.ledger.reported import LiveReport

ORDER = 110


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sources")(sources)


def sources(*, ledger: LedgerOption = None, form: FormatOption = Format.TABLE) -> None:
    """List sources with their last delivery and its age. Those of the settings and those found in the ledger."""
    configured = {name: str(table.get("type", "")) for name, table in settings().sources.items()}
    rows = rows_of(configured, _live(ledger), datetime.now(UTC), _reports(ledger))
    columns = (
        Column("source", "source"),
        Column("type", "type"),
        Column("periods", "periods", people.count),
        Column("newest", "newest_period"),
        Column("lines", "line_items", people.count),
        Column("committed", "committed_at"),
        Column("hours ago", "lag_hours", people.figure),
    )
    emit(Answer({"sources": rows}, rows, [Table("Sources", columns, rows)], notes=[]), form)


def _live(ledger: str | None) -> "Iterable[LiveCommit]":
    from offgridflow.ledger import Ledger  # noqa: PLC0415  delta-rs is late

    try:
        return Ledger.open(ledger_uri(ledger)).live().values()
    except LedgerError:
        return ()


def _reports(ledger: str | None) -> "Iterable[LiveReport]":
    from offgridflow.ledger import Ledger  # noqa: PLC0415  delta-rs is late

    try:
        return Ledger.open(ledger_uri(ledger)).reported.head().reports.values()
    except LedgerError:
        return ()


def rows_of(
    configured: Mapping[str, str],
    live: "Iterable[LiveCommit]",
    now: datetime,
    reports: "Iterable[LiveReport]" = (),
) -> list[Mapping[str, object]]:
    """Return one row per source; ``lag_hours`` is since the last commit of any of its periods.

    A source of a provider's report has its months as periods, and no lines.
    """
    return [_row(state, now) for state in sources_of(configured, live, reports)]


def _row(state: SourceState, now: datetime) -> Mapping[str, object]:
    last = state.last_committed_at
    return {
        "source": state.source,
        "type": state.type,
        "periods": state.periods,
        "newest_period": state.newest_period,
        "line_items": state.line_items,
        "committed_at": None if last is None else last.astimezone(UTC).isoformat(timespec="seconds"),
        "lag_hours": None if last is None else round((now - last).total_seconds() / 3600, 1),
    }
