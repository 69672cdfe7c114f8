"""Small billing exports of Azure and Google Cloud, as their clouds write them, in fake buckets."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from offgridflow.domain.periods import Month
from offgridflow.testing import FakeBucket

AZURE: Final = "azure_export"
GCS: Final = "gcs_export"

_AZURE_HEAD: Final = (
    "BillingAccountId,BillingPeriodStartDate,BillingPeriodEndDate,SubscriptionId,SubscriptionName,Date,Product,MeterId,"
    "MeterCategory,MeterSubCategory,MeterName,Quantity,EffectivePrice,Cost,UnitPrice,BillingCurrency,ResourceLocation,"
    "ConsumedService,ResourceId,AdditionalInfo,Tags,UnitOfMeasure,ResourceGroup,ChargeType,Frequency,PublisherType,"
    "PricingModel"
)


def azure_bill(month: str, costs: Sequence[str], subscription: str = "sub-1") -> bytes:
    """Return an EA export (CSV.gz) of D2s v3 hours in West Europe, one line per cost."""
    period = Month.parse(month)
    year, number = month.split("-")
    first, last = f"{number}/01/{year}", f"{number}/{_last_day(period)}/{year}"
    info = '"{""ServiceType"":""Standard_D2s_v3"",""VCPUs"":2,""UsageType"":""ComputeHR""}"'
    lines = [
        f"acct,{first},{last},{subscription},Name,{number}/{day:02d}/{year},"
        f"Virtual Machines Dsv3 Series - D2s v3,m-1,"
        f"Virtual Machines,Dsv3 Series,D2s v3,24,0.1,{cost},0.1,EUR,EU West,Microsoft.Compute,"
        f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-{day},"
        f"{info},,1 Hour,rg,Usage,UsageBased,Azure,OnDemand"
        for day, cost in enumerate(costs, start=1)
    ]
    return gzip.compress("\n".join([_AZURE_HEAD, *lines, ""]).encode(), mtime=0)


def _last_day(period: Month) -> int:
    return (period.next().start - period.start).days


def gcp_line(month: str, cost: str, day: int = 1) -> dict[str, Any]:
    """Return a line of the detailed export: an hour of four N2 cores in Belgium, with a credit of a tenth."""
    return {
        "billing_account_id": "01A2B3-C4D5E6-F70819",
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "2E27-4F75-95CD", "description": "N2 Instance Core running in Belgium"},
        "usage_start_time": f"{month}-{day:02d} 10:00:00 UTC",
        "usage_end_time": f"{month}-{day:02d} 11:00:00 UTC",
        "project": {"id": "shop-prod", "number": "1", "name": "Shop"},
        "labels": [{"key": "team", "value": "web"}],
        "system_labels": [{"key": "compute.googleapis.com/machine_spec", "value": "n2-standard-4"}],
        "location": {"location": "europe-west1", "country": "BE", "region": "europe-west1", "zone": "europe-west1-b"},
        "resource": {"name": f"web-{day}", "global_name": f"//compute.googleapis.com/instances/web-{day}"},
        "cost": float(cost),
        "currency": "USD",
        "usage": {"amount": 14400.0, "unit": "seconds", "amount_in_pricing_units": 4.0, "pricing_unit": "hour"},
        "credits": [{"name": "sud", "amount": -0.01, "id": "sud", "type": "SUSTAINED_USAGE_DISCOUNT"}],
        "invoice": {"month": month.replace("-", "")},
        "cost_type": "regular",
    }


def gcp_json(month: str, costs: Sequence[str]) -> bytes:
    """Return a JSON unload as BigQuery writes it with GZIP: one object a line."""
    lines = [json.dumps(gcp_line(month, cost, day)) for day, cost in enumerate(costs, start=1)]
    return gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)


@dataclass(slots=True)
class Upstream:
    """One configured export in a fake bucket, published month by month."""

    kind: str
    bucket: FakeBucket

    def settings(self) -> dict[str, Any]:
        """Return its table of the settings."""
        if self.kind == AZURE:
            where = {"account_url": f"{self.bucket.url}/acct", "container": self.bucket.name, "sas_token": "sig=x"}
            return {"type": AZURE, "prefix": "daily", "export": "acme", **where}
        where = {"bucket": self.bucket.name, "endpoint_url": self.bucket.url}
        return {"type": GCS, "prefix": "billing/", "anonymous": True, **where}

    def key_of(self, month: str) -> str:
        """Return the key of a month's part."""
        period = Month.parse(month)
        if self.kind == GCS:
            return f"billing/invoice_month={month}/000000000000.json.gz"
        days = f"{month.replace('-', '')}01-{month.replace('-', '')}{_last_day(period):02d}"
        return f"daily/acme/{days}/{month}-run/part_0_0001.csv.gz"

    def publish(self, month: str, costs: Sequence[str], *, leave_out_the_part: bool = False) -> None:
        """Write a month, part first and manifest last."""
        key = self.key_of(month)
        content = gcp_json(month, costs) if self.kind == GCS else azure_bill(month, costs)
        if leave_out_the_part:
            self.bucket.things.pop(key, None)
        else:
            self.bucket.write(key, content)
        if self.kind == AZURE:
            manifest = _azure_manifest(month, key, len(content), len(costs))
            self.bucket.write(f"{key.rpartition('/')[0]}/manifest.json", json.dumps(manifest).encode())


def _azure_manifest(month: str, key: str, size: int, rows: int) -> dict[str, object]:
    return {
        "manifestVersion": "2024-04-01",
        "byteCount": size,
        "blobCount": 1,
        "dataRowCount": rows,
        "exportConfig": {"exportName": "acme", "type": "ActualCost", "dataVersion": "2023-05-01"},
        "deliveryConfig": {"partitionData": True, "fileFormat": "Csv"},
        "runInfo": {"submittedTime": f"{month}-20T06:00:00.1234567Z", "runId": f"{month}-run"},
        "blobs": [{"blobName": key, "byteCount": size, "dataRowCount": rows, "headerRowCount": 1}],
    }
