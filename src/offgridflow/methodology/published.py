"""Small pure formulas of published worked examples, so that our arithmetic can be held against them.

They are not part of a rate. Sources: Etsy Cloud Jewels (MIT), the SCI specification and guide, greenops-cli (MIT),
US EPA eGRID, EcoLogits 0.11.3 (formula of its documentation), as quoted in the validation cases.
"""

import math
from dataclasses import dataclass
from typing import Final

KG_PER_LB: Final = 0.45359237
HOURS_PER_YEAR: Final = 8760.0
GWP_CH4: Final = 28.0
GWP_N2O: Final = 265.0


def g_per_kwh(lb_per_mwh: float) -> float:
    """Return gCO2e/kWh of pounds per megawatt-hour."""
    return lb_per_mwh * KG_PER_LB


def co2e(co2: float, ch4: float, n2o: float) -> float:
    """Return CO2e with AR5 warming potentials; any one unit."""
    return co2 + GWP_CH4 * ch4 + GWP_N2O * n2o


def mean_watts(least: float, most: float, load: float) -> float:
    """Return watts at a load (0..1) by the linear curve."""
    return least + load * (most - least)


def watts_of_dynamic_range(most: float, dynamic_range: float, load: float) -> float:
    """Return watts of a server whose idle watts are ``dynamic_range`` of its maximum."""
    return mean_watts(dynamic_range * most, most, load)


def server_kg(memory_gb: float, sockets: float) -> float:
    """Return embodied kgCO2e of a server without disks and accelerators, by the published component rule."""
    return 1000 + max(0.0, memory_gb - 16) * 533 / 384 + 100 * (sockets - 1)


def time_and_share_kg(total_kg: float, hours: float, life_hours: float, share: float = 1.0) -> float:
    """Return SCI's M: ``TE x time share x resource share``, in the unit of ``total_kg``."""
    return total_kg * hours / life_hours * share


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Parameters in billions; tokens per second and time to the first token where they were measured."""

    active_b: float
    total_b: float
    tokens_per_second: float | None = None
    first_token_s: float = 0.0


_ALPHA, _BETA, _GAMMA = 1.1665273170451914e-06, -0.011205921025579175, 4.052928146734005e-05
_LATENCY = (0.0006785088094353663, 0.0003119310311688259, 0.019473717579473387)
_BATCH, _BITS, _GPU_GB, _SERVER_GPUS, _SERVER_W = 64, 16, 80, 8, 1200.0
_GPU_KG, _SERVER_KG, _YEARS = 273.0, 5700.0, 3


def model_gpus(model: LanguageModel) -> int:
    """Return the accelerators that hold a model: the next power of two of its memory over 80 GB."""
    memory_gb = 1.2 * model.total_b * _BITS / 8
    return int(2 ** math.ceil(math.log2(max(1.0, memory_gb / _GPU_GB))))


def model_seconds(model: LanguageModel, tokens: float) -> float:
    """Return seconds to generate ``tokens``, measured where known, else by the fitted latency."""
    if model.tokens_per_second is not None:
        return tokens / model.tokens_per_second + model.first_token_s
    alpha, beta, gamma = _LATENCY
    return tokens * (alpha * model.active_b + beta * _BATCH + gamma)


def model_wh(model: LanguageModel, tokens: float) -> float:
    """Return IT Wh of ``tokens`` output tokens."""
    per_gpu = tokens * (_ALPHA * math.exp(_BETA * _BATCH) * model.active_b + _GAMMA)
    gpus = model_gpus(model)
    server = model_seconds(model, tokens) / 3600 * _SERVER_W * gpus / _SERVER_GPUS / _BATCH
    return gpus * per_gpu + server


def model_embodied_g(model: LanguageModel, tokens: float) -> float:
    """Return embodied gCO2e of ``tokens`` output tokens."""
    gpus = model_gpus(model)
    hardware_kg = _SERVER_KG * gpus / _SERVER_GPUS + _GPU_KG * gpus
    seconds = model_seconds(model, tokens)
    return hardware_kg * 1000 * seconds / (_YEARS * HOURS_PER_YEAR * 3600) / _BATCH
