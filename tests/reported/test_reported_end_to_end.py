"""From the providers' services through the ledger to the reports that people read: nothing twice, nothing invented."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from offgridflow.cli.main import run
from offgridflow.connectors.reports import Denied, FoundReport, ReportDelivery, ReportRows
from offgridflow.domain.model import EMISSION_COLUMNS
from offgridflow.domain.periods import Month
from offgridflow.domain.reported import REPORTED_FIGURES, Breakdown, ReportedEmission
from offgridflow.ledger import CommitRecord, Ledger
from offgridflow.ledger.reported import MonthOfReport
from offgridflow.reports.calibrate import SPREAD_FIGURES, calibrate
from offgridflow.reports.inventory import inventory
from offgridflow.reports.market import market_ratios, market_view
from offgridflow.reports.opened import open_ledger
from offgridflow.reports.reconcile import reconcile
from offgridflow.testing import Dialect, FakeCloud, Reply, Seen

Site = Any  # tests/reported/conftest.py: test folders are not packages
Captured = pytest.CaptureFixture[str]
JUNE = datetime(2025, 6, 1, tzinfo=UTC)
BASE: Mapping[str, object] = {
    "charge_period_start": JUNE,
    "billing_account_id": "111",
    "sub_account_id": "222",
    "charge_class": "usage",
    "billing_currency": "USD",
    "provider": "aws",
    "service_name": "Amazon Elastic Compute Cloud",
    "service_code": "AmazonEC2",
    "region_id": "us-east-1",
    "consumed_quantity": Decimal(1),
    "billed_cost": Decimal(1),
    "line_items": 1,
    "status": "not_estimated",
}


def usage(
    resource: str, kwh: float, direct: float, upstream: float, embodied: float, **more: object
) -> dict[str, object]:
    """Return an estimated row of the ledger."""
    return {
        **BASE,
        "resource_id": resource,
        "status": "estimated",
        "it_energy_kwh": kwh,
        "energy_kwh": kwh,
        "operational_direct_kgco2e": direct,
        "operational_upstream_kgco2e": upstream,
        "operational_location_kgco2e": direct + upstream,
        "embodied_kgco2e": embodied,
        "total_kgco2e": direct + upstream + embodied,
        "total_low_kgco2e": 0.0,
        "total_high_kgco2e": 1000.0,
        **more,
    }


def store(ledger: Ledger, *rows: Mapping[str, object], period: str = "2025-06") -> None:
    """Commit rows of ours as a bill of a source."""
    staging = ledger.stage("bill", period)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TABLE e ({', '.join(f'{name} {kind}' for name, kind in EMISSION_COLUMNS.items())})")
        marks = ", ".join(["?"] * len(EMISSION_COLUMNS))
        for row in rows:
            con.execute(f"INSERT INTO e VALUES ({marks})", [row.get(name) for name in EMISSION_COLUMNS])
        con.execute(f"COPY e TO '{staging.emissions_file(0)}' (FORMAT parquet)")
    ledger.commit(staging, CommitRecord("aws", "focus", f"f{len(rows)}", "r", len(rows)))


def publish(ledger: Ledger, source: str = "report", month: str = "2025-06", *rows: ReportedEmission) -> None:
    ledger.reported.commit(MonthOfReport(source, month, rows))


def figure(month: str = "2025-06", **given: Any) -> ReportedEmission:  # noqa: ANN401 - figures by their short names, and places
    """Return a published row; names of figures without their unit, all others as they are."""
    figures = {f"{name}_kgco2e": value for name, value in given.items() if f"{name}_kgco2e" in REPORTED_FIGURES}
    places = {
        "provider": "aws",
        "breakdown": Breakdown.CELL,
        "sub_account_id": "222",
        "region_id": "us-east-1",
        "service_name": "AmazonEC2",
        "model_version": "v3.0.0",
        **{name: value for name, value in given.items() if f"{name}_kgco2e" not in REPORTED_FIGURES},
    }
    exact = {name: None if value is None else Decimal(str(value)) for name, value in figures.items()}
    return ReportedEmission(month=month, figures=exact, **places)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """The Sustainability API with the worked case of the methodology, in metric tons."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    def result(service: str, *tonnes: float) -> dict[str, Any]:
        names = ("SCOPE_1", "SCOPE_2_LBM", "SCOPE_2_MBM", "SCOPE_3_LBM", "SCOPE_3_MBM", "LBM", "MBM")
        figures = zip(names, tonnes, strict=True)
        return {
            "TimePeriod": {"Start": "2025-06-01T00:00:00Z", "End": "2025-07-01T00:00:00Z"},
            "DimensionsValues": {"REGION": "us-east-1", "SERVICE": service, "USAGE_ACCOUNT_ID": "222"},
            "ModelVersion": "v3.0.0",
            "EmissionsValues": {
                f"TOTAL_{name}_CARBON_EMISSIONS": {"Value": value, "Unit": "MTCO2e"} for name, value in figures
            },
        }

    answer = [
        result("AmazonEC2", 0.002, 0.12, 0.0, 0.06, 0.06, 0.182, 0.062),
        result("AWSSupport", 0.0, 0.003, 0.0, 0.0, 0.0, 0.003, 0.0),
    ]

    water = {
        "TimePeriod": {"Start": "2025-01-01T00:00:00Z", "End": "2026-01-01T00:00:00Z"},
        "DimensionsValues": {"REGION": "us-east-1", "SERVICE": "AmazonEC2", "USAGE_ACCOUNT_ID": "222"},
        "ModelVersion": "v1.0.0",
        "AllocationValues": {"TOTAL_WATER_WITHDRAWALS": {"Value": 1.5, "Unit": "m3"}},
    }

    def reply(seen: Seen) -> Reply:
        return Reply.of_json({"Results": answer if "carbon" in seen.path else [water]})

    with FakeCloud(Dialect.AWS_JSON) as cloud:
        for path in ("/v1/estimated-carbon-emissions", "/v1/estimated-water-allocation"):
            cloud.route("POST", path, reply)
        yield cloud


@pytest.fixture
def worked(api: FakeCloud, site: Site) -> Path:
    """The worked calibration case, ingested: A 100 kWh and 11 kg, B 300 kWh and 19 kg, C without an estimate."""
    store(
        site.ledger,
        usage("A", 100.0, 1.0, 8.0, 3.0),
        usage("B", 300.0, 1.0, 9.0, 10.0),
        {**BASE, "resource_id": "C", "reason": "unknown_meter"},
    )
    settings = {"type": "aws_carbon_api", "first_month": "2025-01", "endpoint_url": api.url}
    assert site.run(settings=settings).status == "ok"
    folder: Path = site.folder / "ledger"
    return folder


def answer(capsys: Captured, *arguments: str) -> Any:  # noqa: ANN401 - JSON is what it is
    capsys.readouterr()
    assert run([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out, parse_float=Decimal)


def test_the_worked_case_to_the_last_digit_from_service_to_command_line(worked: Path, capsys: Captured) -> None:
    """methodology.md 8.5: A 52.5, B 129.5, C null, unallocated 3, sum 185; market-based scope 2 is 0 and 0."""
    found = answer(capsys, "report", "--calibrated", "--ledger", str(worked))
    by_name = {(row["resource_id"], row["state"]): row for row in found["rows"]}
    assert by_name["A", "calibrated"]["location_kgco2e"] == Decimal("52.5")
    assert by_name["B", "calibrated"]["location_kgco2e"] == Decimal("129.5")
    assert by_name["C", "calibrated"]["location_kgco2e"] is None
    assert by_name[None, "provider_unallocated"]["location_kgco2e"] == 3
    assert sum(row["location_kgco2e"] or 0 for row in found["rows"]) == 185
    assert [by_name[name, "calibrated"]["scope_2_market_kgco2e"] for name in "AB"] == [0, 0]
    assert found["total"]["scope_2_location_kgco2e"] == 123
    assert found["calibrated"] is True
    assert {row["unspecified_kgco2e"] for row in found["rows"]} == {None}


def test_reconcile_sets_both_side_by_side(worked: Path, capsys: Captured) -> None:
    """The provider's code is the bill's service; scope 2 beside the direct boundary; the market-based zero is named."""
    rows = {row["service_name"]: row for row in answer(capsys, "reconcile", "--ledger", str(worked))["rows"]}
    compute = rows["Amazon Elastic Compute Cloud"]
    assert compute["reported_scope_2_location_kgco2e"] == 120
    assert compute["estimate_direct_kgco2e"] == 2
    assert compute["reported_total_location_kgco2e"] == 182
    assert compute["reported_total_market_kgco2e"] == 62
    assert "market_zero" in compute["reasons"]
    assert rows["AWSSupport"]["reasons"][0] == "not_estimated"


def test_the_inventory_takes_market_figures_by_the_providers_ratio(worked: Path, capsys: Captured) -> None:
    """S2 market 0 : 123, so that direct falls away: 8 + 3 and 9 + 10 kg; ours is 32 by location, as it was."""
    found = answer(capsys, "inventory", "--year", "2025", "--ledger", str(worked))
    head = found["scope_3_category_1"]
    assert head["location_based_kgco2e"] == 32
    assert head["market_based_kgco2e"] == 30
    assert head["market_coverage"] == 1
    (reported,) = found["reported_by_providers"]
    assert (reported["total_location_kgco2e"], reported["total_market_kgco2e"]) == (185, 62)
    assert reported["scope_2_unspecified_kgco2e"] is None
    assert reported["water_withdrawal_l"] == 1500


def test_of_two_model_versions_of_a_month_one_counts(site: Site) -> None:
    """v10 is newer than v9; both are kept, one is added up."""
    store(site.ledger, usage("A", 1.0, 1.0, 1.0, 1.0))
    old, new = (figure(scope_2_location=kg, model_version=version) for kg, version in ((7, "v9.0.0"), (5, "v10.0.0")))
    publish(site.ledger, "report", "2025-06", old, new)
    assert len(site.rows()) == 2
    with open_ledger(str(site.folder / "ledger")) as opened:
        (row,) = reconcile(opened.con).rows
        assert row["reported_scope_2_location_kgco2e"] == 5
        assert row["model_versions"] == ["v10.0.0"]
        assert calibrate(opened.con).total["scope_2_location_kgco2e"] == 5


def test_api_and_export_of_one_account_count_once(site: Site) -> None:
    """The same figures by two ways are two sources; of an account and month the one with the newer model counts."""
    store(site.ledger, usage("A", 1.0, 1.0, 1.0, 1.0))
    publish(site.ledger, "api", "2025-06", figure(scope_2_location=5))
    publish(
        site.ledger, "export", "2025-06", figure(scope_2_location=5), figure(scope_2_location=6, model_version="v4")
    )
    with open_ledger(str(site.folder / "ledger")) as opened:
        assert calibrate(opened.con).total["scope_2_location_kgco2e"] == 6


def test_breakdowns_of_azure_count_once_and_resources_find_their_rows(site: Site) -> None:
    """Resources count, their sums by location do not; a resource is found whatever its case, region and service."""
    azure = {"provider": "azure", "sub_account_id": "SUB-A", "region_id": "EastUS", "service_code": None}
    store(
        site.ledger,
        usage("/Subs/SUB-A/VM1", 30.0, 1.0, 1.0, 1.0, service_name="Virtual Machines", **azure),
        usage("/subs/sub-a/vm1", 10.0, 0.1, 0.1, 0.1, service_name="Storage", **azure),
        usage("/Subs/SUB-A/VM2", 5.0, 1.0, 1.0, 1.0, service_name="Virtual Machines", **azure),
    )
    place: dict[str, Any] = {
        "provider": "azure",
        "sub_account_id": "sub-a",
        "region_id": "eastus",
        "service_name": "microsoft.compute/virtualmachines",
        "model_version": None,
    }
    resource = figure(
        scope_1=0,
        scope_2_unspecified=8,
        scope_3_location=4,
        scope_3_market=4,
        resource_id="/subs/sub-a/vm1",
        breakdown=Breakdown.RESOURCE,
        **place,
    )
    whole = figure(scope_2_unspecified=8, breakdown=Breakdown.LOCATION, **{**place, "service_name": None})
    publish(site.ledger, "report", "2025-06", resource, whole)
    with open_ledger(str(site.folder / "ledger")) as opened:
        found = calibrate(opened.con)
        compared: dict[Any, Any] = {row["service_name"]: row for row in reconcile(opened.con).rows}
    assert found.total["scope_2_unspecified_kgco2e"] == 8
    spread = {(row["resource_id"], row["service_name"]): row["scope_2_unspecified_kgco2e"] for row in found.rows}
    assert spread == {
        ("/Subs/SUB-A/VM1", "Virtual Machines"): 6,
        ("/subs/sub-a/vm1", "Storage"): 2,
        ("/Subs/SUB-A/VM2", "Virtual Machines"): None,
    }
    assert {row["location_kgco2e"] for row in found.rows} == {None}
    assert sum(row["unspecified_kgco2e"] or 0 for row in found.rows) == 12  # type: ignore[misc] # decimals
    assert compared["Virtual Machines"]["reported_scope_2_unspecified_kgco2e"] == 8
    assert "method_unspecified" in compared["Virtual Machines"]["reasons"]


def test_null_stays_null_in_every_output(site: Site, capsys: Captured) -> None:
    """A report with location-based figures only: market-based is null in reconcile, calibration and inventory."""
    store(site.ledger, usage("A", 1.0, 1.0, 1.0, 1.0))
    publish(site.ledger, "report", "2025-06", figure(scope_1=0, scope_2_location=5, scope_3_location=1))
    ledger = str(site.folder / "ledger")
    (row,) = answer(capsys, "reconcile", "--ledger", ledger)["rows"]
    assert [row[name] for name in ("reported_scope_2_market_kgco2e", "reported_total_market_kgco2e")] == [None, None]
    (spread,) = answer(capsys, "report", "--calibrated", "--ledger", ledger)["rows"]
    assert [spread[name] for name in ("scope_2_market_kgco2e", "market_kgco2e")] == [None, None]
    found = answer(capsys, "inventory", "--year", "2025", "--ledger", ledger)
    assert found["reported_by_providers"][0]["total_market_kgco2e"] is None
    assert found["scope_3_category_1"]["market_coverage"] == 0
    market = ("reported_scope_2_market_kgco2e", "scope_2_market_kgco2e", "market_kgco2e", "total_market_kgco2e")
    for command in (["reconcile"], ["report", "--calibrated"], ["report", "--market"]):
        assert run([*command, "--format", "csv", "--ledger", ledger]) == 0
        (line,) = csv.DictReader(capsys.readouterr().out.splitlines())
        assert {line[name] for name in market if name in line} == {""}, command
    assert run(["inventory", "--year", "2025", "--format", "csv", "--ledger", ledger]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    told = {line["name"]: line["value"] for line in lines if line["part"] == "reported_by_provider"}
    assert (told["total_market_kgco2e"], told["scope_2_market_kgco2e"], told["scope_2_location_kgco2e"]) == (
        "",
        "",
        "5",
    )
    for form in ("markdown", "html"):
        assert run(["inventory", "--year", "2025", "--format", form, "--ledger", ledger]) == 0
        assert "0 % rests on contracts" in capsys.readouterr().out
    with open_ledger(ledger) as opened:
        assert market_view(opened.con) == "emissions"
        assert set(calibrate(opened.con).total) == set(SPREAD_FIGURES)


def test_the_market_ratio_may_exceed_one_and_a_contract_goes_first(site: Site) -> None:
    """Direct x 6 / 4 + upstream + embodied; a row with a contract keeps its own; one without a part stays null."""
    contract = {"operational_market_kgco2e": 0.25, "total_market_kgco2e": 1.25}
    store(
        site.ledger,
        usage("A", 1.0, 2.0, 1.0, 1.0),
        usage("B", 1.0, 2.0, 1.0, 1.0, **contract),
        usage("C", 1.0, 2.0, 1.0, 1.0, operational_upstream_kgco2e=None),
        usage("D", 1.0, 2.0, 1.0, 1.0, region_id="eu-west-1"),
    )
    other = figure(scope_2_location=1, scope_2_market=1, service_name="AmazonS3")
    publish(site.ledger, "report", "2025-06", figure(scope_2_location=3, scope_2_market=5), other)
    with open_ledger(str(site.folder / "ledger")) as opened:
        assert list(market_ratios(opened.con).values()) == [Decimal("1.5")]
        view = market_view(opened.con)
        rows = opened.con.execute(
            f"SELECT resource_id, operational_market_kgco2e, total_market_kgco2e FROM {view} ORDER BY 1"
        ).fetchall()
        assert rows == [("A", 4.0, 5.0), ("B", 0.25, 1.25), ("C", None, None), ("D", None, None)]
        head = inventory(opened.con, 2025).scope_3_category_1
    assert head["market_based_kgco2e"] == Decimal("14.25")
    assert head["market_filled_with_location_kgco2e"] == 8


def test_market_by_ratio_is_asked_for_marked_and_null_where_a_part_is(site: Site, capsys: Captured) -> None:
    """``report --market``: direct x ratio + upstream, + embodied in the total; a sum over an unknown is null."""
    store(
        site.ledger,
        usage("A", 1.0, 2.0, 1.0, 1.0),
        usage("B", 1.0, 4.0, 1.0, 0.5),
        usage("D", 1.0, 2.0, 1.0, 1.0, region_id="eu-west-1"),
        {**BASE, "resource_id": "N"},
    )
    publish(site.ledger, "report", "2025-06", figure(scope_2_location=4, scope_2_market=6))
    ledger = ["--ledger", str(site.folder / "ledger")]
    found = answer(capsys, "report", "--market", "--by", "resource_id", *ledger)
    assert (found["market_by_ratio"], found["market_cells"]) == (True, 1)
    names = ("operational_market_kgco2e", "total_market_kgco2e", "operational_location_kgco2e", "total_kgco2e")
    rows = {row["resource_id"]: [row[name] for name in names] for row in found["rows"]}
    assert rows == {
        "A": [4, 5, 3, 4],
        "B": [7, Decimal("7.5"), 5, Decimal("5.5")],
        "D": [None, None, 3, 4],
        "N": [None] * 4,
    }
    by_region = answer(capsys, "report", "--market", "--by", "region_id", *ledger)["rows"]
    assert {row["region_id"]: row["total_market_kgco2e"] for row in by_region} == {
        "us-east-1": Decimal("12.5"),
        "eu-west-1": None,
    }
    assert found["impact_total"]["total_market_kgco2e"] is None
    assert round(found["impact_total"]["market_coverage"], 6) == round(Decimal(8) / 11, 6)
    plain = answer(capsys, "report", "--by", "resource_id", *ledger)
    assert {row["operational_market_kgco2e"] for row in plain["rows"]} == {None}
    assert not {"market_by_ratio", "total_market_kgco2e"} & {*plain, *plain["rows"][0]}
    assert run(["report", "--market", "--format", "csv", *ledger]) == 0
    assert "total_market_kgco2e" in capsys.readouterr().out.splitlines()[0]


def test_market_by_ratio_says_why_there_is_none_and_what_it_does_not_go_with(site: Site, capsys: Captured) -> None:
    """Without a report of both methods people are told so; calibration and profiles are other figures."""
    store(site.ledger, usage("A", 1.0, 2.0, 1.0, 1.0))
    ledger = ["--ledger", str(site.folder / "ledger")]
    assert answer(capsys, "report", "--market", *ledger)["rows"][0]["total_market_kgco2e"] is None
    assert run(["report", "--market", *ledger]) == 0
    assert "No report in the ledger has scope 2 by both methods" in " ".join(capsys.readouterr().out.split())
    for other in (["--calibrated"], ["--methodology", "ccf"]):
        assert run(["report", "--market", *other, *ledger]) == 2
        assert other[0] in capsys.readouterr().err


class Scripted:
    """A report connector with answers of ours."""

    def __init__(self, fetch: Callable[[], ReportRows]) -> None:
        self._fetch = fetch
        self.declaration = _declaration()

    def discover(self, _since: Month | None = None, _until: Month | None = None) -> Iterator[FoundReport]:
        """One question."""
        yield ReportDelivery("report", "aws", "all", (Month(2025, 6),))

    def fetch_rows(self, _delivery: ReportDelivery) -> ReportRows:
        """The answer."""
        return self._fetch()

    def check(self) -> Any:  # noqa: ANN401 - never called
        """Nothing to check."""
        raise NotImplementedError


def _declaration() -> Any:  # noqa: ANN401 - a Declaration
    from offgridflow.connectors.aws.carbon_api import CARBON_API  # noqa: PLC0415 - beside its only use

    return CARBON_API.declaration


def test_an_answer_without_rows_takes_nothing_away(site: Site) -> None:
    """A provider that says nothing of a month does not withdraw it; a denied account is named all the same."""
    answers = [ReportRows((figure(scope_1=1),)), ReportRows((), (Denied("333", "no reader"),))]
    source = Scripted(lambda: answers.pop(0))
    assert site.run(lambda *_: source).status == "ok"
    (refused,) = site.run(lambda *_: source).periods
    assert (refused.status, refused.error.code) == ("failed", "REPORT_DENIED")
    assert [row["scope_1_kgco2e"] for row in site.rows()] == [1]
