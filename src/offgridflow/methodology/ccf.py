"""The ``ccf`` profile: Cloud Carbon Footprint's method and constants where they work, without its faults.

``kWh = vCPUh x (min + u (max - min)) x PUE / 1000``, memory only beyond what the SPECpower chip had, binary GB, fixed
PUE and grid factors, four years of life, no ranges, no overhead. ``DIFFERENCES`` names what it does otherwise: each is
a fault or a gap of the original.
"""

import math
import re
from dataclasses import replace
from typing import Final

from offgridflow.domain.model import Sku, Span
from offgridflow.domain.periods import Month, Period, month_of
from offgridflow.domain.reasons import Assumption, NotEstimatedReason
from offgridflow.domain.trace import TermKind, leaf, mean
from offgridflow.domain.units import GIB_TO_GB, Dimension, conversion_of
from offgridflow.factors.model import AcceleratorType, FactorSet, GridFactor, MachineType, Region
from offgridflow.methodology import ccf_constants as constants
from offgridflow.methodology import embodied
from offgridflow.methodology.ccf_machines import Original, original_of
from offgridflow.methodology.coefficients import HALF, NETWORK, Settings
from offgridflow.methodology.compute import Watts
from offgridflow.methodology.demand import Component, Demand, NotRated, Storage, Tokens, Transfer, Vcpu
from offgridflow.methodology.pieces import Hardware, Host, Workshop
from offgridflow.methodology.place import Place
from offgridflow.methodology.reading import Reader, Wanted
from offgridflow.methodology.recipe import Recipe, value_of
from offgridflow.methodology.site import Site

DIFFERENCES: Final = (
    "GB-months are months of gigabytes, not bytes (issue 1029) and not days of hours",
    "an unknown region, machine or unit is a reason, never NaN and never 0 kWh",
    "a machine without vCPUs in the bill takes those of the catalogue, never one vCPU",
    "Azure regions have their own factor, not the mean of all",
    "accelerators that the original has no watts for take the catalogue's, linear at 50 %, never none",
    "embodied emissions stay kilograms: they are never turned into kWh, and the hours of use count",
    "multi-region factors are means, not sums",
    "rows that cannot be estimated are not filled by a ratio of other rows of the same run",
    "embodied kilograms of a machine follow the additive rule; the original's table per type is not shipped",
    "regions without a fixed factor of the original take the factor set's",
    "copies of storage do not multiply machines (Aurora Serverless, DocumentDB, Azure SQL)",
    "managed plans, caches, databases and functions of Azure have the vCPUs and the memory of our classifiers",
    "a transfer between zones is counted once, not at both ends",
    "the user's own utilisation, PUE and grid factors win over the original's",
    "a provider that the original does not know has the factor set's PUE or the user's, else no figure",
    "data out of a content delivery network has no factor there, and is a reason here instead of a zero",
)
"""What this profile does otherwise, on purpose."""

_OUTBOUND: Final = frozenset({"inter_zone", "inter_region", "internet_egress"})
_PATTERNS: Final = tuple(
    (f"{provider}.{text}", provider, re.compile(text)) for provider, text, _copies in constants.COPIES
)
_PROVIDERS: Final = frozenset({"aws", "azure", "gcp"})
VCPU_PER_CHIP: Final = 96.0
_ONE: Final = Span(1.0, 1.0, 1.0)
_TIMES: Final = frozenset({Dimension.HOURS, Dimension.VCPU_HOURS, Dimension.GIB_HOURS})
_SIZES: Final = (
    (re.compile(r"Lambda-(?:Edge-)?GB-Second-ARM$"), (1.0, "Graviton2")),
    (re.compile(r"Lambda-(?:Edge-)?GB-Second$"), (1.0, None)),
    (re.compile(r"(?:ETL|Crawler|GlueInteractiveSession)-DPU-Hour$"), (4.0, None)),
    (re.compile(r"CPUCredits:"), (1.0, None)),
)
"""AWS meters to vCPUs per unit and processor: a GB-second of a function is a vCPU-second, a DPU is four vCPUs."""


def copies_of(sku: Sku) -> float:
    """Return the original's replication factor of a SKU."""
    key = _copies_key(sku)
    return 1.0 if key is None else constants.number("copies", key)


def _copies_key(sku: Sku) -> str | None:
    text = " ".join(part for part in (sku.service_code, sku.service_name, sku.sku_meter) if part).lower()
    found = (key for key, provider, pattern in _PATTERNS if provider == sku.provider and pattern.search(text))
    return next(found, None)


def _exact(settings: Settings, recipe: Recipe) -> Settings:
    """Return settings with the original's coefficients and without ranges."""
    value = {key: Span.exactly(constants.number("coefficient", key)) for key in constants.COEFFICIENTS}
    own = recipe.utilisation
    load = value["utilisation"] if own is None else Span.exactly(own)
    hdd = value["hdd_wh_per_tbh"]
    return replace(
        settings,
        utilisation=load,
        power_ratio=_ONE,
        arm_ratio=_ONE,
        memory_w_per_gb=value["memory_w_per_gb"],
        wh_per_tbh={"hdd": hdd, "archive": hdd, "ssd": value["ssd_wh_per_tbh"]},
        kwh_per_gb={
            kind: value["network_kwh_per_gb"] if kind in _OUTBOUND else Span.exactly(0.0)
            for kind in settings.kwh_per_gb
        },
        overhead=_ONE,
        per_hour=Span.exactly(settings.per_hour.central),
        ids={**settings.ids, **_exact_ids(settings)},
    )


def _exact_ids(settings: Settings) -> dict[str, str]:
    """Return the factor ids of the original's coefficients by our names of them."""
    keys = {
        "utilisation": "utilisation",
        "memory": "memory_w_per_gb",
        "hdd": "hdd_wh_per_tbh",
        "archive": "hdd_wh_per_tbh",
        "ssd": "ssd_wh_per_tbh",
        **{NETWORK + kind: "network_kwh_per_gb" for kind in settings.kwh_per_gb if kind in _OUTBOUND},
    }
    return {name: f"ccf.coefficient.{key}" for name, key in keys.items()}


class CcfWorkshop(Workshop):
    """Hardware with the original's watts."""

    def hardware_of_machine(self, machine: MachineType, *, idle: bool) -> Hardware | NotRated:
        """Return watts by the original's processor table, with embodied by the additive rule."""
        card = self.factors.accelerator(machine.gpu_model) if machine.gpu_model else None
        if machine.gpu_count > 0 and card is None:
            return NotRated(NotEstimatedReason.UNKNOWN_ACCELERATOR, f"{machine.gpu_model} of {machine.instance_type}")
        original = original_of(machine) or self._by_catalogue(machine)
        burstable = machine.baseline is not None and machine.provider == "aws"
        vcpu = machine.vcpu * ((machine.baseline or HALF) / HALF if burstable else 1.0)
        watts, ids = _watts(machine.provider, original.processors)
        extra = 0.0 if burstable else _extra_gb(machine, original)
        gpu_idle, gpu_max = _card_watts(machine.gpu_model, card)
        made = Watts(vcpu, *watts, extra, _ONE, _ONE, machine.gpu_count, gpu_idle, gpu_max, _ONE, idle)
        kg = embodied.machine_kg(machine, card, self.settings)
        marks = (self.settings.utilisation_mark, Assumption.EMBODIED_ADDITIVE)
        ids += _chip_ids(machine, original) if extra else ()
        ids += (*(card.factor_ids if card else ()), *_card_ids(machine.gpu_model, card), *self.disk_ids(machine))
        return Hardware(made, kg, marks, (*machine.factor_ids, *ids, *self._server_ids()))

    def _by_catalogue(self, machine: MachineType) -> Original:
        """Return the catalogue's processor and largest machine for a family that the original does not know."""
        family = self.factors.family(machine.provider, machine.family) or (machine,)
        largest = max(family, key=lambda each: (each.memory_gib, each.instance_type))
        return Original((machine.processor,), math.ceil(largest.vcpu / VCPU_PER_CHIP), largest.memory_gib)

    def hardware_of_vcpu(self, wanted: Vcpu, host: Host) -> Hardware | NotRated:  # noqa: ARG002  it has no memory rule
        """Return watts of one vCPU of a named or of the default processor."""
        watts, ids = _watts(host.provider, (host.processor,))
        kg = embodied.vcpu_kg(1.0, host.platform_vcpu, host.sockets, self.settings)
        mark = Assumption.EMBODIED_ADDITIVE if host.known else Assumption.EMBODIED_PLATFORM_UNKNOWN
        marks = (self.settings.utilisation_mark, mark)
        shared = host.factor_ids or self._ids("host_vcpu", "host_sockets")
        return Hardware(Watts(1.0, *watts, 0.0, _ONE, _ONE), kg, marks, (*shared, *ids, *self._server_ids()))

    def hardware_of_card(self, model: str) -> Hardware | NotRated:
        """Return watts of one accelerator card, the catalogue's where the original has none."""
        card = self.factors.accelerator(model)
        if card is None:
            return NotRated(NotEstimatedReason.UNKNOWN_ACCELERATOR, model)
        least, most = _card_watts(model, card)
        watts = Watts(0.0, 0.0, 0.0, 0.0, _ONE, _ONE, 1.0, least, most, _ONE)
        ids = (*card.factor_ids, *_card_ids(model, card), *self._ids("utilisation", "embodied_scale", "lifetime"))
        return Hardware(watts, card.embodied_kgco2e, (self.settings.utilisation_mark,), ids)

    def _server_ids(self) -> tuple[str, ...]:
        names = ("utilisation", "memory", "server", "socket", "dram", "dram_included")
        return self._ids(*names, "embodied_scale", "lifetime")


def _watts(provider: str, processors: tuple[str, ...]) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Return the mean watts of a mix of processors and their factor ids; the default where one of them has none."""
    keys = processors
    if not processors or not all(each in constants.WATTS for each in processors):
        keys = (f"default.{provider}" if provider in _PROVIDERS else "default.aws",)
    pairs = [(constants.number("watts_min", key), constants.number("watts_max", key)) for key in keys]
    ids = tuple(f"ccf.watts_{end}.{key}" for key in keys for end in ("min", "max"))
    return (mean([least for least, _ in pairs]), mean([most for _, most in pairs])), ids


def _extra_gb(machine: MachineType, original: Original) -> float:
    """Return GB beyond the memory of one chip of the family's largest machine, by the machine's share of memory.

    The original counts a chip for each 96 vCPUs, and the surplus of one of them.
    """
    chip = mean([constants.number("chip_memory", each) for each in _chips_of(machine, original)])
    largest = leaf(original.largest_gib, TermKind.METHOD, f"memory of the largest of {machine.family} there", "GiB")
    return max(0.0, largest / _chip_count(original) - chip) * machine.memory_gib / largest


def _chip_count(original: Original) -> float:
    return leaf(original.chips, TermKind.METHOD, "chips of the largest, one for each 96 vCPUs", "chips")


def _chips_of(machine: MachineType, original: Original) -> tuple[str, ...]:
    """Return the processors whose memory counts; the default where one of a mix has none."""
    names = original.processors
    if names and all(each in constants.CHIP_MEMORY_GB for each in names):
        return names
    return (f"default.{machine.provider}" if machine.provider in _PROVIDERS else "default.aws",)


def _chip_ids(machine: MachineType, original: Original) -> tuple[str, ...]:
    return tuple(f"ccf.chip_memory.{each}" for each in _chips_of(machine, original))


def _card_watts(model: str | None, card: AcceleratorType | None) -> tuple[float, float]:
    if card is None:
        return 0.0, 0.0
    key = _card_key(model, card)
    if key is None:
        return card.idle_w, card.tdp_w
    return constants.number("gpu_watts_min", key), constants.number("gpu_watts_max", key)


def _card_key(model: str | None, card: AcceleratorType) -> str | None:
    return next((each for each in (card.model, model) if each in constants.GPU_WATTS), None)


def _card_ids(model: str | None, card: AcceleratorType | None) -> tuple[str, ...]:
    key = None if card is None else _card_key(model, card)
    return () if key is None else (f"ccf.gpu_watts_min.{key}", f"ccf.gpu_watts_max.{key}")


_Found = tuple[float | None, tuple[Assumption, ...], tuple[str, ...]]
"""A number of a place with the marks and the ids of where it comes from; None where nobody has one."""


class CcfReader(Reader):
    """Reads SKUs with the original's sizes, replication, PUE and grid."""

    def __init__(self, factors: FactorSet, recipe: Recipe) -> None:
        super().__init__(factors, recipe)
        self.settings = _exact(self.settings, recipe)
        self.workshop = CcfWorkshop(factors, self.settings)

    def wanted(self, sku: Sku, period: Period) -> Wanted | NotRated:
        """Return what a SKU comes down to; the original's copies of stored data are among its factors."""
        found, key = super().wanted(sku, period), _copies_key(sku)
        if isinstance(found, NotRated) or key is None:
            return found
        stores = any(isinstance(each, Storage) for each in found.demand.components)
        return found._replace(asked=(*found.asked, f"ccf.copies.{key}")) if stores else found

    def components_of(self, sku: Sku, demand: Demand) -> tuple[Component, ...] | NotRated:
        """Return the components as the original counts them, or say what it has nothing for."""
        if any(isinstance(each, Tokens) for each in demand.components):
            return NotRated(NotEstimatedReason.NO_FACTOR, "the ccf profile has nothing for language models")
        if any(isinstance(each, Transfer) and each.kind == "cdn" for each in demand.components):
            return NotRated(NotEstimatedReason.NO_FACTOR, "the ccf profile has nothing for content delivery networks")
        return _own_size(sku) or tuple(_as_original(each, sku) for each in demand.components)

    def site_at(self, place: Place, period: Period) -> Site | None:
        """Return the fixed PUE and grid factor of a region; the user's own win. The original knows no hours."""
        region = place.region
        pue, pue_marks, pue_ids = self._pue(region, month_of(period))
        factor, grid_marks, grid_ids = self._grid(region, month_of(period))
        if pue is None or factor is None:
            return None
        contract = value_of(self.recipe.contracts, region.provider, region.region_id)
        marks, ids = (*grid_marks, *pue_marks), (*grid_ids, *pue_ids)
        return Site(region.region_id, Span.exactly(pue), Span.exactly(factor), None, contract, None, None, marks, ids)

    def _grid(self, region: Region, month: Month) -> _Found:
        """Return the user's grid factor, the original's fixed one, or that of the factor set, in kgCO2e/kWh."""
        own = value_of(self.recipe.grid, region.provider, region.region_id)
        if own is not None:
            return own, (Assumption.GRID_USER,), ()
        grid = self.factors.grid(region.provider, region.region_id, month)
        if grid is not None and Assumption.GRID_USER in grid.marks:
            return _of_user(grid), (Assumption.GRID_USER,), grid.factor_ids
        key = f"{region.provider}.{region.region_id}"
        if key in constants.GRID:
            return constants.number("grid", key), (), (f"ccf.grid.{key}",)
        return (None, (), ()) if grid is None else (_of_set(grid), (), grid.factor_ids)

    def _pue(self, region: Region, month: Month) -> _Found:
        """Return the user's PUE, the original's, or, of a provider that it does not know, that of the factor set."""
        own = value_of(self.recipe.pue, region.provider, region.region_id)
        if own is not None:
            return own, (Assumption.PUE_USER,), ()
        if region.provider not in _PROVIDERS:
            facility = self.factors.facility(region.provider, region.region_id, month)
            if facility is None:
                return None, (), ()
            return facility.pue.central, tuple(map(Assumption, facility.marks)), facility.factor_ids
        if region.provider == "gcp" and region.region_id in constants.GCP_PUE:
            return constants.number("pue", region.region_id), (), (f"ccf.pue.{region.region_id}",)
        key = f"pue.{region.provider}"
        return constants.number("coefficient", key), (), (f"ccf.coefficient.{key}",)


def _of_user(grid: GridFactor) -> float | None:
    """Return the user's direct factor, else the lifecycle one: beside it the direct one may be that of the set."""
    of_set = any(each.startswith("grid_direct:") for each in grid.factor_ids)
    span = grid.lifecycle_delivered if of_set or grid.direct is None else grid.direct
    return None if span is None else span.central


def _of_set(grid: GridFactor) -> float | None:
    span = grid.direct or grid.lifecycle_delivered
    return None if span is None else span.central


def _own_size(sku: Sku) -> tuple[Component, ...] | None:
    """Return the vCPUs that the original has for functions, Glue and CPU credits; None where it reads the machine."""
    meter = sku.sku_meter or ""
    rule = next((rule for pattern, rule in _SIZES if sku.provider == "aws" and pattern.search(meter)), None)
    unit = conversion_of(sku.consumed_unit)
    if rule is None or unit is None or unit.dimension not in _TIMES:
        return None
    vcpu, processor = rule
    vcpu = leaf(vcpu, TermKind.METHOD, "vCPUs of one unit, by the original", "vCPU")
    return (Vcpu(unit.multiplier * vcpu, processor),)


def _as_original(component: Component, sku: Sku) -> Component:
    if isinstance(component, Storage):
        copies = Span.exactly(copies_of(sku))
        return Storage(component.tb_hours / GIB_TO_GB, component.medium, copies)
    if isinstance(component, Transfer):
        return replace(component, gb=component.gb / GIB_TO_GB)
    return component
