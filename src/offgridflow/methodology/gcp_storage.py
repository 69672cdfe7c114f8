"""Google storage: disks, buckets, snapshots and whatever service holds data over time."""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, NotEstimatedReason
from offgridflow.methodology.gcp_text import OPERATIONS, Meter, Outcome
from offgridflow.methodology.generic_parts import (
    REQUESTS,
    copies_of,
    gb_of,
    refuse,
    storage_demand,
    tb_hours_of,
    transfer_demand,
    unknown_unit,
)


def held(meter: Meter, key: str, medium: str, *marks: Assumption) -> Outcome:
    """Return data held over time with the copies of ``key``."""
    tb_hours = tb_hours_of(meter.unit, meter.period)
    if tb_hours is None:
        return unknown_unit(meter.sku.consumed_unit, "stored data over time")
    copies = copies_of(meter.factors, key)
    if copies is None:
        return refuse(NotEstimatedReason.NO_FACTOR, f"replication {key}")
    span, default = copies
    return storage_demand(tb_hours, medium, span, *dict.fromkeys((*marks, *default)))


def disks(meter: Meter) -> Outcome | None:
    """Rate persistent disks, Hyperdisk, local SSD, snapshots and images of Compute Engine."""
    if meter.has("snapshot", "storage image", "machine image", "instant snapshot"):
        return held(meter, "gcp.snapshot", "hdd", Assumption.STORAGE_MEDIUM_DEFAULT)
    if meter.has("iops", "throughput") and not meter.has("hyperdisk throughput capacity"):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "performance of a disk whose capacity is rated")
    if meter.has("local storage", "local ssd"):
        return held(meter, "gcp.local_ssd", "ssd")
    if not meter.has("pd capacity", " pd ", "hyperdisk", "persistent disk"):
        return None
    is_fast = meter.has("ssd", "balanced", "extreme", "hyperdisk") and not meter.has("hyperdisk throughput")
    medium = "ssd" if is_fast else "hdd"
    regional = meter.has("regional", "high availability")
    return held(meter, "gcp.pd_regional" if regional else "gcp.pd", medium)


def bucket_key(meter: Meter) -> str:
    """Return the replication key of a bucket's location type."""
    redundancy = (meter.sku.attributes.redundancy or "").lower()
    spread = meter.has("multi-region", "multi-regional", "dual-region", "multi regional") or redundancy in {
        "multi-region",
        "dual-region",
        "multi_region",
        "dual_region",
    }
    return "gcp.gcs_multi_region" if spread else "gcp.gcs"


def buckets(meter: Meter) -> Outcome:
    """Rate Cloud Storage: classes by name, downloads as egress, operations by request, early deletion not at all."""
    if meter.has("early delet"):
        return refuse(NotEstimatedReason.NOT_PHYSICAL, "fee for data that is gone")
    if meter.has("gcp replication", "turbo replication"):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, "copies between regions are in the redundancy")
    if meter.has("download", "data transfer", "egress") and gb_of(meter.unit) is not None:
        return transfers(meter) or transfer_demand(gb_of(meter.unit) or 0.0, "internet_egress")
    if meter.has("autoclass", "tagging") or OPERATIONS.search(meter.text):
        return REQUESTS
    medium = "archive" if meter.has("archive") else "hdd"
    if meter.has("storage"):
        return held(meter, bucket_key(meter), medium)
    return refuse(NotEstimatedReason.UNKNOWN_METER, meter.name)


def at_rest(meter: Meter) -> Outcome | None:
    """Rate any service's data over time by its unit (registries, logs, backups, queues); None for other units."""
    if tb_hours_of(meter.unit, meter.period) is None:
        return None
    medium = "ssd" if meter.has("ssd", "ephemeral") else "hdd"
    mark = () if meter.has("ssd", "hdd") else (Assumption.STORAGE_MEDIUM_DEFAULT,)
    return held(meter, bucket_key(meter), medium, Assumption.REPLICATION_DEFAULT, *mark)


_INBOUND: Final = re.compile(r"\btransfer in\b|\bingress\b")
_ONCE = "a transfer is counted once, by its sender"


def _kind_of(meter: Meter) -> str | None:
    if meter.has("inter zone", "inter-zone", "interzone"):
        return "inter_zone"
    if meter.has("intra zone", "intra-zone"):
        return "intra_zone"
    if meter.has("inter region", "inter-region", "interregion", "inter-regional", "google egress", "google data"):
        return "inter_region"
    if meter.has("cdn", "cache egress", "cache data transfer"):
        return "cdn"
    if meter.has("internet", "egress", "download", "vpn", "interconnect", "data transfer", "peering", "ingress"):
        return "internet_egress"
    return None


def transfers(meter: Meter) -> Outcome | None:
    """Rate network SKUs; the receiving half of a transfer inside the cloud is counted where it goes out."""
    kind = _kind_of(meter)
    if kind is None or meter.has("processing", "uptime", "attachment", "forwarding"):
        return None
    if meter.has("cache fill"):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, _ONCE)
    gb = gb_of(meter.unit)
    if gb is None:
        return unknown_unit(meter.sku.consumed_unit, "transferred data")
    if _INBOUND.search(meter.text):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, _ONCE)
    return transfer_demand(gb, kind)


def appliances(meter: Meter) -> Outcome | None:
    """Refuse addresses, and appliances whose energy no SKU shows."""
    if meter.has("ip charge", "static ip", "external ip", "ip address"):
        return refuse(NotEstimatedReason.NOT_PHYSICAL, "an address is not a machine")
    words = ("load balancing", "forwarding rule", "nat gateway", "cloud nat", "vpn tunnel", "vpn gateway", "router",
             "interconnect", "vlan", "armor", "dns", "private service connect", "packet mirroring", "data processing",
             "uptime", "nat data", "network intelligence", "firewall", "proxy")  # fmt: skip
    moves = meter.has("egress", "data transfer out") and gb_of(meter.unit) is not None
    if meter.has(*words) and not moves:
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)
    return None
