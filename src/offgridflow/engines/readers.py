"""The relation ``raw``: parts as one table of the declared columns of a format, typed, with their faults.

Parts with equal columns share a reader, and a declared column that a reader lacks is a typed NULL, so parts of one
delivery may differ in columns. The rows of ``raw`` carry, beside the declared columns: ``_bad`` (some cell could not be
read), ``_part`` (position of the part), ``_at`` (part and row, for columns that are looked up later), ``_once_N`` and
``_tag_N``.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import duckdb

from offgridflow.domain.errors import InputError
from offgridflow.domain.sql import sql_list, sql_text
from offgridflow.engines.cells import (
    MONEY,
    QUANTITY,
    Cell,
    RawColumn,
    clean,
    element_of,
    first_time,
    number_of,
    quote_name,
    sum_over_list,
    text_of,
)
from offgridflow.engines.model import Grain, Part
from offgridflow.engines.opening import is_gzip, open_text
from offgridflow.formats import Column, Format, Source, names_of, normal_name

MAX_LINE_BYTES: Final = 32 * 2**20
ROWS_PER_PART: Final = 2**40
_TYPES: Final = {"text": "VARCHAR", "money": MONEY, "quantity": QUANTITY, "time": "TIMESTAMP"}
_JSON_SAMPLE: Final = 1000
_CSV_SAMPLE: Final = 200


@dataclass(frozen=True, slots=True)
class CsvMode:
    """How CSV is read: ``strict`` as RFC 4180 has it; records that are refused go to tables ``<rejects>_N`` if given.

    Keeping what is refused costs time, and some whole files (line ends of two kinds) pass only where not strict.
    """

    strict: bool = True
    rejects: str | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Parts that share kind, packing, delimiter and columns. ``first`` is the position of its first part."""

    parts: tuple[Part, ...]
    columns: tuple[RawColumn, ...]
    header: tuple[str, ...]
    packing: str
    first: int

    def table(self, mode: CsvMode, number: int = 0, parts: Sequence[Part] | None = None) -> str:
        """Return the table function over the parts, or some of them. ``number`` tells apart the tables of rejects."""
        paths = sql_list(part.path for part in (parts or self.parts))
        kind = self.parts[0].kind
        if kind == "parquet":
            return f"read_parquet({paths}, file_row_number=true, binary_as_string=true, hive_partitioning=false)"
        if kind == "json":
            return (
                f"read_json_objects({paths}, format='newline_delimited', compression='{self.packing}', "
                f"maximum_object_size={MAX_LINE_BYTES}, hive_partitioning=false)"
            )
        names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self.header)))
        rejects = f"{mode.rejects}_{number}"
        kept = f", store_rejects=true, rejects_table='{rejects}', rejects_scan='{rejects}_scans', rejects_limit=0"
        options = {
            "header": "true",
            "auto_detect": "false",
            "columns": f"{{{names}}}",
            "delim": sql_text(self.parts[0].delimiter),
            "quote": "'\"'",
            "escape": "'\"'",
            "strict_mode": str(mode.strict).lower(),
            "null_padding": "false",
            "nullstr": "''",
            "allow_quoted_nulls": "true",
            "compression": sql_text(self.packing),
            "max_line_size": str(MAX_LINE_BYTES),
            "buffer_size": str(2 * MAX_LINE_BYTES),
            "hive_partitioning": "false",
        }
        spelled = ", ".join(f"{name}={value}" for name, value in options.items())
        return f"read_csv({paths}, {spelled}{kept if mode.rejects else ''})"

    def find(self, name: str) -> RawColumn | None:
        """Return the column with this normal name, a column that is called so before one that is translated so."""
        for rank in range(2):
            for column in self.columns:
                if len(column.names) > rank and column.names[rank] == name:
                    return column
        return None


def readers_of(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> tuple[Reader, ...]:
    """Group parts into readers, in an order that depends on their content alone. Raises InputError or duckdb.Error."""
    groups: dict[tuple[str, str, str, tuple[RawColumn, ...], tuple[str, ...]], list[Part]] = {}
    for part in sorted(parts, key=lambda item: (item.digest, item.name)):
        columns, header = _columns_of(con, part)
        packing = "gzip" if part.kind != "parquet" and is_gzip(part.path) else "none"
        groups.setdefault((part.kind, part.delimiter, packing, columns, header), []).append(part)
    readers: list[Reader] = []
    for (_, _, packing, columns, header), members in groups.items():
        first = sum(len(reader.parts) for reader in readers)
        readers.append(Reader(tuple(members), columns, header, packing, first))
    return tuple(readers)


def _columns_of(con: duckdb.DuckDBPyConnection, part: Part) -> tuple[tuple[RawColumn, ...], tuple[str, ...]]:
    if part.kind == "parquet":
        table = f"read_parquet({sql_text(str(part.path))}, binary_as_string=true, hive_partitioning=false)"
        relation = con.sql(f"SELECT * FROM {table}")
        found = [
            column
            for name, kind in zip(relation.columns, relation.types, strict=True)
            for column in _flattened(name, quote_name(name), kind)
        ]
        return tuple(found), ()
    if part.kind == "json":
        return tuple(_json_columns(part)), ()
    if not part.columns:
        return (), ()
    header = part.columns[: width_of(part)]
    return tuple(RawColumn(names_of(name), f"c{number}", "VARCHAR") for number, name in enumerate(header)), header


def width_of(part: Part) -> int:
    """Return how many columns the records of a CSV have: those of the header, or fewer if all of the first are shorter.

    Some exporters name a last column and never write it; then the records are whole and the name is void.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    with open_text(part.path) as lines:
        records = islice(csv.reader(lines, delimiter=part.delimiter), _CSV_SAMPLE)
        widths = {len(record) for record in islice(records, 1, None) if record}
    full = len(part.columns)
    return min(full, *widths) if len(widths) == 1 else full


def _flattened(name: str, sql: str, kind: Any) -> list[RawColumn]:  # noqa: ANN401 - DuckDBPyType, as its stubs spell it, has untyped children
    """Return a column and, of a STRUCT, every field as ``name.field``."""
    found = [RawColumn(names_of(name), sql, str(kind))]
    if kind.id == "struct":
        for field, inner in kind.children:
            found.extend(_flattened(f"{name}.{field}", f"{sql}.{quote_name(field)}", inner))
    return found


def _json_columns(part: Part) -> list[RawColumn]:
    """Return the columns of JSON lines: every path in the first thousand objects, as text."""
    paths: dict[tuple[str, ...], None] = {}
    with open_text(part.path) as lines:
        for line in islice(lines, _JSON_SAMPLE):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                sentence = f"{part.name} is not one JSON object a line."
                raise InputError(
                    sentence, action="Unload the table as newline-delimited JSON.", code="BAD_JSON"
                ) from error
            paths.update(dict.fromkeys(_paths_of(record, ())))
    return [_json_column(path) for path in paths]


def _paths_of(value: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found.extend(_paths_of(inner, (*path, str(name))))
    return found


def _json_column(path: tuple[str, ...]) -> RawColumn:
    pointer = "$" + "".join('."' + step.replace('"', "") + '"' for step in path)
    return RawColumn(names_of(".".join(path)), f"json_extract_string(json, {sql_text(pointer)})", "VARCHAR")


class RawSql:
    """Builds the SELECTs over the readers of one aggregation.

    Args:
        mapping: the format.
        readers: all readers.
        grain: for the chosen tags.

    """

    def __init__(self, mapping: Format, readers: Sequence[Reader], grain: Grain) -> None:
        self.mapping = mapping
        self.variant: str | None = None
        self.mode = CsvMode()
        self.readers = tuple(readers)
        self.tag_keys = tuple(sorted(set(grain.tag_keys)))

    @property
    def counting(self) -> str:
        """The SQL that counts the lines of a group."""
        each_is_one = self.mapping.line_items is None and self.mapping.split is None
        return "count(*)" if each_is_one else "sum(_lines)::BIGINT"

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, at their positions."""
        return tuple(part for reader in self.readers for part in reader.parts)

    @property
    def is_parquet(self) -> bool:
        """Whether every part can be read again at a row number."""
        return all(reader.parts[0].kind == "parquet" for reader in self.readers)

    @cached_property
    def once_sources(self) -> tuple[str, ...]:
        """Normal names of the raw columns behind ``once`` columns that hold text in some reader."""
        names = {source.column for column in self.mapping.columns if column.once for source in column.sources}
        found = [(name, reader.find(name)) for name in sorted(names) for reader in self.readers]
        return tuple(dict.fromkeys(name for name, raw in found if raw is not None and not raw.is_nested))

    def has_nested_once(self, reader: Reader) -> bool:
        """Whether some ``once`` column of the reader is nested, so that it is worth a second, sparse read."""
        found = [
            reader.find(source.column) for column in self.mapping.columns if column.once for source in column.sources
        ]
        return any(raw is not None and raw.is_nested for raw in found)

    @property
    def looks_up(self) -> bool:
        """Whether some ``once`` column is nested in some reader, so that ``once_values`` is joined."""
        return any(self.has_nested_once(reader) for reader in self.readers)

    def union(self, rows: str | None = None) -> str:
        """Return the SELECT over all readers, of Parquet with a condition on ``rows`` if given."""
        where = f" WHERE {rows}" if rows else ""
        return " UNION ALL ".join(
            self.of_reader(reader, reader.table(self.mode, number) + where)
            for number, reader in enumerate(self.readers)
        )

    def of_reader(self, reader: Reader, table: str) -> str:
        """Return the SELECT of one reader over ``table``, which may end in a WHERE clause on raw columns."""
        cells = self.cells(reader)
        values = [f"{cell.value} AS {quote_name(name)}" for name, cell in cells.items()]
        faults = [f"({cell.bad})" for cell in cells.values() if cell.bad is not None]
        values.append(f"coalesce({' OR '.join(faults) or 'false'}, false) AS _bad")
        values.append(f"(file_index + {reader.first})::BIGINT AS _part")
        values.append(f"{sql_text(self.variant) if self.variant else 'NULL'}::VARCHAR AS variant")
        at = f"(file_index + {reader.first})::BIGINT * {ROWS_PER_PART} + file_row_number"
        values.append(f"{at if self.is_parquet else 'NULL::BIGINT'} AS _at")
        lines = f"CAST({cells[self.mapping.line_items].value} AS BIGINT)" if self.mapping.line_items else "1::BIGINT"
        values.append(f"{lines} AS _lines")
        values.extend(self._once_values(reader))
        values.extend(f"{self._tag(reader, key)} AS _tag_{number}" for number, key in enumerate(self.tag_keys))
        return f"SELECT {', '.join(values)} FROM {table}"

    def cells(self, reader: Reader) -> dict[str, Cell]:
        """Return the cells of the declared columns that are read per line."""
        return {column.name: self._cell(column, reader) for column in self.mapping.columns if not column.once}

    def _cell(self, column: Column, reader: Reader) -> Cell:
        found = [(source, raw) for source in column.sources if (raw := reader.find(source.column)) is not None]
        if not found:
            return Cell(f"NULL::{_TYPES[column.kind]}", "true" if column.required and column.kind == "time" else None)
        if column.kind == "text":  # a map is read per line only where no plain column gives the same: it is slow
            return Cell(self.text([item for item in found if item[0].key is None] or found))
        raw, words = found[0][1], self.mapping.null_words
        if column.sum_of is not None:
            return sum_over_list(raw, column.sum_of)
        if column.kind == "time":
            return first_time([own for _, own in found], self.mapping.date_styles, words, required=column.required)
        return number_of(raw, _TYPES[column.kind], words)

    def text(self, found: Sequence[tuple[Source, RawColumn]]) -> str:
        """Return the SQL of the first of several raw columns that holds something; of one alone, as it is."""
        values = [text_of(raw) if source.key is None else element_of(raw, source.key) for source, raw in found]
        if len(values) == 1:
            return values[0]
        return f"coalesce({', '.join(clean(value, self.mapping.null_words) for value in values)})"

    def _once_values(self, reader: Reader) -> list[str]:
        found = [(number, reader.find(name)) for number, name in enumerate(self.once_sources)]
        return [
            f"{'NULL::VARCHAR' if raw is None or raw.is_nested else text_of(raw)} AS _once_{number}"
            for number, raw in found
        ]

    def _tag(self, reader: Reader, key: str) -> str:
        values: list[str] = []
        for column in self.mapping.tag_columns:
            raw = reader.find(column)
            for prefix in self.mapping.tag_prefixes:
                if raw is not None:
                    values.append(element_of(raw, prefix + key))
                elif (own := reader.find(column + normal_name(prefix + key))) is not None:
                    values.append(text_of(own))
        cleaned = [clean(value, self.mapping.null_words) for value in dict.fromkeys(values)]
        return f"coalesce({', '.join(cleaned)})" if len(cleaned) > 1 else (cleaned[0] if cleaned else "NULL::VARCHAR")
