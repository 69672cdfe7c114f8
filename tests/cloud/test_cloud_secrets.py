"""Canary tests: no secret reaches texts, errors, events, logs, traces or metrics."""

import copy
import io
import json
import logging
import pickle
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from offgridflow.cloud import events
from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.errors import ClassifiedError, Failure, TransientError
from offgridflow.cloud.events import Event, SpanKind, listeners, span
from offgridflow.cloud.logs import LOGGER_NAME, configure, log_listener
from offgridflow.cloud.redact import HIDDEN, Redactor, Secret, is_secret_name, redact_mapping, redact_text
from offgridflow.cloud.telemetry import current_trace_ids, metrics_listener, trace_listener
from offgridflow.domain.errors import UsageError
from offgridflow.testing import Answer, Dialect, FakeCloud, SimulatedTime

CANARY = "c4n4ry/Secret+Value=="

TEXTS = [
    f"GET https://acct.blob.core.windows.net/c/b?sv=2025&sig={quote(CANARY, safe='')}&se=2026",
    f"https://b.s3.amazonaws.com/k?X-Amz-Signature={CANARY}&X-Amz-Credential={CANARY}&X-Amz-Security-Token={CANARY}",
    f"https://storage.googleapis.com/b/o?X-Goog-Signature={CANARY}",
    f"https://user:{quote(CANARY, safe='')}@proxy.example:8080/path",
    f"https://{quote(CANARY, safe='')}@proxy.example/",
    f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={CANARY};EndpointSuffix=core.windows.net",
    f"BlobEndpoint=https://a/;SharedAccessSignature=sv=2025&sig={CANARY}",
    f"Authorization: Bearer {CANARY}",
    f"authorization: {CANARY}",
    f'{{"client_secret": "{CANARY}", "grant_type": "client_credentials"}}',
    f"{{'password': '{CANARY}'}}",
    f'{{"message": "see https://x/?sig={CANARY}"}}',
    f"url=https://x/?a=1&access_token={CANARY}",
    f"cookie={CANARY}",
    f"x-ms-copy-source: https://x/y?sig={CANARY}",
    f"next=/items?%24skiptoken={CANARY}",
    f"Basic {CANARY}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_secrets_are_taken_out_of_texts_by_name_and_shape(text: str) -> None:
    """URLs, headers, connection strings and JSON lose their secrets and keep the rest."""
    shown = redact_text(text)
    for form in (CANARY, quote(CANARY, safe=""), CANARY[:12]):
        assert form not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        "ya29.a0AfH6SMBx-y_z",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEow",
        "AIza" + "a" * 35,
    ],
)
def test_shapes_that_are_secrets_are_hidden_wherever_they_stand(text: str) -> None:
    """Key ids, tokens and private keys are known by their form alone."""
    assert redact_text(f"saw {text} here").startswith(f"saw {HIDDEN}")
    assert text not in redact_text(f"saw {text} here")


@pytest.mark.parametrize(
    "text",
    [
        "aws ListObjectsV2 failed: HTTP 503, SlowDown, request fake-0001. [PROVIDER_TRANSIENT]",
        "https://management.azure.com/subscriptions/1?api-version=2025-04-01",
        "s3://bucket/a:b//c.csv.gz: 12 lines, 3 quarantined",
        "total=12.5 provider=aws at 2026-11-24T12:00:00Z",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Redaction leaves ordinary sentences, URLs and times readable, letter by letter."""
    assert redact_text(text) == text


@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_registered_secrets_are_hidden_in_any_surroundings(before: str, after: str) -> None:
    """A secret that the settings hold is replaced in plain and in URL form, whatever stands around it."""
    redactor = Redactor([Secret(CANARY), Secret("abc")])
    for form in (CANARY, quote(CANARY), quote(CANARY, safe="")):
        assert form not in redactor.text(before + form + after)
    assert redactor.text("abc") == "abc"


@given(
    name=st.sampled_from(["sig", "AccountKey", "X-Amz-Signature", "client_secret", "refreshToken", "Authorization"]),
    value=st.text(st.characters(min_codepoint=48, max_codepoint=122, exclude_characters="<>=;:?@[\\]^_`"), min_size=8),
    lead=st.sampled_from(["", "url=", "see ", "a=1&", '{"x": "', "k: v=", "https://h/p?"]),
)
def test_named_secrets_are_hidden_behind_any_lead(name: str, value: str, lead: str) -> None:
    """A pair whose name announces a secret is hidden even inside the value of another pair."""
    assert value not in redact_text(f"{lead}{name}={value}")


def test_mappings_are_redacted_at_any_depth() -> None:
    """Headers, parameters and settings keep names, numbers and harmless values, and lose secrets."""
    shown = redact_mapping(
        {
            "Authorization": f"Bearer {CANARY}",
            "x-ms-version": "2025-01-05",
            "nested": {"client_secret": CANARY, "urls": [f"https://x/?sig={CANARY}", b"plain"], "n": 3, "none": None},
            "credentials": {"anything": CANARY},
            "retries": True,
            "token": Secret(CANARY),
            "passwords": [CANARY],
        }
    )
    assert CANARY not in json.dumps(shown)
    assert shown == {
        "Authorization": HIDDEN,
        "x-ms-version": "2025-01-05",
        "nested": {"client_secret": HIDDEN, "urls": [f"https://x/?sig={HIDDEN}", "plain"], "n": 3, "none": None},
        "credentials": HIDDEN,
        "retries": True,
        "token": HIDDEN,
        "passwords": HIDDEN,
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("X-Amz-Security-Token", True),
        ("aws_secret_access_key", True),
        ("sig", True),
        ("Set-Cookie", True),
        ("signed_at", False),
        ("monkey", False),
        ("provider", False),
        ("keyboard", False),
        ("limiter_left", False),
    ],
)
def test_names_that_announce_secrets(name: str, *, secret: bool) -> None:
    """Names are judged as words, not as fragments of harmless ones."""
    assert is_secret_name(name) is secret


def test_a_secret_does_not_show_itself() -> None:
    """repr, str, format, logging, json and pickle of a Secret do not give it away; reveal does."""
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{[secret]}", f"{secret!r}", "%s" % secret]  # noqa: UP031 - one more way
    assert not any(CANARY in text for text in shown)
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert secret != CANARY
    assert len({secret, Secret(CANARY)}) == 1
    with pytest.raises(TypeError, match="not stored"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="not stored"):
        copy.copy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Yield what our logs are written to, and take the handler away afterwards."""
    text = io.StringIO()
    yield text
    logger = logging.getLogger(LOGGER_NAME)
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def use_the_door(listener: events.Listener) -> ClassifiedError:
    """Make a call whose SDK exception holds the canary in its message and in its URL; return the door's error."""
    with FakeCloud(Dialect.PLAIN) as cloud:
        cloud.inject(Answer(503, CANARY), times=None)

        def get() -> None:
            answer = requests.get(
                f"{cloud.url}/x?sig={CANARY}", headers={"Authorization": f"Bearer {CANARY}"}, timeout=30
            )
            answer.raise_for_status()

        door = Door(Rules(world=SimulatedTime().world()), listener)
        with span(listener, SpanKind.RUN, "run"), pytest.raises(TransientError) as caught:
            door.call("aws", "scope", "api", "probe", get)
        assert any(CANARY in str(seen) for seen in cloud.requests)
    return caught.value


def test_the_canary_reaches_no_error_event_log_trace_or_metric(stream: io.StringIO) -> None:
    """A secret in URL, header and answer of a failing call is nowhere in what is told of it."""
    exporter, reader, heard = InMemorySpanExporter(), InMemoryMetricReader(), list[Event]()
    tracing = TracerProvider(shutdown_on_exit=False)
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    metering = MeterProvider([reader], shutdown_on_exit=False)
    logger = configure(stream, logging.DEBUG)
    error = use_the_door(listeners(heard.append, log_listener(), trace_listener(tracing), metrics_listener(metering)))
    try:
        raise error
    except ClassifiedError:
        logger.exception("the call failed at https://x/?sig=%s", CANARY)
    metrics = reader.get_metrics_data()
    assert metrics is not None
    told = {
        "error": f"{error!r} {error} {error.failure} {error.__cause__} {error.__context__}",
        "events": repr(heard),
        "logs": stream.getvalue(),
        "traces": "".join(each.to_json() for each in exporter.get_finished_spans()),
        "metrics": metrics.to_json(),
    }
    assert all(len(text) > 20 for text in told.values()), told
    assert [where for where, text in told.items() if "c4n4ry" in text] == []
    tracing.shutdown()
    metering.shutdown()


def test_logs_are_json_lines_with_trace_ids(stream: io.StringIO) -> None:
    """Every line is one JSON object with time, level, event and fields, and the ids of the span that it was in."""
    tracing = TracerProvider(shutdown_on_exit=False)
    configure(stream, logging.DEBUG, trace_ids=current_trace_ids)
    use_the_door(listeners(trace_listener(tracing), log_listener()))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "started", "started", "called", "retried", "called", "retried", "called", "ended", "ended",
    ]  # fmt: skip
    assert {line["level"] for line in lines if line["event"] == "retried"} == {"warning"}
    called = next(line for line in lines if line["event"] == "called")
    assert (called["provider"], called["operation"], called["outcome"]) == ("aws", "probe", "transient")
    assert len({line["trace_id"] for line in lines if "trace_id" in line}) == 1
    assert len(called["span_id"]) == 16
    assert all(line["ts"].endswith("+00:00") for line in lines)
    tracing.shutdown()


def test_a_forged_line_stays_one_line(stream: io.StringIO) -> None:
    """Line breaks in messages and fields are escaped, and fields cannot overwrite time or level."""
    logger = configure(stream)
    logger.warning('first\n{"level": "info"}', extra={"fields": {"level": "debug", "name": "a\r\nb"}})
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["level"] == "warning"
    assert json.loads(line)["name"] == "a\r\nb"


def test_errors_of_others_are_named_ours_are_told(stream: io.StringIO) -> None:
    """A foreign exception is logged by its type alone, one of ours with code and sentence; no traceback of either."""
    logger = configure(stream)
    for error in (ValueError(CANARY), UsageError("The key 'x' is wrong.", action="Correct it.")):
        try:
            raise error
        except (ValueError, UsageError):
            logger.exception("it failed")
    foreign, ours = (json.loads(line)["error"] for line in stream.getvalue().splitlines())
    assert foreign == {"type": "ValueError"}
    assert ours == {
        "type": "UsageError",
        "error_code": "USAGE",
        "sentence": "The key 'x' is wrong. [USAGE] Correct it.",
    }


def test_logs_stay_quiet_below_their_level(stream: io.StringIO) -> None:
    """At INFO attempts are not logged, the ends of spans are; configuring again does not double lines."""
    configure(stream)
    configure(stream)
    with span(log_listener(), SpanKind.RUN, "run"):
        log_listener()(events.Called("aws", "Get", "ok", 0.1, 0.0))
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["ended"]


def test_events_have_no_field_whose_name_the_logs_would_hide() -> None:
    """Names of event fields do not sound like secrets, so their values stay readable in the logs."""
    kinds = [kind for kind in vars(events).values() if is_dataclass(kind) and isinstance(kind, type)]
    assert len(kinds) >= 8
    names = {field.name for kind in kinds for field in fields(kind)}
    assert [name for name in sorted(names) if is_secret_name(name)] == []
    assert "retry_after_seconds" in asdict(Failure("aws", "op"))
