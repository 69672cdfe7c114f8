"""Coverage that cannot be gamed: buckets A-F of all usage by cost and lines (methodology.md section 4).

Every usage row counts with its cost weight and its lines; nothing is taken out of the denominator. Costs of several
currencies are never added: every figure by cost stands per currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.model import DECIMAL
from offgridflow.domain.reasons import CoverageBucket
from offgridflow.reports.figures import EXACT, Row, ratio, shares, total_of
from offgridflow.reports.records import records
from offgridflow.reports.scope import EMISSIONS, Filters, Scope, scope_of
from offgridflow.reports.spend import by_spend, with_spend
from offgridflow.reports.totals import COST_WEIGHT, UNKNOWN_PROVENANCE, USAGE_STATUSES, Provenance

if TYPE_CHECKING:
    import duckdb

    from offgridflow.methodology.user import SpendRow

BUCKET_MEANINGS: Final[dict[CoverageBucket, str]] = {
    CoverageBucket.SKU: "rated for the SKU itself",
    CoverageBucket.FAMILY_OR_VCPU: "rated by family or vCPU",
    CoverageBucket.SERVICE_MEDIAN: "rated by the service's median",
    CoverageBucket.SPEND: "rated by spend",
    CoverageBucket.PHYSICAL_NOT_ESTIMATED: "physical, not estimated",
    CoverageBucket.NOT_PHYSICAL: "not physical, or counted elsewhere",
}
_PLACES: Final = Decimal("1e-15")
TOP: Final = 20
"""How many SKUs of bucket E are listed."""

_WELL_RATED: Final = (CoverageBucket.SKU, CoverageBucket.FAMILY_OR_VCPU)


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What was estimated, how, and what was not and why.

    ``buckets``, ``statuses``, ``reasons`` and ``units`` have one row per currency with ``cost`` (cost weight),
    ``cost_share``, ``line_items``, ``line_share`` and ``total_kgco2e``; the shares of one currency add up to 1.
    ``assumptions`` has rows of the same columns, under each mark that a rate carries: those shares overlap.
    ``headlines`` has (A+B)/(A+...+E) by cost per currency, and ``line_headline`` the same by lines over all.
    ``by_spend`` has cost, lines and kgCO2e of bucket D per currency, empty unless the fallback by spend is on; its
    kilograms are in no other list and in no total. ``omissions`` is the possible omission per currency: shown, never
    added to any total.
    """

    headlines: tuple[Row, ...]
    line_headline: Decimal | None
    buckets: tuple[Row, ...]
    statuses: tuple[Row, ...]
    reasons: tuple[Row, ...]
    assumptions: tuple[Row, ...]
    units: tuple[Row, ...]
    top_not_estimated: tuple[Row, ...]
    omissions: tuple[Row, ...]
    provenance: Provenance
    by_spend: tuple[Row, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {
            "headline": {"cost": list(self.headlines), "line_items": self.line_headline},
            "buckets": list(self.buckets),
            "statuses": list(self.statuses),
            "reasons": list(self.reasons),
            "assumptions": list(self.assumptions),
            "units": list(self.units),
            "top_not_estimated": list(self.top_not_estimated),
            "possible_omission": list(self.omissions),
            "by_spend": list(self.by_spend),
            **self.provenance.to_json(),
        }


def coverage(
    con: "duckdb.DuckDBPyConnection",
    date_from: str | None = None,
    date_to: str | None = None,
    where: Filters | None = None,
    *,
    provenance: Provenance = UNKNOWN_PROVENANCE,
    view: str = EMISSIONS,
    spend: "Sequence[SpendRow]" = (),
) -> CoverageReport:
    """Return the coverage of the usage rows; the arguments are those of ``totals.report``.

    ``spend`` (``methodology.user.spend_rows``) switches the fallback by spend on.
    """
    scope = scope_of(date_from, date_to, where or {}, with_spend(view, spend))
    buckets = _parts(con, scope, ("coverage_bucket",))
    everything = [bucket.value for bucket in CoverageBucket]
    return CoverageReport(
        headlines=_headlines(buckets),
        line_headline=_line_headline(buckets),
        buckets=_completed(buckets, "coverage_bucket", everything),
        statuses=_completed(_parts(con, scope, ("status",)), "status", [status.value for status in USAGE_STATUSES]),
        reasons=tuple(row for row in _parts(con, scope, ("status", "reason", "coverage_bucket")) if row["reason"]),
        assumptions=_assumptions(con, scope, buckets),
        units=_units(con, scope),
        top_not_estimated=_top(con, scope),
        omissions=_omissions(con, scope, buckets),
        provenance=provenance,
        by_spend=by_spend(con, scope, spend),
    )


def _parts(con: "duckdb.DuckDBPyConnection", scope: Scope, keys: Sequence[str]) -> list[Row]:
    """Return cost weight, lines and kg by currency and keys, with shares that add up to 1 within each currency."""
    condition, values = scope.where("usage")
    names = ", ".join(keys)
    rows = records(
        con,
        f"SELECT billing_currency, {names}, sum({COST_WEIGHT}) AS cost, sum(line_items)::BIGINT AS line_items, "
        f"sum(total_kgco2e::{DECIMAL}) AS total_kgco2e FROM {scope.view} WHERE {condition} GROUP BY ALL ORDER BY ALL",
        values,
    )
    return _with_shares(rows)


def _assumptions(con: "duckdb.DuckDBPyConnection", scope: Scope, buckets: Sequence[Row]) -> tuple[Row, ...]:
    """Return per currency and assumption the usage whose rate rests on it, with its shares of all usage.

    A row of the ledger counts under each of its assumptions, so these shares do not add up to 1.
    """
    condition, values = scope.where("usage")
    rows = records(
        con,
        "SELECT billing_currency, assumption, sum(cost) AS cost, sum(line_items)::BIGINT AS line_items, "
        f"sum(total_kgco2e::{DECIMAL}) AS total_kgco2e "
        f"FROM (SELECT billing_currency, unnest(assumptions) AS assumption, {COST_WEIGHT} AS cost, line_items, "
        f"total_kgco2e FROM {scope.view} WHERE {condition}) GROUP BY ALL "
        "ORDER BY billing_currency, line_items DESC, assumption",
        values,
    )
    return tuple(
        {
            **row,
            "cost_share": ratio(_decimal(row["cost"]), _sum_of(buckets, row["billing_currency"], "cost")),
            "line_share": ratio(_decimal(row["line_items"]), _sum_of(buckets, row["billing_currency"], "line_items")),
        }
        for row in rows
    )


def _sum_of(rows: Sequence[Row], currency: object, measure: str) -> Decimal:
    return total_of([_decimal(row[measure]) for row in rows if row["billing_currency"] == currency]) or Decimal(0)


def _with_shares(rows: Sequence[dict[str, Any]]) -> list[Row]:
    """Put ``cost_share`` and ``line_share`` of its currency beside every row's cost and lines."""
    done: list[Row] = []
    for currency in dict.fromkeys(row["billing_currency"] for row in rows):
        own = [row for row in rows if row["billing_currency"] == currency]
        of_cost, of_lines = shares([row["cost"] for row in own]), shares([row["line_items"] for row in own])
        done.extend(
            {**row, "cost_share": cost, "line_share": lines}
            for row, cost, lines in zip(own, of_cost, of_lines, strict=True)
        )
    return done


def _completed(rows: Sequence[Row], key: str, everything: Sequence[str]) -> tuple[Row, ...]:
    """Return a row for every value of a closed list per currency, zero where the ledger has none of it."""
    by_key = {(row["billing_currency"], row[key]): row for row in rows}
    done: list[Row] = []
    for currency in dict.fromkeys(row["billing_currency"] for row in rows):
        known = any(row["cost_share"] is not None for row in rows if row["billing_currency"] == currency)
        nothing: Row = {"cost": Decimal(0), "line_items": 0, "total_kgco2e": None}
        nothing |= {"cost_share": Decimal(0) if known else None, "line_share": Decimal(0)}
        for value in everything:
            head: Row = {"billing_currency": currency, key: value}
            done.append(by_key.get((currency, value), {**head, **nothing}))
    return tuple(done)


def _headlines(buckets: Sequence[Row]) -> tuple[Row, ...]:
    """Return (A+B)/(A+...+E) by cost, per currency."""
    found: list[Row] = []
    for currency in dict.fromkeys(row["billing_currency"] for row in buckets):
        own = [row for row in buckets if row["billing_currency"] == currency]
        good, physical = _good_of_physical(own, "cost")
        row: Row = {"billing_currency": currency, "headline": ratio(good, physical), "physical_cost": physical}
        found.append(row)
    return tuple(found)


def _line_headline(buckets: Sequence[Row]) -> Decimal | None:
    return ratio(*_good_of_physical(buckets, "line_items"))


def _good_of_physical(rows: Sequence[Row], measure: str) -> tuple[Decimal, Decimal]:
    good = [_decimal(row[measure]) for row in rows if row["coverage_bucket"] in _WELL_RATED]
    physical = [_decimal(row[measure]) for row in rows if row["coverage_bucket"] != CoverageBucket.NOT_PHYSICAL]
    return total_of(good) or Decimal(0), total_of(physical) or Decimal(0)


def _decimal(value: object) -> Decimal:
    return Decimal(value) if isinstance(value, int | Decimal) else Decimal(0)


def _units(con: "duckdb.DuckDBPyConnection", scope: Scope) -> tuple[Row, ...]:
    """Return per currency and consumed unit how much of its physical cost is in A or B, largest cost first."""
    parts = _parts(con, scope, ("consumed_unit", "coverage_bucket"))
    rows: list[Row] = []
    for currency, unit in dict.fromkeys((row["billing_currency"], row["consumed_unit"]) for row in parts):
        own = [row for row in parts if row["billing_currency"] == currency and row["consumed_unit"] == unit]
        good, physical = _good_of_physical(own, "cost")
        row: Row = {
            "billing_currency": currency,
            "consumed_unit": unit,
            "cost": total_of([_decimal(part["cost"]) for part in own]),
            "line_items": sum(int(_decimal(part["line_items"])) for part in own),
            "headline": ratio(good, physical),
            "line_headline": ratio(*_good_of_physical(own, "line_items")),
        }
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: (str(row["billing_currency"]), -_decimal(row["cost"]), str(row))))


_TOP_KEYS: Final = "provider, service_name, sku_meter, consumed_unit, reason"


def _top(con: "duckdb.DuckDBPyConnection", scope: Scope) -> tuple[Row, ...]:
    """Return the dearest SKUs of bucket E per currency."""
    condition, values = scope.where("usage")
    found = records(
        con,
        f"SELECT billing_currency, {_TOP_KEYS}, sum({COST_WEIGHT}) AS cost, sum(line_items)::BIGINT AS line_items "
        f"FROM {scope.view} WHERE {condition} AND coverage_bucket = 'E' GROUP BY billing_currency, {_TOP_KEYS} "
        f"QUALIFY row_number() OVER (PARTITION BY billing_currency ORDER BY cost DESC, {_TOP_KEYS}) <= {TOP} "
        f"ORDER BY billing_currency, cost DESC, {_TOP_KEYS}",
        values,
    )
    return tuple(found)


def _omissions(con: "duckdb.DuckDBPyConnection", scope: Scope, buckets: Sequence[Row]) -> tuple[Row, ...]:
    """Return cost of E x the median kg per currency unit over the rated SKUs, per currency."""
    condition, values = scope.where("usage")
    medians = con.execute(
        f"WITH skus AS (SELECT billing_currency, sum(total_kgco2e::{DECIMAL})::DOUBLE AS kg, "
        f"sum({COST_WEIGHT})::DOUBLE AS cost FROM {scope.view} WHERE {condition} AND coverage_bucket IN ('A', 'B') "
        "GROUP BY billing_currency, provider, service_name, sku_id, sku_meter, operation, region_id) "
        f"SELECT billing_currency, median(kg / cost)::{DECIMAL} FROM skus WHERE cost > 0 GROUP BY ALL",
        values,
    ).fetchall()
    per_unit = dict(medians)
    costs = {row["billing_currency"]: row["cost"] for row in buckets if row["coverage_bucket"] == "E"}
    found: list[Row] = []
    for currency, cost in costs.items():
        median = per_unit.get(currency)
        kilograms = None if median is None else EXACT.quantize(EXACT.multiply(_decimal(cost), median), _PLACES)
        row: Row = {"billing_currency": currency, "cost": cost, "median_kgco2e_per_currency_unit": median}
        found.append({**row, "possible_kgco2e": kilograms})
    return tuple(found)
