"""Rows in and out of Parquet files by DuckDB: rates, quarantined lines, commits; and what a file of emissions holds."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
from deltalake.transaction import AddAction

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.sql import sql_list, sql_text
from offgridflow.ledger.records import COMMIT_FIELDS, LiveCommit, SubAccount, live_commit
from offgridflow.ledger.tables import COMMIT_COLUMNS, TableSpec, connect


class ArrowStream(Protocol):
    """Anything that exports an Arrow stream: an arro3, pyarrow or Polars table, a DuckDB relation."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the PyCapsule of the stream."""


class _Plain:
    """Hides the type of an Arrow table: DuckDB refuses relations of another connection, but reads any stream."""

    def __init__(self, stream: ArrowStream) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._stream.__arrow_c_stream__(requested_schema)


def write_rows(spec: TableSpec, rows: Sequence[Sequence[object]], path: Path) -> None:
    """Write rows (values in the order of the columns) to a Parquet file."""
    con = connect()
    try:
        con.execute(f"CREATE TEMP TABLE typed ({spec.definition()})")
        if rows:
            values = ", ".join(f"unnest(?::{kind}[])" for kind in spec.columns.values())
            con.execute(f"INSERT INTO typed SELECT {values}", [list(column) for column in zip(*rows, strict=True)])
        copy_table(con, path)
    finally:
        con.close()


def write_stream(spec: TableSpec, stream: ArrowStream, path: Path) -> int:
    """Write an Arrow table to a Parquet file, columns by name; return its rows.

    Absent columns become null. Partition columns are left out: the path and the log hold them.
    Raises LedgerError for a column that the table does not have.
    """
    con = connect()
    try:
        con.register("given", _Plain(stream))
        con.execute("CREATE TEMP TABLE taken AS FROM given")
        given = [row[0] for row in con.execute("DESCRIBE taken").fetchall()]
        names = [name for name in given if name not in spec.partition_by]
        strange = sorted(set(names) - set(spec.columns))
        if strange:
            sentence = f"The table {spec.name} has no column {', '.join(strange)}."
            raise LedgerError(sentence, action=f"Its columns are: {', '.join(spec.columns)}.")
        con.execute(f"CREATE TEMP TABLE typed ({spec.definition()})")
        listed = ", ".join(f'"{name}"' for name in names)
        con.execute(f"INSERT INTO typed BY NAME SELECT {listed} FROM taken")
        copy_table(con, path)
        return _count(con, "typed")
    finally:
        con.close()


def write_empty(spec: TableSpec, path: Path) -> None:
    """Write a file without rows, so that an empty period is live too."""
    write_rows(spec, (), path)


def merge_files(spec: TableSpec, paths: Sequence[Path], target: Path) -> None:
    """Write the rows of several files into one, streaming."""
    con = connect()
    try:
        columns = ", ".join(f'"{name}"' for name in spec.columns)
        source = f"read_parquet({sql_list(paths)}, hive_partitioning = false)"
        copy_table(con, target, f"(SELECT {columns} FROM {source})")
    finally:
        con.close()


def copy_table(con: duckdb.DuckDBPyConnection, path: Path, what: str = "typed") -> None:
    """Write a table or a query in parentheses to a Parquet file. Raises LedgerError where that cannot be."""
    try:
        con.execute(f"COPY {what} TO {sql_text(path)} (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.IOException as error:
        sentence = f"Cannot write {path.name} of the ledger."
        raise LedgerError(sentence, action="Check permissions and free space.") from error


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    rows: list[tuple[int]] = con.execute(f"SELECT count(*) FROM {table}").fetchall()
    return rows[0][0]


def commit_row(commit: LiveCommit, attempt: int) -> tuple[object, ...]:
    """Return the row of COMMIT_COLUMNS of a commit."""
    row = {**asdict(commit), "attempt": attempt}
    return tuple(list(row[name]) if isinstance(row[name], tuple) else row[name] for name in COMMIT_COLUMNS)


def read_commits(paths: Sequence[Path], wanted: Iterable[str]) -> dict[str, LiveCommit]:
    """Return the wanted commits that stand in these files of the table ``commits``, by commit id."""
    if not paths:
        return {}
    con = connect()
    try:
        rows = con.execute(
            f"SELECT {', '.join(COMMIT_FIELDS)} FROM read_parquet({sql_list(paths)}) "
            f"WHERE list_contains(?, commit_id) ORDER BY attempt",
            [list(wanted)],
        ).fetchall()
    finally:
        con.close()
    return {commit.commit_id: commit for commit in map(live_commit, rows)}


_BOUNDED: Final = ("charge_period_start", "provider", "commit_id")
"""Columns whose least and greatest values go into the log, so that readers can skip files. Instants are whole hours
(the grain), so that leaving out fractions of a second loses nothing."""


class EmissionFiles:
    """A look into staged files of emissions, one connection for all of them. Close it."""

    def __init__(self, spec: TableSpec) -> None:
        self._spec = spec
        self._con = connect()

    def close(self) -> None:
        """Close the connection."""
        self._con.close()

    def check_columns(self, path: Path) -> None:
        """Raise LedgerError unless the file has exactly the columns of the table, with their types."""
        try:
            rows = self._con.execute(
                f"DESCRIBE FROM read_parquet({sql_text(path)}, hive_partitioning=false)"
            ).fetchall()
        except duckdb.Error as error:
            sentence = f"The staged file {path.name} is missing or is not Parquet."
            raise LedgerError(sentence, action="Write a file to every path that the staging gave out.") from error
        found = {row[0]: row[1] for row in rows}
        if found == self._types():
            return
        wrong = sorted(set(found.items()) ^ set(self._types().items()))
        sentence = f"The staged file {path.name} differs from the table {self._spec.name} in {wrong[0][0]}."
        raise LedgerError(sentence, action="Write all columns of EMISSION_COLUMNS with their types, and no other.")

    def _types(self) -> dict[str, str]:
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE typed ({self._spec.definition()})")
        return {row[0]: row[1] for row in self._con.execute("DESCRIBE typed").fetchall()}

    def sub_accounts(self, paths: Sequence[Path]) -> tuple[SubAccount, ...]:
        """Return whose use the rows of the files are."""
        rows = self._con.execute(
            f"SELECT DISTINCT provider, sub_account_id, "
            f"CASE WHEN sub_account_id IS NULL THEN billing_account_id END FROM read_parquet({sql_list(paths)}) "
            f"ORDER BY ALL",
        ).fetchall()
        return tuple(SubAccount(*row) for row in rows)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def add_action(path: Path, name: str, partition: Mapping[str, str], written_ms: int) -> AddAction:
    """Return the log entry of a Parquet file, with its row count and the bounds that its footer tells."""
    con = connect()
    try:
        count, bounds = _footer(con, path)
    finally:
        con.close()
    stats: dict[str, Any] = {
        "numRecords": count,
        "minValues": {column: low for column, (low, _) in bounds.items()},
        "maxValues": {column: high for column, (_, high) in bounds.items()},
        "nullCount": {},
    }
    return AddAction(
        path=name,
        size=path.stat().st_size,
        partition_values=dict(partition),
        modification_time=written_ms,
        data_change=True,
        stats=json.dumps(stats),
    )


def _footer(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    source = sql_text(path)
    counted: list[tuple[int]] = con.execute(f"SELECT num_rows FROM parquet_file_metadata({source})").fetchall()
    rows = con.execute(
        f"SELECT path_in_schema, min(stats_min_value), max(stats_max_value), count(*) = count(stats_min_value) "
        f"FROM parquet_metadata({source}) WHERE list_contains(?, path_in_schema) GROUP BY ALL",
        [list(_BOUNDED)],
    ).fetchall()
    return counted[0][0], {
        name: (_instant(name, low), _instant(name, high)) for name, low, high, whole in rows if whole
    }


def _instant(column: str, text: str) -> str:
    """Return an instant as Delta writes it (``2025-06-01T00:00:00.000Z``), any other value as it is."""
    if column != "charge_period_start":
        return text
    whole, _, _ = text.removesuffix("+00").partition(".")
    return whole.replace(" ", "T", 1) + ".000Z"
