"""Rates on their way into a Parquet file.

DuckDB takes flat lists of Python numbers and strings some ten times faster than lists of lists and of structs, and a
month of ten million lines has eight thousand rates: nested columns go in as flat ones and are put together in SQL.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from offgridflow.domain.model import Rate, SkuAttributes
from offgridflow.domain.reasons import Group
from offgridflow.ledger.rows import copy_table
from offgridflow.ledger.tables import RATE_COLUMNS, RATES, TABLES, connect

_JOIN: Final = "\x1f"
_SKU_FIELDS: Final = (
    "provider", "service_name", "service_code", "sku_id", "sku_meter", "operation", "consumed_unit", "region_id",
    "description",
)  # fmt: skip
_RATE_FIELDS: Final = (
    "rate_id", "period", "it_energy_kwh", "operational_direct_kgco2e", "operational_upstream_kgco2e",
    "operational_location_kgco2e", "operational_market_kgco2e", "embodied_kgco2e", "total_market_kgco2e", "water_l",
)  # fmt: skip
_SPANS: Final = ("energy_kwh", "total_kgco2e")
_ENDS: Final = ("low", "central", "high")
_ATTRIBUTES: Final = tuple(SkuAttributes.__slots__)
_ATTRIBUTE_NUMBERS: Final = frozenset({"vcpu", "memory_gib", "gpu"})

_Column = tuple[str, Callable[[Rate], object]]


def _of_sku(name: str) -> Callable[[Rate], object]:
    return lambda rate: getattr(rate.sku, name)


def _of_rate(name: str) -> Callable[[Rate], object]:
    return lambda rate: getattr(rate, name)


def _of_attribute(name: str) -> Callable[[Rate], object]:
    return lambda rate: getattr(rate.sku.attributes, name)


def _word(name: str) -> Callable[[Rate], object]:
    def word(rate: Rate) -> object:
        value = getattr(rate, name)
        return None if value is None else value.value

    return word


def _end(span: str, end: str) -> Callable[[Rate], object]:
    def value(rate: Rate) -> object:
        found = getattr(rate, span)
        return None if found is None else getattr(found, end)

    return value


def _envelope(index: int) -> Callable[[Rate], object]:
    return lambda rate: None if rate.envelope_kgco2e is None else rate.envelope_kgco2e[index]


def _swing(group: Group, index: int) -> Callable[[Rate], object]:
    """Return the total with a group at its low (0) or its high (1), None where the group does not move it."""

    def value(rate: Rate) -> object:
        moves = rate.moves_kgco2e.get(group)
        if moves is None or rate.total_kgco2e is None or not any(moves):
            return None
        return rate.total_kgco2e.central + moves[index]

    return value


def _flat_columns() -> dict[str, tuple[str, Callable[[Rate], object]]]:
    """Return every flat column: its SQL type and how its value is read off a rate."""
    columns: dict[str, _Column] = {name: ("VARCHAR", _of_sku(name)) for name in _SKU_FIELDS}
    columns |= {name: (RATE_COLUMNS[name], _of_rate(name)) for name in _RATE_FIELDS}
    columns |= {name: ("VARCHAR", _word(name)) for name in ("status", "reason", "method", "coverage_bucket")}
    columns["assumptions"] = ("VARCHAR", lambda rate: _JOIN.join(word.value for word in rate.assumptions))
    columns["factor_ids"] = ("VARCHAR", lambda rate: _JOIN.join(rate.factor_ids))
    columns |= {f"{span}_{end}": ("DOUBLE", _end(span, end)) for span in _SPANS for end in _ENDS}
    columns |= {f"envelope_kgco2e_{end}": ("DOUBLE", _envelope(index)) for index, end in ((0, "low"), (1, "high"))}
    for name in _ATTRIBUTES:
        columns[f"attribute_{name}"] = ("DOUBLE" if name in _ATTRIBUTE_NUMBERS else "VARCHAR", _of_attribute(name))
    for group in Group:
        for index, end in ((0, "low_kgco2e"), (1, "high_kgco2e")):
            columns[f"swing_{group.value}_{end}"] = ("DOUBLE", _swing(group, index))
    return columns


_FLAT: Final = _flat_columns()


def _nested(name: str) -> str:
    """Return the SQL that makes a column of RATE_COLUMNS out of the flat ones."""
    if name == "attributes":
        return "struct_pack(" + ", ".join(f"{each} := attribute_{each}" for each in _ATTRIBUTES) + ")"
    if name in {"assumptions", "factor_ids"}:
        return f"CASE WHEN {name} = '' THEN [] ELSE string_split({name}, chr(31)) END"
    if name == "swings":
        swings = ", ".join(
            f"{{'group': '{group.value}', 'low_kgco2e': swing_{group.value}_low_kgco2e, "
            f"'high_kgco2e': swing_{group.value}_high_kgco2e}}"
            for group in Group
        )
        return f"list_filter([{swings}], lambda swing: swing.low_kgco2e IS NOT NULL)"
    return name


def write_rates(rates: Sequence[Rate], path: Path) -> int:
    """Write rates, each rate_id once, to a Parquet file of RATE_COLUMNS; return their number."""
    distinct = list({rate.rate_id: rate for rate in rates}.values())
    con = connect()
    try:
        con.execute(f"CREATE TEMP TABLE typed ({TABLES[RATES].definition()})")
        if distinct:
            flat = ", ".join(f"unnest(?::{kind}[]) AS {name}" for name, (kind, _) in _FLAT.items())
            values = [[read(rate) for rate in distinct] for _, read in _FLAT.values()]
            columns = ", ".join(f"{_nested(name)} AS {name}" for name in RATE_COLUMNS)
            con.execute(f"INSERT INTO typed BY NAME SELECT {columns} FROM (SELECT {flat})", values)
        copy_table(con, path)
    finally:
        con.close()
    return len(distinct)
