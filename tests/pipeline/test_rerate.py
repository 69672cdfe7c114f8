"""Laws of rating stored activities again."""

from decimal import Decimal
from pathlib import Path

import pytest

from offgridflow.domain.errors import UsageError
from offgridflow.ledger import Ledger, verify
from offgridflow.pipeline.service import ingest_files, rerate_ledger
from offgridflow.settings import GrainSettings, MethodologySettings, Settings

HEAD = (
    "ProviderName,BillingAccountId,SubAccountId,BillingPeriodStart,ChargePeriodStart,BillingCurrency,ChargeCategory,"
    "BilledCost,ConsumedQuantity,ConsumedUnit,RegionId,ServiceName,ChargeDescription\n"
)
USE = (
    "AWS,1,2,2025-06-01T00:00:00Z,2025-06-03T00:00:00Z,USD,Usage,0.25,2,Hours,us-east-1,Amazon Elastic Compute Cloud,"
    "$0.096 per On Demand Linux m5.large Instance Hour\n"
)
TAX = "AWS,1,2,2025-06-01T00:00:00Z,2025-06-03T00:00:00Z,USD,Tax,0.05,,,us-east-1,Tax,VAT\n"
BAD = USE.replace("0.25", "a lot")
HALF_BUSY = Settings(methodology=MethodologySettings(utilisation=0.25))


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A ledger with a used, an excluded and a quarantined line."""
    bill = tmp_path / "bill.csv"
    bill.write_text(HEAD + USE + TAX + BAD)
    uri = str(tmp_path / "ledger")
    assert ingest_files([bill], uri, Settings()).status == "ok"
    return uri


def _digest(uri: str) -> str:
    report = verify(Ledger.open(uri).snapshot())
    assert [check for check in report.checks if not check.ok] == []
    return report.digest or ""


def test_the_same_recipe_changes_nothing(ledger: str) -> None:
    """Rating again under what made the ledger is unchanged."""
    before = _digest(ledger)
    result = rerate_ledger(ledger, Settings())
    assert [period.status for period in result.periods] == ["unchanged"]
    assert _digest(ledger) == before


def test_another_recipe_changes_impacts_and_nothing_else(ledger: str) -> None:
    """Lines, money, exclusions and quarantine stay; a lower utilisation is a lower figure; going back is going back."""
    before = _digest(ledger)
    (first,) = rerate_ledger(ledger, Settings()).periods
    (other,) = rerate_ledger(ledger, HALF_BUSY).periods
    assert (other.status, other.line_items, other.billed_cost) == ("committed", 3, Decimal("0.30"))
    assert (other.excluded, other.quarantined) == (first.excluded, first.quarantined)
    assert first.total_kgco2e is not None
    assert other.total_kgco2e is not None
    assert 0 < other.total_kgco2e < first.total_kgco2e
    assert _digest(ledger) != before
    rerate_ledger(ledger, Settings())
    assert _digest(ledger) == before


def test_another_grain_must_be_fetched(ledger: str) -> None:
    """Activities of days cannot become those of hours: the period says so and stays as it is."""
    before = _digest(ledger)
    result = rerate_ledger(ledger, Settings(grain=GrainSettings(period="hour")))
    assert [period.error.code for period in result.periods if period.error] == ["MUST_FETCH"]
    assert _digest(ledger) == before


def test_only_what_is_chosen_is_rated_again(ledger: str) -> None:
    """A range without the period leaves it alone; a source that is not there is refused, and those that are named."""
    assert rerate_ledger(ledger, HALF_BUSY, (None, "2025-07", None)).periods == ()
    with pytest.raises(UsageError, match="'other'") as refused:
        rerate_ledger(ledger, HALF_BUSY, ("other", None, None))
    assert "aws/1" in refused.value.action
