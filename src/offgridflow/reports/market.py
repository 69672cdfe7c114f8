"""Market-based figures of rows by the provider's own ratio (methodology.md section 1), as a view beside the ledger's.

For the same account, region and month: direct market = direct location x S2 market / S2 location. The ratio may exceed
1. A figure that a contract already gave stays; what lacks a part stays null.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from offgridflow.reports.figures import EXACT, Row, Scalar
from offgridflow.reports.reported import reported_rows
from offgridflow.reports.scope import EMISSIONS, MONTH_SQL, Filters
from offgridflow.reports.totals import UNKNOWN_PROVENANCE, Provenance, Report, report

if TYPE_CHECKING:
    import duckdb

MARKET: Final = "emissions_at_market"
"""The temporary view that ``market_view`` makes, with the columns of ``emissions``."""

TOTAL_MARKET: Final = "total_market_kgco2e"
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


@dataclass(frozen=True, slots=True)
class MarketReport:
    """A report whose market-based figures follow the provider's ratios; ``cells`` is how many ratios there are.

    Rows and totals have ``total_market_kgco2e`` too: operational, market-based, + embodied; null where a part is.
    """

    report: Report
    cells: int

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape; ``market_by_ratio`` marks that the market-based figures are a view, not stored."""
        return {"market_by_ratio": True, "market_cells": self.cells, **self.report.to_json()}


def market_report(
    con: "duckdb.DuckDBPyConnection",
    by: Sequence[str] = (),
    date_from: str | None = None,
    date_to: str | None = None,
    where: Filters | None = None,
    *,
    provenance: Provenance = UNKNOWN_PROVENANCE,
) -> MarketReport:
    """Return totals by keys over the market-based view; arguments and errors as of ``totals.report``."""
    ratios = market_ratios(con)
    found = report(con, by, date_from, date_to, where, provenance=provenance, view=_view_of(con, ratios))
    whole = replace(
        found,
        rows=tuple(map(_with_total, found.rows)),
        total=tuple(map(_with_total, found.total)),
        impact_total=_with_total(found.impact_total),
    )
    return MarketReport(whole, len(ratios))


def _with_total(row: Row) -> Row:
    """Return a row with its market-based total, after the figure that it is made of."""
    made: Row = {}
    for name, value in row.items():
        made[name] = value
        if name == "total_high_kgco2e":
            made[TOTAL_MARKET] = _sum(row["operational_market_kgco2e"], row["embodied_kgco2e"])
    return made


def _sum(one: Scalar, other: Scalar) -> Decimal | None:
    if not isinstance(one, Decimal) or not isinstance(other, Decimal):
        return None
    return EXACT.add(one, other)


def market_view(con: "duckdb.DuckDBPyConnection") -> str:
    """Make the view of emissions with market-based figures by the provider's ratio, and return its name.

    Without any ratio that is the ledger's own view, and nothing is made.
    """
    return _view_of(con, market_ratios(con))


def _view_of(con: "duckdb.DuckDBPyConnection", ratios: Mapping[_Cell, Decimal]) -> str:
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
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW {MARKET} AS SELECT * EXCLUDE (ratio_month, ratio_provider, ratio_account, "
        f"ratio_region, ratio) REPLACE ("
        f"coalesce(operational_market_kgco2e, {operational}) AS operational_market_kgco2e, "
        f"CASE WHEN operational_market_kgco2e IS NULL THEN coalesce(total_market_kgco2e, {operational} + "
        f"embodied_kgco2e) ELSE total_market_kgco2e END AS total_market_kgco2e) "
        f"FROM {EMISSIONS} LEFT JOIN {_RATIOS} ON ratio_month = {MONTH_SQL} AND ratio_provider = provider "
        f"AND ratio_account IS NOT DISTINCT FROM sub_account_id AND ratio_region IS NOT DISTINCT FROM region_id"
    )
    return MARKET
