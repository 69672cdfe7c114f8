"""Which (source, billing period) a line belongs to, and the raw totals: a scan of its own, not grouped by the grain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from offgridflow.domain.errors import InputError
from offgridflow.domain.identity import provider_slug
from offgridflow.engines.cells import clean
from offgridflow.engines.model import Part
from offgridflow.engines.readers import RawSql

Home = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """Lines and money that a part holds of one (source, billing period, currency)."""

    part: str
    source: str
    billing_period: str
    billing_currency: str | None
    slug: str
    records: int
    line_items: int
    money: Decimal


@dataclass(frozen=True, slots=True)
class RawScope:
    """The same as the raw scan finds it: any name may be missing."""

    part: str
    provider: str | None
    account: str | None
    billing_period: str | None
    billing_currency: str | None
    records: int
    line_items: int
    money: Decimal


@dataclass(frozen=True, slots=True)
class Homes:
    """Where a line goes that does not itself say where it belongs: to the first period of its part, else of all.

    A line that lacks its account alone stays in its own period.
    """

    by_part: Mapping[str, Home]
    anywhere: Home
    source: str | None

    def of(self, part: str, provider: str | None, account: str | None, period: str | None) -> Home:
        """Return the (source, billing period) of a line of a part."""
        home_source, home_period = self.by_part.get(part, self.anywhere)
        return source_of(provider, account, self.source) or home_source, period or home_period


def source_of(provider: str | None, account: str | None, source: str | None) -> str | None:
    """Return the source's name: the given one, else ``<provider>/<billing_account_id>``; None where it has none."""
    if source is not None or account is None:
        return source
    return f"{provider_slug(provider or '')}/{account.rstrip('/').rsplit('/', 1)[-1]}"


class Scopes:
    """All scopes of an aggregation, with the homes of lines that belong to none."""

    def __init__(self, rows: Sequence[RawScope], source: str | None) -> None:
        self.homes = _homes_of(rows, source)
        self._scopes = [_scope_of(row, self.homes) for row in rows] if self.homes is not None else []

    def add_malformed(self, part: str, records: int) -> None:
        """Count records of a part that the reader rejected."""
        if self.homes is None:
            sentence = f"{part}: none of its records can be read as CSV."
            raise InputError(sentence, action="Check its delimiter and quotes, and export it again.", code="UNREADABLE")
        source, period = self.homes.of(part, None, None, None)
        self._scopes.append(Scope(part, source, period, None, "", records, records, Decimal(0)))

    def part_names(self, source: str, billing_period: str) -> frozenset[str]:
        """Return the names of the parts that hold lines of a period."""
        return frozenset(scope.part for scope in self._of(source, billing_period))

    def provider_of(self, source: str, billing_period: str) -> str | None:
        """Return the provider slug of a period; None where it holds several."""
        slugs = {scope.slug for scope in self._of(source, billing_period) if scope.slug}
        return slugs.pop() if len(slugs) == 1 else None

    def records_of(self, part: str) -> int:
        """Return the records that were read from a part."""
        return sum(scope.records for scope in self._scopes if scope.part == part)

    def _of(self, source: str, billing_period: str) -> list[Scope]:
        return [scope for scope in self._scopes if (scope.source, scope.billing_period) == (source, billing_period)]

    def create_raw_totals(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create the table ``raw_totals``."""
        con.execute(
            "CREATE OR REPLACE TABLE raw_totals (source VARCHAR, billing_period VARCHAR, billing_currency VARCHAR, "
            "line_items BIGINT, money DECIMAL(38,15))",
        )
        totals: dict[tuple[str, str, str | None], tuple[int, Decimal]] = {}
        for scope in self._scopes:
            key = (scope.source, scope.billing_period, scope.billing_currency)
            lines, money = totals.get(key, (0, Decimal(0)))
            totals[key] = (lines + scope.line_items, money + scope.money)
        if totals:
            rows = [[*key, *value] for key, value in sorted(totals.items(), key=str)]
            con.executemany("INSERT INTO raw_totals VALUES (?, ?, ?, ?, ?)", rows)


def _scope_of(row: RawScope, homes: Homes) -> Scope:
    source, period = homes.of(row.part, row.provider, row.account, row.billing_period)
    slug = provider_slug(row.provider) if row.provider is not None else ""
    return Scope(row.part, source, period, row.billing_currency, slug, row.records, row.line_items, row.money)


def _homes_of(rows: Sequence[RawScope], source: str | None) -> Homes | None:
    named = [
        (row.part, (name, row.billing_period))
        for row in rows
        if row.billing_period is not None and (name := source_of(row.provider, row.account, source)) is not None
    ]
    if not named:
        return None
    by_part: dict[str, Home] = {}
    for part, home in sorted(named):
        by_part.setdefault(part, home)
    return Homes(by_part, min(home for _, home in named), source)


def read_scopes(con: duckdb.DuckDBPyConnection, raw: RawSql, source: str | None, parts: Sequence[Part]) -> Scopes:
    """Scan the raw files for lines and money by part, provider, account, period and currency.

    Raises InputError where there are lines, and none says which billing period it belongs to, or which account.
    """
    rows = [_raw_scope(row, parts) for row in con.execute(_query(raw)).fetchall()]
    scopes = Scopes(rows, source)
    if rows and scopes.homes is None:
        if any(row.billing_period for row in rows):
            sentence = f"{rows[0].part}: no line says which billing account it belongs to."
            raise InputError(sentence, action="Name the source with --source.", code="NO_ACCOUNT")
        sentence = f"{rows[0].part}: no line has a billing period that can be read."
        raise InputError(sentence, action="Export it again with ISO 8601 dates.", code="NO_PERIOD")
    return scopes


def _query(raw: RawSql) -> str:
    identity, words = raw.mapping.identity, raw.mapping.null_words
    return (
        f"SELECT _part, {clean('provider', words)}, {clean('account', words)}, strftime(day, '%Y-%m'), "
        f"{clean('currency', words)}, sum(records)::BIGINT, sum(lines)::BIGINT, sum(money) FROM ("
        f"SELECT _part, {identity.provider} AS provider, {identity.account} AS account, {identity.period} AS day, "
        f"{identity.currency} AS currency, count(*) AS records, {raw.counting} AS lines, "
        f"coalesce(sum({identity.money}), 0) AS money "
        f"FROM ({raw.union()}) AS raw GROUP BY ALL) GROUP BY ALL"
    )


def _raw_scope(row: tuple[Any, ...], parts: Sequence[Part]) -> RawScope:
    part, *values = row
    return RawScope(parts[part].name, *values)
