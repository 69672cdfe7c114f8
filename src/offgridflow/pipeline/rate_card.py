"""From activities in DuckDB to a rate card in DuckDB: one rate per distinct SKU and month, then a join key for both.

The join key is DuckDB's 64-bit hash of the SKU columns, checked for collisions on every run, so that the join is over
one integer and not over ten nullable columns; and the start of the month, computed without a calendar library.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from offgridflow.domain.errors import ConservationError
from offgridflow.domain.model import ACTIVITY_COLUMNS, SKU_COLUMNS, USAGE, Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.domain.rated import card_of, insert_of, rate_values, rated_rows

RateFunction = Callable[[Sku, Month], Rate]
"""A pure function from a SKU and a month to its rate, bound to one factor set and recipe."""

CARD: Final = "card"
CARD_KEYS: Final[dict[str, str]] = {"sku_hash": "UBIGINT", "month_start": "TIMESTAMP"}
_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_BATCH = 5_000


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
    """Return the row of the card of one rate: CARD_KEYS, then RATE_COLUMNS."""
    return (line.sku_hash, line.month.start.replace(tzinfo=None), *rate_values(rate))


def build_card(con: duckdb.DuckDBPyConnection, rate_of: RateFunction) -> tuple[Rate, ...]:
    """Rate every (SKU, month) of ``activities``, fill the temporary table ``card``, and return the distinct rates.

    Raises ConservationError if two SKUs share a hash (their activities could not be told apart).
    """
    lines = list(skus_of(con))
    _refuse_collisions(lines)
    rates = [rate_of(line.sku, line.month) for line in lines]
    con.execute(card_of(CARD, CARD_KEYS))
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
    con.execute(insert_of(CARD, CARD_KEYS), columns)


def emissions_query(activities: str = "activities") -> str:
    """Return the SELECT that joins a relation like ``activities`` with the card to rows of EMISSION_COLUMNS."""
    on = f"c.sku_hash = a.sku_hash AND c.month_start = {_month_start('a.charge_period_start')}"
    return rated_rows(", ".join(ACTIVITY_COLUMNS), activities, CARD, on)


def _month_start(instant: str) -> str:
    """Return the SQL of the first instant of the month, UTC, as TIMESTAMP: arithmetic on microseconds alone."""
    return f"date_trunc('month', make_timestamp(epoch_us({instant})))"
