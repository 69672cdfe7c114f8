"""Group Parquet lines by a hash of their many key columns, then read the keys again for one line of each group.

A GROUP BY over twenty text columns spends most of its time on comparing and copying text. Parquet columns come as
dictionaries, whose hash costs next to nothing, so ``facts`` has the hash, the day and the resource as its only keys,
and remembers where the first line of each group stands. ``line_groups`` then has one row per distinct key, read at that
place, and all that is derived is derived there: some ten thousand rows instead of millions.

The hash is two 64-bit hashes over the columns in opposite order; that two of a million different keys share both has a
chance below 10^-12 (decision 0002).
"""

from collections.abc import Mapping
from typing import Final

import duckdb

from offgridflow.domain.model import ACTIVITY_COLUMNS, MEASURE_COLUMNS, SKU_HASH_SQL
from offgridflow.engines.aggregate import (
    CARRIED_KEYS,
    MEASURES,
    SKU_ROW,
    activity_columns,
    has_equal_rows,
    key_types,
    lines_query,
    mapped_query,
    merge,
    problem_sql,
    source_sql,
    truncated,
)
from offgridflow.engines.cells import clean, quote_name
from offgridflow.engines.lookup import fill_lookup
from offgridflow.engines.model import Grain
from offgridflow.engines.readers import ROWS_PER_PART, RawSql

_HASHES: Final = ("_hash", "_hash_back")
_PER_FACT: Final = frozenset({*MEASURE_COLUMNS, *CARRIED_KEYS} - {"sub_account_name"})


def aggregate_parquet(con: duckdb.DuckDBPyConnection, raw: RawSql, grain: Grain, source: str | None) -> None:
    """Create ``activity_rows`` and ``skus`` from Parquet parts."""
    lines = lines_query(raw)
    types = key_types(con, lines)
    keys = {name: kind for name, kind in types.items() if name not in CARRIED_KEYS}
    once = [f"_once_{number}" for number in range(len(raw.once_sources))]
    con.execute(f"CREATE OR REPLACE TABLE facts AS {_facts(raw, lines, [*keys, *once], grain)}")
    _read_keys(con, raw, [*keys, *once])
    fill_lookup(con, raw)
    _derive(con, raw, keys, source)
    con.execute("DROP TABLE line_groups")
    _join(con, raw)
    con.execute(f"CREATE OR REPLACE VIEW skus AS SELECT {SKU_ROW} FROM derived")


def _facts(raw: RawSql, lines: str, keys: list[str], grain: Grain) -> str:
    resource = "resource_id" if grain.resources else "NULL::VARCHAR"
    sums = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)
    return (
        f"SELECT {_hashed(keys)}, {resource} AS resource_id, "
        f"{truncated(grain)} AS charge_period_start, _bad, consumed_quantity IS NULL AS _no_quantity, {sums}, "
        f"{raw.counting} AS line_items, min(_at) AS _at FROM ({lines}) GROUP BY ALL"
    )


def _hashed(keys: list[str]) -> str:
    return f"hash({_named(keys)}) AS _hash, hash({_named(keys[::-1])}, 1) AS _hash_back"


def _named(keys: list[str]) -> str:
    return ", ".join(map(quote_name, keys))


def _read_keys(con: duckdb.DuckDBPyConnection, raw: RawSql, keys: list[str]) -> None:
    """Create ``line_groups``: the key columns of each hash, read from its first line."""
    con.execute("CREATE OR REPLACE TABLE places AS SELECT _hash, _hash_back, min(_at) AS _at FROM facts GROUP BY ALL")
    row = f"_at % {ROWS_PER_PART}"
    first, last = con.execute(f"SELECT min({row}), max({row}) FROM places").fetchall()[0]
    again = lines_query(raw, rows=f"file_row_number BETWEEN {first or 0} AND {last or 0}")
    if raw.mapping.split is None:  # then a place is one line
        again, using = f"SELECT * FROM ({again})", "_at"
    else:
        again, using = f"SELECT DISTINCT {_hashed(keys)}, _at, {_named(keys)} FROM ({again})", "_at, _hash, _hash_back"
    con.execute(
        f"CREATE OR REPLACE TABLE line_groups AS SELECT p._hash, p._hash_back, p._at, "
        f"{', '.join(f'k.{quote_name(key)}' for key in keys)} FROM places p JOIN ({again}) k USING ({using})",
    )
    con.execute("DROP TABLE places")


def _derive(con: duckdb.DuckDBPyConnection, raw: RawSql, keys: Mapping[str, str], source: str | None) -> None:
    """Create ``derived``: every activity column that does not differ between the groups of one key."""
    mapped = mapped_query(raw, keys, _HASHES)
    columns = activity_columns(con, raw, mapped)
    selected = ", ".join(f"{columns[name]} AS {name}" for name in ACTIVITY_COLUMNS if name not in _PER_FACT)
    problem = problem_sql(source).removeprefix("_bad OR ")
    con.execute(
        f"CREATE OR REPLACE TABLE derived AS SELECT *, {SKU_HASH_SQL} AS sku_hash FROM (SELECT {', '.join(_HASHES)}, "
        f"{source_sql(source)} AS source, billing_period, {selected}, {problem} AS problem FROM ({mapped}))",
    )


def _join(con: duckdb.DuckDBPyConnection, raw: RawSql) -> None:
    """Create ``activity_rows`` over ``facts`` and ``derived``, and add up what became equal by deriving or cleaning.

    It stays a view where nothing did: the wide rows of a bill whose every line is an activity would fill the disk.
    """
    values = {
        "charge_period_start": "f.charge_period_start AT TIME ZONE 'UTC'",
        "resource_id": clean("f.resource_id", raw.mapping.null_words),
        **{name: f"CAST(f.{name} AS {kind})" for name, kind in MEASURE_COLUMNS.items()},
    }
    selected = ", ".join(
        f"{values.get(name)} AS {name}" if name in _PER_FACT else f"d.{name}" for name in ACTIVITY_COLUMNS
    )
    con.execute(
        f"CREATE OR REPLACE VIEW mapped_rows AS SELECT d.source, d.billing_period, {selected}, d.sku_hash, "
        f"f._no_quantity, f._bad OR d.problem AS problem FROM facts f JOIN derived d USING (_hash, _hash_back)",
    )
    keys = ["source", "billing_period", "problem", *(name for name in ACTIVITY_COLUMNS if name not in MEASURE_COLUMNS)]
    unique = [name for name in keys if name not in _PER_FACT]
    may_be_equal = has_equal_rows(con, "derived", unique) or _resources_are_unclean(con)
    if merge(con, may_be_equal=may_be_equal):
        con.execute("DROP TABLE facts")


def _resources_are_unclean(con: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether cleaning may have made two resource ids equal."""
    query = (
        "SELECT bool_or(starts_with(resource_id, ' ') OR ends_with(resource_id, ' ') OR resource_id = '' "
        "OR (strlen(resource_id) = 4 AND lower(resource_id) = 'null')) FROM facts"
    )
    return bool(con.execute(query).fetchall()[0][0])
