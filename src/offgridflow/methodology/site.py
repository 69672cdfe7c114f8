"""Grid and facility of a region in a period under a recipe: PUE, kgCO2e per kWh, litres per kWh (methodology.md 1, 2).

Totals use the delivered lifecycle factor, always; the direct one only splits it. Without a delivered lifecycle factor
there is no figure. Where direct is not below lifecycle (sources of unequal boundary) the split stays unknown.
"""

from dataclasses import dataclass

from offgridflow.domain.model import Span
from offgridflow.domain.periods import Period, month_of
from offgridflow.domain.reasons import Assumption
from offgridflow.factors.model import Facility, FactorSet, GridFactor, Region
from offgridflow.methodology.recipe import GridPrecedence, Recipe, value_of


@dataclass(frozen=True, slots=True)
class Site:
    """What one kWh of IT energy means in a region: ``pue`` ratio, ``lifecycle`` and ``direct`` kgCO2e/kWh at the meter.

    ``contract`` is the user's contractual (market-based) kgCO2e/kWh; water in litres, ``wue`` per IT kWh and
    ``electricity_water`` per kWh at the meter.
    """

    region_id: str
    pue: Span
    lifecycle: Span
    direct: float | None
    contract: float | None
    wue: float | None
    electricity_water: float | None
    marks: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]


def site_of(region: Region, period: Period, factors: FactorSet, recipe: Recipe) -> Site | None:
    """Return the site of a region in a period, or None where the set and the user have no grid or no PUE for it."""
    facility = factors.facility(region.provider, region.region_id, month_of(period))
    pue = _pue(region, facility, recipe)
    lifecycle, direct, grid_marks, grid_ids = _grid(region, period, factors, recipe)
    if pue is None or lifecycle is None:
        return None
    contract = value_of(recipe.contracts, region.provider, region.region_id)
    marks = (*grid_marks, *_facility_marks(region, facility, recipe))
    return Site(
        region.region_id,
        pue,
        lifecycle,
        direct,
        contract,
        facility.wue_l_per_it_kwh if facility else None,
        facility.electricity_water_l_per_kwh if facility else None,
        marks if contract is None else (*marks, Assumption.MARKET_CONTRACT),
        (*grid_ids, *(facility.factor_ids if facility else ())),
    )


def _pue(region: Region, facility: Facility | None, recipe: Recipe) -> Span | None:
    own = value_of(recipe.pue, region.provider, region.region_id)
    if own is not None:
        return Span.exactly(own)
    return facility.pue if facility else None


def _facility_marks(region: Region, facility: Facility | None, recipe: Recipe) -> tuple[Assumption, ...]:
    marks = tuple(Assumption(mark) for mark in facility.marks) if facility else ()
    if value_of(recipe.pue, region.provider, region.region_id) is None:
        return marks
    return (*(mark for mark in marks if not mark.startswith("pue_")), Assumption.PUE_USER)


def _grid(
    region: Region, period: Period, factors: FactorSet, recipe: Recipe
) -> tuple[Span | None, float | None, tuple[Assumption, ...], tuple[str, ...]]:
    own = value_of(recipe.grid, region.provider, region.region_id)
    grid = factors.grid(region.provider, region.region_id, period)
    known = grid is not None and grid.lifecycle_delivered is not None
    if own is not None and not (known and recipe.grid_precedence is GridPrecedence.FACTOR_SET):
        return Span.exactly(own), None, (Assumption.GRID_USER,), ()
    if grid is None or grid.lifecycle_delivered is None:
        return None, None, (), ()
    marks = tuple(Assumption(mark) for mark in grid.marks)
    if grid.newest:
        marks = (*marks, Assumption.GRID_NEWEST_YEAR)
    return grid.lifecycle_delivered, _direct(grid), marks, grid.factor_ids


def _direct(grid: GridFactor) -> float | None:
    if grid.direct is None or grid.lifecycle_delivered is None:
        return None
    direct = grid.direct.central
    return direct if direct <= grid.lifecycle_delivered.central else None
