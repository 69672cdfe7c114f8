"""A ledger and an engine in memory: what a delivery becomes, by the same rules in a hundred lines of plain Python."""

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from offgridflow.connectors.model import FilePart
from offgridflow.formats import format_by_name
from offgridflow.pipeline.ingest import Expected
from offgridflow.pipeline.model import Failure, IngestOptions, IngestResult, PeriodResult, PeriodStatus, Ports
from offgridflow.pipeline.recipe import Kitchen

FORMAT = "aws_cur2"


@dataclass(frozen=True)
class MemoryCommit:
    """What is live of one period."""

    source: str
    billing_period: str
    committed_at: datetime
    fingerprint: str
    recipe: str
    run_id: str | None
    line_items: int
    money: Decimal
    format: str = FORMAT

    @property
    def commit_id(self) -> str:
        """An id of its own; of two commits of one delivery at one instant the results are the same."""
        return f"{self.source} {self.billing_period} {self.fingerprint} {self.recipe} {self.committed_at}"


class MemoryLedger:
    """As much of a ledger as a run asks for."""

    def __init__(self) -> None:
        self.commits: dict[tuple[str, str], MemoryCommit] = {}
        self.count = 0

    def live(self) -> dict[tuple[str, str], MemoryCommit]:
        """Return the live commits."""
        return dict(self.commits)

    def version(self) -> int:
        """Return how often something was committed."""
        return self.count

    def totals(self) -> dict[tuple[str, str], tuple[int, Decimal]]:
        """Return lines and money of every live period."""
        return {key: (commit.line_items, commit.money) for key, commit in self.commits.items()}


def _ingest_parts(
    parts: Sequence[FilePart],
    ledger: MemoryLedger,
    kitchen: Kitchen,
    options: IngestOptions,
    ports: Ports,
    expected: Expected,
) -> IngestResult:
    key = (str(options.source), expected.billing_period)
    contents: dict[str, list[str]] = {}
    for part in parts:
        try:
            content = gzip.decompress(part.path.read_bytes())
        except EOFError:
            return _failed(key, "CUT_GZIP", "content")
        ports.progress("scan", part.name, 1, 1)
        contents[hashlib.sha256(content).hexdigest()] = [
            row["line_item_unblended_cost"] for row in csv.DictReader(io.StringIO(content.decode()))
        ]
    costs = [Decimal(cost) for each in contents.values() for cost in each]
    ports.progress("aggregate", "", 1, 1)
    recipe = kitchen.digest_for(format_by_name(FORMAT))
    live = ledger.commits.get(key)
    if live is not None and not options.full and (live.fingerprint, live.recipe) == (expected.fingerprint, recipe):
        return IngestResult((_result(live, "unchanged"),))
    if live is not None and not options.replace and len(costs) * 2 < live.line_items:
        return _failed(key, "SHRINK", "ledger")
    commit = MemoryCommit(
        *key, ports.now(), expected.fingerprint, recipe, ports.run_id, len(costs), sum(costs, Decimal(0))
    )
    ledger.commits[key] = commit
    ledger.count += 1
    ports.progress("commit", " ".join(key), 1, 1)
    return IngestResult((_result(commit, "committed"),))


def _failed(key: tuple[str, str], code: str, retry_class: str) -> IngestResult:
    return IngestResult((PeriodResult(*key, "aws", None, None, "failed", error=Failure(code, "", "", retry_class)),))


def _result(commit: MemoryCommit, status: PeriodStatus) -> PeriodResult:
    return PeriodResult(
        *(commit.source, commit.billing_period, "aws", FORMAT, "USD", status),
        line_items=commit.line_items,
        billed_cost=commit.money,
        fingerprint=commit.fingerprint,
    )


def _read_back(ledger: MemoryLedger, commits: Sequence[MemoryCommit], status: PeriodStatus) -> Iterator[PeriodResult]:
    del ledger
    for commit in commits:
        yield _result(commit, status)


@contextmanager
def in_memory() -> Iterator[Any]:
    """Let runs go through the engine and the ledger in memory."""
    with (
        patch("offgridflow.pipeline.sources.ingest_parts", _ingest_parts),
        patch("offgridflow.pipeline.period.read_back", _read_back),
    ):
        yield
