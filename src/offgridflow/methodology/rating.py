"""``rate(sku, period, factors, recipe) -> Rate``: energy, emissions and water of ONE consumed unit of a SKU.

A pure function: equal arguments give an equal rate, to the last digit, in any process. A SKU that cannot be rated gives
a rate with a reason and no figure; no text in a bill makes it raise.
"""

from functools import lru_cache

from offgridflow.domain.identity import digest_of
from offgridflow.domain.model import PRICED_QUANTITY, Rate, Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, NotEstimatedReason, Status, bucket_of_reason
from offgridflow.factors.model import FactorSet
from offgridflow.methodology import ccf
from offgridflow.methodology.demand import NotRated
from offgridflow.methodology.figures import Figures, figures_of
from offgridflow.methodology.reading import Reader, Reading
from offgridflow.methodology.recipe import Profile, Recipe


class Rater:
    """Rates under one factor set and one recipe. Call it with a SKU and a month."""

    def __init__(self, factors: FactorSet, recipe: Recipe) -> None:
        self.reader = ccf.CcfReader(factors, recipe) if recipe.profile is Profile.CCF else Reader(factors, recipe)
        self._stamp = (factors.digest, recipe.digest)

    def __call__(self, sku: Sku, period: Month) -> Rate:
        """Return the rate of a SKU in a month."""
        reading = self.reader.read(sku, period)
        if isinstance(reading, NotRated):
            return self._unrated(sku, period, reading.reason)
        figures = figures_of(reading, self.reader.settings)
        if figures is None:
            return self._unrated(sku, period, NotEstimatedReason.OUT_OF_BOUNDS)
        return self._rated(reading, figures)

    def _unrated(self, sku: Sku, period: Month, reason: NotEstimatedReason) -> Rate:
        content = ["rate", *self._stamp, _content_of(sku), str(period), reason.value]
        return Rate(
            rate_id=digest_of(content),
            sku=sku,
            period=str(period),
            status=Status.NOT_ESTIMATED,
            reason=reason,
            method=None,
            coverage_bucket=bucket_of_reason(reason),
        )

    def _rated(self, reading: Reading, figures: Figures) -> Rate:
        estimated = reading.bucket is CoverageBucket.SKU
        content = ["rate", *self._stamp, _content_of(reading.sku), str(reading.period), reading.bucket.value]
        return Rate(
            rate_id=digest_of([*content, *figures.content]),
            sku=reading.sku,
            period=str(reading.period),
            status=Status.ESTIMATED if estimated else Status.FALLBACK,
            reason=None,
            method=reading.method,
            coverage_bucket=reading.bucket,
            assumptions=_marks_of(reading),
            factor_ids=reading.factor_ids,
            it_energy_kwh=figures.it_energy_kwh,
            energy_kwh=figures.energy_kwh,
            operational_direct_kgco2e=figures.direct,
            operational_upstream_kgco2e=figures.upstream,
            operational_location_kgco2e=figures.location,
            operational_market_kgco2e=figures.market,
            embodied_kgco2e=figures.embodied,
            total_kgco2e=figures.total,
            total_market_kgco2e=figures.total_market,
            envelope_kgco2e=figures.envelope,
            water_l=figures.water_l,
            swings=figures.swings,
        )


def _marks_of(reading: Reading) -> tuple[Assumption, ...]:
    """Return the assumptions of a reading, and that of its quantity, which is none of the SKU's own."""
    if PRICED_QUANTITY not in (reading.sku.attributes.pricing_model or "").split():
        return reading.assumptions
    return tuple(sorted({*reading.assumptions, Assumption.UNIT_FROM_PRICING}))


def _content_of(sku: Sku) -> list[object]:
    """Return every field of a SKU in a fixed order; numbers as text, so that infinities and NaN have a digest too."""
    known = sku.attributes
    return [
        sku.provider,
        sku.service_name,
        sku.service_code,
        sku.sku_id,
        sku.sku_meter,
        sku.operation,
        sku.consumed_unit,
        sku.region_id,
        sku.description,
        known.instance_type,
        repr(known.vcpu),
        repr(known.memory_gib),
        repr(known.gpu),
        known.storage_class,
        known.redundancy,
        known.deployment,
        known.transfer_kind,
        known.to_region,
        known.pricing_model,
    ]


class _Held:
    """A factor set as a dictionary key: by identity, because a set need not be hashable."""

    __slots__ = ("factors",)

    def __init__(self, factors: FactorSet) -> None:
        self.factors = factors

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.factors is self.factors

    def __hash__(self) -> int:
        return id(self.factors)


@lru_cache(maxsize=8)
def _rater(held: _Held, recipe: Recipe) -> Rater:
    return Rater(held.factors, recipe)


def rater_of(factors: FactorSet, recipe: Recipe) -> Rater:
    """Return the rater of a factor set and a recipe; the same one while it is among the last eight used."""
    return _rater(_Held(factors), recipe)


def rate(sku: Sku, period: Month, factors: FactorSet, recipe: Recipe) -> Rate:
    """Return the rate of a SKU in a month. Never raises for anything that a SKU says.

    Raises KeyError only where the factor set lacks a coefficient that the methodology needs.
    """
    return rater_of(factors, recipe)(sku, period)
