"""From settings to a kitchen: factor set with the user's grid, methodology recipe, grain."""

from offgridflow import factors
from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import Span
from offgridflow.engines.model import Grain
from offgridflow.methodology.recipe import (
    GridPrecedence,
    Profile,
    Recipe,
    RegionValue,
    SpendFactor,
    UserRate,
)
from offgridflow.pipeline.recipe import Kitchen
from offgridflow.settings import (
    MethodologySettings,
    RegionValueSettings,
    Settings,
    SpanSettings,
    UserRateSettings,
)


def kitchen_of(settings: Settings, profile: str | None = None) -> Kitchen:
    """Return the kitchen of some settings; ``profile`` overrides theirs.

    Raises UsageError for a value out of its range or an unknown profile, FactorSetError for a broken grid file.
    """
    chosen = settings.methodology
    catalogue = factors.load()
    if chosen.grid_file is not None:
        catalogue = catalogue.with_user_grid(
            factors.read_user_grid(chosen.grid_file), chosen.grid_file.stem, chosen.grid_precedence
        )
    grain = Grain(settings.grain.period, settings.grain.resources, tuple(settings.grain.tag_keys))
    return Kitchen(catalogue, recipe_of(chosen, profile), grain)


def recipe_of(chosen: MethodologySettings, profile: str | None = None) -> Recipe:
    """Return the methodology recipe of some settings."""
    try:
        return Recipe(
            profile=Profile(profile or chosen.profile),
            utilisation=chosen.utilisation,
            pue=_regions(chosen.pue),
            contracts=_regions(chosen.contracts),
            grid_precedence=GridPrecedence(chosen.grid_precedence),
            user_rates=tuple(map(_user_rate, chosen.rates)),
            spend=tuple(
                SpendFactor(each.currency, _required(each.kgco2e_per_unit), each.source) for each in chosen.spend
            ),
            lifetime_years=chosen.lifetime_years,
        )
    except ValueError as error:
        sentence = f"The methodology settings cannot be used: {error}."
        raise UsageError(sentence, action="Correct them; docs/settings.md lists all settings.") from error


def _regions(values: tuple[RegionValueSettings, ...]) -> tuple[RegionValue, ...]:
    return tuple(RegionValue(each.provider, each.region_id, each.value) for each in values)


def _user_rate(each: UserRateSettings) -> UserRate:
    return UserRate(
        provider=each.provider,
        consumed_unit=each.consumed_unit,
        sku_id=each.sku_id,
        meter=each.meter,
        it_kwh=_span(each.it_kwh),
        operational_kgco2e=_span(each.operational_kgco2e),
        embodied_kgco2e=each.embodied_kgco2e,
        source=each.source,
    )


def _span(value: SpanSettings | None) -> Span | None:
    return None if value is None else _required(value)


def _required(value: SpanSettings) -> Span:
    low = value.central if value.low is None else value.low
    high = value.central if value.high is None else value.high
    if not low <= value.central <= high:
        message = f"low {low}, central {value.central}, high {high} are not in order"
        raise ValueError(message)
    return Span(low, value.central, high)
