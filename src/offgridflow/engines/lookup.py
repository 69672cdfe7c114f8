"""Columns that are read once per distinct key and not per line: attributes of the price list inside nested columns.

Decoding the ``product`` map of every line of a CUR 2.0 costs as much as the whole GROUP BY, and its values are the same
for every line of a (product code, instance type). So each group remembers where its first line stands, one line per key
is chosen, and only those lines are read again: DuckDB skips the row groups and pages without any.
"""

from collections.abc import Sequence
from typing import Final

import duckdb

from offgridflow.engines.cells import quote_name
from offgridflow.engines.readers import ROWS_PER_PART, RawSql, Reader

_MOST_LISTED: Final = 2_000


def fill_lookup(con: duckdb.DuckDBPyConnection, raw: RawSql) -> None:
    """Create ``once_values`` (once_by columns, once columns) for readers whose once columns are nested."""
    if not raw.looks_up:
        return
    by = ", ".join(map(quote_name, raw.mapping.once_by))
    con.execute(
        f"CREATE OR REPLACE TABLE once_rows AS SELECT {by}, min(_at) AS _at FROM line_groups "
        f"WHERE _at IS NOT NULL GROUP BY ALL",
    )
    chosen = con.execute(f"SELECT _at // {ROWS_PER_PART}, _at % {ROWS_PER_PART} FROM once_rows ORDER BY _at").fetchall()
    rows_of: dict[int, list[int]] = {}
    for part, row in chosen:
        rows_of.setdefault(part, []).append(row)
    names = [column.name for column in raw.mapping.columns if column.once]
    selects = [
        _select(raw, reader, position, rows_of[position])
        for reader in raw.readers
        for position in range(reader.first, reader.first + len(reader.parts))
        if position in rows_of
    ]
    values = ", ".join(f"v.{quote_name(name)}" for name in names)
    con.execute(
        f"CREATE OR REPLACE TABLE once_values AS SELECT r.* EXCLUDE (_at), {values} FROM once_rows r "
        f"JOIN ({' UNION ALL '.join(selects)}) v USING (_at)"
        if selects
        else f"CREATE OR REPLACE TABLE once_values AS SELECT r.* EXCLUDE (_at), "
        f"{', '.join(f'NULL::VARCHAR AS {quote_name(name)}' for name in names)} FROM once_rows r WHERE false",
    )


def _select(raw: RawSql, reader: Reader, position: int, rows: Sequence[int]) -> str:
    values: list[str] = []
    for column in raw.mapping.columns:
        if column.once:
            found = [(source, own) for source in column.sources if (own := reader.find(source.column)) is not None]
            values.append(f"{raw.text(found) if found else 'NULL::VARCHAR'} AS {quote_name(column.name)}")
    at = f"{position * ROWS_PER_PART}::BIGINT + file_row_number"
    wanted = (
        f"file_row_number IN ({', '.join(map(str, rows))})"
        if len(rows) <= _MOST_LISTED
        else f"({at}) IN (SELECT _at FROM once_rows)"
    )
    table = reader.table(raw.mode, parts=[reader.parts[position - reader.first]])
    return f"SELECT {at} AS _at, {', '.join(values)} FROM {table} WHERE {wanted}"
