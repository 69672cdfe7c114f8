"""Read SKUs of other providers, and activities that users bring themselves.

Three kinds arrive here: FOCUS bills of other clouds (Oracle's names are known); activities by the bring-your-own
contract, whose attributes say what the unit alone cannot (``instance_type``, ``vcpu``, ``memory_gib``, ``gpu``,
``storage_class``, ``transfer_kind``; ``instance_type`` may name an accelerator or a language model); and software
bills, whose hardware nobody sees.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, Method, NotEstimatedReason
from offgridflow.domain.trace import Constant
from offgridflow.domain.units import Conversion, Dimension, conversion_of
from offgridflow.factors.model import FactorSet
from offgridflow.methodology.demand import (
    Accelerator,
    Component,
    Demand,
    Machine,
    Memory,
    NotRated,
    Tokens,
    Transfer,
    Vcpu,
)
from offgridflow.methodology.generic_parts import (
    by_size,
    copies_of,
    gb_of,
    gib_hours_of,
    hours_of,
    refuse,
    sane,
    storage_demand,
    tb_hours_of,
    transfer_demand,
    unknown_unit,
)
from offgridflow.methodology.place import factor_provider

Outcome = Demand | NotRated

ARM_OCPU: Final = Constant(0.5, "OCPU of one core over the OCPU of two vCPUs")
"""The unit table takes an OCPU as two vCPUs (x86: one core, two threads; A2: two cores); of an A1 it is one core."""

_SHAPE: Final = re.compile(r"(?:standard|optimized|dense ?i/?o|bm|vm)\b.*?\b([aex]\d{1,2})\b")
_SHAPE_PROCESSORS: Final = {
    "a1": "Ampere Altra (Neoverse N1)",
    "e2": "EPYC 1st Gen (Naples)",
    "e3": "EPYC 2nd Gen (Rome)",
    "e4": "EPYC 3rd Gen (Milan)",
    "e5": "EPYC 4th Gen (Genoa/Bergamo)",
    "e6": "EPYC 5th Gen (Turin)",
    "x7": "Skylake",
    "x9": "Ice Lake",
}
_TRANSFER_KINDS: Final = frozenset(
    {"intra_zone", "inter_zone", "inter_region", "internet_egress", "cdn", "ingress"},
)
_LICENCE: Final = re.compile(r"\b(?:licen[cs]es?|licen[cs]ing)\b")
_SUPPORT: Final = re.compile(r"\bsupport\b")


@dataclass(frozen=True, slots=True)
class _Meter:
    sku: Sku
    period: Month
    factors: FactorSet
    text: str
    unit: Conversion | None


_Rule = Callable[[_Meter], Outcome | None]


def _shape(meter: _Meter) -> tuple[str | None, float]:
    """Return the processor of an Oracle shape and the correction of its OCPUs (an A1 OCPU is one thread)."""
    match = _SHAPE.search(meter.text)
    if match is None:
        return None, 1.0
    processor = _SHAPE_PROCESSORS.get(match[1], "arm" if match[1].startswith("a") else "x86")
    return processor, ARM_OCPU if match[1] == "a1" else 1.0


def _oracle_memory(meter: _Meter) -> Outcome | None:
    if "memory" not in meter.text:
        return None
    gib_hours = gib_hours_of(meter.unit, meter.period)
    if gib_hours is None:
        return unknown_unit(meter.sku.consumed_unit, "memory over time")
    return Demand(Method.VCPU_AND_MEMORY, (Memory(gib_hours),))


def _oracle_cores(meter: _Meter) -> Outcome | None:
    if meter.unit is None or meter.unit.dimension is not Dimension.VCPU_HOURS:
        return None
    processor, share = _shape(meter)
    vcpu_hours = meter.unit.multiplier * share
    return Demand(Method.VCPU_AND_MEMORY, (Vcpu(vcpu_hours, processor, memory_apart=True),))


def _oracle_storage(meter: _Meter) -> Outcome | None:
    if "performance unit" in meter.text:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "performance of a volume whose capacity is rated")
    tb_hours = tb_hours_of(meter.unit, meter.period)
    if tb_hours is None or not any(word in meter.text for word in ("storage", "volume", "archive", "backup")):
        return None
    copies = copies_of(meter.factors, "oracle.storage") or copies_of(meter.factors, "generic.default")
    if copies is None:
        return refuse(NotEstimatedReason.NO_FACTOR, "replication of oracle storage")
    medium = "archive" if "archive" in meter.text else "ssd" if "block" in meter.text else "hdd"
    marks = () if medium == "archive" else (Assumption.STORAGE_MEDIUM_DEFAULT,)
    return storage_demand(tb_hours, medium, copies[0], Assumption.REPLICATION_DEFAULT, *marks)


def _oracle_transfer(meter: _Meter) -> Outcome | None:
    if "outbound data transfer" not in meter.text:
        return None
    gb = gb_of(meter.unit)
    if gb is None and meter.unit is not None and meter.unit.dimension is Dimension.GIB_MONTHS:
        # Oracle's bill writes "GB Months" for gigabytes that went out during a month: a volume, not a stock.
        gb = gb_of(Conversion(Dimension.GIB, meter.unit.multiplier))
    if gb is None:
        return unknown_unit(meter.sku.consumed_unit, "transferred data")
    return transfer_demand(gb, "internet_egress")


def _never_rated(meter: _Meter) -> Outcome | None:
    if _LICENCE.search(meter.text):
        return refuse(NotEstimatedReason.LICENCE, "licence")
    if _SUPPORT.search(meter.text):
        return refuse(NotEstimatedReason.SUPPORT, "support")
    return None


def _own_machine(meter: _Meter) -> Outcome | None:
    """Rate hours of a named machine, whatever its provider; its size goes along for the fallback.

    A machine of no catalogue that has accelerators is left to its stated size, which asks for the name of the card.
    """
    attributes = meter.sku.attributes
    hours = hours_of(meter.unit, meter.period)
    if not attributes.instance_type or hours is None:
        return None
    known = meter.factors.machine(factor_provider(meter.sku.provider), attributes.instance_type) is not None
    if sane(attributes.gpu) is not None and not known:
        return None
    if meter.factors.accelerator(attributes.instance_type) is not None:
        return None
    part = Machine(
        attributes.instance_type,
        hours,
        vcpu=sane(attributes.vcpu),
        memory_gib=sane(attributes.memory_gib),
        service=meter.sku.service_name,
    )
    return Demand(Method.INSTANCE, (part,))


def _own_size(meter: _Meter) -> Outcome | None:
    """Rate hours of something with a stated number of vCPUs, GiB and accelerators."""
    attributes = meter.sku.attributes
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return None
    parts: list[Component] = []
    vcpu, gib, gpus = sane(attributes.vcpu), sane(attributes.memory_gib), sane(attributes.gpu)
    if vcpu is not None:
        parts.append(Vcpu(vcpu * hours, memory_apart=gib is not None))
    if gib is not None:
        parts.append(Memory(gib * hours))
    if gpus is not None:
        model = _named_model(meter)
        if meter.factors.accelerator(model) is None:
            detail = f"{model or 'a card without a name'}; where gpu is given, instance_type names the card"
            return refuse(NotEstimatedReason.UNKNOWN_ACCELERATOR, detail)
        parts.append(Accelerator(model, gpus * hours))
    return by_size(Method.VCPU_AND_MEMORY, tuple(parts), Assumption.VCPU_FROM_BILL) if parts else None


def _named_model(meter: _Meter) -> str:
    return meter.sku.attributes.instance_type or meter.sku.sku_meter or ""


def _own_data(meter: _Meter) -> Outcome | None:
    """Rate stored data with a storage class, and moved data with a transfer kind."""
    attributes = meter.sku.attributes
    if attributes.storage_class is not None and (tb_hours := tb_hours_of(meter.unit, meter.period)) is not None:
        return _own_storage(meter, tb_hours, attributes.storage_class.strip().lower())
    if attributes.transfer_kind in _TRANSFER_KINDS and (gb := gb_of(meter.unit)) is not None:
        return Demand(Method.NETWORK, (Transfer(gb, attributes.transfer_kind),))
    return None


def _own_units(meter: _Meter) -> Outcome | None:
    """Rate canonical units that carry their own meaning: vCPU-hours, accelerator-hours, tokens."""
    if meter.unit is None:
        return None
    if meter.unit.dimension is Dimension.VCPU_HOURS:
        return by_size(Method.VCPU, (Vcpu(meter.unit.multiplier),))
    if meter.unit.dimension is Dimension.GPU_HOURS:
        return _own_accelerator(meter, meter.unit.multiplier)
    if meter.unit.dimension is Dimension.TOKENS:
        return _own_tokens(meter, meter.unit.multiplier)
    return None


def _unfit_unit(meter: _Meter) -> Outcome | None:
    """Say of a row that states its hardware or its data, but in a unit that is none of it, that the unit is why."""
    attributes = meter.sku.attributes
    if attributes.storage_class is not None:
        return unknown_unit(meter.sku.consumed_unit, "stored data over time")
    if attributes.transfer_kind is not None:
        if attributes.transfer_kind not in _TRANSFER_KINDS:
            return refuse(NotEstimatedReason.UNKNOWN_METER, f"transfer kind {attributes.transfer_kind}")
        return unknown_unit(meter.sku.consumed_unit, "data moved")
    if any(each is not None for each in (attributes.vcpu, attributes.memory_gib, attributes.gpu)):
        return unknown_unit(meter.sku.consumed_unit, "hours")
    return None


def _own_storage(meter: _Meter, tb_hours: float, storage_class: str) -> Outcome:
    medium = next((name for name in ("ssd", "hdd", "archive") if name in storage_class), None)
    marks = () if medium is not None else (Assumption.STORAGE_MEDIUM_DEFAULT,)
    copies = copies_of(meter.factors, "generic.default")
    if copies is None:
        return refuse(NotEstimatedReason.NO_FACTOR, "replication of brought storage")
    return storage_demand(tb_hours, medium or "hdd", copies[0], Assumption.REPLICATION_DEFAULT, *marks)


def _own_accelerator(meter: _Meter, hours: float) -> Outcome:
    model = _named_model(meter)
    if meter.factors.accelerator(model) is None:
        return refuse(NotEstimatedReason.UNKNOWN_ACCELERATOR, model)
    return Demand(Method.ACCELERATOR, (Accelerator(model, hours),))


def _own_tokens(meter: _Meter, tokens: float) -> Outcome:
    model = _named_model(meter)
    if meter.factors.ai_model(meter.sku.provider, model) is None:
        return refuse(NotEstimatedReason.UNKNOWN_AI_MODEL, model)
    if (meter.sku.operation or "").lower().startswith("in"):
        return Demand(Method.AI_TOKENS, (Tokens(model, tokens, 0.0),))
    return Demand(Method.AI_TOKENS, (Tokens(model, 0.0, tokens),))


_ORACLE: Final[tuple[_Rule, ...]] = (
    _never_rated,
    _oracle_memory,
    _oracle_cores,
    _oracle_transfer,
    _oracle_storage,
)
_OWN: Final[tuple[_Rule, ...]] = (_never_rated, _own_machine, _own_size, _own_data, _own_units, _unfit_unit)


def classify(sku: Sku, period: Month, factors: FactorSet) -> Outcome:
    """Return what one consumed unit asks of the hardware, or why it is not rated. Never raises."""
    meter = _Meter(
        sku, period, factors, (sku.sku_meter or sku.description or "").lower(), conversion_of(sku.consumed_unit)
    )
    oracle = sku.provider == "oracle"
    for rule in (*_ORACLE, *_OWN) if oracle else _OWN:
        outcome = rule(meter)
        if outcome is not None:
            return outcome
    detail = sku.sku_meter or sku.service_name or ""
    if oracle:
        return refuse(NotEstimatedReason.UNKNOWN_METER, detail)
    return refuse(NotEstimatedReason.UNKNOWN_SERVICE, f"{sku.provider}: {sku.service_name or detail}")
