"""Azure Carbon Optimization through the official SDK against a local server that replays the official examples."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.carbonoptimization import CarbonOptimizationMgmtClient

from offgridflow.cloud.errors import AuthError
from offgridflow.connectors.azure.carbon import AzureCarbon, AzureCarbonSettings, connector
from offgridflow.connectors.buckets import Surroundings
from offgridflow.domain.reported import REPORTED_FIGURES
from offgridflow.testing import Answer, Cut, Dialect, FakeCloud, Fault, Reply, Reset, Seen, throttled

EXAMPLES = Path(__file__).parents[2] / "../shared/inputs/azure/carbon-api-examples"
RANGE = "/providers/Microsoft.Carbon/queryCarbonEmissionDataAvailableDateRange"
REPORTS = "/providers/Microsoft.Carbon/carbonEmissionReports"
MAY = "2024-05"
Site = Any  # tests/reported/conftest.py: test folders are not packages
Make = Callable[[Mapping[str, object], Surroundings], AzureCarbon]


class _Anybody:
    """A credential that is never asked: the policy below stands in."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return a token that nobody checks."""
        return AccessToken("canary", 2**31)


class _NoToken(SansIOHTTPPolicy[Any, Any]):
    """Sends no token: the SDK refuses to send one without TLS."""


def resource(name: str, subscription: str, kg: float, location: str = "east us") -> dict[str, Any]:
    return {
        "dataType": "ResourceItemDetailsData",
        "latestMonthEmissions": kg,
        "previousMonthEmissions": 99.0,
        "itemName": name,
        "resourceGroup": "rg",
        "resourceId": f"/subscriptions/{subscription}/resourceGroups/RG/providers/Microsoft.Compute/{name}",
        "subscriptionId": subscription,
        "categoryType": "Resource",
        "resourceType": "microsoft.compute/virtualmachines",
        "location": location,
    }


class Api:
    """The API: items by (category, scope) in pages of ``page``, and a decision for each subscription."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.months = {"startDate": f"{MAY}-01", "endDate": f"{MAY}-01"}
        self.items: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.denied: dict[str, str] = {}
        self.page = 2
        self.stuck = False
        cloud.route("POST", RANGE, lambda _: Reply.of_json(self.months))
        cloud.route("POST", REPORTS, self.report)

    def report(self, seen: Seen) -> Reply:
        """Answer one call."""
        body = json.loads(seen.body)
        (scope,) = body["carbonScopeList"]
        found = self.items.get((body["categoryType"], scope), [])
        if body["categoryType"] == "Resource":
            found = [item for item in found if item["subscriptionId"] in body["subscriptionList"]]
        start = 0 if self.stuck else int(body.get("skipToken", "0"))
        answer: dict[str, Any] = {
            "value": found[start : start + self.page],
            "subscriptionAccessDecisionList": [self._decision(name) for name in body["subscriptionList"]],
        }
        if self.stuck:
            answer |= {"value": [], "skipToken": "again"}
        elif start + self.page < len(found):
            answer["skipToken"] = str(start + self.page)
        return Reply.of_json(answer)

    def _decision(self, name: str) -> dict[str, str]:
        if name not in self.denied:
            return {"subscriptionId": name, "decision": "Allowed"}
        return {"subscriptionId": name, "decision": "Denied", "denialReason": self.denied[name]}

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, in order."""
        return [json.loads(seen.body) for seen in self.cloud.requests if seen.path == REPORTS]

    def make(self, settings: Mapping[str, object], around: Surroundings) -> AzureCarbon:
        """Return a source whose SDK speaks plain HTTP to this server."""
        client: Any = CarbonOptimizationMgmtClient(
            _Anybody(), base_url=self.cloud.url, authentication_policy=_NoToken(), retry_total=0
        )
        return connector(AzureCarbonSettings.model_validate(settings), around, lambda: client.carbon_service)


@pytest.fixture
def api() -> Iterator[Api]:
    """The API without items."""
    with FakeCloud(Dialect.AZURE) as cloud:
        yield Api(cloud)


def settings(*subscriptions: str, **more: object) -> dict[str, object]:
    return {"type": "azure_carbon", "subscriptions": list(subscriptions), **more}


def scopes(api: Api, category: str, *items: Mapping[str, Any]) -> None:
    """Give items with 1 x their figure in scope 1, 2 x in scope 2, 3 x in scope 3."""
    for factor, scope in enumerate(("Scope1", "Scope2", "Scope3"), start=1):
        api.items[category, scope] = [
            {**item, "latestMonthEmissions": item["latestMonthEmissions"] * factor} for item in items
        ]


def replay(api: Api) -> None:
    """Let the server answer with the official examples: the resource report in two pages by its own token."""
    examples = {name: json.loads((EXAMPLES / f"{name}.json").read_text()) for name in _NAMES}
    resources = examples[_NAMES[1]]["responses"]["200"]["body"]
    token = examples[_NAMES[1]]["parameters"]["queryParameters"]["skipToken"]
    answers = {"Location": examples[_NAMES[0]]["responses"]["200"]["body"]}

    def report(seen: Seen) -> Reply:
        body = json.loads(seen.body)
        if body["categoryType"] != "Resource":
            return Reply.of_json(answers.get(body["categoryType"], {"value": [], "subscriptionAccessDecisionList": []}))
        if body.get("skipToken") == token:
            return Reply.of_json({**resources, "value": resources["value"][3:]})
        return Reply.of_json({**resources, "value": resources["value"][:3], "skipToken": token})

    api.cloud.route("POST", REPORTS, report)
    api.months = json.loads((EXAMPLES / "carbonEmissionsDataAvailableDateRange.json").read_text())["responses"]["200"][
        "body"
    ]


_NAMES = (
    "queryCarbonEmissionsLocationItemDetailsReport",
    "queryCarbonEmissionsResourceItemDetailsReportWithPaginationToken",
)


@pytest.mark.inputs
def test_the_official_examples_give_their_figures_and_name_who_was_denied(api: Api, site: Site) -> None:
    """Five resources over two pages with 0.1 kg each, five locations, and three subscriptions that are denied."""
    if not EXAMPLES.is_dir():
        pytest.skip("../shared/inputs is not there")
    replay(api)
    names = [f"00000000-0000-0000-0000-00000000000{digit}" for digit in range(9)]
    result = site.run(api.make, settings(*names), last_period="2023-01")
    assert [(each.billing_period, each.status) for each in result.periods] == [
        ("2023-01", "committed"),
        *[("2023-01", "failed")] * 3,
    ]
    assert result.status == "partial"
    denied = [each.error.sentence for each in result.periods if each.error]
    assert [names[digit] in sentence for digit, sentence in zip((6, 7, 8), denied, strict=True)] == [True] * 3
    assert "Carbon Optimization Reader permisison required" in denied[2]
    rows = site.rows("resource_id, region_id")
    counted = [row for row in rows if row["breakdown"] == "resource"]
    assert [row["scope_1_kgco2e"] for row in counted] == [Decimal("0.1")] * 5
    assert [row["scope_3_location_kgco2e"] for row in counted] == [Decimal("0.1")] * 5
    assert {row["region_id"] for row in counted} == {"eastus"}
    assert {row["service_name"] for row in counted} == {"microsoft.storage/storageaccounts"}
    places = [row["region_id"] for row in rows if row["breakdown"] == "location"]
    assert sorted(places) == ["eastus", "eastus2", "westus", "westus2", "westus3"]


def test_each_scope_is_a_call_of_its_own_and_scope_2_has_no_method(api: Api, site: Site) -> None:
    """A call returns the sum of its scopes, so each is asked alone; location- and market-based scope 2 stay null."""
    scopes(api, "Resource", resource("vm1", "a", 0.5), resource("vm2", "a", 0.25), resource("vm3", "a", 4))
    result = site.run(api.make, settings("A", breakdowns=False))
    assert result.status == "ok"
    rows = site.rows("resource_id")
    assert [row["scope_1_kgco2e"] for row in rows] == [Decimal("0.5"), Decimal("0.25"), 4]
    assert [row["scope_2_unspecified_kgco2e"] for row in rows] == [1, Decimal("0.5"), 8]
    assert [row["scope_3_market_kgco2e"] for row in rows] == [Decimal("1.5"), Decimal("0.75"), 12]
    assert [row["total_unspecified_kgco2e"] for row in rows] == [3, Decimal("1.5"), 24]
    for name in ("scope_2_location_kgco2e", "scope_2_market_kgco2e", "total_location_kgco2e", "total_market_kgco2e"):
        assert {row[name] for row in rows} == {None}
    assert {tuple(body["carbonScopeList"]) for body in api.bodies} == {("Scope1",), ("Scope2",), ("Scope3",)}
    assert [body.get("skipToken") for body in api.bodies] == [None, "2"] * 3
    assert api.bodies[0]["dateRange"] == {"start": "2024-05-01", "end": "2024-05-01"}
    assert rows[0]["unit_given"] == "kgCO2E"
    assert json.loads(rows[0]["given"]) == {"Scope1": 0.5, "Scope2": 1.0, "Scope3": 1.5}


def test_at_most_a_hundred_subscriptions_a_call_in_lower_case(api: Api, site: Site) -> None:
    """250 subscriptions are three calls per scope, each name in lower case and once."""
    names = [f"SUB-{number:03d}" for number in range(250)]
    scopes(api, "Resource", resource("vm", "sub-000", 1), resource("vm", "sub-249", 2))
    site.run(api.make, settings(*names, names[0].lower(), breakdowns=False))
    lists = [body["subscriptionList"] for body in api.bodies if body["carbonScopeList"] == ["Scope1"]]
    assert [len(each) for each in lists] == [100, 100, 50]
    assert sorted(name for each in lists for name in each) == [name.lower() for name in names]
    assert [row["sub_account_id"] for row in site.rows("resource_id")] == ["sub-000", "sub-249"]


def test_locations_of_two_batches_add_up_and_count_in_no_sum(api: Api, site: Site) -> None:
    """A location row has no subscription: those of two batches are one row, which repeats what resources say."""
    scopes(api, "Location", {"itemName": "East US", "latestMonthEmissions": 1.0, "categoryType": "Location"})
    site.run(api.make, settings(*[f"s{number}" for number in range(101)]))
    (row,) = site.rows()
    assert (row["breakdown"], row["region_id"], row["scope_1_kgco2e"]) == ("location", "eastus", 2)
    assert row["sub_account_id"] is None


def test_resources_that_do_not_add_up_to_their_subscription_are_told(api: Api, site: Site) -> None:
    """The rows that count are the resources; what they lack of the whole is a note."""
    scopes(api, "Resource", resource("vm1", "a", 1))
    scopes(api, "Subscription", {"itemName": "a", "latestMonthEmissions": 1.5, "categoryType": "Subscription"})
    result = site.run(api.make, settings("a"))
    assert result.notes == ("2024-05: the resources add up to 6 kg, the subscriptions to 9 kg.",)


def test_a_denial_never_takes_away_what_was_published(api: Api, site: Site) -> None:
    """A subscription that is denied now keeps the figures that it had; a new one is only named."""
    scopes(api, "Resource", resource("vm1", "a", 1), resource("vm2", "b", 2))
    site.run(api.make, settings("a", "b", breakdowns=False))
    before = site.rows()
    api.denied = {"b": "no reader"}
    scopes(api, "Resource", resource("vm1", "a", 7))
    result = site.run(api.make, settings("a", "b", breakdowns=False))
    assert [each.error.code for each in result.periods if each.error] == ["REPORT_DENIED", "REPORT_DENIED"]
    assert site.rows() == before


def test_throttling_and_broken_promises(api: Api, site: Site) -> None:
    """A 429 is asked again; a token that comes again, or an item that comes twice, commits nothing."""
    scopes(api, "Resource", *[resource(f"vm{number}", "a", 1) for number in range(3)])
    api.cloud.inject(throttled(Dialect.AZURE, "1"), path=REPORTS, skip=1)
    assert site.run(api.make, settings("a", breakdowns=False)).status == "ok"
    assert len(site.rows()) == 3
    api.stuck = True
    (failed,) = site.run(api.make, settings("a", breakdowns=False)).periods
    assert failed.error.code == "PROVIDER_FATAL"
    api.stuck = False
    scopes(api, "Resource", *[resource("vm0", "a", 1)] * 3)
    (failed,) = site.run(api.make, settings("a", breakdowns=False)).periods
    assert failed.error.code == "REPORTED_TWICE"
    assert len(site.rows()) == 3


def test_an_answer_without_a_list_is_not_an_empty_list(api: Api, site: Site) -> None:
    """A 200 that lacks its items is a broken promise, not a month without emissions."""
    api.cloud.route("POST", REPORTS, lambda _: Reply.of_json({"subscriptionAccessDecisionList": []}))
    (failed,) = site.run(api.make, settings("a", breakdowns=False)).periods
    assert failed.error.code == "PROVIDER_FATAL"


def test_check_tells_which_subscriptions_are_denied(api: Api, site: Site) -> None:
    """Denied subscriptions and refused calls name the role to grant."""
    around = Surroundings("report", site.door(), None)  # type: ignore[arg-type] # reports keep nothing here
    source = api.make(settings("a", "b"), around)
    assert source.check().ok
    api.denied = {"b": "no reader"}
    step = source.check().steps[-1]
    assert (step.ok, step.missing) == (False, "Carbon Optimization Reader")
    assert "b" in step.detail
    api.cloud.inject(Answer(403, "AuthorizationFailed"))
    assert source.check().steps[-1].missing == "Carbon Optimization Reader"


def test_null_figures_stay_null(api: Api, site: Site) -> None:
    """An item that has no figure for a scope has null there, and so has its total."""
    api.items["Resource", "Scope1"] = [resource("vm1", "a", 1)]
    site.run(api.make, settings("a", breakdowns=False))
    (row,) = site.rows()
    assert {name: row[name] for name in REPORTED_FIGURES if row[name] is not None} == {"scope_1_kgco2e": 1}


@pytest.mark.parametrize(
    "fault",
    [Reset(), Cut(after_bytes=40), throttled(Dialect.AZURE, "1")],
    ids=lambda fault: type(fault).__name__,
)
def test_passing_faults_change_no_figure(api: Api, site: Site, fault: Fault) -> None:
    """A reset, a cut body or a throttle on any page: the rows are those without it."""
    scopes(api, "Resource", *[resource(f"vm{number}", "a", number) for number in range(3)])
    for at in range(6):
        api.cloud.inject(fault, path=REPORTS, skip=2 * at)
    assert site.run(api.make, settings("a", breakdowns=False)).status == "ok"
    assert [row["scope_2_unspecified_kgco2e"] for row in site.rows("resource_id")] == [0, 2, 4]


def test_credentials_come_from_the_default_chain(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without more in the settings the chain is asked, with the managed identity that they name; no token is auth."""
    asked: list[object] = []

    class Chain:
        """A chain in which nobody has a token."""

        def __init__(self, **options: object) -> None:
            asked.append(options)

        def get_token(self, *scopes: str, **_options: object) -> AccessToken:
            """Note what is asked for, and have none."""
            asked.append(scopes)
            message = "nobody has a token"
            raise ClientAuthenticationError(message)

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Chain)
    source = site.connector(settings("sub-a", managed_identity_client_id="me", endpoint_url="https://127.0.0.1:9"))
    with pytest.raises(AuthError):
        list(source.discover())
    assert asked == [{"managed_identity_client_id": "me"}, ("https://management.azure.com/.default",)]
