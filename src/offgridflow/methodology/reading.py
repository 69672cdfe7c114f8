"""A SKU read, taken apart and placed: everything that its figures follow from.

The order is: the user's own rates, then the provider's classifier, then hardware, then the place. The first that cannot
answer says why, and that is the answer.
"""

import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, cast

from offgridflow.domain.model import Sku, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.factors.model import Factor, FactorSet, Size
from offgridflow.methodology import user
from offgridflow.methodology.coefficients import Settings, settings_of
from offgridflow.methodology.demand import Component, Demand, NotRated
from offgridflow.methodology.pieces import Piece, Workshop
from offgridflow.methodology.place import Place, is_global_service, place_of
from offgridflow.methodology.ranges import Spread, total_of
from offgridflow.methodology.recipe import Profile, Recipe, UserRate
from offgridflow.methodology.site import Site, site_of

Outcome = Demand | NotRated


class Classifier(Protocol):
    """What a provider's module offers."""

    def classify(self, sku: Sku, period: Month, factors: FactorSet) -> Outcome:
        """Return what one consumed unit asks of the hardware, or why it is not rated."""
        ...


CLASSIFIERS: Final[dict[str, str]] = {
    "aws": "offgridflow.methodology.aws",
    "azure": "offgridflow.methodology.azure",
    "gcp": "offgridflow.methodology.gcp",
}
"""The module that reads a provider's SKUs; every other provider's are read by ``generic``."""

_GENERIC: Final = "offgridflow.methodology.generic"


@lru_cache(maxsize=8)
def _classifier(module: str) -> Classifier:
    return cast("Classifier", importlib.import_module(module))


def classify(sku: Sku, period: Month, factors: FactorSet) -> Outcome:
    """Return the demand of a SKU by its provider's rules, or why it is not rated."""
    return _classifier(CLASSIFIERS.get(sku.provider, _GENERIC)).classify(sku, period, factors)


@dataclass(frozen=True, slots=True)
class Part:
    """The IT energy that a SKU draws at one site, kWh per consumed unit."""

    energy_kwh: Spread
    site: Site


@dataclass(frozen=True, slots=True)
class Reading:
    """A SKU read, taken apart and placed: everything that its figures follow from.

    ``operational`` is set by a user's rate that is given in kgCO2e; then there are no parts and no energy.
    """

    sku: Sku
    period: Month
    demand: Demand
    pieces: tuple[Piece, ...]
    parts: tuple[Part, ...]
    embodied_kg: Spread
    method: Method
    bucket: CoverageBucket
    assumptions: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]
    operational: Span | None = None


class Asking:
    """A factor set that notes which of its numbers a classifier asked for, so that each stands in the rate."""

    def __init__(self, factors: FactorSet) -> None:
        self._factors = factors
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._factors, name)

    def coefficient(self, key: str) -> Factor:
        """Return a coefficient and note it."""
        found = self._factors.coefficient(key)
        self.asked.append(found.factor_id)
        return found

    def replication(self, key: str) -> Factor | None:
        """Return copies and note them."""
        return self._noted(self._factors.replication(key))

    def service_median_vcpu(self, provider: str, service: str) -> Factor | None:
        """Return a median size and note it."""
        return self._noted(self._factors.service_median_vcpu(provider, service))

    def size(self, key: str) -> Size | None:
        """Return the size of a service's unit and note it."""
        found = self._factors.size(key)
        if found is not None:
            self.asked.extend(found.factor_ids)
        return found

    def _noted(self, found: Factor | None) -> Factor | None:
        if found is not None:
            self.asked.append(found.factor_id)
        return found


class Reader:
    """Reads SKUs under one factor set and one recipe; remembers places and machines, which many SKUs share."""

    def __init__(self, factors: FactorSet, recipe: Recipe) -> None:
        self.factors = factors
        self.recipe = recipe
        self.settings: Settings = settings_of(factors, recipe)
        self.workshop = Workshop(factors, self.settings)
        self._stamped: dict[object, tuple[tuple[Assumption, ...], tuple[str, ...]]] = {}
        self._places: dict[tuple[str, str | None, bool], Place | None] = {}
        self._sites: dict[tuple[str, str, Month], Site | None] = {}

    def read(self, sku: Sku, period: Month) -> Reading | NotRated:
        """Return the SKU read and placed, or why it is not rated."""
        own = user.match(self.recipe.user_rates, sku)
        if own is not None:
            return self._own(sku, period, own)
        asking = Asking(self.factors)
        demand = classify(sku, period, cast("FactorSet", asking))
        if isinstance(demand, NotRated):
            return demand
        components = self.components_of(sku, demand)
        if isinstance(components, NotRated):
            return components
        pieces: list[Piece] = []
        for component in components:
            made = self.workshop.pieces(component, sku.provider)
            if isinstance(made, NotRated):
                return made
            pieces.extend(made)
        return self._placed(sku, period, demand, tuple(pieces), tuple(asking.asked))

    def components_of(self, _sku: Sku, demand: Demand) -> tuple[Component, ...] | NotRated:
        """Return the components to rate; profiles that count otherwise change them here."""
        return demand.components

    def site_at(self, place: Place, period: Month) -> Site | None:
        """Return grid and facility of a place in a month; profiles with factors of their own change them here."""
        return site_of(place.region, period, self.factors, self.recipe)

    def _own(self, sku: Sku, period: Month, own: UserRate) -> Reading | NotRated:
        piece = user.piece_of(own)
        demand = Demand(Method.USER_RATE, (), (Assumption.USER_RATE,))
        if own.operational_kgco2e is None:
            return self._placed(sku, period, demand, (piece,))
        kg, marks = piece.embodied_kg, demand.assumptions
        bucket = CoverageBucket.SKU
        return Reading(sku, period, demand, (), (), kg, Method.USER_RATE, bucket, marks, (), own.operational_kgco2e)

    def _placed(
        self, sku: Sku, period: Month, demand: Demand, pieces: tuple[Piece, ...], asked: tuple[str, ...] = ()
    ) -> Reading | NotRated:
        place = self._place(sku.provider, sku.region_id, sku.service_name or sku.service_code)
        if place is None:
            return NotRated(NotEstimatedReason.UNKNOWN_REGION, f"region {sku.region_id or 'missing'}")
        site = self._site(place, period)
        if site is None:
            return NotRated(NotEstimatedReason.NO_FACTOR, f"no grid or PUE for {place.region.region_id}")
        parts = [Part(total_of(piece.energy_kwh for piece in pieces if not piece.paired), site)]
        marks = (*demand.assumptions, *place.marks, *site.marks)
        if any(piece.paired for piece in pieces):
            paired, more, ids = self._paired(sku, period, place, site)
            asked = (*asked, *ids)
            parts.append(Part(total_of(piece.energy_kwh for piece in pieces if piece.paired), paired))
            marks = (*marks, *more)
        return self._reading(sku, period, demand, pieces, tuple(parts), (marks, asked))

    def _reading(
        self,
        sku: Sku,
        period: Month,
        demand: Demand,
        pieces: tuple[Piece, ...],
        parts: tuple[Part, ...],
        noted: tuple[tuple[Assumption, ...], tuple[str, ...]],
    ) -> Reading | NotRated:
        all_marks, ids = self._stamps(noted, pieces, parts)
        if self.recipe.profile is Profile.ASSURED and (bad := self._recalled(ids)) is not None:
            return NotRated(NotEstimatedReason.NO_FACTOR, f"{bad} is recalled, which the assured profile refuses")
        return Reading(
            sku,
            period,
            demand,
            pieces,
            parts,
            total_of(piece.embodied_kg for piece in pieces),
            next((piece.method for piece in pieces if piece.method is not None), demand.method),
            max(demand.bucket, *(piece.bucket or demand.bucket for piece in pieces), demand.bucket),
            all_marks,
            ids,
        )

    def _stamps(
        self,
        noted: tuple[tuple[Assumption, ...], tuple[str, ...]],
        pieces: tuple[Piece, ...],
        parts: tuple[Part, ...],
    ) -> tuple[tuple[Assumption, ...], tuple[str, ...]]:
        """Return assumptions and factor ids, sorted and once each; remembered, because few combinations occur."""
        marks, asked = noted
        key = (noted, *((piece.marks, piece.factor_ids) for piece in pieces), *(part.site.factor_ids for part in parts))
        found = self._stamped.get(key)
        if found is None:
            all_marks = {*marks, *(mark for piece in pieces for mark in piece.marks)}
            ids = {*asked, *(each for piece in pieces for each in piece.factor_ids)}
            ids.update(each for part in parts for each in part.site.factor_ids)
            if self.recipe.overhead_counts:
                all_marks.add(Assumption.PROVIDER_OVERHEAD)
                ids.add(self.settings.ids["overhead"])
            found = (tuple(sorted(all_marks)), tuple(sorted(ids)))
            self._stamped[key] = found
        return found

    def _recalled(self, ids: tuple[str, ...]) -> str | None:
        return next((each for each in ids if self.factors.factor(each).evidence == "recalled"), None)

    # places -----------------------------------------------------------------------------------------------------

    def _place(self, provider: str, region: str | None, service: str | None) -> Place | None:
        key = (provider, region, is_global_service(service))
        if key not in self._places:
            self._places[key] = place_of(provider, region, service, self.factors)
        return self._places[key]

    def _site(self, place: Place, period: Month) -> Site | None:
        key = (place.region.provider, place.region.region_id, period)
        if key not in self._sites:
            self._sites[key] = self.site_at(place, period)
        return self._sites[key]

    def _paired(
        self, sku: Sku, period: Month, primary: Place, site: Site
    ) -> tuple[Site, tuple[Assumption, ...], tuple[str, ...]]:
        """Return the site of the paired region with its marks and factor ids.

        The bill's ``to_region`` comes first, then the pair of the factor set, then the primary itself, marked.
        """
        region = primary.region
        named = sku.attributes.to_region
        place = self._place(sku.provider, named or region.paired, None) if named or region.paired else None
        found = self._site(place, period) if place is not None else None
        if found is None:
            return site, (Assumption.PAIRED_REGION_AS_PRIMARY,), ()
        return found, found.marks, () if named else region.factor_ids
