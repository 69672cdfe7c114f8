"""EcoLogits' formula for text models (0.11.3, from its documentation), to hold its figures in the set against.

No rate computes with it: the factor set has the results, per 1,000 output tokens.
"""

import math
from dataclasses import dataclass
from typing import Final

_ALPHA: Final = 1.1665273170451914e-06
_BETA: Final = -0.011205921025579175
_GAMMA: Final = 4.052928146734005e-05
_LATENCY: Final = (0.0006785088094353663, 0.0003119310311688259, 0.019473717579473387)
_BATCH, _BITS, _GPU_GB, _SERVER_GPUS, _SERVER_W = 64, 16, 80, 8, 1200.0
_GPU_KG, _SERVER_KG, _LIFE_SECONDS = 273.0, 5700.0, 3 * 8760 * 3600


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Parameters in billions; tokens per second and seconds to the first token where they were measured."""

    active_b: float
    total_b: float
    tokens_per_second: float | None = None
    first_token_s: float = 0.0

    @property
    def gpus(self) -> int:
        """The accelerators that hold the model: the next power of two of its memory over 80 GB."""
        memory_gb = 1.2 * self.total_b * _BITS / 8
        return int(2 ** math.ceil(math.log2(max(1.0, memory_gb / _GPU_GB))))

    def seconds(self, tokens: float) -> float:
        """Return seconds to generate ``tokens``, measured where known, else by the fitted latency."""
        if self.tokens_per_second is not None:
            return tokens / self.tokens_per_second + self.first_token_s
        alpha, beta, gamma = _LATENCY
        return tokens * (alpha * self.active_b + beta * _BATCH + gamma)

    def it_wh(self, tokens: float) -> float:
        """Return IT Wh of ``tokens`` output tokens."""
        per_gpu = tokens * (_ALPHA * math.exp(_BETA * _BATCH) * self.active_b + _GAMMA)
        server = self.seconds(tokens) / 3600 * _SERVER_W * self.gpus / _SERVER_GPUS / _BATCH
        return self.gpus * per_gpu + server

    def embodied_g(self, tokens: float) -> float:
        """Return embodied gCO2e of ``tokens`` output tokens."""
        hardware_kg = _SERVER_KG * self.gpus / _SERVER_GPUS + _GPU_KG * self.gpus
        return hardware_kg * 1000 * self.seconds(tokens) / _LIFE_SECONDS / _BATCH
