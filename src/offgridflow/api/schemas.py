"""The shapes of answers, for the OpenAPI document. Answers are rendered from reports, which keep full decimals.

Tests hold the two together: every answer of every route is checked against these schemas.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Row = dict[str, Any]
"""Keys of the question, then figures; unknown ones are null."""

_TOTALS_EXAMPLE: JsonValue = {
    "rows": [
        {
            "provider": "aws",
            "billing_currency": "USD",
            "energy_kwh": 4120.5,
            "operational_location_kgco2e": 1510.2,
            "operational_market_kgco2e": None,
            "embodied_kgco2e": 260.1,
            "total_kgco2e": 1770.3,
            "total_low_kgco2e": 690.4,
            "total_high_kgco2e": 3600.8,
            "water_l": None,
            "market_coverage": 0,
            "water_coverage": 0,
            "billed_cost": 51234.56,
            "effective_cost": 51234.56,
            "line_items": 12001,
        }
    ],
    "total": [],
    "impact_total": {"total_kgco2e": 1770.3},
    "excluded": {"tax": {"billing_currency": "USD", "line_items": 21, "billed_cost": 18370.32}},
    "quarantined": {},
    "coverage": {
        "cost": {"estimated": 0.845, "fallback": 0, "not_estimated": 0.155},
        "line_items": {"estimated": 0.9, "fallback": 0, "not_estimated": 0.1},
    },
    "factor_set": "offgridflow-2026.11",
    "ledger_version": 9,
    "next": None,
}


class Answer(BaseModel):
    """An answer; further fields may be added in later versions."""

    model_config = ConfigDict(extra="allow")


class FieldProblem(BaseModel):
    """What is wrong with one parameter."""

    where: str
    detail: str


class Problem(Answer):
    """Every failure (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "/docs#busy",
                    "title": "Too many queries at once",
                    "status": 503,
                    "detail": "2 queries run and 16 wait already.",
                    "code": "BUSY",
                    "action": "Try again in 10 s.",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    action: str
    errors: list[FieldProblem] | None = None


class Page(Answer):
    """A page: `next` is null at the end."""

    next: str | None


class Emissions(Page):
    """Totals in the shape of `offgridflow report --format json`, and `next`; `previous` where it was asked for."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_TOTALS_EXAMPLE]})

    rows: list[Row]
    total: list[Row]
    impact_total: Row
    excluded: dict[str, Row]
    quarantined: dict[str, Row] | None
    coverage: Row
    factor_set: str | None
    ledger_version: int


class Rows(Page):
    """Rows of a version of the ledger."""

    rows: list[Row]
    ledger_version: int


class Rates(Page):
    """Rates, per ONE consumed unit."""

    rates: list[Row]
    ledger_version: int


class Coverage(Answer):
    """Buckets A to F, statuses, reasons, units and the dearest SKUs that were not estimated."""

    headline: Row
    buckets: list[Row]
    statuses: list[Row]
    reasons: list[Row]
    assumptions: list[Row]
    units: list[Row]
    top_not_estimated: list[Row]
    possible_omission: list[Row]
    by_spend: list[Row]
    factor_set: str | None
    ledger_version: int


class Explained(Answer):
    """SKUs with usage, rate, arithmetic and factors; `others` counts those that are not shown."""

    skus: list[Row]
    others: int
    ledger_version: int


class Compared(Answer):
    """Totals before and after a change, both rated with today's factors and settings.

    Totals that lack use without a rate after the change are null; `without_rate` says how much use, and why.
    Each move says how its price was found (`price_basis`), and of a price list where it stands (`price_source`).
    """

    rows: list[Row]
    impact_total: Row
    without_rate: list[Row]
    changed_skus: int
    ledger_version: int


class Reconciled(Answer):
    """Our estimate beside the provider's own figures."""

    rows: list[Row]
    ledger_version: int


class Inventory(Answer):
    """The GHG inventory of a year."""

    ledger_version: int


class Source(Answer):
    """A source with what is live of it: billing periods (`kind` bill) and months of a provider's report (report)."""

    source: str
    type: str
    provider: str | None
    newest_period: str | None
    line_items: int
    last_committed_at: str | None
    periods: list[Row]


class Sources(Page):
    """Sources, configured or found in the ledger."""

    sources: list[Source]
    ledger_version: int


class FactorSet(Answer):
    """A factor set: its digest, publishers and licences."""

    name: str
    version: str | None = None


class FactorSets(Page):
    """The factor set of this version of OffGridFlow."""

    factor_sets: list[FactorSet]


class Run(Answer):
    """A run: asked for here, or noted in the history of the ledger (command line, schedule)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "run_id": "5f2c9a0d1b3e4f60",
                    "state": "running",
                    "asked_by": "ci",
                    "created_at": "2026-11-24T18:00:00+00:00",
                    "started_at": "2026-11-24T18:00:00+00:00",
                    "finished_at": None,
                    "stage": "commit 1/3 aws/111 2026-10",
                    "cancel_asked": False,
                    "parameters": {"full": False, "replace": False, "from": None, "to": None},
                    "result": None,
                    "error": None,
                }
            ]
        },
    )

    run_id: str
    state: str
    asked_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    stage: str | None
    cancel_asked: bool
    parameters: Row | None
    result: Row | None
    error: Row | None


class RunList(Page):
    """Runs, the newest first."""

    runs: list[Run]


class History(Page):
    """What was done to the ledger, the newest first."""

    history: list[Row]


class Health(Answer):
    """How the server is."""

    status: str = Field(examples=["ok"])
    ledger_version: int | None = None
