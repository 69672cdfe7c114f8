"""Lines and money of the raw delivery against those of the mapped rows, before anything is committed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from offgridflow.domain.errors import ConservationError
from offgridflow.domain.model import USAGE
from offgridflow.pipeline.model import Tally

PeriodKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Totals:
    """Lines and money of one (source, billing period, currency). ``money`` is of the conserved column."""

    line_items: int
    money: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of one (source, billing period, currency) before the commit."""

    source: str
    billing_period: str
    billing_currency: str | None
    raw: Totals
    activities: int
    usage: Totals
    excluded: Mapping[str, Tally]
    quarantined: Mapping[str, Tally]

    @property
    def mapped(self) -> Totals:
        """Usage + excluded + quarantined."""
        parts = (*self.excluded.values(), *self.quarantined.values())
        lines = self.usage.line_items + sum(part.line_items for part in parts)
        return Totals(lines, self.usage.money + sum((part.billed_cost or Decimal(0) for part in parts), Decimal(0)))

    def check(self) -> None:
        """Raise ConservationError unless lines and money of the raw delivery and of the rows are equal."""
        if self.raw == self.mapped:
            return
        sentence = (
            f"{self.source} {self.billing_period} {self.billing_currency or 'no currency'}: the raw files hold "
            f"{self.raw.line_items} lines and {self.raw.money} in money, the mapped rows hold "
            f"{self.mapped.line_items} lines and {self.mapped.money}."
        )
        raise ConservationError(sentence, action="Nothing was committed; report it with the format's name and version.")


def accounts_of(con: duckdb.DuckDBPyConnection, money_column: str) -> dict[PeriodKey, list[Account]]:
    """Return the accounts of the tables raw_totals, activities and quarantine of an aggregation, by period."""
    raw = con.execute(
        "SELECT source, billing_period, billing_currency, line_items, coalesce(money, 0) FROM raw_totals ORDER BY ALL",
    ).fetchall()
    mapped = _by_class(con, money_column)
    quarantined = _quarantined(con)
    keys = {(row[0], row[1], row[2]) for row in raw} | set(mapped) | set(quarantined)
    totals = {(row[0], row[1], row[2]): Totals(row[3], row[4]) for row in raw}
    accounts: dict[PeriodKey, list[Account]] = {}
    for key in sorted(keys, key=str):
        source, period, currency = key
        rows, usage, excluded = mapped.get(key, (0, Totals(0, Decimal(0)), {}))
        account = Account(
            source=source,
            billing_period=period,
            billing_currency=currency,
            raw=totals.get(key, Totals(0, Decimal(0))),
            activities=rows,
            usage=usage,
            excluded=excluded,
            quarantined=quarantined.get(key, {}),
        )
        accounts.setdefault((source, period), []).append(account)
    return accounts


_CurrencyKey = tuple[str, str, str | None]


def _by_class(
    con: duckdb.DuckDBPyConnection,
    money_column: str,
) -> dict[_CurrencyKey, tuple[int, Totals, dict[str, Tally]]]:
    rows = con.execute(
        f"SELECT source, billing_period, billing_currency, charge_class, count(*), sum(line_items)::BIGINT, "
        f"coalesce(sum({money_column}), 0) FROM activities GROUP BY ALL ORDER BY ALL",
    ).fetchall()
    found: dict[_CurrencyKey, tuple[int, Totals, dict[str, Tally]]] = {}
    for source, period, currency, charge_class, count, lines, money in rows:
        activities, usage, excluded = found.get((source, period, currency), (0, Totals(0, Decimal(0)), {}))
        if charge_class == USAGE:
            activities, usage = count, Totals(lines, money)
        else:
            excluded[charge_class] = Tally(lines, money)
        found[source, period, currency] = (activities, usage, excluded)
    return found


def _quarantined(con: duckdb.DuckDBPyConnection) -> dict[_CurrencyKey, dict[str, Tally]]:
    rows = con.execute(
        "SELECT source, billing_period, billing_currency, reason, count(*), sum(billed_cost) "
        "FROM quarantine GROUP BY ALL ORDER BY ALL",
    ).fetchall()
    found: dict[_CurrencyKey, dict[str, Tally]] = {}
    for source, period, currency, reason, lines, money in rows:
        found.setdefault((source, period, currency), {})[reason] = Tally(lines, money)
    return found
