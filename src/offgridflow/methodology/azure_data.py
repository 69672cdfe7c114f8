"""Azure databases, caches, warehouses: cores and memory by tier, storage with its replicas.

Memory and DTUs per vCore, and the sizes of caches, servers and warehouse units, are the factor set's.
"""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.domain.trace import Constant, TermKind
from offgridflow.methodology.azure_storage import capacity, stored
from offgridflow.methodology.azure_text import OPERATIONS, Meter, Outcome, Rule, first_of
from offgridflow.methodology.azure_vm import instance_of, machine, sizes_in
from offgridflow.methodology.demand import Demand, Machine, Memory, Vcpu
from offgridflow.methodology.generic_parts import (
    REQUESTS,
    by_size,
    copies_of,
    hours_of,
    no_size,
    parts_of_size,
    refuse,
    size_parts,
    storage_demand,
    tb_hours_of,
    unknown_unit,
    vcpu_hours_of,
)

BUSINESS_CRITICAL_REPLICAS: Final = Constant(4.0, "replicas of the business-critical tier", TermKind.METHOD)

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
_DWUS: Final = re.compile(r"\b(\d{2,5}) ?c?dwus?\b")


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
    return _cores(meter, dtus / per_vcore, _sql_gib(meter), copies, Assumption.ACU_SIZE)


def _sql_gib(meter: Meter) -> float:
    return meter.factors.coefficient("azure_sql_memory_gb_per_vcore").central


def _vcores(meter: Meter) -> float:
    match = _VCORES.search(meter.text)
    return 1.0 if match is None else float(match[1])


def _replicated(meter: Meter, tb_hours: float, key: str) -> Outcome:
    """Return stored data on the service's own SSDs with its replicas; backups follow their named redundancy."""
    if meter.has("backup", "pitr", "ltr "):
        return stored(meter, tb_hours, "hdd")
    copies = copies_of(meter.factors, key)
    if copies is None:
        return refuse(NotEstimatedReason.NO_FACTOR, f"replication {key}")
    return storage_demand(tb_hours, "ssd", copies[0], *copies[1])


def _held(key: str) -> Rule:
    """Return a rule for data held over time with the replicas of a service."""

    def rule(meter: Meter) -> Outcome | None:
        tb_hours = tb_hours_of(meter.unit, meter.period)
        return None if tb_hours is None else _replicated(meter, tb_hours, key)

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


def _cluster_vcore(meter: Meter) -> str:
    """Return the vCore of a cluster: 8 GiB; a coordinator of Cosmos DB for PostgreSQL has 4, as a flexible server."""
    return "azure.flexible.general" if meter.has("coordinator") else "azure.spark_vcore"


def _server_vcore(meter: Meter) -> str:
    if meter.has("cosmos db for postgresql"):  # billed in the category of the flexible servers
        return _cluster_vcore(meter)
    if meter.has("flexible"):
        large = meter.has("memory optimized", "business critical")
        return "azure.flexible.memory" if large else "azure.flexible.general"
    if meter.has("memory optimized"):
        return "azure.single.memory"
    return "azure.single.basic" if meter.has("basic") else "azure.single.general"


def _vcores_of(meter: Meter, key: str) -> Outcome:
    """Return hours of the virtual cores that the meter names, with the memory of one as the factor set has it."""
    size = meter.factors.size(key)
    return no_size(key) if size is None else _cores(meter, _vcores(meter), size.memory_gib)


def _server_cores(meter: Meter) -> Outcome | None:
    return _vcores_of(meter, _server_vcore(meter)) if meter.has("vcore") else None


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
    held = _held("azure.postgresql" if "postgresql" in f"{meter.category} {meter.text}" else "azure.mysql")
    rules = (_refused, held, _performance, _server_cores, _server_machine)
    return first_of(meter, (*rules, _operations, _held_without_time))


def _cosmos_units(meter: Meter) -> Outcome | None:
    if not meter.has("ru/s", "rus", "throughput", "multi-master", "autoscale"):
        return None
    if meter.has("serverless", "1m rus"):
        return REQUESTS
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "request units")


def _cluster_cores(meter: Meter) -> Outcome | None:
    return _vcores_of(meter, _cluster_vcore(meter)) if meter.has("vcore") else None


def _machine_if_named(meter: Meter) -> Outcome | None:
    if instance_of(meter)[0] is None or hours_of(meter.unit, meter.period) is None:
        return None
    return machine(meter)


def cosmos(meter: Meter) -> Outcome:
    """Rate Cosmos DB's storage; request units are a promise of throughput, not a capacity that is told."""
    rules = (_held("azure.cosmos"), _cosmos_units, _cluster_cores, _operations, _held_without_time, _machine_if_named)
    return first_of(meter, rules)


def redis(meter: Meter) -> Outcome:
    """Rate a cache by its size: ``C1 Cache`` of Standard and Premium is two nodes, ``C1 Cache Instance`` is one."""
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "cache hours")
    match = _CACHE.search(meter.text)
    size = None if match is None else meter.factors.size(f"azure.redis.{match[1]}")
    nodes = _cache_nodes(meter)
    if size is None or nodes is None:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    marks = () if meter.has("cache instance") else (Assumption.NODE_COUNT_DEFAULT,)
    return by_size(Method.DATABASE, parts_of_size(size, hours, "x86", nodes), *marks)


def _cache_nodes(meter: Meter) -> float | None:
    if meter.has("cache instance", "basic", "enterprise"):
        return 1.0
    found = meter.factors.replication("azure.redis")
    return None if found is None else found.central


def _warehouse_units(meter: Meter) -> Outcome | None:
    match = _DWUS.search(meter.text)
    if match is None:
        return None
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "warehouse unit hours")
    parts = size_parts(meter.factors, "azure.synapse.dwu", float(match[1]) * hours, "x86")
    if parts is None:
        return no_size("azure.synapse.dwu")
    return Demand(Method.SERVICE_MEDIAN, parts, (Assumption.SERVICE_MEDIAN_SIZE,), CoverageBucket.SERVICE_MEDIAN)


def _moved_or_pooled(meter: Meter) -> Outcome:
    if meter.has("data processed"):
        return REQUESTS
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)


def synapse(meter: Meter) -> Outcome:
    """Rate warehouse units, Spark and data flow cores, and storage."""
    if tb_hours_of(meter.unit, meter.period) is not None:
        return capacity(meter)
    return first_of(meter, (_self_hosted, _warehouse_units, _cluster_cores, _operations, _moved_or_pooled))


def _self_hosted(meter: Meter) -> Outcome | None:
    if meter.has("self hosted", "self-hosted"):
        return refuse(NotEstimatedReason.CUSTOMER_PREMISES, "self-hosted integration runtime")
    return None


def factory(meter: Meter) -> Outcome:
    """Rate Data Factory: data flow cores and SSIS machines; self-hosted runtimes run at the customer."""
    return first_of(meter, (_self_hosted, _cluster_cores, _operations, _machine_if_named, _moved_or_pooled))
