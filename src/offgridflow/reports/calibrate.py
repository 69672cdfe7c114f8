"""Resource-level figures that add up to what the provider published (methodology.md section 5).

A cell is month x account x region x service, and x resource where the provider reports resources. Scope 1 and 2 follow
our IT energy, scope 3 our upstream + embodied. What has no key stays ``provider_unallocated``; use without a published
cell is ``uncalibrated`` and in no total. Calibrated figures have no range of ours and are never mixed into our own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from offgridflow.domain.model import DECIMAL
from offgridflow.methodology.calibration import UNALLOCATED, Published, RowKey, spread_cell, spread_figure
from offgridflow.reports.figures import EXACT, total_of
from offgridflow.reports.reconcile import months_of
from offgridflow.reports.records import exact, records
from offgridflow.reports.reported import reported_rows
from offgridflow.reports.scope import MONTH_SQL
from offgridflow.reports.totals import UNKNOWN_PROVENANCE, Provenance

if TYPE_CHECKING:
    import duckdb

SPREAD_FIGURES: Final = (
    "scope_1_kgco2e",
    "scope_2_location_kgco2e",
    "scope_2_market_kgco2e",
    "scope_2_unspecified_kgco2e",
    "scope_3_location_kgco2e",
    "scope_3_market_kgco2e",
)
_CELL: Final = ("month", "provider", "sub_account_id", "region_id", "service_name")
_PLACES: Final = Decimal("1e-15")


class State(StrEnum):
    """What became of a row in the calibration."""

    CALIBRATED = "calibrated"
    BELOW_ROUNDING = "below_rounding"
    UNALLOCATED = UNALLOCATED
    UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Rows with their share of the published figures, and the published totals that the rows add up to."""

    rows: tuple[dict[str, object], ...]
    total: dict[str, Decimal | None]
    provenance: Provenance

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape; ``calibrated`` marks that these are the provider's figures, not ours."""
        return {"calibrated": True, "rows": list(self.rows), "total": self.total, **self.provenance.to_json()}


def calibrate(
    con: "duckdb.DuckDBPyConnection",
    first: str | None = None,
    last: str | None = None,
    *,
    provenance: Provenance = UNKNOWN_PROVENANCE,
) -> Calibration:
    """Spread the published figures of the months ``first`` to ``last`` (YYYY-MM, inclusive) over our resources."""
    months = months_of(first, last)
    heads, published = _published(reported_rows(con, *months))
    cells: dict[_Key, list[dict[str, Any]]] = {key: [] for key in published}
    loose: list[dict[str, object]] = []
    for row in records(con, _OURS, months):
        key = _key_of(row, published)
        if key is None:
            loose.append(_row(row, dict.fromkeys(SPREAD_FIGURES), State.UNCALIBRATED))
        else:
            cells[key].append(row)
    spread = [row for key, rows in cells.items() for row in _spread(heads[key], published[key], rows)]
    ordered = sorted([*spread, *loose], key=lambda row: str([row[name] for name in (*_CELL, "resource_id", "state")]))
    total = {name: total_of([figures[name] for figures in published.values()]) for name in SPREAD_FIGURES}
    return Calibration(tuple(ordered), total, provenance)


_Key = tuple[str | None, ...]
_OURS: Final = (
    f"WITH usage AS (SELECT *, {MONTH_SQL} AS month FROM emissions "
    f"WHERE charge_class = 'usage') SELECT {', '.join(_CELL)}, resource_id, "
    f"sum(it_energy_kwh::{DECIMAL}) AS it_energy_kwh, sum((coalesce(operational_upstream_kgco2e, "
    f"operational_location_kgco2e - operational_direct_kgco2e, 0) + coalesce(embodied_kgco2e, 0))::{DECIMAL}) "
    f"FILTER (total_kgco2e IS NOT NULL) AS scope_3_kgco2e, sum(total_kgco2e::{DECIMAL}) AS estimate_kgco2e "
    f"FROM usage WHERE month BETWEEN ? AND ? GROUP BY {', '.join(_CELL)}, resource_id ORDER BY ALL"
)


def _published(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[dict[_Key, Mapping[str, Any]], dict[_Key, dict[str, Decimal | None]]]:
    """Return of every published cell its first row, for its names, and its figures."""
    groups: dict[_Key, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_resource(row) or _cell(row), []).append(row)
    figures = {
        key: {name: total_of([part[name] for part in parts]) for name in SPREAD_FIGURES}
        for key, parts in groups.items()
    }
    return {key: parts[0] for key, parts in groups.items()}, figures


def _cell(row: Mapping[str, Any]) -> _Key:
    return tuple(row[name] for name in _CELL)


def _resource(row: Mapping[str, Any]) -> _Key | None:
    """Return the key of a resource: whatever services the bill has it under, and however it spells its id."""
    name = row["resource_id"]
    return None if name is None else (row["month"], row["provider"], name.lower())


def _key_of(row: Mapping[str, Any], published: Mapping[_Key, object]) -> _Key | None:
    """Return the published cell of a row: its resource's own, else that of its service."""
    return next((key for key in (_resource(row), _cell(row)) if key is not None and key in published), None)


def _spread(
    named: Mapping[str, Any], figures: dict[str, Decimal | None], rows: Sequence[dict[str, Any]]
) -> list[dict[str, object]]:
    """Return the rows of a cell with shares that add up to the published figures, to the last digit."""
    keys = [
        RowKey(str(index), _float(row["it_energy_kwh"]), _float(row["scope_3_kgco2e"]))
        for index, row in enumerate(rows)
    ]
    shares = spread_cell(_floats(figures), keys)
    unspecified, rest = spread_figure(_float(figures["scope_2_unspecified_kgco2e"]), [each.it_kwh for each in keys])
    left_over = [share for share in shares if share.name == UNALLOCATED]
    made = [_named(share, unspecified[index]) for index, share in enumerate(share for share in shares[: len(rows)])]
    made.append(_named(left_over[0] if left_over else None, rest or None))
    whole = {name: settled([part[name] for part in made], figures[name]) for name in SPREAD_FIGURES}
    zero = all(figure is None or figure == 0 for figure in figures.values())
    state = State.BELOW_ROUNDING if zero else State.CALIBRATED
    done = [_row(row, {name: whole[name][at] for name in SPREAD_FIGURES}, state) for at, row in enumerate(rows)]
    over = {name: whole[name][len(rows)] for name in SPREAD_FIGURES}
    if any(over.values()):
        head = {name: named[name] for name in (*_CELL, "resource_id")}
        nothing = dict.fromkeys(("it_energy_kwh", "estimate_kgco2e"))
        done.append(_row({**head, **nothing}, over, State.UNALLOCATED))
    return done


def _floats(figures: Mapping[str, Decimal | None]) -> Published:
    return Published(
        _float(figures["scope_1_kgco2e"]),
        _float(figures["scope_2_location_kgco2e"]),
        _float(figures["scope_2_market_kgco2e"]),
        _float(figures["scope_3_location_kgco2e"]),
        _float(figures["scope_3_market_kgco2e"]),
    )


def _named(share: Any, unspecified: float | None) -> dict[str, float | None]:  # noqa: ANN401  a Calibrated or None
    return {
        "scope_1_kgco2e": share and share.scope_1,
        "scope_2_location_kgco2e": share and share.scope_2_location,
        "scope_2_market_kgco2e": share and share.scope_2_market,
        "scope_2_unspecified_kgco2e": unspecified,
        "scope_3_location_kgco2e": share and share.scope_3_location,
        "scope_3_market_kgco2e": share and share.scope_3_market,
    }


def settled(parts: Sequence[float | None], figure: Decimal | None) -> list[Decimal | None]:
    """Return the parts as decimals whose sum is the figure: the last digit's rounding goes to the largest part."""
    made = [None if part is None else EXACT.quantize(exact(part), _PLACES) for part in parts]
    known = [index for index, part in enumerate(made) if part is not None]
    if figure is None or not known:
        return made
    largest = max(known, key=lambda index: (abs(made[index] or Decimal(0)), -index))
    rounding = EXACT.subtract(figure, total_of(made) or Decimal(0))
    made[largest] = EXACT.add(made[largest] or Decimal(0), rounding)
    return made


def _row(row: Mapping[str, Any], shares: Mapping[str, Decimal | None], state: State) -> dict[str, object]:
    location = ("scope_1_kgco2e", "scope_2_location_kgco2e", "scope_3_location_kgco2e")
    market = ("scope_1_kgco2e", "scope_2_market_kgco2e", "scope_3_market_kgco2e")
    unspecified = ("scope_1_kgco2e", "scope_2_unspecified_kgco2e", "scope_3_location_kgco2e")
    has_method = shares["scope_2_unspecified_kgco2e"] is None
    return {
        **{name: row[name] for name in (*_CELL, "resource_id", "it_energy_kwh")},
        **shares,
        "location_kgco2e": _whole(shares, location, state),
        "market_kgco2e": _whole(shares, market, state),
        "unspecified_kgco2e": None if has_method else _whole(shares, unspecified, state),
        "estimate_kgco2e": row["estimate_kgco2e"],
        "state": state.value,
    }


def _whole(shares: Mapping[str, Decimal | None], names: Sequence[str], state: State) -> Decimal | None:
    """Return the sum of the scopes; None unless all are known. What is unallocated holds the parts that it has."""
    parts = [shares[name] for name in names]
    return None if None in parts and state is not State.UNALLOCATED else total_of(parts)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
