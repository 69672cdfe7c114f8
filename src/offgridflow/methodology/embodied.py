"""Embodied emissions of hardware, in kgCO2e of a whole life; an hour carries ``Settings.per_hour`` of them.

Additive, so that it splits over vCPU and memory SKUs and the same machine costs the same in every cloud:
``vCPU/platform vCPU x (server + socket x (sockets - 1) - DRAM x 16) + GiB x DRAM + disks + accelerators``.
"""

from typing import Final

from offgridflow.factors.model import AcceleratorType, MachineType
from offgridflow.methodology.coefficients import Settings

_BASELINE_LOAD: Final = 0.5


def platform_kg(sockets: float, settings: Settings) -> float:
    """Return kg of a server without memory beyond its chassis: the part that is shared by vCPU."""
    return (
        settings.server_kg + settings.socket_kg * (sockets - 1) - settings.dram_included_gib * settings.dram_kg_per_gib
    )


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
    return machine.vcpu * (1.0 if machine.baseline is None else machine.baseline / _BASELINE_LOAD)


def machine_kg_text(machine: MachineType, card: AcceleratorType | None, settings: Settings) -> str:
    """Return the arithmetic of ``machine_kg`` for a reader."""
    storage = settings.storage_kg_per_tb["ssd"]
    text = f"{vcpu_kg_text(effective_vcpu(machine), machine.platform_vcpu, machine.sockets, settings)}"
    text += f" + {machine.memory_gib!r} * {settings.dram_kg_per_gib!r}"
    if machine.ssd_tb or machine.hdd_drives:
        text += f" + {machine.ssd_tb!r} * {storage!r} + {machine.hdd_drives!r} * {settings.hdd_kg_per_drive!r}"
    return text if card is None else f"{text} + {machine.gpu_count!r} * {card.embodied_kgco2e!r}"


def vcpu_kg_text(vcpu: float, platform_vcpu: float, sockets: float, settings: Settings) -> str:
    """Return the arithmetic of ``vcpu_kg`` for a reader."""
    included = f"{settings.dram_included_gib!r} * {settings.dram_kg_per_gib!r}"
    server = f"{settings.server_kg!r} + {settings.socket_kg!r} * ({sockets!r} - 1) - {included}"
    return f"{vcpu!r} / {platform_vcpu!r} * ({server})"


def machine_kg(machine: MachineType, card: AcceleratorType | None, settings: Settings) -> float:
    """Return kg of a machine's share of its host, its memory, its local disks and its accelerators."""
    shared = vcpu_kg(effective_vcpu(machine), machine.platform_vcpu, machine.sockets, settings)
    disks = machine.ssd_tb * settings.storage_kg_per_tb["ssd"] + machine.hdd_drives * settings.hdd_kg_per_drive
    cards = machine.gpu_count * card.embodied_kgco2e if card is not None else 0.0
    return shared + memory_kg(machine.memory_gib, settings) + disks + cards
