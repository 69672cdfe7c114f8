"""The columns of every table that the API answers with: names and types, whatever its rows hold.

A month without a value has the columns of a month with one, so that files of several months can be joined. Types are
those of ``formats``: nested values are text (JSON).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from offgridflow.domain.model import DECIMAL
from offgridflow.ledger.tables import EMISSIONS, QUARANTINE, RATES, TABLES
from offgridflow.reports.previous import COMPARED
from offgridflow.reports.rates import RATE_FIELDS
from offgridflow.reports.reconcile import CELL_KEYS
from offgridflow.reports.reported import REPORTED_COLUMNS
from offgridflow.reports.scope import keys_of
from offgridflow.reports.totals import MARKET_COVERAGE, REPORT_IMPACTS, WATER_COVERAGE

Columns = Mapping[str, str]
"""Name to type: VARCHAR, BIGINT, DOUBLE, BOOLEAN, TIMESTAMPTZ or DECIMAL(38,15)."""

_TEXT, _COUNT, _FLOAT, _FLAG, _INSTANT = "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMPTZ"
_KINDS: Final = {
    "BIGINT": _COUNT,
    "DOUBLE": _FLOAT,
    "BOOLEAN": _FLAG,
    "TIMESTAMP WITH TIME ZONE": _INSTANT,
    DECIMAL: DECIMAL,
}


def _flat(columns: Columns) -> dict[str, str]:
    """Return columns of the ledger as they leave: all but plain values as text."""
    return {name: _KINDS.get(kind, _TEXT) for name, kind in columns.items()}


def _texts(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, _TEXT)


def _figures(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, DECIMAL)


ACTIVITIES: Final[Columns] = _flat(TABLES[EMISSIONS].all_columns)
UNREADABLE_LINES: Final[Columns] = _flat(TABLES[QUARANTINE].all_columns)
PUBLISHED: Final[Columns] = _flat(REPORTED_COLUMNS)
RATE_CARD: Final[Columns] = {name: _flat(TABLES[RATES].columns)[name] for name in RATE_FIELDS}
COVERAGE_BUCKETS: Final[Columns] = {
    **_texts("billing_currency", "coverage_bucket"),
    "cost": DECIMAL,
    "line_items": _COUNT,
    **_figures("total_kgco2e", "cost_share", "line_share"),
}
SENSITIVITY_GROUPS: Final[Columns] = {
    "group": _TEXT,
    **_figures("low_kgco2e", "high_kgco2e", "fall_kgco2e", "rise_kgco2e"),
}
STEPS: Final[Columns] = {
    **_texts("provider", "service_name", "sku_meter", "region_id", "month", "period", "step", "expression"),
    "value": _FLOAT,
    **_texts("unit", "factor_ids", "number", "kind", "name"),
    **dict.fromkeys(("low", "high"), _FLOAT),
    **_texts("source", "source_ref", "licence"),
}
INVENTORY: Final[Columns] = _texts("part", "provider", "name", "value", "unit")
"""Some values of an inventory are words."""
SOURCE_PERIODS: Final[Columns] = {
    **_texts("source", "type", "kind", "billing_period", "format", "committed_at"),
    "line_items": _COUNT,
    **_texts("fingerprint", "factor_set", "run_id", "commit_id"),
}
HISTORY: Final[Columns] = {"version": _COUNT, **_texts("at", "action", "source", "billing_period", "commit_id")}
FACTOR_SOURCES: Final[Columns] = _texts("source_id", "name", "source_ref", "licence", "vintage", "attribution")
RUNS: Final[Columns] = {
    **_texts("run_id", "state", "asked_by", "created_at", "started_at", "finished_at", "stage"),
    "cancel_asked": _FLAG,
    **_texts("parameters", "result", "error"),
}


def emissions(by: Sequence[str], *, is_compared: bool) -> Columns:
    """Return the columns of totals by keys, beside the period before or not. Raises UsageError for an unknown key."""
    before = {f"{prefix}{name}{suffix}": DECIMAL for name in COMPARED for prefix, suffix in _BESIDE}
    return {
        **_texts(*(key.name for key in keys_of(by)), "billing_currency"),
        **_figures(*REPORT_IMPACTS, MARKET_COVERAGE, WATER_COVERAGE, "billed_cost", "effective_cost"),
        "line_items": _COUNT,
        **(before if is_compared else {}),
    }


_BESIDE: Final = (("previous_", ""), ("", "_change"))


def what_if(by: Sequence[str]) -> Columns:
    """Return the columns of a what-if's groups, by keys."""
    sides = [f"{name}_{side}" for name in ("energy_kwh", "total_kgco2e") for side in ("before", "after", "difference")]
    costs = ("before", "after", "after_low", "after_high", "difference", "moved", "priced_before", "priced_after")
    return {
        **_texts(*(key.name for key in keys_of(by)), "billing_currency"),
        **_figures(*sides, "total_kgco2e_without_rate"),
        **_figures(*(f"cost_{name}" for name in costs), "cost_without_price"),
    }


_SKU_NAMES: Final = ("sku_meter", "region_id", "instance_type")
MOVES: Final[Columns] = {
    **_texts("provider", "service_name"),
    **_texts(*(f"{name}_{side}" for side in ("before", "after") for name in _SKU_NAMES)),
    **_texts("consumed_unit", "billing_currency"),
    **_figures("cost_before", "cost_after"),
    **dict.fromkeys(("unit_price", "unit_price_low", "unit_price_high"), _FLOAT),
    "price_basis": _TEXT,
    "price_observations": _COUNT,
    **_texts("price_source", "reason", "rate_reason"),
}


def reconciled(by: Sequence[str]) -> Columns:
    """Return the columns of estimate beside report, by keys."""
    return {
        **_texts(*(key for key in by if key in CELL_KEYS)),
        **_figures(
            "estimate_direct_kgco2e",
            "reported_scope_2_location_kgco2e",
            "direct_ratio",
            "direct_difference_kgco2e",
            "estimate_total_kgco2e",
            "reported_total_location_kgco2e",
            "total_ratio",
            "total_difference_kgco2e",
            "estimate_market_kgco2e",
            "reported_scope_2_market_kgco2e",
            "reported_total_market_kgco2e",
            "reported_total_unspecified_kgco2e",
            "reported_scope_2_unspecified_kgco2e",
        ),
        **_texts("model_versions", "reasons"),
    }
