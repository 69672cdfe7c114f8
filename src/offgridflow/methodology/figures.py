"""From a reading to its figures: overhead, PUE, grid, water, market, range (methodology.md sections 1 and 2).

``energy = IT energy x overhead x PUE``; ``operational = energy x lifecycle factor``, which ``direct`` splits;
``total = operational + embodied``. Overhead is a factor on IT energy, so everything that follows from IT energy carries
it, water too; ``it_energy_kwh`` itself is without it.
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from offgridflow.domain.model import UNMOVED, Span
from offgridflow.domain.reasons import Group
from offgridflow.methodology.coefficients import Settings
from offgridflow.methodology.ranges import Move, Spread, spans, total_of
from offgridflow.methodology.reading import Part, Reading

MOST_KG_PER_KWH: Final = 3.0
"""No grid emits more: the worst lignite plant is near 1.3 direct; lifecycle and losses included."""

MOST_PUE: Final = 3.0


class Figures(NamedTuple):
    """Impacts per ONE consumed unit; names and units as in ``domain.model.Rate``."""

    it_energy_kwh: float | None
    energy_kwh: Span | None
    direct: float | None
    upstream: float | None
    location: float
    market: float | None
    embodied: float
    total: Span
    total_market: float | None
    envelope: tuple[float, float]
    water_l: float | None
    moves: Mapping[Group, Move]

    @property
    def content(self) -> list[float | None]:
        """The figures in a fixed order, for the content-addressed id."""
        energy = (self.energy_kwh.low, self.energy_kwh.central, self.energy_kwh.high) if self.energy_kwh else (None,)
        total = (self.total.low, self.total.central, self.total.high)
        parts = (self.direct, self.upstream, self.location, self.market, self.embodied, self.total_market)
        return [self.it_energy_kwh, *energy, *parts, *total, *self.envelope, self.water_l]


def figures_of(reading: Reading, settings: Settings) -> Figures | None:
    """Return the figures of a reading, or None where one leaves its physical bounds or is not a finite number."""
    if reading.operational is not None:
        return _checked(_given(reading, reading.operational))
    if not all(_in_bounds(part) for part in reading.parts):
        return None
    found = spreads_of(reading)
    metered, location, total = found.metered, found.location, found.total
    energy = total_of(metered)
    direct = _direct(metered, reading.parts)
    upstream = None if direct is None else location.central - direct
    market = _market(metered, reading.parts, upstream)
    embodied = reading.embodied_kg.central
    return _checked(
        Figures(
            it_energy_kwh=sum(part.energy_kwh.central for part in reading.parts),
            energy_kwh=spans(energy),
            direct=direct,
            upstream=upstream,
            location=location.central,
            market=market,
            embodied=embodied,
            total=spans(total),
            total_market=None if market is None else market + embodied,
            envelope=(total.floor, total.ceiling),
            water_l=_water(reading.parts, settings.overhead.central),
            moves=total.moves,
        )
    )


class Spreads(NamedTuple):
    """The energy at the meter of each part, the operational kgCO2e of all, and the total, with what moves them."""

    metered: list[Spread]
    location: Spread
    total: Spread


def spreads_of(reading: Reading) -> Spreads:
    """Return the spreads of a reading that has parts."""
    metered = [part.loaded_kwh.times(Group.PUE, part.site.pue) for part in reading.parts]
    operational = [
        each.times(Group.GRID, part.site.lifecycle) for each, part in zip(metered, reading.parts, strict=True)
    ]
    location = total_of(operational)
    return Spreads(metered, location, location.plus(reading.embodied_kg))


def _given(reading: Reading, operational: Span) -> Figures:
    """Return the figures of a user's rate in kgCO2e: no energy, and a range as the user gives it."""
    kg = reading.embodied_kg.central
    total = Span(operational.low + kg, operational.central + kg, operational.high + kg)
    ends = (total.low, total.high)
    return Figures(None, None, None, None, operational.central, None, kg, total, None, ends, None, UNMOVED)


def _direct(metered: list[Spread], parts: tuple[Part, ...]) -> float | None:
    direct = 0.0
    for energy, part in zip(metered, parts, strict=True):
        if part.site.direct is None:
            return None
        direct += energy.central * part.site.direct
    return direct


def _market(metered: list[Spread], parts: tuple[Part, ...], upstream: float | None) -> float | None:
    """Return contractual direct + upstream; None unless every site has a contract and upstream is known."""
    if upstream is None:
        return None
    market = upstream
    for energy, part in zip(metered, parts, strict=True):
        if part.site.contract is None:
            return None
        market += energy.central * part.site.contract
    return market


def _water(parts: tuple[Part, ...], overhead: float) -> float | None:
    """Return litres: WUE on IT energy, EWIF on the energy at the meter; None unless both are known everywhere."""
    litres = 0.0
    for part in parts:
        site = part.site
        if site.wue is None or site.electricity_water is None:
            return None
        litres += part.energy_kwh.central * overhead * (site.wue + site.electricity_water * site.pue.central)
    return litres


def _in_bounds(part: Part) -> bool:
    return 1 <= part.site.pue.low <= part.site.pue.high <= MOST_PUE and part.site.lifecycle.high <= MOST_KG_PER_KWH


def _checked(figures: Figures) -> Figures | None:
    """Return the figures, or None where one is negative, infinite or not a number."""
    total = figures.total
    if not 0 <= total.low <= total.central <= total.high:
        return None
    for value in figures.content:
        if value is not None and not 0 <= value < math.inf:
            return None
    return figures
