"""A small ledger whose totals can be checked by hand, as the views that reports read."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from offgridflow.domain.model import EMISSION_COLUMNS, IMPACT_COLUMNS, PARTITION_COLUMNS
from offgridflow.ledger import RATE_COLUMNS

COLUMNS = {**PARTITION_COLUMNS, **EMISSION_COLUMNS}
Fill = Callable[..., None]

BASE: dict[str, object] = {
    "source": "aws/111",
    "billing_period": "2025-06",
    "commit_id": "c1",
    "charge_period_start": datetime(2025, 6, 1, tzinfo=UTC),
    "billing_account_id": "111",
    "sub_account_id": "222",
    "service_category": "Compute",
    "billing_currency": "USD",
    "charge_class": "usage",
    "provider": "aws",
    "service_name": "Amazon EC2",
    "sku_meter": "BoxUsage:m5.large",
    "consumed_unit": "Hours",
    "region_id": "us-east-1",
    "consumed_quantity": Decimal(1),
    "billed_cost": Decimal(1),
    "line_items": 1,
}


def row(**given: object) -> dict[str, object]:
    """Return a ledger row; ``kg`` and ``kwh`` are short for central total and energy, with a range of -20 % +30 %."""
    kg, kwh = given.pop("kg", None), given.pop("kwh", None)
    values = {**BASE, **given}
    if isinstance(kg, float) and isinstance(kwh, float):
        rated: dict[str, object] = {
            "energy_kwh": kwh,
            "it_energy_kwh": kwh / 2,
            "operational_location_kgco2e": kg * 0.75,
            "embodied_kgco2e": kg * 0.25,
            "total_kgco2e": kg,
            "total_low_kgco2e": kg * 0.5,
            "total_high_kgco2e": kg * 1.5,
            "status": "estimated",
            "method": "instance",
            "coverage_bucket": "A",
            "rate_id": "r1",
            "assumptions": [],
        }
        values = {**rated, **values}
    return values


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty tables that stand for the ledger's views."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"CREATE TABLE emissions ({columns})")
    con.execute(f"CREATE TABLE rates ({', '.join(f'{name} {kind}' for name, kind in RATE_COLUMNS.items())})")
    con.execute(
        "CREATE TABLE quarantine (source VARCHAR, billing_period VARCHAR, billing_currency VARCHAR, reason VARCHAR, "
        "billed_cost DECIMAL(38,15))",
    )


def fill(con: duckdb.DuckDBPyConnection, *rows: Mapping[str, object]) -> None:
    """Add rows to ``emissions``."""
    marks = ", ".join(["?"] * len(COLUMNS))
    for values in rows:
        con.execute(f"INSERT INTO emissions VALUES ({marks})", [values.get(name) for name in COLUMNS])


GOLDEN = (
    row(kg=2.0, kwh=4.0, billed_cost=Decimal("10.10"), line_items=24, tags={"team": "shop"}),
    row(
        kg=1.0,
        kwh=2.0,
        billed_cost=Decimal("5.05"),
        line_items=12,
        charge_period_start=datetime(2025, 6, 30, 23, tzinfo=UTC),
    ),
    row(
        kg=4.0,
        kwh=16.0,
        billed_cost=Decimal("4.85"),
        line_items=4,
        service_name="Amazon S3",
        sku_meter="TimedStorage-ByteHrs",
        status="fallback",
        coverage_bucket="B",
        method="storage",
        operational_market_kgco2e=1.5,
        water_l=8.0,
    ),
    row(
        billed_cost=Decimal("5.00"),
        line_items=60,
        service_name="Amazon SQS",
        sku_meter="Requests-Tier1",
        status="not_estimated",
        reason="request_priced",
        coverage_bucket="E",
    ),
    row(billed_cost=Decimal("-2.50"), line_items=1, status="excluded", charge_class="credit", reason="credit"),
    row(billed_cost=Decimal("3.50"), line_items=2, status="excluded", charge_class="tax", reason="tax"),
)
"""USD usage 25.00: 15.15 estimated, 4.85 fallback, 5.00 not; 7 kg, 22 kWh; excluded 1.00; 103 lines."""


@pytest.fixture
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """A ledger without rows."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'America/New_York'")
        create(con)
        yield con


@pytest.fixture
def golden(empty: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The ledger of GOLDEN and one unreadable line of 0.40 USD."""
    fill(empty, *GOLDEN)
    empty.execute("INSERT INTO quarantine VALUES ('aws/111', '2025-06', 'USD', 'unreadable_time', 0.40)")
    return empty


@pytest.fixture
def make_row() -> Callable[..., dict[str, object]]:
    """The row builder."""
    return row


@pytest.fixture
def add() -> Callable[..., None]:
    """The function that adds rows to a ledger."""
    return fill


assert set(IMPACT_COLUMNS) <= set(COLUMNS)
