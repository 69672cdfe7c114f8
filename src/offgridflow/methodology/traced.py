"""A factor set, a recipe and a SKU whose numbers remember where they come from; used inside ``trace.recording()``."""

import dataclasses
from typing import Any, Final, TypeVar

from offgridflow.domain.model import Sku, Span
from offgridflow.domain.periods import Hour, Month, Period
from offgridflow.domain.trace import TermKind, leaf
from offgridflow.factors.model import (
    AcceleratorType,
    AiModel,
    Facility,
    Factor,
    FactorSet,
    GridFactor,
    MachineType,
    Processor,
    Size,
)
from offgridflow.methodology.recipe import Recipe, RegionValue

T = TypeVar("T", MachineType, Processor, AcceleratorType, Size, GridFactor, Facility, AiModel)

FIELDS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "vcpu": ("vCPUs", "vCPU", ("machine", "size_vcpu")),
    "memory_gib": ("memory", "GiB", ("machine", "size_gib")),
    "threads": ("hardware threads", "threads", ("machine",)),
    "gpu_count": ("accelerators", "cards", ("machine",)),
    "ssd_tb": ("local SSD", "TB", ("machine",)),
    "hdd_drives": ("local hard disks", "drives", ("machine",)),
    "platform_vcpu": ("vCPUs of the host", "vCPU", ("machine",)),
    "sockets": ("sockets of the host", "sockets", ("machine",)),
    "baseline": ("baseline of one vCPU", "fraction", ("baseline",)),
    "teads_w_50pct": ("measured watts at 50 % load", "W", ("teads",)),
    "teads_w_idle": ("measured watts when idle", "W", ("teads",)),
    "idle_w_per_thread": ("idle watts of a thread", "W/thread", ("processor",)),
    "max_w_per_thread": ("full watts of a thread", "W/thread", ("processor",)),
    "memory_gb_per_thread": ("memory that the measured machines had", "GB/thread", ("processor",)),
    "idle_w": ("idle watts", "W/card", ("accelerator",)),
    "tdp_w": ("full watts (TDP)", "W/card", ("accelerator",)),
    "embodied_kgco2e": ("embodied emissions of a card", "kgCO2e/card", ("accelerator_embodied",)),
    "direct": ("direct grid factor", "kgCO2e/kWh", ("grid_direct",)),
    "lifecycle_delivered": ("lifecycle grid factor, delivered", "kgCO2e/kWh", ("grid_lifecycle",)),
    "pue": ("PUE", "ratio", ("pue",)),
    "wue_l_per_it_kwh": ("WUE, water on site", "l/IT kWh", ("wue",)),
    "electricity_water_l_per_kwh": ("water of electricity", "l/kWh", ("ewif",)),
    "it_kwh_per_1k_output_tokens": ("IT energy of 1,000 output tokens", "kWh", ("ai_model",)),
    "embodied_kgco2e_per_1k_output_tokens": ("embodied of 1,000 output tokens", "kgCO2e", ("ai_embodied",)),
}
"""The numbers of the objects of a factor set: name, unit, and the kinds of the factors that give them."""


class TracedFactors:
    """A factor set that gives recorded numbers."""

    def __init__(self, factors: FactorSet) -> None:
        self._factors = factors

    def __getattr__(self, name: str) -> object:
        return getattr(self._factors, name)

    def coefficient(self, key: str) -> Factor:
        """Return a coefficient."""
        return of_factor(self._factors.coefficient(key))

    def replication(self, key: str) -> Factor | None:
        """Return copies."""
        return _or_none(self._factors.replication(key))

    def service_median_vcpu(self, provider: str, service: str) -> Factor | None:
        """Return a median size."""
        return _or_none(self._factors.service_median_vcpu(provider, service))

    def machine(self, provider: str, instance_type: str) -> MachineType | None:
        """Return a machine type."""
        found = self._factors.machine(provider, instance_type)
        return None if found is None else self._of(found, found.instance_type)

    def family(self, provider: str, family: str) -> tuple[MachineType, ...]:
        """Return the machine types of a family."""
        return tuple(self._of(each, each.instance_type) for each in self._factors.family(provider, family))

    def processor(self, name: str) -> Processor | None:
        """Return a processor generation."""
        found = self._factors.processor(name)
        return None if found is None else self._of(found, found.name)

    def accelerator(self, model: str) -> AcceleratorType | None:
        """Return an accelerator card."""
        found = self._factors.accelerator(model)
        return None if found is None else self._of(found, found.model)

    def size(self, key: str) -> Size | None:
        """Return the size of a service's unit."""
        found = self._factors.size(key)
        return None if found is None else self._of(found, found.key)

    def grid(self, provider: str, region_id: str, period: Period) -> GridFactor | None:
        """Return the grid of a region for a month or an hour."""
        found = self._factors.grid(provider, region_id, period)
        if found is None:
            return None
        return self._of(found, f"{region_id} {period if isinstance(period, Hour) else found.year}")

    def facility(self, provider: str, region_id: str, period: Month) -> Facility | None:
        """Return PUE and water of a region for a month."""
        found = self._factors.facility(provider, region_id, period)
        return None if found is None else self._of(found, region_id)

    def disk_gib(self, provider: str, code: str) -> tuple[float, str] | None:
        """Return provisioned GiB and medium of a managed disk code."""
        found = self._factors.disk_gib(provider, code)
        if found is None:
            return None
        return leaf(found[0], TermKind.CONVERSION, f"provisioned size of the disk {code}", "GiB"), found[1]

    def ai_model(self, provider: str, model: str) -> AiModel | None:
        """Return a language model."""
        found = self._factors.ai_model(provider, model)
        return None if found is None else self._of(found, found.model)

    def _of(self, found: T, name: str) -> T:
        """Return an object of the set with its numbers recorded."""
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(found):
            value = getattr(found, field.name)
            if field.name not in FIELDS or value is None:
                continue
            label, unit, kinds = FIELDS[field.name]
            ids = self._ids(found.factor_ids, kinds)
            changes[field.name] = _recorded(value, f"{label} of {name}", unit, ids)
        return dataclasses.replace(found, **changes)

    def _ids(self, factor_ids: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the factors that are of the kinds, all where none is."""
        fitting = tuple(each for each in factor_ids if self._factors.factor(each).kind in kinds)
        return fitting or factor_ids


def _recorded(value: float | Span, name: str, unit: str, ids: tuple[str, ...]) -> float | Span:
    if isinstance(value, Span):
        return of_span(value, TermKind.COEFFICIENT, name, unit, ids)
    return leaf(value, TermKind.COEFFICIENT, name, unit, factor_ids=ids)


def _or_none(factor: Factor | None) -> Factor | None:
    return None if factor is None else of_factor(factor)


def of_factor(factor: Factor) -> Factor:
    """Return a factor with its three numbers recorded."""
    name = f"{factor.kind} {factor.key}"
    span = of_span(factor.span, TermKind.COEFFICIENT, name, factor.unit, (factor.factor_id,))
    return dataclasses.replace(factor, low=span.low, central=span.central, high=span.high)


def of_span(span: Span, kind: TermKind, name: str, unit: str, ids: tuple[str, ...] = ()) -> Span:
    """Return a span with its three numbers recorded, each with the ends of the range."""
    ends = (float(span.low), float(span.high))
    names = (name, name, name) if ends[0] == ends[1] else (f"{name}, low", name, f"{name}, high")
    low, central, high = (
        leaf(value, kind, each, unit, ends=ends, factor_ids=ids)
        for value, each in zip((span.low, span.central, span.high), names, strict=True)
    )
    return Span(low, central, high)


def traced_recipe(recipe: Recipe) -> Recipe:
    """Return a recipe with the user's numbers recorded."""
    return dataclasses.replace(
        recipe,
        utilisation=_set(recipe.utilisation, "methodology.utilisation", "fraction"),
        lifetime_years=_set(recipe.lifetime_years, "methodology.lifetime_years", "years"),
        pue=_of_regions(recipe.pue, "PUE", "ratio"),
        contracts=_of_regions(recipe.contracts, "contractual grid factor", "kgCO2e/kWh"),
        grid=_of_regions(recipe.grid, "grid factor", "kgCO2e/kWh"),
        user_rates=tuple(
            dataclasses.replace(
                each,
                it_kwh=_own_span(each.it_kwh, "own rate, IT energy", "kWh"),
                operational_kgco2e=_own_span(each.operational_kgco2e, "own rate, operational", "kgCO2e"),
                embodied_kgco2e=leaf(each.embodied_kgco2e, TermKind.SETTING, "own rate, embodied", "kgCO2e"),
            )
            for each in recipe.user_rates
        ),
    )


def _set(value: float | None, name: str, unit: str) -> float | None:
    return None if value is None else leaf(value, TermKind.SETTING, name, unit)


def _own_span(span: Span | None, name: str, unit: str) -> Span | None:
    return None if span is None else of_span(span, TermKind.SETTING, name, unit)


def _of_regions(values: tuple[RegionValue, ...], name: str, unit: str) -> tuple[RegionValue, ...]:
    return tuple(
        dataclasses.replace(
            each, value=leaf(each.value, TermKind.SETTING, f"{name} of {each.provider} {each.region_id}", unit)
        )
        for each in values
    )


def traced_sku(sku: Sku) -> Sku:
    """Return a SKU with the numbers of its attributes recorded."""
    known = sku.attributes
    units = {"vcpu": "vCPU", "memory_gib": "GiB", "gpu": "cards"}
    found = {name: getattr(known, name) for name in units}
    changes: dict[str, Any] = {
        name: leaf(value, TermKind.BILL, f"{name} in the bill", units[name])
        for name, value in found.items()
        if value is not None
    }
    return dataclasses.replace(sku, attributes=dataclasses.replace(known, **changes))
