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


_OF_THE_CARD: Final = ("rate_id", "status", "reason", "method", "coverage_bucket", "assumptions", *IMPACT_COLUMNS)


def emissions_query(activities: str = "activities") -> str:
    """Return the SELECT that joins a relation like ``activities`` with ``card`` to rows of EMISSION_COLUMNS.

    A rated SKU whose quantity is missing or negative keeps its money and lines, without impacts and with that reason.
    """
    own = ", ".join(ACTIVITY_COLUMNS)
    impacts = ", ".join(f"rated_quantity * per_unit_{name} AS {name}" for name in IMPACT_COLUMNS)
    no_quantity = "rated_quantity IS NULL AND per_unit_total_kgco2e IS NOT NULL"
    return f"""
        SELECT {own},
          per_unit_rate_id AS rate_id,
          CASE WHEN NOT is_usage THEN 'excluded'
               WHEN {no_quantity} THEN 'not_estimated' ELSE per_unit_status END AS status,
          CASE WHEN NOT is_usage THEN charge_class
               WHEN {no_quantity}
               THEN CASE WHEN consumed_quantity IS NULL THEN 'quantity_missing' ELSE 'negative_net_quantity' END
               ELSE per_unit_reason END AS reason,
          CASE WHEN rated_quantity IS NOT NULL THEN per_unit_method END AS method,
          CASE WHEN {no_quantity} THEN 'E' ELSE per_unit_coverage_bucket END AS coverage_bucket,
          per_unit_assumptions AS assumptions,
          {impacts}
        FROM ({_rated_rows(activities)})
    """


def _rated_rows(activities: str) -> str:
    """Return the SELECT of every activity beside its line of the card, named ``per_unit_...``.

    ``rated_quantity`` is the quantity that is to be multiplied: null where there is none, or where it is negative. It
    is computed here once, for twelve impacts.
    """
    own = ", ".join(f"a.{name}" for name in ACTIVITY_COLUMNS)
    card = ", ".join(f"c.{name} AS per_unit_{name}" for name in _OF_THE_CARD)
    is_usage = f"a.charge_class = '{USAGE}'"
    return f"""
        SELECT {own}, {card}, {is_usage} AS is_usage,
          CASE WHEN c.total_kgco2e IS NOT NULL AND a.consumed_quantity >= 0
               THEN a.consumed_quantity::DOUBLE END AS rated_quantity
        FROM {activities} a
        LEFT JOIN card c
          ON {is_usage} AND c.sku_hash = a.sku_hash AND c.month_start = {_month_start("a.charge_period_start")}
    """


def _month_start(instant: str) -> str:
    """Return the SQL of the first instant of the month, UTC, as TIMESTAMP: arithmetic on microseconds alone."""
    return f"date_trunc('month', make_timestamp(epoch_us({instant})))"
