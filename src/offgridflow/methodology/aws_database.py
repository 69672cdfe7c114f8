"""Managed databases, caches, warehouses, search, streams of AWS that run on catalogue machines.

A Multi-AZ instance runs twice, a Multi-AZ cluster with readable standbys three times, though the bill counts its hours
once. Storage of a Multi-AZ deployment is billed once too and stored in both zones.
"""

import re
from dataclasses import replace
from typing import Final

from offgridflow.domain.reasons import Assumption, Method
from offgridflow.domain.trace import Constant, TermKind
from offgridflow.methodology.aws_compute import TYPE, credits_used
from offgridflow.methodology.aws_parts import (
    PROVIDER,
    Handler,
    Outcome,
    Reading,
    bad_unit,
    gib_hours,
    machine,
    machine_hours,
    not_metered,
    not_physical,
    requests,
    rules,
    sized,
    spelled,
    stored,
    surcharge,
)
from offgridflow.methodology.demand import Demand, Machine, Memory, NotRated, Vcpu

_STANDBY: Final = Constant(2.0, "copies that run: primary and standby", TermKind.METHOD)
_CLUSTER: Final = Constant(3.0, "copies that run: a cluster of three", TermKind.METHOD)
_CLASS: Final = rf"(?:db\.)?{TYPE}"


_MORE_MEMORY: Final = re.compile(r"\.mem([2-8])x\b", re.IGNORECASE)


def _database(reading: Reading, name: str, copies: float) -> Outcome:
    """Return a database machine; classes such as ``r5b.8xlarge.tpc2.mem4x`` have so many times its memory."""
    outcome = machine(reading, name, Method.DATABASE, copies)
    times = _MORE_MEMORY.search(reading.meter)
    plain = reading.factors.machine(PROVIDER, spelled(name))
    hours = machine_hours(reading)
    if times is None or plain is None or hours is None or isinstance(outcome, NotRated):
        return outcome
    more = Memory((float(times[1]) - 1) * plain.memory_gib * hours, copies)
    return replace(outcome, components=(*outcome.components, more))


def _node(copies: float) -> Handler:
    def handle(reading: Reading, match: re.Match[str]) -> Outcome:
        return _database(reading, match["type"], copies)

    return handle


def _instance(reading: Reading, match: re.Match[str]) -> Outcome:
    """A usage type that does not say Multi-AZ, unless the deployment column does."""
    deployment = (reading.sku.attributes.deployment or "").lower()
    copies = 1.0
    if "readable standbys" in deployment:
        copies = _CLUSTER
    elif "multi-az" in deployment:
        copies = _STANDBY
    return _database(reading, match["type"], copies)


def _acu(reading: Reading, _match: re.Match[str]) -> Outcome:
    """An Aurora capacity unit: so many vCPUs and GB by the coefficients (1 ACU is about 2 GB)."""
    hours = machine_hours(reading)
    if hours is None:
        return bad_unit(reading, "capacity unit hours")
    vcpu = reading.factors.coefficient("aurora_acu_vcpu").central
    gib = reading.factors.coefficient("aurora_acu_memory_gb").central
    parts = (Vcpu(vcpu * hours, None, memory_apart=True), Memory(gib * hours))
    return sized(Method.SERVERLESS, parts, Assumption.ACU_SIZE)


_PERFORMANCE: Final = not_metered("performance of storage that its size already counts")
_BACKUP: Final = stored("hdd", "aws.backup")

RDS: Final = rules(
    (r"ExtendedSupport", surcharge("extended support")),
    (rf"Multi-AZCluster\w*:{_CLASS}", _node(_CLUSTER)),
    (rf"(?:Multi-AZ|Mirror)\w*:{_CLASS}", _node(_STANDBY)),
    (r"CPUCredits:(?:db\.)?(?P<family>[a-z0-9-]+)", credits_used),
    (rf"(?:Instance|NodeUsage|BoxUsage)\w*:{_CLASS}", _instance),
    (r"ServerlessV?\d?\w*Usage|ACU", _acu),
    (r"HeavyUsage", not_physical("fee of a commitment")),
    (r"Aurora:(?:IO-Optimized)?StorageUsage|Aurora.*StorageUsage", stored("ssd", "aws.aurora")),
    (r"StorageIO|ReplicatedWrite|IOUsage|Backtrack|IO-Requests", requests),
    (r"Aurora:BackupUsage|BackupUsage|SnapshotStorage", _BACKUP),
    (r"Multi-AZCluster.*(?:GP\d|PIOPS|IO2)-?Storage", stored("ssd", "aws.rds", times=_CLUSTER)),
    (r"(?:Multi-AZ|Mirror).*(?:GP\d|PIOPS|IO2)-Storage", stored("ssd", "aws.rds_multi_az")),
    (r"(?:GP\d|PIOPS|IO2)-Storage", stored("ssd", "aws.rds")),
    (r"(?:Multi-AZ|Mirror).*StorageUsage", stored("hdd", "aws.rds_multi_az")),
    (r"StorageUsage", stored("hdd", "aws.rds")),
    (r"PIOPS|Throughput", _PERFORMANCE),
    (r"Proxy", not_metered("proxy capacity")),
    (r"PI_?(?:LTR|API)|PerformanceInsights|DatabaseInsights", not_metered("performance history")),
    (r"Snapshot(?:Export)|Export", not_metered("data exported")),
    (r"ZeroETL|BlueGreen", not_metered("change data")),
)

DOCUMENT_DB: Final = rules(
    (r"ExtendedSupport", surcharge("extended support")),
    (r"CPUCredits:(?:db\.)?(?P<family>[a-z0-9-]+)", credits_used),
    (rf"(?:Instance|Node|Box)\w*:{_CLASS}", _node(1)),
    (r"ServerlessUsage|NCU|DCU|Serverless\w*Usage", _acu),
    (r"BackupUsage|SnapshotStorage", _BACKUP),
    (r"StorageIO|IOUsage|Requests", requests),
    (r"Storage\w*Usage|Storage", stored("ssd", "aws.documentdb")),
    (r"vCPU|Elastic", not_metered("elastic cluster shards")),
)
"""DocumentDB and Neptune keep six copies in three zones."""

DYNAMO_DB: Final = rules(
    (r"(?:Write|Read)CapacityUnit-?Hrs", not_metered("provisioned capacity units")),
    (r"RequestUnits|Requests|ChangeDataCapture|Streams", requests),
    (rf"dax\.{TYPE}", _node(1)),
    (r"Backup.*ByteHrs|PITR.*ByteHrs", _BACKUP),
    (r"TimedStorage|ByteHrs", stored("ssd", "aws.dynamodb")),
    (r"Restore|Export|Import", not_metered("data restored, exported or imported")),
)


def _in_memory(reading: Reading, _match: re.Match[str]) -> Outcome:
    """Serverless caches meter GB-hours held in memory, in two zones."""
    hours = gib_hours(reading)
    if hours is None:
        return bad_unit(reading, "memory over time")
    return sized(Method.MEMORY, (Memory(hours, _STANDBY),), Assumption.NODE_COUNT_DEFAULT)


TIMESTREAM: Final = rules(
    (r"MemoryStore", _in_memory),
    (r"MagneticStore|Storage", stored("hdd", "aws.s3", Assumption.STORAGE_MEDIUM_DEFAULT)),
    (r"DataIngestion|DataWritten|Writes|DataScanned|Query|TCU", not_metered("data written and queried")),
    (rf"db\.(?:influx\.)?{TYPE}", not_metered("an InfluxDB instance without a published machine")),
)

CACHE: Final = rules(
    (rf"cache\.{TYPE}", _node(1)),
    (rf"NodeUsage:(?:db\.)?{TYPE}", _node(1)),
    (r"ExtendedSupport", surcharge("extended support")),
    (r"CachedData", _in_memory),
    (r"ProcessingUnits|ECPU", requests),
    (r"BackupUsage|SnapshotUsage|Snapshot", stored("hdd", "aws.elasticache_backup")),
    (r"DataWritten", not_metered("data written")),
)


def _sized_node(service: str) -> Handler:
    """Return a handler for node hours: the catalogue's machine, else the size of the factor set, else the bill's."""

    def handle(reading: Reading, match: re.Match[str]) -> Outcome:
        name = match["type"].lower()
        hours = machine_hours(reading)
        if hours is None:
            return bad_unit(reading, "node hours")
        known = reading.sku.attributes
        own = None if reading.factors.machine("aws", name) else reading.factors.size(f"aws.{service}.{name}")
        vcpu, gib = (known.vcpu, known.memory_gib) if own is None else (own.vcpu, own.memory_gib)
        return Demand(Method.DATABASE, (Machine(name, hours, 1.0, vcpu, gib, reading.service),))

    return handle


REDSHIFT: Final = rules(
    (r"ExtendedSupport", surcharge("extended support")),
    (rf"(?:^|:|-)(?:Node|CS|MultiAZNode|Multi-AZ)\w*:{TYPE}", _sized_node("redshift")),
    (r"Serverless\w*Usage|RPU", not_metered("processing units; AWS publishes their memory, not their vCPUs")),
    (r"RMS|ManagedStorage", stored("ssd", "aws.s3", Assumption.STORAGE_MEDIUM_DEFAULT)),
    (r"Snapshot|Backup", _BACKUP),
    (r"DataScanned|Spectrum|ML", not_metered("data scanned")),
)

OPEN_SEARCH: Final = rules(
    (r"ExtendedSupport", surcharge("extended support")),
    (r"(?P<type>[a-z][a-z0-9-]*\.[a-z0-9]+)(?:\.search|\.elasticsearch)", _sized_node("opensearch")),
    (rf"(?:ESInstance|Instance|HeavyUsage|UltraWarm|Box)\w*:{TYPE}", _sized_node("opensearch")),
    (r"OCU", not_metered("compute units; AWS publishes their memory, not their vCPUs")),
    (r"PIOPS-?Storage|GP\d-?Storage|SSD-?Storage", stored("ssd", "aws.ebs")),
    (r"Magnetic-?Storage", stored("hdd", "aws.ebs")),
    (r"ManagedStorage|Managed-?Storage|S3|UltraWarm|ColdStorage", stored("hdd", "aws.s3")),
    (r"PIOPS|Throughput|IOPS", _PERFORMANCE),
    (r"Storage", stored("ssd", "aws.ebs", Assumption.STORAGE_MEDIUM_DEFAULT)),
)

KAFKA: Final = rules(
    (r"(?:Kafka|Express)\.(?:Express\.)?(?P<type>[a-z]\d[a-z0-9-]*\.[a-z0-9]+)", _node(1)),
    (r"Tiered", stored("hdd", "aws.s3")),
    (r"Throughput", _PERFORMANCE),
    (r"Storage", stored("ssd", "aws.ebs")),
    (
        r"mcu|Cluster-?Hours|Partition|Connector|Serverless|Replicator",
        not_metered("cluster or worker hours"),
    ),
    (r"Bytes|Data", not_metered("data taken in or read")),
)

MQ: Final = rules(
    (r"(?:Multi-?AZ|Active.?Standby)\w*[:.-].*?mq\.(?P<type>[a-z0-9]+\.[a-z0-9]+)", _node(_STANDBY)),
    (r"Cluster\w*[:.-].*?mq\.(?P<type>[a-z0-9]+\.[a-z0-9]+)", _node(_CLUSTER)),
    (r"mq\.(?P<type>[a-z0-9]+\.[a-z0-9]+)", _instance),
    (r"EBS|VolumeUsage", stored("ssd", "aws.ebs")),
    (r"Storage|ByteHrs", stored("ssd", "aws.efs")),
)

KINESIS: Final = rules(
    (
        r"ByteHrs|LongTermRetention.*Storage",
        stored("ssd", "aws.s3", Assumption.STORAGE_MEDIUM_DEFAULT, Assumption.REPLICATION_DEFAULT),
    ),
    (r"Shard|StreamHour|Stream-Hour|EnhancedFanout.*Hour|ConsumerHour", not_metered("shard and stream hours")),
    (r"PutRequest|Payload|Requests", requests),
    (r"Bytes|BilledIn|BilledOut|Data", not_metered("data taken in or read")),
)
