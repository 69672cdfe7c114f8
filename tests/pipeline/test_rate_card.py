"""Laws of the rate card: one rate per SKU and month, and the join that turns activities into emissions."""

from collections.abc import Iterator
from decimal import Decimal
from operator import attrgetter

import duckdb
import pytest

from offgridflow.domain.model import ACTIVITY_COLUMNS, EMISSION_COLUMNS, SKU_HASH_SQL, Rate, Sku, Span
from offgridflow.domain.periods import Month, Period
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason, Status
from offgridflow.pipeline.rate_card import build_card, emissions_query, skus_of

ROW = {
    "charge_period_start": "2025-02-03 00:00:00+00",
    "billing_account_id": "1",
    "sub_account_id": "2",
    "service_category": "Compute",
    "resource_id": "i-1",
    "billing_currency": "USD",
    "charge_class": "usage",
    "provider": "aws",
    "service_name": "EC2",
    "service_code": "AmazonEC2",
    "sku_id": "SKU",
    "sku_meter": "BoxUsage:m5.large",
    "operation": "RunInstances",
    "consumed_unit": "Hrs",
    "region_id": "us-east-1",
    "consumed_quantity": "2",
    "billed_cost": "0.2",
    "effective_cost": "0.2",
    "line_items": "2",
}


def rate_of(sku: Sku, month: Period) -> Rate:
    """Rate m5.large at 10 g an hour in any month; refuse the rest as licences."""
    known = sku.sku_meter == "BoxUsage:m5.large"
    total = Span(0.005, 0.01, 0.02)
    return Rate(
        rate_id=f"{sku.sku_meter}/{month}",
        sku=sku,
        period=str(month),
        status=Status.ESTIMATED if known else Status.NOT_ESTIMATED,
        reason=None if known else NotEstimatedReason.LICENCE,
        method=Method.INSTANCE if known else None,
        coverage_bucket=CoverageBucket.SKU if known else CoverageBucket.NOT_PHYSICAL,
        assumptions=(Assumption.UTILISATION_DEFAULT,) if known else (),
        it_energy_kwh=0.02 if known else None,
        energy_kwh=Span(0.01, 0.023, 0.03) if known else None,
        embodied_kgco2e=0.002 if known else None,
        operational_location_kgco2e=0.008 if known else None,
        total_kgco2e=total if known else None,
    )


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty table ``activity_rows``, and ``activities`` and ``skus`` over it."""
    connection = duckdb.connect()
    columns = ", ".join(f"{name} {kind}" for name, kind in ACTIVITY_COLUMNS.items())
    connection.execute(f"CREATE TABLE activity_rows ({columns})")
    connection.execute(f"CREATE VIEW activities AS SELECT *, {SKU_HASH_SQL} AS sku_hash FROM activity_rows")
    connection.execute("CREATE VIEW skus AS FROM activities")
    yield connection
    connection.close()


def add(con: duckdb.DuckDBPyConnection, **changes: str | None) -> None:
    row = {**ROW, **changes}
    con.execute(
        f"INSERT INTO activity_rows ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})",
        list(row.values()),
    )


def emissions(con: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    build_card(con, rate_of)
    cursor = con.execute(emissions_query())
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_a_sku_is_rated_once_per_month(con: duckdb.DuckDBPyConnection) -> None:
    """Many activities of one SKU in one month are one line of the card; another month is another line."""
    add(con)
    add(con, resource_id="i-2")
    add(con, charge_period_start="2025-03-01 00:00:00+00")
    assert sorted(str(line.period) for line in skus_of(con)) == ["2025-02", "2025-03"]


def test_emissions_are_quantity_times_rate_in_the_ledgers_columns(con: duckdb.DuckDBPyConnection) -> None:
    """A rated row has every ledger column, and each impact is quantity times rate."""
    add(con)
    (row,) = emissions(con)
    assert tuple(row) == tuple(EMISSION_COLUMNS)
    assert (row["status"], row["method"], row["coverage_bucket"]) == ("estimated", "instance", "A")
    assert (row["total_low_kgco2e"], row["total_kgco2e"], row["total_high_kgco2e"]) == (0.01, 0.02, 0.04)
    assert row["energy_kwh"] == pytest.approx(0.046)
    assert row["water_l"] is None
    assert row["assumptions"] == ["utilisation_default"]
    assert row["billed_cost"] == Decimal("0.2")


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [(None, "quantity_missing"), ("-1", "negative_net_quantity")],
)
def test_without_a_quantity_there_is_no_impact_but_a_reason(
    con: duckdb.DuckDBPyConnection,
    quantity: str | None,
    reason: str,
) -> None:
    """A rated SKU whose net quantity is missing or negative keeps its money and lines and is never zero or negative."""
    add(con, consumed_quantity=quantity)
    (row,) = emissions(con)
    assert (row["status"], row["reason"], row["coverage_bucket"]) == ("not_estimated", reason, "E")
    assert row["total_kgco2e"] is None
    assert (row["line_items"], row["billed_cost"]) == (2, Decimal("0.2"))


def test_a_zero_quantity_is_an_estimate_of_zero(con: duckdb.DuckDBPyConnection) -> None:
    """Nothing consumed is known, so its impact is zero and not unknown."""
    add(con, consumed_quantity="0")
    (row,) = emissions(con)
    assert (row["status"], row["total_kgco2e"]) == ("estimated", 0.0)


def test_an_unrated_sku_keeps_its_own_reason_whatever_its_quantity(con: duckdb.DuckDBPyConnection) -> None:
    """A licence stays a licence, also with a negative quantity."""
    add(con, sku_meter="licence", consumed_quantity="-1")
    (row,) = emissions(con)
    assert (row["status"], row["reason"], row["coverage_bucket"]) == ("not_estimated", "licence", "F")


def test_an_excluded_row_is_never_rated(con: duckdb.DuckDBPyConnection) -> None:
    """A tax line has null impacts, its class as reason, and no rate, though its SKU could be rated."""
    add(con, charge_class="tax")
    (row,) = emissions(con)
    assert (row["status"], row["reason"], row["rate_id"], row["coverage_bucket"]) == ("excluded", "tax", None, None)
    assert row["total_kgco2e"] is None


def test_the_month_is_that_of_utc(con: duckdb.DuckDBPyConnection) -> None:
    """An activity at midnight UTC belongs to its UTC month whatever the time zone of the session."""
    con.execute("SET TimeZone = 'America/Los_Angeles'")
    add(con, charge_period_start="2025-03-01 00:00:00+00")
    assert [str(line.period) for line in skus_of(con)] == ["2025-03"]


def test_a_sku_that_varies_is_rated_by_the_hour_and_no_other(con: duckdb.DuckDBPyConnection) -> None:
    """Its hours in that month have lines of their own, the first of the month too; other months and SKUs have one."""
    con.execute("SET TimeZone = 'America/Los_Angeles'")
    starts = ("2025-02-01 00:00:00+00", "2025-02-03 10:00:00+00", "2025-02-03 11:00:00+00", "2025-03-01 00:00:00+00")
    for start in starts:
        add(con, charge_period_start=start)
        add(con, charge_period_start=start, sku_meter="licence")
    add(con, charge_period_start=starts[0], charge_class="tax")

    def varies(sku: Sku, month: Month) -> bool:
        return sku.sku_meter != "licence" and month == Month(2025, 2)

    rates = build_card(con, rate_of, varies)
    hours = {"2025-02-01T00", "2025-02-03T10", "2025-02-03T11"}
    assert {rate.period for rate in rates} == {"2025-02", "2025-03", *hours}
    cursor = con.execute(emissions_query(by_hour=True))
    names = [column[0] for column in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert tuple(names) == tuple(EMISSION_COLUMNS)
    found = sorted(row["rate_id"] for row in rows if row["charge_class"] == "usage")
    machine = [f"BoxUsage:m5.large/{period}" for period in (*hours, "2025-03")]
    assert found == sorted([*machine, *["licence/2025-02"] * 3, "licence/2025-03"])
    assert [row["rate_id"] for row in rows if row["charge_class"] == "tax"] == [None]
    none_varies = build_card(con, rate_of, lambda _sku, _month: False)
    assert sorted(none_varies, key=attrgetter("rate_id")) == sorted(build_card(con, rate_of), key=attrgetter("rate_id"))
    assert len(con.execute(emissions_query(by_hour=True)).fetchall()) == len(rows)
