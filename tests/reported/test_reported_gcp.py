"""Google's Carbon Footprint export in BigQuery: read whole, restated in place, null where nothing was published."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from offgridflow.testing import Answer, Cut, Dialect, Fault, Reset, throttled
from offgridflow.testing.bigquery import FakeBigQuery

PROJECT = "acme-billing"
TABLE = f"{PROJECT}.carbon.carbon_footprint"
Site = Any  # tests/reported/conftest.py: test folders are not packages


def field(name: str, kind: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": "NULLABLE", **({"fields": list(fields)} if fields else {})}


BOTH = (field("location_based", "FLOAT"), field("market_based", "FLOAT"))
SCHEMA = [
    field("usage_month", "DATE"),
    field("billing_account_id", "STRING"),
    field("project", "RECORD", field("id", "STRING"), field("number", "STRING")),
    field("service", "RECORD", field("id", "STRING"), field("description", "STRING")),
    field("location", "RECORD", field("location", "STRING"), field("region", "STRING")),
    field("carbon_model_version", "INTEGER"),
    field(
        "carbon_footprint_kgCO2e",
        "RECORD",
        field("scope1", "FLOAT"),
        field("scope2", "RECORD", *BOTH),
        field("scope3", "FLOAT"),
    ),
    field("carbon_footprint_total_kgCO2e", "RECORD", *BOTH, field("after_offsets", "FLOAT")),
    field("carbon_offsets_kgCO2e", "FLOAT"),
]


def row(month: str, kg: float, market: float | None, *, version: int = 14, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a row: scope 1 kg / 4, scope 2 kg or ``market``, scope 3 kg / 2."""
    total_market = None if market is None else kg / 4 + market + kg / 2
    return {
        "usage_month": f"{month}-01",
        "billing_account_id": "AAAAAA-BBBBBB-CCCCCC",
        "project": {"id": "shop", "number": "77"},
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "location": {"location": "us-central1", "region": "us-central1"},
        "carbon_model_version": version,
        "carbon_footprint_kgCO2e": {
            "scope1": kg / 4,
            "scope2": {"location_based": kg, "market_based": market},
            "scope3": kg / 2,
        },
        "carbon_footprint_total_kgCO2e": {"location_based": kg * 1.75, "market_based": total_market},
        **more,
    }


SETTINGS = {"type": "gcp_carbon", "table": TABLE, "anonymous": True}


@pytest.fixture
def warehouse() -> Iterator[FakeBigQuery]:
    """Two months; the first is from before the market-based figures."""
    with FakeBigQuery(PROJECT) as server:
        server.create(TABLE, SCHEMA, [row("2022-12", 8, None), row("2025-06", 4, 0.0), row("2025-07", 2, 1.5)])
        yield server


def settings(server: FakeBigQuery, **more: object) -> dict[str, object]:
    return {**SETTINGS, "endpoint_url": server.url, **more}


def test_every_scope_method_and_version_arrives_and_null_is_not_zero(warehouse: FakeBigQuery, site: Site) -> None:
    """Kilograms as they are; scope 3 under both methods, as Google's own totals hold it; NULL stays null, 0 stays 0."""
    result = site.run(settings=settings(warehouse))
    assert [(each.billing_period, each.status, each.format) for each in result.periods] == [
        (month, "committed", "gcp_carbon") for month in ("2022-12", "2025-06", "2025-07")
    ]
    old, june, july = site.rows("month")
    assert (old["scope_2_market_kgco2e"], old["total_market_kgco2e"]) == (None, None)
    assert old["total_location_kgco2e"] == 14
    assert (june["scope_2_market_kgco2e"], june["total_market_kgco2e"]) == (0, 3)
    assert (july["scope_1_kgco2e"], july["scope_2_location_kgco2e"]) == (Decimal("0.5"), 2)
    assert july["scope_3_location_kgco2e"] == july["scope_3_market_kgco2e"] == 1
    assert july["total_location_kgco2e"] == Decimal("3.5")
    assert july["total_market_kgco2e"] == 3
    assert (july["model_version"], july["sub_account_id"], july["service_name"]) == ("14", "shop", "Compute Engine")
    assert json.loads(july["given"])["scope2_market"] == 1.5


def test_a_backfill_replaces_its_month_alone_and_the_old_one_stays_readable(
    warehouse: FakeBigQuery, site: Site
) -> None:
    """The table is restated in place: content tells; other months are unchanged; time travel shows what was."""
    site.run(settings=settings(warehouse))
    before = site.ledger.reported.head()
    assert {each.status for each in site.run(settings=settings(warehouse)).periods} == {"unchanged"}
    warehouse.restate(TABLE, [row("2025-07", 3, 1.5), row("2022-12", 8, None), row("2025-06", 4, 0.0)])
    result = site.run(settings=settings(warehouse))
    assert [each.status for each in result.periods] == ["unchanged", "unchanged", "committed"]
    (now,) = [each for each in site.rows() if each["month"] == "2025-07"]
    (then,) = [each for each in site.rows(version=before.version) if each["month"] == "2025-07"]
    assert (then["scope_2_location_kgco2e"], now["scope_2_location_kgco2e"]) == (2, 3)
    newest, *_ = site.ledger.reported.history()
    assert newest["replaced_commit_id"] == before.reports["report", "2025-07"].commit_id


def test_months_can_be_chosen(warehouse: FakeBigQuery, site: Site) -> None:
    """Only the months from first to last are asked for, both included."""
    result = site.run(settings=settings(warehouse), first_period="2025-06", last_period="2025-06")
    assert [each.billing_period for each in result.periods] == ["2025-06"]


def test_old_tables_and_absent_places(warehouse: FakeBigQuery, site: Site) -> None:
    """Tables from before have one total, the location-based one; absent projects and regions fall back."""
    old = [each for each in SCHEMA if each["name"] not in {"carbon_footprint_total_kgCO2e", "carbon_footprint_kgCO2e"}]
    old.append(field("carbon_footprint_total_kgCO2e", "RECORD", field("amount", "FLOAT")))
    given = row("2021-05", 1, None, project={"id": None, "number": "78"}, location={"location": "us", "region": None})
    del given["carbon_footprint_kgCO2e"]
    given["carbon_footprint_total_kgCO2e"] = {"amount": 5.5}
    name = f"{PROJECT}.carbon.old"
    warehouse.create(name, old, [given, {**given, "project": None, "location": None}])
    site.run(settings=settings(warehouse, table=name))
    first, second = site.rows("sub_account_id")
    assert (first["sub_account_id"], first["region_id"]) == ("78", "us")
    assert (second["sub_account_id"], second["region_id"]) == ("AAAAAA-BBBBBB-CCCCCC", None)
    assert first["total_location_kgco2e"] == Decimal("5.5")
    assert (first["total_market_kgco2e"], first["scope_1_kgco2e"]) == (None, None)


def test_another_table_is_refused(warehouse: FakeBigQuery, site: Site) -> None:
    """A table without the figures is named with what it lacks."""
    warehouse.create(f"{PROJECT}.carbon.other", [field("usage_month", "DATE")], [])
    (failed,) = site.run(settings=settings(warehouse, table=f"{PROJECT}.carbon.other")).periods
    assert (failed.status, failed.error.code) == ("failed", "MISSING_COLUMN")


def test_pages_faults_and_check(warehouse: FakeBigQuery, site: Site) -> None:
    """One row a page gives the same rows, a passing fault is asked again, and a refusal names the role."""
    warehouse.cloud.inject(Answer(503, "backendError"))
    assert site.run(settings=settings(warehouse, page_size=1)).status == "ok"
    assert len(site.rows()) == 3
    source = site.connector(settings(warehouse))
    assert source.check().ok
    warehouse.cloud.inject(Answer(403, "accessDenied"))
    assert "roles/bigquery.dataViewer" in (source.check().steps[0].missing or "")


@pytest.mark.parametrize(
    "fault",
    [Reset(), Cut(after_bytes=40), throttled(Dialect.GOOGLE, "1")],
    ids=lambda fault: type(fault).__name__,
)
def test_passing_faults_change_no_figure(warehouse: FakeBigQuery, site: Site, fault: Fault) -> None:
    """A reset, a cut body or a throttle on any page: the rows are those without it."""
    for at in range(3):
        warehouse.cloud.inject(fault, path=warehouse.data_path(1), skip=2 * at)
    assert site.run(settings=settings(warehouse, page_size=1)).status == "ok"
    assert [row["scope_2_location_kgco2e"] for row in site.rows("month")] == [8, 4, 2]
