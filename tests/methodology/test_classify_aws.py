"""AWS usage types become demands or reasons: the faults of other tools, a broad table, properties."""

from dataclasses import astuple
from math import isfinite
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.methodology.aws import classify
from offgridflow.methodology.demand import Demand, Machine, Memory, NotRated, Storage, Tokens, Transfer, Vcpu
from support.few_factors import few_factors, machine_type, shipped
from support.outcomes import demand_of

if TYPE_CHECKING:
    from collections.abc import Callable

R = NotEstimatedReason
JUNE = Month(2024, 6)
FEBRUARY = Month(2023, 2)
_COPIES = {"s3": 3, "s3_one_zone": 2, "ebs": 2, "ebs_snapshot": 3, "rds": 2, "rds_multi_az": 4, "aurora": 6}
_COPIES |= {"documentdb": 6, "dynamodb": 3, "efs": 3, "efs_one_zone": 2, "backup": 3, "ecr": 3, "fsx": 2}
_COPIES |= {"elasticache_backup": 3, "default": 2}

FACTORS = few_factors(
    copies={f"aws.{key}": Span.exactly(copies) for key, copies in _COPIES.items()},
    coefficients={"lambda_mb_per_vcpu": 1769.0, "aurora_acu_vcpu": 0.25, "aurora_acu_memory_gb": 2.0},
    machines=shipped().machine,
    families={
        ("aws", "m5"): (
            machine_type(("aws", "m5.large"), 2, "Cascade Lake"),
            machine_type(("aws", "m5.metal"), 96, "Cascade Lake", whole=True),
        ),
        ("aws", "t3"): (machine_type(("aws", "t3.micro"), 2, "Skylake"),),
        ("aws", "t4g"): (machine_type(("aws", "t4g.micro"), 2, "Graviton2"),),
    },
    models=lambda _provider, model: bool(model) and "405B" not in model,
)


def read(
    service: str | None,
    meter: str | None,
    unit: str | None,
    attributes: SkuAttributes | None = None,
    *,
    period: Month = JUNE,
    name: str | None = None,
    description: str | None = None,
) -> Demand | NotRated:
    known = attributes or SkuAttributes()
    sku = Sku("aws", name, service, None, meter, None, unit, "us-east-1", description, known)
    return classify(sku, period, FACTORS)


def rated(*args: object, **more: object) -> Demand:
    outcome = cast("Callable[..., Demand | NotRated]", read)(*args, **more)
    assert isinstance(outcome, Demand), outcome
    return outcome


def reason(*args: object, **more: object) -> NotEstimatedReason:
    outcome = cast("Callable[..., Demand | NotRated]", read)(*args, **more)
    assert isinstance(outcome, NotRated), outcome
    assert outcome.detail
    return outcome.reason


def only_storage(demand: Demand) -> Storage:
    (part,) = demand.components
    assert isinstance(part, Storage)
    return part


@pytest.mark.parametrize(
    "meter",
    ["BoxUsage:m5.large", "USW2-BoxUsage:m5.large", "EU-SpotUsage:m5.large", "APN1-DedicatedUsage:m5.large"],
)
@pytest.mark.parametrize("pricing", [None, "OnDemand", "Reserved", "SavingsPlan"])
def test_one_machine_has_one_demand_whatever_it_costs(meter: str, pricing: str | None) -> None:
    """Law: on-demand, spot, dedicated, reserved and savings-plan usage of a machine ask for the same machine."""
    found = rated("AmazonEC2", meter, "Hrs", SkuAttributes(instance_type="m5.large", vcpu=2, pricing_model=pricing))
    assert found == Demand(Method.INSTANCE, (Machine("m5.large", 1.0, 1.0, 2, None, "AmazonEC2"),))


def test_multi_az_database_counts_twice_and_cluster_three_times() -> None:
    """Law: the bill counts the hours of a Multi-AZ database once, the hardware runs two or three times."""
    copies = {}
    for meter in ("InstanceUsage", "Multi-AZUsage", "Multi-AZClusterUsage"):
        (part,) = rated("AmazonRDS", f"EU-{meter}:db.m5.large", "Hrs").components
        assert isinstance(part, Machine)
        assert (part.instance_type, part.hours) == ("m5.large", 1.0)
        copies[meter] = part.copies
    assert copies == {"InstanceUsage": 1, "Multi-AZUsage": 2, "Multi-AZClusterUsage": 3}
    standbys = SkuAttributes(deployment="Multi-AZ (readable standbys)")
    (three,) = rated("AmazonRDS", "InstanceUsage:db.m5.large", "Hrs", standbys).components
    assert isinstance(three, Machine)
    assert three.copies == 3
    (by_column,) = rated(
        "AmazonRDS", "InstanceUsage:db.m5.large", "Hrs", SkuAttributes(deployment="Multi-AZ")
    ).components
    assert isinstance(by_column, Machine)
    assert by_column.copies == 2


def test_multi_az_storage_is_stored_in_both_zones() -> None:
    """Law: provisioned storage of a Multi-AZ database keeps twice the copies of a single one; Aurora keeps six."""
    single = only_storage(rated("AmazonRDS", "RDS:GP3-Storage", "GB-Mo"))
    double = only_storage(rated("AmazonRDS", "RDS:Multi-AZ-GP3-Storage", "GB-Mo"))
    cluster = only_storage(rated("AmazonRDS", "RDS:Multi-AZCluster-GP3-Storage", "GB-Mo"))
    aurora = only_storage(rated("AmazonRDS", "Aurora:StorageUsage", "GB-Mo"))
    assert [part.copies.central for part in (single, double, cluster, aurora)] == [2, 4, 6, 6]
    assert single.medium == aurora.medium == "ssd"
    assert only_storage(rated("AmazonRDS", "RDS:Multi-AZ-StorageUsage", "GB-Mo")).medium == "hdd"


def test_fargate_ephemeral_storage_is_not_memory() -> None:
    """Law: GB-hours of ephemeral storage ask for a disk; GB-hours of a task ask for memory."""
    disk = rated("AmazonECS", "USW2-Fargate-EphemeralStorage-GB-Hours", "GB-Hours")
    assert only_storage(disk) == Storage(1.073741824 / 1000, "ssd", Span.exactly(1))
    assert rated("AmazonECS", "USW2-Fargate-GB-Hours", "hours").components == (Memory(1.0),)
    assert rated("AmazonECS", "USW2-Fargate-GB-Hours", "GB-Hours").components == (Memory(1.0),)


@pytest.mark.parametrize(
    ("meter", "processor"),
    [
        ("Fargate-vCPU-Hours:perCPU", "x86"),
        ("Fargate-ARM-vCPU-Hours:perCPU", "arm"),
        ("SpotUsage-Fargate-vCPU-Hours:perCPU", "x86"),
        ("Fargate-Windows-vCPU-Hours:perCPU", "x86"),
    ],
)
def test_fargate_vcpus_leave_the_memory_to_its_own_line(meter: str, processor: str) -> None:
    """Law: a Fargate vCPU-hour is a vCPU without memory, Arm told from x86; spot is the same hardware."""
    for service in ("AmazonECS", "AmazonEKS"):
        found = rated(service, f"USE2-{meter}", "hours")
        assert found.components == (Vcpu(1.0, processor, memory_apart=True),)


def test_an_s3_gigabyte_month_is_not_bytes_and_has_the_hours_of_its_month() -> None:
    """Law: 1 GB-month is 2^30 bytes held for every hour of the real month."""
    june = only_storage(rated("AmazonS3", "EU-TimedStorage-ByteHrs", "GB-Mo"))
    assert june == Storage(1.073741824 * 720 / 1000, "hdd", Span.exactly(3))
    february = only_storage(rated("AmazonS3", "EU-TimedStorage-ByteHrs", "GB-Mo", period=FEBRUARY))
    assert february.tb_hours / june.tb_hours == pytest.approx(672 / 720)


def test_in_and_out_lines_are_one_transfer() -> None:
    """Law: of a transfer between regions the Out line is rated and the In line counted there; between zones, halves."""
    out = rated("AmazonEC2", "USE1-USW2-AWS-Out-Bytes", "GB")
    assert out.components == (Transfer(1.073741824, "inter_region"),)
    assert reason("AmazonEC2", "USW2-USE1-AWS-In-Bytes", "GB") is R.COUNTED_ELSEWHERE
    both = [rated("AmazonEC2", "DataTransfer-Regional-Bytes", "GB").components for _ in ("in", "out")]
    assert sum(part.gb for (part,) in both if isinstance(part, Transfer)) == pytest.approx(1.073741824)
    same = rated("AmazonEC2", "USE1-EBS-USE1-EBS-AWS-Out-Bytes", "GB")
    assert same.components == (Transfer(1.073741824, "inter_zone"),)
    assert reason("AmazonEC2", "USW1-EBS-USE1-EBS-AWS-In-Bytes", "GB") is R.COUNTED_ELSEWHERE


def test_never_rated_though_they_carry_a_machine_or_a_vcpu_unit() -> None:
    """Law: licence and surcharge lines are never rated, whatever instance type stands in their columns."""
    known = SkuAttributes(instance_type="m5.xlarge", vcpu=4, memory_gib=16)
    assert reason("ElasticMapReduce", "USE1-BoxUsage:m5.xlarge", "Hrs", known) is R.SURCHARGE
    assert reason("AmazonRDS", "ExtendedSupport:Yr1-Yr2:MySQL5.7", "vCPU-Hours", known) is R.SURCHARGE
    assert reason("AmazonEKS", "USE1-AmazonEKS-Hours:extendedSupport", "Hours", known) is R.SURCHARGE
    assert reason("AmazonEKS", "USE1-EKS-Auto:m5.xlarge", "Hours", known) is R.SURCHARGE
    assert reason("mra", "SoftwareUsage:m5.xlarge", "Hrs", known) is R.LICENCE
    assert reason("9q3b5x1lkc0pzz2mreq4kvjd7", "BoxUsage:m5.xlarge", "Hrs", known) is R.LICENCE
    assert reason("AmazonECS", "Fargate-Windows-OS-Hours:perCPU", "hours", known) is R.LICENCE
    assert reason("AmazonEC2", "EBSOptimized:m5.xlarge", "Hrs", known) is R.SURCHARGE
    assert reason("ElasticMapReduce", "EMR-EKS-EC2-vCPUHours", "vCPU-Hours", known) is R.SURCHARGE


def test_split_cost_lines_do_not_count_the_node_again() -> None:
    """Law: vCPU and GB lines of ECS and EKS on EC2 are parts of a machine that has its own line."""
    for service, meter in (("AmazonECS", "ECS-EC2"), ("AmazonEKS", "EKS-EC2")):
        assert reason(service, f"USE1-{meter}-vCPU-Hours", "vCPU-Hours") is R.COUNTED_ELSEWHERE
        assert reason(service, f"USE1-{meter}-GB-Hours", "GB-Hours") is R.COUNTED_ELSEWHERE


def test_reserved_physical_capacity_is_idle_and_a_dedicated_host_counts_once() -> None:
    """Law: an unused reservation idles; of a Dedicated Host only the host line is rated, as the whole host."""
    unused = rated("AmazonEC2", "EU-UnusedBox:m5.large", "Hrs")
    assert unused.method is Method.RESERVED_CAPACITY
    assert unused.components == (Machine("m5.large", 1.0, service="AmazonEC2", idle=True),)
    assert rated("AmazonEC2", "UnusedDed:m5.large", "Hrs").components == unused.components
    assert reason("AmazonEC2", "Reservation:m5.large", "Hrs") is R.COUNTED_ELSEWHERE
    assert reason("AmazonEC2", "DedicatedRes:m5.large", "Hrs") is R.COUNTED_ELSEWHERE
    host = rated("AmazonEC2", "HostUsage:m5", "Hrs")
    assert host.components == (Machine("m5.metal", 1.0, service="AmazonEC2", idle=True),)
    assert reason("AmazonEC2", "HostBoxUsage:m5.large", "Hrs") is R.COUNTED_ELSEWHERE
    assert reason("AmazonLightsail", "BundleUsage:3GB", "Hrs") is R.UNKNOWN_INSTANCE_TYPE
    assert reason("AmazonEC2", "HostUsage:zz9", "Hrs") is R.UNKNOWN_INSTANCE_TYPE


def test_cpu_credits_are_extra_vcpu_hours_of_the_family() -> None:
    """Law: surplus credits are real vCPU-hours of the family, without the memory that the machine's line has."""
    for service, meter, family, processor in (
        ("AmazonEC2", "USE2-CPUCredits:t3", "t3", "Skylake"),
        ("AmazonRDS", "CPUCredits:db.t4g", "t4g", "Graviton2"),
    ):
        (part,) = rated(service, meter, "vCPU-Hours").components
        assert part == Vcpu(1.0, processor, memory_apart=True, family=family)
    assert rated("AmazonEC2", "CPUCredits:t9", "vCPU-Hours").components == (Vcpu(1.0, memory_apart=True),)


@pytest.mark.parametrize(
    ("meter", "name", "copies"),
    [
        ("APN1-InstanceUsage:db.r5.2xl", "r5.2xlarge", 1),
        ("InstanceUsage:db.r5.xl", "r5.xlarge", 1),
        ("Multi-AZUsage:db.r5d.24xl", "r5d.24xlarge", 2),
    ],
)
def test_databases_abbreviate_the_sizes_of_the_catalogue(meter: str, name: str, copies: int) -> None:
    """Law: ``2xl`` is ``2xlarge``; the short spelling never makes a machine unknown."""
    (part,) = rated("AmazonRDS", meter, "Hrs").components
    assert isinstance(part, Machine)
    assert (part.instance_type, part.copies) == (name, copies)
    assert FACTORS.machine("aws", name) is not None


def test_a_class_with_more_memory_has_it_beside_its_machine() -> None:
    """Law: ``mem4x`` is the machine and three times its memory once more, in each copy."""
    machine, more = rated("AmazonRDS", "Multi-AZUsage:db.r5b.8xl.tpc2.mem4x", "Hrs").components
    assert isinstance(machine, Machine)
    assert (machine.instance_type, machine.copies) == ("r5b.8xlarge", 2)
    assert more == Memory(3 * 256.0, 2)
    assert len(rated("AmazonRDS", "InstanceUsage:db.zz9.8xl.tpc2.mem4x", "Hrs").components) == 1


def test_a_dedicated_host_is_the_largest_machine_of_its_family() -> None:
    """Law: a family with several whole machines (m7i.metal-24xl, m7i.48xlarge) has the host of the largest."""
    sizes = {"m7i.metal-24xl": 96, "m7i.48xlarge": 192}
    types = tuple(machine_type(("aws", name), vcpu, "Sapphire Rapids", whole=True) for name, vcpu in sizes.items())
    factors = few_factors(copies={}, families={("aws", "m7i"): types})
    sku = Sku("aws", None, "AmazonEC2", None, "HostUsage:m7i", None, "Hrs", "us-east-1", None, SkuAttributes())
    (part,) = demand_of(classify(sku, JUNE, factors)).components
    assert part == Machine("m7i.48xlarge", 1.0, service="AmazonEC2", idle=True)


def test_lambda_gigabyte_seconds_in_all_their_units() -> None:
    """Law: a GB-second is 1024/1769 vCPU-seconds and one GiB-second, however the unit is spelled."""
    share = 1024 / 1769
    for unit in ("Lambda-GB-Second", "Lambda-GB-Seconds", "seconds", "Second", "Seconds"):
        vcpu, memory = rated("AWSLambda", "USE2-Lambda-GB-Second", unit).components
        assert isinstance(vcpu, Vcpu)
        assert isinstance(memory, Memory)
        assert vcpu.vcpu_hours == pytest.approx(share / 3600)
        assert (vcpu.processor, vcpu.memory_apart) == ("x86", True)
        assert memory.gib_hours == pytest.approx(1 / 3600)
    arm, _ = rated("AWSLambda", "Lambda-GB-Second-ARM", "Lambda-GB-Second").components
    assert isinstance(arm, Vcpu)
    assert arm.processor == "arm"
    assert reason("AWSLambda", "USE2-Request", "Requests") is R.REQUEST_PRICED


def test_provisioned_concurrency_counts_memory_and_running_once() -> None:
    """Law: kept environments carry their memory, running in them carries its vCPUs; neither twice."""
    kept = rated("AWSLambda", "Lambda-Provisioned-Concurrency", "Lambda-GB-Second")
    run = rated("AWSLambda", "Lambda-Provisioned-GB-Second", "Lambda-GB-Second")
    assert [type(part) for part in kept.components] == [Memory]
    assert [type(part) for part in run.components] == [Vcpu]


def test_fees_for_data_that_is_gone_store_nothing() -> None:
    """Law: EarlyDelete, BytesDeleted and OverwriteBytes are not physical, though their unit is GB-months."""
    for meter in ("EarlyDelete-SIA", "EarlyDelete-GDA", "BytesDeleted-STANDARD", "OverwriteBytes-Put-GLACIER"):
        assert reason("AmazonS3", f"EU-{meter}", "GB-Mo") is R.NOT_PHYSICAL


TERMS = [
    ("AmazonS3", "TimedStorage-SIA-ByteHrs", "hdd", 3),
    ("AmazonS3", "TimedStorage-SIA-SmObjects", "hdd", 3),
    ("AmazonS3", "TimedStorage-ZIA-ByteHrs", "hdd", 2),
    ("AmazonS3", "TimedStorage-ZIA-SmObjects", "hdd", 2),
    ("AmazonS3", "TimedStorage-RRS-ByteHrs", "hdd", 2),
    ("AmazonS3", "TimedStorage-GIR-ByteHrs", "hdd", 3),
    ("AmazonS3", "TimedStorage-INT-FA-ByteHrs", "hdd", 3),
    ("AmazonS3", "TimedStorage-INT-AIA-ByteHrs", "hdd", 3),
    ("AmazonS3", "TimedStorage-INT-DAA-ByteHrs", "archive", 3),
    ("AmazonS3", "TimedStorage-GDA-ByteHrs", "archive", 3),
    ("AmazonS3", "TimedStorage-GDA-Staging", "hdd", 3),
    ("AmazonS3", "TimedStorage-GlacierByteHrs", "archive", 3),
    ("AmazonS3", "TimedStorage-GlacierStaging", "hdd", 3),
    ("AmazonS3", "TimedStorage-XZ-ByteHrs", "ssd", 2),
    ("AmazonGlacier", "TimedStorage-ByteHrs", "archive", 3),
    ("AmazonEC2", "EBS:VolumeUsage", "hdd", 2),
    ("AmazonEC2", "EBS:VolumeUsage.gp2", "ssd", 2),
    ("AmazonEC2", "EBS:VolumeUsage.gp3", "ssd", 2),
    ("AmazonEC2", "EBS:VolumeUsage.piops", "ssd", 2),
    ("AmazonEC2", "EBS:VolumeUsage.io2", "ssd", 2),
    ("AmazonEC2", "EBS:VolumeUsage.st1", "hdd", 2),
    ("AmazonEC2", "EBS:VolumeUsage.sc1", "hdd", 2),
    ("AmazonEC2", "EBS:SnapshotUsage", "hdd", 3),
    ("AmazonEC2", "EBS:SnapshotArchiveStorage", "archive", 3),
    ("AmazonEFS", "TimedStorage-ByteHrs", "ssd", 3),
    ("AmazonEFS", "TimedStorage-Z-ByteHrs", "ssd", 2),
    ("AmazonEFS", "IATimedStorage-ByteHrs", "hdd", 3),
    ("AmazonEFS", "IATimedStorage-Z-ByteHrs", "hdd", 2),
    ("AmazonFSx", "Storage.SAZ_2N:SSD", "ssd", 2),
    ("AmazonFSx", "Storage.MAZ:SSD", "ssd", 4),
    ("AmazonFSx", "Storage.MAZ:HDD", "hdd", 4),
    ("AmazonFSx", "BackupUsage", "hdd", 3),
    ("AWSBackup", "WarmStorage-ByteHrs-EBS", "hdd", 3),
    ("AWSBackup", "ColdStorage-ByteHrs-EFS", "archive", 3),
    ("AmazonECR", "TimedStorage-ByteHrs", "hdd", 3),
    ("AmazonRDS", "RDS:GP2-Storage", "ssd", 2),
    ("AmazonRDS", "RDS:PIOPS-Storage", "ssd", 2),
    ("AmazonRDS", "RDS:StorageUsage", "hdd", 2),
    ("AmazonRDS", "RDS:ChargedBackupUsage", "hdd", 3),
    ("AmazonRDS", "Aurora:IO-OptimizedStorageUsage", "ssd", 6),
    ("AmazonRDS", "Aurora:BackupUsage", "hdd", 3),
    ("AmazonDocDB", "StorageUsage", "ssd", 6),
    ("AmazonDynamoDB", "TimedStorage-ByteHrs", "ssd", 3),
    ("AmazonDynamoDB", "TimedPITRStorage-ByteHrs", "hdd", 3),
    ("AmazonElastiCache", "ElastiCache:BackupUsage", "hdd", 3),
    ("AmazonRedshift", "RMS:ra3.4xlarge", "ssd", 3),
    ("AmazonRedshift", "Redshift:PaidSnapshots", "hdd", 3),
    ("AmazonES", "ES:gp2-Storage", "ssd", 2),
    ("AmazonES", "ES:Magnetic-Storage", "hdd", 2),
    ("AmazonMSK", "Kafka.Storage.GP2", "ssd", 2),
    ("AmazonCloudWatch", "TimedStorage-ByteHrs", "hdd", 3),
    ("AmazonSageMaker", "Notebk:VolumeUsage.gp2", "ssd", 2),
    ("AmazonQuickSight", "QS-Enterprise-SPICE", "ssd", 3),
    ("AmazonTimestream", "MagneticStore-ByteHrs", "hdd", 3),
    ("AmazonNewThing", "TimedStorage-ByteHrs", "hdd", 2),
]


@pytest.mark.parametrize(("service", "meter", "medium", "copies"), TERMS)
@pytest.mark.parametrize("prefix", ["", "EUC1-", "ap-south-1-"])
def test_stored_data_by_medium_and_copies(prefix: str, service: str, meter: str, medium: str, copies: int) -> None:
    """Law: every storage meter is read with its medium and copies, in any region; an archive is marked as disks."""
    found = rated(service, prefix + meter, "GB-Mo")
    part = only_storage(found)
    assert (part.medium, part.copies.central) == (medium, copies)
    assert (Assumption.ARCHIVE_AS_HDD in found.assumptions) is (medium == "archive")


MACHINES = [
    ("AmazonRDS", "InstanceUsage:db.t3.micro", "t3.micro", 1),
    ("AmazonRDS", "InstanceUsageIOOptimized:db.r6g.large", "r6g.large", 1),
    ("AmazonDocDB", "InstanceUsage:db.r5.large", "r5.large", 1),
    ("AmazonNeptune", "InstanceUsage:db.r5.large", "r5.large", 1),
    ("AmazonDynamoDB", "NodeUsage:dax.r4.large", "r4.large", 1),
    ("AmazonElastiCache", "NodeUsage:cache.r6g.large", "r6g.large", 1),
    ("AmazonMemoryDB", "NodeUsage:db.r6g.large", "r6g.large", 1),
    ("AmazonRedshift", "Node:ra3.4xlarge", "ra3.4xlarge", 1),
    ("AmazonRedshift", "Node:dc2.large", "dc2.large", 1),
    ("AmazonES", "ESInstance:m5.large", "m5.large", 1),
    ("AmazonES", "ESInstance:r6g.large.search", "r6g.large", 1),
    ("AmazonES", "ESInstance:ultrawarm1.medium.search", "ultrawarm1.medium", 1),
    ("AmazonMSK", "Kafka.m5.large", "m5.large", 1),
    ("AmazonMQ", "Multi-AZUsage:mq.m5.large", "m5.large", 2),
    ("AmazonMQ", "InstanceUsage:mq.t3.micro", "t3.micro", 1),
    ("AmazonSageMaker", "Train:ml.p3.2xlarge", "p3.2xlarge", 1),
    ("AmazonSageMaker", "Notebk:ml.t3.medium", "t3.medium", 1),
    ("AWSDatabaseMigrationSvc", "InstanceUsg:dms.t3.medium", "t3.medium", 1),
    ("AmazonEC2", "BoxUsage:u-6tb1.112xlarge", "u-6tb1.112xlarge", 1),
    ("AmazonEC2", "BoxUsage:m7i-flex.xlarge", "m7i-flex.xlarge", 1),
    ("AmazonEC2", "BoxUsage:c7i.metal-24xl", "c7i.metal-24xl", 1),
    ("AmazonEC2", "SpotUsage:p5.48xlarge", "p5.48xlarge", 1),
    ("AmazonEC2", "BoxUsage", "m1.small", 1),
    ("AmazonLightsail", "BundleUsage:2GB", "t3.small", 1),
]


@pytest.mark.parametrize(("service", "meter", "name", "copies"), MACHINES)
def test_machine_hours_by_catalogue_type(service: str, meter: str, name: str, copies: int) -> None:
    """Law: a machine behind a managed service is asked for under its catalogue type, once per running copy."""
    (part,) = rated(service, "USW2-" + meter, "Hrs").components
    assert isinstance(part, Machine)
    assert (part.instance_type, part.hours, part.copies) == (name, 1.0, copies)


def test_redshift_nodes_carry_their_published_size() -> None:
    """Law: node types that no catalogue has go with their vCPUs and memory, so that rating can fall back to them."""
    (part,) = rated("AmazonRedshift", "Node:dc1.8xlarge", "Hrs").components
    assert isinstance(part, Machine)
    assert (part.vcpu, part.memory_gib) == (32, 244)


def test_capacity_units_are_sized_and_marked() -> None:
    """Law: ACU, DPU and KPU hours become their published vCPUs and memory; ACU and by-size readings are bucket B."""
    acu = rated("AmazonRDS", "Aurora:ServerlessV2Usage", "ACU-Hr")
    assert acu.components == (Vcpu(0.25, None, memory_apart=True), Memory(2.0))
    assert acu.assumptions == (Assumption.ACU_SIZE,)
    assert acu.bucket is CoverageBucket.FAMILY_OR_VCPU
    dpu = rated("AWSGlue", "USE1-ETL-DPU-Hour", "DPU-Hour")
    assert dpu.components == (Vcpu(4.0, "x86", memory_apart=True), Memory(16.0))
    kpu = rated("AmazonKinesisAnalytics", "KPU-Hour-Java", "KPU-Hour")
    assert kpu.components == (Vcpu(1.0, "x86", memory_apart=True), Memory(4.0))
    build = rated("CodeBuild", "USE1-Build-Min:Linux:g1.small", "minutes")
    assert build.components == (Vcpu(2 / 60, "x86", memory_apart=True), Memory(4 / 60))


REASONS = [
    ("AmazonEC2", "NatGateway-Hours", "Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonEC2", "NatGateway-Bytes", "GB", R.CAPACITY_NOT_METERED),
    ("AWSELB", "LoadBalancerUsage", "Hrs", R.CAPACITY_NOT_METERED),
    ("AWSELB", "LCUUsage", "LCU-Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonEC2", "LoadBalancerUsage", "Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonVPC", "PublicIPv4:InUseAddress", "Hrs", R.NOT_PHYSICAL),
    ("AmazonEC2", "ElasticIP:IdleAddress", "Hrs", R.NOT_PHYSICAL),
    ("AmazonVPC", "VpcEndpoint-Hours", "Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonVPC", "VPN-Usage-Hours:ipsec.1", "Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonVPC", "TransitGateway-Bytes", "GB", R.CAPACITY_NOT_METERED),
    ("AmazonEC2", "EBS:VolumeP-IOPS.gp3", "IOPS-Mo", R.CAPACITY_NOT_METERED),
    ("AmazonEC2", "EBS:VolumeP-Throughput.gp3", "GiBps-mo", R.CAPACITY_NOT_METERED),
    ("AmazonEC2", "EBS:VolumeIOUsage", "IOs", R.REQUEST_PRICED),
    ("AmazonEC2", "DataTransfer-In-Bytes", "GB", R.COUNTED_ELSEWHERE),
    ("AmazonEKS", "USE1-AmazonEKS-Hours:perCluster", "Hours", R.CAPACITY_NOT_METERED),
    ("AmazonEKS", "AmazonEKS-Anywhere-Hours", "Hours", R.CUSTOMER_PREMISES),
    ("AmazonECS", "ECS-Anywhere-Instance-hours", "hours", R.CUSTOMER_PREMISES),
    ("AWSOutposts", "OR-42U:m5", "Hrs", R.CUSTOMER_PREMISES),
    ("AmazonS3", "Requests-Tier1", "Requests", R.REQUEST_PRICED),
    ("AmazonS3", "Retrieval-SIA", "GB", R.CAPACITY_NOT_METERED),
    ("AmazonDynamoDB", "WriteCapacityUnit-Hrs", "WriteCapacityUnit-Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonDynamoDB", "ReadRequestUnits", "ReadRequestUnits", R.REQUEST_PRICED),
    ("AmazonRedshift", "ServerlessUsage", "RPU-Hr", R.CAPACITY_NOT_METERED),
    ("AmazonRDS", "RDS:PIOPS", "IOPS-Mo", R.CAPACITY_NOT_METERED),
    ("AmazonRDS", "RDS:ProxyUsage", "vCPU-Hours", R.CAPACITY_NOT_METERED),
    ("AmazonKinesis", "Storage-ShardHour", "ShardHour", R.CAPACITY_NOT_METERED),
    ("AmazonCloudFront", "EU-Requests-Tier2-HTTPS", "Requests", R.REQUEST_PRICED),
    ("AmazonRoute53", "HostedZone", "HostedZone", R.NOT_PHYSICAL),
    ("AmazonRoute53", "DNS-Queries", "Queries", R.REQUEST_PRICED),
    ("AmazonCloudWatch", "CW:MetricMonitorUsage", "Metrics", R.CAPACITY_NOT_METERED),
    ("AmazonCloudWatch", "DataProcessing-Bytes", "GB", R.CAPACITY_NOT_METERED),
    ("awskms", "us-east-1-KMS-Keys", "Keys", R.NOT_PHYSICAL),
    ("awskms", "us-east-1-KMS-Requests", "Requests", R.REQUEST_PRICED),
    ("AWSQueueService", "Requests-Tier1", "Requests", R.REQUEST_PRICED),
    ("AmazonGuardDuty", "USE1-PaidEventsAnalyzed", "Events", R.REQUEST_PRICED),
    ("AWSSupportBusiness", "Dollar", "Dollar", R.SUPPORT),
    ("AmazonAthena", "DataScannedInTB", "Terabytes", R.CAPACITY_NOT_METERED),
    ("AmazonQuickSight", "QS-Reader-Usage", "Users", R.LICENCE),
    ("AmazonEC2", "WhoKnows:thing", "Hrs", R.UNKNOWN_METER),
    ("AmazonApiGateway", "USE1-ApiGatewayCacheUsage:0.5GB", "Hrs", R.CAPACITY_NOT_METERED),
    ("AmazonStates", "USE1-StepFunctions-GB-Second", "GB-Second", R.CAPACITY_NOT_METERED),
    ("AmazonLightsail", "DataXfer-Out:1-Overage", "GB", R.COUNTED_ELSEWHERE),
    ("AmazonWorkSpaces", "USE1-AW-HW-2-AutoStop-User", "User", R.CAPACITY_NOT_METERED),
    ("AmazonWorkSpaces", "USE1-AW-HW-2", "Month", R.UNKNOWN_INSTANCE_TYPE),
    ("CodeBuild", "Build-Min:Linux:g1.gpu.large", "minutes", R.UNKNOWN_ACCELERATOR),
    ("ElasticMapReduce", "$0.048 per hour for EMR m5.xlarge", "Hrs", R.SURCHARGE),
    ("AmazonQuantumThing", "QubitHours", "Hrs", R.UNKNOWN_SERVICE),
    (None, None, None, R.UNKNOWN_SERVICE),
]


@pytest.mark.parametrize(("service", "meter", "unit", "why"), REASONS)
def test_what_is_not_rated_says_why(service: str | None, meter: str | None, unit: str | None, why: R) -> None:
    """Law: a meter that cannot be rated has the reason of its kind and a detail, never a zero."""
    assert reason(service, meter, unit) is why


@pytest.mark.parametrize(
    ("service", "meter", "unit"),
    [
        ("AmazonS3", "TimedStorage-ByteHrs", "Hrs"),
        ("AmazonS3", "TimedStorage-ByteHrs", None),
        ("AmazonEC2", "BoxUsage:m5.large", "GB"),
        ("AmazonEC2", "BoxUsage:m5.large", "Quux"),
        ("AmazonEC2", "DataTransfer-Out-Bytes", "GB-Mo"),
        ("AmazonECS", "Fargate-vCPU-Hours:perCPU", "GB"),
        ("AWSLambda", "Lambda-GB-Second", "Requests"),
        ("AmazonRDS", "Aurora:ServerlessUsage", "GB"),
        ("AmazonEC2", "CPUCredits:t3", "GB"),
        ("AmazonEC2", "UnusedBox:m5.large", "GB"),
        ("AmazonLightsail", "BundleUsage:2GB", "GB"),
        ("AmazonWorkSpaces", "USE1-AW-HW-2", "GB"),
        ("CodeBuild", "Build-Min:Linux:g1.small", "GB"),
        ("AmazonElastiCache", "CachedData:Redis", "GB"),
        ("AmazonRedshift", "Node:ra3.4xlarge", "GB"),
        ("AmazonES", "ESInstance:m5.large", "GB"),
        ("AmazonECS", "Fargate-GB-Hours", "GB"),
        ("AmazonECS", "Fargate-EphemeralStorage-GB-Hours", "GB"),
        ("AWSGlue", "ETL-DPU-Hour", "GB"),
        ("AmazonBedrock", "USE1-Llama3-70B-input-tokens", "GB"),
    ],
)
def test_a_unit_that_contradicts_the_meter_is_a_reason(service: str, meter: str, unit: str | None) -> None:
    """Law: a meter with a unit of another dimension is unknown_unit, never a guess."""
    assert reason(service, meter, unit) is R.UNKNOWN_UNIT


@pytest.mark.parametrize(
    ("service", "meter", "kind"),
    [
        ("AmazonEC2", "DataTransfer-Out-Bytes", "internet_egress"),
        ("AmazonS3", "EUC1-DataTransfer-Out-Bytes", "internet_egress"),
        ("AWSDataTransfer", "USE2-DataTransfer-Out-Bytes", "internet_egress"),
        ("AmazonCloudFront", "EU-DataTransfer-Out-Bytes", "cdn"),
        ("AmazonCloudFront", "US-DataTransfer-Out-OBytes", "inter_region"),
        ("AmazonS3", "USE1-CloudFront-Out-Bytes", "inter_region"),
        ("AWSLambda", "USE1-EUC1-AWS-Out-Bytes", "inter_region"),
        ("AmazonVPC", "USE1-EUC1-VpcPeering-Out-Bytes", "inter_region"),
        ("AmazonLightsail", "USE1-TotalDataXfer-Out-Bytes", "internet_egress"),
        ("AWSDirectConnect", "USE1-EqDC2-DataXfer-Out:dc.3", "internet_egress"),
    ],
)
def test_transfers_by_kind(service: str, meter: str, kind: str) -> None:
    """Law: data moved is read by the kind of way it goes, in any service; edge geographies are no regions."""
    assert rated(service, meter, "GB").components == (Transfer(1.073741824, kind),)


SENTENCES = [
    ("AmazonEC2", "m5.large Linux/UNIX Spot Instance-hour in US East (Virginia) in VPC Zone #1", "Hrs", "m5.large", 1),
    ("AmazonEC2", "Linux/UNIX (Amazon VPC), c5.xlarge reserved instance applied", "Hrs", "c5.xlarge", 1),
    ("AmazonEC2", "$0.188 per On Demand Windows with SQL Std m5.xlarge Instance Hour", "Hours", "m5.xlarge", 1),
    (
        "AmazonRDS",
        "USD 0.342 per db.m5.large Multi-AZ instance hour (or partial hour) running MySQL",
        "Hrs",
        "m5.large",
        2,
    ),
    ("AmazonRDS", "USD 0.5 per db.m6gd.large Multi-AZ (readable standbys) instance hour", "Hrs", "m6gd.large", 3),
    ("AmazonElastiCache", "$0.017 per cache.t3.micro Node-hour (or partial hour) running Redis", "Hrs", "t3.micro", 1),
    ("AmazonES", "$0.036 per t3.small.search instance hour (or partial hour)", "Hrs", "t3.small", 1),
]


@pytest.mark.parametrize(("service", "text", "unit", "name", "copies"), SENTENCES)
def test_machines_out_of_sentences_are_marked(service: str, text: str, unit: str, name: str, copies: int) -> None:
    """Law: a machine named only by a sentence is the same machine, with the mark that says where it was read."""
    found = rated(service, None, unit, description=text)
    (part,) = found.components
    assert isinstance(part, Machine)
    assert (part.instance_type, part.copies) == (name, copies)
    assert found.assumptions == (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)


def test_an_unused_reservation_in_a_sentence_is_idle() -> None:
    """Law: sentences of capacity reservations are told apart from running machines."""
    (part,) = rated("AmazonEC2", "$0.096 per Unused Reservation Linux m5.large Instance Hour", "Hrs").components
    assert isinstance(part, Machine)
    assert part.idle
    used = "$0.00 per Reservation Linux m5.large Instance Hour"
    assert reason("AmazonEC2", used, "Hrs") is R.COUNTED_ELSEWHERE


def test_instance_type_column_serves_where_no_text_names_the_meter() -> None:
    """Law: FOCUS's instance type makes the machine when the meter is mute, but never that of a licence."""
    known = SkuAttributes(instance_type="c5.large", vcpu=2)
    assert rated("AmazonEC2", "Compute Instance", "Hours", known).components == (
        Machine("c5.large", 1.0, vcpu=2, service="AmazonEC2"),
    )
    assert reason("AmazonEC2", "Windows License Usage", "Hours", known) is R.UNKNOWN_METER
    desk = SkuAttributes(vcpu=2, memory_gib=8)
    assert rated("AmazonWorkSpaces", "USE1-AW-HW-3", "Hrs", desk).components == (
        Vcpu(2.0, None, memory_apart=True),
        Memory(8.0),
    )


def test_memory_of_serverless_stores_is_in_two_zones() -> None:
    """Law: a serverless cache meters what it holds in memory, once per zone."""
    found = rated("AmazonElastiCache", "USE1-CachedData:Redis", "GB-Hours")
    assert found.components == (Memory(1.0, 2.0),)
    assert rated("AmazonNeptune", "USE1-ServerlessUsage", "NCU-hour").assumptions == (Assumption.ACU_SIZE,)


def test_transfer_kind_column_speaks_where_the_meter_does_not() -> None:
    """Law: CUR's transferType decides a transfer whose usage type is unknown."""
    known = SkuAttributes(transfer_kind="InterRegion Outbound")
    assert rated("AWSDataTransfer", "Fresh-Meter", "GB", known).components == (Transfer(1.073741824, "inter_region"),)


def test_bedrock_tokens_by_model_and_direction() -> None:
    """Law: tokens are rated only for a model that the factor set knows, input and output apart, by block size."""
    given_ = rated("AmazonBedrock", "USE1-Llama3-1-70B-input-tokens", "1K tokens")
    assert given_.components == (Tokens("meta-llama/Meta-Llama-3.1-70B-Instruct", 1000.0, 0.0),)
    made = rated("AmazonBedrock", "USE1-openai.gpt-oss-20b-mantle-output-tokens-batch", "1K tokens")
    assert made.components == (Tokens("openai/gpt-oss-20b", 0.0, 1000.0),)
    market = rated(
        "9q3b5x1lkc0pzz2mreq4kvjd7",
        "USE1-MP:USE1_OutputTokenCount-Units",
        "Units",
        name="Claude Sonnet 4.5 (Amazon Bedrock Edition)",
        description="AWS Marketplace software usage|us-east-1|Million Response Tokens",
    )
    assert market.components == (Tokens("claude-sonnet-4-5-20250929", 0.0, 1e6),)
    assert reason("AmazonBedrock", "USE1-NovaPro-input-tokens", "1K tokens") is R.UNKNOWN_AI_MODEL
    assert reason("AmazonBedrock", "USE1-Llama3-1-405B-input-tokens", "1K tokens") is R.UNKNOWN_AI_MODEL
    assert reason("AmazonBedrock", "USE1-ClaudeSonnet4.5-cache-read-tokens", "1K tokens") is R.CAPACITY_NOT_METERED


def test_old_claude_is_not_a_newer_one() -> None:
    """Law: a version that the factor set does not hold has no nearest match."""
    for meter in ("Claude3Sonnet-input-tokens", "Claude3.5Sonnet-input-tokens", "ClaudeSonnet4-input-tokens"):
        assert reason("AmazonBedrock", f"USE1-{meter}", "1K tokens") is R.UNKNOWN_AI_MODEL
    newest = rated("AmazonBedrock", "USE1-ClaudeOpus4.6-input-tokens", "1K tokens")
    assert newest.components == (Tokens("claude-opus-4-6", 1000.0, 0.0),)


STRANGE = st.one_of(
    st.none(),
    st.text(max_size=60),
    st.sampled_from([meter for _, meter, *_ in TERMS + MACHINES] + [str(row[1]) for row in REASONS]).flatmap(
        lambda meter: st.text(max_size=8).map(lambda tail: meter + tail)
    ),
)
SERVICES = st.one_of(st.none(), st.text(max_size=20), st.sampled_from([row[0] for row in TERMS + MACHINES]))


@settings(max_examples=400)
@given(
    service=SERVICES,
    name=SERVICES,
    meter=STRANGE,
    unit=st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["Hrs", "GB-Mo", "GB", "1K tokens", "ACU-Hr"])),
    text=st.one_of(st.none(), st.text(max_size=60)),
    kind=st.one_of(st.none(), st.text(max_size=12)),
)
def test_no_string_raises_and_reading_is_pure(
    service: str | None, name: str | None, meter: str | None, unit: str | None, text: str | None, kind: str | None
) -> None:
    """Law: any strings give a demand with finite, positive parts or a reason, the same every time."""
    known = SkuAttributes(instance_type=text, transfer_kind=kind, deployment=text)
    sku = Sku("aws", name, service, text, meter, text, unit, kind, text, known)
    outcome = classify(sku, JUNE, FACTORS)
    assert outcome == classify(sku, JUNE, FACTORS)
    if isinstance(outcome, Demand):
        numbers = [value for part in outcome.components for value in astuple(part) if isinstance(value, float)]
        assert numbers
        assert all(isfinite(value) and value >= 0 for value in numbers)
