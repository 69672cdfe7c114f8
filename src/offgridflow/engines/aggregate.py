"""From lines to activities in two stages, so that what is costly runs on groups and not on lines.

1. ``line_groups``: raw key columns as they are, sums and counts; one scan, one GROUP BY.
2. ``activity_rows``: on the groups alone, text is cleaned, once-only columns are looked up, and the format's second
   SELECT derives our columns. Two groups that become equal thereby are added up; where none do, the costly second
   GROUP BY is left out.
"""

from collections.abc import Sequence
from typing import Final

import duckdb

from offgridflow.domain.model import ACTIVITY_COLUMNS, ATTRIBUTES_SQL, MEASURE_COLUMNS, SkuAttributes
from offgridflow.engines.cells import clean, element_of_text, quote_name, quote_text
from offgridflow.engines.lookup import fill_lookup
from offgridflow.engines.model import Grain
from offgridflow.engines.readers import RawSql

MEASURES: Final = ("consumed_quantity", "billed_cost", "effective_cost")
_TRUNCATED: Final = frozenset({"hour", "day", "month"})
_ATTRIBUTES: Final = tuple(SkuAttributes.__dataclass_fields__)
LAST_SEGMENT: Final = "regexp_extract({}, '[^/]+$')"
"""Azure writes the account of one bill as ``8611537`` or ``/providers/.../billingAccounts/8611537``."""


def aggregate(con: duckdb.DuckDBPyConnection, raw: RawSql, grain: Grain, source: str | None, rejects: str | None) -> None:
    """Create ``activity_rows`` (source, billing_period, ACTIVITY_COLUMNS, problem) from the readers of ``raw``."""
    lines = lines_query(raw, rejects)
    keys = _types(con, lines)
    con.execute(f"CREATE OR REPLACE TABLE line_groups AS {_grouping(raw, lines, list(keys), grain)}")
    fill_lookup(con, raw)
    con.execute(f"CREATE OR REPLACE TABLE activity_rows AS {_activities(con, raw, keys, source)}")
    con.execute("DROP TABLE line_groups")
    _merge(con)


def lines_query(raw: RawSql, rejects: str | None) -> str:
    """Return the format's first SELECT over all readers, with the columns that the engine carries along."""
    carried = ["_bad", "_at", *(f"_once_{number}" for number in range(len(raw.once_sources)))]
    carried.extend(f"_tag_{number}" for number in range(len(raw.tag_keys)))
    select = raw.mapping.lines_sql.removesuffix("FROM raw")
    return f"{select}, {', '.join(carried)} FROM ({raw.union(rejects)}) AS raw"


def _types(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """Return the key columns of the lines query with their types."""
    rows = con.execute(f"DESCRIBE {query}").fetchall()
    carried = ("_bad", "_at", "_once_")
    return {row[0]: row[1] for row in rows if row[0] not in MEASURES and not row[0].startswith(carried)}


def _grouping(raw: RawSql, lines: str, keys: Sequence[str], grain: Grain) -> str:
    special = {"charge_period_start": f"date_trunc({quote_text(_known(grain))}, charge_period_start)"}
    if not grain.resources:
        special["resource_id"] = "NULL::VARCHAR"
    selected = [f"{special.get(key, quote_name(key))} AS {quote_name(key)}" for key in keys]
    selected += ["_bad", "consumed_quantity IS NULL AS _no_quantity"]
    selected += [f"sum({name}) AS {name}" for name in MEASURES]
    selected += ["count(*) AS line_items", "min(_at) AS _at"]
    selected += [f"min(_once_{number}) AS _once_{number}" for number in range(len(raw.once_sources))]
    return f"SELECT {', '.join(selected)} FROM ({lines}) GROUP BY ALL"


def _known(grain: Grain) -> str:
    if grain.period not in _TRUNCATED:
        message = f"The grain's period is one of {sorted(_TRUNCATED)}, not {grain.period!r}."
        raise ValueError(message)
    return grain.period


def _activities(con: duckdb.DuckDBPyConnection, raw: RawSql, keys: dict[str, str], source: str | None) -> str:
    carried = ["_bad", "_no_quantity", "line_items", *MEASURES, *(key for key in keys if key.startswith("_tag_"))]
    select = raw.mapping.groups_sql.removesuffix("FROM grouped")
    mapped = f"{select}, {', '.join(carried)} FROM ({_grouped(raw, keys)}) AS grouped"
    have = {row[0] for row in con.execute(f"DESCRIBE {mapped}").fetchall()}
    columns = [f"CAST({_value(name, have)} AS {kind}) AS {name}" for name, kind in ACTIVITY_COLUMNS.items()]
    columns[list(ACTIVITY_COLUMNS).index("tags")] = f"{_tags(raw)} AS tags"
    name = quote_text(source) if source is not None else f"provider || '/' || {LAST_SEGMENT.format('billing_account_id')}"
    return (
        f"SELECT {name} AS source, billing_period, {', '.join(columns)}, _no_quantity, "
        f"_bad OR billing_currency IS NULL OR billing_period IS NULL OR ({name}) IS NULL AS problem FROM ({mapped})"
    )


def _value(name: str, have: set[str]) -> str:
    if name == "charge_period_start":
        return "CAST(charge_period_start AS TIMESTAMP) AT TIME ZONE 'UTC'"
    if name == "attributes":
        fields = ", ".join(f"{field} := {field if field in have else 'NULL'}" for field in _ATTRIBUTES)
        return f"CAST(struct_pack({fields}) AS {ATTRIBUTES_SQL})"
    return name if name in have or name in MEASURE_COLUMNS and name != "sub_account_name" else "NULL"


def _tags(raw: RawSql) -> str:
    """Return the SQL of the sorted map of the chosen tags that a line has; the empty map where there are none."""
    if not raw.tag_keys:
        return "MAP {}::MAP(VARCHAR, VARCHAR)"
    pairs = ", ".join(f"{{'k': {quote_text(key)}, 'v': _tag_{number}}}" for number, key in enumerate(raw.tag_keys))
    return f"CAST(map_from_entries(list_filter([{pairs}], lambda pair: pair.v IS NOT NULL)) AS MAP(VARCHAR, VARCHAR))"


def _grouped(raw: RawSql, keys: dict[str, str]) -> str:
    """Return the SELECT over ``line_groups`` with clean text and the once-only columns, which the mapping sees."""
    words = raw.mapping.null_words
    selected = [
        f"{clean(f'g.{quote_name(key)}', words) if kind == 'VARCHAR' else f'g.{quote_name(key)}'} AS {quote_name(key)}"
        for key, kind in keys.items()
    ]
    selected += [f"g.{name}" for name in ("_bad", "_no_quantity", "line_items", *MEASURES)]
    join = ""
    for column in raw.mapping.columns:
        if column.once:
            selected.append(f"{_once(raw, column.name)} AS {quote_name(column.name)}")
    if any(raw.has_nested_once(reader) for reader in raw.readers):
        on = " AND ".join(f"l.{quote_name(key)} IS NOT DISTINCT FROM g.{quote_name(key)}" for key in raw.mapping.once_by)
        join = f" LEFT JOIN once_values l ON {on}"
    return f"SELECT {', '.join(selected)} FROM line_groups g{join}"


def _once(raw: RawSql, name: str) -> str:
    column = next(column for column in raw.mapping.columns if column.name == name)
    values = [f"l.{quote_name(name)}"] if any(raw.has_nested_once(reader) for reader in raw.readers) else []
    for source in column.sources:
        if source.column in raw.once_sources:
            text = f"g._once_{raw.once_sources.index(source.column)}"
            values.append(text if source.key is None else element_of_text(text, source.key))
    cleaned = [clean(value, raw.mapping.null_words) for value in values]
    return f"coalesce({', '.join(cleaned)})" if len(cleaned) > 1 else (cleaned[0] if cleaned else "NULL::VARCHAR")


def _merge(con: duckdb.DuckDBPyConnection) -> None:
    """Add up rows that became equal when they were derived; do nothing where all differ."""
    keys = ["source", "billing_period", *(name for name in ACTIVITY_COLUMNS if name not in MEASURE_COLUMNS)]
    keys += ["_no_quantity", "problem"]
    rows, distinct = con.execute(
        f"SELECT count(*), count(DISTINCT hash({', '.join(keys)})) FROM activity_rows",
    ).fetchall()[0]
    if rows == distinct:
        return
    sums = [f"CAST(sum({name}) AS {MEASURE_COLUMNS[name]}) AS {name}" for name in (*MEASURES, "line_items")]
    con.execute(
        f"CREATE OR REPLACE TABLE activity_rows AS SELECT {', '.join(keys)}, max(sub_account_name) AS sub_account_name, "
        f"{', '.join(sums)} FROM activity_rows GROUP BY ALL",
    )
