"""S3 as moto serves it, through the real boto3: a CUR 2.0 export is found, fetched, replaced, and read by a role."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from offgridflow.cloud.door import Door
from offgridflow.cloud.events import Called, Event
from offgridflow.connectors.buckets import BucketConnector, Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Connector, Delivery
from offgridflow.connectors.registry import connect
from offgridflow.domain.errors import UsageError
from offgridflow.domain.periods import Month

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "billing-exports"
ROOT = "cost//acme-cur2"
RUN = "2025-0{month}-18T20:16:37.306Z-3695a728-8cf2-4f24-8d2a-ffc97b552489"
HEADER = b"bill_billing_period_start_date,line_item_usage_type,line_item_unblended_cost\n"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Return the address of a moto server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator["S3Client"]:
    """Return a plain client of an empty bucket; the environment has the credentials, as in production."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=Config())
    client.create_bucket(Bucket=BUCKET)
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()


@pytest.fixture
def heard() -> list[Event]:
    """Return the list of what the door tells."""
    return []


@pytest.fixture
def source(endpoint: str, s3: "S3Client", heard: list[Event], tmp_path: Path) -> Connector:
    """Return the connector under test."""
    return connected(endpoint, heard, tmp_path)


def connected(endpoint: str, heard: list[Event], folder: Path, **settings: object) -> Connector:
    table = {"type": "aws_data_export", "bucket": BUCKET, "prefix": "cost/", "endpoint_url": endpoint, **settings}
    table["sts_endpoint_url"] = endpoint
    made = connect(table, Surroundings("acme", Door(listener=heard.append), Cache(folder / "manifests")))
    assert isinstance(made, BucketConnector)
    return made


def body(rows: int, month: int) -> bytes:
    lines = (f"2025-0{month}-01,BoxUsage:m5.large,{row}.25\n".encode() for row in range(rows))
    return gzip.compress(HEADER + b"".join(lines), mtime=0)


def deliver(s3: "S3Client", month: int, bodies: list[bytes]) -> list[str]:
    partition = f"BILLING_PERIOD=2025-0{month}"
    run = RUN.format(month=month)
    keys = [f"{ROOT}/data/{partition}/{run}/acme-cur2-{number:05d}.csv.gz" for number in range(1, len(bodies) + 1)]
    for key, content in zip(keys, bodies, strict=True):
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    manifest = {
        "executionId": run,
        "dataFiles": [f"s3://{BUCKET}/{key}" for key in keys],
        "columns": [{"name": "bill_billing_period_start_date"}, {"name": "line_item_usage_type"}],
    }
    s3.put_object(
        Bucket=BUCKET, Key=f"{ROOT}/metadata/{partition}/acme-cur2-Manifest.json", Body=json.dumps(manifest).encode()
    )
    return keys


def deliveries(source: Connector, **span: Month) -> list[Delivery]:
    found = list(source.discover(**span))
    assert all(isinstance(each, Delivery) for each in found), found
    return [each for each in found if isinstance(each, Delivery)]


def calls(heard: list[Event]) -> list[str]:
    return [event.operation for event in heard if isinstance(event, Called)]


def test_a_delivery_is_found_and_fetched_byte_for_byte(s3: "S3Client", source: Connector, tmp_path: Path) -> None:
    """Months come oldest first, with sizes from the listing; what is fetched is what was put, with // and : in keys."""
    keys = deliver(s3, 2, [body(3, 2)])
    content = [body(1000, 1), body(10, 1)]
    deliver(s3, 1, content)
    january, february = deliveries(source)
    assert [january.billing_period, february.billing_period] == [Month(2025, 1), Month(2025, 2)]
    assert january.format_hint == "aws_cur2"
    assert [part.key for part in february.parts] == keys
    assert january.size_bytes == sum(map(len, content))
    parts = source.fetch(january, Cache(tmp_path / "cache"))
    assert [part.path.read_bytes() for part in parts] == content
    assert parts[0].name == f"s3://{BUCKET}/{january.parts[0].key}"


def test_a_second_identical_run_lists_and_reads_nothing(
    s3: "S3Client", source: Connector, heard: list[Event], tmp_path: Path
) -> None:
    """An unchanged source costs one listing: no manifest, no head, no data request."""
    deliver(s3, 1, [body(5, 1)])
    first = deliveries(source)
    source.fetch(first[0], Cache(tmp_path / "cache"))
    heard.clear()
    second = deliveries(source)
    source.fetch(second[0], Cache(tmp_path / "cache"))
    assert second == first
    assert calls(heard) == ["ListObjectsV2"]


def test_a_restated_month_has_another_fingerprint(s3: "S3Client", source: Connector) -> None:
    """A month written anew changes its own fingerprint and no other."""
    deliver(s3, 1, [body(5, 1)])
    deliver(s3, 2, [body(5, 2)])
    before = deliveries(source)
    deliver(s3, 1, [body(6, 1)])
    after = deliveries(source)
    assert after[0].fingerprint != before[0].fingerprint
    assert after[1] == before[1]


def test_only_wanted_months_are_listed(endpoint: str, s3: "S3Client", heard: list[Event], tmp_path: Path) -> None:
    """With the export's name, listing starts at the first wanted month; the manifests of others are never read."""
    for month in (1, 2, 3):
        deliver(s3, month, [body(1, month)])
    source = connected(endpoint, heard, tmp_path, prefix="cost/", export="acme-cur2")
    heard.clear()
    found = deliveries(source, since=Month(2025, 2), until=Month(2025, 2))
    assert [each.billing_period for each in found] == [Month(2025, 2)]
    assert calls(heard) == ["ListObjectsV2"] * 4 + ["GetObject"], "with one and with two slashes, data and metadata"


def test_a_role_of_another_account_reads_the_bucket(
    endpoint: str, s3: "S3Client", heard: list[Event], tmp_path: Path
) -> None:
    """With role_arn all calls are signed by the role's keys, and check says who we became."""
    deliver(s3, 1, [body(2, 1)])
    role = "arn:aws:iam::123456789012:role/reader"
    source = connected(endpoint, heard, tmp_path, role_arn=role, external_id="canary-external-id")
    [found] = deliveries(source)
    assert [part.path.read_bytes() for part in source.fetch(found, Cache(tmp_path / "cache"))] == [body(2, 1)]
    report = source.check()
    assert report.ok
    assert "assumed-role/reader/offgridflow" in report.steps[0].detail
    assert "canary" not in repr((report, heard, source))


def test_check_names_a_bucket_that_is_not_there(
    endpoint: str, s3: "S3Client", heard: list[Event], tmp_path: Path
) -> None:
    """A wrong name fails in the second step, with its cause and without a guess at permissions."""
    report = connected(endpoint, heard, tmp_path, bucket="no-such-bucket").check()
    assert [(step.name, step.ok) for step in report.steps] == [("identity", True), ("list", False)]
    assert "NoSuchBucket" in report.steps[1].detail
    assert report.steps[1].missing is None


def test_two_exports_under_one_prefix_are_refused(s3: "S3Client", source: Connector) -> None:
    """Nobody knows which of them the source is, so it says both names and the setting that decides."""
    deliver(s3, 1, [body(2, 1)])
    s3.put_object(Bucket=BUCKET, Key="cost/b/metadata/BILLING_PERIOD=2025-01/other-Manifest.json", Body=b"{}")
    with pytest.raises(UsageError, match="acme-cur2, other"):
        list(source.discover())


def test_an_object_in_pieces_is_taken_without_a_checksum(s3: "S3Client", source: Connector, tmp_path: Path) -> None:
    """The ETag of a multipart upload is no MD5 and is not taken for one; size and ETag still hold."""
    content = body(10, 1) + b"\0" * (5 * 2**20)
    [key] = deliver(s3, 1, [content])
    client: Any = s3
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    pieces = [content[: 5 * 2**20], content[5 * 2**20 :]]
    where = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    tags = [
        {"PartNumber": number, "ETag": client.upload_part(**where, PartNumber=number, Body=piece)["ETag"]}
        for number, piece in enumerate(pieces, start=1)
    ]
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": tags})
    source_now = datetime.now(UTC) + timedelta(days=1)
    connector = connect(
        {"type": "aws_data_export", "bucket": BUCKET, "prefix": "cost/", "endpoint_url": s3.meta.endpoint_url},
        Surroundings("acme", Door(), Cache(tmp_path / "manifests"), now=lambda: source_now),
    )
    assert isinstance(connector, BucketConnector)
    [found] = deliveries(connector)
    assert found.parts[0].etag.strip('"').endswith("-2")
    [part] = connector.fetch(found, Cache(tmp_path / "cache"))
    assert hashlib.sha256(part.path.read_bytes()).digest() == hashlib.sha256(content).digest()
