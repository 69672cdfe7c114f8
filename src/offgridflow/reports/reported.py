"""The providers' own figures as reports read them: the view ``reported_emissions``, newest model version only.

A provider may publish several model versions of one month side by side; only the newest of a source, account and month
counts, so that no month is ever counted twice.
"""

from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.model import DECIMAL
from offgridflow.reports.records import has_table, records

if TYPE_CHECKING:
    import duckdb

REPORTED: Final = "reported_emissions"

REPORTED_FIGURES: Final = (
    "scope_1_kgco2e",
    "scope_2_location_kgco2e",
    "scope_2_market_kgco2e",
    "scope_2_unspecified_kgco2e",
    "scope_3_location_kgco2e",
    "scope_3_market_kgco2e",
    "total_location_kgco2e",
    "total_market_kgco2e",
)
"""Figures in kg. None where the provider publishes none; ``unspecified`` where it does not say by which method."""

REPORTED_COLUMNS: Final[dict[str, str]] = {
    "source": "VARCHAR",
    "month": "VARCHAR",
    "provider": "VARCHAR",
    "sub_account_id": "VARCHAR",
    "region_id": "VARCHAR",
    "service_name": "VARCHAR",
    "resource_id": "VARCHAR",
    "model_version": "VARCHAR",
    **dict.fromkeys(REPORTED_FIGURES, DECIMAL),
}
"""What the view ``reported_emissions`` must have. ``service_name`` is the provider's service name or code."""

_VERSION: Final = "coalesce(list_transform(regexp_extract_all(model_version, '[0-9]+'), lambda x: x::BIGINT), [])"
_NEWEST: Final = (
    f"SELECT {', '.join(REPORTED_COLUMNS)} FROM {REPORTED} "
    f"QUALIFY {_VERSION} = max({_VERSION}) OVER (PARTITION BY source, month, sub_account_id)"
)


def reported_rows(con: "duckdb.DuckDBPyConnection", first: str, last: str) -> list[dict[str, Any]]:
    """Return the published rows of the months ``first`` to ``last`` (YYYY-MM, inclusive); empty without the view.

    A row's service is the ledger's name of it where the bill knows the code that the provider reports.
    """
    if not has_table(con, REPORTED):
        return []
    rows = records(con, f"{_NEWEST} ORDER BY ALL")
    names = _names(con)
    wanted = [row for row in rows if first <= row["month"] <= last]
    return [{**row, "service_name": _named(row, names)} for row in wanted]


def _names(con: "duckdb.DuckDBPyConnection") -> dict[tuple[str, str], str]:
    """Return the bill's service name of every (provider, name or code in lower case)."""
    rows = con.execute(
        "SELECT DISTINCT provider, service_name, service_code FROM emissions "
        "WHERE service_name IS NOT NULL ORDER BY ALL",
    ).fetchall()
    known: dict[tuple[str, str], str] = {}
    for provider, name, code in rows:
        if code is not None:
            known.setdefault((provider, code.lower()), name)
    for provider, name, _ in rows:
        known[provider, name.lower()] = name
    return known


def _named(row: dict[str, Any], names: dict[tuple[str, str], str]) -> str | None:
    name: str | None = row["service_name"]
    return None if name is None else names.get((row["provider"], name.lower()), name)
