"""The money of a change: what the SKUs that change cost now, and what they would cost at prices of this ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.model import DECIMAL, SKU_COLUMNS, USAGE, Sku
from offgridflow.domain.periods import Month
from offgridflow.reports.figures import Row, difference
from offgridflow.reports.prices import COST, NoPrice, Price, Prices
from offgridflow.reports.records import records
from offgridflow.reports.scope import MONTH_SQL, Scope, keys_of

if TYPE_CHECKING:
    import duckdb

MOVED: Final = "moved"
"""The temporary view of ``emissions`` with the money of what changes, now and then."""

_USAGE: Final = f"charge_class = '{USAGE}'"


@dataclass(frozen=True, slots=True)
class Changed:
    """A SKU of the ledger in a month before and after a change. ``key`` stands for both; ``currencies`` paid for it."""

    key: int
    month: Month
    before: Sku
    after: Sku
    currencies: tuple[str | None, ...]

    @property
    def is_moved(self) -> bool:
        """Whether the change fitted."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Move:
    """A SKU that changes, in one currency: what its use cost, what it would cost, and by which price.

    ``price`` is None where neither this ledger nor a price list has one in this currency; the cost after is unknown.
    """

    before: Sku
    after: Sku
    billing_currency: str | None
    cost_before: Decimal | None
    cost_after: Decimal | None
    price: Price | None
    rate_reason: str | None = None
    """Why what it becomes has no rate, where it has one now."""

    @property
    def reason(self) -> str | None:
        """Why the cost after is unknown; None where it is known."""
        if self.cost_after is not None:
            return None
        return NoPrice.NOT_IN_LEDGER.value if self.price is None else NoPrice.QUANTITY_UNKNOWN.value

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        price = self.price
        return {
            "provider": self.before.provider,
            "service_name": self.before.service_name,
            **_names("before", self.before),
            **_names("after", self.after),
            "consumed_unit": self.before.consumed_unit,
            "billing_currency": self.billing_currency,
            "cost_before": self.cost_before,
            "cost_after": self.cost_after,
            "unit_price": price and price.central,
            "unit_price_low": price and price.low,
            "unit_price_high": price and price.high,
            "price_basis": price and price.basis.value,
            "price_observations": price and price.observations,
            "price_source": price and price.source,
            "reason": self.reason,
            "rate_reason": self.rate_reason,
        }


def _names(side: str, sku: Sku) -> dict[str, object]:
    names = {"sku_meter": sku.sku_meter, "region_id": sku.region_id, "instance_type": sku.attributes.instance_type}
    return {f"{name}_{side}": value for name, value in names.items()}


MOST_MOVES: Final = 50
"""SKUs that are listed one by one, the dearest first."""


Cell = tuple[object, ...]
"""The values of a group's keys, then its currency."""


def costs(con: "duckdb.DuckDBPyConnection", scope: Scope, by: Sequence[str]) -> dict[Cell, dict[str, Any]]:
    """Return the sums of money by keys and currency."""
    return sums_by(con, scope, by, _MONEY)


def sums_by(
    con: "duckdb.DuckDBPyConnection", scope: Scope, by: Sequence[str], sums: str, join: str = ""
) -> dict[Cell, dict[str, Any]]:
    """Return sums over the usage rows of a scope's view by keys and currency, in their order."""
    condition, values = scope.where("usage")
    keys = keys_of(by)
    selected = "".join(f'{key.sql} AS "{key.name}", ' for key in keys)
    bound = [value for key in keys for value in key.parameters]
    chosen = f"SELECT {selected}billing_currency, {sums} FROM {scope.view} {join} WHERE {condition}"
    names = (*(key.name for key in keys), "billing_currency")
    return {
        tuple(row[name] for name in names): row
        for row in records(con, f"{chosen} GROUP BY ALL ORDER BY ALL", [*bound, *values])
    }


def cost_row(row: Mapping[str, Any]) -> Row:
    """Return the columns of money. After a change the whole is known only if every part that changes has a price."""
    kept = difference(row["cost"], row["priced"] or Decimal(0))
    known = kept is not None and row["rows_without_price"] == 0
    sides = {f"cost_after{side}": row[f"later{side}"] or Decimal(0) for side in _SIDES}
    after = {name: kept + value if known and kept is not None else None for name, value in sides.items()}
    return {
        "cost_before": row["cost"],
        **after,
        "cost_difference": difference(after["cost_after"], row["cost"]),
        "cost_moved": row["moved"],
        "cost_priced_before": row["priced"],
        "cost_priced_after": row["later"],
        "cost_without_price": row["without_price"],
    }


def moves(
    con: "duckdb.DuckDBPyConnection",
    scope: Scope,
    moved: Sequence[Changed],
    prices: Prices,
    without_rate: Mapping[int, str],
) -> tuple[Move, ...]:
    """Return the SKUs that change with their money, months added, the dearest first.

    ``without_rate`` says by key why what a SKU becomes has no rate.
    """
    condition, values = scope.where("usage")
    sql = f"SELECT moved_key, billing_currency, {_MONEY} FROM {MOVED} WHERE {condition} AND is_moved GROUP BY ALL"
    changed = {sku.key: sku for sku in moved}
    sums: dict[tuple[Sku, Sku, str | None], list[dict[str, Any]]] = {}
    for row in records(con, sql, values):
        sku = changed[row["moved_key"]]
        sums.setdefault((sku.before, sku.after, row["billing_currency"]), []).append(row)
    found = [
        Move(
            before,
            after,
            currency,
            _added(row["cost"] for row in rows),
            _added(row["later"] for row in rows) if all(row["rows_without_price"] == 0 for row in rows) else None,
            prices.of(after, currency),
            next((why for row in rows if (why := without_rate.get(row["moved_key"])) is not None), None),
        )
        for (before, after, currency), rows in sums.items()
    ]
    found.sort(key=lambda move: (-(move.cost_before or Decimal(0)), str(move.before), str(move.billing_currency)))
    return tuple(found[:MOST_MOVES])


def _added(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None


# money --------------------------------------------------------------------------------------------------------------

_SIDES: Final = ("", "_low", "_high")
_MOVED_COLUMNS: Final = {
    "key": "UBIGINT",
    "currency": "VARCHAR",
    "price": "DOUBLE",
    "price_low": "DOUBLE",
    "price_high": "DOUBLE",
}
_LATER: Final = ", ".join(
    f"CASE WHEN consumed_quantity >= 0 THEN round(consumed_quantity::DOUBLE * m.price{side}, 9)::{DECIMAL} END "
    f"AS later{side}"
    for side in _SIDES
)
_MOVED_VIEW: Final = (
    f"SELECT e.*, {COST} AS cost, m.key IS NOT NULL AS is_moved, m.key AS moved_key, {_LATER} FROM emissions e "
    f"LEFT JOIN moved_price m ON {_USAGE} "
    f"AND m.key = hash({', '.join('e.' + name for name in SKU_COLUMNS)}, {MONTH_SQL}) "
    "AND m.currency IS NOT DISTINCT FROM e.billing_currency"
)
_MONEY: Final = ", ".join(
    [
        "sum(cost) AS cost",
        "coalesce(sum(cost) FILTER (is_moved), 0) AS moved",
        "sum(cost) FILTER (later IS NOT NULL) AS priced",
        "coalesce(sum(cost) FILTER (is_moved AND later IS NULL), 0) AS without_price",
        "count(*) FILTER (is_moved AND later IS NULL) AS rows_without_price",
        *(f"sum(later{side}) AS later{side}" for side in _SIDES),
    ]
)


def fill_moved(con: "duckdb.DuckDBPyConnection", moved: Sequence[Changed], prices: Prices) -> None:
    """Make the temporary view MOVED for SKUs that change and the prices of what they become."""
    con.execute(f"DROP VIEW IF EXISTS {MOVED}")
    definition = ", ".join(f"{name} {kind}" for name, kind in _MOVED_COLUMNS.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE moved_price ({definition})")
    rows = [_moved_row(sku, currency, prices) for sku in moved for currency in sku.currencies]
    if rows:
        values = ", ".join(f"unnest(?::{kind}[])" for kind in _MOVED_COLUMNS.values())
        con.execute(f"INSERT INTO moved_price SELECT {values}", [list(column) for column in zip(*rows, strict=True)])
    con.execute(f"CREATE TEMP VIEW {MOVED} AS {_MOVED_VIEW}")


def _moved_row(sku: Changed, currency: str | None, prices: Prices) -> tuple[object, ...]:
    price = prices.of(sku.after, currency)
    if price is None:
        return (sku.key, currency, None, None, None)
    return (sku.key, currency, price.central, price.low, price.high)
