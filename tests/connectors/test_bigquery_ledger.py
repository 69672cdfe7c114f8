"""A Google Cloud bill in BigQuery reaches the ledger, stays as it is, and is restated, with every cent and line."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from offgridflow.cloud.door import Door
from offgridflow.cloud.events import Called, Event
from offgridflow.ledger import Ledger
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.model import IngestOptions, IngestResult, Ports
from offgridflow.pipeline.sources import SourceRun, ingest_sources
from offgridflow.settings import Settings
from offgridflow.testing.bigquery import FakeBigQuery
from support.bench import Bench, money_of
from support.bigquery_bill import PROJECT, SCHEMA, TABLE, credit, line

BILL = [
    line(),
    line(usage_start_time="2025-01-05T11:00:00Z", credits=[credit(-0.02)]),
    line(cost=20.0, cost_type="tax", usage=None, resource=None),
    line(usage_start_time="2025-02-03T00:00:00Z", invoice={"month": "202502"}),
]


class Operator:
    """Runs one source again and again, and hears every call."""

    def __init__(self, server: FakeBigQuery, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.bench = Bench(folder / "ledger")
        self.calls: list[str] = []

    def _hear(self, event: Event) -> None:
        if isinstance(event, Called):
            self.calls.append(event.operation)

    def run(self) -> IngestResult:
        """Ingest the source once."""
        self.calls.clear()
        source = {"type": "bigquery_export", "table": TABLE, "endpoint_url": self._server.url, "anonymous": True}
        run = SourceRun(
            ledger=Ledger.open(self.bench.uri, create=True),
            kitchen=kitchen_of(Settings()),
            options=IngestOptions(),
            ports=Ports(self._folder / "work"),
            cache_folder=self._folder / "cache",
            door=Door(listener=self._hear),
        )
        return ingest_sources(run, {"acme-gcp": source})


@pytest.fixture
def server() -> Iterator[FakeBigQuery]:
    """Return a server with the bill."""
    with FakeBigQuery(PROJECT) as running:
        running.create(TABLE, SCHEMA, BILL)
        yield running


def test_a_bill_is_committed_kept_and_restated(server: FakeBigQuery, tmp_path: Path) -> None:
    """Lines and money in the ledger are the table's; a second run asks for the version; a restatement replaces."""
    operator = Operator(server, tmp_path)
    first = operator.run()
    assert [(each.billing_period, each.status, each.line_items) for each in first.periods] == [
        ("2025-01", "committed", 3),
        ("2025-02", "committed", 1),
    ]
    assert money_of(first) == Decimal("20.359332")
    assert {reason: tally.line_items for reason, tally in first.periods[0].excluded.items()} == {"credit": 0, "tax": 1}
    rated = operator.bench.query("SELECT bool_and(status = 'estimated') FROM emissions WHERE charge_class = 'usage'")
    assert rated == [(True,)]
    digest = operator.bench.digest()

    second = operator.run()
    assert {each.status for each in second.periods} == {"unchanged"}
    assert operator.calls == ["tables.get"]
    assert operator.bench.digest() == digest

    server.restate(TABLE, [line(cost=1.0), *BILL[1:]])
    third = operator.run()
    assert [(each.billing_period, each.status) for each in third.periods] == [
        ("2025-01", "committed"),
        ("2025-02", "unchanged"),
    ]
    assert operator.bench.query("SELECT sum(billed_cost), sum(line_items)::BIGINT FROM emissions") == [
        (Decimal("21.232888"), 4)
    ]


def test_parts_do_not_pile_up_once_they_are_in_the_ledger(server: FakeBigQuery, tmp_path: Path) -> None:
    """What was fetched is removed after its commit; only the remembered totals stay."""
    Operator(server, tmp_path).run()
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".json"]
