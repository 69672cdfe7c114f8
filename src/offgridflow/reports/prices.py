"""Unit prices that were really paid in this ledger, and the offer that a SKU is: the same thing in any region.

A price list of the user answers for what was never paid for (``reports.price_list``). Prices that nobody paid and
nobody gave are unknown, never guessed. docs/dashboard.md tells how.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Final

from offgridflow.domain.model import DECIMAL, SKU_COLUMNS, USAGE, Sku
from offgridflow.reports.price_list import PriceList
from offgridflow.reports.records import records, sku_of
from offgridflow.reports.scope import MONTH_SQL

if TYPE_CHECKING:
    import duckdb

COST: Final = "coalesce(effective_cost, billed_cost)"
"""What use cost: commitments spread over what they cover, else as billed."""


class PriceBasis(StrEnum):
    """How the price of the other thing was found."""

    PAID = "paid"
    PRICE_LIST = "price_list"
    PAID_FOR_OTHER_SIZE = "paid_for_other_size"


class NoPrice(StrEnum):
    """Why there is no cost after a change."""

    NOT_IN_LEDGER = "not_in_ledger"
    QUANTITY_UNKNOWN = "quantity_unknown"


PRICE_MEANINGS: Final[dict[str, str]] = {
    PriceBasis.PAID: "this ledger paid for the same offer; the median over SKUs and months",
    PriceBasis.PRICE_LIST: "your own price list has it; this ledger paid for no such thing",
    PriceBasis.PAID_FOR_OTHER_SIZE: "this ledger paid for another size of the same machines; the price by size",
    NoPrice.NOT_IN_LEDGER: "this ledger paid for no such thing in that region, on these terms, in this currency",
    NoPrice.QUANTITY_UNKNOWN: "the bill says no quantity of it, or a negative one",
}
"""What every ``price_basis`` and ``reason`` of a change means."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is bought. SKUs that differ only in the spelling of their region have equal offers but for ``region_id``."""

    provider: str
    service_name: str | None
    meter: str | None
    operation: str
    consumed_unit: str | None
    region_id: str | None
    machine: str | None
    storage_class: str | None
    redundancy: str | None
    deployment: str | None
    transfer: tuple[str | None, str | None]
    pricing_model: str | None


@dataclass(frozen=True, slots=True)
class Price:
    """Money per ONE consumed unit: the median of what was paid, the lowest and the highest of it, and how often.

    ``source`` is the file and line of a price list; None for what was paid.
    """

    low: float
    central: float
    high: float
    observations: int
    basis: PriceBasis = PriceBasis.PAID
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by offer and currency; ``by_size`` by family of machines, per size (xlarge at AWS, vCPU at Azure).

    ``listed`` is the user's price list, None without one.
    """

    exact: Mapping[tuple[Offer, str | None], Price]
    by_size: Mapping[tuple[Offer, str | None], Price]
    listed: PriceList | None = None

    def of(self, sku: Sku, currency: str | None) -> Price | None:
        """Return the price of a SKU in a currency: what was paid for it, else listed, else paid for another size."""
        offer = offer_of(sku)
        exact = self.exact.get((offer, currency)) or self._listed(sku, currency)
        if exact is not None:
            return exact
        family, size = _sized(offer)
        per_size = None if size is None else self.by_size.get((family, currency))
        if per_size is None or size is None:
            return None
        return replace(per_size, low=per_size.low * size, central=per_size.central * size, high=per_size.high * size)

    def _listed(self, sku: Sku, currency: str | None) -> Price | None:
        row = None if self.listed is None else self.listed.of(sku, _placeless(sku), currency)
        if row is None or self.listed is None:
            return None
        price = float(row.price)
        return Price(price, price, price, 0, PriceBasis.PRICE_LIST, f"{self.listed.name}, line {row.line}")


NO_PRICES: Final = Prices({}, {})


def offer_of(sku: Sku) -> Offer:
    """Return the offer of a SKU: its meter without region and price, its machine, and the terms that set a price."""
    known = sku.attributes
    return Offer(
        provider=sku.provider,
        service_name=sku.service_name,
        meter=_meter(sku),
        operation=_terms(sku),
        consumed_unit=sku.consumed_unit,
        region_id=sku.region_id,
        machine=_machine(sku),
        storage_class=known.storage_class,
        redundancy=known.redundancy,
        deployment=known.deployment,
        transfer=(known.transfer_kind, known.to_region),
        pricing_model=known.pricing_model,
    )


def _placeless(sku: Sku) -> str | None:
    """Return the meter of a SKU without what names its region or price."""
    if sku.provider == "aws":
        from offgridflow.methodology.aws import meter_of  # noqa: PLC0415  the rules of a provider only when they are asked

        return meter_of(sku)
    return _MAKER.sub("", _PLACE.sub("", sku.sku_meter)) if sku.provider == "gcp" and sku.sku_meter else sku.sku_meter


def _meter(sku: Sku) -> str | None:
    """Return the meter without place, and without the machine where another column has it."""
    meter = _placeless(sku)
    if meter is None or sku.attributes.instance_type is None:
        return meter or sku.sku_id
    if sku.provider == "gcp":
        return _SERIES.sub("", meter)
    return _AZURE_SIZE.sub(r"Series\g<terms> -\g<more>", meter) if sku.provider == "azure" else meter


def _terms(sku: Sku) -> str:
    """Return what of the operation sets a price: at AWS the code after the colon, which tells licence and engine."""
    operation = sku.operation or ""
    return operation.partition(":")[2] if sku.provider == "aws" else operation


_PLACE: Final = re.compile(r"(?: running)? in [A-Z][\w ().-]*$")
_MAKER: Final = re.compile(r" (?:AMD|Arm)(?= )")
_SERIES: Final = re.compile(r"\b[A-Z]\d[A-Z]* (?=(?:Custom |Predefined )?Instance (?:Core|Ram))")
_AZURE_SIZE: Final = re.compile(r"^.* Series(?P<terms>[^-]*) - [A-Z]\S*\d\S*(?: v\d+)?(?P<more>.*)$")


def _machine(sku: Sku) -> str | None:
    """Return what has a price: a type of machine, at Google Cloud a series; the meter of AWS names the machine."""
    machine = sku.attributes.instance_type
    if machine is None or sku.provider == "aws":
        return None
    return machine.partition("-")[0] if sku.provider == "gcp" else machine


def _sized(offer: Offer) -> tuple[Offer, float | None]:
    """Return the offer of the whole family, and the size of this machine in it; None where it has none."""
    if offer.provider == "aws":
        found = _AWS_SIZE.search(offer.meter or "")
        if found is None:
            return offer, None
        size = _AWS_SIZES.get(found["size"], float(found["times"] or 1))
        return replace(offer, meter=_AWS_SIZE.sub(".*", offer.meter or "")), size
    found = _AZURE_VCPUS.match(offer.machine or "")
    if offer.provider != "azure" or found is None:
        return offer, None
    return replace(offer, machine=f"{found['series']}*{found['more']}"), float(found["vcpus"])


_AWS_SIZE: Final = re.compile(r"\.(?P<size>nano|micro|small|medium|large|(?P<times>\d*)xlarge)$")
_AWS_SIZES: Final = {"nano": 1 / 32, "micro": 1 / 16, "small": 1 / 8, "medium": 1 / 4, "large": 1 / 2}
_AZURE_VCPUS: Final = re.compile(r"(?P<series>Standard_[A-Z]+)(?P<vcpus>\d+)(?P<more>[a-z]*(?:_v\d+)?)$")


def paid(con: "duckdb.DuckDBPyConnection", view: str = "emissions", listed: PriceList | None = None) -> Prices:
    """Return what was paid for each offer: per SKU and month money by quantity, of these median, least and most.

    ``listed`` answers for the rest. Usage without a positive quantity or with negative money (corrections alone) says
    nothing of a price.
    """
    columns = ", ".join(SKU_COLUMNS)
    rows = records(
        con,
        f"SELECT {columns}, billing_currency, sum({COST}::{DECIMAL})::DOUBLE AS cost, "
        f"sum(consumed_quantity)::DOUBLE AS quantity FROM {view} WHERE charge_class = '{USAGE}' AND "
        f"consumed_quantity > 0 AND {COST} IS NOT NULL GROUP BY {columns}, billing_currency, "
        f"{MONTH_SQL} HAVING cost >= 0 AND quantity > 0",
    )
    exact: _Seen = {}
    by_size: _Seen = {}
    for row in rows:
        offer, currency, price = offer_of(sku_of(row)), row["billing_currency"], row["cost"] / row["quantity"]
        exact.setdefault((offer, currency), []).append(price)
        family, size = _sized(offer)
        if size is not None:
            by_size.setdefault((family, currency), []).append(price / size)
    return Prices(
        {key: _price(values, PriceBasis.PAID) for key, values in exact.items()},
        {key: _price(values, PriceBasis.PAID_FOR_OTHER_SIZE) for key, values in by_size.items()},
        listed,
    )


_Seen = dict[tuple[Offer, str | None], list[float]]


def _price(values: Iterable[float], basis: PriceBasis) -> Price:
    """Return the price behind quotients, to twelve digits: money of lines is rounded, so that they know no more."""
    known = sorted(float(f"{value:.12g}") for value in values)
    return Price(known[0], median(known), known[-1], len(known), basis)
