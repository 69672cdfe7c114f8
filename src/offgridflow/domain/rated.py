"""A row of the ledger out of an activity and the rate of its SKU: one spelling, for ingest and for what-ifs.

SQL of DuckDB over a relation of activities ``a`` and a card ``c``, which has RATE_COLUMNS per ONE consumed unit beside
the key that the two are joined by.
"""

from typing import Final

from offgridflow.domain.model import IMPACT_COLUMNS, USAGE, Rate

RATE_COLUMNS: Final[dict[str, str]] = {
    "rate_id": "VARCHAR",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "method": "VARCHAR",
    "coverage_bucket": "VARCHAR",
    "assumptions": "VARCHAR[]",
    **dict.fromkeys(IMPACT_COLUMNS, "DOUBLE"),
}
"""What a row takes from its rate: columns of a card, and those of EMISSION_COLUMNS that are no activity's."""

_JOIN: Final = "\x1f"
"""Between the assumptions of a rate on their way into DuckDB, which takes strings faster than lists of them."""


def rate_values(rate: Rate) -> tuple[object, ...]:
    """Return the values of RATE_COLUMNS of a rate, for ``insert_of``: central figures, and the range of the total."""
    total, energy = rate.total_kgco2e, rate.energy_kwh
    return (
        rate.rate_id,
        rate.status.value,
        rate.reason.value if rate.reason else None,
        rate.method.value if rate.method else None,
        rate.coverage_bucket.value,
        _JOIN.join(assumption.value for assumption in rate.assumptions),
        rate.it_energy_kwh,
        energy.central if energy else None,
        rate.operational_direct_kgco2e,
        rate.operational_upstream_kgco2e,
        rate.operational_location_kgco2e,
        rate.operational_market_kgco2e,
        rate.embodied_kgco2e,
        total.central if total else None,
        total.low if total else None,
        total.high if total else None,
        rate.total_market_kgco2e,
        rate.water_l,
    )


def card_of(table: str, keys: dict[str, str]) -> str:
    """Return the statement that makes an empty card with the columns ``keys`` before RATE_COLUMNS."""
    columns = ", ".join(f"{name} {kind}" for name, kind in {**keys, **RATE_COLUMNS}.items())
    return f"CREATE OR REPLACE TEMP TABLE {table} ({columns})"


def insert_of(table: str, keys: dict[str, str]) -> str:
    """Return the statement that fills a card: parameters are lists, one per column, as ``rate_values`` gives them."""
    flat = {**keys, **RATE_COLUMNS, "assumptions": "VARCHAR"}
    values = ", ".join(f"unnest(?::{kind}[]) AS {name}" for name, kind in flat.items())
    listed = "CASE WHEN assumptions = '' THEN [] ELSE string_split(assumptions, chr(31)) END"
    return f"INSERT INTO {table} SELECT * REPLACE ({listed} AS assumptions) FROM (SELECT {values})"


def rated_rows(own: str, activities: str, card: str, on: str) -> str:
    """Return the SELECT of activities as rows of the ledger: the columns ``own`` of ``a``, then RATE_COLUMNS.

    A rated SKU whose quantity is missing or negative keeps its money and lines, without impacts and with that reason.
    The quantity that is to be multiplied is computed once, for twelve impacts.

    Args:
        own: columns of the inner relation, by which rows are told apart, separated by commas.
        activities: the relation ``a``.
        card: the relation ``c``.
        on: the condition that joins a row of usage to its line of the card.

    """
    names = ", ".join(f"c.{name} AS per_unit_{name}" for name in RATE_COLUMNS)
    is_usage = f"a.charge_class = '{USAGE}'"
    rated = ", ".join(f"{sql} AS {name}" for name, sql in _RATED.items())
    return f"""
        SELECT {own}, {rated}
        FROM (
          SELECT a.*, {names}, {is_usage} AS is_usage,
            CASE WHEN c.total_kgco2e IS NOT NULL AND a.consumed_quantity >= 0
                 THEN a.consumed_quantity::DOUBLE END AS rated_quantity
          FROM {activities} a LEFT JOIN {card} c ON {is_usage} AND {on}
        )
    """


_NO_QUANTITY: Final = "rated_quantity IS NULL AND per_unit_total_kgco2e IS NOT NULL"
_WHY: Final = "CASE WHEN consumed_quantity IS NULL THEN 'quantity_missing' ELSE 'negative_net_quantity' END"
_RATED: Final[dict[str, str]] = {
    "rate_id": "per_unit_rate_id",
    "status": f"CASE WHEN NOT is_usage THEN 'excluded' WHEN {_NO_QUANTITY} THEN 'not_estimated' "
    "ELSE per_unit_status END",
    "reason": f"CASE WHEN NOT is_usage THEN charge_class WHEN {_NO_QUANTITY} THEN {_WHY} ELSE per_unit_reason END",
    "method": "CASE WHEN rated_quantity IS NOT NULL THEN per_unit_method END",
    "coverage_bucket": f"CASE WHEN {_NO_QUANTITY} THEN 'E' ELSE per_unit_coverage_bucket END",
    "assumptions": "per_unit_assumptions",
    **{name: f"rated_quantity * per_unit_{name}" for name in IMPACT_COLUMNS},
}
