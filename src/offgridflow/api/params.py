"""The parameters of every route as strict models: unknown names are refused, bounds are in the OpenAPI document."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from offgridflow.api.formats import Form
from offgridflow.api.problems import ApiError, Code, FieldProblem
from offgridflow.api.service import Question
from offgridflow.api.targets import MOST_BYTES
from offgridflow.reports.reported import REPORTED_KEYS
from offgridflow.reports.scope import GroupKey

MOST_ROWS: Final = 10_000
MOST_ACTIVITIES: Final = 1_000
_DATE: Final = r"^(19|20)\d{2}-(0[1-9]|1[0-2])(-(0[1-9]|1\d|2[0-8]|29|30|31))?$"

Day = Annotated[str, StringConstraints(pattern=_DATE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MOST_CHARACTERS: Final = MOST_BYTES
"""Of a name: what an address may hold, so that every name of a bill that fits one can be asked for."""
Filter = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(:[^=]{1,512})?=[^\x00]*$", max_length=MOST_CHARACTERS)]
Values = list[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=MOST_CHARACTERS)]]
LongName = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
Keys = Annotated[str, StringConstraints(max_length=1200)]
Pair = Annotated[str, StringConstraints(pattern=r"^[^:\x00]{1,100}:[^:\x00]{1,100}$")]


class Strict(BaseModel):
    """Parameters that refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class AsOf(Strict):
    """Which version of the ledger, and in which format."""

    version: int | None = Field(None, ge=0, le=2**53, description="Version of the ledger; else the newest.")
    as_of: AwareDatetime | None = Field(None, description="The ledger as it was at this instant.")
    format: Form | None = Field(None, description="Instead of the Accept header.")


class Filtered(Strict):
    """Only rows with these values. A key may stand several times: a row passes that has one of its values."""

    where: list[Filter] = Field(default=[], max_length=20, description="key=value, tag:KEY=value; empty means unknown.")
    provider: Values = Field(default=[], max_length=20, description="Same as where=provider=VALUE; so are the others.")
    billing_account_id: Values = Field(default=[], max_length=20)
    sub_account_id: Values = Field(default=[], max_length=20)
    region_id: Values = Field(default=[], max_length=20)
    service_name: Values = Field(default=[], max_length=20)
    service_category: Values = Field(default=[], max_length=20)
    sku_id: Values = Field(default=[], max_length=20)
    sku_meter: Values = Field(default=[], max_length=20)
    operation: Values = Field(default=[], max_length=20)
    consumed_unit: Values = Field(default=[], max_length=20)
    instance_type: Values = Field(default=[], max_length=20)
    resource_id: Values = Field(default=[], max_length=20)
    billing_period: Values = Field(default=[], max_length=20)
    month: Values = Field(default=[], max_length=20)
    day: Values = Field(default=[], max_length=20)
    method: Values = Field(default=[], max_length=20)
    status: Values = Field(default=[], max_length=20)
    reason: Values = Field(default=[], max_length=20)
    coverage_bucket: Values = Field(default=[], max_length=20)
    source: Values = Field(default=[], max_length=20)
    billing_currency: Values = Field(default=[], max_length=20)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return all filters as (key, value), each once and in order."""
        named = [(key.value, value) for key in GroupKey for value in getattr(self, key.value)]
        return tuple(sorted({*pairs_of(self.where), *named}))


class Cells(AsOf, Filtered):
    """Which usage rows: charge days and equal values."""

    date_from: Day | None = Field(None, alias="from", description="First month or day, UTC, inclusive.")
    date_to: Day | None = Field(None, alias="to", description="Last month or day, UTC, inclusive.")

    def question(self, by: str = "") -> Question:
        """Return what is asked for."""
        keys = tuple(name for name in (part.strip() for part in by.split(",")) if name)
        return Question(keys, self.date_from, self.date_to, self.pairs())


def pairs_of(items: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read ``key=value`` items, each once and in order; the value may hold further equal signs."""
    said = (item.partition("=") for item in items)
    return tuple(sorted({(key, value) for key, _, value in said}))


class Paged(Strict):
    """Which page."""

    limit: int = Field(1000, ge=1, le=MOST_ROWS, description="Rows of a page.")
    cursor: str | None = Field(None, max_length=200, description="`next` of the page before.")


class EmissionsQuery(Cells, Paged):
    """Totals by any keys."""

    by: Keys = Field("", description="Keys, separated by commas; none for the total alone.")
    sort: str | None = Field(None, max_length=60, description="Column to sort by; a minus before it for falling.")
    top: int | None = Field(None, ge=1, le=MOST_ROWS, description="Only the first rows in this order.")
    compare: bool = Field(default=False, description="Set the period of equal length before beside each row.")


class ActivitiesQuery(Cells):
    """Rows of the ledger."""

    limit: int = Field(100, ge=1, le=MOST_ACTIVITIES, description="Rows of a page.")
    cursor: str | None = Field(None, max_length=200, description="`next` of the page before.")


class ExportQuery(Cells):
    """Rows of the ledger as FOCUS with x_ columns, all of them."""


class CoverageQuery(Cells):
    """Coverage."""


class RatesQuery(AsOf, Paged):
    """The rate card."""

    where: list[Filter] = Field(default=[], max_length=20, description="key=value; empty means unknown.")
    search: Name | None = Field(None, description="Part of a meter, service, SKU id or description.")


class ExplainQuery(Cells):
    """What to explain."""

    name: LongName | None = Field(None, description="SKU id, meter, instance type or resource id, exactly.")
    most: int = Field(5, ge=1, le=50, description="SKUs to explain, the largest first.")


class WhatIfQuery(Cells):
    """What to change; each as OLD:NEW, and at least one."""

    by: Keys = Field("provider,service_name", description="Keys, separated by commas.")
    region: Pair | None = Field(None, description="Region; an OLD of * is every region.")
    family: Pair | None = Field(None, description="Instance family.")
    storage: Pair | None = Field(None, description="Storage class.")
    table: Literal["rows", "moves"] = Field(
        "rows", description="What tables (CSV, Parquet, ...) hold: groups, or the SKUs that change with their prices."
    )


class Months(AsOf):
    """First and last month."""

    date_from: Annotated[str, StringConstraints(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$")] | None = Field(
        None, alias="from", description="First month, inclusive."
    )
    date_to: Annotated[str, StringConstraints(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$")] | None = Field(
        None, alias="to", description="Last month, inclusive."
    )


class MonthsQuery(Months):
    """Months and keys of a reconciliation."""

    by: Keys = Field("month,provider", description="Keys: month, provider, sub_account_id, region_id, service_name.")


class ReportedQuery(Months, Paged):
    """The providers' own figures. A key may stand several times: a row passes that has one of its values."""

    source: Values = Field(default=[], max_length=20)
    provider: Values = Field(default=[], max_length=20, description="Empty means unknown, for every key.")
    month: Values = Field(default=[], max_length=20)
    breakdown: Values = Field(default=[], max_length=20, description="Each breakdown tells of the same emissions.")
    billing_account_id: Values = Field(default=[], max_length=20)
    sub_account_id: Values = Field(default=[], max_length=20)
    region_id: Values = Field(default=[], max_length=20)
    service_name: Values = Field(default=[], max_length=20)
    resource_id: Values = Field(default=[], max_length=20)
    resource_group: Values = Field(default=[], max_length=20)
    model_version: Values = Field(default=[], max_length=20)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return all filters as (key, value), each once and in order."""
        return tuple(sorted({(key, value) for key in REPORTED_KEYS for value in getattr(self, key)}))


class InventoryQuery(AsOf):
    """A calendar year."""

    year: int = Field(ge=1990, le=2100, description="Calendar year of the charge days, UTC.")
    functional_units: float | None = Field(None, gt=0, le=1e15, description="R of a Software Carbon Intensity.")
    unit: Name | None = Field(None, description="Name of the functional unit.")


class ListQuery(Paged, AsOf):
    """A list."""


class RunsQuery(Paged):
    """The list of runs."""


class RunRequest(Strict):
    """What to ingest. Only paths (`api.paths`) and sources of the settings are ever read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"full": False, "from": "2025-06", "to": "2025-06"}]}
    )

    date_from: Annotated[str, StringConstraints(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$")] | None = Field(
        None, alias="from", description="First billing period, inclusive."
    )
    date_to: Annotated[str, StringConstraints(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$")] | None = Field(
        None, alias="to", description="Last billing period, inclusive."
    )
    full: bool = Field(default=False, strict=True, description="Read again what is unchanged.")
    replace: bool = Field(
        default=False, strict=True, description="Let a delivery replace one of more than twice its lines."
    )


def usage(*, parameter: str, sentence: str) -> ApiError:
    """Return the error about one parameter."""
    return ApiError(
        Code.USAGE,
        f"The parameter {parameter} cannot be used. {sentence}",
        action="Correct it; /docs lists all parameters.",
        fields=[FieldProblem(parameter, sentence)],
    )
