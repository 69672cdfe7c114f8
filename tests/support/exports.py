"""Small billing exports of the three clouds, as these write them, in fake buckets."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from offgridflow.domain.periods import Month
from offgridflow.testing import FakeBucket

AWS: Final = "aws_data_export"
AZURE: Final = "azure_export"
GCS: Final = "gcs_export"

_AWS_HEAD: Final = (
    "bill_payer_account_id,bill_billing_period_start_date,line_item_usage_account_id,line_item_line_item_type,"
    "line_item_currency_code,line_item_usage_start_date,line_item_usage_amount,line_item_unblended_cost,"
    "line_item_product_code,line_item_usage_type,line_item_operation,line_item_resource_id,pricing_unit,product_sku,"
    "product_region_code,product_instance_type,product"
)
_AZURE_HEAD: Final = (
    "BillingAccountId,BillingPeriodStartDate,BillingPeriodEndDate,SubscriptionId,SubscriptionName,Date,Product,MeterId,"
    "MeterCategory,MeterSubCategory,MeterName,Quantity,EffectivePrice,Cost,UnitPrice,BillingCurrency,ResourceLocation,"
    "ConsumedService,ResourceId,AdditionalInfo,Tags,UnitOfMeasure,ResourceGroup,ChargeType,Frequency,PublisherType,"
    "PricingModel"
)


def aws_bill(month: str, costs: Sequence[str], account: str = "222") -> bytes:
    """Return a CUR 2.0 CSV.gz of m5.large hours in N. Virginia, one line per cost."""
    lines = [
        f"111,{month}-01T00:00:00Z,{account},Usage,USD,{month}-{day:02d}T00:00:00Z,1,{cost},AmazonEC2,BoxUsage:m5.large,"
        f'RunInstances,i-{day},Hrs,SKU1,us-east-1,m5.large,"{{""product_name"": ""Amazon Elastic Compute Cloud""}}"'
        for day, cost in enumerate(costs, start=1)
    ]
    return gzip.compress("\n".join([_AWS_HEAD, *lines, ""]).encode(), mtime=0)


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
    """One configured export in a fake bucket, published month by month. ``account`` is whose bill it is."""

    kind: str
    bucket: FakeBucket
    account: str = "acme"

    def settings(self) -> dict[str, Any]:
        """Return its table of the settings."""
        table: dict[str, Any] = {"type": self.kind, "prefix": f"{self.account}/"}
        url = self.bucket.url
        if self.kind == AZURE:
            return {**table, "account_url": f"{url}/acct", "container": self.bucket.name, "sas_token": "sig=x"}
        if self.kind == AWS:
            return {**table, "bucket": self.bucket.name, "endpoint_url": url, "sts_endpoint_url": url}
        return {**table, "bucket": self.bucket.name, "endpoint_url": url, "anonymous": True}

    def key_of(self, month: str) -> str:
        """Return the key of a month's part."""
        if self.kind == GCS:
            return f"{self.account}/invoice_month={month}/000000000000.json.gz"
        if self.kind == AWS:
            return f"{self.account}/daily/data/BILLING_PERIOD={month}/daily-00001.csv.gz"
        days = f"{month.replace('-', '')}01-{month.replace('-', '')}{_last_day(Month.parse(month)):02d}"
        return f"{self.account}/daily/{days}/{month}-run/part_0_0001.csv.gz"

    def bill(self, month: str, costs: Sequence[str]) -> bytes:
        """Return the content of a month's part."""
        if self.kind == GCS:
            return gcp_json(month, costs)
        return (azure_bill if self.kind == AZURE else aws_bill)(month, costs, self.account)

    def publish(self, month: str, costs: Sequence[str], *, leave_out_the_part: bool = False) -> None:
        """Write a month, part first and manifest last."""
        key, content = self.key_of(month), self.bill(month, costs)
        if leave_out_the_part:
            self.bucket.things.pop(key, None)
        else:
            self.bucket.write(key, content)
        if self.kind == AZURE:
            manifest = _azure_manifest(month, key, len(content), len(costs))
            self.bucket.write(f"{key.rpartition('/')[0]}/manifest.json", json.dumps(manifest).encode())
        elif self.kind == AWS:
            place = f"{self.account}/daily/metadata/BILLING_PERIOD={month}/daily-Manifest.json"
            manifest = {"executionId": "e", "columns": [], "dataFiles": [f"s3://{self.bucket.name}/{key}"]}
            self.bucket.write(place, json.dumps(manifest).encode())


def _azure_manifest(month: str, key: str, size: int, rows: int) -> dict[str, object]:
    return {
        "manifestVersion": "2024-04-01",
        "byteCount": size,
        "blobCount": 1,
        "dataRowCount": rows,
        "exportConfig": {"exportName": "daily", "type": "ActualCost", "dataVersion": "2023-05-01"},
        "deliveryConfig": {"partitionData": True, "fileFormat": "Csv"},
        "runInfo": {"submittedTime": f"{month}-20T06:00:00.1234567Z", "runId": f"{month}-run"},
        "blobs": [{"blobName": key, "byteCount": size, "dataRowCount": rows, "headerRowCount": 1}],
    }
