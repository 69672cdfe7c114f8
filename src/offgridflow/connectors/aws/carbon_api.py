"""The AWS Sustainability API: monthly carbon by account, region and service, and yearly water.

One question covers all wanted months, because a month counts where its start lies in the range; all seven emission
types are named, because only the two totals come back otherwise. The API has the newest model version of a month alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import Field, SecretStr

from offgridflow.cloud.door import Door
from offgridflow.cloud.errors import Failure, TransientError
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.connectors.aws.access import S3Settings, client_of
from offgridflow.connectors.buckets import Surroundings, tried
from offgridflow.connectors.delivery import CheckReport, Declaration, Once, Permission
from offgridflow.connectors.registry import ReportKind
from offgridflow.connectors.reports import FoundReport, ReportDelivery, ReportRows, each_once
from offgridflow.domain.periods import Month
from offgridflow.domain.reported import WATER, Breakdown, ReportedEmission, kilograms, litres
from offgridflow.settings import Strict

FIGURES: Final[Mapping[str, str]] = {
    "TOTAL_LBM_CARBON_EMISSIONS": "total_location_kgco2e",
    "TOTAL_MBM_CARBON_EMISSIONS": "total_market_kgco2e",
    "TOTAL_SCOPE_1_CARBON_EMISSIONS": "scope_1_kgco2e",
    "TOTAL_SCOPE_2_LBM_CARBON_EMISSIONS": "scope_2_location_kgco2e",
    "TOTAL_SCOPE_2_MBM_CARBON_EMISSIONS": "scope_2_market_kgco2e",
    "TOTAL_SCOPE_3_LBM_CARBON_EMISSIONS": "scope_3_location_kgco2e",
    "TOTAL_SCOPE_3_MBM_CARBON_EMISSIONS": "scope_3_market_kgco2e",
}
"""All emission types of the API, and the column that each of them is."""

_WATER: Final = "TOTAL_WATER_WITHDRAWALS"
_DIMENSIONS: Final = ("USAGE_ACCOUNT_ID", "REGION", "SERVICE")
_PROVIDER: Final = "aws"
_ENDPOINT: Final = "sustainability"
_CARBON: Final = "GetEstimatedCarbonEmissions"
_ALLOCATION: Final = "GetEstimatedWaterAllocation"
_FIRST: Final = Month(2022, 1)
_DECEMBER: Final = 12
_CUT_BODY: Final = "CUT_BODY"

PERMISSIONS: Final = (
    Permission("sustainability:GetEstimatedCarbonEmissions", "on the payer account: reads carbon figures"),
    Permission("sustainability:GetEstimatedWaterAllocation", "on the payer account, unless water is off"),
)


class AwsCarbonApiSettings(Strict):
    """Who asks, and from which month on. The API answers for the organization of the account that asks."""

    type: str
    first_month: str = Field(default=str(_FIRST), pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    water: bool = True
    page_size: int = Field(default=5000, ge=1, le=5000)
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: SecretStr | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class AwsCarbonApi:
    """One payer account's figures. See ReportConnector."""

    declaration: Declaration
    source: str
    settings: AwsCarbonApiSettings
    client: Callable[[], Any]
    door: Door
    now: Callable[[], datetime]

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[FoundReport]:
        """See ReportConnector: all wanted months are one question."""
        first = max(Month.parse(self.settings.first_month), since or _FIRST)
        present = Month.of(self.now().astimezone(UTC).date())
        last = present if until is None else min(until, present)
        if first <= last:
            key = f"{_ENDPOINT}/{first}/{last}"
            yield ReportDelivery(self.source, _PROVIDER, key, (first, last))

    def fetch_rows(self, delivery: ReportDelivery) -> ReportRows:
        """See ReportConnector. Water comes for the years that begin within the months."""
        first, last = delivery.months[0], delivery.months[-1]
        asked = {"EmissionsTypes": list(FIGURES), "Granularity": "MONTHLY", **self._range(first, last.next())}
        rows = [_carbon_row(result) for result in self._results(_CARBON, asked)]
        years = _years(first, last)
        if self.settings.water and years:
            asked = {"AllocationTypes": [_WATER], "Granularity": "YEARLY_CALENDAR", **self._range(*years)}
            rows += [_water_row(result) for result in self._results(_ALLOCATION, asked)]
        return ReportRows(tuple(each_once(rows, self.source)))

    def check(self) -> CheckReport:
        """Ask for one row of the last month."""
        present = Month.of(self.now().astimezone(UTC).date())

        def one() -> str:
            question = {**self._range(_before(present), present), "MaxResults": 1}
            answer = self._ask(_CARBON, question)
            return f"{_CARBON} answers with {len(answer['Results'])} row of {_before(present)}"

        return CheckReport(self.source, (tried("carbon", PERMISSIONS[0].name, one),))

    def _range(self, first: Month, end: Month) -> dict[str, Any]:
        return {"TimePeriod": {"Start": first.start, "End": end.start}, "GroupBy": list(_DIMENSIONS)}

    def _results(self, operation: str, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        def fetch(token: str | None) -> Page[Mapping[str, Any], str]:
            more = {} if token is None else {"NextToken": token}
            answer = self._ask(operation, {**asked, "MaxResults": self.settings.page_size, **more})
            results: Sequence[Mapping[str, Any]] = answer["Results"]
            return Page(results, answer.get("NextToken") or None)

        walk = Walk(_PROVIDER, operation, listener=self.door.listener)
        return (result for page in by_cursor(walk, fetch) for result in page.items)

    def _ask(self, operation: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        def send() -> Mapping[str, Any]:
            client = self.client()
            ask = (
                client.get_estimated_carbon_emissions if operation == _CARBON else client.get_estimated_water_allocation
            )
            answer: Mapping[str, Any] = ask(**question)
            if "Results" not in answer:  # botocore makes an empty answer of a JSON body that was cut
                raise TransientError(Failure(_PROVIDER, operation, code=_CUT_BODY))
            return answer

        scope = self.settings.role_arn or self.settings.profile or self.source
        return self.door.call(_PROVIDER, scope, _ENDPOINT, operation, send)


def _carbon_row(result: Mapping[str, Any]) -> ReportedEmission:
    month = str(Month.of(_start(result).date()))
    told = result["EmissionsValues"]
    where = f"{_CARBON} {month} {_cell(result)}"
    given = {name: Decimal(repr(told[name]["Value"])) for name in FIGURES if name in told}
    figures = {FIGURES[name]: kilograms(value, told[name]["Unit"], where) for name, value in given.items()}
    units = sorted({told[name]["Unit"] for name in given})
    return _row(result, month, Breakdown.CELL, _Told(figures, given, ",".join(units)))


def _water_row(result: Mapping[str, Any]) -> ReportedEmission:
    year = f"{_start(result).year:04d}"
    told = result["AllocationValues"]
    where = f"{_ALLOCATION} {year} {_cell(result)}"
    if _WATER not in told:
        return _row(result, year, Breakdown.WATER_YEAR, _Told({WATER: None}))
    value, unit = Decimal(repr(told[_WATER]["Value"])), told[_WATER]["Unit"]
    return _row(result, year, Breakdown.WATER_YEAR, _Told({WATER: litres(value, unit, where)}, {_WATER: value}, unit))


@dataclass(frozen=True, slots=True)
class _Told:
    """The numbers of a row: converted, as given, and their unit."""

    figures: Mapping[str, Decimal | None]
    given: Mapping[str, Decimal] = field(default_factory=dict)
    unit: str = ""


def _row(result: Mapping[str, Any], month: str, breakdown: Breakdown, told: _Told) -> ReportedEmission:
    values = result["DimensionsValues"]
    return ReportedEmission(
        provider=_PROVIDER,
        month=month,
        breakdown=breakdown,
        figures=told.figures,
        sub_account_id=values.get("USAGE_ACCOUNT_ID") or None,
        region_id=values.get("REGION") or None,
        service_name=values.get("SERVICE") or None,
        model_version=result["ModelVersion"],
        unit_given=told.unit or None,
        given=told.given,
    )


def _start(result: Mapping[str, Any]) -> datetime:
    """Return the start of a period in UTC: botocore's zone is that of the machine."""
    start: datetime = result["TimePeriod"]["Start"]
    return start.astimezone(UTC)


def _cell(result: Mapping[str, Any]) -> str:
    return "/".join(str(result["DimensionsValues"].get(name, "")) for name in _DIMENSIONS)


def _years(first: Month, last: Month) -> tuple[Month, Month] | None:
    """Return January of the first and of the year after the last year that begins within the months, or None."""
    begins = first.year if first.month == 1 else first.year + 1
    return None if begins > last.year else (Month(begins, 1), Month(last.year + 1, 1))


def _before(month: Month) -> Month:
    return Month(month.year, month.month - 1) if month.month > 1 else Month(month.year - 1, _DECEMBER)


def _connector(settings: AwsCarbonApiSettings, around: Surroundings) -> AwsCarbonApi:
    asked = S3Settings(
        type=settings.type,
        bucket="",
        region=settings.region or "us-east-1",
        profile=settings.profile,
        role_arn=settings.role_arn,
        external_id=settings.external_id,
        endpoint_url=settings.endpoint_url,
        sts_endpoint_url=settings.sts_endpoint_url,
    )
    client = Once(lambda: client_of(asked, _ENDPOINT, around.door.timeouts))
    return AwsCarbonApi(_DECLARATION, around.source, settings, client, around.door, around.now)


_DECLARATION: Final = Declaration(
    "aws_carbon_api",
    "AWS Sustainability API: the provider's carbon and water figures",
    _PROVIDER,
    AwsCarbonApiSettings,
    (_ENDPOINT, "sts"),
    PERMISSIONS,
)

CARBON_API: Final = ReportKind(_DECLARATION, _connector)
