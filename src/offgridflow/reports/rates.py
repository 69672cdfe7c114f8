"""The rate card of the ledger: what each SKU costs in energy and carbon per unit, and how far each group moves it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import DECIMAL
from offgridflow.reports.figures import EXACT, Row
from offgridflow.reports.records import records
from offgridflow.reports.scope import Filters, Key, one_of, scope_of, values_of

if TYPE_CHECKING:
    import duckdb

RATE_KEYS: Final = (
    "rate_id",
    "period",
    "provider",
    "service_name",
    "sku_id",
    "sku_meter",
    "operation",
    "consumed_unit",
    "region_id",
    "status",
    "reason",
    "method",
    "coverage_bucket",
)
"""What a rate can be filtered by."""

_FIGURES: Final = (
    "it_energy_kwh",
    "energy_kwh_low",
    "energy_kwh_central",
    "energy_kwh_high",
    "operational_direct_kgco2e",
    "operational_upstream_kgco2e",
    "operational_location_kgco2e",
    "operational_market_kgco2e",
    "embodied_kgco2e",
    "total_kgco2e_low",
    "total_kgco2e_central",
    "total_kgco2e_high",
    "total_market_kgco2e",
    "envelope_kgco2e_low",
    "envelope_kgco2e_high",
    "water_l",
)
RATE_FIELDS: Final = (*RATE_KEYS, "assumptions", "factor_ids", *_FIGURES)
"""The columns of a listed rate; figures are per ONE consumed unit."""


@dataclass(frozen=True, slots=True)
class RateCard:
    """Rates in the order of provider, service, meter, region, period."""

    rates: tuple[dict[str, object], ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {"rates": list(self.rates)}


def rate_card(
    con: "duckdb.DuckDBPyConnection",
    where: Filters | None = None,
    search: str | None = None,
) -> RateCard:
    """Return the distinct rates behind the live rows of the ledger.

    ``where`` maps RATE_KEYS to a value or several (empty matches unknown); ``search`` is a part of a meter, service,
    SKU id or description, without regard to case.
    """
    parts: list[str] = ["true"]
    values: list[object] = []
    for key, wanted in (where or {}).items():
        if key not in RATE_KEYS:
            sentence = f"{key!r} is not a key that rates know."
            raise UsageError(sentence, action=f"Use one of: {', '.join(RATE_KEYS)}.")
        condition, bound = one_of(Key(key, key), values_of(wanted))
        parts.append(condition)
        values.extend(bound)
    if search is not None:
        parts.append("contains(lower(concat_ws(' ', sku_meter, service_name, sku_id, description)), lower(?))")
        values.append(search)
    sql = (
        f"SELECT DISTINCT ON (rate_id) {', '.join(RATE_FIELDS)} FROM rates WHERE {' AND '.join(parts)} "
        "ORDER BY provider, service_name, sku_meter, region_id, period, rate_id"
    )
    return RateCard(tuple(records(con, sql, values)))


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How the total of the estimated rows moves with one group of uncertainty at its low or high, others central.

    ``groups`` have ``low_kgco2e`` and ``high_kgco2e`` (the total then) and ``fall`` and ``rise`` from the centre, the
    widest first. ``low`` and ``high`` join falls and rises as the root of the sum of squares; ``envelope`` is all of
    them at once, which is not a confidence interval.
    """

    total_kgco2e: Decimal | None
    low: Decimal | None
    high: Decimal | None
    envelope: tuple[Decimal, Decimal] | None
    groups: tuple[Row, ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {
            "total_kgco2e": self.total_kgco2e,
            "range_kgco2e": {"low": self.low, "high": self.high},
            "envelope_kgco2e": self.envelope,
            "groups": list(self.groups),
        }


def sensitivity(
    con: "duckdb.DuckDBPyConnection",
    date_from: str | None = None,
    date_to: str | None = None,
    where: Filters | None = None,
) -> Sensitivity:
    """Return the sensitivity of the usage rows to each group; the arguments are those of ``totals.report``."""
    condition, values = scope_of(date_from, date_to, where or {}).where("usage")
    rated = f"{condition} AND total_kgco2e IS NOT NULL"
    total = con.execute(f"SELECT sum(total_kgco2e::{DECIMAL}) FROM emissions WHERE {rated}", values).fetchall()[0][0]
    if total is None:
        return Sensitivity(None, None, None, None, ())
    moved = records(con, _SWINGS.format(rated=rated), values)
    groups = [_group(total, row["swung"], row["down"], row["up"]) for row in moved]
    groups.sort(key=lambda row: (-_width(row), str(row["group"])))
    falls, rises = ([_figure(row[name]) for row in groups] for name in ("fall_kgco2e", "rise_kgco2e"))
    return Sensitivity(
        total_kgco2e=total,
        low=EXACT.subtract(total, _root(falls)),
        high=EXACT.add(total, _root(rises)),
        envelope=(EXACT.subtract(total, sum(falls, Decimal(0))), EXACT.add(total, sum(rises, Decimal(0)))),
        groups=tuple(groups),
    )


_SWINGS: Final = (
    "WITH used AS (SELECT rate_id, sum(consumed_quantity)::DOUBLE AS quantity FROM emissions WHERE {rated} "
    "GROUP BY rate_id), card AS (SELECT DISTINCT ON (rate_id) rate_id, total_kgco2e_central AS central, swings "
    "FROM rates ORDER BY rate_id), swings AS (SELECT quantity, central, unnest(swings) AS swing FROM used JOIN card "
    "USING (rate_id)), sides AS (SELECT swing['group'] AS swung, quantity * (least(swing.low_kgco2e, "
    "swing.high_kgco2e) - central) AS low, quantity * (greatest(swing.low_kgco2e, swing.high_kgco2e) - central) AS "
    f"high FROM swings) SELECT swung, sum(least(low, 0)::{DECIMAL}) AS down, sum(greatest(high, 0)::{DECIMAL}) AS up "
    "FROM sides GROUP BY swung ORDER BY swung"
)


def _group(total: Decimal, name: str, down: Decimal, up: Decimal) -> Row:
    return {
        "group": name,
        "low_kgco2e": EXACT.add(total, down),
        "high_kgco2e": EXACT.add(total, up),
        "fall_kgco2e": EXACT.minus(down),
        "rise_kgco2e": up,
    }


def _figure(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)


def _width(row: Row) -> Decimal:
    return EXACT.add(_figure(row["fall_kgco2e"]), _figure(row["rise_kgco2e"]))


def _root(values: list[Decimal]) -> Decimal:
    """Return the root of the sum of squares, to the 15 decimals that the ledger's sums have."""
    squares = sum((EXACT.multiply(value, value) for value in values), Decimal(0))
    return EXACT.quantize(EXACT.sqrt(squares), Decimal("1e-15"))
