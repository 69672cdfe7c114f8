"""Laws of ``--full`` and of ranges of billing periods: what is live already is read and committed again when asked."""

from pathlib import Path

import pytest

from offgridflow.ledger import Ledger, LiveCommit
from offgridflow.pipeline.model import IngestOptions
from support.bench import Bench

HEAD = (
    "ProviderName,BillingAccountId,SubAccountId,BillingPeriodStart,ChargePeriodStart,BillingCurrency,ChargeCategory,"
    "BilledCost,ConsumedQuantity,ConsumedUnit,RegionId,ServiceName,ChargeDescription\n"
)
USE = (
    "AWS,1,2,{month}-01T00:00:00Z,{month}-03T00:00:00Z,USD,Usage,0.25,2,Hours,us-east-1,Amazon Elastic Compute Cloud,"
    "$0.096 per On Demand Linux m5.large Instance Hour\n"
)


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """A bill of two months."""
    path = tmp_path / "bill.csv"
    path.write_text(HEAD + USE.format(month="2025-06") + USE.format(month="2025-07"))
    return path


@pytest.fixture
def bench(tmp_path: Path, bill: Path) -> Bench:
    """A ledger that holds the bill."""
    bench = Bench(tmp_path / "ledger")
    assert bench.ingest(bill).status == "ok"
    return bench


def _live(bench: Bench) -> dict[str, LiveCommit]:
    return {period: live for (_, period), live in Ledger.open(bench.uri).live().items()}


def test_full_commits_again_what_is_unchanged(bench: Bench, bill: Path) -> None:
    """With --full an equal delivery is a new commit with equal figures that replaces the old; without it nothing is."""
    before, digest = _live(bench), bench.digest()
    assert {period.status for period in bench.ingest(bill).periods} == {"unchanged"}
    assert _live(bench) == before
    again = bench.ingest(bill, options=IngestOptions(full=True))
    assert [(period.billing_period, period.status) for period in again.periods] == [
        ("2025-06", "committed"),
        ("2025-07", "committed"),
    ]
    after = _live(bench)
    assert {month: live.replaced_commit_id for month, live in after.items()} == {
        month: live.commit_id for month, live in before.items()
    }
    assert bench.query("SELECT sum(line_items)::BIGINT FROM emissions") == [(2,)]
    assert bench.digest() == digest


def test_full_mends_a_period_whose_file_was_lost(bench: Bench, bill: Path) -> None:
    """Where a file of the ledger was deleted behind its back, --full brings the period back, and verify holds again."""
    digest = bench.digest()
    (lost,) = (bench.uri / "emissions").rglob("billing_period=2025-06/**/*.parquet")
    lost.unlink()
    assert bench.ingest(bill, options=IngestOptions(full=True)).status == "ok"
    assert bench.digest() == digest


def test_full_keeps_to_the_range_of_periods(bench: Bench, bill: Path) -> None:
    """--full with --from touches no period before it."""
    before = _live(bench)
    again = bench.ingest(bill, options=IngestOptions(full=True, first_period="2025-07"))
    assert [(period.billing_period, period.status) for period in again.periods] == [("2025-07", "committed")]
    after = _live(bench)
    assert after["2025-06"] == before["2025-06"]
    assert after["2025-07"].commit_id != before["2025-07"].commit_id


@pytest.mark.parametrize(
    ("first", "last", "covered"),
    [
        (None, None, ["2024-12", "2025-01", "2025-02"]),
        ("2025-01", None, ["2025-01", "2025-02"]),
        (None, "2025-01", ["2024-12", "2025-01"]),
        ("2025-01", "2025-01", ["2025-01"]),
    ],
)
def test_a_range_of_periods_includes_both_ends(first: str | None, last: str | None, covered: list[str]) -> None:
    """A period is covered from the first to the last, both included; an end that is not named is open."""
    options = IngestOptions(first_period=first, last_period=last)
    assert [month for month in ("2024-12", "2025-01", "2025-02") if options.covers(month)] == covered
