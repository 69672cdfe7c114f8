"""From activities in DuckDB to a rate card in DuckDB: one rate per distinct SKU and month, then a join key for both.

The join key is DuckDB's 64-bit hash of the SKU columns, checked for collisions on every run, so that the join is over
one integer and not over ten nullable columns; and the start of the month, computed without a calendar library.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from offgridflow.domain.errors import ConservationError
from offgridflow.domain.model import ACTIVITY_COLUMNS, IMPACT_COLUMNS, SKU_COLUMNS, USAGE, Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Month

RateFunction = Callable[[Sku, Month], Rate]
"""A pure function from a SKU and a month to its rate, bound to one factor set and recipe."""

CARD_COLUMNS: Final[dict[str, str]] = {
    "sku_hash": "UBIGINT",
    "month_start": "TIMESTAMP",
    "rate_id": "VARCHAR",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "method": "VARCHAR",
    "coverage_bucket": "VARCHAR",
    "assumptions": "VARCHAR[]",
    **dict.fromkeys(IMPACT_COLUMNS, "DOUBLE"),
}
_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_BATCH = 5_000
_JOIN: Final = "\x1f"
"""Between the assumptions of a rate on their way into DuckDB, which takes strings faster than lists of them."""


@dataclass(frozen=True, slots=True)
class CardLine:
    """One SKU of the bill in one month, as it stands in the activities."""

    sku_hash: int
    month: Month
    sku: Sku


def skus_of(con: duckdb.DuckDBPyConnection) -> Iterator[CardLine]:
    """Yield every distinct (SKU, month) of the usage rows of ``activities``, SKUs as they stand in ``skus``.

    Two SKUs that share a hash both come under it.
    """
    con.execute(
        f"WITH starts AS ("
        f"SELECT DISTINCT sku_hash, charge_period_start FROM activities WHERE charge_class = '{USAGE}'), "
        f"used AS (SELECT DISTINCT sku_hash, {_month_start('charge_period_start')} AS month_start FROM starts), "
        f"known AS (SELECT DISTINCT sku_hash, {_COLUMNS} FROM skus) "
        f"SELECT sku_hash, month_start, {_COLUMNS} FROM used JOIN known USING (sku_hash)",
    )
    while rows := con.fetchmany(_BATCH):
        for sku_hash, start, *values in rows:
            yield CardLine(sku_hash, Month.of(start), sku_from_row(values))


def sku_from_row(values: Sequence[Any]) -> Sku:
    """Build a Sku from the values of SKU_COLUMNS in their order; ``attributes`` comes as a mapping or None."""
    fields = dict(zip(SKU_COLUMNS, values, strict=True))
    attributes = fields.pop("attributes")
    known = SkuAttributes(**attributes) if isinstance(attributes, dict) else SkuAttributes()
    return Sku(**fields, attributes=known)


def card_row(line: CardLine, rate: Rate) -> tuple[object, ...]:
    """Return the row of CARD_COLUMNS of one rate."""
    total, energy = rate.total_kgco2e, rate.energy_kwh
    return (
        line.sku_hash,
        line.month.start.replace(tzinfo=None),
        rate.rate_id,
        rate.status.value,
        rate.reason.value if rate.reason else None,
        rate.method.value if rate.method else None,
        rate.coverage_bucket.value,
        _JOIN.join(assumption.value for assumption in rate.assumptions),
        rate.it_energy_kwh,
        energy.central if energy else None,
        rate.operational_direct_kgco2e,
        rate.operational_upstream_kgco2e,
        rate.operational_location_kgco2e,
        rate.operational_market_kgco2e,
        rate.embodied_kgco2e,
        total.central if total else None,
        total.low if total else None,
        total.high if total else None,
        rate.total_market_kgco2e,
        rate.water_l,
    )


def build_card(con: duckdb.DuckDBPyConnection, rate_of: RateFunction) -> tuple[Rate, ...]:
    """Rate every (SKU, month) of ``activities``, fill the temporary table ``card``, and return the distinct rates.

    Raises ConservationError if two SKUs share a hash (their activities could not be told apart).
    """
    lines = list(skus_of(con))
    _refuse_collisions(lines)
    rates = [rate_of(line.sku, line.month) for line in lines]
    definition = ", ".join(f"{name} {kind}" for name, kind in CARD_COLUMNS.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE card ({definition})")
    _insert(con, (card_row(line, rate) for line, rate in zip(lines, rates, strict=True)))
    return tuple({rate.rate_id: rate for rate in rates}.values())


def _refuse_collisions(lines: Sequence[CardLine]) -> None:
    if len({(line.sku_hash, line.month) for line in lines}) != len(lines):
        sentence = "Two SKUs of this delivery have the same 64-bit hash, so their activities cannot be told apart."
        raise ConservationError(sentence, action="Please report it with the versions of OffGridFlow and DuckDB.")


def _insert(con: duckdb.DuckDBPyConnection, rows: Iterable[tuple[object, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return
    flat = {name: "VARCHAR" if name == "assumptions" else kind for name, kind in CARD_COLUMNS.items()}
    values = ", ".join(f"unnest(?::{kind}[]) AS {name}" for name, kind in flat.items())
    listed = "CASE WHEN assumptions = '' THEN [] ELSE string_split(assumptions, chr(31)) END"
    con.execute(f"INSERT INTO card SELECT * REPLACE ({listed} AS assumptions) FROM (SELECT {values})", columns)


_RATED = "c.total_kgco2e IS NOT NULL AND a.consumed_quantity >= 0"
_QUANTITY = "a.consumed_quantity::DOUBLE"


def _impact(name: str) -> str:
    return f"CASE WHEN {_RATED} THEN {_QUANTITY} * c.{name} END AS {name}"


def emissions_query() -> str:
    """Return the SELECT that joins ``activities`` with ``card`` to rows of EMISSION_COLUMNS.

    A rated SKU whose quantity is missing or negative keeps its money and lines, without impacts and with that reason.
    """
    own = ", ".join(f"a.{name}" for name in ACTIVITY_COLUMNS)
    impacts = ", ".join(_impact(name) for name in IMPACT_COLUMNS)
    usage = f"a.charge_class = '{USAGE}'"
    unrated = "c.total_kgco2e IS NULL"
    return f"""
        SELECT {own},
          c.rate_id,
          CASE WHEN NOT {usage} THEN 'excluded'
               WHEN {unrated} OR {_RATED} THEN c.status ELSE 'not_estimated' END AS status,
          CASE WHEN NOT {usage} THEN a.charge_class
               WHEN {unrated} OR {_RATED} THEN c.reason
               WHEN a.consumed_quantity IS NULL THEN 'quantity_missing' ELSE 'negative_net_quantity' END AS reason,
          CASE WHEN {_RATED} THEN c.method END AS method,
          CASE WHEN NOT {usage} THEN NULL
               WHEN {unrated} OR {_RATED} THEN c.coverage_bucket ELSE 'E' END AS coverage_bucket,
          c.assumptions,
          {impacts}
        FROM activities a
        LEFT JOIN card c
          ON {usage} AND c.sku_hash = a.sku_hash AND c.month_start = {_month_start("a.charge_period_start")}
    """


def _month_start(instant: str) -> str:
    """Return the SQL of the first instant of the month, UTC, as TIMESTAMP: arithmetic on microseconds alone."""
    return f"date_trunc('month', make_timestamp(epoch_us({instant})))"
