"""A ledger in a folder of its own, and one way to ingest into it and to look at it."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from offgridflow.ledger import Ledger, verify
from offgridflow.pipeline.model import IngestOptions, IngestResult
from offgridflow.pipeline.service import ingest_files
from offgridflow.settings import Settings


@dataclass(frozen=True)
class Bench:
    """A ledger in a folder of its own, and what a test does with it."""

    uri: Path

    def ingest(self, *paths: Path, options: IngestOptions | None = None) -> IngestResult:
        """Ingest files with default settings."""
        return ingest_files(list(paths), str(self.uri), Settings(), options or IngestOptions())

    def digest(self) -> str:
        """Return the digest of ``verify``, after checking that every check holds."""
        report = verify(Ledger.open(self.uri).snapshot())
        assert [check for check in report.checks if not check.ok] == []
        return report.digest

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL over the views of the ledger's newest version."""
        con = duckdb.connect()
        try:
            Ledger.open(self.uri).snapshot().attach(con)
            return con.execute(sql).fetchall()
        finally:
            con.close()


def money_of(result: IngestResult) -> Decimal:
    """Return the billed cost over all periods of a result."""
    return sum((period.billed_cost or Decimal(0) for period in result.periods), Decimal(0))
