"""Laws of the way from settings to the door: what they say is what happens, and nobody hears of secrets."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr

from offgridflow.cli.main import run
from offgridflow.cloud import logs
from offgridflow.cloud.errors import Failure, TransientError
from offgridflow.cloud.events import Called, Ended, Event, Scanned, SpanKind, Started
from offgridflow.domain.errors import UsageError
from offgridflow.pipeline.doorway import configure_logs, door_of, listening, secrets_of
from offgridflow.pipeline.model import IngestOptions
from offgridflow.pipeline.worker import Errand, run_once
from offgridflow.settings import SETTINGS_FILE, AlertSettings, LogSettings, RunSettings, Settings, read_settings
from offgridflow.testing import Dialect, FakeBucket, FakeCloud, Reply, Seen
from support.exports import AZURE, Upstream

CANARY = "canary-sas-token"


def settings_of(folder: Path, text: str) -> Settings:
    (folder / SETTINGS_FILE).write_text(text)
    return read_settings(folder)


@pytest.fixture
def quiet_logger() -> Iterator[None]:
    """Begin with the logger of a new process, whatever a test before left, and leave it as it was."""
    logger = logging.getLogger(logs.LOGGER_NAME)
    before = (list(logger.handlers), logger.level, logger.propagate)
    logger.handlers[:] = []
    logger.setLevel(logging.NOTSET)
    yield
    logger.handlers[:], logger.level, logger.propagate = before
    logger.setLevel(before[1])


def test_quotas_and_attempts_of_the_settings_hold(tmp_path: Path) -> None:
    """The quota of an endpoint wins over that of its provider, and a call is tried as often as said."""
    chosen = settings_of(
        tmp_path,
        "[pace]\naws = { capacity = 9, refill_per_second = 0.001 }\n"
        '"aws/s3" = { capacity = 5, refill_per_second = 0.001 }\n[retry]\nattempts = 4\nbase_seconds = 0\n',
    )
    heard: list[Called] = []
    door = door_of(chosen, lambda event: heard.append(event) if isinstance(event, Called) else None)

    def fail() -> NoReturn:
        raise TransientError(Failure("aws", "probe"))

    for endpoint in ("s3", "sts"):
        with pytest.raises(TransientError):
            door.call("aws", "acme", endpoint, "probe", fail)
    assert [round(event.limiter_left) for event in heard] == [4, 3, 2, 1, 8, 7, 6, 5]
    assert door_of(Settings()).timeouts.read_seconds == 60


def test_a_quota_of_nobody_is_refused(tmp_path: Path) -> None:
    """A typing error in the name of a provider or endpoint never means that the default goes on in silence."""
    chosen = settings_of(tmp_path, '[pace]\n"azure/blbo" = { capacity = 9, refill_per_second = 1 }\n')
    with pytest.raises(UsageError, match=r"pace\.azure/blbo") as caught:
        door_of(chosen)
    assert "azure/blob" in caught.value.action


def test_work_nests_and_its_lines_are_told(tmp_path: Path) -> None:
    """A run holds its deliveries, a delivery the calls that fetch its parts, and the lines of each are counted."""
    heard: list[Event] = []
    with FakeBucket(Dialect.AZURE_BLOB) as bucket:
        upstream = Upstream(AZURE, bucket)
        upstream.publish("2025-05", ["0.1", "0.2"])
        chosen = Settings(sources={"acme": upstream.settings()}, cache_folder=tmp_path / "cache")
        errand = Errand(str(tmp_path / "L"), chosen, IngestOptions(), listener=heard.append)
        assert run_once(errand).result.status == "ok"
    names = {event.span: event.kind for event in heard if isinstance(event, Started)}
    order = [names[event.span] for event in heard if isinstance(event, Started | Ended)]
    assert (order[0], order[-1]) == (SpanKind.RUN, SpanKind.RUN)
    begun, done = (place for place, kind in enumerate(order) if kind is SpanKind.DELIVERY)
    assert order[begun + 1 : done].count(SpanKind.CALL) >= 2
    assert [event.lines for event in heard if isinstance(event, Scanned)] == [2]
    assert {event.outcome for event in heard if isinstance(event, Ended)} == {"ok"}


def test_telemetry_goes_where_the_settings_say_and_nowhere_else(tmp_path: Path) -> None:
    """With an endpoint a run's traces and metrics reach the collector; the calls are spans of the delivery's trace."""
    with FakeCloud() as collector, FakeBucket(Dialect.AZURE_BLOB) as bucket:
        for path in ("/v1/traces", "/v1/metrics"):
            collector.route("POST", path, _accept)
        upstream = Upstream(AZURE, bucket)
        upstream.publish("2025-05", ["0.1"])
        text = f'[telemetry]\notlp_endpoint = "{collector.url}"\n'
        chosen = settings_of(tmp_path, text).model_copy(
            update={"sources": {"acme": upstream.settings()}, "cache_folder": tmp_path / "cache"}
        )
        assert run_once(Errand(str(tmp_path / "L"), chosen, IngestOptions())).result.status == "ok"
        told = {seen.path for seen in collector.requests}
        assert told == {"/v1/traces", "/v1/metrics"}
        before = collector.count()
        silent = Settings(sources=chosen.sources, cache_folder=tmp_path / "cache")
        assert run_once(Errand(str(tmp_path / "M"), silent, IngestOptions())).result.status == "ok"
        assert collector.count() == before


def _accept(seen: Seen) -> Reply:
    del seen  # the exporter reads nothing of the answer
    return Reply(200, b"", {"Content-Type": "application/x-protobuf"})


def test_nothing_is_logged_unless_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, quiet_logger: None
) -> None:
    """A command's stderr is empty without [log]; with it every line is JSON, and no line holds a source's secret."""
    del quiet_logger
    with FakeBucket(Dialect.AZURE_BLOB) as bucket:
        upstream = Upstream(AZURE, bucket)
        upstream.publish("2025-05", ["0.1"])
        table = {**upstream.settings(), "sas_token": f"sv=1&sig={CANARY}"}
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
        monkeypatch.chdir(tmp_path)
        settings_of(tmp_path, f"[sources.acme]\n{lines}\n")
        assert run(["check"]) == 0
        assert capfd.readouterr().err == ""
        settings_of(tmp_path, f'[log]\nlevel = "debug"\n[sources.acme]\n{lines}\n')
        assert run(["check"]) == 0
        shown = capfd.readouterr().err
    events = [json.loads(line)["event"] for line in shown.splitlines()]
    assert {"started", "called", "ended"} <= set(events)
    assert CANARY not in shown


def test_every_secret_of_the_settings_is_taken_out(quiet_logger: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of sources, alerts and locks are replaced wherever they turn up in a log line."""
    del quiet_logger
    chosen = Settings(
        log=LogSettings(level="info"),
        sources={"a": {"type": "aws_cur", "external_id": "canary-one"}, "b": {"sas_token": "canary-two"}},
        alerts=AlertSettings(webhook_secret=SecretStr("canary-three")),
        run=RunSettings(lock_dsn=SecretStr("canary-four")),
    )
    assert len(secrets_of(chosen)) == 4
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logs(chosen)
    logging.getLogger(logs.LOGGER_NAME).info("of canary-one, canary-two, canary-three and canary-four")
    assert json.loads(stream.getvalue())["event"] == "of ***, ***, *** and ***"


def test_who_logs_nothing_hears_nothing(quiet_logger: None) -> None:
    """Without a handler events are not written at all, so that Python does not print them raw."""
    del quiet_logger
    logger = logging.getLogger(logs.LOGGER_NAME)
    logger.handlers.clear()
    logger.propagate = False
    told: list[logging.LogRecord] = []

    def note(record: logging.LogRecord) -> bool:
        told.append(record)
        return True

    door_logger = logging.getLogger(f"{logs.LOGGER_NAME}.door")
    door_logger.addFilter(note)
    try:
        with listening(Settings()) as listener:
            listener(Ended(1, SpanKind.CALL, "probe", "fatal"))
    finally:
        door_logger.removeFilter(note)
    assert told == []
