"""Lines that could not be read, with file and line number: found again in a pass of its own, only if there are any."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import duckdb

from offgridflow.domain.reasons import QuarantineReason
from offgridflow.domain.sql import sql_text
from offgridflow.engines.cells import clean, quote_name, text_of
from offgridflow.engines.model import Part
from offgridflow.engines.opening import open_bytes, open_text
from offgridflow.engines.readers import MAX_LINE_BYTES, CsvMode, RawSql, Reader
from offgridflow.engines.scopes import Homes
from offgridflow.formats import Column

_EXCERPT: Final = 80
_BATCH: Final = 10_000
_BLOCK: Final = 2**20
_COLUMNS: Final = {
    "source": "VARCHAR",
    "billing_period": "VARCHAR",
    "file": "VARCHAR",
    "line_number": "BIGINT",
    "reason": "VARCHAR",
    "column_name": "VARCHAR",
    "value_excerpt": "VARCHAR",
    "billing_currency": "VARCHAR",
    "billed_cost": "DECIMAL(38,15)",
}


@dataclass(frozen=True, slots=True)
class Reject:
    """A CSV record that the reader refused: the physical line where it starts, and why."""

    part: str
    line_number: int
    why: str
    text: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """One quarantined line. ``line_number`` is the physical line where the record starts; in Parquet the row."""

    source: str
    billing_period: str
    file: str
    line_number: int
    reason: QuarantineReason
    column: str | None
    excerpt: str | None
    currency: str | None
    money: Decimal | None

    def row(self) -> tuple[object, ...]:
        """Return the values of the table's columns in order."""
        return (
            self.source,
            self.billing_period,
            self.file,
            self.line_number,
            self.reason.value,
            self.column,
            self.excerpt,
            self.currency,
            self.money,
        )


def create_table(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty table ``quarantine``."""
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    con.execute(f"CREATE OR REPLACE TABLE quarantine ({columns})")


def insert(con: duckdb.DuckDBPyConnection, lines: Iterator[BadLine]) -> None:
    """Add lines to the table, a batch at a time."""
    batch: list[tuple[object, ...]] = []
    for line in lines:
        batch.append(line.row())
        if len(batch) == _BATCH:
            _insert(con, batch)
            batch = []
    if batch:
        _insert(con, batch)


def _insert(con: duckdb.DuckDBPyConnection, batch: Sequence[tuple[object, ...]]) -> None:
    values = ", ".join(f"unnest(?::{kind}[])" for kind in _COLUMNS.values())
    con.execute(f"INSERT INTO quarantine SELECT {values}", [list(column) for column in zip(*batch, strict=True)])


def rejected(con: duckdb.DuckDBPyConnection, readers: Sequence[Reader], rejects: str) -> Iterator[Reject]:
    """Yield the CSV records that the reader refused in the scan that filled the tables ``rejects_N``."""
    for number, reader in enumerate(readers):
        if reader.parts[0].kind != "csv":
            continue
        rows = con.execute(
            f"SELECT s.file_path, e.line_byte_position, min(e.error_type::VARCHAR), min(e.csv_line) "
            f"FROM {rejects}_{number} e JOIN {rejects}_{number}_scans s USING (scan_id, file_id) "
            f"GROUP BY ALL ORDER BY ALL",
        ).fetchall()
        for part in reader.parts:
            own = [row for row in rows if row[0] == str(part.path)]
            lines = lines_at(part, [row[1] for row in own])
            for _, offset, why, text in own:
                yield Reject(part.name, lines[offset], why, (text or "").strip()[:_EXCERPT])


def lines_at(part: Part, offsets: Sequence[int]) -> dict[int, int]:
    """Return the physical line, from 1, at each byte offset of a part's content; DuckDB's own count is off at times."""
    found: dict[int, int] = {}
    with open_bytes(part.path) as stream:
        position, line = 0, 1
        for offset in sorted(set(offsets)):
            while position < offset and (block := stream.read(min(_BLOCK, offset - position))):
                line += block.count(b"\n")
                position += len(block)
            found[offset] = line
    return found


def malformed(rejects: Sequence[Reject], homes: Homes) -> Iterator[BadLine]:
    """Yield the quarantined lines of rejected records; what they cost is unknown."""
    for reject in rejects:
        source, period = homes.of(reject.part, None, None, None)
        yield BadLine(
            source, period, reject.part, reject.line_number, QuarantineReason.MALFORMED_LINE, None,
            f"{reject.why.lower()}: {reject.text}"[:_EXCERPT], None, None,
        )  # fmt: skip


def bad_cells(
    con: duckdb.DuckDBPyConnection, raw: RawSql, reader: Reader, part: Part, homes: Homes
) -> Iterator[BadLine]:
    """Yield the lines of one part with a cell that could not be read.

    ``con`` must run on one thread and keep the order of the file, so that rows can be counted.
    """
    ordinals = con.execute(_query(raw, reader, part, homes, "number")).fetchall()
    starts = line_starts(part, {row[0] for row in ordinals}, len(reader.header)) if part.kind == "csv" else {}
    cursor = con.execute(_query(raw, reader, part, homes, "*"))
    while rows := cursor.fetchmany(_BATCH):
        for row in rows:
            yield _bad_line(row, part, homes, starts)


def _bad_line(row: tuple[Any, ...], part: Part, homes: Homes, starts: dict[int, int]) -> BadLine:
    number, fault, excerpt, provider, account, period, currency, money = row
    reason, _, column = fault.partition(":")
    source, own_period = homes.of(part.name, provider, account, period)
    return BadLine(
        source=source,
        billing_period=own_period,
        file=part.name,
        line_number=starts.get(number, number),
        reason=QuarantineReason(reason),
        column=column or None,
        excerpt=excerpt,
        currency=currency,
        money=money,
    )


def _query(raw: RawSql, reader: Reader, part: Part, homes: Homes, wanted: str) -> str:
    """Return the SELECT of the bad lines of one part: row number from 1, fault, excerpt, and whose they are."""
    identity, words = raw.mapping.identity, raw.mapping.null_words
    table = reader.table(CsvMode(strict=raw.mode.strict, rejects="again"), parts=[part])
    cells = ", ".join(f"{cell.value} AS {quote_name(name)}" for name, cell in raw.cells(reader).items())
    number = "file_row_number + 1" if part.kind == "parquet" else "row_number() OVER ()"
    fault, excerpt = _faults(raw, reader)
    missing = f"WHEN {clean(identity.currency, words)} IS NULL THEN '{QuarantineReason.MISSING_CURRENCY.value}:'"
    if homes.source is None:
        missing += f" WHEN {clean(identity.account, words)} IS NULL THEN '{QuarantineReason.MISSING_ACCOUNT.value}:'"
    missing += f" WHEN ({identity.period}) IS NULL THEN '{QuarantineReason.UNREADABLE_TIME.value}:'"
    return (
        f"SELECT {wanted} FROM (SELECT number, CASE WHEN _fault IS NOT NULL THEN _fault {missing} END AS fault, "
        f"_excerpt, {clean(identity.provider, words)}, {clean(identity.account, words)}, "
        f"strftime({identity.period}, '%Y-%m'), {clean(identity.currency, words)}, {identity.money} "
        f"FROM (SELECT {number} AS number, {fault} AS _fault, {excerpt} AS _excerpt, {cells} FROM {table}) AS raw"
        f") WHERE fault IS NOT NULL ORDER BY number"
    )


def _faults(raw: RawSql, reader: Reader) -> tuple[str, str]:
    """Return the SQL of ``reason:column`` and of the cell's text, for the first cell that could not be read."""
    reasons: list[str] = []
    excerpts: list[str] = []
    cells = raw.cells(reader)
    for column in raw.mapping.columns:
        cell = cells.get(column.name)
        if cell is None or cell.bad is None:
            continue
        name = column.name
        reasons.append(f"WHEN ({cell.bad}) AND {cell.too_large} THEN '{QuarantineReason.OVERFLOW.value}:{name}'")
        reasons.append(f"WHEN ({cell.bad}) THEN '{_reason(column).value}:{name}'")
        excerpts.append(f"WHEN ({cell.bad}) THEN {_excerpt(column, reader)}")
    if not reasons:
        return "NULL::VARCHAR", "NULL::VARCHAR"
    return f"CASE {' '.join(reasons)} END", f"CASE {' '.join(excerpts)} END"


def _reason(column: Column) -> QuarantineReason:
    reasons = {"money": QuarantineReason.UNREADABLE_COST, "time": QuarantineReason.UNREADABLE_TIME}
    return reasons.get(column.kind, QuarantineReason.UNREADABLE_QUANTITY)


def _excerpt(column: Column, reader: Reader) -> str:
    found = [own for source in column.sources if (own := reader.find(source.column)) is not None]
    return f"substr({text_of(found[0])}, 1, {_EXCERPT})" if found else sql_text("")


def line_starts(part: Part, wanted: set[int], width: int) -> dict[int, int]:
    """Return the physical line where each wanted record of a CSV starts; records are counted from 1 after the header.

    Records of another width are not counted, for the reader has refused them; neither are blank lines.
    """
    found: dict[int, int] = {}
    if not wanted:
        return found
    csv.field_size_limit(MAX_LINE_BYTES)
    with open_text(part.path) as lines:
        records = csv.reader(lines, delimiter=part.delimiter)
        next(records, None)
        count, start, last = 0, records.line_num + 1, max(wanted)
        for record in records:
            if len(record) == width:
                count += 1
                if count in wanted:
                    found[count] = start
                if count == last:
                    break
            start = records.line_num + 1
    return found
