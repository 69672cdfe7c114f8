"""From activities in DuckDB to a rate card in DuckDB: one rate per distinct SKU and period, then a join key for both.

The join key is DuckDB's 64-bit hash of the SKU columns, checked for collisions on every run, so that the join is over
one integer and not over ten nullable columns; and the start of the period, computed without a calendar library.
The period is the month; it is the hour in those months that the factors have by the hour.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from offgridflow.domain.errors import ConservationError
from offgridflow.domain.model import ACTIVITY_COLUMNS, SKU_COLUMNS, USAGE, Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Hour, Month, Period
from offgridflow.domain.rated import card_of, insert_of, rate_values, rated_rows

RateFunction = Callable[[Sku, Period], Rate]
"""A pure function from a SKU and a period to its rate, bound to one factor set and recipe."""

CARD: Final = "card"
CARD_KEYS: Final[dict[str, str]] = {"sku_hash": "UBIGINT", "period_start": "TIMESTAMP"}
_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class CardLine:
    """One SKU of the bill in one period, as it stands in the activities."""

    sku_hash: int
    period: Period
    sku: Sku


def skus_of(con: duckdb.DuckDBPyConnection, hourly: Sequence[Month] = ()) -> Iterator[CardLine]:
    """Yield every distinct (SKU, period) of the usage rows of ``activities``, SKUs as they stand in ``skus``.

    Periods are months, and hours in the months ``hourly``. Two SKUs that share a hash both come under it.
    """
    period_start = _period_start("charge_period_start", hourly)
    con.execute(
        f"WITH starts AS ("
        f"SELECT DISTINCT sku_hash, charge_period_start FROM activities WHERE charge_class = '{USAGE}'), "
        f"used AS (SELECT DISTINCT sku_hash, {period_start} AS period_start FROM starts), "
        f"known AS (SELECT DISTINCT sku_hash, {_COLUMNS} FROM skus) "
        f"SELECT sku_hash, period_start, {_COLUMNS} FROM used JOIN known USING (sku_hash)",
    )
    while rows := con.fetchmany(_BATCH):
        for sku_hash, start, *values in rows:
            month = Month.of(start)
            period = Hour.of(start) if month in hourly else month
            yield CardLine(sku_hash, period, sku_from_row(values))


def sku_from_row(values: Sequence[Any]) -> Sku:
    """Build a Sku from the values of SKU_COLUMNS in their order; ``attributes`` comes as a mapping or None."""
    fields = dict(zip(SKU_COLUMNS, values, strict=True))
    attributes = fields.pop("attributes")
    known = SkuAttributes(**attributes) if isinstance(attributes, dict) else SkuAttributes()
    return Sku(**fields, attributes=known)


def card_row(line: CardLine, rate: Rate) -> tuple[object, ...]:
    """Return the row of the card of one rate: CARD_KEYS, then RATE_COLUMNS."""
    return (line.sku_hash, line.period.start.replace(tzinfo=None), *rate_values(rate))


def build_card(con: duckdb.DuckDBPyConnection, rate_of: RateFunction, hourly: Sequence[Month] = ()) -> tuple[Rate, ...]:
    """Rate every (SKU, period) of ``activities``, fill the temporary table ``card``, and return the distinct rates.

    Raises ConservationError if two SKUs share a hash (their activities could not be told apart).
    """
    lines = list(skus_of(con, hourly))
    _refuse_collisions(lines)
    rates = [rate_of(line.sku, line.period) for line in lines]
    con.execute(card_of(CARD, CARD_KEYS))
    _insert(con, (card_row(line, rate) for line, rate in zip(lines, rates, strict=True)))
    return tuple({rate.rate_id: rate for rate in rates}.values())


def _refuse_collisions(lines: Sequence[CardLine]) -> None:
    if len({(line.sku_hash, line.period) for line in lines}) != len(lines):
        sentence = "Two SKUs of this delivery have the same 64-bit hash, so their activities cannot be told apart."
        raise ConservationError(sentence, action="Please report it with the versions of OffGridFlow and DuckDB.")


def _insert(con: duckdb.DuckDBPyConnection, rows: Iterable[tuple[object, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return
    con.execute(insert_of(CARD, CARD_KEYS), columns)


def emissions_query(activities: str = "activities", hourly: Sequence[Month] = ()) -> str:
    """Return the SELECT that joins a relation like ``activities`` with the card to rows of EMISSION_COLUMNS.

    ``hourly`` are the months that the card was built with.
    """
    on = f"c.sku_hash = a.sku_hash AND c.period_start = {_period_start('a.charge_period_start', hourly)}"
    return rated_rows(", ".join(ACTIVITY_COLUMNS), activities, CARD, on)


def _period_start(instant: str, hourly: Sequence[Month]) -> str:
    """Return the SQL of the first instant of the period, UTC, as TIMESTAMP: arithmetic on microseconds alone."""
    wall_clock = f"make_timestamp(epoch_us({instant}))"
    month = f"date_trunc('month', {wall_clock})"
    if not hourly:
        return month
    months = ", ".join(f"TIMESTAMP '{each}-01 00:00:00'" for each in hourly)
    return f"CASE WHEN {month} IN ({months}) THEN date_trunc('hour', {wall_clock}) ELSE {month} END"
