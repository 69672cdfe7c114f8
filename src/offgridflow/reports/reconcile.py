"""Our estimate beside the provider's own figure, cell by cell, with the likely reasons for the difference.

Location-based figures are compared at the direct boundary (the provider's scope 2), totals at the full boundary.
Location- and market-based figures stand side by side and are never added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import DECIMAL
from offgridflow.domain.periods import Month
from offgridflow.reports.figures import Row, difference, ratio, total_of
from offgridflow.reports.records import records
from offgridflow.reports.reported import REPORTED_FIGURES, reported_rows
from offgridflow.reports.scope import MONTH_SQL
from offgridflow.reports.totals import COST_WEIGHT, UNKNOWN_PROVENANCE, Provenance

if TYPE_CHECKING:
    import duckdb

CELL_KEYS: Final = ("month", "provider", "sub_account_id", "region_id", "service_name")
"""What estimate and report are compared by, unless fewer are asked for."""

_OVERHEAD: Final = (Decimal("0.7"), Decimal("1.45"))
"""Ratios that provider overhead (1.00 to 1.30), PUE and utilisation alone can explain."""


class Why(StrEnum):
    """Likely reasons why an estimate and a provider's figure differ."""

    NOT_REPORTED = "not_reported"
    NOT_ESTIMATED = "not_estimated"
    PARTLY_ESTIMATED = "partly_estimated"
    OVERHEAD = "overhead"
    MARKET_ZERO = "market_zero"
    BOUNDARY_UNKNOWN = "boundary_unknown"
    METHOD_UNSPECIFIED = "method_unspecified"
    BELOW_ROUNDING = "below_rounding"
    NEGATIVE_CORRECTION = "negative_correction"
    SEVERAL_MODEL_VERSIONS = "several_model_versions"


WHY_MEANINGS: Final[dict[Why, str]] = {
    Why.NOT_REPORTED: "the provider does not assess this service, region or account",
    Why.NOT_ESTIMATED: "nothing of this could be estimated from the bill",
    Why.PARTLY_ESTIMATED: "a part of this use could not be estimated",
    Why.OVERHEAD: "the difference lies within provider overhead, PUE and utilisation",
    Why.MARKET_ZERO: "the provider counts its energy contracts as zero",
    Why.BOUNDARY_UNKNOWN: "the direct part of our grid factor is not known; compare the totals",
    Why.METHOD_UNSPECIFIED: "the provider does not say whether scope 2 is location- or market-based",
    Why.BELOW_ROUNDING: "the provider rounds this to zero",
    Why.NEGATIVE_CORRECTION: "the provider corrects an earlier month",
    Why.SEVERAL_MODEL_VERSIONS: "months of different model versions stand side by side",
}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Cells with estimate, report, ratio, difference and reasons; then one total per provider."""

    keys: tuple[str, ...]
    rows: tuple[dict[str, object], ...]
    totals: tuple[dict[str, object], ...]
    provenance: Provenance

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        meanings = {why.value: meaning for why, meaning in WHY_MEANINGS.items()}
        return {
            "rows": list(self.rows),
            "totals": list(self.totals),
            "meanings": meanings,
            **self.provenance.to_json(),
        }


def months_of(first: str | None, last: str | None) -> tuple[str, str]:
    """Return first and last month, checked; all months where None. Raises UsageError for anything but YYYY-MM."""
    for text in (first, last):
        try:
            _ = text is None or Month.parse(text)
        except ValueError as error:
            sentence = f"{error}."
            raise UsageError(sentence, action="Providers publish whole months.") from error
    if first is not None and last is not None and last < first:
        sentence = f"The last month {last} lies before the first month {first}."
        raise UsageError(sentence, action="Swap the two.")
    return first or "0000-00", last or "9999-99"


def reconcile(
    con: "duckdb.DuckDBPyConnection",
    first: str | None = None,
    last: str | None = None,
    keys: Sequence[str] = CELL_KEYS,
    *,
    provenance: Provenance = UNKNOWN_PROVENANCE,
) -> Reconciliation:
    """Return estimate against report for the months ``first`` to ``last`` (YYYY-MM, inclusive) by ``keys``."""
    unknown = [key for key in keys if key not in CELL_KEYS]
    if unknown or "provider" not in keys:
        sentence = f"Figures cannot be reconciled by {', '.join(keys) or 'nothing'}."
        raise UsageError(sentence, action=f"Use provider and any of {', '.join(CELL_KEYS)}.")
    months = months_of(first, last)
    ours = {_cell(row, keys): row for row in _estimates(con, months, keys)}
    published = reported_rows(con, *months)
    theirs = _grouped(published, keys)
    cells = sorted({*ours, *theirs}, key=str)
    rows = [_compared(keys, cell, ours.get(cell), theirs.get(cell)) for cell in cells]
    providers = {cell: _total(cell, rows, published) for cell in sorted({str(row["provider"]) for row in rows})}
    return Reconciliation(tuple(keys), tuple(rows), tuple(providers.values()), provenance)


_Cell = tuple[object, ...]
_RATED: Final = "total_kgco2e IS NOT NULL"


def _sum(name: str) -> str:
    return f"sum({name}::{DECIMAL}) AS {name}"


def _known(name: str) -> str:
    """Return the sum of a column that is null unless it is known for every estimated row."""
    return f"CASE WHEN bool_and({name} IS NOT NULL) FILTER ({_RATED}) THEN sum({name}::{DECIMAL}) END AS {name}"


def _estimates(con: "duckdb.DuckDBPyConnection", months: tuple[str, str], keys: Sequence[str]) -> list[dict[str, Any]]:
    return records(
        con,
        f"WITH usage AS (SELECT *, {MONTH_SQL} AS month, {COST_WEIGHT} AS weight FROM emissions "
        f"WHERE charge_class = 'usage') SELECT {', '.join(keys)}, {_known('operational_direct_kgco2e')}, "
        f"{_known('operational_market_kgco2e')}, {_sum('total_kgco2e')}, {_known('total_market_kgco2e')}, "
        f"coalesce(sum(weight) FILTER (total_kgco2e IS NULL), 0) AS unrated_cost FROM usage "
        f"WHERE month BETWEEN ? AND ? GROUP BY {', '.join(keys)}",
        months,
    )


def _cell(row: Mapping[str, object], keys: Sequence[str]) -> _Cell:
    return tuple(row[key] for key in keys)


def _grouped(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> dict[_Cell, dict[str, Any]]:
    """Return the published figures by cell; a figure is None where no row of the cell has it."""
    groups: dict[_Cell, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_cell(row, keys), []).append(row)
    return {cell: _added(parts) for cell, parts in groups.items()}


def _added(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {name: total_of([part[name] for part in parts]) for name in REPORTED_FIGURES}
    return {**figures, "model_versions": sorted({part["model_version"] or "" for part in parts})}


def _compared(
    keys: Sequence[str],
    cell: _Cell,
    ours: Mapping[str, Any] | None,
    theirs: Mapping[str, Any] | None,
) -> dict[str, object]:
    estimate, report = ours or {}, theirs or {}
    direct, total = estimate.get("operational_direct_kgco2e"), estimate.get("total_kgco2e")
    scope_2, reported = report.get("scope_2_location_kgco2e"), report.get("total_location_kgco2e")
    return {
        **dict(zip(keys, cell, strict=True)),
        "estimate_direct_kgco2e": direct,
        "reported_scope_2_location_kgco2e": scope_2,
        "direct_ratio": ratio(direct, scope_2),
        "direct_difference_kgco2e": difference(direct, scope_2),
        "estimate_total_kgco2e": total,
        "reported_total_location_kgco2e": reported,
        "total_ratio": ratio(total, reported),
        "total_difference_kgco2e": difference(total, reported),
        "estimate_market_kgco2e": estimate.get("operational_market_kgco2e"),
        "reported_scope_2_market_kgco2e": report.get("scope_2_market_kgco2e"),
        "reported_total_market_kgco2e": report.get("total_market_kgco2e"),
        "reported_total_unspecified_kgco2e": report.get("total_unspecified_kgco2e"),
        "reported_scope_2_unspecified_kgco2e": report.get("scope_2_unspecified_kgco2e"),
        "model_versions": report.get("model_versions", []),
        "reasons": [why.value for why in _reasons(ours, theirs)],
    }


def _reasons(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> list[Why]:
    if theirs is None:
        return [Why.NOT_REPORTED]
    found = _reasons_of_report(theirs)
    if ours is None or ours["total_kgco2e"] is None:
        return [Why.NOT_ESTIMATED, *found]
    if ours["unrated_cost"] > 0:
        found.append(Why.PARTLY_ESTIMATED)
    if ours["operational_direct_kgco2e"] is None:
        found.append(Why.BOUNDARY_UNKNOWN)
    if theirs["total_location_kgco2e"] == 0 < ours["total_kgco2e"]:
        found.append(Why.BELOW_ROUNDING)
    compared = ratio(ours["operational_direct_kgco2e"], theirs["scope_2_location_kgco2e"])
    if compared is not None and _OVERHEAD[0] <= compared <= _OVERHEAD[1]:
        found.append(Why.OVERHEAD)
    return found


def _reasons_of_report(theirs: Mapping[str, Any]) -> list[Why]:
    location, market = theirs["scope_2_location_kgco2e"], theirs["scope_2_market_kgco2e"]
    names = ("total_location_kgco2e", "total_market_kgco2e", "total_unspecified_kgco2e")
    totals = [theirs[name] for name in names]
    reasons = {
        Why.MARKET_ZERO: market == 0 and location is not None and location > 0,
        Why.METHOD_UNSPECIFIED: theirs["scope_2_unspecified_kgco2e"] is not None,
        Why.NEGATIVE_CORRECTION: any(total is not None and total < 0 for total in totals),
        Why.SEVERAL_MODEL_VERSIONS: len(theirs["model_versions"]) > 1,
    }
    return [why for why, holds in reasons.items() if holds]


def _total(
    provider: str, rows: Sequence[Mapping[str, object]], published: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    """Return the totals of a provider over the cells that both sides have, so that like is compared with like."""
    both = [row for row in rows if row["provider"] == provider and _is_in_both(row)]
    sums: Row = {name: _added_up(row[name] for row in both) for name in _TOTALS}
    versions = sorted({row["model_version"] or "" for row in published if row["provider"] == provider})
    return {
        "provider": provider,
        "cells": len(both),
        "cells_only_estimated": sum(Why.NOT_REPORTED in _list(row) for row in rows if row["provider"] == provider),
        "cells_only_reported": sum(Why.NOT_ESTIMATED in _list(row) for row in rows if row["provider"] == provider),
        **sums,
        "direct_ratio": _ratio(sums, "estimate_direct_kgco2e", "reported_scope_2_location_kgco2e"),
        "total_ratio": _ratio(sums, "estimate_total_kgco2e", "reported_total_location_kgco2e"),
        "model_versions": versions,
    }


_TOTALS: Final = (
    "estimate_direct_kgco2e",
    "reported_scope_2_location_kgco2e",
    "estimate_total_kgco2e",
    "reported_total_location_kgco2e",
)


def _is_in_both(row: Mapping[str, object]) -> bool:
    return not {Why.NOT_REPORTED, Why.NOT_ESTIMATED} & set(_list(row))


def _list(row: Mapping[str, object]) -> list[str]:
    reasons = row["reasons"]
    return reasons if isinstance(reasons, list) else []


def _added_up(values: Iterable[object]) -> Decimal | None:
    """Return a sum that is None unless every part is known."""
    parts = [value if isinstance(value, Decimal) else None for value in values]
    return None if None in parts else total_of(parts)


def _ratio(sums: Row, one: str, other: str) -> Decimal | None:
    first, second = sums[one], sums[other]
    return ratio(first, second) if isinstance(first, Decimal) and isinstance(second, Decimal) else None
