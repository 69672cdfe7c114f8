"""What the user brings: own rates of SKUs, own activities, and factors by spend.

Own activities need no code of their own: a row whose SKU carries instance type, vCPUs, memory, accelerators, storage
class or transfer kind in its attributes is read by the ``generic`` classifier, whatever its provider.

Spend is the last resort and off by default. It rates money, not a unit, so it is no part of ``rate``: a row that was
not estimated gets a figure of its own bucket (D), shown apart from the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from offgridflow.domain.model import Sku, Span
from offgridflow.domain.reasons import Assumption, CoverageBucket, Group, Method
from offgridflow.methodology.pieces import Piece
from offgridflow.methodology.ranges import NOTHING, Spread
from offgridflow.methodology.recipe import Recipe, UserRate


def match(rates: Iterable[UserRate], sku: Sku) -> UserRate | None:
    """Return the first of the user's rates that is for this SKU, exact SKU ids before patterns, or None."""
    unit = (sku.consumed_unit or "").strip().lower()
    fitting = [each for each in rates if each.provider == sku.provider and each.consumed_unit.strip().lower() == unit]
    for each in fitting:
        if each.sku_id is not None and each.sku_id == sku.sku_id and _meter_fits(each, sku):
            return each
    return next((each for each in fitting if each.sku_id is None and each.meter and _meter_fits(each, sku)), None)


def _meter_fits(each: UserRate, sku: Sku) -> bool:
    return each.meter is None or fnmatchcase((sku.sku_meter or "").lower(), each.meter.lower())


def piece_of(own: UserRate) -> Piece:
    """Return a user's rate as a piece; its range counts as the power group, because it is the user's own energy."""
    energy = NOTHING if own.it_kwh is None else Spread.of(Group.POWER, own.it_kwh)
    kg = own.embodied_kgco2e
    return Piece(energy, Spread(kg, kg, kg))


@dataclass(frozen=True, slots=True)
class SpendEstimate:
    """kgCO2e of an amount of money by a factor per unit of its currency; never added to bucket A, B or C silently."""

    kgco2e: Span
    currency: str
    source: str
    method: Method = Method.SPEND
    bucket: CoverageBucket = CoverageBucket.SPEND
    assumptions: tuple[Assumption, ...] = (Assumption.SPEND_MEAN,)


@dataclass(frozen=True, slots=True)
class SpendRow:
    """One currency of the spend fallback, as a row to join: kgCO2e per unit of money, and its source."""

    billing_currency: str
    low_kgco2e: float
    central_kgco2e: float
    high_kgco2e: float
    source: str


def spend_rows(recipe: Recipe) -> tuple[SpendRow, ...]:
    """Return the table that the pipeline joins rows of bucket E with; empty where spend is switched off.

    A row gets ``max(billed, effective, 0) x factor`` as its total, status fallback, method spend, bucket D and the mark
    ``spend_mean``; all other impacts stay null, and reports never add bucket D to the estimated total.
    """
    first = {each.currency: each for each in reversed(recipe.spend)}
    spans = ((each, each.kgco2e_per_unit) for _, each in sorted(first.items()))
    return tuple(SpendRow(each.currency, span.low, span.central, span.high, each.source) for each, span in spans)


def spend_estimate(recipe: Recipe, currency: str, cost: Decimal) -> SpendEstimate | None:
    """Return the estimate of a cost, or None where spend is off, has no factor for the currency, or is not positive."""
    if not cost.is_finite() or cost <= 0:
        return None
    for each in recipe.spend:
        if each.currency == currency:
            return SpendEstimate(each.kgco2e_per_unit.scaled(float(cost)), currency, each.source)
    return None
