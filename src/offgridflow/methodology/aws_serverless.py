"""Containers and functions of AWS that meter vCPU-hours, GB-hours or GB-seconds.

Memory is metered apart from the vCPUs, so ``memory_apart`` takes the memory of the measured server off the vCPU
(methodology.md section 3: 1.258 W per x86 vCPU, 0.878 W Arm, plus all memory).
"""

import re
from typing import Final

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Method
from offgridflow.domain.trace import Constant
from offgridflow.methodology.aws_parts import (
    Handler,
    Outcome,
    Reading,
    Reason,
    bad_unit,
    elsewhere,
    gib_hours,
    local_tb_hours,
    machine_hours,
    not_metered,
    requests,
    rules,
    says,
    stored,
    surcharge,
    vcpu_hours,
)
from offgridflow.methodology.demand import Component, Demand, Memory, Storage, Vcpu
from offgridflow.methodology.generic_parts import no_size, size_parts

_MIB_PER_GIB: Final = Constant(1024.0, "MiB in a GiB")


def _processor(reading: Reading) -> str:
    return "arm" if "arm" in reading.meter.lower() else "x86"


def _vcpu(reading: Reading, _match: re.Match[str]) -> Outcome:
    hours = vcpu_hours(reading)
    if hours is None:
        return bad_unit(reading, "vCPU-hours")
    return Demand(Method.SERVERLESS, (Vcpu(hours, _processor(reading), memory_apart=True),))


def _memory(reading: Reading, _match: re.Match[str]) -> Outcome:
    hours = gib_hours(reading)
    if hours is None:
        return bad_unit(reading, "memory over time")
    return Demand(Method.SERVERLESS, (Memory(hours),))


def _ephemeral(reading: Reading, _match: re.Match[str]) -> Outcome:
    """Ephemeral storage is a local disk, not memory: one copy."""
    tb_hours = local_tb_hours(reading)
    if tb_hours is None:
        return bad_unit(reading, "stored data over time")
    return Demand(Method.STORAGE, (Storage(tb_hours, "ssd", Span.exactly(1.0)),))


def _units(key: str) -> Handler:
    """Return a handler for hours of a processing unit, whose vCPUs and GiB the factor set has under ``key``."""

    def handle(reading: Reading, _match: re.Match[str]) -> Outcome:
        hours = machine_hours(reading)
        if hours is None:
            return bad_unit(reading, "unit hours")
        parts = size_parts(reading.factors, key, hours, _processor(reading))
        return no_size(key) if parts is None else Demand(Method.SERVERLESS, parts)

    return handle


def _lambda(*, cpu: bool, memory: bool) -> Handler:
    """Return a handler for GB-seconds of functions.

    Provisioned concurrency bills its memory all the time and the running of it apart: the first line then carries the
    memory and the second the vCPUs, so that neither counts twice.
    """

    def handle(reading: Reading, _match: re.Match[str]) -> Outcome:
        hours = gib_hours(reading)
        if hours is None:
            return bad_unit(reading, "memory over time")
        share = _MIB_PER_GIB / reading.factors.coefficient("lambda_mb_per_vcpu").central
        parts: list[Component] = []
        if cpu:
            parts.append(Vcpu(hours * share, _processor(reading), memory_apart=True))
        if memory:
            parts.append(Memory(hours))
        return Demand(Method.SERVERLESS, tuple(parts))

    return handle


CONTAINERS: Final = rules(
    (r"(?:ECS|EKS)-EC2-", elsewhere("the EC2 machine has a line of its own")),
    (r"Anywhere|Hybrid", says(Reason.CUSTOMER_PREMISES, "containers on the customer's own machines")),
    (r"EKS-?Auto|Auto-?Mode|Managed-?Instance", surcharge("management of machines that have lines of their own")),
    (r"Fargate.*Windows-OS|Windows-OS", says(Reason.LICENCE, "Windows on Fargate")),
    (r"Fargate-?\w*-?Ephemeral.*GB", _ephemeral),
    (r"Fargate.*vCPU", _vcpu),
    (r"Fargate.*GB-Hours", _memory),
    (r"extendedSupport|ExtendedSupport", surcharge("extended support")),
    (r"EKS-Hours|perCluster|ProvisionedControlPlane|ControlPlane|Capabilit", not_metered("control plane of a cluster")),
)

LAMBDA: Final = rules(
    (r"Provisioned-Concurrency", _lambda(cpu=False, memory=True)),
    (r"Provisioned-GB-Second", _lambda(cpu=True, memory=False)),
    (r"SnapStart", not_metered("cached snapshots of functions")),
    (r"(?:Ephemeral|Storage).*GB-Second", _ephemeral),
    (r"GB-?Second", _lambda(cpu=True, memory=True)),
    (r"Request", requests),
    (r"Streaming|Bytes|EventSource|ESM|Durable", not_metered("data streamed and events polled")),
    (r"ManagedInstance", surcharge("management of machines that have lines of their own")),
)
"""Lambda and Lambda@Edge."""

GLUE: Final = rules(
    (r"MEM|M-DPU", _units("aws.dpu_memory")),
    (r"DPU", _units("aws.dpu")),
    (r"Request|Object", requests),
    (r"Storage", not_metered("catalogue objects")),
)

ATHENA: Final = rules(
    (r"DPU", _units("aws.dpu")),
    (r"DataScanned|Bytes|TB", not_metered("data scanned")),
)

EMR_SERVERLESS: Final = rules(
    (r"EMR-SERVERLESS.*vCPU", _vcpu),
    (r"EMR-SERVERLESS.*Storage", _ephemeral),
    (r"EMR-SERVERLESS.*(?:Memory|GB-?Hours)", _memory),
)

FLINK: Final = rules(
    (r"KPU", _units("aws.kpu")),
    (r"ApplicationStorage|Storage", stored("ssd", "aws.ebs")),
    (r"Backup", stored("hdd", "aws.backup")),
)

APP_RUNNER: Final = rules(
    (r"vCPU", _vcpu),
    (r"GB-?Hours|Memory", _memory),
    (r"Build|Deploy", not_metered("builds")),
)
