"""What a change leaves without a rate: use that has a rate before it and none after, or the other way about.

A total that such use is missing from is no total: it is unknown, with the use that is missing beside it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from offgridflow.domain.model import DECIMAL, SKU_COLUMNS, Rate
from offgridflow.reports.figures import Row, difference
from offgridflow.reports.moved import Cell, sums_by
from offgridflow.reports.records import records
from offgridflow.reports.scope import MONTH_SQL, Scope

if TYPE_CHECKING:
    import duckdb

    from offgridflow.reports.moved import Changed

ONE_SIDED: Final = "one_sided"
"""The temporary table of SKUs that only one side rates: key, and why the side after does not (null: it does)."""


class OneSided(NamedTuple):
    """Rows that only one side rates: ``lost`` now and not after, with their kg now, ``gained`` after and not now."""

    lost: int = 0
    gained: int = 0
    lost_kgco2e: Decimal = Decimal(0)


def fill_one_sided(
    con: "duckdb.DuckDBPyConnection", skus: Iterable["Changed"], now: Iterable[Rate], then: Iterable[Rate]
) -> Mapping[int, str]:
    """Make the table ONE_SIDED; return by key why a SKU that is rated now would not be."""
    found: dict[int, str | None] = {}
    for sku, old, new in zip(skus, now, then, strict=True):
        if (old.total_kgco2e is None) != (new.total_kgco2e is None):
            found[sku.key] = None if new.reason is None else new.reason.value
    con.execute(f"CREATE OR REPLACE TEMP TABLE {ONE_SIDED} (one_key UBIGINT, why VARCHAR)")
    if found:
        columns = [list(found), list(found.values())]
        con.execute(f"INSERT INTO {ONE_SIDED} SELECT unnest(?::UBIGINT[]), unnest(?::VARCHAR[])", columns)
    return {key: why for key, why in found.items() if why is not None}


def one_sided(con: "duckdb.DuckDBPyConnection", scope: Scope, by: Sequence[str]) -> dict[Cell, OneSided]:
    """Return per group and currency what only one side rates."""
    found = sums_by(con, scope, by, _SUMS, _JOIN)
    return {cell: OneSided(*(row[name] for name in OneSided._fields)) for cell, row in found.items()}


def reasons(con: "duckdb.DuckDBPyConnection", scope: Scope) -> tuple[Row, ...]:
    """Return why use has no rate after the change, with its SKUs and kg now, the largest first."""
    condition, values = scope.where("usage")
    sql = (
        f"SELECT why AS reason, count(DISTINCT hash({_SKU})) AS skus, "
        f"sum(total_kgco2e::{DECIMAL}) AS total_kgco2e_before "
        f"FROM {scope.view} {_JOIN} WHERE {condition} AND why IS NOT NULL AND total_kgco2e IS NOT NULL "
        f"GROUP BY ALL ORDER BY total_kgco2e_before DESC, reason"
    )
    return tuple(records(con, sql, values))


def compared(keys: Iterable[str], before: Row, after: Row, missing: OneSided) -> Row:
    """Return both sides and their difference; unknown where use is missing on a side."""
    row: Row = {key: before[key] for key in keys}
    for name in ("energy_kwh", "total_kgco2e"):
        old, new = before[name], None if missing.lost else after[name]
        row |= {f"{name}_before": old, f"{name}_after": new}
        row[f"{name}_difference"] = None if missing.gained else difference(new, old)
    row["total_kgco2e_without_rate"] = missing.lost_kgco2e
    return row


def together(cells: Collection[OneSided]) -> OneSided:
    """Return the sums over all groups and currencies."""
    return OneSided(
        sum(each.lost for each in cells),
        sum(each.gained for each in cells),
        sum((each.lost_kgco2e for each in cells), Decimal(0)),
    )


# SQL ----------------------------------------------------------------------------------------------------------------

_SKU: Final = ", ".join(SKU_COLUMNS)
_JOIN: Final = f"JOIN {ONE_SIDED} ON one_key = hash({_SKU}, {MONTH_SQL})"
_SUMS: Final = (
    f"coalesce(sum(total_kgco2e::{DECIMAL}) FILTER (why IS NOT NULL), 0) AS lost_kgco2e, "
    "count(*) FILTER (why IS NOT NULL AND total_kgco2e IS NOT NULL) AS lost, "
    "count(*) FILTER (why IS NULL AND consumed_quantity >= 0) AS gained"
)
