"""Market-based figures of rows by the provider's own ratio (methodology.md section 1), as a view beside the ledger's.

For the same account, region and month: direct market = direct location x S2 market / S2 location. The ratio may exceed
1. A figure that a contract already gave stays; what lacks a part stays null.
"""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from offgridflow.reports.figures import EXACT
from offgridflow.reports.reported import reported_rows
from offgridflow.reports.scope import EMISSIONS

if TYPE_CHECKING:
    import duckdb

MARKET: Final = "emissions_at_market"
"""The temporary view that ``market_view`` makes, with the columns of ``emissions``."""

_RATIOS: Final = "market_ratios"
_Cell = tuple[str, str, str | None, str | None]


def market_ratios(con: "duckdb.DuckDBPyConnection") -> dict[_Cell, Decimal]:
    """Return S2 market / S2 location by (month, provider, sub_account_id, region_id).

    A cell with an unknown figure, or without any location-based emissions, has none.
    """
    sums: dict[_Cell, tuple[Decimal, Decimal] | None] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for row in reported_rows(con, "0000-00", "9999-99"):
        cell = (row["month"], row["provider"], row["sub_account_id"], row["region_id"])
        location, market = row["scope_2_location_kgco2e"], row["scope_2_market_kgco2e"]
        known = sums[cell]
        if location is None or market is None or known is None:
            sums[cell] = None
        else:
            sums[cell] = (EXACT.add(known[0], location), EXACT.add(known[1], market))
    return {
        cell: EXACT.divide(known[1], known[0]) for cell, known in sums.items() if known is not None and known[0] > 0
    }


def market_view(con: "duckdb.DuckDBPyConnection") -> str:
    """Make the view of emissions with market-based figures by the provider's ratio, and return its name.

    Without any ratio that is the ledger's own view, and nothing is made.
    """
    ratios = market_ratios(con)
    if not ratios:
        return EMISSIONS
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_RATIOS} (ratio_month VARCHAR, ratio_provider VARCHAR, "
        f"ratio_account VARCHAR, ratio_region VARCHAR, ratio DOUBLE)"
    )
    con.executemany(
        f"INSERT INTO {_RATIOS} VALUES (?, ?, ?, ?, ?)", [(*cell, float(ratio)) for cell, ratio in ratios.items()]
    )
    operational = "operational_direct_kgco2e * ratio + operational_upstream_kgco2e"
    month = "strftime(charge_period_start AT TIME ZONE 'UTC', '%Y-%m')"
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW {MARKET} AS SELECT * EXCLUDE (ratio_month, ratio_provider, ratio_account, "
        f"ratio_region, ratio) REPLACE ("
        f"coalesce(operational_market_kgco2e, {operational}) AS operational_market_kgco2e, "
        f"CASE WHEN operational_market_kgco2e IS NULL THEN coalesce(total_market_kgco2e, {operational} + "
        f"embodied_kgco2e) ELSE total_market_kgco2e END AS total_market_kgco2e) "
        f"FROM {EMISSIONS} LEFT JOIN {_RATIOS} ON ratio_month = {month} AND ratio_provider = provider "
        f"AND ratio_account IS NOT DISTINCT FROM sub_account_id AND ratio_region IS NOT DISTINCT FROM region_id"
    )
    return MARKET
