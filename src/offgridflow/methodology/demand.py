"""The seam between reading a SKU and rating it: what ONE consumed unit of a SKU asks of the hardware.

``classify`` (aws.py, azure.py, gcp.py, generic.py) turns a Sku and a month into a Demand or a NotRated and knows no
watts, no grid and no kilograms. ``rating`` turns a Demand into a Rate and knows no provider's meter names.
"""

from dataclasses import dataclass

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason


@dataclass(frozen=True, slots=True)
class Machine:
    """Hours of a catalogue machine. ``copies`` counts replicas that run (Multi-AZ: 2).

    Where ``instance_type`` (catalogue spelling: ``m5.large``, ``Standard_D4s_v5``, ``n2-standard-4``) is not in the
    catalogue, rating falls back to its family, then to ``vcpu`` and ``memory_gib`` of the bill, then to ``service``'s
    median, marking each. ``idle`` rates reserved physical capacity at idle watts and full embodied.
    """

    instance_type: str
    hours: float
    copies: float = 1.0
    vcpu: float | None = None
    memory_gib: float | None = None
    service: str | None = None
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Vcpu:
    """vCPU-hours. ``processor`` is a microarchitecture of the factor set, ``x86``, ``arm`` or None (unknown).

    ``family`` is a machine family or type of the catalogue: then the vCPU has the processor, the threads and the host
    of that machine (of the family's largest that shares its host), whatever ``processor`` says. Without it the default
    host stands.
    ``memory_apart`` says that the bill meters the memory as its own SKU or component: then the memory that the
    SPECpower machine already had is taken off here, so that the parts of a machine sum to the whole.
    """

    vcpu_hours: float
    processor: str | None = None
    memory_apart: bool = False
    copies: float = 1.0
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """GiB-hours of memory that are metered apart from vCPUs."""

    gib_hours: float
    copies: float = 1.0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Hours of accelerators of one model (factor set spelling, for example ``NVIDIA T4``)."""

    model: str
    accelerator_hours: float


@dataclass(frozen=True, slots=True)
class Storage:
    """Terabyte-hours (10^12 bytes) of stored data before replication.

    ``medium`` is ``hdd``, ``ssd`` or ``archive``; ``copies`` the replication on the primary region's grid, and
    ``copies_paired`` that on the paired region's (Azure GRS).
    """

    tb_hours: float
    medium: str
    copies: Span
    copies_paired: Span | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Decimal gigabytes moved. ``kind``: intra_zone, inter_zone, inter_region, internet_egress, cdn, ingress."""

    gb: float
    kind: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a language model, by the factor set's (provider, model) or None where only the service is known."""

    model: str | None
    input_tokens: float
    output_tokens: float


Component = Machine | Vcpu | Memory | Accelerator | Storage | Transfer | Tokens


@dataclass(frozen=True, slots=True)
class Demand:
    """What one consumed unit of a SKU asks of the hardware, and how sure the reading is.

    ``method`` and ``bucket`` are those of the best case; rating lowers them where it must fall back. Where the SKU
    runs is read from ``sku.region_id`` by ``place.py``, once for all providers.
    """

    method: Method
    components: tuple[Component, ...]
    assumptions: tuple[Assumption, ...] = ()
    bucket: CoverageBucket = CoverageBucket.SKU


@dataclass(frozen=True, slots=True)
class NotRated:
    """Why a SKU is not rated, with a short detail for the reader of ``coverage``."""

    reason: NotEstimatedReason
    detail: str = ""
