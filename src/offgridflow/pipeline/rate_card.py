"""From activities in DuckDB to a rate card in DuckDB: one rate per distinct SKU and period, then a join key for both.

The join key is DuckDB's 64-bit hash of the SKU columns, checked for collisions on every run, so that the join is over
one integer and not over ten nullable columns; and the start of the period, computed without a calendar library.
The period is the month; it is the hour for those SKUs and months where the hour makes a difference.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import duckdb

from offgridflow.domain.errors import ConservationError
from offgridflow.domain.model import ACTIVITY_COLUMNS, SKU_COLUMNS, USAGE, Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Hour, Month, Period, month_of
from offgridflow.domain.rated import card_of, insert_of, rate_values, rated_rows
from offgridflow.methodology.batch import collector_at_rest

RateFunction = Callable[[Sku, Period], Rate]
"""A pure function from a SKU and a period to its rate, bound to one factor set and recipe."""

CARD: Final = "card"
HOURLY: Final = "hourly_skus"
"""Which SKUs the card has by the hour, in which months; the columns are the SKU's hash and the month's start."""
CARD_KEYS: Final[dict[str, str]] = {"sku_hash": "UBIGINT", "period_start": "TIMESTAMP"}
_COLUMNS: Final = ", ".join(SKU_COLUMNS)
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class CardLine:
    """One SKU of the bill in one period, as it stands in the activities."""

    sku_hash: int
    period: Period
    sku: Sku


def skus_of(con: duckdb.DuckDBPyConnection) -> Iterator[CardLine]:
    """Yield every distinct (SKU, month) of the usage rows of ``activities``, SKUs as they stand in ``skus``.

    Two SKUs that share a hash both come under it.
    """
    con.execute(
        f"WITH starts AS ("
        f"SELECT DISTINCT sku_hash, charge_period_start FROM activities WHERE charge_class = '{USAGE}'), "
        f"used AS (SELECT DISTINCT sku_hash, {_start_of('month', 'charge_period_start')} AS month_start FROM starts), "
        f"known AS (SELECT DISTINCT sku_hash, {_COLUMNS} FROM skus) "
        f"SELECT sku_hash, month_start, {_COLUMNS} FROM used JOIN known USING (sku_hash)",
    )
    while rows := con.fetchmany(_BATCH):
        for sku_hash, start, *values in rows:
            yield CardLine(sku_hash, Month.of(start), sku_from_row(values))


def hours_of(con: duckdb.DuckDBPyConnection, lines: Sequence[CardLine]) -> Iterator[CardLine]:
    """Yield lines of months as lines of the hours in which they are used, and keep in HOURLY which those are."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE {HOURLY} (sku_hash UBIGINT, month_start TIMESTAMP)")
    skus = {(line.sku_hash, line.period): line.sku for line in lines}
    if not skus:
        return
    starts = [period.start.replace(tzinfo=None) for _, period in skus]
    columns = "unnest(?::UBIGINT[]), unnest(?::TIMESTAMP[])"
    con.execute(f"INSERT INTO {HOURLY} SELECT {columns}", [[sku_hash for sku_hash, _ in skus], starts])
    con.execute(
        f"SELECT DISTINCT sku_hash, {_start_of('hour', 'charge_period_start')} FROM activities JOIN {HOURLY} "
        f"USING (sku_hash) WHERE charge_class = '{USAGE}' AND month_start = {_start_of('month', 'charge_period_start')}"
    )
    while rows := con.fetchmany(_BATCH):
        for sku_hash, start in rows:
            hour = Hour.of(start)
            yield CardLine(sku_hash, hour, skus[sku_hash, hour.month])


def sku_from_row(values: Sequence[Any]) -> Sku:
    """Build a Sku from the values of SKU_COLUMNS in their order; ``attributes`` comes as a mapping or None."""
    fields = dict(zip(SKU_COLUMNS, values, strict=True))
    attributes = fields.pop("attributes")
    known = SkuAttributes(**attributes) if isinstance(attributes, dict) else SkuAttributes()
    return Sku(**fields, attributes=known)


def card_row(line: CardLine, rate: Rate) -> tuple[object, ...]:
    """Return the row of the card of one rate: CARD_KEYS, then RATE_COLUMNS."""
    return (line.sku_hash, line.period.start.replace(tzinfo=None), *rate_values(rate))


def build_card(
    con: duckdb.DuckDBPyConnection, rate_of: RateFunction, varies: Callable[[Sku, Month], bool] | None = None
) -> tuple[Rate, ...]:
    """Rate every (SKU, month) of ``activities``, fill the temporary table ``card``, and return the distinct rates.

    Where ``varies`` says so, every hour of a SKU's month is rated instead; without it, nothing is.
    Raises ConservationError if two SKUs share a hash (their activities could not be told apart).
    """
    lines = list(skus_of(con))
    _refuse_collisions(lines)
    if varies is not None:
        varied = [line for line in lines if varies(line.sku, month_of(line.period))]
        split = {(line.sku_hash, line.period) for line in varied}
        kept = [line for line in lines if (line.sku_hash, line.period) not in split]
        lines = [*kept, *hours_of(con, varied)]
    with collector_at_rest():
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


def emissions_query(activities: str = "activities", *, by_hour: bool = False) -> str:
    """Return the SELECT that joins a relation like ``activities`` with the card to rows of EMISSION_COLUMNS.

    ``by_hour`` says that the card was built with hours, so that HOURLY is there.
    """
    period = _start_of("month", "a.charge_period_start")
    if by_hour:
        month, hour = (_start_of(unit, "charge_period_start") for unit in ("month", "hour"))
        varied = f"(sku_hash, {month}) IN (SELECT (sku_hash, month_start) FROM {HOURLY})"
        activities = f"(SELECT *, CASE WHEN {varied} THEN {hour} ELSE {month} END AS rated_from FROM {activities})"
        period = "a.rated_from"
    on = f"c.sku_hash = a.sku_hash AND c.period_start = {period}"
    return rated_rows(", ".join(ACTIVITY_COLUMNS), activities, CARD, on)


def _start_of(unit: Literal["month", "hour"], instant: str) -> str:
    """Return the SQL of the first instant of a month or an hour, UTC, as TIMESTAMP: arithmetic on microseconds."""
    return f"date_trunc('{unit}', make_timestamp(epoch_us({instant})))"
