"""Totals of the ledger by any keys: impacts with their range, money, lines, what was excluded, and coverage.

Reads the view ``emissions`` (rows of EMISSION_COLUMNS with source, billing_period, commit_id) and, where it is there,
``quarantine``. Impacts are added as decimals, so that the answer does not depend on threads or on the order of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.model import DECIMAL
from offgridflow.domain.reasons import Status
from offgridflow.reports.figures import Row, ratio, shares, total_of
from offgridflow.reports.records import has_table, records
from offgridflow.reports.scope import EMISSIONS, TIME_KEYS, Filters, GroupKey, Key, Scope, keys_of, scope_of

if TYPE_CHECKING:
    import duckdb

REPORT_IMPACTS: Final = (
    "energy_kwh",
    "operational_location_kgco2e",
    "operational_market_kgco2e",
    "embodied_kgco2e",
    "total_kgco2e",
    "total_low_kgco2e",
    "total_high_kgco2e",
    "water_l",
)
MARKET_COVERAGE: Final = "market_coverage"
WATER_COVERAGE: Final = "water_coverage"
COST_WEIGHT: Final = f"greatest(coalesce(billed_cost, 0), coalesce(effective_cost, 0), 0)::{DECIMAL}"
"""Cost weight of a row: max(billed, effective, 0), design.md section 3."""

USAGE_STATUSES: Final = (Status.ESTIMATED, Status.FALLBACK, Status.NOT_ESTIMATED)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which factor sets made the figures, and which version of the ledger was read.

    ``methodology`` names the profile of a view that is not stored; None where the figures are the ledger's own.
    """

    factor_set: str | None = None
    ledger_version: int | None = None
    methodology: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the last keys of every report."""
        own: dict[str, object] = {"factor_set": self.factor_set, "ledger_version": self.ledger_version}
        return own if self.methodology is None else {**own, "methodology": self.methodology}


UNKNOWN_PROVENANCE: Final = Provenance()


@dataclass(frozen=True, slots=True)
class Report:
    """A report in the shape of design.md section 7.

    ``rows`` hold the keys, ``billing_currency``, the impacts (``market_coverage`` and ``water_coverage`` beside those
    that may be unknown for a part), money and lines of usage. ``excluded`` and ``quarantined`` close the gap to the
    invoice; ``quarantined`` is None where a filter makes it unknowable, because unreadable lines have no such value.
    """

    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    total: tuple[Row, ...]
    impact_total: Row
    excluded: Mapping[str, Mapping[str, object]]
    quarantined: Mapping[str, Mapping[str, object]] | None
    coverage: Mapping[str, object]
    provenance: Provenance

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape; numbers are Decimals and counts."""
        return {
            "rows": list(self.rows),
            "total": list(self.total),
            "impact_total": self.impact_total,
            "excluded": self.excluded,
            "quarantined": self.quarantined,
            "coverage": self.coverage,
            **self.provenance.to_json(),
        }


def report(
    con: "duckdb.DuckDBPyConnection",
    by: Sequence[str] = (),
    date_from: str | None = None,
    date_to: str | None = None,
    where: Filters | None = None,
    *,
    provenance: Provenance = UNKNOWN_PROVENANCE,
    view: str = EMISSIONS,
) -> Report:
    """Return totals of the usage rows by the keys ``by``, largest footprint first (by time where a key is a time).

    ``date_from`` and ``date_to`` are YYYY-MM or YYYY-MM-DD, charge days in UTC, inclusive. ``where`` maps keys to
    a value or several; ``view`` is where the rows are read from. Raises UsageError for a key or date that is not known.
    """
    keys = keys_of(by)
    scope = scope_of(date_from, date_to, where or {}, view)
    groups = _groups(con, keys, scope)
    currencies = _by_currency(groups)
    overall = _added(currencies)
    return Report(
        keys=tuple(key.name for key in keys),
        rows=_sorted([_row(keys, line) for line in groups], keys),
        total=tuple(_row((), line) for line in currencies),
        impact_total=_impacts(overall),
        excluded=_excluded(con, scope),
        quarantined=_quarantined(con, scope),
        coverage=_coverage(currencies, overall),
        provenance=provenance,
    )


_Line = dict[str, Any]


def _groups(con: "duckdb.DuckDBPyConnection", keys: Sequence[Key], scope: Scope) -> list[_Line]:
    """Return the sums by keys and currency.

    The engine sums by status too, and what belongs together is added here: a sum for each status, and levels of
    grouping, cost it more in planning than the adding costs.
    """
    names = [f"k{index}" for index in range(len(keys))]
    selected = "".join(f"{key.sql} AS {name}, " for key, name in zip(keys, names, strict=True))
    condition, values = scope.where("usage")
    grouping = ", ".join((*names, "billing_currency", "status"))
    sql = (
        f"WITH base AS (SELECT {selected}{_BASE} FROM {scope.view} WHERE {condition}) "
        f"SELECT {grouping}, {_SUMS} FROM base GROUP BY {grouping}"
    )
    parameters = [value for key in keys for value in key.parameters]
    found = [_by_status(line) for line in records(con, sql, [*parameters, *values])]
    lines = _alike(found, (*names, "billing_currency"))
    return [each[0] if len(each) == 1 else {**each[0], **_added(each)} for each in lines.values()]


def _alike(lines: Sequence[_Line], names: Sequence[str]) -> dict[tuple[Any, ...], list[_Line]]:
    """Return the lines by what stands under some names."""
    found: dict[tuple[Any, ...], list[_Line]] = {}
    for line in lines:
        found.setdefault(tuple(line[name] for name in names), []).append(line)
    return found


def _by_status(line: _Line) -> _Line:
    """Return a line of one status with its cost weight and its lines under the names of that status."""
    status, weight = line.pop("status"), line.pop("weight")
    for name in USAGE_STATUSES:
        line[f"cost_{name}"] = weight if name == status else _NO_MONEY
        line[f"lines_{name}"] = line["line_items"] if name == status else 0
    return line


def _by_currency(groups: Sequence[_Line]) -> list[_Line]:
    """Return the sums of each currency, in the order of their names."""
    lines = {name: each for (name,), each in _alike(groups, ("billing_currency",)).items()}
    return [{**_added(lines[name]), "billing_currency": name} for name in sorted(lines, key=str)]


def _added(lines: Sequence[_Line]) -> _Line:
    """Return the sums of several lines; of none, sums are unknown and counts and weights are zero."""
    known = [line[_ALL_MARKET] for line in lines if line[_ALL_MARKET] is not None]
    return {
        **{name: total_of([line[name] for line in lines]) for name in _NULLABLE},
        **{name: sum((line[name] for line in lines), 0) for name in _COUNTS},
        **{name: total_of([line[name] for line in lines]) or Decimal(0) for name in _WEIGHTS},
        _ALL_MARKET: all(known) if known else None,
    }


_NO_MONEY: Final = Decimal(0)
_RATED: Final = "total_kgco2e IS NOT NULL"
_ALL_MARKET: Final = "knows_all_market"
"""Whether the market-based figure of every rated row is known; None where no row is rated."""
_BASE: Final = (
    f"billing_currency, status, line_items, billed_cost, effective_cost, {COST_WEIGHT} AS weight, "
    + ", ".join(f"{name}::{DECIMAL} AS {name}" for name in REPORT_IMPACTS)
)
_NULLABLE: Final = (*REPORT_IMPACTS, "billed_cost", "effective_cost", "with_market", "with_water")
_WEIGHTS: Final = tuple(f"cost_{name}" for name in USAGE_STATUSES)
_COUNTS: Final = ("line_items", *(f"lines_{name}" for name in USAGE_STATUSES))
_SUMS: Final = ", ".join(
    [
        *(f"sum({name}) AS {name}" for name in (*REPORT_IMPACTS, "billed_cost", "effective_cost", "weight")),
        "coalesce(sum(line_items), 0)::BIGINT AS line_items",
        f"bool_and(operational_market_kgco2e IS NOT NULL) FILTER ({_RATED}) AS {_ALL_MARKET}",
        "sum(operational_location_kgco2e) FILTER (operational_market_kgco2e IS NOT NULL) AS with_market",
        "sum(energy_kwh) FILTER (water_l IS NOT NULL) AS with_water",
    ],
)


def _impacts(line: _Line) -> Row:
    """Return the impacts of a line; a coverage is None where nothing is estimated, 0 where nothing is known."""
    impacts: Row = {name: line[name] for name in REPORT_IMPACTS}
    if not line[_ALL_MARKET]:
        impacts["operational_market_kgco2e"] = None
    location, energy = line["operational_location_kgco2e"], line["energy_kwh"]
    impacts[MARKET_COVERAGE] = ratio(line["with_market"] or 0, location)
    impacts[WATER_COVERAGE] = ratio(line["with_water"] or 0, energy)
    return impacts


def _row(keys: Sequence[Key], line: _Line) -> Row:
    row: Row = {key.name: line[f"k{index}"] for index, key in enumerate(keys)}
    money = {name: line[name] for name in ("billed_cost", "effective_cost", "line_items")}
    return {**row, "billing_currency": line["billing_currency"], **_impacts(line), **money}


def _sorted(rows: list[Row], keys: Sequence[Key]) -> tuple[Row, ...]:
    """Order rows by time keys, then by falling footprint and cost, then by their keys: the same on every run."""
    times = [key.name for key in keys if key.name in TIME_KEYS]
    others = [key.name for key in keys if key.name not in TIME_KEYS]

    def order(row: Row) -> tuple[object, ...]:
        return (
            *(str(row[name]) for name in times),
            *(_falling(row[name]) for name in ("total_kgco2e", "billed_cost")),
            *(str(row[name]) for name in (*others, "billing_currency")),
        )

    return tuple(sorted(rows, key=order))


def _falling(value: object) -> tuple[bool, Decimal]:
    return (False, -value) if isinstance(value, Decimal) else (True, Decimal(0))


def _coverage(currencies: Sequence[_Line], overall: _Line) -> dict[str, object]:
    """Return shares by cost weight and by lines; by cost only per currency where there are several."""
    names = [status.value for status in USAGE_STATUSES]
    lines = shares([overall[f"lines_{name}"] for name in names])
    per_currency = [{"billing_currency": line["billing_currency"], **_cost_shares(line, names)} for line in currencies]
    single = _cost_shares(currencies[0], names) if len(currencies) == 1 else dict.fromkeys(names)
    coverage: dict[str, object] = {"cost": single, "line_items": dict(zip(names, lines, strict=True))}
    if len(currencies) > 1:
        coverage["cost_by_currency"] = per_currency
    return coverage


def _cost_shares(line: _Line, names: Sequence[str]) -> dict[str, Decimal | None]:
    return dict(zip(names, shares([line[f"cost_{name}"] for name in names]), strict=True))


def _excluded(con: "duckdb.DuckDBPyConnection", scope: Scope) -> dict[str, dict[str, object]]:
    condition, values = scope.where("excluded")
    rows = con.execute(
        "SELECT reason, billing_currency, sum(line_items)::BIGINT, sum(billed_cost), sum(effective_cost) "
        f"FROM {scope.view} WHERE {condition} GROUP BY ALL ORDER BY ALL",
        values,
    ).fetchall()
    return _by_reason(rows)


_QUARANTINE_KEYS: Final = frozenset({GroupKey.SOURCE.value, GroupKey.BILLING_PERIOD.value, "billing_currency"})


def _quarantined(con: "duckdb.DuckDBPyConnection", scope: Scope) -> dict[str, dict[str, object]] | None:
    """Return the unreadable lines by reason; None where the filters ask for what an unreadable line does not tell."""
    names = {key.name for key, _ in scope.filters}
    if scope.days.first or scope.days.last or not names <= _QUARANTINE_KEYS or not has_table(con, "quarantine"):
        return None
    condition, values = scope.where()
    rows = con.execute(
        "SELECT reason, billing_currency, count(*)::BIGINT, sum(billed_cost), NULL::DECIMAL(38,15) "
        f"FROM quarantine WHERE {condition} GROUP BY ALL ORDER BY ALL",
        values,
    ).fetchall()
    return _by_reason(rows)


def _by_reason(rows: Sequence[tuple[Any, ...]]) -> dict[str, dict[str, object]]:
    """Return lines and money per reason; money in several currencies stands in ``by_currency`` and is never added."""
    found: dict[str, list[dict[str, Any]]] = {}
    names = ("billing_currency", "line_items", "billed_cost", "effective_cost")
    for reason, *values in rows:
        found.setdefault(reason, []).append(dict(zip(names, values, strict=True)))
    return {reason: _reason(parts) for reason, parts in found.items()}


def _reason(parts: Sequence[dict[str, Any]]) -> dict[str, object]:
    if len(parts) == 1:
        return {name: value for name, value in parts[0].items() if name != "effective_cost" or value is not None}
    lines = sum(part["line_items"] for part in parts)
    return {"line_items": lines, "billing_currency": None, "billed_cost": None, "by_currency": list(parts)}
