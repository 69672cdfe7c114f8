"""Laws of runs: what is noted, what is held and until when, what stops whom."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from offgridflow.cloud.codes import ErrorClass
from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.errors import Failure, error_of
from offgridflow.domain.errors import InputError, LedgerError, MissingExtraError, OffGridFlowError, UsageError
from offgridflow.pipeline.failures import RetryClass, retry_class_of
from offgridflow.pipeline.journal import settings_digest
from offgridflow.pipeline.locks import alive
from offgridflow.pipeline.model import PeriodResult
from offgridflow.pipeline.runs import RunStore
from offgridflow.testing import SimulatedTime
from support.logged import logged
from support.memory import in_memory
from support.sim import MemoryOperator
from support.twins import Twin, connect_twins

SOURCES = {"a": {"type": "aws_twin", "account": "1"}, "b": {"type": "gcp_twin", "account": "2"}}


class Stage:
    """Two twins, an operator in memory, and a clock by hand."""

    def __init__(self, folder: Path) -> None:
        self.twins = {name: Twin(name, name, random.Random(1)) for name in SOURCES}  # noqa: S311 - never rolled
        self.at = datetime(2026, 1, 1, tzinfo=UTC)
        door = Door(Rules(world=SimulatedTime().world()))
        self.operator = MemoryOperator(folder, connect_twins(self.twins), door, now=lambda: self.at)

    def run(self, sources: object = None, **options: object) -> list[tuple[str | None, str | None, str]]:
        """Run once; return (source, period, status) of the steps that were noted."""
        with in_memory():
            report = self.operator.run(sources or SOURCES, **options)  # type: ignore[arg-type]
        steps = self.operator.store.get(report.run_id)["steps"]
        return [(step["source"], step["billing_period"], step["status"]) for step in steps]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Two sources with one month each."""
    found = Stage(tmp_path)
    for name, twin in found.twins.items():
        twin.publish("2025-01", [["0.1" if name == "a" else "0.2"]])
    return found


def test_a_run_is_noted_step_by_step(stage: Stage) -> None:
    """A run has an id, its options, and a step per period with lines and money; its status is in the list."""
    stage.run()
    newest = stage.operator.store.newest()
    assert [(run["status"], run["committed"], run["failed"]) for run in newest] == [("ok", 2, 0)]
    shown = stage.operator.store.get("latest")
    assert [(step["source"], step["line_items"], step["billed_cost"]) for step in shown["steps"]] == [
        ("a", 1, "0.1"),
        ("b", 1, "0.2"),
    ]
    assert shown["options"]["sources"] == ["a", "b"]


def test_a_refused_source_is_held_and_the_other_goes_on(stage: Stage) -> None:
    """After an expired token a source is not called again, and is shown as held with its reason and a way out."""
    stage.twins["a"].token_is_valid = False
    assert stage.run() == [("a", None, "failed"), ("b", "2025-01", "committed")]
    calls = len(stage.twins["a"].calls)
    assert stage.run() == [("a", None, "held"), ("b", "2025-01", "unchanged")]
    assert len(stage.twins["a"].calls) == calls
    hold = stage.operator.store.holds()["a", ""]
    assert (hold.failure.code, hold.failure.retry_class) == ("PROVIDER_AUTH", "auth")
    step = stage.operator.store.get("latest")["steps"][0]
    assert "--full" in step["action"]


@pytest.mark.parametrize("way", ["settings", "full", "a day", "clock set back"])
def test_what_is_held_is_tried_again_when_that_may_help(stage: Stage, way: str) -> None:
    """Changed settings, --full, a day gone by, or a clock that cannot be trusted: the source is asked again."""
    stage.twins["a"].token_is_valid = False
    stage.run()
    stage.twins["a"].token_is_valid = True
    sources = dict(SOURCES)
    if way == "settings":
        sources["a"] = {**sources["a"], "role_arn": "other"}
    stage.at += {"a day": timedelta(hours=24), "clock set back": timedelta(hours=-1)}.get(way, timedelta(minutes=1))
    assert stage.run(sources, full=way == "full")[0] == ("a", "2025-01", "committed")
    assert stage.operator.store.holds() == {}


def test_what_fails_in_passing_is_tried_by_the_next_run(stage: Stage) -> None:
    """A transient failure is not held: the next run asks again."""
    stage.twins["a"].trouble = 1.0
    assert stage.run()[0] == ("a", None, "failed")
    stage.twins["a"].trouble = 0.0
    assert stage.run()[0] == ("a", "2025-01", "committed")


def test_a_broken_delivery_is_held_until_it_is_published_anew(stage: Stage) -> None:
    """A delivery that cannot be read costs no second fetch until its fingerprint changes; its neighbours go on."""
    stage.twins["a"].publish("2025-02", [["0.3"]], cut=True)
    assert stage.run()[:2] == [("a", "2025-01", "committed"), ("a", "2025-02", "failed")]
    calls = len(stage.twins["a"].calls)
    assert stage.run()[:2] == [("a", "2025-01", "unchanged"), ("a", "2025-02", "held")]
    assert len(stage.twins["a"].calls) == calls + 1
    stage.twins["a"].publish("2025-02", [["0.3"]])
    assert stage.run()[1] == ("a", "2025-02", "committed")
    assert stage.operator.store.holds() == {}


def test_a_stop_lets_the_delivery_end_and_the_next_run_goes_on(stage: Stage) -> None:
    """A run that is asked to stop commits the period that it is at, says so, and the next one does the rest."""
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    assert stage.run(stop=stop) == [("a", "2025-01", "committed")]
    assert stage.operator.store.newest()[0]["stopped"]
    assert stage.run() == [("a", "2025-01", "unchanged"), ("b", "2025-01", "committed")]


def test_every_failed_or_held_period_has_a_line_in_the_log(stage: Stage) -> None:
    """One warning for each: source, period, code, class, sentence and next action; none for what went well."""
    stage.twins["b"].publish("2025-02", [["0.3"]], cut=True)
    stage.twins["a"].token_is_valid = False
    with logged() as lines:
        stage.run()
    shown = [(line["event"], line["source"], line["billing_period"], line["retry_class"]) for line in lines]
    assert shown == [("source failed", "a", None, "auth"), ("period failed", "b", "2025-02", "content")]
    steps = [step for step in stage.operator.store.get("latest")["steps"] if step["status"] == "failed"]
    for line, step in zip(lines, steps, strict=True):
        assert (line["error_code"], line["sentence"], line["action"]) == (
            step["code"],
            step["sentence"],
            step["action"],
        )
        assert line["level"] == "warning"
    with logged() as again:
        stage.run()
    assert [line["event"] for line in again] == ["source held", "period held"]


def test_a_run_whose_process_is_gone_is_interrupted(tmp_path: Path) -> None:
    """A run lives as long as its process holds its lock, whatever the last word in the history was."""
    store = RunStore(tmp_path)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with store.living("one"):
        store.begin("one", "run", at, {})
        assert store.newest()[0]["status"] == "running"
    assert store.newest()[0]["status"] == "interrupted"
    store.begin("two", "run", at, {})
    assert {run["run_id"]: run["status"] for run in store.newest()} == {"one": "interrupted", "two": "interrupted"}
    assert list(tmp_path.glob("*.alive")) == []


def test_a_history_lets_go_of_what_is_too_old(tmp_path: Path) -> None:
    """What is older than it is kept goes with the next run: runs, steps, alerts. What lives stays, and who is next."""
    store = RunStore(tmp_path, timedelta(days=30))
    then, at = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 0, 0, 1, tzinfo=UTC)
    done = [PeriodResult("a", "2025-01", "aws", "x", "USD", "committed")]
    with store.living("living"):
        for name, instant in (("dead", None), ("old", then), ("scheduled", then + timedelta(hours=1))):
            with store.living(name):
                store.begin(name, "run", then, {})
                store.note(name, then, done, frozenset())
                if instant is not None:
                    store.note_schedule(name, instant)
                    store.finish(name, "ok", then)
        store.begin("living", "run", then, {})
        store.begin("young", "run", then + timedelta(days=1), {})
        store.add_alerts("old", then, {"old": "{}"})
        store.add_alerts("young", at, {"young": "{}"})
        assert len(store.newest()) == 5
        store.begin("next", "run", at, {})
        assert [run["run_id"] for run in store.newest()] == ["next", "young", "living", "scheduled"]
        assert store.last_scheduled() == then + timedelta(hours=1)
    assert store.known_alerts() == {"young"}
    store.begin("later", "run", at, {})
    assert [run["run_id"] for run in store.newest()] == ["later", "next", "young", "scheduled"]
    with sqlite3.connect(tmp_path / "runs.sqlite") as con:
        assert con.execute("SELECT run_id FROM steps").fetchall() == [("scheduled",)]
    con.close()


_NOBODY = """
import os, sys
from pathlib import Path
from offgridflow.pipeline.runs import RunStore
os.setuid(65534)
print([run["run_id"] for name in sys.argv[1:] for run in RunStore(Path(name)).newest()])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give up root's rights")
def test_who_may_not_write_reads_the_history() -> None:
    """Without the right to write, the history is read as it is, while a run writes and after; without one it is empty.

    Nothing is made there.
    """
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "runs"
        folder.mkdir(mode=0o755)
        RunStore(folder).begin("one", "run", datetime(2026, 1, 1, tzinfo=UTC), {})
        command = [sys.executable, "-c", _NOBODY, str(folder), str(Path(parent) / "none")]
        unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
        with closing(sqlite3.connect(folder / "runs.sqlite")) as writer:
            writer.execute("INSERT INTO checks VALUES ('a', 'b')")
            writer.commit()
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=unmeasured)
            assert (done.stdout, done.stderr) == ("['one']\n", "")
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=unmeasured)
        assert (done.stdout, done.stderr) == ("['one']\n", "")
        assert [path.name for path in Path(parent).iterdir()] == ["runs"]


def test_a_broken_history_says_so_and_costs_no_figure(tmp_path: Path) -> None:
    """A history that SQLite cannot read is an error with a way out, and an unknown run is a wrong word."""
    with pytest.raises(UsageError, match="no run 'nine'"):
        RunStore(tmp_path / "new").get("nine")
    (tmp_path / "runs.sqlite").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(LedgerError, match="run history") as caught:
        RunStore(tmp_path).newest()
    assert "move it away" in caught.value.action


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "an empty file"])
def test_a_history_that_is_taken_away_begins_anew(tmp_path: Path, left: str) -> None:
    """Losing the folder beside a live worker loses history and holds: its next run is noted in a new one."""
    store, at = RunStore(tmp_path / "runs"), datetime(2026, 1, 1, tzinfo=UTC)
    with store.living("one"):
        store.begin("one", "run", at, {})
        store.finish("one", "ok", at)
    shutil.rmtree(store.folder)
    if left != "nothing":
        store.folder.mkdir()
    if left == "an empty file":
        (store.folder / "runs.sqlite").touch()
    assert store.holds() == {}
    with store.living("two"):
        store.begin("two", "run", at, {})
        store.finish("two", "ok", at)
    assert [(run["run_id"], run["status"]) for run in store.newest()] == [("two", "ok")]


def test_the_digest_of_settings_tells_values_apart_and_shows_none() -> None:
    """Another value is another digest, and a secret in the settings cannot be read out of it."""
    digest = settings_digest({"type": "x", "key": "canary"})
    assert digest != settings_digest({"type": "x", "key": "other"})
    assert digest == settings_digest({"key": "canary", "type": "x"})
    assert "canary" not in digest


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (LedgerError("x", code="COMMIT_UNKNOWN"), RetryClass.TRANSIENT),
        (LedgerError("x"), RetryClass.LEDGER),
        (UsageError("x"), RetryClass.SETTINGS),
        (InputError("x"), RetryClass.CONTENT),
        (InputError("x", code="DELIVERY_UNDER_WAY"), RetryClass.TRANSIENT),
        (InputError("x", code="REPORTED_TWICE"), RetryClass.TRANSIENT),
        (InputError("x", code="REPORT_DENIED"), RetryClass.AUTH),
        (MissingExtraError("x"), RetryClass.UNKNOWN),
    ],
)
def test_failures_have_a_class(error: OffGridFlowError, expected: RetryClass) -> None:
    """An error's class says when it is worth another run."""
    assert retry_class_of(error) is expected


@pytest.mark.parametrize("status", range(100, 600))
def test_a_providers_class_is_kept_by_its_name(status: int) -> None:
    """The six classes of cloud errors are six of a run's, by the same names; what is fatal is not called unknown."""
    error = error_of(Failure("aws", "List", status=status))
    assert retry_class_of(error).value == error.error_class.value


def test_the_six_classes_of_the_door_stand_in_the_history() -> None:
    """Transient, auth, bad request, not found, fatal, unknown: what a provider can do to us has one of six names."""
    six = ["transient", "auth", "bad_request", "not_found", "fatal", "unknown"]
    assert [kind.value for kind in ErrorClass] == six
    assert [kind.value for kind in RetryClass][:6] == six


def test_the_log_of_the_history_stays_open_while_a_run_lives(tmp_path: Path) -> None:
    """A note within a run leaves SQLite's write-ahead log as it is; the run's end takes it into the file, once."""
    store, log, now = RunStore(tmp_path), tmp_path / "runs.sqlite-wal", datetime(2026, 3, 1, tzinfo=UTC)
    with store.living("a"):
        store.begin("a", "test", now, {})
        before = log.stat().st_size
        store.note_check("source", now)
        assert log.stat().st_size > before > 0
    assert not log.exists()
    assert list(store.checks()) == ["source"]


def test_a_lock_file_of_a_finished_run_is_gone(tmp_path: Path) -> None:
    """What shows that a run lives is removed when it ends."""
    with alive(tmp_path / "x.alive"):
        assert (tmp_path / "x.alive").exists()
    assert not (tmp_path / "x.alive").exists()


def test_the_latest_run_is_the_one_begun_last(stage: Stage) -> None:
    """A clock that stands still or is set back does not change the order of the history."""
    for hours in (0, 0, -5, 3, -9):
        stage.at += timedelta(hours=hours)
        with in_memory():
            report = stage.operator.run(SOURCES)
        assert stage.operator.store.get("latest")["run_id"] == report.run_id
        assert stage.operator.store.newest()[0]["run_id"] == report.run_id
