"""The CARBON_EMISSIONS export in S3 as moto serves it: both layouts, any columns, model versions side by side."""

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
import pytest
from moto.server import ThreadedMotoServer

from offgridflow.connectors.aws.carbon_export import FIGURES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "carbon-exports"
Site = Any  # tests/reported/conftest.py: test folders are not packages
CELL = {
    "last_refresh_timestamp": "2025-08-15 00:00:00Z",
    "location": "Europe (Ireland)",
    "model_version": "v3.0.0",
    "payer_account_id": "111122223333",
    "product_code": "AmazonEC2",
    "region_code": "eu-west-1",
    "usage_account_id": "444455556666",
    "usage_period_start": "2025-07-01T00:00:00.000Z",
    "usage_period_end": "2025-08-01T00:00:00.000Z",
}
OLD_COLUMNS = (
    *(name for name in CELL if name != "region_code"),
    "total_mbm_emissions_value",
    "total_mbm_emissions_unit",
)


def record(tonnes: str, **more: str) -> dict[str, str]:
    """Return a row of all 23 columns with one figure throughout; scope 3 market is empty."""
    figures = {f"{stem}_value": tonnes for stem in FIGURES} | {f"{stem}_unit": "MTCO2e" for stem in FIGURES}
    return {**CELL, **figures, "total_scope_3_mbm_emissions_value": "", **more}


def packed(records: Sequence[dict[str, str]], columns: Sequence[str] | None = None) -> bytes:
    names = tuple(columns or records[0])
    lines = [",".join(names), *(",".join(f'"{each[name]}"' for name in names) for each in records), ""]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


class Bucket:
    """The bucket of one export, in overwrite mode; ``key`` is the spelling of the partition."""

    def __init__(self, client: "S3Client", endpoint: str) -> None:
        self.client = client
        self.endpoint = endpoint
        self.key = "carbon_model_version"

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def publish(self, content: bytes, version: str = "v3.0.0", month: str = "2025-07", suffix: str = "csv.gz") -> None:
        """Write a partition: the file, then its manifest."""
        partition = f"{self.key}={version}/usage_period={month}"
        key = f"pfx/carbon/data/{partition}/carbon-00001.{suffix}"
        self.put(key, content)
        manifest = {"executionId": "e", "dataFiles": [f"s3://{BUCKET}/{key}"]}
        self.put(f"pfx/carbon/metadata/{partition}/carbon-Manifest.json", json.dumps(manifest).encode())

    def settings(self, **more: object) -> dict[str, object]:
        """Return the settings of a source that reads here."""
        return {
            "type": "aws_carbon_export",
            "bucket": BUCKET,
            "prefix": "pfx",
            "export": "carbon",
            "endpoint_url": self.endpoint,
            "sts_endpoint_url": self.endpoint,
            **more,
        }


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a moto server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield Bucket(client, endpoint)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()


@pytest.mark.parametrize("spelling", ["model_version", "carbon_model_version"])
def test_both_partition_layouts_give_all_figures_in_kilograms(bucket: Bucket, site: Site, spelling: str) -> None:
    """As documented and as delivered: seven figures, 1 MTCO2e = 1000 kg, an empty cell is null."""
    bucket.key = spelling
    bucket.publish(packed([record("0.25"), record("2", product_code="AmazonS3")]))
    result = site.run(settings=bucket.settings())
    assert [(each.billing_period, each.status, each.line_items) for each in result.periods] == [
        ("2025-07", "committed", 2)
    ]
    first, second = site.rows("service_name")
    assert {first[column] for column in FIGURES.values()} == {250, None}
    assert second["scope_2_location_kgco2e"] == 2000
    assert second["scope_3_market_kgco2e"] is None
    assert (first["billing_account_id"], first["sub_account_id"]) == ("111122223333", "444455556666")
    assert (first["region_id"], first["model_version"], first["unit_given"]) == ("eu-west-1", "v3.0.0", "MTCO2e")
    assert json.loads(first["given"])["total_lbm_emissions"] == 0.25


def test_old_column_sets_are_read(bucket: Bucket, site: Site) -> None:
    """Eleven columns, market-based total only: everything else is null, and the place's name stands for its code."""
    bucket.publish(packed([record("1.5")], OLD_COLUMNS))
    site.run(settings=bucket.settings())
    (row,) = site.rows()
    assert row["total_market_kgco2e"] == 1500
    assert {row[column] for column in FIGURES.values() if column != "total_market_kgco2e"} == {None}
    assert row["region_id"] == "Europe (Ireland)"


def test_model_versions_of_a_month_are_all_kept(bucket: Bucket, site: Site) -> None:
    """AWS delivers the old and the new model for three months; both are in the ledger, told apart by their version."""
    bucket.publish(packed([record("1")]))
    bucket.publish(packed([record("3", model_version="v4.0.0")]), version="v4.0.0")
    site.run(settings=bucket.settings())
    rows = site.rows("model_version")
    assert [(row["model_version"], row["total_location_kgco2e"]) for row in rows] == [
        ("v3.0.0", 1000),
        ("v4.0.0", 3000),
    ]


def test_an_unchanged_export_costs_its_listing_and_a_restated_month_is_replaced(bucket: Bucket, site: Site) -> None:
    """ETags tell: a second run reads no file; a rewritten one replaces its month, and the old rows stay readable."""
    bucket.publish(packed([record("1")]))
    bucket.publish(packed([record("5", usage_period_start="2025-06-01")]), month="2025-06")
    site.run(settings=bucket.settings())
    before = site.ledger.reported.head().version
    assert {each.status for each in site.run(settings=bucket.settings()).periods} == {"unchanged"}
    assert {operation for operation, _ in site.outcomes} == {"ListObjectsV2"}
    bucket.publish(packed([record("2")]))
    statuses = {each.billing_period: each.status for each in site.run(settings=bucket.settings()).periods}
    assert statuses == {"2025-06": "unchanged", "2025-07": "committed"}
    assert [row["scope_1_kgco2e"] for row in site.rows("month")] == [5000, 2000]
    assert [row["scope_1_kgco2e"] for row in site.rows("month", before)] == [5000, 1000]


def test_full_commits_again_what_is_unchanged(bucket: Bucket, site: Site) -> None:
    """With --full an equal month is read and committed again, as that of a bill is; the figures stay what they were."""
    bucket.publish(packed([record("1")]))
    site.run(settings=bucket.settings())
    before, rows = site.ledger.reported.head(), site.rows()
    assert [each.status for each in site.run(settings=bucket.settings(), full=True).periods] == ["committed"]
    after = site.ledger.reported.head()
    assert after.version == before.version + 1
    assert {key: each.content_digest for key, each in after.reports.items()} == {
        key: each.content_digest for key, each in before.reports.items()
    }
    assert site.rows() == rows
    assert [each.status for each in site.run(settings=bucket.settings()).periods] == ["unchanged"]


def test_equal_figures_in_another_file_are_read_once(bucket: Bucket, site: Site) -> None:
    """A month that is published anew with equal figures is read by the next run, and by none after it."""
    bucket.publish(packed([record("1")]))
    site.run(settings=bucket.settings())
    rows = site.rows()
    bucket.publish(packed([record("1")], columns=[*reversed(record("1"))]))
    assert [each.status for each in site.run(settings=bucket.settings()).periods] == ["committed"]
    assert [each.status for each in site.run(settings=bucket.settings()).periods] == ["unchanged"]
    assert {operation for operation, _ in site.outcomes} == {"ListObjectsV2"}
    assert site.rows() == rows


def test_parquet_gives_the_same_rows(bucket: Bucket, site: Site, tmp_path: Path) -> None:
    """Doubles, timestamps and nulls of Parquet are read as the CSV's texts are."""
    names = ", ".join(f"'{value}' AS {name}" for name, value in CELL.items() if "period" not in name)
    figures = ", ".join(f"0.1::DOUBLE AS {stem}_value, 'MTCO2e' AS {stem}_unit" for stem in list(FIGURES)[:-1])
    last = list(FIGURES)[-1]
    path = tmp_path / "carbon.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT {names}, {figures}, NULL::DOUBLE AS {last}_value, NULL::VARCHAR AS {last}_unit, "
            f"TIMESTAMP '2025-07-01' AS usage_period_start, TIMESTAMP '2025-08-01' AS usage_period_end) "
            f"TO '{path}' (FORMAT parquet)"
        )
    bucket.publish(path.read_bytes(), suffix="snappy.parquet")
    assert site.run(settings=bucket.settings()).status == "ok"
    (row,) = site.rows()
    assert row["scope_1_kgco2e"] == 100
    assert row["scope_3_market_kgco2e"] is None


def test_without_a_manifest_the_newest_run_counts_once_it_has_settled(bucket: Bucket, site: Site) -> None:
    """Where no manifest says what is whole: files of the newest execution, an hour after the last was written."""
    folder = "pfx/carbon/data/carbon_model_version=v3.0.0/usage_period=2025-07"
    bucket.put(f"{folder}/2025-08-15T20:16:37.306Z-aa/carbon-00001.csv.gz", packed([record("1")]))
    bucket.put(f"{folder}/2025-08-16T20:16:37.306Z-bb/carbon-00001.csv.gz", packed([record("2")]))
    site.now = datetime.now(tz=UTC)
    (failed,) = site.run(settings=bucket.settings()).periods
    assert failed.error.code == "DELIVERY_UNDER_WAY"
    site.now += timedelta(hours=2)
    assert site.run(settings=bucket.settings()).status == "ok"
    assert [row["scope_1_kgco2e"] for row in site.rows()] == [2000]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (packed([record("1", total_scope_1_emissions_unit="")]), "UNKNOWN_UNIT"),
        (packed([record("1", usage_period_start="2025-06-01")]), "NO_PERIOD"),
        (packed([record("many")]), "UNREADABLE"),
        (packed([record("1"), record("1")]), "REPORTED_TWICE"),
        (packed([record("1")], [name for name in record("1") if name != "model_version"]), "MISSING_COLUMN"),
        (gzip.compress(b'a,model_version,usage_account_id,usage_period_start\n"1,2\n'), "UNREADABLE"),
        (gzip.compress(b"model_version,usage_account_id,usage_period_start\n1\n"), "UNREADABLE"),
    ],
)
def test_what_cannot_be_meant_fails_its_month_alone(bucket: Bucket, site: Site, content: bytes, code: str) -> None:
    """A wrong month is named and not taken; the other one is."""
    bucket.publish(packed([record("5", usage_period_start="2025-06-01")]), month="2025-06")
    bucket.publish(content)
    result = site.run(settings=bucket.settings())
    assert result.status == "partial"
    assert [(each.billing_period, each.error.code) for each in result.periods if each.error] == [("2025-07", code)]
    assert [row["scope_1_kgco2e"] for row in site.rows()] == [Decimal(5000)]


def test_side_files_are_no_parts_and_check_reads_one(bucket: Bucket, site: Site) -> None:
    """What lies beside the partitions is left alone; the check lists and reads as for bills."""
    bucket.publish(packed([record("1")]))
    bucket.put("pfx/carbon/metadata/carbon_model_version=v3.0.0/usage_period=2025-07/other.json", b"{}")
    bucket.put("pfx/carbon/data/readme.txt", b"x")
    bucket.put("pfx/carbon/data/carbon_model_version=v3.0.0/usage_period=2025-13/carbon-00001.csv.gz", b"x")
    assert [each.status for each in site.run(settings=bucket.settings()).periods] == ["committed"]
    assert site.connector(bucket.settings()).check().ok
