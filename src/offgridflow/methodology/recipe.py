"""The settings that a rate depends on beside the SKU, the month and the factor set.

A recipe is plain data: equal recipes have equal digests, and a rate under an equal recipe is equal to the last digit.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from offgridflow.domain.identity import digest_of
from offgridflow.domain.model import Span
from offgridflow.domain.trace import Constant

METHODOLOGY_VERSION: Final = "2026.11.5"
"""Changes with every change of a formula, so that old rates stay apart from new ones."""

HOURS_PER_YEAR: Final = Constant(8760.0, "hours of a year")


class Profile(StrEnum):
    """A named set of choices (methodology.md section 2)."""

    DEFAULT = "default"
    SCI = "sci"
    CCF = "ccf"
    ASSURED = "assured"


class GridPrecedence(StrEnum):
    """Whose grid factor wins where the user and the factor set both have one for a region."""

    USER = "user"
    FACTOR_SET = "factor_set"


@dataclass(frozen=True, slots=True)
class RegionValue:
    """A value of the user for one region, by provider slug and region id."""

    provider: str
    region_id: str
    value: float


@dataclass(frozen=True, slots=True)
class UserRate:
    """The user's own rate of a SKU, per ONE ``consumed_unit`` (compared without regard to case).

    ``sku_id`` matches exactly; ``meter`` is a shell pattern on ``sku_meter``, without regard to case; what is None does
    not restrict, but one of the two must be given. ``it_kwh`` goes through the region's PUE and grid like any other
    energy; ``operational_kgco2e`` is taken as it is, and needs no region. Exactly one of the two is given.
    """

    provider: str
    consumed_unit: str
    sku_id: str | None = None
    meter: str | None = None
    it_kwh: Span | None = None
    operational_kgco2e: Span | None = None
    embodied_kgco2e: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class SpendFactor:
    """kgCO2e per unit of one currency, for the fallback by spend, with where it comes from."""

    currency: str
    kgco2e_per_unit: Span
    source: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice that enters a rate.

    ``utilisation`` (0..1) replaces the default range of processors and accelerators; ``pue`` (ratio), ``contracts``
    (kgCO2e/kWh at the meter, market-based) and ``grid`` (kgCO2e/kWh, lifecycle, delivered) are by region;
    ``lifetime_years`` replaces the profile's hardware lifetime. ``spend`` is empty unless the fallback by spend is
    switched on.
    """

    profile: Profile = Profile.DEFAULT
    utilisation: float | None = None
    pue: tuple[RegionValue, ...] = ()
    contracts: tuple[RegionValue, ...] = ()
    grid: tuple[RegionValue, ...] = ()
    grid_precedence: GridPrecedence = GridPrecedence.USER
    user_rates: tuple[UserRate, ...] = ()
    spend: tuple[SpendFactor, ...] = ()
    lifetime_years: float | None = None

    def __post_init__(self) -> None:
        """Refuse values outside of their physical range; ValueError names the field and the accepted range."""
        if self.utilisation is not None:
            _in_range("utilisation", self.utilisation, 0, 1)
        if self.lifetime_years is not None:
            _in_range("lifetime_years", self.lifetime_years, 1, 20)
        for each in self.pue:
            _in_range("pue", each.value, 1, 3)
        for each in (*self.contracts, *self.grid):
            _in_range("kgCO2e per kWh", each.value, 0, 3)

    @property
    def digest(self) -> str:
        """SHA-256 over every choice and the version of the methodology."""
        return _digest(self)

    @property
    def overhead_counts(self) -> bool:
        """Whether the provider's idle capacity is laid on the customer's energy."""
        return self.profile not in {Profile.SCI, Profile.CCF}

    @property
    def short_life(self) -> bool:
        """Whether hardware is written off over four years in the central case."""
        return self.profile in {Profile.SCI, Profile.CCF}


def _in_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        message = f"{name} is {value!r}; write a number from {least} to {most}"
        raise ValueError(message)


@lru_cache(maxsize=64)
def _digest(recipe: Recipe) -> str:
    return digest_of(["recipe", METHODOLOGY_VERSION, repr(recipe)])


def value_of(values: tuple[RegionValue, ...], provider: str, region_id: str) -> float | None:
    """Return the user's value of a region, or None; the last one given wins."""
    for each in reversed(values):
        if each.provider == provider and each.region_id == region_id:
            return each.value
    return None
