"""Embodied emissions of hardware, in kgCO2e of a whole life; an hour carries ``Settings.per_hour`` of them.

Additive, so that it splits over vCPU and memory SKUs and the same machine costs the same in every cloud:
``vCPU/platform vCPU x (server + socket x (sockets - 1) - DRAM x 16) + GiB x DRAM + disks + accelerators``.
"""

from typing import Final

from offgridflow.domain.trace import Constant, TermKind
from offgridflow.factors.model import AcceleratorType, MachineType
from offgridflow.methodology.coefficients import HALF, Settings

_BASE_SOCKETS: Final = Constant(1.0, "sockets of the base server", TermKind.METHOD)


def platform_kg(sockets: float, settings: Settings) -> float:
    """Return kg of a server without memory beyond its chassis: the part that is shared by vCPU."""
    more_sockets = settings.socket_kg * (sockets - _BASE_SOCKETS)
    return settings.server_kg + more_sockets - settings.dram_included_gib * settings.dram_kg_per_gib


def vcpu_kg(vcpu: float, platform_vcpu: float, sockets: float, settings: Settings) -> float:
    """Return kg of ``vcpu`` vCPUs of a server with ``platform_vcpu`` of them."""
    return vcpu / platform_vcpu * platform_kg(sockets, settings)


def memory_kg(gib: float, settings: Settings) -> float:
    """Return kg of memory."""
    return gib * settings.dram_kg_per_gib


def effective_vcpu(machine: MachineType) -> float:
    """Return the vCPUs that a machine holds on average: a burstable one its baseline over 50 %, metal all."""
    if machine.whole_host:
        return machine.platform_vcpu
    return machine.vcpu * (1.0 if machine.baseline is None else machine.baseline / HALF)


def machine_kg(machine: MachineType, card: AcceleratorType | None, settings: Settings) -> float:
    """Return kg of a machine's share of its host, its memory, its local disks and its accelerators."""
    shared = vcpu_kg(effective_vcpu(machine), machine.platform_vcpu, machine.sockets, settings)
    cards = machine.gpu_count * card.embodied_kgco2e if card is not None else 0.0
    return shared + memory_kg(machine.memory_gib, settings) + disks_kg(machine, settings) + cards


def disks_kg(machine: MachineType, settings: Settings) -> float:
    """Return kg of a machine's local disks."""
    ssd = machine.ssd_tb * settings.storage_kg_per_tb["ssd"] if machine.ssd_tb else 0.0
    hdd = machine.hdd_drives * settings.hdd_kg_per_drive if machine.hdd_drives else 0.0
    return ssd + hdd
