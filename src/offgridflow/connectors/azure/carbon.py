"""Azure Carbon Optimization: monthly carbon by resource, and the same by subscription, group, type and location.

A call returns the sum over its scopes, so there is one call per scope; ItemDetailsReport covers one month, at most 100
subscriptions in lower case, and goes on by a token in the body. The resource rows are what counts: the other breakdowns
repeat the same emissions and are kept for comparison. Scope 2 has no method. A subscription that is denied stands in an
answer of status 200.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from pydantic import Field, field_validator

from offgridflow.cloud.door import Door, Timeouts
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.connectors.buckets import Surroundings, tried
from offgridflow.connectors.delivery import CheckReport, CheckStep, Declaration, Once, Permission, missing_extra
from offgridflow.connectors.registry import ReportKind
from offgridflow.connectors.reports import Denied, FoundReport, ReportDelivery, ReportRows
from offgridflow.domain.errors import InputError
from offgridflow.domain.periods import Month, months_between
from offgridflow.domain.reported import Breakdown, ReportedEmission, added, kilograms
from offgridflow.settings import Strict

SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "Scope1": ("scope_1_kgco2e",),
    "Scope2": ("scope_2_unspecified_kgco2e",),
    "Scope3": ("scope_3_location_kgco2e", "scope_3_market_kgco2e"),
}
"""Scopes of the API, and the columns that each of them fills: scope 3 is one figure, whatever the method."""

CATEGORIES: Final[Mapping[str, Breakdown]] = {
    "Resource": Breakdown.RESOURCE,
    "Subscription": Breakdown.SUBSCRIPTION,
    "ResourceGroup": Breakdown.RESOURCE_GROUP,
    "ResourceType": Breakdown.RESOURCE_TYPE,
    "Location": Breakdown.LOCATION,
}
_UNIT: Final = "kgCO2E"
_PROVIDER: Final = "azure"
_ENDPOINT: Final = "carbon"
_SCOPE: Final = "https://management.azure.com/.default"
_ROLE: Final = "Carbon Optimization Reader"
_RANGE: Final = "QueryCarbonEmissionDataAvailableDateRange"
_REPORT: Final = "QueryCarbonEmissionReports"
_MOST_SUBSCRIPTIONS: Final = 100
_DENIED: Final = "denied"
_NO_VALUE: Final = "NO_VALUE"

PERMISSIONS: Final = (
    Permission(_ROLE, "on each subscription (Microsoft.Carbon/carbonEmissionReports/action): reads carbon figures"),
    Permission("Microsoft.Carbon/queryCarbonEmissionDataAvailableDateRange/action", f"part of {_ROLE}: finds months"),
)


class AzureCarbonSettings(Strict):
    """Which subscriptions to ask for. Credentials come from the SDK's default chain."""

    type: str
    subscriptions: tuple[str, ...] = Field(min_length=1)
    page_size: int = Field(default=5000, ge=1, le=5000)
    breakdowns: bool = True
    managed_identity_client_id: str | None = None
    endpoint_url: str | None = None

    @field_validator("subscriptions")
    @classmethod
    def _lower(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """Return them in lower case, each once: the API refuses capitals, and would count a double twice."""
        return tuple(dict.fromkeys(each.strip().lower() for each in given))


@dataclass(frozen=True, slots=True)
class AzureCarbon:
    """The figures of some subscriptions. See ReportConnector.

    ``client`` gives the SDK's ``carbon_service`` operations, retries off.
    """

    declaration: Declaration
    source: str
    settings: AzureCarbonSettings
    client: Callable[[], Any]
    door: Door

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[FoundReport]:
        """See ReportConnector: the months that the API says it has, one delivery each."""
        first, last = self._available()
        for month in months_between(max(first, since or first), min(last, until or last)):
            yield ReportDelivery(self.source, _PROVIDER, f"{_ENDPOINT}/{month}", (month,))

    def fetch_rows(self, delivery: ReportDelivery) -> ReportRows:
        """See ReportConnector: one call per batch of subscriptions, category and scope."""
        month = delivery.months[0]
        items: dict[_Key, _Item] = {}
        denied: dict[str, str] = {}
        for category in CATEGORIES if self.settings.breakdowns else ("Resource",):
            for batch in _batches(self.settings.subscriptions):
                for scope in SCOPES:
                    once: set[_Key] = set()
                    for answer in self._pages(month, category, scope, batch):
                        denied.update(_denied(answer.decisions))
                        for item in answer.items:
                            key = _key(category, item)
                            _refuse_again(once, key)
                            _note(items, key, scope, item)
        rows = tuple(_row(str(month), *entry) for entry in sorted(items.items(), key=lambda entry: str(entry[0])))
        refused = tuple(Denied(name, reason) for name, reason in sorted(denied.items()))
        return ReportRows(rows, refused, tuple(_gaps(str(month), rows)))

    def check(self) -> CheckReport:
        """Ask for the months there are, then for one item of the last one; name the subscriptions that are denied."""
        months: list[Month] = []

        def look() -> str:
            months.extend(self._available())
            return f"months {months[0]} to {months[1]} are there"

        step = tried("months", _ROLE, look)
        return CheckReport(self.source, (step, self._check_access(months[1])) if step.ok else (step,))

    def _check_access(self, month: Month) -> CheckStep:
        denied: dict[str, str] = {}

        def ask() -> str:
            for batch in _batches(self.settings.subscriptions):
                pages = self._pages(month, "Subscription", "Scope1", batch)
                denied.update(_denied(next(iter(pages)).decisions))
            return f"{len(self.settings.subscriptions) - len(denied)} subscriptions can be read"

        step = tried("read", _ROLE, ask)
        if step.ok and denied:
            names = ", ".join(sorted(denied))
            return CheckStep("read", ok=False, detail=f"denied: {names}. Grant {_ROLE}.", missing=_ROLE)
        return step

    def _available(self) -> tuple[Month, Month]:
        found = self._call(_RANGE, lambda: self.client().query_carbon_emission_data_available_date_range())
        return Month.parse(found["startDate"][:7]), Month.parse(found["endDate"][:7])

    def _pages(self, month: Month, category: str, scope: str, batch: Sequence[str]) -> Iterator["_Answer"]:
        day = f"{month}-01"
        question = {
            "reportType": "ItemDetailsReport",
            "subscriptionList": list(batch),
            "carbonScopeList": [scope],
            "dateRange": {"start": day, "end": day},
            "categoryType": category,
            "orderBy": "ItemName",
            "sortDirection": "Asc",
            "pageSize": self.settings.page_size,
        }
        decisions: list[Mapping[str, Any]] = []

        def fetch(token: str | None) -> Page[Mapping[str, Any], str]:
            asked = question if token is None else {**question, "skipToken": token}
            answer = self._call(_REPORT, lambda: self.client().query_carbon_emission_reports(asked))
            decisions[:] = answer.get("subscriptionAccessDecisionList") or ()
            if answer.get("value") is None:
                raise walk.broken(_NO_VALUE)
            return Page(list(answer["value"]), answer.get("skipToken") or None)

        walk = Walk(_PROVIDER, f"{_REPORT} {category} {scope}", listener=self.door.listener)
        for page in by_cursor(walk, fetch):
            yield _Answer(tuple(page.items), tuple(decisions))

    def _call(self, operation: str, fn: Callable[[], Any]) -> Mapping[str, Any]:
        answer = self.door.call(_PROVIDER, self.source, _ENDPOINT, operation, fn)
        found: Mapping[str, Any] = answer.as_dict()
        return found


@dataclass(frozen=True, slots=True)
class _Answer:
    """One page: its items, and who was denied."""

    items: tuple[Mapping[str, Any], ...]
    decisions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of a category over the scopes: figures in kg by scope, as given."""

    of: Mapping[str, Any]
    given: dict[str, Decimal]


_Key = tuple[str | None, ...]


def _key(category: str, item: Mapping[str, Any]) -> _Key:
    names = ("subscriptionId", "resourceGroup", "resourceId", "resourceType", "location")
    return (category, str(item["itemName"]).lower(), *(_lowered(item.get(name)) for name in names))


def _refuse_again(once: set[_Key], key: _Key) -> None:
    """Raise where an answer holds an item twice: pages that shift under way would count it twice."""
    if key in once:
        sentence = f"The answer holds {key[1]} twice, by {key[0]}."
        raise InputError(sentence, action="It is asked for again on the next run.", code="REPORTED_TWICE")
    once.add(key)


def _note(items: dict[_Key, _Item], key: _Key, scope: str, item: Mapping[str, Any]) -> None:
    """Add an item's figure of one scope; the same item of another batch adds up (a location has no subscription)."""
    known = items.setdefault(key, _Item(item, {}))
    figure = Decimal(repr(item["latestMonthEmissions"]))
    known.given[scope] = added(known.given.get(scope, Decimal(0)), figure) or Decimal(0)


def _lowered(value: object) -> str | None:
    return str(value).lower() if value else None


def _row(month: str, key: _Key, item: _Item) -> ReportedEmission:
    category, name = str(key[0]), str(key[1])
    subscription, group, resource, kind, location = key[2:]
    figures: dict[str, Decimal | None] = {}
    for scope, columns in SCOPES.items():
        figure = kilograms(item.given.get(scope), _UNIT, f"{month} {category} {name}")
        figures.update(dict.fromkeys(columns, figure))
    scopes = (figures["scope_1_kgco2e"], figures["scope_2_unspecified_kgco2e"], figures["scope_3_location_kgco2e"])
    figures["total_unspecified_kgco2e"] = added(*scopes)
    return ReportedEmission(
        provider=_PROVIDER,
        month=month,
        breakdown=CATEGORIES[category],
        figures=figures,
        sub_account_id=name if category == "Subscription" and subscription is None else subscription,
        region_id=_region(name if category == "Location" else location),
        service_name=name if category == "ResourceType" else kind,
        resource_id=resource or (name if category == "Resource" else None),
        resource_group=name if category == "ResourceGroup" else group,
        unit_given=_UNIT,
        given=item.given,
    )


def _region(display_name: str | None) -> str | None:
    """Return the id of a region from its display name: ``east us 2`` is ``eastus2``."""
    return None if display_name is None else "".join(display_name.split())


def _denied(decisions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        str(each["subscriptionId"]).lower(): str(each.get("denialReason") or f"grant {_ROLE}")
        for each in decisions
        if str(each.get("decision", "")).lower() == _DENIED
    }


def _batches(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    waiting = iter(names)
    while batch := tuple(islice(waiting, _MOST_SUBSCRIPTIONS)):
        yield batch


def _gaps(month: str, rows: Sequence[ReportedEmission]) -> Iterator[str]:
    """Say where the resources do not add up to the whole of the subscriptions: the resource rows are what counts."""
    sums: dict[Breakdown, Decimal] = {}
    for row in rows:
        total = row.figures["total_unspecified_kgco2e"]
        if total is not None:
            sums[row.breakdown] = added(sums.get(row.breakdown, Decimal(0)), total) or Decimal(0)
    whole, parts = sums.get(Breakdown.SUBSCRIPTION), sums.get(Breakdown.RESOURCE, Decimal(0))
    if whole is not None and abs(whole - parts) > _TOLERANCE * abs(whole):
        kg, whole_kg = (f"{figure.normalize():f} kg" for figure in (parts, whole))
        yield f"{month}: the resources add up to {kg}, the subscriptions to {whole_kg}."


_TOLERANCE: Final = Decimal("0.001")


def operations_of(settings: AzureCarbonSettings, timeouts: Timeouts, access: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - the SDK's type, an extra
    """Return the SDK's operations, trying once, with the door's time-outs; ``access`` replaces the default credential.

    Raises MissingExtraError without the SDK.
    """
    try:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra, and slow to import
        from azure.mgmt.carbonoptimization import CarbonOptimizationMgmtClient  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra(package="azure-mgmt-carbonoptimization", extra="azure") from error
    if access is None:
        access = {"credential": DefaultAzureCredential(managed_identity_client_id=settings.managed_identity_client_id)}
    client = CarbonOptimizationMgmtClient(
        **access,
        base_url=settings.endpoint_url,
        retry_total=0,
        credential_scopes=[_SCOPE],
        connection_timeout=timeouts.connect_seconds,
        read_timeout=timeouts.read_seconds,
    )
    return client.carbon_service


def connector(
    settings: AzureCarbonSettings, around: Surroundings, operations: Callable[[], Any] | None = None
) -> AzureCarbon:
    """Return a source of carbon figures; ``operations`` gives the SDK's with other credentials than the default."""
    made = Once(operations or (lambda: operations_of(settings, around.door.timeouts)))
    return AzureCarbon(_DECLARATION, around.source, settings, made, around.door)


_DECLARATION: Final = Declaration(
    "azure_carbon",
    "Azure Carbon Optimization: the provider's carbon figures",
    _PROVIDER,
    AzureCarbonSettings,
    (_ENDPOINT,),
    PERMISSIONS,
)

CARBON: Final = ReportKind(_DECLARATION, connector)
