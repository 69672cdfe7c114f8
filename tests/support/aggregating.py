"""Run the engine on small files, and compare what comes out."""

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from offgridflow.engines.duckdb import Aggregation, DuckDbEngine
from offgridflow.engines.model import Grain, Part
from offgridflow.formats import detect

Table = list[list[str]]
"""Header and records of a CSV."""


def read_table(path: Path) -> Table:
    """Read a CSV, plain or gzip, without blank lines."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row]


def write_table(path: Path, table: Table, *, encoding: str = "utf-8", line_end: str = "\n") -> Path:
    """Write a CSV; a name that ends in ``.gz`` makes it a gzip."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows(table)
    content = text.getvalue().encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def csv_part(path: Path, *, records: int | None = None, delimiter: str = ",") -> Part:
    """Return the part of a CSV, with its records counted by Python."""
    table = read_table(path)
    count = len(table) - 1 if records is None else records
    return Part(path, path.name, _digest(path), "csv", count, tuple(table[0]), delimiter)


def parquet_part(path: Path) -> Part:
    """Return the part of a Parquet file."""
    with duckdb.connect() as con:
        cursor = con.execute(f"SELECT * FROM read_parquet('{path}')")
        columns = tuple(column[0] for column in cursor.description or [])
        return Part(path, path.name, _digest(path), "parquet", len(cursor.fetchall()), columns)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Outcome:
    """Everything an aggregation says, in an order that does not depend on how it came about."""

    format: str
    money_column: str
    activities: list[dict[str, Any]]
    raw_totals: list[tuple[Any, ...]]
    quarantine: list[dict[str, Any]] = field(default_factory=list)

    @property
    def figures(self) -> tuple[list[str], list[tuple[Any, ...]]]:
        """What must be equal to the last digit however a delivery is packed."""
        return sorted(map(repr, self.activities)), self.raw_totals

    @property
    def lines(self) -> int:
        """Lines of all activities."""
        return sum(row["line_items"] for row in self.activities)

    def lines_by_class(self) -> dict[str, int]:
        """Lines per charge class."""
        found: dict[str, int] = {}
        for row in self.activities:
            found[row["charge_class"]] = found.get(row["charge_class"], 0) + row["line_items"]
        return found

    def money(self) -> Decimal:
        """The conserved money of activities and quarantine."""
        known = [row[self.money_column] for row in self.activities] + [row["billed_cost"] for row in self.quarantine]
        return sum((value for value in known if value is not None), Decimal(0))


@contextmanager
def aggregation(
    parts: Sequence[Part], work: Path, *, grain: Grain | None = None, source: str | None = None, threads: int = 2
) -> Iterator[Aggregation]:
    """Aggregate parts whose format is that of the first."""
    known = detect(parts[0].columns)
    assert known is not None
    engine = DuckDbEngine(threads=threads, memory_limit="400MiB", temp_directory=work / "engine", folders=())
    with engine.aggregate(parts, known, grain or Grain(), source) as found:
        yield found


def outcome(
    parts: Sequence[Part], work: Path, *, grain: Grain | None = None, source: str | None = None, threads: int = 2
) -> Outcome:
    """Aggregate parts and return everything that came out."""
    with aggregation(parts, work, grain=grain, source=source, threads=threads) as found:
        known = detect(parts[0].columns)
        assert known is not None
        return Outcome(
            format=known.name,
            money_column=found.money_column,
            activities=_dicts(found.con, "activities"),
            raw_totals=found.con.execute("SELECT * FROM raw_totals ORDER BY ALL").fetchall(),
            quarantine=_dicts(found.con, "quarantine"),
        )


def _dicts(con: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    cursor = con.execute(f"SELECT * FROM {table} ORDER BY ALL")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
