"""Traces and metrics from events, through OpenTelemetry and through a Prometheus endpoint. All of it is off by default.

The libraries come with the extra ``offgridflow[telemetry]`` and are imported only when asked for. Nothing here touches
the global providers of OpenTelemetry, so that an application that embeds OffGridFlow keeps its own.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import ModuleType
from typing import TYPE_CHECKING, Final

from offgridflow.cloud.events import (
    OK,
    Alerted,
    Called,
    Ended,
    Event,
    Lagged,
    Listener,
    PageFetched,
    PeriodDone,
    Received,
    Retried,
    Scanned,
    Started,
    listeners,
    no_listener,
)
from offgridflow.domain.errors import MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

SCOPE: Final = "offgridflow"
INSTALL: Final = "pip install 'offgridflow[telemetry]'"


class Kind(StrEnum):
    """How a metric counts."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


class Metric(StrEnum):
    """Names of metrics. Prometheus shows them with underscores, its counters with ``_total``."""

    CALLS = "offgridflow.provider.calls"
    RETRIES = "offgridflow.provider.retries"
    PAGES = "offgridflow.provider.pages"
    ITEMS = "offgridflow.provider.items"
    BYTES = "offgridflow.provider.received.bytes"
    LINES = "offgridflow.lines"
    LATENCY = "offgridflow.provider.call.duration.seconds"
    LIMITER_WAIT = "offgridflow.provider.limiter.wait.seconds"
    LIMITER_LEFT = "offgridflow.provider.limiter.left"
    RETRY_LEFT = "offgridflow.provider.retry.left"
    PERIODS = "offgridflow.run.periods"
    LAG = "offgridflow.source.lag.seconds"
    ALERTS = "offgridflow.alerts"


class Attribute(StrEnum):
    """Names of attributes of metrics and spans. None of them has a value per account, resource or request."""

    PROVIDER = "provider"
    OPERATION = "operation"
    OUTCOME = "outcome"
    ERROR_CLASS = "error_class"
    SOURCE = "source"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a metric is: kind, unit (UCUM), description, and the attributes that split it."""

    kind: Kind
    unit: str
    description: str
    attributes: tuple[Attribute, ...] = (Attribute.PROVIDER, Attribute.OPERATION)


_SPLIT: Final = (Attribute.PROVIDER, Attribute.OPERATION, Attribute.OUTCOME, Attribute.ERROR_CLASS)

INSTRUMENTS: Final[Mapping[Metric, Instrument]] = {
    Metric.CALLS: Instrument(Kind.COUNTER, "{call}", "Attempts that came back, by outcome and error class", _SPLIT),
    Metric.RETRIES: Instrument(
        Kind.COUNTER,
        "{retry}",
        "Retries begun, by the class of the error before",
        (Attribute.PROVIDER, Attribute.OPERATION, Attribute.ERROR_CLASS),
    ),
    Metric.PAGES: Instrument(Kind.COUNTER, "{page}", "Pages fetched"),
    Metric.ITEMS: Instrument(Kind.COUNTER, "{item}", "Items on those pages"),
    Metric.BYTES: Instrument(Kind.COUNTER, "By", "Bytes of bodies received"),
    Metric.LINES: Instrument(Kind.COUNTER, "{line}", "Bill lines read"),
    Metric.LATENCY: Instrument(Kind.HISTOGRAM, "s", "Time of one attempt, without the wait before it"),
    Metric.LIMITER_WAIT: Instrument(Kind.HISTOGRAM, "s", "Wait for the limiter before an attempt"),
    Metric.LIMITER_LEFT: Instrument(Kind.GAUGE, "{token}", "Calls that the limiter would let pass at once"),
    Metric.RETRY_LEFT: Instrument(Kind.GAUGE, "{token}", "What the retry quota still holds, of 500"),
    Metric.PERIODS: Instrument(
        Kind.COUNTER,
        "{period}",
        "Periods that runs are done with, by outcome",
        (Attribute.PROVIDER, Attribute.OUTCOME),
    ),
    Metric.LAG: Instrument(
        Kind.GAUGE, "s", "Age of the newest delivery of a configured source, else of the first try", (Attribute.SOURCE,)
    ),
    Metric.ALERTS: Instrument(Kind.COUNTER, "{alert}", "Alerts, by kind", (Attribute.KIND,)),
}
"""Every metric; docs/cloud.md shows the same table (a test compares the two)."""

BUCKETS_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

Labels = Mapping[str, str]
Record = Callable[[Metric, float, Labels], None]


def _extra(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        sentence = f"Telemetry needs {error.name}, which is not installed."
        raise MissingExtraError(sentence, action=f"Run: {INSTALL}") from None


def measurements(event: Event) -> list[tuple[Metric, float, Labels]]:
    """Return what an event adds to which metrics, with their attributes."""
    match event:
        case Called():
            at = {Attribute.PROVIDER.value: event.provider, Attribute.OPERATION.value: event.operation}
            outcome = OK if event.outcome == OK else "error"
            kind = "" if event.outcome == OK else event.outcome
            split = at | {Attribute.OUTCOME.value: outcome, Attribute.ERROR_CLASS.value: kind}
            return [
                (Metric.CALLS, 1, split),
                (Metric.LATENCY, event.latency_seconds, at),
                (Metric.LIMITER_WAIT, event.limiter_wait_seconds, at),
                (Metric.LIMITER_LEFT, event.limiter_left, at),
                (Metric.RETRY_LEFT, event.retry_left, at),
            ]
        case Retried():
            at = {Attribute.PROVIDER.value: event.provider, Attribute.OPERATION.value: event.operation}
            return [(Metric.RETRIES, 1, at | {Attribute.ERROR_CLASS.value: event.error_class})]
        case PageFetched(provider=provider, operation=operation):
            at = {Attribute.PROVIDER.value: provider, Attribute.OPERATION.value: operation}
            return [(Metric.PAGES, 1, at), (Metric.ITEMS, event.items, at)]
        case Received(provider=provider, operation=operation, bytes_received=amount):
            at = {Attribute.PROVIDER.value: provider, Attribute.OPERATION.value: operation}
            return [(Metric.BYTES, amount, at)]
        case Scanned(provider=provider, operation=operation, lines=amount):
            at = {Attribute.PROVIDER.value: provider, Attribute.OPERATION.value: operation}
            return [(Metric.LINES, amount, at)]
        case _:
            return _of_runs(event)


def _of_runs(event: Event) -> list[tuple[Metric, float, Labels]]:
    match event:
        case PeriodDone(provider=provider, outcome=outcome):
            return [(Metric.PERIODS, 1, {Attribute.PROVIDER.value: provider, Attribute.OUTCOME.value: outcome})]
        case Lagged(source=source, lag_seconds=seconds):
            return [(Metric.LAG, seconds, {Attribute.SOURCE.value: source})]
        case Alerted(kind=kind):
            return [(Metric.ALERTS, 1, {Attribute.KIND.value: kind})]
        case _:
            return []


def metrics_listener(meter_provider: "MeterProvider") -> Listener:
    """Return a listener that records the metrics with a meter of ``meter_provider``."""
    record = _recorder(meter_provider)

    def listen(event: Event) -> None:
        for metric, amount, labels in measurements(event):
            record(metric, amount, labels)

    return listen


def _recorder(meter_provider: "MeterProvider") -> Record:
    meter = meter_provider.get_meter(SCOPE)
    records: dict[Metric, Callable[[float, Labels], None]] = {}
    for metric, what in INSTRUMENTS.items():
        if what.kind is Kind.COUNTER:
            records[metric] = meter.create_counter(metric, what.unit, what.description).add
        elif what.kind is Kind.GAUGE:
            records[metric] = meter.create_gauge(metric, what.unit, what.description).set
        else:
            histogram = meter.create_histogram(
                metric, what.unit, what.description, explicit_bucket_boundaries_advisory=BUCKETS_SECONDS
            )
            records[metric] = histogram.record
    return lambda metric, amount, labels: records[metric](amount, labels)


def trace_listener(tracer_provider: "TracerProvider") -> Listener:
    """Return a listener that makes a span of every run, delivery, page and call, nested as they happened.

    Attempts and retries become events of the call's span. A span is the current one of its thread until it ends.
    """
    trace = _extra("opentelemetry.trace")
    context = _extra("opentelemetry.context")
    tracer = tracer_provider.get_tracer(SCOPE)
    open_spans: dict[int, tuple[Span, object]] = {}

    def start(event: Started) -> None:
        opened = tracer.start_span(f"{event.kind} {event.name}", attributes=dict(event.attributes))
        within: Context = trace.set_span_in_context(opened)
        open_spans[event.span] = (opened, context.attach(within))

    def end(event: Ended) -> None:
        opened, attached = open_spans.pop(event.span)
        opened.set_attribute(Attribute.OUTCOME, event.outcome)
        if event.outcome != OK:
            opened.set_status(trace.StatusCode.ERROR)
        context.detach(attached)
        opened.end()

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            start(event)
        elif isinstance(event, Ended):
            end(event)
        elif isinstance(event, Called):
            told = {"outcome": event.outcome, "limiter_wait_seconds": event.limiter_wait_seconds}
            trace.get_current_span().add_event("attempt", told)
        elif isinstance(event, Retried):
            told = {"retry": event.retry, "pause_seconds": event.pause_seconds}
            trace.get_current_span().add_event("retry", told)

    return listen


def current_trace_ids() -> tuple[str, str] | None:
    """Return the ids of the current trace and span for the logs, or None outside of any."""
    trace = _extra("opentelemetry.trace")
    ids = trace.get_current_span().get_span_context()
    return (trace.format_trace_id(ids.trace_id), trace.format_span_id(ids.span_id)) if ids.is_valid else None


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where telemetry goes. Empty: nowhere.

    ``otlp_endpoint`` is the base URL of a collector that takes OTLP over HTTP (``/v1/traces`` and ``/v1/metrics`` are
    added). ``prometheus_port`` opens ``http://prometheus_host:port/metrics`` in this process; 0 takes a free port.
    """

    otlp_endpoint: str | None = None
    prometheus_port: int | None = None
    prometheus_host: str = "127.0.0.1"
    service_name: str = SCOPE


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A running telemetry: whom the door tells, where Prometheus is served, and how to flush and stop."""

    listener: Listener = no_listener
    prometheus_port: int | None = None
    closers: tuple[Callable[[], object], ...] = field(default=())

    def close(self) -> None:
        """Send what is still held back and stop everything."""
        for close in self.closers:
            close()


def start(settings: TelemetrySettings) -> Telemetry:
    """Start what the settings ask for; without any, a Telemetry that hears nothing and imports nothing.

    Raises MissingExtraError where the extra is not installed.
    """
    heard: list[Listener] = []
    closers: list[Callable[[], object]] = []
    port: int | None = None
    if settings.otlp_endpoint is not None:
        otlp_listener, otlp_closers = _otlp(settings.otlp_endpoint.rstrip("/"), settings.service_name)
        heard.append(otlp_listener)
        closers += otlp_closers
    if settings.prometheus_port is not None:
        prometheus = PrometheusEndpoint(settings.prometheus_host, settings.prometheus_port)
        heard.append(prometheus.listener)
        closers.append(prometheus.close)
        port = prometheus.port
    return Telemetry(listeners(*heard) if heard else no_listener, port, tuple(closers))


def _otlp(endpoint: str, service_name: str) -> tuple[Listener, list[Callable[[], object]]]:
    exporter = "opentelemetry.exporter.otlp.proto.http"
    spans = _extra(f"{exporter}.trace_exporter").OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
    numbers = _extra(f"{exporter}.metric_exporter").OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics")
    resource = _extra("opentelemetry.sdk.resources").Resource.create({"service.name": service_name})
    tracing = _extra("opentelemetry.sdk.trace").TracerProvider(resource=resource, shutdown_on_exit=False)
    tracing.add_span_processor(_extra("opentelemetry.sdk.trace.export").BatchSpanProcessor(spans))
    reader = _extra("opentelemetry.sdk.metrics.export").PeriodicExportingMetricReader(numbers)
    metering = _extra("opentelemetry.sdk.metrics").MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    both = listeners(trace_listener(tracing), metrics_listener(metering))
    return both, [tracing.shutdown, metering.shutdown]


class PrometheusEndpoint:
    """Serves the metrics at ``/metrics`` for Prometheus to fetch, from a registry of its own.

    Args:
        host: address to listen on; the loopback unless the settings say otherwise.
        port: 0 takes a free one.

    """

    def __init__(self, host: str, port: int) -> None:
        client = _extra("prometheus_client")
        registry = client.CollectorRegistry()
        self._series = {metric: _series(client, registry, metric) for metric in INSTRUMENTS}
        self._server, self._thread = client.start_http_server(port, host, registry)

    @property
    def port(self) -> int:
        """The port that is served."""
        return int(self._server.server_port)

    def listener(self, event: Event) -> None:
        """Take an event in."""
        for metric, amount, labels in measurements(event):
            self._series[metric](amount, labels)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _series(client: ModuleType, registry: object, metric: Metric) -> Callable[[float, Labels], None]:
    what = INSTRUMENTS[metric]
    name = metric.replace(".", "_")
    labels = [attribute.value for attribute in what.attributes]
    if what.kind is Kind.COUNTER:
        counter = client.Counter(name, what.description, labels, registry=registry)
        return lambda amount, values: counter.labels(**values).inc(amount)
    if what.kind is Kind.GAUGE:
        gauge = client.Gauge(name, what.description, labels, registry=registry)
        return lambda amount, values: gauge.labels(**values).set(amount)
    histogram = client.Histogram(name, what.description, labels, registry=registry, buckets=BUCKETS_SECONDS)
    return lambda amount, values: histogram.labels(**values).observe(amount)
