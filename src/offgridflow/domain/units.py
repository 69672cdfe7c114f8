"""The one table of units: every spelling that a bill brings, to a canonical dimension and a multiplier.

``conversion_of("10 Hours")`` gives hours x 10; an unknown spelling gives None, never a guess. GB and GiB in bills of
the three clouds both mean 2^30 bytes for capacity over time (methodology.md section 3); transfer GB likewise.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

GIB_TO_GB = 1.073741824
"""Decimal gigabytes in one binary gigabyte."""


class Dimension(StrEnum):
    """What a canonical unit measures; the value names the canonical unit."""

    HOURS = "hours"
    VCPU_HOURS = "vcpu_hours"
    GPU_HOURS = "gpu_hours"
    GIB = "gib"
    GIB_HOURS = "gib_hours"
    GIB_MONTHS = "gib_months"
    UNIT_MONTHS = "unit_months"
    COUNT = "count"
    TOKENS = "tokens"
    CHARACTERS = "characters"


@dataclass(frozen=True, slots=True)
class Conversion:
    """One unit of the bill is ``multiplier`` canonical units of ``dimension``."""

    dimension: Dimension
    multiplier: float


_SECOND = 1 / 3600
_BYTE = 2.0**-30
_MIB = 2.0**-10

_SPELLINGS: dict[str, tuple[Dimension, float]] = {
    # time
    "hour": (Dimension.HOURS, 1.0),
    "hours": (Dimension.HOURS, 1.0),
    "hrs": (Dimension.HOURS, 1.0),
    "hr": (Dimension.HOURS, 1.0),
    "h": (Dimension.HOURS, 1.0),
    "minute": (Dimension.HOURS, 1 / 60),
    "minutes": (Dimension.HOURS, 1 / 60),
    "second": (Dimension.HOURS, _SECOND),
    "seconds": (Dimension.HOURS, _SECOND),
    "s": (Dimension.HOURS, _SECOND),
    "day": (Dimension.HOURS, 24.0),
    "days": (Dimension.HOURS, 24.0),
    # data
    "gb": (Dimension.GIB, 1.0),
    "gib": (Dimension.GIB, 1.0),
    "gibibyte": (Dimension.GIB, 1.0),
    "gigabyte": (Dimension.GIB, 1.0),
    "tb": (Dimension.GIB, 1024.0),
    "tib": (Dimension.GIB, 1024.0),
    "tebibyte": (Dimension.GIB, 1024.0),
    "mb": (Dimension.GIB, _MIB),
    "mib": (Dimension.GIB, _MIB),
    "mebibyte": (Dimension.GIB, _MIB),
    "byte": (Dimension.GIB, _BYTE),
    "bytes": (Dimension.GIB, _BYTE),
}


def _key(unit: str) -> str:
    return re.sub(r"[\s_]+", " ", unit.strip().lower())


def conversion_of(unit: str | None) -> Conversion | None:
    """Return the conversion of a unit as spelled in a bill, or None where it is not in the table."""
    if unit is None:
        return None
    found = _SPELLINGS.get(_key(unit))
    return None if found is None else Conversion(*found)
