"""A machine name that is in no catalogue: its family, then its vCPUs, then the service's median, each marked.

The size stands in the name: AWS ``large`` is 2 vCPUs and ``Nxlarge`` 4 N, Azure's and Google's number is the vCPU
count (naming pages of the three providers).
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.domain.trace import TermKind, leaf
from offgridflow.factors.model import FactorSet, MachineType
from offgridflow.methodology.demand import Component, Machine, Memory, NotRated, Vcpu

_AWS: Final = re.compile(
    r"(?:db\.|cache\.|ml\.|search\.)?([a-z][a-z0-9-]*)\.([a-z0-9-]+?)(?:\.(?:search|elasticsearch))?",
)
_AZURE: Final = re.compile(r"(?:standard_|basic_)?([a-z]+)(\d{1,4})(-\d{1,4})?([a-z]*)((?:_[a-z0-9]+)*)")
_GCP: Final = re.compile(r"(?:db-)?([a-z]\d[a-z]?)-[a-z]+-(\d{1,4})(?:-[a-z0-9]+)*")
_AWS_SIZES: Final = {"nano": 1.0, "micro": 1.0, "small": 1.0, "medium": 1.0, "large": 2.0, "xlarge": 4.0}
_AWS_TIMES: Final = re.compile(r"(\d{1,3})xlarge")
_MOST_VCPU: Final = 2048.0
_WITH_CARDS: Final = {
    "aws": re.compile(r"(?:p|g|gr|trn|inf|dl|f|vt)\d[a-z0-9-]*\..+"),
    "azure": re.compile(r"(?:standard_)?n[cdgvp]\d.*"),
}
"""Names of machines with accelerators: of an unknown one the processor alone would be the least part."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """What stands for a machine that is not in the catalogue: a scaled family member, or components."""

    machine: MachineType | None
    components: tuple[Component, ...]
    method: Method
    bucket: CoverageBucket
    marks: tuple[Assumption, ...]
    factor_ids: tuple[str, ...] = ()


def family_of(provider: str, instance_type: str) -> str | None:
    """Return the family in a machine name as the factor set spells it (``m5``, ``Dsv5``, ``n2``), or None."""
    name = instance_type.strip().lower()
    if provider == "aws" and (match := _AWS.fullmatch(name)) is not None:
        return match[1]
    if provider == "azure" and (match := _AZURE.fullmatch(name)) is not None:
        return f"{match[1]}{match[4]}{match[5].replace('_', '')}"
    if provider == "gcp" and (match := _GCP.fullmatch(name)) is not None:
        return match[1]
    return None


def vcpu_of_name(provider: str, instance_type: str) -> float | None:
    """Return the vCPU count that a machine name tells, or None."""
    name = instance_type.strip().lower()
    if provider == "aws" and (match := _AWS.fullmatch(name)) is not None:
        times = _AWS_TIMES.fullmatch(match[2])
        return float(times[1]) * 4 or None if times else _AWS_SIZES.get(match[2])
    if provider == "azure" and (match := _AZURE.fullmatch(name)) is not None:
        return float(match[2]) or None
    if provider == "gcp" and (match := _GCP.fullmatch(name)) is not None:
        return float(match[2]) or None
    return None


def has_cards(provider: str, instance_type: str) -> bool:
    """Return whether a machine's name says that it has accelerators.

    >>> has_cards("aws", "p9.48xlarge"), has_cards("azure", "Standard_NC128ds_xl_RTXPRO6000BSE_v6")
    (True, True)
    >>> has_cards("aws", "i9.large"), has_cards("azure", "Standard_D4s_v9")
    (False, False)
    """
    pattern = _WITH_CARDS.get(provider)
    return pattern is not None and pattern.fullmatch(instance_type.strip().lower()) is not None


def fallback_of(wanted: Machine, provider: str, factors: FactorSet) -> Fallback | NotRated:
    """Return what stands for a machine that the catalogue lacks, by family, by vCPU, by the service's median."""
    family = family_of(provider, wanted.instance_type)
    from_bill = wanted.vcpu if wanted.vcpu is not None and 0 < wanted.vcpu <= _MOST_VCPU else None
    vcpu = from_bill if from_bill is not None else vcpu_of_name(provider, wanted.instance_type)
    if vcpu is not None and from_bill is None:
        vcpu = leaf(vcpu, TermKind.BILL, f"vCPUs that the name {wanted.instance_type} tells", "vCPU")
    size = Assumption.VCPU_FROM_BILL if from_bill is not None else Assumption.VCPU_FROM_NAME
    members = factors.family(provider, family) if family is not None else ()
    if not members and has_cards(provider, wanted.instance_type):
        return NotRated(NotEstimatedReason.UNKNOWN_ACCELERATOR, f"machine {wanted.instance_type}")
    if members and vcpu is not None:
        return _of_family(members, vcpu, wanted.memory_gib, size)
    if vcpu is not None:
        parts = _parts(vcpu, wanted)
        marks = (size, Assumption.PROCESSOR_UNKNOWN)
        return Fallback(None, parts, Method.VCPU, CoverageBucket.FAMILY_OR_VCPU, marks)
    return _of_service(wanted, provider, factors)


def _of_family(members: tuple[MachineType, ...], vcpu: float, memory_gib: float | None, size: Assumption) -> Fallback:
    """Return the member nearest in size, scaled to the vCPUs; memory is the bill's where it is known."""
    nearest = min(members, key=lambda each: (abs(each.vcpu - vcpu), each.instance_type))
    share = vcpu / nearest.vcpu
    scaled = replace(
        nearest,
        vcpu=vcpu,
        threads=nearest.threads * share,
        memory_gib=memory_gib if memory_gib and memory_gib > 0 else nearest.memory_gib * share,
        gpu_count=nearest.gpu_count * share,
        ssd_tb=nearest.ssd_tb * share,
        hdd_drives=nearest.hdd_drives * share,
        whole_host=False,
        teads_w_50pct=None,
        teads_w_idle=None,
    )
    marks = (Assumption.FAMILY_PER_VCPU, size)
    bucket = CoverageBucket.FAMILY_OR_VCPU
    return Fallback(scaled, (), Method.INSTANCE_FAMILY, bucket, marks, nearest.factor_ids)


def _parts(vcpu: float, wanted: Machine) -> tuple[Component, ...]:
    hours = wanted.hours
    if wanted.memory_gib is None or not wanted.memory_gib > 0:
        return (Vcpu(vcpu * hours, None, copies=wanted.copies),)
    memory = Memory(wanted.memory_gib * hours, wanted.copies)
    return (Vcpu(vcpu * hours, None, memory_apart=True, copies=wanted.copies), memory)


def _of_service(wanted: Machine, provider: str, factors: FactorSet) -> Fallback | NotRated:
    median = factors.service_median_vcpu(provider, wanted.service) if wanted.service else None
    if median is None:
        return NotRated(NotEstimatedReason.UNKNOWN_INSTANCE_TYPE, f"machine {wanted.instance_type}")
    parts = (Vcpu(median.central * wanted.hours, None, copies=wanted.copies),)
    marks = (Assumption.SERVICE_MEDIAN_SIZE, Assumption.PROCESSOR_UNKNOWN)
    bucket = CoverageBucket.SERVICE_MEDIAN
    return Fallback(None, parts, Method.SERVICE_MEDIAN, bucket, marks, (median.factor_id,))
