"""A SKU read, taken apart and placed: everything that its figures follow from.

The order is: the user's own rates, then the provider's classifier, then hardware, then the place. The first that cannot
answer says why, and that is the answer.
"""

import importlib
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, cast

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Hour, Month, Period, hours_in, month_of
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.factors.model import Factor, FactorSet, Size
from offgridflow.methodology import user
from offgridflow.methodology.assembly import Assembly, assembly_of
from offgridflow.methodology.coefficients import Settings, settings_of
from offgridflow.methodology.demand import Component, Demand, NotRated, Storage
from offgridflow.methodology.memo import Memo
from offgridflow.methodology.pieces import Piece, Workshop
from offgridflow.methodology.place import Place, is_global_service, place_of
from offgridflow.methodology.ranges import Spread
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

READ_WITH_REGION: Final = frozenset({"gcp"})
"""The providers whose region tells more than the place: Spanner keeps more copies in a multi-region."""

_GENERIC: Final = "offgridflow.methodology.generic"

_OWN: Final = Demand(Method.USER_RATE, (), (Assumption.USER_RATE,))
"""What a user's rate asks of the hardware: nothing that we would have to know."""


@lru_cache(maxsize=8)
def _classifier(module: str) -> Classifier:
    return cast("Classifier", importlib.import_module(module))


def classify(sku: Sku, period: Month, factors: FactorSet) -> Outcome:
    """Return the demand of a SKU by its provider's rules, or why it is not rated."""
    return _classifier(CLASSIFIERS.get(sku.provider, _GENERIC)).classify(sku, period, factors)


class Part(NamedTuple):
    """The IT energy that a SKU draws at one site, kWh per consumed unit, and that with the provider's overhead."""

    energy_kwh: Spread
    loaded_kwh: Spread
    site: Site


class Ground(NamedTuple):
    """Where SKUs of one region and period stand, with the marks and factor ids that their rates share, sorted."""

    place: Place
    site: Site
    marks: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]


class Wanted(NamedTuple):
    """What a SKU comes down to; SKUs that want the same have the same figures.

    ``demand`` has its components as the profile counts them, ``asked`` the ids of the factors that the classifier asked
    for; ``region_id`` and ``to_region`` are as the bill writes them, the latter only where copies are kept there;
    ``everywhere`` says that the SKU's service has no region by design; ``own`` is the user's rate where there is one;
    ``hour`` is set only where the grid of that hour of the ``period`` is another than the period's.
    """

    provider: str
    region_id: str | None
    to_region: str | None
    everywhere: bool
    period: Month
    demand: Demand
    asked: tuple[str, ...] = ()
    own: UserRate | None = None
    hour: Hour | None = None

    @property
    def when(self) -> Period:
        """The period that the figures are of."""
        return self.period if self.hour is None else self.hour


class Reading(NamedTuple):
    """What is wanted, taken apart and placed: everything that the figures follow from.

    ``operational`` is set by a user's rate that is given in kgCO2e; then there are no parts and no energy.
    """

    pieces: tuple[Piece, ...]
    parts: tuple[Part, ...]
    embodied_kg: Spread
    method: Method
    bucket: CoverageBucket
    assumptions: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]
    operational: Span | None = None


Question = tuple[
    str,
    str | None,
    str | None,
    None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    SkuAttributes,
    Month,
]
"""What a classifier is asked: a SKU's fields in their order, without its id, and the month."""


def _question_of(sku: Sku, period: Month) -> Question:
    """Return what to ask of a SKU: SKUs that differ by id, and mostly by region, alone are one question."""
    return (
        sku.provider,
        sku.service_name,
        sku.service_code,
        None,
        sku.sku_meter,
        sku.operation,
        sku.consumed_unit,
        sku.region_id if sku.provider in READ_WITH_REGION else None,
        sku.description,
        sku.attributes,
        period,
    )


def _is_paired(component: Component) -> bool:
    return isinstance(component, Storage) and component.copies_paired is not None


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


def _always(settings: Settings, recipe: Recipe) -> tuple[tuple[Assumption, ...], tuple[str, ...]]:
    """Return the marks and the factor ids of every rate that draws energy."""
    if not recipe.overhead_counts:
        return (), ()
    return (Assumption.PROVIDER_OVERHEAD,), (settings.ids["overhead"],)


class Reader:
    """Reads SKUs under one factor set and one recipe; remembers places and machines, which many SKUs share."""

    def __init__(self, factors: FactorSet, recipe: Recipe) -> None:
        self.factors = factors
        self.recipe = recipe
        self.settings: Settings = settings_of(factors, recipe)
        self.workshop = Workshop(factors, self.settings)
        self._always = _always(self.settings, recipe)
        self._asked: Memo[Question, Wanted | NotRated] = Memo()
        self._assemblies: Memo[object, Assembly | NotRated] = Memo()
        self._marks: Memo[object, tuple[Assumption, ...]] = Memo()
        self._grounds: Memo[object, Ground | NotRated] = Memo()
        self._places: dict[tuple[str, str | None, bool], Place | None] = {}
        self._sites: dict[tuple[str, str, Month], Site | None] = {}
        self._hours: Memo[tuple[str, str, Hour], Site] = Memo()
        self._vary: dict[tuple[str, str, Month], bool] = {}

    def read(self, sku: Sku, period: Period) -> Reading | NotRated:
        """Return the SKU read and placed, or why it is not rated."""
        wanted = self.wanted(sku, period)
        return wanted if isinstance(wanted, NotRated) else self.made(wanted)

    def wanted(self, sku: Sku, period: Period) -> Wanted | NotRated:
        """Return what a SKU comes down to, or why it is not rated."""
        found = self._wanted_in(sku, month_of(period))
        if isinstance(found, NotRated) or not isinstance(period, Hour):
            return found
        other = any(self._site(each, period) != self._site(each, period.month) for each in self._places_of(found))
        return found._replace(hour=period) if other else found

    def varies_in(self, sku: Sku, month: Month) -> bool:
        """Return whether some hour of a month gives a SKU other figures than the month does."""
        found = self.wanted(sku, month)
        return not isinstance(found, NotRated) and any(self._varies(each, month) for each in self._places_of(found))

    def _wanted_in(self, sku: Sku, period: Month) -> Wanted | NotRated:
        own = user.match(self.recipe.user_rates, sku) if self.recipe.user_rates else None
        if own is not None:
            return self._wanted(sku, period, _OWN, own=own)
        key = _question_of(sku, period)
        asked = self._asked.get(key) or self._asked.keep(key, self._ask(key))
        if isinstance(asked, NotRated):
            return asked
        provider, _, to_region, everywhere, when, demand, ids, _, _ = asked  # _replace would cost rating a tenth
        return Wanted(provider, sku.region_id, to_region, everywhere, when, demand, ids)

    def _ask(self, question: Question) -> Wanted | NotRated:
        """Ask the classifier, which sees no more of a SKU than the question says."""
        sku, period = Sku(*question[:-1]), question[-1]
        asking = Asking(self.factors)
        demand = classify(sku, period, cast("FactorSet", asking))
        if isinstance(demand, NotRated):
            return demand
        components = self.components_of(sku, demand)
        if isinstance(components, NotRated):
            return components
        if components is not demand.components:
            demand = replace(demand, components=components)
        return self._wanted(sku, period, demand, tuple(asking.asked))

    @staticmethod
    def _wanted(
        sku: Sku, period: Month, demand: Demand, asked: tuple[str, ...] = (), own: UserRate | None = None
    ) -> Wanted:
        everywhere = is_global_service(sku.service_name or sku.service_code)
        to_region = sku.attributes.to_region
        if to_region is not None and not any(map(_is_paired, demand.components)):
            to_region = None
        return Wanted(sku.provider, sku.region_id, to_region, everywhere, period, demand, asked, own)

    def made(self, wanted: Wanted) -> Reading | NotRated:
        """Return what is wanted, taken apart and placed, or why it is not rated."""
        own = wanted.own
        if own is not None and own.operational_kgco2e is not None:
            demand, kg = wanted.demand, user.piece_of(own).embodied_kg
            return Reading((), (), kg, demand.method, demand.bucket, demand.assumptions, (), own.operational_kgco2e)
        key = (wanted.provider, wanted.demand, wanted.asked, own)
        assembly = self._assemblies.get(key) or self._assemblies.keep(key, self._assembled(wanted))
        return assembly if isinstance(assembly, NotRated) else self._placed(wanted, assembly)

    def _assembled(self, wanted: Wanted) -> Assembly | NotRated:
        if wanted.own is not None:
            return assembly_of((user.piece_of(wanted.own),), wanted.demand, (), self.settings.overhead)
        pieces: list[Piece] = []
        for component in wanted.demand.components:
            made = self.workshop.pieces(component, wanted.provider)
            if isinstance(made, NotRated):
                return made
            pieces.extend(made)
        return assembly_of(tuple(pieces), wanted.demand, wanted.asked, self.settings.overhead)

    def components_of(self, _sku: Sku, demand: Demand) -> tuple[Component, ...] | NotRated:
        """Return the components to rate; profiles that count otherwise change them here.

        The SKU comes without its id, and without its region but for the providers in ``READ_WITH_REGION``.
        """
        return demand.components

    def site_at(self, place: Place, period: Period) -> Site | None:
        """Return grid and facility of a place in a period; profiles with factors of their own change them here."""
        return site_of(place.region, period, self.factors, self.recipe)

    def _placed(self, wanted: Wanted, assembly: Assembly) -> Reading | NotRated:
        at = (wanted.provider, wanted.region_id, wanted.everywhere, wanted.when)
        ground = self._grounds.get(at) or self._grounds.keep(at, self._ground(wanted))
        if isinstance(ground, NotRated):
            return ground
        place, site, marks, ids = ground
        if assembly.paired is None:
            return self._reading(assembly, (Part(*assembly.here, site),), marks, ids)
        paired, more, asked = self._paired(wanted, place, site)
        parts = (Part(*assembly.here, site), Part(*assembly.paired, paired))
        return self._reading(assembly, parts, (*marks, *more), (*ids, *asked, *paired.factor_ids))

    def _ground(self, wanted: Wanted) -> Ground | NotRated:
        """Return the place and the site, with the marks and factor ids of every rate there, sorted for merging."""
        place = self._place(wanted.provider, wanted.region_id, everywhere=wanted.everywhere)
        if place is None:
            return NotRated(NotEstimatedReason.UNKNOWN_REGION, f"region {wanted.region_id or 'missing'}")
        site = self._site(place, wanted.when)
        if site is None:
            return NotRated(NotEstimatedReason.NO_FACTOR, f"no grid or PUE for {place.region.region_id}")
        marks = sorted({*place.marks, *site.marks, *self._always[0]})
        return Ground(place, site, tuple(marks), tuple(sorted({*site.factor_ids, *self._always[1]})))

    def _reading(
        self, assembly: Assembly, parts: tuple[Part, ...], marks: tuple[Assumption, ...], ids: tuple[str, ...]
    ) -> Reading | NotRated:
        both = (assembly.marks, marks)
        all_marks = self._marks.get(both) or self._marks.keep(both, tuple(sorted({*assembly.marks, *marks})))
        all_ids = tuple(sorted(dict.fromkeys((*assembly.factor_ids, *ids))))
        if self.recipe.profile is Profile.ASSURED and (bad := self._recalled(all_ids)) is not None:
            return NotRated(NotEstimatedReason.NO_FACTOR, f"{bad} is recalled, which the assured profile refuses")
        pieces, kg = assembly.pieces, assembly.embodied_kg
        return Reading(pieces, parts, kg, assembly.method, assembly.bucket, all_marks, all_ids)

    def _recalled(self, ids: tuple[str, ...]) -> str | None:
        return next((each for each in ids if self.factors.factor(each).evidence == "recalled"), None)

    # places -----------------------------------------------------------------------------------------------------

    def _place(self, provider: str, region: str | None, *, everywhere: bool = False) -> Place | None:
        key = (provider, region, everywhere)
        if key not in self._places:
            self._places[key] = place_of(provider, region, self.factors, everywhere=everywhere)
        return self._places[key]

    def _places_of(self, wanted: Wanted) -> tuple[Place, ...]:
        """Return the places whose grid enters the figures: the region, and that of second copies where there are."""
        if wanted.own is not None and wanted.own.operational_kgco2e is not None:
            return ()
        place = self._place(wanted.provider, wanted.region_id, everywhere=wanted.everywhere)
        if place is None:
            return ()
        second = wanted.to_region or place.region.paired
        if second is None or not any(map(_is_paired, wanted.demand.components)):
            return (place,)
        found = self._place(wanted.provider, second)
        return (place,) if found is None else (place, found)

    def _varies(self, place: Place, month: Month) -> bool:
        """Return whether some hour of a month has another site than the month."""
        key = (place.region.provider, place.region.region_id, month)
        if key not in self._vary:
            whole = self._site(place, month)
            self._vary[key] = any(self._site(place, hour) != whole for hour in hours_in(month))
        return self._vary[key]

    def _site(self, place: Place, period: Period) -> Site | None:
        if isinstance(period, Hour):
            return self._site_in_hour(place, period)
        key = (place.region.provider, place.region.region_id, period)
        if key not in self._sites:
            self._sites[key] = self.site_at(place, period)
        return self._sites[key]

    def _site_in_hour(self, place: Place, hour: Hour) -> Site | None:
        """Return the site of an hour; it is the very one of its month where the hour makes no difference."""
        month = self._site(place, hour.month)
        if month is None:
            return None
        key = (place.region.provider, place.region.region_id, hour)
        known = self._hours.get(key)
        if known is not None:
            return known
        found = self.site_at(place, hour)
        return self._hours.keep(key, month if found is None or found == month else found)

    def _paired(
        self, wanted: Wanted, primary: Place, site: Site
    ) -> tuple[Site, tuple[Assumption, ...], tuple[str, ...]]:
        """Return the site of the paired region with its marks and factor ids.

        The bill's ``to_region`` comes first, then the pair of the factor set, then the primary itself, marked.
        """
        region = primary.region
        named = wanted.to_region
        place = self._place(wanted.provider, named or region.paired) if named or region.paired else None
        found = self._site(place, wanted.when) if place is not None else None
        if found is None:
            return site, (Assumption.PAIRED_REGION_AS_PRIMARY,), ()
        return found, found.marks, () if named else region.factor_ids
