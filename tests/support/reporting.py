"""Carbon reports of the three clouds, small and as the providers give them: in an API, a bucket or a table.

A month of ``lines`` rows has one row per service ``s0``, ``s1``, ...; the figure of the first grows with ``lines``, so
that a month of another length is another content.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy

from offgridflow.connectors.azure.carbon import AzureCarbonSettings
from offgridflow.connectors.azure.carbon import connector as azure_connector
from offgridflow.connectors.azure.carbon import operations_of as azure_operations
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.delivery import Connector
from offgridflow.connectors.registry import connect
from offgridflow.connectors.reports import ReportConnector
from offgridflow.domain.periods import Month
from offgridflow.testing import FakeBucket, FakeCloud, Reply, Seen
from support.bigquery_bill import PROJECT

CARBON_API: Final = "aws_carbon_api"
CARBON_EXPORT: Final = "aws_carbon_export"
AZURE_CARBON: Final = "azure_carbon"
GCP_CARBON: Final = "gcp_carbon"
CANARY: Final = "canary-secret"

TABLE: Final = f"{PROJECT}.carbon.carbon_footprint"
_BOTH: Final = ({"name": "location_based", "type": "FLOAT"}, {"name": "market_based", "type": "FLOAT"})
SCHEMA: Final[list[dict[str, Any]]] = [
    {"name": "usage_month", "type": "DATE"},
    {"name": "billing_account_id", "type": "STRING"},
    {"name": "project", "type": "RECORD", "fields": [{"name": "id", "type": "STRING"}]},
    {"name": "service", "type": "RECORD", "fields": [{"name": "description", "type": "STRING"}]},
    {"name": "location", "type": "RECORD", "fields": [{"name": "region", "type": "STRING"}]},
    {"name": "carbon_model_version", "type": "INTEGER"},
    {
        "name": "carbon_footprint_kgCO2e",
        "type": "RECORD",
        "fields": [{"name": "scope1", "type": "FLOAT"}, {"name": "scope2", "type": "RECORD", "fields": list(_BOTH)}],
    },
    {"name": "carbon_footprint_total_kgCO2e", "type": "RECORD", "fields": list(_BOTH)},
]


def line(month: str, number: int) -> dict[str, Any]:
    """Return a row of Google's table."""
    return {
        "usage_month": f"{month}-01",
        "billing_account_id": "AAAAAA-BBBBBB-CCCCCC",
        "project": {"id": "shop"},
        "service": {"description": f"s{number}"},
        "location": {"region": "us-central1"},
        "carbon_model_version": 14,
        "carbon_footprint_kgCO2e": {"scope1": 0.5, "scope2": {"location_based": 1.0 + number, "market_based": None}},
        "carbon_footprint_total_kgCO2e": {"location_based": 1.5 + number, "market_based": None},
    }


@dataclass(slots=True)
class AwsApi:
    """The Sustainability API: one result a page, and all water in one."""

    cloud: FakeCloud
    stuck: bool = False
    water: Sequence[Mapping[str, Any]] = ()
    months: dict[str, int] = field(default_factory=dict)
    path: str = "/v1/estimated-carbon-emissions"

    def __post_init__(self) -> None:
        self.cloud.route("POST", self.path, self._reply)
        water = lambda _: Reply.of_json({"Results": list(self.water)})  # noqa: E731 - a route
        self.cloud.route("POST", "/v1/estimated-water-allocation", water)

    def settings(self) -> dict[str, Any]:
        """Return its table of the settings."""
        return {"type": CARBON_API, "water": False, "page_size": 1, "endpoint_url": self.cloud.url}

    def publish(self, month: str, lines: int) -> None:
        """Give a month so many rows."""
        self.months[month] = lines

    def _reply(self, seen: Seen) -> Reply:
        body = json.loads(seen.body)
        first, end = (body["TimePeriod"][name][:7] for name in ("Start", "End"))
        wanted = [(month, number) for month in sorted(self.months) for number in range(self.months[month])]
        results = [_result(*each) for each in wanted if first <= each[0] < end]
        start = int(body.get("NextToken", "0"))
        page = results[start : start + body["MaxResults"]]
        following = "1" if self.stuck else str(start + len(page))
        more = {"NextToken": following} if self.stuck or start + len(page) < len(results) else {}
        return Reply.of_json({"Results": page, **more})


def _result(month: str, number: int) -> dict[str, Any]:
    return {
        "TimePeriod": {"Start": f"{month}-01T00:00:00Z", "End": f"{Month.parse(month).next()}-01T00:00:00Z"},
        "DimensionsValues": {"USAGE_ACCOUNT_ID": "222", "REGION": "us-east-1", "SERVICE": f"s{number}"},
        "ModelVersion": "v3.0.0",
        "EmissionsValues": {"TOTAL_SCOPE_2_LBM_CARBON_EMISSIONS": {"Value": 0.001 + number / 1000, "Unit": "MTCO2e"}},
    }


class _Anybody:
    """A credential that is never asked: the policy below stands in."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return a token that nobody checks."""
        return AccessToken(CANARY, 2**31)


class _InTheClear(SansIOHTTPPolicy[Any, Any]):
    """Sends the token although there is no TLS, which the SDK refuses to do."""

    def on_request(self, request: Any) -> None:  # noqa: ANN401 - the SDK's
        """Add the header."""
        request.http_request.headers["Authorization"] = f"Bearer {CANARY}"


@dataclass(slots=True)
class AzureApi:
    """Carbon Optimization: one resource a page, in scope 2 only."""

    cloud: FakeCloud
    stuck: bool = False
    denied: Sequence[str] = ()
    months: dict[str, int] = field(default_factory=dict)
    path: str = "/providers/Microsoft.Carbon/carbonEmissionReports"
    range_path: str = "/providers/Microsoft.Carbon/queryCarbonEmissionDataAvailableDateRange"

    def __post_init__(self) -> None:
        self.cloud.route("POST", self.path, self._reply)
        self.cloud.route("POST", self.range_path, self._range)

    def settings(self) -> dict[str, Any]:
        """Return its table of the settings."""
        own = {"subscriptions": ["sub-1"], "breakdowns": False, "page_size": 1, "endpoint_url": self.cloud.url}
        return {"type": AZURE_CARBON, **own}

    def publish(self, month: str, lines: int) -> None:
        """Give a month so many rows."""
        self.months[month] = lines

    def _range(self, _seen: Seen) -> Reply:
        return Reply.of_json({"startDate": f"{min(self.months)}-01", "endDate": f"{max(self.months)}-01"})

    def _reply(self, seen: Seen) -> Reply:
        body = json.loads(seen.body)
        lines = self.months[body["dateRange"]["start"][:7]]
        items = [_item(number, body["carbonScopeList"][0]) for number in range(lines)]
        start = int(body.get("skipToken", "0"))
        page = items[start : start + body["pageSize"]]
        following = "1" if self.stuck else str(start + len(page))
        more = {"skipToken": following} if self.stuck or start + len(page) < len(items) else {}
        decisions = [
            {"subscriptionId": name, "decision": "Denied" if name in self.denied else "Allowed"}
            for name in body["subscriptionList"]
        ]
        return Reply.of_json({"value": page, "subscriptionAccessDecisionList": decisions, **more})


def _item(number: int, scope: str) -> dict[str, Any]:
    return {
        "dataType": "ResourceItemDetailsData",
        "latestMonthEmissions": 1.0 + number if scope == "Scope2" else 0.0,
        "previousMonthEmissions": 0.0,
        "itemName": f"s{number}",
        "resourceGroup": "rg",
        "resourceId": f"/subscriptions/sub-1/resourceGroups/rg/providers/Microsoft.Compute/s{number}",
        "subscriptionId": "sub-1",
        "categoryType": "Resource",
        "resourceType": "microsoft.compute/virtualmachines",
        "location": "east us",
    }


@dataclass(slots=True)
class CarbonExport:
    """The Data Export CARBON_EMISSIONS in a bucket, with a manifest a month; the costs of a bill are its figures."""

    bucket: FakeBucket

    def settings(self) -> dict[str, Any]:
        """Return its table of the settings."""
        url = self.bucket.url
        where = {"bucket": self.bucket.name, "prefix": "acme/", "endpoint_url": url, "sts_endpoint_url": url}
        return {"type": CARBON_EXPORT, **where}

    def key_of(self, month: str) -> str:
        """Return the key of a month's part."""
        return f"acme/carbon/data/carbon_model_version=v3.0.0/usage_period={month}/carbon-00001.csv.gz"

    def bill(self, month: str, figures: list[str]) -> bytes:
        """Return the content of a month's part: a row per figure, in tons."""
        head = (
            "model_version,payer_account_id,usage_account_id,product_code,region_code,usage_period_start,"
            "total_scope_2_lbm_emissions_value,total_scope_2_lbm_emissions_unit"
        )
        rows = [
            f"v3.0.0,111,222,s{number},us-east-1,{month}-01T00:00:00.000Z,{figure},MTCO2e"
            for number, figure in enumerate(figures)
        ]
        return gzip.compress("\n".join([head, *rows, ""]).encode(), mtime=0)

    def publish(self, month: str, figures: list[str]) -> None:
        """Write a month, part first and manifest last."""
        key = self.key_of(month)
        self.bucket.write(key, self.bill(month, figures))
        manifest = {"executionId": "e", "dataFiles": [f"s3://{self.bucket.name}/{key}"]}
        place = f"acme/carbon/metadata/carbon_model_version=v3.0.0/usage_period={month}/carbon-Manifest.json"
        self.bucket.write(place, json.dumps(manifest).encode())


def connect_in_the_clear(settings: Mapping[str, object], around: Surroundings) -> Connector | ReportConnector:
    """Return the connector of a table; Azure's carbon API with a credential that needs no TLS, all else as it is."""
    if settings["type"] != AZURE_CARBON:
        return connect(settings, around)
    parsed = AzureCarbonSettings.model_validate(settings)
    access = {"credential": _Anybody(), "authentication_policy": _InTheClear()}
    return azure_connector(parsed, around, lambda: azure_operations(parsed, around.door.timeouts, access))
