"""The recipe of a commit: everything beside the delivery that its figures depend on."""

from collections.abc import Callable
from dataclasses import dataclass

from offgridflow.domain.identity import digest_of
from offgridflow.domain.model import Rate, Sku
from offgridflow.domain.periods import Month, Period
from offgridflow.engines.model import Grain
from offgridflow.factors.model import FactorSet
from offgridflow.formats import Format
from offgridflow.methodology.rating import rater_of
from offgridflow.methodology.recipe import METHODOLOGY_VERSION, Recipe


@dataclass(frozen=True, slots=True)
class Kitchen:
    """A factor set, a methodology recipe and a grain: with a SKU and a month or an hour, a rate."""

    factors: FactorSet
    recipe: Recipe
    grain: Grain

    @property
    def by_hour(self) -> bool:
        """Whether anything is rated by the hour: at the grain of the hour, where some factors are by the hour."""
        return self.grain.period == "hour" and bool(self.factors.hourly_months)

    @property
    def varies(self) -> Callable[[Sku, Month], bool] | None:
        """What says of a SKU and a month whether it is rated by the hour; None where nothing is."""
        return self._varies_in if self.by_hour else None

    def _varies_in(self, sku: Sku, month: Month) -> bool:
        known = month in self.factors.hourly_months
        return known and rater_of(self.factors, self.recipe).varies_in(sku, month)

    def rate_of(self, sku: Sku, period: Period) -> Rate:
        """Return the rate of a SKU in a month or an hour."""
        return rater_of(self.factors, self.recipe)(sku, period)

    def digest_for(self, mapping: Format) -> str:
        """Return the digest that, with a delivery's fingerprint, decides whether a commit would change anything."""
        return digest_of(self.describe(mapping))

    def describe(self, mapping: Format) -> dict[str, object]:
        """Return what the digest is made of, as plain data that is stored beside the commit."""
        return {
            "factor_set": self.factors.name,
            "factor_set_digest": self.factors.digest,
            "methodology_version": METHODOLOGY_VERSION,
            "methodology_recipe": self.recipe.digest,
            "mapping": mapping.name,
            "mapping_version": mapping.version,
            "grain": {
                "period": self.grain.period,
                "resources": self.grain.resources,
                "tag_keys": list(self.grain.tag_keys),
            },
        }
