"""Traces and metrics: what comes out, where, and only when asked for."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from offgridflow.cloud import telemetry
from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.errors import Failure, TransientError
from offgridflow.cloud.events import (
    Alerted,
    Called,
    Event,
    Lagged,
    PageFetched,
    PeriodDone,
    Received,
    Retried,
    Scanned,
    SpanKind,
    listeners,
    span,
)
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.cloud.telemetry import INSTRUMENTS, Attribute, Kind, Metric, TelemetrySettings, measurements
from offgridflow.domain.errors import MissingExtraError
from offgridflow.testing import FakeCloud, Reply, SimulatedTime

DOCS = Path(__file__).parents[2] / "docs" / "cloud.md"
EVENTS: list[Event] = [
    Called("aws", "Get", "ok", 0.2, 0.0, 99.0, 500),
    Called("aws", "Get", "transient", 4.0, 2.0, 98.0, 486),
    Retried("aws", "Get", 1, 1.0, "transient"),
    PageFetched("aws", "List", 1, 7, 7),
    Received("aws", "Get", 1_000),
    Scanned("aws", "scan", 250),
    PeriodDone("aws", "ingest", "committed"),
    Lagged("billing", 7_200.0),
    Alerted("source_stale"),
]


def points(reader: InMemoryMetricReader) -> dict[str, list[dict[str, object]]]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: [
            {**dict(point.attributes or {}), "n": getattr(point, "value", None), "sum": getattr(point, "sum", None)}
            for point in metric.data.data_points
        ]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }


def test_metrics_of_events() -> None:
    """Counters count, histograms sum, gauges hold the last value; each with the attributes that are declared for it."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    listener = telemetry.metrics_listener(provider)
    for event in EVENTS:
        listener(event)
    found = points(reader)
    get = {"provider": "aws", "operation": "Get"}
    assert set(found) == set(Metric)
    assert found[Metric.CALLS] == [
        {**get, "outcome": "ok", "error_class": "", "n": 1, "sum": None},
        {**get, "outcome": "error", "error_class": "transient", "n": 1, "sum": None},
    ]
    assert found[Metric.RETRIES] == [{**get, "error_class": "transient", "n": 1, "sum": None}]
    assert found[Metric.LATENCY] == [{**get, "n": None, "sum": pytest.approx(4.2)}]
    assert found[Metric.LIMITER_WAIT] == [{**get, "n": None, "sum": 2.0}]
    assert found[Metric.LIMITER_LEFT] == [{**get, "n": 98.0, "sum": None}]
    assert found[Metric.RETRY_LEFT] == [{**get, "n": 486, "sum": None}]
    assert found[Metric.BYTES] == [{**get, "n": 1_000, "sum": None}]
    assert found[Metric.PAGES] == [{"provider": "aws", "operation": "List", "n": 1, "sum": None}]
    assert found[Metric.ITEMS] == [{"provider": "aws", "operation": "List", "n": 7, "sum": None}]
    assert found[Metric.PERIODS] == [{"provider": "aws", "outcome": "committed", "n": 1, "sum": None}]
    assert found[Metric.LAG] == [{"source": "billing", "n": 7_200.0, "sum": None}]
    assert found[Metric.ALERTS] == [{"kind": "source_stale", "n": 1, "sum": None}]
    assert found[Metric.LINES] == [{"provider": "aws", "operation": "scan", "n": 250, "sum": None}]
    provider.shutdown()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_measurements_have_exactly_the_declared_attributes(event: Event) -> None:
    """What an event adds to a metric is split by that metric's attributes, no more, no fewer."""
    assert measurements(event)
    for metric, amount, labels in measurements(event):
        assert tuple(labels) == INSTRUMENTS[metric].attributes
        assert amount >= 0


def test_spans_nest_run_delivery_page_call() -> None:
    """A call within a page within a delivery within a run is one trace, with attempts and retries as events."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    listener = listeners(telemetry.trace_listener(provider))
    door = Door(Rules(world=SimulatedTime().world()), listener)
    failures = iter([TransientError(Failure("aws", "List", 503))])

    def page(_token: str | None) -> Page[int, str]:
        def fetch() -> Page[int, str]:
            for error in failures:
                raise error
            return Page([1], None)

        return door.call("aws", "scope", "s3", "List", fetch)

    with span(listener, SpanKind.RUN, "r1"), span(listener, SpanKind.DELIVERY, "aws/1", {"billing_period": "2026-10"}):
        assert len(list(by_cursor(Walk("aws", "List", listener=listener), page))) == 1
    with pytest.raises(KeyError), span(listener, SpanKind.RUN, "r2"):
        raise KeyError
    call, page_, delivery, run, other = exporter.get_finished_spans()
    assert [each.name for each in (call, page_, delivery, run)] == [
        "call List",
        "page List",
        "delivery aws/1",
        "run r1",
    ]
    for child, parent in ((call, page_), (page_, delivery), (delivery, run)):
        assert child.parent is not None
        assert parent.context is not None
        assert child.parent.span_id == parent.context.span_id
    assert run.parent is None
    assert other.parent is None
    assert [event.name for event in call.events] == ["attempt", "retry", "attempt"]
    assert (call.attributes or {})["outcome"] == "ok"
    assert ((other.attributes or {})["outcome"], other.status.is_ok) == ("KeyError", False)
    assert telemetry.current_trace_ids() is None
    provider.shutdown()


def test_nothing_is_asked_for_nothing_is_loaded() -> None:
    """By default telemetry hears nothing, serves nothing and imports neither OpenTelemetry nor Prometheus."""
    code = (
        "import sys; from offgridflow.cloud.telemetry import *; t = start(TelemetrySettings()); t.close();"
        "print(t.prometheus_port, [m for m in sys.modules if m.startswith(('opentelemetry', 'prometheus'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "None []"


def test_otlp_sends_traces_and_metrics_to_the_collector() -> None:
    """With an endpoint, spans and metrics arrive there over HTTP when telemetry is closed."""
    with FakeCloud() as collector:
        for path in ("/v1/traces", "/v1/metrics"):
            collector.route("POST", path, lambda _seen: Reply(200, b"", {"Content-Type": "application/x-protobuf"}))
        running = telemetry.start(TelemetrySettings(otlp_endpoint=collector.url + "/", service_name="ours"))
        with span(running.listener, SpanKind.RUN, "run-77"):
            running.listener(EVENTS[0])
        running.close()
        sent = {seen.path: seen.body for seen in collector.requests}
    assert set(sent) == {"/v1/traces", "/v1/metrics"}
    assert all(seen.headers["content-type"] == "application/x-protobuf" for seen in collector.requests)


def test_prometheus_serves_every_metric() -> None:
    """The endpoint shows each metric under its documented name, and is gone after close."""
    running = telemetry.start(TelemetrySettings(prometheus_port=0))
    url = f"http://127.0.0.1:{running.prometheus_port}/metrics"
    for event in EVENTS:
        running.listener(event)
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    for metric, what in INSTRUMENTS.items():
        name = metric.replace(".", "_") + {Kind.COUNTER: "_total", Kind.HISTOGRAM: "_count", Kind.GAUGE: ""}[what.kind]
        assert re.search(rf"^{name}\{{.*{what.attributes[0]}=\"\w+\".*\}} \d", text, re.MULTILINE), name
    assert 'offgridflow_provider_calls_total{error_class="transient",operation="Get"' in text
    running.close()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=5)


def test_both_exporters_hear_the_same() -> None:
    """OTLP and Prometheus can run side by side."""
    with FakeCloud() as collector:
        for path in ("/v1/traces", "/v1/metrics"):
            collector.route("POST", path, lambda _seen: Reply(200))
        running = telemetry.start(TelemetrySettings(otlp_endpoint=collector.url, prometheus_port=0))
        running.listener(EVENTS[0])
        assert running.prometheus_port
        running.close()
        assert collector.count("/v1/metrics") >= 1


@pytest.mark.parametrize(
    ("setting", "module"),
    [
        (TelemetrySettings(otlp_endpoint="http://x"), "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        (TelemetrySettings(prometheus_port=0), "prometheus_client"),
    ],
)
def test_a_missing_extra_names_the_command(
    monkeypatch: pytest.MonkeyPatch, setting: TelemetrySettings, module: str
) -> None:
    """Without the extra, asking for telemetry says how to install it."""

    def gone(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("importlib.import_module", gone)
    with pytest.raises(MissingExtraError) as caught:
        telemetry.start(setting)
    assert str(caught.value) == (
        f"Telemetry needs {module}, which is not installed. [MISSING_EXTRA] Run: pip install 'offgridflow[telemetry]'"
    )


def test_the_docs_show_the_same_metrics_and_attributes() -> None:
    """The table of docs/cloud.md holds every metric with kind, unit, attributes and description, and no other."""
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `offgridflow.")]
    expected = [
        f"| `{metric}` | {what.kind} | {what.unit} | {', '.join(what.attributes)} | {what.description} |"
        for metric, what in INSTRUMENTS.items()
    ]
    assert rows == expected
    assert {attribute for what in INSTRUMENTS.values() for attribute in what.attributes} == set(Attribute)
