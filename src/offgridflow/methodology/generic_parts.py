"""Small pieces that the classifiers share: how a unit becomes a quantity, and how a refusal is written.

Every function is total: a unit of the wrong dimension gives None, which the caller turns into ``unknown_unit``.
"""

from typing import Final

from offgridflow.domain.model import Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.domain.trace import Constant
from offgridflow.domain.units import GIB_TO_GB, Conversion, Dimension
from offgridflow.factors.model import FactorSet, Size
from offgridflow.methodology.demand import Component, Demand, Memory, NotRated, Storage, Transfer, Vcpu

GB_PER_TB: Final = Constant(1000.0, "GB in a TB")
LARGEST_SIZE: Final = 1e6
"""No machine has as many vCPUs, GiB or accelerators."""

REQUESTS: Final = NotRated(NotEstimatedReason.REQUEST_PRICED, "priced by request or operation")
CACHED_TOKENS: Final = NotRated(NotEstimatedReason.CAPACITY_NOT_METERED, "tokens read from a cache")
"""What was computed once and kept runs no prefill again."""


def refuse(reason: NotEstimatedReason, detail: str) -> NotRated:
    """Return a refusal; shorter to read in tables than the constructor."""
    return NotRated(reason, detail)


def unknown_unit(unit: str | None, wanted: str) -> NotRated:
    """Say that the unit contradicts the meter: ``wanted`` names what the meter measures."""
    return NotRated(NotEstimatedReason.UNKNOWN_UNIT, f"unit {unit or 'missing'}; the meter measures {wanted}")


def sane(value: float | None) -> float | None:
    """Return a size that a bill states if it can be one: finite and positive, else None."""
    return value if value is not None and 0 < value < LARGEST_SIZE else None


def hours_of(conversion: Conversion | None, period: Month) -> float | None:
    """Return hours per consumed unit; a unit-month is every hour of the real month."""
    if conversion is None:
        return None
    if conversion.dimension is Dimension.HOURS:
        return conversion.multiplier
    if conversion.dimension is Dimension.UNIT_MONTHS:
        return conversion.multiplier * period.hours
    return None


def vcpu_hours_of(conversion: Conversion | None, period: Month) -> float | None:
    """Return vCPU-hours per consumed unit; plain hours of a vCPU meter are hours of one vCPU."""
    if conversion is not None and conversion.dimension is Dimension.VCPU_HOURS:
        return conversion.multiplier
    return hours_of(conversion, period)


def gpu_hours_of(conversion: Conversion | None, period: Month) -> float | None:
    """Return accelerator-hours per consumed unit; plain hours of a GPU meter are hours of one GPU."""
    if conversion is not None and conversion.dimension is Dimension.GPU_HOURS:
        return conversion.multiplier
    return hours_of(conversion, period)


def gib_hours_of(conversion: Conversion | None, period: Month) -> float | None:
    """Return GiB-hours per consumed unit; a GiB-month is held for every hour of the real month."""
    if conversion is None:
        return None
    if conversion.dimension is Dimension.GIB_HOURS:
        return conversion.multiplier
    if conversion.dimension is Dimension.GIB_MONTHS:
        return conversion.multiplier * period.hours
    return None


def memory_gib_hours_of(conversion: Conversion | None, period: Month) -> float | None:
    """Return GiB-hours per consumed unit of a memory meter; plain hours are hours of one GiB."""
    found = gib_hours_of(conversion, period)
    if found is None and conversion is not None and conversion.dimension is Dimension.HOURS:
        return conversion.multiplier
    return found


def tb_hours_of(conversion: Conversion | None, period: Month) -> float | None:
    """Return decimal terabyte-hours per consumed unit of a capacity meter (GB in a bill is 2^30 bytes)."""
    gib_hours = gib_hours_of(conversion, period)
    return None if gib_hours is None else gib_hours * GIB_TO_GB / GB_PER_TB


def gb_of(conversion: Conversion | None) -> float | None:
    """Return decimal gigabytes per consumed unit of a transfer meter."""
    if conversion is None or conversion.dimension is not Dimension.GIB:
        return None
    return conversion.multiplier * GIB_TO_GB


def tokens_of(conversion: Conversion | None) -> float | None:
    """Return tokens per consumed unit; None for characters and for anything that does not count tokens."""
    if conversion is None or conversion.dimension is not Dimension.TOKENS:
        return None
    return conversion.multiplier


def copies_of(factors: FactorSet, key: str) -> tuple[Span, tuple[Assumption, ...]] | None:
    """Return the replication of a storage service and its mark, the provider's default where the key is not known.

    None where the factor set has neither.
    """
    found = factors.replication(key)
    if found is not None:
        return found.span, ()
    default = factors.replication(f"{key.partition('.')[0]}.default")
    return None if default is None else (default.span, (Assumption.REPLICATION_DEFAULT,))


def size_parts(
    factors: FactorSet, key: str, hours: float, processor: str | None = None, copies: float = 1.0
) -> tuple[Component, ...] | None:
    """Return the vCPUs and the memory of ``hours`` of a service's unit (``FactorSet.size``), None where not known."""
    size = factors.size(key)
    return None if size is None else parts_of_size(size, hours, processor, copies)


def parts_of_size(size: Size, hours: float, processor: str | None = None, copies: float = 1.0) -> tuple[Component, ...]:
    """Return the vCPUs and the memory of ``hours`` of a service's unit whose size is known."""
    return (
        Vcpu(size.vcpu * hours, processor, memory_apart=True, copies=copies),
        Memory(size.memory_gib * hours, copies=copies),
    )


def no_size(key: str) -> NotRated:
    """Say that the factor set has no such unit."""
    return NotRated(NotEstimatedReason.CAPACITY_NOT_METERED, f"the factor set has no size {key}")


def storage_demand(tb_hours: float, medium: str, copies: Span, *marks: Assumption) -> Demand:
    """Return the demand of stored data."""
    assumptions = (*marks, Assumption.ARCHIVE_AS_HDD) if medium == "archive" else marks
    return Demand(Method.STORAGE, (Storage(tb_hours, medium, copies),), assumptions)


def transfer_demand(gb: float, kind: str) -> Demand:
    """Return the demand of moved data, whose kind was read from the meter's name."""
    return Demand(Method.NETWORK, (Transfer(gb, kind),), (Assumption.TRANSFER_KIND_FROM_DESCRIPTION,))


def by_size(method: Method, components: tuple[Component, ...], *marks: Assumption) -> Demand:
    """Return a demand that is known by its vCPUs and memory rather than by a machine (bucket B)."""
    return Demand(method, components, marks, CoverageBucket.FAMILY_OR_VCPU)
