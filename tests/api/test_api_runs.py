"""Runs: started once under a key, done in the background, cancelled between steps, told of after a crash."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from offgridflow.api.app import create_app
from offgridflow.api.problems import ApiError
from offgridflow.api.runs import Runs
from offgridflow.api.state import State
from offgridflow.domain.errors import InputError
from offgridflow.ledger import Ledger, verify
from offgridflow.pipeline.model import IngestOptions, Progress
from offgridflow.pipeline.worker import Errand, run_once
from offgridflow.settings import ApiSettings, Settings
from offgridflow.testing import Dialect, FakeBucket
from support.exports import AZURE, Upstream
from support.server import HEAD, ApiClient, client_of, line, make_ledger, server_of

Serve = Callable[..., ApiClient]


def until_over(client: ApiClient, run_id: str) -> dict[str, Any]:
    """Wait for a run and return it."""
    waited = threading.Event()
    run: dict[str, Any] = {"state": "queued"}
    for _ in range(2400):
        if run["state"] not in {"queued", "running"}:
            break
        waited.wait(0.05)
        run = client.get(f"/api/v1/runs/{run_id}").json()
    return run


def test_a_run_ingests_the_configured_paths_and_the_api_serves_them(serve: Serve, tmp_path: Path) -> None:
    """A run commits a new month, which the API then answers with; the same key never starts a second run."""
    ledger = make_ledger(tmp_path)
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "july.csv").write_text("\n".join([HEAD, line("2025-07-01", "222", "us-east-1", "5.00")]) + "\n")
    client = serve(ledger=ledger, paths=(exports,))
    headers = {"Idempotency-Key": "july"}
    started = client.post("/api/v1/runs", json={"from": "2025-07"}, headers=headers)
    assert started.status_code == 202
    again = client.post("/api/v1/runs", json={"from": "2025-07"}, headers=headers)
    assert (again.status_code, again.text) == (202, started.text)
    assert again.headers["idempotency-replayed"] == "true"
    other = client.post("/api/v1/runs", json={"from": "2025-08"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    run = until_over(client, started.json()["run_id"])
    assert run["state"] == "ok", run
    server_of(client).parts.service.store.refresh()
    months = [row["month"] for row in client.get("/api/v1/emissions?by=month").json()["rows"]]
    assert months == ["2025-05", "2025-06", "2025-07"]
    assert len(client.get("/api/v1/runs").json()["runs"]) == 1
    assert client.post(f"/api/v1/runs/{run['run_id']}/cancel").status_code == 409
    assert client.get("/api/v1/history").json()["history"][0]["billing_period"] == "2025-07"


def test_without_configured_paths_a_run_fails_in_one_sentence(serve: Serve) -> None:
    """A server without paths to ingest says so in the run, and nothing is committed."""
    client = serve()
    started = client.post("/api/v1/runs", json={}, headers={"Idempotency-Key": "k"})
    run = until_over(client, started.json()["run_id"])
    assert run["state"] == "failed"
    assert "No path to ingest" in str(run["error"])


@dataclass(frozen=True, slots=True)
class Running:
    """A server with one configured source, of whose months the ledger holds the first, and the source."""

    client: ApiClient
    bucket: FakeBucket
    upstream: Upstream
    ledger: Path

    def cancelled_at(self, key: str) -> dict[str, Any]:
        """Start a run, cancel it through the API while an object is read, and return it when it is over."""
        asked: list[int] = []
        run_ids: Queue[str] = Queue()

        def cancel() -> None:
            run_id = run_ids.get(timeout=120)
            asked.append(self.client.post(f"/api/v1/runs/{run_id}/cancel").status_code)

        self.bucket.after_read[key] = cancel
        started = self.client.post("/api/v1/runs", json={}, headers={"Idempotency-Key": key[:100]}).json()
        run_ids.put(started["run_id"])
        over = until_over(self.client, started["run_id"])
        assert asked == [202]
        assert self.client.post(f"/api/v1/runs/{started['run_id']}/cancel").status_code == 409
        return over

    def digest(self) -> str | None:
        """Return the digest of the ledger, all of whose checks hold."""
        found = verify(Ledger.open(self.ledger).snapshot())
        assert found.ok
        return found.digest


@contextmanager
def serving(folder: Path) -> Iterator[Running]:
    """Serve a ledger that holds the first of two months that its one source has published."""
    with FakeBucket(Dialect.AZURE_BLOB) as bucket:
        upstream = Upstream(AZURE, bucket)
        upstream.publish("2025-05", ["0.1", "0.2"])
        chosen = Settings(
            sources={"acme": upstream.settings()},
            cache_folder=folder / "cache",
            api=ApiSettings(state=folder / "state.sqlite"),
        )
        ledger = folder / "L"
        assert run_once(Errand(str(ledger), chosen, IngestOptions())).result.status == "ok"
        upstream.publish("2025-06", ["0.3"])
        with client_of(create_app(chosen, str(ledger))) as client:
            yield Running(client, bucket, upstream, ledger)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """It, with two months published that are not in the ledger yet."""
    with serving(tmp_path) as made:
        made.upstream.publish("2025-07", ["0.4"])
        yield made


def test_a_run_runs_the_configured_sources_and_stands_beside_those_of_the_command_line(tmp_path: Path) -> None:
    """Sources are run as `offgridflow run` does, and noted once; a run of another process is listed with its steps."""
    with serving(tmp_path) as running:
        client = running.client
        (elsewhere,) = client.get("/api/v1/runs").json()["runs"]
        assert (elsewhere["asked_by"], elsewhere["state"]) == ("command line: run", "ok")
        steps = client.get(f"/api/v1/runs/{elsewhere['run_id']}").json()["steps"]
        assert [(step["source"], step["billing_period"], step["status"]) for step in steps] == [
            ("acme", "2025-05", "committed")
        ]
        assert client.post(f"/api/v1/runs/{elsewhere['run_id']}/cancel").status_code == 409
        started = client.post("/api/v1/runs", json={}, headers={"Idempotency-Key": "k"}).json()
        run = until_over(client, started["run_id"])
        assert run["state"] == "ok", run
        listed = client.get("/api/v1/runs").json()["runs"]
        assert [each["run_id"] for each in listed] == [started["run_id"], elsewhere["run_id"]]
        detail = client.get(f"/api/v1/runs/{started['run_id']}").json()
        assert {step["billing_period"]: step["status"] for step in detail["steps"]} == {
            "2025-05": "unchanged",
            "2025-06": "committed",
        }


def test_a_run_of_sources_cancelled_while_it_looks_leaves_the_ledger_as_it_was(running: Running) -> None:
    """Nothing is committed, the record says cancelled with no step, and the next run commits what was left."""
    before = (Ledger.open(running.ledger).version(), running.digest())
    manifest = f"{running.upstream.key_of('2025-07').rpartition('/')[0]}/manifest.json"
    run = running.cancelled_at(manifest)
    assert (run["state"], run["error"], run["cancel_asked"]) == ("cancelled", None, True)
    assert [step for step in run["steps"] if step["status"] == "committed"] == []
    assert (Ledger.open(running.ledger).version(), running.digest()) == before
    (listed, _) = running.client.get("/api/v1/runs").json()["runs"]
    assert (listed["run_id"], listed["state"]) == (run["run_id"], "cancelled")
    started = running.client.post("/api/v1/runs", json={}, headers={"Idempotency-Key": "again"}).json()
    assert until_over(running.client, started["run_id"])["state"] == "ok"
    assert {period for _, period in Ledger.open(running.ledger).live()} == {"2025-05", "2025-06", "2025-07"}


def test_a_run_of_sources_cancelled_in_a_delivery_ends_with_that_one(running: Running) -> None:
    """What it was at is committed whole, the next is not begun; the record says cancelled, and what was done."""
    first = running.upstream.key_of("2025-06")
    run = running.cancelled_at(first)
    assert run["state"] == "cancelled"
    live = {period for _, period in Ledger.open(running.ledger).live()}
    assert live == {"2025-05", "2025-06"}
    done = {step["billing_period"]: step["status"] for step in run["steps"]}
    assert done["2025-06"] == "committed"
    assert done.get("2025-07") != "committed"
    assert running.digest() is not None
    assert "2025-06" in {period["billing_period"] for period in run["result"]["periods"]}


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state file of its own."""
    return State(tmp_path / "state.sqlite")


def over(runs: Runs, run_id: str) -> str:
    """Wait for a run and return its state."""
    for _ in range(6000):
        said = str(runs.get(run_id)["state"])
        if said not in {"queued", "running"}:
            return said
        threading.Event().wait(0.02)
    return "still running"


def test_a_cancelled_run_stops_at_its_next_step(state: State) -> None:
    """A running run ends as cancelled at its next progress; a queued one never begins."""
    entered, go_on, begun = threading.Event(), threading.Event(), []

    def ingest(parameters: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        begun.append(parameters)
        entered.set()
        go_on.wait(120)
        progress("commit", "a", 1, 2)
        return {"status": "ok"}

    runs = Runs(state, ingest)
    runs.start()
    first, second = runs.ask("me", "1", {}), runs.ask("me", "2", {})
    ids = [str(each["run_id"]) for each in reversed(runs.list())]
    assert first.body != second.body
    assert entered.wait(120)
    for run_id in ids:
        runs.cancel(run_id)
    go_on.set()
    assert {over(runs, run_id) for run_id in ids} == {"cancelled"}
    assert len(begun) == 1
    with pytest.raises(ApiError, match="is over"):
        runs.cancel(ids[0])
    runs.stop()


def test_a_failure_is_kept_and_the_next_run_goes_on(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours, and one that nobody foresaw, end one run each; the worker lives on, and the process is told."""
    unforeseen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: unforeseen.append(told.exc_type))
    failures = [InputError("A file is broken.", action="Fetch it again."), KeyError("secret-value"), None]

    def ingest(_: Mapping[str, object], __: Progress) -> Mapping[str, object]:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return {"status": "partial"}

    runs = Runs(state, ingest)
    runs.start()
    for key in "abc":
        runs.ask("me", key, {})
    ids = {str(each["run_id"]) for each in runs.list()}
    assert sorted(over(runs, run_id) for run_id in ids) == ["failed", "failed", "partial"]
    told = str([each["error"] for each in runs.list()])
    assert "A file is broken." in told
    assert "secret-value" not in told
    assert unforeseen == [KeyError]
    runs.stop()


def test_a_run_of_a_stopped_server_is_told_as_interrupted(state: State) -> None:
    """What was queued or running when the process died is marked at the next start, not left running for ever."""
    runs = Runs(state, lambda _, __: {"status": "ok"})
    runs.ask("me", "k", {})
    after = Runs(state, lambda _, __: {"status": "ok"})
    after.start()
    assert [each["state"] for each in after.list()] == ["interrupted"]
    after.stop()


def test_a_key_is_free_again_after_a_day_and_belongs_to_its_caller(state: State) -> None:
    """The first answer is kept 24 hours per caller; then, or for another caller, the key starts a new run."""
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    runs = Runs(state, lambda _, __: {"status": "ok"}, clock=lambda: now[0])
    first = runs.ask("me", "k", {"full": False})
    now[0] += timedelta(hours=23)
    assert runs.ask("me", "k", {"full": False}).body == first.body
    assert not runs.ask("you", "k", {"full": True}).is_repeated
    now[0] += timedelta(hours=2)
    assert not runs.ask("me", "k", {"full": True}).is_repeated
    assert len(runs.list()) == 3
