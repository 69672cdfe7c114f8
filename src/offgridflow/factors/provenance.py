"""From a factor id to the factor: made when asked for, kept."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from offgridflow.factors.gridbook import GridBook
from offgridflow.factors.model import Factor
from offgridflow.factors.overlay import UserGridRow, period_text, values_of
from offgridflow.factors.records import FactorMaker, Row
from offgridflow.factors.tables import Tables

_Rows = dict[str, Row]
_TABLES = {
    "processor": "processors",
    "accelerator": "accelerators",
    "accelerator_embodied": "accelerators",
    "machine": "machines",
    "teads": "machines",
    "baseline": "machines",
    "size_vcpu": "sizes",
    "size_gib": "sizes",
    "region_pair": "regions",
    "pue": "facility",
    "wue": "facility",
    "ewif": "facility",
    "ai_model": "ai_models",
    "ai_embodied": "ai_models",
    "grid_direct": "grid",
    "grid_lifecycle": "grid",
    "grid_generation": "grid",
}
"""Kind of factor to the table whose row it is made of; all other kinds stand in factors.csv themselves."""

_KEYS = {
    "processors": ("name",),
    "accelerators": ("model",),
    "machines": ("provider", "instance_type"),
    "sizes": ("key",),
    "regions": ("provider", "region_id"),
    "facility": ("provider", "region_id", "year"),
    "ai_models": ("vendor", "model"),
    "grid": ("area", "year"),
}


class FactorIndex:
    """Every factor of a set by its id.

    Args:
        tables: the set's tables.
        grid: its grid areas.

    """

    def __init__(self, tables: Tables, grid: GridBook) -> None:
        self._tables = tables
        self._grid = grid
        self._made: dict[str, Factor] = {}
        self._rows: dict[str, _Rows] = {}

    @cached_property
    def _maker(self) -> FactorMaker:
        return FactorMaker(self._tables.rows("sources"))

    @cached_property
    def _plain(self) -> dict[str, Factor]:
        return {row["factor_id"]: self._maker.plain(row) for row in self._tables.rows("factors")}

    def get(self, factor_id: str) -> Factor:
        """Return a factor; KeyError where there is none."""
        found = self.find(factor_id)
        if found is None:
            raise KeyError(factor_id)
        return found

    def find(self, factor_id: str) -> Factor | None:
        """Return a factor or None."""
        plain = self._plain.get(factor_id) or self._made.get(factor_id)
        return plain or self._make(factor_id)

    def all(self) -> Iterator[Factor]:
        """Yield every factor, table by table."""
        yield from self._plain.values()
        for table in _KEYS:
            for row in self._tables.rows(table):
                yield from self._makers[table](row)

    @cached_property
    def _makers(self) -> dict[str, Callable[[Row], Iterable[Factor]]]:
        maker = self._maker
        return {
            "processors": lambda row: (maker.of_processor(row),),
            "accelerators": maker.of_accelerator,
            "machines": maker.of_machine,
            "sizes": maker.of_size,
            "regions": maker.of_pair,
            "facility": maker.of_facility,
            "ai_models": maker.of_ai_model,
            "grid": maker.of_grid,
        }

    def _make(self, factor_id: str) -> Factor | None:
        kind, _, key = factor_id.partition(":")
        table = _TABLES.get(kind)
        row = None if table is None else self._row(table, key)
        if table is None or row is None:
            return None
        for factor in self._makers[table](row):
            self._made[factor.factor_id] = factor
        return self._made.get(factor_id)

    def _row(self, table: str, key: str) -> Row | None:
        if table not in self._rows:
            columns = _KEYS[table]
            rows = self._tables.rows(table)
            self._rows[table] = {":".join(row[column] for column in columns): row for row in rows}
        return self._rows[table].get(key)

    def of_user(self, rows: Iterable[UserGridRow], source_name: str, loss_fraction: float) -> dict[str, Factor]:
        """Return the factors behind the user's grid values."""
        kept = tuple(rows)
        names: dict[object, str] = {}
        for row in kept:
            place = (row.provider, row.place.lower())
            names[place, row.year, row.month, None] = row.source
            names[place, row.year, row.month, row.hour] = row.source
        found = {}
        for place, values in values_of(kept, source_name, loss_fraction).items():
            for value in values:
                found[value.factor_id] = Factor(
                    factor_id=value.factor_id,
                    kind="user_grid",
                    key=":".join(place),
                    low=value.kg_per_kwh,
                    central=value.kg_per_kwh,
                    high=value.kg_per_kwh,
                    unit="kgCO2e/kWh",
                    boundary="direct_generation" if value.direct else "lifecycle_delivered",
                    evidence="read",
                    source=names[place, value.year, value.month, value.hour],
                    source_ref=source_name,
                    licence="the user's own",
                    vintage=period_text(value.year, value.month, value.hour),
                    valid_from=None,
                    valid_to=None,
                    note="brought by the user",
                )
        return found
