"""Google machines: cores, memory and accelerators are SKUs of their own and together make one machine.

A core SKU is never a machine, or the memory would count twice. E2 shared-core machines are billed in fractions of a
core, so their core SKU needs no size; F1 and G1 have a SKU for the whole machine.
"""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.domain.trace import Constant, TermKind
from offgridflow.factors.model import MachineType
from offgridflow.methodology.demand import Accelerator, Demand, Machine, Memory, Vcpu
from offgridflow.methodology.gcp_text import Meter, Outcome
from offgridflow.methodology.generic_parts import (
    gpu_hours_of,
    hours_of,
    memory_gib_hours_of,
    refuse,
    unknown_unit,
    vcpu_hours_of,
)

_SERIES: Final = re.compile(
    r"\b((?:a[234]|c[234]|e2|g[24]|h[34]|m[1-4]|n[124]|t2|x4|z3)[adnx]?)(?:plus|ultra|mega|high|edge)?(?![\w])"
)
_SERIES_BY_WORDS: Final = (
    ("compute optimized", "c2"),
    ("compute-optimized", "c2"),
    ("memory-optimized", "m1"),
    ("memory optimized", "m1"),
    ("custom instance", "n1"),
    ("custom extended", "n1"),
    ("predefined instance", "n1"),
)
_TYPE: Final = re.compile(r"\b[a-z]\d[a-z]?-(?:standard|highcpu|highmem|medium)(?:-\d{1,3})?\b")
_CORE: Final = re.compile(r"\b(?:core|cores|vcpu|vcpus|cpu|mcpu)\b")
_RAM: Final = re.compile(r"\bram\b|\bmemory\b(?![- ]optimized)")
_GPU: Final = re.compile(
    r"\b(k80|p100|p4|v100|t4|l4|a100|h100|h200|gb200|gb300|b200|b300|rtx(?: pro)? 6000)\b",
)
_GPU_MODELS: Final = {
    "k80": ("NVIDIA K80",),
    "p100": ("NVIDIA P100",),
    "p4": ("NVIDIA P4",),
    "v100": ("NVIDIA V100",),
    "t4": ("NVIDIA T4",),
    "l4": ("NVIDIA L4",),
    "a100": ("NVIDIA A100 SXM", "NVIDIA A100"),
    "h100": ("NVIDIA H100 SXM", "NVIDIA H100"),
    "h200": ("NVIDIA H200 SXM", "NVIDIA H200"),
    "b200": ("NVIDIA B200",),
    "b300": ("NVIDIA B300",),
    "gb200": ("NVIDIA GB200",),
    "gb300": ("NVIDIA GB300",),
    "rtx 6000": ("NVIDIA RTX PRO 6000",),
    "rtx pro 6000": ("NVIDIA RTX PRO 6000",),
}
_TPU: Final = re.compile(r"\btpu[ -]?(v5 ?lite|v\d[ep]?|ironwood|trillium)?")
_TPU_GENERATIONS: Final = {"v5lite": "v5e", "v5 lite": "v5e", "trillium": "v6e", "ironwood": "v7"}
_ARM: Final = re.compile(r"\barm\b")
MILLICORES: Final = Constant(1000.0, "millicores in a core")
HALF: Final = Constant(0.5, "load to which baselines of shared cores refer", TermKind.METHOD)
"""The load to which baselines of shared-core machines refer."""


def series_of(meter: Meter) -> str | None:
    """Return the machine series: from the bill's machine type, else from the SKU's name."""
    stated = meter.sku.attributes.instance_type
    if stated:
        return stated.strip().lower().split("-", 1)[0]
    match = _SERIES.search(meter.text)
    if match is not None:
        return match[1]
    return next((series for words, series in _SERIES_BY_WORDS if words in meter.text), None)


def _host_of(meter: Meter) -> MachineType | None:
    """Return the bill's machine type, else the largest of the SKU's series: they share processor and host."""
    stated = meter.sku.attributes.instance_type
    if stated and (found := meter.factors.machine("gcp", stated.strip())) is not None:
        return found
    series = series_of(meter)
    types = meter.factors.family("gcp", series) if series is not None else ()
    return types[-1] if types else None


def cores(meter: Meter, copies: float = 1.0, method: Method = Method.VCPU_AND_MEMORY) -> Outcome:
    """Rate core time on the host of its series; the memory that the machine's SPECpower twin had is on the memory SKU.

    A shared-core machine is billed by its baseline, which is a load; its share of the host is the baseline over 50 %.
    """
    hours = vcpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "core time")
    if "mcpu" in meter.text:
        hours /= MILLICORES
    host = _host_of(meter)
    if host is None:
        processor = "arm" if _ARM.search(meter.text) else None
        return Demand(method, (Vcpu(hours, processor, memory_apart=True, copies=copies),))
    shared = host.baseline is not None
    part = Vcpu(
        hours / HALF if shared else hours,
        host.processor,
        memory_apart=True,
        copies=copies,
        family=host.instance_type if meter.sku.attributes.instance_type else host.family,
    )
    return Demand(method, (part,), (Assumption.BURSTABLE_BASELINE,) if shared else ())


def memory(meter: Meter, copies: float = 1.0, method: Method = Method.VCPU_AND_MEMORY) -> Outcome:
    """Rate memory over time."""
    gib_hours = memory_gib_hours_of(meter.unit, meter.period)
    if gib_hours is None:
        return unknown_unit(meter.sku.consumed_unit, "memory over time")
    return Demand(method, (Memory(gib_hours, copies=copies),))


def gpu(meter: Meter) -> Outcome | None:
    """Rate GPU time by the model in the SKU's name; None where the SKU is not a GPU."""
    match = _GPU.search(meter.text)
    if not meter.has("gpu", "nvidia") and (match is None or not match[1].startswith("rtx")):
        return None  # other cards are always called so; the name of this one stands alone
    models = () if match is None else _GPU_MODELS[match[1]]
    model = next((name for name in models if meter.factors.accelerator(name) is not None), None)
    return _accelerator(meter, model)


def tpu(meter: Meter) -> Outcome | None:
    """Rate TPU chip time by the generation in the SKU's name; None where the SKU is not a TPU."""
    match = _TPU.search(meter.text)
    if match is None:
        return None
    model = f"Google TPU {_TPU_GENERATIONS.get(match[1], match[1])}"
    return _accelerator(meter, None if meter.factors.accelerator(model) is None else model)


def _accelerator(meter: Meter, model: str | None) -> Outcome:
    if model is None:
        return refuse(NotEstimatedReason.UNKNOWN_ACCELERATOR, meter.name)
    hours = gpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "accelerator time")
    return Demand(Method.ACCELERATOR, (Accelerator(model, hours),))


def shared_core(meter: Meter) -> Outcome | None:
    """Rate the whole-machine SKUs of F1 and G1."""
    if meter.has("micro instance"):
        instance_type = "f1-micro"
    elif meter.has("small instance"):
        instance_type = "g1-small"
    else:
        return None
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "machine hours")
    return Demand(
        Method.INSTANCE,
        (Machine(instance_type, hours),),
        (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,),
    )


def build_time(meter: Meter) -> Outcome:
    """Rate build minutes by the machine that the SKU names; the default machine is not named."""
    match = _TYPE.search(meter.text)
    hours = hours_of(meter.unit, meter.period)
    if match is None:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "build time")
    marks = (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)
    return Demand(Method.INSTANCE, (Machine(match[0], hours, service="Cloud Build"),), marks)


def never_rated(meter: Meter) -> Outcome | None:
    """Refuse licences, premiums and commitments: the machine under them has SKUs of its own."""
    if meter.has("licensing", "license", "licence"):
        fee = meter.has("dataproc", "anthos", "management")
        reason = NotEstimatedReason.SURCHARGE if fee else NotEstimatedReason.LICENCE
        return refuse(reason, "fee on a machine whose cores and memory have their own SKUs")
    if meter.has("commitment v1", "commitment -", "commitment:", "commitment for"):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, "commitment; the usage that it covers has its own SKU")
    if meter.has("premium for", "sole tenancy premium", "upgrade premium", "management fee", "confidential computing"):
        return refuse(NotEstimatedReason.SURCHARGE, "premium on resources that have their own SKUs")
    return None


def cores_and_memory(meter: Meter) -> Outcome | None:
    """Rate a core or a memory SKU of whatever service (Compute Engine, Vertex AI, Dataflow, GKE pods)."""
    if _RAM.search(meter.text):
        return memory(meter)
    return cores(meter) if _CORE.search(meter.text) else None


def service_median(meter: Meter, service: str) -> Outcome:
    """Rate a node whose hardware is not published by the factor set's median for the service, else say so."""
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "node hours")
    median = meter.factors.service_median_vcpu("gcp", service)
    if median is None:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    return Demand(
        Method.SERVICE_MEDIAN,
        (Vcpu(median.central * hours),),
        (Assumption.SERVICE_MEDIAN_SIZE,),
        CoverageBucket.SERVICE_MEDIAN,
    )
