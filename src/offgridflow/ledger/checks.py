"""What must hold of the rows of a snapshot, as SQL that counts the rows where it does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from offgridflow.domain.model import IMPACT_COLUMNS, USAGE
from offgridflow.domain.reasons import Assumption, CoverageBucket, ExcludedReason, Method, NotEstimatedReason, Status
from offgridflow.domain.sql import sql_list, sql_text

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Check:
    """A law of the ledger, whether it holds, and what was counted or found."""

    name: str
    ok: bool
    detail: str


_TOLERANCE: Final = "1e-9"
"""Relative; the agreement that is promised across engines. Within one engine figures are equal to the last digit."""

_RATE_OF: Final[dict[str, str]] = {
    **{name: name for name in IMPACT_COLUMNS},
    "energy_kwh": "energy_kwh_central",
    "total_kgco2e": "total_kgco2e_central",
    "total_low_kgco2e": "total_kgco2e_low",
    "total_high_kgco2e": "total_kgco2e_high",
}


def _all(terms: Iterable[str]) -> str:
    return "(" + " AND ".join(terms) + ")"


def _near(one: str, other: str) -> str:
    return f"abs({one} - ({other})) <= {_TOLERANCE} * greatest(abs({one}), abs({other}))"


def _words(column: str, *enums: type[StrEnum]) -> str:
    return f"({column} IS NULL OR {column} IN ({', '.join(sql_text(word.value) for enum in enums for word in enum)}))"


def _recomputed(name: str) -> str:
    own, rate = f"e.{name}", f"r.{_RATE_OF[name]}"
    product = f"e.quantity * {rate}"
    return f"(({own} IS NULL) = ({rate} IS NULL) AND coalesce({_near(own, product)}, true))"


_IS_USAGE: Final = f"e.charge_class = {sql_text(USAGE)}"
_HAS_IMPACTS: Final = "e.status IN ('estimated', 'fallback')"
_NO_IMPACTS: Final = _all(f"e.{name} IS NULL" for name in IMPACT_COLUMNS)
_OF_THE_ROW: Final = "('quantity_missing', 'negative_net_quantity')"

ROW_LAWS: Final[dict[str, str]] = {
    "rates_exist": "(e.rate_id IS NULL OR r.rate_id IS NOT NULL)",
    "usage_has_rate_or_reason": (
        f"(NOT {_IS_USAGE} OR ({_HAS_IMPACTS} AND e.rate_id IS NOT NULL AND e.total_kgco2e IS NOT NULL) "
        f"OR (e.status = 'not_estimated' AND e.reason IS NOT NULL AND {_NO_IMPACTS}))"
    ),
    "excluded_has_no_impacts": (
        f"({_IS_USAGE} OR (e.status = 'excluded' AND e.reason IS NOT DISTINCT FROM e.charge_class "
        f"AND e.rate_id IS NULL AND {_NO_IMPACTS}))"
    ),
    "impacts_finite_and_not_negative": _all(
        f"(e.{name} IS NULL OR (isfinite(e.{name}) AND e.{name} >= 0))" for name in IMPACT_COLUMNS
    ),
    "range_ordered": (
        "(e.total_kgco2e IS NULL OR (e.total_low_kgco2e <= e.total_kgco2e AND e.total_kgco2e <= e.total_high_kgco2e))"
    ),
    "totals_add_up": _all(
        (
            "coalesce("
            + _near("e.total_kgco2e", "e.operational_location_kgco2e + coalesce(e.embodied_kgco2e, 0)")
            + ", true)",
            "coalesce("
            + _near("e.operational_location_kgco2e", "e.operational_direct_kgco2e + e.operational_upstream_kgco2e")
            + ", true)",
        ),
    ),
    "impacts_recomputed_from_rates": (
        f"(NOT {_HAS_IMPACTS} OR r.rate_id IS NULL OR {_all(_recomputed(name) for name in IMPACT_COLUMNS)})"
    ),
    "rows_agree_with_rates": (
        f"(r.rate_id IS NULL OR e.reason IN {_OF_THE_ROW} OR (e.status IS NOT DISTINCT FROM r.status "
        f"AND e.reason IS NOT DISTINCT FROM r.reason AND e.method IS NOT DISTINCT FROM r.method "
        f"AND e.coverage_bucket IS NOT DISTINCT FROM r.coverage_bucket))"
    ),
    "coverage_complete": f"(NOT {_IS_USAGE} OR (e.status IS NOT NULL AND e.coverage_bucket IS NOT NULL))",
}
"""Each holds for every row ``e`` of emissions beside its rate ``r``; ``e.quantity`` is the consumed quantity as DOUBLE,
cast once. An expression that is null counts as broken."""

_WORDS_KNOWN: Final = _all(
    (
        _words("status", Status),
        _words("reason", NotEstimatedReason, ExcludedReason),
        _words("method", Method),
        _words("coverage_bucket", CoverageBucket),
        f"coalesce(list_has_all({sql_list(word.value for word in Assumption)}, assumptions), true)",
    ),
)


def row_checks(con: "duckdb.DuckDBPyConnection") -> list[Check]:
    """Return the laws of rows, counted in one scan."""
    counts = ", ".join(f"count(*) FILTER ({law} IS NOT TRUE)" for law in ROW_LAWS.values())
    rows = con.execute(
        f"SELECT count(*), {counts} "
        f"FROM (SELECT *, consumed_quantity::DOUBLE AS quantity FROM emissions) e LEFT JOIN rates r USING (rate_id)",
    ).fetchall()
    total, *broken = rows[0]
    return [
        Check(name, ok=count == 0, detail=f"{total - count} of {total} rows")
        for name, count in zip(ROW_LAWS, broken, strict=True)
    ]


def words_check(con: "duckdb.DuckDBPyConnection") -> Check:
    """Return whether every word of a closed vocabulary is one of it, by distinct combinations."""
    rows = con.execute(
        f"SELECT count(*), count(*) FILTER ({_WORDS_KNOWN} IS NOT TRUE) "
        f"FROM (SELECT DISTINCT status, reason, method, coverage_bucket, assumptions FROM emissions)",
    ).fetchall()
    total, broken = rows[0]
    return Check("words_known", ok=broken == 0, detail=f"{total - broken} of {total} combinations")


_IMPACTS_OF_RATE: Final = tuple(_RATE_OF[name] for name in IMPACT_COLUMNS)
_RATE_SANE: Final = _all(
    (
        *(f"({name} IS NULL OR (isfinite({name}) AND {name} >= 0))" for name in _IMPACTS_OF_RATE),
        "(total_kgco2e_central IS NULL) = (status = 'not_estimated')",
        "(status <> 'not_estimated' OR reason IS NOT NULL)",
        "coalesce(total_kgco2e_low <= total_kgco2e_central AND total_kgco2e_central <= total_kgco2e_high, true)",
        "coalesce(energy_kwh_low <= energy_kwh_central AND energy_kwh_central <= energy_kwh_high, true)",
    ),
)


def rate_check(con: "duckdb.DuckDBPyConnection") -> Check:
    """Return whether every rate is finite, ordered, and has impacts or a reason."""
    rows = con.execute(f"SELECT count(*), count(*) FILTER ({_RATE_SANE} IS NOT TRUE) FROM rates").fetchall()
    total, broken = rows[0]
    return Check("rates_sane", ok=broken == 0, detail=f"{total - broken} of {total} rates")


_CONSERVED: Final = """
    WITH told AS (
        SELECT commit_id, source, billing_period, unnest(raw_totals, recursive := true) FROM commits
    ), columns_of AS (
        SELECT commit_id, max(conserved_column) AS money_column FROM told GROUP BY ALL
    ), held AS (
        SELECT commit_id, source, billing_period, billing_currency, sum(e.line_items) AS lines,
            sum(CASE WHEN money_column = 'effective_cost' THEN e.effective_cost ELSE e.billed_cost END) AS money
        FROM emissions e LEFT JOIN columns_of USING (commit_id) GROUP BY ALL
        UNION ALL
        SELECT commit_id, source, billing_period, billing_currency, count(*), sum(billed_cost)
        FROM quarantine GROUP BY ALL
    ), kept AS (
        SELECT commit_id, source, billing_period, billing_currency,
            sum(lines) AS lines, sum(coalesce(money, 0)) AS money
        FROM held GROUP BY ALL
    ), pairs AS (
        SELECT coalesce(told.source, kept.source) AS source,
            coalesce(told.billing_period, kept.billing_period) AS billing_period,
            coalesce(told.billing_currency, kept.billing_currency) AS billing_currency,
            coalesce(line_items, 0) AS raw_lines, coalesce(told.money, 0) AS raw_money,
            coalesce(lines, 0) AS lines, coalesce(kept.money, 0) AS money
        FROM told FULL JOIN kept
        ON told.commit_id = kept.commit_id AND told.billing_currency IS NOT DISTINCT FROM kept.billing_currency
    )
"""


def conservation_checks(con: "duckdb.DuckDBPyConnection") -> list[Check]:
    """Return whether lines and money of every commit and currency are those of the raw delivery."""
    return [
        _conserved(con, "lines_conserved", "raw_lines", "lines"),
        _conserved(con, "money_conserved", "raw_money", "money"),
    ]


def _conserved(con: "duckdb.DuckDBPyConnection", name: str, raw: str, kept: str) -> Check:
    rows = con.execute(
        f"{_CONSERVED} SELECT count(*), count(*) FILTER ({raw} <> {kept}), "
        f"min(concat(source, ' ', billing_period, ' ', billing_currency, ': raw ', {raw}, ', held ', {kept})) "
        f"FILTER ({raw} <> {kept}) FROM pairs",
    ).fetchall()
    total, broken, first = rows[0]
    detail = (
        f"{total} totals by source, billing period and currency" if broken == 0 else f"{broken} differ, first {first}"
    )
    return Check(name, ok=broken == 0, detail=detail)
