"""Azure machines by the hour: virtual machines of every price model, hosts, and services that are machines inside."""

import re
from functools import lru_cache
from typing import Final

from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.methodology.azure_text import Meter, Outcome
from offgridflow.methodology.demand import Demand, Machine, Vcpu
from offgridflow.methodology.generic_parts import hours_of, refuse, sane, unknown_unit

_SUFFIX: Final = re.compile(
    r"\b(?:spot|low priority|low-priority|promo|expired|free|vms?|windows|linux|app|dev/test|instance|node)\b",
    re.IGNORECASE,
)
_SIZE: Final = re.compile(
    r"(?:(?:standard|basic)[_ ])?"
    r"((?:[abdefghlm]|nc|nd|ng|nv|np|hb|hc|hx|dc|ds|ec|fx|gs)[a-z]{0,3}\d{1,4}(?:-\d{1,3})?[a-z]{0,6}"
    r"(?:[ _](?:\d{1,2}|ndr|a10|a100|h100|h200|t4|mi300x|gb200|gb300|v620|v710|cc))*(?:[ _]v\d)?)",
    re.IGNORECASE,
)
_ARM_NAME: Final = re.compile(r"(?:standard|basic|internal)_[a-z0-9_\-]{2,40}", re.IGNORECASE)
_SERIES: Final = re.compile(r"\b([a-z]{1,4}?)(s|as|ads|ds)?(?:[ _]?(v\d))? series dedicated host", re.IGNORECASE)
_HOST_VCPUS: Final = (192, 176, 128, 120, 112, 104, 96, 80, 72, 64, 48, 40, 32, 16)
_VMWARE: Final = re.compile(r"av\d\dp?", re.IGNORECASE)
"""Hosts of Azure VMware Solution, whose names have no tier."""
_NOT_A_SIZE: Final = frozenset({"gen4", "gen5"})


def _candidates(segment: str) -> list[str]:
    """Return the size names of one segment, premium storage twin first (``D2 v3/D2s v3``)."""
    cleaned = " ".join(_SUFFIX.sub(" ", segment).split())
    sizes = []
    for part in reversed(cleaned.split("/")):
        match = _SIZE.fullmatch(part.strip())
        if match is not None and match[1].lower() not in _NOT_A_SIZE:
            sizes.append(match[1])
    return sizes


@lru_cache(maxsize=16384)
def sizes_in(meter: str) -> tuple[str, ...]:
    """Return the catalogue spellings of the machine sizes that a meter's name holds, best first.

    >>> sizes_in("Virtual Machines Dv2/DSv2 Series - D11 v2/DS11 v2 - US East 2")
    ('Standard_DS11_v2', 'Standard_D11_v2')
    """
    for segment in reversed(meter.split(" - ")):
        found = _candidates(segment)
        if found:
            tier = "Basic_" if "basic" in meter.lower() and found[0][0] in "Aa" else "Standard_"
            names = ("_".join(size.split()) for size in found)
            return tuple(name if _VMWARE.fullmatch(name) else tier + name for name in names)
    return ()


def instance_of(meter: Meter) -> tuple[str | None, tuple[Assumption, ...]]:
    """Return the machine size, from the bill's own field or else from the meter's name (then marked)."""
    stated = meter.sku.attributes.instance_type
    if stated is not None and _ARM_NAME.fullmatch(stated.strip()):
        return _without_promo(stated.strip()), ()
    if stated is not None and (found := sizes_in(stated)):
        return found[0], ()
    found = sizes_in(meter.name) or sizes_in(meter.sku.description or "")
    for size in found:
        if meter.factors.machine("azure", size) is not None:
            return size, (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)
    return (found[0], (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)) if found else (None, ())


def _without_promo(instance_type: str) -> str:
    return instance_type[: -len("_Promo")] if instance_type.lower().endswith("_promo") else instance_type


def machine(meter: Meter) -> Outcome:
    """Rate hours of a machine; an unknown size falls back in rating, never to one vCPU."""
    if meter.has("license", "licence", "surcharge", "markup", "software"):
        return refuse(NotEstimatedReason.LICENCE, "licence or fee on a machine that has its own meter")
    if meter.has("dedicated host"):
        return dedicated_host(meter)
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "machine hours")
    instance_type, marks = instance_of(meter)
    vcpu = sane(meter.sku.attributes.vcpu)
    if instance_type is not None:
        idle = _is_capacity_reservation(meter)
        part = Machine(
            instance_type,
            hours,
            vcpu=vcpu,
            memory_gib=sane(meter.sku.attributes.memory_gib),
            service="Virtual Machines",
            idle=idle,
        )
        return Demand(Method.RESERVED_CAPACITY if idle else Method.INSTANCE, (part,), marks)
    if vcpu is not None:
        return Demand(
            Method.VCPU,
            (Vcpu(vcpu * hours),),
            (Assumption.VCPU_FROM_BILL,),
            CoverageBucket.FAMILY_OR_VCPU,
        )
    return refuse(NotEstimatedReason.UNKNOWN_INSTANCE_TYPE, meter.name)


def _is_capacity_reservation(meter: Meter) -> bool:
    """Return whether the line is held but unused capacity (AdditionalInfo.UsageType ComputeCR)."""
    attributes = meter.sku.attributes
    words = (meter.sku.operation, attributes.deployment, attributes.pricing_model)
    return any(word is not None and word.lower() in {"computecr", "capacity_reservation"} for word in words)


def dedicated_host(meter: Meter) -> Outcome:
    """Rate a host as the largest machine of its series at idle watts; its guests' meters cost nothing."""
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "host hours")
    match = _SERIES.search(meter.text)
    if match is not None:
        letters, features, version = match[1].upper(), match[2] or "", match[3]
        for vcpus in _HOST_VCPUS:
            name = f"Standard_{letters}{vcpus}{features}" + (f"_{version}" if version else "")
            if meter.factors.machine("azure", name) is not None:
                return Demand(
                    Method.RESERVED_CAPACITY,
                    (Machine(name, hours, service="Dedicated Host", idle=True),),
                    (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,),
                    CoverageBucket.FAMILY_OR_VCPU,
                )
    return refuse(NotEstimatedReason.UNKNOWN_INSTANCE_TYPE, meter.name)


def machine_or_capacity(meter: Meter) -> Outcome:
    """Rate a service that names its machine (HDInsight, SSIS, gateways), else say that it meters a capacity."""
    if meter.has("surcharge"):
        return refuse(NotEstimatedReason.SURCHARGE, "fee on a machine that has its own meter")
    if instance_of(meter)[0] is not None and hours_of(meter.unit, meter.period) is not None:
        return machine(meter)
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
