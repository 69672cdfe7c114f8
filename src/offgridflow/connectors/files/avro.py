"""Avro unloads of BigQuery, written anew as JSON lines, which the mappings read: an object a record, a block at a time.

Texts are those of BigQuery's own JSON unloads: decimals and instants as text, exact to the last digit and microsecond.
Null records are written with all their fields, so that the columns do not depend on which rows come first.
"""

import base64
import gzip
import hashlib
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from offgridflow.connectors.files.avro_blocks import INSTALL, blocks_of, damaged, header_of, not_read
from offgridflow.connectors.files.streams import InflateGuard, unreadable
from offgridflow.connectors.model import Compression, FileKind, FilePart, Limits

_LEVEL: Final = 1
_UNREADABLE: Final = (
    *(AttributeError, EOFError, IndexError, KeyError, MemoryError, OverflowError, TypeError, UnicodeDecodeError),
    *(ValueError, ArithmeticError),
)
"""What fastavro raises for bytes that are no record of the schema."""


def as_json_lines(path: Path, name: str, work_dir: Path, limits: Limits) -> FilePart | None:
    """Write the records of an Avro file into ``work_dir`` as JSON lines (gzip) and return them as a part.

    None for a file without records. The file is named by its content.

    Raises:
        InputError: CUT_AVRO, BROKEN_AVRO, INFLATES_TOO_MUCH, UNREADABLE_FILE, or AVRO_NOT_READ for codecs and schemas
            that BigQuery does not write, or without the extra ``gcp``.

    """
    descriptor, temporary = tempfile.mkstemp(dir=work_dir, prefix="avro-")
    written = Path(temporary)
    digest = hashlib.sha256()
    records = 0
    try:
        with (
            os.fdopen(descriptor, "wb") as target,
            gzip.GzipFile("", "wb", _LEVEL, target, mtime=0) as packed,
        ):
            for line in _lines(path, name, limits):
                packed.write(line)
                digest.update(line)
                records += 1
        if not records:
            return None
        place = written.rename(work_dir / f"{digest.hexdigest()}.{FileKind.JSON}")
        return FilePart(place, name, FileKind.JSON, Compression.GZIP)
    finally:
        written.unlink(missing_ok=True)


def _lines(path: Path, name: str, limits: Limits) -> Iterator[bytes]:
    try:
        from fastavro import parse_schema, schemaless_reader  # noqa: PLC0415 - in the extra gcp
        from fastavro.schema import SchemaParseException, UnknownType  # noqa: PLC0415
    except ImportError as error:
        raise not_read(name, "and fastavro is not installed", INSTALL) from error
    try:
        with path.open("rb") as stream:
            container = header_of(stream, name, schemaless_reader)
            guard = InflateGuard(name, path.stat().st_size, limits)
            try:
                schema = parse_schema(json.loads(container.schema))
            except (SchemaParseException, UnknownType, RecursionError, *_UNREADABLE) as error:
                raise damaged(name, f"its schema cannot be read ({type(error).__name__})") from error
            shape = _Shapes(name).of_table(schema)
            for block in blocks_of(stream, name, container, guard):
                content = io.BytesIO(block.content)
                for number in range(block.records):
                    try:
                        record = shape.write(schemaless_reader(content, schema, None))
                    except _UNREADABLE as error:
                        why = f"record {number + 1} of the block at byte {block.offset} is none of its schema"
                        raise damaged(name, why) from error
                    yield json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                if content.tell() != len(block.content):
                    raise damaged(name, f"the block at byte {block.offset} holds more than its records")
    except OSError as error:
        raise unreadable(name, error) from error


@dataclass(frozen=True, slots=True)
class _Shape:
    """How values of a type are written as JSON, and what stands for null: of a record, all its fields as null."""

    write: Callable[[Any], Any]
    null: Any = None


class _Shapes:
    """Makes shapes of a schema: records, arrays, maps and nullable types, to any depth but never in a circle."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[str, _Shape | None] = {}

    def of_table(self, schema: Any) -> _Shape:  # noqa: ANN401 - a schema is JSON
        """Return the shape of a file's schema, which has to be a record: a row of a table."""
        if not isinstance(schema, Mapping) or schema.get("type") != "record":
            raise not_read(self._name, "whose records are no rows of a table")
        return self._of(schema)

    def _of(self, schema: Any) -> _Shape:  # noqa: ANN401 - a schema is JSON
        if isinstance(schema, list):
            return self._nullable(schema)
        if isinstance(schema, str):
            return self._named(schema)
        kind = schema["type"]
        logical = _LOGICAL.get((str(kind), str(schema.get("logicalType"))))
        if logical is not None:
            return _Shape(logical)
        makers = {"record": self._record, "array": self._array, "map": self._map}
        return makers[kind](schema) if isinstance(kind, str) and kind in makers else self._plain(schema, kind)

    def _plain(self, schema: Mapping[str, Any], kind: Any) -> _Shape:  # noqa: ANN401 - a schema is JSON
        shape = _Shape(_PLAIN[kind]) if isinstance(kind, str) and kind in _PLAIN else self._of(kind)
        if kind in _NAMED:
            self._known[schema["name"]] = shape
        return shape

    def _map(self, schema: Mapping[str, Any]) -> _Shape:
        inner = self._of(schema["values"])
        return _Shape(lambda value: {key: inner.write(each) for key, each in value.items()})

    def _named(self, name: str) -> _Shape:
        if name in _PLAIN:
            return _Shape(_PLAIN[name])
        known = self._known.get(name)
        if known is None:
            raise not_read(self._name, f"whose type {name[:40]!r} holds itself")
        return known

    def _nullable(self, branches: list[Any]) -> _Shape:
        others = [branch for branch in branches if branch != "null"]
        if len(others) > 1:
            raise not_read(self._name, "with a column of several types")
        if not others:
            return _Shape(_as_it_is)
        inner = self._of(others[0])
        return _Shape(lambda value: inner.null if value is None else inner.write(value), inner.null)

    def _array(self, schema: Mapping[str, Any]) -> _Shape:
        inner, items = self._of(schema["items"]), schema["items"]
        if items == "null" or (isinstance(items, Mapping) and not items.get("fields", True)):
            raise not_read(self._name, "with a list of nothing")  # any number of them takes no byte
        return _Shape(lambda value: [inner.write(each) for each in value], [])

    def _record(self, schema: Mapping[str, Any]) -> _Shape:
        self._known[schema["name"]] = None
        fields = [(str(field["name"]), self._of(field["type"])) for field in schema["fields"]]
        null = {name: shape.null for name, shape in fields}
        shape = _Shape(lambda value: {name: inner.write(value[name]) for name, inner in fields}, null)
        self._known[schema["name"]] = shape
        return shape


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - a value of any type
    return value


def _float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)  # the mapping says that this is no number


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decimal(value: Decimal) -> str:
    return f"{value:f}"


def _instant(value: datetime) -> str:
    text = value.isoformat(sep=" ", timespec="microseconds")
    return text.replace("+00:00", " UTC")


def _iso(value: Any) -> str:  # noqa: ANN401 - a date, time or UUID
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("null", "boolean", "int", "long", "string", "enum"), _as_it_is),
    **dict.fromkeys(("float", "double"), _float),
    **dict.fromkeys(("bytes", "fixed"), _bytes),
}
_NAMED: Final = ("enum", "fixed")
_LOGICAL: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("bytes", "decimal"): _decimal,
    ("fixed", "decimal"): _decimal,
    ("int", "date"): _iso,
    ("int", "time-millis"): _iso,
    ("long", "time-micros"): _iso,
    ("string", "uuid"): _iso,
    **{("long", f"{prefix}timestamp-{unit}"): _instant for prefix in ("", "local-") for unit in ("millis", "micros")},
}
