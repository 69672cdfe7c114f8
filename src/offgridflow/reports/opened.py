"""A ledger opened for reading: the small Python API behind ``offgridflow.open``."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb
from arro3.core import Table

from offgridflow.domain.errors import UsageError
from offgridflow.ledger import Ledger
from offgridflow.reports.coverage import CoverageReport, coverage
from offgridflow.reports.records import reading_ledger
from offgridflow.reports.scope import Filters
from offgridflow.reports.totals import Provenance, Report, report
from offgridflow.reports.whatif import RERATED, RateFunction, rerate

if TYPE_CHECKING:
    from offgridflow.ledger import Snapshot
    from offgridflow.methodology.user import SpendRow

VIEWS = ("emissions", "rates", "quarantine", "commits", "reported_emissions")


class OpenLedger:
    """One version of a ledger with its live rows. Use it as a context manager, or call ``close``.

    >>> with offgridflow.open("./offgridflow-ledger") as ledger:  # doctest: +SKIP
    ...     ledger.report(by=["provider", "service_name"]).to_json()

    Args:
        snapshot: the version of the ledger to read.
        con: the DuckDB connection that holds its views; owned and closed by this object.

    """

    def __init__(self, snapshot: "Snapshot", con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self._snapshot = snapshot  # as long as it is held, nothing that the views read is swept from the read cache
        with reading_ledger():
            snapshot.attach(con)
        self.provenance = Provenance(_factor_sets(con), snapshot.version)

    def report(
        self,
        by: Sequence[str] = (),
        date_from: str | None = None,
        date_to: str | None = None,
        where: Filters | None = None,
    ) -> Report:
        """Return totals by keys; see ``offgridflow.reports.totals.report``."""
        return report(self.con, by, date_from, date_to, where, provenance=self.provenance)

    def rerated(
        self,
        rate_of: RateFunction,
        made_by: Provenance,
        by: Sequence[str] = (),
        date_from: str | None = None,
        date_to: str | None = None,
        where: Filters | None = None,
    ) -> Report:
        """Return totals by keys as another rate card would have them; nothing is stored.

        ``made_by`` says which factor set and methodology ``rate_of`` stands for.
        """
        rerate(self.con, rate_of)
        provenance = replace(made_by, ledger_version=self.provenance.ledger_version)
        return report(self.con, by, date_from, date_to, where, provenance=provenance, view=RERATED)

    def coverage(
        self,
        date_from: str | None = None,
        date_to: str | None = None,
        where: Filters | None = None,
        *,
        spend: "Sequence[SpendRow]" = (),
    ) -> CoverageReport:
        """Return what was estimated, how, and what was not; see ``offgridflow.reports.coverage.coverage``."""
        return coverage(self.con, date_from, date_to, where, provenance=self.provenance, spend=spend)

    def relation(self, name: str = "emissions") -> duckdb.DuckDBPyRelation:
        """Return a view as a DuckDB relation: one of VIEWS, live rows only."""
        return self.con.view(_view(name))

    def arrow(self, name: str = "emissions") -> Table:
        """Return a view as an Arrow table (arro3; pass it on by the Arrow C stream interface)."""
        return Table.from_arrow(self.relation(name))

    def close(self) -> None:
        """Close the connection; relations made from it end with it."""
        self.con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_ledger(uri: str, version: int | None = None) -> OpenLedger:
    """Open a ledger folder or URI for reading, at its newest version or an older one.

    Raises LedgerError where there is no ledger or no such version.
    """
    return OpenLedger(Ledger.open(uri).snapshot(version), duckdb.connect())


def _view(name: str) -> str:
    if name not in VIEWS:
        sentence = f"{name!r} is not a table of the ledger."
        raise UsageError(sentence, action=f"Use one of: {', '.join(VIEWS)}.")
    return name


def _factor_sets(con: duckdb.DuckDBPyConnection) -> str | None:
    """Return the names of the factor sets of the live commits, or None for an empty ledger."""
    rows: list[tuple[Any, ...]] = con.execute(
        "SELECT DISTINCT factor_set FROM commits WHERE factor_set IS NOT NULL ORDER BY factor_set",
    ).fetchall()
    return ", ".join(row[0] for row in rows) or None
