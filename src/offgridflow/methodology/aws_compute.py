"""EC2 machines: every pricing model of one machine is the same machine; what only carries its name is not one.

Sources of the rules: methodology.md section 3; the meaning of UnusedBox, UnusedDed, Reservation and DedicatedRes is
that of the AWS page "Monitoring your On-Demand capacity reservations".
"""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, Method
from offgridflow.methodology.aws_parts import (
    PROVIDER,
    Outcome,
    Reading,
    Reason,
    bad_unit,
    elsewhere,
    machine,
    machine_hours,
    not_metered,
    not_physical,
    rules,
    says,
    sized,
    storage,
    surcharge,
    vcpu_hours,
)
from offgridflow.methodology.demand import Demand, Machine, Memory, NotRated, Vcpu
from offgridflow.methodology.generic_parts import no_size, size_parts

TYPE: Final = r"(?P<type>[a-z][a-z0-9-]*\.[a-z0-9-]+)"
_OLDEST_TYPE: Final = "m1.small"


def _box(reading: Reading, match: re.Match[str]) -> Outcome:
    return machine(reading, match["type"])


def _bare_box(reading: Reading, _match: re.Match[str]) -> Outcome:
    """``BoxUsage`` without a type is m1.small, whose usage type is older than types."""
    return machine(reading, reading.sku.attributes.instance_type or _OLDEST_TYPE)


def _unused(reading: Reading, match: re.Match[str]) -> Outcome:
    """Reserved capacity that runs nothing: idle watts, full embodied."""
    return machine(reading, match["type"], Method.RESERVED_CAPACITY, idle=True)


def _host(reading: Reading, match: re.Match[str]) -> Outcome:
    """A Dedicated Host is rated once, here, as the whole host of its family."""
    name = match["family"].lower()
    types = reading.factors.family(PROVIDER, name)
    if not types:
        return NotRated(Reason.UNKNOWN_INSTANCE_TYPE, f"dedicated host of family {name}")
    whole = max(types, key=lambda each: (each.vcpu, each.whole_host))
    return machine(reading, whole.instance_type, Method.RESERVED_CAPACITY, idle=True)


def credits_used(reading: Reading, match: re.Match[str]) -> Outcome:
    """CPU credits above the baseline are real extra vCPU-hours of the family; the machine's line has its memory."""
    hours = vcpu_hours(reading)
    if hours is None:
        return bad_unit(reading, "vCPU-hours")
    family = match["family"].lower()
    types = reading.factors.family(PROVIDER, family)
    if not types:
        return Demand(Method.VCPU, (Vcpu(hours, memory_apart=True),))
    return Demand(Method.VCPU, (Vcpu(hours, types[0].processor, memory_apart=True, family=family),))


EC2: Final = rules(
    (rf"^(?:BoxUsage|SpotUsage|DedicatedUsage|SchedUsage|FlexUsage|BlockUsage):{TYPE}", _box),
    (r"^(?:BoxUsage|SpotUsage|DedicatedUsage)$", _bare_box),
    (rf"^(?:UnusedBox|UnusedDed|UnusedSched):{TYPE}", _unused),
    (r"^(?:Reservation|DedicatedRes):", elsewhere("the reservation's used and unused hours have lines of their own")),
    (r"^(?:HostBoxUsage|HostBox)\b", elsewhere("the Dedicated Host has a line of its own")),
    (r"^HostUsage:(?P<family>[a-z0-9-]+)", _host),
    (r"^HostReservation|^HeavyUsage|^LightUsage|^MediumUsage", not_physical("fee of a commitment")),
    (r"^CPUCredits:(?P<family>[a-z0-9-]+)", credits_used),
    (r"^EBSOptimized", surcharge("bandwidth of a machine that has its own line")),
    (r"^ElasticIP|PublicIPv4|^IPv4|ContiguousBlock", not_physical("a public address")),
    (r"^CW:|^MonitorUsage", not_metered("monitoring by metric")),
    (r"^ElasticInference|^eia\d", says(Reason.UNKNOWN_ACCELERATOR, "Elastic Inference")),
    (r"Dedicated.*Fee", surcharge("fee for dedicated tenancy in a region")),
    (r"^CapacityBlock|^EC2CapacityBlocks", elsewhere("the instances of the block have lines of their own")),
    (r"^FPGAUsage|^ImageUsage|^Image", not_metered("image operations")),
)
"""Machines of EC2; volumes, transfers and load balancers are in the storage and network tables."""


def _lightsail(reading: Reading, match: re.Match[str]) -> Outcome:
    """A bundle is rated as the burstable machine that has its vCPUs and memory."""
    size = reading.factors.size(f"aws.lightsail.{float(match['gb']):g}")
    hours = machine_hours(reading)
    if hours is None:
        return bad_unit(reading, "machine hours")
    if size is None or size.machine is None:
        return NotRated(Reason.UNKNOWN_INSTANCE_TYPE, f"Lightsail bundle of {match['gb']} GB")
    return sized(Method.INSTANCE_FAMILY, (Machine(size.machine, hours),), Assumption.MACHINE_PROXY)


_SIZE: Final = r"(?P<gb>\d{1,4}(?:\.\d{1,2})?)GB"

LIGHTSAIL: Final = rules(
    (r"Load-?Balancer", not_metered("load balancer hours")),
    (r"Database|Relational|DBBundle", not_metered("database bundle without a published machine")),
    (r"StaticIP", not_physical("a public address")),
    (rf"(?:BundleUsage|Bundle|Instance)[:\w-]*?{_SIZE}", _lightsail),
    (r"Container|CDN|Distribution|ContainerSvc", not_metered("a bundle without a published machine")),
)


def by_bill(reading: Reading, _match: re.Match[str]) -> Outcome:
    """A machine that only the bill describes: its vCPUs and memory where they stand in the row, else a reason."""
    known = reading.sku.attributes
    hours = machine_hours(reading)
    if hours is None:
        return bad_unit(reading, "machine hours")
    if not known.vcpu or not known.memory_gib:
        return NotRated(Reason.UNKNOWN_INSTANCE_TYPE, "a bundle whose vCPUs and memory the bill does not state")
    parts = (Vcpu(known.vcpu * hours, None, memory_apart=True), Memory(known.memory_gib * hours))
    return sized(Method.VCPU_AND_MEMORY, parts, Assumption.VCPU_FROM_BILL)


WORKSPACES: Final = rules(
    (r"Licen[cs]e|Software|Office|-SW-", says(Reason.LICENCE, "desktop software")),
    (r"AutoStop-User", not_metered("monthly part of a desktop whose running hours have lines of their own")),
    (r"AW-HW|WorkSpaces?|AutoStop|AlwaysOn|stream\.", by_bill),
)


def _build(reading: Reading, match: re.Match[str]) -> Outcome:
    hours = machine_hours(reading)
    if hours is None:
        return bad_unit(reading, "build minutes")
    key = f"aws.codebuild.{match['size'].lower()}"
    processor = "arm" if "arm" in reading.meter.lower() else "x86"
    parts = size_parts(reading.factors, key, hours, processor)
    if parts is None:
        return no_size(key)
    return sized(Method.VCPU_AND_MEMORY, parts)


CODEBUILD: Final = rules(
    (r"^Build-.*gpu", says(Reason.UNKNOWN_ACCELERATOR, "build environment with a GPU that AWS does not name")),
    (r"^Build-(?:Min|Sec).*[:.](?P<size>small|medium|large|xlarge|2xlarge)$", _build),
    (r"^Build-|Lambda|Fleet|Reserved", not_metered("build time of an environment without published vCPUs")),
)

SAGEMAKER: Final = rules(
    (r"VolumeUsage", lambda reading, _match: storage(reading, "ssd", "aws.ebs")),
    (r"Data-Bytes|DataProcess", not_metered("data processed by an endpoint")),
    (r"eia\d", says(Reason.UNKNOWN_ACCELERATOR, "Elastic Inference")),
    (r"ml\.(?P<type>[a-z][a-z0-9-]*\.[a-z0-9]+(?:-\d+xl)?)", _box),
    (r"Serverless.*(?:GB|Mem)", not_metered("serverless inference")),
)

EMR: Final = rules(
    (
        rf"^(?:BoxUsage|SpotUsage|DedicatedUsage|HostBoxUsage):{TYPE}",
        surcharge("EMR; the machine has its own line"),
    ),
    (r"EMR-(?:EKS|ECS|WAL-)", surcharge("EMR on containers that have lines of their own")),
    (r"EMR-OUTPOST", says(Reason.CUSTOMER_PREMISES, "EMR on Outposts")),
)

DMS: Final = rules(
    (r"Multi-?AZ.*dms\.(?P<type>[a-z0-9]+\.[a-z0-9]+)", lambda r, m: machine(r, m["type"], copies=2)),
    (r"dms\.(?P<type>[a-z0-9]+\.[a-z0-9]+)", _box),
    (r"DCU|Serverless", not_metered("replication capacity units")),
    (r"Storage|VolumeUsage", lambda reading, _match: storage(reading, "ssd", "aws.ebs")),
)
