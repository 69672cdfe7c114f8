"""Read an AWS SKU: what one consumed unit of it asks of the hardware, or why that cannot be said.

The usage type decides where the bill has one (CUR, FOCUS with ``x_UsageType``); else the description is turned into the
usage type that AWS writes for it (``aws_text.py``). On-demand, spot, reserved and savings-plan usage of one machine are
one machine. Units are read by ``domain/units.py``.
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, NotEstimatedReason
from offgridflow.domain.units import Dimension, conversion_of
from offgridflow.factors.model import FactorSet
from offgridflow.methodology.aws_other import (
    BY_THE_HOUR,
    DEFAULTS,
    KNOWN,
    NEVER,
    OWN_TRANSFERS,
    SHARED,
    TABLES,
    TRANSFER,
)
from offgridflow.methodology.aws_parts import Handler, Outcome, Reading, first
from offgridflow.methodology.aws_services import BEDROCK, service_of
from offgridflow.methodology.aws_text import usage_type_of
from offgridflow.methodology.demand import Demand, Machine, NotRated, Transfer
from offgridflow.methodology.generic_parts import REQUESTS

_PREFIX: Final = re.compile(
    r"(?:(?!EC2-|ARM64-|GP[23]-|IO[12]-|M-)(?:[A-Z]{2,4}\d{1,2}|EU|US|AP|JP|IN|SA|AU|CA|ME|ZA|CPT|Global"
    r"|[a-z]{2}(?:-[a-z]+)+-\d)-)+",
)
_TRANSFER_KINDS: Final = {
    "aws outbound": "DataTransfer-Out-Bytes",
    "aws inbound": "DataTransfer-In-Bytes",
    "interregion outbound": "AWS-Out-Bytes",
    "interregion inbound": "AWS-In-Bytes",
    "intraregion": "DataTransfer-Regional-Bytes",
    "intraregion-xaz-in": "DataTransfer-Regional-Bytes",
    "intraregion-xaz-out": "DataTransfer-Regional-Bytes",
    "cloudfront outbound": "CloudFront-Out-Bytes",
    "cloudfront inbound": "CloudFront-In-Bytes",
    "cloudfront to origin": "DataTransfer-Out-OBytes",
}
"""Values of CUR's ``transferType`` as the usage type they stand for."""

_MACHINE_METERS: Final = {
    "AmazonEC2": "BoxUsage",
    "AmazonRDS": "InstanceUsage",
    "AmazonDocDB": "InstanceUsage",
    "AmazonNeptune": "InstanceUsage",
    "AmazonElastiCache": "NodeUsage",
    "AmazonMemoryDB": "NodeUsage",
    "AmazonRedshift": "Node",
    "AmazonES": "ESInstance",
}
_LONGEST: Final = 512
_NEVER_BY_TEXT: Final = re.compile(r"licen[cs]e|support|software|surcharge|\bfee\b", re.IGNORECASE)
_COUNTED_UNITS: Final = frozenset(
    {
        "requests",
        "request",
        "api requests",
        "events",
        "queries",
        "statetransitions",
        "ios",
        "security checks",
        "messages",
        "notifications",
        "invocations",
        "readrequestunits",
        "writerequestunits",
    }
)
"""Units that count operations, whatever the meter."""


_SPLIT_OPERATIONS: Final = frozenset({"EKSPod-EC2", "ECSTask-EC2"})
_SPLIT: Final = NotRated(NotEstimatedReason.COUNTED_ELSEWHERE, "a share of a node that has a line of its own")
"""Split cost allocation divides the lines of nodes among pods and tasks; it adds no hardware."""

_HELD: Final = frozenset({Dimension.HOURS, Dimension.GIB_HOURS, Dimension.VCPU_HOURS, Dimension.UNIT_MONTHS})
"""What is held for a time is not a request."""


def classify(sku: Sku, period: Month, factors: FactorSet) -> Demand | NotRated:
    """Return what one consumed unit of an AWS SKU asks of the hardware, or why it is not rated; never raises.

    Args:
        sku: the SKU; ``sku_meter`` is the usage type or, where the bill has none, the charge description.
        period: the month whose real hours turn a GB-month into GB-hours.
        factors: asked only for replication, coefficients, machine families and models.
    """
    if sku.operation in _SPLIT_OPERATIONS:
        return _SPLIT
    service = service_of(sku)
    reading = Reading(sku, service, "", conversion_of(sku.consumed_unit), period, factors)
    meter = (sku.sku_meter or "")[:_LONGEST].strip()
    if meter and " " not in meter:
        outcome = _by_usage_type(reading, meter)
        if outcome is not None:
            return outcome
    described = tuple(dict.fromkeys(text.strip() for text in (meter, sku.description or "") if text.strip()))
    outcome = _by_description(reading, described)
    if outcome is None:
        outcome = _by_attributes(reading, described)
    return _otherwise(reading, described) if outcome is None else outcome


def meter_of(sku: Sku) -> str | None:
    """Return the usage type without its region prefix, from the description too where that is all the bill has."""
    meter = (sku.sku_meter or "")[:_LONGEST].strip()
    usage_type = meter if " " not in meter else usage_type_of(meter, service_of(sku)) or meter
    return _without_region(usage_type) or None


def _without_region(usage_type: str) -> str:
    prefix = _PREFIX.match(usage_type)
    return usage_type if prefix is None else usage_type[prefix.end() :]


def _by_usage_type(reading: Reading, usage_type: str) -> Outcome | None:
    """Ask the tables: what is never rated, the service's own, what all services share."""
    meter = _without_region(usage_type)
    found = _rule_for(reading.service, meter)
    if found is None:
        return None
    handler, match = found
    return handler(Reading(reading.sku, reading.service, meter, reading.unit, reading.period, reading.factors), match)


@lru_cache(maxsize=16_384)
def _rule_for(service: str, meter: str) -> tuple[Handler, re.Match[str]] | None:
    """Return the handler that reads a meter of a service; many SKUs differ by region and price model alone."""
    own = TABLES.get(service, ())
    never = () if service == BEDROCK else NEVER
    tables = (never, own, TRANSFER, SHARED) if service in OWN_TRANSFERS else (never, TRANSFER, own, SHARED)
    found = (first(table, meter) for table in tables)
    return next((each for each in found if each is not None), None)


def _by_description(reading: Reading, described: tuple[str, ...]) -> Outcome | None:
    for text in described:
        usage_type = usage_type_of(text, reading.service)
        if usage_type is not None:
            outcome = _by_usage_type(reading, usage_type)
            if outcome is not None:
                return _marked(outcome)
    return None


def _by_attributes(reading: Reading, described: tuple[str, ...]) -> Outcome | None:
    """Ask the columns beside the meter: kind of transfer, machine type."""
    known = reading.sku.attributes
    kind = _TRANSFER_KINDS.get((known.transfer_kind or "").lower())
    if kind is not None:
        return _by_usage_type(reading, kind)
    meter = _MACHINE_METERS.get(reading.service)
    if meter is None or known.instance_type is None or any(_NEVER_BY_TEXT.search(text) for text in described):
        return None
    if reading.unit is None or reading.unit.dimension is not Dimension.HOURS:
        return None
    return _by_usage_type(reading, f"{meter}:{known.instance_type.strip()}")


def _otherwise(reading: Reading, described: tuple[str, ...]) -> NotRated:
    """Say the most that can be said of a line that no table knows."""
    if (reading.sku.consumed_unit or "").strip().lower() in _COUNTED_UNITS:
        return REQUESTS
    default = DEFAULTS.get(reading.service)
    if default is REQUESTS and reading.unit is not None and reading.unit.dimension in _HELD:
        return BY_THE_HOUR
    if default is not None:
        return default
    detail = f"{reading.service or 'no service'}: {described[0] if described else 'no meter'}"
    if reading.service in KNOWN or reading.service in TABLES:
        return NotRated(NotEstimatedReason.UNKNOWN_METER, detail)
    return NotRated(NotEstimatedReason.UNKNOWN_SERVICE, detail)


def _marked(outcome: Outcome) -> Outcome:
    """Mark what was read out of a sentence."""
    if isinstance(outcome, NotRated):
        return outcome
    marks: list[Assumption] = []
    if any(isinstance(part, Machine) for part in outcome.components):
        marks.append(Assumption.INSTANCE_TYPE_FROM_DESCRIPTION)
    if any(isinstance(part, Transfer) for part in outcome.components):
        marks.append(Assumption.TRANSFER_KIND_FROM_DESCRIPTION)
    return replace(outcome, assumptions=(*outcome.assumptions, *marks)) if marks else outcome
