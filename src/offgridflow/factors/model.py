"""What a factor set holds and how it is asked. Every value carries the ids of the factors that it came from."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from offgridflow.domain.model import Span
from offgridflow.domain.periods import Month, Period


@dataclass(frozen=True, slots=True)
class Factor:
    """One published or derived number with its provenance: what an auditor looks up.

    ``boundary`` is one of the set's boundary words (``direct_generation``, ``lifecycle_generation``,
    ``lifecycle_delivered``, ``wall_power``, ``it``, ``cradle_to_gate``, ``withdrawal``, ``consumption``, ``none``);
    ``evidence`` is read, derived or recalled; ``valid_to`` is exclusive and None where open.
    """

    factor_id: str
    kind: str
    key: str
    low: float
    central: float
    high: float
    unit: str
    boundary: str
    evidence: str
    source: str
    source_ref: str
    licence: str
    vintage: str
    valid_from: date | None
    valid_to: date | None
    note: str = ""

    @property
    def span(self) -> Span:
        """Low, central and high in ``unit``."""
        return Span(self.low, self.central, self.high)


@dataclass(frozen=True, slots=True)
class Processor:
    """Power of one hardware thread of a processor generation at the wall, from SPECpower medians."""

    name: str
    idle_w_per_thread: float
    max_w_per_thread: float
    memory_gb_per_thread: float
    is_arm: bool
    is_proxy: bool
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MachineType:
    """A machine of the catalogue with its host. ``teads_w_50pct`` is None where Teads did not measure the type.

    ``threads`` are hardware threads (a vCPU that is a physical core counts two); ``platform_vcpu`` is the host's vCPU
    count and ``sockets`` its sockets; ``whole_host`` marks metal and other types with share 1; ``baseline`` is the
    burstable baseline per vCPU (0..1] or None; local disks in decimal TB.
    """

    provider: str
    instance_type: str
    family: str
    vcpu: float
    memory_gib: float
    threads: float
    processor: str
    gpu_model: str | None
    gpu_count: float
    ssd_tb: float
    hdd_drives: float
    platform_vcpu: float
    sockets: int
    whole_host: bool
    baseline: float | None
    teads_w_50pct: float | None
    teads_w_idle: float | None
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AcceleratorType:
    """Power and embodied of one accelerator card (not board pair)."""

    model: str
    idle_w: float
    tdp_w: float
    embodied_kgco2e: float
    is_proxy: bool
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a provider: ``kind`` is region, multi_region, local_zone, edge or global.

    ``paired`` is the region that holds the second copies of geo-redundant storage.
    """

    provider: str
    region_id: str
    display_name: str
    kind: str
    country_iso3: str | None
    members: tuple[str, ...] = ()
    factor_ids: tuple[str, ...] = ()
    paired: str | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """vCPUs and GiB of one unit of a service that is no catalogue machine (a plan, a cache, a processing unit).

    ``machine`` names the catalogue machine that is like it, where there is one.
    """

    key: str
    vcpu: float
    memory_gib: float
    machine: str | None
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GridFactor:
    """Grid intensity of a place for a period, kgCO2e/kWh at the meter (losses included in lifecycle_delivered).

    Either may be None. ``newest`` marks that the period has no factor of its own and the newest older one was used.
    ``marks`` are values of ``domain.reasons.Assumption``.
    """

    direct: Span | None
    lifecycle_delivered: Span | None
    year: int
    newest: bool
    marks: tuple[str, ...]
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facility:
    """PUE (ratio), WUE (litres per IT kWh) and water of electricity (litres per kWh) of a region for a period."""

    pue: Span
    wue_l_per_it_kwh: float | None
    electricity_water_l_per_kwh: float | None
    water_basis: str | None
    marks: tuple[str, ...]
    factor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AiModel:
    """A language model served by a provider. IT kWh and embodied kg per 1,000 output tokens."""

    provider: str
    model: str
    it_kwh_per_1k_output_tokens: Span
    embodied_kgco2e_per_1k_output_tokens: float
    architecture_disclosed: bool
    factor_ids: tuple[str, ...]


class FactorSet(Protocol):
    """A dated, versioned, digest-pinned collection of factors. Look-ups are exact; None means not known."""

    @property
    def name(self) -> str:
        """Name and version, for example ``offgridflow-2026.11``."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 over the content of the set."""
        ...

    def factor(self, factor_id: str) -> Factor:
        """Return a factor by id; KeyError where the set has none."""
        ...

    def coefficient(self, key: str) -> Factor:
        """Return a methodology coefficient (``memory_w_per_gb``, ``network_kwh_per_gb`` ...); KeyError if absent."""
        ...

    def machine(self, provider: str, instance_type: str) -> MachineType | None:
        """Return a machine type; spelling is matched without regard to case."""
        ...

    def family(self, provider: str, family: str) -> tuple[MachineType, ...]:
        """Return the machine types of a family, sorted by vCPU then name; empty where unknown."""
        ...

    def processor(self, name: str) -> Processor | None:
        """Return a processor generation; ``unknown``, ``x86`` and ``arm`` are always there."""
        ...

    def accelerator(self, model: str) -> AcceleratorType | None:
        """Return an accelerator card."""
        ...

    def region(self, provider: str, region_id: str) -> Region | None:
        """Return a region, multi-region or edge geography by its id."""
        ...

    def region_of_alias(self, provider: str, alias: str, kind: str | None = None) -> str | None:
        """Return the region id of an alias (location name, usage type prefix ...), of one kind or of any."""
        ...

    @property
    def hourly_months(self) -> frozenset[Month]:
        """Months of which at least one place has grid factors by hour."""
        ...

    def grid(self, provider: str, region_id: str, period: Period) -> GridFactor | None:
        """Return the grid of a region for a month or an hour; the mean of its members for a multi-region."""
        ...

    def facility(self, provider: str, region_id: str, period: Month) -> Facility | None:
        """Return PUE and water of a region for a month."""
        ...

    def disk_gib(self, provider: str, code: str) -> tuple[float, str] | None:
        """Return provisioned GiB and medium (``ssd`` or ``hdd``) of a managed disk code (``P10``)."""
        ...

    def replication(self, key: str) -> Factor | None:
        """Return copies kept by a storage service, by the set's key (``aws.s3``, ``azure.lrs``, ``gcp.gcs``)."""
        ...

    def size(self, key: str) -> Size | None:
        """Return vCPUs and memory of a service's unit (``azure.app_service.p1v3``, ``aws.dpu`` ...)."""
        ...

    def ai_model(self, provider: str, model: str) -> AiModel | None:
        """Return a language model."""
        ...

    def service_median_vcpu(self, provider: str, service: str) -> Factor | None:
        """Return the median vCPU of one unit of a service, for the last fallback before spend."""
        ...
