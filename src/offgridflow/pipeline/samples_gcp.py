"""Sample Google Cloud bill: the native FOCUS export's columns, as gzip CSV."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples_fleet import Offer, Resource, Use
from offgridflow.pipeline.samples_focus import (
    FocusCloud,
    Row,
    cost_columns,
    figure,
    json_text,
    period_columns,
    tags_of,
    write_csv_gz,
)

_BILLING_ACCOUNT: Final = "01A2B3-C4D5E6-F70819"
_PROJECTS: Final = ("shop-prod-4417", "shop-test-4418", "analytics-9921", "ml-research-3308")
_REGIONS: Final = (
    ("europe-west1", "Belgium"),
    ("europe-west4", "Netherlands"),
    ("us-central1", "Iowa"),
    ("europe-north1", "Finland"),
)
_SERVICE_IDS: Final = {
    "Compute Engine": "6F81-5844-456A",
    "Cloud Storage": "95FF-2EF5-5EA1",
    "BigQuery": "24E6-581D-38E5",
    "Cloud SQL": "9662-B51E-5089",
    "Cloud Run": "152E-C115-5142",
    "Kubernetes Engine": "CCD8-9BF1-090E",
    "Cloud Logging": "5490-F7B7-8DF6",
    "Networking": "E505-1604-58F8",
}
_HOUR: Final = 3600.0
_GIB: Final = 2.0**30

_COLUMNS: Final = (
    "AvailabilityZone BilledCost BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory "
    "ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ConsumedQuantity ConsumedUnit ContractedCost "
    "ContractedUnitPrice EffectiveCost InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingQuantity "
    "PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ServiceName SkuId SkuPriceId "
    "SubAccountId SubAccountName x_Credits x_ExportTime x_Labels x_Location x_Project x_ServiceId "
    "x_SystemLabels"
)
COLUMNS: Final = tuple(_COLUMNS.split())
"""Columns of Google's native FOCUS export (no ServiceCategory, Tags or SkuMeter) that say something."""


def _machine(series: str, machine_type: str, vcpus: int, gib: int, usd: tuple[float, float], count: int) -> list[Offer]:
    """Return the core SKU and the memory SKU of a machine type; amounts are vCPUs and GiB around the clock."""
    name = f"{series} Instance"
    more = {"machine_spec": machine_type, "cores": str(vcpus), "memory": str(gib * 1024), "kind": "instances"}
    return [
        Offer("Compute Engine", f"{name} Core running in", "hour", usd[0], 24.0 * vcpus, count, more=more),
        Offer("Compute Engine", f"{name} Ram running in", "gibibyte hour", usd[1], 24.0 * gib, count, more=more),
    ]


def _offer(service: str, meter: str, unit: str, usd: float, amount: float, count: int, **more: str) -> Offer:
    return Offer(service, meter, unit, usd, amount, count, more=more)


OFFERS: Final = (
    *_machine("N2", "n2-standard-4", 4, 16, (0.031611, 0.004237), 6),
    *_machine("E2", "e2-standard-2", 2, 8, (0.021811, 0.002923), 8),
    *_machine("N2D AMD", "n2d-standard-8", 8, 32, (0.027502, 0.003686), 3),
    _offer("Compute Engine", "Storage PD Capacity in", "gibibyte month", 0.04, 2500, 5, kind="disks"),
    _offer("Compute Engine", "SSD backed PD Capacity in", "gibibyte month", 0.17, 700, 5, kind="disks"),
    _offer("Compute Engine", "Balanced PD Capacity in", "gibibyte month", 0.1, 1200, 4, kind="disks"),
    _offer(
        "Compute Engine",
        "Network Internet Data Transfer Out from EMEA to EMEA",
        "gibibyte",
        0.12,
        80,
        4,
        kind="instances",
    ),
    _offer("Networking", "Network Inter Zone Data Transfer Out", "gibibyte", 0.01, 200, 3, kind="instances"),
    _offer("Cloud Storage", "Standard Storage", "gibibyte month", 0.02, 18000, 5, kind="buckets"),
    _offer("Cloud Storage", "Nearline Storage", "gibibyte month", 0.01, 26000, 2, kind="buckets"),
    _offer(
        "Cloud Storage",
        "Standard Storage EU Multi-region",
        "gibibyte month",
        0.026,
        8000,
        2,
        kind="buckets",
        multi="europe",
    ),
    _offer("Cloud Storage", "Regional Standard Class A Operations", "count", 0.000005, 200000, 3, kind="buckets"),
    _offer("BigQuery", "Active Logical Storage (EU)", "gibibyte month", 0.02, 9000, 3, kind="datasets", multi="europe"),
    _offer("BigQuery", "Analysis (EU)", "tebibyte", 6.25, 1.4, 3, kind="datasets", multi="europe"),
    _offer("Cloud SQL", "Cloud SQL for PostgreSQL: Zonal - vCPU in", "hour", 0.0413, 96, 3, kind="instances"),
    _offer("Cloud SQL", "Cloud SQL for PostgreSQL: Zonal - RAM in", "gibibyte hour", 0.007, 384, 3, kind="instances"),
    _offer(
        "Cloud SQL",
        "Cloud SQL for PostgreSQL: Zonal - Standard storage in",
        "gibibyte month",
        0.17,
        300,
        3,
        kind="instances",
    ),
    _offer("Cloud Run", "CPU Allocation Time", "hour", 0.0864, 60, 3, kind="services"),
    _offer("Cloud Run", "Memory Allocation Time", "gibibyte hour", 0.009, 120, 3, kind="services"),
    _offer("Kubernetes Engine", "Regional Kubernetes Clusters", "hour", 0.1, 1, 2, kind="clusters"),
    _offer("Cloud Logging", "Log Storage cost", "gibibyte", 0.5, 12, 2, kind="buckets"),
)
"""The price list, in Google's SKU descriptions and pricing units."""

_BASE: Final = {
    "hour": ("seconds", _HOUR),
    "gibibyte hour": ("byte-seconds", _GIB * _HOUR),
    "gibibyte": ("bytes", _GIB),
    "tebibyte": ("bytes", _GIB * 1024),
    "count": ("requests", 1.0),
}
"""Base unit of consumption per pricing unit; of months the days decide."""


def _usage(use: Use) -> Row:
    offer = use.resource.offer
    unit, size = _BASE.get(offer.unit, ("byte-seconds", _GIB * _HOUR * Month.of(use.day).hours))
    discount = offer.meter.startswith("N2 ")
    credit = round(use.cost * -0.2, 6)
    return {
        **_account_columns(use.resource.account),
        **period_columns(use),
        **_resource_columns(use.resource),
        **cost_columns(use.cost, effective=use.cost + credit if discount else None),
        "ChargeCategory": "Usage",
        "ConsumedQuantity": figure(use.quantity * size),
        "ConsumedUnit": unit,
        "ContractedUnitPrice": figure(offer.usd),
        "ListUnitPrice": figure(offer.usd),
        "PricingCategory": "Standard",
        "PricingQuantity": figure(use.quantity),
        "PricingUnit": offer.unit,
        "x_Credits": json_text(
            [{"name": "Sustained use discount", "amount": credit, "type": "SUSTAINED_USAGE_DISCOUNT"}]
            if discount
            else []
        ),
        "x_ExportTime": f"{Month.of(use.day).next()}-02T05:00:00Z",
    }


def _account_columns(account: int) -> Row:
    project = _PROJECTS[account]
    return {
        "BillingAccountId": _BILLING_ACCOUNT,
        "BillingCurrency": "USD",
        "InvoiceIssuerName": "Google Cloud EMEA Limited",
        "ProviderName": "Google Cloud",
        "PublisherName": "Google Cloud",
        "SubAccountId": project,
        "SubAccountName": project,
        "x_Project": json_text({"id": project, "name": project}),
    }


def _resource_columns(resource: Resource) -> Row:
    offer, more = resource.offer, resource.offer.more
    multi = more.get("multi")
    region, place = _REGIONS[resource.place]
    described = f"{offer.meter} {place}" if offer.meter.endswith((" in", " running in")) else offer.meter
    sku = hashlib.sha256(f"{offer.service} {described}".encode()).hexdigest().upper()
    name = f"{resource.team}-{resource.environment}-{resource.hexadecimal[:6]}"
    system = [
        {"key": f"compute.googleapis.com/{key}", "value": more[key]}
        for key in ("machine_spec", "cores", "memory")
        if key in more
    ]
    return {
        "AvailabilityZone": "" if multi else f"{region}-b",
        "ChargeDescription": described,
        "RegionId": "" if multi else region,
        "RegionName": multi or place,
        "ResourceId": f"//compute.googleapis.com/projects/{_PROJECTS[resource.account]}/{more['kind']}/{name}",
        "ResourceName": name,
        "ServiceName": offer.service,
        "SkuId": "-".join((sku[:4], sku[4:8], sku[8:12])),
        "SkuPriceId": "-".join((sku[:4], sku[4:8], sku[8:12], "P1")),
        "x_Labels": json_text([{"key": key, "value": value} for key, value in tags_of(resource).items()]),
        "x_Location": json_text({"location": multi or region, "region": None if multi else region}),
        "x_ServiceId": _SERVICE_IDS[offer.service],
        "x_SystemLabels": json_text(system),
    }


def _extras(month: Month, uses: Sequence[Use]) -> Iterator[Row]:
    """Yield tax and a rounding adjustment."""
    common = {**_account_columns(0), **period_columns(month), "ServiceName": "Invoice"}
    total = sum(use.cost for use in uses)
    yield common | cost_columns(round(total * 0.2, 2)) | {"ChargeCategory": "Tax", "ChargeDescription": "Tax - VAT"}
    yield common | cost_columns(-0.0031) | {"ChargeCategory": "Adjustment", "ChargeDescription": "Rounding error"}


GCP: Final = FocusCloud("gcp", COLUMNS, OFFERS, len(_PROJECTS), len(_REGIONS), _usage, _extras)


def write_gcp(folder: Path, seed: int, months: Sequence[Month]) -> list[Path]:
    """Write one file per month; return the files."""
    return [
        write_csv_gz(folder / f"focus-{month}.csv.gz", COLUMNS, rows) for month, rows in GCP.rows(seed, months).items()
    ]
