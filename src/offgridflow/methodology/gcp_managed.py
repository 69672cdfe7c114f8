"""Google's managed services: databases, warehouses, serverless, pipelines, language models."""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.domain.units import Dimension
from offgridflow.methodology import gcp_compute, gcp_storage
from offgridflow.methodology.ai_names import model_of
from offgridflow.methodology.demand import Demand, Machine, Memory, Tokens, Vcpu
from offgridflow.methodology.gcp_text import OPERATIONS, Meter, Outcome, first_of, otherwise
from offgridflow.methodology.generic_parts import (
    CACHED_TOKENS,
    REQUESTS,
    by_size,
    hours_of,
    memory_gib_hours_of,
    no_size,
    refuse,
    size_parts,
    tb_hours_of,
    unknown_unit,
    vcpu_hours_of,
)

_SQL_SIZE: Final = re.compile(r"\b(\d{1,3}) vcpu \+ (\d{1,4}(?:\.\d{1,3})?) ?gb ram")
_MULTI_REGION: Final = re.compile(r"multi-?[ -]?region|dual-region|\b(?:nam|eur|asia)\d")
_MODEL: Final = re.compile(r"\b(gemini|claude|mistral|llama|gemma|codestral)[ -]([\w. -]*)")
_MODEL_WORD: Final = re.compile(r"\d[\d.]*|flash|lite|pro|haiku|sonnet|opus|large|small|medium|nemo")


def operations(meter: Meter) -> Outcome | None:
    """Refuse what is priced by request."""
    return REQUESTS if OPERATIONS.search(meter.text) else None


def _copies(meter: Meter) -> float:
    """Return running replicas: a regional (highly available) instance keeps a standby at twice the price."""
    return 2.0 if meter.has("regional", "high availability", " ha ") else 1.0


def _sql_machine(meter: Meter) -> Outcome | None:
    """Rate SKUs of a whole instance: shared core by its type, predefined by the vCPUs and memory in its name."""
    hours = hours_of(meter.unit, meter.period)
    match = _SQL_SIZE.search(meter.text)
    shared = "f1-micro" if meter.has("micro instance") else "g1-small" if meter.has("small instance") else ""
    if match is None and not shared:
        return None
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "instance hours")
    copies = _copies(meter)
    if match is None:
        part = Machine(shared, hours, copies=copies, service="Cloud SQL")
        return Demand(Method.DATABASE, (part,), (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,))
    vcpu, gib = float(match[1]), float(match[2])
    parts = (Vcpu(vcpu * hours, memory_apart=True, copies=copies), Memory(gib * hours, copies=copies))
    return by_size(Method.DATABASE, parts, Assumption.INSTANCE_TYPE_FROM_DESCRIPTION)


def _sql_storage(meter: Meter) -> Outcome | None:
    if meter.has("backup"):
        return gcp_storage.held(meter, "gcp.gcs", "hdd", Assumption.STORAGE_MEDIUM_DEFAULT)
    if not meter.has("storage", "data cache") and tb_hours_of(meter.unit, meter.period) is None:
        return None
    if meter.has("ram", "memory"):
        return None
    medium = "hdd" if meter.has("low cost", "hdd") else "ssd"
    return gcp_storage.held(meter, "gcp.sql_regional" if _copies(meter) > 1 else "gcp.sql", medium)


def _sql_parts(meter: Meter) -> Outcome | None:
    if meter.has("ram", "memory"):
        return gcp_compute.memory(meter, _copies(meter), Method.DATABASE)
    if meter.has("vcpu", "core", "cpu"):
        return gcp_compute.cores(meter, _copies(meter), Method.DATABASE)
    return None


def sql(meter: Meter) -> Outcome:
    """Rate Cloud SQL and AlloyDB; a regional instance runs twice."""
    rules = (gcp_compute.never_rated, gcp_storage.appliances, gcp_storage.transfers, _sql_machine, _sql_storage)
    return first_of(meter, (*rules, _sql_parts, operations)) or otherwise(meter)


def spanner(meter: Meter) -> Outcome:
    """Rate Spanner's storage with its replicas, and nodes by the service's median."""
    if tb_hours_of(meter.unit, meter.period) is not None:
        if meter.has("backup"):
            return gcp_storage.held(meter, "gcp.gcs", "hdd", Assumption.STORAGE_MEDIUM_DEFAULT)
        place = f"{meter.text} {meter.sku.region_id or ''}".lower()
        spread = _MULTI_REGION.search(place) is not None
        return gcp_storage.held(meter, "gcp.spanner_multi_region" if spread else "gcp.spanner", "ssd")
    if meter.has("node", "compute capacity"):
        return gcp_compute.service_median(meter, "Cloud Spanner")
    return first_of(meter, (gcp_storage.transfers, operations)) or otherwise(meter)


def cluster_database(meter: Meter) -> Outcome:
    """Rate Bigtable and Firestore: storage by its unit, nodes by the median, reads and writes by request."""
    if tb_hours_of(meter.unit, meter.period) is not None:
        return gcp_storage.held(meter, "gcp.spanner", "hdd" if meter.has("hdd") else "ssd")
    if meter.has("node"):
        return gcp_compute.service_median(meter, "Cloud Bigtable")
    return first_of(meter, (gcp_storage.transfers, operations)) or otherwise(meter)


def cache(meter: Meter) -> Outcome:
    """Rate Memorystore by its memory; the standard tier keeps a replica, unless the SKU counts the nodes."""
    if meter.has("backup", "persistence", "snapshot"):
        return gcp_storage.held(meter, "gcp.gcs", "hdd", Assumption.STORAGE_MEDIUM_DEFAULT)
    if meter.has("capacity") or tb_hours_of(meter.unit, meter.period) is not None:
        gib_hours = memory_gib_hours_of(meter.unit, meter.period)
        if gib_hours is None:
            return unknown_unit(meter.sku.consumed_unit, "memory over time")
        if meter.has("node capacity"):
            return by_size(Method.DATABASE, (Memory(gib_hours),))
        copies = 2.0 if meter.has("standard") else 1.0
        return by_size(Method.DATABASE, (Memory(gib_hours, copies=copies),), Assumption.NODE_COUNT_DEFAULT)
    if meter.has("node"):
        return gcp_compute.service_median(meter, "Memorystore")
    return first_of(meter, (_cache_cores, gcp_storage.transfers)) or otherwise(meter)


def _cache_cores(meter: Meter) -> Outcome | None:
    """Rate the cores of a cache on an unknown host: its M1 to M5 are tiers of capacity, not machine series."""
    if not meter.has("core"):
        return None
    hours = vcpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "core time")
    return by_size(Method.DATABASE, (Vcpu(hours, memory_apart=True),))


def warehouse(meter: Meter) -> Outcome:
    """Rate BigQuery: storage, and slots, which are virtual CPUs; bytes analysed are priced by request."""
    if meter.has("attribution"):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, "slots are counted at their reservation")
    if meter.has("bi engine"):
        return gcp_compute.memory(meter)
    if meter.has("slot", "edition", "flat rate", "reservation"):
        hours = vcpu_hours_of(meter.unit, meter.period)
        if hours is None:
            return unknown_unit(meter.sku.consumed_unit, "slot time")
        vcpu = meter.factors.coefficient("bigquery_slot_vcpu").central
        return by_size(Method.VCPU, (Vcpu(vcpu * hours),))
    if meter.has("storage") and not meter.has("api", "read", "write"):
        return gcp_storage.held(meter, "gcp.gcs", "hdd", Assumption.STORAGE_MEDIUM_DEFAULT)
    return first_of(meter, (gcp_storage.transfers, operations)) or otherwise(meter)


def kubernetes(meter: Meter) -> Outcome:
    """Rate Autopilot pods; a cluster fee is no machine, and nodes have their own SKUs."""
    if meter.has("autopilot") and not meter.has("premium", "management", "clusters"):
        rules = (_pod_storage, gcp_compute.cores_and_memory, gcp_compute.gpu)  # a GPU pod has cores and memory too
        return first_of(meter, rules) or otherwise(meter)
    if meter.has("on-prem", "bare metal", "vmware", "distributed"):
        return refuse(NotEstimatedReason.CUSTOMER_PREMISES, "runs at the customer: its own scope 2")
    return refuse(NotEstimatedReason.SURCHARGE, "fee on clusters whose nodes have their own SKUs")


def _pod_storage(meter: Meter) -> Outcome | None:
    if meter.has("local ssd"):
        return gcp_storage.held(meter, "gcp.local_ssd", "ssd")
    return gcp_storage.held(meter, "gcp.pd", "ssd") if meter.has("storage") else None


def _ghz_time(meter: Meter) -> Outcome | None:
    """Rate CPU time of first-generation functions; that of the second is in vCPU-seconds, as Cloud Run's."""
    if not meter.has("cpu time") or meter.has("2nd gen"):
        return None
    if meter.unit is not None and meter.unit.dimension is Dimension.GHZ_HOURS:
        hours: float | None = meter.unit.multiplier
    else:
        hours = vcpu_hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "CPU time")
    ghz = meter.factors.coefficient("gcp_functions_ghz_per_vcpu").central
    return Demand(Method.SERVERLESS, (Vcpu(hours / ghz, memory_apart=True),))


def _serverless_parts(meter: Meter) -> Outcome | None:
    if meter.has("memory", " ram"):
        return gcp_compute.memory(meter, method=Method.SERVERLESS)
    if meter.has("cpu", "core"):
        return gcp_compute.cores(meter, method=Method.SERVERLESS)
    return None


def _frontend(meter: Meter) -> Outcome | None:
    if not meter.has("frontend instance", "backend instance"):
        return None
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "instance hours")
    parts = size_parts(meter.factors, "gcp.app_engine.frontend", hours)
    if parts is None:
        return no_size("gcp.app_engine.frontend")
    return Demand(Method.SERVICE_MEDIAN, parts, (Assumption.SERVICE_MEDIAN_SIZE,), CoverageBucket.SERVICE_MEDIAN)


def serverless(meter: Meter) -> Outcome:
    """Rate Cloud Run and App Engine: core time, memory time, GPU time and instance hours."""
    rules = (gcp_storage.transfers, _frontend, gcp_compute.gpu, _serverless_parts, operations, gcp_storage.at_rest)
    return first_of(meter, rules) or otherwise(meter)


def functions(meter: Meter) -> Outcome:
    """Rate Cloud Functions; the first generation's CPU time is in GHz-seconds."""
    rules = (gcp_storage.transfers, _ghz_time, _serverless_parts, operations)
    return first_of(meter, rules) or otherwise(meter)


def pipelines(meter: Meter) -> Outcome:
    """Rate Dataflow and Dataproc Serverless workers; shuffle and streaming units are priced by volume."""
    if meter.has("dcu", "data compute unit"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    if meter.has("licensing fee"):
        return refuse(NotEstimatedReason.SURCHARGE, "fee on machines that have their own SKUs")
    if meter.has("local disk", "local storage", "shuffle storage"):
        return gcp_storage.held(meter, "gcp.pd", "ssd" if meter.has("ssd") else "hdd")
    return first_of(meter, (gcp_compute.gpu, gcp_compute.cores_and_memory, operations)) or otherwise(meter)


def composer(meter: Meter) -> Outcome:
    """Rate Composer's own compute and storage; the environment fee covers machines of a size that is assumed."""
    if meter.has("environment fee", "small environment", "medium environment", "large environment"):
        hours = hours_of(meter.unit, meter.period)
        if hours is None:
            return unknown_unit(meter.sku.consumed_unit, "environment hours")
        vcpu = meter.factors.coefficient("cloud_composer_environment_vcpu_default").central
        return Demand(
            Method.SERVICE_MEDIAN,
            (Vcpu(vcpu * hours),),
            (Assumption.SERVICE_MEDIAN_SIZE,),
            CoverageBucket.SERVICE_MEDIAN,
        )
    rules = (gcp_storage.transfers, gcp_compute.cores_and_memory, gcp_storage.at_rest)
    return first_of(meter, rules) or otherwise(meter)


def file_shares(meter: Meter) -> Outcome:
    """Rate Filestore and other file systems by provisioned capacity."""
    medium = "hdd" if meter.has("hdd", "standard", "basic") and not meter.has("ssd") else "ssd"
    if meter.has("backup", "snapshot"):
        medium = "hdd"
    return first_of(meter, (gcp_storage.transfers,)) or gcp_storage.held(meter, "gcp.filestore", medium)


def learning(meter: Meter) -> Outcome:
    """Rate Vertex AI: machines of training and prediction, and tokens or characters of language models."""
    rules = (gcp_compute.never_rated, _language_model, gcp_compute.tpu, gcp_compute.gpu, gcp_compute.cores_and_memory)
    return first_of(meter, (*rules, gcp_storage.disks, gcp_storage.at_rest, operations)) or otherwise(meter)


def _language_model(meter: Meter) -> Outcome | None:
    if meter.has("provisioned throughput", "gsu"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "provisioned throughput")
    match = _MODEL.search(meter.text)
    if match is None:
        return None
    if meter.has("storage"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "a cache holds tokens over time; none is computed")
    model = model_of(meter.text) or _named(meter, match)
    tokens = _token_count(meter)
    if tokens is None:
        return unknown_unit(meter.sku.consumed_unit, "tokens or characters")
    if meter.factors.ai_model("gcp", model) is None:
        return refuse(NotEstimatedReason.UNKNOWN_AI_MODEL, model)
    return _tokens(meter, model, *tokens)


def _named(meter: Meter, match: re.Match[str]) -> str:
    """Return the model by the words of its name; one that is a preview may be called so only by the factor set."""
    plain = "-".join([match[1], *_MODEL_WORD.findall(match[2])])
    preview = f"{plain}-preview"
    is_preview = meter.factors.ai_model("gcp", plain) is None and meter.factors.ai_model("gcp", preview) is not None
    return preview if is_preview else plain


def _tokens(meter: Meter, model: str, count: float, marks: tuple[Assumption, ...]) -> Outcome:
    if meter.has("cach"):
        return CACHED_TOKENS
    if meter.has("output", "response"):
        return Demand(Method.AI_TOKENS, (Tokens(model, 0.0, count),), marks)
    if meter.has("input", "prompt"):
        return Demand(Method.AI_TOKENS, (Tokens(model, count, 0.0),), marks)
    return refuse(NotEstimatedReason.UNKNOWN_METER, f"input or output is not told: {meter.name}")


def _token_count(meter: Meter) -> tuple[float, tuple[Assumption, ...]] | None:
    """Return tokens per unit; characters are turned into tokens by the factor set's ratio."""
    unit = meter.unit
    if unit is None:
        return None
    if unit.dimension is Dimension.CHARACTERS or (unit.dimension is Dimension.COUNT and meter.has("character")):
        each = meter.factors.coefficient("ai_characters_per_token").central
        return unit.multiplier / each, (Assumption.TOKENS_PER_CHARACTER,)
    if unit.dimension in {Dimension.TOKENS, Dimension.COUNT}:
        return unit.multiplier, ()
    return None
