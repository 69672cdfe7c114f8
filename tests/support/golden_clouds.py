"""Three clouds on this machine with a bill of two months each: S3 (moto), Blob storage, BigQuery.

Blob storage is Azurite where it is installed (``npm install --no-save azurite`` at the root), else the FakeBucket of
``offgridflow.testing``. AWS and Google Cloud publish carbon figures beside the bill; the SDK of Azure sends no
token without TLS, so that its figures are proved in tests/reported alone.
"""

import base64
import contextlib
import gzip
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas
from moto.server import ThreadedMotoServer

from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples import write_samples
from offgridflow.testing import Dialect, FakeBucket
from offgridflow.testing.bigquery import FakeBigQuery
from support.bigquery_bill import PROJECT, SCHEMA, TABLE, column, record
from support.golden_raw import RawLine, aws_lines, azure_lines, csv_rows, gcp_lines

AZURITE = Path(
    os.environ.get("OFFGRIDFLOW_AZURITE", Path(__file__).parents[2] / "node_modules" / ".bin" / "azurite-blob")
)
MONTHS = (Month(2025, 5), Month(2025, 6))
SEED = 11
BUCKET = "demo-bucket"
"""The bucket that the manifests of the sample name."""
CARBON_TABLE = f"{PROJECT}.carbon.carbon_footprint"
_BOTH = (column("location_based", "FLOAT"), column("market_based", "FLOAT"))
_CARBON_SCHEMA = [
    column("usage_month", "DATE"),
    column("billing_account_id"),
    record("project", column("id"), column("number")),
    record("service", column("id"), column("description")),
    record("location", column("location"), column("region")),
    column("carbon_model_version", "INTEGER"),
    record("carbon_footprint_kgCO2e", column("scope1", "FLOAT"), record("scope2", *_BOTH), column("scope3", "FLOAT")),
    record("carbon_footprint_total_kgCO2e", *_BOTH, column("after_offsets", "FLOAT")),
    column("carbon_offsets_kgCO2e", "FLOAT"),
]
_AWS_FIGURES = {
    "total_lbm_emissions": 0.182,
    "total_mbm_emissions": 0.062,
    "total_scope_1_emissions": 0.002,
    "total_scope_2_lbm_emissions": 0.12,
    "total_scope_2_mbm_emissions": 0.0,
    "total_scope_3_lbm_emissions": 0.06,
    "total_scope_3_mbm_emissions": 0.06,
}
"""In metric tons, as AWS publishes them."""


@dataclass(slots=True)
class Clouds:
    """Where the bills lie, what is in them, and what the providers say of their own carbon (kg by provider, month)."""

    servers: dict[str, str] = field(default_factory=dict)
    sources: dict[str, dict[str, object]] = field(default_factory=dict)
    lines: list[RawLine] = field(default_factory=list)
    published: dict[tuple[str, str], float] = field(default_factory=dict)

    def settings(self) -> str:
        """Return the settings file that names every source."""
        text = ""
        for name, table in self.sources.items():
            values = "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
            text += f"[sources.{name}]\n{values}\n"
        return text


@contextlib.contextmanager
def three_clouds(folder: Path) -> Iterator[Clouds]:
    """Serve the sample bills of three clouds, each from a server of its own."""
    write_samples(folder, SEED, MONTHS)
    clouds = Clouds()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_s3(folder / "aws", clouds))
        stack.enter_context(_blobs(folder / "azure", clouds))
        stack.enter_context(_bigquery(folder / "gcp", clouds))
        yield clouds


# AWS ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _s3(folder: Path, clouds: Clouds) -> Iterator[None]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    for path in _files(folder):
        client.put_object(Bucket=BUCKET, Key=str(path.relative_to(folder)), Body=path.read_bytes())
    for month in MONTHS:
        place = f"carbon_model_version=v3.0.0/usage_period={month}"
        key = f"carbon/sustainability/data/{place}/sustainability-00001.csv.gz"
        client.put_object(Bucket=BUCKET, Key=key, Body=_aws_carbon(month))
        manifest = json.dumps({"executionId": "e", "dataFiles": [f"s3://{BUCKET}/{key}"]}).encode()
        name = f"carbon/sustainability/metadata/{place}/sustainability-Manifest.json"
        client.put_object(Bucket=BUCKET, Key=name, Body=manifest)
        clouds.published["aws", str(month)] = _AWS_FIGURES["total_lbm_emissions"] * 1000
    client.close()
    clouds.servers["aws"] = "moto S3: CUR 2.0 by manifest, and CARBON_EMISSIONS"
    where = {"bucket": BUCKET, "endpoint_url": url, "sts_endpoint_url": url, "settle_minutes": 0}
    clouds.sources["aws"] = {"type": "aws_data_export", "export": "demo-cur2", **where}
    clouds.sources["aws-carbon"] = {
        "type": "aws_carbon_export",
        "prefix": "carbon",
        "export": "sustainability",
        **where,
    }
    clouds.lines += [line for path in sorted(folder.rglob("*.parquet")) for line in aws_lines(path)]
    yield
    server.stop()


def _aws_carbon(month: Month) -> bytes:
    row = {
        "last_refresh_timestamp": f"{month.next()}-20 00:00:00Z",
        "location": "US East (N. Virginia)",
        "model_version": "v3.0.0",
        "payer_account_id": "111122223333",
        "product_code": "AmazonEC2",
        "region_code": "us-east-1",
        "usage_account_id": "222233334444",
        "usage_period_start": f"{month}-01T00:00:00.000Z",
        "usage_period_end": f"{month.next()}-01T00:00:00.000Z",
    }
    for stem, tonnes in _AWS_FIGURES.items():
        row |= {f"{stem}_value": str(tonnes), f"{stem}_unit": "MTCO2e"}
    text = ",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n"
    return gzip.compress(text.encode(), mtime=0)


# Azure --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _blobs(folder: Path, clouds: Clouds) -> Iterator[None]:
    with _azure_blobs(folder) if AZURITE.is_file() else _fake_blobs(folder) as source:
        clouds.servers["azure"] = (
            f"{'Azurite' if AZURITE.is_file() else 'FakeBucket (Azurite is not installed)'}: FOCUS by manifest"
        )
        clouds.sources["azure"] = {"type": "azure_export", "prefix": "demo-focus/", **source}
        clouds.lines += [line for path in sorted(folder.rglob("*.csv.gz")) for line in azure_lines(path)]
        yield


@contextlib.contextmanager
def _fake_blobs(folder: Path) -> Iterator[dict[str, object]]:
    with FakeBucket(Dialect.AZURE_BLOB) as bucket:
        for path in _files(folder):
            bucket.write(str(path.relative_to(folder)), path.read_bytes())
        yield {"account_url": f"{bucket.url}/acct", "container": bucket.name, "sas_token": "sig=x"}


@contextlib.contextmanager
def _azure_blobs(folder: Path) -> Iterator[dict[str, object]]:
    with azurite(folder) as (container, source):
        for path in _files(folder):
            container.upload_blob(str(path.relative_to(folder)), path.read_bytes())
        yield source


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[tuple[ContainerClient, dict[str, object]]]:
    """Run Azurite; give a client of an empty container, and the container as a source's settings name it."""
    key, port = base64.b64encode(b"golden" * 8).decode(), free_port()
    url = f"http://127.0.0.1:{port}/golden"
    options = ("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent")
    command = [str(AZURITE), "--blobPort", str(port), *options]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"golden:{key}"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process)
        credential = {"account_name": "golden", "account_key": key}
        with ContainerClient(url, "exports", credential=credential) as container:
            with contextlib.suppress(ResourceExistsError):
                container.create_container()
            sas = generate_container_sas(
                "golden",
                "exports",
                account_key=key,
                permission=ContainerSasPermissions(read=True, list=True),
                expiry=datetime.now(UTC) + timedelta(hours=1),
            )
            yield container, {"account_url": url, "container": "exports", "sas_token": sas}
    finally:
        process.terminate()
        process.wait(120)


# Google Cloud -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _bigquery(folder: Path, clouds: Clouds) -> Iterator[None]:
    rows = [_detailed(row) for path in sorted(folder.glob("*.csv.gz")) for row in csv_rows(path)]
    carbon = [_gcp_carbon(month) for month in MONTHS]
    with FakeBigQuery(PROJECT) as server:
        server.create(TABLE, SCHEMA, rows)
        server.create(CARBON_TABLE, _CARBON_SCHEMA, carbon)
        clouds.servers["gcp"] = "FakeBigQuery: detailed billing export, and Carbon Footprint"
        where = {"endpoint_url": server.url, "anonymous": True}
        clouds.sources["gcp"] = {"type": "bigquery_export", "table": TABLE, **where}
        clouds.sources["gcp-carbon"] = {"type": "gcp_carbon", "table": CARBON_TABLE, **where}
        clouds.lines += gcp_lines(rows)
        for row in carbon:
            total = row["carbon_footprint_total_kgCO2e"]["location_based"]
            clouds.published["gcp", row["usage_month"][:7]] = total
        yield


def _detailed(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a FOCUS line of the sample as a line of the detailed billing export."""
    location = json.loads(row["x_Location"] or "{}")
    project = json.loads(row["x_Project"])
    usage = {
        "amount": float(row["ConsumedQuantity"] or 0),
        "unit": row["ConsumedUnit"],
        "amount_in_pricing_units": float(row["PricingQuantity"] or 0),
        "pricing_unit": row["PricingUnit"],
    }
    return {
        "billing_account_id": row["BillingAccountId"],
        "service": {"id": row["x_ServiceId"], "description": row["ServiceName"]},
        "sku": {"id": row["SkuId"], "description": row["ChargeDescription"]},
        "usage_start_time": row["ChargePeriodStart"] if row["ConsumedUnit"] else f"{row['BillingPeriodStart'][:10]}",
        "usage_end_time": row["ChargePeriodEnd"],
        "project": {**project, "number": "1"},
        "labels": json.loads(row["x_Labels"] or "[]"),
        "system_labels": json.loads(row["x_SystemLabels"] or "[]"),
        "location": {**location, "country": None, "zone": row["AvailabilityZone"] or None},
        "resource": {"name": row["ResourceName"], "global_name": row["ResourceId"]},
        "export_time": row["x_ExportTime"] or row["BillingPeriodEnd"],
        "cost": float(row["BilledCost"]),
        "currency": row["BillingCurrency"],
        "usage": usage if row["ConsumedUnit"] else None,
        "credits": [{**credit, "id": credit["type"]} for credit in json.loads(row["x_Credits"] or "[]")],
        "invoice": {"month": row["BillingPeriodStart"][:7].replace("-", "")},
        "cost_type": {"Usage": "regular", "Tax": "tax", "Adjustment": "adjustment"}[row["ChargeCategory"]],
    }


def _gcp_carbon(month: Month) -> dict[str, Any]:
    return {
        "usage_month": f"{month}-01",
        "billing_account_id": "01A2B3-C4D5E6-F70819",
        "project": {"id": "shop-prod-4417", "number": "1"},
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "location": {"location": "europe-west1", "region": "europe-west1"},
        "carbon_model_version": 14,
        "carbon_footprint_kgCO2e": {
            "scope1": 0.5,
            "scope2": {"location_based": 20.25, "market_based": 2.0},
            "scope3": 4.0,
        },
        "carbon_footprint_total_kgCO2e": {"location_based": 24.75, "market_based": 6.5, "after_offsets": 0.0},
        "carbon_offsets_kgCO2e": 6.5,
    }


# all ----------------------------------------------------------------------------------------------------------------


def _files(folder: Path) -> Sequence[Path]:
    """Return the files of an export, manifests last."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (path.suffix == ".json", str(path)))


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait_for(url: str, process: "subprocess.Popen[bytes]", *, most_seconds: float = 200) -> None:
    """Wait until something answers at ``url``. Raises AssertionError if the process ends or says nothing."""
    until = time.monotonic() + most_seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url, timeout=5)
            return
        time.sleep(0.1)
    message = f"{url} does not answer"
    raise AssertionError(message)
