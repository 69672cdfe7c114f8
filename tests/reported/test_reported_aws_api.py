"""The AWS Sustainability API through botocore against a local server: every figure once, whatever goes wrong."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from offgridflow.connectors.aws.carbon_api import FIGURES
from offgridflow.domain.reported import REPORTED_FIGURES
from offgridflow.testing import Answer, Cut, Dialect, FakeCloud, Fault, Reply, Reset, Seen, throttled

CARBON, WATER = "/v1/estimated-carbon-emissions", "/v1/estimated-water-allocation"
Site = Any  # tests/reported/conftest.py: test folders are not packages


class Service:
    """The API with results of ours, in pages; ``next_of`` overrides the token that a page names."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.carbon: list[dict[str, Any]] = []
        self.water: list[dict[str, Any]] = []
        self.page = 2
        self.stuck = False
        cloud.route("POST", CARBON, lambda seen: self._page(self.carbon, seen))
        cloud.route("POST", WATER, lambda seen: self._page(self.water, seen))

    def _page(self, results: list[dict[str, Any]], seen: Seen) -> Reply:
        start = int(json.loads(seen.body).get("NextToken", "0"))
        end = start + self.page
        answer: dict[str, Any] = {"Results": results[start:end]}
        if end < len(results):
            answer["NextToken"] = "0" if self.stuck else str(end)
        return Reply.of_json(answer)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked for carbon, in order."""
        return [json.loads(seen.body) for seen in self.cloud.requests if seen.path == CARBON]

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a source that asks here."""
        return {"type": "aws_carbon_api", "first_month": "2025-01", "endpoint_url": self.cloud.url, "page_size": 2}


def carbon(month: int, service: str, value: float, version: str = "v3.0.0") -> dict[str, Any]:
    """Return a result with all seven figures: value, value + 0.001, ..."""
    return {
        "TimePeriod": {"Start": f"2025-{month:02d}-01T00:00:00Z", "End": f"2025-{month + 1:02d}-01T00:00:00Z"},
        "DimensionsValues": {"REGION": "eu-west-1", "SERVICE": service, "USAGE_ACCOUNT_ID": "111122223333"},
        "ModelVersion": version,
        "EmissionsValues": {
            name: {"Value": round(value + at / 1000, 3), "Unit": "MTCO2e"} for at, name in enumerate(FIGURES)
        },
    }


def water(year: int, cubic_metres: float) -> dict[str, Any]:
    return {
        "TimePeriod": {"Start": f"{year}-01-01T00:00:00Z", "End": f"{year + 1}-01-01T00:00:00Z"},
        "DimensionsValues": {"REGION": "eu-west-1", "SERVICE": "AmazonEC2", "USAGE_ACCOUNT_ID": "111122223333"},
        "ModelVersion": "v1.0.0",
        "AllocationValues": {"TOTAL_WATER_WITHDRAWALS": {"Value": cubic_metres, "Unit": "m3"}},
    }


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The API with five results of three months, so that pages of two make three."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with FakeCloud(Dialect.AWS_JSON) as cloud:
        service = Service(cloud)
        service.carbon = [
            carbon(1, "AmazonEC2", 0.123),
            carbon(1, "AmazonS3", 0.456),
            carbon(2, "AmazonEC2", 1),
            carbon(2, "AmazonS3", 2),
            carbon(3, "AmazonEC2", 0),
        ]
        service.water = [water(2025, 1.5)]
        yield service


def test_three_pages_with_a_429_and_a_500_give_every_figure_once(api: Service, site: Site) -> None:
    """Seven types, 1 MTCO2e = 1000 kg, each of five cells once, although one page is throttled and one fails."""
    api.cloud.inject(throttled(Dialect.AWS_JSON), path=CARBON, skip=1)
    api.cloud.inject(Answer(500, "InternalServerException"), path=CARBON, skip=1)
    result = site.run(settings=api.settings)
    assert result.status == "ok"
    assert [(each.billing_period, each.status, each.line_items) for each in result.periods] == [
        ("2025", "committed", 1),
        ("2025-01", "committed", 2),
        ("2025-02", "committed", 2),
        ("2025-03", "committed", 1),
    ]
    rows = [row for row in site.rows("month, service_name") if row["breakdown"] == "cell"]
    assert len(rows) == 5
    for row, value in zip(rows, ("0.123", "0.456", "1", "2", "0"), strict=True):
        for at, column in enumerate(FIGURES.values()):
            assert row[column] == (Decimal(value) + Decimal(at) / 1000) * 1000
        assert row["scope_2_unspecified_kgco2e"] is None
        assert row["unit_given"] == "MTCO2e"
    assert json.loads(rows[0]["given"])["TOTAL_LBM_CARBON_EMISSIONS"] == 0.123
    outcomes = [outcome for operation, outcome in site.outcomes if operation == "GetEstimatedCarbonEmissions"]
    assert outcomes == ["ok", "transient", "transient", "ok", "ok"]


def test_the_question_names_all_types_and_dimensions(api: Service, site: Site) -> None:
    """Months from the first to the present, monthly, by account, region and service; SigV4 signs it."""
    site.run(settings=api.settings)
    asked = api.bodies[0]
    assert sorted(asked["EmissionsTypes"]) == sorted(FIGURES)
    assert asked["GroupBy"] == ["USAGE_ACCOUNT_ID", "REGION", "SERVICE"]
    assert asked["Granularity"] == "MONTHLY"
    assert asked["TimePeriod"] == {"Start": "2025-01-01T00:00:00Z", "End": "2025-10-01T00:00:00Z"}
    assert [body.get("NextToken") for body in api.bodies] == [None, "2", "4"]
    assert "sustainability/aws4_request" in api.cloud.requests[0].headers["authorization"]


def test_water_comes_in_litres_by_year_and_adds_to_no_month(api: Service, site: Site) -> None:
    """1.5 m3 are 1500 l under the year; the row has no kilogram."""
    site.run(settings=api.settings)
    (row,) = [row for row in site.rows() if row["breakdown"] == "water_year"]
    assert (row["month"], row["water_withdrawal_l"]) == ("2025", 1500)
    assert {row[name] for name in REPORTED_FIGURES} == {None}


def test_a_range_that_begins_in_the_year_asks_for_no_water(api: Service, site: Site) -> None:
    """Water counts by the start of the year, so that a part of a year would bring nothing or too much."""
    site.run(settings=api.settings, first_period="2025-02")
    assert api.cloud.count(WATER) == 0


def test_pages_without_an_end_commit_nothing(api: Service, site: Site) -> None:
    """A token that comes again is a broken promise, and half a year is not the whole."""
    api.stuck = True
    result = site.run(settings=api.settings)
    assert [(each.status, each.error.code) for each in result.periods if each.error] == [("failed", "PROVIDER_FATAL")]
    assert site.rows() == []


def test_a_cell_that_comes_twice_is_refused(api: Service, site: Site) -> None:
    """Pages that shift would count a figure twice: nothing is taken."""
    api.carbon.insert(2, api.carbon[0])
    result = site.run(settings=api.settings)
    assert [each.error.code for each in result.periods if each.error] == ["REPORTED_TWICE"]
    assert site.rows() == []


def test_an_unknown_unit_is_refused(api: Service, site: Site) -> None:
    """A figure in another unit than those that are known is no figure in kilograms."""
    api.carbon[0]["EmissionsValues"]["TOTAL_SCOPE_1_CARBON_EMISSIONS"]["Unit"] = "lbCO2e"
    result = site.run(settings=api.settings)
    assert [each.error.code for each in result.periods if each.error] == ["UNKNOWN_UNIT"]


def test_what_is_absent_stays_null(api: Service, site: Site) -> None:
    """A type that the API leaves out is null, not zero; a zero is a zero."""
    del api.carbon[4]["EmissionsValues"]["TOTAL_SCOPE_3_MBM_CARBON_EMISSIONS"]
    site.run(settings=api.settings)
    (row,) = [row for row in site.rows() if row["month"] == "2025-03"]
    assert row["scope_3_market_kgco2e"] is None
    assert row["total_location_kgco2e"] == 0


def test_a_second_run_changes_nothing_and_a_restated_month_replaces_itself_alone(api: Service, site: Site) -> None:
    """Equal content is unchanged; a new model version replaces its month, and the old one stays readable."""
    site.run(settings=api.settings)
    before = site.ledger.reported.head()
    assert {each.status for each in site.run(settings=api.settings).periods} == {"unchanged"}
    assert site.ledger.reported.head() == before
    api.carbon[2] = carbon(2, "AmazonEC2", 9, "v4.0.0")
    api.carbon[3] = carbon(2, "AmazonS3", 8, "v4.0.0")
    statuses = {each.billing_period: each.status for each in site.run(settings=api.settings).periods}
    assert statuses == {"2025": "unchanged", "2025-01": "unchanged", "2025-02": "committed", "2025-03": "unchanged"}
    now = [row["total_location_kgco2e"] for row in site.rows("service_name") if row["month"] == "2025-02"]
    old = [row for row in site.rows("service_name", before.version) if row["month"] == "2025-02"]
    assert now == [9000, 8000]
    assert [row["total_location_kgco2e"] for row in old] == [1000, 2000]
    assert {row["model_version"] for row in old} == {"v3.0.0"}


def test_months_that_the_api_no_longer_has_stay(api: Service, site: Site) -> None:
    """The API forgets old months; what was published of them stays in the ledger."""
    site.run(settings=api.settings)
    api.carbon = api.carbon[2:]
    site.run(settings=api.settings)
    assert {row["month"] for row in site.rows()} == {"2025", "2025-01", "2025-02", "2025-03"}


def test_check_names_the_permission_that_is_missing(api: Service, site: Site) -> None:
    """A refusal says what to grant; an answer says that it works."""
    assert site.connector(api.settings).check().ok
    api.cloud.inject(Answer(403, "AccessDeniedException"))
    (step,) = site.connector(api.settings).check().steps
    assert (step.ok, step.missing) == (False, "sustainability:GetEstimatedCarbonEmissions")


def test_secrets_reach_neither_results_nor_the_ledger(
    api: Service, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The secret key signs, and stands nowhere."""
    caplog.set_level("DEBUG", logger="offgridflow")
    api.cloud.inject(Answer(403, "AccessDeniedException"), path=WATER)
    result = site.run(settings=api.settings)
    assert result.status == "failed"
    assert "canary" not in repr((result, site.heard, site.rows(), site.ledger.reported.history()))
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "fault",
    [Reset(), Cut(after_bytes=40), throttled(Dialect.AWS_JSON, "1")],
    ids=lambda fault: type(fault).__name__,
)
def test_passing_faults_change_no_figure(api: Service, site: Site, fault: Fault) -> None:
    """A reset, a cut body or a throttle on any page: the rows are those without it."""
    for at in range(3):
        api.cloud.inject(fault, path=CARBON, skip=2 * at)
    assert site.run(settings=api.settings).status == "ok"
    assert [row["scope_1_kgco2e"] for row in site.rows("month, service_name")][1:] == [125, 458, 1002, 2002, 2]
