"""Sample Azure bill: FOCUS 1.0 as Cost Management exports it, gzip CSV with a manifest per month."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples_fleet import Commitment, Offer, Resource, Use
from offgridflow.pipeline.samples_focus import (
    FocusCloud,
    Row,
    cost_columns,
    figure,
    guid,
    json_text,
    period_columns,
    tags_of,
    write_csv_gz,
)

_EXPORT: Final = "demo-focus"
_BILLING_ACCOUNT: Final = "/providers/Microsoft.Billing/billingAccounts/7654321"
_SUBSCRIPTIONS: Final = (
    ("0aa1b2c3-1111-4d5e-8f90-a1b2c3d4e5f6", "Shop"),
    ("1bb2c3d4-2222-4e6f-9a01-b2c3d4e5f607", "Analytics"),
    ("2cc3d4e5-3333-4f70-8b12-c3d4e5f60718", "Corporate IT"),
)
_REGIONS: Final = (
    ("westeurope", "West Europe", "EU West"),
    ("northeurope", "North Europe", "EU North"),
    ("eastus", "East US", "US East"),
    ("swedencentral", "Sweden Central", "SE Central"),
)
_RESERVED_SHARE: Final = 0.64

_COLUMNS: Final = (
    "BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd "
    "BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd "
    "ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName "
    "CommitmentDiscountStatus CommitmentDiscountType ConsumedQuantity ConsumedUnit ContractedCost "
    "ContractedUnitPrice EffectiveCost InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingQuantity "
    "PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType "
    "ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName SubAccountType Tags x_AccountName "
    "x_BillingProfileId x_CostCenter x_InvoiceSectionName x_PricingBlockSize x_PricingUnitDescription "
    "x_PublisherCategory x_ResourceGroupName x_ResourceType x_SkuDescription x_SkuDetails x_SkuMeterCategory "
    "x_SkuMeterId x_SkuMeterName x_SkuMeterSubcategory x_SkuRegion x_SkuServiceFamily x_SkuTier"
)
COLUMNS: Final = tuple(_COLUMNS.split())
"""The 43 columns of FOCUS 1.0, three types, and those extension columns of the real export that say something."""


def _offer(  # noqa: PLR0913 - one row of a price list
    category: str,
    subcategory: str,
    name: str,
    unit: str,
    usd: float,
    amount: float,
    count: int,
    *,
    commitment: Commitment = "none",
    family: str = "Storage",
    kind: str = "microsoft.storage/storageaccounts",
    **details: str,
) -> Offer:
    more = {"subcategory": subcategory, "family": family, "kind": kind, **details}
    return Offer(category, name, unit, usd, amount, count, commitment=commitment, more=more)


def _machine(
    series: str, name: str, size: str, vcpus: int, usd: float, count: int, commitment: Commitment = "none"
) -> Offer:
    more = {
        "subcategory": series,
        "family": "Compute",
        "kind": "microsoft.compute/virtualmachines",
        "ServiceType": size,
        "VCPUs": str(vcpus),
        "UsageType": "ComputeHR",
    }
    return Offer("Virtual Machines", name, "Hours", usd, 1.0, count, commitment=commitment, more=more)


_DISKS: Final = "microsoft.compute/disks"
_NETWORK: Final = "microsoft.network/publicipaddresses"
_SQL: Final = "microsoft.sql/servers/databases"
_SQL_GENERAL: Final = "SQL Database Single/Elastic Pool General Purpose"
OFFERS: Final = (
    _machine("Dsv5 Series", "D4s v5", "Standard_D4s_v5", 4, 0.23, 8),
    _machine("Ddsv5 Series", "D8ds v5", "Standard_D8ds_v5", 8, 0.544, 4, "reserved"),
    _machine("Dv3/DSv3 Series", "D2 v3/D2s v3", "Standard_D2s_v3", 2, 0.12, 6),
    _machine("Esv5 Series", "E4s v5", "Standard_E4s_v5", 4, 0.304, 3),
    _machine("BS Series", "B2ms", "Standard_B2ms", 2, 0.096, 6),
    _machine("Fsv2 Series", "F8s v2", "Standard_F8s_v2", 8, 0.388, 2),
    _offer("Storage", "Premium SSD Managed Disks", "P30 LRS Disk", "Units/Month", 135.17, 1.0, 8, kind=_DISKS),
    _offer("Storage", "Standard SSD Managed Disks", "E20 LRS Disk", "Units/Month", 38.4, 1.0, 6, kind=_DISKS),
    _offer("Storage", "Standard HDD Managed Disks", "S30 LRS Disk", "Units/Month", 40.96, 1.0, 3, kind=_DISKS),
    _offer("Storage", "Tiered Block Blob", "Hot LRS Data Stored", "GB/Month", 0.0196, 14000, 5),
    _offer("Storage", "Tiered Block Blob", "Cool GRS Data Stored", "GB/Month", 0.02, 20000, 3),
    _offer("Storage", "Tiered Block Blob", "Hot LRS Write Operations", "Units", 0.0000055, 300000, 3),
    _offer("Storage", "Files", "LRS Data Stored", "GB/Month", 0.06, 900, 2),
    _offer(
        "Bandwidth",
        "Rtn Preference: MGN",
        "Standard Data Transfer Out",
        "GB",
        0.087,
        90,
        5,
        family="Networking",
        kind=_NETWORK,
    ),
    _offer(
        "Bandwidth",
        "Inter-Region",
        "Intra Continent Data Transfer Out",
        "GB",
        0.02,
        60,
        2,
        family="Networking",
        kind=_NETWORK,
    ),
    _offer(
        "SQL Database", f"{_SQL_GENERAL} - Compute Gen5", "vCore", "Hours", 0.152, 96, 4, family="Databases", kind=_SQL
    ),
    _offer(
        "SQL Database",
        f"{_SQL_GENERAL} - Storage",
        "General Purpose Data Stored",
        "GB/Month",
        0.115,
        400,
        4,
        family="Databases",
        kind=_SQL,
    ),
    _offer(
        "Azure Kubernetes Service",
        "",
        "Standard Uptime SLA",
        "Hours",
        0.1,
        1.0,
        2,
        family="Compute",
        kind="microsoft.containerservice/managedclusters",
    ),
    _offer(
        "Functions",
        "",
        "Standard Execution Time",
        "GB Seconds",
        0.000016,
        60000,
        3,
        family="Compute",
        kind="microsoft.web/sites",
    ),
    _offer(
        "Azure Cache for Redis",
        "Azure Redis Cache Standard",
        "C2 Cache",
        "Hours",
        0.2,
        1.0,
        2,
        family="Databases",
        kind="microsoft.cache/redis",
    ),
    _offer(
        "Log Analytics",
        "",
        "Analytics Logs Data Ingestion",
        "GB",
        2.76,
        6,
        3,
        family="Management and Governance",
        kind="microsoft.operationalinsights/workspaces",
    ),
    _offer(
        "Key Vault", "", "Operations", "Units", 0.000003, 20000, 2, family="Security", kind="microsoft.keyvault/vaults"
    ),
)
"""The price list, in Azure's own meter names and FOCUS units."""

_CATEGORIES: Final = {
    "Compute": "Compute",
    "Storage": "Storage",
    "Networking": "Networking",
    "Databases": "Databases",
    "Security": "Security",
}


def _usage(use: Use) -> Row:
    resource, offer = use.resource, use.resource.offer
    reserved = offer.commitment == "reserved"
    quantity = figure(use.quantity)
    commitment: Row = {
        "CommitmentDiscountCategory": "Usage",
        "CommitmentDiscountId": "/providers/Microsoft.Capacity/reservationOrders/6d1f/reservations/8e2a",
        "CommitmentDiscountName": "VM_RI_shop",
        "CommitmentDiscountStatus": "Used",
        "CommitmentDiscountType": "Reservation",
    }
    return {
        **_account_columns(resource.account),
        **period_columns(use),
        **_resource_columns(resource),
        **(
            cost_columns(use.cost, billed=0.0, effective=use.cost * _RESERVED_SHARE)
            if reserved
            else cost_columns(use.cost)
        ),
        **(commitment if reserved else {}),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": offer.unit,
        "ListUnitPrice": figure(offer.usd),
        "ContractedUnitPrice": figure(offer.usd),
        "PricingCategory": "Committed" if reserved else "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": offer.unit,
    }


def _account_columns(account: int) -> Row:
    number, name = _SUBSCRIPTIONS[account]
    return {
        "BillingAccountId": _BILLING_ACCOUNT,
        "BillingAccountName": "Demo Organisation",
        "BillingAccountType": "Billing Account",
        "BillingCurrency": "EUR",
        "InvoiceIssuerName": "Microsoft",
        "ProviderName": "Microsoft",
        "PublisherName": "Microsoft",
        "SubAccountId": f"/subscriptions/{number}",
        "SubAccountName": name,
        "SubAccountType": "Subscription",
        "x_AccountName": "Demo",
        "x_BillingProfileId": f"{_BILLING_ACCOUNT}/billingProfiles/DEMO",
        "x_InvoiceSectionName": "IT",
    }


def _resource_columns(resource: Resource) -> Row:
    offer, more = resource.offer, resource.offer.more
    region, region_name, meter_region = _REGIONS[resource.place]
    name = f"{resource.team}-{resource.environment}-{resource.hexadecimal[:6]}"
    group = f"rg-{resource.team}-{resource.environment}"
    subscription = _SUBSCRIPTIONS[resource.account][0]
    meter_id = guid(hashlib.sha256(f"{offer.service} {offer.meter}".encode()).hexdigest()[:32])
    described = " - ".join(part for part in (more["subcategory"], offer.meter, meter_region) if part)
    details = {key: more[key] for key in ("ServiceType", "VCPUs", "UsageType") if key in more}
    return {
        "ChargeDescription": f"{offer.service} {described}",
        "RegionId": region,
        "RegionName": region_name,
        "ResourceId": f"/subscriptions/{subscription}/resourcegroups/{group}/providers/{more['kind']}/{name}",
        "ResourceName": name,
        "ResourceType": more["kind"].rpartition("/")[2],
        "ServiceCategory": _CATEGORIES.get(more["family"], "Other"),
        "ServiceName": offer.service,
        "SkuId": meter_id,
        "SkuPriceId": f"{meter_id}_{region}",
        "Tags": json_text(tags_of(resource)),
        "x_PricingBlockSize": "1",
        "x_PricingUnitDescription": f"1 {offer.unit.removesuffix('s')}",
        "x_PublisherCategory": "Vendor",
        "x_ResourceGroupName": group,
        "x_ResourceType": more["kind"],
        "x_SkuDescription": f"{offer.service} {described}",
        "x_SkuDetails": json_text(details) if details else "",
        "x_SkuMeterCategory": offer.service,
        "x_SkuMeterId": meter_id,
        "x_SkuMeterName": offer.meter,
        "x_SkuMeterSubcategory": more["subcategory"],
        "x_SkuRegion": meter_region,
        "x_SkuServiceFamily": more["family"],
    }


def _extras(month: Month, uses: Sequence[Use]) -> Iterator[Row]:
    """Yield the reservation's purchase, its unused part, a correction, a credit and a rounding."""
    reserved = [use for use in uses if use.resource.offer.commitment == "reserved"]
    paid = sum(use.cost for use in reserved) * _RESERVED_SHARE
    common = {
        **_account_columns(0),
        **period_columns(month),
        "ServiceCategory": "Compute",
        "ServiceName": "Virtual Machines",
    }
    yield (
        common
        | cost_columns(paid * 1.08, effective=0.0)
        | {
            "ChargeCategory": "Purchase",
            "ChargeDescription": "Reserved VM Instance, Standard_D8ds_v5, 3 Years",
            "ChargeFrequency": "Recurring",
        }
    )
    if reserved:
        yield (
            _usage(reserved[0])
            | cost_columns(paid * 0.08, billed=0.0, effective=paid * 0.08)
            | {
                "CommitmentDiscountStatus": "Unused",
                "ConsumedQuantity": "",
                "ConsumedUnit": "",
            }
        )
    stored = next((use for use in uses if use.resource.offer.by_month), None)
    if stored is not None:
        back = Use(stored.day, stored.resource, stored.quantity / -10, stored.cost / -10)
        yield _usage(back) | {"ChargeClass": "Correction"}
    yield common | cost_columns(-40.0) | {"ChargeCategory": "Credit", "ChargeDescription": "Promotional credit"}
    yield common | cost_columns(0.0043) | {"ChargeCategory": "Adjustment", "ChargeDescription": "Rounding adjustment"}


AZURE: Final = FocusCloud("azure", COLUMNS, OFFERS, len(_SUBSCRIPTIONS), len(_REGIONS), _usage, _extras)


def write_azure(folder: Path, seed: int, months: Sequence[Month]) -> list[Path]:
    """Write one export run per month with its manifest; return the data files."""
    return [_write_month(folder, month, rows) for month, rows in AZURE.rows(seed, months).items()]


def _write_month(folder: Path, month: Month, rows: Sequence[Row]) -> Path:
    digits = str(month).replace("-", "")
    run = guid(hashlib.sha256(f"run {month}".encode()).hexdigest()[:32])
    place = f"{_EXPORT}/{digits}01-{digits}{month.days}/{run}/part_0_0001.csv.gz"
    path = write_csv_gz(folder / place, COLUMNS, rows)
    manifest = {
        "manifestVersion": "2024-04-01",
        "exportConfig": {"exportName": _EXPORT, "dataVersion": "1.0", "type": "FocusCost"},
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": f"{month.next()}-02T03:04:05.0000000Z",
            "runId": run,
        },
        "blobCount": 1,
        "dataRowCount": len(rows),
        "blobs": [{"blobName": place, "byteCount": path.stat().st_size, "dataRowCount": len(rows)}],
    }
    (path.parent / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return path
