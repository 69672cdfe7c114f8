"""The same activities under another rate card: another profile, region, instance family or storage class.

Nothing is stored: the new figures are a temporary view beside the ledger's, never mixed with them. Cost after a change
is known where this ledger paid for the other thing (``reports.prices``) or a price list has it, else null with why.
Both sides are rated by the month, at the mean of the hours where the factors have hours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.model import ACTIVITY_COLUMNS, PARTITION_COLUMNS, SKU_COLUMNS, USAGE, Rate, Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.rated import card_of, insert_of, rate_values, rated_rows
from offgridflow.reports.figures import Row
from offgridflow.reports.moved import MOVED, Changed, Move, cost_row, costs, fill_moved, moves
from offgridflow.reports.price_list import PriceList
from offgridflow.reports.prices import NO_PRICES, PRICE_MEANINGS, paid
from offgridflow.reports.records import records, sku_of
from offgridflow.reports.scope import MONTH_SQL, Filters, scope_of
from offgridflow.reports.swap import Change, unchanged
from offgridflow.reports.totals import UNKNOWN_PROVENANCE, Provenance, Report, report
from offgridflow.reports.unrated import OneSided, compared, fill_one_sided, one_sided, reasons, together

if TYPE_CHECKING:
    import duckdb

RateFunction = Callable[[Sku, Month], Rate]

RERATED: Final = "rerated"
"""The temporary view that ``rerate`` makes, with the columns of ``emissions``."""


def rerate(con: "duckdb.DuckDBPyConnection", rate_of: RateFunction, change: Change = unchanged) -> tuple[Changed, ...]:
    """Make the temporary view ``rerated``: the rows of ``emissions`` under other rates. Returns all SKUs.

    Money, lines and excluded rows stay as they are; a usage row without a known, non-negative quantity has no impact.
    """
    skus = _skus(con, change)
    _show(con, skus, (rate_of(sku.after, sku.month) for sku in skus))
    return skus


def _skus(con: "duckdb.DuckDBPyConnection", change: Change) -> tuple[Changed, ...]:
    """Return the SKUs of usage, each with what it becomes."""
    rows = records(
        con,
        f"SELECT {_COLUMNS}, {_KEY} AS key, {MONTH_SQL} AS month, list(DISTINCT billing_currency) AS currencies "
        f"FROM emissions WHERE {_USAGE} GROUP BY ALL",
    )
    if len({row["key"] for row in rows}) != len(rows):
        sentence = "Two SKUs of the ledger have the same 64-bit hash, so that they cannot be rated anew together."
        raise LedgerError(sentence, action="Narrow the question, and report this with the version of DuckDB.")
    return tuple(_changed(row, change) for row in rows)


def _show(con: "duckdb.DuckDBPyConnection", skus: Iterable[Changed], rates: Iterable[Rate]) -> None:
    """Make the view of the rows under these rates, one for each SKU."""
    _fill_card(con, ((sku.key, rate) for sku, rate in zip(skus, rates, strict=True)))
    con.execute(f"CREATE OR REPLACE TEMP VIEW {RERATED} AS {_VIEW}")


def _changed(row: Mapping[str, Any], change: Change) -> Changed:
    before = sku_of(row)
    currencies = tuple(sorted(row["currencies"], key=str))
    return Changed(row["key"], Month.parse(row["month"]), before, change(before), currencies)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Two reports over the same rows. ``changed_skus`` counts the SKUs that the change fitted.

    ``costs`` has one line per group and currency, then ``cost_total`` one per currency; ``moves`` are the SKUs that
    change, the dearest first, at most MOST_MOVES. ``one_sided`` is the use that only one side rates, per group and
    currency, ``without_rate`` why it has no rate after.
    """

    before: Report
    after: Report
    changed_skus: int
    costs: Mapping[tuple[object, ...], Row]
    cost_total: tuple[Row, ...]
    moves: tuple[Move, ...]
    one_sided: Mapping[tuple[object, ...], OneSided]
    without_rate: tuple[Row, ...]

    def rows(self) -> list[Row]:
        """Return per group the totals before and after, and the difference where both are known."""
        keys = (*self.before.keys, "billing_currency")
        after = {tuple(row[key] for key in keys): row for row in self.after.rows}
        found: list[Row] = []
        for row in self.before.rows:
            cell = tuple(row[key] for key in keys)
            found.append(compared(keys, row, after[cell], self.one_sided.get(cell, OneSided())) | self.costs[cell])
        return found

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {
            "rows": self.rows(),
            "impact_total": compared(
                (), self.before.impact_total, self.after.impact_total, together(self.one_sided.values())
            ),
            "cost_total": list(self.cost_total),
            "changed_skus": self.changed_skus,
            "without_rate": list(self.without_rate),
            "moves": [move.to_json() for move in self.moves],
            "meanings": dict(PRICE_MEANINGS),
        }


def what_if(  # noqa: PLR0913  a report's question and the change
    con: "duckdb.DuckDBPyConnection",
    rate_of: RateFunction,
    change: Change,
    by: Sequence[str] = (),
    where: Filters | None = None,
    *,
    date_from: str | None = None,
    date_to: str | None = None,
    provenance: Provenance = UNKNOWN_PROVENANCE,
    listed: PriceList | None = None,
) -> WhatIf:
    """Return totals of the usage rows as they are rated now, and with ``change`` applied to every SKU.

    Both sides are rated by ``rate_of``, so that the difference comes from the change alone. The price of what a SKU
    becomes is what this ledger paid for it, in any month and account that ``con`` shows, else that of ``listed``.
    Where a SKU has a rate on one side only, the totals that it is part of are unknown.
    """
    skus = _skus(con, change)
    now = [rate_of(sku.before, sku.month) for sku in skus]
    then = [rate_of(sku.after, sku.month) if sku.is_moved else rate for sku, rate in zip(skus, now, strict=True)]
    _show(con, skus, now)
    before = report(con, by, date_from, date_to, where, provenance=provenance, view=RERATED)
    why = fill_one_sided(con, skus, now, then)
    rows = scope_of(date_from, date_to, where or {}, RERATED)
    missing, without_rate = one_sided(con, rows, before.keys), reasons(con, rows)
    _show(con, skus, then)
    moved = [sku for sku in skus if sku.is_moved]
    after = report(con, by, date_from, date_to, where, provenance=provenance, view=RERATED)
    prices = paid(con, listed=listed) if moved else NO_PRICES
    fill_moved(con, moved, prices)
    scope = scope_of(date_from, date_to, where or {}, MOVED)
    cells = {cell: cost_row(row) for cell, row in costs(con, scope, before.keys).items()}
    total = tuple(
        {"billing_currency": row["billing_currency"], **cost_row(row)} for row in costs(con, scope, ()).values()
    )
    count = len({sku.before for sku in moved})
    moving = moves(con, scope, moved, prices, why)
    return WhatIf(before, after, count, cells, total, moving, missing, without_rate)


# SQL ----------------------------------------------------------------------------------------------------------------

_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_KEY: Final = f"hash({_COLUMNS}, {MONTH_SQL})"
_USAGE: Final = f"charge_class = '{USAGE}'"
_CARD: Final = "rerated_card"
_CARD_KEYS: Final = {"key": "UBIGINT"}
_VIEW: Final = rated_rows(
    ", ".join((*PARTITION_COLUMNS, *ACTIVITY_COLUMNS)),
    "emissions",
    _CARD,
    f"c.key = hash({', '.join('a.' + name for name in SKU_COLUMNS)}, {MONTH_SQL})",
)


def _fill_card(con: "duckdb.DuckDBPyConnection", rates: Iterable[tuple[int, Rate]]) -> None:
    con.execute(f"DROP VIEW IF EXISTS {RERATED}")
    con.execute(card_of(_CARD, _CARD_KEYS))
    columns = [list(column) for column in zip(*((key, *rate_values(rate)) for key, rate in rates), strict=True)]
    if columns:
        con.execute(insert_of(_CARD, _CARD_KEYS), columns)
