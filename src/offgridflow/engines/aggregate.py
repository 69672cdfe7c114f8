"""From lines to activities in two stages, so that what is costly runs on groups and not on lines.

1. Lines are grouped by their raw key columns, as they are, with sums and counts. Parquet is grouped by a hash of the
   keys (``narrow.py``), text by the keys themselves (here), for a gzip cannot be read again at a row.
2. On the groups alone, text is cleaned, once-only columns are looked up, and the format's second SELECT derives our
   columns. Groups that become equal thereby are added up; where none do, the costly second GROUP BY is left out.

Both ways leave ``activity_rows`` (source, billing_period, ACTIVITY_COLUMNS, sku_hash, problem) and ``skus`` (sku_hash,
SKU_COLUMNS).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from offgridflow.domain.model import (
    ACTIVITY_COLUMNS,
    ATTRIBUTES_SQL,
    MEASURE_COLUMNS,
    SKU_COLUMNS,
    SKU_HASH_SQL,
    SkuAttributes,
)
from offgridflow.domain.sql import sql_text
from offgridflow.engines.cells import clean, element_of_text, quote_name
from offgridflow.engines.lookup import fill_lookup
from offgridflow.engines.model import Grain
from offgridflow.engines.readers import RawSql

MEASURES: Final = ("consumed_quantity", "billed_cost", "effective_cost")
CARRIED_KEYS: Final = ("charge_period_start", "resource_id")
"""Key columns that the engine carries past the format's second SELECT: they make up most of the groups."""
SKU_ROW: Final = ", ".join(("sku_hash", *SKU_COLUMNS))
"""What the relation ``skus`` has; a SKU may stand there several times."""
_PERIODS: Final = frozenset({"hour", "day", "month"})
_ATTRIBUTES: Final = tuple(SkuAttributes.__dataclass_fields__)
_LAST_SEGMENT: Final = "regexp_extract(billing_account_id, '[^/]+$')"
"""Azure writes the account of one bill as ``8611537`` or ``/providers/.../billingAccounts/8611537``."""


def aggregate_text(con: duckdb.DuckDBPyConnection, raw: RawSql, grain: Grain, source: str | None) -> None:
    """Create ``activity_rows`` and ``skus`` from CSV or JSON, or mixed parts."""
    lines = lines_query(raw)
    keys = key_types(con, lines)
    con.execute(f"CREATE OR REPLACE TABLE line_groups AS {_grouping(raw, lines, list(keys), grain)}")
    fill_lookup(con, raw)
    carried = [*CARRIED_KEYS, "_bad", "_no_quantity", "line_items", *MEASURES]
    mapped = mapped_query(raw, keys, carried)
    columns = activity_columns(con, raw, mapped)
    selected = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    con.execute(
        f"CREATE OR REPLACE TABLE mapped_rows AS SELECT *, {SKU_HASH_SQL} AS sku_hash FROM (SELECT "
        f"{source_sql(source)} AS source, billing_period, {selected}, _no_quantity, {problem_sql(source)} AS problem "
        f"FROM ({mapped}))",
    )
    con.execute("DROP TABLE line_groups")
    merge(con)
    con.execute(f"CREATE OR REPLACE VIEW skus AS SELECT {SKU_ROW} FROM activity_rows")


def lines_query(raw: RawSql, rows: str | None = None) -> str:
    """Return the format's first SELECT over all readers, with the columns that the engine carries along."""
    carried = ["_bad", "_at", "_lines", *(f"_once_{number}" for number in range(len(raw.once_sources)))]
    carried.extend(f"_tag_{number}" for number in range(len(raw.tag_keys)))
    select = raw.mapping.lines_sql.removesuffix("FROM raw")
    return f"{select}, {', '.join(carried)} FROM ({_with_split(raw, raw.union(rows))}) AS raw"


def _with_split(raw: RawSql, union: str) -> str:
    """Return the lines and, where the format splits them, their second halves."""
    split = raw.mapping.split
    if split is None:
        return union
    replaced = ", ".join(f"{value} AS {name}" for name, value in split.replace.items())
    return (
        f"{union} UNION ALL SELECT * REPLACE ({replaced}, 0 AS _lines) FROM ({union}) WHERE {split.when} AND NOT _bad"
    )


def key_types(con: duckdb.DuckDBPyConnection, lines: str) -> dict[str, str]:
    """Return the key columns of the lines query, tags included, with their types."""
    rows = con.execute(f"DESCRIBE {lines}").fetchall()
    carried = ("_bad", "_at", "_lines", "_once_")
    return {row[0]: row[1] for row in rows if row[0] not in MEASURES and not row[0].startswith(carried)}


def truncated(grain: Grain) -> str:
    """Return the SQL of the grain's period of a line."""
    if grain.period not in _PERIODS:
        message = f"The grain's period is one of {sorted(_PERIODS)}, not {grain.period!r}."
        raise ValueError(message)
    return f"date_trunc({sql_text(grain.period)}, charge_period_start)"


def _grouping(raw: RawSql, lines: str, keys: Sequence[str], grain: Grain) -> str:
    special = {"charge_period_start": truncated(grain)}
    if not grain.resources:
        special["resource_id"] = "NULL::VARCHAR"
    selected = [f"{special.get(key, quote_name(key))} AS {quote_name(key)}" for key in keys]
    selected += ["_bad", "consumed_quantity IS NULL AS _no_quantity"]
    selected += [f"sum({name}) AS {name}" for name in MEASURES]
    selected += [f"{raw.counting} AS line_items", "min(_at) AS _at"]
    selected += [f"min(_once_{number}) AS _once_{number}" for number in range(len(raw.once_sources))]
    return f"SELECT {', '.join(selected)} FROM ({lines}) GROUP BY ALL"


def mapped_query(raw: RawSql, keys: Mapping[str, str], carried: Sequence[str]) -> str:
    """Return the format's second SELECT over ``line_groups``, with clean text, once columns, tags and ``carried``."""
    words = raw.mapping.null_words
    selected = [
        f"{clean(f'g.{quote_name(key)}', words) if kind == 'VARCHAR' else f'g.{quote_name(key)}'} AS {quote_name(key)}"
        for key, kind in keys.items()
    ]
    selected += [f"g.{name}" for name in carried if name not in keys]
    selected += [
        f"{_once(raw, column.name)} AS {quote_name(column.name)}" for column in raw.mapping.columns if column.once
    ]
    tags = [key for key in keys if key.startswith("_tag_")]
    select = raw.mapping.groups_sql.removesuffix("FROM grouped")
    grouped = f"SELECT {', '.join(selected)} FROM line_groups g{_join(raw)}"
    return f"{select}, {', '.join((*carried, *tags))} FROM ({grouped}) AS grouped"


def _join(raw: RawSql) -> str:
    if not raw.looks_up:
        return ""
    on = " AND ".join(f"l.{quote_name(key)} IS NOT DISTINCT FROM g.{quote_name(key)}" for key in raw.mapping.once_by)
    return f" LEFT JOIN once_values l ON {on}"


def _once(raw: RawSql, name: str) -> str:
    column = next(column for column in raw.mapping.columns if column.name == name)
    values = [f"l.{quote_name(name)}"] if raw.looks_up else []
    for source in column.sources:
        if source.column in raw.once_sources:
            text = f"g._once_{raw.once_sources.index(source.column)}"
            values.append(text if source.key is None else element_of_text(text, source.key))
    cleaned = [clean(value, raw.mapping.null_words) for value in values]
    return f"coalesce({', '.join(cleaned)})" if len(cleaned) > 1 else (cleaned[0] if cleaned else "NULL::VARCHAR")


def source_sql(source: str | None) -> str:
    """Return the SQL of the source's name: the given one, or provider and account."""
    return sql_text(source) if source is not None else f"provider || '/' || {_LAST_SEGMENT}"


def problem_sql(source: str | None) -> str:
    """Return the SQL that tells groups of lines which must be quarantined."""
    return f"_bad OR billing_currency IS NULL OR billing_period IS NULL OR ({source_sql(source)}) IS NULL"


def activity_columns(con: duckdb.DuckDBPyConnection, raw: RawSql, mapped: str) -> dict[str, str]:
    """Return the SQL of each of ACTIVITY_COLUMNS over the mapped query; a column that the format lacks is NULL."""
    have = {row[0] for row in con.execute(f"DESCRIBE {mapped}").fetchall()}
    values = {name: name if name in have else "NULL" for name in ACTIVITY_COLUMNS}
    values["charge_period_start"] = "charge_period_start AT TIME ZONE 'UTC'"
    values["attributes"] = _attributes(have)
    values["tags"] = _tags(raw)
    return {name: f"CAST({values[name]} AS {kind})" for name, kind in ACTIVITY_COLUMNS.items()}


def _attributes(have: set[str]) -> str:
    fields = ", ".join(f"{field} := {field if field in have else 'NULL'}" for field in _ATTRIBUTES)
    return f"CAST(struct_pack({fields}) AS {ATTRIBUTES_SQL})"


def _tags(raw: RawSql) -> str:
    """Return the SQL of the sorted map of the chosen tags that a line has; the empty map where there are none."""
    if not raw.tag_keys:
        return "MAP {}"
    pairs = ", ".join(f"{{'k': {sql_text(key)}, 'v': _tag_{number}}}" for number, key in enumerate(raw.tag_keys))
    return f"map_from_entries(list_filter([{pairs}], lambda pair: pair.v IS NOT NULL))"


def merge(con: duckdb.DuckDBPyConnection, *, may_be_equal: bool = True) -> bool:
    """Create ``activity_rows`` from ``mapped_rows``, adding up rows that became equal when they were derived.

    Returns False where none did: then it is a view of them. ``may_be_equal`` is False where that is known already.
    """
    keys = ["source", "billing_period", *(name for name in ACTIVITY_COLUMNS if name not in MEASURE_COLUMNS)]
    keys += ["sku_hash", "_no_quantity", "problem"]
    if not (may_be_equal and has_equal_rows(con, "mapped_rows", keys)):
        con.execute("CREATE OR REPLACE VIEW activity_rows AS FROM mapped_rows")
        return False
    sums = [f"CAST(sum({name}) AS {MEASURE_COLUMNS[name]}) AS {name}" for name in (*MEASURES, "line_items")]
    con.execute(
        f"CREATE OR REPLACE TABLE activity_rows AS SELECT {', '.join(keys)}, max(sub_account_name) AS "
        f"sub_account_name, {', '.join(sums)} FROM mapped_rows GROUP BY ALL",
    )
    return True


def has_equal_rows(con: duckdb.DuckDBPyConnection, table: str, keys: Sequence[str]) -> bool:
    """Tell whether two rows of a table may be equal in ``keys``; a hash that two share by chance counts as equal."""
    query = f"SELECT count(*), count(DISTINCT hash({', '.join(keys)})) FROM {table}"
    rows, distinct = con.execute(query).fetchall()[0]
    return bool(rows != distinct)
