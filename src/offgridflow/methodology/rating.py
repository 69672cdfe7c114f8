"""``rate(sku, period, factors, recipe) -> Rate``: energy, emissions and water of ONE consumed unit of a SKU.

A pure function: equal arguments give an equal rate, to the last digit, in any process. A SKU that cannot be rated gives
a rate with a reason and no figure; no text in a bill makes it raise.
"""

from functools import lru_cache
from typing import NamedTuple

from offgridflow.domain.identity import canonical, canonical_texts, digest_of_text
from offgridflow.domain.model import PRICED_QUANTITY, Rate, Sku
from offgridflow.domain.periods import Month, Period, month_of
from offgridflow.domain.reasons import (
    Assumption,
    CoverageBucket,
    Method,
    NotEstimatedReason,
    Status,
    bucket_of_reason,
)
from offgridflow.factors.model import FactorSet
from offgridflow.methodology import ccf
from offgridflow.methodology.demand import NotRated
from offgridflow.methodology.figures import Figures, figures_of
from offgridflow.methodology.memo import Memo
from offgridflow.methodology.reading import Reader, Wanted
from offgridflow.methodology.recipe import Profile, Recipe


class _Rated(NamedTuple):
    """What all SKUs that want the same share; ``content`` ends the text that the rate's id is the digest of."""

    method: Method
    bucket: CoverageBucket
    assumptions: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]
    figures: Figures
    period: str
    content: str


class Rater:
    """Rates under one factor set and one recipe. Call it with a SKU and a month or an hour."""

    def __init__(self, factors: FactorSet, recipe: Recipe) -> None:
        self.reader = ccf.CcfReader(factors, recipe) if recipe.profile is Profile.CCF else Reader(factors, recipe)
        self._stamp = canonical(["rate", factors.digest, recipe.digest])[1:-1]
        self._outcomes: Memo[Wanted, _Rated | NotEstimatedReason] = Memo()

    def __call__(self, sku: Sku, period: Period) -> Rate:
        """Return the rate of a SKU in a month, or in an hour.

        The rate of an hour is that of its month, with the same id, where the hour makes no difference to the SKU's
        place: where that place has no grid factors by hour in this month.
        """
        wanted = self.reader.wanted(sku, period)
        if isinstance(wanted, NotRated):
            return self._unrated(sku, month_of(period), wanted.reason)
        outcome = self._outcomes.get(wanted) or self._outcomes.keep(wanted, self._outcome_of(wanted))
        if isinstance(outcome, NotEstimatedReason):
            return self._unrated(sku, wanted.when, outcome)
        return self._rated(sku, outcome)

    def varies_in(self, sku: Sku, month: Month) -> bool:
        """Return whether some hour of a month has another rate of a SKU than the month."""
        return self.reader.varies_in(sku, month)

    def _outcome_of(self, wanted: Wanted) -> _Rated | NotEstimatedReason:
        reading = self.reader.made(wanted)
        if isinstance(reading, NotRated):
            return reading.reason
        figures = figures_of(reading, self.reader.settings)
        if figures is None:
            return NotEstimatedReason.OUT_OF_BOUNDS
        period, bucket, marks = str(wanted.when), reading.bucket, reading.assumptions
        content = canonical([period, bucket.value, *figures.content])
        return _Rated(reading.method, bucket, marks, reading.factor_ids, figures, period, content[1:])

    def _id_of(self, sku: Sku, end: str) -> str:
        """Return the digest of stamp, SKU and ``end``, which is the rest of a canonical JSON list."""
        return digest_of_text(f"[{self._stamp},{_content_of(sku)},{end}")

    def _unrated(self, sku: Sku, period: Period, reason: NotEstimatedReason) -> Rate:
        return Rate(
            rate_id=self._id_of(sku, canonical([str(period), reason.value])[1:]),
            sku=sku,
            period=str(period),
            status=Status.NOT_ESTIMATED,
            reason=reason,
            method=None,
            coverage_bucket=bucket_of_reason(reason),
        )

    def _rated(self, sku: Sku, made: _Rated) -> Rate:
        figures = made.figures
        return Rate(
            rate_id=self._id_of(sku, made.content),
            sku=sku,
            period=made.period,
            status=Status.ESTIMATED if made.bucket is CoverageBucket.SKU else Status.FALLBACK,
            reason=None,
            method=made.method,
            coverage_bucket=made.bucket,
            assumptions=_marks_of(sku, made.assumptions),
            factor_ids=made.factor_ids,
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
            moves_kgco2e=figures.moves,
        )


def _marks_of(sku: Sku, marks: tuple[Assumption, ...]) -> tuple[Assumption, ...]:
    """Return the assumptions behind a SKU's figures, and that of its quantity, which is none of the SKU's own."""
    model = sku.attributes.pricing_model
    if not model or PRICED_QUANTITY not in model.split():
        return marks
    return tuple(sorted({*marks, Assumption.UNIT_FROM_PRICING}))


def _content_of(sku: Sku) -> str:
    """Return every field of a SKU in a fixed order as a canonical JSON list.

    Numbers stand in it as text, so that infinities and NaN have a digest too.
    """
    known = sku.attributes
    fields = [
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
    return canonical_texts(fields)


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


def rate(sku: Sku, period: Period, factors: FactorSet, recipe: Recipe) -> Rate:
    """Return the rate of a SKU in a month or an hour. Never raises for anything that a SKU says.

    Raises KeyError only where the factor set lacks a coefficient that the methodology needs.
    """
    return rater_of(factors, recipe)(sku, period)
