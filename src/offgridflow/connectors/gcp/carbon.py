"""The Carbon Footprint export of Google Cloud in BigQuery: kilograms by month, project, service and location.

Backfills rewrite months in place, and nothing but the content tells: all rows of the wanted months are read, which are
few, and the ledger compares. A NULL stays unknown: market-based figures of months before 2023 are NULL until they are
backfilled. Offsets, which were published once, are never read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from offgridflow.connectors.buckets import Surroundings, tried
from offgridflow.connectors.delivery import CheckReport, Declaration, Permission
from offgridflow.connectors.gcp.bigquery_client import DATA_ROLE, JOB_ROLE, PROVIDER, Query, Warehouse, client_maker
from offgridflow.connectors.gcp.bigquery_sql import TableFacts, TableName
from offgridflow.connectors.registry import ReportKind
from offgridflow.connectors.reports import FoundReport, ReportDelivery, ReportRows
from offgridflow.domain.errors import InputError
from offgridflow.domain.periods import Month
from offgridflow.domain.reported import Breakdown, ReportedEmission, decimal_of, kilograms
from offgridflow.settings import Strict

_UNIT: Final = "kgCO2e"
_FIRST: Final = "0000-00"
_LAST: Final = "9999-99"
_TEXTS: Final[Mapping[str, str]] = {
    "billing_account_id": "billing_account_id",
    "project_id": "project.id",
    "project_number": "project.number",
    "service_id": "service.id",
    "service_name": "service.description",
    "region": "location.region",
    "location": "location.location",
    "model_version": "carbon_model_version",
}
_NUMBERS: Final[Mapping[str, str]] = {
    "scope1": "carbon_footprint_kgCO2e.scope1",
    "scope2_location": "carbon_footprint_kgCO2e.scope2.location_based",
    "scope2_market": "carbon_footprint_kgCO2e.scope2.market_based",
    "scope3": "carbon_footprint_kgCO2e.scope3",
    "total_location": "carbon_footprint_total_kgCO2e.location_based",
    "total_market": "carbon_footprint_total_kgCO2e.market_based",
}
_FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "scope1": ("scope_1_kgco2e",),
    "scope2_location": ("scope_2_location_kgco2e",),
    "scope2_market": ("scope_2_market_kgco2e",),
    "scope3": ("scope_3_location_kgco2e", "scope_3_market_kgco2e"),
    "total_location": ("total_location_kgco2e",),
    "total_market": ("total_market_kgco2e",),
}
_REQUIRED: Final = ("usage_month", "carbon_model_version")
_OLD_TOTAL: Final = "carbon_footprint_total_kgCO2e.amount"
"""Of tables from before the market-based figures: the location-based total."""

_MIB: Final = 2**20

PERMISSIONS: Final = (
    Permission(DATA_ROLE, "on the table or its dataset: reads the figures"),
    Permission(JOB_ROLE, "on the project that pays for the queries: starts them"),
)


class GcpCarbonSettings(Strict):
    """Where the export lies and who pays (default: the table's project). Without ``anonymous``: ADC."""

    type: str
    table: str
    project: str | None = None
    location: str | None = None
    maximum_bytes_billed: int = Field(default=1024 * _MIB, ge=10 * _MIB)
    page_size: int = Field(default=10_000, ge=1, le=100_000)
    endpoint_url: str | None = None
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class GcpCarbon:
    """One table ``carbon_footprint``. See ReportConnector."""

    declaration: Declaration
    source: str
    name: TableName
    settings: GcpCarbonSettings
    warehouse: Warehouse

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[FoundReport]:
        """See ReportConnector: one question for all months; the key holds the first and the last one."""
        first, last = (str(since) if since else _FIRST), (str(until) if until else _LAST)
        yield ReportDelivery(self.source, PROVIDER, f"{first}/{last}")

    def fetch_rows(self, delivery: ReportDelivery) -> ReportRows:
        """See ReportConnector. Raises InputError MISSING_COLUMN for a table that is no carbon export."""
        first, _, last = delivery.key.partition("/")
        facts = self.warehouse.table(self.name)
        query = Query("carbon", carbon_sql(facts), {"first": first, "last": last})
        pages = self.warehouse.rows(query, self.settings.page_size)
        return ReportRows(tuple(self._row(row) for page in pages for row in page))

    def check(self) -> CheckReport:
        """Look at the table, and plan the query; nothing is read or billed."""
        facts: list[TableFacts] = []

        def look() -> str:
            facts.append(self.warehouse.table(self.name))
            carbon_sql(facts[0])
            return f"{self.name} is a carbon export"

        def plan() -> str:
            query = Query("carbon", carbon_sql(facts[0]), {"first": _FIRST, "last": _LAST})
            return f"a run reads {self.warehouse.dry_run(query) / _MIB:.1f} MiB"

        step = tried("table", f"{DATA_ROLE} on {self.name}", look)
        steps = (step, tried("jobs", f"{JOB_ROLE} on {self.warehouse.project}", plan)) if step.ok else (step,)
        return CheckReport(self.source, steps)

    def _row(self, row: Mapping[str, Any]) -> ReportedEmission:
        month = row["usage_month"]
        where = f"{self.name} {month}"
        if month is None:
            sentence = f"{self.name} holds figures without a month."
            raise InputError(sentence, action="Run a backfill of the export.", code="NO_PERIOD")
        given = {name: number for name in _NUMBERS if (number := decimal_of(row[name], where)) is not None}
        figures = {
            column: kilograms(given.get(name), _UNIT, where) for name, columns in _FIGURES.items() for column in columns
        }
        return ReportedEmission(
            provider=PROVIDER,
            month=str(Month.parse(month)),
            breakdown=Breakdown.CELL,
            figures=figures,
            sub_account_id=row["project_id"] or row["project_number"] or row["billing_account_id"],
            region_id=row["region"] or row["location"],
            service_name=row["service_name"] or row["service_id"],
            billing_account_id=row["billing_account_id"],
            model_version=row["model_version"],
            unit_given=_UNIT,
            given=given,
        )


def carbon_sql(facts: TableFacts) -> str:
    """Return the query of a table; columns that it lacks are NULL. Raises InputError MISSING_COLUMN."""
    missing = [name for name in _REQUIRED if not facts.has(name)]
    if missing or not any(facts.has(path) for path in (*_NUMBERS.values(), _OLD_TOTAL)):
        sentence = f"{facts.name} lacks the column {(missing or [_NUMBERS['scope1']])[0]}."
        raise InputError(sentence, action="Name the table carbon_footprint of the export.", code="MISSING_COLUMN")
    columns = [_column(facts, path, name) for name, path in {**_TEXTS, **_NUMBERS}.items()]
    return (
        f"SELECT FORMAT_DATE('%Y-%m', usage_month) AS usage_month, {', '.join(columns)} FROM `{facts.name}` "
        f"WHERE usage_month IS NULL OR FORMAT_DATE('%Y-%m', usage_month) BETWEEN @first AND @last"
    )


def _column(facts: TableFacts, path: str, name: str) -> str:
    if not facts.has(path) and name == "total_location" and facts.has(_OLD_TOTAL):
        path = _OLD_TOTAL
    return f"CAST({path if facts.has(path) else 'NULL'} AS STRING) AS {name}"


def _connector(settings: GcpCarbonSettings, around: Surroundings) -> GcpCarbon:
    name = TableName.parse(settings.table)
    project = settings.project or name.project
    maker = client_maker(project, settings.location, settings.endpoint_url, anonymous=settings.anonymous)
    warehouse = Warehouse(maker, around.door, project, settings.maximum_bytes_billed, location=settings.location)
    return GcpCarbon(_DECLARATION, around.source, name, settings, warehouse)


_DECLARATION: Final = Declaration(
    "gcp_carbon",
    "Google Cloud Carbon Footprint export in BigQuery",
    PROVIDER,
    GcpCarbonSettings,
    ("bigquery",),
    PERMISSIONS,
)

CARBON: Final = ReportKind(_DECLARATION, _connector)
