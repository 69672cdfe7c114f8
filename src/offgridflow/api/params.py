"""The parameters of every route as strict models: unknown names are refused, bounds are in the OpenAPI document."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from offgridflow.api.formats import Form
from offgridflow.api.problems import ApiError, Code, FieldProblem
from offgridflow.api.service import Question

MOST_ROWS: Final = 10_000
MOST_ACTIVITIES: Final = 1_000
_DATE: Final = r"^(19|20)\d{2}-(0[1-9]|1[0-2])(-(0[1-9]|1\d|2[0-8]|29|30|31))?$"

Day = Annotated[str, StringConstraints(pattern=_DATE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Filter = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(:[^=]{1,128})?=[^\x00]{0,512}$", max_length=700)]
Keys = Annotated[str, StringConstraints(max_length=400)]
Pair = Annotated[str, StringConstraints(pattern=r"^[^:\x00]{1,100}:[^:\x00]{1,100}$")]


class Strict(BaseModel):
    """Parameters that refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class AsOf(Strict):
    """Which version of the ledger, and in which format."""

    version: int | None = Field(None, ge=0, le=2**53, description="Version of the ledger; else the newest.")
    as_of: AwareDatetime | None = Field(None, description="The ledger as it was at this instant.")
    format: Form | None = Field(None, description="Instead of the Accept header.")


class Cells(AsOf):
    """Which usage rows: charge days and equal values."""

    date_from: Day | None = Field(None, alias="from", description="First month or day, UTC, inclusive.")
    date_to: Day | None = Field(None, alias="to", description="Last month or day, UTC, inclusive.")
    where: list[Filter] = Field(default=[], max_length=20, description="key=value; empty means unknown.")

    def question(self, by: str = "") -> Question:
        """Return what is asked for. Raises ApiError USAGE for a key that is given twice."""
        keys = tuple(name for name in (part.strip() for part in by.split(",")) if name)
        return Question(keys, self.date_from, self.date_to, tuple(sorted(filters_of(self.where).items())))


def filters_of(items: Sequence[str]) -> dict[str, str]:
    """Read ``key=value`` items. Raises ApiError USAGE for a key that is given twice."""
    filters: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        if key in filters:
            raise usage(parameter="where", sentence="A key is given twice.")
        filters[key] = value
    return filters


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

    name: Name | None = Field(None, description="SKU id, meter, instance type or resource id, exactly.")
    most: int = Field(5, ge=1, le=50, description="SKUs to explain, the largest first.")


class WhatIfQuery(Cells):
    """What to change; each as OLD:NEW, and at least one."""

    by: Keys = Field("provider,service_name", description="Keys, separated by commas.")
    region: Pair | None = Field(None, description="Region; an OLD of * is every region.")
    family: Pair | None = Field(None, description="Instance family.")
    storage: Pair | None = Field(None, description="Storage class.")


class MonthsQuery(AsOf):
    """Months and keys of a reconciliation."""

    date_from: Annotated[str, StringConstraints(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$")] | None = Field(
        None, alias="from", description="First month, inclusive."
    )
    date_to: Annotated[str, StringConstraints(pattern=r"^(19|20)\d{2}-(0[1-9]|1[0-2])$")] | None = Field(
        None, alias="to", description="Last month, inclusive."
    )
    by: Keys = Field("month,provider", description="Keys: month, provider, sub_account_id, region_id, service_name.")


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
    """What to ingest. Only paths of the settings (`api.paths`) are ever read."""

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
