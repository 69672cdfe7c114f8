"""Azure databases, caches, warehouses: cores and memory by tier, storage with its replicas.

SQL's memory and DTUs per vCore are the factor set's. Sizes of other servers are facts of the service descriptions:
5 GiB a vCore general purpose, 10 GiB memory optimised and 2 GiB basic single servers; 4 and 8 GiB flexible servers.
"""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.methodology.azure_storage import capacity, stored
from offgridflow.methodology.azure_text import OPERATIONS, Meter, Outcome, Rule, first_of
from offgridflow.methodology.azure_vm import instance_of, machine, sizes_in
from offgridflow.methodology.demand import Demand, Machine, Memory, Vcpu
from offgridflow.methodology.generic_parts import (
    REQUESTS,
    by_size,
    copies_of,
    hours_of,
    refuse,
    storage_demand,
    tb_hours_of,
    unknown_unit,
    vcpu_hours_of,
)

BUSINESS_CRITICAL_REPLICAS: Final = 4.0

_VCORES: Final = re.compile(r"\b(\d{1,3}) ?v-?cores?\b")
_DTUS: Final = re.compile(r"\b(\d{1,5}) ?e?dtus?\b")
_TIER: Final = re.compile(r"\b(b|s\d{1,2}|p\d{1,2})(?: secondary)?(?: active geo)?(?: e?dtus?\b| db\b|\Z)")
_TIER_DTUS: Final = {
    "b": 5.0,
    "s0": 10.0,
    "s1": 20.0,
    "s2": 50.0,
    "s3": 100.0,
    "s4": 200.0,
    "s6": 400.0,
    "s7": 800.0,
    "s9": 1600.0,
    "s12": 3000.0,
    "p1": 125.0,
    "p2": 250.0,
    "p4": 500.0,
    "p6": 1000.0,
    "p11": 1750.0,
    "p15": 4000.0,
}
_CACHE: Final = re.compile(r"\b([cpef]\d{1,4})\b")
_CACHE_SIZES: Final = {  # vCPUs and GiB of one node
    "c0": (0.5, 0.25),
    "c1": (1.0, 1.0),
    "c2": (2.0, 2.5),
    "c3": (4.0, 6.0),
    "c4": (2.0, 13.0),
    "c5": (4.0, 26.0),
    "c6": (8.0, 53.0),
    "p1": (2.0, 6.0),
    "p2": (4.0, 13.0),
    "p3": (4.0, 26.0),
    "p4": (8.0, 53.0),
    "p5": (20.0, 120.0),
    "e5": (2.0, 6.0),
    "e10": (4.0, 12.0),
    "e20": (4.0, 25.0),
    "e50": (8.0, 50.0),
    "e100": (16.0, 100.0),
    "e200": (32.0, 200.0),
    "e400": (64.0, 400.0),
}
_DWUS: Final = re.compile(r"\b(\d{2,5}) ?c?dwus?\b")
DWU_GIB: Final = 0.6
"""Memory of one DWU: DW100c has 60 GiB."""
DWU_VCPU: Final = DWU_GIB / 8
"""vCPUs of one DWU are not published; hosts with 8 GiB a vCPU are assumed."""


def _cores(meter: Meter, count: float, gib_each: float, copies: float = 1.0, *marks: Assumption) -> Outcome:
    """Return hours of ``count`` virtual cores with their memory."""
    hours = vcpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "vCore hours")
    parts = (
        Vcpu(count * hours, "x86", memory_apart=True, copies=copies),
        Memory(count * gib_each * hours, copies=copies),
    )
    return by_size(Method.DATABASE, parts, *marks)


def _refused(meter: Meter) -> Outcome | None:
    if meter.has("license", "licence", "hybrid benefit"):
        return refuse(NotEstimatedReason.LICENCE, "database licence; the cores have their own meter")
    if meter.has("zone redundan") and meter.has("vcore"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "price of zone redundancy; the standby is not metered")
    if meter.has("extended support"):
        return refuse(NotEstimatedReason.SURCHARGE, "extended support")
    return None


def _dtus(meter: Meter) -> float | None:
    """Return the DTUs of one metered unit; None where the name does not say."""
    if (match := _DTUS.search(meter.text)) is not None:
        return float(match[1])
    if (match := _TIER.search(meter.text)) is not None:
        return _TIER_DTUS.get(match[1])
    if "basic" in meter.text and "edtu" not in meter.text:
        return _TIER_DTUS["b"]
    return None


def _dtu_demand(meter: Meter) -> Outcome:
    dtus = _dtus(meter)
    if dtus is None:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, f"pool size not named: {meter.name}")
    premium = "premium" in meter.text
    tier = "premium" if premium else "standard"
    per_vcore = meter.factors.coefficient(f"azure_sql_dtu_per_vcore_{tier}").central
    copies = BUSINESS_CRITICAL_REPLICAS if premium else 1.0
    return _cores(meter, dtus / per_vcore, _sql_gib(meter), copies, Assumption.SERVICE_MEDIAN_SIZE)


def _sql_gib(meter: Meter) -> float:
    return meter.factors.coefficient("azure_sql_memory_gb_per_vcore").central


def _vcores(meter: Meter) -> float:
    match = _VCORES.search(meter.text)
    return 1.0 if match is None else float(match[1])


def _replicated(meter: Meter, key: str) -> Outcome:
    """Return stored data on the service's own SSDs with its replicas; backups follow their named redundancy."""
    tb_hours = tb_hours_of(meter.unit, meter.period)
    if tb_hours is None:
        return unknown_unit(meter.sku.consumed_unit, "stored data over time")
    if meter.has("backup", "pitr", "ltr "):
        return stored(meter, tb_hours, "hdd")
    copies = copies_of(meter.factors, key)
    if copies is None:
        return refuse(NotEstimatedReason.NO_FACTOR, f"replication {key}")
    return storage_demand(tb_hours, "ssd", copies[0], *copies[1])


def _held(key: str) -> Rule:
    """Return a rule for data held over time with the replicas of a service."""

    def rule(meter: Meter) -> Outcome | None:
        if tb_hours_of(meter.unit, meter.period) is None or meter.has("dtu"):
            return None
        return _replicated(meter, key)

    return rule


def _held_without_time(meter: Meter) -> Outcome | None:
    if meter.has("data stored", "storage", "backup"):
        return unknown_unit(meter.sku.consumed_unit, "stored data over time")
    return None


def _operations(meter: Meter) -> Outcome | None:
    return REQUESTS if OPERATIONS.search(meter.text) else None


def _sql_cores(meter: Meter) -> Outcome | None:
    if not meter.has("vcore"):
        return None
    copies = BUSINESS_CRITICAL_REPLICAS if meter.has("business critical") else 1.0
    return _cores(meter, _vcores(meter), _sql_gib(meter), copies)


def _sql_units(meter: Meter) -> Outcome | None:
    if meter.has("dtu", "single basic") or _TIER.search(meter.text) is not None:
        return _dtu_demand(meter)
    return None


def sql(meter: Meter) -> Outcome:
    """Rate SQL Database and Managed Instance: vCores, DTUs, serverless and storage."""
    return first_of(meter, (_refused, _held("azure.sql"), _sql_cores, _held_without_time, _sql_units))


def _gib_per_vcore(meter: Meter) -> float:
    if meter.has("flexible"):
        return 8.0 if meter.has("memory optimized", "business critical") else 4.0
    if meter.has("memory optimized"):
        return 10.0
    return 2.0 if meter.has("basic") else 5.0


def _server_cores(meter: Meter) -> Outcome | None:
    return _cores(meter, _vcores(meter), _gib_per_vcore(meter)) if meter.has("vcore") else None


def _server_machine(meter: Meter) -> Outcome | None:
    hours = hours_of(meter.unit, meter.period)
    sizes = sizes_in(meter.name)
    if not sizes or hours is None:
        return None
    part = Machine(sizes[0], hours, service="Azure Database")
    return Demand(Method.DATABASE, (part,), (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,))


def _performance(meter: Meter) -> Outcome | None:
    if meter.has("iops", "throughput"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "performance of storage whose capacity is rated")
    return None


def open_source(meter: Meter) -> Outcome:
    """Rate PostgreSQL, MySQL and MariaDB: vCores or machine sizes, and storage."""
    held = _held("azure.postgresql" if "postgresql" in meter.category else "azure.mysql")
    rules = (_refused, held, _performance, _server_cores, _server_machine, _held_without_time)
    return first_of(meter, (*rules, _operations))


def _cosmos_units(meter: Meter) -> Outcome | None:
    if not meter.has("ru/s", "rus", "throughput", "multi-master", "autoscale"):
        return None
    if meter.has("serverless", "1m rus"):
        return REQUESTS
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "request units")


def _cosmos_cores(meter: Meter) -> Outcome | None:
    return _cores(meter, _vcores(meter), 8.0) if meter.has("vcore") else None


def _machine_if_named(meter: Meter) -> Outcome | None:
    if instance_of(meter)[0] is None or hours_of(meter.unit, meter.period) is None:
        return None
    return machine(meter)


def cosmos(meter: Meter) -> Outcome:
    """Rate Cosmos DB's storage; request units are a promise of throughput, not a capacity that is told."""
    rules = (_held("azure.cosmos"), _cosmos_units, _cosmos_cores, _held_without_time, _machine_if_named, _operations)
    return first_of(meter, rules)


def redis(meter: Meter) -> Outcome:
    """Rate a cache by its size; Standard and Premium keep a replica node unless the meter counts nodes."""
    match = _CACHE.search(meter.text)
    size = None if match is None else _CACHE_SIZES.get(match[1])
    if match is None or size is None:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "cache hours")
    replicas = meter.factors.replication("azure.redis")
    copies = 2.0 if replicas is None else replicas.central
    if "basic" in meter.text or "enterprise" in meter.text:
        copies = 1.0
    vcpu, gib = size
    parts = (Vcpu(vcpu * hours, "x86", memory_apart=True, copies=copies), Memory(gib * hours, copies=copies))
    return by_size(Method.DATABASE, parts, Assumption.NODE_COUNT_DEFAULT)


def synapse(meter: Meter) -> Outcome:
    """Rate warehouse units, Spark and data flow cores, and storage."""
    if tb_hours_of(meter.unit, meter.period) is not None:
        return capacity(meter)
    if meter.has("dwu"):
        match = _DWUS.search(meter.text)
        hours = hours_of(meter.unit, meter.period)
        if hours is None:
            return unknown_unit(meter.sku.consumed_unit, "warehouse unit hours")
        units = 100.0 if match is None else float(match[1])
        parts = (Vcpu(units * DWU_VCPU * hours, "x86", memory_apart=True), Memory(units * DWU_GIB * hours))
        return Demand(Method.SERVICE_MEDIAN, parts, (Assumption.SERVICE_MEDIAN_SIZE,), CoverageBucket.SERVICE_MEDIAN)
    if meter.has("vcore"):
        return _cores(meter, _vcores(meter), 8.0)
    if OPERATIONS.search(meter.text) or meter.has("data processed", "data movement"):
        return REQUESTS
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)


def factory(meter: Meter) -> Outcome:
    """Rate Data Factory: data flow cores and SSIS machines; self-hosted runtimes run at the customer."""
    if meter.has("self hosted", "self-hosted"):
        return refuse(NotEstimatedReason.CUSTOMER_PREMISES, "self-hosted integration runtime")
    if meter.has("vcore") and not meter.has("license"):
        return _cores(meter, _vcores(meter), 8.0)
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return _machine_if_named(meter) or refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
