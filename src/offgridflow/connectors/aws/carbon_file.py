"""Records of a carbon export's files as text by column, from CSV and Parquet alike. The files are small."""

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import duckdb

from offgridflow.connectors.model import Compression, FileKind, FilePart
from offgridflow.domain.errors import InputError

_NULLS: Final = frozenset({"", "NULL", "null"})


def read_records(part: FilePart, required: Sequence[str]) -> Iterator[Mapping[str, str | None]]:
    """Yield the records of a file: column name in lower case -> text, None where there is nothing.

    Raises:
        InputError: MISSING_COLUMN, or UNREADABLE for a record that is longer or shorter than the header.

    """
    records = _parquet(part) if part.kind is FileKind.PARQUET else _csv(part)
    names = next(records, None)
    missing = [name for name in required if names is not None and name not in names]
    if missing:
        sentence = f"{part.name} lacks the column {missing[0]}."
        raise InputError(sentence, action="Add it to the export's query.", code="MISSING_COLUMN")
    for number, values in enumerate(records, start=2):
        if names is None or len(values) != len(names):
            sentence = f"{part.name} record {number} has {len(values)} values and the header {len(names or ())}."
            raise InputError(sentence, action="Ask AWS for a corrected export.", code="UNREADABLE")
        yield {name: None if value in _NULLS else value for name, value in zip(names, values, strict=True) if name}


_Values = tuple[str | None, ...]


def _csv(part: FilePart) -> Iterator[_Values]:
    opened = gzip.open if part.compression is Compression.GZIP else open
    try:
        with opened(part.path, "rt", encoding="utf-8-sig", newline="") as text:
            records = [tuple(record) for record in csv.reader(text, strict=True) if record]
    except (csv.Error, OSError, EOFError, UnicodeDecodeError) as error:
        raise _unreadable(part) from error
    for header in records[:1]:
        yield tuple(name.strip().lower() for name in header)
    yield from records[1:]


def _parquet(part: FilePart) -> Iterator[_Values]:
    try:
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            cursor = con.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [str(part.path)])
            names = tuple(column[0].lower() for column in cursor.description or ())
            rows = cursor.fetchall()
    except duckdb.Error as error:
        raise _unreadable(part) from error
    yield names
    for row in rows:
        yield tuple(map(_text, row))


def _unreadable(part: FilePart) -> InputError:
    sentence = f"{part.name} cannot be read."
    return InputError(sentence, action="Ask AWS for a corrected export.", code="UNREADABLE")


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    return str(value)
