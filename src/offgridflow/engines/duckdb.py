"""The default engine: DuckDB aggregates the parts of one format to activities, on this machine, in bounded memory."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from offgridflow.domain.errors import InputError
from offgridflow.domain.model import ACTIVITY_COLUMNS
from offgridflow.engines import quarantine
from offgridflow.engines.aggregate import aggregate_text
from offgridflow.engines.model import Grain, Part
from offgridflow.engines.narrow import aggregate_parquet
from offgridflow.engines.readers import CsvMode, RawSql, Reader, readers_of
from offgridflow.engines.scopes import Scopes, read_scopes
from offgridflow.engines.variants import choose_variant
from offgridflow.formats import Format
from offgridflow.formats.model import MoneyColumn

_UNSOUND: Final = "type_pushdown"
"""DuckDB 2.0.1 moves a TRY_CAST into read_csv as a strict cast, so one unreadable cell fails the whole file."""
_REJECTS: Final = "rejects"
_ACTIVITIES: Final = ", ".join(("source", "billing_period", *ACTIVITY_COLUMNS, "sku_hash"))


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The outcome of one aggregation: ``activities``, ``skus``, ``quarantine`` and ``raw_totals`` on ``con``.

    ``activities`` has source, billing_period, ACTIVITY_COLUMNS and ``sku_hash`` (SKU_HASH_SQL); ``skus`` has every SKU
    of them by that hash, at least once; ``raw_totals`` (source, billing_period,
    billing_currency, line_items, money) comes from its own scan of the raw files. ``money_column`` is the conserved
    one.
    """

    con: duckdb.DuckDBPyConnection
    scopes: Scopes
    money_column: MoneyColumn

    def part_names(self, source: str, billing_period: str) -> frozenset[str]:
        """Return the names of the parts that hold lines of a period."""
        return self.scopes.part_names(source, billing_period)

    def provider_of(self, source: str, billing_period: str) -> str | None:
        """Return the provider slug of a period; None where it holds several."""
        return self.scopes.provider_of(source, billing_period)


@dataclass(frozen=True, slots=True)
class DuckDbEngine:
    """DuckDB with bounded threads and memory, spilling to ``temp_directory``.

    Where ``folders`` is given, its connections reach the parts, ``temp_directory`` and those folders, and no other file
    and no network. Extensions are off and the configuration is locked in any case.
    """

    threads: int
    memory_limit: str
    temp_directory: Path
    folders: tuple[Path, ...] | None = None

    @contextmanager
    def aggregate(
        self,
        parts: Sequence[Part],
        mapping: Format,
        grain: Grain,
        source: str | None = None,
    ) -> Iterator[Aggregation]:
        """Aggregate the parts of one delivery or of several; the tables live until the context ends.

        ``source`` None names each period ``<provider>/<billing_account_id>`` from the content. Parts with the same
        digest count once.

        Raises:
            InputError: where the lines read and those counted independently differ (LINES_LOST), or a file cannot be
                read at all (UNREADABLE, NO_PERIOD, NO_ACCOUNT, BAD_JSON).

        """
        con = self.connect(parts)
        try:
            with _as_input_error(parts, mapping):
                found = _aggregate(con, self, _once_each(parts), (mapping, grain, source))
            yield found
        finally:
            con.close()

    def connect(self, parts: Sequence[Part], *, ordered: bool = False) -> duckdb.DuckDBPyConnection:
        """Open an in-memory database that can read ``parts``, under this engine's limits.

        ``ordered`` gives one that keeps rows in the order of their file, on one thread.
        """
        self.temp_directory.mkdir(parents=True, exist_ok=True)
        con = duckdb.connect(
            config={
                "threads": 1 if ordered else self.threads,
                "memory_limit": self.memory_limit,
                "temp_directory": str(self.temp_directory / "spill"),
                "preserve_insertion_order": ordered,
                "enable_external_file_cache": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
            },
        )
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        con.execute(f"SET GLOBAL disabled_optimizers = '{_UNSOUND}'")
        if self.folders is not None:
            con.execute(
                "SET allowed_directories = ?", [[str(folder) for folder in (self.temp_directory, *self.folders)]]
            )
            con.execute("SET allowed_paths = ?", [[str(part.path) for part in parts]])
            con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        return con


def _once_each(parts: Sequence[Part]) -> list[Part]:
    """Return the parts without those that come twice (equal digest)."""
    return list({part.digest: part for part in sorted(parts, key=lambda part: part.name, reverse=True)}.values())


_Task = tuple[Format, Grain, str | None]
_MODES: Final = (CsvMode(), CsvMode(rejects=_REJECTS), CsvMode(strict=False, rejects=_REJECTS))
"""Tried in turn on CSV, each only where DuckDB refuses a record or file in the one before."""


def _aggregate(con: duckdb.DuckDBPyConnection, engine: DuckDbEngine, parts: Sequence[Part], task: _Task) -> Aggregation:
    mapping, grain, _ = task
    readers = readers_of(con, parts)
    raw = RawSql(mapping, readers, grain)
    quarantine.create_table(con)
    if not readers:
        return _nothing(con, mapping)
    scopes, money = _scan(con, raw, task)
    rejects = list(quarantine.rejected(con, readers, raw.mode.rejects)) if raw.mode.rejects else []
    _refuse_lost_lines(raw.parts, scopes, rejects)
    scopes.create_raw_totals(con)
    _fill_quarantine(con, engine, raw, scopes, rejects)
    con.execute(f"CREATE VIEW activities AS SELECT {_ACTIVITIES} FROM activity_rows WHERE NOT problem")
    return Aggregation(con, scopes, money)


def _scan(con: duckdb.DuckDBPyConnection, raw: RawSql, task: _Task) -> tuple[Scopes, MoneyColumn]:
    """Scan in the first mode that works; leave ``raw`` in it."""
    for mode in _MODES:
        raw.mode = mode
        try:
            money = choose_variant(con, raw)
            return _scan_twice(con, raw, task), money
        except duckdb.InvalidInputException:
            if mode is _MODES[-1] or all(part.kind != "csv" for part in raw.parts):
                raise
    raise AssertionError  # the last mode returns or raises


def _scan_twice(con: duckdb.DuckDBPyConnection, raw: RawSql, task: _Task) -> Scopes:
    """Aggregate and, on a connection of its own, take the raw totals: at once, for one gzip keeps one core busy."""
    _, grain, source = task
    with con.cursor() as cursor, ThreadPoolExecutor(max_workers=1) as pool:
        totals = pool.submit(read_scopes, cursor, raw, source, raw.parts)
        if raw.is_parquet:
            aggregate_parquet(con, raw, grain, source)
        else:
            aggregate_text(con, raw, grain, source)
        return totals.result()


def _nothing(con: duckdb.DuckDBPyConnection, mapping: Format) -> Aggregation:
    columns = ", ".join(f"{name} {kind}" for name, kind in ACTIVITY_COLUMNS.items())
    con.execute(f"CREATE TABLE activities (source VARCHAR, billing_period VARCHAR, {columns}, sku_hash UBIGINT)")
    con.execute("CREATE VIEW skus AS FROM activities")
    scopes = Scopes((), None)
    scopes.create_raw_totals(con)
    return Aggregation(con, scopes, mapping.money)


def _fill_quarantine(
    con: duckdb.DuckDBPyConnection,
    engine: DuckDbEngine,
    raw: RawSql,
    scopes: Scopes,
    rejects: Sequence[quarantine.Reject],
) -> None:
    homes = scopes.homes
    if homes is None:
        return
    quarantine.insert(con, quarantine.malformed(rejects, homes))
    if con.execute("SELECT count(*) FROM activity_rows WHERE problem").fetchall() == [(0,)]:
        return
    with engine.connect(raw.parts, ordered=True) as second:
        for reader, part in _parts_with_readers(raw.readers):
            quarantine.insert(con, quarantine.bad_cells(second, raw, reader, part, homes))


def _parts_with_readers(readers: Sequence[Reader]) -> Iterator[tuple[Reader, Part]]:
    for reader in readers:
        for part in reader.parts:
            yield reader, part


def _refuse_lost_lines(parts: Sequence[Part], scopes: Scopes, rejects: Sequence[quarantine.Reject]) -> None:
    """Raise InputError where what was read and refused is not what the independent pass counted."""
    for part in parts:
        refused = sum(reject.part == part.name for reject in rejects)
        read = scopes.records_of(part.name)
        if read + refused != part.records:
            sentence = (
                f"{part.name}: {part.records} records were counted in the file, but {read} were read and {refused} "
                f"refused, so lines would be lost."
            )
            action = "Look for broken quotes or line ends in the file, and export it again."
            raise InputError(sentence, action=action, code="LINES_LOST")
        if refused:
            scopes.add_malformed(part.name, refused)


@contextmanager
def _as_input_error(parts: Sequence[Part], mapping: Format) -> Iterator[None]:
    """Turn what DuckDB says of the files into an InputError that names them."""
    try:
        yield
    except duckdb.Error as error:
        names = ", ".join(part.name for part in parts[:3]) + (", ..." if len(parts) > 3 else "")  # noqa: PLR2004
        first = str(error).splitlines()[0]
        if isinstance(error, duckdb.OutOfRangeException) and "verflow" in first:
            sentence = f"{names}: the amounts of some group add up to more than 10^23."
            raise InputError(sentence, action="Check the cost and quantity columns.", code="OVERFLOW") from error
        sentence = f"{names}: DuckDB cannot read it as {mapping.title}: {first}"
        raise InputError(
            sentence, action="Check that the file is complete, and export it again.", code="UNREADABLE"
        ) from error
