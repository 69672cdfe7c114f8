"""A site for report sources: a ledger, a door whose waits take no time, and runs of one source after another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.events import Called, Event
from offgridflow.cloud.pace import Limiters
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.registry import connect
from offgridflow.connectors.reports import ReportConnector
from offgridflow.domain.reported import REPORTED
from offgridflow.ledger import Ledger
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.model import IngestOptions, IngestResult, Ports
from offgridflow.pipeline.sources import SourceRun, ingest_sources
from offgridflow.settings import Settings
from offgridflow.testing import SimulatedTime

Con = duckdb.DuckDBPyConnection
NOW = datetime(2025, 9, 20, tzinfo=UTC)


@dataclass
class Site:
    """A ledger in a folder, and what the door told."""

    folder: Path
    time: SimulatedTime = field(default_factory=SimulatedTime)
    heard: list[Event] = field(default_factory=list)
    now: datetime = NOW

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger.open(self.folder / "ledger", create=True)

    def door(self) -> Door:
        """Return a door that does not wait."""
        limiters = Limiters(clock=self.time.clock)
        return Door(Rules(limiters=limiters, world=self.time.world()), self.heard.append)

    def run(self, make: Any = connect, settings: Mapping[str, Any] | None = None, **options: Any) -> IngestResult:  # noqa: ANN401 - IngestOptions
        """Ingest one source named ``report``."""
        self.heard.clear()
        run = SourceRun(
            ledger=self.ledger,
            kitchen=kitchen_of(Settings()),
            options=IngestOptions(**options),
            ports=Ports(self.folder / "work", now=lambda: self.now),
            cache_folder=self.folder / "cache",
            door=self.door(),
        )
        return ingest_sources(run, {"report": settings or {}}, make)

    def connector(self, settings: Mapping[str, Any]) -> ReportConnector:
        """Return a connector of its own."""
        from offgridflow.connectors.cache import Cache  # noqa: PLC0415 - beside its only use

        made = connect(settings, Surroundings("report", self.door(), Cache(self.folder / "cache"), lambda: self.now))
        assert isinstance(made, ReportConnector)
        return made

    def rows(self, order: str = "ALL", version: int | None = None) -> list[dict[str, Any]]:
        """Return the live rows of ``reported_emissions``, or those of a version of that table."""
        with duckdb.connect() as con:
            if version is None:
                self.ledger.snapshot().attach(con)
            else:
                from offgridflow.ledger.reported import view_of  # noqa: PLC0415 - beside its only use

                head = self.ledger.reported.head(version)
                con.execute(f"CREATE TEMP VIEW {REPORTED} AS {view_of(self.ledger.storage, head)}")
            cursor = con.execute(f"SELECT * EXCLUDE (commit_id) FROM {REPORTED} ORDER BY {order}")
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """What the door told of its calls: (operation, outcome)."""
        return [(event.operation, event.outcome) for event in self.heard if isinstance(event, Called)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with an empty ledger."""
    return Site(tmp_path)
