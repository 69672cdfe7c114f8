"""Azure's managed compute: App Service, Functions, containers; language models; and services that meter no hardware."""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, Method, NotEstimatedReason
from offgridflow.domain.units import Dimension
from offgridflow.factors.model import Size
from offgridflow.methodology import azure_storage
from offgridflow.methodology.azure_text import OPERATIONS, Meter, Outcome
from offgridflow.methodology.demand import Accelerator, Demand, Memory, Tokens, Vcpu
from offgridflow.methodology.generic_parts import (
    CACHED_TOKENS,
    REQUESTS,
    by_size,
    gib_hours_of,
    gpu_hours_of,
    hours_of,
    memory_gib_hours_of,
    no_size,
    parts_of_size,
    refuse,
    tb_hours_of,
    tokens_of,
    unknown_unit,
    vcpu_hours_of,
)

_PLAN: Final = re.compile(r"\b(p[0-5]m?|i[1-6]m?|ws[1-3]|ep[1-3]|[bsp][1-3]|wp[1-3])[ _]?(v[2-4])?\b")
_GPUS: Final = (
    ("k80", "NVIDIA K80"),
    ("p100", "NVIDIA P100"),
    ("v100", "NVIDIA V100"),
    ("a100", "NVIDIA A100"),
    ("t4", "NVIDIA T4"),
)
_SIZES: Final = "mini|nano|pro|codex|chat|max|luna|sol|terra|astra"
_MODEL: Final = re.compile(
    rf"(gpt ?-?(?:3\.5|35|4o|4\.1|4|[56](?:\.\d)?)(?:[ -]?(?:turbo|{_SIZES}))*"
    r"|o[134](?:[ -]?mini)?"
    r"|mistral[ -][a-z]+|llama[ -]?[\d.]+)",
)
_FAMILY: Final = re.compile(r"\bgpt[ -]?[56]$")
_VERSION: Final = re.compile(rf"[56](?:\.\d)?(?: (?:{_SIZES}))*\b")
_OUTPUT: Final = re.compile(r"\b(?:out(?:p|pt|put)?|opt|completion|generated)\b")
_INPUT: Final = re.compile(r"\b(?:inp?|input|inpt|prompt|context)\b")
_CACHED: Final = re.compile(r"\b(?:cached|cchd|cache)\b")
_TOKENS_IN_NAME: Final = re.compile(r"\b1 ?([km]) tokens")


def app_service(meter: Meter) -> Outcome:
    """Rate plan instances by their size; shared and free plans, domains and certificates have none of their own."""
    if meter.has("domain", "certificate", "ssl", "ip address"):
        return refuse(NotEstimatedReason.NOT_PHYSICAL, "a name or certificate is not a machine")
    if meter.has("duration", "vcpu", "memory"):
        return serverless(meter)
    plan = _plan(meter)
    if plan is None:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "plan hours")
    parts = parts_of_size(plan, hours, "x86")
    return by_size(Method.VCPU_AND_MEMORY, parts, Assumption.INSTANCE_TYPE_FROM_DESCRIPTION)


def _plan(meter: Meter) -> Size | None:
    """Return the size of one instance of the plan that the meter names last (``Premium v3 Plan - P1 v3``)."""
    for match in reversed(list(_PLAN.finditer(meter.text))):
        size = meter.factors.size(f"azure.app_service.{_plan_name(meter, match[1], match[2] or '')}")
        if size is not None:
            return size
    return None


def _plan_name(meter: Meter, size: str, version: str) -> str:
    """Return the table's name; the version may stand in the plan's name only (``Premium v3 Plan - P1``)."""
    if version == "v4":  # the fourth Premium generation has the sizes of the third
        version = "v3"
    if not version and size[0] in "pi":
        for name in ("v2", "v3", "v4"):
            if f"premium {name}" in meter.text or f"isolated {name}" in meter.text:
                version = "v3" if name == "v4" else name
    return size + version


def functions(meter: Meter) -> Outcome:
    """Rate execution time (GB-seconds carry their share of a vCPU) and the vCPU and memory time of premium plans.

    Instances that are always ready are metered twice while they execute: all the time, and as execution time.
    """
    if meter.has("always ready execution time"):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, "the baseline holds the instance, executing or not")
    if meter.has("execution time", "baseline"):
        return _execution(meter)
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return app_service(meter)


def _execution(meter: Meter) -> Outcome:
    gib_hours = gib_hours_of(meter.unit, meter.period)
    if gib_hours is None:
        return unknown_unit(meter.sku.consumed_unit, "GB-seconds")
    size = meter.factors.size("azure.functions")
    if size is None:
        return no_size("azure.functions")
    parts = (Vcpu(gib_hours * size.vcpu / size.memory_gib, memory_apart=True), Memory(gib_hours))
    return Demand(Method.SERVERLESS, parts)


def _gpu_time(meter: Meter) -> Outcome:
    model = next((name for word, name in _GPUS if word in meter.text), None)
    if model is None:
        return refuse(NotEstimatedReason.UNKNOWN_ACCELERATOR, meter.name)
    hours = gpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "GPU hours")
    return Demand(Method.ACCELERATOR, (Accelerator(model, hours),))


def _memory_time(meter: Meter) -> Outcome:
    gib_hours = memory_gib_hours_of(meter.unit, meter.period)
    if gib_hours is None:
        return unknown_unit(meter.sku.consumed_unit, "memory over time")
    return Demand(Method.SERVERLESS, (Memory(gib_hours),))


def _vcpu_time(meter: Meter) -> Outcome:
    hours = vcpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "vCPU time")
    return Demand(Method.SERVERLESS, (Vcpu(hours, memory_apart=True),))


def serverless(meter: Meter) -> Outcome:
    """Rate vCPU time, memory time and GPU time of containers; a bundle of both tells the quantity of neither."""
    if meter.has("gpu"):
        return _gpu_time(meter)
    if meter.has("software", "vmware ip"):
        return refuse(NotEstimatedReason.LICENCE, "licence on containers whose vCPUs have their own meter")
    if meter.has("vcpu and memory"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, f"base unit of a plan: {meter.name}")
    if meter.has("memory"):
        return _memory_time(meter)
    if meter.has("vcpu"):
        return _vcpu_time(meter)
    return capacity_not_metered(meter)


def kubernetes(meter: Meter) -> Outcome:
    """Refuse fees on clusters; their nodes are virtual machines with their own meters."""
    if meter.has("uptime", "sla", "long term support", "standard"):
        return refuse(NotEstimatedReason.NOT_PHYSICAL, "fee for an agreement on availability or support")
    return refuse(NotEstimatedReason.SURCHARGE, "fee on nodes that have their own meter")


def language_model(meter: Meter) -> Outcome:
    """Rate tokens of a language model; provisioned throughput meters a promise, images and hours meter no tokens."""
    if meter.has("provisioned", "ptu", "hosting"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "provisioned throughput")
    names = _MODEL.findall(meter.text)
    if not names:
        return _unnamed_model(meter)
    tokens = _token_count(meter)
    if tokens is None:
        return unknown_unit(meter.sku.consumed_unit, "tokens")
    return _tokens(meter, _model_of(meter, names), tokens)


def _model_of(meter: Meter, names: list[str]) -> str | None:
    """Return the model that the meter names; ``GPT5`` is a product of many, whose meters tell the version alone."""
    product, _, own = meter.name.lower().rpartition(" - ")
    if not _FAMILY.search(product):
        return max(map(_model_name, names), key=len)
    version = _VERSION.match(own)
    found = [f"gpt {version[0]}"] if version is not None else _MODEL.findall(own)
    return max(map(_model_name, found), key=len, default=None)


def _unnamed_model(meter: Meter) -> Outcome:
    if "token" in meter.text:
        return refuse(NotEstimatedReason.UNKNOWN_AI_MODEL, meter.name)
    return REQUESTS


def _tokens(meter: Meter, model: str | None, count: float) -> Outcome:
    words = meter.text.replace("-", " ")
    if _CACHED.search(words):
        return CACHED_TOKENS
    if model is None or meter.factors.ai_model("azure", model) is None:
        return refuse(NotEstimatedReason.UNKNOWN_AI_MODEL, model or meter.name)
    if _OUTPUT.search(words):
        return Demand(Method.AI_TOKENS, (Tokens(model, 0.0, count),))
    if _INPUT.search(words):
        return Demand(Method.AI_TOKENS, (Tokens(model, count, 0.0),))
    return refuse(NotEstimatedReason.UNKNOWN_METER, f"input or output is not told: {meter.name}")


def _model_name(text: str) -> str:
    name = re.sub(r"[ -]+", "-", text.strip()).replace("gpt-35", "gpt-3.5").replace("gpt35", "gpt-3.5")
    return re.sub(r"^gpt(?=\d)", "gpt-", name).replace("-chat", "-chat-latest")


def _token_count(meter: Meter) -> float | None:
    """Return tokens per unit: a count with its letter (``1K``), or a size that the meter's name tells."""
    if (found := tokens_of(meter.unit)) is not None:
        return found
    if meter.unit is None or meter.unit.dimension is not Dimension.COUNT:
        return None
    if meter.unit.multiplier > 1:
        return meter.unit.multiplier
    match = _TOKENS_IN_NAME.search(meter.text)
    return None if match is None else {"k": 1e3, "m": 1e6}[match[1]]


def capacity_not_metered(meter: Meter) -> Outcome:
    """Rate what a service keeps, by its unit; else it counts requests or sells hardware that nobody publishes."""
    if tb_hours_of(meter.unit, meter.period) is not None:
        return azure_storage.capacity(meter)
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)


def security_fee(meter: Meter) -> Outcome:
    """Refuse protection plans: a fee on resources that have their own meters."""
    return refuse(NotEstimatedReason.SURCHARGE, f"protection plan: {meter.name}")
