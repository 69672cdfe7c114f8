"""The fallback by spend beside coverage: money of bucket E times the user's factor of its currency, bucket D.

The ledger holds none of it: rates are per unit, and these are per money. So it is worked out when it is asked for,
shown under its own name, and added to no total.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from offgridflow.domain.model import DECIMAL
from offgridflow.domain.reasons import Assumption, CoverageBucket
from offgridflow.domain.sql import sql_text
from offgridflow.reports.figures import Row
from offgridflow.reports.records import records
from offgridflow.reports.scope import Scope
from offgridflow.reports.totals import COST_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from offgridflow.methodology.user import SpendRow

_MARKS: Final = f"[{sql_text(Assumption.SPEND_MEAN.value)}]"
_SPENT: Final = f"coverage_bucket = {sql_text(CoverageBucket.SPEND.value)}"


def with_spend(view: str, spend: "Sequence[SpendRow]") -> str:
    """Return the view with rows of bucket E that cost something in a currency with a factor as bucket D, marked.

    Status, reason and impacts stay as the ledger has them: not estimated, with the reason, and null.
    """
    if not spend:
        return view
    currencies = ", ".join(sql_text(each.billing_currency) for each in spend)
    met = f"coverage_bucket = 'E' AND {COST_WEIGHT} > 0 AND billing_currency IN ({currencies})"
    bucket = f"CASE WHEN {met} THEN {sql_text(CoverageBucket.SPEND.value)} ELSE coverage_bucket END"
    marks = f"CASE WHEN {met} THEN {_MARKS} ELSE assumptions END"
    return f"(SELECT * REPLACE ({bucket} AS coverage_bucket, {marks} AS assumptions) FROM {view})"


def by_spend(con: "duckdb.DuckDBPyConnection", scope: Scope, spend: "Sequence[SpendRow]") -> tuple[Row, ...]:
    """Return cost, lines and kgCO2e of bucket D per currency, with the factor and where it comes from.

    ``scope`` reads a view of ``with_spend``. A currency without such rows is left out.
    """
    if not spend:
        return ()
    condition, values = scope.where("usage")
    found = records(
        con,
        f"SELECT billing_currency, sum({COST_WEIGHT}) AS cost, sum(line_items)::BIGINT AS line_items "
        f"FROM {scope.view} WHERE {condition} AND {_SPENT} GROUP BY billing_currency ORDER BY billing_currency",
        values,
    )
    factors = {each.billing_currency: each for each in spend}
    return tuple(_row(con, row, factors[row["billing_currency"]]) for row in found)


def _row(con: "duckdb.DuckDBPyConnection", row: Row, factor: "SpendRow") -> Row:
    ends = {"": factor.central_kgco2e, "_low": factor.low_kgco2e, "_high": factor.high_kgco2e}
    kilograms = {
        f"spend{end}_kgco2e": con.execute(f"SELECT (?::DOUBLE * ?)::{DECIMAL}", [row["cost"], each]).fetchall()[0][0]
        for end, each in ends.items()
    }
    return {
        **row,
        **kilograms,
        "kgco2e_per_currency_unit": Decimal(repr(factor.central_kgco2e)),
        "source": factor.source,
    }
