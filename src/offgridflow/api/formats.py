"""How answers leave: JSON with full decimals, CSV that no spreadsheet runs, NDJSON, Parquet, Arrow IPC streams."""

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import duckdb
from arro3.io import write_ipc_stream

from offgridflow.api.problems import ApiError, Code
from offgridflow.domain.model import DECIMAL
from offgridflow.reports.csv_text import jsonable, to_csv
from offgridflow.reports.figures import to_json

Record = Mapping[str, object]


class Form(StrEnum):
    """A format of answers."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"


MEDIA_TYPES: Final[dict[Form, str]] = {
    Form.JSON: "application/json",
    Form.CSV: "text/csv",
    Form.NDJSON: "application/x-ndjson",
    Form.PARQUET: "application/vnd.apache.parquet",
    Form.ARROW: "application/vnd.apache.arrow.stream",
}
_OF_MEDIA: Final = {media: form for form, media in MEDIA_TYPES.items()}


def chosen_form(given: Form | None, accept: str | None, default: Form = Form.JSON) -> Form:
    """Return the format of ``?format=``, else the one that Accept prefers. Raises ApiError NOT_ACCEPTABLE."""
    if given is not None:
        return given
    if not accept:
        return default
    ranges = sorted(_ranges(accept), key=lambda pair: -pair[1])
    for media, quality in ranges:
        if quality <= 0:
            continue
        if media in _OF_MEDIA:
            return _OF_MEDIA[media]
        if media in {"*/*", "application/*"}:
            return default
        if media == "text/*":
            return Form.CSV
    raise ApiError(
        Code.NOT_ACCEPTABLE,
        "Accept names no format that this server writes.",
        action=f"Use one of: {', '.join(_OF_MEDIA)}; or ?format={'|'.join(Form)}.",
    )


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        found.append((media.lower(), quality))
    return found


OPEN: Final[Mapping[str, str]] = {}
"""The columns of a table that are not declared: names and types are those that its records have."""


def rendered(form: Form, shape: Record, records: Sequence[Record], columns: Mapping[str, str] = OPEN) -> bytes:
    """Return an answer: the whole ``shape`` as JSON, or its ``records`` in a tabular format with these ``columns``."""
    if form is Form.JSON:
        return to_json(jsonable(shape), indent=None).encode() + b"\n"
    if form is Form.CSV:
        return to_csv(records, columns).encode()
    if form is Form.NDJSON:
        return "".join(to_json(jsonable(record), indent=None) + "\n" for record in records).encode()
    return to_parquet(records, columns) if form is Form.PARQUET else to_arrow(records, columns)


def to_parquet(records: Sequence[Record], columns: Mapping[str, str] = OPEN) -> bytes:
    """Return records as a Parquet file: DECIMAL(38,15) for figures, BIGINT for counts, texts, nested values as JSON.

    ``columns`` (name to type) come first and are there without records too; others take the type of their values.
    """
    with _table(records, columns) as con, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        con.execute("COPY given TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)])
        return path.read_bytes()


def to_arrow(records: Sequence[Record], columns: Mapping[str, str] = OPEN) -> bytes:
    """Return records as an Arrow IPC stream, in the types of ``to_parquet``."""
    out = io.BytesIO()
    with _table(records, columns) as con:
        write_arrow(con.sql("FROM given"), out)
    return out.getvalue()


def write_arrow(relation: duckdb.DuckDBPyRelation, target: IO[bytes]) -> None:
    """Write the rows of a query as an Arrow IPC stream, batch by batch. Raises duckdb.Error and OSError."""
    with _Unwrapped():
        write_ipc_stream(relation, target)


class _Unwrapped:
    """Turns the bare Exception in which arro3 wraps what ends a stream in its middle into an error of the engine."""

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Raise duckdb.OperationalError instead of a bare Exception; all else goes on as it is."""
        if kind is Exception:
            raise duckdb.OperationalError(str(error)) from error


@contextmanager
def _table(records: Sequence[Record], declared: Mapping[str, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection with the records in the table ``given``."""
    names = list(dict.fromkeys([*declared, *(name for record in records for name in record)])) or ["empty"]
    columns = {name: [record.get(name) for record in records] for name in names}
    kinds = {name: declared.get(name) or _kind(values) for name, values in columns.items()}
    definition = ", ".join(f"{_quoted(name)} {kind}" for name, kind in kinds.items())
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TABLE given ({definition})")
        if records:
            values = ", ".join(f"unnest(?::{kind}[])" for kind in kinds.values())
            con.execute(
                f"INSERT INTO given SELECT {values}",
                [[_stored(value) for value in column] for column in columns.values()],
            )
        yield con


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _kind(values: Sequence[object]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds == {int}:
        return "BIGINT"
    if kinds and kinds <= {int, Decimal}:
        return DECIMAL
    if kinds and kinds <= {int, float}:
        return "DOUBLE"
    return "TIMESTAMPTZ" if kinds == {datetime} else "VARCHAR"


def _stored(value: object) -> object:
    if isinstance(value, Mapping | list | tuple):
        return to_json(jsonable(value), indent=None)
    return value
