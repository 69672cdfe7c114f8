"""The providers' own figures as reports read them: the view ``reported_emissions``, each emission once.

A provider may publish several model versions of one month side by side, break one month down in several ways, and
answer by an API what it also exports. Of an account and month one source with its newest model version counts, and of
the breakdowns those by cell or by resource, so that nothing is ever counted twice.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import DECIMAL
from offgridflow.domain.reported import COUNTED, REPORTED, REPORTED_COLUMNS, REPORTED_FIGURES, WATER, Breakdown
from offgridflow.reports.records import has_table, records
from offgridflow.reports.scope import MONTH_SQL, Filters, Key, one_of, values_of

if TYPE_CHECKING:
    import duckdb

__all__ = ["REPORTED", "REPORTED_COLUMNS", "REPORTED_FIGURES", "published_rows", "reported_rows", "reported_water"]

_READ: Final = (
    *("source", "month", "provider", "sub_account_id", "region_id", "service_name", "resource_id", "model_version"),
    *REPORTED_FIGURES,
)
_VERSION: Final = "coalesce(list_transform(regexp_extract_all(model_version, '[0-9]+'), lambda x: x::BIGINT), [])"
_COUNTED: Final = ", ".join(f"'{breakdown.value}'" for breakdown in COUNTED)
_NEWEST: Final = (
    f"QUALIFY dense_rank() OVER (PARTITION BY provider, month, lower(sub_account_id) ORDER BY {_VERSION} DESC, source) "
    f"= 1"
)
_ONCE: Final = (
    f"SELECT {', '.join(_READ)} FROM {REPORTED} WHERE breakdown IS NULL OR breakdown IN ({_COUNTED}) {_NEWEST}"
)
"""Of two sources with the same newest model version the first by name counts."""


def reported_rows(con: "duckdb.DuckDBPyConnection", first: str, last: str) -> list[dict[str, Any]]:
    """Return the published rows of the months ``first`` to ``last`` (YYYY-MM, inclusive); empty without the view.

    Accounts, regions, services and resources are written as the bill writes them. A resource stands under the region
    and service under which the bill has most of its emissions, for providers report resources by their type.
    """
    if not has_table(con, REPORTED):
        return []
    wanted = [row for row in records(con, f"{_ONCE} ORDER BY ALL") if first <= row["month"] <= last]
    if not wanted:
        return []
    bill = _bill(con)
    resources = _resources(con) if any(row["resource_id"] for row in wanted) else {}
    return [_spelled(row, bill, resources) for row in wanted]


REPORTED_KEYS: Final = (
    *("source", "month", "provider", "breakdown", "billing_account_id", "sub_account_id", "region_id", "service_name"),
    *("resource_id", "resource_group", "model_version"),
)
"""What published rows can be filtered by, in the order in which they are listed."""


def published_rows(
    con: "duckdb.DuckDBPyConnection", months: tuple[str | None, str | None], where: Filters, page: tuple[int, int]
) -> list[dict[str, Any]]:
    """Return rows as providers published them: every breakdown and model version, nothing added, null for unknown.

    ``months`` are the first and last (YYYY-MM, inclusive); a row of a year (water) is in all of its months. ``where``
    maps REPORTED_KEYS to values; ``page`` is (limit, offset). Raises UsageError for another key.
    """
    parts: list[str] = ["true"]
    values: list[object] = []
    for month, comparison in zip(months, (">=", "<="), strict=True):
        if month is not None:
            parts.append(f"month {comparison} left(?, length(month))")
            values.append(month)
    for name, wanted in where.items():
        if name not in REPORTED_KEYS:
            sentence = f"{name!r} is not a key that published figures know."
            raise UsageError(sentence, action=f"Use one of: {', '.join(REPORTED_KEYS)}.")
        condition, bound = one_of(Key(name, name), values_of(wanted))
        parts.append(condition)
        values.extend(bound)
    if not has_table(con, REPORTED):
        return []
    sql = (
        f"SELECT {', '.join(REPORTED_COLUMNS)} FROM {REPORTED} WHERE {' AND '.join(parts)} "
        f"ORDER BY {', '.join(REPORTED_KEYS)}, given LIMIT ? OFFSET ?"
    )
    return records(con, sql, [*values, *page])


def reported_water(con: "duckdb.DuckDBPyConnection", year: str) -> dict[str, Decimal | None]:
    """Return the litres that providers publish for a calendar year (YYYY); who publishes none is absent."""
    if not has_table(con, REPORTED):
        return {}
    rows = con.execute(
        f"SELECT provider, sum({WATER}) FROM (SELECT * FROM {REPORTED} WHERE breakdown = ? AND month = ? {_NEWEST}) "
        f"GROUP BY provider ORDER BY provider",
        [Breakdown.WATER_YEAR.value, year],
    ).fetchall()
    return dict(rows)


_Names = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class _Bill:
    """How the bill spells what providers report, by (provider, plain form)."""

    services: _Names
    regions: _Names
    accounts: _Names


def _bill(con: "duckdb.DuckDBPyConnection") -> _Bill:
    rows = con.execute(
        "SELECT DISTINCT provider, service_name, service_code, region_id, sub_account_id FROM emissions ORDER BY ALL"
    ).fetchall()
    codes = _known((row[0], row[2], row[1]) for row in rows)
    names = _known((row[0], row[1], row[1]) for row in rows)
    regions = _known((row[0], row[3], row[3]) for row in rows)
    return _Bill({**codes, **names}, regions, _known((row[0], row[4], row[4]) for row in rows))


def _known(triples: Iterable[tuple[str, str | None, str | None]]) -> _Names:
    found: _Names = {}
    for provider, text, name in triples:
        if text is not None and name is not None:
            found.setdefault((provider, _plain(text)), name)
    return found


def _plain(text: str) -> str:
    """Return a name as it is compared: ``East US 2`` and ``eastus2`` are one region."""
    return _LOOSE.sub("", text.lower())


_LOOSE: Final = re.compile(r"[\s()]+")
_Place = tuple[str, str | None, str | None]


def _resources(con: "duckdb.DuckDBPyConnection") -> dict[tuple[str, str, str], _Place]:
    """Return (resource id, region, service) in the bill's words, by (provider, month, resource id in lower case)."""
    rows = con.execute(
        f"SELECT provider, {MONTH_SQL} AS month, lower(resource_id) AS plain, min(resource_id), region_id, "
        "service_name "
        f"FROM emissions WHERE charge_class = 'usage' AND lower(resource_id) IN "
        f"(SELECT lower(resource_id) FROM {REPORTED} WHERE resource_id IS NOT NULL) "
        f"GROUP BY provider, {MONTH_SQL}, lower(resource_id), region_id, service_name "
        f"QUALIFY row_number() OVER (PARTITION BY provider, {MONTH_SQL}, lower(resource_id) "
        f"ORDER BY sum(total_kgco2e::{DECIMAL}) DESC NULLS LAST, region_id, service_name) = 1",
    ).fetchall()
    return {(provider, month, plain): (name, region, service) for provider, month, plain, name, region, service in rows}


def _spelled(row: dict[str, Any], bill: _Bill, resources: Mapping[tuple[str, str, str], _Place]) -> dict[str, Any]:
    provider = row["provider"]

    def of(names: _Names, text: str | None) -> str | None:
        return None if text is None else names.get((provider, _plain(text)), text)

    spelled = {
        **row,
        "service_name": of(bill.services, row["service_name"]),
        "region_id": of(bill.regions, row["region_id"]),
        "sub_account_id": of(bill.accounts, row["sub_account_id"]),
    }
    if row["resource_id"] is not None:
        place = resources.get((provider, row["month"], row["resource_id"].lower()))
        if place is not None:
            spelled |= dict(zip(("resource_id", "region_id", "service_name"), place, strict=True))
    return spelled
