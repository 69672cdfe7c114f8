"""Operators for tests of whole runs: one in this process, and ones in processes of their own that can be killed."""

import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any
from unittest.mock import patch

import duckdb

from offgridflow.cli.failures import show_unexpected
from offgridflow.cli.main import run
from offgridflow.cloud.door import Door
from offgridflow.connectors.registry import connect
from offgridflow.domain.errors import LedgerError
from offgridflow.ledger import Ledger, verify
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.locks import FileLocks, Locks, PostgresLocks
from offgridflow.pipeline.model import IngestOptions, Ports, utc_now
from offgridflow.pipeline.recipe import Kitchen
from offgridflow.pipeline.runner import InProcessRunner, RunReport, Task, never
from offgridflow.pipeline.runs import STATE_FOLDER, RunStore
from offgridflow.pipeline.service import answer_of, ingest_files
from offgridflow.pipeline.sources import Connect, SourceRun
from offgridflow.reports.opened import OpenLedger
from offgridflow.settings import Settings
from support.twins import Twin, connect_twins

Sources = Mapping[str, Mapping[str, Any]]
Step = Callable[[str], None]


@cache
def kitchen() -> Kitchen:
    """Return the default kitchen; its tables are read once per process."""
    return kitchen_of(Settings())


def no_step(step: str) -> None:
    """Take note of nothing."""


@dataclass
class Operator:
    """Runs sources into the ledger of a folder. ``step`` hears every boundary between two steps of the pipeline."""

    folder: Path
    make: Connect = connect
    door: Door = field(default_factory=Door)
    now: Callable[[], datetime] = utc_now
    probe_after: timedelta = timedelta(hours=24)
    lock_wait_seconds: float = 600
    step: Step = no_step
    lock_dsn: str | None = None

    @property
    def uri(self) -> Path:
        """The ledger's folder."""
        return self.folder / "ledger"

    @property
    def store(self) -> RunStore:
        """The history of runs."""
        return RunStore(self.uri / STATE_FOLDER)

    def run(
        self,
        sources: Sources,
        *,
        retry_held: bool = False,
        stop: Callable[[], bool] = never,
        **options: Any,  # noqa: ANN401 - the fields of IngestOptions
    ) -> RunReport:
        """Run the sources once."""
        self.step("begin")
        shared = SourceRun(
            ledger=self.open(),
            kitchen=kitchen(),
            options=IngestOptions(**options),
            ports=Ports(self.folder / "work", now=self.now, progress=self._hear),
            cache_folder=self.folder / "cache",
            door=self.door,
        )
        locks: Locks = FileLocks(self.store.folder / "locks", self.lock_wait_seconds)
        if self.lock_dsn is not None:
            locks = PostgresLocks(self.lock_dsn, self.lock_wait_seconds)
        runner = InProcessRunner(self.store, locks, self.probe_after, self.make)
        report = runner.run(Task(sources, shared, "test", retry_held or bool(options.get("full"))), stop)
        self.step("end")
        return report

    def open(self) -> Ledger:
        """Open the ledger."""
        return Ledger.open(self.uri, create=True, clock=self.now, checkpoint=self.step)

    def _hear(self, stage: str, detail: str, done: int, total: int) -> None:  # noqa: ARG002 - see Progress
        self.step(f"{stage} {done}/{total}")


def die_at(number: int) -> Step:
    """Return a step that kills its process when it is called for the n-th time."""
    left = [number]

    def step(name: str) -> None:
        del name
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


def run_and_die(folder: str, sources: Sources, number: int) -> None:
    """Run the sources and die at a step (as a process of its own)."""
    Operator(Path(folder), step=die_at(number)).run(sources)


def run_in_peace(folder: str, sources: Sources, ready: Any = None, lock_dsn: str | None = None) -> None:  # noqa: ANN401 - an Event of multiprocessing
    """Run the sources (as a process of its own); ``ready`` is set when it begins."""
    kitchen()
    if ready is not None:
        ready.set()
    Operator(Path(folder), lock_dsn=lock_dsn).run(sources)


_BETWEEN_READS_SECONDS = 0.2 if os.environ.get("OFFGRIDFLOW_SOAK") else 1.0
"""So that readers leave something of the machine to writers, all but as much as they want where time is short."""


def ingest_in_turn(uri: str, bills: Sequence[Sequence[Path]], answer: Path) -> None:
    """Ingest lists of bills one after another, whatever others do (as a process of its own), and write the results."""
    told = [answer_of(ingest_files(paths, uri, Settings(), IngestOptions(replace=True))) for paths in bills]
    answer.write_text(json.dumps(told, default=str))


def report_until(uri: str, done: Any, answer: Path) -> None:  # noqa: ANN401 - an Event of multiprocessing
    """Report and verify again and again (as a process of its own), once more when ``done`` is set; write what was seen.

    Each line: the version, its digest, the checks that fail, and the report by source and billing period.
    """
    with answer.open("w") as file:
        is_last = False
        while not is_last:
            is_last = done.is_set()
            snapshot = Ledger.open(uri).snapshot()
            proof = verify(snapshot)
            with OpenLedger(snapshot, duckdb.connect()) as opened:
                found = opened.report(("source", "billing_period")).to_json()
            failed = [check.name for check in proof.checks if not check.ok and check.name != "orphans"]
            seen = {"version": snapshot.version, "digest": proof.digest, "failed": failed, "report": found}
            file.write(json.dumps(seen, default=str) + "\n")
            time.sleep(_BETWEEN_READS_SECONDS)


REFUSED = 7
"""Exit code of an operator whose run ended as an error of ours says, before or without any commit."""


def _run_a_twin(folder: str, step: Step = no_step) -> None:
    twin = Twin("a", "1", Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    twin.publish("2025-02", [["0.2"]])
    operator = Operator(Path(folder), connect_twins({"a": twin}), step=step)
    try:
        report = operator.run({"a": {"type": "aws_twin", "account": "1"}})
    except LedgerError:
        sys.exit(REFUSED)
    sys.exit(REFUSED if report.result.status == "partial" else 0)


def run_on_a_full_disk(folder: str) -> None:
    """Run a twin with a new month, and let the disk be full once it is rated (as a process of its own)."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(step: str) -> None:
        if step == "rate 1/1":
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))

    _run_a_twin(folder, fill)


def run_as_nobody(folder: str) -> None:
    """Run a twin without the right to write (as a process of its own)."""
    kitchen()
    os.setuid(65534)
    _run_a_twin(folder)


LATE = (
    *("boto3", "azure.core", "azure.identity", "azure.storage.blob", "google.cloud.bigquery", "croniter"),
    *("dbos", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg"),
)
"""Slow to import, and imported by the product when it needs them: here once for all processes."""


class _LastResort:
    """Ends the process as the command does where something went wrong that nobody foresaw."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or error is None or kind is SystemExit:
            return
        show_unexpected(kind, error, trace)
        sys.stderr.flush()
        os._exit(1)


def run_command(folder: str, arguments: Sequence[str]) -> None:
    """Run the command line in a folder (as a process of its own).

    What it writes goes to the files ``stdout`` and ``stderr`` there.
    """
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        with Path(name).open("wb") as file:
            os.dup2(file.fileno(), number)
    with _LastResort():
        sys.exit(run(list(arguments)))


def run_command_once_traced(folder: str, arguments: Sequence[str]) -> None:
    """Do the same once a debugger has attached."""
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.005)
    run_command(folder, arguments)


class Crew:
    """Processes from a server that has imported everything and started nothing.

    The server lives as long as the test run and keeps the environment that it was born with, so each process is given
    the present one. It is born with our import path in that environment: Python 3.11 gives it no other way, and it
    passes over what it cannot import without a word.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["support.warm"])
        with patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}):
            forkserver.ensure_running()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - Event, Queue and the like, as the context makes them
        return getattr(self._context, name)

    def Process(self, *, target: Callable[..., None], args: tuple[object, ...] = ()) -> Any:  # noqa: ANN401, N802 - as multiprocessing names it
        """Return a process that runs ``target`` in the environment of the moment."""
        return self._context.Process(target=_in_environment, args=(dict(os.environ), target, args))


def _in_environment(environment: dict[str, str], target: Callable[..., None], args: tuple[object, ...]) -> None:
    assert "support.warm" in sys.modules, "the server of processes has imported nothing"
    os.environ.clear()
    os.environ.update(environment)
    target(*args)


def processes() -> Crew:
    """Return what makes the processes of a test."""
    return Crew()
