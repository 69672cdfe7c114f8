"""Coverage and assumptions at a glance: what a page shows beside every total. Reads rows or a rollup alike."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from offgridflow.domain.model import DECIMAL
from offgridflow.reports.figures import Row, ratio, total_of
from offgridflow.reports.records import records
from offgridflow.reports.scope import EMISSIONS, Filters, scope_of
from offgridflow.reports.totals import COST_WEIGHT

if TYPE_CHECKING:
    from decimal import Decimal

    import duckdb


@dataclass(frozen=True, slots=True)
class Glance:
    """``buckets``: cost weight and lines by currency and coverage bucket. ``assumptions``: what each touches, in kg.

    ``assumptions`` have ``assumption``, ``total_kgco2e`` and ``share`` of the estimated total, the largest first; an
    estimate rests on several, so that the shares do not add up to 1.
    """

    buckets: tuple[Row, ...]
    assumptions: tuple[Row, ...]


def glance(
    con: "duckdb.DuckDBPyConnection",
    date_from: str | None = None,
    date_to: str | None = None,
    where: Filters | None = None,
    *,
    view: str = EMISSIONS,
) -> Glance:
    """Return coverage and assumptions of the usage rows; the arguments are those of ``totals.report``."""
    scope = scope_of(date_from, date_to, where or {}, view)
    condition, values = scope.where("usage")
    buckets = records(
        con,
        f"SELECT billing_currency, coverage_bucket, sum({COST_WEIGHT}) AS cost, sum(line_items)::BIGINT AS line_items "
        f"FROM {scope.view} WHERE {condition} GROUP BY ALL ORDER BY ALL",
        values,
    )
    found = records(
        con,
        "SELECT assumption, sum(kg) AS total_kgco2e FROM (SELECT unnest(assumptions) AS assumption, "
        f"total_kgco2e::{DECIMAL} AS kg FROM {scope.view} WHERE {condition} AND total_kgco2e IS NOT NULL) "
        "GROUP BY assumption ORDER BY total_kgco2e DESC, assumption",
        values,
    )
    whole = _total(con, scope.view, condition, values)
    assumptions = [{**row, "share": ratio(row["total_kgco2e"], whole)} for row in found]
    return Glance(tuple(buckets), tuple(assumptions))


def _total(con: "duckdb.DuckDBPyConnection", view: str, condition: str, values: list[object]) -> "Decimal | None":
    rows = con.execute(f"SELECT sum(total_kgco2e::{DECIMAL}) FROM {view} WHERE {condition}", values).fetchall()
    return total_of([rows[0][0]])
