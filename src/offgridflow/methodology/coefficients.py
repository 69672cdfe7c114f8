"""The coefficients that rating takes from the factor set, by their keys, and the settings that a recipe makes of them.

Every number of the methodology that is not a property of a machine, a place or a model stands in the factor set under
one of ``KEYS``; nothing here has a value of its own.
"""

from dataclasses import dataclass
from typing import Final

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Assumption
from offgridflow.domain.trace import Constant, TermKind
from offgridflow.factors.model import Factor, FactorSet
from offgridflow.methodology.recipe import HOURS_PER_YEAR, Recipe

HALF: Final = Constant(0.5, "load at which measured watts are compared, and of burstable baselines", TermKind.METHOD)
"""The load at which the two sets of watts are compared, and to which burstable baselines refer."""

KEYS: Final[dict[str, str]] = {
    "utilisation": "utilisation",
    "power_ratio": "power_central_ratio",
    "arm_power": "arm_w_per_thread_50pct",
    "memory": "memory_w_per_gb",
    "gpu_share": "accelerator_central_fraction",
    "hdd": "hdd_wh_per_tbh",
    "ssd": "ssd_wh_per_tbh",
    "archive": "archive_wh_per_tbh",
    "network_intra_zone": "network_kwh_per_gb.intra_zone",
    "network_inter_zone": "network_kwh_per_gb.inter_zone",
    "network_inter_region": "network_kwh_per_gb.inter_region",
    "network_internet_egress": "network_kwh_per_gb.internet_egress",
    "network_cdn": "network_kwh_per_gb.cdn",
    "network_ingress": "network_kwh_per_gb.ingress",
    "overhead": "overhead",
    "server": "server_base_kgco2e",
    "socket": "extra_socket_kgco2e",
    "dram": "dram_kgco2e_per_gb",
    "dram_included": "dram_in_base_gb",
    "host_vcpu": "default_host_vcpu",
    "host_sockets": "default_host_sockets",
    "ssd_embodied": "ssd_kgco2e_per_tb",
    "hdd_embodied": "hdd_kgco2e_per_tb",
    "hdd_drive": "hdd_kgco2e_per_drive",
    "embodied_scale": "embodied_scale",
    "lifetime": "embodied_lifetime_hours",
    "lifetime_4y": "embodied_lifetime_hours_4y",
    "input_share": "ai_input_token_share",
}
"""Our name of each coefficient, and its key in the factor set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What rating computes with: coefficients of one factor set under one recipe. Units are in the names or docs.

    ``utilisation`` is a share; ``power_ratio`` central and high watts over SPECpower watts; ``arm_ratio`` the same for
    Arm processors, whose one proxy has its own range; ``overhead`` a factor on IT energy; ``per_hour`` the share of
    embodied kilograms that one hour carries; ``host_vcpu`` and ``host_sockets`` the host of a vCPU whose machine is not
    named. ``ids`` are the factors of each coefficient, ``arm_ids`` those of the Arm ratio; ``short_life`` says that
    hardware is written off over four years.
    """

    utilisation: Span
    power_ratio: Span
    arm_ratio: Span
    memory_w_per_gb: Span
    gpu_tdp_share: float
    wh_per_tbh: dict[str, Span]
    kwh_per_gb: dict[str, Span]
    overhead: Span
    server_kg: float
    socket_kg: float
    dram_kg_per_gib: float
    dram_included_gib: float
    host_vcpu: float
    host_sockets: float
    storage_kg_per_tb: dict[str, float]
    hdd_kg_per_drive: float
    per_hour: Span
    input_token_share: Span
    utilisation_mark: Assumption
    ids: dict[str, str]
    arm_ids: tuple[str, ...]
    short_life: bool


NETWORK: Final = "network_"


def settings_of(factors: FactorSet, recipe: Recipe) -> Settings:
    """Return the settings of a factor set under a recipe; KeyError if the set lacks one of ``KEYS``."""
    found = {name: factors.coefficient(key) for name, key in KEYS.items()}
    own = recipe.utilisation
    hdd_kg, ssd_kg = found["hdd_embodied"].central, found["ssd_embodied"].central
    return Settings(
        utilisation=found["utilisation"].span if own is None else Span.exactly(own),
        power_ratio=found["power_ratio"].span,
        arm_ratio=_arm_ratio(found["arm_power"], factors),
        memory_w_per_gb=found["memory"].span,
        gpu_tdp_share=found["gpu_share"].central,
        wh_per_tbh={medium: found[medium].span for medium in ("hdd", "ssd", "archive")},
        kwh_per_gb={name.removeprefix(NETWORK): each.span for name, each in found.items() if name.startswith(NETWORK)},
        overhead=found["overhead"].span if recipe.overhead_counts else Span.exactly(1.0),
        server_kg=found["server"].central,
        socket_kg=found["socket"].central,
        dram_kg_per_gib=found["dram"].central,
        dram_included_gib=found["dram_included"].central,
        host_vcpu=found["host_vcpu"].central,
        host_sockets=found["host_sockets"].central,
        storage_kg_per_tb={"hdd": hdd_kg, "archive": hdd_kg, "ssd": ssd_kg},
        hdd_kg_per_drive=found["hdd_drive"].central,
        per_hour=_per_hour(found["embodied_scale"].span, _lifetimes(found, recipe)),
        input_token_share=found["input_share"].span,
        utilisation_mark=Assumption.UTILISATION_DEFAULT if own is None else Assumption.UTILISATION_USER,
        ids={name: factor.factor_id for name, factor in found.items()},
        arm_ids=_arm_ids(found["arm_power"], factors),
        short_life=recipe.short_life,
    )


def _arm_ids(watts: Factor, factors: FactorSet) -> tuple[str, ...]:
    """Return the factors of the ratios of Arm processors."""
    proxy = factors.processor("arm")
    return (watts.factor_id, *(proxy.factor_ids if proxy else ()))


def _arm_ratio(watts: Factor, factors: FactorSet) -> Span:
    """Return the ratios that turn the proxy's watts at 50 % into the published range of Arm watts per thread."""
    proxy = factors.processor("arm")
    if proxy is None:
        return Span.exactly(1.0)
    at_half = (proxy.idle_w_per_thread + proxy.max_w_per_thread) * HALF
    return watts.span.scaled(1 / at_half)


def _lifetimes(found: dict[str, Factor], recipe: Recipe) -> tuple[float, float, float]:
    """Return hours of life in the low, the central and the high case (the high case is the short life)."""
    years = found["lifetime"]
    own = recipe.lifetime_years
    if own is not None:
        central = own * HOURS_PER_YEAR
    else:
        central = found["lifetime_4y"].central if recipe.short_life else years.central
    return max(years.low, central), central, min(years.high, central)


def _per_hour(scale: Span, hours: tuple[float, float, float]) -> Span:
    """Return the share of embodied emissions per hour: low 0.6 over 6 years, central 1, high 1.5 over 4 years."""
    longest, central, shortest = hours
    return Span(scale.low / longest, scale.central / central, scale.high / shortest)
