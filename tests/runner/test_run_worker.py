"""The worker as people run it: a process of its own, watched over HTTP by Prometheus, asked to stop by a signal."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from offgridflow.ledger import Ledger
from offgridflow.pipeline.runs import STATE_FOLDER, RunStore
from offgridflow.testing import Answer, Dialect, Drip, FakeBucket, throttled
from support.exports import AWS, GCS, Upstream

pytest.importorskip("prometheus_client")
pytest.importorskip("croniter")
PATIENCE_SECONDS = 200
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def owe_a_run(ledger: Path) -> RunStore:
    """Note a run by schedule of long ago, so that the worker has one to make up for at once."""
    Ledger.open(ledger, create=True)
    store = RunStore(ledger / STATE_FOLDER)
    then = datetime(2025, 1, 1, tzinfo=UTC)
    with store.living("old"):
        store.begin("old", "schedule", then, {})
        store.note_schedule("old", then)
        store.finish("old", "ok", then)
    return store


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``offgridflow run --schedule`` in a folder; whatever happens, it does not outlive the test."""
    command = [sys.executable, "-m", "offgridflow", "run", "--schedule", "--ledger", "L"]
    with (folder / "stderr").open("wb") as log, subprocess.Popen(command, cwd=folder, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()


def scraped(port: int) -> Samples:
    """Return what the endpoint shows: name and labels -> value; nothing while it does not listen yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return {}
    found: Samples = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE):
        found[name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels))] = float(value)
    return found


def until(process: subprocess.Popen[bytes], port: int, name: str, **labels: str) -> Samples:
    """Scrape until a sample with these labels is there, while the process lives."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None
        found = scraped(port)
        if any(key == name and labels.items() <= dict(own).items() for key, own in found):
            return found
        time.sleep(0.1)
    message = f"{name} {labels} never came"
    raise AssertionError(message)


def total(found: Samples, name: str, **labels: str) -> float:
    """Return the sum over the samples of a name with these labels."""
    return sum(value for (key, own), value in found.items() if key == name and labels.items() <= dict(own).items())


def write_settings(folder: Path, port: int, upstream: Upstream) -> None:
    """Write the settings of one source and an endpoint for Prometheus."""
    table = "\n".join(f"{key} = {_toml(value)}" for key, value in upstream.settings().items())
    (folder / "offgridflow.toml").write_text(
        f'[run]\nschedule = "0 0 1 1 *"\njitter_seconds = 0\n[telemetry]\nprometheus_port = {port}\n'
        f"[retry]\nbase_seconds = 0.01\n[sources.bill]\n{table}\n"
    )


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def test_prometheus_sees_calls_by_provider_operation_and_outcome_and_sigterm_ends_it_well(tmp_path: Path) -> None:
    """One run over a bucket that throttles once: counters tell calls, retries, pages, bytes, lines, periods and lag."""
    store = owe_a_run(tmp_path / "L")
    port = free_port()
    with FakeBucket(Dialect.GOOGLE) as bucket:
        upstream = Upstream(GCS, bucket)
        upstream.publish("2025-05", ["0.1", "0.2"])
        upstream.publish("2025-06", ["0.3"])
        bucket.inject(throttled(Dialect.GOOGLE), path=bucket.list_path)
        bucket.inject(Answer(503), path=bucket.path_of(upstream.key_of("2025-06")))
        write_settings(tmp_path, port, upstream)
        with worker(tmp_path) as process:
            found = until(process, port, "offgridflow_source_lag_seconds", source="bill")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
        assert scraped(port) == {}, "the endpoint goes with the process"
        sent = bucket.count()
    calls = "offgridflow_provider_calls_total"
    assert total(found, calls, provider="gcp") == sent
    assert total(found, calls, provider="gcp", outcome="ok") == sent - 2
    assert total(found, calls, provider="gcp", error_class="transient") == 2
    operations = {dict(own)["operation"] for key, own in found if key == calls}
    assert len(operations) == 2, "listing and reading are told apart"
    assert total(found, "offgridflow_provider_retries_total", provider="gcp", error_class="transient") == 2
    assert total(found, "offgridflow_provider_pages_total", provider="gcp") == 1
    assert total(found, "offgridflow_lines_total", provider="gcp") == 3
    assert total(found, "offgridflow_run_periods_total", provider="gcp", outcome="committed") == 2
    assert total(found, "offgridflow_provider_call_duration_seconds_count", provider="gcp") == sent
    size = sum(len(thing.content) for thing in bucket.things.values())
    assert total(found, "offgridflow_provider_received_bytes_total", provider="gcp") == size
    [newest] = store.newest(1)
    assert (newest["origin"], newest["status"], newest["committed"]) == ("schedule", "ok", 2)


def test_a_run_that_was_asked_to_stop_says_so_wherever_it_is_shown(tmp_path: Path) -> None:
    """The answer of a run that ended early has `stopped` and a note; `runs list` and `runs show` say it beside ok."""
    command = [sys.executable, "-m", "offgridflow"]
    with FakeBucket(Dialect.GOOGLE) as bucket:
        upstream = Upstream(GCS, bucket)
        for month in ("2025-05", "2025-06"):
            upstream.publish(month, ["0.1", "0.2"])
        first = bucket.path_of(upstream.key_of("2025-05"))
        bucket.inject(Drip(60, 0.3), path=first)
        write_settings(tmp_path, free_port(), upstream)
        asked = [*command, "run", "--format", "json", "--ledger", "L"]
        with subprocess.Popen(asked, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + PATIENCE_SECONDS
            while bucket.count(first) < 1 and time.monotonic() < end:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            answer = json.loads(process.communicate(timeout=PATIENCE_SECONDS)[0])
        assert process.returncode == 0
        assert ([each["billing_period"] for each in answer["periods"]], answer["stopped"]) == (["2025-05"], True)
        assert "asked to end early" in answer["notes"][0]
        for shown in ("list", "show"):
            told = subprocess.run(
                [*command, "runs", shown, "--ledger", "L"], cwd=tmp_path, capture_output=True, text=True, check=True
            )
            assert "ok, stopped" in told.stdout
        whole = subprocess.run(asked, cwd=tmp_path, capture_output=True, check=True)
    answer = json.loads(whole.stdout)
    assert ([each["status"] for each in answer["periods"]], answer["stopped"]) == (["unchanged", "committed"], False)
    assert answer["notes"] == []


def test_sigterm_in_mid_delivery_commits_it_and_begins_no_other(tmp_path: Path) -> None:
    """A worker that is asked to stop while a part drips in ends with that period whole, exit code 0, and says so."""
    store = owe_a_run(tmp_path / "L")
    with FakeBucket(Dialect.S3) as bucket:
        upstream = Upstream(AWS, bucket)
        for month in ("2025-05", "2025-06"):
            upstream.publish(month, ["0.1", "0.2"])
        first = bucket.path_of(upstream.key_of("2025-05"))
        bucket.inject(Drip(60, 0.3), path=first, skip=1)  # after the question for its checksum
        write_settings(tmp_path, free_port(), upstream)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
            patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
            with worker(tmp_path) as process:
                end = time.monotonic() + PATIENCE_SECONDS
                while bucket.count(first) < 2 and time.monotonic() < end:
                    assert process.poll() is None
                    time.sleep(0.02)
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_SECONDS) == 0
    live = Ledger.open(tmp_path / "L").live()
    assert [(key[1], commit.line_items) for key, commit in live.items()] == [("2025-05", 2)]
    [newest] = store.newest(1)
    assert (newest["stopped"], newest["committed"]) == (True, 1)
    assert "canary" not in (tmp_path / "stderr").read_text()
