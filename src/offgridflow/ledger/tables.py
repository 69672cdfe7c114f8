"""The tables of a ledger: names, columns and partitions, and their Delta schemas.

Every table but ``commits`` is partitioned by (source, billing period, commit id): what is live is found in the log of
``emissions`` alone, and the files of the others follow by commit id without being opened. ``reported_emissions`` goes
by source and month, and stands for itself.
"""

from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Final

import duckdb
from arro3.core import Table
from deltalake import Schema

from offgridflow.domain.model import DECIMAL, EMISSION_COLUMNS, PARTITION_COLUMNS, SKU_COLUMNS
from offgridflow.domain.reported import REPORTED, REPORTED_COLUMNS, VALUE_COLUMNS

LAYOUT_VERSION: Final = 1
"""Version of tables, columns and paths. A ledger with a greater one is refused: a newer program wrote it."""

RATE_COLUMNS: Final[dict[str, str]] = {
    "rate_id": "VARCHAR",
    "period": "VARCHAR",
    **SKU_COLUMNS,
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "method": "VARCHAR",
    "coverage_bucket": "VARCHAR",
    "assumptions": "VARCHAR[]",
    "factor_ids": "VARCHAR[]",
    "it_energy_kwh": "DOUBLE",
    "energy_kwh_low": "DOUBLE",
    "energy_kwh_central": "DOUBLE",
    "energy_kwh_high": "DOUBLE",
    "operational_direct_kgco2e": "DOUBLE",
    "operational_upstream_kgco2e": "DOUBLE",
    "operational_location_kgco2e": "DOUBLE",
    "operational_market_kgco2e": "DOUBLE",
    "embodied_kgco2e": "DOUBLE",
    "total_kgco2e_low": "DOUBLE",
    "total_kgco2e_central": "DOUBLE",
    "total_kgco2e_high": "DOUBLE",
    "total_market_kgco2e": "DOUBLE",
    "envelope_kgco2e_low": "DOUBLE",
    "envelope_kgco2e_high": "DOUBLE",
    "water_l": "DOUBLE",
    "swings": 'STRUCT("group" VARCHAR, low_kgco2e DOUBLE, high_kgco2e DOUBLE)[]',
}
"""A rate, flattened; impacts are per ONE ``consumed_unit`` of the SKU, spans have the suffixes low, central, high."""

QUARANTINE_COLUMNS: Final[dict[str, str]] = {
    "file": "VARCHAR",
    "line_number": "BIGINT",
    "reason": "VARCHAR",
    "column_name": "VARCHAR",
    "value_excerpt": "VARCHAR",
    "billing_currency": "VARCHAR",
    "billed_cost": DECIMAL,
}
"""A line that could not be read. ``billed_cost`` is its money in the conserved column, null where unreadable."""

COMMIT_COLUMNS: Final[dict[str, str]] = {
    "commit_id": "VARCHAR",
    "attempt": "BIGINT",
    "source": "VARCHAR",
    "billing_period": "VARCHAR",
    "provider": "VARCHAR",
    "format": "VARCHAR",
    "fingerprint": "VARCHAR",
    "recipe": "VARCHAR",
    "recipe_json": "VARCHAR",
    "factor_set": "VARCHAR",
    "methodology_version": "VARCHAR",
    "mapping_version": "VARCHAR",
    "grain_json": "VARCHAR",
    "run_id": "VARCHAR",
    "committed_at": "TIMESTAMP WITH TIME ZONE",
    "line_items": "BIGINT",
    "parts": 'STRUCT("name" VARCHAR, digest VARCHAR, bytes BIGINT, records BIGINT)[]',
    "raw_totals": f"STRUCT(billing_currency VARCHAR, line_items BIGINT, money {DECIMAL}, conserved_column VARCHAR)[]",
    "sub_accounts": "STRUCT(provider VARCHAR, sub_account_id VARCHAR, billing_account_id VARCHAR)[]",
    "replaced_commit_id": "VARCHAR",
}
"""What is known of a commit. Of several rows of one commit id the one with the greatest ``attempt`` counts: a lost race
against another replacement adds one, so that ``replaced_commit_id`` is what was really replaced."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A Delta table: own columns (as in its Parquet files) and partition columns (in the log and in the path)."""

    name: str
    columns: dict[str, str]
    partition_by: tuple[str, ...] = tuple(PARTITION_COLUMNS)

    @property
    def all_columns(self) -> dict[str, str]:
        """Partition columns first, then the columns of the files."""
        return {**{name: PARTITION_COLUMNS.get(name, "VARCHAR") for name in self.partition_by}, **self.columns}

    def definition(self) -> str:
        """Return the columns of the files as they stand in a CREATE TABLE."""
        return ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())


EMISSIONS: Final = "emissions"
RATES: Final = "rates"
QUARANTINE: Final = "quarantine"
COMMITS: Final = "commits"

TABLES: Final[dict[str, TableSpec]] = {
    EMISSIONS: TableSpec(EMISSIONS, EMISSION_COLUMNS),
    RATES: TableSpec(RATES, RATE_COLUMNS),
    QUARANTINE: TableSpec(QUARANTINE, QUARANTINE_COLUMNS),
    COMMITS: TableSpec(COMMITS, COMMIT_COLUMNS, partition_by=()),
    REPORTED: TableSpec(
        REPORTED,
        {name: REPORTED_COLUMNS[name] for name in VALUE_COLUMNS},
        partition_by=("source", "month", "commit_id", "content_digest", "upstream_digest"),
    ),
}
"""``emissions`` alone decides what is live; rows of the others count where their commit id is live in it.
``reported_emissions`` is its own head by (source, month); ledgers that are older than it get it with its first row."""


_OPENING: Final = Lock()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def connect() -> duckdb.DuckDBPyConnection:
    """Return a connection of its own, whose instants are in UTC, to this process's in-memory DuckDB.

    A database costs some 25 ms to make, a connection to one nothing. Only temporary tables and views keep apart.
    """
    with _OPENING:
        con = _database().cursor()
    con.execute("SET TimeZone = 'UTC'")
    return con


@cache
def _fields(name: str) -> str:
    spec = TABLES[name]
    columns = ", ".join(f'"{column}" {kind}' for column, kind in spec.all_columns.items())
    con = connect()
    try:
        con.execute(f"CREATE TEMP TABLE typed ({columns})")
        return Schema.from_arrow(Table.from_arrow(con.table("typed")).schema).to_json()
    finally:
        con.close()


def delta_schema(spec: TableSpec) -> Schema:
    """Return the Delta schema of a table, derived from its DuckDB types."""
    return Schema.from_json(_fields(spec.name))
