"""Workers of durable runs for tests: settings in a folder, from which any process starts as an operator would."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from offgridflow.ledger import Ledger
from offgridflow.pipeline.model import IngestOptions
from offgridflow.pipeline.runner import RunReport
from offgridflow.pipeline.runs import STATE_FOLDER, RunStore
from offgridflow.pipeline.worker import Errand, run_once
from offgridflow.pipeline.workflows import Workflows
from offgridflow.settings import read_settings
from support.crew import kitchen

Hear = Callable[[str, str], None]
PATIENCE_SECONDS = 200.0
WATCH_SECONDS = 0.5
_BETWEEN_LOOKS_SECONDS = 0.25
"""A look at ledger and workflows takes the machine some 0.05 s, which those that are waited for need."""


def silent(stage: str, detail: str) -> None:
    """Take note of nothing."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A row of the workflow database."""

    workflow_id: str
    status: str
    executor: str | None
    version: str | None
    name: str

    @property
    def attempt(self) -> int:
        """The number of the attempt at a delivery."""
        return int(self.workflow_id.rpartition("/")[2])


@dataclass(frozen=True)
class Site:
    """A folder with settings, a ledger and its history; what is run there is run by the code that operators run."""

    folder: Path

    @property
    def ledger(self) -> Path:
        """The ledger's folder."""
        return self.folder / "ledger"

    @property
    def store(self) -> RunStore:
        """The history of runs."""
        return RunStore(self.ledger / STATE_FOLDER)

    def configure(self, sources: Mapping[str, Mapping[str, Any]], url: str | None, runner: str = "dbos") -> None:
        """Write the settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        run = {"runner": runner, "schedule": "0 0 1 1 *", "lock_wait_seconds": 600}
        lines = [f"cache_folder = {json.dumps(str(self.folder / 'cache'))}"]
        lines += ["[retry]", "attempts = 1", "[run]", *_pairs(run if url is None else {**run, "database_url": url})]
        for name, table in sources.items():
            lines += [f"[sources.{name}]", *_pairs(table)]
        (self.folder / "offgridflow.toml").write_text("\n".join(lines), encoding="utf-8")

    def run(self, hear: Hear = silent, **options: Any) -> RunReport:  # noqa: ANN401 - the fields of IngestOptions
        """Do one run in this process; ``hear`` is told each stage and what it is about.

        Dead workers are looked for more often than by default, so that no test has to wait for it.
        """

        def progress(stage: str, detail: str, done: int, total: int) -> None:
            hear(f"{stage} {done}/{total}", detail)

        settings, chosen = read_settings(self.folder), IngestOptions(**options)
        errand = Errand(str(self.ledger), settings, chosen, progress=progress, watch_seconds=WATCH_SECONDS)
        return run_once(errand)

    def looks(self, pid: int) -> int:
        """Return how often a process of ``run_and_tell`` has looked for work of dead workers."""
        told = self.folder / f"looks-{pid}"
        return told.stat().st_size if told.exists() else 0

    def live(self) -> set[tuple[str, str]]:
        """Return what is committed; nothing where there is no ledger yet."""
        if not (self.ledger / "ledger.json").exists():
            return set()
        return set(Ledger.open(self.ledger).live())

    def workflows(self, url: str | None) -> list[Workflow]:
        """Return the rows of the workflow database, read past the product."""
        sql = "SELECT workflow_uuid, status, executor_id, application_version, name FROM {}workflow_status ORDER BY 1"
        if url is None:
            with closing(sqlite3.connect(self.store.folder / "workflows.sqlite", timeout=30)) as con:
                return [Workflow(*row) for row in con.execute(sql.format("")).fetchall()]
        with psycopg.connect(url) as server:
            return [Workflow(*row) for row in server.execute(sql.format("dbos.").encode()).fetchall()]

    def alter(self, url: str | None, sql: str) -> None:
        """Change the workflow database past the product: ``{}`` stands before its tables."""
        if url is None:
            with closing(sqlite3.connect(self.store.folder / "workflows.sqlite", timeout=30)) as con, con:
                con.execute(sql.format(""))
        else:
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(sql.format("dbos.").encode())


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]


def wait_until(what: Callable[[], bool]) -> None:
    """Wait until it is so; fail the test where it never is."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < PATIENCE_SECONDS, "waited in vain"
        time.sleep(_BETWEEN_LOOKS_SECONDS)


def run_and_die(folder: str, stage: str) -> None:
    """Do one run and die by SIGKILL when a stage is reached (as a process of its own)."""
    kitchen()

    def hear(reached: str, detail: str) -> None:
        del detail
        if reached == stage:
            os.kill(os.getpid(), signal.SIGKILL)

    Site(Path(folder)).run(hear)


def run_and_tell(folder: str, pause_at: str = "") -> None:
    """Do one run and write each stage to ``stages`` (as a process of its own); at ``pause_at`` wait for ``go``.

    Each look for work of dead workers is one character of the file ``looks-PID``.
    """
    kitchen()
    place = Path(folder)
    honest = Workflows.recover

    def recover(self: Workflows) -> None:
        honest(self)
        with (place / f"looks-{os.getpid()}").open("a", encoding="utf-8") as stream:
            stream.write(".")

    def hear(reached: str, detail: str) -> None:
        with (place / "stages").open("a", encoding="utf-8") as stream:
            stream.write(f"{os.getpid()}\t{reached}\t{detail}\n")
        if reached == pause_at and not (place / "go").exists():
            (place / "paused").touch()
            wait_until((place / "go").exists)

    with patch.object(Workflows, "recover", recover):
        Site(place).run(hear)
