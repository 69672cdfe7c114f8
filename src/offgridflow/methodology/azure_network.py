"""Azure networks: transfers by the gigabyte, and appliances whose energy no meter shows."""

import re
from typing import Final

from offgridflow.domain.reasons import NotEstimatedReason
from offgridflow.methodology.azure_text import OPERATIONS, Meter, Outcome
from offgridflow.methodology.generic_parts import REQUESTS, gb_of, refuse, transfer_demand, unknown_unit

_INBOUND: Final = re.compile(r"\btransfer in\b|\bingress\b|\binbound data transfers?\b")
_ONCE = "a transfer is counted once, by its sender"


def bandwidth(meter: Meter) -> Outcome:
    """Rate transfers that go out; what comes in is counted by its sender."""
    gb = gb_of(meter.unit)
    if gb is None:
        return unknown_unit(meter.sku.consumed_unit, "transferred data")
    if _INBOUND.search(meter.text):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, _ONCE)
    if meter.has("availability zone", "inter-zone", "inter zone"):
        kind = "inter_zone"
    elif meter.has("inter-region", "intra continent", "inter continent", "inter-virtual network", "global peering"):
        kind = "inter_region"
    else:
        kind = "internet_egress"
    return transfer_demand(gb, kind)


def virtual_network(meter: Meter) -> Outcome:
    """Rate peering; an address is not a machine; endpoints and gateways meter a capacity."""
    if meter.has("ip address", "public ip", "ipv4", "ipv6"):
        return refuse(NotEstimatedReason.NOT_PHYSICAL, "an address is not a machine")
    if "peering" in meter.text:
        gb = gb_of(meter.unit)
        if gb is None:
            return unknown_unit(meter.sku.consumed_unit, "transferred data")
        if _INBOUND.search(meter.text):
            return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, _ONCE)
        return transfer_demand(gb, "inter_region" if meter.has("inter-region", "global") else "inter_zone")
    return appliance(meter)


def appliance(meter: Meter) -> Outcome:
    """Rate what an appliance sends to the internet; what it holds ready and passes on is not metered as capacity."""
    if meter.has("data processed"):  # first: what a private endpoint passes on is "Data Processed - Egress"
        return refuse(
            NotEstimatedReason.CAPACITY_NOT_METERED, "the appliance is shared; the bytes have transfer meters"
        )
    if meter.has("data transfer out", "egress") and gb_of(meter.unit) is not None:
        return bandwidth(meter)
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)


def content_delivery(meter: Meter) -> Outcome:
    """Rate delivery from the edge; fills from the origin are the outbound transfer's other half."""
    gb = gb_of(meter.unit)
    if gb is None or not meter.has("data transfer", "transfer"):
        return appliance(meter)
    if _INBOUND.search(meter.text) or "to origin" in meter.text:
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, _ONCE)
    return transfer_demand(gb, "cdn")
