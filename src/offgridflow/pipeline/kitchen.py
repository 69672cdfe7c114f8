"""From settings to a kitchen: factor set with the user's grid, methodology recipe, grain."""

from dataclasses import replace

from offgridflow import factors
from offgridflow.domain.errors import UsageError
from offgridflow.domain.identity import provider_slug
from offgridflow.domain.model import Span
from offgridflow.engines.model import Grain
from offgridflow.factors.model import FactorSet
from offgridflow.methodology.place import factor_provider, region_by_alias
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

    Raises UsageError for a value out of its range, an unknown profile or a value of a region that nobody has,
    FactorSetError for a broken grid file.
    """
    chosen = settings.methodology
    catalogue = factors.load()
    if chosen.grid_file is not None:
        catalogue = catalogue.with_user_grid(
            factors.read_user_grid(chosen.grid_file), chosen.grid_file.stem, chosen.grid_precedence
        )
    grain = Grain(settings.grain.period, settings.grain.resources, tuple(settings.grain.tag_keys))
    recipe = recipe_of(chosen, profile)
    recipe = replace(
        recipe,
        pue=tuple(_placed("pue", each, catalogue) for each in recipe.pue),
        contracts=tuple(_placed("contracts", each, catalogue) for each in recipe.contracts),
    )
    return Kitchen(catalogue, recipe, grain)


def _placed(key: str, given: RegionValue, catalogue: FactorSet) -> RegionValue:
    """Return a value under the names that rating compares: the factor set's own of its provider and region.

    Raises UsageError where the factor set has no such region, because the value would count nowhere.
    """
    provider = factor_provider(provider_slug(given.provider))
    name = given.region_id.strip()
    found = catalogue.region(provider, name) or region_by_alias(provider, name, catalogue)
    if found is None:
        sentence = (
            f"methodology.{key} names the region {given.region_id!r} of the provider {given.provider!r}, which the "
            "factor set does not have, so its value would count nowhere."
        )
        action = (
            "Write a region id as the bill does (us-east-1, westeurope, europe-west4), or provider 'country' with an "
            "ISO-3166 alpha-3 code."
        )
        raise UsageError(sentence, action=action)
    return RegionValue(found.provider, found.region_id, given.value)


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
        provider=provider_slug(each.provider),
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
