"""Three clouds at once, each with an account's export, for whole runs over real sockets.

AWS as moto has it, Azure and Google Cloud as the project's own fakes have them.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final
from unittest.mock import patch

import boto3
from moto.server import ThreadedMotoServer

from offgridflow.testing import Dialect, FakeBucket
from offgridflow.testing.bigquery import FakeBigQuery
from support.bigquery_bill import PROJECT, SCHEMA, TABLE, line
from support.exports import AWS, AZURE, Upstream, aws_bill

MONTHS: Final = ("2025-05", "2025-06")
SOAK: Final = bool(os.environ.get("OFFGRIDFLOW_SOAK"))
PERIODS: Final = {
    "aws-main": MONTHS,
    "azure-main": MONTHS if SOAK else MONTHS[:1],
    "gcp-main": MONTHS if SOAK else MONTHS[:1],
}
"""The months of each source: two, or where time is short one of all but the first."""
COSTS: Final = ("0.1", "0.25")
MONTH_COST: Final = Decimal("0.35")
"""What every month of every source costs, in its own currency."""
BIGQUERY: Final = "bigquery_export"

Sources = Mapping[str, Mapping[str, Any]]


@contextmanager
def _moto() -> Iterator[dict[str, Any]]:
    """Serve the bucket of a data export, with credentials in the environment, and yield the source's table."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    own = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary"}
    try:
        with patch.dict(os.environ, {**own, "AWS_CONFIG_FILE": os.devnull}):
            client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
            client.create_bucket(Bucket="acme-aws")
            for month in PERIODS["aws-main"]:
                _publish(client, "acme-aws", month)
            client.close()
            where = {"endpoint_url": url, "sts_endpoint_url": url, "settle_minutes": 0}
            yield {"type": AWS, "bucket": "acme-aws", "prefix": "cost", "export": "acme", **where}
    finally:
        server.stop()


def _publish(client: Any, bucket: str, month: str) -> None:  # noqa: ANN401 - an S3 client
    """Publish a month as Data Exports does: the part first, the manifest last."""
    key = f"cost/acme/data/BILLING_PERIOD={month}/acme-00001.csv.gz"
    client.put_object(Bucket=bucket, Key=key, Body=aws_bill(month, COSTS))
    manifest = {"executionId": "e", "columns": [], "dataFiles": [f"s3://{bucket}/{key}"]}
    place = f"cost/acme/metadata/BILLING_PERIOD={month}/acme-Manifest.json"
    client.put_object(Bucket=bucket, Key=place, Body=json.dumps(manifest).encode())


def _lines() -> list[dict[str, Any]]:
    return [
        line(cost=float(cost), usage_start_time=f"{month}-0{day}T10:00:00Z", invoice={"month": month.replace("-", "")})
        for month in PERIODS["gcp-main"]
        for day, cost in enumerate(COSTS, start=1)
    ]


@contextmanager
def three_clouds() -> Iterator[Sources]:
    """Yield the tables of all sources, whose clouds run in this process and are reached over its loopback."""
    with _moto() as aws, FakeBucket(Dialect.AZURE_BLOB) as bucket, FakeBigQuery(PROJECT) as warehouse:
        azure = Upstream(AZURE, bucket)
        for month in PERIODS["azure-main"]:
            azure.publish(month, COSTS)
        warehouse.create(TABLE, SCHEMA, _lines())
        gcp = {"type": BIGQUERY, "table": TABLE, "endpoint_url": warehouse.url, "anonymous": True}
        yield dict(zip(PERIODS, (aws, azure.settings(), gcp), strict=True))
