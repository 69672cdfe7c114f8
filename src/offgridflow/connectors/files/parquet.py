"""Read the footer of a Parquet part: columns and record count."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from offgridflow.connectors.files.streams import unreadable
from offgridflow.connectors.model import DEFAULT_LIMITS, Limits
from offgridflow.domain.errors import InputError

MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_SMALLEST_BYTES = 12

_RECORDS = "SELECT num_rows FROM parquet_file_metadata(?)"
_REACH = """
    SELECT coalesce(max(coalesce(dictionary_page_offset, data_page_offset) + total_compressed_size), 0)
    FROM parquet_metadata(?)
"""
_COLUMNS = "SELECT * FROM read_parquet(?, hive_partitioning = false)"


def footer_of(path: Path, name: str, limits: Limits = DEFAULT_LIMITS) -> tuple[int, tuple[str, ...]]:
    """Return (records, column names) of a Parquet file; the fields of a struct follow it as ``struct.field``.

    Raises:
        InputError: UNREADABLE_FILE, CUT_PARQUET, BROKEN_PARQUET, ENCRYPTED_PARQUET or INFLATES_TOO_MUCH.

    """
    size = _checked_size(path, name)
    try:
        with _database().cursor() as connection:
            records = _number(connection, _RECORDS, path)
            reach = _number(connection, _REACH, path)
            found = connection.sql(_COLUMNS, params=[str(path)])
            names = zip(found.columns, found.types, strict=True)
            columns = tuple(name for column, kind in names for name in _names_in(column, kind))
    except duckdb.Error as error:
        sentence = f"{name} has a Parquet footer that cannot be read: {str(error).splitlines()[0]}"
        raise InputError(sentence, action="Fetch the file again.", code="BROKEN_PARQUET") from error
    if reach > size:
        raise _cut(name, f"its footer points beyond its {size} bytes")
    if records > limits.max_rows_per_byte * size:
        sentence = f"{name} holds {size} bytes and claims {records} rows"
        action = "No bill packs like this; look at it before you ingest it."
        raise InputError(sentence, action=action, code="INFLATES_TOO_MUCH")
    return records, columns


def _names_in(name: str, kind: Any) -> Iterator[str]:  # noqa: ANN401 - DuckDBPyType has untyped children
    yield name
    if kind.id == "struct":
        for field, inner in kind.children:
            yield from _names_in(f"{name}.{field}", inner)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return the process's own in-memory database: opening one takes longer than reading a footer."""
    return duckdb.connect(config={"threads": 1})


def _number(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    row = connection.execute(query, [str(path)]).fetchone()
    return 0 if row is None else int(row[0])


def _checked_size(path: Path, name: str) -> int:
    """Return the size in bytes of a file that begins and ends as Parquet does."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
            size = stream.seek(0, 2)
            stream.seek(max(size - 4, 0))
            end = stream.read(4)
    except OSError as error:
        raise unreadable(name, error) from error
    if _ENCRYPTED in {start, end}:
        sentence = f"{name} is encrypted Parquet"
        raise InputError(sentence, action="Export it without encryption.", code="ENCRYPTED_PARQUET")
    if size < _SMALLEST_BYTES or end != MAGIC:
        raise _cut(name, f"its {size} bytes do not end in a Parquet footer")
    return size


def _cut(name: str, why: str) -> InputError:
    return InputError(f"{name} is cut: {why}", action="Fetch the file again.", code="CUT_PARQUET")
