"""One small ledger, made once by the real pipeline, that all tests of the command line read."""

import os
from pathlib import Path

import pytest

from offgridflow.cli.main import run

_HEAD = (
    "BillingAccountId,SubAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,"
    "ProviderName,PublisherName,InvoiceIssuerName,ServiceName,ServiceCategory,SkuId,SkuPriceId,ChargeDescription,RegionId,"
    "ResourceId,ConsumedQuantity,ConsumedUnit,PricingQuantity,PricingUnit,BilledCost,EffectiveCost,ListCost,"
    "ContractedCost,BillingCurrency,ChargeClass,ChargeFrequency,Tags"
)
_MONTH = "2025-06-01T00:00:00Z,2025-07-01T00:00:00Z"


def _line(day: str, service: str, description: str, quantity: str, unit: str, cost: str, kind: str = "Usage") -> str:
    when = f"{day}T00:00:00Z,{day}T01:00:00Z"
    return (
        f"111,222,{_MONTH},{when},{kind},AWS,AWS,AWS,{service},Compute,sku-1,price-1,{description},us-east-1,"
        f"i-1,{quantity},{unit},{quantity},{unit},{cost},{cost},{cost},{cost},USD,,Usage-Based,"
    )


LINES = [
    _line(
        "2025-06-01",
        "Amazon Elastic Compute Cloud",
        "$0.096 per On Demand Linux m5.large Instance Hour",
        "24",
        "Hours",
        "2.30",
    ),
    _line(
        "2025-06-02",
        "Amazon Elastic Compute Cloud",
        "$0.096 per On Demand Linux m5.large Instance Hour",
        "12",
        "Hours",
        "1.15",
    ),
    _line("2025-06-02", "Amazon Simple Queue Service", "=cmd() Requests", "1000", "Requests", "0.40"),
    _line("2025-06-30", "Tax", "VAT", "", "", "0.77", "Tax"),
]


@pytest.fixture(scope="session")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FOCUS bill of four lines: 36 hours of m5.large, requests, a tax; 4.62 USD."""
    path = tmp_path_factory.mktemp("bill") / "focus.csv"
    path.write_text("\n".join([_HEAD, *LINES]) + "\n")
    return path


@pytest.fixture(scope="session")
def made_ledger(bill: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that holds the bill."""
    ledger = tmp_path_factory.mktemp("ledger") / "L"
    assert run(["ingest", str(bill), "--ledger", str(ledger), "--format", "json"]) == 0
    return ledger


@pytest.fixture
def a_ledger(made_ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ledger as OFFGRIDFLOW_LEDGER, from an empty working folder and without other settings."""
    for name in [name for name in os.environ if name.startswith("OFFGRIDFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OFFGRIDFLOW_LEDGER", str(made_ledger))
    monkeypatch.chdir(tmp_path)
    return made_ledger
