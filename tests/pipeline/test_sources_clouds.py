"""Laws of configured sources, alike on all three clouds, over real sockets (test_sources.py has S3 as moto has it)."""

import gc
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from offgridflow.cloud.door import Door
from offgridflow.connectors.buckets import BucketConnector, Surroundings
from offgridflow.connectors.delivery import Connector
from offgridflow.connectors.registry import connect
from offgridflow.connectors.reports import ReportConnector
from offgridflow.ledger import Ledger
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.model import IngestOptions, IngestResult, Ports
from offgridflow.pipeline.sources import SourceRun, ingest_sources
from offgridflow.settings import Settings
from offgridflow.testing import Answer, Dialect, FakeBucket
from support.avro_unload import gcp_avro
from support.bench import Bench, money_of
from support.exports import AWS, AZURE, GCS, Upstream, gcp_json, gcp_line

CREDIT = {AWS: Decimal(0), AZURE: Decimal(0), GCS: Decimal("-0.01")}
"""What comes off each line of the samples."""


class Operator:
    """Runs one source again and again, and knows what was asked of its cloud."""

    def __init__(self, upstream: Upstream, folder: Path) -> None:
        self.upstream = upstream
        self.bench = Bench(folder / "ledger")
        self._folder = folder

    def run(self, **options: Any) -> IngestResult:  # noqa: ANN401 - the fields of IngestOptions
        """Ingest the source once."""
        return ingest_sources(self.shared(**options), {"acme": self.upstream.settings()})

    def shared(self, **options: Any) -> SourceRun:  # noqa: ANN401 - the fields of IngestOptions
        """Return what the sources of a run share."""
        return SourceRun(
            ledger=Ledger.open(self.bench.uri, create=True),
            kitchen=kitchen_of(Settings()),
            options=IngestOptions(**options),
            ports=Ports(self._folder / "work"),
            cache_folder=self._folder / "cache",
            door=Door(),
        )

    def net(self, *costs: str) -> Decimal:
        """Return what lines with these costs bill after credits."""
        return sum((Decimal(cost) + CREDIT[self.upstream.kind] for cost in costs), Decimal(0))


def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give AWS's default chain something to find."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@pytest.fixture(params=[(AWS, Dialect.S3), (AZURE, Dialect.AZURE_BLOB), (GCS, Dialect.GOOGLE)], ids=[AWS, AZURE, GCS])
def operator(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """An operator of each kind of source, over an empty bucket."""
    aws_credentials(monkeypatch)
    kind, dialect = request.param
    with FakeBucket(dialect) as bucket:
        yield Operator(Upstream(kind, bucket), tmp_path)


def test_a_bill_reaches_the_report_with_every_cent(operator: Operator) -> None:
    """Every line of every published month is in the ledger under the source's own name, rated, to the cent."""
    operator.upstream.publish("2025-05", ["0.96", "1.10"])
    operator.upstream.publish("2025-06", ["0.2"])
    result = operator.run()
    assert [(each.billing_period, each.status, each.line_items) for each in result.periods] == [
        ("2025-05", "committed", 2),
        ("2025-06", "committed", 1),
    ]
    assert money_of(result) == operator.net("0.96", "1.10", "0.2")
    rows = operator.bench.query(
        "SELECT source, billing_period, sum(line_items)::BIGINT, bool_and(status = 'estimated') FROM emissions "
        "WHERE charge_class = 'usage' GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [("acme", "2025-05", 2, True), ("acme", "2025-06", 1, True)]
    assert operator.bench.query("SELECT sum(billed_cost) FROM emissions") == [(money_of(result),)]
    assert operator.bench.digest()


def test_the_second_run_makes_no_data_request(operator: Operator) -> None:
    """Nothing new costs the pages of one listing, and everything is unchanged."""
    operator.upstream.publish("2025-05", ["0.1"])
    operator.upstream.publish("2025-06", ["0.2"])
    operator.run()
    digest = operator.bench.digest()
    before = len(operator.upstream.bucket.requests)
    again = operator.run()
    sent = operator.upstream.bucket.requests[before:]
    assert {period.status for period in again.periods} == {"unchanged"}
    assert sent
    assert all(operator.upstream.bucket.is_list(seen) for seen in sent)
    assert operator.bench.digest() == digest


def test_a_restated_month_replaces_itself_alone(operator: Operator) -> None:
    """A rewritten month is fetched again and replaces its period; of the other nothing is asked."""
    operator.upstream.publish("2025-05", ["0.1"])
    operator.upstream.publish("2025-06", ["0.2"])
    operator.run()
    operator.upstream.publish("2025-06", ["0.2", "0.3"])
    before = len(operator.upstream.bucket.requests)
    again = operator.run()
    assert [(period.billing_period, period.status) for period in again.periods] == [
        ("2025-05", "unchanged"),
        ("2025-06", "committed"),
    ]
    assert money_of(again) == operator.net("0.1", "0.2", "0.3")
    read = {seen.path for seen in operator.upstream.bucket.requests[before:]}
    assert operator.upstream.bucket.path_of(operator.upstream.key_of("2025-05")) not in read
    assert operator.bench.query("SELECT sum(line_items)::BIGINT FROM emissions") == [(3,)]


def test_a_missing_part_stops_its_month_and_no_other(operator: Operator) -> None:
    """A part that goes between listing and reading is no commit for its month, and the next run takes it up again."""
    operator.upstream.publish("2025-05", ["0.1"])
    operator.upstream.publish("2025-06", ["0.2"], leave_out_the_part=operator.upstream.kind != GCS)
    if operator.upstream.kind == GCS:  # there is no manifest that could list what is not there
        key = operator.upstream.key_of("2025-06")
        path = operator.upstream.bucket.path_of(key)
        operator.upstream.bucket.inject(Answer(404, "notFound"), path=path)
    result = operator.run()
    assert [period.status for period in result.periods] == ["committed", "failed"]
    assert result.periods[1].error is not None
    assert result.periods[1].error.code in {"MISSING_PART", "CHANGED_UNDER_WAY"}
    operator.upstream.publish("2025-06", ["0.2"])
    assert operator.run().status == "ok"
    assert operator.bench.query("SELECT sum(line_items)::BIGINT FROM emissions") == [(2,)]


def test_lines_of_another_month_are_refused(operator: Operator) -> None:
    """A delivery whose lines are of another billing period is not committed anywhere."""
    operator.upstream.publish("2025-06", ["0.2"])
    key = operator.upstream.key_of("2025-06")
    folder = key.rpartition("/")[0]
    operator.upstream.bucket.write(key, operator.upstream.bill("2025-04", ["1"]))
    if operator.upstream.kind == AZURE:
        _resize_manifest(operator.upstream, f"{folder}/manifest.json", key)
    [period] = operator.run().periods
    assert period.error is not None
    assert period.error.code == "PERIOD_MISMATCH"
    assert operator.bench.query("SELECT count(*) FROM emissions") == [(0,)]


def _resize_manifest(upstream: Upstream, manifest: str, key: str) -> None:
    told = json.loads(upstream.bucket.things[manifest].content)
    size = len(upstream.bucket.things[key].content)
    told["byteCount"] = told["blobs"][0]["byteCount"] = size
    upstream.bucket.write(manifest, json.dumps(told).encode())


def test_an_amortised_export_counts_by_its_effective_cost(tmp_path: Path) -> None:
    """Actual and amortised exports of one scope never both count: the source must name one of them."""
    with FakeBucket(Dialect.AZURE_BLOB) as bucket:
        upstream = Upstream(AZURE, bucket)
        upstream.publish("2025-05", ["0.1"])
        for key, thing in list(bucket.things.items()):
            other = key.replace("acme/daily/", "acme/other/")
            content = (
                thing.content.replace(b"ActualCost", b"AmortizedCost")
                .replace(b'"daily"', b'"other"')
                .replace(b"acme/daily/", b"acme/other/")
            )
            bucket.write(other, content if key.endswith(".json") else thing.content)
        operator = Operator(upstream, tmp_path)
        table = upstream.settings()
        run = operator.shared()
        refused = ingest_sources(run, {"acme": table})
        assert {period.status for period in refused.periods} == {"failed"}
        chosen = ingest_sources(run, {"acme": {**table, "cost_type": "actual"}})
        assert [(period.status, period.line_items) for period in chosen.periods] == [("committed", 1)]


TIMES = ("usage_start_time", "usage_end_time")


def parquet_unload(folder: Path) -> bytes:
    """Return the unload of two lines as Parquet, with the nesting that BigQuery writes."""
    lines, path = folder / "lines.json", folder / "unload.parquet"
    lines.write_text("\n".join(json.dumps(gcp_line("2025-05", cost, day)) for day, cost in ((1, "0.1"), (2, "0.2"))))
    con = duckdb.connect()
    times = ", ".join(f"CAST(replace({name}, ' UTC', '+00') AS TIMESTAMPTZ) AS {name}" for name in TIMES)
    con.execute(f"COPY (SELECT * REPLACE ({times}) FROM read_json('{lines}')) TO '{path}' (FORMAT parquet)")
    con.close()
    return path.read_bytes()


def test_json_parquet_and_avro_unloads_of_a_table_give_equal_figures(tmp_path: Path) -> None:
    """How a table was unloaded changes no figure of the ledger, credits, labels and excluded lines included."""
    seen = []
    unloads = {
        "a.json.gz": gcp_json("2025-05", ["0.1", "0.2"]),
        "b": parquet_unload(tmp_path),
        **{f"{codec}.avro": gcp_avro("2025-05", ["0.1", "0.2"], codec) for codec in ("null", "deflate", "snappy")},
    }
    for name, content in unloads.items():
        with FakeBucket(Dialect.GOOGLE) as bucket:
            bucket.write(f"acme/invoice_month=2025-05/{name}", content)
            operator = Operator(Upstream(GCS, bucket), tmp_path / name)
            assert operator.run().status == "ok"
            columns = "* EXCLUDE (source, billing_period, commit_id)"
            seen.append(operator.bench.query(f"SELECT {columns} FROM emissions ORDER BY ALL"))
    assert len(seen[0]) >= 2
    assert all(rows == seen[0] for rows in seen)


def test_a_cut_avro_shard_holds_up_its_month_alone_and_an_empty_one_nothing(tmp_path: Path) -> None:
    """A month with a cut shard is no commit; one with a shard without rows is committed with the rows of the others."""
    with FakeBucket(Dialect.GOOGLE) as bucket:
        upstream = Upstream(GCS, bucket)
        whole = gcp_avro("2025-05", ["0.1", "0.2"])
        bucket.write("acme/invoice_month=2025-05/000.avro", gcp_avro("2025-05", ["0.3"]))
        bucket.write("acme/invoice_month=2025-05/001.avro", whole[:-20])
        bucket.write("acme/invoice_month=2025-06/000.avro", gcp_avro("2025-06", ["0.1", "0.2"]))
        bucket.write("acme/invoice_month=2025-06/001.avro", gcp_avro("2025-06", []))
        operator = Operator(upstream, tmp_path)
        result = operator.run()
        bucket.write("acme/invoice_month=2025-05/001.avro", whole)
        mended = operator.run()
    assert [(each.line_items, each.billed_cost) for each in result.periods[1:]] == [
        (2, Decimal("0.28"))
    ]  # with a credit of a cent a line
    assert [(each.status, each.line_items) for each in mended.periods] == [("committed", 3), ("unchanged", 2)]
    assert [(each.billing_period, each.status) for each in result.periods] == [
        ("2025-05", "failed"),
        ("2025-06", "committed"),
    ]
    assert result.periods[0].error is not None
    assert result.periods[0].error.code == "CUT_AVRO"


def test_many_accounts_in_one_run_cost_no_more_memory_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources come and go one after another, and no connector outlives its source (bench/accounts.py runs 1,203)."""
    aws_credentials(monkeypatch)
    held: list[int] = []
    with FakeBucket(Dialect.AZURE_BLOB, page_items=1000) as blobs, FakeBucket(Dialect.S3, page_items=1000) as objects:
        upstreams = [Upstream(AZURE, blobs, f"sub-{number}") for number in range(8)]
        upstreams += [Upstream(AWS, objects, f"{number:012d}") for number in range(4)]
        for upstream in upstreams:
            upstream.publish("2025-05", ["0.1"])
        run = Operator(upstreams[0], tmp_path).shared()
        names = {f"source-{number:02d}": upstream.settings() for number, upstream in enumerate(upstreams)}

        def made(settings: Mapping[str, object], around: Surroundings) -> Connector | ReportConnector:
            gc.collect()
            held.append(sum(isinstance(each, BucketConnector) for each in gc.get_objects()))
            return connect(settings, around)

        result = ingest_sources(run, names, made)
        assert result.status == "ok"
        assert len(result.periods) == 12
        assert max(held) <= 1, "a connector outlives its source"
        reads = [len(bucket.reads()) for bucket in (blobs, objects)]
        assert {period.status for period in ingest_sources(run, names).periods} == {"unchanged"}
        assert [len(bucket.reads()) for bucket in (blobs, objects)] == reads
    assert run.ledger.snapshot().version == 12
