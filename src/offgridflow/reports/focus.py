"""The ledger's rows as FOCUS 1.2: its column names, and ours beside them with the prefix ``x_``."""

from typing import Final

from offgridflow.domain.model import IMPACT_COLUMNS
from offgridflow.reports.scope import Scope

_START: Final = "charge_period_start AT TIME ZONE 'UTC'"
_PERIOD: Final = "strptime(billing_period || '-01', '%Y-%m-%d')"
_INSTANT: Final = "'%Y-%m-%dT%H:%M:%SZ'"

FOCUS_COLUMNS: Final[dict[str, str]] = {
    "BillingAccountId": "billing_account_id",
    "BillingPeriodStart": f"strftime({_PERIOD}, {_INSTANT})",
    "BillingPeriodEnd": f"strftime({_PERIOD} + INTERVAL 1 MONTH, {_INSTANT})",
    "ChargePeriodStart": f"strftime({_START}, {_INSTANT})",
    "ChargeCategory": (
        "CASE charge_class WHEN 'usage' THEN 'Usage' WHEN 'tax' THEN 'Tax' WHEN 'credit' THEN 'Credit' "
        "WHEN 'refund' THEN 'Credit' WHEN 'purchase' THEN 'Purchase' WHEN 'commitment_fee' THEN 'Purchase' "
        "WHEN 'fee' THEN 'Purchase' ELSE 'Adjustment' END"
    ),
    "ProviderName": "provider",
    "SubAccountId": "sub_account_id",
    "SubAccountName": "sub_account_name",
    "RegionId": "region_id",
    "ServiceCategory": "service_category",
    "ServiceName": "service_name",
    "SkuId": "sku_id",
    "SkuMeter": "sku_meter",
    "ChargeDescription": "description",
    "ResourceId": "resource_id",
    "ConsumedQuantity": "consumed_quantity",
    "ConsumedUnit": "consumed_unit",
    "BilledCost": "billed_cost",
    "EffectiveCost": "effective_cost",
    "BillingCurrency": "billing_currency",
    "Tags": "CASE WHEN cardinality(tags) > 0 THEN tags::JSON::VARCHAR END",
}
"""FOCUS column to SQL over a row of emissions. A row is a group of lines of one hour, day or month, so that no
ChargePeriodEnd, price or commitment columns stand here."""

EXTENSION_COLUMNS: Final[dict[str, str]] = {
    **{f"x_{name}": name for name in IMPACT_COLUMNS},
    "x_status": "status",
    "x_reason": "reason",
    "x_method": "method",
    "x_coverage_bucket": "coverage_bucket",
    "x_assumptions": "array_to_string(assumptions, ' ')",
    "x_rate_id": "rate_id",
    "x_charge_class": "charge_class",
    "x_line_items": "line_items",
    "x_source": "source",
    "x_commit_id": "commit_id",
}
_NUMBERS: Final = frozenset(
    {"ConsumedQuantity", "BilledCost", "EffectiveCost", "x_line_items", *(f"x_{name}" for name in IMPACT_COLUMNS)},
)
_RISKY: Final = "[=+\\-@\\t\\r\\n\\x00]"


def focus_query(scope: Scope, *, for_spreadsheets: bool = False) -> tuple[str, list[object]]:
    """Return the query of the rows in ``scope``, usage and excluded ones, and its parameters.

    ``for_spreadsheets`` puts an apostrophe before every text that a spreadsheet would run as a formula.
    """
    condition, values = scope.where()
    columns = ", ".join(
        f'{_guarded(sql) if for_spreadsheets and name not in _NUMBERS else sql} AS "{name}"'
        for name, sql in {**FOCUS_COLUMNS, **EXTENSION_COLUMNS}.items()
    )
    return f"SELECT {columns} FROM {scope.view} WHERE {condition}", values


def _guarded(sql: str) -> str:
    return f"CASE WHEN regexp_matches(({sql})::VARCHAR, '^{_RISKY}') THEN '''' || ({sql}) ELSE ({sql}) END"
