"""``offgridflow reconcile``: our estimate beside the provider's own figure, and why they differ."""

from typing import Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import DEFAULT_LIMIT, Format, FormatOption, LedgerOption, LimitOption, names_of
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import open_ledger
from offgridflow.reports.reconcile import CELL_KEYS, WHY_MEANINGS, Reconciliation, Why
from offgridflow.reports.reconcile import reconcile as compare

ORDER = 37
_TITLES = {"sub_account_id": "account", "region_id": "region", "service_name": "service"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="KEY,KEY...", help="Provider and any other of the keys.")
    ] = ",".join(
        CELL_KEYS,
    ),
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM", help="First month, inclusive.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM", help="Last month, inclusive.")] = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Set our estimate beside the provider's own report. By month, account, region and service.

    Scope 2 is compared at the direct boundary, totals at the full one. Each row names likely reasons for a difference.
    """
    with open_ledger(ledger) as opened:
        found = compare(opened.con, first, last, names_of(by), provenance=opened.provenance)
    emit(answer_of(found), form, limit)


def answer_of(found: Reconciliation) -> Answer:
    """Return the reconciliation as it is shown."""
    columns = (
        *(Column(_TITLES.get(key, key), key) for key in found.keys),
        Column("kg direct", "estimate_direct_kgco2e", people.figure),
        Column("reported", "reported_scope_2_location_kgco2e", people.figure),
        Column("ratio", "direct_ratio", people.figure),
        Column("market", "reported_scope_2_market_kgco2e", people.figure),
        Column("why", lambda row: _reasons(row["reasons"])),
    )
    totals = (
        Column("provider", "provider"),
        Column("cells", "cells", people.count),
        Column("kg estimated", "estimate_total_kgco2e", people.figure),
        Column("reported", "reported_total_location_kgco2e", people.figure),
        Column("ratio", "total_ratio", people.figure),
        Column("only estimated", "cells_only_estimated", people.count),
        Column("only reported", "cells_only_reported", people.count),
    )
    rows = sorted(found.rows, key=lambda row: row["direct_ratio"] is None and row["total_ratio"] is None)
    tables = [
        Table("Estimate and report, direct boundary, location-based; what can be compared first", columns, rows),
        Table("Totals over the cells that both have, full boundary", totals, found.totals),
    ]
    seen = {reason for row in found.rows for reason in _listed(row["reasons"])}
    notes = [f"{why.value}: {WHY_MEANINGS[why]}." for why in Why if why.value in seen]
    return Answer(found.to_json(), found.rows, tables, notes=notes)


def _listed(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _reasons(value: object) -> str:
    return ", ".join(_listed(value))
