"""One version of the ledger, as DuckDB views. Its files never change, so later commits do not disturb it."""

from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from offgridflow.domain.reported import REPORTED
from offgridflow.domain.sql import sql_list
from offgridflow.ledger.deltalog import Head, LiveFile
from offgridflow.ledger.reported import ReportedHead, view_of
from offgridflow.ledger.side import SideTables, may_hold
from offgridflow.ledger.storage import Storage
from offgridflow.ledger.tables import COMMITS, EMISSIONS, QUARANTINE, RATES, TABLES, TableSpec

if TYPE_CHECKING:
    import duckdb


class Snapshot:
    """A version of the ledger.

    Args:
        storage: the place of the ledger.
        head: the files of ``emissions`` at the version.
        side: the tables beside it, of which the rows count whose commit is in ``head``.
        reported: the head of the providers' own figures, which is another table's.

    """

    def __init__(self, storage: Storage, head: Head, side: SideTables, reported: ReportedHead) -> None:
        self.storage = storage
        self.head = head
        self.reported = reported
        self.version = head.version
        self.commit_ids = frozenset(file.commit_id for file in head.files)
        self._side = {name: side.logs[name].head() for name in (RATES, QUARANTINE)}
        self._commit_files = may_hold(side.logs[COMMITS].head().files, self.commit_ids)

    def of_periods(self, keys: Iterable[tuple[str, str]]) -> "Snapshot":
        """Return this version with those (source, billing period) alone, and without the providers' own figures.

        A look at one period of many then opens, or fetches, its files only.
        """
        wanted = set(keys)
        chosen = copy(self)
        chosen.head = Head(self.version, tuple(file for file in self.head.files if file.key in wanted))
        chosen.commit_ids = frozenset(file.commit_id for file in chosen.head.files)
        chosen._commit_files = may_hold(self._commit_files, chosen.commit_ids)  # noqa: SLF001 - its own kind
        chosen.reported = ReportedHead(self.reported.version, {})
        return chosen

    def files(self, table: str) -> list[LiveFile]:
        """Return the live files of ``emissions``, ``rates``, ``quarantine`` or ``commits``."""
        if table == COMMITS:
            return self._commit_files
        files = self.head.files if table == EMISSIONS else self._side[table].files
        return [file for file in files if file.commit_id in self.commit_ids]

    def attach(self, con: "duckdb.DuckDBPyConnection", prefix: str = "") -> None:
        """Create the temporary views ``emissions``, ``rates``, ``quarantine`` and ``commits`` of live rows.

        All have the columns source, billing_period and commit_id but ``rates``, which has one row per rate_id. Beside
        them stands ``reported_emissions``, by source and month: the providers' own figures.
        Predicates on these three skip files. ``prefix`` goes before the names.
        Raises LedgerError if a file is gone (an old version after vacuum) or a period is held twice.
        """
        self.head.commits()
        self.attach_unchecked(con, prefix)

    def attach_unchecked(self, con: "duckdb.DuckDBPyConnection", prefix: str = "") -> None:
        """Create the views even if a period is held twice; ``verify`` looks into that."""
        for name in (EMISSIONS, QUARANTINE):
            _create_view(con, prefix + name, _partitioned(TABLES[name], self._paths(name)))
        _create_view(con, prefix + RATES, _one_per_rate(self._paths(RATES)))
        _create_view(con, prefix + COMMITS, _commits(self._paths(COMMITS), self.commit_ids))
        _create_view(con, prefix + REPORTED, view_of(self.storage, self.reported))

    def _paths(self, table: str) -> list[Path]:
        return self.storage.local_paths(table, [(file.path, file.size_bytes) for file in self.files(table)])


def _create_view(con: "duckdb.DuckDBPyConnection", name: str, query: str) -> None:
    con.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {query}')


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _partitioned(spec: TableSpec, paths: Sequence[Path]) -> str:
    if not paths:
        return _empty(spec)
    return (
        f"SELECT {_listed(spec.all_columns)} FROM read_parquet({sql_list(paths)}, "
        f"hive_partitioning = true, hive_types_autocast = false)"
    )


def _empty(spec: TableSpec) -> str:
    columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in spec.all_columns.items())
    return f"SELECT {columns} WHERE false"


def _one_per_rate(paths: Sequence[Path]) -> str:
    spec = TableSpec(RATES, TABLES[RATES].columns, partition_by=())
    if not paths:
        return _empty(spec)
    return (
        f"SELECT {_listed(spec.columns)} FROM read_parquet({sql_list(paths)}, hive_partitioning = false) "
        f"QUALIFY row_number() OVER (PARTITION BY rate_id) = 1"
    )


def _commits(paths: Sequence[Path], live: Iterable[str]) -> str:
    spec = TABLES[COMMITS]
    if not paths:
        return _empty(spec)
    return (
        f"SELECT {_listed(spec.columns)} FROM read_parquet({sql_list(paths)}) "
        f"WHERE list_contains({sql_list(sorted(live))}, commit_id) "
        f"QUALIFY row_number() OVER (PARTITION BY commit_id ORDER BY attempt DESC) = 1"
    )
