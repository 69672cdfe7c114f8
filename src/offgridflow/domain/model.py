"""The three shapes that everything turns on: activity (SKU part), rate, emission, with their column lists.

Quantities are in ``consumed_unit`` of the SKU; a rate is per ONE consumed unit. Units are in the field names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from offgridflow.domain.reasons import Assumption, CoverageBucket, Group, Method, NotEstimatedReason, Status
from offgridflow.domain.trace import TermKind


@dataclass(frozen=True, slots=True, order=True)
class SkuAttributes:
    """What the mapping knows of a SKU beyond its names. Strings as the provider writes them; None where unknown.

    ``pricing_model`` has the word ``priced_quantity`` where the bill has no consumed quantity and the pricing pair
    stands in for it: then the same SKU has another rate, one that says so.
    """

    instance_type: str | None = None
    vcpu: float | None = None
    memory_gib: float | None = None
    gpu: float | None = None
    storage_class: str | None = None
    redundancy: str | None = None
    deployment: str | None = None
    transfer_kind: str | None = None
    to_region: str | None = None
    pricing_model: str | None = None


@dataclass(frozen=True, slots=True)
class Sku:
    """What is rated. Two SKUs that are equal have the same rate in the same month under the same recipe.

    ``service_name`` is FOCUS ServiceName; ``service_code`` the provider's own code where the bill has it (AWS
    ``AmazonEC2``, Azure meter category, GCP service id), else None. ``sku_meter`` is the most telling name of what is
    metered: AWS usage type, Azure ``MeterSubCategory - MeterName``, GCP SKU description, FOCUS SkuMeter or else
    ChargeDescription. ``region_id`` is as the provider writes it, after trimming, and may be a zone, an alias or None.
    """

    provider: str
    service_name: str | None
    service_code: str | None
    sku_id: str | None
    sku_meter: str | None
    operation: str | None
    consumed_unit: str | None
    region_id: str | None
    description: str | None = None
    attributes: SkuAttributes = field(default_factory=SkuAttributes)


@dataclass(frozen=True, slots=True)
class Span:
    """Low, central and high of one quantity, ``low <= central <= high``."""

    low: float
    central: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> "Span":
        """Return the span of a value without a range."""
        return cls(value, value, value)

    def scaled(self, factor: float) -> "Span":
        """Return the span times a factor that is not negative."""
        return Span(self.low * factor, self.central * factor, self.high * factor)


class Swing(NamedTuple):
    """Total kgCO2e per unit with one group at its low and at its high, all others central."""

    group: Group
    low_kgco2e: float
    high_kgco2e: float


@dataclass(frozen=True, slots=True)
class Term:
    """A number of an expression as it stands there: what it is, its name (of a result: that of its step) and range.

    A coefficient names its factors; ``low`` and ``high`` are None for results.
    """

    text: str
    kind: TermKind
    name: str
    unit: str
    low: float | None
    high: float | None
    factor_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of arithmetic that a person can check: ``name = expression = value unit``.

    ``terms`` say of every number of the expression, in its order, what it is; ``factor_ids`` name the factors among
    them, each once.
    """

    name: str
    expression: str
    value: float
    unit: str
    factor_ids: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()


UNMOVED: Final[Mapping[Group, tuple[float, float]]] = {}
"""No group moves the total."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Energy, emissions and water per ONE consumed unit of a SKU in a month under a recipe.

    Where ``status`` is not_estimated all impacts are None and ``reason`` says why; never 0 for unknown, never NaN.
    ``operational_location_kgco2e`` is direct + upstream, or their sum alone where only a lifecycle factor exists (then
    the two parts are None). ``total`` is location-based operational + embodied. ``moves_kgco2e`` are the differences
    to its central value with one group at its low and at its high, all others central.
    """

    rate_id: str
    sku: Sku
    period: str
    status: Status
    reason: NotEstimatedReason | None
    method: Method | None
    coverage_bucket: CoverageBucket
    assumptions: tuple[Assumption, ...] = ()
    factor_ids: tuple[str, ...] = ()
    it_energy_kwh: float | None = None
    energy_kwh: Span | None = None
    operational_direct_kgco2e: float | None = None
    operational_upstream_kgco2e: float | None = None
    operational_location_kgco2e: float | None = None
    operational_market_kgco2e: float | None = None
    embodied_kgco2e: float | None = None
    total_kgco2e: Span | None = None
    total_market_kgco2e: float | None = None
    envelope_kgco2e: tuple[float, float] | None = None
    water_l: float | None = None
    moves_kgco2e: Mapping[Group, tuple[float, float]] = field(default_factory=lambda: UNMOVED)

    @property
    def swings(self) -> tuple[Swing, ...]:
        """The total with each group that moves it at its low and at its high, in the order of the groups."""
        total, moves = self.total_kgco2e, self.moves_kgco2e
        if total is None:
            return ()
        held = [(group, *moves[group]) for group in Group if group in moves]
        return tuple(
            Swing(group, total.central + low, total.central + high) for group, low, high in held if low or high
        )


DECIMAL: Final = "DECIMAL(38,15)"
ATTRIBUTES_SQL: Final = (
    "STRUCT(instance_type VARCHAR, vcpu DOUBLE, memory_gib DOUBLE, gpu DOUBLE, storage_class VARCHAR, "
    "redundancy VARCHAR, deployment VARCHAR, transfer_kind VARCHAR, to_region VARCHAR, pricing_model VARCHAR)"
)

SKU_COLUMNS: Final[dict[str, str]] = {
    "provider": "VARCHAR",
    "service_name": "VARCHAR",
    "service_code": "VARCHAR",
    "sku_id": "VARCHAR",
    "sku_meter": "VARCHAR",
    "operation": "VARCHAR",
    "consumed_unit": "VARCHAR",
    "region_id": "VARCHAR",
    "description": "VARCHAR",
    "attributes": ATTRIBUTES_SQL,
}
"""Columns (DuckDB types) whose distinct tuples are the SKUs to rate."""

SKU_HASH_SQL: Final = f"hash({', '.join(SKU_COLUMNS)})"
"""DuckDB's 64-bit hash of a SKU, over columns of exactly these names and types: the key to join a rate card by."""

PARTITION_COLUMNS: Final[dict[str, str]] = {
    "source": "VARCHAR",
    "billing_period": "VARCHAR",
    "commit_id": "VARCHAR",
}

GRAIN_COLUMNS: Final[dict[str, str]] = {
    "charge_period_start": "TIMESTAMP WITH TIME ZONE",
    "billing_account_id": "VARCHAR",
    "sub_account_id": "VARCHAR",
    "service_category": "VARCHAR",
    "resource_id": "VARCHAR",
    "billing_currency": "VARCHAR",
    "charge_class": "VARCHAR",
    "tags": "MAP(VARCHAR, VARCHAR)",
}
"""The grain beside the SKU. ``charge_class`` is ``usage`` or the value of an ExcludedReason. ``tags`` is sorted by key.
``charge_period_start`` is truncated to the grain's period (hour, day, month), UTC."""

MEASURE_COLUMNS: Final[dict[str, str]] = {
    "sub_account_name": "VARCHAR",
    "consumed_quantity": DECIMAL,
    "billed_cost": DECIMAL,
    "effective_cost": DECIMAL,
    "line_items": "BIGINT",
}
"""``consumed_quantity`` is None where no line of the group has one (lines with and without are never one group)."""

ACTIVITY_COLUMNS: Final[dict[str, str]] = {**GRAIN_COLUMNS, **SKU_COLUMNS, **MEASURE_COLUMNS}

IMPACT_COLUMNS: Final[tuple[str, ...]] = (
    "it_energy_kwh",
    "energy_kwh",
    "operational_direct_kgco2e",
    "operational_upstream_kgco2e",
    "operational_location_kgco2e",
    "operational_market_kgco2e",
    "embodied_kgco2e",
    "total_kgco2e",
    "total_low_kgco2e",
    "total_high_kgco2e",
    "total_market_kgco2e",
    "water_l",
)

EMISSION_COLUMNS: Final[dict[str, str]] = {
    **ACTIVITY_COLUMNS,
    "rate_id": "VARCHAR",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "method": "VARCHAR",
    "coverage_bucket": "VARCHAR",
    "assumptions": "VARCHAR[]",
    **dict.fromkeys(IMPACT_COLUMNS, "DOUBLE"),
}
"""A row of the ledger, beside the partition columns. Excluded rows have ``status = excluded``, ``reason`` = their
``charge_class``, and null rate_id, method, coverage_bucket and impacts."""

PRICED_QUANTITY: Final = "priced_quantity"
"""The word in ``pricing_model`` of a SKU whose quantity and unit are those that were priced."""

USAGE: Final = "usage"
