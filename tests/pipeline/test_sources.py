"""Laws of configured sources, on S3 as moto serves it: incremental, restated, isolated, conserved."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from offgridflow.cloud.door import Door
from offgridflow.cloud.events import Called, Event
from offgridflow.domain.errors import UsageError
from offgridflow.engines.model import Grain
from offgridflow.ledger import Ledger
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.model import IngestOptions, IngestResult, Ports
from offgridflow.pipeline.sources import SourceRun, chosen_sources, ingest_sources, settings_at_grain
from offgridflow.settings import Settings
from support.bench import Bench, money_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "billing-exports"
COLUMNS = (
    "bill_payer_account_id,bill_billing_period_start_date,line_item_usage_account_id,line_item_line_item_type,"
    "line_item_currency_code,line_item_usage_start_date,line_item_usage_amount,line_item_unblended_cost,"
    "line_item_product_code,line_item_usage_type,line_item_operation,line_item_resource_id,pricing_unit,product_sku,"
    "product_region_code,product_instance_type,product"
)


def bill(month: str, costs: list[str]) -> bytes:
    """Return a CUR 2.0 CSV.gz of m5.large hours, one per cost."""
    lines = [
        f"111,{month}-01T00:00:00Z,222,Usage,USD,{month}-02T0{hour}:00:00Z,1,{cost},AmazonEC2,BoxUsage:m5.large,"
        f'RunInstances,i-1,Hrs,SKU1,us-east-1,m5.large,"{{""product_name"": ""Amazon Elastic Compute Cloud""}}"'
        for hour, cost in enumerate(costs)
    ]
    return gzip.compress("\n".join([COLUMNS, *lines, ""]).encode(), mtime=0)


class Cloud:
    """A bucket with one export, as Data Exports writes it in overwrite mode."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def publish(self, month: str, costs: list[str], *, leave_out_the_part: bool = False) -> None:
        """Write a month, part first and manifest last."""
        key = f"cost/acme/data/BILLING_PERIOD={month}/acme-00001.csv.gz"
        if leave_out_the_part:
            self._client.delete_object(Bucket=BUCKET, Key=key)
        else:
            self._client.put_object(Bucket=BUCKET, Key=key, Body=bill(month, costs))
        manifest = {"executionId": "e", "columns": [], "dataFiles": [f"s3://{BUCKET}/{key}"]}
        self._client.put_object(
            Bucket=BUCKET,
            Key=f"cost/acme/metadata/BILLING_PERIOD={month}/acme-Manifest.json",
            Body=json.dumps(manifest).encode(),
        )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a moto server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield Cloud(client)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()


class Operator:
    """Runs the sources of one settings file again and again, and hears every call."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._folder = folder
        self.calls: list[str] = []
        source = {"type": "aws_data_export", "bucket": BUCKET, "prefix": "cost", "export": "acme"}
        self.sources: dict[str, dict[str, Any]] = {
            "aws-main": {**source, "endpoint_url": endpoint, "sts_endpoint_url": endpoint, "settle_minutes": 0},
        }
        self.bench = Bench(folder / "ledger")

    def _hear(self, event: Event) -> None:
        if isinstance(event, Called):
            self.calls.append(event.operation)

    def run(self, **options: Any) -> IngestResult:  # noqa: ANN401 - the fields of IngestOptions
        """Ingest all sources once."""
        self.calls.clear()
        run = SourceRun(
            ledger=Ledger.open(self.bench.uri, create=True),
            kitchen=kitchen_of(Settings()),
            options=IngestOptions(**options),
            ports=Ports(self._folder / "work"),
            cache_folder=self._folder / "cache",
            door=Door(listener=self._hear),
        )
        return ingest_sources(run, chosen_sources(self.sources, []))


@pytest.fixture
def operator(tmp_path: Path, endpoint: str) -> Operator:
    """An operator with one AWS source."""
    return Operator(tmp_path, endpoint)


def test_a_source_that_lists_nothing_says_so(cloud: Cloud, operator: Operator) -> None:
    """An empty listing is no failure, but a note that names the source: a wrong prefix looks like that."""
    assert [note.split(":")[0] for note in operator.run().notes] == ["aws-main"]
    cloud.publish("2025-05", ["0.1"])
    assert operator.run().notes == ()
    (note,) = operator.run(first_period="2025-06").notes
    assert "from 2025-06 to now" in note


def test_a_bucket_reaches_the_report_with_every_cent(cloud: Cloud, operator: Operator) -> None:
    """Every line of every published month is in the ledger under the source's own name, rated."""
    cloud.publish("2025-05", ["0.096", "0.10"])
    cloud.publish("2025-06", ["0.2"])
    result = operator.run()
    assert result.status == "ok"
    assert money_of(result) == Decimal("0.396")
    rows = operator.bench.query(
        "SELECT source, billing_period, sum(line_items)::BIGINT, bool_and(status = 'estimated') FROM emissions "
        "GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [("aws-main", "2025-05", 2, True), ("aws-main", "2025-06", 1, True)]
    assert operator.bench.digest()


def test_the_second_run_makes_no_data_request(cloud: Cloud, operator: Operator) -> None:
    """Nothing new costs listings and manifests only, and everything is unchanged."""
    cloud.publish("2025-06", ["0.2"])
    operator.run()
    first = len(operator.calls)
    digest = operator.bench.digest()
    again = operator.run()
    assert {period.status for period in again.periods} == {"unchanged"}
    assert len(operator.calls) < first
    assert operator.bench.digest() == digest


def test_full_reads_and_commits_again_what_is_unchanged(cloud: Cloud, operator: Operator) -> None:
    """With --full a month that was not restated is fetched and committed anew, with equal figures."""
    cloud.publish("2025-06", ["0.25"])
    operator.run()
    digest = operator.bench.digest()
    operator.calls.clear()
    again = operator.run(full=True)
    assert [period.status for period in again.periods] == ["committed"]
    assert "GetObject" in operator.calls
    assert operator.bench.digest() == digest


def test_a_restated_month_replaces_itself_alone(cloud: Cloud, operator: Operator) -> None:
    """A rewritten month is fetched again and replaces its period; the other month is unchanged."""
    cloud.publish("2025-05", ["0.1"])
    cloud.publish("2025-06", ["0.2"])
    operator.run()
    cloud.publish("2025-06", ["0.2", "0.3"])
    again = operator.run()
    assert [(period.billing_period, period.status) for period in again.periods] == [
        ("2025-05", "unchanged"),
        ("2025-06", "committed"),
    ]
    assert operator.bench.query("SELECT sum(billed_cost) FROM emissions") == [(Decimal("0.6"),)]


def test_a_missing_part_stops_its_month_and_no_other(cloud: Cloud, operator: Operator) -> None:
    """A listed file that is not there is no commit for that month, and the next run takes it up again."""
    cloud.publish("2025-05", ["0.1"])
    cloud.publish("2025-06", ["0.2"], leave_out_the_part=True)
    result = operator.run()
    assert result.status == "partial"
    assert [period.status for period in result.periods] == ["committed", "failed"]
    cloud.publish("2025-06", ["0.2"])
    assert operator.run().status == "ok"
    assert operator.bench.query("SELECT sum(billed_cost) FROM emissions") == [(Decimal("0.3"),)]


def test_lines_of_another_month_are_refused(cloud: Cloud, operator: Operator) -> None:
    """A delivery whose lines are of another billing period is not committed anywhere."""
    cloud.publish("2025-06", ["0.2"])
    key = "cost/acme/data/BILLING_PERIOD=2025-06/acme-00001.csv.gz"
    cloud._client.put_object(Bucket=BUCKET, Key=key, Body=bill("2025-04", ["1"]))  # noqa: SLF001 - this test's own cloud
    result = operator.run()
    assert result.periods[0].error is not None
    assert result.periods[0].error.code == "PERIOD_MISMATCH"
    assert operator.bench.query("SELECT count(*) FROM emissions") == [(0,)]


def test_a_failing_source_does_not_stop_the_others(cloud: Cloud, operator: Operator) -> None:
    """A source whose bucket is not there fails with its name and class; the other one is committed."""
    cloud.publish("2025-06", ["0.2"])
    operator.sources["aws-gone"] = {**operator.sources["aws-main"], "bucket": "no-such-bucket"}
    result = operator.run()
    assert [(period.source, period.status) for period in result.periods] == [
        ("aws-gone", "failed"),
        ("aws-main", "committed"),
    ]
    assert result.periods[0].error is not None
    assert result.periods[0].error.code == "PROVIDER_NOT_FOUND"


def test_a_range_of_periods_is_all_that_is_read(cloud: Cloud, operator: Operator) -> None:
    """--from and --to choose billing periods, both inclusive."""
    for month in ("2025-04", "2025-05", "2025-06"):
        cloud.publish(month, ["0.1"])
    result = operator.run(first_period="2025-05", last_period="2025-05")
    assert [period.billing_period for period in result.periods] == ["2025-05"]


def test_a_source_that_groups_takes_the_ledgers_grain() -> None:
    """A source that hands over groups gets the ledger's grain, and one that insists on another is refused."""
    grain = Grain(period="hour", resources=False, tag_keys=("team",))
    given = {"type": "bigquery_export", "table": "p.d.t"}
    assert settings_at_grain("gcp", given, grain) == {**given, "grain": "hour", "resources": False, "labels": ("team",)}
    assert settings_at_grain("aws", {"type": "aws_cur"}, grain) == {"type": "aws_cur"}
    with pytest.raises(UsageError, match=r"sources\.gcp\.labels"):
        settings_at_grain("gcp", {**given, "labels": ["owner"]}, grain)
