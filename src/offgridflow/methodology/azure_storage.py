"""Azure storage: managed and page disks, blobs, files, tables, queues, snapshots, backups, NetApp volumes."""

import re
from typing import Final

from offgridflow.domain.reasons import Assumption, Method, NotEstimatedReason
from offgridflow.domain.units import GIB_TO_GB
from offgridflow.methodology.azure_text import OPERATIONS, Meter, Outcome
from offgridflow.methodology.demand import Demand, Storage
from offgridflow.methodology.generic_parts import (
    GB_PER_TB,
    REQUESTS,
    copies_of,
    hours_of,
    refuse,
    tb_hours_of,
    unknown_unit,
)

_DISK: Final = re.compile(r"\b([pes]\d{1,2})(?:[ -]+(?:lrs|zrs))?(?:[ -]+disks?)?\b")
_PERFORMANCE: Final = re.compile(r"\b(?:iops|throughput|mbps|burst\w*|provisioned per vcpu|per vcpu)\b")
_GONE: Final = re.compile(r"early delet\w*")
_REDUNDANCY: Final = re.compile(r"\b(?:ra-?)?(gzrs|grs|zrs|lrs)\b")
_SSD: Final = re.compile(r"\b(?:premium|ssd|ultra|elastic san)\b")
_CAPACITY: Final = (
    "data stored",
    "snapshot",
    "provisioned",
    "capacity",
    "metadata",
    "data at-rest",
    "backup",
    "retention",
    "storage",
)


def redundancy_of(meter: Meter) -> tuple[str, bool]:
    """Return ``lrs``, ``zrs``, ``grs`` or ``gzrs``, and whether the bill says so; GZRS is looked for first."""
    for text in (meter.sku.attributes.redundancy, meter.text):
        if text is not None:
            found = _REDUNDANCY.findall(text.lower())
            for name in ("gzrs", "grs", "zrs", "lrs"):
                if name in found:
                    return name, True
    return "lrs", False


def medium_of(meter: Meter) -> tuple[str, bool]:
    """Return the medium and whether a name told it: premium, ultra and SSD names are SSD, archive is archive."""
    text = f"{meter.sku.attributes.storage_class or ''} {meter.text}".lower()
    if "archive" in text:
        return "archive", True
    if _SSD.search(text):
        return "ssd", True
    return "hdd", any(word in text for word in ("hdd", "hot", "cool", "cold", "standard"))


def stored(meter: Meter, tb_hours: float, medium: str, *marks: Assumption) -> Outcome:
    """Return stored data with its copies; geo-redundant data has as many again on the paired region's grid."""
    name, told = redundancy_of(meter)
    geo = name in {"grs", "gzrs"}
    copies = copies_of(meter.factors, f"azure.{name}")
    paired = copies_of(meter.factors, f"azure.{name}_paired") if geo else None
    if copies is None or (geo and paired is None):
        return refuse(NotEstimatedReason.NO_FACTOR, f"replication of azure {name}")
    extra = copies[1] if told else (Assumption.REPLICATION_DEFAULT,)
    archive = (Assumption.ARCHIVE_AS_HDD,) if medium == "archive" else ()
    second = None if paired is None else paired[0]
    return Demand(Method.STORAGE, (Storage(tb_hours, medium, copies[0], second),), (*marks, *extra, *archive))


def _disk_tier(meter: Meter) -> Outcome | None:
    """Rate a disk by its provisioned capacity; None where the text names no tier."""
    match = _DISK.search(meter.text)
    if match is None:
        return None
    size = meter.factors.disk_gib("azure", match[1].upper())
    if size is None:
        return None
    hours = hours_of(meter.unit, meter.period)
    if hours is None:
        return unknown_unit(meter.sku.consumed_unit, "disks over time")
    gib, medium = size
    return stored(meter, gib * hours * GIB_TO_GB / GB_PER_TB, medium)


def _refused(meter: Meter) -> Outcome | None:
    """Refuse fees for data that is gone, shared mounts, performance and operations."""
    if _GONE.search(meter.text):
        return refuse(NotEstimatedReason.NOT_PHYSICAL, "fee for data that is gone")
    if meter.has("mount"):
        return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, "the disk itself has its own meter")
    if _PERFORMANCE.search(meter.text):
        return refuse(NotEstimatedReason.CAPACITY_NOT_METERED, "performance of a disk whose capacity is rated")
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return None


def storage(meter: Meter) -> Outcome:
    """Rate a meter of the Storage category."""
    refusal = _refused(meter)
    if refusal is not None:
        return refusal
    if meter.has("disk", "page blob") and not meter.has("snapshot", "ultra", "v2 lrs", "data stored"):
        disk = _disk_tier(meter)
        if disk is not None:
            return disk
    return capacity(meter)


def capacity(meter: Meter) -> Outcome:
    """Rate data held over time, whatever the product's name, by its unit."""
    tb_hours = tb_hours_of(meter.unit, meter.period)
    if tb_hours is None:
        if meter.has("data transfer", "geo-replication", "bandwidth"):
            return refuse(NotEstimatedReason.COUNTED_ELSEWHERE, "copies between regions are in the redundancy")
        if meter.has(*_CAPACITY):
            return unknown_unit(meter.sku.consumed_unit, "stored data over time")
        return refuse(NotEstimatedReason.UNKNOWN_METER, meter.name)
    medium, told = medium_of(meter)
    return stored(meter, tb_hours, medium, *(() if told else (Assumption.STORAGE_MEDIUM_DEFAULT,)))


def backup(meter: Meter) -> Outcome:
    """Rate backup vaults by what they hold; a protected instance is a fee."""
    if meter.has("protected instance", "instances"):
        return refuse(NotEstimatedReason.SURCHARGE, "fee per protected instance; the data has its own meter")
    return storage(meter)


def retention(meter: Meter) -> Outcome:
    """Rate retained logs as stored data; what is ingested or searched is priced by volume."""
    if meter.has("retention", "archive", "data stored", "backup") and tb_hours_of(meter.unit, meter.period) is not None:
        return capacity(meter)
    if meter.has("retention", "archive"):
        return unknown_unit(meter.sku.consumed_unit, "retained logs over time")
    return REQUESTS
